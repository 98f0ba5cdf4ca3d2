//! `set_tunnel`, `set_tunnel64`: set the tunnel id.

/// Set the tunnel id.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SetTunnel {
    /// The id.
    pub id: u64,
    /// Written as `set_tunnel64`.
    pub wide: bool,
}
