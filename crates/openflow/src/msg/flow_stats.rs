//! Flow and aggregate statistics.

use super::FlowModFlags;
use super::flow_mod::{flags_from_wire, flags_to_wire, pull_match_11, put_match_11};
use super::flow_removed::unknown_is_zero;
use super::oxs::{self, Oxs};
use super::port::port_from_wire;
use crate::Action;
use crate::action;
use crate::buf::DecodeError;
use crate::buf::{Decode, Put, Reader};
use crate::codec::{Codec, put_sized};
use crate::codec::{Enc, Encode};
use crate::form::put_match;
use crate::kind::Kind;
use crate::ofperr::OfpErr;
use crate::oxm::put_oxm_with;
use crate::version::Version;
use base::{Cookie, GroupId, OfPort};
use flow::Match;
use flow::MiniMatch;
use std::sync::Arc;

/// Which flows are asked for.
#[derive(Clone, PartialEq, Debug)]
pub struct FlowStatsRequest {
    /// Flows at least as specific as this.
    pub matching: MiniMatch,
    /// Cookie that they must have in the bits of `cookie_mask`.
    pub cookie: Cookie,
    /// Which bits of the cookie matter.
    pub cookie_mask: Cookie,
    /// Their outputs must include this port ([`OfPort::NONE`]: any).
    pub out_port: OfPort,
    /// They must use this group ([`GroupId::ANY`]: any).
    pub out_group: GroupId,
    /// Their table, or 255: all.
    pub table: u8,
}

/// One flow's statistics.
#[derive(Clone, PartialEq, Debug)]
pub struct FlowStats {
    /// Match.
    pub matching: MiniMatch,
    /// Cookie.
    pub cookie: Cookie,
    /// Table.
    pub table: u8,
    /// Priority.
    pub priority: u16,
    /// Idle timeout.
    pub idle_timeout: u16,
    /// Hard timeout.
    pub hard_timeout: u16,
    /// Age, seconds.
    pub duration_sec: u32,
    /// And nanoseconds.
    pub duration_nsec: u32,
    /// Seconds since a packet last hit it, if known.
    pub idle_age: Option<u32>,
    /// Seconds since it was last changed, if known.
    pub hard_age: Option<u32>,
    /// Packets; `u64::MAX`: unknown.
    pub packet_count: u64,
    /// Bytes; `u64::MAX`: unknown.
    pub byte_count: u64,
    /// Flags.
    pub flags: FlowModFlags,
    /// Importance for eviction.
    pub importance: u16,
    /// Actions.
    pub actions: Arc<[Action]>,
}

/// Sums over flows.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct AggregateStats {
    /// Packets; `u64::MAX`: unknown.
    pub packet_count: u64,
    /// Bytes; `u64::MAX`: unknown.
    pub byte_count: u64,
    /// Flows.
    pub flow_count: u32,
}

pub(crate) fn put_request(e: &mut Enc<'_>, q: &FlowStatsRequest, aggregate: bool) -> Encode {
    let version = e.version;
    let m = e.codec.expand(&q.matching);
    let kind = |a, b| if aggregate { b } else { a };
    let out_port16 = q.out_port.to_u16().unwrap_or(0xffff);
    if version >= Version::V11 {
        return e.put(kind(Kind::OfpstFlowRequest, Kind::OfpstAggregateRequest), |o| {
            o.u8(q.table);
            o.zeros(3);
            o.u32(q.out_port.0);
            o.u32(q.out_group.0);
            o.zeros(4);
            o.u64(q.cookie.0);
            o.u64(q.cookie_mask.0);
            put_match_11(o, &m, version);
        });
    }
    if e.codec.protocol.is_nxm() {
        return e.put(kind(Kind::NxstFlowRequest, Kind::NxstAggregateRequest), |o| {
            o.u16(out_port16);
            let at = o.len();
            o.u16(0);
            o.u8(q.table);
            o.zeros(3);
            let len = crate::oxm::put_nxm(o, &m, (q.cookie.0, q.cookie_mask.0));
            o.patch16(at, len);
        });
    }
    e.put(kind(Kind::OfpstFlowRequest, Kind::OfpstAggregateRequest), |o| {
        crate::fixed_match::put_of10(o, &m);
        o.u8(q.table);
        o.zeros(1);
        o.u16(out_port16);
    })
}

