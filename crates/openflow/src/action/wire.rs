//! The wire form of action lists: framing, and which action has which number in which version.
//!
//! ```text
//! +--------+--------+-----------------+        standard: the body follows
//! |  type  | length | body ...        |        type 0xffff: a vendor and a subtype stand before the body
//! +--------+--------+-----------------+
//! ```
//!
//! Each action's own file has its bodies; the tables here only say which is whose.

use super::text::Outer;
use super::*;
use crate::buf::{Decode, DecodeError, Note, Put, Reader, hex_dump};
use crate::ofperr::OfpErr;
use crate::text::{CHex, Severity};
use crate::version::Version;

pub(super) const MODULE: &str = "ofp_actions";
const NICIRA: u32 = 0x2320;
const ONF: u32 = 0x4f4e_4600;

/// How deeply actions may contain actions.
const MAX_DEPTH: u8 = 64;

/// Where bodies are written.
pub struct Enc<'a> {
    pub(super) out: &'a mut Vec<u8>,
    pub(super) version: Version,
}

impl Enc<'_> {
    /// Writes a standard action.
    pub(super) fn standard(&mut self, kind: u16, body: impl FnOnce(&mut Vec<u8>)) {
        let start = self.out.len();
        self.out.u16(kind);
        self.out.u16(0);
        body(self.out);
        self.finish(start);
    }

    /// Writes a Nicira action.
    pub(super) fn nicira(&mut self, subtype: u16, body: impl FnOnce(&mut Vec<u8>)) {
        let start = self.out.len();
        self.out.u16(0xffff);
        self.out.u16(0);
        self.out.u32(NICIRA);
        self.out.u16(subtype);
        body(self.out);
        self.finish(start);
    }

    fn finish(&mut self, start: usize) {
        self.out.align(start, 8);
        let len = self.out.len() - start;
        self.out.patch16(start + 2, len.min(usize::from(u16::MAX)) as u16);
    }

    /// Whether this is OpenFlow 1.0.
    pub(super) fn is_10(&self) -> bool {
        self.version == Version::V10
    }
}

/// A body to decode.
pub struct Dec<'a> {
    pub(super) r: Reader<'a>,
    pub(super) version: Version,
    pub(super) depth: u8,
}

impl Dec<'_> {
    /// Refuses padding that is not zero.
    pub(super) fn zeros(&mut self, n: usize, error: OfpErr) -> Decode<()> {
        if self.r.take(n)?.iter().any(|b| *b != 0) { Err(error.into()) } else { Ok(()) }
    }

    /// Refuses anything but zeros up to the end.
    pub(super) fn zeros_to_end(&mut self, error: OfpErr) -> Decode<()> {
        let n = self.r.len();
        self.zeros(n, error)
    }
}

/// A form that an action has: its name there, its least (or only) length, whether it may be longer, and what decodes
/// its body.
struct Form {
    name: &'static str,
    min: u16,
    variable: bool,
    decode: fn(&mut Dec<'_>) -> Decode<Action>,
}

const fn fix(name: &'static str, min: u16, decode: fn(&mut Dec<'_>) -> Decode<Action>) -> Form {
    Form { name, min, variable: false, decode }
}

const fn var(name: &'static str, min: u16, decode: fn(&mut Dec<'_>) -> Decode<Action>) -> Form {
    Form { name, min, variable: true, decode }
}

