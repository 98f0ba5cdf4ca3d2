//! The control commands on logging.

use super::{Destination, Vlog, pattern};
use base::Level;
use reactor::unixctl::{Command, Outcome};
use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

/// The commands.
pub const COMMANDS: &[Command<Arc<Vlog>>] = &[
    Command::new("vlog/set", "{spec | PATTERN:destination:pattern}", 0, usize::MAX, |v, _, call| {
        // Without arguments, everything.
        let specs = if call.args().is_empty() { &[String::new()][..] } else { call.args() };
        match specs.iter().find_map(|s| v.set(s).err()) {
            Some(e) => Outcome::error(e),
            None => Outcome::ok(""),
        }
    }),
    Command::new("vlog/list", "", 0, 0, |v, _, _| Outcome::ok(v.list())),
    Command::new("vlog/list-pattern", "", 0, 0, |v, _, _| Outcome::ok(v.list_patterns())),
    Command::new("vlog/enable-rate-limit", "[module]...", 0, usize::MAX, |v, _, call| {
        set_rate_limits(v, call.args(), true)
    }),
    Command::new("vlog/disable-rate-limit", "[module]...", 0, usize::MAX, |v, _, call| {
        set_rate_limits(v, call.args(), false)
    }),
    Command::new("vlog/reopen", "", 0, 0, |v, _, _| match v.reopen_file() {
        Ok(true) => Outcome::ok(""),
        Ok(false) => Outcome::error("Logging to file not configured"),
        Err(e) => Outcome::error(reactor::errno::text(&e)),
    }),
    Command::new("vlog/close", "", 0, 0, |v, _, _| {
        v.close_file();
        Outcome::ok("")
    }),
];

fn set_rate_limits(v: &mut Arc<Vlog>, names: &[String], limited: bool) -> Outcome {
    let mut all = names.is_empty();
    for name in names {
        if name.eq_ignore_ascii_case("ANY") {
            all = true;
        } else if v.module(&name.to_ascii_lowercase()).is_none() {
            return Outcome::error("unknown module");
        }
    }
    for m in &v.modules {
        if all || names.iter().any(|n| n.eq_ignore_ascii_case(m.name)) {
            m.rate_limited.store(limited, Relaxed);
        }
    }
    Outcome::ok("")
}

impl Vlog {
    /// The reply of `vlog/list`.
    pub fn list(&self) -> String {
        let mut s = String::from(
            "                 console    syslog    file\n                 -------    ------    ------\n",
        );
        for m in &self.modules {
            let level = |d: Destination| level_name(&m.levels[d as usize]);
            // Writing to a String cannot fail.
            let _ = write!(
                s,
                "{:<16}  {:>4}       {:>4}       {:>4}",
                m.name,
                level(Destination::Console),
                level(Destination::Syslog),
                level(Destination::File)
            );
            s.push_str(if m.rate_limited.load(Relaxed) { "\n" } else { "    (rate limiting disabled)\n" });
        }
        s
    }

    /// The reply of `vlog/list-pattern`.
    pub fn list_patterns(&self) -> String {
        let sinks = self.lock();
        let mut s = String::from(
            "         prefix                            format\n         ------                            ------\n",
        );
        for (name, prefix, d) in [
            ("SYSLOG", super::SYSLOG_PREFIX, Destination::Syslog),
            ("CONSOLE", "none", Destination::Console),
            ("FILE", "none", Destination::File),
        ] {
            let _ = writeln!(s, "{name:<7}  {prefix:<32}  {}", sinks.patterns[d as usize]);
        }
        s
    }
}

fn level_name(level: &AtomicU8) -> &'static str {
    match level.load(Relaxed) {
        super::OFF => "OFF",
        1 => pattern::level_name(Level::Emer),
        2 => pattern::level_name(Level::Err),
        3 => pattern::level_name(Level::Warn),
        4 => pattern::level_name(Level::Info),
        _ => pattern::level_name(Level::Dbg),
    }
}
