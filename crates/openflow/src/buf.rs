//! Reading and writing big-endian bytes, with errors that carry an OpenFlow error code.

use crate::ofperr::OfpErr;
use crate::text::Severity;
use std::borrow::Cow;

/// A line for the log: module, severity, text.
pub type Note = (&'static str, Severity, String);

/// Why bytes could not be decoded.
#[derive(Clone, PartialEq, Debug)]
pub struct DecodeError {
    /// The error to send back.
    pub error: OfpErr,
    /// What to log, in order.
    pub log: Vec<Note>,
    /// The message with what was understood before, if it is a list.
    pub partial: Option<Box<crate::msg::Message>>,
}

impl DecodeError {
    /// An error and the line to log for it.
    pub fn logged(error: OfpErr, module: &'static str, text: impl Into<String>) -> DecodeError {
        DecodeError { error, log: vec![(module, Severity::Warn, text.into())], partial: None }
    }

    /// Adds a line to log.
    pub fn and(mut self, module: &'static str, text: String) -> DecodeError {
        self.log.push((module, Severity::Warn, text));
        self
    }
}

impl From<OfpErr> for DecodeError {
    fn from(error: OfpErr) -> DecodeError {
        DecodeError { error, log: Vec::new(), partial: None }
    }
}

impl std::fmt::Display for DecodeError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.error.fmt(f)
    }
}

impl std::error::Error for DecodeError {}

/// Result of decoding.
pub type Decode<T> = Result<T, DecodeError>;

/// A cursor over bytes; running off the end gives the error it was made with.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    short: OfpErr,
}

impl<'a> Reader<'a> {
    /// Over `bytes`; reading past them is [`OfpErr::OFPBRC_BAD_LEN`].
    pub fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { bytes, short: OfpErr::OFPBRC_BAD_LEN }
    }

    /// Over `bytes`; reading past them is `short`.
    pub fn with_error(bytes: &'a [u8], short: OfpErr) -> Reader<'a> {
        Reader { bytes, short }
    }

    /// Bytes left.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether no bytes are left.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The bytes left, without taking them.
    pub fn rest(&self) -> &'a [u8] {
        self.bytes
    }

    /// Takes `n` bytes.
    #[inline]
    pub fn take(&mut self, n: usize) -> Decode<&'a [u8]> {
        match self.bytes.split_at_checked(n) {
            Some((a, b)) => {
                self.bytes = b;
                Ok(a)
            }
            None => Err(self.short.into()),
        }
    }

    /// Takes all that is left.
    pub fn take_all(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.bytes)
    }

    /// A reader over the next `n` bytes, which it takes.
    pub fn sub(&mut self, n: usize) -> Decode<Reader<'a>> {
        Ok(Reader { bytes: self.take(n)?, short: self.short })
    }

    /// Passes over `n` bytes.
    #[inline]
    pub fn skip(&mut self, n: usize) -> Decode<()> {
        self.take(n).map(drop)
    }

    /// Takes bytes into an array.
    #[inline]
    pub fn array<const N: usize>(&mut self) -> Decode<[u8; N]> {
        match self.bytes.split_first_chunk::<N>() {
            Some((a, b)) => {
                self.bytes = b;
                Ok(*a)
            }
            None => Err(self.short.into()),
        }
    }

    /// Takes a byte.
    #[inline]
    pub fn u8(&mut self) -> Decode<u8> {
        Ok(self.array::<1>()?[0])
    }

    /// Takes 16 bits.
    #[inline]
    pub fn u16(&mut self) -> Decode<u16> {
        Ok(u16::from_be_bytes(self.array()?))
    }

    /// Takes 32 bits.
    #[inline]
    pub fn u32(&mut self) -> Decode<u32> {
        Ok(u32::from_be_bytes(self.array()?))
    }

    /// Takes 64 bits.
    #[inline]
    pub fn u64(&mut self) -> Decode<u64> {
        Ok(u64::from_be_bytes(self.array()?))
    }

    /// Takes 128 bits.
    #[inline]
    pub fn u128(&mut self) -> Decode<u128> {
        Ok(u128::from_be_bytes(self.array()?))
    }

    /// Whether all bytes left are zero.
    pub fn is_zero(&self) -> bool {
        self.bytes.iter().all(|b| *b == 0)
    }

    /// Takes a fixed-size field that holds a string: up to its first zero, as [`text`] has it.
    pub fn string(&mut self, n: usize) -> Decode<String> {
        let b = self.take(n)?;
        let end = b.iter().position(|c| *c == 0).unwrap_or(n);
        Ok(text(&b[..end]))
    }

    /// The same for a field whose last byte is a zero, whatever the sender put there.
    pub fn name(&mut self, n: usize) -> Decode<String> {
        let s = self.take(n)?;
        Reader::new(&s[..n - 1]).string(n - 1)
    }
}

