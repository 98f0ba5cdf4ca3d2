//! An engine: receives, finds out what to do, does it, sends.
//!
//! One engine owns some receiving queues, a sending queue for each port, and its own megaflows; it shares nothing that
//! is written with other engines, and takes no lock. It is a value that is polled: by a loop in a thread of its own,
//! or by its owner (which is how test mode stays deterministic).
//!
//! A packet's way: keys of a whole batch are made and hashed, the hash table's lines touched, and then packet by
//! packet looked up and executed. What was not found is translated on the spot against the snapshot that was loaded
//! at the start of the round.
//!
//! When a newer snapshot is there, a megaflow is checked before it is used again: if nothing that it depended on
//! changed, it is stamped with the new generation, else translated again. So the packet after a publication gets the
//! new answer, and no sweep over all megaflows stands between.

use crate::drops::{Counters, DropCause, bump};
use crate::event::{Event, Events};
use crate::exec::{Exec, Meta};
use crate::extract::extract;
use crate::load::QueueLoad;
use crate::megaflow::{Body, Megaflow};
use crate::meter::Meter;
use crate::ports::{PortCounters, TxPorts};
use crate::seam::{FdChanges, NoWake, Pipeline, Translated, Wake};
use crate::table::{FlowTable, Found, hash_key};
use arc_swap::ArcSwap;
use base::{Clock, DpPort, Time};
use crossbeam_queue::{ArrayQueue, SegQueue};
use dpif::DpAction;
use dpif::netdev::{RxQueue, TxQueue};
use flow::{FlowKey, Mask};
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use wire::{Packet, PacketPool};

/// Frames of a batch.
pub const BATCH: usize = 32;
/// Megaflows looked at in one slice of revalidation.
const SLICE: usize = 256;

/// Which engine: its place among the datapath's.
#[derive(Clone, Copy, PartialEq, Eq, Debug, PartialOrd, Ord, Hash)]
pub struct EngineId(pub u32);

/// Settings that can change while engines run.
#[derive(Debug)]
pub struct Tunables {
    /// Megaflows of one engine at most.
    pub flow_limit: AtomicU32,
    /// Check every so many hits by translating again; 0 for never.
    pub check_every: AtomicU32,
    /// VLAN tags that are looked at (`vlan-limit`).
    pub vlan_limit: AtomicU32,
    /// 0: megaflows match on everything (`upcall/disable-megaflows`).
    pub megaflows: AtomicU32,
}

impl Default for Tunables {
    fn default() -> Self {
        Tunables {
            flow_limit: AtomicU32::new(200_000),
            check_every: AtomicU32::new(0),
            vlan_limit: AtomicU32::new(1),
            megaflows: AtomicU32::new(1),
        }
    }
}

/// What the control thread tells an engine.
pub(crate) enum Command<P: Pipeline> {
    AddTx(DpPort, Box<dyn TxQueue>, Arc<PortCounters>),
    AddRx(Rx),
    /// Hand a receiving queue over to another engine.
    GiveRx(DpPort, u32, Arc<Shared<P>>),
    DelPort(DpPort),
    Meter(u32, Option<Arc<Meter>>),
    Bond(u32, Option<Box<[DpPort]>>),
    Kill(Arc<Megaflow<P>>),
    /// Take in a flow put in by hand.
    Put(Arc<Megaflow<P>>),
    /// Give a flow another body.
    Replace(Arc<Megaflow<P>>, Arc<Body<P>>),
    Flush,
    Revalidate,
    Stop,
}

/// What an engine and the control thread share.
pub(crate) struct Shared<P: Pipeline> {
    pub(crate) stats: Arc<Counters>,
    pub(crate) events: Arc<Events<P>>,
    /// New megaflows, for the control thread's list.
    pub(crate) announced: ArrayQueue<Arc<Megaflow<P>>>,
    pub(crate) inbox: SegQueue<Command<P>>,
    pub(crate) wake: Arc<dyn Wake>,
    pub(crate) tunables: Arc<Tunables>,
    /// Commands done.
    pub(crate) done: AtomicU64,
    /// The newest snapshot for which every megaflow is known to be right.
    pub(crate) revalidated: AtomicU64,
}

