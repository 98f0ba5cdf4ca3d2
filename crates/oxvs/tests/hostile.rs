//! Controllers that mean harm, or are broken: they harm nobody but themselves. And who may listen in on them.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::Stdio;
use std::time::Duration;
use testkit::ofp::{Controller, kind};
use testkit::{Options, Programs, Switch, can_make_hosts, wait_for};

const VERSION: u8 = 4;

fn switch() -> Switch {
    let s = Switch::start(Programs::of(env!("CARGO_BIN_EXE_oxvs")), Options::default());
    s.bridge("br0", &["fail_mode=secure", "protocols=OpenFlow13"]);
    s
}

fn listen(s: &Switch) -> (TcpListener, String) {
    let listener = s.ns.run(|| TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).unwrap().unwrap();
    let target = format!("tcp:{}", listener.local_addr().unwrap());
    (listener, target)
}

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut m = vec![VERSION, kind];
    m.extend(((8 + body.len()) as u16).to_be_bytes());
    m.extend([0, 0, 0, 7]);
    m.extend(body);
    m
}

fn hello() -> Vec<u8> {
    message(kind::HELLO, &[0, 1, 0, 8, 0, 0, 0, 1 << VERSION])
}

fn set_controllers(s: &Switch, targets: &[&str]) {
    s.vsctl(&[&["set-controller", "br0"], targets].concat());
    let ids = s.vsctl(&["--bare", "--columns=_uuid", "list", "controller"]);
    for id in ids.split_whitespace() {
        s.vsctl(&["set", "controller", id, "connection_mode=out-of-band", "max_backoff=1000"]);
    }
}

fn resident_kilobytes(s: &Switch) -> u64 {
    let pid = std::fs::read_to_string(s.state.join("ovs-vswitchd.pid")).unwrap().trim().parse().unwrap();
    sys::host::process(pid).unwrap().resident
}

const ALLOWED: &[&str] =
    &["rconn", "vconn", "connmgr", "ofp_", "ofp-", "stream_tcp", "connection failed", "in_band"];

/// Whether it ends within a while, whatever it says before.
fn ends(stream: &mut TcpStream) -> bool {
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let mut buf = [0; 4096];
    loop {
        match stream.read(&mut buf) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(e) => return e.kind() == ErrorKind::ConnectionReset,
        }
    }
}

#[test]
fn garbage_costs_only_the_connection_that_sends_it() {
    if !can_make_hosts() {
        return;
    }
    let s = switch();
    let good = Controller::listen(&s.ns, 0).unwrap();
    let (bad, target) = listen(&s);
    let good_target = good.target.clone();
    set_controllers(&s, &[&good_target, &target]);
    let mut good = good.accept();
    let too_short = [VERSION, kind::HELLO, 0, 4, 0, 0, 0, 1];
    let no_version_in_common = [9, 0, 0, 16, 0, 0, 0, 1, 0, 1, 0, 8, 0, 0, 2, 0];
    let http = b"GET / HTTP/1.1\r\nHost: switch\r\n\r\n";
    let mut late = hello();
    late.extend([VERSION, kind::BARRIER_REQUEST, 0, 3, 0, 0, 0, 0]);
    for garbage in [&too_short[..], &no_version_in_common, http, &late] {
        let (mut stream, _) = bad.accept().unwrap();
        stream.write_all(garbage).unwrap();
        assert!(ends(&mut stream), "{garbage:?}");
        good.barrier().unwrap();
    }
    // What is framed but means nothing is answered with an error each.
    let (mut stream, _) = bad.accept().unwrap();
    stream.write_all(&hello()).unwrap();
    let mut seed = 7u32;
    for kind in 0..=255u8 {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let body: Vec<u8> = (0..seed % 90).map(|i| (seed >> (i % 24)) as u8).collect();
        // A goodbye would end the stream, as it must.
        if stream.write_all(&message(kind.max(1), &body)).is_err() {
            break;
        }
    }
    good.barrier().unwrap();
    assert_eq!(s.flows("br0", &[]), [""; 0]);
    s.assert_clean(ALLOWED);
}

