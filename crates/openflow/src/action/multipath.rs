//! `multipath`: hash the packet into a link number.

use super::Action;
use super::wire::{Dec, Enc};
use super::wire::{MODULE, ofs_nbits, pull_header32, put_header32, split_ofs_nbits};
use crate::buf::DecodeError;
use crate::buf::{Decode, Put};
use crate::ofperr::OfpErr;
use crate::text::lex;
use crate::text::{Fmt, TextCx};
use flow::Subfield;
use std::fmt::Write;

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

impl HashFields {
    /// Every kind, in the order of the numbers on the wire.
    pub const ALL: [HashFields; 7] = [
        HashFields::EthSrc,
        HashFields::SymmetricL4,
        HashFields::SymmetricL3L4,
        HashFields::SymmetricL3L4Udp,
        HashFields::NwSrc,
        HashFields::NwDst,
        HashFields::SymmetricL3,
    ];

    pub(super) fn from_wire(n: u16) -> Option<HashFields> {
        HashFields::ALL.get(usize::from(n)).copied()
    }
}

impl MultipathAlgorithm {
    /// Every algorithm, in the order of the numbers on the wire.
    pub const ALL: [MultipathAlgorithm; 4] = [
        MultipathAlgorithm::ModuloN,
        MultipathAlgorithm::HashThreshold,
        MultipathAlgorithm::Hrw,
        MultipathAlgorithm::IterHash,
    ];
}

pub(super) fn decode(d: &mut Dec<'_>) -> Decode<Action> {
    let bad = |text: String| DecodeError::logged(OfpErr::OFPBAC_BAD_ARGUMENT, MODULE, text);
    let fields = d.r.u16()?;
    let basis = d.r.u16()?;
    d.r.skip(2)?;
    let algorithm = d.r.u16()?;
    let max_link = d.r.u16()?;
    let arg = d.r.u32()?;
    d.r.skip(2)?;
    let place = d.r.u16()?;
    let dst = split_ofs_nbits(pull_header32(&mut d.r)?, place);
    let fields = HashFields::from_wire(fields).ok_or_else(|| bad(format!("unsupported fields {fields}")))?;
    let algorithm = *MultipathAlgorithm::ALL
        .get(usize::from(algorithm))
        .ok_or_else(|| bad(format!("unsupported algorithm {algorithm}")))?;
    if dst.n_bits < 16 && u32::from(max_link) >= 1 << dst.n_bits {
        return Err(bad(format!(
            "{}-bit destination field has {} possible values, less than specified max link {max_link}",
            dst.n_bits,
            1u32 << dst.n_bits
        )));
    }
    super::check::subfield(dst, "destination")?;
    Ok(Action::Multipath(Box::new(Multipath { fields, basis, algorithm, max_link, arg, dst })))
}

impl Multipath {
    pub(super) fn encode(&self, e: &mut Enc<'_>) {
        e.nicira(10, |o| {
            o.u16(self.fields as u16);
            o.u16(self.basis);
            o.zeros(2);
            o.u16(self.algorithm as u16);
            o.u16(self.max_link);
            o.u32(self.arg);
            o.zeros(2);
            o.u16(ofs_nbits(self.dst));
            put_header32(o, self.dst.field);
        });
    }
}

impl HashFields {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            HashFields::EthSrc => "eth_src",
            HashFields::SymmetricL4 => "symmetric_l4",
            HashFields::SymmetricL3L4 => "symmetric_l3l4",
            HashFields::SymmetricL3L4Udp => "symmetric_l3l4+udp",
            HashFields::NwSrc => "nw_src",
            HashFields::NwDst => "nw_dst",
            HashFields::SymmetricL3 => "symmetric_l3",
        }
    }

    pub(super) fn from_name(s: &str) -> Option<HashFields> {
        HashFields::ALL.into_iter().find(|h| h.name().eq_ignore_ascii_case(s))
    }
}

impl MultipathAlgorithm {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            MultipathAlgorithm::ModuloN => "modulo_n",
            MultipathAlgorithm::HashThreshold => "hash_threshold",
            MultipathAlgorithm::Hrw => "hrw",
            MultipathAlgorithm::IterHash => "iter_hash",
        }
    }
}

impl Multipath {
    pub(super) fn format(&self, f: &mut Fmt<'_>) {
        f.paren("multipath(");
        let _ = write!(
            f,
            "{},{},{},{},{},",
            self.fields.name(),
            self.basis,
            self.algorithm.name(),
            u32::from(self.max_link) + 1,
            self.arg
        );
        f.subfield(self.dst);
        f.paren(")");
    }
}

/// A leading decimal number, as C's `atoi` reads it.
pub(super) fn atoi(s: &str) -> i64 {
    let s = s.trim_start();
    let (negative, d) = match s.strip_prefix('-') {
        Some(d) => (true, d),
        None => (false, s.strip_prefix('+').unwrap_or(s)),
    };
    let end = d.find(|c: char| !c.is_ascii_digit()).unwrap_or(d.len());
    let n = d[..end].parse::<i64>().unwrap_or(if end == 0 { 0 } else { i64::MAX });
    if negative { -n } else { n }
}

/// A leading number in C's notation, as `strtoul` with base 0 reads it.
pub(super) fn atoi_c(s: &str) -> i64 {
    match s.strip_prefix("0x").or_else(|| s.strip_prefix("0X")) {
        Some(h) => {
            let end = h.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(h.len());
            i64::from_str_radix(&h[..end], 16).unwrap_or(if end == 0 { 0 } else { i64::MAX })
        }
        None => atoi(s),
    }
}

pub(super) fn parse(s: &str, cx: &mut TextCx<'_>) -> Result<Action, String> {
    let mut rest = s;
    let sep = [',', ' '];
    let mut next = || lex::token(&mut rest, &sep);
    let (Some(fields), Some(basis), Some(algorithm), Some(n_links), Some(arg), Some(dst)) =
        (next(), next(), next(), next(), next(), next())
    else {
        return Err(format!("{s}: not enough arguments to multipath action"));
    };
    let fields = HashFields::from_name(fields).ok_or_else(|| format!("{s}: unknown fields `{fields}'"))?;
    let algorithm = MultipathAlgorithm::ALL
        .into_iter()
        .find(|a| a.name().eq_ignore_ascii_case(algorithm))
        .ok_or_else(|| format!("{s}: unknown algorithm `{algorithm}'"))?;
    let n_links = atoi(n_links);
    if !(1..=65536).contains(&n_links) {
        return Err(format!("{s}: n_links {n_links} is not in valid range 1 to 65536"));
    }
    let dst = cx.subfield(dst)?;
    if dst.n_bits < 16 && n_links > 1 << dst.n_bits {
        return Err(format!(
            "{s}: {}-bit destination field has {} possible values, less than specified n_links {n_links}",
            dst.n_bits,
            1u32 << dst.n_bits
        ));
    }
    Ok(Action::Multipath(Box::new(Multipath {
        fields,
        basis: atoi(basis) as u16,
        algorithm,
        max_link: (n_links - 1) as u16,
        arg: atoi(arg) as u32,
        dst,
    })))
}
