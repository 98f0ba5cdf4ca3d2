//! Groups: mod, description, statistics, features.

use super::Message;
use super::port::port_from_wire;
use crate::Action;
use crate::action;
use crate::buf::{Decode, DecodeError, Put, Reader};
use crate::codec::{Enc, Encode};
use crate::codec::{pull_property, put_property, put_sized, unknown_property};
use crate::kind::Kind;
use crate::ofperr::OfpErr;
use crate::version::Version;
use base::{GroupId, OfPort};
use flow::{Field, Value};

/// What a group does with its buckets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum GroupType {
    /// Runs all.
    All = 0,
    /// Runs one, by weight.
    Select = 1,
    /// Runs its only one.
    Indirect = 2,
    /// Runs the first live one.
    FastFailover = 3,
}

/// What a group-mod does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u16)]
pub enum GroupModCommand {
    /// Add a group.
    Add = 0,
    /// Change a group.
    Modify = 1,
    /// Delete a group, or all.
    Delete = 2,
    /// Insert buckets (1.5, and an extension before).
    InsertBucket = 3,
    /// Remove buckets (1.5, and an extension before).
    RemoveBucket = 5,
    /// Add or change (an extension).
    AddOrModify = 0x8000,
}

/// One bucket.
#[derive(Clone, PartialEq, Debug)]
pub struct Bucket {
    /// Id within the group.
    pub bucket_id: u32,
    /// Weight of a select group's bucket.
    pub weight: u16,
    /// Port whose liveness counts ([`OfPort::NONE`]: none).
    pub watch_port: OfPort,
    /// Group whose liveness counts ([`GroupId::ANY`]: none).
    pub watch_group: GroupId,
    /// Action set.
    pub actions: Vec<Action>,
}

impl Bucket {
    /// Last ordinary bucket id.
    pub const ID_MAX: u32 = 0xffff_ff00;
    /// "First bucket" in a command.
    pub const ID_FIRST: u32 = 0xffff_fffd;
    /// "Last bucket" in a command.
    pub const ID_LAST: u32 = 0xffff_fffe;
    /// "All buckets" in a command.
    pub const ID_ALL: u32 = 0xffff_ffff;
}

/// How a select group selects.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct GroupProps {
    /// `hash`, `dp_hash`; empty: the default.
    pub selection_method: String,
    /// Its parameter.
    pub selection_method_param: u64,
    /// Fields hashed, each with the mask of what is hashed.
    pub fields: Vec<(Field, Value)>,
}

/// A group-mod.
#[derive(Clone, PartialEq, Debug)]
pub struct GroupMod {
    /// What to do.
    pub command: GroupModCommand,
    /// Kind of group.
    pub kind: GroupType,
    /// The group.
    pub group: GroupId,
    /// Which bucket the command is about.
    pub command_bucket_id: u32,
    /// The buckets.
    pub buckets: Vec<Bucket>,
    /// Selection.
    pub props: GroupProps,
}

/// A group as it is.
#[derive(Clone, PartialEq, Debug)]
pub struct GroupDesc {
    /// Its number.
    pub group: GroupId,
    /// Its kind.
    pub kind: GroupType,
    /// Its buckets.
    pub buckets: Vec<Bucket>,
    /// Selection.
    pub props: GroupProps,
}

/// Counters of a bucket.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct BucketStats {
    /// Packets.
    pub packet_count: u64,
    /// Bytes.
    pub byte_count: u64,
}

/// Counters of a group.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GroupStats {
    /// The group.
    pub group: GroupId,
    /// Flows and groups that refer to it.
    pub ref_count: u32,
    /// Packets.
    pub packet_count: u64,
    /// Bytes.
    pub byte_count: u64,
    /// Age, seconds; `None` when the version cannot say.
    pub duration: Option<(u32, u32)>,
    /// Its buckets.
    pub buckets: Vec<BucketStats>,
}

