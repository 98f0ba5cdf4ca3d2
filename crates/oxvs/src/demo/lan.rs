//! The hosts: namespaces, cables, addresses, pings.

use base::{Clock, Mac};
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::AsFd;
use std::time::Duration;
use sys::icmp::ping;
use sys::netns::NetNs;
use sys::rtnl::Route;

/// A host.
pub struct Host {
    pub ns: NetNs,
    pub ip: Ipv4Addr,
}

/// Length of the network's prefix.
pub const PREFIX: u8 = 24;

impl Host {
    /// Makes one, with a cable whose other end in the present namespace is called `port`.
    pub fn new(port: &str, ip: Ipv4Addr, gateway: Option<Ipv4Addr>) -> io::Result<Host> {
        let ns = NetNs::new()?;
        let mut here = Route::new()?;
        here.add_veth(port, "eth0", Some(ns.as_fd()))?;
        quiet(port);
        let index = here.link(port)?.index;
        here.set_up(index, true)?;
        ns.run(|| -> io::Result<()> {
            let mut r = Route::new()?;
            quiet("eth0");
            r.set_up(1, true)?;
            let index = r.link("eth0")?.index;
            r.set_mac(index, mac(ip))?;
            r.set_up(index, true)?;
            r.add_address(index, IpAddr::V4(ip), PREFIX)?;
            match gateway {
                Some(g) => r.add_route((IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0), Some(g.into()), None),
                None => Ok(()),
            }
        })??;
        Ok(Host { ns, ip })
    }

    /// The round trip to `to` and back.
    pub fn ping(&self, clock: &Clock, to: Ipv4Addr, sequence: u16) -> io::Result<Duration> {
        self.ns.run(|| {
            let start = clock.now();
            ping(to, std::process::id() as u16, sequence, Duration::from_secs(1))?;
            Ok(clock.now() - start)
        })?
    }
}

/// The Ethernet address of the demonstration's host with this address.
pub fn mac(ip: Ipv4Addr) -> Mac {
    Mac([2, 0, 0, 0, 0, ip.octets()[3]])
}

/// Turns the loopback device of the present namespace on.
pub fn loopback() -> io::Result<()> {
    Route::new()?.set_up(1, true)
}

/// Gives a device of the present namespace an address; its Ethernet address.
pub fn configure(device: &str, ip: Ipv4Addr) -> io::Result<Mac> {
    let mut r = Route::new()?;
    quiet(device);
    let link = r.link(device)?;
    r.set_up(link.index, true)?;
    r.add_address(link.index, IpAddr::V4(ip), PREFIX)?;
    link.mac.ok_or_else(|| io::Error::other(format!("{device} has no Ethernet address")))
}

/// No IPv6 on a device, which would only chatter here. Where that cannot be set, it chatters.
fn quiet(device: &str) {
    let _ = std::fs::write(format!("/proc/sys/net/ipv6/conf/{device}/disable_ipv6"), "1");
}
