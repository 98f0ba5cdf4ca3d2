//! The seams of the datapath: devices ([`netdev`]) and, above them, the datapath's own flows and actions.

pub mod action;
pub mod datapath;
pub mod mem;
pub mod netdev;
pub mod parse;
pub mod text;
mod tnl_parse;
mod tnl_text;

pub use action::{DpAction, Masked, SetField};
pub use datapath::{Datapath, DpError, DpFlow, DpStats, FlowStats, PutMode};
pub use parse::{ParseError, parse_actions};
pub use text::{format_actions, put_actions};

#[cfg(test)]
mod tests;
