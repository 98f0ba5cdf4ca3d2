//! Clients that mean no good, and files that were damaged.

use super::tests::{Client, Lab};
use ovsdb::json;
use std::io::Write;

#[test]
fn a_client_that_does_not_read_is_not_read_from() {
    let mut lab = Lab::with_db("unread", None);
    let mut writer = lab.client();
    let long = "x".repeat(20_000);
    for _ in 0..4 {
        lab.result(&mut writer, &format!(r#"{{"op":"insert","table":"idx","row":{{"b":"{long}"}}}}"#));
    }
    let mut greedy: Client = lab.client();
    let request =
        r#"{"id":7,"method":"transact","params":["t",{"op":"select","table":"idx","where":[]}]}"#.repeat(20);
    let mut sent = 0;
    for _ in 0..200 {
        match greedy.stream.write(request.as_bytes()) {
            Ok(n) => sent += n,
            Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(e) => panic!("{e}"),
        }
        lab.turn();
        let backlog = lab.server.memory().get("backlog").copied().unwrap_or(0);
        assert!(backlog < 8 << 20, "{backlog} bytes wait");
    }
    // Whoever reads in the end gets everything.
    let whole = sent / (request.len() / 20);
    let mut got = 0;
    for _ in 0..20_000 {
        while let Some(m) = greedy.next() {
            assert!(m.get("result").is_some());
            got += 1;
        }
        if got >= whole {
            break;
        }
        lab.turn();
    }
    assert_eq!(got, whole);
}

const SCHEMA: &str = r#"{"name":"f","tables":{"T":{"columns":{"n":{"type":"integer"}},"isRoot":true}}}"#;

/// A file with so many transactions, and where each of them ends.
fn file(n: i64) -> (Vec<u8>, Vec<usize>) {
    let mut bytes = ovsdb::log::encode(&json::parse(SCHEMA).expect("JSON").to_string());
    let mut ends = vec![bytes.len()];
    for i in 1..=n {
        let record = format!(r#"{{"T":{{"00000000-0000-4000-8000-{i:012}":{{"n":{i}}}}},"_date":{i}}}"#);
        ovsdb::log::encode_to(&mut bytes, &record);
        ends.push(bytes.len());
    }
    (bytes, ends)
}

/// Opens a file, adds a row, opens it again: the numbers that are there.
fn open_and_add(name: &str, bytes: &[u8]) -> (Vec<i64>, bool) {
    let mut lab = Lab::new(name);
    let path = lab.dir.join("f.db");
    std::fs::write(&path, bytes).expect("a file");
    let path = path.display().to_string();
    lab.server.open(&mut lab.reactor, &path).expect("it opens");
    lab.turn();
    let mut c = lab.client();
    let added = lab.call(&mut c, "transact", r#"["f",{"op":"insert","table":"T","row":{"n":99}}]"#);
    assert!(added.get("result").is_some(), "{added}");
    assert!(lab.server.close(&mut lab.reactor, "f"));
    lab.server.open(&mut lab.reactor, &path).expect("it opens again");
    lab.turn();
    let db = lab.server.database("f").expect("it is there");
    let mut all: Vec<i64> = db.table(0).rows().filter_map(|r| r[2].as_integer()).collect();
    all.sort_unstable();
    let copy = lab.dir.join("f.db.damaged");
    let kept = std::fs::read(&copy).is_ok_and(|c| c == bytes);
    let _ = std::fs::remove_file(copy);
    (all, kept)
}

#[test]
fn what_comes_before_damage_is_there() {
    let (bytes, ends) = file(3);
    let expected = |whole: usize| (1..whole as i64).chain([99]).collect::<Vec<i64>>();
    for cut in (ends[0]..=bytes.len()).step_by(13) {
        let whole = ends.iter().filter(|e| **e <= cut).count();
        assert_eq!(open_and_add("cut", &bytes[..cut]).0, expected(whole), "cut at {cut}");
    }
    for at in (ends[0]..bytes.len()).step_by(17) {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1;
        let whole = ends.iter().filter(|e| **e <= at).count();
        let (rows, kept) = open_and_add("flip", &flipped);
        // A flip in the length may make the record reach beyond the end, as if cut.
        assert_eq!(rows, expected(whole), "flipped at {at}");
        assert!(kept || at < ends[whole - 1] + 30, "the damaged file was kept, flipped at {at}");
    }
}
