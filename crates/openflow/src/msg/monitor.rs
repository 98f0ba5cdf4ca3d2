//! Flow monitoring: tell a controller of changes to flows.

use super::flow_mod::{pull_match_11, put_match_11};
use super::port::port_from_wire;
use crate::Action;
use crate::action;
use crate::buf::{Decode, DecodeError, Put, Reader};
use crate::codec::{Codec, Enc, Encode, put_sized};
use crate::kind::Kind;
use crate::ofperr::OfpErr;
use crate::text::CHex;
use crate::version::Version;
use base::Xid;
use base::{Cookie, GroupId, OfPort};
use flow::{Match, MiniMatch};

/// What a monitor request does (from 1.4 on).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum MonitorCommand {
    /// New monitor.
    Add = 0,
    /// Change a monitor.
    Modify = 1,
    /// Delete a monitor.
    Delete = 2,
}

/// Flags of a monitor: bits as in OpenFlow 1.4.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct MonitorFlags(pub u16);

impl MonitorFlags {
    /// Existing flows first.
    pub const INITIAL: u16 = 1 << 0;
    /// New flows.
    pub const ADD: u16 = 1 << 1;
    /// Flows that go.
    pub const DELETE: u16 = 1 << 2;
    /// Flows that change.
    pub const MODIFY: u16 = 1 << 3;
    /// With their actions.
    pub const ACTIONS: u16 = 1 << 4;
    /// The controller's own changes in full, too (up to 1.3).
    pub const OWN: u16 = 1 << 5;
    /// The bit that switches take for [`MonitorFlags::OWN`] from 1.4 on.
    pub const ONLY_OWN: u16 = 1 << 6;
}

/// One monitor.
#[derive(Clone, PartialEq, Debug)]
pub struct MonitorRequest {
    /// Its id.
    pub id: u32,
    /// What to do (always add before 1.4).
    pub command: MonitorCommand,
    /// What to tell.
    pub flags: MonitorFlags,
    /// Only flows that output there ([`OfPort::NONE`]: any).
    pub out_port: OfPort,
    /// Only flows that use the group ([`GroupId::ANY`]: any).
    pub out_group: GroupId,
    /// Table, or 255: all.
    pub table: u8,
    /// Flows at least as specific as this.
    pub matching: MiniMatch,
}

/// What happened to a flow.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FlowUpdateEvent {
    /// Existed when monitoring began (from 1.4 on; [`FlowUpdateEvent::Added`] before).
    Initial,
    /// Added.
    Added,
    /// Deleted, for a reason as in flow-removed.
    Deleted(u16),
    /// Changed.
    Modified,
    /// The controller's own change was carried out.
    Abbrev(base::Xid),
    /// Monitoring has paused (from 1.4 on).
    Paused,
    /// Monitoring has resumed (from 1.4 on).
    Resumed,
}

/// One change.
#[derive(Clone, PartialEq, Debug)]
pub struct FlowUpdate {
    /// What happened.
    pub event: FlowUpdateEvent,
    /// The flow's table.
    pub table: u8,
    /// The flow's idle timeout.
    pub idle_timeout: u16,
    /// The flow's hard timeout.
    pub hard_timeout: u16,
    /// The flow's priority.
    pub priority: u16,
    /// The flow's cookie.
    pub cookie: Cookie,
    /// The flow's match.
    pub matching: MiniMatch,
    /// The flow's actions, if asked for.
    pub actions: Vec<Action>,
}

/// The message's kinds: the standard's, ONF's extension for 1.3, Nicira's.
const REQUESTS: [Kind; 3] =
    [Kind::OfpstFlowMonitorRequest, Kind::OnfstFlowMonitorRequest, Kind::NxstFlowMonitorRequest];
const REPLIES: [Kind; 3] =
    [Kind::OfpstFlowMonitorReply, Kind::OnfstFlowMonitorReply, Kind::NxstFlowMonitorReply];

