//! Lists of `key`, `key=value`, `key:value`, `key(value)` and `key(value)->rest`, and numbers as C reads them.

fn is_separator(b: u8) -> bool {
    matches!(b, b',' | b' ' | b'\t' | b'\r' | b'\n')
}

/// An element of a list.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pair<'a> {
    /// The key.
    pub key: &'a str,
    /// The value; empty when there is none.
    pub value: &'a str,
    /// What stood between: `=`, `:`, `(`, or nothing.
    pub delimiter: Option<char>,
}

/// Iterates over a list.
#[derive(Clone, Debug)]
pub struct Pairs<'a> {
    rest: &'a str,
}

/// The elements of a list.
pub fn pairs(s: &str) -> Pairs<'_> {
    Pairs { rest: s }
}

impl<'a> Iterator for Pairs<'a> {
    type Item = Pair<'a>;

    fn next(&mut self) -> Option<Pair<'a>> {
        let bytes = self.rest.as_bytes();
        let start = bytes.iter().position(|b| !is_separator(*b)).unwrap_or(bytes.len());
        let s = &self.rest[start..];
        self.rest = s;
        if s.is_empty() {
            return None;
        }
        let ends = |b: u8| is_separator(b) || matches!(b, b':' | b'=' | b'(');
        let end = s.bytes().position(ends).unwrap_or(s.len());
        let key = &s[..end];
        let after = s.get(end + 1..).unwrap_or("");
        let delimiter = s.as_bytes().get(end).copied().filter(|b| !is_separator(*b)).map(char::from);
        let (value, rest) = match delimiter {
            None => ("", &s[end..]),
            Some('(') => {
                let close = close_paren(after);
                let rest = after.get(close + 1..).unwrap_or("");
                if rest.starts_with("->") {
                    after.split_at(close + 1 + value_end(rest))
                } else {
                    (&after[..close], rest)
                }
            }
            Some(_) => after.split_at(value_end(after)),
        };
        self.rest = rest;
        Some(Pair { key, value, delimiter })
    }
}

/// Where a value ends: at a separator outside parentheses.
fn value_end(s: &str) -> usize {
    let mut depth = 0usize;
    for (i, c) in s.bytes().enumerate() {
        match c {
            b'(' => depth += 1,
            b')' => depth = depth.saturating_sub(1),
            _ if depth == 0 && is_separator(c) => return i,
            _ => {}
        }
    }
    s.len()
}

/// Where the parenthesis that is open at the start of `s` closes.
fn close_paren(s: &str) -> usize {
    let mut depth = 0usize;
    for (i, c) in s.bytes().enumerate() {
        match c {
            b'(' => depth += 1,
            b')' if depth == 0 => return i,
            b')' => depth -= 1,
            _ => {}
        }
    }
    s.len()
}

/// Splits at the first of an ASCII character, which is not part of either piece. (For short texts, faster than
/// searching for a `char`.)
pub fn cut(s: &str, at: u8) -> Option<(&str, &str)> {
    let n = s.bytes().position(|b| b == at)?;
    Some((&s[..n], &s[n + 1..]))
}

/// An integer as C's `strtoll` with base 0 reads it, if that is all there is.
pub fn c_int(s: &str) -> Option<i128> {
    let s = s.trim_start();
    let (negative, digits) = match s.strip_prefix('-') {
        Some(d) => (true, d),
        None => (false, s.strip_prefix('+').unwrap_or(s)),
    };
    let n = if let Some(hex) = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        u64::from_str_radix(no_sign(hex)?, 16)
    } else if digits.len() > 1 && digits.starts_with('0') {
        u64::from_str_radix(no_sign(&digits[1..])?, 8)
    } else {
        no_sign(digits)?.parse()
    };
    let n = i128::from(n.ok()?);
    Some(if negative { -n } else { n })
}

fn no_sign(s: &str) -> Option<&str> {
    (!s.starts_with(['+', '-'])).then_some(s)
}

/// 8 bits; `what` names it in the error.
pub fn u8_named(s: &str, what: &str) -> Result<u8, String> {
    ranged(s, what, u8::MAX.into()).map(|n| n as u8)
}

/// 16 bits; `what` names it in the error.
pub fn u16_named(s: &str, what: &str) -> Result<u16, String> {
    ranged(s, what, u16::MAX.into()).map(|n| n as u16)
}

fn ranged(s: &str, what: &str, max: i128) -> Result<i128, String> {
    c_int(s).filter(|n| (0..=max).contains(n)).ok_or_else(|| format!("invalid {what} \"{s}\""))
}

