//! In-band control of bridges: which remotes count, and what the machine ([`ofproto::in_band`]) is told of the system.

use super::Switch;
use super::connections::is_passive;
use crate::config::LocalAddress;
use base::{Level, Mac, Time, error, info, warn};
use ofproto::in_band::{Hop, InBand, Network, Note};
use reactor::Reactor;
use reactor::target::{self, Active, Service};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// The system's routing, neighbours and addresses.
pub trait Routing {
    /// Where packets to an address leave.
    fn next_hop(&mut self, to: IpAddr) -> Result<Hop, String>;
    /// Ethernet address of a neighbour, if it is known.
    fn neighbour(&mut self, device: &str, address: IpAddr) -> Result<Option<Mac>, String>;
    /// Makes a device's IPv4 address this one, and the device up.
    fn set_address(&mut self, device: &str, address: Ipv4Addr, mask: Ipv4Addr) -> Result<(), String>;
    /// Makes a router the default.
    fn set_gateway(&mut self, device: &str, gateway: Ipv4Addr) -> Result<(), String>;
}

/// A system without any of that, for tests.
#[derive(Debug, Default)]
pub struct NoRouting;

const UNSUPPORTED: &str = "Operation not supported";

impl Routing for NoRouting {
    fn next_hop(&mut self, _: IpAddr) -> Result<Hop, String> {
        Err(UNSUPPORTED.into())
    }
    fn neighbour(&mut self, _: &str, _: IpAddr) -> Result<Option<Mac>, String> {
        Err(UNSUPPORTED.into())
    }
    fn set_address(&mut self, _: &str, _: Ipv4Addr, _: Ipv4Addr) -> Result<(), String> {
        Err(UNSUPPORTED.into())
    }
    fn set_gateway(&mut self, _: &str, _: Ipv4Addr) -> Result<(), String> {
        Err(UNSUPPORTED.into())
    }
}

/// A bridge's in-band control.
#[derive(Debug)]
pub struct Control {
    /// The machine.
    pub machine: InBand,
    /// Remotes given by name, with the address that each was last found to have.
    pub names: BTreeMap<String, Option<SocketAddr>>,
    /// Remotes given by address.
    fixed: BTreeSet<SocketAddr>,
}

/// What the machine sees: the local port is the bridge's, the rest the system's.
struct Around<'a> {
    mac: Option<Mac>,
    /// The local port is a device of the system's, so the system's routes concern it.
    real: bool,
    routing: &'a mut dyn Routing,
}

impl Network for Around<'_> {
    fn local_mac(&self) -> Option<Mac> {
        self.mac
    }
    fn next_hop(&mut self, to: IpAddr) -> Result<Hop, String> {
        if self.real { self.routing.next_hop(to) } else { Err(UNSUPPORTED.into()) }
    }
    fn neighbour(&mut self, device: &str, address: IpAddr) -> Result<Option<Mac>, String> {
        if self.real { self.routing.neighbour(device, address) } else { Err(UNSUPPORTED.into()) }
    }
}

/// Where a target leads, if that is a host.
enum Place {
    Address(SocketAddr),
    Name,
}

fn place(target: &str, service: Service) -> Option<Place> {
    // The TLS form names the same place.
    let target = match target.strip_prefix("ssl:") {
        Some(rest) => format!("tcp:{rest}"),
        None => target.to_string(),
    };
    if !target.starts_with("tcp:") {
        return None;
    }
    let nowhere = std::path::Path::new("");
    match target::active(&target, service, nowhere, &base::Logger::none()).ok()? {
        Active::Tcp(address) => Some(Place::Address(address)),
        Active::TcpName(..) => Some(Place::Name),
        Active::Unix(_) => None,
    }
}

impl Switch {
    /// Makes a bridge's in-band control what is configured.
    pub(super) fn configure_in_band(&mut self, bridge: &str) {
        let now = self.now();
        let Some(b) = self.bridges.get_mut(bridge) else { return };
        let other = &b.config.other_config;
        let mut fixed = BTreeSet::new();
        let mut names = BTreeMap::new();
        if other.get("disable-in-band").is_none_or(|v| v != "true") {
            let controllers = b.config.controllers.values().filter(|c| !c.service && !c.out_of_band);
            for target in controllers.map(|c| &c.target).filter(|t| !is_passive(t)) {
                match place(target, Service::OpenFlow) {
                    Some(Place::Address(a)) => {
                        fixed.insert(a);
                    }
                    Some(Place::Name) => {
                        names.insert(target.clone(), None);
                    }
                    None => {}
                }
            }
            let managers = self.config.managers.iter().filter_map(|t| place(t, Service::Ovsdb));
            fixed.extend(managers.filter_map(|p| match p {
                Place::Address(a) if !a.ip().is_loopback() => Some(a),
                _ => None,
            }));
        }
        let queue = other.get("in-band-queue").and_then(|q| q.parse::<u32>().ok());
        if fixed.is_empty() && names.is_empty() {
            if b.in_band.take().is_some() {
                b.ofproto.set_in_band(Vec::new(), Vec::new(), now);
                b.stale.config = true;
                self.dirty = true;
            }
            return;
        }
        if !b.interfaces.contains_key(bridge) {
            error!(
                self.env.log,
                "in_band",
                "failed to initialize in-band control: cannot open datapath local port {bridge} (No such device)"
            );
        }
        b.stale.config |= b.in_band.is_none();
        let control = b.in_band.get_or_insert_with(|| Control {
            machine: InBand::new(bridge),
            names: BTreeMap::new(),
            fixed: BTreeSet::new(),
        });
        control.machine.set_queue(queue);
        control.fixed = fixed;
        for (name, address) in &mut names {
            *address = control.names.get(name).copied().flatten();
        }
        control.names = names;
        self.run_in_band(bridge, true);
    }

