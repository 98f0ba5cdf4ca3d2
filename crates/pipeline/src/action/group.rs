//! `group`: all of its buckets, one by weight, or the first live one.

use crate::ctx::Ctx;
use crate::drop_reason::DropReason;
use crate::effect::Effect;
use crate::hash;
use crate::recorder::NodeKind;
use base::{GroupId, OfPort};
use dpif::DpAction;
use dpif::action::HashAlg;
use flow::layout as l;
use ofproto::Group;
use openflow::Action;
use openflow::msg::{Bucket, GroupType};
use smallvec::SmallVec;
use std::sync::Arc;

pub(crate) fn run<'a>(ctx: &mut Ctx<'a, '_>, id: GroupId, action: &'a Action, last: bool) {
    let bridge = ctx.bridge;
    ctx.bridge_deps().groups = true;
    let Some(group) = bridge.tables.group(id) else {
        return ctx.drop(DropReason::NoOutput, NodeKind::Warning, || "output to nonexistent group".into());
    };
    if !crate::table::within_budget(ctx) {
        return;
    }
    ctx.depth += 1;
    let in_group = std::mem::replace(&mut ctx.in_group, true);
    match group.kind {
        GroupType::All | GroupType::Indirect => {
            count(ctx, group);
            let n = group.buckets.len();
            for i in 0..n {
                bucket(ctx, group, i, last && i + 1 == n);
            }
        }
        GroupType::FastFailover => {
            count(ctx, group);
            let first = (0..group.buckets.len()).find(|i| is_live(ctx, &group.buckets[*i], 0));
            chosen(ctx, group, first, last);
        }
        GroupType::Select => select(ctx, group, action, last),
    }
    ctx.in_group = in_group;
    ctx.depth -= 1;
}

fn count(ctx: &mut Ctx<'_, '_>, group: &Arc<Group>) {
    ctx.effects.push(Effect::CreditGroup(group.clone()));
}

/// Runs the chosen bucket, if any.
fn chosen<'a>(ctx: &mut Ctx<'a, '_>, group: &'a Arc<Group>, which: Option<usize>, last: bool) {
    match which {
        Some(i) => {
            ctx.detail(|| format!("using bucket {}", group.buckets[i].bucket_id));
            bucket(ctx, group, i, last);
        }
        None => ctx.drop(DropReason::NoLiveBucket, NodeKind::Detail, || "no live bucket".into()),
    }
}

/// Runs a bucket's action set; packet and metadata are restored afterwards, the stack is not.
fn bucket<'a>(ctx: &mut Ctx<'a, '_>, group: &'a Arc<Group>, i: usize, last: bool) {
    if ctx.error.is_some() {
        return;
    }
    let b = &group.buckets[i];
    ctx.open(NodeKind::Bucket, |_| format!("bucket {}", b.bucket_id));
    ctx.effects.push(Effect::CreditBucket { group: group.clone(), bucket: i });
    let set: SmallVec<[&'a Action; 4]> = b.actions.iter().collect();
    let ordered = crate::action_set::ordered(&set);
    let key = ctx.key.clone();
    let flags = (ctx.was_mpls, ctx.conntracked, ctx.labels);
    super::run_refs(ctx, &ordered, last);
    if ctx.freeze.is_some() {
        ctx.finish_freeze();
    }
    ctx.exit = false;
    ctx.key = key;
    (ctx.was_mpls, ctx.conntracked, ctx.labels) = flags;
    ctx.close();
}

/// Whether what a bucket watches is up. A bucket that watches nothing is.
fn is_live(ctx: &mut Ctx<'_, '_>, b: &Bucket, depth: u32) -> bool {
    let bridge = ctx.bridge;
    if b.watch_port != OfPort::NONE {
        let live = bridge.port(b.watch_port).is_some_and(|p| p.live);
        if !live {
            ctx.detail(|| format!("bucket {}: not live due to port {}", b.bucket_id, b.watch_port.0));
        }
        return live;
    }
    if b.watch_group == GroupId::ANY {
        return true;
    }
    // Groups may watch each other in a circle.
    let live = depth < 16
        && bridge
            .tables
            .group(b.watch_group)
            .is_some_and(|g| g.buckets.iter().any(|b| is_live(ctx, b, depth + 1)));
    if !live {
        ctx.detail(|| format!("bucket {}: not live due to group {}", b.bucket_id, b.watch_group.0));
    }
    live
}

/// One bucket by weight: over the fields that the controller chose, or over the hash that the datapath computes.
fn select<'a>(ctx: &mut Ctx<'a, '_>, group: &'a Arc<Group>, action: &'a Action, last: bool) {
    if group.props.selection_method == "hash" {
        count(ctx, group);
        let basis = group.props.selection_method_param;
        let mut h = basis ^ basis >> 32;
        for (field, mask) in &group.props.fields {
            if !ctx.satisfies(field.info().prereq) {
                continue;
            }
            ctx.look_field(*field, *mask);
            let v = ctx.key.get(*field) & mask;
            h = u64::from(hash::words([h, v as u64, (v >> 64) as u64], 0));
        }
        let which = weighted(ctx, group, h as u32, true);
        return chosen(ctx, group, which, last);
    }
    let basis = group.props.selection_method_param as u32;
    if ctx.key.dp_hash() == 0 {
        // The datapath hashes the packet first. The group runs once that is known.
        ctx.detail(|| "no live bucket".into());
        let alg = if group.props.selection_method.is_empty() { HashAlg::SymL4 } else { HashAlg::L4 };
        ctx.start_freeze();
        if let Some(freeze) = &mut ctx.freeze {
            freeze.hash = Some(DpAction::Hash { alg, basis });
        }
        ctx.freeze_rest(std::slice::from_ref(action));
        return;
    }
    count(ctx, group);
    // Few bits of the hash are enough to be fair, and keep the number of cached flows small.
    let bits = (u32::BITS - (group.buckets.len() as u32 * 4).leading_zeros()).clamp(4, 12);
    let bits = (1u32 << bits) - 1;
    let m = ctx.mask.0.u32_at(l::DP_HASH) | bits;
    ctx.mask.0.put(l::DP_HASH, &m.to_be_bytes());
    let h = hash::words([u64::from(ctx.key.dp_hash() & bits)], 0);
    let which = weighted(ctx, group, h, false);
    chosen(ctx, group, which, last);
}

/// The live bucket of the highest score; scores are random by hash and bucket, in proportion to the weights.
fn weighted(ctx: &mut Ctx<'_, '_>, group: &Group, h: u32, tell: bool) -> Option<usize> {
    let mut best: Option<(u64, usize)> = None;
    for (i, b) in group.buckets.iter().enumerate() {
        if b.weight == 0 || !is_live(ctx, b, 0) {
            continue;
        }
        let score =
            u64::from(hash::words([u64::from(h), b.bucket_id.into()], 0) & 0xffff) * u64::from(b.weight);
        if tell {
            ctx.detail(|| format!("bucket {}: score {score}", b.bucket_id));
        }
        if best.is_none_or(|(s, _)| score > s) {
            best = Some((score, i));
        }
    }
    best.map(|(_, i)| i)
}
