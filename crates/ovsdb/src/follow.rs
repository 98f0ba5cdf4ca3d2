//! Following another server's database: what relays and backups have in common.
//!
//! Unlike a [`Replica`](crate::replica::Replica), a [`Follower`] keeps no contents: they are those of a database
//! that is served here. It says what to ask for and hands out what comes, in order:
//!
//! ```text
//!   connected() ─► (who are you?) ─► get_schema ─► Event::Schema ─► monitor() ─► Event::Contents ─► Event::Update ...
//!                                       └ none ──► Event::Missing
//! ```
//!
//! A relay also watches the other server's `_Server`, to hear of new schemas and of databases that come and go,
//! and passes on transactions.

use crate::db::{Changes, Database};
use crate::error::Error;
use crate::json::{Object, Value};
use crate::monitor::Version;
use crate::replica::{Request, changes_between, difference};
use crate::schema::Schema;
use crate::uuid::{Uuid, UuidSource};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// How a database is followed.
#[derive(Clone, Debug, PartialEq)]
pub enum Role {
    /// As a relay.
    Relay,
    /// As a backup, by the server of this name.
    Backup {
        /// The following server's id.
        own_id: String,
    },
}

/// What came of a request that was passed on.
pub type Answer = Result<Value, Value>;

/// What came.
#[derive(Debug)]
pub enum Event {
    /// The database's schema. [`Follower::monitor`] goes on, if it is acceptable.
    Schema(Box<Schema>),
    /// The other server has no such database.
    Missing,
    /// The other server is ourselves.
    Itself,
    /// All there is, or what changed since we last looked.
    Contents {
        /// Whether it is only what changed.
        found: bool,
        /// How it is written.
        version: Version,
        /// The `<table-updates>`.
        updates: Value,
    },
    /// What changed.
    Update {
        /// How it is written.
        version: Version,
        /// The `<table-updates>`.
        updates: Value,
    },
    /// A request that was passed on has been answered.
    Answer {
        /// What [`Follower::pass_on`] was given.
        token: u64,
        /// The answer.
        answer: Answer,
    },
    /// The other server does not make sense.
    Failed(String),
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Asked {
    ServerId,
    Schema,
    Monitor(Version),
    Ignored,
    Passed(u64),
}

const MONITOR_ID: &str = "follow";
const SERVER_MONITOR_ID: &str = "follow-server";

/// See the module.
#[derive(Debug)]
pub struct Follower {
    database: String,
    role: Role,
    next_id: i64,
    outgoing: VecDeque<Request>,
    pending: BTreeMap<i64, Asked>,
    events: VecDeque<Event>,
    monitor: Option<Version>,
    last: Uuid,
    /// What is monitored.
    tables: Object,
}

impl Follower {
    /// Follows the database of this name.
    pub fn new(database: impl Into<String>, role: Role) -> Follower {
        Follower {
            database: database.into(),
            role,
            next_id: 1,
            outgoing: VecDeque::new(),
            pending: BTreeMap::new(),
            events: VecDeque::new(),
            monitor: None,
            last: Uuid::ZERO,
            tables: Object::new(),
        }
    }

    /// There is a connection.
    pub fn connected(&mut self) {
        match self.role {
            Role::Relay => {
                self.ask("set_db_change_aware", vec![true.into()], Asked::Ignored);
                let columns: Vec<Value> = ["name", "connected", "schema"].map(Value::from).into();
                let request = Value::object([("columns", columns.into())]);
                let requests = Value::object([("Database", Value::Array(vec![request]))]);
                let params = vec!["_Server".into(), SERVER_MONITOR_ID.into(), requests];
                self.ask("monitor_cond", params, Asked::Ignored);
                self.ask_schema();
            }
            Role::Backup { .. } => self.ask("get_server_id", vec![], Asked::ServerId),
        }
    }

