//! Logging as operators know it: modules with levels per destination (console, syslog, file), patterns, rate limits that
//! can be lifted, a log file that can be moved away and reopened.
//!
//! A [`Vlog`] is a value that implements [`base::log::LogSink`]; a process may have several. Records are formatted once
//! per destination and written at once by a single call, so that lines of several threads never mix.

mod commands;
mod modules;
mod pattern;
mod spec;
mod syslog;
#[cfg(test)]
mod tests;

pub use commands::COMMANDS;
pub use spec::{OPTIONS, help};

use crate::dirs::Dirs;
use crate::localtime::Zone;
use base::log::LogSink;
use base::{Clock, Level, Logger, Time};
use pattern::{Record, severity};
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

/// Where records go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Destination {
    /// Standard error.
    Console,
    /// The system's log.
    Syslog,
    /// The log file.
    File,
}

impl Destination {
    /// All of them, in the order of `vlog/list`.
    pub const ALL: [Destination; 3] = [Destination::Console, Destination::Syslog, Destination::File];

    fn name(self) -> &'static str {
        ["console", "syslog", "file"][self as usize]
    }

    fn parse(s: &str) -> Option<Destination> {
        Self::ALL.into_iter().find(|d| d.name().eq_ignore_ascii_case(s))
    }

    fn default_pattern(self) -> &'static str {
        match self {
            Destination::Console => "%D{%Y-%m-%dT%H:%M:%SZ}|%05N|%c%T|%p|%m",
            Destination::Syslog => "ovs|%05N|%c%T|%p|%m",
            Destination::File => "%D{%Y-%m-%dT%H:%M:%S.###Z}|%05N|%c%T|%p|%m",
        }
    }
}

/// The highest level that passes; a level as a number, so that "off" fits: it passes nothing.
const OFF: u8 = 0;

fn rank(level: Level) -> u8 {
    level as u8 + 1
}

struct Module {
    name: &'static str,
    levels: [AtomicU8; 3],
    rate_limited: AtomicBool,
}

struct LogFile {
    path: PathBuf,
    file: File,
}

struct Sinks {
    patterns: [String; 3],
    file: Option<LogFile>,
    /// The file that is reopened, even while it is closed.
    path: Option<PathBuf>,
    syslog: syslog::Method,
    /// An additional syslog server (`--syslog-target`).
    target: Option<syslog::Method>,
    facility: u8,
}

/// The log of a program.
pub struct Vlog {
    program: String,
    default_path: PathBuf,
    host: String,
    zone: Zone,
    clock: Clock,
    start: Time,
    modules: Vec<Module>,
    /// No module lets more than this pass anywhere: most debug records end here.
    max_level: AtomicU8,
    /// Levels of modules that are in no list.
    others: [AtomicU8; 3],
    number: AtomicU64,
    /// Names the process, when it is not the one that works (`monitor`).
    subprogram: RwLock<String>,
    sinks: Mutex<Sinks>,
}

impl Vlog {
    /// A log for `program` that lets records of level INFO and above pass everywhere. Rate limits run on `clock`.
    pub fn new(program: &str, dirs: &Dirs, clock: &Clock) -> Arc<Vlog> {
        let levels = || [const { AtomicU8::new(Level::Info as u8 + 1) }; 3];
        let modules = modules::of_program(program)
            .into_iter()
            .map(|name| Module { name, levels: levels(), rate_limited: AtomicBool::new(true) })
            .collect();
        Arc::new(Vlog {
            program: program.to_string(),
            default_path: dirs.log_file(program),
            host: host_name(),
            zone: Zone::local(),
            clock: clock.clone(),
            start: clock.real_now(),
            modules,
            max_level: AtomicU8::new(rank(Level::Info)),
            others: levels(),
            number: AtomicU64::new(0),
            subprogram: RwLock::new(String::new()),
            sinks: Mutex::new(Sinks {
                patterns: Destination::ALL.map(|d| d.default_pattern().to_string()),
                file: None,
                path: None,
                syslog: syslog::Method::libc(),
                target: None,
                facility: syslog::DEFAULT_FACILITY,
            }),
        })
    }

    /// A handle for those who write records.
    pub fn logger(self: &Arc<Self>) -> Logger {
        Logger::new(self.clone())
    }

