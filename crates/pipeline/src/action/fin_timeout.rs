//! `fin_timeout`: the flow's timeouts get shorter once a TCP connection ends.

use crate::ctx::Ctx;
use crate::effect::Effect;
use openflow::action::FinTimeout;

/// Whether a packet with FIN or RST came is seen from the flags that the datapath collects for the cached flow.
pub(crate) fn run(ctx: &mut Ctx<'_, '_>, f: &FinTimeout) {
    if let Some(rule) = ctx.rule
        && ctx.satisfies(flow::Prereq::Tcp)
    {
        ctx.effects.push(Effect::FinTimeout {
            rule: rule.clone(),
            idle: f.idle_timeout,
            hard: f.hard_timeout,
        });
    }
}
