//! The instructions: `meter`, `clear_actions`, `write_actions`, `write_metadata`, `goto_table`.

use crate::action_set::shown;
use crate::ctx::Ctx;
use crate::table::Lookup;
use base::{MeterId, TableId};
use dpif::DpAction;
use flow::Field;
use openflow::Action;
use openflow::action::WriteMetadata;

/// Runs the packet through a meter, if the datapath has it.
pub(crate) fn meter(ctx: &mut Ctx<'_, '_>, id: MeterId) {
    ctx.bridge_deps().meters = true;
    if let Some(n) = ctx.bridge.dp_meters.get(&id) {
        crate::commit::commit(ctx);
        ctx.out.push(DpAction::Meter(*n));
    }
}

pub(crate) fn clear_actions(ctx: &mut Ctx<'_, '_>) {
    if !ctx.action_set.is_empty() {
        tell_set(ctx, "was");
    }
    ctx.action_set.clear();
    crate::table::show_actset_output(ctx);
}

pub(crate) fn write_actions<'a>(ctx: &mut Ctx<'a, '_>, actions: &'a [Action]) {
    ctx.action_set.extend(actions);
    crate::table::show_actset_output(ctx);
    if ctx.action_set.is_empty() {
        ctx.detail(|| "action set is empty".into());
    } else {
        tell_set(ctx, "is");
    }
}

fn tell_set(ctx: &mut Ctx<'_, '_>, verb: &str) {
    if ctx.rec.is_some() {
        let set = shown(&ctx.action_set);
        let text = set.iter().map(|a| ctx.names.action(a)).collect::<Vec<_>>().join(",");
        ctx.detail(|| format!("action set {verb}: {text}"));
    }
}

pub(crate) fn write_metadata(ctx: &mut Ctx<'_, '_>, w: &WriteMetadata) {
    ctx.write(Field::METADATA, w.metadata.into(), w.mask.into());
}

pub(crate) fn goto_table(ctx: &mut Ctx<'_, '_>, table: u8, last: bool) {
    let last = last && ctx.action_set.is_empty();
    crate::table::resubmit(ctx, None, TableId(table), Lookup { honor_miss: true }, last);
}
