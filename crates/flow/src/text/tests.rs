//! Match text against recorded answers.

use super::*;
use crate::field::{self, Field};
use crate::matching::Match;
use crate::tests::Rng;

const RECORDED: &str = include_str!("../../tests/data/match-text.txt");

/// Inputs whose recorded output shows bits that the field does not have.
const DEVIATIONS: [&str; 2] = ["ipv6,ipv6_label=0x123456", "tun_erspan_ver=2,tun_erspan_hwid=0xff"];

#[test]
fn recorded_matches_print_the_same() {
    let mut wrong = Vec::new();
    for line in RECORDED.lines().filter(|l| !l.starts_with('#')) {
        let (input, expected) = line.split_once(" => ").unwrap();
        if DEVIATIONS.contains(&input) {
            continue;
        }
        let got = match MatchParser::new(&NoPorts).parse(input) {
            Ok(m) => {
                let text = match_text(&m, None, Style::default());
                let again =
                    MatchParser::new(&NoPorts).parse(&text).map(|m| match_text(&m, None, Style::default()));
                if !text.contains("gtpu_") && !text.contains("icmp_type=0x4/") {
                    assert_eq!(again, Ok(text.clone()), "{input}");
                }
                text
            }
            Err(e) => format!("!{e}"),
        };
        if got != expected {
            wrong.push(format!("{input}\n   got {got}\n  want {expected}"));
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn every_field_reads_back_what_it_prints() {
    let mut rng = Rng(3);
    for f in Field::all().filter(|f| f.as_tun_metadata().is_none()) {
        let info = f.info();
        for _ in 0..40 {
            let mut v = rng.wide() & info.valid;
            if f == Field::CT_STATE {
                v &= 0xff;
            }
            if matches!(info.format, crate::Format::OfPort | crate::Format::OfPortOxm) {
                v %= 0xff00;
            }
            let text = value::value_text(f, v, info.valid, &NoPorts);
            if info.format == crate::Format::Frag && text == "<error>" {
                continue;
            }
            let (got, mask) = value::parse_value(f, &text, &NoPorts, &mut |_| {}).unwrap();
            assert_eq!(
                (got & info.valid & mask, mask & info.valid),
                (v & mask, info.valid & mask),
                "{f} {text}"
            );
            if info.maskable == crate::Maskable::Any && !matches!(info.format, crate::Format::Frag) {
                let m = rng.wide() & info.valid & if f == Field::CT_STATE { 0x7f } else { u128::MAX };
                let text = value::value_text(f, v & m, m, &NoPorts);
                if m != 0 {
                    let (got, mask) = value::parse_value(f, &text, &NoPorts, &mut |_| {}).unwrap();
                    assert_eq!((got & info.valid, mask & info.valid), (v & m, m), "{f} {text}");
                }
            }
        }
    }
    assert_eq!(field::COUNT, Field::all().len());
}

#[test]
fn no_text_panics() {
    let mut rng = Rng(4);
    let alphabet = b"abcdeginoprstuvwxyz_=/,.:()+-|[]0123456789x \"\\*";
    for line in RECORDED.lines() {
        for _ in 0..20 {
            let mut bytes = line.as_bytes().to_vec();
            let at = rng.next() as usize % bytes.len();
            match rng.next() % 3 {
                0 => bytes.truncate(at),
                1 => bytes[at] = alphabet[rng.next() as usize % alphabet.len()],
                _ => bytes.insert(at, alphabet[rng.next() as usize % alphabet.len()]),
            }
            if let Ok(m) = MatchParser::new(&NoPorts).parse(&String::from_utf8_lossy(&bytes)) {
                match_text(&m, None, Style { color: true, ..Style::default() });
                let mut n: Match = m.clone();
                n.normalize();
            }
        }
    }
}