/// What groups can do.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct GroupFeatures {
    /// Bit n: type n.
    pub types: u32,
    /// Bits `CAP_*`.
    pub capabilities: u32,
    /// Most groups of each type.
    pub max_groups: [u32; 4],
    /// Actions of each type: bit n is action type n of OpenFlow 1.1 and later.
    pub actions: [u32; 4],
}

const MODULE: &str = "ofp_group";
const NTR_VENDOR: u32 = 0x0000_154d;
const NTR_SELECTION_METHOD: u32 = 1;

impl GroupType {
    fn from_wire(n: u8) -> Option<GroupType> {
        [GroupType::All, GroupType::Select, GroupType::Indirect, GroupType::FastFailover]
            .into_iter()
            .find(|t| *t as u8 == n)
    }
}

/// Whether a version's groups have the form of OpenFlow 1.5; OpenFlow 1.0's extension has it, too.
fn new_form(version: Version) -> bool {
    version >= Version::V15 || version == Version::V10
}

fn put_bucket(o: &mut Vec<u8>, b: &Bucket, kind: GroupType, version: Version) {
    if !new_form(version) {
        put_sized(o, |o| {
            o.u16(b.weight);
            o.u32(b.watch_port.0);
            o.u32(b.watch_group.0);
            o.zeros(4);
            action::wire::encode(&b.actions, version, o);
        });
        return;
    }
    put_sized(o, |o| {
        let at = o.len();
        o.u16(0);
        o.u32(b.bucket_id);
        let start = o.len();
        action::wire::encode(&b.actions, version, o);
        let len = o.len() - start;
        o.patch16(at, len as u16);
        if kind == GroupType::Select || b.weight != 0 {
            put_property(o, 0, |o| {
                o.u16(b.weight);
                o.zeros(2);
            });
        }
        if b.watch_port != OfPort::NONE {
            put_property(o, 1, |o| o.u32(b.watch_port.0));
        }
        if b.watch_group != GroupId::ANY {
            put_property(o, 2, |o| o.u32(b.watch_group.0));
        }
    });
}

fn put_props(o: &mut Vec<u8>, p: &GroupProps, version: Version) {
    if p.selection_method.is_empty() {
        return;
    }
    put_property(o, 0xffff, |o| {
        o.u32(NTR_VENDOR);
        o.u32(NTR_SELECTION_METHOD);
        o.zeros(4);
        o.string(&p.selection_method, 16);
        o.u64(p.selection_method_param);
        for (field, mask) in &p.fields {
            let width = usize::from(field.info().bytes);
            crate::oxm::put_header(o, *field, version, false);
            crate::oxm::put_value(o, *mask, width);
        }
    });
}

fn pull_buckets(r: &mut Reader<'_>, version: Version, kind: GroupType) -> Decode<Vec<Bucket>> {
    let mut out: Vec<Bucket> = Vec::new();
    while !r.is_empty() {
        let left = r.len();
        let bad = |text| DecodeError::logged(OfpErr::OFPGMFC_BAD_BUCKET, MODULE, text);
        let head = if new_form(version) { 8 } else { 16 };
        if left < head {
            return Err(bad(format!("buckets end with {left} leftover bytes")));
        }
        let len = usize::from(r.u16()?);
        if len < head {
            return Err(bad(format!("OpenFlow message bucket length {len} is not valid")));
        }
        if len > left {
            let text =
                format!("OpenFlow message bucket length {len} exceeds remaining buckets data size {left}");
            return Err(bad(text));
        }
        let mut b = r.sub(len - 2)?;
        let id = out.len() as u32;
        let bucket = if new_form(version) {
            bucket_15(&mut b, version, kind)?
        } else {
            bucket_11(&mut b, id, version)?
        };
        if new_form(version) && out.iter().any(|x| x.bucket_id == bucket.bucket_id) {
            return Err(DecodeError::logged(OfpErr::OFPGMFC_BAD_BUCKET, MODULE, "Duplicate bucket id"));
        }
        out.push(bucket);
    }
    Ok(out)
}

fn bad_watch(mut e: DecodeError) -> DecodeError {
    e.error = OfpErr::OFPGMFC_BAD_WATCH;
    e
}

