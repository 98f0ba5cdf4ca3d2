//! Datapath actions: what is left of a pipeline once a flow has been translated.
//!
//! A megaflow's actions are a short flat list that the datapath runs from left to right over the packet's bytes.
//! They are far simpler than OpenFlow's: no tables, no groups, no registers. A header change is one [`SetField`] per
//! header, with a mask, so that it is applied (and its checksum brought up to date) in one go.
//!
//! Their text (`set(ipv4(ttl=63)),push_vlan(vid=5,pcp=0),2`) is part of the interface.

use base::{Cookie, DpPort, Mac, TableId};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

/// One datapath action.
#[derive(Clone, Debug, PartialEq)]
pub enum DpAction {
    /// Sends the packet as it is now.
    Output(DpPort),
    /// Sends to the member that a bond's hash table has for the packet's `dp_hash`.
    LbOutput(u32),
    /// Hands a copy of the packet as it is now to the control side.
    Userspace(Arc<Userspace>),
    /// Changes fields of one header.
    Set(SetField),
    /// Inserts a VLAN tag right after the Ethernet addresses.
    PushVlan(PushVlan),
    /// Removes the outermost VLAN tag.
    PopVlan,
    /// Inserts an MPLS label stack entry after the Ethernet header (and tags).
    PushMpls(PushMpls),
    /// Inserts an MPLS label stack entry, at layer 3 or in front of the whole frame.
    AddMpls(PushMpls),
    /// Removes the outermost MPLS label stack entry; the Ethernet type becomes this.
    PopMpls(u16),
    /// Puts an Ethernet header in front of a packet that has none.
    PushEth {
        /// Source.
        src: Mac,
        /// Destination.
        dst: Mac,
    },
    /// Removes the Ethernet header.
    PopEth,
    /// Puts a network service header in front.
    PushNsh(Box<Nsh>),
    /// Removes the network service header.
    PopNsh,
    /// Puts backbone addresses and a service instance tag in front of the customer's addresses.
    PushPbb(Pbb),
    /// Removes backbone addresses and service instance tag; the customer's addresses are in front again.
    PopPbb,
    /// Copies a TTL between the outermost label and what is below it: outwards or inwards.
    CopyTtl {
        /// From the inner header to the outer one.
        out: bool,
    },
    /// Runs the actions over a copy, with a probability out of `u32::MAX`.
    Sample {
        /// Chance, out of `u32::MAX`.
        probability: u32,
        /// What to run.
        actions: Vec<DpAction>,
    },
    /// Runs the actions over a copy.
    Clone(Vec<DpAction>),
    /// Looks the packet up again, as it is now, with this recirculation id.
    Recirc(u32),
    /// Computes `dp_hash` from the packet.
    Hash {
        /// Over what.
        alg: HashAlg,
        /// Seed.
        basis: u32,
    },
    /// Sends the packet through the connection tracker.
    Ct(Box<Ct>),
    /// Forgets connection tracking state.
    CtClear,
    /// The next output sends at most so many bytes.
    Trunc(u32),
    /// Runs the packet through a meter, which may drop it.
    Meter(u32),
    /// Goes one of two ways by the packet's length.
    CheckPktLen(Box<CheckPktLen>),
    /// Puts a tunnel's headers in front and sends.
    TnlPush(Box<TnlPush>),
    /// Removes a tunnel's headers and looks the packet up again as received from this tunnel port.
    TnlPop(DpPort),
    /// Samples to a psample group.
    Psample {
        /// Group.
        group: u32,
        /// Up to 16 bytes for the listener.
        cookie: Vec<u8>,
    },
    /// Drops the packet for a reason (a number of the pipeline's table of drop reasons).
    Drop(u32),
}

/// A value with the bits of it that count. Two are equal when they change the same bits to the same values.
#[derive(Clone, Copy, Debug, Default)]
pub struct Masked<T> {
    /// The value; bits outside the mask do not count (but show in text).
    pub value: T,
    /// One bits count.
    pub mask: T,
}

impl<T: Bits> PartialEq for Masked<T> {
    fn eq(&self, other: &Masked<T>) -> bool {
        self.mask == other.mask && self.value.and(self.mask) == other.value.and(other.mask)
    }
}

