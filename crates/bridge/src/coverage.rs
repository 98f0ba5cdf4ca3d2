//! What `coverage/show` says of the switch: counters that are kept anyway, under the names that people know.

use crate::switch::Switch;
use datapath::{Counters, DropCause};
use l2::mac_learning::MacStats;
use std::sync::atomic::Ordering::Relaxed;

/// Reasons of translation with counters of their own; what else ends without an output was dropped by the tables.
const TRANSLATED: [(u32, &str); 12] = [
    (1, PIPELINE),
    (2, "drop_action_bridge_not_found"),
    (3, "drop_action_recursion_too_deep"),
    (4, "drop_action_too_many_resubmit"),
    (5, "drop_action_stack_too_deep"),
    (6, "drop_action_no_recirculation_context"),
    (7, "drop_action_recirculation_conflict"),
    (8, "drop_action_too_many_mpls_labels"),
    (9, "drop_action_invalid_tunnel_metadata"),
    (10, "drop_action_unsupported_packet_type"),
    (11, "drop_action_congestion"),
    (12, "drop_action_forwarding_disabled"),
];
const PIPELINE: &str = "drop_action_of_pipeline";
/// Numbers of reasons are below this.
const REASONS: u32 = 128;

/// What the control thread has done.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Done {
    /// Configurations applied.
    pub(crate) reconfigured: u64,
    /// OpenFlow messages received.
    pub(crate) received: u64,
    /// OpenFlow messages sent, or queued to be.
    pub(crate) queued: u64,
    /// Packet-ins that a controller was too slow for.
    pub(crate) overflowed: u64,
}

impl Switch {
    /// Totals by name.
    pub fn coverage(&self) -> Vec<(&'static str, u64)> {
        let engines = || self.backers().values().flat_map(|b| b.dp.counters());
        let sum = |f: &dyn Fn(&Counters) -> u64| -> u64 { engines().map(f).sum() };
        let stations =
            |f: &dyn Fn(&MacStats) -> u64| -> u64 { self.bridges.values().map(|b| f(&b.mac.stats())).sum() };
        let mut out = vec![
            ("bridge_reconfigure", self.done.reconfigured),
            ("ofproto_recv_openflow", self.done.received),
            ("rconn_queued", self.done.queued),
            ("rconn_overflow", self.done.overflowed),
            ("mac_learning_learned", stations(&|s| s.learned)),
            ("mac_learning_expired", stations(&|s| s.expired)),
            ("mac_learning_evicted", stations(&|s| s.evicted)),
            ("mac_learning_moved", stations(&|s| s.moved)),
            ("flow_extract", sum(&|c| c.received.load(Relaxed) + c.recirculated.load(Relaxed))),
            ("netdev_received", sum(&|c| c.busy_polls.load(Relaxed))),
            ("netdev_sent", sum(&|c| c.tx_batches.load(Relaxed))),
            ("upcall_flow_limit_hit", sum(&|c| c.table_full.load(Relaxed))),
            (
                "xlate_actions",
                sum(&|c| c.missed.load(Relaxed) + c.revalidated.load(Relaxed) + c.checked.load(Relaxed)),
            ),
        ];
        out.extend(DropCause::ALL.iter().map(|d| (d.name(), sum(&|c| c.drops(*d)))));
        for (number, name) in &TRANSLATED[1..] {
            out.push((name, sum(&|c| c.translated(*number))));
        }
        let named = |n: &u32| (2..=12).contains(n);
        let rest = (0..REASONS).filter(|n| !named(n)).map(|n| sum(&|c| c.translated(n)));
        out.push((PIPELINE, rest.sum()));
        out
    }
}
