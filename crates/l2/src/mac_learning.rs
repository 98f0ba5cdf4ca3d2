//! MAC learning (IEEE 802.1Q 8.8): which bundle the stations of each VLAN were last heard on.
//!
//! [`MacTable`] is the machine: it ages, bounds and counts, and lives with whoever owns the bridge. Translation sees a
//! [`MacView`], which changes only when a station appears, moves or goes: hearing a station again moves its place in the
//! aging order and leaves the view alone.
//!
//! When the table is full, the bundle with most stations loses the one heard least recently, so that a flood of made-up
//! addresses on one port cannot push out the stations of the others.

use crate::cow::CowMap;
use base::{Mac, Time, VlanId};
use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;
use std::time::Duration;

/// A port of the bridge in the database's sense: one interface or a bond of several. Numbers are given by the
/// bridge's owner and index its list of bundles.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct BundleId(pub u32);

/// Default of [`MacTable::set_idle`].
pub const DEFAULT_IDLE: Duration = Duration::from_secs(300);
/// Default of [`MacTable::set_max_entries`].
pub const DEFAULT_MAX: usize = 8192;
/// For how long after a gratuitous ARP on an ordinary port a gratuitous ARP on a bond is taken for its reflection.
const GRATUITOUS_ARP_LOCK: Duration = Duration::from_secs(5);

/// A station: VLAN and address.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct MacKey(u64);

impl MacKey {
    /// The station `mac` in `vlan`.
    pub const fn new(vlan: VlanId, mac: Mac) -> MacKey {
        MacKey((vlan.0 as u64) << 48 | mac.to_u64())
    }
    /// Its VLAN.
    pub const fn vlan(self) -> VlanId {
        VlanId((self.0 >> 48) as u16)
    }
    /// Its address.
    pub const fn mac(self) -> Mac {
        Mac::from_u64(self.0 & 0xffff_ffff_ffff)
    }
}

/// Where a station is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Place {
    bundle: BundleId,
    /// It was put there by hand, and stays.
    fixed: bool,
}

/// The table as translation sees it.
#[derive(Clone, Debug, Default)]
pub struct MacView(CowMap<Place>);

impl MacView {
    /// Where a station was last heard.
    #[inline]
    pub fn lookup(&self, key: MacKey) -> Option<BundleId> {
        self.0.get(key.0).map(|p| p.bundle)
    }

    /// Whether a station's entry is static: nothing is learned of it.
    pub fn is_static(&self, key: MacKey) -> bool {
        self.0.get(key.0).is_some_and(|p| p.fixed)
    }

    /// Whether two views are the same image.
    pub fn is_same(&self, other: &MacView) -> bool {
        self.0.is_same(&other.0)
    }

    /// Number of stations.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether the table is empty.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A frame from a station, as far as learning cares.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Heard {
    /// Who.
    pub key: MacKey,
    /// Where.
    pub bundle: BundleId,
    /// The frame was a gratuitous ARP.
    pub gratuitous_arp: bool,
    /// The bundle is a bond.
    pub bond: bool,
}

/// Counters since the last [`MacTable::clear_stats`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct MacStats {
    /// Stations that appeared.
    pub learned: u64,
    /// Stations not heard for the idle time.
    pub expired: u64,
    /// Stations that made room for others.
    pub evicted: u64,
    /// Stations that changed bundles.
    pub moved: u64,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    bundle: BundleId,
    /// Place in the aging order.
    seq: u64,
    /// When it was last heard; `None` for a static entry.
    heard: Option<Time>,
    locked_until: Time,
}

/// The machine.
#[derive(Debug)]
pub struct MacTable {
    entries: HashMap<MacKey, Entry>,
    /// Least recently heard first.
    order: BTreeMap<u64, MacKey>,
    /// The same per bundle, of dynamic entries only.
    per_bundle: BTreeMap<BundleId, BTreeMap<u64, MacKey>>,
    view: MacView,
    next_seq: u64,
    n_static: usize,
    idle: Duration,
    max_entries: usize,
    stats: MacStats,
    generation: u64,
}

impl Default for MacTable {
    fn default() -> Self {
        MacTable {
            entries: HashMap::new(),
            order: BTreeMap::new(),
            per_bundle: BTreeMap::new(),
            view: MacView::default(),
            next_seq: 0,
            n_static: 0,
            idle: DEFAULT_IDLE,
            max_entries: DEFAULT_MAX,
            stats: MacStats::default(),
            generation: 0,
        }
    }
}

