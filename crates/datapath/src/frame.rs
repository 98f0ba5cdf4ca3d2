//! Where the headers of a frame are, and changing them in place.
//!
//! Checksums are brought up to date by what changed (RFC 1624), right after each change, so that a frame is good at
//! every output. Where the sender left the L4 checksum to the device (virtio-net's partial checksum), the field holds
//! the sum of the pseudo header, not inverted; then a change of an address moves it the other way, and a change of
//! anything after the addresses does not touch it.

use flow::key::{eth_type, ip_proto};
use wire::Packet;

/// Where things are. Offsets are within the frame as it was when this was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Headers {
    /// End of the Ethernet header and its tags: MPLS or layer 3 starts here.
    pub(crate) l2_end: usize,
    /// Whether an MPLS stack starts there.
    pub(crate) mpls: bool,
    /// Layer 3, if it is one that is known and whole.
    pub(crate) l3: L3,
    /// Start of layer 3.
    pub(crate) l3_at: usize,
    /// IP protocol.
    pub(crate) proto: u8,
    /// Start of layer 4: absent in later fragments and cut frames.
    pub(crate) l4_at: Option<usize>,
    /// The type of what is at [`Headers::l2_end`].
    pub(crate) ethertype: u16,
    /// IPv6 with a routing header that is not used up: the last destination is not in the header.
    pub(crate) routed: bool,
}

/// Kinds of layer 3 header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum L3 {
    #[default]
    None,
    Arp,
    Ipv4,
    Ipv6,
}

#[inline]
pub(crate) fn be16(d: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(d.get(at..at + 2)?.try_into().ok()?))
}

/// Whether this Ethernet type starts a VLAN tag.
pub(crate) fn is_tag(t: u16) -> bool {
    matches!(t, eth_type::VLAN | eth_type::QINQ | 0x9100)
}

fn l4_len(proto: u8) -> usize {
    match proto {
        ip_proto::TCP => 20,
        ip_proto::UDP | ip_proto::ICMP => 8,
        ip_proto::ICMPV6 => 4,
        ip_proto::SCTP => 12,
        _ => 0,
    }
}

impl Headers {
    /// Finds the headers of a frame that starts with an Ethernet header.
    pub(crate) fn find(d: &[u8]) -> Headers {
        let mut h = Headers::default();
        let mut at = 12;
        let mut tags = 0;
        let ty = loop {
            let Some(t) = be16(d, at) else { return h };
            at += 2;
            if !is_tag(t) || tags == 8 {
                break t;
            }
            tags += 1;
            at += 2;
        };
        h.inside(d, at, ty);
        h
    }

    /// Finds the headers of a packet of any type.
    pub(crate) fn find_typed(d: &[u8], packet_type: u32) -> Headers {
        if packet_type == 0 {
            return Headers::find(d);
        }
        let mut h = Headers::default();
        if packet_type >> 16 == 1 {
            h.inside(d, 0, packet_type as u16);
        }
        h
    }

    fn inside(&mut self, d: &[u8], at: usize, ty: u16) {
        self.l2_end = at;
        self.ethertype = ty;
        self.mpls = matches!(ty, eth_type::MPLS | eth_type::MPLS_MULTICAST);
        self.l3_at = at;
        match ty {
            eth_type::IPV4 => self.find_ipv4(d),
            eth_type::IPV6 => self.find_ipv6(d),
            eth_type::ARP | eth_type::RARP if d.len() >= at + 28 => self.l3 = L3::Arp,
            _ => {}
        }
    }

    fn find_ipv4(&mut self, d: &[u8]) {
        let Some(ip) = d.get(self.l3_at..).filter(|ip| ip.len() >= 20) else { return };
        let ihl = usize::from(ip[0] & 15) * 4;
        if ip[0] >> 4 != 4 || ihl < 20 || ihl > ip.len() {
            return;
        }
        self.l3 = L3::Ipv4;
        self.proto = ip[9];
        let later = u16::from_be_bytes([ip[6], ip[7]]) & 0x1fff != 0;
        if !later && ip.len() >= ihl + l4_len(self.proto) {
            self.l4_at = Some(self.l3_at + ihl);
        }
    }

