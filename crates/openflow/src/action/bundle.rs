//! `bundle` and `bundle_load`: choose one of several ports by a hash, and output to it or load its number.

use super::Action;
use super::multipath::HashFields;
use super::multipath::atoi;
use super::output::port16;
use super::wire::{Dec, Enc};
use super::wire::{MODULE, ofs_nbits, pull_header32, put_header32, split_ofs_nbits};
use crate::buf::DecodeError;
use crate::buf::{Decode, Put, Reader};
use crate::ofperr::OfpErr;
use crate::text::lex;
use crate::text::{Fmt, TextCx};
use base::OfPort;
use flow::Subfield;
use std::fmt::Write;

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

/// `NXM_OF_IN_PORT`, the only type of member.
const MEMBER_TYPE: u32 = 2;
/// Most members.
const MAX_MEMBERS: u16 = 2048;

pub(super) fn decode(d: &mut Dec<'_>) -> Decode<Action> {
    decode_either(d, false)
}

pub(super) fn decode_load(d: &mut Dec<'_>) -> Decode<Action> {
    decode_either(d, true)
}

fn decode_either(d: &mut Dec<'_>, load: bool) -> Decode<Action> {
    // Of several faults, a destination that is no field is the one to report.
    let mut dst = Reader::new(d.r.rest().get(14..).unwrap_or_default());
    let no_field = load && pull_header32(&mut dst).is_err();
    let bundle = decode_fields(d, load);
    bundle.map_err(|mut e| {
        if no_field {
            e.error = OfpErr::OFPBAC_BAD_SET_TYPE;
        }
        e
    })
}

fn decode_fields(d: &mut Dec<'_>, load: bool) -> Decode<Action> {
    let bad = |text: String| DecodeError::logged(OfpErr::OFPBAC_BAD_ARGUMENT, MODULE, text);
    let algorithm = d.r.u16()?;
    let fields = d.r.u16()?;
    let basis = d.r.u16()?;
    let member_type = d.r.u32()?;
    let n = d.r.u16()?;
    let place = d.r.u16()?;
    let mut dst = d.r;
    d.r.skip(4)?;
    let fields = HashFields::from_wire(fields).ok_or_else(|| bad(format!("unsupported fields {fields}")))?;
    if n > MAX_MEMBERS {
        return Err(bad("too many members".to_string()));
    }
    let algorithm = match algorithm {
        0 => BundleAlgorithm::ActiveBackup,
        1 => BundleAlgorithm::Hrw,
        a => return Err(bad(format!("unsupported algorithm {a}"))),
    };
    if member_type != MEMBER_TYPE {
        return Err(bad(format!("unsupported member type {member_type}")));
    }
    let reserved = d.r.u32()?;
    let dst = if load {
        let s = split_ofs_nbits(pull_header32(&mut dst)?, place);
        if s.n_bits < 16 {
            return Err(bad("bundle_load action requires at least 16 bit destination.".to_string()));
        }
        super::check::subfield(s, "destination")?;
        Some(s)
    } else {
        if place != 0 || dst.u32()? != 0 || reserved != 0 {
            return Err(bad("bundle action has nonzero reserved fields".to_string()));
        }
        None
    };
    if d.r.len() < usize::from(n) * 2 {
        return Err(DecodeError::logged(
            OfpErr::OFPBAC_BAD_LEN,
            MODULE,
            format!(
                "Nicira action {} only has {} bytes allocated for members.  {} bytes are required for {n} members.",
                if load { "bundle_load" } else { "bundle" },
                d.r.len(),
                usize::from(n) * 2
            ),
        ));
    }
    let mut members = Vec::with_capacity(usize::from(n));
    for _ in 0..n {
        members.push(OfPort::from_u16(d.r.u16()?));
    }
    Ok(Action::Bundle(Box::new(Bundle { fields, basis, algorithm, dst, members: members.into() })))
}

impl Bundle {
    pub(super) fn encode(&self, e: &mut Enc<'_>) {
        e.nicira(if self.dst.is_some() { 13 } else { 12 }, |o| {
            o.u16(self.algorithm as u16);
            o.u16(self.fields as u16);
            o.u16(self.basis);
            o.u32(MEMBER_TYPE);
            o.u16(self.members.len() as u16);
            match self.dst {
                Some(dst) => {
                    o.u16(ofs_nbits(dst));
                    put_header32(o, dst.field);
                }
                None => o.zeros(6),
            }
            o.zeros(4);
            for p in &self.members {
                o.u16(port16(*p));
            }
        });
    }
}

impl BundleAlgorithm {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            BundleAlgorithm::ActiveBackup => "active_backup",
            BundleAlgorithm::Hrw => "hrw",
        }
    }
}

impl Bundle {
    pub(super) fn format(&self, f: &mut Fmt<'_>) {
        f.paren(if self.dst.is_some() { "bundle_load(" } else { "bundle(" });
        let _ = write!(f, "{},{},{},ofport,", self.fields.name(), self.basis, self.algorithm.name());
        if let Some(dst) = self.dst {
            f.subfield(dst);
            f.put(",");
        }
        f.param("members:");
        for (i, p) in self.members.iter().enumerate() {
            if i > 0 {
                f.put(",");
            }
            f.port(*p);
        }
        f.paren(")");
    }
}

pub(super) fn parse(s: &str, load: bool, cx: &mut TextCx<'_>) -> Result<Action, String> {
    let mut rest = s;
    let sep = [',', ' '];
    let few = || format!("{s}: not enough arguments to bundle action");
    let mut next = |seps: &[char]| lex::token(&mut rest, seps);
    let (fields, basis, algorithm, kind) = (next(&sep), next(&sep), next(&sep), next(&sep));
    let dst = if load { next(&sep) } else { None };
    let delimiter = lex::token(&mut rest, &[':']);
    let (Some(fields), Some(basis), Some(algorithm), Some(kind), Some(delimiter)) =
        (fields, basis, algorithm, kind, delimiter)
    else {
        return Err(few());
    };
    if !["members", "slaves"].contains(&delimiter) {
        return Err(format!("{s}: missing member delimiter, expected `members', got `{delimiter}'"));
    }
    let fields = HashFields::from_name(fields).ok_or_else(|| format!("{s}: unknown fields `{fields}'"))?;
    let algorithm = [BundleAlgorithm::ActiveBackup, BundleAlgorithm::Hrw]
        .into_iter()
        .find(|a| a.name().eq_ignore_ascii_case(algorithm))
        .ok_or_else(|| format!("{s}: unknown algorithm `{algorithm}'"))?;
    if !kind.eq_ignore_ascii_case("ofport") {
        return Err(format!("{s}: unknown member_type `{kind}'"));
    }
    let mut members = Vec::new();
    while let Some(m) = lex::token(&mut rest, &[',', ' ', '[', ']']) {
        if members.len() >= usize::from(MAX_MEMBERS) {
            return Err(format!("{s}: too many members"));
        }
        members.push(cx.port(m).ok_or_else(|| format!("{m}: bad port number"))?);
    }
    let dst = match dst {
        None => None,
        Some(d) => {
            let sub = cx.subfield(d)?;
            if crate::oxm::header_for(sub.field, crate::Version::V10).experimenter != 0 {
                return Err(format!("{s}: experimenter OXM field '{d}' not supported"));
            }
            Some(sub)
        }
    };
    Ok(Action::Bundle(Box::new(Bundle {
        fields,
        basis: atoi(basis) as u16,
        algorithm,
        dst,
        members: members.into(),
    })))
}
