//! Printing of matches and flows.
//!
//! The order is the customary one: what is known on arrival, the protocol's short name, registers, tunnel, port,
//! then the packet from layer 2 up. A field is printed only where it can mean something to the reader: IPv6
//! addresses with IPv6, TCP flags with TCP.

use super::port::{NoPorts, PortMap, put_port};
use super::value::{frag_text, packet_type_text, put_ipv4, put_ipv6, put_mac, put_value};
use super::{flags, number};
use crate::field::Field;
use crate::key::{FlowKey, Mask, VLAN_PRESENT, eth_type, ip_proto, tun_flags};
use crate::layout as l;
use crate::matching::Match;
use crate::prereq::match_meets;
use crate::tun::TunLayout;
use crate::{Format, Prereq, field};
use base::OfPort;

/// How to print.
#[derive(Clone, Copy)]
pub struct Style<'a> {
    /// Names of ports.
    pub ports: &'a dyn PortMap,
    /// With terminal colours.
    pub color: bool,
    /// Where tunnel options lie, for matches that do not say so themselves.
    pub tun: Option<&'a TunLayout>,
}

impl Default for Style<'_> {
    fn default() -> Self {
        Style { ports: &NoPorts, color: false, tun: None }
    }
}

/// The priority that is not printed.
pub const DEFAULT_PRIORITY: u16 = 0x8000;

/// Where a match is printed.
struct Out<'a> {
    text: &'a mut String,
    /// Where the match begins.
    start: usize,
    style: Style<'a>,
}

impl Out<'_> {
    /// Appends `name=`; the value follows.
    fn name(&mut self, name: &str) -> &mut String {
        self.colored(name, 36)
    }

    /// The same for one that stands out.
    fn special(&mut self, name: &str) -> &mut String {
        self.colored(name, 33)
    }

    fn colored(&mut self, name: &str, color: u8) -> &mut String {
        self.sep();
        if self.style.color {
            self.text.push_str(&format!("\x1b[{color}m\x1b[K{name}=\x1b[m\x1b[K"));
        } else {
            self.text.push_str(name);
            self.text.push('=');
        }
        self.text
    }

    fn item(&mut self, name: &str, value: &str) {
        self.name(name).push_str(value);
    }

    fn sep(&mut self) {
        if self.text.len() > self.start {
            self.text.push(',');
        }
    }

    fn plain(&mut self, text: &str) {
        self.sep();
        self.text.push_str(text);
    }

    fn keyword(&mut self, word: &str) {
        self.sep();
        if self.style.color {
            self.text.push_str(&format!("\x1b[32m\x1b[K{word}\x1b[m\x1b[K"));
        } else {
            self.text.push_str(word);
        }
    }

    /// A number in decimal.
    fn number(&mut self, name: &str, v: u128) {
        number::dec(self.name(name), v as u64);
    }

    /// Hexadecimal with a hexadecimal mask.
    fn hex(&mut self, name: &str, (v, m): (u128, u128), width: u16) {
        if m != 0 {
            let text = self.name(name);
            number::hex(text, v);
            if m != field::ones(width) {
                text.push('/');
                number::hex(text, m);
            }
        }
    }

    /// Decimal, or both hexadecimal with a mask.
    fn dec(&mut self, name: &str, (v, m): (u128, u128), width: u16) {
        if m == field::ones(width) {
            self.number(name, v);
        } else if m != 0 {
            self.item(name, &format!("{v:#x}/{m:#x}"));
        }
    }

    fn mac(&mut self, name: &str, (v, m): (u128, u128)) {
        if m != 0 {
            put_mac(self.name(name), v as u64, m as u64);
        }
    }

    fn ipv4(&mut self, name: &str, (v, m): (u128, u128)) {
        if m != 0 {
            put_ipv4(self.name(name), v as u32, m as u32);
        }
    }

    fn ipv6(&mut self, name: &str, (v, m): (u128, u128)) {
        if m != 0 {
            put_ipv6(self.name(name), v, m);
        }
    }
}

