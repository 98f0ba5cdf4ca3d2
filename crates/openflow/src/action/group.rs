//! `group`: hand the packet to a group.

use base::GroupId;

/// Hand the packet to a group.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Group {
    /// The group.
    pub group: GroupId,
}
