//! `internal` and `tap`: devices that we make and that the host uses as its own.
//!
//! What the host sends we receive, so its counters are the other way round for the switch. The device goes when
//! its last queue and control side do. It may be moved to another network namespace (a container's), and is
//! followed there.

use crate::kernel::{self, Kernel, KernelDev};
use crate::offload::{received, to_vnet};
use base::Mac;
use dpif::netdev::{DevError, Features, Link, Netdev, NetdevStats, RxQueue, TxCaps, TxQueue, TxResult};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::os::fd::{AsFd, AsRawFd};
use std::sync::Arc;
use sys::tap::Tap;
use wire::{Offload, Packet, PacketPool};

/// The control side.
#[derive(Debug)]
pub struct TapDev {
    kind: &'static str,
    name: String,
    tap: Arc<Tap>,
    dev: RefCell<KernelDev>,
    taken: bool,
}

impl TapDev {
    /// Makes a device of that name. An error if the name is another device's.
    pub(crate) fn create(name: &str, kind: &'static str, kernel: Arc<Kernel>) -> Result<TapDev, DevError> {
        let tap = Tap::create(name).map_err(|e| kernel::error(&e))?;
        let dev = KernelDev::new(name, kernel);
        dev.info()?;
        Ok(TapDev { kind, name: name.into(), tap: Arc::new(tap), dev: RefCell::new(dev), taken: false })
    }

    /// The kernel's device, wherever it is now.
    fn dev(&self) -> std::cell::Ref<'_, KernelDev> {
        let gone = self.dev.borrow().info().is_err();
        if gone
            && let (Ok(ns), Ok(name)) = (self.tap.netns(), self.tap.present_name())
            && let Ok(Ok(there)) = ns.run(Kernel::new)
        {
            *self.dev.borrow_mut() = KernelDev::new(&name, Arc::new(there));
        }
        self.dev.borrow()
    }
}

impl Netdev for TapDev {
    fn name(&self) -> &str {
        &self.name
    }
    fn kind(&self) -> &'static str {
        self.kind
    }
    fn rx_queues(&mut self) -> Result<Vec<Box<dyn RxQueue>>, DevError> {
        if std::mem::replace(&mut self.taken, true) {
            return Ok(Vec::new());
        }
        Ok(vec![Box::new(TapRx { tap: Arc::clone(&self.tap), quiet: 0, skip: 0 })])
    }
    fn tx_queue(&mut self) -> Result<Box<dyn TxQueue>, DevError> {
        Ok(Box::new(TapTx { tap: Arc::clone(&self.tap), result: TxResult::default() }))
    }
    fn mac(&self) -> Result<Mac, DevError> {
        self.dev().mac()
    }
    fn set_mac(&mut self, mac: Mac) -> Result<(), DevError> {
        self.dev().set_mac(mac)
    }
    fn mtu(&self) -> Option<u32> {
        self.dev().info().ok().map(|i| i.mtu)
    }
    fn set_mtu(&mut self, mtu: u32) -> Result<(), DevError> {
        self.dev().set_mtu(mtu)
    }
    fn link(&self) -> Link {
        self.dev().link()
    }
    fn set_admin_up(&mut self, up: bool) -> Result<(), DevError> {
        self.dev().set_up(up)
    }
    fn features(&self) -> Features {
        self.dev().features()
    }
    fn stats(&self) -> NetdevStats {
        let mut s = kernel::stats(&self.dev().stats());
        std::mem::swap(&mut s.rx_packets, &mut s.tx_packets);
        std::mem::swap(&mut s.rx_bytes, &mut s.tx_bytes);
        std::mem::swap(&mut s.rx_errors, &mut s.tx_errors);
        std::mem::swap(&mut s.rx_dropped, &mut s.tx_dropped);
        s
    }
    fn ifindex(&self) -> Option<u32> {
        self.dev().info().ok().map(|i| i.index)
    }
    fn status(&self) -> Vec<(String, String)> {
        let d = self.dev();
        d.kernel.driver_status(&d.name)
    }
    fn set_options(&mut self, _: &BTreeMap<String, String>) -> Result<(), String> {
        Ok(())
    }
    fn change_seq(&self) -> u64 {
        self.dev().seq()
    }
}

struct TapRx {
    tap: Arc<Tap>,
    /// Looks to leave out after the next one that finds nothing, and now. Unlike a ring's, a look here is a system
    /// call: a device that is silent beside busy ones is looked at more rarely.
    quiet: u32,
    skip: u32,
}

impl TapRx {
    /// Fewer than the looks that a polling thread makes before it sleeps, so that none sleeps over a frame for long.
    const MAX_QUIET: u32 = 15;
}

impl RxQueue for TapRx {
    fn recv(&mut self, max: usize, pool: &mut PacketPool, out: &mut Vec<Packet>) -> Result<usize, DevError> {
        if self.skip > 0 {
            self.skip -= 1;
            return Ok(0);
        }
        let mut n = 0;
        while n < max {
            let mut p = pool.take();
            let got = self.tap.read(p.buf.begin());
            if let Ok(Some(v)) = got {
                received(&mut p, &v, 0);
                out.push(p);
                n += 1;
                continue;
            }
            pool.put(p);
            match got {
                // What came before is still to be delivered; the error comes again.
                Err(e) if n == 0 => return Err(kernel::error(&e)),
                _ => break,
            }
        }
        self.quiet = if n > 0 { 0 } else { (self.quiet * 2 + 1).min(Self::MAX_QUIET) };
        self.skip = self.quiet;
        Ok(n)
    }
    fn woken(&mut self) {
        self.skip = 0;
    }
    fn fd(&self) -> Option<i32> {
        Some(self.tap.as_fd().as_raw_fd())
    }
}

struct TapTx {
    tap: Arc<Tap>,
    result: TxResult,
}

impl TxQueue for TapTx {
    fn caps(&self) -> TxCaps {
        TxCaps { csum: true, gso: true }
    }
    fn send(&mut self, frame: &[u8], offload: &Offload) {
        // The kernel offers no batches here: each frame is one call, so it leaves at once, uncopied.
        match self.tap.write(frame, &to_vnet(offload)) {
            Ok(()) => {
                self.result.sent += 1;
                self.result.bytes += frame.len() as u64;
            }
            Err(_) => self.result.dropped += 1,
        }
    }
    fn flush(&mut self) -> TxResult {
        std::mem::take(&mut self.result)
    }
}
