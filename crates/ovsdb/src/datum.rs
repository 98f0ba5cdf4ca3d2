//! The value of a column: a set or map of atoms, in order.
//!
//! A big database is mostly scalars, so that form is inline (a datum is as large as an atom: 24 bytes) and the
//! rest is shared: copying a row to change one column of it copies pointers.

use crate::atom::{Atom, SymbolTable};
use crate::error::Error;
use crate::json::Value;
use crate::types::{BaseType, ColumnType};
use crate::uuid::Uuid;
use std::sync::Arc;

/// The value of a column.
///
/// Always in the shortest form: no elements are [`Datum::Empty`], whatever the type; one element that is not a
/// pair is [`Datum::One`]. Elements are sorted and distinct (pairs by key).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Datum {
    /// The empty set or map.
    #[default]
    Empty,
    /// A set of one element; also a scalar.
    One(Atom),
    /// A set of two or more elements.
    Set(Arc<[Atom]>),
    /// A map with at least one pair.
    Map(Arc<[(Atom, Atom)]>),
}

impl Datum {
    /// The empty set or map.
    pub const EMPTY: Datum = Datum::Empty;

    /// A scalar, or a set of one element.
    pub fn one(atom: impl Into<Atom>) -> Datum {
        Datum::One(atom.into())
    }

    /// A set of these elements, each once.
    pub fn set(atoms: impl IntoIterator<Item = Atom>) -> Datum {
        let mut v: Vec<Atom> = atoms.into_iter().collect();
        v.sort_unstable();
        v.dedup();
        Datum::from_sorted(v)
    }

    /// A map of these pairs; of several with one key the last counts.
    pub fn map(pairs: impl IntoIterator<Item = (Atom, Atom)>) -> Datum {
        let mut v: Vec<(Atom, Atom)> = pairs.into_iter().collect();
        v.sort_by(|a, b| a.0.cmp(&b.0));
        v.dedup_by(|later, earlier| {
            let same = later.0 == earlier.0;
            if same {
                std::mem::swap(later, earlier);
            }
            same
        });
        Datum::from_sorted_pairs(v)
    }

    /// A map of strings.
    pub fn string_map<K: AsRef<str>, V: AsRef<str>>(pairs: impl IntoIterator<Item = (K, V)>) -> Datum {
        Datum::map(pairs.into_iter().map(|(k, v)| (k.as_ref().into(), v.as_ref().into())))
    }

    /// A set of these elements, which are sorted and distinct.
    fn from_sorted(mut v: Vec<Atom>) -> Datum {
        match v.len() {
            0 => Datum::Empty,
            1 => v.pop().map_or(Datum::Empty, Datum::One),
            _ => Datum::Set(v.into()),
        }
    }

    /// A map of these pairs, which are sorted by distinct keys.
    fn from_sorted_pairs(v: Vec<(Atom, Atom)>) -> Datum {
        if v.is_empty() { Datum::Empty } else { Datum::Map(v.into()) }
    }

    /// How many elements or pairs there are.
    pub fn len(&self) -> usize {
        match self {
            Datum::Empty => 0,
            Datum::One(_) => 1,
            Datum::Set(s) => s.len(),
            Datum::Map(m) => m.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        matches!(self, Datum::Empty)
    }

    /// The elements of a set or the keys of a map, in order.
    pub fn keys(&self) -> Keys<'_> {
        match self {
            Datum::Empty => Keys::Set([].iter()),
            Datum::One(a) => Keys::Set(std::slice::from_ref(a).iter()),
            Datum::Set(s) => Keys::Set(s.iter()),
            Datum::Map(m) => Keys::Map(m.iter()),
        }
    }

    /// The pairs of a map, in order of their keys.
    pub fn pairs(&self) -> &[(Atom, Atom)] {
        if let Datum::Map(m) = self { m } else { &[] }
    }

    /// The values of a map.
    pub fn values(&self) -> impl Iterator<Item = &Atom> {
        self.pairs().iter().map(|(_, v)| v)
    }

    /// The only element.
    pub fn as_one(&self) -> Option<&Atom> {
        if let Datum::One(a) = self { Some(a) } else { None }
    }

    /// The only element, if it is a string.
    pub fn as_str(&self) -> Option<&str> {
        self.as_one()?.as_str()
    }

    /// The only element, if it is an integer.
    pub fn as_integer(&self) -> Option<i64> {
        self.as_one()?.as_integer()
    }

    /// The only element, if it is a boolean.
    pub fn as_bool(&self) -> Option<bool> {
        self.as_one()?.as_bool()
    }

    /// The only element, if it is a UUID.
    pub fn as_uuid(&self) -> Option<Uuid> {
        self.as_one()?.as_uuid()
    }

