//! One bridge's OpenFlow switch.

use crate::connection::{ASYNC_XID, ConnConfig, ConnId, ConnKind, Connection};
use crate::effect::Effect;
use crate::fail::FailMode;
use crate::flow_mod;
use crate::group::Group;
use crate::pace::Pace;
use crate::packet_in::{self, PacketInEvent};
use crate::port::{Port, as_seen_by};
use crate::rule::Rule;
use crate::state::{Change, State};
use crate::tables::{TableConfig, Tables};
use crate::tlv_map::TlvMap;
use base::order::ListOrder;
use base::{Dpid, OfPort, TableId, Time, Xid};
use flow::MiniMatch;
use openflow::msg::{
    AsyncKind, FlowMod, FlowModCommand, FlowModFlags, FlowRemoved, FlowRemovedReason, FragHandling,
    PacketInReason, PhyPort, PortReason, PortStats, PortStatus, QueueConfig, QueueStats,
};
use openflow::{Action, Message, OfpErr, Version};
use smallvec::SmallVec;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// What a switch needs to ask others while it answers a request. Flow counters it has itself: push what the
/// datapath has counted before handing over a request for statistics.
pub trait Host {
    /// Counters of a port; its number and age are filled in by the caller.
    fn port_stats(&self, port: OfPort) -> Option<PortStats>;
    /// Counters of a port's queues.
    fn queue_stats(&self, port: OfPort) -> Vec<QueueStats>;
    /// Configuration of a port's queues.
    fn queue_config(&self, port: OfPort) -> Vec<QueueConfig>;
}

/// How a switch is set up.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OfprotoConfig {
    /// The bridge's name.
    pub name: String,
    /// Its datapath id.
    pub datapath_id: Dpid,
    /// Manufacturer, as switch description statistics tell.
    pub manufacturer: String,
    /// Hardware.
    pub hardware: String,
    /// Software.
    pub software: String,
    /// Serial number.
    pub serial: String,
    /// Description of the datapath.
    pub dp_desc: String,
    /// Seed for hashes.
    pub seed: u64,
}

impl OfprotoConfig {
    /// The usual set-up for a bridge of this name.
    pub fn new(name: &str, datapath_id: Dpid) -> OfprotoConfig {
        OfprotoConfig {
            name: name.to_string(),
            datapath_id,
            manufacturer: "Nicira, Inc.".to_string(),
            hardware: "Open vSwitch".to_string(),
            software: "3.5.0".to_string(),
            serial: "None".to_string(),
            dp_desc: "None".to_string(),
            seed: 0,
        }
    }
}

/// One bridge's OpenFlow switch.
#[derive(Debug)]
pub struct Ofproto {
    pub(crate) config: OfprotoConfig,
    pub(crate) state: State,
    pub(crate) ports: BTreeMap<OfPort, Port>,
    port_order: ListOrder<u32>,
    pub(crate) connections: BTreeMap<ConnId, Connection>,
    next_conn: u32,
    pub(crate) frag: FragHandling,
    /// Generation of the last election of a primary.
    pub(crate) generation_id: Option<u64>,
    pub(crate) fail: FailMode,
    pub(crate) tlv: TlvMap,
    /// Flows for control traffic, as last wanted.
    pub(crate) in_band: InBandFlows,
    pub(crate) effects: Vec<Effect>,
    /// Generation of the tables up to which [`Effect::TablesChanged`] was given.
    noted: u64,
    /// Tables whose vacancy is told, and whether they are waited for to empty or to fill up.
    pub(crate) vacancies: BTreeMap<TableId, bool>,
    /// When memory that is not needed any more is freed next.
    free_at: Time,
}

/// See [`crate::in_band`].
#[derive(Debug, Default)]
pub(crate) struct InBandFlows {
    pub rules: Vec<crate::in_band::Rule>,
    pub actions: Vec<Action>,
}

/// How many flows one [`Ofproto::run`] looks at: with more, it asks to be run again at once.
const EXPIRE_AT_ONCE: usize = 5000;

