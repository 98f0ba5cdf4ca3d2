//! A database that is served: its contents, its storage, the transactions that are waiting for it.

use crate::compaction::{Compacted, Compaction, Progress};
use crate::server::ServerOptions;
use base::Time;
use ovsdb::db::Changes;
use ovsdb::json::Value;
use ovsdb::log::{self, RecordOptions, Storage};
use ovsdb::monitor::History;
use ovsdb::transaction::{self, Access, Context, Done, Outcome};
use ovsdb::{Database, Error, UuidSource};
use reactor::Waker;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// A transaction on its way.
#[derive(Debug)]
pub struct Trigger {
    /// Whose it is: a session's number.
    pub session: u64,
    /// The request's id.
    pub id: Value,
    /// The operations.
    pub operations: Vec<Value>,
    /// When it came.
    pub since: Time,
    /// When it must be looked at again at the latest.
    pub deadline: Time,
    /// Whether its session may only read.
    pub read_only: bool,
    /// Whether it has not been looked at yet.
    pub fresh: bool,
    /// Who it is for, if access is controlled.
    pub access: Option<Access>,
}

/// How a database is served.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Model {
    /// On its own.
    Standalone,
    /// As one of an active and a backup server.
    ActiveBackup,
    /// As a relay of another server.
    Relay,
}

/// A transaction that has run.
#[derive(Debug)]
pub struct Finished {
    /// Whose it was.
    pub session: u64,
    /// The request's id.
    pub id: Value,
    /// The results.
    pub results: Vec<Value>,
    /// Why there are none.
    pub error: Option<Value>,
    /// Whether it changed anything.
    changed: bool,
}

impl Finished {
    /// A transaction that ran elsewhere.
    pub fn new(session: u64, id: Value, results: Vec<Value>) -> Finished {
        Finished { session, id, results, error: None, changed: false }
    }
}

/// What a turn did to a database.
#[derive(Debug, Default)]
pub struct Batch {
    /// The transactions that have results.
    pub finished: Vec<Finished>,
    /// What changed, if anything did.
    pub changes: Option<Arc<Changes>>,
    /// What went wrong in writing.
    pub error: Option<Error>,
}

/// What compaction wants of the next turn.
pub enum CompactionTurn {
    /// Nothing.
    Idle,
    /// That it comes soon.
    Soon,
    /// Nothing more: it has ended.
    Done(Result<(), Error>),
}

/// A database that is served.
pub struct Served {
    /// Its contents.
    pub db: Database,
    /// Where it is kept; `None`: in memory only.
    pub storage: Option<Box<dyn Storage>>,
    /// Its last transactions.
    pub history: History,
    /// Whether clients may only read it.
    pub read_only: bool,
    /// How it is served.
    pub model: Model,
    /// Whether there are contents at all: a relay has none until it has reached its source.
    pub available: bool,
    /// Whether the contents are as new as can be.
    pub connected: bool,
    /// Transactions that ran elsewhere, to be answered when their changes have been told.
    pub forwarded: Vec<Finished>,
    queue: VecDeque<Trigger>,
    waiting: Vec<Trigger>,
    /// Changes made by the server itself in this turn.
    own: Vec<Changes>,
    /// Whether the storage takes differences (`--disable-file-column-diff`: it does not).
    diff: bool,
    /// Whether the last transactions are remembered.
    remembers: bool,
    /// Space for what a turn writes.
    records: Vec<u8>,
    compacted: Compacted,
    compaction: Option<Compaction>,
    /// Tables whose changes are logged (`tlog-set`).
    pub logged_tables: Vec<usize>,
}

/// So much space is kept for the next turn's records.
const MUCH: usize = 1 << 20;
/// Rules of compaction by itself: not more often than this ...
const COMPACT_INTERVAL: Duration = Duration::from_secs(600);
/// ... if the file has at least this size and has doubled ...
const COMPACT_SIZE: u64 = 10 << 20;
/// ... or after this long, if there were a hundred transactions.
const COMPACT_LATEST: Duration = Duration::from_secs(24 * 3600);

impl Served {
    /// A database with its storage.
    pub fn new(db: Database, storage: Option<Box<dyn Storage>>, now: Time) -> Served {
        let size = storage.as_ref().map_or(0, |s| s.len());
        Served {
            db,
            storage,
            history: History::default(),
            read_only: false,
            model: Model::Standalone,
            available: true,
            connected: true,
            forwarded: Vec::new(),
            queue: VecDeque::new(),
            waiting: Vec::new(),
            own: Vec::new(),
            diff: true,
            remembers: false,
            records: Vec::new(),
            compacted: Compacted { at: now, size, transactions: 0 },
            compaction: None,
            logged_tables: Vec::new(),
        }
    }

