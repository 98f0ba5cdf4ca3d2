//! Nicira: flush connections.

use super::Message;
use crate::buf::{Decode, Put, Reader};
use crate::codec::{Enc, Encode};
use crate::codec::{pull_property, put_property, unknown_property};
use crate::kind::Kind;
use crate::ofperr::OfpErr;

/// One direction of a connection; addresses are IPv6 (IPv4 mapped), zero means any.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct CtTuple {
    /// Source address.
    pub src: Option<u128>,
    /// Destination address.
    pub dst: Option<u128>,
    /// Source port, or ICMP id.
    pub src_port: Option<u16>,
    /// Destination port.
    pub dst_port: Option<u16>,
    /// ICMP id.
    pub icmp_id: Option<u16>,
    /// ICMP type.
    pub icmp_type: Option<u8>,
    /// ICMP code.
    pub icmp_code: Option<u8>,
}

/// Flush the connections that match.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct CtFlush {
    /// IP protocol, or 0.
    pub ip_proto: u8,
    /// Address family: 0 any, else as in `AF_INET`/`AF_INET6`.
    pub family: u8,
    /// Zone.
    pub zone: Option<u16>,
    /// Mark and its mask.
    pub mark: Option<(u32, u32)>,
    /// Label and its mask.
    pub labels: Option<(u128, u128)>,
    /// Original direction.
    pub orig: CtTuple,
    /// Reply direction.
    pub reply: CtTuple,
}

const ORIG: u16 = 0;
const REPLY: u16 = 1;
const ZONE: u16 = 2;
const MARK: u16 = 3;
const MARK_MASK: u16 = 4;
const LABELS: u16 = 5;
const LABELS_MASK: u16 = 6;

/// A property of two bytes counts its padding.
fn put_u16(o: &mut Vec<u8>, kind: u16, value: u16) {
    put_property(o, kind, |o| {
        o.u16(value);
        o.zeros(2);
    });
}

fn put_tuple(o: &mut Vec<u8>, kind: u16, t: &CtTuple) {
    if *t == CtTuple::default() {
        return;
    }
    put_property(o, kind, |o| {
        o.zeros(4);
        if let Some(a) = t.src {
            put_property(o, 0, |o| o.u128(a));
        }
        if let Some(a) = t.dst {
            put_property(o, 1, |o| o.u128(a));
        }
        if let Some(p) = t.src_port {
            put_u16(o, 2, p);
        }
        if let Some(p) = t.dst_port {
            put_u16(o, 3, p);
        }
        if let Some(p) = t.icmp_id {
            put_u16(o, 4, p);
        }
        if let Some(p) = t.icmp_type {
            put_property(o, 5, |o| o.u8(p));
        }
        if let Some(p) = t.icmp_code {
            put_property(o, 6, |o| o.u8(p));
        }
    });
}

pub(crate) fn put(e: &mut Enc<'_>, c: &CtFlush) -> Encode {
    e.put(Kind::NxtCtFlush, |o| {
        o.u8(c.ip_proto);
        o.zeros(7);
        put_tuple(o, ORIG, &c.orig);
        put_tuple(o, REPLY, &c.reply);
        if let Some(z) = c.zone {
            put_u16(o, ZONE, z);
        }
        if let Some((mark, mask)) = c.mark {
            put_property(o, MARK, |o| o.u32(mark));
            if mask != u32::MAX {
                put_property(o, MARK_MASK, |o| o.u32(mask));
            }
        }
        if let Some((labels, mask)) = c.labels {
            put_property(o, LABELS, |o| o.u128(labels));
            if mask != u128::MAX {
                put_property(o, LABELS_MASK, |o| o.u128(mask));
            }
        }
    })
}

fn tuple(body: &mut Reader<'_>) -> Decode<CtTuple> {
    let mut t = CtTuple::default();
    body.skip(4)?;
    while !body.is_empty() {
        let mut p = pull_property(body)?;
        match p.kind {
            0 => t.src = Some(p.u128()?),
            1 => t.dst = Some(p.u128()?),
            2 => (t.src_port, t.icmp_id) = (Some(p.u16()?), None),
            3 => t.dst_port = Some(p.u16()?),
            4 => t.icmp_id = Some(p.u16()?),
            5 => t.icmp_type = Some(p.u8()?),
            6 => t.icmp_code = Some(p.u8()?),
            _ => return Err(unknown_property("ofp_ct", "NXT_CT_TUPLE", &p)),
        }
    }
    Ok(t)
}

fn value_and_mask<T: Default>((value, mask): (Option<T>, Option<T>), exact: T) -> Option<(T, T)> {
    if value.is_none() && mask.is_none() {
        return None;
    }
    Some((value.unwrap_or_default(), mask.unwrap_or(exact)))
}

/// All addresses must be of one family.
fn check_family(c: &CtFlush) -> Decode<()> {
    let all = [c.orig.src, c.orig.dst, c.reply.src, c.reply.dst];
    let v4 = |a: &u128| *a >> 32 == 0xffff;
    let mut given = all.iter().flatten().filter(|a| **a != 0);
    let Some(first) = given.next() else { return Ok(()) };
    if given.all(|a| v4(a) == v4(first)) { Ok(()) } else { Err(OfpErr::OFPBPC_BAD_VALUE.into()) }
}

pub(crate) fn decode(r: &mut Reader<'_>) -> Decode<Message> {
    let mut c = CtFlush { ip_proto: r.u8()?, ..CtFlush::default() };
    if r.take(7)?.iter().any(|b| *b != 0) {
        return Err(OfpErr::NXBRC_MUST_BE_ZERO.into());
    }
    let mut mark = (None, None);
    let mut labels = (None, None);
    while !r.is_empty() {
        let mut p = pull_property(r)?;
        match p.kind {
            ORIG => c.orig = tuple(&mut p.body)?,
            REPLY => c.reply = tuple(&mut p.body)?,
            ZONE => c.zone = Some(p.u16()?),
            MARK => mark.0 = Some(p.u32()?),
            MARK_MASK => mark.1 = Some(p.u32()?),
            LABELS => labels.0 = Some(p.u128()?),
            LABELS_MASK => labels.1 = Some(p.u128()?),
            _ => return Err(unknown_property("ofp_ct", "NXT_CT_FLUSH", &p)),
        }
    }
    // A mask without a value stands for the value zero.
    c.mark = value_and_mask(mark, u32::MAX);
    c.labels = value_and_mask(labels, u128::MAX);
    check_family(&c)?;
    Ok(Message::CtFlush(Box::new(c)))
}
