//! The short commands.

use super::Context;
use super::rpc::{Arrived, UNIXCTL};
use crate::fatal::Fatal;
use crate::ovsdb_tool::file::read_schema;
use crate::table::{Cell, Table};
use ovsdb::Schema;
use ovsdb::json::{self, Object, Value};
use reactor::jsonrpc::Message;
use reactor::unixctl::{self, CommandTable, Outcome};
use std::process::ExitCode;

type Result = std::result::Result<ExitCode, Fatal>;

fn print_table(c: &Context, table: &Table) -> Result {
    print!("{}", table.print(&c.style, &mut true));
    Ok(ExitCode::SUCCESS)
}

fn print_json(c: &Context, value: &Value) -> Result {
    println!("{}", if c.style.pretty { value.to_pretty() } else { value.to_string() });
    Ok(ExitCode::SUCCESS)
}

/// The schema of a database, as JSON and understood.
pub(super) fn fetch_schema(c: &mut Context, database: &str) -> std::result::Result<(Value, Schema), Fatal> {
    let json = c.rpc.call("get_schema", vec![database.into()])?;
    let schema = Schema::from_json(&json).map_err(|e| Fatal::new(e.to_string()))?;
    Ok((json, schema))
}

pub(super) fn list_dbs(c: &mut Context, _: &[String]) -> Result {
    for name in super::list_dbs(&mut c.rpc)? {
        println!("{name}");
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) fn get_schema(c: &mut Context, _: &[String]) -> Result {
    let database = c.database.clone();
    let (_, schema) = fetch_schema(c, &database)?;
    print_json(c, &schema.to_json())
}

pub(super) fn get_schema_version(c: &mut Context, _: &[String]) -> Result {
    let database = c.database.clone();
    println!("{}", fetch_schema(c, &database)?.1.version);
    Ok(ExitCode::SUCCESS)
}

pub(super) fn get_schema_cksum(c: &mut Context, _: &[String]) -> Result {
    let database = c.database.clone();
    println!("{}", fetch_schema(c, &database)?.1.cksum);
    Ok(ExitCode::SUCCESS)
}

pub(super) fn list_tables(c: &mut Context, _: &[String]) -> Result {
    let database = c.database.clone();
    let (_, schema) = fetch_schema(c, &database)?;
    let mut table = Table::new(["Table"]);
    for t in &schema.tables {
        table.row([Cell::from(&*t.name)]);
    }
    print_table(c, &table)
}

pub(super) fn list_columns(c: &mut Context, args: &[String]) -> Result {
    let database = c.database.clone();
    let (_, schema) = fetch_schema(c, &database)?;
    let only = args.first();
    let mut table = match only {
        None => Table::new(["Table", "Column", "Type"]),
        Some(_) => Table::new(["Column", "Type"]),
    };
    for t in schema.tables.iter().filter(|t| only.is_none_or(|o| **o == *t.name)) {
        for column in &t.columns {
            let mut cells = Vec::new();
            if only.is_none() {
                cells.push(Cell::from(&*t.name));
            }
            cells.push(Cell::from(&*column.name));
            cells.push(Cell::Json(column.kind.to_json()));
            table.row(cells);
        }
    }
    print_table(c, &table)
}

fn parse_request(text: &str) -> std::result::Result<Vec<Value>, Fatal> {
    match json::parse(text).map_err(|e| Fatal::new(format!("\"{text}\": {e}")))? {
        Value::Array(a) if a.first().and_then(Value::as_str).is_some() => Ok(a),
        _ => Err(Fatal::new("not a valid OVSDB query")),
    }
}

pub(super) fn transact(c: &mut Context, args: &[String]) -> Result {
    let reply = c.rpc.call("transact", parse_request(&args[0])?)?;
    print_json(c, &reply)
}

pub(super) fn query(c: &mut Context, args: &[String]) -> Result {
    let mut params = parse_request(&args[0])?;
    // What the transaction would do is undone by its last operation, whose result is none of the user's.
    params.push(Value::object([("op", "abort".into())]));
    let n = params.len() - 2;
    let mut reply = c.rpc.call("transact", params)?;
    // After an error nothing was undone.
    if let Value::Array(results) = &mut reply
        && results.get(n).is_some_and(|r| *r != Value::Null)
    {
        results.remove(n);
    }
    print_json(c, &reply)
}

/// The states that `wait` knows.
pub(super) const STATES: [&str; 3] = ["added", "connected", "removed"];

pub(super) fn wait(c: &mut Context, args: &[String]) -> Result {
    let (database, state) = (&args[0], args[1].as_str());
    let columns = Value::Array(vec!["name".into(), "connected".into()]);
    let request = Value::object([("Database", Value::object([("columns", columns)]))]);
    let mut rows = Object::new();
    let initial = c.rpc.call("monitor", vec!["_Server".into(), Value::Null, request])?;
    take_rows(&mut rows, &initial);
    loop {
        let is = |row: &Value| row.get("name").and_then(Value::as_str) == Some(database);
        let found = rows.iter().map(|r| r.1).find(|r| is(r));
        let connected = found.and_then(|r| r.get("connected")).and_then(Value::as_bool).unwrap_or(false);
        let reached = match state {
            "removed" => found.is_none(),
            "connected" => connected,
            _ => found.is_some(),
        };
        if reached {
            return Ok(ExitCode::SUCCESS);
        }
        if let Arrived::Message(Message::Notification { method, params }) = c.rpc.wait()?
            && method == "update"
            && let [_, updates] = &params[..]
        {
            take_rows(&mut rows, updates);
        }
    }
}

fn take_rows(rows: &mut Object, updates: &Value) {
    for (uuid, update) in
        updates.get("Database").and_then(Value::as_object).into_iter().flat_map(|o| o.iter())
    {
        match update.get("new") {
            Some(new) => {
                rows.insert(uuid, new.clone());
            }
            None => {
                rows.remove(uuid);
            }
        }
    }
}

fn schema_argument(name: &str) -> std::result::Result<Schema, Fatal> {
    read_schema(name).map_err(Fatal::new)
}

pub(super) fn convert(c: &mut Context, args: &[String]) -> Result {
    let schema = schema_argument(&args[0])?;
    c.rpc.call("convert", vec![(*schema.name).into(), schema.to_json()])?;
    Ok(ExitCode::SUCCESS)
}

pub(super) fn needs_conversion(c: &mut Context, args: &[String]) -> Result {
    let wanted = schema_argument(&args[0])?;
    let (_, of_server) = fetch_schema(c, &wanted.name)?;
    println!("{}", if of_server.is_same(&wanted) { "no" } else { "yes" });
    Ok(ExitCode::SUCCESS)
}

pub(super) fn lock(c: &mut Context, args: &[String]) -> Result {
    hold(c, "lock", &args[0])
}

pub(super) fn steal(c: &mut Context, args: &[String]) -> Result {
    hold(c, "steal", &args[0])
}

pub(super) fn unlock(c: &mut Context, args: &[String]) -> Result {
    hold(c, "unlock", &args[0])
}

/// The control commands while a lock is held.
struct Holding {
    exiting: bool,
    unlock: Option<String>,
}

/// Sends the request, then prints what comes until the end.
fn hold(c: &mut Context, method: &'static str, lock: &str) -> Result {
    super::monitor::begin(c)?;
    let first = c.rpc.request(method, vec![lock.into()]);
    let detach = c.daemon.detach();
    let mut detached = false;
    let mut table: CommandTable<Holding> = CommandTable::new();
    table.add_fn("exit", "", 0..=0, |h, _, _| {
        h.exiting = true;
        Outcome::ok("")
    });
    table.add_fn("unlock", "LOCK", 1..=1, |h, _, call| {
        h.unlock = call.arg(0).map(str::to_owned);
        Outcome::ok("")
    });
    let mut holding = Holding { exiting: false, unlock: None };
    let mut control = unixctl::Server::closed(UNIXCTL);
    loop {
        match c.rpc.wait()? {
            Arrived::Message(Message::Reply { id, result }) if id == first => {
                c.print(&format!("{result}\n"))?;
                if detach && !std::mem::replace(&mut detached, true) {
                    control = super::monitor::detach(c)?;
                }
            }
            Arrived::Message(Message::Error { id, error }) if id == first => {
                return Err(Fatal::new(format!("transaction returned error: {error}")));
            }
            Arrived::Message(Message::Notification { method, params }) => {
                c.print(&format!("{method}\n{}\n", Value::Array(params)))?;
            }
            Arrived::Message(_) => {}
            Arrived::Control(event) => {
                control.run(&mut c.rpc.reactor, event);
                while let Some(call) = control.next_call() {
                    if let Some(result) = table.dispatch(&mut holding, &mut c.rpc.reactor, &call) {
                        control.reply(&mut c.rpc.reactor, call.token(), result);
                    }
                }
            }
        }
        if let Some(lock) = holding.unlock.take() {
            c.rpc.request("unlock", vec![lock.into()]);
        }
        if holding.exiting {
            control.flush(&mut c.rpc.reactor);
            c.rpc.end();
            return Ok(ExitCode::SUCCESS);
        }
    }
}