fn standard_form(version: Version, kind: u16) -> Option<Form> {
    Some(if version == Version::V10 {
        match kind {
            0 => fix("OFPAT_OUTPUT", 8, output::decode_10),
            1 => fix("OFPAT_SET_VLAN_VID", 8, vlan::decode_vid),
            2 => fix("OFPAT_SET_VLAN_PCP", 8, vlan::decode_pcp),
            3 => fix("OFPAT_STRIP_VLAN", 8, |_| Ok(Action::StripVlan(StripVlan { pop: false }))),
            4 => fix("OFPAT_SET_DL_SRC", 16, set::decode_eth_src),
            5 => fix("OFPAT_SET_DL_DST", 16, set::decode_eth_dst),
            6 => fix("OFPAT_SET_NW_SRC", 8, set::decode_ipv4_src),
            7 => fix("OFPAT_SET_NW_DST", 8, set::decode_ipv4_dst),
            8 => fix("OFPAT_SET_NW_TOS", 8, set::decode_tos),
            9 => fix("OFPAT_SET_TP_SRC", 8, set::decode_l4_src),
            10 => fix("OFPAT_SET_TP_DST", 8, set::decode_l4_dst),
            11 => fix("OFPAT_ENQUEUE", 16, enqueue::decode),
            _ => return None,
        }
    } else {
        match kind {
            0 => fix("OFPAT_OUTPUT", 16, output::decode_11),
            1 => fix("OFPAT_SET_VLAN_VID", 8, vlan::decode_vid),
            2 => fix("OFPAT_SET_VLAN_PCP", 8, vlan::decode_pcp),
            3 => fix("OFPAT_SET_DL_SRC", 16, set::decode_eth_src),
            4 => fix("OFPAT_SET_DL_DST", 16, set::decode_eth_dst),
            5 => fix("OFPAT_SET_NW_SRC", 8, set::decode_ipv4_src),
            6 => fix("OFPAT_SET_NW_DST", 8, set::decode_ipv4_dst),
            7 => fix("OFPAT_SET_NW_TOS", 8, set::decode_tos),
            8 => fix("OFPAT_SET_NW_ECN", 8, set::decode_ecn),
            9 => fix("OFPAT_SET_TP_SRC", 8, set::decode_l4_src),
            10 => fix("OFPAT_SET_TP_DST", 8, set::decode_l4_dst),
            11 => fix("OFPAT_COPY_TTL_OUT", 8, |_| Ok(Action::CopyTtlOut)),
            12 => fix("OFPAT_COPY_TTL_IN", 8, |_| Ok(Action::CopyTtlIn)),
            13 => fix("OFPAT_SET_MPLS_LABEL", 8, mpls::decode_label),
            14 => fix("OFPAT_SET_MPLS_TC", 8, mpls::decode_tc),
            15 => fix("OFPAT_SET_MPLS_TTL", 8, mpls::decode_ttl),
            16 => fix("OFPAT_DEC_MPLS_TTL", 8, |_| Ok(Action::DecMplsTtl)),
            17 => fix("OFPAT_PUSH_VLAN", 8, vlan::decode_push),
            18 => fix("OFPAT_POP_VLAN", 8, |_| Ok(Action::StripVlan(StripVlan { pop: true }))),
            19 => fix("OFPAT_PUSH_MPLS", 8, mpls::decode_push),
            20 => fix("OFPAT_POP_MPLS", 8, mpls::decode_pop),
            21 => fix("OFPAT_SET_QUEUE", 8, queue::decode),
            22 => fix("OFPAT_GROUP", 8, group::decode),
            23 => fix("OFPAT_SET_NW_TTL", 8, set::decode_ttl),
            24 => fix("OFPAT_DEC_NW_TTL", 8, |_| Ok(Action::DecTtl(DecTtl { ids: None }))),
            25 if version >= Version::V12 => var("OFPAT_SET_FIELD", 8, set_field::decode),
            26 if version >= Version::V13 => fix("OFPAT_PUSH_PBB", 8, pbb::decode_push),
            27 if version >= Version::V13 => fix("OFPAT_POP_PBB", 8, |_| Ok(Action::PopPbb)),
            28 if version >= Version::V15 => var("OFPAT_COPY_FIELD", 16, reg_move::decode_copy_field),
            29 if version >= Version::V15 => fix("OFPAT_METER", 8, instruction::decode_meter),
            _ => return None,
        }
    })
}

