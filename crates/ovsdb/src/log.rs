//! The database's file: a log of JSON records.
//!
//! ```text
//! OVSDB JSON <length> <SHA-1 of the record>\n
//! <record>\n
//! ```
//!
//! The length counts the record with its line feed. The first record is the schema, each other one a
//! transaction: an object of tables, each an object of rows by UUID, each an object of columns, or null for a
//! row that is deleted. With `_is_diff` the columns of a row that exists hold what makes the new value of the
//! old one ([`Datum::diff`]), else the new values themselves. Whatever comes after the first damage does not
//! count, so a write that a crash cut short never happened.
//!
//! Nothing here reads or writes files: [`Reader`] is fed bytes, [`encode`] makes them, and [`Storage`] is what
//! a server needs of whatever keeps its records.

use crate::atom::NoSymbols;
use crate::datum::Datum;
use crate::db::{Changes, Database, RowChange, TableChanges};
use crate::error::Error;
use crate::json::{self, Object, Value};
use crate::row::{Row, columns_from_json, columns_unchecked};
use crate::schema::{IMPLICIT_COLUMNS, Schema};
use crate::uuid::{Uuid, UuidSource};
use sha1::{Digest, Sha1};
use std::fmt::Write;

/// What a standalone database's file begins with.
pub const MAGIC: &str = "OVSDB JSON";
/// What a clustered database's file begins with.
pub const CLUSTER_MAGIC: &str = "OVSDB CLUSTER";
/// The longest header line looked at.
const MAX_HEADER: usize = 128;

/// A record as it is in a file. `json` is one line.
pub fn encode(json: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(json.len() + 64);
    encode_to(&mut out, json);
    out
}

/// Appends a record as it is in a file.
pub fn encode_to(out: &mut Vec<u8>, json: &str) {
    out.extend_from_slice(header(json).as_bytes());
    out.extend_from_slice(json.as_bytes());
    out.push(b'\n');
}

