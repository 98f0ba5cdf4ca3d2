//! Extensible matches: NXM (Nicira's, over OpenFlow 1.0 and 1.1) and OXM (OpenFlow 1.2 and later).
//!
//! An entry is a header, a value and perhaps a mask:
//!
//! ```text
//!  31              16 15       9  8  7        0
//! +------------------+----------+--+-----------+   +-------------+
//! |      class       |  field   |HM|  length   |   | experimenter|  when class is 0xffff
//! +------------------+----------+--+-----------+   +-------------+
//! ```
//!
//! Which header a field has in which version, and how wide it is, comes from the field table.

use crate::buf::{Decode, DecodeError, Put, Reader};
use crate::ofperr::OfpErr;
use crate::text::CHex;
use crate::version::Version;
use flow::field::{CLASS_EXPERIMENTER, CLASS_NXM_1, COUNT, Header};
use flow::key::ip_proto;
use flow::layout::WORDS;
use flow::mini::map_iter;
use flow::prereq::Known;
use flow::{Field, Match, Prereq, TunLayout, Value};
use std::sync::Arc;

const MODULE: &str = "nx_match";

/// A decoded entry header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EntryHeader {
    /// Class.
    pub class: u16,
    /// Field number in the class.
    pub number: u8,
    /// Experimenter, or 0.
    pub experimenter: u32,
    /// Whether a mask follows the value.
    pub has_mask: bool,
    /// Bytes of value and mask together.
    pub len: usize,
}

impl EntryHeader {
    /// `vendor:class:field:mask:length`, as in log messages.
    pub fn text(&self) -> String {
        let class = self.class;
        let (n, m) = (self.number, u8::from(self.has_mask));
        let len = self.len + if self.class == CLASS_EXPERIMENTER { 4 } else { 0 };
        format!("{}:{class}:{n}:{m}:{len}", CHex(self.experimenter.into()))
    }

    /// The field, if we know it.
    pub fn field(&self) -> Option<Field> {
        Field::from_header(self.class, self.number, self.experimenter)
    }

    /// The field, if we know it and the length fits it.
    fn fitting_field(&self) -> Option<Field> {
        self.field().filter(|f| {
            let width = usize::from(f.info().bytes);
            if f.as_tun_metadata().is_some() {
                self.len <= 124
            } else {
                self.len == width << u8::from(self.has_mask)
            }
        })
    }
}

/// Takes an entry's header.
pub fn pull_header(r: &mut Reader<'_>) -> Decode<EntryHeader> {
    let h = r.u32()?;
    let mut header = EntryHeader {
        class: (h >> 16) as u16,
        number: (h >> 9 & 0x7f) as u8,
        experimenter: 0,
        has_mask: h >> 8 & 1 != 0,
        len: (h & 0xff) as usize,
    };
    if header.class == CLASS_EXPERIMENTER {
        header.experimenter = r.u32()?;
        if header.len < 4 {
            let (id, number, mask) =
                (CHex(header.experimenter.into()), header.number, u8::from(header.has_mask));
            let text = format!(
                "OXM header {id}:{CLASS_EXPERIMENTER}:{number}:{mask}:{len} has invalid length {len} (minimum is 8)",
                len = header.len
            );
            return Err(DecodeError::logged(OfpErr::OFPBMC_BAD_LEN, MODULE, text));
        }
        header.len -= 4;
    }
    Ok(header)
}

/// Takes the header of a field, as actions contain them: no mask, and a length that fits the field.
pub fn pull_field(r: &mut Reader<'_>) -> Decode<Field> {
    Ok(pull_field_and_length(r)?.0)
}

/// The same with the length of the value that follows.
pub(crate) fn pull_field_and_length(r: &mut Reader<'_>) -> Decode<(Field, usize)> {
    let header = pull_header(&mut Reader::with_error(r.rest(), OfpErr::OFPBMC_BAD_LEN))?;
    r.skip(if header.class == CLASS_EXPERIMENTER { 8 } else { 4 })?;
    let field = header.fitting_field().ok_or(OfpErr::OFPBMC_BAD_FIELD)?;
    if header.has_mask { Err(OfpErr::OFPBMC_BAD_MASK.into()) } else { Ok((field, header.len)) }
}

