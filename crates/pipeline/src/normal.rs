//! NORMAL: what a learning switch does (IEEE 802.1Q clause 8, with the bundles of ovs-vswitchd.conf.db(5)).

use crate::bundle::{BondMode, Bundle};
use crate::ctx::Ctx;
use crate::drop_reason::DropReason;
use crate::effect::Effect;
use crate::recorder::NodeKind;
use crate::vlan::{self, Tags};
use base::{Mac, OfPort, VlanId};
use flow::key::{VLAN_PRESENT, eth_type};
use flow::layout as l;
use l2::mac_learning::Heard;
use l2::{BundleId, MacKey};

/// Destinations that bridges keep to themselves.
fn is_reserved(mac: Mac) -> bool {
    match mac.0 {
        [0x01, 0x80, 0xc2, 0x00, 0x00, last] => last < 0x10,
        [0x00, 0xe0, 0x2b, 0x00, 0x00, last] => matches!(last, 0x00 | 0x04 | 0x06),
        [0x01, 0x00, 0x0c, 0xcc, 0xcc, last] => (0xc0..=0xcf).contains(&last),
        [0x01, 0x00, 0x0c, 0xcd, 0xcd, 0xcd] | [0x01, 0x00, 0x0c, 0x00, 0x00, 0x00] => true,
        _ => false,
    }
}

/// Whether mirroring to a VLAN leaves frames to this destination out.
pub(crate) fn is_reserved_destination(mac: Mac) -> bool {
    is_reserved(mac)
}

pub(crate) fn run(ctx: &mut Ctx<'_, '_>) {
    ctx.look(l::ETH_DST, 12);
    let vid = ctx.vlan_tci(VLAN_PRESENT | 0xfff) & 0xfff;
    let bridge = ctx.bridge;
    let in_port = ctx.key.in_port();
    let from = match bridge.port(in_port).and_then(|p| p.bundle) {
        Some(id) => bridge.bundle(id).map(|b| (id, b)),
        None if !ctx.in_port_is_real() => None,
        None => {
            ctx.record(NodeKind::Error, |n| format!("received packet on unknown port {}", n.port(in_port)));
            let text = || "no input bundle, dropping".into();
            return ctx.drop(DropReason::NoInputBundle, NodeKind::Warning, text);
        }
    };
    if ctx.key.eth_type() == eth_type::VLAN && ctx.key.vlan_tci() & VLAN_PRESENT == 0 {
        let text = || "partial VLAN tag, dropping".into();
        return ctx.drop(DropReason::PartialVlan, NodeKind::Warning, text);
    }
    let mut tags = Tags::of(&ctx.key);
    if let Some((_, b)) = from {
        ctx.look_inner_vlan(b);
        if let Some(text) = (!vlan::admits(b, vid)).then(|| vlan::refusal(b, vid)).flatten() {
            ctx.record(NodeKind::Error, |_| text);
            let text = || "disallowed VLAN VID for this input port, dropping".into();
            return ctx.drop(DropReason::VlanNotAllowed, NodeKind::Warning, text);
        }
        tags = tags.received(b);
    }
    if !bridge.config.forward_bpdu && is_reserved(ctx.key.eth_dst()) {
        let text = || "packet has reserved destination MAC, dropping".into();
        return ctx.drop(DropReason::ReservedDestination, NodeKind::Detail, text);
    }
    let mut learned = None;
    if let Some((id, b)) = from {
        if !bond_admits(ctx, id, b, tags.vlan()) {
            return;
        }
        learned = learn(ctx, id, b, tags.vlan()).map(|key| (key, id));
    }
    forward(ctx, from, tags, learned);
}

