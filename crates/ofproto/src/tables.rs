//! What translation reads: flow tables, groups and meters, as a persistent value.

use crate::group::Group;
use crate::meter::Meter;
use crate::rule::{Rule, RuleEntry};
use base::{GroupId, MeterId, TableId};
use classifier::Classifier;
use classifier::trie::HashTrie;
use flow::{Field, FlowKey, Mask, MiniMatch, Subfield};
use openflow::msg::{TableMiss, TableVacancy};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Number of tables that controllers see: 0 to 253.
pub const N_VISIBLE: u8 = 254;
/// Number of tables, with the switch's own.
const N_TABLES: usize = 255;
/// Tables are kept in groups, so that a change to one copies two short lists of pointers and not one long.
const GROUP: usize = 16;
type TableGroup = [Arc<Table>; GROUP];

/// Lookups in a table; may be written from any thread.
#[derive(Debug, Default)]
pub struct TableCounters {
    matched: AtomicU64,
    missed: AtomicU64,
}

impl TableCounters {
    /// Counts packets that matched.
    pub fn matched(&self, packets: u64) {
        self.matched.fetch_add(packets, Relaxed);
    }

    /// Counts packets that did not.
    pub fn missed(&self, packets: u64) {
        self.missed.fetch_add(packets, Relaxed);
    }

    /// Packets looked up, and how many of them matched.
    pub fn get(&self) -> (u64, u64) {
        let matched = self.matched.load(Relaxed);
        (matched + self.missed.load(Relaxed), matched)
    }
}

/// How a table is set up (database and table-mod).
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct TableConfig {
    /// Name, empty when it has none.
    pub name: String,
    /// What becomes of packets that match nothing.
    pub miss: TableMiss,
    /// Most flows.
    pub flow_limit: Option<u32>,
    /// Make room by evicting flows when the limit is reached: so the database says.
    pub evict: bool,
    /// So a controller says.
    pub evict_asked: bool,
    /// Flows that agree in these are a group; who makes room comes from the largest.
    pub groups: Vec<Subfield>,
    /// Events when it fills up.
    pub vacancy: TableVacancy,
    /// Fields whose prefixes are tracked; `None`: the default.
    pub prefixes: Option<Vec<Field>>,
}

/// A flow table.
#[derive(Clone, Debug)]
pub struct Table {
    /// Its flows.
    pub flows: Classifier<RuleEntry>,
    /// Its set-up.
    pub config: Arc<TableConfig>,
}

/// Flow tables, groups and meters. A clone is a snapshot.
#[derive(Clone, Debug)]
pub struct Tables {
    /// Has one place more than there are tables.
    tables: Arc<[Arc<TableGroup>; GROUP]>,
    counters: Arc<[TableCounters]>,
    groups: HashTrie<Arc<Group>>,
    meters: HashTrie<Arc<Meter>>,
    implicit_miss_to_controller: bool,
    generation: u64,
}

impl Default for Tables {
    fn default() -> Self {
        Tables::new(0)
    }
}

fn mix(id: u32) -> u32 {
    id.wrapping_mul(0x9e37_79b1).rotate_left(15).wrapping_mul(0x85eb_ca77)
}

impl Tables {
    /// Empty tables whose hashes use `seed`.
    pub fn new(seed: u64) -> Tables {
        let config = classifier::Config { seed, ..classifier::Config::default() };
        let empty = Arc::new(Table { flows: Classifier::new(&config), config: Arc::default() });
        Tables {
            tables: Arc::new(std::array::from_fn(|_| Arc::new(std::array::from_fn(|_| empty.clone())))),
            counters: (0..N_TABLES).map(|_| TableCounters::default()).collect(),
            groups: HashTrie::default(),
            meters: HashTrie::default(),
            implicit_miss_to_controller: false,
            generation: 0,
        }
    }

    fn at(&self, id: TableId) -> Option<&Arc<Table>> {
        let i = usize::from(id.0);
        (i < N_TABLES).then(|| &self.tables[i / GROUP][i % GROUP])
    }

    /// A table; number 255 is none.
    pub fn table(&self, id: TableId) -> Option<&Table> {
        self.at(id).map(|t| &**t)
    }

    /// A table, to be changed. A switch's tables are changed through [`crate::Ofproto`], which keeps its books.
    pub fn table_mut(&mut self, id: TableId) -> Option<&mut Table> {
        self.generation += 1;
        let i = usize::from(id.0);
        if i >= N_TABLES {
            return None;
        }
        let group = Arc::make_mut(&mut Arc::make_mut(&mut self.tables)[i / GROUP]);
        Some(Arc::make_mut(&mut group[i % GROUP]))
    }

    /// Every table with its number, the switch's own last.
    pub fn iter(&self) -> impl Iterator<Item = (TableId, &Table)> {
        (0..N_TABLES).map(|i| (TableId(i as u8), &*self.tables[i / GROUP][i % GROUP]))
    }

    /// The lookup counters of a table; these do not belong to one snapshot.
    pub fn counters(&self, id: TableId) -> Option<&TableCounters> {
        self.counters.get(usize::from(id.0))
    }

    /// The lookup counters of all tables, for those who count without holding a snapshot.
    pub fn all_counters(&self) -> &Arc<[TableCounters]> {
        &self.counters
    }

    /// The flow of highest priority in a table that matches `key`, with the bits that tell added to `mask`.
    pub fn lookup(&self, id: TableId, key: &FlowKey, mask: Option<&mut Mask>) -> Option<&Arc<Rule>> {
        self.table(id)?.flows.lookup(key, mask).map(|e| &e.0)
    }

