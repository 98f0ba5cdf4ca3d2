//! Flow monitors: telling controllers of changes to flows, whoever makes them.
//!
//! A change is reported once it has succeeded as a whole, so that what a request did comes in one reply, before the
//! answer to any barrier that was sent after it. A controller's own changes are only confirmed, unless it wants them in
//! full.
//!
//! A reader that does not keep up must cost no memory without bound. When more than [`LIMIT`] bytes wait for it,
//! monitoring pauses: only deletions of flows that the reader may know are told, each once. When the reader has
//! caught up, it is told what was added or modified meanwhile and is still there; numbers of changes tell which
//! flows these are. After that its picture is complete again.

use crate::connection::{ASYNC_XID, ConnId};
use crate::effect::Effect;
use crate::ofproto::{Ofproto, Origin};
use crate::rule::Rule;
use crate::state::{Change, State};
use base::{GroupId, OfPort, TableId, Xid};
use flow::MiniMatch;
use openflow::msg::{FlowUpdate, FlowUpdateEvent, MonitorCommand, MonitorFlags, MonitorRequest, StatsReply};
use openflow::{Message, OfpErr, Version};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Bytes of notifications that may wait for a reader before monitoring pauses.
pub const LIMIT: usize = 128 * 1024;
/// Most monitors of a connection.
const MAX_MONITORS: usize = 1 << 16;

/// One monitor.
#[derive(Debug)]
struct Monitor {
    flags: u16,
    out_port: OfPort,
    out_group: GroupId,
    table: u8,
    matching: MiniMatch,
}

impl Monitor {
    fn new(r: MonitorRequest, version: Version) -> Result<Monitor, OfpErr> {
        use MonitorFlags as F;
        if r.flags.0 & (F::ADD | F::DELETE | F::MODIFY) == 0 {
            return Err(OfpErr::OFPMOFC_BAD_FLAGS);
        }
        let mut flags = r.flags.0 & !F::ONLY_OWN;
        if version >= Version::V14 && r.flags.0 & F::ONLY_OWN != 0 {
            flags |= F::OWN;
        }
        Ok(Monitor {
            flags,
            out_port: r.out_port,
            out_group: r.out_group,
            table: r.table,
            matching: r.matching,
        })
    }

    /// Whether it watches a flow; `old` is what the flow took the place of.
    fn watches(&self, rule: &Rule, old: Option<&Rule>) -> bool {
        let either = |f: &dyn Fn(&Rule) -> bool| f(rule) || old.is_some_and(f);
        (self.table == 0xff || self.table == rule.table.0)
            && rule.matching.is_within(&self.matching)
            && either(&|r| r.outputs_to(self.out_port))
            && either(&|r| r.uses_group(self.out_group))
    }
}

/// What one connection watches.
#[derive(Debug, Default)]
pub struct Monitors {
    by_id: BTreeMap<u32, Monitor>,
    /// Number of the last change that the reader was told of in order, while it is behind.
    paused_at: Option<u64>,
    /// Bytes that wait for the reader: what the owner said last, and about what was sent since.
    waiting: usize,
}

impl Monitors {
    /// The flags of all monitors for `event` that watch a flow; 0 if none does.
    fn flags_for(&self, event: u16, rule: &Rule, old: Option<&Rule>) -> u16 {
        let all = self.by_id.values().filter(|m| m.flags & event != 0 && m.watches(rule, old));
        all.fold(0, |flags, m| flags | m.flags)
    }

    /// Whether monitoring has paused.
    pub fn is_paused(&self) -> bool {
        self.paused_at.is_some()
    }
}

/// Messages to one connection, being made.
struct Report<'a> {
    id: ConnId,
    version: Version,
    monitors: &'a mut Monitors,
    updates: Vec<FlowUpdate>,
    abbreviated: Option<Xid>,
    out: &'a mut Vec<Effect>,
}