/// Writes a match, and its length without padding two bytes wide at `at`.
fn put_match_sized(o: &mut Vec<u8>, at: usize, m: &flow::Match, version: Version) {
    let start = o.len();
    put_match_11(o, m, version);
    let len = u16::from_be_bytes([o[start + 2], o[start + 3]]);
    o.patch16(at, len);
}

pub(crate) fn put_request(e: &mut Enc<'_>, all: &[MonitorRequest]) -> Encode {
    let version = e.version;
    let codec = e.codec;
    e.first(&REQUESTS, |o| {
        for m in all {
            let matching = codec.expand(&m.matching);
            o.u32(m.id);
            if version >= Version::V14 {
                o.u32(m.out_port.0);
                o.u32(m.out_group.0);
                o.u16(m.flags.0);
                o.u8(m.table);
                o.u8(m.command as u8);
                put_match_11(o, &matching, version);
                continue;
            }
            o.u16(m.flags.0);
            if version == Version::V13 {
                let at = o.len();
                o.u16(0);
                o.u32(m.out_port.0);
                o.u8(m.table);
                o.zeros(3);
                put_match_sized(o, at, &matching, version);
            } else {
                o.u16(m.out_port.to_u16().unwrap_or(0xffff));
                let at = o.len();
                o.u16(0);
                o.u8(m.table);
                o.zeros(5);
                let len = crate::oxm::put_nxm(o, &matching, (0, 0));
                o.patch16(at, len);
            }
        }
    })
}

pub(crate) fn decode_requests(
    r: &mut Reader<'_>,
    version: Version,
    codec: &Codec,
) -> Decode<Vec<MonitorRequest>> {
    let mut out = Vec::new();
    while !r.is_empty() {
        out.push(decode_request(r, version, codec)?);
    }
    Ok(out)
}

pub(crate) fn decode_request(r: &mut Reader<'_>, version: Version, codec: &Codec) -> Decode<MonitorRequest> {
    // From 1.4 on, the switch that set the habit takes the bit of ONLY_OWN for OWN, and none for NO_ABBREV.
    let known = if version >= Version::V14 { 0x5f } else { 0x3f };
    let name = name(version);
    let least = 16;
    if r.len() < least {
        let text = format!("{name} request has {} leftover bytes at end", r.len());
        return Err(DecodeError::logged(OfpErr::OFPBRC_BAD_LEN, "ofp_monitor", text));
    }
    let id = r.u32()?;
    let mut m = MonitorRequest {
        id,
        command: MonitorCommand::Add,
        flags: MonitorFlags(0),
        out_port: OfPort::NONE,
        out_group: GroupId::ANY,
        table: 0xff,
        matching: MiniMatch::default(),
    };
    let check = |flags: u16| {
        if flags & 0xe == 0 || flags & !known != 0 {
            let text = format!("{name} has bad flags {}", CHex(flags.into()));
            return Err(DecodeError::logged(OfpErr::OFPMOFC_BAD_FLAGS, "ofp_monitor", text));
        }
        Ok(MonitorFlags(flags))
    };
    let mut matching = Match::any();
    if version >= Version::V14 {
        let out_port = r.u32()?;
        m.out_group = GroupId(r.u32()?);
        let flags = r.u16()?;
        m.table = r.u8()?;
        m.command = match r.u8()? {
            1 => MonitorCommand::Modify,
            2 => MonitorCommand::Delete,
            0 => MonitorCommand::Add,
            _ if codec.lenient => MonitorCommand::Add,
            _ => return Err(OfpErr::OFPMOFC_BAD_COMMAND.into()),
        };
        // What is to be told matters only where something is.
        m.flags = if m.command == MonitorCommand::Delete { MonitorFlags(0) } else { check(flags)? };
        m.out_port = port_from_wire(out_port)?;
        pull_match_11(r, codec, true, &mut matching)?;
    } else if version == Version::V13 {
        m.flags = check(r.u16()?)?;
        r.skip(2)?;
        m.out_port = port_from_wire(r.u32()?)?;
        m.table = r.u8()?;
        if r.take(3)?.iter().any(|b| *b != 0) {
            return Err(OfpErr::NXBRC_MUST_BE_ZERO.into());
        }
        pull_match_11(r, codec, true, &mut matching)?;
    } else {
        m.flags = check(r.u16()?)?;
        m.out_port = OfPort::from_u16(r.u16()?);
        let len = usize::from(r.u16()?);
        m.table = r.u8()?;
        if r.take(5)?.iter().any(|b| *b != 0) {
            return Err(OfpErr::NXBRC_MUST_BE_ZERO.into());
        }
        crate::oxm::pull_nxm(r, len, &codec.match_cx(true), &mut matching)?;
    }
    m.matching = MiniMatch::new(&matching);
    Ok(m)
}

