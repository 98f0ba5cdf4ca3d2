//! `dump`: the contents of tables, in order.

use super::Context;
use super::commands::fetch_schema;
use crate::fatal::Fatal;
use crate::table::{Cell, Table};
use ovsdb::atom::NoSymbols;
use ovsdb::json::Value;
use ovsdb::schema::VERSION_COLUMN;
use ovsdb::{Atom, ColumnType, Datum, Schema, text};
use std::process::ExitCode;

/// A value as a cell.
pub(super) fn cell(datum: &Datum, of: &ColumnType) -> Cell {
    Cell::Value {
        string: text::datum_to_string(datum, of),
        bare: text::datum_to_bare(datum, of),
        json: datum.to_json(of),
    }
}

pub(super) fn dump(c: &mut Context, args: &[String]) -> Result<ExitCode, Fatal> {
    let database = c.database.clone();
    let (_, schema) = fetch_schema(c, &database)?;
    let tables = chosen(&schema, args)?;
    let mut params = vec![Value::string(&*database)];
    for (t, columns) in &tables {
        let ts = &schema.tables[*t];
        let names = columns.iter().map(|&c| Value::string(&*ts.columns[c].name)).collect();
        params.push(Value::object([
            ("op", "select".into()),
            ("table", (*ts.name).into()),
            ("where", Value::Array(Vec::new())),
            ("columns", Value::Array(names)),
        ]));
    }
    let reply = c.rpc.call("transact", params)?;
    let mut first = true;
    for ((t, columns), result) in tables.iter().zip(reply.as_array().unwrap_or_default()) {
        let table = contents(&schema, *t, columns, result)?;
        print!("{}", table.print(&c.style, &mut first));
    }
    Ok(ExitCode::SUCCESS)
}

/// The tables and columns that the arguments ask for; columns in order of their names.
fn chosen(schema: &Schema, args: &[String]) -> Result<Vec<(usize, Vec<usize>)>, Fatal> {
    let all = |t: usize| {
        let mut columns: Vec<usize> =
            (0..schema.tables[t].columns.len()).filter(|c| *c != VERSION_COLUMN).collect();
        columns.sort_by_key(|c| &schema.tables[t].columns[*c].name);
        columns
    };
    let Some((name, columns)) = args.split_first() else {
        return Ok((0..schema.tables.len()).map(|t| (t, all(t))).collect());
    };
    let Some(t) = schema.table(name) else { return Err(Fatal::new(format!("No table \"{name}\" found."))) };
    if columns.is_empty() {
        return Ok(vec![(t, all(t))]);
    }
    let ts = &schema.tables[t];
    let mut list = Vec::new();
    for column in columns {
        match ts.column(column) {
            Some(c) => list.push(c),
            None => return Err(Fatal::new(format!("Table \"{name}\" has no column {column}."))),
        }
    }
    list.sort_by_key(|c| &ts.columns[*c].name);
    Ok(vec![(t, list)])
}

fn contents(schema: &Schema, t: usize, columns: &[usize], result: &Value) -> Result<Table, Fatal> {
    let ts = &schema.tables[t];
    let mut rows: Vec<Vec<Datum>> = Vec::new();
    let Some(replied) = result.get("rows").and_then(Value::as_array) else {
        let name = &ts.name;
        return Err(Fatal::new(format!(
            "{name} table reply is not an object with a \"rows\" member array: {result}"
        )));
    };
    for row in replied {
        let mut cells = Vec::with_capacity(columns.len());
        for &c in columns {
            let value = row.get(&ts.columns[c].name).unwrap_or(&Value::Null);
            let datum = Datum::from_json_unchecked(value, &ts.columns[c].kind, &mut NoSymbols);
            cells.push(datum.map_err(|e| Fatal::new(e.to_string()))?);
        }
        rows.push(cells);
    }
    let key = |d: &Datum| -> (Vec<Atom>, Vec<Atom>) {
        (d.keys().cloned().collect(), d.values().cloned().collect())
    };
    rows.sort_by_cached_key(|r| r.iter().map(key).collect::<Vec<_>>());
    let headings = columns.iter().map(|&c| &*ts.columns[c].name);
    let mut table = Table::new(headings).caption(format!("{} table", ts.name));
    for row in rows {
        table.row(row.iter().zip(columns).map(|(d, &c)| cell(d, &ts.columns[c].kind)));
    }
    Ok(table)
}
