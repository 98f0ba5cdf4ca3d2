//! Dummy devices: queues in memory, fed and watched by the `netdev-dummy/*` run-time commands. They are how the
//! switch is tested by everyone who has it as a part.
//!
//! A device is shared between the datapath, which has its queues, and the commands, which have a
//! [`DummyHandle`] found by name in [`Dummies`]. Frames go from the handle to a queue over a bounded lock-free
//! queue with a bell; frames sent are counted and, if wished, captured.

mod link;

pub use link::{DummyLink, StreamError, StreamTarget};

use crate::pcap::Pcap;
use arc_swap::{ArcSwap, ArcSwapOption};
use base::{Clock, Logger, Mac};
use crossbeam_queue::ArrayQueue;
use dpif::netdev::{DevError, Link, Netdev, NetdevStats, RxQueue, TxCaps, TxQueue, TxResult};
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsFd, AsRawFd};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use sys::event::EventFd;
use wire::{Offload, Packet, PacketPool};

/// Frames that wait in one receiving queue; more are dropped.
const DEPTH: usize = 1024;
/// Queues of a device, at most.
const MAX_QUEUES: u32 = 1024;
const ETH_HEADER: usize = 14;
const VLAN_HEADER: usize = 4;
/// Largest MTU, as for Ethernet devices of the kernel.
const MAX_MTU: u32 = 65535;
const EINVAL: i32 = 22;
const EEXIST: i32 = 17;

/// All dummy devices of a switch, by name.
#[derive(Clone, Debug)]
pub struct Dummies(Arc<Shelf>);

struct Shelf {
    clock: Clock,
    log: Logger,
    opened: AtomicU32,
    by_name: Mutex<BTreeMap<String, Weak<Shared>>>,
}

impl std::fmt::Debug for Shelf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(lock(&self.by_name).keys()).finish()
    }
}

impl Dummies {
    pub(crate) fn new(clock: Clock, log: Logger) -> Dummies {
        let by_name = Mutex::new(BTreeMap::new());
        Dummies(Arc::new(Shelf { clock, log, opened: AtomicU32::new(0), by_name }))
    }

    /// The device of that name, if it is open.
    pub fn get(&self, name: &str) -> Option<DummyHandle> {
        lock(&self.0.by_name).get(name)?.upgrade().map(DummyHandle)
    }

    /// All open ones, in the order of their names.
    pub fn all(&self) -> Vec<DummyHandle> {
        lock(&self.0.by_name).values().filter_map(Weak::upgrade).map(DummyHandle).collect()
    }
}

/// A frame could not be injected.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum InjectError {
    /// The device has no such receiving queue.
    NoQueue,
}

/// State of a `stream` or `pstream` option, for `netdev-dummy/conn-state`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ConnState {
    /// The device has no such option.
    Unknown,
    /// Connected.
    Connected,
    /// Not connected.
    Disconnected,
}

/// What commands do with a dummy device.
#[derive(Clone, Debug)]
pub struct DummyHandle(Arc<Shared>);

impl DummyHandle {
    /// Name of the device.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Lets the device receive a frame on a queue (`netdev-dummy/receive`). Dropped without a word when the
    /// device is down, nobody receives, or too many wait.
    pub fn inject(&self, queue: u32, frame: &[u8], offload: Offload) -> Result<(), InjectError> {
        if queue >= self.0.n_rxq.load(Relaxed) {
            return Err(InjectError::NoQueue);
        }
        if !self.0.up.load(Relaxed) {
            return Ok(());
        }
        if let Some(q) = self.0.rx.load().get(queue as usize) {
            q.push(Packet { buf: wire::PacketBuf::from_frame(frame), offload });
        }
        Ok(())
    }

    /// Whether everything injected has been dealt with: the receiving thread took it and came back for more.
    /// What a command waits for before it answers, so that the next one sees the effects.
    pub fn settled(&self) -> bool {
        self.0.rx.load().iter().all(|q| q.abandoned() || q.pushed.load(Acquire) == q.done.load(Acquire))
    }

    /// Turns the device on or off (`netdev-dummy/set-admin-state`).
    pub fn set_admin_up(&self, up: bool) {
        if self.0.up.swap(up, Relaxed) != up {
            self.0.changed();
        }
    }

