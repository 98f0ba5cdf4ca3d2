//! `show-log`: what a database file says, record by record.

use super::Context;
use super::file::{DbFile, Mode};
use crate::fatal::Fatal;
use crate::localtime::Zone;
use crate::timefmt::format_time;
use ovsdb::atom::NoSymbols;
use ovsdb::json::Value;
use ovsdb::log::record_info;
use ovsdb::{Datum, Schema, TableSchema, text};
use std::collections::HashMap;
use std::process::ExitCode;

pub(super) fn show_log(c: &Context, args: &[String]) -> Result<ExitCode, Fatal> {
    let mut file = DbFile::open(c.db(args, 0), Mode::ReadOnly, &c.log).map_err(|e| e.to_string())?;
    file.check_standalone().map_err(|e| e.to_string())?;
    let mut schema: Option<Schema> = None;
    let mut names = HashMap::new();
    let mut number = 0;
    let damage = file.read(|record| {
        match &schema {
            None => {
                let s = Schema::from_json(record)?;
                println!(
                    "record {number}: \"{}\" schema, version=\"{}\", cksum=\"{}\"",
                    s.name, s.version, s.cksum
                );
                println!();
                schema = Some(s);
            }
            Some(schema) => print_record(c, number, record, schema, &mut names),
        }
        number += 1;
        Ok(())
    });
    match damage.map_err(|e| e.to_string())? {
        Some(e) => Err(Fatal::new(e.to_string())),
        None => Ok(ExitCode::SUCCESS),
    }
}

fn print_record(
    c: &Context,
    number: usize,
    record: &Value,
    schema: &Schema,
    names: &mut HashMap<String, String>,
) {
    let info = record_info(record);
    let mut line = format!("record {number}:");
    if let Some(date) = info.date {
        line += &format!(" {}", format_time("%Y-%m-%d %H:%M:%S.###", date, &Zone::utc()));
    }
    if let Some(comment) = &info.comment {
        line += &format!(" \"{comment}\"");
    }
    println!("{line}");
    let tables = record.as_object().into_iter().flat_map(|o| o.iter());
    let mut any = false;
    for (table, rows) in tables {
        let Some(ts) = schema.table(table).map(|t| &schema.tables[t]) else { continue };
        for (uuid, row) in rows.as_object().into_iter().flat_map(|o| o.iter()) {
            any = true;
            print_row(c.more, ts, uuid, row, info.is_diff, names);
        }
    }
    if any && c.more > 0 {
        println!();
    }
}

fn print_row(
    more: u32,
    ts: &TableSchema,
    uuid: &str,
    row: &Value,
    diff: bool,
    names: &mut HashMap<String, String>,
) {
    let key = format!("{} {uuid}", ts.name);
    let known = names.contains_key(&key);
    if let Some(name) = row.get("name").and_then(Value::as_str) {
        names.insert(key.clone(), name.to_owned());
    } else if !known {
        names.insert(key.clone(), String::new());
    }
    let short: String = uuid.chars().take(8).collect();
    if more > 0 {
        let what = if known { "" } else { "insert " };
        let who = match names.get(&key).filter(|n| !n.is_empty()) {
            Some(name) => format!("{} ({short})", Value::string(&**name)),
            None => short,
        };
        let kind = if known && diff { " diff" } else { "" };
        println!("  table {} {what}row {who}{kind}:", ts.name);
        match row.as_object() {
            None => {
                println!("    delete row");
            }
            Some(columns) => {
                if more > 1 {
                    for (name, value) in columns.iter() {
                        println!("    {name}={}", shown(ts, name, value));
                    }
                }
            }
        }
    }
    if row.as_object().is_none() {
        names.remove(&key);
    }
}

fn shown(ts: &TableSchema, column: &str, value: &Value) -> String {
    let datum = ts.column(column).and_then(|c| {
        let of = &ts.columns[c].kind;
        let d: Datum = Datum::from_json_unchecked(value, of, &mut NoSymbols).ok()?;
        Some(text::datum_to_string(&d, of))
    });
    datum.unwrap_or_else(|| value.to_string())
}
