//! Timers, one per key, ordered by deadline.
//!
//! Most deadlines are pushed back again and again (an inactivity probe moves with every message), and hardly
//! any fires. So a later deadline is only noted; the heap entry stays where it is and is moved when it
//! surfaces. Setting a timer thus costs one hash lookup in the common case, whatever the number of timers.

use crate::event::Key;
use base::Time;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

struct Entry {
    /// When to fire.
    want: Time,
    /// Where the live heap entry is; never after `want`.
    armed: Time,
}

#[derive(Default)]
pub(crate) struct Timers {
    heap: BinaryHeap<Reverse<(Time, Key)>>,
    entries: HashMap<Key, Entry>,
}

impl Timers {
    /// Makes `key` fire at `at` instead of whenever it would have; `Time::NEVER` cancels.
    pub fn set(&mut self, key: Key, at: Time) {
        match self.entries.get_mut(&key) {
            Some(e) => {
                e.want = at;
                if at < e.armed {
                    e.armed = at;
                    self.heap.push(Reverse((at, key)));
                }
            }
            None if at == Time::NEVER => {}
            None => {
                self.entries.insert(key, Entry { want: at, armed: at });
                self.heap.push(Reverse((at, key)));
            }
        }
    }

    /// When `key` fires.
    pub fn deadline(&self, key: Key) -> Time {
        self.entries.get(&key).map_or(Time::NEVER, |e| e.want)
    }

    /// When the next timer fires.
    pub fn next(&mut self) -> Time {
        while let Some(&Reverse((at, key))) = self.heap.peek() {
            match self.entries.get_mut(&key) {
                Some(e) if e.armed == at => {
                    if e.want == at {
                        return at;
                    }
                    self.heap.pop();
                    if e.want == Time::NEVER {
                        self.entries.remove(&key);
                    } else {
                        e.armed = e.want;
                        self.heap.push(Reverse((e.want, key)));
                    }
                }
                // Left behind by an earlier deadline.
                _ => {
                    self.heap.pop();
                }
            }
        }
        Time::NEVER
    }

    /// Takes the next timer that is due at `now`, in order of deadline, then key.
    pub fn pop(&mut self, now: Time) -> Option<Key> {
        let at = self.next();
        if at > now || at == Time::NEVER {
            return None;
        }
        let Reverse((_, key)) = self.heap.pop()?;
        self.entries.remove(&key);
        Some(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn key(n: u64) -> Key {
        Key::new(1, n)
    }

    #[test]
    fn fires_in_order_and_once() {
        let mut t = Timers::default();
        t.set(key(1), Time(30));
        t.set(key(2), Time(10));
        t.set(key(3), Time(20));
        t.set(key(2), Time(25)); // later
        t.set(key(1), Time(5)); // earlier
        t.set(key(3), Time::NEVER);
        assert_eq!(t.next(), Time(5));
        assert_eq!(t.pop(Time(4)), None);
        assert_eq!(t.pop(Time(100)), Some(key(1)));
        assert_eq!(t.pop(Time(100)), Some(key(2)));
        assert_eq!(t.pop(Time(100)), None);
        assert_eq!(t.next(), Time::NEVER);
        assert!(t.entries.is_empty() && t.heap.is_empty());
    }

    #[test]
    fn agrees_with_a_map_on_random_sequences() {
        let mut seed = 7u64;
        let mut random = move |n: u64| {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            seed % n
        };
        let mut t = Timers::default();
        let mut model: BTreeMap<u64, u64> = BTreeMap::new();
        let mut now = 0;
        for _ in 0..20_000 {
            match random(4) {
                0 => {
                    now += random(50);
                    let mut fired = Vec::new();
                    while let Some(k) = t.pop(Time(now)) {
                        fired.push(k.index());
                    }
                    let mut due: Vec<_> =
                        model.iter().filter(|&(_, &d)| d <= now).map(|(&k, &d)| (d, k)).collect();
                    due.sort();
                    assert_eq!(fired, due.iter().map(|&(_, k)| k).collect::<Vec<_>>());
                    model.retain(|_, d| *d > now);
                }
                1 => {
                    let k = random(20);
                    model.remove(&k);
                    t.set(key(k), Time::NEVER);
                }
                _ => {
                    let (k, d) = (random(20), now + random(200));
                    model.insert(k, d);
                    t.set(key(k), Time(d));
                }
            }
            let next = model.values().min().map_or(Time::NEVER, |&d| Time(d));
            assert_eq!(t.next(), next);
        }
    }
}
