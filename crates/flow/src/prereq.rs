//! Which fields mean something: prerequisites, and the normal form of a match that leaves out what does not.

use crate::field::{Field, Prereq};
use crate::key::{FlowKey, Mask, VLAN_PRESENT, ct_state, eth_type, frag, ip_proto};
use crate::layout as l;
use crate::matching::Match;
use crate::mini::map_iter;

/// What prerequisites are checked against: values that are known for sure.
pub struct Known<'a> {
    key: &'a FlowKey,
    mask: Option<&'a Mask>,
    /// Whether to look at protocol numbers only, as normalisation does: not at fragments and ICMPv6 codes.
    numbers_only: bool,
    /// Namespace of the packet type.
    namespace: Option<u16>,
    /// Ethertype, or what stands for it.
    ethertype: Option<u16>,
}

impl<'a> Known<'a> {
    /// What a match says.
    pub fn of_match(m: &'a Match) -> Known<'a> {
        Known::new(&m.key, Some(&m.mask), false)
    }

    fn new(key: &'a FlowKey, mask: Option<&'a Mask>, numbers_only: bool) -> Known<'a> {
        let namespace = match mask.map_or(u32::MAX, |m| m.0.u32_at(l::PACKET_TYPE)) {
            // Without a match on packet_type, Ethernet is meant.
            0 => Some(0),
            u32::MAX => Some((key.packet_type() >> 16) as u16),
            _ => None,
        };
        let mut known = Known { key, mask, numbers_only, namespace, ethertype: None };
        if namespace == Some(1) {
            known.ethertype = Some(key.packet_type() as u16);
        } else if known.exact::<2>(l::ETH_TYPE) {
            known.ethertype = Some(key.eth_type());
        }
        known
    }

    fn exact<const N: usize>(&self, ofs: usize) -> bool {
        self.mask.is_none_or(|m| m.0.array::<N>(ofs) == [0xff; N])
    }

    fn ip(&self) -> bool {
        matches!(self.ethertype, Some(eth_type::IPV4 | eth_type::IPV6))
    }

    fn l4(&self, proto: u8) -> bool {
        self.ip()
            && self.exact::<1>(l::NW_PROTO)
            && self.key.ip_proto() == proto
            && (self.numbers_only || self.key.nw_frag() & frag::LATER == 0)
    }

    fn icmpv6(&self) -> bool {
        self.ethertype == Some(eth_type::IPV6) && self.l4(ip_proto::ICMPV6)
    }

    fn nd(&self, icmp_type: u16) -> bool {
        self.icmpv6()
            && self.exact::<2>(l::TP_SRC)
            && self.key.tp_src() == icmp_type
            && (self.numbers_only
                || self.mask.is_some_and(|m| m.0.u16_at(l::TP_DST) == 0)
                || self.key.tp_dst() == 0)
    }

    fn ct(&self) -> bool {
        use ct_state::*;
        let state = self.key.ct_state();
        let mask = self.mask.map_or(u32::MAX, |m| m.0.ct_state());
        let set = state & mask;
        set & (NEW | EST | REL | RPL | SNAT | DNAT) != 0
            || (set & TRK != 0 && mask & INV != 0 && set & INV == 0)
    }

    /// Whether a prerequisite holds.
    pub fn meets(&self, prereq: Prereq) -> bool {
        match prereq {
            Prereq::None => true,
            Prereq::Ethernet => self.namespace == Some(0),
            Prereq::Arp => matches!(self.ethertype, Some(eth_type::ARP | eth_type::RARP)),
            Prereq::VlanVid => {
                self.key.vlan_tci() & VLAN_PRESENT != 0
                    && self.mask.is_none_or(|m| m.0.vlan_tci() & VLAN_PRESENT != 0)
            }
            Prereq::Ipv4 => self.ethertype == Some(eth_type::IPV4),
            Prereq::Ipv6 => self.ethertype == Some(eth_type::IPV6),
            Prereq::IpAny => self.ip(),
            Prereq::Mpls => matches!(self.ethertype, Some(eth_type::MPLS | eth_type::MPLS_MULTICAST)),
            Prereq::Nsh => self.ethertype == Some(eth_type::NSH),
            Prereq::Pbb => self.ethertype == Some(eth_type::PBB),
            Prereq::Tcp => self.l4(ip_proto::TCP),
            Prereq::Udp => self.l4(ip_proto::UDP),
            Prereq::Sctp => self.l4(ip_proto::SCTP),
            Prereq::Icmpv4 => self.ethertype == Some(eth_type::IPV4) && self.l4(ip_proto::ICMP),
            Prereq::Icmpv6 => self.icmpv6(),
            Prereq::Nd => self.nd(135) || self.nd(136),
            Prereq::NdSolicit => self.nd(135),
            Prereq::NdAdvert => self.nd(136),
            Prereq::Ct => self.ct(),
        }
    }
}

/// Whether a match holds what a field needs.
pub fn match_meets(m: &Match, prereq: Prereq) -> bool {
    Known::of_match(m).meets(prereq)
}

/// Whether a packet has what a field needs.
pub fn key_meets(key: &FlowKey, prereq: Prereq) -> bool {
    Known::new(key, None, false).meets(prereq)
}

