//! Datapath flow text: `in_port(1),eth(src=..,dst=..),eth_type(0x0800),ipv4(...)`, both ways, with masks.
//!
//! A datapath flow is a list of attributes; which ones belong to a flow follows from the flow itself (TCP ports only
//! with IP protocol 6). One table says what is inside each attribute and where that lies in a key; parser and printer
//! work from it. VLAN tags, MPLS labels and tunnels, which nest or repeat, have code of their own.

mod format;
mod parse;
mod tunnel;

#[cfg(test)]
mod tests;

pub use format::{OdpStyle, odp_text};
pub use parse::{OdpError, OdpFlow, parse_odp};
pub use tunnel::{GeneveOption, geneve_options};

use crate::key::{FlowKey, eth_type, frag, ip_proto};
use crate::layout as l;
use base::DpPort;

/// Names of datapath ports, where somebody knows them.
pub trait DpPortMap {
    /// Name of a port.
    fn dp_port_name(&self, port: DpPort) -> Option<String>;
    /// Number of a port.
    fn dp_port_number(&self, name: &str) -> Option<DpPort>;
}

/// Nobody knows any name.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoDpPorts;

impl DpPortMap for NoDpPorts {
    fn dp_port_name(&self, _: DpPort) -> Option<String> {
        None
    }
    fn dp_port_number(&self, _: &str) -> Option<DpPort> {
        None
    }
}

/// An attribute, as a bit of [`Attrs`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub enum Attr {
    RecircId,
    DpHash,
    SkbPriority,
    Tunnel,
    InPort,
    SkbMark,
    CtState,
    CtZone,
    CtMark,
    CtLabel,
    CtTuple4,
    CtTuple6,
    PacketType,
    Eth,
    Vlan,
    Vlan2,
    EthType,
    Mpls,
    Ipv4,
    Ipv6,
    Arp,
    Nsh,
    Tcp,
    TcpFlags,
    Udp,
    Sctp,
    Icmp,
    Icmpv6,
    Nd,
    NdExt,
}

/// A set of attributes.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Attrs(pub u32);

impl Attrs {
    /// Whether `a` is in the set.
    pub fn has(self, a: Attr) -> bool {
        self.0 >> a as u32 & 1 != 0
    }

    /// Adds `a`. Returns whether it was there already.
    pub fn insert(&mut self, a: Attr) -> bool {
        let had = self.has(a);
        self.0 |= 1 << a as u32;
        had
    }
}

/// How an item's value is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Mac,
    V4,
    V6,
    /// Decimal; the mask hexadecimal, or 0.
    Dec,
    /// Hexadecimal, or 0; the mask too.
    Hex,
    Frag,
}

struct Item {
    name: &'static str,
    /// First bit of its place in a key.
    start: usize,
    len: u16,
    kind: Kind,
}

const fn item(name: &'static str, byte: usize, bytes: usize, kind: Kind) -> Item {
    Item { name, start: byte * 8, len: bytes as u16 * 8, kind }
}

struct Group {
    attr: Attr,
    name: &'static str,
    items: &'static [Item],
}

use Kind::*;

const PORTS: &[Item] = &[item("src", l::TP_SRC, 2, Dec), item("dst", l::TP_DST, 2, Dec)];
const TYPE_CODE: &[Item] = &[item("type", l::TP_SRC, 2, Dec), item("code", l::TP_DST, 2, Dec)];

/// Attributes that hold one number: the item's name is empty.
const SINGLES: [Group; 7] = [
    Group { attr: Attr::RecircId, name: "recirc_id", items: &[item("", l::RECIRC_ID, 4, Hex)] },
    Group { attr: Attr::DpHash, name: "dp_hash", items: &[item("", l::DP_HASH, 4, Hex)] },
    Group { attr: Attr::SkbPriority, name: "skb_priority", items: &[item("", l::SKB_PRIORITY, 4, Hex)] },
    Group { attr: Attr::SkbMark, name: "skb_mark", items: &[item("", l::PKT_MARK, 4, Hex)] },
    Group { attr: Attr::CtZone, name: "ct_zone", items: &[item("", l::CT_ZONE, 2, Hex)] },
    Group { attr: Attr::CtMark, name: "ct_mark", items: &[item("", l::CT_MARK, 4, Hex)] },
    Group { attr: Attr::CtLabel, name: "ct_label", items: &[item("", l::CT_LABEL, 16, Hex)] },
];

