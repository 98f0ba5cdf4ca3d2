//! Network devices: looking, changing, making, removing.

use super::Route;
use crate::netlink::{Attrs, Builder, Message, text, u16_at, u32_at, u64_at};
use crate::util::errno;
use base::Mac;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// `struct ifinfomsg`: family, pad, type (2), index (4), flags (4), change (4).
pub(super) const IFINFOMSG: usize = 16;

const IFLA_STATS64: u16 = 23;
const IFLA_CARRIER_CHANGES: u16 = 35;
const IFLA_INFO_KIND: u16 = 1;
const IFLA_INFO_DATA: u16 = 2;
const VETH_INFO_PEER: u16 = 1;
const IF_OPER_UP: u8 = 6;
const IF_OPER_UNKNOWN: u8 = 0;

/// A device's counters, from its own point of view (`struct rtnl_link_stats64`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[allow(missing_docs, reason = "each is the counter of that name in rtnetlink's rtnl_link_stats64")]
pub struct LinkStats {
    pub rx_packets: u64,
    pub tx_packets: u64,
    pub rx_bytes: u64,
    pub tx_bytes: u64,
    pub rx_errors: u64,
    pub tx_errors: u64,
    pub rx_dropped: u64,
    pub tx_dropped: u64,
    pub multicast: u64,
    pub collisions: u64,
    pub rx_length_errors: u64,
    pub rx_over_errors: u64,
    pub rx_crc_errors: u64,
    pub rx_frame_errors: u64,
    pub rx_fifo_errors: u64,
    pub rx_missed_errors: u64,
    pub tx_aborted_errors: u64,
    pub tx_carrier_errors: u64,
}

impl LinkStats {
    fn parse(v: &[u8]) -> Option<LinkStats> {
        let n = |i: usize| u64_at(v, i * 8);
        Some(LinkStats {
            rx_packets: n(0)?,
            tx_packets: n(1)?,
            rx_bytes: n(2)?,
            tx_bytes: n(3)?,
            rx_errors: n(4)?,
            tx_errors: n(5)?,
            rx_dropped: n(6)?,
            tx_dropped: n(7)?,
            multicast: n(8)?,
            collisions: n(9)?,
            rx_length_errors: n(10)?,
            rx_over_errors: n(11)?,
            rx_crc_errors: n(12)?,
            rx_frame_errors: n(13)?,
            rx_fifo_errors: n(14)?,
            rx_missed_errors: n(15)?,
            tx_aborted_errors: n(16)?,
            tx_carrier_errors: n(17)?,
        })
    }
}

/// What the kernel tells about a device.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct LinkInfo {
    /// Interface index.
    pub index: u32,
    /// Name.
    pub name: String,
    /// Hardware type (`ARPHRD_*`; 1 is Ethernet).
    pub hardware: u16,
    /// `IFF_*` bits.
    pub flags: u32,
    /// Ethernet address, if it has one.
    pub mac: Option<Mac>,
    /// Maximum payload of a frame.
    pub mtu: u32,
    /// Index of the device it is a part of (bridge, bond).
    pub master: Option<u32>,
    /// Index of the device below or beyond it (VLAN parent, veth peer); may be in another namespace.
    pub link: Option<u32>,
    /// Driver kind (`veth`, `tun`, `vlan`), if it is a software device.
    pub kind: Option<String>,
    /// Queueing discipline.
    pub qdisc: String,
    /// RFC 2863 operational state (`IF_OPER_*`).
    pub operstate: u8,
    /// Times that the carrier changed.
    pub carrier_changes: u32,
    /// Whether a carrier is there, where the kernel tells.
    pub carrier: bool,
    /// Counters.
    pub stats: LinkStats,
}

