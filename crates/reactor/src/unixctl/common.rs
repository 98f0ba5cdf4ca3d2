//! Commands that every daemon has.

use super::command::{Call, Command, Outcome, Reply, Token};
use crate::coverage::Coverage;
use crate::event::{Event, Key, Reactor, Ready};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

/// What the common commands work on.
pub struct Common {
    /// What `version` prints.
    pub version: String,
    /// Counters of events.
    pub coverage: Coverage,
    /// Under which the steps of `time/warp` are told.
    key: Key,
    warp: Option<Token>,
}

impl Common {
    /// `version` is the whole text that the command of that name prints; `key` is for the warp's events.
    pub fn new(version: impl Into<String>, coverage: Coverage, key: Key) -> Common {
        Common { version: version.into(), coverage, key, warp: None }
    }

    /// Handles an event of its key: the reply that is now due, to be sent by the server.
    pub fn run(&mut self, event: Event) -> Option<(Token, Result<Reply, String>)> {
        match event.ready {
            Ready::Warp { done: true } if event.key == self.key => {
                Some((self.warp.take()?, Ok(Reply::from("warped"))))
            }
            _ => None,
        }
    }

    /// Whether a warp is under way.
    pub fn warping(&self) -> bool {
        self.warp.is_some()
    }
}

/// `version`, `coverage/show`, `coverage/read-counter`.
pub const COMMANDS: &[Command<Common>] = &[
    Command::new("version", "", 0, 0, |c, _, _| Outcome::ok(c.version.as_str())),
    Command::new("coverage/show", "", 0, 0, |c, r, _| Outcome::ok(c.coverage.show(r.clock().now()))),
    Command::new("coverage/read-counter", "COUNTER", 1, 1, |c, _, call| {
        match c.coverage.read(call.arg(0).unwrap_or_default()) {
            Some(n) => Outcome::ok(n.to_string()),
            None => Outcome::error("No such counter"),
        }
    }),
];

/// `time/stop` and `time/warp`, for daemons in test mode.
pub const TIME_COMMANDS: &[Command<Common>] = &[
    Command::new("time/stop", "", 0, 0, |_, r, _| {
        r.clock().stop();
        Outcome::ok("")
    }),
    Command::new("time/warp", "[large_msecs] msecs", 1, 2, warp),
];

fn warp(c: &mut Common, r: &mut Reactor, call: &Call) -> Outcome {
    // One argument: a single step. Two: the total, then the step.
    let parse = |i| call.arg(i).map_or(Some(0), leading_integer).filter(|&ms| ms > 0);
    let Some(total) = parse(0) else { return Outcome::error("invalid MSECS") };
    let step = if call.args().len() > 1 { parse(1) } else { Some(total) };
    let Some(step) = step else { return Outcome::error("invalid MSECS") };
    if c.warp.is_some() {
        return Outcome::error("another warp is under way");
    }
    c.warp = Some(call.token());
    r.warp(Duration::from_millis(total), Duration::from_millis(step), c.key);
    Outcome::Later
}

/// The digits at the beginning of `s`, as `atoi` reads them.
fn leading_integer(s: &str) -> Option<u64> {
    let s = s.trim_start();
    let s = s.strip_prefix('+').unwrap_or(s);
    let end = s.bytes().position(|b| !b.is_ascii_digit()).unwrap_or(s.len());
    s[..end].parse::<u64>().ok().filter(|&n| n <= i32::MAX as u64)
}

/// The line of `memory/show`.
pub fn memory_line(usage: &BTreeMap<String, u64>) -> String {
    let mut s = String::new();
    for (i, (name, value)) in usage.iter().enumerate() {
        // Writing to a String cannot fail.
        let _ = write!(s, "{}{name}:{value}", if i == 0 { "" } else { " " });
    }
    s.push('\n');
    s
}
