//! Flow-mod: add, change and delete flows.

use super::Message;
use super::port::port_from_wire;
use crate::Action;
use crate::action;
use crate::buf::{Decode, Put, Reader};
use crate::codec::Codec;
use crate::codec::{Enc, Encode};
use crate::kind::Kind;
use crate::ofperr::OfpErr;
use crate::version::ProtocolSet;
use crate::version::Version;
use base::{Cookie, GroupId, OfPort};
use flow::Match;
use flow::MiniMatch;

/// What a flow-mod does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum FlowModCommand {
    /// Add a flow.
    Add = 0,
    /// Change the actions of matching flows.
    Modify = 1,
    /// Change the actions of the flow with that very match and priority.
    ModifyStrict = 2,
    /// Delete matching flows.
    Delete = 3,
    /// Delete the flow with that very match and priority.
    DeleteStrict = 4,
}

/// Flags of a flow or flow-mod.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct FlowModFlags(pub u16);

impl FlowModFlags {
    /// Tell controllers when the flow goes.
    pub const SEND_FLOW_REM: u16 = 1 << 0;
    /// Refuse the flow when it overlaps another of its priority.
    pub const CHECK_OVERLAP: u16 = 1 << 1;
    /// OpenFlow 1.0 emergency flow.
    pub const EMERG: u16 = 1 << 2;
    /// Reset the counters of a flow that is replaced or changed.
    pub const RESET_COUNTS: u16 = 1 << 3;
    /// Packets need not be counted.
    pub const NO_PKT_COUNTS: u16 = 1 << 4;
    /// Bytes need not be counted.
    pub const NO_BYT_COUNTS: u16 = 1 << 5;
    /// Hidden from controllers; never on the wire.
    pub const HIDDEN_FIELDS: u16 = 1 << 6;
    /// Controllers may not change it; never on the wire.
    pub const NO_READONLY: u16 = 1 << 7;

    /// Whether all of `bits` are set.
    pub const fn has(self, bits: u16) -> bool {
        self.0 & bits == bits
    }
}

/// A flow-mod.
#[derive(Clone, PartialEq, Debug)]
pub struct FlowMod {
    /// What to do.
    pub command: FlowModCommand,
    /// The match.
    pub matching: MiniMatch,
    /// Priority.
    pub priority: u16,
    /// For add: the cookie. For modify: the new one, if [`FlowMod::modify_cookie`].
    pub new_cookie: Cookie,
    /// Change the cookie of the flows.
    pub modify_cookie: bool,
    /// Cookie that flows must have in the bits of [`FlowMod::cookie_mask`].
    pub cookie: Cookie,
    /// Bits of the cookie that matter.
    pub cookie_mask: Cookie,
    /// Table, or 255: all, or the switch's choice.
    pub table: u8,
    /// Seconds; 0: none.
    pub idle_timeout: u16,
    /// Seconds; 0: none.
    pub hard_timeout: u16,
    /// Buffered packet to run through the flow.
    pub buffer_id: Option<u32>,
    /// For delete: only flows that output there ([`OfPort::NONE`]: any).
    pub out_port: OfPort,
    /// For delete: only flows that use the group ([`GroupId::ANY`]: any).
    pub out_group: GroupId,
    /// Flags.
    pub flags: FlowModFlags,
    /// Importance for eviction.
    pub importance: u16,
    /// What the flow does.
    pub actions: Vec<Action>,
}

impl FlowMod {
    /// Priority when none is said.
    pub const DEFAULT_PRIORITY: u16 = 0x8000;

    /// A flow-mod with everything at its default.
    pub fn new(command: FlowModCommand, matching: MiniMatch) -> FlowMod {
        FlowMod {
            command,
            matching,
            priority: FlowMod::DEFAULT_PRIORITY,
            new_cookie: Cookie(0),
            modify_cookie: false,
            cookie: Cookie(0),
            cookie_mask: Cookie(0),
            table: 0xff,
            idle_timeout: 0,
            hard_timeout: 0,
            buffer_id: None,
            out_port: OfPort::NONE,
            out_group: GroupId::ANY,
            flags: FlowModFlags(0),
            importance: 0,
            actions: Vec::new(),
        }
    }
}

