//! `BRIDGE.snoop`: whoever connects there gets a copy of all that goes between the bridge and one of its controllers,
//! the primary one if there is one.

use super::Switch;
use super::connections::{CLASS_REPLY, Connections, Slot, options};
use crate::config::ControllerConfig;
use base::{error, info};
use ofproto::ConnId;
use openflow::VersionSet;
use openflow::msg::Role;
use reactor::vconn::{Rconn, Vconn};
use reactor::{Key, Listener, Reactor};
use std::collections::BTreeMap;

/// Bytes queued for one who listens in, beyond which copies are dropped.
const BACKLOG_LIMIT: usize = 1 << 20;
/// No more listen in at once.
const MAX_SNOOPERS: usize = 64;

/// The socket, and who has connected.
#[derive(Default)]
pub struct Snoop {
    listener: Option<(Listener, Key)>,
    snoopers: BTreeMap<u64, Snooper>,
}

struct Snooper {
    rconn: Rconn,
    /// The controller that is listened in on.
    target: String,
}

/// Whom to listen in on: the controller with the highest role, of those that are connected.
fn best(b: &super::bridge::Bridge) -> Option<String> {
    let rank = |id: ConnId| match b.ofproto.connection(id).map(|c| c.role) {
        Some(Role::Primary) => 2,
        Some(Role::Equal | Role::NoChange) => 1,
        _ => 0,
    };
    let all = b.connections.controllers.iter().filter(|(_, (c, conn))| !c.service && conn.rconn.is_alive());
    all.max_by_key(|(_, (_, conn))| conn.id.map_or(-1, rank)).map(|(target, _)| target.clone())
}

impl Switch {
    /// Opens the socket if it is not there.
    pub(super) fn open_snoop(&mut self, r: &mut Reactor, bridge: &str) {
        let Some(b) = self.bridges.get_mut(bridge) else { return };
        if b.connections.snoop.listener.is_some() || bridge.contains('/') {
            return;
        }
        let target = format!("punix:{}/{bridge}.snoop", self.env.rundir.display());
        let key = self.keys.give(bridge, |_| Slot::SnoopListener);
        let options = options(&ControllerConfig::default(), VersionSet::ALL);
        match Listener::open(r, key, &target, options.vconn.stream()) {
            Ok(listener) => b.connections.snoop.listener = Some((listener, key)),
            Err(e) => {
                self.keys.take_back(key);
                error!(self.env.log, "connmgr", "failed to listen on {target}: {}", reactor::errno::text(&e));
            }
        }
    }

    /// Closes it, with all that listen in.
    pub(super) fn close_snoop(&mut self, r: &mut Reactor, bridge: &str) {
        let Some(b) = self.bridges.get_mut(bridge) else { return };
        let snoop = std::mem::take(&mut b.connections.snoop);
        for (_, mut s) in snoop.snoopers {
            s.rconn.disconnect(r);
            self.keys.take_back(s.rconn.key());
        }
        if let Some((listener, key)) = snoop.listener {
            self.keys.take_back(key);
            listener.close(r);
        }
    }

    pub(super) fn accept_snooper(&mut self, r: &mut Reactor, bridge: &str) {
        loop {
            let Some(b) = self.bridges.get_mut(bridge) else { return };
            let best = best(b);
            let Some((listener, _)) = b.connections.snoop.listener.as_mut() else { return };
            let key = self.keys.give(bridge, Slot::Snooper);
            let stream = match listener.accept(r, key) {
                Ok(Some(stream)) => stream,
                _ => return self.keys.take_back(key),
            };
            let Some(target) = best.filter(|_| b.connections.snoop.snoopers.len() < MAX_SNOOPERS) else {
                info!(self.env.log, "connmgr", "no controller connection to snoop");
                self.keys.take_back(key);
                continue;
            };
            let options = options(
                &ControllerConfig { inactivity_probe: 0, max_backoff: 1000, ..Default::default() },
                VersionSet::ALL,
            );
            let name = format!("{bridge}<->{}", stream.name());
            let vconn = Vconn::accepted(r, stream, options.vconn);
            let mut rconn = Rconn::new(r, key, options);
            rconn.accept(r, vconn, &name);
            b.connections.snoop.snoopers.insert(key.index(), Snooper { rconn, target });
            tap(&mut b.connections);
            self.run_snooper(r, bridge, key.index());
        }
    }

    /// What one who listens in says is not heard.
    pub(super) fn run_snooper(&mut self, r: &mut Reactor, bridge: &str, n: u64) {
        let Some(b) = self.bridges.get_mut(bridge) else { return };
        let Some(s) = b.connections.snoop.snoopers.get_mut(&n) else { return };
        s.rconn.run(r);
        while s.rconn.recv(r).is_some() {}
        if !s.rconn.is_alive() {
            let key = s.rconn.key();
            b.connections.snoop.snoopers.remove(&n);
            self.keys.take_back(key);
            tap(&mut b.connections);
        }
    }

    /// Hands on the copies made since this was last done.
    pub(super) fn pass_to_snoopers(&mut self, r: &mut Reactor, bridge: &str) {
        let Some(b) = self.bridges.get_mut(bridge) else { return };
        let Connections { controllers, snoop, .. } = &mut b.connections;
        if snoop.snoopers.is_empty() {
            return;
        }
        for (target, (_, conn)) in controllers {
            let copies = conn.rconn.take_tapped();
            if copies.is_empty() {
                continue;
            }
            for s in snoop.snoopers.values_mut().filter(|s| s.target == *target) {
                for copy in &copies {
                    if s.rconn.backlog() < BACKLOG_LIMIT {
                        s.rconn.send(r, copy, CLASS_REPLY);
                    }
                }
                s.rconn.flush(r);
            }
        }
    }
}

/// Copies are made where somebody listens.
fn tap(connections: &mut Connections) {
    let Connections { controllers, snoop, .. } = connections;
    for (target, (_, conn)) in controllers {
        conn.rconn.set_tap(snoop.snoopers.values().any(|s| s.target == *target));
    }
}