    /// Takes what the server was told to do for all databases.
    pub fn set_options(&mut self, options: &ServerOptions) {
        self.diff = options.diff;
        self.remembers = options.history;
    }

    /// Queues a transaction.
    pub fn push(&mut self, trigger: Trigger) {
        self.queue.push_back(trigger);
    }

    /// Whether there is something to run.
    pub fn is_busy(&self) -> bool {
        !self.queue.is_empty() || !self.own.is_empty() || !self.forwarded.is_empty()
    }

    /// How many transactions wait.
    pub fn triggers(&self) -> usize {
        self.queue.len() + self.waiting.len()
    }

    /// When a waiting transaction must be looked at.
    pub fn deadline(&self) -> Time {
        self.waiting.iter().map(|t| t.deadline).min().unwrap_or(Time::NEVER)
    }

    /// Whether another transaction of the same session and id waits already.
    fn duplicates(&self, t: &Trigger) -> bool {
        let same = |w: &&Trigger| !w.fresh && w.session == t.session && w.id == t.id;
        t.fresh && self.waiting.iter().chain(&self.queue).any(|w| same(&w))
    }

    /// Forgets a transaction that has not run; false if there is none.
    pub fn cancel(&mut self, session: u64, id: &Value) -> bool {
        let before = self.triggers();
        self.queue.retain(|t| t.session != session || t.id != *id);
        self.waiting.retain(|t| t.session != session || t.id != *id);
        self.triggers() < before
    }

    /// Forgets all transactions of a session; returns their ids.
    pub fn cancel_session(&mut self, session: u64) -> Vec<Value> {
        let of = |t: &Trigger| (t.session == session).then(|| t.id.clone());
        let ids = self.queue.iter().chain(&self.waiting).filter_map(of).collect();
        self.queue.retain(|t| t.session != session);
        self.waiting.retain(|t| t.session != session);
        ids
    }

    /// A change that the server itself makes; it happens in the next turn's batch at the latest.
    pub fn change(&mut self, changes: Changes) {
        if !changes.is_empty() {
            self.apply(&changes);
            self.own.push(changes);
        }
    }

    /// Runs what is ready, writes what it changes.
    pub fn run(
        &mut self,
        now: Time,
        date: i64,
        uuids: &mut UuidSource,
        owns_lock: &dyn Fn(u64, &str) -> bool,
    ) -> Batch {
        let mut batch = Batch { finished: std::mem::take(&mut self.forwarded), ..Batch::default() };
        let mut records = std::mem::take(&mut self.records);
        records.clear();
        let mut all: Vec<Changes> = std::mem::take(&mut self.own);
        let mut durable = false;
        for changes in &all {
            self.record(&mut records, changes, date, "");
        }
        // A change may be what others wait for.
        let mut again = !all.is_empty() || self.deadline() <= now;
        loop {
            if again {
                self.queue.extend(self.waiting.drain(..));
                again = false;
            }
            let Some(mut t) = self.queue.pop_front() else { break };
            if self.duplicates(&t) {
                let mut params = vec![Value::string(&*self.db.schema().name)];
                params.append(&mut t.operations);
                let error = Error::syntax(&Value::Array(params), "transact: duplicate request ID");
                let (session, id, error) = (t.session, t.id, Some(error.to_json()));
                batch.finished.push(Finished { session, id, results: Vec::new(), error, changed: false });
                continue;
            }
            t.fresh = false;
            let elapsed = now.since(t.since);
            let owns = |lock: &str| owns_lock(t.session, lock);
            let read_only = t.read_only || self.read_only;
            let access = t.access.as_ref();
            let mut context = Context { read_only, may_wait: true, elapsed, owns_lock: &owns, access, uuids };
            match transaction::execute(&self.db, &t.operations, &mut context) {
                Outcome::Blocked(timeout) => {
                    t.deadline = timeout.map_or(Time::NEVER, |d| now + d);
                    self.waiting.push(t);
                }
                Outcome::Done(done) => {
                    let Done { results, changes, comment, durable: d, failed } = *done;
                    let changed = !failed && !changes.is_empty();
                    if changed {
                        self.apply(&changes);
                        self.record(&mut records, &changes, date, &comment);
                        all.push(changes);
                        again = !self.waiting.is_empty();
                    }
                    durable |= d && !failed;
                    batch.finished.push(Finished {
                        session: t.session,
                        id: t.id,
                        results,
                        error: None,
                        changed,
                    });
                }
            }
        }
        self.write(&mut batch, &records, durable, all, uuids);
        if records.capacity() <= MUCH {
            self.records = records;
        }
        batch
    }