    /// Looks again at what is due, and brings the flows in line. `anew`: even if nothing is due.
    pub(super) fn run_in_band(&mut self, bridge: &str, anew: bool) {
        let now = self.now();
        let Some(b) = self.bridges.get_mut(bridge) else { return };
        let Some(control) = &mut b.in_band else { return };
        if !anew && control.machine.next_deadline() > now {
            return;
        }
        for (target, address) in &mut control.names {
            let found = b.connections.controllers.get(target).and_then(|(_, c)| c.rconn.peer());
            *address = found.or(*address);
        }
        let named = control.names.values().flatten().copied();
        control.machine.set_remotes(&control.fixed.iter().copied().chain(named).collect());
        let backer = self.backers.get(&b.kind);
        let local = b.interfaces.get(bridge).and_then(|i| super::host::device(i, backer));
        let mut around = Around {
            mac: local.and_then(|d| d.mac().ok()),
            real: local.is_some_and(|d| d.ifindex().is_some_and(|n| n > 0)),
            routing: &mut *self.env.routing,
        };
        let notes = control.machine.run(now, &mut around);
        let (rules, actions) = (control.machine.rules(), control.machine.actions());
        if anew || b.ofproto.in_band_differs(&rules, &actions) {
            b.ofproto.set_in_band(rules, actions, now);
            self.dirty = true;
        }
        for note in notes {
            let (level, text) = match note {
                Note::Warning(text) => (Level::Warn, text),
                Note::Debug(text) => (Level::Dbg, text),
            };
            self.env.log.write_limited(&self.in_band_limit, "in_band", level, format_args!("{text}"));
        }
    }

    /// Sets up the local port as the controllers ask (`local_ip` and its company).
    pub(super) fn configure_local_address(&mut self, _r: &mut Reactor, bridge: &str) {
        let Some(b) = self.bridges.get(bridge) else { return };
        let wanted: Vec<LocalAddress> = b.config.controllers.values().map(|c| c.local.clone()).collect();
        let backer = self.backers.get(&b.kind);
        let device = b.interfaces.get(bridge).and_then(|i| super::host::device(i, backer));
        let real = device.is_some_and(|d| d.ifindex().is_some_and(|n| n > 0));
        for local in wanted {
            let Some(ip) = local.ip.as_ref().and_then(|t| t.parse::<Ipv4Addr>().ok()) else { continue };
            let mask = local.netmask.as_ref().and_then(|t| t.parse().ok()).unwrap_or(classful_mask(ip));
            if real && let Err(e) = self.env.routing.set_address(bridge, ip, mask) {
                warn!(self.env.log, "bridge", "bridge {bridge}: setting IP address {ip} failed ({e})");
                continue;
            }
            if real {
                info!(self.env.log, "bridge", "bridge {bridge}: configured IP address {ip}, netmask {mask}");
            }
            let gateway = local.gateway.as_ref().and_then(|t| t.parse::<Ipv4Addr>().ok());
            let Some(gateway) = gateway.filter(|g| real && !g.is_unspecified()) else { continue };
            match self.env.routing.set_gateway(bridge, gateway) {
                Ok(()) => {
                    info!(self.env.log, "bridge", "bridge {bridge}: configured gateway {gateway}");
                }
                Err(e) => {
                    warn!(self.env.log, "bridge", "bridge {bridge}: setting gateway {gateway} failed ({e})");
                }
            }
        }
    }

    /// Each bridge's next in-band refresh.
    pub(super) fn in_band_deadline(&self) -> Time {
        let machines = self.bridges.values().filter_map(|b| b.in_band.as_ref());
        machines.map(|c| c.machine.next_deadline()).min().unwrap_or(Time::NEVER)
    }
}

/// The mask of an address's class, when none is said.
fn classful_mask(ip: Ipv4Addr) -> Ipv4Addr {
    match ip.octets()[0] {
        0..=127 => Ipv4Addr::new(255, 0, 0, 0),
        128..=191 => Ipv4Addr::new(255, 255, 0, 0),
        192..=223 => Ipv4Addr::new(255, 255, 255, 0),
        _ => Ipv4Addr::UNSPECIFIED,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ib_73_74_which_targets_are_places() {
        let address = |t: &str, s| match place(t, s) {
            Some(Place::Address(a)) => a.to_string(),
            Some(Place::Name) => "name".into(),
            None => "none".into(),
        };
        for (target, service, want) in [
            ("tcp:10.0.0.1", Service::OpenFlow, "10.0.0.1:6653"),
            ("tcp:10.0.0.1", Service::Ovsdb, "10.0.0.1:6640"),
            ("tcp:10.0.0.1:6633", Service::OpenFlow, "10.0.0.1:6633"),
            ("ssl:10.0.0.1:1", Service::OpenFlow, "10.0.0.1:1"),
            ("tcp:[fd00::1]:7", Service::OpenFlow, "[fd00::1]:7"),
            ("tcp:controller.example:7", Service::OpenFlow, "name"),
            ("unix:x", Service::OpenFlow, "none"),
            ("ptcp:6640:10.0.0.1", Service::Ovsdb, "none"),
            ("tcp:", Service::OpenFlow, "none"),
        ] {
            assert_eq!(address(target, service), want, "{target}");
        }
    }

    #[test]
    fn ib_75_masks_by_class() {
        for (ip, mask) in [
            ("10.7.0.1", "255.0.0.0"),
            ("172.16.0.1", "255.255.0.0"),
            ("192.168.0.1", "255.255.255.0"),
            ("224.0.0.1", "0.0.0.0"),
        ] {
            assert_eq!(classful_mask(ip.parse().unwrap()).to_string(), mask);
        }
    }
}
