//! Links, addresses, routes and neighbours of the kernel, over rtnetlink.
//!
//! A [`Route`] speaks to the network namespace of the thread that made it.

mod addr;
mod link;
mod monitor;
mod route;

pub use addr::{AddrInfo, NeighInfo};
pub use link::{LinkInfo, LinkStats};
pub use monitor::{Event, Monitor};
pub use route::{NextHop, RouteInfo};

use crate::netlink::Socket;
use std::io;

/// A connection to the kernel's routing tables.
#[derive(Debug)]
pub struct Route {
    socket: Socket,
}

impl Route {
    /// Connects to the present network namespace.
    pub fn new() -> io::Result<Route> {
        Ok(Route { socket: Socket::new(libc::NETLINK_ROUTE, 0)? })
    }
}
