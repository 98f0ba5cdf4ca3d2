//! The classifier against a plain list of rules.

use crate::{Classifier, Config, Entry};
use flow::{Field, FlowKey, Mask, Match, MiniMatch};
use std::sync::Arc;

#[derive(Debug)]
struct Rule {
    m: MiniMatch,
    priority: u32,
    id: u64,
}

type R = Arc<Rule>;

impl Entry for R {
    fn matching(&self) -> &MiniMatch {
        &self.m
    }
    fn priority(&self) -> u32 {
        self.priority
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
    fn below(&mut self, n: u64) -> u64 {
        (self.next() >> 11) % n
    }
}

/// Fields over all stages, few values each, so that rules meet.
const FIELDS: &[(Field, &[u128])] = &[
    (Field::IN_PORT, &[1, 2, 3]),
    (Field::METADATA, &[0, 7, 0x0001_0000_0000_0000]),
    (Field::TUN_ID, &[5, 6]),
    (Field::ETH_SRC, &[0x0000_0000_0001, 0x0200_0000_0001, 0x0000_0000_0003]),
    (Field::ETH_DST, &[0xffff_ffff_ffff, 0x0100_0000_0000]),
    (Field::VLAN_TCI, &[0, 0x1001, 0x1002]),
    (Field::ETH_TYPE, &[0x800, 0x806]),
    (Field::IP_SRC, &[0x0a00_0001, 0x0a00_0002, 0x0a01_0001, 0xc0a8_0001, 0]),
    (Field::IP_DST, &[0x0a00_0001, 0x0a80_0002, 0x0b01_0001, 0xc0a8_0001, 0]),
    (
        Field::IPV6_DST,
        &[1, 0xfe80_0000_0000_0000_0000_0000_0000_0001, 0x2001_0000_0000_0000_0000_0000_0000_0000],
    ),
    (Field::IP_PROTO, &[1, 6, 17]),
    (Field::TCP_SRC, &[80, 81, 0x8000]),
    (Field::TCP_DST, &[80, 443, 5000]),
    (Field::TCP_FLAGS, &[2, 16]),
    (Field::ARP_SHA, &[1, 2]),
    (Field::reg(0), &[0, 1]),
];

fn pick(rng: &mut Rng, values: &[u128]) -> u128 {
    values[rng.below(values.len() as u64) as usize]
}

fn random_key(rng: &mut Rng) -> FlowKey {
    let mut key = FlowKey::default();
    for (f, values) in FIELDS {
        key.set(*f, pick(rng, values));
    }
    key
}

fn random_match(rng: &mut Rng) -> Match {
    let mut m = Match::any();
    let density = 1 + rng.below(6);
    for (f, values) in FIELDS {
        if rng.below(FIELDS.len() as u64) >= density {
            continue;
        }
        let bits = f.info().bits;
        let ones = if bits >= 128 { u128::MAX } else { (1 << bits) - 1 };
        let mask = match rng.below(6) {
            0 | 1 if bits >= 32 => ones & !(ones >> rng.below(u64::from(bits)).max(1)),
            2 => ones & u128::from(rng.next() | rng.next()),
            _ => ones,
        };
        m.set_masked(*f, pick(rng, values) & mask, mask);
    }
    m
}

fn naive<'a>(rules: &'a [R], key: &FlowKey) -> Option<&'a R> {
    rules.iter().filter(|r| r.m.matches(key)).max_by_key(|r| r.priority)
}

fn priority_of(r: Option<&R>) -> Option<u32> {
    r.map(|r| r.priority)
}

/// Another key that agrees with `key` under `mask`.
fn mutate(rng: &mut Rng, key: &FlowKey, mask: &Mask) -> FlowKey {
    let mut other = random_key(rng);
    if rng.below(2) == 0 {
        for w in &mut other.words {
            *w ^= rng.next() & rng.next() & rng.next();
        }
    }
    for ((o, k), m) in other.words.iter_mut().zip(&key.words).zip(mask.words()) {
        *o = (*o & !m) | (k & m);
    }
    other
}

fn check_lookups(c: &Classifier<R>, model: &[R], rng: &mut Rng, n: usize) {
    for _ in 0..n {
        let key = random_key(rng);
        let mut mask = Mask::default();
        let got = c.lookup(&key, Some(&mut mask));
        let want = naive(model, &key);
        assert_eq!(priority_of(got), priority_of(want));
        assert_eq!(priority_of(c.lookup(&key, None)), priority_of(want));
        // What filters rule out, subtables would have ruled out by the same bits.
        let mut without = Mask::default();
        assert_eq!(c.lookup_unfiltered(&key, &mut without).map(|r| r.id), got.map(|r| r.id));
        assert_eq!(without, mask);
        if let Some(got) = got {
            assert!(got.m.matches(&key));
            assert!(model.iter().any(|r| r.id == got.id), "a rule that is not there any more");
        }
        for _ in 0..4 {
            let other = mutate(rng, &key, &mask);
            assert_eq!(
                priority_of(naive(model, &other)),
                priority_of(want),
                "unsound mask {mask:?} for {key:?}: {other:?} differs"
            );
            assert_eq!(c.lookup(&other, None).map(|r| r.id), got.map(|r| r.id));
        }
    }
}

