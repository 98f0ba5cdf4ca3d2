use super::*;
use crate::event::Event;
use crate::testing::scratch;
use base::{Clock, Logger};

fn reactor(dir: &std::path::Path) -> Reactor {
    crate::testing::reactor(&Clock::real(), Logger::none(), dir)
}

const LISTEN: Key = Key::new(1, 0);
const SERVER: Key = Key::new(1, 1);
const CLIENT: Key = Key::new(2, 0);

/// Runs a client that sends `data` and a server that sends it back.
fn echo(listen: &str, connect: impl Fn(&Listener) -> String, size: usize) {
    let dir = scratch(&listen.replace([':', '[', ']'], "_"));
    let mut r = reactor(&dir);
    let mut l = Listener::open(&r, LISTEN, listen, Options::OVSDB).unwrap();
    let mut client = Channel::connect(&mut r, CLIENT, &connect(&l), Options::OVSDB).unwrap();
    let data: Vec<u8> = (0..size).map(|i| (i * 7 % 251) as u8).collect();
    let mut server: Option<Channel> = None;
    let mut back = Vec::new();
    for piece in data.chunks(1000) {
        client.send(&mut r, piece);
    }
    assert_eq!(client.queued(), size);
    r.again(CLIENT);
    let mut events: Vec<Event> = Vec::new();
    while back.len() < size {
        assert!(r.turn_within(Duration::from_secs(5), &mut events).unwrap(), "stuck at {}", back.len());
        for e in std::mem::take(&mut events) {
            match e.key {
                LISTEN => {
                    if let Some(s) = l.accept(&mut r, SERVER).unwrap() {
                        server = Some(Channel::new(s));
                        assert!(l.accept(&mut r, SERVER).unwrap().is_none());
                    }
                }
                SERVER => {
                    let s = server.as_mut().unwrap();
                    if s.fill().unwrap() {
                        let input = s.input().to_vec();
                        s.consume(input.len());
                        s.send(&mut r, &input);
                    }
                    s.flush(&mut r).unwrap();
                }
                CLIENT => {
                    if client.poll_connect(&mut r).unwrap() {
                        if client.fill().unwrap() {
                            back.extend_from_slice(client.input());
                            client.consume(client.input().len());
                        }
                        client.flush(&mut r).unwrap();
                    }
                }
                other => panic!("{other:?}"),
            }
        }
    }
    assert!(back == data);
    assert_eq!(client.traffic(), (size as u64, size as u64));
    drop(client);
    let s = server.as_mut().unwrap();
    let end = loop {
        r.turn_within(Duration::from_secs(5), &mut events).unwrap();
        events.clear();
        match s.fill() {
            Ok(_) => {}
            Err(e) => break e,
        }
    };
    assert!(errno::is_eof(&end), "{end}");
    std::fs::remove_dir_all(dir).unwrap();
}

#[test]
fn tcp4_round_trip() {
    echo("ptcp:0:127.0.0.1", |l| format!("tcp:127.0.0.1:{}", l.port().unwrap()), 3_000_000);
}

#[test]
fn tcp_by_name() {
    echo("ptcp:0:127.0.0.1", |l| format!("tcp:localhost:{}", l.port().unwrap()), 10);
}

#[test]
fn unix_round_trip() {
    echo("punix:sock", |_| "unix:sock".to_string(), 3_000_000);
}

#[test]
fn errors() {
    let dir = scratch("errors");
    let mut r = reactor(&dir);
    for (name, want) in [
        ("unix:nosuch", "No such file or directory"),
        ("foo:bar", "Address family not supported by protocol"),
        ("tcp:", "Address family not supported by protocol"),
    ] {
        let e = Stream::connect(&mut r, CLIENT, name, Options::OVSDB).map(|_| ()).unwrap_err();
        assert_eq!(errno::text(&e), want);
    }
    let e = Listener::open(&r, LISTEN, "punix:no/such/dir", Options::OVSDB).map(|_| ()).unwrap_err();
    assert_eq!(errno::text(&e), "No such file or directory");
    // Nobody listens: the refusal comes at once or when the attempt is polled.
    let l = Listener::open(&r, LISTEN, "ptcp:0:127.0.0.1", Options::OVSDB).unwrap();
    let port = l.port().unwrap();
    drop(l);
    let refused = match Stream::connect(&mut r, CLIENT, &format!("tcp:127.0.0.1:{port}"), Options::OVSDB) {
        Err(e) => e,
        Ok(mut s) => {
            let mut ev = Vec::new();
            r.turn_within(Duration::from_secs(5), &mut ev).unwrap();
            s.poll_connect(&mut r).unwrap_err()
        }
    };
    assert_eq!(errno::text(&refused), "Connection refused");
    std::fs::remove_dir_all(dir).unwrap();
}
