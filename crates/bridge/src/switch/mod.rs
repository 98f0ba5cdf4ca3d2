//! The running switch: datapaths, bridges, devices, connections. Owned by the control thread; everything else reads
//! the snapshots that it publishes.
//!
//! ```text
//!             Config ──► plan ──► apply (reconfigure, interfaces)
//!   controllers' messages ──► ofproto ──► effects ─┐
//!   datapath events (packet-ins, learning) ────────┼──► what changed ──► publish ──► engines
//!   time (expiry, aging, statistics) ──────────────┘
//! ```

pub mod backer;
pub mod bridge;
mod connections;
mod effects;
mod events;
mod host;
pub mod in_band;
mod interfaces;
pub mod numbers;
mod packets;
mod polling;
mod publish;
mod reconfigure;
mod settings;
mod snoop;

use crate::config::Config;
use backer::Backer;
use base::log::RateLimit;
use base::{Clock, Logger, Time};
use bridge::Bridge;
use datapath::{FdChanges, ThreadParts, Wake};
use netdev::Registry;
use netdev::registry::DummyMode;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

pub use connections::{CONNECTIONS, ControllerStatus};
pub use host::device;
pub use interfaces::Failed;

/// How often datapath counters are pushed into rules and timers that hang on them are run.
const PUSH_INTERVAL: Duration = Duration::from_millis(500);

/// What the daemon gives the switch.
pub struct Environment {
    /// The clock.
    pub clock: Clock,
    /// Log.
    pub log: Logger,
    /// Opens devices.
    pub registry: Registry,
    /// Directory of the management sockets.
    pub rundir: PathBuf,
    /// Wakes the control thread.
    pub wake: Arc<dyn Wake>,
    /// Makes what a polling thread needs.
    pub threads: Box<dyn Fn(usize) -> std::io::Result<ThreadParts>>,
    /// The system's routes and neighbours.
    pub routing: Box<dyn in_band::Routing>,
    /// Number of the first of the switch's components among the event loop's keys.
    pub component: u16,
}

/// The switch.
pub struct Switch {
    pub(crate) env: Environment,
    /// Datapaths by type.
    pub(crate) backers: BTreeMap<String, Backer>,
    /// Bridges by name.
    pub(crate) bridges: BTreeMap<String, Bridge>,
    /// What was last applied.
    pub(crate) config: Config,
    /// When counters are pushed next.
    next_push: Time,
    /// The other ends of patch ports, as last published.
    pub(crate) patches: publish::Patches,
    /// Some bridge has changed since the last publication.
    pub(crate) dirty: bool,
    /// Packets were executed that have not left yet.
    unsent: bool,
    /// Status columns may have changed.
    pub(crate) status_changed: bool,
    /// When [`Switch::run`] has something to do, as far as is known.
    deadline: Time,
    /// Room for a message that is about to be sent.
    pub(crate) encoded: Vec<u8>,
    /// Keys of connections.
    pub(crate) keys: connections::Keys,
    /// A `system` datapath was asked for and the userspace one has taken its place.
    pub(crate) said_system: bool,
    /// How often the log is told what in-band control lacks.
    pub(crate) in_band_limit: RateLimit,
    /// What the control thread has done.
    pub(crate) done: crate::coverage::Done,
    /// What only commands set and ask.
    pub(crate) desk: crate::commands::Desk,
}

impl Switch {
    /// A switch without bridges.
    pub fn new(env: Environment) -> Switch {
        let next_push = env.clock.now() + PUSH_INTERVAL;
        Switch {
            keys: connections::Keys::new(env.component),
            env,
            backers: BTreeMap::new(),
            bridges: BTreeMap::new(),
            config: Config::default(),
            next_push,
            patches: publish::Patches::new(),
            deadline: Time::ZERO,
            encoded: Vec::new(),
            dirty: false,
            unsent: false,
            status_changed: false,
            said_system: false,
            in_band_limit: RateLimit::new(60, 60),
            done: crate::coverage::Done::default(),
            desk: crate::commands::Desk::default(),
        }
    }

    /// Present time.
    pub(crate) fn now(&self) -> Time {
        self.env.clock.now()
    }

    /// What opens devices.
    pub fn registry(&self) -> &Registry {
        &self.env.registry
    }

    /// Bridges by name.
    pub fn bridges(&self) -> &BTreeMap<String, Bridge> {
        &self.bridges
    }

    /// Datapaths by type.
    pub fn backers(&self) -> &BTreeMap<String, Backer> {
        &self.backers
    }

