//! Requests: one message in, its answers out.

use crate::bundle::Step;
use crate::connection::{ConnId, Connection, is_packet_out_port};
use crate::effect::{Effect, PacketOutRequest};
use crate::flow_mod::{check_references, flow_mod};
use crate::group_mod::{group_mod, meter_mod};
use crate::ofproto::{Host, Ofproto};
use base::{OfPort, Time, Xid};
use flow::layout;
use openflow::msg::{
    AsyncKind, BundleAdd, BundleControl, BundleControlKind, Features, FragHandling, PacketOut, PortMod, Role,
    RoleReason, RoleRequest, RoleStatus, StatsRequest, SwitchConfig, TableMod,
};
use openflow::{Message, OfpErr, Version};

/// What a port-mod may change.
const PORT_CONFIG: u32 = {
    use openflow::msg::PortConfig as C;
    C::PORT_DOWN | C::NO_STP | C::NO_RECV | C::NO_RECV_STP | C::NO_FLOOD | C::NO_FWD | C::NO_PACKET_IN
};

type Done = Result<(), OfpErr>;

impl Ofproto {
    /// Carries out a request; answers and what else is to be done are in [`Ofproto::take_effects`]. When it returns,
    /// all of the request has taken effect, or none, and that includes everything before it.
    pub fn handle_message(&mut self, id: ConnId, xid: Xid, message: Message, now: Time, host: &dyn Host) {
        while self.is_answering(id) {
            self.answer(id, now);
        }
        let Some(conn) = self.connections.get(&id) else { return };
        let done = if conn.is_secondary() && changes_the_switch(&message) {
            Err(OfpErr::OFPBRC_IS_SECONDARY)
        } else {
            self.dispatch(id, xid, message, now, host)
        };
        if let Err(error) = done {
            self.effects.push(Effect::Error(id, xid, error));
        }
    }

    fn dispatch(&mut self, id: ConnId, xid: Xid, message: Message, now: Time, host: &dyn Host) -> Done {
        let version = self.connections.get(&id).map_or(Version::V10, Connection::version);
        match message {
            Message::FlowMod(mut fm) => {
                let command = fm.command;
                flow_mod(&mut self.state, &mut fm, version, now)?;
                self.commit(Some((id, xid)), now);
                self.tally(id, command, now);
            }
            Message::BarrierRequest => self.reply(id, xid, Message::BarrierReply),
            Message::StatsRequest(r) => return self.stats_request(id, xid, version, r, now, host),
            Message::PacketOut(po) => return self.packet_out(*po, version),
            Message::GroupMod(gm) => {
                group_mod(&mut self.state, &gm, now)?;
                self.commit(Some((id, xid)), now);
                self.forward(id, xid, Message::GroupMod(gm), 0);
            }
            Message::MeterMod(mm) => {
                meter_mod(&mut self.state, &mm, now)?;
                self.commit(Some((id, xid)), now);
                self.forward(id, xid, Message::MeterMod(mm), 1);
            }
            Message::PortMod(pm) => {
                self.check_port_mod(&pm)?;
                self.port_mod(id, &pm);
            }
            Message::TableMod(tm) => return self.table_mod(&tm, version),
            Message::EchoRequest(data) => self.reply(id, xid, Message::EchoReply(data)),
            Message::FeaturesRequest => self.reply_features(id, xid, version),
            Message::GetConfigRequest => self.reply_config(id, xid),
            Message::SetConfig(c) => self.set_config(id, &c),
            Message::RoleRequest(r) => return self.role_request(id, xid, r),
            Message::GetAsyncRequest => {
                if let Some(c) = self.connections.get(&id) {
                    let config = Box::new(c.async_config);
                    self.reply(id, xid, Message::GetAsyncReply(config));
                }
            }
            Message::SetAsync(config) => self.with(id, |c| c.set_async(*config)),
            Message::QueueGetConfigRequest(r) => {
                let queues = self.queue_config(r, host)?;
                self.reply(id, xid, Message::QueueGetConfigReply(r.port, queues));
            }
            Message::BundleControl(bc) => return self.bundle_control(id, xid, &bc, version, now),
            Message::BundleAdd(add) => {
                let Some(conn) = self.connections.get_mut(&id) else { return Ok(()) };
                conn.bundles.add(add.bundle_id, add.flags, (add.xid, add.message), now)?;
            }
            Message::SetFlowFormat(nxm) => self.with(id, |c| c.protocol = c.protocol.with_nxm(nxm)),
            Message::FlowModTableId(on) => self.with(id, |c| c.protocol = c.protocol.with_table_id(on)),
            Message::SetPacketInFormat(format) => self.with(id, |c| c.packet_in_format = format),
            Message::SetControllerId(n) => self.with(id, |c| c.controller_id = n),
            Message::Resume(pin) => self.effects.push(Effect::Resume(id, xid, pin)),
            Message::CtFlush(f) => self.effects.push(Effect::CtFlush(f)),
            Message::CtFlushZone(zone) => self.effects.push(Effect::CtFlushZone(zone)),
            Message::FlowMonitorCancel(monitor) => return self.cancel_monitor(id, monitor),
            Message::TlvTableMod(change) => {
                self.tlv = self.tlv.changed(&change, self.state.tables())?;
                for c in self.connections.values_mut() {
                    c.tun.clone_from(self.tlv.layout());
                }
            }
            Message::TlvTableRequest => {
                let map = self.tlv.reply();
                self.reply(id, xid, Message::TlvTableReply(map));
            }
            Message::Hello(_) | Message::Error(_) | Message::EchoReply(_) | Message::FlowAge => {}
            // Replies and notifications are the switch's to send.
            _ => return Err(OfpErr::OFPBRC_BAD_TYPE),
        }
        Ok(())
    }

