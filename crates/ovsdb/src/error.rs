//! What goes wrong in a database, as RFC 7047's error objects.
//!
//! An error has a *tag*, one of a small vocabulary that programs compare; *details* for people; and the piece
//! of JSON that it is about. On the wire it is an object of these; in a tool's message it is one line.

use crate::json::{Object, Value};
use std::borrow::Cow;
use std::fmt;

/// An error object.
#[derive(Clone, Debug, PartialEq)]
pub struct Error {
    /// What kind of error this is: `"constraint violation"`, `"syntax error"` ...
    pub tag: Cow<'static, str>,
    /// What happened, in words.
    pub details: Option<String>,
    /// The text of the JSON that it happened at.
    pub syntax: Option<String>,
}

impl Error {
    /// An error of kind `tag`.
    pub fn new(tag: &'static str, details: impl Into<String>) -> Error {
        Error { tag: Cow::Borrowed(tag), details: Some(details.into()), syntax: None }
    }

    /// A `syntax error` at `at`.
    pub fn syntax(at: &Value, details: impl Into<String>) -> Error {
        Error::new("syntax error", details).at(at)
    }

    /// A `constraint violation`.
    pub fn constraint(details: impl Into<String>) -> Error {
        Error::new("constraint violation", details)
    }

    /// An error of no kind in particular.
    pub fn other(details: impl Into<String>) -> Error {
        Error::new("ovsdb error", details)
    }

    /// An input or output error, tagged so that it prints as "I/O error".
    pub fn io(details: impl Into<String>) -> Error {
        Error::new("I/O error", details)
    }

    /// This error, at a piece of JSON.
    pub fn at(mut self, at: &Value) -> Error {
        self.syntax = Some(at.to_string());
        self
    }

    /// This error with "prefix: " before the details.
    pub fn prefixed(mut self, prefix: &str) -> Error {
        self.details = Some(match self.details {
            Some(d) => format!("{prefix}: {d}"),
            None => prefix.to_owned(),
        });
        self
    }

    /// The details, or nothing.
    pub fn details(&self) -> &str {
        self.details.as_deref().unwrap_or("")
    }

    /// The error object.
    pub fn to_json(&self) -> Value {
        let mut o = Object::new();
        let mut details = self.details.as_deref();
        // What the operating system said, in parentheses at the end, is a member of its own.
        if self.tag == "I/O error"
            && let Some((what, why)) = details.and_then(|d| d.strip_suffix(')')?.rsplit_once(" ("))
        {
            details = Some(what);
            o.insert("io-error", why);
        }
        if let Some(d) = details {
            o.insert("details", d);
        }
        o.insert("error", &*self.tag);
        if let Some(s) = &self.syntax {
            o.insert("syntax", s.as_str());
        }
        Value::Object(o)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(s) = &self.syntax {
            write!(f, "syntax \"{s}\": ")?;
        }
        f.write_str(&self.tag)?;
        match &self.details {
            Some(d) => write!(f, ": {d}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_system_said_is_told_apart() {
        let e = Error::io("x.db: write failed (No space left on device)");
        let json =
            r#"{"details":"x.db: write failed","error":"I/O error","io-error":"No space left on device"}"#;
        assert_eq!(e.to_json().to_string(), json);
        assert_eq!(e.to_string(), "I/O error: x.db: write failed (No space left on device)");
        assert_eq!(
            Error::other("a (b)").to_json().to_string(),
            r#"{"details":"a (b)","error":"ovsdb error"}"#
        );
    }
}