    /// What becomes of packets that match nothing in a table. [`TableMiss::Default`] never comes out: it is
    /// resolved to the controller, or drop when no controller wants such packets.
    pub fn miss(&self, id: TableId) -> TableMiss {
        match self.table(id).map_or(TableMiss::Drop, |t| t.config.miss) {
            TableMiss::Default if self.implicit_miss_to_controller => TableMiss::Controller,
            TableMiss::Default => TableMiss::Drop,
            said => said,
        }
    }

    /// Whether some controller wants packets that match nothing, where tables are not told otherwise.
    pub fn implicit_miss_to_controller(&self) -> bool {
        self.implicit_miss_to_controller
    }

    /// Says whether some controller wants packets that match nothing.
    pub fn set_implicit_miss_to_controller(&mut self, on: bool) {
        if self.implicit_miss_to_controller != on {
            self.implicit_miss_to_controller = on;
            self.generation += 1;
        }
    }

    /// A group.
    pub fn group(&self, id: GroupId) -> Option<&Arc<Group>> {
        self.groups.with_hash(mix(id.0)).find(|g| g.id == id)
    }

    /// All groups, in no particular order.
    pub fn groups(&self) -> impl Iterator<Item = &Arc<Group>> {
        self.groups.iter()
    }

    /// Number of groups.
    pub fn n_groups(&self) -> usize {
        self.groups.len()
    }

    /// Adds a group or puts it in the place of the one of its number.
    pub fn put_group(&mut self, group: Arc<Group>) {
        let id = group.id;
        self.generation += 1;
        match self.groups.find_mut(mix(id.0), |g| g.id == id) {
            Some(slot) => *slot = group,
            None => self.groups.insert(mix(id.0), group, |_| false),
        }
    }

    /// Takes a group out.
    pub fn remove_group(&mut self, id: GroupId) -> Option<Arc<Group>> {
        self.generation += 1;
        self.groups.remove(mix(id.0), |g| g.id == id)
    }

    /// A meter.
    pub fn meter(&self, id: MeterId) -> Option<&Arc<Meter>> {
        self.meters.with_hash(mix(id.0)).find(|m| m.id() == id)
    }

    /// All meters, in no particular order.
    pub fn meters(&self) -> impl Iterator<Item = &Arc<Meter>> {
        self.meters.iter()
    }

    /// Number of meters.
    pub fn n_meters(&self) -> usize {
        self.meters.len()
    }

    /// Adds a meter or puts it in the place of the one of its number.
    pub fn put_meter(&mut self, meter: Arc<Meter>) {
        let id = meter.id();
        self.generation += 1;
        match self.meters.find_mut(mix(id.0), |m| m.id() == id) {
            Some(slot) => *slot = meter,
            None => self.meters.insert(mix(id.0), meter, |_| false),
        }
    }

    /// Takes a meter out.
    pub fn remove_meter(&mut self, id: MeterId) -> Option<Arc<Meter>> {
        self.generation += 1;
        self.meters.remove(mix(id.0), |m| m.id() == id)
    }

    /// Grows with every change: two snapshots of one switch with the same generation are equal.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Adds a rule to its table, in place of one with its match and priority. See [`Tables::table_mut`].
    pub fn insert(&mut self, rule: Arc<Rule>) -> Option<Arc<Rule>> {
        let table = self.table_mut(rule.table)?;
        table.flows.insert(RuleEntry(rule)).map(|e| e.0)
    }

    /// Adds a rule whose match and priority no rule of its table has. See [`Tables::table_mut`].
    pub fn insert_new(&mut self, rule: Arc<Rule>) {
        if let Some(table) = self.table_mut(rule.table) {
            table.flows.insert_new(RuleEntry(rule));
        }
    }

    /// The rule with exactly this match and priority.
    pub fn find_exact(&self, id: TableId, m: &MiniMatch, priority: u32) -> Option<&Arc<Rule>> {
        self.table(id)?.flows.find_exact(m, priority).map(|e| &e.0)
    }

    /// Whether this very rule is in its table.
    pub fn is_current(&self, rule: &Arc<Rule>) -> bool {
        self.find_exact(rule.table, &rule.matching, rule.priority).is_some_and(|r| Arc::ptr_eq(r, rule))
    }

    /// Whether a table, and what it does with misses, is the same in two snapshots. For telling which cached
    /// flows a change can have touched.
    pub fn same_table(&self, other: &Tables, id: TableId) -> bool {
        match (self.at(id), other.at(id)) {
            (Some(a), Some(b)) => {
                (Arc::ptr_eq(a, b) && self.implicit_miss_to_controller == other.implicit_miss_to_controller)
                    || (a.flows.is_same(&b.flows) && self.miss(id) == other.miss(id))
            }
            (a, b) => a.is_none() && b.is_none(),
        }
    }

    /// The tables that are not [`Tables::same_table`] in two snapshots. Costs little where little differs.
    pub fn changed<'a>(&'a self, other: &'a Tables) -> impl Iterator<Item = TableId> + 'a {
        let same_miss = self.implicit_miss_to_controller == other.implicit_miss_to_controller;
        self.tables
            .iter()
            .zip(other.tables.iter())
            .enumerate()
            .filter(move |(_, (a, b))| !(same_miss && Arc::ptr_eq(a, b)))
            .flat_map(|(g, _)| g * GROUP..(g + 1) * GROUP)
            .map(|i| TableId(i as u8))
            .filter(move |id| !self.same_table(other, *id))
    }
}
