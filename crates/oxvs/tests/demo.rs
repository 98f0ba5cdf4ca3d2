//! `oxvs run` and `oxvs demo`, as a new user would start them.

use std::process::{Command, Stdio};
use std::time::Duration;
use testkit::programs::said;
use testkit::{TempDir, can_make_hosts, wait_for};

const OXVS: &str = env!("CARGO_BIN_EXE_oxvs");

/// A command with its state in a directory, in an empty network namespace.
fn command(state: &TempDir, ns: &sys::netns::NetNs, args: &[&str]) -> Command {
    let mut c = Command::new(OXVS);
    c.args(args).stdin(Stdio::null());
    for v in ["OVS_RUNDIR", "OVS_LOGDIR", "OVS_DBDIR", "OVS_SYSCONFDIR"] {
        c.env(v, state.path());
    }
    ns.adopt(&mut c).unwrap();
    sys::process::kill_with_parent(&mut c);
    c
}

#[test]
fn demo_works_and_leaves_nothing() {
    if !can_make_hosts() {
        return;
    }
    let tmp = TempDir::new();
    let out = Command::new(OXVS).arg("demo").env("TMPDIR", tmp.path()).output().unwrap();
    let (stdout, stderr) = said(&out);
    assert!(out.status.success() && stderr.is_empty(), "{stdout}{stderr}");
    for text in [
        "10 of 10 answered",
        "you are 10.0.0.1;",
        "you are 10.0.0.2;",
        "Datapath actions: drop",
        "All of it worked",
    ] {
        assert!(stdout.contains(text), "{text}\n{stdout}");
    }
    assert_eq!(std::fs::read_dir(tmp.path()).unwrap().count(), 0);
}

/// A user namespace is enough, and no access to `/dev/net/tun` is needed.
#[test]
fn demo_works_for_an_ordinary_user() {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::process::CommandExt;
    const NOBODY: u32 = 65534;
    if !can_make_hosts() {
        return;
    }
    let tmp = TempDir::new();
    std::fs::set_permissions(tmp.path(), PermissionsExt::from_mode(0o777)).unwrap();
    let program = tmp.path().join("oxvs");
    std::fs::copy(OXVS, &program).unwrap();
    let as_user = |c: &mut Command| {
        c.uid(NOBODY).gid(NOBODY).env("TMPDIR", tmp.path()).env("HOME", tmp.path());
        c.output()
    };
    match as_user(Command::new("unshare").args(["-Urn", "true"])) {
        Ok(out) if out.status.success() => {}
        _ => return println!("skipped: no user namespaces for ordinary users"),
    }
    let (stdout, stderr) = said(&as_user(Command::new(&program).arg("demo")).unwrap());
    assert!(stdout.contains("All of it worked"), "{stdout}{stderr}");
    assert!(stdout.contains("user and a network namespace"), "{stdout}");
}

