//! Running actions. Each kind has a file of the name that it has in the `openflow` crate.

pub(crate) mod bundle;
pub(crate) mod check_pkt_larger;
pub(crate) mod clone;
pub(crate) mod controller;
pub(crate) mod ct;
pub(crate) mod encap;
pub(crate) mod enqueue;
pub(crate) mod fin_timeout;
pub(crate) mod group;
pub(crate) mod instruction;
pub(crate) mod learn;
pub(crate) mod mpls;
pub(crate) mod multipath;
pub(crate) mod output;
pub(crate) mod pbb;
pub(crate) mod queue;
pub(crate) mod reg_move;
pub(crate) mod resubmit;
pub(crate) mod sample;
pub(crate) mod set;
pub(crate) mod set_field;
pub(crate) mod stack;
pub(crate) mod ttl;
pub(crate) mod tunnel;
pub(crate) mod vlan;

use crate::ctx::Ctx;
use crate::drop_reason::DropReason;
use crate::recorder::NodeKind;
use dpif::action::SlowPath;
use flow::{Field, Prereq};
use openflow::Action;

/// Whether the list that an action stands in goes on after it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Next {
    /// It does.
    Go,
    /// It ends here; the lists around it go on.
    EndList,
}

/// Runs a list of actions. `last`: nothing happens to the packet afterwards.
pub(crate) fn run_list<'a>(ctx: &mut Ctx<'a, '_>, list: &'a [Action], last: bool) {
    for (i, a) in list.iter().enumerate() {
        if ctx.stopped() {
            return;
        }
        if ctx.was_mpls && needs_below_mpls(a) {
            ctx.start_freeze();
            ctx.freeze_rest(&list[i..]);
            return;
        }
        let end = run(ctx, a, last && i + 1 == list.len());
        if ctx.freeze.is_some() {
            ctx.freeze_rest(&list[i + 1..]);
            return;
        }
        if end == Next::EndList {
            return;
        }
        if let Action::CheckPktLarger(c) = a
            && ctx.error.is_none()
        {
            check_pkt_larger::run(ctx, c, &list[i + 1..], last);
            return;
        }
    }
}

/// Runs actions that do not lie in one list (an action set).
pub(crate) fn run_refs<'a>(ctx: &mut Ctx<'a, '_>, list: &[&'a Action], last: bool) {
    for (i, a) in list.iter().enumerate() {
        if ctx.stopped() {
            return;
        }
        let below = ctx.was_mpls && needs_below_mpls(a);
        if below {
            ctx.start_freeze();
        }
        let end = if below { Next::Go } else { run(ctx, a, last && i + 1 == list.len()) };
        if ctx.freeze.is_some() {
            let rest: Vec<Action> = list[i + !below as usize..].iter().copied().cloned().collect();
            ctx.freeze_rest(&rest);
            return;
        }
        if end == Next::EndList {
            return;
        }
    }
}

/// Whether an action looks at or changes what lies below an MPLS label that was popped.
fn needs_below_mpls(a: &Action) -> bool {
    let field = |f: Field| !matches!(f.info().prereq, Prereq::None | Prereq::Ethernet | Prereq::VlanVid);
    match a {
        Action::SetIpv4Src(_)
        | Action::SetIpv4Dst(_)
        | Action::SetIpDscp(_)
        | Action::SetIpEcn(_)
        | Action::SetIpTtl(_)
        | Action::SetL4SrcPort(_)
        | Action::SetL4DstPort(_)
        | Action::DecTtl(_)
        | Action::Resubmit(_)
        | Action::GotoTable(_)
        | Action::Learn(_)
        | Action::Multipath(_)
        | Action::Bundle(_)
        | Action::Group(_)
        | Action::Ct(_)
        | Action::Encap(_)
        | Action::Decap(_)
        | Action::PushPbb(_)
        | Action::DecMplsTtl
        | Action::SetMplsLabel(_)
        | Action::SetMplsTc(_)
        | Action::SetMplsTtl(_)
        | Action::PushMpls(_)
        | Action::PopMpls(_) => true,
        Action::SetField(s) => field(s.field),
        Action::Move(m) => field(m.src.field) || field(m.dst.field),
        Action::Push(s) | Action::Pop(s) => field(s.subfield.field),
        Action::OutputReg(o) => field(o.src.field),
        _ => false,
    }
}

