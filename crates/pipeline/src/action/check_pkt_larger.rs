//! `check_pkt_larger`: only the datapath knows how long a packet is, so what follows is translated for both answers.

use crate::ctx::Ctx;
use dpif::DpAction;
use dpif::action::CheckPktLen;
use openflow::Action;
use openflow::action::CheckPktLarger;

/// Runs the rest of the list twice. Afterwards the packet is as it was.
pub(crate) fn run<'a>(ctx: &mut Ctx<'a, '_>, c: &CheckPktLarger, rest: &'a [Action], last: bool) {
    if !crate::table::within_budget(ctx) {
        return;
    }
    crate::commit::commit(ctx);
    ctx.depth += 1;
    let out = std::mem::take(&mut ctx.out);
    let (base, labels) = (ctx.base.clone(), ctx.base_labels);
    let action_set = ctx.action_set.clone();
    let mut exits = 0;
    let mut branch = |ctx: &mut Ctx<'a, '_>, larger: u128| {
        super::clone::protected(ctx, |ctx| {
            ctx.write_sub(c.dst, larger);
            super::run_list(ctx, rest, last);
        });
        exits += ctx.exit as u32;
        ctx.exit = false;
        ctx.base = base.clone();
        ctx.pending = None;
        ctx.base_labels = labels;
        std::mem::take(&mut ctx.out)
    };
    let greater = branch(ctx, 1);
    let less_equal = branch(ctx, 0);
    // Nothing is left to do when both ways ended the pipeline.
    ctx.exit = exits == 2;
    ctx.out = out;
    ctx.action_set = action_set;
    ctx.depth -= 1;
    ctx.out.push(DpAction::CheckPktLen(Box::new(CheckPktLen { size: c.pkt_len, greater, less_equal })));
}
