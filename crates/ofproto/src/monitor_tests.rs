//! Flow monitors against what the reference switch (3.5.0) sends, and a reader that falls behind.

use crate::monitor::LIMIT;
use crate::tests::{Ports, Sim, add, fm, msg, output};
use crate::*;
use base::{Cookie, GroupId, OfPort, Xid};
use flow::{Field, Match, MiniMatch};
use openflow::msg::*;
use openflow::{Message, OfpErr, Version};
use std::collections::BTreeMap;

const ALL: u16 = MonitorFlags::INITIAL
    | MonitorFlags::ADD
    | MonitorFlags::DELETE
    | MonitorFlags::MODIFY
    | MonitorFlags::ACTIONS;

fn request(id: u32, flags: u16) -> MonitorRequest {
    MonitorRequest {
        id,
        command: MonitorCommand::Add,
        flags: MonitorFlags(flags),
        out_port: OfPort::NONE,
        out_group: GroupId::ANY,
        table: 0xff,
        matching: MiniMatch::default(),
    }
}

fn ask(requests: Vec<MonitorRequest>) -> Message {
    Message::StatsRequest(StatsRequest::FlowMonitor(requests))
}

/// What one connection is told: per message its xid and, per update, a word and the flow's cookie.
fn told(effects: &[Effect], c: ConnId) -> Vec<(u32, Vec<String>)> {
    let mut out = Vec::new();
    for e in effects {
        match e {
            Effect::Send(id, xid, Message::StatsReply { body: StatsReply::FlowMonitor(all), .. })
                if *id == c =>
            {
                let words = all.iter().map(|u| match u.event {
                    FlowUpdateEvent::Abbrev(x) => format!("abbrev {}", x.0),
                    FlowUpdateEvent::Deleted(r) => format!("deleted {r} {} {}", u.cookie.0, u.actions.len()),
                    e => format!("{e:?} {} {}", u.cookie.0, u.actions.len()),
                });
                out.push((xid.0, words.collect()));
            }
            Effect::Send(id, xid, m @ (Message::FlowMonitorPaused | Message::FlowMonitorResumed))
                if *id == c =>
            {
                out.push((xid.0, vec![format!("{m:?}")]));
            }
            _ => {}
        }
    }
    out
}

fn updates(effects: &[Effect], c: ConnId) -> Vec<String> {
    told(effects, c).into_iter().flat_map(|(_, w)| w).collect()
}

fn with_cookie(n: u32, cookie: u64) -> FlowMod {
    FlowMod { new_cookie: Cookie(cookie), ..add(n) }
}

fn modify(n: u32, to: u32, cookie: u64) -> FlowMod {
    let m = crate::tests::fm(FlowModCommand::Modify, add(n).matching, vec![output(to)]);
    FlowMod { new_cookie: Cookie(cookie), modify_cookie: true, ..m }
}

fn delete(n: u32) -> FlowMod {
    fm(FlowModCommand::Delete, add(n).matching, Vec::new())
}

