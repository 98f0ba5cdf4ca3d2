//! The text of values, as people read and type them: `[1, 2]`, `{a=b, "c d"=e}`, `"quoted"`.
//!
//! Three styles are printed: *string*, which reads back; *bare*, for scripts, without any punctuation; and
//! JSON. What is read is more liberal than what is printed: brackets may be left out, commas may be spaces, a
//! range `1-5` stands for its members in a set of integers. The wording of complaints is what the command line
//! shows.

use crate::atom::{Atom, AtomType};
use crate::datum::Datum;
use crate::error::Error;
use crate::json::{self, Value};
use crate::types::{BaseType, ColumnType};
use crate::uuid::Uuid;
use std::fmt::Write;

/// Characters that end a token.
const DELIMITERS: &[u8] = b":=, []{}!<>";

/// How many members a range without other limits may stand for.
const MAX_RANGE: i128 = 1 << 24;

/// Appends an atom in string style.
pub fn write_atom(out: &mut String, atom: &Atom) {
    match atom {
        Atom::Integer(i) => {
            let _ = write!(out, "{i}");
        }
        Atom::Real(r) => json::write_real(out, *r),
        Atom::Boolean(b) => out.push_str(if *b { "true" } else { "false" }),
        Atom::String(s) if needs_quotes(s) => json::write_string(out, s),
        Atom::String(s) => out.push_str(s),
        Atom::Uuid(u) => {
            let _ = write!(out, "{u}");
        }
    }
}

/// An atom in string style.
pub fn atom_to_string(atom: &Atom) -> String {
    let mut s = String::new();
    write_atom(&mut s, atom);
    s
}

/// An atom in bare style.
pub fn atom_to_bare(atom: &Atom) -> String {
    match atom {
        Atom::String(s) => s.to_string(),
        _ => atom_to_string(atom),
    }
}

/// Whether a string has to be quoted so that it is not taken for something else.
fn needs_quotes(s: &str) -> bool {
    let bytes = s.as_bytes();
    let first = bytes.first().is_some_and(|b| b.is_ascii_alphabetic() || *b == b'_');
    let rest = bytes.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'));
    !first || !rest || s == "true" || s == "false" || s.parse::<Uuid>().is_ok()
}

/// A value of type `of` in string style.
pub fn datum_to_string(datum: &Datum, of: &ColumnType) -> String {
    let mut out = String::new();
    let brackets =
        if of.is_map() { Some(('{', '}')) } else { (of.max > 1 || datum.is_empty()).then_some(('[', ']')) };
    out.extend(brackets.map(|b| b.0));
    for (i, key) in datum.keys().enumerate() {
        if i > 0 {
            out.push_str(", ");
        }
        write_atom(&mut out, key);
        if of.is_map() {
            out.push('=');
            write_atom(&mut out, &datum.pairs()[i].1);
        }
    }
    out.extend(brackets.map(|b| b.1));
    out
}

/// A value of type `of` in bare style.
pub fn datum_to_bare(datum: &Datum, of: &ColumnType) -> String {
    let mut out = String::new();
    for (i, key) in datum.keys().enumerate() {
        if i > 0 {
            out.push(' ');
        }
        out.push_str(&atom_to_bare(key));
        if of.is_map() {
            out.push('=');
            out.push_str(&atom_to_bare(&datum.pairs()[i].1));
        }
    }
    out
}

/// Who knows what `@name` stands for.
pub trait NamedRows {
    /// The UUID for `@name`, which need not exist yet.
    fn named(&mut self, name: &str) -> Uuid;
}

/// Splits the first token off `s`: up to a delimiter outside quotes. Returns it as written, and the rest.
pub fn token(s: &str) -> Result<(&str, &str), String> {
    let mut quoted = false;
    let mut bytes = s.bytes().enumerate();
    while let Some((i, b)) = bytes.next() {
        match b {
            b'"' => quoted = !quoted,
            b'\\' if bytes.next().is_none() => {
                return Err(format!("{s}: backslash at end of argument"));
            }
            b'\\' => {}
            _ if !quoted && DELIMITERS.contains(&b) => return Ok(s.split_at(i)),
            _ => {}
        }
    }
    if quoted { Err(format!("{s}: quoted string extends past end of argument")) } else { Ok((s, "")) }
}

