//! Port numbers and names.

use base::OfPort;

/// Names of the ports of a switch, where somebody knows them.
pub trait PortMap {
    /// Name of a port.
    fn port_name(&self, port: OfPort) -> Option<String>;
    /// Number of a port.
    fn port_number(&self, name: &str) -> Option<OfPort>;
}

/// Nobody knows any name.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoPorts;

impl PortMap for NoPorts {
    fn port_name(&self, _: OfPort) -> Option<String> {
        None
    }
    fn port_number(&self, _: &str) -> Option<OfPort> {
        None
    }
}

const RESERVED: [(&str, OfPort); 11] = [
    ("UNSET", OfPort::UNSET),
    ("IN_PORT", OfPort::IN_PORT),
    ("TABLE", OfPort::TABLE),
    ("NORMAL", OfPort::NORMAL),
    ("FLOOD", OfPort::FLOOD),
    ("ALL", OfPort::ALL),
    ("CONTROLLER", OfPort::CONTROLLER),
    ("LOCAL", OfPort::LOCAL),
    ("ANY", OfPort::NONE),
    ("NONE", OfPort::NONE),
    ("any", OfPort::NONE),
];

/// Name of a reserved port.
pub fn reserved_name(port: OfPort) -> Option<&'static str> {
    RESERVED.iter().find(|(_, p)| *p == port).map(|(n, _)| *n)
}

/// A port as flow text has it: a name if there is one, quoted where needed, else the number (in its 16-bit form).
pub fn port_text(port: OfPort, ports: &dyn PortMap) -> String {
    let mut out = String::new();
    put_port(&mut out, port, ports);
    out
}

/// The same, appended.
pub fn put_port(out: &mut String, port: OfPort, ports: &dyn PortMap) {
    if port.is_reserved()
        && let Some(name) = reserved_name(port)
    {
        return out.push_str(name);
    }
    match ports.port_name(port) {
        Some(name) => out.push_str(&quote_name(&name)),
        None => super::number::dec(out, port.to_u16().map_or(port.0.into(), u64::from)),
    }
}

/// A port or table name, as a JSON string unless it is a plain word.
pub fn quote_name(name: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
    let first = name.bytes().next().unwrap_or(b'0');
    if (first.is_ascii_alphabetic() || first == b'_') && name.bytes().all(plain) {
        return name.into();
    }
    let mut out = String::from("\"");
    for c in name.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if (c as u32) < 0x20 => out.push_str(&format!("\\u{:04x}", c as u32)),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Reads a port: a number, a reserved name in any case, or a name that `ports` knows. A warning for the log, if
/// any, goes to `warn`.
pub fn parse_port(text: &str, ports: &dyn PortMap, warn: &mut dyn FnMut(String)) -> Option<OfPort> {
    if let Some(n) = decimal(text) {
        if text.starts_with('-') {
            warn(format!("Negative value {text} is not a valid port number."));
            return None;
        }
        return port_from_number(n, warn);
    }
    if text.starts_with('-') {
        warn(format!("Negative value {text} is not a valid port number."));
        return None;
    }
    if let Some((_, p)) = RESERVED.iter().find(|(n, _)| n.eq_ignore_ascii_case(text)) {
        return Some(*p);
    }
    ports.port_number(text).or_else(|| ports.port_number(&unquote(text)?))
}

fn port_from_number(n: i64, warn: &mut dyn FnMut(String)) -> Option<OfPort> {
    let Ok(n) = u32::try_from(n) else { return None };
    if !(0xff00..OfPort::MAX.0).contains(&n) {
        return Some(OfPort(n));
    }
    if n <= 0xffff {
        let port = OfPort::from_u16(n as u16);
        warn(match reserved_name(port) {
            Some(name) => format!(
                "referring to port {name} as {n} is deprecated for compatibility with OpenFlow 1.1 and later"
            ),
            None => format!(
                "port {n} is a reserved OF1.0 port number that will be translated to {} when talking to an OF1.1 or later controller",
                port.0
            ),
        });
        return Some(port);
    }
    warn(format!("port {n} is outside the supported range 0 through ffff or 0xffffff00 through 0xffffffff"));
    None
}

fn decimal(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    text.strip_prefix('+').unwrap_or(text).parse().ok()
}

/// The contents of a JSON string, if `text` is one.
pub fn unquote(text: &str) -> Option<String> {
    let inner = text.strip_prefix('"')?.strip_suffix('"')?;
    let mut out = String::new();
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => return None,
            '\\' => match chars.next()? {
                'b' => out.push('\u{8}'),
                'f' => out.push('\u{c}'),
                'n' => out.push('\n'),
                'r' => out.push('\r'),
                't' => out.push('\t'),
                'u' => {
                    let hex: String = chars.by_ref().take(4).collect();
                    out.push(char::from_u32(u32::from_str_radix(&hex, 16).ok()?)?);
                }
                c @ ('"' | '\\' | '/') => out.push(c),
                _ => return None,
            },
            c => out.push(c),
        }
    }
    Some(out)
}
