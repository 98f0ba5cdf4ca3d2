//! The founding documents' items on flow tables and on what controllers may observe, one test each where the general
//! tests do not name them; `docs/checklist.md` lists all.

use crate::tests::*;
use crate::*;
use base::{Cookie, OfPort, TableId, Time, Xid};
use flow::{Field, Match, MiniMatch, Subfield};
use openflow::msg::*;
use openflow::{Message, OfpErr, Version};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

fn removed(effects: &[Effect]) -> Vec<FlowRemovedReason> {
    let reason = |e: &Effect| match e {
        Effect::Send(_, _, Message::FlowRemoved(r)) => Some(r.reason),
        _ => None,
    };
    effects.iter().filter_map(reason).collect()
}

fn send_removed() -> FlowModFlags {
    FlowModFlags(FlowModFlags::SEND_FLOW_REM)
}

fn strict(command: FlowModCommand, n: u32, to: u32) -> FlowMod {
    FlowMod { table: 0xff, ..fm(command, on_port(n), vec![output(to)]) }
}

#[test]
fn flow_tables_ft_01_add_replaces_without_telling() {
    for v in V {
        let mut s = Sim::new(v);
        s.ok(msg(FlowMod { flags: send_removed(), ..add(1) }));
        s.rule(&on_port(1)).stats.credit(3, 180, s.now);
        s.pass(5000);
        assert_eq!(
            s.send(msg(FlowMod { flags: send_removed(), ..add(1) })),
            [],
            "no flow-removed for the victim"
        );
        let f = &s.flows()[0];
        assert_eq!((f.duration_sec, f.duration_nsec), (0, 0));
        // Counters start anew up to 1.1, and later if the controller says so.
        assert_eq!(f.packet_count, if v <= Version::V11 { 0 } else { 3 });
    }
}

#[test]
fn flow_tables_ft_02_hidden_flows_do_not_overlap() {
    let mut s = Sim::new(Version::V13);
    s.s.add_internal_flow(TableId(0), 180_000, on_port(1), &[output(2)], s.now);
    s.drain();
    let overlap = FlowModFlags(FlowModFlags::CHECK_OVERLAP);
    s.ok(msg(FlowMod { flags: overlap, priority: 0xffff, ..fm(FlowModCommand::Add, on_mac(3), vec![]) }));
    let again = FlowMod { flags: overlap, priority: 0xffff, ..add(1) };
    assert_eq!(s.error(msg(again)), Some(OfpErr::OFPFMFC_OVERLAP));
}

#[test]
fn flow_tables_ft_03_any_table_is_table_0_in_openflow_10() {
    let mut s = Sim::new(Version::V10);
    s.ok(msg(FlowMod { table: 0xff, ..add(1) }));
    assert_eq!(s.flows()[0].table, 0);
}

#[test]
fn flow_tables_ft_09_timeouts_up_to_65535_seconds() {
    let mut s = Sim::new(Version::V13);
    s.ok(msg(FlowMod { idle_timeout: 50_000, hard_timeout: 65_535, flags: send_removed(), ..add(1) }));
    for _ in 0..65 {
        s.rule(&on_port(1)).stats.credit(1, 60, s.now);
        assert_eq!(removed(&s.pass(1_000_000)), []);
    }
    assert_eq!(removed(&s.pass(535_001)), [FlowRemovedReason::HardTimeout]);
}

#[test]
fn flow_tables_ft_10_modifying_restarts_the_hard_timer_only() {
    let mut s = Sim::new(Version::V13);
    s.ok(msg(FlowMod { hard_timeout: 10, flags: send_removed(), ..add(1) }));
    s.ok(msg(FlowMod { idle_timeout: 10, flags: send_removed(), ..add(2) }));
    assert_eq!(removed(&s.pass(6000)), []);
    s.ok(msg(FlowMod { table: 0, ..fm(FlowModCommand::Modify, MiniMatch::default(), vec![output(9)]) }));
    assert_eq!(removed(&s.pass(4001)), [FlowRemovedReason::IdleTimeout]);
    assert_eq!(removed(&s.pass(6000)), [FlowRemovedReason::HardTimeout]);
}

#[test]
fn flow_tables_ft_21_ft_34_strict_in_all_tables() {
    for v in [Version::V10, Version::V13] {
        let mut s = Sim::new(v);
        for table in [0, 3, 7] {
            s.ok(msg(FlowMod { table, ..add(1) }));
        }
        if v == Version::V10 {
            s.ok(msg(strict(FlowModCommand::ModifyStrict, 1, 9)));
            assert!(s.flows().iter().all(|f| *f.actions == [output(9)]));
        }
        s.ok(msg(strict(FlowModCommand::DeleteStrict, 1, 0)));
        assert!(s.flows().is_empty());
    }
}

