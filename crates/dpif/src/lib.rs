//! The seams of the datapath: devices ([`netdev`]) and, above them, the datapath's own flows and actions.

pub mod action;
pub mod conformance;
pub mod datapath;
pub mod dpctl;
pub mod flow_text;
pub mod mem;
pub mod netdev;
pub mod normalize;
pub mod parse;
pub mod text;
mod tnl_parse;
mod tnl_text;

pub use action::{DpAction, Masked, SetField};
pub use datapath::{Datapath, DpError, DpFlow, DpStats, FlowStats, PutMode, ufid_of};
pub use flow_text::{DumpStyle, flow_line, parse_ufid, stats_text, ufid_text};
pub use parse::{ParseError, parse_actions};
pub use text::{format_actions, put_actions};

#[cfg(test)]
mod tests;
