//! Nanoseconds per packet of extraction and hashing: `cargo run --release -p flow --example extract_bench`.

#![allow(clippy::disallowed_methods)] // a benchmark reads the wall clock

use flow::extract::{Metadata, PacketKey, clear_words, extract, extract_mini};
use flow::{FlowKey, Match, MiniKey, MiniMask, text::format::fields_of};
use std::hint::black_box;
use std::time::Instant;

fn time(name: &str, mut f: impl FnMut()) {
    const N: u32 = 2_000_000;
    let mut best = f64::MAX;
    for _ in 0..5 {
        let start = Instant::now();
        for _ in 0..N {
            f();
        }
        best = best.min(start.elapsed().as_nanos() as f64 / N as f64);
    }
    println!("{name:40} {best:7.1} ns");
}

fn main() {
    let mut udp = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0];
    udp.extend([0x45, 0, 0, 46, 0, 1, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
    udp.extend([0, 53, 0x30, 0x39, 0, 26, 0, 0]);
    udp.resize(60, 0);
    let meta = Metadata::received(1);
    let mut key = FlowKey::default();
    time("wide, UDP over IPv4, with clearing", || {
        let (map, o) = extract(black_box(&udp), &meta, &mut key);
        black_box(o);
        clear_words(&mut key, map);
    });
    let mut mini = PacketKey::default();
    time("compact, UDP over IPv4", || {
        black_box(extract_mini(black_box(&udp), &meta, &mut mini));
    });
    time("compact and hash", || {
        black_box(extract_mini(black_box(&udp), &meta, &mut mini));
        black_box(mini.hash(7));
    });
    let stored = mini.to_mini();
    time("compare with a stored key", || {
        black_box(black_box(&mini).is(&stored));
    });
    let wide = mini.expand();
    let mask = MiniMask::new(&fields_of(&wide));
    let masked = MiniKey::masked(&wide, &mask);
    time("hash under a mask, wide", || {
        black_box(mask.hash(black_box(&wide), 7));
    });
    time("compare under a mask, wide", || {
        black_box(masked.matches(black_box(&wide), &mask));
    });
    time("hash under a mask, compact", || {
        black_box(black_box(&mini).hash_under(&mask, 7));
    });
    let m = flow::MiniMatch::new(&Match::masked(&wide, &mask.expand()));
    time("match a rule", || {
        black_box(m.matches(black_box(&wide)));
    });
}
