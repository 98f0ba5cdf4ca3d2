//! The switch's copy of the database, and its writing back.

use base::{Logger, Time};
use bridge::config::Config;
use bridge::reader::Reader;
use bridge::replica::{DatabaseRows, row_id};
use bridge::status::{Extent, Wanted, write};
use ovsdb::json::Value;
use ovsdb::replica::{self, Interest, Outcome, Replica, TxnId};
use ovsdb::{Atom, Datum};
use reactor::jsonrpc::{Message, Session, SessionOptions};
use reactor::{Key, Reactor};
use std::time::Duration;

/// The lock that says who is the switch of a database.
const LOCK: &str = "ovs_vswitchd";
/// How often counters are written unless the database says otherwise.
const STATISTICS_INTERVAL: Duration = Duration::from_millis(5000);

/// The connection and what it has brought.
pub struct Link {
    session: Session,
    replica: Replica,
    reader: Reader,
    restarts: u64,
    was_connected: bool,
    connection: u64,
    /// The transaction under way.
    pending: Option<TxnId>,
    /// There is something to write when that is over.
    pub unwritten: bool,
    /// What the database holds is not known: it is another, or did not take what was written.
    unsure: bool,
    /// The `cur_cfg` to write.
    pub applied: Option<i64>,
    next_statistics: Time,
    seen: u64,
    said_locked: bool,
    log: Logger,
}

impl Link {
    /// Begins to connect.
    pub fn new(r: &mut Reactor, key: Key, target: &str, seed: [u8; 32]) -> Link {
        let config = replica::Config {
            database: "Open_vSwitch".into(),
            interest: Interest::All,
            lock: Some(LOCK.into()),
        };
        let targets: Vec<String> = target.split(',').map(String::from).collect();
        Link {
            session: Session::new(r, key, &targets, SessionOptions::default()),
            replica: Replica::new(config, seed),
            reader: Reader::default(),
            restarts: 0,
            was_connected: false,
            connection: 0,
            pending: None,
            unwritten: false,
            unsure: true,
            applied: None,
            next_statistics: r.now(),
            seen: 0,
            said_locked: false,
            log: r.log().clone(),
        }
    }

    /// Receives and sends what there is.
    pub fn run(&mut self, r: &mut Reactor) {
        self.session.run(r);
        self.follow();
        while let Some(message) = self.session.recv(r) {
            match message {
                Message::Reply { id, result } => {
                    self.replica.on_reply(&id, Ok(result));
                }
                Message::Error { id, error } => {
                    self.replica.on_reply(&id, Err(error));
                }
                Message::Notification { method, params } => {
                    self.replica.on_notification(&method, &params);
                }
                Message::Request { id, method, params } if method == "echo" => {
                    self.session.send(r, &Message::Reply { id, result: Value::Array(params) });
                }
                Message::Request { .. } => {}
            }
            self.follow();
            self.flush(r);
        }
        self.follow();
        self.flush(r);
        self.finish();
        self.tell_lock();
    }

    fn follow(&mut self) {
        let connected = self.session.is_connected();
        let connection = self.session.seqno();
        if self.was_connected && (!connected || connection != self.connection) {
            self.replica.disconnected();
            self.was_connected = false;
        }
        if connected && !self.was_connected {
            self.was_connected = true;
            self.unsure = true;
            self.connection = connection;
            self.replica.connected();
        }
    }

    fn flush(&mut self, r: &mut Reactor) {
        while let Some(q) = self.replica.poll_send() {
            self.session.send(r, &Message::request(q.id, q.method, q.params));
        }
    }

    fn finish(&mut self) {
        let Some(id) = self.pending else { return };
        let Some(outcome) = self.replica.outcome(id) else { return };
        self.pending = None;
        match outcome {
            Outcome::TryAgain | Outcome::NotLocked => (self.unwritten, self.unsure) = (true, true),
            Outcome::Error(text) => base::warn!(self.log, "bridge", "status update failed: {text}"),
            _ => {}
        }
    }

    fn tell_lock(&mut self) {
        if self.replica.is_lock_contended() && !std::mem::replace(&mut self.said_locked, true) {
            base::error!(
                self.log,
                "bridge",
                "another ovs-vswitchd process is running, disabling this process (pid {}) until it goes away",
                std::process::id()
            );
        }
        if self.replica.has_lock() {
            self.said_locked = false;
        }
    }

    /// Whether we are the switch of this database and know what it asks for.
    pub fn is_in_charge(&self) -> bool {
        self.replica.has_contents() && self.replica.has_lock()
    }

