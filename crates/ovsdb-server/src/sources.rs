//! Databases whose contents come from another server: relays, and backups of an active database.
//!
//! Each has a connection of its own and a [`Follower`] that says what to ask for. What comes is applied as the
//! server's own changes, so that clients and the file hear of it as of any transaction.

use crate::database::{Finished, Model, Served};
use crate::server::{MODULE, Server};
use base::{Time, info, warn};
use ovsdb::Schema;
use ovsdb::follow::{self, Answer, Event, Follower, Role};
use ovsdb::json::Value;
use ovsdb::transaction::{self, Context, Outcome};
use reactor::jsonrpc::{Message, Session as Rpc, SessionOptions};
use reactor::{Key, Reactor};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

/// Sources have indexes from here on.
pub const FIRST_SOURCE: u64 = 1 << 41;
/// A relay that has lost its source says so when it has not come back for this long.
const LOST: Duration = Duration::from_secs(30);
const REPLICATION: &str = "replication";

/// Where contents come from.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SourceOptions {
    /// Active remotes, with commas between them.
    pub targets: String,
    /// The inactivity probe.
    pub probe: Option<Duration>,
    /// The longest time between attempts.
    pub max_backoff: Option<Duration>,
    /// The DSCP of packets.
    pub dscp: Option<u8>,
}

/// What the contents are for.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// A relay.
    Relay,
    /// A backup; these tables stay as they are.
    Backup {
        /// Names of tables.
        exclude: BTreeSet<String>,
    },
}

/// A request of a client that was passed on.
struct Passed {
    session: u64,
    id: Value,
    /// Where results of operations that were held back belong.
    own: Vec<usize>,
    /// Whether the results are a transaction's.
    transaction: bool,
}

/// The source of one database.
pub struct Source {
    pub(crate) kind: Kind,
    pub(crate) options: SourceOptions,
    index: u64,
    rpc: Rpc,
    seqno: u64,
    follower: Follower,
    passed: BTreeMap<u64, Passed>,
    /// Requests that wait until there is somebody to pass them on to.
    held: VecDeque<(u64, &'static str, Vec<Value>)>,
    next_token: u64,
    lost: Time,
}

impl Source {
    /// What `sync-status` says about the connection.
    pub fn status(&self) -> (bool, &str) {
        (self.follower.is_following(), &self.options.targets)
    }
}

/// How following ends.
enum End {
    /// It goes on.
    No,
    /// This database cannot be followed.
    This,
    /// Nor can any other be backed up from there.
    All,
}

impl Server {
    /// Begins to follow; whatever was followed before is not any more.
    pub(crate) fn follow(&mut self, r: &mut Reactor, db: &str, kind: Kind, options: SourceOptions) {
        if let Some(old) = self.sources.get_mut(db)
            && old.kind == kind
            && old.options.targets == options.targets
        {
            if old.options != options {
                old.rpc.set_probe_interval(r, options.probe);
                old.rpc.set_max_backoff(session_options(&options).max_backoff);
                old.options = options;
            }
            return;
        }
        self.unfollow(r, db);
        let Some(served) = self.dbs.get_mut(db) else { return };
        let role = match &kind {
            Kind::Relay => Role::Relay,
            Kind::Backup { .. } => {
                served.read_only = true;
                Role::Backup { own_id: self.id.to_string() }
            }
        };
        let index = FIRST_SOURCE + self.next_source;
        self.next_source += 1;
        let mut targets: Vec<String> = options.targets.split(',').map(str::to_owned).collect();
        if options.targets.is_empty() {
            targets = vec!["invalid:".to_owned()];
        }
        let rpc = Rpc::new(r, Key::new(self.component, index), &targets, session_options(&options));
        let source = Source {
            kind,
            options,
            index,
            seqno: rpc.seqno(),
            rpc,
            follower: Follower::new(db, role),
            passed: BTreeMap::new(),
            held: VecDeque::new(),
            next_token: 0,
            lost: Time::NEVER,
        };
        self.sources.insert(db.to_owned(), source);
    }

