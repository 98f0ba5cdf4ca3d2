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

#[test]
fn recorded_exact_flows_are_the_same() {
    let mut wrong = Vec::new();
    for line in include_str!("../../tests/data/exact-flows.txt").lines().filter(|l| !l.starts_with('#')) {
        let (input, expected) = line.split_once(" => ").unwrap();
        let got = match MatchParser::new(&NoPorts).parse_exact(input) {
            Ok(key) => flow_text(&key, Style::default()),
            Err(e) => format!("!{e}"),
        };
        if got != expected {
            wrong.push(format!("{input}\n   got {got}\n  want {expected}"));
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn normal_forms_are_those_recorded() {
    // What `ovs-ofctl add-flow` (Open vSwitch 3.5.0) says that normalisation leaves; None if it says nothing.
    for (input, expected) in [
        ("nw_src=1.2.3.4", Some("")),
        ("tp_src=5", Some("")),
        ("ip,tp_src=5", Some("ip")),
        ("ip,nw_proto=200,tp_src=4", Some("ip,nw_proto=200")),
        ("tcp,nw_frag=later,tp_src=4", None),
        ("arp,nw_ttl=4", Some("arp")),
        ("arp,nw_tos=4,nw_proto=1", Some("arp,arp_op=1")),
        ("dl_type=0x1234,nw_src=1.1.1.1,nw_proto=5", Some("dl_type=0x1234")),
        ("mpls,nw_src=1.2.3.4,mpls_label=4", Some("mpls,mpls_label=4")),
        ("mpls_label=4", Some("")),
        ("ipv6_src=::1", Some("")),
        ("ip,ipv6_src=::1", Some("ip")),
        ("ipv6,nw_src=1.1.1.1", Some("ipv6")),
        ("arp_sha=00:00:00:00:00:01", Some("")),
        ("icmp6,nd_target=::1", Some("icmp6")),
        (
            "icmp6,icmp_type=135,nd_target=::1,nd_tll=00:00:00:00:00:01",
            Some("icmp6,icmp_type=135,nd_target=::1"),
        ),
        (
            "icmp6,icmp_type=136,nd_target=::1,nd_sll=00:00:00:00:00:01",
            Some("icmp6,icmp_type=136,nd_target=::1"),
        ),
        ("icmp6,icmp_type=135,icmp_code=1,nd_target=::1", None),
        ("ip,tcp_flags=+syn", None),
        ("nsh_flags=1", None),
        ("vlan_pcp=3", None),
        ("nw_proto=6,tp_src=4", Some("")),
        ("nw_tos=4", Some("")),
        ("nw_frag=no", None),
        ("nw_ecn=1", Some("")),
        ("rarp,arp_op=1,arp_sha=0:0:0:0:0:1", None),
        ("ct_nw_src=1.1.1.1", None),
        ("ip,nw_proto=2,tp_src=4", Some("ip,nw_proto=2")),
        ("icmp6,nd_reserved=4", None),
        ("dl_type=0x894f,nsh_flags=1", None),
        ("sctp,tp_src=4,tp_dst=5", None),
        ("packet_type=(1,0x800),tp_src=4", Some("packet_type=(1,0x800)")),
        ("packet_type=(1,0x800),dl_src=00:00:00:00:00:01", Some("packet_type=(1,0x800)")),
    ] {
        let mut m = MatchParser::new(&NoPorts).parse(input).unwrap();
        let changed = m.normalize();
        assert_eq!(changed.then(|| match_text(&m, None, Style::default())).as_deref(), expected, "{input}");
    }
}
