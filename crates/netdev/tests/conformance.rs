//! One suite over the kinds of device: what `dpif::netdev` promises holds for each.
//!
//! Those of the kernel need network namespaces; without the right to make them they are skipped, with a line.

use base::{Clock, Logger, Mac};
use dpif::netdev::{Netdev, RxQueue, TxCaps, TxQueue};
use netdev::{DummyMode, Registry, sim};
use std::os::fd::BorrowedFd;
use std::time::Duration;
use sys::epoll::{Interest, wait_one};
use sys::netns::NetNs;
use sys::rtnl::Route;
use wire::{Gso, GsoKind, Offload, Packet, PacketPool};

/// Local experimental EtherType (IEEE 802), to tell our frames from what a kernel says by itself.
const OURS: [u8; 2] = [0x88, 0xb5];
const PATIENCE: Duration = Duration::from_secs(10);

/// A device and the world at its other end.
struct Bench {
    dev: Box<dyn Netdev>,
    rx: Vec<Box<dyn RxQueue>>,
    tx: Box<dyn TxQueue>,
    world: World,
    pool: PacketPool,
}

enum World {
    /// Frames go in by a handle and come out nowhere.
    Dummy(netdev::dummy::DummyHandle),
    Sim(sim::SimPort),
    /// The device at the other end, seen through a `system` device.
    Wire(Box<dyn Netdev>, Box<dyn RxQueue>, Box<dyn TxQueue>),
}

fn frame(n: usize, len: usize) -> Vec<u8> {
    let mut f = vec![0; len];
    f[..6].copy_from_slice(&[2, 0, 0, 0, 0, 2]);
    f[6..12].copy_from_slice(&[2, 0, 0, 0, 0, 1]);
    f[12..14].copy_from_slice(&OURS);
    for (i, b) in f.iter_mut().enumerate().skip(14) {
        *b = (n.wrapping_mul(31) + i) as u8;
    }
    f
}

fn tagged(mut f: Vec<u8>, tpid: u16, tci: u16) -> Vec<u8> {
    let tag = [tpid.to_be_bytes(), tci.to_be_bytes()].concat();
    f.splice(12..12, tag);
    f
}

fn is_ours(f: &[u8]) -> bool {
    let mut at = 12;
    while matches!(f.get(at..at + 2), Some([0x81, 0] | [0x88, 0xa8])) {
        at += 4;
    }
    f.get(at..at + 2) == Some(&OURS)
}

/// Waits for `n` of our frames on a queue; frames of a kernel are passed over.
fn take(rx: &mut dyn RxQueue, pool: &mut PacketPool, n: usize) -> Vec<Packet> {
    let (mut got, mut batch) = (Vec::new(), Vec::new());
    while got.len() < n {
        rx.recv(32, pool, &mut batch).unwrap();
        assert!(batch.len() <= 32);
        if batch.is_empty() {
            let ready = wait_fd(rx.fd().expect("a device of these kinds can be waited for"));
            assert!(ready, "{} of {n} frames within {PATIENCE:?}", got.len());
        }
        got.extend(batch.drain(..).filter(|p| is_ours(p.buf.data())));
    }
    assert_eq!(got.len(), n, "more frames than were sent");
    got
}

fn wait_fd(fd: i32) -> bool {
    wait_one_fd(Some(fd), PATIENCE)
}

fn wait_one_fd(fd: Option<i32>, patience: Duration) -> bool {
    let mut ep = sys::epoll::Epoll::new().unwrap();
    ep.add_raw(fd.expect("a device of these kinds can be waited for"), 0, Interest::READ).unwrap();
    ep.wait(Some(patience), &mut Vec::new()).unwrap() > 0
}

impl Bench {
    fn new(mut dev: Box<dyn Netdev>, world: World) -> Bench {
        let rx = dev.rx_queues().unwrap();
        let tx = dev.tx_queue().unwrap();
        Bench { dev, rx, tx, world, pool: PacketPool::default() }
    }

