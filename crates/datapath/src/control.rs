//! The datapath as the control thread holds it: ports, engines, and the list of all megaflows.

use crate::drops::{Counters, DropCause};
use crate::engine::{Command, Engine, EngineId, Rx, Shared, Tunables};
use crate::event::Event;
use crate::exec::Meta;
use crate::extract::extract;
use crate::load::{History, QueueLoad, QueuePlace, Usage};
use crate::megaflow::{Body, Megaflow};
use crate::meter::{Band, Meter, MeterStats, MeterUnit};
use crate::ports::{MAX_PORTS, PortCounters};
use crate::seam::{FdChanges, NoWake, Pipeline, Waiter, Wake};
use crate::search::with_partition;
use crate::thread::run;
use arc_swap::ArcSwap;
use base::{Clock, DpPort, Time};
use dpif::netdev::Netdev;
use dpif::{Datapath as _, DpAction, DpError, DpFlow, DpStats, FlowStats, PutMode};
use flow::{FlowKey, Mask, MiniKey, MiniMask};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::Ordering::{Acquire, Relaxed};
use std::thread::JoinHandle;
use std::time::Duration;
use wire::Packet;

/// Megaflows unused for this long go when there are more than the limit allows.
const IDLE_WHEN_FULL: Duration = Duration::from_millis(100);

/// Called with effects, their megaflow, and the packets and bytes to apply them for.
pub type Again<'a, P> = dyn FnMut(&<P as Pipeline>::Effects, &Megaflow<P>, u64, u64) + 'a;

type Taken = Vec<Rx>;

struct Port {
    device: Box<dyn Netdev>,
    counters: Arc<PortCounters>,
    /// Engines that read its queues.
    readers: Vec<usize>,
}

struct Thread {
    handle: JoinHandle<Taken>,
    core: u32,
}

/// A polling thread's way to sleep and to be woken.
pub struct ThreadParts {
    /// How it sleeps.
    pub waiter: Box<dyn Waiter>,
    /// How others wake it.
    pub wake: Arc<dyn Wake>,
}

/// The userspace datapath.
///
/// Engine 0 is the one that runs in the control thread, whenever [`dpif::Datapath::poll`] is called; the others have
/// threads. While there are threads, engine 0 receives nothing, and serves for packets from the control side alone.
pub struct Datapath<P: Pipeline> {
    clock: Clock,
    snapshot: Arc<ArcSwap<P>>,
    /// Earlier snapshots that engines still hold. They are not the last to let go of one: to free what a snapshot has
    /// alone can take long, and packets would wait.
    retired: Vec<Arc<P>>,
    tunables: Arc<Tunables>,
    wake: Arc<dyn Wake>,
    inline: Engine<P>,
    shared: Vec<Arc<Shared<P>>>,
    threads: Vec<Thread>,
    ports: BTreeMap<u32, Port>,
    flows: Vec<(usize, Arc<Megaflow<P>>)>,
    meters: HashMap<u32, Arc<Meter>>,
    bonds: HashMap<u32, Box<[DpPort]>>,
    event_capacity: usize,
    next_engine: usize,
    /// Lookups that were counted before the counters were last cleared: hit, missed, lost.
    cleared: [u64; 3],
    queues: Vec<QueuePlace>,
    history: History,
}

impl<P: Pipeline> Datapath<P> {
    /// A datapath without ports that translates against `snapshot`. `wake` is called when an engine has put the
    /// first event into an empty queue.
    pub fn new(snapshot: Arc<P>, clock: Clock, wake: Option<Arc<dyn Wake>>) -> Datapath<P> {
        let snapshot = Arc::new(ArcSwap::new(snapshot));
        let tunables = Arc::<Tunables>::default();
        let wake = wake.unwrap_or_else(|| Arc::new(NoWake));
        let event_capacity = 4096;
        let shared = Arc::new(Shared::new(event_capacity, wake.clone(), None, tunables.clone()));
        let inline = Engine::new(EngineId(0), shared.clone(), snapshot.clone(), clock.clone());
        Datapath {
            clock,
            snapshot,
            retired: Vec::new(),
            tunables,
            wake,
            inline,
            shared: vec![shared],
            threads: Vec::new(),
            ports: BTreeMap::new(),
            flows: Vec::new(),
            meters: HashMap::new(),
            bonds: HashMap::new(),
            event_capacity,
            next_engine: 0,
            cleared: [0; 3],
            queues: Vec::new(),
            history: History::default(),
        }
    }