    /// The value of a map at `key`.
    pub fn get(&self, key: &Atom) -> Option<&Atom> {
        let m = self.pairs();
        m.binary_search_by(|p| p.0.cmp(key)).ok().map(|i| &m[i].1)
    }

    /// The string value of a map of strings at `key`.
    pub fn get_str(&self, key: &str) -> Option<&str> {
        let m = self.pairs();
        let at = m.binary_search_by(|p| p.0.as_str().unwrap_or("").cmp(key)).ok()?;
        m[at].1.as_str()
    }

    /// Whether `key` is among the elements or keys.
    pub fn contains(&self, key: &Atom) -> bool {
        match self {
            Datum::Empty => false,
            Datum::One(a) => a == key,
            Datum::Set(s) => s.binary_search(key).is_ok(),
            Datum::Map(_) => self.get(key).is_some(),
        }
    }

    fn contains_element(&self, key: &Atom, value: Option<&Atom>) -> bool {
        match value {
            None => self.contains(key),
            Some(v) => self.get(key) == Some(v),
        }
    }

    fn elements(&self) -> impl Iterator<Item = (&Atom, Option<&Atom>)> {
        let values = self.pairs();
        self.keys().enumerate().map(move |(i, k)| (k, values.get(i).map(|p| &p.1)))
    }

    /// Whether all elements (pairs) of `other` are in `self`.
    pub fn includes_all(&self, other: &Datum) -> bool {
        other.len() <= self.len() && other.elements().all(|(k, v)| self.contains_element(k, v))
    }

    /// Whether no element (pair) of `other` is in `self`.
    pub fn excludes_all(&self, other: &Datum) -> bool {
        !other.elements().any(|(k, v)| self.contains_element(k, v))
    }

    /// With the elements of `other`; of pairs with one key `self`'s are kept.
    pub fn union(&self, other: &Datum) -> Datum {
        match (self, other) {
            (_, Datum::Empty) => self.clone(),
            (Datum::Empty, _) => other.clone(),
            (Datum::Map(a), Datum::Map(b)) => {
                Datum::from_sorted_pairs(merge(a, b, |x, y| x.0.cmp(&y.0), true, |x, _| Some(x.clone())))
            }
            _ => {
                let (a, b) = (self.as_slice(), other.as_slice());
                Datum::from_sorted(merge(a, b, Ord::cmp, true, |x, _| Some(x.clone())))
            }
        }
    }

    /// Without the elements of `other`: for a map and a set, without the pairs with these keys; for two maps,
    /// without the pairs that are the same in both.
    pub fn subtract(&self, other: &Datum) -> Datum {
        match (self, other) {
            (Datum::Map(a), Datum::Map(_)) => Datum::from_sorted_pairs(
                a.iter().filter(|p| other.get(&p.0) != Some(&p.1)).cloned().collect(),
            ),
            (Datum::Map(a), _) => {
                Datum::from_sorted_pairs(a.iter().filter(|p| !other.contains(&p.0)).cloned().collect())
            }
            _ => Datum::from_sorted(self.keys().filter(|k| !other.contains(k)).cloned().collect()),
        }
    }

    /// A set with one more element.
    pub fn with(&self, atom: Atom) -> Datum {
        let set = self.as_slice();
        match set.binary_search(&atom) {
            Ok(_) => self.clone(),
            Err(at) => {
                let mut v = Vec::with_capacity(set.len() + 1);
                v.extend_from_slice(&set[..at]);
                v.push(atom);
                v.extend_from_slice(&set[at..]);
                Datum::from_sorted(v)
            }
        }
    }

    /// A set without one element.
    pub fn without(&self, atom: &Atom) -> Datum {
        let set = self.as_slice();
        match set.binary_search(atom) {
            Ok(at) => {
                let mut v = set.to_vec();
                v.remove(at);
                Datum::from_sorted(v)
            }
            Err(_) => self.clone(),
        }
    }

    fn as_slice(&self) -> &[Atom] {
        match self {
            Datum::One(a) => std::slice::from_ref(a),
            Datum::Set(s) => s,
            Datum::Empty | Datum::Map(_) => &[],
        }
    }

    /// What makes `new` out of `self`, as updates and the log have it: for a column of at most one element the
    /// new value; for a set the elements that only one of the two has; for a map the pairs that only one has,
    /// and where both have a key with different values, the new pair.
    pub fn diff(&self, new: &Datum, of: &ColumnType) -> Datum {
        if of.max == 1 {
            return new.clone();
        }
        match (self, new) {
            (Datum::Empty, _) => new.clone(),
            (_, Datum::Empty) => self.clone(),
            (Datum::Map(a), Datum::Map(b)) => Datum::from_sorted_pairs(merge(
                a,
                b,
                |x, y| x.0.cmp(&y.0),
                true,
                |x, y| (x.1 != y.1).then(|| y.clone()),
            )),
            _ => Datum::from_sorted(merge(self.as_slice(), new.as_slice(), Ord::cmp, true, |_, _| None)),
        }
    }

