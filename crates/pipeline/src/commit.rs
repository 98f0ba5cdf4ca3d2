//! Bringing the datapath's packet up to the pipeline's: the minimal header changes, emitted just before something looks
//! at the packet (an output, a packet-in, recirculation).
//!
//! The order is fixed and part of the text that people compare: Ethernet, network layer, transport layer, MPLS, VLAN,
//! priority, mark. A field that did not change is left out; one that did is set in those bits that the translation
//! looked at, which are all bits that can have changed.

use crate::ctx::{Ctx, Pending, is_mpls};
use dpif::DpAction;
use dpif::action::{
    Bits, Masked, Nsh, Pbb, PushMpls, PushVlan, SetArp, SetEth, SetField, SetIcmp, SetIpv4, SetIpv6, SetNd,
    SetNdExt, SetNsh, SetPbb, SetPorts, SlowPath,
};
use flow::FlowKey;
use flow::key::{VLAN_PRESENT, eth_type, frag, ip_proto};
use flow::layout as l;

/// One field: if it changed, the looked-at bits of its new value, and the datapath's copy is brought up to date.
macro_rules! change {
    ($ctx:expr, $at:ident, $ofs:expr, $len:expr, $changed:ident) => {{
        let (new, old) = ($ctx.key.$at($ofs), $ctx.base.$at($ofs));
        if new == old {
            Masked::default()
        } else {
            $changed = true;
            let bytes: [u8; $len] = $ctx.key.bytes()[$ofs..$ofs + $len].try_into().unwrap_or([0; $len]);
            $ctx.base.put($ofs, &bytes);
            masked(new, $ctx.mask.0.$at($ofs))
        }
    }};
}

/// Emits what differs between the flow as the pipeline has it and as the datapath has it.
pub(crate) fn commit(ctx: &mut Ctx<'_, '_>) {
    const PACKET: std::ops::Range<usize> = l::STAGE_L2..l::STAGE_PIPELINE;
    const ARRIVAL: usize = l::SKB_PRIORITY / 8;
    outermost(ctx);
    if ctx.key.words[PACKET] != ctx.base.words[PACKET] {
        ethernet(ctx);
        match ctx.key.eth_type() {
            // What lies below a popped label is not known, so nothing of it can have changed.
            _ if ctx.was_mpls || ctx.key.eth_type() != ctx.base.eth_type() => {}
            eth_type::IPV4 => ipv4(ctx),
            eth_type::IPV6 => ipv6(ctx),
            eth_type::ARP | eth_type::RARP => arp(ctx),
            eth_type::NSH => nsh(ctx),
            eth_type::PBB => pbb(ctx),
            _ => {}
        }
        mpls(ctx);
        vlan(ctx);
    }
    if ctx.key.words[ARRIVAL..ARRIVAL + 2] != ctx.base.words[ARRIVAL..ARRIVAL + 2] {
        priority_and_mark(ctx);
    }
}

/// Headers that came in front of the packet or went, and Ethernet headers after which the packet is of another type.
fn outermost(ctx: &mut Ctx<'_, '_>) {
    const PACKET: std::ops::Range<usize> = l::STAGE_L2..l::STAGE_PIPELINE;
    let k = &ctx.key;
    let action = match ctx.pending.take() {
        Some(Pending::PushNsh(md2)) => {
            let path = k.u32_at(l::NSH_PATH);
            DpAction::PushNsh(Box::new(Nsh {
                flags: k.u8_at(l::NSH_FLAGS),
                ttl: k.u8_at(l::NSH_TTL),
                mdtype: k.u8_at(l::NSH_MDTYPE),
                np: k.u8_at(l::NSH_NP),
                spi: path >> 8,
                si: path as u8,
                context: std::array::from_fn(|i| k.u32_at(l::NSH_CONTEXT + 4 * i)),
                md2,
            }))
        }
        Some(Pending::PopNsh) => DpAction::PopNsh,
        Some(Pending::AddMpls) => {
            DpAction::AddMpls(PushMpls { lse: k.mpls_lse(0), eth_type: k.packet_type() as u16 })
        }
        Some(Pending::PushPbb) => {
            let pushed = Pbb { isid: k.get(flow::Field::PBB_ISID) as u32, uca: k.u8_at(l::PBB_UCA) & 1 };
            let (old_src, old_dst) = (ctx.base.eth_src(), ctx.base.eth_dst());
            let words = ctx.key.words;
            ctx.base.words[PACKET].copy_from_slice(&words[PACKET]);
            // The tag is put under a copy of the customer's addresses.
            ctx.base.put(l::ETH_DST, &old_dst.0);
            ctx.base.put(l::ETH_SRC, &old_src.0);
            ctx.base_labels = 0;
            ctx.out.push(DpAction::PushPbb(pushed));
            return;
        }
        None => {
            ethernet_header(ctx);
            return;
        }
    };
    ctx.out.push(action);
    let words = ctx.key.words;
    ctx.base.words[PACKET].copy_from_slice(&words[PACKET]);
    let packet_type = ctx.key.packet_type().to_be_bytes();
    ctx.base.put(l::PACKET_TYPE, &packet_type);
    ctx.base_labels = ctx.labels;
}