fn nicira_form(version: Version, subtype: u16) -> Option<Form> {
    Some(match subtype {
        1 => fix("NXAST_RESUBMIT", 16, resubmit::decode_port),
        2 => fix("NXAST_SET_TUNNEL", 16, tunnel::decode_narrow),
        4 if version == Version::V10 => fix("OFPAT_SET_QUEUE", 16, queue::decode_nicira),
        5 => fix("NXAST_POP_QUEUE", 16, |_| Ok(Action::PopQueue)),
        6 if version <= Version::V14 => var("NXAST_REG_MOVE", 16, reg_move::decode_nicira),
        7 if version <= Version::V14 => fix("NXAST_REG_LOAD", 24, set_field::decode_load),
        8 => var("NXAST_NOTE", 16, note::decode),
        9 => fix("NXAST_SET_TUNNEL64", 24, tunnel::decode_wide),
        10 => fix("NXAST_MULTIPATH", 32, multipath::decode),
        12 => var("NXAST_BUNDLE", 32, bundle::decode),
        13 => var("NXAST_BUNDLE_LOAD", 32, bundle::decode_load),
        14 => fix("NXAST_RESUBMIT_TABLE", 16, resubmit::decode_table),
        15 => fix("NXAST_OUTPUT_REG", 24, output::decode_reg),
        16 => var("NXAST_LEARN", 32, learn::decode),
        17 => fix("NXAST_EXIT", 16, |_| Ok(Action::Exit)),
        18 if version == Version::V10 => {
            fix("OFPAT_DEC_NW_TTL", 16, |_| Ok(Action::DecTtl(DecTtl { ids: None })))
        }
        19 => fix("NXAST_FIN_TIMEOUT", 16, fin_timeout::decode),
        20 => fix("NXAST_CONTROLLER", 16, controller::decode),
        21 => var("NXAST_DEC_TTL_CNT_IDS", 16, ttl::decode_ids),
        22 => fix("NXAST_WRITE_METADATA", 32, instruction::decode_write_metadata_nicira),
        23 if version == Version::V10 => fix("OFPAT_PUSH_MPLS", 16, mpls::decode_push),
        24 if version == Version::V10 => fix("OFPAT_POP_MPLS", 16, mpls::decode_pop),
        25 if version == Version::V10 => fix("OFPAT_SET_MPLS_TTL", 16, mpls::decode_ttl),
        26 if version == Version::V10 => fix("OFPAT_DEC_MPLS_TTL", 16, |_| Ok(Action::DecMplsTtl)),
        27 => fix("NXAST_STACK_PUSH", 24, stack::decode_push),
        28 => fix("NXAST_STACK_POP", 24, stack::decode_pop),
        29 => fix("NXAST_SAMPLE", 24, sample::decode_1),
        30 if version == Version::V10 => fix("OFPAT_SET_MPLS_LABEL", 16, mpls::decode_label_nicira),
        31 if version == Version::V10 => fix("OFPAT_SET_MPLS_TC", 16, mpls::decode_tc),
        32 => fix("NXAST_OUTPUT_REG2", 24, output::decode_reg2),
        33 if version <= Version::V14 => var("NXAST_REG_LOAD2", 16, set_field::decode_load2),
        34 => fix("NXAST_CONJUNCTION", 16, conjunction::decode),
        35 => var("NXAST_CT", 24, ct::decode),
        36 => var("NXAST_NAT", 16, ct::decode_nat),
        37 => var("NXAST_CONTROLLER2", 16, controller::decode_2),
        38 => fix("NXAST_SAMPLE2", 32, sample::decode_2),
        39 => fix("NXAST_OUTPUT_TRUNC", 16, output::decode_trunc),
        40 if version == Version::V10 => fix("OFPAT_GROUP", 16, group::decode_nicira),
        41 => fix("NXAST_SAMPLE3", 32, sample::decode_3),
        42 => var("NXAST_CLONE", 16, clone::decode),
        43 => fix("NXAST_CT_CLEAR", 16, |_| Ok(Action::CtClear)),
        44 => fix("NXAST_RESUBMIT_TABLE_CT", 16, resubmit::decode_table_ct),
        45 => var("NXAST_LEARN2", 40, learn::decode_2),
        46 if version >= Version::V13 => var("NXAST_ENCAP", 16, encap::decode),
        47 if version >= Version::V13 => var("NXAST_DECAP", 16, encap::decode_decap),
        48 if version >= Version::V13 => fix("NXAST_DEC_NSH_TTL", 16, |_| Ok(Action::DecNshTtl)),
        49 => var("NXAST_CHECK_PKT_LARGER", 24, check_pkt_larger::decode),
        50 => fix("NXAST_DELETE_FIELD", 24, delete_field::decode),
        51 => fix("NXAST_SAMPLE4", 40, sample::decode_4),
        // The debugging actions exist, but are not accepted from outside.
        254 => fix("NXAST_DEBUG_SLOW", 16, |_| Err(OfpErr::OFPBAC_BAD_VENDOR_TYPE.into())),
        255 => fix("NXAST_DEBUG_RECIRC", 16, |_| Err(OfpErr::OFPBAC_BAD_VENDOR_TYPE.into())),
        _ => return None,
    })
}

/// The note for a standard action that the version has only for the sake of older ones.
pub(crate) fn deprecated(kind: Option<u16>, version: Version) -> Option<Note> {
    let kind = kind.filter(|k| matches!(k, 1..=10 | 13..=15) && version >= Version::V12)?;
    let name = standard_form(version, kind)?.name;
    let text = format!("{name} is deprecated in {} (use Set-Field)", version.name());
    Some((MODULE, Severity::Info, text))
}