impl<T: Bits> Eq for Masked<T> {}

/// What a [`Masked`] can hold.
pub trait Bits: Copy + PartialEq + Default {
    /// All bits one.
    const ONES: Self;
    /// Bitwise and.
    fn and(self, other: Self) -> Self;
    /// `self` with the bits of `mask` taken from `value`.
    fn merge(self, value: Self, mask: Self) -> Self;
}

macro_rules! int_bits {
    ($($t:ty),*) => { $(impl Bits for $t {
        const ONES: Self = <$t>::MAX;
        fn and(self, other: Self) -> Self { self & other }
        fn merge(self, value: Self, mask: Self) -> Self { (self & !mask) | (value & mask) }
    })* };
}
int_bits!(u8, u16, u32, u64, u128);

impl<const N: usize> Bits for [u8; N]
where
    [u8; N]: Default,
{
    const ONES: Self = [0xff; N];
    fn and(mut self, other: Self) -> Self {
        for (a, b) in self.iter_mut().zip(other) {
            *a &= b;
        }
        self
    }
    fn merge(mut self, value: Self, mask: Self) -> Self {
        for i in 0..N {
            self[i] = (self[i] & !mask[i]) | (value[i] & mask[i]);
        }
        self
    }
}

impl Bits for Mac {
    const ONES: Self = Mac::BROADCAST;
    fn and(self, other: Self) -> Self {
        Mac(self.0.and(other.0))
    }
    fn merge(self, value: Self, mask: Self) -> Self {
        Mac(self.0.merge(value.0, mask.0))
    }
}

impl<T: Bits> Masked<T> {
    /// All bits count.
    pub const fn exact(value: T) -> Masked<T> {
        Masked { value, mask: T::ONES }
    }

    /// These bits count.
    pub const fn new(value: T, mask: T) -> Masked<T> {
        Masked { value, mask }
    }

    /// Whether no bit counts.
    pub fn is_wild(&self) -> bool {
        self.mask == T::default()
    }

    /// Whether every bit counts.
    pub fn is_exact(&self) -> bool {
        self.mask == T::ONES
    }

    /// `old` with the bits that count replaced.
    pub fn apply(&self, old: T) -> T {
        old.merge(self.value, self.mask)
    }
}

/// A change of one header (or of one piece of metadata), in host byte order.
#[derive(Clone, Debug, PartialEq)]
pub enum SetField {
    /// Queueing priority.
    Priority(Masked<u32>),
    /// Packet mark.
    Mark(Masked<u32>),
    /// Ethernet addresses.
    Eth(SetEth),
    /// Outermost VLAN tag: TCI with bit 12 for "present".
    Vlan(Masked<u16>),
    /// Outermost MPLS label stack entry.
    Mpls(Masked<u32>),
    /// IPv4 header.
    Ipv4(SetIpv4),
    /// IPv6 header.
    Ipv6(Box<SetIpv6>),
    /// TCP ports.
    Tcp(SetPorts),
    /// UDP ports.
    Udp(SetPorts),
    /// SCTP ports.
    Sctp(SetPorts),
    /// ICMP type and code.
    Icmp(SetIcmp),
    /// ICMPv6 type and code.
    Icmpv6(SetIcmp),
    /// ARP body.
    Arp(Box<SetArp>),
    /// Neighbour discovery body.
    Nd(Box<SetNd>),
    /// Neighbour discovery: reserved word and type of the option.
    NdExt(SetNdExt),
    /// Network service header.
    Nsh(Box<SetNsh>),
    /// Service instance tag.
    Pbb(SetPbb),
    /// Tunnel that the next output goes through.
    Tunnel(Arc<SetTunnel>),
    /// A field that a datapath cannot change, kept for its text alone: name of the group and the masked number.
    Other(OtherField, Masked<u128>),
}

/// Fields that text may name in `set()` but that no datapath changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is the key attribute of that name")]
pub enum OtherField {
    InPort,
    EthType,
    RecircId,
    DpHash,
    CtState,
    CtZone,
    CtMark,
    CtLabel,
    PacketType,
    TcpFlags,
}

