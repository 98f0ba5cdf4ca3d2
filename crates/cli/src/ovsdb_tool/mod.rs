//! `ovsdb-tool`: works on database files without a server.

mod commands;
pub mod file;
mod show_log;

use crate::dirs::Dirs;
use crate::fatal::{self, Fatal};
use crate::options::{Opt, Options, Order};
use crate::version;
use crate::vlog::{self, Vlog};
use base::{Clock, Logger};
use std::process::ExitCode;

const PROGRAM: &str = "ovsdb-tool";

const DEFAULT_ELECTION_TIMER: u64 = 1000;

const OPTIONS: &[Opt] =
    &[Opt::flag("more").short('m'), Opt::value("rbac-role"), Opt::value("cid"), Opt::value("election-timer")];

const COMMON: &[Opt] =
    &[Opt::flag("help").short('h'), Opt::flag("option").short('o'), Opt::flag("version").short('V')];

fn help(dirs: &Dirs) -> String {
    format!(
        "ovsdb-tool: Open vSwitch database management utility
usage: ovsdb-tool [OPTIONS] COMMAND [ARG...]
  create [DB [SCHEMA]]    create DB with the given SCHEMA
  [--election-timer=ms] create-cluster DB CONTENTS LOCAL
    create clustered DB with given CONTENTS and LOCAL address
  [--cid=UUID] join-cluster DB NAME LOCAL REMOTE...
    join clustered DB with given NAME and LOCAL and REMOTE addrs
  compact [DB [DST]]      compact DB in-place (or to DST)
  convert [DB [SCHEMA [DST]]]   convert DB to SCHEMA (to DST)
  db-name [DB]            report name of schema used by DB
  db-version [DB]         report version of schema used by DB
  db-cksum [DB]           report checksum of schema used by DB
  db-cid DB               report cluster ID of clustered DB
  db-sid DB               report server ID of clustered DB
  db-local-address DB     report local address of clustered DB
  db-is-clustered DB      test whether DB is clustered
  db-is-standalone DB     test whether DB is standalone
  schema-name [SCHEMA]    report SCHEMA's name
  schema-version [SCHEMA] report SCHEMA's schema version
  schema-cksum [SCHEMA]   report SCHEMA's checksum
  compare-versions A OP B  compare OVSDB schema version numbers
  query [DB] TRNS         execute read-only transaction on DB
  transact [DB] TRNS      execute read/write transaction on DB
  cluster-to-standalone DB DB    Convert clustered DB to
      standalone DB when cluster is down and cannot be
        revived
  [-m]... show-log [DB]   print DB's log entries
The default DB is {}.
The default SCHEMA is {}.
{}
Other options:
  -m, --more                  increase show-log verbosity
  --rbac-role=ROLE            RBAC role for transact and query commands
  -h, --help                  display this help message
  -V, --version               display version information
",
        dirs.default_db_file().display(),
        dirs.default_schema().display(),
        vlog::help(PROGRAM, dirs),
    )
}

/// What commands work with.
struct Context {
    db: String,
    schema: String,
    more: u32,
    /// The role in which to ask.
    role: Option<String>,
    /// Milliseconds.
    election_timer: u64,
    log: Logger,
    clock: Clock,
}

impl Context {
    /// The database that an argument names, or the default one.
    fn db<'a>(&'a self, args: &'a [String], i: usize) -> &'a str {
        args.get(i).unwrap_or(&self.db)
    }

    /// The schema that an argument names, or the default one.
    fn schema<'a>(&'a self, args: &'a [String], i: usize) -> &'a str {
        args.get(i).unwrap_or(&self.schema)
    }
}

type Run = fn(&Context, &[String]) -> Result<ExitCode, Fatal>;

struct Command {
    name: &'static str,
    usage: &'static str,
    min: usize,
    max: usize,
    run: Run,
}

const fn command(name: &'static str, usage: &'static str, min: usize, max: usize, run: Run) -> Command {
    Command { name, usage, min, max, run }
}

