//! `bundle` and `bundle_load`: choose one of several ports by a hash, and output to it or load its number.

use super::multipath::HashFields;
use base::OfPort;
use flow::Subfield;

/// How a [`Bundle`] chooses among its members.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BundleAlgorithm {
    /// The first live member.
    ActiveBackup,
    /// Highest random weight (RFC 2992).
    Hrw,
}

/// Choose one of `members` by a hash of the packet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Bundle {
    /// What is hashed.
    pub fields: HashFields,
    /// Universal hash parameter.
    pub basis: u16,
    /// How the member is chosen.
    pub algorithm: BundleAlgorithm,
    /// Where to store the port's number; absent: output to it.
    pub dst: Option<Subfield>,
    /// The ports.
    pub members: Box<[OfPort]>,
}
