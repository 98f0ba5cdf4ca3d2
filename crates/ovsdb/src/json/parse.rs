//! Text to values, incrementally.
//!
//! A lexer splits bytes into tokens; a token that has no end of its own (a number, a keyword) is complete when
//! a byte comes that cannot belong to it, and that byte is looked at again. Positions in messages count the
//! bytes taken before the failure.

use super::{Object, Value};

/// How deep arrays and objects may nest.
pub const MAX_DEPTH: usize = 1000;
/// How long a string may be.
pub const MAX_STRING: usize = 64 << 20;

/// Parses the whole of `text`, which must hold exactly one array or object and whitespace.
pub fn parse(text: impl AsRef<[u8]>) -> Result<Value, String> {
    let mut p = Parser::with_trailer();
    p.feed(text.as_ref());
    p.finish()
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Lex {
    Start,
    Number,
    Keyword,
    String,
    Escape,
}

/// What the grammar allows next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Expect {
    Start,
    /// After `[`: a value or `]`.
    FirstElement,
    /// After `,` in an array.
    Element,
    /// After an element: `,` or `]`.
    AfterElement,
    /// After `{`: a string or `}`.
    FirstKey,
    /// After `,` in an object.
    Key,
    Colon,
    MemberValue,
    /// After a member: `,` or `}`.
    AfterMember,
    End,
}

#[derive(Debug)]
enum Frame {
    Array(Vec<Value>),
    Object(Vec<(Box<str>, Value)>, Box<str>),
}

enum Token {
    Punct(u8),
    Value(Value),
}

/// A JSON parser that takes bytes as they arrive.
///
/// ```
/// use ovsdb::json::{Parser, Value};
/// let mut p = Parser::new();
/// assert_eq!(p.feed(b"{\"a\":1"), 6);
/// assert!(!p.is_done());
/// assert_eq!(p.feed(b"} [2]"), 1);
/// assert!(p.is_done());
/// assert_eq!(p.finish().unwrap().get("a"), Some(&Value::Integer(1)));
/// ```
#[derive(Debug)]
pub struct Parser {
    lex: Lex,
    expect: Expect,
    /// Whether whitespace may follow the value, and only that.
    trailer: bool,
    buf: Vec<u8>,
    stack: Vec<Frame>,
    done: bool,
    value: Option<Value>,
    error: Option<String>,
    line: usize,
    column: usize,
    byte: usize,
}

impl Default for Parser {
    fn default() -> Self {
        Parser::new()
    }
}

impl Parser {
    /// A parser that stops right behind the first value.
    pub fn new() -> Parser {
        Parser {
            lex: Lex::Start,
            expect: Expect::Start,
            trailer: false,
            buf: Vec::new(),
            stack: Vec::new(),
            done: false,
            value: None,
            error: None,
            line: 0,
            column: 0,
            byte: 0,
        }
    }

    /// A parser for an input that holds one value and nothing after it but whitespace.
    pub fn with_trailer() -> Parser {
        Parser { trailer: true, ..Parser::new() }
    }

    /// Takes bytes; returns how many belong to this value. Fewer than all means that the parser is done: the
    /// rest belongs to the next value, or an error was found.
    pub fn feed(&mut self, input: &[u8]) -> usize {
        let mut i = 0;
        while i < input.len() && !self.done {
            if self.lex == Lex::String {
                let run = input[i..].iter().position(|&b| b == b'"' || b == b'\\' || b < 0x20);
                let run = run.unwrap_or(input.len() - i);
                if run > 0 {
                    if self.buf.len() + run > MAX_STRING {
                        self.fail(format!("string is longer than {MAX_STRING} bytes"));
                        break;
                    }
                    self.buf.extend_from_slice(&input[i..i + run]);
                    self.column += run;
                    self.byte += run;
                    i += run;
                    continue;
                }
            }
            if self.byte_in(input[i]) {
                self.byte += 1;
                if input[i] == b'\n' {
                    self.column = 0;
                    self.line += 1;
                } else {
                    self.column += 1;
                }
                i += 1;
            }
        }
        i
    }

    /// Whether a value is complete, or an error was found: [`Parser::finish`] will say which.
    pub fn is_done(&self) -> bool {
        self.done
    }

    /// Whether no byte has been taken that is not whitespace.
    pub fn is_idle(&self) -> bool {
        !self.done && self.lex == Lex::Start && self.expect == Expect::Start
    }

