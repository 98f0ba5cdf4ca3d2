//! Flow-removed: a flow has gone.

use super::Message;
use super::flow_mod::{pull_match_11, put_match_11};
use crate::buf::{Decode, Put, Reader};
use crate::codec::Codec;
use crate::codec::{Enc, Encode};
use crate::kind::Kind;
use crate::ofperr::OfpErr;
use crate::version::Version;
use base::Cookie;
use flow::{Match, MiniMatch};

/// Why a flow has gone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FlowRemovedReason {
    /// Idle timeout.
    IdleTimeout,
    /// Hard timeout.
    HardTimeout,
    /// Deleted by a flow-mod.
    Delete,
    /// Its group was deleted (from 1.3 on).
    GroupDelete,
    /// Its meter was deleted (from 1.4 on).
    MeterDelete,
    /// Evicted (from 1.4 on).
    Eviction,
    /// A number that no version knows.
    Unknown(u8),
}

/// A flow has gone.
#[derive(Clone, PartialEq, Debug)]
pub struct FlowRemoved {
    /// Its match.
    pub matching: MiniMatch,
    /// Its cookie.
    pub cookie: Cookie,
    /// Its priority.
    pub priority: u16,
    /// Why.
    pub reason: FlowRemovedReason,
    /// Its table; 255 when the version cannot say.
    pub table: u8,
    /// How long it lived: seconds.
    pub duration_sec: u32,
    /// And nanoseconds.
    pub duration_nsec: u32,
    /// Its idle timeout.
    pub idle_timeout: u16,
    /// Its hard timeout.
    pub hard_timeout: u16,
    /// Packets; `u64::MAX`: unknown.
    pub packet_count: u64,
    /// Bytes; `u64::MAX`: unknown.
    pub byte_count: u64,
}

impl FlowRemovedReason {
    /// From the number on the wire.
    pub fn from_wire(n: u8) -> FlowRemovedReason {
        match n {
            0 => FlowRemovedReason::IdleTimeout,
            1 => FlowRemovedReason::HardTimeout,
            2 => FlowRemovedReason::Delete,
            3 => FlowRemovedReason::GroupDelete,
            4 => FlowRemovedReason::MeterDelete,
            5 => FlowRemovedReason::Eviction,
            n => FlowRemovedReason::Unknown(n),
        }
    }

    /// Its number.
    pub const fn number(self) -> u8 {
        match self {
            FlowRemovedReason::IdleTimeout => 0,
            FlowRemovedReason::HardTimeout => 1,
            FlowRemovedReason::Delete => 2,
            FlowRemovedReason::GroupDelete => 3,
            FlowRemovedReason::MeterDelete => 4,
            FlowRemovedReason::Eviction => 5,
            FlowRemovedReason::Unknown(n) => n,
        }
    }

    /// Its name, or its number.
    pub fn name(self) -> std::borrow::Cow<'static, str> {
        let name = match self {
            FlowRemovedReason::IdleTimeout => "idle",
            FlowRemovedReason::HardTimeout => "hard",
            FlowRemovedReason::Delete => "delete",
            FlowRemovedReason::GroupDelete => "group_delete",
            FlowRemovedReason::Eviction => "eviction",
            FlowRemovedReason::MeterDelete => "meter_delete",
            FlowRemovedReason::Unknown(n) => return n.to_string().into(),
        };
        name.into()
    }

    /// The number that a version has for it.
    pub(crate) fn for_version(self, version: Version) -> u8 {
        match self {
            FlowRemovedReason::MeterDelete if version < Version::V14 => FlowRemovedReason::Delete.number(),
            FlowRemovedReason::GroupDelete if version < Version::V13 => FlowRemovedReason::Delete.number(),
            FlowRemovedReason::Eviction if version < Version::V14 => FlowRemovedReason::Delete.number(),
            r => r.number(),
        }
    }
}