    /// Takes part of a statistics request: its length and whether more is to come. Gives the request once it is whole.
    pub fn stats_part(
        &mut self,
        id: ConnId,
        xid: Xid,
        request: StatsRequest,
        (bytes, more): (usize, bool),
        now: Time,
    ) -> Result<Option<StatsRequest>, OfpErr> {
        match self.connections.get_mut(&id) {
            Some(c) => c.parts.push(xid, request, bytes, more, now),
            None => Ok(Some(request)),
        }
    }

    pub(crate) fn reply(&mut self, id: ConnId, xid: Xid, message: Message) {
        self.effects.push(Effect::Send(id, xid, message));
    }

    fn tally(&mut self, id: ConnId, command: openflow::msg::FlowModCommand, now: Time) {
        if let Some(c) = self.connections.get_mut(&id) {
            c.tally.count(command, now);
        }
    }

    fn with(&mut self, id: ConnId, f: impl FnOnce(&mut Connection)) {
        if let Some(c) = self.connections.get_mut(&id) {
            f(c);
        }
        self.update_miss();
    }

    fn reply_features(&mut self, id: ConnId, xid: Xid, version: Version) {
        use Features as F;
        let mut capabilities =
            F::CAP_FLOW_STATS | F::CAP_TABLE_STATS | F::CAP_PORT_STATS | F::CAP_QUEUE_STATS;
        if version <= Version::V11 {
            capabilities |= F::CAP_ARP_MATCH_IP;
        }
        if version >= Version::V11 {
            capabilities |= F::CAP_GROUP_STATS;
        }
        if version >= Version::V14 {
            capabilities |= F::CAP_BUNDLES;
        }
        let features = Features {
            datapath_id: self.config.datapath_id,
            n_buffers: 0,
            n_tables: crate::tables::N_VISIBLE,
            auxiliary_id: 0,
            capabilities,
            // The twelve standard actions of OpenFlow 1.0.
            actions: if version == Version::V10 { 0xfff } else { 0 },
            ports: if version < Version::V13 {
                self.ports_listed().map(|p| p.desc.clone()).collect()
            } else {
                Vec::new()
            },
        };
        self.reply(id, xid, Message::FeaturesReply(Box::new(features)));
    }

    fn reply_config(&mut self, id: ConnId, xid: Xid) {
        let Some(c) = self.connections.get(&id) else { return };
        let config = SwitchConfig {
            frag: self.frag,
            invalid_ttl_to_controller: (c.version() < Version::V13).then(|| c.invalid_ttl()),
            miss_send_len: c.miss_send_len,
        };
        self.reply(id, xid, Message::GetConfigReply(config));
    }

    fn set_config(&mut self, id: ConnId, config: &SwitchConfig) {
        let Some(c) = self.connections.get_mut(&id) else { return };
        c.miss_send_len = config.miss_send_len;
        if let Some(on) = config.invalid_ttl_to_controller {
            c.set_invalid_ttl(on);
        }
        let may = c.kind == crate::ConnKind::Service || !c.is_secondary();
        if may && config.frag != FragHandling::Reassemble && config.frag != self.frag {
            self.frag = config.frag;
            self.effects.push(Effect::Fragments(config.frag));
        }
        self.update_miss();
    }

