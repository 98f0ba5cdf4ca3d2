//! Flow tables: mod, description, statistics, features, status.

use super::Message;
use crate::buf::{Decode, DecodeError, Put, Reader};
use crate::codec::{Enc, Encode};
use crate::codec::{pull_property, put_property, put_sized, unknown_property};
use crate::kind::Kind;
use crate::ofperr::OfpErr;
use crate::version::Version;
use flow::Field;

/// What becomes of a packet that no flow of a table matches (1.1 and 1.2).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum TableMiss {
    /// As the version and configuration say.
    #[default]
    Default,
    /// To the controller.
    Controller,
    /// On to the next table.
    Continue,
    /// Dropped.
    Drop,
}

/// Eviction of a table.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum TableEviction {
    /// As it was.
    #[default]
    Default,
    /// On.
    On,
    /// Off.
    Off,
}

/// Vacancy events of a table: `None` as it was; thresholds in per cent and the present vacancy.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum TableVacancy {
    /// As it was.
    #[default]
    Default,
    /// No events.
    Off,
    /// Events.
    On {
        /// Lower threshold.
        down: u8,
        /// Upper threshold.
        up: u8,
        /// Present vacancy.
        vacancy: u8,
    },
}

/// Change a table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TableMod {
    /// Table, or 255: all.
    pub table: u8,
    /// Misses.
    pub miss: TableMiss,
    /// Eviction.
    pub eviction: TableEviction,
    /// What eviction looks at, as on the wire: bits other, importance, lifetime.
    pub eviction_flags: u32,
    /// Vacancy events.
    pub vacancy: TableVacancy,
}

/// Description of a table (from 1.4 on).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TableDesc {
    /// The table.
    pub table: u8,
    /// Eviction.
    pub eviction: TableEviction,
    /// As in [`TableMod`].
    pub eviction_flags: u32,
    /// Vacancy events.
    pub vacancy: TableVacancy,
}

/// Counters of a table.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct TableStats {
    /// The table.
    pub table: u8,
    /// Flows.
    pub active_count: u32,
    /// Packets looked up.
    pub lookup_count: u64,
    /// Packets that matched.
    pub matched_count: u64,
    /// What the table can do, which versions before 1.3 tell here.
    pub features: Option<Box<TableFeatures>>,
}

/// Instructions, actions and fields that flows of a table may use.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct TableFlowFeatures {
    /// Tables that flows may go to, bit by table number.
    pub next: [u64; 4],
    /// Bit n: instruction n of [`TableFeatures::INSTRUCTIONS`].
    pub instructions: u32,
    /// Actions in write-actions, by wire type.
    pub write: TableActionFeatures,
    /// Actions in apply-actions.
    pub apply: TableActionFeatures,
}

/// Actions that flows of a table may use.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct TableActionFeatures {
    /// Bit n: standard action of wire type n.
    pub actions: u64,
    /// Fields that may be set.
    pub set_fields: Vec<Field>,
}

/// What a table can do (from 1.3 on).
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct TableFeatures {
    /// The table.
    pub table: u8,
    /// Its name.
    pub name: String,
    /// Bits of metadata that can be matched.
    pub metadata_match: u64,
    /// Bits of metadata that can be written.
    pub metadata_write: u64,
    /// What happens to misses (1.1 and 1.2).
    pub miss: TableMiss,
    /// Whether the table may be made to evict (from 1.4 on): `None` when the version cannot say.
    pub supports_eviction: Option<bool>,
    /// Whether the table may send vacancy events (from 1.4 on).
    pub supports_vacancy: Option<bool>,
    /// Most flows.
    pub max_entries: u32,
    /// Ordinary flows.
    pub nonmiss: TableFlowFeatures,
    /// Table-miss flows.
    pub on_miss: TableFlowFeatures,
    /// Fields that can be matched: with, per field, whether it can be masked and whether it may be left out.
    pub matches: Vec<TableMatchField>,
    /// What a features request does with the table (from 1.5 on).
    pub command: u8,
    /// Capability bits as on the wire (from 1.5 on).
    pub features: u32,
}

/// A field that a table can match.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TableMatchField {
    /// The field.
    pub field: Field,
    /// Some of its bits may be left out.
    pub maskable: bool,
    /// All of it may be left out.
    pub wildcardable: bool,
}

