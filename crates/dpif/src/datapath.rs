//! The seam above devices: a datapath as its owner sees it.
//!
//! A [`Datapath`] has ports, flows and counters, runs actions over packets given to it, and hands packets up. What
//! translates its misses is not part of this seam: an implementation either calls translation itself or leaves it to
//! its owner.

use crate::action::DpAction;
use crate::netdev::Netdev;
use base::{DpPort, Time};
use flow::mini::{hash_add, hash_finish};
use flow::{FlowKey, Mask};
use std::fmt;
use wire::Packet;

/// Counters of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct FlowStats {
    /// Packets.
    pub packets: u64,
    /// Bytes.
    pub bytes: u64,
    /// When it was last used; `None` is never.
    pub used: Option<Time>,
    /// TCP flags seen, together.
    pub tcp_flags: u16,
}

/// A datapath flow, as dumps give it.
#[derive(Clone, Debug)]
pub struct DpFlow {
    /// Unique id.
    pub ufid: u128,
    /// The key of the packet that it was made for.
    pub key: FlowKey,
    /// The bits of it that count.
    pub mask: Mask,
    /// What is done.
    pub actions: Vec<DpAction>,
    /// Counters.
    pub stats: FlowStats,
    /// The polling thread that it belongs to; `None` is the main thread.
    pub thread: Option<u32>,
}

/// The id of a flow that was given none: from all of its key, so that whoever knows the key knows the id.
pub fn ufid_of(key: &FlowKey) -> u128 {
    let half = |seed: u64| {
        let words = key.words.iter().enumerate().filter(|(_, w)| **w != 0);
        hash_finish(words.fold(seed, |h, (i, w)| hash_add(hash_add(h, i as u64), *w)))
    };
    u128::from(half(0x9e37_79b9_7f4a_7c15)) << 64 | u128::from(half(0xd1b5_4a32_d192_ed03))
}

/// How [`Datapath::put_flow`] takes a flow that is there, or is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PutMode {
    /// Only add.
    Create,
    /// Only change.
    Modify,
    /// Either.
    CreateOrModify,
}

/// Counters of a datapath.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct DpStats {
    /// Lookups that found a flow.
    pub hit: u64,
    /// Lookups that did not.
    pub missed: u64,
    /// Packets that should have gone up and did not.
    pub lost: u64,
    /// Flows.
    pub flows: u64,
    /// Different masks.
    pub masks: u64,
}

/// What a datapath refuses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DpError {
    /// The port number is taken.
    PortExists(DpPort),
    /// There is no such port.
    NoPort(DpPort),
    /// The port number is too large.
    BadPort(DpPort),
    /// The device refused.
    Device(crate::netdev::DevError),
    /// The flow is there.
    FlowExists,
    /// The flow is not there.
    NoFlow,
    /// The table is full.
    Full,
    /// There is no such meter.
    NoMeter(u32),
}

impl fmt::Display for DpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DpError::PortExists(p) => write!(f, "port {} exists", p.0),
            DpError::NoPort(p) => write!(f, "no port {}", p.0),
            DpError::BadPort(p) => write!(f, "port number {} is too large", p.0),
            DpError::Device(e) => fmt::Display::fmt(e, f),
            DpError::FlowExists => f.write_str("flow exists"),
            DpError::NoFlow => f.write_str("no such flow"),
            DpError::Full => f.write_str("flow table is full"),
            DpError::NoMeter(m) => write!(f, "no meter {m}"),
        }
    }
}

impl std::error::Error for DpError {}

impl From<crate::netdev::DevError> for DpError {
    fn from(e: crate::netdev::DevError) -> DpError {
        DpError::Device(e)
    }
}

/// See the module.
pub trait Datapath {
    /// Adds a device under a port number.
    fn add_port(&mut self, port: DpPort, device: Box<dyn Netdev>) -> Result<(), DpError>;
    /// Takes a port out and gives its device back.
    fn del_port(&mut self, port: DpPort) -> Result<Box<dyn Netdev>, DpError>;
    /// Port numbers, ascending.
    fn ports(&self) -> Vec<DpPort>;
    /// The device of a port.
    fn device(&self, port: DpPort) -> Option<&dyn Netdev>;
    /// The device of a port, to be changed.
    fn device_mut(&mut self, port: DpPort) -> Option<&mut (dyn Netdev + 'static)>;
    /// Adds or changes a flow by hand; without an id it gets that of its key ([`ufid_of`]). Flows are told apart by
    /// their ids alone: they may overlap. Gives the state of the flow after the change.
    fn put_flow(
        &mut self,
        ufid: Option<u128>,
        key: &FlowKey,
        mask: &Mask,
        actions: Vec<DpAction>,
        mode: PutMode,
    ) -> Result<DpFlow, DpError>;
    /// Removes a flow, and gives its last state.
    fn del_flow(&mut self, ufid: u128) -> Result<DpFlow, DpError>;
    /// Removes all flows.
    fn flush_flows(&mut self);
    /// All flows.
    fn dump_flows(&mut self) -> Vec<DpFlow>;
    /// A flow by its id.
    fn flow(&mut self, ufid: u128) -> Option<DpFlow>;
    /// Runs actions over a packet as if it had come in by `in_port`.
    fn execute(&mut self, packet: Packet, in_port: DpPort, actions: &[DpAction]);
    /// Counters.
    fn stats(&self) -> DpStats;
    /// Does what is to be done now in the caller's thread; says whether there was anything.
    fn poll(&mut self) -> bool;
}
