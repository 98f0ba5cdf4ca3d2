//! Rows: shared, immutable once stored.

use crate::atom::SymbolTable;
use crate::datum::Datum;
use crate::error::Error;
use crate::json::{Object, Value};
use crate::schema::{IMPLICIT_COLUMNS, TableSchema, UUID_COLUMN, VERSION_COLUMN};
use crate::uuid::Uuid;
use std::ops::Index;
use std::sync::Arc;

/// A row: one datum for each column of its table, `_uuid` and `_version` included. Cloning is cheap; changing
/// a clone copies the row first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row(Arc<[Datum]>);

impl Row {
    /// A row of default values.
    pub fn new(table: &TableSchema, uuid: Uuid, version: Uuid) -> Row {
        let mut row = Row(table.columns.iter().map(|c| c.kind.default_datum()).collect());
        row.set(UUID_COLUMN, Datum::one(uuid));
        row.set(VERSION_COLUMN, Datum::one(version));
        row
    }

    /// The row's name.
    pub fn uuid(&self) -> Uuid {
        self.0[UUID_COLUMN].as_uuid().unwrap_or_default()
    }

    /// A UUID that changes whenever the row does.
    pub fn version(&self) -> Uuid {
        self.0[VERSION_COLUMN].as_uuid().unwrap_or_default()
    }

    /// All columns.
    pub fn columns(&self) -> &[Datum] {
        &self.0
    }

    /// Sets a column.
    pub fn set(&mut self, column: usize, value: Datum) {
        Arc::make_mut(&mut self.0)[column] = value;
    }

    /// Whether the columns of the schema (not `_version`) are the same.
    pub fn same_data(&self, other: &Row) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0[IMPLICIT_COLUMNS..] == other.0[IMPLICIT_COLUMNS..]
    }

    /// Whether both are one and the same.
    pub fn ptr_eq(&self, other: &Row) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// These columns as the `<row>` of RFC 7047.
    pub fn to_json(&self, table: &TableSchema, columns: impl IntoIterator<Item = usize>) -> Object {
        let member = |c: usize| (table.columns[c].name.clone(), self.0[c].to_json(&table.columns[c].kind));
        columns.into_iter().map(member).collect()
    }
}

impl Index<usize> for Row {
    type Output = Datum;
    fn index(&self, column: usize) -> &Datum {
        &self.0[column]
    }
}

/// Reads a `<row>`: columns with their values, checked against their types.
pub fn columns_from_json(
    json: &Value,
    table: &TableSchema,
    names: &mut dyn SymbolTable,
) -> Result<Vec<(usize, Datum)>, Error> {
    columns_by(json, table, |value, c| Datum::from_json(value, &table.columns[c].kind, names))
}

/// Reads a `<row>` whose values need not satisfy constraints, and may have any number of elements: differences,
/// and what a server has checked.
pub fn columns_unchecked(
    json: &Value,
    table: &TableSchema,
    names: &mut dyn SymbolTable,
) -> Result<Vec<(usize, Datum)>, Error> {
    columns_by(json, table, |value, c| Datum::from_json_unchecked(value, &table.columns[c].kind, names))
}

fn columns_by(
    json: &Value,
    table: &TableSchema,
    mut datum: impl FnMut(&Value, usize) -> Result<Datum, Error>,
) -> Result<Vec<(usize, Datum)>, Error> {
    let Some(object) = json.as_object() else {
        return Err(Error::syntax(json, "row must be JSON object"));
    };
    let mut columns = Vec::with_capacity(object.len());
    for (name, value) in object.iter() {
        let Some(c) = table.column(name) else {
            let details = format!("No column {name} in table {}.", table.name);
            return Err(Error::new("unknown column", details).at(json));
        };
        columns.push((c, datum(value, c)?));
    }
    Ok(columns)
}
