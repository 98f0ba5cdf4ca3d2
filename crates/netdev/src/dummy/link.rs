//! Dummy devices tied together over byte streams (options `stream` and `pstream`).
//!
//! The bytes are made and read here; connecting, listening and waiting is the event loop's affair. Each frame is
//! preceded by its length:
//!
//! ```text
//! length (2, big-endian)   frame (length bytes, at least an Ethernet header)
//! ```

use super::{DummyHandle, ETH_HEADER};
use crossbeam_queue::ArrayQueue;
use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use sys::event::EventFd;
use wire::Offload;

/// Frames that wait for one connection; more are dropped.
const DEPTH: usize = 100;

/// What a device's options ask for: a connection method as for managers and controllers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum StreamTarget {
    /// `stream`: keep a connection to this.
    Active(String),
    /// `pstream`: listen on this, and accept any number of connections.
    Passive(String),
}

impl StreamTarget {
    /// `pstream` wins.
    pub(super) fn from_options(options: &BTreeMap<String, String>) -> Option<StreamTarget> {
        let passive = options.get("pstream").cloned().map(StreamTarget::Passive);
        passive.or_else(|| options.get("stream").cloned().map(StreamTarget::Active))
    }
}

/// The peer sent a frame shorter than an Ethernet header: the connection is to be dropped (`EPROTO`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StreamError {
    /// The length it announced.
    pub length: u16,
}

/// Frames on their way to one connection.
#[derive(Debug)]
pub(super) struct Lane {
    records: ArrayQueue<Vec<u8>>,
    bell: EventFd,
}

impl Lane {
    pub(super) fn push(&self, frame: &[u8]) {
        let Ok(len) = u16::try_from(frame.len()) else { return };
        let mut record = Vec::with_capacity(2 + frame.len());
        record.extend(len.to_be_bytes());
        record.extend(frame);
        if self.records.push(record).is_ok() {
            self.bell.notify();
        }
    }
}

/// One connection of a dummy device. Dropping it tells the device that the connection is gone.
#[derive(Debug)]
pub struct DummyLink {
    device: DummyHandle,
    lane: Arc<Lane>,
    partial: Vec<u8>,
}

impl DummyLink {
    pub(super) fn new(device: DummyHandle) -> io::Result<DummyLink> {
        let lane = Arc::new(Lane { records: ArrayQueue::new(DEPTH), bell: EventFd::new()? });
        device.0.links.rcu(|links| {
            let mut links = Vec::clone(links);
            links.push(Arc::clone(&lane));
            links
        });
        Ok(DummyLink { device, lane, partial: Vec::new() })
    }

    /// Bytes to write to the connection: the next frame that the device sent.
    pub fn next_record(&self) -> Option<Vec<u8>> {
        let r = self.lane.records.pop();
        if r.is_none() {
            self.lane.bell.drain();
            if !self.lane.records.is_empty() {
                self.lane.bell.notify();
            }
        }
        r
    }

    /// Bytes read from the connection: whole frames are received by the device.
    pub fn received(&mut self, bytes: &[u8]) -> Result<(), StreamError> {
        self.partial.extend_from_slice(bytes);
        let mut rest = &self.partial[..];
        while let Some((len, body)) = rest.split_first_chunk() {
            let length = u16::from_be_bytes(*len);
            if usize::from(length) < ETH_HEADER {
                return Err(StreamError { length });
            }
            let Some((frame, next)) = body.split_at_checked(usize::from(length)) else { break };
            // Queue 0 is always there.
            let _ = self.device.inject(0, frame, Offload::default());
            rest = next;
        }
        self.partial = rest.to_vec();
        Ok(())
    }
}

impl AsFd for DummyLink {
    /// Polls readable when [`DummyLink::next_record`] has something.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.lane.bell.as_fd()
    }
}

impl Drop for DummyLink {
    fn drop(&mut self) {
        self.device
            .0
            .links
            .rcu(|links| links.iter().filter(|l| !Arc::ptr_eq(l, &self.lane)).cloned().collect::<Vec<_>>());
    }
}
