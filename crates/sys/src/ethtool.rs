//! What a device's driver says of itself: `SIOCETHTOOL`.

use crate::util::{cvt, errno, own};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

const GDRVINFO: u32 = 0x3;
const GLINK: u32 = 0xa;
const GLINKSETTINGS: u32 = 0x4c;
const STXCSUM: u32 = 0x17;
const SGRO: u32 = 0x2c;
const SETTINGS: usize = 48;
const SPEED_UNKNOWN: u32 = u32::MAX;

/// Who drives a device.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct DriverInfo {
    /// Name (`veth`, `tun`, `e1000e`).
    pub driver: String,
    /// Version.
    pub version: String,
    /// Version of the device's firmware.
    pub firmware: String,
}

/// Which connector a device has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Connector {
    /// Twisted pair, or a software device that says so.
    Copper,
    /// Fibre.
    Fiber,
    /// Something else.
    Other,
}

/// Speed, duplex and link modes. A set of link modes has bit *n* for `ETHTOOL_LINK_MODE_*` *n*.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LinkSettings {
    /// Megabits per second, if known.
    pub speed: Option<u32>,
    /// Full duplex, if known.
    pub full_duplex: Option<bool>,
    /// Connector.
    pub connector: Connector,
    /// Negotiates.
    pub autoneg: bool,
    /// What the device could do.
    pub supported: u128,
    /// What it tells its peer.
    pub advertised: u128,
    /// What the peer tells.
    pub peer: u128,
}

/// Asks drivers, in the network namespace of the thread that made it.
#[derive(Debug)]
pub struct Ethtool(OwnedFd);

impl Ethtool {
    /// In the present network namespace.
    pub fn new() -> io::Result<Ethtool> {
        // SAFETY: integers only.
        own(unsafe { libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0) }).map(Ethtool)
    }

    /// `data` begins with the command's number and has the room that the command needs.
    fn call(&self, name: &str, data: &mut [u32]) -> io::Result<()> {
        if name.len() >= libc::IFNAMSIZ {
            return Err(errno(libc::ENODEV));
        }
        // SAFETY: plain integers, for which zero is valid.
        let mut r: libc::ifreq = unsafe { std::mem::zeroed() };
        for (d, b) in r.ifr_name.iter_mut().zip(name.as_bytes()) {
            *d = *b as libc::c_char;
        }
        r.ifr_ifru.ifru_data = data.as_mut_ptr().cast();
        // SAFETY: `r` and what it points to live through the call; each caller gives the command's size.
        cvt(unsafe { libc::ioctl(self.0.as_raw_fd(), libc::SIOCETHTOOL as _, &raw mut r) }).map(|_| ())
    }

    /// The driver's name and versions.
    pub fn driver(&self, name: &str) -> io::Result<DriverInfo> {
        // struct ethtool_drvinfo: command, then five strings of 32 bytes and one of 12, then five numbers.
        let mut d = [0u32; 49];
        d[0] = GDRVINFO;
        self.call(name, &mut d)?;
        let b: Vec<u8> = d.iter().flat_map(|w| w.to_ne_bytes()).collect();
        let s = |at: usize| crate::netlink::text(&b[at..at + 32]);
        Ok(DriverInfo { driver: s(4), version: s(36), firmware: s(68) })
    }

    /// Whether a cable is plugged in.
    pub fn link(&self, name: &str) -> io::Result<bool> {
        let mut d = [GLINK, 0];
        self.call(name, &mut d)?;
        Ok(d[1] != 0)
    }

    /// Turns generic receive offload on or off.
    pub fn set_gro(&self, name: &str, on: bool) -> io::Result<()> {
        self.call(name, &mut [SGRO, u32::from(on)])
    }

    /// Lets the host leave checksums of what it sends to the device, or not.
    pub fn set_tx_checksums(&self, name: &str, on: bool) -> io::Result<()> {
        self.call(name, &mut [STXCSUM, u32::from(on)])
    }

    /// Speed, duplex and link modes.
    pub fn settings(&self, name: &str) -> io::Result<LinkSettings> {
        // First ask how many words a set of link modes has here: the answer is negative.
        let mut d = [0u32; SETTINGS / 4 + 3 * 127];
        d[0] = GLINKSETTINGS;
        self.call(name, &mut d)?;
        let n = usize::from(nwords(&d).unsigned_abs());
        if nwords(&d) >= 0 || n > 127 {
            return Err(errno(libc::EOPNOTSUPP));
        }
        d = [0u32; SETTINGS / 4 + 3 * 127];
        d[0] = GLINKSETTINGS;
        let mut word = d[3].to_ne_bytes();
        word[3] = n as u8;
        d[3] = u32::from_ne_bytes(word);
        self.call(name, &mut d)?;
        let [duplex, port, _, autoneg] = d[2].to_ne_bytes();
        let set = |i: usize| {
            let words = &d[SETTINGS / 4 + i * n..SETTINGS / 4 + (i + 1) * n];
            words.iter().take(4).rev().fold(0u128, |acc, &w| acc << 32 | u128::from(w))
        };
        Ok(LinkSettings {
            speed: (d[1] != SPEED_UNKNOWN && d[1] != 0).then_some(d[1]),
            full_duplex: match duplex {
                0 => Some(false),
                1 => Some(true),
                _ => None,
            },
            connector: match port {
                0 => Connector::Copper,
                3 => Connector::Fiber,
                _ => Connector::Other,
            },
            autoneg: autoneg == 1,
            supported: set(0),
            advertised: set(1),
            peer: set(2),
        })
    }
}

/// The number of words in a set of link modes: the last byte of the fourth word, signed.
fn nwords(d: &[u32]) -> i8 {
    d[3].to_ne_bytes()[3] as i8
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netns::NetNs;
    use crate::rtnl::Route;

    #[test]
    fn asks_veth() {
        let Ok(ns) = NetNs::new() else {
            println!("skipped: no network namespace");
            return;
        };
        ns.run(|| {
            Route::new().unwrap().add_veth("v0", "v1", None).unwrap();
            let e = Ethtool::new().unwrap();
            assert_eq!(e.driver("v0").unwrap().driver, "veth");
            let s = e.settings("v0").unwrap();
            // As `ovs-ofctl show` says of it: 10GB-FD COPPER.
            assert_eq!((s.speed, s.full_duplex, s.connector), (Some(10_000), Some(true), Connector::Copper));
            assert!(!e.link("v0").unwrap());
            e.set_gro("v0", true).unwrap();
            assert_eq!(e.driver("nosuch").unwrap_err().raw_os_error(), Some(libc::ENODEV));
        })
        .unwrap();
    }
}
