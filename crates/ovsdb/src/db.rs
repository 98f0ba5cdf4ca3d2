//! The tables in memory.
//!
//! A database is changed by [`Changes`] only: lists of rows before and after. A transaction makes one, the log
//! is a sequence of them, monitors are told of them, and undoing one is applying it the other way round.
//!
//! Beside its rows a table keeps what makes a transaction's cost depend on the transaction and not on the
//! table: how many strong references there are to each row, who refers to a row weakly, and a hash table for
//! each index.

use crate::datum::Datum;
use crate::row::Row;
use crate::schema::{IMPLICIT_COLUMNS, Schema, TableSchema};
use crate::types::{ColumnType, RefType};
use crate::uuid::Uuid;
use foldhash::fast::RandomState;
use hashbrown::{HashMap, HashTable};
use std::collections::BTreeSet;
use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::Arc;

/// A hash map as used all over here.
pub type Map<K, V> = HashMap<K, V, RandomState>;

/// A row before and after a change.
#[derive(Clone, Debug)]
pub struct RowChange {
    /// The row's name.
    pub uuid: Uuid,
    /// Before; `None` if it was not there.
    pub old: Option<Row>,
    /// After; `None` if it is gone.
    pub new: Option<Row>,
}

/// What changed in one table.
#[derive(Clone, Debug)]
pub struct TableChanges {
    /// The table's position in the schema.
    pub table: usize,
    /// The rows, each once.
    pub rows: Vec<RowChange>,
}

/// What a transaction changes: tables in order, only those with changes.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    /// The tables.
    pub tables: Vec<TableChanges>,
}

impl Changes {
    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        self.tables.is_empty()
    }

    /// The changes of one table.
    pub fn of(&self, table: usize) -> &[RowChange] {
        match self.tables.binary_search_by(|t| t.table.cmp(&table)) {
            Ok(i) => &self.tables[i].rows,
            Err(_) => &[],
        }
    }

    /// The changes that undo these.
    pub fn inverse(&self) -> Changes {
        let row = |r: &RowChange| RowChange { uuid: r.uuid, old: r.new.clone(), new: r.old.clone() };
        let table =
            |t: &TableChanges| TableChanges { table: t.table, rows: t.rows.iter().map(row).collect() };
        Changes { tables: self.tables.iter().map(table).collect() }
    }

    /// All of these, one after the other, as one.
    pub fn merge<'a>(all: impl IntoIterator<Item = &'a Changes>) -> Changes {
        let mut tables: std::collections::BTreeMap<usize, (Vec<RowChange>, Map<Uuid, usize>)> =
            Default::default();
        for t in all.into_iter().flat_map(|c| &c.tables) {
            let (rows, at) = tables.entry(t.table).or_default();
            for r in &t.rows {
                match at.get(&r.uuid) {
                    Some(&i) => rows[i].new = r.new.clone(),
                    None => {
                        at.insert(r.uuid, rows.len());
                        rows.push(r.clone());
                    }
                }
            }
        }
        let differs = |r: &RowChange| match (&r.old, &r.new) {
            (None, None) => false,
            (Some(a), Some(b)) => !a.same_data(b),
            _ => true,
        };
        let tables = tables.into_iter().map(|(table, (mut rows, _))| {
            rows.retain(differs);
            TableChanges { table, rows }
        });
        Changes { tables: tables.filter(|t| !t.rows.is_empty()).collect() }
    }

    /// How many rows are in here.
    pub fn row_count(&self) -> usize {
        self.tables.iter().map(|t| t.rows.len()).sum()
    }
}

/// The rows of a table by their names, in one or many parts: growing one part, or copying it, takes so little time
/// that nobody has to wait for it.
#[derive(Debug)]
struct Rows {
    parts: Vec<HashTable<Row>>,
    len: usize,
    hasher: RandomState,
}

/// A table with more rows than this has many parts.
const SMALL: usize = 4096;
/// How many.
const PARTS: usize = 1024;

