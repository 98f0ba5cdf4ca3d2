//! In-band control: flows that let the switch's own control traffic through, whatever controllers do to the tables.
//!
//! A switch whose controller is reached through the switch itself must forward that traffic before the controller has
//! said anything, and in spite of what it says. So each remote (controller or database manager) gets flows whose
//! priorities are above those that OpenFlow can express; they forward as a learning switch does. Traffic of *other*
//! switches to the same remotes passes likewise, or two such switches would ask the controller about each other's
//! packets for ever.
//!
//! ```text
//!  priority   rule                                              once for each
//!  180000  a  DHCP requests from the local port                 bridge
//!  180001  b  ARP replies to the local port's address           bridge
//!  180002  c  ARP requests from the local port's address        bridge
//!  180003  d  ARP replies to the next hop                       next hop's Ethernet address
//!  180004  e  ARP requests from the next hop                    next hop's Ethernet address
//!  180005  f  ARP replies that have the remote as their target  remote's IP address
//!  180006  g  ARP requests that the remote sends                remote's IP address
//!  180007  h  TCP to the remote                                 remote's IP address and port
//!  180008  i  TCP from the remote                               remote's IP address and port
//! ```
//!
//! For a remote with an IPv6 address neighbour advertisements stand for ARP replies, solicitations for requests, and
//! DHCPv6 for DHCP (the reference has no in-band control over IPv6).
//!
//! What rules d and e need comes from the routing and neighbour tables of the system, looked at again every ten
//! seconds, or every second as long as something is missing.

use base::{Mac, OfPort, Time};
use flow::key::{eth_type, ip_proto};
use flow::{Field, Match, MiniMatch};
use openflow::Action;
use openflow::action::{Output, SetQueue};
use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// Priority of rule a; the others follow in the order of their letters.
pub const PRIORITY: u32 = 180_000;
/// How often the local port's address is looked at.
pub const LOCAL_INTERVAL: Duration = Duration::from_secs(1);
/// How often next hops are looked up when all is known.
pub const REMOTE_INTERVAL: Duration = Duration::from_secs(10);
/// And when something is not.
pub const RETRY_INTERVAL: Duration = Duration::from_secs(1);

/// What the machine asks of the system.
pub trait Network {
    /// Address of the bridge's local port.
    fn local_mac(&self) -> Option<Mac>;
    /// Where packets to an address leave; why nowhere, in the system's words.
    fn next_hop(&mut self, to: IpAddr) -> Result<Hop, String>;
    /// Ethernet address of a neighbour, if it is known.
    fn neighbour(&mut self, device: &str, address: IpAddr) -> Result<Option<Mac>, String>;
}

/// The first step of a way.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Hop {
    /// Outgoing device.
    pub device: String,
    /// The router there, unless the remote itself is next.
    pub gateway: Option<IpAddr>,
}

/// What there is to say in the log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Note {
    /// Something is missing.
    Warning(String),
    /// Something is as it may be.
    Debug(String),
}

/// A remote and what is known of the way to it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Remote {
    /// Its address and port.
    pub address: SocketAddr,
    /// The first hop; why there is none.
    pub hop: Result<Hop, String>,
    /// Ethernet address of the first hop.
    pub mac: Option<Mac>,
    /// The last that was known, to tell of changes.
    last_mac: Option<Mac>,
}

/// A flow of its own.
pub type Rule = (u32, MiniMatch);

/// The machine.
#[derive(Debug)]
pub struct InBand {
    name: String,
    remotes: Vec<Remote>,
    queue: Option<u32>,
    local_mac: Option<Mac>,
    next_local: Time,
    next_remotes: Time,
}

impl InBand {
    /// For a bridge of this name, which the log is told; everything is to be looked up at once.
    pub fn new(name: &str) -> InBand {
        InBand {
            name: name.to_string(),
            remotes: Vec::new(),
            queue: None,
            local_mac: None,
            next_local: Time(0),
            next_remotes: Time(0),
        }
    }

