//! The wire form of action lists: framing, and which action has which number in which version.
//!
//! ```text
//! +--------+--------+-----------------+        standard: the body follows
//! |  type  | length | body ...        |        type 0xffff: a vendor and a subtype stand before the body
//! +--------+--------+-----------------+
//! ```
//!
//! Each action's own file has its bodies; the tables here only say which is whose.

use super::*;
use crate::buf::{Decode, DecodeError, Put, Reader, hex_dump};
use crate::ofperr::OfpErr;
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

/// What decodes a body: its action's least (or only) length, whether it may be longer, and the function.
struct Form(u16, bool, fn(&mut Dec<'_>) -> Decode<Action>);

fn standard_form(version: Version, kind: u16) -> Option<Form> {
    const FIX: bool = false;
    const VAR: bool = true;
    Some(if version == Version::V10 {
        match kind {
            0 => Form(8, FIX, output::decode_10),
            1 => Form(8, FIX, vlan::decode_vid),
            2 => Form(8, FIX, vlan::decode_pcp),
            3 => Form(8, FIX, |_| Ok(Action::StripVlan(StripVlan { pop: false }))),
            4 => Form(16, FIX, set::decode_eth_src),
            5 => Form(16, FIX, set::decode_eth_dst),
            6 => Form(8, FIX, set::decode_ipv4_src),
            7 => Form(8, FIX, set::decode_ipv4_dst),
            8 => Form(8, FIX, set::decode_tos),
            9 => Form(8, FIX, set::decode_l4_src),
            10 => Form(8, FIX, set::decode_l4_dst),
            11 => Form(16, FIX, enqueue::decode),
            _ => return None,
        }
    } else {
        match kind {
            0 => Form(16, FIX, output::decode_11),
            1 => Form(8, FIX, vlan::decode_vid),
            2 => Form(8, FIX, vlan::decode_pcp),
            3 => Form(16, FIX, set::decode_eth_src),
            4 => Form(16, FIX, set::decode_eth_dst),
            5 => Form(8, FIX, set::decode_ipv4_src),
            6 => Form(8, FIX, set::decode_ipv4_dst),
            7 => Form(8, FIX, set::decode_tos),
            8 => Form(8, FIX, set::decode_ecn),
            9 => Form(8, FIX, set::decode_l4_src),
            10 => Form(8, FIX, set::decode_l4_dst),
            11 => Form(8, FIX, |_| Ok(Action::CopyTtlOut)),
            12 => Form(8, FIX, |_| Ok(Action::CopyTtlIn)),
            13 => Form(8, FIX, mpls::decode_label),
            14 => Form(8, FIX, mpls::decode_tc),
            15 => Form(8, FIX, mpls::decode_ttl),
            16 => Form(8, FIX, |_| Ok(Action::DecMplsTtl)),
            17 => Form(8, FIX, vlan::decode_push),
            18 => Form(8, FIX, |_| Ok(Action::StripVlan(StripVlan { pop: true }))),
            19 => Form(8, FIX, mpls::decode_push),
            20 => Form(8, FIX, mpls::decode_pop),
            21 => Form(8, FIX, queue::decode),
            22 => Form(8, FIX, group::decode),
            23 => Form(8, FIX, set::decode_ttl),
            24 => Form(8, FIX, |_| Ok(Action::DecTtl(DecTtl { ids: Box::default() }))),
            25 if version >= Version::V12 => Form(8, VAR, set_field::decode),
            26 if version >= Version::V13 => Form(8, FIX, pbb::decode_push),
            27 if version >= Version::V13 => Form(8, FIX, |_| Ok(Action::PopPbb)),
            28 if version >= Version::V15 => Form(20, VAR, reg_move::decode_copy_field),
            29 if version >= Version::V15 => Form(8, FIX, instruction::decode_meter),
            _ => return None,
        }
    })
}

fn nicira_form(version: Version, subtype: u16) -> Option<Form> {
    const FIX: bool = false;
    const VAR: bool = true;
    Some(match subtype {
        1 => Form(16, FIX, resubmit::decode_port),
        2 => Form(16, FIX, tunnel::decode_narrow),
        4 => Form(16, FIX, queue::decode_nicira),
        5 => Form(16, FIX, |_| Ok(Action::PopQueue)),
        6 => Form(24, VAR, reg_move::decode_nicira),
        7 => Form(24, FIX, set_field::decode_load),
        8 => Form(16, VAR, note::decode),
        9 => Form(24, FIX, tunnel::decode_wide),
        10 => Form(32, FIX, multipath::decode),
        12 => Form(32, VAR, bundle::decode),
        13 => Form(32, VAR, bundle::decode_load),
        14 => Form(16, FIX, resubmit::decode_table),
        15 => Form(24, FIX, output::decode_reg),
        16 => Form(32, VAR, learn::decode),
        17 => Form(16, FIX, |d| d.zeros(6, OfpErr::NXBRC_MUST_BE_ZERO).map(|()| Action::Exit)),
        18 => Form(16, FIX, |_| Ok(Action::DecTtl(DecTtl { ids: Box::default() }))),
        19 => Form(16, FIX, fin_timeout::decode),
        20 => Form(16, FIX, controller::decode),
        21 => Form(16, VAR, ttl::decode_ids),
        22 => Form(32, FIX, instruction::decode_write_metadata_nicira),
        23 => Form(16, FIX, mpls::decode_push),
        24 => Form(16, FIX, mpls::decode_pop),
        25 => Form(16, FIX, mpls::decode_ttl),
        26 => Form(16, FIX, |_| Ok(Action::DecMplsTtl)),
        27 => Form(24, FIX, stack::decode_push),
        28 => Form(24, FIX, stack::decode_pop),
        29 => Form(24, FIX, sample::decode_1),
        30 => Form(16, FIX, mpls::decode_label_nicira),
        31 => Form(16, FIX, mpls::decode_tc),
        32 => Form(24, VAR, output::decode_reg2),
        33 => Form(16, VAR, set_field::decode_load2),
        34 => Form(16, FIX, conjunction::decode),
        35 => Form(24, VAR, ct::decode),
        36 => Form(16, VAR, ct::decode_nat),
        37 => Form(16, VAR, controller::decode_2),
        38 => Form(32, FIX, sample::decode_2),
        39 => Form(16, FIX, output::decode_trunc),
        40 => Form(16, FIX, group::decode_nicira),
        41 => Form(32, FIX, sample::decode_3),
        42 => Form(16, VAR, clone::decode),
        43 => Form(16, FIX, |_| Ok(Action::CtClear)),
        44 => Form(16, FIX, resubmit::decode_table_ct),
        45 => Form(40, VAR, learn::decode_2),
        46 if version >= Version::V13 => Form(16, VAR, encap::decode),
        47 if version >= Version::V13 => Form(16, FIX, encap::decode_decap),
        48 if version >= Version::V13 => Form(16, FIX, |_| Ok(Action::DecNshTtl)),
        49 => Form(24, FIX, check_pkt_larger::decode),
        50 => Form(24, VAR, delete_field::decode),
        51 => Form(32, VAR, sample::decode_4),
        _ => return None,
    })
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
            ONF if subtype == 3200 && version == Version::V13 => Some(Form(24, true, reg_move::decode_onf)),
            ONF => None,
            _ => {
                return Err(DecodeError::logged(
                    OfpErr::OFPBAC_BAD_VENDOR,
                    MODULE,
                    format!("OpenFlow action has unknown vendor {vendor:#x}"),
                ));
            }
        };
        (vendor, subtype, form)
    } else {
        (0, kind, standard_form(version, kind))
    };
    let Some(Form(min, variable, decode)) = form else {
        let error = if vendor == 0 { OfpErr::OFPBAC_BAD_TYPE } else { OfpErr::OFPBAC_BAD_VENDOR_TYPE };
        let v = if vendor == 0 { "0".to_string() } else { format!("{vendor:#x}") };
        // The debugging actions exist, but are not accepted from outside.
        if vendor == NICIRA && (subtype == 254 || subtype == 255) {
            return Err(error.into());
        }
        return Err(DecodeError::logged(
            error,
            MODULE,
            format!("unknown {} action for vendor {v} and type {subtype}", version.name()),
        ));
    };
    if len < 8 || len % 8 != 0 || len > whole.len() {
        return Err(OfpErr::OFPBAC_BAD_LEN.into());
    }
    let mut body = Reader::with_error(&whole.rest()[4..len], OfpErr::OFPBAC_BAD_LEN);
    body.skip(if vendor == 0 { 0 } else { 6 })?;
    r.skip(len - 4)?;
    let min = usize::from(min);
    if len < min.next_multiple_of(8) || (!variable && len > min) {
        return Err(OfpErr::OFPBAC_BAD_LEN.into());
    }
    decode(&mut Dec { r: body, version, depth })
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
            Err(e) => {
                let text =
                    format!("bad action at offset {offset} ({}):\n{}", e.error, hex_dump(bytes, false));
                return Err(e.and(MODULE, text.trim_end_matches('\n').to_string()));
            }
        }
    }
    Ok(())
}

/// Decodes the actions of a message: `bytes` must be a multiple of 8 long.
pub fn decode(bytes: &[u8], version: Version) -> Decode<Vec<Action>> {
    check_length(bytes.len())?;
    let actions = decode_list(bytes, version, 0)?;
    if version == Version::V10 {
        // Extensions stand for the instructions of later versions.
        check::order(&actions)
            .map_err(|t| DecodeError::logged(OfpErr::OFPBAC_UNSUPPORTED_ORDER, MODULE, t))?;
    }
    Ok(actions)
}

/// Takes the actions of a message, whose length it gives.
pub fn pull(r: &mut Reader<'_>, len: usize, version: Version) -> Decode<Vec<Action>> {
    check_length(len)?;
    if len > r.len() {
        let text =
            format!("OpenFlow message actions length {len} exceeds remaining message length ({})", r.len());
        return Err(DecodeError::logged(OfpErr::OFPBRC_BAD_LEN, MODULE, text));
    }
    decode(r.take(len)?, version)
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
    let bytes = r.take(4)?;
    let mut r = Reader::with_error(bytes, OfpErr::OFPBAC_BAD_LEN);
    Ok(crate::oxm::pull_field(&mut r)?.0)
}