pub(crate) fn decode_request(
    r: &mut Reader<'_>,
    version: Version,
    kind: Kind,
    codec: &Codec,
) -> Decode<FlowStatsRequest> {
    let mut q = FlowStatsRequest {
        matching: MiniMatch::default(),
        cookie: Cookie(0),
        cookie_mask: Cookie(0),
        out_port: OfPort::NONE,
        out_group: GroupId::ANY,
        table: 0xff,
    };
    let mut m = Match::any();
    if matches!(kind, Kind::NxstFlowRequest | Kind::NxstAggregateRequest) {
        q.out_port = OfPort::from_u16(r.u16()?);
        let len = usize::from(r.u16()?);
        q.table = r.u8()?;
        r.skip(3)?;
        let cookie = crate::oxm::pull_nxm(r, len, &codec.match_cx(true), &mut m)?;
        q.cookie = Cookie(cookie.0);
        q.cookie_mask = Cookie(cookie.1);
        if !r.is_empty() {
            return Err(OfpErr::OFPBRC_BAD_LEN.into());
        }
    } else if version == Version::V10 {
        crate::fixed_match::pull_of10(r, &mut m)?;
        q.table = r.u8()?;
        r.skip(1)?;
        q.out_port = OfPort::from_u16(r.u16()?);
    } else {
        q.table = r.u8()?;
        r.skip(3)?;
        q.out_port = port_from_wire(r.u32()?)?;
        q.out_group = GroupId(r.u32()?);
        r.skip(4)?;
        q.cookie = Cookie(r.u64()?);
        q.cookie_mask = Cookie(r.u64()?);
        pull_match_11(r, codec, true, &mut m)?;
    }
    q.matching = MiniMatch::new(&m);
    Ok(q)
}

pub(crate) fn put_reply(e: &mut Enc<'_>, flows: &[FlowStats], more: bool) -> Encode {
    let version = e.version;
    let nxm = e.codec.protocol.is_nxm();
    let kind = if version == Version::V10 && nxm { Kind::NxstFlowReply } else { Kind::OfpstFlowReply };
    let codec = e.codec;
    let mut form = None;
    e.split(kind, more, flows, |o, s| {
        let mut put = |o: &mut Vec<u8>, version| put_match(o, &mut form, codec, &s.matching, version);
        put_sized(o, |o| match version {
            Version::V10 if nxm => put_nxst(o, s, &mut put),
            Version::V10 => put_10(o, s, &codec.expand(&s.matching)),
            Version::V15 => put_15(o, s, &mut put),
            _ => put_11(o, s, version, &mut put),
        });
    })
}

fn put_10(o: &mut Vec<u8>, s: &FlowStats, m: &Match) {
    o.u8(s.table);
    o.zeros(1);
    crate::fixed_match::put_of10(o, m);
    o.u32(s.duration_sec);
    o.u32(s.duration_nsec);
    o.u16(s.priority);
    o.u16(s.idle_timeout);
    o.u16(s.hard_timeout);
    o.zeros(6);
    o.u64(s.cookie.0);
    o.u64(unknown_is_zero(s.packet_count));
    o.u64(unknown_is_zero(s.byte_count));
    action::wire::encode(&s.actions, Version::V10, o);
}

/// An age on the wire: 0 is unknown.
fn age(age: Option<u32>) -> u16 {
    age.map_or(0, |a| a.min(u32::from(u16::MAX) - 1) as u16 + 1)
}

/// Writes a flow's match.
type PutMatch<'a> = &'a mut dyn FnMut(&mut Vec<u8>, Version);

