//! From a packet to its key, in one pass, without allocation, for any bytes whatever.
//!
//! Headers are taken from the outside in; the first one that is cut short or contradicts itself ends the walk, and
//! what it would have said stays zero. The parser hands out whole words in ascending order, so that the same code
//! fills a wide key and a compact one.

use crate::key::{FlowKey, VLAN_PRESENT, eth_type, frag, ip_proto};
use crate::layout as l;
use crate::mini::{MiniKey, MiniMask, hash_add, hash_finish, map_iter};
use std::ops::Range;

/// What is known about a packet besides its bytes.
#[derive(Clone, Copy, Debug)]
pub struct Metadata<'a> {
    /// Input port: the datapath's number, or OpenFlow's.
    pub in_port: u32,
    /// Recirculation id; 0 for a packet just received.
    pub recirc_id: u32,
    /// Hash computed by the datapath; 0 for none.
    pub dp_hash: u32,
    /// Queueing priority.
    pub skb_priority: u32,
    /// Packet mark.
    pub pkt_mark: u32,
    /// Packet type: 0 for Ethernet, `1 << 16 | ethertype` for a packet that starts at layer 3.
    pub packet_type: u32,
    /// How many VLAN tags to look at, at most 2; further ones are payload.
    pub vlan_limit: u8,
    /// Connection tracking and tunnel fields are taken from here.
    pub rest: Option<&'a FlowKey>,
}

impl Default for Metadata<'_> {
    fn default() -> Self {
        Metadata {
            in_port: 0,
            recirc_id: 0,
            dp_hash: 0,
            skb_priority: 0,
            pkt_mark: 0,
            packet_type: 0,
            vlan_limit: 2,
            rest: None,
        }
    }
}

impl<'a> Metadata<'a> {
    /// A packet just received on a port.
    pub fn received(in_port: u32) -> Metadata<'a> {
        Metadata { in_port, ..Metadata::default() }
    }

    /// The metadata that a key holds.
    pub fn of(key: &'a FlowKey) -> Metadata<'a> {
        Metadata {
            in_port: key.in_port().0,
            recirc_id: key.recirc_id(),
            dp_hash: key.dp_hash(),
            skb_priority: key.skb_priority(),
            pkt_mark: key.pkt_mark(),
            packet_type: key.packet_type(),
            vlan_limit: 2,
            rest: Some(key),
        }
    }
}

/// Where the layers of a frame start, in bytes; [`Offsets::NONE`] for a layer that is not there or was not
/// understood.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Offsets {
    /// The MPLS label stack.
    pub l2_5: u16,
    /// IPv4, IPv6, ARP or NSH header; what follows the label stack's Ethertype with MPLS.
    pub l3: u16,
    /// L4 header, of a whole datagram or first fragment.
    pub l4: u16,
    /// What follows the L4 header.
    pub payload: u16,
    /// Bytes after the IP datagram's end.
    pub l2_pad: u8,
}

impl Offsets {
    /// Absent.
    pub const NONE: u16 = u16::MAX;

    /// Nothing known.
    pub const EMPTY: Offsets =
        Offsets { l2_5: Self::NONE, l3: Self::NONE, l4: Self::NONE, payload: Self::NONE, l2_pad: 0 };

    /// An offset as an index, if it is there.
    pub fn get(ofs: u16) -> Option<usize> {
        (ofs != Self::NONE).then_some(ofs as usize)
    }
}

/// Fills `key`, which must be all zeros. Returns the map of words that were written, by which [`clear_words`] can
/// make the key all zeros again, and the offsets.
#[inline]
pub fn extract(frame: &[u8], meta: &Metadata<'_>, key: &mut FlowKey) -> (u128, Offsets) {
    let mut sink = Wide { key, map: 0 };
    let offsets = walk(frame, meta, &mut sink);
    (sink.map, offsets)
}

