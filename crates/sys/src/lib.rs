//! Every system call of the switch, and all of its `unsafe`.
//!
//! One small file per concern, each with a safe face: file descriptors are owned, sizes are checked, errors are
//! `io::Error`. Nothing here knows packets, flows or databases. Each `unsafe` block says why it is sound.

#![cfg(target_os = "linux")]
#![warn(clippy::undocumented_unsafe_blocks)]

pub mod alloc;
pub mod crash;
pub mod daemon;
pub mod epoll;
pub mod ethtool;
pub mod event;
pub mod host;
pub mod icmp;
pub mod lock;
pub mod netlink;
pub mod netns;
pub mod packet;
pub mod pidfile;
pub mod poll;
pub mod process;
pub mod rtnl;
pub mod signal;
pub mod socket;
pub mod tap;
mod util;
pub mod vnet;

pub use process::{
    alarm, cpu_count, current_tid, fill_random, lock_memory, random_u64, run_as, set_affinity, set_name,
    sleep, thread_cpu_time, umask,
};
pub use util::{errno_text, pipe, set_nonblocking};
