//! A switch and its controllers on virtual time. What is expected was recorded from the reference switch (3.5.0).

use crate::fail::{Contact, FAIL_OPEN_PRIORITY, Mode};
use crate::*;
use base::{Cookie, Dpid, GroupId, Mac, MeterId, OfPort, TableId, Time, Xid};
use flow::{Field, FlowKey, Match, MiniMatch};
use openflow::action::{
    CloneActions, Enqueue, Group as GroupAction, Meter as MeterAction, Output, WriteActions,
};
use openflow::msg::*;
use openflow::{Action, Message, OfpErr, Version};
use std::time::Duration;

pub(crate) struct Ports;

impl Host for Ports {
    fn port_stats(&self, port: OfPort) -> Option<PortStats> {
        Some(PortStats {
            port,
            duration: None,
            rx_packets: u64::from(port.0),
            tx_packets: 0,
            rx_bytes: 0,
            tx_bytes: 0,
            rx_dropped: u64::MAX,
            tx_dropped: u64::MAX,
            rx_errors: 0,
            tx_errors: 0,
            rx_frame_err: 0,
            rx_over_err: 0,
            rx_crc_err: 0,
            collisions: 0,
            rfc2819: None,
            custom: Vec::new(),
        })
    }
    fn queue_stats(&self, port: OfPort) -> Vec<QueueStats> {
        vec![QueueStats { port, queue: 0, tx_bytes: 1, tx_packets: 1, tx_errors: 0, duration: None }]
    }
    fn queue_config(&self, port: OfPort) -> Vec<QueueConfig> {
        vec![QueueConfig { port, queue: 0, min_rate: None, max_rate: None }]
    }
}

/// A switch with ports 1, 2 and LOCAL, in secure mode, and one connection.
pub(crate) struct Sim {
    pub(crate) s: Ofproto,
    pub(crate) now: Time,
    pub(crate) c: ConnId,
    next_xid: u32,
}

pub(crate) fn port(n: u32) -> PhyPort {
    PhyPort {
        port: OfPort(n),
        hw_addr: Mac([0xaa, 0x55, 0, 0, 0, n as u8]),
        name: format!("p{n}"),
        state: PortState(PortState::LIVE),
        ..PhyPort::default()
    }
}

impl Sim {
    pub(crate) fn new(version: Version) -> Sim {
        let now = Time::from_millis(86_400_000);
        let mut s = Ofproto::new(OfprotoConfig::new("br0", Dpid(0x23)), now);
        s.set_fail_mode(Mode::Secure, now);
        for n in [1, 2] {
            s.put_port(port(n), now);
        }
        s.put_port(PhyPort { port: OfPort::LOCAL, name: "br0".into(), ..port(254) }, now);
        let c = s.connect(&ConnConfig { kind: ConnKind::Primary, version, enable_async: true });
        s.take_effects();
        Sim { s, now, c, next_xid: 1 }
    }

    pub(crate) fn connect(&mut self, version: Version, kind: ConnKind) -> ConnId {
        self.s.connect(&ConnConfig { kind, version, enable_async: true })
    }

    /// Effects of a message on a connection, but for publishing.
    pub(crate) fn on(&mut self, c: ConnId, message: Message) -> Vec<Effect> {
        let xid = Xid(self.next_xid);
        self.next_xid += 1;
        self.s.handle_message(c, xid, message, self.now, &Ports);
        while self.s.is_answering(c) {
            self.s.answer(c, self.now);
        }
        self.drain()
    }

    pub(crate) fn send(&mut self, message: Message) -> Vec<Effect> {
        self.on(self.c, message)
    }

    pub(crate) fn drain(&mut self) -> Vec<Effect> {
        let effects = self.s.take_effects().into_iter();
        effects.filter(|e| !matches!(e, Effect::TablesChanged)).collect()
    }

