//! Commands that try a codec: bytes or their text on standard input, what was understood on standard output.

use super::context::{Context, print};
use crate::fatal::Fatal;
use flow::Match;
use flow::text::{Style, match_text};
use openflow::Action;
use openflow::action::text::{Outer, format_list};
use openflow::buf::{Decode, Reader};
use openflow::text::packet::hex_prefix;
use openflow::version::Version;
use openflow::{NoNames, action, fixed_match, oxm};
use std::io::BufRead;
use std::process::ExitCode;

/// Lines of standard input that say something, without comments.
fn lines(mut each: impl FnMut(&str) -> Result<(), Fatal>) -> Result<ExitCode, Fatal> {
    for line in std::io::stdin().lock().lines() {
        let line = line.map_err(|e| Fatal::new(reactor::errno::text(&e)))?;
        let text = line.split('#').next().unwrap_or_default().trim();
        if text.is_empty() {
            continue;
        }
        each(text)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn version(name: &str) -> Result<Version, Fatal> {
    Version::from_name(name).ok_or_else(|| Fatal::new(format!("{name}: not a valid OpenFlow version")))
}

fn hex_line(text: &str) -> Result<Vec<u8>, Fatal> {
    let compact: String = text.split_ascii_whitespace().collect();
    let (bytes, rest) = hex_prefix(&compact);
    if rest.is_empty() { Ok(bytes) } else { Err(Fatal::new("Trailing garbage in hex data")) }
}

/// The bytes that differ after decoding and encoding again.
fn differences(a: &[u8], b: &[u8]) -> String {
    let mut out = String::new();
    if a.len() != b.len() {
        out.push_str(&format!("mismatch in length: {} vs {}\n", a.len(), b.len()));
    }
    for (i, (x, y)) in a.iter().zip(b).enumerate().filter(|(_, (x, y))| x != y) {
        out.push_str(&format!("{i:2}: {x:02x} -> {y:02x}\n"));
    }
    out
}

type DecodeList = fn(&[u8], Version) -> Decode<Vec<Action>>;
type EncodeList = fn(&[Action], Version, &mut Vec<u8>);

fn actions(c: &Context, args: &[String], decode: DecodeList, encode: EncodeList) -> Result<ExitCode, Fatal> {
    let version = version(&args[0])?;
    lines(|text| {
        let bytes = hex_line(text)?;
        match decode(&bytes, version) {
            Err(e) => {
                c.log_notes(&e.log);
                print(&format!("bad {version} actions: {}\n\n", e.error));
            }
            Ok(list) => {
                let mut f = c.fmt(&NoNames);
                f.put("actions=");
                format_list(&list, &mut f);
                let mut again = Vec::new();
                encode(&list, version, &mut again);
                print(&format!("{}\n{}\n", f.out, differences(&bytes, &again)));
            }
        }
        Ok(())
    })
}

pub fn parse_actions(c: &mut Context, args: &[String]) -> Result<ExitCode, Fatal> {
    actions(
        c,
        args,
        |bytes, version| action::wire::decode(bytes, version, Outer::Bucket),
        action::wire::encode,
    )
}

pub fn parse_instructions(c: &mut Context, args: &[String]) -> Result<ExitCode, Fatal> {
    actions(c, args, action::instruction::decode_instructions, action::instruction::encode_instructions)
}

pub fn parse_ofp10_match(_: &mut Context, _: &[String]) -> Result<ExitCode, Fatal> {
    lines(|text| {
        let bytes = hex_line(text)?;
        if bytes.len() != 40 {
            return Err(Fatal::new(format!("received {} bytes, expected 40", bytes.len())));
        }
        let mut m = Match::any();
        match fixed_match::pull_of10(&mut Reader::new(&bytes), &mut m) {
            Err(e) => print(&format!("bad ofp10_match: {}\n\n", e.error)),
            Ok(()) => {
                let mut again = Vec::new();
                fixed_match::put_of10(&mut again, &m);
                let mut out =
                    format!("{}\n{}", match_text(&m, None, Style::default()), differences(&bytes, &again));
                let mut normal = m;
                normal.normalize();
                let mut last = Vec::new();
                fixed_match::put_of10(&mut last, &normal);
                for line in differences(&again, &last).lines() {
                    out.push_str(&format!("normal: {line}\n"));
                }
                print(&format!("{out}\n"));
            }
        }
        Ok(())
    })
}

pub fn parse_ofp11_match(_: &mut Context, _: &[String]) -> Result<ExitCode, Fatal> {
    lines(|text| {
        let bytes = hex_line(text)?;
        if bytes.len() != 88 {
            return Err(Fatal::new(format!("received {} bytes, expected 88", bytes.len())));
        }
        let mut m = Match::any();
        match fixed_match::pull_of11(&mut Reader::new(&bytes), &mut m) {
            Err(e) => print(&format!("bad ofp11_match: {}\n\n", e.error)),
            Ok(()) => {
                let mut again = Vec::new();
                fixed_match::put_of11(&mut again, &m);
                print(&format!(
                    "{}\n{}\n",
                    match_text(&m, None, Style::default()),
                    differences(&bytes, &again)
                ));
            }
        }
        Ok(())
    })
}

pub fn parse_nxm(c: &mut Context, _: &[String]) -> Result<ExitCode, Fatal> {
    extensible(c, Version::V10)
}

pub fn parse_oxm(c: &mut Context, args: &[String]) -> Result<ExitCode, Fatal> {
    let version = version(&args[0])?;
    if version < Version::V12 {
        return Err(Fatal::new(format!("{}: not a valid OXM version", args[0])));
    }
    extensible(c, version)
}

fn extensible(c: &Context, version: Version) -> Result<ExitCode, Fatal> {
    lines(|text| {
        let bytes = entries(text, version).map_err(Fatal::new)?;
        let cx = oxm::MatchCx { strict: c.settings.strict, tun: None, pipeline_only: false };
        let mut m = Match::any();
        match oxm::pull_match_raw(&bytes, &cx, version == Version::V10, &mut m) {
            Err(e) => {
                c.log_notes(&e.log);
                print(&format!("nx_pull_match() returned error {}\n", e.error));
            }
            Ok(cookie) => {
                let mut again = Vec::new();
                oxm::put_match_raw(&mut again, &m, version, cookie);
                print(&format!("{}\n", openflow::text::print::entries_text(&again)));
            }
        }
        Ok(())
    })
}

/// `NXM_OF_IN_PORT(0001), NXM_OF_IP_SRC_W(0a000000/ff000000)` as bytes.
fn entries(text: &str, version: Version) -> Result<Vec<u8>, String> {
    let mut out = Vec::new();
    if text == "<any>" {
        return Ok(out);
    }
    let mut rest = text.trim_start_matches([' ', ',']);
    while !rest.is_empty() {
        let open = rest.find('(').ok_or_else(|| format!("{text}: missing ( at end of nx_match"))?;
        let name = &rest[..open];
        let close = rest.find(')').ok_or_else(|| format!("{text}: missing ) following field value"))?;
        let inner = &rest[open + 1..close];
        let masked = name.ends_with("_W");
        let plain = name.strip_suffix("_W").unwrap_or(name);
        let field = flow::Field::from_header_name(plain)
            .map(|(f, _)| f)
            .or_else(|| flow::Field::from_name(plain))
            .ok_or_else(|| format!("{text}: unknown field `{name}'"))?;
        let n = usize::from(field.info().bits.div_ceil(8));
        oxm::put_header(&mut out, field, version, masked);
        let (value, mask) = inner.split_once('/').unwrap_or((inner, ""));
        for part in [Some(value), masked.then_some(mask)].into_iter().flatten() {
            let compact: String = part.split_ascii_whitespace().collect();
            let (bytes, junk) = hex_prefix(&compact);
            if !junk.is_empty() || bytes.len() != n {
                return Err(format!("{text}: hex digits expected in value"));
            }
            out.extend_from_slice(&bytes);
        }
        rest = rest[close + 1..].trim_start_matches([' ', ',']);
    }
    Ok(out)
}

pub fn check_vlan(c: &mut Context, args: &[String]) -> Result<ExitCode, Fatal> {
    let number = |s: &str| {
        let digits = s.trim_start_matches("0x");
        let end = digits.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(digits.len());
        u64::from_str_radix(&digits[..end], 16).unwrap_or(0) as u16
    };
    let (tci, mask) = (number(&args[0]), number(&args[1]));
    let mut m = Match::any();
    m.set_masked(flow::Field::VLAN_TCI, u128::from(tci), u128::from(mask));
    let vlan = |m: &Match| {
        let (value, mask) = m.get(flow::Field::VLAN_TCI);
        format!("{value:04x}/{mask:04x}")
    };
    let mut out = format!("{} -> {}\n", match_text(&m, None, Style::default()), vlan(&m));
    for (name, version) in [("NXM", Version::V10), ("OXM", Version::V12)] {
        let mut bytes = Vec::new();
        oxm::put_match_raw(&mut bytes, &m, version, (0, 0));
        let cx = oxm::MatchCx { strict: true, tun: None, pipeline_only: false };
        let mut back = Match::any();
        let read = match oxm::pull_match_raw(&bytes, &cx, false, &mut back) {
            Ok(_) if name == "OXM" => {
                let (value, mask) = back.get(flow::Field::VLAN_VID);
                let (pcp, pcp_mask) = back.get(flow::Field::VLAN_PCP);
                let pcp = if pcp_mask == 0 { "--".to_string() } else { format!("{pcp:02x}") };
                format!("{value:04x}/{mask:04x},{pcp}")
            }
            Ok(_) => vlan(&back),
            Err(e) => {
                c.log_notes(&e.log);
                e.error.to_string()
            }
        };
        let entries = openflow::text::print::entries_text(&bytes);
        out.push_str(&format!("{name}: {entries} -> {read}\n"));
    }
    let mut bytes = Vec::new();
    fixed_match::put_of10(&mut bytes, &m);
    let wild = u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    let mut back = Match::any();
    fixed_match::pull_of10(&mut Reader::new(&bytes), &mut back)
        .map_err(|e| Fatal::new(e.error.to_string()))?;
    out.push_str(&format!(
        "OF1.0: {:02x}{:02x}/{},{:02x}/{} -> {}\n",
        bytes[18],
        bytes[19],
        wild >> 1 & 1,
        bytes[20],
        wild >> 20 & 1,
        vlan(&back)
    ));
    let mut bytes = Vec::new();
    fixed_match::put_of11(&mut bytes, &m);
    let wild = u32::from_be_bytes([bytes[8], bytes[9], bytes[10], bytes[11]]);
    let mut back = Match::any();
    fixed_match::pull_of11(&mut Reader::new(&bytes), &mut back)
        .map_err(|e| Fatal::new(e.error.to_string()))?;
    out.push_str(&format!(
        "OF1.1: {:02x}{:02x}/{},{:02x}/{} -> {}\n",
        bytes[36],
        bytes[37],
        wild >> 1 & 1,
        bytes[38],
        wild >> 2 & 1,
        vlan(&back)
    ));
    print(&out);
    Ok(ExitCode::SUCCESS)
}
