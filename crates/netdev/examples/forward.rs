//! What the packet interface costs by itself: a bare forwarder between two veth devices, over the device traits
//! and nothing else.
//!
//! ```text
//!  generator ─ e0 ═══ p0 ─► forwarder ─► p1 ═══ e1 ─ counted by the kernel
//!   (CPU 0)                  (CPU 1)
//! ```
//!
//! Run as root: `cargo run --release -p netdev --example forward [SECONDS] [MODE...]`. Modes: `poll` (the
//! forwarder never sleeps), `wait` (it sleeps in epoll when nothing waits), `bypass` (`poll`, going around the
//! queueing discipline), `tap` (`poll`, into a TAP device), `rtt` (time of a frame there and back).
//! `ports A B [bypass]` in place of all that forwards between two devices that exist, until it is killed, for
//! generators and meters from elsewhere.
//! CPU time is that of the forwarding thread, in nanoseconds per forwarded frame of 64 bytes.

use base::{Clock, Logger};
use dpif::netdev::{Netdev, RxQueue, TxQueue};
use netdev::{DummyMode, Registry};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;
use sys::epoll::{Epoll, Interest};
use sys::netns::NetNs;
use sys::rtnl::Route;
use wire::{Offload, Packet, PacketPool};

const BURST: usize = 64;

struct Port {
    /// Kept: the queues follow their device only while it lives.
    _dev: Box<dyn Netdev>,
    rx: Box<dyn RxQueue>,
    tx: Box<dyn TxQueue>,
}

fn open(r: &Registry, name: &str, kind: &str, bypass: bool) -> Port {
    let mut dev = r.open(name, kind).expect("open");
    let options = [("qdisc-bypass".to_owned(), bypass.to_string())];
    dev.set_options(&BTreeMap::from(options)).expect("options");
    dev.set_admin_up(true).expect("up");
    let rx = dev.rx_queues().expect("rx").remove(0);
    let tx = dev.tx_queue().expect("tx");
    Port { _dev: dev, rx, tx }
}

fn frame() -> Vec<u8> {
    let mut f = vec![0u8; 64];
    f[..12].copy_from_slice(&[2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1]);
    f[12..14].copy_from_slice(&[0x88, 0xb5]);
    f
}

/// Moves what waits from one port to the other; returns how many frames.
fn step(a: &mut Port, b: &mut Port, pool: &mut PacketPool, batch: &mut Vec<Packet>) -> usize {
    let n = a.rx.recv(BURST, pool, batch).expect("recv");
    if n > 0 {
        for p in batch.drain(..) {
            b.tx.send(p.buf.data(), &p.offload);
            pool.put(p);
        }
        b.tx.flush();
    }
    n
}

struct Measured {
    frames: u64,
    cpu: Duration,
}

fn forward(mut a: Port, mut b: Port, wait: bool, stop: &AtomicBool) -> Measured {
    let _ = sys::set_affinity(1);
    let mut ep = Epoll::new().expect("epoll");
    for (i, p) in [&a, &b].into_iter().enumerate() {
        ep.add_raw(p.rx.fd().expect("fd"), i as u64, Interest::READ).expect("add");
    }
    let (mut pool, mut batch, mut ready) = (PacketPool::default(), Vec::new(), Vec::new());
    let (mut frames, before) = (0, sys::thread_cpu_time());
    // Spinning on empty rings is not the cost of a frame, but looking at the clock would be: rounds that find
    // nothing are counted, and what one costs is measured at the end.
    let mut empty = 0u32;
    while !stop.load(Relaxed) {
        let n = step(&mut a, &mut b, &mut pool, &mut batch) + step(&mut b, &mut a, &mut pool, &mut batch);
        frames += n as u64;
        if n == 0 {
            if wait {
                ready.clear();
                ep.wait(Some(Duration::from_millis(100)), &mut ready).expect("wait");
            } else {
                empty += 1;
            }
        }
    }
    let cpu = sys::thread_cpu_time() - before;
    let t = sys::thread_cpu_time();
    for _ in 0..1_000_000 {
        step(&mut a, &mut b, &mut pool, &mut batch);
        step(&mut b, &mut a, &mut pool, &mut batch);
    }
    let idle = (sys::thread_cpu_time() - t) * empty / 1_000_000;
    Measured { frames, cpu: cpu.saturating_sub(idle) }
}

fn generate(mut p: Port, stop: &AtomicBool) {
    let _ = sys::set_affinity(0);
    let f = frame();
    while !stop.load(Relaxed) {
        for _ in 0..BURST {
            p.tx.send(&f, &Offload::default());
        }
        p.tx.flush();
    }
}