/// The packet's Ethernet header came or went.
fn ethernet_header(ctx: &mut Ctx<'_, '_>) {
    let (new, old) = (ctx.key.packet_type(), ctx.base.packet_type());
    if new == old {
        return;
    }
    if old == 0 && new >> 16 == 1 {
        ctx.out.push(DpAction::PopEth);
        ctx.base.put(l::ETH_DST, &[0; 12]);
    } else if new == 0 && old >> 16 == 1 {
        let (src, dst) = (ctx.key.eth_src(), ctx.key.eth_dst());
        ctx.out.push(DpAction::PushEth { src, dst });
        ctx.base.put(l::ETH_DST, &dst.0);
        ctx.base.put(l::ETH_SRC, &src.0);
    }
    ctx.base.put(l::PACKET_TYPE, &new.to_be_bytes());
}

fn nsh(ctx: &mut Ctx<'_, '_>) {
    let mut changed = false;
    let mut set = SetNsh {
        flags: change!(ctx, u8_at, l::NSH_FLAGS, 1, changed),
        ttl: change!(ctx, u8_at, l::NSH_TTL, 1, changed),
        ..SetNsh::default()
    };
    // Path and index are one word.
    let path = change!(ctx, u32_at, l::NSH_PATH, 4, changed);
    set.spi = Masked::new(path.value >> 8, path.mask >> 8);
    set.si = Masked::new(path.value as u8, path.mask as u8);
    for (i, c) in set.context.iter_mut().enumerate() {
        *c = change!(ctx, u32_at, l::NSH_CONTEXT + 4 * i, 4, changed);
    }
    if changed {
        emit(ctx, SetField::Nsh(Box::new(set)));
    }
}

fn pbb(ctx: &mut Ctx<'_, '_>) {
    let mut changed = false;
    let tag = change!(ctx, u32_at, l::PBB_ISID, 4, changed);
    if changed {
        let isid = Masked::new(tag.value >> 8, tag.mask >> 8);
        let uca = Masked::new(tag.value as u8, tag.mask as u8);
        emit(ctx, SetField::Pbb(SetPbb { isid, uca }));
    }
}

/// A value of which the bits in `mask` count; the others differ among the packets of a megaflow and are zero here.
fn masked<T: Bits>(value: T, mask: T) -> Masked<T> {
    Masked { value: value.and(mask), mask }
}

fn emit(ctx: &mut Ctx<'_, '_>, set: SetField) {
    ctx.out.push(DpAction::Set(set));
}

fn mac(ctx: &mut Ctx<'_, '_>, ofs: usize, changed: &mut bool) -> Masked<base::Mac> {
    let at = |k: &FlowKey| -> base::Mac { base::Mac(k.bytes()[ofs..ofs + 6].try_into().unwrap_or_default()) };
    let (new, old) = (at(&ctx.key), at(&ctx.base));
    if new == old {
        return Masked::default();
    }
    *changed = true;
    ctx.base.put(ofs, &new.0);
    masked(new, at(&ctx.mask.0))
}

fn ethernet(ctx: &mut Ctx<'_, '_>) {
    let mut changed = false;
    let set = SetEth { src: mac(ctx, l::ETH_SRC, &mut changed), dst: mac(ctx, l::ETH_DST, &mut changed) };
    if changed {
        emit(ctx, SetField::Eth(set));
    }
}

