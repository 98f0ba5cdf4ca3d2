//! What must hold when a transaction is done: references, garbage, limits, indexes.

use super::{Pending, Transaction};
use crate::atom::Atom;
use crate::datum::Datum;
use crate::db::{Changes, Map, RowChange, TableChanges, for_each_reference, strong_changes};
use crate::error::Error;
use crate::row::Row;
use crate::schema::{TableSchema, VERSION_COLUMN};
use crate::types::RefType;
use crate::uuid::Uuid;
use std::collections::BTreeSet;

impl Transaction<'_, '_> {
    /// Checks everything and says what changes.
    pub(super) fn commit(mut self) -> Result<Changes, Error> {
        if self.pending.iter().all(Map::is_empty) {
            return Ok(Changes::default());
        }
        for rows in &mut self.pending {
            rows.retain(|_, p| p.differs());
        }
        let references = self.count_references()?;
        self.collect_garbage(references)?;
        self.check_max_rows()?;
        self.clean_weak_references()?;
        for rows in &mut self.pending {
            rows.retain(|_, p| p.differs());
        }
        self.check_indexes()?;
        self.new_versions();
        Ok(self.into_changes())
    }

    /// The tables with rows that the transaction has touched.
    fn touched(&self) -> impl Iterator<Item = (usize, &Map<Uuid, Pending>)> {
        self.pending.iter().enumerate().filter(|t| !t.1.is_empty())
    }

    fn change(&self, table: usize, uuid: Uuid) -> RowChange {
        let p = self.pending[table].get(&uuid);
        let (old, new) = p.map_or((None, None), |p| (p.old.clone(), p.new.clone()));
        RowChange { uuid, old, new }
    }

    /// How the number of strong references to each row changes.
    fn count_references(&self) -> Result<Map<(usize, Uuid), i64>, Error> {
        let mut delta: Map<(usize, Uuid), i64> = Map::default();
        for (table, rows) in self.touched() {
            let schema = self.schema(table);
            if !schema.columns.iter().any(|c| c.kind.has_reference_of(RefType::Strong)) {
                continue;
            }
            for &uuid in rows.keys() {
                let mut missing = None;
                strong_changes(schema, table, &self.change(table, uuid), &mut |t, u, d| {
                    *delta.entry((t, u)).or_default() += i64::from(d);
                    let known = self.pending[t].contains_key(&u) || self.db.table(t).contains(u);
                    if d > 0 && !known {
                        missing = Some((t, u));
                    }
                });
                if let Some((t, u)) = missing {
                    let column = self.column_that_refers(table, uuid, t, u);
                    let details = format!(
                        "Table {} column {column} row {uuid} references nonexistent row {u} in table {}.",
                        schema.name,
                        self.schema(t).name
                    );
                    return Err(Error::new("referential integrity violation", details));
                }
            }
        }
        Ok(delta)
    }

    fn column_that_refers(&self, table: usize, uuid: Uuid, to: usize, target: Uuid) -> &str {
        let schema = self.schema(table);
        let row = self.row(table, uuid);
        for (c, column) in schema.own_columns() {
            let mut found = false;
            if let Some(row) = row {
                for_each_reference(&row[c], &column.kind, RefType::Strong, |t, u| {
                    found |= (t, u) == (to, target);
                });
            }
            if found {
                return &column.name;
            }
        }
        ""
    }

    /// Refuses the deletion of rows that are still referred to, and deletes rows that are not any more and have
    /// no other reason to be.
    fn collect_garbage(&mut self, mut delta: Map<(usize, Uuid), i64>) -> Result<(), Error> {
        for (table, rows) in self.pending.iter().enumerate() {
            for (uuid, p) in rows {
                let n = self.references(&delta, table, *uuid);
                if p.new.is_none() && n > 0 {
                    let details = format!(
                        "cannot delete {} row {uuid} because of {n} remaining reference(s)",
                        self.schema(table).name
                    );
                    return Err(Error::new("referential integrity violation", details));
                }
            }
        }
        let mut suspects: Vec<(usize, Uuid)> = delta.iter().filter(|d| *d.1 < 0).map(|d| *d.0).collect();
        for (table, rows) in self.pending.iter().enumerate() {
            suspects.extend(rows.iter().filter(|r| r.1.old.is_none()).map(|r| (table, *r.0)));
        }
        while let Some((table, uuid)) = suspects.pop() {
            if self.schema(table).is_root
                || self.references(&delta, table, uuid) > 0
                || !self.exists(table, uuid)
            {
                continue;
            }
            let entry = self.pend(table, uuid);
            let gone = RowChange { uuid, old: entry.new.take(), new: None };
            strong_changes(self.schema(table), table, &gone, &mut |t, u, d| {
                *delta.entry((t, u)).or_default() += i64::from(d);
                suspects.push((t, u));
            });
        }
        Ok(())
    }