/// Takes a header of 32 bits, which experimenters' fields do not have.
pub(crate) fn pull_field32(r: &mut Reader<'_>) -> Decode<Field> {
    let field = match pull_header(&mut { *r }) {
        Ok(h) if h.class != CLASS_EXPERIMENTER => h.fitting_field(),
        _ => None,
    };
    r.skip(4)?;
    field.ok_or_else(|| OfpErr::OFPBAC_BAD_SET_TYPE.into())
}

/// The header to use for a field in a version.
pub fn header_for(field: Field, version: Version) -> &'static Header {
    static NONE: Header = Header { name: "", class: 0, field: 127, experimenter: 0, of_version: 0 };
    field.header_for(version.wire()).unwrap_or(&NONE)
}

/// Whether a field has a wire form at all.
pub const fn is_encodable(field: Field) -> bool {
    !field.info().headers().is_empty()
}

/// Appends the header of a field.
pub fn put_header(out: &mut Vec<u8>, field: Field, version: Version, has_mask: bool) {
    put_header_len(out, field, version, has_mask, usize::from(field.info().bytes));
}

pub(crate) fn put_header_len(
    out: &mut Vec<u8>,
    field: Field,
    version: Version,
    has_mask: bool,
    width: usize,
) {
    let h = header_for(field, version);
    let exp = if h.class == CLASS_EXPERIMENTER { 4 } else { 0 };
    let len = ((width << u32::from(has_mask)) + exp) as u32;
    out.u32(u32::from(h.class) << 16 | u32::from(h.field) << 9 | u32::from(has_mask) << 8 | len);
    if exp != 0 {
        out.u32(h.experimenter);
    }
}

/// Appends the low `n` bytes of a value.
pub fn put_value(out: &mut Vec<u8>, value: Value, n: usize) {
    let bytes = value.to_be_bytes();
    match n {
        // The usual widths without a copy of a length that only time tells.
        1 => out.u8(value as u8),
        2 => out.u16(value as u16),
        4 => out.u32(value as u32),
        6 => out.bytes(&bytes[10..]),
        8 => out.u64(value as u64),
        16 => out.u128(value),
        0..16 => out.bytes(&bytes[16 - n..]),
        _ => {
            out.zeros(n - 16);
            out.bytes(&bytes);
        }
    }
}

/// Takes a value of `n` bytes; of a longer one, the low 16.
pub fn pull_value(r: &mut Reader<'_>, n: usize) -> Decode<Value> {
    r.take(n).map(to_value)
}

/// Appends an entry; the mask is left out when it covers the field.
pub fn put_entry(out: &mut Vec<u8>, field: Field, version: Version, value: Value, mask: Value) {
    let full = field.info().valid;
    let exact = mask & full == full && field != Field::TUN_FLAGS && field != Field::CT_STATE
        || (field == Field::CT_STATE && mask as u32 == u32::MAX);
    put_entry_of(out, field, version, value, (!exact).then_some(mask));
}

/// Appends an entry with a mask or without.
pub(crate) fn put_entry_of(
    out: &mut Vec<u8>,
    field: Field,
    version: Version,
    value: Value,
    mask: Option<Value>,
) {
    let width = usize::from(field.info().bytes);
    put_header_len(out, field, version, mask.is_some(), width);
    put_value(out, value, width);
    if let Some(mask) = mask {
        put_value(out, mask, width);
    }
}