    /// The program's name.
    pub fn program(&self) -> &str {
        &self.program
    }

    /// Sets the level of a module (`None`: all) at a destination (`None`: all). `level` of `None` is off. False if
    /// there is no such module.
    pub fn set_level(&self, module: Option<&str>, at: Option<Destination>, level: Option<Level>) -> bool {
        let level = level.map_or(OFF, rank);
        let set = |levels: &[AtomicU8; 3]| {
            for d in Destination::ALL {
                if at.is_none_or(|at| at == d) {
                    levels[d as usize].store(level, Relaxed);
                }
            }
        };
        let mut found = false;
        for m in &self.modules {
            if module.is_none_or(|name| name.eq_ignore_ascii_case(m.name)) {
                set(&m.levels);
                found = true;
            }
        }
        if module.is_none() {
            set(&self.others);
        }
        let all = self.modules.iter().map(|m| &m.levels).chain([&self.others]);
        let max = all.flatten().map(|l| l.load(Relaxed)).max().unwrap_or(OFF);
        self.max_level.store(max, Relaxed);
        found
    }

    /// Writes no more to standard error, which has been closed.
    pub fn close_console(&self) {
        self.set_level(None, Some(Destination::Console), None);
    }

    /// Sets a destination's pattern (`None`: all).
    pub fn set_pattern(&self, at: Option<Destination>, pattern: &str) {
        let mut sinks = self.lock();
        for d in Destination::ALL {
            if at.is_none_or(|at| at == d) {
                sinks.patterns[d as usize] = pattern.to_string();
            }
        }
    }

    /// Names this process in the place of the thread: for a monitor, which shares the log.
    pub fn set_subprogram(&self, name: &str) {
        *self.subprogram.write().unwrap_or_else(PoisonError::into_inner) = name.to_string();
    }

    /// Starts to write to a file (`None`: the program's default).
    pub fn open_file(&self, path: Option<&Path>) -> io::Result<()> {
        let path = path.unwrap_or(&self.default_path).to_path_buf();
        let result = {
            let mut sinks = self.lock();
            sinks.path = Some(path.clone());
            open(&path).map(|file| sinks.file = Some(LogFile { path: path.clone(), file }))
        };
        match &result {
            Ok(()) => self.own(Level::Info, format_args!("opened log file {}", path.display())),
            Err(e) => self.own(
                Level::Warn,
                format_args!("failed to open {} for logging: {}", path.display(), reactor::errno::text(e)),
            ),
        }
        result
    }

    /// Opens the file anew if another (or none) has its name now: after it was moved away. `Ok(false)`: there is no
    /// log file.
    pub fn reopen_file(&self) -> io::Result<bool> {
        let Some(path) = self.lock().path.clone() else { return Ok(false) };
        let file = open(&path)?;
        let same = {
            let sinks = self.lock();
            sinks.file.as_ref().is_some_and(|old| same_file(&old.file, &file))
        };
        if !same {
            if self.lock().file.is_some() {
                self.own(Level::Info, format_args!("closing log file"));
            }
            self.lock().file = Some(LogFile { path: path.clone(), file });
            self.own(Level::Info, format_args!("opened log file {}", path.display()));
        }
        Ok(true)
    }

    /// Stops writing to the file, until it is reopened.
    pub fn close_file(&self) {
        self.lock().file = None;
    }

    /// The file that is written to now.
    pub fn file_path(&self) -> Option<PathBuf> {
        self.lock().file.as_ref().map(|f| f.path.clone())
    }

    /// A second descriptor of the log file, for a crash handler.
    pub fn duplicate_file(&self) -> Option<File> {
        self.lock().file.as_ref().and_then(|f| f.file.try_clone().ok())
    }

    /// Gives the log file to another user, before this process becomes that user.
    pub fn chown_file(&self, uid: u32, gid: u32) -> io::Result<()> {
        match &self.lock().file {
            Some(f) => std::os::unix::fs::fchown(&f.file, Some(uid), Some(gid)),
            None => Ok(()),
        }
    }

    /// The module's levels, if it is known.
    fn module(&self, name: &str) -> Option<&Module> {
        self.modules.binary_search_by(|m| m.name.cmp(name)).ok().map(|i| &self.modules[i])
    }

