//! `set_tunnel`, `set_tunnel64`.

use crate::ctx::Ctx;
use flow::{Field, Value};
use openflow::action::SetTunnel;

pub(crate) fn run(ctx: &mut Ctx<'_, '_>, t: &SetTunnel) {
    ctx.write(Field::TUN_ID, t.id.into(), Value::MAX);
}