#[test]
fn flow_tables_ft_23_cookies_of_modified_flows() {
    let mut s = Sim::new(Version::V13);
    s.ok(msg(FlowMod { new_cookie: Cookie(5), ..add(1) }));
    let m = fm(FlowModCommand::Modify, on_port(1), vec![output(2)]);
    s.ok(msg(FlowMod { new_cookie: Cookie(6), ..m.clone() }));
    assert_eq!(s.flows()[0].cookie, Cookie(5), "1.1 and later keep it");
    s.ok(msg(FlowMod { new_cookie: Cookie(6), modify_cookie: true, ..m }));
    assert_eq!(s.flows()[0].cookie, Cookie(6), "1.0 changes it");
}

#[test]
fn flow_tables_ft_24_hidden_flows_stay() {
    let mut s = Sim::new(Version::V10);
    s.s.add_internal_flow(TableId(0), 180_000, on_port(1), &[output(2)], s.now);
    s.drain();
    for command in [FlowModCommand::Modify, FlowModCommand::Delete, FlowModCommand::DeleteStrict] {
        s.ok(msg(FlowMod { priority: 0xffff, ..strict(command, 1, 9) }));
    }
    let hidden = s.s.tables().find_exact(TableId(0), &on_port(1), 180_000).expect("still there");
    assert_eq!(*hidden.actions, [output(2)]);
}

#[test]
fn flow_tables_ft_32_deletion_cannot_fail() {
    for v in V {
        let mut s = Sim::new(v);
        s.ok(msg(fm(FlowModCommand::Delete, on_mac(77), vec![])));
        s.ok(msg(fm(FlowModCommand::DeleteStrict, on_mac(77), vec![])));
    }
}

#[test]
fn flow_tables_ft_41_unknown_counts_make_unknown_sums() {
    let mut s = Sim::new(Version::V13);
    for (n, packets, bytes) in [(1, 5, 300), (2, u64::MAX, 60), (3, 1, 60)] {
        s.ok(msg(add(n)));
        s.rule(&on_port(n)).stats.credit(packets, bytes, s.now);
    }
    let request = Box::new(stats_request(MiniMatch::default()));
    let e = s.send(Message::StatsRequest(StatsRequest::Aggregate(request)));
    let [Effect::Send(_, _, Message::StatsReply { body: StatsReply::Aggregate(a), .. })] = &e[..] else {
        panic!("{e:?}")
    };
    assert_eq!((a.packet_count, a.byte_count, a.flow_count), (u64::MAX, 420, 3));
}

#[test]
fn flow_tables_ft_43_durations_in_milliseconds() {
    let mut s = Sim::new(Version::V13);
    s.now = Time(s.now.0 + 700_123);
    s.ok(msg(add(1)));
    s.now = Time(s.now.0 + 1_500_900_000);
    let f = &s.flows()[0];
    assert_eq!((f.duration_sec, f.duration_nsec), (1, 501_000_000));
}

#[test]
fn flow_tables_ft_44_long_replies_come_in_parts() {
    let mut s = Sim::new(Version::V13);
    (0..1000).for_each(|n| s.ok(msg(add(n))));
    let request = Box::new(stats_request(MiniMatch::default()));
    let parts = s.send(Message::StatsRequest(StatsRequest::Flow(request)));
    let more: Vec<bool> = parts
        .iter()
        .map(|e| match e {
            Effect::Send(_, xid, Message::StatsReply { more, .. }) => {
                assert_eq!(*xid, Xid(1001));
                *more
            }
            other => panic!("{other:?}"),
        })
        .collect();
    assert!(more.len() > 1 && !more[more.len() - 1] && more[..more.len() - 1].iter().all(|m| *m));
}

#[test]
fn flow_tables_ft_47_a_port_that_is_not_there_has_no_statistics() {
    let mut s = Sim::new(Version::V10);
    let e = s.send(Message::StatsRequest(StatsRequest::Port(OfPort(99))));
    assert!(
        matches!(&e[..], [Effect::Send(_, _, Message::StatsReply { body: StatsReply::Port(p), more: false })]
        if p.is_empty())
    );
}

