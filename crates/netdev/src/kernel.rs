//! The control side that all devices of the kernel share: one netlink socket to ask and one to be told, in the
//! network namespace of whoever opened the first device.

use base::Mac;
use dpif::netdev::{DevError, Features, Link, NetdevStats};
use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::sync::{Mutex, MutexGuard, PoisonError};
use sys::ethtool::{Connector, Ethtool, LinkSettings};
use sys::rtnl::{Event, LinkInfo, LinkStats, Monitor, Route};

/// The kernel's devices in one network namespace. Locked by control threads only.
#[derive(Debug)]
pub(crate) struct Kernel {
    route: Mutex<Route>,
    ethtool: Ethtool,
    watch: Mutex<Watch>,
    watch_fd: i32,
}

#[derive(Debug)]
struct Watch {
    monitor: Monitor,
    events: Vec<Event>,
    /// Changes seen by device name; what is not in here is at `lost`.
    seq: HashMap<String, u64>,
    total: u64,
    lost: u64,
}

impl Kernel {
    /// In the present network namespace.
    pub(crate) fn new() -> Result<Kernel, DevError> {
        let open = || -> io::Result<Kernel> {
            let monitor = Monitor::links()?;
            Ok(Kernel {
                watch_fd: monitor.as_fd().as_raw_fd(),
                route: Mutex::new(Route::new()?),
                ethtool: Ethtool::new()?,
                watch: Mutex::new(Watch {
                    monitor,
                    events: Vec::new(),
                    seq: HashMap::new(),
                    total: 1,
                    lost: 1,
                }),
            })
        };
        open().map_err(|e| error(&e))
    }

    /// Polls readable when devices have changed.
    pub(crate) fn watch_fd(&self) -> i32 {
        self.watch_fd
    }

    /// Takes in what the kernel has told.
    pub(crate) fn poll(&self) {
        lock(&self.watch).poll();
    }

    /// A number that changes when a device of that name does, as far as the kernel's tidings have been taken in.
    pub(crate) fn seq(&self, name: &str) -> u64 {
        let w = lock(&self.watch);
        w.seq.get(name).copied().unwrap_or(0).max(w.lost)
    }

    /// A number that changes when any device does.
    pub(crate) fn total_seq(&self) -> u64 {
        lock(&self.watch).total
    }

    pub(crate) fn link(&self, name: &str) -> Result<LinkInfo, DevError> {
        lock(&self.route).link(name).map_err(|e| error(&e))
    }

    /// Changes something about a device.
    pub(crate) fn set(&self, f: impl FnOnce(&mut Route) -> io::Result<()>) -> Result<(), DevError> {
        f(&mut lock(&self.route)).map_err(|e| error(&e))
    }

    pub(crate) fn settings(&self, name: &str) -> Option<LinkSettings> {
        self.ethtool.settings(name).ok()
    }

    /// `Interface.status`: who drives the device.
    pub(crate) fn driver_status(&self, name: &str) -> Vec<(String, String)> {
        let Ok(d) = self.ethtool.driver(name) else { return Vec::new() };
        vec![
            ("driver_name".into(), d.driver),
            ("driver_version".into(), d.version),
            ("firmware_version".into(), d.firmware),
        ]
    }
}

impl Watch {
    fn poll(&mut self) {
        if self.monitor.poll(&mut self.events).is_err() {
            self.events.push(Event::Lost);
        }
        for e in self.events.drain(..) {
            self.total += 1;
            match e {
                Event::Link(l) => {
                    self.seq.insert(l.name, self.total);
                }
                // The name may never come back; whoever has it sees a change all the same.
                Event::LinkGone(l) => {
                    self.seq.insert(l.name, self.total);
                }
                Event::Lost => {
                    self.lost = self.total;
                    self.seq.clear();
                }
                _ => {}
            }
        }
        // Names that came and went.
        if self.seq.len() > 65536 {
            self.lost = self.total;
            self.seq.clear();
        }
    }
}

