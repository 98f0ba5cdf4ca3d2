//! The datapath whole, in process, over devices in memory.

mod caching;
mod execution;
mod hostile;
mod mini;
mod threads;
