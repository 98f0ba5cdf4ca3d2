//! From a key to a packet: headers with these fields, right lengths and checksums, and a payload.

use crate::key::{FlowKey, VLAN_PRESENT, eth_type, frag, ip_proto};
use crate::layout as l;
use wire::checksum::{Sum, checksum, pseudo_ipv4, pseudo_ipv6};
use wire::{arp, ipv4, ipv6, tcp};

/// What to put behind the headers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Payload<'a> {
    /// 64 bytes counting up, where the protocol has room for data.
    #[default]
    Counting,
    /// These bytes, where the protocol has room for data.
    Bytes(&'a [u8]),
    /// Zeros up to this length of the whole frame, whatever the protocol.
    Fill(usize),
}

/// The offset that a fragment other than the first is given, in units of 8 bytes.
const LATER_OFFSET: u16 = 100;

/// Why a packet cannot be made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TooSmall;

impl std::fmt::Display for TooSmall {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("too small packet len")
    }
}

impl std::error::Error for TooSmall {}

/// Makes a packet. With `bad_csum` the IPv4 header's checksum is off by one. Fails only if [`Payload::Fill`] asks
/// for fewer bytes than the headers have.
pub fn compose(key: &FlowKey, payload: Payload<'_>, bad_csum: bool) -> Result<Vec<u8>, TooSmall> {
    let mut out = Vec::with_capacity(128);
    let ethernet = key.packet_type() == 0;
    let mut ethertype = key.eth_type();
    if ethernet {
        out.extend_from_slice(&key.eth_dst().0);
        out.extend_from_slice(&key.eth_src().0);
        for n in 0..2 {
            let (tpid, tci) = key.vlan(n);
            if tci & VLAN_PRESENT == 0 {
                break;
            }
            let tpid = if tpid == 0 { eth_type::VLAN } else { tpid };
            out.extend_from_slice(&tpid.to_be_bytes());
            out.extend_from_slice(&(tci & !VLAN_PRESENT).to_be_bytes());
        }
        out.extend_from_slice(&ethertype.to_be_bytes());
        if ethertype == eth_type::NOT_A_TYPE {
            // Without a type the field is a length.
            let at = out.len() - 2;
            let len = if let Payload::Fill(n) = payload { n.max(out.len()) } else { out.len() };
            let len = (len as u16).to_be_bytes();
            out[at..].copy_from_slice(&len);
        }
    } else {
        ethertype = key.packet_type() as u16;
    }
    let head = out.len();
    match ethertype {
        eth_type::IPV4 | eth_type::IPV6 => return ip(key, out, ethertype, payload, bad_csum),
        eth_type::ARP | eth_type::RARP => {
            out.resize(head + arp::LEN, 0);
            let op = key.ip_proto() as u16;
            let a =
                arp::Arp { op, sha: key.arp_sha(), spa: key.nw_src(), tha: key.arp_tha(), tpa: key.nw_dst() };
            a.emit(&mut out[head..]);
        }
        eth_type::MPLS | eth_type::MPLS_MULTICAST => {
            for n in 0..3 {
                out.extend_from_slice(&key.mpls_lse(n).to_be_bytes());
                if key.mpls_lse(n) & wire::mpls::BOS != 0 {
                    break;
                }
            }
        }
        eth_type::NSH => nsh(key, &mut out),
        _ => {}
    }
    fill(&mut out, payload)?;
    Ok(out)
}

fn fill(out: &mut Vec<u8>, payload: Payload<'_>) -> Result<(), TooSmall> {
    if let Payload::Fill(len) = payload {
        if len < out.len() {
            return Err(TooSmall);
        }
        out.resize(len, 0);
    }
    Ok(())
}

fn nsh(key: &FlowKey, out: &mut Vec<u8>) {
    let (flags, ttl) = (key.u8_at(l::NSH_FLAGS) as u16 & 3, key.u8_at(l::NSH_TTL) as u16 & 0x3f);
    let md_type = key.u8_at(l::NSH_MDTYPE);
    let words: u16 = if md_type == 1 { 6 } else { 2 };
    out.extend_from_slice(&(flags << 12 | ttl << 6 | words).to_be_bytes());
    out.extend_from_slice(&[md_type, key.u8_at(l::NSH_NP)]);
    out.extend_from_slice(&key.bytes()[l::NSH_PATH..l::NSH_PATH + 4]);
    out.extend_from_slice(&key.bytes()[l::NSH_CONTEXT..l::NSH_CONTEXT + 16]);
}