    /// The value; or what is wrong with the input, or missing.
    pub fn finish(mut self) -> Result<Value, String> {
        if self.lex == Lex::String || self.lex == Lex::Escape {
            self.fail("unexpected end of input in quoted string".into());
        } else {
            if self.lex != Lex::Start {
                self.feed(b" ");
            }
            match self.expect {
                _ if self.done => {}
                Expect::Start => self.fail("empty input stream".into()),
                Expect::End => {}
                _ => self.fail("unexpected end of input".into()),
            }
        }
        match (self.error, self.value) {
            (Some(e), _) => Err(e),
            (None, Some(v)) => Ok(v),
            (None, None) => Err("empty input stream".into()),
        }
    }

    /// As [`Parser::finish`], and begins anew.
    pub fn take(&mut self) -> Result<Value, String> {
        let mut fresh = Parser { trailer: self.trailer, ..Parser::new() };
        // What memory there is stays for the next value, unless it is much.
        if self.done && self.error.is_none() && self.buf.capacity() <= 1 << 16 {
            self.buf.clear();
            std::mem::swap(&mut fresh.buf, &mut self.buf);
            std::mem::swap(&mut fresh.stack, &mut self.stack);
        }
        std::mem::replace(self, fresh).finish()
    }

    fn fail(&mut self, message: String) {
        if self.error.is_none() {
            self.error =
                Some(format!("line {}, column {}, byte {}: {message}", self.line, self.column, self.byte));
        }
        self.done = true;
    }

    /// Takes one byte; false when it has to be looked at again or was refused.
    fn byte_in(&mut self, b: u8) -> bool {
        match self.lex {
            Lex::Start => match b {
                b' ' | b'\t' | b'\n' | b'\r' => true,
                _ if self.expect == Expect::End => {
                    self.fail("trailing garbage at end of input".into());
                    false
                }
                b'a'..=b'z' => self.begin(Lex::Keyword, b),
                b'-' | b'0'..=b'9' => self.begin(Lex::Number, b),
                b'"' => {
                    self.lex = Lex::String;
                    self.buf.clear();
                    true
                }
                b'[' | b']' | b'{' | b'}' | b':' | b',' => {
                    self.token(Token::Punct(b));
                    self.error.is_none()
                }
                0x21..=0x7e => {
                    self.fail(format!("invalid character '{}'", b as char));
                    false
                }
                _ => {
                    self.fail(format!("invalid character U+{b:04x}"));
                    false
                }
            },
            Lex::Keyword => {
                if b.is_ascii_lowercase() {
                    self.buf.push(b);
                    return true;
                }
                self.lex = Lex::Start;
                match &self.buf[..] {
                    b"true" => self.token(Token::Value(Value::Bool(true))),
                    b"false" => self.token(Token::Value(Value::Bool(false))),
                    b"null" => self.token(Token::Value(Value::Null)),
                    other => {
                        let word = String::from_utf8_lossy(other).into_owned();
                        self.fail(format!("invalid keyword '{word}'"));
                    }
                }
                false
            }
            Lex::Number => {
                if matches!(b, b'0'..=b'9' | b'.' | b'-' | b'+' | b'e' | b'E') {
                    self.buf.push(b);
                    return true;
                }
                self.lex = Lex::Start;
                match number(&self.buf) {
                    Ok(v) => self.token(Token::Value(v)),
                    Err(e) => self.fail(e.into()),
                }
                false
            }
            Lex::Escape => {
                self.buf.push(b);
                self.lex = Lex::String;
                true
            }
            Lex::String => match b {
                b'\\' => {
                    self.buf.push(b);
                    self.lex = Lex::Escape;
                    true
                }
                b'"' => {
                    self.lex = Lex::Start;
                    match unescape(&self.buf) {
                        Ok(s) => self.token(Token::Value(Value::String(s))),
                        Err(e) => self.fail(e),
                    }
                    self.error.is_none()
                }
                0..0x20 => {
                    self.fail(format!("U+{b:04X} must be escaped in quoted string"));
                    false
                }
                _ => {
                    self.buf.push(b);
                    true
                }
            },
        }
    }

    fn begin(&mut self, lex: Lex, b: u8) -> bool {
        self.lex = lex;
        self.buf.clear();
        self.buf.push(b);
        true
    }

