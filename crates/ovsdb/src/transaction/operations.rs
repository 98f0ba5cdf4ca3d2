//! The operations, one function each.

use super::access::Deed;
use super::{Failure, Pending, Transaction};
use crate::condition::Condition;
use crate::datum::Datum;
use crate::error::Error;
use crate::json::{Object, Value};
use crate::mutation::Mutation;
use crate::parser::{Kind, ObjectParser, What};
use crate::row::{Row, columns_from_json};
use crate::schema::{UUID_COLUMN, column_set};
use crate::uuid::Uuid;
use std::cmp::Ordering;
use std::collections::HashSet;
use std::time::Duration;

type Result<T> = std::result::Result<T, Failure>;

impl Transaction<'_, '_> {
    /// Runs operation `n` of `of`.
    pub(super) fn operation(&mut self, json: &Value, n: usize, of: usize) -> Result<Value> {
        let mut p = ObjectParser::new(json, What::Operation { n, of });
        let op = p.required("op", Kind::String).and_then(Value::as_str);
        let Some(op) = op else {
            return p.finish().map(|()| Value::Null).map_err(Failure::from);
        };
        match op {
            "insert" => {
                let table = self.table(&mut p);
                let row = p.required("row", Kind::Object);
                let uuid = p.optional("uuid", Kind::String);
                let name = p.optional("uuid-name", Kind::Id);
                p.finish()?;
                self.insert(required(table), required(row), uuid, name)
            }
            "select" => {
                let table = self.table(&mut p);
                let condition = p.required("where", Kind::Array);
                let columns = p.optional("columns", Kind::Array);
                let sort = p.optional("sort", Kind::Array);
                p.finish()?;
                self.select(required(table), required(condition), columns, sort)
            }
            "update" => {
                let table = self.table(&mut p);
                let condition = p.required("where", Kind::Array);
                let row = p.required("row", Kind::Object);
                p.finish()?;
                self.update(json, required(table), required(condition), required(row))
            }
            "mutate" => {
                let table = self.table(&mut p);
                let condition = p.required("where", Kind::Array);
                let mutations = p.required("mutations", Kind::Array);
                p.finish()?;
                self.mutate(required(table), required(condition), required(mutations))
            }
            "delete" => {
                let condition = p.required("where", Kind::Array);
                let table = self.table(&mut p);
                p.finish()?;
                self.delete(required(table), required(condition))
            }
            "wait" => {
                let timeout = p.optional("timeout", Kind::Integer);
                let condition = p.required("where", Kind::Array);
                let columns = p.optional("columns", Kind::Array);
                let until = p.required("until", Kind::String);
                let rows = p.required("rows", Kind::Array);
                let table = self.table(&mut p);
                p.finish()?;
                self.wait(
                    required(table),
                    required(condition),
                    columns,
                    required(until),
                    required(rows),
                    timeout,
                )
            }
            "commit" => {
                let durable = p.required("durable", Kind::Bool);
                p.finish()?;
                self.durable |= durable.and_then(Value::as_bool).unwrap_or(false);
                Ok(empty())
            }
            "abort" => {
                p.finish()?;
                Err(Error::new("aborted", "aborted by request").into())
            }
            "comment" => {
                let comment = p.required("comment", Kind::String);
                p.finish()?;
                if !self.comment.is_empty() {
                    self.comment.push('\n');
                }
                self.comment.push_str(comment.and_then(Value::as_str).unwrap_or(""));
                Ok(empty())
            }
            "assert" => {
                let lock = p.required("lock", Kind::Id);
                p.finish()?;
                let lock = lock.and_then(Value::as_str).unwrap_or("");
                if (self.context.owns_lock)(lock) {
                    return Ok(empty());
                }
                Err(Error::new("not owner", format!("Asserted lock {lock} not held.")).into())
            }
            _ => {
                p.complain(format!("No operation \"{op}\""));
                p.finish().map(|()| Value::Null).map_err(Failure::from)
            }
        }
    }

    fn table(&self, p: &mut ObjectParser<'_>) -> Option<usize> {
        let name = p.required("table", Kind::Id)?.as_str()?;
        let table = self.db.schema().table(name);
        if table.is_none() {
            p.complain(format!("No table named {name}."));
        }
        table
    }

    fn writable(&self, op: &str) -> Result<()> {
        if self.context.read_only {
            let details = format!("{op} operation not allowed when database server is in read only mode");
            return Err(Error::new("not allowed", details).into());
        }
        Ok(())
    }