/// The line before a record.
fn header(json: &str) -> String {
    let mut sha = Sha1::new();
    sha.update(json.as_bytes());
    sha.update(b"\n");
    format!("{MAGIC} {} {}\n", json.len() + 1, hex(&sha.finalize()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut s, b| {
        let _ = write!(s, "{b:02x}");
        s
    })
}

/// What keeps a database's records: a file, later a replicated log.
pub trait Storage: Send {
    /// Adds records (as [`encode`] makes them) at the end, and makes them safe if `durable`.
    fn append(&mut self, records: &[u8], durable: bool) -> Result<(), Error>;
    /// Puts these records in the place of all there are, atomically.
    fn replace(&mut self, records: &[u8]) -> Result<(), Error>;
    /// Begins to put other records in the place of all there are, while these stay in use.
    fn begin_replacement(&self) -> Result<Box<dyn Replacement>, Error>;
    /// How many bytes there are.
    fn len(&self) -> u64;
    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Records that will take the place of those in a [`Storage`], made elsewhere meanwhile. Dropped, it never was.
pub trait Replacement: Send {
    /// Adds bytes.
    fn write(&mut self, bytes: &[u8]) -> Result<(), Error>;
    /// Makes what was written safe.
    fn sync(&mut self) -> Result<(), Error>;
    /// Adds the rest, safely if `durable`, and takes the place in one step.
    fn install(self: Box<Self>, rest: &[u8], durable: bool) -> Result<Box<dyn Storage>, Error>;
}

/// What a reader found.
#[derive(Debug, PartialEq)]
pub enum Step {
    /// A record.
    Record(Value),
    /// Nothing yet: feed more, or say that there is no more.
    More,
    /// The end, right behind a whole record.
    End,
    /// Damage: nothing from here on counts.
    Damaged(Error),
}

/// Takes a file's bytes and gives its records.
pub struct Reader {
    name: String,
    buf: Vec<u8>,
    /// Bytes of `buf` already used.
    used: usize,
    /// Position in the file of the first unused byte.
    offset: u64,
    ended: bool,
    damaged: bool,
    magic: &'static str,
}

impl Reader {
    /// A reader of the file called `name` (in messages).
    pub fn new(name: impl Into<String>) -> Reader {
        Reader {
            name: name.into(),
            buf: Vec::new(),
            used: 0,
            offset: 0,
            ended: false,
            damaged: false,
            magic: MAGIC,
        }
    }

    /// Takes the file's next bytes.
    pub fn feed(&mut self, bytes: &[u8]) {
        if self.used > 0 {
            self.buf.drain(..self.used);
            self.used = 0;
        }
        self.buf.extend_from_slice(bytes);
    }

    /// There is no more.
    pub fn end(&mut self) {
        self.ended = true;
    }

    /// Where the next record begins: everything before it is whole.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The next record.
    pub fn next_record(&mut self) -> Step {
        if self.damaged {
            return Step::End;
        }
        match self.step() {
            Ok(step) => step,
            Err(e) => {
                self.damaged = true;
                Step::Damaged(e)
            }
        }
    }

    fn step(&mut self) -> Result<Step, Error> {
        let rest = &self.buf[self.used..];
        if rest.is_empty() {
            return Ok(if self.ended { Step::End } else { Step::More });
        }
        let name = &self.name;
        let look = &rest[..rest.len().min(MAX_HEADER - 1)];
        let Some(newline) = look.iter().position(|&b| b == b'\n') else {
            if self.ended || look.len() == MAX_HEADER - 1 {
                return Err(bad_header(name, self.offset, look));
            }
            return Ok(Step::More);
        };
        let line = &rest[..newline];
        let Some((length, hash)) = parse_header(line, self.magic) else {
            return Err(bad_header(name, self.offset, line));
        };
        let start = newline + 1;
        let at = self.offset + start as u64;
        if ((rest.len() - start) as u64) < length {
            if self.ended {
                let details =
                    format!("{name}: error reading {length} bytes starting at offset {at} (End of file)");
                return Err(Error::io(details));
            }
            return Ok(Step::More);
        }
        let length = length as usize;
        let body = &rest[start..start + length];
        let actual = hex(&Sha1::digest(body));
        if !actual.eq_ignore_ascii_case(&hash) {
            let details = format!(
                "{name}: {length} bytes starting at offset {at} have SHA-1 hash {actual} but should have \
                 hash {hash}"
            );
            return Err(Error::new("syntax error", details));
        }
        let value = json::parse(body).map_err(|e| {
            let details = format!("{name}: {length} bytes starting at offset {at} are not valid JSON ({e})");
            Error::new("syntax error", details)
        })?;
        if value.as_object().is_none() {
            let details = format!("{name}: {length} bytes starting at offset {at} are not a JSON object");
            return Err(Error::new("syntax error", details));
        }
        self.used += start + length;
        self.offset = at + length as u64;
        Ok(Step::Record(value))
    }
}

fn bad_header(name: &str, offset: u64, line: &[u8]) -> Error {
    // A line that begins as a header should is shown up to where the reader got.
    let text = String::from_utf8_lossy(line);
    let mut words = text.split(' ');
    let shown = match (words.next(), words.next()) {
        (Some("OVSDB"), Some(second)) => format!("OVSDB {second}"),
        _ => text.into_owned(),
    };
    let details = format!("{name}: parse error at offset {offset} in header line \"{shown}\"");
    Error::new("syntax error", details)
}

/// The length and hash in a header line.
fn parse_header(line: &[u8], magic: &str) -> Option<(u64, String)> {
    let line = std::str::from_utf8(line).ok()?;
    let (length, hash) = line.strip_prefix(magic)?.strip_prefix(' ')?.split_once(' ')?;
    let digits = !length.is_empty() && length.bytes().all(|b| b.is_ascii_digit());
    let length: u64 = length.parse().ok().filter(|n| digits && *n > 0 && *n < 1 << 40)?;
    let good = hash.len() == 40 && hash.bytes().all(|b| b.is_ascii_hexdigit());
    good.then(|| (length, hash.to_owned()))
}

/// What kind of database a file holds, from its first bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FileKind {
    /// A standalone database.
    Standalone,
    /// A member of a cluster.
    Clustered,
    /// No database.
    Unknown,
}

/// Tells the kind of a file from its beginning: its first line, or as much as there is.
pub fn kind_of(beginning: &[u8]) -> FileKind {
    let look = &beginning[..beginning.len().min(MAX_HEADER)];
    let Some(line) = look.split(|&b| b == b'\n').next().filter(|l| l.len() < look.len()) else {
        return FileKind::Unknown;
    };
    if parse_header(line, MAGIC).is_some() {
        FileKind::Standalone
    } else if parse_header(line, CLUSTER_MAGIC).is_some() {
        FileKind::Clustered
    } else {
        FileKind::Unknown
    }
}

/// How a transaction is written.
#[derive(Clone, Copy, Debug)]
pub struct RecordOptions<'a> {
    /// The time, in milliseconds since the Unix epoch.
    pub date: i64,
    /// The transaction's comment; none if empty.
    pub comment: &'a str,
    /// Whether rows that change are written as differences.
    pub diff: bool,
}