    /// Stops following; a backup becomes an ordinary database.
    pub(crate) fn unfollow(&mut self, r: &mut Reactor, db: &str) {
        let Some(source) = self.sources.remove(db) else { return };
        let tokens = source.passed.into_iter().collect::<Vec<_>>();
        source.rpc.close(r);
        if let (Kind::Backup { .. }, Some(served)) = (&source.kind, self.dbs.get_mut(db)) {
            served.read_only = false;
        }
        for (_, p) in tokens {
            self.fail_passed(r, &p);
        }
    }

    fn fail_passed(&mut self, r: &mut Reactor, p: &Passed) {
        if let Some(s) = self.sessions.get_mut(&p.session) {
            s.rpc.send(r, &Message::Error { id: p.id.clone(), error: "canceled".into() });
        }
    }

    /// Passes a transaction on if it must be; gives it back otherwise.
    pub(crate) fn pass_transaction(
        &mut self,
        r: &mut Reactor,
        db: &str,
        session: u64,
        id: &Value,
        operations: Vec<Value>,
    ) -> Option<Vec<Value>> {
        let op = |o: &Value, names: &[&str]| {
            o.get("op").and_then(Value::as_str).is_some_and(|n| names.contains(&n))
        };
        let writes = operations.iter().any(|o| op(o, &["insert", "update", "mutate", "delete"]));
        let relay = self.dbs.get(db).is_some_and(|d| d.model == Model::Relay);
        let read_only = self.sessions.get(&session).is_none_or(|s| s.read_only);
        if !relay || !writes || read_only {
            return Some(operations);
        }
        // Locks are held here, not there.
        let holds = |lock: &str| self.locks.get(lock).and_then(VecDeque::front) == Some(&session);
        let asserted = |o: &Value| op(o, &["assert"]);
        if operations.iter().any(|o| asserted(o) && !o.get("lock").and_then(Value::as_str).is_some_and(holds))
        {
            return Some(operations);
        }
        if let Some(access) = self.sessions.get_mut(&session).and_then(|s| s.access())
            && let Some(served) = self.dbs.get(db)
        {
            // The other server does not know who asks.
            let mut context = Context {
                read_only: false,
                may_wait: false,
                elapsed: Duration::ZERO,
                owns_lock: &holds,
                access: Some(&access),
                uuids: &mut self.uuids,
            };
            if let Outcome::Done(done) = transaction::execute(&served.db, &operations, &mut context)
                && done.failed
            {
                let reply = Message::Reply { id: id.clone(), result: done.results.into() };
                if let Some(s) = self.sessions.get_mut(&session) {
                    s.rpc.send(r, &reply);
                }
                return None;
            }
        }
        let own: Vec<usize> =
            operations.iter().enumerate().filter(|(_, o)| asserted(o)).map(|(i, _)| i).collect();
        let mut params = vec![Value::string(db)];
        params.extend(operations.into_iter().filter(|o| !asserted(o)));
        self.pass(r, db, "transact", params, Passed { session, id: id.clone(), own, transaction: true });
        None
    }

    /// Passes on a request for another schema.
    pub(crate) fn pass_convert(
        &mut self,
        r: &mut Reactor,
        db: &str,
        session: u64,
        id: &Value,
        params: &[Value],
    ) {
        let passed = Passed { session, id: id.clone(), own: Vec::new(), transaction: false };
        self.pass(r, db, "convert", params.to_vec(), passed);
    }

    fn pass(&mut self, r: &mut Reactor, db: &str, method: &'static str, params: Vec<Value>, passed: Passed) {
        let Some(source) = self.sources.get_mut(db) else {
            return self.fail_passed(r, &passed);
        };
        let token = source.next_token;
        source.next_token += 1;
        source.passed.insert(token, passed);
        source.held.push_back((token, method, params));
        r.again(source.rpc.key());
    }