    /// Makes a snapshot the one that every packet from now on is handled by.
    pub fn publish(&mut self, snapshot: Arc<P>) {
        self.retired.push(self.snapshot.swap(snapshot));
        self.inline.refresh();
        self.free_retired();
    }

    fn free_retired(&mut self) {
        self.retired.retain(|s| Arc::strong_count(s) > 1);
    }

    /// The snapshot last published.
    pub fn snapshot(&self) -> Arc<P> {
        self.snapshot.load_full()
    }

    /// Settings.
    pub fn tunables(&self) -> &Tunables {
        &self.tunables
    }

    /// Polling threads there are.
    pub fn threads(&self) -> usize {
        self.threads.len()
    }

    /// Counters by engine; the first is the control thread's.
    pub fn counters(&self) -> impl Iterator<Item = &Counters> {
        self.shared.iter().map(|s| &*s.stats)
    }

    /// Packets dropped for a reason of the datapath's own, by all engines.
    pub fn drops(&self, why: DropCause) -> u64 {
        self.counters().map(|c| c.drops(why)).sum()
    }

    /// Megaflows that the control thread's engine made narrower than asked because there were too many masks.
    pub fn narrowed(&self) -> usize {
        self.inline.narrowed()
    }

    /// Counters of a port.
    pub fn port_counters(&self, port: DpPort) -> Option<&PortCounters> {
        Some(&self.ports.get(&port.0)?.counters)
    }

    /// Numbers of the CPU cores that polling threads go by, in the order of the engines from 1 on.
    pub fn cores(&self) -> Vec<u32> {
        self.threads.iter().map(|t| t.core).collect()
    }

    /// Receiving queues and who reads them.
    pub fn queues(&self) -> &[QueuePlace] {
        &self.queues
    }

    /// The parts of an engine's time that went into each of its queues (in the order of [`Datapath::queues`]) over
    /// the last `looks` of five seconds; `None` if nothing was measured yet.
    pub fn usage(&self, engine: usize, looks: usize) -> Option<Usage> {
        let own: Vec<&QueuePlace> = self.queues.iter().filter(|q| q.engine == engine).collect();
        self.history.usage(engine, looks, &own)
    }

    /// Leaves lookups (hit, missed, lost) out of [`dpif::Datapath::stats`] from now on.
    pub fn forget_lookups(&mut self, lookups: [u64; 3]) {
        self.cleared.iter_mut().zip(lookups).for_each(|(c, n)| *c += n);
    }

    /// Members of bonds by hash, for `lb_output`.
    pub fn bonds(&self) -> &HashMap<u32, Box<[DpPort]>> {
        &self.bonds
    }

    /// Hands all receiving queues out anew, those that brought most first, each to the thread that has least to do.
    /// Says whether there are any threads to share the work.
    pub fn rebalance(&mut self) -> bool {
        if self.threads.len() < 2 {
            return false;
        }
        let mut weights: Vec<(DpPort, u32, u64)> =
            self.queues.iter().map(|q| (q.port, q.id, q.load.packets.load(Relaxed))).collect();
        weights.sort_by_key(|w| std::cmp::Reverse(w.2));
        let mut load = vec![0u64; self.threads.len()];
        let mut moves = Vec::new();
        for (port, id, packets) in weights {
            let least = (0..load.len()).min_by_key(|i| load[*i]).unwrap_or(0);
            load[least] += packets.max(1);
            moves.push((port, id, least + 1));
        }
        for (port, id, engine) in moves {
            let Some(q) = self.queues.iter_mut().find(|q| (q.port, q.id) == (port, id)) else { continue };
            let from = std::mem::replace(&mut q.engine, engine);
            if from != engine {
                let to = self.shared[engine].clone();
                self.send(from, Command::GiveRx(port, id, to));
            }
        }
        self.refresh_readers();
        self.history.restart();
        true
    }

    fn refresh_readers(&mut self) {
        self.ports.values_mut().for_each(|p| p.readers.clear());
        for q in &self.queues {
            if let Some(p) = self.ports.get_mut(&q.port.0) {
                p.readers.push(q.engine);
            }
        }
    }