impl Report<'_> {
    fn change(&mut self, change: &Change, own: Option<Xid>, sequence: u64) {
        let (event, flag, rule, old) = match change {
            Change::Added(new, old) => (FlowUpdateEvent::Added, MonitorFlags::ADD, new, old.as_ref()),
            Change::Modified(new, old) => (FlowUpdateEvent::Modified, MonitorFlags::MODIFY, new, Some(old)),
            Change::Removed(rule, reason) => {
                (FlowUpdateEvent::Deleted(reason.number().into()), MonitorFlags::DELETE, rule, None)
            }
            Change::Group(..) | Change::Meter(..) => return,
        };
        let same = |old: &Rule| old.actions == rule.actions && old.cookie == rule.cookie;
        let unchanged = flag == MonitorFlags::MODIFY && old.is_some_and(|o| same(o));
        if rule.is_hidden() || unchanged {
            return;
        }
        if let Some(paused_at) = self.monitors.paused_at {
            let known = flag == MonitorFlags::DELETE && rule.added_in <= paused_at;
            if !known {
                return;
            }
        }
        let flags = self.monitors.flags_for(flag, rule, old.map(|r| &**r));
        if flags == 0 {
            return;
        }
        match own {
            Some(xid) if flags & MonitorFlags::OWN == 0 && !self.monitors.is_paused() => {
                if self.abbreviated != Some(xid) {
                    self.abbreviated = Some(xid);
                    self.push(abbreviation(xid), sequence);
                }
            }
            _ => self.push(update(event, rule, flags & MonitorFlags::ACTIONS != 0), sequence),
        }
    }

    /// Adds an update; with too many waiting, monitoring pauses after it.
    fn push(&mut self, update: FlowUpdate, sequence: u64) {
        self.monitors.waiting += weight(&update);
        self.updates.push(update);
        if self.monitors.waiting > LIMIT && !self.monitors.is_paused() {
            self.pause(sequence);
        }
    }

    fn pause(&mut self, sequence: u64) {
        self.flush();
        self.monitors.paused_at = Some(sequence);
        self.say(Message::FlowMonitorPaused, FlowUpdateEvent::Paused);
    }

    /// The end of a pause: everything that the reader has missed.
    fn resume(&mut self, state: &State) {
        let Some(paused_at) = self.monitors.paused_at.take() else { return };
        let sequence = state.sequence();
        for (_, table) in state.tables().iter() {
            for rule in table.flows.iter().filter(|r| r.changed_in > paused_at && !r.is_hidden()) {
                let (event, flag) = if rule.added_in > paused_at {
                    (FlowUpdateEvent::Added, MonitorFlags::ADD)
                } else {
                    (FlowUpdateEvent::Modified, MonitorFlags::MODIFY)
                };
                let flags = self.monitors.flags_for(flag, rule, None);
                if flags != 0 {
                    let u = update(event, rule, flags & MonitorFlags::ACTIONS != 0);
                    self.monitors.waiting += weight(&u);
                    self.updates.push(u);
                }
            }
        }
        self.flush();
        self.say(Message::FlowMonitorResumed, FlowUpdateEvent::Resumed);
        if self.monitors.waiting > LIMIT {
            self.pause(sequence);
        }
    }

    fn say(&mut self, extension: Message, event: FlowUpdateEvent) {
        let message = if self.version >= Version::V14 {
            let update = FlowUpdate { event, ..abbreviation(ASYNC_XID) };
            Message::StatsReply { body: StatsReply::FlowMonitor(vec![update]), more: false }
        } else {
            extension
        };
        self.out.push(Effect::Send(self.id, ASYNC_XID, message));
    }

    fn flush(&mut self) {
        if !self.updates.is_empty() {
            let body = StatsReply::FlowMonitor(std::mem::take(&mut self.updates));
            self.out.push(Effect::Send(self.id, ASYNC_XID, Message::StatsReply { body, more: false }));
        }
    }
}

fn update(event: FlowUpdateEvent, rule: &Rule, actions: bool) -> FlowUpdate {
    FlowUpdate {
        event,
        table: rule.table.0,
        idle_timeout: rule.idle_timeout,
        hard_timeout: rule.hard_timeout,
        priority: rule.priority.min(0xffff) as u16,
        cookie: rule.cookie,
        matching: rule.matching.clone(),
        actions: if actions { rule.actions.to_vec() } else { Vec::new() },
    }
}

fn abbreviation(xid: Xid) -> FlowUpdate {
    FlowUpdate {
        event: FlowUpdateEvent::Abbrev(xid),
        table: 0,
        idle_timeout: 0,
        hard_timeout: 0,
        priority: 0,
        cookie: base::Cookie(0),
        matching: MiniMatch::default(),
        actions: Vec::new(),
    }
}

/// About how many bytes an update takes on the wire.
fn weight(u: &FlowUpdate) -> usize {
    24 + 12 * u.matching.key_words().len() + 16 * u.actions.len()
}

