//! The function itself: what surrounds the pipeline.

use crate::ctx::{Ctx, pipeline_fields};
use crate::deps::Deps;
use crate::drop_reason::DropReason;
use crate::recirc::Frozen;
use crate::recorder::{NodeKind, Recorder};
use crate::snapshot::{BridgeView, Snapshot};
use crate::table::Lookup;
use crate::text::Namer;
use crate::translation::{Origin, Request, Translation};
use base::{Cookie, OfPort, TableId};
use dpif::DpAction;
use dpif::action::SlowPath;
use flow::key::{VLAN_PRESENT, eth_type, frag, ip_proto};
use flow::layout as l;
use flow::{Field, FlowKey, Mask};
use openflow::Action;
use smallvec::SmallVec;
use std::sync::Arc;

/// Translates a flow: see [`crate`].
pub fn translate(snap: &Snapshot, req: &Request<'_>, rec: Option<&mut Recorder>) -> Translation {
    run(snap, req, rec, Namer::default()).translation
}

/// A translation with what a trace shows besides.
pub(crate) struct Outcome {
    pub translation: Translation,
    /// Only if there was a record.
    pub shown: Option<Box<Shown>>,
}

/// See [`Outcome`].
pub(crate) struct Shown {
    /// The flow at the end; in_port is an OpenFlow number.
    pub flow: FlowKey,
    /// The mask before it was made fit for the datapath.
    pub looked_at: Mask,
    /// Where a trace goes on.
    pub forks: Vec<crate::ctx::Fork>,
}

/// A packet that no bridge takes.
fn nowhere(req: &Request<'_>, reason: DropReason) -> Outcome {
    let mask = always_matters(req.key);
    let shown = Some(Box::new(Shown { flow: req.key.clone(), looked_at: mask.clone(), forks: Vec::new() }));
    let translation = Translation { mask, drop_reason: Some(reason), ..Translation::default() };
    Outcome { translation, shown }
}

pub(crate) fn run<'r>(
    snap: &Snapshot,
    req: &Request<'r>,
    rec: Option<&'r mut Recorder>,
    names: Namer<'r>,
) -> Outcome {
    let frozen = match (req.origin, req.key.recirc_id()) {
        (Origin::Datapath | Origin::Port(..), id) if id != 0 => match snap.recirc.get(id) {
            Some(f) => Some(f),
            None => return nowhere(req, DropReason::NoRecirculationContext),
        },
        _ => None,
    };
    let (bridge, in_port) = match (&frozen, req.origin) {
        (Some(f), _) => (f.bridge, f.in_port),
        (None, Origin::Port(bridge, port)) => (bridge, port),
        (None, Origin::PacketOut { bridge, in_port, .. }) => (bridge, in_port),
        (None, Origin::Datapath) => match snap.dp_ports.get(req.key.dp_port()) {
            Some(at) => at,
            None => return nowhere(req, DropReason::UnknownInPort),
        },
    };
    let Some(bridge) = snap.bridge(bridge) else { return nowhere(req, DropReason::BridgeNotFound) };
    pipeline(snap, req, bridge, in_port, frozen, rec, names)
}

fn pipeline<'a, 'r>(
    snap: &'a Snapshot,
    req: &Request<'r>,
    bridge: &'a BridgeView,
    in_port: OfPort,
    frozen: Option<Arc<Frozen>>,
    rec: Option<&'r mut Recorder>,
    names: Namer<'r>,
) -> Outcome
where
    'r: 'a,
{
    let frozen_steps = frozen.as_deref().map(|f| (f.actions.clone(), f.action_set.clone()));
    let mut key = req.key.clone();
    key.set_in_port(in_port);
    if key.u32_at(l::ACTSET_OUTPUT) == 0 {
        key.set(Field::ACTSET_OUTPUT, OfPort::UNSET.0.into());
    }
    if let Some(f) = &frozen {
        thaw(&mut key, f);
    }
    let mut ctx = Ctx {
        snap,
        bridge,
        base: key.clone(),
        mask: always_matters(&key),
        original_priority: key.skb_priority(),
        labels: crate::commit::mpls_depth(&key),
        base_labels: crate::commit::mpls_depth(&key),
        key,
        out: Vec::new(),
        effects: SmallVec::new(),
        warnings: Vec::new(),
        entered: req.key,
        deps: Deps::default(),
        rec,
        names,
        dry_run: req.dry_run,
        rule: None,
        table: TableId(0),
        cookie: if matches!(req.origin, Origin::PacketOut { .. }) { Cookie(u64::MAX) } else { Cookie(0) },
        stack: frozen.as_ref().map(|f| f.stack.clone()).unwrap_or_default(),
        stack_bytes: 0,
        action_set: SmallVec::new(),
        depth: 0,
        resubmits: 0,
        exit: false,
        error: None,
        drop_reason: None,
        slow: SlowPath::default(),
        mirrors: frozen.as_ref().map_or(0, |f| f.mirrors),
        in_group: false,
        in_action_set: false,
        in_packet_out: false,
        freeze: None,
        forks: Vec::new(),
        pending: None,
        was_mpls: false,
        conntracked: frozen.as_ref().is_some_and(|f| f.conntracked),
    };
    ctx.bridge_deps();
    match (&frozen, &frozen_steps) {
        (Some(f), Some((steps, set))) => resume(&mut ctx, req, f, steps, set),
        _ => {
            ctx.open(NodeKind::Bridge, |_| format!("bridge(\"{}\")", bridge.name));
            match req.origin {
                Origin::PacketOut { actions, .. } => {
                    ctx.in_packet_out = true;
                    crate::action::run_list(&mut ctx, actions, true);
                    crate::table::run_action_set(&mut ctx);
                }
                _ => crate::port_out::enter(&mut ctx, true),
            }
            ctx.close();
            finish(&mut ctx, req)
        }
    }
}

