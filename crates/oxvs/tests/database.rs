//! The database server as a process, when all does not go well: it is killed while clients write, its disk is full,
//! clients are hostile; and when what went on was recorded and is played back.

use std::io::{Read, Write};
use std::os::unix::fs::MetadataExt;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use testkit::{Database, wait_for};

const OXVS: &str = env!("CARGO_BIN_EXE_oxvs");
const PAIRS: &str = r#"{"name":"k","version":"1.0.0","tables":{"pair":{"columns":{"n":{"type":"integer"},"half":{"type":"integer"}},"isRoot":true}}}"#;
const TEXTS: &str =
    r#"{"name":"k","version":"1.0.0","tables":{"t":{"columns":{"s":{"type":"string"}},"isRoot":true}}}"#;

fn numbers(reply: &str) -> Vec<i64> {
    let number = |r: &str| r.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok();
    let mut all: Vec<i64> = reply.split("\"n\":").skip(1).filter_map(number).collect();
    all.sort_unstable();
    all
}

/// What was acknowledged is there afterwards, in one piece, and nothing is there in halves. So often as
/// `OXVS_TEST_KILLS` says.
#[test]
fn killed_while_writing() {
    let rounds = std::env::var("OXVS_TEST_KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(24);
    let mut db = Database::create(OXVS, "k", PAIRS);
    let (mut acknowledged, mut next) = (0, 0);
    for round in 0..rounds {
        db.start(&[]);
        let mut client = db.connect();
        let select = r#"{"op":"select","table":"pair","where":[],"columns":["n","half"]}"#;
        let found = numbers(&client.transact(select).expect("an answer"));
        assert!(found.chunks(2).all(|p| p.len() == 2 && p[0] == p[1]), "round {round}: {found:?}");
        let pairs: Vec<i64> = found.iter().step_by(2).copied().collect();
        assert!(pairs.len() as i64 >= acknowledged, "round {round}: {} of {acknowledged}", pairs.len());
        assert_eq!(pairs, (0..pairs.len() as i64).collect::<Vec<_>>());
        acknowledged = pairs.len() as i64;

        let pid = db.pid().to_string();
        let stop = AtomicBool::new(false);
        std::thread::scope(|s| {
            s.spawn(|| {
                // Compactions, so that kills meet those as well.
                let ctl = db.path("ctl").display().to_string();
                while !stop.load(Ordering::Relaxed) && round % 3 == 0 {
                    db.run(&["ovs-appctl", "-t", &ctl, "ovsdb-server/compact"]);
                }
            });
            s.spawn(|| {
                let after = Duration::from_millis(5 + 7 * (round % 13));
                let _ = db.command(&["ovs-appctl", "-t", "nobody", "-T", "1", "version"]).output();
                sys::process::sleep(after);
                Command::new("kill").args(["-9", &pid]).status()
            });
            next = acknowledged;
            loop {
                let half = |h| format!(r#"{{"op":"insert","table":"pair","row":{{"n":{next},"half":{h}}}}}"#);
                if client.transact(&format!("{},{}", half(1), half(2))).is_none() {
                    break;
                }
                acknowledged += 1;
                next += 1;
            }
            stop.store(true, Ordering::Relaxed);
        });
        db.kill();
    }
    assert!(next > 20, "only {next} written");
}

/// The client is told, what was there stays, and when there is room again all goes on.
#[test]
fn a_full_disk() {
    if !testkit::can_make_hosts() {
        return;
    }
    let mut db = Database::create(OXVS, "k", TEXTS);
    std::fs::create_dir(db.path("small")).expect("a directory");
    let script = "mount -t tmpfs -o size=300k tmpfs small && cp k.db small/ && head -c 100000 /dev/zero > small/filler && \
         exec \"$0\" ovsdb-server --remote=punix:s --unixctl=ctl -vconsole:off --log-file=log small/k.db";
    let mut c = Command::new("unshare");
    c.args(["--mount", "sh", "-c", script, OXVS]);
    db.start_command(c);
    let mut client = db.connect();
    let insert = |text: &str| format!(r#"{{"op":"insert","table":"t","row":{{"s":"{text}"}}}}"#);
    let written = (0..1000)
        .take_while(|n| {
            let reply = client.transact(&insert(&format!("{n:4000}"))).expect("the server lives");
            let refused = reply.contains("No space left on device");
            assert_eq!(refused, reply.contains(r#""error":"I/O error""#), "{reply}");
            !refused
        })
        .count();
    assert!((10..100).contains(&written), "{written}");
    let select = r#"{"op":"select","table":"t","where":[],"columns":["s"]}"#;
    let rows = |reply: String| reply.matches(r#"{"s":""#).count();
    assert_eq!(rows(client.transact(select).expect("an answer")), written);
    // Somebody makes room; the file is as it should be.
    let pid = db.pid().to_string();
    let enter = |words: &[&str]| {
        let mut c = Command::new("nsenter");
        c.args(["--mount", "-t", &pid]).args(words);
        c.output().expect("nsenter").stdout
    };
    let small = |file: &str| db.path("small").join(file).display().to_string();
    enter(&["rm", &small("filler")]);
    let reply = client.transact(&insert("short")).expect("an answer");
    assert!(!reply.contains("error\":\""), "{reply}");
    let query = format!(r#"["k",{select}]"#);
    let file = enter(&[OXVS, "ovsdb-tool", "query", &small("k.db"), &query]);
    assert_eq!(rows(String::from_utf8_lossy(&file).into_owned()), written + 1);
}

/// What hostile clients send costs them their connection, and nobody else anything.
#[test]
fn hostile_streams() {
    let mut db = Database::create(OXVS, "k", TEXTS);
    db.start(&[]);
    let mut client = db.connect();
    let ends = |sent: &[u8]| {
        let mut c = db.connect();
        // It may have been closed before all was sent.
        let _ = c.stream.write_all(sent);
        let mut answer = Vec::new();
        let _ = c.stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    };
    let deep = format!(r#"{{"id":1,"method":"echo","params":{}"#, "[".repeat(1_000_000));
    assert_eq!(ends(deep.as_bytes()), "");
    assert_eq!(ends(&[0; 1000]), "");
    assert!(db.log().contains("input exceeds maximum nesting depth 1000"), "{}", db.log());

    // As deep as is allowed is answered; a string of 100 MB is not taken.
    let mut c = db.connect();
    let nested = format!(r#"{{"id":1,"method":"echo","params":{}{}}}"#, "[".repeat(998), "]".repeat(998));
    c.stream.write_all(nested.as_bytes()).expect("taken");
    let mut answer = vec![0; 998];
    c.stream.read_exact(&mut answer).expect("an answer");
    let long = [&br#"{"id":1,"method":"echo","params":[""#[..], &vec![b'x'; 100 << 20], b"\"]}"].concat();
    assert_eq!(ends(&long), "");
    assert!(db.log().contains("string is longer than"), "{}", db.log());

    // One that asks and never reads is not listened to any longer.
    let text = "y".repeat(100_000);
    client.transact(&format!(r#"{{"op":"insert","table":"t","row":{{"s":"{text}"}}}}"#)).expect("an answer");
    let c = db.connect();
    let select = r#"{"id":2,"method":"transact","params":["k",{"op":"select","table":"t","where":[]}]}"#;
    c.stream.set_write_timeout(Some(Duration::from_millis(500))).expect("a timeout");
    let flood = select.repeat(100);
    let mut sent = 0;
    while sent < 100 << 20 && (&c.stream).write_all(flood.as_bytes()).is_ok() {
        sent += flood.len();
    }
    assert!(sent < 10 << 20, "{sent} bytes were taken");
    let reply = client.transact(r#"{"op":"comment","comment":"still there"}"#).expect("an answer");
    assert!(reply.contains("[{}]"), "{reply}");
    assert!(db.peak_kib() < 400 << 10, "{} KiB", db.peak_kib());
}

/// The options of a program with this key, certificate and CA.
fn keys(key: &str, certificate: &str, ca: &str) -> Vec<String> {
    let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/../reactor/src/tls/testdata/");
    let options = [("private-key", key), ("certificate", certificate), ("ca-cert", ca)];
    options.map(|(name, file)| format!("--{name}={dir}{file}")).to_vec()
}

/// The remote at which a server listens for TLS.
fn tls_remote(db: &Database) -> String {
    let log = db.log();
    let port = log.split("listening on port ").nth(1).and_then(|r| r.lines().next()).expect("a port");
    format!("ssl:127.0.0.1:{port}")
}

/// Whether a client with these options gets an answer, and what it says if not.
fn asks(db: &Database, options: &[String]) -> (bool, String) {
    let remote = tls_remote(db);
    let mut args = vec!["ovsdb-client", "--timeout=10"];
    args.extend(options.iter().map(String::as_str));
    args.extend(["list-dbs", &remote]);
    let out = db.run(&args);
    (out.status.success(), String::from_utf8_lossy(&out.stderr).into_owned())
}

/// Strangers, and those who want less than what is safe, are refused with a reason.
#[test]
fn tls_refusals() {
    let mut db = Database::create(OXVS, "k", TEXTS);
    let ours = keys("server.key", "server.pem", "ca.pem");
    let mut all: Vec<&str> = ours.iter().map(String::as_str).collect();
    all.extend(["--remote=pssl:0:127.0.0.1", "--ssl-protocols=TLSv1.3"]);
    db.start(&all);
    assert_eq!(asks(&db, &keys("client.key", "client.pem", "ca.pem")), (true, String::new()));
    for (certificate, ca, more, why) in [
        ("client.pem", "other.pem", "", "alert unknown ca"),
        ("client-other.pem", "ca.pem", "", "unable to get local issuer certificate"),
        ("client-expired.pem", "ca.pem", "", "certificate has expired"),
        ("client.pem", "ca.pem", "--ssl-protocols=TLSv1.2", "unsupported protocol"),
    ] {
        let before = db.log().len();
        let mut options = keys("client.key", certificate, ca);
        options.extend(Some(more.to_owned()).filter(|m| !m.is_empty()));
        let (good, said) = asks(&db, &options);
        assert!(!good && said.contains("(Protocol error)"), "{said}");
        wait_for("a reason in the log", || db.log()[before..].contains(why).then_some(()));
    }
}

/// Keys whose files a database names are those that it names at the moment.
#[test]
fn keys_named_by_the_database() {
    let schema = r#"{"name":"k","version":"1.0.0","tables":{"ssl":{"columns":{"key":{"type":"string"},
        "cert":{"type":"string"},"ca":{"type":"string"},"n":{"type":"integer"}},"isRoot":true}}}"#;
    let mut db = Database::create(OXVS, "k", schema);
    let refused =
        db.run(&["ovsdb-server", "--no-dbs", "--remote=punix:s", "--private-key=db:k,ssl,n", "k.db"]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        said.contains(r#""db:k,ssl,n": table "ssl" column "n" is not string or set of strings"#),
        "{said}"
    );
    db.start(&[
        "--remote=pssl:0:127.0.0.1",
        "--private-key=db:k,ssl,key",
        "--certificate=db:k,ssl,cert",
        "--ca-cert=db:k,ssl,ca",
    ]);
    let client = keys("client.key", "client.pem", "ca.pem");
    assert!(!asks(&db, &client).0, "there are no keys yet");
    let mut c = db.connect();
    let row = |ca: &str| {
        let files = keys("server.key", "server.pem", ca);
        let file = |i: usize| files[i].split_once('=').expect("a file").1;
        format!(r#""row":{{"key":"{}","cert":"{}","ca":"{}"}}"#, file(0), file(1), file(2))
    };
    c.transact(&format!(r#"{{"op":"insert","table":"ssl",{}}}"#, row("ca.pem"))).expect("an answer");
    assert_eq!(asks(&db, &client), (true, String::new()));
    c.transact(&format!(r#"{{"op":"update","table":"ssl","where":[],{}}}"#, row("other.pem")))
        .expect("an answer");
    assert!(!asks(&db, &client).0, "another CA");
    c.transact(&format!(r#"{{"op":"update","table":"ssl","where":[],{}}}"#, row("absent")))
        .expect("an answer");
    assert!(!asks(&db, &client).0, "what is not there changes nothing");
    c.transact(&format!(r#"{{"op":"update","table":"ssl","where":[],{}}}"#, row("ca.pem")))
        .expect("an answer");
    assert!(asks(&db, &client).0);
}

/// Played back, all that was recorded happens again, to the byte.
#[test]
fn recorded_and_replayed() {
    let mut db = Database::create(OXVS, "k", PAIRS);
    std::fs::copy(db.path("k.db"), db.path("before")).expect("a copy");
    std::fs::create_dir(db.path("tape")).expect("a directory");
    let remotes = ["--remote=ptcp:0:127.0.0.1", "--remote=unix:nobody"];
    db.start(&[&["--record=tape"], &remotes[..]].concat());
    let mut client = db.connect();
    for n in 0..50 {
        let insert = format!(r#"{{"op":"insert","table":"pair","row":{{"n":{n}}}}}"#);
        client.transact(&insert).expect("an answer");
    }
    db.ok(&["ovsdb-client", "dump", "unix:s", "k"]);
    db.exit();
    let after = std::fs::read(db.path("k.db")).expect("a file");
    assert!(std::fs::metadata(db.path("tape/replay_turns")).is_ok_and(|m| m.size() > 100));

    std::fs::rename(db.path("before"), db.path("k.db")).expect("put back");
    let args = ["ovsdb-server", "--replay=tape", "--remote=punix:s", "--unixctl=ctl", "-vconsole:off"];
    db.ok(&[&args, &remotes[..], &["k.db"]].concat());
    assert!(std::fs::read(db.path("k.db")).expect("a file") == after);
    // A tape that breaks off ends the program as well; one that is not there is an error.
    let turns = std::fs::read(db.path("tape/replay_turns")).expect("a file");
    std::fs::write(db.path("tape/replay_turns"), &turns[..turns.len() / 2]).expect("cut");
    db.ok(&[&args, &remotes[..], &["k.db"]].concat());
    let out = db.run(&["ovsdb-server", "--replay=nowhere", "--no-dbs", "-vconsole:off"]);
    assert_eq!(out.status.code(), Some(1));
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    assert_eq!(said, "ovsdb-server: failed to open uuid replay file: No such file or directory.\n");
    wait_for("nothing is left behind", || (!db.path("s").exists()).then_some(()));
}

/// A client that comes back is told everything, unless the server keeps a history.
#[test]
fn history_only_if_asked_for() {
    for (options, found) in [(&[][..], false), (&["--history"], true)] {
        let mut db = Database::create(OXVS, "k", PAIRS);
        db.start(options);
        let insert = |n| format!(r#"{{"op":"insert","table":"pair","row":{{"n":{n}}}}}"#);
        db.connect().transact(&insert(1)).expect("an answer");
        let since = |last: &str| {
            let mut c = db.connect();
            let request = format!(
                r#"{{"id":1,"method":"monitor_cond_since","params":["k","m",{{"pair":{{"columns":["n"]}}}},"{last}"]}}"#
            );
            c.stream.write_all(request.as_bytes()).expect("taken");
            let (mut answer, mut buf) = (String::new(), [0; 4096]);
            while !answer.ends_with(r#""error":null}"#) {
                let n = c.stream.read(&mut buf).expect("an answer");
                answer.push_str(std::str::from_utf8(&buf[..n]).expect("text"));
            }
            answer
        };
        let zero = "00000000-0000-0000-0000-000000000000";
        let first = since(zero);
        let last = first.split('"').find(|s| s.len() == 36).expect("a transaction");
        assert_eq!(last != zero, found, "{first}");
        db.connect().transact(&insert(2)).expect("an answer");
        let second = since(last);
        let count = |what: &str| second.matches(what).count();
        let expected = if found { ("[true,", 1, 0) } else { ("[false,", 0, 2) };
        assert_eq!(
            (count(expected.0), count("insert"), count("initial")),
            (1, expected.1, expected.2),
            "{second}"
        );
    }
}
