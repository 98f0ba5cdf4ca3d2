//! From what is and what is wanted to an ordered list of changes: a pure function.
//!
//! Only what exists or not is planned here (bridges and interfaces), and only for what may have changed: whoever asks
//! pairs what is with what is wanted. Settings follow.

use crate::config::{BridgeConfig, InterfaceConfig};
use base::OfPort;
use base::order::ListOrder;
use std::collections::{BTreeMap, HashMap};

/// A bridge as it is and as it is wanted.
#[derive(Clone, Debug, Default)]
pub struct BridgePair<'a> {
    /// Its name.
    pub name: &'a str,
    /// Type of the datapath on which it runs.
    pub is: Option<&'a str>,
    /// What the database asks for.
    pub want: Option<&'a BridgeConfig>,
    /// Interfaces that there may be something to do about, by name: at least those that are not as before, and all
    /// if the bridge comes, goes or changes its type.
    pub interfaces: BTreeMap<&'a str, InterfacePair<'a>>,
}

/// An interface as it is and as it is wanted.
#[derive(Clone, Debug, Default)]
pub struct InterfacePair<'a> {
    /// Open.
    pub is: Option<OpenInterface<'a>>,
    /// The port that it is wanted in, and how.
    pub want: Option<(&'a str, &'a InterfaceConfig)>,
}

/// An open interface.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OpenInterface<'a> {
    /// The port that it belongs to.
    pub port: &'a str,
    /// Its `Interface.type`.
    pub kind: &'a str,
    /// Its OpenFlow number.
    pub ofport: OfPort,
    /// It is to be opened again: the device behind it is gone or was replaced, or it has to leave its number.
    pub stale: bool,
    /// The number that it asks for belongs to another, which asks for it too: there is nothing to be had.
    pub rival: bool,
}

impl BridgePair<'_> {
    /// Whether the bridge itself stays.
    fn stays(&self) -> bool {
        self.want.is_some_and(|w| self.is == Some(w.datapath_type.as_str()))
    }
}

impl InterfacePair<'_> {
    /// Whether the interface, on a bridge that stays, stays too.
    fn stays(&self) -> bool {
        let (Some(is), Some((_, want))) = (&self.is, self.want) else { return false };
        let number = want.ofport_request.is_none_or(|r| r == is.ofport || is.rival);
        !is.stale && want.kind == is.kind && number
    }
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