    /// A datapath.
    pub fn backer_mut(&mut self, kind: &str) -> Option<&mut Backer> {
        self.backers.get_mut(kind)
    }

    /// Whether packets are handled in the control thread (test mode), so that what a packet causes has happened by
    /// the time that the next command runs.
    pub fn inline(&self) -> bool {
        self.env.registry.dummy_mode() != DummyMode::Off
    }

    /// Lets time pass: packets that wait, events of the datapath, timers.
    pub fn run(&mut self, r: &mut reactor::Reactor) {
        let now = self.now();
        self.run_packets(r);
        if now >= self.next_push {
            self.push_stats(r);
            self.expire_datapath_flows();
            self.next_push = now + PUSH_INTERVAL;
        }
        for name in self.bridge_names() {
            if let Some(b) = self.bridges.get_mut(&name)
                && b.ofproto.next_deadline() <= now
            {
                // Timeouts look at the real use of flows.
                self.push_stats(r);
            }
            if let Some(b) = self.bridges.get_mut(&name) {
                b.ofproto.run(now);
                self.tell_fail_mode(&name);
            }
            self.run_in_band(&name, false);
            self.report_flow_mods(&name);
            self.pass_to_snoopers(r, &name);
            if let Some(b) = self.bridges.get_mut(&name)
                && b.mac.on_timer(now)
            {
                b.mac_changed();
                self.dirty = true;
            }
        }
        self.handle_effects(r);
        self.publish();
        let bridges = self.bridges.values().map(Bridge::next_deadline).min().unwrap_or(Time::NEVER);
        let push = if self.bridges.is_empty() { Time::NEVER } else { self.next_push };
        self.deadline = bridges.min(push).min(self.in_band_deadline());
    }

    /// Takes note of when a bridge has something to do: not later than it says now.
    fn note_deadline(&mut self, bridge: &str) {
        if let Some(b) = self.bridges.get(bridge) {
            self.deadline = self.deadline.min(b.next_deadline());
        }
    }

    /// Whether [`Switch::run`] is to be called although its time has not come.
    pub fn is_pressed(&self) -> bool {
        self.dirty || self.status_changed || self.inline()
    }

    /// Handles packets that devices polled here have, and what engines have to tell, until there is no more.
    pub fn run_packets(&mut self, r: &mut reactor::Reactor) {
        for _ in 0..64 {
            let mut busy = false;
            if self.inline() {
                for backer in self.backers.values_mut() {
                    busy |= datapath::poll(&mut backer.dp);
                }
            }
            busy |= self.drain_events(r);
            self.handle_effects(r);
            self.publish();
            if !busy {
                break;
            }
        }
    }

    /// Descriptors to watch, or not any more, for packets that are polled by [`Switch::run_packets`].
    pub fn changed_fds(&mut self) -> Vec<FdChanges> {
        if !self.inline() {
            return Vec::new();
        }
        self.backers.values_mut().filter_map(|b| b.dp.changed_fds()).collect()
    }

    /// The configuration last applied.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Whether interfaces are asked for that are not there.
    pub fn has_missing(&self) -> bool {
        self.bridges.values().any(|b| !b.failed.is_empty() || b.interfaces.values().any(|i| i.gone))
    }

    /// Whether status that the database shows may have changed since this was last asked.
    pub fn take_status_changed(&mut self) -> bool {
        std::mem::take(&mut self.status_changed)
    }

    /// Counts everything that the datapath has counted until now.
    pub fn push_stats_now(&mut self, r: &mut reactor::Reactor) {
        self.push_stats(r);
    }

    /// When [`Switch::run`] has something to do next, if nothing happens before.
    pub fn next_deadline(&self) -> Time {
        self.deadline
    }

    pub(crate) fn bridge_names(&self) -> Vec<String> {
        self.bridges.keys().cloned().collect()
    }
}

/// Options in effect of an interface's device, as listings show them.
pub fn host_config(i: &bridge::Interface, backer: Option<&Backer>) -> Vec<(String, String)> {
    device(i, backer).map(|d| d.config()).unwrap_or_default()
}

/// The same for a datapath port.
pub fn host_config_of(backer: &Backer, port: base::DpPort) -> Vec<(String, String)> {
    dpif::Datapath::device(&backer.dp, port).map(|d| d.config()).unwrap_or_default()
}

/// Counters of an interface.
pub fn device_stats(
    i: &bridge::Interface,
    backer: Option<&Backer>,
    id: pipeline::BridgeId,
) -> dpif::netdev::NetdevStats {
    host::device_stats(i, backer, backer.map(|b| &*b.counters), id)
}