    /// For `netdev-dummy/conn-state`: that of a device with a `stream` option.
    pub fn conn_state(&self) -> ConnState {
        match &*self.0.stream.load() {
            Some(t) if matches!(**t, StreamTarget::Active(_)) => {
                if self.0.links.load().is_empty() {
                    ConnState::Disconnected
                } else {
                    ConnState::Connected
                }
            }
            _ => ConnState::Unknown,
        }
    }

    /// The stream that the options ask for, to be connected or listened for by whoever runs the event loop;
    /// each connection is then a [`DummyHandle::link`].
    pub fn stream_target(&self) -> Option<StreamTarget> {
        self.0.stream.load().as_deref().cloned()
    }

    /// Ties a connection to the device: what it sends goes there, what comes from there it receives.
    pub fn link(&self) -> std::io::Result<DummyLink> {
        DummyLink::new(self.clone())
    }

    /// Gives the device an IPv4 address and prefix length (`netdev-dummy/ip4addr`).
    pub fn set_ipv4(&self, address: Ipv4Addr, prefix: u8) {
        lock(&self.0.addresses).v4 = Some((address, prefix));
        self.0.changed();
    }

    /// Gives the device an IPv6 address and prefix length (`netdev-dummy/ip6addr`).
    pub fn set_ipv6(&self, address: Ipv6Addr, prefix: u8) {
        let mut a = lock(&self.0.addresses);
        a.v6.retain(|(have, _)| *have != address);
        a.v6.push((address, prefix));
        drop(a);
        self.0.changed();
    }

    /// The addresses given so far.
    pub fn addresses(&self) -> Addresses {
        lock(&self.0.addresses).clone()
    }
}

/// Addresses that commands gave a dummy device.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Addresses {
    /// IPv4 address and prefix length.
    pub v4: Option<(Ipv4Addr, u8)>,
    /// IPv6 addresses and prefix lengths.
    pub v6: Vec<(Ipv6Addr, u8)>,
}

use Ordering::{Acquire, Relaxed, Release};

/// Packets and bytes.
#[derive(Debug, Default)]
struct Counter {
    packets: AtomicU64,
    bytes: AtomicU64,
}

impl Counter {
    fn add(&self, packets: u64, bytes: u64) {
        self.packets.fetch_add(packets, Relaxed);
        self.bytes.fetch_add(bytes, Relaxed);
    }

    fn read(&self) -> (u64, u64) {
        (self.packets.load(Relaxed), self.bytes.load(Relaxed))
    }
}

#[derive(Debug)]
struct RxShared {
    frames: ArrayQueue<Packet>,
    bell: EventFd,
    /// Frames accepted, and those whose receiver has come back for more since.
    pushed: AtomicU64,
    done: AtomicU64,
    gone: AtomicBool,
}

impl RxShared {
    fn new() -> Result<Arc<RxShared>, DevError> {
        let bell = EventFd::new().map_err(|e| crate::dev_error("eventfd", &e))?;
        Ok(Arc::new(RxShared {
            frames: ArrayQueue::new(DEPTH),
            bell,
            pushed: AtomicU64::new(0),
            done: AtomicU64::new(0),
            gone: AtomicBool::new(false),
        }))
    }

    fn push(&self, p: Packet) {
        if self.abandoned() {
            return;
        }
        // Counted first, so that the receiver never has done more than was pushed.
        self.pushed.fetch_add(1, Release);
        if self.frames.push(p).is_err() {
            self.pushed.fetch_sub(1, Release);
        }
        self.bell.notify();
    }

    fn abandoned(&self) -> bool {
        self.gone.load(Acquire)
    }
}

/// Per-queue counters of a device, replaced when the number of queues changes.
#[derive(Debug, Default)]
struct QueueCounters {
    rx: Vec<Arc<Counter>>,
    tx: Vec<Arc<Counter>>,
}

struct Shared {
    name: String,
    kind: &'static str,
    clock: Clock,
    log: Logger,
    mac: AtomicU64,
    mtu: AtomicU32,
    up: AtomicBool,
    seq: AtomicU64,
    /// -1: none given.
    ifindex: AtomicI64,
    numa_id: AtomicU32,
    n_rxq: AtomicU32,
    n_txq: AtomicU32,
    rx: ArcSwap<Vec<Arc<RxShared>>>,
    queues: ArcSwap<QueueCounters>,
    rx_total: Counter,
    tx_total: Counter,
    tx_dropped: AtomicU64,
    rx_pcap: ArcSwapOption<Pcap>,
    tx_pcap: ArcSwapOption<Pcap>,
    stream: ArcSwapOption<StreamTarget>,
    links: ArcSwap<Vec<Arc<link::Lane>>>,
    addresses: Mutex<Addresses>,
    shelf: Weak<Shelf>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dummy").field("name", &self.name).field("kind", &self.kind).finish_non_exhaustive()
    }
}