/// The order in which the fields of a match are written. What the table has besides, and lies elsewhere than all of
/// these, follows ([`REST`]).
const FIELDS: [Field; 69] = [
    Field::DP_HASH,
    Field::RECIRC_ID,
    Field::CONJ_ID,
    Field::PACKET_TYPE,
    Field::IN_PORT,
    Field::ACTSET_OUTPUT,
    Field::ETH_SRC,
    Field::ETH_DST,
    Field::ETH_TYPE,
    Field::VLAN_TCI,
    Field::MPLS_TC,
    Field::MPLS_BOS,
    Field::MPLS_TTL,
    Field::MPLS_LABEL,
    Field::IP_SRC,
    Field::IP_DST,
    Field::IPV6_SRC,
    Field::IPV6_DST,
    Field::IP_FRAG,
    Field::NW_TOS,
    Field::IP_ECN,
    Field::NW_TTL,
    Field::IPV6_LABEL,
    Field::IP_PROTO,
    Field::TCP_SRC,
    Field::TCP_DST,
    Field::TCP_FLAGS,
    Field::UDP_SRC,
    Field::UDP_DST,
    Field::SCTP_SRC,
    Field::SCTP_DST,
    Field::ICMP_TYPE,
    Field::ICMP_CODE,
    Field::ICMPV6_TYPE,
    Field::ICMPV6_CODE,
    Field::ND_TARGET,
    Field::ND_SLL,
    Field::ND_TLL,
    Field::ND_RESERVED,
    Field::ND_OPTIONS_TYPE,
    Field::ARP_OP,
    Field::ARP_SPA,
    Field::ARP_TPA,
    Field::ARP_SHA,
    Field::ARP_THA,
    Field::NSH_FLAGS,
    Field::NSH_TTL,
    Field::NSH_MDTYPE,
    Field::NSH_NP,
    Field::NSH_SPI,
    Field::NSH_SI,
    Field::NSH_C1,
    Field::NSH_C2,
    Field::NSH_C3,
    Field::NSH_C4,
    Field::TUN_ID,
    Field::TUN_FLAGS,
    Field::TUN_SRC,
    Field::TUN_DST,
    Field::TUN_IPV6_SRC,
    Field::TUN_IPV6_DST,
    Field::TUN_GBP_ID,
    Field::TUN_GBP_FLAGS,
    Field::TUN_ERSPAN_VER,
    Field::TUN_ERSPAN_IDX,
    Field::TUN_ERSPAN_DIR,
    Field::TUN_ERSPAN_HWID,
    Field::TUN_GTPU_FLAGS,
    Field::TUN_GTPU_MSGTYPE,
];

const AFTER_REGS: [Field; 13] = [
    Field::PKT_MARK,
    Field::CT_STATE,
    Field::CT_ZONE,
    Field::CT_MARK,
    Field::CT_LABEL,
    Field::CT_NW_SRC,
    Field::CT_NW_DST,
    Field::CT_IPV6_SRC,
    Field::CT_IPV6_DST,
    Field::CT_NW_PROTO,
    Field::CT_TP_SRC,
    Field::CT_TP_DST,
    Field::METADATA,
];

/// Number of `NXM_NX_COOKIE`, which is no field of a packet. A later extension gave the same number to the MPLS TTL;
/// the lengths tell them apart.
const COOKIE_FIELD: u8 = 30;
const NXM_COOKIE: u32 = 0x0001_0000 | (COOKIE_FIELD as u32) << 9;

fn put_field(out: &mut Vec<u8>, m: &Match, known: &Known<'_>, field: Field, version: Version) {
    let met = known.meets(field.info().prereq);
    // Fields of several protocols share bits: most that are asked for are not meant.
    let anyway = matches!(field.info().prereq, Prereq::Ct | Prereq::Nsh)
        || matches!(field, Field::NW_TOS | Field::VLAN_TCI | Field::TCP_FLAGS);
    let (value, mask) = if met || anyway { m.get(field) } else { (0, 0) };
    if mask == 0 {
        return;
    }
    let oxm = version >= Version::V12;
    match field {
        Field::IN_PORT if oxm => {
            let (v, k) = m.get(Field::IN_PORT_OXM);
            put_entry(out, Field::IN_PORT_OXM, version, v, k);
        }
        Field::NW_TOS if !field.prereq_met_by(m) => {}
        Field::NW_TOS if oxm => {
            let (v, k) = m.get(Field::IP_DSCP);
            put_entry(out, Field::IP_DSCP, version, v, k);
        }
        Field::NW_TOS => put_entry(out, field, version, value, Value::MAX),
        Field::VLAN_TCI if oxm => put_vlan(out, value as u16, mask as u16, version),
        Field::PACKET_TYPE if value == 0 && has_ethernet(m) => {}
        // Of the original direction everything is said: the other side refuses what its state does not allow.
        Field::CT_NW_SRC | Field::CT_NW_DST | Field::CT_IPV6_SRC | Field::CT_IPV6_DST => {
            put_entry(out, field, version, value, mask);
        }
        Field::CT_NW_PROTO if value == 0 => {}
        Field::CT_NW_PROTO => put_entry(out, field, version, value, mask),
        Field::CT_TP_SRC | Field::CT_TP_DST if m.get(Field::CT_NW_PROTO).0 != 0 => {
            put_entry(out, field, version, value, mask);
        }
        // Said of later fragments, too, though they have none: the other side refuses it rather than match more.
        Field::TCP_FLAGS if m.get(Field::IP_PROTO) == (ip_proto::TCP.into(), 0xff) => {
            put_entry(out, field, version, value, mask);
        }
        _ if met || field.info().prereq == Prereq::Nsh => put_entry(out, field, version, value, mask),
        _ => {}
    }
}

