//! Text: what operators write and what the tools print.
//!
//! [`lex`], which matches have in common with the rest, splits `key=value` lists; [`Fmt`] is where printing goes, [`TextCx`] is what parsing needs and leaves
//! behind. Actions have their text in their own files; flows, groups, meters and messages theirs in this module.

pub mod colors;
pub mod flow;
pub mod group;
mod message;
pub mod meter;
mod notes;
pub mod packet;
pub mod port;
pub mod print;
pub mod table;

pub use ::flow::text::lex;
pub use print::to_string;

use crate::buf::Note;
use crate::port_map::Names;
use crate::version::ProtocolSet;
use ::flow::text::number;
use ::flow::text::port::{parse_port, put_port, quote_name};
use ::flow::{Field, Subfield};
use base::OfPort;
use colors::Colors;

/// Where printing goes.
pub struct Fmt<'a> {
    /// The text so far.
    pub out: String,
    /// Names of ports and tables.
    pub names: &'a dyn Names,
    /// Colours.
    pub colors: &'a Colors,
}

impl<'a> Fmt<'a> {
    /// Prints nothing yet, with `names` and no colours.
    pub fn new(names: &'a dyn Names) -> Fmt<'a> {
        Fmt { out: String::new(), names, colors: &colors::NONE }
    }

    /// Appends text.
    pub fn put(&mut self, s: &str) {
        self.out.push_str(s);
    }

    fn colored(&mut self, color: &str, s: &str) {
        if color.is_empty() {
            self.out.push_str(s);
        } else {
            self.out.push_str(color);
            self.out.push_str(s);
            self.out.push_str(&self.colors.end);
        }
    }

    /// Appends the name of a parameter.
    pub fn param(&mut self, s: &str) {
        let colors = self.colors;
        self.colored(&colors.param, s);
    }

    /// Appends a word and the parenthesis after it, or a closing one.
    pub fn paren(&mut self, s: &str) {
        let colors = self.colors;
        self.colored(&colors.paren, s);
    }

    /// Appends a special word.
    pub fn special(&mut self, s: &str) {
        let colors = self.colors;
        self.colored(&colors.special, s);
    }

    /// Appends a word that stands by itself.
    pub fn value(&mut self, s: &str) {
        let colors = self.colors;
        self.colored(&colors.value, s);
    }

    /// Appends `learn(`.
    pub fn learn(&mut self, s: &str) {
        let colors = self.colors;
        self.colored(&colors.learn, s);
    }

    /// Appends a port.
    pub fn port(&mut self, port: OfPort) {
        put_port(&mut self.out, port, self.names.ports());
    }

    /// Appends a table.
    pub fn table(&mut self, table: u8) {
        match self.names.table_name(table) {
            Some(name) => self.out.push_str(&quote_name(&name)),
            None => self.dec(table.into()),
        }
    }

    /// Appends a number in decimal.
    pub fn dec(&mut self, n: u64) {
        number::dec(&mut self.out, n);
    }

    /// Appends a number in hexadecimal; a zero goes without its prefix.
    pub fn hex(&mut self, n: u64) {
        number::hex(&mut self.out, n.into());
    }

    /// Appends a subfield: `NXM_NX_REG0[0..15]`.
    pub fn subfield(&mut self, s: Subfield) {
        put_subfield(&mut self.out, s);
    }
}

impl std::fmt::Write for Fmt<'_> {
    fn write_str(&mut self, s: &str) -> std::fmt::Result {
        self.out.push_str(s);
        Ok(())
    }
}

/// The name by which actions refer to a field.
pub fn field_header_name(field: Field) -> &'static str {
    match field.header_for(1) {
        Some(h) => h.name,
        None => field.name(),
    }
}

/// A subfield: `NXM_NX_REG0[0..15]`.
pub fn subfield_text(s: Subfield) -> String {
    let mut out = String::new();
    put_subfield(&mut out, s);
    out
}

fn put_subfield(out: &mut String, s: Subfield) {
    out.push_str(field_header_name(s.field));
    out.push('[');
    if s != Subfield::whole(s.field) {
        number::dec(out, s.ofs.into());
        if s.n_bits > 1 {
            out.push_str("..");
            number::dec(out, (s.ofs + s.n_bits - 1).into());
        }
    }
    out.push(']');
}

/// What parsing needs and leaves behind.
pub struct TextCx<'a> {
    /// Names of ports and tables.
    pub names: &'a dyn Names,
    /// Protocols that can express what was parsed.
    pub usable: ProtocolSet,
    /// What to log: module, severity, text.
    pub log: Vec<Note>,
}