    /// Changes the number of polling threads; `parts` makes what each needs. All receiving queues are handed out
    /// anew. On an error (a device gives no more sending queues, the system no more threads) the queues of the
    /// threads that could not be started are read by those that could, or by the control thread.
    pub fn set_threads(
        &mut self,
        cores: &[u32],
        pin: bool,
        mut parts: impl FnMut(usize) -> std::io::Result<ThreadParts>,
    ) -> std::io::Result<()> {
        let mut queues = self.stop_threads();
        let mut result = Ok(());
        for (i, core) in cores.iter().enumerate() {
            if let Err(e) = parts(i).and_then(|p| self.start_thread(i, *core, pin, p)) {
                result = Err(e);
                break;
            }
        }
        self.queues.clear();
        for rx in queues.drain(..) {
            if self.ports.contains_key(&rx.port.0) {
                let engine = self.choose_engine();
                self.queues.push(QueuePlace::new(rx.port, rx.id, engine, rx.load.clone()));
                self.send(engine, Command::AddRx(rx));
            }
        }
        self.refresh_readers();
        self.history.restart();
        self.inline.run_commands();
        result
    }

    /// Ends all threads; returns the queues that they and the control thread's engine read.
    fn stop_threads(&mut self) -> Taken {
        let mut queues = self.inline.take_rx();
        for i in 1..self.shared.len() {
            self.send(i, Command::Stop);
        }
        for t in self.threads.drain(..) {
            if let Ok(q) = t.handle.join() {
                queues.extend(q);
            }
        }
        self.collect();
        // Events of ended engines are still to be read: they move to the control thread's queue.
        let ended: Vec<_> = self.shared.drain(1..).collect();
        for s in ended {
            while let Some(e) = s.events.pop() {
                self.shared_events_forward(e);
            }
        }
        queues.sort_by_key(|r| (r.port.0, r.id));
        queues
    }

    fn start_thread(&mut self, i: usize, core: u32, pin: bool, parts: ThreadParts) -> std::io::Result<()> {
        let ThreadParts { waiter, wake } = parts;
        let id = EngineId(i as u32 + 1);
        let shared =
            Arc::new(Shared::new(self.event_capacity, self.wake.clone(), Some(wake), self.tunables.clone()));
        for (n, port) in &mut self.ports {
            let queue = port.device.tx_queue().map_err(|e| std::io::Error::from_raw_os_error(e.errno))?;
            shared.inbox.push(Command::AddTx(DpPort(*n), queue, port.counters.clone()));
        }
        for (n, m) in &self.meters {
            shared.inbox.push(Command::Meter(*n, Some(m.clone())));
        }
        for (n, b) in &self.bonds {
            shared.inbox.push(Command::Bond(*n, Some(b.clone())));
        }
        let engine = Engine::new(id, shared.clone(), self.snapshot.clone(), self.clock.clone());
        let name = format!("pmd-c{core:02}/id:{}", id.0);
        let cpu = pin.then_some(core);
        let handle = std::thread::Builder::new().name(name).spawn(move || run(engine, waiter, cpu))?;
        self.shared.push(shared);
        self.threads.push(Thread { handle, core });
        Ok(())
    }

    /// Engines with threads in turn, or the control thread's.
    fn choose_engine(&mut self) -> usize {
        if self.shared.len() == 1 {
            return 0;
        }
        self.next_engine = self.next_engine % (self.shared.len() - 1) + 1;
        self.next_engine
    }

    fn send(&self, engine: usize, c: Command<P>) {
        if let Some(s) = self.shared.get(engine) {
            s.inbox.push(c);
            s.wake.wake();
        }
    }

    fn broadcast(&mut self, mut c: impl FnMut(usize) -> Command<P>) {
        for i in 0..self.shared.len() {
            self.send(i, c(i));
        }
        self.inline.run_commands();
    }

    /// Descriptors that are readable when the control thread's engine has something to receive: how they differ from
    /// those last given, if they do.
    pub fn changed_fds(&mut self) -> Option<FdChanges> {
        self.inline.changed_fds().map(|(changes, _)| changes)
    }

    /// The next thing that an engine has to tell.
    pub fn next_event(&mut self) -> Option<Event<P>> {
        let event = self.shared.iter().find_map(|s| s.events.pop());
        if event.is_none() {
            self.collect();
        }
        event
    }

    fn shared_events_forward(&self, e: Event<P>) {
        let port = match &e {
            Event::Upcall(u) => u.port,
            Event::Effects { key, .. } => key.dp_port(),
            Event::PortGone(p) => *p,
            Event::Mismatch(_) => DpPort(0),
        };
        let s = &self.shared[0];
        if !s.events.push(port, e) {
            s.stats.lost.fetch_add(1, Relaxed);
        }
    }