/// Attributes of named items, in the order in which they are printed.
const GROUPS: [Group; 15] = [
    Group {
        attr: Attr::CtTuple4,
        name: "ct_tuple4",
        items: &[
            item("src", l::CT_NW_SRC, 4, V4),
            item("dst", l::CT_NW_DST, 4, V4),
            item("proto", l::CT_NW_PROTO, 1, Dec),
            item("tp_src", l::CT_TP_SRC, 2, Dec),
            item("tp_dst", l::CT_TP_DST, 2, Dec),
        ],
    },
    Group {
        attr: Attr::CtTuple6,
        name: "ct_tuple6",
        items: &[
            item("src", l::CT_IPV6_SRC, 16, V6),
            item("dst", l::CT_IPV6_DST, 16, V6),
            item("proto", l::CT_NW_PROTO, 1, Dec),
            item("src_port", l::CT_TP_SRC, 2, Dec),
            item("dst_port", l::CT_TP_DST, 2, Dec),
            item("tp_src", l::CT_TP_SRC, 2, Dec),
            item("tp_dst", l::CT_TP_DST, 2, Dec),
        ],
    },
    Group {
        attr: Attr::PacketType,
        name: "packet_type",
        items: &[item("ns", l::PACKET_TYPE, 2, Dec), item("id", l::PACKET_TYPE + 2, 2, Hex)],
    },
    Group {
        attr: Attr::Eth,
        name: "eth",
        items: &[item("src", l::ETH_SRC, 6, Mac), item("dst", l::ETH_DST, 6, Mac)],
    },
    Group {
        attr: Attr::Ipv4,
        name: "ipv4",
        items: &[
            item("src", l::NW_SRC, 4, V4),
            item("dst", l::NW_DST, 4, V4),
            item("proto", l::NW_PROTO, 1, Dec),
            item("tos", l::NW_TOS, 1, Hex),
            item("ttl", l::NW_TTL, 1, Dec),
            item("frag", l::NW_FRAG, 1, Frag),
        ],
    },
    Group {
        attr: Attr::Ipv6,
        name: "ipv6",
        items: &[
            item("src", l::IPV6_SRC, 16, V6),
            item("dst", l::IPV6_DST, 16, V6),
            Item { name: "label", start: l::IPV6_LABEL * 8 + 12, len: 20, kind: Hex },
            item("proto", l::NW_PROTO, 1, Dec),
            item("tclass", l::NW_TOS, 1, Hex),
            item("hlimit", l::NW_TTL, 1, Dec),
            item("frag", l::NW_FRAG, 1, Frag),
        ],
    },
    Group {
        attr: Attr::Arp,
        name: "arp",
        items: &[
            item("sip", l::NW_SRC, 4, V4),
            item("tip", l::NW_DST, 4, V4),
            item("op", l::NW_PROTO, 1, Dec),
            item("sha", l::ARP_SHA, 6, Mac),
            item("tha", l::ARP_THA, 6, Mac),
        ],
    },
    Group {
        attr: Attr::Nsh,
        name: "nsh",
        items: &[
            item("flags", l::NSH_FLAGS, 1, Dec),
            item("ttl", l::NSH_TTL, 1, Dec),
            item("mdtype", l::NSH_MDTYPE, 1, Dec),
            item("np", l::NSH_NP, 1, Dec),
            item("spi", l::NSH_PATH, 3, Hex),
            item("si", l::NSH_PATH + 3, 1, Dec),
            item("c1", l::NSH_CONTEXT, 4, Hex),
            item("c2", l::NSH_CONTEXT + 4, 4, Hex),
            item("c3", l::NSH_CONTEXT + 8, 4, Hex),
            item("c4", l::NSH_CONTEXT + 12, 4, Hex),
        ],
    },
    Group { attr: Attr::Tcp, name: "tcp", items: PORTS },
    Group { attr: Attr::Udp, name: "udp", items: PORTS },
    Group { attr: Attr::Sctp, name: "sctp", items: PORTS },
    Group { attr: Attr::Icmp, name: "icmp", items: TYPE_CODE },
    Group { attr: Attr::Icmpv6, name: "icmpv6", items: TYPE_CODE },
    Group {
        attr: Attr::Nd,
        name: "nd",
        items: &[
            item("target", l::ND_TARGET, 16, V6),
            item("sll", l::ARP_SHA, 6, Mac),
            item("tll", l::ARP_THA, 6, Mac),
        ],
    },
    Group {
        attr: Attr::NdExt,
        name: "nd_ext",
        items: &[
            item("nd_reserved", l::ND_RESERVED, 4, Hex),
            item("nd_options_type", l::ND_OPTIONS_TYPE, 1, Dec),
        ],
    },
];