fn bucket_11(b: &mut Reader<'_>, bucket_id: u32, version: Version) -> Decode<Bucket> {
    let weight = b.u16()?;
    let watch_port = b.u32()?;
    let watch_group = GroupId(b.u32()?);
    b.skip(4)?;
    let actions = action::wire::decode(b.take_all(), version, action::text::Outer::Bucket)?;
    let watch_port = port_from_wire(watch_port).map_err(bad_watch)?;
    Ok(Bucket { bucket_id, weight, watch_port, watch_group, actions })
}

fn bucket_15(b: &mut Reader<'_>, version: Version, kind: GroupType) -> Decode<Bucket> {
    let n = usize::from(b.u16()?);
    let bucket_id = b.u32()?;
    if n > b.len() {
        let left = b.len();
        let text =
            format!("OpenFlow message bucket actions length {n} exceeds remaining bucket data size {left}");
        return Err(DecodeError::logged(OfpErr::OFPGMFC_BAD_BUCKET, MODULE, text));
    }
    let actions = action::wire::decode(b.take(n)?, version, action::text::Outer::Bucket)?;
    let mut out = Bucket {
        bucket_id,
        weight: if kind == GroupType::Select { 1 } else { 0 },
        watch_port: OfPort::NONE,
        watch_group: GroupId::ANY,
        actions,
    };
    while !b.is_empty() {
        let mut p = pull_property(b)?;
        match p.kind {
            0 => out.weight = p.u16()?,
            1 => out.watch_port = port_from_wire(p.u32()?).map_err(bad_watch)?,
            2 => out.watch_group = GroupId(p.u32()?),
            _ => return Err(unknown_property(MODULE, "group bucket", &p)),
        }
    }
    if out.bucket_id > Bucket::ID_MAX {
        let text = format!("bucket id ({bucket_id}) is out of range");
        return Err(DecodeError::logged(OfpErr::OFPGMFC_BAD_BUCKET, MODULE, text));
    }
    Ok(out)
}

/// The fields of a selection, each with its mask.
fn pull_fields(r: &mut Reader<'_>) -> Decode<Vec<(Field, Value)>> {
    let mut out: Vec<(Field, Value)> = Vec::new();
    while !r.is_empty() {
        let (field, len) = crate::oxm::pull_field_and_length(r)?;
        let value = crate::oxm::pull_value(r, len)?;
        if out.iter().any(|(f, _)| *f == field) {
            return Err(OfpErr::OFPBMC_DUP_FIELD.into());
        }
        out.push((field, value));
    }
    // As a set: the order in which they came is not kept.
    out.sort_by_key(|(f, _)| *f);
    Ok(out)
}

fn pull_props(r: &mut Reader<'_>, group: GroupType, command: Option<GroupModCommand>) -> Decode<GroupProps> {
    let mut props = GroupProps::default();
    while !r.is_empty() {
        let p = pull_property(r)?;
        if p.experimenter != Some((NTR_VENDOR, NTR_SELECTION_METHOD)) {
            return Err(unknown_property(MODULE, "group", &p));
        }
        let mut body = p.body;
        if group != GroupType::Select {
            let text = "ntr selection method property is only allowed for select groups";
            return Err(DecodeError::logged(OfpErr::OFPBPC_BAD_VALUE, MODULE, text));
        }
        if !matches!(
            command,
            Some(GroupModCommand::Add | GroupModCommand::Modify | GroupModCommand::AddOrModify)
        ) {
            let text = "ntr selection method property is only allowed for add and delete group modifications";
            return Err(DecodeError::logged(OfpErr::OFPBPC_BAD_VALUE, MODULE, text));
        }
        body.skip(4)?;
        if body.rest().get(..16).is_some_and(|m| !m.contains(&0)) {
            let text = "ntr selection method is not null terminated";
            return Err(DecodeError::logged(OfpErr::OFPBPC_BAD_VALUE, MODULE, text));
        }
        props.selection_method = body.string(16)?;
        props.selection_method_param = body.u64()?;
        let method = props.selection_method.as_str();
        if !matches!(method, "hash" | "dp_hash") {
            let text = format!("ntr selection method '{method}' is not supported");
            return Err(DecodeError::logged(OfpErr::OFPBPC_BAD_VALUE, MODULE, text));
        }
        if method == "dp_hash" && !body.is_empty() {
            let text = "ntr selection method dp_hash does not support fields";
            return Err(DecodeError::logged(OfpErr::OFPBPC_BAD_VALUE, MODULE, text));
        }
        props.fields = pull_fields(&mut body)
            .map_err(|e| e.and(MODULE, "ntr selection method fields are invalid".to_string()))?;
    }
    Ok(props)
}

