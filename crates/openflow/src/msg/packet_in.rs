//! Packet-in, in its many forms, and resume.

use super::Message;
use super::flow_mod::{pull_match_11, put_match_11};
use super::port::port_from_wire;
use crate::Action;
use crate::action::{self, Resubmit, SetField};
use crate::buf::{Decode, DecodeError, Put, Reader};
use crate::codec::{Codec, pull_property, put_property, unknown_property};
use crate::codec::{Enc, Encode};
use crate::kind::Kind;
use crate::ofperr::OfpErr;
use crate::version::Version;
use base::Cookie;
use base::OfPort;
use flow::MiniMatch;
use flow::{Field, Match};

/// Why a packet goes to the controller.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PacketInReason {
    /// No flow matched.
    NoMatch,
    /// An action said so (in 1.4 and later: apply-actions).
    Action,
    /// Its TTL ran out.
    InvalidTtl,
    /// The action set said so (from 1.4 on).
    ActionSet,
    /// A group's bucket said so (from 1.4 on).
    Group,
    /// A packet-out's actions said so (from 1.4 on).
    PacketOut,
    /// An explicit table-miss flow's action said so; a plain [`PacketInReason::NoMatch`] or
    /// [`PacketInReason::Action`] on the wire.
    ExplicitMiss,
    /// A table that was configured to send misses; [`PacketInReason::NoMatch`] on the wire.
    ImplicitMiss,
    /// A number that no version knows.
    Unknown(u8),
}

/// The form of packet-in that a controller wants.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(u8)]
pub enum PacketInFormat {
    /// The version's own.
    #[default]
    Standard = 0,
    /// Nicira's first.
    NxtPacketIn = 1,
    /// Nicira's second, with properties.
    NxtPacketIn2 = 2,
}

/// A packet that goes to the controller; also the body of a resume message.
#[derive(Clone, PartialEq, Debug)]
pub struct PacketIn {
    /// The packet, perhaps only its first bytes.
    pub packet: Vec<u8>,
    /// Length of the whole packet.
    pub packet_len: u32,
    /// Buffer where the switch keeps it.
    pub buffer_id: Option<u32>,
    /// Why.
    pub reason: PacketInReason,
    /// Table whose flow did it; 0xff when unknown.
    pub table: u8,
    /// Cookie of the flow, if the version can say.
    pub cookie: Option<Cookie>,
    /// In-port and other metadata of the packet.
    pub metadata: MiniMatch,
    /// The action's userdata.
    pub userdata: Vec<u8>,
    /// State of a paused packet.
    pub continuation: Option<Box<Continuation>>,
}

/// State of a paused packet: what the switch needs to go on.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Continuation {
    /// Id of the bridge (a UUID).
    pub bridge: Option<[u8; 16]>,
    /// The stack, top first; each entry is big-endian bytes.
    pub stack: Vec<Vec<u8>>,
    /// Mirrors that the packet has met.
    pub mirrors: u32,
    /// Whether the packet has been through the connection tracker.
    pub conntracked: bool,
    /// Datapath's in-port, for patch ports.
    pub odp_port: Option<u32>,
    /// What remains to be done: the rest of the innermost table's actions first.
    pub frames: Vec<ContinuationFrame>,
    /// The action set.
    pub action_set: Vec<Action>,
}

/// The remaining actions of one flow that a paused packet has met.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ContinuationFrame {
    /// Table of the flow.
    pub table: u8,
    /// Cookie of the flow.
    pub cookie: Cookie,
    /// What remains to be done.
    pub actions: Vec<Action>,
}

const REASONS: [PacketInReason; 8] = [
    PacketInReason::NoMatch,
    PacketInReason::Action,
    PacketInReason::InvalidTtl,
    PacketInReason::ActionSet,
    PacketInReason::Group,
    PacketInReason::PacketOut,
    PacketInReason::ExplicitMiss,
    PacketInReason::ImplicitMiss,
];

impl PacketInReason {
    /// From the number on the wire.
    pub fn from_wire(n: u8) -> PacketInReason {
        REASONS.get(usize::from(n)).copied().unwrap_or(PacketInReason::Unknown(n))
    }

    /// Its number.
    pub const fn number(self) -> u8 {
        match self {
            PacketInReason::NoMatch => 0,
            PacketInReason::Action => 1,
            PacketInReason::InvalidTtl => 2,
            PacketInReason::ActionSet => 3,
            PacketInReason::Group => 4,
            PacketInReason::PacketOut => 5,
            PacketInReason::ExplicitMiss => 6,
            PacketInReason::ImplicitMiss => 7,
            PacketInReason::Unknown(n) => n,
        }
    }