impl LinkInfo {
    pub(super) fn parse(m: &Message) -> Option<LinkInfo> {
        let b = &m.body;
        let mut l = LinkInfo {
            hardware: u16_at(b, 2)?,
            index: u32_at(b, 4)?,
            flags: u32_at(b, 8)?,
            ..LinkInfo::default()
        };
        let mut carrier = None;
        for (kind, v) in Attrs::new(b, IFINFOMSG) {
            match kind {
                libc::IFLA_IFNAME => l.name = text(v),
                libc::IFLA_ADDRESS => l.mac = v.try_into().ok().map(Mac),
                libc::IFLA_MTU => l.mtu = u32_at(v, 0)?,
                libc::IFLA_MASTER => l.master = u32_at(v, 0),
                libc::IFLA_LINK => l.link = u32_at(v, 0),
                libc::IFLA_QDISC => l.qdisc = text(v),
                libc::IFLA_OPERSTATE => l.operstate = *v.first()?,
                libc::IFLA_CARRIER => carrier = v.first().map(|&c| c != 0),
                IFLA_CARRIER_CHANGES => l.carrier_changes = u32_at(v, 0)?,
                IFLA_STATS64 => l.stats = LinkStats::parse(v).unwrap_or_default(),
                libc::IFLA_LINKINFO => {
                    l.kind = Attrs::new(v, 0).find(|a| a.0 == IFLA_INFO_KIND).map(|a| text(a.1));
                }
                _ => {}
            }
        }
        let by_state = matches!(l.operstate, IF_OPER_UP | IF_OPER_UNKNOWN);
        l.carrier = carrier.unwrap_or(by_state) && l.is_up();
        Some(l)
    }

    /// The host's way to itself.
    pub fn is_loopback(&self) -> bool {
        self.flags & libc::IFF_LOOPBACK as u32 != 0
    }

    /// Whether it is administratively up.
    pub fn is_up(&self) -> bool {
        self.flags & libc::IFF_UP as u32 != 0
    }
}

fn ifinfo(index: u32, flags: u32, change: u32) -> [u8; IFINFOMSG] {
    let mut b = [0; IFINFOMSG];
    b[4..8].copy_from_slice(&index.to_ne_bytes());
    b[8..12].copy_from_slice(&flags.to_ne_bytes());
    b[12..16].copy_from_slice(&change.to_ne_bytes());
    b
}

/// A device name fits in 15 bytes and is not a path.
fn check_name(name: &str) -> io::Result<()> {
    let ok = !name.is_empty() && name.len() < libc::IFNAMSIZ && !name.contains(['/', '\0']);
    if ok { Ok(()) } else { Err(errno(libc::EINVAL)) }
}

impl Route {
    /// All devices.
    pub fn links(&mut self) -> io::Result<Vec<LinkInfo>> {
        let all = self.socket.dump(&Builder::new(libc::RTM_GETLINK, 0).fixed(&ifinfo(0, 0, 0)))?;
        Ok(all.iter().filter_map(LinkInfo::parse).collect())
    }

    /// A device by name (`ENODEV` if there is none).
    pub fn link(&mut self, name: &str) -> io::Result<LinkInfo> {
        // A name that is too long is nobody's.
        check_name(name).map_err(|_| errno(libc::ENODEV))?;
        let mut b = Builder::new(libc::RTM_GETLINK, 0).fixed(&ifinfo(0, 0, 0));
        b.put_str(libc::IFLA_IFNAME, name);
        LinkInfo::parse(&self.socket.get(b)?).ok_or_else(|| errno(libc::EPROTO))
    }

    /// A device by index.
    pub fn link_by_index(&mut self, index: u32) -> io::Result<LinkInfo> {
        let b = Builder::new(libc::RTM_GETLINK, 0).fixed(&ifinfo(index, 0, 0));
        LinkInfo::parse(&self.socket.get(b)?).ok_or_else(|| errno(libc::EPROTO))
    }

    fn set(&mut self, index: u32, f: impl FnOnce(&mut Builder)) -> io::Result<()> {
        let mut b = Builder::new(libc::RTM_SETLINK, 0).fixed(&ifinfo(index, 0, 0));
        f(&mut b);
        self.socket.ack(b)
    }

    /// Turns a device on or off.
    pub fn set_up(&mut self, index: u32, up: bool) -> io::Result<()> {
        let bit = libc::IFF_UP as u32;
        let b = Builder::new(libc::RTM_SETLINK, 0).fixed(&ifinfo(index, if up { bit } else { 0 }, bit));
        self.socket.ack(b)
    }

