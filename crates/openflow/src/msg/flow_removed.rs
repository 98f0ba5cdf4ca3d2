//! Flow-removed: a flow has gone.

use base::Cookie;
use flow::MiniMatch;

/// Why a flow has gone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum FlowRemovedReason {
    /// Idle timeout.
    IdleTimeout = 0,
    /// Hard timeout.
    HardTimeout = 1,
    /// Deleted by a flow-mod.
    Delete = 2,
    /// Its group was deleted (from 1.3 on).
    GroupDelete = 3,
    /// Its meter was deleted (from 1.4 on).
    MeterDelete = 4,
    /// Evicted (from 1.4 on).
    Eviction = 5,
}

/// A flow has gone.
#[derive(Clone, PartialEq, Debug)]
pub struct FlowRemoved {
    /// Its match.
    pub matching: MiniMatch,
    /// Its cookie.
    pub cookie: Cookie,
    /// Its priority.
    pub priority: u16,
    /// Why.
    pub reason: FlowRemovedReason,
    /// Its table; 255 when the version cannot say.
    pub table: u8,
    /// How long it lived: seconds.
    pub duration_sec: u32,
    /// And nanoseconds.
    pub duration_nsec: u32,
    /// Its idle timeout.
    pub idle_timeout: u16,
    /// Its hard timeout.
    pub hard_timeout: u16,
    /// Packets; `u64::MAX`: unknown.
    pub packet_count: u64,
    /// Bytes; `u64::MAX`: unknown.
    pub byte_count: u64,
}
