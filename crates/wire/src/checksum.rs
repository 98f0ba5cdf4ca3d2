//! The Internet checksum (RFC 1071), its incremental update (RFC 1624), and the CRC32c of SCTP (RFC 9260, appendix A).
//!
//! A one's complement sum may be taken over words of any size and either byte order, so the bytes are summed eight
//! at a time as they lie in memory and folded at the end.

/// A running one's complement sum. Pieces must have even lengths, but for the last.
#[derive(Clone, Copy, Default, Debug)]
pub struct Sum(u64);

impl Sum {
    /// Adds bytes.
    pub fn bytes(mut self, data: &[u8]) -> Sum {
        let mut chunks = data.chunks_exact(8);
        for c in &mut chunks {
            self = self.native(u64::from_ne_bytes(c.try_into().expect("chunks of eight")));
        }
        let rest = chunks.remainder();
        if !rest.is_empty() {
            let mut last = [0; 8];
            last[..rest.len()].copy_from_slice(rest);
            self = self.native(u64::from_ne_bytes(last));
        }
        self
    }

    fn native(self, v: u64) -> Sum {
        let (s, carry) = self.0.overflowing_add(v);
        Sum(s + carry as u64)
    }

    /// Adds a 16-bit number.
    pub fn u16(self, v: u16) -> Sum {
        self.native(v.to_be() as u64)
    }

    /// The sum in 16 bits, not complemented.
    pub fn fold(self) -> u16 {
        let s = (self.0 >> 32) + (self.0 & 0xffff_ffff);
        let s = (s >> 32) + (s & 0xffff_ffff);
        let s = (s >> 16) + (s & 0xffff);
        let s = (s >> 16) + (s & 0xffff);
        let s = (s >> 16) + (s & 0xffff);
        u16::from_be(s as u16)
    }

    /// The checksum: the complement of the sum.
    pub fn finish(self) -> u16 {
        !self.fold()
    }
}

/// The checksum of some bytes. Over bytes that include a right checksum it is 0.
pub fn checksum(data: &[u8]) -> u16 {
    Sum::default().bytes(data).finish()
}

/// The sum of an IPv4 pseudo header (RFC 768).
pub fn pseudo_ipv4(src: [u8; 4], dst: [u8; 4], proto: u8, len: u16) -> Sum {
    Sum::default().bytes(&src).bytes(&dst).u16(proto as u16).u16(len)
}

/// The sum of an IPv6 pseudo header (RFC 8200 8.1).
pub fn pseudo_ipv6(src: [u8; 16], dst: [u8; 16], proto: u8, len: u32) -> Sum {
    Sum::default().bytes(&src).bytes(&dst).u16(proto as u16).u16((len >> 16) as u16).u16(len as u16)
}

/// The checksum after bytes that it covers changed from `old` to `new` (same even length, at an even offset):
/// RFC 1624, equation 3.
pub fn update(csum: u16, old: &[u8], new: &[u8]) -> u16 {
    !update_sum(!csum, old, new)
}

/// A sum (not complemented, as in a partial checksum) after bytes that it covers changed.
pub fn update_sum(sum: u16, old: &[u8], new: &[u8]) -> u16 {
    let old = Sum::default().bytes(old).fold();
    Sum::default().u16(sum).u16(!old).bytes(new).fold()
}

/// Tables for eight bytes at a time, for the reflected polynomial 0x82f63b78.
static CRC: [[u32; 256]; 8] = crc_tables();

const fn crc_tables() -> [[u32; 256]; 8] {
    let mut t = [[0u32; 256]; 8];
    let mut i = 0;
    while i < 256 {
        let mut c = i as u32;
        let mut k = 0;
        while k < 8 {
            c = if c & 1 != 0 { (c >> 1) ^ 0x82f6_3b78 } else { c >> 1 };
            k += 1;
        }
        t[0][i] = c;
        i += 1;
    }
    let mut n = 1;
    while n < 8 {
        let mut i = 0;
        while i < 256 {
            let c = t[n - 1][i];
            t[n][i] = (c >> 8) ^ t[0][(c & 0xff) as usize];
            i += 1;
        }
        n += 1;
    }
    t
}

/// CRC32c of pieces of data, one after another.
pub fn crc32c(pieces: &[&[u8]]) -> u32 {
    let mut crc = !0u32;
    for data in pieces {
        let mut chunks = data.chunks_exact(8);
        for c in &mut chunks {
            let v = u64::from_le_bytes(c.try_into().expect("chunks of eight")) ^ crc as u64;
            crc = 0;
            for (i, b) in v.to_le_bytes().iter().enumerate() {
                crc ^= CRC[7 - i][*b as usize];
            }
        }
        for b in chunks.remainder() {
            crc = (crc >> 8) ^ CRC[0][((crc ^ *b as u32) & 0xff) as usize];
        }
    }
    !crc
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slow(data: &[u8]) -> u16 {
        let mut s = 0u32;
        for c in data.chunks(2) {
            s += u16::from_be_bytes([c[0], *c.get(1).unwrap_or(&0)]) as u32;
        }
        while s >> 16 != 0 {
            s = (s >> 16) + (s & 0xffff);
        }
        !(s as u16)
    }

    #[test]
    fn agrees_with_the_definition() {
        let data: Vec<u8> = (0..2000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 23) as u8).collect();
        for n in 0..300 {
            assert_eq!(checksum(&data[n..n * 3]), slow(&data[n..n * 3]), "{n}");
        }
        assert_eq!(checksum(&[0xff; 4000]), slow(&[0xff; 4000]));
        // RFC 1071 3.
        assert_eq!(checksum(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]), !0xddf2);
    }

    #[test]
    fn update_equals_a_new_sum() {
        let mut data: Vec<u8> = (0..64u32).map(|i| (i * 37 + 11) as u8).collect();
        for at in (0..60).step_by(2) {
            let before = checksum(&data);
            let old: [u8; 4] = data[at..at + 4].try_into().unwrap();
            let new = [old[0] ^ 0x5a, 0xff, !old[2], 0];
            data[at..at + 4].copy_from_slice(&new);
            assert_eq!(update(before, &old, &new), checksum(&data));
        }
        // RFC 1624 4: the example that equation 2 gets wrong.
        assert_eq!(update(0xdd2f, &[0x55, 0x55], &[0x32, 0x85]), 0x0000);
    }

    #[test]
    fn crc_check_value() {
        assert_eq!(crc32c(&[b"123456789"]), 0xe306_9283);
        assert_eq!(crc32c(&[b"1234", b"", b"56789"]), 0xe306_9283);
        assert_eq!(crc32c(&[&[0; 32]]), 0x8a91_36aa);
        assert_eq!(crc32c(&[&[0xff; 32]]), 0x62a8_ab43);
    }
}
