//! `ovs/route/*` and `tnl/*`: routes and neighbours of tunnels, as commands and the addresses of test devices give
//! them.

use crate::switch::Switch;
use base::Mac;
use reactor::Reactor;
use reactor::unixctl::{Call, Command, Outcome};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::{IpAddr, Ipv6Addr};

/// The commands.
pub const COMMANDS: &[Command<Switch>] = &[
    Command::new("ovs/route/add", "ip/plen output_bridge [gw] [pkt_mark=mark] [src=src_ip]", 2, 5, add),
    Command::new("ovs/route/del", "ip/plen [pkt_mark=mark]", 1, 2, del),
    Command::new("ovs/route/lookup", "ip_addr [pkt_mark=mark]", 1, 2, lookup),
    Command::new("ovs/route/show", "", 0, 0, show),
    Command::new("tnl/arp/aging", "[SECS]", 0, 1, aging),
    Command::new("tnl/arp/flush", "", 0, 0, neigh_flush),
    Command::new("tnl/arp/set", "BRIDGE IP MAC", 3, 3, neigh_set),
    Command::new("tnl/arp/show", "", 0, 0, neigh_show),
    Command::new("tnl/neigh/aging", "[SECS]", 0, 1, aging),
    Command::new("tnl/neigh/flush", "", 0, 0, neigh_flush),
    Command::new("tnl/neigh/set", "BRIDGE IP MAC", 3, 3, neigh_set),
    Command::new("tnl/neigh/show", "", 0, 0, neigh_show),
    Command::new("tnl/egress_port_range", "min max", 0, 2, egress_port_range),
    Command::new("tnl/ports/show", "-v", 0, 1, |_, _, _| Outcome::ok("Listening ports:\n")),
];

/// Tables of the commands above.
#[derive(Clone, Debug)]
pub struct Routing {
    routes: Vec<Route>,
    neighbours: BTreeMap<(String, IpAddr), Mac>,
    aging: u32,
    ports: (u16, u16),
}

impl Default for Routing {
    fn default() -> Self {
        Routing { routes: Vec::new(), neighbours: BTreeMap::new(), aging: 900, ports: (32768, 61000) }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Route {
    to: IpAddr,
    prefix: u8,
    mark: u32,
    device: String,
    gateway: Option<IpAddr>,
    source: IpAddr,
    /// Given by command, not by a device's address.
    user: bool,
}

impl Route {
    fn covers(&self, ip: IpAddr, mark: u32) -> bool {
        self.mark == mark && masked(ip, self.prefix) == Some(self.to)
    }

    /// The place in listings: IPv4 first, then by address.
    fn order(&self) -> (bool, IpAddr, u8, u32) {
        (self.to.is_ipv6(), self.to, self.prefix, self.mark)
    }
}

fn masked(ip: IpAddr, prefix: u8) -> Option<IpAddr> {
    match ip {
        IpAddr::V4(a) if prefix <= 32 => {
            let mask = u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0);
            Some(IpAddr::V4((u32::from(a) & mask).into()))
        }
        IpAddr::V6(a) if prefix <= 128 => {
            let mask = u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0);
            Some(IpAddr::V6((u128::from(a) & mask).into()))
        }
        _ => None,
    }
}

fn prefix(text: &str) -> Option<(IpAddr, u8)> {
    let (ip, plen) = match text.split_once('/') {
        Some((ip, plen)) => (ip.parse::<IpAddr>().ok()?, plen.parse().ok()?),
        None => {
            let ip: IpAddr = text.parse().ok()?;
            (ip, if ip.is_ipv4() { 32 } else { 128 })
        }
    };
    Some((masked(ip, plen)?, plen))
}

fn mark(text: &str) -> Option<u32> {
    let text = text.strip_prefix("pkt_mark=")?;
    match text.strip_prefix("0x") {
        Some(hex) => u32::from_str_radix(hex, 16).ok(),
        None => text.parse().ok(),
    }
}

/// Networks that devices' own addresses reach.
fn direct(s: &Switch) -> Vec<Route> {
    let mut all = Vec::new();
    for device in s.registry().dummies().all() {
        let addresses = device.addresses();
        let v4 = addresses.v4.map(|(a, p)| (IpAddr::V4(a), p));
        let v6 = addresses.v6.into_iter().map(|(a, p)| (IpAddr::V6(a), p));
        for (source, prefix) in v4.into_iter().chain(v6) {
            let Some(to) = masked(source, prefix) else { continue };
            let device = device.name().to_string();
            all.push(Route { to, prefix, mark: 0, device, gateway: None, source, user: false });
        }
    }
    all
}

fn all(s: &Switch) -> Vec<Route> {
    let mut all = direct(s);
    all.extend(s.desk.routing.routes.iter().cloned());
    all.sort_by_key(Route::order);
    all
}

fn best(s: &Switch, ip: IpAddr, mark: u32) -> Option<Route> {
    all(s).into_iter().filter(|r| r.covers(ip, mark)).max_by_key(|r| r.prefix)
}