/// Runs one action.
fn run<'a>(ctx: &mut Ctx<'a, '_>, a: &'a Action, last: bool) -> Next {
    ctx.record(NodeKind::Action, |n| n.action(a));
    match a {
        Action::Output(o) => output::run(ctx, o.port, o.max_len, last),
        Action::OutputReg(o) => output::run_reg(ctx, o, last),
        Action::OutputTrunc(o) => output::run_trunc(ctx, o),
        Action::Controller(c) => controller::run(ctx, c),
        Action::Enqueue(e) => enqueue::run(ctx, *e, last),
        Action::Bundle(b) => bundle::run(ctx, b, last),
        Action::Group(g) => group::run(ctx, g.group, a, last),
        Action::StripVlan(_) => vlan::strip(ctx),
        Action::PushVlan(p) => vlan::push(ctx, p.ethertype),
        Action::SetVlanVid(v) => vlan::set_vid(ctx, v),
        Action::SetVlanPcp(v) => vlan::set_pcp(ctx, v),
        Action::PushMpls(p) => mpls::push(ctx, p.ethertype),
        Action::PopMpls(p) => mpls::pop(ctx, p.ethertype),
        Action::SetMplsLabel(s) => ctx.write(Field::MPLS_LABEL, s.label.into(), u128::MAX),
        Action::SetMplsTc(s) => ctx.write(Field::MPLS_TC, s.tc.into(), u128::MAX),
        Action::SetMplsTtl(s) => ctx.write(Field::MPLS_TTL, s.ttl.into(), u128::MAX),
        Action::DecMplsTtl => return ttl::dec_mpls(ctx),
        Action::SetEthSrc(s) => ctx.write(Field::ETH_SRC, s.mac.to_u64().into(), u128::MAX),
        Action::SetEthDst(s) => ctx.write(Field::ETH_DST, s.mac.to_u64().into(), u128::MAX),
        Action::SetIpv4Src(s) => set::ipv4(ctx, Field::IP_SRC, s.addr),
        Action::SetIpv4Dst(s) => set::ipv4(ctx, Field::IP_DST, s.addr),
        Action::SetIpDscp(s) => set::tos(ctx, s.value & 0xfc, 0xfc),
        Action::SetIpEcn(s) => set::tos(ctx, s.value & 3, 3),
        Action::SetIpTtl(s) => set::ttl(ctx, s.value),
        Action::SetL4SrcPort(s) => set::port(ctx, true, s.port),
        Action::SetL4DstPort(s) => set::port(ctx, false, s.port),
        Action::SetField(s) => set_field::run(ctx, s),
        Action::Move(m) => reg_move::run(ctx, m),
        Action::DecTtl(d) => return ttl::dec(ctx, d),
        Action::SetTunnel(t) => tunnel::run(ctx, t),
        Action::SetQueue(q) => queue::set(ctx, q.queue),
        Action::PopQueue => queue::pop(ctx),
        Action::CtClear => ct_clear(ctx),
        Action::Learn(l) => learn::run(ctx, l),
        Action::FinTimeout(f) => fin_timeout::run(ctx, f),
        Action::Resubmit(r) => resubmit::run(ctx, r, last),
        Action::Clone(c) => clone::run(ctx, &c.actions, last),
        Action::Push(s) => stack::push(ctx, s.subfield),
        Action::Pop(s) => stack::pop(ctx, s.subfield),
        Action::Exit => ctx.exit = true,
        Action::Multipath(m) => multipath::run(ctx, m),
        Action::Note(_) | Action::Conjunction(_) | Action::CheckPktLarger(_) => {}
        Action::Sample(s) => sample::run(ctx, s),
        Action::DebugRecirc => ctx.start_freeze(),
        Action::DebugSlow => ctx.slow = ctx.slow.union(SlowPath::ACTION),
        Action::Meter(m) => instruction::meter(ctx, m.meter),
        Action::ClearActions => instruction::clear_actions(ctx),
        Action::WriteActions(w) => instruction::write_actions(ctx, &w.actions),
        Action::WriteMetadata(w) => instruction::write_metadata(ctx, w),
        Action::GotoTable(g) => instruction::goto_table(ctx, g.table, last),
        Action::Ct(c) => ct::run(ctx, c),
        // Only inside `ct`, which takes care of it.
        Action::Nat(_) => {}
        Action::Encap(e) => return encap::run(ctx, e),
        Action::Decap(d) => return encap::decap(ctx, d),
        Action::PushPbb(_) => pbb::push(ctx),
        Action::PopPbb => return pbb::pop(ctx),
        Action::DecNshTtl => return encap::dec_ttl(ctx),
        Action::CopyTtlIn => return ttl::copy(ctx, false),
        Action::CopyTtlOut => return ttl::copy(ctx, true),
        Action::DeleteField(d) => delete_field(ctx, d.field),
    }
    Next::Go
}

/// An action that translation does not have: the packet goes no further in this list, and the record says why.
fn unsupported(ctx: &mut Ctx<'_, '_>, what: &str) {
    ctx.drop(DropReason::Unsupported, NodeKind::Error, || format!("{what} is not supported, dropping"));
    ctx.exit = true;
}

/// Takes a tunnel option away.
fn delete_field(ctx: &mut Ctx<'_, '_>, field: Field) {
    if let Some(n) = field.as_tun_metadata() {
        flow::TunLayout::set_present(&mut ctx.key, n, false);
    }
    ctx.detail(|| format!("delete {field}"));
}

fn ct_clear(ctx: &mut Ctx<'_, '_>) {
    if ctx.conntracked {
        ctx.out.push(dpif::DpAction::CtClear);
        ctx.conntracked = false;
        let l = flow::layout::CT_STATE;
        ctx.key.bytes_mut()[l..flow::layout::TUN_ID].fill(0);
    }
}