    fn record(&mut self, records: &mut Vec<u8>, changes: &Changes, date: i64, comment: &str) {
        if self.storage.is_none() {
            return;
        }
        let options = RecordOptions { date, comment, diff: self.diff };
        if let Some(text) = log::record(self.db.schema(), changes, options) {
            log::encode_to(records, &text);
            self.compacted.transactions += 1;
        }
    }

    fn write(
        &mut self,
        batch: &mut Batch,
        records: &[u8],
        durable: bool,
        all: Vec<Changes>,
        uuids: &mut UuidSource,
    ) {
        if let Some(storage) = &mut self.storage
            && (!records.is_empty() || durable)
            && let Err(e) = storage.append(records, durable)
        {
            // None of it happened.
            for changes in all.iter().rev() {
                self.apply(&changes.inverse());
            }
            for f in batch.finished.iter_mut().filter(|f| f.changed) {
                f.results.push(e.to_json());
            }
            batch.error = Some(e);
            return;
        }
        if let Some(c) = &mut self.compaction {
            c.written(records, durable);
        }
        if all.is_empty() {
            return;
        }
        let merged =
            if all.len() == 1 { all.into_iter().next().unwrap_or_default() } else { Changes::merge(&all) };
        if merged.is_empty() {
            return;
        }
        let merged = Arc::new(merged);
        if self.remembers {
            let rows = (0..self.db.schema().tables.len()).map(|t| self.db.table(t).len()).sum();
            self.history.push(uuids.next_uuid(), merged.clone(), rows);
        }
        batch.changes = Some(merged);
    }

    fn apply(&mut self, changes: &Changes) {
        if let Some(c) = &mut self.compaction {
            c.before(&self.db, changes);
        }
        self.db.apply(changes);
    }

    /// Whether it is time to compact.
    pub fn wants_compaction(&self, now: Time) -> bool {
        let Some(storage) = self.storage.as_ref().filter(|_| self.compaction.is_none()) else { return false };
        let since = now.since(self.compacted.at);
        let size = storage.len();
        let grown = size > COMPACT_SIZE && size > 2 * self.compacted.size;
        let many = self.compacted.transactions >= 100;
        since >= COMPACT_INTERVAL && grown || since >= COMPACT_LATEST && many
    }

    /// Begins to write the storage anew beside what goes on; false if there is nothing to do.
    pub fn begin_compaction(&mut self, date: i64, waker: Waker) -> Result<bool, Error> {
        let Some(storage) = &self.storage else { return Ok(false) };
        if self.compaction.is_none() {
            let options = RecordOptions { date, comment: "compacting database online", diff: self.diff };
            self.compaction = Some(Compaction::begin(&self.db, &**storage, options, waker)?);
        }
        Ok(true)
    }

    /// Whether all changes are in the storage.
    pub fn is_written(&self) -> bool {
        self.own.is_empty()
    }

    /// Goes on with compacting, if it is under way.
    pub fn compaction_turn(&mut self, now: Time) -> CompactionTurn {
        let Some(compaction) = &mut self.compaction else { return CompactionTurn::Idle };
        let result = match compaction.turn(&self.db) {
            Progress::Copying => return CompactionTurn::Soon,
            Progress::Waiting => return CompactionTurn::Idle,
            Progress::Done(result) => result,
        };
        self.compaction = None;
        CompactionTurn::Done(result.map(|storage| {
            self.compacted = Compacted { at: now, size: storage.len(), transactions: 0 };
            let old = self.storage.replace(storage);
            // Closing the old file frees what it took, which takes long if that was much.
            let _ = std::thread::Builder::new().name("close".into()).spawn(move || drop(old));
        }))
    }

    /// Writes the storage anew, without history.
    pub fn compact(&mut self, now: Time, date: i64, comment: &str) -> Result<(), Error> {
        self.compaction = None;
        let Some(storage) = &mut self.storage else { return Ok(()) };
        storage.replace(&log::snapshot(&self.db, RecordOptions { date, comment, diff: self.diff }))?;
        self.compacted = Compacted { at: now, size: storage.len(), transactions: 0 };
        Ok(())
    }
}
