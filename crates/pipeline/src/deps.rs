//! What a translation depended on, so that a change re-translates only the cached flows that it can have touched.

use crate::snapshot::{BridgeId, Generation, Snapshot};
use base::TableId;
use l2::{BundleId, MacKey};
use smallvec::SmallVec;

/// A set of tables.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct TableSet([u64; 4]);

impl TableSet {
    /// Adds a table.
    #[inline]
    pub fn insert(&mut self, table: TableId) {
        self.0[table.0 as usize / 64] |= 1 << (table.0 % 64);
    }

    /// Whether a table is in the set.
    pub fn contains(&self, table: TableId) -> bool {
        self.0[table.0 as usize / 64] >> (table.0 % 64) & 1 != 0
    }

    /// The tables, ascending.
    pub fn iter(&self) -> impl Iterator<Item = TableId> + '_ {
        (0..=255u8).map(TableId).filter(|t| self.contains(*t))
    }
}

/// What of one bridge was used.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BridgeDeps {
    /// The bridge. Its ports and settings always count.
    pub bridge: BridgeId,
    /// Tables looked up.
    pub tables: TableSet,
    /// Groups were used.
    pub groups: bool,
    /// Meters were used.
    pub meters: bool,
    /// Stations looked up, and where they were.
    pub macs: SmallVec<[(MacKey, Option<BundleId>); 2]>,
}

/// What a translation depended on.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Deps {
    /// By bridge, in the order of first use.
    pub bridges: SmallVec<[BridgeDeps; 1]>,
}

impl Deps {
    /// The entry of a bridge.
    #[inline]
    pub fn bridge_mut(&mut self, id: BridgeId) -> &mut BridgeDeps {
        let at = match self.bridges.iter().position(|b| b.bridge == id) {
            Some(at) => at,
            None => {
                self.bridges.push(BridgeDeps {
                    bridge: id,
                    tables: TableSet::default(),
                    groups: false,
                    meters: false,
                    macs: SmallVec::new(),
                });
                self.bridges.len() - 1
            }
        };
        &mut self.bridges[at]
    }

    /// Whether a translation that was right in snapshot `since` is still right in `now`.
    pub fn still_valid(&self, now: &Snapshot, since: Generation) -> bool {
        now.generation == since
            || (now.dp_ports_changed <= since && self.bridges.iter().all(|b| b.still_valid(now, since)))
    }
}

impl BridgeDeps {
    fn still_valid(&self, now: &Snapshot, since: Generation) -> bool {
        let Some(bridge) = now.bridge(self.bridge) else { return false };
        let c = &bridge.changes;
        c.config <= since
            && (!(self.groups || self.meters) || c.groups <= since)
            && (c.any_table <= since || self.tables.iter().all(|t| c.table(t) <= since))
            && (c.mac <= since || self.macs.iter().all(|(key, was)| bridge.mac.lookup(*key) == *was))
    }
}