fn run(mode: &str, seconds: u64) {
    let r = Registry::new(DummyMode::Off, Clock::real(), Logger::none());
    let mut route = Route::new().expect("netlink");
    route.add_veth("p0", "e0", None).expect("veth");
    let bypass = mode == "bypass";
    let p0 = open(&r, "p0", "system", bypass);
    let (p1, sink) = if mode == "tap" {
        (open(&r, "p1", "tap", false), None)
    } else {
        route.add_veth("p1", "e1", None).expect("veth");
        let mut e1 = r.open("e1", "system").expect("open");
        e1.set_admin_up(true).expect("up");
        (open(&r, "p1", "system", bypass), Some(e1))
    };
    let gen0 = open(&r, "e0", "system", true);
    let (stop, done) = (AtomicBool::new(false), AtomicBool::new(false));
    let wait = mode == "wait";
    let (stop, done) = (&stop, &done);
    let m = std::thread::scope(|s| {
        let worker = s.spawn(move || forward(p0, p1, wait, done));
        let g = s.spawn(move || generate(gen0, stop));
        sys::sleep(Duration::from_secs(seconds));
        stop.store(true, Relaxed);
        g.join().expect("generator");
        sys::sleep(Duration::from_millis(100));
        done.store(true, Relaxed);
        worker.join().expect("forwarder")
    });
    let arrived = sink.map_or(m.frames, |s| s.stats().rx_packets.unwrap_or(0));
    println!(
        "{mode:8} {:6.0} ns CPU per frame, {:5.2} M frames/s, {arrived} of {} arrived",
        m.cpu.as_nanos() as f64 / m.frames.max(1) as f64,
        m.frames as f64 / seconds as f64 / 1e6,
        m.frames
    );
}

/// Frames sent one at a time through a forwarder that sleeps, and back.
fn rtt() {
    let clock = Clock::real();
    let r = Registry::new(DummyMode::Off, clock.clone(), Logger::none());
    let mut route = Route::new().expect("netlink");
    route.add_veth("p0", "e0", None).expect("veth");
    route.add_veth("p1", "e1", None).expect("veth");
    let [p0, p1, mut e0, mut e1] = ["p0", "p1", "e0", "e1"].map(|n| open(&r, n, "system", false));
    let done = AtomicBool::new(false);
    let done = &done;
    std::thread::scope(|s| {
        s.spawn(move || forward(p0, p1, true, done));
        s.spawn(move || {
            let (mut pool, mut batch) = (PacketPool::default(), Vec::new());
            while !done.load(Relaxed) {
                if e1.rx.recv(1, &mut pool, &mut batch).expect("recv") == 0 {
                    std::thread::yield_now();
                }
                for p in batch.drain(..) {
                    if p.buf.data()[12..14] == [0x88, 0xb5] {
                        e1.tx.send(p.buf.data(), &p.offload);
                    }
                }
                e1.tx.flush();
            }
        });
        let (mut pool, mut batch, mut times) = (PacketPool::default(), Vec::new(), Vec::new());
        let f = frame();
        for _ in 0..2000 {
            let t = clock.real_now();
            e0.tx.send(&f, &Offload::default());
            e0.tx.flush();
            let mut back = false;
            while !back && clock.real_now().since(t) < Duration::from_secs(1) {
                if e0.rx.recv(8, &mut pool, &mut batch).expect("recv") == 0 {
                    std::thread::yield_now();
                }
                back = batch.drain(..).any(|p| p.buf.data()[12..14] == [0x88, 0xb5]);
            }
            times.push(clock.real_now().since(t));
        }
        done.store(true, Relaxed);
        times.sort_unstable();
        println!("rtt      median {:?}, 99 % below {:?}", times[1000], times[1980]);
    });
}

/// Forwards between two devices that are there, for ever.
fn ports(a: &str, b: &str, bypass: bool) {
    let r = Registry::new(DummyMode::Off, Clock::real(), Logger::none());
    let [a, b] = [a, b].map(|n| open(&r, n, "system", bypass));
    forward(a, b, true, &AtomicBool::new(false));
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let [mode, a, b, rest @ ..] = &args[..]
        && mode == "ports"
    {
        return ports(a, b, rest.first().is_some_and(|r| r == "bypass"));
    }
    let seconds = args.first().and_then(|a| a.parse().ok()).unwrap_or(3);
    let modes: Vec<&str> = match args.get(1..) {
        Some(m) if !m.is_empty() => m.iter().map(String::as_str).collect(),
        _ => vec!["poll", "wait", "bypass", "tap", "rtt"],
    };
    for m in modes {
        let ns = NetNs::new().expect("a network namespace (are you root?)");
        ns.run(|| if m == "rtt" { rtt() } else { run(m, seconds) }).expect("namespace");
    }
}
