//! Ethernet frames built by hand, for tests that put exact bytes on a wire.

use base::Mac;
use std::net::Ipv4Addr;

/// EtherTypes.
pub const IPV4: u16 = 0x0800;
/// ARP.
pub const ARP: u16 = 0x0806;
/// Customer VLAN tag.
pub const VLAN: u16 = 0x8100;

/// A frame, with a VLAN tag if asked for, padded to 60 bytes (64 with its tag).
pub fn ethernet(dst: Mac, src: Mac, vlan: Option<u16>, ethertype: u16, payload: &[u8]) -> Vec<u8> {
    let mut f = Vec::with_capacity(64);
    f.extend(dst.0);
    f.extend(src.0);
    if let Some(vid) = vlan {
        f.extend(VLAN.to_be_bytes());
        f.extend(vid.to_be_bytes());
    }
    f.extend(ethertype.to_be_bytes());
    f.extend(payload);
    let least = if vlan.is_some() { 64 } else { 60 };
    f.resize(f.len().max(least), 0);
    f
}

/// A UDP datagram in IPv4, checksums and all.
pub fn udp(src: (Ipv4Addr, u16), dst: (Ipv4Addr, u16), payload: &[u8]) -> Vec<u8> {
    let len = (8 + payload.len()) as u16;
    let mut p = Vec::new();
    p.extend([0x45, 0]);
    p.extend((20 + len).to_be_bytes());
    p.extend([0, 0, 0x40, 0, 64, 17, 0, 0]);
    p.extend(src.0.octets());
    p.extend(dst.0.octets());
    let sum = checksum(&p, 0);
    p[10..12].copy_from_slice(&sum.to_be_bytes());
    let at = p.len();
    p.extend(src.1.to_be_bytes());
    p.extend(dst.1.to_be_bytes());
    p.extend(len.to_be_bytes());
    p.extend([0, 0]);
    p.extend(payload);
    let pseudo: u32 = p[12..20].chunks(2).map(|c| u32::from(u16::from_be_bytes([c[0], c[1]]))).sum::<u32>()
        + 17
        + u32::from(len);
    let sum = checksum(&p[at..], pseudo);
    p[at + 6..at + 8].copy_from_slice(&sum.to_be_bytes());
    p
}

/// An ARP message.
pub fn arp(op: u16, sha: Mac, spa: Ipv4Addr, tha: Mac, tpa: Ipv4Addr) -> Vec<u8> {
    let mut p = vec![0, 1, 8, 0, 6, 4];
    p.extend(op.to_be_bytes());
    p.extend(sha.0);
    p.extend(spa.octets());
    p.extend(tha.0);
    p.extend(tpa.octets());
    p
}

/// The Internet checksum over `b`, on top of `sum`.
pub fn checksum(b: &[u8], mut sum: u32) -> u16 {
    for c in b.chunks(2) {
        sum += u32::from(u16::from_be_bytes([c[0], c.get(1).copied().unwrap_or(0)]));
    }
    while sum > 0xffff {
        sum = (sum >> 16) + (sum & 0xffff);
    }
    !(sum as u16)
}
