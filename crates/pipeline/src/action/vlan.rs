//! `push_vlan`, `strip_vlan`, `mod_vlan_vid`, `mod_vlan_pcp`.

use crate::ctx::Ctx;
use flow::key::{VLAN_PRESENT, eth_type};
use flow::layout as l;
use openflow::action::{SetVlanPcp, SetVlanVid};

/// Removes the outermost tag, if any.
pub(crate) fn strip(ctx: &mut Ctx<'_, '_>) {
    ctx.look(l::VLAN, 8);
    let (tpid, tci) = ctx.key.vlan(1);
    ctx.key.set_vlan(0, tpid, tci);
    ctx.key.set_vlan(1, 0, 0);
    ctx.mirrors = 0;
}

/// Pushes a tag of VLAN 0; of more tags than a flow holds, the innermost is no longer seen.
pub(crate) fn push(ctx: &mut Ctx<'_, '_>, tpid: u16) {
    ctx.look(l::VLAN, 8);
    let (old_tpid, old_tci) = ctx.key.vlan(0);
    if ctx.key.vlan(1).1 & VLAN_PRESENT != 0 {
        // The datapath's packet keeps the tag that falls out of sight.
        crate::commit::commit(ctx);
        ctx.base.set_vlan(1, old_tpid, old_tci);
        ctx.base.set_vlan(0, 0, 0);
        let tci = VLAN_PRESENT;
        ctx.out.push(dpif::DpAction::PushVlan(dpif::action::PushVlan { tpid, tci }));
        ctx.base.set_vlan(0, tpid, tci);
    }
    ctx.key.set_vlan(1, old_tpid, old_tci);
    ctx.key.set_vlan(0, tpid, VLAN_PRESENT);
    ctx.mirrors = 0;
}

pub(crate) fn set_vid(ctx: &mut Ctx<'_, '_>, v: &SetVlanVid) {
    set(ctx, v.vid & 0xfff, 0x0fff, v.push_vlan_if_needed);
}

pub(crate) fn set_pcp(ctx: &mut Ctx<'_, '_>, v: &SetVlanPcp) {
    set(ctx, u16::from(v.pcp & 7) << 13, 0xe000, v.push_vlan_if_needed);
}

fn set(ctx: &mut Ctx<'_, '_>, value: u16, bits: u16, push: bool) {
    let tci = ctx.vlan_tci(bits | VLAN_PRESENT);
    if tci & VLAN_PRESENT != 0 {
        ctx.key.set_vlan_tci((tci & !bits) | value);
    } else if push {
        ctx.key.set_vlan(0, eth_type::VLAN, value | VLAN_PRESENT);
    }
    ctx.mirrors = 0;
}

/// After something wrote the TCI itself: a tag that appeared gets a type, one that lost its mark is gone.
pub(crate) fn tidy(ctx: &mut Ctx<'_, '_>) {
    let (tpid, tci) = ctx.key.vlan(0);
    if tci & VLAN_PRESENT == 0 {
        if tci != 0 || tpid != 0 {
            ctx.look_u16(l::VLAN_TCI, VLAN_PRESENT);
            let (tpid, tci) = ctx.key.vlan(1);
            ctx.look(l::VLAN, 8);
            ctx.key.set_vlan(0, tpid, tci);
            ctx.key.set_vlan(1, 0, 0);
        }
    } else if tpid == 0 {
        ctx.look_u16(l::VLAN_TCI, VLAN_PRESENT);
        ctx.key.set_vlan(0, eth_type::VLAN, tci);
    }
}