/// Level by level, as conjunctive matches are looked up; the mask covers the whole walk.
fn levels(c: &Classifier<R>, key: &FlowKey, mask: &mut Mask) -> Vec<(u32, Vec<u64>)> {
    let mut all = Vec::new();
    let mut level = Vec::new();
    let mut limit = u32::MAX;
    while let Some(priority) = c.lookup_level(key, limit, Some(mask), &mut level) {
        let mut ids: Vec<u64> = level.iter().map(|r| r.id).collect();
        ids.sort_unstable();
        all.push((priority, ids));
        let Some(next) = priority.checked_sub(1) else { break };
        limit = next;
    }
    all
}

#[test]
fn levels_of_matching_rules() {
    for seed in 1..8u64 {
        let mut rng = Rng(seed * 0x9e37_79b9);
        let mut c = Classifier::new(&Config { seed: rng.next(), ..Config::default() });
        let mut model: Vec<R> = Vec::new();
        for id in 0..200 {
            let r = random_rule(&mut rng, id, 6);
            model.retain(|o| !(o.m == r.m && o.priority == r.priority));
            model.push(r.clone());
            c.insert(r);
        }
        for _ in 0..100 {
            let key = random_key(&mut rng);
            let mut mask = Mask::default();
            let got = levels(&c, &key, &mut mask);
            let mut want: Vec<(u32, Vec<u64>)> = Vec::new();
            for priority in (0..6).rev() {
                let fits = |r: &&R| r.priority == priority && r.m.matches(&key);
                let mut ids: Vec<u64> = model.iter().filter(fits).map(|r| r.id).collect();
                ids.sort_unstable();
                if !ids.is_empty() {
                    want.push((priority, ids));
                }
            }
            assert_eq!(got, want);
            let other = mutate(&mut rng, &key, &mask);
            assert_eq!(levels(&c, &other, &mut Mask::default()), want, "unsound mask");
        }
    }
}

fn random_rule(rng: &mut Rng, id: u64, priorities: u64) -> R {
    let m = MiniMatch::new(&random_match(rng));
    Arc::new(Rule { m, priority: rng.below(priorities) as u32, id })
}

#[test]
fn agrees_with_a_list() {
    let all = [Field::IP_DST, Field::IP_SRC, Field::IPV6_DST, Field::TUN_ID];
    let configs: [&[Field]; 3] = [&all, &[], &[Field::IPV6_DST]];
    for (round, prefixes) in configs.iter().enumerate() {
        for (n, priorities) in [(20u64, 1u64 << 16), (150, 5), (400, 70_000)] {
            let mut rng = Rng(0x9e37_79b9_7f4a_7c15 ^ (round as u64) << 8 ^ n);
            let config = Config { prefixes: prefixes.to_vec(), seed: rng.next() };
            let mut c = Classifier::new(&config);
            let mut model: Vec<R> = Vec::new();
            for id in 0..3 * n {
                let grow = if id < n * 2 { 8 } else { 3 };
                if rng.below(10) < grow || model.is_empty() {
                    let r = if rng.below(8) == 0 && !model.is_empty() {
                        // The like of one that is there: replaces it.
                        let old = &model[rng.below(model.len() as u64) as usize];
                        Arc::new(Rule { m: old.m.clone(), priority: old.priority, id })
                    } else {
                        random_rule(&mut rng, id, priorities)
                    };
                    let old = model.iter().position(|o| o.m == r.m && o.priority == r.priority);
                    let old = old.map(|i| model.swap_remove(i));
                    model.push(r.clone());
                    assert_eq!(c.insert(r).map(|r| r.id), old.map(|r| r.id));
                } else {
                    let old = model.swap_remove(rng.below(model.len() as u64) as usize);
                    assert_eq!(c.find_exact(&old.m, old.priority).map(|r| r.id), Some(old.id));
                    assert_eq!(c.remove(&old.m, old.priority).map(|r| r.id), Some(old.id));
                    assert!(c.remove(&old.m, old.priority).is_none());
                }
                assert_eq!(c.len(), model.len());
            }
            check_lookups(&c, &model, &mut rng, 120);
            check_sets(&c, &model, &mut rng);
            c.set_prefixes(&[Field::IP_SRC, Field::IP_DST]);
            check_lookups(&c, &model, &mut rng, 60);
            for r in model.drain(..) {
                assert!(c.remove(&r.m, r.priority).is_some());
            }
            assert!(c.is_empty() && c.n_masks() == 0);
        }
    }
}

