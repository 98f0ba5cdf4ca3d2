//! Flows.

use base::{Cookie, GroupId, MeterId, OfPort, TableId, Time};
use classifier::Entry;
use flow::MiniMatch;
use openflow::Action;
use openflow::action::Learn;
use openflow::msg::{FlowModFlags, FlowRemovedReason};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Counters of a flow. They are shared by a flow and what it is modified into, and may be written from any thread.
#[derive(Debug)]
pub struct RuleStats {
    packets: AtomicU64,
    bytes: AtomicU64,
    used: AtomicU64,
}

impl RuleStats {
    /// No packets, last used (or created) at `now`.
    pub fn new(now: Time) -> RuleStats {
        RuleStats { packets: AtomicU64::new(0), bytes: AtomicU64::new(0), used: AtomicU64::new(now.0) }
    }

    /// Packets so far.
    pub fn packets(&self) -> u64 {
        self.packets.load(Relaxed)
    }

    /// Bytes so far.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Relaxed)
    }

    /// When a packet last hit the flow; when it was created, if none has.
    pub fn used(&self) -> Time {
        Time(self.used.load(Relaxed))
    }

    /// Counts packets, the last of which came at `used`.
    pub fn credit(&self, packets: u64, bytes: u64, used: Time) {
        self.packets.fetch_add(packets, Relaxed);
        self.bytes.fetch_add(bytes, Relaxed);
        self.used.fetch_max(used.0, Relaxed);
    }
}

/// A flow. Immutable but for its counters: a modified flow is a new `Rule` that shares them.
#[derive(Debug)]
pub struct Rule {
    /// Which packets.
    pub matching: MiniMatch,
    /// What becomes of them: actions and instructions, in the order of execution.
    pub actions: Arc<[Action]>,
    /// Counters.
    pub stats: Arc<RuleStats>,
    /// The controller's mark.
    pub cookie: Cookie,
    /// When it was added.
    pub created: Time,
    /// When it was added or last modified: the hard timeout counts from here.
    pub modified: Time,
    /// Rank. Above 65,535: the switch's own, hidden from controllers.
    pub priority: u32,
    /// Seconds without packets after which it goes; 0: never.
    pub idle_timeout: u16,
    /// Seconds after which it goes; 0: never.
    pub hard_timeout: u16,
    /// Rank for eviction.
    pub importance: u16,
    /// Flags.
    pub flags: FlowModFlags,
    /// Its table.
    pub table: TableId,
    /// Number of the change that added it.
    pub(crate) added_in: u64,
    /// Number of the change that added or last modified it.
    pub(crate) changed_in: u64,
}

impl Rule {
    /// A flow without timeouts, cookie and flags.
    pub fn new(
        table: TableId,
        priority: u32,
        matching: MiniMatch,
        actions: impl Into<Arc<[Action]>>,
        now: Time,
    ) -> Rule {
        Rule {
            matching,
            actions: actions.into(),
            stats: Arc::new(RuleStats::new(now)),
            cookie: Cookie(0),
            created: now,
            modified: now,
            priority,
            idle_timeout: 0,
            hard_timeout: 0,
            importance: 0,
            flags: FlowModFlags(0),
            table,
            added_in: 0,
            changed_in: 0,
        }
    }

    /// Whether controllers do not see it.
    pub fn is_hidden(&self) -> bool {
        self.priority > u32::from(u16::MAX) || self.table == TableId::INTERNAL
    }

    /// Whether the cookie has these bits under the mask.
    pub fn has_cookie(&self, cookie: Cookie, mask: Cookie) -> bool {
        (self.cookie.0 ^ cookie.0) & mask.0 == 0
    }

    /// Whether its actions output to `port` in a way that counts for `out_port` filters.
    pub fn outputs_to(&self, port: OfPort) -> bool {
        port == OfPort::NONE || outputs_to(&self.actions, port)
    }

    /// Whether its actions use the group.
    pub fn uses_group(&self, group: GroupId) -> bool {
        group == GroupId::ANY || uses_group(&self.actions, group)
    }