/// Why a table-status message is sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum TableReason {
    /// Vacancy fell below the lower threshold.
    VacancyDown = 3,
    /// Vacancy rose above the upper threshold.
    VacancyUp = 4,
}

/// A table's vacancy crossed a threshold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TableStatus {
    /// How.
    pub reason: TableReason,
    /// The table.
    pub desc: TableDesc,
}

const MISS_MASK: u32 = 3;
const EVICTION: u32 = 1 << 2;
const VACANCY: u32 = 1 << 3;
const PROP_EVICTION: u16 = 2;
const PROP_VACANCY: u16 = 3;

fn miss_to_wire(m: TableMiss) -> u32 {
    match m {
        TableMiss::Default | TableMiss::Controller => 0,
        TableMiss::Continue => 1,
        TableMiss::Drop => 2,
    }
}

fn miss_from_wire(config: u32, version: Version) -> TableMiss {
    match config & MISS_MASK {
        _ if version >= Version::V13 || version == Version::V10 => TableMiss::Default,
        1 => TableMiss::Continue,
        2 => TableMiss::Drop,
        _ => TableMiss::Controller,
    }
}

fn config_bits(eviction: TableEviction, vacancy: TableVacancy) -> u32 {
    let e = if eviction == TableEviction::On { EVICTION } else { 0 };
    let v = if matches!(vacancy, TableVacancy::On { .. }) { VACANCY } else { 0 };
    e | v
}

fn put_tail(o: &mut Vec<u8>, flags: u32, vacancy: TableVacancy) {
    if flags != EVICTION_FLAGS_NONE {
        put_property(o, PROP_EVICTION, |o| o.u32(flags));
    }
    if let TableVacancy::On { down, up, vacancy } = vacancy {
        put_property(o, PROP_VACANCY, |o| {
            o.u8(down);
            o.u8(up);
            o.u8(vacancy);
            o.zeros(1);
        });
    }
}

pub(crate) fn put_mod(e: &mut Enc<'_>, t: &TableMod) -> Encode {
    let version = e.version;
    e.put(Kind::OfptTableMod, |o| {
        o.u8(t.table);
        o.zeros(3);
        if version >= Version::V14 {
            o.u32(config_bits(t.eviction, t.vacancy));
            put_tail(o, t.eviction_flags, t.vacancy);
        } else {
            o.u32(if version >= Version::V13 { 0 } else { miss_to_wire(t.miss) });
        }
    })
}

/// Eviction flags when none are said.
pub const EVICTION_FLAGS_NONE: u32 = u32::MAX;

fn pull_tail(r: &mut Reader<'_>, config: u32, strict: bool) -> Decode<(TableEviction, u32, TableVacancy)> {
    let eviction = if config & EVICTION != 0 { TableEviction::On } else { TableEviction::Off };
    let mut flags = EVICTION_FLAGS_NONE;
    let mut vacancy = TableVacancy::Off;
    if config & VACANCY != 0 {
        vacancy = TableVacancy::On { down: 0, up: 0, vacancy: 0 };
    }
    while !r.is_empty() {
        let mut p = pull_property(r)?;
        match p.kind {
            PROP_EVICTION => flags = p.u32()?,
            PROP_VACANCY => {
                if p.body.len() != 4 {
                    return Err(OfpErr::OFPBPC_BAD_LEN.into());
                }
                let (down, up, now) = (p.u8()?, p.u8()?, p.u8()?);
                let wrong = if !strict {
                    None
                } else if down > up {
                    Some("Value of vacancy_down is greater than vacancy_up")
                } else if up > 100 {
                    Some("Vacancy threshold percentage should not be greater than 100")
                } else if now != 0 {
                    Some("Vacancy value should be zero for table-mod messages")
                } else {
                    None
                };
                if let Some(text) = wrong {
                    return Err(DecodeError::logged(OfpErr::OFPBPC_BAD_VALUE, "ofp_table", text));
                }
                if config & VACANCY != 0 {
                    vacancy = TableVacancy::On { down, up, vacancy: now };
                }
            }
            _ if strict => return Err(OfpErr::OFPBRC_BAD_TYPE.into()),
            _ => {}
        }
    }
    Ok((eviction, flags, vacancy))
}