fn ip(
    key: &FlowKey,
    mut out: Vec<u8>,
    ethertype: u16,
    payload: Payload<'_>,
    bad_csum: bool,
) -> Result<Vec<u8>, TooSmall> {
    let v6 = ethertype == eth_type::IPV6;
    let l3 = out.len();
    let header = if v6 { ipv6::LEN } else { ipv4::LEN };
    out.resize(l3 + header, 0);
    let l4 = out.len();
    if key.nw_frag() & frag::LATER == 0 {
        transport(key, &mut out, payload);
    }
    fill(&mut out, payload)?;
    let len = out.len() - l4;
    if key.nw_frag() & frag::LATER == 0 {
        transport_lengths(key, &mut out[l4..], v6, payload);
    }
    if v6 {
        let h = ipv6::Ipv6 {
            tclass: key.nw_tos(),
            label: key.ipv6_label(),
            payload_len: len as u16,
            next: key.ip_proto(),
            hop_limit: key.nw_ttl(),
            src: key.ipv6_src(),
            dst: key.ipv6_dst(),
        };
        h.emit(&mut out[l3..]);
        return Ok(out);
    }
    let frag = match key.nw_frag() {
        f if f & frag::LATER != 0 => ipv4::MF | LATER_OFFSET,
        f if f & frag::ANY != 0 => ipv4::MF,
        _ => 0,
    };
    let h = ipv4::Ipv4 {
        tos: key.nw_tos(),
        payload_len: len as u16,
        id: 0,
        frag,
        ttl: key.nw_ttl(),
        proto: key.ip_proto(),
        src: key.nw_src(),
        dst: key.nw_dst(),
    };
    h.emit(&mut out[l3..]);
    if bad_csum {
        let at = l3 + 10;
        let csum = u16::from_le_bytes([out[at], out[at + 1]]).wrapping_add(1);
        out[at..at + 2].copy_from_slice(&csum.to_le_bytes());
    }
    Ok(out)
}

/// Appends the upper protocol's header, checksums and lengths still zero, and its data.
fn transport(key: &FlowKey, out: &mut Vec<u8>, payload: Payload<'_>) {
    let ports = |out: &mut Vec<u8>| out.extend_from_slice(&key.bytes()[l::TP_SRC..l::TP_SRC + 4]);
    let (kind, code) = (key.tp_src() as u8, key.tp_dst() as u8);
    let data = match key.ip_proto() {
        ip_proto::TCP => {
            let mut h = [0; tcp::LEN];
            let t = tcp::Tcp {
                src: key.tp_src(),
                dst: key.tp_dst(),
                flags: key.tcp_flags(),
                ..tcp::Tcp::default()
            };
            t.emit(&mut h);
            out.extend_from_slice(&h);
            key.tcp_flags() & (tcp::flags::SYN | tcp::flags::FIN | tcp::flags::RST) == 0
        }
        ip_proto::UDP => {
            ports(out);
            out.extend_from_slice(&[0; 4]);
            true
        }
        ip_proto::SCTP => {
            ports(out);
            out.extend_from_slice(&[0; 8]);
            false
        }
        ip_proto::ICMP => {
            out.extend_from_slice(&[kind, code, 0, 0, 0, 0, 0, 0]);
            matches!(kind, 0 | 8)
        }
        ip_proto::IGMP => {
            out.extend_from_slice(&[kind, code, 0, 0]);
            out.extend_from_slice(&key.bytes()[l::IGMP_GROUP..l::IGMP_GROUP + 4]);
            false
        }
        ip_proto::ICMPV6 => {
            out.extend_from_slice(&[kind, code, 0, 0]);
            if code == 0 && matches!(kind, 135 | 136) {
                neighbor(key, out, kind);
            } else {
                out.extend_from_slice(&[0; 4]);
            }
            matches!(kind, 128 | 129)
        }
        _ => false,
    };
    match payload {
        Payload::Counting if data => out.extend(0..64u8),
        Payload::Bytes(b) if data => out.extend_from_slice(b),
        _ => {}
    }
}

fn neighbor(key: &FlowKey, out: &mut Vec<u8>, kind: u8) {
    out.extend_from_slice(&key.bytes()[l::ND_RESERVED..l::ND_RESERVED + 4]);
    out.extend_from_slice(&key.nd_target().octets());
    let (mac, option) = if kind == 135 { (key.arp_sha(), 1) } else { (key.arp_tha(), 2) };
    let given = key.u8_at(l::ND_OPTIONS_TYPE);
    if mac != base::Mac::ZERO {
        out.extend_from_slice(&[if given != 0 { given } else { option }, 1]);
        out.extend_from_slice(&mac.0);
    }
}

