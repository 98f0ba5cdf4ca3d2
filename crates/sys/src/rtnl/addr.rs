//! Addresses of devices, and neighbours (ARP and ND entries).

use super::Route;
use crate::netlink::{Attrs, Builder, Message, text, u16_at, u32_at};
use crate::util::errno;
use base::Mac;
use std::io;
use std::net::IpAddr;

/// `struct ifaddrmsg`: family, prefix length, flags, scope (1 each), index (4).
pub(super) const IFADDRMSG: usize = 8;
/// `struct ndmsg`: family, pad (3), index (4), state (2), flags, type (1 each).
const NDMSG: usize = 12;

/// An address of a device.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AddrInfo {
    /// Index of the device.
    pub index: u32,
    /// The address.
    pub address: IpAddr,
    /// Length of the network's prefix.
    pub prefix: u8,
    /// Scope (`RT_SCOPE_*`).
    pub scope: u8,
    /// Label, for IPv4 (`eth0:1`).
    pub label: Option<String>,
}

impl AddrInfo {
    pub(super) fn parse(m: &Message) -> Option<AddrInfo> {
        let b = &m.body;
        let mut local = None;
        let mut address = None;
        let mut label = None;
        for (kind, v) in Attrs::new(b, IFADDRMSG) {
            match kind {
                libc::IFA_LOCAL => local = ip(v),
                libc::IFA_ADDRESS => address = ip(v),
                libc::IFA_LABEL => label = Some(text(v)),
                _ => {}
            }
        }
        Some(AddrInfo {
            index: u32_at(b, 4)?,
            address: local.or(address)?,
            prefix: *b.get(1)?,
            scope: *b.get(3)?,
            label,
        })
    }
}

/// A neighbour.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NeighInfo {
    /// Index of the device it is seen on.
    pub index: u32,
    /// Its address.
    pub address: IpAddr,
    /// Its Ethernet address, if known.
    pub mac: Option<Mac>,
    /// `NUD_*` bits.
    pub state: u16,
}

impl NeighInfo {
    /// Whether the kernel would use the address: it has been found, even if that is to be checked again.
    pub fn is_usable(&self) -> bool {
        const VALID: u16 = libc::NUD_PERMANENT
            | libc::NUD_NOARP
            | libc::NUD_REACHABLE
            | libc::NUD_PROBE
            | libc::NUD_STALE
            | libc::NUD_DELAY;
        self.state & VALID != 0
    }

    fn parse(m: &Message) -> Option<NeighInfo> {
        let b = &m.body;
        let (mut address, mut mac) = (None, None);
        for (kind, v) in Attrs::new(b, NDMSG) {
            match kind {
                libc::NDA_DST => address = ip(v),
                libc::NDA_LLADDR => mac = v.try_into().ok().map(Mac),
                _ => {}
            }
        }
        Some(NeighInfo { index: u32_at(b, 4)?, address: address?, mac, state: u16_at(b, 8)? })
    }
}

/// An address by its length.
pub(super) fn ip(v: &[u8]) -> Option<IpAddr> {
    if let Ok(b) = <[u8; 4]>::try_from(v) {
        return Some(IpAddr::from(b));
    }
    <[u8; 16]>::try_from(v).ok().map(IpAddr::from)
}

pub(super) fn octets(a: IpAddr) -> Vec<u8> {
    match a {
        IpAddr::V4(a) => a.octets().to_vec(),
        IpAddr::V6(a) => a.octets().to_vec(),
    }
}

pub(super) fn family(a: IpAddr) -> u8 {
    (if a.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 }) as u8
}

impl Route {
    /// All addresses of all devices.
    pub fn addresses(&mut self) -> io::Result<Vec<AddrInfo>> {
        let all = self.socket.dump(&Builder::new(libc::RTM_GETADDR, 0).fixed(&[0; IFADDRMSG]))?;
        Ok(all.iter().filter_map(AddrInfo::parse).collect())
    }

    fn address(&mut self, kind: u16, flags: i32, index: u32, address: IpAddr, prefix: u8) -> io::Result<()> {
        if prefix > if address.is_ipv4() { 32 } else { 128 } {
            return Err(errno(libc::EINVAL));
        }
        let mut fixed = [family(address), prefix, 0, 0, 0, 0, 0, 0];
        fixed[4..].copy_from_slice(&index.to_ne_bytes());
        if address.is_ipv6() {
            // No duplicate address detection: usable at once.
            fixed[2] = libc::IFA_F_NODAD as u8;
        }
        let mut b = Builder::new(kind, flags).fixed(&fixed);
        b.put(libc::IFA_LOCAL, &octets(address));
        b.put(libc::IFA_ADDRESS, &octets(address));
        if let IpAddr::V4(a) = address
            && (1..31).contains(&prefix)
        {
            let broadcast = u32::from(a) | (u32::MAX >> prefix);
            b.put(libc::IFA_BROADCAST, &broadcast.to_be_bytes());
        }
        self.socket.ack(b)
    }

    /// Gives a device an address.
    pub fn add_address(&mut self, index: u32, address: IpAddr, prefix: u8) -> io::Result<()> {
        let flags = libc::NLM_F_CREATE | libc::NLM_F_EXCL;
        self.address(libc::RTM_NEWADDR, flags, index, address, prefix)
    }

    /// Takes an address from a device.
    pub fn del_address(&mut self, index: u32, address: IpAddr, prefix: u8) -> io::Result<()> {
        self.address(libc::RTM_DELADDR, 0, index, address, prefix)
    }

    /// All neighbours.
    pub fn neighbours(&mut self) -> io::Result<Vec<NeighInfo>> {
        let all = self.socket.dump(&Builder::new(libc::RTM_GETNEIGH, 0).fixed(&[0; NDMSG]))?;
        Ok(all.iter().filter_map(NeighInfo::parse).collect())
    }

    /// The entry for one address on one device, if there is one.
    pub fn neighbour(&mut self, index: u32, address: IpAddr) -> io::Result<Option<NeighInfo>> {
        let mut fixed = [0; NDMSG];
        fixed[0] = family(address);
        fixed[4..8].copy_from_slice(&index.to_ne_bytes());
        let mut b = Builder::new(libc::RTM_GETNEIGH, 0).fixed(&fixed);
        b.put(libc::NDA_DST, &octets(address));
        match self.socket.get(b) {
            Ok(m) => Ok(NeighInfo::parse(&m)),
            Err(e) if e.raw_os_error() == Some(libc::ENOENT) => Ok(None),
            // Kernels before 5.0 only list all.
            Err(e) if matches!(e.raw_os_error(), Some(libc::EOPNOTSUPP | libc::EINVAL)) => {
                Ok(self.neighbours()?.into_iter().find(|n| n.index == index && n.address == address))
            }
            Err(e) => Err(e),
        }
    }

    /// Makes a neighbour known for good.
    pub fn add_neighbour(&mut self, index: u32, address: IpAddr, mac: Mac) -> io::Result<()> {
        let mut fixed = [0; NDMSG];
        fixed[0] = family(address);
        fixed[4..8].copy_from_slice(&index.to_ne_bytes());
        fixed[8..10].copy_from_slice(&libc::NUD_PERMANENT.to_ne_bytes());
        let mut b = Builder::new(libc::RTM_NEWNEIGH, libc::NLM_F_CREATE | libc::NLM_F_REPLACE).fixed(&fixed);
        b.put(libc::NDA_DST, &octets(address));
        b.put(libc::NDA_LLADDR, &mac.0);
        self.socket.ack(b)
    }
}
