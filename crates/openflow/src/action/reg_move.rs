//! `move`: copy one field, or part of one, to another.

use flow::Subfield;

/// Copy `src` to `dst`; both have the same width.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Move {
    /// From.
    pub src: Subfield,
    /// To.
    pub dst: Subfield,
}
