//! `oxvs run`: database and switch in one process.
//!
//! Two threads, each with its own event loop and nothing shared: the switch talks to the database over the same unix
//! socket that everybody uses, and neither knows that the other is so near. What there is to see from outside (sockets,
//! pidfiles, logs) is there under both daemons' names, so that every tool works.
//!
//! Before the first packet: directories and database are made if they are missing, and the database is told what
//! start-up scripts tell it elsewhere ([`facts`]).

mod database;
mod facts;

use base::Clock;
use cli::daemon::{self, DaemonOptions};
use cli::dirs::Dirs;
use cli::fatal::{self, Fatal};
use cli::options::{Given, Opt, Options, Order};
use cli::vlog::{self, Vlog};
use netdev::registry::DummyMode;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use sys::pidfile::Pidfile;
use sys::process::{Capability, has_capability};
use sys::signal::{Signal, Signals};
use vswitchd::{Daemon, Settings};

const COMMAND: &str = "oxvs run";
const SWITCH: &str = vswitchd::PROGRAM;
const DATABASE: &str = "ovsdb-server";

const OPTIONS: &[Opt] = &[
    Opt::value("remote"),
    Opt::optional("enable-dummy"),
    Opt::flag("help").short('h'),
    Opt::flag("version").short('V'),
];

fn help(dirs: &Dirs) -> String {
    format!(
        "oxvs run: database and switch in one process
usage: oxvs run [OPTIONS]
State: {} (OVS_RUNDIR), {} (OVS_DBDIR),
       {} (OVS_LOGDIR); what is missing is made.
  --remote=REMOTE         also serve the database at REMOTE (ptcp:PORT[:IP] ...)
  --enable-dummy[=KIND]   test devices and the time/ commands
{}{}
Other options:
  -h, --help              display this help message
  -V, --version           display version information
",
        dirs.run.display(),
        dirs.db.display(),
        dirs.log.display(),
        daemon::help(SWITCH, dirs),
        vlog::help(SWITCH, dirs),
    )
}

/// What the command line asks for.
struct Asked {
    remotes: Vec<String>,
    dummies: DummyMode,
    daemon: DaemonOptions,
    /// Whether the user said what the console shows.
    verbose: bool,
}

/// The command. `args`: without its name.
pub fn main(args: Vec<String>) -> ExitCode {
    fatal::run(COMMAND, || {
        let dirs = Dirs::from_env();
        let clock = Clock::real();
        // One log each, as if they were two processes.
        let logs = [Vlog::new(SWITCH, &dirs, &clock), Vlog::new(DATABASE, &dirs, &clock)];
        match parse(&args, &dirs, &logs)? {
            Some(asked) => run(asked, &dirs, &logs, clock),
            None => Ok(ExitCode::SUCCESS),
        }
    })
}

fn parse(args: &[String], dirs: &Dirs, logs: &[Arc<Vlog>; 2]) -> Result<Option<Asked>, Fatal> {
    let options = Options::new(&[OPTIONS, daemon::OPTIONS, vlog::OPTIONS]);
    let mut parser = options.parser(args, Order::Anywhere);
    let mut asked = Asked {
        remotes: Vec::new(),
        dummies: DummyMode::Off,
        daemon: DaemonOptions::new(SWITCH, dirs),
        verbose: false,
    };
    let mut pidfile = false;
    let mut logging: Vec<Given> = Vec::new();
    for given in parser.by_ref() {
        let given = given?;
        match given.id {
            "help" => {
                print!("{}", help(dirs));
                return Ok(None);
            }
            "version" => {
                println!("oxvs {}", cli::version::OXVS_VERSION);
                return Ok(None);
            }
            "remote" => asked.remotes.push(given.value().to_string()),
            "enable-dummy" => {
                asked.dummies = DummyMode::parse(given.value.as_deref()).unwrap_or(DummyMode::On);
            }
            _ => {
                pidfile |= given.id == "daemon:pidfile";
                asked.verbose |= given.id == "vlog:verbose";
                if !asked.daemon.option(&given) {
                    logging.push(given);
                }
            }
        }
    }
    if let Some(extra) = parser.rest().first() {
        return Err(Fatal::new(format!("unexpected argument '{extra}' (use --help for help)")));
    }
    prepare(dirs)?;
    for log in logs {
        log.environment()?;
        if !asked.verbose {
            log.verbose(Some("console:warn"))?;
        }
        for given in &logging {
            log.option(given)?;
        }
    }
    if !pidfile {
        let default = Given { id: "daemon:pidfile", value: None, short: false };
        asked.daemon.option(&default);
    }
    Ok(Some(asked))
}

/// Makes the directories.
fn prepare(dirs: &Dirs) -> Result<(), Fatal> {
    for (dir, variable) in [(&dirs.run, "OVS_RUNDIR"), (&dirs.db, "OVS_DBDIR"), (&dirs.log, "OVS_LOGDIR")] {
        let made = std::fs::create_dir_all(dir).and_then(|()| writable(dir));
        made.map_err(|e| {
            Fatal::new(format!(
                "cannot use directory {} ({}); run it as root, or set {variable} to a directory of yours",
                dir.display(),
                reactor::errno::text(&e)
            ))
        })?;
    }
    Ok(())
}

fn writable(dir: &Path) -> std::io::Result<()> {
    let probe = dir.join(format!(".oxvs-{}", std::process::id()));
    drop(std::fs::File::create(&probe)?);
    std::fs::remove_file(probe)
}

fn run(asked: Asked, dirs: &Dirs, logs: &[Arc<Vlog>; 2], clock: Clock) -> Result<ExitCode, Fatal> {
    sys::signal::ignore_pipe();
    if asked.dummies != DummyMode::Override && !has_capability(Capability::NetAdmin) {
        eprintln!(
            "{COMMAND}: not permitted to use network devices: only patch and dummy ports will work \
             (run it as root, or in a user namespace: `unshare -rn oxvs run`)"
        );
    }
    let mut process = asked.daemon.start(&logs[0])?;
    let mut second =
        Pidfile::create(&dirs.pidfile(DATABASE), false).map_err(|e| Fatal::new(e.to_string()))?;
    // Signals are the switch's to hear: they are held back here, and so in every thread from now on.
    let _held = Signals::new(&[Signal::Term, Signal::Int, Signal::Hup])
        .map_err(|e| Fatal::new(format!("watching signals failed ({})", reactor::errno::text(&e))))?;
    let database = database::start(dirs, &logs[1], clock.clone(), &asked.remotes)?;
    facts::record(dirs, &logs[0].logger())?;
    let settings = Settings {
        database: dirs.default_db(),
        unixctl: None,
        dummies: asked.dummies,
        tls: Default::default(),
    };
    let mut switch = Daemon::new(clock, logs[0].clone(), dirs.clone(), settings)?;
    while !switch.is_ended() {
        switch.turn()?;
        if switch.take_ready() {
            if !asked.daemon.detach() {
                println!("oxvs is running; state in {}", dirs.run.display());
            }
            process.complete(&logs[0])?;
            if asked.daemon.detach() {
                logs[1].close_console();
            }
        }
    }
    switch.close();
    database.stop();
    second.remove();
    process.end();
    Ok(ExitCode::SUCCESS)
}
