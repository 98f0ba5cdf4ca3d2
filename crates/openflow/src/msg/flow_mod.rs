//! Flow-mod: add, change and delete flows.

use crate::Action;
use base::{Cookie, GroupId, OfPort};
use flow::MiniMatch;

/// What a flow-mod does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum FlowModCommand {
    /// Add a flow.
    Add = 0,
    /// Change the actions of matching flows.
    Modify = 1,
    /// Change the actions of the flow with that very match and priority.
    ModifyStrict = 2,
    /// Delete matching flows.
    Delete = 3,
    /// Delete the flow with that very match and priority.
    DeleteStrict = 4,
}

/// Flags of a flow or flow-mod.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct FlowModFlags(pub u16);

impl FlowModFlags {
    /// Tell controllers when the flow goes.
    pub const SEND_FLOW_REM: u16 = 1 << 0;
    /// Refuse the flow when it overlaps another of its priority.
    pub const CHECK_OVERLAP: u16 = 1 << 1;
    /// OpenFlow 1.0 emergency flow.
    pub const EMERG: u16 = 1 << 2;
    /// Reset the counters of a flow that is replaced or changed.
    pub const RESET_COUNTS: u16 = 1 << 3;
    /// Packets need not be counted.
    pub const NO_PKT_COUNTS: u16 = 1 << 4;
    /// Bytes need not be counted.
    pub const NO_BYT_COUNTS: u16 = 1 << 5;
    /// Hidden from controllers; never on the wire.
    pub const HIDDEN_FIELDS: u16 = 1 << 6;
    /// Controllers may not change it; never on the wire.
    pub const NO_READONLY: u16 = 1 << 7;

    /// Whether all of `bits` are set.
    pub const fn has(self, bits: u16) -> bool {
        self.0 & bits == bits
    }
}

/// A flow-mod.
#[derive(Clone, PartialEq, Debug)]
pub struct FlowMod {
    /// What to do.
    pub command: FlowModCommand,
    /// The match.
    pub matching: MiniMatch,
    /// Priority.
    pub priority: u16,
    /// For add: the cookie. For modify: the new one, if [`FlowMod::modify_cookie`].
    pub new_cookie: Cookie,
    /// Change the cookie of the flows.
    pub modify_cookie: bool,
    /// Cookie that flows must have in the bits of [`FlowMod::cookie_mask`].
    pub cookie: Cookie,
    /// Bits of the cookie that matter.
    pub cookie_mask: Cookie,
    /// Table, or 255: all, or the switch's choice.
    pub table: u8,
    /// Seconds; 0: none.
    pub idle_timeout: u16,
    /// Seconds; 0: none.
    pub hard_timeout: u16,
    /// Buffered packet to run through the flow.
    pub buffer_id: Option<u32>,
    /// For delete: only flows that output there ([`OfPort::NONE`]: any).
    pub out_port: OfPort,
    /// For delete: only flows that use the group ([`GroupId::ANY`]: any).
    pub out_group: GroupId,
    /// Flags.
    pub flags: FlowModFlags,
    /// Importance for eviction.
    pub importance: u16,
    /// What the flow does.
    pub actions: Vec<Action>,
}

impl FlowMod {
    /// Priority when none is said.
    pub const DEFAULT_PRIORITY: u16 = 0x8000;

    /// A flow-mod with everything at its default.
    pub fn new(command: FlowModCommand, matching: MiniMatch) -> FlowMod {
        FlowMod {
            command,
            matching,
            priority: FlowMod::DEFAULT_PRIORITY,
            new_cookie: Cookie(0),
            modify_cookie: false,
            cookie: Cookie(0),
            cookie_mask: Cookie(0),
            table: 0xff,
            idle_timeout: 0,
            hard_timeout: 0,
            buffer_id: None,
            out_port: OfPort::NONE,
            out_group: GroupId::ANY,
            flags: FlowModFlags(0),
            importance: 0,
            actions: Vec::new(),
        }
    }
}
