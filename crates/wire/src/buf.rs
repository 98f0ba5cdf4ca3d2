//! Packet buffers: bytes with headroom in front for pushing headers, and what the device said about offloads.

use std::fmt;

/// Bytes kept free before a received frame, enough for a tunnel's outer headers.
pub const HEADROOM: usize = 128;

/// An owned frame with headroom. Pushing a header moves only the start.
#[derive(Clone, Default)]
pub struct PacketBuf {
    bytes: Vec<u8>,
    start: usize,
}

impl PacketBuf {
    /// A buffer holding a copy of `frame`, with [`HEADROOM`].
    pub fn from_frame(frame: &[u8]) -> PacketBuf {
        let mut b = PacketBuf::default();
        b.fill(frame);
        b
    }

    /// Replaces the contents by a copy of `frame`, with [`HEADROOM`]; keeps the allocation.
    pub fn fill(&mut self, frame: &[u8]) {
        self.begin().extend_from_slice(frame);
    }

    /// Makes it empty with [`HEADROOM`]; what is appended to the bytes given out, behind those in it, is the frame.
    pub fn begin(&mut self) -> &mut Vec<u8> {
        // The headroom's bytes need not be zero: whoever pushes a header writes it.
        if self.bytes.len() < HEADROOM {
            self.bytes.resize(HEADROOM, 0);
        } else {
            self.bytes.truncate(HEADROOM);
        }
        self.start = HEADROOM;
        &mut self.bytes
    }

    /// Replaces the contents by `len` zero bytes with [`HEADROOM`] and hands them out to be written.
    pub fn reset(&mut self, len: usize) -> &mut [u8] {
        self.bytes.clear();
        self.bytes.resize(HEADROOM + len, 0);
        self.start = HEADROOM;
        &mut self.bytes[HEADROOM..]
    }

    /// The frame.
    pub fn data(&self) -> &[u8] {
        &self.bytes[self.start..]
    }

    /// The frame, to be changed in place.
    pub fn data_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[self.start..]
    }

    /// Length of the frame in bytes.
    pub fn len(&self) -> usize {
        self.bytes.len() - self.start
    }

    /// Whether the frame has no bytes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Makes room for `n` bytes at the front (contents unspecified) and returns the whole frame.
    pub fn push_front(&mut self, n: usize) -> &mut [u8] {
        if n > self.start {
            let extra = n - self.start + HEADROOM;
            self.bytes.splice(0..0, std::iter::repeat_n(0, extra));
            self.start += extra;
        }
        self.start -= n;
        self.data_mut()
    }

    /// Drops `n` bytes from the front (all of them if there are fewer).
    pub fn pull_front(&mut self, n: usize) {
        self.start = (self.start + n).min(self.bytes.len());
    }

    /// Inserts `n` bytes at offset `at`, by moving the bytes before it into the headroom.
    pub fn insert(&mut self, at: usize, n: usize) -> &mut [u8] {
        let at = at.min(self.len());
        self.push_front(n);
        let d = self.data_mut();
        d.copy_within(n..n + at, 0);
        &mut d[at..at + n]
    }

    /// Removes the `n` bytes at offset `at`, by moving the bytes before it back.
    pub fn remove(&mut self, at: usize, n: usize) {
        let at = at.min(self.len());
        let n = n.min(self.len() - at);
        self.data_mut().copy_within(0..at, n);
        self.pull_front(n);
    }

    /// Cuts the frame to at most `len` bytes.
    pub fn truncate(&mut self, len: usize) {
        self.bytes.truncate(self.start + len);
    }

    /// Appends bytes at the end.
    pub fn extend(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }
}

impl fmt::Debug for PacketBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PacketBuf({} bytes:", self.len())?;
        for b in self.data().iter().take(64) {
            write!(f, " {b:02x}")?;
        }
        f.write_str(")")
    }
}

/// What a segmentation offload splits into, as in the virtio-net header (VIRTIO 1.2, 5.1.6).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum GsoKind {
    /// TCP over IPv4.
    Tcp4,
    /// TCP over IPv6.
    Tcp6,
    /// UDP segmentation (either IP version).
    UdpL4,
}

/// A frame larger than the MTU that somebody must still cut into segments.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Gso {
    /// Which protocol.
    pub kind: GsoKind,
    /// Payload bytes per segment.
    pub size: u16,
    /// Bytes of headers before the payload, as the device said (a hint).
    pub hdr_len: u16,
    /// TCP with ECN (CWR only in the first segment).
    pub ecn: bool,
}

/// What the receiving device said about checksums and segmentation; passed on to the sending device.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Offload {
    /// The L4 checksum is not complete: sum from `.0` bytes into the frame and store at `.0 + .1`.
    pub csum: Option<(u16, u16)>,
    /// The device has verified the checksum.
    pub csum_valid: bool,
    /// The frame is to be segmented.
    pub gso: Option<Gso>,
}

impl Offload {
    /// Moves what is said about places in the frame, after `by` bytes were inserted before them (or removed).
    pub fn shift(&mut self, by: i32) {
        let moved = |at: u16| (i32::from(at) + by).clamp(0, u16::MAX.into()) as u16;
        if let Some((start, _)) = &mut self.csum {
            *start = moved(*start);
        }
        if let Some(gso) = &mut self.gso {
            gso.hdr_len = moved(gso.hdr_len);
        }
    }
}

/// A frame with its offload state.
#[derive(Clone, Debug, Default)]
pub struct Packet {
    /// The bytes, from the Ethernet header on.
    pub buf: PacketBuf,
    /// Checksum and segmentation state.
    pub offload: Offload,
}

/// Buffers to be used again, so that forwarding allocates nothing.
#[derive(Debug, Default)]
pub struct PacketPool(Vec<Packet>);

impl PacketPool {
    /// Buffers kept at most.
    const KEEP: usize = 256;

    /// A buffer with old contents, to be filled.
    pub fn take(&mut self) -> Packet {
        let mut p = self.0.pop().unwrap_or_default();
        p.offload = Offload::default();
        p
    }

    /// Gives a buffer back.
    pub fn put(&mut self, packet: Packet) {
        if self.0.len() < Self::KEEP {
            self.0.push(packet);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn insert_and_remove_move_the_short_side() {
        let mut b = PacketBuf::from_frame(&[1, 2, 3, 4, 5, 6]);
        b.insert(2, 2).copy_from_slice(&[9, 9]);
        assert_eq!(b.data(), [1, 2, 9, 9, 3, 4, 5, 6]);
        b.remove(2, 2);
        assert_eq!(b.data(), [1, 2, 3, 4, 5, 6]);
        b.push_front(1000)[..2].copy_from_slice(&[7, 8]);
        assert_eq!(b.len(), 1006);
        assert_eq!(&b.data()[1000..], [1, 2, 3, 4, 5, 6]);
        b.remove(5000, 5);
        b.pull_front(5000);
        assert!(b.is_empty());
    }
}