/// Where the bytes of a string stand that are not UTF-8: a private place for each.
const STRAY: u32 = 0x10_ff00;

/// Bytes that should be UTF-8 as a string. None is lost: [`raw`] gives them back.
pub fn text(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        out.push_str(chunk.valid());
        out.extend(chunk.invalid().iter().filter_map(|b| char::from_u32(STRAY + u32::from(*b))));
    }
    out
}

/// The bytes that a string stands for, which [`text`] made.
pub fn raw(text: &str) -> Cow<'_, [u8]> {
    if !text.chars().any(|c| u32::from(c) >= STRAY) {
        return Cow::Borrowed(text.as_bytes());
    }
    let mut out = Vec::with_capacity(text.len());
    for c in text.chars() {
        out.extend_from_slice(raw_char(c, &mut [0; 4]));
    }
    Cow::Owned(out)
}

fn raw_char(c: char, room: &mut [u8; 4]) -> &[u8] {
    match u32::from(c).checked_sub(STRAY) {
        Some(byte) => {
            room[0] = byte as u8;
            &room[..1]
        }
        None => c.encode_utf8(room).as_bytes(),
    }
}

/// Writing big-endian.
pub trait Put {
    /// Appends bytes.
    fn bytes(&mut self, b: &[u8]);
    /// Appends zeros.
    fn zeros(&mut self, n: usize);
    /// How many bytes there are.
    fn at(&self) -> usize;
    /// Overwrites 16 bits.
    fn patch16(&mut self, at: usize, v: u16);

    /// Appends a byte.
    fn u8(&mut self, v: u8) {
        self.bytes(&[v]);
    }
    /// Appends 16 bits.
    fn u16(&mut self, v: u16) {
        self.bytes(&v.to_be_bytes());
    }
    /// Appends 32 bits.
    fn u32(&mut self, v: u32) {
        self.bytes(&v.to_be_bytes());
    }
    /// Appends 64 bits.
    fn u64(&mut self, v: u64) {
        self.bytes(&v.to_be_bytes());
    }
    /// Appends 128 bits.
    fn u128(&mut self, v: u128) {
        self.bytes(&v.to_be_bytes());
    }
    /// Appends zeros until the length since `start` is a multiple of `n`.
    fn align(&mut self, start: usize, n: usize) {
        let len = self.at() - start;
        self.zeros(len.next_multiple_of(n) - len);
    }
    /// Appends a string into a field of `n` bytes, cut so that a zero ends it.
    fn string(&mut self, s: &str, n: usize) {
        let mut room = n - 1;
        for c in s.chars() {
            let bytes = raw_char(c, &mut [0; 4]).to_vec();
            let Some(left) = room.checked_sub(bytes.len()) else { break };
            self.bytes(&bytes);
            room = left;
        }
        self.zeros(room + 1);
    }
}

impl Put for Vec<u8> {
    #[inline]
    fn bytes(&mut self, b: &[u8]) {
        self.extend_from_slice(b);
    }
    fn zeros(&mut self, n: usize) {
        self.resize(self.len() + n, 0);
    }
    fn at(&self) -> usize {
        self.len()
    }
    fn patch16(&mut self, at: usize, v: u16) {
        self[at..at + 2].copy_from_slice(&v.to_be_bytes());
    }
}

/// A dump of bytes, 16 to a line: offset, hexadecimal, and characters when `ascii`.
pub fn hex_dump(bytes: &[u8], ascii: bool) -> String {
    use std::fmt::Write;
    let mut out = String::new();
    for (n, line) in bytes.chunks(16).enumerate() {
        let _ = write!(out, "{:08x}  ", n * 16);
        for (i, b) in line.iter().enumerate() {
            let last = !ascii && i + 1 == line.len();
            let sep = if i == 7 {
                "-"
            } else if last {
                ""
            } else {
                " "
            };
            let _ = write!(out, "{b:02x}{sep}");
        }
        if ascii {
            out.extend(std::iter::repeat_n("   ", 16 - line.len()));
            out.push('|');
            out.extend(line.iter().map(|b| if (0x20..0x7f).contains(b) { char::from(*b) } else { '.' }));
            out.extend(std::iter::repeat_n(' ', 16 - line.len()));
            out.push('|');
        }
        out.push('\n');
    }
    out
}
