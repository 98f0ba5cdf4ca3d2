//! The monitors: changes as tables, as they happen.

use super::commands::fetch_schema;
use super::dump::cell;
use super::rpc::{Arrived, UNIXCTL};
use super::{Context, PROGRAM};
use crate::fatal::Fatal;
use crate::table::{Cell, Table};
use ovsdb::atom::NoSymbols;
use ovsdb::json::{self, Object, Value};
use ovsdb::monitor::Version;
use ovsdb::schema::VERSION_COLUMN;
use ovsdb::{Datum, Schema, TableSchema, Uuid};
use reactor::errno;
use reactor::jsonrpc::Message;
use reactor::unixctl::{self, CommandTable, Outcome};
use std::fs::File;
use std::os::fd::AsFd;
use std::process::ExitCode;

type Result<T> = std::result::Result<T, Fatal>;

/// What is monitored of a table.
struct Watched {
    table: usize,
    /// In the order in which they are shown.
    columns: Vec<usize>,
}

pub(super) fn monitor(c: &mut Context, args: &[String]) -> Result<ExitCode> {
    run(c, Version::V1, args, None, Uuid::ZERO)
}

pub(super) fn monitor_cond(c: &mut Context, args: &[String]) -> Result<ExitCode> {
    run(c, Version::V2, &args[1..], Some(&args[0]), Uuid::ZERO)
}

pub(super) fn monitor_cond_since(c: &mut Context, args: &[String]) -> Result<ExitCode> {
    let (last, args) = match args[0].parse() {
        Ok(uuid) => (uuid, &args[1..]),
        Err(()) => (Uuid::ZERO, args),
    };
    let [condition, args @ ..] = args else {
        return Err(Fatal::new("invalid syntax for 'monitor-cond-since' (use --help for help)"));
    };
    run(c, Version::V3, args, Some(condition), last)
}

fn parse_condition(text: &str) -> Result<Value> {
    json::parse(text).map_err(|e| Fatal::new(format!("\"{text}\": {e}")))
}

fn run(
    c: &mut Context,
    version: Version,
    args: &[String],
    condition: Option<&String>,
    last: Uuid,
) -> Result<ExitCode> {
    let database = c.database.clone();
    let (_, schema) = fetch_schema(c, &database)?;
    let Some((name, columns)) = args.split_first() else {
        return Err(Fatal::new("invalid syntax for 'monitor' (use --help for help)"));
    };
    let all = name == "ALL";
    let tables = match schema.table(name) {
        _ if all => 0..schema.tables.len(),
        Some(t) => t..t + 1,
        None => {
            let server = prefix(c, version);
            return Err(Fatal::new(format!("{server}{database} does not have a table named \"{name}\"")));
        }
    };
    let condition = condition.map(|text| parse_condition(text)).transpose()?;
    let mut watched = Vec::new();
    let mut requests = Object::new();
    for t in tables {
        let (w, request) = request(c, &schema, t, columns, condition.as_ref())?;
        watched.push(w);
        requests.insert(schema.tables[t].name.clone(), request);
    }
    let mut params = vec![Value::string(&*database), Value::Null, requests.into()];
    let method = match version {
        Version::V1 => "monitor",
        Version::V2 => "monitor_cond",
        Version::V3 => {
            params.push(last.to_string().into());
            "monitor_cond_since"
        }
    };
    if c.change_aware {
        // A server that does not know it does not disconnect us either: the answer does not matter.
        c.rpc.request("set_db_change_aware", vec![true.into()]);
    }
    begin(c)?;
    let id = c.rpc.request(method, params);
    let mut show = Show { schema, watched, version, captions: all, first: true };
    follow(c, &mut show, &id, &database)
}

/// What complaints about arguments begin with.
fn prefix(c: &Context, version: Version) -> String {
    match version {
        Version::V1 => format!("{}: ", c.rpc.name()),
        _ => String::new(),
    }
}

