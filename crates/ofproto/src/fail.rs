//! What the switch does on its own: the flows of the hidden table, the default flow of a bridge without
//! controllers, and fail-open when all controllers have been out of reach for long.

use crate::connection::ASYNC_XID;
use crate::effect::Effect;
use crate::ofproto::Ofproto;
use crate::rule::Rule;
use crate::state::State;
use base::{Cookie, OfPort, TableId, Time};
use flow::{Field, Match, MiniMatch};
use openflow::action::{Controller, Output};
use openflow::msg::{PacketIn, PacketInReason};
use openflow::{Action, Message};
use std::time::Duration;

/// Priority of the flow that switches on its own in fail-open: above all of controllers.
pub const FAIL_OPEN_PRIORITY: u32 = 0x00f0_f0f0;
/// How often a bogus packet-in probes a controller that is connected but has not been admitted.
const PROBE_INTERVAL: Duration = Duration::from_secs(2);

/// What a bridge does without controllers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Mode {
    /// Nothing but what its flows say.
    Secure,
    /// Switch like any Ethernet switch.
    #[default]
    Standalone,
}

/// How the controllers are doing, as their connections' owner sees it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Contact {
    /// Some controller is connected.
    pub connected: bool,
    /// Some controller is connected and has shown that it works.
    pub admitted: bool,
    /// Since when none has been connected.
    pub lost_at: Time,
    /// The longest inactivity probe interval of the controllers.
    pub probe_interval: Duration,
}

/// State of the fail mode.
#[derive(Debug, Default)]
pub struct FailMode {
    mode: Mode,
    has_controllers: bool,
    contact: Option<Contact>,
    open_since: Option<Time>,
    next_probe: Option<Time>,
}

impl FailMode {
    /// Whether the switch has failed open.
    pub fn is_open(&self) -> bool {
        self.open_since.is_some()
    }

    fn opens_at(&self) -> Option<Time> {
        let c = self.contact?;
        let waits = self.mode == Mode::Standalone && self.has_controllers && !c.connected && !self.is_open();
        waits.then(|| c.lost_at + 3 * c.probe_interval)
    }

    /// When [`run`] has something to do next.
    pub fn next_deadline(&self) -> Time {
        let opens = self.opens_at().unwrap_or(Time::NEVER);
        opens.min(self.next_probe.unwrap_or(Time::NEVER))
    }
}

fn normal(max_len: u16) -> Vec<Action> {
    vec![Action::Output(Output { port: OfPort::NORMAL, max_len })]
}

impl Ofproto {
    /// Whether the switch has failed open.
    pub fn failed_open(&self) -> bool {
        self.fail.is_open()
    }

    /// Says what to do without controllers.
    pub fn set_fail_mode(&mut self, mode: Mode, now: Time) {
        if self.fail.mode == mode {
            return;
        }
        self.fail.mode = mode;
        if !self.fail.has_controllers {
            self.flush_flows(now);
            self.clear_groups_and_meters(now);
        } else {
            run(self, now);
        }
    }

    /// Says whether any controller is configured. Getting the first and losing the last flushes all flows.
    pub fn set_has_controllers(&mut self, has: bool, now: Time) {
        if self.fail.has_controllers == has {
            return;
        }
        self.fail.has_controllers = has;
        self.fail.contact = has.then_some(Contact {
            connected: false,
            admitted: false,
            lost_at: now,
            probe_interval: Duration::from_secs(5),
        });
        self.fail.open_since = None;
        self.fail.next_probe = None;
        self.flush_flows(now);
    }

    /// Says how the controllers are doing.
    pub fn set_contact(&mut self, contact: Contact, now: Time) {
        if self.fail.has_controllers {
            self.fail.contact = Some(contact);
            run(self, now);
        }
    }
}

