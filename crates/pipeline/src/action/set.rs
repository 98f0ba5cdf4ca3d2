//! The fixed-field setters of OpenFlow 1.0 and 1.1.

use crate::ctx::Ctx;
use flow::key::{frag, ip_proto};
use flow::layout as l;
use flow::{Field, Value};

pub(crate) fn ipv4(ctx: &mut Ctx<'_, '_>, field: Field, addr: u32) {
    if ctx.key.eth_type() == flow::key::eth_type::IPV4 {
        ctx.write(field, addr.into(), Value::MAX);
    }
}

pub(crate) fn tos(ctx: &mut Ctx<'_, '_>, value: u8, bits: u8) {
    if ctx.key.is_ip_any() {
        let mask = ctx.mask.0.u8_at(l::NW_TOS) | bits;
        ctx.mask.0.put(l::NW_TOS, &[mask]);
        let new = (ctx.key.nw_tos() & !bits) | value;
        ctx.key.put(l::NW_TOS, &[new]);
        ctx.mirrors = 0;
    }
}

pub(crate) fn ttl(ctx: &mut Ctx<'_, '_>, ttl: u8) {
    if ctx.key.is_ip_any() {
        ctx.look(l::NW_TTL, 1);
        ctx.key.put(l::NW_TTL, &[ttl]);
        ctx.mirrors = 0;
    }
}

pub(crate) fn port(ctx: &mut Ctx<'_, '_>, src: bool, port: u16) {
    if !ctx.key.is_ip_any() || ctx.key.nw_frag() & frag::LATER != 0 {
        return;
    }
    ctx.look(l::NW_PROTO, 1);
    if matches!(ctx.key.ip_proto(), ip_proto::TCP | ip_proto::UDP | ip_proto::SCTP) {
        let at = if src { l::TP_SRC } else { l::TP_DST };
        ctx.look(at, 2);
        ctx.key.put(at, &port.to_be_bytes());
        ctx.mirrors = 0;
    }
}
