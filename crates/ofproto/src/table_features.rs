//! What tables can do, as versions from 1.0 on tell it.

use crate::tables::{N_VISIBLE, TableConfig};
use flow::{Field, Maskable};
use openflow::Version;
use openflow::msg::table::{TableActionFeatures, TableFlowFeatures, TableMatchField};
use openflow::msg::{TableFeatures, TableVacancy};

/// Wire types of the standard actions: output, copy TTL (not supported), set MPLS TTL, dec MPLS TTL, push and pop
/// VLAN and MPLS, set queue, group, set and dec IP TTL, set field.
const ACTIONS: u64 = bits(&[0, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25]);
/// Those of OpenFlow 1.1 that became set-field in 1.2.
const ACTIONS_11: u64 = bits(&[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 13, 14]);
/// Instructions: goto-table, write-metadata, write-, apply-, clear-actions, meter, by wire type.
const INSTRUCTIONS: u32 = 1 << 1 | 1 << 2 | 1 << 3 | 1 << 4 | 1 << 5 | 1 << 6;
const GOTO_TABLE: u32 = 1 << 1;
const METER: u32 = 1 << 6;
/// What is said of a table without a limit.
const MAX_ENTRIES: u32 = 1_000_000;

const fn bits(list: &[u32]) -> u64 {
    let mut out = 0;
    let mut i = 0;
    while i < list.len() {
        out |= 1 << list[i];
        i += 1;
    }
    out
}

/// The actions of buckets, for group features.
pub fn group_actions(version: Version) -> u32 {
    match version {
        // The twelve standard actions.
        Version::V10 => 0xfff,
        Version::V11 => ((ACTIONS & !(1 << 25)) | ACTIONS_11) as u32,
        _ => ACTIONS as u32,
    }
}

/// The features of a table.
pub fn table_features(table: u8, config: &TableConfig, version: Version) -> TableFeatures {
    let last = table + 1 >= N_VISIBLE;
    let mut next = [0u64; 4];
    for t in u16::from(table) + 1..u16::from(N_VISIBLE) {
        next[usize::from(t / 64)] |= 1 << (t % 64);
    }
    let mut instructions = INSTRUCTIONS;
    if last {
        instructions &= !GOTO_TABLE;
    }
    // In 1.5 metering is an action.
    if version < Version::V13 || version >= Version::V15 {
        instructions &= !METER;
    }
    let set_fields: Vec<Field> = fields(version).filter(|f| f.info().writable).collect();
    let actions = match version {
        Version::V10 | Version::V11 => (ACTIONS & !(1 << 25)) | ACTIONS_11,
        _ => ACTIONS,
    };
    let one = TableActionFeatures { actions, set_fields };
    let flows = TableFlowFeatures { next, instructions, write: one.clone(), apply: one };
    TableFeatures {
        table,
        name: config.name.clone(),
        metadata_match: u64::MAX,
        metadata_write: u64::MAX,
        miss: config.miss,
        supports_eviction: (version >= Version::V14).then_some(config.evict || config.evict_asked),
        supports_vacancy: (version >= Version::V14)
            .then_some(matches!(config.vacancy, TableVacancy::On { .. })),
        max_entries: config.flow_limit.unwrap_or(MAX_ENTRIES).min(MAX_ENTRIES),
        nonmiss: flows.clone(),
        on_miss: flows,
        matches: fields(version)
            .map(|field| TableMatchField {
                field,
                maskable: field.info().maskable == Maskable::Any,
                wildcardable: true,
            })
            .collect(),
        command: 0,
        features: 0,
    }
}

/// The fields that a version can name. The TTL of NSH comes last, as it came last to the protocol.
fn fields(version: Version) -> impl Iterator<Item = Field> {
    let named = move |f: &Field| openflow::oxm::is_encodable(*f) && f.header_for(version.wire()).is_some();
    let late = std::iter::once(Field::NSH_TTL);
    Field::all().filter(|f| *f != Field::NSH_TTL).chain(late).filter(named)
}