/// Adds to `mask` the bits that [`key_meets`] looks at.
pub fn unwildcard_prereq(mask: &mut Mask, prereq: Prereq) {
    let fields: &[Field] = match prereq {
        Prereq::None => &[],
        Prereq::Ethernet => &[Field::PACKET_TYPE],
        Prereq::VlanVid => {
            let tci = mask.0.vlan_tci() | VLAN_PRESENT;
            mask.0.set_vlan_tci(tci);
            &[]
        }
        Prereq::Arp
        | Prereq::Ipv4
        | Prereq::Ipv6
        | Prereq::IpAny
        | Prereq::Mpls
        | Prereq::Nsh
        | Prereq::Pbb => &[Field::ETH_TYPE],
        Prereq::Tcp | Prereq::Udp | Prereq::Sctp | Prereq::Icmpv4 | Prereq::Icmpv6 => {
            &[Field::ETH_TYPE, Field::IP_PROTO, Field::IP_FRAG]
        }
        Prereq::Nd | Prereq::NdSolicit | Prereq::NdAdvert => {
            &[Field::ETH_TYPE, Field::IP_PROTO, Field::IP_FRAG, Field::ICMPV6_TYPE, Field::ICMPV6_CODE]
        }
        Prereq::Ct => &[Field::CT_STATE],
    };
    for f in fields {
        mask.set_exact(*f);
    }
}

impl Field {
    /// Whether a match holds this field's prerequisites.
    pub fn prereq_met_by(self, m: &Match) -> bool {
        match_meets(m, self.info().prereq)
    }

    /// Whether a packet has this field.
    pub fn is_in(self, key: &FlowKey) -> bool {
        key_meets(key, self.info().prereq)
    }
}

/// Groups of fields that lie on the same bits, or that normalisation treats alike: the match keeps them if the
/// prerequisite of any holds.
const GROUPS: [(&[Field], &[Prereq]); 10] = [
    (&[Field::ETH_SRC, Field::ETH_DST, Field::VLAN_TCI], &[Prereq::Ethernet]),
    (&[Field::IP_SRC, Field::IP_DST], &[Prereq::Ipv4, Prereq::Arp]),
    (&[Field::IP_PROTO], &[Prereq::IpAny, Prereq::Arp]),
    (&[Field::NW_TOS, Field::IP_ECN, Field::NW_TTL], &[Prereq::IpAny]),
    (
        &[Field::TCP_SRC, Field::TCP_DST],
        &[Prereq::Tcp, Prereq::Udp, Prereq::Sctp, Prereq::Icmpv4, Prereq::Icmpv6],
    ),
    (&[Field::IPV6_SRC, Field::IPV6_DST, Field::IPV6_LABEL], &[Prereq::Ipv6]),
    (&[Field::ARP_SHA], &[Prereq::Arp, Prereq::NdSolicit]),
    (&[Field::ARP_THA], &[Prereq::Arp, Prereq::NdAdvert]),
    (&[Field::ND_TARGET], &[Prereq::Nd]),
    (&[Field::MPLS_LABEL, Field::MPLS_TC, Field::MPLS_BOS, Field::MPLS_TTL], &[Prereq::Mpls]),
];

/// The words in which a group's fields lie.
static GROUP_WORDS: [u128; GROUPS.len()] = {
    let (mut all, mut n) = ([0; GROUPS.len()], 0);
    while n < GROUPS.len() {
        let (fields, mut i) = (GROUPS[n].0, 0);
        while i < fields.len() {
            let (mut word, end) = fields[i].info().words();
            while word < end {
                all[n] |= 1 << word;
                word += 1;
            }
            i += 1;
        }
        n += 1;
    }
    all
};

impl Match {
    /// Makes fields wild that cannot mean anything in this match, as switches do that are told of such a match in
    /// OpenFlow 1.0. Returns whether anything changed.
    pub fn normalize(&mut self) -> bool {
        let dead = self.meaningless();
        dead.iter().for_each(|f| self.clear(*f));
        !dead.is_empty()
    }

    /// The fields that are matched and cannot mean anything in this match. (Fields that only came with extensible
    /// matches are left to the check of their prerequisites.)
    pub fn meaningless(&self) -> Vec<Field> {
        let known = Known::new(&self.key, Some(&self.mask), true);
        let mut dead = Vec::new();
        for ((fields, prereqs), words) in GROUPS.iter().zip(GROUP_WORDS) {
            let matched = map_iter(words).any(|w| self.mask.0.words[w] != 0);
            if matched && !prereqs.iter().any(|p| known.meets(*p)) {
                dead.extend(fields.iter().filter(|f| self.mask.get(**f) != 0));
            }
        }
        dead
    }

    /// Adds the match on an Ethernet frame that a match on a packet's field implies.
    pub fn imply_ethernet(&mut self, field: Field) {
        if !matches!(field.info().prereq, Prereq::None | Prereq::Ct) && self.mask.is_wild(Field::PACKET_TYPE)
        {
            self.set(Field::PACKET_TYPE, 0);
        }
    }
}
