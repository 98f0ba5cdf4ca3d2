//! `ct`, `ct_clear` and `nat`: connection tracking.

use crate::buf::DecodeError;
use crate::buf::{Decode, Put};
use crate::ofperr::OfpErr;
use flow::Subfield;
use super::Action;
use super::wire::{Dec, Enc};
use super::wire::{MODULE, ofs_nbits, pull_header32, put_header32, split_ofs_nbits};

/// Where the connection-tracking zone comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CtZone {
    /// A number.
    Immediate(u16),
    /// A field of at most 16 bits.
    Field(Subfield),
}

/// Send the packet through the connection tracker.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ct {
    /// Commit the connection.
    pub commit: bool,
    /// Make this direction the original one.
    pub force: bool,
    /// The zone.
    pub zone: CtZone,
    /// Table in which the tracked packet continues; absent: it does not.
    pub recirc_table: Option<u8>,
    /// Helper: the port number of its protocol (21 for FTP, 69 for TFTP), or 0.
    pub alg: u16,
    /// `nat` and actions that set the mark and label.
    pub actions: Vec<Action>,
}

impl Default for Ct {
    fn default() -> Self {
        Ct {
            commit: false,
            force: false,
            zone: CtZone::Immediate(0),
            recirc_table: None,
            alg: 0,
            actions: Vec::new(),
        }
    }
}

/// Addresses to translate to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NatRange {
    /// No addresses.
    None,
    /// IPv4 `min..=max`; `max` is 0 when one address was given.
    V4 {
        /// Lowest.
        min: u32,
        /// Highest, or 0.
        max: u32,
    },
    /// IPv6 `min..=max`; `max` is 0 when one address was given.
    V6 {
        /// Lowest.
        min: u128,
        /// Highest, or 0.
        max: u128,
    },
}

/// Translate addresses; inside [`Ct`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Nat {
    /// Bits `NAT_*`.
    pub flags: u16,
    /// Addresses.
    pub range: NatRange,
    /// Lowest port, or 0.
    pub port_min: u16,
    /// Highest port, or 0.
    pub port_max: u16,
}

impl Nat {
    /// Source NAT.
    pub const SRC: u16 = 1 << 0;
    /// Destination NAT.
    pub const DST: u16 = 1 << 1;
    /// Same mapping after a restart.
    pub const PERSISTENT: u16 = 1 << 2;
    /// Choose the port by hash.
    pub const PROTO_HASH: u16 = 1 << 3;
    /// Choose the port at random.
    pub const PROTO_RANDOM: u16 = 1 << 4;
}

const COMMIT: u16 = 1 << 0;
const FORCE: u16 = 1 << 1;

pub(super) fn decode(d: &mut Dec<'_>) -> Decode<Action> {
    let flags = d.r.u16()?;
    let mut zone_src = d.r;
    let has_field = d.r.u32()? != 0;
    let zone = d.r.u16()?;
    let recirc_table = d.r.u8()?;
    d.r.skip(3)?;
    let alg = d.r.u16()?;
    if flags & !(COMMIT | FORCE) != 0 {
        return Err(OfpErr::OFPBAC_BAD_ARGUMENT.into());
    }
    let zone = if has_field {
        let s = split_ofs_nbits(pull_header32(&mut zone_src)?, zone);
        super::check::subfield(s, "source", OfpErr::OFPBAC_BAD_ARGUMENT)?;
        if s.n_bits != 16 {
            return Err(DecodeError::logged(
                OfpErr::OFPBAC_BAD_SET_LEN,
                MODULE,
                format!("zone n_bits {} not within valid range [16..16]", s.n_bits),
            ));
        }
        CtZone::Field(s)
    } else {
        CtZone::Immediate(zone)
    };
    let actions = super::wire::decode_list(d.r.take_all(), d.version, d.depth + 1)?;
    check_nested(&actions, flags & COMMIT != 0)?;
    if flags & FORCE != 0 && flags & COMMIT == 0 {
        return Err(DecodeError::logged(
            OfpErr::OFPBAC_BAD_ARGUMENT,
            MODULE,
            "CT action requires commit flag if force flag is specified.".to_string(),
        ));
    }
    Ok(Action::Ct(Box::new(Ct {
        commit: flags & COMMIT != 0,
        force: flags & FORCE != 0,
        zone,
        recirc_table: (recirc_table != 0xff).then_some(recirc_table),
        alg,
        actions,
    })))
}

