//! `dec_ttl`, `dec_mpls_ttl`: a packet whose time is up goes to the controllers instead, and its list ends.

use super::{Next, controller};
use crate::ctx::Ctx;
use crate::drop_reason::DropReason;
use crate::recorder::NodeKind;
use flow::Field;
use flow::key::eth_type;
use flow::layout as l;
use openflow::action::DecTtl;
use openflow::msg::PacketInReason;

pub(crate) fn dec(ctx: &mut Ctx<'_, '_>, d: &DecTtl) -> Next {
    if !ctx.key.is_ip_any() {
        return Next::Go;
    }
    ctx.look(l::NW_TTL, 2);
    let ttl = ctx.key.nw_ttl();
    if ttl > 1 {
        ctx.key.put(l::NW_TTL, &[ttl - 1]);
        ctx.mirrors = 0;
        return Next::Go;
    }
    let version = if ctx.key.eth_type() == eth_type::IPV4 { "IPv4" } else { "IPv6" };
    ctx.drop(DropReason::TtlExpired, NodeKind::Warning, || format!("{version} decrement TTL exception"));
    let ids = d.ids.as_deref().unwrap_or(&[0]);
    for id in ids {
        expired(ctx, *id);
    }
    Next::EndList
}

pub(crate) fn dec_mpls(ctx: &mut Ctx<'_, '_>) -> Next {
    if !crate::ctx::is_mpls(ctx.key.eth_type()) {
        return Next::Go;
    }
    let ttl = ctx.read(Field::MPLS_TTL);
    if ttl > 1 {
        ctx.key.set(Field::MPLS_TTL, ttl - 1);
        ctx.mirrors = 0;
        return Next::Go;
    }
    ctx.drop(DropReason::TtlExpired, NodeKind::Warning, || "MPLS decrement TTL exception".into());
    expired(ctx, 0);
    Next::EndList
}

/// `copy_ttl_out`, `copy_ttl_in`: between the two outermost headers that have a TTL. Between labels that are known it is
/// a change of fields; across the bottom of the stack only the datapath can do it.
pub(crate) fn copy(ctx: &mut Ctx<'_, '_>, out: bool) -> Next {
    if !crate::ctx::is_mpls(ctx.key.eth_type()) {
        return Next::Go;
    }
    ctx.look_u16(l::MPLS + 2, 0x100);
    let (outer, inner) = (l::MPLS + 3, l::MPLS + 7);
    if ctx.key.mpls_lse(0) & 0x100 == 0 {
        let (from, to) = if out { (inner, outer) } else { (outer, inner) };
        ctx.look(from, 1);
        ctx.look(to, 1);
        let ttl = ctx.key.u8_at(from);
        ctx.key.put(to, &[ttl]);
        ctx.mirrors = 0;
        return Next::Go;
    }
    crate::commit::commit(ctx);
    ctx.out.push(dpif::DpAction::CopyTtl { out });
    ctx.mirrors = 0;
    if out {
        // What the label says now is the packet's own affair.
        ctx.start_freeze();
    }
    Next::Go
}

pub(super) fn expired(ctx: &mut Ctx<'_, '_>, controller_id: u16) {
    let to =
        controller::To { reason: PacketInReason::InvalidTtl, controller_id, ..controller::To::default() };
    controller::send(ctx, to);
}
