//! A client's transaction: changes on top of a replica, and what became of them.
//!
//! Rows that a transaction inserts get a name of their own at once, so that others can refer to them; the
//! server gives the final one, and the outcome says which. What the transaction relies on is said by
//! [`Txn::verify`]: if that has changed by the time the server looks, the outcome is to try again.

use crate::atom::Atom;
use crate::datum::Datum;
use crate::db::{Database, Map};
use crate::json::{Object, Value};
use crate::row::Row;
use crate::schema::TableSchema;
use crate::types::ColumnType;
use crate::uuid::{Uuid, UuidSource};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// How a transaction ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// There was nothing to change.
    Unchanged,
    /// It happened.
    Success {
        /// The rows inserted: the names they had here, and the ones they have now.
        inserted: HashMap<Uuid, Uuid>,
        /// The new value of the column that [`Txn::increment`] named.
        counter: Option<i64>,
    },
    /// It was to be tried only, and would have happened.
    Aborted,
    /// What was relied on has changed, or the connection broke: look again and try again.
    TryAgain,
    /// We do not hold the lock.
    NotLocked,
    /// The server refused: its error object as text.
    Error(String),
}

#[derive(Clone, Debug)]
struct Touched {
    old: Option<Row>,
    new: Option<Row>,
    /// Columns whose new value is to be sent whole.
    set: BTreeSet<usize>,
    /// Columns to be sent as mutations: what is added and what is taken away.
    mutated: BTreeMap<usize, (Datum, Datum)>,
    inserted: bool,
    /// Whether an inserted row keeps its name.
    keep_name: bool,
}

/// A transaction that is being put together.
#[derive(Clone, Debug)]
pub struct Txn {
    uuids: UuidSource,
    rows: BTreeMap<(usize, Uuid), Touched>,
    /// Inserted rows in order, so that operations are.
    order: Vec<(usize, Uuid)>,
    verified: BTreeMap<(usize, Uuid), BTreeSet<usize>>,
    increment: Option<(usize, Uuid, usize, bool)>,
    comments: Vec<String>,
    dry_run: bool,
    durable: bool,
}

impl Txn {
    pub(super) fn new(seed: Uuid) -> Txn {
        let mut bytes = [3; 32];
        bytes[..16].copy_from_slice(&seed.as_u128().to_le_bytes());
        Txn {
            uuids: UuidSource::new(bytes),
            rows: BTreeMap::new(),
            order: Vec::new(),
            verified: BTreeMap::new(),
            increment: None,
            comments: Vec::new(),
            dry_run: false,
            durable: false,
        }
    }

    /// A row as the transaction would leave it.
    pub fn row<'a>(&'a self, db: &'a Database, table: usize, uuid: Uuid) -> Option<&'a Row> {
        match self.rows.get(&(table, uuid)) {
            Some(t) => t.new.as_ref(),
            None => db.table(table).get(uuid),
        }
    }

    /// The rows of a table as the transaction would leave it.
    pub fn rows<'a>(&'a self, db: &'a Database, table: usize) -> impl Iterator<Item = &'a Row> {
        let touched = &self.rows;
        let stored = db.table(table).rows().filter(move |r| !touched.contains_key(&(table, r.uuid())));
        let all = (table, Uuid::ZERO)..=(table, Uuid::from_u128(u128::MAX));
        stored.chain(self.rows.range(all).filter_map(|(_, t)| t.new.as_ref()))
    }

    /// Whether a row is new in this transaction.
    pub fn is_inserted(&self, table: usize, uuid: Uuid) -> bool {
        self.rows.get(&(table, uuid)).is_some_and(|t| t.inserted && t.new.is_some())
    }

