//! Groups.

use base::{GroupId, Time};
use openflow::msg::{Bucket, BucketStats, GroupDesc, GroupProps, GroupStats, GroupType};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A pair of counters.
#[derive(Debug, Default)]
pub struct Pair {
    packets: AtomicU64,
    bytes: AtomicU64,
}

impl Pair {
    /// Counts packets.
    pub fn credit(&self, packets: u64, bytes: u64) {
        self.packets.fetch_add(packets, Relaxed);
        self.bytes.fetch_add(bytes, Relaxed);
    }

    /// What was counted: packets and bytes.
    pub fn get(&self) -> (u64, u64) {
        (self.packets.load(Relaxed), self.bytes.load(Relaxed))
    }
}

/// Counters of a group; may be written from any thread.
#[derive(Debug)]
pub struct GroupCounters {
    /// All of it.
    pub total: Pair,
    /// Its buckets, in their order.
    pub buckets: Box<[Arc<Pair>]>,
}

/// A group. Immutable but for its counters: a modified group is a new value.
#[derive(Debug)]
pub struct Group {
    /// Its number.
    pub id: GroupId,
    /// Its kind.
    pub kind: GroupType,
    /// Its buckets.
    pub buckets: Box<[Bucket]>,
    /// How a select group selects.
    pub props: GroupProps,
    /// When it was added.
    pub created: Time,
    /// When it was last changed.
    pub modified: Time,
    /// Counters.
    pub counters: GroupCounters,
}

impl Group {
    /// A fresh group.
    pub fn new(id: GroupId, kind: GroupType, buckets: Vec<Bucket>, props: GroupProps, now: Time) -> Group {
        let counters = GroupCounters {
            total: Pair::default(),
            buckets: buckets.iter().map(|_| Arc::default()).collect(),
        };
        Group { id, kind, buckets: buckets.into(), props, created: now, modified: now, counters }
    }

    /// Its description for controllers.
    pub fn desc(&self) -> GroupDesc {
        GroupDesc {
            group: self.id,
            kind: self.kind,
            buckets: self.buckets.to_vec(),
            props: self.props.clone(),
        }
    }

    /// Its statistics, given how many flows and groups refer to it.
    pub fn stats(&self, ref_count: u32, now: Time) -> GroupStats {
        let (packet_count, byte_count) = self.counters.total.get();
        GroupStats {
            group: self.id,
            ref_count,
            packet_count,
            byte_count,
            duration: Some(crate::age::on_the_wire(self.created, now)),
            buckets: self
                .counters
                .buckets
                .iter()
                .map(|b| {
                    let (packet_count, byte_count) = b.get();
                    BucketStats { packet_count, byte_count }
                })
                .collect(),
        }
    }
}
