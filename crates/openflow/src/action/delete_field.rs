//! `delete_field`: remove a tunnel option.

use flow::Field;

/// Remove `field` from the packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DeleteField {
    /// A tunnel metadata field.
    pub field: Field,
}