impl Default for Rows {
    fn default() -> Rows {
        Rows { parts: vec![HashTable::new()], len: 0, hasher: RandomState::default() }
    }
}

impl Rows {
    fn hash(&self, uuid: Uuid) -> u64 {
        self.hasher.hash_one(uuid)
    }

    fn part_of(&self, hash: u64) -> usize {
        // The table within the part uses the upper and the lowest bits.
        (hash >> 32) as usize % self.parts.len()
    }

    fn get(&self, uuid: Uuid) -> Option<&Row> {
        let hash = self.hash(uuid);
        self.parts[self.part_of(hash)].find(hash, |r| r.uuid() == uuid)
    }

    fn insert(&mut self, row: Row) {
        let hash = self.hash(row.uuid());
        let part = self.part_of(hash);
        let uuid = row.uuid();
        let hasher = &self.hasher;
        let part = &mut self.parts[part];
        if let Some(old) = part.find_mut(hash, |r| r.uuid() == uuid) {
            *old = row;
            return;
        }
        part.insert_unique(hash, row, |r| hasher.hash_one(r.uuid()));
        self.len += 1;
        if self.len > SMALL && self.parts.len() == 1 {
            self.split();
        }
    }

    fn split(&mut self) {
        let rows = std::mem::take(&mut self.parts[0]);
        self.parts = (0..PARTS).map(|_| HashTable::new()).collect();
        for row in rows {
            let hash = self.hash(row.uuid());
            let part = self.part_of(hash);
            let hasher = &self.hasher;
            self.parts[part].insert_unique(hash, row, |r| hasher.hash_one(r.uuid()));
        }
    }

    fn remove(&mut self, uuid: Uuid) {
        let hash = self.hash(uuid);
        let part = self.part_of(hash);
        if let Ok(entry) = self.parts[part].find_entry(hash, |r| r.uuid() == uuid) {
            entry.remove();
            self.len -= 1;
        }
    }
}

/// A reference's holder: table and row.
pub type RowId = (u32, Uuid);

/// One table.
#[derive(Debug, Default)]
pub struct Table {
    rows: Rows,
    /// How many strong references other rows hold on a row, if any.
    references: Map<Uuid, u32>,
    indexes: Vec<HashTable<(u64, Uuid)>>,
    /// Which rows refer weakly to which rows of this table.
    weak: BTreeSet<(Uuid, RowId)>,
}

impl Table {
    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.rows.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rows.len == 0
    }

    /// A row.
    pub fn get(&self, uuid: Uuid) -> Option<&Row> {
        self.rows.get(uuid)
    }

    /// Whether a row exists.
    pub fn contains(&self, uuid: Uuid) -> bool {
        self.rows.get(uuid).is_some()
    }

    /// The rows, in no particular order.
    pub fn rows(&self) -> impl Iterator<Item = &Row> {
        self.rows.parts.iter().flat_map(|p| p.iter())
    }

    /// In how many parts the rows are. A table has one until it is large; from then on their number stays.
    pub fn parts(&self) -> usize {
        self.rows.parts.len()
    }

    /// The rows of one part.
    pub fn part(&self, part: usize) -> impl Iterator<Item = &Row> {
        self.rows.parts.get(part).into_iter().flat_map(|p| p.iter())
    }

    /// In which part a row is, or would be.
    pub fn part_of(&self, uuid: Uuid) -> usize {
        self.rows.part_of(self.rows.hash(uuid))
    }

    /// How many strong references other rows hold on a row.
    pub fn references(&self, uuid: Uuid) -> u32 {
        self.references.get(&uuid).copied().unwrap_or(0)
    }

    /// The rows that refer weakly to a row.
    pub fn weak_referrers(&self, uuid: Uuid) -> impl Iterator<Item = RowId> {
        let all = (uuid, (0, Uuid::ZERO))..=(uuid, (u32::MAX, Uuid::from_u128(u128::MAX)));
        self.weak.range(all).map(|(_, source)| *source)
    }
}

