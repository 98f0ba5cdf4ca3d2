//! A client's copy of a database.
//!
//! A [`Replica`] is told what comes from the server and says what to send, and knows nothing of connections:
//!
//! ```text
//!   connected() ─► get_schema ─► monitor_cond_since ──────────► ready: update3 ... ─► changes()
//!                                  └ unknown? monitor_cond ───► ready: update2 ...
//!                                       └ unknown? monitor ───► ready: update  ...
//!   disconnected() ─► contents stay, transactions under way are undecided; connected() again fetches what
//!                     has changed, or everything if the server has forgotten
//! ```
//!
//! The rows are in a [`Database`] with the server's own schema; columns that were not asked for have their
//! default values. A [`Txn`] is a set of changes on top of it, to be sent as one transaction.
//!
//! * [`Record`] makes Rust values of rows; [`records!`](crate::records) declares them.
//! * [`Replica::set_condition`] copies only some rows of a table.
//! * [`Replica::take_changes`] and [`changes_of`] tell what has changed.
//!
//! `examples/replica.rs` is a whole program.

mod record;
#[cfg(test)]
mod record_tests;
#[cfg(test)]
mod tests;
mod txn;

pub use record::{Change, Element, Field, Record, changes_of};
pub use txn::{Outcome, Txn};

use crate::atom::NoSymbols;
use crate::db::{Changes, Database, Map, RowChange, TableChanges};
use crate::error::Error;
use crate::json::{Object, Value};
use crate::monitor::Version;
use crate::row::{Row, columns_unchecked};
use crate::schema::{Schema, TableSchema, VERSION_COLUMN};
use crate::uuid::{Uuid, UuidSource};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// Which tables and columns to copy.
#[derive(Clone, Debug, PartialEq)]
pub enum Interest {
    /// Everything.
    All,
    /// These tables; of each these columns, or all. Those that the server's schema lacks are left out.
    Tables(BTreeMap<String, Option<Vec<String>>>),
}

/// What a replica is of.
#[derive(Clone, Debug)]
pub struct Config {
    /// The database's name.
    pub database: String,
    /// What of it.
    pub interest: Interest,
    /// A lock to hold, if any.
    pub lock: Option<String>,
}

/// A request to be sent.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// The request's id: an integer, unique among this replica's.
    pub id: i64,
    /// The method.
    pub method: &'static str,
    /// Its parameters.
    pub params: Vec<Value>,
}

/// Identifies a transaction that was sent.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct TxnId(i64);

/// What a request was for.
#[derive(Debug)]
enum Pending {
    Schema,
    Monitor(Version),
    /// Nothing is done with the reply.
    Condition,
    Lock,
    Unlock,
    Transact(Box<txn::Sent>),
}

/// A client's copy of a database.
#[derive(Debug)]
pub struct Replica {
    config: Config,
    db: Option<Database>,
    uuids: UuidSource,
    next_id: i64,
    connected: bool,
    /// Which monitor is in force on this connection.
    monitor: Option<Version>,
    last_txn: Uuid,
    /// Which rows, of tables of which not all are wanted: clauses of RFC 7047 section 5.1, of which one must hold.
    conditions: BTreeMap<String, Value>,
    outgoing: VecDeque<Request>,
    pending: BTreeMap<i64, Pending>,
    changes: Vec<Changes>,
    seqno: u64,
    restarts: u64,
    lock: LockState,
    error: Option<String>,
    finished: Map<i64, Outcome>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum LockState {
    /// No lock is wanted, or none is asked for yet.
    Idle,
    Held,
    /// Somebody else has it.
    Contended,
}

/// The id of our monitor on every connection.
const MONITOR_ID: &str = "monid";

impl Replica {
    /// A replica of nothing yet. `seed` is for the names of rows that transactions insert.
    pub fn new(config: Config, seed: [u8; 32]) -> Replica {
        Replica {
            config,
            db: None,
            uuids: UuidSource::new(seed),
            next_id: 1,
            connected: false,
            monitor: None,
            last_txn: Uuid::ZERO,
            conditions: BTreeMap::new(),
            outgoing: VecDeque::new(),
            pending: BTreeMap::new(),
            changes: Vec::new(),
            seqno: 0,
            restarts: 0,
            lock: LockState::Idle,
            error: None,
            finished: Map::default(),
        }
    }