/// A key of its own.
pub fn extract_key(frame: &[u8], meta: &Metadata<'_>) -> (FlowKey, Offsets) {
    let mut key = FlowKey::default();
    let (_, offsets) = extract(frame, meta, &mut key);
    (key, offsets)
}

/// Zeroes the words in `map`.
#[inline]
pub fn clear_words(key: &mut FlowKey, map: u128) {
    for i in map_iter(map) {
        key.words[i] = 0;
    }
}

/// Fills a compact key.
#[inline]
pub fn extract_mini(frame: &[u8], meta: &Metadata<'_>, key: &mut PacketKey) -> Offsets {
    key.map = 0;
    key.len = 0;
    walk(frame, meta, key)
}

/// A packet's key in compact form, in place: the words that are not zero, ascending. Meant to be used again and
/// again.
#[derive(Clone)]
pub struct PacketKey {
    map: u128,
    len: u32,
    words: [u64; PacketKey::CAPACITY],
}

impl Default for PacketKey {
    fn default() -> Self {
        PacketKey { map: 0, len: 0, words: [0; Self::CAPACITY] }
    }
}

impl PacketKey {
    /// The most words that a packet and its metadata can fill.
    pub const CAPACITY: usize = l::STAGE_PIPELINE + (l::BYTES - l::TUN_OPTS_PRESENT) / 8;

    /// The map of words.
    #[inline]
    pub fn map(&self) -> u128 {
        self.map
    }

    /// The words, ascending; none is zero.
    #[inline]
    pub fn words(&self) -> &[u64] {
        &self.words[..self.len as usize]
    }

    /// A hash of the whole key.
    #[inline]
    pub fn hash(&self, seed: u64) -> u64 {
        let mut h = hash_add(seed ^ self.map as u64, (self.map >> 64) as u64);
        let mut pairs = self.words().chunks_exact(2);
        for p in &mut pairs {
            let m = ((p[0] ^ h) as u128).wrapping_mul((p[1] ^ 0x2d35_8dcc_aa6c_78a5) as u128);
            h = (m as u64) ^ ((m >> 64) as u64) ^ p[0].rotate_left(32) ^ p[1];
        }
        if let [w] = pairs.remainder() {
            h = hash_add(h, *w);
        }
        hash_finish(h)
    }

    /// Whether a stored key is the same.
    #[inline]
    pub fn is(&self, other: &MiniKey) -> bool {
        self.map == other.map() && self.words() == other.words()
    }

    /// The form to be stored.
    pub fn to_mini(&self) -> MiniKey {
        MiniKey::from_parts(self.map, self.words()).unwrap_or_default()
    }

    /// Writes the words into a wide key that is all zeros.
    #[inline]
    pub fn expand_into(&self, key: &mut FlowKey) {
        for (i, w) in map_iter(self.map).zip(self.words()) {
            key.words[i] = *w;
        }
    }

    /// The wide form.
    pub fn expand(&self) -> FlowKey {
        let mut key = FlowKey::default();
        self.expand_into(&mut key);
        key
    }

    /// The word at place `n` of the layout.
    #[inline]
    pub fn word(&self, n: usize) -> u64 {
        if self.map >> n & 1 == 0 {
            0
        } else {
            self.words[(self.map & ((1u128 << n) - 1)).count_ones() as usize]
        }
    }

    /// Hash under a mask; equals [`MiniMask::hash`] of the wide form.
    pub fn hash_under(&self, mask: &MiniMask, seed: u64) -> u64 {
        let mut h = seed;
        self.under(mask, |w| {
            h = hash_add(h, w);
            true
        });
        hash_finish(h)
    }

    /// Whether this key under `mask` equals `key`, which was made with the same mask.
    pub fn matches(&self, key: &MiniKey, mask: &MiniMask) -> bool {
        let mut stored = key.words().iter();
        self.under(mask, |w| stored.next() == Some(&w))
    }

