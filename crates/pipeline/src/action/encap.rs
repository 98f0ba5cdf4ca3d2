//! `encap`, `decap`: headers of any packet type put in front or taken off.
//!
//! A header that was put in front goes to the datapath with the next commit, so that the fields which following actions
//! set are in it from the start. What lies below one that was taken off only the datapath's next look can tell.

use super::Next;
use crate::ctx::{Ctx, Pending, is_mpls};
use crate::drop_reason::DropReason;
use crate::recorder::NodeKind;
use flow::Field;
use flow::key::{VLAN_PRESENT, eth_type};
use flow::layout as l;
use openflow::action::{Decap, Encap, EncapProperty};

const BOS: u32 = 0x100;
const TTL: u32 = 64;

/// Protocols that a network service header can say are next (RFC 8300 2.2), with their packet types.
const NEXT_PROTOCOLS: [(u8, u32); 4] =
    [(1, ethertype(eth_type::IPV4)), (2, ethertype(eth_type::IPV6)), (3, 0), (4, ethertype(eth_type::NSH))];

const fn ethertype(t: u16) -> u32 {
    1 << 16 | t as u32
}

fn type_text(packet_type: u32) -> String {
    match packet_type {
        0 => "ethernet".into(),
        t => format!("(ns={},type={:#x})", t >> 16, t & 0xffff),
    }
}

fn unsupported(ctx: &mut Ctx<'_, '_>, text: String) -> Next {
    ctx.error = Some(DropReason::UnsupportedPacketType);
    ctx.drop(DropReason::UnsupportedPacketType, NodeKind::Action, || text);
    Next::EndList
}

/// Makes the flow one of another packet type, about whose headers nothing is known.
fn become_type(ctx: &mut Ctx<'_, '_>, packet_type: u32) {
    ctx.key.words[l::STAGE_L2..l::STAGE_PIPELINE].fill(0);
    ctx.key.put(l::PACKET_TYPE, &packet_type.to_be_bytes());
    ctx.key.set_eth_type(packet_type as u16);
    ctx.labels = 0;
    ctx.mirrors = 0;
}

pub(crate) fn run(ctx: &mut Ctx<'_, '_>, e: &Encap) -> Next {
    let from = ctx.key.packet_type();
    match e.packet_type {
        Encap::ETHERNET => {
            if from >> 16 != 1 {
                return unsupported(
                    ctx,
                    format!(
                        "Dropping packet as encap(ethernet) is not supported for packet type {}.",
                        type_text(from)
                    ),
                );
            }
            crate::commit::commit(ctx);
            ctx.key.put(l::ETH_DST, &[0; 12]);
            ctx.key.put(l::VLAN, &[0; 8]);
            ctx.key.put(l::PACKET_TYPE, &[0; 4]);
            ctx.key.set_eth_type(from as u16);
            ctx.mirrors = 0;
        }
        Encap::NSH => return nsh(ctx, e, from),
        Encap::MPLS => mpls(ctx, from, eth_type::MPLS),
        Encap::MPLS_MC => mpls(ctx, from, eth_type::MPLS_MULTICAST),
        t => {
            return unsupported(
                ctx,
                format!("Dropping packet as encap of {} is not supported.", type_text(t)),
            );
        }
    }
    Next::Go
}

fn nsh(ctx: &mut Ctx<'_, '_>, e: &Encap, from: u32) -> Next {
    let Some((np, _)) = NEXT_PROTOCOLS.iter().find(|(_, t)| *t == from) else {
        return unsupported(
            ctx,
            format!("Dropping packet as encap(nsh) is not supported for packet type {}.", type_text(from)),
        );
    };
    crate::commit::commit(ctx);
    let mut md_type = 1;
    let mut md2 = Vec::new();
    for p in e.properties.iter() {
        match p {
            EncapProperty::NshMdType(t) => md_type = *t,
            EncapProperty::NshTlv { class, kind, value } => {
                md2.extend(class.to_be_bytes());
                md2.extend([*kind, value.len() as u8]);
                md2.extend(value.iter());
                md2.resize(md2.len().next_multiple_of(4), 0);
            }
        }
    }
    if md_type != 2 {
        md2.clear();
    }
    become_type(ctx, Encap::NSH);
    ctx.key.put(l::NSH_TTL, &[63, md_type, *np]);
    ctx.key.put(l::NSH_PATH, &[0, 0, 0, 255]);
    ctx.pending = Some(Pending::PushNsh(md2));
    Next::Go
}

