//! What OpenFlow state wants done, in its order.

use super::Switch;
use super::bridge::Seen;
use crate::codec;
use base::Xid;
use datapath::{Band, MeterUnit};
use ofproto::Effect;
use openflow::OfpErr;
use openflow::msg::{MeterConfig, PortConfig};
use reactor::Reactor;
use std::collections::HashSet;
use std::sync::Arc;

impl Switch {
    /// Carries out the effects of all bridges.
    pub(super) fn handle_effects(&mut self, r: &mut Reactor) {
        for name in self.bridge_names() {
            self.bridge_effects(r, &name, None);
        }
    }

    /// Carries out the effects of one bridge. `request` is the message being answered.
    pub(super) fn bridge_effects(&mut self, r: &mut Reactor, bridge: &str, request: Option<(Xid, &[u8])>) {
        loop {
            let Some(b) = self.bridges.get_mut(bridge) else { return };
            let effects = b.ofproto.take_effects();
            if effects.is_empty() {
                return;
            }
            for effect in effects {
                self.effect(r, bridge, effect, request);
            }
        }
    }

    fn effect(&mut self, r: &mut Reactor, bridge: &str, effect: Effect, request: Option<(Xid, &[u8])>) {
        match effect {
            Effect::TablesChanged => {
                if let Some(b) = self.bridges.get_mut(bridge) {
                    b.stale.tables = true;
                    self.dirty = true;
                }
            }
            Effect::Send(id, xid, message) => {
                // Whoever is told something finds it true.
                self.publish();
                self.send_packets();
                self.send(r, bridge, id, xid, &message);
            }
            Effect::Error(id, xid, error) => {
                let Some(b) = self.bridges.get_mut(bridge) else { return };
                let Some(of) = b.ofproto.connection(id).map(codec::of) else { return };
                let cause = request.filter(|(x, _)| *x == xid).map_or(&[][..], |(_, bytes)| bytes);
                let reply = codec::error_about(&of, xid, error, cause);
                if let Some(conn) = b.connections.by_id(id) {
                    conn.rconn.send(r, &reply, super::connections::CLASS_REPLY);
                }
            }
            Effect::ErrorAbout(id, xid, error, about) => {
                let Some(b) = self.bridges.get_mut(bridge) else { return };
                let Some(of) = b.ofproto.connection(id).map(codec::of) else { return };
                codec::encode(&of, xid, &about, &mut self.encoded);
                let cause = codec::messages(&self.encoded).next().unwrap_or_default();
                let reply = codec::error_about(&of, xid, error, cause);
                if let Some(conn) = b.connections.by_id(id) {
                    conn.rconn.send(r, &reply, super::connections::CLASS_REPLY);
                }
            }
            Effect::PacketOut(request) => {
                self.publish();
                self.packet_out(r, bridge, &request);
            }
            Effect::Resume(id, xid, packet) => match self.paused_bridge(&packet) {
                Some(paused) => {
                    self.publish();
                    self.resume(r, &paused, &packet);
                }
                None => self.effect(r, bridge, Effect::Error(id, xid, OfpErr::NXR_STALE), request),
            },
            Effect::PortConfig(port, config) => self.port_config(bridge, port, config),
            Effect::PortAdvertise(..) => {}
            Effect::Fragments(_) => {
                if let Some(b) = self.bridges.get_mut(bridge) {
                    b.stale.config = true;
                    self.dirty = true;
                }
            }
            Effect::Meter(change) => self.meter(bridge, change),
            // Connections are not tracked yet: there are none to flush.
            Effect::CtFlush(_) | Effect::CtFlushZone(_) => {}
        }
    }

    fn meter(&mut self, bridge: &str, change: Result<MeterConfig, base::MeterId>) {
        let number = match &change {
            Ok(config) => self.meter_number(bridge, config.meter),
            Err(_) => 0,
        };
        let Some(b) = self.bridges.get_mut(bridge) else { return };
        let Some(backer) = self.backers.get_mut(&b.kind) else { return };
        match change {
            Ok(config) => {
                let packets = config.flags & MeterConfig::PKTPS != 0;
                let unit = if packets { MeterUnit::Pktps } else { MeterUnit::Kbps };
                let bands: Vec<Band> = config.bands.iter().map(codec::band).collect();
                backer.dp.set_meter(number, unit, &bands);
                Arc::make_mut(&mut b.meters).insert(config.meter, number);
            }
            Err(meter) => {
                // It may not have come to the datapath, if that had gone before.
                if let Some(number) = Arc::make_mut(&mut b.meters).remove(&meter) {
                    let _ = backer.dp.del_meter(number);
                }
            }
        }
        b.stale.config = true;
        self.dirty = true;
    }

    /// Number of a bridge's meter in the datapath, which several bridges share: the one that it has, or the lowest that
    /// none has.
    fn meter_number(&self, bridge: &str, meter: base::MeterId) -> u32 {
        let Some(b) = self.bridges.get(bridge) else { return 0 };
        if let Some(number) = b.meters.get(&meter) {
            return *number;
        }
        let same = self.bridges.values().filter(|other| other.kind == b.kind);
        let taken: HashSet<u32> = same.flat_map(|other| other.meters.values().copied()).collect();
        (0..u32::MAX).find(|n| !taken.contains(n)).unwrap_or(u32::MAX)
    }

    /// A controller changed a port's settings: the device follows, and so does translation.
    fn port_config(&mut self, bridge: &str, port: base::OfPort, config: PortConfig) {
        let Some(b) = self.bridges.get_mut(bridge) else { return };
        let up = config.0 & PortConfig::PORT_DOWN == 0;
        let kind = b.kind.clone();
        let Some(interface) = b.interfaces.values_mut().find(|i| i.of_port == port) else { return };
        interface.fresh = true;
        let device = match &mut interface.patch {
            Some(device) => Some(&mut **device),
            None => self
                .backers
                .get_mut(&kind)
                .and_then(|k| dpif::Datapath::device_mut(&mut k.dp, interface.dp_port)),
        };
        let Some(device) = device else { return };
        let result = device.set_admin_up(up);
        let seen = Seen::look(device);
        interface.see(seen);
        if let Err(e) = result {
            base::warn!(
                self.env.log,
                "netdev",
                "{}: failed to set network device flags: {}",
                interface.name,
                e.what
            );
        }
        // A device that goes down loses its link.
        self.refresh_ports(bridge);
    }
}