    fn find_ipv6(&mut self, d: &[u8]) {
        let Some(ip) = d.get(self.l3_at..).filter(|ip| ip.len() >= 40 && ip[0] >> 4 == 6) else { return };
        self.l3 = L3::Ipv6;
        let (mut next, mut at) = (ip[6], 40);
        for _ in 0..16 {
            match next {
                0 | 43 | 60 | 51 => {
                    let Some([n, len, ..]) = ip.get(at..at + 8) else { return };
                    if next == 43 && ip[at + 3] != 0 {
                        self.routed = true;
                    }
                    let words = usize::from(*len);
                    at += if next == 51 { (words + 2) * 4 } else { (words + 1) * 8 };
                    next = *n;
                }
                44 => {
                    let Some(f) = ip.get(at..at + 8) else { return };
                    next = f[0];
                    if u16::from_be_bytes([f[2], f[3]]) & 0xfff8 != 0 {
                        self.proto = next;
                        return;
                    }
                    at += 8;
                }
                _ => break,
            }
        }
        self.proto = next;
        if ip.len() >= at + l4_len(next) {
            self.l4_at = Some(self.l3_at + at);
        }
    }

    /// Offset of the L4 checksum that covers ports (and addresses, by the pseudo header).
    fn l4_checksum(&self) -> Option<usize> {
        let l4 = self.l4_at?;
        match self.proto {
            ip_proto::TCP => Some(l4 + 16),
            ip_proto::UDP => Some(l4 + 6),
            ip_proto::ICMPV6 if self.l3 == L3::Ipv6 => Some(l4 + 2),
            ip_proto::ICMP if self.l3 == L3::Ipv4 => Some(l4 + 2),
            _ => None,
        }
    }
}

/// How far a checksum's sum moves: ones-complement sum of what came less what went.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(crate) struct Delta(u32);

impl Delta {
    fn add16(&mut self, v: u16) {
        self.0 += u32::from(v);
    }

    fn fold(self) -> u16 {
        let mut s = self.0;
        while s >> 16 != 0 {
            s = (s & 0xffff) + (s >> 16);
        }
        s as u16
    }
}

/// Overwrites an even number of bytes at an even offset from the checksummed start.
fn replace(d: &mut [u8], at: usize, new: &[u8]) -> Delta {
    let mut delta = Delta::default();
    for (i, n) in new.chunks_exact(2).enumerate() {
        let p = at + 2 * i;
        delta.add16(!u16::from_be_bytes([d[p], d[p + 1]]));
        delta.add16(u16::from_be_bytes([n[0], n[1]]));
        d[p] = n[0];
        d[p + 1] = n[1];
    }
    delta
}

/// Moves a complete (inverted) checksum.
fn move_full(d: &mut [u8], at: usize, delta: Delta) {
    let old = u16::from_be_bytes([d[at], d[at + 1]]);
    let sum = Delta(u32::from(!old) + u32::from(delta.fold())).fold();
    d[at..at + 2].copy_from_slice(&(!sum).to_be_bytes());
}

/// Moves the sum of a pseudo header, which is not inverted.
fn move_partial(d: &mut [u8], at: usize, delta: Delta) {
    let old = u16::from_be_bytes([d[at], d[at + 1]]);
    let sum = Delta(u32::from(old) + u32::from(delta.fold())).fold();
    d[at..at + 2].copy_from_slice(&sum.to_be_bytes());
}

/// A frame being rewritten.
pub(crate) struct Rewriter<'a> {
    pub(crate) packet: &'a mut Packet,
    pub(crate) headers: Headers,
}

