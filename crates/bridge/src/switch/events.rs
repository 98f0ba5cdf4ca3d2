//! What engines have to tell: packets for controllers, stations, devices that failed.

use super::Switch;
use base::{Cookie, DpPort, OfPort};
use datapath::{Event, Upcall};
use dpif::action::{ControllerCookie, UserCookie};
use flow::{Field, FlowKey, Match, MiniMatch};
use ofproto::packet_in::PacketInEvent;
use openflow::msg::PacketInReason;
use reactor::Reactor;

impl Switch {
    /// Handles events until there are none; says whether there were any.
    pub(super) fn drain_events(&mut self, r: &mut Reactor) -> bool {
        let mut any = false;
        let kinds: Vec<String> = self.backers.keys().cloned().collect();
        for kind in kinds {
            while let Some(event) = self.backers.get_mut(&kind).and_then(|b| b.dp.next_event()) {
                any = true;
                self.event(r, &kind, event);
            }
        }
        any
    }

    fn event(&mut self, r: &mut Reactor, kind: &str, event: Event<crate::view::View>) {
        match event {
            Event::Effects { body, key, .. } => {
                if let Some(effects) = &body.effects {
                    self.apply_control(kind, &effects.control, key.tcp_flags());
                    // The next packet may already depend on it.
                    self.publish();
                }
            }
            Event::Upcall(upcall) => self.upcall(r, kind, &upcall),
            Event::PortGone(port) => self.port_gone(kind, port),
            Event::Mismatch(_) => {
                base::error!(
                    self.env.log,
                    "ofproto_dpif_upcall",
                    "{kind}: a cached flow disagreed with the flow tables and was removed (a bug)"
                );
            }
        }
    }

    fn upcall(&mut self, r: &mut Reactor, kind: &str, upcall: &Upcall) {
        let now = self.now();
        let UserCookie::Controller(cookie) = &upcall.why.cookie else { return };
        if cookie.dont_send {
            return;
        }
        let name = self
            .backers
            .get(kind)
            .and_then(|b| b.bridges.get(cookie.bridge as usize))
            .and_then(|n| n.clone());
        let continuation = self.continuation(kind, cookie, upcall.key.dp_port());
        let Some(b) = name.as_ref().and_then(|n| self.bridges.get_mut(n)) else { return };
        let event = PacketInEvent {
            packet: upcall.packet.clone(),
            reason: reason(cookie),
            table: cookie.table.0,
            cookie: cookie.rule_cookie,
            metadata: metadata(cookie),
            controller_id: cookie.controller_id,
            userdata: cookie.userdata.clone(),
            continuation,
        };
        b.ofproto.packet_in(&event, now);
        if let Some(name) = name {
            self.bridge_effects(r, &name, None);
        }
    }

    fn port_gone(&mut self, kind: &str, port: DpPort) {
        for b in self.bridges.values_mut().filter(|b| b.kind == kind) {
            for i in b.interfaces.values_mut().filter(|i| i.dp_port == port) {
                i.gone = true;
            }
        }
    }
}

/// A miss that no flow asked for has the hidden table's flow as its cause.
fn reason(cookie: &ControllerCookie) -> PacketInReason {
    match cookie.reason {
        0 if cookie.rule_cookie == Cookie(u64::MAX) || cookie.table == base::TableId::INTERNAL => {
            PacketInReason::ImplicitMiss
        }
        0 => PacketInReason::NoMatch,
        2 => PacketInReason::InvalidTtl,
        3 => PacketInReason::ActionSet,
        4 => PacketInReason::Group,
        5 => PacketInReason::PacketOut,
        6 => PacketInReason::ExplicitMiss,
        7 => PacketInReason::ImplicitMiss,
        _ => PacketInReason::Action,
    }
}

/// In-port and the fields that no packet carries.
fn metadata(cookie: &ControllerCookie) -> MiniMatch {
    let mut m = Match::any();
    let port = if cookie.in_port == OfPort::default() { OfPort::NONE } else { cookie.in_port };
    m.set(Field::IN_PORT_OXM, port.0.into());
    if let Some(flow) = &cookie.flow {
        pipeline_fields(flow, &mut m);
    }
    MiniMatch::new(&m)
}

fn pipeline_fields(flow: &FlowKey, m: &mut Match) {
    for field in Field::in_words(flow.map()) {
        let skip = [Field::IN_PORT, Field::IN_PORT_OXM, Field::ACTSET_OUTPUT, Field::PACKET_TYPE];
        if openflow::prereq::is_pipeline(field)
            && !field.is_wide_register()
            && !skip.contains(&field)
            && flow.get(field) != 0
        {
            m.set(field, flow.get(field));
        }
    }
}