/// The meaning of one token as a string: unquoted if quoted.
pub fn unquote(s: &str) -> Result<String, String> {
    if !s.starts_with('"') {
        return Ok(s.to_owned());
    }
    if s.len() < 2 || !s.ends_with('"') {
        return Err(format!("{s}: missing quote at end of quoted string"));
    }
    // The JSON of a string: it is parsed inside an array and taken out again.
    match json::parse(format!("[{s}]")) {
        Ok(Value::Array(a)) if a.len() == 1 => {
            a.first().and_then(Value::as_str).map(str::to_owned).ok_or_else(|| format!("{s}: bad string"))
        }
        Ok(_) => Err(format!("{s}: missing quote at end of quoted string")),
        Err(e) => {
            let reason = e.split_once(": ").map_or(e.as_str(), |p| p.1);
            Err(format!("{s}: {reason}"))
        }
    }
}

/// Reads one atom from the whole of `s` and checks it against `base`.
pub fn parse_atom(s: &str, base: &BaseType, names: Option<&mut dyn NamedRows>) -> Result<Atom, String> {
    let (atom, end) = parse_atom_or_range(s, base, names)?;
    match end {
        None => Ok(atom),
        Some(_) => Err(format!("\"{s}\" is not a valid integer or range")),
    }
}

/// Reads one atom, or a range of integers as its first and last.
fn parse_atom_or_range(
    s: &str,
    base: &BaseType,
    names: Option<&mut dyn NamedRows>,
) -> Result<(Atom, Option<i64>), String> {
    if s.is_empty() {
        return Err("An empty string is not valid as input; use \"\" to represent the empty string".into());
    }
    let mut end = None;
    let atom = match base.kind {
        AtomType::Integer => {
            let (first, last) = integer_or_range(s)?;
            end = last;
            Atom::Integer(first)
        }
        AtomType::Real => match parse_real(s) {
            Some(r) => Atom::from(r),
            None => return Err(format!("\"{s}\" is not a valid real number")),
        },
        AtomType::Boolean => match s {
            "true" | "yes" | "on" | "1" => Atom::Boolean(true),
            "false" | "no" | "off" | "0" => Atom::Boolean(false),
            _ => return Err(format!("\"{s}\" is not a valid boolean (use \"true\" or \"false\")")),
        },
        AtomType::String => Atom::from(unquote(s)?),
        AtomType::Uuid => match (s.strip_prefix('@'), names) {
            (Some(_), Some(names)) => Atom::Uuid(names.named(s)),
            _ => Atom::Uuid(s.parse().map_err(|()| format!("\"{s}\" is not a valid UUID"))?),
        },
    };
    base.check(&atom).map_err(|e| e.to_string())?;
    if let Some(last) = end {
        base.check(&Atom::Integer(last)).map_err(|e| e.to_string())?;
    }
    Ok((atom, end))
}

fn parse_real(s: &str) -> Option<f64> {
    let t = s.trim_start();
    let unsigned = t.strip_prefix(['+', '-']).unwrap_or(t);
    // Rust also takes "inf", "nan" and "infinity".
    let digits = unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.');
    t.parse::<f64>().ok().filter(|r| digits && r.is_finite() && (*r == 0.0 || r.is_normal()))
}

fn integer_or_range(s: &str) -> Result<(i64, Option<i64>), String> {
    let bad = || format!("\"{s}\" is not a valid integer or range");
    let integer = |t: &str| -> Option<i64> {
        let t = t.trim_start();
        let digits = t.strip_prefix(['+', '-']).unwrap_or(t);
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) { None } else { t.parse().ok() }
    };
    if let Some(i) = integer(s) {
        return Ok((i, None));
    }
    let after_sign = s.len() - s.trim_start().len() + 1;
    let dash = s.get(after_sign..).and_then(|t| t.find('-')).map(|i| i + after_sign).ok_or_else(bad)?;
    let first = integer(&s[..dash]).ok_or_else(bad)?;
    let last = integer(&s[dash + 1..]).ok_or_else(bad)?;
    if last < first {
        return Err(format!("\"{s}\" is not a valid range. Range end cannot be before start."));
    }
    Ok((first, Some(last)))
}