    /// There is a connection on which the server has just been asked for its schema, with this answer: begins to
    /// fetch.
    pub fn connected_with(&mut self, schema: Arc<Schema>) {
        self.disconnected();
        self.connected = true;
        self.use_schema(schema);
        self.request_lock();
    }

    /// There is a connection: begins to fetch.
    pub fn connected(&mut self) {
        self.disconnected();
        self.connected = true;
        let database = Value::string(&*self.config.database);
        self.request("get_schema", vec![database], Pending::Schema);
        self.request_lock();
    }

    /// The connection is gone. The contents stay as they are; transactions under way may or may not have
    /// happened.
    pub fn disconnected(&mut self) {
        self.connected = false;
        self.monitor = None;
        self.outgoing.clear();
        self.lock = LockState::Idle;
        for (id, p) in std::mem::take(&mut self.pending) {
            if let Pending::Transact(_) = p {
                self.finished.insert(id, Outcome::TryAgain);
            }
        }
    }

    /// The next request to send.
    pub fn poll_send(&mut self) -> Option<Request> {
        self.outgoing.pop_front()
    }

    /// Whether the contents are those of the server, on this connection.
    pub fn is_ready(&self) -> bool {
        self.monitor.is_some()
    }

    /// Whether there are contents, of this connection or an earlier one.
    pub fn has_contents(&self) -> bool {
        self.seqno > 0
    }

    /// Grows with every change of the contents, of the lock and of the outcome of transactions.
    pub fn seqno(&self) -> u64 {
        self.seqno
    }

    /// Grows when the contents begin anew, as after a change of the schema: what was known of rows is void.
    pub fn restarts(&self) -> u64 {
        self.restarts
    }

    /// Why there is nothing: the server's refusal, in words.
    pub fn error(&self) -> Option<&str> {
        self.error.as_deref()
    }

    /// The schema, once known.
    pub fn schema(&self) -> Option<&Arc<Schema>> {
        self.db.as_ref().map(Database::schema)
    }

    /// The contents.
    pub fn db(&self) -> Option<&Database> {
        self.db.as_ref()
    }

    /// The rows of a table; none if there is no such table.
    pub fn rows(&self, table: &str) -> impl Iterator<Item = &Row> {
        self.db.iter().filter_map(|db| db.table_by_name(table)).flat_map(|t| t.rows())
    }

    /// What has changed since the last call.
    pub fn take_changes(&mut self) -> Changes {
        match self.changes.len() {
            1 => self.changes.pop().unwrap_or_default(),
            _ => Changes::merge(&std::mem::take(&mut self.changes)),
        }
    }

    /// Whether we hold the lock (or want none).
    pub fn has_lock(&self) -> bool {
        self.config.lock.is_none() || self.lock == LockState::Held
    }

    /// Whether somebody else holds the lock.
    pub fn is_lock_contended(&self) -> bool {
        self.lock == LockState::Contended
    }

    /// Sets or drops the wish for a lock.
    pub fn set_lock(&mut self, lock: Option<String>) {
        if self.config.lock == lock {
            return;
        }
        if let Some(old) = self.config.lock.take()
            && self.connected
        {
            self.request("unlock", vec![old.into()], Pending::Unlock);
        }
        self.lock = LockState::Idle;
        self.config.lock = lock;
        if self.connected {
            self.request_lock();
        }
    }

    /// Copies of a table only the rows for which one of `clauses` holds (an array of `[COLUMN, FUNCTION, VALUE]`,
    /// or `true` or `false`); `None` for all. Rows come and go as the condition changes. A server that knows only
    /// RFC 7047's own monitors sends all rows.
    pub fn set_condition(&mut self, table: &str, clauses: Option<Value>) {
        let old = match clauses.clone() {
            Some(clauses) => self.conditions.insert(table.to_string(), clauses),
            None => self.conditions.remove(table),
        };
        if old == clauses {
            return;
        }
        // What the server kept for us was under another condition.
        self.last_txn = Uuid::ZERO;
        if self.monitor.is_some_and(|v| v != Version::V1) {
            let clauses = clauses.unwrap_or_else(|| Value::Array(vec![true.into()]));
            let request = Value::Array(vec![Value::object([("where", clauses)])]);
            let requests = Value::object([(table, request)]);
            let params = vec![MONITOR_ID.into(), MONITOR_ID.into(), requests];
            self.request("monitor_cond_change", params, Pending::Condition);
        }
    }