    /// Whether somebody else is.
    pub fn is_contended(&self) -> bool {
        self.replica.is_lock_contended()
    }

    /// The configuration, if it has changed since this was last asked.
    pub fn changed_config(&mut self) -> Option<Config> {
        if !self.is_in_charge() || self.seen == self.replica.seqno() {
            return None;
        }
        self.seen = self.replica.seqno();
        let changes = self.replica.take_changes();
        if std::mem::replace(&mut self.restarts, self.replica.restarts()) != self.replica.restarts() {
            self.reader = Reader::default();
        }
        let changed = changes.tables.iter().flat_map(|t| &t.rows).map(|r| row_id(r.uuid)).collect();
        // A database without its root row asks for nothing, which is to be done too.
        Some(self.reader.read(&DatabaseRows(self.replica.db()?), &changed).unwrap_or_default())
    }

    /// Number of values held, for `memory/show`.
    pub fn cells(&self) -> u64 {
        self.replica.db().map_or(0, |db| db.size().0 as u64)
    }

    /// When counters are due.
    pub fn next_deadline(&self) -> Time {
        if self.is_in_charge() { self.next_statistics } else { Time::NEVER }
    }

    /// What to write now, if anything.
    pub fn due(&mut self, now: Time, config: &Config) -> Option<Extent> {
        if self.pending.is_some() || !self.is_in_charge() {
            return None;
        }
        if now >= self.next_statistics {
            let asked = config.other_config.get("stats-update-interval").and_then(|v| v.parse().ok());
            let interval = asked.map_or(STATISTICS_INTERVAL, |ms: u64| Duration::from_millis(ms.max(5000)));
            self.next_statistics = now + interval;
            return Some(Extent { statistics: true, all: std::mem::take(&mut self.unsure) });
        }
        self.unwritten.then(|| Extent { statistics: false, all: std::mem::take(&mut self.unsure) })
    }

    /// Writes status columns that have changed, and that the configuration was applied.
    pub fn write(&mut self, r: &mut Reactor, config: &Config, status: Status<'_>) {
        let mut txn = self.replica.begin();
        let Some(db) = self.replica.db() else { return };
        let mut any = write(&mut txn, db, status.wanted);
        any |= write(&mut txn, db, root_status(config, status.types, self.applied));
        if status.extent.statistics {
            let on = config.flag("enable-statistics");
            let pairs = if on { crate::statistics::collect(status.rundir) } else { Vec::new() };
            let value = Datum::string_map(pairs);
            let wanted = Wanted { table: "Open_vSwitch", row: config.root, column: "statistics", value };
            any |= write(&mut txn, db, vec![wanted]);
        }
        self.unwritten = false;
        self.applied = None;
        if any {
            self.pending = Some(self.replica.commit(txn));
            self.flush(r);
            self.session.run(r);
        }
    }

    /// Ends the connection.
    pub fn close(self, r: &mut Reactor) {
        self.session.close(r);
    }
}

/// What is to be written.
pub struct Status<'a> {
    /// How much.
    pub extent: Extent,
    /// The switch's own columns.
    pub wanted: Vec<Wanted>,
    /// Types of interface that can be opened.
    pub types: &'a [&'static str],
    /// Where daemons have their pidfiles.
    pub rundir: &'a std::path::Path,
}

fn root_status(config: &Config, types: &[&'static str], applied: Option<i64>) -> Vec<Wanted> {
    let set = |names: &[&'static str]| Datum::set(names.iter().map(|n| Atom::from(*n)));
    let wanted = |column, value| Wanted { table: "Open_vSwitch", row: config.root, column, value };
    let mut datapaths = vec!["netdev", "system"];
    if types.contains(&"dummy") {
        datapaths.push("dummy");
    }
    let mut all = vec![
        wanted("datapath_types", set(&datapaths)),
        wanted("iface_types", set(types)),
        wanted("dpdk_initialized", Datum::one(false)),
        wanted("dpdk_version", Datum::one("none")),
    ];
    if let Some(cfg) = applied {
        all.push(wanted("cur_cfg", Datum::one(cfg)));
    }
    all
}

/// A seed from the machine's randomness.
pub fn seed() -> [u8; 32] {
    let mut seed = [0; 32];
    for chunk in seed.chunks_exact_mut(8) {
        chunk.copy_from_slice(&sys::random_u64().to_ne_bytes());
    }
    seed
}