/// What the caches of [`KernelDev`] are worth.
#[derive(Debug, Default)]
struct Cached {
    seq: u64,
    info: Option<LinkInfo>,
    /// The carrier when it was last looked at, and how often it was another than before.
    carrier: Option<bool>,
    resets: u64,
}

/// One device of the kernel by name, with what was last seen of it.
#[derive(Debug)]
pub(crate) struct KernelDev {
    pub(crate) name: String,
    pub(crate) kernel: std::sync::Arc<Kernel>,
    cached: std::cell::RefCell<Cached>,
}

impl KernelDev {
    pub(crate) fn new(name: &str, kernel: std::sync::Arc<Kernel>) -> KernelDev {
        KernelDev { name: name.into(), kernel, cached: Default::default() }
    }

    pub(crate) fn seq(&self) -> u64 {
        self.kernel.seq(&self.name)
    }

    /// What the kernel says, without counters: asked again only after a change.
    pub(crate) fn info(&self) -> Result<LinkInfo, DevError> {
        self.kernel.poll();
        let seq = self.seq();
        let mut c = self.cached.borrow_mut();
        if c.seq != seq || c.info.is_none() {
            c.info = self.kernel.link(&self.name).ok();
            c.seq = seq;
            if let Some(now) = c.info.as_ref().map(|i| i.carrier) {
                let before = c.carrier.replace(now);
                c.resets += u64::from(before.is_some_and(|b| b != now));
            }
        }
        c.info.clone().ok_or_else(no_device)
    }

    pub(crate) fn mac(&self) -> Result<Mac, DevError> {
        self.info()?.mac.ok_or_else(|| crate::not_supported("the device has no Ethernet address"))
    }

    pub(crate) fn set_mac(&self, mac: Mac) -> Result<(), DevError> {
        let i = self.info()?;
        if i.mac == Some(mac) { Ok(()) } else { self.kernel.set(|r| r.set_mac(i.index, mac)) }
    }

    pub(crate) fn set_mtu(&self, mtu: u32) -> Result<(), DevError> {
        let i = self.info()?;
        if i.mtu == mtu { Ok(()) } else { self.kernel.set(|r| r.set_mtu(i.index, mtu)) }
    }

    pub(crate) fn set_up(&self, up: bool) -> Result<(), DevError> {
        let i = self.info()?;
        if i.is_up() == up { Ok(()) } else { self.kernel.set(|r| r.set_up(i.index, up)) }
    }

    pub(crate) fn link(&self) -> Link {
        let Ok(i) = self.info() else { return Link::default() };
        let s = self.kernel.settings(&self.name);
        Link {
            admin_up: i.is_up(),
            carrier: i.carrier,
            resets: self.cached.borrow().resets,
            speed: s.as_ref().and_then(|s| s.speed).map(|mbps| u64::from(mbps) * 1_000_000),
            full_duplex: s.and_then(|s| s.full_duplex),
        }
    }

    pub(crate) fn features(&self) -> Features {
        self.kernel.settings(&self.name).map(|s| features(&s)).unwrap_or_default()
    }

    /// The device's counters; zeros when it is gone.
    pub(crate) fn stats(&self) -> LinkStats {
        self.kernel.link(&self.name).map(|l| l.stats).unwrap_or_default()
    }
}

/// Counters as the switch sees them, which is as the device does.
pub(crate) fn stats(s: &LinkStats) -> NetdevStats {
    NetdevStats {
        rx_packets: Some(s.rx_packets),
        tx_packets: Some(s.tx_packets),
        rx_bytes: Some(s.rx_bytes),
        tx_bytes: Some(s.tx_bytes),
        rx_errors: Some(s.rx_errors),
        tx_errors: Some(s.tx_errors),
        rx_dropped: Some(s.rx_dropped),
        tx_dropped: Some(s.tx_dropped),
        multicast: Some(s.multicast),
        collisions: Some(s.collisions),
        rx_length_errors: Some(s.rx_length_errors),
        rx_over_errors: Some(s.rx_over_errors),
        rx_crc_errors: Some(s.rx_crc_errors),
        rx_frame_errors: Some(s.rx_frame_errors),
        rx_fifo_errors: Some(s.rx_fifo_errors),
        rx_missed_errors: Some(s.rx_missed_errors),
        tx_aborted_errors: Some(s.tx_aborted_errors),
        tx_carrier_errors: Some(s.tx_carrier_errors),
        custom: Vec::new(),
    }
}

