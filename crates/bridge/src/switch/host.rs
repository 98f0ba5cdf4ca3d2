//! What OpenFlow state asks of ports when it answers a request.

use super::backer::Backer;
use super::bridge::Interface;
use crate::view::Counters;
use base::OfPort;
use dpif::Datapath as _;
use dpif::netdev::{Netdev, NetdevStats};
use ofproto::Host;
use openflow::msg::{PortStats, QueueConfig, QueueStats};
use pipeline::BridgeId;
use std::collections::BTreeMap;

/// A bridge's ports, borrowed.
pub struct HostView<'a> {
    /// Its interfaces.
    pub interfaces: &'a BTreeMap<String, Interface>,
    /// Its datapath.
    pub backer: Option<&'a Backer>,
    /// Counters of patch ports.
    pub counters: Option<&'a Counters>,
    /// Its number.
    pub id: BridgeId,
}

/// Counters of an interface's device; a patch port counts what translation sent through it.
pub fn device_stats(
    i: &Interface,
    backer: Option<&Backer>,
    counters: Option<&Counters>,
    id: BridgeId,
) -> NetdevStats {
    if i.patch.is_some() {
        let mut stats = NetdevStats::default();
        let pair = counters.and_then(|c| c.patches.get(&(id, i.of_port)));
        let (rx, tx) = pair.map_or(((0, 0), (0, 0)), |p| (p.rx.get(), p.tx.get()));
        (stats.rx_packets, stats.rx_bytes) = (Some(rx.0), Some(rx.1));
        (stats.tx_packets, stats.tx_bytes) = (Some(tx.0), Some(tx.1));
        return stats;
    }
    device(i, backer).map(|d| d.stats()).unwrap_or_default()
}

/// The device of an interface.
pub fn device<'a>(i: &'a Interface, backer: Option<&'a Backer>) -> Option<&'a dyn Netdev> {
    match &i.patch {
        Some(device) => Some(&**device),
        None => backer?.dp.device(i.dp_port),
    }
}

impl Host for HostView<'_> {
    fn port_stats(&self, port: OfPort) -> Option<PortStats> {
        let i = self.interfaces.values().find(|i| i.of_port == port)?;
        let s = device_stats(i, self.backer, self.counters, self.id);
        let known = |v: Option<u64>| v.unwrap_or(u64::MAX);
        Some(PortStats {
            port,
            duration: None,
            rx_packets: known(s.rx_packets),
            tx_packets: known(s.tx_packets),
            rx_bytes: known(s.rx_bytes),
            tx_bytes: known(s.tx_bytes),
            rx_dropped: known(s.rx_dropped),
            tx_dropped: known(s.tx_dropped),
            rx_errors: known(s.rx_errors),
            tx_errors: known(s.tx_errors),
            rx_frame_err: known(s.rx_frame_errors),
            rx_over_err: known(s.rx_over_errors),
            rx_crc_err: known(s.rx_crc_errors),
            collisions: known(s.collisions),
            // Which no device here counts.
            rfc2819: Some(Box::new([u64::MAX; 21])),
            custom: {
                let mut custom = s.custom;
                custom.sort();
                custom
            },
        })
    }

    /// A port without QoS has its one default queue, which nobody counts.
    fn queue_stats(&self, port: OfPort) -> Vec<QueueStats> {
        vec![QueueStats {
            port,
            queue: 0,
            tx_bytes: u64::MAX,
            tx_packets: u64::MAX,
            tx_errors: u64::MAX,
            duration: None,
        }]
    }

    fn queue_config(&self, port: OfPort) -> Vec<QueueConfig> {
        vec![QueueConfig { port, queue: 0, min_rate: None, max_rate: None }]
    }
}