/// A long list of flows waits for its reader, and says what was there when it was asked for; nobody waits for it.
#[test]
fn ft_44_who_does_not_read_all_flows_holds_nobody_up() {
    const FLOWS: usize = 50_000;
    if !can_make_hosts() {
        return;
    }
    let s = switch();
    let good = Controller::listen(&s.ns, 0).unwrap();
    let (slow, target) = listen(&s);
    let good_target = good.target.clone();
    set_controllers(&s, &[&good_target, &target]);
    let mut good = good.accept();
    let (mut stream, _) = slow.accept().unwrap();
    stream.write_all(&hello()).unwrap();
    let (file, line) =
        (s.state.join("flows"), |n: usize| format!("ip,nw_dst=10.0.{}.{},actions=1\n", n >> 8, n & 255));
    std::fs::write(&file, (0..FLOWS).map(line).collect::<String>()).unwrap();
    s.ofctl(&["-OOpenFlow13", "--bundle", "add-flows", "br0", &file.display().to_string()]);

    let any = [0xff; 8];
    let mut body = vec![0, 1, 0, 0, 0, 0, 0, 0, 0xff, 0, 0, 0];
    body.extend(any);
    body.extend([0; 20]);
    body.extend([0, 1, 0, 4, 0, 0, 0, 0]);
    let barrier = message(kind::BARRIER_REQUEST, &[]);
    let before = resident_kilobytes(&s);
    stream.write_all(&[message(18, &body), barrier].concat()).unwrap();
    good.barrier().unwrap();
    s.ofctl(&["-OOpenFlow13", "del-flows", "br0"]);
    good.barrier().unwrap();
    let grown = resident_kilobytes(&s).saturating_sub(before);
    assert!(grown < 16 << 10, "{grown} kB more");

    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let (mut flows, mut head) = (0, [0; 8]);
    loop {
        stream.read_exact(&mut head).unwrap();
        let mut rest = vec![0; usize::from(u16::from_be_bytes([head[2], head[3]])) - 8];
        stream.read_exact(&mut rest).unwrap();
        if head[1] == kind::BARRIER_REPLY {
            break;
        }
        let mut at = 8;
        while head[1] == 19 && at < rest.len() {
            flows += 1;
            at += usize::from(u16::from_be_bytes([rest[at], rest[at + 1]]));
        }
    }
    assert_eq!(flows, FLOWS);
    s.assert_clean(ALLOWED);
}

#[test]
fn cm_29_who_does_not_read_is_not_heard_and_takes_no_memory() {
    if !can_make_hosts() {
        return;
    }
    let s = switch();
    let good = Controller::listen(&s.ns, 0).unwrap();
    let (bad, target) = listen(&s);
    let good_target = good.target.clone();
    set_controllers(&s, &[&good_target, &target]);
    let mut good = good.accept();
    let (mut stream, _) = bad.accept().unwrap();
    stream.write_all(&hello()).unwrap();
    let before = resident_kilobytes(&s);
    // Requests for the description, 1056 bytes each, whose answers nobody takes.
    let request = message(18, &[0; 8]).repeat(4000);
    stream.set_write_timeout(Some(Duration::from_secs(1))).unwrap();
    let mut sent = 0;
    while sent < 512 {
        match stream.write(&request) {
            Ok(_) => sent += 1,
            Err(_) => break,
        }
        good.barrier().unwrap();
    }
    assert!(sent < 512, "the switch has stopped reading");
    let grown = resident_kilobytes(&s).saturating_sub(before);
    assert!(grown < 32 << 10, "{grown} kB more");
    good.barrier().unwrap();
    // It is heard again when it reads.
    let mut buf = vec![0; 1 << 20];
    let mut total = 0;
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    while total < 4 << 20 {
        total += stream.read(&mut buf).unwrap();
    }
    s.assert_clean(ALLOWED);
}

#[test]
fn coming_and_going_a_hundred_times_harms_nobody() {
    if !can_make_hosts() {
        return;
    }
    let s = switch();
    let good = Controller::listen(&s.ns, 0).unwrap();
    let good_target = good.target.clone();
    set_controllers(&s, &[&good_target, "ptcp:0:127.0.0.1"]);
    let mut good = good.accept();
    let log = || s.log("ovs-vswitchd");
    let port: u16 = wait_for("the port", || {
        log().lines().find_map(|l| l.split_once("listening on port ")?.1.trim().parse().ok())
    });
    s.ns.run(|| {
        for n in 0..100 {
            let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
            if n % 2 == 0 {
                stream.write_all(&hello()).unwrap();
            }
        }
    })
    .unwrap();
    good.barrier().unwrap();
    wait_for("all to be forgotten", || s.appctl(&["memory/show"]).contains("ofconns:1 ").then_some(()));
    s.assert_clean(ALLOWED);
}

#[test]
fn cm_11_listening_in() {
    if !can_make_hosts() {
        return;
    }
    let s = switch();
    // Without a controller there is nothing to hear.
    let mut c = s.command("ovs-ofctl");
    assert!(!c.args(["snoop", "br0"]).stdin(Stdio::null()).output().unwrap().status.success());
    let controller = Controller::listen(&s.ns, 0).unwrap();
    let target = controller.target.clone();
    set_controllers(&s, &[&target]);
    let mut conn = controller.accept();
    let mut c = s.command("ovs-ofctl");
    let out = s.state.join("snoop.txt");
    let file = std::fs::File::create(&out).unwrap();
    let copy = file.try_clone().unwrap();
    let mut child = c.args(["snoop", "br0"]).stdin(Stdio::null()).stdout(copy).stderr(file).spawn().unwrap();
    let heard = || std::fs::read_to_string(&out).unwrap_or_default();
    wait_for("what the controller asks, and what it is told", || {
        conn.send(kind::ECHO_REQUEST, b"hear me").unwrap();
        conn.barrier().unwrap();
        let text = heard();
        let all = ["OFPT_ECHO_REQUEST", "OFPT_ECHO_REPLY", "OFPT_BARRIER_REQUEST", "OFPT_BARRIER_REPLY"];
        all.iter().all(|m| text.contains(m)).then_some(())
    });
    child.kill().unwrap();
    child.wait().unwrap();
    conn.barrier().unwrap();
    s.assert_clean(ALLOWED);
}