impl FlowModCommand {
    fn from_wire(n: u8) -> Option<FlowModCommand> {
        Some(match n {
            0 => FlowModCommand::Add,
            1 => FlowModCommand::Modify,
            2 => FlowModCommand::ModifyStrict,
            3 => FlowModCommand::Delete,
            4 => FlowModCommand::DeleteStrict,
            _ => return None,
        })
    }
}

/// Flags that a version has on the wire, in the abstract numbering.
fn flags_of(version: Version) -> u16 {
    let f = FlowModFlags::SEND_FLOW_REM | FlowModFlags::CHECK_OVERLAP;
    match version {
        Version::V10 => f | FlowModFlags::EMERG,
        Version::V11 => f,
        Version::V12 => f | FlowModFlags::RESET_COUNTS,
        _ => f | FlowModFlags::RESET_COUNTS | FlowModFlags::NO_PKT_COUNTS | FlowModFlags::NO_BYT_COUNTS,
    }
}

pub(crate) fn flags_to_wire(flags: FlowModFlags, version: Version) -> u16 {
    let f = flags.0 & flags_of(version);
    let low = f & 3;
    if version == Version::V10 { low | f & FlowModFlags::EMERG } else { low | f >> 3 << 2 }
}

pub(crate) fn flags_from_wire(wire: u16, version: Version) -> Decode<FlowModFlags> {
    let low = wire & 3;
    let f = if version == Version::V10 { low | wire & 4 } else { low | (wire >> 2 & 7) << 3 };
    let known = if version == Version::V10 { 7 } else { 0x1f };
    if wire & !known != 0 || f & !flags_of(version) != 0 {
        return Err(OfpErr::OFPFMFC_BAD_FLAGS.into());
    }
    Ok(FlowModFlags(f))
}

fn buffer_from_wire(b: u32) -> Option<u32> {
    (b != u32::MAX).then_some(b)
}

/// Appends a flow-mod in the codec's protocol.
pub(crate) fn put(e: &mut Enc<'_>, fm: &FlowMod) -> Encode {
    let version = e.version;
    let m = e.codec.expand(&fm.matching);
    let codec = e.codec;
    if version >= Version::V11 {
        return e.put(Kind::OfptFlowMod, |o| put_11(o, fm, &m, version));
    }
    let tid = codec.protocol.has_table_id();
    let command = fm.command as u16 | if tid { u16::from(fm.table) << 8 } else { 0 };
    let tail = |o: &mut Vec<u8>| {
        o.u16(command);
        o.u16(fm.idle_timeout);
        o.u16(fm.hard_timeout);
        o.u16(fm.priority);
        o.u32(fm.buffer_id.unwrap_or(u32::MAX));
        o.u16(fm.out_port.to_u16().unwrap_or(0xffff));
        o.u16(flags_to_wire(fm.flags, version));
    };
    if codec.protocol.is_nxm() {
        e.put(Kind::NxtFlowMod, |o| {
            o.u64(fm.new_cookie.0);
            tail(o);
            let at = o.len();
            o.zeros(8);
            let len = crate::oxm::put_nxm(o, &m, (fm.cookie.0, fm.cookie_mask.0));
            o.patch16(at, len);
            action::wire::encode(&fm.actions, version, o);
        })
    } else {
        e.put(Kind::OfptFlowMod, |o| {
            crate::fixed_match::put_of10(o, &m);
            o.u64(fm.new_cookie.0);
            tail(o);
            action::wire::encode(&fm.actions, version, o);
        })
    }
}

/// Appends a match in the form of OpenFlow 1.1 or later.
pub(crate) fn put_match_11(o: &mut Vec<u8>, m: &Match, version: Version) {
    if version == Version::V11 {
        crate::fixed_match::put_of11(o, m)
    } else {
        crate::oxm::put_oxm(o, m, version)
    }
}