    fn references(&self, delta: &Map<(usize, Uuid), i64>, table: usize, uuid: Uuid) -> i64 {
        let stored = self.db.table(table).references(uuid);
        i64::from(stored) + delta.get(&(table, uuid)).copied().unwrap_or(0)
    }

    fn check_max_rows(&self) -> Result<(), Error> {
        for (table, rows) in self.touched() {
            let max = self.schema(table).max_rows;
            let inserted = rows.values().filter(|p| p.old.is_none() && p.new.is_some()).count();
            let deleted = rows.values().filter(|p| p.old.is_some() && p.new.is_none()).count();
            let n = self.db.table(table).len() + inserted - deleted;
            if inserted > deleted && n > max as usize {
                let details = format!(
                    "transaction causes \"{}\" table to contain {n} rows, greater than the schema-defined \
                     limit of {max} row(s)",
                    self.schema(table).name
                );
                return Err(Error::constraint(details));
            }
        }
        Ok(())
    }

    /// Drops weak references to rows that do not exist.
    fn clean_weak_references(&mut self) -> Result<(), Error> {
        let mut rows: BTreeSet<(usize, Uuid)> = BTreeSet::new();
        for (table, pending) in self.touched() {
            let weak = self.schema(table).columns.iter().any(|c| c.kind.has_reference_of(RefType::Weak));
            for (uuid, p) in pending {
                if weak && p.new.is_some() {
                    rows.insert((table, *uuid));
                }
                if p.new.is_none() && p.old.is_some() {
                    let referrers = self.db.table(table).weak_referrers(*uuid);
                    rows.extend(referrers.map(|(t, u)| (t as usize, u)));
                }
            }
        }
        for (table, uuid) in rows {
            let schema = self.schema(table);
            for (c, column) in schema.own_columns() {
                if !column.kind.has_reference_of(RefType::Weak) {
                    continue;
                }
                let Some(row) = self.row(table, uuid) else { continue };
                let mut dangling: BTreeSet<Uuid> = BTreeSet::new();
                for_each_reference(&row[c], &column.kind, RefType::Weak, |t, u| {
                    if !self.exists(t, u) {
                        dangling.insert(u);
                    }
                });
                if dangling.is_empty() {
                    continue;
                }
                let new = without(&row[c], &dangling, column.kind.is_map(), &column.kind);
                if new.len() < column.kind.min as usize {
                    return Err(self.emptied(table, uuid, c, row[c].len() - new.len(), &dangling));
                }
                if let Some(row) = &mut self.pend(table, uuid).new {
                    row.set(c, new);
                }
            }
        }
        Ok(())
    }

    fn emptied(&self, table: usize, uuid: Uuid, column: usize, n: usize, gone: &BTreeSet<Uuid>) -> Error {
        let schema = self.schema(table);
        let inserted = self.pending[table].get(&uuid).is_some_and(|p| p.old.is_none());
        let note = if inserted { " (inserted within this transaction)" } else { "" };
        let (column, table) = (&schema.columns[column].name, &schema.name);
        Error::constraint(if gone.contains(&Uuid::ZERO) {
            format!(
                "Weak reference column \"{column}\" in \"{table}\" row {uuid}{note} contained all-zeros UUID \
                 (probably as the default value for this column) but deleting this value caused a constraint \
                 volation because this column is not allowed to be empty."
            )
        } else {
            format!(
                "Deletion of {n} weak reference(s) to deleted (or never-existing) rows from column \
                 \"{column}\" in \"{table}\" row {uuid}{note} caused this column to become empty, but \
                 constraints on this column disallow an empty column."
            )
        })
    }

    fn check_indexes(&self) -> Result<(), Error> {
        for (table, rows) in self.touched() {
            for (i, columns) in self.schema(table).indexes.iter().enumerate() {
                let mut mine: Map<u64, Vec<&Row>> = Map::default();
                for p in rows.values() {
                    let Some(new) = &p.new else { continue };
                    let same = |other: &Row| columns.iter().all(|&c| new[c] == other[c]);
                    let hash = self.db.index_hash(columns, new);
                    let list = mine.entry(hash).or_default();
                    let twin = list.iter().copied().find(|r| same(r)).or_else(|| {
                        if p.old.as_ref().is_some_and(same) {
                            // It had these values all along, so no other stored row has.
                            return None;
                        }
                        let values: Vec<&Datum> = columns.iter().map(|&c| &new[c]).collect();
                        let mut stored = self.db.find_by_index(table, i, &values);
                        let found = stored.find(|r| !rows.contains_key(&r.uuid()));
                        drop(stored);
                        found
                    });
                    if let Some(twin) = twin {
                        return Err(self.duplicate(table, columns, new, twin));
                    }
                    list.push(new);
                }
            }
        }
        Ok(())
    }