/// A bond accepts a frame only by the member that its partner uses for it.
fn bond_admits(ctx: &mut Ctx<'_, '_>, id: BundleId, b: &Bundle, vlan: VlanId) -> bool {
    let Some(bond) = &b.bond else { return true };
    let in_port = ctx.key.in_port();
    let refuse = |ctx: &mut Ctx<'_, '_>| {
        let text = || "bonding refused admissibility, dropping".into();
        ctx.drop(DropReason::BondRefused, NodeKind::Detail, text);
        false
    };
    if bond.lacp {
        return bond.enabled.contains(&in_port) || refuse(ctx);
    }
    if !bond.enabled.contains(&in_port) {
        return refuse(ctx);
    }
    let multicast = ctx.key.eth_dst().is_multicast();
    let active = bond.active == Some(in_port);
    match bond.mode {
        BondMode::ActiveBackup if !active && !bond.all_members_active => return refuse(ctx),
        BondMode::BalanceSlb | BondMode::BalanceTcp if multicast && !active && !bond.all_members_active => {
            return refuse(ctx);
        }
        _ => {}
    }
    if bond.mode == BondMode::BalanceSlb {
        // A source that lives elsewhere comes back from the partner's flooding, unless it moved and says so.
        let at = lookup(ctx, MacKey::new(vlan, ctx.key.eth_src()));
        if at.is_some_and(|other| other != id) && !is_gratuitous_arp(ctx) {
            let text = || "SLB bond thinks this packet looped back, dropping".into();
            ctx.drop(DropReason::BondLoop, NodeKind::Detail, text);
            return false;
        }
    }
    true
}

/// An ARP whose sender announces itself: RFC 5227.
fn is_gratuitous_arp(ctx: &mut Ctx<'_, '_>) -> bool {
    if ctx.key.eth_type() != eth_type::ARP || ctx.key.eth_dst() != Mac::BROADCAST {
        return false;
    }
    ctx.look(l::NW_PROTO, 1);
    match ctx.key.ip_proto() {
        2 => true,
        1 => {
            ctx.look(l::NW_SRC, 8);
            ctx.key.nw_src() == ctx.key.nw_dst()
        }
        _ => false,
    }
}

/// Takes note of where the source is, unless nothing is to be learned here.
fn learn(ctx: &mut Ctx<'_, '_>, id: BundleId, b: &Bundle, vlan: VlanId) -> Option<MacKey> {
    let bridge = ctx.bridge;
    let src = ctx.key.eth_src();
    if src.is_multicast() || bridge.config.flood_vlans.contains(vlan) {
        return None;
    }
    if bridge.port(ctx.key.in_port()).is_some_and(|p| p.stp.is_some_and(|s| !s.learn)) {
        return None;
    }
    let key = MacKey::new(vlan, src);
    if bridge.mac.is_static(key) {
        // For as long as it is.
        lookup(ctx, key);
        return None;
    }
    let gratuitous_arp = is_gratuitous_arp(ctx);
    let heard = Heard { key, bundle: id, gratuitous_arp, bond: b.bond.is_some() };
    if !ctx.dry_run && bridge.mac.lookup(key) != Some(id) {
        let port = bridge.port(ctx.key.in_port()).map_or("", |p| &*p.name);
        ctx.detail(|| format!("learned that {src} is on port {port} in VLAN {}", vlan.0));
    }
    ctx.effects.push(Effect::MacLearn { bridge: bridge.id, heard });
    (!ctx.dry_run).then_some(key)
}

/// Where a station is; what comes out depends on it.
fn lookup(ctx: &mut Ctx<'_, '_>, key: MacKey) -> Option<BundleId> {
    let at = ctx.bridge.mac.lookup(key);
    ctx.bridge_deps().macs.push((key, at));
    at
}