    /// Takes the set of remotes: another set is looked up at once, the same one changes nothing.
    pub fn set_remotes(&mut self, remotes: &BTreeSet<SocketAddr>) {
        if self.remotes.iter().map(|r| &r.address).eq(remotes) {
            return;
        }
        let unknown = |address: &SocketAddr| Remote {
            address: *address,
            hop: Err("not looked up yet".into()),
            mac: None,
            last_mac: None,
        };
        self.remotes = remotes.iter().map(unknown).collect();
        self.next_remotes = Time(0);
    }

    /// Takes the queue for control traffic.
    pub fn set_queue(&mut self, queue: Option<u32>) {
        self.queue = queue;
    }

    /// The remotes, and what is known of them.
    pub fn remotes(&self) -> &[Remote] {
        &self.remotes
    }

    /// The queue for control traffic.
    pub fn queue(&self) -> Option<u32> {
        self.queue
    }

    /// The local port's address as last seen.
    pub fn local_mac(&self) -> Option<Mac> {
        self.local_mac
    }

    /// When the local port's address and the next hops are looked at again.
    pub fn next_refreshes(&self) -> (Time, Time) {
        (self.next_local, self.next_remotes)
    }

    /// When [`InBand::run`] has something to do.
    pub fn next_deadline(&self) -> Time {
        self.next_local.min(self.next_remotes)
    }

    /// Looks again at what is due; returns what there is to say. [`InBand::rules`] may have changed afterwards.
    pub fn run(&mut self, now: Time, network: &mut dyn Network) -> Vec<Note> {
        let mut notes = Vec::new();
        if now >= self.next_local {
            self.next_local = now + LOCAL_INTERVAL;
            self.local_mac = network.local_mac().filter(|m| *m != Mac::ZERO);
        }
        if now >= self.next_remotes {
            let mut interval = REMOTE_INTERVAL;
            for r in &mut self.remotes {
                if !r.refresh(&self.name, network, &mut notes) {
                    interval = RETRY_INTERVAL;
                }
            }
            self.next_remotes = now + interval;
        }
        notes
    }

    /// The flows that are wanted now, each once.
    pub fn rules(&self) -> Vec<Rule> {
        let mut rules = Rules::default();
        let (v4, v6): (Vec<_>, Vec<_>) = self.remotes.iter().partition(|r| r.address.is_ipv4());
        for (remotes, family) in [(v4, Family::V4), (v6, Family::V6)] {
            if let Some(mac) = self.local_mac.filter(|_| !remotes.is_empty()) {
                rules.add(0, dhcp_request(family, mac));
                rules.add(1, resolution(family, false).with(Field::ETH_DST, mac_value(mac)));
                rules.add(2, resolution(family, true).with(Field::ETH_SRC, mac_value(mac)));
            }
            for mac in remotes.iter().filter_map(|r| r.mac) {
                rules.add(3, resolution(family, false).with(Field::ETH_DST, mac_value(mac)));
                rules.add(4, resolution(family, true).with(Field::ETH_SRC, mac_value(mac)));
            }
            for r in &remotes {
                let ip = ip_value(r.address.ip());
                rules.add(5, resolution(family, false).with(family.resolution_target(), ip));
                rules.add(6, resolution(family, true).with(family.resolution_source(), ip));
                let port = u128::from(r.address.port());
                let (src, dst) = family.addresses();
                rules.add(7, tcp(family).with(dst, ip).with(Field::TCP_DST, port));
                rules.add(8, tcp(family).with(src, ip).with(Field::TCP_SRC, port));
            }
        }
        rules.0
    }

    /// What its flows do.
    pub fn actions(&self) -> Vec<Action> {
        let queue = self.queue.map(|queue| Action::SetQueue(SetQueue { queue }));
        let normal = Action::Output(Output { port: OfPort::NORMAL, max_len: 0 });
        queue.into_iter().chain([normal]).collect()
    }
}

