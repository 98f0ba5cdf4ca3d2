//! Hashes by which packets are spread over ports and buckets.

use crate::ctx::Ctx;
use flow::key::{frag, ip_proto};
use flow::layout as l;
use flow::mini::{hash_add, hash_finish};
use openflow::action::HashFields;

/// Hash of some words.
pub(crate) fn words<const N: usize>(words: [u64; N], basis: u32) -> u32 {
    let h = hash_finish(words.iter().fold(u64::from(basis), |h, w| hash_add(h, *w)));
    (h ^ (h >> 32)) as u32
}

/// The same for both directions: addresses and ports are put in order by exclusive or.
fn symmetric(ctx: &mut Ctx<'_, '_>, basis: u32, eth: bool, ports: bool, udp: bool) -> u32 {
    let mut w = [0u64; 6];
    if eth {
        ctx.look(l::ETH_DST, 12);
        let bits = flow::key::VLAN_PRESENT | 0xfff;
        let tci = ctx.vlan_tci(bits) & bits;
        w[0] = ctx.key.eth_src().to_u64() ^ ctx.key.eth_dst().to_u64();
        w[1] = u64::from(ctx.key.eth_type()) | u64::from(tci) << 16;
    }
    let k = &ctx.key;
    if k.eth_type() == flow::key::eth_type::IPV4 {
        w[2] = u64::from(u32::from(k.nw_src()) ^ u32::from(k.nw_dst()));
        ctx.look(l::NW_SRC, 8);
    } else if k.eth_type() == flow::key::eth_type::IPV6 {
        let x = u128::from(k.ipv6_src()) ^ u128::from(k.ipv6_dst());
        (w[2], w[3]) = ((x >> 64) as u64, x as u64);
        ctx.look(l::IPV6_SRC, 32);
    } else {
        return words(w, basis);
    }
    if ports {
        ctx.look(l::NW_PROTO, 1);
        let proto = ctx.key.ip_proto();
        w[4] = proto.into();
        let has = matches!(proto, ip_proto::TCP | ip_proto::SCTP) || (udp && proto == ip_proto::UDP);
        if has && ctx.key.nw_frag() & frag::LATER == 0 {
            ctx.look(l::TP_SRC, 4);
            w[5] = u64::from(ctx.key.tp_src() ^ ctx.key.tp_dst());
        }
    }
    words(w, basis)
}

/// Hash over what an action names.
pub(crate) fn fields(ctx: &mut Ctx<'_, '_>, fields: HashFields, basis: u32) -> u32 {
    match fields {
        HashFields::EthSrc => {
            ctx.look(l::ETH_SRC, 6);
            words([ctx.key.eth_src().to_u64()], basis)
        }
        HashFields::SymmetricL4 => symmetric(ctx, basis, true, true, false),
        HashFields::SymmetricL3L4 => symmetric(ctx, basis, false, true, false),
        HashFields::SymmetricL3L4Udp => symmetric(ctx, basis, false, true, true),
        HashFields::SymmetricL3 => symmetric(ctx, basis, false, false, false),
        HashFields::NwSrc => address(ctx, l::NW_SRC, l::IPV6_SRC, basis),
        HashFields::NwDst => address(ctx, l::NW_DST, l::IPV6_DST, basis),
    }
}

fn address(ctx: &mut Ctx<'_, '_>, v4: usize, v6: usize, basis: u32) -> u32 {
    match ctx.key.eth_type() {
        flow::key::eth_type::IPV4 => {
            ctx.look(v4, 4);
            words([ctx.key.u32_at(v4).into()], basis)
        }
        flow::key::eth_type::IPV6 => {
            ctx.look(v6, 16);
            words([ctx.key.u64_at(v6), ctx.key.u64_at(v6 + 8)], basis)
        }
        _ => words([], basis),
    }
}

/// Hash over addresses and ports, for bonds.
pub(crate) fn l4(ctx: &mut Ctx<'_, '_>, basis: u32) -> u32 {
    symmetric(ctx, basis, true, true, true)
}
