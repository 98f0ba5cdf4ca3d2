//! Groups: mod, description, statistics, features.

use super::Message;
use super::port::port_from_wire;
use crate::Action;
use crate::action;
use crate::buf::{Decode, DecodeError, Put, Reader};
use crate::codec::{Enc, Encode};
use crate::codec::{Property, pull_property, put_property, put_sized};
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
        let len = usize::from(r.u16()?);
        if len < 8 || len > left || len % 8 != 0 {
            return Err(OfpErr::OFPBRC_BAD_LEN.into());
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

fn bucket_11(b: &mut Reader<'_>, bucket_id: u32, version: Version) -> Decode<Bucket> {
    let weight = b.u16()?;
    let watch_port = port_from_wire(b.u32()?).map_err(|_| OfpErr::OFPGMFC_BAD_WATCH)?;
    let watch_group = GroupId(b.u32()?);
    b.skip(4)?;
    let actions = action::wire::decode(b.take_all(), version)?;
    Ok(Bucket { bucket_id, weight, watch_port, watch_group, actions })
}

fn bucket_15(b: &mut Reader<'_>, version: Version, kind: GroupType) -> Decode<Bucket> {
    let n = usize::from(b.u16()?);
    let bucket_id = b.u32()?;
    if n > b.len() {
        return Err(OfpErr::OFPGMFC_BAD_BUCKET.into());
    }
    let actions = action::wire::decode(b.take(n)?, version)?;
    let mut out = Bucket {
        bucket_id,
        weight: if kind == GroupType::Select { 1 } else { 0 },
        watch_port: OfPort::NONE,
        watch_group: GroupId::ANY,
        actions,
    };
    while !b.is_empty() {
        let Property { kind, mut body } = pull_property(b)?;
        match kind {
            0 => out.weight = body.u16()?,
            1 => out.watch_port = port_from_wire(body.u32()?).map_err(|_| OfpErr::OFPGMFC_BAD_WATCH)?,
            2 => out.watch_group = GroupId(body.u32()?),
            _ => return Err(OfpErr::OFPBPC_BAD_TYPE.into()),
        }
    }
    if out.bucket_id > Bucket::ID_MAX {
        return Err(OfpErr::OFPGMFC_BAD_BUCKET.into());
    }
    Ok(out)
}

fn pull_props(r: &mut Reader<'_>, group: GroupType) -> Decode<GroupProps> {
    let mut props = GroupProps::default();
    while !r.is_empty() {
        let Property { kind, mut body } = pull_property(r)?;
        if kind != 0xffff {
            return Err(OfpErr::OFPBPC_BAD_TYPE.into());
        }
        let (vendor, kind) = (body.u32()?, body.u32()?);
        if vendor != NTR_VENDOR {
            return Err(OfpErr::OFPBPC_BAD_EXPERIMENTER.into());
        }
        if kind != NTR_SELECTION_METHOD {
            return Err(OfpErr::OFPBPC_BAD_EXP_TYPE.into());
        }
        if group != GroupType::Select {
            let text = "ntr selection method property is only allowed for select groups";
            return Err(DecodeError::logged(OfpErr::OFPBPC_BAD_VALUE, MODULE, text));
        }
        body.skip(4)?;
        props.selection_method = body.string(16)?;
        if !["hash", "dp_hash"].contains(&&*props.selection_method) {
            let text = format!("ntr selection method '{}' is not supported", props.selection_method);
            return Err(DecodeError::logged(OfpErr::OFPBPC_BAD_VALUE, MODULE, text));
        }
        props.selection_method_param = body.u64()?;
        while !body.is_empty() {
            let (field, header) = crate::oxm::pull_field(&mut body)?;
            let width = if header.has_mask { header.len / 2 } else { header.len };
            let value = crate::oxm::pull_value(&mut body, width)?;
            if header.has_mask {
                crate::oxm::pull_value(&mut body, width)?;
            }
            props.fields.push((field, value));
        }
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

/// In a group-mod, a bucket whose length is wrong is a bad bucket.
fn bad_bucket(mut e: DecodeError) -> DecodeError {
    if e.error == OfpErr::OFPBRC_BAD_LEN {
        e.error = OfpErr::OFPGMFC_BAD_BUCKET;
    }
    e
}

/// A group-mod's command.
fn command_from_wire(raw: u16, version: Version) -> Option<GroupModCommand> {
    Some(match raw {
        0 => GroupModCommand::Add,
        1 => GroupModCommand::Modify,
        2 => GroupModCommand::Delete,
        3 if new_form(version) => GroupModCommand::InsertBucket,
        5 if new_form(version) => GroupModCommand::RemoveBucket,
        0x8000 => GroupModCommand::AddOrModify,
        _ => return None,
    })
}

pub(crate) fn decode_mod(r: &mut Reader<'_>, version: Version) -> Decode<Message> {
    let raw = r.u16()?;
    let command = command_from_wire(raw, version);
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
        g.buckets = pull_buckets(&mut r.sub(len)?, version, kind).map_err(bad_bucket)?;
        g.props = pull_props(r, kind)?;
    } else {
        g.buckets = pull_buckets(r, version, kind).map_err(bad_bucket)?;
    }
    // The buckets' and then the type's faults are reported before the command's.
    if wire_kind.is_none() && command != Some(GroupModCommand::Delete) {
        return Err(OfpErr::OFPGMFC_BAD_TYPE.into());
    }
    let command = command.ok_or(OfpErr::OFPGMFC_BAD_COMMAND)?;
    let changes = !matches!(command, GroupModCommand::Delete | GroupModCommand::RemoveBucket);
    check_mod(&g, changes)?;
    Ok(Message::GroupMod(Box::new(g)))
}

/// Checks that hold whatever the switch's groups are.
fn check_mod(g: &GroupMod, changes: bool) -> Decode<()> {
    match g.kind {
        _ if !changes || g.command == GroupModCommand::InsertBucket => {}
        GroupType::Indirect if g.buckets.len() != 1 => return Err(OfpErr::OFPGMFC_INVALID_GROUP.into()),
        _ => {}
    }
    for b in &g.buckets {
        if changes
            && b.weight != 0
            && g.kind != GroupType::Select
            && g.command != GroupModCommand::InsertBucket
        {
            return Err(OfpErr::OFPGMFC_INVALID_GROUP.into());
        }
        let watches = b.watch_port != OfPort::NONE || b.watch_group != GroupId::ANY;
        let may = matches!(g.kind, GroupType::Select | GroupType::FastFailover)
            || g.command == GroupModCommand::InsertBucket;
        if changes && watches && !may {
            return Err(OfpErr::OFPGMFC_WATCH_UNSUPPORTED.into());
        }
        if changes
            && g.kind == GroupType::FastFailover
            && b.watch_port == OfPort::NONE
            && b.watch_group == GroupId::ANY
        {
            return Err(OfpErr::OFPGMFC_INVALID_GROUP.into());
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

pub(crate) fn decode_desc(r: &mut Reader<'_>, version: Version) -> Decode<Vec<GroupDesc>> {
    let mut out = Vec::new();
    while !r.is_empty() {
        let len = usize::from(r.u16()?);
        if len < 8 {
            return Err(OfpErr::OFPBRC_BAD_LEN.into());
        }
        let mut b = r.sub(len - 2)?;
        let kind = GroupType::from_wire(b.u8()?).ok_or(OfpErr::OFPGMFC_BAD_TYPE)?;
        b.skip(1)?;
        let group = GroupId(b.u32()?);
        let mut props = GroupProps::default();
        let buckets = if new_form(version) {
            let n = usize::from(b.u16()?);
            b.skip(6)?;
            let buckets = pull_buckets(&mut b.sub(n)?, version, kind)?;
            props = pull_props(&mut b, kind)?;
            buckets
        } else {
            pull_buckets(&mut b, version, kind)?
        };
        out.push(GroupDesc { group, kind, buckets, props });
    }
    Ok(out)
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

pub(crate) fn decode_stats(r: &mut Reader<'_>, version: Version) -> Decode<Vec<GroupStats>> {
    let mut out = Vec::new();
    while !r.is_empty() {
        let len = usize::from(r.u16()?);
        if len < 32 {
            return Err(OfpErr::OFPBRC_BAD_LEN.into());
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
            s.duration = (sec != u32::MAX || nsec != u32::MAX).then_some((sec, nsec));
        }
        while !b.is_empty() {
            s.buckets.push(BucketStats { packet_count: b.u64()?, byte_count: b.u64()? });
        }
        out.push(s);
    }
    Ok(out)
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
