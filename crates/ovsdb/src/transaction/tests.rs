use super::*;
use crate::json;
use crate::schema::Schema;
use std::sync::Arc;

/// Requests and the reference server's replies (3.5.0), in order, on one database with the schema beside it.
/// One reply differs on purpose: a weak reference from a row that the same transaction changes to a row that
/// garbage collection deletes goes away here (the reference leaves it dangling).
const RECORDED: &str = include_str!("../../testdata/transact.txt");
const SCHEMA: &str = include_str!("../../testdata/t.ovsschema");

struct Lab {
    db: Database,
    uuids: UuidSource,
}

impl Lab {
    fn new(schema: &str) -> Lab {
        let schema = Arc::new(Schema::parse(schema).expect("schema"));
        Lab { db: Database::new(schema), uuids: UuidSource::from_u64(1) }
    }

    fn run(&mut self, request: &str) -> Vec<Value> {
        let request = json::parse(request).expect("request");
        let mut elapsed = Duration::ZERO;
        loop {
            let mut context = Context {
                read_only: false,
                may_wait: true,
                elapsed,
                owns_lock: &|_| false,
                access: None,
                uuids: &mut self.uuids,
            };
            match execute(&self.db, &request.as_array().expect("array")[1..], &mut context) {
                Outcome::Blocked(timeout) => elapsed += timeout.expect("the tests do not wait forever"),
                Outcome::Done(done) => {
                    self.db.apply(&done.changes);
                    return done.results;
                }
            }
        }
    }
}

/// A reply in which what is random looks the same, and rows are in order.
fn normalize(v: &Value) -> Value {
    match v {
        Value::String(s) => Value::String(mask(s)),
        Value::Array(a) => Value::Array(a.iter().map(normalize).collect()),
        Value::Object(o) => Value::Object(
            o.iter()
                .map(|(k, v)| {
                    let mut v = normalize(v);
                    if k == "rows"
                        && let Value::Array(rows) = &mut v
                    {
                        rows.sort_by_key(Value::to_string);
                    }
                    (k, v)
                })
                .collect(),
        ),
        _ => v.clone(),
    }
}

fn mask(s: &str) -> String {
    // Which of two rows is named first in a complaint is chance.
    let s = s.split("  First row").next().unwrap_or(s);
    let mut out = String::new();
    let mut rest = s;
    while let Some(c) = rest.chars().next() {
        let number = rest.strip_prefix('U').map(|r| r.bytes().take_while(u8::is_ascii_digit).count());
        if Uuid::prefix_of(rest).is_some_and(|u| !rest.starts_with("0000") || u.is_zero()) {
            let zero = rest.starts_with("0000");
            out.push_str(if zero { "0" } else { "U" });
            rest = &rest[crate::uuid::TEXT_LEN..];
        } else if let Some(n @ 1..) = number {
            out.push('U');
            rest = &rest[1 + n..];
        } else {
            out.push(c);
            rest = &rest[c.len_utf8()..];
        }
    }
    out
}

#[test]
fn replies_as_the_reference() {
    let mut lab = Lab::new(SCHEMA);
    let mut lines = RECORDED.lines();
    let mut wrong = Vec::new();
    while let (Some(request), Some(reply)) = (lines.next(), lines.next()) {
        let request = request.strip_prefix("> ").expect("request");
        let reply = json::parse(reply.strip_prefix("< ").expect("reply")).expect("reply");
        let Some(expected) = reply.get("result").filter(|_| request.starts_with("[\"t\"")) else { continue };
        let got = normalize(&Value::Array(lab.run(request)));
        let expected = normalize(expected);
        if got != expected {
            wrong.push(format!("{request}\n  expected {expected}\n  got      {got}"));
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}

/// Recorded of Open vSwitch 3.5.0's server: a time-out is an integer, and the least integer modulo -1 is out of range.
#[test]
fn numbers_at_the_edge() {
    const SCHEMA: &str =
        r#"{"name":"d","version":"1.0.0","tables":{"T":{"columns":{"n":{"type":"integer"}}}}}"#;
    let mut lab = Lab::new(SCHEMA);
    let mut run = |operations: &str| Value::Array(lab.run(&format!("[\"d\",{operations}]"))).to_string();
    for timeout in ["1.5", "99999999999999999999"] {
        let wait = format!(
            r#"{{"op":"wait","table":"T","where":[],"columns":["n"],"until":"!=","rows":[],"timeout":{timeout}}}"#
        );
        let got = run(&wait);
        assert!(got.contains("Type mismatch for member 'timeout'."), "{got}");
    }
    let got = run(r#"{"op":"insert","table":"T","row":{"n":-9223372036854775808}},
        {"op":"mutate","table":"T","where":[],"mutations":[["n","%=",-1]]}"#);
    assert!(got.contains(r#"Result of \"%=\" operation is out of range."#), "{got}");
}
