//! The conversation with the server: the rows that commands need, the transaction, waiting for its effect.
//!
//! Rows come in one of two ways. A replica of whole tables serves every command. For commands that concern a few
//! rows that they name, [`Session::select`] fetches just those: then the cost of adding a port does not grow with
//! the number of ports.

use super::model::Model;
use base::Logger;
use ovsdb::json::Value;
use ovsdb::replica::{Config, Interest, Replica};
use ovsdb::{Datum, Schema, Uuid};
use reactor::jsonrpc::{Client, Failure, Message};
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

/// Tables with the columns wanted of each; `None` for all.
pub type Wanted = BTreeMap<String, Option<Vec<String>>>;

/// A connection to one database with a copy of the rows asked for.
pub struct Session {
    client: Client,
    database: &'static str,
    schema: Arc<Schema>,
    replica: Option<Replica>,
    /// Ids of our own requests; the replica's are below.
    next_id: i64,
    log: Logger,
}

/// What became of a transaction.
pub enum Outcome {
    /// Committed: the results, one for each operation.
    Committed(Vec<Value>),
    /// What was relied on has changed meanwhile: the commands are to run again on what there is now.
    Again,
    /// Refused for good: the words for the user, and the error as the log has it.
    Failed {
        /// What to say at the end.
        text: String,
        /// The server's error object.
        error: String,
    },
}

/// Fails as the connection does, in the words that operators know.
fn lost(error: &io::Error) -> String {
    format!("database connection failed ({})", reactor::errno::text(error))
}

const FIRST_ID: i64 = 1 << 32;

impl Session {
    /// Reads the schema of `database` over an open connection, and with it, in the same breath, what `queries`
    /// (operations) select.
    pub fn open(
        client: Client,
        database: &'static str,
        queries: Vec<Value>,
        log: Logger,
    ) -> Result<(Session, Option<Vec<Value>>), String> {
        // Stands in until the server's is there.
        let schema = Arc::new(Schema {
            name: database.into(),
            version: "".into(),
            cksum: "".into(),
            tables: Box::default(),
        });
        let mut s = Session { client, database, schema, replica: None, next_id: FIRST_ID, log };
        let asked = s.send("get_schema", vec![database.into()]);
        let selected = (!queries.is_empty()).then(|| s.send_transact(queries));
        let reply = s.reply(asked).map_err(|e| match e {
            Failure::Io(e) => lost(&e),
            Failure::Refused(error) => format!("{database} database has no schema: {}", error_text(&error)),
        })?;
        s.schema = Arc::new(Schema::from_json(&reply).map_err(|e| format!("parsing schema: {e}"))?);
        let rows = match selected {
            Some(id) => s.selected(id)?,
            None => None,
        };
        Ok((s, rows))
    }

    /// The schema.
    pub fn schema(&self) -> &Arc<Schema> {
        &self.schema
    }

    fn send(&mut self, method: &str, params: Vec<Value>) -> i64 {
        let id = self.next_id;
        self.next_id += 1;
        self.client.send(&Message::request(id, method, params));
        id
    }

    fn send_transact(&mut self, operations: Vec<Value>) -> i64 {
        let mut params = vec![self.database.into()];
        params.extend(operations);
        self.send("transact", params)
    }

    /// Waits for the reply to one of our requests; the replica gets what else comes.
    fn reply(&mut self, id: i64) -> Result<Value, Failure> {
        loop {
            match self.client.recv()? {
                Message::Reply { id: i, result } if i.as_integer() == Some(id) => return Ok(result),
                Message::Error { id: i, error } if i.as_integer() == Some(id) => {
                    return Err(Failure::Refused(error));
                }
                other => self.take(other),
            }
        }
    }

    fn take(&mut self, message: Message) {
        match (message, &mut self.replica) {
            (Message::Request { id, method, params }, _) if method == "echo" => {
                self.client.send(&Message::Reply { id, result: Value::Array(params) });
            }
            (Message::Notification { method, params }, Some(r)) => {
                r.on_notification(&method, &params);
            }
            (Message::Reply { id, result }, Some(r)) => {
                r.on_reply(&id, Ok(result));
            }
            (Message::Error { id, error }, Some(r)) => {
                r.on_reply(&id, Err(error));
            }
            _ => {}
        }
        self.send_replicas();
    }

    fn send_replicas(&mut self) {
        while let Some(q) = self.replica.as_mut().and_then(Replica::poll_send) {
            self.client.send(&Message::request(q.id, q.method, q.params));
        }
    }

    /// Begins to copy tables; [`Session::wait_until_ready`] waits for them.
    pub fn monitor(&mut self, wanted: Wanted) {
        let config =
            Config { database: self.database.to_string(), interest: Interest::Tables(wanted), lock: None };
        let mut replica = Replica::new(config, [0; 32]);
        replica.connected_with(self.schema.clone());
        self.replica = Some(replica);
        self.send_replicas();
    }