/// A transaction as a record; `None` if nothing in it outlives a restart.
pub fn record(schema: &Schema, changes: &Changes, options: RecordOptions<'_>) -> Option<String> {
    let mut out = String::from("{");
    let mut any = false;
    for t in &changes.tables {
        let ts = &schema.tables[t.table];
        let mut first = true;
        for r in &t.rows {
            let mut row = String::new();
            match &r.new {
                None => row.push_str("null"),
                Some(new) => {
                    for (c, column) in ts.own_columns().filter(|c| c.1.persistent) {
                        let diff;
                        let value = match &r.old {
                            Some(old) if old[c] == new[c] => continue,
                            Some(old) if options.diff => {
                                diff = old[c].diff(&new[c], &column.kind);
                                &diff
                            }
                            None if new[c] == column.kind.default_datum() => continue,
                            _ => &new[c],
                        };
                        row.push(if row.is_empty() { '{' } else { ',' });
                        json::write_string(&mut row, &column.name);
                        row.push(':');
                        value.write_json(&mut row, &column.kind);
                    }
                    match (row.is_empty(), &r.old) {
                        (true, Some(_)) => continue,
                        (true, None) => row.push_str("{}"),
                        (false, _) => row.push('}'),
                    }
                }
            }
            if first {
                if any {
                    out.push(',');
                }
                json::write_string(&mut out, &ts.name);
                out.push_str(":{");
            } else {
                out.push(',');
            }
            first = false;
            any = true;
            let _ = write!(out, "\"{}\":{row}", r.uuid);
        }
        if !first {
            out.push('}');
        }
    }
    if !any {
        return None;
    }
    if options.diff {
        out.push_str(",\"_is_diff\":true");
    }
    if !options.comment.is_empty() {
        out.push_str(",\"_comment\":");
        json::write_string(&mut out, options.comment);
    }
    let _ = write!(out, ",\"_date\":{}}}", options.date);
    Some(out)
}

/// What a record says beside its changes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RecordInfo {
    /// When it was written, in milliseconds since the Unix epoch.
    pub date: Option<i64>,
    /// Its comment.
    pub comment: Option<String>,
    /// Whether rows that change are differences.
    pub is_diff: bool,
}

/// Reads what a record says beside its changes.
pub fn record_info(record: &Value) -> RecordInfo {
    RecordInfo {
        date: record.get("_date").and_then(Value::as_integer),
        comment: record.get("_comment").and_then(Value::as_str).map(str::to_owned),
        is_diff: record.get("_is_diff").and_then(Value::as_bool).unwrap_or(false),
    }
}

/// The changes that a record makes to `db`. `converting` ignores tables and columns that are not in the schema.
pub fn changes_of(
    db: &Database,
    record: &Value,
    converting: bool,
    uuids: &mut UuidSource,
) -> Result<Changes, Error> {
    let empty = Object::new();
    let object = record.as_object().unwrap_or(&empty);
    let info = record_info(record);
    let schema = db.schema();
    let mut changes = Changes::default();
    for (name, rows) in object.iter() {
        let Some(table) = schema.table(name) else {
            let known = match name {
                "_date" => matches!(rows, Value::Integer(_)),
                "_comment" => matches!(rows, Value::String(_)),
                "_is_diff" => matches!(rows, Value::Bool(_)),
                _ => false,
            };
            if known || converting {
                continue;
            }
            return Err(Error::new("unknown table", format!("No table named {name}.")).at(record));
        };
        let Some(rows) = rows.as_object() else { return Err(Error::syntax(rows, "object expected")) };
        let mut list = Vec::with_capacity(rows.len());
        for (text, columns) in rows.iter() {
            let Ok(uuid) = text.parse::<Uuid>() else {
                let all = Value::Object(rows.clone());
                return Err(Error::syntax(&all, format!("\"{text}\" is not a valid UUID")));
            };
            let old = db.table(table).get(uuid).cloned();
            let new = if *columns == Value::Null {
                if old.is_none() {
                    let details = format!("transaction deletes row {uuid} that does not exist");
                    return Err(Error::new("syntax error", details));
                }
                None
            } else {
                Some(row_of(db, table, uuid, old.as_ref(), columns, &info, converting, uuids)?)
            };
            list.push(RowChange { uuid, old, new });
        }
        if !list.is_empty() {
            changes.tables.push(TableChanges { table, rows: list });
        }
    }
    changes.tables.sort_by_key(|t| t.table);
    Ok(changes)
}

