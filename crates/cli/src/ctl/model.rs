//! The database as the commands of one invocation see it: what the server sent, with their own changes on top.
//!
//! Commands read and write rows here; [`Model::operations`] then says, as RFC 7047 operations, what to ask of the
//! server. Adding to or removing from a set becomes a mutation, so that two programs that add ports to one bridge
//! at the same time do not undo each other's work.

use ovsdb::json::Value;
use ovsdb::{Atom, AtomType, ColumnType, Datum, RefType, Schema, TableSchema, Uuid, UuidSource};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// Tables with rows, and changes to them.
pub struct Model {
    schema: Arc<Schema>,
    tables: Vec<BTreeMap<Uuid, Row>>,
    uuids: UuidSource,
    /// Of each table that has one: rows by the string in its `name` column.
    names: Vec<Option<NameIndex>>,
    /// Columns whose changes are noted in `touched`.
    watched: BTreeSet<(usize, usize)>,
    touched: Vec<Touched>,
}

/// Rows by name, deleted ones among them.
struct NameIndex {
    column: usize,
    rows: HashMap<String, Vec<Uuid>>,
}

impl NameIndex {
    fn add(&mut self, value: &Datum, row: Uuid) {
        if let Some(name) = value.as_str() {
            self.rows.entry(name.to_string()).or_default().push(row);
        }
    }

    fn remove(&mut self, value: &Datum, row: Uuid) {
        if let Some(rows) = value.as_str().and_then(|name| self.rows.get_mut(name)) {
            rows.retain(|r| *r != row);
        }
    }
}

/// A change of a watched column, or the removal of a row of a table that has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Touched {
    /// Table number.
    pub table: usize,
    /// The row.
    pub row: Uuid,
    /// Column number; none when the row was removed.
    pub column: Option<usize>,
}

/// One row.
#[derive(Clone, Debug)]
pub struct Row {
    values: ovsdb::Row,
    origin: Origin,
    deleted: bool,
    /// Columns written whole.
    written: BTreeSet<usize>,
    /// Elements added to and removed from sets and maps.
    changed: BTreeMap<usize, Change>,
}

/// Elements (a map's with their values) added to a column, and elements or keys removed before that.
#[derive(Clone, Debug, Default)]
struct Change {
    added: BTreeMap<Atom, Option<Atom>>,
    removed: BTreeSet<Atom>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    Server,
    /// Made here; the server chooses the UUID.
    New,
    /// Made here with a UUID that was asked for.
    NewAs,
}

impl Model {
    /// An empty database.
    pub fn new(schema: Arc<Schema>, seed: [u8; 32]) -> Model {
        let tables = vec![BTreeMap::new(); schema.tables.len()];
        let index = |t: &TableSchema| {
            let column = t.column("name").filter(|c| t.columns[*c].kind.key.kind == AtomType::String)?;
            Some(NameIndex { column, rows: HashMap::new() })
        };
        let names = schema.tables.iter().map(index).collect();
        let (watched, touched) = (BTreeSet::new(), Vec::new());
        Model { schema, tables, uuids: UuidSource::new(seed), names, watched, touched }
    }

    /// The schema.
    pub fn schema(&self) -> &Arc<Schema> {
        &self.schema
    }

    /// Notes changes of these columns from now on, for [`Model::take_touched`].
    pub fn watch(&mut self, columns: &[(&str, &str)]) {
        self.watched = columns.iter().filter_map(|(t, c)| self.at(t, c)).collect();
    }

    /// What has happened to the watched columns since the last call.
    pub fn take_touched(&mut self) -> Vec<Touched> {
        std::mem::take(&mut self.touched)
    }

    /// Rows of a table by the value of its `name` column; none if the table has no such column.
    pub fn named(&self, table: usize, column: usize, name: &str) -> Option<impl Iterator<Item = Uuid>> {
        let index = self.names[table].as_ref().filter(|i| i.column == column)?;
        let rows = index.rows.get(name).map_or(&[][..], Vec::as_slice);
        Some(rows.iter().copied().filter(move |r| self.row(table, *r).is_some()))
    }

