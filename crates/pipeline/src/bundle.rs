//! Bundles (the database's ports: one interface or a bond), their VLANs, and mirrors.

use crate::snapshot::VlanSet;
use base::{OfPort, VlanId};
use l2::BundleId;
use smallvec::SmallVec;

/// How a bundle treats VLANs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum VlanMode {
    /// Carries one VLAN, untagged.
    Access,
    /// Carries tagged frames of its VLANs, and untagged ones as VLAN 0.
    #[default]
    Trunk,
    /// Trunk whose own VLAN is sent tagged; frames without a tag belong to it.
    NativeTagged,
    /// Trunk whose own VLAN is sent untagged.
    NativeUntagged,
    /// Carries customers' frames inside one service VLAN.
    Dot1qTunnel,
}

/// Whether frames of VLAN 0 leave with an 802.1Q header.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum PriorityTags {
    /// Never.
    #[default]
    Never,
    /// When the priority is not 0.
    IfNonzero,
    /// When the frame has one.
    Always,
}

/// A bundle.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Bundle {
    /// Name of the database's port.
    pub name: String,
    /// Its ports; several for a bond.
    pub members: SmallVec<[OfPort; 1]>,
    /// VLAN mode.
    pub vlan_mode: VlanMode,
    /// VLAN of access, native and tunnel modes; 0 for trunks.
    pub vlan: VlanId,
    /// VLANs of trunk modes; `None`: all.
    pub trunks: Option<VlanSet>,
    /// Customer VLANs of the tunnel mode; `None`: all.
    pub cvlans: Option<VlanSet>,
    /// Ethertype of the service tag.
    pub qinq_ethertype: u16,
    /// Priority-tagged frames.
    pub priority_tags: PriorityTags,
    /// Does not exchange frames with other protected bundles.
    pub protected: bool,
    /// Takes part in flooding: no member is configured not to.
    pub floodable: bool,
    /// The bond, if it is one.
    pub bond: Option<Bond>,
}

impl Bundle {
    /// Whether stations learned by this bundle would be by another in its place.
    pub fn treats_vlans_as(&self, other: &Bundle) -> bool {
        let vlans = |b: &Bundle| (b.vlan_mode, b.vlan, b.qinq_ethertype, b.priority_tags, b.protected);
        vlans(self) == vlans(other) && self.trunks == other.trunks && self.cvlans == other.cvlans
    }

    /// A trunk of all VLANs with one member.
    pub fn new(name: &str, member: OfPort) -> Bundle {
        Bundle {
            name: name.to_string(),
            members: SmallVec::from_elem(member, 1),
            vlan_mode: VlanMode::Trunk,
            vlan: VlanId(0),
            trunks: None,
            cvlans: None,
            qinq_ethertype: 0x88a8,
            priority_tags: PriorityTags::Never,
            protected: false,
            floodable: true,
            bond: None,
        }
    }

    /// Whether the bundle carries `vlan` in one of its trunk modes.
    pub fn trunks_vlan(&self, vlan: VlanId) -> bool {
        self.trunks.as_ref().is_none_or(|t| t.contains(vlan))
    }

    /// Whether frames pass as they are, whatever their VLAN.
    pub fn is_plain_trunk(&self) -> bool {
        self.vlan_mode == VlanMode::Trunk && self.trunks.is_none()
    }

    /// Whether frames of customer VLAN `cvlan` may use the tunnel.
    pub fn allows_cvlan(&self, cvlan: VlanId) -> bool {
        self.cvlans.as_ref().is_none_or(|c| c.contains(cvlan))
    }

    /// Whether a frame in `vlan` (with inner tag `inner`, 0 for none) may enter or leave here.
    pub fn includes(&self, vlan: VlanId, inner: VlanId) -> bool {
        match self.vlan_mode {
            VlanMode::Access => vlan == self.vlan && inner == VlanId(0),
            VlanMode::Trunk => self.trunks_vlan(vlan),
            VlanMode::NativeTagged | VlanMode::NativeUntagged => {
                // Frames without a VLAN are in the native one: there is no VLAN 0 here.
                vlan == self.vlan || (vlan != VlanId(0) && self.trunks_vlan(vlan))
            }
            VlanMode::Dot1qTunnel => vlan == self.vlan && self.allows_cvlan(inner),
        }
    }
}

/// How a bond chooses the member to send by.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum BondMode {
    /// The active member.
    ActiveBackup,
    /// By source address and VLAN.
    BalanceSlb,
    /// By addresses and ports.
    BalanceTcp,
}

/// The state of a bond that its machine published.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Bond {
    /// Mode.
    pub mode: BondMode,
    /// Seed of the hash.
    pub basis: u32,
    /// Members that may be used now.
    pub enabled: SmallVec<[OfPort; 4]>,
    /// The active member, if any is enabled.
    pub active: Option<OfPort>,
    /// Member of each of the 256 hash values, for the balancing modes.
    pub buckets: Box<[OfPort]>,
    /// LACP negotiated: the partner knows that this is one link, so that nothing is reflected.
    pub lacp: bool,
    /// Accept multicast on every member.
    pub all_members_active: bool,
}

/// What a mirror copies, and where to.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Mirror {
    /// Name.
    pub name: String,
    /// Copies what arrives by these bundles.
    pub src: Vec<BundleId>,
    /// Copies what leaves by these bundles.
    pub dst: Vec<BundleId>,
    /// Copies whatever arrives or leaves.
    pub select_all: bool,
    /// Only frames of these VLANs.
    pub vlans: Option<VlanSet>,
    /// Bundle that gets the copies.
    pub out: Option<BundleId>,
    /// VLAN that gets the copies, without [`Mirror::out`].
    pub out_vlan: Option<VlanId>,
    /// Most bytes of a copy; 0 for all.
    pub snaplen: u32,
}
