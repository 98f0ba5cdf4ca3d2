//! Transactions (RFC 7047 section 4.1.3 and 5.2).
//!
//! A transaction reads the database as it is with its own changes laid over it, and changes nothing else: what
//! it would change is collected, checked when all operations have run, and handed out as [`Changes`]. Failing
//! at any point therefore costs nothing to undo.

mod access;
#[cfg(test)]
mod access_tests;
mod commit;
mod operations;
#[cfg(test)]
mod tests;

pub use access::Access;

use crate::atom::SymbolTable;
use crate::condition::Condition;
use crate::db::{Changes, Database, Map};
use crate::error::Error;
use crate::json::Value;
use crate::row::Row;
use crate::schema::TableSchema;
use crate::uuid::{Uuid, UuidSource};
use std::time::Duration;

/// What a transaction may know of the session that it runs for.
pub struct Context<'a> {
    /// Whether the session may only read.
    pub read_only: bool,
    /// Whether the transaction may wait.
    pub may_wait: bool,
    /// How long the transaction has been waiting to succeed.
    pub elapsed: Duration,
    /// Whether the session owns a lock.
    pub owns_lock: &'a dyn Fn(&str) -> bool,
    /// Who asks, if access is controlled.
    pub access: Option<&'a Access>,
    /// Where new rows' names come from.
    pub uuids: &'a mut UuidSource,
}

/// How a transaction ended.
#[derive(Debug)]
pub enum Outcome {
    /// A `wait` does not hold; try again when the database has changed, or after this long.
    Blocked(Option<Duration>),
    /// The operations have results.
    Done(Box<Done>),
}

/// A transaction that has run.
#[derive(Debug, Default)]
pub struct Done {
    /// One result for each operation, and an error at the end if committing failed: the reply.
    pub results: Vec<Value>,
    /// What to apply to the database; empty if the transaction failed.
    pub changes: Changes,
    /// The comments in it, one a line.
    pub comment: String,
    /// Whether to reply only when the changes are safe on disk.
    pub durable: bool,
    /// Whether an operation or the commit failed.
    pub failed: bool,
}

/// Runs the operations of a transaction. `Err` is the reply's error.
pub fn execute(db: &Database, operations: &[Value], context: &mut Context<'_>) -> Outcome {
    let mut t = Transaction::new(db, context);
    t.reserve_names(operations);
    let mut done = Done::default();
    for (i, operation) in operations.iter().enumerate() {
        match t.operation(operation, i + 1, operations.len()) {
            Ok(result) => done.results.push(result),
            Err(Failure::Blocked(timeout)) => return Outcome::Blocked(timeout),
            Err(Failure::Error(e)) => {
                done.results.push(e.to_json());
                done.results.resize(operations.len(), Value::Null);
                done.failed = true;
                return Outcome::Done(Box::new(done));
            }
        }
    }
    done.durable = t.durable;
    done.comment = std::mem::take(&mut t.comment);
    match t.commit() {
        Ok(changes) => done.changes = changes,
        Err(e) => {
            done.results.push(e.to_json());
            done.failed = true;
        }
    }
    Outcome::Done(Box::new(done))
}

enum Failure {
    Error(Error),
    Blocked(Option<Duration>),
}

impl From<Error> for Failure {
    fn from(e: Error) -> Failure {
        Failure::Error(e)
    }
}

/// A row that the transaction has touched.
struct Pending {
    old: Option<Row>,
    new: Option<Row>,
}

#[derive(Default)]
struct Names(Map<String, (Uuid, bool)>, Option<UuidSource>);

impl SymbolTable for Names {
    fn lookup(&mut self, name: &str) -> Option<Uuid> {
        if let Some(&(uuid, _)) = self.0.get(name) {
            return Some(uuid);
        }
        let uuid = self.1.as_mut()?.next_uuid();
        self.0.insert(name.to_owned(), (uuid, false));
        Some(uuid)
    }
}

struct Transaction<'a, 'c> {
    db: &'a Database,
    context: &'a mut Context<'c>,
    names: Names,
    pending: Vec<Map<Uuid, Pending>>,
    comment: String,
    durable: bool,
}

impl<'a, 'c> Transaction<'a, 'c> {
    fn new(db: &'a Database, context: &'a mut Context<'c>) -> Transaction<'a, 'c> {
        let hasher = db.hasher();
        let pending = db.schema().tables.iter().map(|_| Map::with_hasher(hasher.clone())).collect();
        // A source of its own, so that names can be made while the context is borrowed.
        let seed = context.uuids.next_uuid().as_u128();
        let mut bytes = [7; 32];
        bytes[..16].copy_from_slice(&seed.to_le_bytes());
        let names = Names(Map::with_hasher(hasher.clone()), Some(UuidSource::new(bytes)));
        Transaction { db, context, names, pending, comment: String::new(), durable: false }
    }

    /// Rows that are inserted under a given UUID and have a name too are known by it from the beginning.
    fn reserve_names(&mut self, operations: &[Value]) {
        for o in operations {
            let text = |member| o.get(member).and_then(Value::as_str);
            if text("op") == Some("insert")
                && let (Some(name), Some(uuid)) = (text("uuid-name"), text("uuid"))
                && let Ok(uuid) = uuid.parse()
            {
                self.names.0.entry(name.to_owned()).or_insert((uuid, false));
            }
        }
    }

    fn schema(&self, table: usize) -> &'a TableSchema {
        &self.db.schema().tables[table]
    }

    /// A row as the transaction sees it.
    fn row(&self, table: usize, uuid: Uuid) -> Option<&Row> {
        match self.pending[table].get(&uuid) {
            Some(p) => p.new.as_ref(),
            None => self.db.table(table).get(uuid),
        }
    }

    fn exists(&self, table: usize, uuid: Uuid) -> bool {
        self.row(table, uuid).is_some()
    }

    /// The entry for a row that exists.
    fn pend(&mut self, table: usize, uuid: Uuid) -> &mut Pending {
        let db = self.db;
        self.pending[table].entry(uuid).or_insert_with(|| {
            let old = db.table(table).get(uuid).cloned();
            Pending { new: old.clone(), old }
        })
    }

    /// The rows that a condition holds for.
    fn find(&self, table: usize, condition: &Condition) -> Vec<Uuid> {
        if let Some(uuid) = condition.row() {
            let found = self.row(table, uuid).is_some_and(|r| condition.all(r));
            return if found { vec![uuid] } else { Vec::new() };
        }
        let pending = &self.pending[table];
        let mut found: Vec<Uuid> = match self.find_stored_by_index(table, condition) {
            Some(found) => found,
            None => {
                let rows = self.db.table(table).rows();
                rows.filter(|r| condition.all(r)).map(Row::uuid).collect()
            }
        };
        if !pending.is_empty() {
            found.retain(|u| !pending.contains_key(u));
            let rows = pending.values().filter_map(|p| p.new.as_ref());
            found.extend(rows.filter(|r| condition.all(r)).map(Row::uuid));
        }
        found.sort_unstable();
        found
    }

    /// The stored rows that a condition holds for, if an index can tell.
    fn find_stored_by_index(&self, table: usize, condition: &Condition) -> Option<Vec<Uuid>> {
        if condition.clauses.is_empty() {
            return None;
        }
        for (i, columns) in self.schema(table).indexes.iter().enumerate() {
            let values: Option<Vec<_>> = columns.iter().map(|&c| condition.equal_to(c)).collect();
            if let Some(values) = values {
                let rows = self.db.find_by_index(table, i, &values);
                return Some(rows.filter(|r| condition.all(r)).map(Row::uuid).collect());
            }
        }
        None
    }
}