/// Severity of what parsing wants logged.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Severity {
    /// An error.
    Err,
    /// A warning.
    Warn,
    /// For information.
    Info,
}

impl From<Severity> for base::Level {
    fn from(s: Severity) -> base::Level {
        match s {
            Severity::Err => base::Level::Err,
            Severity::Warn => base::Level::Warn,
            Severity::Info => base::Level::Info,
        }
    }
}

impl<'a> TextCx<'a> {
    /// Nothing parsed yet.
    pub fn new(names: &'a dyn Names) -> TextCx<'a> {
        TextCx { names, usable: ProtocolSet::ANY, log: Vec::new() }
    }

    /// Notes that only `set` can express something.
    pub fn only(&mut self, set: ProtocolSet) {
        self.usable = self.usable.intersection(set);
    }

    /// Logs a warning.
    pub fn warn(&mut self, module: &'static str, text: impl Into<String>) {
        self.log.push((module, Severity::Warn, text.into()));
    }

    /// Logs an error.
    pub fn err(&mut self, module: &'static str, text: impl Into<String>) {
        self.log.push((module, Severity::Err, text.into()));
    }

    /// Takes over what a decoder wanted logged.
    pub fn decode_log(&mut self, e: &crate::buf::DecodeError) {
        self.log.extend_from_slice(&e.log);
    }

    /// Parses a port.
    pub fn port(&mut self, s: &str) -> Option<OfPort> {
        let log = &mut self.log;
        parse_port(s, self.names.ports(), &mut |w| log.push(("ofp_port", Severity::Warn, w)))
    }

    /// Parses a table: a number up to 255 or a name.
    pub fn table(&mut self, s: &str) -> Option<u8> {
        if let Some(n) = lex::c_int(s) {
            if (0..=255).contains(&n) {
                return Some(n as u8);
            }
            if n < 0 {
                self.warn("ofp_table", format!("Negative value {s} is not a valid table number."));
                return None;
            }
            if n < 0 {
                self.warn("ofp_table", format!("Negative value {n} is not a valid table number."));
                return None;
            }
            self.warn("ofp_table", format!("table {n} is outside the supported range 0 through 255"));
            return None;
        }
        let name = ::flow::text::port::unquote(s);
        self.names.table_number(name.as_deref().unwrap_or(s))
    }

    /// Parses a subfield that makes up all of `s`.
    pub fn subfield(&mut self, s: &str) -> Result<Subfield, String> {
        let (sub, rest) = subfield_prefix(s)?;
        if rest.is_empty() { Ok(sub) } else { Err("unexpected input following field syntax".to_string()) }
    }
}

/// Finds a field by its name, or by the name of one of its headers.
pub fn find_field(name: &str) -> Option<Field> {
    Field::from_name(name).or_else(|| Field::from_header_name(name).map(|(f, _)| f))
}

/// Parses a subfield from the front of `s`; gives the rest, too.
pub fn subfield_prefix(s: &str) -> Result<(Subfield, &str), String> {
    let end = s.find(['[', '-', '=']).unwrap_or(s.len());
    let (name, rest) = s.split_at(end);
    let field = find_field(name).ok_or_else(|| format!("{s}: unknown field `{name}'"))?;
    let width = field.info().bits;
    let Some(inner) = rest.strip_prefix('[') else {
        return Ok((Subfield::whole(field), rest));
    };
    let syntax = || format!("{s}: syntax error expecting [] or [<bit>] or [<start>..<end>]");
    let close = inner.find(']').ok_or_else(syntax)?;
    let (range, rest) = (&inner[..close], &inner[close + 1..]);
    if range.is_empty() {
        return Ok((Subfield::whole(field), rest));
    }
    let number = |n: &str| n.parse::<u32>().map_err(|_| syntax());
    let (start, stop) = match range.split_once("..") {
        Some((a, b)) => (number(a)?, number(b)?),
        None => {
            let n = number(range)?;
            (n, n)
        }
    };
    if start > stop {
        return Err(format!("{s}: starting bit {start} is after ending bit {stop}"));
    }
    let only = format!("is not valid because field is only {width} bits wide");
    if start >= u32::from(width) {
        return Err(format!("{s}: starting bit {start} {only}"));
    }
    if stop >= u32::from(width) {
        return Err(format!("{s}: ending bit {stop} {only}"));
    }
    Ok((Subfield { field, ofs: start as u16, n_bits: (stop - start + 1) as u16 }, rest))
}

/// A number in hexadecimal as C's `%#x` has it: a zero goes without its prefix.
pub(crate) struct CHex(pub u64);

impl std::fmt::Display for CHex {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0 == 0 { f.pad("0") } else { f.pad(&format!("{:#x}", self.0)) }
    }
}
