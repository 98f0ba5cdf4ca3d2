//! The fixed-field setters of OpenFlow 1.0 and 1.1: `mod_dl_src`, `mod_nw_dst`, `mod_tp_src` and so on.

use base::Mac;

/// Set an Ethernet address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SetEth {
    /// The address.
    pub mac: Mac,
}

/// Set an IPv4 address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SetIpv4 {
    /// The address, host byte order.
    pub addr: u32,
}

/// Set a field of the IP header that fits a byte.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SetIpByte {
    /// DSCP (as in the TOS byte, low two bits zero), ECN (two bits) or TTL.
    pub value: u8,
}

/// Set a transport port.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SetL4Port {
    /// The port.
    pub port: u16,
    /// IP protocol that the flow matches on (found by [`super::check`]); zero when unknown.
    pub flow_ip_proto: u8,
}