    /// Handles an event of a source's connection.
    pub(crate) fn run_source(&mut self, r: &mut Reactor, index: u64) {
        let found = self.sources.iter().find(|(_, s)| s.index == index).map(|(db, _)| db.clone());
        let Some(db) = found else { return };
        let Some(mut source) = self.sources.remove(&db) else { return };
        let end = self.turn_source(r, &db, &mut source);
        let backup = matches!(source.kind, Kind::Backup { .. });
        self.sources.insert(db.clone(), source);
        match end {
            End::No => {}
            End::This => self.unfollow(r, &db),
            End::All if backup => {
                let is_backup = |s: &Source| matches!(s.kind, Kind::Backup { .. });
                let all = self.sources.iter().filter(|(_, s)| is_backup(s)).map(|(db, _)| db.clone());
                for db in all.collect::<Vec<_>>() {
                    self.unfollow(r, &db);
                }
            }
            End::All => self.unfollow(r, &db),
        }
    }

    fn turn_source(&mut self, r: &mut Reactor, db: &str, source: &mut Source) -> End {
        source.rpc.run(r);
        for taken in 0.. {
            if source.rpc.seqno() != source.seqno {
                source.seqno = source.rpc.seqno();
                self.source_connection(r, source);
                continue;
            }
            if taken >= 256 {
                r.again(source.rpc.key());
                break;
            }
            let Some(message) = source.rpc.recv(r) else { break };
            match message {
                Message::Reply { id, result } => source.follower.on_reply(&id, Ok(result)),
                Message::Error { id, error } => source.follower.on_reply(&id, Err(error)),
                Message::Notification { method, params } => source.follower.on_notification(&method, params),
                Message::Request { .. } => {}
            }
            while let Some(event) = source.follower.next_event() {
                match self.source_event(r, db, source, event) {
                    End::No => {}
                    end => return end,
                }
            }
        }
        if source.rpc.seqno() != source.seqno {
            r.again(source.rpc.key());
        }
        if source.follower.is_following() {
            for (token, method, params) in source.held.drain(..) {
                source.follower.pass_on(token, method, params);
            }
        }
        while let Some(q) = source.follower.poll_send() {
            let m =
                Message::Request { id: Value::Integer(q.id), method: q.method.to_owned(), params: q.params };
            source.rpc.send(r, &m);
        }
        End::No
    }

    fn source_connection(&mut self, r: &mut Reactor, source: &mut Source) {
        let was = source.follower.is_following();
        for token in source.follower.disconnected() {
            if let Some(p) = source.passed.remove(&token) {
                self.fail_passed(r, &p);
            }
        }
        if was {
            source.lost = r.now() + LOST;
        }
        if source.rpc.is_connected() {
            source.follower.connected();
        }
    }

    fn source_event(&mut self, r: &mut Reactor, db: &str, source: &mut Source, event: Event) -> End {
        match event {
            Event::Schema(schema) => return self.source_schema(r, db, source, *schema),
            Event::Contents { found, version, updates } => {
                if source.kind != Kind::Relay {
                    info!(r.log(), REPLICATION, "{db}: Monitor reply received. Resetting the database.");
                }
                let Some(served) = self.dbs.get_mut(db) else { return End::This };
                let none = BTreeSet::new();
                let exclude = if let Kind::Backup { exclude } = &source.kind { exclude } else { &none };
                let changes = match found {
                    true => follow::changes_by(&served.db, version, &updates, &mut self.uuids),
                    false => follow::changes_to(&served.db, version, &updates, exclude, &mut self.uuids),
                };
                match changes {
                    Ok(changes) => served.change(changes),
                    Err(e) => return give_up(r, source, &e.to_string()),
                }
                source.lost = Time::NEVER;
                if !std::mem::replace(&mut served.connected, true) || !served.available {
                    served.available = true;
                    self.update_system();
                }
            }
            Event::Update { version, updates } => {
                let Some(served) = self.dbs.get_mut(db) else { return End::This };
                match follow::changes_by(&served.db, version, &updates, &mut self.uuids) {
                    Ok(changes) => served.change(changes),
                    Err(e) => return give_up(r, source, &e.to_string()),
                }
            }
            Event::Answer { token, answer } => {
                if let Some(p) = source.passed.remove(&token) {
                    self.answer_passed(r, db, p, answer);
                }
            }
            Event::Missing if source.kind == Kind::Relay => {
                let name = source.rpc.name();
                info!(r.log(), "ovsdb_cs", "{name}: server does not have {db} database");
                source.rpc.force_reconnect(r);
            }
            Event::Missing => {
                base::error!(
                    r.log(),
                    "ovsdb_error",
                    "unexpected ovsdb error: list_dbs failed: {db}: database name is not in the list"
                );
                return End::All;
            }
            Event::Itself => {
                warn!(r.log(), REPLICATION, "{db}: the active server is this server");
                return End::All;
            }
            Event::Failed(why) => return give_up(r, source, &why),
        }
        End::No
    }