/// Notes the deprecated actions of a list up to the one at `last`, those within others too.
fn note_deprecated(list: &[u8], last: usize, version: Version, log: &mut Vec<Note>) {
    let mut at = 0;
    while let Some([k0, k1, l0, l1]) = list.get(at..).and_then(|b| b.first_chunk::<4>()) {
        let (kind, len) = (u16::from_be_bytes([*k0, *k1]), usize::from(u16::from_be_bytes([*l0, *l1])));
        log.extend(deprecated(Some(kind), version));
        if at >= last || len < 8 {
            return;
        }
        let action = list.get(at..at + len).unwrap_or_default();
        let inner = match action.get(4..10) {
            Some([0, 0, 0x23, 0x20, 0, 42]) if kind == 0xffff => action.get(16..),
            Some([0, 0, 0x23, 0x20, 0, 35]) if kind == 0xffff => action.get(24..),
            _ => None,
        };
        if let Some(inner) = inner {
            note_deprecated(inner, inner.len(), version, log);
        }
        at += len;
    }
}

/// Checks an action's length, of which `left` bytes are there.
fn check_action_length(form: &Form, len: usize, left: usize) -> Decode<()> {
    let min = usize::from(form.min);
    let max = if form.variable { usize::from(u16::MAX - 7) } else { min };
    let problem = if len > left {
        format!("{len} exceeds action buffer length {left}")
    } else if len < min || len > max {
        format!("{len} not in valid range [{min},{max}]")
    } else if !len.is_multiple_of(8) {
        format!("{len} is not a multiple of 8")
    } else {
        return Ok(());
    };
    let text = format!("OpenFlow action {} length {problem}", form.name);
    Err(DecodeError::logged(OfpErr::OFPBAC_BAD_LEN, MODULE, text))
}

/// Decodes one action from the front of `r`.
fn pull_action(r: &mut Reader<'_>, version: Version, depth: u8) -> Decode<Action> {
    let whole = *r;
    if r.len() < 4 {
        return Err(OfpErr::OFPBAC_BAD_LEN.into());
    }
    let kind = r.u16()?;
    let len = usize::from(r.u16()?);
    // What it is comes first: of an unknown action nothing is known of its length either.
    let mut head = *r;
    let (vendor, subtype, form) = if kind == 0xffff {
        let vendor = head.u32()?;
        let subtype = if vendor == NICIRA || vendor == ONF { head.u16()? } else { 0 };
        let form = match vendor {
            NICIRA => nicira_form(version, subtype),
            ONF if subtype == 3200 && matches!(version, Version::V13 | Version::V14) => {
                Some(var("ONFACT_COPY_FIELD", 24, reg_move::decode_onf))
            }
            ONF => None,
            _ => {
                return Err(DecodeError::logged(
                    OfpErr::OFPBAC_BAD_VENDOR,
                    MODULE,
                    format!("OpenFlow action has unknown vendor {}", CHex(vendor.into())),
                ));
            }
        };
        (vendor, subtype, form)
    } else {
        (0, kind, standard_form(version, kind))
    };
    let Some(form) = form else {
        let error = if vendor == 0 { OfpErr::OFPBAC_BAD_TYPE } else { OfpErr::OFPBAC_BAD_VENDOR_TYPE };
        let v = if vendor == 0 { "0".to_string() } else { format!("{vendor:#x}") };
        return Err(DecodeError::logged(
            error,
            MODULE,
            format!("unknown {} action for vendor {v} and type {subtype}", version.name()),
        ));
    };
    check_action_length(&form, len, whole.len())?;
    let mut body = Reader::with_error(&whole.rest()[4..len], OfpErr::OFPBAC_BAD_LEN);
    body.skip(if vendor == 0 { 0 } else { 6 })?;
    r.skip(len - 4)?;
    (form.decode)(&mut Dec { r: body, version, depth })
}

/// Decodes a list of actions that fills `bytes`.
pub(crate) fn decode_list(bytes: &[u8], version: Version, depth: u8) -> Decode<Vec<Action>> {
    // Room for as many as there are.
    let mut out = Vec::with_capacity(count(bytes));
    decode_into(bytes, version, depth, &mut out)?;
    Ok(out)
}