    /// The world sends to the device.
    fn inject(&mut self, f: &[u8]) {
        match &mut self.world {
            World::Dummy(h) => h.inject(0, f, Offload::default()).unwrap(),
            World::Sim(p) => assert!(p.send(f)),
            World::Wire(_, _, tx) => {
                tx.send(f, &Offload::default());
                assert_eq!(tx.flush().dropped, 0);
            }
        }
    }

    /// What the world got from the device; `None` where it gets nothing.
    fn collect(&mut self, n: usize) -> Option<Vec<Packet>> {
        match &mut self.world {
            World::Dummy(_) => None,
            World::Sim(p) => Some(std::iter::from_fn(|| p.recv()).take(n).collect()),
            World::Wire(_, rx, _) => Some(take(&mut **rx, &mut self.pool, n)),
        }
    }
}

/// What every device must do.
fn suite(mut b: Bench) {
    let kind = b.dev.kind();
    assert!(!b.rx.is_empty() && b.dev.rx_queues().unwrap().is_empty(), "{kind}: queues are taken once");

    // Frames of all sizes come in whole and in order, also when they come in numbers.
    let sent: Vec<_> = (0..600).map(|i| frame(i, 60 + i * 7 % 1455)).collect();
    for chunk in sent.chunks(60) {
        for f in chunk {
            b.inject(f);
        }
        let got = take(&mut *b.rx[0], &mut b.pool, chunk.len());
        for (g, f) in got.into_iter().zip(chunk) {
            assert_eq!(g.buf.data(), f, "{kind}");
            b.pool.put(g);
        }
    }

    // VLAN tags are in the frame, the inner one too.
    let tags = [
        tagged(frame(1, 100), 0x8100, 0x6005),
        tagged(frame(2, 100), 0x88a8, 0x0123),
        tagged(tagged(frame(3, 100), 0x8100, 7), 0x8100, 9),
    ];
    for f in &tags {
        b.inject(f);
    }
    let got = take(&mut *b.rx[0], &mut b.pool, 3);
    assert_eq!(got.iter().map(|p| p.buf.data()).collect::<Vec<_>>(), tags, "{kind}");

    // And out, in batches, more than any ring holds.
    for chunk in sent.chunks(100) {
        for f in chunk {
            b.tx.send(f, &Offload::default());
        }
        let r = b.tx.flush();
        let bytes: usize = chunk.iter().map(Vec::len).sum();
        assert_eq!((r.sent, r.bytes, r.dropped), (chunk.len() as u64, bytes as u64, 0), "{kind}");
        if let Some(got) = b.collect(chunk.len()) {
            for (g, f) in got.iter().zip(chunk) {
                assert_eq!(g.buf.data(), f, "{kind}");
            }
        }
    }
    for f in &tags {
        b.tx.send(f, &Offload::default());
    }
    assert_eq!(b.tx.flush().sent, 3);
    if let Some(got) = b.collect(3) {
        assert_eq!(got.iter().map(|p| p.buf.data()).collect::<Vec<_>>(), tags, "{kind}");
    }
    assert_eq!(b.tx.flush().sent, 0);

    offloads(&mut b);
    control(&mut b);
}

/// A TCP frame of 20,000 bytes that is still to be segmented and summed crosses whole.
fn offloads(b: &mut Bench) {
    let kind = b.dev.kind();
    if !b.tx.caps().gso {
        return;
    }
    let f = tcp_frame(20_000);
    let gso = Gso { kind: GsoKind::Tcp4, size: 1448, hdr_len: 54, ecn: false };
    let o = Offload { csum: Some((34, 16)), csum_valid: false, gso: Some(gso) };
    let small = Offload { csum: Some((34, 16)), ..Offload::default() };
    let s = tcp_frame(100);
    // The large one between small ones: the order stays.
    b.tx.send(&s, &small);
    b.tx.send(&f, &o);
    b.tx.send(&s, &small);
    assert_eq!(b.tx.flush().sent, 3, "{kind}");
    let got: Vec<Packet> = match &mut b.world {
        World::Dummy(_) => return,
        World::Sim(p) => std::iter::from_fn(|| p.recv()).collect(),
        World::Wire(_, rx, _) => {
            let (mut all, mut batch) = (Vec::new(), Vec::new());
            while all.len() < 3 {
                if rx.recv(32, &mut b.pool, &mut batch).unwrap() == 0 {
                    assert!(wait_fd(rx.fd().unwrap()), "{kind}: {} of 3", all.len());
                }
                all.extend(batch.drain(..).filter(|p| p.buf.data().get(23) == Some(&6)));
            }
            all
        }
    };
    assert_eq!(got.iter().map(|p| p.buf.len()).collect::<Vec<_>>(), [s.len(), f.len(), s.len()], "{kind}");
    assert_eq!(got[1].buf.data(), f);
    let g = got[1].offload.gso.expect("still to be segmented");
    assert_eq!((g.kind, g.size), (GsoKind::Tcp4, 1448));
    assert_eq!(got[1].offload.csum, Some((34, 16)));
    assert_eq!(got[0].offload.csum, Some((34, 16)));
}