    fn permit_all(&self, table: usize, rows: &[Uuid], deed: Deed<'_>) -> Result<()> {
        if self.context.access.is_some() {
            for row in rows.iter().filter_map(|u| self.row(table, *u)) {
                self.permit(table, row, deed)?;
            }
        }
        Ok(())
    }

    fn condition(&mut self, table: usize, json: &Value) -> Result<Condition> {
        Ok(Condition::from_json(json, self.schema(table), &mut self.names)?)
    }

    fn columns(&self, table: usize, json: Option<&Value>) -> Result<Vec<usize>> {
        match json {
            Some(json) => Ok(column_set(json, self.schema(table))?),
            None => Ok((0..self.schema(table).columns.len()).collect()),
        }
    }

    fn insert(
        &mut self,
        table: usize,
        row: &Value,
        uuid: Option<&Value>,
        name: Option<&Value>,
    ) -> Result<Value> {
        let given = match uuid {
            Some(v) => {
                let parsed = v.as_str().unwrap_or("").parse::<Uuid>();
                let parsed = parsed.map_err(|()| Error::syntax(v, "bad uuid"))?;
                if self.exists(table, parsed) || self.db.table(table).contains(parsed) {
                    let details = "This UUID would duplicate a UUID already present within the table or \
                                   deleted within the same transaction.";
                    return Err(Error::new("duplicate uuid", details).at(v).into());
                }
                Some(parsed)
            }
            None => None,
        };
        let mut uuid = given.unwrap_or_else(|| self.context.uuids.next_uuid());
        if let Some(v) = name {
            let name = v.as_str().unwrap_or("");
            let entry = self.names.0.entry(name.to_owned()).or_insert((uuid, false));
            if entry.1 {
                let details = "This \"uuid-name\" appeared on an earlier \"insert\" operation.";
                return Err(Error::new("duplicate uuid-name", details).at(v).into());
            }
            if given.is_some() {
                entry.0 = uuid;
            }
            entry.1 = true;
            uuid = entry.0;
        }
        let schema = self.schema(table);
        let columns = columns_from_json(row, schema, &mut self.names)?;
        let mut new = Row::new(schema, uuid, self.context.uuids.next_uuid());
        let mut set = vec![false; schema.columns.len()];
        for (c, value) in columns {
            set[c] = true;
            if c >= crate::schema::IMPLICIT_COLUMNS {
                new.set(c, value);
            }
        }
        for (c, column) in schema.own_columns() {
            if !set[c] {
                new[c].check(&column.kind)?;
            }
        }
        self.writable("insert")?;
        self.permit(table, &new, Deed::Insert)?;
        self.pending[table].insert(uuid, Pending { old: None, new: Some(new) });
        Ok(Value::object([("uuid", Datum::one(uuid).to_json(&schema.columns[UUID_COLUMN].kind))]))
    }

    fn select(
        &mut self,
        table: usize,
        condition: &Value,
        columns: Option<&Value>,
        sort: Option<&Value>,
    ) -> Result<Value> {
        let condition = self.condition(table, condition)?;
        let columns = self.columns(table, columns)?;
        let schema = self.schema(table);
        let sort = sort.map(|json| column_set(json, schema)).transpose()?;
        let found = self.find(table, &condition);
        let mut found: Vec<&Row> = found.iter().filter_map(|u| self.row(table, *u)).collect();
        if let Some(sort) = sort {
            let by = |a: &&Row, b: &&Row| {
                sort.iter().map(|&c| a[c].cmp(&b[c])).find(|o| o.is_ne()).unwrap_or(Ordering::Equal)
            };
            found.sort_by(by);
        }
        let mut seen: HashSet<Vec<Datum>> = HashSet::new();
        let mut rows = Vec::new();
        for row in found {
            // Rows that look alike are one.
            let distinct = columns.contains(&UUID_COLUMN)
                || seen.insert(columns.iter().map(|&c| row[c].clone()).collect());
            if distinct {
                rows.push(Value::Object(row.to_json(schema, columns.iter().copied())));
            }
        }
        Ok(Value::object([("rows", Value::Array(rows))]))
    }

