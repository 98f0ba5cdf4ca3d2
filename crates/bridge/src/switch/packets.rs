//! Packets that the control side sends into the pipeline, and counters on their way back.

use super::Switch;
use super::bridge::Bridge;
use crate::view::{Effects, ended};
use base::{DpPort, OfPort};
use datapath::Meta;
use dpif::action::{ControllerCookie, UserCookie};
use dpif::{Datapath as _, DpAction};
use flow::extract::{Metadata, extract_key};
use flow::{Field, FlowKey};
use ofproto::PacketOutRequest;
use ofproto::group::Pair;
use openflow::msg::PacketIn;
use openflow::msg::packet_in::{Continuation, ContinuationFrame};
use pipeline::recirc::{Frozen, FrozenActions};
use pipeline::trace::Live;
use pipeline::{Effect, Origin, Request};
use reactor::Reactor;
use std::collections::HashSet;
use std::time::Duration;

/// Continuations below this number are not worth the search for unused ones.
const MANY_CONTINUATIONS: usize = 256;
/// How long a megaflow may be unused.
const DEFAULT_MAX_IDLE: Duration = Duration::from_millis(10_000);

impl Switch {
    /// Runs a controller's packet through its actions.
    pub(super) fn packet_out(&mut self, r: &mut Reactor, bridge: &str, request: &PacketOutRequest) {
        let metadata = request.metadata.expand();
        let in_port = OfPort(metadata.get(Field::IN_PORT_OXM).0 as u32);
        self.send_packet(r, bridge, &request.packet, &metadata.key, in_port, &request.actions);
    }

    /// What a controller gets with a paused packet, so that the packet can go on.
    pub(super) fn continuation(
        &self,
        kind: &str,
        cookie: &ControllerCookie,
        port: DpPort,
    ) -> Option<Box<Continuation>> {
        if !cookie.continuation {
            return None;
        }
        let backer = self.backers.get(kind)?;
        let name = backer.bridges.get(cookie.bridge as usize)?.as_ref()?;
        let frozen = backer.dp.snapshot().snapshot.recirc.get(cookie.recirc_id)?;
        let bytes = |(value, bits): &(u128, u16)| {
            value.to_be_bytes()[16 - usize::from(bits.div_ceil(8)).min(16)..].to_vec()
        };
        let frame = |f: &FrozenActions| ContinuationFrame {
            table: f.table.0,
            cookie: f.cookie,
            actions: f.actions.clone(),
        };
        Some(Box::new(Continuation {
            bridge: Some(self.bridges.get(name)?.config.row.0.to_be_bytes()),
            stack: frozen.stack.iter().rev().map(bytes).collect(),
            mirrors: frozen.mirrors,
            conntracked: frozen.conntracked,
            odp_port: Some(port.0),
            frames: frozen.actions.iter().map(frame).collect(),
            action_set: frozen.action_set.clone(),
        }))
    }

    /// Goes on with a packet that a controller resumes: it enters the tables again where it left.
    /// The bridge in which a packet was paused, if it still is.
    pub(super) fn paused_bridge(&self, packet: &PacketIn) -> Option<String> {
        let id = packet.continuation.as_ref()?.bridge?;
        let paused = |b: &&Bridge| b.config.row.0.to_be_bytes() == id;
        self.bridges.values().find(paused).map(|b| b.config.name.clone())
    }

    pub(super) fn resume(&mut self, r: &mut Reactor, bridge: &str, packet: &PacketIn) {
        let metadata = packet.metadata.expand();
        let in_port = OfPort(metadata.get(Field::IN_PORT_OXM).0 as u32);
        let c = packet.continuation.as_deref().cloned().unwrap_or_default();
        let Some(b) = self.bridges.get(bridge) else { return };
        let of_port = b.interface(in_port).map_or(DpPort::NONE, |i| i.dp_port);
        let dp_port = c.odp_port.map_or(of_port, DpPort);
        let id = b.id;
        let Some(backer) = self.backers.get(&b.kind) else { return };
        let view = backer.dp.snapshot();
        let rest = Metadata { rest: Some(&metadata.key), ..Metadata::received(dp_port.0) };
        let (mut key, _) = extract_key(&packet.packet, &rest);
        copy_pipeline_fields(&metadata.key, &mut key);
        key.set_dp_port(dp_port);
        let value = |bytes: &Vec<u8>| {
            let value = bytes.iter().fold(0u128, |v, b| v << 8 | u128::from(*b));
            (value, 8 * bytes.len().min(16) as u16)
        };
        let step = |f: ContinuationFrame| FrozenActions {
            table: base::TableId(f.table),
            cookie: f.cookie,
            actions: f.actions,
        };
        let state = view.snapshot.recirc.intern(Frozen {
            bridge: id,
            in_port,
            metadata: key.clone(),
            stack: c.stack.iter().rev().map(value).collect(),
            action_set: c.action_set,
            actions: c.frames.into_iter().map(step).collect(),
            table: None,
            mirrors: c.mirrors,
            conntracked: c.conntracked,
        });
        key.set(Field::RECIRC_ID, state.into());
        let kind = backer.kind.clone();
        self.carry(r, &kind, &packet.packet, dp_port, &key, Origin::Datapath);
    }