/// Puts back what the packet could not carry.
fn thaw(key: &mut FlowKey, f: &Frozen) {
    let fields = pipeline_fields(&f.metadata);
    key.words[l::STAGE_PIPELINE..].copy_from_slice(&fields.words[l::STAGE_PIPELINE..]);
    key.words[l::TUN_ID / 8..l::STAGE_L2].copy_from_slice(&fields.words[l::TUN_ID / 8..l::STAGE_L2]);
}

fn resume<'b>(
    ctx: &mut Ctx<'b, '_>,
    req: &Request<'_>,
    f: &'b Frozen,
    steps: &'b [crate::recirc::FrozenActions],
    set: &'b [Action],
) -> Outcome {
    ctx.action_set.extend(set);
    let name = &ctx.bridge.name;
    ctx.open(NodeKind::Bridge, |_| format!("bridge(\"{name}\")"));
    ctx.open(NodeKind::Thaw, |_| "thaw".into());
    if let Some(table) = f.table {
        ctx.record(NodeKind::Table, |_| format!("Resuming from table {}", table.0));
    }
    ctx.close();
    if let Some(table) = f.table {
        crate::table::resubmit(ctx, None, table, Lookup { honor_miss: true }, true);
    }
    for (i, step) in steps.iter().enumerate() {
        (ctx.table, ctx.cookie) = (step.table, step.cookie);
        crate::action::run_list(ctx, &step.actions, i + 1 == steps.len());
        if ctx.freeze.is_some() {
            for rest in &steps[i + 1..] {
                (ctx.table, ctx.cookie) = (rest.table, rest.cookie);
                ctx.freeze_rest(&rest.actions);
            }
        }
        if ctx.stopped() {
            break;
        }
    }
    crate::table::run_action_set(ctx);
    ctx.close();
    finish(ctx, req)
}

/// Under in-band control the local port may have its address from DHCP, and flows must not keep it from getting one.
fn dhcp_to_local(ctx: &mut Ctx<'_, '_>) {
    const SERVER_TO_CLIENT: (u128, u128) = (67, 68);
    let done = ctx.freeze.is_some() || ctx.error.is_some();
    if done || !ctx.bridge.config.in_band || ctx.key.eth_type() != eth_type::IPV4 {
        return;
    }
    let Some(local) = ctx.bridge.port(OfPort::LOCAL) else { return };
    if ctx.out.contains(&DpAction::Output(local.dp_port)) {
        return;
    }
    if ctx.satisfies(flow::Prereq::Udp)
        && ctx.read(Field::UDP_SRC) == SERVER_TO_CLIENT.0
        && ctx.read(Field::UDP_DST) == SERVER_TO_CLIENT.1
    {
        crate::port_out::send(ctx, OfPort::LOCAL, None, true);
    }
}

fn finish(ctx: &mut Ctx<'_, '_>, req: &Request<'_>) -> Outcome {
    dhcp_to_local(ctx);
    if ctx.freeze.is_some() && ctx.error.is_none() {
        ctx.finish_freeze();
    }
    if ctx.error.is_some() {
        ctx.out.clear();
    }
    if ctx.out.len() > MANY_ACTIONS {
        ctx.slow = ctx.slow.union(SlowPath::ACTION);
    }
    slow_path_meter(ctx);
    let drop_reason = ctx.error.or(if ctx.out.iter().any(sends) {
        None
    } else {
        Some(ctx.drop_reason.unwrap_or(DropReason::NoOutput))
    });
    tidy(&mut ctx.mask, req.key);
    let forks = std::mem::take(&mut ctx.forks);
    let shown = || Box::new(Shown { flow: ctx.key.clone(), looked_at: ctx.mask.clone(), forks });
    let shown = ctx.rec.is_some().then(shown);
    for_datapath(&mut ctx.mask, req.key);
    let translation = Translation {
        actions: std::mem::take(&mut ctx.out),
        mask: ctx.mask.clone(),
        effects: std::mem::take(&mut ctx.effects),
        deps: std::mem::take(&mut ctx.deps),
        drop_reason,
        slow: ctx.slow,
        warnings: std::mem::take(&mut ctx.warnings),
        bridge: Some(ctx.bridge.id),
    };
    Outcome { translation, shown }
}

