//! OpenFlow connections of a bridge: controllers that it connects to, listeners where others connect (the management
//! socket and passive controllers), and the way of messages between them and [`ofproto::Ofproto`].

use super::Switch;
use super::host::HostView;
use crate::codec;
use crate::config::ControllerConfig;
use base::{Time, Xid, error, info, warn};
use ofproto::{ConnConfig, ConnId, ConnKind};
use openflow::{Message, VersionSet};
use reactor::vconn::{Options, Rconn, RconnOptions, Vconn};
use reactor::{Key, Listener, Reactor};
use std::collections::{BTreeMap, HashMap};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

/// Number of the component that connections are, relative to the switch's first.
pub const CONNECTIONS: u16 = 0;
/// Messages of one connection handled before others have their turn.
const BATCH: usize = 500;
/// Parts of a long answer made before others have their turn.
const PARTS: usize = 8;
/// Replies queued on a connection beyond which its requests wait.
const BACKLOG_LIMIT: usize = 1 << 20;
/// Inactivity probe of the management socket.
const SERVICE_PROBE: Duration = Duration::from_secs(60);

/// Classes of queued messages that are counted apart.
pub const CLASS_REPLY: u8 = 0;
/// Packet-ins.
pub const CLASS_PACKET_IN: u8 = 1;
/// What flow monitors tell.
pub const CLASS_MONITOR: u8 = 2;

/// Which connection an event-loop key belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Slot {
    /// The active controller with this target.
    Controller(Arc<str>),
    /// A listener.
    Listener(Arc<str>),
    /// What a listener accepted.
    Accepted(Arc<str>, u64),
    /// The socket for listening in.
    SnoopListener,
    /// Somebody who listens in.
    Snooper(u64),
}

/// Keys given out.
pub struct Keys {
    component: u16,
    next: u64,
    owners: HashMap<u64, (Arc<str>, Slot)>,
}

impl Keys {
    /// None yet.
    pub fn new(component: u16) -> Keys {
        Keys { component, next: 1, owners: HashMap::new() }
    }

    pub(super) fn give(&mut self, bridge: &str, slot: impl FnOnce(u64) -> Slot) -> Key {
        let index = self.next;
        self.next += 1;
        self.owners.insert(index, (bridge.into(), slot(index)));
        Key::new(self.component, index)
    }

    pub(super) fn take_back(&mut self, key: Key) {
        self.owners.remove(&key.index());
    }
}

/// A connection with its OpenFlow state.
pub struct Conn {
    /// The bytes.
    pub rconn: Rconn,
    /// The state, while connected.
    pub id: Option<ConnId>,
    /// Packet-ins that may wait to be sent.
    packet_in_limit: usize,
    /// Whether it last asked for statistics in the form of the extension (OpenFlow 1.0 has two).
    asked_nxst: bool,
    /// Connection number for which `id` is.
    pub(super) seqno: u64,
}

impl Conn {
    /// A connection that is about to be made.
    pub(super) fn new(rconn: Rconn, packet_in_limit: usize) -> Conn {
        Conn { rconn, id: None, packet_in_limit, asked_nxst: false, seqno: 0 }
    }
}

/// A place where controllers connect.
pub struct Service {
    /// The socket; none if it could not be opened.
    pub(super) listener: Option<Listener>,
    key: Key,
    config: ControllerConfig,
    /// Connections accepted, by key.
    pub(super) accepted: BTreeMap<u64, Conn>,
}

/// All connections of one bridge.
#[derive(Default)]
pub struct Connections {
    /// Controllers by target.
    pub controllers: BTreeMap<String, (ControllerConfig, Conn)>,
    /// Listeners by target.
    pub services: BTreeMap<String, Service>,
    /// Where one listens in on a controller's connection.
    pub snoop: super::snoop::Snoop,
    pub(super) versions: VersionSet,
}

/// What the database says of a controller.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ControllerStatus {
    /// `is_connected`
    pub connected: bool,
    /// `role`
    pub role: Option<&'static str>,
    /// `status`
    pub status: BTreeMap<String, String>,
}

impl Connections {
    /// The connection with an OpenFlow id.
    pub fn by_id(&mut self, id: ConnId) -> Option<&mut Conn> {
        let accepted = self.services.values_mut().flat_map(|s| s.accepted.values_mut());
        self.controllers.values_mut().map(|(_, c)| c).chain(accepted).find(|c| c.id == Some(id))
    }

