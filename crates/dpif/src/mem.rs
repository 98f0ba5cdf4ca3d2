//! A device in memory: what is put into its inbox is received, what is sent to it collects in its outbox. For tests
//! and benchmarks of datapaths.

use crate::netdev::{DevError, Link, Netdev, NetdevStats, RxQueue, TxCaps, TxQueue, TxResult};
use base::Mac;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use wire::{Offload, Packet, PacketPool};

/// Frames waiting on either side.
#[derive(Default, Debug)]
struct Wires {
    inbox: VecDeque<(Vec<u8>, Offload)>,
    outbox: Vec<(Vec<u8>, Offload)>,
    stats: NetdevStats,
    gone: bool,
    /// Frames that the outbox has room for; `None` is any number.
    room: Option<usize>,
}

/// The wires of a [`MemDev`], for its other end.
#[derive(Clone, Default, Debug)]
pub struct MemHandle(Arc<Mutex<Wires>>);

impl MemHandle {
    fn lock(&self) -> MutexGuard<'_, Wires> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The device will receive this frame.
    pub fn inject(&self, frame: &[u8]) {
        self.inject_with(frame, Offload::default());
    }

    /// The device will receive this frame with this offload state.
    pub fn inject_with(&self, frame: &[u8], offload: Offload) {
        self.lock().inbox.push_back((frame.to_vec(), offload));
    }

    /// The frames that were sent, which are forgotten.
    pub fn sent(&self) -> Vec<Vec<u8>> {
        self.sent_with().into_iter().map(|(f, _)| f).collect()
    }

    /// The frames that were sent, with their offload states.
    pub fn sent_with(&self) -> Vec<(Vec<u8>, Offload)> {
        std::mem::take(&mut self.lock().outbox)
    }

    /// From now on receiving fails.
    pub fn break_device(&self) {
        self.lock().gone = true;
    }

    /// The outbox has room for so many frames until they are taken.
    pub fn set_room(&self, frames: usize) {
        self.lock().room = Some(frames);
    }
}

/// See the module.
#[derive(Debug)]
pub struct MemDev {
    name: String,
    wires: MemHandle,
    caps: TxCaps,
    taken: bool,
    mac: Mac,
    mtu: u32,
    seq: u64,
    up: bool,
}

impl MemDev {
    /// A device and the other end of its wires.
    pub fn new(name: &str, caps: TxCaps) -> (MemDev, MemHandle) {
        let wires = MemHandle::default();
        let dev = MemDev {
            name: name.to_string(),
            wires: wires.clone(),
            caps,
            taken: false,
            mac: Mac([0xaa, 0x55, 0, 0, 0, 1]),
            mtu: 1500,
            seq: 1,
            up: true,
        };
        (dev, wires)
    }
}

struct MemRx(MemHandle);

impl RxQueue for MemRx {
    fn recv(&mut self, max: usize, pool: &mut PacketPool, out: &mut Vec<Packet>) -> Result<usize, DevError> {
        let mut w = self.0.lock();
        if w.gone {
            return Err(DevError::new(19, "device is gone"));
        }
        let n = max.min(w.inbox.len());
        for (frame, offload) in w.inbox.drain(..n) {
            let mut p = pool.take();
            p.buf.fill(&frame);
            p.offload = offload;
            out.push(p);
        }
        Ok(n)
    }

    fn fd(&self) -> Option<i32> {
        None
    }
}

struct MemTx {
    wires: MemHandle,
    caps: TxCaps,
    pending: Vec<(Vec<u8>, Offload)>,
}

impl TxQueue for MemTx {
    fn caps(&self) -> TxCaps {
        self.caps
    }

    fn send(&mut self, frame: &[u8], offload: &Offload) {
        self.pending.push((frame.to_vec(), *offload));
    }

    fn flush(&mut self) -> TxResult {
        let mut w = self.wires.lock();
        let room = w.room.map_or(usize::MAX, |r| r.saturating_sub(w.outbox.len()));
        let mut r = TxResult::default();
        for (i, (frame, offload)) in self.pending.drain(..).enumerate() {
            if i < room {
                r.sent += 1;
                r.bytes += frame.len() as u64;
                w.outbox.push((frame, offload));
            } else {
                r.dropped += 1;
            }
        }
        r
    }
}

impl Netdev for MemDev {
    fn name(&self) -> &str {
        &self.name
    }
    fn kind(&self) -> &'static str {
        "mem"
    }
    fn rx_queues(&mut self) -> Result<Vec<Box<dyn RxQueue>>, DevError> {
        if std::mem::replace(&mut self.taken, true) {
            return Ok(Vec::new());
        }
        Ok(vec![Box::new(MemRx(self.wires.clone()))])
    }
    fn tx_queue(&mut self) -> Result<Box<dyn TxQueue>, DevError> {
        Ok(Box::new(MemTx { wires: self.wires.clone(), caps: self.caps, pending: Vec::new() }))
    }
    fn mac(&self) -> Result<Mac, DevError> {
        Ok(self.mac)
    }
    fn set_mac(&mut self, mac: Mac) -> Result<(), DevError> {
        self.mac = mac;
        self.seq += 1;
        Ok(())
    }
    fn mtu(&self) -> Option<u32> {
        Some(self.mtu)
    }
    fn set_mtu(&mut self, mtu: u32) -> Result<(), DevError> {
        self.mtu = mtu;
        self.seq += 1;
        Ok(())
    }
    fn link(&self) -> Link {
        Link { admin_up: self.up, carrier: true, resets: 0, speed: None, full_duplex: None }
    }
    fn set_admin_up(&mut self, up: bool) -> Result<(), DevError> {
        self.up = up;
        self.seq += 1;
        Ok(())
    }
    fn stats(&self) -> NetdevStats {
        self.wires.lock().stats.clone()
    }
    fn ifindex(&self) -> Option<u32> {
        None
    }
    fn set_options(&mut self, _options: &BTreeMap<String, String>) -> Result<(), String> {
        Ok(())
    }
    fn change_seq(&self) -> u64 {
        self.seq
    }
}
