//! `push_pbb`, `pop_pbb`: provider backbone bridging (IEEE 802.1ah), which the reference lacks.

/// Push a backbone header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PushPbb {
    /// 0x88e7.
    pub ethertype: u16,
}
