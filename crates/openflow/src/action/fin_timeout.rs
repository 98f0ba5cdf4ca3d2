//! `fin_timeout`: shorten the flow's timeouts when a TCP connection ends.

/// New timeouts after a FIN or RST.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FinTimeout {
    /// Seconds; 0: unchanged.
    pub idle_timeout: u16,
    /// Seconds; 0: unchanged.
    pub hard_timeout: u16,
}