    /// The number that a version has for it.
    pub fn for_version(self, version: Version) -> u8 {
        match self {
            PacketInReason::ExplicitMiss | PacketInReason::ImplicitMiss => PacketInReason::NoMatch.number(),
            PacketInReason::ActionSet | PacketInReason::Group | PacketInReason::PacketOut
                if version < Version::V14 =>
            {
                PacketInReason::Action.number()
            }
            r => r.number(),
        }
    }
}

fn empty(reason: PacketInReason) -> PacketIn {
    PacketIn {
        packet: Vec::new(),
        packet_len: 0,
        buffer_id: None,
        reason,
        table: 0,
        cookie: None,
        metadata: MiniMatch::default(),
        userdata: Vec::new(),
        continuation: None,
    }
}

fn in_port(m: &MiniMatch) -> OfPort {
    m.expand().key.in_port()
}

pub(crate) fn put(e: &mut Enc<'_>, p: &PacketIn) -> Encode {
    let version = e.version;
    let buffer = p.buffer_id.unwrap_or(u32::MAX);
    let total = p.packet_len.min(u16::MAX.into()) as u16;
    let why = p.reason.for_version(version);
    let cookie = p.cookie.map_or(u64::MAX, |c| c.0);
    match (e.codec.packet_in, version) {
        (PacketInFormat::NxtPacketIn2, _) => {
            e.put(Kind::NxtPacketIn2, |o| put_properties(o, p, &e.codec.expand(&p.metadata), version))
        }
        (PacketInFormat::NxtPacketIn, _) => e.put(Kind::NxtPacketIn, |o| {
            o.u32(buffer);
            o.u16(total);
            o.u8(why);
            o.u8(p.table);
            o.u64(cookie);
            let at = o.len();
            o.zeros(8);
            let len = crate::oxm::put_nxm(o, &e.codec.expand(&p.metadata), (0, 0));
            o.patch16(at, len);
            o.zeros(2);
            o.bytes(&p.packet);
        }),
        (_, Version::V10) => e.put(Kind::OfptPacketIn, |o| {
            o.u32(buffer);
            o.u16(total);
            o.u16(in_port(&p.metadata).to_u16().unwrap_or(0xffff));
            o.u8(why);
            o.zeros(1);
            o.bytes(&p.packet);
        }),
        (_, Version::V11) => e.put(Kind::OfptPacketIn, |o| {
            let port = in_port(&p.metadata).0;
            o.u32(buffer);
            o.u32(port);
            o.u32(port);
            o.u16(total);
            o.u8(why);
            o.u8(p.table);
            o.bytes(&p.packet);
        }),
        _ => e.put(Kind::OfptPacketIn, |o| {
            o.u32(buffer);
            o.u16(total);
            o.u8(why);
            o.u8(p.table);
            if version >= Version::V13 {
                o.u64(cookie);
            }
            put_match_11(o, &e.codec.expand(&p.metadata), version);
            o.zeros(2);
            o.bytes(&p.packet);
        }),
    }
}

pub(crate) fn put_resume(e: &mut Enc<'_>, p: &PacketIn) -> Encode {
    let version = e.version;
    e.put(Kind::NxtResume, |o| put_properties(o, p, &e.codec.expand(&p.metadata), version))
}

fn put_u64_property(o: &mut Vec<u8>, kind: u16, n: u64) {
    put_property(o, kind, |o| {
        o.zeros(4);
        o.u64(n);
    });
}

fn put_properties(o: &mut Vec<u8>, p: &PacketIn, metadata: &flow::Match, version: Version) {
    put_property(o, 0, |o| o.bytes(&p.packet));
    if p.packet_len as usize != p.packet.len() {
        put_property(o, 1, |o| o.u32(p.packet_len));
    }
    if let Some(b) = p.buffer_id {
        put_property(o, 2, |o| o.u32(b));
    }
    put_property(o, 3, |o| o.u8(p.table));
    if let Some(c) = p.cookie {
        put_u64_property(o, 4, c.0);
    }
    put_property(o, 5, |o| o.u8(p.reason.for_version(Version::V15)));
    // The metadata's entries, without padding of their own.
    let mut raw = Vec::new();
    crate::oxm::put_match_raw(&mut raw, metadata, version, (0, 0));
    put_property(o, 6, |o| o.bytes(&raw));
    if !p.userdata.is_empty() {
        put_property(o, 7, |o| o.bytes(&p.userdata));
    }
    if let Some(c) = &p.continuation {
        put_property(o, 8, |o| {
            o.zeros(4);
            put_continuation(o, c, version);
        });
    }
}

const C_BRIDGE: u16 = 0x8000;
const C_STACK: u16 = 0x8001;
const C_MIRRORS: u16 = 0x8002;
const C_CONNTRACKED: u16 = 0x8003;
const C_TABLE: u16 = 0x8004;
const C_COOKIE: u16 = 0x8005;
const C_ACTIONS: u16 = 0x8006;
const C_ACTION_SET: u16 = 0x8007;
const C_ODP_PORT: u16 = 0x8008;
/// In place of [`C_ACTIONS`], our own: with instructions that have no form as actions.
const C_INSTRUCTIONS: u16 = 0x80ff;

