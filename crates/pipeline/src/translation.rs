//! The question to translation and its answer.

use crate::deps::Deps;
use crate::drop_reason::DropReason;
use crate::effect::Effect;
use crate::snapshot::BridgeId;
use base::OfPort;
use dpif::DpAction;
use dpif::action::SlowPath;
use flow::{FlowKey, Mask};
use openflow::Action;
use smallvec::SmallVec;

/// Where a packet comes from.
#[derive(Clone, Copy, Debug)]
pub enum Origin<'a> {
    /// A datapath port (the key's in_port), or recirculation.
    Datapath,
    /// A port of a bridge; the key's in_port is not looked at.
    Port(BridgeId, OfPort),
    /// A controller's packet-out: these actions are run instead of the flow tables.
    PacketOut {
        /// Bridge.
        bridge: BridgeId,
        /// In-port that it claims.
        in_port: OfPort,
        /// What to do.
        actions: &'a [Action],
    },
}

/// What to translate.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The packet's flow; in_port is a datapath port number.
    pub key: &'a FlowKey,
    /// Where it comes from.
    pub origin: Origin<'a>,
    /// Nothing may happen because of this translation: packet-ins are marked as not to be sent, `learn` only says
    /// that it was ignored.
    pub dry_run: bool,
}

impl<'a> Request<'a> {
    /// A packet received by the datapath.
    pub fn received(key: &'a FlowKey) -> Request<'a> {
        Request { key, origin: Origin::Datapath, dry_run: false }
    }
}

/// The answer.
#[derive(Clone, Debug, Default)]
pub struct Translation {
    /// What the datapath does. Nothing: drop.
    pub actions: Vec<DpAction>,
    /// Every packet whose key agrees with the request's on these bits is to be treated in the same way. The in_port
    /// bits are the datapath port's.
    pub mask: Mask,
    /// What else is to happen.
    pub effects: SmallVec<[Effect; 4]>,
    /// What the answer depended on.
    pub deps: Deps,
    /// Why nothing was sent. For a flow that sends, the last reason for which something was not, or nothing.
    pub drop_reason: Option<DropReason>,
    /// Why a datapath of lesser means would have to hand each packet to the control side.
    pub slow: SlowPath,
    /// What is worth a warning in the log (module `ofproto_dpif_xlate`, rate-limited by the caller).
    pub warnings: Vec<String>,
    /// Bridge that the packet entered by.
    pub bridge: Option<BridgeId>,
}

impl Translation {
    /// Whether translation gave up.
    pub fn failed(&self) -> bool {
        self.drop_reason.is_some_and(DropReason::is_failure)
    }
}
