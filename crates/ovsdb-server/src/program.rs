//! The program `ovsdb-server`.

use crate::commands::{COMMANDS, SyncSettings};
use crate::keys;
use crate::remotes::RemoteOptions;
use crate::server::{MODULE, Server, ServerOptions, relay_parts};
use base::{Clock, info, warn};
use cli::daemon::{self, DaemonOptions};
use cli::dirs::Dirs;
use cli::fatal::{self, Fatal};
use cli::options::{Opt, Options, Order};
use cli::vlog::{self, Vlog};
use cli::{connect, tape, tls, version};
use reactor::coverage::Coverage;
use reactor::event::Environment;
use reactor::unixctl::{self, Command, CommandTable, Outcome, common};
use reactor::{Event, Key, Reactor, Ready, errno};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Child, ExitCode, Stdio};
use std::sync::Arc;
use std::time::Duration;
use sys::signal::Signal;

const PROGRAM: &str = "ovsdb-server";

/// Components of the event loop.
const SERVER: u16 = 1;
const UNIXCTL: u16 = 2;
const COMMON: Key = Key::new(3, 0);
const SIGNALS: Key = Key::new(4, 0);

/// When the log is told how much memory is used.
const MEMORY_REPORT: Duration = Duration::from_secs(10);

const OPTIONS: &[Opt] = &[
    Opt::value("remote"),
    Opt::value("unixctl"),
    Opt::value("run"),
    Opt::flag("no-dbs"),
    Opt::flag("active"),
    Opt::value("sync-from"),
    Opt::value("sync-exclude-tables"),
    Opt::value("config-file"),
    Opt::flag("disable-file-column-diff"),
    Opt::flag("history"),
    Opt::flag("help").short('h'),
    Opt::flag("version").short('V'),
];

fn help(dirs: &Dirs) -> String {
    format!(
        "ovsdb-server: Open vSwitch database server
usage: ovsdb-server [OPTIONS] [DATABASE...]
where each DATABASE is a database file in ovsdb format.
The default DATABASE, if none is given, is
{}.

JSON-RPC options (may be specified any number of times):
  --remote=REMOTE         connect or listen to REMOTE

{}{}{}{}{}
Configuration file:
  --config-file PATH      Use configuration file as a source of
                          database and JSON-RPC configuration.
                          Mutually exclusive with the DATABASE,
                          JSON-RPC and Syncing options.
                          Assumes --no-dbs.
{}{}
Syncing options:
  --sync-from=SERVER      sync DATABASE from active SERVER and start in
                          backup mode (except with --active)
  --sync-exclude-tables=DB:TABLE,...
                          exclude the TABLE in DB from syncing
  --active                with --sync-from, start in active mode
{}
Other options:
  --run COMMAND           run COMMAND as subprocess then exit
  --unixctl=SOCKET        override default control socket name
  --no-dbs                do not add default database
  --disable-file-column-diff
                          don't use column diff in database file
  -h, --help              display this help message
  -V, --version           display version information
",
        dirs.default_db_file().display(),
        connect::active("JSON-RPC"),
        connect::passive("JSON-RPC"),
        connect::KEYS,
        connect::BOOTSTRAP,
        connect::TLS,
        daemon::help(PROGRAM, dirs),
        vlog::help(PROGRAM, dirs),
        tape::HELP,
    )
}

struct Settings {
    remotes: BTreeMap<String, RemoteOptions>,
    sync: SyncSettings,
    active: bool,
    config_file: Option<PathBuf>,
    databases: Vec<String>,
    unixctl: Option<String>,
    run: Option<String>,
    diff: bool,
    history: bool,
    tls: reactor::tls::Settings,
    tape: reactor::tape::Mode,
    daemon: DaemonOptions,
}

/// The program. `args`: without the program's name.
pub fn main(args: Vec<String>) -> ExitCode {
    fatal::run(PROGRAM, || {
        let dirs = Dirs::from_env();
        let clock = Clock::real();
        let vlog = Vlog::new(PROGRAM, &dirs, &clock);
        vlog.environment()?;
        match parse(&args, &dirs, &vlog)? {
            Parsed::Print(text) => {
                print!("{text}");
                Ok(ExitCode::SUCCESS)
            }
            Parsed::Run(settings) => run(*settings, &dirs, &vlog, clock),
        }
    })
}

enum Parsed {
    Print(String),
    Run(Box<Settings>),
}

