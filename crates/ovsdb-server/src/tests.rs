//! The server in process, on real sockets: what it says against what the reference said, and what it does when
//! its disk fails, its clients are slow or its input is nonsense.

use crate::server::{Server, ServerOptions};
use base::{Clock, Logger};
use ovsdb::json::{self, Parser, Value};
use ovsdb::log::Storage;
use ovsdb::{Database, Error, Schema};
use reactor::event::Environment;
use reactor::{Event, Reactor};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const SCHEMA: &str = include_str!("../testdata/t.ovsschema");
const PROTOCOL: &str = include_str!("../testdata/protocol.txt");

pub struct Lab {
    pub reactor: Reactor,
    pub server: Server,
    pub dir: PathBuf,
}

pub struct Client {
    pub stream: UnixStream,
    parser: Parser,
    input: Vec<u8>,
    closed: bool,
}

impl Client {
    fn send(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).expect("send");
    }

    fn request(&mut self, method: &str, params: &str) {
        self.send(&format!("{{\"id\":1,\"method\":\"{method}\",\"params\":{params}}}"));
    }

    pub fn next(&mut self) -> Option<Value> {
        let mut buf = vec![0; 1 << 16];
        match self.stream.read(&mut buf) {
            Ok(0) => self.closed = true,
            Ok(n) => self.input.extend_from_slice(&buf[..n]),
            Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(_) => self.closed = true,
        }
        let used = self.parser.feed(&self.input);
        self.input.drain(..used);
        self.parser.is_done().then(|| std::mem::take(&mut self.parser).finish().expect("json"))
    }
}