    /// Calls `f` with each word of the mask applied, ascending, while it says true. Returns whether it always did.
    #[inline(always)]
    fn under(&self, mask: &MiniMask, mut f: impl FnMut(u64) -> bool) -> bool {
        let mut mine = map_iter(self.map).zip(self.words());
        let mut next = mine.next();
        for (i, m) in map_iter(mask.map()).zip(mask.words()) {
            while next.is_some_and(|(n, _)| n < i) {
                next = mine.next();
            }
            let w = next.filter(|(n, _)| *n == i).map_or(0, |(_, w)| *w);
            if !f(w & m) {
                return false;
            }
        }
        true
    }
}

impl std::fmt::Debug for PacketKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.expand().fmt(f)
    }
}

/// Takes words in ascending order of their place.
trait Sink {
    fn word(&mut self, n: usize, w: u64);
}

struct Wide<'a> {
    key: &'a mut FlowKey,
    map: u128,
}

impl Sink for Wide<'_> {
    #[inline(always)]
    fn word(&mut self, n: usize, w: u64) {
        self.key.words[n] = w;
        self.map |= 1 << n;
    }
}

impl Sink for PacketKey {
    #[inline(always)]
    fn word(&mut self, n: usize, w: u64) {
        if w != 0 {
            self.words[self.len as usize] = w;
            self.len += 1;
            self.map |= 1 << n;
        }
    }
}

#[inline(always)]
fn u16_at(b: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([b[at], b[at + 1]])
}

#[inline(always)]
fn u32_at(b: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([b[at], b[at + 1], b[at + 2], b[at + 3]])
}

/// Eight bytes as a word.
#[inline(always)]
fn raw(b: &[u8], at: usize) -> u64 {
    u64::from_ne_bytes(b[at..at + 8].try_into().expect("eight bytes were taken"))
}

const W_ETH: usize = l::ETH_DST / 8;
const W_MPLS: usize = l::MPLS / 8;
const W_NW: usize = l::NW_SRC / 8;
const W_IPV6: usize = l::IPV6_SRC / 8;
const W_IP: usize = l::IPV6_LABEL / 8;
const W_ARP: usize = l::ARP_SHA / 8;
const W_ND: usize = l::ND_TARGET / 8;
const W_NSH: usize = l::NSH_FLAGS / 8;
const W_PBB: usize = l::PBB_ISID / 8;
const W_TP: usize = l::TCP_FLAGS / 8;
const W_TP2: usize = l::IGMP_GROUP / 8;

#[inline(always)]
fn walk<S: Sink>(frame: &[u8], meta: &Metadata<'_>, s: &mut S) -> Offsets {
    s.word(0, ((meta.in_port as u64) << 32 | meta.recirc_id as u64).to_be());
    s.word(1, ((meta.dp_hash as u64) << 32 | meta.skb_priority as u64).to_be());
    s.word(2, ((meta.pkt_mark as u64) << 32 | meta.packet_type as u64).to_be());
    if let Some(rest) = meta.rest {
        copy_words(rest, l::CT_STATE / 8..l::STAGE_L2, s);
    }
    let mut offsets = Offsets::EMPTY;
    packet(frame, meta, s, &mut offsets);
    if let Some(rest) = meta.rest {
        copy_words(rest, l::TUN_OPTS_PRESENT / 8..l::WORDS, s);
    }
    offsets
}

fn copy_words<S: Sink>(from: &FlowKey, range: Range<usize>, s: &mut S) {
    for i in range {
        if from.words[i] != 0 {
            s.word(i, from.words[i]);
        }
    }
}