    fn source_schema(&mut self, r: &mut Reactor, db: &str, source: &mut Source, schema: Schema) -> End {
        let Some(served) = self.dbs.get_mut(db) else { return End::This };
        let same = served.db.schema().is_same(&schema);
        match source.kind.clone() {
            Kind::Relay if same && served.available => {
                source.follower.monitor(&schema, &BTreeSet::new(), false)
            }
            Kind::Relay => {
                let known = served.available;
                source.follower.monitor(&schema, &BTreeSet::new(), true);
                let new = ovsdb::Database::new(std::sync::Arc::new(schema));
                self.replace_database(r, db, new);
                if known {
                    self.databases_changed(r, &format!("committed {db} database schema conversion"));
                }
            }
            Kind::Backup { exclude } => {
                if !same {
                    info!(
                        r.log(),
                        REPLICATION,
                        "{db}: Schema version mismatch, checking if {db} can still be replicated or not."
                    );
                    if let Some(why) = follow::incompatibility(served.db.schema(), &schema) {
                        info!(r.log(), REPLICATION, "{why}");
                        info!(r.log(), REPLICATION, "{db} cannot be replicated.");
                        return End::This;
                    }
                    info!(r.log(), REPLICATION, "{db} can be replicated.");
                }
                source.follower.monitor(&schema, &exclude, true);
            }
        }
        End::No
    }

    fn answer_passed(&mut self, r: &mut Reactor, db: &str, p: Passed, answer: Answer) {
        let (Passed { session, id, own, transaction }, Some(served)) = (p, self.dbs.get_mut(db)) else {
            return;
        };
        match answer {
            Ok(Value::Array(mut results)) if transaction => {
                for at in own.into_iter().filter(|at| *at <= results.len()).collect::<Vec<_>>() {
                    results.insert(at, Value::Object(Default::default()));
                }
                // Not before the client has been told of the changes, which came first.
                served.forwarded.push(Finished::new(session, id, results));
            }
            Ok(result) => {
                if let Some(s) = self.sessions.get_mut(&session) {
                    s.rpc.send(r, &Message::Reply { id, result });
                }
            }
            Err(error) => {
                if let Some(s) = self.sessions.get_mut(&session) {
                    s.rpc.send(r, &Message::Error { id, error });
                }
            }
        }
    }

    /// Relays whose source has been away for long are not connected; returns when to look again.
    pub(crate) fn check_sources(&mut self, now: Time) -> Time {
        let mut changed = false;
        let mut next = Time::NEVER;
        for (db, source) in &mut self.sources {
            if source.lost > now {
                next = next.min(source.lost);
                continue;
            }
            source.lost = Time::NEVER;
            if let Some(served) = self.dbs.get_mut(db).filter(|d| d.model == Model::Relay) {
                changed |= std::mem::replace(&mut served.connected, false);
            }
        }
        if changed {
            self.update_system();
        }
        next
    }

