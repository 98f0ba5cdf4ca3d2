//! Datapath flows as dumps show them.
//!
//! The key's text is made elsewhere (it is the text of a flow key in datapath form); here is what stands around it.

use crate::datapath::{DpFlow, FlowStats};
use crate::text::{PortName, put_actions};
use base::Time;
use flow::{Mask, layout as l};
use std::fmt::Write;

/// How a dump writes a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DumpStyle {
    /// `dpctl/dump-flows` and `dpif/dump-flows`.
    Short,
    /// `dpctl/dump-flows -m`: with the id, and what the flow is offloaded to.
    Dpctl,
    /// `dpif/dump-flows -m`: with the id.
    Dpif,
}

/// TCP flags in the order and letters of dumps.
const FLAGS: [(u16, char); 9] = [
    (0x002, 'S'),
    (0x001, 'F'),
    (0x008, 'P'),
    (0x004, 'R'),
    (0x020, 'U'),
    (0x010, '.'),
    (0x040, 'E'),
    (0x080, 'C'),
    (0x100, 'N'),
];

/// `packets:4, bytes:280, used:0.012s, flags:SFP.`
pub fn stats_text(s: &FlowStats, now: Time) -> String {
    let mut out = format!("packets:{}, bytes:{}, used:", s.packets, s.bytes);
    let _ = match s.used {
        Some(t) => {
            let ms = now.since(t).as_millis();
            write!(out, "{}.{:03}s", ms / 1000, ms % 1000)
        }
        None => write!(out, "never"),
    };
    if s.tcp_flags != 0 {
        out.push_str(", flags:");
        out.extend(FLAGS.iter().filter(|(b, _)| s.tcp_flags & b != 0).map(|(_, c)| *c));
    }
    out
}

/// A flow's id as dumps write it: `3f116257-8a3d-4efa-b456-e17a63eb3f5a`.
pub fn ufid_text(ufid: u128) -> String {
    let h = format!("{ufid:032x}");
    format!("{}-{}-{}-{}-{}", &h[..8], &h[8..12], &h[12..16], &h[16..20], &h[20..])
}

/// An id as `dpctl/get-flow` takes it, with or without `ufid:`.
pub fn parse_ufid(s: &str) -> Option<u128> {
    let s = s.strip_prefix("ufid:").unwrap_or(s);
    let parts: Vec<&str> = s.split('-').collect();
    let lens: Vec<usize> = parts.iter().map(|p| p.len()).collect();
    if lens != [8, 4, 4, 4, 12] || !s.bytes().all(|b| b == b'-' || b.is_ascii_hexdigit()) {
        return None;
    }
    u128::from_str_radix(&parts.concat(), 16).ok()
}

/// One line of a dump, without the newline; `key` is the text of key and mask.
pub fn flow_line(
    flow: &DpFlow,
    key: &str,
    style: DumpStyle,
    now: Time,
    names: Option<PortName<'_>>,
) -> String {
    let mut out = match style {
        DumpStyle::Short => String::new(),
        DumpStyle::Dpctl => format!("ufid:{}, ", ufid_text(flow.ufid)),
        DumpStyle::Dpif => format!("ufid:{} ", ufid_text(flow.ufid)),
    };
    let _ = write!(out, "{key}, {}, ", stats_text(&flow.stats, now));
    if style == DumpStyle::Dpctl {
        out.push_str("dp:ovs, ");
    }
    out.push_str("actions:");
    put_actions(&mut out, &flow.actions, names);
    if style == DumpStyle::Dpctl {
        let (first, second) = mask_words(&flow.mask);
        let _ = write!(out, ", dp-extra-info:miniflow_bits({first},{second})");
    }
    out
}

