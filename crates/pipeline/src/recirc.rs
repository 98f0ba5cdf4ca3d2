//! Recirculation: where translation goes on once the datapath has done something that only it can do (connection
//! tracking, hashing, looking below a popped header).
//!
//! What is to happen then is *frozen* and given a number, which travels with the packet. Equal states get equal
//! numbers, so that translating again gives the same actions.

use crate::snapshot::BridgeId;
use arc_swap::ArcSwap;
use base::{Cookie, OfPort, TableId};
use flow::FlowKey;
use l2::CowMap;
use openflow::Action;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// Actions left to do at one level of the pipeline.
#[derive(Clone, PartialEq, Debug)]
pub struct FrozenActions {
    /// The table whose flow they belong to.
    pub table: TableId,
    /// That flow's cookie.
    pub cookie: Cookie,
    /// The actions.
    pub actions: Vec<Action>,
}

/// A translation to be resumed.
#[derive(Clone, PartialEq, Debug)]
pub struct Frozen {
    /// Bridge in which it resumes.
    pub bridge: BridgeId,
    /// Port that the packet came in by, as that bridge sees it.
    pub in_port: OfPort,
    /// Fields that no packet carries: registers, metadata, tunnel.
    pub metadata: FlowKey,
    /// The stack.
    pub stack: Vec<(u128, u16)>,
    /// The action set.
    pub action_set: Vec<Action>,
    /// What is left, innermost level first.
    pub actions: Vec<FrozenActions>,
    /// A table to look up first.
    pub table: Option<TableId>,
    /// Mirrors that already have the packet.
    pub mirrors: u32,
    /// Conntrack state is meaningful.
    pub conntracked: bool,
}

impl Frozen {
    fn digest(&self) -> u64 {
        // A digest only has to be equal for equal states: text that shows the whole state does.
        let mut h = DefaultHasher::new();
        self.metadata.words.hash(&mut h);
        (self.bridge, self.in_port, self.table, self.mirrors, self.conntracked).hash(&mut h);
        self.stack.hash(&mut h);
        format!("{:?}{:?}", self.action_set, self.actions).hash(&mut h);
        h.finish()
    }
}

#[derive(Clone, Debug, Default)]
struct Maps {
    by_id: CowMap<Arc<Frozen>>,
    by_digest: CowMap<Vec<u32>>,
}

impl Maps {
    fn find(&self, digest: u64, state: &Frozen) -> Option<u32> {
        let same = |n: &&u32| self.by_id.get(u64::from(**n)).is_some_and(|s| **s == *state);
        self.by_digest.get(digest)?.iter().find(same).copied()
    }
}

/// Frozen states by number. Reading and adding take no lock; the owner removes what no cached flow refers to.
#[derive(Debug)]
pub struct RecircTable {
    maps: ArcSwap<Maps>,
    next: Arc<AtomicU32>,
}

impl Default for RecircTable {
    fn default() -> Self {
        RecircTable { maps: ArcSwap::default(), next: Arc::new(AtomicU32::new(1)) }
    }
}

impl RecircTable {
    /// The state of a number.
    pub fn get(&self, id: u32) -> Option<Arc<Frozen>> {
        self.maps.load().by_id.get(id.into()).cloned()
    }

    /// A table with these states, too, that draws its numbers from the same source: for who only wants to see what
    /// would happen.
    pub fn branch(&self) -> RecircTable {
        RecircTable { maps: ArcSwap::from(self.maps.load_full()), next: self.next.clone() }
    }

    /// The number of a state, which is added if it is new.
    pub fn intern(&self, state: Frozen) -> u32 {
        let digest = state.digest();
        if let Some(n) = self.maps.load().find(digest, &state) {
            return n;
        }
        let state = Arc::new(state);
        let mut id = None;
        self.maps.rcu(|old| {
            if let Some(n) = old.find(digest, &state) {
                id = Some(n);
                return old.clone();
            }
            let known = old.by_digest.get(digest);
            let n = *id.get_or_insert_with(|| self.allocate());
            let mut maps = Maps::clone(old);
            let mut list = known.cloned().unwrap_or_default();
            list.push(n);
            maps.by_digest.insert(digest, list);
            maps.by_id.insert(n.into(), state.clone());
            Arc::new(maps)
        });
        id.unwrap_or(0)
    }

    /// Number of states.
    pub fn len(&self) -> usize {
        self.maps.load().by_id.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Forgets the states for whose numbers `keep` is false.
    pub fn retain(&self, mut keep: impl FnMut(u32) -> bool) {
        let gone: Vec<(u32, u64)> = {
            let maps = self.maps.load();
            maps.by_id.iter().filter(|(n, _)| !keep(*n as u32)).map(|(n, s)| (n as u32, s.digest())).collect()
        };
        if gone.is_empty() {
            return;
        }
        self.maps.rcu(|old| {
            let mut maps = Maps::clone(old);
            for (n, digest) in &gone {
                maps.by_id.remove(u64::from(*n));
                let mut list = maps.by_digest.remove(*digest).unwrap_or_default();
                list.retain(|k| k != n);
                if !list.is_empty() {
                    maps.by_digest.insert(*digest, list);
                }
            }
            Arc::new(maps)
        });
    }

    fn allocate(&self) -> u32 {
        loop {
            // 0 means "not recirculated".
            match self.next.fetch_add(1, Relaxed) {
                0 => {}
                n => return n,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(port: u32) -> Frozen {
        Frozen {
            bridge: BridgeId(0),
            in_port: OfPort(port),
            metadata: FlowKey::default(),
            stack: Vec::new(),
            action_set: Vec::new(),
            actions: Vec::new(),
            table: Some(TableId(3)),
            mirrors: 0,
            conntracked: false,
        }
    }

    #[test]
    fn equal_states_share_a_number() {
        let t = RecircTable::default();
        let a = t.intern(state(1));
        let b = t.intern(state(2));
        assert!(a != 0 && a != b);
        assert_eq!(t.intern(state(1)), a);
        assert_eq!(t.get(b).unwrap().in_port, OfPort(2));
        t.retain(|n| n == b);
        assert!(t.get(a).is_none() && t.len() == 1);
        assert_ne!(t.intern(state(1)), a);
        let branch = t.branch();
        let c = branch.intern(state(3));
        assert_eq!(branch.intern(state(2)), b);
        assert!(t.get(c).is_none());
        assert!(t.intern(state(3)) > c);
    }
}
