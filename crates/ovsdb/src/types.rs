//! Types of columns: which atoms, under which constraints, how many (RFC 7047 section 3.2).

use crate::atom::{Atom, AtomType, NoSymbols};
use crate::datum::Datum;
use crate::error::Error;
use crate::json::{Object, Value, format_real};
use crate::parser::{Kind, ObjectParser};

/// How a reference to a row holds it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RefType {
    /// The row must exist, and exists because of the reference.
    Strong,
    /// The reference goes when the row goes.
    Weak,
}

/// What an atom may be beyond its type.
#[derive(Clone, Debug, PartialEq)]
pub enum Constraint {
    /// Anything.
    None,
    /// One of these, in order.
    Enum(Box<[Atom]>),
    /// An integer in a range.
    Integer {
        /// The least.
        min: i64,
        /// The greatest.
        max: i64,
    },
    /// A real in a range.
    Real {
        /// The least.
        min: f64,
        /// The greatest.
        max: f64,
    },
    /// A string with so many characters.
    Length {
        /// At least.
        min: u32,
        /// At most.
        max: u32,
    },
    /// The UUID of a row in a table.
    Reference {
        /// The table's name.
        table: Box<str>,
        /// The table's position in its schema, once that is known.
        index: usize,
        /// How the row is held.
        kind: RefType,
    },
}

/// The type of an atom with its constraints.
#[derive(Clone, Debug, PartialEq)]
pub struct BaseType {
    /// The atom's type.
    pub kind: AtomType,
    /// What it may be.
    pub constraint: Constraint,
}

impl From<AtomType> for BaseType {
    fn from(kind: AtomType) -> BaseType {
        BaseType { kind, constraint: Constraint::None }
    }
}

impl BaseType {
    /// The table that atoms of this type name rows of: its position, and how.
    pub fn reference(&self) -> Option<(usize, RefType)> {
        match &self.constraint {
            Constraint::Reference { index, kind, .. } => Some((*index, *kind)),
            _ => None,
        }
    }

    /// The values allowed, if they are listed.
    pub fn allowed(&self) -> Option<&[Atom]> {
        if let Constraint::Enum(e) = &self.constraint { Some(e) } else { None }
    }