impl MacTable {
    /// An empty table with the default limits.
    pub fn new() -> MacTable {
        MacTable::default()
    }

    /// The view to publish.
    pub fn view(&self) -> MacView {
        self.view.clone()
    }

    /// Grows whenever the view changed.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Counters.
    pub fn stats(&self) -> MacStats {
        self.stats
    }

    /// Zeroes the counters.
    pub fn clear_stats(&mut self) {
        self.stats = MacStats::default();
    }

    /// Idle time (`mac-aging-time`), forced into 15..=3600 seconds.
    pub fn set_idle(&mut self, idle: Duration) {
        self.idle = idle.clamp(Duration::from_secs(15), Duration::from_secs(3600));
    }

    /// Most stations (`mac-table-size`), forced into 10..=1,000,000.
    pub fn set_max_entries(&mut self, max: usize) {
        self.max_entries = max.clamp(10, 1_000_000);
        while self.entries.len() > self.max_entries && self.evict() {}
    }

    /// Takes note of a frame; returns whether the view changed.
    pub fn heard(&mut self, h: Heard, now: Time) -> bool {
        if h.key.mac().is_multicast() {
            return false;
        }
        let lock = |e: &mut Entry| {
            if h.gratuitous_arp && !h.bond {
                e.locked_until = now + GRATUITOUS_ARP_LOCK;
            }
        };
        let Some(old) = self.entries.get(&h.key).copied() else {
            if self.entries.len() >= self.max_entries && !self.evict() {
                return false;
            }
            let mut e = Entry { bundle: h.bundle, seq: 0, heard: Some(now), locked_until: Time::ZERO };
            lock(&mut e);
            self.link(h.key, e);
            self.stats.learned += 1;
            self.show(h.key, h.bundle, false);
            return true;
        };
        if old.heard.is_none() || (h.gratuitous_arp && h.bond && now < old.locked_until) {
            return false;
        }
        let mut e = old;
        e.heard = Some(now.max(old.heard.unwrap_or(now)));
        e.bundle = h.bundle;
        lock(&mut e);
        self.unlink(h.key);
        self.link(h.key, e);
        if old.bundle == h.bundle {
            return false;
        }
        self.stats.moved += 1;
        self.show(h.key, h.bundle, false);
        true
    }

    /// Adds a static entry (`fdb/add`), or makes one of a learned entry.
    pub fn add_static(&mut self, key: MacKey, bundle: BundleId) {
        self.unlink(key);
        self.link(key, Entry { bundle, seq: 0, heard: None, locked_until: Time::ZERO });
        self.show(key, bundle, true);
    }

    /// Removes a static entry (`fdb/del`); false if there is none.
    pub fn del_static(&mut self, key: MacKey) -> bool {
        if self.entries.get(&key).is_none_or(|e| e.heard.is_some()) {
            return false;
        }
        self.forget(key);
        true
    }

    /// Forgets all learned stations (`fdb/flush`); static entries stay.
    pub fn flush(&mut self) {
        self.forget_where(|_, e| e.heard.is_some());
    }

    /// Forgets a bundle that goes away, static entries included.
    pub fn flush_bundle(&mut self, bundle: BundleId) {
        self.forget_where(|_, e| e.bundle == bundle);
    }

    /// Forgets the learned stations of a VLAN.
    pub fn flush_vlan(&mut self, vlan: VlanId) {
        self.forget_where(|k, e| k.vlan() == vlan && e.heard.is_some());
    }

    /// Forgets stations not heard for the idle time; returns whether the view changed.
    pub fn on_timer(&mut self, now: Time) -> bool {
        let before = self.generation;
        let idle = self.idle;
        // Static entries have a place in the order too; they are few.
        let stale: Vec<MacKey> = self
            .order
            .values()
            .map(|key| (*key, self.entries[key].heard))
            .take_while(|(_, heard)| heard.is_none_or(|t| t + idle <= now))
            .filter(|(_, heard)| heard.is_some())
            .map(|(key, _)| key)
            .collect();
        for key in stale {
            self.forget(key);
            self.stats.expired += 1;
        }
        self.generation != before
    }

    /// When [`MacTable::on_timer`] next has something to do.
    pub fn next_deadline(&self) -> Time {
        let mut dynamic = self.order.values().filter_map(|k| self.entries[k].heard);
        dynamic.next().map_or(Time::NEVER, |t| t + self.idle)
    }

    /// Where a station was last heard.
    pub fn lookup(&self, key: MacKey) -> Option<BundleId> {
        self.entries.get(&key).map(|e| e.bundle)
    }