/// Iteration, loose matching and overlaps against the list.
fn check_sets(c: &Classifier<R>, model: &[R], rng: &mut Rng) {
    fn ids<'a>(rules: impl Iterator<Item = &'a R>) -> Vec<u64> {
        let mut v: Vec<u64> = rules.map(|r| r.id).collect();
        v.sort_unstable();
        v
    }
    assert_eq!(ids(c.iter()), ids(model.iter()));
    let mut filters: Vec<MiniMatch> = (0..60).map(|_| MiniMatch::new(&random_match(rng))).collect();
    filters.push(MiniMatch::default());
    filters.extend(model.iter().take(40).map(|r| r.m.clone()));
    for f in &filters {
        assert_eq!(ids(c.covered_by(f)), ids(model.iter().filter(|r| r.m.is_within(f))));
        let (mut walked, mut at) = (Vec::new(), crate::Cursor::default());
        while c.walk_covered(f, &mut at, |r| walked.push(r.id)) {}
        assert!(walked.iter().eq(c.covered_by(f).map(|r| &r.id)));
        for p in [0, 1, 4, model.first().map_or(0, |r| r.priority)] {
            let want = ids(model.iter().filter(|r| r.priority == p && r.m.overlaps(f)));
            assert_eq!(ids(c.overlapping(f, p)), want);
            assert_eq!(c.overlaps(f, p), !want.is_empty());
        }
    }
}

/// A snapshot never sees later changes.
#[test]
fn snapshots_stay_as_they_were() {
    let mut rng = Rng(77);
    let mut c = Classifier::default();
    let mut model: Vec<R> = Vec::new();
    let mut kept = Vec::new();
    for id in 0..600 {
        if rng.below(3) > 0 || model.is_empty() {
            let r = random_rule(&mut rng, id, 100);
            model.retain(|o| o.m != r.m || o.priority != r.priority);
            model.push(r.clone());
            c.insert(r);
        } else {
            let old = model.swap_remove(rng.below(model.len() as u64) as usize);
            c.remove(&old.m, old.priority);
        }
        if id % 60 == 0 {
            kept.push((c.clone(), model.clone()));
            assert!(c.is_same(&kept[kept.len() - 1].0));
        }
    }
    c.clear();
    assert!(c.is_empty() && c.lookup(&random_key(&mut rng), None).is_none());
    for (snapshot, model) in &kept {
        assert_eq!(snapshot.len(), model.len());
        check_lookups(snapshot, model, &mut rng, 30);
        check_sets(snapshot, model, &mut rng);
    }
}

fn one(fields: &[(Field, u128, u128)], priority: u32) -> R {
    let mut m = Match::any();
    for (f, v, mask) in fields {
        m.set_masked(*f, *v, *mask);
    }
    Arc::new(Rule { m: MiniMatch::new(&m), priority, id: u64::from(priority) })
}

const ALL: u128 = u128::MAX;