/// The number of an event.
fn event_number(e: FlowUpdateEvent, version: Version) -> u16 {
    let new = version >= Version::V14;
    match e {
        FlowUpdateEvent::Initial | FlowUpdateEvent::Added if !new => 0,
        FlowUpdateEvent::Initial => 0,
        FlowUpdateEvent::Added => 1,
        FlowUpdateEvent::Deleted(_) => 1 + u16::from(new),
        FlowUpdateEvent::Modified => 2 + u16::from(new),
        FlowUpdateEvent::Abbrev(_) => 3 + u16::from(new),
        FlowUpdateEvent::Paused => 5,
        FlowUpdateEvent::Resumed => 6,
    }
}

pub(crate) fn put_updates(e: &mut Enc<'_>, all: &[FlowUpdate], more: bool) -> Encode {
    let version = e.version;
    let codec = e.codec;
    let kind = REPLIES.into_iter().find(|k| k.exists_in(version)).ok_or(crate::codec::Unencodable)?;
    e.split(kind, more, all, |o, u| {
        put_sized(o, |o| {
            o.u16(event_number(u.event, version));
            match u.event {
                FlowUpdateEvent::Abbrev(xid) => o.u32(xid.0),
                FlowUpdateEvent::Paused | FlowUpdateEvent::Resumed => o.zeros(4),
                _ => put_full(o, u, codec.expand(&u.matching), version),
            }
        });
    })
}

fn put_full(o: &mut Vec<u8>, u: &FlowUpdate, m: flow::Match, version: Version) {
    let reason = if let FlowUpdateEvent::Deleted(r) = u.event { r } else { 0 };
    if version >= Version::V14 {
        o.u8(u.table);
        o.u8(reason as u8);
        o.u16(u.idle_timeout);
        o.u16(u.hard_timeout);
        o.u16(u.priority);
        o.zeros(4);
        o.u64(u.cookie.0);
        put_match_11(o, &m, version);
        action::instruction::encode_instructions(&u.actions, version, o);
    } else {
        o.u16(reason);
        o.u16(u.priority);
        o.u16(u.idle_timeout);
        o.u16(u.hard_timeout);
        let at = o.len();
        o.u16(0);
        o.u8(u.table);
        o.zeros(1);
        o.u64(u.cookie.0);
        if version == Version::V13 {
            put_match_sized(o, at, &m, version);
            action::instruction::encode_instructions(&u.actions, version, o);
        } else {
            let len = crate::oxm::put_nxm(o, &m, (0, 0));
            o.patch16(at, len);
            action::wire::encode(&u.actions, version, o);
        }
    }
}

pub(crate) fn decode_update(r: &mut Reader<'_>, version: Version, codec: &Codec) -> Decode<FlowUpdate> {
    let left = r.len();
    let head = r.rest().first_chunk::<4>().ok_or_else(|| leftover(version, left))?;
    let [len, event] = [u16::from_be_bytes([head[0], head[1]]), u16::from_be_bytes([head[2], head[3]])];
    let len = usize::from(len);
    if len < 8 || len > left || len % 8 != 0 {
        return Err(leftover(version, left));
    }
    let full = event < if version >= Version::V14 { 4 } else { 3 };
    let known = event < if version >= Version::V14 { 7 } else { 4 };
    if full && len < UPDATE || known && !full && len != 8 {
        return Err(leftover(version, left));
    }
    let mut b = r.sub(len)?;
    b.skip(2)?;
    decode_update_body(&mut b, version, codec)
}