/// How long the memory of flows that were deleted in bulk is kept: until the answer has gone, and somewhat longer.
const FREE_AFTER: Duration = Duration::from_millis(250);
/// After that, some of it is freed this often.
const FREE_EVERY: Duration = Duration::from_millis(4);

/// Who asked for a change.
pub(crate) type Origin = Option<(ConnId, Xid)>;

impl Ofproto {
    /// A switch without ports and connections.
    pub fn new(config: OfprotoConfig, now: Time) -> Ofproto {
        let state = State::new(config.seed);
        let mut ofproto = Ofproto {
            config,
            state,
            ports: BTreeMap::new(),
            port_order: ListOrder::default(),
            connections: BTreeMap::new(),
            next_conn: 1,
            frag: FragHandling::Normal,
            generation_id: None,
            fail: FailMode::default(),
            tlv: TlvMap::default(),
            in_band: InBandFlows::default(),
            effects: Vec::new(),
            noted: 0,
            vacancies: BTreeMap::new(),
            free_at: now,
        };
        crate::fail::install_internal(&mut ofproto.state, now);
        ofproto.state.take_log();
        crate::fail::apply_default_flow(&mut ofproto, now);
        ofproto
    }

    /// Its set-up.
    pub fn config(&self) -> &OfprotoConfig {
        &self.config
    }

    /// Its set-up, to be changed. The seed only counts at the start.
    pub fn config_mut(&mut self) -> &mut OfprotoConfig {
        &mut self.config
    }

    /// Tables, groups and meters; clone them for a snapshot.
    pub fn tables(&self) -> &Tables {
        self.state.tables()
    }

    /// Which tunnel option is which field.
    pub fn tlv_map(&self) -> &TlvMap {
        &self.tlv
    }

    /// How fragments are treated.
    pub fn fragments(&self) -> FragHandling {
        self.frag
    }

    /// What is to be done, in order. Tables are published as they are now: to have a packet-out see just the changes
    /// before it, take the effects whenever [`Ofproto::has_effects`] says so, not only at the end of a batch.
    pub fn take_effects(&mut self) -> Vec<Effect> {
        self.note_change();
        std::mem::take(&mut self.effects)
    }

    /// Whether there is anything to be done that cannot wait for the end of a batch of requests.
    pub fn has_effects(&self) -> bool {
        self.effects.iter().any(|e| *e != Effect::TablesChanged)
    }

    /// Has changed tables published before what comes next.
    pub(crate) fn note_change(&mut self) {
        let generation = self.state.tables().generation();
        if generation != self.noted {
            self.noted = generation;
            if self.effects.last() != Some(&Effect::TablesChanged) {
                self.effects.push(Effect::TablesChanged);
            }
        }
    }

    /// Sets up a table as the database says; what controllers set stays.
    pub fn configure_table(&mut self, id: TableId, config: TableConfig, now: Time) {
        if self.state.tables().table(id).is_some_and(|t| *t.config == config) {
            return;
        }
        let prefixes = config.prefixes.clone().unwrap_or_else(|| classifier::Config::default().prefixes);
        if let Some(t) = self.state.tables_mut().table_mut(id) {
            t.flows.set_prefixes(&prefixes);
            t.config = Arc::new(config);
        }
        self.enforce_limit(id, now);
    }
}

/// Ports.
impl Ofproto {
    /// Its ports, by number.
    pub fn ports(&self) -> impl Iterator<Item = &Port> {
        self.ports.values()
    }

    /// Its ports, in the order in which messages list them.
    pub fn ports_listed(&self) -> impl Iterator<Item = &Port> {
        self.port_order.iter().filter_map(|n| self.ports.get(&OfPort::from_u16(*n as u16)))
    }

    /// A port.
    pub fn port(&self, port: OfPort) -> Option<&Port> {
        self.ports.get(&port)
    }

