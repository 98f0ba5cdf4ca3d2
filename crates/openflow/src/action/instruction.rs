//! The instructions other than apply-actions: `meter`, `clear_actions`, `write_actions`, `write_metadata`,
//! `goto_table`. In the text and in a list of actions they stand among the actions.

use super::Action;
use super::Resubmit;
use super::text::Outer;
use super::wire::{Dec, Enc, MODULE};
use crate::Version;
use crate::buf::{Decode, Put};
use crate::buf::{DecodeError, Reader};
use crate::ofperr::OfpErr;
use base::MeterId;
use base::OfPort;

/// Apply a meter.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Meter {
    /// The meter.
    pub meter: MeterId,
}

/// Write into the action set.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WriteActions {
    /// The actions.
    pub actions: Vec<Action>,
}

/// Change bits of the metadata field.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WriteMetadata {
    /// The bits.
    pub metadata: u64,
    /// Which ones.
    pub mask: u64,
}

/// Continue in a later table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct GotoTable {
    /// The table.
    pub table: u8,
}

pub(super) fn decode_meter(d: &mut Dec<'_>) -> Decode<Action> {
    Ok(Action::Meter(Meter { meter: MeterId(d.r.u32()?) }))
}

pub(super) fn decode_write_metadata_nicira(d: &mut Dec<'_>) -> Decode<Action> {
    d.zeros(6, OfpErr::NXBRC_MUST_BE_ZERO)?;
    Ok(Action::WriteMetadata(WriteMetadata { metadata: d.r.u64()?, mask: d.r.u64()? }))
}

/// Writes what a plain action list can express of an instruction.
pub(super) fn encode_as_action(a: &Action, e: &mut Enc<'_>) {
    match a {
        Action::Meter(m) if e.version >= Version::V15 => e.standard(29, |o| o.u32(m.meter.0)),
        Action::WriteMetadata(w) if e.is_10() => e.nicira(22, |o| {
            o.zeros(6);
            o.u64(w.metadata);
            o.u64(w.mask);
        }),
        Action::GotoTable(g) if e.is_10() => {
            Resubmit { in_port: OfPort::IN_PORT, table: g.table, with_ct_orig: false, short: false }
                .encode(e);
        }
        _ => {}
    }
}

/// Rank of an instruction in the order of execution; plain actions are apply-actions.
pub(super) fn rank(a: &Action) -> u8 {
    match a {
        Action::Meter(_) => 0,
        Action::ClearActions => 2,
        Action::WriteActions(_) => 3,
        Action::WriteMetadata(_) => 4,
        Action::GotoTable(_) => 5,
        _ => 1,
    }
}

/// Names of the instructions, by [`rank`].
pub(super) const NAMES: [&str; 6] =
    ["meter", "apply_actions", "clear_actions", "write_actions", "write_metadata", "goto_table"];

/// Wire type of the instruction of a rank.
const TYPES: [u16; 6] = [6, 4, 5, 3, 2, 1];

/// Appends instructions (OpenFlow 1.1 and later).
pub fn encode_instructions(actions: &[Action], version: Version, out: &mut Vec<u8>) {
    let mut rest = actions;
    while let Some(first) = rest.first() {
        // In OpenFlow 1.5, metering is an action.
        let r = |a: &Action| if version >= Version::V15 && rank(a) == 0 { 1 } else { rank(a) };
        let start = out.len();
        out.u16(TYPES[usize::from(r(first))]);
        out.u16(0);
        let n = if r(first) == 1 { rest.iter().take_while(|a| r(a) == 1).count() } else { 1 };
        match first {
            _ if r(first) == 1 => {
                out.zeros(4);
                super::wire::encode(&rest[..n], version, out);
            }
            Action::Meter(m) => out.u32(m.meter.0),
            Action::WriteActions(w) if w.actions.is_empty() => {
                out.truncate(start);
                rest = &rest[1..];
                continue;
            }
            Action::WriteActions(w) => {
                out.zeros(4);
                super::wire::encode(&w.actions, version, out);
            }
            Action::WriteMetadata(w) => {
                out.zeros(4);
                out.u64(w.metadata);
                out.u64(w.mask);
            }
            Action::GotoTable(g) => {
                out.u8(g.table);
                out.zeros(3);
            }
            _ => out.zeros(4),
        }
        let len = out.len() - start;
        out.patch16(start + 2, len.min(usize::from(u16::MAX)) as u16);
        rest = &rest[n..];
    }
}