pub(crate) fn decode_mod(r: &mut Reader<'_>, version: Version) -> Decode<Message> {
    let table = r.u8()?;
    r.skip(3)?;
    let config = r.u32()?;
    let mut t = TableMod {
        table,
        miss: miss_from_wire(config, version),
        eviction: TableEviction::Default,
        eviction_flags: EVICTION_FLAGS_NONE,
        vacancy: TableVacancy::Default,
    };
    if version >= Version::V14 {
        (t.eviction, t.eviction_flags, t.vacancy) = pull_tail(r, config, true)?;
    }
    Ok(Message::TableMod(t))
}

fn put_one_desc(o: &mut Vec<u8>, t: &TableDesc) {
    put_sized(o, |o| {
        o.u8(t.table);
        o.zeros(1);
        o.u32(config_bits(t.eviction, t.vacancy));
        put_property(o, PROP_EVICTION, |o| o.u32(t.eviction_flags));
        let (down, up, vacancy) = match t.vacancy {
            TableVacancy::On { down, up, vacancy } => (down, up, vacancy),
            _ => (0, 0, 0),
        };
        if matches!(t.vacancy, TableVacancy::On { .. }) {
            put_property(o, PROP_VACANCY, |o| o.bytes(&[down, up, vacancy, 0]));
        }
    });
}

pub(crate) fn pull_one_desc(r: &mut Reader<'_>) -> Decode<TableDesc> {
    let left = r.len();
    let len = if left < 8 { 0 } else { usize::from(r.u16()?) };
    if len < 8 || len > left {
        let text = format!("OFP14_TABLE_DESC reply claims invalid length {len}");
        return Err(DecodeError::logged(OfpErr::OFPBRC_BAD_LEN, "ofp_table", text));
    }
    let mut b = r.sub(len - 2)?;
    let table = b.u8()?;
    b.skip(1)?;
    let config = b.u32()?;
    let (eviction, eviction_flags, vacancy) = pull_tail(&mut b, config, false)?;
    Ok(TableDesc { table, eviction, eviction_flags, vacancy })
}

pub(crate) fn put_desc(e: &mut Enc<'_>, all: &[TableDesc], more: bool) -> Encode {
    e.split(Kind::OfpstTableDescReply, more, all, put_one_desc)
}

pub(crate) fn put_status(e: &mut Enc<'_>, s: &TableStatus) -> Encode {
    e.put(Kind::OfptTableStatus, |o| {
        o.u8(s.reason as u8);
        o.zeros(7);
        put_one_desc(o, &s.desc);
    })
}

pub(crate) fn decode_status(r: &mut Reader<'_>) -> Decode<Message> {
    let reason = match r.u8()? {
        3 => TableReason::VacancyDown,
        4 => TableReason::VacancyUp,
        _ => return Err(OfpErr::OFPBPC_BAD_VALUE.into()),
    };
    r.skip(7)?;
    if r.is_empty() {
        return Err(OfpErr::OFPBRC_BAD_LEN.into());
    }
    Ok(Message::TableStatus(Box::new(TableStatus { reason, desc: pull_one_desc(r)? })))
}

/// Fields of OpenFlow 1.0's wildcards, by bit; addresses have six bits each.
const WILDCARDS_10: [(Field, u32); 12] = [
    (Field::IN_PORT, 1 << 0),
    (Field::VLAN_VID, 1 << 1),
    (Field::ETH_SRC, 1 << 2),
    (Field::ETH_DST, 1 << 3),
    (Field::ETH_TYPE, 1 << 4),
    (Field::IP_PROTO, 1 << 5),
    (Field::TCP_SRC, 1 << 6),
    (Field::TCP_DST, 1 << 7),
    (Field::IP_SRC, 63 << 8),
    (Field::IP_DST, 63 << 14),
    (Field::VLAN_PCP, 1 << 20),
    (Field::NW_TOS, 1 << 21),
];

/// Fields of OpenFlow 1.1's wildcards, by bit.
const WILDCARDS_11: [(Field, u32); 18] = [
    (Field::IN_PORT, 0),
    (Field::VLAN_VID, 1),
    (Field::VLAN_PCP, 2),
    (Field::ETH_TYPE, 3),
    (Field::NW_TOS, 4),
    (Field::IP_PROTO, 5),
    (Field::TCP_SRC, 6),
    (Field::TCP_DST, 7),
    (Field::MPLS_LABEL, 8),
    (Field::MPLS_TC, 9),
    (Field::ETH_SRC, 11),
    (Field::ETH_DST, 12),
    (Field::IP_SRC, 13),
    (Field::IP_DST, 14),
    (Field::METADATA, 15),
    (Field::TCP_SRC, 6),
    (Field::TCP_DST, 7),
    (Field::IP_PROTO, 5),
];

