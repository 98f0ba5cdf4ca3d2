//! The virtio-net header (VIRTIO 1.2, 5.1.6) that AF_PACKET and TAP put before a frame: what is still to be
//! done about checksum and segmentation.
//!
//! ```text
//! flags (1)  gso type (1)  header length (2)  gso size (2)  csum start (2)  csum offset (2)
//! ```
//! In the byte order of the machine, as the kernel's devices have it unless told otherwise.

/// Bytes of the header.
pub const LEN: usize = 10;

/// The checksum is to be completed.
pub const F_NEEDS_CSUM: u8 = 1;
/// The checksum has been verified.
pub const F_DATA_VALID: u8 = 2;
/// No segmentation.
pub const GSO_NONE: u8 = 0;
/// TCP over IPv4.
pub const GSO_TCPV4: u8 = 1;
/// TCP over IPv6.
pub const GSO_TCPV6: u8 = 4;
/// UDP, each segment a datagram.
pub const GSO_UDP_L4: u8 = 5;
/// Marks TCP with ECN.
pub const GSO_ECN: u8 = 0x80;

/// The header.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct VnetHdr {
    /// `F_*`.
    pub flags: u8,
    /// `GSO_*`.
    pub gso_type: u8,
    /// Bytes of headers (a hint).
    pub hdr_len: u16,
    /// Payload bytes per segment.
    pub gso_size: u16,
    /// Where summing starts.
    pub csum_start: u16,
    /// Where the sum goes, from there.
    pub csum_offset: u16,
}

impl VnetHdr {
    /// From the first [`LEN`] bytes.
    pub fn parse(b: &[u8; LEN]) -> VnetHdr {
        let n = |i: usize| u16::from_ne_bytes([b[i], b[i + 1]]);
        VnetHdr {
            flags: b[0],
            gso_type: b[1],
            hdr_len: n(2),
            gso_size: n(4),
            csum_start: n(6),
            csum_offset: n(8),
        }
    }

    /// To bytes.
    pub fn emit(&self) -> [u8; LEN] {
        let mut b = [0; LEN];
        b[0] = self.flags;
        b[1] = self.gso_type;
        for (i, n) in [self.hdr_len, self.gso_size, self.csum_start, self.csum_offset].into_iter().enumerate()
        {
            b[2 + 2 * i..4 + 2 * i].copy_from_slice(&n.to_ne_bytes());
        }
        b
    }
}