/// How many actions there are, as far as their lengths make sense.
pub(super) fn count(mut bytes: &[u8]) -> usize {
    let mut n = 0;
    while let Some(header) = bytes.first_chunk::<4>() {
        let len = usize::from(u16::from_be_bytes([header[2], header[3]]));
        match bytes.get(len..) {
            Some(rest) if len >= 8 => bytes = rest,
            _ => break,
        }
        n += 1;
    }
    n
}

pub(super) fn decode_into(bytes: &[u8], version: Version, depth: u8, out: &mut Vec<Action>) -> Decode<()> {
    if depth > MAX_DEPTH {
        return Err(OfpErr::OFPBAC_TOO_MANY.into());
    }
    let mut r = Reader::with_error(bytes, OfpErr::OFPBAC_BAD_LEN);
    while !r.is_empty() {
        let offset = bytes.len() - r.len();
        match pull_action(&mut r, version, depth) {
            Ok(a) => out.push(a),
            Err(mut e) => {
                let mut log = Vec::new();
                note_deprecated(bytes, offset, version, &mut log);
                e.log.splice(..0, log);
                let text =
                    format!("bad action at offset {offset} ({}):\n{}", e.error, hex_dump(bytes, false));
                return Err(e.and(MODULE, text.trim_end_matches('\n').to_string()));
            }
        }
    }
    Ok(())
}

/// Refuses actions that cannot stand together inside `outer`.
pub(crate) fn together(actions: &[Action], outer: Outer) -> Decode<()> {
    check::together(actions, outer).map_err(|(error, text)| DecodeError::logged(error, MODULE, text))
}

/// Decodes the actions of a message: `bytes` must be a multiple of 8 long. Those of a flow of OpenFlow 1.0 may hold
/// extensions that stand for the instructions of later versions.
pub fn decode(bytes: &[u8], version: Version, outer: Outer) -> Decode<Vec<Action>> {
    check_length(bytes.len())?;
    let actions = decode_list(bytes, version, 0)?;
    together(&actions, outer)?;
    Ok(actions)
}

/// Takes the actions of a message, whose length it gives.
pub fn pull(r: &mut Reader<'_>, len: usize, version: Version, outer: Outer) -> Decode<Vec<Action>> {
    check_length(len)?;
    if len > r.len() {
        let text =
            format!("OpenFlow message actions length {len} exceeds remaining message length ({})", r.len());
        return Err(DecodeError::logged(OfpErr::OFPBRC_BAD_LEN, MODULE, text));
    }
    decode(r.take(len)?, version, outer)
}

fn check_length(len: usize) -> Decode<()> {
    if !len.is_multiple_of(8) {
        return Err(DecodeError::logged(
            OfpErr::OFPBRC_BAD_LEN,
            MODULE,
            format!("OpenFlow message actions length {len} is not a multiple of 8"),
        ));
    }
    Ok(())
}

/// Appends actions; instructions that OpenFlow 1.0 can express go along as extensions, others are left out.
pub fn encode(actions: &[Action], version: Version, out: &mut Vec<u8>) {
    let mut e = Enc { out, version };
    for a in actions {
        a.encode(&mut e);
    }
}

impl Action {
    /// The standard type, from OpenFlow 1.1 on, of an action that later versions have only for the sake of older ones.
    pub(crate) fn standard_11(&self) -> Option<u16> {
        Some(match self {
            Action::SetVlanVid(_) => 1,
            Action::SetVlanPcp(_) => 2,
            Action::SetEthSrc(_) => 3,
            Action::SetEthDst(_) => 4,
            Action::SetIpv4Src(_) => 5,
            Action::SetIpv4Dst(_) => 6,
            Action::SetIpDscp(_) => 7,
            Action::SetIpEcn(_) => 8,
            Action::SetL4SrcPort(_) => 9,
            Action::SetL4DstPort(_) => 10,
            Action::SetMplsLabel(_) => 13,
            Action::SetMplsTc(_) => 14,
            Action::SetMplsTtl(_) => 15,
            _ => return None,
        })
    }

