//! `push_mpls`, `pop_mpls`.

use crate::ctx::{Ctx, is_mpls};
use crate::drop_reason::DropReason;
use flow::key::eth_type;
use flow::layout as l;

const BOS: u32 = 0x100;

/// Depth of the stack, having looked at the bits that tell.
pub(super) fn depth(ctx: &mut Ctx<'_, '_>) -> usize {
    for i in 0..ctx.labels {
        ctx.look_u16(l::MPLS + 4 * i + 2, BOS as u16);
    }
    ctx.labels
}

/// How many labels can be looked into.
fn limit(ctx: &Ctx<'_, '_>) -> usize {
    usize::from(ctx.snap.limits.mpls_labels).min(3)
}

/// Whether there is room for another label; if not, translation has given up.
pub(super) fn room(ctx: &mut Ctx<'_, '_>, what: &str, n: usize) -> bool {
    let limit = limit(ctx);
    if n >= limit {
        ctx.fail(DropReason::TooManyMplsLabels, || {
            format!(
                "dropping packet on which an {what} action can't be performed as it would have more MPLS LSEs \
                 than the {limit} supported."
            )
        });
    }
    n < limit
}

/// Pushes a label: a copy of the one below, or one made from the IP header.
pub(crate) fn push(ctx: &mut Ctx<'_, '_>, ethertype: u16) {
    if !is_mpls(ethertype) {
        return;
    }
    let n = depth(ctx);
    if !room(ctx, "MPLS push", n) {
        return;
    }
    let lse = if n > 0 {
        ctx.look(l::MPLS, 4);
        ctx.key.mpls_lse(0) & !BOS
    } else {
        first_label(ctx)
    };
    if n == 0 {
        // What is known of the layers above is lost to the pipeline: the datapath must have it by then.
        crate::commit::commit(ctx);
        ctx.key.words[l::STAGE_L3..l::STAGE_PIPELINE].fill(0);
    }
    for i in (1..3).rev() {
        let below = ctx.key.mpls_lse(i - 1);
        ctx.key.set_mpls_lse(i, below);
    }
    ctx.key.set_mpls_lse(0, lse);
    ctx.key.set_eth_type(ethertype);
    ctx.labels = n + 1;
    ctx.mirrors = 0;
}

fn first_label(ctx: &mut Ctx<'_, '_>) -> u32 {
    if !ctx.key.is_ip_any() {
        return 64 | BOS;
    }
    let label = if ctx.key.eth_type() == eth_type::IPV6 { 2u32 } else { 0 };
    ctx.look_field(flow::Field::NW_TOS, 0xfc);
    ctx.look(l::NW_TTL, 1);
    let class = u32::from(ctx.key.nw_tos() >> 2) & 7;
    let ttl = match ctx.key.nw_ttl() {
        0 => 64,
        ttl => u32::from(ttl),
    };
    label << 12 | class << 9 | BOS | ttl
}

/// Pops the outermost label, if any; the packet becomes one of the given type.
pub(crate) fn pop(ctx: &mut Ctx<'_, '_>, ethertype: u16) {
    if !is_mpls(ctx.key.eth_type()) {
        return;
    }
    let n = depth(ctx);
    if n == 0 {
        // All labels that are known of are gone. What is below only recirculation can show.
        return;
    }
    let limit = limit(ctx);
    if n >= limit && ctx.key.mpls_lse(limit - 1) & BOS == 0 {
        return ctx.fail(DropReason::TooManyMplsLabels, || {
            format!(
                "dropping packet on which an MPLS pop action can't be performed as it has more MPLS LSEs than the \
                 {limit} supported."
            )
        });
    }
    // Labels move: whoever reads the outermost one from now on reads what was below it.
    ctx.look(l::MPLS + 4, 4 * (n - 1));
    ctx.labels = n - 1;
    for i in 0..2 {
        let above = ctx.key.mpls_lse(i + 1);
        ctx.key.set_mpls_lse(i, above);
    }
    ctx.key.set_mpls_lse(2, 0);
    ctx.key.set_eth_type(ethertype);
    if !is_mpls(ethertype) {
        for i in 0..3 {
            ctx.key.set_mpls_lse(i, 0);
        }
        ctx.labels = 0;
        ctx.was_mpls = true;
    }
    ctx.mirrors = 0;
}
