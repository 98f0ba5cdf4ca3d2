//! Why packets die: every place in translation that ends a packet's way names one of these. The text of a trace, the
//! counters and the answer to "why was my packet dropped" all come from this table.

use std::fmt;

macro_rules! drop_reasons {
    ($($(#[$doc:meta])* $id:ident = $number:literal, $name:literal, $words:literal;)*) => {
        /// Why a packet was dropped.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        #[repr(u32)]
        pub enum DropReason {
            $($(#[$doc])* #[doc = $words] $id = $number,)*
        }

        impl DropReason {
            /// Every reason.
            pub const ALL: &'static [DropReason] = &[$(DropReason::$id),*];

            /// Short name, unique, fit for a counter.
            pub const fn name(self) -> &'static str {
                match self { $(DropReason::$id => $name,)* }
            }

            /// What happened, in words.
            pub const fn words(self) -> &'static str {
                match self { $(DropReason::$id => $words,)* }
            }
        }
    };
}

drop_reasons! {
    // The reference's own, with its counters' names and its words.
    OfPipeline = 1, "of_pipeline", "OK";
    BridgeNotFound = 2, "bridge_not_found", "Bridge not found";
    RecursionTooDeep = 3, "recursion_too_deep", "Recursion too deep";
    TooManyResubmits = 4, "too_many_resubmit", "Too many resubmits";
    StackTooDeep = 5, "stack_too_deep", "Stack too deep";
    NoRecirculationContext = 6, "no_recirculation_context", "No recirculation context";
    RecirculationConflict = 7, "recirculation_conflict", "Recirculation conflict";
    TooManyMplsLabels = 8, "too_many_mpls_labels", "Too many MPLS labels";
    InvalidTunnelMetadata = 9, "invalid_tunnel_metadata", "Invalid tunnel metadata";
    UnsupportedPacketType = 10, "unsupported_packet_type", "Unsupported packet type";
    Congestion = 11, "congestion", "Congestion Drop";
    ForwardingDisabled = 12, "forwarding_disabled", "Forwarding is disabled";
    // Finer ones, which a translation that did not fail ends with.
    TableMiss = 32, "table_miss", "No flow of the table matches";
    NoOutput = 33, "no_output", "The flow's actions do not output";
    Fragment = 34, "fragment", "Fragments are dropped by configuration";
    NoReceive = 35, "no_receive", "The port is configured not to receive";
    MirrorPort = 36, "mirror_port", "The port is reserved for mirroring";
    StpNotForwarding = 37, "stp_not_forwarding", "The spanning tree blocks the port";
    NoInputBundle = 38, "no_input_bundle", "The port belongs to no bundle";
    PartialVlan = 39, "partial_vlan", "The frame's VLAN tag is cut off";
    VlanNotAllowed = 40, "vlan_not_allowed", "The VLAN is not allowed on the port";
    ReservedDestination = 41, "reserved_destination", "Reserved destination address";
    BondRefused = 42, "bond_refused", "The bond does not admit the packet";
    BondLoop = 43, "bond_loop", "The bond takes the packet for one of its own that came back";
    LearnedOnInput = 44, "learned_on_input", "The destination is on the port that the packet came from";
    NoOutputPort = 45, "no_output_port", "The output port does not exist";
    OutputIsInput = 46, "output_is_input", "The output port is the input port";
    NoForward = 47, "no_forward", "The output port is configured not to forward";
    Protected = 48, "protected", "Both ports are protected";
    TtlExpired = 49, "ttl_expired", "The time to live ran out";
    NoLiveBucket = 50, "no_live_bucket", "No bucket of the group is live";
    Unsupported = 51, "unsupported", "The action is not supported";
    UnknownInPort = 52, "unknown_in_port", "The port is not known";
    NotEthernet = 54, "not_ethernet", "The packet has no Ethernet header, which the port needs";
    TooManyActions = 53, "too_many_actions", "Too many actions";
}

impl DropReason {
    /// From the number in [`dpif::DpAction::Drop`].
    pub fn from_number(n: u32) -> Option<DropReason> {
        DropReason::ALL.iter().copied().find(|r| *r as u32 == n)
    }

    /// The reference's number (its drop action's argument), if it has this reason: its numbers start at 0.
    pub const fn reference_number(self) -> Option<u32> {
        let n = self as u32;
        if n <= 12 { Some(n - 1) } else { None }
    }

    /// Whether translation gave up: nothing that it produced is used.
    pub const fn is_failure(self) -> bool {
        matches!(self as u32, 2..=10)
    }
}

impl fmt::Display for DropReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.words())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_and_numbers_are_unique() {
        let names: BTreeSet<_> = DropReason::ALL.iter().map(|r| r.name()).collect();
        assert_eq!(names.len(), DropReason::ALL.len());
        for r in DropReason::ALL {
            assert_eq!(DropReason::from_number(*r as u32), Some(*r));
            assert!(!r.words().is_empty());
        }
        assert_eq!(DropReason::from_number(0), None);
    }
}