/// Reads a value of type `of` as it is typed on a command line.
pub fn parse_datum(s: &str, of: &ColumnType, mut names: Option<&mut dyn NamedRows>) -> Result<Datum, String> {
    let text = s;
    let mut p = s.trim_start_matches(' ');
    let (open, close) = if of.is_map() { ('{', '}') } else { ('[', ']') };
    let bracket = p.strip_prefix(open);
    if let Some(rest) = bracket {
        p = rest;
    } else if p.is_empty() {
        let what = if of.is_map() { "map" } else { "set" };
        return Err(format!("use \"{open}{close}\" to specify the empty {what}"));
    }
    let mut keys: Vec<Atom> = Vec::new();
    let mut values: Vec<Atom> = Vec::new();
    loop {
        p = p.trim_start_matches(' ');
        let Some(c) = p.chars().next() else {
            if bracket.is_some() {
                return Err(format!("{text}: missing \"{close}\" at end of data"));
            }
            break;
        };
        if c.is_ascii() && DELIMITERS.contains(&(c as u8)) {
            if bracket.is_some() && c == close {
                let rest = p[1..].trim_start_matches(' ');
                if !rest.is_empty() {
                    return Err(format!("{text}: trailing garbage after \"{close}\""));
                }
                break;
            }
            return Err(format!("{text}: unexpected \"{c}\" parsing {}", of.to_english()));
        }
        let start = p;
        let (word, rest) = token(p)?;
        p = rest;
        if let Some(value_type) = &of.value {
            keys.push(parse_atom(word, &of.key, names.as_deref_mut().map(|n| n as _))?);
            p = p.trim_start_matches(' ');
            p = match p.chars().next() {
                Some('=') => p[1..].trim_start_matches(' '),
                // A message about the end of the text ends with the text.
                None => return Err(format!("{start}: syntax error at \"")),
                Some(c) => return Err(format!("{start}: syntax error at \"{c}\" expecting \"=\"")),
            };
            let (word, rest) = token(p)?;
            p = rest;
            values.push(parse_atom(word, value_type, names.as_deref_mut().map(|n| n as _))?);
        } else {
            let (first, last) = parse_atom_or_range(word, &of.key, names.as_deref_mut().map(|n| n as _))?;
            let low = first.as_integer().unwrap_or(0);
            keys.push(first);
            if let Some(last) = last {
                if i128::from(last) - i128::from(low) > MAX_RANGE {
                    return Err(format!("\"{word}\" is not a valid range. It has too many members."));
                }
                keys.extend((low..=last).skip(1).map(Atom::Integer));
            }
        }
        p = p.trim_start_matches(' ');
        p = p.strip_prefix(',').unwrap_or(p);
    }
    finish(text, of, keys, values)
}

fn finish(text: &str, of: &ColumnType, keys: Vec<Atom>, values: Vec<Atom>) -> Result<Datum, String> {
    let n = keys.len();
    if n < of.min as usize {
        return Err(format!("{text}: {n} value(s) specified but the minimum number is {}", of.min));
    }
    if n > of.max as usize {
        return Err(format!("{text}: {n} value(s) specified but the maximum number is {}", of.max));
    }
    let datum = if of.is_map() { Datum::map(keys.into_iter().zip(values)) } else { Datum::set(keys) };
    if datum.len() < n {
        let what = if of.is_map() { "map contains duplicate key" } else { "set contains duplicate value" };
        return Err(format!("{text}: {what}"));
    }
    Ok(datum)
}

/// A value in JSON style.
pub fn datum_to_json_text(datum: &Datum, of: &ColumnType) -> String {
    let mut s = String::new();
    datum.write_json(&mut s, of);
    s
}

/// An error as the command line shows it.
pub fn error_to_string(e: &Error) -> String {
    e.to_string()
}

#[cfg(test)]
mod tests;
