//! Sending to one port: the last checks, the header changes, the datapath's output; patch ports, where the packet enters
//! another bridge at once.

use crate::ctx::Ctx;
use crate::drop_reason::DropReason;
use crate::effect::Effect;
use crate::port::{Patch, PortView};
use crate::recorder::NodeKind;
use crate::table::Lookup;
use base::{Cookie, OfPort, TableId};
use dpif::DpAction;
use flow::Field;
use flow::layout as l;

/// Sends the packet to an ordinary port, the packet cut to `trunc` bytes if given.
pub(crate) fn send(ctx: &mut Ctx<'_, '_>, port: OfPort, trunc: Option<u32>, last: bool) {
    let Some(view) = ctx.bridge.port(port) else {
        return ctx.drop(DropReason::NoOutputPort, NodeKind::Warning, || "Nonexistent output port".into());
    };
    if view.config.no_forward {
        let text = || "OFPPC_NO_FWD set, skipping output".into();
        return ctx.drop(DropReason::NoForward, NodeKind::Detail, text);
    }
    if view.bundle.and_then(|id| ctx.bridge.bundle(id)).is_some_and(|b| b.protected) && from_protected(ctx) {
        let text = || "Flow is between protected ports, skipping output.".into();
        return ctx.drop(DropReason::Protected, NodeKind::Warning, text);
    }
    if view.stp.is_some_and(|s| !s.forward) {
        let text = || "STP not in forwarding state, skipping output".into();
        return ctx.drop(DropReason::StpNotForwarding, NodeKind::Warning, text);
    }
    if ctx.key.packet_type() != 0 {
        let text = || "Trying to send non-Ethernet packet through legacy L2 port. Dropping packet.".into();
        return ctx.drop(DropReason::NotEthernet, NodeKind::Warning, text);
    }
    match view.patch {
        Some(patch) => through_patch(ctx, view, patch, last),
        None if view.dp_port == base::DpPort::NONE => {}
        None => {
            if let Some(bytes) = trunc {
                ctx.out.push(DpAction::Trunc(bytes));
            }
            crate::commit::commit(ctx);
            ctx.out.push(DpAction::Output(view.dp_port));
        }
    }
    if !ctx.bridge.mirrors.is_empty() && ctx.error.is_none() {
        crate::mirror::egress(ctx, view);
    }
}

/// Whether the packet came in by a protected port of this bridge.
fn from_protected(ctx: &Ctx<'_, '_>) -> bool {
    let bundle = ctx.bridge.port(ctx.key.in_port()).and_then(|p| p.bundle);
    bundle.and_then(|id| ctx.bridge.bundle(id)).is_some_and(|b| b.protected)
}

/// The packet leaves this bridge and enters the other: all that is not in the packet stays behind. Afterwards the packet
/// is as it was; whatever went wrong over there is no concern of this bridge.
fn through_patch<'a>(ctx: &mut Ctx<'a, '_>, port: &'a PortView, patch: Patch, last: bool) {
    let Some(peer) = ctx.snap.bridge(patch.bridge) else { return };
    if !crate::table::within_budget(ctx) {
        return;
    }
    ctx.resubmits += 1;
    ctx.depth += 1;
    ctx.effects.push(Effect::PatchTx { bridge: ctx.bridge.id, port: port.of_port });
    ctx.effects.push(Effect::PatchRx { bridge: patch.bridge, port: patch.port });
    let key = ctx.key.clone();
    let old = (ctx.bridge, ctx.rule, ctx.table, ctx.cookie);
    let stack = std::mem::take(&mut ctx.stack);
    let stack_bytes = std::mem::take(&mut ctx.stack_bytes);
    let action_set = std::mem::take(&mut ctx.action_set);
    let flags =
        (ctx.in_group, ctx.in_action_set, ctx.in_packet_out, ctx.was_mpls, ctx.conntracked, ctx.labels);
    let mirrors = std::mem::take(&mut ctx.mirrors);
    (ctx.in_group, ctx.in_action_set, ctx.in_packet_out, ctx.conntracked) = (false, false, false, false);
    ctx.bridge = peer;
    ctx.bridge_deps();
    ctx.key.words[l::STAGE_PIPELINE..].fill(0);
    ctx.key.words[l::CT_STATE / 8..l::STAGE_L2].fill(0);
    ctx.key.set(Field::ACTSET_OUTPUT, OfPort::UNSET.0.into());
    ctx.key.set_in_port(patch.port);
    ctx.table = TableId(0);
    ctx.rule = None;

    ctx.open(NodeKind::Bridge, |_| format!("bridge(\"{}\")", peer.name));
    enter(ctx, last);
    ctx.close();

    if ctx.freeze.is_some() {
        ctx.finish_freeze();
    }
    ctx.exit = false;
    ctx.error = None;
    ctx.depth -= 1;
    ctx.mirrors = mirrors;
    (ctx.in_group, ctx.in_action_set, ctx.in_packet_out, ctx.was_mpls, ctx.conntracked, ctx.labels) = flags;
    ctx.action_set = action_set;
    ctx.stack = stack;
    ctx.stack_bytes = stack_bytes;
    (ctx.bridge, ctx.rule, ctx.table, ctx.cookie) = old;
    ctx.key = key;
}

/// The packet enters the current bridge by its in_port: the first table, unless the port does not let it in.
pub(crate) fn enter(ctx: &mut Ctx<'_, '_>, last: bool) {
    let mut table = TableId(0);
    ctx.table = table;
    ctx.cookie = Cookie(0);
    let found = crate::table::find(ctx, &mut table, Lookup { honor_miss: true });
    crate::table::record(ctx, table, &found);
    let fragment = matches!(found, crate::table::Found::Fragment);
    if fragment || admit(ctx) {
        crate::table::run(ctx, table, found, last);
        crate::table::run_action_set(ctx);
    }
    ctx.close();
}

/// Whether the in_port lets packets in; if so, its mirrors get their copy.
fn admit(ctx: &mut Ctx<'_, '_>) -> bool {
    let Some(port) = ctx.bridge.port(ctx.key.in_port()) else { return true };
    let reserved = ctx.key.eth_dst().0[..5] == [0x01, 0x80, 0xc2, 0, 0] && ctx.key.eth_dst().0[5] == 0;
    if port.config.no_receive && !(reserved && port.stp.is_some()) {
        ctx.drop_reason = Some(DropReason::NoReceive);
        return false;
    }
    if port.stp.is_some_and(|s| !s.forward) {
        ctx.drop_reason = Some(DropReason::StpNotForwarding);
        return false;
    }
    if ctx.bridge.mirrors.is_empty() {
        return true;
    }
    if let Some(id) = port.bundle
        && ctx.bridge.mirrors.iter().any(|m| m.out == Some(id))
    {
        let name = &port.name;
        ctx.drop(DropReason::MirrorPort, NodeKind::Error, || {
            format!("dropping packet received on port {name}, which is reserved exclusively for mirroring")
        });
        return false;
    }
    crate::mirror::ingress(ctx, port);
    true
}