    /// Adds a port, or takes over what has changed about it; tells controllers of real differences. A port that
    /// changed its name has gone and another has come.
    pub fn put_port(&mut self, desc: PhyPort, now: Time) {
        let number = desc.port;
        match self.ports.get_mut(&number) {
            Some(old) if old.desc.name == desc.name => {
                if old.desc != desc {
                    let old = std::mem::replace(&mut old.desc, desc.clone());
                    self.port_modified(&old, &desc, None);
                }
            }
            old => {
                let renamed = old.is_some();
                if renamed {
                    self.remove_port(number);
                }
                self.ports.insert(number, Port { desc: desc.clone(), created: now });
                self.port_order.insert(listed_as(number));
                self.port_status(PortReason::Add, &desc);
            }
        }
    }

    /// Removes a port.
    pub fn remove_port(&mut self, port: OfPort) {
        if let Some(old) = self.ports.remove(&port) {
            self.port_order.remove(&listed_as(port));
            self.port_status(PortReason::Delete, &old.desc);
        }
    }

    fn port_status(&mut self, reason: PortReason, desc: &PhyPort) {
        for conn in self.connections.values() {
            if conn.wants(AsyncKind::PortStatus, reason as u32) {
                self.effects.push(port_status(conn.id, reason, desc));
            }
        }
    }

    /// Tells the controllers that can see the difference. A port-mod up to 1.4 is not reported back to who made it:
    /// older controllers expect to know what they did.
    pub(crate) fn port_modified(&mut self, old: &PhyPort, new: &PhyPort, origin: Option<ConnId>) {
        for conn in self.connections.values() {
            let version = conn.version();
            let own = origin == Some(conn.id) && version < Version::V15;
            if !own
                && conn.wants(AsyncKind::PortStatus, PortReason::Modify as u32)
                && as_seen_by(version, old) != as_seen_by(version, new)
            {
                self.effects.push(port_status(conn.id, PortReason::Modify, new));
            }
        }
    }
}

/// A port's key in the order of listings: its number of 16 bits.
fn listed_as(port: OfPort) -> u32 {
    u32::from(port.to_u16().unwrap_or(u16::MAX))
}

fn port_status(id: ConnId, reason: PortReason, desc: &PhyPort) -> Effect {
    let status = Box::new(PortStatus { reason, desc: desc.clone() });
    Effect::Send(id, ASYNC_XID, Message::PortStatus(status))
}

/// Connections.
impl Ofproto {
    /// Takes in a connection that has negotiated its version.
    pub fn connect(&mut self, config: &ConnConfig) -> ConnId {
        let id = ConnId(self.next_conn);
        self.next_conn = self.next_conn.wrapping_add(1);
        let tun = self.tlv.layout().clone();
        self.connections.insert(id, Connection { tun, ..Connection::new(id, config) });
        self.update_miss();
        id
    }

    /// Drops a connection with all that belongs to it.
    pub fn disconnect(&mut self, id: ConnId) {
        self.connections.remove(&id);
        self.update_miss();
    }

    /// What the log is to be told of connections' flow-mods by now. (They are no reason to wake up: whoever runs
    /// the switch asks when it is awake.)
    pub fn flow_mod_reports(&mut self, now: Time) -> Vec<(ConnId, String)> {
        let due = self.connections.values_mut().filter(|c| c.tally.next_deadline() <= now);
        due.filter_map(|c| Some((c.id, c.tally.report(now, false)?))).collect()
    }

    /// What the log is to be told of the flow-mods of a connection that ends.
    pub fn last_flow_mod_report(&mut self, id: ConnId, now: Time) -> Option<String> {
        self.connections.get_mut(&id)?.tally.report(now, true)
    }

    /// A connection's state.
    pub fn connection(&self, id: ConnId) -> Option<&Connection> {
        self.connections.get(&id)
    }

    /// All connections.
    pub fn connections(&self) -> impl Iterator<Item = &Connection> {
        self.connections.values()
    }

