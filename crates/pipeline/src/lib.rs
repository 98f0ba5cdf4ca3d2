//! Translation: a flow and a snapshot of the switch in, datapath actions, a megaflow mask and effects out.
//!
//! [`translate`] is a pure function of the [`Snapshot`]: it locks nothing, changes nothing and asks nobody. What is to
//! change because a packet came (stations learned, counters credited) comes out as [`Effect`]s, and what the answer
//! depended on as [`Deps`]. `ofproto/trace` is the same function with a [`Recorder`].

pub mod bundle;
pub mod deps;
pub mod drop_reason;
pub mod effect;
pub mod port;
pub mod recirc;
pub mod recorder;
pub mod snapshot;
pub mod translation;

pub use bundle::{Bond, BondMode, Bundle, Mirror, PriorityTags, VlanMode};
pub use deps::{Deps, TableSet};
pub use drop_reason::DropReason;
pub use effect::{Effect, LearnFlow};
pub use l2::{BundleId, MacView};
pub use port::{Patch, PortConfig, PortView, StpState};
pub use recirc::{Frozen, RecircTable};
pub use recorder::Recorder;
pub use snapshot::{
    BridgeConfig, BridgeId, BridgeView, Changes, DpPortMap, FragMode, Generation, Limits, Ports, Snapshot,
    VlanSet,
};
pub use translation::{Origin, Request, Translation};
