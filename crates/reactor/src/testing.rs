//! What tests share: a log that is a list, scratch directories.

use crate::event::{Environment, Reactor};
use base::log::LogSink;
use base::{Clock, Level, Logger, Time};
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

/// A log that keeps its records as `LEVEL module text`.
pub struct Records {
    clock: Clock,
    lines: Mutex<Vec<String>>,
    debug: bool,
}

impl Records {
    pub fn new(clock: &Clock, debug: bool) -> Arc<Records> {
        Arc::new(Records { clock: clock.clone(), lines: Mutex::new(Vec::new()), debug })
    }

    pub fn logger(self: &Arc<Self>) -> Logger {
        Logger::new(self.clone())
    }

    /// The records since the last call.
    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.lines.lock().unwrap())
    }
}

impl LogSink for Records {
    fn enabled(&self, _: &'static str, level: Level) -> bool {
        self.debug || level < Level::Dbg
    }

    fn log(&self, _: &'static str, level: Level, message: fmt::Arguments<'_>) {
        let level = format!("{level:?}").to_uppercase();
        self.lines.lock().unwrap().push(format!("{level} {message}"));
    }

    fn now(&self) -> Time {
        self.clock.now()
    }
}

/// A directory of its own for each call.
pub fn scratch(name: &str) -> PathBuf {
    use std::sync::atomic::{AtomicU32, Ordering};
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let n = COUNT.fetch_add(1, Ordering::Relaxed);
    let dir = std::env::temp_dir().join(format!("oxvs-reactor-{}-{n}-{name}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    dir
}

/// A loop whose sockets are in `dir`.
pub fn reactor(clock: &Clock, log: Logger, dir: &std::path::Path) -> Reactor {
    Reactor::new(clock.clone(), Environment::new(log, dir.to_path_buf())).unwrap()
}