    fn role_request(&mut self, id: ConnId, xid: Xid, request: RoleRequest) -> Done {
        let elects = matches!(request.role, Role::Primary | Role::Secondary);
        if elects && let Some(generation) = request.generation_id {
            if self.generation_id.is_some_and(|g| generation.wrapping_sub(g) as i64 <= -1) {
                return Err(OfpErr::OFPRRFC_STALE);
            }
            self.generation_id = Some(generation);
        }
        if request.role != Role::NoChange {
            self.set_role(id, request.role);
        }
        let Some(c) = self.connections.get(&id) else { return Ok(()) };
        // A request in Nicira's form, which has no generation, is answered in kind.
        let generation_id = request.generation_id.map(|_| self.generation_id.unwrap_or(u64::MAX));
        let reply = RoleRequest { role: c.role, generation_id };
        self.reply(id, xid, Message::RoleReply(reply));
        Ok(())
    }

    fn set_role(&mut self, id: ConnId, role: Role) {
        let mut demoted = Vec::new();
        for c in self.connections.values_mut() {
            if c.id == id {
                c.role = role;
            } else if role == Role::Primary && c.role == Role::Primary {
                c.role = Role::Secondary;
                if c.version() >= Version::V13
                    && c.wants(AsyncKind::RoleStatus, RoleReason::PrimaryRequest.number().into())
                {
                    demoted.push(c.id);
                }
            }
        }
        for id in demoted {
            let status = RoleStatus {
                role: Role::Secondary,
                reason: RoleReason::PrimaryRequest,
                generation_id: self.generation_id.unwrap_or(u64::MAX),
            };
            self.reply(id, crate::connection::ASYNC_XID, Message::RoleStatus(status));
        }
        self.update_miss();
    }

    /// Tells the other controllers that want to know of a group-mod or meter-mod.
    fn forward(&mut self, id: ConnId, xid: Xid, message: Message, reason: u32) {
        let others: Vec<ConnId> = self
            .connections
            .values()
            .filter(|c| {
                c.id != id && c.version() >= Version::V14 && c.wants(AsyncKind::RequestForward, reason)
            })
            .map(|c| c.id)
            .collect();
        for other in others {
            let forwarded = Message::RequestForward(xid, Box::new(message.clone()));
            self.reply(other, crate::connection::ASYNC_XID, forwarded);
        }
    }

    fn packet_out(&mut self, po: PacketOut, version: Version) -> Done {
        let request = self.check_packet_out(po, version)?;
        self.effects.push(Effect::PacketOut(Box::new(request)));
        Ok(())
    }

    fn check_packet_out(&self, po: PacketOut, version: Version) -> Result<PacketOutRequest, OfpErr> {
        if po.buffer_id.is_some() {
            return Err(OfpErr::OFPBRC_BUFFER_UNKNOWN);
        }
        let port = OfPort(po.metadata.expand().key.u32_at(layout::IN_PORT));
        if !is_packet_out_port(port) {
            return Err(OfpErr::OFPBRC_BAD_PORT);
        }
        check_references(&self.state, &po.actions)?;
        Ok(PacketOutRequest { packet: po.packet, metadata: po.metadata, actions: po.actions, version })
    }

    fn check_port_mod(&self, pm: &PortMod) -> Done {
        let port = self.ports.get(&pm.port).ok_or(OfpErr::OFPPMFC_BAD_PORT)?;
        if port.desc.hw_addr != pm.hw_addr {
            return Err(OfpErr::OFPPMFC_BAD_HW_ADDR);
        }
        Ok(())
    }

    fn port_mod(&mut self, id: ConnId, pm: &PortMod) {
        let Some(port) = self.ports.get_mut(&pm.port) else { return };
        let mask = pm.mask.0 & PORT_CONFIG;
        let config = (port.desc.config.0 & !mask) | (pm.config.0 & mask);
        if config != port.desc.config.0 {
            let old = port.desc.clone();
            port.desc.config.0 = config;
            let new = port.desc.clone();
            self.effects.push(Effect::PortConfig(pm.port, new.config));
            self.port_modified(&old, &new, Some(id));
        }
        if pm.advertise != 0 {
            self.effects.push(Effect::PortAdvertise(pm.port, pm.advertise));
        }
    }

