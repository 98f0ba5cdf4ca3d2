//! `resubmit`: look the packet up again.

use crate::ctx::Ctx;
use crate::table::Lookup;
use base::{OfPort, TableId};
use openflow::action::Resubmit;

pub(crate) fn run(ctx: &mut Ctx<'_, '_>, r: &Resubmit, last: bool) {
    if r.with_ct_orig {
        super::unsupported(ctx, "resubmit with ct");
        return;
    }
    let in_port = (r.in_port != OfPort::IN_PORT).then_some(r.in_port);
    let table = if r.table == 255 { ctx.table } else { TableId(r.table) };
    let last = last && ctx.action_set.is_empty();
    crate::table::resubmit(ctx, in_port, table, Lookup { honor_miss: false }, last);
}