    fn token(&mut self, t: Token) {
        match (self.expect, t) {
            (Expect::Start, Token::Punct(b @ (b'[' | b'{'))) => self.open(b),
            (Expect::Start, _) => self.fail("syntax error at beginning of input".into()),
            (Expect::FirstElement, Token::Punct(b']')) | (Expect::AfterElement, Token::Punct(b']')) => {
                self.close()
            }
            (Expect::FirstKey, Token::Punct(b'}')) | (Expect::AfterMember, Token::Punct(b'}')) => {
                self.close()
            }
            (
                Expect::FirstElement | Expect::Element | Expect::MemberValue,
                Token::Punct(b @ (b'[' | b'{')),
            ) => self.open(b),
            (Expect::FirstElement | Expect::Element | Expect::MemberValue, Token::Value(v)) => self.put(v),
            (Expect::FirstElement | Expect::Element | Expect::MemberValue, Token::Punct(_)) => {
                self.fail("syntax error expecting value".into());
            }
            (Expect::FirstKey | Expect::Key, Token::Value(Value::String(s))) => {
                if let Some(Frame::Object(_, key)) = self.stack.last_mut() {
                    *key = s.into_boxed_str();
                }
                self.expect = Expect::Colon;
            }
            (Expect::FirstKey | Expect::Key, _) => {
                self.fail("syntax error parsing object expecting string".into());
            }
            (Expect::Colon, Token::Punct(b':')) => self.expect = Expect::MemberValue,
            (Expect::Colon, _) => self.fail("syntax error parsing object expecting ':'".into()),
            (Expect::AfterElement, Token::Punct(b',')) => self.expect = Expect::Element,
            (Expect::AfterElement, _) => self.fail("syntax error expecting ']' or ','".into()),
            (Expect::AfterMember, Token::Punct(b',')) => self.expect = Expect::Key,
            (Expect::AfterMember, _) => self.fail("syntax error expecting '}' or ','".into()),
            (Expect::End, _) => self.fail("trailing garbage at end of input".into()),
        }
    }

    fn open(&mut self, b: u8) {
        if self.stack.len() >= MAX_DEPTH {
            return self.fail(format!("input exceeds maximum nesting depth {MAX_DEPTH}"));
        }
        if b == b'[' {
            self.stack.push(Frame::Array(Vec::new()));
            self.expect = Expect::FirstElement;
        } else {
            self.stack.push(Frame::Object(Vec::new(), Box::default()));
            self.expect = Expect::FirstKey;
        }
    }

    fn close(&mut self) {
        let v = match self.stack.pop() {
            Some(Frame::Array(a)) => Value::Array(a),
            Some(Frame::Object(members, _)) => Value::Object(Object::from_members(members)),
            None => return,
        };
        if self.stack.is_empty() {
            self.value = Some(v);
            self.expect = Expect::End;
            self.done = !self.trailer;
        } else {
            self.put(v);
        }
    }

    fn put(&mut self, v: Value) {
        match self.stack.last_mut() {
            Some(Frame::Array(a)) => {
                a.push(v);
                self.expect = Expect::AfterElement;
            }
            Some(Frame::Object(members, key)) => {
                members.push((std::mem::take(key), v));
                self.expect = Expect::AfterMember;
            }
            None => {}
        }
    }
}

/// The value of a number token.
fn number(s: &[u8]) -> Result<Value, &'static str> {
    let digit = |i: usize| s.get(i).is_some_and(u8::is_ascii_digit);
    let mut i = 0;
    let negative = s[0] == b'-';
    if negative {
        i += 1;
        if !digit(i) {
            return Err("'-' must be followed by digit");
        }
    }
    // The value is significand * 10^scale as long as `exact`.
    let (mut significand, mut scale, mut exact) = (0u64, 0i64, true);
    let mut add = |d: u8, scale: &mut i64, fraction: bool| {
        let next = significand.checked_mul(10).and_then(|n| n.checked_add(u64::from(d - b'0')));
        match next {
            Some(n) if exact => {
                significand = n;
                *scale -= i64::from(fraction);
            }
            _ => {
                *scale += i64::from(!fraction);
                exact &= d == b'0';
            }
        }
    };
    if s[i] == b'0' {
        i += 1;
        if digit(i) {
            return Err("leading zeros not allowed");
        }
    } else {
        while digit(i) {
            add(s[i], &mut scale, false);
            i += 1;
        }
    }
    if s.get(i) == Some(&b'.') {
        i += 1;
        if !digit(i) {
            return Err("decimal point must be followed by digit");
        }
        while digit(i) {
            add(s[i], &mut scale, true);
            i += 1;
        }
    }
    if matches!(s.get(i), Some(b'e' | b'E')) {
        i += 1;
        let minus = s.get(i) == Some(&b'-');
        if matches!(s.get(i), Some(b'+' | b'-')) {
            i += 1;
        }
        if !digit(i) {
            return Err("exponent must contain at least one digit");
        }
        let mut e = 0i64;
        while digit(i) {
            if e >= 214_748_364 {
                return Err("exponent outside valid range");
            }
            e = e * 10 + i64::from(s[i] - b'0');
            i += 1;
        }
        scale += if minus { -e } else { e };
    }
    if i < s.len() {
        return Err("syntax error in number");
    }
    if exact && let Some(n) = integer(significand, scale, negative) {
        return Ok(Value::Integer(n));
    }
    // The token is ASCII that Rust's grammar of floats includes.
    let r: f64 = std::str::from_utf8(s).ok().and_then(|t| t.parse().ok()).ok_or("syntax error in number")?;
    if r == 0.0 {
        Ok(Value::Integer(0))
    } else if r.is_normal() {
        Ok(Value::Real(r))
    } else {
        Err("number outside valid range")
    }
}