fn put_continuation(o: &mut Vec<u8>, c: &Continuation, version: Version) {
    if let Some(b) = c.bridge {
        put_property(o, C_BRIDGE, |o| o.bytes(&b));
    }
    for s in &c.stack {
        put_property(o, C_STACK, |o| o.bytes(s));
    }
    if c.mirrors != 0 {
        put_property(o, C_MIRRORS, |o| o.u32(c.mirrors));
    }
    if c.conntracked {
        put_property(o, C_CONNTRACKED, |_| ());
    }
    // Table and cookie are said where they change.
    let (mut table, mut cookie) = (0, Cookie(0));
    for frame in &c.frames {
        if frame.table != table {
            table = frame.table;
            put_property(o, C_TABLE, |o| o.u8(table));
        }
        if frame.cookie != cookie {
            cookie = frame.cookie;
            put_u64_property(o, C_COOKIE, cookie.0);
        }
        put_actions(o, C_ACTIONS, &frame.actions, version);
    }
    if !c.action_set.is_empty() {
        put_actions(o, C_ACTION_SET, &c.action_set, version);
    }
    if let Some(p) = c.odp_port {
        put_property(o, C_ODP_PORT, |o| o.u32(p));
    }
}

fn put_actions(o: &mut Vec<u8>, kind: u16, actions: &[Action], version: Version) {
    let kept = |a: &Action| matches!(a, Action::Meter(_) | Action::ClearActions | Action::WriteActions(_));
    if actions.iter().any(kept) {
        return put_property(o, C_INSTRUCTIONS, |o| {
            o.zeros(4);
            action::instruction::encode_instructions(actions, Version::V13, o);
        });
    }
    let actions: Vec<Action> = actions.iter().map(as_action).collect();
    put_property(o, kind, |o| {
        o.zeros(4);
        action::wire::encode(&actions, version, o);
    });
}

/// What an instruction comes to in a list of actions.
fn as_action(a: &Action) -> Action {
    match a {
        Action::GotoTable(g) => Action::Resubmit(Resubmit {
            in_port: OfPort::IN_PORT,
            table: g.table,
            with_ct_orig: false,
            short: false,
        }),
        Action::WriteMetadata(w) => {
            Action::SetField(SetField::new(Field::METADATA, w.metadata.into(), w.mask.into()))
        }
        a => a.clone(),
    }
}

/// Widest value that the stack can hold.
const STACK_ENTRY: usize = 128;

fn pull_actions(r: &mut Reader<'_>, version: Version) -> Decode<Vec<Action>> {
    let start = 4.min(r.len());
    r.skip(start)?;
    if !r.len().is_multiple_of(8) {
        return Err(OfpErr::OFPBRC_BAD_LEN.into());
    }
    action::wire::decode(r.take_all(), version, action::text::Outer::Flow)
}

fn continuation(r: &mut Reader<'_>, version: Version, lenient: bool) -> Decode<Continuation> {
    let mut c = Continuation::default();
    let (mut table, mut cookie) = (0, Cookie(0));
    while !r.is_empty() {
        let mut prop = pull_property(r)?;
        match prop.kind {
            C_BRIDGE if prop.body.len() == 16 => c.bridge = Some(prop.body.array()?),
            C_BRIDGE => return Err(OfpErr::OFPBPC_BAD_LEN.into()),
            C_STACK if prop.body.len() > STACK_ENTRY => return Err(OfpErr::OFPBPC_BAD_LEN.into()),
            C_STACK => c.stack.push(prop.body.take_all().to_vec()),
            C_MIRRORS => c.mirrors = prop.u32()?,
            C_CONNTRACKED => c.conntracked = true,
            C_TABLE => table = prop.u8()?,
            C_COOKIE => cookie = Cookie(prop.u64()?),
            C_ACTIONS => {
                let actions = pull_actions(&mut prop.body, version)?;
                c.frames.push(ContinuationFrame { table, cookie, actions });
            }
            C_INSTRUCTIONS => {
                prop.body.skip(4)?;
                let actions = action::instruction::decode_instructions(prop.body.take_all(), Version::V13)?;
                c.frames.push(ContinuationFrame { table, cookie, actions });
            }
            C_ACTION_SET => c.action_set = pull_actions(&mut prop.body, version)?,
            C_ODP_PORT => c.odp_port = Some(prop.u32()?),
            _ if lenient => {}
            _ => return Err(unknown_property("ofp_packet", "continuation", &prop)),
        }
    }
    Ok(c)
}

