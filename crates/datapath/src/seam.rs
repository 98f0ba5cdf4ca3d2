//! What the datapath needs from others, as traits: translation, and a way to sleep and be woken.
//!
//! The engine is generic over [`Pipeline`], so that its caches are tested against small tables whose every answer
//! is known, and so that it depends on none of the pipeline's types.

use base::Time;
use dpif::DpAction;
use flow::{FlowKey, Mask};
use std::time::Duration;

/// A published snapshot that flows are translated against.
pub trait Pipeline: Send + Sync + 'static {
    /// What a translation has to be credited to, and what is to be done again for as long as it is used.
    type Effects: Send + Sync + 'static;
    /// What a translation looked at, besides the packet.
    type Deps: Send + Sync + 'static;

    /// Which snapshot this is: grows with each.
    fn generation(&self) -> u64;

    /// Translates a flow. `key` is in the datapath's form: its input port is a datapath port. `len` is the frame's
    /// length in bytes.
    fn translate(&self, key: &FlowKey, len: usize, now: Time) -> Translated<Self::Effects, Self::Deps>;

    /// Whether nothing that `deps` names has changed after snapshot `since`.
    fn unchanged(&self, deps: &Self::Deps, since: u64) -> bool;

    /// Adds packets and bytes to the counters that `effects` names. Called by engines and by the control thread.
    fn credit(effects: &Self::Effects, packets: u64, bytes: u64, tcp_flags: u16, now: Time);

    /// Whether `effects` has anything that only the control thread can do (learn, move a MAC ...).
    fn needs_control(effects: &Self::Effects) -> bool;
}

/// What became of a flow.
pub struct Translated<E, D> {
    /// What to do with its packets.
    pub actions: Vec<DpAction>,
    /// The bits of the key that this depends on.
    pub mask: Mask,
    /// To be credited and applied.
    pub effects: E,
    /// What was looked at.
    pub deps: D,
    /// Whether the next packet of the flow gets the same.
    pub cacheable: bool,
    /// Why, if there are no actions: a number of translation's table of drop reasons.
    pub drop: u32,
}

/// Sleeping in one place for everything that a polling thread waits for. The daemon supplies it (epoll and an event
/// descriptor); tests supply a condition variable.
pub trait Waiter: Send {
    /// The thread begins; it is to stay on a CPU, where one is given.
    fn begin(&mut self, _cpu: Option<u32>) {}
    /// Other descriptors are to be watched from now on, besides the wake-up.
    fn watch(&mut self, changes: &FdChanges);
    /// Sleeps for a few microseconds, whatever comes.
    fn nap(&mut self, time: Duration) {
        self.wait(Some(time));
    }
    /// Sleeps until a descriptor is readable, a [`Wake`] came, or `timeout` passed.
    fn wait(&mut self, timeout: Option<Duration>);
}

/// How the descriptors to watch differ from those before. One that was closed is watched no more by itself; its number
/// may be among the new ones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FdChanges {
    /// Not to be watched any more.
    pub gone: Vec<i32>,
    /// To be watched too.
    pub new: Vec<i32>,
}

/// Ends the sleep of a [`Waiter`], now or at its next wait.
pub trait Wake: Send + Sync {
    /// Wakes.
    fn wake(&self);
}

/// Wakes nobody: for engines that are polled by their owner.
pub struct NoWake;

impl Wake for NoWake {
    fn wake(&self) {}
}
