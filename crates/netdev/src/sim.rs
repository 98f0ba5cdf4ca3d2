//! Devices in memory, for tests: a cable between two of them, or one whose other end is in the test's hand.
//!
//! Frames keep their offload state on the way, as over a veth pair, if the device is made so.

use base::Mac;
use crossbeam_queue::ArrayQueue;
use dpif::netdev::{DevError, Link, Netdev, NetdevStats, RxQueue, TxCaps, TxQueue, TxResult};
use std::collections::BTreeMap;
use std::os::fd::{AsFd, AsRawFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};
use sys::event::EventFd;
use wire::{Offload, Packet, PacketPool};

/// Frames that one direction of a cable holds.
pub const DEPTH: usize = 4096;

/// One direction of a cable: a bounded queue with a bell.
#[derive(Debug)]
struct Lane {
    frames: ArrayQueue<Packet>,
    bell: EventFd,
}

impl Lane {
    fn new() -> Result<Arc<Lane>, DevError> {
        let bell = EventFd::new().map_err(|e| crate::dev_error("eventfd", &e))?;
        Ok(Arc::new(Lane { frames: ArrayQueue::new(DEPTH), bell }))
    }

    fn push(&self, p: Packet) -> bool {
        let ok = self.frames.push(p).is_ok();
        self.bell.notify();
        ok
    }

    /// Silences the bell when nothing waits any more.
    fn settle(&self) {
        if self.frames.is_empty() {
            self.bell.drain();
            if !self.frames.is_empty() {
                self.bell.notify();
            }
        }
    }
}

#[derive(Debug)]
struct State {
    mac: AtomicU64,
    mtu: AtomicU32,
    up: AtomicBool,
    carrier: AtomicBool,
    seq: AtomicU64,
    rx: [AtomicU64; 2],
    tx: [AtomicU64; 3],
}

/// A simulated device.
#[derive(Debug)]
pub struct SimDev {
    name: String,
    state: Arc<State>,
    rx: Arc<Lane>,
    tx: Arc<Lane>,
    caps: TxCaps,
    taken: bool,
}

/// The test's end of a [`SimDev`].
#[derive(Clone, Debug)]
pub struct SimPort {
    to_dev: Arc<Lane>,
    from_dev: Arc<Lane>,
    state: Arc<State>,
}

/// A device and the end of its cable.
pub fn device(name: &str, mac: Mac, caps: TxCaps) -> Result<(SimDev, SimPort), DevError> {
    let (rx, tx) = (Lane::new()?, Lane::new()?);
    let dev = SimDev::new(name, mac, caps, Arc::clone(&rx), Arc::clone(&tx));
    let port = SimPort { to_dev: rx, from_dev: tx, state: Arc::clone(&dev.state) };
    Ok((dev, port))
}

/// Two devices with a cable between them.
pub fn pair(a: (&str, Mac), b: (&str, Mac), caps: TxCaps) -> Result<(SimDev, SimDev), DevError> {
    let (ab, ba) = (Lane::new()?, Lane::new()?);
    Ok((SimDev::new(a.0, a.1, caps, Arc::clone(&ba), Arc::clone(&ab)), SimDev::new(b.0, b.1, caps, ab, ba)))
}

impl SimPort {
    /// Puts a frame on the cable towards the device; false if it is full.
    pub fn send(&self, frame: &[u8]) -> bool {
        self.send_packet(Packet { buf: wire::PacketBuf::from_frame(frame), offload: Offload::default() })
    }

    /// The same with offload state.
    pub fn send_packet(&self, p: Packet) -> bool {
        self.to_dev.push(p)
    }

    /// The next frame that the device sent.
    pub fn recv(&self) -> Option<Packet> {
        let p = self.from_dev.frames.pop();
        self.from_dev.settle();
        p
    }

    /// Polls readable when the device has sent something.
    pub fn fd(&self) -> i32 {
        self.from_dev.bell.as_fd().as_raw_fd()
    }

    /// Plugs the cable in or out.
    pub fn set_carrier(&self, on: bool) {
        self.state.carrier.store(on, Relaxed);
        self.state.seq.fetch_add(1, Relaxed);
    }
}

impl SimDev {
    fn new(name: &str, mac: Mac, caps: TxCaps, rx: Arc<Lane>, tx: Arc<Lane>) -> SimDev {
        let state = State {
            mac: AtomicU64::new(mac.to_u64()),
            mtu: AtomicU32::new(1500),
            up: AtomicBool::new(true),
            carrier: AtomicBool::new(true),
            seq: AtomicU64::new(1),
            rx: Default::default(),
            tx: Default::default(),
        };
        SimDev { name: name.into(), state: Arc::new(state), rx, tx, caps, taken: false }
    }
}