fn leftover(version: Version, n: usize) -> DecodeError {
    let text = format!("{} reply has {n} leftover bytes at end", name(version));
    DecodeError::logged(OfpErr::OFPBRC_BAD_LEN, "ofp_monitor", text)
}

/// Least length of an update that is told in full.
const UPDATE: usize = 24;

/// The name of the message, as printed.
fn name(version: Version) -> &'static str {
    match version {
        Version::V10 | Version::V11 | Version::V12 => "NXST_FLOW_MONITOR",
        Version::V13 => "ONFST_FLOW_MONITOR",
        _ => "OFPST_FLOW_MONITOR",
    }
}

fn decode_update_body(b: &mut Reader<'_>, version: Version, codec: &Codec) -> Decode<FlowUpdate> {
    let n = b.u16()?;
    let new = version >= Version::V14;
    let event = match (n, new) {
        (0, true) => FlowUpdateEvent::Initial,
        (1, true) | (0, false) => FlowUpdateEvent::Added,
        (2, true) | (1, false) => FlowUpdateEvent::Deleted(0),
        (3, true) | (2, false) => FlowUpdateEvent::Modified,
        (4, true) | (3, false) => FlowUpdateEvent::Abbrev(Xid(b.u32()?)),
        (5, true) => FlowUpdateEvent::Paused,
        (6, true) => FlowUpdateEvent::Resumed,
        _ => {
            let text = format!("NXST_FLOW_MONITOR reply has bad event {n}");
            return Err(DecodeError::logged(OfpErr::NXBRC_FM_BAD_EVENT, "ofp_monitor", text));
        }
    };
    let mut u = FlowUpdate {
        event,
        table: 0,
        idle_timeout: 0,
        hard_timeout: 0,
        priority: 0,
        cookie: Cookie(0),
        matching: MiniMatch::default(),
        actions: Vec::new(),
    };
    if matches!(event, FlowUpdateEvent::Abbrev(_) | FlowUpdateEvent::Paused | FlowUpdateEvent::Resumed) {
        return Ok(u);
    }
    let reason;
    let mut m = Match::any();
    if new {
        u.table = b.u8()?;
        reason = b.u8()?.into();
        u.idle_timeout = b.u16()?;
        u.hard_timeout = b.u16()?;
        u.priority = b.u16()?;
        b.skip(4)?;
        u.cookie = Cookie(b.u64()?);
        pull_match_11(b, codec, true, &mut m)?;
        u.actions = action::instruction::decode_instructions(b.take_all(), version)?;
    } else {
        reason = b.u16()?;
        u.priority = b.u16()?;
        u.idle_timeout = b.u16()?;
        u.hard_timeout = b.u16()?;
        let len = usize::from(b.u16()?);
        u.table = b.u8()?;
        b.skip(1)?;
        u.cookie = Cookie(b.u64()?);
        if version == Version::V13 {
            pull_match_11(b, codec, true, &mut m)?;
            u.actions = action::instruction::decode_instructions(b.take_all(), version)?;
        } else {
            if len.next_multiple_of(8) > b.len() {
                return Err(leftover(version, b.len()));
            }
            crate::oxm::pull_nxm(b, len, &codec.match_cx(true), &mut m)?;
            u.actions = action::wire::decode(b.take_all(), version, action::text::Outer::Flow)?;
        }
    }
    if let FlowUpdateEvent::Deleted(r) = &mut u.event {
        *r = reason;
    }
    u.matching = MiniMatch::new(&m);
    Ok(u)
}
