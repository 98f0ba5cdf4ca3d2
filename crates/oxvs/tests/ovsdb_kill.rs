//! A database server that is killed while clients write: what it has acknowledged is there afterwards, in one
//! piece, and nothing is there in halves.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const OXVS: &str = env!("CARGO_BIN_EXE_oxvs");
const SCHEMA: &str = r#"{"name":"k","version":"1.0.0","tables":{"pair":{"columns":{"n":{"type":"integer"},"half":{"type":"integer"}},"isRoot":true}}}"#;

struct Dir(PathBuf);

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn oxvs(dir: &Path, args: &[&str]) -> Command {
    let mut c = Command::new(OXVS);
    c.args(args).current_dir(dir).stdin(Stdio::null()).stderr(Stdio::null());
    for name in ["OVS_RUNDIR", "OVS_LOGDIR", "OVS_DBDIR"] {
        c.env(name, dir);
    }
    c
}

fn start(dir: &Path) -> (Server, UnixStream) {
    let args = ["ovsdb-server", "--remote=punix:s", "--unixctl=none", "k.db"];
    let server = Server(oxvs(dir, &args).stdout(Stdio::null()).spawn().expect("a server"));
    for _ in 0..500 {
        if let Ok(s) = UnixStream::connect(dir.join("s")) {
            return (server, s);
        }
        pause(10);
    }
    panic!("the server does not answer");
}

/// Waits for another process to get on.
fn pause(ms: u64) {
    let (a, _b) = UnixStream::pair().expect("a pair");
    a.set_read_timeout(Some(Duration::from_millis(ms))).expect("a timeout");
    let _ = (&a).read(&mut [0]);
}

/// Sends one request and reads its reply: true if it was acknowledged.
fn transact(s: &mut UnixStream, ops: &str) -> Option<String> {
    let request = format!("{{\"id\":1,\"method\":\"transact\",\"params\":[\"k\",{ops}]}}");
    s.write_all(request.as_bytes()).ok()?;
    let (mut text, mut buf) = (String::new(), [0; 4096]);
    loop {
        let n = s.read(&mut buf).ok().filter(|n| *n > 0)?;
        text.push_str(std::str::from_utf8(&buf[..n]).ok()?);
        if text.ends_with("\"error\":null}") {
            return Some(text);
        }
    }
}

fn numbers(reply: &str) -> Vec<i64> {
    let mut all: Vec<i64> = reply
        .split("\"n\":")
        .skip(1)
        .filter_map(|r| r.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok())
        .collect();
    all.sort_unstable();
    all
}

#[test]
fn killed_while_writing() {
    let dir = Dir(std::env::temp_dir().join(format!("oxvs-kill-{}", std::process::id())));
    let _ = std::fs::remove_dir_all(&dir.0);
    std::fs::create_dir_all(&dir.0).expect("a directory");
    std::fs::write(dir.0.join("k.ovsschema"), SCHEMA).expect("a schema");
    let made = oxvs(&dir.0, &["ovsdb-tool", "create", "k.db", "k.ovsschema"]).status().expect("a tool");
    assert!(made.success());

    let mut next = 0;
    let mut acknowledged = 0;
    for round in 0..6 {
        let (mut server, mut s) = start(&dir.0);
        let select = r#"{"op":"select","table":"pair","where":[],"columns":["n","half"]}"#;
        let found = numbers(&transact(&mut s, select).expect("an answer"));
        // Both halves of every pair, and all that were acknowledged.
        assert!(found.chunks(2).all(|p| p.len() == 2 && p[0] == p[1]), "round {round}: {found:?}");
        let pairs: Vec<i64> = found.iter().step_by(2).copied().collect();
        assert!(pairs.len() as i64 >= acknowledged, "round {round}: {} of {acknowledged}", pairs.len());
        assert_eq!(pairs, (0..pairs.len() as i64).collect::<Vec<_>>());
        acknowledged = pairs.len() as i64;

        let pid = server.0.id();
        let after = 20 + round * 15;
        let killer = std::thread::spawn(move || {
            pause(after);
            Command::new("kill").args(["-9", &pid.to_string()]).status()
        });
        next = acknowledged;
        loop {
            let half = |h| format!(r#"{{"op":"insert","table":"pair","row":{{"n":{next},"half":{h}}}}}"#);
            match transact(&mut s, &format!("{},{}", half(1), half(2))) {
                Some(_) => {
                    acknowledged += 1;
                    next += 1;
                }
                None => break,
            }
        }
        assert!(killer.join().expect("a killer").is_ok());
        let _ = server.0.wait();
    }
    assert!(next > 20, "only {next} written");
}