#[allow(clippy::too_many_arguments, reason = "one call site; the parts of one record")]
fn row_of(
    db: &Database,
    table: usize,
    uuid: Uuid,
    old: Option<&Row>,
    columns: &Value,
    info: &RecordInfo,
    converting: bool,
    uuids: &mut UuidSource,
) -> Result<Row, Error> {
    let ts = &db.schema().tables[table];
    let version = uuids.next_uuid();
    let mut row = match old {
        Some(old) => {
            let mut row = old.clone();
            row.set(crate::schema::VERSION_COLUMN, Datum::one(version));
            row
        }
        None => Row::new(ts, uuid, version),
    };
    let known;
    let mut columns = columns;
    if converting && let Some(o) = columns.as_object() {
        let keep = o.iter().filter(|(name, _)| ts.column(name).is_some());
        known = Value::Object(keep.map(|(k, v)| (k, v.clone())).collect());
        columns = &known;
    }
    // A difference may have more elements than the column, and need not satisfy its constraints.
    let values = if info.is_diff && old.is_some() {
        columns_unchecked(columns, ts, &mut NoSymbols)?
    } else {
        columns_from_json(columns, ts, &mut NoSymbols)?
    };
    for (c, value) in values {
        if c < IMPLICIT_COLUMNS {
            continue;
        }
        let value = match old {
            Some(old) if info.is_diff => old[c].apply_diff(&value, &ts.columns[c].kind),
            _ => value,
        };
        row.set(c, value);
    }
    Ok(row)
}

/// Reads a schema record and makes an empty database of it.
pub fn database_of(record: &Value) -> Result<Database, Error> {
    Ok(Database::new(std::sync::Arc::new(Schema::from_json(record)?)))
}

/// A whole database as a file: its schema and one transaction.
pub fn snapshot(db: &Database, options: RecordOptions<'_>) -> Vec<u8> {
    let mut out = encode(&db.schema().to_json().to_string());
    // Always two records: those who follow the file count on it.
    let text = record(db.schema(), &db.contents(), options);
    encode_to(&mut out, &text.unwrap_or_else(|| trailer(options)));
    out
}

/// Makes what [`snapshot`] makes, row by row.
pub struct SnapshotWriter {
    schema: std::sync::Arc<Schema>,
    body: String,
    table: Option<usize>,
}

impl SnapshotWriter {
    /// Of a database of this schema.
    pub fn new(schema: std::sync::Arc<Schema>) -> SnapshotWriter {
        SnapshotWriter { schema, body: String::from("{"), table: None }
    }

    /// Adds a row; those of a table come one after the other.
    pub fn row(&mut self, table: usize, row: &Row) {
        let ts = &self.schema.tables[table];
        let out = &mut self.body;
        if self.table == Some(table) {
            out.push(',');
        } else {
            if self.table.is_some() {
                out.push_str("},");
            }
            json::write_string(out, &ts.name);
            out.push_str(":{");
            self.table = Some(table);
        }
        let _ = write!(out, "\"{}\":{{", row.uuid());
        let mut first = true;
        for (c, column) in ts.own_columns().filter(|c| c.1.persistent) {
            if row[c] == column.kind.default_datum() {
                continue;
            }
            if !std::mem::take(&mut first) {
                out.push(',');
            }
            json::write_string(out, &column.name);
            out.push(':');
            row[c].write_json(out, &column.kind);
        }
        out.push('}');
    }

    /// The file, in two parts.
    pub fn finish(mut self, options: RecordOptions<'_>) -> (Vec<u8>, String) {
        if self.table.is_some() {
            self.body.push_str("},");
        }
        if options.diff {
            self.body.push_str("\"_is_diff\":true,");
        }
        if !options.comment.is_empty() {
            self.body.push_str("\"_comment\":");
            json::write_string(&mut self.body, options.comment);
            self.body.push(',');
        }
        let _ = write!(self.body, "\"_date\":{}}}", options.date);
        let mut head = encode(&self.schema.to_json().to_string());
        head.extend_from_slice(header(&self.body).as_bytes());
        self.body.push('\n');
        (head, self.body)
    }
}

/// A transaction that changes nothing, as a record.
fn trailer(options: RecordOptions<'_>) -> String {
    let members = [("_comment", Value::string(options.comment)), ("_date", Value::Integer(options.date))];
    Value::object(members).to_string()
}

#[cfg(test)]
mod tests;