fn parse(args: &[String], dirs: &Dirs, vlog: &Arc<Vlog>) -> Result<Parsed, Fatal> {
    let tables = [OPTIONS, daemon::OPTIONS, vlog::OPTIONS, tls::OPTIONS, tls::DATABASE, tape::OPTIONS];
    let options = Options::new(&tables);
    let mut parser = options.parser(args, Order::Anywhere);
    let mut s = Settings {
        remotes: BTreeMap::new(),
        sync: SyncSettings::default(),
        active: false,
        config_file: None,
        databases: Vec::new(),
        unixctl: None,
        run: None,
        diff: true,
        history: false,
        tls: reactor::tls::Settings::default(),
        tape: reactor::tape::Mode::Live,
        daemon: DaemonOptions::new(PROGRAM, dirs),
    };
    let mut default = true;
    for given in parser.by_ref() {
        let given = given?;
        match given.id {
            "remote" => {
                s.remotes.entry(given.value().to_owned()).or_default();
            }
            "unixctl" => s.unixctl = Some(given.value().to_owned()),
            "run" => s.run = Some(given.value().to_owned()),
            "no-dbs" => default = false,
            "disable-file-column-diff" => s.diff = false,
            "history" => s.history = true,
            "help" => return Ok(Parsed::Print(help(dirs))),
            "version" => return Ok(Parsed::Print(version::text(PROGRAM, &[]))),
            "active" => s.active = true,
            "sync-from" => s.sync.from = Some(given.value().to_owned()),
            "sync-exclude-tables" => s.sync.exclude = Some(given.value().to_owned()),
            "config-file" => {
                let given = PathBuf::from(given.value());
                s.config_file = Some(std::env::current_dir().map_or(given.clone(), |dir| dir.join(&given)));
            }
            _ => {
                if !s.daemon.option(&given)
                    && !vlog.option(&given)?
                    && !tape::option(&given, dirs, &mut s.tape)
                {
                    tls::option(&given, &mut s.tls);
                }
            }
        }
    }
    s.databases = parser.rest();
    s.sync.backup = s.sync.from.is_some() && !s.active;
    if s.config_file.is_some() {
        if !s.databases.is_empty() {
            return Err(Fatal::new("Databases should be specified in a config file"));
        }
        if !s.remotes.is_empty() {
            return Err(Fatal::new("--config-file is mutually exclusive with --remote"));
        }
        if s.sync.from.is_some() || s.sync.exclude.is_some() || s.active {
            return Err(Fatal::new(
                "--config-file is mutually exclusive with --sync-from, --sync-exclude and --active",
            ));
        }
        default = false;
    }
    if s.databases.is_empty() && default {
        s.databases.push(dirs.default_db_file().display().to_string());
    }
    Ok(Parsed::Run(Box::new(s)))
}

/// All of the daemon, as the control commands see it.
struct Daemon {
    server: Server,
    common: common::Common,
    vlog: Arc<Vlog>,
    exiting: bool,
}

const EXIT: &[Command<Daemon>] = &[Command::new("exit", "", 0, 0, |d, _, _| {
    d.exiting = true;
    Outcome::ok("")
})];

fn run(settings: Settings, dirs: &Dirs, vlog: &Arc<Vlog>, clock: Clock) -> Result<ExitCode, Fatal> {
    sys::signal::ignore_pipe();
    let mut process = settings.daemon.start(vlog)?;
    let log = vlog.logger();
    let os = |e: std::io::Error| Fatal::new(errno::text(&e));
    let env = Environment {
        log: log.clone(),
        rundir: dirs.run.clone(),
        tls: keys::literal(&settings.tls),
        tape: settings.tape.clone(),
    };
    let mut r = Reactor::new(clock, env).map_err(|e| match settings.tape {
        tape::Mode::Live => os(e),
        _ => Fatal::new(format!("failed to open uuid replay file: {}.", errno::text(&e))),
    })?;
    r.watch_signals(&[Signal::Term, Signal::Int, Signal::Hup, Signal::Child], SIGNALS).map_err(os)?;

    let mut server = Server::new(
        &mut r,
        ServerOptions { component: SERVER, diff: settings.diff, history: settings.history },
    );
    configure(&mut server, &mut r, &settings)?;
    let control = match settings.unixctl.as_deref() {
        Some("none") => unixctl::Server::closed(UNIXCTL),
        named => {
            let default = dirs.control_socket(PROGRAM, std::process::id() as i32);
            let path = named.map_or(default, |p| dirs.run.join(p));
            unixctl::Server::listen(&r, UNIXCTL, &path.display().to_string()).map_err(|e| {
                Fatal::new(format!(
                    "{}: could not initialize control socket ({})",
                    path.display(),
                    errno::text(&e)
                ))
            })?
        }
    };
    let child = match &settings.run {
        Some(command) => Some((command.clone(), spawn(command).map_err(os)?)),
        None => None,
    };
    process.complete(vlog)?;
    if child.is_none() {
        info!(log, MODULE, "{}", version::line(PROGRAM));
    }

    let common = common::Common::new(version::line(PROGRAM), Coverage::new(), COMMON);
    let daemon = Daemon { server, common, vlog: vlog.clone(), exiting: false };
    let end = main_loop(&mut r, daemon, control, child);
    process.end();
    match end {
        End::Exit => Ok(ExitCode::SUCCESS),
        End::Signal(signal) => {
            let number = signal.number();
            warn!(log, "fatal_signal", "terminating with signal {number} ({})", sys::signal::name(number));
            sys::signal::die_of(number)
        }
        End::Child(text) => Err(Fatal::new(text)),
    }
}

