//! A persistent map from 64-bit keys: cloning it is one reference count, changing it copies only the path to what
//! changed (and nothing at all while nobody else holds the map).
//!
//! A hash trie of 32-way nodes. The hash is a bijection on 64 bits, so two keys always part somewhere and no collision
//! lists are needed.

use std::sync::Arc;

const BITS: u32 = 5;

/// Mixes all bits of a key into all bits of the result; a bijection.
#[inline]
const fn mix(mut k: u64) -> u64 {
    k = (k ^ (k >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
    k = (k ^ (k >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
    k ^ (k >> 32)
}

#[derive(Clone, Debug)]
enum Child<V> {
    Leaf(u64, V),
    Node(Arc<Node<V>>),
}

#[derive(Clone, Debug)]
struct Node<V> {
    bitmap: u32,
    children: Vec<Child<V>>,
}

impl<V> Default for Node<V> {
    fn default() -> Self {
        Node { bitmap: 0, children: Vec::new() }
    }
}

impl<V> Node<V> {
    #[inline]
    fn slot(&self, hash: u64, level: u32) -> (u32, usize) {
        let bit = 1u32 << ((hash >> (level * BITS)) & 31);
        (bit, (self.bitmap & (bit - 1)).count_ones() as usize)
    }
}

impl<V: Clone> Node<V> {
    fn insert(&mut self, hash: u64, level: u32, key: u64, value: V) -> Option<V> {
        let (bit, at) = self.slot(hash, level);
        if self.bitmap & bit == 0 {
            self.bitmap |= bit;
            self.children.insert(at, Child::Leaf(key, value));
            return None;
        }
        match &mut self.children[at] {
            Child::Node(n) => Arc::make_mut(n).insert(hash, level + 1, key, value),
            Child::Leaf(k, v) if *k == key => Some(std::mem::replace(v, value)),
            Child::Leaf(k, v) => {
                let mut node = Node::default();
                node.insert(mix(*k), level + 1, *k, v.clone());
                node.insert(hash, level + 1, key, value);
                self.children[at] = Child::Node(Arc::new(node));
                None
            }
        }
    }

    fn remove(&mut self, hash: u64, level: u32, key: u64) -> Option<V> {
        let (bit, at) = self.slot(hash, level);
        if self.bitmap & bit == 0 {
            return None;
        }
        let (removed, lift) = match &mut self.children[at] {
            Child::Leaf(k, _) if *k != key => return None,
            Child::Leaf(..) => {
                self.bitmap &= !bit;
                let Child::Leaf(_, v) = self.children.remove(at) else { return None };
                return Some(v);
            }
            Child::Node(n) => {
                let n = Arc::make_mut(n);
                let removed = n.remove(hash, level + 1, key);
                // A node left with a single leaf is replaced by it, so that the shape depends on the keys alone.
                let single = removed.is_some() && matches!(n.children[..], [Child::Leaf(..)]);
                (removed, if single { n.children.pop() } else { None })
            }
        };
        if let Some(leaf) = lift {
            self.children[at] = leaf;
        }
        removed
    }
}

/// The map.
#[derive(Clone, Debug)]
pub struct CowMap<V> {
    root: Arc<Node<V>>,
    len: usize,
}

impl<V> Default for CowMap<V> {
    fn default() -> Self {
        CowMap { root: Arc::default(), len: 0 }
    }
}

impl<V> CowMap<V> {
    /// The value of `key`.
    #[inline]
    pub fn get(&self, key: u64) -> Option<&V> {
        let hash = mix(key);
        let mut node = &*self.root;
        let mut level = 0;
        loop {
            let (bit, at) = node.slot(hash, level);
            if node.bitmap & bit == 0 {
                return None;
            }
            match &node.children[at] {
                Child::Leaf(k, v) => return (*k == key).then_some(v),
                Child::Node(n) => {
                    node = n;
                    level += 1;
                }
            }
        }
    }

    /// Whether two handles are the same image.
    pub fn is_same(&self, other: &CowMap<V>) -> bool {
        Arc::ptr_eq(&self.root, &other.root)
    }

    /// Number of keys.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no key.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Keys and values in no useful order.
    pub fn iter(&self) -> Iter<'_, V> {
        Iter { stack: vec![self.root.children.iter()] }
    }
}

impl<V: Clone> CowMap<V> {
    /// Sets the value of `key`; returns the former one.
    pub fn insert(&mut self, key: u64, value: V) -> Option<V> {
        let old = Arc::make_mut(&mut self.root).insert(mix(key), 0, key, value);
        self.len += old.is_none() as usize;
        old
    }

    /// Removes `key`; returns its value.
    pub fn remove(&mut self, key: u64) -> Option<V> {
        self.get(key)?;
        let old = Arc::make_mut(&mut self.root).remove(mix(key), 0, key);
        self.len -= old.is_some() as usize;
        old
    }
}

/// Iterator over a [`CowMap`].
#[derive(Debug)]
pub struct Iter<'a, V> {
    stack: Vec<std::slice::Iter<'a, Child<V>>>,
}

impl<'a, V> Iterator for Iter<'a, V> {
    type Item = (u64, &'a V);
    fn next(&mut self) -> Option<(u64, &'a V)> {
        loop {
            match self.stack.last_mut()?.next() {
                None => {
                    self.stack.pop();
                }
                Some(Child::Leaf(k, v)) => return Some((*k, v)),
                Some(Child::Node(n)) => self.stack.push(n.children.iter()),
            }
        }
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
        assert!(map.is_empty() && map.root.children.is_empty());
    }
}