    /// Whether anything would change.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.increment.is_none()
    }

    /// Inserts a row of default values; returns its name here. With `uuid` that stays its name.
    pub fn insert(&mut self, db: &Database, table: usize, uuid: Option<Uuid>) -> Uuid {
        let name = uuid.unwrap_or_else(|| self.uuids.next_uuid());
        self.insert_named(db, table, name, uuid.is_some());
        name
    }

    /// Inserts a row under a name that references made before already use.
    pub fn insert_named(&mut self, db: &Database, table: usize, name: Uuid, keep_name: bool) {
        let row = Row::new(&db.schema().tables[table], name, Uuid::ZERO);
        let touched = Touched {
            old: None,
            new: Some(row),
            set: BTreeSet::new(),
            mutated: BTreeMap::new(),
            inserted: true,
            keep_name,
        };
        self.rows.insert((table, name), touched);
        self.order.push((table, name));
    }

    /// A name for a row that will be inserted.
    pub fn new_name(&mut self) -> Uuid {
        self.uuids.next_uuid()
    }

    fn touch(&mut self, db: &Database, table: usize, uuid: Uuid) -> &mut Touched {
        self.rows.entry((table, uuid)).or_insert_with(|| {
            let old = db.table(table).get(uuid).cloned();
            Touched {
                new: old.clone(),
                old,
                set: BTreeSet::new(),
                mutated: BTreeMap::new(),
                inserted: false,
                keep_name: false,
            }
        })
    }

    /// Sets a column.
    pub fn set(&mut self, db: &Database, table: usize, uuid: Uuid, column: usize, value: Datum) {
        let t = self.touch(db, table, uuid);
        if let Some(new) = &mut t.new {
            new.set(column, value);
            t.set.insert(column);
            t.mutated.remove(&column);
        }
    }

    /// Adds elements to a set or pairs to a map, and takes others away, whatever else others do to it: pairs
    /// replace those with their keys.
    pub fn mutate(
        &mut self,
        db: &Database,
        table: usize,
        uuid: Uuid,
        column: usize,
        add: &Datum,
        remove: &Datum,
    ) {
        let t = self.touch(db, table, uuid);
        let Some(new) = &mut t.new else { return };
        let kept = if add.pairs().is_empty() {
            new[column].subtract(remove)
        } else {
            let keys = Datum::set(add.keys().chain(remove.keys()).cloned());
            new[column].subtract(&keys)
        };
        new.set(column, kept.union(add));
        if t.inserted || t.set.contains(&column) {
            t.set.insert(column);
            return;
        }
        let (added, removed) = t.mutated.entry(column).or_default();
        let gone = Datum::set(remove.keys().cloned());
        *added = added.subtract(&gone).subtract(&Datum::set(add.keys().cloned())).union(add);
        // A pair is replaced by taking its key away first.
        let replaced = if add.pairs().is_empty() { Datum::EMPTY } else { Datum::set(add.keys().cloned()) };
        let back = if add.pairs().is_empty() { removed.subtract(add) } else { removed.clone() };
        *removed = back.union(&gone).union(&replaced);
    }

    /// Deletes a row.
    pub fn delete(&mut self, db: &Database, table: usize, uuid: Uuid) {
        let t = self.touch(db, table, uuid);
        t.new = None;
        if t.inserted {
            self.rows.remove(&(table, uuid));
            self.order.retain(|o| *o != (table, uuid));
        }
    }

    /// Relies on a column of a row as the replica has it now.
    pub fn verify(&mut self, table: usize, uuid: Uuid, column: usize) {
        self.verified.entry((table, uuid)).or_default().insert(column);
    }

    /// Adds one to an integer column, and reports its new value; without `force` only if something else changes.
    pub fn increment(&mut self, table: usize, uuid: Uuid, column: usize, force: bool) {
        self.increment = Some((table, uuid, column, force));
    }

    /// Adds a line to what the log says of the transaction.
    pub fn comment(&mut self, text: impl Into<String>) {
        self.comments.push(text.into());
    }

    /// Only tries whether the transaction would succeed.
    pub fn set_dry_run(&mut self, dry_run: bool) {
        self.dry_run = dry_run;
    }

    /// Asks that the outcome be reported only when it is safe on disk.
    pub fn set_durable(&mut self, durable: bool) {
        self.durable = durable;
    }

    /// The operations to send, none if nothing would change.
    pub(super) fn operations(&self, db: &Database, lock: Option<&str>) -> (Vec<Value>, Sent) {
        let schema = db.schema();
        let names: Map<Uuid, Uuid> =
            self.order.iter().filter(|o| !self.rows[o].keep_name).map(|o| (o.1, o.1)).collect();
        let mut ops = Vec::new();
        if let Some(lock) = lock {
            ops.push(Value::object([("op", "assert".into()), ("lock", lock.into())]));
        }
        for ((table, uuid), columns) in &self.verified {
            ops.extend(self.wait(db, *table, *uuid, columns));
        }
        let mut sent = Sent { inserted: Vec::new(), counter: None, dry_run: self.dry_run };
        let mut any = false;
        let inserted = self.order.iter().map(|o| (*o, &self.rows[o]));
        let others = self.rows.iter().filter(|(_, t)| !t.inserted).map(|(k, t)| (*k, t));
        for ((table, uuid), t) in inserted.chain(others) {
            let ts = &schema.tables[table];
            let before = ops.len();
            row_operations(&mut ops, ts, uuid, t, &names);
            if t.inserted {
                sent.inserted.push((uuid, before));
            }
            any |= ops.len() > before;
        }
        if let Some((table, uuid, column, force)) = self.increment
            && (any || force)
        {
            any = true;
            let ts = &schema.tables[table];
            let name = &*ts.columns[column].name;
            let mutation = Value::Array(vec![name.into(), "+=".into(), Value::Integer(1)]);
            ops.push(operation("mutate", ts, uuid, &names, [("mutations", Value::Array(vec![mutation]))]));
            let columns = Value::Array(vec![name.into()]);
            sent.counter = Some((ops.len(), name.into()));
            ops.push(operation("select", ts, uuid, &names, [("columns", columns)]));
        }
        if !any {
            return (Vec::new(), sent);
        }
        if !self.comments.is_empty() {
            let text = self.comments.join("\n");
            ops.push(Value::object([("op", "comment".into()), ("comment", text.into())]));
        }
        if self.durable {
            ops.push(Value::object([("op", "commit".into()), ("durable", true.into())]));
        }
        if self.dry_run {
            ops.push(Value::object([("op", "abort".into())]));
        }
        (ops, sent)
    }

    fn wait(&self, db: &Database, table: usize, uuid: Uuid, columns: &BTreeSet<usize>) -> Option<Value> {
        let ts = &db.schema().tables[table];
        let row = db.table(table).get(uuid)?;
        let names = columns.iter().map(|&c| Value::string(&*ts.columns[c].name)).collect();
        let rows = vec![Value::Object(row.to_json(ts, columns.iter().copied()))];
        let members = [
            ("columns", Value::Array(names)),
            ("until", "==".into()),
            ("rows", Value::Array(rows)),
            ("timeout", Value::Integer(0)),
        ];
        Some(operation("wait", ts, uuid, &Map::default(), members))
    }
}

