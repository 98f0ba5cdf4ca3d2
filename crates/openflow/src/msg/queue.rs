//! Queues: configuration and statistics.

use base::OfPort;

/// Which queues.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct QueueStatsRequest {
    /// Port, or [`OfPort::NONE`] for all.
    pub port: OfPort,
    /// Queue, or `u32::MAX` for all.
    pub queue: u32,
}

/// Configuration of a queue.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct QueueConfig {
    /// Port.
    pub port: OfPort,
    /// Queue.
    pub queue: u32,
    /// Guaranteed rate in tenths of a per cent; above 1,000: none.
    pub min_rate: Option<u16>,
    /// Highest rate in tenths of a per cent; above 1,000: none.
    pub max_rate: Option<u16>,
}

/// Counters of a queue; `u64::MAX`: unknown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct QueueStats {
    /// Port.
    pub port: OfPort,
    /// Queue.
    pub queue: u32,
    /// Sent bytes.
    pub tx_bytes: u64,
    /// Sent packets.
    pub tx_packets: u64,
    /// Dropped packets.
    pub tx_errors: u64,
    /// Age, seconds and nanoseconds (from 1.3 on).
    pub duration: Option<(u32, u32)>,
}