fn buffer(n: u32) -> Option<u32> {
    (n != u32::MAX).then_some(n)
}

fn port_match(port: OfPort) -> MiniMatch {
    let mut m = Match::any();
    m.set(Field::IN_PORT, port.to_u16().unwrap_or(0xffff).into());
    MiniMatch::new(&m)
}

pub(crate) fn decode(r: &mut Reader<'_>, version: Version, codec: &Codec) -> Decode<Message> {
    let mut p = empty(PacketInReason::NoMatch);
    p.buffer_id = buffer(r.u32()?);
    match version {
        Version::V10 => {
            p.packet_len = r.u16()?.into();
            p.metadata = port_match(OfPort::from_u16(r.u16()?));
            p.reason = PacketInReason::from_wire(r.u8()?);
            r.skip(1)?;
        }
        Version::V11 => {
            let port = port_from_wire(r.u32()?)?;
            r.skip(4)?;
            p.metadata = port_match(port);
            p.packet_len = r.u16()?.into();
            p.reason = PacketInReason::from_wire(r.u8()?);
            p.table = r.u8()?;
        }
        _ => {
            p.packet_len = r.u16()?.into();
            p.reason = PacketInReason::from_wire(r.u8()?);
            p.table = r.u8()?;
            if version >= Version::V13 {
                p.cookie = Some(Cookie(r.u64()?));
            }
            let mut m = Match::any();
            pull_match_11(r, codec, false, &mut m)?;
            p.metadata = MiniMatch::new(&m);
            r.skip(2)?;
        }
    }
    p.packet = r.take_all().to_vec();
    Ok(Message::PacketIn(Box::new(p)))
}

pub(crate) fn decode_nxt(r: &mut Reader<'_>, _version: Version, codec: &Codec) -> Decode<Message> {
    let mut p = empty(PacketInReason::NoMatch);
    p.buffer_id = buffer(r.u32()?);
    p.packet_len = r.u16()?.into();
    p.reason = PacketInReason::from_wire(r.u8()?);
    p.table = r.u8()?;
    p.cookie = Some(Cookie(r.u64()?));
    let len = usize::from(r.u16()?);
    r.skip(6)?;
    let mut m = Match::any();
    crate::oxm::pull_nxm(r, len, &codec.match_cx(false), &mut m)?;
    p.metadata = MiniMatch::new(&m);
    r.skip(2)?;
    p.packet = r.take_all().to_vec();
    Ok(Message::PacketIn(Box::new(p)))
}

pub(crate) fn decode_nxt2(
    r: &mut Reader<'_>,
    version: Version,
    codec: &Codec,
    resume: bool,
) -> Decode<Message> {
    let mut p = empty(PacketInReason::NoMatch);
    let (mut total, mut state) = (None, None);
    let lenient = codec.lenient || !resume;
    while !r.is_empty() {
        let mut prop = pull_property(r)?;
        match prop.kind {
            0 => p.packet = prop.body.take_all().to_vec(),
            1 => total = Some(prop.u32()?),
            2 => p.buffer_id = Some(prop.u32()?),
            3 => p.table = prop.u8()?,
            4 => p.cookie = Some(Cookie(prop.u64()?)),
            5 => p.reason = PacketInReason::from_wire(prop.u8()?),
            6 => {
                let mut m = Match::any();
                crate::oxm::pull_match_raw(prop.body.take_all(), &codec.match_cx(false), false, &mut m)?;
                p.metadata = MiniMatch::new(&m);
            }
            7 => p.userdata = prop.body.take_all().to_vec(),
            8 => state = Some(prop.body),
            _ if lenient => {}
            _ => return Err(unknown_property("ofp_packet", "NXT_PACKET_IN2", &prop)),
        }
    }
    if p.packet.is_empty() {
        return Err(DecodeError::logged(OfpErr::OFPBRC_BAD_LEN, "ofp_packet", "NXT_PACKET_IN2 lacks packet"));
    }
    if let Some(mut state) = state {
        state.skip(4)?;
        p.continuation = Some(Box::new(continuation(&mut state, version, lenient)?));
    }
    p.packet_len = total.unwrap_or(p.packet.len() as u32);
    Ok(if resume { Message::Resume(Box::new(p)) } else { Message::PacketIn(Box::new(p)) })
}

pub(crate) fn decode_format(r: &mut Reader<'_>) -> Decode<Message> {
    Ok(Message::SetPacketInFormat(match r.u32()? {
        0 => PacketInFormat::Standard,
        1 => PacketInFormat::NxtPacketIn,
        2 => PacketInFormat::NxtPacketIn2,
        n => {
            let text = format!("NXT_SET_PACKET_IN_FORMAT message specified invalid packet-in format {n}");
            return Err(DecodeError::logged(OfpErr::OFPBRC_EPERM, "ofp_packet", text));
        }
    }))
}