/// Text of a match; the priority comes first if it is given and not [`DEFAULT_PRIORITY`].
pub fn match_text(m: &Match, priority: Option<u16>, style: Style<'_>) -> String {
    let mut text = String::new();
    put_match(&mut text, m, priority, style);
    text
}

/// The same, appended.
pub fn put_match(text: &mut String, m: &Match, priority: Option<u16>, style: Style<'_>) {
    let start = text.len();
    let mut out = Out { text, start, style };
    if let Some(p) = priority.filter(|p| *p != DEFAULT_PRIORITY) {
        number::dec(out.special("priority"), p.into());
    }
    let any = |from, to| matches_any(m, from, to);
    arrival(&mut out, m);
    if any(l::CT_STATE, l::TUN_ID) {
        conntrack(&mut out, m);
    }
    let (skip_type, skip_proto) = protocol(&mut out, m);
    if any(l::REGS, l::METADATA) {
        for n in 0..32 {
            out.hex(Field::reg(n).name(), m.get(Field::reg(n)), 32);
        }
    }
    if any(l::TUN_ID, l::ETH_DST) || any(l::TUN_OPTS_PRESENT, l::TUN_OPTS) {
        tunnel(&mut out, m);
    }
    if any(l::METADATA, l::ACTSET_OUTPUT) {
        out.hex("metadata", m.get(Field::METADATA), 64);
    }
    if m.mask.0.u32_at(l::IN_PORT) != 0 {
        put_port(out.name("in_port"), m.key.in_port(), style.ports);
    }
    vlan(&mut out, m);
    if any(l::ETH_DST, l::VLAN2_TPID) {
        out.mac("dl_src", m.get(Field::ETH_SRC));
        out.mac("dl_dst", m.get(Field::ETH_DST));
    }
    if !skip_type && m.mask.get(Field::ETH_TYPE) != 0 {
        out.item("dl_type", &format!("{:#06x}", m.key.eth_type()));
    }
    network(&mut out, m, skip_proto);
    if any(l::ARP_SHA, l::NSH_FLAGS) || any(l::TCP_FLAGS, l::REGS) {
        transport(&mut out, m);
    }
}

/// Number of fields that are printed by themselves, and those fields.
const PLAIN: (usize, [Field; field::COUNT]) = {
    let (mut count, mut all, mut n) = (0, [Field::from_index(0); field::COUNT], 0);
    while n < field::COUNT {
        if Field::from_index(n).info().plain {
            all[count] = Field::from_index(n);
            count += 1;
        }
        n += 1;
    }
    (count, all)
};

/// Whether any word between two places of the layout is matched: most parts of most matches are wild.
fn matches_any(m: &Match, from: usize, to: usize) -> bool {
    m.mask.0.words[from / 8..to / 8].iter().any(|w| *w != 0)
}

/// The Ethertype that a match is about, from its packet type if that names one.
fn ethertype(m: &Match) -> Option<u16> {
    if m.mask.get(Field::PACKET_TYPE) == 0xffff_ffff && m.key.packet_type() >> 16 == 1 {
        return Some(m.key.packet_type() as u16);
    }
    (m.mask.get(Field::ETH_TYPE) == 0xffff).then(|| m.key.eth_type())
}

fn arrival(out: &mut Out<'_>, m: &Match) {
    let at = |ofs| (m.key.u32_at(ofs).into(), m.mask.0.u32_at(ofs).into());
    out.hex("pkt_mark", at(l::PKT_MARK), 32);
    out.hex("recirc_id", at(l::RECIRC_ID), 32);
    out.hex("dp_hash", at(l::DP_HASH), 32);
    let (v, mask) = at(l::CONJ_ID);
    if mask != 0 {
        if out.style.color {
            out.sep();
            out.text.push_str(&format!("\x1b[36m\x1b[Kconj_id\x1b[m\x1b[K={v}"));
        } else {
            out.number("conj_id", v);
        }
    }
    out.hex("skb_priority", at(l::SKB_PRIORITY), 32);
    let (v, mask) = at(l::ACTSET_OUTPUT);
    if mask != 0 {
        let ports = out.style.ports;
        put_port(out.name("actset_output"), OfPort(v as u32), ports);
    }
}

