//! Atoms: the values that columns are made of (RFC 7047 section 3.1).

use crate::error::Error;
use crate::json::Value;
use crate::parser::is_id;
use crate::string::Text;
use crate::types::BaseType;
use crate::uuid::Uuid;
use std::cmp::Ordering;
use std::collections::HashMap;
use std::hash::{Hash, Hasher};

/// What kind of atom a value is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum AtomType {
    /// A signed integer of 64 bits.
    Integer,
    /// A finite floating-point number.
    Real,
    /// True or false.
    Boolean,
    /// A Unicode string.
    String,
    /// A UUID, of a row or otherwise.
    Uuid,
}

impl AtomType {
    /// All of them.
    pub const ALL: [AtomType; 5] =
        [AtomType::Integer, AtomType::Real, AtomType::Boolean, AtomType::String, AtomType::Uuid];

    /// The type's name.
    pub fn name(self) -> &'static str {
        match self {
            AtomType::Integer => "integer",
            AtomType::Real => "real",
            AtomType::Boolean => "boolean",
            AtomType::String => "string",
            AtomType::Uuid => "uuid",
        }
    }

    /// The type called `name`.
    pub fn from_name(name: &str) -> Option<AtomType> {
        AtomType::ALL.into_iter().find(|t| t.name() == name)
    }

    /// The value of a column of one such atom that nobody has set.
    pub fn default_atom(self) -> Atom {
        match self {
            AtomType::Integer => Atom::Integer(0),
            AtomType::Real => Atom::Real(0.0),
            AtomType::Boolean => Atom::Boolean(false),
            AtomType::String => Atom::String(Text::from("")),
            AtomType::Uuid => Atom::Uuid(Uuid::ZERO),
        }
    }
}

/// A value. Atoms of one type are totally ordered; that order is the order in sets and maps.
#[derive(Clone, Debug)]
pub enum Atom {
    /// A signed integer of 64 bits.
    Integer(i64),
    /// A finite floating-point number; zero is never negative.
    Real(f64),
    /// True or false.
    Boolean(bool),
    /// A Unicode string.
    String(Text),
    /// A UUID.
    Uuid(Uuid),
}

impl Atom {
    /// A string atom.
    pub fn string(s: impl Into<Text>) -> Atom {
        Atom::String(s.into())
    }

    /// The atom's type.
    pub fn kind(&self) -> AtomType {
        match self {
            Atom::Integer(_) => AtomType::Integer,
            Atom::Real(_) => AtomType::Real,
            Atom::Boolean(_) => AtomType::Boolean,
            Atom::String(_) => AtomType::String,
            Atom::Uuid(_) => AtomType::Uuid,
        }
    }

    /// The string, if this is one.
    pub fn as_str(&self) -> Option<&str> {
        if let Atom::String(s) = self { Some(s) } else { None }
    }

    /// The integer, if this is one.
    pub fn as_integer(&self) -> Option<i64> {
        if let Atom::Integer(i) = self { Some(*i) } else { None }
    }

    /// The real, if this is one.
    pub fn as_real(&self) -> Option<f64> {
        if let Atom::Real(r) = self { Some(*r) } else { None }
    }

    /// The boolean, if this is one.
    pub fn as_bool(&self) -> Option<bool> {
        if let Atom::Boolean(b) = self { Some(*b) } else { None }
    }

    /// The UUID, if this is one.
    pub fn as_uuid(&self) -> Option<Uuid> {
        if let Atom::Uuid(u) = self { Some(*u) } else { None }
    }

    /// The atom on the wire.
    pub fn to_json(&self) -> Value {
        match self {
            Atom::Integer(i) => Value::Integer(*i),
            Atom::Real(r) => Value::number(*r),
            Atom::Boolean(b) => Value::Bool(*b),
            Atom::String(s) => Value::String(s.as_str().to_owned()),
            Atom::Uuid(u) => Value::Array(vec!["uuid".into(), u.to_string().into()]),
        }
    }

    /// Appends the atom's text on the wire.
    pub fn write_json(&self, out: &mut String) {
        match self {
            Atom::String(s) => crate::json::write_string(out, s),
            Atom::Uuid(u) => {
                out.push_str("[\"uuid\",\"");
                out.push_str(&u.to_string());
                out.push_str("\"]");
            }
            _ => self.to_json().write(out),
        }
    }

