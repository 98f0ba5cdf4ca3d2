//! Reading of matches: `field=value[/mask]` pairs and protocol short names.

use super::lex::{self, Pair};
use super::port::PortMap;
use super::value::{full_mask, parse_value};
use crate::field::Field;
use crate::key::{FlowKey, Mask, eth_type, ip_proto};
use crate::matching::Match;
use crate::prereq::key_meets;
use crate::tun::{MAX_LEN, TunLayout};
use base::OfPort;
use std::fmt;
use std::sync::Arc;

/// Why a match could not be read; its text is the message to show.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ParseError(pub String);

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ParseError {}

/// Short names of protocols: (name, Ethertype, IP protocol).
const KEYWORDS: [(&str, u16, u8); 14] = [
    ("ip", eth_type::IPV4, 0),
    ("ipv6", eth_type::IPV6, 0),
    ("arp", eth_type::ARP, 0),
    ("rarp", eth_type::RARP, 0),
    ("icmp", eth_type::IPV4, ip_proto::ICMP),
    ("tcp", eth_type::IPV4, ip_proto::TCP),
    ("udp", eth_type::IPV4, ip_proto::UDP),
    ("sctp", eth_type::IPV4, ip_proto::SCTP),
    ("icmp6", eth_type::IPV6, ip_proto::ICMPV6),
    ("tcp6", eth_type::IPV6, ip_proto::TCP),
    ("udp6", eth_type::IPV6, ip_proto::UDP),
    ("sctp6", eth_type::IPV6, ip_proto::SCTP),
    ("mpls", eth_type::MPLS, 0),
    ("mplsm", eth_type::MPLS_MULTICAST, 0),
];

/// Reads the parts of a match one by one, for callers whose text has other things between them.
pub struct MatchParser<'a> {
    /// Names of ports.
    pub ports: &'a dyn PortMap,
    /// Where tunnel options lie; without it the match gets a layout of its own.
    pub tun: Option<&'a TunLayout>,
    /// What the caller should log as warnings of module `ofp_port`.
    pub warnings: Vec<String>,
}