/// Only `nat`, and setting the mark and the label, may stand inside.
pub(super) fn check_nested(actions: &[Action], _commit: bool) -> Decode<()> {
    for a in actions {
        super::check::allowed_in_ct(a).map_err(|text| {
            DecodeError::logged(OfpErr::OFPBAC_BAD_ARGUMENT, MODULE, text)
        })?;
    }
    Ok(())
}

const V4_MIN: u16 = 1 << 0;
const V4_MAX: u16 = 1 << 1;
const V6_MIN: u16 = 1 << 2;
const V6_MAX: u16 = 1 << 3;
const PORT_MIN: u16 = 1 << 4;
const PORT_MAX: u16 = 1 << 5;

pub(super) fn decode_nat(d: &mut Dec<'_>) -> Decode<Action> {
    d.r.skip(2)?;
    let flags = d.r.u16()?;
    let present = d.r.u16()?;
    let known = Nat::SRC | Nat::DST | Nat::PERSISTENT | Nat::PROTO_HASH | Nat::PROTO_RANDOM;
    let both = |bits: u16| flags & bits == bits;
    if flags & !known != 0
        || both(Nat::SRC | Nat::DST)
        || both(Nat::PROTO_HASH | Nat::PROTO_RANDOM)
        || (present != 0 && flags & (Nat::SRC | Nat::DST) == 0)
        || present & (V4_MIN | V4_MAX) == V4_MAX
        || present & (V6_MIN | V6_MAX) == V6_MAX
        || present & (PORT_MIN | PORT_MAX) == PORT_MAX
        || (present & V4_MIN != 0 && present & V6_MIN != 0)
    {
        return Err(OfpErr::OFPBAC_BAD_ARGUMENT.into());
    }
    let mut opt32 = |bit, r: &mut crate::buf::Reader<'_>| if present & bit != 0 { r.u32() } else { Ok(0) };
    let (min4, max4) = (opt32(V4_MIN, &mut d.r)?, opt32(V4_MAX, &mut d.r)?);
    let opt128 = |bit, r: &mut crate::buf::Reader<'_>| if present & bit != 0 { r.u128() } else { Ok(0) };
    let (min6, max6) = (opt128(V6_MIN, &mut d.r)?, opt128(V6_MAX, &mut d.r)?);
    let opt16 = |bit, r: &mut crate::buf::Reader<'_>| if present & bit != 0 { r.u16() } else { Ok(0) };
    let (port_min, port_max) = (opt16(PORT_MIN, &mut d.r)?, opt16(PORT_MAX, &mut d.r)?);
    let range = if present & V4_MIN != 0 {
        NatRange::V4 { min: min4, max: max4 }
    } else if present & V6_MIN != 0 {
        NatRange::V6 { min: min6, max: max6 }
    } else {
        NatRange::None
    };
    Ok(Action::Nat(Box::new(Nat { flags, range, port_min, port_max })))
}

impl Nat {
    pub(super) fn encode(&self, e: &mut Enc<'_>) {
        let mut present = match self.range {
            NatRange::None => 0,
            NatRange::V4 { max, .. } => V4_MIN | if max != 0 { V4_MAX } else { 0 },
            NatRange::V6 { max, .. } => V6_MIN | if max != 0 { V6_MAX } else { 0 },
        };
        if self.port_min != 0 {
            present |= PORT_MIN | if self.port_max != 0 { PORT_MAX } else { 0 };
        }
        e.nicira(36, |o| {
            o.zeros(2);
            o.u16(self.flags);
            o.u16(present);
            match self.range {
                NatRange::None => {}
                NatRange::V4 { min, max } => {
                    o.u32(min);
                    if max != 0 {
                        o.u32(max);
                    }
                }
                NatRange::V6 { min, max } => {
                    o.u128(min);
                    if max != 0 {
                        o.u128(max);
                    }
                }
            }
            if self.port_min != 0 {
                o.u16(self.port_min);
                if self.port_max != 0 {
                    o.u16(self.port_max);
                }
            }
        });
    }
}

impl Ct {
    pub(super) fn encode(&self, e: &mut Enc<'_>) {
        let version = e.version;
        e.nicira(35, |o| {
            o.u16(if self.commit { COMMIT } else { 0 } | if self.force { FORCE } else { 0 });
            match self.zone {
                CtZone::Immediate(z) => {
                    o.u32(0);
                    o.u16(z);
                }
                CtZone::Field(s) => {
                    put_header32(o, s.field, version);
                    o.u16(ofs_nbits(s));
                }
            }
            o.u8(self.recirc_table.unwrap_or(0xff));
            o.zeros(3);
            o.u16(self.alg);
            super::wire::encode(&self.actions, version, o);
        });
    }
}