    /// Takes new megaflows into the list.
    fn collect(&mut self) {
        for (i, s) in self.shared.iter().enumerate() {
            while let Some(f) = s.announced.pop() {
                self.flows.push((i, f));
            }
        }
    }

    /// Credits what was counted since the last time, to rules and other counters, and calls `again` with the effects
    /// of every megaflow that was used meanwhile (packets and bytes as counted), so that those which only the control
    /// thread can apply are applied again.
    pub fn push_stats(&mut self, again: &mut Again<'_, P>) {
        self.collect();
        self.free_retired();
        if !self.retired.is_empty() {
            // Who sleeps holds what it last saw.
            self.shared.iter().for_each(|s| s.wake.wake());
        }
        let engines =
            self.shared.iter().map(|s| (s.stats.busy_nanos.load(Relaxed), s.stats.idle_nanos.load(Relaxed)));
        self.history.look(self.clock.now(), engines.collect(), &mut self.queues);
        self.flows.retain(|(_, flow)| {
            // In this order: a flow that is gone counts nothing any more.
            let gone = flow.is_gone();
            let body = flow.body();
            let (packets, bytes) = body.take_uncredited();
            if let (Some(e), true) = (&body.effects, packets > 0) {
                P::credit(e, packets, bytes, flow.tcp_flags(), flow.used().unwrap_or(Time::ZERO));
                again(e, flow, packets, bytes);
            }
            !gone
        });
    }

    /// Removes megaflows that were not used for `max_idle`, or for a tenth of a second, if there are more than the
    /// limit allows. What they counted is credited by the next [`Datapath::push_stats`]. Returns how many are left.
    pub fn expire(&mut self, max_idle: Duration) -> usize {
        self.collect();
        let now = self.clock.now();
        let alive = self.flows.iter().filter(|(_, f)| !f.is_dead()).count();
        let full = alive > self.tunables.flow_limit.load(Relaxed) as usize;
        let max_idle = if full { IDLE_WHEN_FULL.min(max_idle) } else { max_idle };
        let mut left = 0;
        let idle: Vec<(usize, Arc<Megaflow<P>>)> = self
            .flows
            .iter()
            .filter(|(_, f)| !f.is_dead())
            .filter(|(_, f)| {
                let idle = now.since(f.used().unwrap_or(f.created).max(f.created)) > max_idle;
                left += usize::from(!idle);
                idle
            })
            .cloned()
            .collect();
        for (engine, f) in idle {
            f.kill();
            self.send(engine, Command::Kill(f));
        }
        self.inline.run_commands();
        left
    }

    /// Asks all engines to bring every megaflow up to the present snapshot; the control thread's does so at once.
    pub fn revalidate(&mut self) {
        self.broadcast(|_| Command::Revalidate);
        while self.inline.has_more() {
            self.inline.poll();
        }
    }

    /// Waits until engines with threads have done what they were told, or for `patience`. Says whether they have.
    pub fn settle(&mut self, patience: Duration) -> bool {
        let generation = self.snapshot.load().generation();
        self.revalidate();
        let deadline = self.clock.real_now() + patience;
        while self.shared[1..].iter().any(|s| s.revalidated.load(Acquire) < generation) {
            if self.clock.real_now() >= deadline {
                return false;
            }
            std::thread::yield_now();
        }
        true
    }

    /// Adds or replaces a meter.
    pub fn set_meter(&mut self, id: u32, unit: MeterUnit, bands: &[Band]) {
        let m = Arc::new(Meter::new(unit, bands, self.clock.now()));
        self.meters.insert(id, m.clone());
        self.broadcast(|_| Command::Meter(id, Some(m.clone())));
    }

    /// Removes a meter; its counters at the end.
    pub fn del_meter(&mut self, id: u32) -> Result<MeterStats, DpError> {
        let m = self.meters.remove(&id).ok_or(DpError::NoMeter(id))?;
        self.broadcast(|_| Command::Meter(id, None));
        Ok(m.stats())
    }

    /// Counters of a meter, and since when it counts.
    pub fn meter(&self, id: u32) -> Result<(MeterStats, Time), DpError> {
        let m = self.meters.get(&id).ok_or(DpError::NoMeter(id))?;
        Ok((m.stats(), m.created))
    }

