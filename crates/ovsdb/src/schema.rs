//! Schemas: tables, their columns, and what holds between them (RFC 7047 section 3.2).

use crate::atom::AtomType;
use crate::error::Error;
use crate::json::{Object, Value};
use crate::parser::{Kind, ObjectParser, is_id};
use crate::types::{BaseType, ColumnType, Constraint, RefType};
use std::collections::BTreeSet;

/// A column.
#[derive(Clone, Debug, PartialEq)]
pub struct ColumnSchema {
    /// Its name.
    pub name: Box<str>,
    /// Its type.
    pub kind: ColumnType,
    /// Whether it may be changed after its row was inserted.
    pub mutable: bool,
    /// Whether it survives a restart.
    pub persistent: bool,
}

/// A table. Every table has two columns that its schema does not list, `_uuid` and `_version`; they come
/// first, as columns [`UUID_COLUMN`] and [`VERSION_COLUMN`], and the others follow in order of their names.
#[derive(Clone, Debug, PartialEq)]
pub struct TableSchema {
    /// Its name.
    pub name: Box<str>,
    /// Its columns.
    pub columns: Box<[ColumnSchema]>,
    /// How many rows it may have at most; `u32::MAX` for no limit.
    pub max_rows: u32,
    /// Whether rows live without being referred to.
    pub is_root: bool,
    /// Sets of columns whose values no two rows may share.
    pub indexes: Box<[Box<[usize]>]>,
}

/// The position of column `_uuid`.
pub const UUID_COLUMN: usize = 0;
/// The position of column `_version`.
pub const VERSION_COLUMN: usize = 1;
/// How many columns every table has beside those of its schema.
pub const IMPLICIT_COLUMNS: usize = 2;

impl TableSchema {
    /// The position of a column.
    pub fn column(&self, name: &str) -> Option<usize> {
        match name {
            "_uuid" => Some(UUID_COLUMN),
            "_version" => Some(VERSION_COLUMN),
            _ => {
                let rest = &self.columns[IMPLICIT_COLUMNS..];
                rest.binary_search_by(|c| (*c.name).cmp(name)).ok().map(|i| i + IMPLICIT_COLUMNS)
            }
        }
    }

    /// The columns of the schema (without `_uuid` and `_version`) with their positions.
    pub fn own_columns(&self) -> impl Iterator<Item = (usize, &ColumnSchema)> {
        self.columns.iter().enumerate().skip(IMPLICIT_COLUMNS)
    }

    fn from_json(json: &Value, name: &str) -> Result<TableSchema, Error> {
        let mut p = ObjectParser::new(json, format!("table schema for table {name}"));
        let columns = p.required("columns", Kind::Object);
        let max_rows = p.optional("maxRows", Kind::Integer);
        let is_root = p.optional("isRoot", Kind::Bool);
        let indexes = p.optional("indexes", Kind::Array);
        p.finish()?;
        let max_rows = match max_rows.and_then(Value::as_integer) {
            None => u32::MAX,
            Some(n) if n <= 0 => return Err(Error::syntax(json, "maxRows must be at least 1")),
            Some(n) => u32::try_from(n).unwrap_or(u32::MAX),
        };
        let mut table = TableSchema {
            name: name.into(),
            columns: Box::default(),
            max_rows,
            is_root: is_root.and_then(Value::as_bool).unwrap_or(false),
            indexes: Box::default(),
        };
        let implicit = |name: &str, mutable| ColumnSchema {
            name: name.into(),
            kind: ColumnType::scalar(AtomType::Uuid),
            mutable,
            persistent: false,
        };
        let mut list = vec![implicit("_uuid", false), implicit("_version", false)];
        let columns = columns.and_then(Value::as_object);
        if columns.is_none_or(Object::is_empty) {
            return Err(Error::syntax(json, "table must have at least one column"));
        }
        for (name, column) in columns.into_iter().flat_map(Object::iter) {
            check_name(name, json)?;
            list.push(column_from_json(column, name)?);
        }
        table.columns = list.into();
        let mut parsed = Vec::new();
        for index in indexes.and_then(Value::as_array).unwrap_or_default() {
            let columns = column_set(index, &table)?;
            if columns.is_empty() {
                return Err(Error::syntax(json, "index must have at least one column"));
            }
            for &c in &columns {
                if c >= IMPLICIT_COLUMNS && !table.columns[c].persistent {
                    let details =
                        format!("ephemeral columns (such as {}) may not be indexed", table.columns[c].name);
                    return Err(Error::syntax(json, details));
                }
            }
            parsed.push(columns.into_boxed_slice());
        }
        table.indexes = parsed.into();
        Ok(table)
    }

    fn to_json(&self, default_root: bool) -> Value {
        let mut o = Object::new();
        let columns: Object = self.own_columns().map(|(_, c)| (c.name.clone(), column_to_json(c))).collect();
        o.insert("columns", columns);
        if self.max_rows != u32::MAX {
            o.insert("maxRows", i64::from(self.max_rows));
        }
        if self.is_root && !default_root {
            o.insert("isRoot", true);
        }
        if !self.indexes.is_empty() {
            let name = |c: &usize| Value::string(&*self.columns[*c].name);
            let indexes = self.indexes.iter().map(|i| Value::Array(i.iter().map(name).collect()));
            o.insert("indexes", Value::Array(indexes.collect()));
        }
        Value::Object(o)
    }
}

