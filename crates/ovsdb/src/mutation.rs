//! Mutations of columns: `[column, mutator, value]` (RFC 7047 section 5.1).

use crate::atom::{Atom, AtomType, SymbolTable};
use crate::datum::Datum;
use crate::error::Error;
use crate::json::Value;
use crate::schema::TableSchema;
use crate::types::{BaseType, ColumnType};

/// What is done to a column.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mutator {
    /// `+=`
    Add,
    /// `-=`
    Subtract,
    /// `*=`
    Multiply,
    /// `/=`
    Divide,
    /// `%=`
    Modulo,
    /// `insert`
    Insert,
    /// `delete`
    Delete,
}

impl Mutator {
    const ALL: [(&'static str, Mutator); 7] = [
        ("+=", Mutator::Add),
        ("-=", Mutator::Subtract),
        ("*=", Mutator::Multiply),
        ("/=", Mutator::Divide),
        ("%=", Mutator::Modulo),
        ("insert", Mutator::Insert),
        ("delete", Mutator::Delete),
    ];

    fn name(self) -> &'static str {
        Mutator::ALL.iter().find(|m| m.1 == self).map_or("", |m| m.0)
    }

    fn applies_to(self, of: &ColumnType) -> bool {
        let number = !of.is_map() && matches!(of.key.kind, AtomType::Integer | AtomType::Real);
        match self {
            Mutator::Insert | Mutator::Delete => !of.is_scalar(),
            Mutator::Modulo => number && of.key.kind == AtomType::Integer,
            _ => number,
        }
    }
}

/// One mutation.
#[derive(Clone, Debug)]
pub struct Mutation {
    /// The column's position.
    pub column: usize,
    mutator: Mutator,
    value: Datum,
}

impl Mutation {
    /// Reads a mutation of rows of `table`.
    pub fn from_json(
        json: &Value,
        table: &TableSchema,
        names: &mut dyn SymbolTable,
    ) -> Result<Mutation, Error> {
        let Some([Value::String(column), Value::String(mutator), value]) = json.as_array() else {
            return Err(Error::syntax(json, "Parse error in mutation."));
        };
        let Some(c) = table.column(column) else {
            let details = format!("No column {column} in table {}.", table.name);
            return Err(Error::new("unknown column", details).at(json));
        };
        let schema = &table.columns[c];
        if !schema.mutable {
            let details = format!("Cannot mutate immutable column {column} in table {}.", table.name);
            return Err(Error::constraint(details).at(json));
        }
        let Some(&(_, mutator)) = Mutator::ALL.iter().find(|m| m.0 == mutator) else {
            return Err(Error::new("unknown mutator", format!("No mutator named {mutator}.")));
        };
        if !mutator.applies_to(&schema.kind) {
            let details = format!(
                "Type mismatch: \"{}\" operator may not be applied to column {column} of type {}.",
                mutator.name(),
                schema.kind.to_english()
            );
            return Err(Error::syntax(json, details));
        }
        let mut kind = schema.kind.clone();
        kind.min = 0;
        let value = match mutator {
            Mutator::Insert => Datum::from_json(value, &kind, names)?,
            Mutator::Delete => {
                kind.max = u32::MAX;
                // Pairs, or keys alone.
                match Datum::from_json(value, &kind, names) {
                    Err(_) if kind.is_map() => {
                        kind.value = None;
                        Datum::from_json(value, &kind, names)?
                    }
                    other => other?,
                }
            }
            _ => Datum::from_json(value, &ColumnType::scalar(kind.key.kind), names)?,
        };
        Ok(Mutation { column: c, mutator, value })
    }

    /// Applies the mutation to a value of a column of type `of`.
    pub fn apply(&self, old: &Datum, of: &ColumnType) -> Result<Datum, Error> {
        let count = |n: usize| {
            let details = format!("Attempted to store {n} elements in {}.", of.to_english());
            Err(Error::constraint(details))
        };
        match self.mutator {
            Mutator::Insert => {
                let new = old.union(&self.value);
                if new.len() > of.max as usize { count(new.len()) } else { Ok(new) }
            }
            Mutator::Delete => {
                let new = old.subtract(&self.value);
                if new.len() < of.min as usize { count(new.len()) } else { Ok(new) }
            }
            _ => self.arithmetic(old, &of.key),
        }
    }

    fn arithmetic(&self, old: &Datum, base: &BaseType) -> Result<Datum, Error> {
        let Some(operand) = self.value.as_one() else { return Ok(old.clone()) };
        let mut atoms = Vec::with_capacity(old.len());
        for atom in old.keys() {
            let new = match (atom, operand) {
                (Atom::Integer(a), Atom::Integer(b)) => Atom::Integer(self.integer(*a, *b)?),
                (Atom::Real(a), Atom::Real(b)) => Atom::from(self.real(*a, *b)?),
                _ => atom.clone(),
            };
            base.check(&new)?;
            atoms.push(new);
        }
        let n = atoms.len();
        let new = Datum::set(atoms);
        if new.len() < n {
            let details = format!("Result of \"{}\" operation contains duplicates.", self.mutator.name());
            return Err(Error::constraint(details));
        }
        Ok(new)
    }

    fn integer(&self, a: i64, b: i64) -> Result<i64, Error> {
        let result = match self.mutator {
            Mutator::Add => a.checked_add(b),
            Mutator::Subtract => a.checked_sub(b),
            Mutator::Multiply => a.checked_mul(b),
            Mutator::Divide if b == 0 => return Err(division_by_zero()),
            Mutator::Divide => a.checked_div(b),
            _ if b == 0 => return Err(division_by_zero()),
            _ => a.checked_rem(b),
        };
        result.ok_or_else(|| self.out_of_range())
    }

    fn real(&self, a: f64, b: f64) -> Result<f64, Error> {
        let result = match self.mutator {
            Mutator::Add => a + b,
            Mutator::Subtract => a - b,
            Mutator::Multiply => a * b,
            _ if b == 0.0 => return Err(division_by_zero()),
            _ => a / b,
        };
        if result.is_finite() { Ok(result) } else { Err(self.out_of_range()) }
    }

    fn out_of_range(&self) -> Error {
        Error::new("range error", format!("Result of \"{}\" operation is out of range.", self.mutator.name()))
    }
}

fn division_by_zero() -> Error {
    Error::new("domain error", "Division by zero.")
}