pub(crate) fn put(e: &mut Enc<'_>, f: &FlowRemoved) -> Encode {
    let version = e.version;
    let m = e.codec.expand(&f.matching);
    let reason = f.reason.for_version(version);
    match version {
        Version::V10 if e.codec.protocol.is_nxm() => e.put(Kind::NxtFlowRemoved, |o| {
            o.u64(f.cookie.0);
            o.u16(f.priority);
            o.u8(reason);
            o.u8(f.table.wrapping_add(1));
            o.u32(f.duration_sec);
            o.u32(f.duration_nsec);
            o.u16(f.idle_timeout);
            let at = o.len();
            o.u16(0);
            o.u64(f.packet_count);
            o.u64(f.byte_count);
            let len = crate::oxm::put_nxm(o, &m, (0, 0));
            o.patch16(at, len);
        }),
        Version::V10 => e.put(Kind::OfptFlowRemoved, |o| {
            crate::fixed_match::put_of10(o, &m);
            o.u64(f.cookie.0);
            o.u16(f.priority);
            o.u8(reason);
            o.zeros(1);
            o.u32(f.duration_sec);
            o.u32(f.duration_nsec);
            o.u16(f.idle_timeout);
            o.zeros(2);
            o.u64(unknown_is_zero(f.packet_count));
            o.u64(unknown_is_zero(f.byte_count));
        }),
        Version::V15 => e.put(Kind::OfptFlowRemoved, |o| {
            o.u8(f.table);
            o.u8(reason);
            o.u16(f.priority);
            o.u16(f.idle_timeout);
            o.u16(f.hard_timeout);
            o.u64(f.cookie.0);
            put_match_11(o, &m, version);
            super::oxs::put(
                o,
                &super::oxs::Oxs {
                    duration: Some((f.duration_sec, f.duration_nsec)),
                    packet_count: Some(f.packet_count),
                    byte_count: Some(f.byte_count),
                    ..super::oxs::Oxs::default()
                },
            );
        }),
        _ => e.put(Kind::OfptFlowRemoved, |o| {
            o.u64(f.cookie.0);
            o.u16(f.priority);
            o.u8(reason);
            o.u8(f.table);
            o.u32(f.duration_sec);
            o.u32(f.duration_nsec);
            o.u16(f.idle_timeout);
            o.u16(f.hard_timeout);
            o.u64(f.packet_count);
            o.u64(f.byte_count);
            put_match_11(o, &m, version);
        }),
    }
}

/// OpenFlow 1.0 has no "unknown".
pub(crate) fn unknown_is_zero(n: u64) -> u64 {
    if n == u64::MAX { 0 } else { n }
}

fn empty() -> FlowRemoved {
    FlowRemoved {
        matching: MiniMatch::default(),
        cookie: Cookie(0),
        priority: 0,
        reason: FlowRemovedReason::Delete,
        table: 0xff,
        duration_sec: 0,
        duration_nsec: 0,
        idle_timeout: 0,
        hard_timeout: 0,
        packet_count: u64::MAX,
        byte_count: u64::MAX,
    }
}

pub(crate) fn decode(r: &mut Reader<'_>, version: Version, codec: &Codec) -> Decode<Message> {
    let mut f = empty();
    let mut m = Match::any();
    match version {
        Version::V10 => {
            crate::fixed_match::pull_of10(r, &mut m)?;
            f.cookie = Cookie(r.u64()?);
            f.priority = r.u16()?;
            f.reason = FlowRemovedReason::from_wire(r.u8()?);
            r.skip(1)?;
            f.duration_sec = r.u32()?;
            f.duration_nsec = r.u32()?;
            f.idle_timeout = r.u16()?;
            r.skip(2)?;
            f.packet_count = r.u64()?;
            f.byte_count = r.u64()?;
        }
        Version::V15 => {
            f.table = r.u8()?;
            f.reason = FlowRemovedReason::from_wire(r.u8()?);
            f.priority = r.u16()?;
            f.idle_timeout = r.u16()?;
            f.hard_timeout = r.u16()?;
            f.cookie = Cookie(r.u64()?);
            pull_match_11(r, codec, true, &mut m)?;
            let s = super::oxs::pull(r)?;
            (f.duration_sec, f.duration_nsec) = s.duration.unwrap_or((u32::MAX, u32::MAX));
            f.packet_count = s.packet_count.unwrap_or(u64::MAX);
            f.byte_count = s.byte_count.unwrap_or(u64::MAX);
        }
        _ => {
            f.cookie = Cookie(r.u64()?);
            f.priority = r.u16()?;
            f.reason = FlowRemovedReason::from_wire(r.u8()?);
            f.table = r.u8()?;
            f.duration_sec = r.u32()?;
            f.duration_nsec = r.u32()?;
            f.idle_timeout = r.u16()?;
            f.hard_timeout = r.u16()?;
            f.packet_count = r.u64()?;
            f.byte_count = r.u64()?;
            pull_match_11(r, codec, true, &mut m)?;
        }
    }
    f.matching = MiniMatch::new(&m);
    Ok(Message::FlowRemoved(Box::new(f)))
}

pub(crate) fn decode_nxt(r: &mut Reader<'_>, codec: &Codec) -> Decode<Message> {
    let mut f = empty();
    f.cookie = Cookie(r.u64()?);
    f.priority = r.u16()?;
    f.reason = FlowRemovedReason::from_wire(r.u8()?);
    f.table = r.u8()?.wrapping_sub(1);
    f.duration_sec = r.u32()?;
    f.duration_nsec = r.u32()?;
    f.idle_timeout = r.u16()?;
    let len = usize::from(r.u16()?);
    f.packet_count = r.u64()?;
    f.byte_count = r.u64()?;
    let mut m = Match::any();
    crate::oxm::pull_nxm(r, len, &codec.match_cx(true), &mut m)?;
    if !r.is_empty() {
        return Err(OfpErr::OFPBRC_BAD_LEN.into());
    }
    f.matching = MiniMatch::new(&m);
    Ok(Message::FlowRemoved(Box::new(f)))
}