    /// Puts in a row that the server has.
    pub fn load(&mut self, table: usize, values: ovsdb::Row) {
        let uuid = values.uuid();
        if let Some(index) = &mut self.names[table] {
            index.add(&values[index.column], uuid);
        }
        self.tables[table].insert(uuid, Row::new(values, Origin::Server));
    }

    /// A table by number.
    pub fn table(&self, table: usize) -> &TableSchema {
        &self.schema.tables[table]
    }

    /// The rows of a table by number.
    pub fn each(&self, table: usize) -> impl Iterator<Item = (Uuid, &Row)> {
        self.tables[table].iter().filter(|(_, r)| !r.deleted).map(|(u, r)| (*u, r))
    }

    /// A row by table number.
    pub fn row(&self, table: usize, uuid: Uuid) -> Option<&Row> {
        self.tables[table].get(&uuid).filter(|r| !r.deleted)
    }

    /// A value by numbers; empty when there is no such row.
    pub fn value(&self, table: usize, uuid: Uuid, column: usize) -> &Datum {
        self.row(table, uuid).and_then(|r| r.values.columns().get(column)).unwrap_or(&Datum::EMPTY)
    }

    /// Makes a row with default values. It is known by a provisional UUID until the server has made it.
    pub fn insert_in(&mut self, table: usize, asked: Option<Uuid>) -> Uuid {
        let uuid = asked.unwrap_or_else(|| self.uuids.next_uuid());
        let values = ovsdb::Row::new(&self.schema.tables[table], uuid, Uuid::ZERO);
        let origin = if asked.is_some() { Origin::NewAs } else { Origin::New };
        if let Some(index) = &mut self.names[table] {
            index.add(&values[index.column], uuid);
        }
        self.tables[table].insert(uuid, Row::new(values, origin));
        uuid
    }

    /// Makes a row that is known as `@name` in this invocation, by a provisional UUID.
    pub fn insert_named(&mut self, table: usize, provisional: Uuid) -> Uuid {
        let row = self.insert_in(table, Some(provisional));
        if let Some(r) = self.tables[table].get_mut(&row) {
            r.origin = Origin::New;
        }
        row
    }

    /// Removes a row.
    pub fn delete_in(&mut self, table: usize, uuid: Uuid) {
        if let Some(row) = self.tables[table].get_mut(&uuid) {
            row.deleted = true;
            if self.watched.range((table, 0)..(table + 1, 0)).next().is_some() {
                self.touched.push(Touched { table, row: uuid, column: None });
            }
        }
    }

    /// Replaces a value.
    pub fn write(&mut self, table: usize, uuid: Uuid, column: usize, value: Datum) {
        let Some(row) = self.tables[table].get_mut(&uuid) else { return };
        row.changed.remove(&column);
        row.written.insert(column);
        let old = row.replace(column, value);
        self.moved(table, uuid, column, &old);
    }

    /// Follows up the change of a value from `old`.
    fn moved(&mut self, table: usize, uuid: Uuid, column: usize, old: &Datum) {
        if let Some(index) = self.names[table].as_mut().filter(|i| i.column == column) {
            index.remove(old, uuid);
            if let Some(row) = self.tables[table].get(&uuid) {
                index.add(&row.values[column], uuid);
            }
        }
        if self.watched.contains(&(table, column)) {
            self.touched.push(Touched { table, row: uuid, column: Some(column) });
        }
    }

    /// Adds one element to a set, or removes it: what [`Model::amend`] does, without looking at the other elements.
    fn amend_one(&mut self, table: usize, uuid: Uuid, column: usize, element: Atom, present: bool) {
        let many = self.schema.tables[table].columns[column].kind.max > 1;
        let Some(row) = self.tables[table].get_mut(&uuid) else { return };
        let old = &row.values[column];
        let new = if present { old.with(element.clone()) } else { old.without(&element) };
        if !many || row.written.contains(&column) || row.origin != Origin::Server {
            return self.write(table, uuid, column, new);
        }
        if new.len() != old.len() {
            let change = row.changed.entry(column).or_default();
            if present {
                change.added.insert(element, None);
            } else {
                change.added.remove(&element);
                change.removed.insert(element);
            }
        } else {
            row.changed.entry(column).or_default();
        }
        let old = row.replace(column, new);
        self.moved(table, uuid, column, &old);
    }

