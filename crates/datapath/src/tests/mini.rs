//! A pipeline small enough to be obviously right: rules in order, the first that matches wins.

use crate::{Pipeline, Translated};
use base::{Clock, DpPort, Mac, Time};
use dpif::mem::{MemDev, MemHandle};
use dpif::netdev::TxCaps;
use dpif::{Datapath as _, DpAction};
use flow::{Field, FlowKey, Mask, Match, layout as l};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

#[derive(Default, Debug)]
pub(crate) struct Count {
    pub(crate) packets: AtomicU64,
    pub(crate) bytes: AtomicU64,
}

impl Count {
    pub(crate) fn get(&self) -> (u64, u64) {
        (self.packets.load(Relaxed), self.bytes.load(Relaxed))
    }
}

#[derive(Clone)]
pub(crate) struct Rule {
    pub(crate) matching: Match,
    pub(crate) actions: Vec<DpAction>,
    pub(crate) count: Arc<Count>,
}

impl Rule {
    pub(crate) fn new(fields: &[(Field, u128)], actions: &str) -> Rule {
        let mut matching = Match::default();
        for (f, v) in fields {
            matching.key.set(*f, *v);
            matching.mask.set_exact(*f);
        }
        let actions = dpif::parse_actions(actions, None).unwrap();
        Rule { matching, actions, count: Arc::default() }
    }
}

#[derive(Clone, Default)]
pub(crate) struct Mini {
    pub(crate) generation: u64,
    /// When the rules last changed.
    pub(crate) changed: u64,
    pub(crate) rules: Vec<Rule>,
    /// Control has to be told of every translation.
    pub(crate) learns: bool,
    /// Mask for packet `n` of a flood: as many different masks as addresses.
    pub(crate) explode: bool,
    /// Translation of packets to this address panics.
    pub(crate) trap: Option<Mac>,
    pub(crate) miss: Arc<Count>,
    pub(crate) translations: Arc<AtomicU64>,
}

pub(crate) struct Effects {
    count: Arc<Count>,
    learns: bool,
}

impl Pipeline for Mini {
    type Effects = Effects;
    type Deps = ();

    fn generation(&self) -> u64 {
        self.generation
    }

    fn translate(&self, key: &FlowKey, _len: usize, _now: Time) -> Translated<Effects, ()> {
        self.translations.fetch_add(1, Relaxed);
        assert!(self.trap != Some(key.eth_dst()), "a planted fault");
        let mut mask = Mask::default();
        for f in [Field::IN_PORT, Field::ETH_TYPE, Field::RECIRC_ID] {
            mask.set_exact(f);
        }
        if self.explode {
            // As a prefix trie does: as many bits as the address has trailing zeros, in two fields.
            let (src, dst) = (u32::from(key.nw_src()), u32::from(key.nw_dst()));
            let prefix = |v: u32| u32::MAX << v.trailing_zeros().min(31);
            mask.0.put(l::NW_SRC, &prefix(src).to_be_bytes());
            mask.0.put(l::NW_DST, &prefix(dst).to_be_bytes());
            let port = u16::MAX << key.tp_dst().trailing_zeros().min(15);
            mask.0.put(l::TP_DST, &port.to_be_bytes());
        }
        let mut found = None;
        for r in &self.rules {
            mask.or_mask(&r.matching.mask);
            if key.equal_under(&r.matching.key, &r.matching.mask) {
                found = Some(r);
                break;
            }
        }
        let (actions, count) = found.map_or((Vec::new(), &self.miss), |r| (r.actions.clone(), &r.count));
        let effects = Effects { count: count.clone(), learns: self.learns };
        Translated { actions, mask, effects, deps: (), cacheable: true, drop: 32 }
    }

    fn unchanged(&self, _deps: &(), since: u64) -> bool {
        self.changed <= since
    }

    fn credit(e: &Effects, packets: u64, bytes: u64, _tcp_flags: u16, _now: Time) {
        e.count.packets.fetch_add(packets, Relaxed);
        e.count.bytes.fetch_add(bytes, Relaxed);
    }

    fn needs_control(e: &Effects) -> bool {
        e.learns
    }
}

pub(crate) struct Bench {
    pub(crate) dp: crate::Datapath<Mini>,
    pub(crate) mini: Mini,
    pub(crate) clock: Clock,
    pub(crate) wires: Vec<MemHandle>,
}

