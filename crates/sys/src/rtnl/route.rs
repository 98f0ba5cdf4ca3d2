//! The kernel's routes.

use super::Route;
use super::addr::{family, ip, octets};
use crate::netlink::{Attrs, Builder, Message, u16_at, u32_at};
use std::io;
use std::net::IpAddr;

/// `struct rtmsg`: family, destination length, source length, tos, table, protocol, scope, type (1 each),
/// flags (4).
const RTMSG: usize = 12;
const RTA_VIA: u16 = 18;

/// One way of a route.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct NextHop {
    /// Outgoing device.
    pub index: Option<u32>,
    /// Next router; may be IPv6 for an IPv4 route.
    pub gateway: Option<IpAddr>,
    /// Relative weight.
    pub weight: u16,
}

/// A route.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RouteInfo {
    /// `AF_INET` or `AF_INET6`.
    pub family: u8,
    /// Destination; `None` for the default route.
    pub destination: Option<IpAddr>,
    /// Length of its prefix.
    pub prefix: u8,
    /// Routing table.
    pub table: u32,
    /// Who put it there (`RTPROT_*`).
    pub protocol: u8,
    /// `RTN_UNICAST`, `RTN_LOCAL` ...
    pub kind: u8,
    /// Preferred source address.
    pub source: Option<IpAddr>,
    /// Metric.
    pub priority: Option<u32>,
    /// Where to: one, or several for multipath.
    pub hops: Vec<NextHop>,
}

impl RouteInfo {
    pub(super) fn parse(m: &Message) -> Option<RouteInfo> {
        let b = &m.body;
        let mut r = RouteInfo {
            family: *b.first()?,
            destination: None,
            prefix: *b.get(1)?,
            table: u32::from(*b.get(4)?),
            protocol: *b.get(5)?,
            kind: *b.get(7)?,
            source: None,
            priority: None,
            hops: Vec::new(),
        };
        let mut hop = NextHop { weight: 1, ..NextHop::default() };
        for (kind, v) in Attrs::new(b, RTMSG) {
            match kind {
                libc::RTA_DST => r.destination = ip(v),
                libc::RTA_TABLE => r.table = u32_at(v, 0)?,
                libc::RTA_PREFSRC => r.source = ip(v),
                libc::RTA_PRIORITY => r.priority = u32_at(v, 0),
                libc::RTA_MULTIPATH => r.hops = multipath(v),
                _ => hop.attr(kind, v),
            }
        }
        if r.hops.is_empty() && (hop.index.is_some() || hop.gateway.is_some()) {
            r.hops.push(hop);
        }
        Some(r)
    }
}

impl NextHop {
    fn attr(&mut self, kind: u16, v: &[u8]) {
        match kind {
            libc::RTA_OIF => self.index = u32_at(v, 0),
            libc::RTA_GATEWAY => self.gateway = ip(v),
            // Two bytes of family, then the address.
            RTA_VIA => self.gateway = v.get(2..).and_then(ip),
            _ => {}
        }
    }
}

/// `struct rtnexthop`: length (2), flags, weight less one (1 each), index (4), attributes.
fn multipath(mut v: &[u8]) -> Vec<NextHop> {
    let mut hops = Vec::new();
    while let (Some(len), Some(index)) = (u16_at(v, 0), u32_at(v, 4)) {
        let len = usize::from(len);
        if len < 8 || len > v.len() {
            break;
        }
        let mut h = NextHop { index: Some(index), gateway: None, weight: u16::from(v[3]) + 1 };
        for (kind, a) in Attrs::new(&v[..len], 8) {
            h.attr(kind, a);
        }
        hops.push(h);
        v = &v[len.next_multiple_of(4).min(v.len())..];
    }
    hops
}

impl Route {
    /// All routes of all tables, both families.
    pub fn routes(&mut self) -> io::Result<Vec<RouteInfo>> {
        let mut out = Vec::new();
        for f in [libc::AF_INET, libc::AF_INET6] {
            let mut fixed = [0; RTMSG];
            fixed[0] = f as u8;
            let all = self.socket.dump(&Builder::new(libc::RTM_GETROUTE, 0).fixed(&fixed))?;
            out.extend(all.iter().filter(|m| m.kind == libc::RTM_NEWROUTE).filter_map(RouteInfo::parse));
        }
        Ok(out)
    }

    /// The way that packets to an address take, by all the kernel's rules and tables; `ENETUNREACH` and the like if
    /// they take none.
    pub fn route_to(&mut self, to: IpAddr) -> io::Result<RouteInfo> {
        let mut fixed = [0; RTMSG];
        fixed[0] = family(to);
        fixed[1] = if to.is_ipv4() { 32 } else { 128 };
        let mut b = Builder::new(libc::RTM_GETROUTE, 0).fixed(&fixed);
        b.put(libc::RTA_DST, &octets(to));
        let m = self.socket.get(b)?;
        RouteInfo::parse(&m).ok_or_else(|| crate::util::errno(libc::EPROTO))
    }

    /// Adds a route in the main table: to a network (0.0.0.0/0 or ::/0 for the default), through a router or
    /// straight out of a device.
    pub fn add_route(
        &mut self,
        to: (IpAddr, u8),
        gateway: Option<IpAddr>,
        index: Option<u32>,
    ) -> io::Result<()> {
        let mut fixed = [0; RTMSG];
        fixed[0] = family(to.0);
        fixed[1] = to.1;
        fixed[4] = libc::RT_TABLE_MAIN;
        fixed[5] = libc::RTPROT_BOOT;
        fixed[6] = if gateway.is_some() { libc::RT_SCOPE_UNIVERSE } else { libc::RT_SCOPE_LINK };
        if to.0.is_ipv6() {
            fixed[6] = libc::RT_SCOPE_UNIVERSE;
        }
        fixed[7] = libc::RTN_UNICAST;
        let mut b = Builder::new(libc::RTM_NEWROUTE, libc::NLM_F_CREATE | libc::NLM_F_EXCL).fixed(&fixed);
        if to.1 > 0 {
            b.put(libc::RTA_DST, &octets(to.0));
        }
        if let Some(g) = gateway {
            b.put(libc::RTA_GATEWAY, &octets(g));
        }
        if let Some(i) = index {
            b.put_u32(libc::RTA_OIF, i);
        }
        self.socket.ack(b)
    }
}