    /// Adds elements to a set or map without touching the others.
    pub fn add(&mut self, table: usize, uuid: Uuid, column: usize, more: &Datum) {
        let new = self.value(table, uuid, column).union(more);
        self.amend(table, uuid, column, new);
    }

    /// Removes elements from a set or map without touching the others.
    pub fn subtract(&mut self, table: usize, uuid: Uuid, column: usize, less: &Datum) {
        let new = self.value(table, uuid, column).subtract(less);
        self.amend(table, uuid, column, new);
    }

    /// Gives a column a new value by adding and removing only the elements in which it differs, so that what others
    /// add meanwhile stays.
    pub fn amend(&mut self, table: usize, uuid: Uuid, column: usize, new: Datum) {
        let kind = &self.schema.tables[table].columns[column].kind;
        let many = kind.max > 1;
        let Some(row) = self.tables[table].get_mut(&uuid) else { return };
        if !many || row.written.contains(&column) || row.origin != Origin::Server {
            return self.write(table, uuid, column, new);
        }
        let old = row.values[column].clone();
        let change = row.changed.entry(column).or_default();
        for key in old.keys().filter(|k| !new.contains(k) || old.get(k) != new.get(k)) {
            change.added.remove(key);
            change.removed.insert(key.clone());
        }
        for key in new.keys().filter(|k| !old.contains(k) || old.get(k) != new.get(k)) {
            change.added.insert(key.clone(), new.get(key).cloned());
        }
        row.values.set(column, new);
        self.moved(table, uuid, column, &old);
    }

    /// Whether anything is to be asked of the server.
    pub fn is_changed(&self) -> bool {
        self.tables.iter().flat_map(|t| t.values()).any(Row::is_changed)
    }

    /// Rows that were made and not removed again: (table, provisional UUID), in the order of [`Model::operations`].
    pub fn inserted(&self) -> impl Iterator<Item = (usize, Uuid)> {
        self.tables.iter().enumerate().flat_map(|(t, rows)| {
            rows.iter().filter(|(_, r)| !r.deleted && r.origin != Origin::Server).map(move |(u, _)| (t, *u))
        })
    }

    /// The strongest reference to a row that was put into a row here.
    pub fn reference_to(&self, uuid: Uuid) -> Option<RefType> {
        let mut found = None;
        for (t, rows) in self.tables.iter().enumerate() {
            for row in rows.values().filter(|r| !r.deleted && r.is_changed()) {
                for c in row.written.iter().chain(row.changed.keys()) {
                    let kind = &self.schema.tables[t].columns[*c].kind;
                    let value = &row.values[*c];
                    let refers = value.keys().any(|k| k.as_uuid() == Some(uuid))
                        || kind.is_map() && value.pairs().iter().any(|(_, v)| v.as_uuid() == Some(uuid));
                    if refers && kind.has_reference_of(RefType::Strong) {
                        return Some(RefType::Strong);
                    }
                    if refers && kind.has_reference_of(RefType::Weak) {
                        found = Some(RefType::Weak);
                    }
                }
            }
        }
        found
    }

    /// Operations that fail when a row that is to be changed is no longer there: the commands' reasons for the change
    /// have gone with it.
    pub fn guards(&self) -> Vec<Value> {
        let mut ops = Vec::new();
        for (t, rows) in self.tables.iter().enumerate() {
            for (uuid, _) in rows.iter().filter(|(_, r)| r.origin == Origin::Server && r.is_changed()) {
                ops.push(Value::object([
                    ("op", "wait".into()),
                    ("table", (*self.schema.tables[t].name).into()),
                    ("where", where_uuid(*uuid)),
                    ("columns", Value::Array(vec!["_uuid".into()])),
                    ("until", "!=".into()),
                    ("rows", Value::Array(Vec::new())),
                    ("timeout", Value::Integer(0)),
                ]));
            }
        }
        ops
    }

