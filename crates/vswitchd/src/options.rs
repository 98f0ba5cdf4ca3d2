//! The command line.

use crate::PROGRAM;
use crate::daemon::Settings;
use cli::connect;
use cli::daemon::DaemonOptions;
use cli::dirs::Dirs;
use cli::fatal::Fatal;
use cli::options::{Opt, Options, Order};
use cli::vlog::{self, Vlog};
use netdev::registry::DummyMode;
use std::sync::Arc;

const OWN: &[Opt] = &[
    Opt::flag("help").short('h'),
    Opt::flag("version").short('V'),
    Opt::flag("option"),
    Opt::flag("mlockall"),
    Opt::value("unixctl"),
    Opt::optional("enable-dummy"),
    Opt::flag("disable-system"),
    Opt::flag("disable-system-route"),
    Opt::optional("dpdk"),
    Opt::value("dummy-numa"),
    Opt::value("peer-ca-cert"),
    Opt::value("bootstrap-ca-cert"),
    Opt::value("hw-rawio-access"),
];

/// What the command line came to.
pub enum Parsed {
    /// Run.
    Go(Box<Go>),
    /// Print this and end.
    Done(String),
}

/// How to run.
pub struct Go {
    /// In the background?
    pub daemon: DaemonOptions,
    /// The daemon's own settings.
    pub settings: Settings,
}

/// Parses the arguments.
pub fn parse(args: &[String], dirs: &Dirs, vlog: &Arc<Vlog>) -> Result<Parsed, Fatal> {
    let options =
        Options::new(&[OWN, cli::daemon::OPTIONS, vlog::OPTIONS, cli::tls::OPTIONS, cli::tls::DATABASE]);
    let mut daemon = DaemonOptions::new(PROGRAM, dirs);
    let mut settings = Settings {
        database: dirs.default_db(),
        unixctl: None,
        dummies: DummyMode::Off,
        tls: Default::default(),
    };
    let mut parser = options.parser(args, Order::Anywhere);
    for given in parser.by_ref() {
        let given = given?;
        match given.id {
            "help" => return Ok(Parsed::Done(help(dirs))),
            "version" => return Ok(Parsed::Done(cli::version::text(PROGRAM, &[]))),
            "option" => return Ok(Parsed::Done(options.listing())),
            "mlockall" => {
                if let Err(e) = sys::lock_memory() {
                    base::error!(vlog.logger(), "vswitchd", "mlockall failed: {}", reactor::errno::text(&e));
                }
            }
            "unixctl" => settings.unixctl = given.value.clone(),
            "enable-dummy" => {
                let level = given.value.as_deref();
                settings.dummies = DummyMode::parse(level).ok_or_else(|| {
                    Fatal::new(format!("{}: unknown dummy level", level.unwrap_or_default()))
                })?;
            }
            "dpdk" => return Err(Fatal::new("Using --dpdk to configure DPDK is not supported.")),
            "disable-system" | "disable-system-route" | "dummy-numa" | "hw-rawio-access" => {}
            _ => {
                if !daemon.option(&given) && !vlog.option(&given)? {
                    cli::tls::option(&given, &mut settings.tls);
                }
            }
        }
    }
    let rest = parser.rest();
    match rest.as_slice() {
        [] => {}
        [database] => settings.database = database.clone(),
        _ => {
            return Err(Fatal::new("at most one non-option argument accepted; use --help for usage"));
        }
    }
    Ok(Parsed::Go(Box::new(Go { daemon, settings })))
}

fn help(dirs: &Dirs) -> String {
    format!(
        "{PROGRAM}: Open vSwitch daemon\n\
         usage: {PROGRAM} [OPTIONS] [DATABASE]\n\
         where DATABASE is a socket on which ovsdb-server is listening\n\
         \u{20}     (default: \"{}\").\n\
         \n{}{}{}{}{}{}{}",
        dirs.default_db(),
        connect::active("DATABASE"),
        connect::KEYS,
        connect::BOOTSTRAP,
        connect::TLS,
        cli::daemon::help(PROGRAM, dirs),
        vlog::help(PROGRAM, dirs),
        OTHER.replace("@CTL@", &dirs.run.join(format!("{PROGRAM}.<pid>.ctl")).display().to_string()),
    )
}

const OTHER: &str = "
DPDK options:
Configuration of DPDK via command-line is removed from this
version of Open vSwitch. DPDK is configured through ovsdb.

Other options:
  --unixctl=SOCKET          override default control socket name
  -h, --help                display this help message
  -V, --version             display version information
";
