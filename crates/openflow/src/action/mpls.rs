//! `push_mpls`, `pop_mpls`, `set_mpls_label`, `set_mpls_tc`, `set_mpls_ttl`, `dec_mpls_ttl`.

/// Push an MPLS label.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PushMpls {
    /// 0x8847 or 0x8848.
    pub ethertype: u16,
}

/// Pop the outermost MPLS label.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PopMpls {
    /// The Ethernet type afterwards.
    pub ethertype: u16,
}

/// Set the label.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SetMplsLabel {
    /// 20 bits.
    pub label: u32,
}

/// Set the traffic class.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SetMplsTc {
    /// 3 bits.
    pub tc: u8,
}

/// Set the TTL.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SetMplsTtl {
    /// New TTL.
    pub ttl: u8,
}