fn ipv4(ctx: &mut Ctx<'_, '_>) {
    let mut changed = false;
    let set = SetIpv4 {
        src: change!(ctx, u32_at, l::NW_SRC, 4, changed),
        dst: change!(ctx, u32_at, l::NW_DST, 4, changed),
        tos: change!(ctx, u8_at, l::NW_TOS, 1, changed),
        ttl: change!(ctx, u8_at, l::NW_TTL, 1, changed),
        ..SetIpv4::default()
    };
    if changed {
        ctx.look(l::NW_PROTO, 1);
        emit(ctx, SetField::Ipv4(set));
    }
    transport(ctx);
}

fn ipv6(ctx: &mut Ctx<'_, '_>) {
    let mut changed = false;
    let set = SetIpv6 {
        src: change!(ctx, u128_at, l::IPV6_SRC, 16, changed),
        dst: change!(ctx, u128_at, l::IPV6_DST, 16, changed),
        label: change!(ctx, u32_at, l::IPV6_LABEL, 4, changed),
        tclass: change!(ctx, u8_at, l::NW_TOS, 1, changed),
        hlimit: change!(ctx, u8_at, l::NW_TTL, 1, changed),
        ..SetIpv6::default()
    };
    if changed {
        ctx.look(l::NW_PROTO, 1);
        emit(ctx, SetField::Ipv6(Box::new(set)));
    }
    transport(ctx);
}

fn transport(ctx: &mut Ctx<'_, '_>) {
    if ctx.key.nw_frag() & frag::LATER != 0 {
        return;
    }
    let proto = ctx.key.ip_proto();
    match proto {
        ip_proto::TCP | ip_proto::UDP | ip_proto::SCTP => {
            let mut changed = false;
            let set = SetPorts {
                src: change!(ctx, u16_at, l::TP_SRC, 2, changed),
                dst: change!(ctx, u16_at, l::TP_DST, 2, changed),
            };
            if changed {
                ctx.look(l::NW_PROTO, 1);
                emit(
                    ctx,
                    match proto {
                        ip_proto::TCP => SetField::Tcp(set),
                        ip_proto::UDP => SetField::Udp(set),
                        _ => SetField::Sctp(set),
                    },
                );
            }
        }
        ip_proto::ICMP if ctx.key.eth_type() == eth_type::IPV4 => icmp(ctx, false),
        ip_proto::ICMPV6 if ctx.key.eth_type() == eth_type::IPV6 => {
            icmp(ctx, true);
            nd(ctx);
        }
        _ => {}
    }
}

/// Type and code lie in the low bytes of the port fields.
fn icmp(ctx: &mut Ctx<'_, '_>, v6: bool) {
    let now = [ctx.key.u8_at(l::TP_SRC + 1), ctx.key.u8_at(l::TP_DST + 1)];
    if now != [ctx.base.u8_at(l::TP_SRC + 1), ctx.base.u8_at(l::TP_DST + 1)] {
        // Type and code are set together.
        ctx.look(l::NW_PROTO, 1);
        ctx.look(l::TP_SRC, 4);
        ctx.base.put(l::TP_SRC + 1, &now[..1]);
        ctx.base.put(l::TP_DST + 1, &now[1..]);
        let set = SetIcmp { ty: Masked::exact(now[0]), code: Masked::exact(now[1]) };
        ctx.slow = ctx.slow.union(SlowPath::ACTION);
        emit(ctx, if v6 { SetField::Icmpv6(set) } else { SetField::Icmp(set) });
    }
}

fn nd(ctx: &mut Ctx<'_, '_>) {
    let mut changed = false;
    let set = SetNd {
        target: change!(ctx, u128_at, l::ND_TARGET, 16, changed),
        sll: mac(ctx, l::ARP_SHA, &mut changed),
        tll: mac(ctx, l::ARP_THA, &mut changed),
    };
    if changed {
        ctx.look(l::NW_PROTO, 1);
        ctx.look(l::TP_SRC, 4);
        ctx.slow = ctx.slow.union(SlowPath::ACTION);
        emit(ctx, SetField::Nd(Box::new(set)));
    }
    let mut changed = false;
    let set = SetNdExt {
        reserved: change!(ctx, u32_at, l::ND_RESERVED, 4, changed),
        options_type: change!(ctx, u8_at, l::ND_OPTIONS_TYPE, 1, changed),
    };
    if changed {
        ctx.look(l::NW_PROTO, 1);
        ctx.look(l::TP_SRC, 4);
        ctx.slow = ctx.slow.union(SlowPath::ACTION);
        emit(ctx, SetField::NdExt(set));
    }
}

