//! Translation: a flow and a snapshot of the switch in, datapath actions, a megaflow mask and effects out.
//!
//! [`translate`] is a pure function of the [`Snapshot`]: it locks nothing, changes nothing and asks nobody. What is to
//! change because a packet came (stations learned, counters credited) comes out as [`Effect`]s, and what the answer
//! depended on as [`Deps`]. `ofproto/trace` is the same function with a [`Recorder`].

mod action;
mod action_set;
pub mod bundle;
mod commit;
mod conjunction;
mod ctx;
pub mod deps;
pub mod drop_reason;
pub mod effect;
mod hash;
mod mirror;
mod normal;
pub mod port;
mod port_out;
pub mod recirc;
pub mod recorder;
pub mod snapshot;
mod table;
mod text;
pub mod trace;
mod translate;
pub mod translation;
mod vlan;

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
pub use trace::{Trace, trace};
pub use translate::translate;
pub use translation::{Origin, Request, Translation};