fn conntrack(out: &mut Out<'_>, m: &Match) {
    let (v, mask) = m.get(Field::CT_STATE);
    if mask != 0 {
        flags::CT_STATE.put_masked(out.name("ct_state"), v as u32, mask as u32);
    }
    out.dec("ct_zone", m.get(Field::CT_ZONE), 16);
    out.hex("ct_mark", m.get(Field::CT_MARK), 32);
    out.hex("ct_label", m.get(Field::CT_LABEL), 128);
    out.ipv4("ct_nw_src", m.get(Field::CT_NW_SRC));
    out.ipv6("ct_ipv6_src", m.get(Field::CT_IPV6_SRC));
    out.ipv4("ct_nw_dst", m.get(Field::CT_NW_DST));
    out.ipv6("ct_ipv6_dst", m.get(Field::CT_IPV6_DST));
    let (v, mask) = m.get(Field::CT_NW_PROTO);
    if mask != 0 {
        out.number("ct_nw_proto", v);
        out.dec("ct_tp_src", m.get(Field::CT_TP_SRC), 16);
        out.dec("ct_tp_dst", m.get(Field::CT_TP_DST), 16);
    }
}

/// Prints the packet type and the protocol's short name; returns whether those cover `dl_type` and `nw_proto`.
fn protocol(out: &mut Out<'_>, m: &Match) -> (bool, bool) {
    let (pt, mask) = m.get(Field::PACKET_TYPE);
    if mask == 0xffff_ffff {
        if pt != 0 {
            out.plain(&format!("packet_type={}", packet_type_text(pt as u32)));
        } else if m.mask.get(Field::RECIRC_ID) != 0 {
            // A datapath flow says so, since its other fields do not imply it.
            out.keyword("eth");
        }
    }
    if m.mask.get(Field::ETH_TYPE) != 0xffff {
        return (false, false);
    }
    let proto = (m.mask.get(Field::IP_PROTO) == 0xff).then(|| m.key.ip_proto());
    let (word, skip_proto) = match (m.key.eth_type(), proto) {
        (eth_type::IPV4, Some(ip_proto::ICMP)) => ("icmp", true),
        (eth_type::IPV4, Some(ip_proto::TCP)) => ("tcp", true),
        (eth_type::IPV4, Some(ip_proto::UDP)) => ("udp", true),
        (eth_type::IPV4, Some(ip_proto::SCTP)) => ("sctp", true),
        (eth_type::IPV4, _) => ("ip", false),
        (eth_type::IPV6, Some(ip_proto::ICMPV6)) => ("icmp6", true),
        (eth_type::IPV6, Some(ip_proto::TCP)) => ("tcp6", true),
        (eth_type::IPV6, Some(ip_proto::UDP)) => ("udp6", true),
        (eth_type::IPV6, Some(ip_proto::SCTP)) => ("sctp6", true),
        (eth_type::IPV6, _) => ("ipv6", false),
        (eth_type::ARP, _) => ("arp", false),
        (eth_type::RARP, _) => ("rarp", false),
        (eth_type::MPLS, _) => ("mpls", false),
        (eth_type::MPLS_MULTICAST, _) => ("mplsm", false),
        _ => return (false, false),
    };
    out.keyword(word);
    (true, skip_proto)
}