    /// Changes the Ethernet address.
    pub fn set_mac(&mut self, index: u32, mac: Mac) -> io::Result<()> {
        self.set(index, |b| b.put(libc::IFLA_ADDRESS, &mac.0))
    }

    /// Changes the MTU.
    pub fn set_mtu(&mut self, index: u32, mtu: u32) -> io::Result<()> {
        self.set(index, |b| b.put_u32(libc::IFLA_MTU, mtu))
    }

    /// Changes the name (the device must be down on older kernels).
    pub fn rename(&mut self, index: u32, name: &str) -> io::Result<()> {
        check_name(name)?;
        self.set(index, |b| b.put_str(libc::IFLA_IFNAME, name))
    }

    /// Puts a device into another (a bridge, a bond), or takes it out (`None`).
    pub fn set_master(&mut self, index: u32, master: Option<u32>) -> io::Result<()> {
        self.set(index, |b| b.put_u32(libc::IFLA_MASTER, master.unwrap_or(0)))
    }

    /// Moves a device to another network namespace.
    pub fn move_to(&mut self, index: u32, netns: BorrowedFd<'_>) -> io::Result<()> {
        self.set(index, |b| b.put_u32(libc::IFLA_NET_NS_FD, netns.as_raw_fd() as u32))
    }

    /// Makes a veth pair; the peer may start in another namespace.
    pub fn add_veth(&mut self, name: &str, peer: &str, peer_ns: Option<BorrowedFd<'_>>) -> io::Result<()> {
        check_name(peer)?;
        self.add_link(name, "veth", |b| {
            let data = b.begin(IFLA_INFO_DATA);
            let p = b.begin(VETH_INFO_PEER);
            *b = std::mem::replace(b, Builder::new(0, 0)).fixed(&ifinfo(0, 0, 0));
            b.put_str(libc::IFLA_IFNAME, peer);
            if let Some(ns) = peer_ns {
                b.put_u32(libc::IFLA_NET_NS_FD, ns.as_raw_fd() as u32);
            }
            b.end(p);
            b.end(data);
        })
    }

    /// Makes a VLAN device on top of another.
    pub fn add_vlan(&mut self, name: &str, parent: u32, vlan: u16) -> io::Result<()> {
        const IFLA_VLAN_ID: u16 = 1;
        check_name(name)?;
        let flags = libc::NLM_F_CREATE | libc::NLM_F_EXCL;
        let mut b = Builder::new(libc::RTM_NEWLINK, flags).fixed(&ifinfo(0, 0, 0));
        b.put_str(libc::IFLA_IFNAME, name);
        b.put_u32(libc::IFLA_LINK, parent);
        let info = b.begin(libc::IFLA_LINKINFO);
        b.put_str(IFLA_INFO_KIND, "vlan");
        let data = b.begin(IFLA_INFO_DATA);
        b.put(IFLA_VLAN_ID, &vlan.to_ne_bytes());
        b.end(data);
        b.end(info);
        self.socket.ack(b)
    }

    /// Makes a software device of a kind (`dummy`, `bridge`, `veth`), whose `IFLA_INFO_DATA` `data` writes.
    pub fn add_link(&mut self, name: &str, kind: &str, data: impl FnOnce(&mut Builder)) -> io::Result<()> {
        check_name(name)?;
        let flags = libc::NLM_F_CREATE | libc::NLM_F_EXCL;
        let mut b = Builder::new(libc::RTM_NEWLINK, flags).fixed(&ifinfo(0, 0, 0));
        b.put_str(libc::IFLA_IFNAME, name);
        let info = b.begin(libc::IFLA_LINKINFO);
        b.put_str(IFLA_INFO_KIND, kind);
        data(&mut b);
        b.end(info);
        self.socket.ack(b)
    }

    /// Removes a device.
    pub fn del_link(&mut self, index: u32) -> io::Result<()> {
        self.socket.ack(Builder::new(libc::RTM_DELLINK, 0).fixed(&ifinfo(index, 0, 0)))
    }
}
