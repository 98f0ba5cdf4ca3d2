//! OpenFlow over byte streams: messages as bytes, whole, after the two sides have agreed on a version.
//!
//! * [`hello`]: what the first message says and how a version is chosen; pure.
//! * [`Vconn`]: one connection.
//! * [`Rconn`]: a connection that is made again when it breaks and probed when it is silent, with what controllers'
//!   status columns want to know.
//! * [`Client`]: a connection for programs that wait for answers.
//!
//! What the messages mean is the business of the `openflow` crate.

mod client;
mod connection;
pub mod hello;
mod rconn;
#[cfg(test)]
mod tests;

pub use client::Client;
pub use connection::{Describe, Options, Vconn};
pub use rconn::{Rconn, RconnOptions, State};

/// The header that begins each message: version, type, length, transaction.
pub const HEADER_LEN: usize = 8;

/// Types of message that have a meaning for the connection itself; the same in all versions.
pub mod kind {
    /// Version negotiation.
    pub const HELLO: u8 = 0;
    /// Error.
    pub const ERROR: u8 = 1;
    /// Probe.
    pub const ECHO_REQUEST: u8 = 2;
    /// Answer to a probe.
    pub const ECHO_REPLY: u8 = 3;
}

/// A message without a body.
pub fn bare(version: u8, kind: u8, xid: u32) -> Vec<u8> {
    let mut m = vec![version, kind, 0, HEADER_LEN as u8];
    m.extend_from_slice(&xid.to_be_bytes());
    m
}

/// The transaction number of a message.
pub fn xid(message: &[u8]) -> Option<u32> {
    Some(u32::from_be_bytes(message.get(4..8)?.try_into().ok()?))
}

/// The answer to a probe: the same bytes under another type.
pub fn echo_reply(request: &[u8]) -> Vec<u8> {
    let mut m = request.to_vec();
    if let Some(k) = m.get_mut(1) {
        *k = kind::ECHO_REPLY;
    }
    m
}