const COMMANDS: &[Command] = &[
    command("create", "[db [schema]]", 0, 2, commands::create),
    command("create-cluster", "db contents local", 3, 3, commands::create_cluster),
    command("join-cluster", "db name local remote...", 4, usize::MAX, commands::clustered),
    command("compact", "[db [dst]]", 0, 2, commands::compact),
    command("convert", "[db [schema [dst]]]", 0, 3, commands::convert),
    command("needs-conversion", "", 0, 2, commands::needs_conversion),
    command("db-name", "[db]", 0, 1, commands::db_name),
    command("db-version", "[db]", 0, 1, commands::db_version),
    command("db-cksum", "[db]", 0, 1, commands::db_cksum),
    command("db-cid", "db", 1, 1, commands::cluster_id),
    command("db-sid", "db", 1, 1, commands::cluster_id),
    command("db-local-address", "db", 1, 1, commands::cluster_id),
    command("db-is-clustered", "db", 1, 1, commands::is_clustered),
    command("db-is-standalone", "db", 1, 1, commands::is_standalone),
    command("schema-name", "[schema]", 0, 1, commands::schema_name),
    command("schema-version", "[schema]", 0, 1, commands::schema_version),
    command("schema-cksum", "[schema]", 0, 1, commands::schema_cksum),
    command("query", "[db] trns", 1, 2, commands::query),
    command("transact", "[db] trns", 1, 2, commands::transact),
    command("show-log", "[db]", 0, 1, show_log::show_log),
    command("check-cluster", "db...", 1, usize::MAX, commands::check_cluster),
    command("compare-versions", "a op b", 3, 3, commands::compare_versions),
    command("help", "", 0, usize::MAX, commands::help),
    command("list-commands", "", 0, usize::MAX, commands::list),
    command("cluster-to-standalone", "db clusterdb", 2, 2, commands::cluster_to_standalone),
];

/// The program. `args`: without the program's name.
pub fn main(args: Vec<String>) -> ExitCode {
    fatal::run(PROGRAM, || {
        let dirs = Dirs::from_env();
        let clock = Clock::real();
        let vlog = Vlog::new(PROGRAM, &dirs, &clock);
        vlog.environment()?;
        let options = Options::new(&[OPTIONS, COMMON, &vlog::OPTIONS[..1]]);
        let mut parser = options.parser(&args, Order::Anywhere);
        let mut more = 0;
        let mut election_timer = DEFAULT_ELECTION_TIMER;
        let mut role = None;
        for given in parser.by_ref() {
            let given = given?;
            let text = match given.id {
                "more" => {
                    more += 1;
                    continue;
                }
                "help" => help(&dirs),
                "version" => version::text(PROGRAM, &[]),
                // Shell completion is not told of the other options of logging.
                "option" => Options::new(&[OPTIONS, &vlog::OPTIONS[..1], COMMON]).listing(),
                "rbac-role" => {
                    role = given.value.clone();
                    continue;
                }
                "cid" => {
                    if given.value().parse::<ovsdb::Uuid>().is_err() {
                        return Err(Fatal::new(format!("{}: not a valid UUID", given.value())));
                    }
                    continue;
                }
                "election-timer" => {
                    election_timer = given.value().parse().unwrap_or(0);
                    continue;
                }
                _ => {
                    vlog.option(&given)?;
                    continue;
                }
            };
            print!("{text}");
            return Ok(ExitCode::SUCCESS);
        }
        let words = parser.rest();
        let Some((name, args)) = words.split_first() else {
            return Err(Fatal::new("missing command name; use --help for help"));
        };
        let Some(c) = COMMANDS.iter().find(|c| c.name == name) else {
            return Err(Fatal::new(format!("unknown command '{name}'; use --help for help")));
        };
        if args.len() < c.min {
            return Err(Fatal::new(format!("'{name}' command requires at least {} arguments", c.min)));
        }
        if args.len() > c.max {
            return Err(Fatal::new(format!("'{name}' command takes at most {} arguments", c.max)));
        }
        let context = Context {
            db: dirs.default_db_file().display().to_string(),
            schema: dirs.default_schema().display().to_string(),
            more,
            role,
            election_timer,
            log: vlog.logger(),
            clock,
        };
        (c.run)(&context, args)
    })
}
