//! What a translation wants done besides sending packets. Translation changes nothing itself: the caller applies the
//! effects once for the packet, and the counting ones again for as long as the cached flow lives.

use crate::snapshot::BridgeId;
use base::{OfPort, TableId};
use l2::mac_learning::Heard;
use ofproto::{Group, Rule};
use openflow::msg::FlowMod;
use std::sync::Arc;

/// One effect.
#[derive(Clone, Debug)]
pub enum Effect {
    /// A table was looked up and this flow matched: credit the flow, and the table's counter.
    Credit {
        /// Bridge of the table.
        bridge: BridgeId,
        /// The table.
        table: TableId,
        /// The flow.
        rule: Arc<Rule>,
    },
    /// A table was looked up and nothing matched.
    Miss {
        /// Bridge of the table.
        bridge: BridgeId,
        /// The table.
        table: TableId,
    },
    /// A group's bucket was run.
    CreditBucket {
        /// The group.
        group: Arc<Group>,
        /// Index of the bucket.
        bucket: usize,
    },
    /// A packet went through a group.
    CreditGroup(Arc<Group>),
    /// A mirror copied the packet.
    CreditMirror {
        /// Bridge of the mirror.
        bridge: BridgeId,
        /// Index among the bridge's mirrors.
        mirror: usize,
    },
    /// A patch port sent the packet.
    PatchTx {
        /// Its bridge.
        bridge: BridgeId,
        /// The port.
        port: OfPort,
    },
    /// A patch port received the packet.
    PatchRx {
        /// Its bridge.
        bridge: BridgeId,
        /// The port.
        port: OfPort,
    },
    /// A station was heard.
    MacLearn {
        /// Bridge of the MAC table.
        bridge: BridgeId,
        /// What was heard.
        heard: Heard,
    },
    /// A `learn` action's flow is to be added, or refreshed if it is there.
    Learn(Box<LearnFlow>),
    /// The flow's timeouts are to be lowered once a packet with FIN or RST was seen.
    FinTimeout {
        /// The flow.
        rule: Arc<Rule>,
        /// Idle timeout in seconds, 0 for unchanged.
        idle: u16,
        /// Hard timeout in seconds, 0 for unchanged.
        hard: u16,
    },
}

/// See [`Effect::Learn`].
#[derive(Clone, Debug)]
pub struct LearnFlow {
    /// Bridge of the table.
    pub bridge: BridgeId,
    /// The flow that learns.
    pub rule: Option<Arc<Rule>>,
    /// The flow to add (strict modify or add).
    pub flow_mod: FlowMod,
    /// Most flows of this cookie in the table; 0 for no limit.
    pub limit: u32,
    /// The learned flows go when the last flow that learns them goes.
    pub delete_learned: bool,
}
