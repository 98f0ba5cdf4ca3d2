//! `set_field` and `load`: put a literal into a field or a part of one.
//!
//! One representation serves both texts: a field, a value and a mask of the bits that are set.

use flow::{Field, Value};

/// A value and mask, kept small for the fields of up to 64 bits, which nearly all are.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Literal {
    Narrow { value: u64, mask: u64 },
    Wide(Box<(Value, Value)>),
}

/// Load a literal into a field.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SetField {
    literal: Literal,
    /// The field.
    pub field: Field,
    /// The flow matches only packets that have a VLAN tag at this point (found by [`super::check`]).
    pub flow_has_vlan: bool,
    /// Written as `load:` (or received as the Nicira action): printed so again.
    pub is_load: bool,
}

impl SetField {
    /// Sets the bits of `field` that are 1 in `mask` to those of `value`.
    pub fn new(field: Field, value: Value, mask: Value) -> SetField {
        let literal = match (u64::try_from(value), u64::try_from(mask)) {
            (Ok(value), Ok(mask)) => Literal::Narrow { value, mask },
            _ => Literal::Wide(Box::new((value, mask))),
        };
        SetField { literal, field, flow_has_vlan: false, is_load: false }
    }

    /// The bits to set.
    pub fn value(&self) -> Value {
        match &self.literal {
            Literal::Narrow { value, .. } => Value::from(*value),
            Literal::Wide(w) => w.0,
        }
    }

    /// Which bits are set.
    pub fn mask(&self) -> Value {
        match &self.literal {
            Literal::Narrow { mask, .. } => Value::from(*mask),
            Literal::Wide(w) => w.1,
        }
    }
}
