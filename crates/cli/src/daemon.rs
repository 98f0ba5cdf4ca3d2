//! Going into the background: the options of every daemon, and the order of things.
//!
//! ```no_run
//! # use cli::{daemon::*, dirs::Dirs, fatal::Fatal, vlog::Vlog};
//! # fn f(mut options: DaemonOptions, vlog: std::sync::Arc<Vlog>) -> Result<(), Fatal> {
//! let mut daemon = options.start(&vlog)?;   // forks; only the process that does the work comes back
//! // ... open sockets and databases; an error here reaches the terminal, and the exit status of the parent
//! daemon.complete(&vlog)?;                  // the parent may end: all is ready
//! // ... main loop
//! daemon.end();                             // removes the pidfile
//! # Ok(())
//! # }
//! ```

use crate::dirs::Dirs;
use crate::fatal::Fatal;
use crate::options::{Given, Opt};
use crate::vlog::Vlog;
use base::{Level, error, info, record, warn};
use std::sync::Arc;
use sys::daemon::{End, MonitorLog};
use sys::process::{UserError, find_user};

/// The options.
pub const OPTIONS: &[Opt] = &[
    Opt::flag("detach").id("daemon:detach"),
    Opt::flag("no-self-confinement").id("daemon:no-self-confinement"),
    Opt::flag("no-chdir").id("daemon:no-chdir"),
    Opt::optional("pidfile").id("daemon:pidfile"),
    Opt::flag("overwrite-pidfile").id("daemon:overwrite-pidfile"),
    Opt::flag("monitor").id("daemon:monitor"),
    Opt::value("user").id("daemon:user"),
];

/// The part of `--help` on these options, after an empty line.
pub fn help(program: &str, dirs: &Dirs) -> String {
    format!(
        "\nDaemon options:\n  \
         --detach                run in background as daemon\n  \
         --monitor               creates a process to monitor this daemon\n  \
         --user=username[:group] changes the effective daemon user:group\n  \
         --no-chdir              do not chdir to '/'\n  \
         --pidfile[=FILE]        create pidfile (default: {})\n  \
         --overwrite-pidfile     with --pidfile, start even if already running\n",
        dirs.pidfile(program).display()
    )
}

/// What the command line asked for.
#[derive(Clone, Debug)]
pub struct DaemonOptions {
    program: String,
    dirs: Dirs,
    sys: sys::daemon::Options,
    user: Option<String>,
    capabilities: Vec<sys::process::Capability>,
}

impl DaemonOptions {
    /// Nothing: run in the foreground.
    pub fn new(program: &str, dirs: &Dirs) -> DaemonOptions {
        DaemonOptions {
            program: program.to_string(),
            dirs: dirs.clone(),
            sys: sys::daemon::Options::default(),
            user: None,
            capabilities: Vec::new(),
        }
    }

    /// What to keep of the capabilities when changing the user.
    pub fn keep_capabilities(&mut self, keep: &[sys::process::Capability]) {
        self.capabilities = keep.to_vec();
    }

    /// Takes an option if it is one of ours.
    pub fn option(&mut self, given: &Given) -> bool {
        match given.id {
            "daemon:detach" => self.sys.detach = true,
            "daemon:no-self-confinement" => {}
            "daemon:no-chdir" => self.sys.no_chdir = true,
            "daemon:pidfile" => {
                self.sys.pidfile = Some(match given.value.as_deref() {
                    None | Some("") => self.dirs.pidfile(&self.program),
                    Some(path) => self.dirs.run.join(path),
                });
            }
            "daemon:overwrite-pidfile" => self.sys.overwrite_pidfile = true,
            "daemon:monitor" => self.sys.monitor = true,
            "daemon:user" => self.user = given.value.clone(),
            _ => return false,
        }
        true
    }

    /// Whether to go into the background.
    pub fn detach(&self) -> bool {
        self.sys.detach
    }

    /// Goes into the background, and returns only there.
    pub fn start(&self, vlog: &Arc<Vlog>) -> Result<Daemon, Fatal> {
        if let Some(spec) = &self.user {
            self.become_user(spec, vlog)?;
        }
        self.check_pidfile(vlog)?;
        let mut log = Log { vlog: vlog.clone(), pending: None };
        let inner = sys::daemon::start(&self.sys, &mut log).map_err(|e| Fatal::new(e.to_string()))?;
        match vlog.duplicate_file() {
            Some(file) => inner.install_crash_handler(Some(&file)),
            None => inner.install_crash_handler(None),
        }
        Ok(Daemon { inner, detached: self.sys.detach })
    }

