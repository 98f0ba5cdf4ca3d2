//! `ct`, `nat`: through the connection tracker, and what becomes of the packet afterwards.
//!
//! The tracker is the datapath's. A packet that is to be looked at with its answer forks: the copy recirculates and
//! resumes at the given table, while the packet itself goes on untracked.

use super::run as run_action;
use crate::ctx::{Ctx, Fork};
use crate::recorder::NodeKind;
use base::TableId;
use dpif::DpAction;
use dpif::action::{Ct as DpCt, CtNat, Masked, NatKind};
use flow::layout as l;
use flow::{Field, Value};
use openflow::Action;
use openflow::action::{Ct, CtZone, Nat, NatRange};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

pub(crate) fn run<'a>(ctx: &mut Ctx<'a, '_>, ct: &'a Ct) {
    crate::commit::commit(ctx);
    let zone = match ct.zone {
        CtZone::Immediate(z) => z,
        CtZone::Field(s) => ctx.read_sub(s) as u16,
    };
    let (old_mark, old_label) = (ctx.key.ct_mark(), ctx.key.ct_label());
    let (mut mark, mut label) = (0 as Value, 0 as Value);
    let mut nat = None;
    if ct.actions.is_empty() {
        ctx.record(NodeKind::Action, |_| "drop".into());
    }
    for a in &ct.actions {
        let (field, mask) = match a {
            Action::SetField(s) => (s.field, s.mask()),
            Action::Move(m) => (m.dst.field, flow::field::ones(m.dst.n_bits) << m.dst.ofs),
            Action::Nat(n) => {
                ctx.record(NodeKind::Action, |n| n.action(a));
                nat = Some(nat_of(n));
                continue;
            }
            _ => continue,
        };
        match field {
            Field::CT_MARK => mark |= mask & Value::from(u32::MAX),
            Field::CT_LABEL => label |= mask,
            _ => continue,
        }
        run_action(ctx, a, false);
    }
    let committed = ct.commit;
    let (new_mark, new_label) = (ctx.key.ct_mark(), ctx.key.ct_label());
    ctx.key.set(Field::CT_MARK, old_mark.into());
    ctx.key.set(Field::CT_LABEL, old_label);
    let action = DpCt {
        commit: ct.commit,
        force: ct.force,
        zone,
        mark: (committed && mark != 0).then(|| Masked::new(new_mark & mark as u32, mark as u32)),
        label: (committed && label != 0).then(|| Masked::new(new_label & label, label)),
        helper: match ct.alg {
            21 => Some("ftp".into()),
            69 => Some("tftp".into()),
            _ => None,
        },
        timeout: None,
        nat,
    };
    let has_nat = action.nat.is_some();
    ctx.out.push(DpAction::Ct(Box::new(action)));
    if let Some(table) = ct.recirc_table {
        ctx.detail(|| {
            format!(
                "A clone of the packet is forked to recirculate. The forked pipeline will be resumed at table {table}."
            )
        });
        let mut state = ctx.frozen(Vec::new(), Some(TableId(table)));
        state.conntracked = true;
        let id = ctx.snap.recirc.intern(state);
        ctx.out.push(DpAction::Recirc(id));
        if ctx.rec.is_some() {
            let mut key = ctx.key.clone();
            key.bytes_mut()[l::CT_STATE..l::TUN_ID].fill(0);
            key.set(Field::CT_ZONE, zone.into());
            key.set(Field::RECIRC_ID, id.into());
            ctx.forks.push(Fork { id, key, nat: has_nat });
        }
    }
    ctx.detail(|| "Sets the packet to an untracked state, and clears all the conntrack fields.".into());
    ctx.key.bytes_mut()[l::CT_STATE..l::TUN_ID].fill(0);
    ctx.conntracked = false;
}

fn nat_of(n: &Nat) -> CtNat {
    let kind = match n.flags & (Nat::SRC | Nat::DST) {
        Nat::SRC => Some(NatKind::Src),
        Nat::DST => Some(NatKind::Dst),
        _ => None,
    };
    let v4 = |a: u32| IpAddr::from(Ipv4Addr::from(a));
    let v6 = |a: u128| IpAddr::from(Ipv6Addr::from(a));
    let addrs = match n.range {
        NatRange::None => None,
        NatRange::V4 { min, max } => Some((v4(min), v4(if max == 0 { min } else { max }))),
        NatRange::V6 { min, max } => Some((v6(min), v6(if max == 0 { min } else { max }))),
    };
    let last = if n.port_max == 0 { n.port_min } else { n.port_max };
    let flags = if addrs.is_some() || n.port_min != 0 { n.flags } else { 0 };
    CtNat {
        kind,
        addrs,
        ports: (n.port_min != 0).then_some((n.port_min, last)),
        persistent: flags & Nat::PERSISTENT != 0,
        hash: flags & Nat::PROTO_HASH != 0,
        random: flags & Nat::PROTO_RANDOM != 0,
    }
}