    fn conn(&mut self, slot: &Slot) -> Option<&mut Conn> {
        match slot {
            Slot::Controller(target) => self.controllers.get_mut(&**target).map(|(_, c)| c),
            Slot::Accepted(target, n) => self.services.get_mut(&**target)?.accepted.get_mut(n),
            Slot::Listener(_) | Slot::SnoopListener | Slot::Snooper(_) => None,
        }
    }

    /// Configuration of the controller that a connection is with.
    fn config(&self, slot: &Slot) -> Option<&ControllerConfig> {
        match slot {
            Slot::Controller(t) => self.controllers.get(&**t).map(|(c, _)| c),
            Slot::Accepted(t, _) => self.services.get(&**t).map(|s| &s.config),
            Slot::Listener(_) | Slot::SnoopListener | Slot::Snooper(_) => None,
        }
    }

    /// Whether there is any controller that the fail mode counts on, connected or not.
    pub(super) fn has_primaries(&self) -> bool {
        let listening = self.services.values().filter(|s| s.listener.is_some()).map(|s| &s.config);
        self.controllers.values().map(|(c, _)| c).chain(listening).any(|c| !c.service)
    }

    /// Connections with controllers that the fail mode counts on.
    pub(super) fn primaries(&self) -> impl Iterator<Item = (&ControllerConfig, &Conn)> {
        let active = self.controllers.values().map(|(c, conn)| (c, conn));
        let passive =
            self.services.values().flat_map(|s| s.accepted.values().map(move |conn| (&s.config, conn)));
        active.chain(passive).filter(|(c, _)| !c.service)
    }
}

impl Switch {
    /// Makes a bridge's connections those that are configured.
    pub(super) fn configure_connections(&mut self, r: &mut Reactor, bridge: &str) {
        let Some(b) = self.bridges.get_mut(bridge) else { return };
        let versions = codec::versions(&b.config.protocols);
        let mut wanted: BTreeMap<String, ControllerConfig> = BTreeMap::new();
        for c in b.config.controllers.values() {
            let c = c.clone();
            if let Some(text) = forbidden(&c.target, bridge, &self.env.rundir) {
                error!(self.env.log, "bridge", "bridge {bridge}: {text}");
                continue;
            }
            if !is_passive(&c.target) && !is_active(&c.target) {
                warn!(self.env.log, "connmgr", "{bridge}: unsupported controller \"{}\"", c.target);
                continue;
            }
            wanted.insert(c.target.clone(), c);
        }
        let management = format!("punix:{}/{bridge}.mgmt", self.env.rundir.display());
        let service = |target: &str| ControllerConfig {
            target: target.to_string(),
            service: true,
            inactivity_probe: SERVICE_PROBE.as_millis() as u64,
            max_backoff: 8000,
            async_messages: true,
            ..ControllerConfig::default()
        };
        if !bridge.contains('/') {
            wanted.insert(management.clone(), service(&management));
        }
        let management_queue = b.config.other_config.get("controller-queue-size");
        let management_queue =
            management_queue.and_then(|q| q.parse().ok()).filter(|q| (1..=512).contains(q));
        for c in wanted.values_mut() {
            c.queue_size = c.queue_size.or(management_queue);
        }
        let changed_versions = b.connections.versions != versions && !b.connections.services.is_empty();
        b.connections.versions = versions;
        // A controller keeps the type that it began with.
        let old = b.connections.controllers.iter().map(|(t, (c, _))| (t, c.service));
        for (target, service) in old.chain(b.connections.services.iter().map(|(t, s)| (t, s.config.service)))
        {
            if let Some(c) = wanted.get_mut(target) {
                c.service = service;
            }
        }
        self.drop_connections(r, bridge, |target| !wanted.contains_key(target));
        if changed_versions {
            self.restart_connections(r, bridge);
        }
        self.open_snoop(r, bridge);
        let (passive, active): (Vec<_>, Vec<_>) = wanted.into_iter().partition(|(t, _)| is_passive(t));
        for (target, config) in active.into_iter().chain(passive) {
            if is_passive(&target) {
                self.open_listener(r, bridge, &target, config);
            } else {
                self.open_controller(r, bridge, &target, config);
            }
        }
    }