fn row_operations(ops: &mut Vec<Value>, ts: &TableSchema, uuid: Uuid, t: &Touched, names: &Map<Uuid, Uuid>) {
    let Some(new) = &t.new else {
        if t.old.is_some() {
            ops.push(operation("delete", ts, uuid, names, []));
        }
        return;
    };
    let mut row = Object::new();
    for &c in &t.set {
        let column = &ts.columns[c];
        let known = match &t.old {
            Some(old) => old[c] == new[c],
            None => new[c] == column.kind.default_datum(),
        };
        if !known {
            row.insert(column.name.clone(), datum_json(&new[c], &column.kind, names));
        }
    }
    if t.inserted {
        let mut o = Object::new();
        o.insert("op", "insert");
        o.insert("table", &*ts.name);
        o.insert("row", row);
        if t.keep_name {
            o.insert("uuid", uuid.to_string());
        } else {
            o.insert("uuid-name", row_name(uuid));
        }
        ops.push(Value::Object(o));
        return;
    }
    if !row.is_empty() {
        ops.push(operation("update", ts, uuid, names, [("row", Value::Object(row))]));
    }
    let mut mutations = Vec::new();
    for (&c, (add, remove)) in &t.mutated {
        let column = &ts.columns[c];
        let keys = ColumnType { value: None, ..column.kind.clone() };
        for (what, datum, of) in [("delete", remove, &keys), ("insert", add, &column.kind)] {
            if !datum.is_empty() {
                let value = datum_json(datum, of, names);
                mutations.push(Value::Array(vec![Value::string(&*column.name), what.into(), value]));
            }
        }
    }
    if !mutations.is_empty() {
        ops.push(operation("mutate", ts, uuid, names, [("mutations", Value::Array(mutations))]));
    }
}