pub(crate) fn put_mod(e: &mut Enc<'_>, g: &GroupMod) -> Encode {
    let version = e.version;
    let bucket_command = matches!(g.command, GroupModCommand::InsertBucket | GroupModCommand::RemoveBucket);
    if bucket_command && !new_form(version) {
        return Err(crate::codec::Unencodable);
    }
    e.first(&[Kind::OfptGroupMod, Kind::NxtGroupMod], |o| {
        o.u16(g.command as u16);
        o.u8(g.kind as u8);
        o.zeros(1);
        o.u32(g.group.0);
        if !new_form(version) {
            g.buckets.iter().for_each(|b| put_bucket(o, b, g.kind, version));
            return;
        }
        let at = o.len();
        o.zeros(4);
        o.u32(g.command_bucket_id);
        let start = o.len();
        g.buckets.iter().for_each(|b| put_bucket(o, b, g.kind, version));
        let len = o.len() - start;
        o.patch16(at, len as u16);
        put_props(o, &g.props, version);
    })
}

/// The bucket that a command names must fit the command.
fn check_command_bucket(command: u16, id: u32) -> Decode<()> {
    let fits = match command {
        3 => id <= Bucket::ID_MAX || id == Bucket::ID_FIRST || id == Bucket::ID_LAST,
        5 => id <= Bucket::ID_MAX || id >= Bucket::ID_FIRST,
        _ => id == Bucket::ID_ALL,
    };
    if fits {
        return Ok(());
    }
    let text = format!("group command bucket id ({id}) is out of range");
    Err(DecodeError::logged(OfpErr::OFPGMFC_BAD_BUCKET, MODULE, text))
}

/// A group-mod's command.
fn command_from_wire(raw: u16) -> Option<GroupModCommand> {
    Some(match raw {
        0 => GroupModCommand::Add,
        1 => GroupModCommand::Modify,
        2 => GroupModCommand::Delete,
        3 => GroupModCommand::InsertBucket,
        5 => GroupModCommand::RemoveBucket,
        0x8000 => GroupModCommand::AddOrModify,
        _ => return None,
    })
}

pub(crate) fn decode_mod(r: &mut Reader<'_>, version: Version) -> Decode<Message> {
    let raw = r.u16()?;
    let command = command_from_wire(raw);
    let kind = r.u8()?;
    r.skip(1)?;
    let group = GroupId(r.u32()?);
    let wire_kind = GroupType::from_wire(kind);
    let kind = wire_kind.unwrap_or(GroupType::All);
    let mut g = GroupMod {
        command: command.unwrap_or(GroupModCommand::Add),
        kind,
        group,
        command_bucket_id: Bucket::ID_ALL,
        buckets: Vec::new(),
        props: GroupProps::default(),
    };
    if new_form(version) {
        let len = usize::from(r.u16()?);
        r.skip(2)?;
        g.command_bucket_id = r.u32()?;
        if len > r.len() {
            return Err(OfpErr::OFPBRC_BAD_LEN.into());
        }
        check_command_bucket(raw, g.command_bucket_id)?;
        g.buckets = pull_buckets(&mut r.sub(len)?, version, kind)?;
        g.props = pull_props(r, kind, command)?;
    } else {
        g.buckets = pull_buckets(r, version, kind)?;
        if command == Some(GroupModCommand::Delete) && version >= Version::V13 && !g.buckets.is_empty() {
            return Err(OfpErr::OFPGMFC_INVALID_GROUP.into());
        }
    }
    // The buckets' and then the type's faults are reported before the command's.
    if wire_kind.is_none() {
        return Err(OfpErr::OFPGMFC_BAD_TYPE.into());
    }
    if g.kind == GroupType::Indirect && g.command != GroupModCommand::Delete && g.buckets.len() != 1 {
        return Err(OfpErr::OFPGMFC_INVALID_GROUP.into());
    }
    command.ok_or(OfpErr::OFPGMFC_BAD_COMMAND)?;
    check_mod(&g)?;
    Ok(Message::GroupMod(Box::new(g)))
}

