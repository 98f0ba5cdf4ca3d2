//! JSON-RPC 1.0 over byte streams, as the database (RFC 7047) and the control sockets speak it.
//!
//! * [`Message`]: the four kinds of message and their text.
//! * [`Connection`]: messages over one [`Channel`](crate::Channel).
//! * [`Session`]: a connection that is made again when it breaks, probed when it is silent, and that answers the
//!   peer's probes; on the server's side, one that was accepted.
//! * [`Client`]: a connection for programs that have nothing else to do than wait for the answer.

mod client;
mod connection;
mod message;
mod session;
#[cfg(test)]
mod tests;

pub use client::{Client, Failure};
pub use connection::Connection;
pub use message::Message;
pub use session::{Session, SessionOptions};
