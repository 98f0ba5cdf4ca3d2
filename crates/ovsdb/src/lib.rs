//! The database: JSON, the types, schema and operations of RFC 7047 with the extensions that switches rely on,
//! monitors, the format of the log on disk, and a client's replica. No I/O: bytes and messages in, bytes and
//! messages out; `ovsdb-server` and the tools carry them.
//!
//! The parts stand on each other in this order:
//!
//! ```text
//! json
//!   └─ error, uuid ── atom ── types ── datum ── schema ── row
//!                                       │          └─ db ── transaction ── monitor
//!                                       │                └─ log ── file     └─ replica
//!                                       └─ text
//! ```

pub mod atom;
pub mod condition;
pub mod convert;
pub mod datum;
pub mod db;
pub mod error;
pub mod follow;
pub mod json;
pub mod log;
pub mod monitor;
pub mod mutation;
pub mod parser;
pub mod replica;
pub mod row;
pub mod schema;
pub mod string;
pub mod text;
pub mod transaction;
pub mod types;
pub mod uuid;

pub use atom::{Atom, AtomType};
pub use datum::Datum;
pub use db::{Changes, Database};
pub use error::Error;
pub use json::Value;
pub use row::Row;
pub use schema::{ColumnSchema, Schema, TableSchema};
pub use types::{BaseType, ColumnType, RefType};
pub use uuid::{Uuid, UuidSource};

/// Its example is tested with the others.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