/// Checks that hold whatever the switch's groups are.
fn check_mod(g: &GroupMod) -> Decode<()> {
    let invalid = || Err(OfpErr::OFPGMFC_INVALID_GROUP.into());
    if g.command == GroupModCommand::RemoveBucket && !g.buckets.is_empty() {
        return Err(OfpErr::OFPGMFC_BAD_BUCKET.into());
    }
    for b in &g.buckets {
        let weighs = b.weight != 0 && g.kind != GroupType::Select;
        if weighs && g.command != GroupModCommand::InsertBucket {
            return invalid();
        }
        let watches = b.watch_port != OfPort::NONE || b.watch_group != GroupId::ANY;
        match g.kind {
            GroupType::All | GroupType::Indirect if watches => {
                return Err(OfpErr::OFPGMFC_WATCH_UNSUPPORTED.into());
            }
            GroupType::FastFailover if !watches => return invalid(),
            _ => {}
        }
    }
    Ok(())
}

pub(crate) fn put_desc_request(e: &mut Enc<'_>, g: GroupId) -> Encode {
    let new = new_form(e.version);
    e.first(&[Kind::OfpstGroupDescRequest, Kind::NxstGroupDescRequest], |o| {
        if new {
            o.u32(g.0);
            o.zeros(4);
        }
    })
}

fn reply_kind(e: &Enc<'_>, kinds: [Kind; 2]) -> Result<Kind, crate::codec::Unencodable> {
    kinds.into_iter().find(|k| k.exists_in(e.version)).ok_or(crate::codec::Unencodable)
}

pub(crate) fn put_desc(e: &mut Enc<'_>, all: &[GroupDesc], more: bool) -> Encode {
    let version = e.version;
    let kind = reply_kind(e, [Kind::OfpstGroupDescReply, Kind::NxstGroupDescReply])?;
    e.split(kind, more, all, |o, g| {
        put_sized(o, |o| {
            o.u8(g.kind as u8);
            o.zeros(1);
            o.u32(g.group.0);
            if !new_form(version) {
                g.buckets.iter().for_each(|b| put_bucket(o, b, g.kind, version));
                return;
            }
            let at = o.len();
            o.zeros(8);
            let start = o.len();
            g.buckets.iter().for_each(|b| put_bucket(o, b, g.kind, version));
            let len = o.len() - start;
            o.patch16(at, len as u16);
            put_props(o, &g.props, version);
        });
    })
}

pub(crate) fn decode_one_desc(r: &mut Reader<'_>, version: Version) -> Decode<GroupDesc> {
    let left = r.len();
    let bad = |text| Err(DecodeError::logged(OfpErr::OFPBRC_BAD_LEN, MODULE, text));
    let head = if new_form(version) { 16 } else { 8 };
    if left < head {
        return bad(format!("OFPST11_GROUP_DESC reply has {left} leftover bytes at end"));
    }
    let len = usize::from(r.u16()?);
    if len < head || len > left {
        return bad(format!("OFPST11_GROUP_DESC reply claims invalid length {len}"));
    }
    let mut b = r.sub(len - 2)?;
    let kind = GroupType::from_wire(b.u8()?).ok_or(OfpErr::OFPGMFC_BAD_TYPE)?;
    b.skip(1)?;
    let group = GroupId(b.u32()?);
    let mut props = GroupProps::default();
    let buckets = if new_form(version) {
        let n = usize::from(b.u16()?);
        b.skip(6)?;
        if n > b.len() {
            return bad(format!("OFPST11_GROUP_DESC reply claims invalid bucket list length {n}"));
        }
        let buckets = pull_buckets(&mut b.sub(n)?, version, kind)?;
        props = pull_props(&mut b, kind, Some(GroupModCommand::Add))?;
        buckets
    } else {
        pull_buckets(&mut b, version, kind)?
    };
    Ok(GroupDesc { group, kind, buckets, props })
}

