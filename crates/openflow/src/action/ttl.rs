//! `dec_ttl`, `dec_mpls_ttl`, `dec_nsh_ttl`, `copy_ttl_in`, `copy_ttl_out`.

/// Decrement the IP TTL or hop limit.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DecTtl {
    /// Connection ids of the controllers told when the TTL runs out. Empty means the plain OpenFlow action,
    /// which tells the controllers with id 0.
    pub ids: Box<[u16]>,
}
