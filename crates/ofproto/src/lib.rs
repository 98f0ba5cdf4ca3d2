//! The OpenFlow side of a switch: flow tables, groups, meters, ports as controllers see them, and the
//! controllers' connections.
//!
//! An [`Ofproto`] is one bridge's switch as a value. It knows no sockets and no packets: decoded messages go in
//! through [`Ofproto::handle_message`], time through [`Ofproto::run`], and what is to happen elsewhere comes out
//! as [`Effect`]s. What translation reads, the [`Tables`], is persistent: a clone is an immutable snapshot that
//! costs a few reference counts, and a flow-mod copies only the path it changes.

mod age;
pub mod connection;
pub mod effect;
pub mod fail;
pub mod group;
pub mod in_band;
pub mod meter;
pub mod pace;
pub mod packet_in;
pub mod port;
pub mod rule;
pub mod tables;

mod bundle;
mod dump;
mod expiry;
mod flow_mod;
mod flow_stats;
mod group_mod;
mod handle;
pub mod monitor;
mod ofproto;
mod overflow;
mod state;
mod stats;
mod table_features;
mod tally;
pub mod tlv_map;

pub use connection::{ConnConfig, ConnId, ConnKind, Connection};
pub use effect::{Effect, PacketOutRequest};
pub use group::{Group, GroupCounters};
pub use meter::{Meter, MeterCounters};
pub use ofproto::{Host, Ofproto, OfprotoConfig};
pub use packet_in::PacketInEvent;
pub use port::Port;
pub use rule::{Rule, RuleEntry, RuleStats};
pub use tables::{Table, TableConfig, TableCounters, Tables};

#[cfg(test)]
mod checklist_tests;
#[cfg(test)]
mod monitor_tests;
#[cfg(test)]
mod tests;
