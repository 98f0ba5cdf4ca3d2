//! A persistent map from 64-bit keys: cloning it is one reference count, changing it copies only the path to what
//! changed (and nothing at all while nobody else holds the map).

use base::trie::HashTrie;

/// Mixes all bits of a key into the hash.
const fn hash(mut k: u64) -> u32 {
    k = (k ^ (k >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
    k = (k ^ (k >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
    (k >> 32) as u32
}

/// The map.
#[derive(Clone, Debug)]
pub struct CowMap<V>(HashTrie<(u64, V)>);

impl<V> Default for CowMap<V> {
    fn default() -> Self {
        CowMap(HashTrie::default())
    }
}

impl<V: Clone> CowMap<V> {
    /// The value of `key`.
    #[inline]
    pub fn get(&self, key: u64) -> Option<&V> {
        self.0.with_hash(hash(key)).find(|(k, _)| *k == key).map(|(_, v)| v)
    }

    /// Whether two handles are the same image.
    pub fn is_same(&self, other: &CowMap<V>) -> bool {
        self.0.is_same(&other.0)
    }

    /// Number of keys.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no key.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Keys and values in no useful order.
    pub fn iter(&self) -> impl Iterator<Item = (u64, &V)> {
        self.0.iter().map(|(k, v)| (*k, v))
    }

    /// Sets the value of `key`; returns the former one.
    pub fn insert(&mut self, key: u64, value: V) -> Option<V> {
        match self.0.find_mut(hash(key), |(k, _)| *k == key) {
            Some((_, v)) => Some(std::mem::replace(v, value)),
            None => {
                self.0.insert(hash(key), (key, value), |_| false);
                None
            }
        }
    }

    /// Removes `key`; returns its value.
    pub fn remove(&mut self, key: u64) -> Option<V> {
        self.get(key)?;
        self.0.remove(hash(key), |(k, _)| *k == key).map(|(_, v)| v)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn behaves_like_a_map_and_clones_are_independent() {
        let mut seed = 0x1234_5678_9abc_def0u64;
        let mut next = move || {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            seed
        };
        let (mut map, mut model) = (CowMap::default(), BTreeMap::new());
        let mut kept = Vec::new();
        for i in 0..20_000u64 {
            let key = next() % 3000;
            if next() % 3 == 0 {
                assert_eq!(map.remove(key), model.remove(&key));
            } else {
                assert_eq!(map.insert(key, i), model.insert(key, i));
            }
            assert_eq!(map.len(), model.len());
            if i % 5000 == 0 {
                kept.push((map.clone(), model.clone()));
            }
        }
        kept.push((map, model));
        for (map, model) in kept {
            for key in 0..3000 {
                assert_eq!(map.get(key), model.get(&key));
            }
            let mut all: Vec<_> = map.iter().map(|(k, v)| (k, *v)).collect();
            all.sort_unstable();
            assert_eq!(all, model.into_iter().collect::<Vec<_>>());
        }
    }

    #[test]
    fn emptied_map_is_empty() {
        let mut map = CowMap::default();
        for k in 0..500u64 {
            map.insert(k << 32, ());
        }
        for k in 0..500u64 {
            assert_eq!(map.remove(k << 32), Some(()));
        }
        assert!(map.is_empty() && map.iter().next().is_none());
    }
}
