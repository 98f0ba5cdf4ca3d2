//! `set_queue`, `pop_queue`: the queue that later outputs use, which the datapath knows as a packet priority.

use crate::ctx::Ctx;
use flow::Field;
use flow::layout as l;

pub(crate) fn set(ctx: &mut Ctx<'_, '_>, queue: u32) {
    ctx.look(l::SKB_PRIORITY, 4);
    ctx.key.set(Field::SKB_PRIORITY, queue.into());
}

/// Back to the priority that the packet came with.
pub(crate) fn pop(ctx: &mut Ctx<'_, '_>) {
    ctx.look(l::SKB_PRIORITY, 4);
    let original = ctx.original_priority;
    ctx.key.set(Field::SKB_PRIORITY, original.into());
    ctx.detail(|| match original {
        0 => "queue = 0".into(),
        n => format!("queue = {n:#x}"),
    });
}