    /// Sends a packet to the controllers that want it, now or when its turn comes.
    pub fn packet_in(&mut self, event: PacketInEvent, now: Time) {
        let takers = self.connections.values().filter(|c| packet_in::is_for(c, &event)).map(|c| c.id);
        let takers: SmallVec<[ConnId; 4]> = takers.collect();
        let copies = std::iter::repeat_n(event, takers.len());
        for (id, event) in takers.into_iter().zip(copies) {
            let Some(c) = self.connections.get_mut(&id) else { continue };
            let version = c.version();
            let go = match &mut c.paces {
                None => Some(packet_in::message(version, event)),
                Some(paces) => {
                    let pace = &mut paces[usize::from(!packet_in::is_miss(event.reason))];
                    pace.offer(packet_in::in_port(&event), packet_in::message(version, event), now)
                }
            };
            self.effects.extend(go.map(|m| Effect::Send(id, ASYNC_XID, m)));
        }
    }

    /// Limits a connection's packet-ins to a rate per second and a burst, or lifts the limit. What waited is dropped.
    pub fn limit_packet_ins(&mut self, id: ConnId, limit: Option<(u32, u32)>, now: Time) {
        if let Some(c) = self.connections.get_mut(&id) {
            let pace = |(rate, burst)| Pace::new(rate, burst, now);
            c.paces = limit.map(|l| Box::new([pace(l), pace(l)]));
        }
    }

    fn run_paces(&mut self, now: Time) {
        for c in self.connections.values_mut() {
            let Some(paces) = &mut c.paces else { continue };
            for pace in paces.iter_mut().filter(|p| p.next_deadline() <= now) {
                let id = c.id;
                let go = std::iter::from_fn(|| pace.next(now));
                self.effects.extend(go.map(|m| Effect::Send(id, ASYNC_XID, m)));
            }
        }
    }

    /// Takes note of whether any controller wants packets that miss.
    pub(crate) fn update_miss(&mut self) {
        let wanted = self
            .connections
            .values()
            .any(|c| c.controller_id == 0 && c.wants_packet_in(PacketInReason::ImplicitMiss));
        self.state.tables_mut().set_implicit_miss_to_controller(wanted);
        self.note_change();
    }

    /// Number of primary controllers that are connected.
    pub fn n_controllers_connected(&self) -> usize {
        self.connections.values().filter(|c| c.kind == ConnKind::Primary).count()
    }
}

/// Flows, from inside the switch.
impl Ofproto {
    /// Carries out a flow-mod that is not a controller's (`learn`).
    pub fn flow_mod(&mut self, mut fm: FlowMod, version: Version, now: Time) -> Result<(), OfpErr> {
        flow_mod::flow_mod(&mut self.state, &mut fm, version, now)?;
        self.commit(None, now);
        Ok(())
    }

    /// Carries out what a `learn` action asks: adds a flow, or changes the one that is there. With a limit, not if the
    /// table has so many flows of its cookie.
    pub fn learn(&mut self, fm: FlowMod, limit: u32, now: Time) -> Result<(), OfpErr> {
        let table = TableId(fm.table);
        let known = self.state.tables().find_exact(table, &fm.matching, u32::from(fm.priority)).is_some();
        if !known && limit != 0 {
            let of_cookie = self.state.with_cookie(fm.new_cookie);
            if of_cookie.iter().filter(|r| r.table == table && !r.is_hidden()).count() >= limit as usize {
                return Ok(());
            }
        }
        let command = if known { fm.command } else { FlowModCommand::Add };
        // Not a version in which an add starts counters anew, and says so.
        self.flow_mod(FlowMod { command, ..fm }, Version::V13, now)
    }

    /// Adds a flow of the switch's own unless it is there already with the same actions. Its priority may be above
    /// those of controllers, which then do not see it.
    pub fn add_internal_flow(
        &mut self,
        table: TableId,
        priority: u32,
        matching: MiniMatch,
        actions: &[Action],
        now: Time,
    ) {
        if let Some(old) = self.state.tables().find_exact(table, &matching, priority) {
            if *old.actions == *actions {
                return;
            }
            let old = old.clone();
            let new = Rule { actions: actions.into(), modified: now, ..old.copy() };
            self.state.modify(old, new);
        } else {
            self.state.add(Rule::new(table, priority, matching, actions, now));
        }
        self.commit(None, now);
    }

