//! What engines have to tell: packets for controllers, stations, devices that failed.

use super::Switch;
use base::{Cookie, DpPort, Time};
use datapath::{Event, Upcall};
use dpif::action::{ControllerCookie, UserCookie};
use ofproto::packet_in::PacketInEvent;
use openflow::msg::PacketInReason;
use pipeline::BridgeId;
use reactor::Reactor;

/// Events of a datapath handled at once.
const EVENTS: usize = 500;

impl Switch {
    /// Handles events, so many at most that others have their turn; says whether there were any.
    pub(super) fn drain_events(&mut self, r: &mut Reactor) -> bool {
        let mut any = false;
        let now = self.now();
        let kinds: Vec<String> = self.backers.keys().cloned().collect();
        for kind in kinds {
            let mut left = EVENTS;
            while let Some(event) = self.backers.get_mut(&kind).and_then(|b| b.dp.next_event()) {
                any = true;
                self.event(now, &kind, event);
                left -= 1;
                if left == 0 {
                    self.env.wake.wake();
                    break;
                }
            }
        }
        if any {
            self.handle_effects(r);
        }
        any
    }

    fn event(&mut self, now: Time, kind: &str, event: Event<crate::view::View>) {
        match event {
            Event::Effects { body, key, .. } => {
                if let Some(effects) = &body.effects {
                    self.apply_control(kind, &effects.control, key.tcp_flags());
                    // The next packet may already depend on it.
                    self.publish();
                }
            }
            Event::Upcall(upcall) => self.upcall(now, kind, upcall),
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

    fn upcall(&mut self, now: Time, kind: &str, upcall: Upcall) {
        let UserCookie::Controller(cookie) = &upcall.why.cookie else { return };
        if cookie.dont_send {
            return;
        }
        let continuation = self.continuation(kind, cookie, upcall.port);
        let Some(b) = self.bridge_by_id(kind, BridgeId(cookie.bridge)) else { return };
        b.ofproto.packet_in(
            PacketInEvent {
                packet: upcall.packet,
                reason: reason(cookie),
                table: cookie.table.0,
                cookie: cookie.rule_cookie,
                metadata: cookie.metadata.clone(),
                controller_id: cookie.controller_id,
                userdata: cookie.userdata.clone(),
                continuation,
            },
            now,
        );
        let deadline = b.ofproto.next_deadline();
        self.deadline = self.deadline.min(deadline);
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
