//! Taking an object's members apart, with the complaints that users know.
//!
//! The first complaint is kept; [`ObjectParser::finish`] adds the one about members that nobody asked for.

use crate::error::Error;
use crate::json::{Object, Value};
use smallvec::SmallVec;
use std::borrow::Cow;
use std::fmt;

/// Reads the members of one object.
pub struct ObjectParser<'a> {
    what: What,
    json: &'a Value,
    object: Option<&'a Object>,
    used: SmallVec<[&'static str; 8]>,
    error: Option<Error>,
}

/// What an object is called; put into words only when somebody is to read them.
#[derive(Clone, Debug)]
pub enum What {
    /// So.
    Called(Cow<'static, str>),
    /// One of the operations of a transaction.
    Operation {
        /// Its number, from one.
        n: usize,
        /// How many there are.
        of: usize,
    },
}

impl From<&'static str> for What {
    fn from(s: &'static str) -> What {
        What::Called(Cow::Borrowed(s))
    }
}
impl From<String> for What {
    fn from(s: String) -> What {
        What::Called(Cow::Owned(s))
    }
}
impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            What::Called(s) => f.write_str(s),
            What::Operation { n, of } => write!(f, "ovsdb operation {n} of {of}"),
        }
    }
}

/// What a member may be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// `true` or `false`
    Bool,
    /// An integer.
    Integer,
    /// Any number.
    Number,
    /// A string.
    String,
    /// A string that is an identifier.
    Id,
    /// An array.
    Array,
    /// An object.
    Object,
    /// A string or an object.
    StringOrObject,
    /// A string or an integer.
    StringOrInteger,
    /// Anything.
    Any,
}

impl Kind {
    fn admits(self, v: &Value) -> bool {
        match self {
            Kind::Bool => matches!(v, Value::Bool(_)),
            Kind::Integer => matches!(v, Value::Integer(_)),
            Kind::Number => matches!(v, Value::Integer(_) | Value::Real(_)),
            Kind::String => matches!(v, Value::String(_)),
            Kind::Id => v.as_str().is_some_and(is_id),
            Kind::Array => matches!(v, Value::Array(_)),
            Kind::Object => matches!(v, Value::Object(_)),
            Kind::StringOrObject => matches!(v, Value::String(_) | Value::Object(_)),
            Kind::StringOrInteger => matches!(v, Value::String(_) | Value::Integer(_)),
            Kind::Any => true,
        }
    }
}

/// Whether `s` is an `<id>`: a letter or underscore, then letters, digits and underscores.
pub fn is_id(s: &str) -> bool {
    let mut bytes = s.bytes();
    bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

impl<'a> ObjectParser<'a> {
    /// Begins with `json`; `what` is what the complaints call it.
    pub fn new(json: &'a Value, what: impl Into<What>) -> ObjectParser<'a> {
        let mut p = ObjectParser {
            what: what.into(),
            json,
            object: json.as_object(),
            used: SmallVec::new(),
            error: None,
        };
        if p.object.is_none() {
            let details = format!("Parsing {} failed: Object expected.", p.what);
            p.error = Some(Error::new("syntax error", details));
        }
        p
    }

    /// Member `name`, which must exist.
    pub fn required(&mut self, name: &'static str, kind: Kind) -> Option<&'a Value> {
        self.member(name, kind, true)
    }

    /// Member `name`, if it exists.
    pub fn optional(&mut self, name: &'static str, kind: Kind) -> Option<&'a Value> {
        self.member(name, kind, false)
    }

    fn member(&mut self, name: &'static str, kind: Kind, required: bool) -> Option<&'a Value> {
        let object = self.object?;
        match object.get(name) {
            Some(v) => {
                self.used.push(name);
                if kind.admits(v) {
                    return Some(v);
                }
                self.complain(format!("Type mismatch for member '{name}'."));
            }
            None if required => self.complain(format!("Required '{name}' member is missing.")),
            None => {}
        }
        None
    }

    /// Notes a complaint unless there is one.
    pub fn complain(&mut self, details: impl AsRef<str>) {
        if self.error.is_none() {
            let details = format!("Parsing {} failed: {}", self.what, details.as_ref());
            self.error = Some(Error::syntax(self.json, details));
        }
    }

    /// The complaint so far.
    pub fn error(&self) -> Option<&Error> {
        self.error.as_ref()
    }

    /// The complaint, if there is any.
    pub fn finish(mut self) -> Result<(), Error> {
        if self.error.is_none()
            && let Some(object) = self.object
            && object.len() > self.used.len()
            && let Some(extra) = object.keys().find(|k| !self.used.contains(k))
        {
            self.complain(format!("Member '{extra}' is present but not allowed here."));
        }
        self.error.map_or(Ok(()), Err)
    }
}
