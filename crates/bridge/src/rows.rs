//! Database rows as this crate reads them: by column, in the types that the columns have.
//!
//! The seam keeps [`crate::config`] a function from data to data: a replica of the database stands behind it
//! in the daemon, a literal in tests.

use std::collections::BTreeMap;

/// A string-to-string column.
pub type Map = BTreeMap<String, String>;

/// A row's UUID.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RowId(pub u128);

/// A database to read from.
pub trait Rows {
    /// Every row of a table.
    fn table(&self, table: &str) -> Vec<Box<dyn Row + '_>>;
    /// One row.
    fn row(&self, table: &str, id: RowId) -> Option<Box<dyn Row + '_>>;
}

/// One row. A column that is absent or of another type reads as empty.
pub trait Row {
    /// The row's UUID.
    fn id(&self) -> RowId;
    /// An optional or plain string.
    fn string(&self, column: &str) -> Option<String> {
        self.strings(column).into_iter().next()
    }
    /// A set of strings.
    fn strings(&self, column: &str) -> Vec<String>;
    /// An optional or plain integer.
    fn int(&self, column: &str) -> Option<i64> {
        self.ints(column).into_iter().next()
    }
    /// A set of integers.
    fn ints(&self, column: &str) -> Vec<i64>;
    /// An optional or plain boolean.
    fn bool(&self, column: &str) -> Option<bool>;
    /// A map from strings to strings.
    fn map(&self, column: &str) -> Map;
    /// A set of references.
    fn refs(&self, column: &str) -> Vec<RowId>;
    /// A map from integers to references.
    fn int_refs(&self, column: &str) -> Vec<(i64, RowId)>;
}
