//! Rows as Rust values.
//!
//! A [`Record`] is a struct whose fields are columns, declared with [`records!`](crate::records). It says which
//! columns a replica has to copy, whether a server's schema has them with fitting types, and it is read from a row
//! or written into a transaction as a whole.

use super::{Interest, Replica, Txn};
use crate::atom::{Atom, AtomType};
use crate::datum::Datum;
use crate::db::{Changes, Database};
use crate::error::Error;
use crate::row::Row;
use crate::schema::{Schema, TableSchema};
use crate::types::ColumnType;
use crate::uuid::Uuid;
use std::collections::{BTreeMap, BTreeSet};

/// A value that an atom can be.
pub trait Element: Sized {
    /// Which atoms.
    const KIND: AtomType;
    /// The value of an atom, if it is of that kind.
    fn from_atom(atom: &Atom) -> Option<Self>;
    /// The atom.
    fn to_atom(&self) -> Atom;
}

macro_rules! element {
    ($t:ty, $kind:ident, $from:expr, $to:expr) => {
        impl Element for $t {
            const KIND: AtomType = AtomType::$kind;
            fn from_atom(atom: &Atom) -> Option<Self> {
                let from: fn(&Atom) -> Option<Self> = $from;
                from(atom)
            }
            fn to_atom(&self) -> Atom {
                let to: fn(&Self) -> Atom = $to;
                to(self)
            }
        }
    };
}

element!(i64, Integer, Atom::as_integer, |v| Atom::Integer(*v));
element!(f64, Real, Atom::as_real, |v| Atom::Real(*v));
element!(bool, Boolean, Atom::as_bool, |v| Atom::Boolean(*v));
element!(String, String, |a| a.as_str().map(String::from), |v| Atom::string(v.as_str()));
element!(Uuid, Uuid, Atom::as_uuid, |v| Atom::Uuid(*v));

/// A value that a column can have: an element, an optional one, a set or a map of them.
pub trait Field: Sized {
    /// Whether every value of a column of this type is one.
    fn fits(kind: &ColumnType) -> bool;
    /// The value of a column, if it is one.
    fn from_datum(datum: &Datum) -> Option<Self>;
    /// What the column is to have.
    fn to_datum(&self) -> Datum;
}

impl<E: Element> Field for E {
    fn fits(kind: &ColumnType) -> bool {
        kind.value.is_none() && kind.key.kind == E::KIND && kind.min == 1 && kind.max == 1
    }
    fn from_datum(datum: &Datum) -> Option<E> {
        E::from_atom(datum.as_one()?)
    }
    fn to_datum(&self) -> Datum {
        Datum::One(self.to_atom())
    }
}

impl<E: Element> Field for Option<E> {
    fn fits(kind: &ColumnType) -> bool {
        kind.value.is_none() && kind.key.kind == E::KIND && kind.max == 1
    }
    fn from_datum(datum: &Datum) -> Option<Option<E>> {
        match datum {
            Datum::Empty => Some(None),
            other => Some(Some(E::from_atom(other.as_one()?)?)),
        }
    }
    fn to_datum(&self) -> Datum {
        self.as_ref().map_or(Datum::Empty, |e| Datum::One(e.to_atom()))
    }
}

fn fits_set<E: Element>(kind: &ColumnType) -> bool {
    kind.value.is_none() && kind.key.kind == E::KIND
}

impl<E: Element> Field for Vec<E> {
    fn fits(kind: &ColumnType) -> bool {
        fits_set::<E>(kind)
    }
    fn from_datum(datum: &Datum) -> Option<Vec<E>> {
        datum.keys().map(E::from_atom).collect()
    }
    fn to_datum(&self) -> Datum {
        Datum::set(self.iter().map(E::to_atom))
    }
}

impl<E: Element + Ord> Field for BTreeSet<E> {
    fn fits(kind: &ColumnType) -> bool {
        fits_set::<E>(kind)
    }
    fn from_datum(datum: &Datum) -> Option<BTreeSet<E>> {
        datum.keys().map(E::from_atom).collect()
    }
    fn to_datum(&self) -> Datum {
        Datum::set(self.iter().map(E::to_atom))
    }
}

impl<K: Element + Ord, V: Element> Field for BTreeMap<K, V> {
    fn fits(kind: &ColumnType) -> bool {
        kind.key.kind == K::KIND && kind.value.as_ref().is_some_and(|v| v.kind == V::KIND)
    }
    fn from_datum(datum: &Datum) -> Option<BTreeMap<K, V>> {
        datum.pairs().iter().map(|(k, v)| Some((K::from_atom(k)?, V::from_atom(v)?))).collect()
    }
    fn to_datum(&self) -> Datum {
        Datum::map(self.iter().map(|(k, v)| (k.to_atom(), v.to_atom())))
    }
}

