//! Monitors: telling a client what changes (RFC 7047 sections 4.1.5 to 4.1.7, with conditions, differences and
//! history as Open vSwitch extends it).
//!
//! A [`Monitor`] is what a client asked for, without who asked: equal requests of many clients are one value,
//! and what it has to say about a transaction is encoded once for all of them. Updates are written as text at
//! once: nothing ever takes them apart again on this side.

use crate::condition::Condition;
use crate::datum::Datum;
use crate::db::{Changes, Database, RowChange};
use crate::error::Error;
use crate::json::{Value, write_string};
use crate::parser::{Kind, ObjectParser};
use crate::row::Row;
use crate::schema::{Schema, TableSchema, UUID_COLUMN};
use crate::uuid::Uuid;
use std::collections::VecDeque;
use std::fmt::Write;
use std::sync::Arc;

/// Which method asked, and so how updates look.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Version {
    /// `monitor`, `update`: old and new values.
    V1,
    /// `monitor_cond`, `update2`: differences.
    V2,
    /// `monitor_cond_since`, `update3`: differences, and the transaction's name.
    V3,
}

impl Version {
    /// The method of the notification.
    pub fn notification(self) -> &'static str {
        match self {
            Version::V1 => "update",
            Version::V2 => "update2",
            Version::V3 => "update3",
        }
    }
}

/// Which events of a column are told.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Select {
    /// Rows there are in the beginning.
    pub initial: bool,
    /// Rows that come.
    pub insert: bool,
    /// Rows that go.
    pub delete: bool,
    /// Rows that change.
    pub modify: bool,
}

impl Select {
    const NONE: Select = Select { initial: false, insert: false, delete: false, modify: false };

    fn parse(json: Option<&Value>, table: &str) -> Result<Select, Error> {
        let mut select = Select { initial: true, insert: true, delete: true, modify: true };
        let Some(json) = json else { return Ok(select) };
        let mut p = ObjectParser::new(json, format!("table {table} select"));
        let mut one = |name| p.optional(name, Kind::Bool).and_then(Value::as_bool).unwrap_or(true);
        select.initial = one("initial");
        select.insert = one("insert");
        select.delete = one("delete");
        select.modify = one("modify");
        p.finish()?;
        Ok(select)
    }

    fn union(self, o: Select) -> Select {
        Select {
            initial: self.initial | o.initial,
            insert: self.insert | o.insert,
            delete: self.delete | o.delete,
            modify: self.modify | o.modify,
        }
    }

    fn has(self, event: Event) -> bool {
        match event {
            Event::Initial => self.initial,
            Event::Insert => self.insert,
            Event::Delete => self.delete,
            Event::Modify => self.modify,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Event {
    Initial,
    Insert,
    Delete,
    Modify,
}

impl Event {
    fn name(self) -> &'static str {
        match self {
            Event::Initial => "initial",
            Event::Insert => "insert",
            Event::Delete => "delete",
            Event::Modify => "modify",
        }
    }
}

/// What is monitored of one table.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct TableMonitor {
    /// The table's position in the schema.
    pub table: usize,
    /// The columns, in order, with what is told of each.
    pub columns: Vec<(usize, Select)>,
    select: Select,
    condition: Condition,
}

/// What a client wants to be told.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Monitor {
    /// How.
    pub version: Version,
    /// Of what: tables in order.
    pub tables: Vec<TableMonitor>,
}