    /// What to ask of the server: inserts (in the order of [`Model::inserted`]), then deletes, updates and mutations.
    pub fn operations(&self) -> Vec<Value> {
        let mut ops: Vec<Value> = self.inserted().map(|(t, uuid)| self.insert_operation(t, uuid)).collect();
        for (t, rows) in self.tables.iter().enumerate() {
            for (uuid, row) in rows.iter().filter(|(_, r)| r.origin == Origin::Server && r.is_changed()) {
                self.change_operations(t, *uuid, row, &mut ops);
            }
        }
        ops
    }

    fn insert_operation(&self, t: usize, uuid: Uuid) -> Value {
        let table = &self.schema.tables[t];
        let row = &self.tables[t][&uuid];
        let columns = table
            .own_columns()
            .filter(|(c, column)| row.values[*c] != column.kind.default_datum())
            .map(|(c, column)| (&*column.name, self.json(&row.values[c], &column.kind)));
        let row_json = Value::object(columns);
        let mut op = vec![("op", "insert".into()), ("table", (*table.name).into()), ("row", row_json)];
        match row.origin {
            Origin::NewAs => op.push(("uuid", uuid.to_string().into())),
            _ => op.push(("uuid-name", row_name(uuid).into())),
        }
        Value::object(op)
    }

    fn change_operations(&self, t: usize, uuid: Uuid, row: &Row, ops: &mut Vec<Value>) {
        let table = &self.schema.tables[t];
        let head = |op: &'static str| {
            vec![("op", op.into()), ("table", (*table.name).into()), ("where", where_uuid(uuid))]
        };
        if row.deleted {
            // Rows of other tables go when nothing refers to them any more: the server decides.
            if table.is_root {
                ops.push(Value::object(head("delete")));
            }
            return;
        }
        if !row.written.is_empty() {
            let columns = row
                .written
                .iter()
                .map(|c| (&*table.columns[*c].name, self.json(&row.values[*c], &table.columns[*c].kind)));
            let mut op = head("update");
            op.push(("row", Value::object(columns)));
            ops.push(Value::object(op));
        }
        let mut mutations = Vec::new();
        for (c, change) in &row.changed {
            let column = &table.columns[*c];
            let mut mutate = |mutator: &str, elements: Value| {
                mutations.push(Value::Array(vec![(*column.name).into(), mutator.into(), elements]));
            };
            if !change.removed.is_empty() {
                let keys = ColumnType { value: None, min: 0, max: u32::MAX, ..column.kind.clone() };
                mutate("delete", self.json(&Datum::set(change.removed.iter().cloned()), &keys));
            }
            if !change.added.is_empty() {
                let elements = if column.kind.is_map() {
                    Datum::map(change.added.iter().filter_map(|(k, v)| Some((k.clone(), v.clone()?))))
                } else {
                    Datum::set(change.added.keys().cloned())
                };
                mutate("insert", self.json(&elements, &column.kind));
            }
        }
        if !mutations.is_empty() {
            let mut op = head("mutate");
            op.push(("mutations", Value::Array(mutations)));
            ops.push(Value::object(op));
        }
    }

    /// A reference to a row on the wire, by name if it was made here.
    pub fn reference(&self, row: Uuid) -> Value {
        let mut json = Value::Array(vec!["uuid".into(), row.to_string().into()]);
        self.name_new_rows(&mut json);
        json
    }

    /// A value on the wire, with rows made here by name.
    fn json(&self, value: &Datum, kind: &ColumnType) -> Value {
        let mut json = value.to_json(kind);
        self.name_new_rows(&mut json);
        json
    }

    fn name_new_rows(&self, json: &mut Value) {
        let Value::Array(items) = json else { return };
        if let [Value::String(tag), Value::String(text)] = items.as_mut_slice() {
            if tag == "uuid"
                && let Ok(uuid) = text.parse::<Uuid>()
                && self.tables.iter().any(|t| t.get(&uuid).is_some_and(|r| r.origin == Origin::New))
            {
                *tag = "named-uuid".to_string();
                *text = row_name(uuid);
            }
            return;
        }
        items.iter_mut().for_each(|i| self.name_new_rows(i));
    }
}