#[inline(always)]
fn packet<S: Sink>(frame: &[u8], meta: &Metadata<'_>, s: &mut S, offsets: &mut Offsets) {
    let (ethertype, at) = if meta.packet_type == 0 {
        match ethernet(frame, meta.vlan_limit, s) {
            Some(x) => x,
            None => return,
        }
    } else {
        let t = meta.packet_type as u16;
        s.word(W_ETH + 2, ((t as u64) << 16).to_be());
        if meta.packet_type >> 16 != 1 {
            return;
        }
        (t, 0)
    };
    offsets.l3 = at as u16;
    match ethertype {
        eth_type::IPV4 => ipv4(frame, at, s, offsets),
        eth_type::IPV6 => ipv6(frame, at, s, offsets),
        eth_type::ARP | eth_type::RARP => arp(frame, at, s),
        eth_type::MPLS | eth_type::MPLS_MULTICAST => mpls(frame, at, s, offsets),
        eth_type::NSH => nsh(frame, at, s),
        eth_type::PBB => pbb(frame, at, s),
        _ => {}
    }
}

/// Layer 2. Returns the Ethertype and where its payload starts.
#[inline(always)]
fn ethernet<S: Sink>(frame: &[u8], vlan_limit: u8, s: &mut S) -> Option<(u16, usize)> {
    if frame.len() < 14 {
        return None;
    }
    let mut at = 12;
    let mut tags = [0u32; 2];
    for tag in tags.iter_mut().take(vlan_limit as usize) {
        let t = u16_at(frame, at);
        if !matches!(t, eth_type::VLAN | eth_type::QINQ) || frame.len() < at + 6 {
            break;
        }
        *tag = u32_at(frame, at) | VLAN_PRESENT as u32;
        at += 4;
    }
    let mut ethertype = u16_at(frame, at);
    at += 2;
    if ethertype < 0x600 {
        ethertype = eth_type::NOT_A_TYPE;
        if frame.len() >= at + 8 && frame[at..at + 6] == [0xaa, 0xaa, 0x03, 0, 0, 0] {
            let snap = u16_at(frame, at + 6);
            at += 8;
            if snap >= 0x600 {
                ethertype = snap;
            }
        }
    }
    s.word(W_ETH, raw(frame, 0));
    s.word(W_ETH + 1, ((u32_at(frame, 8) as u64) << 32 | tags[0] as u64).to_be());
    s.word(W_ETH + 2, ((tags[1] as u64) << 32 | (ethertype as u64) << 16).to_be());
    Some((ethertype, at))
}

fn mpls<S: Sink>(frame: &[u8], at: usize, s: &mut S, offsets: &mut Offsets) {
    offsets.l2_5 = at as u16;
    let mut lse = [0u32; 3];
    let mut next = at;
    let mut n = 0;
    while frame.len() >= next + 4 {
        let e = u32_at(frame, next);
        if let Some(slot) = lse.get_mut(n) {
            *slot = e;
        }
        n += 1;
        next += 4;
        if e & 0x100 != 0 {
            break;
        }
    }
    offsets.l3 = next as u16;
    s.word(W_MPLS, ((lse[0] as u64) << 32 | lse[1] as u64).to_be());
    s.word(W_MPLS + 1, ((lse[2] as u64) << 32).to_be());
}

#[inline(always)]
fn ip_word(label: u32, frag: u8, tos: u8, ttl: u8, proto: u8) -> u64 {
    ((label as u64) << 32 | (frag as u64) << 24 | (tos as u64) << 16 | (ttl as u64) << 8 | proto as u64)
        .to_be()
}

#[inline(always)]
fn ipv4<S: Sink>(frame: &[u8], at: usize, s: &mut S, offsets: &mut Offsets) {
    let Some(h) = frame.get(at..).filter(|h| h.len() >= 20) else { return };
    let header = (h[0] & 15) as usize * 4;
    let total = u16_at(h, 2) as usize;
    if header < 20 || h.len() < header || total < header || total > h.len() {
        return;
    }
    offsets.l2_pad = (h.len() - total).min(255) as u8;
    let fragment = u16_at(h, 6);
    let nw_frag = match (fragment & 0x3fff != 0, fragment & 0x1fff != 0) {
        (_, true) => frag::ANY | frag::LATER,
        (true, false) => frag::ANY,
        _ => 0,
    };
    s.word(W_NW, raw(h, 12));
    s.word(W_IP, ip_word(0, nw_frag, h[1], h[8], h[9]));
    offsets.l4 = (at + header) as u16;
    if nw_frag & frag::LATER == 0 {
        transport(frame, at + header, at + total, h[9], s, offsets);
    }
}

