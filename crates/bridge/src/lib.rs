//! Database configuration to a running switch, and status back.

mod codec;
pub mod commands;
pub mod config;
mod coverage;
pub mod plan;
pub mod reader;
pub mod replica;
pub mod rows;
pub mod status;
pub mod switch;
pub mod view;
