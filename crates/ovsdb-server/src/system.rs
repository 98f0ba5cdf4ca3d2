//! `_Server`: the database about the databases, which every server has (ovsdb-server(5)).

use ovsdb::db::{Changes, RowChange, TableChanges};
use ovsdb::schema::IMPLICIT_COLUMNS;
use ovsdb::{Database, Datum, Row, Schema, Uuid, UuidSource};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Its name.
pub const NAME: &str = "_Server";

const SCHEMA: &str = r#"{"name":"_Server","version":"1.2.0","cksum":"3009684573 744","tables":{"Database":{"columns":{
"cid":{"type":{"key":{"type":"uuid"},"min":0,"max":1}},
"connected":{"type":"boolean"},
"index":{"type":{"key":{"type":"integer"},"min":0,"max":1}},
"leader":{"type":"boolean"},
"model":{"type":{"key":{"type":"string","enum":["set",["standalone","clustered","relay"]]}}},
"name":{"type":"string"},
"schema":{"type":{"key":{"type":"string"},"min":0,"max":1}},
"sid":{"type":{"key":{"type":"uuid"},"min":0,"max":1}}}}}}"#;

/// The database, empty.
pub fn database() -> Database {
    match Schema::parse(SCHEMA) {
        Ok(schema) => Database::new(Arc::new(schema)),
        // The text above is constant, and a test parses it.
        Err(e) => unreachable!("the built-in schema is good: {e}"),
    }
}

/// What there is to say of a database.
#[derive(Debug)]
pub struct Shown {
    /// Its schema, if there is one yet.
    pub schema: Option<String>,
    /// Whether it is a relay.
    pub relay: bool,
    /// Whether its contents are as new as can be.
    pub connected: bool,
}

/// What must change so that `db` says that there are these databases.
pub fn update(db: &Database, served: &BTreeMap<String, Shown>, uuids: &mut UuidSource) -> Changes {
    let ts = &db.schema().tables[0];
    let set = |row: &mut Row, name: &str, value: Datum| {
        if let Some(c) = ts.column(name).filter(|c| *c >= IMPLICIT_COLUMNS) {
            row.set(c, value);
        }
    };
    let make = |name: &str, shown: &Shown, uuid: Uuid, version: Uuid| {
        let mut row = Row::new(ts, uuid, version);
        set(&mut row, "name", Datum::one(name));
        set(&mut row, "model", Datum::one(if shown.relay { "relay" } else { "standalone" }));
        set(&mut row, "connected", Datum::one(shown.connected));
        set(&mut row, "leader", Datum::one(!shown.relay));
        set(&mut row, "schema", shown.schema.as_deref().map_or(Datum::EMPTY, Datum::one));
        row
    };
    let column = ts.column("name").unwrap_or(IMPLICIT_COLUMNS);
    let mut rows = Vec::new();
    let mut known = Vec::new();
    for old in db.table(0).rows() {
        let name = old[column].as_str().unwrap_or("");
        known.push(name.to_owned());
        let new = served.get(name).map(|s| make(name, s, old.uuid(), uuids.next_uuid()));
        if new.as_ref().is_none_or(|n| !n.same_data(old)) {
            rows.push(RowChange { uuid: old.uuid(), old: Some(old.clone()), new });
        }
    }
    for (name, schema) in served.iter().filter(|(n, _)| !known.contains(n)) {
        let new = make(name, schema, uuids.next_uuid(), uuids.next_uuid());
        rows.push(RowChange { uuid: new.uuid(), old: None, new: Some(new) });
    }
    let mut changes = Changes::default();
    if !rows.is_empty() {
        changes.tables.push(TableChanges { table: 0, rows });
    }
    changes
}
