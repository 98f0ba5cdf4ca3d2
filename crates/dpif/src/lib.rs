//! The seams of the datapath: devices ([`netdev`]) and, above them, the datapath's own flows and actions.

pub mod action;
pub mod netdev;

pub use action::{DpAction, Masked, SetField};