/// `learned`: what this very packet has taught, which counts for it already.
fn forward(
    ctx: &mut Ctx<'_, '_>,
    from: Option<(BundleId, &Bundle)>,
    tags: Tags,
    learned: Option<(MacKey, BundleId)>,
) {
    let bridge = ctx.bridge;
    let dst = ctx.key.eth_dst();
    let known = if dst.is_multicast() || bridge.config.flood_vlans.contains(tags.vlan()) {
        None
    } else {
        let key = MacKey::new(tags.vlan(), dst);
        let at = lookup(ctx, key);
        learned.filter(|(k, _)| *k == key).map(|(_, id)| id).or(at)
    };
    if let Some((id, to)) = known.and_then(|id| Some((id, bridge.bundle(id)?))) {
        if from.is_some_and(|(f, _)| f == id) {
            let text = || "learned port is input port, dropping".into();
            return ctx.drop(DropReason::LearnedOnInput, NodeKind::Detail, text);
        }
        ctx.detail(|| "forwarding to learned port".into());
        return send(ctx, to, tags);
    }
    ctx.detail(|| "no learned MAC for destination, flooding".into());
    for (id, to) in bridge.each_bundle() {
        let ok = from.is_none_or(|(f, _)| f != id)
            && to.floodable
            && to.includes(tags.vlan(), tags.inner())
            && !bridge.mirrors.iter().any(|m| m.out == Some(id));
        if ok {
            send(ctx, to, tags);
        }
    }
}

/// Sends the packet to a bundle, tagged as it wants it.
pub(crate) fn send(ctx: &mut Ctx<'_, '_>, to: &Bundle, tags: Tags) {
    send_tagged(ctx, to, tags, false, None);
}

/// Sends the packet to a bundle; `as_is` leaves its tags alone, `trunc` cuts it.
pub(crate) fn send_tagged(ctx: &mut Ctx<'_, '_>, to: &Bundle, tags: Tags, as_is: bool, trunc: Option<u32>) {
    let Some(port) = member(ctx, to, tags.vlan()) else { return };
    if as_is {
        return crate::port_out::send(ctx, port, trunc, false);
    }
    let old = (ctx.key.vlan(0), ctx.key.vlan(1));
    ctx.look_tags_for(to, tags);
    tags.sent(to).put(&mut ctx.key, to);
    if trunc.is_some() {
        crate::commit::commit(ctx);
    }
    crate::port_out::send(ctx, port, trunc, false);
    ctx.key.set_vlan(0, old.0.0, old.0.1);
    ctx.key.set_vlan(1, old.1.0, old.1.1);
}

/// The member of a bundle by which the packet leaves.
fn member(ctx: &mut Ctx<'_, '_>, b: &Bundle, vlan: VlanId) -> Option<OfPort> {
    let Some(bond) = &b.bond else { return b.members.first().copied() };
    match bond.mode {
        BondMode::ActiveBackup => bond.active,
        BondMode::BalanceSlb => {
            ctx.look(l::ETH_SRC, 6);
            ctx.look_u16(l::VLAN_TCI, VLAN_PRESENT | 0xfff);
            let h = crate::hash::words([ctx.key.eth_src().to_u64(), vlan.0.into()], bond.basis);
            bond.buckets.get(h as usize & 0xff).copied()
        }
        BondMode::BalanceTcp => {
            let h = crate::hash::l4(ctx, bond.basis);
            bond.buckets.get(h as usize & 0xff).copied()
        }
    }
}

impl Ctx<'_, '_> {
    /// Whether a frame may enter a tunnel or leave to an access port depends on the tag below the outer one.
    fn look_inner_vlan(&mut self, _: &Bundle) {
        if self.key.vlan_tci() & VLAN_PRESENT != 0 {
            self.look_u16(l::VLAN2_TCI, VLAN_PRESENT | 0xfff);
        }
    }

    /// What a bundle sends may depend on the priority: where the VLAN is stripped and the priority kept, and for a tag
    /// of VLAN 0, which stays only for its priority.
    ///
    /// DEVIATION: the reference overlooks the second, and then caches a tagged answer for untagged-to-be frames.
    fn look_tags_for(&mut self, b: &Bundle, tags: Tags) {
        let keeps_priority =
            b.priority_tags != crate::bundle::PriorityTags::Never && tags.sent(b).0[0].vid != tags.0[0].vid;
        for n in 0..2 {
            let (_, tci) = self.key.vlan(n);
            let tagged = tci & VLAN_PRESENT != 0;
            if tagged {
                self.look_u16(l::VLAN_TCI + 4 * n, VLAN_PRESENT | 0xfff);
            }
            if tagged && (tci & 0xfff == 0 || keeps_priority) {
                self.look(l::VLAN_TCI + 4 * n, 2);
            }
        }
    }
}