fn default_features(table: u8) -> TableFeatures {
    TableFeatures { table, ..TableFeatures::default() }
}

fn has(f: &TableFeatures, field: Field, pick: impl Fn(&TableMatchField) -> bool) -> bool {
    f.matches.iter().any(|m| same(m.field, field) && pick(m))
}

/// Whether two fields are one to the old matches.
fn same(a: Field, b: Field) -> bool {
    let canonical = |f: Field| match f {
        Field::DL_VLAN | Field::VLAN_TCI => Field::VLAN_VID,
        Field::DL_VLAN_PCP => Field::VLAN_PCP,
        Field::IP_DSCP => Field::NW_TOS,
        Field::UDP_SRC | Field::SCTP_SRC => Field::TCP_SRC,
        Field::UDP_DST | Field::SCTP_DST => Field::TCP_DST,
        Field::IN_PORT_OXM => Field::IN_PORT,
        f => f,
    };
    canonical(a) == canonical(b)
}

/// Fields as bits of OpenFlow 1.2: those that it writes in the basic class.
fn oxm_bits(fields: impl Iterator<Item = Field>) -> u64 {
    let mut bits = 0;
    for f in fields {
        let h = crate::oxm::header_for(f, Version::V12);
        if h.class == 0x8000 && h.field < 64 {
            bits |= 1 << h.field;
        }
    }
    bits
}

/// The fields of a table in OpenFlow 1.2, which has the first 36.
fn oxm_fields(bits: u64) -> impl Iterator<Item = Field> {
    (0..36).filter(move |n| bits >> n & 1 != 0).filter_map(|n| Field::from_header(0x8000, n, 0))
}

pub(crate) fn put_stats(e: &mut Enc<'_>, all: &[TableStats], more: bool) -> Encode {
    let version = e.version;
    e.split(Kind::OfpstTableReply, more, all, |o, s| {
        let none = default_features(s.table);
        let f = s.features.as_deref().unwrap_or(&none);
        match version {
            Version::V10 => stats_10(o, s, f),
            Version::V11 => stats_11(o, s, f),
            Version::V12 => stats_12(o, s, f),
            _ => {
                o.u8(s.table);
                o.zeros(3);
                o.u32(s.active_count);
                o.u64(s.lookup_count);
                o.u64(s.matched_count);
            }
        }
    })
}

fn stats_10(o: &mut Vec<u8>, s: &TableStats, f: &TableFeatures) {
    let mut w = 0;
    for (field, bits) in WILDCARDS_10 {
        if has(f, field, |m| m.wildcardable) {
            w |= bits;
        }
    }
    o.u8(s.table);
    o.zeros(3);
    o.string(&f.name, 32);
    o.u32(w);
    o.u32(f.max_entries);
    o.u32(s.active_count);
    o.u64(s.lookup_count);
    o.u64(s.matched_count);
}

fn wildcards_11(f: &TableFeatures, pick: impl Fn(&TableMatchField) -> bool + Copy) -> u32 {
    WILDCARDS_11.iter().filter(|(field, _)| has(f, *field, pick)).fold(0, |w, (_, bit)| w | 1 << bit)
}

fn stats_11(o: &mut Vec<u8>, s: &TableStats, f: &TableFeatures) {
    o.u8(s.table);
    o.zeros(7);
    o.string(&f.name, 32);
    o.u32(wildcards_11(f, |m| m.wildcardable));
    o.u32(wildcards_11(f, |_| true));
    o.u32(f.nonmiss.instructions & 0x3e);
    o.u32(f.nonmiss.write.actions as u32);
    o.u32(f.nonmiss.apply.actions as u32);
    // Dropping is said with a number that has no meaning, as the reference does.
    o.u32(if f.miss == TableMiss::Drop { MISS_MASK } else { miss_to_wire(f.miss) });
    o.u32(f.max_entries);
    o.u32(s.active_count);
    o.u64(s.lookup_count);
    o.u64(s.matched_count);
}

