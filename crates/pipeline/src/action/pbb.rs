//! `push_pbb`, `pop_pbb`: backbone addresses and service instance tag around the customer's frame.

use super::Next;
use crate::ctx::{Ctx, Pending};
use flow::key::{VLAN_PRESENT, eth_type};
use flow::layout as l;

/// Pushes a tag of service 0 under a copy of the addresses; the customer's tags become part of what is inside.
pub(crate) fn push(ctx: &mut Ctx<'_, '_>) {
    if ctx.key.packet_type() != 0 {
        return;
    }
    crate::commit::commit(ctx);
    ctx.key.put(l::VLAN, &[0; 8]);
    ctx.key.bytes_mut()[l::MPLS..l::PBB_ISID + 4].fill(0);
    ctx.key.words[l::STAGE_L3..l::STAGE_PIPELINE].fill(0);
    ctx.key.set_eth_type(eth_type::PBB);
    ctx.labels = 0;
    ctx.mirrors = 0;
    ctx.pending = Some(Pending::PushPbb);
}

/// Pops the tag and the backbone addresses. What the customer's frame holds only recirculation can show.
pub(crate) fn pop(ctx: &mut Ctx<'_, '_>) -> Next {
    if ctx.key.packet_type() != 0 || ctx.key.eth_type() != eth_type::PBB {
        return Next::Go;
    }
    // A backbone tag in front of it must have been popped before.
    if ctx.vlan_tci(VLAN_PRESENT) & VLAN_PRESENT != 0 {
        return Next::Go;
    }
    crate::commit::commit(ctx);
    ctx.out.push(dpif::DpAction::PopPbb);
    ctx.mirrors = 0;
    ctx.start_freeze();
    Next::Go
}