    /// What `sync-status` says.
    pub(crate) fn sync_status(&self) -> String {
        let mut text = String::new();
        let backups = self.dbs.iter().filter(|(_, d)| d.model == Model::ActiveBackup);
        for (name, _) in backups {
            if text.ends_with("state: active\n") || text.contains("replicating") && !text.ends_with("\n\n") {
                text.push('\n');
            }
            text.push_str(&format!("database: {name}\n"));
            match self.sources.get(name) {
                None => text.push_str("state: active\n"),
                Some(source) => {
                    let (following, target) = source.status();
                    let state = if following { "replicating" } else { "connecting" };
                    text.push_str(&format!("state: backup\n{state}: {target}\n"));
                    if let Kind::Backup { exclude } = &source.kind
                        && following
                        && !exclude.is_empty()
                    {
                        let tables: Vec<String> = exclude.iter().map(|t| format!("{name}:{t}")).collect();
                        text.push_str(&format!("exclude: {}\n", tables.join(",")));
                    }
                }
            }
        }
        if text.is_empty() { "state: active\n".to_owned() } else { text }
    }

    /// Makes backups of all databases, or stops being a backup, as the settings say.
    pub(crate) fn apply_sync(&mut self, r: &mut Reactor) {
        let names: Vec<String> = self
            .dbs
            .iter()
            .filter(|(n, d)| n.as_str() != crate::system::NAME && d.model != Model::Relay)
            .map(|(n, _)| n.clone())
            .collect();
        let from = self.sync.from.clone().filter(|_| self.sync.backup);
        for name in names {
            match &from {
                Some(targets) => {
                    let exclude = self.sync.excluded_of(&name);
                    let probe = self.sync.probe.and_then(|ms| u64::try_from(ms).ok());
                    let probe = Some(Duration::from_millis(probe.unwrap_or(60_000)));
                    let options = SourceOptions { targets: targets.clone(), probe, ..Default::default() };
                    if let Some(served) = self.dbs.get_mut(&name) {
                        served.model = Model::ActiveBackup;
                    }
                    self.follow(r, &name, Kind::Backup { exclude }, options);
                }
                None => self.unfollow(r, &name),
            }
        }
    }

    /// After a database has come: it is a backup, too, if this server is.
    pub(crate) fn apply_sync_to_new(&mut self, r: &mut Reactor) {
        if self.sync.backup {
            self.apply_sync(r);
        } else if self.sync.from.is_some() {
            for served in
                self.dbs.values_mut().filter(|d| d.model == Model::Standalone && d.storage.is_some())
            {
                served.model = Model::ActiveBackup;
            }
        }
    }

    /// Gives the sources of relays another inactivity probe.
    pub(crate) fn apply_relay_probe(&mut self, r: &mut Reactor) {
        let probe = self.sync.relay_probe();
        for source in self.sources.values_mut().filter(|s| s.kind == Kind::Relay) {
            source.options.probe = probe;
            source.rpc.set_probe_interval(r, probe);
        }
    }

    /// Puts another database in the place of one that is served, as after a change of its schema.
    pub(crate) fn replace_database(&mut self, r: &mut Reactor, name: &str, new: ovsdb::Database) {
        let Some(served) = self.dbs.get_mut(name) else { return };
        served.db = new;
        self.forget_transactions(r, name);
        self.cancel_monitors(r, name);
        self.update_system();
    }

    /// Cancels what waits for a database, and forgets its history.
    pub(crate) fn forget_transactions(&mut self, r: &mut Reactor, name: &str) {
        let Some(served) = self.dbs.get_mut(name) else { return };
        served.history = Default::default();
        served.logged_tables.clear();
        let cancel =
            |served: &mut Served, n: u64| served.cancel_session(n).into_iter().map(move |id| (n, id));
        let waiting: Vec<(u64, Value)> = self.sessions.keys().flat_map(|n| cancel(served, *n)).collect();
        for (n, id) in waiting {
            if let Some(s) = self.sessions.get_mut(&n) {
                s.rpc.send(r, &Message::Error { id, error: "canceled".into() });
            }
        }
    }
}

fn give_up(r: &mut Reactor, source: &mut Source, why: &str) -> End {
    warn!(r.log(), MODULE, "{}: {why}", source.rpc.name());
    source.rpc.force_reconnect(r);
    End::No
}

fn session_options(o: &SourceOptions) -> SessionOptions {
    let d = SessionOptions::default();
    SessionOptions {
        probe_interval: o.probe,
        max_backoff: o.max_backoff.unwrap_or(d.max_backoff),
        dscp: o.dscp,
        ..d
    }
}
