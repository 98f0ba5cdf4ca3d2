use super::*;
use crate::transaction::{self, Context, Outcome};
use std::sync::Arc;
use std::time::Duration;

const SCHEMA: &str = include_str!("../../testdata/t.ovsschema");

/// Runs operations, and appends what they change to a file.
fn transact(db: &mut Database, uuids: &mut UuidSource, file: &mut Vec<u8>, ops: &str) {
    let ops = json::parse(ops).expect("json");
    let mut context = Context {
        read_only: false,
        may_wait: false,
        elapsed: Duration::ZERO,
        owns_lock: &|_| false,
        access: None,
        uuids,
    };
    let ops = ops.as_array().expect("array");
    let Outcome::Done(done) = transaction::execute(db, ops, &mut context) else { panic!("blocked") };
    assert!(!done.failed, "{:?}", done.results);
    let options = RecordOptions { date: 1, comment: &done.comment, diff: true };
    if let Some(text) = record(db.schema(), &done.changes, options) {
        encode_to(file, &text);
    }
    db.apply(&done.changes);
}

/// What a database holds, as text, whatever the order and the versions of rows.
fn dump(db: &Database) -> String {
    let mut lines = Vec::new();
    for (t, ts) in db.schema().tables.iter().enumerate() {
        for row in db.table(t).rows() {
            let columns = ts.own_columns().filter(|c| c.1.persistent).map(|c| c.0);
            lines.push(format!("{} {} {}", ts.name, row.uuid(), Value::Object(row.to_json(ts, columns))));
        }
    }
    lines.sort();
    lines.join("\n")
}

/// Reads a file as a server does: everything before the damage counts.
fn read(bytes: &[u8]) -> (Option<Database>, Option<Error>) {
    let mut reader = Reader::new("x.db");
    let mut uuids = UuidSource::from_u64(3);
    let mut db: Option<Database> = None;
    let mut chunks = bytes.chunks(97);
    loop {
        match reader.next_record() {
            Step::Record(r) => match &mut db {
                None => match database_of(&r) {
                    Ok(new) => db = Some(new),
                    Err(e) => return (None, Some(e)),
                },
                Some(db) => match changes_of(db, &r, false, &mut uuids) {
                    Ok(changes) => db.apply(&changes),
                    Err(e) => return (Some(Database::new(db.schema().clone())), Some(e)),
                },
            },
            Step::More => match chunks.next() {
                Some(c) => reader.feed(c),
                None => reader.end(),
            },
            Step::End => return (db, None),
            Step::Damaged(e) => return (db, Some(e)),
        }
    }
}

/// A file with some history, the end of each record in it, and what the database held there.
fn sample() -> (Vec<u8>, Vec<(usize, String)>) {
    let schema = Arc::new(Schema::parse(SCHEMA).expect("schema"));
    let mut db = Database::new(schema.clone());
    let mut uuids = UuidSource::from_u64(2);
    let mut file = encode(&schema.to_json().to_string());
    let mut states = vec![(file.len(), dump(&db))];
    for ops in [
        r#"[{"op":"insert","table":"typ","row":{"eint":1,"sset":["set",["a","b"]],"mss":["map",[["k","v"]]],"eph":3}}]"#,
        r#"[{"op":"mutate","table":"typ","where":[],"mutations":[["sset","insert",["set",["c","é\n\""]]],["i","+=",4]]},{"op":"comment","comment":"two\nlines"}]"#,
        r#"[{"op":"update","table":"typ","where":[],"row":{"sset":["set",["b"]],"mss":["map",[["k","w"],["l","x"]]],"es":"a","r":0.1}}]"#,
        r#"[{"op":"update","table":"typ","where":[],"row":{"eph":9}}]"#,
        r#"[{"op":"insert","table":"root","uuid-name":"r","row":{"name":"n","w1":["named-uuid","r"],"kid":["named-uuid","k"]}},{"op":"insert","table":"kid","uuid-name":"k","row":{"n":1}}]"#,
        r#"[{"op":"update","table":"typ","where":[],"row":{"es":["set",[]],"sset":["set",[]],"mss":["map",[]]}}]"#,
        r#"[{"op":"insert","table":"idx","row":{"a":1}},{"op":"delete","table":"root","where":[]}]"#,
    ] {
        transact(&mut db, &mut uuids, &mut file, ops);
        states.push((file.len(), dump(&db)));
    }
    (file, states)
}

/// Cut at any byte, a file opens with everything that was written whole before the cut.
#[test]
fn cut_at_every_byte() {
    let (file, states) = sample();
    for cut in 0..=file.len() {
        let (db, damage) = read(&file[..cut]);
        let whole = states.iter().rev().find(|s| s.0 <= cut);
        match (db, whole) {
            (Some(db), Some((end, state))) => {
                assert_eq!(&dump(&db), state, "cut at {cut}");
                assert_eq!(damage.is_none(), *end == cut, "cut at {cut}");
            }
            (None, None) => assert_eq!(damage.is_none(), cut == 0, "cut at {cut}"),
            other => panic!("cut at {cut}: {other:?}"),
        }
    }
}

