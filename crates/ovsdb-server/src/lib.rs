//! The database server: databases in memory and on disk, offered to clients over JSON-RPC.
//!
//! A [`Server`] is driven by somebody's event loop: the daemon's own ([`main`]), or that of a process that has a
//! switch in it as well. In each turn it takes what clients have sent, then runs all transactions that are
//! ready, writes what they change in one piece, and only then tells anybody:
//!
//! ```text
//!  sessions ─► requests ─┬─► answered at once
//!                        └─► queue of a database ─► execute, apply ─► one write ─┬─► updates to monitors
//!                              ▲         │ blocked                              └─► replies
//!                              └─────────┘
//! ```
//!
//! If the write fails, what was applied is taken back and the transactions fail.

mod commands;
mod compaction;
mod config;
mod database;
#[cfg(test)]
mod hostile_tests;
mod keys;
mod methods;
mod program;
mod remotes;
mod server;
mod session;
mod sources;
mod system;
#[cfg(test)]
mod tests;

pub use commands::COMMANDS;
pub use program::main;
pub use server::{Server, ServerOptions};