impl Row {
    fn new(values: ovsdb::Row, origin: Origin) -> Row {
        Row { values, origin, deleted: false, written: BTreeSet::new(), changed: BTreeMap::new() }
    }

    fn replace(&mut self, column: usize, value: Datum) -> Datum {
        let old = self.values[column].clone();
        self.values.set(column, value);
        old
    }

    /// The value of a column by number.
    pub fn value(&self, column: usize) -> &Datum {
        &self.values[column]
    }

    fn is_changed(&self) -> bool {
        match self.origin {
            Origin::Server => self.deleted || !self.written.is_empty() || !self.changed.is_empty(),
            _ => !self.deleted,
        }
    }
}

fn where_uuid(uuid: Uuid) -> Value {
    let id = Value::Array(vec!["uuid".into(), uuid.to_string().into()]);
    Value::Array(vec![Value::Array(vec!["_uuid".into(), "==".into(), id])])
}

/// The name of a new row inside its transaction.
fn row_name(uuid: Uuid) -> String {
    format!("row{}", uuid.to_string().replace('-', "_"))
}

/// By name, for commands that know their tables. A table or column that the server's schema lacks reads as empty.
impl Model {
    fn at(&self, table: &str, column: &str) -> Option<(usize, usize)> {
        let t = self.schema.table(table)?;
        Some((t, self.schema.tables[t].column(column)?))
    }

    fn read(&self, table: &str, row: Uuid, column: &str) -> &Datum {
        self.at(table, column).map_or(&Datum::EMPTY, |(t, c)| self.value(t, row, c))
    }

    fn put(&mut self, table: &str, row: Uuid, column: &str, value: Datum) {
        if let Some((t, c)) = self.at(table, column)
            && *self.value(t, row, c) != value
        {
            self.write(t, row, c, value);
        }
    }

    /// Rows of a table.
    pub fn rows(&self, table: &str) -> impl Iterator<Item = Uuid> {
        let rows = self.schema.table(table).map(|t| self.each(t));
        rows.into_iter().flatten().map(|(u, _)| u)
    }

    /// A string, empty when absent.
    pub fn string(&self, table: &str, row: Uuid, column: &str) -> String {
        self.read(table, row, column).as_str().unwrap_or_default().to_string()
    }

    /// A boolean.
    pub fn flag(&self, table: &str, row: Uuid, column: &str) -> bool {
        self.read(table, row, column).as_bool().unwrap_or(false)
    }

    /// An integer.
    pub fn int(&self, table: &str, row: Uuid, column: &str) -> Option<i64> {
        self.read(table, row, column).as_integer()
    }

    /// References.
    pub fn uuids(&self, table: &str, row: Uuid, column: &str) -> Vec<Uuid> {
        self.read(table, row, column).keys().filter_map(Atom::as_uuid).collect()
    }

    /// A map of strings.
    pub fn map(&self, table: &str, row: Uuid, column: &str) -> BTreeMap<String, String> {
        self.pairs(table, row, column, |a| a.as_str().map(String::from), |a| a.as_str().map(String::from))
    }

    /// A map from integers to integers.
    pub fn int_map(&self, table: &str, row: Uuid, column: &str) -> BTreeMap<i64, i64> {
        self.pairs(table, row, column, Atom::as_integer, Atom::as_integer)
    }

    /// A map from strings to integers.
    pub fn string_int_map(&self, table: &str, row: Uuid, column: &str) -> BTreeMap<String, i64> {
        self.pairs(table, row, column, |a| a.as_str().map(String::from), Atom::as_integer)
    }

    /// A map from integers to references.
    pub fn int_refs(&self, table: &str, row: Uuid, column: &str) -> BTreeMap<i64, Uuid> {
        self.pairs(table, row, column, Atom::as_integer, Atom::as_uuid)
    }

    /// A map from strings to references.
    pub fn string_refs(&self, table: &str, row: Uuid, column: &str) -> BTreeMap<String, Uuid> {
        self.pairs(table, row, column, |a| a.as_str().map(String::from), Atom::as_uuid)
    }