fn check_name(name: &str, at: &Value) -> Result<(), Error> {
    if name.starts_with('_') {
        Err(Error::syntax(at, "names beginning with \"_\" are reserved"))
    } else if !is_id(name) {
        Err(Error::syntax(at, "name must be a valid id"))
    } else {
        Ok(())
    }
}

fn column_from_json(json: &Value, name: &str) -> Result<ColumnSchema, Error> {
    let mut p = ObjectParser::new(json, format!("schema for column {name}"));
    let mutable = p.optional("mutable", Kind::Bool).and_then(Value::as_bool).unwrap_or(true);
    let ephemeral = p.optional("ephemeral", Kind::Bool).and_then(Value::as_bool).unwrap_or(false);
    let kind = p.required("type", Kind::StringOrObject);
    p.finish()?;
    let kind = ColumnType::from_json(kind.unwrap_or(&Value::Null))?;
    // Weak references go when what they refer to goes, so they must be able to.
    let mutable = mutable || kind.has_reference_of(RefType::Weak);
    Ok(ColumnSchema { name: name.into(), kind, mutable, persistent: !ephemeral })
}

fn column_to_json(c: &ColumnSchema) -> Value {
    let mut o = Object::new();
    if !c.persistent {
        o.insert("ephemeral", true);
    }
    if !c.mutable {
        o.insert("mutable", false);
    }
    o.insert("type", c.kind.to_json());
    Value::Object(o)
}

/// Reads an array of distinct column names.
pub fn column_set(json: &Value, table: &TableSchema) -> Result<Vec<usize>, Error> {
    let expected = || Error::syntax(json, "array of distinct column names expected");
    let mut seen = BTreeSet::new();
    let mut columns = Vec::new();
    for name in json.as_array().ok_or_else(expected)? {
        let name = name.as_str().ok_or_else(expected)?;
        let Some(c) = table.column(name) else {
            return Err(Error::syntax(json, format!("{name} is not a valid column name")));
        };
        if !seen.insert(c) {
            return Err(expected());
        }
        columns.push(c);
    }
    Ok(columns)
}

/// A database's schema. Tables are in order of their names.
#[derive(Clone, Debug, PartialEq)]
pub struct Schema {
    /// The database's name.
    pub name: Box<str>,
    /// The schema's version, `x.y.z`, or empty.
    pub version: Box<str>,
    /// A checksum that the schema's author put in, or empty.
    pub cksum: Box<str>,
    /// The tables.
    pub tables: Box<[TableSchema]>,
}

impl Schema {
    /// The position of a table.
    pub fn table(&self, name: &str) -> Option<usize> {
        self.tables.binary_search_by(|t| (*t.name).cmp(name)).ok()
    }

    /// Reads a schema.
    pub fn from_json(json: &Value) -> Result<Schema, Error> {
        let mut p = ObjectParser::new(json, "database schema");
        let name = p.required("name", Kind::Id);
        let version = p.optional("version", Kind::String);
        let cksum = p.optional("cksum", Kind::String);
        let tables = p.required("tables", Kind::Object);
        p.finish()?;
        let text = |v: Option<&Value>| v.and_then(Value::as_str).unwrap_or("").into();
        let mut list = Vec::new();
        for (name, table) in tables.and_then(Value::as_object).into_iter().flat_map(Object::iter) {
            check_name(name, json)?;
            list.push(TableSchema::from_json(table, name)?);
        }
        // If no table is said to be a root, all are.
        if list.iter().all(|t| !t.is_root) {
            for t in &mut list {
                t.is_root = true;
            }
        }
        let mut schema =
            Schema { name: text(name), version: text(version), cksum: text(cksum), tables: list.into() };
        schema.resolve()?;
        Ok(schema)
    }

    /// Reads a schema from its text.
    pub fn parse(text: &str) -> Result<Schema, Error> {
        let json = crate::json::parse(text).map_err(|e| Error::new("syntax error", e))?;
        Schema::from_json(&json)
    }

    /// Finds the tables that references name.
    fn resolve(&mut self) -> Result<(), Error> {
        let names: Vec<Box<str>> = self.tables.iter().map(|t| t.name.clone()).collect();
        for t in &mut self.tables {
            for c in &mut t.columns {
                let column = c.name.clone();
                let one = |base: &mut BaseType, what: &str| {
                    let Constraint::Reference { table, index, .. } = &mut base.constraint else {
                        return Ok(());
                    };
                    match names.binary_search(table) {
                        Ok(i) => *index = i,
                        Err(_) => {
                            let details = format!("column {column} {what} refers to undefined table {table}");
                            return Err(Error::new("syntax error", details));
                        }
                    }
                    Ok(())
                };
                one(&mut c.kind.key, "key")?;
                if let Some(v) = &mut c.kind.value {
                    one(v, "value")?;
                }
            }
        }
        Ok(())
    }

    /// The schema's JSON.
    pub fn to_json(&self) -> Value {
        let mut o = Object::new();
        o.insert("name", &*self.name);
        if !self.version.is_empty() {
            o.insert("version", &*self.version);
        }
        if !self.cksum.is_empty() {
            o.insert("cksum", &*self.cksum);
        }
        let default_root = self.tables.iter().all(|t| t.is_root);
        let tables: Object = self.tables.iter().map(|t| (t.name.clone(), t.to_json(default_root))).collect();
        o.insert("tables", tables);
        Value::Object(o)
    }

    /// Whether two schemas mean the same: their JSON is equal.
    pub fn is_same(&self, other: &Schema) -> bool {
        self.to_json() == other.to_json()
    }
}
