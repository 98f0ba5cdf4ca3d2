//! A real TCP transfer between two hosts (network namespaces) through two `system` devices: checksums that are
//! still to be completed and frames that are still to be segmented pass through whole and come out right.

use base::Clock;
use dpif::netdev::{RxQueue, TxQueue};
use netdev::{DummyMode, Registry};
use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use sys::epoll::{Epoll, Interest};
use sys::event::EventFd;
use sys::netns::NetNs;
use sys::rtnl::Route;
use wire::PacketPool;

const BYTES: usize = 48 << 20;

struct Port {
    rx: Box<dyn RxQueue>,
    tx: Box<dyn TxQueue>,
}

fn host(ns: &NetNs, address: &str, dev: &str) {
    ns.run(|| {
        let mut r = Route::new().unwrap();
        let i = r.link(dev).unwrap().index;
        r.set_up(i, true).unwrap();
        r.add_address(i, address.parse::<IpAddr>().unwrap(), if address.contains(':') { 64 } else { 24 })
            .unwrap();
    })
    .unwrap();
}

/// Copies frames between two ports until told to stop; returns the longest and how many.
fn forward(mut ports: [Port; 2], stop: &AtomicBool, bell: &EventFd) -> (usize, u64) {
    let mut ep = Epoll::new().unwrap();
    for (i, p) in ports.iter().enumerate() {
        ep.add_raw(p.rx.fd().unwrap(), i as u64, Interest::READ).unwrap();
    }
    ep.add(bell, 9, Interest::READ).unwrap();
    let (mut pool, mut batch, mut ready) = (PacketPool::default(), Vec::new(), Vec::new());
    let (mut longest, mut count) = (0, 0);
    while !stop.load(Ordering::Relaxed) {
        ready.clear();
        ep.wait(None, &mut ready).unwrap();
        for i in 0..2 {
            ports[i].rx.recv(32, &mut pool, &mut batch).unwrap();
            let out = &mut ports[1 - i].tx;
            for p in batch.drain(..) {
                longest = longest.max(p.buf.len());
                count += 1;
                out.send(p.buf.data(), &p.offload);
                pool.put(p);
            }
            out.flush();
        }
    }
    (longest, count)
}

fn pattern(at: usize) -> u8 {
    (at as u32).wrapping_mul(2_654_435_761).to_be_bytes()[0]
}

fn transfer(listener: TcpListener, to: SocketAddr, client: &NetNs) {
    std::thread::scope(|s| {
        let sender = s.spawn(move || {
            client
                .run(|| {
                    let mut c = TcpStream::connect(to).unwrap();
                    let chunk: Vec<u8> = (0..1 << 20).map(pattern).collect();
                    for _ in 0..BYTES >> 20 {
                        c.write_all(&chunk).unwrap();
                    }
                })
                .unwrap();
        });
        let (mut c, _) = listener.accept().unwrap();
        let mut got = Vec::with_capacity(BYTES);
        c.read_to_end(&mut got).unwrap();
        assert_eq!(got.len(), BYTES);
        assert!(got.iter().enumerate().all(|(i, &b)| b == pattern(i & 0xf_ffff)));
        sender.join().unwrap();
    });
}

#[test]
fn tcp_passes_whole() {
    let (Ok(a), Ok(b), Ok(switch)) = (NetNs::new(), NetNs::new(), NetNs::new()) else {
        return println!("skipped: no network namespace");
    };
    let (a, b) = (&a, &b);
    let ports = switch
        .run(|| {
            let mut r = Route::new().unwrap();
            r.add_veth("p0", "e0", Some(a.as_fd())).unwrap();
            r.add_veth("p1", "e1", Some(b.as_fd())).unwrap();
            let registry = Registry::new(DummyMode::Off, Clock::real());
            ["p0", "p1"].map(|n| {
                let i = r.link(n).unwrap().index;
                r.set_up(i, true).unwrap();
                let mut d = registry.open(n, "system").unwrap();
                let (rx, tx) = (d.rx_queues().unwrap().remove(0), d.tx_queue().unwrap());
                (Port { rx, tx }, d)
            })
        })
        .unwrap();
    for (ns, dev, n) in [(a, "e0", 1), (b, "e1", 2)] {
        host(ns, &format!("10.1.1.{n}"), dev);
        host(ns, &format!("fd00:1::{n}"), dev);
    }
    let (stop, bell) = (AtomicBool::new(false), EventFd::new().unwrap());
    let [(p0, _d0), (p1, _d1)] = ports;
    std::thread::scope(|s| {
        let worker = s.spawn(|| forward([p0, p1], &stop, &bell));
        for at in ["10.1.1.2:5001", "[fd00:1::2]:5001"] {
            let to: SocketAddr = at.parse().unwrap();
            let listener = b.run(|| TcpListener::bind(to).unwrap()).unwrap();
            transfer(listener, to, a);
        }
        stop.store(true, Ordering::Relaxed);
        bell.notify();
        let (longest, count) = worker.join().unwrap();
        println!("{count} frames, the longest {longest} bytes");
        assert!(longest > 30_000, "frames were cut: the longest was {longest}");
    });
}