/// A row of a certain table as a Rust value. Declared with [`records!`](crate::records).
pub trait Record: Sized {
    /// The table.
    const TABLE: &'static str;
    /// The columns.
    const COLUMNS: &'static [&'static str];

    /// Whether a column of this name and type fits the field.
    fn fits(column: &str, kind: &ColumnType) -> bool;
    /// Reads a row. Columns that the table lacks are as if they had their default values.
    fn read(table: &TableSchema, row: &Row) -> Option<Self>;
    /// The columns' values by name.
    fn values(&self) -> Vec<(&'static str, Datum)>;
    /// The row's UUID.
    fn uuid(&self) -> Uuid;

    /// Fails if the schema has no such table, or a column of another type. Columns that it lacks are no error.
    fn check(schema: &Schema) -> Result<(), Error> {
        let Some(t) = schema.table(Self::TABLE) else {
            return Err(Error::new("unknown table", format!("No table named {}.", Self::TABLE)));
        };
        for (_, column) in schema.tables[t].own_columns().filter(|c| Self::COLUMNS.contains(&&*c.1.name)) {
            if !Self::fits(&column.name, &column.kind) {
                let details =
                    format!("{}.{} has type {}", Self::TABLE, column.name, column.kind.to_english());
                return Err(Error::new("unexpected type", details));
            }
        }
        Ok(())
    }

    /// Adds the record's table and columns to what a replica is to copy.
    fn add_to(interest: &mut Interest) {
        let Interest::Tables(tables) = interest else { return };
        let columns = tables.entry(Self::TABLE.to_string()).or_insert_with(|| Some(Vec::new()));
        if let Some(list) = columns {
            for c in Self::COLUMNS.iter().filter(|c| **c != "_uuid") {
                if !list.iter().any(|l| l == c) {
                    list.push(c.to_string());
                }
            }
        }
    }

    /// Inserts a row with these values; returns its name within the transaction.
    fn insert(&self, txn: &mut Txn, db: &Database) -> Option<Uuid> {
        let t = db.schema().table(Self::TABLE)?;
        let row = txn.insert(db, t, None);
        self.write(txn, db, row);
        Some(row)
    }

    /// Writes those values into a row in which they differ from what the transaction has.
    fn write(&self, txn: &mut Txn, db: &Database, row: Uuid) {
        let Some(t) = db.schema().table(Self::TABLE) else { return };
        for (name, value) in self.values() {
            if let Some(c) = db.schema().tables[t].column(name)
                && txn.row(db, t, row).is_some_and(|r| r[c] != value)
            {
                txn.set(db, t, row, c, value);
            }
        }
    }
}

/// What happened to a record.
#[derive(Clone, Debug, PartialEq)]
pub enum Change<R> {
    /// It came.
    Inserted(R),
    /// It is another now.
    Modified {
        /// As it was.
        old: R,
        /// As it is.
        new: R,
    },
    /// It went.
    Deleted(R),
}

/// The changes of one kind of record among all.
pub fn changes_of<R: Record>(schema: &Schema, changes: &Changes) -> Vec<Change<R>> {
    let Some(t) = schema.table(R::TABLE) else { return Vec::new() };
    let ts = &schema.tables[t];
    let read = |row: &Option<Row>| row.as_ref().and_then(|r| R::read(ts, r));
    let one = |c: &crate::db::RowChange| match (read(&c.old), read(&c.new)) {
        (None, Some(new)) => Some(Change::Inserted(new)),
        (Some(old), Some(new)) => Some(Change::Modified { old, new }),
        (Some(old), None) => Some(Change::Deleted(old)),
        (None, None) => None,
    };
    changes.of(t).iter().filter_map(one).collect()
}

impl Replica {
    /// The records of a table.
    pub fn records<R: Record>(&self) -> impl Iterator<Item = R> {
        let schema = self.schema().cloned();
        self.rows(R::TABLE).filter_map(move |row| {
            let schema = schema.as_ref()?;
            R::read(&schema.tables[schema.table(R::TABLE)?], row)
        })
    }

    /// One record.
    pub fn record<R: Record>(&self, uuid: Uuid) -> Option<R> {
        let db = self.db()?;
        let t = db.schema().table(R::TABLE)?;
        R::read(&db.schema().tables[t], db.table(t).get(uuid)?)
    }
}

/// Declares records: structs whose fields are columns, with a field `uuid` besides.
///
/// ```
/// use std::collections::BTreeMap;
///
/// ovsdb::records! {
///     /// A bridge.
///     pub struct Bridge in "Bridge" {
///         name: String,
///         ports: Vec<ovsdb::Uuid>,
///         fail_mode: Option<String>,
///         other_config: BTreeMap<String, String>,
///     }
/// }
///
/// use ovsdb::replica::Record;
/// assert_eq!(Bridge::COLUMNS, ["name", "ports", "fail_mode", "other_config"]);
/// ```
#[macro_export]
macro_rules! records {
    ($($(#[$attribute:meta])* $visible:vis struct $name:ident in $table:literal {
        $($(#[$of_field:meta])* $field:ident: $kind:ty),* $(,)?
    })*) => {$(
        $(#[$attribute])*
        #[derive(Clone, Debug, Default, PartialEq)]
        $visible struct $name {
            /// The row's name.
            pub uuid: $crate::Uuid,
            $($(#[$of_field])* pub $field: $kind,)*
        }

        impl $crate::replica::Record for $name {
            const TABLE: &'static str = $table;
            const COLUMNS: &'static [&'static str] = &[$(stringify!($field)),*];

            fn fits(column: &str, kind: &$crate::ColumnType) -> bool {
                match column {
                    $(stringify!($field) => <$kind as $crate::replica::Field>::fits(kind),)*
                    _ => true,
                }
            }

            fn read(table: &$crate::TableSchema, row: &$crate::Row) -> Option<Self> {
                Some($name {
                    uuid: row.uuid(),
                    $($field: match table.column(stringify!($field)) {
                        Some(c) => <$kind as $crate::replica::Field>::from_datum(&row[c])?,
                        None => Default::default(),
                    },)*
                })
            }

            fn values(&self) -> Vec<(&'static str, $crate::Datum)> {
                vec![$((stringify!($field), $crate::replica::Field::to_datum(&self.$field))),*]
            }

            fn uuid(&self) -> $crate::Uuid {
                self.uuid
            }
        }
    )*};
}