impl<P: Pipeline> Shared<P> {
    pub(crate) fn new(
        events: usize,
        control: Arc<dyn Wake>,
        engine: Option<Arc<dyn Wake>>,
        tunables: Arc<Tunables>,
    ) -> Shared<P> {
        Shared {
            stats: Arc::default(),
            events: Arc::new(Events::new(events, control)),
            announced: ArrayQueue::new(16_384),
            inbox: SegQueue::new(),
            wake: engine.unwrap_or_else(|| Arc::new(NoWake)),
            tunables,
            done: AtomicU64::new(0),
            revalidated: AtomicU64::new(0),
        }
    }
}

/// What a round brought.
pub(crate) struct Round {
    pub(crate) began: Time,
    /// Packets.
    pub(crate) received: usize,
    /// Their bytes.
    pub(crate) bytes: usize,
    /// Some queue had a whole batch, and may have more.
    pub(crate) full: bool,
}

/// A receiving queue, and what it counts in.
pub(crate) struct Rx {
    pub(crate) port: DpPort,
    /// Number among the port's.
    pub(crate) id: u32,
    pub(crate) queue: Box<dyn RxQueue>,
    pub(crate) counters: Arc<PortCounters>,
    pub(crate) load: Arc<QueueLoad>,
}

/// See the module.
pub(crate) struct Engine<P: Pipeline> {
    shared: Arc<Shared<P>>,
    snapshot: arc_swap::Cache<Arc<ArcSwap<P>>, Arc<P>>,
    clock: Clock,
    rx: Vec<Rx>,
    rx_changed: bool,
    /// Descriptors that are watched for it.
    watched: BTreeSet<i32>,
    flows: FlowTable<P>,
    exec: Exec<P>,
    batch: Vec<Packet>,
    keys: Vec<FlowKey>,
    maps: [u128; BATCH],
    hashes: [u64; BATCH],
    hints: [u32; BATCH],
    until_check: u32,
    /// The last round found packets.
    was_busy: bool,
    /// Where a sweep over the slots stands, and for which snapshot it is made.
    sweep: Option<(usize, u64)>,
    stopped: bool,
}

impl<P: Pipeline> Engine<P> {
    pub(crate) fn new(
        id: EngineId,
        shared: Arc<Shared<P>>,
        snapshot: Arc<ArcSwap<P>>,
        clock: Clock,
    ) -> Engine<P> {
        let seed = flow::mini::hash_finish(u64::from(id.0) + 1);
        let exec = Exec {
            ports: TxPorts::default(),
            events: shared.events.clone(),
            stats: shared.stats.clone(),
            meters: Default::default(),
            bonds: Default::default(),
            pool: PacketPool::default(),
            vlan_limit: 1,
            recirc: Vec::new(),
            random: seed | 1,
            now: clock.now(),
        };
        Engine {
            snapshot: arc_swap::Cache::new(snapshot),
            clock,
            rx: Vec::new(),
            rx_changed: true,
            watched: BTreeSet::new(),
            flows: FlowTable::new(),
            exec,
            batch: Vec::with_capacity(BATCH),
            keys: vec![FlowKey::default(); BATCH],
            maps: [0; BATCH],
            hashes: [0; BATCH],
            hints: [0; BATCH],
            until_check: 0,
            was_busy: false,
            sweep: None,
            stopped: false,
            shared,
        }
    }

