//! Groups: mod, description, statistics, features.

use crate::Action;
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