fn mpls(ctx: &mut Ctx<'_, '_>, from: u32, ty: u16) {
    // All labels in sight count, those of a frame that becomes payload as well.
    let n = if is_mpls(ctx.key.eth_type()) { super::mpls::depth(ctx) } else { 0 };
    if !super::mpls::room(ctx, "encap MPLS", n) {
        return;
    }
    crate::commit::commit(ctx);
    // A frame is payload, whatever is in it; a packet that is MPLS gets one more label.
    let below = if from >> 16 == 1 && is_mpls(from as u16) { ctx.labels } else { 0 };
    // The label of explicit null (RFC 3032 2.1).
    let null = if ctx.key.eth_type() == eth_type::IPV6 { 2 << 12 } else { 0 };
    let stack = [ctx.key.mpls_lse(0), ctx.key.mpls_lse(1)];
    become_type(ctx, ethertype(ty));
    if below > 0 {
        ctx.key.set_mpls_lse(0, stack[0] & !BOS);
        ctx.key.set_mpls_lse(1, stack[0]);
        ctx.key.set_mpls_lse(2, stack[1]);
    } else {
        ctx.key.set_mpls_lse(0, null | TTL | BOS);
    }
    ctx.labels = (below + 1).min(3);
    ctx.pending = Some(Pending::AddMpls);
}

pub(crate) fn decap(ctx: &mut Ctx<'_, '_>, d: &Decap) -> Next {
    let from = ctx.key.packet_type();
    match from {
        0 => {
            if ctx.key.vlan_tci() & VLAN_PRESENT != 0 {
                return unsupported(ctx, "Dropping packet, cannot decap Ethernet if VLAN is present.".into());
            }
            let ty = ctx.key.eth_type();
            ctx.key.put(l::PACKET_TYPE, &ethertype(ty).to_be_bytes());
            ctx.key.put(l::ETH_DST, &[0; 12]);
            ctx.mirrors = 0;
            Next::Go
        }
        Encap::NSH => {
            let np = ctx.read(Field::NSH_NP) as u8;
            let Some((_, next)) = NEXT_PROTOCOLS.iter().find(|(n, _)| *n == np) else {
                return unsupported(
                    ctx,
                    format!("Dropping packet as NSH next protocol {np} is not supported"),
                );
            };
            crate::commit::commit(ctx);
            ctx.key.put(l::PACKET_TYPE, &next.to_be_bytes());
            if *next != 0 {
                become_type(ctx, *next);
            }
            ctx.pending = Some(Pending::PopNsh);
            ctx.mirrors = 0;
            ctx.start_freeze();
            Next::Go
        }
        t if t >> 16 == 1 && is_mpls(t as u16) => decap_mpls(ctx, d, t),
        t => unsupported(
            ctx,
            format!("Dropping packet as decap() is not supported for packet type {}.", type_text(t)),
        ),
    }
}

/// Below the last label lies what the action says, as nothing in the packet does.
fn decap_mpls(ctx: &mut Ctx<'_, '_>, d: &Decap, from: u32) -> Next {
    ctx.look_u16(l::MPLS + 2, BOS as u16);
    let bottom = ctx.key.mpls_lse(0) & BOS != 0;
    let next = match (bottom, d.packet_type) {
        (false, _) => from,
        (true, Decap::NEXT) => {
            let text = "Dropping packet, decap() of the last MPLS label needs a packet type.";
            return unsupported(ctx, text.into());
        }
        (true, t) => t,
    };
    crate::commit::commit(ctx);
    become_type(ctx, next);
    let ty = if next == 0 { eth_type::BRIDGED } else { next as u16 };
    ctx.out.push(dpif::DpAction::PopMpls(ty));
    ctx.base = ctx.key.clone();
    ctx.base_labels = 0;
    ctx.start_freeze();
    Next::Go
}

/// `dec_nsh_ttl`.
pub(crate) fn dec_ttl(ctx: &mut Ctx<'_, '_>) -> Next {
    if ctx.key.eth_type() != eth_type::NSH {
        return Next::Go;
    }
    let ttl = ctx.read(Field::NSH_TTL);
    if ttl > 1 {
        ctx.key.set(Field::NSH_TTL, ttl - 1);
        ctx.mirrors = 0;
        return Next::Go;
    }
    ctx.drop(DropReason::TtlExpired, NodeKind::Warning, || "NSH decrement TTL exception".into());
    super::ttl::expired(ctx, 0);
    Next::EndList
}