    fn drop_connections(&mut self, r: &mut Reactor, bridge: &str, gone: impl Fn(&str) -> bool) {
        let Some(b) = self.bridges.get_mut(bridge) else { return };
        let controllers: Vec<String> =
            b.connections.controllers.keys().filter(|t| gone(t)).cloned().collect();
        for target in controllers {
            let Some((config, mut c)) = b.connections.controllers.remove(&target) else { continue };
            let kind = kind_name(&config);
            info!(self.env.log, "connmgr", "{bridge}: removed {kind} controller \"{target}\"");
            c.rconn.disconnect(r);
            self.keys.take_back(c.rconn.key());
            if let Some(id) = c.id {
                b.ofproto.disconnect(id);
            }
        }
        let services: Vec<String> = b.connections.services.keys().filter(|t| gone(t)).cloned().collect();
        for target in services {
            let Some(s) = b.connections.services.remove(&target) else { continue };
            let kind = kind_name(&s.config);
            info!(self.env.log, "connmgr", "{bridge}: removed {kind} controller \"{target}\"");
            self.keys.take_back(s.key);
            for (_, mut c) in s.accepted {
                c.rconn.disconnect(r);
                self.keys.take_back(c.rconn.key());
                if let Some(id) = c.id {
                    b.ofproto.disconnect(id);
                }
            }
            if let Some(l) = s.listener {
                l.close(r);
            }
        }
    }

    /// Has every connection negotiate anew, as its versions have changed.
    fn restart_connections(&mut self, r: &mut Reactor, bridge: &str) {
        let Some(b) = self.bridges.get(bridge) else { return };
        let targets: Vec<String> = b.connections.services.keys().cloned().collect();
        for target in &targets {
            info!(
                self.env.log,
                "connmgr",
                "{bridge}: Changes to controller \"{target}\" expects re-initialization: Re-initializing now."
            );
        }
        self.drop_quietly(r, bridge);
    }

    fn drop_quietly(&mut self, r: &mut Reactor, bridge: &str) {
        let log = std::mem::take(&mut self.env.log);
        self.drop_connections(r, bridge, |_| true);
        self.env.log = log;
    }

    fn open_controller(&mut self, r: &mut Reactor, bridge: &str, target: &str, config: ControllerConfig) {
        let now = self.now();
        let Some(b) = self.bridges.get_mut(bridge) else { return };
        let options = options(&config, b.connections.versions);
        if let Some((old, conn)) = b.connections.controllers.get_mut(target) {
            if *old != config {
                let (before, limit) = (config_limit(old), config_limit(&config));
                if let Some(id) = conn.id.filter(|_| before != limit) {
                    b.ofproto.limit_packet_ins(id, limit, now);
                }
                let redial = old.dscp != config.dscp;
                conn.packet_in_limit = packet_in_limit(&config);
                *old = config;
                conn.rconn.set_options(r, options);
                if redial {
                    conn.rconn.reconnect(r);
                }
            }
            return;
        }
        let packet_in_limit = packet_in_limit(&config);
        let key = self.keys.give(bridge, |_| Slot::Controller(target.into()));
        let mut rconn = Rconn::new(r, key, options);
        rconn.connect(r, target, &format!("{bridge}<->{target}"));
        rconn.run(r);
        let kind = kind_name(&config);
        info!(self.env.log, "connmgr", "{bridge}: added {kind} controller \"{target}\"");
        b.connections.controllers.insert(target.to_string(), (config, Conn::new(rconn, packet_in_limit)));
    }

    fn open_listener(&mut self, r: &mut Reactor, bridge: &str, target: &str, config: ControllerConfig) {
        let Some(b) = self.bridges.get_mut(bridge) else { return };
        let options = options(&config, b.connections.versions);
        if let Some(s) = b.connections.services.get_mut(target) {
            s.config = config;
            return;
        }
        let key = self.keys.give(bridge, |_| Slot::Listener(target.into()));
        let listener = match Listener::open(r, key, target, options.vconn.stream()) {
            Ok(l) => {
                let kind = kind_name(&config);
                info!(self.env.log, "connmgr", "{bridge}: added {kind} controller \"{target}\"");
                Some(l)
            }
            Err(e) => {
                error!(self.env.log, "connmgr", "failed to listen on {target}: {}", reactor::errno::text(&e));
                None
            }
        };
        let service = Service { listener, key, config, accepted: BTreeMap::new() };
        b.connections.services.insert(target.to_string(), service);
    }

