//! Packets by hand, and every damage to them.

use super::*;
use crate::tests::Rng;
use crate::text::{Style, flow_text};

fn bytes(hex: &str) -> Vec<u8> {
    let h: Vec<u8> = hex.bytes().filter(|b| !b.is_ascii_whitespace()).collect();
    h.chunks(2).map(|c| u8::from_str_radix(std::str::from_utf8(c).unwrap(), 16).unwrap()).collect()
}

/// Recorded with `ovs-ofctl parse-pcap` (Open vSwitch 3.5.0): hexadecimal packet, then the flow it prints.
const RECORDED: &str = include_str!("../../tests/data/packets.txt");

#[test]
fn recorded_packets_give_the_same_flow() {
    let mut wrong = Vec::new();
    let mut n = 0;
    for line in RECORDED.lines().filter(|l| !l.starts_with('#')) {
        let (hex, flow) = line.split_once(' ').unwrap();
        let mut meta = Metadata::received(0xffff_ffff);
        meta.in_port = base::OfPort::NONE.0;
        let (key, _) = extract_key(&bytes(hex), &meta);
        let got = flow_text(&key, Style::default());
        let got = got.replace("in_port=ANY,", "");
        n += 1;
        if got != flow {
            wrong.push(format!("{hex}\n  got {got}\n want {flow}"));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {n} differ:\n{}",
        wrong.len(),
        wrong.iter().take(20).cloned().collect::<Vec<_>>().join("\n")
    );
}

#[test]
fn wide_and_compact_agree_on_any_bytes() {
    let mut rng = Rng(5);
    let mut compact = PacketKey::default();
    let mut rest = FlowKey::default();
    rest.set(crate::Field::CT_LABEL, 5);
    rest.set(crate::Field::TUN_ID, 7);
    rest.words[l::WORDS - 1] = 9;
    for line in RECORDED.lines().filter(|l| !l.starts_with('#')) {
        let packet = bytes(line.split_once(' ').unwrap().0);
        for round in 0..6 {
            let mut p = packet.clone();
            if p.is_empty() {
                continue;
            }
            let at = rng.next() as usize % p.len();
            match round {
                0 => {}
                1 => p.truncate(at),
                _ => p[at] ^= 1 << (rng.next() % 8),
            }
            let mut meta = Metadata::received(rng.next() as u32);
            if round == 3 {
                meta.rest = Some(&rest);
            }
            let (wide, offsets) = extract_key(&p, &meta);
            assert_eq!(extract_mini(&p, &meta, &mut compact), offsets);
            assert!(compact.expand() == wide);
            assert!(compact.words().iter().all(|w| *w != 0));
            assert!(compact.is(&MiniKey::new(&wide)) && compact.to_mini() == MiniKey::new(&wide));
            let mut again = FlowKey::default();
            let (map, _) = extract(&p, &meta, &mut again);
            clear_words(&mut again, map);
            assert!(again == FlowKey::default());
            let m = crate::text::format::fields_of(&wide);
            let mini = MiniMask::new(&m);
            assert_eq!(compact.hash_under(&mini, 3), mini.hash(&wide, 3));
            assert!(compact.matches(&MiniKey::masked(&wide, &mini), &mini));
        }
    }
}

#[test]
fn service_tags_and_extension_headers() {
    let key = |hex: &str| extract_key(&bytes(hex), &Metadata::received(1)).0;
    let macs = "000000000001 000000000002";
    let pbb = key(&format!("{macs} 88e7 48123456 000000000003 000000000004 0800 4500"));
    assert_eq!(pbb.eth_type(), 0x88e7);
    assert_eq!((pbb.get(crate::Field::PBB_ISID), pbb.get(crate::Field::PBB_UCA)), (0x12_3456, 1));
    let v6 = |next: &str, chain: &str| {
        let len = chain.split_whitespace().collect::<String>().len() / 2;
        let addrs = "fe800000000000000000000000000001 fe800000000000000000000000000002";
        let k = key(&format!("{macs} 86dd 60000000 {len:04x} {next} 40 {addrs} {chain}"));
        (k.get(crate::Field::IPV6_EXTHDR), k.ip_proto())
    };
    let udp = "0001 0002 0008 0000";
    let cases = [
        ("11", udp.to_string(), (0, 17)),
        ("00", format!("11 00 000000000000 {udp}"), (0x40, 17)),
        ("00", format!("3c 00 000000000000 11 00 000000000000 {udp}"), (0x48, 17)),
        // Options for the destination before routing, and at the end.
        ("3c", format!("2b 00 000000000000 3c 00 000000000000 11 00 000000000000 {udp}"), (0x28, 17)),
        // Hop-by-hop options after routing are out of order.
        ("2b", format!("00 00 000000000000 11 00 000000000000 {udp}"), (0x160, 17)),
        // Routing twice.
        ("2b", format!("2b 00 000000000000 11 00 000000000000 {udp}"), (0xa0, 17)),
        ("2c", format!("11 00 0000 00000000 {udp}"), (0x10, 17)),
        ("3b", String::new(), (0x01, 59)),
        ("32", "00000000 00000000".to_string(), (0x02, 50)),
    ];
    for (next, chain, want) in cases {
        assert_eq!(v6(next, &chain), want, "{next} {chain}");
    }
}