/// See [`SetField::Eth`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[allow(missing_docs, reason = "fields of the header")]
pub struct SetEth {
    pub src: Masked<Mac>,
    pub dst: Masked<Mac>,
}

/// See [`SetField::Ipv4`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[allow(missing_docs, reason = "fields of the header")]
pub struct SetIpv4 {
    pub src: Masked<u32>,
    pub dst: Masked<u32>,
    /// Cannot be changed; printed when a whole header is given.
    pub proto: Masked<u8>,
    pub tos: Masked<u8>,
    pub ttl: Masked<u8>,
    /// Cannot be changed; printed when a whole header is given. 0 no, 1 first, 2 later.
    pub frag: Masked<u8>,
}

/// See [`SetField::Ipv6`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[allow(missing_docs, reason = "fields of the header")]
pub struct SetIpv6 {
    pub src: Masked<u128>,
    pub dst: Masked<u128>,
    /// Flow label, 20 bits.
    pub label: Masked<u32>,
    pub proto: Masked<u8>,
    pub tclass: Masked<u8>,
    pub hlimit: Masked<u8>,
    pub frag: Masked<u8>,
}

/// See [`SetField::Tcp`], [`SetField::Udp`], [`SetField::Sctp`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[allow(missing_docs, reason = "fields of the header")]
pub struct SetPorts {
    pub src: Masked<u16>,
    pub dst: Masked<u16>,
}

/// See [`SetField::Icmp`], [`SetField::Icmpv6`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[allow(missing_docs, reason = "fields of the header")]
pub struct SetIcmp {
    pub ty: Masked<u8>,
    pub code: Masked<u8>,
}

/// See [`SetField::Arp`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[allow(missing_docs, reason = "fields of the header")]
pub struct SetArp {
    pub sip: Masked<u32>,
    pub tip: Masked<u32>,
    pub op: Masked<u16>,
    pub sha: Masked<Mac>,
    pub tha: Masked<Mac>,
}

/// See [`SetField::Nd`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[allow(missing_docs, reason = "fields of the header")]
pub struct SetNd {
    pub target: Masked<u128>,
    pub sll: Masked<Mac>,
    pub tll: Masked<Mac>,
}

/// See [`SetField::NdExt`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[allow(missing_docs, reason = "fields of the header")]
pub struct SetNdExt {
    pub reserved: Masked<u32>,
    pub options_type: Masked<u8>,
}

/// A network service header (RFC 8300).
#[derive(Clone, Debug, PartialEq, Eq, Default)]
#[allow(missing_docs, reason = "fields of the header")]
pub struct Nsh {
    pub flags: u8,
    pub ttl: u8,
    pub mdtype: u8,
    pub np: u8,
    pub spi: u32,
    pub si: u8,
    /// Context headers of metadata type 1.
    pub context: [u32; 4],
    /// Metadata type 2.
    pub md2: Vec<u8>,
}

/// A backbone service instance tag (IEEE 802.1Q 9.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Pbb {
    /// Service identifier, 24 bits.
    pub isid: u32,
    /// "Use customer addresses".
    pub uca: u8,
}

/// See [`SetField::Pbb`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[allow(missing_docs, reason = "fields of the tag")]
pub struct SetPbb {
    pub isid: Masked<u32>,
    pub uca: Masked<u8>,
}

/// See [`SetField::Nsh`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[allow(missing_docs, reason = "fields of the header")]
pub struct SetNsh {
    pub flags: Masked<u8>,
    pub ttl: Masked<u8>,
    pub mdtype: Masked<u8>,
    pub np: Masked<u8>,
    /// Service path id, 24 bits.
    pub spi: Masked<u32>,
    pub si: Masked<u8>,
    pub context: [Masked<u32>; 4],
}