    /// Tells the log of the flow-mods of connections, when it is time.
    pub(super) fn report_flow_mods(&mut self, bridge: &str) {
        let now = self.now();
        let Some(b) = self.bridges.get_mut(bridge) else { return };
        for (id, text) in b.ofproto.flow_mod_reports(now) {
            if let Some(c) = b.connections.by_id(id) {
                info!(self.env.log, "connmgr", "{}: {text}", c.rconn.name());
            }
        }
    }

    /// Closes all connections of a bridge that is about to go.
    pub(super) fn close_connections(&mut self, r: &mut Reactor, bridge: &str) {
        self.close_snoop(r, bridge);
        self.drop_quietly(r, bridge);
    }

    /// Runs the connection that an event is about.
    pub fn connection_event(&mut self, r: &mut Reactor, key: Key) {
        let Some((bridge, slot)) = self.keys.owners.get(&key.index()).cloned() else { return };
        match &slot {
            Slot::Listener(target) => self.accept(r, &bridge, target),
            Slot::SnoopListener => self.accept_snooper(r, &bridge),
            Slot::Snooper(n) => self.run_snooper(r, &bridge, *n),
            _ => self.run_connection(r, &bridge, &slot),
        }
    }

    fn accept(&mut self, r: &mut Reactor, bridge: &str, target: &str) {
        loop {
            let Some(b) = self.bridges.get_mut(bridge) else { return };
            let versions = b.connections.versions;
            let Some(s) = b.connections.services.get_mut(target) else { return };
            let Some(listener) = s.listener.as_mut() else { return };
            let key = self.keys.give(bridge, |n| Slot::Accepted(target.into(), n));
            let stream = match listener.accept(r, key) {
                Ok(Some(stream)) => stream,
                _ => return self.keys.take_back(key),
            };
            let options = options(&s.config, versions);
            let packet_in_limit = packet_in_limit(&s.config);
            let name = format!("{bridge}<->{}", stream.name());
            let vconn = Vconn::accepted(r, stream, options.vconn);
            let mut rconn = Rconn::new(r, key, options);
            rconn.accept(r, vconn, &name);
            s.accepted.insert(key.index(), Conn::new(rconn, packet_in_limit));
            self.run_connection(r, bridge, &Slot::Accepted(target.into(), key.index()));
        }
    }

    fn run_connection(&mut self, r: &mut Reactor, bridge: &str, slot: &Slot) {
        let Some(b) = self.bridges.get_mut(bridge) else { return };
        let Some(conn) = b.connections.conn(slot) else { return };
        let was = (conn.rconn.seqno(), conn.rconn.is_connected());
        conn.rconn.run(r);
        self.resume_monitors(bridge, slot);
        self.follow_connection(bridge, slot);
        for n in 0.. {
            let Some(b) = self.bridges.get_mut(bridge) else { return };
            let Some(conn) = b.connections.conn(slot) else { return };
            // A peer that does not read its answers, or has not got all of the last one, is not heard until it has.
            let answering = conn.id.filter(|id| b.ofproto.is_answering(*id));
            let full = conn.rconn.backlog() > BACKLOG_LIMIT;
            conn.rconn.pause(r, full || answering.is_some());
            if full {
                break;
            }
            if let Some(id) = answering {
                if self.answer(r, bridge, slot, id) {
                    continue;
                }
                break;
            }
            if n == BATCH {
                // Others have their turn.
                r.again(conn.rconn.key());
                break;
            }
            let Some(bytes) = conn.rconn.recv(r) else { break };
            self.follow_connection(bridge, slot);
            self.message_contained(r, bridge, slot, &bytes);
        }
        self.bridge_effects(r, bridge, None);
        self.publish();
        self.send_packets();
        self.flush(r, bridge, slot);
        self.follow_connection(bridge, slot);
        self.pass_to_snoopers(r, bridge);
        let Some(b) = self.bridges.get_mut(bridge) else { return };
        let Some(conn) = b.connections.conn(slot) else { return };
        let is = (conn.rconn.seqno(), conn.rconn.is_connected());
        if is != was || !is.1 || b.ofproto.failed_open() {
            self.forget_closed(bridge, slot);
            self.update_contact(bridge);
        }
        self.note_deadline(bridge);
    }