/// What the reference hands to its slow path runs through that path's meter, though here all paths are one.
fn slow_path_meter(ctx: &mut Ctx<'_, '_>) {
    if ctx.slow.is_empty() || ctx.dry_run || ctx.out.is_empty() {
        return;
    }
    ctx.bridge_deps().meters = true;
    if let Some(n) = ctx.bridge.dp_meters.get(&openflow::msg::MeterConfig::SLOWPATH) {
        ctx.out.insert(0, DpAction::Meter(*n));
    }
}

/// From so many actions on, the reference hands packets to its slow path.
const MANY_ACTIONS: usize = 1500;

fn sends(a: &DpAction) -> bool {
    !matches!(a, DpAction::Set(_) | DpAction::Trunc(_) | DpAction::Meter(_))
}

/// What every megaflow matches: how the packet came, and what kind of packet it is.
fn always_matters(key: &FlowKey) -> Mask {
    let mut mask = Mask::default();
    let m = mask.0.bytes_mut();
    m[l::IN_PORT..l::RECIRC_ID + 4].fill(0xff);
    m[l::PACKET_TYPE..l::PACKET_TYPE + 4].fill(0xff);
    m[l::ETH_TYPE..l::ETH_TYPE + 2].fill(0xff);
    if key.is_ip_any() {
        m[l::NW_FRAG] = frag::ANY | frag::LATER;
    }
    mask
}

/// Takes out the bits that can only have one value, given the others: what the packet does not carry, and headers that
/// its type (which always counts) does not have.
fn tidy(mask: &mut Mask, key: &FlowKey) {
    let tunneled = key.is_tunneled();
    let ty = key.eth_type();
    let (ip, arp) = (key.is_ip_any(), ty == eth_type::ARP || ty == eth_type::RARP);
    let recirculated = key.recirc_id() != 0;
    let m = mask.0.bytes_mut();
    m[l::REGS..].fill(0);
    if !tunneled {
        m[l::TUN_ID..l::ETH_DST].fill(0);
    }
    if !recirculated {
        m[l::DP_HASH..l::DP_HASH + 4].fill(0);
        m[l::CT_STATE..l::TUN_ID].fill(0);
    }
    if !crate::ctx::is_mpls(ty) {
        m[l::MPLS..l::MPLS + 12].fill(0);
    }
    if ty != eth_type::PBB {
        m[l::PBB_ISID..l::PBB_ISID + 4].fill(0);
    }
    if ty != eth_type::IPV4 && !arp {
        m[l::NW_SRC..l::NW_SRC + 8].fill(0);
    }
    if ty != eth_type::IPV6 {
        m[l::IPV6_SRC..l::IPV6_LABEL + 4].fill(0);
        m[l::IPV6_EXTHDR..l::NSH_FLAGS].fill(0);
    }
    if !ip {
        m[l::NW_FRAG..l::NW_PROTO].fill(0);
        m[l::TCP_FLAGS..l::REGS].fill(0);
        if !arp {
            m[l::NW_PROTO] = 0;
            m[l::ARP_SHA..l::ARP_SHA + 12].fill(0);
        }
    } else if m[l::NW_PROTO] == 0xff {
        let proto = key.ip_proto();
        if proto != ip_proto::TCP {
            m[l::TCP_FLAGS..l::TCP_FLAGS + 2].fill(0);
        }
        if proto == ip_proto::ICMP || proto == ip_proto::ICMPV6 {
            m[l::TP_SRC] = 0;
            m[l::TP_DST] = 0;
        }
        if key.nw_frag() & frag::LATER != 0 {
            m[l::TCP_FLAGS..l::REGS].fill(0);
        }
        if ty == eth_type::IPV4 || proto != ip_proto::ICMPV6 {
            m[l::ARP_SHA..l::ARP_SHA + 12].fill(0);
        }
    }
    if ty != eth_type::NSH {
        m[l::NSH_FLAGS..l::TCP_FLAGS].fill(0);
    }
}

/// The mask that the datapath caches by: whether there are tags, and of what kind, always counts.
fn for_datapath(mask: &mut Mask, key: &FlowKey) {
    let m = mask.0.bytes_mut();
    for n in 0..2 {
        let at = l::VLAN + 4 * n;
        if key.vlan(n).1 & VLAN_PRESENT == 0 {
            // Without the mark there is no tag, and nothing in it.
            m[at..l::VLAN + 8].fill(0);
            m[at + 2] = 0x10;
            break;
        }
        m[at..at + 2].fill(0xff);
        m[at + 2] |= 0x10;
    }
}

/// The mask as traces show it: tags that the packet does not have are not mentioned.
pub(crate) fn for_display(looked_at: &Mask, key: &FlowKey) -> Mask {
    let mut mask = looked_at.clone();
    let m = mask.0.bytes_mut();
    for n in 0..2 {
        let at = l::VLAN + 4 * n;
        m[at..at + 2].fill(0);
        if key.vlan(n).1 & VLAN_PRESENT == 0 {
            m[at..at + 4].fill(0);
        } else if m[at + 2] != 0 || m[at + 3] != 0 {
            m[at + 2] |= 0x10;
        }
    }
    mask
}
