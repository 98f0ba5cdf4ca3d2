//! Connections over real sockets, with certificates in `testdata/`: `ca` signed `server` and `client`, `other`
//! signed `client-other`.

use super::*;
use crate::event::{Environment, Key, Reactor};
use crate::stream::{Channel, Listener, Options};
use base::Clock;
use std::time::Duration;

fn file(name: &str) -> String {
    format!("{}/src/tls/testdata/{name}", env!("CARGO_MANIFEST_DIR"))
}

fn settings(key: &str, certificate: &str, ca: &str) -> Settings {
    Settings {
        private_key: file(key),
        certificate: file(certificate),
        ca_cert: if ca == "none" { ca.to_string() } else { file(ca) },
        ..Settings::default()
    }
}

fn server() -> Settings {
    settings("server.key", "server.pem", "ca.pem")
}

fn client() -> Settings {
    settings("client.key", "client.pem", "ca.pem")
}

fn reactor(tls: Settings) -> Reactor {
    let env = Environment { tls, ..Environment::default() };
    Reactor::new(Clock::real(), env).unwrap()
}

/// Two ends that talk: sends `bytes` each way and returns what the passive side knows its peer by.
fn talk(passive: Settings, active: Settings, bytes: usize) -> io::Result<Option<String>> {
    let (mut s, mut c) = (reactor(passive), reactor(active));
    let mut listener = Listener::open(&s, Key::new(1, 0), "pssl:0:127.0.0.1", Options::OVSDB)?;
    let name = format!("ssl:127.0.0.1:{}", listener.port().unwrap());
    let mut ours = Channel::connect(&mut c, Key::new(2, 0), &name, Options::OVSDB)?;
    let mut theirs: Option<Channel> = None;
    let message: Vec<u8> = (0..bytes).map(|i| ((i * 31) >> 3) as u8).collect();
    let (mut sent, mut events) = (false, Vec::new());
    for _ in 0..5000 {
        events.clear();
        c.turn_within(Duration::from_millis(1), &mut events)?;
        events.clear();
        s.turn_within(Duration::from_millis(1), &mut events)?;
        if theirs.is_none()
            && let Some(stream) = listener.accept(&mut s, Key::new(1, 1))?
        {
            theirs = Some(Channel::new(stream));
            theirs.as_mut().unwrap().send(&mut s, &message);
        }
        if ours.poll_connect(&mut c)? {
            if !std::mem::replace(&mut sent, true) {
                ours.send(&mut c, &message);
            }
            ours.fill()?;
            ours.flush(&mut c)?;
        }
        if let Some(theirs) = &mut theirs {
            theirs.fill()?;
            theirs.flush(&mut s)?;
            if ours.input().len() == bytes && theirs.input().len() == bytes {
                assert!(ours.input() == message && theirs.input() == message);
                assert!(theirs.name().starts_with("ssl:127.0.0.1:"));
                return Ok(theirs.peer_name());
            }
        }
    }
    panic!("nothing moves: {} of {bytes} bytes came", ours.input().len());
}

fn refused(passive: Settings, active: Settings) -> i32 {
    talk(passive, active, 100).expect_err("a refusal").raw_os_error().expect("a number")
}

#[test]
fn both_sides_trust_each_other() {
    assert_eq!(talk(server(), client(), 1).unwrap().as_deref(), Some("client"));
    // Many records, more than a socket takes at once.
    assert_eq!(talk(server(), client(), 3_000_000).unwrap().as_deref(), Some("client"));
}

#[test]
fn each_version_alone() {
    for v in ["TLSv1.2", "TLSv1.3"] {
        let only = Settings { protocols: v.to_string(), ..client() };
        talk(server(), only.clone(), 5000).unwrap();
        talk(Settings { protocols: v.to_string(), ..server() }, only, 5000).unwrap();
    }
    let old = Settings { protocols: "TLSv1.1".to_string(), ..client() };
    assert_eq!(refused(server(), old), libc::EPROTO);
    let (two, three) = ("TLSv1.2".to_string(), "TLSv1.3".to_string());
    let apart = (Settings { protocols: two, ..server() }, Settings { protocols: three, ..client() });
    assert_eq!(refused(apart.0, apart.1), libc::EPROTO);
}

