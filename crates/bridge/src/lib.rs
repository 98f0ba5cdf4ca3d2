//! Database configuration to a running switch, and status back.

mod codec;
pub mod config;
pub mod plan;
pub mod rows;
pub mod switch;
pub mod view;