    /// The connection is gone; returns the tokens of requests that were passed on and not answered.
    pub fn disconnected(&mut self) -> Vec<u64> {
        self.monitor = None;
        self.outgoing.clear();
        self.events.clear();
        let passed = |a: Asked| if let Asked::Passed(token) = a { Some(token) } else { None };
        std::mem::take(&mut self.pending).into_values().filter_map(passed).collect()
    }

    /// Whether the contents are those of the other server.
    pub fn is_following(&self) -> bool {
        self.monitor.is_some()
    }

    /// The next request to send.
    pub fn poll_send(&mut self) -> Option<Request> {
        self.outgoing.pop_front()
    }

    /// What came next.
    pub fn next_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Monitors all tables of the other server's schema but these.
    pub fn monitor(&mut self, schema: &Schema, exclude: &BTreeSet<String>, anew: bool) {
        if anew {
            self.last = Uuid::ZERO;
        }
        self.tables = tables_of(schema, exclude);
        self.ask_monitor(Version::V3);
    }

    /// Passes a request on.
    pub fn pass_on(&mut self, token: u64, method: &'static str, params: Vec<Value>) {
        self.ask(method, params, Asked::Passed(token));
    }

    /// A reply came.
    pub fn on_reply(&mut self, id: &Value, answer: Answer) {
        let Some(asked) = id.as_integer().and_then(|id| self.pending.remove(&id)) else { return };
        match (asked, answer) {
            (Asked::Ignored, _) => {}
            (Asked::Passed(token), answer) => self.events.push_back(Event::Answer { token, answer }),
            (Asked::ServerId, answer) => {
                let own = match &self.role {
                    Role::Backup { own_id } => own_id.as_str(),
                    Role::Relay => "",
                };
                if answer.ok().as_ref().and_then(Value::as_str) == Some(own) {
                    self.events.push_back(Event::Itself);
                } else {
                    self.ask_schema();
                }
            }
            (Asked::Schema, Ok(json)) => match Schema::from_json(&json) {
                Ok(schema) => self.events.push_back(Event::Schema(Box::new(schema))),
                Err(e) => self.events.push_back(Event::Failed(e.to_string())),
            },
            // One that the other server waits for itself comes later, and `_Server` will tell.
            (Asked::Schema, Err(e)) if tag(&e) == Some("database not available") => {}
            (Asked::Schema, Err(_)) => self.events.push_back(Event::Missing),
            (Asked::Monitor(version), Ok(reply)) => self.take_contents(version, reply),
            (Asked::Monitor(Version::V3), Err(e)) if e.as_str() == Some("unknown method") => {
                self.ask_monitor(Version::V2);
            }
            (Asked::Monitor(Version::V2), Err(e)) if e.as_str() == Some("unknown method") => {
                self.ask_monitor(Version::V1);
            }
            (Asked::Monitor(_), Err(e)) => self.events.push_back(Event::Failed(e.to_string())),
        }
    }

    /// A notification came.
    pub fn on_notification(&mut self, method: &str, mut params: Vec<Value>) {
        let id = params.first().and_then(Value::as_str).unwrap_or_default().to_owned();
        match (method, id.as_str()) {
            ("monitor_canceled", MONITOR_ID) => {
                self.monitor = None;
                self.ask_schema();
            }
            ("update2", SERVER_MONITOR_ID) if self.monitor.is_none() => self.ask_schema(),
            ("update" | "update2" | "update3", MONITOR_ID) => {
                let Some(version) = self.monitor else { return };
                if version == Version::V3
                    && let Some(last) = params.get(1).and_then(Value::as_str)
                {
                    self.last = last.parse().unwrap_or_default();
                }
                if let Some(updates) = params.pop() {
                    self.events.push_back(Event::Update { version, updates });
                }
            }
            _ => {}
        }
    }