fn add(s: &mut Switch, _: &mut Reactor, call: &Call) -> Outcome {
    let Some((to, prefix)) = call.arg(0).and_then(prefix) else {
        return Outcome::error("Invalid 'ip/plen' parameter");
    };
    let device = call.arg(1).unwrap_or_default().to_string();
    let (mut gateway, mut pkt_mark, mut source) = (None, 0, None);
    for (n, arg) in call.args()[2..].iter().enumerate() {
        if arg.starts_with("pkt_mark=") {
            let Some(m) = mark(arg) else { return Outcome::error("Invalid pkt_mark") };
            pkt_mark = m;
        } else if let Some(src) = arg.strip_prefix("src=") {
            let Some(a) = src.parse::<IpAddr>().ok().filter(|a| a.is_ipv4() == to.is_ipv4()) else {
                return Outcome::error("Invalid src address");
            };
            source = Some(a);
        } else if let (0, Some(a)) = (n, arg.parse::<IpAddr>().ok().filter(|a| a.is_ipv4() == to.is_ipv4())) {
            gateway = Some(a);
        } else {
            return Outcome::error("Invalid pkt_mark, IP gateway or src_ip");
        }
    }
    // The address to send from is that of the device on the way to the next hop.
    let next = gateway.unwrap_or(to);
    let own = direct(s).into_iter().filter(|r| r.device == device);
    let found = own.filter(|r| r.covers(next, 0)).map(|r| r.source).find(|a| source.is_none_or(|s| s == *a));
    let Some(source) = found else { return Outcome::error("Error while inserting route.") };
    let route = Route { to, prefix, mark: pkt_mark, device, gateway, source, user: true };
    let routes = &mut s.desk.routing.routes;
    routes.retain(|r| (r.to, r.prefix, r.mark) != (to, prefix, pkt_mark));
    routes.push(route);
    Outcome::ok("OK")
}

fn mark_argument(call: &Call) -> Result<u32, Outcome> {
    match call.arg(1) {
        None => Ok(0),
        Some(text) => mark(text).ok_or_else(|| Outcome::error("Invalid pkt_mark")),
    }
}

fn del(s: &mut Switch, _: &mut Reactor, call: &Call) -> Outcome {
    let Some((to, prefix)) = call.arg(0).and_then(prefix) else {
        return Outcome::error("Invalid parameters");
    };
    let mark = match mark_argument(call) {
        Ok(m) => m,
        Err(e) => return e,
    };
    let routes = &mut s.desk.routing.routes;
    let before = routes.len();
    routes.retain(|r| (r.to, r.prefix, r.mark) != (to, prefix, mark));
    if routes.len() < before { Outcome::ok("OK") } else { Outcome::error("Not found") }
}

fn lookup(s: &mut Switch, _: &mut Reactor, call: &Call) -> Outcome {
    let Some(ip) = call.arg(0).and_then(|t| t.parse::<IpAddr>().ok()) else {
        return Outcome::error("Invalid parameters");
    };
    let mark = match mark_argument(call) {
        Ok(m) => m,
        Err(e) => return e,
    };
    let Some(r) = best(s, ip, mark) else { return Outcome::error("Not found") };
    let gateway = r.gateway.unwrap_or(IpAddr::V6(Ipv6Addr::UNSPECIFIED));
    Outcome::ok(format!("src {}\ngateway {gateway}\ndev {}\n", r.source, r.device))
}

fn show(s: &mut Switch, _: &mut Reactor, _: &Call) -> Outcome {
    let mut out = "Route Table:\n".to_string();
    for r in all(s) {
        let _ = write!(out, "{}: {}/{}", if r.user { "User" } else { "Cached" }, r.to, r.prefix);
        if r.mark != 0 {
            let _ = write!(out, " MARK {}", r.mark);
        }
        let _ = write!(out, " dev {}", r.device);
        if let Some(g) = r.gateway {
            let _ = write!(out, " GW {g}");
        }
        let _ = writeln!(out, " SRC {}{}", r.source, if r.user { "" } else { " local" });
    }
    Outcome::ok(out)
}

fn aging(s: &mut Switch, _: &mut Reactor, call: &Call) -> Outcome {
    match call.arg(0) {
        None => Outcome::ok(s.desk.routing.aging.to_string()),
        Some(text) => match text.parse::<u32>().ok().filter(|n| (1..=3600).contains(n)) {
            Some(n) => {
                s.desk.routing.aging = n;
                Outcome::ok("OK")
            }
            None => Outcome::error("bad aging value"),
        },
    }
}

fn neigh_flush(s: &mut Switch, _: &mut Reactor, _: &Call) -> Outcome {
    s.desk.routing.neighbours.clear();
    Outcome::ok("OK")
}

fn neigh_set(s: &mut Switch, _: &mut Reactor, call: &Call) -> Outcome {
    let [bridge, ip, mac] = [0, 1, 2].map(|n| call.arg(n).unwrap_or_default());
    let Ok(ip) = ip.parse::<IpAddr>() else { return Outcome::error("bad IP address") };
    let Some(mac) = Mac::parse(mac) else { return Outcome::error("bad MAC address") };
    s.desk.routing.neighbours.insert((bridge.to_string(), ip), mac);
    Outcome::ok("OK")
}

fn neigh_show(s: &mut Switch, _: &mut Reactor, _: &Call) -> Outcome {
    let mut out = format!("{:<46}{:<20}Bridge\n{}\n", "IP", "MAC", "=".repeat(74));
    for ((bridge, ip), mac) in &s.desk.routing.neighbours {
        let _ = writeln!(out, "{:<46}{mac}   {bridge}", ip.to_string());
    }
    Outcome::ok(out)
}

fn egress_port_range(s: &mut Switch, _: &mut Reactor, call: &Call) -> Outcome {
    let ports = &mut s.desk.routing.ports;
    if call.args().len() < 2 {
        return Outcome::ok(format!("Tunnel UDP source port range: {}-{}\n", ports.0, ports.1));
    }
    let port = |n| call.arg(n).and_then(|t| t.parse::<u16>().ok()).filter(|p| *p > 0);
    let Some(min) = port(0) else { return Outcome::ok("Invalid min.") };
    let Some(max) = port(1) else { return Outcome::ok("Invalid max.") };
    *ports = (min.min(max), min.max(max));
    Outcome::ok("OK")
}