    /// Whether an atom is as the constraints demand.
    pub fn check(&self, atom: &Atom) -> Result<(), Error> {
        let range = |value: &str, low: Option<String>, high: Option<String>| {
            Error::constraint(match (low, high) {
                (Some(l), Some(h)) => format!("{value} is not in the valid range {l} to {h} (inclusive)"),
                (Some(l), None) => format!("{value} is less than minimum allowed value {l}"),
                (None, Some(h)) => format!("{value} is greater than maximum allowed value {h}"),
                (None, None) => format!("{value} is not allowed"),
            })
        };
        match (&self.constraint, atom) {
            (Constraint::Enum(allowed), _) if allowed.binary_search(atom).is_err() => {
                let allowed: Vec<String> = allowed.iter().map(crate::text::atom_to_string).collect();
                let (atom, allowed) = (crate::text::atom_to_string(atom), allowed.join(", "));
                return Err(Error::constraint(format!(
                    "{atom} is not one of the allowed values ([{allowed}])"
                )));
            }
            (Constraint::Integer { min, max }, Atom::Integer(i)) if i < min || i > max => {
                let low = (*min != i64::MIN).then(|| min.to_string());
                let high = (*max != i64::MAX).then(|| max.to_string());
                return Err(range(&i.to_string(), low, high));
            }
            (Constraint::Real { min, max }, Atom::Real(r)) if r < min || r > max => {
                let low = (*min != f64::MIN).then(|| format_real(*min));
                let high = (*max != f64::MAX).then(|| format_real(*max));
                return Err(range(&format_real(*r), low, high));
            }
            (Constraint::Length { min, max }, Atom::String(s)) => {
                let n = s.chars().count();
                if n < *min as usize {
                    let details = format!("\"{s}\" length {n} is less than minimum allowed length {min}");
                    return Err(Error::constraint(details));
                }
                if n > *max as usize {
                    let details = format!("\"{s}\" length {n} is greater than maximum allowed length {max}");
                    return Err(Error::constraint(details));
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn from_json(json: &Value) -> Result<BaseType, Error> {
        if let Value::String(s) = json {
            return atomic_type(json, s).map(BaseType::from);
        }
        let mut p = ObjectParser::new(json, "ovsdb type");
        let kind = match p.required("type", Kind::String) {
            Some(v) => atomic_type(v, v.as_str().unwrap_or(""))?,
            None => return p.finish().map(|()| AtomType::Integer.into()),
        };
        let mut base = BaseType::from(kind);
        if let Some(list) = p.optional("enum", Kind::Any) {
            let mut list_type = ColumnType::scalar(kind);
            list_type.max = u32::MAX;
            let datum = Datum::from_json(list, &list_type, &mut NoSymbols)?;
            base.constraint = Constraint::Enum(datum.keys().cloned().collect());
        } else {
            base.constraint = constraint(&mut p, kind, json)?;
        }
        p.finish()?;
        Ok(base)
    }

    fn to_json(&self) -> Value {
        let mut o = Object::new();
        match &self.constraint {
            Constraint::None => return self.kind.name().into(),
            Constraint::Enum(allowed) => {
                o.insert("enum", Datum::set(allowed.iter().cloned()).to_json(&ColumnType::scalar(self.kind)));
            }
            Constraint::Integer { min, max } => {
                if *min != i64::MIN {
                    o.insert("minInteger", *min);
                }
                if *max != i64::MAX {
                    o.insert("maxInteger", *max);
                }
            }
            Constraint::Real { min, max } => {
                if *min != f64::MIN {
                    o.insert("minReal", *min);
                }
                if *max != f64::MAX {
                    o.insert("maxReal", *max);
                }
            }
            Constraint::Length { min, max } => {
                if *min != 0 {
                    o.insert("minLength", i64::from(*min));
                }
                if *max != u32::MAX {
                    o.insert("maxLength", i64::from(*max));
                }
            }
            Constraint::Reference { table, kind, .. } => {
                o.insert("refTable", &**table);
                if *kind == RefType::Weak {
                    o.insert("refType", "weak");
                }
            }
        }
        o.insert("type", self.kind.name());
        Value::Object(o)
    }
}

/// The constraint that the members beside "type" stand for.
fn constraint(p: &mut ObjectParser<'_>, kind: AtomType, json: &Value) -> Result<Constraint, Error> {
    let exceeds = |what: &str| Err(Error::syntax(json, format!("min{what} exceeds max{what}")));
    match kind {
        AtomType::Integer => {
            let min = p.optional("minInteger", Kind::Integer).and_then(Value::as_integer).unwrap_or(i64::MIN);
            let max = p.optional("maxInteger", Kind::Integer).and_then(Value::as_integer).unwrap_or(i64::MAX);
            if min > max {
                return exceeds("Integer");
            }
            if (min, max) != (i64::MIN, i64::MAX) {
                return Ok(Constraint::Integer { min, max });
            }
        }
        AtomType::Real => {
            let min = p.optional("minReal", Kind::Number).and_then(Value::as_real).unwrap_or(f64::MIN);
            let max = p.optional("maxReal", Kind::Number).and_then(Value::as_real).unwrap_or(f64::MAX);
            if min > max {
                return exceeds("Real");
            }
            if (min, max) != (f64::MIN, f64::MAX) {
                return Ok(Constraint::Real { min, max });
            }
        }
        AtomType::String => {
            let min = length(p, "minLength")?.unwrap_or(0);
            let max = length(p, "maxLength")?.unwrap_or(u32::MAX);
            if min > max {
                return exceeds("Length");
            }
            if (min, max) != (0, u32::MAX) {
                return Ok(Constraint::Length { min, max });
            }
        }
        AtomType::Uuid => {
            if let Some(table) = p.optional("refTable", Kind::Id) {
                let kind = match p.optional("refType", Kind::String).and_then(Value::as_str) {
                    None | Some("strong") => RefType::Strong,
                    Some("weak") => RefType::Weak,
                    Some(other) => {
                        let details = format!("refType must be \"strong\" or \"weak\" (not \"{other}\")");
                        return Err(Error::syntax(json, details));
                    }
                };
                let table = table.as_str().unwrap_or("").into();
                return Ok(Constraint::Reference { table, index: usize::MAX, kind });
            }
        }
        AtomType::Boolean => {}
    }
    Ok(Constraint::None)
}

fn length(p: &mut ObjectParser<'_>, name: &'static str) -> Result<Option<u32>, Error> {
    let Some(v) = p.optional(name, Kind::Integer) else { return Ok(None) };
    match u32::try_from(v.as_integer().unwrap_or(-1)) {
        Ok(n) => Ok(Some(n)),
        Err(_) => Err(Error::syntax(v, format!("{name} out of valid range 0 to {}", u32::MAX))),
    }
}

fn atomic_type(at: &Value, name: &str) -> Result<AtomType, Error> {
    AtomType::from_name(name).ok_or_else(|| Error::syntax(at, format!("\"{name}\" is not an atomic-type")))
}

/// The type of a column: a scalar, an optional scalar, a set or a map.
#[derive(Clone, Debug, PartialEq)]
pub struct ColumnType {
    /// Of the elements, or of a map's keys.
    pub key: BaseType,
    /// Of a map's values.
    pub value: Option<BaseType>,
    /// At least so many elements: 0 or 1.
    pub min: u32,
    /// At most so many elements; `u32::MAX` for no limit.
    pub max: u32,
}

impl ColumnType {
    /// Exactly one atom.
    pub fn scalar(kind: AtomType) -> ColumnType {
        ColumnType { key: kind.into(), value: None, min: 1, max: 1 }
    }

    /// Whether this is exactly one atom.
    pub fn is_scalar(&self) -> bool {
        self.min == 1 && self.max == 1 && self.value.is_none()
    }

    /// Whether this is one atom or none.
    pub fn is_optional_scalar(&self) -> bool {
        self.min == 0 && self.max == 1 && self.value.is_none()
    }

    /// Whether this is a map.
    pub fn is_map(&self) -> bool {
        self.value.is_some()
    }

    /// Whether this is a set of other than exactly one element.
    pub fn is_set(&self) -> bool {
        self.value.is_none() && !self.is_scalar()
    }

    /// The value of a column that nobody has set.
    pub fn default_datum(&self) -> Datum {
        match (&self.value, self.min) {
            (_, 0) => Datum::EMPTY,
            (None, _) => Datum::one(self.key.kind.default_atom()),
            (Some(v), _) => Datum::map([(self.key.kind.default_atom(), v.kind.default_atom())]),
        }
    }

    /// Whether columns of this type may refer to rows.
    pub fn has_references(&self) -> bool {
        self.key.reference().is_some() || self.value.as_ref().is_some_and(|v| v.reference().is_some())
    }

    /// Whether columns of this type may refer to rows in this way.
    pub fn has_reference_of(&self, kind: RefType) -> bool {
        let is = |b: &BaseType| b.reference().is_some_and(|r| r.1 == kind);
        is(&self.key) || self.value.as_ref().is_some_and(is)
    }

    /// Reads a type.
    pub fn from_json(json: &Value) -> Result<ColumnType, Error> {
        if let Value::String(s) = json {
            return atomic_type(json, s).map(ColumnType::scalar);
        }
        let mut p = ObjectParser::new(json, "ovsdb type");
        let mut t = ColumnType::scalar(AtomType::Integer);
        let key = p.required("key", Kind::StringOrObject);
        if p.error().is_none()
            && let Some(k) = key
        {
            t.key = BaseType::from_json(k)?;
        }
        if let Some(v) = p.optional("value", Kind::StringOrObject) {
            t.value = Some(BaseType::from_json(v)?);
        }
        if let Some(v) = p.optional("min", Kind::Integer) {
            t.min = count(v)?;
        }
        if let Some(v) = p.optional("max", Kind::StringOrInteger) {
            t.max = if v.as_str() == Some("unlimited") { u32::MAX } else { count(v)? };
        }
        p.finish()?;
        if t.min > 1 || t.max < 1 || t.min > t.max {
            return Err(Error::syntax(json, "ovsdb type fails constraint checks"));
        }
        Ok(t)
    }

    /// The type in a schema.
    pub fn to_json(&self) -> Value {
        let key = self.key.to_json();
        if self.is_scalar() && matches!(key, Value::String(_)) {
            return key;
        }
        let mut o = Object::new();
        o.insert("key", key);
        if let Some(v) = &self.value {
            o.insert("value", v.to_json());
        }
        if self.min != 1 {
            o.insert("min", i64::from(self.min));
        }
        match self.max {
            1 => {}
            u32::MAX => {
                o.insert("max", "unlimited");
            }
            n => {
                o.insert("max", i64::from(n));
            }
        }
        Value::Object(o)
    }

    /// The type in words, as messages have it.
    pub fn to_english(&self) -> String {
        let key = self.key.kind.name();
        if self.is_scalar() {
            return key.to_owned();
        }
        let unlimited = self.max == u32::MAX;
        let mut s = String::from(if self.is_map() { "map" } else { "set" });
        if !unlimited {
            if self.min > 0 {
                s += &format!(" of {} to {}", self.min, self.max);
            } else {
                s += &format!(" of up to {}", self.max);
            }
            s.push(' ');
        } else if self.min > 0 {
            s += &format!(" of {} or more ", self.min);
        } else {
            s += " of ";
        }
        match &self.value {
            Some(v) => s += &format!("({key}, {}) pairs", v.kind.name()),
            None => {
                s += key;
                s.push('s');
            }
        }
        s
    }
}

fn count(v: &Value) -> Result<u32, Error> {
    v.as_integer().and_then(|i| u32::try_from(i).ok()).ok_or_else(|| Error::syntax(v, "bad min or max value"))
}