    /// Sets (or removes) the members that a bond's hash values stand for.
    pub fn set_bond(&mut self, id: u32, members: Option<Box<[DpPort]>>) {
        match &members {
            Some(m) => self.bonds.insert(id, m.clone()),
            None => self.bonds.remove(&id),
        };
        self.broadcast(|_| Command::Bond(id, members.clone()));
    }

    /// Runs actions over a frame whose key is known. It may leave only at [`Datapath::flush`].
    pub fn execute_keyed(&mut self, frame: &[u8], meta: Meta, key: &FlowKey, actions: &[DpAction]) {
        self.inline.execute(frame, meta, key, actions);
    }

    /// Sends what [`Datapath::execute_keyed`] has left to be sent.
    pub fn flush(&mut self) {
        self.inline.flush();
    }

    fn describe(&self, engine: usize, f: &Megaflow<P>) -> DpFlow {
        let (packets, bytes) = f.counts();
        DpFlow {
            ufid: f.ufid,
            key: f.key.expand(),
            mask: f.given.as_ref().unwrap_or(&f.mask).expand(),
            actions: f.body().actions.clone(),
            stats: FlowStats { packets, bytes, used: f.used(), tcp_flags: f.tcp_flags() },
            thread: engine.checked_sub(1).and_then(|i| self.threads.get(i)).map(|t| t.core),
        }
    }

    /// Where the live flows of an id stand: one for each engine that has it.
    fn positions(&self, ufid: u128) -> Vec<usize> {
        let live = self.flows.iter().enumerate().filter(|(_, (_, f))| f.ufid == ufid && !f.is_dead());
        live.map(|(i, _)| i).collect()
    }

    /// A flow of several engines as one.
    fn describe_all(&self, positions: &[usize]) -> Option<DpFlow> {
        let mut all = positions.iter().filter_map(|i| self.flows.get(*i)).map(|(e, f)| self.describe(*e, f));
        let mut sum = all.next()?;
        for f in all {
            sum.stats.packets += f.stats.packets;
            sum.stats.bytes += f.stats.bytes;
            sum.stats.used = sum.stats.used.max(f.stats.used);
            sum.stats.tcp_flags |= f.stats.tcp_flags;
        }
        Some(sum)
    }
}

impl<P: Pipeline> dpif::Datapath for Datapath<P> {
    fn add_port(&mut self, port: DpPort, mut device: Box<dyn Netdev>) -> Result<(), DpError> {
        if port.0 >= MAX_PORTS {
            return Err(DpError::BadPort(port));
        }
        if self.ports.contains_key(&port.0) {
            return Err(DpError::PortExists(port));
        }
        let counters = Arc::<PortCounters>::default();
        let rx = device.rx_queues()?;
        let tx: Result<Vec<_>, _> = (0..self.shared.len()).map(|_| device.tx_queue()).collect();
        for (i, queue) in tx?.into_iter().enumerate() {
            self.send(i, Command::AddTx(port, queue, counters.clone()));
        }
        let mut readers = Vec::new();
        for (id, queue) in rx.into_iter().enumerate() {
            let engine = self.choose_engine();
            readers.push(engine);
            let load = Arc::<QueueLoad>::default();
            let id = id as u32;
            self.queues.push(QueuePlace::new(port, id, engine, load.clone()));
            self.send(engine, Command::AddRx(Rx { port, id, queue, counters: counters.clone(), load }));
        }
        self.inline.run_commands();
        self.ports.insert(port.0, Port { device, counters, readers });
        Ok(())
    }

    fn del_port(&mut self, port: DpPort) -> Result<Box<dyn Netdev>, DpError> {
        let p = self.ports.remove(&port.0).ok_or(DpError::NoPort(port))?;
        self.queues.retain(|q| q.port != port);
        self.broadcast(|_| Command::DelPort(port));
        Ok(p.device)
    }

    fn ports(&self) -> Vec<DpPort> {
        self.ports.keys().copied().map(DpPort).collect()
    }

    fn device(&self, port: DpPort) -> Option<&dyn Netdev> {
        self.ports.get(&port.0).map(|p| &*p.device)
    }

    fn device_mut(&mut self, port: DpPort) -> Option<&mut (dyn Netdev + 'static)> {
        self.ports.get_mut(&port.0).map(|p| &mut *p.device)
    }