impl Monitor {
    /// Reads the `<monitor-requests>` (or `<monitor-cond-requests>`) of a request.
    pub fn parse(schema: &Schema, requests: &Value, version: Version) -> Result<Monitor, Error> {
        let Some(object) = requests.as_object() else {
            return Err(Error::syntax(requests, "monitor-requests must be object"));
        };
        let mut tables = Vec::with_capacity(object.len());
        for (name, request) in object.iter() {
            let Some(table) = schema.table(name) else {
                return Err(Error::new("syntax error", format!("no table named {name}")));
            };
            let ts = &schema.tables[table];
            let mut monitor = TableMonitor {
                table,
                columns: Vec::new(),
                select: Select::NONE,
                condition: Condition::default(),
            };
            // An empty condition is always true, and one request with it makes them all so.
            let mut always = false;
            for one in one_or_many(request) {
                always |= monitor.add(ts, one, version)?;
            }
            if always {
                monitor.condition.clauses.clear();
            }
            monitor.columns.sort_unstable_by_key(|c| c.0);
            if let Some(w) = monitor.columns.windows(2).find(|w| w[0].0 == w[1].0) {
                let details = format!("column {} mentioned more than once", ts.columns[w[0].0].name);
                let last = one_or_many(request).last().and_then(|r| r.get("columns"));
                return Err(Error::syntax(last.unwrap_or(request), details));
            }
            tables.push(monitor);
        }
        tables.sort_by_key(|t| t.table);
        Ok(Monitor { version, tables })
    }

    /// Writes the `<table-updates>` of what there is.
    pub fn initial(&self, db: &Database, out: &mut String) {
        let mut writer = Writer::new(self, db.schema(), out);
        for t in self.tables.iter().filter(|t| t.select.initial) {
            let all = t.condition.is_true();
            for row in db.table(t.table).rows() {
                if all || t.condition.any(row) {
                    writer.row(t, row.uuid(), Event::Initial, None, Some(row));
                }
            }
        }
        writer.finish();
    }

    /// Writes the `<table-updates>` of some changes; false (and nothing) if there is nothing to tell.
    pub fn update(&self, schema: &Schema, changes: &Changes, out: &mut String) -> bool {
        let mut writer = Writer::new(self, schema, out);
        for t in &self.tables {
            for change in changes.of(t.table) {
                writer.change(t, change);
            }
        }
        writer.finish_unless_empty()
    }

    /// Reads new conditions for tables that are monitored: the monitor with them.
    pub fn with_conditions(&self, schema: &Schema, requests: &Value) -> Result<Monitor, Error> {
        let Some(object) = requests.as_object() else {
            return Err(Error::new("syntax error", "monitor-cond-change-requests must be object"));
        };
        let mut new = self.clone();
        for (name, request) in object.iter() {
            let Some(table) = schema.table(name) else {
                return Err(Error::new("syntax error", format!("no table named {name}")));
            };
            let Some(monitor) = new.tables.iter_mut().find(|t| t.table == table) else {
                let details = format!("table {name} is not monitored by this session");
                return Err(Error::new("syntax error", details));
            };
            let Some(list) = request.as_array() else {
                let details = format!("table {name} no monitor-cond-change JSON array");
                return Err(Error::new("syntax error", details));
            };
            let mut clauses: Option<Vec<_>> = None;
            let mut always = false;
            for one in list {
                let mut p = ObjectParser::new(one, format!("table {name}"));
                let columns = p.optional("columns", Kind::Array);
                let condition = p.optional("where", Kind::Array);
                p.finish()?;
                if columns.is_some() {
                    return Err(Error::syntax(one, "changing columns is unsupported"));
                }
                if let Some(c) = condition {
                    let c = Condition::from_json(c, &schema.tables[table], &mut crate::atom::NoSymbols)?;
                    always |= c.clauses.is_empty();
                    clauses.get_or_insert_default().extend(c.clauses);
                }
            }
            // Monitors by the first method have no conditions.
            if let Some(clauses) = clauses.filter(|_| self.version != Version::V1) {
                monitor.condition.clauses = if always { Vec::new() } else { clauses };
            }
        }
        Ok(new)
    }

    /// Writes what a client that has seen everything under this monitor must be told so that it is as if it had
    /// asked for `new`; false (and nothing) if nothing.
    pub fn transition(&self, new: &Monitor, db: &Database, out: &mut String) -> bool {
        let mut writer = Writer::new(new, db.schema(), out);
        for (a, b) in self.tables.iter().zip(&new.tables) {
            if a.condition == b.condition {
                continue;
            }
            for row in db.table(b.table).rows() {
                match (a.condition.any(row), b.condition.any(row)) {
                    (false, true) if b.select.insert => {
                        writer.row(b, row.uuid(), Event::Insert, None, Some(row))
                    }
                    (true, false) if b.select.delete => {
                        writer.row(b, row.uuid(), Event::Delete, Some(row), None)
                    }
                    _ => {}
                }
            }
        }
        writer.finish_unless_empty()
    }