    /// Begins a transaction.
    pub fn begin(&mut self) -> Txn {
        Txn::new(self.uuids.next_uuid())
    }

    /// Sends a transaction. Its outcome comes by [`Replica::outcome`], at once if there is nothing to send.
    pub fn commit(&mut self, txn: Txn) -> TxnId {
        let id = self.next_id;
        let outcome = match &self.db {
            _ if !self.connected || !self.is_ready() => Outcome::TryAgain,
            None => Outcome::TryAgain,
            Some(_) if !self.has_lock() => Outcome::NotLocked,
            Some(db) => {
                let (operations, sent) = txn.operations(db, self.config.lock.as_deref());
                if operations.is_empty() {
                    Outcome::Unchanged
                } else {
                    let mut params = vec![Value::string(&*self.config.database)];
                    params.extend(operations);
                    self.request("transact", params, Pending::Transact(Box::new(sent)));
                    return TxnId(id);
                }
            }
        };
        self.next_id += 1;
        self.finished.insert(id, outcome);
        TxnId(id)
    }

    /// The outcome of a transaction, once, when it is known.
    pub fn outcome(&mut self, id: TxnId) -> Option<Outcome> {
        self.finished.remove(&id.0)
    }

    /// A reply came: `Err` is the error that the server replied with. False if it is not for us.
    pub fn on_reply(&mut self, id: &Value, result: Result<Value, Value>) -> bool {
        let Some((id, pending)) = id.as_integer().and_then(|id| Some((id, self.pending.remove(&id)?))) else {
            return false;
        };
        match (pending, result) {
            (Pending::Schema, Ok(schema)) => self.take_schema(&schema),
            (Pending::Schema, Err(e)) => self.error = Some(refusal(&e)),
            (Pending::Monitor(v), Ok(reply)) => {
                if let Err(e) = self.take_initial(v, reply) {
                    self.error = Some(e.to_string());
                }
            }
            (Pending::Monitor(Version::V3), Err(e)) if e.as_str() == Some("unknown method") => {
                self.request_monitor(Version::V2);
            }
            (Pending::Monitor(Version::V2), Err(e)) if e.as_str() == Some("unknown method") => {
                self.request_monitor(Version::V1);
            }
            (Pending::Monitor(_), Err(e)) => self.error = Some(refusal(&e)),
            (Pending::Lock, Ok(reply)) => {
                let locked = reply.get("locked").and_then(Value::as_bool) == Some(true);
                self.lock = if locked { LockState::Held } else { LockState::Contended };
                self.seqno += 1;
            }
            (Pending::Lock, Err(e)) => self.error = Some(refusal(&e)),
            (Pending::Unlock | Pending::Condition, Ok(_)) | (Pending::Unlock, Err(_)) => {}
            (Pending::Condition, Err(e)) => self.error = Some(refusal(&e)),
            (Pending::Transact(sent), result) => {
                self.finished.insert(id, sent.outcome(result));
                self.seqno += 1;
            }
        }
        true
    }

    /// A notification came. False if it is not for us.
    pub fn on_notification(&mut self, method: &str, params: &[Value]) -> bool {
        let version = match method {
            "update" => Version::V1,
            "update2" => Version::V2,
            "update3" => Version::V3,
            "locked" | "stolen" => {
                let ours = params.first().and_then(Value::as_str) == self.config.lock.as_deref();
                if ours {
                    self.lock = if method == "locked" { LockState::Held } else { LockState::Contended };
                    self.seqno += 1;
                }
                return ours;
            }
            _ => return false,
        };
        if self.monitor != Some(version) || params.first().and_then(Value::as_str) != Some(MONITOR_ID) {
            return false;
        }
        let (last, updates) = match (version, params) {
            (Version::V3, [_, last, updates]) => (last.as_str().and_then(|s| s.parse().ok()), updates),
            (Version::V1 | Version::V2, [_, updates]) => (None, updates),
            _ => return false,
        };
        match self.changes_of(version, updates) {
            Ok(changes) => {
                // Until the server has taken a new condition, what it tells is by the old one.
                let settled = !self.pending.values().any(|p| matches!(p, Pending::Condition));
                self.last_txn = last.filter(|_| settled).unwrap_or_default();
                self.apply(changes);
            }
            Err(e) => self.error = Some(e.to_string()),
        }
        true
    }