impl Remote {
    /// Looks up the next hop and its address; false if something is missing.
    fn refresh(&mut self, bridge: &str, network: &mut dyn Network, notes: &mut Vec<Note>) -> bool {
        // An address that is not known any more is not used any more.
        self.mac = None;
        let ip = self.address.ip();
        self.hop = network.next_hop(ip);
        let hop = match &self.hop {
            Ok(hop) => hop,
            Err(why) => {
                notes
                    .push(Note::Warning(format!("{bridge}: cannot find route for controller ({ip}): {why}")));
                return false;
            }
        };
        match network.neighbour(&hop.device, hop.gateway.unwrap_or(ip)) {
            Ok(mac) => self.mac = mac.filter(|m| *m != Mac::ZERO),
            Err(why) => {
                notes.push(Note::Debug(format!("{bridge}: cannot look up remote MAC address ({why})")));
            }
        }
        let Some(mac) = self.mac else { return false };
        if let Some(last) = self.last_mac.filter(|last| *last != mac) {
            notes.push(Note::Debug(format!("{bridge}: remote MAC address changed from {last} to {mac}")));
        }
        self.last_mac = Some(mac);
        true
    }
}

/// Rules, each match once.
#[derive(Default)]
struct Rules(Vec<Rule>);

impl Rules {
    fn add(&mut self, letter: u32, matching: Building) {
        let rule = (PRIORITY + letter, MiniMatch::new(&matching.0));
        if !self.0.contains(&rule) {
            self.0.push(rule);
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Family {
    V4,
    V6,
}

impl Family {
    /// Fields of the source and the destination address.
    fn addresses(self) -> (Field, Field) {
        match self {
            Family::V4 => (Field::IP_SRC, Field::IP_DST),
            Family::V6 => (Field::IPV6_SRC, Field::IPV6_DST),
        }
    }

    fn ethernet(self) -> u16 {
        match self {
            Family::V4 => eth_type::IPV4,
            Family::V6 => eth_type::IPV6,
        }
    }

    /// Whom an answer is for.
    fn resolution_target(self) -> Field {
        match self {
            Family::V4 => Field::ARP_TPA,
            Family::V6 => Field::IPV6_DST,
        }
    }

    /// Who asks.
    fn resolution_source(self) -> Field {
        match self {
            Family::V4 => Field::ARP_SPA,
            Family::V6 => Field::IPV6_SRC,
        }
    }
}

struct Building(Match);

impl Building {
    fn new(ethernet: u16) -> Building {
        Building(Match::any()).with(Field::ETH_TYPE, u128::from(ethernet))
    }

    fn with(mut self, field: Field, value: u128) -> Building {
        self.0.set(field, value);
        self
    }
}

const ARP_REQUEST: u128 = 1;
const ARP_REPLY: u128 = 2;
const ND_SOLICITATION: u128 = 135;
const ND_ADVERTISEMENT: u128 = 136;

/// Questions and answers about a neighbour's Ethernet address.
fn resolution(family: Family, question: bool) -> Building {
    match family {
        Family::V4 => {
            let op = if question { ARP_REQUEST } else { ARP_REPLY };
            Building::new(eth_type::ARP).with(Field::ARP_OP, op)
        }
        Family::V6 => {
            let kind = if question { ND_SOLICITATION } else { ND_ADVERTISEMENT };
            Building::new(eth_type::IPV6)
                .with(Field::IP_PROTO, u128::from(ip_proto::ICMPV6))
                .with(Field::ICMPV6_TYPE, kind)
        }
    }
}

fn dhcp_request(family: Family, local: Mac) -> Building {
    let (client, server) = if family == Family::V4 { (68, 67) } else { (546, 547) };
    Building::new(family.ethernet())
        .with(Field::IN_PORT_OXM, u128::from(OfPort::LOCAL.0))
        .with(Field::ETH_SRC, mac_value(local))
        .with(Field::IP_PROTO, u128::from(ip_proto::UDP))
        .with(Field::UDP_SRC, client)
        .with(Field::UDP_DST, server)
}

fn tcp(family: Family) -> Building {
    Building::new(family.ethernet()).with(Field::IP_PROTO, u128::from(ip_proto::TCP))
}

fn mac_value(mac: Mac) -> u128 {
    u128::from(mac.to_u64())
}

fn ip_value(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(a) => u128::from(u32::from(a)),
        IpAddr::V6(a) => u128::from(a),
    }
}

#[cfg(test)]
#[path = "in_band_tests.rs"]
mod tests;
