//! The order of listings.
//!
//! Ports and meters are listed, and new ports numbered, in no order that means anything, but in one that scripts have
//! come to know: that of a chained hash table of a certain hash and growth, in which a newcomer goes to the front of
//! its chain. It was found by experiment; this keeps it, on lists too short for cost to matter.

/// What can be listed.
pub trait ListKey: Clone + Eq {
    /// Its hash.
    fn list_hash(&self) -> u32;
}

/// Keys in their order of listing.
#[derive(Clone, Debug)]
pub struct ListOrder<K> {
    chains: Vec<Vec<K>>,
    len: usize,
}

impl ListKey for u32 {
    /// The key as seed, then two words of zero.
    fn list_hash(&self) -> u32 {
        finish(step(step(*self, 0), 0) ^ 8)
    }
}

impl ListKey for &str {
    fn list_hash(&self) -> u32 {
        let words = self.as_bytes().chunks(4).map(|c| c.iter().rev().fold(0, |w, b| w << 8 | u32::from(*b)));
        finish(words.fold(0, step) ^ self.len() as u32)
    }
}

impl<K> Default for ListOrder<K> {
    fn default() -> Self {
        ListOrder { chains: vec![Vec::new()], len: 0 }
    }
}

impl<K: ListKey> ListOrder<K> {
    fn chain(&mut self, key: &K) -> &mut Vec<K> {
        let at = self.place(key);
        &mut self.chains[at]
    }

    /// Number of the chain that a key belongs in.
    pub fn place(&self, key: &K) -> usize {
        key.list_hash() as usize & (self.chains.len() - 1)
    }

    /// Adds a key, unless it is there.
    pub fn insert(&mut self, key: K) {
        let chain = self.chain(&key);
        if chain.contains(&key) {
            return;
        }
        chain.insert(0, key);
        self.len += 1;
        if self.len / 2 >= self.chains.len() {
            self.grow();
        }
    }

    /// Takes a key out. The table stays as wide as it has become.
    pub fn remove(&mut self, key: &K) {
        let chain = self.chain(key);
        if let Some(at) = chain.iter().position(|k| k == key) {
            chain.remove(at);
            self.len -= 1;
        }
    }

    /// The keys in order.
    pub fn iter(&self) -> impl Iterator<Item = &K> {
        self.chains.iter().flatten()
    }

    fn grow(&mut self) {
        // As many chains as the power of two above half the length, of which there are at least four.
        let chains = (self.len / 2 + 1).next_power_of_two().max(4);
        let old = std::mem::replace(&mut self.chains, vec![Vec::new(); chains]);
        for key in old.into_iter().flatten() {
            self.chain(&key).insert(0, key);
        }
    }
}

/// One step of Murmur3.
fn step(h: u32, word: u32) -> u32 {
    let word = word.wrapping_mul(0xcc9e_2d51).rotate_left(15).wrapping_mul(0x1b87_3593);
    (h ^ word).rotate_left(13).wrapping_mul(5).wrapping_add(0xe654_6b64)
}

/// Murmur3's end.
fn finish(h: u32) -> u32 {
    let h = (h ^ h >> 16).wrapping_mul(0x85eb_ca6b);
    let h = (h ^ h >> 13).wrapping_mul(0xc2b2_ae35);
    h ^ h >> 16
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(n: u32) -> Vec<u32> {
        let mut order = ListOrder::default();
        (1..=n).for_each(|k| order.insert(k));
        order.iter().copied().collect()
    }

    /// As Open vSwitch 3.5.0 lists meters and ports.
    #[test]
    fn as_recorded() {
        assert_eq!(listed(3), [1, 2, 3]);
        assert_eq!(listed(5), [4, 1, 5, 2, 3]);
        assert_eq!(listed(8), [8, 5, 1, 4, 6, 7, 2, 3]);
        let mut ports = ListOrder::default();
        ports.insert(0xfffe);
        (1..=20).for_each(|k| ports.insert(k));
        let want = [0xfffe, 8, 10, 14, 18, 17, 11, 13, 16, 5, 9, 12, 20, 15, 7, 6, 4, 1, 19, 2, 3];
        assert_eq!(ports.iter().copied().collect::<Vec<_>>(), want);
        ports.remove(&18);
        ports.insert(20);
        assert_eq!(ports.iter().count(), 20);
    }

    /// A table that has been wider stays so: 16 meters where there had been 8.
    #[test]
    fn width_stays() {
        let mut order = ListOrder::default();
        (1..=8).for_each(|k| order.insert(k));
        (1..=8).for_each(|k| order.remove(&k));
        (1..=16).for_each(|k| order.insert(k));
        let want = [8, 10, 14, 11, 13, 16, 5, 9, 12, 15, 1, 4, 6, 7, 2, 3];
        assert_eq!(order.iter().copied().collect::<Vec<_>>(), want);
    }

    /// The order in which Open vSwitch 3.5.0 adds ports of one transaction.
    #[test]
    fn names() {
        let sorted = |names: &[&'static str]| {
            let mut order = ListOrder::default();
            names.iter().for_each(|n| order.insert(*n));
            let mut names = names[1..].to_vec();
            names.sort_by_key(|n| (order.place(n), *n));
            names
        };
        assert_eq!(sorted(&["br0", "p1", "p2", "p3"]), ["p2", "p3", "p1"]);
    }
}
