//! Values to text.

use super::Value;
use std::fmt::Write;

impl Value {
    /// Appends the compact form.
    pub fn write(&self, out: &mut String) {
        match self {
            Value::Null => out.push_str("null"),
            Value::Bool(true) => out.push_str("true"),
            Value::Bool(false) => out.push_str("false"),
            Value::Integer(i) => write_integer(out, *i),
            Value::Real(r) => write_real(out, *r),
            Value::String(s) => write_string(out, s),
            Value::Array(a) => {
                out.push('[');
                for (i, v) in a.iter().enumerate() {
                    if i > 0 {
                        out.push(',');
                    }
                    v.write(out);
                }
                out.push(']');
            }
            Value::Object(o) => {
                out.push('{');
                for (i, (k, v)) in o.iter().enumerate() {
                    if i > 0 {
                        out.push(',');
                    }
                    write_string(out, k);
                    out.push(':');
                    v.write(out);
                }
                out.push('}');
            }
        }
    }

    /// The pretty form: one member or element a line, two spaces for each level, closing brackets where the
    /// last line ends.
    pub fn to_pretty(&self) -> String {
        let mut out = String::new();
        self.write_pretty(&mut out, 0);
        out
    }

    fn write_pretty(&self, out: &mut String, depth: usize) {
        let indent = |out: &mut String, first: bool| {
            out.push_str(if first { "\n" } else { ",\n" });
            for _ in 0..=depth {
                out.push_str("  ");
            }
        };
        match self {
            Value::Array(a) => {
                out.push('[');
                for (i, v) in a.iter().enumerate() {
                    indent(out, i == 0);
                    v.write_pretty(out, depth + 1);
                }
                out.push(']');
            }
            Value::Object(o) => {
                out.push('{');
                for (i, (k, v)) in o.iter().enumerate() {
                    indent(out, i == 0);
                    write_string(out, k);
                    out.push_str(": ");
                    v.write_pretty(out, depth + 1);
                }
                out.push('}');
            }
            _ => self.write(out),
        }
    }
}

fn write_integer(out: &mut String, i: i64) {
    // Writing to a String cannot fail.
    let _ = write!(out, "{i}");
}

/// Appends `s` quoted and escaped.
pub fn write_string(out: &mut String, s: &str) {
    out.push('"');
    let mut start = 0;
    for (i, b) in s.bytes().enumerate() {
        if b >= 0x20 && b != b'"' && b != b'\\' {
            continue;
        }
        out.push_str(&s[start..i]);
        start = i + 1;
        match b {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            8 => out.push_str("\\b"),
            12 => out.push_str("\\f"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            _ => {
                let _ = write!(out, "\\u{b:04x}");
            }
        }
    }
    out.push_str(&s[start..]);
    out.push('"');
}

/// `r` with 15 significant digits, in the shorter of plain and exponential notation (C's `%.15g`).
pub fn format_real(r: f64) -> String {
    let mut s = String::new();
    write_real(&mut s, r);
    s
}

/// Appends `r` with 15 significant digits, as [`format_real`].
pub fn write_real(out: &mut String, r: f64) {
    const DIGITS: i32 = 15;
    if r == 0.0 {
        out.push('0');
        return;
    }
    if !r.is_finite() {
        // Values are finite; what is computed and is not has no JSON form.
        out.push_str(if r.is_nan() {
            "nan"
        } else if r > 0.0 {
            "inf"
        } else {
            "-inf"
        });
        return;
    }
    let text = format!("{:.*e}", (DIGITS - 1) as usize, r);
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let trim = |s: &str| -> String {
        if s.contains('.') { s.trim_end_matches('0').trim_end_matches('.').to_owned() } else { s.to_owned() }
    };
    if (-4..DIGITS).contains(&exponent) {
        let decimals = (DIGITS - 1 - exponent) as usize;
        out.push_str(&trim(&format!("{r:.decimals$}")));
    } else {
        let sign = if exponent < 0 { '-' } else { '+' };
        let _ = write!(out, "{}e{sign}{:02}", trim(mantissa), exponent.abs());
    }
}