    fn send_packet(
        &mut self,
        r: &mut Reactor,
        bridge: &str,
        frame: &[u8],
        metadata: &FlowKey,
        in_port: OfPort,
        actions: &[openflow::Action],
    ) {
        let Some(b) = self.bridges.get(bridge) else { return };
        let dp_port = b.interface(in_port).map_or(DpPort::NONE, |i| i.dp_port);
        let (id, kind) = (b.id, b.kind.clone());
        let (mut key, _) =
            extract_key(frame, &Metadata { rest: Some(metadata), ..Metadata::received(dp_port.0) });
        copy_pipeline_fields(metadata, &mut key);
        key.set_dp_port(dp_port);
        self.carry(r, &kind, frame, dp_port, &key, Origin::PacketOut { bridge: id, in_port, actions });
    }

    /// Translates a packet and does what comes out.
    fn carry(
        &mut self,
        r: &mut Reactor,
        kind: &str,
        frame: &[u8],
        port: DpPort,
        key: &FlowKey,
        origin: Origin<'_>,
    ) {
        let now = self.now();
        let Some(backer) = self.backers.get(kind) else { return };
        let view = backer.dp.snapshot();
        let translation = pipeline::translate(&view.snapshot, &Request { key, origin, dry_run: false }, None);
        view.warn(&translation.warnings);
        let effects = Effects::new(translation.effects, &view.counters);
        effects.credit(1, frame.len() as u64, now);
        self.happen(r, kind, (frame, port, key), translation.actions, &effects);
    }

    /// Executes actions on a packet, and applies its effects.
    fn happen(
        &mut self,
        r: &mut Reactor,
        kind: &str,
        packet: (&[u8], DpPort, &FlowKey),
        actions: Vec<DpAction>,
        effects: &Effects,
    ) {
        let (frame, port, key) = packet;
        let Some(backer) = self.backers.get_mut(kind) else { return };
        backer.dp.execute_keyed(frame, Meta::received(port), key, &actions);
        self.unsent = true;
        self.apply_control(kind, &effects.control, key.tcp_flags());
        // In test mode what the packet causes has happened by the time that the next message is handled.
        if self.inline() {
            self.send_packets();
            self.drain_events(r);
        }
    }

    /// Sends the packets that were made here.
    pub(super) fn send_packets(&mut self) {
        if std::mem::take(&mut self.unsent) {
            self.backers.values_mut().for_each(|b| b.dp.flush());
        }
    }

    /// Lets happen what a traced packet causes: stations and flows are learned, controllers told. It is not sent to
    /// ports, and not counted.
    pub(crate) fn traced(&mut self, r: &mut Reactor, kind: &str, live: Live) {
        let Some(backer) = self.backers.get(kind) else { return };
        let effects = Effects::new(live.translation.effects, &backer.dp.snapshot().counters);
        let actions = unsent(live.translation.actions);
        self.happen(r, kind, (&live.packet, live.port, &live.key), actions, &effects);
        self.publish();
    }

    /// Pushes counters from the datapath into rules, and applies again what only this thread can apply.
    pub(super) fn push_stats(&mut self, _r: &mut Reactor) {
        let mut again: Vec<(String, Vec<Effect>, u16)> = Vec::new();
        for (kind, backer) in &mut self.backers {
            backer.dp.push_stats(&mut |effects, flow, _, _| {
                if !effects.control.is_empty() {
                    again.push((kind.clone(), effects.control.to_vec(), flow.tcp_flags()));
                }
            });
        }
        self.push_meter_stats();
        for (kind, effects, tcp_flags) in again {
            self.apply_control(&kind, &effects, tcp_flags);
        }
    }

