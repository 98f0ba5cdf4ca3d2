//! From what is and what is wanted to an ordered list of changes: a pure function.
//!
//! Only what exists or not is planned here (bridges and interfaces); settings of what stays are applied
//! every time and compare themselves.

use crate::config::{BridgeConfig, Config};
use base::OfPort;
use base::order::ListOrder;
use std::collections::BTreeMap;

/// What runs now.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Actual {
    /// Bridges by name.
    pub bridges: BTreeMap<String, ActualBridge>,
}

/// A running bridge.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ActualBridge {
    /// Type of its datapath.
    pub datapath_type: String,
    /// Interfaces that are open, by name.
    pub interfaces: BTreeMap<String, ActualInterface>,
}

/// An open interface.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ActualInterface {
    /// Its `Interface.type`.
    pub kind: String,
    /// Its OpenFlow number.
    pub ofport: OfPort,
    /// The port it belongs to.
    pub port: String,
    /// The device behind it is gone or was replaced: open it again.
    pub stale: bool,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Take an interface off a bridge.
    DelInterface {
        /// Bridge name.
        bridge: String,
        /// Interface name.
        interface: String,
    },
    /// Remove a bridge with all that is left on it.
    DelBridge(String),
    /// Make a bridge (its ports follow).
    AddBridge(String),
    /// Open an interface and put it on a bridge.
    AddInterface {
        /// Bridge name.
        bridge: String,
        /// Port name.
        port: String,
        /// Interface name.
        interface: String,
    },
}

/// The steps from `actual` to `wanted`: removals first, so that names and numbers are free; then bridges;
/// then interfaces, those that ask for a number before those that take what is left, in the order of listings.
pub fn plan(actual: &Actual, wanted: &Config) -> Vec<Change> {
    let mut steps = Vec::new();
    let mut gone = Vec::new();
    for (name, is) in &actual.bridges {
        let want = wanted.bridges.get(name).filter(|w| w.datapath_type == is.datapath_type);
        for (interface, i) in &is.interfaces {
            let stays = want.is_some_and(|w| keeps(w, is, interface, i));
            if !stays {
                steps.push(Change::DelInterface { bridge: name.clone(), interface: interface.clone() });
            }
        }
        if want.is_none() {
            gone.push(Change::DelBridge(name.clone()));
        }
    }
    steps.extend(gone);
    for (name, want) in &wanted.bridges {
        let is = actual.bridges.get(name).filter(|is| is.datapath_type == want.datapath_type);
        if is.is_none() {
            steps.push(Change::AddBridge(name.clone()));
        }
    }
    for (name, want) in &wanted.bridges {
        let is = actual.bridges.get(name).filter(|is| is.datapath_type == want.datapath_type);
        let mut adds: Vec<_> = want
            .ports
            .values()
            .flat_map(|p| p.interfaces.iter().map(move |i| (p, i)))
            .filter(|(_, i)| {
                !is.is_some_and(|is| is.interfaces.get(&i.name).is_some_and(|a| keeps(want, is, &i.name, a)))
            })
            .collect();
        let order = listing(want);
        adds.sort_by_key(|(_, i)| order.iter().position(|name| *name == i.name));
        steps.extend(adds.into_iter().map(|(p, i)| Change::AddInterface {
            bridge: name.clone(),
            port: p.name.clone(),
            interface: i.name.clone(),
        }));
    }
    steps
}

/// A bridge's interfaces in the order in which they are added.
pub fn listing(want: &BridgeConfig) -> Vec<&str> {
    let mut order = ListOrder::default();
    want.ports.keys().for_each(|name| order.insert(name.as_str()));
    let all = want.ports.values().flat_map(|p| p.interfaces.iter().map(move |i| (p.name.as_str(), i)));
    let mut all: Vec<_> = all.collect();
    all.sort_by_key(|(port, i)| {
        (i.ofport_request.is_none(), i.ofport_before.is_none(), order.place(port), *port)
    });
    all.into_iter().map(|(_, i)| i.name.as_str()).collect()
}