fn put_nxst(o: &mut Vec<u8>, s: &FlowStats, put: PutMatch<'_>) {
    o.u8(s.table);
    o.zeros(1);
    o.u32(s.duration_sec);
    o.u32(s.duration_nsec);
    o.u16(s.priority);
    o.u16(s.idle_timeout);
    o.u16(s.hard_timeout);
    let at = o.len();
    o.u16(0);
    o.u16(age(s.idle_age));
    o.u16(age(s.hard_age));
    o.u64(s.cookie.0);
    o.u64(s.packet_count);
    o.u64(s.byte_count);
    let start = o.len();
    put(o, Version::V10);
    o.patch16(at, (o.len() - start) as u16);
    o.align(start, 8);
    action::wire::encode(&s.actions, Version::V10, o);
}

fn put_11(o: &mut Vec<u8>, s: &FlowStats, version: Version, put: PutMatch<'_>) {
    o.u8(s.table);
    o.zeros(1);
    o.u32(s.duration_sec);
    o.u32(s.duration_nsec);
    o.u16(s.priority);
    o.u16(s.idle_timeout);
    o.u16(s.hard_timeout);
    o.u16(if version >= Version::V13 { flags_to_wire(s.flags, version) } else { 0 });
    o.u16(if version >= Version::V14 { s.importance } else { 0 });
    o.zeros(2);
    o.u64(s.cookie.0);
    o.u64(s.packet_count);
    o.u64(s.byte_count);
    // Also in 1.1, whose own form of match cannot say everything.
    put_oxm_with(o, |o| put(o, version));
    action::instruction::encode_instructions(&s.actions, version, o);
}

fn put_15(o: &mut Vec<u8>, s: &FlowStats, put: PutMatch<'_>) {
    o.zeros(2);
    o.u8(s.table);
    o.zeros(1);
    o.u16(s.priority);
    o.u16(s.idle_timeout);
    o.u16(s.hard_timeout);
    o.u16(flags_to_wire(s.flags, Version::V15));
    o.u16(s.importance);
    o.u64(s.cookie.0);
    put_oxm_with(o, |o| put(o, Version::V15));
    oxs::put(
        o,
        &Oxs {
            duration: Some((s.duration_sec, s.duration_nsec)),
            idle_time: s.idle_age.map(|a| (a, 0)),
            packet_count: (s.packet_count != u64::MAX).then_some(s.packet_count),
            byte_count: (s.byte_count != u64::MAX).then_some(s.byte_count),
            ..Oxs::default()
        },
    );
    action::instruction::encode_instructions(&s.actions, Version::V15, o);
}

fn bad(text: String) -> DecodeError {
    DecodeError::logged(OfpErr::OFPBRC_BAD_LEN, "ofp_flow", text)
}

/// Decodes one flow from the front of a reply.
pub fn decode_one(r: &mut Reader<'_>, version: Version, kind: Kind, codec: &Codec) -> Decode<FlowStats> {
    let name = kind.name();
    let nxst = kind == Kind::NxstFlowReply;
    let fixed = match version {
        Version::V10 if nxst => 48,
        Version::V10 => 88,
        Version::V15 => 24,
        _ => 48,
    };
    let left = r.len();
    let extra = if version >= Version::V11 { 8 } else { 0 };
    if left < fixed + extra.min(8) && left < fixed {
        return Err(bad(format!("{name} has {left} leftover bytes at end")));
    }
    let len = usize::from(r.u16()?);
    if len < fixed {
        return Err(bad(format!("{name} claims invalid length {len}")));
    }
    // A length that is too great shows in what comes last, actions or instructions.
    let missing = len.saturating_sub(left);
    let mut b = r.sub((len - missing) - 2)?;
    let b = &mut b;
    let mut s = FlowStats {
        matching: MiniMatch::default(),
        cookie: Cookie(0),
        table: 0,
        priority: 0,
        idle_timeout: 0,
        hard_timeout: 0,
        duration_sec: 0,
        duration_nsec: 0,
        idle_age: None,
        hard_age: None,
        packet_count: u64::MAX,
        byte_count: u64::MAX,
        flags: FlowModFlags::default(),
        importance: 0,
        actions: Arc::default(),
    };
    let mut m = Match::any();
    match version {
        Version::V10 if nxst => decode_nxst(b, &mut s, &mut m, codec, missing)?,
        Version::V10 => decode_10(b, &mut s, &mut m, missing)?,
        Version::V15 => decode_15(b, &mut s, &mut m, codec, missing)?,
        _ => decode_11(b, &mut s, &mut m, version, codec, missing)?,
    }
    s.matching = MiniMatch::new(&m);
    let versions = crate::version::VersionSet::ALL;
    let mut cx = action::check::CheckCx::new(crate::ProtocolSet::of_versions(versions));
    // What a switch has accepted is not refused here; the walk notes what printing needs.
    if let Some(actions) = Arc::get_mut(&mut s.actions) {
        let _ = action::check::check(actions, &m, &mut cx);
    }
    Ok(s)
}

