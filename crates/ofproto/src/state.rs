//! Tables with their books: every change goes through here, is written into a log, and can be taken back.
//!
//! A request changes the state step by step. When all of it succeeded, the log tells what happened, for
//! flow-removed messages and flow monitors; when a step failed, the log is undone backwards. A bundle is the same
//! with several requests. Controllers see all of a request or nothing, and packets too, as a snapshot of the tables
//! is published only afterwards.

use crate::expiry::Expiry;
use crate::group::Group;
use crate::meter::Meter;
use crate::rule::{Rule, groups_in, learned_in, meters_in};
use crate::tables::{N_VISIBLE, Tables};
use base::order::ListOrder;
use base::{Cookie, GroupId, MeterId, TableId};
use openflow::Action;
use openflow::msg::FlowRemovedReason;
use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::sync::Arc;

/// A step that was taken.
#[derive(Clone, Debug)]
pub enum Change {
    /// A flow was added, perhaps in place of another.
    Added(Arc<Rule>, Option<Arc<Rule>>),
    /// A flow was modified: the new and the old one.
    Modified(Arc<Rule>, Arc<Rule>),
    /// A flow was removed.
    Removed(Arc<Rule>, FlowRemovedReason),
    /// A group was added, changed or removed: new and old.
    Group(Option<Arc<Group>>, Option<Arc<Group>>),
    /// A meter was added, changed or removed: new and old.
    Meter(Option<Arc<Meter>>, Option<Arc<Meter>>),
}

/// Flows by something that they refer to.
#[derive(Debug)]
struct Index<K>(HashMap<K, HashMap<usize, Arc<Rule>>>);

impl<K> Default for Index<K> {
    fn default() -> Self {
        Index(HashMap::new())
    }
}

fn address(rule: &Arc<Rule>) -> usize {
    Arc::as_ptr(rule) as usize
}

impl<K: Hash + Eq + Copy> Index<K> {
    fn add(&mut self, key: K, rule: &Arc<Rule>) {
        self.0.entry(key).or_default().insert(address(rule), rule.clone());
    }

    fn remove(&mut self, key: K, rule: &Arc<Rule>) {
        if let Some(set) = self.0.get_mut(&key) {
            set.remove(&address(rule));
            if set.is_empty() {
                self.0.remove(&key);
            }
        }
    }

    fn get(&self, key: K) -> Vec<Arc<Rule>> {
        self.0.get(&key).map_or_else(Vec::new, |s| s.values().cloned().collect())
    }

    fn count(&self, key: K) -> usize {
        self.0.get(&key).map_or(0, HashMap::len)
    }
}

/// Tables, groups and meters with what is known about them.
#[derive(Debug)]
pub struct State {
    tables: Tables,
    expiry: Expiry,
    by_group: Index<GroupId>,
    by_meter: Index<MeterId>,
    /// Made when it is first asked for: most switches never are.
    by_cookie: Option<Index<Cookie>>,
    /// Number of flows that controllers do not see, in tables that they see.
    n_hidden: usize,
    /// Numbers the changes to flows, so that it can be told what is newer than a moment.
    sequence: u64,
    log: Vec<Change>,
    /// The last lists of actions that were made, the last first.
    recent_actions: Vec<Arc<[Action]>>,
    meter_order: ListOrder<u32>,
    /// How many flows learn into a table with a cookie, and want what they learned deleted with them.
    learners: HashMap<(TableId, Cookie), usize>,
    /// What may have lost the last of its learners.
    orphans: Vec<(TableId, Cookie)>,
    /// The tables before one of them was cleared.
    cleared: Option<Tables>,
    /// What waits to be freed: tables as they were, and the flows that were in them.
    discarded: VecDeque<(Option<Tables>, Vec<Change>)>,
}

/// How many lists of actions are compared with a new one.
const RECENT_ACTIONS: usize = 8;
/// Flows whose memory is freed in one go.
const FREE_AT_ONCE: usize = 4096;
/// Beyond this many large changes that wait for their memory to be freed, the next frees its own at once.
const MOST_DISCARDED: usize = 4;

