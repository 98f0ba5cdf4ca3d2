//! Caches, statistics, revalidation, expiry.

use super::mini::{Bench, Rule, ipv4};
use crate::{Event, Pipeline};
use base::DpPort;
use dpif::netdev::TxCaps;
use dpif::{Datapath as _, DpError, PutMode, format_actions};
use flow::{Field, FlowKey, Mask};
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

fn bench(rules: Vec<Rule>) -> Bench {
    Bench::new(4, TxCaps::default(), rules)
}

fn udp(n: u32) -> Vec<u8> {
    let [a, b, c, d] = n.to_be_bytes();
    ipv4(17, [10, b, c, d], [20, a, c, d], (n as u16, 53), b"hello")
}

#[test]
fn second_packet_is_a_hit_and_counts() {
    let mut b = bench(vec![Rule::new(&[(Field::IN_PORT, 0)], "1,2")]);
    let f = udp(1);
    for _ in 0..3 {
        let out = b.pass(0, &f);
        assert_eq!(out, [vec![], vec![f.clone()], vec![f.clone()], vec![]]);
    }
    let s = b.dp.stats();
    assert_eq!((s.hit, s.missed, s.flows, s.masks), (2, 1, 1, 1));
    let flows = b.dp.dump_flows();
    // The first packet is not the megaflow's.
    assert_eq!((flows[0].stats.packets, flows[0].stats.bytes), (2, 2 * f.len() as u64));
    assert_eq!(format_actions(&flows[0].actions, None), "1,2");
    assert_eq!(b.dp.flow(flows[0].ufid).unwrap().stats, flows[0].stats);
    let count = b.mini.rules[0].count.clone();
    assert_eq!(count.get(), (1, f.len() as u64));
    b.dp.push_stats(&mut |_, _, _, _| {});
    b.dp.push_stats(&mut |_, _, _, _| {});
    assert_eq!(count.get(), (3, 3 * f.len() as u64));
    assert_eq!(b.mini.translations.load(Relaxed), 1);
}

#[test]
fn every_packet_is_treated_as_translation_says() {
    // Rules that overlap in many ways, many flows, and rules that come and go.
    let mut seed = 7u64;
    let mut random = move |n: u64| {
        seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (seed >> 33) % n
    };
    let mut b = bench(Vec::new());
    b.dp.tunables().check_every.store(3, Relaxed);
    let mut sent = 0;
    for round in 0..60 {
        b.change(|m| {
            m.rules.clear();
            for _ in 0..random(6) {
                let mut fields = vec![(Field::IN_PORT, u128::from(random(2)))];
                if random(2) == 0 {
                    fields.push((Field::ETH_TYPE, 0x0800));
                    fields.push((Field::IP_DST, u128::from(0x1400_0000 | random(8))));
                }
                if random(3) == 0 {
                    fields.push((Field::NW_TTL, 64));
                }
                let out = format!("{}", 1 + random(3));
                m.rules.push(Rule::new(&fields, if random(4) == 0 { "drop" } else { &out }));
            }
        });
        for _ in 0..40 {
            let f = udp(random(8) as u32);
            let mut key = FlowKey::default();
            let mut packet = wire::Packet::default();
            packet.buf.fill(&f);
            crate::extract::extract(&packet, &crate::Meta::received(DpPort(0)), 1, &mut key, &mut 0);
            let t = b.mini.translate(&key, f.len(), b.clock.now());
            let want: Vec<usize> = t
                .actions
                .iter()
                .map(|a| match a {
                    dpif::DpAction::Output(p) => p.0 as usize,
                    _ => unreachable!("only outputs here"),
                })
                .collect();
            let out = b.pass(0, &f);
            let got: Vec<usize> = (0..4).filter(|i| !out[*i].is_empty()).collect();
            assert_eq!(got, want, "round {round}");
            sent += 1;
        }
    }
    let c = b.dp.counters().next().unwrap();
    assert_eq!(c.mismatches.load(Relaxed), 0);
    assert!(c.checked.load(Relaxed) > 50 && c.revalidated.load(Relaxed) > 50);
    let s = b.dp.stats();
    assert_eq!(s.hit + s.missed, sent);
}