#[test]
fn certificates_of_version_1_and_a_ca_in_person() {
    for v in ["TLSv1.2", "TLSv1.3"] {
        let old = Settings { certificate: file("client-v1.pem"), protocols: v.to_string(), ..client() };
        talk(server(), old.clone(), 10).unwrap();
        // The other way round as well.
        talk(old, server(), 10).unwrap();
        // The peer's own certificate in place of a CA's.
        let pinned = Settings { ca_cert: file("client.pem"), protocols: v.to_string(), ..server() };
        talk(pinned, client(), 10).unwrap();
    }
    let stranger = Settings { ca_cert: file("other.pem"), ..server() };
    let old = Settings { certificate: file("client-v1.pem"), ..client() };
    assert_eq!(refused(stranger, old), libc::EPROTO);
}

#[test]
fn strangers_are_refused() {
    let signed = |certificate: &str| Settings { certificate: file(certificate), ..client() };
    assert_eq!(refused(server(), signed("client-other.pem")), libc::EPROTO);
    assert_eq!(refused(server(), signed("client-expired.pem")), libc::EPROTO);
    assert_eq!(refused(server(), Settings { ca_cert: file("other.pem"), ..client() }), libc::EPROTO);
    // Unless nobody asks.
    talk(Settings { ca_cert: "none".to_string(), ..server() }, signed("client-other.pem"), 10).unwrap();
    talk(server(), Settings { ca_cert: "none".to_string(), ..client() }, 10).unwrap();
}

#[test]
fn without_keys_there_is_no_connection() {
    for (bad, want) in [
        (Settings::default(), libc::ENOPROTOOPT),
        (Settings { private_key: String::new(), ..client() }, libc::ENOPROTOOPT),
        (Settings { certificate: file("absent"), ..client() }, libc::ENOPROTOOPT),
        (Settings { private_key: file("client.pem"), ..client() }, libc::ENOPROTOOPT),
        (Settings { private_key: file("server.key"), ..client() }, libc::ENOPROTOOPT),
        (Settings { ca_cert: file("absent"), ..client() }, libc::EPROTO),
    ] {
        assert_eq!(refused(server(), bad.clone()), want, "{bad:?}");
    }
}

#[test]
fn the_ca_is_obtained_once() {
    let dir = std::env::temp_dir().join(format!("oxvs-tls-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let ca = dir.join("ca.pem");
    let boot = Settings { ca_cert: ca.display().to_string(), bootstrap: true, ..client() };
    assert_eq!(refused(server(), boot.clone()), libc::EPROTO);
    assert_eq!(std::fs::read(&ca).unwrap(), std::fs::read(file("ca.pem")).unwrap());
    talk(server(), boot.clone(), 10).unwrap();
    // The file is what counts now.
    std::fs::remove_file(&ca).unwrap();
    std::fs::copy(file("other.pem"), &ca).unwrap();
    assert_eq!(refused(server(), boot), libc::EPROTO);
    std::fs::remove_dir_all(&dir).unwrap();
}

#[test]
fn changed_files_are_read_again() {
    let dir = std::env::temp_dir().join(format!("oxvs-tls-reload-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let ca = dir.join("ca.pem");
    std::fs::copy(file("other.pem"), &ca).unwrap();
    let log = Logger::none();
    let mut tls = Tls::default();
    tls.configure(&Settings { ca_cert: ca.display().to_string(), ..server() }, &log);
    let first = tls.server(&log).unwrap();
    assert!(Arc::ptr_eq(&first, &tls.server(&log).unwrap()), "nothing changed");
    std::fs::write(&ca, [std::fs::read(file("ca.pem")).unwrap(), b"\n".to_vec()].concat()).unwrap();
    assert!(!Arc::ptr_eq(&first, &tls.server(&log).unwrap()), "the CA changed");
    // A file that has gone takes nothing away.
    std::fs::remove_file(&ca).unwrap();
    tls.server(&log).unwrap();
    std::fs::remove_dir_all(&dir).unwrap();
}
