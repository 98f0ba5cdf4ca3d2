//! Real TCP transfers between two hosts (network namespaces) through two devices, plain and tagged: checksums that are
//! still to be completed and frames that are still to be segmented pass through whole and come out right.

use base::{Clock, Logger};
use dpif::netdev::{Netdev, RxQueue, TxQueue};
use netdev::{DummyMode, Registry};
use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use sys::epoll::{Epoll, Interest};
use sys::event::EventFd;
use sys::netns::NetNs;
use sys::rtnl::Route;
use wire::{Packet, PacketPool};

const BYTES: usize = 4 << 20;

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

/// What happens to the VLAN tag on the way.
#[derive(Clone, Copy)]
enum Tag {
    Keep,
    Push,
    Pop,
}

impl Tag {
    fn apply(self, p: &mut Packet) {
        let shift = match self {
            Tag::Keep => return,
            Tag::Push => {
                p.buf.insert(12, 4).copy_from_slice(&[0x81, 0, 0, 10]);
                4
            }
            Tag::Pop => {
                assert_eq!(p.buf.data()[12..16], [0x81, 0, 0, 10]);
                p.buf.remove(12, 4);
                4u16.wrapping_neg()
            }
        };
        if let Some((start, _)) = &mut p.offload.csum {
            *start = start.wrapping_add(shift);
        }
        if let Some(g) = &mut p.offload.gso {
            g.hdr_len = g.hdr_len.wrapping_add(shift);
        }
    }
}

/// Copies frames from each port to the one given until told to stop; returns the longest and how many.
fn forward(mut ports: Vec<Port>, to: &[(usize, Tag)], stop: &AtomicBool, bell: &EventFd) -> (usize, u64) {
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
        for (i, &(out, tag)) in to.iter().enumerate() {
            ports[i].rx.recv(32, &mut pool, &mut batch).unwrap();
            let out = &mut ports[out].tx;
            for mut p in batch.drain(..) {
                longest = longest.max(p.buf.len());
                count += 1;
                tag.apply(&mut p);
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

/// How the two hosts are connected.
#[derive(Clone, Copy, PartialEq)]
enum Path {
    /// Over two veth devices.
    Veth,
    /// The second host has a TAP device.
    Tap,
    /// Over a trunk between two switches, where frames have a VLAN tag.
    Trunk,
}

fn port(mut d: Box<dyn Netdev>) -> (Port, Box<dyn Netdev>) {
    d.set_admin_up(true).unwrap();
    let (rx, tx) = (d.rx_queues().unwrap().remove(0), d.tx_queue().unwrap());
    (Port { rx, tx }, d)
}

/// The ports of a switch, the first with `e0` in `a` at its other end, the second with `e1` in `b`.
fn ports(switch: &NetNs, a: &NetNs, b: &NetNs, path: Path) -> Vec<(Port, Box<dyn Netdev>)> {
    switch
        .run(|| {
            let mut r = Route::new().unwrap();
            let registry = Registry::new(DummyMode::Off, Clock::real(), Logger::none());
            r.add_veth("p0", "e0", Some(a.as_fd())).unwrap();
            let mut ports = vec![port(registry.open("p0", "system").unwrap())];
            if path == Path::Tap {
                let d = registry.open("e1", "internal").unwrap();
                r.move_to(d.ifindex().unwrap(), b.as_fd()).unwrap();
                ports.push(port(d));
            } else {
                r.add_veth("p1", "e1", Some(b.as_fd())).unwrap();
                ports.push(port(registry.open("p1", "system").unwrap()));
            }
            if path == Path::Trunk {
                r.add_veth("t0", "t1", None).unwrap();
                for t in ["t0", "t1"] {
                    let _ = std::fs::write(format!("/proc/sys/net/ipv6/conf/{t}/disable_ipv6"), "1");
                    ports.push(port(registry.open(t, "system").unwrap()));
                }
            }
            ports
        })
        .unwrap()
}

fn through(path: Path) {
    let (Ok(a), Ok(b), Ok(switch)) = (NetNs::new(), NetNs::new(), NetNs::new()) else {
        return println!("skipped: no network namespace");
    };
    let (a, b) = (&a, &b);
    // The control sides are kept: a queue follows its device, and a TAP device lives, while they do.
    let (ports, _control): (Vec<_>, Vec<_>) = ports(&switch, a, b, path).into_iter().unzip();
    let to: &[_] = match path {
        Path::Trunk => &[(2, Tag::Push), (3, Tag::Push), (0, Tag::Pop), (1, Tag::Pop)],
        _ => &[(1, Tag::Keep), (0, Tag::Keep)],
    };
    for (ns, dev, n) in [(a, "e0", 1), (b, "e1", 2)] {
        host(ns, &format!("10.1.1.{n}"), dev);
        host(ns, &format!("fd00:1::{n}"), dev);
    }
    let (stop, bell) = (AtomicBool::new(false), EventFd::new().unwrap());
    std::thread::scope(|s| {
        let worker = s.spawn(|| forward(ports, to, &stop, &bell));
        for (client, server, at) in
            [(a, b, "10.1.1.2:5001"), (a, b, "[fd00:1::2]:5001"), (b, a, "10.1.1.1:5001")]
        {
            let to: SocketAddr = at.parse().unwrap();
            let listener = server.run(|| TcpListener::bind(to).unwrap()).unwrap();
            transfer(listener, to, client);
        }
        stop.store(true, Ordering::Relaxed);
        bell.notify();
        let (longest, count) = worker.join().unwrap();
        println!("{count} frames, the longest {longest} bytes");
        assert!(longest > 30_000, "frames were cut: the longest was {longest}");
        assert!(count < (3 * BYTES / 1448) as u64, "many frames were cut: {count}");
    });
}

#[test]
fn between_veths() {
    through(Path::Veth);
}

#[test]
fn between_veth_and_tap() {
    through(Path::Tap);
}

#[test]
fn over_a_tagged_trunk() {
    through(Path::Trunk);
}
