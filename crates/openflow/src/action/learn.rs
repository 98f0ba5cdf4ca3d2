//! `learn`: add or change a flow made from the packet.

use base::Cookie;
use flow::{Subfield, Value};

/// Where a [`LearnSpec`] takes its value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum LearnSrc {
    /// A field of the packet.
    Field(Subfield),
    /// A literal.
    Immediate(Value),
}

/// What a [`LearnSpec`] does with its value in the new flow.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum LearnDst {
    /// The new flow matches it in this field.
    Match(Subfield),
    /// The new flow loads it into this field.
    Load(Subfield),
    /// The new flow outputs to it.
    Output,
}

/// One element of the new flow.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LearnSpec {
    /// Where the value comes from.
    pub src: LearnSrc,
    /// What becomes of it.
    pub dst: LearnDst,
    /// Its width in bits.
    pub n_bits: u16,
}

/// Add or change a flow.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Learn {
    /// Idle timeout of the new flow, in seconds.
    pub idle_timeout: u16,
    /// Hard timeout of the new flow, in seconds.
    pub hard_timeout: u16,
    /// Priority of the new flow.
    pub priority: u16,
    /// Table of the new flow.
    pub table: u8,
    /// Cookie of the new flow.
    pub cookie: Cookie,
    /// Bits `LEARN_*`.
    pub flags: u16,
    /// `fin_timeout(idle_timeout=..)` of the new flow.
    pub fin_idle_timeout: u16,
    /// `fin_timeout(hard_timeout=..)` of the new flow.
    pub fin_hard_timeout: u16,
    /// Most flows of this cookie in the table; 0 means no limit.
    pub limit: u32,
    /// Bit that tells whether a flow was learned.
    pub result_dst: Option<Subfield>,
    /// Matches and actions of the new flow.
    pub specs: Box<[LearnSpec]>,
}

impl Learn {
    /// The new flow sends flow-removed messages.
    pub const SEND_FLOW_REM: u16 = 1 << 0;
    /// Deleting the flow that learns deletes what it learned.
    pub const DELETE_LEARNED: u16 = 1 << 1;
    /// [`Learn::result_dst`] is given.
    pub const WRITE_RESULT: u16 = 1 << 2;
}