#[test]
fn fm_10_to_17_requests_and_errors() {
    for version in Version::ALL {
        let mut s = Sim::new(version);
        assert_eq!(
            s.error(ask(vec![request(1, MonitorFlags::INITIAL | MonitorFlags::ACTIONS)])),
            Some(OfpErr::OFPMOFC_BAD_FLAGS)
        );
        let bad_table = MonitorRequest { table: 0xff - 1, ..request(1, ALL) };
        s.send(ask(vec![bad_table]));
        s.send(Message::FlowMonitorCancel(1));
        // All or nothing.
        assert_eq!(
            s.error(ask(vec![request(5, ALL), request(5, ALL)])),
            Some(OfpErr::OFPMOFC_MONITOR_EXISTS)
        );
        assert_eq!(s.error(Message::FlowMonitorCancel(5)), Some(OfpErr::OFPMOFC_UNKNOWN_MONITOR));
        assert_eq!(told(&s.send(ask(vec![request(5, ALL)])), s.c).len(), 1, "an empty reply is a reply");
        assert_eq!(s.error(ask(vec![request(5, ALL)])), Some(OfpErr::OFPMOFC_MONITOR_EXISTS));
        // Another connection has ids of its own.
        let other = s.connect(version, ConnKind::Primary);
        assert_eq!(told(&s.on(other, ask(vec![request(5, ALL)])), other).len(), 1);
        s.ok(Message::FlowMonitorCancel(5));
        assert_eq!(s.error(Message::FlowMonitorCancel(5)), Some(OfpErr::OFPMOFC_UNKNOWN_MONITOR));
    }
    let mut s = Sim::new(Version::V14);
    let command = |id, command| ask(vec![MonitorRequest { command, ..request(id, ALL) }]);
    assert_eq!(s.error(command(1, MonitorCommand::Modify)), Some(OfpErr::OFPMOFC_UNKNOWN_MONITOR));
    assert_eq!(s.error(command(1, MonitorCommand::Delete)), Some(OfpErr::OFPMOFC_UNKNOWN_MONITOR));
    s.send(command(1, MonitorCommand::Add));
    // A bad change leaves the old monitor.
    let bad = MonitorRequest { command: MonitorCommand::Modify, ..request(1, 0) };
    assert_eq!(s.error(ask(vec![bad])), Some(OfpErr::OFPMOFC_BAD_FLAGS));
    assert_eq!(told(&s.send(command(1, MonitorCommand::Delete)), s.c).len(), 1);
    assert_eq!(s.error(command(1, MonitorCommand::Delete)), Some(OfpErr::OFPMOFC_UNKNOWN_MONITOR));
}

#[test]
fn fm_20_to_24_initial_flows_each_once() {
    for version in Version::ALL {
        let mut s = Sim::new(version);
        s.ok(msg(with_cookie(1, 11)));
        s.ok(msg(FlowMod { actions: vec![output(2)], ..with_cookie(2, 12) }));
        let first = if version >= Version::V14 { "Initial" } else { "Added" };
        let no_actions = ALL & !MonitorFlags::ACTIONS;
        let only_2 = MonitorRequest { out_port: OfPort(2), ..request(2, ALL) };
        let silent = request(3, ALL & !MonitorFlags::INITIAL);
        let effects = s.send(ask(vec![request(1, no_actions), only_2, silent]));
        let [(xid, words)] = &told(&effects, s.c)[..] else { panic!("{effects:?}") };
        assert_ne!(*xid, 0);
        let mut words = words.clone();
        words.sort();
        // Actions where one of the monitors that watch a flow has them.
        let n = usize::from(add(1).actions.iter().any(|a| *a == output(2)));
        assert_eq!(words, [format!("{first} 11 {n}"), format!("{first} 12 1")]);
    }
}

#[test]
fn fm_30_to_38_updates() {
    for version in Version::ALL {
        let mut s = Sim::new(version);
        let w = s.connect(version, ConnKind::Primary);
        s.on(w, ask(vec![request(1, ALL)]));
        let c = s.c;
        let mut step = |from: ConnId, m: FlowMod| told(&s.on(from, msg(m)), w);
        let one = |word: &str| vec![(0, vec![word.to_string()])];
        assert_eq!(step(c, FlowMod { actions: vec![output(1)], ..with_cookie(1, 1) }), one("Added 1 1"));
        assert_eq!(step(c, FlowMod { actions: vec![output(1)], ..with_cookie(1, 2) }), one("Added 2 1"));
        assert_eq!(step(c, modify(1, 2, 3)), one("Modified 3 1"));
        assert_eq!(step(c, modify(1, 2, 3)), [], "nothing changed");
        assert_eq!(step(c, delete(9)), [], "nothing matched");
        // Its own: one abbreviation for all that a flow-mod did.
        let own = |v: Vec<(u32, Vec<String>)>| {
            assert_eq!(v.len(), 1);
            assert!(v[0].1.len() == 1 && v[0].1[0].starts_with("abbrev "), "{v:?}");
        };
        own(step(w, FlowMod { actions: vec![output(1)], ..with_cookie(2, 4) }));
        own(step(
            w,
            FlowMod { modify_cookie: false, ..FlowMod { matching: MiniMatch::default(), ..modify(1, 9, 0) } },
        ));
        assert_eq!(step(w, delete(9)), []);
        own(step(w, FlowMod { matching: MiniMatch::default(), ..delete(1) }));
        // In full, once a monitor asks for that.
        let flag = if version >= Version::V14 { MonitorFlags::ONLY_OWN } else { MonitorFlags::OWN };
        s.on(w, ask(vec![request(2, MonitorFlags::ADD | flag)]));
        let effects = s.on(w, msg(FlowMod { actions: vec![output(1)], ..with_cookie(3, 7) }));
        assert_eq!(told(&effects, w), one("Added 7 1"));
        // Expiry is nobody's own.
        s.on(w, msg(FlowMod { idle_timeout: 1, ..with_cookie(4, 8) }));
        let n = add(4).actions.len();
        assert_eq!(told(&s.pass(1001), w), one(&format!("deleted 0 8 {n}")));
    }
}