    /// Whether it was told to stop.
    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped
    }

    /// Descriptors of the receiving queues, if they changed since this was last asked, and whether all of them have
    /// one.
    pub(crate) fn changed_fds(&mut self) -> Option<(FdChanges, bool)> {
        if !std::mem::take(&mut self.rx_changed) {
            return None;
        }
        let fds: BTreeSet<i32> = self.rx.iter().filter_map(|r| r.queue.fd()).collect();
        let all = fds.len() == self.rx.len();
        let old = std::mem::replace(&mut self.watched, fds);
        let gone = old.difference(&self.watched).copied().collect();
        Some((FdChanges { gone, new: self.watched.difference(&old).copied().collect() }, all))
    }

    /// Closes a queue.
    fn close(&mut self, rx: Rx) {
        rx.queue.fd().inspect(|fd| {
            self.watched.remove(fd);
        });
        self.rx_changed = true;
    }

    /// The time of a new round; what has passed since the last went into that one.
    fn clock_round(&mut self) {
        let now = self.clock.now();
        let spent = now.0.saturating_sub(self.exec.now.0);
        let stats = &self.shared.stats;
        bump(if self.was_busy { &stats.busy_nanos } else { &stats.idle_nanos }, spent);
        self.exec.now = now;
    }

    /// The thread goes to sleep.
    pub(crate) fn sleeps(&mut self) {
        self.clock_round();
    }

    /// It has slept: tells the queues.
    pub(crate) fn woken(&mut self) {
        self.napped();
        self.rx.iter_mut().for_each(|r| r.queue.woken());
    }

    /// It has slept a little.
    pub(crate) fn napped(&mut self) {
        let now = self.clock.now();
        let stats = &self.shared.stats;
        bump(&stats.sleeps, 1);
        bump(&stats.slept_nanos, now.0.saturating_sub(self.exec.now.0));
        self.exec.now = now;
        self.was_busy = false;
    }

    /// Tells them that it found nothing.
    pub(crate) fn woken_for_nothing(&mut self) {
        self.rx.iter_mut().for_each(|r| r.queue.woken_for_nothing());
    }

    /// Whether work is left that no descriptor announces.
    pub(crate) fn has_more(&self) -> bool {
        self.sweep.is_some() || !self.shared.inbox.is_empty()
    }

    /// One round: commands, a batch of every receiving queue, a slice of revalidation. Says whether it found
    /// packets.
    pub(crate) fn poll(&mut self) -> bool {
        self.round().received > 0
    }

    /// [`Engine::poll`], in numbers.
    pub(crate) fn round(&mut self) -> Round {
        self.clock_round();
        self.commands();
        self.exec.vlan_limit = self.shared.tunables.vlan_limit.load(Relaxed).min(2) as u8;
        let snapshot = self.snapshot.load().clone();
        let mut round = Round { began: self.exec.now, received: 0, bytes: 0, full: false };
        let mut i = 0;
        while i < self.rx.len() {
            let (n, bytes) = self.receive(i, &snapshot);
            round.received += n;
            round.bytes += bytes;
            round.full |= n >= BATCH;
            i += 1;
        }
        if self.sweep.is_some() {
            self.contained(|e| e.sweep_slice(&snapshot));
        }
        self.exec.ports.flush(&self.shared.stats);
        let stats = &self.shared.stats;
        self.was_busy = round.received > 0;
        bump(if self.was_busy { &stats.busy_polls } else { &stats.idle_polls }, 1);
        stats.flows.store(self.flows.len() as u64, Relaxed);
        stats.masks.store(self.flows.search.masks() as u64, Relaxed);
        stats.probed.store(self.flows.search.probed(), Relaxed);
        round
    }

    fn receive(&mut self, i: usize, snapshot: &Arc<P>) -> (usize, usize) {
        let mut bytes = 0;
        let rx = &mut self.rx[i];
        let mut batch = std::mem::take(&mut self.batch);
        let n = rx.queue.recv(BATCH, &mut self.exec.pool, &mut batch);
        if let Err(_gone) = &n {
            let port = rx.port;
            let rx = self.rx.remove(i);
            self.close(rx);
            self.shared.events.push(port, Event::PortGone(port));
        } else if !batch.is_empty() {
            let port = rx.port;
            rx.counters.rx_packets.fetch_add(batch.len() as u64, Relaxed);
            bytes = batch.iter().map(|p| p.buf.len()).sum();
            rx.counters.rx_bytes.fetch_add(bytes as u64, Relaxed);
            bump(&self.shared.stats.received, batch.len() as u64);
            bump(&rx.load.packets, batch.len() as u64);
            let n = batch.len() as u64;
            if !self.contained(|e| e.run_batch(port, &mut batch, snapshot)) {
                self.shared.stats.dropped(DropCause::Panicked, n);
            }
        }
        let count = batch.len();
        for p in batch.drain(..) {
            self.exec.pool.put(p);
        }
        self.batch = batch;
        (count, bytes)
    }

    /// Runs something that handles packets. A panic is a bug; it costs the batch and the caches, and is counted.
    fn contained(&mut self, f: impl FnOnce(&mut Self)) -> bool {
        let ok = catch_unwind(AssertUnwindSafe(|| f(self))).is_ok();
        if !ok {
            bump(&self.shared.stats.panics, 1);
            self.flows.clear();
            self.exec.recirc.clear();
            self.sweep = None;
            if self.keys.len() < BATCH {
                self.keys = vec![FlowKey::default(); BATCH];
                self.maps = [0; BATCH];
            }
        }
        ok
    }

    fn run_batch(&mut self, port: DpPort, batch: &mut [Packet], snapshot: &Arc<P>) {
        for chunk in batch.chunks_mut(BATCH) {
            let mut keys = std::mem::take(&mut self.keys);
            for (i, p) in chunk.iter_mut().enumerate() {
                if extract(p, &Meta::received(port), self.exec.vlan_limit, &mut keys[i], &mut self.maps[i]) {
                    self.hashes[i] = hash_key(&keys[i]);
                } else {
                    self.shared.stats.dropped(DropCause::NotEthernet, 1);
                    p.buf.truncate(0);
                }
            }
            // Each of these rounds waits for memory once, not once per packet.
            let mut touched = 0;
            for i in 0..chunk.len() {
                self.hints[i] = self.flows.prefetch(self.hashes[i]);
            }
            for i in 0..chunk.len() {
                touched ^= self.flows.touch_slot(self.hints[i]);
            }
            for i in 0..chunk.len() {
                touched ^= self.flows.touch_body(self.hints[i]);
            }
            std::hint::black_box(touched);
            for (i, p) in chunk.iter_mut().enumerate() {
                if !p.buf.is_empty() {
                    let mut meta = Meta::received(port);
                    self.one(p, &mut meta, &keys[i], self.hashes[i], self.hints[i], snapshot);
                }
            }
            self.keys = keys;
            self.recirculated(snapshot);
        }
    }

    /// Looks a packet up and runs what it finds.
    #[inline]
    fn one(
        &mut self,
        packet: &mut Packet,
        meta: &mut Meta,
        key: &FlowKey,
        hash: u64,
        hint: u32,
        snapshot: &Arc<P>,
    ) {
        let found = self.flows.find(key, hash, hint);
        let (Found::Exact(slot) | Found::Search(slot)) = found else {
            return self.miss(packet, meta, key, hash, snapshot);
        };
        let Some(s) = self.flows.get(slot) else { return };
        if s.generation != snapshot.generation() || self.until_check == 1 {
            if !self.recheck(slot, key, packet.buf.len(), snapshot) {
                return self.miss(packet, meta, key, hash, snapshot);
            }
        } else {
            self.until_check = self.until_check.saturating_sub(1);
        }
        let stats = &self.shared.stats;
        let exact = matches!(found, Found::Exact(_));
        bump(if exact { &stats.exact_hits } else { &stats.megaflow_hits }, 1);
        let Some(s) = self.flows.get(slot) else { return };
        s.body.count(packet.buf.len() as u64, self.exec.now, key.tcp_flags());
        if s.only_output != DpPort::NONE {
            return self.exec.ports.send(s.only_output, packet, &self.shared.stats);
        }
        if s.body.actions.is_empty() {
            self.shared.stats.drop_translated(0);
        }
        self.exec.run(packet, meta, key, &s.body.actions);
    }

    /// A megaflow that may be out of date was hit. False: it is gone.
    #[cold]
    fn recheck(&mut self, slot: u32, key: &FlowKey, len: usize, snapshot: &Arc<P>) -> bool {
        let Some(s) = self.flows.get(slot) else { return false };
        if s.generation != snapshot.generation() && !self.revalidate(slot, Some((key, len)), snapshot) {
            return false;
        }
        if self.until_check == 1 {
            self.until_check = self.shared.tunables.check_every.load(Relaxed);
            return self.check(slot, key, len, snapshot);
        }
        true
    }

    /// Translates a packet again that a megaflow answers for, and compares.
    fn check(&mut self, slot: u32, key: &FlowKey, len: usize, snapshot: &Arc<P>) -> bool {
        let Some(s) = self.flows.get(slot) else { return false };
        if s.body.deps.is_none() {
            return true;
        }
        bump(&self.shared.stats.checked, 1);
        let t = snapshot.translate(key, len, self.exec.now);
        if !t.cacheable || t.actions == s.body.actions {
            return true;
        }
        bump(&self.shared.stats.mismatches, 1);
        let flow = s.flow.clone();
        self.flows.remove(slot);
        self.shared.events.push(key.dp_port(), Event::Mismatch(flow));
        false
    }

    /// Brings a megaflow up to the snapshot: stamps it, gives it another body, or (false) removes it.
    fn revalidate(&mut self, slot: u32, packet: Option<(&FlowKey, usize)>, snapshot: &Arc<P>) -> bool {
        let Some(s) = self.flows.get_mut(slot) else { return false };
        let generation = snapshot.generation();
        if s.body.deps.as_ref().is_some_and(|d| snapshot.unchanged(d, s.generation)) {
            s.generation = generation;
            return true;
        }
        bump(&self.shared.stats.revalidated, 1);
        let own;
        let (key, len) = match packet {
            Some(p) => p,
            None => {
                own = s.flow.key.expand();
                (&own, 64)
            }
        };
        let t = snapshot.translate(key, len, self.exec.now);
        // Wider than before is fine: the old mask is narrower than it need be. Narrower is not.
        let fits = flow::MiniMask::new(&t.mask).is_subset_of(&s.flow.mask);
        if !t.cacheable || !fits {
            self.flows.remove(slot);
            return false;
        }
        let body = Arc::new(Body::new(t.actions, Some(t.effects), Some(t.deps)));
        s.generation = generation;
        let old = s.replace(body);
        let flow = s.flow.clone();
        let new = s.body.clone();
        let is_hit = packet.is_some();
        let key = key.clone();
        self.retire(&old, &flow);
        if is_hit {
            self.tell_effects(new, &key, 0, 0, key.tcp_flags());
        }
        true
    }

    /// Credits what a body that is no longer used still had.
    fn retire(&self, old: &Arc<Body<P>>, flow: &Megaflow<P>) {
        let (packets, bytes) = old.take_uncredited();
        if let (Some(e), true) = (&old.effects, packets > 0) {
            P::credit(e, packets, bytes, flow.tcp_flags(), self.exec.now);
            self.tell_effects(old.clone(), &flow.key.expand(), packets, bytes, flow.tcp_flags());
        }
    }

    /// Tells the control thread of effects that only it can apply.
    fn tell_effects(&self, body: Arc<Body<P>>, key: &FlowKey, packets: u64, bytes: u64, tcp_flags: u16) {
        if !body.effects.as_ref().is_some_and(P::needs_control) {
            return;
        }
        let (port, time, key) = (key.dp_port(), self.exec.now, Box::new(key.clone()));
        let event = Event::Effects { body, key, packets, bytes, tcp_flags, time };
        if !self.shared.events.push(port, event) {
            bump(&self.shared.stats.lost, 1);
        }
    }

    #[cold]
    fn miss(&mut self, packet: &mut Packet, meta: &mut Meta, key: &FlowKey, hash: u64, snapshot: &Arc<P>) {
        bump(&self.shared.stats.missed, 1);
        let len = packet.buf.len();
        let Translated { actions, mask, effects, deps, cacheable, drop } =
            snapshot.translate(key, len, self.exec.now);
        P::credit(&effects, 1, len as u64, key.tcp_flags(), self.exec.now);
        let body = Arc::new(Body::new(actions, Some(effects), Some(deps)));
        self.tell_effects(body.clone(), key, 1, len as u64, key.tcp_flags());
        if cacheable {
            self.install(key, hash, mask, body.clone(), snapshot.generation());
        }
        if body.actions.is_empty() {
            self.shared.stats.drop_translated(drop);
        }
        self.exec.run(packet, meta, key, &body.actions);
    }

    fn install(&mut self, key: &FlowKey, hash: u64, mask: Mask, body: Arc<Body<P>>, generation: u64) {
        let t = &self.shared.tunables;
        if self.flows.len() >= t.flow_limit.load(Relaxed) as usize {
            bump(&self.shared.stats.table_full, 1);
            return;
        }
        let mask = if t.megaflows.load(Relaxed) == 0 { crate::exact::every_field(key, mask) } else { mask };
        let flow = self.flows.make(key, &mask, body.clone(), self.exec.now);
        // A flow that the control thread does not know would never be credited nor expire.
        if self.shared.announced.push(flow.clone()).is_err() {
            bump(&self.shared.stats.lost, 1);
            return;
        }
        // Well before the queue is full.
        if self.shared.announced.len() == self.shared.announced.capacity() / 4 {
            self.shared.events.nudge();
        }
        self.flows.insert(key, hash, flow, body, generation);
        if self.until_check == 0 {
            self.until_check = t.check_every.load(Relaxed);
        }
    }

    /// Looks packets up again that `recirc` put aside, until there are none.
    fn recirculated(&mut self, snapshot: &Arc<P>) {
        while let Some((mut packet, mut meta)) = self.exec.recirc.pop() {
            bump(&self.shared.stats.recirculated, 1);
            let mut key = FlowKey::default();
            if extract(&packet, &meta, self.exec.vlan_limit, &mut key, &mut 0) {
                let hash = hash_key(&key);
                let hint = self.flows.prefetch(hash);
                self.one(&mut packet, &mut meta, &key, hash, hint, snapshot);
            } else {
                self.shared.stats.dropped(DropCause::NotEthernet, 1);
            }
            self.exec.pool.put(packet);
        }
    }

    fn sweep_slice(&mut self, snapshot: &Arc<P>) {
        let Some((mut at, generation)) = self.sweep else { return };
        if generation != snapshot.generation() {
            at = 0;
        }
        let end = (at + SLICE).min(self.flows.slots());
        for slot in at..end {
            let slot = slot as u32;
            let Some(s) = self.flows.get(slot) else { continue };
            if s.flow.is_dead() {
                self.flows.remove(slot);
            } else if s.generation != snapshot.generation() {
                self.revalidate(slot, None, snapshot);
            }
        }
        self.sweep = Some((end, snapshot.generation()));
        if end >= self.flows.slots() {
            self.sweep = None;
            self.shared.revalidated.store(snapshot.generation(), Relaxed);
        }
    }

    /// Does what the control thread asked for, without receiving.
    pub(crate) fn run_commands(&mut self) {
        self.clock_round();
        self.was_busy = false;
        self.commands();
    }

    /// Gives up the receiving queues.
    pub(crate) fn take_rx(&mut self) -> Vec<Rx> {
        self.commands();
        self.rx_changed = true;
        std::mem::take(&mut self.rx)
    }

    fn commands(&mut self) {
        while let Some(c) = self.shared.inbox.pop() {
            self.command(c);
            self.shared.done.fetch_add(1, std::sync::atomic::Ordering::Release);
        }
    }

    fn command(&mut self, c: Command<P>) {
        match c {
            Command::AddTx(port, queue, counters) => self.exec.ports.add(port, queue, counters),
            // A queue that was on its way from another engine while its port went is not read any more.
            Command::AddRx(rx) if !self.exec.ports.has(rx.port) => drop(rx),
            Command::AddRx(rx) => {
                self.rx.push(rx);
                self.rx_changed = true;
            }
            Command::GiveRx(port, id, to) => {
                if let Some(i) = self.rx.iter().position(|r| (r.port, r.id) == (port, id)) {
                    to.inbox.push(Command::AddRx(self.rx.remove(i)));
                    to.wake.wake();
                    self.rx_changed = true;
                }
            }
            Command::DelPort(port) => {
                self.exec.ports.flush(&self.shared.stats);
                self.exec.ports.remove(port);
                while let Some(i) = self.rx.iter().position(|r| r.port == port) {
                    let rx = self.rx.remove(i);
                    self.close(rx);
                }
            }
            Command::Meter(id, Some(m)) => drop(self.exec.meters.insert(id, m)),
            Command::Meter(id, None) => drop(self.exec.meters.remove(&id)),
            Command::Bond(id, Some(b)) => drop(self.exec.bonds.insert(id, b)),
            Command::Bond(id, None) => drop(self.exec.bonds.remove(&id)),
            Command::Kill(flow) => {
                flow.kill();
                match self.flows.slot_of(&flow) {
                    Some(slot) => self.flows.remove(slot),
                    None => flow.set_gone(),
                }
            }
            Command::Put(flow) => {
                let key = flow.key.expand();
                let (body, generation) = (flow.body(), self.snapshot.load().generation());
                self.flows.insert(&key, hash_key(&key), flow, body, generation);
            }
            Command::Replace(flow, body) => {
                let generation = self.snapshot.load().generation();
                if let Some(s) = self.flows.slot_of(&flow).and_then(|slot| self.flows.get_mut(slot)) {
                    s.generation = generation;
                    let old = s.replace(body);
                    self.retire(&old, &flow);
                }
            }
            Command::Flush => self.flows.clear(),
            Command::Revalidate => {
                let generation = self.snapshot.load().generation();
                self.sweep = Some((0, generation));
            }
            Command::Stop => self.stopped = true,
        }
    }

    /// Runs actions over a packet that did not come from a queue. What is sent leaves at [`Engine::flush`].
    pub(crate) fn execute(&mut self, frame: &[u8], mut meta: Meta, key: &FlowKey, actions: &[DpAction]) {
        self.commands();
        self.exec.now = self.clock.now();
        let mut packet = self.exec.pool.take();
        packet.buf.fill(frame);
        self.contained(move |e| {
            e.exec.run(&mut packet, &mut meta, key, actions);
            if !e.exec.recirc.is_empty() {
                let snapshot = e.snapshot.load().clone();
                e.recirculated(&snapshot);
            }
            e.exec.pool.put(packet);
        });
    }

    /// Lets go of an earlier snapshot.
    pub(crate) fn refresh(&mut self) {
        self.snapshot.load();
    }

    /// Sends what was taken for sending.
    pub(crate) fn flush(&mut self) {
        self.exec.ports.flush(&self.shared.stats);
    }

    /// Lets go of everything, for another engine to take over what it received from.
    pub(crate) fn dismantle(mut self) -> Vec<Rx> {
        self.exec.ports.flush(&self.shared.stats);
        self.flows.clear();
        std::mem::take(&mut self.rx)
    }
}

impl<P: Pipeline> Engine<P> {
    /// Megaflows made narrower than asked because there were too many masks.
    pub(crate) fn narrowed(&self) -> usize {
        self.flows.search.narrowed()
    }
}
