//! `system`: any Ethernet device of the kernel, through AF_PACKET rings.
//!
//! The host keeps its device: addresses and flags stay as they are, and what the host sends through it by
//! itself is not received here. A device may vanish and come back (a veth of a container): its queues stay,
//! silent, and are bound to the new device of the same name as soon as [`Netdev::change_seq`] notices it.
//!
//! # What was measured
//!
//! A bare forwarder between two veth devices, 64-byte frames, CPU time of its thread per frame, against the floor
//! of a C program on mapped rings (TPACKET_V3 in, TPACKET_V2 out, around the queueing discipline; no copy into a
//! buffer between) in turn under the same generator: Linux 6.18, 2 virtual CPUs, 8 windows of 0.1 s, lower
//! quartile, the quietest of 8 rounds of each (`examples/forward.rs ports p0 p1`, meter from elsewhere):
//!
//! | | ns |
//! |---|---|
//! | floor, C | 706 |
//! | `recvmmsg` and `sendmmsg` in C, bursts of 32 | 1548 |
//! | this, as it is | 628 |
//! | this, `options:qdisc-bypass=true` | 574 |
//!
//! On a quieter day the floor was 560. Rounds differ by a quarter, so the bypass is not worth its price (captures
//! on the device do not see what is sent) by default. What made the difference to a first guess: `hdr_len` of the
//! whole frame on sending (see `sys::packet`), and no system call to find an empty ring. Time of one frame through
//! a forwarder that sleeps in epoll, and back: 25 us median, where TPACKET_V3 adds up to its retire time of a
//! millisecond or more to each receipt.

use crate::kernel::{self, Kernel, KernelDev};
use crate::offload::{received, to_vnet};
use base::Mac;
use dpif::netdev::{DevError, Features, Link, Netdev, NetdevStats, RxQueue, TxCaps, TxQueue, TxResult};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::os::fd::{AsFd, AsRawFd};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Weak};
use sys::packet::{PacketSocket, RxRing, TxRing};
use wire::{Offload, Packet, PacketPool, ethernet, ipv4, udp, vlan};

/// Frames that wait in a receiving ring (4 MiB).
const RX_SLOTS: usize = 2048;
/// Frames that wait in a sending ring (1 MiB).
const TX_SLOTS: usize = 512;

/// The control side.
#[derive(Debug)]
pub struct SystemDev {
    dev: KernelDev,
    taken: bool,
    bypass: bool,
    /// The device that the sockets are bound to, and when that was looked at.
    bound: Cell<u32>,
    seen: Cell<u64>,
    sockets: RefCell<Vec<Weak<PacketSocket>>>,
    /// The receiving socket, and frames that found no room in its ring.
    receiver: Weak<PacketSocket>,
    lost: Cell<u64>,
    /// What the sending queues go by.
    mtu: Arc<AtomicU32>,
}

impl SystemDev {
    /// Opens a device that exists.
    pub(crate) fn open(name: &str, kernel: Arc<Kernel>) -> Result<SystemDev, DevError> {
        let dev = KernelDev::new(name, kernel);
        let (seen, info) = (dev.seq(), dev.info()?);
        Ok(SystemDev {
            dev,
            taken: false,
            bypass: false,
            bound: Cell::new(info.index),
            seen: Cell::new(seen),
            sockets: RefCell::default(),
            receiver: Weak::new(),
            lost: Cell::new(0),
            mtu: Arc::new(AtomicU32::new(info.mtu)),
        })
    }

    /// Binds the queues to the device that now has the name.
    fn follow(&self) {
        let Ok(info) = self.dev.info() else { return };
        self.mtu.store(info.mtu, Relaxed);
        if info.index == self.bound.get() {
            return;
        }
        let mut sockets = self.sockets.borrow_mut();
        sockets.retain(|s| s.strong_count() > 0);
        let ok = sockets.iter().filter_map(Weak::upgrade).all(|s| s.bind(info.index).is_ok());
        // Otherwise it is gone again; its next appearance is another change.
        if ok {
            self.bound.set(info.index);
        }
    }

    fn keep(&self, socket: &Arc<PacketSocket>) {
        self.sockets.borrow_mut().push(Arc::downgrade(socket));
    }
}

