//! The tunnel attribute.
//!
//! In a datapath's keys the options of a tunnel are kept as they were on the wire, one Geneve TLV after another, with
//! their total length where the map of present options would be ([`tun_flags::RAW_OPTIONS`] says so).

use super::parse::{Scanner, masked_number};
use super::{Item, Kind, load};
use crate::field::ones;
use crate::key::{FlowKey, Mask, tun_flags};
use crate::layout as l;
use crate::text::flags::{FlagSet, TUNNEL_ALL};
use crate::text::format::hex_bytes;
use crate::text::value::ipv6_text;
use std::net::Ipv4Addr;

const FLAGS: FlagSet = TUNNEL_ALL;

const fn item(name: &'static str, byte: usize, bytes: usize, kind: Kind) -> Item {
    Item { name, start: byte * 8, len: bytes as u16 * 8, kind }
}

/// Plain items in their order.
const ITEMS: [Item; 9] = [
    item("tun_id", l::TUN_ID, 8, Kind::Hex),
    item("src", l::TUN_SRC, 4, Kind::V4),
    item("dst", l::TUN_DST, 4, Kind::V4),
    item("ipv6_src", l::TUN_IPV6_SRC, 16, Kind::V6),
    item("ipv6_dst", l::TUN_IPV6_DST, 16, Kind::V6),
    item("tos", l::TUN_TOS, 1, Kind::Hex),
    item("ttl", l::TUN_TTL, 1, Kind::Dec),
    item("tp_src", l::TUN_TP_SRC, 2, Kind::Dec),
    item("tp_dst", l::TUN_TP_DST, 2, Kind::Dec),
];

const GBP: [Item; 2] =
    [item("id", l::TUN_GBP_ID, 2, Kind::Dec), item("flags", l::TUN_GBP_FLAGS, 1, Kind::Hex)];
const ERSPAN: [Item; 4] = [
    item("ver", l::TUN_ERSPAN_VER, 1, Kind::Dec),
    item("idx", l::TUN_ERSPAN_IDX, 4, Kind::Hex),
    item("dir", l::TUN_ERSPAN_DIR, 1, Kind::Dec),
    item("hwid", l::TUN_ERSPAN_HWID, 1, Kind::Hex),
];
const GTPU: [Item; 2] =
    [item("flags", l::TUN_GTPU_FLAGS, 1, Kind::Hex), item("msgtype", l::TUN_GTPU_MSGTYPE, 1, Kind::Dec)];

/// One Geneve option in a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct GeneveOption<'a> {
    /// Option class.
    pub class: u16,
    /// Option type.
    pub kind: u8,
    /// Contents.
    pub data: &'a [u8],
    /// Where the option starts, in bytes of the option space.
    pub offset: usize,
}

/// The options of a key with [`tun_flags::RAW_OPTIONS`].
pub fn geneve_options(key: &FlowKey) -> Vec<GeneveOption<'_>> {
    let mut out = Vec::new();
    if key.tun_flags() & tun_flags::RAW_OPTIONS == 0 {
        return out;
    }
    let len = (key.u64_at(l::TUN_OPTS_PRESENT) as usize).min(l::TUN_OPTS_LEN);
    let bytes = &key.bytes()[l::TUN_OPTS..l::TUN_OPTS + len];
    let mut offset = 0;
    while let Some(h) = bytes.get(offset..offset + 4) {
        let data_len = (h[3] & 0x1f) as usize * 4;
        let Some(data) = bytes.get(offset + 4..offset + 4 + data_len) else { break };
        out.push(GeneveOption { class: u16::from_be_bytes([h[0], h[1]]), kind: h[2], data, offset });
        offset += 4 + data_len;
    }
    out
}

fn hex(v: u128) -> String {
    if v == 0 { "0".into() } else { format!("{v:#x}") }
}