#[test]
fn a_check_finds_a_wrong_megaflow() {
    let mut b = bench(vec![Rule::new(&[(Field::IN_PORT, 0)], "1")]);
    b.dp.tunables().check_every.store(1, Relaxed);
    b.pass(0, &udp(1));
    // The rules change, and the snapshot says that nothing did.
    b.mini.rules[0].actions = dpif::parse_actions("2", None).unwrap();
    b.mini.generation += 1;
    b.dp.publish(std::sync::Arc::new(b.mini.clone()));
    b.pass(0, &udp(1));
    b.pass(0, &udp(1));
    let wrong = b.dp.counters().next().unwrap().mismatches.load(Relaxed);
    assert_eq!(wrong, 1);
    assert!(matches!(b.dp.next_event(), Some(Event::Mismatch(_))));
    assert_eq!(b.pass(0, &udp(1))[2].len(), 1);
}

#[test]
fn a_change_is_seen_by_the_next_packet_and_counts_stay_apart() {
    let mut b = bench(vec![Rule::new(&[(Field::IN_PORT, 0)], "1")]);
    let f = udp(1);
    for _ in 0..4 {
        b.pass(0, &f);
    }
    let old = b.mini.rules[0].count.clone();
    b.change(|m| m.rules = vec![Rule::new(&[(Field::IN_PORT, 0)], "3")]);
    assert_eq!(b.pass(0, &f)[3].len(), 1);
    assert_eq!(b.pass(0, &f)[3].len(), 1);
    b.dp.push_stats(&mut |_, _, _, _| {});
    assert_eq!(old.get().0, 4);
    assert_eq!(b.mini.rules[0].count.get().0, 2);
    // It is still the same megaflow.
    let flows = b.dp.dump_flows();
    assert_eq!((flows.len(), flows[0].stats.packets), (1, 5));
    // A rule that needs a narrower mask makes another.
    b.change(|m| {
        let narrow = Rule::new(&[(Field::ETH_TYPE, 0x800), (Field::IP_PROTO, 17)], "2");
        m.rules.insert(0, narrow);
    });
    assert_eq!(b.pass(0, &f)[2].len(), 1);
    let flows = b.dp.dump_flows();
    assert_eq!((flows.len(), flows[0].stats.packets), (1, 0));
    b.dp.push_stats(&mut |_, _, _, _| {});
    assert_eq!(b.mini.rules[1].count.get().0, 2, "the old one was credited before it went");
}

#[test]
fn unrelated_changes_do_not_translate_again() {
    let mut b = bench(vec![Rule::new(&[(Field::IN_PORT, 0)], "1")]);
    b.pass(0, &udp(1));
    for _ in 0..10 {
        b.mini.generation += 1;
        b.dp.publish(std::sync::Arc::new(b.mini.clone()));
        b.pass(0, &udp(1));
    }
    assert_eq!(b.mini.translations.load(Relaxed), 1);
}

#[test]
fn idle_flows_are_brought_up_to_date_when_asked() {
    let mut b = bench(vec![Rule::new(&[(Field::IN_PORT, 0)], "1")]);
    for n in 0..600 {
        b.wires[0].inject(&udp(n));
    }
    b.run();
    b.change(|m| m.rules[0].actions.clear());
    b.dp.revalidate();
    assert!(b.dp.dump_flows().iter().all(|f| f.actions.is_empty()));
    b.change(|m| m.rules.insert(0, Rule::new(&[(Field::IP_PROTO, 17)], "1")));
    b.dp.revalidate();
    assert_eq!(b.dp.dump_flows().len(), 0, "their masks were too wide");
}