#[inline(always)]
fn ipv6<S: Sink>(frame: &[u8], at: usize, s: &mut S, offsets: &mut Offsets) {
    let Some(h) = frame.get(at..).filter(|h| h.len() >= 40) else { return };
    let payload = u16_at(h, 4) as usize;
    if payload > h.len() - 40 {
        return;
    }
    offsets.l2_pad = (h.len() - 40 - payload).min(255) as u8;
    for i in 0..4 {
        s.word(W_IPV6 + i, raw(h, 8 + 8 * i));
    }
    let first = u32_at(h, 0);
    let label = first & 0xf_ffff;
    let tos = (first >> 20) as u8;
    let end = at + 40 + payload;
    let Some((proto, l4, nw_frag, seen)) = extension_headers(frame, at + 40, end, h[6]) else {
        // The chain is broken: nothing about the datagram inside is known.
        return;
    };
    s.word(W_IP, ip_word(label, nw_frag, tos, h[7], proto));
    offsets.l4 = l4 as u16;
    // Neighbour discovery writes the rest of the word.
    let nd =
        nw_frag & frag::LATER == 0 && proto == ip_proto::ICMPV6 && end > l4 && matches!(frame[l4], 135 | 136);
    let exthdr = u64::from(seen.flags) << 16;
    if exthdr != 0 && !nd {
        s.word(W_ARP + 1, exthdr.to_be());
    }
    if nw_frag & frag::LATER == 0 {
        transport(frame, l4, end, proto, s, offsets);
    }
}

/// IPv6 extension header numbers (RFC 8200 4).
mod ext {
    pub const HOP_BY_HOP: u8 = 0;
    pub const ROUTING: u8 = 43;
    pub const FRAGMENT: u8 = 44;
    pub const AUTH: u8 = 51;
    pub const DEST_OPTS: u8 = 60;
    pub const ESP: u8 = 50;
    pub const NO_NEXT: u8 = 59;
}

/// Which extension headers there are, as OpenFlow's pseudo field says it (1.3, table 15), and whether they follow the
/// order of RFC 8200 4.1.
#[derive(Clone, Copy, Default)]
struct Seen {
    flags: u16,
    rank: u8,
}

impl Seen {
    fn add(&mut self, header: u8) {
        // (flag, places in the order): options for the destination may stand before routing and at the end.
        let (flag, first, second) = match header {
            ext::NO_NEXT => (0x001, 8, 8),
            ext::ESP => (0x002, 6, 6),
            ext::AUTH => (0x004, 5, 5),
            ext::DEST_OPTS => (0x008, 2, 7),
            ext::FRAGMENT => (0x010, 4, 4),
            ext::ROUTING => (0x020, 3, 3),
            ext::HOP_BY_HOP => (0x040, 1, 1),
            _ => return,
        };
        let rank = if self.rank < first { first } else { second };
        if self.flags & flag != 0 && (first == second || self.rank >= second) {
            self.flags |= 0x080;
        }
        if rank < self.rank {
            self.flags |= 0x100;
        }
        self.flags |= flag;
        self.rank = self.rank.max(rank);
    }
}

