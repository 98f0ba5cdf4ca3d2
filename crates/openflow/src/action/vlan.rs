//! `push_vlan`, `strip_vlan`, `mod_vlan_vid`, `mod_vlan_pcp`.

use super::Action;
use super::SetField;
use super::wire::{Dec, Enc};
use crate::buf::{Decode, Put};
use crate::ofperr::OfpErr;
use crate::text::TextCx;
use crate::text::lex;
use crate::version::ProtocolSet;
use flow::Field;

/// Take the outer VLAN tag off.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StripVlan {
    /// Received as the action of OpenFlow 1.1 and later; printed so again.
    pub pop: bool,
}

/// Push a VLAN tag.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PushVlan {
    /// 0x8100 or 0x88a8.
    pub ethertype: u16,
}

/// Set the VLAN id (OpenFlow 1.0 and 1.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SetVlanVid {
    /// 12 bits.
    pub vid: u16,
    /// Push a tag when the packet has none (the meaning in OpenFlow 1.0, not in 1.1).
    pub push_vlan_if_needed: bool,
    /// The flow matches only packets that have a tag at this point (found by [`super::check`]).
    pub flow_has_vlan: bool,
}

/// Set the VLAN priority (OpenFlow 1.0 and 1.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SetVlanPcp {
    /// 3 bits.
    pub pcp: u8,
    /// As in [`SetVlanVid`].
    pub push_vlan_if_needed: bool,
    /// As in [`SetVlanVid`].
    pub flow_has_vlan: bool,
}

pub(super) fn decode_push(d: &mut Dec<'_>) -> Decode<Action> {
    let ethertype = d.r.u16()?;
    if ethertype != 0x8100 && ethertype != 0x88a8 {
        return Err(OfpErr::OFPBAC_BAD_ARGUMENT.into());
    }
    Ok(Action::PushVlan(PushVlan { ethertype }))
}

pub(super) fn decode_vid(d: &mut Dec<'_>) -> Decode<Action> {
    let vid = d.r.u16()?;
    if vid > 0xfff {
        return Err(OfpErr::OFPBAC_BAD_ARGUMENT.into());
    }
    let push_vlan_if_needed = d.version == crate::Version::V10;
    Ok(Action::SetVlanVid(SetVlanVid { vid, push_vlan_if_needed, flow_has_vlan: false }))
}

pub(super) fn decode_pcp(d: &mut Dec<'_>) -> Decode<Action> {
    let pcp = d.r.u8()?;
    if pcp > 7 {
        return Err(OfpErr::OFPBAC_BAD_ARGUMENT.into());
    }
    let push_vlan_if_needed = d.version == crate::Version::V10;
    Ok(Action::SetVlanPcp(SetVlanPcp { pcp, push_vlan_if_needed, flow_has_vlan: false }))
}

fn push_tag(e: &mut Enc<'_>) {
    PushVlan { ethertype: 0x8100 }.encode(e);
}

impl PushVlan {
    pub(super) fn encode(&self, e: &mut Enc<'_>) {
        // In OpenFlow 1.0, the set_vlan_vid or set_vlan_pcp that follows pushes the tag.
        if !e.is_10() {
            e.standard(17, |o| o.u16(self.ethertype));
        }
    }
}

impl SetVlanVid {
    pub(super) fn encode(&self, e: &mut Enc<'_>) {
        use crate::Version;
        if e.is_10() {
            e.standard(1, |o| o.u16(self.vid));
            return;
        }
        if self.push_vlan_if_needed && !self.flow_has_vlan {
            push_tag(e);
        }
        if e.version == Version::V11 {
            e.standard(1, |o| o.u16(self.vid));
        } else {
            SetField::new(Field::VLAN_VID, (self.vid | 0x1000).into(), u128::MAX).encode(e);
        }
    }
}

impl SetVlanPcp {
    pub(super) fn encode(&self, e: &mut Enc<'_>) {
        use crate::Version;
        if e.is_10() {
            e.standard(2, |o| o.u8(self.pcp));
            return;
        }
        if self.push_vlan_if_needed && !self.flow_has_vlan {
            push_tag(e);
        }
        if e.version == Version::V11 {
            e.standard(2, |o| o.u8(self.pcp));
        } else {
            SetField::new(Field::VLAN_PCP, self.pcp.into(), u128::MAX).encode(e);
        }
    }
}

pub(super) fn parse_push(s: &str, cx: &mut TextCx<'_>) -> Result<Action, String> {
    cx.only(ProtocolSet::OF11_UP);
    let ethertype = lex::u16_named(s, "ethertype")?;
    if ethertype != 0x8100 && ethertype != 0x88a8 {
        return Err(format!("{s}: not a valid VLAN ethertype"));
    }
    Ok(Action::PushVlan(PushVlan { ethertype }))
}

pub(super) fn parse_vid(s: &str, push_vlan_if_needed: bool) -> Result<Action, String> {
    let vid = lex::u16_named(s, "VLAN VID")?;
    if vid > 0xfff {
        return Err(format!("{s}: not a valid VLAN VID"));
    }
    Ok(Action::SetVlanVid(SetVlanVid { vid, push_vlan_if_needed, flow_has_vlan: false }))
}

pub(super) fn parse_pcp(s: &str, push_vlan_if_needed: bool) -> Result<Action, String> {
    let pcp = lex::u8_named(s, "VLAN PCP")?;
    if pcp > 7 {
        return Err(format!("{s}: not a valid VLAN PCP"));
    }
    Ok(Action::SetVlanPcp(SetVlanPcp { pcp, push_vlan_if_needed, flow_has_vlan: false }))
}
