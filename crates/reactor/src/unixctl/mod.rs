//! The control socket of a daemon: `ovs-appctl` and scripts send a command and its arguments as a JSON-RPC request,
//! and get text, or JSON if they asked for it.
//!
//! Commands are declared once, in tables of [`Command`]; a [`CommandTable`] gathers those of a daemon's components.
//! The [`Server`] does the I/O and hands out [`Call`]s; a handler answers at once or keeps the call's [`Token`]
//! and answers later.
//!
//! ```no_run
//! # use reactor::{Event, Key, Reactor, unixctl::*};
//! # struct Daemon { exiting: bool }
//! const COMMANDS: &[Command<Daemon>] = &[Command::new("exit", "[--cleanup]", 0, 1, |d, _, _| {
//!     d.exiting = true;
//!     Outcome::ok("")
//! })];
//! # fn f(r: &mut Reactor, event: Event, server: &mut Server, table: &CommandTable<Daemon>, daemon: &mut Daemon) {
//! server.run(r, event);
//! while let Some(call) = server.next_call() {
//!     if let Some(result) = table.dispatch(daemon, r, &call) {
//!         server.reply(r, call.token(), result);
//!     }
//! }
//! # }
//! ```

mod client;
mod command;
pub mod common;
mod server;
#[cfg(test)]
mod tests;

pub use client::{Client, ClientError};
pub use command::{Call, Command, CommandTable, Format, Outcome, Reply, Token};
pub use server::Server;
