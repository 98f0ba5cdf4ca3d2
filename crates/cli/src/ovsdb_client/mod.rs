//! `ovsdb-client`: speaks to a database server.

mod backup;
mod commands;
mod dump;
mod monitor;
mod rpc;

use crate::daemon::{self, DaemonOptions};
use crate::dirs::Dirs;
use crate::fatal::{self, Fatal};
use crate::options::{Opt, Options, Order};
use crate::table::{self, Style};
use crate::vlog::{self, Vlog};
use crate::{connect, tape, timeout, tls, version};
use base::Clock;
use ovsdb::json::Value;
use reactor::event::Environment;
use rpc::Rpc;
use std::fs::File;
use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;

const PROGRAM: &str = "ovsdb-client";
/// The database that is meant where none is named.
const DEFAULT_DATABASE: &str = "Open_vSwitch";

const OPTIONS: &[Opt] = &[
    Opt::value("timeout").short('t'),
    Opt::flag("force"),
    Opt::flag("db-change-aware"),
    Opt::flag("no-db-change-aware"),
    Opt::flag("leader-only"),
    Opt::flag("no-leader-only"),
    Opt::flag("help").short('h'),
    Opt::flag("version").short('V'),
];

/// What commands work with.
struct Context {
    rpc: Rpc,
    /// The database, for commands that need one.
    database: String,
    style: Style,
    force: bool,
    /// Tell the server that we stay when databases come and go.
    change_aware: bool,
    clock: Clock,
    dirs: Dirs,
    vlog: Arc<Vlog>,
    daemon: DaemonOptions,
    /// Where output goes once standard output is let go of, in the background.
    out: Option<File>,
}