#[test]
fn fm_36_out_port_looks_at_old_and_new() {
    let mut s = Sim::new(Version::V13);
    let w = s.connect(Version::V13, ConnKind::Primary);
    s.on(w, ask(vec![MonitorRequest { out_port: OfPort(2), ..request(1, ALL) }]));
    let steps = [
        (FlowMod { actions: vec![output(1)], ..with_cookie(1, 1) }, 0),
        (modify(1, 2, 2), 1),
        (modify(1, 3, 3), 1),
        (modify(1, 4, 4), 0),
        (FlowMod { actions: vec![output(2)], ..with_cookie(2, 5) }, 1),
        (FlowMod { actions: vec![output(3)], ..with_cookie(2, 6) }, 1),
        (delete(2), 0),
    ];
    let c = s.c;
    for (n, (m, updates_)) in steps.into_iter().enumerate() {
        let effects = s.on(c, msg(m));
        assert_eq!(updates(&effects, w).len(), updates_, "step {n}");
    }
}

#[test]
fn fm_40_pausing() {
    for version in [Version::V10, Version::V13, Version::V15] {
        let mut s = Sim::new(version);
        let w = s.connect(version, ConnKind::Primary);
        s.on(w, ask(vec![request(1, ALL)]));
        let c = s.c;
        s.on(c, msg(with_cookie(1, 1)));
        let mut sent = Vec::new();
        let mut n = 1000;
        while !s.s.connection(w).unwrap().monitoring_paused() {
            let effects = s.on(c, msg(with_cookie(n, 1)));
            sent.extend(updates(&effects, w));
            n += 1;
            assert!(n < 1_000_000 && (n as usize - 1000) * 24 < 2 * LIMIT);
        }
        assert!(sent.last().unwrap().contains("Paused"), "{:?}", sent.last());
        // Only deletions of what is known, also of what has been replaced since.
        let mut step = |m: FlowMod| updates(&s.on(c, msg(m)), w);
        assert_eq!(step(with_cookie(2, 2)), [""; 0]);
        assert_eq!(step(modify(1000, 9, 3)), [""; 0]);
        assert_eq!(step(delete(2)), [""; 0]);
        assert_eq!(step(with_cookie(1, 9)), [""; 0]);
        assert_eq!(step(delete(1)).len(), 1);
        assert_eq!(step(with_cookie(3, 4)), [""; 0]);
        let effects = s.on(w, msg(with_cookie(4, 5)));
        assert_eq!(updates(&effects, w), [""; 0], "no abbreviation");
        s.s.monitor_backlog(w, 10);
        assert_eq!(s.drain(), []);
        s.s.monitor_backlog(w, 0);
        let effects = s.drain();
        let mut words = updates(&effects, w);
        assert!(words.pop().unwrap().contains("Resumed"));
        words.sort();
        let a = add(3).actions.len();
        assert_eq!(words, [format!("Added 4 {a}"), format!("Added 5 {a}"), "Modified 3 1".to_string()]);
    }
}

/// Table, priority and match of a flow.
type Key = (u8, u16, Vec<u64>);

/// A reader's picture of the table.
#[derive(Default)]
struct Picture(BTreeMap<Key, (u64, Vec<openflow::Action>)>);

