//! Nicira: the map from tunnel options to the `tun_metadata` fields.

use super::Message;
use crate::buf::{Decode, DecodeError, Put, Reader};
use crate::codec::{Enc, Encode};
use crate::kind::Kind;
use crate::ofperr::OfpErr;

/// What a TLV table mod does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u16)]
pub enum TlvTableModCommand {
    /// Add mappings.
    Add = 0,
    /// Delete mappings.
    Delete = 1,
    /// Delete all.
    Clear = 2,
}

/// One option.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TlvMapping {
    /// Option class.
    pub option_class: u16,
    /// Option type.
    pub option_type: u8,
    /// Bytes, a multiple of 4.
    pub option_len: u8,
    /// Which `tun_metadata` field.
    pub index: u16,
}

/// Change the map.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TlvTableMod {
    /// What to do.
    pub command: TlvTableModCommand,
    /// With which mappings.
    pub mappings: Vec<TlvMapping>,
}

/// The map.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TlvTableReply {
    /// Most bytes of options.
    pub max_space: u32,
    /// Most fields.
    pub max_fields: u16,
    /// The mappings.
    pub mappings: Vec<TlvMapping>,
}

fn put_mappings(o: &mut Vec<u8>, all: &[TlvMapping]) {
    for m in all {
        o.u16(m.option_class);
        o.u8(m.option_type);
        o.u8(m.option_len);
        o.u16(m.index);
        o.zeros(2);
    }
}

/// Takes mappings to as many fields as there are.
fn pull_mappings(r: &mut Reader<'_>, fields: u16) -> Decode<Vec<TlvMapping>> {
    let mut out: Vec<TlvMapping> = Vec::new();
    while !r.is_empty() {
        let m =
            TlvMapping { option_class: r.u16()?, option_type: r.u8()?, option_len: r.u8()?, index: r.u16()? };
        r.skip(2)?;
        if !m.option_len.is_multiple_of(4) || m.option_len > 124 {
            let text = format!("tlv table option length ({}) is not a valid option size", m.option_len);
            return Err(DecodeError::logged(OfpErr::NXTTMFC_BAD_OPT_LEN, "ofp_match", text));
        }
        if m.index >= fields {
            let last = u32::from(fields).wrapping_sub(1);
            let text = format!("tlv table field index ({}) is too large (max {last})", m.index);
            return Err(DecodeError::logged(OfpErr::NXTTMFC_BAD_FIELD_IDX, "ofp_match", text));
        }
        out.push(m);
    }
    Ok(out)
}

pub(crate) fn put_mod(e: &mut Enc<'_>, t: &TlvTableMod) -> Encode {
    e.put(Kind::NxtTlvTableMod, |o| {
        o.u16(t.command as u16);
        o.zeros(6);
        put_mappings(o, &t.mappings);
    })
}

pub(crate) fn decode_mod(r: &mut Reader<'_>) -> Decode<Message> {
    let command = match r.u16()? {
        0 => TlvTableModCommand::Add,
        1 => TlvTableModCommand::Delete,
        2 => TlvTableModCommand::Clear,
        n => {
            let text = format!("tlv table mod command ({n}) is out of range");
            return Err(DecodeError::logged(OfpErr::NXTTMFC_BAD_COMMAND, "ofp_match", text));
        }
    };
    r.skip(6)?;
    let mappings = pull_mappings(r, 64)?;
    Ok(Message::TlvTableMod(TlvTableMod { command, mappings }))
}

pub(crate) fn put_reply(e: &mut Enc<'_>, t: &TlvTableReply) -> Encode {
    e.put(Kind::NxtTlvTableReply, |o| {
        o.u32(t.max_space);
        o.u16(t.max_fields);
        o.zeros(10);
        put_mappings(o, &t.mappings);
    })
}

pub(crate) fn decode_reply(r: &mut Reader<'_>) -> Decode<Message> {
    let max_space = r.u32()?;
    let max_fields = r.u16()?;
    r.skip(10)?;
    let mappings = pull_mappings(r, max_fields)?;
    Ok(Message::TlvTableReply(TlvTableReply { max_space, max_fields, mappings }))
}
