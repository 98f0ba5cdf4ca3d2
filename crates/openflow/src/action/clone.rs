//! `clone`: run actions and restore the packet afterwards.

use super::Action;

/// Run actions and restore the packet afterwards.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CloneActions {
    /// The actions.
    pub actions: Vec<Action>,
}