    fn put_flow(
        &mut self,
        ufid: Option<u128>,
        key: &FlowKey,
        mask: &Mask,
        actions: Vec<DpAction>,
        mode: PutMode,
    ) -> Result<DpFlow, DpError> {
        self.collect();
        let ufid = ufid.unwrap_or_else(|| dpif::ufid_of(key));
        let mut there = self.positions(ufid);
        match (mode, there.is_empty()) {
            (PutMode::Create, false) => return Err(DpError::FlowExists),
            (PutMode::Modify, true) => return Err(DpError::NoFlow),
            _ => {}
        }
        for i in &there {
            let (engine, flow) = self.flows[*i].clone();
            self.send(engine, Command::Replace(flow, Arc::new(Body::new(actions.clone(), None, None))));
        }
        if there.is_empty() {
            let now = self.clock.now();
            // The flow belongs where packets of its port come in.
            let mut engines = self.ports.get(&key.dp_port().0).map_or(Vec::new(), |p| p.readers.clone());
            engines.sort_unstable();
            engines.dedup();
            if engines.is_empty() {
                engines.push(0);
            }
            for engine in engines {
                let body = Arc::new(Body::new(actions.clone(), None, None));
                let used = MiniMask::new(&with_partition(mask));
                let mut flow = Megaflow::new(ufid, MiniKey::new(key), used, now, body);
                flow.given = Some(MiniMask::new(mask));
                let flow = Arc::new(flow);
                there.push(self.flows.len());
                self.flows.push((engine, flow.clone()));
                self.send(engine, Command::Put(flow));
            }
        }
        self.inline.run_commands();
        let mut after = self.describe_all(&there).ok_or(DpError::NoFlow)?;
        after.actions = actions;
        Ok(after)
    }

    fn del_flow(&mut self, ufid: u128) -> Result<DpFlow, DpError> {
        self.collect();
        let there = self.positions(ufid);
        let last = self.describe_all(&there).ok_or(DpError::NoFlow)?;
        for i in there {
            let (engine, flow) = self.flows[i].clone();
            flow.kill();
            self.send(engine, Command::Kill(flow));
        }
        self.inline.run_commands();
        Ok(last)
    }

    fn flush_flows(&mut self) {
        self.collect();
        for (_, f) in &self.flows {
            f.kill();
        }
        self.broadcast(|_| Command::Flush);
    }

    fn dump_flows(&mut self) -> Vec<DpFlow> {
        self.collect();
        self.flows.iter().filter(|(_, f)| !f.is_dead()).map(|(i, f)| self.describe(*i, f)).collect()
    }

    fn flow(&mut self, ufid: u128) -> Option<DpFlow> {
        self.collect();
        let (i, f) = self.flows.iter().find(|(_, f)| f.ufid == ufid && !f.is_dead())?;
        Some(self.describe(*i, f))
    }

    fn execute(&mut self, packet: Packet, in_port: DpPort, actions: &[DpAction]) {
        let (meta, mut key) = (Meta::received(in_port), FlowKey::default());
        let vlan_limit = self.tunables.vlan_limit.load(Relaxed).min(2) as u8;
        extract(&packet, &meta, vlan_limit, &mut key, &mut 0);
        self.inline.execute(packet.buf.data(), meta, &key, actions);
        self.inline.flush();
    }

    fn stats(&self) -> DpStats {
        let sum = |f: &dyn Fn(&Counters) -> u64| -> u64 { self.counters().map(f).sum() };
        let [hit, missed, lost] = self.cleared;
        DpStats {
            hit: sum(&|c| c.exact_hits.load(Relaxed) + c.megaflow_hits.load(Relaxed)).saturating_sub(hit),
            missed: sum(&|c| c.missed.load(Relaxed)).saturating_sub(missed),
            lost: sum(&|c| c.lost.load(Relaxed)).saturating_sub(lost),
            flows: self.flows.iter().filter(|(_, f)| !f.is_dead()).count() as u64,
            masks: sum(&|c| c.masks.load(Relaxed)),
        }
    }

    fn poll(&mut self) -> bool {
        let busy = self.inline.poll();
        self.collect();
        busy
    }
}

impl<P: Pipeline> std::ops::Drop for Datapath<P> {
    fn drop(&mut self) {
        for i in 1..self.shared.len() {
            self.send(i, Command::Stop);
        }
        for t in self.threads.drain(..) {
            let _ = t.handle.join();
        }
    }
}

/// So that callers can say `datapath::poll(&mut dp)` without the trait in scope.
pub fn poll<P: Pipeline>(dp: &mut Datapath<P>) -> bool {
    dp.poll()
}
