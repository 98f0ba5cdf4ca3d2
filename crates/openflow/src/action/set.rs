//! The fixed-field setters of OpenFlow 1.0 and 1.1: `mod_dl_src`, `mod_nw_dst`, `mod_tp_src` and so on.

use super::Action;
use super::SetField;
use super::wire::{Dec, Enc};
use crate::Version;
use crate::buf::{Decode, Put};
use crate::ofperr::OfpErr;
use crate::text::TextCx;
use crate::text::lex;
use base::Mac;
use flow::Field;
use flow::key::ip_proto;

/// Set an Ethernet address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SetEth {
    /// The address.
    pub mac: Mac,
}

/// Set an IPv4 address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SetIpv4 {
    /// The address, host byte order.
    pub addr: u32,
}

/// Set a field of the IP header that fits a byte.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SetIpByte {
    /// DSCP (as in the TOS byte, low two bits zero), ECN (two bits) or TTL.
    pub value: u8,
}

/// Set a transport port.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SetL4Port {
    /// The port.
    pub port: u16,
    /// IP protocol that the flow matches on (found by [`super::check`]); zero when unknown.
    pub flow_ip_proto: u8,
}

fn eth(d: &mut Dec<'_>) -> Decode<SetEth> {
    Ok(SetEth { mac: Mac(d.r.array()?) })
}

pub(super) fn decode_eth_src(d: &mut Dec<'_>) -> Decode<Action> {
    Ok(Action::SetEthSrc(eth(d)?))
}

pub(super) fn decode_eth_dst(d: &mut Dec<'_>) -> Decode<Action> {
    Ok(Action::SetEthDst(eth(d)?))
}

pub(super) fn decode_ipv4_src(d: &mut Dec<'_>) -> Decode<Action> {
    Ok(Action::SetIpv4Src(SetIpv4 { addr: d.r.u32()? }))
}

pub(super) fn decode_ipv4_dst(d: &mut Dec<'_>) -> Decode<Action> {
    Ok(Action::SetIpv4Dst(SetIpv4 { addr: d.r.u32()? }))
}

pub(super) fn decode_tos(d: &mut Dec<'_>) -> Decode<Action> {
    let value = d.r.u8()?;
    if value & 3 != 0 {
        return Err(OfpErr::OFPBAC_BAD_ARGUMENT.into());
    }
    Ok(Action::SetIpDscp(SetIpByte { value }))
}

pub(super) fn decode_ecn(d: &mut Dec<'_>) -> Decode<Action> {
    let value = d.r.u8()?;
    if value > 3 {
        return Err(OfpErr::OFPBAC_BAD_ARGUMENT.into());
    }
    Ok(Action::SetIpEcn(SetIpByte { value }))
}

pub(super) fn decode_ttl(d: &mut Dec<'_>) -> Decode<Action> {
    Ok(Action::SetIpTtl(SetIpByte { value: d.r.u8()? }))
}

pub(super) fn decode_l4_src(d: &mut Dec<'_>) -> Decode<Action> {
    Ok(Action::SetL4SrcPort(SetL4Port { port: d.r.u16()?, flow_ip_proto: 0 }))
}

pub(super) fn decode_l4_dst(d: &mut Dec<'_>) -> Decode<Action> {
    Ok(Action::SetL4DstPort(SetL4Port { port: d.r.u16()?, flow_ip_proto: 0 }))
}

fn whole(e: &mut Enc<'_>, field: Field, value: u128) {
    SetField::new(field, value, u128::MAX).encode(e);
}

fn load(e: &mut Enc<'_>, field: Field, value: u128) {
    let mut f = SetField::new(field, value, u128::MAX);
    f.is_load = true;
    f.encode(e);
}

pub(super) fn encode_eth(e: &mut Enc<'_>, a: &SetEth, src: bool) {
    if e.version >= Version::V12 {
        whole(e, if src { Field::ETH_SRC } else { Field::ETH_DST }, a.mac.to_u64().into());
        return;
    }
    let kind = if e.is_10() { 4 } else { 3 } + u16::from(!src);
    e.standard(kind, |o| o.bytes(&a.mac.0));
}

pub(super) fn encode_ipv4(e: &mut Enc<'_>, a: &SetIpv4, src: bool) {
    if e.version >= Version::V12 {
        whole(e, if src { Field::IP_SRC } else { Field::IP_DST }, a.addr.into());
        return;
    }
    let kind = if e.is_10() { 6 } else { 5 } + u16::from(!src);
    e.standard(kind, |o| o.u32(a.addr));
}

pub(super) fn encode_dscp(e: &mut Enc<'_>, a: &SetIpByte) {
    match e.version {
        Version::V10 => e.standard(8, |o| o.u8(a.value)),
        Version::V11 => e.standard(7, |o| o.u8(a.value)),
        _ => whole(e, Field::IP_DSCP, (a.value >> 2).into()),
    }
}

pub(super) fn encode_ecn(e: &mut Enc<'_>, a: &SetIpByte) {
    match e.version {
        Version::V10 => load(e, Field::IP_ECN, a.value.into()),
        Version::V11 => e.standard(8, |o| o.u8(a.value)),
        _ => whole(e, Field::IP_ECN, a.value.into()),
    }
}

pub(super) fn encode_ttl(e: &mut Enc<'_>, a: &SetIpByte) {
    if e.is_10() {
        load(e, Field::NW_TTL, a.value.into());
    } else {
        e.standard(23, |o| o.u8(a.value));
    }
}

pub(super) fn encode_l4(e: &mut Enc<'_>, a: &SetL4Port, src: bool) {
    // Where the protocol is not known (in a group's bucket) the old action says what no field can.
    let known = [ip_proto::TCP, ip_proto::UDP, ip_proto::SCTP].contains(&a.flow_ip_proto);
    if e.version < Version::V12 || !known {
        e.standard(if src { 9 } else { 10 }, |o| o.u16(a.port));
        return;
    }
    let field = match (a.flow_ip_proto, src) {
        (ip_proto::UDP, true) => Field::UDP_SRC,
        (ip_proto::UDP, false) => Field::UDP_DST,
        (ip_proto::SCTP, true) => Field::SCTP_SRC,
        (ip_proto::SCTP, false) => Field::SCTP_DST,
        (_, true) => Field::TCP_SRC,
        (_, false) => Field::TCP_DST,
    };
    whole(e, field, a.port.into());
}

pub(super) fn parse_ipv4(s: &str, cx: &mut TextCx<'_>) -> Result<SetIpv4, String> {
    match s.parse::<std::net::Ipv4Addr>() {
        Ok(a) => Ok(SetIpv4 { addr: a.into() }),
        Err(_) => {
            cx.err("socket_util", format!("\"{s}\" is not a valid IP address"));
            Err(format!("{s}: could not convert to IP address"))
        }
    }
}

pub(super) fn parse_tos(s: &str) -> Result<Action, String> {
    let value = lex::u8_named(s, "TOS")?;
    if value & 3 != 0 {
        return Err(format!("{s}: not a valid TOS"));
    }
    Ok(Action::SetIpDscp(SetIpByte { value }))
}

pub(super) fn parse_ecn(s: &str) -> Result<Action, String> {
    let value = lex::u8_named(s, "ECN")?;
    if value > 3 {
        return Err(format!("{s}: not a valid ECN"));
    }
    Ok(Action::SetIpEcn(SetIpByte { value }))
}

pub(super) fn parse_l4(s: &str, what: &str) -> Result<SetL4Port, String> {
    Ok(SetL4Port { port: lex::u16_named(s, what)?, flow_ip_proto: 0 })
}