fn has_ethernet(m: &Match) -> bool {
    [Field::ETH_SRC, Field::ETH_DST, Field::ETH_TYPE, Field::VLAN_TCI].iter().any(|f| m.get(*f).1 != 0)
}

fn put_vlan(out: &mut Vec<u8>, tci: u16, mask: u16, version: Version) {
    let vid_mask = mask & 0x1fff;
    if vid_mask != 0 {
        put_entry(out, Field::VLAN_VID, version, Value::from(tci & 0x1fff), Value::from(vid_mask));
    }
    if tci & 0x1000 != 0 && mask >> 13 != 0 {
        put_entry(out, Field::VLAN_PCP, version, Value::from(tci >> 13), Value::from(mask >> 13));
    }
}

fn put_tun_metadata(out: &mut Vec<u8>, m: &Match, version: Version) {
    let Some(layout) = &m.tun else { return };
    for n in 0..64 {
        if !TunLayout::is_present(&m.mask.0, n) {
            continue;
        }
        // An option of no length matches its presence alone.
        let (value, mask) = m.tun_option(layout, n).unwrap_or_default();
        let exact = !layout.is_masked(n) && mask.iter().all(|b| *b == 0xff);
        put_header_len(out, Field::tun_metadata(n), version, !exact, value.len());
        out.bytes(value);
        if !exact {
            out.bytes(mask);
        }
    }
}

/// Number of fields that no list names, and those fields in the order of the table.
const REST: (usize, [Field; COUNT]) = {
    let (mut count, mut rest, mut n) = (0, [Field::from_index(0); COUNT], 0);
    while n < COUNT {
        let field = Field::from_index(n);
        let elsewhere = !field.is_register() && field.as_tun_metadata().is_none();
        if elsewhere && is_encodable(field) && !overlaps(field, &FIELDS) && !overlaps(field, &AFTER_REGS) {
            rest[count] = field;
            count += 1;
        }
        n += 1;
    }
    (count, rest)
};

/// Whether a field is one of a list, or another view of one of its fields.
const fn overlaps(field: Field, list: &[Field]) -> bool {
    let (first, end) = field.info().words();
    let mut n = 0;
    while n < list.len() {
        let other = list[n].info();
        let (a, b) = other.words();
        let mut word = first;
        while word < end {
            if a <= word && word < b && field.info().bits_in(word) & other.bits_in(word) != 0 {
                return true;
            }
            word += 1;
        }
        n += 1;
    }
    false
}

/// A list of fields with the place of each in a key.
struct Order<const N: usize> {
    fields: [Field; N],
    /// The first word of each, and its bits in that and the next.
    places: [(usize, [u64; 2]); N],
    /// For each word of the layout, which fields have bits in it.
    by_word: [u128; WORDS],
}

static ORDER: Order<{ FIELDS.len() + REST.0 }> = Order::new({
    let (mut all, mut n) = ([FIELDS[0]; FIELDS.len() + REST.0], 0);
    while n < all.len() {
        all[n] = if n < FIELDS.len() { FIELDS[n] } else { REST.1[n - FIELDS.len()] };
        n += 1;
    }
    all
});
static REGS: Order<32> = Order::new({
    let (mut all, mut n) = ([Field::reg(0); 32], 0);
    while n < all.len() {
        all[n] = Field::reg(n as u8);
        n += 1;
    }
    all
});
static XREGS: Order<16> = Order::new({
    let (mut all, mut n) = ([Field::xreg(0); 16], 0);
    while n < all.len() {
        all[n] = Field::xreg(n as u8);
        n += 1;
    }
    all
});
static AFTER: Order<{ AFTER_REGS.len() }> = Order::new(AFTER_REGS);

impl<const N: usize> Order<N> {
    const fn new(fields: [Field; N]) -> Order<N> {
        assert!(N <= 128);
        let (mut places, mut by_word, mut n) = ([(0, [0; 2]); N], [0; WORDS], 0);
        while n < N {
            let info = fields[n].info();
            let (first, end) = info.words();
            places[n] =
                (first, [info.bits_in(first), if first + 1 < end { info.bits_in(first + 1) } else { 0 }]);
            let mut word = first;
            while word < end {
                by_word[word] |= 1 << n;
                word += 1;
            }
            n += 1;
        }
        Order { fields, places, by_word }
    }