/// A database.
#[derive(Debug)]
pub struct Database {
    schema: Arc<Schema>,
    tables: Vec<Table>,
    hasher: RandomState,
}

impl Database {
    /// An empty database.
    pub fn new(schema: Arc<Schema>) -> Database {
        let table = |t: &TableSchema| Table {
            indexes: t.indexes.iter().map(|_| HashTable::new()).collect(),
            ..Table::default()
        };
        Database { tables: schema.tables.iter().map(table).collect(), schema, hasher: RandomState::default() }
    }

    /// What hashes here, for maps that live as long as a transaction.
    pub(crate) fn hasher(&self) -> &RandomState {
        &self.hasher
    }

    /// The schema.
    pub fn schema(&self) -> &Arc<Schema> {
        &self.schema
    }

    /// A table by its position in the schema.
    pub fn table(&self, table: usize) -> &Table {
        &self.tables[table]
    }

    /// A table by name.
    pub fn table_by_name(&self, name: &str) -> Option<&Table> {
        self.schema.table(name).map(|t| &self.tables[t])
    }

    /// How many atoms there are, and how many cells (columns of rows).
    pub fn size(&self) -> (usize, usize) {
        let (mut atoms, mut cells) = (0, 0);
        for row in self.tables.iter().flat_map(Table::rows) {
            cells += row.columns().len();
            for d in row.columns() {
                atoms += d.len() + d.pairs().len();
            }
        }
        (atoms, cells)
    }

    /// How many weak references there are.
    pub fn weak_references(&self) -> usize {
        self.tables.iter().map(|t| t.weak.len()).sum()
    }

    /// The database as one change of an empty one.
    pub fn contents(&self) -> Changes {
        let mut changes = Changes::default();
        for (table, t) in self.tables.iter().enumerate() {
            if !t.is_empty() {
                let row = |r: &Row| RowChange { uuid: r.uuid(), old: None, new: Some(r.clone()) };
                changes.tables.push(TableChanges { table, rows: t.rows().map(row).collect() });
            }
        }
        changes
    }

    /// The hash of a row's values in an index.
    pub fn index_hash(&self, columns: &[usize], row: &Row) -> u64 {
        let mut h = self.hasher.build_hasher();
        for &c in columns {
            row[c].hash(&mut h);
        }
        h.finish()
    }

