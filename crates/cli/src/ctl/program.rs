//! The course of a control program, from its command line to its exit status.

use super::columns::{RowNames, Symbols};
use super::command::{self, Invocation, Syntax};
use super::model::Model;
use super::point::Plan;
use super::session::{Outcome, Session, Wanted};
use super::{Context, HasContext, Output, Records};
use crate::dirs::Dirs;
use crate::fatal::{self, Fatal};
use crate::options::{Opt, Options, Order};
use crate::table::{self, Cell, Style, Table};
use crate::timeout;
use crate::vlog::{self, Vlog};
use base::{Clock, Logger};
use ovsdb::json::Value;
use ovsdb::text::{datum_to_bare, datum_to_string};
use ovsdb::{RefType, Schema, Uuid};
use reactor::event::Environment;
use reactor::jsonrpc::Client;
use std::collections::HashMap;
use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;

/// A program that edits a database.
pub trait Program: HasContext + Sized + 'static {
    /// Its name.
    const NAME: &'static str;
    /// The database.
    const DATABASE: &'static str;
    /// Its module in the log.
    const MODULE: &'static str;
    /// The version of the schema that it was made for.
    const SCHEMA: &'static str;
    /// Its options, in the order of their listing, beside those for the log, tables and TLS.
    const OPTIONS: &'static [Opt];

    /// The commands.
    fn commands() -> &'static [&'static [Syntax<Self>]];

    /// How rows may be named.
    fn records() -> &'static [RowNames];

    /// The text of `--help`.
    fn help(dirs: &Dirs) -> String;

    /// The state in which commands run.
    fn new(context: Context) -> Self;

    /// Prepares the first command: makes the root row if there is none.
    fn prepare(&mut self);

    /// The tables and columns that commands need.
    fn wanted(calls: &[Invocation<Self>], schema: &Schema) -> Wanted;

    /// The few rows that will do instead, where commands name them.
    fn point(_: &[Invocation<Self>]) -> Option<Plan> {
        None
    }

    /// Changes made to every transaction that changes something: `next_cfg`.
    fn increment(&self) -> Option<Uuid> {
        None
    }

    /// Interfaces whose set-up by the switch is to be checked.
    fn made_interfaces(&self) -> &[String] {
        &[]
    }
}

/// What the global options say.
struct Settings {
    name: &'static str,
    db: String,
    wait: bool,
    dry_run: bool,
    oneline: bool,
    retry: bool,
    timeout: u32,
    style: Style,
    tls: reactor::tls::Settings,
    dirs: Dirs,
    vlog: Arc<Vlog>,
}

/// Runs the program. `args` are without its name.
pub fn main<P: Program>(args: &[String]) -> ExitCode {
    fatal::run(P::NAME, || run::<P>(args))
}

fn run<P: Program>(args: &[String]) -> Result<ExitCode, Fatal> {
    let clock = Clock::real();
    let dirs = Dirs::from_env();
    let vlog = Vlog::new(P::NAME, &dirs, &clock);
    vlog.environment()?;
    vlog.set_level(None, Some(vlog::Destination::Console), Some(base::Level::Warn));
    let (settings, first, words) = match parse_options::<P>(args, dirs, vlog)? {
        Parsed::Go(s, first, words) => (*s, first, words),
        Parsed::Done(text) => {
            print!("{text}");
            return Ok(ExitCode::SUCCESS);
        }
    };
    let commands = command::parse(P::commands(), &words, first)?;
    let log = settings.vlog.logger();
    timeout::arm(settings.timeout, &log)?;
    let line = format!("{} {}", P::NAME, args.join(" "));
    let level = if commands.iter().any(|c| c.syntax.writes) { base::Level::Info } else { base::Level::Dbg };
    base::record!(log, level, P::MODULE, "Called as {line}");
    Job { settings: &settings, commands: &commands, line: &line, log: &log }.run()
}

fn failed(settings: &Settings, text: String) -> Fatal {
    if text.starts_with("database connection failed") {
        Fatal::new(format!("{}: {text}", settings.db))
    } else {
        Fatal::new(text)
    }
}