#[test]
fn flow_tables_ft_49_description() {
    let mut s = Sim::new(Version::V13);
    s.s.config_mut().serial = "1234".into();
    let e = s.send(Message::StatsRequest(StatsRequest::Desc));
    let [Effect::Send(_, _, Message::StatsReply { body: StatsReply::Desc(d), .. })] = &e[..] else {
        panic!("{e:?}")
    };
    let all = [&d.manufacturer, &d.hardware, &d.serial, &d.datapath].map(|s| s.as_str());
    assert_eq!(all, ["Nicira, Inc.", "Open vSwitch", "1234", "None"]);
}

#[test]
fn flow_tables_ft_64_reassembling_is_not_taken_up() {
    let mut s = Sim::new(Version::V13);
    let set =
        |frag| Message::SetConfig(SwitchConfig { frag, invalid_ttl_to_controller: None, miss_send_len: 128 });
    assert_eq!(s.send(set(FragHandling::Drop)), [Effect::Fragments(FragHandling::Drop)]);
    assert_eq!(s.send(set(FragHandling::Reassemble)), []);
    assert_eq!(s.s.fragments(), FragHandling::Drop);
    assert_eq!(s.send(set(FragHandling::NxMatch)), [Effect::Fragments(FragHandling::NxMatch)]);
}

fn limited(limit: u32) -> TableConfig {
    TableConfig { flow_limit: Some(limit), ..TableConfig::default() }
}

#[test]
fn flow_tables_eviction_takes_from_the_largest_group() {
    let mut s = Sim::new(Version::V14);
    let groups = vec![Subfield::whole(Field::IN_PORT_OXM)];
    s.s.configure_table(TableId(0), TableConfig { evict: true, groups, ..limited(4) }, s.now);
    // One flow of port 1, which would go first, and three of port 2.
    s.ok(msg(FlowMod { hard_timeout: 5, ..fm(FlowModCommand::Add, both(1, 1), vec![]) }));
    for (mac, importance, hard_timeout) in [(1, 9, 10), (2, 3, 30), (3, 3, 20)] {
        let flow = fm(FlowModCommand::Add, both(2, mac), vec![]);
        s.ok(msg(FlowMod { hard_timeout, importance, ..flow }));
    }
    let left = |s: &mut Sim| {
        let mut left: Vec<_> = s.flows().iter().map(|f| (f.importance, f.hard_timeout)).collect();
        left.sort_unstable();
        left
    };
    s.ok(msg(FlowMod { hard_timeout: 99, ..fm(FlowModCommand::Add, both(3, 1), vec![]) }));
    assert_eq!(left(&mut s), [(0, 5), (0, 99), (3, 30), (9, 10)], "least important, then first to go");
    s.ok(msg(FlowMod { hard_timeout: 98, ..fm(FlowModCommand::Add, both(4, 1), vec![]) }));
    assert_eq!(left(&mut s), [(0, 5), (0, 98), (0, 99), (9, 10)], "still the largest");
    s.ok(msg(FlowMod { hard_timeout: 97, ..fm(FlowModCommand::Add, both(5, 1), vec![]) }));
    assert_eq!(left(&mut s), [(0, 97), (0, 98), (0, 99), (9, 10)], "all are equal now");
}

#[test]
fn flow_tables_a_new_limit_evicts_what_is_too_many() {
    let mut s = Sim::new(Version::V14);
    for n in 1..=10 {
        s.ok(msg(FlowMod { hard_timeout: 100 + n as u16, flags: send_removed(), ..add(n) }));
    }
    s.s.configure_table(TableId(0), TableConfig { evict: true, ..limited(4) }, s.now);
    let effects = s.drain();
    assert_eq!(removed(&effects), [FlowRemovedReason::Eviction; 6]);
    assert_eq!(s.flows().iter().map(|f| f.hard_timeout).collect::<Vec<_>>(), [107, 108, 109, 110]);
}

#[test]
fn flow_tables_eviction_by_controller_and_by_database() {
    let mut s = Sim::new(Version::V14);
    s.s.configure_table(TableId(0), limited(1), s.now);
    s.ok(msg(FlowMod { hard_timeout: 5, ..add(1) }));
    assert_eq!(s.error(msg(add(2))), Some(OfpErr::OFPFMFC_TABLE_FULL));
    let evict = |eviction| {
        Message::TableMod(TableMod {
            table: 0,
            miss: TableMiss::Default,
            eviction,
            eviction_flags: 0,
            vacancy: TableVacancy::Default,
        })
    };
    s.ok(evict(TableEviction::On));
    s.ok(msg(FlowMod { hard_timeout: 5, ..add(2) }));
    s.ok(evict(TableEviction::Off));
    assert_eq!(s.error(msg(add(3))), Some(OfpErr::OFPFMFC_TABLE_FULL));
    // The database's word is another.
    let now = (*s.s.tables().table(TableId(0)).unwrap().config).clone();
    s.s.configure_table(TableId(0), TableConfig { evict: true, ..now }, s.now);
    s.ok(msg(add(3)));
}

