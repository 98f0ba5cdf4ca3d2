//! What every other crate stands on: newtypes with units, the clock, logging as a value, token buckets.
//!
//! Nothing here does I/O except [`clock`], which is the one place where the machine's clocks are read, and
//! nothing is process-wide: a clock and a logger are values handed to whoever needs them.

pub mod clock;
pub mod log;
pub mod order;
pub mod trie;
pub mod types;

pub use clock::{Clock, Time};
pub use log::{Level, Logger};
pub use types::*;