fn group(attr: Attr) -> &'static Group {
    SINGLES.iter().chain(&GROUPS).find(|g| g.attr == attr).expect("every plain attribute has a group")
}

/// The attributes that belong to a flow with this key.
pub fn attrs_of(key: &FlowKey) -> Attrs {
    let mut a = Attrs::default();
    for g in &SINGLES {
        a.insert(g.attr);
    }
    a.insert(Attr::InPort);
    a.insert(Attr::CtState);
    a.insert(Attr::PacketType);
    let tunneled = (l::TUN_SRC..l::TUN_IPV6_DST + 16).any(|i| key.bytes()[i] != 0);
    if tunneled {
        a.insert(Attr::Tunnel);
    }
    let packet_type = key.packet_type();
    if packet_type == 0 {
        a.insert(Attr::Eth);
        if key.vlan(0).1 & crate::key::VLAN_PRESENT != 0 {
            a.insert(Attr::Vlan);
            if key.vlan(1).1 & crate::key::VLAN_PRESENT != 0 {
                a.insert(Attr::Vlan2);
            }
        }
    }
    let t = key.eth_type();
    if t != eth_type::NOT_A_TYPE && t != 0 {
        a.insert(Attr::EthType);
    }
    if key.u8_at(l::CT_NW_PROTO) != 0 {
        match t {
            eth_type::IPV4 => a.insert(Attr::CtTuple4),
            eth_type::IPV6 => a.insert(Attr::CtTuple6),
            _ => false,
        };
    }
    match t {
        eth_type::IPV4 => a.insert(Attr::Ipv4),
        eth_type::IPV6 => a.insert(Attr::Ipv6),
        eth_type::ARP | eth_type::RARP => a.insert(Attr::Arp),
        eth_type::MPLS | eth_type::MPLS_MULTICAST => a.insert(Attr::Mpls),
        eth_type::NSH => a.insert(Attr::Nsh),
        _ => false,
    };
    transport_attrs(key, &mut a);
    a
}

fn transport_attrs(key: &FlowKey, a: &mut Attrs) {
    if !key.is_ip_any() || key.nw_frag() & frag::LATER != 0 {
        return;
    }
    let v6 = key.eth_type() == eth_type::IPV6;
    match key.ip_proto() {
        ip_proto::TCP => {
            a.insert(Attr::Tcp);
            a.insert(Attr::TcpFlags);
        }
        ip_proto::UDP => {
            a.insert(Attr::Udp);
        }
        ip_proto::SCTP => {
            a.insert(Attr::Sctp);
        }
        ip_proto::ICMP if !v6 => {
            a.insert(Attr::Icmp);
        }
        ip_proto::ICMPV6 if v6 => {
            a.insert(Attr::Icmpv6);
            if matches!(key.tp_src(), 135 | 136) && key.tp_dst() == 0 {
                a.insert(Attr::Nd);
                if key.u32_at(l::ND_RESERVED) != 0 || key.u8_at(l::ND_OPTIONS_TYPE) != 0 {
                    a.insert(Attr::NdExt);
                }
            }
        }
        _ => {}
    }
}

/// Reads bits of a key.
fn load(key: &FlowKey, i: &Item) -> u128 {
    let word = i.start / 64;
    let hi = u64::from_be(key.words[word]);
    let lo = key.words.get(word + 1).map_or(0, |w| u64::from_be(*w));
    let window = (hi as u128) << 64 | lo as u128;
    (window >> (128 - (i.start % 64) as u32 - i.len as u32)) & crate::field::ones(i.len)
}

/// Writes bits of a key.
fn store(key: &mut FlowKey, i: &Item, value: u128) {
    let bytes = i.start / 8;
    if i.len.is_multiple_of(8) {
        let n = i.len as usize / 8;
        let be = value.to_be_bytes();
        key.put(bytes, &be[16 - n..]);
    } else {
        // The one item that is not whole bytes lies at the end of four (an IPv6 flow label).
        let at = (i.start + i.len as usize) / 8 - 4;
        let keep = key.u32_at(at) & !(crate::field::ones(i.len) as u32);
        key.put(at, &(keep | value as u32 & crate::field::ones(i.len) as u32).to_be_bytes());
    }
}