    /// Copies what the datapath's meters have counted into those that controllers see.
    fn push_meter_stats(&mut self) {
        for b in self.bridges.values() {
            let Some(backer) = self.backers.get(&b.kind) else { continue };
            for meter in b.ofproto.tables().meters() {
                let number = b.meters.get(&meter.id());
                let Some(Ok((now, _))) = number.map(|n| backer.dp.meter(*n)) else { continue };
                let raise = |pair: &Pair, packets: u64, bytes: u64| {
                    let (p, b) = pair.get();
                    pair.credit(packets.saturating_sub(p), bytes.saturating_sub(b));
                };
                raise(&meter.counters.total, now.packets, now.bytes);
                for (band, (packets, bytes)) in meter.counters.bands.iter().zip(&now.bands) {
                    raise(band, *packets, *bytes);
                }
            }
        }
    }

    /// Forgets continuations that no datapath flow leads to any more.
    fn forget_continuations(&mut self) {
        for backer in self.backers.values_mut() {
            let recirc = backer.dp.snapshot().snapshot.recirc.clone();
            if recirc.len() < MANY_CONTINUATIONS {
                continue;
            }
            let mut used = HashSet::new();
            for flow in backer.dp.dump_flows() {
                used.insert(flow.key.recirc_id());
                continuations(&flow.actions, &mut used);
            }
            recirc.retain(|id| used.contains(&id));
        }
    }

    /// Before an answer with counters: they include what the datapath has counted until now.
    pub(super) fn push_stats_soon(&mut self, r: &mut Reactor) {
        self.push_stats(r);
    }

    /// Removes datapath flows that were not used for a while.
    pub(super) fn expire_datapath_flows(&mut self) {
        let asked = self.config.other_config.get("max-idle").and_then(|v| v.parse().ok());
        let max_idle = asked.map_or(DEFAULT_MAX_IDLE, |ms: u64| Duration::from_millis(ms.max(500)));
        for backer in self.backers.values_mut() {
            backer.dp.expire(max_idle);
        }
        self.forget_continuations();
    }

    /// Applies effects that change state of the control thread.
    pub(super) fn apply_control(&mut self, kind: &str, effects: &[Effect], tcp_flags: u16) {
        let now = self.now();
        for effect in effects {
            match effect {
                Effect::MacLearn { bridge, heard } => {
                    let Some(b) = self.bridge_by_id(kind, *bridge) else { continue };
                    if b.mac.heard(*heard, now) {
                        b.mac_changed();
                        self.dirty = true;
                    }
                }
                Effect::Learn(learn) => {
                    let Some(b) = self.bridge_by_id(kind, learn.bridge) else { continue };
                    // A table that is full keeps what it has.
                    let _ = b.ofproto.learn(learn.flow_mod.clone(), learn.limit, now);
                    self.dirty = true;
                }
                Effect::FinTimeout { rule, idle, hard } if ended(tcp_flags) => {
                    for b in self.bridges.values_mut() {
                        b.ofproto.fin_timeout(rule, *idle, *hard, now);
                    }
                }
                _ => {}
            }
        }
    }

    pub(super) fn bridge_by_id(
        &mut self,
        kind: &str,
        id: pipeline::BridgeId,
    ) -> Option<&mut super::bridge::Bridge> {
        let name = self.backers.get(kind)?.bridges.get(id.0 as usize)?.as_ref()?;
        self.bridges.get_mut(name)
    }
}

/// The actions without those by which a packet gets somewhere.
fn unsent(actions: Vec<DpAction>) -> Vec<DpAction> {
    let stays = |a: DpAction| match a {
        DpAction::Output(_) | DpAction::Recirc(_) | DpAction::Sample { .. } | DpAction::CheckPktLen(_) => {
            None
        }
        DpAction::Clone(inner) => Some(DpAction::Clone(unsent(inner))),
        other => Some(other),
    };
    actions.into_iter().filter_map(stays).collect()
}

/// The continuations that actions lead to.
fn continuations(actions: &[DpAction], used: &mut HashSet<u32>) {
    for a in actions {
        match a {
            DpAction::Recirc(id) => {
                used.insert(*id);
            }
            DpAction::Userspace(u) => {
                if let UserCookie::Controller(c) = &u.cookie {
                    used.insert(c.recirc_id);
                }
            }
            DpAction::Clone(inner) | DpAction::Sample { actions: inner, .. } => continuations(inner, used),
            DpAction::CheckPktLen(check) => {
                continuations(&check.greater, used);
                continuations(&check.less_equal, used);
            }
            _ => {}
        }
    }
}

/// Fields that no packet carries come from the controller.
fn copy_pipeline_fields(from: &FlowKey, to: &mut FlowKey) {
    for field in Field::in_words(from.map()) {
        if openflow::prereq::is_pipeline(field) && from.get(field) != 0 {
            to.set(field, from.get(field));
        }
    }
}
