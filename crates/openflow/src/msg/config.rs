//! Switch configuration: fragments and miss length.

/// What becomes of IP fragments.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(u8)]
pub enum FragHandling {
    /// No special treatment.
    #[default]
    Normal = 0,
    /// Dropped.
    Drop = 1,
    /// Reassembled.
    Reassemble = 2,
    /// Nicira: first fragments are matched with their ports.
    NxMatch = 3,
}

/// Switch configuration.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SwitchConfig {
    /// Fragments.
    pub frag: FragHandling,
    /// Send packets whose TTL runs out to the controller (up to 1.2): `None` when the version cannot say.
    pub invalid_ttl_to_controller: Option<bool>,
    /// Bytes of a packet that misses to send to the controller.
    pub miss_send_len: u16,
}
