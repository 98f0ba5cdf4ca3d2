//! Hosts around a switch: each a network namespace with one cable into the switch's namespace.

use base::Mac;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::AsFd;
use std::process::{Command, Output, Stdio};
use std::time::Duration;
use sys::ethtool::Ethtool;
use sys::netns::NetNs;
use sys::packet::{RxRing, TxRing};
use sys::rtnl::Route;
use sys::vnet::VnetHdr;

/// The name of a host's own end of its cable.
const DEVICE: &str = "eth0";

/// A host. All of it goes when this value goes.
#[derive(Debug)]
pub struct Host {
    /// Its namespace.
    pub ns: NetNs,
    /// Name of the cable's other end, in the switch's namespace.
    pub port: String,
    /// Its Ethernet address.
    pub mac: Mac,
    /// Its address, if it has one.
    pub ip: Option<Ipv4Addr>,
}

/// What a new host is like.
#[derive(Clone, Debug)]
pub struct Spec<'a> {
    /// Name of the switch's end of the cable.
    pub port: &'a str,
    /// Ethernet address.
    pub mac: Mac,
    /// `ADDRESS/PREFIX`; none for a host that only sends raw frames.
    pub address: Option<&'a str>,
    /// Default route.
    pub gateway: Option<&'a str>,
}

impl Host {
    /// Makes a host and its cable into `switch`.
    pub fn new(switch: &NetNs, spec: &Spec<'_>) -> io::Result<Host> {
        let ns = NetNs::new()?;
        switch.run(|| -> io::Result<()> {
            let mut r = Route::new()?;
            r.add_veth(spec.port, DEVICE, Some(ns.as_fd()))?;
            let index = r.link(spec.port)?.index;
            quiet(spec.port);
            r.set_up(index, true)
        })??;
        let ip = ns.run(|| inside(spec))??;
        Ok(Host { ns, port: spec.port.to_string(), mac: spec.mac, ip })
    }

    /// Runs a command inside; it dies with the test.
    pub fn command(&self, program: &str, args: &[&str]) -> io::Result<Output> {
        let mut c = Command::new(program);
        c.args(args).stdin(Stdio::null());
        self.ns.adopt(&mut c)?;
        sys::process::kill_with_parent(&mut c);
        c.output()
    }

    /// Whether `to` answers a ping (tries for `patience`).
    pub fn pings_within(&self, to: Ipv4Addr, patience: Duration) -> bool {
        let once = Duration::from_millis(300).min(patience);
        let ident = (std::process::id() & 0xffff) as u16;
        let mut sequence = 0;
        crate::until(patience, || {
            sequence += 1;
            let r = self.ns.run(|| sys::icmp::ping(to, ident, sequence, once)).ok()?;
            r.ok()
        })
        .is_some()
    }

    /// Whether `to` answers a ping.
    pub fn pings(&self, to: &Host) -> bool {
        let ip = to.ip.unwrap_or(Ipv4Addr::UNSPECIFIED);
        self.pings_within(ip, Duration::from_secs(5))
    }

    /// Whether `to` stays silent.
    pub fn does_not_ping(&self, to: &Host) -> bool {
        let ip = to.ip.unwrap_or(Ipv4Addr::UNSPECIFIED);
        !self.pings_within(ip, Duration::from_millis(700))
    }

    /// The Ethernet address that the host knows for `ip`.
    pub fn neighbour(&self, ip: Ipv4Addr) -> Option<Mac> {
        let all = self.ns.run(|| Route::new()?.neighbours()).ok()?.ok()?;
        all.iter().find(|n| n.address == IpAddr::V4(ip)).and_then(|n| n.mac)
    }

    /// Its end of the cable, for raw frames.
    pub fn raw(&self) -> io::Result<RawPort> {
        self.ns.run(|| {
            let index = Route::new()?.link(DEVICE)?.index;
            Ok(RawPort { rx: RxRing::open(index, 1500, 256)?, tx: TxRing::open(index, 64, false)? })
        })?
    }
}

/// Sets up the inside of a host.
fn inside(spec: &Spec<'_>) -> io::Result<Option<Ipv4Addr>> {
    let mut r = Route::new()?;
    quiet(DEVICE);
    let lo = r.link("lo")?.index;
    r.set_up(lo, true)?;
    let index = r.link(DEVICE)?.index;
    r.set_mac(index, spec.mac)?;
    if crate::reference() {
        Ethtool::new()?.set_tx_checksums(DEVICE, false)?;
    }
    r.set_up(index, true)?;
    let mut own = None;
    if let Some(address) = spec.address {
        let (ip, prefix) = parse(address)?;
        r.add_address(index, IpAddr::V4(ip), prefix)?;
        own = Some(ip);
    }
    if let Some(gateway) = spec.gateway {
        let gateway = gateway.parse().map_err(io::Error::other)?;
        r.add_route((IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0), Some(gateway), None)?;
    }
    Ok(own)
}

/// No IPv6 on a device of the present namespace: it would talk before the test does.
fn quiet(device: &str) {
    // /proc/sys/net is the namespace of the thread that opens it.
    let _ = std::fs::write(format!("/proc/sys/net/ipv6/conf/{device}/disable_ipv6"), "1");
}

/// Gives a device of a namespace an address and turns it on.
pub fn configure(ns: &NetNs, device: &str, address: &str) -> io::Result<()> {
    let (ip, prefix) = parse(address)?;
    ns.run(|| {
        let mut r = Route::new()?;
        quiet(device);
        let index = r.link(device)?.index;
        r.set_up(index, true)?;
        r.add_address(index, IpAddr::V4(ip), prefix)
    })?
}

/// The Ethernet address of a device of a namespace.
pub fn mac_of(ns: &NetNs, device: &str) -> io::Result<Mac> {
    let link = ns.run(|| Route::new()?.link(device))??;
    link.mac.ok_or_else(|| io::Error::other("no Ethernet address"))
}

fn parse(address: &str) -> io::Result<(Ipv4Addr, u8)> {
    let (ip, prefix) = address.split_once('/').ok_or_else(|| io::Error::other("no prefix"))?;
    Ok((ip.parse().map_err(io::Error::other)?, prefix.parse().map_err(io::Error::other)?))
}

/// A cable's end that sends and receives frames as they are.
#[derive(Debug)]
pub struct RawPort {
    rx: RxRing,
    tx: TxRing,
}

impl RawPort {
    /// Sends a frame.
    pub fn send(&mut self, frame: &[u8]) {
        self.send_with(frame, &VnetHdr::default());
    }

    /// Sends a frame with what is left to the device.
    pub fn send_with(&mut self, frame: &[u8], vnet: &VnetHdr) {
        self.tx.send(frame, vnet);
        self.tx.flush();
    }

    /// The next frame that `want` takes, its VLAN tag put back; `None` when none comes within `patience`.
    pub fn receive(&mut self, patience: Duration, mut want: impl FnMut(&[u8]) -> bool) -> Option<Vec<u8>> {
        crate::until(patience, || {
            while let Some(frame) = self.rx.next(|f| {
                let (vlan, mut v) = (f.vlan, Vec::new());
                f.read(&mut v)?;
                if let Some((tpid, tci)) = vlan {
                    let tag = [tpid.to_be_bytes(), tci.to_be_bytes()].concat();
                    v.splice(12..12, tag);
                }
                Some(v)
            }) {
                if want(&frame) {
                    return Some(frame);
                }
            }
            None
        })
    }
}