    fn pairs<K: Ord, V>(
        &self,
        table: &str,
        row: Uuid,
        column: &str,
        key: impl Fn(&Atom) -> Option<K>,
        value: impl Fn(&Atom) -> Option<V>,
    ) -> BTreeMap<K, V> {
        self.read(table, row, column).pairs().iter().filter_map(|(k, v)| Some((key(k)?, value(v)?))).collect()
    }

    /// Makes a row.
    pub fn insert(&mut self, table: &str) -> Uuid {
        match self.schema.table(table) {
            Some(t) => self.insert_in(t, None),
            None => Uuid::ZERO,
        }
    }

    /// Removes a row.
    pub fn delete(&mut self, table: &str, row: Uuid) {
        if let Some(t) = self.schema.table(table) {
            self.delete_in(t, row);
        }
    }

    /// Writes a string.
    pub fn set_string(&mut self, table: &str, row: Uuid, column: &str, value: &str) {
        self.put(table, row, column, Datum::one(value));
    }

    /// Writes a boolean.
    pub fn set_flag(&mut self, table: &str, row: Uuid, column: &str, value: bool) {
        self.put(table, row, column, Datum::one(value));
    }

    /// Writes an integer.
    pub fn set_int(&mut self, table: &str, row: Uuid, column: &str, value: i64) {
        self.put(table, row, column, Datum::one(value));
    }

    /// Writes references.
    pub fn set_uuids(&mut self, table: &str, row: Uuid, column: &str, value: &[Uuid]) {
        self.put(table, row, column, Datum::set(value.iter().map(|u| Atom::Uuid(*u))));
    }

    /// Writes a map from integers to integers.
    pub fn set_int_map(&mut self, table: &str, row: Uuid, column: &str, value: &BTreeMap<i64, i64>) {
        self.put(table, row, column, Datum::map(value.iter().map(|(k, v)| ((*k).into(), (*v).into()))));
    }

    /// Writes a map from strings to integers.
    pub fn set_string_int_map(
        &mut self,
        table: &str,
        row: Uuid,
        column: &str,
        value: &BTreeMap<String, i64>,
    ) {
        self.put(table, row, column, Datum::map(value.iter().map(|(k, v)| (k.as_str().into(), (*v).into()))));
    }

    /// Writes a map from integers to references.
    pub fn set_int_refs(&mut self, table: &str, row: Uuid, column: &str, value: &BTreeMap<i64, Uuid>) {
        self.put(table, row, column, Datum::map(value.iter().map(|(k, v)| ((*k).into(), (*v).into()))));
    }

    /// Empties a column.
    pub fn clear(&mut self, table: &str, row: Uuid, column: &str) {
        self.put(table, row, column, Datum::EMPTY);
    }

    /// Sets one key of a map of strings, or removes it.
    pub fn set_map_key(&mut self, table: &str, row: Uuid, column: &str, key: &str, value: Option<&str>) {
        let mut map = self.map(table, row, column);
        match value {
            Some(v) => map.insert(key.to_string(), v.to_string()),
            None => map.remove(key),
        };
        if let Some((t, c)) = self.at(table, column) {
            self.amend(t, row, c, Datum::string_map(map));
        }
    }

    /// Removes all keys of a map of strings but these.
    pub fn keep_map_keys(&mut self, table: &str, row: Uuid, column: &str, keys: &[&str]) {
        let mut map = self.map(table, row, column);
        map.retain(|k, _| keys.contains(&k.as_str()));
        self.put(table, row, column, Datum::string_map(map));
    }

    /// Adds a reference to a set.
    pub fn add_uuid(&mut self, table: &str, row: Uuid, column: &str, value: Uuid) {
        if let Some((t, c)) = self.at(table, column) {
            self.amend_one(t, row, c, value.into(), true);
        }
    }

    /// Removes a reference from a set.
    pub fn remove_uuid(&mut self, table: &str, row: Uuid, column: &str, value: Uuid) {
        if let Some((t, c)) = self.at(table, column) {
            self.amend_one(t, row, c, value.into(), false);
        }
    }
}