    /// Whether changes of a table matter at all.
    pub fn watches(&self, table: usize) -> bool {
        self.tables.binary_search_by(|t| t.table.cmp(&table)).is_ok()
    }
}

fn one_or_many(request: &Value) -> &[Value] {
    request.as_array().unwrap_or(std::slice::from_ref(request))
}

impl TableMonitor {
    /// Adds one `<monitor-request>`; says whether its condition is always true.
    fn add(&mut self, ts: &TableSchema, json: &Value, version: Version) -> Result<bool, Error> {
        let mut p = ObjectParser::new(json, format!("table {}", ts.name));
        let condition = match version {
            Version::V1 => None,
            _ => p.optional("where", Kind::Array),
        };
        let columns = p.optional("columns", Kind::Array);
        let select = p.optional("select", Kind::Object);
        p.finish()?;
        let select = Select::parse(select, &ts.name)?;
        self.select = self.select.union(select);
        let columns = match columns {
            Some(json) => column_list(json, ts)?,
            None => (0..ts.columns.len()).filter(|c| *c != UUID_COLUMN).collect(),
        };
        self.columns.extend(columns.into_iter().map(|c| (c, select)));
        let condition = match condition {
            Some(json) => Condition::from_json(json, ts, &mut crate::atom::NoSymbols)?,
            None => Condition::default(),
        };
        let always = condition.clauses.is_empty();
        self.condition.clauses.extend(condition.clauses);
        Ok(always)
    }
}

/// Reads an array of column names; whether they are distinct is seen when all requests are together.
fn column_list(json: &Value, ts: &TableSchema) -> Result<Vec<usize>, Error> {
    let mut columns = Vec::new();
    for name in json.as_array().unwrap_or_default() {
        let Some(name) = name.as_str() else {
            return Err(Error::syntax(json, "array of column names expected"));
        };
        let Some(c) = ts.column(name) else {
            return Err(Error::syntax(json, format!("{name} is not a valid column name")));
        };
        columns.push(c);
    }
    Ok(columns)
}

/// Writes one `<table-updates>` object.
struct Writer<'a> {
    monitor: &'a Monitor,
    schema: &'a Schema,
    out: &'a mut String,
    start: usize,
    /// The table whose object is open.
    table: Option<usize>,
}