    /// Applies what [`Datum::diff`] gave to the old value.
    pub fn apply_diff(&self, diff: &Datum, of: &ColumnType) -> Datum {
        if of.max == 1 {
            return diff.clone();
        }
        match (self, diff) {
            (Datum::Empty, _) => diff.clone(),
            (_, Datum::Empty) => self.clone(),
            (Datum::Map(a), Datum::Map(b)) => Datum::from_sorted_pairs(merge(
                a,
                b,
                |x, y| x.0.cmp(&y.0),
                true,
                |x, y| (x.1 != y.1).then(|| y.clone()),
            )),
            _ => Datum::from_sorted(merge(self.as_slice(), diff.as_slice(), Ord::cmp, true, |_, _| None)),
        }
    }

    /// Reads a value of type `of` from the wire, checking constraints and the number of elements.
    pub fn from_json(json: &Value, of: &ColumnType, names: &mut dyn SymbolTable) -> Result<Datum, Error> {
        Datum::read(json, of, names, true)
    }

    /// Reads a value of type `of` from the wire, of any number of elements, whatever its constraints.
    pub fn from_json_unchecked(
        json: &Value,
        of: &ColumnType,
        names: &mut dyn SymbolTable,
    ) -> Result<Datum, Error> {
        Datum::read(json, of, names, false)
    }

    fn read(
        json: &Value,
        of: &ColumnType,
        names: &mut dyn SymbolTable,
        checked: bool,
    ) -> Result<Datum, Error> {
        let mut atom = |json: &Value, base: &BaseType| match checked {
            true => Atom::from_json(json, base, names),
            false => Atom::from_json_unchecked(json, base.kind, names),
        };
        if let Some(value_type) = &of.value {
            let pairs = tagged(json, "map")?;
            if checked {
                check_count("map", pairs.len(), of, json)?;
            }
            let mut v = Vec::with_capacity(pairs.len());
            for pair in pairs {
                let Some([k, x]) = pair.as_array() else {
                    return Err(Error::syntax(pair, "expected 2-element array"));
                };
                v.push((atom(k, &of.key)?, atom(x, value_type)?));
            }
            v.sort_by(|a, b| a.0.cmp(&b.0));
            if v.windows(2).any(|w| w[0].0 == w[1].0) {
                return Err(Error::other("map contains duplicate key"));
            }
            return Ok(Datum::from_sorted_pairs(v));
        }
        let is_set = json.as_array().and_then(|a| a.first()).and_then(Value::as_str) == Some("set");
        if !is_set {
            return atom(json, &of.key).map(Datum::One);
        }
        let elements = tagged(json, "set")?;
        if checked {
            check_count("set", elements.len(), of, json)?;
        }
        let mut v = Vec::with_capacity(elements.len());
        for e in elements {
            v.push(atom(e, &of.key)?);
        }
        if !v.windows(2).all(|w| w[0] < w[1]) {
            v.sort_unstable();
            if v.windows(2).any(|w| w[0] == w[1]) {
                return Err(Error::other("set contains duplicate"));
            }
        }
        Ok(Datum::from_sorted(v))
    }

    /// Whether the elements and their number are as `of` demands.
    pub fn check(&self, of: &ColumnType) -> Result<(), Error> {
        for (k, v) in self.elements() {
            of.key.check(k)?;
            if let (Some(v), Some(t)) = (v, &of.value) {
                t.check(v)?;
            }
        }
        Ok(())
    }

    /// The value on the wire.
    pub fn to_json(&self, of: &ColumnType) -> Value {
        match self {
            Datum::One(a) => a.to_json(),
            Datum::Empty => tag(if of.is_map() { "map" } else { "set" }, Vec::new()),
            Datum::Set(s) => tag("set", s.iter().map(Atom::to_json).collect()),
            Datum::Map(m) => {
                tag("map", m.iter().map(|(k, v)| Value::Array(vec![k.to_json(), v.to_json()])).collect())
            }
        }
    }

    /// Appends the value's text on the wire.
    pub fn write_json(&self, out: &mut String, of: &ColumnType) {
        match self {
            Datum::One(a) => a.write_json(out),
            Datum::Empty => out.push_str(if of.is_map() { "[\"map\",[]]" } else { "[\"set\",[]]" }),
            Datum::Set(s) => {
                out.push_str("[\"set\",[");
                for (i, a) in s.iter().enumerate() {
                    if i > 0 {
                        out.push(',');
                    }
                    a.write_json(out);
                }
                out.push_str("]]");
            }
            Datum::Map(m) => {
                out.push_str("[\"map\",[");
                for (i, (k, v)) in m.iter().enumerate() {
                    out.push_str(if i > 0 { ",[" } else { "[" });
                    k.write_json(out);
                    out.push(',');
                    v.write_json(out);
                    out.push(']');
                }
                out.push_str("]]");
            }
        }
    }
}