    fn levels(&self, module: &str) -> &[AtomicU8; 3] {
        self.module(module).map_or(&self.others, |m| &m.levels)
    }

    /// A record of the log itself.
    fn own(&self, level: Level, message: fmt::Arguments<'_>) {
        if self.enabled("vlog", level) {
            self.log("vlog", level, message);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Sinks> {
        self.sinks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn record<'a>(&'a self, module: &'a str, level: Level, message: fmt::Arguments<'a>) -> Record<'a> {
        Record {
            program: &self.program,
            host: &self.host,
            facility: syslog::DEFAULT_FACILITY,
            module,
            level,
            number: self.number.fetch_add(1, Relaxed) + 1,
            thread: "",
            pid: std::process::id(),
            wall: self.clock.wall_millis(),
            running: self.clock.real_now().since(self.start).as_millis() as u64,
            zone: &self.zone,
            message,
        }
    }
}

impl LogSink for Vlog {
    fn enabled(&self, module: &'static str, level: Level) -> bool {
        let level = rank(level);
        level <= self.max_level.load(Relaxed) && self.levels(module).iter().any(|l| level <= l.load(Relaxed))
    }

    fn log(&self, module: &'static str, level: Level, message: fmt::Arguments<'_>) {
        let levels = self.levels(module);
        let subprogram = self.subprogram.read().unwrap_or_else(PoisonError::into_inner).clone();
        let thread = std::thread::current();
        let mut record = self.record(module, level, message);
        record.thread = match thread.name() {
            _ if !subprogram.is_empty() => &subprogram,
            None | Some("main") => "",
            Some(name) => name,
        };
        let mut sinks = self.lock();
        record.facility = sinks.facility;
        let mut line = String::with_capacity(128);
        for d in Destination::ALL {
            if rank(level) > levels[d as usize].load(Relaxed) {
                continue;
            }
            line.clear();
            match d {
                Destination::Syslog => sinks.syslog(&mut line, &record),
                Destination::File if sinks.file.is_none() => {}
                Destination::Console | Destination::File => {
                    pattern::format(&sinks.patterns[d as usize], &record, &mut line);
                    line.push('\n');
                    // There is nobody to tell if a log cannot be written.
                    let _ = match &mut sinks.file {
                        Some(f) if d == Destination::File => f.file.write_all(line.as_bytes()),
                        _ => io::stderr().write_all(line.as_bytes()),
                    };
                }
            }
        }
    }

    fn rate_limited(&self, module: &'static str) -> bool {
        self.module(module).is_none_or(|m| m.rate_limited.load(Relaxed))
    }

    fn now(&self) -> Time {
        self.clock.now()
    }
}

impl Sinks {
    fn syslog(&mut self, text: &mut String, record: &Record<'_>) {
        if matches!(self.syslog, syslog::Method::Null) && self.target.is_none() {
            return;
        }
        pattern::format(&self.patterns[Destination::Syslog as usize], record, text);
        for line in text.lines() {
            if self.syslog.wants_prefix() {
                let message = prefixed(record, line);
                self.syslog.send(message.as_bytes());
            } else {
                let priority = record.facility + severity(record.level);
                let date = crate::timefmt::format_time("%h %e %T", record.wall, record.zone);
                let message = format!("<{priority}>{date} {}: {line}", record.program);
                self.syslog.send(message.as_bytes());
            }
            if let Some(target) = &mut self.target {
                let message = prefixed(record, line);
                target.send(message.as_bytes());
            }
        }
    }
}

/// What stands before each record that is sent to a syslog server directly.
const SYSLOG_PREFIX: &str = "<%B> %D{%h %e %T} %E %A:";

fn prefixed(record: &Record<'_>, line: &str) -> String {
    let mut s = String::new();
    pattern::format(SYSLOG_PREFIX, record, &mut s);
    s.push_str(line);
    s
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(0o660).open(path)
}

fn same_file(a: &File, b: &File) -> bool {
    match (a.metadata(), b.metadata()) {
        (Ok(a), Ok(b)) => (a.dev(), a.ino()) == (b.dev(), b.ino()),
        _ => false,
    }
}

fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    name.trim().to_string()
}