fn operation<const N: usize>(
    op: &'static str,
    ts: &TableSchema,
    uuid: Uuid,
    names: &Map<Uuid, Uuid>,
    members: [(&'static str, Value); N],
) -> Value {
    let clause = Value::Array(vec!["_uuid".into(), "==".into(), atom_json(&Atom::Uuid(uuid), names)]);
    let mut o: Object = members.into_iter().collect();
    o.insert("op", op);
    o.insert("table", &*ts.name);
    o.insert("where", Value::Array(vec![clause]));
    Value::Object(o)
}

fn row_name(uuid: Uuid) -> String {
    format!("row{}", uuid.to_string().replace('-', "_"))
}

fn atom_json(atom: &Atom, names: &Map<Uuid, Uuid>) -> Value {
    match atom {
        Atom::Uuid(u) if names.contains_key(u) => {
            Value::Array(vec!["named-uuid".into(), row_name(*u).into()])
        }
        _ => atom.to_json(),
    }
}

fn datum_json(datum: &Datum, of: &ColumnType, names: &Map<Uuid, Uuid>) -> Value {
    if let Datum::One(a) = datum {
        return atom_json(a, names);
    }
    let (tag, elements): (&str, Vec<Value>) = if of.is_map() {
        let pair = |p: &(Atom, Atom)| Value::Array(vec![atom_json(&p.0, names), atom_json(&p.1, names)]);
        ("map", datum.pairs().iter().map(pair).collect())
    } else {
        ("set", datum.keys().map(|a| atom_json(a, names)).collect())
    };
    Value::Array(vec![tag.into(), Value::Array(elements)])
}

/// What is needed of a transaction to understand its reply.
#[derive(Debug)]
pub(super) struct Sent {
    /// Inserted rows, and the operation of each.
    inserted: Vec<(Uuid, usize)>,
    /// The operation whose result has the incremented column, and its name.
    counter: Option<(usize, String)>,
    dry_run: bool,
}

impl Sent {
    pub(super) fn outcome(&self, reply: Result<Value, Value>) -> Outcome {
        let results = match reply {
            Ok(Value::Array(results)) => results,
            Ok(other) => return Outcome::Error(other.to_string()),
            Err(e) if e.as_str() == Some("canceled") => return Outcome::TryAgain,
            Err(e) => return Outcome::Error(e.to_string()),
        };
        let mut hard = None;
        for r in &results {
            match r.get("error").and_then(Value::as_str) {
                Some("timed out") => return Outcome::TryAgain,
                Some("not owner") => return Outcome::NotLocked,
                Some("aborted") if self.dry_run => return Outcome::Aborted,
                Some(_) => hard = hard.or(Some(r)),
                None => {}
            }
        }
        if let Some(error) = hard {
            return Outcome::Error(error.to_string());
        }
        let mut inserted = HashMap::new();
        for (name, op) in &self.inserted {
            let uuid = results.get(*op).and_then(|r| r.get("uuid")).and_then(Value::as_array);
            match uuid.and_then(|a| a.get(1)).and_then(Value::as_str).and_then(|s| s.parse().ok()) {
                Some(uuid) => inserted.insert(*name, uuid),
                None => return Outcome::Error(Value::Array(results).to_string()),
            };
        }
        let counter = self.counter.as_ref().and_then(|(op, column)| {
            let rows = results.get(*op)?.get("rows")?.as_array()?;
            rows.first()?.get(column)?.as_integer()
        });
        Outcome::Success { inserted, counter }
    }
}
