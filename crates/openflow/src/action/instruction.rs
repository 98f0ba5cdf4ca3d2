//! The instructions other than apply-actions: `meter`, `clear_actions`, `write_actions`, `write_metadata`,
//! `goto_table`. In the text and in a list of actions they stand among the actions.

use super::Action;
use base::MeterId;

/// Apply a meter.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Meter {
    /// The meter.
    pub meter: MeterId,
}

/// Write into the action set.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WriteActions {
    /// The actions.
    pub actions: Vec<Action>,
}

/// Change bits of the metadata field.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WriteMetadata {
    /// The bits.
    pub metadata: u64,
    /// Which ones.
    pub mask: u64,
}

/// Continue in a later table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct GotoTable {
    /// The table.
    pub table: u8,
}