impl Picture {
    fn take(&mut self, effects: &[Effect], c: ConnId) {
        for e in effects {
            let Effect::Send(id, _, Message::StatsReply { body: StatsReply::FlowMonitor(all), .. }) = e
            else {
                continue;
            };
            for u in all.iter().filter(|_| *id == c) {
                let key = (u.table, u.priority, u.matching.key_words().to_vec());
                match u.event {
                    FlowUpdateEvent::Deleted(_) => assert!(self.0.remove(&key).is_some(), "deleted unknown"),
                    FlowUpdateEvent::Modified => {
                        assert!(self.0.insert(key, (u.cookie.0, u.actions.clone())).is_some());
                    }
                    FlowUpdateEvent::Added | FlowUpdateEvent::Initial => {
                        self.0.insert(key, (u.cookie.0, u.actions.clone()));
                    }
                    _ => {}
                }
            }
        }
    }
}

/// Three controllers change flows at random, one reads slowly: after each resume its picture equals the table.
#[test]
fn fm_43_picture_after_resuming() {
    for seed in 1..=20u64 {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut random = move |n: u64| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 11) % n
        };
        let mut s = Sim::new(Version::V14);
        let w = s.connect(Version::V14, ConnKind::Primary);
        let others = [s.c, s.connect(Version::V14, ConnKind::Primary)];
        s.on(w, ask(vec![request(1, ALL | MonitorFlags::ONLY_OWN)]));
        let mut picture = Picture::default();
        let mut pauses = 0;
        for round in 0..60 {
            let mut batch = Vec::new();
            for _ in 0..random(60) {
                let n = 1 + random(40) as u32;
                let cookie = random(1 << 40);
                let m = match random(8) {
                    0..=3 => with_cookie(n, cookie),
                    4 | 5 => FlowMod { actions: vec![output(random(50) as u32 + 1)], ..modify(n, 1, cookie) },
                    6 => delete(n),
                    _ => FlowMod { idle_timeout: 1, ..with_cookie(n, cookie) },
                };
                let from = if random(5) == 0 { w } else { others[random(2) as usize] };
                batch.extend(s.on(from, msg(m)));
            }
            if random(10) == 0 {
                batch.extend(s.pass(1001));
            }
            picture.take(&batch, w);
            // The reader falls behind, or catches up.
            let behind = random(3) != 0;
            s.s.monitor_backlog(w, if behind { LIMIT } else { 0 });
            picture.take(&s.drain(), w);
            let paused = s.s.connection(w).unwrap().monitoring_paused();
            pauses += usize::from(paused);
            if !paused {
                let mut table = BTreeMap::new();
                for (id, t) in s.s.tables().iter() {
                    for r in t.flows.iter().filter(|r| !r.is_hidden()) {
                        let key = (id.0, r.priority as u16, r.matching.key_words().to_vec());
                        table.insert(key, (r.cookie.0, r.actions.to_vec()));
                    }
                }
                assert_eq!(picture.0, table, "seed {seed}, round {round}");
            }
        }
        assert!(pauses > 5, "{pauses}");
    }
}

#[test]
fn barriers_come_after_updates() {
    let mut s = Sim::new(Version::V13);
    s.send(ask(vec![request(1, ALL)]));
    s.s.handle_message(s.c, Xid(70), msg(add(1)), s.now, &Ports);
    s.s.handle_message(s.c, Xid(71), Message::BarrierRequest, s.now, &Ports);
    let effects = s.drain();
    assert_eq!(updates(&effects, s.c), ["abbrev 70"]);
    assert!(matches!(effects.last(), Some(Effect::Send(_, Xid(71), Message::BarrierReply))));
}

#[test]
fn disconnecting_ends_monitors() {
    let mut s = Sim::new(Version::V13);
    let w = s.connect(Version::V13, ConnKind::Primary);
    let mut m = Match::any();
    m.set(Field::ETH_SRC, 5);
    s.on(w, ask(vec![MonitorRequest { matching: MiniMatch::new(&m), ..request(1, ALL) }, request(2, ALL)]));
    s.s.disconnect(w);
    assert_eq!(s.send(msg(add(1))), []);
}
