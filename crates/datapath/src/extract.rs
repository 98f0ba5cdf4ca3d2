//! A packet's key, as `flow` extracts it.

use crate::exec::Meta;
use flow::FlowKey;
use flow::extract::{Metadata, clear_words};
use wire::Packet;

/// Fills `key` from a packet; `map` says which words it holds, before and after. False if there is no Ethernet
/// header where there should be one.
#[inline]
pub(crate) fn extract(
    packet: &Packet,
    meta: &Meta,
    vlan_limit: u8,
    key: &mut FlowKey,
    map: &mut u128,
) -> bool {
    clear_words(key, *map);
    let m = Metadata {
        in_port: meta.in_port.0,
        recirc_id: meta.recirc_id,
        dp_hash: meta.dp_hash,
        skb_priority: meta.priority,
        pkt_mark: meta.mark,
        packet_type: meta.packet_type,
        vlan_limit,
        rest: None,
    };
    let frame = packet.buf.data();
    *map = flow::extract::extract(frame, &m, key).0;
    meta.packet_type != 0 || frame.len() >= 14
}