    /// Goes on with a long answer, for a while; says whether it is complete.
    fn answer(&mut self, r: &mut Reactor, bridge: &str, slot: &Slot, id: ConnId) -> bool {
        let now = r.now();
        for _ in 0..PARTS {
            let Some(b) = self.bridges.get_mut(bridge) else { return false };
            if !b.ofproto.is_answering(id) {
                return true;
            }
            b.ofproto.answer(id, now);
            self.bridge_effects(r, bridge, None);
        }
        let conn = self.bridges.get_mut(bridge).and_then(|b| b.connections.conn(slot));
        if let Some(conn) = conn {
            conn.rconn.flush(r);
            if conn.rconn.backlog() == 0 {
                r.again(conn.rconn.key());
            }
        }
        false
    }

    /// Writes the answers to what a connection has asked.
    fn flush(&mut self, r: &mut Reactor, bridge: &str, slot: &Slot) {
        let Some(b) = self.bridges.get_mut(bridge) else { return };
        let Some(conn) = b.connections.conn(slot) else { return };
        let full = conn.rconn.backlog() > BACKLOG_LIMIT;
        conn.rconn.flush(r);
        // The socket does not wake anybody who waits for what has just been written.
        let heard = full && conn.rconn.backlog() <= BACKLOG_LIMIT;
        let paused = conn.id.and_then(|id| b.ofproto.connection(id)).is_some_and(|c| c.monitoring_paused());
        if heard || paused && conn.rconn.queued(CLASS_MONITOR).0 == 0 {
            r.again(conn.rconn.key());
        }
    }

    /// Writes what waits on any connection, and sends packets that were made here.
    pub fn flush_connections(&mut self, r: &mut Reactor) {
        self.send_packets();
        for key in r.unwritten(self.keys.component) {
            let Some((bridge, slot)) = self.keys.owners.get(&key.index()).cloned() else { continue };
            self.flush(r, &bridge, &slot);
        }
    }

    /// Keeps the OpenFlow state in step with the connection's comings and goings.
    fn follow_connection(&mut self, bridge: &str, slot: &Slot) {
        let Some(b) = self.bridges.get_mut(bridge) else { return };
        let Some(conn) = b.connections.conn(slot) else { return };
        if conn.id.is_some() == conn.rconn.is_connected() && conn.seqno == conn.rconn.seqno() {
            return;
        }
        let config = b.connections.config(slot);
        let service = config.is_some_and(|c| c.service);
        let enable_async = config.is_none_or(|c| c.async_messages);
        let Some(conn) = b.connections.conn(slot) else { return };
        let connected = conn.rconn.is_connected();
        if !service && conn.id.is_some() != connected {
            self.status_changed = true;
        }
        let seqno = conn.rconn.seqno();
        if conn.id.is_some() && (!connected || seqno != conn.seqno) {
            let (id, name) = (conn.id.take(), conn.rconn.name().to_string());
            if let Some(id) = id {
                tell_tally(&self.env.log, b, id, &name, self.env.clock.now());
                b.ofproto.disconnect(id);
            }
        }
        let Some(conn) = b.connections.conn(slot) else { return };
        if conn.id.is_none()
            && connected
            && let Some(version) = conn.rconn.version()
        {
            conn.seqno = seqno;
            let kind = if service { ConnKind::Service } else { ConnKind::Primary };
            let id = b.ofproto.connect(&ConnConfig { kind, version, enable_async });
            let now = self.env.clock.now();
            if let Some(limit) = rate_limit(&b.connections, slot) {
                b.ofproto.limit_packet_ins(id, Some(limit), now);
            }
            if let Some(conn) = b.connections.conn(slot) {
                conn.id = Some(id);
            }
        }
    }

    /// An accepted connection that has closed is forgotten.
    fn forget_closed(&mut self, bridge: &str, slot: &Slot) {
        let now = self.now();
        let Slot::Accepted(target, n) = slot else { return };
        let Some(b) = self.bridges.get_mut(bridge) else { return };
        let Some(s) = b.connections.services.get_mut(&**target) else { return };
        if s.accepted.get(n).is_some_and(|c| !c.rconn.is_alive())
            && let Some(c) = s.accepted.remove(n)
        {
            self.keys.take_back(c.rconn.key());
            if let Some(id) = c.id {
                tell_tally(&self.env.log, b, id, c.rconn.name(), now);
                b.ofproto.disconnect(id);
            }
        }
    }