enum Parsed {
    Go(Box<Settings>, Vec<(String, Option<String>)>, Vec<String>),
    Done(String),
}

fn parse_options<P: Program>(args: &[String], dirs: Dirs, vlog: Arc<Vlog>) -> Result<Parsed, Fatal> {
    let locals = command::local_options(P::commands());
    let local: Vec<Opt> = locals
        .iter()
        .map(|o| match o[2..].strip_suffix('=') {
            Some(name) => Opt::value(name),
            None => Opt::flag(&o[2..]),
        })
        .collect();
    let own = [P::OPTIONS, vlog::OPTIONS, table::OPTIONS, crate::tls::OPTIONS, crate::tls::DATABASE];
    let global = Options::new(&own);
    let options = Options::new(&[own.concat().as_slice(), &local]);
    let mut s = Settings {
        name: P::NAME,
        db: dirs.default_db(),
        wait: true,
        dry_run: false,
        oneline: false,
        retry: false,
        timeout: timeout::from_env(),
        style: Style::LIST,
        tls: reactor::tls::Settings::default(),
        dirs,
        vlog,
    };
    let mut first = Vec::new();
    let mut parser = options.parser(args, Order::First);
    for given in parser.by_ref() {
        let given = given?;
        match given.id {
            "db" => s.db = given.value().to_string(),
            "no-wait" => s.wait = false,
            "dry-run" => s.dry_run = true,
            "oneline" => s.oneline = true,
            "retry" => s.retry = true,
            "timeout" => s.timeout = timeout::parse("-t", given.value())?,
            "no-syslog" => s.vlog.verbose(Some(&format!("{}:syslog:warn", P::MODULE)))?,
            "help" => return Ok(Parsed::Done(P::help(&s.dirs))),
            "commands" => return Ok(Parsed::Done(command::completion(P::commands()))),
            "options" => return Ok(Parsed::Done(listing(&global))),
            "version" => {
                let schema = format!("DB Schema {}", P::SCHEMA);
                return Ok(Parsed::Done(crate::version::text(P::NAME, &[&schema])));
            }
            "leader-only" | "no-leader-only" | "shuffle-remotes" | "no-shuffle-remotes" => {}
            id if locals.iter().any(|o| o[2..].trim_end_matches('=') == id) => {
                first.push((format!("--{id}"), given.value.clone()));
            }
            _ => {
                if !s.vlog.option(&given)? && !s.style.option(&given)? {
                    crate::tls::option(&given, &mut s.tls);
                }
            }
        }
    }
    let words = parser.rest();
    Ok(Parsed::Go(Box::new(s), first, words))
}

/// Every option with its argument, for shell completion.
fn listing(options: &Options) -> String {
    let mut out = String::new();
    for o in options.all() {
        let (eq, arg) = if o.takes == crate::options::Takes::Nothing { ("", "") } else { ("=ARG", " ARG") };
        if let Some(long) = o.long {
            out.push_str(&format!("--{long}{eq}\n"));
        }
        if let Some(short) = o.short {
            out.push_str(&format!("-{short}{arg}\n"));
        }
    }
    out
}

fn connect(settings: &Settings) -> Result<Client, Fatal> {
    loop {
        let env = Environment::new(settings.vlog.logger(), settings.dirs.run.clone())
            .with_tls(settings.tls.clone());
        match Client::connect(&settings.db, env) {
            Ok(client) => return Ok(client),
            // Who waits for a connection waits until it can.
            Err(_) if settings.db.starts_with('p') && settings.db.contains(':') => {
                sys::sleep(std::time::Duration::from_secs(1));
            }
            Err(_) if settings.retry => sys::sleep(std::time::Duration::from_millis(500)),
            Err(e) => {
                return Err(Fatal::new(format!(
                    "{}: database connection failed ({})",
                    settings.db,
                    reactor::errno::text(&e)
                )));
            }
        }
    }
}

/// What one run of all commands came to.
struct Run<P> {
    state: P,
    outputs: Vec<Output>,
    created: Vec<Option<(usize, Uuid)>>,
}

/// How an attempt ended.
enum Attempt {
    Done(ExitCode),
    /// What was relied on has changed.
    Again,
    /// The rows that were fetched will not do.
    NeedsAll,
}