fn stats_12(o: &mut Vec<u8>, s: &TableStats, f: &TableFeatures) {
    o.u8(s.table);
    o.zeros(7);
    o.string(&f.name, 32);
    o.u64(oxm_bits(f.matches.iter().map(|m| m.field)));
    o.u64(oxm_bits(f.matches.iter().filter(|m| m.wildcardable).map(|m| m.field)));
    o.u32(f.nonmiss.write.actions as u32);
    o.u32(f.nonmiss.apply.actions as u32);
    o.u64(oxm_bits(f.nonmiss.write.set_fields.iter().copied()));
    o.u64(oxm_bits(f.nonmiss.apply.set_fields.iter().copied()));
    o.u64(f.metadata_match);
    o.u64(f.metadata_write);
    o.u32(f.nonmiss.instructions & 0x3e);
    o.u32(miss_to_wire(f.miss));
    o.u32(f.max_entries);
    o.u32(s.active_count);
    o.u64(s.lookup_count);
    o.u64(s.matched_count);
}

fn match_field(field: Field, wildcardable: bool) -> TableMatchField {
    TableMatchField { field, maskable: false, wildcardable }
}

pub(crate) fn decode_one_stats(r: &mut Reader<'_>, version: Version) -> Decode<TableStats> {
    let mut s = TableStats { table: r.u8()?, ..TableStats::default() };
    r.skip(if version == Version::V11 || version == Version::V12 { 7 } else { 3 })?;
    if version >= Version::V13 {
        s.active_count = r.u32()?;
        s.lookup_count = r.u64()?;
        s.matched_count = r.u64()?;
        return Ok(s);
    }
    let mut f = default_features(s.table);
    f.name = r.name(32)?;
    match version {
        Version::V10 => {
            let w = r.u32()?;
            for (field, bits) in WILDCARDS_10 {
                if w & bits != 0 {
                    f.matches.push(match_field(field, true));
                }
            }
        }
        Version::V11 => {
            let (wild, matched) = (r.u32()?, r.u32()?);
            for (field, bit) in &WILDCARDS_11[..15] {
                if (matched | wild) >> bit & 1 != 0 {
                    f.matches.push(match_field(*field, wild >> bit & 1 != 0));
                }
            }
            f.nonmiss.instructions = r.u32()? & 0x3e;
            // What may be written is taken for what may be applied, too.
            f.nonmiss.write.actions = r.u32()?.into();
            r.skip(4)?;
            f.nonmiss.apply.actions = f.nonmiss.write.actions;
            f.miss = miss_from_wire(r.u32()?, version);
        }
        _ => {
            let (matched, wild) = (r.u64()?, r.u64()?);
            f.matches = oxm_fields(matched | wild)
                .map(|x| match_field(x, oxm_bits(std::iter::once(x)) & wild != 0))
                .collect();
            f.nonmiss.write.actions = r.u32()?.into();
            f.nonmiss.apply.actions = r.u32()?.into();
            f.nonmiss.write.set_fields = oxm_fields(r.u64()?).collect();
            f.nonmiss.apply.set_fields = oxm_fields(r.u64()?).collect();
            f.metadata_match = r.u64()?;
            f.metadata_write = r.u64()?;
            f.nonmiss.instructions = r.u32()? & 0x3e;
            f.miss = miss_from_wire(r.u32()?, version);
        }
    }
    f.max_entries = r.u32()?;
    s.active_count = r.u32()?;
    s.lookup_count = r.u64()?;
    s.matched_count = r.u64()?;
    s.features = Some(Box::new(f));
    Ok(s)
}