fn tunnel(out: &mut Out<'_>, m: &Match) {
    out.hex("tun_id", m.get(Field::TUN_ID), 64);
    out.ipv4("tun_src", m.get(Field::TUN_SRC));
    out.ipv4("tun_dst", m.get(Field::TUN_DST));
    out.ipv6("tun_ipv6_src", m.get(Field::TUN_IPV6_SRC));
    out.ipv6("tun_ipv6_dst", m.get(Field::TUN_IPV6_DST));
    out.dec("tun_gbp_id", m.get(Field::TUN_GBP_ID), 16);
    let (v, mask) = m.get(Field::TUN_GBP_FLAGS);
    if mask != 0 {
        number::hex(out.name("tun_gbp_flags"), v);
    }
    out.dec("tun_tos", m.get(Field::TUN_TOS), 8);
    out.dec("tun_ttl", m.get(Field::TUN_TTL), 8);
    let (ver, mask) = m.get(Field::TUN_ERSPAN_VER);
    if mask != 0 {
        out.number("tun_erspan_ver", ver);
        let (idx, mask) = m.get(Field::TUN_ERSPAN_IDX);
        if ver == 1 && mask != 0 {
            number::hex(out.name("tun_erspan_idx"), idx);
        }
        let (dir, mask) = m.get(Field::TUN_ERSPAN_DIR);
        if ver == 2 && mask != 0 {
            out.number("tun_erspan_dir", dir);
        }
        let (hwid, mask) = m.get(Field::TUN_ERSPAN_HWID);
        if ver == 2 && mask != 0 {
            number::hex(out.name("tun_erspan_hwid"), hwid);
        }
    }
    let (v, mask) = m.get(Field::TUN_GTPU_FLAGS);
    if mask != 0 {
        number::hex(out.name("gtpu_flags"), v);
    }
    let (v, mask) = m.get(Field::TUN_GTPU_MSGTYPE);
    if mask != 0 {
        out.number("gtpu_msgtype", v);
    }
    let all = flags::TUNNEL_ALL.all();
    let (v, mask) = (m.key.tun_flags() as u32 & all, m.mask.0.tun_flags() as u32 & all);
    if mask != 0 {
        flags::TUNNEL_ALL.put_masked(out.name("tun_flags"), v, mask);
    }
    tunnel_options(out, m);
}

fn tunnel_options(out: &mut Out<'_>, m: &Match) {
    let layout = m.tun.as_deref().or(out.style.tun);
    for n in 0..64 {
        if !TunLayout::is_present(&m.mask.0, n) {
            continue;
        }
        let name = Field::tun_metadata(n).name();
        let (value, mask) = layout.and_then(|t| m.tun_option(t, n)).unwrap_or((&[], &[]));
        // Leading zeros of a mask are as good as a shorter field.
        let counted = mask.iter().position(|b| *b != 0).map_or(&mask[..0], |i| &mask[i..]);
        if counted.is_empty() {
            out.plain(name);
        } else if counted.iter().all(|b| *b == 0xff) && !layout.is_some_and(|t| t.is_masked(n)) {
            out.item(name, &hex_bytes(value));
        } else {
            out.item(name, &format!("{}/{}", hex_bytes(value), hex_bytes(mask)));
        }
    }
}

/// Bytes as one hexadecimal number without leading zeros; `0` if all are zero.
pub fn hex_bytes(bytes: &[u8]) -> String {
    let Some(first) = bytes.iter().position(|b| *b != 0) else { return "0".into() };
    let mut out = format!("{:#x}", bytes[first]);
    for b in &bytes[first + 1..] {
        out.push_str(&format!("{b:02x}"));
    }
    out
}