impl Bench {
    /// Ports 0..n, with these capabilities.
    pub(crate) fn new(ports: u32, caps: TxCaps, rules: Vec<Rule>) -> Bench {
        let clock = Clock::simulated();
        let mini = Mini { generation: 1, changed: 1, rules, ..Mini::default() };
        let mut dp = crate::Datapath::new(Arc::new(mini.clone()), clock.clone(), None);
        let wires = (0..ports)
            .map(|i| {
                let (dev, wire) = MemDev::new(&format!("p{i}"), caps);
                dp.add_port(DpPort(i), Box::new(dev)).unwrap();
                wire
            })
            .collect();
        Bench { dp, mini, clock, wires }
    }

    /// Publishes changed rules.
    pub(crate) fn change(&mut self, f: impl FnOnce(&mut Mini)) {
        f(&mut self.mini);
        self.mini.generation += 1;
        self.mini.changed = self.mini.generation;
        self.dp.publish(Arc::new(self.mini.clone()));
    }

    /// Polls until nothing comes any more.
    pub(crate) fn run(&mut self) {
        while self.dp.poll() {}
    }

    /// One frame in, everything sent out by each port.
    pub(crate) fn pass(&mut self, port: usize, frame: &[u8]) -> Vec<Vec<Vec<u8>>> {
        self.wires[port].inject(frame);
        self.run();
        self.wires.iter().map(MemHandle::sent).collect()
    }
}

/// Ones-complement sum over the bytes.
pub(crate) fn csum(parts: &[&[u8]]) -> u16 {
    let mut all: Vec<u8> = parts.concat();
    if all.len() % 2 == 1 {
        all.push(0);
    }
    let mut s: u32 = all.chunks(2).map(|c| u32::from(u16::from_be_bytes([c[0], c[1]]))).sum();
    while s >> 16 != 0 {
        s = (s & 0xffff) + (s >> 16);
    }
    !(s as u16)
}

/// A frame with all checksums right.
pub(crate) fn ipv4(proto: u8, src: [u8; 4], dst: [u8; 4], ports: (u16, u16), payload: &[u8]) -> Vec<u8> {
    let mut l4 = Vec::new();
    l4.extend_from_slice(&ports.0.to_be_bytes());
    l4.extend_from_slice(&ports.1.to_be_bytes());
    if proto == 6 {
        l4.extend_from_slice(&[0, 0, 0, 1, 0, 0, 0, 2, 0x50, 0x18, 1, 0, 0, 0, 0, 0]);
    } else {
        l4.extend_from_slice(&((8 + payload.len()) as u16).to_be_bytes());
        l4.extend_from_slice(&[0, 0]);
    }
    l4.extend_from_slice(payload);
    let pseudo = [&src[..], &dst[..], &[0, proto], &(l4.len() as u16).to_be_bytes()].concat();
    let at = if proto == 6 { 16 } else { 6 };
    let c = csum(&[&pseudo, &l4]);
    l4[at..at + 2].copy_from_slice(&c.to_be_bytes());
    let mut ip = vec![0x45, 0];
    ip.extend_from_slice(&((20 + l4.len()) as u16).to_be_bytes());
    ip.extend_from_slice(&[0x12, 0x34, 0, 0, 64, proto, 0, 0]);
    ip.extend_from_slice(&src);
    ip.extend_from_slice(&dst);
    let c = csum(&[&ip]);
    ip[10..12].copy_from_slice(&c.to_be_bytes());
    let mut f = vec![0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 1, 8, 0];
    f.extend_from_slice(&ip);
    f.extend_from_slice(&l4);
    f
}

/// Panics unless every checksum of an Ethernet frame (with any tags) with IPv4 or IPv6 is right.
pub(crate) fn assert_checksums(f: &[u8]) {
    let mut at = 12;
    while matches!(u16::from_be_bytes([f[at], f[at + 1]]), 0x8100 | 0x88a8) {
        at += 4;
    }
    let ty = u16::from_be_bytes([f[at], f[at + 1]]);
    let ip = &f[at + 2..];
    let (l4, pseudo, proto) = if ty == 0x0800 {
        assert_eq!(csum(&[&ip[..20]]), 0, "IPv4 header");
        let len = usize::from(u16::from_be_bytes([ip[2], ip[3]]));
        let l4 = &ip[20..len];
        (l4, [&ip[12..20], &[0, ip[9]], &(l4.len() as u16).to_be_bytes()[..]].concat(), ip[9])
    } else {
        let len = usize::from(u16::from_be_bytes([ip[4], ip[5]]));
        let l4 = &ip[40..40 + len];
        (l4, [&ip[8..40], &(l4.len() as u32).to_be_bytes()[..], &[0, 0, 0, ip[6]]].concat(), ip[6])
    };
    if proto == 17 && l4[6..8] == [0, 0] {
        return;
    }
    assert_eq!(csum(&[&pseudo, l4]), 0, "layer 4");
}