    /// The fields of which a match says something, given the words in which it does.
    fn matched(&self, m: &Match, map: u128) -> impl Iterator<Item = Field> {
        let near = map_iter(map).fold(0, |all, w| all | self.by_word[w]);
        let words = &m.mask.0.words;
        let some = move |n: &usize| {
            let (word, [bits, more]) = self.places[*n];
            words[word] & bits != 0 || more != 0 && words[word + 1] & more != 0
        };
        map_iter(near).filter(some).map(|n| self.fields[n])
    }
}

/// Appends the entries of a match, without any header or padding. `cookie` and its mask go along in NXM.
pub fn put_match_raw(out: &mut Vec<u8>, m: &Match, version: Version, cookie: (u64, u64)) {
    let map = m.mask.0.map();
    let known = Known::of_match(m);
    ORDER.matched(m, map).for_each(|f| put_field(out, m, &known, f, version));
    put_tun_metadata(out, m, version);
    let registers = &m.mask.0.words[flow::layout::REGS / 8..flow::layout::METADATA / 8];
    if registers.iter().all(|w| *w == 0) {
        // The usual case, without a look at each.
    } else if version >= Version::V15 {
        XREGS.matched(m, map).for_each(|f| put_field(out, m, &known, f, version));
    } else {
        REGS.matched(m, map).for_each(|f| put_field(out, m, &known, f, version));
    }
    AFTER.matched(m, map).for_each(|f| put_field(out, m, &known, f, version));
    if cookie.1 != 0 {
        let exact = cookie.1 == u64::MAX;
        out.u32(NXM_COOKIE | if exact { 8 } else { 0x100 | 16 });
        out.u64(cookie.0);
        if !exact {
            out.u64(cookie.1);
        }
    }
}

/// Appends a match as NXM: entries padded to 8 bytes. Gives the length without the padding.
pub fn put_nxm(out: &mut Vec<u8>, m: &Match, cookie: (u64, u64)) -> u16 {
    let start = out.len();
    put_match_raw(out, m, Version::V10, cookie);
    let len = out.len() - start;
    out.align(start, 8);
    len as u16
}

/// Appends a match as OXM, with its `ofp_match` header and padding.
pub fn put_oxm(out: &mut Vec<u8>, m: &Match, version: Version) {
    put_oxm_with(out, |out| put_match_raw(out, m, version, (0, 0)));
}

/// Appends entries as OXM, with the `ofp_match` header and padding.
pub(crate) fn put_oxm_with(out: &mut Vec<u8>, entries: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.u16(1);
    out.u16(0);
    entries(out);
    let len = out.len() - start;
    out.patch16(start + 2, len as u16);
    out.align(start, 8);
}

/// How a match is decoded.
#[derive(Clone, Copy, Debug)]
pub struct MatchCx<'a> {
    /// Refuse unknown fields and missing prerequisites; else they are passed over.
    pub strict: bool,
    /// Where the switch keeps tunnel options; without one, each match lays out its own.
    pub tun: Option<&'a TunLayout>,
    /// Only metadata of the pipeline is allowed (packet-out of OpenFlow 1.5).
    pub pipeline_only: bool,
}

/// Strict, with options laid out by each match.
pub const STRICT: MatchCx<'static> = MatchCx { strict: true, tun: None, pipeline_only: false };
/// Loose, likewise.
pub const LOOSE: MatchCx<'static> = MatchCx { strict: false, tun: None, pipeline_only: false };

/// A decoded entry of a match.
struct Entry<'a> {
    header: EntryHeader,
    field: Option<Field>,
    value: &'a [u8],
    mask: Option<&'a [u8]>,
}

