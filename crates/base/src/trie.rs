//! A persistent hash trie.
//!
//! The structure behind every table that packets are looked up in. Readers hold a clone, which costs one
//! reference count, and never see a later change; the writer changes what it alone holds in place and copies
//! the rest, so that a change costs the path from the root to one leaf, and only the first time after a
//! clone was taken.
//!
//! ```text
//!   Branch ─┬─ Branch ─┬─ Leaf [(hash, item), ..]     3 bits of the hash per level
//!           ├─ Leaf    └─ Empty
//!           └─ ..
//! ```
//!
//! A leaf holds up to 12 items and then splits into eight of one or two, so that leaves are half full on average
//! however many items there are; depth is near `log8(n / 12)`.

use std::sync::Arc;

/// Items in a leaf before it splits.
const LEAF_CAP: usize = 12;
/// A branch with no more items than this collapses into a leaf.
const COLLAPSE: usize = LEAF_CAP / 3;
/// Levels that the 32 bits of a hash allow: below it, leaves grow without limit.
const MAX_DEPTH: u32 = 10;
const FANOUT: usize = 8;

/// An item with its hash; none only while items move from one leaf to another.
type Item<T> = (u32, Option<T>);
/// What a leaf holds: just that, in one place in memory.
type Items<T> = Arc<[Item<T>]>;

#[derive(Clone, Debug)]
enum Node<T> {
    Empty,
    Leaf(Items<T>),
    Branch(Arc<[Node<T>; FANOUT]>),
}

/// A persistent multimap from 32-bit hashes to `T`. Items of one hash keep the order in which insertion put them.
#[derive(Clone, Debug)]
pub struct HashTrie<T> {
    root: Node<T>,
    len: usize,
}

impl<T> Default for HashTrie<T> {
    fn default() -> Self {
        HashTrie { root: Node::Empty, len: 0 }
    }
}

fn slot(hash: u32, depth: u32) -> usize {
    (hash >> (29 - 3 * depth)) as usize & (FANOUT - 1)
}

impl<T: Clone> HashTrie<T> {
    /// Number of items.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether two handles are the same image: true only if they are, false perhaps also if they merely hold the same.
    pub fn is_same(&self, other: &HashTrie<T>) -> bool {
        match (&self.root, &other.root) {
            (Node::Empty, Node::Empty) => true,
            (Node::Leaf(a), Node::Leaf(b)) => Arc::ptr_eq(a, b),
            (Node::Branch(a), Node::Branch(b)) => Arc::ptr_eq(a, b),
            _ => false,
        }
    }

    fn leaf(&self, hash: u32) -> &[Item<T>] {
        let mut node = &self.root;
        let mut depth = 0;
        loop {
            match node {
                Node::Empty => return &[],
                Node::Leaf(items) => return items,
                Node::Branch(b) => node = &b[slot(hash, depth)],
            }
            depth += 1;
        }
    }

    /// The items with this hash, in order.
    pub fn with_hash(&self, hash: u32) -> impl Iterator<Item = &T> {
        self.leaf(hash).iter().filter(move |(h, _)| *h == hash).filter_map(|(_, t)| t.as_ref())
    }

    /// Whether any item has this hash.
    pub fn contains_hash(&self, hash: u32) -> bool {
        self.leaf(hash).iter().any(|(h, _)| *h == hash)
    }

    /// Inserts `item` before the first item of the same hash for which `goes_after` holds, else after all of them.
    pub fn insert(&mut self, hash: u32, item: T, goes_after: impl FnMut(&T) -> bool) {
        let mut goes_after = goes_after;
        let items = leaf_mut(&mut self.root, hash);
        let after = |i: &Item<T>| i.0 == hash && i.1.as_ref().is_some_and(&mut goes_after);
        let at = items.iter().position(after).unwrap_or(items.len());
        *items = with(items, at, (hash, Some(item)));
        self.len += 1;
    }

    /// The first item with this hash that `which` accepts, for changing in place. Unshares the path to it, so
    /// ask for what exists.
    pub fn find_mut(&mut self, hash: u32, which: impl FnMut(&T) -> bool) -> Option<&mut T> {
        let mut which = which;
        if !self.contains_hash(hash) {
            return None;
        }
        let items = Arc::make_mut(leaf_mut(&mut self.root, hash)).iter_mut();
        items.filter(|(h, _)| *h == hash).filter_map(|(_, t)| t.as_mut()).find(|t| which(t))
    }