fn configure(server: &mut Server, r: &mut Reactor, settings: &Settings) -> Result<(), Fatal> {
    if settings.config_file.is_some() {
        server.config_file.clone_from(&settings.config_file);
        let mut good = server.load_config(r);
        good &= configure_keys(server, r, settings);
        return if good { Ok(()) } else { Err(Fatal::new("server configuration failed")) };
    }
    let mut good = true;
    // Relays are known by the database's name; of several the last counts.
    let mut names: Vec<&String> = Vec::new();
    fn key(name: &str) -> &str {
        relay_parts(name).map_or(name, |p| p.0)
    }
    for name in &settings.databases {
        match names.iter_mut().find(|n| key(n) == key(name)) {
            Some(known) => {
                warn!(r.log(), MODULE, "Duplicate database configuration: {name}");
                *known = name;
            }
            None => names.push(name),
        }
    }
    server.sync = settings.sync.clone();
    for name in names {
        if let Err(e) = server.open(r, name) {
            warn!(r.log(), MODULE, "failed to open database '{name}': {e}");
            warn!(r.log(), MODULE, "failed to configure databases");
            good = false;
            break;
        }
    }
    server.apply_sync_to_new(r);
    if let Err(e) = server.set_remotes_with(r, settings.remotes.clone()) {
        warn!(r.log(), MODULE, "failed to configure remotes: {e}");
        good = false;
    }
    good &= configure_keys(server, r, settings);
    if good { Ok(()) } else { Err(Fatal::new("server configuration failed")) }
}

fn configure_keys(server: &mut Server, r: &mut Reactor, settings: &Settings) -> bool {
    let result = server.set_keys(r, settings.tls.clone());
    if let Err(e) = &result {
        warn!(r.log(), MODULE, "failed to configure SSL/TLS: {e}");
    }
    result.is_ok()
}

fn spawn(command: &str) -> std::io::Result<Child> {
    std::process::Command::new("/bin/sh").arg("-c").arg(command).stdin(Stdio::inherit()).spawn()
}

enum End {
    Exit,
    Signal(Signal),
    Child(String),
}

fn main_loop(
    r: &mut Reactor,
    mut daemon: Daemon,
    mut control: unixctl::Server,
    mut child: Option<(String, Child)>,
) -> End {
    let mut table: CommandTable<Daemon> = CommandTable::new();
    table.add(EXIT);
    table.add_part(COMMANDS, |d| &mut d.server);
    table.add_part(common::COMMANDS, |d| &mut d.common);
    table.add_part(vlog::COMMANDS, |d| &mut d.vlog);
    let mut events: Vec<Event> = Vec::new();
    r.set_timer(COMMON, r.now() + MEMORY_REPORT);
    loop {
        daemon.server.end_turn(r);
        for (token, result) in daemon.server.take_replies() {
            control.reply(r, token, result);
        }
        if daemon.exiting {
            control.flush(r);
            return End::Exit;
        }
        events.clear();
        if let Err(e) = r.turn(&mut events) {
            if errno::is_eof(&e) {
                info!(r.log(), MODULE, "all that was recorded has been replayed");
                return End::Exit;
            }
            return End::Child(format!("waiting for events failed ({})", errno::text(&e)));
        }
        for event in events.drain(..) {
            match (event.key.component(), event.ready) {
                (_, Ready::Signal(Signal::Child)) => {
                    if let Some(end) = child_ended(&mut child) {
                        return end;
                    }
                }
                (_, Ready::Signal(signal)) => return End::Signal(signal),
                (_, Ready::Timer) if event.key == COMMON => report_memory(r, &daemon.server),
                (SERVER, _) => daemon.server.run(r, event),
                (UNIXCTL, _) => {
                    control.run(r, event);
                    while let Some(call) = control.next_call() {
                        if let Some(result) = table.dispatch(&mut daemon, r, &call) {
                            control.reply(r, call.token(), result);
                        }
                    }
                }
                _ => {
                    if let Some((token, result)) = daemon.common.run(event) {
                        control.reply(r, token, result);
                    }
                }
            }
        }
    }
}

/// Logs how much memory the process has used at most, and for how many things.
fn report_memory(r: &Reactor, server: &Server) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|l| l.strip_prefix("VmHWM:")).map(str::trim).unwrap_or("0 kB");
    let seconds = MEMORY_REPORT.as_secs_f64();
    info!(r.log(), "memory", "{peak} peak resident set size after {seconds:.1} seconds");
    info!(r.log(), "memory", "{}", common::memory_line(&server.memory()).trim_end());
}

/// How the program ends when the command of `--run` has ended.
fn child_ended(child: &mut Option<(String, Child)>) -> Option<End> {
    let (command, process) = child.as_mut()?;
    let status = process.try_wait().ok()??;
    use std::os::unix::process::ExitStatusExt;
    Some(match (status.code(), status.signal()) {
        (Some(0), _) => End::Exit,
        (Some(n), _) => End::Child(format!("{command}: child exited, exit status {n}")),
        (None, Some(n)) => End::Child(format!("{command}: child exited, killed ({})", sys::signal::name(n))),
        (None, None) => End::Exit,
    })
}