fn vlan(out: &mut Out<'_>, m: &Match) {
    for n in 0..2 {
        let (_, tci) = m.key.vlan(n);
        let (_, mask) = m.mask.0.vlan(n);
        if mask == 0 {
            continue;
        }
        let (vid, pcp) = (mask & 0xfff == 0xfff, mask & 0xe000 == 0xe000);
        let known = mask & VLAN_PRESENT != 0 && tci & VLAN_PRESENT != 0;
        if known && (vid || mask & 0xfff == 0) && (pcp || mask & 0xe000 == 0) && (vid || pcp) {
            if vid {
                out.number(if n == 0 { "dl_vlan" } else { "dl_vlan1" }, (tci & 0xfff).into());
            }
            if pcp {
                out.number(if n == 0 { "dl_vlan_pcp" } else { "dl_vlan_pcp1" }, (tci >> 13).into());
            }
        } else {
            let mask = if mask == 0xffff { String::new() } else { format!("/{mask:#06x}") };
            out.item(if n == 0 { "vlan_tci" } else { "vlan_tci1" }, &format!("{tci:#06x}{mask}"));
        }
    }
}

fn network(out: &mut Out<'_>, m: &Match, skip_proto: bool) {
    let ethertype = ethertype(m);
    let arp = matches!(ethertype, Some(eth_type::ARP | eth_type::RARP));
    match ethertype {
        Some(eth_type::IPV6) => {
            out.ipv6("ipv6_src", m.get(Field::IPV6_SRC));
            out.ipv6("ipv6_dst", m.get(Field::IPV6_DST));
            let (v, mask) = m.get(Field::IPV6_LABEL);
            if mask == 0xfffff {
                out.item("ipv6_label", &format!("{v:#07x}"));
            } else if mask != 0 {
                out.item("ipv6_label", &format!("{v:#07x}/{mask:#07x}"));
            }
        }
        Some(eth_type::ARP | eth_type::RARP) => {
            out.ipv4("arp_spa", m.get(Field::ARP_SPA));
            out.ipv4("arp_tpa", m.get(Field::ARP_TPA));
        }
        Some(eth_type::NSH) => nsh(out, m),
        _ => {
            out.ipv4("nw_src", m.get(Field::IP_SRC));
            out.ipv4("nw_dst", m.get(Field::IP_DST));
        }
    }
    let (proto, mask) = m.get(Field::IP_PROTO);
    if !skip_proto && mask != 0 {
        out.number(if arp { "arp_op" } else { "nw_proto" }, proto);
    }
    if arp {
        out.mac("arp_sha", m.get(Field::ARP_SHA));
        out.mac("arp_tha", m.get(Field::ARP_THA));
    }
    if m.mask.get(Field::NW_TOS) != 0 {
        out.number("nw_tos", m.key.get(Field::NW_TOS));
    }
    out.dec("nw_ecn", m.get(Field::IP_ECN), 2);
    out.dec("nw_ttl", m.get(Field::NW_TTL), 8);
    if matches_any(m, l::MPLS, l::NW_SRC) {
        mpls(out, m);
    }
    for f in PLAIN.1.iter().take(PLAIN.0) {
        let info = f.info();
        let (value, mask) = m.get(*f);
        match info.format {
            _ if mask == 0 => {}
            Format::Decimal => out.dec(info.name, (value, mask), info.bits),
            Format::Hexadecimal => out.hex(info.name, (value, mask), info.bits),
            _ => put_value(out.name(info.name), *f, value, mask, &NoPorts),
        }
    }
    let (v, mask) = m.get(Field::IP_FRAG);
    if mask != 0 {
        out.item("nw_frag", frag_text(v as u8, mask as u8));
    }
}

fn mpls(out: &mut Out<'_>, m: &Match) {
    for f in [Field::MPLS_LABEL, Field::MPLS_TC, Field::MPLS_TTL, Field::MPLS_BOS] {
        if m.mask.get(f) != 0 {
            out.number(f.name(), m.key.get(f));
        }
    }
    for (n, name) in [(1, "mpls_lse1"), (2, "mpls_lse2")] {
        out.dec(name, (m.key.mpls_lse(n) as u128, m.mask.0.mpls_lse(n) as u128), 32);
    }
}