/// As recorded: what is waited for first depends on how full the table is when events are asked for.
#[test]
fn flow_tables_vacancy_events() {
    let told = |effects: Vec<Effect>| -> Vec<(TableReason, u8)> {
        let one = |e: Effect| match e {
            Effect::Send(_, Xid(0), Message::TableStatus(t)) => match t.desc.vacancy {
                TableVacancy::On { down: 20, up: 80, vacancy } => (t.reason, vacancy),
                other => panic!("{other:?}"),
            },
            other => panic!("{other:?}"),
        };
        effects.into_iter().map(one).collect()
    };
    let ask = Message::TableMod(TableMod {
        table: 0,
        miss: TableMiss::Default,
        eviction: TableEviction::Default,
        eviction_flags: 0,
        vacancy: TableVacancy::On { down: 20, up: 80, vacancy: 0 },
    });
    for (first, on_the_way_up) in [(0, Some((9, TableReason::VacancyDown, 10))), (5, None)] {
        let mut s = Sim::new(Version::V14);
        let kind = AsyncKind::TableStatus as usize;
        let mut config = AsyncConfig { said: 2 << (2 * kind), ..AsyncConfig::default() };
        config.primary[kind] = 0x18;
        s.ok(Message::SetAsync(Box::new(config)));
        let now = s.s.connection(s.c).unwrap().async_config;
        assert_ne!(now.primary[AsyncKind::FlowRemoved as usize], 0, "what was not said stays");
        s.s.configure_table(TableId(0), limited(10), s.now);
        (1..=first).for_each(|n| s.ok(msg(add(n))));
        assert_eq!(s.send(ask.clone()), []);
        for n in first + 1..=10 {
            let effects = s.send(msg(add(n)));
            let want = on_the_way_up.filter(|(at, ..)| *at == n).map(|(_, reason, v)| (reason, v));
            assert_eq!(told(effects), Vec::from_iter(want), "{n}");
        }
        for n in 1..=10 {
            let effects = s.send(msg(fm(FlowModCommand::Delete, on_port(n), vec![])));
            let want = (n == 9).then_some((TableReason::VacancyUp, 90));
            assert_eq!(told(effects), Vec::from_iter(want), "{n}");
        }
    }
}

#[test]
fn async_as_01_as_02_one_request_one_error() {
    let mut s = Sim::new(Version::V13);
    (1..=5).for_each(|n| s.ok(msg(add(n))));
    let before = s.flows();
    let group = vec![openflow::Action::Group(openflow::action::Group { group: base::GroupId(9) })];
    let e = s.send(msg(fm(FlowModCommand::Modify, MiniMatch::default(), group)));
    assert!(matches!(&e[..], [Effect::Error(_, Xid(7), OfpErr::OFPBAC_BAD_OUT_GROUP)]), "{e:?}");
    assert_eq!(s.flows(), before);
    assert_eq!(s.send(msg(add(6))), [], "success is silent");
}

#[test]
fn async_as_04_the_switchs_own_changes_report_no_errors() {
    let mut s = Sim::new(Version::V13);
    s.s.configure_table(TableId(0), limited(0), s.now);
    let done = s.s.flow_mod(add(1), Version::V10, s.now);
    assert_eq!(done, Err(OfpErr::OFPFMFC_TABLE_FULL));
    assert_eq!(s.drain(), []);
}

#[test]
fn async_as_22_flush_removes_all_and_brings_back_the_switchs_own() {
    let mut s = Sim::new(Version::V13);
    s.s.set_fail_mode(fail::Mode::Standalone, s.now);
    s.ok(msg(FlowMod { flags: send_removed(), ..add(1) }));
    s.s.flush_flows(s.now);
    let effects = s.s.take_effects();
    assert_eq!(removed(&effects), [FlowRemovedReason::Delete]);
    assert!(s.flows().len() <= 1, "the default flow at most");
}

