//! The program: options, the connection, running the commands until they commit, waiting for the switch.

use super::{COMMANDS, RECORDS, Vsctl, help};
use crate::ctl::columns::Symbols;
use crate::ctl::command::{self, Invocation};
use crate::ctl::session::{Outcome, Session};
use crate::ctl::{Context, Output, Records};
use crate::dirs::Dirs;
use crate::fatal::{self, Fatal};
use crate::options::{Opt, Options, Order};
use crate::table::{self, Cell, Style, Table};
use crate::timeout;
use crate::vlog::{self, Vlog};
use base::{Clock, Logger};
use ovsdb::Uuid;
use ovsdb::json::Value;
use ovsdb::text::{datum_to_bare, datum_to_string};
use reactor::event::Environment;
use reactor::jsonrpc::Client;
use std::process::ExitCode;
use std::sync::Arc;

const PROGRAM: &str = "ovs-vsctl";
const DATABASE: &str = "Open_vSwitch";
/// Exit status when the switch could not set up what was configured.
const SETUP_FAILED: u8 = 65;

const OWN: &[Opt] = &[
    Opt::value("db"),
    Opt::flag("no-syslog"),
    Opt::flag("no-wait"),
    Opt::flag("dry-run"),
    Opt::flag("oneline"),
    Opt::value("timeout").short('t'),
    Opt::flag("retry"),
    Opt::flag("help").short('h'),
    Opt::flag("commands"),
    Opt::flag("options"),
    Opt::flag("leader-only"),
    Opt::flag("no-leader-only"),
    Opt::flag("shuffle-remotes"),
    Opt::flag("no-shuffle-remotes"),
    Opt::flag("version").short('V'),
];