    /// The rows that have these values in an index.
    pub fn find_by_index<'a, 'v>(
        &'a self,
        table: usize,
        index: usize,
        values: &'v [&'v Datum],
    ) -> impl Iterator<Item = &'a Row> + use<'a, 'v> {
        let columns = &self.schema.tables[table].indexes[index];
        let mut h = self.hasher.build_hasher();
        for v in values {
            v.hash(&mut h);
        }
        let (hash, t) = (h.finish(), &self.tables[table]);
        t.indexes[index].iter_hash(hash).filter_map(move |(h, uuid)| {
            let row = (*h == hash).then(|| t.get(*uuid)).flatten()?;
            columns.iter().zip(values).all(|(c, v)| row[*c] == **v).then_some(row)
        })
    }

    /// Makes `changes`, which must be of this database as it is.
    pub fn apply(&mut self, changes: &Changes) {
        let schema = self.schema.clone();
        for t in &changes.tables {
            let ts = &schema.tables[t.table];
            for r in &t.rows {
                self.reindex(t.table, ts, r);
                let rows = &mut self.tables[t.table].rows;
                match &r.new {
                    Some(new) => rows.insert(new.clone()),
                    None => rows.remove(r.uuid),
                }
            }
        }
        // References second: a row may refer to one that the same change brings.
        for t in &changes.tables {
            let ts = &schema.tables[t.table];
            if !ts.columns.iter().any(|c| c.kind.has_references()) {
                continue;
            }
            for r in &t.rows {
                strong_changes(ts, t.table, r, &mut |target, uuid, delta| {
                    let references = &mut self.tables[target].references;
                    let n = references.entry(uuid).or_insert(0);
                    *n = n.saturating_add_signed(delta);
                    if *n == 0 {
                        references.remove(&uuid);
                    }
                });
                self.update_weak(t.table, ts, r);
            }
        }
    }

    fn reindex(&mut self, table: usize, ts: &TableSchema, r: &RowChange) {
        for (i, columns) in ts.indexes.iter().enumerate() {
            let unchanged = |a: &Row, b: &Row| columns.iter().all(|&c| a[c] == b[c]);
            if let (Some(a), Some(b)) = (&r.old, &r.new)
                && unchanged(a, b)
            {
                continue;
            }
            let old = r.old.as_ref().map(|o| self.index_hash(columns, o));
            let new = r.new.as_ref().map(|n| self.index_hash(columns, n));
            let index = &mut self.tables[table].indexes[i];
            if let Some(h) = old
                && let Ok(entry) = index.find_entry(h, |e| e.1 == r.uuid)
            {
                entry.remove();
            }
            if let Some(h) = new {
                index.insert_unique(h, (h, r.uuid), |e| e.0);
            }
        }
    }

    fn update_weak(&mut self, table: usize, ts: &TableSchema, r: &RowChange) {
        let source = (table as u32, r.uuid);
        let mut old = BTreeSet::new();
        let mut new = BTreeSet::new();
        for (c, column) in ts.own_columns() {
            if !column.kind.has_reference_of(RefType::Weak) {
                continue;
            }
            for (row, set) in [(&r.old, &mut old), (&r.new, &mut new)] {
                if let Some(row) = row {
                    for_each_reference(&row[c], &column.kind, RefType::Weak, |t, u| {
                        set.insert((t, u));
                    });
                }
            }
        }
        for &(t, u) in old.difference(&new) {
            self.tables[t].weak.remove(&(u, source));
        }
        for &(t, u) in new.difference(&old) {
            self.tables[t].weak.insert((u, source));
        }
    }
}

/// Calls `f` with the table and name of every row that a value refers to in this way.
pub fn for_each_reference(datum: &Datum, of: &ColumnType, kind: RefType, mut f: impl FnMut(usize, Uuid)) {
    if let Some((table, k)) = of.key.reference()
        && k == kind
    {
        datum.keys().filter_map(|a| a.as_uuid()).for_each(|u| f(table, u));
    }
    if let Some((table, k)) = of.value.as_ref().and_then(|v| v.reference())
        && k == kind
    {
        datum.values().filter_map(|a| a.as_uuid()).for_each(|u| f(table, u));
    }
}

/// Calls `f` with every strong reference that a change adds (+1) or drops (-1), references to itself aside.
pub fn strong_changes(ts: &TableSchema, table: usize, r: &RowChange, f: &mut dyn FnMut(usize, Uuid, i32)) {
    for c in IMPLICIT_COLUMNS..ts.columns.len() {
        let of = &ts.columns[c].kind;
        if !of.has_reference_of(RefType::Strong) {
            continue;
        }
        let each = |datum: &Datum, delta: i32, f: &mut dyn FnMut(usize, Uuid, i32)| {
            for_each_reference(datum, of, RefType::Strong, |t, u| {
                if (t, u) != (table, r.uuid) {
                    f(t, u, delta);
                }
            });
        };
        match (&r.old, &r.new) {
            (Some(a), Some(b)) if a[c] == b[c] => {}
            (Some(a), Some(b)) if of.max > 1 && !of.is_map() => {
                // Of a big set that changed a little, only what changed.
                each(&a[c].subtract(&b[c]), -1, f);
                each(&b[c].subtract(&a[c]), 1, f);
            }
            (a, b) => {
                if let Some(a) = a {
                    each(&a[c], -1, f);
                }
                if let Some(b) = b {
                    each(&b[c], 1, f);
                }
            }
        }
    }
}