/// A bit that flips is noticed, and what is before the record that it is in counts.
#[test]
fn flipped_bits() {
    let (file, states) = sample();
    for at in (0..file.len()).step_by(5) {
        let mut damaged = file.clone();
        damaged[at] ^= 1 << (at % 8);
        let (db, damage) = read(&damaged);
        let whole = states.iter().rev().find(|s| s.0 <= at);
        // In the hash, upper and lower case are the same.
        let same_case = damaged[at].eq_ignore_ascii_case(&file[at]);
        assert!(damage.is_some() || same_case, "bit at {at}");
        if let (Some(db), Some((_, state)), false) = (db, whole, same_case) {
            assert_eq!(&dump(&db), state, "bit at {at}");
        }
    }
}

#[test]
fn compaction_keeps_everything() {
    let (file, states) = sample();
    let (db, _) = read(&file);
    let db = db.expect("database");
    let compacted = snapshot(&db, RecordOptions { date: 5, comment: "compacted", diff: false });
    let (again, damage) = read(&compacted);
    assert_eq!(damage, None);
    assert_eq!(&dump(&again.expect("database")), &states.last().expect("states").1);
    assert_eq!(compacted.iter().filter(|b| **b == b'\n').count(), 4);
    assert_eq!(kind_of(&compacted), FileKind::Standalone);
}

/// Damage behind a whole file, and what the reference's tool says of it.
#[test]
fn complaints_as_the_reference() {
    let file = encode(r#"{"name":"d","tables":{"host":{"columns":{"name":{"type":"string"}}}}}"#);
    let n = file.len();
    let u = "12345678-1234-1234-1234-1234567890ab";
    let zeros = "0".repeat(40);
    let with = |text: &str| encode(text);
    for (tail, want) in [
        (
            b"OVSDB JSON 999 0123".to_vec(),
            format!("syntax error: x.db: parse error at offset {n} in header line \"OVSDB JSON\""),
        ),
        (
            b"garbage\n".to_vec(),
            format!("syntax error: x.db: parse error at offset {n} in header line \"garbage\""),
        ),
        (b"\n".to_vec(), format!("syntax error: x.db: parse error at offset {n} in header line \"\"")),
        (
            format!("OVSDB CLUSTER 12 {zeros}\n").into_bytes(),
            format!("syntax error: x.db: parse error at offset {n} in header line \"OVSDB CLUSTER\""),
        ),
        (
            format!("OVSDB JSON 5 {zeros}\n").into_bytes(),
            format!("I/O error: x.db: error reading 5 bytes starting at offset {} (End of file)", n + 54),
        ),
        (
            format!("OVSDB JSON 5 {zeros}\n{{ }}  \n").into_bytes(),
            format!(
                "syntax error: x.db: 5 bytes starting at offset {} have SHA-1 hash \
                 9a5cf00ebe594b1f8404dcd9af768ae3383c6502 but should have hash {zeros}",
                n + 54
            ),
        ),
        (
            with("{x"),
            format!(
                "syntax error: x.db: 3 bytes starting at offset {} are not valid JSON (line 0, column 2, byte 2: \
                 invalid keyword 'x')",
                n + 54
            ),
        ),
        (
            with("[]"),
            format!("syntax error: x.db: 3 bytes starting at offset {} are not a JSON object", n + 54),
        ),
        (with(r#"{"nosuch":{}}"#), r#"syntax "{"nosuch":{}}": unknown table: No table named nosuch."#.into()),
        (with(r#"{"host":1}"#), "syntax \"1\": syntax error: object expected".into()),
        (with(r#"{"host":{"x":{}}}"#), r#"syntax "{"x":{}}": syntax error: "x" is not a valid UUID"#.into()),
        (
            with(&format!(r#"{{"host":{{"{u}":1}}}}"#)),
            "syntax \"1\": syntax error: row must be JSON object".into(),
        ),
        (
            with(&format!(r#"{{"host":{{"{u}":null}}}}"#)),
            format!("syntax error: transaction deletes row {u} that does not exist"),
        ),
        (
            with(&format!(r#"{{"host":{{"{u}":{{"name":1}}}}}}"#)),
            "syntax \"1\": syntax error: expected string".into(),
        ),
        (
            with(&format!(r#"{{"host":{{"{u}":{{"zz":1}}}}}}"#)),
            r#"syntax "{"zz":1}": unknown column: No column zz in table host."#.into(),
        ),
        (with(r#"{"_date":"x"}"#), r#"syntax "{"_date":"x"}": unknown table: No table named _date."#.into()),
    ] {
        let mut bytes = file.clone();
        bytes.extend_from_slice(&tail);
        let (_, damage) = read(&bytes);
        assert_eq!(damage.map(|e| e.to_string()), Some(want), "{:?}", String::from_utf8_lossy(&tail));
    }
}
