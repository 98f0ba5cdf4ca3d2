//! A persistent, ordered, counted set.
//!
//! A B-tree of keys with a count each. It answers what the classifier asks of orders: the highest priority in
//! use, the nearest neighbours of an address. Like [`crate::trie::HashTrie`] it is cloned for the price of one
//! reference count, and a change copies at most one path.

use smallvec::{SmallVec, smallvec};
use std::sync::Arc;

/// Keys per node before it splits: few, since a change copies a node of every level.
const CAP: usize = 16;

/// What a node holds, in the node itself: a search waits for memory once per level.
type Row<T> = SmallVec<[T; CAP + 1]>;

#[derive(Clone, Debug)]
enum Node<K> {
    Leaf(Arc<Row<(K, u32)>>),
    /// Each child with a key not above any of its own.
    Inner(Arc<Row<(K, Node<K>)>>),
}

/// A persistent multiset of `K` that knows its order.
#[derive(Clone, Debug)]
pub struct Counts<K> {
    root: Option<Node<K>>,
    len: usize,
}

impl<K> Default for Counts<K> {
    fn default() -> Self {
        Counts { root: None, len: 0 }
    }
}

impl<K: Copy + Ord> Counts<K> {
    /// Number of distinct keys.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Counts `key` once more; true if it is new.
    pub fn add(&mut self, key: K) -> bool {
        let new = match &mut self.root {
            None => {
                self.root = Some(Node::Leaf(Arc::new(smallvec![(key, 1)])));
                true
            }
            Some(root) => {
                let (new, split) = add_to(root, key);
                if let Some(right) = split
                    && let Some(left) = self.root.take()
                {
                    let first = lowest(&left);
                    self.root = Some(Node::Inner(Arc::new(smallvec![(first, left), right])));
                }
                new
            }
        };
        self.len += new as usize;
        new
    }

    /// Counts `key` once less; true if that was the last. A key that is not there stays so.
    pub fn sub(&mut self, key: K) -> bool {
        if self.get(key) == 0 {
            return false;
        }
        let Some(root) = &mut self.root else { return false };
        let gone = sub_from(root, key);
        if gone {
            self.len -= 1;
            self.shorten();
        }
        gone
    }

    /// Drops levels that a removal left with one child or none.
    fn shorten(&mut self) {
        loop {
            let only = match &self.root {
                Some(Node::Leaf(items)) if items.is_empty() => None,
                Some(Node::Inner(children)) if children.is_empty() => None,
                Some(Node::Inner(children)) if children.len() == 1 => Some(children[0].1.clone()),
                _ => return,
            };
            self.root = only;
        }
    }

    /// How often `key` is counted.
    pub fn get(&self, key: K) -> u32 {
        let Some(mut node) = self.root.as_ref() else { return 0 };
        loop {
            match node {
                Node::Leaf(items) => {
                    return match items.binary_search_by(|(k, _)| k.cmp(&key)) {
                        Ok(i) => items[i].1,
                        Err(_) => 0,
                    };
                }
                Node::Inner(children) => match children.partition_point(|(k, _)| *k <= key) {
                    0 => return 0,
                    i => node = &children[i - 1].1,
                },
            }
        }
    }

    /// The greatest key not above `key`.
    pub fn at_most(&self, key: K) -> Option<K> {
        at_most(self.root.as_ref()?, key)
    }

    /// The least key above `key`.
    pub fn above(&self, key: K) -> Option<K> {
        above(self.root.as_ref()?, key)
    }

    /// The greatest key.
    pub fn last(&self) -> Option<K> {
        last(self.root.as_ref()?)
    }
}

fn lowest<K: Copy>(node: &Node<K>) -> K {
    match node {
        Node::Leaf(items) => items[0].0,
        Node::Inner(children) => children[0].0,
    }
}

/// Adds to a subtree: whether the key is new, and the right half if the node had to split.
fn add_to<K: Copy + Ord>(node: &mut Node<K>, key: K) -> (bool, Option<(K, Node<K>)>) {
    match node {
        Node::Leaf(items) => {
            let items = Arc::make_mut(items);
            match items.binary_search_by(|(k, _)| k.cmp(&key)) {
                Ok(i) => {
                    items[i].1 = items[i].1.saturating_add(1);
                    (false, None)
                }
                Err(i) => {
                    items.insert(i, (key, 1));
                    // Appending in order is common: keep the left node full then.
                    let at = if i + 1 == items.len() { CAP } else { CAP / 2 };
                    let split = (items.len() > CAP).then(|| {
                        let right: Row<_> = items.drain(at..).collect();
                        (right[0].0, Node::Leaf(Arc::new(right)))
                    });
                    (true, split)
                }
            }
        }
        Node::Inner(children) => {
            let children = Arc::make_mut(children);
            let i = children.partition_point(|(k, _)| *k <= key).max(1) - 1;
            children[i].0 = children[i].0.min(key);
            let (new, split) = add_to(&mut children[i].1, key);
            let mut mine = None;
            if let Some(right) = split {
                children.insert(i + 1, right);
                if children.len() > CAP {
                    let at = if i + 2 == children.len() { CAP } else { CAP / 2 };
                    let right: Row<_> = children.drain(at..).collect();
                    mine = Some((right[0].0, Node::Inner(Arc::new(right))));
                }
            }
            (new, mine)
        }
    }
}