impl Shared {
    fn changed(&self) {
        self.seq.fetch_add(1, Relaxed);
    }

    fn set_queues(&self, n_rxq: u32, n_txq: u32) {
        if (self.n_rxq.load(Relaxed), self.n_txq.load(Relaxed)) == (n_rxq, n_txq) {
            return;
        }
        self.n_rxq.store(n_rxq, Relaxed);
        self.n_txq.store(n_txq, Relaxed);
        let old = self.queues.load_full();
        let grown = |have: &[Arc<Counter>], n: u32| {
            (0..n as usize).map(|i| have.get(i).cloned().unwrap_or_default()).collect()
        };
        self.queues.store(Arc::new(QueueCounters { rx: grown(&old.rx, n_rxq), tx: grown(&old.tx, n_txq) }));
        self.changed();
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        if let Some(shelf) = self.shelf.upgrade() {
            let mut m = lock(&shelf.by_name);
            if m.get(&self.name).is_some_and(|w| w.strong_count() == 0) {
                m.remove(&self.name);
            }
        }
    }
}

/// The control side of a dummy device.
#[derive(Debug)]
pub struct DummyDev {
    shared: Arc<Shared>,
    taken: bool,
    tx_taken: usize,
    captures: [Option<String>; 3],
}

impl DummyDev {
    /// Opens a device: a new one, or another handle to one that is open with the same type.
    pub fn open(dummies: &Dummies, name: &str, kind: &'static str) -> Result<DummyDev, DevError> {
        let shelf = &dummies.0;
        let mut by_name = lock(&shelf.by_name);
        if let Some(shared) = by_name.get(name).and_then(Weak::upgrade) {
            if shared.kind != kind {
                let what = format!("{name}: open already as a device of type {}", shared.kind);
                return Err(DevError::new(EEXIST, what));
            }
            return Ok(DummyDev { shared, taken: false, tx_taken: 0, captures: Default::default() });
        }
        let n = shelf.opened.fetch_add(1, Relaxed);
        let shared = Arc::new(Shared {
            name: name.into(),
            kind,
            clock: shelf.clock.clone(),
            log: shelf.log.clone(),
            // aa:55:aa and a number, counting the devices.
            mac: AtomicU64::new(0xaa55_aa55_0000 + u64::from(n & 0xffff)),
            mtu: AtomicU32::new(1500),
            up: AtomicBool::new(true),
            seq: AtomicU64::new(1),
            ifindex: AtomicI64::new(-1),
            numa_id: AtomicU32::new(0),
            n_rxq: AtomicU32::new(0),
            n_txq: AtomicU32::new(0),
            rx: ArcSwap::default(),
            queues: ArcSwap::default(),
            rx_total: Counter::default(),
            tx_total: Counter::default(),
            tx_dropped: AtomicU64::new(0),
            rx_pcap: ArcSwapOption::empty(),
            tx_pcap: ArcSwapOption::empty(),
            stream: ArcSwapOption::empty(),
            links: ArcSwap::default(),
            addresses: Mutex::default(),
            shelf: Arc::downgrade(shelf),
        });
        shared.set_queues(1, 1);
        by_name.insert(name.into(), Arc::downgrade(&shared));
        Ok(DummyDev { shared, taken: false, tx_taken: 0, captures: Default::default() })
    }

    /// The commands' side of this device.
    pub fn handle(&self) -> DummyHandle {
        DummyHandle(Arc::clone(&self.shared))
    }

    fn is_pmd(&self) -> bool {
        self.shared.kind == "dummy-pmd"
    }

    /// Opens the captures that the options name. A file that cannot be opened is no error of the device.
    fn set_captures(&mut self, options: &BTreeMap<String, String>) {
        let wanted = ["pcap", "rxq_pcap", "tx_pcap"].map(|k| options.get(k).cloned());
        if wanted == self.captures {
            return;
        }
        let log = &self.shared.log;
        let open = |path: &Option<String>| match Pcap::append(Path::new(path.as_ref()?)) {
            Ok(p) => Some(Arc::new(p)),
            Err(e) => {
                let why = sys::errno_text(e.raw_os_error().unwrap_or(0));
                let path = path.as_deref().unwrap_or_default();
                base::warn!(log, "pcap", "{path}: failed to open pcap file for appending ({why})");
                None
            }
        };
        let [both, rx, tx] = [&wanted[0], &wanted[1], &wanted[2]].map(open);
        self.shared.rx_pcap.store(both.clone().or(rx));
        self.shared.tx_pcap.store(both.or(tx));
        self.captures = wanted;
    }
}