impl Ofproto {
    /// A request for monitors: all of its elements, or none.
    pub(crate) fn monitor(
        &mut self,
        id: ConnId,
        xid: Xid,
        requests: Vec<MonitorRequest>,
        version: Version,
    ) -> Result<(), OfpErr> {
        let mut made: Vec<(u32, Monitor)> = Vec::new();
        let mut gone = Vec::new();
        let Some(conn) = self.connections.get(&id) else { return Ok(()) };
        let known = &conn.monitors.by_id;
        for r in requests {
            let exists =
                (known.contains_key(&r.id) && !gone.contains(&r.id)) || made.iter().any(|(n, _)| *n == r.id);
            let number = r.id;
            match r.command {
                MonitorCommand::Add if exists => return Err(OfpErr::OFPMOFC_MONITOR_EXISTS),
                MonitorCommand::Modify | MonitorCommand::Delete if !exists => {
                    return Err(OfpErr::OFPMOFC_UNKNOWN_MONITOR);
                }
                _ => {}
            }
            let deletes = r.command == MonitorCommand::Delete;
            if !deletes {
                self.check_stats_table(r.table)?;
            }
            if r.command != MonitorCommand::Add {
                gone.push(number);
                made.retain(|(n, _)| *n != number);
            }
            if !deletes {
                made.push((number, Monitor::new(r, version)?));
            }
        }
        if known.len() + made.len() > MAX_MONITORS + gone.len() {
            return Err(OfpErr::OFPMOFC_UNKNOWN);
        }
        let flows = initial(&self.state, made.iter().map(|(_, m)| m), version);
        if let Some(conn) = self.connections.get_mut(&id) {
            gone.iter().for_each(|n| drop(conn.monitors.by_id.remove(n)));
            conn.monitors.by_id.extend(made);
        }
        self.parts(id, xid, flows, StatsReply::FlowMonitor);
        Ok(())
    }

    /// Ends a monitor.
    pub(crate) fn cancel_monitor(&mut self, id: ConnId, monitor: u32) -> Result<(), OfpErr> {
        let Some(conn) = self.connections.get_mut(&id) else { return Ok(()) };
        conn.monitors.by_id.remove(&monitor).map(drop).ok_or(OfpErr::OFPMOFC_UNKNOWN_MONITOR)
    }

    /// Tells those who watch what was done.
    pub(crate) fn report(&mut self, log: &[Change], origin: Origin) {
        let first = log.iter().find_map(number_of);
        let before = first.map_or(self.state.sequence(), |n| n - 1);
        for conn in self.connections.values_mut().filter(|c| !c.monitors.by_id.is_empty()) {
            let own = origin.filter(|(id, _)| *id == conn.id).map(|(_, xid)| xid);
            let mut report = Report {
                id: conn.id,
                version: conn.protocol.version(),
                monitors: &mut conn.monitors,
                updates: Vec::new(),
                abbreviated: None,
                out: &mut self.effects,
            };
            // Should monitoring pause at a change, what comes later in the log is newer than the pause.
            let mut sequence = before;
            for change in log {
                sequence = number_of(change).unwrap_or(sequence);
                report.change(change, own, sequence);
            }
            report.flush();
        }
    }

    /// The owner says how many bytes of monitors' updates wait for a connection's reader. One that has caught up
    /// after a pause is told what it has missed.
    pub fn monitor_backlog(&mut self, id: ConnId, bytes: usize) {
        let Some(conn) = self.connections.get_mut(&id) else { return };
        conn.monitors.waiting = bytes;
        if bytes > 0 || !conn.monitors.is_paused() {
            return;
        }
        let mut report = Report {
            id,
            version: conn.protocol.version(),
            monitors: &mut conn.monitors,
            updates: Vec::new(),
            abbreviated: None,
            out: &mut self.effects,
        };
        report.resume(&self.state);
    }
}

/// Number of a change to a flow; deletions have none of their own.
fn number_of(change: &Change) -> Option<u64> {
    match change {
        Change::Added(new, _) | Change::Modified(new, _) => Some(new.changed_in),
        _ => None,
    }
}

/// The flows that are there when monitors come, each once.
fn initial<'a>(
    state: &State,
    monitors: impl Iterator<Item = &'a Monitor>,
    version: Version,
) -> Vec<FlowUpdate> {
    let event = if version >= Version::V14 { FlowUpdateEvent::Initial } else { FlowUpdateEvent::Added };
    let mut found: Vec<(Arc<Rule>, u16)> = Vec::new();
    let mut seen = std::collections::HashMap::new();
    for m in monitors.filter(|m| m.flags & MonitorFlags::INITIAL != 0) {
        for table in State::table_ids(m.table) {
            let Some(table) = state.tables().table(TableId(table)) else { continue };
            for e in table.flows.covered_by(&m.matching).filter(|e| !e.is_hidden() && m.watches(e, None)) {
                let at = *seen.entry(Arc::as_ptr(&e.0)).or_insert_with(|| {
                    found.push((e.0.clone(), 0));
                    found.len() - 1
                });
                found[at].1 |= m.flags;
            }
        }
    }
    found.iter().map(|(r, flags)| update(event, r, flags & MonitorFlags::ACTIONS != 0)).collect()
}
