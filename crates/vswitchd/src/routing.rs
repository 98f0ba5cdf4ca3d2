//! The kernel's routes and neighbours, for in-band control.

use base::{Logger, Mac};
use bridge::switch::in_band::Routing;
use ofproto::in_band::Hop;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use sys::rtnl::Route;

/// What is said of an address that no route leads to.
const NO_ROUTE: i32 = libc::ENXIO;

/// The kernel, asked over netlink; the socket is made with the first question.
pub struct SystemRouting {
    route: Option<Route>,
    log: Logger,
}

impl SystemRouting {
    /// Nothing asked yet.
    pub fn new(log: Logger) -> SystemRouting {
        SystemRouting { route: None, log }
    }

    fn ask<T>(&mut self, f: impl FnOnce(&mut Route) -> io::Result<T>) -> Result<T, String> {
        let route = match &mut self.route {
            Some(r) => r,
            empty => empty.insert(Route::new().map_err(|e| reactor::errno::text(&e))?),
        };
        f(route).map_err(|e| reactor::errno::text(&e))
    }
}

fn no_route() -> io::Error {
    io::Error::from_raw_os_error(NO_ROUTE)
}

impl Routing for SystemRouting {
    fn next_hop(&mut self, to: IpAddr) -> Result<Hop, String> {
        self.ask(|r| {
            let way = r.route_to(to).map_err(|_| no_route())?;
            // What is this host itself, or is refused, is on no way to anywhere.
            if way.kind != libc::RTN_UNICAST {
                return Err(no_route());
            }
            let hop = way.hops.first().ok_or_else(no_route)?;
            let device = r.link_by_index(hop.index.ok_or_else(no_route)?)?.name;
            Ok(Hop { device, gateway: hop.gateway })
        })
    }

    fn neighbour(&mut self, device: &str, address: IpAddr) -> Result<Option<Mac>, String> {
        self.ask(|r| {
            let index = r.link(device)?.index;
            let found = r.neighbour(index, address)?;
            Ok(found.filter(sys::rtnl::NeighInfo::is_usable).and_then(|n| n.mac))
        })
    }

    fn set_address(&mut self, device: &str, address: Ipv4Addr, mask: Ipv4Addr) -> Result<(), String> {
        let prefix = u32::from(mask).leading_ones() as u8;
        self.ask(|r| {
            let index = r.link(device)?.index;
            r.set_up(index, true)?;
            let mut there = false;
            for a in r.addresses()?.into_iter().filter(|a| a.index == index && a.address.is_ipv4()) {
                if (a.address, a.prefix) == (IpAddr::V4(address), prefix) {
                    there = true;
                } else {
                    r.del_address(index, a.address, a.prefix)?;
                }
            }
            if there { Ok(()) } else { r.add_address(index, address.into(), prefix) }
        })
    }

    fn set_gateway(&mut self, device: &str, gateway: Ipv4Addr) -> Result<(), String> {
        let log = self.log.clone();
        self.ask(|r| {
            let index = r.link(device)?.index;
            let default = (IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
            match r.add_route(default, Some(gateway.into()), Some(index)) {
                Err(e) if e.raw_os_error() == Some(libc::EEXIST) => {
                    base::debug!(log, "netdev_linux", "{device}: there is a default route already");
                    Ok(())
                }
                other => other,
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_host_is_on_no_way() {
        let mut r = SystemRouting::new(Logger::none());
        assert_eq!(r.next_hop("127.0.0.1".parse().unwrap()), Err("No such device or address".into()));
        assert!(r.neighbour("no-such-device", "10.0.0.1".parse().unwrap()).is_err());
    }
}