    /// Takes out the first item with this hash that `which` accepts.
    pub fn remove(&mut self, hash: u32, which: impl FnMut(&T) -> bool) -> Option<T> {
        if !self.contains_hash(hash) {
            return None;
        }
        let mut which = which;
        let taken = remove_from(&mut self.root, hash, 0, &mut which)?;
        self.len -= 1;
        Some(taken)
    }

    /// The leaf at which a hash has its place, and the hash from which the next one goes on. So a walk over all items in
    /// their order can be left and taken up again: from 0 until there is no next.
    pub fn leaf_at(&self, hash: u32) -> (impl Iterator<Item = &T>, Option<u32>) {
        let mut node = &self.root;
        let mut depth = 0;
        while let Node::Branch(b) = node {
            node = &b[slot(hash, depth)];
            depth += 1;
        }
        let last = hash | u32::MAX.checked_shr(3 * depth).unwrap_or(0);
        let items: &[Item<T>] = if let Node::Leaf(items) = node { items } else { &[] };
        (items.iter().filter_map(|(_, t)| t.as_ref()), last.checked_add(1))
    }

    /// All items, in the order of their hashes' leaves.
    pub fn iter(&self) -> Iter<'_, T> {
        let mut it = Iter { stack: Vec::new(), leaf: [].iter() };
        it.push(&self.root);
        it
    }
}

/// Takes an item along.
fn moved<T>(item: &mut Item<T>) -> Item<T> {
    (item.0, item.1.take())
}

/// A leaf with one item more; the others move, if nobody else has them.
fn with<T: Clone>(leaf: &mut Items<T>, at: usize, item: Item<T>) -> Items<T> {
    let new = std::iter::once(item);
    match Arc::get_mut(leaf) {
        Some(own) => {
            let (before, after) = own.split_at_mut(at);
            before.iter_mut().map(moved).chain(new).chain(after.iter_mut().map(moved)).collect()
        }
        None => {
            let (before, after) = leaf.split_at(at);
            before.iter().cloned().chain(new).chain(after.iter().cloned()).collect()
        }
    }
}

/// A leaf with one item less.
fn without<T: Clone>(leaf: &mut Items<T>, at: usize) -> Items<T> {
    match Arc::get_mut(leaf) {
        Some(own) => {
            let (before, after) = own.split_at_mut(at);
            before.iter_mut().map(moved).chain(after[1..].iter_mut().map(moved)).collect()
        }
        None => leaf[..at].iter().cloned().chain(leaf[at + 1..].iter().cloned()).collect(),
    }
}

/// The leaf in which an item with this hash goes, the path to it unshared, with room made for one more.
fn leaf_mut<T: Clone>(root: &mut Node<T>, hash: u32) -> &mut Items<T> {
    let mut node = root;
    let mut depth = 0;
    loop {
        if let Node::Empty = node {
            *node = Node::Leaf(Arc::new([]));
        } else if let Node::Leaf(items) = node
            && items.len() >= LEAF_CAP
            && depth < MAX_DEPTH
        {
            *node = split(Arc::make_mut(items), depth);
        }
        match node {
            Node::Branch(b) => node = &mut Arc::make_mut(b)[slot(hash, depth)],
            Node::Leaf(items) => return items,
            Node::Empty => unreachable!("replaced by a leaf above"),
        }
        depth += 1;
    }
}

fn split<T>(items: &mut [Item<T>], depth: u32) -> Node<T> {
    let mut parts: [Vec<Item<T>>; FANOUT] = std::array::from_fn(|_| Vec::new());
    for item in items.iter_mut().map(moved) {
        parts[slot(item.0, depth)].push(item);
    }
    Node::Branch(Arc::new(parts.map(|p| if p.is_empty() { Node::Empty } else { Node::Leaf(p.into()) })))
}

fn remove_from<T: Clone>(
    node: &mut Node<T>,
    hash: u32,
    depth: u32,
    which: &mut impl FnMut(&T) -> bool,
) -> Option<T> {
    match node {
        Node::Empty => None,
        Node::Leaf(items) => {
            let at = items.iter().position(|(h, t)| *h == hash && t.as_ref().is_some_and(&mut *which))?;
            let taken = match Arc::get_mut(items) {
                Some(own) => own[at].1.take(),
                None => items[at].1.clone(),
            };
            *node = if items.len() == 1 { Node::Empty } else { Node::Leaf(without(items, at)) };
            taken
        }
        Node::Branch(b) => {
            let b = Arc::make_mut(b);
            let s = slot(hash, depth);
            let taken = remove_from(&mut b[s], hash, depth + 1, which)?;
            let small = match &b[s] {
                Node::Empty => true,
                Node::Leaf(items) => items.len() <= 2,
                Node::Branch(_) => false,
            };
            if small && let Some(merged) = collapse(b) {
                *node = merged;
            }
            Some(taken)
        }
    }
}