    /// Refuses a pidfile that is there and cannot be looked at.
    fn check_pidfile(&self, vlog: &Arc<Vlog>) -> Result<(), Fatal> {
        let Some(path) = self.sys.pidfile.as_ref().filter(|_| !self.sys.overwrite_pidfile) else {
            return Ok(());
        };
        match std::fs::OpenOptions::new().read(true).write(true).open(path) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                let (path, why) = (path.display(), reactor::errno::text(&e));
                warn!(vlog.logger(), MODULE, "{path}: open: {why}");
                Err(Fatal::new(format!("{path}: pidfile check failed ({why}), aborting")))
            }
            _ => Ok(()),
        }
    }

    fn become_user(&self, spec: &str, vlog: &Arc<Vlog>) -> Result<(), Fatal> {
        let pidfile =
            self.sys.pidfile.as_ref().map_or_else(|| "(null)".to_string(), |p| p.display().to_string());
        let (user, group) = spec.split_once(':').unwrap_or((spec, ""));
        let who = find_user(spec).map_err(|e| match e {
            UserError::NoUser => Fatal::new(format!("{pidfile}: user {user} not found, aborting.")),
            UserError::NoGroup => Fatal::new(format!("{pidfile}: group {group} not found, aborting.")),
        })?;
        let fail = |e: std::io::Error| {
            Fatal::new(format!("{pidfile}: fail to switch user: {}", reactor::errno::text(&e)))
        };
        vlog.chown_file(who.uid, who.gid).map_err(fail)?;
        sys::process::run_as(&who, &self.capabilities).map_err(fail)
    }
}

/// A daemon that has started.
#[derive(Debug)]
pub struct Daemon {
    inner: sys::daemon::Daemon,
    detached: bool,
}

impl Daemon {
    /// All is ready: lets the parent end, and lets go of the terminal.
    pub fn complete(&mut self, vlog: &Arc<Vlog>) -> Result<(), Fatal> {
        self.inner
            .ready()
            .map_err(|e| Fatal::new(format!("could not finish detaching ({})", reactor::errno::text(&e))))?;
        if self.detached {
            vlog.close_console();
        }
        Ok(())
    }

    /// Removes the pidfile: the last thing before the process ends.
    pub fn end(mut self) {
        self.inner.remove_pidfile();
    }

    /// How often the daemon crashed before, under a monitor.
    pub fn crashes(&self) -> u32 {
        self.inner.crashes()
    }
}

/// What the monitor logs.
struct Log {
    vlog: Arc<Vlog>,
    /// A crash after which the daemon is about to be started again.
    pending: Option<String>,
}

const MODULE: &str = "daemon_unix";

impl MonitorLog for Log {
    fn ended(&mut self, pid: i32, end: End, crashes: u32, restarting: bool, backtrace: &str) {
        self.vlog.set_subprogram("monitor");
        // The daemon had the log file to itself meanwhile; if it cannot be opened, the console has to do.
        let _ = self.vlog.reopen_file();
        let log = self.vlog.logger();
        if !backtrace.is_empty() {
            warn!(log, "backtrace", "{}", backtrace.trim_end());
        }
        if restarting {
            self.pending = Some(format!("{} crashes: pid {pid} died, {end}", crashes + 1));
        } else {
            info!(log, MODULE, "pid {pid} died, {end}, exiting");
        }
    }

    fn waiting(&mut self) {
        if let Some(what) = &self.pending {
            record!(
                self.vlog.logger(),
                Level::Warn,
                MODULE,
                "{what}, waiting until 10 seconds since last restart"
            );
        }
    }

    fn quiet(&mut self) {
        self.vlog.set_subprogram("monitor");
        self.pending = None;
        if self.vlog.file_path().is_some() {
            info!(self.vlog.logger(), "vlog", "closing log file");
            self.vlog.close_file();
        }
        self.vlog.close_console();
    }

    fn child(&mut self) {
        if let Some(what) = self.pending.take() {
            error!(self.vlog.logger(), MODULE, "{what}, restarting");
            self.vlog.set_subprogram(self.vlog.program());
        }
    }

    fn failed(&mut self, text: &str) {
        self.vlog.set_subprogram("monitor");
        let _ = self.vlog.reopen_file();
        error!(self.vlog.logger(), MODULE, "{text}");
    }
}
