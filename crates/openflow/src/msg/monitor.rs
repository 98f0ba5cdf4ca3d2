//! Flow monitoring: tell a controller of changes to flows.

use crate::Action;
use base::{Cookie, GroupId, OfPort};
use flow::MiniMatch;

/// What a monitor request does (from 1.4 on).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum MonitorCommand {
    /// New monitor.
    Add = 0,
    /// Change a monitor.
    Modify = 1,
    /// Delete a monitor.
    Delete = 2,
}

/// Flags of a monitor: bits as in OpenFlow 1.4.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct MonitorFlags(pub u16);

impl MonitorFlags {
    /// Existing flows first.
    pub const INITIAL: u16 = 1 << 0;
    /// New flows.
    pub const ADD: u16 = 1 << 1;
    /// Flows that go.
    pub const DELETE: u16 = 1 << 2;
    /// Flows that change.
    pub const MODIFY: u16 = 1 << 3;
    /// With their actions.
    pub const ACTIONS: u16 = 1 << 4;
    /// Also the controller's own changes.
    pub const OWN: u16 = 1 << 5;
    /// Own changes in the short form only.
    pub const ONLY_OWN: u16 = 1 << 6;
}

/// One monitor.
#[derive(Clone, PartialEq, Debug)]
pub struct MonitorRequest {
    /// Its id.
    pub id: u32,
    /// What to do (always add before 1.4).
    pub command: MonitorCommand,
    /// What to tell.
    pub flags: MonitorFlags,
    /// Only flows that output there ([`OfPort::NONE`]: any).
    pub out_port: OfPort,
    /// Only flows that use the group ([`GroupId::ANY`]: any).
    pub out_group: GroupId,
    /// Table, or 255: all.
    pub table: u8,
    /// Flows at least as specific as this.
    pub matching: MiniMatch,
}

/// What happened to a flow.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FlowUpdateEvent {
    /// Existed when monitoring began (from 1.4 on; [`FlowUpdateEvent::Added`] before).
    Initial,
    /// Added.
    Added,
    /// Deleted, for a reason as in flow-removed.
    Deleted(u8),
    /// Changed.
    Modified,
    /// The controller's own change was carried out.
    Abbrev(base::Xid),
    /// Monitoring has paused (from 1.4 on).
    Paused,
    /// Monitoring has resumed (from 1.4 on).
    Resumed,
}

/// One change.
#[derive(Clone, PartialEq, Debug)]
pub struct FlowUpdate {
    /// What happened.
    pub event: FlowUpdateEvent,
    /// The flow's table.
    pub table: u8,
    /// The flow's idle timeout.
    pub idle_timeout: u16,
    /// The flow's hard timeout.
    pub hard_timeout: u16,
    /// The flow's priority.
    pub priority: u16,
    /// The flow's cookie.
    pub cookie: Cookie,
    /// The flow's match.
    pub matching: MiniMatch,
    /// The flow's actions, if asked for.
    pub actions: Vec<Action>,
}
