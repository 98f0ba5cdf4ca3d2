//! The server: what belongs to it, and what happens in a turn.

use crate::database::{CompactionTurn, Finished, Model, Served, Trigger};
use crate::remotes::{RemoteOptions, Remotes};
use crate::session::{Encoded, Session};
use crate::sources::{FIRST_SOURCE, Kind, Source, SourceOptions};
use crate::system;
use base::{Time, error, info};
use cli::ovsdb_tool::file::{self, Mode};
use ovsdb::db::Changes;
use ovsdb::json::Value;
use ovsdb::log::Storage;
use ovsdb::monitor::Monitor;
use ovsdb::{Database, Error, Uuid, UuidSource};
use reactor::jsonrpc::Message;
use reactor::unixctl::{Reply, Token};
use reactor::{Event, Key, Reactor, Ready};
use std::collections::{BTreeMap, BTreeSet, HashSet, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

pub(crate) const MODULE: &str = "ovsdb_server";
pub(crate) const RPC_MODULE: &str = "ovsdb_jsonrpc_server";
/// Messages taken from one session in one turn.
const MESSAGES_PER_TURN: usize = 64;
/// A file of this size leaves memory behind that is worth giving back.
const MUCH_READ: u64 = 4 << 20;
/// While more than this waits for a client to read it, the client is not read from.
const BACKLOG: usize = 2 << 20;
/// How often the status columns of remotes are brought up to date.
const STATUS_INTERVAL: Duration = Duration::from_millis(2500);

/// What is given to a server once.
#[derive(Clone, Debug)]
pub struct ServerOptions {
    /// The component number of its keys in the event loop.
    pub component: u16,
    /// Whether changes are written as differences.
    pub diff: bool,
    /// Whether transactions are named and remembered, so that a client that comes back is told only of what it has
    /// missed. Open vSwitch does this for clusters alone, and there are clients that rely on being told everything.
    pub history: bool,
}

/// A control command that waits until databases have been compacted.
pub(crate) struct CompactCall {
    pub(crate) token: Token,
    pub(crate) waits_for: BTreeSet<String>,
    pub(crate) failures: String,
}

/// A database server.
pub struct Server {
    pub(crate) component: u16,
    pub(crate) options: ServerOptions,
    pub(crate) uuids: UuidSource,
    pub(crate) id: Uuid,
    pub(crate) dbs: BTreeMap<String, Served>,
    /// The files of the databases: none is opened twice.
    pub(crate) files: BTreeMap<PathBuf, String>,
    pub(crate) sessions: BTreeMap<u64, Session>,
    next_session: u64,
    /// For each lock its owner and who waits for it, in order.
    pub(crate) locks: BTreeMap<String, VecDeque<u64>>,
    pub(crate) remotes: Remotes,
    /// Equal monitors are one.
    specs: HashSet<Arc<Monitor>>,
    pub(crate) conditional_monitors: bool,
    next_status: Time,
    reconfigure: bool,
    /// Settings of replication.
    pub(crate) sync: crate::commands::SyncSettings,
    /// Where the contents of databases come from, if not from here.
    pub(crate) sources: BTreeMap<String, Source>,
    pub(crate) next_source: u64,
    /// Databases that are to be compacted.
    pub(crate) to_compact: BTreeSet<String>,
    /// Control commands that wait for that.
    pub(crate) compact_calls: Vec<CompactCall>,
    replies: Vec<(Token, Result<Reply, String>)>,
    /// Keys for TLS as they were given, if a database has part in them.
    pub(crate) keys: Option<reactor::tls::Settings>,
    /// The configuration file.
    pub(crate) config_file: Option<PathBuf>,
    /// The databases that it named, and what they are called.
    pub(crate) configured: BTreeMap<String, String>,
}

impl Server {
    /// A server without databases (but its own) and remotes.
    pub fn new(r: &mut Reactor, options: ServerOptions) -> Server {
        let mut uuids = r.seed().map_or_else(|_| file::uuid_source(), UuidSource::new);
        let mut server = Server {
            component: options.component,
            options,
            id: uuids.next_uuid(),
            uuids,
            dbs: BTreeMap::new(),
            files: BTreeMap::new(),
            sessions: BTreeMap::new(),
            next_session: 1,
            locks: BTreeMap::new(),
            remotes: Remotes::default(),
            specs: HashSet::new(),
            conditional_monitors: true,
            next_status: Time::NEVER,
            reconfigure: false,
            sync: Default::default(),
            sources: BTreeMap::new(),
            next_source: 0,
            to_compact: BTreeSet::new(),
            compact_calls: Vec::new(),
            replies: Vec::new(),
            keys: None,
            config_file: None,
            configured: BTreeMap::new(),
        };
        let mut own = Served::new(system::database(), None, r.now());
        own.read_only = true;
        server.dbs.insert(system::NAME.to_owned(), own);
        server.update_system();
        server
    }

    /// The names of the databases, in order, the server's own among them.
    pub fn database_names(&self) -> impl Iterator<Item = &str> {
        self.dbs.keys().map(String::as_str)
    }

    /// A database's contents.
    pub fn database(&self, name: &str) -> Option<&Database> {
        self.dbs.get(name).map(|d| &d.db)
    }

    /// Opens a database file and serves it; returns the database's name.
    pub fn open(&mut self, r: &mut Reactor, name: &str) -> Result<String, Error> {
        if let Some((db, targets)) = relay_parts(name) {
            self.add_relay(r, db)?;
            let options = SourceOptions {
                targets: targets.to_owned(),
                probe: self.sync.relay_probe(),
                ..SourceOptions::default()
            };
            self.follow(r, db, Kind::Relay, options);
            return Ok(db.to_owned());
        }
        let real = std::fs::canonicalize(name).unwrap_or_else(|_| PathBuf::from(name));
        if self.files.contains_key(&real) {
            return Err(Error::other(format!("{name}: already open")));
        }
        let loaded = file::load(name, Mode::ReadWrite, &mut self.uuids, r.log())?;
        if let Some(damage) = &loaded.damage {
            error!(r.log(), MODULE, "{damage}");
        }
        if loaded.file.len() > MUCH_READ {
            // Reading took much more than what was read.
            sys::process::trim_memory();
        }
        let db_name = loaded.db.schema().name.to_string();
        if self.dbs.contains_key(&db_name) {
            return Err(Error::other(format!("{db_name}: duplicate database name")));
        }
        let mut served = Served::new(loaded.db, Some(Box::new(loaded.file)), r.now());
        served.set_options(&self.options);
        self.files.insert(real, db_name.clone());
        self.dbs.insert(db_name.clone(), served);
        self.databases_changed(r, &format!("adding {db_name} database"));
        Ok(db_name)
    }

    /// Serves a relay, which has no contents until it has a source.
    pub(crate) fn add_relay(&mut self, r: &mut Reactor, name: &str) -> Result<String, Error> {
        if self.dbs.contains_key(name) {
            return Err(Error::other(format!("{name}: duplicate database name")));
        }
        let schema = Value::object([("name", name.into()), ("tables", Value::Object(Default::default()))]);
        let schema = ovsdb::Schema::from_json(&schema)?;
        let mut served = Served::new(Database::new(Arc::new(schema)), None, r.now());
        served.model = Model::Relay;
        served.available = false;
        served.connected = false;
        self.dbs.insert(name.to_owned(), served);
        self.databases_changed(r, &format!("adding {name} database"));
        Ok(name.to_owned())
    }

    /// Serves a database that is in memory already; with storage or without.
    pub fn add(
        &mut self,
        r: &mut Reactor,
        db: Database,
        storage: Option<Box<dyn Storage>>,
    ) -> Result<(), Error> {
        let name = db.schema().name.to_string();
        if self.dbs.contains_key(&name) {
            return Err(Error::other(format!("{name}: duplicate database name")));
        }
        let mut served = Served::new(db, storage, r.now());
        served.set_options(&self.options);
        self.dbs.insert(name.clone(), served);
        self.databases_changed(r, &format!("adding {name} database"));
        Ok(())
    }

    /// Stops serving a database.
    pub fn close(&mut self, r: &mut Reactor, name: &str) -> bool {
        if name == system::NAME || !self.dbs.contains_key(name) {
            return false;
        }
        self.unfollow(r, name);
        self.dbs.remove(name);
        self.files.retain(|_, n| n != name);
        self.cancel_monitors(r, name);
        self.databases_changed(r, &format!("removing {name} database by user request"));
        true
    }

    /// Listens at, connects to and reads from the database these remotes, and no others.
    pub fn set_remotes(
        &mut self,
        r: &mut Reactor,
        remotes: impl IntoIterator<Item = String>,
    ) -> Result<(), String> {
        self.set_remotes_with(r, remotes.into_iter().map(|name| (name, RemoteOptions::default())).collect())
    }

    /// As [`Server::set_remotes`], of remotes with options.
    pub(crate) fn set_remotes_with(
        &mut self,
        r: &mut Reactor,
        remotes: BTreeMap<String, RemoteOptions>,
    ) -> Result<(), String> {
        for remote in remotes.keys() {
            self.check_remote(remote)?;
        }
        self.remotes.configured = remotes;
        self.configure_remotes(r);
        Ok(())
    }

    /// The remotes that were set.
    pub(crate) fn remotes(&self) -> &BTreeMap<String, RemoteOptions> {
        &self.remotes.configured
    }

    /// Handles an event of the server's component.
    pub fn run(&mut self, r: &mut Reactor, event: Event) {
        let index = event.key.index();
        if event.key.component() != self.component || index == 0 {
            return;
        }
        if index >= FIRST_SOURCE {
            self.run_source(r, index);
        } else if index >= crate::remotes::FIRST_LISTENER {
            self.accept(r, index);
        } else if event.ready != Ready::Again || !self.only_write(r, index) {
            self.run_session(r, index);
        }
    }

    /// Ends a turn: runs the transactions that are ready, writes, tells. To be called after the events of a turn
    /// have been handled, whatever they were.
    pub fn end_turn(&mut self, r: &mut Reactor) {
        // Status columns and reconfiguration may change databases again; not for long.
        for _ in 0..8 {
            self.run_databases(r);
            if std::mem::take(&mut self.reconfigure) {
                self.configure_keys(r);
                self.configure_remotes(r);
            }
            if r.now() >= self.next_status || self.next_status == Time::NEVER {
                self.update_status(r);
            }
            if !self.dbs.values().any(Served::is_busy) {
                break;
            }
        }
        self.compact_turn(r);
        let deadline = self.dbs.values().map(Served::deadline).min().unwrap_or(Time::NEVER);
        let deadline = deadline.min(self.check_sources(r.now()));
        let at = if self.remotes.has_rows() { deadline.min(self.next_status) } else { deadline };
        r.set_timer(Key::new(self.component, 0), at);
    }

    fn update_status(&mut self, r: &mut Reactor) {
        self.next_status = r.now() + STATUS_INTERVAL;
        if self.remotes.has_rows() {
            self.update_remote_status(r);
        }
    }

    pub(crate) fn run_databases(&mut self, r: &mut Reactor) {
        let date = r.wall_millis();
        let now = r.now();
        let names: Vec<String> = self.dbs.keys().cloned().collect();
        for name in names {
            let locks = &self.locks;
            let owns = |session: u64, lock: &str| {
                locks.get(lock).and_then(VecDeque::front).is_some_and(|owner| *owner == session)
            };
            let Some(served) = self.dbs.get_mut(&name) else { continue };
            if !served.is_busy() && served.deadline() > now {
                continue;
            }
            let batch = served.run(now, date, &mut self.uuids, &owns);
            if let Some(e) = &batch.error {
                error!(r.log(), MODULE, "{e}");
            }
            if let Some(changes) = &batch.changes {
                log_changes(r, served, changes);
                for session in self.sessions.values_mut() {
                    session.note(&name, changes);
                }
                self.reconfigure |= self.remotes.depend_on(&name) || self.keys_depend_on(&name);
                self.flush_monitors(r, &name);
            }
            for finished in batch.finished {
                self.reply(r, finished);
            }
            self.compact_if_due(r, &name);
        }
    }

    fn compact_if_due(&mut self, r: &mut Reactor, name: &str) {
        let now = r.now();
        if self.dbs.get(name).is_some_and(|s| s.wants_compaction(now))
            && self.to_compact.insert(name.to_owned())
        {
            info!(r.log(), MODULE, "compacting {name} database");
        }
    }

    /// Replies to control commands that did not get one at once.
    pub fn take_replies(&mut self) -> Vec<(Token, Result<Reply, String>)> {
        std::mem::take(&mut self.replies)
    }

    fn compact_turn(&mut self, r: &mut Reactor) {
        let (now, date) = (r.now(), r.wall_millis());
        let key = Key::new(self.component, 0);
        let mut ended: Vec<(String, Result<(), Error>)> = Vec::new();
        for (name, served) in &mut self.dbs {
            if self.to_compact.contains(name) && served.is_written() {
                self.to_compact.remove(name);
                let waker = r.waker(key);
                match served.begin_compaction(date, waker) {
                    Ok(true) => {}
                    Ok(false) => ended.push((name.clone(), Ok(()))),
                    Err(e) => ended.push((name.clone(), Err(e))),
                }
            }
            match served.compaction_turn(now) {
                CompactionTurn::Idle => {}
                CompactionTurn::Soon => r.again(key),
                CompactionTurn::Done(result) => ended.push((name.clone(), result)),
            }
        }
        self.to_compact.retain(|name| self.dbs.contains_key(name));
        for (name, result) in ended {
            self.compaction_ended(r, &name, &result);
        }
        // A database that is not there any more is waited for in vain.
        let waited = self.compact_calls.iter().flat_map(|c| &c.waits_for);
        let gone: BTreeSet<String> = waited.filter(|n| !self.dbs.contains_key(*n)).cloned().collect();
        for name in gone {
            self.compaction_ended(r, &name, &Ok(()));
        }
    }

    fn compaction_ended(&mut self, r: &Reactor, name: &str, result: &Result<(), Error>) {
        if let Err(e) = result {
            error!(r.log(), MODULE, "{e}");
        } else if self.sync.trim {
            sys::process::trim_memory();
        }
        for call in self.compact_calls.iter_mut().filter(|c| c.waits_for.contains(name)) {
            call.waits_for.remove(name);
            if let Err(e) = result {
                call.failures.push_str(&format!("{e}\n"));
            }
        }
        let (done, waiting) =
            std::mem::take(&mut self.compact_calls).into_iter().partition(|c| c.waits_for.is_empty());
        self.compact_calls = waiting;
        let done: Vec<CompactCall> = done;
        for call in done {
            let reply =
                if call.failures.is_empty() { Ok(Reply::Text(String::new())) } else { Err(call.failures) };
            self.replies.push((call.token, reply));
        }
    }

    fn reply(&mut self, r: &mut Reactor, finished: Finished) {
        let Some(session) = self.sessions.get_mut(&finished.session) else { return };
        if session.has_news() {
            // A client hears of what it did before it hears that it did.
            let mut encoded = Encoded::new();
            for (name, served) in &self.dbs {
                let last = served.history.last().to_string();
                session.flush(r, name, served.db.schema(), &last, &mut encoded, true);
            }
        }
        let reply = match finished.error {
            Some(error) => Message::Error { id: finished.id, error },
            None => Message::Reply { id: finished.id, result: Value::Array(finished.results) },
        };
        session.rpc.send(r, &reply);
    }

    pub(crate) fn flush_monitors(&mut self, r: &mut Reactor, name: &str) {
        let Some(served) = self.dbs.get(name) else { return };
        let last = served.history.last().to_string();
        let mut encoded = Encoded::new();
        for session in self.sessions.values_mut().filter(|s| s.has_news()) {
            session.flush(r, name, served.db.schema(), &last, &mut encoded, false);
        }
    }

    /// One value for all monitors that are equal.
    pub(crate) fn intern(&mut self, spec: Monitor) -> Arc<Monitor> {
        if self.specs.len() > 2 * self.sessions.len() + 64 {
            self.specs.retain(|s| Arc::strong_count(s) > 1);
        }
        if let Some(known) = self.specs.get(&spec) {
            return known.clone();
        }
        let spec = Arc::new(spec);
        self.specs.insert(spec.clone());
        spec
    }

    pub(crate) fn new_session_number(&mut self) -> u64 {
        self.next_session += 1;
        self.next_session - 1
    }

    pub(crate) fn add_session(&mut self, r: &mut Reactor, number: u64, session: Session) {
        self.sessions.insert(number, session);
        self.run_session(r, number);
    }

    /// Writes what is queued for a session, if it has nothing else to do: of a thousand that are told of a change
    /// none needs to be read from.
    fn only_write(&mut self, r: &mut Reactor, number: u64) -> bool {
        let Some(session) = self.sessions.get_mut(&number) else { return true };
        let seqno = session.rpc.seqno();
        if session.more
            || session.paused
            || session.seqno != seqno
            || !session.rpc.is_connected()
            || session.has_news()
        {
            return false;
        }
        session.rpc.run(r);
        session.rpc.seqno() == seqno && !session.has_news()
    }

    fn run_session(&mut self, r: &mut Reactor, number: u64) {
        let Some(session) = self.sessions.get_mut(&number) else { return };
        session.more = false;
        session.rpc.run(r);
        if session.rpc.backlog() < BACKLOG / 2 {
            session.set_paused(r, false);
        }
        for taken in 0.. {
            let Some(session) = self.sessions.get_mut(&number) else { return };
            if session.rpc.seqno() != session.seqno {
                // Another connection, or none: what the old one had is gone.
                session.seqno = session.rpc.seqno();
                self.reset_session(r, number);
                continue;
            }
            if taken >= MESSAGES_PER_TURN {
                session.more = true;
                r.again(session.key());
                break;
            }
            if session.rpc.backlog() > BACKLOG {
                // Whoever does not read what we say may wait with saying more.
                session.set_paused(r, true);
                break;
            }
            let Some(message) = session.rpc.recv(r) else { break };
            match message {
                Message::Request { id, method, params } => self.request(r, number, id, &method, params),
                Message::Notification { method, params } if method == "cancel" => {
                    self.cancel(r, number, &params);
                }
                // Of others nothing is known; they ask for no answer.
                Message::Notification { .. } => {}
                other => {
                    let session = &self.sessions[&number];
                    let (name, kind) = (session.rpc.name(), other.kind());
                    base::warn!(r.log(), RPC_MODULE, "{name}: received unexpected {kind} message");
                    if let Some(s) = self.sessions.get_mut(&number) {
                        s.rpc.force_reconnect(r);
                    }
                }
            }
        }
        let Some(session) = self.sessions.get_mut(&number) else { return };
        if session.rpc.seqno() != session.seqno {
            r.again(session.key());
        } else if session.has_news() {
            // It may have taken what we had queued for it.
            let mut encoded = Encoded::new();
            for (name, served) in &self.dbs {
                let last = served.history.last().to_string();
                session.flush(r, name, served.db.schema(), &last, &mut encoded, false);
            }
        }
        if !session.rpc.is_alive() {
            self.drop_session(r, number);
        }
    }

    fn cancel(&mut self, r: &mut Reactor, number: u64, params: &[Value]) {
        let [id] = params else { return };
        let found = self.dbs.values_mut().any(|d| d.cancel(number, id));
        if let Some(session) = self.sessions.get_mut(&number).filter(|_| found) {
            session.rpc.send(r, &Message::Error { id: id.clone(), error: "canceled".into() });
        }
    }

    pub(crate) fn queue(&mut self, r: &Reactor, db: &str, session: u64, id: Value, operations: Vec<Value>) {
        let read_only = self.sessions.get(&session).is_some_and(|s| s.read_only);
        let access = self.sessions.get_mut(&session).and_then(Session::access);
        if let Some(served) = self.dbs.get_mut(db) {
            let (since, deadline) = (r.now(), Time::NEVER);
            served.push(Trigger { session, id, operations, since, deadline, read_only, fresh: true, access });
        }
    }

    /// Forgets what a session's connection had: monitors, locks, transactions.
    fn reset_session(&mut self, r: &mut Reactor, number: u64) {
        for served in self.dbs.values_mut() {
            served.cancel_session(number);
        }
        if let Some(s) = self.sessions.get_mut(&number) {
            s.monitors.clear();
            s.change_aware = false;
            s.paused = false;
            s.locks_lost = 0;
        }
        let held: Vec<String> =
            self.locks.iter().filter(|(_, q)| q.contains(&number)).map(|(l, _)| l.clone()).collect();
        for lock in held {
            self.release(r, &lock, number);
        }
    }

    /// Ends a session for good.
    pub(crate) fn drop_session(&mut self, r: &mut Reactor, number: u64) {
        self.reset_session(r, number);
        if let Some(session) = self.sessions.remove(&number) {
            self.remotes.session_ended(number);
            session.rpc.close(r);
        }
    }

    /// Takes a session off a lock's queue, and tells the next one if it was the owner.
    pub(crate) fn release(&mut self, r: &mut Reactor, lock: &str, number: u64) -> bool {
        let Some(queue) = self.locks.get_mut(lock) else { return false };
        let Some(at) = queue.iter().position(|s| *s == number) else { return false };
        queue.remove(at);
        let next = if at == 0 { queue.front().copied() } else { None };
        if queue.is_empty() {
            self.locks.remove(lock);
        }
        if let Some(s) = next.and_then(|n| self.sessions.get_mut(&n)) {
            s.rpc.send(r, &Message::notification("locked", vec![lock.into()]));
        }
        true
    }

    /// After databases have come or gone: `_Server` says so, and sessions that would not notice are ended.
    pub(crate) fn databases_changed(&mut self, r: &mut Reactor, why: &str) {
        self.update_system();
        self.reconfigure = true;
        let unaware = self.sessions.iter().filter(|(_, s)| !s.change_aware).map(|(n, _)| *n);
        for number in unaware.collect::<Vec<_>>() {
            self.disconnect(r, number, why);
        }
    }

    /// Ends a session's connection; an active remote connects again.
    pub(crate) fn disconnect(&mut self, r: &mut Reactor, number: u64, why: &str) {
        let Some(session) = self.sessions.get_mut(&number) else { return };
        if session.rpc.is_connected() {
            info!(r.log(), RPC_MODULE, "{}: disconnecting ({why})", session.rpc.name());
        }
        if self.remotes.owns_session(number) {
            session.rpc.force_reconnect(r);
        } else {
            self.drop_session(r, number);
        }
    }

    pub(crate) fn update_system(&mut self) {
        let shown = |s: &Served| system::Shown {
            schema: s.available.then(|| s.db.schema().to_json().to_string()),
            relay: s.model == Model::Relay,
            connected: s.connected,
        };
        let served = self.dbs.iter().map(|(n, s)| (n.clone(), shown(s))).collect();
        if let Some(own) = self.dbs.get_mut(system::NAME) {
            let changes = system::update(&own.db, &served, &mut self.uuids);
            own.change(changes);
        }
    }

    /// Ends all monitors of a database, and tells sessions that can cope.
    pub(crate) fn cancel_monitors(&mut self, r: &mut Reactor, db: &str) {
        for session in self.sessions.values_mut() {
            let (gone, kept) = std::mem::take(&mut session.monitors).into_iter().partition(|m| m.db == db);
            session.monitors = kept;
            let gone: Vec<_> = gone;
            for m in gone {
                if session.change_aware {
                    session.rpc.send(r, &Message::notification("monitor_canceled", vec![m.id]));
                }
            }
        }
    }

    /// How many atoms, cells, monitors and so on there are, for `memory/show`.
    pub fn memory(&self) -> BTreeMap<String, u64> {
        let mut usage = BTreeMap::new();
        let mut add = |name: &str, n: usize| *usage.entry(name.to_owned()).or_insert(0) += n as u64;
        for served in self.dbs.values() {
            let (atoms, cells) = served.db.size();
            add("atoms", atoms);
            add("cells", cells);
            add("n-weak-refs", served.db.weak_references());
            if served.triggers() > 0 {
                add("triggers", served.triggers());
            }
        }
        let specs = self.sessions.values().flat_map(|s| &s.monitors).map(|m| Arc::as_ptr(&m.spec));
        add("monitors", specs.collect::<HashSet<_>>().len());
        if !self.sessions.is_empty() {
            add("sessions", self.sessions.len());
        }
        let backlog: usize = self.sessions.values().map(|s| s.rpc.backlog()).sum();
        if backlog > 0 {
            add("backlog", backlog);
        }
        usage
    }
}

/// The parts of `relay:DB:REMOTES`.
pub(crate) fn relay_parts(name: &str) -> Option<(&str, &str)> {
    name.strip_prefix("relay:")?.split_once(':')
}

/// Logs what happened to the tables that `tlog-set` asked for.
fn log_changes(r: &Reactor, served: &Served, changes: &Changes) {
    for &table in &served.logged_tables {
        let ts = &served.db.schema().tables[table];
        for change in changes.of(table) {
            let (op, row) = match (&change.old, &change.new) {
                (None, Some(row)) => ("inserted", row),
                (Some(_), Some(row)) => ("updated", row),
                (Some(row), None) => ("deleted", row),
                (None, None) => continue,
            };
            let mut text = format!("table:{},op:{op}", ts.name);
            for (c, column) in ts.columns.iter().enumerate() {
                let value = ovsdb::text::datum_to_string(&row[c], &column.kind);
                text.push_str(&format!(",{}:{value}", column.name));
            }
            info!(r.log(), "transaction", "{text}");
        }
    }
}
