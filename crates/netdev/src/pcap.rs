//! Captures: each frame that a dummy device sent or received, appended to a file in the classic pcap format.
//!
//! One `write` per frame to a file opened for appending, so several threads may write without a lock.

use base::Clock;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

/// A capture file.
#[derive(Debug)]
pub struct Pcap {
    file: File,
}

/// Largest frame that a reader is told to expect.
const SNAPLEN: u32 = 1518;
const LINKTYPE_ETHERNET: u32 = 1;

impl Pcap {
    /// Opens a file for appending; a new one gets the header.
    pub fn append(path: &Path) -> io::Result<Pcap> {
        let mut file = File::options().append(true).create(true).open(path)?;
        if file.metadata()?.len() == 0 {
            let mut h = Vec::with_capacity(24);
            h.extend(0xa1b2_c3d4u32.to_ne_bytes());
            h.extend(2u16.to_ne_bytes());
            h.extend(4u16.to_ne_bytes());
            h.extend([0; 8]);
            h.extend(SNAPLEN.to_ne_bytes());
            h.extend(LINKTYPE_ETHERNET.to_ne_bytes());
            file.write_all(&h)?;
        }
        Ok(Pcap { file })
    }

    /// Appends a frame, stamped with the wall clock. A full disk loses the frame from the capture only.
    pub fn write(&self, frame: &[u8], clock: &Clock) {
        let ms = clock.wall_millis().max(0) as u64;
        let len = (frame.len() as u32).to_ne_bytes();
        let mut r = Vec::with_capacity(16 + frame.len());
        r.extend(((ms / 1000) as u32).to_ne_bytes());
        r.extend(((ms % 1000 * 1000) as u32).to_ne_bytes());
        r.extend(len);
        r.extend(len);
        r.extend(frame);
        let _ = (&self.file).write_all(&r);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_once_then_records() {
        let path = std::env::temp_dir().join(format!("oxvs-pcap-{}", std::process::id()));
        let _ = std::fs::remove_file(&path);
        let clock = Clock::real();
        Pcap::append(&path).unwrap().write(&[1, 2, 3], &clock);
        Pcap::append(&path).unwrap().write(&[4, 5], &clock);
        let b = std::fs::read(&path).unwrap();
        assert_eq!(b.len(), 24 + 16 + 3 + 16 + 2);
        // As the reference writes it on a little-endian machine.
        #[cfg(target_endian = "little")]
        assert_eq!(
            b[..24],
            [0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xee, 5, 0, 0, 1, 0, 0, 0]
        );
        assert_eq!(&b[40..43], [1, 2, 3]);
        assert_eq!(&b[59..], [4, 5]);
        std::fs::remove_file(&path).unwrap();
    }
}