#[test]
fn expiry_goes_by_use() {
    let mut b = bench(vec![Rule::new(&[(Field::IN_PORT, 0), (Field::IP_PROTO, 17)], "1")]);
    b.mini.rules.push(Rule::new(&[(Field::IN_PORT, 1)], "0"));
    b.change(|_| {});
    b.pass(0, &udp(1));
    b.pass(1, &udp(1));
    b.clock.warp(Duration::from_secs(8));
    b.pass(0, &udp(1));
    b.clock.warp(Duration::from_secs(4));
    assert_eq!(b.dp.expire(Duration::from_secs(10)), 1);
    let left = b.dp.dump_flows();
    assert_eq!((left.len(), left[0].key.dp_port()), (1, DpPort(0)));
    assert_eq!(left[0].stats.used, Some(base::Time(b.clock.now().0 - 4_000_000_000)));
    b.clock.warp(Duration::from_secs(11));
    assert_eq!(b.dp.expire(Duration::from_secs(10)), 0);
    b.dp.push_stats(&mut |_, _, _, _| {});
    assert_eq!(b.mini.rules[0].count.get().0, 2, "the last packets were credited");
    assert_eq!(b.dp.stats().flows, 0);
    assert_eq!(b.pass(0, &udp(1))[1].len(), 1);
}

#[test]
fn a_full_table_still_forwards_and_counts() {
    let mut b = bench(vec![Rule::new(&[(Field::IN_PORT, 0), (Field::IP_SRC, 0)], "2")]);
    b.mini.rules.push(Rule::new(&[(Field::IN_PORT, 0)], "1"));
    b.change(|_| {});
    b.dp.tunables().flow_limit.store(10, Relaxed);
    for n in 0..50 {
        assert_eq!(b.pass(0, &udp(n))[1].len(), 1);
    }
    assert_eq!(b.dp.stats().flows, 10);
    b.dp.push_stats(&mut |_, _, _, _| {});
    assert_eq!(b.mini.rules[1].count.get().0, 50);
}

#[test]
fn effects_for_the_control_thread_come_once_per_translation() {
    let mut b = bench(vec![Rule::new(&[(Field::IN_PORT, 0)], "1")]);
    b.change(|m| m.learns = true);
    for _ in 0..5 {
        b.pass(0, &udp(1));
    }
    let mut n = 0;
    while let Some(e) = b.dp.next_event() {
        assert!(matches!(e, Event::Effects { .. }));
        n += 1;
    }
    assert_eq!(n, 1);
    let mut again = 0;
    b.dp.push_stats(&mut |_, f, _, _| {
        assert_eq!(f.counts().0, 4);
        again += 1;
    });
    assert_eq!(again, 1);
}

#[test]
fn thousands_of_masks_stay_bounded() {
    let mut b = bench(vec![Rule::new(&[(Field::IN_PORT, 0)], "1")]);
    b.change(|m| m.explode = true);
    // A victim on another port.
    let victim = udp(77);
    b.pass(1, &victim);
    let mut n = 0u32;
    for i in (0..32).rev() {
        for j in (0..16).rev() {
            for k in (0..16).rev() {
                let f = ipv4(17, (1u32 << i).to_be_bytes(), (1u32 << j).to_be_bytes(), (9, 1u16 << k), b"");
                b.wires[0].inject(&f);
                n += 1;
            }
        }
        b.run();
    }
    assert_eq!(n, 8192);
    assert_eq!(b.wires[1].sent().len(), 8192);
    let s = b.dp.stats();
    assert!(s.masks <= crate::search::MAX_MASKS as u64 + 2, "{s:?}");
    assert!(b.dp.narrowed() > 7000);
    // A packet of a new connection costs a bounded number of probes, on the attacked port and on another.
    let c = b.dp.counters().next().unwrap();
    let probed = c.probed.load(Relaxed);
    b.wires[0].inject(&ipv4(17, [9, 9, 9, 9], [1, 2, 3, 4], (1, 2), b""));
    b.run();
    let c = b.dp.counters().next().unwrap();
    assert!(c.probed.load(Relaxed) - probed <= crate::search::MAX_MASKS as u64 + 1);
    let probed = c.probed.load(Relaxed);
    b.wires[1].inject(&ipv4(17, [9, 9, 9, 9], [1, 2, 3, 4], (1, 2), b""));
    b.run();
    assert!(b.dp.counters().next().unwrap().probed.load(Relaxed) - probed <= 2);
    // And what is known is found by its hash.
    let hits = b.dp.counters().next().unwrap().exact_hits.load(Relaxed);
    b.wires[0].inject(&ipv4(17, [9, 9, 9, 9], [1, 2, 3, 4], (1, 2), b""));
    b.run();
    assert_eq!(b.dp.counters().next().unwrap().exact_hits.load(Relaxed), hits + 1);
}