/// Tunnel metadata for an output through a tunnel of a datapath that builds headers itself.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
#[allow(missing_docs, reason = "fields of the tunnel key")]
pub struct SetTunnel {
    pub tun_id: u64,
    pub src: Option<IpAddr>,
    pub dst: Option<IpAddr>,
    pub tos: u8,
    pub ttl: u8,
    pub tp_src: u16,
    pub tp_dst: u16,
    pub df: bool,
    pub csum: bool,
    pub oam: bool,
    /// `tun_id` is meant.
    pub key: bool,
    /// VXLAN group policy: id and flags.
    pub gbp: Option<(u16, u8)>,
    /// Geneve options.
    pub geneve: Option<Vec<GeneveOpt>>,
    /// ERSPAN version, index (version 1), direction and hardware id (version 2).
    pub erspan: Option<(u8, u32, u8, u8)>,
    /// GTP-U flags and message type.
    pub gtpu: Option<(u8, u8)>,
}

/// A Geneve option (RFC 8926, 3.5).
#[derive(Clone, Debug, PartialEq, Eq, Default)]
#[allow(missing_docs, reason = "fields of the option")]
pub struct GeneveOpt {
    pub class: u16,
    pub ty: u8,
    pub data: Vec<u8>,
}

/// See [`DpAction::PushVlan`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PushVlan {
    /// 0x8100 or 0x88a8, usually.
    pub tpid: u16,
    /// Priority, bit 12 for "present" (written to the frame as the drop-eligible bit only where that is what it
    /// says: see [`PushVlan::wire_tci`]), VLAN id.
    pub tci: u16,
}

impl PushVlan {
    /// The TCI as it goes into the frame.
    pub const fn wire_tci(self) -> u16 {
        self.tci & !0x1000
    }
}

/// See [`DpAction::PushMpls`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PushMpls {
    /// Label stack entry: label 20 bits, traffic class 3, bottom of stack 1, TTL 8.
    pub lse: u32,
    /// Ethernet type of the frame afterwards.
    pub eth_type: u16,
}

/// Over what [`DpAction::Hash`] hashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum HashAlg {
    /// Addresses and ports.
    #[default]
    L4,
    /// The same for both directions of a connection.
    SymL4,
}

/// See [`DpAction::Ct`].
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Ct {
    /// Commit the connection.
    pub commit: bool,
    /// Commit even over a connection of the opposite direction.
    pub force: bool,
    /// Zone.
    pub zone: u16,
    /// Mark to write at commit.
    pub mark: Option<Masked<u32>>,
    /// Label to write at commit.
    pub label: Option<Masked<u128>>,
    /// Application-level helper.
    pub helper: Option<String>,
    /// Timeout policy.
    pub timeout: Option<String>,
    /// Address translation.
    pub nat: Option<CtNat>,
}

/// Address translation of a [`Ct`].
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct CtNat {
    /// Which address; `None`: whatever the connection has.
    pub kind: Option<NatKind>,
    /// Range of addresses, both ends included.
    pub addrs: Option<(IpAddr, IpAddr)>,
    /// Range of ports, both ends included.
    pub ports: Option<(u16, u16)>,
    /// Same mapping over restarts.
    pub persistent: bool,
    /// Choose by hash.
    pub hash: bool,
    /// Choose at random.
    pub random: bool,
}

/// Source or destination translation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NatKind {
    /// Source.
    Src,
    /// Destination.
    Dst,
}

/// See [`DpAction::CheckPktLen`].
#[derive(Clone, Debug, PartialEq)]
pub struct CheckPktLen {
    /// Bytes.
    pub size: u16,
    /// For longer packets.
    pub greater: Vec<DpAction>,
    /// For the others.
    pub less_equal: Vec<DpAction>,
}

/// See [`DpAction::TnlPush`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TnlPush {
    /// The tunnel's port.
    pub tnl_port: DpPort,
    /// Where the encapsulated frame leaves.
    pub out_port: DpPort,
    /// Kind of tunnel.
    pub kind: TnlKind,
    /// Everything that goes in front of the packet; lengths, checksums and the UDP source port are filled in.
    pub header: Vec<u8>,
}

/// Kinds of tunnel, as numbered in the text of [`DpAction::TnlPush`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is the tunnel of that name")]
pub enum TnlKind {
    Gre,
    Vxlan,
    Geneve,
    Other(u32),
}

/// A copy for the control side.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Userspace {
    /// Who is meant, in datapaths with several listeners; 0 here.
    pub pid: u32,
    /// What it is about.
    pub cookie: UserCookie,
    /// The tunnel port that the packet leaves by, for egress sampling.
    pub tunnel_out_port: Option<DpPort>,
    /// The listener wants the megaflow's actions as well.
    pub actions: bool,
}