    fn request(&mut self, method: &'static str, params: Vec<Value>, pending: Pending) {
        let id = self.next_id;
        self.next_id += 1;
        self.pending.insert(id, pending);
        self.outgoing.push_back(Request { id, method, params });
    }

    fn request_lock(&mut self) {
        if let Some(lock) = self.config.lock.clone() {
            self.request("lock", vec![lock.into()], Pending::Lock);
        }
    }

    fn take_schema(&mut self, json: &Value) {
        match Schema::from_json(json) {
            Ok(schema) => self.use_schema(Arc::new(schema)),
            Err(e) => self.error = Some(e.to_string()),
        }
    }

    fn use_schema(&mut self, schema: Arc<Schema>) {
        if self.schema().is_none_or(|old| !old.is_same(&schema)) {
            self.db = Some(Database::new(schema));
            self.changes.clear();
            self.last_txn = Uuid::ZERO;
            self.restarts += 1;
        }
        self.error = None;
        self.request_monitor(Version::V3);
    }

    fn request_monitor(&mut self, version: Version) {
        let Some(schema) = self.schema().cloned() else { return };
        let mut requests = Object::new();
        for t in &schema.tables {
            let columns: Vec<&str> = match &self.config.interest {
                Interest::All => t.own_columns().map(|c| &*c.1.name).collect(),
                Interest::Tables(tables) => match tables.get(&*t.name) {
                    None => continue,
                    Some(None) => t.own_columns().map(|c| &*c.1.name).collect(),
                    Some(Some(list)) => {
                        list.iter().map(String::as_str).filter(|c| t.column(c).is_some()).collect()
                    }
                },
            };
            let columns = Value::Array(columns.into_iter().map(Value::string).collect());
            let mut request = Object::new();
            request.insert("columns", columns);
            if let Some(clauses) = self.conditions.get(&*t.name).filter(|_| version != Version::V1) {
                request.insert("where", clauses.clone());
            }
            let request = Value::Object(request);
            requests.insert(&*t.name, Value::Array(vec![request]));
        }
        let mut params = vec![Value::string(&*self.config.database), MONITOR_ID.into(), requests.into()];
        let method = match version {
            Version::V1 => "monitor",
            Version::V2 => "monitor_cond",
            Version::V3 => {
                params.push(self.last_txn.to_string().into());
                "monitor_cond_since"
            }
        };
        self.request(method, params, Pending::Monitor(version));
    }

    fn take_initial(&mut self, version: Version, reply: Value) -> Result<(), Error> {
        let Some(schema) = self.schema().cloned() else { return Ok(()) };
        let bad = || Error::new("syntax error", "unexpected reply to monitor request");
        let (found, last, updates) = match (version, reply) {
            (Version::V3, Value::Array(a)) => match <[Value; 3]>::try_from(a) {
                Ok([found, last, updates]) => {
                    let last = last.as_str().and_then(|s| s.parse().ok()).unwrap_or_default();
                    (found.as_bool().unwrap_or(false), last, updates)
                }
                Err(_) => return Err(bad()),
            },
            (Version::V3, _) => return Err(bad()),
            (_, updates) => (false, Uuid::ZERO, updates),
        };
        let changes = if found {
            self.changes_of(version, &updates)?
        } else {
            // Everything: what changes is the difference to what we had.
            let mut new = Database::new(schema);
            let contents = changes_between(&new, version, &updates, &mut self.uuids)?;
            new.apply(&contents);
            match &self.db {
                Some(old) => difference(old, &new),
                None => contents,
            }
        };
        self.last_txn = last;
        self.monitor = Some(version);
        self.apply(changes);
        Ok(())
    }

