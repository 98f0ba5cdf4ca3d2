//! Conditions on rows: `[column, function, value]` (RFC 7047 section 5.1).

use crate::atom::{Atom, AtomType, SymbolTable};
use crate::datum::Datum;
use crate::error::Error;
use crate::json::Value;
use crate::row::Row;
use crate::schema::{TableSchema, UUID_COLUMN};
use crate::uuid::Uuid;
use std::cmp::Ordering;

/// How a column and a value are compared.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Function {
    /// `<`
    Less,
    /// `<=`
    LessEqual,
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `>=`
    GreaterEqual,
    /// `>`
    Greater,
    /// `includes`
    Includes,
    /// `excludes`
    Excludes,
}

impl Function {
    const ALL: [(&'static str, Function); 8] = [
        ("<", Function::Less),
        ("<=", Function::LessEqual),
        ("==", Function::Equal),
        ("!=", Function::NotEqual),
        (">=", Function::GreaterEqual),
        (">", Function::Greater),
        ("includes", Function::Includes),
        ("excludes", Function::Excludes),
    ];

    /// The function called `name`.
    pub fn from_name(name: &str) -> Option<Function> {
        Function::ALL.iter().find(|f| f.0 == name).map(|f| f.1)
    }

    /// The function's name.
    pub fn name(self) -> &'static str {
        Function::ALL.iter().find(|f| f.1 == self).map_or("", |f| f.0)
    }

    fn is_ordering(self) -> bool {
        matches!(self, Function::Less | Function::LessEqual | Function::GreaterEqual | Function::Greater)
    }
}

/// One comparison.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Clause {
    /// Holds for every row, or for none.
    Constant(bool),
    /// Compares a column.
    Compare {
        /// The column's position.
        column: usize,
        /// How.
        function: Function,
        /// With what.
        value: Datum,
    },
}

impl Clause {
    /// Reads a clause on rows of `table`.
    pub fn from_json(
        json: &Value,
        table: &TableSchema,
        names: &mut dyn SymbolTable,
    ) -> Result<Clause, Error> {
        if let Value::Bool(b) = json {
            return Ok(Clause::Constant(*b));
        }
        let Some([Value::String(column), Value::String(function), value]) = json.as_array() else {
            return Err(Error::syntax(json, "Parse error in condition."));
        };
        let Some(c) = table.column(column) else {
            let details = format!("No column {column} in table {}.", table.name);
            return Err(Error::new("unknown column", details).at(json));
        };
        let Some(function) = Function::from_name(function) else {
            return Err(Error::new("unknown function", format!("No function named {function}.")));
        };
        let mut kind = table.columns[c].kind.clone();
        if function.is_ordering() {
            let number = matches!(kind.key.kind, AtomType::Integer | AtomType::Real);
            if !number || !(kind.is_scalar() || kind.is_optional_scalar()) {
                let details = format!(
                    "Type mismatch: \"{}\" operator may not be applied to column {column} of type {}.",
                    function.name(),
                    kind.to_english()
                );
                return Err(Error::syntax(json, details));
            }
            kind.min = 1;
        } else if matches!(function, Function::Includes | Function::Excludes) && !kind.is_scalar() {
            kind.min = 0;
            if function == Function::Excludes {
                // What a column can never have all of, it may still exclude.
                kind.max = u32::MAX;
            }
        }
        Ok(Clause::Compare { column: c, function, value: Datum::from_json(value, &kind, names)? })
    }

    /// Whether the clause holds for a row.
    pub fn holds(&self, row: &Row) -> bool {
        let (column, function, value) = match self {
            Clause::Constant(b) => return *b,
            Clause::Compare { column, function, value } => (*column, *function, value),
        };
        let datum = &row[column];
        match function {
            Function::Equal => datum == value,
            Function::NotEqual => datum != value,
            Function::Includes => datum.includes_all(value),
            Function::Excludes => datum.excludes_all(value),
            _ => match (datum.as_one(), value.as_one()) {
                (Some(a), Some(b)) => {
                    let order = compare(a, b);
                    match function {
                        Function::Less => order == Ordering::Less,
                        Function::LessEqual => order != Ordering::Greater,
                        Function::GreaterEqual => order != Ordering::Less,
                        _ => order == Ordering::Greater,
                    }
                }
                _ => false,
            },
        }
    }
}

fn compare(a: &Atom, b: &Atom) -> Ordering {
    a.cmp(b)
}

/// Several clauses. An operation's condition asks that all hold; a monitor's that one does.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct Condition {
    /// The clauses.
    pub clauses: Vec<Clause>,
}

impl Condition {
    /// Reads an array of clauses.
    pub fn from_json(
        json: &Value,
        table: &TableSchema,
        names: &mut dyn SymbolTable,
    ) -> Result<Condition, Error> {
        let clauses = json.as_array().ok_or_else(|| Error::syntax(json, "array expected"))?;
        let clauses: Result<_, _> = clauses.iter().map(|c| Clause::from_json(c, table, names)).collect();
        Ok(Condition { clauses: clauses? })
    }

    /// Whether all clauses hold.
    pub fn all(&self, row: &Row) -> bool {
        self.clauses.iter().all(|c| c.holds(row))
    }

    /// Whether one clause holds, or there is none.
    pub fn any(&self, row: &Row) -> bool {
        self.clauses.is_empty() || self.clauses.iter().any(|c| c.holds(row))
    }

    /// Whether every row passes [`Condition::any`].
    pub fn is_true(&self) -> bool {
        self.clauses.is_empty() || self.clauses.contains(&Clause::Constant(true))
    }

    /// The value that the condition demands of a column, if it does.
    pub fn equal_to(&self, column: usize) -> Option<&Datum> {
        self.clauses.iter().find_map(|c| match c {
            Clause::Compare { column: c, function: Function::Equal, value } if *c == column => Some(value),
            Clause::Compare { column: c, function: Function::Includes, value }
                if *c == column && column == UUID_COLUMN =>
            {
                Some(value)
            }
            _ => None,
        })
    }

    /// The only row that the condition can hold for, if it says.
    pub fn row(&self) -> Option<Uuid> {
        self.equal_to(UUID_COLUMN)?.as_uuid()
    }
}
