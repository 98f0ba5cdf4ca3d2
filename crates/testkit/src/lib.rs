//! What tests share, and nothing that ships.
//!
//! * [`database`]: a database server as a process, alone.
//! * [`fuzz`]: bounded fuzzing by seeded mutation of a kept corpus, as ordinary tests.
//! * [`programs`]: the programs under test, by the names they are called by.
//! * [`switch`]: a database server and a switch as processes, in a network namespace of their own.
//! * [`lan`]: hosts around that switch: a namespace, a cable into the switch, addresses; pings and raw frames.
//! * [`http`]: a server and a client small enough to read, over real sockets.
//! * [`ofp`]: an OpenFlow controller that encodes by hand, so that it checks the codec instead of sharing it.
//!
//! All that a test makes lives in namespaces without a name and in processes that die with it: nothing stays behind
//! whatever happens, and tests run side by side. What is not permitted or not installed is skipped with a reason
//! ([`skip`]); where `OXVS_TEST_NO_SKIP` is set (the project's own test command sets it for the superuser), that is a failure instead.
//!
//! Variables for whoever develops: `OXVS_BIN`, a directory of programs to be tested instead of our own;
//! `OXVS_TEST_REFERENCE`, which says that they are not ours (their log is not checked, and hosts send whole
//! checksums); `OXVS_TEST_KEEP`, which keeps state directories.

pub mod database;
pub mod frame;
pub mod fuzz;
pub mod http;
pub mod lan;
pub mod ofp;
pub mod programs;
pub mod switch;
pub mod temp;
pub mod wait;

pub use database::Database;
pub use lan::{Host, RawPort};
pub use programs::Programs;
pub use switch::{Options, Switch};
pub use sys::alloc::Counting as CountingAllocator;
pub use temp::TempDir;
pub use wait::{until, wait_for};

/// Whether the programs under test are somebody else's.
pub fn reference() -> bool {
    std::env::var_os("OXVS_TEST_REFERENCE").is_some()
}

/// Says why a test does not run. Fails where everything must run.
pub fn skip(why: &str) {
    assert!(std::env::var_os("OXVS_TEST_NO_SKIP").is_none(), "would be skipped: {why}");
    println!("skipped: {why}");
}

/// Whether network namespaces can be made; says so if not.
pub fn can_make_hosts() -> bool {
    match sys::netns::NetNs::new() {
        Ok(_) => true,
        Err(e) => {
            skip(&format!("no network namespaces ({e})"));
            false
        }
    }
}