    /// Number of stations and of static entries among them.
    pub fn len(&self) -> (usize, usize) {
        (self.entries.len(), self.n_static)
    }

    /// The reply of `fdb/show`: least recently heard first. `port` gives the OpenFlow port of a bundle as it is
    /// printed (`LOCAL` for the bridge's own).
    pub fn show_text(&self, now: Time, port: impl Fn(BundleId) -> String) -> String {
        let mut out = String::from(" port  VLAN  MAC                Age\n");
        for key in self.order.values() {
            let e = &self.entries[key];
            let _ = write!(out, "{:>5}  {:>4}  {}  ", port(e.bundle), key.vlan().0, key.mac());
            let _ = match e.heard {
                Some(t) => writeln!(out, "{:>3}", now.since(t).as_secs()),
                None => writeln!(out, "static"),
            };
        }
        out
    }

    /// The reply of `fdb/stats-show`.
    pub fn stats_text(&self, bridge: &str) -> String {
        let s = &self.stats;
        format!(
            "Statistics for bridge \"{bridge}\":\n\
             \x20 Current/maximum MAC entries in the table: {}/{}\n\
             \x20 Current static MAC entries in the table : {}\n\
             \x20 Total number of learned MAC entries     : {}\n\
             \x20 Total number of expired MAC entries     : {}\n\
             \x20 Total number of evicted MAC entries     : {}\n\
             \x20 Total number of port moved MAC entries  : {}\n",
            self.entries.len(),
            self.max_entries,
            self.n_static,
            s.learned,
            s.expired,
            s.evicted,
            s.moved
        )
    }

    fn link(&mut self, key: MacKey, mut e: Entry) {
        e.seq = self.next_seq;
        self.next_seq += 1;
        self.order.insert(e.seq, key);
        match e.heard {
            Some(_) => {
                self.per_bundle.entry(e.bundle).or_default().insert(e.seq, key);
            }
            None => self.n_static += 1,
        }
        self.entries.insert(key, e);
    }

    fn unlink(&mut self, key: MacKey) {
        let Some(e) = self.entries.remove(&key) else { return };
        self.order.remove(&e.seq);
        match e.heard {
            Some(_) => {
                if let Some(list) = self.per_bundle.get_mut(&e.bundle) {
                    list.remove(&e.seq);
                    if list.is_empty() {
                        self.per_bundle.remove(&e.bundle);
                    }
                }
            }
            None => self.n_static -= 1,
        }
    }

    fn show(&mut self, key: MacKey, bundle: BundleId, fixed: bool) {
        let place = Place { bundle, fixed };
        if self.view.0.insert(key.0, place) != Some(place) {
            self.generation += 1;
        }
    }

    fn forget(&mut self, key: MacKey) {
        self.unlink(key);
        if self.view.0.remove(key.0).is_some() {
            self.generation += 1;
        }
    }

    fn forget_where(&mut self, which: impl Fn(&MacKey, &Entry) -> bool) {
        let keys: Vec<MacKey> = self.entries.iter().filter(|(k, e)| which(k, e)).map(|(k, _)| *k).collect();
        for key in keys {
            self.forget(key);
        }
    }