/// Decodes the instructions of a message.
pub fn decode_instructions(bytes: &[u8], version: Version) -> Decode<Vec<Action>> {
    if !bytes.len().is_multiple_of(8) {
        return Err(DecodeError::logged(
            OfpErr::OFPBIC_BAD_LEN,
            MODULE,
            format!("OpenFlow message instructions length {} is not a multiple of 8", bytes.len()),
        ));
    }
    let mut r = Reader::with_error(bytes, OfpErr::OFPBIC_BAD_LEN);
    let mut slots: [Option<Reader<'_>>; 6] = [None; 6];
    while !r.is_empty() {
        let offset = bytes.len() - r.len();
        pull_instruction(&mut r, offset, version, &mut slots)?;
    }
    let apply = slots[1].map_or(&[][..], |r| r.rest().get(4..).unwrap_or_default());
    let mut out =
        Vec::with_capacity(super::wire::count(apply) + slots.iter().filter(|s| s.is_some()).count());
    for (i, slot) in slots.iter().enumerate() {
        let Some(mut r) = *slot else { continue };
        match i {
            0 => out.push(Action::Meter(Meter { meter: MeterId(r.u32()?) })),
            1 => {
                r.skip(4)?;
                super::wire::decode_into(r.take_all(), version, 0, &mut out)?;
            }
            2 => out.push(Action::ClearActions),
            3 => {
                r.skip(4)?;
                let actions = super::wire::decode_list(r.take_all(), version, 0)?;
                super::check::write_actions(&actions)?;
                out.push(Action::WriteActions(WriteActions { actions }));
            }
            4 => {
                r.skip(4)?;
                let (metadata, mask) = (r.u64()?, r.u64()?);
                out.push(Action::WriteMetadata(WriteMetadata { metadata, mask }));
            }
            _ => out.push(Action::GotoTable(GotoTable { table: r.u8()? })),
        }
    }
    let outer = if version >= Version::V15 { Outer::Flow15 } else { Outer::Flow };
    super::wire::together(&out, outer)?;
    Ok(out)
}

fn pull_instruction<'a>(
    r: &mut Reader<'a>,
    offset: usize,
    version: Version,
    slots: &mut [Option<Reader<'a>>; 6],
) -> Decode<()> {
    let whole = *r;
    let kind = r.u16()?;
    let len = usize::from(r.u16()?);
    if len < 8 || len % 8 != 0 || len > whole.len() {
        let text = format!("bad instruction format at offset {offset}");
        return Err(DecodeError::logged(OfpErr::OFPBIC_BAD_LEN, MODULE, text));
    }
    let body = r.sub(len - 4)?;
    let slot = TYPES.iter().position(|t| *t == kind);
    let slot = match slot {
        // It came with OpenFlow 1.3, but earlier versions are not refused it.
        Some(0) if version >= Version::V15 => None,
        s => s,
    };
    let Some(slot) = slot else {
        return Err(if kind == 0xffff {
            OfpErr::OFPBIC_BAD_EXPERIMENTER
        } else {
            OfpErr::OFPBIC_UNKNOWN_INST
        }
        .into());
    };
    let fixed = match slot {
        0 | 2 | 5 => Some(8),
        4 => Some(24),
        _ => None,
    };
    if fixed.is_some_and(|n| n != len) {
        return Err(OfpErr::OFPBIC_BAD_LEN.into());
    }
    if slots[slot].is_some() {
        return Err(OfpErr::OFPBIC_DUP_INST.into());
    }
    slots[slot] = Some(body);
    Ok(())
}
