//! What lookups and changes cost: `cargo run --release -p classifier --example classify`.
//!
//! For tables of several sizes and numbers of masks: bytes per rule of the index alone (matches and rules not
//! counted; measured as growth of the process, so with the allocator's own overhead), microseconds per insertion
//! and removal, the same with a snapshot taken after every single one, and nanoseconds per lookup with the mask
//! reported and without.

use base::Clock;
use classifier::{Classifier, Entry};
use flow::{Field, FlowKey, Mask, Match, MiniMatch};
use std::hint::black_box;
use std::sync::Arc;

struct Rule {
    m: MiniMatch,
    priority: u32,
}

#[derive(Clone)]
struct R(Arc<Rule>);

impl Entry for R {
    fn matching(&self) -> &MiniMatch {
        &self.0.m
    }
    fn priority(&self) -> u32 {
        self.0.priority
    }
}

struct Rng(u64);

impl Rng {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

/// Resident memory in bytes.
fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    statm.split(' ').nth(1).and_then(|p| p.parse::<u64>().ok()).unwrap_or(0) * 4096
}

fn rule(rng: &mut Rng, n: u64, n_masks: u64) -> R {
    let mut m = Match::any();
    m.set(Field::IN_PORT_OXM, u128::from(rng.next() % 16));
    m.set(Field::ETH_TYPE, 0x800);
    m.set(Field::IP_PROTO, 6);
    m.set(Field::TCP_DST, u128::from(rng.next() % 65536));
    // A mask of its own for each of `n_masks` kinds of rule: bits of metadata that are looked at.
    let kind = n % n_masks;
    if n_masks > 1 {
        m.set_masked(Field::METADATA, u128::from(rng.next()), u128::from(kind * 2 + 1));
    }
    m.set(Field::IP_DST, u128::from(0x0a00_0000 + n as u32));
    R(Arc::new(Rule { m: MiniMatch::new(&m), priority: 1000 + (kind as u32) % 7 }))
}

fn key_for(r: &R) -> FlowKey {
    let mut key = r.0.m.expand().key;
    key.set(Field::TCP_SRC, 1234);
    key
}

fn per(clock: &Clock, n: usize, mut f: impl FnMut(usize)) -> f64 {
    let t = clock.real_now();
    (0..n).for_each(&mut f);
    clock.real_now().since(t).as_nanos() as f64 / n as f64
}

fn main() {
    let clock = Clock::real();
    println!(
        "rules    masks  B/rule  insert us  remove us  with snapshot us  lookup ns (hit)  with mask  miss"
    );
    for (n, n_masks) in
        [(1_000usize, 1u64), (1_000, 100), (100_000, 1), (100_000, 100), (100_000, 1000), (1_000_000, 10)]
    {
        let mut rng = Rng(0x1234_5678_9abc_def1);
        let rules: Vec<R> = (0..n as u64).map(|i| rule(&mut rng, i, n_masks)).collect();
        let before = resident();
        let mut c = Classifier::default();
        let insert = per(&clock, n, |i| drop(c.insert(rules[i].clone())));
        let bytes = resident().saturating_sub(before) as f64 / n as f64;
        let keys: Vec<FlowKey> = (0..1000).map(|_| key_for(&rules[rng.next() as usize % n])).collect();
        let lookups = 200_000 / n_masks as usize;
        let hit = per(&clock, lookups, |i| {
            black_box(c.lookup(black_box(&keys[i % keys.len()]), None));
        });
        let mut mask = Mask::default();
        let masked = per(&clock, lookups, |i| {
            black_box(c.lookup(black_box(&keys[i % keys.len()]), Some(&mut mask)));
        });
        let misses: Vec<FlowKey> = keys
            .iter()
            .map(|k| {
                let mut k = k.clone();
                k.set(Field::IN_PORT_OXM, 99);
                k
            })
            .collect();
        let miss = per(&clock, lookups, |i| {
            black_box(c.lookup(black_box(&misses[i % misses.len()]), Some(&mut mask)));
        });
        let few = n.min(10_000);
        let snapshots = per(&clock, few, |i| {
            let snapshot = c.clone();
            drop(c.remove(&rules[i].0.m, rules[i].0.priority));
            drop(c.insert(rules[i].clone()));
            drop(snapshot);
        });
        let remove = per(&clock, n, |i| drop(c.remove(&rules[i].0.m, rules[i].0.priority)));
        println!(
            "{n:<8} {n_masks:<6} {bytes:6.0} {:10.3} {:10.3} {:17.3} {hit:16.0} {masked:10.0} {miss:5.0}",
            insert / 1000.0,
            remove / 1000.0,
            snapshots / 1000.0,
        );
    }
}