    /// Makes room for one; false if all entries are static.
    fn evict(&mut self) -> bool {
        let fullest = self.per_bundle.values().max_by_key(|list| list.len());
        let Some(key) = fullest.and_then(|list| list.values().next().copied()) else { return false };
        self.forget(key);
        self.stats.evicted += 1;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(n: u64) -> MacKey {
        MacKey::new(VlanId((n % 7) as u16), Mac::from_u64(0x5054_0000_0000 + n))
    }
    fn plain(n: u64, bundle: u32) -> Heard {
        Heard { key: key(n), bundle: BundleId(bundle), gratuitous_arp: false, bond: false }
    }
    const SEC: Duration = Duration::from_secs(1);

    #[test]
    fn learns_moves_and_ages() {
        let mut t = MacTable::new();
        let t0 = Time::from_millis(1000);
        assert!(t.heard(plain(1, 1), t0));
        assert!(!t.heard(plain(1, 1), t0 + SEC));
        assert_eq!(t.view().lookup(key(1)), Some(BundleId(1)));
        assert!(t.heard(plain(1, 2), t0 + 2 * SEC));
        assert_eq!(t.view().lookup(key(1)), Some(BundleId(2)));
        assert!(!t.on_timer(t0 + 301 * SEC));
        assert_eq!(t.next_deadline(), t0 + 302 * SEC);
        assert!(t.on_timer(t0 + 302 * SEC));
        assert!(t.view().is_empty());
        assert_eq!(t.stats(), MacStats { learned: 1, expired: 1, evicted: 0, moved: 1 });
    }

    #[test]
    fn hearing_again_leaves_the_view_alone() {
        let mut t = MacTable::new();
        t.heard(plain(1, 1), Time::ZERO);
        let generation = t.generation();
        for i in 0..100 {
            t.heard(plain(1, 1), Time::from_millis(i));
        }
        assert_eq!(t.generation(), generation);
    }

    #[test]
    fn a_full_table_takes_from_the_fullest_bundle() {
        let mut t = MacTable::new();
        t.set_max_entries(10);
        t.heard(plain(0, 1), Time::ZERO);
        for n in 1..100 {
            t.heard(plain(n, 2), Time::from_millis(n));
        }
        assert_eq!(t.len().0, 10);
        assert_eq!(t.lookup(key(0)), Some(BundleId(1)), "the lone station of bundle 1 survives");
        assert_eq!(t.stats().evicted, 90);
        assert_eq!(t.view().len(), 10);
    }

    #[test]
    fn static_entries_neither_move_nor_age_nor_flush() {
        let mut t = MacTable::new();
        t.add_static(key(1), BundleId(5));
        assert!(!t.heard(plain(1, 2), Time::ZERO));
        t.flush();
        assert!(!t.on_timer(Time::NEVER));
        assert_eq!(t.lookup(key(1)), Some(BundleId(5)));
        assert!(t.del_static(key(1)) && !t.del_static(key(1)));
        t.add_static(key(1), BundleId(5));
        t.flush_bundle(BundleId(5));
        assert_eq!(t.len(), (0, 0));
    }

    #[test]
    fn a_reflected_gratuitous_arp_does_not_move_a_station() {
        let mut t = MacTable::new();
        let arp = Heard { gratuitous_arp: true, ..plain(1, 1) };
        let reflected = Heard { gratuitous_arp: true, bond: true, ..plain(1, 9) };
        t.heard(arp, Time::ZERO);
        assert!(!t.heard(reflected, Time::ZERO + 4 * SEC));
        assert_eq!(t.lookup(key(1)), Some(BundleId(1)));
        assert!(t.heard(reflected, Time::ZERO + 6 * SEC));
        assert_eq!(t.lookup(key(1)), Some(BundleId(9)));
    }

    #[test]
    fn multicast_is_not_learned() {
        let mut t = MacTable::new();
        let h = Heard { key: MacKey::new(VlanId(0), Mac::BROADCAST), ..plain(0, 1) };
        assert!(!t.heard(h, Time::ZERO));
    }

    #[test]
    fn text() {
        let mut t = MacTable::new();
        let k = |v, m| MacKey::new(VlanId(v), Mac::parse(m).unwrap());
        let h = |v, m, b| Heard { key: k(v, m), bundle: BundleId(b), gratuitous_arp: false, bond: false };
        t.heard(h(0, "50:54:00:00:00:07", 1), Time::ZERO);
        t.heard(h(0, "50:54:00:00:00:08", 2), Time::ZERO);
        t.heard(h(0, "50:54:00:00:00:0a", 0), Time::ZERO);
        t.add_static(k(5, "50:54:00:00:00:99"), BundleId(2));
        t.heard(h(0, "50:54:00:00:00:08", 1), Time::ZERO + 2 * SEC);
        let port = |b: BundleId| if b.0 == 0 { "LOCAL".to_string() } else { b.0.to_string() };
        assert_eq!(
            t.show_text(Time::ZERO + 3 * SEC, port),
            " port  VLAN  MAC                Age\n\
             \x20   1     0  50:54:00:00:00:07    3\n\
             LOCAL     0  50:54:00:00:00:0a    3\n\
             \x20   2     5  50:54:00:00:00:99  static\n\
             \x20   1     0  50:54:00:00:00:08    1\n"
        );
        assert_eq!(
            t.stats_text("br0"),
            "Statistics for bridge \"br0\":\n\
             \x20 Current/maximum MAC entries in the table: 4/8192\n\
             \x20 Current static MAC entries in the table : 1\n\
             \x20 Total number of learned MAC entries     : 3\n\
             \x20 Total number of expired MAC entries     : 0\n\
             \x20 Total number of evicted MAC entries     : 0\n\
             \x20 Total number of port moved MAC entries  : 1\n"
        );
    }
}
