//! `push` and `pop`: the stack.

use crate::ctx::Ctx;
use crate::recorder::NodeKind;
use flow::Subfield;

pub(crate) fn push(ctx: &mut Ctx<'_, '_>, sub: Subfield) {
    let value = ctx.read_sub(sub);
    ctx.stack_bytes += u32::from(sub.n_bits.div_ceil(8));
    ctx.stack.push((value, sub.n_bits));
    if ctx.stack_bytes > ctx.snap.limits.stack_bytes.saturating_mul(2) {
        let reason = crate::drop_reason::DropReason::StackTooDeep;
        ctx.fail(reason, || "resubmits yielded over 64 kB of stack".into());
    }
}

pub(crate) fn pop(ctx: &mut Ctx<'_, '_>, sub: Subfield) {
    let Some((value, n_bits)) = ctx.stack.pop() else {
        return ctx.record(NodeKind::Error, |_| "stack underflow".into());
    };
    ctx.stack_bytes = ctx.stack_bytes.saturating_sub(u32::from(n_bits.div_ceil(8)));
    ctx.write_sub(sub, value);
    ctx.tell_now(sub);
}