    /// Tells the fail mode how the controllers are doing.
    pub(super) fn update_contact(&mut self, bridge: &str) {
        let now = self.now();
        let Some(b) = self.bridges.get_mut(bridge) else { return };
        let all = || b.connections.primaries();
        if all().next().is_none() {
            return;
        }
        let lost_for = all().map(|(_, c)| c.rconn.failure_duration(now)).min().unwrap_or_default();
        let contact = ofproto::fail::Contact {
            connected: all().any(|(_, c)| c.rconn.is_connected()),
            admitted: all().any(|(_, c)| c.rconn.is_admitted(now)),
            lost_at: Time(now.0.saturating_sub(lost_for.as_nanos() as u64)),
            probe_interval: all()
                .map(|(c, _)| Duration::from_millis(c.inactivity_probe))
                .max()
                .filter(|d| !d.is_zero())
                .unwrap_or(Duration::from_secs(5)),
        };
        b.ofproto.set_contact(contact, now);
        self.tell_fail_mode(bridge);
    }

    /// Says when the fail mode takes over, and when it gives way.
    pub(super) fn tell_fail_mode(&mut self, bridge: &str) {
        let now = self.now();
        let Some(b) = self.bridges.get_mut(bridge) else { return };
        let open = b.ofproto.failed_open();
        if open && b.said_open && now >= b.remind_open {
            b.remind_open = now + STILL_OPEN_INTERVAL;
            let lost = b.connections.primaries().map(|(_, c)| c.rconn.failure_duration(now)).min();
            info!(
                self.env.log,
                "fail_open",
                "Still in fail-open mode after {} seconds disconnected from controller",
                lost.unwrap_or_default().as_secs()
            );
        }
        if open == std::mem::replace(&mut b.said_open, open) {
            return;
        }
        if open {
            b.remind_open = now + STILL_OPEN_INTERVAL;
            let lost = b.connections.primaries().map(|(_, c)| c.rconn.failure_duration(now)).min();
            warn!(
                self.env.log,
                "fail_open",
                "Could not connect to controller (or switch failed controller's post-connection admission control policy) for {} seconds, failing open",
                lost.unwrap_or_default().as_secs()
            );
        } else {
            warn!(self.env.log, "fail_open", "No longer in fail-open mode");
        }
    }

    /// A panic over a message is a bug; it costs the connection that sent it, and nobody else's.
    fn message_contained(&mut self, r: &mut Reactor, bridge: &str, slot: &Slot, bytes: &[u8]) {
        if catch_unwind(AssertUnwindSafe(|| self.message(r, bridge, slot, bytes))).is_ok() {
            return;
        }
        let shown: String = bytes.iter().take(64).map(|b| format!("{b:02x}")).collect();
        let Some(b) = self.bridges.get_mut(bridge) else { return };
        let Some(conn) = b.connections.conn(slot) else { return };
        error!(
            self.env.log,
            "connmgr",
            "{}: closing connection: panic while handling a message of {} bytes: {shown}",
            conn.rconn.name(),
            bytes.len()
        );
        conn.rconn.reconnect(r);
    }

    fn message(&mut self, r: &mut Reactor, bridge: &str, slot: &Slot, bytes: &[u8]) {
        self.done.received += 1;
        if codec::asks_for_counters(bytes) {
            self.push_stats_soon(r);
        }
        let now = r.now();
        let Some(b) = self.bridges.get_mut(bridge) else { return };
        let Some(conn) = b.connections.conn(slot) else { return };
        let Some(id) = conn.id else { return };
        let Some(state) = b.ofproto.connection(id) else { return };
        let (of, secondary) = (codec::of(state), state.is_secondary());
        let decoded = codec::decode(&of, secondary, bytes, &self.env.log);
        let whole = decoded.and_then(|(xid, m)| match m {
            Message::StatsRequest(request) => {
                conn.asked_nxst = codec::is_nxst(bytes);
                let more = codec::has_more(bytes);
                let whole = b.ofproto.stats_part(id, xid, request, (bytes.len(), more), now)?;
                Ok(whole.map(|r| (xid, Message::StatsRequest(r))))
            }
            m => Ok(Some((xid, m))),
        });
        let (xid, message) = match whole {
            Ok(Some(whole)) => whole,
            Ok(None) => return,
            Err(error) => {
                let reply = codec::error_reply(&of, error, bytes);
                conn.rconn.send(r, &reply, CLASS_REPLY);
                return;
            }
        };
        if let Message::EchoRequest(data) = message {
            codec::encode(&of, xid, &Message::EchoReply(data), &mut self.encoded);
            conn.rconn.send(r, &self.encoded, CLASS_REPLY);
            return;
        }
        let backer = self.backers.get(&b.kind);
        let host =
            HostView { interfaces: &b.interfaces, backer, counters: backer.map(|k| &*k.counters), id: b.id };
        b.ofproto.handle_message(id, xid, message, now, &host);
        if b.ofproto.has_effects() {
            self.bridge_effects(r, bridge, Some((xid, bytes)));
        }
    }