/// The bits looked at, in cases recorded from the reference switch (`ofproto/trace`'s Megaflow line).
#[test]
fn masks_are_as_narrow_as_the_references() {
    use Field as F;
    /// Field, value, mask.
    type Fields = &'static [(Field, u128, u128)];
    struct Case {
        rules: &'static [(Fields, u32)],
        key: &'static [(Field, u128)],
        looked_at: &'static [(Field, u128)],
    }
    const REG0: Field = F::reg(0);
    const IP: (Field, u128, u128) = (F::ETH_TYPE, 0x800, ALL);
    const TCP: (Field, u128, u128) = (F::IP_PROTO, 6, ALL);
    const ONES16: u128 = 0xffff;
    const IP_KEY: (Field, u128) = (F::ETH_TYPE, 0x800);
    const TCP_KEY: (Field, u128) = (F::IP_PROTO, 6);
    let cases = [
        // arp,arp_op=1,arp_sha=aa:..: another opcode leaves the hardware address alone.
        Case {
            rules: &[(&[(F::ETH_TYPE, 0x806, ALL), (F::ARP_OP, 1, ALL), (F::ARP_SHA, 0xaa, ALL)], 10)],
            key: &[(F::ETH_TYPE, 0x806), (F::ARP_OP, 2), (F::ARP_SHA, 0xbb)],
            looked_at: &[(F::ETH_TYPE, ONES16), (F::IP_PROTO, 0xff)],
        },
        Case {
            rules: &[(&[IP, TCP, (F::TCP_DST, 80, ALL)], 10)],
            key: &[IP_KEY, TCP_KEY, (F::TCP_DST, 5000), (F::TCP_SRC, 3333)],
            looked_at: &[(F::ETH_TYPE, ONES16), (F::IP_PROTO, 0xff), (F::TCP_DST, 0xf000)],
        },
        Case {
            rules: &[(&[IP, TCP, (F::TCP_DST, 80, ALL)], 10)],
            key: &[IP_KEY, TCP_KEY, (F::TCP_DST, 81)],
            looked_at: &[(F::ETH_TYPE, ONES16), (F::IP_PROTO, 0xff), (F::TCP_DST, ONES16)],
        },
        Case {
            rules: &[(&[IP, TCP, (F::TCP_DST, 80, ALL), (F::TCP_FLAGS, 2, 2)], 10)],
            key: &[IP_KEY, TCP_KEY, (F::TCP_DST, 5000)],
            looked_at: &[(F::ETH_TYPE, ONES16), (F::IP_PROTO, 0xff), (F::TCP_FLAGS, 2), (F::TCP_DST, 0xf000)],
        },
        Case {
            rules: &[(&[IP, TCP, (F::TCP_DST, 80, ALL), (F::TCP_SRC, 5, ALL)], 10)],
            key: &[IP_KEY, TCP_KEY, (F::TCP_DST, 5000), (F::TCP_SRC, 5)],
            looked_at: &[
                (F::ETH_TYPE, ONES16),
                (F::IP_PROTO, 0xff),
                (F::TCP_SRC, ONES16),
                (F::TCP_DST, 0xf000),
            ],
        },
        Case {
            rules: &[
                (&[IP, (F::IP_DST, 0x0a00_0000, 0xff00_0000)], 8),
                (&[IP, (F::IP_DST, 0x0a01_0203, ALL)], 9),
            ],
            key: &[IP_KEY, (F::IP_DST, 0x0a00_0001)],
            looked_at: &[(F::ETH_TYPE, ONES16), (F::IP_DST, 0xffff_0000)],
        },
        Case {
            rules: &[
                (&[IP, (F::IP_DST, 0x0a00_0000, 0xff00_0000)], 10),
                (&[IP, (F::IP_DST, 0x0a01_0203, ALL)], 9),
            ],
            key: &[IP_KEY, (F::IP_DST, 0xc000_0001)],
            looked_at: &[(F::ETH_TYPE, ONES16), (F::IP_DST, 0x8000_0000)],
        },
        // The destination is as it should be, the source not: only the source was decisive.
        Case {
            rules: &[(&[IP, (F::IP_DST, 0x0a00_0000, 0xff00_0000), (F::IP_SRC, 0x0102_0304, ALL)], 8)],
            key: &[IP_KEY, (F::IP_DST, 0x0a00_0001), (F::IP_SRC, 0x0202_0304)],
            looked_at: &[(F::ETH_TYPE, ONES16), (F::IP_SRC, 0xfe00_0000)],
        },
        Case {
            rules: &[(&[IP, (F::ETH_SRC, 5, ALL), (F::IP_SRC, 0x0102_0304, ALL)], 8)],
            key: &[IP_KEY, (F::ETH_SRC, 4), (F::IP_SRC, 0x0102_0305)],
            looked_at: &[(F::ETH_TYPE, ONES16), (F::ETH_SRC, 0xffff_ffff_ffff)],
        },
        Case {
            rules: &[(&[(REG0, 5, ALL), (F::ETH_SRC, 5, ALL)], 8)],
            key: &[(F::ETH_SRC, 5)],
            looked_at: &[(REG0, 0xffff_ffff)],
        },
        // A match of higher priority ends the search.
        Case {
            rules: &[(&[(F::IN_PORT, 1, ALL)], 9), (&[(F::ETH_SRC, 5, ALL)], 8)],
            key: &[(F::IN_PORT, 1), (F::ETH_SRC, 5)],
            looked_at: &[(F::IN_PORT, 0xffff)],
        },
    ];
    for (i, case) in cases.iter().enumerate() {
        let mut c = Classifier::default();
        for (fields, priority) in case.rules {
            c.insert(one(fields, *priority));
        }
        let mut key = FlowKey::default();
        case.key.iter().for_each(|(f, v)| key.set(*f, *v));
        let mut mask = Mask::default();
        c.lookup(&key, Some(&mut mask));
        let mut want = Mask::default();
        case.looked_at.iter().for_each(|(f, m)| want.set(*f, *m));
        assert_eq!(mask, want, "case {i}");
    }
}