/// Walks the chain: the protocol after it, where that starts, fragment bits, what was there. `None` if a header is cut
/// short.
#[inline(always)]
fn extension_headers(frame: &[u8], mut at: usize, end: usize, mut next: u8) -> Option<(u8, usize, u8, Seen)> {
    let mut nw_frag = 0;
    let mut seen = Seen::default();
    loop {
        seen.add(next);
        match next {
            ext::HOP_BY_HOP | ext::ROUTING | ext::DEST_OPTS | ext::AUTH => {
                if end < at + 8 {
                    return None;
                }
                let units = frame[at + 1] as usize;
                let len = if next == ext::AUTH { (units + 2) * 4 } else { (units + 1) * 8 };
                next = frame[at];
                if end < at + len {
                    return None;
                }
                at += len;
            }
            ext::FRAGMENT => {
                if end < at + 8 {
                    return None;
                }
                next = frame[at];
                let ofs_and_flags = u16_at(frame, at + 2);
                at += 8;
                // Reserved bits count too: only an all-zero field is an atomic fragment.
                if ofs_and_flags != 0 {
                    nw_frag = frag::ANY;
                    if ofs_and_flags & 0xfff8 != 0 {
                        return Some((ext::FRAGMENT, at, frag::ANY | frag::LATER, seen));
                    }
                }
            }
            _ => return Some((next, at, nw_frag, seen)),
        }
    }
}

#[inline(always)]
fn ports_word(flags: u16, nd_option: u8, src: u16, dst: u16) -> u64 {
    ((flags as u64) << 48 | (nd_option as u64) << 40 | (src as u64) << 16 | dst as u64).to_be()
}

/// Layer 4 of the bytes `at..end`.
#[inline(always)]
fn transport<S: Sink>(frame: &[u8], at: usize, end: usize, proto: u8, s: &mut S, offsets: &mut Offsets) {
    let h = &frame[at..end];
    match proto {
        ip_proto::TCP if h.len() >= 20 => {
            let header = (h[12] >> 4) as usize * 4;
            if header >= 20 && header <= h.len() {
                s.word(W_TP, ports_word(u16_at(h, 12) & 0xfff, 0, u16_at(h, 0), u16_at(h, 2)));
                offsets.payload = (at + header) as u16;
            }
        }
        ip_proto::UDP if h.len() >= 8 => {
            s.word(W_TP, ports_word(0, 0, u16_at(h, 0), u16_at(h, 2)));
            offsets.payload = (at + 8) as u16;
        }
        ip_proto::SCTP if h.len() >= 12 => {
            s.word(W_TP, ports_word(0, 0, u16_at(h, 0), u16_at(h, 2)));
            offsets.payload = (at + 12) as u16;
        }
        ip_proto::ICMP if h.len() >= 8 => {
            s.word(W_TP, ports_word(0, 0, h[0] as u16, h[1] as u16));
            offsets.payload = (at + 8) as u16;
        }
        ip_proto::IGMP if h.len() >= 8 => {
            s.word(W_TP, ports_word(0, 0, h[0] as u16, h[1] as u16));
            s.word(W_TP2, (u32_at(h, 4) as u64).rotate_left(32).to_be());
            offsets.payload = (at + 8) as u16;
        }
        ip_proto::ICMPV6 => icmpv6(h, at, s, offsets),
        _ => {}
    }
}

fn icmpv6<S: Sink>(h: &[u8], at: usize, s: &mut S, offsets: &mut Offsets) {
    if h.len() < 8 {
        return;
    }
    let (icmp_type, code) = (h[0] as u16, h[1] as u16);
    offsets.payload = (at + 4) as u16;
    if !(matches!(icmp_type, 135 | 136) && code == 0) {
        s.word(W_TP, ports_word(0, 0, icmp_type, code));
        return;
    }
    let reserved = u32_at(h, 4);
    let mut nd = NeighborDiscovery::default();
    if h.len() >= 24 {
        nd.read(h);
    }
    let b = |m: [u8; 6], i: usize| m[i] as u64;
    let sll = nd.sll;
    s.word(
        W_ARP,
        (b(sll, 0) << 56
            | b(sll, 1) << 48
            | b(sll, 2) << 40
            | b(sll, 3) << 32
            | b(sll, 4) << 24
            | b(sll, 5) << 16
            | b(nd.tll, 0) << 8
            | b(nd.tll, 1))
        .to_be(),
    );
    s.word(W_ARP + 1, (u32_at(&nd.tll, 2) as u64).rotate_left(32).to_be());
    s.word(W_ND, raw(&nd.target, 0));
    s.word(W_ND + 1, raw(&nd.target, 8));
    s.word(W_TP, ports_word(0, nd.option, icmp_type, code));
    s.word(W_TP2, (reserved as u64).to_be());
}