/// 32 bits.
pub fn u32(s: &str) -> Result<u32, String> {
    if s.is_empty() {
        return Err("missing required numeric argument".to_string());
    }
    match c_int(s) {
        Some(n) if (0..=u32::MAX.into()).contains(&n) => Ok(n as u32),
        _ => Err(format!("invalid numeric format {s}")),
    }
}

/// The number at the front of `s`, of which the low bits count, as C's `%i` reads it; gives the rest, too.
pub fn scan_int(s: &str) -> Option<(u64, &str)> {
    let s = s.trim_start();
    let (negative, digits) = match s.strip_prefix('-') {
        Some(d) => (true, d),
        None => (false, s.strip_prefix('+').unwrap_or(s)),
    };
    let (digits, radix) = match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        Some(hex) => (hex, 16),
        None if digits.starts_with('0') => (digits, 8),
        None => (digits, 10),
    };
    let end = digits.find(|c: char| !c.is_digit(radix)).unwrap_or(digits.len());
    if end == 0 {
        return None;
    }
    let n = digits[..end]
        .chars()
        .fold(0u64, |n, c| n.wrapping_mul(radix.into()).wrapping_add(c.to_digit(radix).unwrap_or(0).into()));
    Some((if negative { n.wrapping_neg() } else { n }, &digits[end..]))
}

/// 64 bits.
pub fn u64(s: &str) -> Result<u64, String> {
    if s.is_empty() {
        return Err("missing required numeric argument".to_string());
    }
    c_int(s).map(|n| n as u64).ok_or_else(|| format!("invalid numeric format {s}"))
}

/// An Ethernet address.
pub fn mac(s: &str) -> Result<base::Mac, String> {
    base::Mac::parse(s).ok_or_else(|| format!("invalid mac address {s}"))
}

/// Splits off what stands before the first of `delimiters`, skipping empty pieces, as C's `strtok` does.
pub fn token<'a>(s: &mut &'a str, delimiters: &[char]) -> Option<&'a str> {
    let t = s.trim_start_matches(delimiters);
    if t.is_empty() {
        *s = t;
        return None;
    }
    let end = t.find(delimiters).unwrap_or(t.len());
    let (a, b) = t.split_at(end);
    *s = b.get(1..).unwrap_or("");
    Some(a)
}

/// Hexadecimal bytes, perhaps with periods between pairs.
pub fn hex_bytes(s: &str) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let b = s.as_bytes();
    let mut i = 0;
    while i < b.len() {
        if b[i] == b'.' {
            i += 1;
            continue;
        }
        let pair = b.get(i..i + 2)?;
        let text = std::str::from_utf8(pair).ok()?;
        if !pair.iter().all(u8::is_ascii_hexdigit) {
            return None;
        }
        out.push(u8::from_str_radix(text, 16).ok()?);
        i += 2;
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_as_recorded() {
        // Recorded from `ovs-ofctl parse-key-value` 3.5.0.
        let cases: &[(&str, &str)] = &[
            ("a=b,c:d e(f,g(h)),i", "a=b, c=d, e=f,g(h), i"),
            ("check(1500)->reg0[0],x", "check=1500)->reg0[0], x"),
            ("a=b(c,d)e,f", "a=b(c,d)e, f"),
            ("a(b", "a=b"),
            ("a=(b,c", "a=(b,c"),
            ("a=b)c", "a=b)c"),
            ("\"x y\"=3,\"p,q\"", "\"x, y\"=3, \"p, q\""),
            ("a(b)c,d", "a=b, c, d"),
            ("a=b:c=d", "a=b:c=d"),
            ("a=b,,c", "a=b, c"),
            ("a:b->c(d,e),f", "a=b->c(d,e), f"),
            ("=b", "=b"),
            ("a=", "a"),
            ("a()", "a"),
            ("a (b)", "a, =b"),
            ("a = b", "a, , b"),
            ("set(x)->y(z,w),k", "set=x)->y(z,w), k"),
            ("output(\"x,y\"),z", "output=\"x,y\", z"),
            ("a(b)->c->d,e", "a=b)->c->d, e"),
        ];
        for (input, expected) in cases {
            let got: Vec<String> = pairs(input)
                .map(
                    |p| if p.value.is_empty() { p.key.to_string() } else { format!("{}={}", p.key, p.value) },
                )
                .collect();
            assert_eq!(got.join(", "), *expected, "{input}");
        }
    }

    #[test]
    fn numbers() {
        assert_eq!(c_int("0x10"), Some(16));
        assert_eq!(c_int("010"), Some(8));
        assert_eq!(c_int("-1"), Some(-1));
        assert_eq!(c_int("1x"), None);
        assert_eq!(c_int(""), None);
        assert_eq!(u8_named("256", "TTL"), Err("invalid TTL \"256\"".to_string()));
    }
}
