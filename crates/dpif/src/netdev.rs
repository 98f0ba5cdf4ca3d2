//! Devices as the switch sees them.
//!
//! A [`Netdev`] is the control side: address, MTU, link, statistics. Packets go through queues taken from it:
//! an [`RxQueue`] is owned by the one polling thread that reads it, and each thread that sends takes a
//! [`TxQueue`] of its own, so that no queue is ever shared and none needs a lock.

use base::Mac;
use std::collections::BTreeMap;
use std::fmt;
use wire::{Offload, Packet, PacketPool};

/// A device error: the operating system's number and what was being done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DevError {
    /// `errno`, as the operating system numbers them.
    pub errno: i32,
    /// What failed, in words.
    pub what: String,
}

impl DevError {
    /// An error with a number and a description.
    pub fn new(errno: i32, what: impl Into<String>) -> DevError {
        DevError { errno, what: what.into() }
    }
}

impl fmt::Display for DevError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for DevError {}

/// What a sending queue does in hardware or leaves to the kernel behind it; the rest is done in software
/// before it gets the frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct TxCaps {
    /// Completes L4 checksums.
    pub csum: bool,
    /// Takes frames that are still to be segmented.
    pub gso: bool,
}

/// Frames sent and refused by one flush.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct TxResult {
    /// Frames handed to the device.
    pub sent: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Frames that the device did not take.
    pub dropped: u64,
}

/// A receiving queue, owned by one polling thread.
pub trait RxQueue: Send {
    /// Appends up to `max` waiting frames to `out`, in buffers from `pool`; never blocks. Stripped VLAN tags
    /// are back in the frame. Returns how many; an error means that the device is gone.
    fn recv(&mut self, max: usize, pool: &mut PacketPool, out: &mut Vec<Packet>) -> Result<usize, DevError>;
    /// A descriptor that polls readable when frames wait; `None` for devices without one.
    fn fd(&self) -> Option<i32>;
    /// Whoever polls has slept on the descriptors, and one was ready: look now, even where looking costs.
    fn woken(&mut self) {}
    /// One was ready, but no queue had a frame: it may have been for an error of this one.
    fn woken_for_nothing(&mut self) {}
}

/// A sending queue, owned by one thread.
pub trait TxQueue: Send {
    /// What may be left undone in frames given to this queue.
    fn caps(&self) -> TxCaps;
    /// Takes a copy of a frame; it may leave only at [`TxQueue::flush`].
    fn send(&mut self, frame: &[u8], offload: &Offload);
    /// Sends everything taken so far, with as few system calls as possible, and says what became of it.
    fn flush(&mut self) -> TxResult;
}

/// Link state as the database and OpenFlow show it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Link {
    /// Administratively up.
    pub admin_up: bool,
    /// Carrier present.
    pub carrier: bool,
    /// Times that the carrier changed.
    pub resets: u64,
    /// Bits per second, when known.
    pub speed: Option<u64>,
    /// Full duplex, when known.
    pub full_duplex: Option<bool>,
}

/// OpenFlow port features, as OpenFlow 1.0 and 1.1+ number the bits they share (`OFPPF_*` of OpenFlow 1.1+).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Features {
    /// In use.
    pub current: u32,
    /// Advertised to the peer.
    pub advertised: u32,
    /// Supported.
    pub supported: u32,
    /// Advertised by the peer.
    pub peer: u32,
}

/// Device counters; `None` is "not counted by this device" (all ones in OpenFlow, absent in the database).
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[allow(missing_docs, reason = "each is the counter of that name in ovs-vswitchd.conf.db(5)")]
pub struct NetdevStats {
    pub rx_packets: Option<u64>,
    pub tx_packets: Option<u64>,
    pub rx_bytes: Option<u64>,
    pub tx_bytes: Option<u64>,
    pub rx_errors: Option<u64>,
    pub tx_errors: Option<u64>,
    pub rx_dropped: Option<u64>,
    pub tx_dropped: Option<u64>,
    pub multicast: Option<u64>,
    pub collisions: Option<u64>,
    pub rx_length_errors: Option<u64>,
    pub rx_over_errors: Option<u64>,
    pub rx_crc_errors: Option<u64>,
    pub rx_frame_errors: Option<u64>,
    pub rx_fifo_errors: Option<u64>,
    pub rx_missed_errors: Option<u64>,
    pub tx_aborted_errors: Option<u64>,
    pub tx_carrier_errors: Option<u64>,
    /// Counters of this kind of device alone, by name (`rx_custom_packets_1` ...).
    pub custom: Vec<(String, u64)>,
}

/// The control side of a device.
pub trait Netdev: Send {
    /// Name, as the operating system and the database have it.
    fn name(&self) -> &str;
    /// The `Interface` `type` it implements: `system`, `internal`, `tap`, `dummy` ...
    fn kind(&self) -> &'static str;
    /// Takes the receiving queues; a second call returns none. A device without packets of its own (patch)
    /// returns none.
    fn rx_queues(&mut self) -> Result<Vec<Box<dyn RxQueue>>, DevError>;
    /// A sending queue for one more thread.
    fn tx_queue(&mut self) -> Result<Box<dyn TxQueue>, DevError>;
    /// Ethernet address.
    fn mac(&self) -> Result<Mac, DevError>;
    /// Changes the Ethernet address.
    fn set_mac(&mut self, mac: Mac) -> Result<(), DevError>;
    /// Maximum size of a frame's payload in bytes; `None` when the device has no such limit.
    fn mtu(&self) -> Option<u32>;
    /// Changes the MTU.
    fn set_mtu(&mut self, mtu: u32) -> Result<(), DevError>;
    /// Link state.
    fn link(&self) -> Link;
    /// Turns the device on or off.
    fn set_admin_up(&mut self, up: bool) -> Result<(), DevError>;
    /// Speeds and media.
    fn features(&self) -> Features {
        Features::default()
    }
    /// Counters of the device.
    fn stats(&self) -> NetdevStats;
    /// The operating system's interface index.
    fn ifindex(&self) -> Option<u32>;
    /// Pairs for the database's `Interface.status` column (`driver_name` ...).
    fn status(&self) -> Vec<(String, String)> {
        Vec::new()
    }
    /// Options in effect, in the order in which `dpif/show` prints them after the type.
    fn config(&self) -> Vec<(String, String)> {
        Vec::new()
    }
    /// Applies the `Interface.options` column. The error is the text for `Interface.error`.
    fn set_options(&mut self, options: &BTreeMap<String, String>) -> Result<(), String>;
    /// Changes whenever address, MTU, link or features are known to have done so: what to compare before reading all of
    /// them again. Whoever opens devices of the kernel hears from it of changes that others make.
    fn change_seq(&self) -> u64;
}
