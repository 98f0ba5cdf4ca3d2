//! What a packet costs an engine, input and output aside: `cargo run --release -p datapath --example lookup`.
//!
//! Queues here are loops over frames in memory, so that what is measured is key, lookup, actions and bookkeeping
//! (and one copy of 64 bytes into a buffer). The device's own part is measured too, with an engine's worth of
//! receiving and discarding, and taken off.

use base::{Clock, DpPort, Mac, Time};
use datapath::{Datapath, Pipeline, Translated};
use dpif::netdev::{DevError, Link, Netdev, NetdevStats, RxQueue, TxCaps, TxQueue, TxResult};
use dpif::{Datapath as _, DpAction};
use flow::{Field, FlowKey, Mask, layout as l};
use std::collections::BTreeMap;
use std::sync::Arc;
use wire::{Offload, Packet, PacketPool};

/// A pipeline whose masks are as asked.
struct Table {
    masks: Masks,
    actions: Vec<DpAction>,
    generation: u64,
}

#[derive(Clone, Copy, PartialEq)]
enum Masks {
    /// Input port and Ethernet type.
    One,
    /// Addresses and ports: a megaflow per connection.
    Connection,
    /// As many as prefix tries over two addresses and a port make.
    Exploding,
}

impl Pipeline for Table {
    type Effects = ();
    type Deps = ();
    fn generation(&self) -> u64 {
        self.generation
    }
    fn translate(&self, key: &FlowKey, _: usize, _: Time) -> Translated<(), ()> {
        let mut mask = Mask::default();
        mask.set_exact(Field::IN_PORT);
        mask.set_exact(Field::ETH_TYPE);
        match self.masks {
            Masks::One => {}
            Masks::Connection => {
                for f in [Field::IP_SRC, Field::IP_DST, Field::IP_PROTO, Field::UDP_SRC, Field::UDP_DST] {
                    mask.set_exact(f);
                }
            }
            Masks::Exploding => {
                let prefix = |v: u32| (u32::MAX << v.trailing_zeros().min(31)).to_be_bytes();
                mask.0.put(l::NW_SRC, &prefix(key.nw_src().into()));
                mask.0.put(l::NW_DST, &prefix(key.nw_dst().into()));
                let port = u16::MAX << key.tp_dst().trailing_zeros().min(15);
                mask.0.put(l::TP_DST, &port.to_be_bytes());
            }
        }
        let actions = self.actions.clone();
        Translated { actions, mask, effects: (), deps: (), cacheable: true, drop: 0 }
    }
    fn unchanged(&self, _: &(), _: u64) -> bool {
        true
    }
    fn credit(_: &(), _: u64, _: u64, _: u16, _: Time) {}
    fn needs_control(_: &()) -> bool {
        false
    }
}

struct Ring {
    frames: Arc<Vec<[u8; 64]>>,
    at: usize,
}

impl RxQueue for Ring {
    fn recv(&mut self, max: usize, pool: &mut PacketPool, out: &mut Vec<Packet>) -> Result<usize, DevError> {
        for _ in 0..max {
            let mut p = pool.take();
            p.buf.fill(&self.frames[self.at]);
            self.at = (self.at + 1) % self.frames.len();
            out.push(p);
        }
        Ok(max)
    }
    fn fd(&self) -> Option<i32> {
        None
    }
}

#[derive(Default)]
struct Sink {
    n: u64,
    last: u8,
}

impl TxQueue for Sink {
    fn caps(&self) -> TxCaps {
        TxCaps { csum: true, gso: true }
    }
    fn send(&mut self, frame: &[u8], _: &Offload) {
        self.n += 1;
        self.last ^= std::hint::black_box(frame[0]);
    }
    fn flush(&mut self) -> TxResult {
        TxResult { sent: std::mem::take(&mut self.n), ..TxResult::default() }
    }
}

struct Dev(Option<Arc<Vec<[u8; 64]>>>);

impl Netdev for Dev {
    fn name(&self) -> &str {
        "ring"
    }
    fn kind(&self) -> &'static str {
        "ring"
    }
    fn rx_queues(&mut self) -> Result<Vec<Box<dyn RxQueue>>, DevError> {
        Ok(self.0.take().into_iter().map(|frames| Box::new(Ring { frames, at: 0 }) as _).collect())
    }
    fn tx_queue(&mut self) -> Result<Box<dyn TxQueue>, DevError> {
        Ok(Box::<Sink>::default())
    }
    fn mac(&self) -> Result<Mac, DevError> {
        Ok(Mac::ZERO)
    }
    fn set_mac(&mut self, _: Mac) -> Result<(), DevError> {
        Ok(())
    }
    fn mtu(&self) -> Option<u32> {
        None
    }
    fn set_mtu(&mut self, _: u32) -> Result<(), DevError> {
        Ok(())
    }
    fn link(&self) -> Link {
        Link::default()
    }
    fn set_admin_up(&mut self, _: bool) -> Result<(), DevError> {
        Ok(())
    }
    fn stats(&self) -> NetdevStats {
        NetdevStats::default()
    }
    fn ifindex(&self) -> Option<u32> {
        None
    }
    fn set_options(&mut self, _: &BTreeMap<String, String>) -> Result<(), String> {
        Ok(())
    }
    fn change_seq(&self) -> u64 {
        0
    }
}