    /// Removes a flow of the switch's own.
    pub fn remove_internal_flow(&mut self, table: TableId, priority: u32, matching: &MiniMatch, now: Time) {
        if let Some(old) = self.state.tables().find_exact(table, matching, priority).cloned() {
            self.state.remove(old, FlowRemovedReason::Delete);
            self.commit(None, now);
        }
    }

    /// Makes the flows for control traffic these. What stays wanted stays as it is, with its counters; a flush of the
    /// tables puts them back by itself.
    pub fn set_in_band(&mut self, rules: Vec<crate::in_band::Rule>, actions: Vec<Action>, now: Time) {
        let old = std::mem::take(&mut self.in_band);
        for (priority, matching) in old.rules.iter().filter(|r| !rules.contains(r)) {
            self.remove_internal_flow(TableId(0), *priority, matching, now);
        }
        for (priority, matching) in &rules {
            self.add_internal_flow(TableId(0), *priority, matching.clone(), &actions, now);
        }
        self.in_band = InBandFlows { rules, actions };
    }

    /// Whether these are other flows for control traffic than there are.
    pub fn in_band_differs(&self, rules: &[crate::in_band::Rule], actions: &[Action]) -> bool {
        self.in_band.rules != rules || self.in_band.actions != actions
    }

    /// How many flows for control traffic there are.
    pub fn in_band_flows(&self) -> usize {
        self.in_band.rules.len()
    }

    /// Lowers a flow's timeouts as `fin_timeout` says.
    pub fn fin_timeout(&mut self, rule: &Arc<Rule>, idle: u16, hard: u16, now: Time) {
        let Some(old) = self.state.tables().find_exact(rule.table, &rule.matching, rule.priority).cloned()
        else {
            return;
        };
        if !Arc::ptr_eq(&old.stats, &rule.stats) {
            return;
        }
        let lower = |t: u16, to: u16| if to != 0 && (t == 0 || to < t) { to } else { t };
        let (idle, hard) = (lower(old.idle_timeout, idle), lower(old.hard_timeout, hard));
        if (idle, hard) == (old.idle_timeout, old.hard_timeout) {
            return;
        }
        let new = Rule { idle_timeout: idle, hard_timeout: hard, ..old.copy() };
        self.state.modify(old, new);
        // Timeouts are not what translation reads or monitors report.
        let log = self.state.take_log();
        self.state.recycle(log);
        let _ = now;
    }

    /// Removes all flows and puts back those that the switch has on its own.
    pub fn flush_flows(&mut self, now: Time) {
        for id in 0..crate::tables::N_VISIBLE {
            self.state.clear_table(TableId(id), FlowRemovedReason::Delete);
        }
        self.commit(None, now);
        crate::fail::apply_default_flow(self, now);
    }

    /// Removes all groups and meters.
    pub fn clear_groups_and_meters(&mut self, now: Time) {
        let ids: Vec<_> = self.state.tables().groups().map(|g| g.id).collect();
        ids.into_iter().for_each(|id| self.state.remove_group(id));
        let ids: Vec<_> = self.state.tables().meters().map(|m| m.id()).collect();
        ids.into_iter().for_each(|id| self.state.remove_meter(id));
        self.commit(None, now);
    }