fn tcp_frame(payload: usize) -> Vec<u8> {
    let mut f = frame(0, 14 + 20 + 20 + payload);
    f[12..14].copy_from_slice(&[8, 0]);
    let total = (f.len() - 14) as u16;
    f[14..34].copy_from_slice(&[0x45, 0, 0, 0, 0, 1, 0x40, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
    f[16..18].copy_from_slice(&total.to_be_bytes());
    let sum = fold(f[14..34].chunks(2).map(|c| u32::from(u16::from_be_bytes([c[0], c[1]]))).sum());
    f[24..26].copy_from_slice(&(!sum).to_be_bytes());
    f[34..54].copy_from_slice(&[4, 0, 0, 80, 0, 0, 0, 1, 0, 0, 0, 1, 0x50, 0x10, 1, 0, 0, 0, 0, 0]);
    // The sum of the pseudo-header is in place, as a stack leaves it.
    let tcp = u32::from(total) - 20;
    let pseudo = fold(0x0a00 + 1 + 0x0a00 + 2 + 6 + tcp);
    f[50..52].copy_from_slice(&pseudo.to_be_bytes());
    f
}

fn fold(mut s: u32) -> u16 {
    while s > 0xffff {
        s = (s & 0xffff) + (s >> 16);
    }
    s as u16
}

fn control(b: &mut Bench) {
    let kind = b.dev.kind();
    let before = b.dev.stats();
    let f = frame(1, 200);
    b.inject(&f);
    take(&mut *b.rx[0], &mut b.pool, 1);
    b.tx.send(&f, &Offload::default());
    b.tx.flush();
    b.collect(1);
    let after = b.dev.stats();
    for (what, x, y) in [
        ("received packets", before.rx_packets, after.rx_packets),
        ("sent packets", before.tx_packets, after.tx_packets),
        ("received bytes", before.rx_bytes, after.rx_bytes),
        ("sent bytes", before.tx_bytes, after.tx_bytes),
    ] {
        let (x, y) = (x.unwrap(), y.unwrap());
        assert!(y > x, "{kind}: {what}: {x} then {y}");
    }

    let seq = b.dev.change_seq();
    let mac = Mac([2, 0, 0, 7, 7, 7]);
    b.dev.set_mac(mac).unwrap();
    assert_eq!(b.dev.mac().unwrap(), mac, "{kind}");
    assert_ne!(b.dev.change_seq(), seq, "{kind}");
    let seq = b.dev.change_seq();
    b.dev.set_mtu(1400).unwrap();
    assert_eq!(b.dev.mtu(), Some(1400), "{kind}");
    assert_ne!(b.dev.change_seq(), seq, "{kind}");
    assert!(b.dev.link().admin_up && b.dev.link().carrier, "{kind}: {:?}", b.dev.link());
    b.dev.set_admin_up(false).unwrap();
    assert!(!b.dev.link().admin_up && !b.dev.link().carrier, "{kind}: {:?}", b.dev.link());
    // Down, nothing comes in and nothing breaks; up again it works.
    let mut out = Vec::new();
    for _ in 0..40 {
        b.rx[0].recv(32, &mut b.pool, &mut out).unwrap();
    }
    b.tx.send(&f, &Offload::default());
    b.tx.flush();
    b.dev.set_admin_up(true).unwrap();
    while !b.dev.link().carrier {
        std::thread::yield_now();
    }
    // The peer of a veth may send a moment later than its own carrier says: the kernel starts its queue by itself.
    let mut back = Vec::new();
    for _ in 0..100 {
        b.inject(&f);
        let _ = wait_one_fd(b.rx[0].fd(), Duration::from_millis(100));
        b.rx[0].recv(32, &mut b.pool, &mut back).unwrap();
        back.retain(|p| is_ours(p.buf.data()));
        if !back.is_empty() {
            break;
        }
    }
    assert_eq!(back.first().map(|p| p.buf.data()), Some(&f[..]), "{kind}");
    b.tx.send(&f, &Offload::default());
    assert_eq!(b.tx.flush().sent, 1, "{kind}");
    // Frames without a whole Ethernet header go nowhere.
    if kind != "sim" {
        b.tx.send(&f[..13], &Offload::default());
        assert_eq!(b.tx.flush().dropped, 1, "{kind}");
    }
}

fn registry(mode: DummyMode) -> Registry {
    Registry::new(mode, Clock::real(), Logger::none())
}

/// Runs in a network namespace of its own, if there may be one.
fn in_namespace(f: impl FnOnce() + Send) {
    match NetNs::new() {
        Ok(ns) => ns.run(f).unwrap(),
        Err(e) => println!("skipped: no network namespace ({e})"),
    }
}

fn up(names: &[&str]) {
    let mut r = Route::new().unwrap();
    for n in names {
        let _ = std::fs::write(format!("/proc/sys/net/ipv6/conf/{n}/disable_ipv6"), "1");
        let i = r.link(n).unwrap().index;
        r.set_up(i, true).unwrap();
    }
}

fn wire_to(r: &Registry, name: &str) -> World {
    let mut d = r.open(name, "system").unwrap();
    let rx = d.rx_queues().unwrap().remove(0);
    let tx = d.tx_queue().unwrap();
    World::Wire(d, rx, tx)
}

#[test]
fn dummy() {
    let r = registry(DummyMode::On);
    for kind in ["dummy", "dummy-internal", "dummy-pmd"] {
        let dev = r.open(kind, kind).unwrap();
        let world = World::Dummy(r.dummies().get(kind).unwrap());
        suite(Bench::new(dev, world));
    }
}

#[test]
fn simulated() {
    for caps in [TxCaps::default(), TxCaps { csum: true, gso: true }] {
        let (dev, port) = sim::device("sim0", Mac([2, 0, 0, 0, 0, 1]), caps).unwrap();
        suite(Bench::new(Box::new(dev), World::Sim(port)));
    }
}

#[test]
fn system_on_veth() {
    in_namespace(|| {
        Route::new().unwrap().add_veth("v0", "v1", None).unwrap();
        up(&["v0", "v1"]);
        let r = registry(DummyMode::Off);
        let dev = r.open("v0", "").unwrap();
        assert_eq!(dev.status()[0], ("driver_name".to_owned(), "veth".to_owned()));
        assert_eq!(dev.link().speed, Some(10_000_000_000));
        let world = wire_to(&r, "v1");
        suite(Bench::new(dev, world));
        assert_eq!(r.open("nosuch", "").err().unwrap().to_string(), "No such device");
        assert!(r.watch_fd().is_some());
    });
}

#[test]
fn taps() {
    in_namespace(|| {
        for kind in ["internal", "tap"] {
            let r = registry(DummyMode::Off);
            let dev = match r.open("t0", kind) {
                Ok(d) => d,
                Err(e) => return println!("skipped: no TAP device ({e})"),
            };
            assert!(!dev.link().admin_up);
            up(&["t0"]);
            let world = wire_to(&r, "t0");
            suite(Bench::new(dev, world));
            // Gone with the device.
            assert_eq!(r.open("t0", "system").err().unwrap().errno, 19, "{kind}");
        }
    });
}

#[test]
fn pairs_in_place_of_taps() {
    in_namespace(|| {
        for kind in ["internal", "tap"] {
            let r = registry(DummyMode::Off);
            let dev = netdev::pair::open("i0", kind).unwrap();
            assert!(!dev.link().admin_up);
            up(&["i0"]);
            let world = wire_to(&r, "i0");
            suite(Bench::new(dev, world));
            // Gone with the device, both ends.
            for name in ["i0", "i0~"] {
                assert_eq!(r.open(name, "system").err().unwrap().errno, 19, "{kind}");
            }
            // One that was left behind is taken over.
            std::mem::forget(netdev::pair::open("i0", kind).unwrap());
            drop(netdev::pair::open("i0", kind).unwrap());
            assert_eq!(r.open("i0", "system").err().unwrap().errno, 19, "{kind}");
        }
    });
}

#[test]
fn a_system_device_comes_back() {
    in_namespace(|| {
        let mut route = Route::new().unwrap();
        route.add_veth("v0", "v1", None).unwrap();
        up(&["v0", "v1"]);
        let r = registry(DummyMode::Off);
        let mut b = Bench::new(r.open("v0", "").unwrap(), wire_to(&r, "v1"));
        let (seq, first) = (b.dev.change_seq(), b.dev.ifindex().unwrap());
        let f = frame(1, 100);
        b.inject(&f);
        take(&mut *b.rx[0], &mut b.pool, 1);
        route.del_link(first).unwrap();
        r.poll();
        assert_ne!(b.dev.change_seq(), seq);
        assert_eq!((b.dev.ifindex(), b.dev.mtu()), (None, None));
        assert!(b.dev.mac().is_err() && !b.dev.link().admin_up);
        // The queue is silent, not noisy: its descriptor comes to rest once somebody was woken by it for nothing.
        let mut out = Vec::new();
        for _ in 0..2 {
            b.rx[0].woken();
            assert_eq!(b.rx[0].recv(32, &mut b.pool, &mut out).unwrap(), 0);
            b.rx[0].woken_for_nothing();
        }
        let mut ep = sys::epoll::Epoll::new().unwrap();
        ep.add_raw(b.rx[0].fd().unwrap(), 0, Interest::READ).unwrap();
        assert_eq!(ep.wait(Some(Duration::ZERO), &mut Vec::new()).unwrap(), 0);
        b.tx.send(&f, &Offload::default());
        assert_eq!(b.tx.flush().dropped, 1);

        route.add_veth("v0", "v1", None).unwrap();
        up(&["v0", "v1"]);
        r.poll();
        b.dev.change_seq();
        assert_ne!(b.dev.ifindex(), Some(first));
        if let World::Wire(d, ..) = &b.world {
            assert_ne!(d.change_seq(), 0);
        }
        b.inject(&f);
        assert_eq!(take(&mut *b.rx[0], &mut b.pool, 1)[0].buf.data(), f);
        b.tx.send(&f, &Offload::default());
        assert_eq!(b.tx.flush().sent, 1);
        assert_eq!(b.collect(1).unwrap()[0].buf.data(), f);
    });
}

#[test]
fn a_tap_moves_to_another_namespace() {
    let Ok(there) = NetNs::new() else { return println!("skipped: no network namespace") };
    in_namespace(|| {
        let r = registry(DummyMode::Off);
        let Ok(dev) = r.open("t0", "internal") else { return println!("skipped: no TAP device") };
        let mac = dev.mac().unwrap();
        let ns: BorrowedFd<'_> = std::os::fd::AsFd::as_fd(&there);
        Route::new().unwrap().move_to(dev.ifindex().unwrap(), ns).unwrap();
        assert_eq!(dev.mac().unwrap(), mac);
        there.run(|| up(&["t0"])).unwrap();
        assert!(dev.link().admin_up);
    });
}

#[test]
fn waiting_ends_by_itself() {
    let (dev, port) = sim::device("sim0", Mac::ZERO, TxCaps::default()).unwrap();
    let mut b = Bench::new(Box::new(dev), World::Sim(port.clone()));
    assert!(port.send(&frame(0, 60)));
    assert!(wait_fd(b.rx[0].fd().unwrap()));
    let e = sys::event::EventFd::new().unwrap();
    assert!(!wait_one(&e, Interest::READ, Some(Duration::ZERO)).unwrap());
    assert_eq!(take(&mut *b.rx[0], &mut b.pool, 1).len(), 1);
}