impl Context {
    /// Prints.
    fn print(&mut self, text: &str) -> Result<(), Fatal> {
        let written = match &mut self.out {
            Some(out) => out.write_all(text.as_bytes()),
            None => std::io::stdout().lock().write_all(text.as_bytes()),
        };
        written.map_err(|e| Fatal::new(format!("writing output failed ({})", reactor::errno::text(&e))))
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Needs {
    /// A server.
    Server,
    /// A server and a database.
    Database,
}

type Run = fn(&mut Context, &[String]) -> Result<ExitCode, Fatal>;

struct Command {
    name: &'static str,
    needs: Needs,
    min: usize,
    max: usize,
    run: Run,
}

const fn command(name: &'static str, needs: Needs, min: usize, max: usize, run: Run) -> Command {
    Command { name, needs, min, max, run }
}

const COMMANDS: &[Command] = &[
    command("list-dbs", Needs::Server, 0, 0, commands::list_dbs),
    command("get-schema", Needs::Database, 0, 0, commands::get_schema),
    command("get-schema-version", Needs::Database, 0, 0, commands::get_schema_version),
    command("get-schema-cksum", Needs::Database, 0, 0, commands::get_schema_cksum),
    command("list-tables", Needs::Database, 0, 0, commands::list_tables),
    command("list-columns", Needs::Database, 0, 1, commands::list_columns),
    command("transact", Needs::Server, 1, 1, commands::transact),
    command("query", Needs::Server, 1, 1, commands::query),
    command("monitor", Needs::Database, 1, usize::MAX, monitor::monitor),
    command("monitor-cond", Needs::Database, 2, usize::MAX, monitor::monitor_cond),
    command("monitor-cond-since", Needs::Database, 2, usize::MAX, monitor::monitor_cond_since),
    command("wait", Needs::Server, 2, 2, commands::wait),
    command("convert", Needs::Server, 1, 1, commands::convert),
    command("needs-conversion", Needs::Server, 1, 1, commands::needs_conversion),
    command("dump", Needs::Database, 0, usize::MAX, dump::dump),
    command("backup", Needs::Database, 0, 0, backup::backup),
    command("restore", Needs::Database, 0, 0, backup::restore),
    command("lock", Needs::Server, 1, 1, commands::lock),
    command("steal", Needs::Server, 1, 1, commands::steal),
    command("unlock", Needs::Server, 1, 1, commands::unlock),
];

/// The program. `args`: without the program's name.
pub fn main(args: Vec<String>) -> ExitCode {
    fatal::run(PROGRAM, || run(&args))
}

fn run(args: &[String]) -> Result<ExitCode, Fatal> {
    let dirs = Dirs::from_env();
    let clock = Clock::real();
    let vlog = Vlog::new(PROGRAM, &dirs, &clock);
    vlog.environment()?;
    let tables: [&[Opt]; 8] = [
        OPTIONS,
        daemon::OPTIONS,
        vlog::OPTIONS,
        table::OPTIONS,
        &[table::TIMESTAMP],
        tls::OPTIONS,
        tls::DATABASE,
        tape::OPTIONS,
    ];
    let options = Options::new(&tables);
    let mut parser = options.parser(args, Order::Anywhere);
    let (mut style, mut force, mut seconds) = (Style::TABLE, false, timeout::from_env());
    let mut daemon = DaemonOptions::new(PROGRAM, &dirs);
    let mut change_aware = true;
    let mut keys = reactor::tls::Settings::default();
    let mut tape = tape::Mode::Live;
    for given in parser.by_ref() {
        let given = given?;
        match given.id {
            "timeout" => seconds = timeout::parse("-t", given.value())?,
            "force" => force = true,
            "db-change-aware" => change_aware = true,
            "no-db-change-aware" => change_aware = false,
            "leader-only" | "no-leader-only" => {}
            "help" => {
                print!("{}", help(&dirs));
                return Ok(ExitCode::SUCCESS);
            }
            "version" => {
                print!("{}", version::text(PROGRAM, &[]));
                return Ok(ExitCode::SUCCESS);
            }
            _ => {
                if !daemon.option(&given)
                    && !vlog.option(&given)?
                    && !style.option(&given)?
                    && !tape::option(&given, &dirs, &mut tape)
                {
                    tls::option(&given, &mut keys);
                }
            }
        }
    }
    let words = parser.rest();
    let Some((name, mut args)) = words.split_first() else {
        return Err(Fatal::new("missing command name; use --help for help"));
    };
    let Some(c) = COMMANDS.iter().find(|c| c.name == name) else {
        return Err(Fatal::new(format!("unknown command '{name}'; use --help for help")));
    };
    let invalid = || Fatal::new(format!("invalid syntax for '{name}' (use --help for help)"));
    let log = vlog.logger();
    // A background process goes on when the one that was started ends.
    if !daemon.detach() {
        timeout::arm(seconds, &log)?;
    }
    let mut server = dirs.default_db();
    if args.len() > c.min && args[0].starts_with(|c: char| c.is_ascii_alphabetic()) && args[0].contains(':') {
        server = args[0].clone();
        args = &args[1..];
    }
    if args.len() < c.min {
        return Err(invalid());
    }
    if c.name == "wait" && args.len() == c.min && !commands::STATES.contains(&args[1].as_str()) {
        return Err(Fatal::new(format!("{}: unknown state", args[1])));
    }
    let env = Environment { log, rundir: dirs.run.clone(), tls: keys, tape };
    let lasting = c.name == "wait";
    let mut rpc = if lasting {
        Rpc::connect_logged(&server, env, &clock)?
    } else {
        Rpc::connect(&server, env, &clock)?
    };
    if change_aware && lasting {
        // A server that does not know it does not disconnect us either: the answer does not matter.
        rpc.request("set_db_change_aware", vec![true.into()]);
    }
    let named = server != dirs.default_db();
    let lock = ["lock", "steal", "unlock"].contains(&c.name);
    if c.needs == Needs::Server && !named && !lock && c.max > 0 && args.len() == c.max + 1 {
        // What could have been a server and is none.
        args = &args[1..];
    }
    let mut database = String::new();
    if c.needs == Needs::Database {
        let (db, rest) = choose_database(&mut rpc, c, args)?;
        (database, args) = (db, rest);
    }
    if args.len() < c.min || args.len() > c.max {
        return Err(invalid());
    }
    let mut context =
        Context { rpc, database, style, force, change_aware, clock, dirs, vlog, daemon, out: None };
    (c.run)(&mut context, args)
}

/// The database that the first argument names, if it does, or the usual one, or the only one.
fn choose_database<'a>(
    rpc: &mut Rpc,
    c: &Command,
    args: &'a [String],
) -> Result<(String, &'a [String]), Fatal> {
    let dbs = list_dbs(rpc)?;
    if args.len() > c.min && dbs.contains(&args[0]) {
        return Ok((args[0].clone(), &args[1..]));
    }
    if dbs.iter().any(|d| d == DEFAULT_DATABASE) {
        return Ok((DEFAULT_DATABASE.into(), args));
    }
    let mut own = dbs.iter().filter(|d| !d.starts_with('_'));
    if let (Some(only), None) = (own.next(), own.next()) {
        return Ok((only.clone(), args));
    }
    let text = format!("no default database for `{}' command, please specify a database name", c.name);
    Err(Fatal::new(text))
}

/// The names of the server's databases, in order.
fn list_dbs(rpc: &mut Rpc) -> Result<Vec<String>, Fatal> {
    let reply = rpc.call("list_dbs", Vec::new())?;
    let names = reply.as_array().unwrap_or_default().iter().filter_map(Value::as_str);
    let mut names: Vec<String> = names.map(str::to_owned).collect();
    names.sort();
    Ok(names)
}

fn help(dirs: &Dirs) -> String {
    let server = dirs.default_db();
    let (daemon, vlog, replay) = (daemon::help(PROGRAM, dirs), vlog::help(PROGRAM, dirs), tape::HELP);
    let (daemon, tables) = (daemon.trim_start_matches('\n'), table::HELP);
    let (active, passive) = (connect::active("SERVER"), connect::passive("SERVER"));
    let (keys, bootstrap, tls) = (connect::KEYS, connect::BOOTSTRAP, connect::TLS);
    format!(
        "{HELP_COMMANDS}
The default SERVER is {server}.
The default DATABASE is {DEFAULT_DATABASE}.

{active}{passive}{keys}{bootstrap}{tls}
{tables}  --timestamp                 timestamp \"monitor\" output
{daemon}{vlog}{replay}
Other options:
  -t, --timeout=SECS          limits ovsdb-client runtime to
                              approximately SECS seconds.
  -h, --help                  display this help message
  -V, --version               display version information
"
    )
}

const HELP_COMMANDS: &str = include_str!("help-commands.txt");
