//! The kinds of device behind `dpif::netdev::Netdev`.
//!
//! | kind | what it is |
//! |---|---|
//! | `system` | any device that the kernel has, through mapped AF_PACKET rings |
//! | `internal`, `tap` | a TAP device that we create and that the host sees as its own interface |
//! | `dummy`, `dummy-internal`, `dummy-pmd` | queues in memory, fed by run-time commands |
//! | `patch` | the name of a peer, no queues |
//! | `sim` | a cable in memory between two devices, or between one and a test |
//!
//! A [`Registry`] opens them by name and type. It is a value: two switches in one process have two.

pub mod dummy;
mod kernel;
mod offload;
pub mod pair;
pub mod patch;
pub mod pcap;
pub mod registry;
pub mod sim;
pub mod system;
pub mod tap;

pub use registry::{DummyMode, Registry};

use dpif::netdev::DevError;
use std::io;

/// A system call's error as a device's.
pub(crate) fn dev_error(what: impl AsRef<str>, e: &io::Error) -> DevError {
    let n = e.raw_os_error().unwrap_or(5);
    DevError::new(n, format!("{} ({})", what.as_ref(), sys::errno_text(n)))
}

/// What a device of this kind cannot do (`EOPNOTSUPP`).
pub(crate) fn not_supported(what: &str) -> DevError {
    DevError::new(95, what)
}

/// The transmit offloads as the `Interface.status` column lists them, with all of them off (they are only ever
/// on with `userspace-tso-enable`).
pub(crate) fn no_offload_status() -> Vec<(String, String)> {
    const NAMES: [&str; 10] = [
        "tx_geneve_tso_offload",
        "tx_gre_tso_offload",
        "tx_ip_csum_offload",
        "tx_out_ip_csum_offload",
        "tx_out_udp_csum_offload",
        "tx_sctp_csum_offload",
        "tx_tcp_csum_offload",
        "tx_tcp_seg_offload",
        "tx_udp_csum_offload",
        "tx_vxlan_tso_offload",
    ];
    NAMES.iter().map(|n| ((*n).to_owned(), "false".to_owned())).collect()
}