/// The `<monitor-request>`s for one table, one for each list of columns.
fn request(
    c: &Context,
    schema: &Schema,
    table: usize,
    lists: &[String],
    condition: Option<&Value>,
) -> Result<(Watched, Value)> {
    let ts = &schema.tables[table];
    let version = if condition.is_some() { Version::V2 } else { Version::V1 };
    let mut columns = Vec::new();
    let mut requests = Vec::new();
    let none = [String::new()];
    for list in if lists.is_empty() { &none[..] } else { lists } {
        let (mut mine, mut select) = (Vec::new(), Object::new());
        for word in list.split([',', ' ']).filter(|w| !w.is_empty()) {
            match word {
                "!initial" | "!insert" | "!delete" | "!modify" => {
                    select.insert(&word[1..], false);
                }
                _ => match ts.column(word) {
                    Some(c) => mine.push(c),
                    None => {
                        let text = format!(
                            "{}table \"{}\" in {} does not have a column named \"{word}\"",
                            prefix(c, version),
                            ts.name,
                            schema.name
                        );
                        return Err(Fatal::new(text));
                    }
                },
            }
        }
        if mine.is_empty() {
            mine = ts.own_columns().map(|c| c.0).collect();
            mine.push(VERSION_COLUMN);
        }
        for &m in &mine {
            if columns.contains(&m) {
                let column = &ts.columns[m].name;
                let text = format!("{}column \"{column}\" mentioned multiple times", prefix(c, version));
                return Err(Fatal::new(text));
            }
            columns.push(m);
        }
        let names = mine.iter().map(|&c| Value::string(&*ts.columns[c].name)).collect();
        let mut one = Object::new();
        one.insert("columns", Value::Array(names));
        if !select.is_empty() {
            one.insert("select", select);
        }
        if let Some(condition) = condition {
            one.insert("where", condition.clone());
        }
        requests.push(Value::Object(one));
    }
    Ok((Watched { table, columns }, Value::Array(requests)))
}

/// Prints updates.
struct Show {
    schema: Schema,
    watched: Vec<Watched>,
    version: Version,
    captions: bool,
    first: bool,
}

impl Show {
    fn updates(&mut self, c: &mut Context, updates: &Value, initial: bool) -> Result<()> {
        let now = c.clock.wall_millis();
        for w in &self.watched {
            let ts = &self.schema.tables[w.table];
            let Some(rows) = updates.get(&ts.name).and_then(Value::as_object) else { continue };
            let headings =
                ["row", "action"].into_iter().chain(w.columns.iter().map(|&c| &*ts.columns[c].name));
            let mut table = Table::new(headings).at(now);
            if self.captions {
                table = table.caption(&*ts.name);
            }
            for (uuid, update) in rows.iter() {
                match self.version {
                    Version::V1 => rows_v1(&mut table, ts, w, uuid, update, initial)?,
                    _ => rows_v2(&mut table, ts, w, uuid, update)?,
                }
            }
            let text = table.print(&c.style, &mut self.first);
            c.print(&text)?;
        }
        Ok(())
    }
}

fn rows_v1(
    table: &mut Table,
    ts: &TableSchema,
    w: &Watched,
    uuid: &str,
    update: &Value,
    initial: bool,
) -> Result<()> {
    let (old, new) = (update.get("old"), update.get("new"));
    match (old, new) {
        (Some(old), Some(new)) => {
            row(table, ts, w, uuid, "old", Some(old))?;
            row(table, ts, w, "", "new", Some(new))
        }
        (Some(old), None) => row(table, ts, w, uuid, "delete", Some(old)),
        (None, new) => row(table, ts, w, uuid, if initial { "initial" } else { "insert" }, new),
    }
}

fn rows_v2(table: &mut Table, ts: &TableSchema, w: &Watched, uuid: &str, update: &Value) -> Result<()> {
    for action in ["initial", "insert", "modify", "delete"] {
        if let Some(columns) = update.get(action) {
            row(table, ts, w, uuid, action, Some(columns))?;
        }
    }
    Ok(())
}

fn row(
    table: &mut Table,
    ts: &TableSchema,
    w: &Watched,
    uuid: &str,
    action: &str,
    columns: Option<&Value>,
) -> Result<()> {
    let mut cells = vec![Cell::from(uuid), Cell::from(action)];
    for &c in &w.columns {
        let column = &ts.columns[c];
        cells.push(match columns.and_then(|o| o.get(&column.name)) {
            Some(value) => {
                let datum = Datum::from_json_unchecked(value, &column.kind, &mut NoSymbols);
                cell(&datum.map_err(|e| Fatal::new(e.to_string()))?, &column.kind)
            }
            None => Cell::Nothing,
        });
    }
    table.row(cells);
    Ok(())
}

/// The state that control commands change.
#[derive(Default)]
struct Control {
    exiting: bool,
    blocked: bool,
    condition: Option<(String, String)>,
}

fn commands() -> CommandTable<Control> {
    let mut table: CommandTable<Control> = CommandTable::new();
    table.add_fn("exit", "", 0..=0, |c, _, _| {
        c.exiting = true;
        Outcome::ok("")
    });
    table.add_fn("ovsdb-client/block", "", 0..=0, |c, _, _| {
        if std::mem::replace(&mut c.blocked, true) {
            Outcome::error("already blocking")
        } else {
            Outcome::ok("")
        }
    });
    table.add_fn("ovsdb-client/unblock", "", 0..=0, |c, _, _| {
        if std::mem::replace(&mut c.blocked, false) {
            Outcome::ok("")
        } else {
            Outcome::error("already unblocked")
        }
    });
    table.add_fn("ovsdb-client/cond_change", "TABLE COND", 2..=2, |c, _, call| {
        let arg = |i| call.arg(i).unwrap_or_default().to_owned();
        c.condition = Some((arg(0), arg(1)));
        Outcome::ok("")
    });
    table
}