fn pull_entry<'a>(r: &mut Reader<'a>) -> Decode<Entry<'a>> {
    let header = pull_header(r)?;
    let field = header.field();
    let is_cookie = header.class == CLASS_NXM_1 && header.number == COOKIE_FIELD && header.len >= 8;
    let width = match field {
        _ if is_cookie => Some(8),
        Some(f) if f.as_tun_metadata().is_some() => Some(header.len >> u8::from(header.has_mask)),
        Some(f) => Some(usize::from(f.info().bytes)),
        None => None,
    };
    if r.len() < header.len {
        return Err(OfpErr::OFPBMC_BAD_LEN.into());
    }
    let body = r.take(header.len)?;
    let (value, mask) =
        if header.has_mask { (&body[..header.len / 2], Some(&body[header.len / 2..])) } else { (body, None) };
    if let Some(mask) = mask
        && value.iter().zip(mask).any(|(v, m)| v & !m != 0)
    {
        return Err(DecodeError::logged(
            OfpErr::OFPBMC_BAD_WILDCARDS,
            MODULE,
            format!(
                "Rejecting NXM/OXM entry {} with 1-bits in value for bits wildcarded by the mask.",
                header.text()
            ),
        ));
    }
    // A header that has the number of a field but not its length is no field's header.
    let fits = width.is_none_or(|width| header.len == width << u8::from(header.has_mask));
    Ok(Entry { header, field: field.filter(|_| fits), value, mask })
}

/// The last 16 of some bytes as a number.
pub(crate) fn to_value(bytes: &[u8]) -> Value {
    match *bytes {
        // The usual widths at once.
        [a] => a.into(),
        [a, b] => u16::from_be_bytes([a, b]).into(),
        [a, b, c, d] => u32::from_be_bytes([a, b, c, d]).into(),
        [a, b, c, d, e, f] => u64::from_be_bytes([0, 0, a, b, c, d, e, f]).into(),
        [a, b, c, d, e, f, g, h] => u64::from_be_bytes([a, b, c, d, e, f, g, h]).into(),
        _ => bytes.iter().fold(0, |v, b| v << 8 | Value::from(*b)),
    }
}

fn set_tun_metadata(m: &mut Match, n: u8, e: &Entry<'_>, cx: &MatchCx<'_>) -> Decode<()> {
    if let (None, Some(t)) = (&m.tun, cx.tun) {
        m.tun = Some(Arc::new(*t));
    }
    let mut layout = m.tun.as_deref().copied().unwrap_or_default();
    if layout.len_of(n) == 0 {
        if cx.tun.is_some() {
            return Err(OfpErr::NXFMFC_INVALID_TLV_FIELD.into());
        }
        // A value of no length is a zero; with a mask of no length, it matches the option's presence alone.
        let len = e.value.len().max(usize::from(e.mask.is_none()));
        if len > 0 {
            layout.allot(n, len).ok_or(OfpErr::OFPBMC_BAD_LEN)?;
        }
    }
    let len = layout.len_of(n);
    // Of a longer value the front is taken.
    let cut = e.value.len().min(len);
    let (value, mask) = (&e.value[..cut], e.mask.map(|m| &m[..cut]));
    // A shorter value is the low end of the field.
    let before = len - cut;
    if TunLayout::is_present(&m.mask.0, n) {
        return Err(OfpErr::OFPBMC_DUP_FIELD.into());
    }
    if let Some(b) = layout.bytes_mut(&mut m.key, n) {
        b[..before].fill(0);
        b[before..].copy_from_slice(value);
    }
    if let Some(b) = layout.bytes_mut(&mut m.mask.0, n) {
        match mask {
            Some(mask) => {
                b[..before].fill(0);
                b[before..].copy_from_slice(mask);
            }
            None => b.fill(0xff),
        }
    }
    TunLayout::set_present(&mut m.key, n, true);
    TunLayout::set_present(&mut m.mask.0, n, true);
    m.tun = Some(Arc::new(layout));
    Ok(())
}

fn apply_entry(m: &mut Match, e: &Entry<'_>, field: Field, cx: &MatchCx<'_>) -> Decode<()> {
    if let Some(n) = field.as_tun_metadata() {
        return set_tun_metadata(m, n, e, cx);
    }
    let info = field.info();
    let value = to_value(e.value);
    let mask = e.mask.map(to_value);
    // A mask of all ones is none.
    let mask = mask.filter(|k| *k != flow::field::ones(8 * u16::from(info.bytes)));
    let given = e.mask.is_some();
    if mask.is_some_and(|k| k != 0) && matches!(info.maskable, flow::Maskable::No) {
        return Err(OfpErr::OFPBMC_BAD_MASK.into());
    }
    if !given && (value & !full_width(field) != 0 || !value_ok(field, value)) {
        return Err(match field {
            Field::IN_PORT_OXM | Field::ACTSET_OUTPUT => {
                let mut e = crate::msg::port::port_from_wire(value as u32)
                    .err()
                    .unwrap_or_else(|| OfpErr::OFPBMC_BAD_VALUE.into());
                e.error = OfpErr::OFPBMC_BAD_VALUE;
                e
            }
            _ => OfpErr::OFPBMC_BAD_VALUE.into(),
        });
    }
    if cx.pipeline_only && !crate::prereq::is_pipeline(field) {
        return Err(OfpErr::OFPBRC_PIPELINE_FIELDS_ONLY.into());
    }
    if cx.strict && !field.prereq_met_by(m) {
        return Err(OfpErr::OFPBMC_BAD_PREREQ.into());
    }
    if m.mask.get(field) != 0 {
        return Err(OfpErr::OFPBMC_DUP_FIELD.into());
    }
    match mask {
        None => set_exact(m, field, value),
        Some(0) => {}
        Some(mask) => m.set_masked(field, value, mask),
    }
    Ok(())
}

