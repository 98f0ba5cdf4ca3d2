//! `push_vlan`, `strip_vlan`, `mod_vlan_vid`, `mod_vlan_pcp`.

/// Push a VLAN tag.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PushVlan {
    /// 0x8100 or 0x88a8.
    pub ethertype: u16,
}

/// Set the VLAN id (OpenFlow 1.0 and 1.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SetVlanVid {
    /// 12 bits.
    pub vid: u16,
    /// Push a tag when the packet has none (the meaning in OpenFlow 1.0, not in 1.1).
    pub push_vlan_if_needed: bool,
    /// The flow matches only packets that have a tag at this point (found by [`super::check`]).
    pub flow_has_vlan: bool,
}

/// Set the VLAN priority (OpenFlow 1.0 and 1.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SetVlanPcp {
    /// 3 bits.
    pub pcp: u8,
    /// As in [`SetVlanVid`].
    pub push_vlan_if_needed: bool,
    /// As in [`SetVlanVid`].
    pub flow_has_vlan: bool,
}
