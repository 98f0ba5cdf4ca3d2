//! Bytes on the wire: packet buffers with headroom, one file per header, checksums, rewriting in place.

pub mod arp;
pub mod buf;
pub mod checksum;
pub mod error;
pub mod ethernet;
pub mod headers;
pub mod icmp;
pub mod icmpv6;
pub mod ipv4;
pub mod ipv6;
pub mod mpls;
pub mod offload;
pub mod rewrite;
pub mod sctp;
pub mod tcp;
pub mod udp;
pub mod vlan;

pub use buf::{Gso, GsoKind, Offload, Packet, PacketBuf, PacketPool};
pub use error::WireError;
pub use headers::{Headers, L3};

#[cfg(test)]
mod tests;