fn set_exact(m: &mut Match, field: Field, value: Value) {
    match field {
        // A register of 64 or 128 bits, or a TCI, is set as it is; a VLAN id of 0 means "no tag".
        Field::VLAN_VID => m.set_masked(field, value, 0x1fff),
        _ => m.set_masked(field, value, Value::MAX),
    }
}

fn full_width(field: Field) -> Value {
    match field {
        Field::CT_STATE => 0xff,
        Field::VLAN_TCI => 0xffff,
        _ => field.info().valid,
    }
}

fn value_ok(field: Field, value: Value) -> bool {
    match field {
        Field::IN_PORT_OXM | Field::ACTSET_OUTPUT => base::OfPort(value as u32).to_u16().is_some(),
        Field::ARP_OP => value < 0x100,
        _ => true,
    }
}

/// Decodes the entries of a match into `m`, which matches anything yet. The result is the cookie and its mask, if there
/// was one (NXM only: `with_cookie`).
pub fn pull_match_raw(
    bytes: &[u8],
    cx: &MatchCx<'_>,
    with_cookie: bool,
    m: &mut Match,
) -> Decode<(u64, u64)> {
    let mut r = Reader::with_error(bytes, OfpErr::OFPBMC_BAD_LEN);
    let mut cookie = (0, 0);
    while !r.is_empty() {
        let e = pull_entry(&mut r)?;
        if e.header.class == CLASS_NXM_1 && e.header.number == COOKIE_FIELD && e.value.len() == 8 {
            if !with_cookie {
                return Err(OfpErr::NXBRC_NXM_INVALID.into());
            }
            if cookie.1 != 0 {
                return Err(OfpErr::OFPBMC_DUP_FIELD.into());
            }
            cookie = (to_value(e.value) as u64, e.mask.map_or(u64::MAX, |m| to_value(m) as u64));
            continue;
        }
        let Some(field) = e.field else {
            if cx.strict {
                return Err(OfpErr::OFPBMC_BAD_FIELD.into());
            }
            continue;
        };
        apply_entry(m, &e, field, cx)?;
    }
    Ok(cookie)
}

/// Decodes NXM of a given length from a reader, with its padding, into `m`, which matches anything yet.
pub fn pull_nxm(r: &mut Reader<'_>, len: usize, cx: &MatchCx<'_>, m: &mut Match) -> Decode<(u64, u64)> {
    if r.len() < len.next_multiple_of(8) {
        return Err(OfpErr::OFPBMC_BAD_LEN.into());
    }
    let body = r.take(len.next_multiple_of(8))?;
    pull_match_raw(&body[..len], cx, true, m)
}

/// Decodes an `ofp_match` from a reader, with its padding, into `m`, which matches anything yet.
pub fn pull_oxm(r: &mut Reader<'_>, cx: &MatchCx<'_>, m: &mut Match) -> Decode<()> {
    if r.len() < 4 {
        return Err(OfpErr::OFPBMC_BAD_LEN.into());
    }
    let start = *r;
    let kind = r.u16()?;
    let len = usize::from(r.u16()?);
    match kind {
        1 => {}
        0 if !cx.pipeline_only => {
            *r = start;
            return crate::fixed_match::pull_of11(r, m);
        }
        _ => return Err(OfpErr::OFPBMC_BAD_TYPE.into()),
    }
    let padded = len.next_multiple_of(8);
    if len < 4 || r.len() < padded - 4 {
        return Err(OfpErr::OFPBMC_BAD_LEN.into());
    }
    // What the padding holds is nobody's business.
    let body = r.take(padded - 4)?;
    pull_match_raw(&body[..len - 4], cx, false, m).map(drop)
}