    fn changes_of(&mut self, version: Version, updates: &Value) -> Result<Changes, Error> {
        match &self.db {
            Some(db) => changes_between(db, version, updates, &mut self.uuids),
            None => Ok(Changes::default()),
        }
    }

    fn apply(&mut self, changes: Changes) {
        if let Some(db) = &mut self.db {
            db.apply(&changes);
        }
        self.seqno += 1;
        if !changes.is_empty() {
            self.changes.push(changes);
        }
    }
}

fn refusal(error: &Value) -> String {
    error.as_str().map_or_else(|| error.to_string(), str::to_owned)
}

/// The changes that a `<table-updates>` makes to `db`.
pub(crate) fn changes_between(
    db: &Database,
    version: Version,
    updates: &Value,
    uuids: &mut UuidSource,
) -> Result<Changes, Error> {
    let expected = |at: &Value| Error::syntax(at, "object expected");
    let mut changes = Changes::default();
    for (name, rows) in updates.as_object().ok_or_else(|| expected(updates))?.iter() {
        let Some(table) = db.schema().table(name) else {
            return Err(Error::new("unknown table", format!("No table named {name}.")));
        };
        let ts = &db.schema().tables[table];
        let mut list = Vec::new();
        for (uuid, update) in rows.as_object().ok_or_else(|| expected(rows))?.iter() {
            let uuid: Uuid = uuid
                .parse()
                .map_err(|()| Error::new("syntax error", format!("\"{uuid}\" is not a valid UUID")))?;
            let old = db.table(table).get(uuid).cloned();
            let new = match version {
                Version::V1 => match update.get("new") {
                    Some(new) => Some(assign(ts, uuid, old.as_ref(), new, false, uuids)?),
                    None => None,
                },
                _ => row_update2(ts, uuid, old.as_ref(), update, uuids)?,
            };
            let same = match (&old, &new) {
                (None, None) => true,
                (Some(a), Some(b)) => a.same_data(b),
                _ => false,
            };
            if !same {
                list.push(RowChange { uuid, old, new });
            }
        }
        if !list.is_empty() {
            changes.tables.push(TableChanges { table, rows: list });
        }
    }
    changes.tables.sort_by_key(|t| t.table);
    Ok(changes)
}

fn row_update2(
    ts: &TableSchema,
    uuid: Uuid,
    old: Option<&Row>,
    update: &Value,
    uuids: &mut UuidSource,
) -> Result<Option<Row>, Error> {
    if let Some(row) = update.get("initial").or_else(|| update.get("insert")) {
        return assign(ts, uuid, None, row, false, uuids).map(Some);
    }
    match update.get("modify") {
        Some(row) => assign(ts, uuid, old, row, true, uuids).map(Some),
        None => Ok(None),
    }
}

/// A row with columns set to new values, or changed by differences.
fn assign(
    ts: &TableSchema,
    uuid: Uuid,
    old: Option<&Row>,
    columns: &Value,
    diff: bool,
    uuids: &mut UuidSource,
) -> Result<Row, Error> {
    let version = uuids.next_uuid();
    let mut row = old.cloned().unwrap_or_else(|| Row::new(ts, uuid, version));
    row.set(VERSION_COLUMN, crate::Datum::one(version));
    for (c, value) in columns_unchecked(columns, ts, &mut NoSymbols)? {
        let value = if diff { row[c].apply_diff(&value, &ts.columns[c].kind) } else { value };
        row.set(c, value);
    }
    Ok(row)
}

/// What makes `new` of `old`, which have one schema.
pub(crate) fn difference(old: &Database, new: &Database) -> Changes {
    let mut changes = Changes::default();
    for table in 0..new.schema().tables.len() {
        let (a, b) = (old.table(table), new.table(table));
        let mut rows = Vec::new();
        for row in a.rows().filter(|r| !b.contains(r.uuid())) {
            rows.push(RowChange { uuid: row.uuid(), old: Some(row.clone()), new: None });
        }
        for row in b.rows() {
            let before = a.get(row.uuid());
            if before.is_none_or(|o| !o.same_data(row)) {
                rows.push(RowChange { uuid: row.uuid(), old: before.cloned(), new: Some(row.clone()) });
            }
        }
        if !rows.is_empty() {
            changes.tables.push(TableChanges { table, rows });
        }
    }
    changes
}