/// What the global options say.
struct Settings {
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

/// `ovs-vsctl`. `args` are without the program's name.
pub fn main(args: Vec<String>) -> ExitCode {
    fatal::run(PROGRAM, || run(&args))
}

fn run(args: &[String]) -> Result<ExitCode, Fatal> {
    let clock = Clock::real();
    let dirs = Dirs::from_env();
    let vlog = Vlog::new(PROGRAM, &dirs, &clock);
    vlog.environment()?;
    vlog.set_level(None, Some(vlog::Destination::Console), Some(base::Level::Warn));
    let (settings, first, words) = match parse_options(args, dirs, vlog)? {
        Parsed::Go(s, first, words) => (*s, first, words),
        Parsed::Done(text) => {
            print!("{text}");
            return Ok(ExitCode::SUCCESS);
        }
    };
    let commands = command::parse(&COMMANDS, &words, first)?;
    let log = settings.vlog.logger();
    timeout::arm(settings.timeout, &log)?;
    let line = format!("{PROGRAM} {}", args.join(" "));
    let level = if commands.iter().any(|c| c.syntax.writes) { base::Level::Info } else { base::Level::Dbg };
    base::record!(log, level, "vsctl", "Called as {line}");
    let client = connect(&settings)?;
    let mut session = Session::open(client, DATABASE, log.clone()).map_err(|e| failed(&settings, e))?;
    let full = tables_named(&commands, &session);
    let schema = session.schema().clone();
    session
        .monitor(|t, c| {
            let column = &schema.tables[t].columns[c];
            column.persistent || full.contains(&t) || STATUS.contains(&&*column.name)
        })
        .map_err(|e| failed(&settings, e))?;
    execute(&settings, &mut session, &commands, &line, &log)
}

/// Status columns that are always read: they tell what the switch made of the configuration.
const STATUS: &[&str] = &["cur_cfg", "ofport", "error", "is_connected", "ovs_version"];

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

fn parse_options(args: &[String], dirs: Dirs, vlog: Arc<Vlog>) -> Result<Parsed, Fatal> {
    let locals = command::local_options(&COMMANDS);
    let local: Vec<Opt> = locals
        .iter()
        .map(|o| match o[2..].strip_suffix('=') {
            Some(name) => Opt::value(name),
            None => Opt::flag(&o[2..]),
        })
        .collect();
    let options = Options::new(&[OWN, vlog::OPTIONS, table::OPTIONS, crate::tls::OPTIONS, &local]);
    let global = Options::new(&[OWN, vlog::OPTIONS, table::OPTIONS, crate::tls::OPTIONS]);
    let mut s = Settings {
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
            "timeout" => {
                s.timeout = timeout::parse(given.value()).map_err(|_| {
                    Fatal::new(format!("value {} on -t or --timeout is invalid", given.value()))
                })?;
            }
            "no-syslog" => s.vlog.verbose(Some("vsctl:syslog:warn"))?,
            "help" => return Ok(Parsed::Done(help::text(&s.dirs))),
            "commands" => return Ok(Parsed::Done(command::completion(&COMMANDS))),
            "options" => return Ok(Parsed::Done(listing(&global))),
            "version" => {
                let schema = format!("DB Schema {}", crate::version::DB_SCHEMA);
                return Ok(Parsed::Done(crate::version::text(PROGRAM, &[&schema])));
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
        let env = Environment {
            log: settings.vlog.logger(),
            rundir: settings.dirs.run.clone(),
            tls: settings.tls.clone(),
        };
        match Client::connect(&settings.db, env) {
            Ok(client) => return Ok(client),
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

/// Tables whose status columns are needed too: those that database commands name.
fn tables_named(commands: &[Invocation<Vsctl>], session: &Session) -> Vec<usize> {
    commands
        .iter()
        .filter(|c| super::DATABASE.iter().any(|d| d.name == c.syntax.name))
        .filter_map(|c| crate::ctl::columns::find_table(session.schema(), c.arg(0)?).ok())
        .chain(
            commands
                .iter()
                .filter(|c| c.syntax.name == "list-dp-cap")
                .filter_map(|_| session.schema().table("Datapath")),
        )
        .collect()
}

/// What one run of all commands came to.
struct Run {
    state: Vsctl,
    outputs: Vec<Output>,
    created: Vec<Option<(usize, Uuid)>>,
}

fn execute(
    settings: &Settings,
    session: &mut Session,
    commands: &[Invocation<Vsctl>],
    line: &str,
    log: &Logger,
) -> Result<ExitCode, Fatal> {
    let mut run = loop {
        let run = run_once(session, commands, log)?;
        if !run.state.ctx.wait {
            break run;
        }
        session.wait_for_update().map_err(|e| failed(settings, e))?;
    };
    check_symbols(&run.state.ctx, log)?;
    let changed = run.state.ctx.model.is_changed() && !settings.dry_run;
    let mut next_cfg = None;
    if changed {
        let mut ops = run.state.ctx.model.operations();
        ops.push(Value::object([("op", "comment".into()), ("comment", format!("{PROGRAM}: {line}").into())]));
        let mut root = run.state.root();
        // A root row that this transaction makes goes by its name until the server has given it an id.
        let new_root = ops.iter().position(|op| {
            let is = |key: &str, value: &str| op.get(key).and_then(Value::as_str) == Some(value);
            is("op", "insert") && is("table", "Open_vSwitch")
        });
        if settings.wait {
            let name = new_root.and_then(|n| ops[n].get("uuid-name")?.as_str().map(String::from));
            let id = match name {
                Some(name) => ["named-uuid".into(), name.into()],
                None => ["uuid".into(), root.to_string().into()],
            };
            ops.extend(increment_next_cfg(id));
        }
        let n = ops.len();
        match session.transact(ops).map_err(|e| failed(settings, e))? {
            Outcome::Failed(text) => return Err(Fatal::new(text)),
            Outcome::Committed(results) => {
                name_created(&mut run, &results);
                let given = new_root.and_then(|n| results.get(n)?.get("uuid")?.as_array()?.get(1)?.as_str());
                root = given.and_then(|id| id.parse().ok()).unwrap_or(root);
                if settings.wait {
                    let rows = results.get(n - 1).and_then(|r| r.get("rows"));
                    let row = rows.and_then(Value::as_array).and_then(|r| r.first());
                    next_cfg =
                        row.and_then(|r| r.get("next_cfg")).and_then(Value::as_integer).map(|n| (root, n));
                }
            }
        }
    }
    let mut first = true;
    for output in &run.outputs {
        print_output(settings, output, &mut first);
    }
    if let Some((root, next)) = next_cfg {
        while session.value("Open_vSwitch", root, "cur_cfg").as_integer().is_none_or(|c| c < next) {
            session.wait_for_update().map_err(|e| failed(settings, e))?;
        }
        if report_setup_errors(settings, session, &run.state) {
            return Ok(ExitCode::from(SETUP_FAILED));
        }
    }
    Ok(run.state.ctx.exit_status.map_or(ExitCode::SUCCESS, ExitCode::from))
}

fn run_once(session: &Session, commands: &[Invocation<Vsctl>], log: &Logger) -> Result<Run, Fatal> {
    let context = Context {
        model: session.model(seed()),
        symbols: Symbols::new(seed()),
        record_names: RECORDS,
        log: log.clone(),
        output: Output::Nothing,
        created: None,
        exit_status: None,
        wait: false,
    };
    let mut state = Vsctl::new(context);
    state.root();
    let (mut outputs, mut created) = (Vec::new(), Vec::new());
    for call in commands {
        (call.syntax.run)(&mut state, call)?;
        outputs.push(std::mem::take(&mut state.ctx.output));
        created.push(state.ctx.created.take());
        if state.ctx.wait {
            break;
        }
    }
    Ok(Run { state, outputs, created })
}

fn increment_next_cfg(root: [Value; 2]) -> [Value; 2] {
    let id = Value::Array(root.into());
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

fn check_symbols(c: &Context, log: &Logger) -> Result<(), Fatal> {
    for (name, symbol) in c.symbols.iter() {
        if !symbol.created {
            return Err(Fatal::new(format!(
                "row id \"{name}\" is referenced but never created (e.g. with \"-- --id={name} create ...\")"
            )));
        }
        let made_here = c.model.inserted().any(|(_, u)| u == symbol.uuid);
        if made_here && !symbol.referenced {
            base::warn!(
                log,
                "vsctl",
                "row id \"{name}\" was created but no reference to it was inserted, so it will not actually appear in the database"
            );
        }
    }
    Ok(())
}

/// `create` prints the UUID that the server gave its row.
fn name_created(run: &mut Run, results: &[Value]) {
    let inserted: Vec<(usize, Uuid)> = run.state.ctx.model.inserted().collect();
    for (output, created) in run.outputs.iter_mut().zip(&run.created) {
        let Some(created) = created else { continue };
        let at = inserted.iter().position(|i| i == created);
        let uuid = at
            .and_then(|i| results.get(i)?.get("uuid")?.as_array()?.get(1)?.as_str().map(String::from))
            .unwrap_or_else(|| created.1.to_string());
        *output = Output::Text(format!("{uuid}\n"));
    }
}

fn print_output(settings: &Settings, output: &Output, first: &mut bool) {
    let text = match output {
        Output::Nothing => String::new(),
        Output::Text(text) => text.clone(),
        Output::Table(records) => table(records).print(&settings.style, first),
    };
    if !settings.oneline {
        print!("{text}");
        return;
    }
    let text = text.strip_suffix('\n').unwrap_or(&text);
    println!("{}", text.replace('\\', "\\\\").replace('\n', "\\n"));
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

/// Tells of interfaces made here that the switch could not set up.
fn report_setup_errors(settings: &Settings, session: &Session, state: &Vsctl) -> bool {
    let mut any = false;
    for row in session.rows("Interface") {
        let name = session.value("Interface", row, "name").as_str().unwrap_or_default();
        if !state.neoteric_interfaces.iter().any(|n| n == name) {
            continue;
        }
        let failed = session.value("Interface", row, "ofport").as_integer().is_none_or(|n| n == -1);
        let error = session.value("Interface", row, "error");
        if !failed {
            continue;
        }
        match error.as_str().filter(|e| !e.is_empty()) {
            Some(e) => eprintln!(
                "{PROGRAM}: Error detected while setting up '{name}': {e}.  See ovs-vswitchd log for details."
            ),
            None => {
                eprintln!(
                    "{PROGRAM}: Error detected while setting up '{name}'.  See ovs-vswitchd log for details."
                );
            }
        }
        any = true;
    }
    if any {
        eprintln!("{PROGRAM}: The default log directory is \"{}\".", settings.dirs.log.display());
    }
    any
}

fn seed() -> [u8; 32] {
    let mut seed = [0; 32];
    for chunk in seed.chunks_exact_mut(8) {
        chunk.copy_from_slice(&sys::random_u64().to_ne_bytes());
    }
    seed
}