impl<'a> MatchParser<'a> {
    /// A parser that knows the names of ports.
    pub fn new(ports: &'a dyn PortMap) -> MatchParser<'a> {
        MatchParser { ports, tun: None, warnings: Vec::new() }
    }

    /// Applies a protocol short name or `eth`. Returns whether it is one.
    pub fn keyword(&mut self, m: &mut Match, word: &str) -> bool {
        if word == "eth" {
            m.set(Field::PACKET_TYPE, 0);
            return true;
        }
        let Some((_, ethertype, proto)) = KEYWORDS.iter().find(|(w, ..)| *w == word) else {
            return false;
        };
        m.set(Field::ETH_TYPE, *ethertype as u128);
        if *proto != 0 {
            m.set(Field::IP_PROTO, *proto as u128);
        }
        m.imply_ethernet(Field::ETH_TYPE);
        true
    }

    /// Applies `field=text`.
    pub fn field(&mut self, m: &mut Match, field: Field, text: &str) -> Result<(), ParseError> {
        // A missing value is an all-wild one.
        let text = if text.is_empty() { "0/0" } else { text };
        if let Some(n) = field.as_tun_metadata() {
            return self.tun_metadata(m, n, text);
        }
        let warnings = &mut self.warnings;
        let (value, mask) =
            parse_value(field, text, self.ports, &mut |w| warnings.push(w)).map_err(ParseError)?;
        // Zero is no version and no message: to match it says nothing.
        let unset_if_zero = matches!(
            field,
            Field::TUN_ERSPAN_VER
                | Field::TUN_ERSPAN_DIR
                | Field::TUN_ERSPAN_HWID
                | Field::TUN_GTPU_FLAGS
                | Field::TUN_GTPU_MSGTYPE
        );
        if unset_if_zero && value & mask == 0 {
            m.clear(field);
        } else if mask == full_mask(field.info()) {
            m.set(field, value);
        } else {
            m.set_masked(field, value, mask);
        }
        m.imply_ethernet(field);
        Ok(())
    }

    /// Applies `name[=value]`: a protocol or a field. `Ok(false)` if the name is neither.
    pub fn pair(&mut self, m: &mut Match, name: &str, value: &str) -> Result<bool, ParseError> {
        if value.is_empty() && self.keyword(m, name) {
            return Ok(true);
        }
        match Field::from_name(name) {
            Some(field) => self.field(m, field, value).map(|()| true),
            None => Ok(false),
        }
    }

    /// Reads a whole match.
    pub fn parse(&mut self, text: &str) -> Result<Match, ParseError> {
        let mut m = Match::any();
        for Pair { key, value, delimiter } in lex::pairs(text) {
            if !self.pair(&mut m, key, value)? {
                return Err(ParseError(match delimiter {
                    None => format!("field {key} missing value"),
                    Some(_) => format!("unknown keyword {key}"),
                }));
            }
        }
        Ok(m)
    }

    /// Reads a flow in which every field that is mentioned has one value: what a packet of that description would
    /// have for a key. Without an input port it is [`OfPort::NONE`]. Fields must follow what they need.
    pub fn parse_exact(&mut self, text: &str) -> Result<FlowKey, ParseError> {
        let mut key = FlowKey::default();
        key.set_in_port(OfPort::NONE);
        let mut seen = Mask::default();
        for p in lex::pairs(text) {
            self.exact_pair(&mut key, &mut seen, p.key, p.value)
                .map_err(|e| ParseError(format!("{text}: {e}")))?;
        }
        Ok(key)
    }

    fn exact_pair(
        &mut self,
        key: &mut FlowKey,
        seen: &mut Mask,
        name: &str,
        value: &str,
    ) -> Result<(), String> {
        if let Some((_, ethertype, proto)) = KEYWORDS.iter().find(|(w, ..)| *w == name) {
            if !seen.is_wild(Field::ETH_TYPE) {
                return Err("Ethernet type set multiple times".into());
            }
            seen.set_exact(Field::ETH_TYPE);
            key.set_eth_type(*ethertype);
            if *proto != 0 {
                if !seen.is_wild(Field::IP_PROTO) {
                    return Err("network protocol set multiple times".into());
                }
                seen.set_exact(Field::IP_PROTO);
                key.set(Field::IP_PROTO, *proto as u128);
            }
            return Ok(());
        }
        let field = Field::from_name(name).ok_or_else(|| format!("unknown field {name}"))?;
        if !key_meets(key, field.info().prereq) {
            return Err(format!("prerequisites not met for setting {name}"));
        }
        if !seen.is_wild(field) {
            return Err(format!("field {name} set multiple times"));
        }
        let bad = |e: String| format!("bad value for {name} ({e})");
        let wild = || bad(format!("{value}: wildcards not allowed here"));
        if let Some(n) = field.as_tun_metadata() {
            let mut m = Match { key: key.clone(), ..Match::default() };
            self.tun_metadata(&mut m, n, value).map_err(|e| bad(e.0))?;
            if value.contains(['*', '/']) {
                return Err(wild());
            }
            *key = m.key;
            return Ok(());
        }
        let warnings = &mut self.warnings;
        let (v, mask) = parse_value(field, value, self.ports, &mut |w| warnings.push(w)).map_err(bad)?;
        if mask & full_mask(field.info()) != full_mask(field.info()) {
            return Err(wild());
        }
        key.set(field, v);
        seen.set_exact(field);
        Ok(())
    }

    fn tun_metadata(&mut self, m: &mut Match, n: u8, text: &str) -> Result<(), ParseError> {
        let name = Field::tun_metadata(n).name();
        let (value, mask) = parse_option(text, name)?;
        let len = value.len().max(mask.as_ref().map_or(0, Vec::len));
        let layout = match self.tun {
            Some(layout) => *layout,
            None => {
                let mut own = m.tun.as_deref().copied().unwrap_or_default();
                let len = match &mask {
                    Some(k) => k.len(),
                    None => value.len(),
                };
                if len > 0 && own.len_of(n) == 0 && own.allot(n, len).is_none() {
                    return Err(ParseError(format!("{text}: no room for {name}")));
                }
                own.set_masked(n, mask.is_some());
                m.tun = Some(Arc::new(own));
                own
            }
        };
        let room = layout.len_of(n);
        if self.tun.is_some() && len > room {
            return Err(ParseError(format!("{text}: value too large for {room}-byte field {name}")));
        }
        let full = vec![0xff; room];
        let mask = right_aligned(mask.as_deref().unwrap_or(&full), room);
        let value = right_aligned(&value, room);
        if let Some(bytes) = layout.bytes_mut(&mut m.key, n) {
            for (b, (v, k)) in bytes.iter_mut().zip(value.iter().zip(&mask)) {
                *b = v & k;
            }
        }
        if let Some(bytes) = layout.bytes_mut(&mut m.mask.0, n) {
            bytes.copy_from_slice(&mask);
        }
        TunLayout::set_present(&mut m.key, n, true);
        TunLayout::set_present(&mut m.mask.0, n, true);
        Ok(())
    }
}

/// Reads the value of a tunnel option, and its mask if there is one: the significant bytes of each.
pub fn parse_option(text: &str, name: &str) -> Result<(Vec<u8>, Option<Vec<u8>>), ParseError> {
    Ok(match text.split_once('/') {
        _ if text == "*" => (vec![], Some(vec![])),
        Some((v, k)) => (option_bytes(v, text, name, "value")?, Some(option_bytes(k, text, name, "mask")?)),
        None => (option_bytes(text, text, name, "value")?, None),
    })
}

/// The last `len` bytes, with zeros in front if there are fewer.
pub fn right_aligned(bytes: &[u8], len: usize) -> Vec<u8> {
    let mut out = vec![0; len.saturating_sub(bytes.len())];
    out.extend_from_slice(&bytes[bytes.len().saturating_sub(len)..]);
    out
}

/// The significant bytes of a number of any length.
fn option_bytes(number: &str, text: &str, name: &str, what: &str) -> Result<Vec<u8>, ParseError> {
    let syntax = || ParseError(format!("{text}: bad syntax for {name} {what}"));
    let Some(hex) = number.strip_prefix("0x").or_else(|| number.strip_prefix("0X")) else {
        let n = super::value::parse_int(number, 8).ok_or_else(syntax)?;
        let n =
            n.ok_or_else(|| ParseError(format!("{text}: {what} too large for {MAX_LEN}-byte field {name}")))?;
        let bytes = (n as u64).to_be_bytes();
        return Ok(bytes.into_iter().skip_while(|b| *b == 0).collect());
    };
    if !hex.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(syntax());
    }
    let digits = hex.trim_start_matches('0');
    if digits.len() > 2 * MAX_LEN {
        return Err(ParseError(format!("{text}: {what} too large for {MAX_LEN}-byte field {name}")));
    }
    let padded = format!("{}{digits}", if digits.len() % 2 == 1 { "0" } else { "" });
    Ok((0..padded.len())
        .step_by(2)
        .map(|i| u8::from_str_radix(&padded[i..i + 2], 16).expect("digits were checked"))
        .collect())
}