/// The commands to carry out.
struct Job<'a, P: Program> {
    settings: &'a Settings,
    commands: &'a [Invocation<P>],
    line: &'a str,
    log: &'a Logger,
}

impl<P: Program> Job<'_, P> {
    fn run(&self) -> Result<ExitCode, Fatal> {
        let plan = P::point(self.commands);
        let queries = plan.as_ref().map(Plan::queries).unwrap_or_default();
        let client = connect(self.settings)?;
        let (mut session, rows) =
            Session::open(client, P::DATABASE, queries, self.log.clone()).map_err(|e| self.failed(e))?;
        if let (Some(plan), Some(rows)) = (plan, rows) {
            let mut model = Model::new(session.schema().clone(), seed());
            if plan.load(&mut model, &rows, &mut session).map_err(|e| self.failed(e))? {
                match self.attempt(&mut session, model, true)? {
                    Attempt::Done(code) => return Ok(code),
                    Attempt::Again | Attempt::NeedsAll => {}
                }
            }
        }
        if session.is_monitoring() {
            // It copies the wrong columns: a connection has one copy.
            let client = connect(self.settings)?;
            (session, _) = Session::open(client, P::DATABASE, Vec::new(), self.log.clone())
                .map_err(|e| self.failed(e))?;
        }
        let wanted = P::wanted(self.commands, session.schema());
        session.monitor(wanted);
        session.wait_until_ready().map_err(|e| self.failed(e))?;
        loop {
            let model = session.model(seed());
            match self.attempt(&mut session, model, false)? {
                Attempt::Done(code) => return Ok(code),
                Attempt::Again | Attempt::NeedsAll => {}
            }
        }
    }

    fn failed(&self, text: String) -> Fatal {
        failed(self.settings, text)
    }

    /// Runs the commands on `model` and commits what they come to. A model of chosen rows only (`partial`) gives up
    /// at the first difficulty, before anything has been said or done.
    fn attempt(&self, session: &mut Session, model: Model, partial: bool) -> Result<Attempt, Fatal> {
        let mut run = match self.run_commands(model) {
            Ok(run) => run,
            Err(_) if partial => return Ok(Attempt::NeedsAll),
            Err(e) => return Err(e),
        };
        if run.state.context().wait {
            if !partial {
                session.wait_for_update().map_err(|e| self.failed(e))?;
            }
            return Ok(Attempt::NeedsAll);
        }
        match self.check_symbols(run.state.context()) {
            Ok(()) => {}
            Err(_) if partial => return Ok(Attempt::NeedsAll),
            Err(e) => return Err(e),
        }
        let mut next_cfg = None;
        if run.state.context().model.is_changed() && !self.settings.dry_run {
            if partial && self.settings.wait && run.state.increment().is_some() {
                let column = ("Open_vSwitch".to_string(), Some(vec!["cur_cfg".to_string()]));
                session.monitor([column].into());
            }
            match self.commit(session, &mut run)? {
                Outcome::Again => {
                    if !partial {
                        session.catch_up().map_err(|e| self.failed(e))?;
                    }
                    return Ok(Attempt::Again);
                }
                Outcome::Failed { .. } if partial => return Ok(Attempt::NeedsAll),
                Outcome::Failed { text, error } => {
                    if text != error && !error.contains("aborted by request") {
                        session.log_refusal(&error);
                    }
                    return Err(Fatal::new(text));
                }
                Outcome::Committed(results) => {
                    if self.settings.wait && run.state.increment().is_some() && !counted(&results) {
                        base::warn!(self.log, "ovsdb_idl", "\"mutate\" reply \"count\" is 0 instead of 1");
                        return Err(Fatal::new("transaction error: no error details available"));
                    }
                    name_created(&mut run, &results);
                    next_cfg = counter(&results).filter(|_| self.settings.wait);
                }
            }
        }
        if self.settings.dry_run {
            name_created(&mut run, &[]);
        }
        self.print(&run)?;
        if let Some(next) = next_cfg {
            // The root row that this transaction has made has another UUID now.
            let reached = |s: &Session| {
                let root = s.rows("Open_vSwitch").next();
                root.and_then(|r| s.value("Open_vSwitch", r, "cur_cfg").as_integer())
                    .is_some_and(|c| c >= next)
            };
            while !reached(session) {
                session.wait_for_update().map_err(|e| self.failed(e))?;
            }
            self.report_setup_errors(session, &run.state, partial)?;
        }
        let status = run.state.context().exit_status;
        Ok(Attempt::Done(status.map_or(ExitCode::SUCCESS, ExitCode::from)))
    }

    fn run_commands(&self, model: Model) -> Result<Run<P>, Fatal> {
        let context = Context {
            model,
            symbols: Symbols::new(seed()),
            record_names: P::records(),
            log: self.log.clone(),
            output: Output::Nothing,
            created: None,
            exit_status: None,
            wait: false,
        };
        let mut state = P::new(context);
        state.prepare();
        let (mut outputs, mut created) = (Vec::new(), Vec::new());
        for call in self.commands {
            (call.syntax.run)(&mut state, call)?;
            let c = state.context();
            outputs.push(std::mem::take(&mut c.output));
            created.push(c.created.take());
            if c.wait {
                break;
            }
        }
        Ok(Run { state, outputs, created })
    }

    fn check_symbols(&self, c: &Context) -> Result<(), Fatal> {
        for (name, symbol) in c.symbols.iter() {
            if !symbol.created {
                return Err(Fatal::new(format!(
                    "row id \"{name}\" is referenced but never created (e.g. with \"-- --id={name} create ...\")"
                )));
            }
            let made_here =
                c.model.inserted().find(|(_, u)| *u == symbol.uuid).map(|(t, _)| c.model.table(t));
            if self.settings.dry_run || made_here.is_none_or(|t| t.is_root) {
                continue;
            }
            let what = match c.model.reference_to(symbol.uuid) {
                Some(RefType::Strong) => continue,
                Some(RefType::Weak) => "only a weak reference to it",
                None => "no reference to it",
            };
            base::warn!(
                self.log,
                P::MODULE,
                "row id \"{name}\" was created but {what} was inserted, so it will not actually appear in the database"
            );
        }
        Ok(())
    }

    /// Asks the server for the changes. The results of the changes proper are first, the counter's last.
    fn commit(&self, session: &mut Session, run: &mut Run<P>) -> Result<Outcome, Fatal> {
        let root = run.state.increment().filter(|_| self.settings.wait);
        let model = &run.state.context().model;
        let mut ops = model.guards();
        let guards = ops.len();
        ops.extend(model.operations());
        let comment = format!("{}: {}", P::NAME, self.line);
        ops.push(Value::object([("op", "comment".into()), ("comment", comment.into())]));
        if let Some(root) = root {
            ops.extend(increment_next_cfg(model.reference(root)));
        }
        session.transact(guards, ops).map_err(|e| self.failed(e))
    }

    fn print(&self, run: &Run<P>) -> Result<(), Fatal> {
        let mut out = String::new();
        let mut first = true;
        for output in &run.outputs {
            let text = match output {
                Output::Nothing => String::new(),
                Output::Text(text) => text.clone(),
                Output::Table(records) => table(records).print(&self.settings.style, &mut first),
            };
            if self.settings.oneline {
                let text = text.strip_suffix('\n').unwrap_or(&text);
                out.push_str(&text.replace('\\', "\\\\").replace('\n', "\\n"));
                out.push('\n');
            } else {
                out.push_str(&text);
            }
        }
        let mut stdout = std::io::stdout().lock();
        // A reader that has gone wants no more.
        let _ = stdout.write_all(out.as_bytes()).and_then(|()| stdout.flush());
        Ok(())
    }

    /// Tells of interfaces made here that the switch could not set up.
    fn report_setup_errors(&self, session: &mut Session, state: &P, partial: bool) -> Result<(), Fatal> {
        let made = state.made_interfaces();
        let mut faults = Vec::new();
        if partial {
            let queries = made.iter().map(|name| super::point::interface_status(name)).collect();
            let found = session.select(queries).map_err(|e| self.failed(e))?.unwrap_or_default();
            for row in found.iter().filter_map(Value::as_array).flatten() {
                let name = row.get("name").and_then(Value::as_str).unwrap_or_default();
                let ofport = row.get("ofport").and_then(Value::as_integer);
                let error = row.get("error").and_then(Value::as_str).unwrap_or_default();
                faults.extend(setup_error(name, ofport, error));
            }
        } else {
            let of = |row, column| session.value("Interface", row, column);
            let rows = session.rows("Interface").filter_map(|row| Some((of(row, "name").as_str()?, row)));
            let rows: HashMap<&str, Uuid> = rows.collect();
            for (name, row) in made.iter().filter_map(|name| rows.get_key_value(name.as_str())) {
                let error = of(*row, "error").as_str().unwrap_or_default();
                faults.extend(setup_error(name, of(*row, "ofport").as_integer(), error));
            }
        }
        for fault in &faults {
            eprintln!("{}: {fault}", self.settings.name);
        }
        if !faults.is_empty() {
            let dir = self.settings.dirs.log.display();
            eprintln!("{}: The default log directory is \"{dir}\".", self.settings.name);
        }
        Ok(())
    }
}

