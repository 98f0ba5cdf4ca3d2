//! `backup` and `restore`: a database over the wire as a file.

use super::Context;
use super::commands::fetch_schema;
use crate::fatal::Fatal;
use base::info;
use ovsdb::atom::Atom;
use ovsdb::json::{Object, Value};
use ovsdb::log::{self, Reader, Step};
use ovsdb::{ColumnType, Database, Datum, Schema, Uuid};
use std::collections::HashSet;
use std::io::{self, IsTerminal, Read, Write};
use std::process::ExitCode;

pub(super) fn backup(c: &mut Context, _: &[String]) -> Result<ExitCode, Fatal> {
    if io::stdout().is_terminal() {
        return Err(Fatal::new("not writing backup to a terminal; please redirect stdout to a file"));
    }
    let database = c.database.clone();
    let (_, schema) = fetch_schema(c, &database)?;
    let mut params = vec![Value::string(&*database)];
    for ts in &schema.tables {
        let names = ts.own_columns().filter(|(_, c)| c.persistent).map(|(_, c)| Value::string(&*c.name));
        let names: Vec<Value> = std::iter::once(Value::string("_uuid")).chain(names).collect();
        params.push(Value::object([
            ("op", "select".into()),
            ("table", (*ts.name).into()),
            ("where", Value::Array(Vec::new())),
            ("columns", Value::Array(names)),
        ]));
    }
    let mut reply = c.rpc.call("transact", params)?;
    let mut record = Object::new();
    if let Value::Array(results) = &mut reply {
        for (ts, result) in schema.tables.iter().zip(results) {
            let rows = rows_by_uuid(std::mem::take(result));
            if !rows.is_empty() {
                record.insert(ts.name.clone(), rows);
            }
        }
    }
    record.insert("_is_diff", true);
    record.insert("_comment", "produced by \"ovsdb-client backup\"");
    record.insert("_date", c.clock.wall_millis());
    let mut out = log::encode(&schema.to_json().to_string());
    log::encode_to(&mut out, &Value::Object(record).to_string());
    let written = io::stdout().lock().write_all(&out);
    written.map_err(|e| Fatal::new(format!("writing the backup failed ({})", reactor::errno::text(&e))))?;
    Ok(ExitCode::SUCCESS)
}

fn rows_by_uuid(result: Value) -> Object {
    let rows = match result {
        Value::Object(mut o) => o.remove("rows"),
        _ => None,
    };
    let Some(Value::Array(rows)) = rows else { return Object::new() };
    let one = |row: Value| -> Option<(String, Value)> {
        let Value::Object(mut row) = row else { return None };
        let uuid = row.remove("_uuid")?.as_array()?.get(1)?.as_str()?.to_owned();
        Some((uuid, Value::Object(row)))
    };
    rows.into_iter().filter_map(one).collect()
}

pub(super) fn restore(c: &mut Context, _: &[String]) -> Result<ExitCode, Fatal> {
    if io::stdin().is_terminal() {
        return Err(Fatal::new("not reading backup from a terminal; please redirect stdin from a file"));
    }
    let mut bytes = Vec::new();
    let read = io::stdin().lock().read_to_end(&mut bytes);
    read.map_err(|e| Fatal::new(format!("/dev/stdin: read failed ({})", reactor::errno::text(&e))))?;
    let backup = read_backup(&bytes)?;
    let database = c.database.clone();
    let (_, schema) = fetch_schema(c, &database)?;
    compare(c, backup.schema(), &schema)?;

    let mut params = vec![Value::string(&*backup.schema().name)];
    let names: HashSet<Uuid> = (0..backup.schema().tables.len())
        .flat_map(|t| backup.table(t).rows())
        .map(ovsdb::Row::uuid)
        .collect();
    for ts in &backup.schema().tables {
        params.push(Value::object([
            ("op", "delete".into()),
            ("table", (*ts.name).into()),
            ("where", Value::Array(Vec::new())),
        ]));
    }
    for (t, ts) in backup.schema().tables.iter().enumerate() {
        for row in backup.table(t).rows() {
            let set = ts.own_columns().filter(|(c, column)| row[*c] != column.kind.default_datum());
            let columns: Object =
                set.map(|(c, column)| (column.name.clone(), named(&row[c], &column.kind, &names))).collect();
            params.push(Value::object([
                ("op", "insert".into()),
                ("table", (*ts.name).into()),
                ("uuid-name", row_name(row.uuid()).into()),
                ("row", Value::Object(columns)),
            ]));
        }
    }
    let reply = c.rpc.call("transact", params)?;
    let failed = reply.as_array().unwrap_or_default().iter().find(|r| r.get("error").is_some());
    match failed {
        Some(e) => {
            let text = |m| e.get(m).and_then(Value::as_str).unwrap_or("").to_owned();
            Err(Fatal::new(format!("{}: {}", text("error"), text("details"))))
        }
        None => Ok(ExitCode::SUCCESS),
    }
}