impl State {
    /// Nothing yet.
    pub fn new(seed: u64) -> State {
        State {
            tables: Tables::new(seed),
            expiry: Expiry::default(),
            by_group: Index::default(),
            by_meter: Index::default(),
            by_cookie: None,
            n_hidden: 0,
            sequence: 0,
            log: Vec::new(),
            recent_actions: Vec::new(),
            meter_order: ListOrder::default(),
            learners: HashMap::new(),
            orphans: Vec::new(),
            cleared: None,
            discarded: VecDeque::new(),
        }
    }

    /// The tables as they are.
    pub fn tables(&self) -> &Tables {
        &self.tables
    }

    /// The tables, for settings that are not in the log.
    pub fn tables_mut(&mut self) -> &mut Tables {
        &mut self.tables
    }

    /// The queue of flows with timeouts.
    pub fn expiry(&mut self) -> &mut Expiry {
        &mut self.expiry
    }

    /// When to look at the queue.
    pub fn next_expiry(&self) -> base::Time {
        self.expiry.next()
    }

    /// Takes what was done since the last time.
    pub fn take_log(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.log)
    }

    /// Gives an emptied log back, to be filled again without allocating.
    pub fn recycle(&mut self, mut log: Vec<Change>) {
        if log.len() > FREE_AT_ONCE && self.discarded.len() < MOST_DISCARDED {
            return self.discard(log);
        }
        log.clear();
        if self.log.is_empty() && log.capacity() <= 1024 {
            self.log = log;
        }
    }

    /// Steps taken so far, for [`State::undo_to`].
    pub fn mark(&self) -> usize {
        self.log.len()
    }

    /// Takes back all steps after `mark`.
    pub fn undo_to(&mut self, mark: usize) {
        self.cleared = None;
        for change in self.log.split_off(mark).into_iter().rev() {
            match change {
                Change::Added(new, old) => {
                    self.take_out(&new);
                    if let Some(old) = old {
                        self.put_in(&old);
                    }
                }
                Change::Modified(new, old) => {
                    self.take_out(&new);
                    self.put_in(&old);
                }
                Change::Removed(old, _) => self.put_in(&old),
                Change::Group(new, old) => match (new, old) {
                    (_, Some(old)) => self.tables.put_group(old),
                    (Some(new), None) => drop(self.tables.remove_group(new.id)),
                    (None, None) => {}
                },
                Change::Meter(new, old) => match (new, old) {
                    (_, Some(old)) => {
                        self.meter_order.insert(old.id().0);
                        self.tables.put_meter(old);
                    }
                    (Some(new), None) => {
                        self.meter_order.remove(&new.id().0);
                        self.tables.remove_meter(new.id());
                    }
                    (None, None) => {}
                },
            }
        }
    }

    fn put_in(&mut self, rule: &Arc<Rule>) {
        self.tables.insert(rule.clone());
        self.book(rule);
    }

    fn take_out(&mut self, rule: &Arc<Rule>) {
        if let Some(t) = self.tables.table_mut(rule.table) {
            t.flows.remove(&rule.matching, rule.priority);
        }
        self.unbook(rule);
    }

    fn book(&mut self, rule: &Arc<Rule>) {
        self.expiry.add(rule);
        self.n_hidden += usize::from(rule.priority > 0xffff);
        let by_group = &mut self.by_group;
        groups_in(&rule.actions, &mut |g| by_group.add(g, rule));
        let by_meter = &mut self.by_meter;
        meters_in(&rule.actions, &mut |m| by_meter.add(m, rule));
        if let Some(index) = &mut self.by_cookie {
            index.add(rule.cookie, rule);
        }
        let learners = &mut self.learners;
        learned_in(&rule.actions, &mut |table, cookie| *learners.entry((table, cookie)).or_default() += 1);
    }

    fn unbook(&mut self, rule: &Arc<Rule>) {
        let tables = &self.tables;
        self.expiry.remove(rule, |r| tables.is_current(r));
        self.n_hidden -= usize::from(rule.priority > 0xffff);
        let by_group = &mut self.by_group;
        groups_in(&rule.actions, &mut |g| by_group.remove(g, rule));
        let by_meter = &mut self.by_meter;
        meters_in(&rule.actions, &mut |m| by_meter.remove(m, rule));
        if let Some(index) = &mut self.by_cookie {
            index.remove(rule.cookie, rule);
        }
        let (learners, orphans) = (&mut self.learners, &mut self.orphans);
        learned_in(&rule.actions, &mut |table, cookie| {
            if let Some(n) = learners.get_mut(&(table, cookie)) {
                *n -= 1;
                if *n == 0 {
                    learners.remove(&(table, cookie));
                    orphans.push((table, cookie));
                }
            }
        });
    }

    /// Removes flows whose learners, all that asked for it, are gone.
    pub fn remove_orphans(&mut self) {
        while let Some((table, cookie)) = self.orphans.pop() {
            if self.learners.contains_key(&(table, cookie)) {
                continue;
            }
            for rule in self.with_cookie(cookie) {
                if rule.table == table && !rule.is_hidden() {
                    self.remove(rule, FlowRemovedReason::Delete);
                }
            }
        }
    }

    /// Number of the last change to a flow.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Adds a flow, in place of one with its match and priority.
    pub fn add(&mut self, rule: Rule) {
        let old = self.tables.find_exact(rule.table, &rule.matching, rule.priority).cloned();
        self.add_over(rule, old);
    }

    /// Adds a flow in place of `old`, which is the one with its match and priority, if there is one.
    pub fn add_over(&mut self, mut rule: Rule, old: Option<Arc<Rule>>) {
        self.sequence += 1;
        rule.changed_in = self.sequence;
        // Who knows of a flow knows of one in its place.
        rule.added_in = old.as_ref().map_or(self.sequence, |o| o.added_in);
        let rule = Arc::new(rule);
        match &old {
            Some(old) => {
                self.tables.insert(rule.clone());
                self.unbook(old);
            }
            None => self.tables.insert_new(rule.clone()),
        }
        self.book(&rule);
        self.log.push(Change::Added(rule, old));
    }

    /// A list of actions in the form that flows hold. Most tables have few that differ, often one after another: flows
    /// share them.
    pub fn shared_actions(&mut self, actions: Vec<Action>) -> Arc<[Action]> {
        if let Some(at) = self.recent_actions.iter().position(|r| **r == *actions) {
            self.recent_actions[..=at].rotate_right(1);
            return self.recent_actions[0].clone();
        }
        let shared: Arc<[Action]> = actions.into();
        if self.recent_actions.len() < RECENT_ACTIONS {
            self.recent_actions.push(shared.clone());
        }
        self.recent_actions.rotate_right(1);
        self.recent_actions[0] = shared.clone();
        shared
    }

    /// Keeps back what is not needed any more: to free the memory of many flows takes longer than to delete them, and
    /// nobody should wait for that.
    fn discard(&mut self, changes: Vec<Change>) {
        let before = self.cleared.take();
        self.discarded.push_back((before, changes));
    }

    /// Whether there is something kept back.
    pub fn has_discarded(&self) -> bool {
        !self.discarded.is_empty()
    }

    /// Frees some of what is kept back.
    pub fn free_some(&mut self) {
        let Some((tables, changes)) = self.discarded.front_mut() else { return };
        // Tables first: as long as the changes hold the flows, this frees no more than the nodes of the tries.
        if tables.take().is_some() {
            return;
        }
        changes.truncate(changes.len().saturating_sub(FREE_AT_ONCE));
        if changes.is_empty() {
            self.discarded.pop_front();
        }
    }

    /// Puts a modified flow in the place of the old one.
    pub fn modify(&mut self, old: Arc<Rule>, mut rule: Rule) {
        self.sequence += 1;
        rule.changed_in = self.sequence;
        let rule = Arc::new(rule);
        self.tables.insert(rule.clone());
        self.unbook(&old);
        self.book(&rule);
        self.log.push(Change::Modified(rule, old));
    }

    /// Removes a flow that is in the tables.
    pub fn remove(&mut self, rule: Arc<Rule>, reason: FlowRemovedReason) {
        self.take_out(&rule);
        self.log.push(Change::Removed(rule, reason));
    }

    /// Removes all flows of a table, the hidden ones too.
    pub fn clear_table(&mut self, id: TableId, reason: FlowRemovedReason) {
        let Some(table) = self.tables.table(id) else { return };
        if table.flows.is_empty() {
            return;
        }
        let rules: Vec<Arc<Rule>> = table.flows.iter().map(|e| e.0.clone()).collect();
        if rules.len() > FREE_AT_ONCE && self.cleared.is_none() {
            self.cleared = Some(self.tables.clone());
        }
        if let Some(t) = self.tables.table_mut(id) {
            t.flows.clear();
        }
        for rule in &rules {
            self.unbook(rule);
        }
        self.log.extend(rules.into_iter().map(|r| Change::Removed(r, reason)));
    }

    /// Adds a group or puts it in the place of the one of its number.
    pub fn put_group(&mut self, group: Arc<Group>) {
        let old = self.tables.group(group.id).cloned();
        self.tables.put_group(group.clone());
        self.log.push(Change::Group(Some(group), old));
    }

    /// Removes a group and the flows that use it.
    pub fn remove_group(&mut self, id: GroupId) {
        for rule in self.by_group.get(id) {
            self.remove(rule, FlowRemovedReason::GroupDelete);
        }
        if let Some(old) = self.tables.remove_group(id) {
            self.log.push(Change::Group(None, Some(old)));
        }
    }

    /// Number of flows that use a group.
    pub fn group_refs(&self, id: GroupId) -> usize {
        self.by_group.count(id)
    }

    /// Adds a meter or puts it in the place of the one of its number.
    pub fn put_meter(&mut self, meter: Arc<Meter>) {
        let old = self.tables.meter(meter.id()).cloned();
        self.tables.put_meter(meter.clone());
        self.meter_order.insert(meter.id().0);
        self.log.push(Change::Meter(Some(meter), old));
    }

    /// Removes a meter and the flows that use it.
    pub fn remove_meter(&mut self, id: MeterId) {
        for rule in self.by_meter.get(id) {
            self.remove(rule, FlowRemovedReason::MeterDelete);
        }
        if let Some(old) = self.tables.remove_meter(id) {
            self.meter_order.remove(&id.0);
            self.log.push(Change::Meter(None, Some(old)));
        }
    }

    /// The meters in the order of listings.
    pub fn meters_listed(&self) -> impl Iterator<Item = MeterId> {
        self.meter_order.iter().copied().map(MeterId)
    }

    /// Number of flows that use a meter.
    pub fn meter_refs(&self, id: MeterId) -> usize {
        self.by_meter.count(id)
    }

    /// Whether some flow in the tables that controllers see is hidden from them.
    pub fn has_hidden(&self) -> bool {
        self.n_hidden > 0
    }

    /// The flows with this cookie. The first call makes an index, later calls cost what they find.
    pub fn with_cookie(&mut self, cookie: Cookie) -> Vec<Arc<Rule>> {
        if self.by_cookie.is_none() {
            let mut index = Index::default();
            for (_, table) in self.tables.iter() {
                for e in table.flows.iter() {
                    index.add(e.cookie, &e.0);
                }
            }
            self.by_cookie = Some(index);
        }
        self.by_cookie.as_ref().map_or_else(Vec::new, |i| i.get(cookie))
    }

    /// The numbers of the tables that a request for `table` is about: one, or all that controllers see.
    pub fn table_ids(table: u8) -> std::ops::Range<u8> {
        if table == 0xff { 0..N_VISIBLE } else { table..table + 1 }
    }
}
