use super::*;
use crate::datum::Datum;
use crate::json;
use crate::monitor::{History, Monitor};
use crate::transaction::{self, Context};
use std::time::Duration;

const SCHEMA: &str = include_str!("../../testdata/t.ovsschema");

/// A server with one client, without anything in between.
struct World {
    db: Database,
    uuids: UuidSource,
    history: History,
    monitor: Option<Monitor>,
    methods: Vec<&'static str>,
    replica: Replica,
}

impl World {
    fn new(methods: &[&'static str]) -> World {
        let db = Database::new(Arc::new(Schema::parse(SCHEMA).expect("schema")));
        let config = Config { database: "t".into(), interest: Interest::All, lock: None };
        World {
            db,
            uuids: UuidSource::from_u64(5),
            history: History::default(),
            monitor: None,
            methods: methods.to_vec(),
            replica: Replica::new(config, [9; 32]),
        }
    }

    /// Carries messages until there are none.
    fn run(&mut self) {
        while let Some(r) = self.replica.poll_send() {
            let id = Value::Integer(r.id);
            let reply = self.serve(&r);
            assert!(self.replica.on_reply(&id, reply));
        }
    }

    fn serve(&mut self, r: &Request) -> Result<Value, Value> {
        let version = match r.method {
            "get_schema" => return Ok(self.db.schema().to_json()),
            "transact" => return Ok(Value::Array(self.transact(&r.params[1..]))),
            m if !self.methods.contains(&m) => return Err("unknown method".into()),
            "monitor" => Version::V1,
            "monitor_cond" => Version::V2,
            _ => Version::V3,
        };
        let monitor = Monitor::parse(self.db.schema(), &r.params[2], version).map_err(|e| e.to_json())?;
        let mut text = String::new();
        let mut found = false;
        if let (Version::V3, Some(last)) = (version, r.params.get(3)) {
            let last = last.as_str().and_then(|s| s.parse().ok()).expect("a uuid");
            if let Some(changes) = self.history.since(last) {
                found = true;
                if !monitor.update(self.db.schema(), &changes, &mut text) {
                    text.push_str("{}");
                }
            }
        }
        if !found {
            monitor.initial(&self.db, &mut text);
        }
        self.monitor = Some(monitor);
        let updates = json::parse(text).expect("json");
        Ok(match version {
            Version::V3 => Value::Array(vec![found.into(), self.history.last().to_string().into(), updates]),
            _ => updates,
        })
    }

    fn transact(&mut self, ops: &[Value]) -> Vec<Value> {
        let mut context = Context {
            read_only: false,
            may_wait: true,
            elapsed: Duration::ZERO,
            owns_lock: &|_| true,
            access: None,
            uuids: &mut self.uuids,
        };
        let transaction::Outcome::Done(done) = transaction::execute(&self.db, ops, &mut context) else {
            panic!("blocked")
        };
        self.db.apply(&done.changes);
        let name = self.uuids.next_uuid();
        let changes = Arc::new(done.changes);
        if !changes.is_empty() {
            self.history.push(name, changes.clone(), 1000);
        }
        if let Some(m) = &self.monitor {
            let mut text = String::new();
            if m.update(self.db.schema(), &changes, &mut text) {
                let mut params = vec![Value::string(MONITOR_ID)];
                if m.version == Version::V3 {
                    params.push(name.to_string().into());
                }
                params.push(json::parse(text).expect("json"));
                assert!(self.replica.on_notification(m.version.notification(), &params));
            }
        }
        done.results
    }

    fn text(&mut self, ops: &str) -> Vec<Value> {
        let ops = json::parse(ops).expect("json");
        self.transact(ops.as_array().expect("array"))
    }

    fn assert_same(&self) {
        let mine = self.replica.db().expect("contents");
        assert!(difference(&self.db, mine).is_empty() && difference(mine, &self.db).is_empty());
        assert_eq!(self.replica.error(), None);
    }
}

const NEW: &[&str] = &["monitor", "monitor_cond", "monitor_cond_since"];

#[test]
fn follows_the_server_by_every_method() {
    for methods in [NEW, &NEW[..2], &NEW[..1]] {
        let mut w = World::new(methods);
        w.text(r#"[{"op":"insert","table":"lim","row":{"x":1}}]"#);
        w.replica.connected();
        w.run();
        assert!(w.replica.is_ready());
        w.assert_same();
        assert_eq!(w.replica.take_changes().row_count(), 1);
        let row = r#"{"op":"insert","table":"typ","row":{"eint":1,"sset":["set",["a","b"]],"mss":["map",[["k","v"]]]}}"#;
        w.text(&format!("[{row}]"));
        w.assert_same();
        w.text(r#"[{"op":"mutate","table":"typ","where":[],"mutations":[["sset","insert","c"],["mss","insert",["map",[["l","w"]]]],["i","+=",4]]}]"#);
        w.assert_same();
        w.text(r#"[{"op":"update","table":"typ","where":[],"row":{"mss":["map",[["k","x"]]],"es":"b","sset":["set",[]]}}]"#);
        w.assert_same();
        // Gone for a while.
        w.replica.disconnected();
        w.monitor = None;
        assert!(!w.replica.is_ready() && w.replica.has_contents());
        w.text(r#"[{"op":"delete","table":"typ","where":[]},{"op":"insert","table":"lim","row":{"x":2}}]"#);
        w.replica.take_changes();
        w.replica.connected();
        w.run();
        w.assert_same();
        assert_eq!(w.replica.take_changes().row_count(), 2);
        assert_eq!(w.replica.restarts(), 1);
    }
}

#[test]
fn transactions() {
    let mut w = World::new(NEW);
    w.replica.connected();
    w.run();
    let schema = w.replica.schema().expect("schema").clone();
    let (root, kid) = (schema.table("root").expect("root"), schema.table("kid").expect("kid"));
    let column = |t: usize, name: &str| schema.tables[t].column(name).expect("column");

    let mut t = w.replica.begin();
    let db = w.replica.db().expect("db");
    let r = t.insert(db, root, None);
    let k = t.insert(db, kid, None);
    t.set(db, root, r, column(root, "name"), Datum::one("a"));
    t.set(db, root, r, column(root, "w1"), Datum::one(r));
    t.mutate(db, root, r, column(root, "kid"), &Datum::one(k), &Datum::EMPTY);
    t.set(db, kid, k, column(kid, "n"), Datum::one(5i64));
    t.increment(kid, k, column(kid, "n"), false);
    t.comment("hello");
    assert_eq!(t.rows(db, root).count(), 1);
    let id = w.replica.commit(t);
    assert_eq!(w.replica.outcome(id), None);
    w.run();
    let Some(Outcome::Success { inserted, counter }) = w.replica.outcome(id) else { panic!("no success") };
    assert_eq!((inserted.len(), counter), (2, Some(6)));
    w.assert_same();
    let (r, k) = (inserted[&r], inserted[&k]);
    assert_eq!(
        w.replica.rows("root").next().map(|row| row[column(root, "kid")].clone()),
        Some(Datum::one(k))
    );

    // Relying on what has changed meanwhile.
    let mut t = w.replica.begin();
    let db = w.replica.db().expect("db");
    t.verify(root, r, column(root, "name"));
    t.set(db, root, r, column(root, "name"), Datum::one("b"));
    let id = w.replica.commit(t);
    w.text(r#"[{"op":"update","table":"root","where":[],"row":{"name":"z"}}]"#);
    w.run();
    assert_eq!(w.replica.outcome(id), Some(Outcome::TryAgain));

    // Nothing to do; a mistake; a rehearsal.
    let mut t = w.replica.begin();
    let db = w.replica.db().expect("db");
    t.set(db, root, r, column(root, "name"), Datum::one("z"));
    t.verify(root, r, column(root, "name"));
    let id = w.replica.commit(t);
    assert_eq!(w.replica.outcome(id), Some(Outcome::Unchanged));
    let mut t = w.replica.begin();
    let db = w.replica.db().expect("db");
    t.delete(db, kid, k);
    let id = w.replica.commit(t);
    w.run();
    assert!(matches!(w.replica.outcome(id), Some(Outcome::Error(e)) if e.contains("remaining reference")));
    let mut t = w.replica.begin();
    let db = w.replica.db().expect("db");
    t.delete(db, root, r);
    t.set_dry_run(true);
    let id = w.replica.commit(t);
    w.run();
    assert_eq!(w.replica.outcome(id), Some(Outcome::Aborted));
    w.assert_same();

    // Pairs of a map, replaced and removed beside others.
    w.text(r#"[{"op":"update","table":"root","where":[],"row":{"mw":["map",[]]}},{"op":"insert","table":"typ","row":{"eint":1,"mss":["map",[["a","1"],["b","2"]]]}}]"#);
    let typ = schema.table("typ").expect("typ");
    let row = w.replica.rows("typ").next().expect("row").uuid();
    let mss = column(typ, "mss");
    let mut t = w.replica.begin();
    let db = w.replica.db().expect("db");
    t.mutate(db, typ, row, mss, &Datum::string_map([("a", "9"), ("c", "3")]), &Datum::one("b"));
    let wanted = t.row(db, typ, row).expect("row")[mss].clone();
    let id = w.replica.commit(t);
    w.run();
    assert!(matches!(w.replica.outcome(id), Some(Outcome::Success { .. })));
    assert_eq!(w.replica.rows("typ").next().expect("row")[mss], wanted);
    assert_eq!(wanted, Datum::string_map([("a", "9"), ("c", "3")]));
    w.assert_same();

    // A connection that breaks leaves the outcome open.
    let mut t = w.replica.begin();
    let db = w.replica.db().expect("db");
    t.delete(db, root, r);
    let id = w.replica.commit(t);
    w.replica.disconnected();
    assert_eq!(w.replica.outcome(id), Some(Outcome::TryAgain));
}

#[test]
fn locks() {
    let mut w = World::new(NEW);
    w.replica.set_lock(Some("l".into()));
    w.replica.connected();
    let requests: Vec<Request> = std::iter::from_fn(|| w.replica.poll_send()).collect();
    assert_eq!(requests.iter().map(|r| r.method).collect::<Vec<_>>(), ["get_schema", "lock"]);
    assert!(!w.replica.has_lock());
    w.replica.on_reply(&Value::Integer(requests[1].id), Ok(Value::object([("locked", false.into())])));
    assert!(!w.replica.has_lock() && w.replica.is_lock_contended());
    assert!(w.replica.on_notification("locked", &["l".into()]));
    assert!(w.replica.has_lock());
    assert!(w.replica.on_notification("stolen", &["l".into()]));
    assert!(!w.replica.has_lock());
    assert!(!w.replica.on_notification("locked", &["other".into()]));
}

/// Whatever a server sends, nothing panics.
#[test]
fn hostile_updates() {
    let mut w = World::new(NEW);
    w.replica.connected();
    w.run();
    for bad in [
        r#"[]"#,
        r#"["monid"]"#,
        r#"["monid","x",1]"#,
        r#"["monid","x",{"nosuch":{}}]"#,
        r#"["monid","x",{"lim":[]}]"#,
        r#"["monid","x",{"lim":{"y":{}}}]"#,
        r#"["monid","x",{"lim":{"12345678-1234-1234-1234-1234567890ab":{"modify":{"x":"s"}}}}]"#,
        r#"["monid","x",{"lim":{"12345678-1234-1234-1234-1234567890ab":{"insert":{"zz":1}}}}]"#,
        r#"["monid","x",{"lim":{"12345678-1234-1234-1234-1234567890ab":{"delete":null}}}]"#,
        r#"["monid","x",{"lim":{"12345678-1234-1234-1234-1234567890ab":null}}]"#,
    ] {
        let params = json::parse(bad).expect("json");
        w.replica.on_notification("update3", params.as_array().expect("array"));
    }
    w.replica.error = None;
    w.assert_same();
}
