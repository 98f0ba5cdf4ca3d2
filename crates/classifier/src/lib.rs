//! Priority lookup with wildcards.
//!
//! A [`Classifier`] holds rules, each a match, a priority and whatever the rule is for, and finds the rule of
//! highest priority that matches a key, saying precisely which bits of the key it looked at: the datapath
//! caches the answer for all packets that agree in those bits, so every bit less is traffic that stays fast.
//!
//! The rules of one mask share a *subtable*, a hash table over the masked key. What keeps the search short and
//! the reported bits few:
//!
//! * subtables are visited by their highest priority, and the search stops when none can do better;
//! * the hash is taken in four stages (what is known on arrival and in the pipeline, layer 2, 3, 4): a miss in an
//!   early stage leaves the later fields unlooked at;
//! * [prefix tracking](prefix) skips subtables whose prefix length no rule has for this address;
//! * layer-4 ports that miss count only up to the bit that tells them from all ports in the subtable.
//!
//! Everything is persistent ([`trie`], [`counts`]): a clone costs one reference count and is a snapshot that
//! never changes, and the writer copies only what a change touches. So publishing a table after every batch of
//! changes costs the size of the batch, not that of the table.

pub mod counts;
mod filter;
pub mod prefix;
pub use base::trie;

mod classifier;
mod hash;
mod shape;
mod subtable;
mod tracker;

pub use classifier::{Classifier, Config, Cursor, Entry};

#[cfg(test)]
mod tests;