    /// Sends a message on a connection.
    pub(super) fn send(&mut self, r: &mut Reactor, bridge: &str, id: ConnId, xid: Xid, message: &Message) {
        let Some(b) = self.bridges.get_mut(bridge) else { return };
        let Some(of) = b.ofproto.connection(id).map(codec::of) else { return };
        let Some(conn) = b.connections.by_id(id) else { return };
        let of = codec::in_kind(of, message, conn.asked_nxst);
        let limit = conn.packet_in_limit;
        let class = match message {
            Message::PacketIn(_) => CLASS_PACKET_IN,
            _ if is_monitors(xid, message) => CLASS_MONITOR,
            _ => CLASS_REPLY,
        };
        // A reader that does not keep up loses packet-ins, not answers.
        if class == CLASS_PACKET_IN && conn.rconn.queued(class).0 >= limit {
            conn.rconn.flush(r);
            if conn.rconn.queued(class).0 >= limit {
                self.done.overflowed += 1;
                return;
            }
        }
        codec::encode(&of, xid, message, &mut self.encoded);
        for m in codec::messages(&self.encoded) {
            self.done.queued += 1;
            conn.rconn.send(r, m, class);
        }
        if class == CLASS_MONITOR {
            let waiting = conn.rconn.queued(class).1;
            b.ofproto.monitor_backlog(id, waiting);
        }
    }

    /// A reader that has caught up with its flow monitors goes on.
    fn resume_monitors(&mut self, bridge: &str, slot: &Slot) {
        let Some(b) = self.bridges.get_mut(bridge) else { return };
        let Some(conn) = b.connections.conn(slot) else { return };
        let Some(id) = conn.id else { return };
        if b.ofproto.connection(id).is_some_and(|c| c.monitoring_paused()) {
            b.ofproto.monitor_backlog(id, conn.rconn.queued(CLASS_MONITOR).1);
        }
    }

    /// Drops and makes again the connections of a bridge's controllers (`bridge/reconnect`).
    pub fn reconnect(&mut self, r: &mut Reactor, bridge: &str) {
        let Some(b) = self.bridges.get_mut(bridge) else { return };
        for (_, c) in b.connections.controllers.values_mut() {
            c.rconn.reconnect(r);
        }
    }

    /// Status of each controller of a bridge, by target.
    pub fn controller_status(&self, bridge: &str) -> BTreeMap<String, ControllerStatus> {
        let now = self.now();
        let Some(b) = self.bridges.get(bridge) else { return BTreeMap::new() };
        let mut all = BTreeMap::new();
        for (target, (_, c)) in &b.connections.controllers {
            let mut status = BTreeMap::new();
            let seconds = |t: Time| now.since(t).as_secs().to_string();
            let (connected, disconnected) = c.rconn.last_changes();
            if let Some(t) = connected {
                status.insert("sec_since_connect".into(), seconds(t));
            }
            if let Some(t) = disconnected {
                status.insert("sec_since_disconnect".into(), seconds(t));
            }
            if let Some(e) = c.rconn.last_error() {
                status.insert("last_error".into(), reactor::errno::text(e));
            }
            status.insert("state".into(), codec::state_name(c.rconn.state()).into());
            let counts =
                c.id.and_then(|id| b.ofproto.connection(id)).and_then(ofproto::Connection::pace_counts);
            for (kind, n) in counts.iter().flat_map(|c| ["miss", "action"].iter().zip(c)) {
                for (what, n) in [
                    ("bypassed", n.bypassed),
                    ("queued", n.queued),
                    ("dropped", n.dropped),
                    ("backlog", n.backlog),
                ] {
                    status.insert(format!("packet-in-{kind}-{what}"), n.to_string());
                }
            }
            let role = c.id.and_then(|id| b.ofproto.connection(id)).map(|c| codec::role_name(c.role));
            let connected = c.rconn.is_connected();
            all.insert(target.clone(), ControllerStatus { connected, role, status });
        }
        for (target, s) in &b.connections.services {
            let mut status = BTreeMap::new();
            if s.accepted.len() > 1 {
                status.insert("n_connections".to_string(), s.accepted.len().to_string());
            }
            let connected = s.accepted.values().any(|c| c.rconn.is_connected());
            all.insert(target.clone(), ControllerStatus { connected, role: None, status });
        }
        all
    }
}

