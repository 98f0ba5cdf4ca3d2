//! The userspace datapath: receives, looks up, translates what it does not know, executes, sends.
//!
//! ```text
//! rx queue -> extract -> exact cache -> megaflow search -> actions -> tx queue
//!                                            | miss           ^
//!                                            v                |
//!                                   Pipeline::translate -> megaflow
//! ```
//!
//! [`Datapath`] is the control thread's side, an engine per polling thread does the work (module `engine`), and
//! [`Pipeline`] is all that it knows of OpenFlow.

mod cache;
mod control;
mod drops;
mod encap;
mod engine;
mod event;
mod exact;
mod exec;
mod extract;
mod hash;
mod load;
mod megaflow;
mod meter;
mod pace;
mod ports;
mod seam;
mod search;
mod set;
mod snapshot;
mod table;
mod thread;

pub use control::{Again, Datapath, ThreadParts, poll};
pub use drops::{Counters, DropCause};
pub use engine::{BATCH, EngineId, Tunables};
pub use event::{Event, Upcall};
pub use exec::Meta;
pub use load::{QueuePlace, Usage};
pub use megaflow::{Body, Megaflow};
pub use meter::{Band, Excess, Meter, MeterStats, MeterUnit};
pub use ports::PortCounters;
pub use seam::{FdChanges, NoWake, Pipeline, Translated, Waiter, Wake};
pub use snapshot::Effects;

#[cfg(test)]
mod tests;