/// What a branch becomes when all that is below it fits comfortably in one leaf.
fn collapse<T: Clone>(b: &mut [Node<T>; FANOUT]) -> Option<Node<T>> {
    let mut total = 0;
    for n in b.iter() {
        match n {
            Node::Empty => {}
            Node::Leaf(items) => total += items.len(),
            Node::Branch(_) => return None,
        }
        if total > COLLAPSE {
            return None;
        }
    }
    if total == 0 {
        return Some(Node::Empty);
    }
    let mut all = Vec::with_capacity(total);
    for n in b.iter_mut() {
        if let Node::Leaf(items) = n {
            all.extend(Arc::make_mut(items).iter_mut().map(moved));
        }
    }
    Some(Node::Leaf(all.into()))
}

/// Iterator over the items of a [`HashTrie`].
#[derive(Clone, Debug)]
pub struct Iter<'a, T> {
    stack: Vec<std::slice::Iter<'a, Node<T>>>,
    leaf: std::slice::Iter<'a, Item<T>>,
}

impl<'a, T> Iter<'a, T> {
    fn push(&mut self, node: &'a Node<T>) {
        match node {
            Node::Empty => {}
            Node::Leaf(items) => self.leaf = items.iter(),
            Node::Branch(b) => self.stack.push(b.iter()),
        }
    }
}

impl<'a, T> Iterator for Iter<'a, T> {
    type Item = &'a T;
    fn next(&mut self) -> Option<&'a T> {
        loop {
            if let Some((_, t)) = self.leaf.next() {
                return t.as_ref();
            }
            match self.stack.last_mut()?.next() {
                Some(node) => self.push(node),
                None => {
                    self.stack.pop();
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every operation against a plain vector, with hashes that collide in many ways, and clones that must not change.
    #[test]
    fn agrees_with_a_vector() {
        let mut rng = 0x1234_5678_9abc_def0u64;
        let mut next = move || {
            rng ^= rng << 13;
            rng ^= rng >> 7;
            rng ^= rng << 17;
            rng
        };
        for spread in [1u32, 7, 0xff, 0xf000_000f, u32::MAX] {
            let mut trie = HashTrie::default();
            let mut model: Vec<(u32, u64)> = Vec::new();
            let mut kept: Vec<(HashTrie<u64>, Vec<u64>)> = Vec::new();
            for step in 0..4000u64 {
                let grow = step < 2500;
                let hash = (next() as u32).wrapping_mul(0x9e37_79b9) & spread;
                if next() % 10 < if grow { 8 } else { 1 } {
                    trie.insert(hash, step, |_| false);
                    model.push((hash, step));
                } else if !model.is_empty() {
                    let at = next() as usize % model.len();
                    let (h, v) = model.swap_remove(at);
                    assert_eq!(trie.remove(h, |t| *t == v), Some(v));
                    assert_eq!(trie.remove(h, |t| *t == v), None);
                }
                if step % 500 == 0 {
                    let mut all: Vec<u64> = model.iter().map(|m| m.1).collect();
                    all.sort_unstable();
                    kept.push((trie.clone(), all));
                }
                assert_eq!(trie.len(), model.len());
            }
            let (mut walked, mut from) = (Vec::new(), Some(0));
            while let Some(hash) = from {
                let (leaf, next) = trie.leaf_at(hash);
                walked.extend(leaf.copied());
                from = next;
            }
            assert!(walked.iter().eq(trie.iter()));
            for (t, want) in &kept {
                let mut got: Vec<u64> = t.iter().copied().collect();
                got.sort_unstable();
                assert_eq!(&got, want);
            }
            for (h, v) in &model {
                assert!(trie.with_hash(*h).any(|t| t == v));
            }
            for (h, v) in model.drain(..) {
                assert_eq!(trie.remove(h, |t| *t == v), Some(v));
            }
            assert!(matches!(trie.root, Node::Empty));
        }
    }

    #[test]
    fn order_within_a_hash() {
        let mut t = HashTrie::default();
        for p in [5, 1, 9, 7, 3] {
            t.insert(42, p, |e: &i32| *e < p);
        }
        assert_eq!(t.with_hash(42).copied().collect::<Vec<_>>(), [9, 7, 5, 3, 1]);
        *t.find_mut(42, |e| *e == 7).unwrap() = 8;
        assert_eq!(t.with_hash(42).copied().collect::<Vec<_>>(), [9, 8, 5, 3, 1]);
    }
}
