use super::*;
use crate::errno;
use crate::event::{Event, Key, Reactor};
use crate::stream::{Listener, Stream};
use crate::testing::{Records, reactor, scratch};
use base::Clock;
use openflow::version::{Version, VersionSet};
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

const A: Key = Key::new(1, 1);
const B: Key = Key::new(2, 1);

fn options(versions: &[Version]) -> Options {
    Options { versions: versions.iter().fold(VersionSet::EMPTY, |s, &v| s.with(v)), ..Options::default() }
}

/// Two ends of one connection, run until both are open or one fails.
fn pair(a: Options, b: Options) -> (Reactor, Arc<Records>, Vconn, Vconn, [Option<String>; 2]) {
    let clock = Clock::simulated();
    let records = Records::new(&clock, false);
    let mut r = reactor(&clock, records.logger(), std::path::Path::new("/"));
    let (sa, sb) = UnixStream::pair().unwrap();
    let sa = Stream::from_unix(&mut r, A, "a".to_string(), sa).unwrap();
    let sb = Stream::from_unix(&mut r, B, "b".to_string(), sb).unwrap();
    let mut ends = [Vconn::accepted(&mut r, sa, a), Vconn::accepted(&mut r, sb, b)];
    let mut errors = [None, None];
    let mut events: Vec<Event> = Vec::new();
    for _ in 0..10 {
        events.clear();
        r.turn_within(Duration::ZERO, &mut events).unwrap();
        for e in &events {
            for (v, error) in ends.iter_mut().zip(&mut errors) {
                if v.key() == e.key && error.is_none() {
                    *error = v.run(&mut r).err().map(|e| errno::text(&e));
                }
            }
        }
    }
    let [a, b] = ends;
    (r, records, a, b, errors)
}

#[test]
fn agree_on_the_highest_common_version() {
    use Version::*;
    for (a, b, want) in [
        (&Version::ALL[..], &Version::ALL[..], V15),
        (&[V10, V13], &Version::ALL, V13),
        (&[V10, V13], &[V10, V14], V10),
        (&[V10], &Version::ALL, V10),
    ] {
        let (mut r, _, mut va, mut vb, errors) = pair(options(a), options(b));
        assert_eq!(errors, [None, None]);
        assert_eq!((va.version(), vb.version()), (Some(want), Some(want)));
        // A message each way, one of them long, and the counts of what waits.
        let mut long = bare(want.wire(), 10, 77);
        long.resize(60_000, 5);
        long[2..4].copy_from_slice(&60_000u16.to_be_bytes());
        va.send_class(&mut r, &long, 2);
        assert_eq!((va.queued(2), va.queued(0)), ((1, 60_000), (0, 0)));
        vb.send(&mut r, &bare(want.wire(), kind::ECHO_REQUEST, 9));
        vb.run(&mut r).unwrap();
        let mut got = None;
        for _ in 0..100 {
            va.run(&mut r).unwrap();
            got = got.or(vb.recv(&mut r).unwrap());
        }
        assert!(got == Some(long));
        assert_eq!(va.queued(2), (0, 0));
        // Without events, a look may be needed to see that an earlier one had not seen everything.
        let m = (0..2).find_map(|_| va.recv(&mut r).unwrap()).unwrap();
        assert_eq!((m[1], xid(&m), echo_reply(&m)[1]), (kind::ECHO_REQUEST, Some(9), kind::ECHO_REPLY));
    }
}

#[test]
fn disagree() {
    use Version::*;
    let (_, records, a, _, errors) = pair(options(&[V10]), options(&[V13]));
    assert!(errors.iter().all(Option::is_some), "{errors:?}");
    assert_eq!(a.version(), None);
    let log = records.take();
    for want in [
        "WARN a: version negotiation failed (we support version 0x01, peer supports version 0x04)",
        "WARN b: version negotiation failed (we support version 0x04, peer supports version 0x01)",
    ] {
        assert!(log.iter().any(|l| l == want), "{log:?}");
    }
}

/// Feeds bytes to a connection; the messages that came and how it ended.
fn feed(input: &[u8]) -> (Vec<Vec<u8>>, String, Vec<String>) {
    let clock = Clock::simulated();
    let records = Records::new(&clock, false);
    let mut r = reactor(&clock, records.logger(), std::path::Path::new("/"));
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    let stream = Stream::from_unix(&mut r, A, "peer".to_string(), ours).unwrap();
    let mut v = Vconn::accepted(&mut r, stream, options(&[Version::V13]));
    theirs.write_all(input).unwrap();
    theirs.shutdown(std::net::Shutdown::Write).unwrap();
    let mut messages = Vec::new();
    loop {
        match v.recv(&mut r) {
            Ok(Some(m)) => messages.push(m),
            Ok(None) => {}
            Err(e) => return (messages, errno::text(&e), records.take()),
        }
    }
}