fn frame(src: u32, dst: u32, sport: u16, dport: u16) -> [u8; 64] {
    let mut f = [0; 64];
    f[..14].copy_from_slice(&[0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 1, 8, 0]);
    f[14..24].copy_from_slice(&[0x45, 0, 0, 50, 0, 0, 0, 0, 64, 17]);
    f[26..30].copy_from_slice(&src.to_be_bytes());
    f[30..34].copy_from_slice(&dst.to_be_bytes());
    f[34..36].copy_from_slice(&sport.to_be_bytes());
    f[36..38].copy_from_slice(&dport.to_be_bytes());
    f[38..40].copy_from_slice(&30u16.to_be_bytes());
    f
}

/// `n` connections, in an order that no cache likes.
fn connections(n: usize) -> Vec<[u8; 64]> {
    let mut frames: Vec<_> =
        (0..n as u32).map(|i| frame(0x0a00_0001 + i, 0x1400_0001 + i / 16, 1000 + i as u16, 53)).collect();
    let mut state = 1u64;
    for i in (1..frames.len()).rev() {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        frames.swap(i, (state >> 33) as usize % (i + 1));
    }
    frames
}

fn exploding() -> Vec<[u8; 64]> {
    let mut frames = Vec::new();
    for i in (0..32).rev() {
        for j in (0..16).rev() {
            for k in (0..16).rev() {
                frames.push(frame(1 << i, 1 << j, 9, 1 << k));
            }
        }
    }
    frames
}

fn measure(name: &str, frames: Vec<[u8; 64]>, masks: Masks, actions: &str) {
    let clock = Clock::real();
    let n = frames.len();
    let frames = Arc::new(frames);
    // The device alone.
    let mut ring = Ring { frames: frames.clone(), at: 0 };
    let (mut pool, mut out, mut sink) = (PacketPool::default(), Vec::new(), Sink::default());
    let rounds = 100_000;
    let device = best(&clock, rounds, || {
        for _ in 0..rounds / 32 {
            let _ = ring.recv(32, &mut pool, &mut out);
            for p in out.drain(..) {
                sink.send(p.buf.data(), &p.offload);
                pool.put(p);
            }
        }
    });
    let actions = dpif::parse_actions(actions, None).unwrap_or_default();
    let mut dp = Datapath::new(Arc::new(Table { masks, actions, generation: 1 }), clock.clone(), None);
    dp.add_port(DpPort(0), Box::new(Dev(Some(frames)))).expect("a new port");
    dp.add_port(DpPort(1), Box::new(Dev(None))).expect("a new port");
    let start = clock.real_now();
    for _ in 0..n.div_ceil(32) {
        dp.poll();
    }
    let cold = (clock.real_now() - start).as_nanos() as f64 / (n.div_ceil(32) * 32) as f64;
    for _ in 0..8 * n.div_ceil(32) {
        dp.poll();
    }
    let ns = best(&clock, rounds, || {
        for _ in 0..rounds / 32 {
            dp.poll();
        }
    });
    let s = dp.stats();
    println!(
        "{name:<34} {:>7.1} ns/packet (device {device:.1} off)  first {cold:>7.0} ns  flows {:>6}  masks {:>3}  missed {}",
        ns - device,
        s.flows,
        s.masks,
        s.missed
    );
}

/// Best of several runs, in ns per packet.
fn best(clock: &Clock, packets: usize, mut f: impl FnMut()) -> f64 {
    (0..7)
        .map(|_| {
            let start = clock.real_now();
            f();
            (clock.real_now() - start).as_nanos() as f64 / (packets / 32 * 32) as f64
        })
        .fold(f64::MAX, f64::min)
}

fn main() {
    if std::env::args().nth(1).is_some() {
        return measure("1,000 flows", connections(1000), Masks::Connection, "1");
    }
    measure("1 flow", connections(1), Masks::Connection, "1");
    measure("1,000 connections, one megaflow", connections(1000), Masks::One, "1");
    measure("1,000 flows", connections(1000), Masks::Connection, "1");
    measure("100,000 flows", connections(100_000), Masks::Connection, "1");
    measure("8,192 masks asked for", exploding(), Masks::Exploding, "1");
    let rewrite = "set(eth(dst=00:00:00:00:00:09)),set(ipv4(dst=9.9.9.9,ttl=63)),set(udp(dst=9002)),1";
    measure("1,000 flows, addresses rewritten", connections(1000), Masks::Connection, rewrite);
    measure("1,000 flows, VLAN pushed", connections(1000), Masks::Connection, "push_vlan(vid=5,pcp=0),1");
}