#[test]
fn flows_by_hand() {
    let mut b = bench(Vec::new());
    let f = udp(1);
    let mut key = FlowKey::default();
    key.set_dp_port(DpPort(0));
    key.set_eth_type(0x0800);
    let mut mask = Mask::default();
    for field in [Field::IN_PORT, Field::RECIRC_ID, Field::ETH_TYPE] {
        mask.set_exact(field);
    }
    let actions = |s: &str| dpif::parse_actions(s, None).unwrap();
    let dp = &mut b.dp;
    assert_eq!(dp.put_flow(None, &key, &mask, actions("2"), PutMode::Modify).unwrap_err(), DpError::NoFlow);
    dp.put_flow(None, &key, &mask, actions("2"), PutMode::Create).unwrap();
    assert_eq!(
        dp.put_flow(None, &key, &mask, actions("2"), PutMode::Create).unwrap_err(),
        DpError::FlowExists
    );
    assert_eq!(b.pass(0, &f)[2].len(), 1);
    b.dp.put_flow(None, &key, &mask, actions("3"), PutMode::CreateOrModify).unwrap();
    assert_eq!(b.pass(0, &f)[3].len(), 1);
    let last = b.dp.del_flow(dpif::ufid_of(&key)).unwrap();
    assert_eq!(last.stats.packets, 2);
    assert_eq!(b.dp.del_flow(dpif::ufid_of(&key)).unwrap_err(), DpError::NoFlow);
    assert!(b.pass(0, &f)[3].is_empty());
    b.dp.flush_flows();
    assert!(b.dp.dump_flows().is_empty());
}

#[test]
fn without_megaflows_every_flow_is_exact() {
    let mut b = bench(vec![Rule::new(&[(Field::IN_PORT, 0)], "1")]);
    b.dp.tunables().megaflows.store(0, Relaxed);
    b.pass(0, &udp(1));
    b.pass(0, &udp(2));
    assert_eq!(b.dp.stats().flows, 2);
}

#[test]
fn ports_come_and_go() {
    let mut b = bench(vec![Rule::new(&[(Field::IN_PORT, 0)], "1")]);
    b.pass(0, &udp(1));
    let dev = b.dp.del_port(DpPort(1)).unwrap();
    assert_eq!(dev.name(), "p1");
    assert!(b.dp.del_port(DpPort(1)).is_err());
    b.pass(0, &udp(1));
    assert_eq!(b.dp.drops(crate::DropCause::UnknownPort), 1);
    assert_eq!(b.dp.ports(), [DpPort(0), DpPort(2), DpPort(3)]);
    assert!(matches!(b.dp.add_port(DpPort(0), dev), Err(DpError::PortExists(_))));
    b.wires[2].break_device();
    b.run();
    assert!(matches!(b.dp.next_event(), Some(Event::PortGone(DpPort(2)))));
}

#[test]
fn it_is_a_datapath() {
    let clock = base::Clock::simulated();
    dpif::conformance::run(|| {
        let mini = super::mini::Mini { generation: 1, ..Default::default() };
        crate::Datapath::new(std::sync::Arc::new(mini), clock.clone(), None)
    });
}