/// Iterates over the elements of a set or the keys of a map.
#[derive(Clone, Debug)]
pub enum Keys<'a> {
    /// Of a set.
    Set(std::slice::Iter<'a, Atom>),
    /// Of a map.
    Map(std::slice::Iter<'a, (Atom, Atom)>),
}

impl<'a> Iterator for Keys<'a> {
    type Item = &'a Atom;
    fn next(&mut self) -> Option<&'a Atom> {
        match self {
            Keys::Set(i) => i.next(),
            Keys::Map(i) => i.next().map(|p| &p.0),
        }
    }
    fn size_hint(&self) -> (usize, Option<usize>) {
        match self {
            Keys::Set(i) => i.size_hint(),
            Keys::Map(i) => i.size_hint(),
        }
    }
}
impl ExactSizeIterator for Keys<'_> {}

/// Merges two sorted lists; `both` says what becomes of elements that compare equal.
fn merge<T: Clone>(
    a: &[T],
    b: &[T],
    cmp: impl Fn(&T, &T) -> std::cmp::Ordering,
    keep: bool,
    both: impl Fn(&T, &T) -> Option<T>,
) -> Vec<T> {
    use std::cmp::Ordering::*;
    let (mut i, mut j) = (0, 0);
    let mut out = Vec::with_capacity(a.len().max(b.len()));
    while i < a.len() && j < b.len() {
        match cmp(&a[i], &b[j]) {
            Less => {
                out.push(a[i].clone());
                i += 1;
            }
            Greater => {
                out.push(b[j].clone());
                j += 1;
            }
            Equal => {
                out.extend(both(&a[i], &b[j]));
                i += 1;
                j += 1;
            }
        }
    }
    if keep {
        out.extend_from_slice(&a[i..]);
        out.extend_from_slice(&b[j..]);
    }
    out
}

fn tag(name: &'static str, elements: Vec<Value>) -> Value {
    Value::Array(vec![name.into(), Value::Array(elements)])
}

fn tagged<'a>(json: &'a Value, name: &str) -> Result<&'a [Value], Error> {
    if let Some([Value::String(t), Value::Array(a)]) = json.as_array()
        && t == name
    {
        return Ok(a);
    }
    Err(Error::syntax(json, format!("expected [\"{name}\", <array>]")))
}

fn check_count(what: &str, n: usize, of: &ColumnType, json: &Value) -> Result<(), Error> {
    if n >= of.min as usize && n <= of.max as usize {
        return Ok(());
    }
    let expected = if of.min == 1 && of.max == 1 {
        "exactly one member".to_owned()
    } else {
        format!("{} to {} members", of.min, of.max)
    };
    Err(Error::syntax(json, format!("{what} must have {expected} but {n} are present")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::atom::AtomType;

    #[test]
    fn a_datum_is_as_small_as_an_atom() {
        assert_eq!(size_of::<Datum>(), 24);
        assert_eq!(size_of::<Atom>(), 24);
    }

    #[test]
    fn diff_and_apply_are_inverse() {
        let mut seed = 7u64;
        let mut random = move |n: u64| {
            seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (seed >> 33) % n
        };
        let mut set = ColumnType::scalar(AtomType::Integer);
        set.max = u32::MAX;
        let mut map = set.clone();
        map.value = Some(AtomType::Integer.into());
        for _ in 0..2000 {
            let make = |random: &mut dyn FnMut(u64) -> u64| {
                let n = random(6);
                Datum::set((0..n).map(|_| Atom::Integer(random(8) as i64)))
            };
            let (a, b) = (make(&mut random), make(&mut random));
            assert_eq!(a.apply_diff(&a.diff(&b, &set), &set), b);
            assert!(a.union(&b).includes_all(&a) && a.union(&b).includes_all(&b));
            assert!(a.subtract(&b).excludes_all(&b));
            let make = |random: &mut dyn FnMut(u64) -> u64| {
                let n = random(6);
                Datum::map((0..n).map(|_| (Atom::Integer(random(8) as i64), Atom::Integer(random(3) as i64))))
            };
            let (a, b) = (make(&mut random), make(&mut random));
            assert_eq!(a.apply_diff(&a.diff(&b, &map), &map), b);
            assert_eq!(
                Datum::from_json(
                    &a.to_json(&map),
                    &{
                        let mut m = map.clone();
                        m.min = 0;
                        m
                    },
                    &mut crate::atom::NoSymbols
                ),
                Ok(a)
            );
        }
    }
}
