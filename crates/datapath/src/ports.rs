//! An engine's sending side: one queue per port, flushed once per round.

use crate::drops::{Counters, DropCause, bump};
use base::DpPort;
use dpif::netdev::{TxCaps, TxQueue};
use smallvec::SmallVec;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use wire::offload::{complete_checksum, segment};
use wire::{Headers, L3, Offload, Packet};

/// Port numbers are below this.
pub const MAX_PORTS: u32 = 0x1_0000;

/// Counters of one port, all engines together.
#[derive(Default, Debug)]
pub struct PortCounters {
    /// Frames received.
    pub rx_packets: AtomicU64,
    /// Their bytes.
    pub rx_bytes: AtomicU64,
    /// Frames sent.
    pub tx_packets: AtomicU64,
    /// Their bytes.
    pub tx_bytes: AtomicU64,
    /// Frames that the device did not take.
    pub tx_dropped: AtomicU64,
}

struct Tx {
    queue: Box<dyn TxQueue>,
    caps: TxCaps,
    counters: Arc<PortCounters>,
    pending: bool,
}

/// See the module.
#[derive(Default)]
pub(crate) struct TxPorts {
    ports: Vec<Option<Tx>>,
    pending: SmallVec<[u32; 16]>,
    segment: Packet,
}

impl TxPorts {
    pub(crate) fn add(&mut self, port: DpPort, queue: Box<dyn TxQueue>, counters: Arc<PortCounters>) {
        if port.0 >= MAX_PORTS {
            return;
        }
        let i = port.0 as usize;
        if i >= self.ports.len() {
            self.ports.resize_with(i + 1, || None);
        }
        let caps = queue.caps();
        self.ports[i] = Some(Tx { queue, caps, counters, pending: false });
    }

    /// Whether there is such a port.
    pub(crate) fn has(&self, port: DpPort) -> bool {
        self.ports.get(port.0 as usize).is_some_and(Option::is_some)
    }

    pub(crate) fn remove(&mut self, port: DpPort) {
        self.pending.retain(|p| *p != port.0);
        if let Some(slot) = self.ports.get_mut(port.0 as usize) {
            *slot = None;
        }
    }

    /// Sends a packet as it is now; what the device leaves to us (checksum, segmentation) is done here.
    #[inline]
    pub(crate) fn send(&mut self, port: DpPort, packet: &mut Packet, stats: &Counters) {
        let Some(Some(tx)) = self.ports.get_mut(port.0 as usize) else {
            stats.dropped(DropCause::UnknownPort, 1);
            return;
        };
        if !tx.pending {
            tx.pending = true;
            self.pending.push(port.0);
        }
        if packet.offload.gso.is_some() {
            Self::send_large(tx, packet, &mut self.segment, stats);
            return;
        }
        if packet.offload.csum.is_some() && !tx.caps.csum {
            complete_checksum(packet);
        }
        tx.queue.send(packet.buf.data(), &packet.offload);
    }

    #[cold]
    fn send_large(tx: &mut Tx, packet: &mut Packet, scratch: &mut Packet, stats: &Counters) {
        let h = Headers::find(packet.buf.data(), usize::MAX);
        if tx.caps.gso && tx.caps.csum && h.l3 != L3::None {
            tx.queue.send(packet.buf.data(), &packet.offload);
            return;
        }
        let csum = tx.caps.csum;
        let done = segment(packet, scratch, |s| {
            if !csum {
                complete_checksum(s);
            }
            tx.queue.send(s.buf.data(), &s.offload);
        });
        if done.is_err() {
            stats.dropped(DropCause::BadSegmentation, 1);
        }
    }

    /// Sends at most `len` bytes of a packet.
    pub(crate) fn send_cut(&mut self, port: DpPort, packet: &mut Packet, len: usize, stats: &Counters) {
        complete_checksum(packet);
        let Some(Some(tx)) = self.ports.get_mut(port.0 as usize) else {
            stats.dropped(DropCause::UnknownPort, 1);
            return;
        };
        if !tx.pending {
            tx.pending = true;
            self.pending.push(port.0);
        }
        let d = packet.buf.data();
        tx.queue.send(&d[..len.min(d.len())], &Offload::default());
    }

    /// Hands everything to the devices.
    pub(crate) fn flush(&mut self, stats: &Counters) {
        for port in self.pending.drain(..) {
            let Some(Some(tx)) = self.ports.get_mut(port as usize) else { continue };
            tx.pending = false;
            let r = tx.queue.flush();
            tx.counters.tx_packets.fetch_add(r.sent, Relaxed);
            tx.counters.tx_bytes.fetch_add(r.bytes, Relaxed);
            bump(&stats.tx_batches, 1);
            bump(&stats.tx_packets, r.sent);
            if r.dropped > 0 {
                tx.counters.tx_dropped.fetch_add(r.dropped, Relaxed);
                stats.dropped(DropCause::TxFull, r.dropped);
            }
        }
    }
}