fn value_text(i: &Item, v: u128, m: u128) -> String {
    let one = |v: u128| match i.kind {
        Kind::V4 => Ipv4Addr::from(v as u32).to_string(),
        Kind::V6 => ipv6_text(v),
        Kind::Hex if i.name == "tun_id" => format!("{v:#x}"),
        Kind::Hex => hex(v),
        _ => v.to_string(),
    };
    if m == ones(i.len) {
        return one(v);
    }
    match i.kind {
        Kind::V4 | Kind::V6 => format!("{}/{}", one(v), one(m)),
        _ => format!("{}/{}", one(v), hex(m)),
    }
}

/// What is between the parentheses, or `None` if there is nothing to say.
pub(super) fn tunnel_text(key: &FlowKey, mask: Option<&Mask>, verbose: bool) -> Option<String> {
    let mask = mask.map(|m| &m.0);
    let mut parts = Vec::new();
    let mask_of = |i: &Item| mask.map_or(ones(i.len), |m| load(m, i));
    let show = |i: &Item| {
        let (v, m) = (load(key, i), mask_of(i));
        (m != 0 || verbose).then(|| format!("{}={}", i.name, value_text(i, v, m)))
    };
    let keyed = key.tun_flags() & tun_flags::KEY != 0;
    let v4 = key.tun_dst() != Ipv4Addr::UNSPECIFIED || key.tun_src() != Ipv4Addr::UNSPECIFIED;
    for i in &ITEMS {
        // An attribute that is zero was not there.
        let present = match i.name {
            "tun_id" => keyed,
            "src" | "dst" => v4 && load(key, i) != 0,
            _ => load(key, i) != 0,
        };
        if present {
            parts.extend(show(i));
        }
    }
    let nested = |items: &[Item]| items.iter().filter_map(&show).collect::<Vec<_>>().join(",");
    if GBP.iter().any(|i| load(key, i) != 0) {
        parts.push(format!("vxlan(gbp({}))", nested(&GBP)));
    }
    let options = geneve_text(key, mask);
    if key.tun_flags() & tun_flags::RAW_OPTIONS != 0 {
        parts.push(format!("geneve({options})"));
    }
    match key.u8_at(l::TUN_ERSPAN_VER) {
        1 => parts.push(format!("erspan({})", nested(&ERSPAN[..2]))),
        2 => parts.push(format!("erspan({},{})", nested(&ERSPAN[..1]), nested(&ERSPAN[2..]))),
        _ => {}
    }
    if GTPU.iter().any(|i| load(key, i) != 0) {
        parts.push(format!("gtpu({})", nested(&GTPU)));
    }
    let shown = FLAGS.all();
    let flag_mask = mask.map_or(shown, |m| m.tun_flags() as u32 & shown);
    let flags = key.tun_flags() as u32 & shown;
    if flag_mask == shown {
        parts.push(format!("flags({})", if flags == 0 { String::new() } else { FLAGS.list(flags, "|") }));
    } else if flag_mask != 0 {
        parts.push(format!("flags({})", FLAGS.signed(flags, flag_mask)));
    } else if verbose {
        parts.push(format!("flags({}/0)", hex(flags as u128)));
    }
    (!parts.is_empty() || verbose).then(|| parts.join(","))
}

fn geneve_text(key: &FlowKey, mask: Option<&FlowKey>) -> String {
    let mut out = String::new();
    for o in geneve_options(key) {
        out.push_str(&format!("{{class={:#x},type={:#x},len={}", o.class, o.kind, o.data.len()));
        if !o.data.is_empty() {
            out.push(',');
            out.push_str(&hex_bytes(o.data));
            let at = l::TUN_OPTS + o.offset + 4;
            let bits = mask.map(|m| &m.bytes()[at..at + o.data.len()]);
            if let Some(bits) = bits.filter(|b| b.iter().any(|b| *b != 0xff)) {
                out.push('/');
                out.push_str(&hex_bytes(bits));
            }
        }
        out.push('}');
    }
    out
}