fn nsh(out: &mut Out<'_>, m: &Match) {
    let (v, mask) = m.get(Field::NSH_FLAGS);
    if mask == 0xff {
        out.number("nsh_flags", v);
    } else if mask != 0 {
        out.item("nsh_flags", &format!("{v:#04x}/{mask:#04x}"));
    }
    let path = |out: &mut Out<'_>, f: Field| {
        let (v, mask) = m.get(f);
        if mask == f.info().valid {
            out.item(f.name(), &if f == Field::NSH_SPI { format!("{v:#x}") } else { v.to_string() });
        } else if mask != 0 {
            out.item(f.name(), &format!("{v:#x}/{mask:#x}"));
        }
    };
    for f in [Field::NSH_TTL, Field::NSH_MDTYPE, Field::NSH_NP, Field::NSH_SPI, Field::NSH_SI] {
        path(out, f);
    }
    if m.key.get(Field::NSH_MDTYPE) == 1 {
        for f in [Field::NSH_C1, Field::NSH_C2, Field::NSH_C3, Field::NSH_C4] {
            let (v, mask) = m.get(f);
            if mask == 0xffff_ffff {
                out.item(f.name(), &format!("{v:#x}"));
            } else if mask != 0 {
                out.item(f.name(), &format!("{v:#x}/{mask:#x}"));
            }
        }
    }
}

fn transport(out: &mut Out<'_>, m: &Match) {
    let tp = |f: Field| m.get(f);
    let proto = (m.mask.get(Field::IP_PROTO) == 0xff).then(|| m.key.ip_proto());
    let wide = |ofs| (m.key.u16_at(ofs) as u128, m.mask.0.u16_at(ofs) as u128);
    match (ethertype(m), proto) {
        (Some(eth_type::IPV4), Some(ip_proto::ICMP)) | (Some(eth_type::IPV6), Some(ip_proto::ICMPV6)) => {
            out.dec("icmp_type", wide(l::TP_SRC), 16);
            out.dec("icmp_code", wide(l::TP_DST), 16);
            if proto == Some(ip_proto::ICMPV6) {
                out.ipv6("nd_target", tp(Field::ND_TARGET));
                out.mac("nd_sll", tp(Field::ND_SLL));
                out.mac("nd_tll", tp(Field::ND_TLL));
                for f in [Field::ND_RESERVED, Field::ND_OPTIONS_TYPE] {
                    if m.mask.get(f) != 0 {
                        out.number(f.name(), m.key.get(f));
                    }
                }
            }
        }
        _ => {
            out.dec("tp_src", wide(l::TP_SRC), 16);
            out.dec("tp_dst", wide(l::TP_DST), 16);
        }
    }
    let (v, mask) = m.get(Field::TCP_FLAGS);
    let tcp = proto == Some(ip_proto::TCP) && matches!(ethertype(m), Some(eth_type::IPV4 | eth_type::IPV6));
    if tcp && mask != 0 {
        flags::TCP.put_masked(out.name("tcp_flags"), v as u32, mask as u32);
    }
}

