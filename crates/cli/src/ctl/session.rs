//! The conversation with the server: the rows that commands need, the transaction, waiting for its effect.

use super::model::Model;
use base::Logger;
use ovsdb::atom::NoSymbols;
use ovsdb::json::Value;
use ovsdb::{Datum, Schema, Uuid};
use reactor::jsonrpc::Message;
use reactor::jsonrpc::{Client, Failure};
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

/// A connection to one database with a copy of the rows asked for.
pub struct Session {
    client: Client,
    database: &'static str,
    schema: Arc<Schema>,
    rows: Vec<BTreeMap<Uuid, Vec<Datum>>>,
    log: Logger,
}

/// What became of a transaction.
pub enum Outcome {
    /// Committed: the results, one for each operation.
    Committed(Vec<Value>),
    /// Refused for good.
    Failed(String),
}

/// Fails as the connection does, in the words that operators know.
fn lost(error: &io::Error) -> String {
    format!("database connection failed ({})", reactor::errno::text(error))
}

impl Session {
    /// Reads the schema of `database` over an open connection.
    pub fn open(mut client: Client, database: &'static str, log: Logger) -> Result<Session, String> {
        let reply = client.transact("get_schema", vec![database.into()]).map_err(|e| match e {
            Failure::Io(e) => lost(&e),
            Failure::Refused(error) => format!("{database} database has no schema: {}", error_text(&error)),
        })?;
        let schema = Schema::from_json(&reply).map_err(|e| format!("parsing schema: {e}"))?;
        let rows = vec![BTreeMap::new(); schema.tables.len()];
        Ok(Session { client, database, schema: Arc::new(schema), rows, log })
    }

    /// The schema.
    pub fn schema(&self) -> &Arc<Schema> {
        &self.schema
    }

    /// Asks for rows: of each table the columns that `wanted` chooses (by table and column number). Changes follow.
    pub fn monitor(&mut self, wanted: impl Fn(usize, usize) -> bool) -> Result<(), String> {
        let mut requests = Vec::new();
        for (t, table) in self.schema.tables.iter().enumerate() {
            let columns: Vec<Value> = table
                .own_columns()
                .filter(|(c, _)| wanted(t, *c))
                .map(|(_, column)| (*column.name).into())
                .collect();
            if !columns.is_empty() {
                requests.push((&*table.name, Value::object([("columns", Value::Array(columns))])));
            }
        }
        let params = vec![self.database.into(), Value::Null, Value::object(requests)];
        let reply = self.client.transact("monitor", params).map_err(|e| match e {
            Failure::Io(e) => lost(&e),
            Failure::Refused(error) => error_text(&error),
        })?;
        self.update(&reply)
    }

    /// Applies a `<table-updates>` object (RFC 7047 section 4.1.6).
    fn update(&mut self, updates: &Value) -> Result<(), String> {
        let Some(tables) = updates.as_object() else { return Err("malformed table updates".into()) };
        for (name, rows) in tables.iter() {
            let (Some(t), Some(rows)) = (self.schema.table(name), rows.as_object()) else { continue };
            for (uuid, change) in rows.iter() {
                let Ok(uuid) = uuid.parse::<Uuid>() else { continue };
                match change.get("new") {
                    Some(new) => self.load(t, uuid, new)?,
                    None => {
                        self.rows[t].remove(&uuid);
                    }
                }
            }
        }
        Ok(())
    }

    fn load(&mut self, t: usize, uuid: Uuid, new: &Value) -> Result<(), String> {
        let table = &self.schema.tables[t];
        let values = self.rows[t].entry(uuid).or_insert_with(|| {
            let mut values: Vec<Datum> = table.columns.iter().map(|c| c.kind.default_datum()).collect();
            values[ovsdb::schema::UUID_COLUMN] = Datum::one(uuid);
            values
        });
        for (name, json) in new.as_object().into_iter().flat_map(|o| o.iter()) {
            if let Some(c) = table.column(name) {
                values[c] = Datum::from_json(json, &table.columns[c].kind, &mut NoSymbols)
                    .map_err(|e| format!("{}.{name}: {e}", table.name))?;
            }
        }
        Ok(())
    }

    /// The rows as a model to work on.
    pub fn model(&self, seed: [u8; 32]) -> Model {
        let mut model = Model::new(self.schema.clone(), seed);
        for (t, rows) in self.rows.iter().enumerate() {
            for (uuid, values) in rows {
                model.load(t, *uuid, values.clone());
            }
        }
        model
    }

    /// A value as the server last had it.
    pub fn value(&self, table: &str, row: Uuid, column: &str) -> &Datum {
        let Some(t) = self.schema.table(table) else { return &Datum::EMPTY };
        let Some(c) = self.schema.tables[t].column(column) else { return &Datum::EMPTY };
        self.rows[t].get(&row).map_or(&Datum::EMPTY, |v| &v[c])
    }

    /// UUIDs of a table's rows.
    pub fn rows(&self, table: &str) -> impl Iterator<Item = Uuid> {
        self.schema.table(table).into_iter().flat_map(|t| self.rows[t].keys().copied())
    }

    /// Waits for the next change that the server reports.
    pub fn wait_for_update(&mut self) -> Result<(), String> {
        loop {
            match self.client.recv().map_err(|e| lost(&e))? {
                Message::Notification { method, params } if method == "update" => {
                    return match params.get(1) {
                        Some(updates) => self.update(updates),
                        None => Err("malformed update".into()),
                    };
                }
                Message::Request { id, method, params } if method == "echo" => {
                    self.client.send(&Message::Reply { id, result: Value::Array(params) });
                }
                _ => {}
            }
        }
    }

    /// Sends a transaction and waits for its result; changes reported meanwhile are applied.
    pub fn transact(&mut self, operations: Vec<Value>) -> Result<Outcome, String> {
        let mut params = vec![self.database.into()];
        params.extend(operations);
        let id = self.client.send_request("transact", params);
        loop {
            match self.client.recv().map_err(|e| lost(&e))? {
                Message::Reply { id: i, result } if i == id => return Ok(self.outcome(result)),
                Message::Error { id: i, error } if i == id => return Ok(Outcome::Failed(error_text(&error))),
                Message::Notification { method, params } if method == "update" => {
                    if let Some(updates) = params.get(1) {
                        self.update(updates)?;
                    }
                }
                Message::Request { id, method, params } if method == "echo" => {
                    self.client.send(&Message::Reply { id, result: Value::Array(params) });
                }
                _ => {}
            }
        }
    }

    fn outcome(&self, result: Value) -> Outcome {
        let Value::Array(results) = result else { return Outcome::Failed("malformed reply".into()) };
        for r in &results {
            let Some(error) = r.get("error").and_then(Value::as_str) else { continue };
            return match error {
                "aborted" => Outcome::Failed("transaction aborted".into()),
                _ => {
                    let text = format!("transaction error: {}", error_text(r));
                    base::warn!(self.log, "ovsdb_idl", "{text}");
                    Outcome::Failed(text)
                }
            };
        }
        Outcome::Committed(results)
    }
}

fn error_text(error: &Value) -> String {
    let mut text = String::new();
    error.write(&mut text);
    text
}