fn common(b: &mut Reader<'_>, s: &mut FlowStats) -> Decode<()> {
    s.duration_sec = b.u32()?;
    s.duration_nsec = b.u32()?;
    s.priority = b.u16()?;
    s.idle_timeout = b.u16()?;
    s.hard_timeout = b.u16()?;
    Ok(())
}

fn decode_10(b: &mut Reader<'_>, s: &mut FlowStats, m: &mut Match, missing: usize) -> Decode<()> {
    s.table = b.u8()?;
    b.skip(1)?;
    crate::fixed_match::pull_of10(b, m)?;
    common(b, s)?;
    b.skip(6)?;
    s.cookie = Cookie(b.u64()?);
    s.packet_count = b.u64()?;
    s.byte_count = b.u64()?;
    s.actions = actions(b, missing).map_err(bad_instructions)?.into();
    Ok(())
}

fn decode_nxst(
    b: &mut Reader<'_>,
    s: &mut FlowStats,
    m: &mut Match,
    codec: &Codec,
    missing: usize,
) -> Decode<()> {
    s.table = b.u8()?;
    b.skip(1)?;
    common(b, s)?;
    let len = usize::from(b.u16()?);
    let known = |a: u16| a.checked_sub(1).map(u32::from);
    s.idle_age = known(b.u16()?);
    s.hard_age = known(b.u16()?);
    s.cookie = Cookie(b.u64()?);
    s.packet_count = b.u64()?;
    s.byte_count = b.u64()?;
    if len.next_multiple_of(8) > b.len() + missing {
        let total = b.len() + missing + 48;
        return Err(bad(format!("NXST_FLOW reply with match_len={len} claims invalid length {total}")));
    }
    crate::oxm::pull_nxm(b, len, &codec.match_cx(true), m)?;
    s.actions = actions(b, missing).map_err(bad_instructions)?.into();
    Ok(())
}

/// The actions at the end, of which `missing` bytes are not there.
fn actions(b: &mut Reader<'_>, missing: usize) -> Decode<Vec<Action>> {
    let len = b.len() + missing;
    action::wire::pull(b, len, Version::V10, action::text::Outer::Flow)
}

/// The instructions at the end, of which `missing` bytes are not there.
fn instructions(b: &mut Reader<'_>, version: Version, missing: usize) -> Decode<Vec<crate::Action>> {
    if missing == 0 {
        return action::instruction::decode_instructions(b.take_all(), version);
    }
    let left = b.len();
    let len = left + missing;
    let text = if len.is_multiple_of(8) {
        format!("OpenFlow message instructions length {len} exceeds remaining message length ({left})")
    } else {
        format!("OpenFlow message instructions length {len} is not a multiple of 8")
    };
    Err(DecodeError::logged(OfpErr::OFPBIC_BAD_LEN, "ofp_actions", text))
}

