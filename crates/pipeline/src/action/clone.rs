//! `clone`: run actions and restore the packet afterwards.
//!
//! Most changes can be taken back by setting the fields again, which is cheaper than copying packets; only what
//! cannot be taken back needs a copy in the datapath.

use crate::ctx::Ctx;
use dpif::DpAction;
use openflow::Action;

pub(crate) fn run<'a>(ctx: &mut Ctx<'a, '_>, actions: &'a [Action], last: bool) {
    let copy = !last && !actions.iter().all(reversible);
    let outer = copy.then(|| {
        crate::commit::commit(ctx);
        (std::mem::take(&mut ctx.out), ctx.base.clone(), ctx.base_labels)
    });
    protected(ctx, |ctx| crate::action::run_list(ctx, actions, last));
    if let Some((out, base, labels)) = outer {
        let inner = std::mem::replace(&mut ctx.out, out);
        ctx.base = base;
        ctx.base_labels = labels;
        ctx.pending = None;
        if !inner.is_empty() {
            ctx.out.push(DpAction::Clone(inner));
        }
    }
}

/// Runs something and restores the flow, the stack and the action set. An `exit` in it ends the pipeline, though.
pub(crate) fn protected<'a, 'r>(ctx: &mut Ctx<'a, 'r>, f: impl FnOnce(&mut Ctx<'a, 'r>)) {
    let key = ctx.key.clone();
    let stack = ctx.stack.clone();
    let stack_bytes = ctx.stack_bytes;
    let action_set = ctx.action_set.clone();
    let flags = (ctx.was_mpls, ctx.conntracked, ctx.labels);
    f(ctx);
    if ctx.freeze.is_some() {
        ctx.finish_freeze();
        ctx.exit = false;
    }
    ctx.key = key;
    ctx.stack = stack;
    ctx.stack_bytes = stack_bytes;
    ctx.action_set = action_set;
    (ctx.was_mpls, ctx.conntracked, ctx.labels) = flags;
}

/// Whether what an action does to the datapath's packet can be taken back by setting fields.
fn reversible(a: &Action) -> bool {
    match a {
        Action::Ct(_)
        | Action::Meter(_)
        | Action::Nat(_)
        | Action::OutputTrunc(_)
        | Action::Encap(_)
        | Action::Decap(_)
        | Action::DecNshTtl
        | Action::PushPbb(_)
        | Action::PopPbb
        | Action::CopyTtlIn
        | Action::CopyTtlOut
        | Action::CheckPktLarger(_)
        | Action::PushMpls(_)
        | Action::PopMpls(_)
        | Action::DebugRecirc => false,
        Action::Clone(c) => c.actions.iter().all(reversible),
        Action::WriteActions(w) => w.actions.iter().all(reversible),
        _ => true,
    }
}
