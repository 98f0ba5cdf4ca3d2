//! Everything between a machine and a file descriptor: the event loop with its timers, byte streams, the
//! reconnect machine, JSON-RPC and OpenFlow framing, and the control socket of the daemons (unixctl).
//!
//! The parts that decide (timers, [`reconnect`], the codecs of [`jsonrpc`] and [`vconn`]) are values without
//! I/O; thin shells around them read and write. One control thread owns a [`Reactor`] and everything that is
//! registered with it. Each object has a [`Key`]; a turn of the loop yields the keys of what became ready, and
//! only that is run:
//!
//! ```text
//!   loop {
//!       reactor.turn(&mut events)?;            // blocks: descriptors, timers, wake-ups, signals
//!       for event in events.drain(..) {
//!           match event.key.component() {      // the daemon's own numbering
//!               UNIXCTL => unixctl.run(&mut reactor, event.key),
//!               DATABASE => session.run(&mut reactor),
//!               ...
//! ```
//!
//! An object that is run without cause does nothing: spurious events are harmless, so no bookkeeping of
//! generations is needed when descriptors are closed and reused.

pub mod coverage;
pub mod errno;
pub mod event;
pub mod jsonrpc;
pub mod reconnect;
pub mod stream;
pub mod tape;
pub mod target;
#[cfg(test)]
mod testing;
mod timers;
pub mod tls;
pub mod unixctl;
pub mod vconn;

pub use event::{Event, Interest, Key, Reactor, Ready, Waker};
pub use reconnect::Reconnect;
pub use stream::{Channel, Listener, Stream};