/// Reads what is between the parentheses.
pub(super) fn parse_tunnel(s: &mut Scanner<'_>, key: &mut FlowKey, mask: &mut FlowKey) -> Option<()> {
    let mut flags_seen = false;
    loop {
        s.skip(",");
        if s.take(")") {
            break;
        }
        if s.take("vxlan(gbp(") {
            items(s, &GBP, key, mask)?;
            s.take(")").then_some(())?;
        } else if s.take("erspan(") {
            items(s, &ERSPAN, key, mask)?;
        } else if s.take("gtpu(") {
            items(s, &GTPU, key, mask)?;
        } else if s.take("geneve(") {
            geneve(s, key, mask)?;
        } else if s.take("flags(") {
            let inside = s.until(')')?;
            let (v, m) = if inside.is_empty() { (0, FLAGS.all()) } else { FLAGS.parse(inside).ok()? };
            let raw = key.tun_flags() & !(FLAGS.all() as u16);
            key.put(l::TUN_FLAGS, &(raw | v as u16).to_be_bytes());
            let raw = mask.tun_flags() & !(FLAGS.all() as u16);
            mask.put(l::TUN_FLAGS, &(raw | m as u16).to_be_bytes());
            flags_seen = true;
        } else {
            let i = ITEMS.iter().find(|i| s.take_key(i.name))?;
            super::parse::item_value(s, i, key, mask)?;
            if i.name == "tun_id" {
                let with_key = key.tun_flags() | tun_flags::KEY;
                key.put(l::TUN_FLAGS, &with_key.to_be_bytes());
            }
        }
    }
    // A tunnel id is a key, whatever the flags say.
    if flags_seen && load(mask, &ITEMS[0]) != 0 {
        let with_key = key.tun_flags() | tun_flags::KEY;
        key.put(l::TUN_FLAGS, &with_key.to_be_bytes());
        let m = mask.tun_flags() | tun_flags::KEY;
        mask.put(l::TUN_FLAGS, &m.to_be_bytes());
    }
    Some(())
}

fn items(s: &mut Scanner<'_>, items: &[Item], key: &mut FlowKey, mask: &mut FlowKey) -> Option<()> {
    loop {
        s.skip(",");
        if s.take(")") {
            return Some(());
        }
        let i = items.iter().find(|i| s.take_key(i.name))?;
        super::parse::item_value(s, i, key, mask)?;
    }
}

fn geneve(s: &mut Scanner<'_>, key: &mut FlowKey, mask: &mut FlowKey) -> Option<()> {
    let (mut bytes, mut bits) = (Vec::new(), Vec::new());
    while s.take("{") {
        let class = s.take_key("class").then(|| masked_number(s, 2))??;
        s.take(",").then_some(())?;
        let kind = s.take_key("type").then(|| masked_number(s, 1))??;
        s.take(",").then_some(())?;
        let len = s.take_key("len").then(|| masked_number(s, 1))??.0;
        if len % 4 != 0 || len > 124 {
            return None;
        }
        let len = len as usize;
        bytes.extend((class.0 as u16).to_be_bytes());
        bytes.extend([kind.0 as u8, (len / 4) as u8]);
        bits.extend((class.1 as u16).to_be_bytes());
        bits.extend([kind.1 as u8, 0xff]);
        let (mut data, mut data_mask) = (vec![0; len], vec![0xff; len]);
        if s.take(",") {
            data = s.long_hex(len)?;
            if s.take("/") {
                data_mask = s.long_hex(len)?;
            }
        }
        s.take("}").then_some(())?;
        bytes.extend(data);
        bits.extend(data_mask);
        s.skip(",");
        if bytes.len() > l::TUN_OPTS_LEN {
            return None;
        }
    }
    s.take(")").then_some(())?;
    key.put(l::TUN_OPTS, &bytes);
    mask.put(l::TUN_OPTS, &bits);
    key.put(l::TUN_OPTS_PRESENT, &(bytes.len() as u64).to_be_bytes());
    mask.put(l::TUN_OPTS_PRESENT, &[0xff; 8]);
    let raw = key.tun_flags() | tun_flags::RAW_OPTIONS;
    key.put(l::TUN_FLAGS, &raw.to_be_bytes());
    let raw = mask.tun_flags() | tun_flags::RAW_OPTIONS;
    mask.put(l::TUN_FLAGS, &raw.to_be_bytes());
    Some(())
}
