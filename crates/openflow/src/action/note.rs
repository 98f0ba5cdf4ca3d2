//! `note`: bytes without effect.

/// Bytes without effect.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Note {
    /// The bytes.
    pub data: Box<[u8]>,
}
