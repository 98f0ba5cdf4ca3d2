//! What survives: acknowledged transactions a kill, port numbers and datapath ids a restart.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use testkit::{Options, Programs, Switch, can_make_hosts, wait_for};

fn switch() -> Switch {
    Switch::start(Programs::of(env!("CARGO_BIN_EXE_oxvs")), Options::default())
}

/// A database client that knows just enough JSON to find where a message ends.
struct Client {
    stream: UnixStream,
    seen: Vec<u8>,
}

impl Client {
    fn connect(state: &Path) -> Client {
        let stream = UnixStream::connect(state.join("db.sock")).expect("the database listens");
        Client { stream, seen: Vec::new() }
    }

    /// Sends a transaction: its reply, or `None` when the connection is lost before that.
    fn transact(&mut self, operations: &str) -> Option<String> {
        let request = format!(r#"{{"method":"transact","id":1,"params":["Open_vSwitch",{operations}]}}"#);
        self.stream.write_all(request.as_bytes()).ok()?;
        let mut buf = [0; 65536];
        loop {
            if let Some(end) = whole(&self.seen) {
                let text = String::from_utf8_lossy(&self.seen[..end]).into_owned();
                self.seen.drain(..end);
                if text.contains(r#""echo""#) {
                    continue;
                }
                assert!(text.contains(r#""error":null"#), "{text}");
                return Some(text);
            }
            match self.stream.read(&mut buf) {
                Ok(0) | Err(_) => return None,
                Ok(n) => self.seen.extend_from_slice(&buf[..n]),
            }
        }
    }
}

/// Length of the first whole JSON object (whose strings hold no braces here).
fn whole(b: &[u8]) -> Option<usize> {
    let mut depth = 0;
    for (i, c) in b.iter().enumerate() {
        match c {
            b'{' => depth += 1,
            b'}' => {
                depth -= 1;
                if depth == 0 {
                    return Some(i + 1);
                }
            }
            _ => {}
        }
    }
    None
}

#[test]
fn acknowledged_transactions_survive_a_kill() {
    if !can_make_hosts() {
        return;
    }
    let mut s = switch();
    let state = s.state.path().to_owned();
    let total = AtomicUsize::new(0);
    // Each transaction makes two rows and must be there whole or not at all.
    let acknowledged: Vec<(usize, usize)> = std::thread::scope(|t| {
        let writers: Vec<_> = (0..4)
            .map(|w| {
                let (state, total) = (&state, &total);
                t.spawn(move || {
                    let mut c = Client::connect(state);
                    let mut done = 0;
                    loop {
                        let row = |half: &str| {
                            format!(
                                r#"{{"op":"insert","table":"Queue","row":{{"external_ids":["map",[["{half}","{w}-{done}"]]]}}}}"#
                            )
                        };
                        if c.transact(&format!("{},{}", row("a"), row("b"))).is_none() {
                            return (w, done);
                        }
                        done += 1;
                        total.fetch_add(1, Ordering::Relaxed);
                    }
                })
            })
            .collect();
        wait_for("a few hundred transactions", || (total.load(Ordering::Relaxed) >= 300).then_some(()));
        s.kill_database();
        writers.into_iter().map(|w| w.join().unwrap()).collect()
    });
    s.start_database();
    let all = Client::connect(&state)
        .transact(r#"{"op":"select","table":"Queue","where":[],"columns":["external_ids"]}"#)
        .unwrap();
    let there = |half: &str, w: usize, n: usize| all.contains(&format!(r#"["{half}","{w}-{n}"]"#));
    for (w, done) in acknowledged {
        for n in 0..done {
            assert!(there("a", w, n) && there("b", w, n), "transaction {w}-{n} was acknowledged and is gone");
        }
        // The one on its way when it was killed.
        assert_eq!(there("a", w, done), there("b", w, done), "half of transaction {w}-{done}");
        assert!(!there("a", w, done + 1));
    }
    // The switch finds the database again.
    s.bridge("br0", &[]);
    assert_eq!(s.vsctl(&["list-br"]), "br0\n");
    s.assert_clean(&["db.sock", "unix:", "reconnect"]);
}

#[test]
fn restarts_keep_numbers_and_names() {
    if !can_make_hosts() {
        return;
    }
    let mut s = switch();
    s.bridge("br0", &[]);
    let a = s.numbered("br0", "a", 1, &[]);
    let gone = s.numbered("br0", "gone", 9, &[]);
    let b = s.numbered("br0", "b", 2, &[]);
    s.vsctl(&["del-port", "gone"]);
    drop(gone);
    assert!(a.pings(&b));
    let facts = |s: &Switch| {
        wait_for("port numbers", || {
            let f = s.vsctl(&[
                "get",
                "Interface",
                "a",
                "ofport",
                "--",
                "get",
                "Interface",
                "b",
                "ofport",
                "--",
                "get",
                "Bridge",
                "br0",
                "datapath_id",
                "_uuid",
                "--",
                "get",
                "Open_vSwitch",
                ".",
                "_uuid",
            ]);
            (f.lines().count() == 5 && !f.contains("[]")).then_some(f)
        })
    };
    let before = facts(&s);
    assert!(before.starts_with("1\n3\n\"0000"), "{before}");
    // The polite way.
    s.stop();
    s.start_database();
    s.start_switch();
    s.vsctl(&["set", "Open_vSwitch", ".", "external_ids:round=2"]);
    assert_eq!(facts(&s), before);
    assert!(a.pings(&b));
    // The other way.
    s.kill_switch();
    s.kill_database();
    s.start_database();
    s.start_switch();
    s.vsctl(&["set", "Open_vSwitch", ".", "external_ids:round=3"]);
    assert_eq!(facts(&s), before);
    assert!(a.pings(&b));
    s.assert_clean(&[]);
}

#[test]
fn daemons_detach_when_they_are_ready() {
    if !can_make_hosts() {
        return;
    }
    // Started as an init script does: when the command has returned, everything works.
    let mut s = switch();
    s.stop();
    let state = |name: &str| s.state.join(name).display().to_string();
    let remote = format!("--remote=punix:{}", state("db.sock"));
    let quiet = ["-vconsole:off", "--detach", "--no-chdir", "--pidfile", "--log-file"];
    s.ok("ovsdb-server", &[quiet.as_slice(), &[&remote, &state("conf.db")]].concat());
    struct Killed(Vec<i32>);
    impl Drop for Killed {
        fn drop(&mut self) {
            for pid in &self.0 {
                let _ = sys::signal::kill(*pid, 9);
            }
        }
    }
    let pid = |name: &str| std::fs::read_to_string(state(name)).unwrap().trim().parse::<i32>().unwrap();
    let mut daemons = Killed(vec![pid("ovsdb-server.pid")]);
    assert_eq!(s.vsctl(&["--no-wait", "list-br"]), "");
    // As after `ovsdb-tool create`: not even a root row.
    let nothing = r#"["Open_vSwitch",{"op":"delete","table":"Open_vSwitch","where":[]}]"#;
    s.ok("ovsdb-client", &["transact", &format!("unix:{}", state("db.sock")), nothing]);
    s.ok("ovs-vswitchd", &[quiet.as_slice(), &[&format!("unix:{}", state("db.sock"))]].concat());
    daemons.0.push(pid("ovs-vswitchd.pid"));
    s.bridge("br0", &[]);
    assert_eq!(s.vsctl(&["get", "Interface", "br0", "ofport"]), "65534\n");
    // SIGTERM removes the pidfile too.
    sys::signal::kill(daemons.0[1], 15).unwrap();
    wait_for("the pidfile to go", || (!Path::new(&state("ovs-vswitchd.pid")).exists()).then_some(()));
    s.ok("ovs-appctl", &["-t", "ovsdb-server", "exit"]);
    wait_for("the pidfile to go", || (!Path::new(&state("ovsdb-server.pid")).exists()).then_some(()));
    daemons.0.clear();
}