/// Packet-ins that wait for a slow reader, unless the database says otherwise.
const PACKET_IN_QUEUE: u32 = 100;

fn packet_in_limit(config: &ControllerConfig) -> usize {
    config.queue_size.filter(|q| (1..=512).contains(q)).unwrap_or(PACKET_IN_QUEUE) as usize
}

fn kind_name(config: &ControllerConfig) -> &'static str {
    if config.service { "service" } else { "primary" }
}

/// Tells the log of the flow-mods of a connection that ends.
fn tell_tally(log: &base::Logger, b: &mut super::bridge::Bridge, id: ConnId, name: &str, now: Time) {
    if let Some(text) = b.ofproto.last_flow_mod_report(id, now) {
        info!(log, "connmgr", "{name}: {text}");
    }
}

/// How often the log is reminded that the fail mode has taken over.
const STILL_OPEN_INTERVAL: Duration = Duration::from_secs(60);

/// DSCP of control traffic, unless the database says otherwise: "internetwork control".
const CONTROL_DSCP: u8 = 48;

pub(super) fn options(config: &ControllerConfig, versions: VersionSet) -> RconnOptions {
    RconnOptions {
        probe_interval: Duration::from_millis(config.inactivity_probe),
        max_backoff: Duration::from_millis(config.max_backoff),
        vconn: Options { versions, dscp: Some(config.dscp.unwrap_or(CONTROL_DSCP)), ..Options::default() },
    }
}

/// Whether a message is what a flow monitor tells on its own.
fn is_monitors(xid: Xid, message: &Message) -> bool {
    match message {
        Message::FlowMonitorPaused | Message::FlowMonitorResumed => true,
        Message::StatsReply { body: openflow::msg::StatsReply::FlowMonitor(_), .. } => xid == Xid(0),
        _ => false,
    }
}

/// Packet-ins per second and at once that a connection may get, if that is limited.
fn rate_limit(connections: &Connections, slot: &Slot) -> Option<(u32, u32)> {
    config_limit(connections.config(slot)?)
}

fn config_limit(config: &ControllerConfig) -> Option<(u32, u32)> {
    let rate = config.rate_limit.filter(|r| *r > 0)?;
    Some((rate, config.burst_limit.unwrap_or(rate / 4)))
}

pub(super) fn is_passive(target: &str) -> bool {
    ["ptcp:", "punix:", "pssl:"].iter().any(|p| target.starts_with(p))
}

fn is_active(target: &str) -> bool {
    ["tcp:", "unix:", "ssl:"].iter().any(|p| target.starts_with(p))
}

/// Why a controller's target may not be used, if it may not: sockets outside of the run directory are not ours.
fn forbidden(target: &str, bridge: &str, rundir: &std::path::Path) -> Option<String> {
    let run = rundir.display();
    let always = format!(
        "or connect to \"unix:{run}/{bridge}.mgmt\" (which is always available without special configuration)."
    );
    if let Some(path) = target.strip_prefix("unix:") {
        let inside = path.strip_prefix(&format!("{run}/")).is_some_and(|rest| !rest.contains(".."))
            || !path.contains('/');
        (!inside).then(|| {
            format!(
                "Not connecting to socket controller \"{target}\" due to possibility for remote exploit.  Instead, specify socket in permitted directory \"unix:{run}/\" {always}"
            )
        })
    } else if let Some(path) = target.strip_prefix("punix:") {
        let inside = path.strip_prefix(&format!("{run}/{bridge}.")).is_some_and(|rest| !rest.contains('/'));
        (!inside).then(|| {
            format!(
                "Not adding Unix domain socket controller \"{target}\" due to possibility of overwriting local files. Instead, specify path in permitted format \"punix:{run}/{bridge}.*\" {always}"
            )
        })
    } else {
        None
    }
}