    /// Whether tables are being copied.
    pub fn is_monitoring(&self) -> bool {
        self.replica.is_some()
    }

    /// Waits for the contents of the tables asked for.
    pub fn wait_until_ready(&mut self) -> Result<(), String> {
        while !self.replica.as_ref().is_none_or(Replica::is_ready) {
            if let Some(error) = self.replica.as_ref().and_then(Replica::error) {
                return Err(error.to_string());
            }
            let message = self.client.recv().map_err(|e| lost(&e))?;
            self.take(message);
        }
        Ok(())
    }

    /// Runs queries: the rows that each selected, or nothing if the server did not like one.
    pub fn select(&mut self, queries: Vec<Value>) -> Result<Option<Vec<Value>>, String> {
        let id = self.send_transact(queries);
        self.selected(id)
    }

    fn selected(&mut self, id: i64) -> Result<Option<Vec<Value>>, String> {
        match self.reply(id) {
            Ok(Value::Array(results)) => {
                let rows: Option<Vec<Value>> = results.iter().map(|r| r.get("rows").cloned()).collect();
                Ok(rows)
            }
            Ok(_) | Err(Failure::Refused(_)) => Ok(None),
            Err(Failure::Io(e)) => Err(lost(&e)),
        }
    }

    /// The copied rows as a model to work on.
    pub fn model(&self, seed: [u8; 32]) -> Model {
        let mut model = Model::new(self.schema.clone(), seed);
        if let Some(db) = self.replica.as_ref().and_then(Replica::db) {
            for t in 0..self.schema.tables.len() {
                db.table(t).rows().for_each(|row| model.load(t, row.clone()));
            }
        }
        model
    }

    /// A value as the server last had it.
    pub fn value(&self, table: &str, row: Uuid, column: &str) -> &Datum {
        let find = || {
            let db = self.replica.as_ref()?.db()?;
            let t = self.schema.table(table)?;
            Some(&db.table(t).get(row)?[self.schema.tables[t].column(column)?])
        };
        find().unwrap_or(&Datum::EMPTY)
    }

    /// UUIDs of a table's rows.
    pub fn rows(&self, table: &str) -> impl Iterator<Item = Uuid> {
        self.replica.iter().flat_map(move |r| r.rows(table)).map(ovsdb::Row::uuid)
    }

    /// Takes in what the server has done up to now.
    pub fn catch_up(&mut self) -> Result<(), String> {
        let id = self.send("echo", Vec::new());
        match self.reply(id) {
            Err(Failure::Io(e)) => Err(lost(&e)),
            _ => Ok(()),
        }
    }

    /// Waits for the next change that the server reports.
    pub fn wait_for_update(&mut self) -> Result<(), String> {
        let seqno = |s: &Session| s.replica.as_ref().map_or(0, Replica::seqno);
        let before = seqno(self);
        while seqno(self) == before {
            if let Some(error) = self.replica.as_ref().and_then(Replica::error) {
                return Err(error.to_string());
            }
            let message = self.client.recv().map_err(|e| lost(&e))?;
            self.take(message);
        }
        Ok(())
    }

    /// Sends a transaction and waits for its result; changes reported meanwhile are applied. The first `guards`
    /// operations fail when what the rest relies on has changed.
    pub fn transact(&mut self, guards: usize, operations: Vec<Value>) -> Result<Outcome, String> {
        let id = self.send_transact(operations);
        match self.reply(id) {
            Ok(result) => Ok(outcome(result, guards)),
            Err(Failure::Refused(error)) => {
                let text = error_text(&error);
                Ok(Outcome::Failed { text: text.clone(), error: text })
            }
            Err(Failure::Io(e)) => Err(lost(&e)),
        }
    }

    /// Puts the server's refusal in the log.
    pub fn log_refusal(&self, error: &str) {
        base::warn!(self.log, "ovsdb_idl", "transaction error: {error}");
    }
}

fn outcome(result: Value, guards: usize) -> Outcome {
    let Value::Array(mut results) = result else {
        let error = "malformed reply".to_string();
        return Outcome::Failed { text: error.clone(), error };
    };
    for (n, r) in results.iter().enumerate() {
        let Some(error) = r.get("error").and_then(Value::as_str) else { continue };
        if n < guards && error == "timed out" {
            return Outcome::Again;
        }
        let full = error_text(r);
        let text = match error {
            "aborted" => "transaction aborted".to_string(),
            _ => format!("transaction error: {full}"),
        };
        return Outcome::Failed { text, error: full };
    }
    results.drain(..guards.min(results.len()));
    Outcome::Committed(results)
}

fn error_text(error: &Value) -> String {
    let mut text = String::new();
    error.write(&mut text);
    text
}
