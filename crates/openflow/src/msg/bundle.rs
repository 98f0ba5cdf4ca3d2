//! Bundles: several changes as one transaction.

use super::Message;
use base::Xid;

/// What a bundle control message says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u16)]
pub enum BundleControlKind {
    /// Open.
    OpenRequest = 0,
    /// Opened.
    OpenReply = 1,
    /// Close.
    CloseRequest = 2,
    /// Closed.
    CloseReply = 3,
    /// Commit.
    CommitRequest = 4,
    /// Committed.
    CommitReply = 5,
    /// Discard.
    DiscardRequest = 6,
    /// Discarded.
    DiscardReply = 7,
}

/// Bundle control.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BundleControl {
    /// The bundle.
    pub bundle_id: u32,
    /// What to do.
    pub kind: BundleControlKind,
    /// Bits `FLAG_*`.
    pub flags: u16,
}

impl BundleControl {
    /// All or nothing.
    pub const ATOMIC: u16 = 1 << 0;
    /// In order.
    pub const ORDERED: u16 = 1 << 1;
}

/// A message added to a bundle.
#[derive(Clone, PartialEq, Debug)]
pub struct BundleAdd {
    /// The bundle.
    pub bundle_id: u32,
    /// As in [`BundleControl`].
    pub flags: u16,
    /// Transaction id of the inner message.
    pub xid: Xid,
    /// The message.
    pub message: Message,
}
