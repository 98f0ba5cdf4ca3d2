//! Nicira: flush connections.

use super::Message;
use crate::buf::{Decode, Put, Reader};
use crate::codec::{Enc, Encode};
use crate::codec::{Property, pull_property, put_property};
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

/// The number in such a property, with its padding or without.
fn pull_u16(b: &mut Reader<'_>) -> Decode<u16> {
    let value = b.u16()?;
    if b.len() == 2 {
        b.skip(2)?;
    }
    Ok(value)
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
        let Property { kind, body: mut b } = pull_property(body)?;
        match kind {
            0 => t.src = Some(b.u128()?),
            1 => t.dst = Some(b.u128()?),
            2 => t.src_port = Some(pull_u16(&mut b)?),
            3 => t.dst_port = Some(pull_u16(&mut b)?),
            4 => t.icmp_id = Some(pull_u16(&mut b)?),
            5 => t.icmp_type = Some(b.u8()?),
            6 => t.icmp_code = Some(b.u8()?),
            _ => return Err(OfpErr::OFPBPC_BAD_TYPE.into()),
        }
    }
    Ok(t)
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
            ZONE => c.zone = Some(pull_u16(&mut p.body)?),
            MARK => mark.0 = Some(p.body.u32()?),
            MARK_MASK => mark.1 = Some(p.body.u32()?),
            LABELS => labels.0 = Some(p.body.u128()?),
            LABELS_MASK => labels.1 = Some(p.body.u128()?),
            _ => return Err(OfpErr::OFPBPC_BAD_TYPE.into()),
        }
        p.done()?;
    }
    c.mark = mark.0.map(|v| (v, mark.1.unwrap_or(u32::MAX)));
    c.labels = labels.0.map(|v| (v, labels.1.unwrap_or(u128::MAX)));
    Ok(Message::CtFlush(Box::new(c)))
}
