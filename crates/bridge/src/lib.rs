//! Database configuration to a running switch, and status back.

pub mod config;
pub mod plan;
pub mod rows;