/// What is wrong with an interface, if the switch could not set it up.
fn setup_error(name: &str, ofport: Option<i64>, error: &str) -> Option<String> {
    if ofport.is_some_and(|n| n != -1) {
        return None;
    }
    let reason = if error.is_empty() { String::new() } else { format!(": {error}") };
    Some(format!("Error detected while setting up '{name}'{reason}.  See ovs-vswitchd log for details."))
}

/// Whether there was a counter to count up: the last result but one.
fn counted(results: &[Value]) -> bool {
    let count = results.iter().rev().nth(1).and_then(|r| r.get("count")).and_then(Value::as_integer);
    count != Some(0)
}

/// The counter's new value: the last result, if it is a selection.
fn counter(results: &[Value]) -> Option<i64> {
    let row = results.last()?.get("rows")?.as_array()?.first()?;
    row.get("next_cfg")?.as_integer()
}

fn increment_next_cfg(id: Value) -> [Value; 2] {
    let at = Value::Array(vec![Value::Array(vec!["_uuid".into(), "==".into(), id])]);
    let plus = Value::Array(vec!["next_cfg".into(), "+=".into(), Value::Integer(1)]);
    [
        Value::object([
            ("op", "mutate".into()),
            ("table", "Open_vSwitch".into()),
            ("where", at.clone()),
            ("mutations", Value::Array(vec![plus])),
        ]),
        Value::object([
            ("op", "select".into()),
            ("table", "Open_vSwitch".into()),
            ("where", at),
            ("columns", Value::Array(vec!["next_cfg".into()])),
        ]),
    ]
}

