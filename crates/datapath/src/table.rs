//! An engine's megaflows: slots, the two lookups over them, and what a flow is known by.

use crate::cache::ExactCache;
use crate::megaflow::{Body, Megaflow};
use crate::seam::Pipeline;
use crate::search::{Probes, Search, probes, probes_match};
use base::{DpPort, Time};
use dpif::DpAction;
use flow::layout as l;
use flow::mini::{hash_add, hash_finish};
use flow::{FlowKey, Mask, MiniKey};
use std::sync::Arc;

/// A megaflow in place.
#[repr(C)]
pub(crate) struct Slot<P: Pipeline> {
    probes: Probes,
    pub(crate) body: Arc<Body<P>>,
    /// The snapshot that the body was last known to be right for.
    pub(crate) generation: u64,
    /// The only action is to send here: the common case needs no look at the list.
    pub(crate) only_output: DpPort,
    pub(crate) flow: Arc<Megaflow<P>>,
}

impl<P: Pipeline> Slot<P> {
    /// Puts another body in place; gives the old one.
    pub(crate) fn replace(&mut self, body: Arc<Body<P>>) -> Arc<Body<P>> {
        self.only_output = only_output(&body.actions);
        self.flow.replace(body.clone());
        std::mem::replace(&mut self.body, body)
    }
}

fn only_output(actions: &[DpAction]) -> DpPort {
    match actions {
        [DpAction::Output(p)] => *p,
        _ => DpPort::NONE,
    }
}

/// Which lookup found a megaflow.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Found {
    Exact(u32),
    Search(u32),
    No,
}

/// See the module.
pub(crate) struct FlowTable<P: Pipeline> {
    slots: Vec<Option<Slot<P>>>,
    free: Vec<u32>,
    exact: ExactCache,
    pub(crate) search: Search,
    live: usize,
}

/// Hash of a packet's key for the first lookup: of the words that such a packet has.
#[inline]
pub(crate) fn hash_key(key: &FlowKey) -> u64 {
    const META: [usize; 3] = [l::IN_PORT / 8, l::DP_HASH / 8, l::PKT_MARK / 8];
    let mut h = 0;
    for w in META {
        h = hash_add(h, key.words[w]);
    }
    for w in l::STAGE_L2..l::STAGE_L2 + 3 {
        h = hash_add(h, key.words[w]);
    }
    match key.eth_type() {
        flow::key::eth_type::IPV4 => h = hash_add(h, key.words[l::NW_SRC / 8]),
        flow::key::eth_type::IPV6 => {
            for w in l::IPV6_SRC / 8..l::IPV6_DST / 8 + 2 {
                h = hash_add(h, key.words[w]);
            }
        }
        _ => {
            for w in l::STAGE_L2 + 3..l::STAGE_L4 {
                h = hash_add(h, key.words[w]);
            }
        }
    }
    // Fragment bits, TOS, TTL, protocol.
    h = hash_add(h, key.words[l::IPV6_LABEL / 8]);
    // Ports without TCP flags, which differ from packet to packet of one connection.
    hash_finish(hash_add(h, u64::from(key.u32_at(l::TP_SRC))))
}

impl<P: Pipeline> FlowTable<P> {
    pub(crate) fn new() -> FlowTable<P> {
        FlowTable {
            slots: Vec::new(),
            free: Vec::new(),
            exact: ExactCache::new(),
            search: Search::new(),
            live: 0,
        }
    }

    /// Megaflows there are.
    pub(crate) fn len(&self) -> usize {
        self.live
    }

    /// Slots there are, used or not.
    pub(crate) fn slots(&self) -> usize {
        self.slots.len()
    }

    #[inline]
    pub(crate) fn get(&self, slot: u32) -> Option<&Slot<P>> {
        self.slots.get(slot as usize)?.as_ref()
    }

    pub(crate) fn get_mut(&mut self, slot: u32) -> Option<&mut Slot<P>> {
        self.slots.get_mut(slot as usize)?.as_mut()
    }

    #[inline]
    fn matches(&self, slot: u32, key: &FlowKey) -> bool {
        self.get(slot).is_some_and(|s| probes_match(&s.probes, key))
    }

