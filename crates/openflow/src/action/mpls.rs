//! `push_mpls`, `pop_mpls`, `set_mpls_label`, `set_mpls_tc`, `set_mpls_ttl`, `dec_mpls_ttl`.

use super::Action;
use super::SetField;
use super::wire::{Dec, Enc};
use crate::Version;
use crate::buf::{Decode, Put};
use crate::ofperr::OfpErr;
use crate::text::lex;
use flow::Field;

/// Push an MPLS label.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PushMpls {
    /// 0x8847 or 0x8848.
    pub ethertype: u16,
}

/// Pop the outermost MPLS label.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PopMpls {
    /// The Ethernet type afterwards.
    pub ethertype: u16,
}

/// Set the label.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SetMplsLabel {
    /// 20 bits.
    pub label: u32,
}

/// Set the traffic class.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SetMplsTc {
    /// 3 bits.
    pub tc: u8,
}

/// Set the TTL.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SetMplsTtl {
    /// New TTL.
    pub ttl: u8,
}

fn is_mpls(ethertype: u16) -> bool {
    ethertype == 0x8847 || ethertype == 0x8848
}

pub(super) fn decode_push(d: &mut Dec<'_>) -> Decode<Action> {
    let ethertype = d.r.u16()?;
    if !is_mpls(ethertype) {
        return Err(OfpErr::OFPBAC_BAD_ARGUMENT.into());
    }
    Ok(Action::PushMpls(PushMpls { ethertype }))
}

pub(super) fn decode_pop(d: &mut Dec<'_>) -> Decode<Action> {
    Ok(Action::PopMpls(PopMpls { ethertype: d.r.u16()? }))
}

pub(super) fn decode_label(d: &mut Dec<'_>) -> Decode<Action> {
    let label = d.r.u32()?;
    if label > 0xfffff {
        return Err(OfpErr::OFPBAC_BAD_ARGUMENT.into());
    }
    Ok(Action::SetMplsLabel(SetMplsLabel { label }))
}

pub(super) fn decode_label_nicira(d: &mut Dec<'_>) -> Decode<Action> {
    d.r.skip(2)?;
    decode_label(d)
}

pub(super) fn decode_tc(d: &mut Dec<'_>) -> Decode<Action> {
    let tc = d.r.u8()?;
    if tc > 7 {
        return Err(OfpErr::OFPBAC_BAD_ARGUMENT.into());
    }
    Ok(Action::SetMplsTc(SetMplsTc { tc }))
}

pub(super) fn decode_ttl(d: &mut Dec<'_>) -> Decode<Action> {
    Ok(Action::SetMplsTtl(SetMplsTtl { ttl: d.r.u8()? }))
}

pub(super) fn encode_ethertype(e: &mut Enc<'_>, standard: u16, nicira: u16, ethertype: u16) {
    if e.is_10() {
        e.nicira(nicira, |o| o.u16(ethertype));
    } else {
        e.standard(standard, |o| o.u16(ethertype));
    }
}

impl SetMplsLabel {
    pub(super) fn encode(&self, e: &mut Enc<'_>) {
        match e.version {
            Version::V10 => e.nicira(30, |o| {
                o.zeros(2);
                o.u32(self.label);
            }),
            Version::V11 => e.standard(13, |o| o.u32(self.label)),
            _ => SetField::new(Field::MPLS_LABEL, self.label.into(), u128::MAX).encode(e),
        }
    }
}

impl SetMplsTc {
    pub(super) fn encode(&self, e: &mut Enc<'_>) {
        match e.version {
            Version::V10 => e.nicira(31, |o| o.u8(self.tc)),
            Version::V11 => e.standard(14, |o| o.u8(self.tc)),
            _ => SetField::new(Field::MPLS_TC, self.tc.into(), u128::MAX).encode(e),
        }
    }
}

impl SetMplsTtl {
    pub(super) fn encode(&self, e: &mut Enc<'_>) {
        if e.is_10() {
            e.nicira(25, |o| o.u8(self.ttl));
        } else {
            e.standard(15, |o| o.u8(self.ttl));
        }
    }
}

pub(super) fn parse_label(s: &str) -> Result<Action, String> {
    if s.is_empty() {
        return Err("set_mpls_label: expected label.".to_string());
    }
    let label = super::multipath::atoi_c(s);
    if label & !0xfffff != 0 {
        return Err(format!("{s}: not a valid MPLS label"));
    }
    Ok(Action::SetMplsLabel(SetMplsLabel { label: label as u32 }))
}

pub(super) fn parse_tc(s: &str) -> Result<Action, String> {
    if s.is_empty() {
        return Err("set_mpls_tc: expected tc.".to_string());
    }
    let tc = lex::u8_named(s, "MPLS TC")?;
    if tc > 7 {
        return Err(format!("{s}: not a valid MPLS TC"));
    }
    Ok(Action::SetMplsTc(SetMplsTc { tc }))
}

pub(super) fn parse_ttl(s: &str) -> Result<Action, String> {
    if s.is_empty() {
        return Err("set_mpls_ttl: expected ttl.".to_string());
    }
    Ok(Action::SetMplsTtl(SetMplsTtl { ttl: lex::u8_named(s, "MPLS TTL")? }))
}