fn bad_match(e: DecodeError) -> DecodeError {
    e.and("ofp_flow", "OFPST_FLOW reply bad match".to_string())
}

fn bad_instructions(e: DecodeError) -> DecodeError {
    e.and("ofp_flow", "OFPST_FLOW reply bad instructions".to_string())
}

fn decode_11(
    b: &mut Reader<'_>,
    s: &mut FlowStats,
    m: &mut Match,
    version: Version,
    codec: &Codec,
    missing: usize,
) -> Decode<()> {
    s.table = b.u8()?;
    b.skip(1)?;
    common(b, s)?;
    let flags = b.u16()?;
    let importance = b.u16()?;
    b.skip(2)?;
    if version >= Version::V13 {
        s.flags = flags_from_wire(flags, version)?;
    }
    if version >= Version::V14 {
        s.importance = importance;
    }
    s.cookie = Cookie(b.u64()?);
    s.packet_count = b.u64()?;
    s.byte_count = b.u64()?;
    pull_match_11(b, codec, true, m).map_err(bad_match)?;
    s.actions = instructions(b, version, missing).map_err(bad_instructions)?.into();
    Ok(())
}

fn decode_15(
    b: &mut Reader<'_>,
    s: &mut FlowStats,
    m: &mut Match,
    codec: &Codec,
    missing: usize,
) -> Decode<()> {
    b.skip(2)?;
    s.table = b.u8()?;
    b.skip(1)?;
    s.priority = b.u16()?;
    s.idle_timeout = b.u16()?;
    s.hard_timeout = b.u16()?;
    s.flags = flags_from_wire(b.u16()?, Version::V15)?;
    s.importance = b.u16()?;
    s.cookie = Cookie(b.u64()?);
    pull_match_11(b, codec, true, m).map_err(bad_match)?;
    let x = oxs::pull(b).map_err(|e| e.and("ofp_flow", "OXS OFPST_FLOW reply bad stats".to_string()))?;
    (s.duration_sec, s.duration_nsec) = x.duration.unwrap_or((u32::MAX, u32::MAX));
    s.idle_age = x.idle_time.map(|(sec, _)| sec).filter(|sec| *sec <= i32::MAX as u32);
    s.packet_count = x.packet_count.unwrap_or(u64::MAX);
    s.byte_count = x.byte_count.unwrap_or(u64::MAX);
    s.actions = instructions(b, Version::V15, missing).map_err(bad_instructions)?.into();
    Ok(())
}

pub(crate) fn put_aggregate(e: &mut Enc<'_>, a: &AggregateStats) -> Encode {
    let version = e.version;
    let kind = if version == Version::V10 && e.codec.protocol.is_nxm() {
        Kind::NxstAggregateReply
    } else {
        Kind::OfpstAggregateReply
    };
    e.put(kind, |o| {
        if version >= Version::V15 {
            return oxs::put(
                o,
                &Oxs {
                    flow_count: Some(a.flow_count),
                    packet_count: (a.packet_count != u64::MAX).then_some(a.packet_count),
                    byte_count: (a.byte_count != u64::MAX).then_some(a.byte_count),
                    ..Oxs::default()
                },
            );
        }
        let known = |n| if version == Version::V10 { unknown_is_zero(n) } else { n };
        o.u64(known(a.packet_count));
        o.u64(known(a.byte_count));
        o.u32(a.flow_count);
        o.zeros(4);
    })
}

pub(crate) fn decode_aggregate(r: &mut Reader<'_>, version: Version) -> Decode<AggregateStats> {
    if version >= Version::V15 {
        let x = oxs::pull(r)?;
        return Ok(AggregateStats {
            packet_count: x.packet_count.unwrap_or(u64::MAX),
            byte_count: x.byte_count.unwrap_or(u64::MAX),
            flow_count: x.flow_count.unwrap_or(u32::MAX),
        });
    }
    Ok(AggregateStats { packet_count: r.u64()?, byte_count: r.u64()?, flow_count: r.u32()? })
}
