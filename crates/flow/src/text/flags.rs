//! Bit sets with a name for each bit: `ct_state`, `tcp_flags`, `tun_flags`.

/// A set of named bits.
#[derive(Debug)]
pub struct FlagSet {
    /// What error messages call it.
    pub what: &'static str,
    /// (name, bit).
    pub names: &'static [(&'static str, u32)],
}

/// Connection tracking state.
pub const CT_STATE: FlagSet = FlagSet {
    what: "ct_state",
    names: &[
        ("new", 0x01),
        ("est", 0x02),
        ("rel", 0x04),
        ("rpl", 0x08),
        ("inv", 0x10),
        ("trk", 0x20),
        ("snat", 0x40),
        ("dnat", 0x80),
    ],
};

/// TCP flags.
pub const TCP: FlagSet = FlagSet {
    what: "TCP",
    names: &[
        ("fin", 0x001),
        ("syn", 0x002),
        ("rst", 0x004),
        ("psh", 0x008),
        ("ack", 0x010),
        ("urg", 0x020),
        ("ece", 0x040),
        ("cwr", 0x080),
        ("ns", 0x100),
        ("[200]", 0x200),
        ("[400]", 0x400),
        ("[800]", 0x800),
    ],
};

/// Tunnel flags that OpenFlow shows.
pub const TUNNEL: FlagSet = FlagSet { what: "tunnel", names: &[("oam", 0x1)] };

/// Tunnel flags that a packet's key has.
pub const TUNNEL_ALL: FlagSet =
    FlagSet { what: "tunnel", names: &[("oam", 0x1), ("df", 0x2), ("csum", 0x4), ("key", 0x8)] };

impl FlagSet {
    /// All bits that have a name.
    pub fn all(&self) -> u32 {
        self.names.iter().fold(0, |a, (_, b)| a | b)
    }

    /// `a|b|c`, or `0`; unnamed bits as a hexadecimal number at the end.
    pub fn list(&self, bits: u32, separator: &str) -> String {
        if bits == 0 {
            return "0".into();
        }
        let mut parts: Vec<String> =
            self.names.iter().filter(|(_, b)| bits & b != 0).map(|(n, _)| (*n).into()).collect();
        let rest = bits & !self.all();
        if rest != 0 {
            parts.push(format!("{rest:#x}"));
        }
        parts.join(separator)
    }

    /// As in a match: the list when every bit counts, else signs: `+a-b`.
    pub fn masked(&self, bits: u32, mask: u32) -> String {
        let mut out = String::new();
        self.put_masked(&mut out, bits, mask);
        out
    }

    /// The same, appended.
    pub fn put_masked(&self, out: &mut String, bits: u32, mask: u32) {
        let all = self.all();
        if mask & all == all {
            return out.push_str(&self.list(bits & all, "|"));
        }
        self.put_signed(out, bits, mask);
    }

    /// `+a-b` for the bits in `mask`.
    pub fn signed(&self, bits: u32, mask: u32) -> String {
        let mut out = String::new();
        self.put_signed(&mut out, bits, mask);
        out
    }

    fn put_signed(&self, out: &mut String, bits: u32, mask: u32) {
        for (name, bit) in self.names {
            if mask & bit != 0 {
                out.push(if bits & bit != 0 { '+' } else { '-' });
                out.push_str(name);
            }
        }
    }

    /// Reads `+a-b`, `a|b`, or a number with an optional mask.
    pub fn parse(&self, text: &str) -> Result<(u32, u32), String> {
        let unknown = |s: &str| format!("{s}: unknown {} flag(s)", self.what);
        let all = self.all();
        if text.starts_with(['+', '-']) {
            return self.parse_signed(text);
        }
        if text.starts_with(|c: char| c.is_ascii_digit()) {
            let (v, m) = match text.split_once('/') {
                Some((v, m)) => (number(v), number(m)),
                None => (number(text), Some(all)),
            };
            return match (v, m) {
                (Some(v), Some(m)) if v & !all == 0 && m & !all == 0 => Ok((v, m)),
                _ => Err(unknown(text)),
            };
        }
        let mut bits = 0;
        let body = text.strip_suffix('|').unwrap_or(text);
        for name in body.split('|') {
            match self.names.iter().find(|(n, _)| *n == name) {
                Some((_, b)) => bits |= b,
                None => return Err(unknown(text)),
            }
        }
        Ok((bits, all))
    }

    fn parse_signed(&self, text: &str) -> Result<(u32, u32), String> {
        let (mut bits, mut mask) = (0, 0);
        let mut rest = text;
        while let Some(sign) = rest.chars().next() {
            let body = &rest[1..];
            let end = body.find(['+', '-']).unwrap_or(body.len());
            let name = &body[..end];
            let Some((_, bit)) = self.names.iter().find(|(n, _)| *n == name) else {
                return Err(format!("{body}: unknown {} flag(s)", self.what));
            };
            if mask & bit != 0 {
                return Err(format!("{body}: Each {} flag can be specified only once", self.what));
            }
            mask |= bit;
            if sign == '+' {
                bits |= bit;
            }
            rest = &body[end..];
        }
        Ok((bits, mask))
    }
}

/// A number in C's notation (0x hexadecimal, 0 octal, else decimal): its low 32 bits.
fn number(s: &str) -> Option<u32> {
    let (digits, radix) = match s.strip_prefix("0x").or_else(|| s.strip_prefix("0X")) {
        Some(h) => (h, 16),
        None if s.len() > 1 && s.starts_with('0') => (&s[1..], 8),
        None => (s, 10),
    };
    if digits.is_empty() {
        return None;
    }
    let mut n = 0u64;
    for c in digits.chars() {
        n = n.wrapping_mul(radix.into()).wrapping_add(c.to_digit(radix)?.into());
    }
    Some(n as u32)
}
