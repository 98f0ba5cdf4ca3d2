//! `output` in all its forms: ordinary and reserved ports, a port from a field, a shortened packet.

use super::controller;
use crate::ctx::Ctx;
use crate::drop_reason::DropReason;
use crate::recorder::NodeKind;
use crate::table::Lookup;
use base::{OfPort, TableId};
use openflow::action::{OutputReg, OutputTrunc};
use openflow::msg::PacketInReason;

/// Sends the packet to a port, reserved ones included.
pub(crate) fn run(ctx: &mut Ctx<'_, '_>, port: OfPort, max_len: u16, last: bool) {
    match port {
        OfPort::IN_PORT => {
            let port = ctx.key.in_port();
            crate::port_out::send(ctx, port, None, last);
        }
        OfPort::TABLE => {
            crate::table::resubmit(ctx, None, TableId(0), Lookup { honor_miss: true }, last);
        }
        OfPort::NORMAL => crate::normal::run(ctx),
        OfPort::FLOOD => flood(ctx, false),
        OfPort::ALL => flood(ctx, true),
        OfPort::CONTROLLER => {
            let to = controller::To { reason: reason(ctx), max_len, ..controller::To::default() };
            controller::send(ctx, to);
        }
        OfPort::NONE => {}
        _ if port == ctx.key.in_port() => skip_in_port(ctx),
        _ => crate::port_out::send(ctx, port, None, last),
    }
}

fn skip_in_port(ctx: &mut Ctx<'_, '_>) {
    ctx.drop(DropReason::OutputIsInput, NodeKind::Warning, || "skipping output to input port".into());
}

/// The reason that a packet-in gets from where its action stands.
pub(crate) fn reason(ctx: &Ctx<'_, '_>) -> PacketInReason {
    if ctx.in_group {
        PacketInReason::Group
    } else if ctx.in_action_set {
        PacketInReason::ActionSet
    } else if ctx.in_packet_out && ctx.rule.is_none() {
        PacketInReason::PacketOut
    } else if ctx.rule.is_some_and(|r| crate::table::is_table_miss(r)) {
        PacketInReason::ExplicitMiss
    } else {
        PacketInReason::Action
    }
}

/// Sends the packet to the port whose number is in a field.
pub(crate) fn run_reg(ctx: &mut Ctx<'_, '_>, o: &OutputReg, last: bool) {
    let n = ctx.read_sub(o.src);
    ctx.detail(|| format!("output port is {n}"));
    let port = match u16::try_from(n) {
        Ok(n) => OfPort::from_u16(n),
        Err(_) => OfPort(u32::try_from(n).unwrap_or(u32::MAX)),
    };
    run(ctx, port, o.max_len, last);
}

/// Sends at most some bytes of the packet.
pub(crate) fn run_trunc(ctx: &mut Ctx<'_, '_>, o: &OutputTrunc) {
    let port = if o.port == OfPort::IN_PORT { ctx.key.in_port() } else { o.port };
    if port.is_reserved() && port != OfPort::LOCAL {
        ctx.record(NodeKind::Error, |_| format!("output_trunc does not support port: {:#x}", port.0));
        return;
    }
    if port == ctx.key.in_port() && o.port != OfPort::IN_PORT {
        return skip_in_port(ctx);
    }
    if ctx.bridge.port(port).is_some_and(|p| p.patch.is_some()) {
        return ctx
            .record(NodeKind::Error, |_| format!("output_trunc does not support patch port {}", port.0));
    }
    crate::port_out::send(ctx, port, Some(o.max_len), false);
}

fn flood(ctx: &mut Ctx<'_, '_>, all: bool) {
    let bridge = ctx.bridge;
    let in_port = ctx.key.in_port();
    for p in bridge.ports.iter() {
        if p.of_port != in_port && (all || !p.config.no_flood) {
            crate::port_out::send(ctx, p.of_port, None, false);
        }
    }
}