impl<'a> Writer<'a> {
    fn new(monitor: &'a Monitor, schema: &'a Schema, out: &'a mut String) -> Writer<'a> {
        let start = out.len();
        out.push('{');
        Writer { monitor, schema, out, start, table: None }
    }

    fn finish(self) {
        if self.table.is_some() {
            self.out.push('}');
        }
        self.out.push('}');
    }

    fn finish_unless_empty(self) -> bool {
        if self.table.is_none() {
            self.out.truncate(self.start);
            return false;
        }
        self.finish();
        true
    }

    fn change(&mut self, t: &TableMonitor, change: &RowChange) {
        let visible = |row: &&Row| t.condition.any(row);
        let old = change.old.as_ref().filter(visible);
        let new = change.new.as_ref().filter(visible);
        let event = match (old, new) {
            (None, None) => return,
            (None, Some(_)) => Event::Insert,
            (Some(_), None) => Event::Delete,
            (Some(old), Some(new)) => {
                // Something of what is monitored must differ, even if changes of just that are not told.
                if !t.columns.iter().any(|(c, _)| old[*c] != new[*c]) {
                    return;
                }
                Event::Modify
            }
        };
        if t.select.has(event) {
            self.row(t, change.uuid, event, old, new);
        }
    }

    fn row(&mut self, t: &TableMonitor, uuid: Uuid, event: Event, old: Option<&Row>, new: Option<&Row>) {
        let ts = &self.schema.tables[t.table];
        if self.table == Some(t.table) {
            self.out.push(',');
        } else {
            if self.table.is_some() {
                self.out.push_str("},");
            }
            write_string(self.out, &ts.name);
            self.out.push_str(":{");
            self.table = Some(t.table);
        }
        let _ = write!(self.out, "\"{uuid}\":{{");
        if self.monitor.version == Version::V1 {
            self.row_v1(t, ts, event, old, new);
        } else {
            self.row_v2(t, ts, event, old, new);
        }
        self.out.push('}');
    }

    fn row_v1(
        &mut self,
        t: &TableMonitor,
        ts: &TableSchema,
        event: Event,
        old: Option<&Row>,
        new: Option<&Row>,
    ) {
        let selected = t.columns.iter().filter(|c| c.1.has(event)).map(|c| c.0);
        if let Some(new) = new {
            self.out.push_str("\"new\":");
            self.columns(ts, selected.clone().map(|c| (c, &new[c])));
        }
        if let Some(old) = old {
            self.out.push_str(if new.is_some() { ",\"old\":" } else { "\"old\":" });
            let changed = |c: &usize| new.is_none_or(|new| old[*c] != new[*c]);
            self.columns(ts, selected.filter(changed).map(|c| (c, &old[c])));
        }
    }

    fn row_v2(
        &mut self,
        t: &TableMonitor,
        ts: &TableSchema,
        event: Event,
        old: Option<&Row>,
        new: Option<&Row>,
    ) {
        let _ = write!(self.out, "\"{}\":", event.name());
        let selected = t.columns.iter().filter(|c| c.1.has(event)).map(|c| c.0);
        match (old, new) {
            (Some(old), Some(new)) => {
                let changed = selected.filter(|&c| old[c] != new[c]);
                let diffs: Vec<(usize, Datum)> =
                    changed.map(|c| (c, old[c].diff(&new[c], &ts.columns[c].kind))).collect();
                self.columns(ts, diffs.iter().map(|(c, d)| (*c, d)));
            }
            (None, Some(new)) => {
                let is_default = |c: usize| {
                    let of = &ts.columns[c].kind;
                    match of.min {
                        0 => new[c].is_empty(),
                        _ => new[c] == of.default_datum(),
                    }
                };
                self.columns(ts, selected.filter(|&c| !is_default(c)).map(|c| (c, &new[c])));
            }
            _ => self.out.push_str("null"),
        }
    }

    fn columns<'d>(&mut self, ts: &TableSchema, columns: impl Iterator<Item = (usize, &'d Datum)>) {
        self.out.push('{');
        for (i, (c, datum)) in columns.enumerate() {
            if i > 0 {
                self.out.push(',');
            }
            let column = &ts.columns[c];
            write_string(self.out, &column.name);
            self.out.push(':');
            datum.write_json(self.out, &column.kind);
        }
        self.out.push('}');
    }
}

/// The last transactions, for clients that come back.
#[derive(Debug)]
pub struct History {
    entries: VecDeque<(Uuid, Arc<Changes>)>,
    /// The name of the last transaction, or zero.
    last: Uuid,
    rows: usize,
}

/// How many transactions are remembered.
const HISTORY_TRANSACTIONS: usize = 100;

impl Default for History {
    fn default() -> Self {
        History { entries: VecDeque::new(), last: Uuid::ZERO, rows: 0 }
    }
}

impl History {
    /// Remembers a transaction. Together what is remembered has no more rows than `rows`, what the database has.
    pub fn push(&mut self, name: Uuid, changes: Arc<Changes>, rows: usize) {
        self.rows += changes.row_count();
        self.entries.push_back((name, changes));
        self.last = name;
        while self.entries.len() > HISTORY_TRANSACTIONS
            || (self.rows > rows.max(100) && self.entries.len() > 1)
        {
            if let Some((_, old)) = self.entries.pop_front() {
                self.rows -= old.row_count();
            }
        }
    }

    /// The name of the last transaction, or zero if none is known.
    pub fn last(&self) -> Uuid {
        self.last
    }

    /// What has changed since the transaction `name`, if that is still known.
    pub fn since(&self, name: Uuid) -> Option<Changes> {
        let at = self.entries.iter().rposition(|e| e.0 == name)?;
        Some(Changes::merge(self.entries.iter().skip(at + 1).map(|e| &*e.1)))
    }

    /// How many transactions are remembered.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}