    fn table_mod(&mut self, tm: &TableMod, version: Version) -> Done {
        use openflow::msg::{TableEviction, TableMiss};
        if tm.table != 0xff && tm.table >= crate::tables::N_VISIBLE {
            return Err(OfpErr::OFPTMFC_EPERM);
        }
        for n in crate::state::State::table_ids(tm.table) {
            let Some(t) = self.state.tables_mut().table_mut(base::TableId(n)) else { continue };
            let mut config = (*t.config).clone();
            if matches!(version, Version::V11 | Version::V12) || tm.miss != TableMiss::Default {
                config.miss = tm.miss;
            }
            match tm.eviction {
                TableEviction::Default => {}
                TableEviction::On => config.evict_asked = true,
                TableEviction::Off => config.evict_asked = false,
            }
            if tm.vacancy != Default::default() {
                config.vacancy = tm.vacancy;
            }
            let told = tm.vacancy != Default::default();
            t.config = config.into();
            if told {
                self.watch_vacancy(base::TableId(n));
            }
        }
        self.tell_vacancies();
        self.note_change();
        Ok(())
    }
}

/// Bundles.
impl Ofproto {
    fn bundle_control(
        &mut self,
        id: ConnId,
        xid: Xid,
        bc: &BundleControl,
        version: Version,
        now: Time,
    ) -> Done {
        let Some(conn) = self.connections.get_mut(&id) else { return Ok(()) };
        let kind = match conn.bundles.control(bc, xid, now)? {
            Step::Reply(kind) => kind,
            Step::Commit(messages) => {
                if let Err((xid, message, error)) = self.commit_bundle(id, messages, version, now) {
                    let add = BundleAdd { bundle_id: bc.bundle_id, flags: bc.flags, xid, message };
                    let about = Message::BundleAdd(Box::new(add));
                    self.effects.push(Effect::ErrorAbout(id, xid, error, Box::new(about)));
                    return Err(OfpErr::OFPBFC_MSG_FAILED);
                }
                self.commit(Some((id, xid)), now);
                BundleControlKind::CommitReply
            }
        };
        let reply = BundleControl { bundle_id: bc.bundle_id, kind, flags: 0 };
        self.reply(id, xid, Message::BundleControl(reply));
        Ok(())
    }

    /// Carries out all messages, or none and gives back the one that failed.
    fn commit_bundle(
        &mut self,
        id: ConnId,
        messages: Vec<(Xid, Message)>,
        version: Version,
        now: Time,
    ) -> Result<(), (Xid, Message, OfpErr)> {
        let mark = self.state.mark();
        let mut later = Vec::new();
        let commands: Vec<_> = messages
            .iter()
            .filter_map(|(_, m)| if let Message::FlowMod(fm) = m { Some(fm.command) } else { None })
            .collect();
        for (xid, mut message) in messages {
            if let Err(error) = self.bundled(&mut message, version, now, &mut later) {
                self.state.undo_to(mark);
                return Err((xid, message, error));
            }
        }
        for step in later {
            match step {
                Later::Port(pm) => self.port_mod(id, &pm),
                Later::Packet(po) => self.effects.push(Effect::PacketOut(po)),
            }
        }
        commands.into_iter().for_each(|c| self.tally(id, c, now));
        Ok(())
    }

    fn bundled(
        &mut self,
        message: &mut Message,
        version: Version,
        now: Time,
        later: &mut Vec<Later>,
    ) -> Done {
        match message {
            Message::FlowMod(fm) => flow_mod(&mut self.state, fm, version, now),
            Message::GroupMod(gm) => group_mod(&mut self.state, gm, now),
            Message::PortMod(pm) => {
                // As the reference, which does not say what is wrong with it.
                self.check_port_mod(pm).map_err(|_| OfpErr::OFPBFC_MSG_FAILED)?;
                later.push(Later::Port(*pm));
                Ok(())
            }
            Message::PacketOut(po) => {
                later.push(Later::Packet(Box::new(self.check_packet_out((**po).clone(), version)?)));
                Ok(())
            }
            _ => Err(OfpErr::OFPBFC_MSG_UNSUP),
        }
    }
}

/// What a bundle does once nothing can fail any more.
enum Later {
    Port(PortMod),
    Packet(Box<PacketOutRequest>),
}

/// What secondary controllers may not send.
fn changes_the_switch(message: &Message) -> bool {
    matches!(
        message,
        Message::FlowMod(_)
            | Message::GroupMod(_)
            | Message::MeterMod(_)
            | Message::PortMod(_)
            | Message::TableMod(_)
            | Message::PacketOut(_)
            | Message::BundleControl(_)
            | Message::BundleAdd(_)
            | Message::Resume(_)
            | Message::TlvTableMod(_)
            | Message::CtFlush(_)
            | Message::CtFlushZone(_)
    )
}
