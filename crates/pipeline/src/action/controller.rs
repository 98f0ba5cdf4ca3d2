//! `controller`: send the packet, as it is at this point, to controllers.

use crate::ctx::Ctx;
use base::{MeterId, OfPort};
use dpif::DpAction;
use dpif::action::{ControllerCookie, UserCookie, Userspace};
use flow::{Field, FlowKey, Match, MiniMatch};
use openflow::action::Controller;
use openflow::msg::{MeterConfig, PacketInReason};
use std::sync::Arc;

/// To whom, and what.
#[derive(Clone, Copy, Debug)]
pub(crate) struct To<'a> {
    pub reason: PacketInReason,
    pub max_len: u16,
    pub controller_id: u16,
    pub userdata: &'a [u8],
    /// The meter that it names for the packets that it sends.
    pub meter: Option<MeterId>,
}

impl Default for To<'_> {
    fn default() -> Self {
        To { reason: PacketInReason::Action, max_len: u16::MAX, controller_id: 0, userdata: &[], meter: None }
    }
}

pub(crate) fn run(ctx: &mut Ctx<'_, '_>, c: &Controller) {
    let reason = if c.reason == PacketInReason::Action { super::output::reason(ctx) } else { c.reason };
    let to = To {
        reason,
        max_len: c.max_len,
        controller_id: c.controller_id,
        userdata: &c.userdata,
        meter: c.meter_id.map(MeterId),
    };
    if c.pause {
        crate::commit::commit(ctx);
        let cookie = cookie(ctx, to);
        ctx.start_freeze();
        if let Some(freeze) = &mut ctx.freeze {
            freeze.pause = Some(Box::new((cookie, to.meter)));
        }
        return;
    }
    send(ctx, to);
}

/// Sends the packet.
pub(crate) fn send(ctx: &mut Ctx<'_, '_>, to: To<'_>) {
    crate::commit::commit(ctx);
    let mut cookie = cookie(ctx, to);
    // Nothing resumes from here: the number tells states apart.
    cookie.recirc_id = ctx.snap.recirc.intern(ctx.frozen(Vec::new(), None));
    push(ctx, cookie, to.meter);
}

/// Emits the datapath's action, behind the meter that was named or else that of all packets to controllers.
pub(crate) fn push(ctx: &mut Ctx<'_, '_>, cookie: ControllerCookie, meter: Option<MeterId>) {
    let cookie = UserCookie::Controller(Box::new(cookie));
    let send = DpAction::Userspace(Arc::new(Userspace { cookie, ..Userspace::default() }));
    ctx.bridge_deps().meters = true;
    let number = ctx.bridge.dp_meters.get(&meter.unwrap_or(MeterConfig::CONTROLLER));
    ctx.out.push(match number {
        // What exceeds the meter is not sent, but goes on.
        Some(n) => DpAction::Sample { probability: u32::MAX, actions: [DpAction::Meter(*n), send].into() },
        None => send,
    });
}

fn cookie(ctx: &Ctx<'_, '_>, to: To<'_>) -> ControllerCookie {
    // Only what is the same for all packets of the megaflow: their headers are in the packet.
    let mut flow = crate::ctx::pipeline_fields(&ctx.key);
    flow.set_in_port(ctx.key.in_port());
    ControllerCookie {
        bridge: ctx.bridge.id.0,
        reason: to.reason.number(),
        dont_send: ctx.dry_run,
        continuation: false,
        recirc_id: 0,
        rule_cookie: ctx.cookie,
        table: ctx.table,
        controller_id: to.controller_id,
        max_len: to.max_len,
        userdata: to.userdata.to_vec(),
        metadata: metadata(&flow),
    }
}

/// In-port and the other fields that no packet carries, as a packet-in has them.
fn metadata(key: &FlowKey) -> MiniMatch {
    let mut m = Match::any();
    let port = if key.in_port() == OfPort::default() { OfPort::NONE } else { key.in_port() };
    m.set(Field::IN_PORT_OXM, port.0.into());
    for field in Field::in_words(key.map()) {
        let told = openflow::prereq::is_pipeline(field) && !field.is_wide_register();
        let elsewhere = [Field::IN_PORT, Field::IN_PORT_OXM, Field::ACTSET_OUTPUT, Field::PACKET_TYPE];
        if told && !elsewhere.contains(&field) && key.get(field) != 0 {
            m.set(field, key.get(field));
        }
    }
    MiniMatch::new(&m)
}