fn arp(ctx: &mut Ctx<'_, '_>) {
    let mut changed = false;
    let (new_op, old_op) = (ctx.key.ip_proto(), ctx.base.ip_proto());
    let op = if new_op == old_op {
        Masked::default()
    } else {
        changed = true;
        ctx.base.put(l::NW_PROTO, &[new_op]);
        // The opcode has 16 bits on the wire; the flow knows the low 8.
        Masked::exact(u16::from(new_op))
    };
    let set = SetArp {
        sip: change!(ctx, u32_at, l::NW_SRC, 4, changed),
        tip: change!(ctx, u32_at, l::NW_DST, 4, changed),
        op,
        sha: mac(ctx, l::ARP_SHA, &mut changed),
        tha: mac(ctx, l::ARP_THA, &mut changed),
    };
    if changed {
        ctx.look(l::NW_PROTO, 1);
        ctx.slow = ctx.slow.union(SlowPath::ACTION);
        emit(ctx, SetField::Arp(Box::new(set)));
    }
}

/// Number of labels of a packet's stack, as far as it is known.
pub(crate) fn mpls_depth(key: &FlowKey) -> usize {
    if !is_mpls(key.eth_type()) {
        return 0;
    }
    (0..3).find(|n| key.mpls_lse(*n) & 0x100 != 0).map_or(3, |n| n + 1)
}

fn mpls(ctx: &mut Ctx<'_, '_>) {
    let (have, want) = (ctx.base_labels, ctx.labels);
    if have == 0 && want == 0 {
        return;
    }
    let lse = |k: &FlowKey, n: usize| k.mpls_lse(n);
    let common = (0..have.min(want))
        .take_while(|i| lse(&ctx.base, have - 1 - i) == lse(&ctx.key, want - 1 - i))
        .count();
    if have == want && common == have {
        return;
    }
    let ty = ctx.key.eth_type();
    let top = ctx.key.mpls_lse(0);
    if have == want && common + 1 == have {
        emit(ctx, SetField::Mpls(Masked::exact(top)));
    } else {
        for left in (common..have).rev() {
            let next = if left > 0 { eth_type::MPLS } else { ty };
            let next = if left == common && common == want { ty } else { next };
            ctx.out.push(DpAction::PopMpls(next));
        }
        for n in (0..want - common).rev() {
            let lse = ctx.key.mpls_lse(n);
            ctx.out.push(DpAction::PushMpls(PushMpls { lse, eth_type: ty }));
        }
    }
    for n in 0..3 {
        let lse = ctx.key.mpls_lse(n);
        ctx.base.set_mpls_lse(n, lse);
    }
    ctx.base.set_eth_type(ty);
    ctx.base_labels = want;
}

fn vlan_depth(key: &FlowKey) -> usize {
    (0..2).take_while(|n| key.vlan(*n).1 & VLAN_PRESENT != 0).count()
}

fn vlan(ctx: &mut Ctx<'_, '_>) {
    let (have, want) = (vlan_depth(&ctx.base), vlan_depth(&ctx.key));
    let common =
        (0..have.min(want)).take_while(|i| ctx.base.vlan(have - 1 - i) == ctx.key.vlan(want - 1 - i)).count();
    if have == want && common == have {
        return;
    }
    if common < have {
        // What is pushed back may come from any bit of the tags.
        ctx.look(l::VLAN, 8);
    }
    for _ in common..have {
        ctx.out.push(DpAction::PopVlan);
    }
    for n in (0..want - common).rev() {
        let (tpid, tci) = ctx.key.vlan(n);
        ctx.out.push(DpAction::PushVlan(PushVlan { tpid, tci }));
    }
    for n in 0..2 {
        let (tpid, tci) = ctx.key.vlan(n);
        ctx.base.set_vlan(n, tpid, tci);
    }
}

fn priority_and_mark(ctx: &mut Ctx<'_, '_>) {
    let mut changed = false;
    let _ = change!(ctx, u32_at, l::SKB_PRIORITY, 4, changed);
    if changed {
        emit(ctx, SetField::Priority(Masked::exact(ctx.key.skb_priority())));
    }
    let mut changed = false;
    let mark = change!(ctx, u32_at, l::PKT_MARK, 4, changed);
    if changed {
        emit(ctx, SetField::Mark(mark));
    }
}
