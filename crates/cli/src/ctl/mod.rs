//! What the programs that edit a database have in common (`ovs-vsctl`, `vtep-ctl`): a line of commands becomes one
//! transaction.
//!
//! ```text
//! words ─► command::parse ─► commands ─► run on a Model of the database ─► operations ─► server
//!                                             │                                │
//!                                             └── output, held back until ◄────┘ it has committed
//! ```
//!
//! When the server says that something relied on has changed meanwhile, the model is loaded anew and the commands
//! run again: nobody sees a half-done line.

pub mod columns;
pub mod command;
pub mod db;
pub mod help;
pub mod model;
pub mod point;
pub mod program;
pub mod session;
pub mod show;
pub mod targets;

use base::Logger;
use columns::{RowNames, Symbols};
use model::Model;
use ovsdb::{ColumnType, Datum};

/// What one command prints.
#[derive(Debug, Default)]
pub enum Output {
    /// Nothing.
    #[default]
    Nothing,
    /// Text.
    Text(String),
    /// Records.
    Table(Records),
}

/// A table of values to be printed in the format that was asked for.
#[derive(Debug, Default)]
pub struct Records {
    /// Column names.
    pub headings: Vec<String>,
    /// Types of the columns.
    pub kinds: Vec<ColumnType>,
    /// Rows of values.
    pub rows: Vec<Vec<Datum>>,
}

/// What commands work on.
pub struct Context {
    /// The database.
    pub model: Model,
    /// `@name`s.
    pub symbols: Symbols,
    /// How rows may be named.
    pub record_names: &'static [RowNames],
    /// Log.
    pub log: Logger,
    /// What the present command prints.
    pub output: Output,
    /// Row made by the present command whose final UUID is to be printed.
    pub created: Option<(usize, ovsdb::Uuid)>,
    /// Set by a command that says no (`br-exists`).
    pub exit_status: Option<u8>,
    /// Set when a condition waited for does not hold yet.
    pub wait: bool,
}

impl Context {
    /// Prints lines.
    pub fn lines(&mut self, lines: impl IntoIterator<Item = String>) {
        let mut text = String::new();
        for line in lines {
            text.push_str(&line);
            text.push('\n');
        }
        self.output = Output::Text(text);
    }
}

/// A program's state, which has a [`Context`].
pub trait HasContext {
    /// The part that all programs share.
    fn context(&mut self) -> &mut Context;
}