/// The steps that make of each what is wanted: removals first, so that names and numbers are free; then bridges;
/// then interfaces, those that ask for a number before those that take what is left, in the order of listings.
pub fn plan(pairs: &[BridgePair<'_>]) -> Vec<Change> {
    let mut steps = Vec::new();
    for pair in pairs {
        let goes = |i: &InterfacePair<'_>| i.is.is_some() && !(pair.stays() && i.stays());
        let gone = pair.interfaces.iter().filter(|(_, i)| goes(i)).map(|(name, _)| name.to_string());
        steps.extend(gone.map(|interface| Change::DelInterface { bridge: pair.name.to_string(), interface }));
    }
    let moving = || pairs.iter().filter(|pair| !pair.stays());
    steps.extend(
        moving().filter(|pair| pair.is.is_some()).map(|pair| Change::DelBridge(pair.name.to_string())),
    );
    steps.extend(
        moving().filter(|pair| pair.want.is_some()).map(|pair| Change::AddBridge(pair.name.to_string())),
    );
    for pair in pairs {
        let Some(want) = pair.want else { continue };
        let comes = |i: &InterfacePair<'_>| !(pair.stays() && i.stays());
        let mut adds: Vec<(&str, &str)> = pair
            .interfaces
            .iter()
            .filter(|(_, i)| comes(i))
            .filter_map(|(name, i)| Some((*name, i.want?.0)))
            .collect();
        if adds.len() > 1 {
            let order: HashMap<&str, usize> = listing(want).into_iter().zip(0..).collect();
            adds.sort_by_key(|(name, _)| order.get(name));
        }
        steps.extend(adds.into_iter().map(|(interface, port)| Change::AddInterface {
            bridge: pair.name.to_string(),
            port: port.to_string(),
            interface: interface.to_string(),
        }));
    }
    steps
}

/// A bridge's interfaces in the order in which they are added.
pub fn listing(want: &BridgeConfig) -> Vec<&str> {
    let mut order = ListOrder::default();
    want.ports.keys().for_each(|name| order.insert(&**name));
    let all = want.ports.values().flat_map(|p| p.interfaces.iter().map(move |i| (&*p.name, i)));
    let mut all: Vec<_> = all.collect();
    all.sort_by_key(|(port, i)| {
        let (asked, had) = (i.ofport_request, i.ofport_before.0);
        // Who has the number that several ask for keeps it.
        let has = asked.is_some() && asked == had;
        (asked.is_none(), !has, had.is_none(), order.place(port), *port)
    });
    all.into_iter().map(|(_, i)| i.name.as_str()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::PortConfig;
    use std::sync::Arc;

    fn wanted(interfaces: &[(&str, Option<u32>)]) -> BridgeConfig {
        let mut b = BridgeConfig { name: "br0".into(), datapath_type: "netdev".into(), ..Default::default() };
        for (name, request) in interfaces {
            let i = InterfaceConfig {
                name: name.to_string(),
                kind: "system".into(),
                ofport_request: request.map(OfPort),
                ..Default::default()
            };
            let port = PortConfig { name: (*name).into(), interfaces: vec![i], ..Default::default() };
            b.ports.insert((*name).into(), Arc::new(port));
        }
        b
    }

    fn open(port: &str, ofport: u32) -> OpenInterface<'_> {
        OpenInterface { port, kind: "system", ofport: OfPort(ofport), stale: false, rival: false }
    }

    /// A pair of everything that is open with everything that is wanted.
    fn pair<'a>(is: &'a [OpenInterface<'a>], want: &'a BridgeConfig) -> BridgePair<'a> {
        let mut interfaces: BTreeMap<&str, InterfacePair<'_>> = BTreeMap::new();
        for i in is {
            interfaces.entry(i.port).or_default().is = Some(i.clone());
        }
        for p in want.ports.values() {
            interfaces.entry(&p.name).or_default().want = Some((&p.name, &p.interfaces[0]));
        }
        BridgePair { name: "br0", is: Some("netdev"), want: Some(want), interfaces }
    }

    fn add(i: &str) -> Change {
        Change::AddInterface { bridge: "br0".into(), port: i.into(), interface: i.into() }
    }

    fn del(i: &str) -> Change {
        Change::DelInterface { bridge: "br0".into(), interface: i.into() }
    }

    #[test]
    fn from_nothing_requested_numbers_come_first() {
        let want = wanted(&[("a", None), ("b", Some(1))]);
        let pair = BridgePair { is: None, ..pair(&[], &want) };
        assert_eq!(plan(&[pair]), [Change::AddBridge("br0".into()), add("b"), add("a")]);
    }

    #[test]
    fn nothing_to_do() {
        let is = [open("a", 1)];
        assert_eq!(plan(&[pair(&is, &wanted(&[("a", None)]))]), []);
        assert_eq!(plan(&[pair(&is, &wanted(&[("a", Some(1))]))]), []);
    }

    #[test]
    fn another_number_reopens_and_removal_comes_first() {
        let is = [open("a", 1), open("old", 2)];
        let want = wanted(&[("a", Some(5))]);
        assert_eq!(plan(&[pair(&is, &want)]), [del("a"), del("old"), add("a")]);
    }

    #[test]
    fn a_number_that_its_owner_asks_for_too_is_not_to_be_had() {
        let is = [OpenInterface { rival: true, ..open("a", 1) }, open("b", 5)];
        assert_eq!(plan(&[pair(&is, &wanted(&[("a", Some(5)), ("b", Some(5))]))]), []);
        let is = [open("a", 1), open("b", 5)];
        assert_eq!(plan(&[pair(&is, &wanted(&[("a", Some(5)), ("b", None)]))]), [del("a"), add("a")]);
    }

    #[test]
    fn a_device_that_is_gone_is_opened_again() {
        let is = [OpenInterface { stale: true, ..open("a", 1) }];
        assert_eq!(plan(&[pair(&is, &wanted(&[("a", None)]))]), [del("a"), add("a")]);
    }

    #[test]
    fn another_datapath_type_makes_the_bridge_anew() {
        let is = [open("a", 1)];
        let want = wanted(&[("a", None)]);
        let pair = BridgePair { is: Some("system"), ..pair(&is, &want) };
        let bridge = || "br0".to_string();
        assert_eq!(
            plan(&[pair]),
            [del("a"), Change::DelBridge(bridge()), Change::AddBridge(bridge()), add("a")]
        );
    }
}