/// Places of a key that share a word of the reference's, as its dumps count them; those of the second list make the
/// second count.
const WORDS: [&[&[(usize, usize)]]; 2] = [
    &[
        &[(l::DP_HASH, 4)],
        &[(l::SKB_PRIORITY, 8)],
        &[(l::CT_MARK, 4), (l::PACKET_TYPE, 4)],
        &[(l::CT_LABEL, 8)],
        &[(l::CT_LABEL + 8, 8)],
        &[(l::ETH_DST, 6), (l::ETH_SRC, 2)],
        &[(l::ETH_SRC + 2, 4), (l::ETH_TYPE, 2)],
        &[(l::MPLS, 8)],
        &[(l::MPLS + 8, 4)],
        &[(l::TUN_DST, 4), (l::TUN_IPV6_DST, 4)],
        &[(l::TUN_IPV6_DST + 4, 8)],
        &[(l::TUN_IPV6_DST + 12, 4), (l::TUN_SRC, 4)],
        &[(l::TUN_IPV6_SRC, 8)],
        &[(l::TUN_IPV6_SRC + 8, 8)],
        &[(l::TUN_ID, 8)],
        &[(l::TUN_FLAGS, 4), (l::TUN_TP_SRC, 4)],
        &[(l::TUN_GBP_ID, 4), (l::TUN_ERSPAN_IDX, 4)],
    ],
    &[
        &[(l::NW_SRC, 8)],
        &[(l::CT_NW_SRC, 8)],
        &[(l::IPV6_SRC, 8)],
        &[(l::IPV6_SRC + 8, 8)],
        &[(l::IPV6_DST, 8)],
        &[(l::IPV6_DST + 8, 8)],
        &[(l::CT_IPV6_SRC, 8)],
        &[(l::CT_IPV6_SRC + 8, 8)],
        &[(l::CT_IPV6_DST, 8)],
        &[(l::CT_IPV6_DST + 8, 8)],
        &[(l::IPV6_LABEL, 8)],
        &[(l::ND_TARGET, 8)],
        &[(l::ND_TARGET + 8, 8)],
        &[(l::ARP_SHA, 6), (l::ARP_THA, 2)],
        &[(l::ARP_THA + 2, 4), (l::TCP_FLAGS, 2)],
        &[(l::TP_SRC, 4), (l::CT_TP_SRC, 4)],
    ],
];

/// Words of a mask that are not wild. Recirculation id and VLAN always count.
fn mask_words(mask: &Mask) -> (usize, usize) {
    let bytes = mask.0.bytes();
    let set =
        |places: &&[(usize, usize)]| places.iter().any(|(at, n)| bytes[*at..at + n].iter().any(|b| *b != 0));
    let count = |words: &[&[(usize, usize)]]| words.iter().filter(|w| set(w)).count();
    (2 + count(WORDS[0]), count(WORDS[1]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use flow::{FlowKey, Mask};

    fn flow(packets: u64, used: Option<Time>, tcp_flags: u16, actions: &str) -> DpFlow {
        DpFlow {
            ufid: 0x3f116257_8a3d_4efa_b456_e17a63eb3f5a,
            key: FlowKey::default(),
            mask: Mask::default(),
            actions: crate::parse_actions(actions, None).unwrap(),
            stats: FlowStats { packets, bytes: packets * 70, used, tcp_flags },
            thread: None,
        }
    }

    #[test]
    fn lines_are_the_references() {
        let now = Time::from_millis(10_000);
        let key = "recirc_id(0),in_port(1),packet_type(ns=0,id=0),eth_type(0x0800),ipv4(frag=no)";
        let f = flow(4, Some(Time::from_millis(9_988)), 0x01b, "drop");
        assert_eq!(
            flow_line(&f, key, DumpStyle::Short, now, None),
            format!("{key}, packets:4, bytes:280, used:0.012s, flags:SFP., actions:drop")
        );
        assert_eq!(
            flow_line(&f, key, DumpStyle::Dpif, now, None),
            format!(
                "ufid:3f116257-8a3d-4efa-b456-e17a63eb3f5a {key}, packets:4, bytes:280, used:0.012s, flags:SFP., actions:drop"
            )
        );
        let f = flow(0, None, 0, "2");
        let name = |_| Some("p1".to_string());
        assert_eq!(
            flow_line(&f, "in_port(p1)", DumpStyle::Dpctl, now, Some(&name)),
            "ufid:3f116257-8a3d-4efa-b456-e17a63eb3f5a, in_port(p1), packets:0, bytes:0, used:never, dp:ovs, actions:p1, dp-extra-info:miniflow_bits(2,0)"
        );
        let all = stats_text(&FlowStats { tcp_flags: 0x1ff, ..FlowStats::default() }, now);
        assert!(all.ends_with("flags:SFPRU.ECN"));
    }

    #[test]
    fn ids_both_ways() {
        let id = 0x3f116257_8a3d_4efa_b456_e17a63eb3f5a;
        assert_eq!(parse_ufid(&format!("ufid:{}", ufid_text(id))), Some(id));
        for bad in
            ["", "foo", "ufid:", "3f1162578a3d4efab456e17a63eb3f5a", "+f116257-8a3d-4efa-b456-e17a63eb3f5a"]
        {
            assert_eq!(parse_ufid(bad), None, "{bad}");
        }
    }
}