#[test]
fn demo_cleans_up_when_interrupted() {
    if !can_make_hosts() {
        return;
    }
    let tmp = TempDir::new();
    let mut c = Command::new(OXVS);
    c.arg("demo").env("TMPDIR", tmp.path()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = c.spawn().unwrap();
    let entries = || std::fs::read_dir(tmp.path()).unwrap().count();
    wait_for("the demo to begin", || (entries() > 0).then_some(()));
    sys::signal::kill(child.id() as i32, 2).unwrap();
    let status = wait_for("the demo to end", || child.try_wait().unwrap());
    assert!(!status.success());
    assert_eq!(entries(), 0);
}

#[test]
fn run_serves_every_tool_and_remembers() {
    if !can_make_hosts() {
        return;
    }
    let state = TempDir::new();
    let ns = sys::netns::NetNs::new().unwrap();
    let tool = |args: &[&str]| {
        let out = command(&state, &ns, args).output().unwrap();
        let (stdout, stderr) = said(&out);
        assert!(out.status.success() && stderr.is_empty(), "{args:?}: {stdout}{stderr}");
        stdout
    };
    let pid = |name: &str| {
        let text = std::fs::read_to_string(state.join(format!("{name}.pid"))).unwrap();
        text.trim().parse::<i32>().unwrap()
    };
    tool(&["run", "--detach", "--log-file"]);
    assert_eq!(pid("ovs-vswitchd"), pid("ovsdb-server"));
    tool(&["ovs-vsctl", "add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=netdev"]);
    let identity = tool(&["ovs-vsctl", "get", "Open_vSwitch", ".", "external_ids:system-id"]);
    assert_eq!(identity.trim().len(), 38);
    assert_eq!(
        tool(&["ovs-appctl", "-t", "ovsdb-server", "ovsdb-server/list-dbs"]),
        "Open_vSwitch\n_Server\n"
    );
    assert_eq!(tool(&["ovs-appctl", "version"]), "ovs-vswitchd (Open vSwitch) 3.5.0\n");
    // A second one is refused, and disturbs nothing.
    let out = command(&state, &ns, &["run"]).output().unwrap();
    assert_eq!(out.status.code(), Some(1));
    assert!(said(&out).1.contains("already running as pid"), "{out:?}");
    let gone = || wait_for("the end", || (!state.join("ovsdb-server.pid").exists()).then_some(()));
    tool(&["ovs-appctl", "-t", "ovsdb-server", "exit"]);
    gone();
    assert!(!state.join("ovs-vswitchd.pid").exists());
    // It comes back as it was; in the foreground this time, ended by a signal.
    let mut child = command(&state, &ns, &["run"]).stdout(Stdio::null()).spawn().unwrap();
    wait_for("the bridge", || {
        let out = command(&state, &ns, &["ovs-vsctl", "--timeout=1", "list-br"]).output().unwrap();
        (out.stdout == b"br0\n").then_some(())
    });
    assert_eq!(tool(&["ovs-vsctl", "get", "Open_vSwitch", ".", "external_ids:system-id"]), identity);
    sys::signal::kill(child.id() as i32, 15).unwrap();
    let status = wait_for("the end", || child.try_wait().unwrap());
    assert!(status.success(), "{status}");
    gone();
}

#[test]
fn run_says_what_is_not_permitted() {
    let mut c = Command::new(OXVS);
    c.arg("run")
        .env("OVS_RUNDIR", "/proc/no/such/place")
        .env("OVS_DBDIR", "/proc/no")
        .env("OVS_LOGDIR", "/proc/no");
    let out = c.output().unwrap();
    let (_, stderr) = said(&out);
    assert_eq!(out.status.code(), Some(1));
    assert!(
        stderr.contains("cannot use directory /proc/no/such/place") && stderr.contains("OVS_RUNDIR"),
        "{stderr}"
    );
}

#[test]
fn first_packet_soon_after_the_start() {
    if !can_make_hosts() {
        return;
    }
    // A switch that was configured before forwards within 300 ms of its start; with room for a busy machine here.
    let state = TempDir::new();
    let ns = sys::netns::NetNs::new().unwrap();
    let host = |port: &str, n: u8| {
        let spec = testkit::lan::Spec {
            port,
            mac: base::Mac([2, 0, 0, 0, 0, n]),
            address: Some(&format!("10.0.0.{n}/24")),
            gateway: None,
        };
        testkit::Host::new(&ns, &spec).unwrap()
    };
    let (a, b) = (host("a", 1), host("b", 2));
    let start = || command(&state, &ns, &["run"]).stdout(Stdio::null()).spawn().unwrap();
    let mut first = start();
    wait_for("the database", || state.join("db.sock").exists().then_some(()));
    let args = [
        "ovs-vsctl",
        "--timeout=10",
        "add-br",
        "br0",
        "--",
        "add-port",
        "br0",
        "a",
        "--",
        "add-port",
        "br0",
        "b",
    ];
    assert!(command(&state, &ns, &args).status().unwrap().success());
    assert!(a.pings(&b));
    sys::signal::kill(first.id() as i32, 15).unwrap();
    first.wait().unwrap();
    let clock = base::Clock::real();
    let began = clock.now();
    let mut second = start();
    let to = b.ip.unwrap();
    let answered = testkit::until(Duration::from_secs(10), || {
        let r = a.ns.run(|| sys::icmp::ping(to, 5, 5, Duration::from_millis(20))).unwrap();
        r.ok()
    });
    let took = clock.now() - began;
    let _ = second.kill();
    let _ = second.wait();
    println!("first packet {took:?} after the start");
    assert!(answered.is_some() && took < Duration::from_secs(3), "{took:?}");
}