    pub(super) fn encode(&self, e: &mut Enc<'_>) {
        match self {
            Action::Output(a) => a.encode(e),
            Action::OutputReg(a) => a.encode(e),
            Action::OutputTrunc(a) => a.encode(e),
            Action::Controller(a) => a.encode(e),
            Action::Enqueue(a) => a.encode(e),
            Action::Bundle(a) => a.encode(e),
            Action::Group(a) => a.encode(e),
            Action::StripVlan(_) => e.standard(if e.is_10() { 3 } else { 18 }, |o| o.zeros(4)),
            Action::PushVlan(a) => a.encode(e),
            Action::SetVlanVid(a) => a.encode(e),
            Action::SetVlanPcp(a) => a.encode(e),
            Action::PushMpls(a) => mpls::encode_ethertype(e, 19, 23, a.ethertype),
            Action::PopMpls(a) => mpls::encode_ethertype(e, 20, 24, a.ethertype),
            Action::PushPbb(a) => a.encode(e),
            Action::PopPbb => e.standard(27, |o| o.zeros(4)),
            Action::Encap(a) => a.encode(e),
            Action::Decap(a) => a.encode(e),
            Action::SetEthSrc(a) => set::encode_eth(e, a, true),
            Action::SetEthDst(a) => set::encode_eth(e, a, false),
            Action::SetIpv4Src(a) => set::encode_ipv4(e, a, true),
            Action::SetIpv4Dst(a) => set::encode_ipv4(e, a, false),
            Action::SetIpDscp(a) => set::encode_dscp(e, a),
            Action::SetIpEcn(a) => set::encode_ecn(e, a),
            Action::SetIpTtl(a) => set::encode_ttl(e, a),
            Action::SetL4SrcPort(a) => set::encode_l4(e, a, true),
            Action::SetL4DstPort(a) => set::encode_l4(e, a, false),
            Action::SetMplsLabel(a) => a.encode(e),
            Action::SetMplsTc(a) => a.encode(e),
            Action::SetMplsTtl(a) => a.encode(e),
            Action::SetField(a) => a.encode(e),
            Action::Move(a) => a.encode(e),
            Action::DecTtl(a) => a.encode(e),
            Action::DecMplsTtl => {
                if e.is_10() {
                    e.nicira(26, |o| o.zeros(6));
                } else {
                    e.standard(16, |o| o.zeros(4));
                }
            }
            Action::DecNshTtl => e.nicira(48, |o| o.zeros(6)),
            Action::CopyTtlIn => e.standard(12, |o| o.zeros(4)),
            Action::CopyTtlOut => e.standard(11, |o| o.zeros(4)),
            Action::CheckPktLarger(a) => a.encode(e),
            Action::DeleteField(a) => a.encode(e),
            Action::SetTunnel(a) => a.encode(e),
            Action::SetQueue(a) => a.encode(e),
            Action::PopQueue => e.nicira(5, |o| o.zeros(6)),
            Action::Ct(a) => a.encode(e),
            Action::CtClear => e.nicira(43, |o| o.zeros(6)),
            Action::Nat(a) => a.encode(e),
            Action::Learn(a) => a.encode(e),
            Action::FinTimeout(a) => a.encode(e),
            Action::Resubmit(a) => a.encode(e),
            Action::Clone(a) => a.encode(e),
            Action::Push(a) => stack::encode(e, a, 27),
            Action::Pop(a) => stack::encode(e, a, 28),
            Action::Exit => e.nicira(17, |o| o.zeros(6)),
            Action::Multipath(a) => a.encode(e),
            Action::Conjunction(a) => a.encode(e),
            Action::Note(a) => a.encode(e),
            Action::Sample(a) => a.encode(e),
            Action::DebugRecirc => e.nicira(255, |o| o.zeros(6)),
            Action::DebugSlow => e.nicira(254, |o| o.zeros(6)),
            Action::Meter(_)
            | Action::ClearActions
            | Action::WriteActions(_)
            | Action::WriteMetadata(_)
            | Action::GotoTable(_) => instruction::encode_as_action(self, e),
        }
    }
}

/// Appends a subfield's place as `ofs << 6 | (n_bits - 1)`.
pub(super) fn ofs_nbits(s: flow::Subfield) -> u16 {
    s.ofs << 6 | (s.n_bits - 1)
}

/// The inverse of [`ofs_nbits`].
pub(super) fn split_ofs_nbits(field: flow::Field, v: u16) -> flow::Subfield {
    flow::Subfield { field, ofs: v >> 6, n_bits: (v & 0x3f) + 1 }
}

/// Appends the 32-bit header of a field; experimenter fields do not fit. The extension's own headers go before
/// OpenFlow's in its actions, in every version.
pub(super) fn put_header32(out: &mut Vec<u8>, field: flow::Field) {
    let start = out.len();
    crate::oxm::put_header(out, field, Version::V10, false);
    out.truncate(start + 4);
}

/// Takes a 32-bit header.
pub(super) fn pull_header32(r: &mut Reader<'_>) -> Decode<flow::Field> {
    crate::oxm::pull_field32(r)
}