    /// The error with which a message is answered.
    pub(crate) fn error(&mut self, message: Message) -> Option<OfpErr> {
        match self.send(message).as_slice() {
            [Effect::Error(_, _, e)] => Some(*e),
            [] => None,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn ok(&mut self, message: Message) {
        assert_eq!(self.error(message), None);
    }

    pub(crate) fn pass(&mut self, ms: u64) -> Vec<Effect> {
        self.now += Duration::from_millis(ms);
        self.s.run(self.now);
        self.drain()
    }

    /// The flows that a request shows, in the order of their tables and in-ports.
    pub(crate) fn flows(&mut self) -> Vec<FlowStats> {
        self.flow_stats(stats_request(MiniMatch::default()))
    }

    pub(crate) fn flow_stats(&mut self, r: FlowStatsRequest) -> Vec<FlowStats> {
        let effects = self.send(Message::StatsRequest(StatsRequest::Flow(Box::new(r))));
        let mut flows = Vec::new();
        for e in effects {
            match e {
                Effect::Send(_, _, Message::StatsReply { body: StatsReply::Flow(f), .. }) => flows.extend(f),
                other => panic!("{other:?}"),
            }
        }
        flows.sort_by_key(|f| (f.table, in_port_of(&f.matching), f.priority));
        flows
    }

    fn ports_of_flows(&mut self) -> Vec<u32> {
        self.flows().iter().map(|f| in_port_of(&f.matching)).collect()
    }

    pub(crate) fn rule(&self, m: &MiniMatch) -> std::sync::Arc<Rule> {
        self.s.tables().find_exact(TableId(0), m, 0x8000).cloned().expect("the flow is there")
    }
}

fn in_port_of(m: &MiniMatch) -> u32 {
    m.expand().key.in_port().0
}

pub(crate) fn on_port(n: u32) -> MiniMatch {
    let mut m = Match::any();
    m.set(Field::IN_PORT_OXM, u128::from(n));
    MiniMatch::new(&m)
}

pub(crate) fn on_mac(n: u64) -> MiniMatch {
    let mut m = Match::any();
    m.set(Field::ETH_SRC, u128::from(n));
    MiniMatch::new(&m)
}

pub(crate) fn both(port: u32, mac: u64) -> MiniMatch {
    let mut m = Match::any();
    m.set(Field::IN_PORT_OXM, u128::from(port));
    m.set(Field::ETH_SRC, u128::from(mac));
    MiniMatch::new(&m)
}

pub(crate) fn output(n: u32) -> Action {
    Action::Output(Output { port: OfPort(n), max_len: 0 })
}

pub(crate) fn fm(command: FlowModCommand, m: MiniMatch, actions: Vec<Action>) -> FlowMod {
    let table =
        if matches!(command, FlowModCommand::Delete | FlowModCommand::DeleteStrict) { 0xff } else { 0 };
    FlowMod { table, actions, ..FlowMod::new(command, m) }
}

pub(crate) fn msg(fm: FlowMod) -> Message {
    Message::FlowMod(Box::new(fm))
}

pub(crate) fn add(n: u32) -> FlowMod {
    fm(FlowModCommand::Add, on_port(n), vec![output(2)])
}

pub(crate) fn stats_request(matching: MiniMatch) -> FlowStatsRequest {
    FlowStatsRequest {
        matching,
        cookie: Cookie(0),
        cookie_mask: Cookie(0),
        out_port: OfPort::NONE,
        out_group: GroupId::ANY,
        table: 0xff,
    }
}

pub(crate) const V: [Version; 6] = Version::ALL;

#[test]
fn table_numbers() {
    use FlowModCommand as C;
    for v in V {
        let mut s = Sim::new(v);
        let old = v == Version::V10;
        for (command, table, want) in [
            (C::Add, 253, None),
            (C::Add, 254, Some(OfpErr::OFPBRC_EPERM)),
            // None of its flows is meant.
            (C::Delete, 254, None),
            (C::DeleteStrict, 254, None),
            (C::Modify, 254, Some(OfpErr::OFPBRC_EPERM)),
            (C::ModifyStrict, 254, Some(OfpErr::OFPBRC_EPERM)),
            (C::Add, 255, (!old).then_some(OfpErr::OFPFMFC_BAD_TABLE_ID)),
            (C::Modify, 255, (!old).then_some(OfpErr::OFPFMFC_BAD_TABLE_ID)),
            (C::Delete, 255, None),
            (C::DeleteStrict, 255, None),
        ] {
            let got = s.error(msg(FlowMod { table, ..fm(command, on_port(1), vec![]) }));
            assert_eq!(got, want, "{v} {command:?} {table}");
        }
    }
}

#[test]
fn replacing_a_flow() {
    for v in V {
        let mut s = Sim::new(v);
        s.ok(msg(FlowMod { new_cookie: Cookie(7), idle_timeout: 50, ..add(1) }));
        s.rule(&on_port(1)).stats.credit(2, 212, s.now);
        s.pass(1000);
        s.ok(msg(FlowMod { new_cookie: Cookie(8), idle_timeout: 60, ..add(1) }));
        let f = &s.flows()[0];
        let kept = v >= Version::V12;
        assert_eq!((f.packet_count, f.byte_count), if kept { (2, 212) } else { (0, 0) }, "{v}");
        assert_eq!((f.duration_sec, f.cookie, f.idle_timeout), (0, Cookie(8), 60));
        assert_eq!(f.flags.has(FlowModFlags::RESET_COUNTS), !kept);
        s.ok(msg(FlowMod { flags: FlowModFlags(FlowModFlags::RESET_COUNTS), ..add(1) }));
        assert_eq!(s.flows()[0].packet_count, 0);
        assert_eq!(s.flows().len(), 1);
    }
}

#[test]
fn modifying() {
    for v in V {
        let mut s = Sim::new(v);
        let one = FlowMod {
            new_cookie: Cookie(8),
            hard_timeout: 60,
            flags: FlowModFlags(FlowModFlags::NO_PKT_COUNTS),
            ..add(1)
        };
        s.ok(msg(one));
        s.ok(msg(fm(FlowModCommand::Add, both(1, 5), vec![output(2)])));
        s.ok(msg(add(2)));
        s.rule(&on_port(1)).stats.credit(3, 300, s.now);
        s.pass(2000);
        let change = FlowMod {
            new_cookie: Cookie(9),
            modify_cookie: v == Version::V10,
            idle_timeout: 70,
            hard_timeout: 9,
            flags: FlowModFlags(FlowModFlags::SEND_FLOW_REM),
            ..fm(FlowModCommand::Modify, on_port(1), vec![output(3)])
        };
        s.ok(msg(change.clone()));
        let flows = s.flows();
        assert_eq!(flows.iter().filter(|f| *f.actions == [output(3)]).count(), 2);
        let f = flows.iter().find(|f| f.matching == on_port(1)).unwrap();
        assert_eq!(f.cookie, Cookie(if v == Version::V10 { 9 } else { 8 }));
        assert_eq!((f.idle_timeout, f.hard_timeout, f.duration_sec, f.packet_count), (0, 60, 2, 3));
        assert_eq!(f.hard_age, Some(0));
        assert!(f.flags.has(FlowModFlags::NO_PKT_COUNTS) && !f.flags.has(FlowModFlags::SEND_FLOW_REM));
        // The hard timeout counts from the change.
        s.pass(58_001);
        assert_eq!(s.flows().len(), 3);
        s.pass(2000);
        assert_eq!(s.flows().len(), 2);
        // Strictly: only the very match and priority.
        s.ok(msg(fm(FlowModCommand::ModifyStrict, on_port(2), vec![output(5)])));
        assert_eq!(s.flows().iter().filter(|f| *f.actions == [output(5)]).count(), 1);
        let reset = FlowMod { flags: FlowModFlags(FlowModFlags::RESET_COUNTS), ..change };
        s.rule(&both(1, 5)).stats.credit(3, 300, s.now);
        s.ok(msg(reset));
        assert_eq!(s.flows().iter().map(|f| f.packet_count).sum::<u64>(), 0);
    }
}

#[test]
fn modifying_what_is_not_there() {
    use FlowModCommand as C;
    for v in V {
        for command in [C::Modify, C::ModifyStrict] {
            for cookie_mask in [0, 1] {
                let mut s = Sim::new(v);
                s.ok(msg(FlowMod {
                    cookie_mask: Cookie(cookie_mask),
                    new_cookie: Cookie(9),
                    ..fm(command, on_port(7), vec![output(3)])
                }));
                let adds = v <= Version::V11 && cookie_mask == 0;
                assert_eq!(s.flows().len(), usize::from(adds), "{v} {command:?} {cookie_mask}");
            }
        }
    }
}

/// Every filter, for deletes of both kinds and for statistics.
#[test]
fn filters() {
    use FlowModCommand as C;
    let flows = [
        (on_port(1), 1u64, vec![Action::Enqueue(Enqueue { port: OfPort(1), queue: 2 })]),
        (on_port(2), 2, vec![Action::WriteActions(WriteActions { actions: vec![output(2)] })]),
        (on_port(3), 3, vec![Action::Clone(CloneActions { actions: vec![output(2)] })]),
        (on_port(4), 4, vec![Action::Controller(Box::default())]),
        (both(4, 5), 5, vec![Action::Group(GroupAction { group: GroupId(1) })]),
        (on_mac(5), 6, vec![output(OfPort::NORMAL.0)]),
    ];
    struct Case(MiniMatch, Option<(u64, u64)>, OfPort, GroupId, &'static [u64]);
    let any = MiniMatch::default;
    let (no_port, no_group) = (OfPort::NONE, GroupId::ANY);
    let cases = [
        Case(any(), None, no_port, no_group, &[1, 2, 3, 4, 5, 6]),
        Case(on_port(4), None, no_port, no_group, &[4, 5]),
        Case(on_mac(5), None, no_port, no_group, &[5, 6]),
        Case(both(4, 5), None, no_port, no_group, &[5]),
        Case(any(), Some((2, u64::MAX)), no_port, no_group, &[2]),
        Case(on_port(4), Some((5, u64::MAX)), no_port, no_group, &[5]),
        Case(on_port(1), Some((5, u64::MAX)), no_port, no_group, &[]),
        Case(any(), Some((1, 1)), no_port, no_group, &[1, 3, 5]),
        Case(any(), None, OfPort(1), no_group, &[1]),
        Case(any(), None, OfPort(2), no_group, &[2, 3]),
        Case(any(), None, OfPort::CONTROLLER, no_group, &[4]),
        Case(any(), None, OfPort::NORMAL, no_group, &[6]),
        Case(any(), None, OfPort::FLOOD, no_group, &[]),
        Case(any(), None, no_port, GroupId(1), &[5]),
        Case(any(), None, no_port, GroupId(2), &[]),
    ];
    for Case(m, cookie, out_port, out_group, want) in cases {
        let (cookie, cookie_mask) = cookie.unwrap_or_default();
        for strict in [false, true] {
            let mut s = Sim::new(Version::V13);
            s.ok(Message::GroupMod(Box::new(group(GroupModCommand::Add, 1))));
            for (m, cookie, actions) in &flows {
                let add = fm(C::Add, m.clone(), actions.clone());
                s.ok(msg(FlowMod { new_cookie: Cookie(*cookie), ..add }));
            }
            let request = FlowStatsRequest {
                cookie: Cookie(cookie),
                cookie_mask: Cookie(cookie_mask),
                out_port,
                out_group,
                ..stats_request(m.clone())
            };
            let mut shown: Vec<u64> = s.flow_stats(request.clone()).iter().map(|f| f.cookie.0).collect();
            shown.sort_unstable();
            assert_eq!(shown, want);
            let sums = s.send(Message::StatsRequest(StatsRequest::Aggregate(Box::new(request))));
            assert!(matches!(&sums[..], [Effect::Send(_, _, Message::StatsReply {
                body: StatsReply::Aggregate(a), .. })] if a.flow_count as usize == want.len()));
            s.ok(msg(FlowMod {
                cookie: Cookie(cookie),
                cookie_mask: Cookie(cookie_mask),
                out_port,
                out_group,
                ..fm(if strict { C::DeleteStrict } else { C::Delete }, m.clone(), vec![])
            }));
            let exact = flows.iter().find(|f| f.0 == m).map(|f| f.1);
            let gone: Vec<u64> = if strict {
                want.iter().copied().filter(|c| Some(*c) == exact).collect()
            } else {
                want.to_vec()
            };
            let mut left: Vec<u64> = s.flows().iter().map(|f| f.cookie.0).collect();
            left.sort_unstable();
            let expected: Vec<u64> = (1..=6).filter(|c| !gone.contains(c)).collect();
            assert_eq!(left, expected, "strict {strict} {m:?} {cookie:x}/{cookie_mask:x} {out_port:?}");
        }
    }
}

#[test]
fn errors_of_flow_mods() {
    use FlowModFlags as F;
    for v in V {
        let mut s = Sim::new(v);
        s.ok(msg(add(1)));
        let overlap = FlowMod { flags: F(F::CHECK_OVERLAP), ..fm(FlowModCommand::Add, on_mac(9), vec![]) };
        assert_eq!(s.error(msg(overlap.clone())), Some(OfpErr::OFPFMFC_OVERLAP));
        assert_eq!(s.error(msg(FlowMod { priority: 3, ..overlap })), None);
        // The same match is no overlap but a replacement.
        assert_eq!(s.error(msg(FlowMod { flags: F(F::CHECK_OVERLAP), ..add(1) })), None);
        let group = vec![Action::Group(GroupAction { group: GroupId(7) })];
        let bad = fm(FlowModCommand::Add, on_port(3), group.clone());
        assert_eq!(s.error(msg(bad.clone())), Some(OfpErr::OFPBAC_BAD_OUT_GROUP));
        let change = fm(FlowModCommand::Modify, MiniMatch::default(), group);
        assert_eq!(s.error(msg(change)), Some(OfpErr::OFPBAC_BAD_OUT_GROUP));
        let meter = vec![Action::Meter(MeterAction { meter: MeterId(3) })];
        let metered = fm(FlowModCommand::Add, on_port(3), meter);
        assert_eq!(s.error(msg(metered)), Some(OfpErr::OFPMMFC_INVALID_METER));
        let buffered = FlowMod { buffer_id: Some(5), ..add(3) };
        assert_eq!(s.error(msg(buffered)), Some(OfpErr::OFPBRC_BUFFER_UNKNOWN));
        if v == Version::V10 {
            let emerg = FlowMod { flags: F(F::EMERG), ..add(3) };
            assert_eq!(s.error(msg(emerg.clone())), Some(OfpErr::OFPFMFC_TABLE_FULL));
            let timed = FlowMod { idle_timeout: 3, ..emerg };
            assert_eq!(s.error(msg(timed)), Some(OfpErr::OFPFMFC_BAD_EMERG_TIMEOUT));
        }
        assert_eq!(s.flows().len(), 2, "nothing that failed left a trace");
    }
}

#[test]
fn full_tables() {
    let mut s = Sim::new(Version::V14);
    let limit = TableConfig { flow_limit: Some(2), ..TableConfig::default() };
    s.s.configure_table(TableId(0), limit.clone(), s.now);
    s.ok(msg(FlowMod { importance: 5, hard_timeout: 10, flags: FlowModFlags(1), ..add(1) }));
    s.ok(msg(FlowMod { importance: 4, hard_timeout: 20, flags: FlowModFlags(1), ..add(2) }));
    assert_eq!(s.error(msg(add(3))), Some(OfpErr::OFPFMFC_TABLE_FULL));
    s.ok(msg(FlowMod { importance: 4, hard_timeout: 20, flags: FlowModFlags(1), ..add(2) }));
    s.s.configure_table(TableId(0), TableConfig { evict: true, ..limit }, s.now);
    let effects = s.send(msg(add(3)));
    assert!(matches!(&effects[..], [Effect::Send(_, Xid(0), Message::FlowRemoved(r))]
        if r.reason == FlowRemovedReason::Eviction && r.matching == on_port(2)));
    assert_eq!(s.ports_of_flows(), [1, 3]);
    // A permanent flow is not evicted.
    s.ok(msg(FlowMod { hard_timeout: 0, flags: FlowModFlags(0), ..add(1) }));
    assert_eq!(s.error(msg(add(4))), Some(OfpErr::OFPFMFC_TABLE_FULL));
}

#[test]
fn timeouts() {
    let mut s = Sim::new(Version::V13);
    let send = FlowModFlags(FlowModFlags::SEND_FLOW_REM);
    s.ok(msg(FlowMod { idle_timeout: 2, flags: send, new_cookie: Cookie(5), ..add(1) }));
    s.ok(msg(FlowMod { hard_timeout: 3, flags: send, ..add(2) }));
    s.ok(msg(FlowMod { idle_timeout: 2, ..add(3) }));
    assert_eq!(s.s.next_deadline(), s.now + Duration::from_nanos(2_000_000_001));
    // A flow lives through the last instant of its time.
    assert_eq!(s.pass(2000), []);
    s.rule(&on_port(3)).stats.credit(1, 60, s.now);
    assert_eq!(s.ports_of_flows(), [1, 2, 3]);
    let gone = s.pass(1);
    let [Effect::Send(_, Xid(0), Message::FlowRemoved(r))] = &gone[..] else { panic!("{gone:?}") };
    assert_eq!((r.reason, r.cookie, r.duration_sec), (FlowRemovedReason::IdleTimeout, Cookie(5), 2));
    assert_eq!((r.duration_nsec, r.idle_timeout, r.table), (1_000_000, 2, 0));
    assert_eq!(s.pass(999), []);
    let gone = s.pass(1);
    assert!(matches!(&gone[..], [Effect::Send(_, _, Message::FlowRemoved(r))]
        if r.reason == FlowRemovedReason::HardTimeout && r.hard_timeout == 3));
    assert_eq!(s.ports_of_flows(), [3]);
    s.pass(999);
    assert_eq!(s.pass(1), []);
    assert_eq!(s.ports_of_flows(), [] as [u32; 0]);
    assert_eq!(s.s.next_deadline(), Time::NEVER);
}

/// Flows with long timeouts that are added and deleted again do not pile up.
#[test]
fn deleted_flows_leave_the_timers() {
    let mut s = Sim::new(Version::V13);
    for round in 0..20_000 {
        s.ok(msg(FlowMod { hard_timeout: 60_000, ..add(round % 7) }));
        if round % 2 == 0 {
            s.ok(msg(fm(FlowModCommand::Delete, on_port(round % 7), vec![])));
        }
    }
    assert!(format!("{:?}", s.s).matches("Entry { due").count() < 2000);
}

#[test]
fn fin_timeouts() {
    let mut s = Sim::new(Version::V13);
    s.ok(msg(FlowMod { idle_timeout: 60, ..add(1) }));
    let rule = s.rule(&on_port(1));
    s.s.fin_timeout(&rule, 5, 10, s.now);
    let f = &s.flows()[0];
    assert_eq!((f.idle_timeout, f.hard_timeout), (5, 10));
    s.s.fin_timeout(&rule, 50, 50, s.now);
    assert_eq!(s.flows()[0].idle_timeout, 5);
    s.pass(5001);
    assert!(s.flows().is_empty());
}

#[test]
fn flow_removed_goes_to_who_wants_it() {
    let mut s = Sim::new(Version::V10);
    let v14 = s.connect(Version::V14, ConnKind::Primary);
    let tool = s.connect(Version::V13, ConnKind::Service);
    let second = s.connect(Version::V13, ConnKind::Primary);
    s.on(second, Message::RoleRequest(RoleRequest { role: Role::Secondary, generation_id: None }));
    let send = FlowModFlags(FlowModFlags::SEND_FLOW_REM);
    let told = |s: &mut Sim, message: Message| -> Vec<ConnId> {
        s.send(message)
            .iter()
            .map(|e| match e {
                Effect::Send(c, Xid(0), Message::FlowRemoved(_)) => *c,
                other => panic!("{other:?}"),
            })
            .collect()
    };
    let delete = || msg(fm(FlowModCommand::Delete, MiniMatch::default(), vec![]));
    s.ok(msg(FlowMod { flags: send, ..add(1) }));
    let c = s.c;
    assert_eq!(told(&mut s, delete()), [c, v14]);
    s.on(tool, Message::SetConfig(SwitchConfig { miss_send_len: 100, ..SwitchConfig::default() }));
    s.ok(msg(FlowMod { flags: send, ..add(1) }));
    assert_eq!(told(&mut s, delete()), [c, v14, tool]);
    // Nobody for a flow without the flag; nobody when replaced.
    s.ok(msg(add(1)));
    s.ok(msg(FlowMod { flags: send, ..add(1) }));
    s.ok(msg(add(1)));
    assert_eq!(told(&mut s, delete()), [] as [ConnId; 0]);
    let mut quiet = AsyncConfig { said: 0xfff, ..AsyncConfig::default() };
    quiet.secondary[AsyncKind::FlowRemoved as usize] = 1 << FlowRemovedReason::Delete.number();
    s.on(second, Message::SetAsync(Box::new(quiet)));
    s.on(v14, Message::SetAsync(Box::new(quiet)));
    s.ok(msg(FlowMod { flags: send, ..add(1) }));
    assert_eq!(told(&mut s, delete()), [c, tool, second]);
}

#[test]
fn roles() {
    let mut s = Sim::new(Version::V13);
    let other = s.connect(Version::V14, ConnKind::Primary);
    let mut all = AsyncConfig { said: 0xfff, ..AsyncConfig::default() };
    all.secondary[AsyncKind::RoleStatus as usize] = 7;
    s.on(other, Message::SetAsync(Box::new(all)));
    let ask = |role, generation_id| Message::RoleRequest(RoleRequest { role, generation_id });
    let reply = |c, x, role, generation_id| {
        Effect::Send(c, Xid(x), Message::RoleReply(RoleRequest { role, generation_id }))
    };
    let c = s.c;
    assert_eq!(s.send(ask(Role::NoChange, None)), [reply(c, 2, Role::Equal, None)]);
    assert_eq!(s.on(other, ask(Role::Primary, Some(5))), [reply(other, 3, Role::Primary, Some(5))]);
    assert_eq!(s.send(ask(Role::Primary, Some(4))), [Effect::Error(c, Xid(4), OfpErr::OFPRRFC_STALE)]);
    assert_eq!(s.send(ask(Role::Equal, Some(0))), [reply(c, 5, Role::Equal, Some(5))]);
    let status = RoleStatus { role: Role::Secondary, reason: RoleReason::PrimaryRequest, generation_id: 6 };
    assert_eq!(
        s.send(ask(Role::Primary, Some(6))),
        [Effect::Send(other, Xid(0), Message::RoleStatus(status)), reply(c, 6, Role::Primary, Some(6))]
    );
    assert_eq!(s.s.connection(other).unwrap().role, Role::Secondary);
    let po = || {
        Message::PacketOut(Box::new(PacketOut {
            packet: vec![0; 60],
            buffer_id: None,
            metadata: on_port(1),
            actions: vec![output(2)],
        }))
    };
    let pm = PortMod {
        port: OfPort(1),
        hw_addr: port(1).hw_addr,
        config: PortConfig(0),
        mask: PortConfig(0),
        advertise: 0,
    };
    let open = BundleControl { bundle_id: 1, kind: BundleControlKind::OpenRequest, flags: 0 };
    for m in [msg(add(1)), po(), Message::PortMod(pm), Message::BundleControl(open)] {
        let e = s.on(other, m);
        assert!(matches!(&e[..], [Effect::Error(_, _, OfpErr::OFPBRC_IS_SECONDARY)]), "{e:?}");
    }
    let config = |frag| SwitchConfig { frag, invalid_ttl_to_controller: None, miss_send_len: 77 };
    assert_eq!(s.on(other, Message::SetConfig(config(FragHandling::Drop))), []);
    assert_eq!(s.s.fragments(), FragHandling::Normal);
    assert_eq!(s.s.connection(other).unwrap().miss_send_len, 77);
    let e = s.send(Message::SetConfig(config(FragHandling::Drop)));
    assert_eq!(e, [Effect::Fragments(FragHandling::Drop)]);
    // Reassembly is not to be had: the old way stays, without an error.
    assert_eq!(s.send(Message::SetConfig(config(FragHandling::Reassemble))), []);
    assert_eq!(s.s.fragments(), FragHandling::Drop);
    // The number wraps around.
    let half = 6u64.wrapping_add(1 << 62);
    assert_eq!(s.on(other, ask(Role::Secondary, Some(half))).len(), 1);
    let e = s.on(other, ask(Role::Secondary, Some(6)));
    assert!(matches!(&e[..], [Effect::Error(_, _, OfpErr::OFPRRFC_STALE)]));
}

#[test]
fn port_mod_and_status() {
    for v in V {
        let mut s = Sim::new(v);
        let same = s.connect(v, ConnKind::Primary);
        let c = s.c;
        let pm = |p: u32, mac: u8, config, mask| {
            Message::PortMod(PortMod {
                port: OfPort(p),
                hw_addr: Mac([0xaa, 0x55, 0, 0, 0, mac]),
                config: PortConfig(config),
                mask: PortConfig(mask),
                advertise: 0,
            })
        };
        assert_eq!(s.error(pm(9, 1, 0, 0)), Some(OfpErr::OFPPMFC_BAD_PORT));
        assert_eq!(s.error(pm(1, 2, 0, 0)), Some(OfpErr::OFPPMFC_BAD_HW_ADDR));
        assert_eq!(s.error(pm(1, 1, 0, 0)), None);
        let told: Vec<ConnId> = s
            .send(pm(1, 1, PortConfig::NO_RECV, PortConfig::NO_RECV))
            .iter()
            .filter_map(|e| match e {
                Effect::Send(c, Xid(0), Message::PortStatus(p)) => {
                    assert_eq!(p.reason, PortReason::Modify);
                    assert_eq!(p.desc.config.0, PortConfig::NO_RECV);
                    Some(*c)
                }
                Effect::PortConfig(OfPort(1), PortConfig(PortConfig::NO_RECV)) => None,
                other => panic!("{other:?}"),
            })
            .collect();
        // Up to 1.4 the controller that did it is not told.
        assert_eq!(told, if v >= Version::V15 { vec![c, same] } else { vec![same] });
        // NO_FLOOD is not visible from 1.1 on.
        let n = s.send(pm(1, 1, PortConfig::NO_FLOOD, PortConfig::NO_FLOOD)).len();
        assert_eq!(n, if v == Version::V10 { 2 } else { 1 });
        // Ports that come, change, are renamed and go.
        let reasons = |s: &mut Sim| -> Vec<(PortReason, String)> {
            s.drain()
                .into_iter()
                .filter_map(|e| match e {
                    Effect::Send(to, _, Message::PortStatus(p)) if to == same => {
                        Some((p.reason, p.desc.name))
                    }
                    _ => None,
                })
                .collect()
        };
        s.s.put_port(port(3), s.now);
        s.s.put_port(port(3), s.now);
        assert_eq!(reasons(&mut s), [(PortReason::Add, "p3".to_string())]);
        s.s.put_port(PhyPort { state: PortState(PortState::LINK_DOWN), ..port(3) }, s.now);
        assert_eq!(reasons(&mut s), [(PortReason::Modify, "p3".to_string())]);
        s.s.put_port(PhyPort { name: "x".into(), ..port(3) }, s.now);
        let want = [(PortReason::Delete, "p3".to_string()), (PortReason::Add, "x".to_string())];
        assert_eq!(reasons(&mut s), want);
        s.s.remove_port(OfPort(3));
        s.s.remove_port(OfPort(3));
        assert_eq!(reasons(&mut s), [(PortReason::Delete, "x".to_string())]);
    }
}

#[test]
fn default_asynchronous_messages() {
    for (v, packet_in, flow_removed) in [
        (Version::V10, 0b11, 0b1111),
        (Version::V13, 0b11, 0b1111),
        (Version::V14, 0b11_1011, 0b11_1111),
        (Version::V15, 0b11_1011, 0b11_1111),
    ] {
        let mut s = Sim::new(v);
        let reply = s.send(Message::GetAsyncRequest);
        let [Effect::Send(_, _, Message::GetAsyncReply(a))] = &reply[..] else { panic!("{reply:?}") };
        assert_eq!(a.primary, [packet_in, 7, flow_removed, 0, 0, 0]);
        assert_eq!(a.secondary, [0, 7, 0, 0, 0, 0]);
    }
}

pub(crate) fn packet(reason: PacketInReason) -> PacketInEvent {
    PacketInEvent {
        packet: vec![1; 200],
        reason,
        table: 3,
        cookie: Cookie(u64::MAX),
        metadata: on_port(1),
        controller_id: 0,
        userdata: Vec::new(),
        continuation: None,
    }
}

#[test]
fn packet_ins() {
    use PacketInReason as R;
    let mut s = Sim::new(Version::V10);
    let v13 = s.connect(Version::V13, ConnKind::Primary);
    let v14 = s.connect(Version::V14, ConnKind::Primary);
    let (c, tool) = (s.c, s.connect(Version::V10, ConnKind::Service));
    let other = s.connect(Version::V10, ConnKind::Primary);
    s.on(other, Message::SetControllerId(7));
    let got = |s: &mut Sim, event: &PacketInEvent| -> Vec<(ConnId, R)> {
        s.s.packet_in(event.clone(), s.now);
        s.drain()
            .into_iter()
            .map(|e| match e {
                Effect::Send(c, Xid(0), Message::PacketIn(p)) => {
                    assert_eq!((p.packet.len(), p.packet_len, p.buffer_id), (200, 200, None));
                    (c, p.reason)
                }
                other => panic!("{other:?}"),
            })
            .collect()
    };
    for (reason, want) in [
        (R::ImplicitMiss, vec![(c, R::NoMatch)]),
        (R::ExplicitMiss, vec![(c, R::Action), (v13, R::NoMatch), (v14, R::NoMatch)]),
        (R::Action, vec![(c, R::Action), (v13, R::Action), (v14, R::Action)]),
        (R::ActionSet, vec![(c, R::Action), (v13, R::Action), (v14, R::ActionSet)]),
        (R::Group, vec![(c, R::Action), (v13, R::Action), (v14, R::Group)]),
        (R::PacketOut, vec![(c, R::Action), (v13, R::Action), (v14, R::PacketOut)]),
        (R::InvalidTtl, vec![]),
    ] {
        assert_eq!(got(&mut s, &packet(reason)), want, "{reason:?}");
    }
    let to_7 = PacketInEvent { controller_id: 7, ..packet(R::Action) };
    assert_eq!(got(&mut s, &to_7), [(other, R::Action)]);
    let config =
        SwitchConfig { invalid_ttl_to_controller: Some(true), miss_send_len: 10, ..Default::default() };
    s.on(tool, Message::SetConfig(config));
    assert_eq!(got(&mut s, &packet(R::InvalidTtl)), [(tool, R::InvalidTtl)]);
    // Misses go nowhere once nobody older than 1.3 is there.
    assert!(s.s.tables().implicit_miss_to_controller());
    [c, tool, other].into_iter().for_each(|c| s.s.disconnect(c));
    assert!(!s.s.tables().implicit_miss_to_controller());
    assert_eq!(s.s.tables().miss(TableId(0)), TableMiss::Drop);
}

fn bucket(id: u32, port: u32) -> Bucket {
    Bucket {
        bucket_id: id,
        weight: 1,
        watch_port: OfPort::NONE,
        watch_group: GroupId::ANY,
        actions: vec![output(port)],
    }
}

pub(crate) fn group(command: GroupModCommand, id: u32) -> GroupMod {
    GroupMod {
        command,
        kind: GroupType::All,
        group: GroupId(id),
        command_bucket_id: Bucket::ID_ALL,
        buckets: vec![bucket(0, 1), bucket(1, 2)],
        props: GroupProps::default(),
    }
}

#[test]
fn groups() {
    use GroupModCommand as C;
    let mut s = Sim::new(Version::V15);
    let gm = |s: &mut Sim, g: GroupMod| s.error(Message::GroupMod(Box::new(g)));
    assert_eq!(gm(&mut s, group(C::Add, 1)), None);
    assert_eq!(gm(&mut s, group(C::Add, 1)), Some(OfpErr::OFPGMFC_GROUP_EXISTS));
    assert_eq!(gm(&mut s, group(C::Modify, 2)), Some(OfpErr::OFPGMFC_UNKNOWN_GROUP));
    assert_eq!(gm(&mut s, group(C::Delete, 99)), None);
    assert_eq!(gm(&mut s, group(C::Add, 0xffff_ff00)), None);
    assert_eq!(gm(&mut s, group(C::Add, 0xffff_ff01)), Some(OfpErr::OFPGMFC_INVALID_GROUP));
    assert_eq!(gm(&mut s, group(C::AddOrModify, 5)), None);
    assert_eq!(gm(&mut s, group(C::AddOrModify, 5)), None);
    for n in [0, 2] {
        let g = GroupMod {
            kind: GroupType::Indirect,
            buckets: (0..n).map(|i| bucket(i, 1)).collect(),
            ..group(C::Add, 3)
        };
        assert_eq!(gm(&mut s, g), Some(OfpErr::OFPGMFC_INVALID_GROUP));
    }
    // Groups may name groups that are not there yet, and each other.
    let chain = |id, to: u32| {
        let actions = vec![Action::Group(GroupAction { group: GroupId(to) })];
        GroupMod { buckets: vec![Bucket { actions, ..bucket(0, 0) }], ..group(C::AddOrModify, id) }
    };
    assert_eq!(gm(&mut s, chain(6, 7)), None);
    assert_eq!(gm(&mut s, chain(7, 6)), None);

    s.s.tables().group(GroupId(5)).unwrap().counters.buckets[1].credit(3, 30);
    let change = |command, at, id| GroupMod {
        command_bucket_id: at,
        buckets: vec![bucket(id, 3)],
        ..group(command, 5)
    };
    let ids = |s: &Sim| -> Vec<u32> {
        s.s.tables().group(GroupId(5)).unwrap().buckets.iter().map(|b| b.bucket_id).collect()
    };
    let (ins, rem) = (C::InsertBucket, C::RemoveBucket);
    assert_eq!(gm(&mut s, change(ins, Bucket::ID_FIRST, 1)), Some(OfpErr::OFPGMFC_BUCKET_EXISTS));
    assert_eq!(gm(&mut s, change(ins, 77, 9)), Some(OfpErr::OFPGMFC_UNKNOWN_BUCKET));
    assert_eq!(gm(&mut s, change(ins, 0, 9)), None);
    assert_eq!(gm(&mut s, change(ins, Bucket::ID_FIRST, 8)), None);
    assert_eq!(gm(&mut s, change(ins, Bucket::ID_LAST, 7)), None);
    assert_eq!(ids(&s), [8, 0, 9, 1, 7]);
    assert_eq!(s.s.tables().group(GroupId(5)).unwrap().counters.buckets[3].get(), (3, 30));
    assert_eq!(gm(&mut s, change(rem, 77, 0)), Some(OfpErr::OFPGMFC_UNKNOWN_BUCKET));
    assert_eq!(gm(&mut s, change(rem, 0, 0)), None);
    assert_eq!(gm(&mut s, change(rem, Bucket::ID_FIRST, 0)), None);
    assert_eq!(gm(&mut s, change(rem, Bucket::ID_LAST, 0)), None);
    assert_eq!(ids(&s), [9, 1]);
    let unknown = GroupMod { group: GroupId(55), ..change(ins, 1, 9) };
    assert_eq!(gm(&mut s, unknown), Some(OfpErr::OFPGMFC_UNKNOWN_GROUP));

    let to_group = vec![Action::Group(GroupAction { group: GroupId(5) })];
    let flow = fm(FlowModCommand::Add, on_port(1), to_group.clone());
    s.ok(msg(FlowMod { flags: FlowModFlags(FlowModFlags::SEND_FLOW_REM), ..flow }));
    let written = vec![Action::WriteActions(WriteActions { actions: to_group })];
    s.ok(msg(fm(FlowModCommand::Add, on_port(2), written)));
    let stats = s.send(Message::StatsRequest(StatsRequest::Group(GroupId(5))));
    assert!(
        matches!(&stats[..], [Effect::Send(_, _, Message::StatsReply { body: StatsReply::Group(g), .. })]
        if g.len() == 1 && g[0].ref_count == 2)
    );
    let none = s.send(Message::StatsRequest(StatsRequest::Group(GroupId(77))));
    assert!(matches!(&none[..], [Effect::Send(_, _, Message::StatsReply { body: StatsReply::Group(g), .. })]
        if g.is_empty()));
    // Deleting a group deletes the flows that use it.
    let gone = s.send(Message::GroupMod(Box::new(group(C::Delete, 5))));
    assert!(matches!(&gone[..], [Effect::Send(_, _, Message::FlowRemoved(r))]
        if r.reason == FlowRemovedReason::GroupDelete));
    assert!(s.flows().is_empty());
    assert_eq!(gm(&mut s, GroupMod { group: GroupId::ALL, ..group(C::Delete, 0) }), None);
    assert_eq!(s.s.tables().n_groups(), 0);
}

#[test]
fn meters() {
    use MeterModCommand as C;
    let mut s = Sim::new(Version::V13);
    let config = |id: u32, kind| MeterConfig {
        meter: MeterId(id),
        flags: MeterConfig::KBPS,
        bands: vec![MeterBand { kind, rate: 100, burst_size: 100 }],
    };
    let mut mm = |command, id, kind| {
        let e = s.send(Message::MeterMod(Box::new(MeterMod { command, config: config(id, kind) })));
        match &e[..] {
            [Effect::Error(_, _, e)] => Err(*e),
            e => Ok(e.to_vec()),
        }
    };
    let drop = MeterBandKind::Drop;
    assert_eq!(mm(C::Add, 1, drop), Ok(vec![Effect::Meter(Ok(config(1, drop)))]));
    assert_eq!(mm(C::Add, 1, drop), Err(OfpErr::OFPMMFC_METER_EXISTS));
    assert_eq!(mm(C::Modify, 2, drop), Err(OfpErr::OFPMMFC_UNKNOWN_METER));
    assert_eq!(mm(C::Add, 0, drop), Err(OfpErr::OFPMMFC_INVALID_METER));
    let remark = MeterBandKind::DscpRemark { prec_level: 1 };
    assert_eq!(mm(C::Add, 2, remark), Ok(vec![Effect::Meter(Ok(config(2, remark)))]));
    assert_eq!(mm(C::Delete, 2, remark), Ok(vec![Effect::Meter(Err(MeterId(2)))]));
    assert_eq!(mm(C::Delete, 77, drop), Ok(vec![]));
    assert_eq!(mm(C::Delete, 0, drop), Ok(vec![]), "there is no such meter, which is as well");
    // What a meter must say of itself, in the order in which it is looked at.
    let band = |rate, burst_size| MeterBand { kind: drop, rate, burst_size };
    let (kbps, pktps) = (MeterConfig::KBPS, MeterConfig::PKTPS);
    let cases = [
        (0, vec![band(1, 0)], OfpErr::OFPMMFC_BAD_FLAGS),
        (kbps | pktps, vec![band(1, 0)], OfpErr::OFPMMFC_BAD_FLAGS),
        (kbps | 0x10, vec![band(0, 0)], OfpErr::OFPMMFC_BAD_FLAGS),
        (kbps, vec![], OfpErr::OFPMMFC_OUT_OF_BANDS),
        (kbps, vec![band(1, 0); 9], OfpErr::OFPMMFC_OUT_OF_BANDS),
        (kbps, vec![band(1, 0), band(0, 5)], OfpErr::OFPMMFC_BAD_RATE),
    ];
    for (flags, bands, error) in cases {
        let config = MeterConfig { meter: MeterId(1), flags, bands };
        let mm = MeterMod { command: C::Add, config };
        assert_eq!(s.error(Message::MeterMod(Box::new(mm))), Some(error));
    }
    // A burst that is not given is a second's worth.
    let config9 = |burst| MeterConfig { meter: MeterId(9), flags: pktps, bands: vec![band(7, burst)] };
    let add = MeterMod { command: C::Add, config: config9(0) };
    assert_eq!(s.send(Message::MeterMod(Box::new(add))), [Effect::Meter(Ok(config9(7)))]);
    let gone = MeterMod { command: C::Delete, config: config9(0) };
    assert_eq!(s.send(Message::MeterMod(Box::new(gone))), [Effect::Meter(Err(MeterId(9)))]);
    let meter = vec![Action::Meter(MeterAction { meter: MeterId(1) }), output(1)];
    s.ok(msg(fm(FlowModCommand::Add, on_port(1), meter)));
    let stats = s.send(Message::StatsRequest(StatsRequest::Meter(MeterId(1))));
    assert!(
        matches!(&stats[..], [Effect::Send(_, _, Message::StatsReply { body: StatsReply::Meter(m), .. })]
        if m[0].flow_count == 1)
    );
    let unknown = Message::StatsRequest(StatsRequest::MeterConfig(MeterId(9)));
    assert_eq!(s.error(unknown), Some(OfpErr::OFPMMFC_UNKNOWN_METER));
    let delete =
        MeterMod { command: C::Delete, config: MeterConfig { meter: MeterConfig::ALL, ..config(0, drop) } };
    assert_eq!(s.send(Message::MeterMod(Box::new(delete))), [Effect::Meter(Err(MeterId(1)))]);
    assert!(s.flows().is_empty());
}

#[test]
fn bundles() {
    use BundleControlKind as K;
    let control = |id, kind, flags| Message::BundleControl(BundleControl { bundle_id: id, kind, flags });
    let into = |id, flags, xid, message| {
        Message::BundleAdd(Box::new(BundleAdd { bundle_id: id, flags, xid: Xid(xid), message }))
    };
    let mut s = Sim::new(Version::V14);
    // Every wrong sequence, and what it leaves: a failed step drops the bundle.
    let bad_id = Some(OfpErr::OFPBFC_BAD_ID);
    let step = |s: &mut Sim, m: Message| match s.send(m).pop() {
        Some(Effect::Error(_, _, e)) => Some(e),
        Some(Effect::Send(_, _, Message::BundleControl(BundleControl { flags: 0, .. }))) | None => None,
        other => panic!("{other:?}"),
    };
    for (m, want) in [
        (control(1, K::OpenRequest, 3), None),
        (control(1, K::OpenRequest, 3), bad_id),
        (control(1, K::CommitRequest, 3), bad_id),
        (control(2, K::OpenRequest, 3), None),
        (control(2, K::CloseRequest, 1), Some(OfpErr::OFPBFC_BAD_FLAGS)),
        (control(2, K::CloseRequest, 3), bad_id),
        (control(3, K::OpenRequest, 3), None),
        (control(3, K::CloseRequest, 3), None),
        (control(3, K::CloseRequest, 3), Some(OfpErr::OFPBFC_BUNDLE_CLOSED)),
        (control(3, K::CommitRequest, 3), bad_id),
        (control(4, K::OpenRequest, 3), None),
        (control(4, K::CommitRequest, 3), None),
        (control(5, K::DiscardRequest, 3), bad_id),
        (control(6, K::OpenRequest, 3), None),
        (control(6, K::CloseRequest, 3), None),
        (into(6, 3, 50, msg(add(1))), Some(OfpErr::OFPBFC_BUNDLE_CLOSED)),
        (control(6, K::CommitRequest, 3), bad_id),
        (control(7, K::OpenRequest, 3), None),
        (into(7, 1, 50, msg(add(1))), Some(OfpErr::OFPBFC_BAD_FLAGS)),
        (control(7, K::CommitRequest, 3), bad_id),
        (into(8, 3, 50, msg(add(8))), None),
        (control(8, K::CommitRequest, 3), None),
        (into(9, 3, 50, Message::BarrierRequest), Some(OfpErr::OFPBFC_MSG_UNSUP)),
        (control(11, K::OpenReply, 3), Some(OfpErr::OFPBFC_BAD_TYPE)),
    ] {
        let text = format!("{m:?}");
        assert_eq!(step(&mut s, m), want, "{text}");
    }
    assert_eq!(s.ports_of_flows(), [8]);

    // All or nothing: flows, groups and ports are as before when one message fails.
    let before = s.flows();
    let overlap = FlowMod {
        flags: FlowModFlags(FlowModFlags::CHECK_OVERLAP),
        ..fm(FlowModCommand::Add, on_mac(9), vec![])
    };
    let pm = PortMod {
        port: OfPort(1),
        hw_addr: port(1).hw_addr,
        config: PortConfig(PortConfig::NO_RECV),
        mask: PortConfig(PortConfig::NO_RECV),
        advertise: 0,
    };
    let good = || {
        vec![
            Message::GroupMod(Box::new(group(GroupModCommand::Add, 1))),
            msg(fm(FlowModCommand::Add, on_port(1), vec![Action::Group(GroupAction { group: GroupId(1) })])),
            msg(FlowMod { flags: FlowModFlags(FlowModFlags::SEND_FLOW_REM), ..add(3) }),
            msg(fm(FlowModCommand::Modify, MiniMatch::default(), vec![output(9)])),
            msg(fm(FlowModCommand::Delete, on_port(3), vec![])),
            msg(add(8)),
            Message::PortMod(pm),
        ]
    };
    for fails in [true, false] {
        s.send(control(10, K::OpenRequest, 3));
        let mut messages = good();
        if fails {
            messages.push(msg(overlap.clone()));
        }
        for (i, m) in messages.into_iter().enumerate() {
            assert_eq!(s.send(into(10, 3, 100 + i as u32, m)), []);
        }
        let generation = s.s.tables().clone();
        let e = s.send(control(10, K::CommitRequest, 3));
        if fails {
            assert!(
                matches!(
                    &e[..],
                    [
                        Effect::ErrorAbout(_, Xid(107), OfpErr::OFPFMFC_OVERLAP, _),
                        Effect::Error(_, _, OfpErr::OFPBFC_MSG_FAILED),
                    ]
                ),
                "{e:?}"
            );
            assert_eq!(s.flows(), before);
            assert_eq!(s.s.tables().n_groups(), 0);
            assert_eq!(s.s.port(OfPort(1)).unwrap().desc.config.0, 0);
        } else {
            assert!(
                matches!(
                    &e[..],
                    [
                        Effect::PortConfig(..),
                        Effect::Send(_, Xid(0), Message::FlowRemoved(_)),
                        Effect::Send(
                            _,
                            _,
                            Message::BundleControl(BundleControl { kind: K::CommitReply, .. })
                        ),
                    ]
                ),
                "{e:?}"
            );
            assert_eq!(s.ports_of_flows(), [1, 8]);
            assert_eq!(s.s.tables().n_groups(), 1);
        }
        assert!(generation.group(GroupId(1)).is_none(), "a snapshot taken before sees nothing of it");
    }

    // A bundle that is left lying goes.
    s.send(control(20, K::OpenRequest, 3));
    assert_eq!(s.pass(9_999), []);
    let e = s.pass(1);
    let [Effect::ErrorAbout(_, _, OfpErr::OFPBFC_TIMEOUT, about)] = &e[..] else { panic!("{e:?}") };
    let Message::BundleControl(opened) = &**about else { panic!("{about:?}") };
    assert_eq!(opened.kind, BundleControlKind::OpenRequest);
}

#[test]
fn packet_outs() {
    let mut s = Sim::new(Version::V14);
    let po = |port: OfPort, buffer_id, actions| {
        let mut m = Match::any();
        m.set(Field::IN_PORT_OXM, u128::from(port.0));
        let metadata = MiniMatch::new(&m);
        Message::PacketOut(Box::new(PacketOut { packet: vec![0; 60], buffer_id, metadata, actions }))
    };
    for (port, want) in [
        (OfPort(1), None),
        (OfPort(77), None),
        (OfPort::LOCAL, None),
        (OfPort::NONE, None),
        (OfPort::CONTROLLER, None),
        (OfPort::IN_PORT, Some(OfpErr::OFPBRC_BAD_PORT)),
        (OfPort::FLOOD, Some(OfpErr::OFPBRC_BAD_PORT)),
        (OfPort(0xff00), Some(OfpErr::OFPBRC_BAD_PORT)),
    ] {
        let e = s.send(po(port, None, vec![output(2)]));
        match want {
            Some(error) => assert!(matches!(&e[..], [Effect::Error(_, _, e)] if *e == error)),
            None => assert!(matches!(&e[..], [Effect::PacketOut(r)] if r.actions == [output(2)])),
        }
    }
    assert_eq!(s.error(po(OfPort(1), Some(5), vec![])), Some(OfpErr::OFPBRC_BUFFER_UNKNOWN));
    let group = vec![Action::Group(GroupAction { group: GroupId(9) })];
    assert_eq!(s.error(po(OfPort(1), None, group)), Some(OfpErr::OFPBAC_BAD_OUT_GROUP));
    // Changes are published before a packet-out that follows them.
    s.s.handle_message(s.c, Xid(1), msg(add(1)), s.now, &Ports);
    assert!(!s.s.has_effects());
    s.s.handle_message(s.c, Xid(2), po(OfPort(1), None, vec![]), s.now, &Ports);
    assert!(s.s.has_effects());
    assert!(matches!(&s.s.take_effects()[..], [Effect::TablesChanged, Effect::PacketOut(_)]));
}

#[test]
fn other_requests() {
    let mut s = Sim::new(Version::V13);
    let c = s.c;
    assert_eq!(
        s.send(Message::EchoRequest(vec![1, 2])),
        [Effect::Send(c, Xid(1), Message::EchoReply(vec![1, 2]))]
    );
    assert_eq!(s.send(Message::BarrierRequest), [Effect::Send(c, Xid(2), Message::BarrierReply)]);
    assert_eq!(s.send(Message::EchoReply(vec![])), []);
    assert_eq!(s.error(Message::BarrierReply), Some(OfpErr::OFPBRC_BAD_TYPE));
    let queue = |port, queue| Message::StatsRequest(StatsRequest::Queue(QueueStatsRequest { port, queue }));
    assert_eq!(s.error(queue(OfPort(9), u32::MAX)), Some(OfpErr::OFPQOFC_BAD_PORT));
    assert_eq!(s.error(queue(OfPort(1), 5)), Some(OfpErr::OFPQOFC_BAD_QUEUE));
    assert_eq!(s.error(queue(OfPort::NONE, 3)), Some(OfpErr::OFPQOFC_BAD_QUEUE));
    let e = s.send(queue(OfPort::NONE, u32::MAX));
    assert!(matches!(&e[..], [Effect::Send(_, _, Message::StatsReply { body: StatsReply::Queue(q), .. })]
        if q.len() == 3));
    s.pass(1500);
    for (port, n) in [(OfPort::NONE, 3), (OfPort(1), 1), (OfPort(9), 0)] {
        let e = s.send(Message::StatsRequest(StatsRequest::Port(port)));
        assert!(matches!(&e[..], [Effect::Send(_, _, Message::StatsReply { body: StatsReply::Port(p), .. })]
            if p.len() == n && p.iter().all(|p| p.duration == Some((1, 500_000_000)))));
    }
    for (v, capabilities, ports) in [
        (Version::V10, 0xc7, 3),
        (Version::V11, 0xd7, 3),
        (Version::V12, 0x57, 3),
        (Version::V13, 0x57, 0),
        (Version::V14, 0x257, 0),
    ] {
        let mut s = Sim::new(v);
        let e = s.send(Message::FeaturesRequest);
        let [Effect::Send(_, _, Message::FeaturesReply(f))] = &e[..] else { panic!("{e:?}") };
        assert_eq!(
            (f.capabilities, f.ports.len(), f.n_tables, f.n_buffers),
            (capabilities, ports, 254, 0),
            "{v}"
        );
        let e = s.send(Message::StatsRequest(StatsRequest::Table));
        assert!(
            matches!(&e[..], [Effect::Send(_, _, Message::StatsReply { body: StatsReply::Table(t), .. })]
            if t.len() == 254 && t[0].features.is_some() == (v < Version::V13))
        );
    }
    // Many flows come in parts.
    for n in 0..600 {
        s.ok(msg(add(n)));
    }
    let request = Box::new(stats_request(MiniMatch::default()));
    let e = s.send(Message::StatsRequest(StatsRequest::Flow(request)));
    let parts: Vec<(usize, bool)> = e
        .iter()
        .map(|e| match e {
            Effect::Send(_, _, Message::StatsReply { body: StatsReply::Flow(f), more }) => (f.len(), *more),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(parts, [(256, true), (256, true), (88, false)]);
}

#[test]
fn standalone_and_secure() {
    let now = Time::from_millis(86_400_000);
    let mut s = Sim::new(Version::V10);
    s.s = Ofproto::new(OfprotoConfig::new("br0", Dpid(1)), now);
    s.c = s.connect(Version::V10, ConnKind::Service);
    // Without controllers: one visible flow that switches.
    let flows = s.flows();
    assert_eq!(flows.len(), 1);
    assert_eq!((flows[0].priority, &flows[0].actions[..]), (0, &[output(OfPort::NORMAL.0)][..]));
    s.s.set_fail_mode(Mode::Secure, now);
    assert!(s.flows().is_empty());
    s.s.set_fail_mode(Mode::Standalone, now);
    assert_eq!(s.flows().len(), 1);
    // The first controller flushes; its silence opens the switch again, out of controllers' sight.
    s.s.set_has_controllers(true, now);
    s.ok(msg(add(1)));
    assert_eq!(s.s.next_deadline(), now + Duration::from_secs(15));
    s.pass(14_999);
    assert_eq!(s.flows().len(), 1);
    s.pass(1);
    assert!(s.s.failed_open() && s.flows().is_empty());
    let open = s.s.tables().find_exact(TableId(0), &MiniMatch::default(), FAIL_OPEN_PRIORITY);
    assert!(open.is_some());
    assert!(s.s.tables().lookup(TableId(0), &FlowKey::default(), None).is_some());
    let everything = msg(fm(FlowModCommand::Delete, MiniMatch::default(), vec![]));
    s.ok(everything);
    assert!(s.s.tables().lookup(TableId(0), &FlowKey::default(), None).is_some(), "hidden flows stay");
    // Connected but not admitted: bogus packet-ins every two seconds.
    let primary = s.connect(Version::V10, ConnKind::Primary);
    let contact = |connected, admitted| Contact {
        connected,
        admitted,
        lost_at: now,
        probe_interval: Duration::from_secs(5),
    };
    s.s.set_contact(contact(true, false), s.now);
    let probe = s.drain();
    assert!(matches!(&probe[..], [Effect::Send(c, _, Message::PacketIn(p))]
        if *c == primary && p.reason == PacketInReason::NoMatch && p.cookie == Some(Cookie(u64::MAX))));
    assert_eq!(s.pass(1999), []);
    assert_eq!(s.pass(1).len(), 1);
    s.s.set_contact(contact(true, true), s.now);
    assert!(!s.s.failed_open());
    assert!(s.s.tables().table(TableId(0)).unwrap().flows.is_empty());
    assert_eq!(s.s.next_deadline(), Time::NEVER);
}

#[test]
fn internal_flows() {
    let mut s = Sim::new(Version::V13);
    let (t, m, hidden) = (TableId(0), on_port(1), 180_000);
    let normal = [output(OfPort::NORMAL.0)];
    s.s.add_internal_flow(t, hidden, m.clone(), &normal, s.now);
    let first = s.s.tables().find_exact(t, &m, hidden).unwrap().clone();
    first.stats.credit(5, 500, s.now);
    s.s.add_internal_flow(t, hidden, m.clone(), &normal, s.now);
    assert!(s.s.tables().is_current(&first), "nothing happens twice");
    assert!(s.flows().is_empty());
    let e = s.send(Message::StatsRequest(StatsRequest::Table));
    assert!(matches!(&e[..], [Effect::Send(_, _, Message::StatsReply { body: StatsReply::Table(t), .. })]
        if t[0].active_count == 0));
    s.s.add_internal_flow(t, hidden, m.clone(), &[output(3)], s.now);
    let second = s.s.tables().find_exact(t, &m, hidden).unwrap().clone();
    assert_eq!((&second.actions[..], second.stats.packets()), (&[output(3)][..], 5));
    s.ok(msg(fm(FlowModCommand::Delete, MiniMatch::default(), vec![])));
    s.ok(msg(fm(FlowModCommand::Modify, MiniMatch::default(), vec![])));
    assert!(s.s.tables().is_current(&second));
    s.s.remove_internal_flow(t, hidden, &m, s.now);
    assert!(s.s.tables().table(t).unwrap().flows.is_empty());
}

#[test]
fn dumping_everything() {
    let mut s = Sim::new(Version::V13);
    s.ok(msg(FlowMod { new_cookie: Cookie(5), ..add(1) }));
    s.ok(msg(FlowMod { table: 3, new_cookie: Cookie(9), priority: 7, ..add(1) }));
    s.s.add_internal_flow(TableId(0), 180_000, MiniMatch::default(), &[output(3)], s.now);
    s.pass(1999);
    let text = s.s.dump_flows(s.now, false, &|a| if a.is_empty() { "drop".into() } else { "output".into() });
    assert_eq!(
        text,
        "duration=1s, n_packets=0, n_bytes=0, priority=180000,actions=output\n\
         cookie=0x5, duration=1s, n_packets=0, n_bytes=0, in_port=1,actions=output\n\
         cookie=0x9, table_id=3, duration=1s, n_packets=0, n_bytes=0, priority=7,in_port=1,actions=output\n\
         table_id=254, duration=1s, n_packets=0, n_bytes=0, priority=2,recirc_id=0,actions=drop\n\
         table_id=254, duration=1s, n_packets=0, n_bytes=0, priority=0,reg0=0x1,actions=output\n\
         table_id=254, duration=1s, n_packets=0, n_bytes=0, priority=0,reg0=0x2,actions=drop\n\
         table_id=254, duration=1s, n_packets=0, n_bytes=0, priority=0,reg0=0x3,actions=drop\n"
    );
}

#[test]
fn packet_ins_are_paced() {
    let mut s = Sim::new(Version::V13);
    s.s.limit_packet_ins(s.c, Some((100, 2)), s.now);
    let event = packet(PacketInReason::Action);
    for _ in 0..6 {
        s.s.packet_in(event.clone(), s.now);
    }
    assert_eq!(s.drain().len(), 2);
    // Misses have a budget of their own.
    s.s.packet_in(packet(PacketInReason::ExplicitMiss), s.now);
    assert_eq!(s.drain().len(), 1);
    assert_eq!(s.s.next_deadline(), s.now + Duration::from_millis(10));
    assert_eq!((s.pass(10).len(), s.pass(10).len(), s.pass(10).len()), (1, 1, 0));
    let counts = s.s.connection(s.c).unwrap().pace_counts().unwrap();
    assert_eq!((counts[1].bypassed, counts[1].queued, counts[1].dropped, counts[1].backlog), (2, 4, 2, 0));
    s.s.limit_packet_ins(s.c, None, s.now);
    for _ in 0..6 {
        s.s.packet_in(event.clone(), s.now);
    }
    assert_eq!(s.drain().len(), 6);
}
