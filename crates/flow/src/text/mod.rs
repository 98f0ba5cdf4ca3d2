//! Text of values and matches, both ways, as flow tools write it.
//!
//! [`value`] knows how one field's value is written (`10.0.0.0/8`, `+syn-ack`, `LOCAL`); [`format`] prints a match in
//! its customary order, with the short forms (`tcp`, `dl_vlan=10`) that people expect; [`parse`] reads the
//! `field=value` pairs back.

pub mod flags;
pub mod format;
pub mod lex;
pub mod number;
pub mod parse;
pub mod port;
pub mod value;

#[cfg(test)]
mod tests;

pub use format::{Style, flow_text, match_text, packet_text, put_match};
pub use parse::{MatchParser, ParseError};
pub use port::{NoPorts, PortMap};