    /// When its hard timeout is up, and when its idle timeout is, as things stand; [`Time::NEVER`] without one.
    fn deadlines(&self) -> (Time, Time) {
        // A flow lives through the last instant of its time.
        let after = |from: Time, seconds: u16| match seconds {
            0 => Time::NEVER,
            s => from + Duration::from_secs(u64::from(s)) + Duration::from_nanos(1),
        };
        (after(self.modified, self.hard_timeout), after(self.stats.used(), self.idle_timeout))
    }

    /// When it has to go, as things stand.
    pub fn deadline(&self) -> Time {
        let (hard, idle) = self.deadlines();
        hard.min(idle)
    }

    /// Why it has to go, if it has.
    pub fn expired(&self, now: Time) -> Option<FlowRemovedReason> {
        let (hard, idle) = self.deadlines();
        if now >= hard {
            Some(FlowRemovedReason::HardTimeout)
        } else if now >= idle {
            Some(FlowRemovedReason::IdleTimeout)
        } else {
            None
        }
    }

    /// A copy that shares the counters: the basis of a modified rule.
    pub fn copy(&self) -> Rule {
        Rule {
            matching: self.matching.clone(),
            actions: self.actions.clone(),
            stats: self.stats.clone(),
            cookie: self.cookie,
            created: self.created,
            modified: self.modified,
            priority: self.priority,
            idle_timeout: self.idle_timeout,
            hard_timeout: self.hard_timeout,
            importance: self.importance,
            flags: self.flags,
            table: self.table,
            added_in: self.added_in,
            changed_in: self.changed_in,
        }
    }
}

/// A handle to a [`Rule`], as tables hold it.
pub type RuleRef = Arc<Rule>;

/// What the classifier holds.
#[derive(Clone, Debug)]
pub struct RuleEntry(pub RuleRef);

impl Entry for RuleEntry {
    fn matching(&self) -> &MiniMatch {
        &self.0.matching
    }
    fn priority(&self) -> u32 {
        self.0.priority
    }
}

impl std::ops::Deref for RuleEntry {
    type Target = Arc<Rule>;
    fn deref(&self) -> &Arc<Rule> {
        &self.0
    }
}

/// Whether a list of actions outputs to `port` in a way that counts for `out_port` filters: plain output, enqueue
/// and, for the port CONTROLLER, the controller action; also inside write-actions.
pub fn outputs_to(actions: &[Action], port: OfPort) -> bool {
    actions.iter().any(|a| match a {
        Action::Output(o) => o.port == port,
        Action::Enqueue(e) => e.port == port,
        Action::Controller(_) => port == OfPort::CONTROLLER,
        Action::WriteActions(w) => outputs_to(&w.actions, port),
        Action::Clone(c) => outputs_to(&c.actions, port),
        _ => false,
    })
}

/// Whether a list of actions hands packets to `group`.
pub fn uses_group(actions: &[Action], group: GroupId) -> bool {
    actions.iter().any(|a| match a {
        Action::Group(g) => g.group == group,
        Action::WriteActions(w) => uses_group(&w.actions, group),
        Action::Clone(c) => uses_group(&c.actions, group),
        _ => false,
    })
}

/// Every group that a list of actions names, in no particular order and perhaps more than once.
pub fn groups_in(actions: &[Action], f: &mut impl FnMut(GroupId)) {
    for a in actions {
        match a {
            Action::Group(g) => f(g.group),
            Action::WriteActions(w) => groups_in(&w.actions, f),
            Action::Clone(c) => groups_in(&c.actions, f),
            _ => {}
        }
    }
}

/// Table and cookie of all flows that a list of actions learns and that are to go when it does.
pub fn learned_in(actions: &[Action], f: &mut impl FnMut(TableId, Cookie)) {
    for a in actions {
        match a {
            Action::Learn(l) if l.flags & Learn::DELETE_LEARNED != 0 => f(TableId(l.table), l.cookie),
            Action::Clone(c) => learned_in(&c.actions, f),
            _ => {}
        }
    }
}

/// Every meter that a list of actions names.
pub fn meters_in(actions: &[Action], f: &mut impl FnMut(MeterId)) {
    for a in actions {
        match a {
            Action::Meter(m) => f(m.meter),
            Action::Clone(c) => meters_in(&c.actions, f),
            _ => {}
        }
    }
}