/// Why a packet goes to the control side.
#[derive(Clone, Debug, PartialEq)]
pub enum UserCookie {
    /// Bytes that mean nothing to us.
    Raw(Vec<u8>),
    /// sFlow sample.
    SFlow {
        /// Outer VLAN tag of the packet as sent.
        vlan_tci: u16,
        /// Encoded output.
        output: u32,
    },
    /// The packet is to be handled by a protocol machine, or by translation of each packet.
    SlowPath(SlowPath),
    /// `sample` action.
    FlowSample(FlowSample),
    /// IPFIX sample of a bridge.
    Ipfix {
        /// Output port.
        output_port: DpPort,
    },
    /// For controllers.
    Controller(Box<ControllerCookie>),
}

impl Default for UserCookie {
    fn default() -> Self {
        UserCookie::Raw(Vec::new())
    }
}

/// Why packets of a flow are handled one by one by the control side: a set of bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct SlowPath(pub u32);

impl SlowPath {
    /// Connectivity fault management.
    pub const CFM: SlowPath = SlowPath(1);
    /// Bidirectional forwarding detection.
    pub const BFD: SlowPath = SlowPath(2);
    /// Link aggregation control.
    pub const LACP: SlowPath = SlowPath(4);
    /// (Rapid) spanning tree.
    pub const STP: SlowPath = SlowPath(8);
    /// Link layer discovery.
    pub const LLDP: SlowPath = SlowPath(16);
    /// An action that the datapath does not have.
    pub const ACTION: SlowPath = SlowPath(32);
    /// A match that the datapath does not have.
    pub const MATCH: SlowPath = SlowPath(64);
    /// Names by bit.
    pub const NAMES: [(u32, &'static str); 7] =
        [(1, "cfm"), (2, "bfd"), (4, "lacp"), (8, "stp"), (16, "lldp"), (32, "action"), (64, "match")];

    /// No reason.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Both sets together.
    pub const fn union(self, other: SlowPath) -> SlowPath {
        SlowPath(self.0 | other.0)
    }

    /// Whether any bit of `other` is in.
    pub const fn intersects(self, other: SlowPath) -> bool {
        self.0 & other.0 != 0
    }
}

/// See [`UserCookie::FlowSample`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[allow(missing_docs, reason = "the sample action's fields")]
pub struct FlowSample {
    pub probability: u16,
    pub collector_set_id: u32,
    pub obs_domain_id: u32,
    pub obs_point_id: u32,
    pub output_port: DpPort,
    /// Which way: `None`, `Some(false)` ingress, `Some(true)` egress.
    pub egress: Option<bool>,
}

/// A packet-in in the making: everything that translation knew where the controller action stood, which no bytes of
/// the packet can tell.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct ControllerCookie {
    /// Index of the bridge in the snapshot.
    pub bridge: u32,
    /// The reason as OpenFlow 1.3+ numbers it (0 no match, 1 action, 2 invalid TTL, 3 action set, 4 group,
    /// 5 packet out).
    pub reason: u8,
    /// No packet-in is made (trace, tests).
    pub dont_send: bool,
    /// The pipeline stops here until a controller resumes it.
    pub continuation: bool,
    /// Number of the frozen state, for the text.
    pub recirc_id: u32,
    /// Cookie of the rule.
    pub rule_cookie: Cookie,
    /// Table of the rule.
    pub table: TableId,
    /// Which controllers.
    pub controller_id: u16,
    /// Bytes wanted at most.
    pub max_len: u16,
    /// Bytes to give back.
    pub userdata: Vec<u8>,
    /// The port that the packet came in by, and what translation had in the fields that no packet carries (registers,
    /// metadata, tunnel, marks ...).
    pub metadata: flow::MiniMatch,
}

/// IPv4 address as the number it is.
pub fn ipv4(a: Ipv4Addr) -> u32 {
    u32::from(a)
}

/// IPv6 address as the number it is.
pub fn ipv6(a: Ipv6Addr) -> u128 {
    u128::from(a)
}