impl Netdev for DummyDev {
    fn name(&self) -> &str {
        &self.shared.name
    }
    fn kind(&self) -> &'static str {
        self.shared.kind
    }
    fn rx_queues(&mut self) -> Result<Vec<Box<dyn RxQueue>>, DevError> {
        if std::mem::replace(&mut self.taken, true) {
            return Ok(Vec::new());
        }
        let counters = self.shared.queues.load_full();
        let lanes: Vec<_> =
            (0..self.shared.n_rxq.load(Relaxed)).map(|_| RxShared::new()).collect::<Result<_, _>>()?;
        self.shared.rx.store(Arc::new(lanes.clone()));
        Ok(lanes
            .into_iter()
            .zip(&counters.rx)
            .map(|(lane, counter)| {
                let (device, counter) = (Arc::clone(&self.shared), Arc::clone(counter));
                Box::new(DummyRx { device, lane, counter, given: 0 }) as Box<dyn RxQueue>
            })
            .collect())
    }
    fn tx_queue(&mut self) -> Result<Box<dyn TxQueue>, DevError> {
        let queues = self.shared.queues.load();
        let counter = Arc::clone(&queues.tx[self.tx_taken % queues.tx.len()]);
        self.tx_taken += 1;
        Ok(Box::new(DummyTx { device: Arc::clone(&self.shared), counter, pending: TxResult::default() }))
    }
    fn mac(&self) -> Result<Mac, DevError> {
        Ok(Mac::from_u64(self.shared.mac.load(Relaxed)))
    }
    fn set_mac(&mut self, mac: Mac) -> Result<(), DevError> {
        if self.shared.mac.swap(mac.to_u64(), Relaxed) != mac.to_u64() {
            self.shared.changed();
        }
        Ok(())
    }
    fn mtu(&self) -> Option<u32> {
        Some(self.shared.mtu.load(Relaxed))
    }
    fn set_mtu(&mut self, mtu: u32) -> Result<(), DevError> {
        if !(68..=MAX_MTU).contains(&mtu) {
            return Err(DevError::new(EINVAL, sys::errno_text(EINVAL)));
        }
        if self.shared.mtu.swap(mtu, Relaxed) != mtu {
            self.shared.changed();
        }
        Ok(())
    }
    fn link(&self) -> Link {
        let up = self.shared.up.load(Relaxed);
        Link { admin_up: up, carrier: up, ..Link::default() }
    }
    fn set_admin_up(&mut self, up: bool) -> Result<(), DevError> {
        self.handle().set_admin_up(up);
        Ok(())
    }
    fn stats(&self) -> NetdevStats {
        let s = &self.shared;
        let ((rx_packets, rx_bytes), (tx_packets, tx_bytes)) = (s.rx_total.read(), s.tx_total.read());
        let mut custom =
            vec![("rx_custom_packets_1".into(), rx_packets), ("rx_custom_packets_2".into(), rx_packets)];
        let queues = s.queues.load();
        for (dir, counters) in [("rx", &queues.rx), ("tx", &queues.tx)] {
            for (i, c) in counters.iter().enumerate() {
                let (packets, bytes) = c.read();
                custom.push((format!("{dir}_q{i}_packets"), packets));
                custom.push((format!("{dir}_q{i}_bytes"), bytes));
            }
        }
        NetdevStats {
            rx_packets: Some(rx_packets),
            rx_bytes: Some(rx_bytes),
            tx_packets: Some(tx_packets),
            tx_bytes: Some(tx_bytes),
            custom,
            ..NetdevStats::default()
        }
    }
    fn ifindex(&self) -> Option<u32> {
        u32::try_from(self.shared.ifindex.load(Relaxed)).ok()
    }
    fn status(&self) -> Vec<(String, String)> {
        if self.shared.kind == "tap" { Vec::new() } else { crate::no_offload_status() }
    }
    fn config(&self) -> Vec<(String, String)> {
        let s = &self.shared;
        let mut c: Vec<(String, String)> = Vec::new();
        if let Some(i) = self.ifindex() {
            c.push(("ifindex".into(), i.to_string()));
        }
        if self.is_pmd() {
            for (k, v) in [("n_rxq", &s.n_rxq), ("n_txq", &s.n_txq), ("numa_id", &s.numa_id)] {
                c.push((k.into(), v.load(Relaxed).to_string()));
            }
        }
        c
    }
    fn set_options(&mut self, options: &BTreeMap<String, String>) -> Result<(), String> {
        // Numbers that are none count as not given, as with the reference.
        let number = |key: &str, none: i64| options.get(key).map_or(none, |v| v.parse().unwrap_or(none));
        let ifindex = number("ifindex", -1);
        if self.shared.ifindex.swap(ifindex, Relaxed) != ifindex {
            self.shared.changed();
        }
        if self.is_pmd() {
            let count = |key| u32::try_from(number(key, 1)).unwrap_or(1).clamp(1, MAX_QUEUES);
            self.shared.set_queues(count("n_rxq"), count("n_txq"));
            let numa = u32::try_from(number("numa_id", 0)).unwrap_or(0);
            self.shared.numa_id.store(numa, Relaxed);
        }
        let stream = StreamTarget::from_options(options);
        if self.shared.stream.load().as_deref() != stream.as_ref() {
            self.shared.stream.store(stream.map(Arc::new));
            self.shared.changed();
        }
        self.set_captures(options);
        Ok(())
    }
    fn change_seq(&self) -> u64 {
        self.shared.seq.load(Relaxed)
    }
}