    fn ask(&mut self, method: &'static str, params: Vec<Value>, asked: Asked) {
        let id = self.next_id;
        self.next_id += 1;
        self.pending.insert(id, asked);
        self.outgoing.push_back(Request { id, method, params });
    }

    fn ask_schema(&mut self) {
        if !self.pending.values().any(|a| *a == Asked::Schema) {
            self.ask("get_schema", vec![self.database.as_str().into()], Asked::Schema);
        }
    }

    fn ask_monitor(&mut self, version: Version) {
        let tables = self.tables.clone().into();
        let mut params = vec![self.database.as_str().into(), MONITOR_ID.into(), tables];
        let method = match version {
            Version::V1 => "monitor",
            Version::V2 => "monitor_cond",
            Version::V3 => {
                params.push(self.last.to_string().into());
                "monitor_cond_since"
            }
        };
        self.ask(method, params, Asked::Monitor(version));
    }

    fn take_contents(&mut self, version: Version, reply: Value) {
        let (found, updates) = match (version, reply) {
            (Version::V3, Value::Array(a)) => match <[Value; 3]>::try_from(a) {
                Ok([found, last, updates]) => {
                    self.last = last.as_str().and_then(|s| s.parse().ok()).unwrap_or_default();
                    (found.as_bool().unwrap_or(false), updates)
                }
                Err(_) => return self.events.push_back(Event::Failed("unexpected monitor reply".into())),
            },
            (_, updates) => (false, updates),
        };
        self.monitor = Some(version);
        self.events.push_back(Event::Contents { found, version, updates });
    }
}

fn tag(error: &Value) -> Option<&str> {
    error.get("error").and_then(Value::as_str)
}

fn tables_of(schema: &Schema, exclude: &BTreeSet<String>) -> Object {
    let mut requests = Object::new();
    for t in schema.tables.iter().filter(|t| !exclude.contains(&*t.name)) {
        let columns: Vec<Value> = t.own_columns().map(|c| Value::string(&*c.1.name)).collect();
        let request = Value::object([("columns", columns.into())]);
        requests.insert(&*t.name, Value::Array(vec![request]));
    }
    requests
}

/// What an update changes in a database.
pub fn changes_by(
    db: &Database,
    version: Version,
    updates: &Value,
    uuids: &mut UuidSource,
) -> Result<Changes, Error> {
    changes_between(db, version, updates, uuids)
}

/// What must change so that a database has these contents, in all tables but those excluded.
pub fn changes_to(
    db: &Database,
    version: Version,
    contents: &Value,
    exclude: &BTreeSet<String>,
    uuids: &mut UuidSource,
) -> Result<Changes, Error> {
    let mut new = Database::new(db.schema().clone());
    let all = changes_between(&new, version, contents, uuids)?;
    new.apply(&all);
    let mut changes = difference(db, &new);
    changes.tables.retain(|t| !exclude.contains(&*db.schema().tables[t.table].name));
    Ok(changes)
}

/// Why a database of schema `local` cannot be a backup of one of schema `remote`, if it cannot.
pub fn incompatibility(local: &Schema, remote: &Schema) -> Option<String> {
    for t in &remote.tables {
        let Some(table) = local.table(&t.name).map(|i| &local.tables[i]) else {
            return Some(format!("Table {} not present in the local db schema", t.name));
        };
        for (_, c) in t.own_columns() {
            let Some(at) = table.column(&c.name) else {
                return Some(format!(
                    "Column {} not present in the local db schema table {}.",
                    c.name, t.name
                ));
            };
            let other = &table.columns[at];
            let same = other.kind.to_json() == c.kind.to_json()
                && other.mutable == c.mutable
                && other.persistent == c.persistent;
            if !same {
                return Some(format!("Column {} mismatch in local db schema table {}.", c.name, t.name));
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json;
    use std::sync::Arc;

    const SCHEMA: &str = r#"{"name":"d","tables":{"T":{"columns":{"n":{"type":"integer"}},"isRoot":true},
        "X":{"columns":{"n":{"type":"integer"}},"isRoot":true}}}"#;

    fn schema(text: &str) -> Schema {
        Schema::parse(text).expect("a schema")
    }

    fn sent(f: &mut Follower) -> Vec<(i64, &'static str)> {
        std::iter::from_fn(|| f.poll_send()).map(|r| (r.id, r.method)).collect()
    }

    #[test]
    fn a_relay_fetches_and_follows() {
        let mut f = Follower::new("d", Role::Relay);
        f.connected();
        let methods = ["set_db_change_aware", "monitor_cond", "get_schema"];
        assert_eq!(sent(&mut f), [1, 2, 3].map(|i| (i, methods[i as usize - 1])));
        f.on_reply(&Value::Integer(3), Ok(json::parse(SCHEMA).unwrap()));
        let Some(Event::Schema(s)) = f.next_event() else { panic!("no schema") };
        f.monitor(&s, &BTreeSet::new(), true);
        assert_eq!(sent(&mut f), [(4, "monitor_cond_since")]);
        let uuid = "12345678-9abc-def0-0123-456789abcdef";
        let reply = format!(r#"[false,"{}",{{"T":{{"{uuid}":{{"initial":{{"n":3}}}}}}}}]"#, Uuid::ZERO);
        f.on_reply(&Value::Integer(4), Ok(json::parse(&reply).unwrap()));
        let Some(Event::Contents { found: false, version, updates }) = f.next_event() else { panic!() };
        let mut uuids = UuidSource::from_u64(1);
        let mut db = Database::new(Arc::new(*s));
        let changes = changes_to(&db, version, &updates, &BTreeSet::new(), &mut uuids).unwrap();
        db.apply(&changes);
        assert_eq!(db.table(0).len(), 1);
        f.pass_on(9, "transact", vec!["d".into()]);
        f.on_reply(&Value::Integer(5), Ok(Value::Array(vec![])));
        assert!(matches!(f.next_event(), Some(Event::Answer { token: 9, answer: Ok(_) })));
        f.pass_on(10, "transact", vec!["d".into()]);
        assert_eq!(f.disconnected(), [10]);
        assert!(!f.is_following());
    }

    #[test]
    fn a_backup_does_not_follow_itself() {
        let mut f = Follower::new("d", Role::Backup { own_id: "me".into() });
        f.connected();
        assert_eq!(sent(&mut f), [(1, "get_server_id")]);
        f.on_reply(&Value::Integer(1), Ok("me".into()));
        assert!(matches!(f.next_event(), Some(Event::Itself)));
        f.connected();
        f.on_reply(&Value::Integer(2), Ok("you".into()));
        assert_eq!(sent(&mut f).last(), Some(&(3, "get_schema")));
        f.on_reply(&Value::Integer(3), Err(json::parse(r#"{"error":"unknown database"}"#).unwrap()));
        assert!(matches!(f.next_event(), Some(Event::Missing)));
    }

    #[test]
    fn which_schemas_fit() {
        let local = schema(SCHEMA);
        let less = schema(r#"{"name":"d","tables":{"T":{"columns":{"n":{"type":"integer"}}}}}"#);
        assert_eq!(incompatibility(&local, &less), None);
        let why = |text: &str| incompatibility(&local, &schema(text)).unwrap();
        let table = r#"{"name":"d","tables":{"Y":{"columns":{"n":{"type":"integer"}}}}}"#;
        assert_eq!(why(table), "Table Y not present in the local db schema");
        let column = r#"{"name":"d","tables":{"T":{"columns":{"m":{"type":"integer"}}}}}"#;
        assert_eq!(why(column), "Column m not present in the local db schema table T.");
        let kind = r#"{"name":"d","tables":{"T":{"columns":{"n":{"type":"string"}}}}}"#;
        assert_eq!(why(kind), "Column n mismatch in local db schema table T.");
    }
}