    /// Touches what a lookup of this hash will need.
    #[inline]
    pub(crate) fn prefetch(&self, hash: u64) -> u32 {
        self.exact.first(hash)
    }

    /// Touches a slot, and then what it counts in; the result means nothing.
    #[inline]
    pub(crate) fn touch_slot(&self, hint: u32) -> u64 {
        self.get(hint).map_or(0, |s| s.generation ^ s.probes.first().map_or(0, |p| p.value))
    }

    /// See [`FlowTable::touch_slot`].
    #[inline]
    pub(crate) fn touch_body(&self, hint: u32) -> u64 {
        self.get(hint).map_or(0, |s| s.body.prefetch())
    }

    /// The megaflow of a packet; `hint` is what [`FlowTable::prefetch`] gave.
    #[inline]
    pub(crate) fn find(&mut self, key: &FlowKey, hash: u64, hint: u32) -> Found {
        if self.matches(hint, key) {
            return Found::Exact(hint);
        }
        self.find_slow(key, hash)
    }

    fn find_slow(&mut self, key: &FlowKey, hash: u64) -> Found {
        if let Some(slot) = self.exact.candidates(hash).find(|s| self.matches(*s, key)) {
            return Found::Exact(slot);
        }
        let slots = &self.slots;
        let hit = |s: u32| {
            let slot = slots.get(s as usize).and_then(|s| s.as_ref());
            slot.is_some_and(|s| probes_match(&s.probes, key))
        };
        match self.search.find(key, hit) {
            Some(slot) => {
                self.exact.insert(hash, slot);
                Found::Search(slot)
            }
            None => Found::No,
        }
    }

    /// A megaflow for `key` with a mask no wider than `wanted`, not yet in place.
    pub(crate) fn make(
        &mut self,
        key: &FlowKey,
        wanted: &Mask,
        body: Arc<Body<P>>,
        now: Time,
    ) -> Arc<Megaflow<P>> {
        let mask = self.search.mask_for(key, wanted);
        Arc::new(Megaflow::new(dpif::ufid_of(key), MiniKey::new(key), mask, now, body))
    }

    /// Puts a megaflow in place.
    pub(crate) fn insert(
        &mut self,
        key: &FlowKey,
        hash: u64,
        flow: Arc<Megaflow<P>>,
        body: Arc<Body<P>>,
        generation: u64,
    ) -> u32 {
        let probes = probes(key, &flow.mask);
        let mask = flow.mask.clone();
        let only_output = only_output(&body.actions);
        let slot = Some(Slot { probes, body, generation, only_output, flow });
        let n = match self.free.pop() {
            Some(n) => {
                self.slots[n as usize] = slot;
                n
            }
            None => {
                self.slots.push(slot);
                (self.slots.len() - 1) as u32
            }
        };
        self.live += 1;
        self.search.insert(key, &mask, n);
        self.exact.insert(hash, n);
        n
    }

    /// Takes a megaflow out; its counters are final afterwards.
    pub(crate) fn remove(&mut self, slot: u32) {
        let Some(s) = self.slots.get_mut(slot as usize).and_then(Option::take) else { return };
        let key = s.flow.key.expand();
        self.search.remove(&key, &s.flow.mask, slot);
        self.free.push(slot);
        self.live -= 1;
        s.flow.set_gone();
    }

    /// The slot of a flow that the control thread names.
    pub(crate) fn slot_of(&mut self, flow: &Arc<Megaflow<P>>) -> Option<u32> {
        let key = flow.key.expand();
        let slots = &self.slots;
        let same = |s: u32| {
            let slot = slots.get(s as usize).and_then(|s| s.as_ref());
            slot.is_some_and(|s| Arc::ptr_eq(&s.flow, flow))
        };
        self.search.find(&key, same)
    }

    /// Takes all of them out.
    pub(crate) fn clear(&mut self) {
        for s in self.slots.drain(..).flatten() {
            s.flow.set_gone();
        }
        self.free.clear();
        self.search.clear();
        self.exact.clear();
        self.live = 0;
    }
}
