//! The seams of the datapath: devices ([`netdev`]) and, above them, the datapath's own flows and actions.

pub mod netdev;