    fn update(&mut self, json: &Value, table: usize, condition: &Value, row: &Value) -> Result<Value> {
        let schema = self.schema(table);
        let columns = columns_from_json(row, schema, &mut self.names)?;
        for (c, _) in &columns {
            let column = &schema.columns[*c];
            if !column.mutable || *c < crate::schema::IMPLICIT_COLUMNS {
                let details =
                    format!("Cannot update immutable column {} in table {}.", column.name, schema.name);
                return Err(Error::constraint(details).at(json).into());
            }
        }
        let condition = self.condition(table, condition)?;
        self.writable("update")?;
        let found = self.find(table, &condition);
        let changed: Vec<usize> = columns.iter().map(|c| c.0).collect();
        self.permit_all(table, &found, Deed::Update(&changed))?;
        for &uuid in &found {
            if let Some(row) = &mut self.pend(table, uuid).new {
                for (c, value) in &columns {
                    if row[*c] != *value {
                        row.set(*c, value.clone());
                    }
                }
            }
        }
        Ok(count(found.len()))
    }

    fn mutate(&mut self, table: usize, condition: &Value, mutations: &Value) -> Result<Value> {
        let schema = self.schema(table);
        let mut list = Vec::new();
        for m in mutations.as_array().unwrap_or_default() {
            list.push(Mutation::from_json(m, schema, &mut self.names)?);
        }
        let condition = self.condition(table, condition)?;
        self.writable("mutate")?;
        let found = self.find(table, &condition);
        let changed: Vec<usize> = list.iter().map(|m| m.column).collect();
        self.permit_all(table, &found, Deed::Mutate(&changed))?;
        for &uuid in &found {
            let Some(row) = &mut self.pend(table, uuid).new else { continue };
            for m in &list {
                let new = m.apply(&row[m.column], &schema.columns[m.column].kind)?;
                if new != row[m.column] {
                    row.set(m.column, new);
                }
            }
        }
        Ok(count(found.len()))
    }

    fn delete(&mut self, table: usize, condition: &Value) -> Result<Value> {
        let condition = self.condition(table, condition)?;
        self.writable("delete")?;
        let found = self.find(table, &condition);
        self.permit_all(table, &found, Deed::Delete)?;
        for &uuid in &found {
            self.pend(table, uuid).new = None;
        }
        Ok(count(found.len()))
    }

    fn wait(
        &mut self,
        table: usize,
        condition: &Value,
        columns: Option<&Value>,
        until: &Value,
        rows: &Value,
        timeout: Option<&Value>,
    ) -> Result<Value> {
        let timeout = match timeout {
            Some(v) => {
                let ms = v.as_real().unwrap_or(0.0);
                if ms < 0.0 {
                    return Err(Error::syntax(v, "timeout must be nonnegative").into());
                }
                Some(Duration::from_millis(ms as u64))
            }
            None => None,
        };
        let condition = self.condition(table, condition)?;
        let columns = self.columns(table, columns)?;
        let equal = match until.as_str() {
            Some("==") => true,
            Some("!=") => false,
            _ => return Err(Error::syntax(until, "\"until\" must be \"==\" or \"!=\"").into()),
        };
        let schema = self.schema(table);
        let mut expected: HashSet<Vec<Datum>> = HashSet::new();
        for row in rows.as_array().unwrap_or_default() {
            let mut full = Row::new(schema, Uuid::ZERO, Uuid::ZERO);
            for (c, value) in columns_from_json(row, schema, &mut self.names)? {
                full.set(c, value);
            }
            expected.insert(columns.iter().map(|&c| full[c].clone()).collect());
        }
        let found = self.find(table, &condition);
        let rows = found.iter().filter_map(|u| self.row(table, *u));
        let actual: HashSet<Vec<Datum>> =
            rows.map(|r| columns.iter().map(|&c| r[c].clone()).collect()).collect();
        if (actual == expected) == equal {
            return Ok(empty());
        }
        let elapsed = self.context.elapsed;
        match timeout {
            Some(Duration::ZERO) => Err(Error::new("timed out", "\"where\" clause test failed").into()),
            _ if !self.context.may_wait => Err(Error::new("not supported", "triggers not supported").into()),
            Some(t) if elapsed >= t => {
                let details = format!("\"wait\" timed out after {} ms", elapsed.as_millis());
                Err(Error::new("timed out", details).into())
            }
            Some(t) => Err(Failure::Blocked(Some(t - elapsed))),
            None => Err(Failure::Blocked(None)),
        }
    }
}

/// What a parser without complaints has found.
fn required<T: Required>(found: Option<T>) -> T {
    found.unwrap_or(T::ABSENT)
}

trait Required {
    const ABSENT: Self;
}
impl Required for usize {
    const ABSENT: usize = 0;
}
impl Required for &Value {
    const ABSENT: Self = &Value::Null;
}

fn empty() -> Value {
    Value::Object(Object::new())
}

fn count(n: usize) -> Value {
    Value::object([("count", Value::Integer(n as i64))])
}
