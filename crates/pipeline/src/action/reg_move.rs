//! `move`: copy one field, or part of one, to another.

use crate::ctx::Ctx;
use openflow::action::Move;

pub(crate) fn run(ctx: &mut Ctx<'_, '_>, m: &Move) {
    if !ctx.satisfies(m.src.field.info().prereq) || !ctx.satisfies(m.dst.field.info().prereq) {
        return;
    }
    let value = ctx.read_sub(m.src);
    ctx.write_sub(m.dst, value);
    ctx.tell_now(m.dst);
}
