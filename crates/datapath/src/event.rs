//! What an engine has to tell the control thread: a bounded queue that never blocks.
//!
//! Each input port may fill only a part of the queue, so that packets of one port that all go to a controller do not
//! silence the others. What does not fit is counted and dropped.

use crate::megaflow::{Body, Megaflow};
use crate::seam::{Pipeline, Wake};
use base::{DpPort, Time};
use crossbeam_queue::ArrayQueue;
use dpif::action::Userspace;
use flow::FlowKey;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// A packet for the control side.
#[derive(Clone, Debug)]
pub struct Upcall {
    /// The frame as it was at the action, its checksum complete.
    pub packet: Vec<u8>,
    /// Where it came in.
    pub port: DpPort,
    /// What it is about.
    pub why: Arc<Userspace>,
    /// When.
    pub time: Time,
}

/// See the module.
pub enum Event<P: Pipeline> {
    /// A packet for the control side.
    Upcall(Upcall),
    /// Packets were handled whose effects have something that only the control thread can do. What
    /// [`Pipeline::credit`] counts was counted already.
    Effects {
        /// What was translated.
        body: Arc<Body<P>>,
        /// The packet's key, or that of the megaflow.
        key: Box<FlowKey>,
        /// How many packets; 0 for a megaflow that was translated again before it counted any.
        packets: u64,
        /// Their bytes.
        bytes: u64,
        /// The TCP flags seen.
        tcp_flags: u16,
        /// When the last came.
        time: Time,
    },
    /// A device failed for good; its queue is no longer read.
    PortGone(DpPort),
    /// A cached answer was wrong (a bug): the flow was removed.
    Mismatch(Arc<Megaflow<P>>),
}

/// Shares are counted by the low bits of the port number.
const SHARES: usize = 256;

/// One engine's queue.
pub(crate) struct Events<P: Pipeline> {
    queue: ArrayQueue<(u8, Event<P>)>,
    waiting: [AtomicU32; SHARES],
    share: u32,
    wake: Arc<dyn Wake>,
}

impl<P: Pipeline> Events<P> {
    pub(crate) fn new(capacity: usize, wake: Arc<dyn Wake>) -> Events<P> {
        let capacity = capacity.max(4);
        Events {
            queue: ArrayQueue::new(capacity),
            waiting: std::array::from_fn(|_| AtomicU32::new(0)),
            share: (capacity / 4) as u32,
            wake,
        }
    }

    /// Whether there is room for an event on account of `port`, for all that is known now.
    pub(crate) fn has_room(&self, port: DpPort) -> bool {
        self.waiting[usize::from(port.0 as u8)].load(Relaxed) < self.share && !self.queue.is_full()
    }

    /// Puts an event in, on account of `port`; false if there was no room.
    pub(crate) fn push(&self, port: DpPort, event: Event<P>) -> bool {
        let lane = port.0 as u8;
        let waiting = &self.waiting[usize::from(lane)];
        if waiting.load(Relaxed) >= self.share {
            return false;
        }
        let first = self.queue.is_empty();
        waiting.fetch_add(1, Relaxed);
        if self.queue.push((lane, event)).is_err() {
            waiting.fetch_sub(1, Relaxed);
            return false;
        }
        if first {
            self.wake.wake();
        }
        true
    }

    /// Wakes the control thread for something that is not an event.
    pub(crate) fn nudge(&self) {
        self.wake.wake();
    }

    pub(crate) fn pop(&self) -> Option<Event<P>> {
        let (lane, event) = self.queue.pop()?;
        self.waiting[usize::from(lane)].fetch_sub(1, Relaxed);
        Some(event)
    }
}
