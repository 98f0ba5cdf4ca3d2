//! Being told of changes.

use super::{AddrInfo, LinkInfo, RouteInfo};
use crate::netlink::{Message, Socket};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

/// A change in the kernel.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// A device appeared or changed.
    Link(LinkInfo),
    /// A device is gone.
    LinkGone(LinkInfo),
    /// An address was added.
    Addr(AddrInfo),
    /// An address was removed.
    AddrGone(AddrInfo),
    /// A route was added.
    Route(RouteInfo),
    /// A route was removed.
    RouteGone(RouteInfo),
    /// Rules of policy routing changed.
    Rules,
    /// Changes were lost: look at everything again.
    Lost,
}

impl Event {
    fn parse(m: &Message) -> Option<Event> {
        Some(match m.kind {
            libc::RTM_NEWLINK => Event::Link(LinkInfo::parse(m)?),
            libc::RTM_DELLINK => Event::LinkGone(LinkInfo::parse(m)?),
            libc::RTM_NEWADDR => Event::Addr(AddrInfo::parse(m)?),
            libc::RTM_DELADDR => Event::AddrGone(AddrInfo::parse(m)?),
            libc::RTM_NEWROUTE => Event::Route(RouteInfo::parse(m)?),
            libc::RTM_DELROUTE => Event::RouteGone(RouteInfo::parse(m)?),
            libc::RTM_NEWRULE | libc::RTM_DELRULE => Event::Rules,
            _ => return None,
        })
    }
}

/// A subscription to changes in the network namespace of the thread that made it; polls readable.
#[derive(Debug)]
pub struct Monitor(Socket);

const LINK: u32 = 1;
const IPV4_IFADDR: u32 = 0x10;
const IPV4_ROUTE: u32 = 0x40;
const IPV4_RULE: u32 = 0x80;
const IPV6_IFADDR: u32 = 0x100;
const IPV6_ROUTE: u32 = 0x400;
/// Group 19, `RTNLGRP_IPV6_RULE`.
const IPV6_RULE: u32 = 1 << 18;

impl Monitor {
    /// Links only.
    pub fn links() -> io::Result<Monitor> {
        Socket::new(libc::NETLINK_ROUTE, LINK).map(Monitor)
    }

    /// Links, addresses, routes and rules.
    pub fn all() -> io::Result<Monitor> {
        let groups = LINK | IPV4_IFADDR | IPV4_ROUTE | IPV4_RULE | IPV6_IFADDR | IPV6_ROUTE | IPV6_RULE;
        Socket::new(libc::NETLINK_ROUTE, groups).map(Monitor)
    }

    /// Appends the changes that have come in; never blocks.
    pub fn poll(&mut self, out: &mut Vec<Event>) -> io::Result<()> {
        loop {
            match self.0.receive() {
                Ok(None) => return Ok(()),
                Ok(Some(list)) => out.extend(list.iter().filter_map(Event::parse)),
                Err(e) if e.raw_os_error() == Some(libc::ENOBUFS) => out.push(Event::Lost),
                Err(e) => return Err(e),
            }
        }
    }
}

impl AsFd for Monitor {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
