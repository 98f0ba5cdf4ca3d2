//! `set_field` and `load`.

use crate::ctx::Ctx;
use openflow::action::SetField;

pub(crate) fn run(ctx: &mut Ctx<'_, '_>, s: &SetField) {
    ctx.write(s.field, s.value(), s.mask());
}