/// The fields that a packet's key has, as a mask: those of its protocols, and metadata that is not zero. With it a
/// key prints like a match.
pub fn fields_of(key: &FlowKey) -> Mask {
    let mut m = Match { key: key.clone(), ..Match::default() };
    m.mask.set_exact(Field::PACKET_TYPE);
    m.mask.set_exact(Field::IN_PORT_OXM);
    let ethernet = key.packet_type() == 0;
    if ethernet {
        m.mask.set_exact(Field::ETH_TYPE);
    }
    // From the outside in: each layer's fields make the next one's prerequisites known.
    m.mask.0.set_vlan_tci(if ethernet { 0xffff } else { 0 });
    let inner_present = ethernet && key.vlan_tci() & VLAN_PRESENT != 0;
    if inner_present {
        m.mask.0.put(l::VLAN2_TCI, &[0xff, 0xff]);
        m.mask.0.put(l::VLAN_TPID, &[0xff, 0xff]);
        if key.vlan(1).1 & VLAN_PRESENT != 0 {
            m.mask.0.put(l::VLAN2_TPID, &[0xff, 0xff]);
        }
    }
    for f in Field::all() {
        let info = f.info();
        let met = match info.prereq {
            Prereq::None => metadata_shown(f, key),
            Prereq::Ct => original_direction_shown(f, key),
            Prereq::VlanVid => false,
            Prereq::NdSolicit | Prereq::NdAdvert => match_meets(&m, Prereq::Nd),
            p => match_meets(&m, p),
        };
        let nsh_context = matches!(f, Field::NSH_C1 | Field::NSH_C2 | Field::NSH_C3 | Field::NSH_C4);
        let nd_extra = matches!(f, Field::ND_RESERVED | Field::ND_OPTIONS_TYPE);
        if met
            && !nd_extra
            && f != Field::IPV6_EXTHDR
            && (!nsh_context || key.get(Field::NSH_MDTYPE) == 1)
            && !matches!(f, Field::DL_VLAN | Field::DL_VLAN_PCP | Field::VLAN_VID)
        {
            m.mask.set_exact(f);
        }
    }
    if key.is_tunneled() {
        m.mask.0.bytes_mut()[l::TUN_SRC..l::TUN_TP_SRC].fill(0xff);
        m.mask.0.put(l::TUN_GTPU_FLAGS, &[0xff; 2]);
        m.mask.set(Field::TUN_ID, if key.tun_flags() & tun_flags::KEY != 0 { u128::MAX } else { 0 });
    }
    if m.key.eth_type() == eth_type::NSH {
        m.mask.0.put(l::NW_FRAG, &[0xff; 4]);
    }
    // Ports, types and groups are printed whatever the IP version.
    if key.is_ip_any()
        && key.nw_frag() & crate::key::frag::LATER == 0
        && matches!(key.ip_proto(), ip_proto::ICMP | ip_proto::IGMP | ip_proto::ICMPV6)
    {
        m.mask.0.put(l::TP_SRC, &[0xff; 4]);
    }
    if matches!(key.eth_type(), eth_type::MPLS | eth_type::MPLS_MULTICAST) {
        for n in 1..3 {
            if key.mpls_lse(n - 1) & 0x100 != 0 {
                break;
            }
            m.mask.0.put(l::MPLS + 4 * n, &[0xff; 4]);
        }
    }
    m.mask
}

/// Whether a field that no packet holds is printed: if it is not zero, and not another view of one that is.
fn metadata_shown(f: Field, key: &FlowKey) -> bool {
    let tunnel_only = Field::TUN_SRC.index()..Field::tun_metadata(0).index();
    let a_view = f.is_register() && f.info().bits != 32;
    let elsewhere = matches!(f, Field::PACKET_TYPE | Field::IN_PORT | Field::CONJ_ID | Field::ACTSET_OUTPUT);
    !a_view && !elsewhere && !tunnel_only.contains(&f.index()) && key.get(f) != 0
}

/// Whether a field of a tracked connection's original direction is printed: for a connection of the packet's IP
/// version.
fn original_direction_shown(f: Field, key: &FlowKey) -> bool {
    key.u8_at(l::CT_NW_PROTO) != 0
        && match f {
            Field::CT_NW_SRC | Field::CT_NW_DST => key.eth_type() == eth_type::IPV4,
            Field::CT_IPV6_SRC | Field::CT_IPV6_DST => key.eth_type() == eth_type::IPV6,
            _ => key.is_ip_any(),
        }
}

/// Text of a packet's key, as in traces.
pub fn flow_text(key: &FlowKey, style: Style<'_>) -> String {
    let mask = fields_of(key);
    match_text(&Match::masked(key, &mask), None, style)
}

/// Text of a packet that came in nowhere.
pub fn packet_text(key: &FlowKey, style: Style<'_>) -> String {
    let mut m = Match::masked(key, &fields_of(key));
    m.clear(Field::IN_PORT_OXM);
    match_text(&m, None, style)
}