/// `significand * 10^scale` if it is an integer of 64 bits.
fn integer(mut significand: u64, mut scale: i64, negative: bool) -> Option<i64> {
    if significand == 0 {
        return Some(0);
    }
    while scale < 0 {
        if !significand.is_multiple_of(10) {
            return None;
        }
        significand /= 10;
        scale += 1;
    }
    while scale > 0 {
        significand = significand.checked_mul(10)?;
        scale -= 1;
    }
    if negative { 0i64.checked_sub_unsigned(significand) } else { i64::try_from(significand).ok() }
}

/// The text of a string token between its quotes.
fn unescape(raw: &[u8]) -> Result<String, String> {
    // DEVIATION: strings here are Unicode, so bytes that are not UTF-8 are refused with the whole value.
    let invalid = |_| "invalid UTF-8 in quoted string".to_owned();
    let Some(first) = raw.iter().position(|&b| b == b'\\') else {
        return std::str::from_utf8(raw).map(str::to_owned).map_err(invalid);
    };
    let mut out = Vec::with_capacity(raw.len());
    out.extend_from_slice(&raw[..first]);
    let mut i = first;
    while i < raw.len() {
        if raw[i] != b'\\' {
            out.push(raw[i]);
            i += 1;
            continue;
        }
        // The lexer takes the byte after a backslash together with it.
        let escape = raw.get(i + 1).copied().unwrap_or(b'\\');
        i += 2;
        match escape {
            b'"' | b'\\' | b'/' => out.push(escape),
            b'b' => out.push(8),
            b'f' => out.push(12),
            b'n' => out.push(b'\n'),
            b'r' => out.push(b'\r'),
            b't' => out.push(b'\t'),
            b'u' => {
                let (c, used) = unicode_escape(&raw[i..])?;
                i += used;
                out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            }
            b => {
                let shown = if b.is_ascii() { char::from(b) } else { char::REPLACEMENT_CHARACTER };
                return Err(format!("bad escape \\{shown}"));
            }
        }
    }
    String::from_utf8(out).map_err(|e| invalid(e.utf8_error()))
}

/// The character that the digits after `\u` stand for, and how many bytes they take (with a second escape for
/// the second half of a pair).
fn unicode_escape(s: &[u8]) -> Result<(char, usize), String> {
    let first = hex4(s)?;
    if !(0xd800..0xe000).contains(&first) {
        if first == 0 {
            return Err("null bytes not supported in quoted strings".into());
        }
        return char::from_u32(first).map(|c| (c, 4)).ok_or_else(|| "malformed \\u escape".into());
    }
    if first >= 0xdc00 {
        // DEVIATION: half a character is none.
        return Err("invalid UTF-8 in quoted string".into());
    }
    if s.get(4..6) != Some(b"\\u") {
        return Err("malformed escaped surrogate pair".into());
    }
    let second = hex4(&s[6..])?;
    if !(0xdc00..0xe000).contains(&second) {
        return Err("second half of escaped surrogate pair is not trailing surrogate".into());
    }
    let c = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
    char::from_u32(c).map(|c| (c, 10)).ok_or_else(|| "malformed escaped surrogate pair".into())
}

fn hex4(s: &[u8]) -> Result<u32, String> {
    let digits = s.get(..4).ok_or("quoted string ends within \\u escape")?;
    digits.iter().try_fold(0, |n, &b| {
        char::from(b).to_digit(16).map(|d| n * 16 + d).ok_or_else(|| "malformed \\u escape".to_owned())
    })
}