impl Lab {
    pub fn new(name: &str) -> Lab {
        let dir = std::env::temp_dir().join(format!("oxvs-ovsdb-server-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&dir);
        std::fs::create_dir_all(&dir).expect("a directory");
        let env = Environment::new(Logger::none(), dir.clone());
        let mut reactor = Reactor::new(Clock::real(), env).expect("a loop");
        let mut server = Server::new(&mut reactor, ServerOptions { component: 1, diff: true, history: true });
        server.set_remotes(&mut reactor, ["punix:s".to_owned()]).expect("remotes");
        Lab { reactor, server, dir }
    }

    pub fn with_db(name: &str, storage: Option<Box<dyn Storage>>) -> Lab {
        let mut lab = Lab::new(name);
        let db = Database::new(Arc::new(Schema::parse(SCHEMA).expect("schema")));
        lab.server.add(&mut lab.reactor, db, storage).expect("a database");
        lab.turn();
        lab
    }

    pub fn client(&mut self) -> Client {
        let stream = UnixStream::connect(self.dir.join("s")).expect("connect");
        stream.set_nonblocking(true).expect("nonblocking");
        Client { stream, parser: Parser::new(), input: Vec::new(), closed: false }
    }

    pub fn turn(&mut self) {
        let mut events: Vec<Event> = Vec::new();
        self.server.end_turn(&mut self.reactor);
        self.reactor.turn_within(Duration::from_millis(2), &mut events).expect("turn");
        for e in events {
            self.server.run(&mut self.reactor, e);
        }
        self.server.end_turn(&mut self.reactor);
    }

    /// Runs until the reply to `id` comes: everything up to it.
    fn until_reply(&mut self, client: &mut Client, id: &Value) -> Vec<Value> {
        let mut got = Vec::new();
        for _ in 0..2000 {
            while let Some(m) = client.next() {
                let done = m.get("id") == Some(id) && m.get("method").is_none();
                got.push(m);
                if done {
                    return got;
                }
            }
            if client.closed {
                break;
            }
            self.turn();
        }
        got
    }

    /// Runs for a while: everything that comes.
    fn drain(&mut self, client: &mut Client) -> Vec<Value> {
        let mut got = Vec::new();
        for _ in 0..10 {
            self.turn();
            while let Some(m) = client.next() {
                got.push(m);
            }
        }
        got
    }

    pub fn call(&mut self, client: &mut Client, method: &str, params: &str) -> Value {
        client.request(method, params);
        self.until_reply(client, &Value::Integer(1)).pop().unwrap_or_default()
    }

    pub fn result(&mut self, client: &mut Client, ops: &str) -> String {
        let reply = self.call(client, "transact", &format!("[\"t\",{ops}]"));
        reply.get("result").map(Value::to_string).unwrap_or_else(|| reply.to_string())
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

/// A message in which what is random looks the same and what has no order is in order.
fn normalize(v: &Value) -> Value {
    match v {
        Value::String(s) => Value::String(mask(s)),
        Value::Array(a) => Value::Array(a.iter().map(normalize).collect()),
        Value::Object(o) if o.keys().any(|k| mask(k) != k) => {
            let mut rows: Vec<Value> = o.iter().map(|(_, v)| normalize(v)).collect();
            rows.sort_by_key(Value::to_string);
            Value::Array(rows)
        }
        Value::Object(o) => {
            let member = |(k, v): (&str, &Value)| {
                let mut v = normalize(v);
                if let ("rows", Value::Array(rows)) = (k, &mut v) {
                    rows.sort_by_key(Value::to_string);
                }
                (k.to_owned(), v)
            };
            Value::Object(o.iter().map(member).collect())
        }
        _ => v.clone(),
    }
}

fn mask(s: &str) -> String {
    // Which of two rows is named first in a complaint is chance.
    let s = s.split("  First row").next().unwrap_or(s);
    let (mut out, mut rest) = (String::new(), s);
    while let Some(c) = rest.chars().next() {
        let digits = rest.strip_prefix('U').map_or(0, |r| r.bytes().take_while(u8::is_ascii_digit).count());
        if ovsdb::Uuid::prefix_of(rest).is_some() {
            out.push('U');
            rest = &rest[36..];
        } else if digits > 0 {
            out.push('U');
            rest = &rest[1 + digits..];
        } else {
            out.push(c);
            rest = &rest[c.len_utf8()..];
        }
    }
    out
}

/// In requests a masked UUID is any, but always the same.
fn unmask(s: &str) -> String {
    let mut out = String::new();
    let mut rest = s;
    while let Some(at) = rest.find("\"U") {
        let digits: String = rest[at + 2..].chars().take_while(char::is_ascii_digit).collect();
        out.push_str(&rest[..at]);
        rest = &rest[at + 2 + digits.len()..];
        match digits.parse::<u32>() {
            Ok(n) if rest.starts_with('"') => out.push_str(&format!("\"12345678-0000-0000-0000-{n:012}")),
            _ => out.push_str(&format!("\"U{digits}")),
        }
    }
    out + rest
}

#[test]
fn answers_as_the_reference() {
    let mut wrong = Vec::new();
    let mut sections = 0;
    for section in PROTOCOL.split("\n# m").skip(1) {
        sections += 1;
        let mut lab = Lab::with_db(&format!("protocol{sections}"), None);
        let mut client = lab.client();
        let mut lines = section.lines().skip(1).peekable();
        while let Some(request) = lines.next() {
            let Some((method, params)) = request.strip_prefix(">> ").and_then(|r| r.split_once(' ')) else {
                continue;
            };
            let mut expected = Vec::new();
            while let Some(l) = lines.next_if(|l| l.starts_with("<< {")) {
                expected.push(normalize(&json::parse(&l[3..]).expect("a message")).to_string());
            }
            client.request(method, &unmask(params));
            let got = lab.until_reply(&mut client, &Value::Integer(1));
            let mut got: Vec<String> = got.iter().map(|m| normalize(m).to_string()).collect();
            expected.sort();
            got.sort();
            if got != expected {
                wrong.push(format!("{request}\n  expected {expected:#?}\n  got {got:#?}"));
            }
        }
    }
    assert_eq!(sections, 2);
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn a_wait_ends_when_others_make_it_true() {
    let mut lab = Lab::with_db("wait", None);
    let (mut a, mut b) = (lab.client(), lab.client());
    a.send(
        r#"{"id":5,"method":"transact","params":["t",{"op":"wait","table":"lim","where":[],"columns":["x"],"until":"==","rows":[{"x":7}]}]}"#,
    );
    a.send(
        r#"{"id":6,"method":"transact","params":["t",{"op":"wait","table":"lim","where":[],"columns":["x"],"until":"==","rows":[{"x":8}]}]}"#,
    );
    for _ in 0..5 {
        lab.turn();
    }
    assert!(a.next().is_none());
    assert!(lab.result(&mut b, r#"{"op":"insert","table":"lim","row":{"x":7}}"#).contains("uuid"));
    let got = lab.until_reply(&mut a, &Value::Integer(5));
    assert_eq!(got.last().and_then(|m| m.get("result")).map(Value::to_string), Some("[{}]".into()));
    a.send(r#"{"id":null,"method":"cancel","params":[6]}"#);
    let got = lab.until_reply(&mut a, &Value::Integer(6));
    assert_eq!(got.last().and_then(|m| m.get("error")), Some(&Value::string("canceled")));
}

#[test]
fn locks_pass_on() {
    let mut lab = Lab::with_db("locks", None);
    let (mut a, mut b, mut c) = (lab.client(), lab.client(), lab.client());
    let locked = |v: &Value| v.get("result").and_then(|r| r.get("locked")).and_then(Value::as_bool);
    assert_eq!(locked(&lab.call(&mut a, "lock", "[\"l\"]")), Some(true));
    assert_eq!(locked(&lab.call(&mut b, "lock", "[\"l\"]")), Some(false));
    let assert = r#"{"op":"assert","lock":"l"}"#;
    assert_eq!(lab.result(&mut a, assert), "[{}]");
    assert!(lab.result(&mut b, assert).contains("not owner"));
    assert_eq!(locked(&lab.call(&mut c, "steal", "[\"l\"]")), Some(true));
    let told = lab.drain(&mut a);
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].get("method"), Some(&Value::string("stolen")));
    drop(c);
    // The thief gone, its victim has the lock again, and then the one that waited.
    let mut got = lab.drain(&mut a);
    assert_eq!(got.pop().and_then(|m| m.get("method").cloned()), Some(Value::string("locked")));
    assert_eq!(lab.call(&mut a, "unlock", "[\"l\"]").get("result").map(Value::to_string), Some("{}".into()));
    let mut got = lab.drain(&mut b);
    assert_eq!(got.pop().and_then(|m| m.get("method").cloned()), Some(Value::string("locked")));
}

/// A disk that fills up.
struct Fails(Arc<AtomicBool>);

impl Storage for Fails {
    fn append(&mut self, _: &[u8], _: bool) -> Result<(), Error> {
        if self.0.load(Ordering::Relaxed) {
            Err(Error::io("x.db: write failed (No space left on device)"))
        } else {
            Ok(())
        }
    }
    fn replace(&mut self, _: &[u8]) -> Result<(), Error> {
        Ok(())
    }
    fn begin_replacement(&self) -> Result<Box<dyn ovsdb::log::Replacement>, Error> {
        Err(Error::io("x.db.tmp: create failed (No space left on device)"))
    }
    fn len(&self) -> u64 {
        1
    }
}

#[test]
fn what_cannot_be_written_does_not_happen() {
    let full = Arc::new(AtomicBool::new(false));
    let mut lab = Lab::with_db("full", Some(Box::new(Fails(full.clone()))));
    let (mut a, mut watcher) = (lab.client(), lab.client());
    lab.call(&mut watcher, "monitor", r#"["t",null,{"lim":{"columns":["x"]}}]"#);
    lab.result(&mut a, r#"{"op":"insert","table":"lim","row":{"x":1}}"#);
    full.store(true, Ordering::Relaxed);
    let reply = lab.result(&mut a, r#"{"op":"update","table":"lim","where":[],"row":{"x":2}}"#);
    assert!(reply.contains("No space left on device"), "{reply}");
    full.store(false, Ordering::Relaxed);
    let rows = lab.result(&mut a, r#"{"op":"select","table":"lim","where":[],"columns":["x"]}"#);
    assert_eq!(rows, r#"[{"rows":[{"x":1}]}]"#);
    let updates = lab.drain(&mut watcher);
    assert_eq!(updates.len(), 1, "{updates:?}");
}

#[test]
fn many_monitors_see_every_change() {
    let mut lab = Lab::with_db("many", None);
    let mut watchers: Vec<Client> = (0..20).map(|_| lab.client()).collect();
    for (i, w) in watchers.iter_mut().enumerate() {
        let method = ["monitor", "monitor_cond"][i % 2];
        lab.call(w, method, r#"["t",null,{"idx":{"columns":["a"]}}]"#);
    }
    let mut writer = lab.client();
    for i in 0..50 {
        lab.result(&mut writer, &format!(r#"{{"op":"insert","table":"idx","row":{{"a":{i},"b":"{i}"}}}}"#));
    }
    for w in &mut watchers {
        let mut rows = 0;
        for m in lab.drain(w) {
            let updates = m.get("params").and_then(Value::as_array).map(|p| &p[p.len() - 1]);
            rows += updates.and_then(|u| u.get("idx")).and_then(Value::as_object).map_or(0, |o| o.len());
        }
        assert_eq!(rows, 50);
    }
}

#[test]
fn databases_come_and_go() {
    let mut lab = Lab::with_db("dbs", None);
    let (mut aware, mut unaware) = (lab.client(), lab.client());
    lab.call(&mut aware, "set_db_change_aware", "[true]");
    lab.call(&mut aware, "monitor", r#"["t",7,{"lim":{}}]"#);
    lab.call(&mut unaware, "list_dbs", "[]");
    assert!(lab.server.close(&mut lab.reactor, "t"));
    let got = lab.drain(&mut aware);
    assert_eq!(got.len(), 1);
    assert_eq!(got[0].get("method"), Some(&Value::string("monitor_canceled")));
    lab.drain(&mut unaware);
    assert!(unaware.closed && !aware.closed);
    let dbs = lab.call(&mut aware, "list_dbs", "[]");
    assert_eq!(dbs.get("result").map(Value::to_string), Some("[\"_Server\"]".into()));
}

/// Nonsense costs its sender the connection, and nobody else anything.
#[test]
fn hostile_input() {
    let mut lab = Lab::with_db("hostile", None);
    let mut good = lab.client();
    let mut seed = 5u64;
    let words = [
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"",
        "\"method\"",
        "\"id\"",
        "\"params\"",
        "\"transact\"",
        "\"t\"",
        "1",
        "null",
        "{\"id\":1,\"method\":\"transact\",\"params\":[\"t\",",
        "{\"op\":\"insert\",\"table\":\"lim\"",
        "\\",
        "é",
        "-",
        "\"monitor\"",
        "{\"id\":2,\"method\":\"monitor\",\"params\":[\"t\",1,{\"lim\":[{\"where\":[",
    ];
    for _ in 0..200 {
        let mut bad = lab.client();
        for _ in 0..12 {
            seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            let _ = bad.stream.write_all(words[(seed >> 33) as usize % words.len()].as_bytes());
        }
        lab.turn();
    }
    for request in [
        r#"{"id":1}"#,
        r#"[]"#,
        r#"{"id":1,"method":"transact","params":{}}"#,
        "x ",
        "{\"id\":3,\"result\":[]}",
    ] {
        let mut bad = lab.client();
        bad.send(request);
        lab.drain(&mut bad);
        assert!(bad.closed, "{request}");
    }
    assert!(lab.call(&mut good, "list_dbs", "[]").get("result").is_some());
}

#[test]
fn the_built_in_schema_is_good() {
    assert_eq!(crate::system::database().schema().tables.len(), 1);
}