fn put_11(o: &mut Vec<u8>, fm: &FlowMod, m: &Match, version: Version) {
    let add = fm.command == FlowModCommand::Add;
    // In OpenFlow 1.1, a modify that finds nothing adds, so that it carries the cookie for the new flow.
    let upsert = version == Version::V11
        && matches!(fm.command, FlowModCommand::Modify | FlowModCommand::ModifyStrict)
        && fm.cookie_mask.0 == 0;
    o.u64(if add || upsert { fm.new_cookie.0 } else { fm.cookie.0 & fm.cookie_mask.0 });
    o.u64(if add { 0 } else { fm.cookie_mask.0 });
    let all_ok = version != Version::V11
        && matches!(fm.command, FlowModCommand::Delete | FlowModCommand::DeleteStrict);
    o.u8(if fm.table == 0xff && !all_ok { 0 } else { fm.table });
    o.u8(fm.command as u8);
    o.u16(fm.idle_timeout);
    o.u16(fm.hard_timeout);
    o.u16(fm.priority);
    o.u32(fm.buffer_id.unwrap_or(u32::MAX));
    o.u32(fm.out_port.0);
    o.u32(fm.out_group.0);
    o.u16(flags_to_wire(fm.flags, version));
    o.u16(if version >= Version::V14 { fm.importance } else { 0 });
    put_match_11(o, m, version);
    action::instruction::encode_instructions(&fm.actions, version, o);
}

fn command(raw: u16, codec: &Codec) -> Decode<(FlowModCommand, u8)> {
    let tid = codec.lenient || codec.protocol.has_table_id() && codec.version() == Version::V10;
    let (n, table) = if tid { (raw & 0xff, (raw >> 8) as u8) } else { (raw, 0xff) };
    let command = u8::try_from(n).ok().and_then(FlowModCommand::from_wire);
    command.map(|c| (c, table)).ok_or_else(|| OfpErr::OFPFMFC_BAD_COMMAND.into())
}

/// Parts that both forms of OpenFlow 1.0 have in common.
fn tail_10(r: &mut Reader<'_>, fm: &mut FlowMod, cookie: u64, codec: &Codec) -> Decode<u16> {
    let (cmd, table) = command(r.u16()?, codec)?;
    fm.command = cmd;
    fm.table = table;
    fm.idle_timeout = r.u16()?;
    fm.hard_timeout = r.u16()?;
    fm.priority = r.u16()?;
    fm.buffer_id = buffer_from_wire(r.u32()?);
    fm.out_port = OfPort::from_u16(r.u16()?);
    let flags = r.u16()?;
    fm.new_cookie = Cookie(cookie);
    fm.modify_cookie =
        matches!(cmd, FlowModCommand::Modify | FlowModCommand::ModifyStrict) && cookie != u64::MAX;
    Ok(flags)
}

pub(crate) fn decode(r: &mut Reader<'_>, version: Version, codec: &Codec) -> Decode<Message> {
    let mut fm = FlowMod::new(FlowModCommand::Add, MiniMatch::default());
    let mut m = Match::any();
    if version == Version::V10 {
        // A match without wildcards goes before all others.
        let exact = r
            .rest()
            .first_chunk::<4>()
            .is_some_and(|w| u32::from_be_bytes(*w) & crate::fixed_match::w10::ALL == 0);
        crate::fixed_match::pull_of10(r, &mut m)?;
        m.normalize();
        let cookie = r.u64()?;
        let flags = tail_10(r, &mut fm, cookie, codec)?;
        if exact {
            fm.priority = u16::MAX;
        }
        fm.actions = action::wire::decode(r.take_all(), version, action::text::Outer::Flow)?;
        fm.flags = flags_from_wire(flags, version)?;
    } else {
        decode_11(r, &mut fm, &mut m, version, codec)?;
    }
    finish(fm, &m, version, codec)
}