impl Netdev for SystemDev {
    fn name(&self) -> &str {
        &self.dev.name
    }
    fn kind(&self) -> &'static str {
        "system"
    }
    fn rx_queues(&mut self) -> Result<Vec<Box<dyn RxQueue>>, DevError> {
        if self.taken {
            return Ok(Vec::new());
        }
        self.dev.kernel.poll();
        self.change_seq();
        let info = self.dev.info()?;
        let ring = RxRing::open(info.index, info.mtu, RX_SLOTS).map_err(|e| kernel::error(&e))?;
        self.keep(ring.socket());
        self.receiver = Arc::downgrade(ring.socket());
        self.taken = true;
        Ok(vec![Box::new(SystemRx { ring })])
    }
    fn tx_queue(&mut self) -> Result<Box<dyn TxQueue>, DevError> {
        self.dev.kernel.poll();
        self.change_seq();
        let index = self.dev.info()?.index;
        let ring = TxRing::open(index, TX_SLOTS, self.bypass).map_err(|e| kernel::error(&e))?;
        for s in ring.sockets() {
            self.keep(s);
        }
        Ok(Box::new(SystemTx { ring, mtu: self.mtu.clone(), too_long: 0 }))
    }
    fn mac(&self) -> Result<Mac, DevError> {
        self.dev.mac()
    }
    fn set_mac(&mut self, mac: Mac) -> Result<(), DevError> {
        self.dev.set_mac(mac)
    }
    fn mtu(&self) -> Option<u32> {
        self.dev.info().ok().map(|i| i.mtu)
    }
    fn set_mtu(&mut self, mtu: u32) -> Result<(), DevError> {
        self.dev.set_mtu(mtu)?;
        self.mtu.store(mtu, Relaxed);
        Ok(())
    }
    fn link(&self) -> Link {
        self.dev.link()
    }
    fn set_admin_up(&mut self, up: bool) -> Result<(), DevError> {
        self.dev.set_up(up)
    }
    fn features(&self) -> Features {
        self.dev.features()
    }
    fn stats(&self) -> NetdevStats {
        let mut s = kernel::stats(&self.dev.stats());
        if let Some(socket) = self.receiver.upgrade() {
            self.lost.set(self.lost.get() + socket.take_drops());
        }
        // The kernel counts a frame as received that finds our ring full.
        if self.lost.get() > 0 {
            s.rx_dropped = Some(s.rx_dropped.unwrap_or(0) + self.lost.get());
        }
        s
    }
    fn ifindex(&self) -> Option<u32> {
        self.dev.info().ok().map(|i| i.index)
    }
    fn status(&self) -> Vec<(String, String)> {
        let mut s = self.dev.kernel.driver_status(&self.dev.name);
        if !s.is_empty() {
            s.extend(crate::no_offload_status());
        }
        s
    }
    fn set_options(&mut self, options: &BTreeMap<String, String>) -> Result<(), String> {
        // Ours: go around the queueing discipline (and around captures) when sending; for queues taken later.
        self.bypass = options.get("qdisc-bypass").is_some_and(|v| v == "true");
        Ok(())
    }
    fn change_seq(&self) -> u64 {
        let seq = self.dev.seq();
        if self.seen.replace(seq) != seq {
            self.follow();
        }
        seq
    }
}

struct SystemRx {
    ring: RxRing,
}

impl RxQueue for SystemRx {
    fn recv(&mut self, max: usize, pool: &mut PacketPool, out: &mut Vec<Packet>) -> Result<usize, DevError> {
        let mut n = 0;
        while n < max {
            let packet = self.ring.next(|f| {
                let mut p = pool.take();
                let vlan = f.vlan;
                let Some(vnet) = f.read(p.buf.begin()) else {
                    pool.put(p);
                    return None;
                };
                let mut shift = 0;
                if let Some((tpid, tci)) = vlan
                    && p.buf.len() >= 12
                {
                    shift = 4;
                    let tag = p.buf.insert(12, 4);
                    tag[..2].copy_from_slice(&tpid.to_be_bytes());
                    tag[2..].copy_from_slice(&tci.to_be_bytes());
                }
                received(&mut p, &vnet, shift);
                Some(p)
            });
            let Some(p) = packet else { break };
            out.push(p);
            n += 1;
        }
        Ok(n)
    }
    fn woken_for_nothing(&mut self) {
        self.ring.polled_ready();
    }
    fn fd(&self) -> Option<i32> {
        Some(self.ring.socket().as_fd().as_raw_fd())
    }
}

struct SystemTx {
    ring: TxRing,
    mtu: Arc<AtomicU32>,
    /// Frames dropped since the last flush because they do not fit the device's MTU, which the kernel lets pass.
    too_long: u64,
}

/// Bytes behind the Ethernet header and a tag, on the wire. Of what is still to be cut into segments, the least that
/// the first may have.
fn payload(frame: &[u8], offload: &Offload) -> usize {
    if let Some(gso) = offload.gso {
        return ipv4::LEN + udp::LEN + usize::from(gso.size);
    }
    let tagged = vlan::Vlan::parse(frame.get(12..).unwrap_or_default()).is_ok();
    frame.len().saturating_sub(ethernet::LEN + if tagged { vlan::LEN } else { 0 })
}

impl TxQueue for SystemTx {
    fn caps(&self) -> TxCaps {
        TxCaps { csum: true, gso: true }
    }
    fn send(&mut self, frame: &[u8], offload: &Offload) {
        if payload(frame, offload) > self.mtu.load(Relaxed) as usize {
            self.too_long += 1;
            return;
        }
        self.ring.send(frame, &to_vnet(offload));
    }
    fn flush(&mut self) -> TxResult {
        let s = self.ring.flush();
        let too_long = std::mem::take(&mut self.too_long);
        TxResult { sent: s.frames, bytes: s.bytes, dropped: s.dropped + too_long }
    }
}
