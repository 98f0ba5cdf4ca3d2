//! `push` and `pop`: the stack.

use flow::Subfield;

/// Push or pop a field.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stack {
    /// What is pushed, or where the popped value goes.
    pub subfield: Subfield,
}