impl Netdev for SimDev {
    fn name(&self) -> &str {
        &self.name
    }
    fn kind(&self) -> &'static str {
        "sim"
    }
    fn rx_queues(&mut self) -> Result<Vec<Box<dyn RxQueue>>, DevError> {
        if std::mem::replace(&mut self.taken, true) {
            return Ok(Vec::new());
        }
        Ok(vec![Box::new(SimRx { lane: Arc::clone(&self.rx), state: Arc::clone(&self.state) })])
    }
    fn tx_queue(&mut self) -> Result<Box<dyn TxQueue>, DevError> {
        let (lane, state) = (Arc::clone(&self.tx), Arc::clone(&self.state));
        Ok(Box::new(SimTx { lane, state, caps: self.caps, pending: TxResult::default() }))
    }
    fn mac(&self) -> Result<Mac, DevError> {
        Ok(Mac::from_u64(self.state.mac.load(Relaxed)))
    }
    fn set_mac(&mut self, mac: Mac) -> Result<(), DevError> {
        self.state.mac.store(mac.to_u64(), Relaxed);
        self.state.seq.fetch_add(1, Relaxed);
        Ok(())
    }
    fn mtu(&self) -> Option<u32> {
        Some(self.state.mtu.load(Relaxed))
    }
    fn set_mtu(&mut self, mtu: u32) -> Result<(), DevError> {
        self.state.mtu.store(mtu, Relaxed);
        self.state.seq.fetch_add(1, Relaxed);
        Ok(())
    }
    fn link(&self) -> Link {
        let admin_up = self.state.up.load(Relaxed);
        Link { admin_up, carrier: admin_up && self.state.carrier.load(Relaxed), ..Link::default() }
    }
    fn set_admin_up(&mut self, up: bool) -> Result<(), DevError> {
        self.state.up.store(up, Relaxed);
        self.state.seq.fetch_add(1, Relaxed);
        Ok(())
    }
    fn stats(&self) -> NetdevStats {
        let s = &self.state;
        NetdevStats {
            rx_packets: Some(s.rx[0].load(Relaxed)),
            rx_bytes: Some(s.rx[1].load(Relaxed)),
            tx_packets: Some(s.tx[0].load(Relaxed)),
            tx_bytes: Some(s.tx[1].load(Relaxed)),
            tx_dropped: Some(s.tx[2].load(Relaxed)),
            ..NetdevStats::default()
        }
    }
    fn ifindex(&self) -> Option<u32> {
        None
    }
    fn set_options(&mut self, _: &BTreeMap<String, String>) -> Result<(), String> {
        Ok(())
    }
    fn change_seq(&self) -> u64 {
        self.state.seq.load(Relaxed)
    }
}

#[derive(Debug)]
struct SimRx {
    lane: Arc<Lane>,
    state: Arc<State>,
}

impl RxQueue for SimRx {
    fn recv(&mut self, max: usize, pool: &mut PacketPool, out: &mut Vec<Packet>) -> Result<usize, DevError> {
        let _ = pool;
        let mut n = 0;
        while n < max {
            let Some(p) = self.lane.frames.pop() else { break };
            if !self.state.up.load(Relaxed) {
                continue;
            }
            self.state.rx[0].fetch_add(1, Relaxed);
            self.state.rx[1].fetch_add(p.buf.len() as u64, Relaxed);
            out.push(p);
            n += 1;
        }
        self.lane.settle();
        Ok(n)
    }
    fn fd(&self) -> Option<i32> {
        Some(self.lane.bell.as_fd().as_raw_fd())
    }
}

#[derive(Debug)]
struct SimTx {
    lane: Arc<Lane>,
    state: Arc<State>,
    caps: TxCaps,
    pending: TxResult,
}

impl TxQueue for SimTx {
    fn caps(&self) -> TxCaps {
        self.caps
    }
    fn send(&mut self, frame: &[u8], offload: &Offload) {
        let p = Packet { buf: wire::PacketBuf::from_frame(frame), offload: *offload };
        if self.state.up.load(Relaxed) && self.lane.push(p) {
            self.pending.sent += 1;
            self.pending.bytes += frame.len() as u64;
        } else {
            self.pending.dropped += 1;
        }
    }
    fn flush(&mut self) -> TxResult {
        let r = std::mem::take(&mut self.pending);
        for (counter, n) in self.state.tx.iter().zip([r.sent, r.bytes, r.dropped]) {
            counter.fetch_add(n, Relaxed);
        }
        r
    }
}
