//! Headers in both directions: (bytes, value) tables, every prefix, every bit.

use crate::error::WireError;
use crate::*;
use base::Mac;

fn bytes(hex: &str) -> Vec<u8> {
    let h: Vec<u8> = hex.bytes().filter(|b| !b.is_ascii_whitespace()).collect();
    h.chunks(2).map(|c| u8::from_str_radix(std::str::from_utf8(c).unwrap(), 16).unwrap()).collect()
}

/// Runs a parser over every prefix and every bit flip of `b`; a prefix shorter than `min` must be an error.
fn damage<T>(b: &[u8], min: usize, parse: impl Fn(&[u8]) -> Result<T, WireError>) {
    for n in 0..b.len() {
        let r = parse(&b[..n]);
        assert!(n >= min || matches!(r, Err(WireError::Truncated { .. })), "{n}");
        for bit in 0..8 {
            let mut g = b.to_vec();
            g[n] ^= 1 << bit;
            let _ = parse(&g);
        }
    }
}

macro_rules! both_ways {
    ($name:ident, $min:expr, $hex:expr, $value:expr, $parse:expr) => {
        #[test]
        fn $name() {
            let b = bytes($hex);
            let value = $value;
            assert_eq!($parse(&b[..]).unwrap(), value);
            let mut out = vec![0; $min];
            value.emit(&mut out);
            assert_eq!(out, b[..$min]);
            damage(&b, $min, $parse);
        }
    };
}

both_ways!(
    ethernet_header,
    14,
    "020000000001 020000000002 0800",
    ethernet::Ethernet { dst: Mac([2, 0, 0, 0, 0, 1]), src: Mac([2, 0, 0, 0, 0, 2]), ethertype: 0x800 },
    |b: &[u8]| ethernet::Ethernet::parse(b).map(|x| x.0)
);
both_ways!(vlan_tag, 4, "8100 a005", vlan::Vlan { tpid: 0x8100, tci: 0xa005 }, |b: &[u8]| {
    vlan::Vlan::parse(b).map(|x| x.0)
});
both_ways!(
    mpls_entry,
    4,
    "12345bff",
    mpls::Mpls { label: 0x12345, tc: 5, bos: true, ttl: 255 },
    |b: &[u8]| mpls::Mpls::parse(b).map(|x| x.0)
);
both_ways!(
    arp_packet,
    28,
    "0001 0800 06 04 0001 020000000001 0a000001 000000000000 0a000002",
    arp::Arp {
        op: 1,
        sha: Mac([2, 0, 0, 0, 0, 1]),
        spa: [10, 0, 0, 1].into(),
        tha: Mac::ZERO,
        tpa: [10, 0, 0, 2].into()
    },
    arp::Arp::parse
);
both_ways!(
    ipv4_header,
    20,
    "4500 0014 0001 4000 4001 26e6 0a000001 0a000002",
    ipv4::Ipv4 {
        tos: 0,
        payload_len: 0,
        id: 1,
        frag: ipv4::DF,
        ttl: 64,
        proto: 1,
        src: [10, 0, 0, 1].into(),
        dst: [10, 0, 0, 2].into()
    },
    |b: &[u8]| ipv4::Ipv4::parse(b).map(|x| x.0)
);
both_ways!(
    ipv6_header,
    40,
    "6a812345 0000 3b 40 fe800000000000000000000000000001 fe800000000000000000000000000002",
    ipv6::Ipv6 {
        tclass: 0xa8,
        label: 0x12345,
        payload_len: 0,
        next: 59,
        hop_limit: 64,
        src: "fe80::1".parse().unwrap(),
        dst: "fe80::2".parse().unwrap()
    },
    |b: &[u8]| ipv6::Ipv6::parse(b).map(|x| x.0)
);
both_ways!(
    tcp_header,
    20,
    "0050 3039 00000001 00000002 5112 ffff abcd 0000",
    tcp::Tcp {
        src: 80,
        dst: 12345,
        seq: 1,
        ack: 2,
        flags: 0x112,
        window: 0xffff,
        checksum: 0xabcd,
        urgent: 0
    },
    |b: &[u8]| tcp::Tcp::parse(b).map(|x| x.0)
);
both_ways!(
    udp_header,
    8,
    "0035 3039 0008 1234",
    udp::Udp { src: 53, dst: 12345, len: 8, checksum: 0x1234 },
    |b: &[u8]| udp::Udp::parse(b).map(|x| x.0)
);
both_ways!(
    sctp_header,
    12,
    "0050 3039 01020304 05060708",
    sctp::Sctp { src: 80, dst: 12345, tag: 0x0102_0304, checksum: 0x0506_0708 },
    |b: &[u8]| sctp::Sctp::parse(b).map(|x| x.0)
);
both_ways!(
    icmp_header,
    8,
    "0800 f7fd 0001 0001",
    icmp::Icmp { kind: 8, code: 0, checksum: 0xf7fd, rest: [0, 1, 0, 1] },
    |b: &[u8]| icmp::Icmp::parse(b).map(|x| x.0)
);
both_ways!(
    icmpv6_header,
    4,
    "8000 1234",
    icmpv6::Icmpv6 { kind: 128, code: 0, checksum: 0x1234 },
    |b: &[u8]| icmpv6::Icmpv6::parse(b).map(|x| x.0)
);
both_ways!(
    neighbor_solicitation,
    32,
    "8700 0000 00000000 fe800000000000000000000000000001 0101 020000000001",
    icmpv6::NeighborMessage {
        kind: 135,
        flags: 0,
        target: "fe80::1".parse().unwrap(),
        source_mac: Some(Mac([2, 0, 0, 0, 0, 1])),
        target_mac: None
    },
    |b: &[u8]| icmpv6::NeighborMessage::parse(b).and_then(|m| {
        if b.len() == 24 { Err(WireError::Truncated { header: "ND", need: 32, have: 24 }) } else { Ok(m) }
    })
);

#[test]
fn ipv6_chains_are_walked() {
    // Hop-by-hop, routing with a segment left, fragment (first), TCP.
    let mut b =
        bytes("60000000 0018 00 40 fe800000000000000000000000000001 fe800000000000000000000000000002");
    b.extend(bytes("2b00 0000 0000 0000 2c00 0001 0000 0000 0600 0001 0000 0007"));
    let u = ipv6::upper(&b).unwrap();
    assert_eq!(u, ipv6::Upper { proto: 6, offset: 64, later_fragment: false, routed: true });
    b[58] = 1;
    assert!(ipv6::upper(&b).unwrap().later_fragment);
    damage(&b, 64, ipv6::upper);
}

#[test]
fn sctp_checksum_is_the_crc_in_wire_order() {
    let mut b = bytes("0050 3039 00000000 00000000 0a000004");
    let c = sctp::checksum(&b);
    b[8..12].copy_from_slice(&c.to_be_bytes());
    assert_eq!(sctp::checksum(&b), c);
    assert_eq!(c.swap_bytes(), checksum::crc32c(&[&b[..8], &[0; 4], &b[12..]]));
}
