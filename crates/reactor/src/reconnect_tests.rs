use super::*;
use crate::testing::Records;
use base::Clock;
use std::sync::Arc;

fn machine(debug: bool) -> (Reconnect, Arc<Records>) {
    let records = Records::new(&Clock::simulated(), debug);
    (Reconnect::new("x", records.logger(), Time::ZERO), records)
}

fn at(ms: u64) -> Time {
    Time::from_millis(ms)
}

fn refused() -> io::Error {
    errno::os(libc::ECONNREFUSED)
}

/// The records of a program that connects to a port where nobody listens, with the time of each attempt.
#[test]
fn backoff_doubles_and_falls_silent() {
    let (mut m, records) = machine(false);
    m.enable(at(0));
    let mut attempts = Vec::new();
    for ms in 0..40_000 {
        if let Some(action) = m.run(at(ms)) {
            assert_eq!(action, Action::Connect);
            attempts.push(ms);
            m.connecting(at(ms));
            m.connect_failed(at(ms), Some(&refused()));
        }
    }
    assert_eq!(attempts, [0, 1000, 3000, 7000, 15000, 23000, 31000, 39000]);
    assert_eq!(
        records.take(),
        [
            "INFO x: connecting...",
            "INFO x: connection attempt failed (Connection refused)",
            "INFO x: connecting...",
            "INFO x: connection attempt failed (Connection refused)",
            "INFO x: waiting 2 seconds before reconnect",
            "INFO x: connecting...",
            "INFO x: connection attempt failed (Connection refused)",
            "INFO x: waiting 4 seconds before reconnect",
            "INFO x: connecting...",
            "INFO x: connection attempt failed (Connection refused)",
            "INFO x: continuing to reconnect in the background but suppressing further logging",
        ]
    );
    m.connected(at(40_000));
    assert_eq!(records.take(), ["INFO x: connected"]);
}

/// Connections of the given lengths with data at the given time (both in ms since connecting); the waiting times.
fn waits(connections: &[(u64, Option<u64>)]) -> Vec<u64> {
    let (mut m, _) = machine(false);
    let mut now = 0;
    m.enable(at(now));
    let mut waits = Vec::new();
    for &(length, data) in connections {
        assert_eq!(m.run(at(now)), Some(Action::Connect));
        m.connecting(at(now));
        m.connected(at(now));
        if let Some(data) = data {
            m.activity(at(now + data));
        }
        now += length;
        m.disconnected(at(now), Some(&errno::eof()));
        let wait = m.deadline().since(at(now)).as_millis() as u64;
        waits.push(wait);
        now += wait;
    }
    waits
}

#[test]
fn only_data_makes_a_connection_good() {
    assert_eq!(waits(&[(2500, None); 6]), [1000, 2000, 4000, 8000, 8000, 8000]);
    assert_eq!(waits(&[(2500, Some(2000)); 4]), [1000; 4]);
    assert_eq!(
        waits(&[(500, None), (500, None), (500, None), (6000, Some(3000)), (500, None)]),
        [1000, 2000, 4000, 8000, 8000]
    );
}

#[test]
fn probes_a_silent_peer_and_gives_up() {
    let (mut m, records) = machine(true);
    m.enable(at(0));
    m.run(at(0));
    m.connecting(at(0));
    m.connected(at(0));
    m.activity(at(1000));
    m.receive_attempted(at(6000));
    assert_eq!(m.deadline(), at(6000));
    assert_eq!(m.run(at(5999)), None);
    assert_eq!(m.run(at(6005)), Some(Action::Probe));
    m.activity(at(7000));
    assert_eq!(m.state(), State::Active);
    m.receive_attempted(at(12_000));
    assert_eq!(m.run(at(12_000)), Some(Action::Probe));
    assert_eq!(m.run(at(17_010)), Some(Action::Disconnect));
    m.disconnected(at(17_010), None);
    assert_eq!(
        records.take(),
        [
            "DBG x: entering BACKOFF",
            "INFO x: connecting...",
            "DBG x: entering CONNECTING",
            "INFO x: connected",
            "DBG x: entering ACTIVE",
            "DBG x: idle 5005 ms, sending inactivity probe",
            "DBG x: entering IDLE",
            "DBG x: entering ACTIVE",
            "DBG x: idle 5000 ms, sending inactivity probe",
            "DBG x: entering IDLE",
            "ERR x: no response to inactivity probe after 5.01 seconds, disconnecting",
            "INFO x: connection dropped",
            "DBG x: entering BACKOFF",
        ]
    );
}

#[test]
fn attempts_time_out() {
    let (mut m, records) = machine(false);
    m.enable(at(0));
    let (mut now, mut times) = (0, Vec::new());
    while now < 30_000 {
        match m.run(at(now)) {
            Some(Action::Connect) => m.connecting(at(now)),
            Some(Action::Disconnect) => {
                times.push(now);
                m.disconnected(at(now), None);
            }
            _ => now += 1,
        }
    }
    assert_eq!(times, [1000, 3000, 7000, 15000]);
    assert!(records.take().contains(&"INFO x: connection attempt timed out".to_string()));
}

#[test]
fn passive_sessions_listen_again_at_once() {
    let (mut m, records) = machine(true);
    m.set_passive(true, at(0));
    m.enable(at(0));
    assert_eq!(m.run(at(0)), Some(Action::Connect));
    m.listening(at(0));
    assert_eq!(m.deadline(), Time::NEVER);
    m.connected(at(10));
    m.disconnected(at(2010), Some(&errno::os(libc::ECONNRESET)));
    assert_eq!(m.run(at(2010)), Some(Action::Connect));
    assert_eq!(
        records.take(),
        [
            "DBG x: entering BACKOFF",
            "INFO x: listening...",
            "DBG x: entering LISTENING",
            "INFO x: listening...",
            "DBG x: entering CONNECTING",
            "INFO x: connected",
            "DBG x: entering ACTIVE",
            "WARN x: connection dropped (Connection reset by peer)",
            "DBG x: entering BACKOFF",
        ]
    );
    m.connecting(at(2010));
    m.connect_failed(at(2010), Some(&errno::os(libc::EAFNOSUPPORT)));
    assert_eq!(records.take()[2], "INFO x: listen attempt failed (Address family not supported by protocol)");
    assert_eq!(m.deadline(), at(3010));
}

#[test]
fn accepted_sessions_end_quietly() {
    let (mut m, records) = machine(false);
    m.set_quiet(true);
    m.set_max_tries(Some(0));
    m.connected(at(0));
    m.disconnected(at(5), Some(&errno::eof()));
    assert_eq!(m.state(), State::Void);
    assert!(!m.is_enabled() && records.take().is_empty());
}

#[test]
fn forced_and_counted() {
    let (mut m, _) = machine(false);
    m.enable(at(0));
    m.connecting(at(0));
    m.connected(at(100));
    assert!(m.is_connected());
    m.force(at(1100));
    assert_eq!(m.run(at(1100)), Some(Action::Disconnect));
    m.disconnected(at(1100), None);
    m.skip_backoff();
    assert_eq!(m.run(at(1100)), Some(Action::Connect));
    let s = m.stats();
    assert_eq!((s.attempted, s.successful, s.connected, s.seqno), (1, 1, Duration::from_millis(1000), 2));
    assert_eq!((s.last_connected, s.last_disconnected), (Some(at(100)), Some(at(1100))));
}

#[test]
fn numbers() {
    for (x, want) in [(5.0, "5"), (5.006, "5.01"), (2.0, "2"), (12.34, "12.3"), (120.0, "120"), (0.5, "0.5")]
    {
        assert_eq!(short_float(x), want);
    }
}
