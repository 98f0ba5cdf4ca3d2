//! The language of `vlog/set` and `-v`, and the options of every program that logs.

use super::syslog::{self, Method};
use super::{Destination, Vlog};
use crate::dirs::Dirs;
use crate::fatal::Fatal;
use crate::options::{Given, Opt};
use base::{Level, error};
use std::path::Path;
use std::sync::Arc;

/// The options.
pub const OPTIONS: &[Opt] = &[
    Opt::optional("verbose").short('v').id("vlog:verbose"),
    Opt::optional("log-file").id("vlog:log-file"),
    Opt::value("syslog-method").id("vlog:syslog-method"),
    Opt::value("syslog-target").id("vlog:syslog-target"),
];

/// The part of `--help` on these options, after an empty line.
pub fn help(program: &str, dirs: &Dirs) -> String {
    format!(
        "\nLogging options:\n  \
         -vSPEC, --verbose=SPEC   set logging levels\n  \
         -v, --verbose            set maximum verbosity level\n  \
         --log-file[=FILE]        enable logging to specified FILE\n                           \
         (default: {})\n  \
         --syslog-method=(libc|unix:file|udp:ip:port)\n                           \
         specify how to send messages to syslog daemon\n  \
         --syslog-target=HOST:PORT  also send syslog msgs to HOST:PORT via UDP\n",
        dirs.log_file(program).display()
    )
}

impl Vlog {
    /// Takes an option if it is one of ours: `Ok(false)` if not.
    pub fn option(self: &Arc<Self>, given: &Given) -> Result<bool, Fatal> {
        match given.id {
            "vlog:verbose" => self.verbose(given.value.as_deref())?,
            "vlog:log-file" => {
                self.open_file(given.value.as_deref().map(Path::new)).map_err(|_| Fatal::silent(1))?;
            }
            "vlog:syslog-method" => self.set_syslog_method(given.value())?,
            "vlog:syslog-target" => match syslog::udp(given.value()) {
                Ok(target) => self.lock().target = Some(target),
                Err(why) => error!(self.logger(), "socket_util", "{why}"),
            },
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Applies what the environment says (`OVS_SYSLOG_METHOD`).
    pub fn environment(self: &Arc<Self>) -> Result<(), Fatal> {
        match std::env::var("OVS_SYSLOG_METHOD") {
            Ok(method) if !method.is_empty() => self.set_syslog_method(&method),
            _ => Ok(()),
        }
    }

    /// `-vSPEC`; without a specification, everything to the console.
    pub fn verbose(&self, spec: Option<&str>) -> Result<(), Fatal> {
        match spec {
            None => {
                self.set_level(None, Some(Destination::Console), Some(Level::Dbg));
                Ok(())
            }
            Some(s) => self.set(s).map_err(|e| Fatal::new(format!("processing \"{s}\": {e}"))),
        }
    }

    fn set_syslog_method(self: &Arc<Self>, name: &str) -> Result<(), Fatal> {
        match Method::parse(name) {
            None => return Err(Fatal::new(format!("unsupported syslog method '{name}'"))),
            Some(Ok(method)) => self.lock().syslog = method,
            Some(Err(why)) => {
                self.lock().syslog = Method::Null;
                error!(self.logger(), "socket_util", "{why}");
            }
        }
        Ok(())
    }

    /// Applies a specification of `vlog/set`: `MODULE`, `DESTINATION` and `LEVEL` in any order, `PATTERN:...` or
    /// `FACILITY:...`. On an error nothing changes.
    pub fn set(&self, spec: &str) -> Result<(), String> {
        let mut words = spec.split([' ', ',', ':']).filter(|w| !w.is_empty());
        let first = words.next().unwrap_or_default();
        if first.eq_ignore_ascii_case("PATTERN") {
            let rest = skip_word(spec, first);
            let name = rest.split(':').next().unwrap_or_default();
            if name.is_empty() {
                return Err("missing destination".to_string());
            }
            let destination = match (Destination::parse(name), name.eq_ignore_ascii_case("ANY")) {
                (None, false) => return Err(format!("unknown destination \"{name}\"")),
                (found, _) => found,
            };
            let pattern = rest.split_once(':').map_or("", |(_, p)| p);
            self.set_pattern(destination, pattern);
            return Ok(());
        }
        if first.eq_ignore_ascii_case("FACILITY") {
            let name = skip_word(spec, first);
            let facility = syslog::facility(name).ok_or("invalid facility")?;
            self.lock().facility = facility;
            return Ok(());
        }
        self.set_levels(spec)
    }

    fn set_levels(&self, spec: &str) -> Result<(), String> {
        let (mut module, mut destination, mut level) = (None, None, None);
        for word in spec.split([' ', ',', ':']).filter(|w| !w.is_empty()) {
            let once = |taken: bool, what: &str| {
                if taken { Err(format!("cannot specify multiple {what}s")) } else { Ok(()) }
            };
            if word.eq_ignore_ascii_case("ANY") {
                continue;
            } else if let Some(d) = Destination::parse(word) {
                once(destination.is_some(), "destination")?;
                destination = Some(d);
            } else if let Some(l) = parse_level(word) {
                once(level.is_some(), "level")?;
                level = Some(l);
            } else if let Some(m) = self.modules.iter().find(|m| m.name.eq_ignore_ascii_case(word)) {
                once(module.is_some(), "module")?;
                module = Some(m.name);
            } else {
                return Err(format!("no destination, level, or module \"{word}\""));
            }
        }
        self.set_level(module, destination, level.unwrap_or(Some(Level::Dbg)));
        Ok(())
    }
}

/// What follows `word` and the separator after it.
fn skip_word<'a>(spec: &'a str, word: &str) -> &'a str {
    let i = spec.find(word).unwrap_or(0) + word.len();
    let rest = &spec[i..];
    rest.strip_prefix([':', ' ', ',']).unwrap_or(rest)
}

/// A level by name; `Some(None)` is off.
fn parse_level(word: &str) -> Option<Option<Level>> {
    let all = [Level::Emer, Level::Err, Level::Warn, Level::Info, Level::Dbg];
    if word.eq_ignore_ascii_case("off") {
        return Some(None);
    }
    all.into_iter().find(|&l| super::pattern::level_name(l).eq_ignore_ascii_case(word)).map(Some)
}
