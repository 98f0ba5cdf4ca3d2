use super::*;
use crate::errno;
use crate::event::{Event, Key, Reactor};
use crate::stream::{Listener, Options};
use crate::testing::{Records, reactor, scratch};
use base::{Clock, Logger};
use ovsdb::json::{Value, parse};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

const SERVER: Key = Key::new(1, 1);
const CLIENT: Key = Key::new(2, 1);

#[test]
fn messages_both_ways() {
    for (text, canonical) in [
        (r#"{"id":1,"method":"a","params":[1]}"#, ""),
        (r#"{"id":null,"method":"a","params":[]}"#, ""),
        (r#"{"method":"a","params":[]}"#, r#"{"id":null,"method":"a","params":[]}"#),
        (r#"{"id":0,"result":"x","error":null}"#, ""),
        (r#"{"id":"a","result":{"b":1}}"#, r#"{"id":"a","result":{"b":1},"error":null}"#),
        (r#"{"id":1,"error":"e"}"#, ""),
        (r#"{"id":1,"result":null,"error":{"e":1}}"#, r#"{"id":1,"error":{"e":1}}"#),
        (
            r#"{"id":1,"method":"version","params":[],"result":null,"error":null}"#,
            r#"{"id":1,"method":"version","params":[]}"#,
        ),
    ] {
        let m = Message::from_json(parse(text).unwrap()).unwrap();
        assert_eq!(m.to_text(), if canonical.is_empty() { text } else { canonical });
    }
}

#[test]
fn bad_messages_are_told_apart() {
    for (text, want) in [
        (r#"[1]"#, "message is not a JSON object"),
        (r#"{"id":1}"#, "request must have \"method\""),
        (r#"{"id":1,"method":5,"params":[]}"#, "method is not a JSON string"),
        (r#"{"id":1,"method":"a","params":{}}"#, "\"params\" must be JSON array"),
        (r#"{"id":1,"method":"a"}"#, "request must have \"params\""),
        (r#"{"id":1,"result":1,"error":1}"#, "reply must not have \"error\""),
        (r#"{"id":1,"result":null,"error":null}"#, "request must have \"method\""),
        (r#"{"id":1,"method":"version","params":[],"x":1}"#, "message has unexpected member \"x\""),
        (r#"{"id":1,"method":"version","params":[],"result":1}"#, "reply must not have \"method\""),
        (r#"{"result":1,"error":null}"#, "reply must have \"id\""),
        (r#"{"x":1}"#, "message has unexpected member \"x\""),
        (r#"{"id":1,"method":null,"params":null}"#, "method is not a JSON string"),
        (r#"{"id":1,"result":5,"params":[]}"#, "reply must not have \"params\""),
    ] {
        assert_eq!(Message::from_json(parse(text).unwrap()), Err(want.to_string()), "{text}");
    }
}

/// Turns the loop until `done` says so.
fn until(r: &mut Reactor, mut step: impl FnMut(&mut Reactor, &[Event]) -> bool) {
    let mut events = Vec::new();
    for _ in 0..10_000 {
        if step(r, &events) {
            return;
        }
        events.clear();
        r.turn_within(Duration::from_secs(5), &mut events).unwrap();
    }
    panic!("stuck");
}

#[test]
fn session_with_a_server() {
    let dir = scratch("session");
    let clock = Clock::simulated();
    let mut r = reactor(&clock, Logger::none(), &dir);
    let listen = Key::new(1, 0);
    let mut l = Listener::open(&r, listen, "punix:s", Options::OVSDB).unwrap();
    let probing = SessionOptions { probe_interval: Some(Duration::from_secs(5)), ..Default::default() };
    let mut client = Session::new(&mut r, CLIENT, &["unix:s".to_string()], probing);
    let mut server: Option<Session> = None;
    let mut sent = None;
    let mut answer = None;
    until(&mut r, |r, events| {
        for e in events {
            if e.key == listen {
                if let Some(s) = l.accept(r, SERVER).unwrap() {
                    server = Some(Session::accepted(r, SERVER, s, SessionOptions::default()));
                }
            } else if let (SERVER, Some(s)) = (e.key, &mut server) {
                s.run(r);
                while let Some(m) = s.recv(r) {
                    let Message::Request { id, method, params } = m else { panic!("{m:?}") };
                    assert_eq!((&*method, params.len()), ("add", 2));
                    s.send(r, &Message::Reply { id, result: Value::from(5) });
                }
            } else if e.key == CLIENT {
                client.run(r);
                if client.is_connected() && sent.is_none() {
                    sent = Some(client.request(r, "add", vec![Value::from(2), Value::from(3)]));
                }
                while let Some(m) = client.recv(r) {
                    answer = Some(m);
                }
            }
        }
        answer.is_some()
    });
    assert_eq!(answer, Some(Message::Reply { id: Value::Integer(sent.unwrap()), result: Value::from(5) }));

    // A silent minute: probes go and are answered, and nobody is disconnected.
    r.warp(Duration::from_secs(60), Duration::from_secs(1), Key::new(9, 9));
    let received = client.connection().unwrap().channel().traffic().1;
    until(&mut r, |r, events| {
        for e in events {
            for s in [Some(&mut client), server.as_mut()].into_iter().flatten() {
                if s.key() == e.key {
                    s.run(r);
                    assert_eq!(s.recv(r), None);
                }
            }
        }
        !r.warping()
    });
    assert!(client.is_connected());
    assert!(client.connection().unwrap().channel().traffic().1 > received);

    // The server goes away, and the client notices and tries again.
    drop(server.take());
    let before = client.seqno();
    until(&mut r, |r, events| {
        if events.iter().any(|e| e.key == CLIENT) {
            client.run(r);
            assert_eq!(client.recv(r), None);
        }
        client.seqno() > before
    });
    assert!(client.is_alive() && !client.is_connected());
    client.close(&mut r);
    std::fs::remove_dir_all(dir).unwrap();
}

/// Feeds `input` to a connection; what comes out, and how it ends.
fn feed(input: &[u8]) -> (Vec<Message>, String, Vec<String>) {
    let clock = Clock::simulated();
    let records = Records::new(&clock, false);
    let mut r = reactor(&clock, records.logger(), std::path::Path::new("/"));
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    let stream = crate::Stream::from_unix(&mut r, CLIENT, "peer".to_string(), ours).unwrap();
    let mut c = Connection::new(stream);
    c.set_limit(1000);
    theirs.write_all(input).unwrap();
    drop(theirs);
    let mut messages = Vec::new();
    loop {
        match c.recv(&r) {
            Ok(Some(m)) => messages.push(m),
            Ok(None) => {}
            Err(e) => return (messages, errno::text(&e), records.take()),
        }
    }
}

#[test]
fn bad_streams() {
    let ok = br#"{"id":1,"method":"a","params":[]}"#;
    let mut two = ok.to_vec();
    two.extend_from_slice(ok);
    let (messages, end, log) = feed(&two);
    assert_eq!((messages.len(), end.as_str(), log.len()), (2, "End of file", 0));
    let (messages, end, log) = feed(br#"{"id":1,"method":"a","params":[]}{"a":]"#);
    assert_eq!((messages.len(), end.as_str()), (1, "Protocol error"));
    assert_eq!(
        log,
        ["WARN peer: error parsing stream: line 0, column 5, byte 5: syntax error expecting value"]
    );
    let (_, end, log) = feed(b"[1]");
    assert_eq!(end, "Protocol error");
    assert_eq!(log, ["WARN peer: received bad JSON-RPC message: message is not a JSON object"]);
    let mut long = b"[\"".to_vec();
    long.resize(5000, b'x');
    assert_eq!(feed(&long).2, ["WARN peer: error parsing stream: message longer than 1000 bytes"]);
    // Every cut and every flipped bit of a good message ends in an error or the end, never in a panic.
    for n in 0..ok.len() {
        assert_eq!(feed(&ok[..n]).1, "End of file");
    }
    for bit in 0..ok.len() * 8 {
        let mut b = ok.to_vec();
        b[bit / 8] ^= 1 << (bit % 8);
        feed(&b);
    }
}

#[test]
fn client_waits_for_its_answer() {
    let dir = scratch("client");
    let listener = std::os::unix::net::UnixListener::bind(dir.join("s")).unwrap();
    let server = std::thread::spawn(move || {
        let (mut s, _) = listener.accept().unwrap();
        let mut buf = [0; 1000];
        let n = s.read(&mut buf).unwrap();
        assert_eq!(&buf[..n], br#"{"id":0,"method":"foo","params":["a"]}"#);
        s.write_all(br#"{"id":"echo","method":"echo","params":[7]}"#).unwrap();
        let n = s.read(&mut buf).unwrap();
        assert_eq!(&buf[..n], br#"{"id":"echo","result":[7],"error":null}"#);
        s.write_all(br#"{"id":9,"result":"other"}{"id":0,"result":"mine"}"#).unwrap();
        let n = s.read(&mut buf).unwrap();
        assert_eq!(&buf[..n], br#"{"id":1,"method":"bar","params":[]}"#);
        s.write_all(br#"{"id":1,"error":"no"}"#).unwrap();
    });
    let env = crate::event::Environment::new(Logger::none(), dir.clone());
    let mut c = Client::connect("unix:s", env).unwrap();
    assert_eq!(c.transact("foo", vec![Value::string("a")]).unwrap(), Value::string("mine"));
    match c.transact("bar", Vec::new()) {
        Err(Failure::Refused(e)) => assert_eq!(e, Value::string("no")),
        other => panic!("{other:?}"),
    }
    server.join().unwrap();
    match c.transact("baz", Vec::new()) {
        Err(Failure::Io(_)) => {}
        other => panic!("{other:?}"),
    }
    std::fs::remove_dir_all(dir).unwrap();
}