fn read_backup(bytes: &[u8]) -> Result<Database, Fatal> {
    const NAME: &str = "/dev/stdin";
    if bytes.is_empty() {
        return Err(Fatal::new(format!("ovsdb error: {NAME}: cannot identify file type")));
    }
    if log::kind_of(bytes) != log::FileKind::Standalone {
        return Err(Fatal::new(format!("ovsdb error: {NAME}: unexpected file format")));
    }
    let mut reader = Reader::new(NAME);
    reader.feed(bytes);
    reader.end();
    let mut db: Option<Database> = None;
    let mut uuids = crate::ovsdb_tool::file::uuid_source();
    loop {
        match (reader.next_record(), &mut db) {
            (Step::Record(r), None) => {
                db = Some(log::database_of(&r).map_err(|e| Fatal::new(e.to_string()))?);
            }
            (Step::Record(r), Some(db)) => {
                let changes =
                    log::changes_of(db, &r, false, &mut uuids).map_err(|e| Fatal::new(e.to_string()))?;
                db.apply(&changes);
            }
            (Step::Damaged(e), _) => return Err(Fatal::new(e.to_string())),
            (Step::More | Step::End, _) => break,
        }
    }
    db.ok_or_else(|| Fatal::new(format!("ovsdb error: {NAME}: cannot identify file type")))
}

/// Refuses a backup of another schema, unless forced.
fn compare(c: &Context, backup: &Schema, server: &Schema) -> Result<(), Fatal> {
    if backup.is_same(server) {
        return Ok(());
    }
    let what = if backup.version == server.version {
        format!("backup schema and database schema are both version {} but still differ", backup.version)
    } else {
        format!(
            "backup schema has version \"{}\" but database schema has version \"{}\"",
            backup.version, server.version
        )
    };
    if c.force {
        info!(c.vlog.logger(), "ovsdb_client", "{what}");
        return Ok(());
    }
    let hint = "(use --force to override differences, or \"ovsdb-client convert\" to change the schema)";
    Err(Fatal::new(format!("{what} {hint}")))
}

fn row_name(uuid: Uuid) -> String {
    format!("row{}", uuid.to_string().replace('-', "_"))
}

/// A value whose references to rows of the backup are by name: the rows will have other UUIDs.
fn named(datum: &Datum, of: &ColumnType, names: &HashSet<Uuid>) -> Value {
    let atom = |a: &Atom, refers: bool| match a {
        Atom::Uuid(u) if refers && names.contains(u) => {
            Value::Array(vec!["named-uuid".into(), row_name(*u).into()])
        }
        _ => a.to_json(),
    };
    let key = of.key.reference().is_some();
    let value = of.value.as_ref().is_some_and(|v| v.reference().is_some());
    match datum {
        Datum::One(a) => atom(a, key),
        Datum::Empty => datum.to_json(of),
        Datum::Set(s) => {
            Value::Array(vec!["set".into(), s.iter().map(|a| atom(a, key)).collect::<Vec<_>>().into()])
        }
        Datum::Map(m) => {
            let pair = |p: &(Atom, Atom)| Value::Array(vec![atom(&p.0, key), atom(&p.1, value)]);
            Value::Array(vec!["map".into(), m.iter().map(pair).collect::<Vec<_>>().into()])
        }
    }
}