    /// Lets time pass: flows and bundles whose time is up, and the fail mode.
    pub fn run(&mut self, now: Time) {
        for _ in 0..EXPIRE_AT_ONCE {
            let Some(rule) = self.state.expiry().pop(now) else { break };
            if !self.state.tables().is_current(&rule) {
                continue;
            }
            match rule.expired(now) {
                Some(reason) => self.state.remove(rule, reason),
                None => self.state.expiry().put_back(rule),
            }
        }
        if self.state.mark() > 0 {
            self.commit(None, now);
        }
        for conn in self.connections.values_mut() {
            for xid in conn.parts.expire(now) {
                self.effects.push(Effect::Error(conn.id, xid, OfpErr::OFPBRC_MULTIPART_REQUEST_TIMEOUT));
            }
            for (xid, opened) in conn.bundles.expire(now) {
                let about = Box::new(Message::BundleControl(opened));
                self.effects.push(Effect::ErrorAbout(conn.id, xid, OfpErr::OFPBFC_TIMEOUT, about));
            }
        }
        self.run_paces(now);
        crate::fail::run(self, now);
        if now >= self.free_at {
            self.state.free_some();
            let wait = if self.state.has_discarded() { FREE_EVERY } else { FREE_AFTER };
            self.free_at = now + wait;
        }
    }

    /// When [`Ofproto::run`] has something to do next, if nothing happens before.
    pub fn next_deadline(&self) -> Time {
        let waiting = self.connections.values();
        let bundles = waiting.map(|c| c.bundles.next_deadline().min(c.parts.next_deadline())).min();
        let paces = self.connections.values().filter_map(|c| c.paces.as_ref());
        let paces = paces.flat_map(|p| p.iter().map(Pace::next_deadline)).min();
        let connections = bundles.unwrap_or(Time::NEVER).min(paces.unwrap_or(Time::NEVER));
        let free = if self.state.has_discarded() { self.free_at } else { Time::NEVER };
        self.state.next_expiry().min(connections).min(self.fail.next_deadline()).min(free)
    }

    /// What was done is done: tells controllers.
    pub(crate) fn commit(&mut self, origin: Origin, now: Time) {
        self.state.remove_orphans();
        self.note_change();
        let log = self.state.take_log();
        for change in &log {
            match change {
                Change::Removed(rule, reason) => self.flow_removed(rule, *reason, now),
                Change::Meter(Some(new), _) => {
                    self.effects.push(Effect::Meter(Ok(new.config.clone())));
                }
                Change::Meter(None, Some(old)) => self.effects.push(Effect::Meter(Err(old.id()))),
                _ => {}
            }
        }
        self.report(&log, origin);
        if !self.vacancies.is_empty() {
            self.tell_vacancies();
        }
        if !self.state.has_discarded() {
            self.free_at = now + FREE_AFTER;
        }
        self.state.recycle(log);
    }

    fn flow_removed(&mut self, rule: &Arc<Rule>, reason: FlowRemovedReason, now: Time) {
        if !rule.flags.has(FlowModFlags::SEND_FLOW_REM) || rule.is_hidden() {
            return;
        }
        let (duration_sec, duration_nsec) = crate::age::on_the_wire(rule.created, now);
        for conn in self.connections.values() {
            // Reasons that a version cannot express are a delete to it.
            let reason = match reason {
                FlowRemovedReason::MeterDelete | FlowRemovedReason::Eviction
                    if conn.version() < Version::V14 =>
                {
                    FlowRemovedReason::Delete
                }
                FlowRemovedReason::GroupDelete if conn.version() < Version::V13 => FlowRemovedReason::Delete,
                r => r,
            };
            if !conn.wants(AsyncKind::FlowRemoved, reason.number().into()) {
                continue;
            }
            let message = FlowRemoved {
                matching: rule.matching.clone(),
                cookie: rule.cookie,
                priority: rule.priority as u16,
                reason,
                table: rule.table.0,
                duration_sec,
                duration_nsec,
                idle_timeout: rule.idle_timeout,
                hard_timeout: rule.hard_timeout,
                packet_count: rule.stats.packets(),
                byte_count: rule.stats.bytes(),
            };
            self.effects.push(Effect::Send(conn.id, ASYNC_XID, Message::FlowRemoved(Box::new(message))));
        }
    }

    /// The groups, by number.
    pub(crate) fn groups_sorted(&self) -> Vec<Arc<Group>> {
        let mut groups: Vec<_> = self.state.tables().groups().cloned().collect();
        groups.sort_by_key(|g| g.id);
        groups
    }
}