fn keeps(want: &BridgeConfig, is: &ActualBridge, name: &str, actual: &ActualInterface) -> bool {
    let found = want.ports.values().find_map(|p| p.interfaces.iter().find(|i| i.name == name));
    found.is_some_and(|i| {
        !actual.stale
            && i.kind == actual.kind
            && i.ofport_request.is_none_or(|r| r == actual.ofport || taken(want, is, name, r))
    })
}

/// Whether another interface of the bridge has the number and asks for it too: then there is nothing to be had.
fn taken(want: &BridgeConfig, is: &ActualBridge, name: &str, number: OfPort) -> bool {
    let wanted = want.ports.values().flat_map(|p| &p.interfaces);
    let mut rivals = wanted.filter(|i| i.name != name && i.ofport_request == Some(number));
    rivals.any(|i| is.interfaces.get(&i.name).is_some_and(|a| a.ofport == number && a.kind == i.kind))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{InterfaceConfig, PortConfig};

    fn wanted(interfaces: &[(&str, Option<u32>)]) -> Config {
        let mut b = BridgeConfig { name: "br0".into(), datapath_type: "netdev".into(), ..Default::default() };
        for (name, request) in interfaces {
            let i = InterfaceConfig {
                name: name.to_string(),
                kind: "system".into(),
                ofport_request: request.map(OfPort),
                ..Default::default()
            };
            b.ports.insert(
                name.to_string(),
                PortConfig { name: name.to_string(), interfaces: vec![i], ..Default::default() },
            );
        }
        Config { bridges: [("br0".to_string(), b)].into(), ..Default::default() }
    }

    fn running(interfaces: &[(&str, u32)]) -> Actual {
        let interfaces = interfaces
            .iter()
            .map(|(n, p)| {
                let i = ActualInterface {
                    kind: "system".into(),
                    ofport: OfPort(*p),
                    port: n.to_string(),
                    stale: false,
                };
                (n.to_string(), i)
            })
            .collect();
        let b = ActualBridge { datapath_type: "netdev".into(), interfaces };
        Actual { bridges: [("br0".to_string(), b)].into() }
    }

    fn add(i: &str) -> Change {
        Change::AddInterface { bridge: "br0".into(), port: i.into(), interface: i.into() }
    }

    #[test]
    fn from_nothing_requested_numbers_come_first() {
        let steps = plan(&Actual::default(), &wanted(&[("a", None), ("b", Some(1))]));
        assert_eq!(steps, [Change::AddBridge("br0".into()), add("b"), add("a")]);
    }

    #[test]
    fn nothing_to_do() {
        assert_eq!(plan(&running(&[("a", 1)]), &wanted(&[("a", None)])), []);
        assert_eq!(plan(&running(&[("a", 1)]), &wanted(&[("a", Some(1))])), []);
    }

    #[test]
    fn another_number_reopens_and_removal_comes_first() {
        let steps = plan(&running(&[("a", 1), ("old", 2)]), &wanted(&[("a", Some(5))]));
        let del = |i: &str| Change::DelInterface { bridge: "br0".into(), interface: i.into() };
        assert_eq!(steps, [del("a"), del("old"), add("a")]);
    }

    #[test]
    fn a_number_that_its_owner_asks_for_too_is_not_to_be_had() {
        let is = running(&[("a", 1), ("b", 5)]);
        assert_eq!(plan(&is, &wanted(&[("a", Some(5)), ("b", Some(5))])), []);
        assert_ne!(plan(&is, &wanted(&[("a", Some(5)), ("b", None)])), []);
    }

    #[test]
    fn another_datapath_type_makes_the_bridge_anew() {
        let mut is = running(&[("a", 1)]);
        is.bridges.get_mut("br0").unwrap().datapath_type = "system".into();
        let steps = plan(&is, &wanted(&[("a", None)]));
        assert_eq!(
            steps,
            [
                Change::DelInterface { bridge: "br0".into(), interface: "a".into() },
                Change::DelBridge("br0".into()),
                Change::AddBridge("br0".into()),
                add("a")
            ]
        );
    }
}
