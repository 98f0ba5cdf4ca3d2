//! Engines in threads of their own.

use super::mini::{Bench, Rule, ipv4};
use crate::{FdChanges, ThreadParts, Waiter, Wake};
use dpif::Datapath as _;
use dpif::netdev::TxCaps;
use flow::Field;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

#[derive(Default)]
struct Bell {
    rung: Mutex<bool>,
    changed: Condvar,
    /// How often somebody went to sleep.
    sleeps: AtomicU32,
}

impl Wake for Bell {
    fn wake(&self) {
        *self.rung.lock().unwrap() = true;
        self.changed.notify_all();
    }
}

struct BellWaiter(Arc<Bell>);

impl Waiter for BellWaiter {
    fn watch(&mut self, changes: &FdChanges) {
        assert!(changes.new.is_empty());
    }
    fn wait(&mut self, timeout: Option<Duration>) {
        let rung = self.0.rung.lock().unwrap();
        self.0.sleeps.fetch_add(1, Relaxed);
        let timeout = timeout.unwrap_or(Duration::from_secs(60));
        let (mut rung, _) = self.0.changed.wait_timeout_while(rung, timeout, |r| !*r).unwrap();
        *rung = false;
    }
}

fn parts(_: usize) -> std::io::Result<ThreadParts> {
    let bell = Arc::<Bell>::default();
    Ok(ThreadParts { waiter: Box::new(BellWaiter(bell.clone())), wake: bell })
}

/// Waits for a condition that threads bring about.
fn until(b: &mut Bench, mut f: impl FnMut(&mut Bench) -> bool) {
    let deadline = b.clock.real_now() + Duration::from_secs(20);
    while !f(b) {
        assert!(b.clock.real_now() < deadline, "never came true");
        std::thread::yield_now();
    }
}

#[test]
fn a_sleeping_thread_stops_at_one_word() {
    // No ports: nothing but the word to stop wakes it.
    let mut b = Bench::new(0, TxCaps::default(), Vec::new());
    let bell = Arc::<Bell>::default();
    let (waiter, wake) = (Box::new(BellWaiter(bell.clone())), bell.clone());
    let mut once = Some(ThreadParts { waiter, wake });
    b.dp.set_threads(&[0], false, |_| Ok(once.take().unwrap())).unwrap();
    until(&mut b, |_| bell.sleeps.load(Relaxed) > 0);
    let start = b.clock.real_now();
    b.dp.set_threads(&[], false, parts).unwrap();
    assert!(b.clock.real_now().since(start) < Duration::from_secs(30));
}

#[test]
fn threads_forward_and_are_told() {
    let mut b = Bench::new(3, TxCaps::default(), vec![Rule::new(&[(Field::IN_PORT, 0)], "1")]);
    b.dp.set_threads(&[0, 1], false, parts).unwrap();
    assert_eq!(b.dp.threads(), 2);
    let f = ipv4(17, [1; 4], [2; 4], (1, 2), b"x");
    for _ in 0..1000 {
        b.wires[0].inject(&f);
    }
    let mut got = 0;
    until(&mut b, |b| {
        got += b.wires[1].sent().len();
        got == 1000
    });
    assert_eq!(b.dp.dump_flows()[0].thread, Some(0));
    b.dp.push_stats(&mut |_, _, _, _| {});
    let count = b.mini.rules[0].count.clone();
    until(&mut b, |b| {
        b.dp.push_stats(&mut |_, _, _, _| {});
        count.get().0 == 1000
    });
    b.change(|m| m.rules = vec![Rule::new(&[(Field::IN_PORT, 0)], "2")]);
    assert!(b.dp.settle(Duration::from_secs(20)));
    assert_eq!(dpif::format_actions(&b.dp.dump_flows()[0].actions, None), "2");
    b.clock.warp(Duration::from_secs(20));
    b.dp.expire(Duration::from_secs(10));
    until(&mut b, |b| {
        b.dp.push_stats(&mut |_, _, _, _| {});
        b.dp.stats().flows == 0
    });
    // Fewer threads, then none: no packet waits for ever.
    for n in [1, 0] {
        b.wires[0].inject(&f);
        b.dp.set_threads(&(0..n as u32).collect::<Vec<_>>(), false, parts).unwrap();
        b.wires[0].inject(&f);
        let mut got = 0;
        until(&mut b, |b| {
            b.dp.poll();
            got += b.wires[2].sent().len();
            got == 2
        });
    }
    assert_eq!(b.dp.threads(), 0);
}