pub(crate) fn put_stats(e: &mut Enc<'_>, all: &[GroupStats], more: bool) -> Encode {
    let version = e.version;
    let kind = reply_kind(e, [Kind::OfpstGroupReply, Kind::NxstGroupReply])?;
    e.split(kind, more, all, |o, s| {
        put_sized(o, |o| {
            o.zeros(2);
            o.u32(s.group.0);
            o.u32(s.ref_count);
            o.zeros(4);
            o.u64(s.packet_count);
            o.u64(s.byte_count);
            if version >= Version::V13 || version == Version::V10 {
                let (sec, nsec) = s.duration.unwrap_or((u32::MAX, u32::MAX));
                o.u32(sec);
                o.u32(nsec);
            }
            for b in &s.buckets {
                o.u64(b.packet_count);
                o.u64(b.byte_count);
            }
        });
    })
}

pub(crate) fn decode_one_stats(r: &mut Reader<'_>, version: Version) -> Decode<GroupStats> {
    let left = r.len();
    let name = if version == Version::V10 { "NXST_GROUP reply" } else { "OFPST_GROUP reply" };
    let timed = version >= Version::V13 || version == Version::V10;
    let head = if timed { 40 } else { 32 };
    let bad = |text: String| Err(DecodeError::logged(OfpErr::OFPBRC_BAD_LEN, MODULE, text));
    if left < head {
        return bad(format!("{name} reply has {left} leftover bytes at end"));
    }
    let len = usize::from(r.u16()?);
    let fixed = head;
    if len < 8 {
        return bad(format!("{name} reply claims invalid length {len}"));
    }
    if len < fixed || len > left || (len - fixed) % 16 != 0 {
        return bad(format!("{name} reply has {} leftover bytes at end", left - fixed));
    }
    let mut b = r.sub(len - 2)?;
    b.skip(2)?;
    let group = GroupId(b.u32()?);
    let ref_count = b.u32()?;
    b.skip(4)?;
    let mut s = GroupStats {
        group,
        ref_count,
        packet_count: b.u64()?,
        byte_count: b.u64()?,
        duration: None,
        buckets: Vec::new(),
    };
    if version >= Version::V13 || version == Version::V10 {
        let (sec, nsec) = (b.u32()?, b.u32()?);
        s.duration = (sec != u32::MAX).then_some((sec, nsec));
    }
    while !b.is_empty() {
        s.buckets.push(BucketStats { packet_count: b.u64()?, byte_count: b.u64()? });
    }
    Ok(s)
}

pub(crate) fn put_features(e: &mut Enc<'_>, f: &GroupFeatures) -> Encode {
    e.first(&[Kind::OfpstGroupFeaturesReply, Kind::NxstGroupFeaturesReply], |o| {
        o.u32(f.types);
        o.u32(f.capabilities);
        f.max_groups.iter().for_each(|n| o.u32(*n));
        f.actions.iter().for_each(|n| o.u32(*n));
    })
}

pub(crate) fn decode_features(r: &mut Reader<'_>) -> Decode<GroupFeatures> {
    let mut f = GroupFeatures { types: r.u32()?, capabilities: r.u32()?, ..GroupFeatures::default() };
    for n in &mut f.max_groups {
        *n = r.u32()?;
    }
    for n in &mut f.actions {
        *n = r.u32()?;
    }
    Ok(f)
}
