//! Flow tables: mod, description, statistics, features, status.

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
