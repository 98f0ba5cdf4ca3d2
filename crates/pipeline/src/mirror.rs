//! Mirrors: copies of what passes a bridge. A mirror gets a packet once for as long as the packet stays as it is.

use crate::ctx::Ctx;
use crate::effect::Effect;
use crate::port::PortView;
use crate::recorder::NodeKind;
use crate::vlan::{self, Tags};
use flow::key::VLAN_PRESENT;
use l2::BundleId;

/// Copies what came in.
pub(crate) fn ingress(ctx: &mut Ctx<'_, '_>, port: &PortView) {
    if let Some(id) = port.bundle {
        copy(ctx, id, selected(ctx, id, true));
    }
}

/// Copies what just left.
pub(crate) fn egress(ctx: &mut Ctx<'_, '_>, port: &PortView) {
    if let Some(id) = port.bundle {
        copy(ctx, id, selected(ctx, id, false));
    }
}

/// The mirrors that select a bundle, as bits.
fn selected(ctx: &Ctx<'_, '_>, id: BundleId, ingress: bool) -> u32 {
    let by = |m: &crate::bundle::Mirror| if ingress { m.src.contains(&id) } else { m.dst.contains(&id) };
    let mirrors = ctx.bridge.mirrors.iter().take(32).enumerate();
    mirrors.filter(|(_, m)| m.select_all || by(m)).fold(0, |bits, (i, _)| bits | 1 << i)
}

fn copy(ctx: &mut Ctx<'_, '_>, id: BundleId, wanted: u32) {
    let mut todo = wanted & !ctx.mirrors;
    let bridge = ctx.bridge;
    let Some(from) = bridge.bundle(id) else { return };
    let vid = ctx.key.vlan_tci() & 0xfff;
    let admitted = vlan::admits(from, vid);
    if !admitted && let Some(text) = vlan::refusal(from, vid) {
        ctx.record(NodeKind::Error, |_| text);
    }
    if todo == 0 {
        return;
    }
    let by_vlan = |m: &crate::bundle::Mirror| {
        m.vlans.is_some() || m.out.and_then(|id| bridge.bundle(id)).is_none_or(|b| !b.is_plain_trunk())
    };
    if !from.is_plain_trunk() || bridge.mirrors.iter().any(by_vlan) {
        ctx.vlan_tci(VLAN_PRESENT | 0xfff);
    }
    if !admitted {
        return;
    }
    let tags = Tags::of(&ctx.key).received(from);
    while todo != 0 {
        let i = todo.trailing_zeros() as usize;
        todo &= todo - 1;
        let Some(m) = bridge.mirrors.get(i) else { return };
        if m.vlans.as_ref().is_some_and(|set| !set.contains(tags.vlan())) {
            continue;
        }
        // Also those that send to the same place have done their duty.
        let same = bridge
            .mirrors
            .iter()
            .take(32)
            .enumerate()
            .filter(|(_, o)| o.out == m.out && o.out_vlan == m.out_vlan);
        let bits = same.fold(0u32, |bits, (i, _)| bits | 1 << i);
        ctx.mirrors |= bits;
        todo &= !bits;
        ctx.effects.push(Effect::CreditMirror { bridge: bridge.id, mirror: i });
        let held = ctx.mirrors;
        // A copy is not mirrored again.
        ctx.mirrors = u32::MAX;
        deliver(ctx, m, from, tags);
        ctx.mirrors = held;
    }
}

fn deliver(ctx: &mut Ctx<'_, '_>, m: &crate::bundle::Mirror, from: &crate::bundle::Bundle, tags: Tags) {
    let bridge = ctx.bridge;
    if let Some(out) = m.out.and_then(|id| bridge.bundle(id)) {
        let as_is = from.is_plain_trunk() && out.is_plain_trunk();
        crate::normal::send_tagged(ctx, out, tags, as_is, (m.snaplen != 0).then_some(m.snaplen));
        return;
    }
    let Some(out_vlan) = m.out_vlan else { return };
    if tags.vlan() == out_vlan {
        return;
    }
    ctx.look(flow::layout::ETH_DST, 6);
    if crate::normal::is_reserved_destination(ctx.key.eth_dst()) {
        return;
    }
    let mut tags = tags;
    tags.0[0].vid = out_vlan.0;
    for (id, b) in bridge.each_bundle() {
        if b.includes(out_vlan, tags.inner()) && !bridge.mirrors.iter().any(|m| m.out == Some(id)) {
            crate::normal::send(ctx, b, tags);
        }
    }
}