fn decode_11(
    r: &mut Reader<'_>,
    fm: &mut FlowMod,
    m: &mut Match,
    version: Version,
    codec: &Codec,
) -> Decode<()> {
    let cookie = r.u64()?;
    let mask = r.u64()?;
    fm.table = r.u8()?;
    let cmd = r.u8()?;
    fm.idle_timeout = r.u16()?;
    fm.hard_timeout = r.u16()?;
    fm.priority = r.u16()?;
    fm.buffer_id = buffer_from_wire(r.u32()?);
    let out_port = r.u32()?;
    let out_group = r.u32()?;
    let flags = r.u16()?;
    fm.importance = r.u16()?;
    if version < Version::V14 {
        fm.importance = 0;
    }
    // Which of several faults is reported follows from this order: match, port, command, instructions, flags.
    pull_match_11(r, codec, true, m)?;
    let command = FlowModCommand::from_wire(cmd);
    let deleting = matches!(command, Some(FlowModCommand::Delete | FlowModCommand::DeleteStrict));
    if fm.table == 0xff && (version == Version::V11 || !deleting) {
        return Err(OfpErr::OFPFMFC_BAD_TABLE_ID.into());
    }
    let out_port = port_from_wire(out_port)?;
    let cmd = command.ok_or(OfpErr::OFPFMFC_BAD_COMMAND)?;
    fm.command = cmd;
    fm.out_port = out_port;
    if deleting {
        fm.out_group = GroupId(out_group);
    }
    match cmd {
        FlowModCommand::Add => fm.new_cookie = Cookie(cookie),
        _ => {
            fm.cookie = Cookie(cookie);
            fm.cookie_mask = Cookie(mask);
            let upsert = version == Version::V11 && !deleting && mask == 0;
            fm.new_cookie = if upsert { Cookie(cookie) } else { Cookie(u64::MAX) };
            if upsert {
                fm.cookie = Cookie(0);
            }
        }
    }
    fm.actions = action::instruction::decode_instructions(r.take_all(), version)?;
    fm.flags = flags_from_wire(flags, version)?;
    Ok(())
}

/// Takes a match in the form of OpenFlow 1.1 or later.
pub(crate) fn pull_match_11(r: &mut Reader<'_>, codec: &Codec, strict: bool, m: &mut Match) -> Decode<()> {
    crate::oxm::pull_oxm(r, &codec.match_cx(strict), m)
}

pub(crate) fn decode_nxt(r: &mut Reader<'_>, version: Version, codec: &Codec) -> Decode<Message> {
    let mut fm = FlowMod::new(FlowModCommand::Add, MiniMatch::default());
    let cookie = r.u64()?;
    let mut tail = r.sub(16)?;
    let len = usize::from(r.u16()?);
    r.skip(6)?;
    let mut m = Match::any();
    let (value, mask) = crate::oxm::pull_nxm(r, len, &codec.match_cx(true), &mut m)?;
    let flags = tail_10(&mut tail, &mut fm, cookie, codec)?;
    fm.cookie = Cookie(value);
    fm.cookie_mask = Cookie(mask);
    if fm.command == FlowModCommand::Add && mask != 0 {
        return Err(OfpErr::NXBRC_NXM_INVALID.into());
    }
    fm.actions = if version >= Version::V11 {
        action::instruction::decode_instructions(r.take_all(), version)?
    } else {
        action::wire::decode(r.take_all(), version, action::text::Outer::Flow)?
    };
    fm.flags = flags_from_wire(flags, version)?;
    finish(fm, &m, version, codec)
}

/// Checks the actions against the match, and what cannot be said together.
fn finish(mut fm: FlowMod, m: &Match, version: Version, codec: &Codec) -> Decode<Message> {
    codec.check_tun_options(&fm.actions)?;
    if fm.flags.0 & FlowModFlags::EMERG != 0 && (fm.idle_timeout != 0 || fm.hard_timeout != 0) {
        return Err(OfpErr::OFPFMFC_BAD_EMERG_TIMEOUT.into());
    }
    let versions = crate::version::VersionSet::only(version);
    let mut cx = action::check::CheckCx::new(ProtocolSet::of_versions(versions));
    cx.table = fm.table;
    action::check::check(&mut fm.actions, m, &mut cx)?;
    fm.matching = MiniMatch::new(m);
    Ok(Message::FlowMod(Box::new(fm)))
}
