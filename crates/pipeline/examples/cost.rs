//! What a translation costs: one table with NORMAL among 1,000 learned stations, and a chain of tables with rewrites.
//!
//! `cargo run --release -p pipeline --example cost`

#[path = "../tests/common/mod.rs"]
mod common;

use base::{Clock, OfPort};
use common::{Br, frame, matching, output, resubmit, set, switch, to};
use flow::{Field, FlowKey, Match};
use pipeline::{Request, Snapshot, translate};

fn time(name: &str, snap: &Snapshot, keys: &[FlowKey]) {
    let clock = Clock::real();
    let rounds = 400;
    let mut actions = 0;
    let start = clock.real_now();
    for _ in 0..rounds {
        for key in keys {
            actions += translate(snap, &Request::received(key), None).actions.len();
        }
    }
    let took = clock.real_now().since(start);
    let n = rounds * keys.len();
    println!(
        "{name}: {:.0} ns per translation, {:.1} actions",
        took.as_nanos() as f64 / n as f64,
        actions as f64 / n as f64
    );
}

fn main() {
    let mut br = Br::new("br0", 16, 0);
    br.flow(0, 0, Match::any(), vec![to(OfPort::NORMAL)]);
    for i in 0..1000u32 {
        br.heard(0, &format!("50:54:00:00:{:02x}:{:02x}", i >> 8, i & 0xff), 1 + i % 16);
    }
    let keys: Vec<FlowKey> = (0..1000u32)
        .map(|i| {
            let mac = |i: u32| format!("50:54:00:00:{:02x}:{:02x}", i >> 8, i & 0xff);
            frame(1 + i % 16, &mac(i), &mac((i + 1) % 1000))
        })
        .collect();
    time("NORMAL, known destination", &switch(&[&br]), &keys);

    let mut br = Br::new("br0", 16, 0);
    br.flow(0, 5, matching(&[(Field::IN_PORT_OXM, 1)]), vec![set(Field::reg(0), 5), resubmit(1)]);
    let rewrite = vec![set(Field::IP_DST, 0xc0a8_0001), set(Field::ETH_DST, 5), output(2)];
    br.flow(1, 5, matching(&[(Field::reg(0), 5), (Field::ETH_TYPE, 0x800), (Field::IP_PROTO, 6)]), rewrite);
    let mut key = frame(1, "50:54:00:00:00:01", "50:54:00:00:00:02");
    key.set_eth_type(0x800);
    key.set(Field::IP_PROTO, 6);
    time("two tables, two rewrites", &switch(&[&br]), &vec![key; 1000]);
}