fn sub_from<K: Copy + Ord>(node: &mut Node<K>, key: K) -> bool {
    match node {
        Node::Leaf(items) => {
            let items = Arc::make_mut(items);
            let Ok(i) = items.binary_search_by(|(k, _)| k.cmp(&key)) else { return false };
            items[i].1 -= 1;
            let gone = items[i].1 == 0;
            if gone {
                items.remove(i);
            }
            gone
        }
        Node::Inner(children) => {
            let children = Arc::make_mut(children);
            let i = children.partition_point(|(k, _)| *k <= key).max(1) - 1;
            let gone = sub_from(&mut children[i].1, key);
            if gone {
                tidy(children, i);
            }
            gone
        }
    }
}

/// After a removal below child `i`: drops it if empty, joins it with a neighbour if both are small.
fn tidy<K: Copy + Ord>(children: &mut Row<(K, Node<K>)>, i: usize) {
    let size = |n: &Node<K>| match n {
        Node::Leaf(items) => items.len(),
        Node::Inner(c) => c.len(),
    };
    let mine = size(&children[i].1);
    if mine == 0 {
        children.remove(i);
        return;
    }
    if mine > CAP / 4 {
        return;
    }
    let left = if i + 1 < children.len() && mine + size(&children[i + 1].1) <= CAP / 2 {
        i
    } else if i > 0 && mine + size(&children[i - 1].1) <= CAP / 2 {
        i - 1
    } else {
        return;
    };
    let (_, right) = children.remove(left + 1);
    match (&mut children[left].1, right) {
        (Node::Leaf(a), Node::Leaf(b)) => Arc::make_mut(a).extend_from_slice(&b),
        (Node::Inner(a), Node::Inner(b)) => Arc::make_mut(a).extend(b.iter().cloned()),
        _ => unreachable!("siblings have one depth"),
    }
}

fn at_most<K: Copy + Ord>(node: &Node<K>, key: K) -> Option<K> {
    match node {
        Node::Leaf(items) => match items.partition_point(|(k, _)| *k <= key) {
            0 => None,
            i => Some(items[i - 1].0),
        },
        Node::Inner(children) => {
            let i = children.partition_point(|(k, _)| *k <= key);
            children[..i].iter().rev().find_map(|(_, c)| at_most(c, key))
        }
    }
}

fn above<K: Copy + Ord>(node: &Node<K>, key: K) -> Option<K> {
    match node {
        Node::Leaf(items) => items.get(items.partition_point(|(k, _)| *k <= key)).map(|(k, _)| *k),
        Node::Inner(children) => {
            let i = children.partition_point(|(k, _)| *k <= key).max(1) - 1;
            children[i..].iter().find_map(|(_, c)| above(c, key))
        }
    }
}

fn last<K: Copy>(node: &Node<K>) -> Option<K> {
    match node {
        Node::Leaf(items) => items.last().map(|(k, _)| *k),
        Node::Inner(children) => children.iter().rev().find_map(|(_, c)| last(c)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn agrees_with_a_btreemap() {
        let mut rng = 0x0dd0_feed_beef_0001u64;
        let mut next = move || {
            rng ^= rng << 13;
            rng ^= rng >> 7;
            rng ^= rng << 17;
            rng
        };
        for range in [10u64, 500, 100_000] {
            let mut set = Counts::default();
            let mut model: BTreeMap<u64, u32> = BTreeMap::new();
            let mut kept = Vec::new();
            for step in 0..12_000u64 {
                let k = if step % 3 == 0 { step % range } else { next() % range };
                if next() % 10 < if step < 6000 { 7 } else { 2 } {
                    assert_eq!(set.add(k), !model.contains_key(&k));
                    *model.entry(k).or_default() += 1;
                } else {
                    let k = model.range(k..).next().map_or(k, |(k, _)| *k);
                    let had = model.get(&k).copied().unwrap_or(0);
                    assert_eq!(set.sub(k), had == 1);
                    if had == 1 {
                        model.remove(&k);
                    } else if had > 1 {
                        model.insert(k, had - 1);
                    }
                }
                assert_eq!(set.len(), model.len());
                let probe = next() % range;
                assert_eq!(set.get(probe), model.get(&probe).copied().unwrap_or(0));
                assert_eq!(set.at_most(probe), model.range(..=probe).next_back().map(|(k, _)| *k));
                assert_eq!(set.above(probe), model.range(probe + 1..).next().map(|(k, _)| *k));
                assert_eq!(set.last(), model.keys().next_back().copied());
                if step % 2000 == 0 {
                    kept.push((set.clone(), model.clone()));
                }
            }
            for (set, model) in kept {
                assert_eq!(set.len(), model.len());
                for (k, n) in &model {
                    assert_eq!(set.get(*k), *n);
                }
            }
            for (k, n) in model {
                (0..n).for_each(|_| {
                    set.sub(k);
                });
            }
            assert!(set.is_empty() && set.root.is_none());
        }
    }
}
