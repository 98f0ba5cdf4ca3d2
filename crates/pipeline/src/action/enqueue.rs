//! `enqueue`: output to a queue of a port (OpenFlow 1.0).

use crate::ctx::Ctx;
use base::OfPort;
use openflow::action::Enqueue;

pub(crate) fn run(ctx: &mut Ctx<'_, '_>, e: Enqueue, last: bool) {
    let port = if e.port == OfPort::IN_PORT { ctx.key.in_port() } else { e.port };
    if port == ctx.key.in_port() && e.port != OfPort::IN_PORT {
        return super::output::run(ctx, port, 0, last);
    }
    let old = ctx.key.skb_priority();
    super::queue::set(ctx, e.queue);
    crate::port_out::send(ctx, port, None, last);
    ctx.key.set(flow::Field::SKB_PRIORITY, old.into());
}