impl Rewriter<'_> {
    fn l4_changed(&mut self, delta: Delta, in_pseudo_header: bool) {
        let Some(at) = self.headers.l4_checksum() else { return };
        if in_pseudo_header && self.headers.proto == ip_proto::ICMP && self.headers.l3 == L3::Ipv4 {
            return;
        }
        let d = self.packet.buf.data_mut();
        if let Some((start, offset)) = self.packet.offload.csum
            && usize::from(start) + usize::from(offset) == at
        {
            if in_pseudo_header {
                move_partial(d, at, delta);
            }
            return;
        }
        if self.headers.proto == ip_proto::UDP {
            if d[at] == 0 && d[at + 1] == 0 {
                return;
            }
            move_full(d, at, delta);
            if d[at] == 0 && d[at + 1] == 0 {
                d[at..at + 2].fill(0xff);
            }
        } else {
            move_full(d, at, delta);
        }
    }

    /// Changes an IPv4 address at this offset of the header.
    pub(crate) fn ipv4_addr(&mut self, offset: usize, new: u32) {
        let (l3, d) = (self.headers.l3_at, self.packet.buf.data_mut());
        let delta = replace(d, l3 + offset, &new.to_be_bytes());
        move_full(d, l3 + 10, delta);
        self.l4_changed(delta, true);
    }

    /// Changes a pair of bytes of the IPv4 header that no L4 checksum covers.
    pub(crate) fn ipv4_pair(&mut self, offset: usize, new: [u8; 2]) {
        let (l3, d) = (self.headers.l3_at, self.packet.buf.data_mut());
        let delta = replace(d, l3 + offset, &new);
        move_full(d, l3 + 10, delta);
    }

    /// Changes an IPv6 address at this offset of the header.
    pub(crate) fn ipv6_addr(&mut self, offset: usize, new: u128, counts: bool) {
        let at = self.headers.l3_at + offset;
        let delta = replace(self.packet.buf.data_mut(), at, &new.to_be_bytes());
        if counts {
            self.l4_changed(delta, true);
        }
    }

    /// Changes bytes of layer 4 at an even offset, an even number of them.
    pub(crate) fn l4(&mut self, offset: usize, new: &[u8]) {
        let Some(l4) = self.headers.l4_at else { return };
        let delta = replace(self.packet.buf.data_mut(), l4 + offset, new);
        self.l4_changed(delta, false);
    }

    /// Changes the ports of SCTP, whose checksum is a CRC of the whole: what was wrong stays wrong.
    pub(crate) fn sctp(&mut self, src: u16, dst: u16) {
        let Some(l4) = self.headers.l4_at else { return };
        let d = &mut self.packet.buf.data_mut()[l4..];
        let stored = u32::from_le_bytes([d[8], d[9], d[10], d[11]]);
        d[8..12].fill(0);
        let before = crc32c(d);
        d[0..2].copy_from_slice(&src.to_be_bytes());
        d[2..4].copy_from_slice(&dst.to_be_bytes());
        let after = crc32c(d);
        d[8..12].copy_from_slice(&(stored ^ before ^ after).to_le_bytes());
    }
}

const CRC32C: [u32; 256] = {
    let mut t = [0; 256];
    let mut i = 0;
    while i < 256 {
        let mut c = i as u32;
        let mut k = 0;
        while k < 8 {
            c = if c & 1 != 0 { (c >> 1) ^ 0x82f6_3b78 } else { c >> 1 };
            k += 1;
        }
        t[i] = c;
        i += 1;
    }
    t
};

/// CRC-32C (RFC 9260, appendix A).
pub(crate) fn crc32c(d: &[u8]) -> u32 {
    !d.iter().fold(u32::MAX, |c, b| (c >> 8) ^ CRC32C[usize::from(c as u8 ^ b)])
}

/// Moves the offsets that the offload state holds, when `n` bytes were put in front of layer 3 (or taken out).
pub(crate) fn shift_offload(packet: &mut Packet, n: i32) {
    let moved = |v: u16| u16::try_from(i32::from(v) + n).unwrap_or(0);
    if let Some((start, _)) = &mut packet.offload.csum {
        *start = moved(*start);
    }
    if let Some(g) = &mut packet.offload.gso {
        g.hdr_len = moved(g.hdr_len);
    }
}

/// Ones-complement sum of bytes, folded to 16 bits; an odd last byte is the high half.
pub(crate) fn sum(d: &[u8]) -> u16 {
    let mut acc = 0u64;
    let mut chunks = d.chunks_exact(4);
    for c in &mut chunks {
        acc += u64::from(u32::from_be_bytes([c[0], c[1], c[2], c[3]]));
    }
    let mut last = [0; 4];
    last[..chunks.remainder().len()].copy_from_slice(chunks.remainder());
    acc += u64::from(u32::from_be_bytes(last));
    while acc >> 16 != 0 {
        acc = (acc & 0xffff) + (acc >> 16);
    }
    acc as u16
}

/// Finishes an L4 checksum that was left to the device.
pub(crate) fn complete_checksum(packet: &mut Packet) {
    let Some((start, offset)) = packet.offload.csum.take() else { return };
    let at = usize::from(start) + usize::from(offset);
    let d = packet.buf.data_mut();
    if at + 2 > d.len() || usize::from(start) > d.len() {
        return;
    }
    let mut c = !sum(&d[usize::from(start)..]);
    // An all-zero UDP checksum means "none".
    if c == 0 && offset == 6 {
        c = 0xffff;
    }
    d[at..at + 2].copy_from_slice(&c.to_be_bytes());
}
