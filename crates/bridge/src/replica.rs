//! The replica of the database, read as [`crate::rows`].

use crate::rows::{Map, Row, RowId, Rows};
use ovsdb::db::Database;
use ovsdb::row::Row as DbRow;
use ovsdb::{Atom, Datum, TableSchema, Uuid};

/// A database to read from.
pub struct DatabaseRows<'a>(pub &'a Database);

struct View<'a> {
    schema: &'a TableSchema,
    row: &'a DbRow,
}

/// The UUID as this crate has it.
pub fn row_id(uuid: Uuid) -> RowId {
    RowId(uuid.as_u128())
}

/// And back.
pub fn uuid(id: RowId) -> Uuid {
    Uuid::from_u128(id.0)
}

impl Rows for DatabaseRows<'_> {
    fn table(&self, table: &str) -> Vec<Box<dyn Row + '_>> {
        let Some(t) = self.0.schema().table(table) else { return Vec::new() };
        let schema = &self.0.schema().tables[t];
        self.0.table(t).rows().map(|row| Box::new(View { schema, row }) as Box<dyn Row>).collect()
    }

    fn row(&self, table: &str, id: RowId) -> Option<Box<dyn Row + '_>> {
        let t = self.0.schema().table(table)?;
        let schema = &self.0.schema().tables[t];
        self.0.table(t).get(uuid(id)).map(|row| Box::new(View { schema, row }) as Box<dyn Row>)
    }
}

impl View<'_> {
    fn datum(&self, column: &str) -> &Datum {
        self.schema.column(column).and_then(|c| self.row.columns().get(c)).unwrap_or(&Datum::EMPTY)
    }
}

impl Row for View<'_> {
    fn id(&self) -> RowId {
        row_id(self.row.uuid())
    }
    fn strings(&self, column: &str) -> Vec<String> {
        self.datum(column).keys().filter_map(Atom::as_str).map(String::from).collect()
    }
    fn ints(&self, column: &str) -> Vec<i64> {
        self.datum(column).keys().filter_map(Atom::as_integer).collect()
    }
    fn bool(&self, column: &str) -> Option<bool> {
        self.datum(column).as_bool()
    }
    fn map(&self, column: &str) -> Map {
        let pairs = self.datum(column).pairs();
        pairs.iter().filter_map(|(k, v)| Some((k.as_str()?.into(), v.as_str()?.into()))).collect()
    }
    fn refs(&self, column: &str) -> Vec<RowId> {
        self.datum(column).keys().filter_map(Atom::as_uuid).map(row_id).collect()
    }
    fn int_refs(&self, column: &str) -> Vec<(i64, RowId)> {
        let pairs = self.datum(column).pairs();
        pairs.iter().filter_map(|(k, v)| Some((k.as_integer()?, row_id(v.as_uuid()?)))).collect()
    }
}