/// RFC 4861 4.3, 4.4: target and link-layer addresses.
#[derive(Default)]
struct NeighborDiscovery {
    target: [u8; 16],
    sll: [u8; 6],
    tll: [u8; 6],
    option: u8,
}

impl NeighborDiscovery {
    fn read(&mut self, h: &[u8]) {
        self.target.copy_from_slice(&h[8..24]);
        let mut rest = &h[24..];
        while rest.len() >= 8 {
            let len = rest[1] as usize * 8;
            if len == 0 || len > rest.len() {
                return;
            }
            let address: [u8; 6] = rest[2..8].try_into().expect("six bytes were taken");
            let slot = match rest[0] {
                1 if len == 8 => Some(&mut self.sll),
                2 if len == 8 => Some(&mut self.tll),
                _ => None,
            };
            if let Some(slot) = slot {
                // Two of a kind make the whole message worthless.
                if *slot != [0; 6] {
                    *self = NeighborDiscovery::default();
                    return;
                }
                *slot = address;
                self.option = rest[0];
            }
            rest = &rest[len..];
        }
    }
}

fn arp<S: Sink>(frame: &[u8], at: usize, s: &mut S) {
    let Some(h) = frame.get(at..).filter(|h| h.len() >= 28) else { return };
    if h[..6] != [0, 1, 8, 0, 6, 4] {
        return;
    }
    let op = u16_at(h, 6);
    s.word(W_NW, ((u32_at(h, 14) as u64) << 32 | u32_at(h, 24) as u64).to_be());
    s.word(W_IP, ip_word(0, 0, 0, 0, if op <= 0xff { op as u8 } else { 0 }));
    s.word(
        W_ARP,
        ((u32_at(h, 8) as u64) << 32 | (u16_at(h, 12) as u64) << 16 | u16_at(h, 18) as u64).to_be(),
    );
    s.word(W_ARP + 1, (u32_at(h, 20) as u64).rotate_left(32).to_be());
}

/// The service instance tag (IEEE 802.1Q 9.7): priority and flags in the first byte, then the service identifier.
fn pbb<S: Sink>(frame: &[u8], at: usize, s: &mut S) {
    let Some(tag) = frame.get(at..at + 4) else { return };
    let isid = u64::from(u32_at(tag, 0) & 0xff_ffff);
    let uca = u64::from(tag[0] >> 3 & 1);
    s.word(W_PBB, (isid << 8 | uca).to_be());
}

/// RFC 8300 2.
fn nsh<S: Sink>(frame: &[u8], at: usize, s: &mut S) {
    let Some(h) = frame.get(at..).filter(|h| h.len() >= 8) else { return };
    let first = u16_at(h, 0);
    let (version, len) = (first >> 14, (first & 0x3f) as usize * 4);
    let md_type = h[2];
    if version != 0 || len > h.len() {
        return;
    }
    let flags = (first >> 12) as u8 & 3;
    let ttl = (first >> 6) as u8 & 0x3f;
    let mut context = [0u8; 16];
    match md_type {
        1 if len == 24 => context.copy_from_slice(&h[8..24]),
        1 => return,
        2 if len < 8 => return,
        _ => {}
    }
    let head = (flags as u64) << 56
        | (ttl as u64) << 48
        | (md_type as u64) << 40
        | (h[3] as u64) << 32
        | u32_at(h, 4) as u64;
    s.word(W_NSH, head.to_be());
    s.word(W_NSH + 1, raw(&context, 0));
    s.word(W_NSH + 2, raw(&context, 8));
}

#[cfg(test)]
mod tests;