/// The flows of the hidden table: what resubmitting to nowhere and unsent misses come to.
pub fn install_internal(state: &mut State, now: Time) {
    let mut on_reg0 = |value: u128, actions: Vec<Action>| {
        let mut m = Match::any();
        m.set(Field::reg(0), value);
        state.add(Rule::new(TableId::INTERNAL, 0, MiniMatch::new(&m), actions, now));
    };
    let controller = Controller { reason: PacketInReason::ImplicitMiss, ..Controller::default() };
    on_reg0(1, vec![Action::Controller(Box::new(controller))]);
    on_reg0(2, Vec::new());
    on_reg0(3, Vec::new());
    let mut m = Match::any();
    m.set(Field::RECIRC_ID, 0);
    state.add(Rule::new(TableId::INTERNAL, 2, MiniMatch::new(&m), Vec::new(), now));
}

/// Puts the flows in place that the switch has on its own after a flush.
pub fn apply_default_flow(ofproto: &mut Ofproto, now: Time) {
    if ofproto.fail.mode == Mode::Standalone && !ofproto.fail.has_controllers {
        ofproto.add_internal_flow(TableId(0), 0, MiniMatch::default(), &normal(0), now);
    } else if ofproto.fail.is_open() {
        ofproto.add_internal_flow(TableId(0), FAIL_OPEN_PRIORITY, MiniMatch::default(), &normal(0), now);
    }
    let in_band = std::mem::take(&mut ofproto.in_band);
    for (priority, matching) in &in_band.rules {
        ofproto.add_internal_flow(TableId(0), *priority, matching.clone(), &in_band.actions, now);
    }
    ofproto.in_band = in_band;
}

/// Opens and closes as contact with controllers is lost and found.
pub fn run(ofproto: &mut Ofproto, now: Time) {
    let fail = &mut ofproto.fail;
    if fail.opens_at().is_some_and(|at| now >= at) {
        fail.open_since = Some(now);
        ofproto.flush_flows(now);
        return;
    }
    if !fail.is_open() {
        return;
    }
    let contact = fail.contact;
    let leaves = fail.mode == Mode::Secure || !fail.has_controllers || contact.is_some_and(|c| c.admitted);
    if leaves {
        fail.open_since = None;
        fail.next_probe = None;
        ofproto.remove_internal_flow(TableId(0), FAIL_OPEN_PRIORITY, &MiniMatch::default(), now);
    } else if contact.is_some_and(|c| c.connected) {
        if fail.next_probe.is_none_or(|at| now >= at) {
            fail.next_probe = Some(now + PROBE_INTERVAL);
            send_probe(ofproto);
        }
    } else {
        fail.next_probe = None;
    }
}

/// A packet-in that no controller can take for real traffic, to see whether it answers.
fn send_probe(ofproto: &mut Ofproto) {
    let mut metadata = Match::any();
    metadata.set(Field::IN_PORT_OXM, u128::from(OfPort::LOCAL.0));
    let mut packet = vec![0xff; 6];
    let mac = [0x02, 0x23, 0x20, 0, 0, 0];
    packet.extend_from_slice(&mac);
    // RARP request-reverse for the made-up address.
    packet.extend_from_slice(&[0x80, 0x35, 0, 1, 8, 0, 6, 4, 0, 3]);
    for _ in 0..2 {
        packet.extend_from_slice(&mac);
        packet.extend_from_slice(&[0; 4]);
    }
    packet.resize(60, 0);
    for conn in ofproto.connections.values() {
        if !conn.wants_packet_in(PacketInReason::NoMatch) {
            continue;
        }
        let pin = PacketIn {
            packet: packet.clone(),
            packet_len: packet.len() as u32,
            buffer_id: None,
            reason: PacketInReason::NoMatch,
            table: 0,
            cookie: Some(Cookie(u64::MAX)),
            metadata: MiniMatch::new(&metadata),
            userdata: Vec::new(),
            continuation: None,
        };
        ofproto.effects.push(Effect::Send(conn.id, ASYNC_XID, Message::PacketIn(Box::new(pin))));
    }
}