/// A thread forwards packets through two tables, each of 5,000 flows, while bundles change all of them at once: what
/// the first table does and what the second does always belong together.
#[test]
fn bundles_are_atomic_for_packets() {
    use BundleControlKind as K;
    const FLOWS: u32 = 5_000;
    let control = |kind| Message::BundleControl(BundleControl { bundle_id: 1, kind, flags: 3 });
    let mut s = Sim::new(Version::V14);
    let mut commit = |round: u64| {
        s.send(control(K::OpenRequest));
        for table in [0u8, 1] {
            for n in 0..FLOWS {
                let flow = FlowMod { table, new_cookie: Cookie(round), ..add(n) };
                let add = BundleAdd { bundle_id: 1, flags: 3, xid: Xid(n), message: msg(flow) };
                s.send(Message::BundleAdd(Box::new(add)));
            }
        }
        let e = s.send(control(K::CommitRequest));
        assert!(matches!(e.last(), Some(Effect::Send(_, _, Message::BundleControl(_)))), "{e:?}");
        s.s.tables().clone()
    };
    let published = Mutex::new(commit(1));
    let (done, packets) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut seen = 0;
            while !done.load(Ordering::Acquire) {
                let tables = published.lock().unwrap().clone();
                for n in (0..FLOWS).step_by(97) {
                    let mut m = Match::any();
                    m.set(Field::IN_PORT_OXM, u128::from(n));
                    let other = (n * 31 + 7) % FLOWS;
                    let mut k = Match::any();
                    k.set(Field::IN_PORT_OXM, u128::from(other));
                    let first = tables.lookup(TableId(0), &m.key, None).expect("a flow").cookie;
                    let second = tables.lookup(TableId(1), &k.key, None).expect("a flow").cookie;
                    assert_eq!(first, second, "one packet sees all or nothing");
                    assert!(first.0 >= seen);
                    seen = first.0;
                    packets.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
        for round in 2..=6 {
            let tables = commit(round);
            *published.lock().unwrap() = tables;
        }
        done.store(true, Ordering::Release);
    });
    assert!(packets.load(Ordering::Relaxed) > 0);
}

fn learner(flags: u16) -> Vec<openflow::Action> {
    vec![openflow::Action::Learn(Box::new(openflow::action::Learn {
        idle_timeout: 0,
        hard_timeout: 0,
        priority: 0x8000,
        table: 1,
        cookie: Cookie(7),
        flags,
        fin_idle_timeout: 0,
        fin_hard_timeout: 0,
        limit: 0,
        result_dst: None,
        specs: Box::default(),
    }))]
}

fn learned(n: u32) -> FlowMod {
    FlowMod {
        table: 1,
        new_cookie: Cookie(7),
        ..fm(FlowModCommand::ModifyStrict, on_port(n), vec![output(n)])
    }
}

#[test]
fn learning_stops_at_its_limit() {
    let mut s = Sim::new(Version::V13);
    for n in [1, 2, 3, 1] {
        s.s.learn(learned(n), 2, s.now).unwrap();
    }
    let flows = s.flows();
    assert_eq!(flows.len(), 2);
    assert!(flows.iter().all(|f| f.flags == FlowModFlags(0)));
    // Flows of another cookie do not count.
    s.s.learn(FlowMod { new_cookie: Cookie(8), ..learned(4) }, 2, s.now).unwrap();
    assert_eq!(s.flows().len(), 3);
}

#[test]
fn what_was_learned_goes_with_the_last_of_its_learners() {
    let delete_learned = openflow::action::Learn::DELETE_LEARNED;
    let mut s = Sim::new(Version::V13);
    s.ok(msg(fm(FlowModCommand::Add, on_port(1), learner(delete_learned))));
    s.ok(msg(fm(FlowModCommand::Add, on_port(2), learner(delete_learned))));
    s.ok(msg(fm(FlowModCommand::Add, on_port(3), learner(0))));
    for n in [11, 12] {
        s.s.learn(learned(n), 0, s.now).unwrap();
    }
    // Replacing one by its like is no end.
    s.ok(msg(fm(FlowModCommand::Add, on_port(1), learner(delete_learned))));
    s.ok(msg(fm(FlowModCommand::Delete, on_port(1), vec![])));
    s.ok(msg(fm(FlowModCommand::Modify, on_port(3), vec![output(1)])));
    assert_eq!(s.flows().iter().filter(|f| f.table == 1).count(), 2);
    s.ok(msg(FlowMod { table: 0, ..fm(FlowModCommand::Modify, on_port(2), vec![output(1)]) }));
    assert_eq!(s.flows().iter().filter(|f| f.table == 1).count(), 0);
}
