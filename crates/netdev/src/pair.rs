//! `internal` and `tap` where `/dev/net/tun` is out of reach, as in containers and for ordinary users: the host's
//! device is one end of a veth pair, and we hold the other.
//!
//! The pair goes with the control side. Unlike a TAP device it outlives a switch that was killed: the next one takes it
//! over by its name.

use crate::kernel::{Kernel, KernelDev};
use crate::system::SystemDev;
use base::Mac;
use dpif::netdev::{DevError, Features, Link, Netdev, NetdevStats, RxQueue, TxQueue};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The control side.
#[derive(Debug)]
pub(crate) struct PairDev {
    kind: &'static str,
    host: KernelDev,
    ours: SystemDev,
}

/// Makes such a device in the present network namespace, whether or not there could be a TAP device.
pub fn open(name: &str, kind: &'static str) -> Result<Box<dyn Netdev>, DevError> {
    Ok(Box::new(PairDev::create(name, kind, Arc::new(Kernel::new()?))?))
}

/// The most that a device's name may have.
const NAME_MAX: usize = 15;

/// The name of our end: told apart from names that people give.
fn other_end(name: &str) -> String {
    let kept: String = name.chars().take(NAME_MAX - 1).collect();
    format!("{kept}~")
}

impl PairDev {
    /// Makes the pair, or takes one over that a former switch left.
    pub(crate) fn create(name: &str, kind: &'static str, kernel: Arc<Kernel>) -> Result<PairDev, DevError> {
        let other = other_end(name);
        if kernel.link(name).is_err() || kernel.link(&other).is_err() {
            kernel.set(|r| r.add_veth(name, &other, None))?;
        }
        let index = kernel.link(&other)?.index;
        kernel.set(|r| r.set_up(index, true))?;
        let host = KernelDev::new(name, Arc::clone(&kernel));
        host.info()?;
        Ok(PairDev { kind, host, ours: SystemDev::open(&other, kernel)? })
    }
}

impl Drop for PairDev {
    fn drop(&mut self) {
        if let Ok(info) = self.host.info() {
            let _ = self.host.kernel.set(|r| r.del_link(info.index));
        }
    }
}

impl Netdev for PairDev {
    fn name(&self) -> &str {
        &self.host.name
    }
    fn kind(&self) -> &'static str {
        self.kind
    }
    fn rx_queues(&mut self) -> Result<Vec<Box<dyn RxQueue>>, DevError> {
        self.ours.rx_queues()
    }
    fn tx_queue(&mut self) -> Result<Box<dyn TxQueue>, DevError> {
        self.ours.tx_queue()
    }
    fn mac(&self) -> Result<Mac, DevError> {
        self.host.mac()
    }
    fn set_mac(&mut self, mac: Mac) -> Result<(), DevError> {
        self.host.set_mac(mac)
    }
    fn mtu(&self) -> Option<u32> {
        self.host.info().ok().map(|i| i.mtu)
    }
    fn set_mtu(&mut self, mtu: u32) -> Result<(), DevError> {
        self.ours.set_mtu(mtu)?;
        self.host.set_mtu(mtu)
    }
    fn link(&self) -> Link {
        self.host.link()
    }
    fn set_admin_up(&mut self, up: bool) -> Result<(), DevError> {
        self.host.set_up(up)
    }
    fn features(&self) -> Features {
        self.host.features()
    }
    fn stats(&self) -> NetdevStats {
        self.ours.stats()
    }
    fn ifindex(&self) -> Option<u32> {
        self.host.info().ok().map(|i| i.index)
    }
    fn status(&self) -> Vec<(String, String)> {
        self.host.kernel.driver_status(&self.host.name)
    }
    fn set_options(&mut self, _: &BTreeMap<String, String>) -> Result<(), String> {
        Ok(())
    }
    fn change_seq(&self) -> u64 {
        self.host.seq() + self.ours.change_seq()
    }
}

/// Whether a TAP device was refused for a reason that a pair may not share.
pub(crate) fn may_help(e: &DevError) -> bool {
    [libc::EACCES, libc::EPERM, libc::ENOENT, libc::ENODEV, libc::ENXIO].contains(&e.errno)
}

/// A TAP device, or a pair where there can be none. The first error counts.
pub(crate) fn tap_or_pair(
    tap: Result<crate::tap::TapDev, DevError>,
    name: &str,
    kind: &'static str,
    kernel: Arc<Kernel>,
) -> Result<Box<dyn Netdev>, DevError> {
    match tap {
        Ok(tap) => Ok(Box::new(tap)),
        Err(e) if may_help(&e) => match PairDev::create(name, kind, kernel) {
            Ok(pair) => Ok(Box::new(pair)),
            Err(_) => Err(e),
        },
        Err(e) => Err(e),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        assert_eq!(other_end("br0"), "br0~");
        assert_eq!(other_end("a-very-long-one"), "a-very-long-on~");
    }
}