    /// Reads an atom of type `base` from the wire and checks it against the type's constraints.
    pub fn from_json(json: &Value, base: &BaseType, names: &mut dyn SymbolTable) -> Result<Atom, Error> {
        let atom = Atom::from_json_unchecked(json, base.kind, names)?;
        base.check(&atom)?;
        Ok(atom)
    }

    /// Reads an atom of type `kind` from the wire.
    pub fn from_json_unchecked(
        json: &Value,
        kind: AtomType,
        names: &mut dyn SymbolTable,
    ) -> Result<Atom, Error> {
        match (kind, json) {
            (AtomType::Integer, Value::Integer(i)) => return Ok(Atom::Integer(*i)),
            (AtomType::Real, Value::Integer(i)) => return Ok(Atom::Real(*i as f64)),
            (AtomType::Real, Value::Real(r)) => return Ok(Atom::Real(*r)),
            (AtomType::Boolean, Value::Bool(b)) => return Ok(Atom::Boolean(*b)),
            (AtomType::String, Value::String(s)) => return Ok(Atom::String(Text::from(s.as_str()))),
            (AtomType::Uuid, _) => return uuid_from_json(json, names).map(Atom::Uuid),
            _ => {}
        }
        Err(Error::syntax(json, format!("expected {}", kind.name())))
    }
}

fn uuid_from_json(json: &Value, names: &mut dyn SymbolTable) -> Result<Uuid, Error> {
    if let Some([tag, Value::String(s)]) = json.as_array() {
        match tag.as_str() {
            Some("uuid") => {
                return s.parse().map_err(|()| Error::syntax(json, format!("\"{s}\" is not a valid UUID")));
            }
            Some("named-uuid") => {
                if !is_id(s) {
                    return Err(Error::syntax(json, "named-uuid string is not a valid <id>"));
                }
                if let Some(u) = names.lookup(s) {
                    return Ok(u);
                }
            }
            _ => {}
        }
    }
    Err(Error::syntax(json, "expected [\"uuid\", <string>]"))
}

/// Where `["named-uuid", name]` is looked up.
pub trait SymbolTable {
    /// The UUID that `name` stands for; `None` where names are not allowed.
    fn lookup(&mut self, name: &str) -> Option<Uuid>;
}

/// Names are not allowed.
pub struct NoSymbols;

impl SymbolTable for NoSymbols {
    fn lookup(&mut self, _: &str) -> Option<Uuid> {
        None
    }
}

impl<S: std::hash::BuildHasher> SymbolTable for HashMap<String, Uuid, S> {
    fn lookup(&mut self, name: &str) -> Option<Uuid> {
        self.get(name).copied()
    }
}

impl PartialEq for Atom {
    fn eq(&self, other: &Atom) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}
impl Eq for Atom {}
impl PartialOrd for Atom {
    fn partial_cmp(&self, other: &Atom) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Atom {
    fn cmp(&self, other: &Atom) -> Ordering {
        match (self, other) {
            (Atom::Integer(a), Atom::Integer(b)) => a.cmp(b),
            (Atom::Real(a), Atom::Real(b)) => a.total_cmp(b),
            (Atom::Boolean(a), Atom::Boolean(b)) => a.cmp(b),
            (Atom::String(a), Atom::String(b)) => a.cmp(b),
            (Atom::Uuid(a), Atom::Uuid(b)) => a.cmp(b),
            _ => (self.kind() as u8).cmp(&(other.kind() as u8)),
        }
    }
}
impl Hash for Atom {
    fn hash<H: Hasher>(&self, h: &mut H) {
        match self {
            Atom::Integer(i) => i.hash(h),
            Atom::Real(r) => r.to_bits().hash(h),
            Atom::Boolean(b) => b.hash(h),
            Atom::String(s) => s.hash(h),
            Atom::Uuid(u) => u.hash(h),
        }
    }
}

impl From<i64> for Atom {
    fn from(i: i64) -> Atom {
        Atom::Integer(i)
    }
}
impl From<f64> for Atom {
    fn from(r: f64) -> Atom {
        // Adding zero makes a negative zero positive.
        Atom::Real(r + 0.0)
    }
}
impl From<bool> for Atom {
    fn from(b: bool) -> Atom {
        Atom::Boolean(b)
    }
}
impl From<&str> for Atom {
    fn from(s: &str) -> Atom {
        Atom::String(Text::from(s))
    }
}
impl From<String> for Atom {
    fn from(s: String) -> Atom {
        Atom::String(Text::from(s))
    }
}
impl From<Uuid> for Atom {
    fn from(u: Uuid) -> Atom {
        Atom::Uuid(u)
    }
}