/// Becomes the process that follows what the server says: in the background if so asked.
pub(super) fn begin(c: &mut Context) -> Result<()> {
    let mut process = c.daemon.start(&c.vlog)?;
    if c.daemon.detach() {
        c.rpc.watch_signals()?;
    } else {
        process.complete(&c.vlog)?;
    }
    c.rpc.follow(process);
    Ok(())
}

/// In the background: all is ready. Lets go of the terminal and opens a control socket.
pub(super) fn detach(c: &mut Context) -> Result<unixctl::Server> {
    let vlog = c.vlog.clone();
    let path = c.dirs.control_socket(PROGRAM, std::process::id() as i32);
    let control = unixctl::Server::listen(&c.rpc.reactor, UNIXCTL, &path.display().to_string());
    let control = control.map_err(|e| {
        Fatal::new(format!("{}: could not initialize control socket ({})", path.display(), errno::text(&e)))
    })?;
    c.out = std::io::stdout().as_fd().try_clone_to_owned().ok().map(File::from);
    if let Some(process) = c.rpc.process() {
        process.complete(&vlog)?;
    }
    Ok(control)
}

fn follow(c: &mut Context, show: &mut Show, first: &Value, database: &str) -> Result<ExitCode> {
    let table = commands();
    let mut state = Control::default();
    let mut control = unixctl::Server::closed(UNIXCTL);
    let mut detached = false;
    let mut held: Vec<Message> = Vec::new();
    loop {
        match c.rpc.wait()? {
            Arrived::Message(Message::Reply { id, result }) if id == *first => {
                initial(c, show, &result)?;
                if c.daemon.detach() && !std::mem::replace(&mut detached, true) {
                    control = detach(c)?;
                }
            }
            Arrived::Message(Message::Error { id, error }) if id == *first => {
                return Err(Fatal::new(refusal(&error)));
            }
            Arrived::Message(m) if state.blocked => held.push(m),
            Arrived::Message(m) => notification(c, show, m, database)?,
            Arrived::Control(event) => {
                control.run(&mut c.rpc.reactor, event);
                while let Some(call) = control.next_call() {
                    if let Some(result) = table.dispatch(&mut state, &mut c.rpc.reactor, &call) {
                        control.reply(&mut c.rpc.reactor, call.token(), result);
                    }
                }
            }
        }
        if !state.blocked {
            for m in std::mem::take(&mut held) {
                notification(c, show, m, database)?;
            }
        }
        if let Some((name, condition)) = state.condition.take() {
            change_condition(c, &name, &condition);
        }
        if state.exiting {
            control.flush(&mut c.rpc.reactor);
            c.rpc.end();
            return Ok(ExitCode::SUCCESS);
        }
    }
}

/// An error reply in words: an error object as the tools print errors.
fn refusal(error: &Value) -> String {
    let text = |m| error.get(m).and_then(Value::as_str);
    match (text("syntax"), text("error"), text("details")) {
        (Some(s), Some(e), Some(d)) => format!("syntax \"{s}\": {e}: {d}"),
        (None, Some(e), Some(d)) => format!("{e}: {d}"),
        _ => format!("transaction returned error: {error}"),
    }
}

fn initial(c: &mut Context, show: &mut Show, result: &Value) -> Result<()> {
    let updates = match (show.version, result.as_array()) {
        (Version::V3, Some([found, last, updates])) => {
            c.print(&format!("found: {found}, last_id: {}\n", last.as_str().unwrap_or("")))?;
            updates
        }
        _ => result,
    };
    show.updates(c, updates, true)
}

fn notification(c: &mut Context, show: &mut Show, message: Message, database: &str) -> Result<()> {
    let Message::Notification { method, params } = message else { return Ok(()) };
    match (&*method, &params[..]) {
        ("update" | "update2", [_, updates]) => show.updates(c, updates, false),
        ("update3", [_, last, updates]) => {
            // The table that follows ends the line, unless it is the first one.
            c.print(&format!("\nlast_id: {}", last.as_str().unwrap_or("")))?;
            show.updates(c, updates, false)
        }
        ("monitor_canceled", _) => {
            Err(Fatal::new(format!("{}: {database} database was removed", c.rpc.name())))
        }
        _ => Ok(()),
    }
}

fn change_condition(c: &mut Context, table: &str, condition: &str) {
    match json::parse(condition) {
        Ok(condition) => {
            let request = Value::Array(vec![Value::object([("where", condition)])]);
            let requests = Value::object([(table, request)]);
            c.rpc.request("monitor_cond_change", vec![Value::Null, Value::Null, requests]);
        }
        Err(e) => base::warn!(c.vlog.logger(), "ovsdb_client", "{condition}: {e}"),
    }
}