/// `create` prints the UUID that the server gave its row.
fn name_created<P: Program>(run: &mut Run<P>, results: &[Value]) {
    if run.created.iter().all(Option::is_none) {
        return;
    }
    let inserted: std::collections::HashMap<(usize, Uuid), usize> =
        run.state.context().model.inserted().enumerate().map(|(i, row)| (row, i)).collect();
    for (output, created) in run.outputs.iter_mut().zip(&run.created) {
        let Some(created) = created else { continue };
        let uuid = inserted
            .get(created)
            .and_then(|i| results.get(*i)?.get("uuid")?.as_array()?.get(1)?.as_str().map(String::from))
            .unwrap_or_else(|| created.1.to_string());
        *output = Output::Text(format!("{uuid}\n"));
    }
}

fn table(records: &Records) -> Table {
    let mut table = Table::new(records.headings.iter().cloned());
    for row in &records.rows {
        table.row(row.iter().zip(&records.kinds).map(|(value, kind)| Cell::Value {
            string: datum_to_string(value, kind),
            bare: datum_to_bare(value, kind),
            json: value.to_json(kind),
        }));
    }
    table
}

fn seed() -> [u8; 32] {
    let mut seed = [0; 32];
    for chunk in seed.chunks_exact_mut(8) {
        chunk.copy_from_slice(&sys::random_u64().to_ne_bytes());
    }
    seed
}