#[test]
fn bad_streams() {
    let hello = bare(4, kind::HELLO, 1);
    let then = |rest: &[u8]| {
        let mut all = hello.clone();
        all.extend_from_slice(rest);
        feed(&all)
    };
    assert_eq!(then(&[]).1, "End of file");
    let (messages, end, log) = then(&[4, 2, 0, 8, 0, 0, 0, 1, 4, 0, 0, 2, 0, 0, 0, 1]);
    assert_eq!((messages.len(), end.as_str()), (1, "Protocol error"));
    assert_eq!(log, ["ERR received too-short ofp_header (2 bytes)"]);
    assert_eq!(feed(&[4, 0, 0, 7, 0, 0, 0, 1]).2, ["ERR received too-short ofp_header (7 bytes)"]);
    let (_, end, log) = feed(&bare(4, kind::ECHO_REQUEST, 1));
    assert_eq!(end, "Protocol error");
    assert!(log[0].starts_with("WARN peer: received message while expecting hello: "), "{log:?}");
    // A message cut short, whatever its length says.
    let (messages, end, _) = then(&[4, 2, 255, 255, 0, 0, 0, 1, 0, 0]);
    assert_eq!((messages.len(), end.as_str()), (0, "Protocol error"));
    let mut good = hello.clone();
    good.extend(bare(4, kind::ECHO_REQUEST, 1));
    for bit in 0..good.len() * 8 {
        let mut b = good.clone();
        b[bit / 8] ^= 1 << (bit % 8);
        feed(&b);
    }
}

/// A switch's side of a controller connection, with a peer that the test plays.
#[test]
fn rconn_connects_probes_and_comes_back() {
    let dir = scratch("rconn");
    let clock = Clock::simulated();
    let records = Records::new(&clock, false);
    let mut r = reactor(&clock, records.logger(), &dir);
    let mut rc = Rconn::new(&r, A, RconnOptions::default());
    rc.connect(&mut r, "unix:c", "br0<->unix:c");
    let mut events: Vec<Event> = Vec::new();
    let mut peer: Option<Vconn> = None;
    let mut listener: Option<Listener> = None;
    let mut answer = true;
    // Five seconds without a controller: attempts at 0, 1, 3 s.
    let mut turn = |r: &mut Reactor,
                    rc: &mut Rconn,
                    peer: &mut Option<Vconn>,
                    listener: &mut Option<Listener>,
                    answer: bool| {
        events.clear();
        r.turn_within(Duration::ZERO, &mut events).unwrap();
        for e in &events {
            match e.key.component() {
                1 => {
                    rc.run(r);
                    while rc.recv(r).is_some() {}
                }
                2 => {
                    let Some(v) = peer else { continue };
                    let mut gone = false;
                    loop {
                        match v.recv(r) {
                            Ok(Some(m)) if m[1] == kind::ECHO_REQUEST && answer => v.send(r, &echo_reply(&m)),
                            Ok(Some(_)) => {}
                            Ok(None) => break,
                            Err(_) => {
                                gone = true;
                                break;
                            }
                        }
                    }
                    if gone {
                        *peer = None;
                    }
                }
                3 => {
                    if let Some(l) = listener
                        && let Some(s) = l.accept(r, B).unwrap()
                    {
                        *peer = Some(Vconn::accepted(r, s, options(&[Version::V13])));
                    }
                }
                _ => {}
            }
        }
    };
    let mut pass = |r: &mut Reactor, rc: &mut Rconn, peer: &mut _, listener: &mut _, answer, ms| {
        r.warp(Duration::from_millis(ms), Duration::from_millis(100), Key::new(9, 9));
        while r.warping() {
            turn(r, rc, peer, listener, answer);
        }
        for _ in 0..10 {
            turn(r, rc, peer, listener, answer);
        }
    };
    pass(&mut r, &mut rc, &mut peer, &mut listener, answer, 5000);
    assert_eq!(
        records.take(),
        [
            "INFO br0<->unix:c: connecting...",
            "WARN br0<->unix:c: connection failed (No such file or directory)",
            "INFO br0<->unix:c: waiting 1 seconds before reconnect",
            "INFO br0<->unix:c: connecting...",
            "WARN br0<->unix:c: connection failed (No such file or directory)",
            "INFO br0<->unix:c: waiting 2 seconds before reconnect",
            "INFO br0<->unix:c: connecting...",
            "WARN br0<->unix:c: connection failed (No such file or directory)",
            "INFO br0<->unix:c: waiting 4 seconds before reconnect",
        ]
    );
    assert_eq!(rc.state(), State::Backoff);
    assert!(rc.failure_duration(r.now()) >= Duration::from_secs(5));
    // The controller appears and answers probes for a minute.
    listener = Some(Listener::open(&r, Key::new(3, 0), "punix:c", options(&[]).stream()).unwrap());
    pass(&mut r, &mut rc, &mut peer, &mut listener, answer, 60_000);
    assert_eq!(records.take(), ["INFO br0<->unix:c: connecting...", "INFO br0<->unix:c: connected"]);
    assert!(rc.is_connected() && rc.is_admitted(r.now()));
    assert_eq!(rc.version(), Some(Version::V13));
    assert_eq!(rc.seqno(), 1);
    assert!(rc.send(&mut r, &bare(4, 10, 1), 1));
    // It falls silent.
    answer = false;
    pass(&mut r, &mut rc, &mut peer, &mut listener, answer, 11_000);
    assert_eq!(
        records.take(),
        [
            "ERR br0<->unix:c: no response to inactivity probe after 5 seconds, disconnecting",
            "INFO br0<->unix:c: connecting...",
            "INFO br0<->unix:c: connected",
        ]
    );
    assert_eq!(rc.seqno(), 3);
    rc.disconnect(&mut r);
    assert!(!rc.is_alive());
    std::fs::remove_dir_all(dir).unwrap();
}