    fn duplicate(&self, table: usize, columns: &[usize], a: &Row, b: &Row) -> Error {
        let schema = self.schema(table);
        // What the transaction brought comes first.
        let inserted = |r: &Row| self.pending[table].get(&r.uuid()).is_some_and(|p| p.old.is_none());
        let (a, b) = if inserted(b) && !inserted(a) { (b, a) } else { (a, b) };
        let names: Vec<String> = columns.iter().map(|&c| format!("\"{}\"", schema.columns[c].name)).collect();
        let s = if names.len() == 1 { "" } else { "s" };
        Error::constraint(format!(
            "Transaction causes multiple rows in \"{}\" table to have identical values ({}) for index on \
             column{s} {}.  First row, with UUID {}, {}.  Second row, with UUID {}, {}.",
            schema.name,
            index_values(schema, columns, a),
            in_words(&names),
            a.uuid(),
            self.history(table, columns, a),
            b.uuid(),
            self.history(table, columns, b),
        ))
    }

    fn history(&self, table: usize, columns: &[usize], row: &Row) -> String {
        match self.pending[table].get(&row.uuid()).map(|p| &p.old) {
            None => "existed in the database before this transaction and was not modified by the transaction"
                .into(),
            Some(None) => "was inserted by this transaction".into(),
            Some(Some(old)) if columns.iter().all(|&c| old[c] == row[c]) => {
                "existed in the database before this transaction, which modified some of the row's columns \
                 but not any columns in this index"
                    .into()
            }
            Some(Some(old)) => format!(
                "had the following index values before the transaction: {}",
                index_values(self.schema(table), columns, old)
            ),
        }
    }

    fn new_versions(&mut self) {
        for p in self.pending.iter_mut().flat_map(|rows| rows.values_mut()) {
            if let (Some(_), Some(new)) = (&p.old, &mut p.new) {
                new.set(VERSION_COLUMN, Datum::one(self.context.uuids.next_uuid()));
            }
        }
    }

    fn into_changes(self) -> Changes {
        let mut changes = Changes::default();
        for (table, rows) in self.pending.into_iter().enumerate() {
            if rows.is_empty() {
                continue;
            }
            let mut rows: Vec<RowChange> =
                rows.into_iter().map(|(uuid, p)| RowChange { uuid, old: p.old, new: p.new }).collect();
            rows.sort_unstable_by_key(|r| r.uuid);
            changes.tables.push(TableChanges { table, rows });
        }
        changes
    }
}

impl Pending {
    fn differs(&self) -> bool {
        match (&self.old, &self.new) {
            (None, None) => false,
            (Some(a), Some(b)) => !a.same_data(b),
            _ => true,
        }
    }
}

/// A value without what refers weakly to rows that are gone.
fn without(datum: &Datum, gone: &BTreeSet<Uuid>, map: bool, of: &crate::types::ColumnType) -> Datum {
    let is_gone = |weak: bool, a: &Atom| weak && a.as_uuid().is_some_and(|u| gone.contains(&u));
    let weak = |r: Option<(usize, RefType)>| r.is_some_and(|r| r.1 == RefType::Weak);
    let weak_key = weak(of.key.reference());
    let weak_value = weak(of.value.as_ref().and_then(|v| v.reference()));
    if map {
        let keep = |p: &&(Atom, Atom)| !is_gone(weak_key, &p.0) && !is_gone(weak_value, &p.1);
        Datum::map(datum.pairs().iter().filter(keep).cloned())
    } else {
        Datum::set(datum.keys().filter(|k| !is_gone(weak_key, k)).cloned())
    }
}

fn index_values(schema: &TableSchema, columns: &[usize], row: &Row) -> String {
    let text = |&c: &usize| crate::text::datum_to_string(&row[c], &schema.columns[c].kind);
    in_words(&columns.iter().map(text).collect::<Vec<_>>())
}

/// `a`, `a and b`, `a, b, and c`.
fn in_words(list: &[String]) -> String {
    match list {
        [] => String::new(),
        [a] => a.clone(),
        [a, b] => format!("{a} and {b}"),
        [first @ .., last] => format!("{}, and {last}", first.join(", ")),
    }
}