/// A system call's error, in the words that the database's `error` column has in parentheses.
pub(crate) fn error(e: &io::Error) -> DevError {
    let n = e.raw_os_error().unwrap_or(5);
    DevError::new(n, sys::errno_text(n))
}

fn no_device() -> DevError {
    const ENODEV: i32 = 19;
    DevError::new(ENODEV, sys::errno_text(ENODEV))
}

const COPPER: u32 = 1 << 11;
const FIBER: u32 = 1 << 12;
const AUTONEG: u32 = 1 << 13;

/// Link modes of ethtool by OpenFlow port feature bit.
const MODES: [(u32, &[u32]); 14] = [
    (1 << 0, &[0]),
    (1 << 1, &[1]),
    (1 << 2, &[2]),
    (1 << 3, &[3]),
    (1 << 4, &[4]),
    (1 << 5, &[5, 17, 41]),
    (1 << 6, &[12, 18, 19, 20, 42, 43, 44, 45, 46]),
    (1 << 7, &[23, 24, 25, 26]),
    (1 << 8, &[36, 37, 38, 39]),
    (COPPER, &[7]),
    (FIBER, &[10]),
    (AUTONEG, &[6]),
    (1 << 14, &[13]),
    (1 << 15, &[14]),
];

fn modes(set: u128) -> u32 {
    MODES.iter().filter(|(_, bits)| bits.iter().any(|b| set >> b & 1 != 0)).map(|m| m.0).sum()
}

/// OpenFlow's view of a device's settings. Only speeds of which OpenFlow has a bit are current.
fn features(s: &LinkSettings) -> Features {
    let full = s.full_duplex == Some(true);
    let half_or_full = |bit: u32| if full { bit << 1 } else { bit };
    let speed = match s.speed {
        Some(10) => half_or_full(1 << 0),
        Some(100) => half_or_full(1 << 2),
        Some(1000) => half_or_full(1 << 4),
        Some(10_000) => 1 << 6,
        Some(40_000) => 1 << 7,
        Some(100_000) => 1 << 8,
        Some(1_000_000) => 1 << 9,
        _ => 0,
    };
    let medium = match s.connector {
        Connector::Copper => COPPER,
        Connector::Fiber => FIBER,
        Connector::Other => 0,
    };
    let autoneg = if s.autoneg { AUTONEG } else { 0 };
    Features {
        current: speed | medium | autoneg,
        advertised: modes(s.advertised),
        supported: modes(s.supported),
        peer: modes(s.peer),
    }
}

/// What is behind these locks stays whole whatever panics, so a poisoned one is as good.
fn lock<T>(m: &Mutex<T>) -> MutexGuard<'_, T> {
    m.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn features_of_settings() {
        let veth = LinkSettings {
            speed: Some(10_000),
            full_duplex: Some(true),
            connector: Connector::Copper,
            autoneg: false,
            supported: 0,
            advertised: 0,
            peer: 0,
        };
        // 10GB-FD COPPER
        assert_eq!(features(&veth), Features { current: 1 << 6 | COPPER, ..Features::default() });
        let nic = LinkSettings {
            speed: Some(100),
            full_duplex: Some(false),
            supported: 0x6f,
            autoneg: true,
            ..veth
        };
        let f = features(&nic);
        assert_eq!(f.current, 1 << 2 | COPPER | AUTONEG);
        assert_eq!(f.supported, 0b10_1111 | AUTONEG);
    }
}
