//! `multipath`: hash the packet into a link number.

use flow::Subfield;

/// What a multipath or bundle action hashes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u16)]
pub enum HashFields {
    /// Ethernet source address.
    EthSrc = 0,
    /// Symmetric hash over layers 2 to 4 (no UDP ports).
    SymmetricL4 = 1,
    /// Symmetric hash over layers 3 and 4 (no UDP ports).
    SymmetricL3L4 = 2,
    /// The same with UDP ports.
    SymmetricL3L4Udp = 3,
    /// Network source address.
    NwSrc = 4,
    /// Network destination address.
    NwDst = 5,
    /// Symmetric hash over network addresses.
    SymmetricL3 = 6,
}

/// How a multipath action turns the hash into a link.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u16)]
pub enum MultipathAlgorithm {
    /// `hash % n_links`
    ModuloN = 0,
    /// `hash / (MAX / n_links)`
    HashThreshold = 1,
    /// Highest random weight.
    Hrw = 2,
    /// Iterative hash.
    IterHash = 3,
}

/// Hash `fields` and store a link number in `dst`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Multipath {
    /// What is hashed.
    pub fields: HashFields,
    /// Universal hash parameter.
    pub basis: u16,
    /// How the link is chosen.
    pub algorithm: MultipathAlgorithm,
    /// Number of links minus one.
    pub max_link: u16,
    /// Parameter of the iterative hash.
    pub arg: u32,
    /// Where the link number goes.
    pub dst: Subfield,
}
