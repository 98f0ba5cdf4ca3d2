//! Options that record what comes in from outside, or play it back.

use crate::dirs::Dirs;
use crate::options::{Given, Opt};
pub use reactor::tape::Mode;

/// The options.
pub const OPTIONS: &[Opt] =
    &[Opt::optional("record").id("tape:record"), Opt::optional("replay").id("tape:replay")];

/// The part of `--help` on these options, after an empty line.
pub const HELP: &str = "
Replay options:
  --record[=DIR]            turn on writing replay files
  --replay[=DIR]            run from replay files
";

/// Takes an option if it is one of these: false if not.
pub fn option(given: &Given, dirs: &Dirs, mode: &mut Mode) -> bool {
    let dir = || given.value.as_deref().map_or(dirs.run.clone(), |dir| dirs.run.join(dir));
    *mode = match given.id {
        "tape:record" => Mode::Record(dir()),
        "tape:replay" => Mode::Replay(dir()),
        _ => return false,
    };
    true
}