/// Writes lengths and checksums of the upper protocol that is all of `h`.
fn transport_lengths(key: &FlowKey, h: &mut [u8], v6: bool, payload: Payload<'_>) {
    let len = h.len();
    let proto = key.ip_proto();
    let pseudo = || -> Sum {
        if v6 {
            pseudo_ipv6(key.ipv6_src().octets(), key.ipv6_dst().octets(), proto, len as u32)
        } else {
            pseudo_ipv4(key.nw_src().octets(), key.nw_dst().octets(), proto, len as u16)
        }
    };
    let (at, csum) = match proto {
        ip_proto::TCP => (tcp::CHECKSUM, pseudo().bytes(h).finish()),
        ip_proto::UDP => {
            // Filled packets are compared byte by byte with those of Open vSwitch, which counts the filling twice.
            let filling = if matches!(payload, Payload::Fill(_)) { len - wire::udp::LEN } else { 0 };
            h[4..6].copy_from_slice(&((len + filling) as u16).to_be_bytes());
            let csum = pseudo().bytes(h).finish();
            (wire::udp::CHECKSUM, if csum == 0 { 0xffff } else { csum })
        }
        ip_proto::ICMPV6 => (wire::icmpv6::CHECKSUM, pseudo().bytes(h).finish()),
        ip_proto::ICMP | ip_proto::IGMP => (wire::icmp::CHECKSUM, checksum(h)),
        _ => return,
    };
    h[at..at + 2].copy_from_slice(&csum.to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::{MatchParser, NoPorts};
    use crate::{Metadata, extract_key};

    const RECORDED: &str = include_str!("../tests/data/compose.txt");

    fn bytes(hex: &str) -> Vec<u8> {
        (0..hex.len() / 2).map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap()).collect()
    }

    #[test]
    fn recorded_packets_are_the_same() {
        let mut wrong = Vec::new();
        for line in RECORDED.lines().filter(|l| !l.starts_with('#')) {
            let parts: Vec<&str> = line.split(" | ").collect();
            let key = MatchParser::new(&NoPorts).parse(parts[0]).unwrap().key;
            let l7 = bytes(parts[1]);
            let payload = if parts[1] == "-" { Payload::Counting } else { Payload::Bytes(&l7) };
            let got = compose(&key, payload, parts[2] == "bad").unwrap();
            let got: String = got.iter().map(|b| format!("{b:02x}")).collect();
            if got != parts[3] {
                wrong.push(format!("{}\n  got {got}\n want {}", parts[0], parts[3]));
            }
        }
        assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
    }

    #[test]
    fn frames_are_filled_to_a_length() {
        for line in include_str!("../tests/data/compose-fill.txt").lines().filter(|l| !l.starts_with('#')) {
            let parts: Vec<&str> = line.split(' ').collect();
            let key = crate::odp::parse_odp(parts[0], &crate::odp::NoDpPorts).unwrap().key;
            let len = parts[1].parse().unwrap();
            let got = compose(&key, Payload::Fill(len), false).unwrap();
            assert_eq!(got, bytes(parts[2]), "{line}");
            assert_eq!(compose(&key, Payload::Fill(13), false), Err(TooSmall));
        }
    }

    #[test]
    fn a_composed_packet_gives_back_its_key() {
        for line in include_str!("../tests/data/packets.txt").lines().filter(|l| !l.starts_with('#')) {
            let frame = bytes(line.split(' ').next().unwrap());
            let (key, _) = extract_key(&frame, &Metadata::received(1));
            let v4_fragment = key.eth_type() == eth_type::IPV6 && key.nw_frag() != 0;
            let no_l4 = key.is_ip_any() && matches!(key.ip_proto(), 43 | 44 | 51 | 60 | 0);
            if v4_fragment || no_l4 || key.eth_type() == eth_type::NSH {
                continue;
            }
            let made = compose(&key, Payload::Counting, false).unwrap();
            let (again, _) = extract_key(&made, &Metadata::received(1));
            // What a cut packet did not say is there now, as zeros; both link-layer addresses of ND never are.
            let text = |k: &FlowKey| crate::text::flow_text(k, crate::text::Style::default());
            if !text(&key).contains("nd_") {
                assert_eq!(text(&again), text(&key));
            }
        }
    }
}