impl TableFeatures {
    /// Instructions in [`TableFlowFeatures::instructions`], by bit; bit n is wire type n of OpenFlow 1.1 and later.
    pub const INSTRUCTIONS: [(u32, &'static str); 6] = [
        (6, "meter"),
        (4, "apply_actions"),
        (5, "clear_actions"),
        (3, "write_actions"),
        (2, "write_metadata"),
        (1, "goto_table"),
    ];
}

/// Properties that table features must have, by type.
const REQUIRED: u32 = 0x5555;

const P_INSTRUCTIONS: u16 = 0;
const P_NEXT: u16 = 2;
const P_WRITE_ACTIONS: u16 = 4;
const P_APPLY_ACTIONS: u16 = 6;
const P_MATCH: u16 = 8;
const P_WILDCARDS: u16 = 10;
const P_WRITE_SETFIELD: u16 = 12;
const P_APPLY_SETFIELD: u16 = 14;

pub(crate) fn put_features_request(e: &mut Enc<'_>, all: &[TableFeatures]) -> Encode {
    let version = e.version;
    e.put(Kind::OfpstTableFeaturesRequest, |o| all.iter().for_each(|f| put_one_features(o, f, version)))
}

pub(crate) fn put_features(e: &mut Enc<'_>, all: &[TableFeatures], more: bool) -> Encode {
    let version = e.version;
    e.split(Kind::OfpstTableFeaturesReply, more, all, |o, f| put_one_features(o, f, version))
}

fn capabilities(f: &TableFeatures, version: Version) -> u32 {
    let bit = |on: Option<bool>, bit| if on == Some(true) { bit } else { 0 };
    if version >= Version::V14 {
        bit(f.supports_eviction, EVICTION) | bit(f.supports_vacancy, VACANCY)
    } else {
        0
    }
}

fn put_one_features(o: &mut Vec<u8>, f: &TableFeatures, version: Version) {
    put_sized(o, |o| {
        o.u8(f.table);
        if version >= Version::V15 {
            o.u8(f.command);
            o.u32(f.features);
        } else {
            o.zeros(5);
        }
        o.string(&f.name, 32);
        o.u64(f.metadata_match);
        o.u64(f.metadata_write);
        o.u32(capabilities(f, version));
        o.u32(f.max_entries);
        for (miss, flow) in [(0, &f.nonmiss), (1, &f.on_miss)] {
            put_flow_features(o, flow, miss, version);
        }
        let fields = |o: &mut Vec<u8>, kind: u16, pick: &dyn Fn(&TableMatchField) -> bool| {
            put_property(o, kind, |o| {
                for m in f.matches.iter().filter(|m| pick(m)) {
                    crate::oxm::put_header(o, m.field, version, kind == P_MATCH && m.maskable);
                }
            });
        };
        fields(o, P_MATCH, &|_| true);
        fields(o, P_WILDCARDS, &|m| m.wildcardable);
    });
}

fn put_ids(o: &mut Vec<u8>, bits: u64) {
    for n in 0..64u16 {
        if bits >> n & 1 != 0 {
            o.u16(n);
            o.u16(4);
        }
    }
}

fn put_flow_features(o: &mut Vec<u8>, f: &TableFlowFeatures, miss: u16, version: Version) {
    put_property(o, P_INSTRUCTIONS | miss, |o| put_ids(o, f.instructions.into()));
    put_property(o, P_NEXT | miss, |o| {
        for t in 0..=255u8 {
            if f.next[usize::from(t / 64)] >> (t % 64) & 1 != 0 {
                o.u8(t);
            }
        }
    });
    for (actions, set, a) in
        [(P_WRITE_ACTIONS, P_WRITE_SETFIELD, &f.write), (P_APPLY_ACTIONS, P_APPLY_SETFIELD, &f.apply)]
    {
        put_property(o, actions | miss, |o| put_ids(o, a.actions));
        put_property(o, set | miss, |o| {
            for x in &a.set_fields {
                crate::oxm::put_header(o, *x, version, false);
            }
        });
    }
}

/// Decodes the features of one table; in a request (`strict`), they must make sense.
pub(crate) fn decode_one_features(
    r: &mut Reader<'_>,
    version: Version,
    strict: bool,
) -> Decode<TableFeatures> {
    let left = r.len();
    let len = usize::from(r.u16()?);
    if len < 64 || len % 8 != 0 || len > left {
        return Err(OfpErr::OFPBPC_BAD_LEN.into());
    }
    features_body(&mut r.sub(len - 2)?, version, strict)
}

/// Replace, modify, enable, disable.
const LAST_COMMAND: u8 = 3;

fn features_body(b: &mut Reader<'_>, version: Version, strict: bool) -> Decode<TableFeatures> {
    let mut f = default_features(b.u8()?);
    if f.table == 0xff && strict {
        return Err(OfpErr::OFPTFFC_BAD_TABLE.into());
    }
    if version >= Version::V15 {
        f.command = b.u8()?;
        if f.command > LAST_COMMAND {
            return Err(OfpErr::OFPTFFC_BAD_COMMAND.into());
        }
        f.features = b.u32()?;
    } else {
        b.skip(5)?;
    }
    f.name = b.name(32)?;
    f.metadata_match = b.u64()?;
    f.metadata_write = b.u64()?;
    let caps = b.u32()?;
    if version >= Version::V14 {
        f.supports_eviction = Some(caps & EVICTION != 0);
        f.supports_vacancy = Some(caps & VACANCY != 0);
    }
    f.max_entries = b.u32()?;
    let mut wildcards = Vec::new();
    let mut seen = 0u32;
    while !b.is_empty() {
        let p = pull_property(b)?;
        let mut body = p.body;
        let kind = p.kind & !1;
        if p.kind < 16 {
            seen |= 1 << p.kind;
        }
        let flow = if p.kind & 1 == 0 { &mut f.nonmiss } else { &mut f.on_miss };
        match kind {
            P_INSTRUCTIONS => flow.instructions = pull_ids(&mut body)? as u32,
            P_NEXT => {
                for t in body.take_all() {
                    flow.next[usize::from(t / 64)] |= 1 << (t % 64);
                }
            }
            P_WRITE_ACTIONS => flow.write.actions = pull_ids(&mut body)?,
            P_APPLY_ACTIONS => flow.apply.actions = pull_ids(&mut body)?,
            P_WRITE_SETFIELD => {
                flow.write.set_fields = pull_fields(&mut body, false)?.into_iter().map(|x| x.0).collect()
            }
            P_APPLY_SETFIELD => {
                flow.apply.set_fields = pull_fields(&mut body, false)?.into_iter().map(|x| x.0).collect()
            }
            P_MATCH => {
                for (field, maskable) in pull_fields(&mut body, true)? {
                    f.matches.push(TableMatchField { field, maskable, wildcardable: false });
                }
            }
            P_WILDCARDS => wildcards = pull_fields(&mut body, false)?,
            _ if strict => return Err(unknown_property("ofp_table", "table features", &p)),
            _ => {}
        }
    }
    let missing = REQUIRED & !seen;
    if missing != 0 {
        let text = format!(
            "table features message missing {} required properties, including property {}",
            missing.count_ones(),
            missing.trailing_zeros()
        );
        return Err(DecodeError::logged(OfpErr::OFPTFFC_BAD_FEATURES, "ofp_table", text));
    }
    // What is not said about misses is as for other packets.
    for kind in (0..16).step_by(2).filter(|kind| seen >> (kind + 1) & 1 == 0) {
        let (miss, flow) = (&mut f.on_miss, &f.nonmiss);
        match kind {
            P_INSTRUCTIONS => miss.instructions = flow.instructions,
            P_NEXT => miss.next = flow.next,
            P_WRITE_ACTIONS => miss.write.actions = flow.write.actions,
            P_APPLY_ACTIONS => miss.apply.actions = flow.apply.actions,
            P_WRITE_SETFIELD => miss.write.set_fields.clone_from(&flow.write.set_fields),
            P_APPLY_SETFIELD => miss.apply.set_fields.clone_from(&flow.apply.set_fields),
            _ => {}
        }
    }
    for (w, _) in wildcards {
        if let Some(m) = f.matches.iter_mut().find(|m| m.field == w) {
            m.wildcardable = true;
        }
    }
    Ok(f)
}

/// Types of instructions or actions, as bits; experimenters' are passed over.
fn pull_ids(b: &mut Reader<'_>) -> Decode<u64> {
    let mut bits = 0;
    while !b.is_empty() {
        let kind = b.u16()?;
        let len = usize::from(b.u16()?);
        if len < 4 {
            return Err(OfpErr::OFPBPC_BAD_LEN.into());
        }
        b.skip(len - 4)?;
        if kind < 64 {
            bits |= 1 << kind;
        }
    }
    Ok(bits)
}

/// Fields, and whether each may be masked; unknown ones are passed over.
fn pull_fields(b: &mut Reader<'_>, masks: bool) -> Decode<Vec<(Field, bool)>> {
    let mut out = Vec::new();
    while !b.is_empty() {
        let h = crate::oxm::pull_header(b)?;
        // A header with a mask gives the length of value and mask.
        if let Some(f) = h.field().filter(|f| h.len == usize::from(f.info().bytes) << u8::from(h.has_mask)) {
            if h.has_mask && !masks {
                return Err(OfpErr::OFPBMC_BAD_MASK.into());
            }
            out.push((f, h.has_mask));
        }
    }
    Ok(out)
}
