//! Bytes on the wire: packet buffers with headroom, one file per header, checksums.

pub mod buf;

pub use buf::{Gso, GsoKind, Offload, Packet, PacketBuf, PacketPool};
