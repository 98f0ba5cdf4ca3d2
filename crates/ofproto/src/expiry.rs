//! Which flows may have to go, and when to look.
//!
//! Only flows with a timeout are here. A flow's deadline moves as packets hit it, which nobody reports: the queue
//! holds the earliest time at which it can be due, and a flow that turns out to be in use goes back in with its
//! new deadline. So looking costs what is due, not what there is, and a busy flow is looked at once per timeout.

use crate::rule::Rule;
use base::Time;
use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::sync::Arc;

#[derive(Debug)]
struct Entry {
    due: Time,
    rule: Arc<Rule>,
}

impl PartialEq for Entry {
    fn eq(&self, o: &Entry) -> bool {
        self.due == o.due
    }
}
impl Eq for Entry {}
impl PartialOrd for Entry {
    fn partial_cmp(&self, o: &Entry) -> Option<Ordering> {
        Some(self.cmp(o))
    }
}
impl Ord for Entry {
    fn cmp(&self, o: &Entry) -> Ordering {
        self.due.cmp(&o.due)
    }
}

/// Flows with timeouts, earliest first.
#[derive(Debug, Default)]
pub struct Expiry {
    queue: BinaryHeap<Reverse<Entry>>,
    /// How many of the queue's flows are still in the tables.
    live: usize,
}

impl Expiry {
    /// Takes note of a flow that has come into the tables.
    pub fn add(&mut self, rule: &Arc<Rule>) {
        let due = rule.deadline();
        if due != Time::NEVER {
            self.queue.push(Reverse(Entry { due, rule: rule.clone() }));
            self.live += 1;
        }
    }

    /// Takes note of a flow that has left the tables. It stays in the queue until it is due or until dead flows
    /// outnumber the living, when `is_current` tells them apart.
    pub fn remove(&mut self, rule: &Arc<Rule>, is_current: impl Fn(&Arc<Rule>) -> bool) {
        if rule.idle_timeout == 0 && rule.hard_timeout == 0 {
            return;
        }
        self.live = self.live.saturating_sub(1);
        if self.queue.len() > 2 * self.live + 1024 {
            self.queue.retain(|e| is_current(&e.0.rule));
            self.live = self.queue.len();
        }
    }

    /// When to look next.
    pub fn next(&self) -> Time {
        self.queue.peek().map_or(Time::NEVER, |e| e.0.due)
    }

    /// A flow to be looked at by now. If it is in the tables and not due after all, give it to
    /// [`Expiry::put_back`]; if it is in the tables and goes, removing it will report that.
    pub fn pop(&mut self, now: Time) -> Option<Arc<Rule>> {
        if self.next() > now {
            return None;
        }
        self.queue.pop().map(|e| e.0.rule)
    }

    /// Puts a flow that [`Expiry::pop`] gave back under its new deadline.
    pub fn put_back(&mut self, rule: Arc<Rule>) {
        let due = rule.deadline();
        self.queue.push(Reverse(Entry { due, rule }));
    }
}