struct DummyRx {
    device: Arc<Shared>,
    lane: Arc<RxShared>,
    counter: Arc<Counter>,
    given: u64,
}

impl RxQueue for DummyRx {
    fn recv(&mut self, max: usize, pool: &mut PacketPool, out: &mut Vec<Packet>) -> Result<usize, DevError> {
        let _ = pool;
        // Coming back for more means that what was given before has been dealt with.
        self.lane.done.fetch_add(std::mem::take(&mut self.given), Release);
        let (mut n, mut bytes) = (0, 0);
        while n < max
            && let Some(p) = self.lane.frames.pop()
        {
            bytes += p.buf.len() as u64;
            if let Some(pcap) = &*self.device.rx_pcap.load() {
                pcap.write(p.buf.data(), &self.device.clock);
            }
            out.push(p);
            n += 1;
        }
        if n > 0 {
            self.given = n as u64;
            self.counter.add(n as u64, bytes);
            self.device.rx_total.add(n as u64, bytes);
            // Rings until the receiver has come back and found nothing.
            self.lane.bell.notify();
        } else {
            self.lane.bell.drain();
            if !self.lane.frames.is_empty() {
                self.lane.bell.notify();
            }
        }
        Ok(n)
    }
    fn fd(&self) -> Option<i32> {
        Some(self.lane.bell.as_fd().as_raw_fd())
    }
}

impl Drop for DummyRx {
    fn drop(&mut self) {
        self.lane.gone.store(true, Release);
    }
}

struct DummyTx {
    device: Arc<Shared>,
    counter: Arc<Counter>,
    pending: TxResult,
}

impl TxQueue for DummyTx {
    fn caps(&self) -> TxCaps {
        TxCaps::default()
    }
    fn send(&mut self, frame: &[u8], _: &Offload) {
        let tagged = matches!(frame.get(12..14), Some([0x81, 0x00] | [0x88, 0xa8]));
        let max = self.device.mtu.load(Relaxed) as usize + ETH_HEADER + if tagged { VLAN_HEADER } else { 0 };
        if frame.len() < ETH_HEADER || frame.len() > max {
            self.pending.dropped += 1;
            return;
        }
        if let Some(pcap) = &*self.device.tx_pcap.load() {
            pcap.write(frame, &self.device.clock);
        }
        for lane in self.device.links.load().iter() {
            lane.push(frame);
        }
        self.pending.sent += 1;
        self.pending.bytes += frame.len() as u64;
    }
    fn flush(&mut self) -> TxResult {
        let r = std::mem::take(&mut self.pending);
        self.counter.add(r.sent, r.bytes);
        self.device.tx_total.add(r.sent, r.bytes);
        self.device.tx_dropped.fetch_add(r.dropped, Relaxed);
        r
    }
}

/// What is behind these locks stays whole whatever panics, so a poisoned one is as good.
fn lock<T>(m: &Mutex<T>) -> MutexGuard<'_, T> {
    m.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
