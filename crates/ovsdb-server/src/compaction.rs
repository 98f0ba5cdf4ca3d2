//! Compaction beside the clients.
//!
//! A database is as it was at one moment while transactions go on: a few rows are copied in each turn (copying a
//! row is copying a pointer); a row that changes before its turn has come is copied before it changes. A thread
//! writes the copies to a new file. What the transactions write meanwhile goes to the old file and is kept here
//! as well; it is what the new file lacks, and when little of it is left, the new file takes the old one's place.
//!
//! ```text
//!   turn │ copy rows ─┬─► thread: text, checksum, write, fsync ─┬─► append the rest, rename
//!   turn │ copy rows ─┘         ▲                               │
//!   turn │ append to old file ──┴── the rest, as long as it is long
//! ```

use base::Time;
use ovsdb::db::{Changes, Map};
use ovsdb::log::{RecordOptions, Replacement, SnapshotWriter, Storage};
use ovsdb::{Database, Error, Row, Schema, Uuid};
use reactor::Waker;
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};

/// So many rows are copied in one turn.
const ROWS: usize = 500;
/// So many bytes are written to the new file by the loop itself.
const LITTLE: usize = 32 << 10;

enum Job {
    Rows(usize, Vec<Row>),
    Finish(Finish),
    More(Box<dyn Replacement>, Vec<u8>),
}

/// What the new record says beside its rows.
#[derive(Clone)]
struct Finish {
    date: i64,
    comment: String,
    diff: bool,
}

impl Finish {
    fn options(&self) -> RecordOptions<'_> {
        RecordOptions { date: self.date, comment: &self.comment, diff: self.diff }
    }
}

type Made = Result<Box<dyn Replacement>, Error>;

/// Which rows have been copied.
struct Scan {
    table: usize,
    part: usize,
    /// Rows whose turn has not come and that have been copied, or were not there at that moment.
    touched: HashSet<(usize, Uuid)>,
    /// Those of them that were there.
    early: Map<usize, Vec<Row>>,
    finish: Finish,
}

/// A compaction that is under way.
pub struct Compaction {
    scan: Option<Scan>,
    to: Sender<Job>,
    from: Receiver<Made>,
    rest: Vec<u8>,
    durable: bool,
}

/// How far it is.
pub enum Progress {
    /// There is more to copy: another turn, soon.
    Copying,
    /// The thread is at work.
    Waiting,
    /// It is done, or it failed and all is as before.
    Done(Result<Box<dyn Storage>, Error>),
}

impl Compaction {
    /// Begins. All that is in the database must be in its storage.
    pub fn begin(
        db: &Database,
        storage: &dyn Storage,
        options: RecordOptions<'_>,
        waker: Waker,
    ) -> Result<Compaction, Error> {
        let replacement = storage.begin_replacement()?;
        let (to, jobs) = channel();
        let (results, from) = channel();
        let schema = db.schema().clone();
        std::thread::Builder::new()
            .name("compaction".into())
            .spawn(move || work(schema, replacement, &jobs, &results, &waker))
            .map_err(|e| Error::io(format!("starting a thread failed ({})", reactor::errno::text(&e))))?;
        let scan = Scan {
            table: 0,
            part: 0,
            touched: HashSet::new(),
            early: Map::default(),
            finish: Finish { date: options.date, comment: options.comment.to_owned(), diff: options.diff },
        };
        Ok(Compaction { scan: Some(scan), to, from, rest: Vec::new(), durable: false })
    }

    /// Rows are about to change.
    pub fn before(&mut self, db: &Database, changes: &Changes) {
        let Some(scan) = &mut self.scan else { return };
        for t in changes.tables.iter().filter(|t| t.table >= scan.table) {
            let table = db.table(t.table);
            for r in &t.rows {
                let copied = t.table == scan.table && table.part_of(r.uuid) < scan.part;
                if !copied && scan.touched.insert((t.table, r.uuid)) {
                    scan.early.entry(t.table).or_default().extend(r.old.clone());
                }
            }
        }
    }

    /// Records were written to the old storage.
    pub fn written(&mut self, records: &[u8], durable: bool) {
        self.rest.extend_from_slice(records);
        self.durable |= durable;
    }

    /// Does a turn's share.
    pub fn turn(&mut self, db: &Database) -> Progress {
        if let Some(scan) = &mut self.scan {
            let mut sent = 0;
            while sent < ROWS {
                if scan.table >= db.schema().tables.len() {
                    let _ = self.to.send(Job::Finish(scan.finish.clone()));
                    self.scan = None;
                    return Progress::Waiting;
                }
                sent += scan.step(db, &self.to) + 1;
            }
            return Progress::Copying;
        }
        let replacement = match self.from.try_recv() {
            Err(TryRecvError::Empty) => return Progress::Waiting,
            Err(TryRecvError::Disconnected) => {
                return Progress::Done(Err(Error::io("the thread that compacts ended early")));
            }
            Ok(Err(e)) => return Progress::Done(Err(e)),
            Ok(Ok(replacement)) => replacement,
        };
        if self.rest.len() > LITTLE {
            let _ = self.to.send(Job::More(replacement, std::mem::take(&mut self.rest)));
            self.durable = false;
            return Progress::Waiting;
        }
        Progress::Done(replacement.install(&self.rest, self.durable))
    }
}

impl Scan {
    /// Copies one part of a table; returns how many rows.
    fn step(&mut self, db: &Database, to: &Sender<Job>) -> usize {
        let table = db.table(self.table);
        let mut rows: Vec<Row> = if self.touched.is_empty() {
            table.part(self.part).cloned().collect()
        } else {
            let kept = table.part(self.part).filter(|r| !self.touched.contains(&(self.table, r.uuid())));
            kept.cloned().collect()
        };
        self.part += 1;
        if self.part >= table.parts() {
            rows.extend(self.early.remove(&self.table).unwrap_or_default());
        }
        let n = rows.len();
        if n > 0 {
            let _ = to.send(Job::Rows(self.table, rows));
        }
        if self.part >= table.parts() {
            (self.table, self.part) = (self.table + 1, 0);
        }
        n
    }
}

fn work(
    schema: Arc<Schema>,
    replacement: Box<dyn Replacement>,
    jobs: &Receiver<Job>,
    results: &Sender<Made>,
    waker: &Waker,
) {
    sys::process::be_nice();
    let mut writer = Some(SnapshotWriter::new(schema));
    let mut first = Some(replacement);
    let tell = |made: Made| {
        let _ = results.send(made);
        waker.wake();
    };
    while let Ok(job) = jobs.recv() {
        match job {
            Job::Rows(table, rows) => {
                if let Some(w) = &mut writer {
                    rows.iter().for_each(|r| w.row(table, r));
                }
            }
            Job::Finish(finish) => {
                if let (Some(w), Some(mut replacement)) = (writer.take(), first.take()) {
                    let (head, body) = w.finish(finish.options());
                    let written = replacement.write(&head).and_then(|()| replacement.write(body.as_bytes()));
                    let synced = written.and_then(|()| replacement.sync());
                    tell(synced.map(|()| replacement));
                }
            }
            Job::More(mut replacement, bytes) => {
                let done = replacement.write(&bytes).and_then(|()| replacement.sync());
                tell(done.map(|()| replacement));
            }
        }
    }
}

/// When a compaction is due again.
#[derive(Debug)]
pub struct Compacted {
    /// When the last one was.
    pub at: Time,
    /// How large the storage was then.
    pub size: u64,
    /// How many transactions there have been since.
    pub transactions: usize,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database::{CompactionTurn, Served, Trigger};
    use base::Clock;
    use ovsdb::UuidSource;
    use ovsdb::json::{self, Value};
    use ovsdb::log::{self, Reader, Step};
    use reactor::event::Environment;
    use reactor::{Key, Reactor};
    use std::sync::Mutex;

    type Bytes = Arc<Mutex<Vec<u8>>>;

    /// A file in memory.
    struct Memory(Bytes);
    struct New(Bytes, Vec<u8>);

    impl Storage for Memory {
        fn append(&mut self, records: &[u8], _: bool) -> Result<(), Error> {
            self.0.lock().expect("not poisoned").extend_from_slice(records);
            Ok(())
        }
        fn replace(&mut self, records: &[u8]) -> Result<(), Error> {
            *self.0.lock().expect("not poisoned") = records.to_vec();
            Ok(())
        }
        fn begin_replacement(&self) -> Result<Box<dyn Replacement>, Error> {
            Ok(Box::new(New(self.0.clone(), Vec::new())))
        }
        fn len(&self) -> u64 {
            self.0.lock().expect("not poisoned").len() as u64
        }
    }

    impl Replacement for New {
        fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
            self.1.extend_from_slice(bytes);
            Ok(())
        }
        fn sync(&mut self) -> Result<(), Error> {
            Ok(())
        }
        fn install(mut self: Box<Self>, rest: &[u8], _: bool) -> Result<Box<dyn Storage>, Error> {
            self.write(rest)?;
            *self.0.lock().expect("not poisoned") = std::mem::take(&mut self.1);
            Ok(Box::new(Memory(self.0.clone())))
        }
    }

    const SCHEMA: &str = r#"{"name":"d","tables":{
        "A":{"columns":{"n":{"type":"integer"},"s":{"type":{"key":"integer","min":0,"max":"unlimited"}}},"isRoot":true},
        "B":{"columns":{"n":{"type":"integer"}},"isRoot":true}}}"#;

    fn read(bytes: &[u8]) -> (Database, usize) {
        let mut uuids = UuidSource::from_u64(9);
        let mut reader = Reader::new("x");
        reader.feed(bytes);
        reader.end();
        let Step::Record(schema) = reader.next_record() else { panic!("no schema") };
        let mut db = log::database_of(&schema).expect("a schema");
        for n in 1.. {
            match reader.next_record() {
                Step::Record(record) => {
                    let changes = log::changes_of(&db, &record, false, &mut uuids).expect("a transaction");
                    db.apply(&changes);
                }
                Step::End => return (db, n),
                other => panic!("{other:?}"),
            }
        }
        unreachable!()
    }

    fn rows(db: &Database) -> Vec<String> {
        let mut all: Vec<String> = Vec::new();
        for (t, ts) in db.schema().tables.iter().enumerate() {
            let row =
                |r: &Row| format!("{t} {} {}", r.uuid(), Value::Object(r.to_json(ts, 2..ts.columns.len())));
            all.extend(db.table(t).rows().map(row));
        }
        all.sort();
        all
    }

    /// Whatever happens between the turns, the new file is as good as the old one.
    #[test]
    fn changes_during_compaction_are_in_the_new_file() {
        for seed in 0..6u64 {
            let mut random = UuidSource::from_u64(seed);
            let mut r = Reactor::new(Clock::simulated(), Environment::default()).expect("a loop");
            let bytes: Bytes = Arc::default();
            let schema = Schema::parse(SCHEMA).expect("a schema");
            *bytes.lock().expect("not poisoned") = log::encode(&schema.to_json().to_string());
            let db = Database::new(Arc::new(schema));
            let mut served = Served::new(db, Some(Box::new(Memory(bytes.clone()))), r.now());
            let mut uuids = UuidSource::from_u64(seed + 100);
            let (now, waker) = (r.now(), r.waker(Key::new(1, 0)));
            let mut run = |served: &mut Served, ops: String| {
                let operations = json::parse(ops).expect("JSON").as_array().expect("an array").to_vec();
                served.push(Trigger {
                    session: 1,
                    id: Value::Null,
                    operations,
                    since: now,
                    deadline: now,
                    read_only: false,
                    fresh: true,
                    access: None,
                });
                let batch = served.run(now, 1, &mut uuids, &|_, _| false);
                assert!(batch.error.is_none());
            };
            // Large and small tables differ in how they are held.
            let many = if seed % 2 == 0 { 6000 } else { 300 };
            let row = |i: u64| format!(r#"{{"op":"insert","table":"A","row":{{"n":{i}}}}}"#);
            run(&mut served, format!("[{}]", (0..many).map(row).collect::<Vec<_>>().join(",")));
            assert!(served.begin_compaction(7, waker).expect("it begins"));
            let mut turns = 0;
            loop {
                turns += 1;
                let n = random.next_uuid().as_u128() as u64 % (many + 50);
                let ops = match turns % 5 {
                    0 => format!(r#"[{{"op":"delete","table":"A","where":[["n","==",{n}]]}}]"#),
                    1 => format!(
                        r#"[{{"op":"insert","table":"A","row":{{"n":{n}}}}},{{"op":"insert","table":"B","row":{{}}}}]"#
                    ),
                    2 => format!(
                        r#"[{{"op":"update","table":"A","where":[["n","==",{n}]],"row":{{"s":["set",[1,{n}]]}}}}]"#
                    ),
                    _ => format!(
                        r#"[{{"op":"mutate","table":"A","where":[["n",">=",{n}]],"mutations":[["s","insert",{turns}]]}}]"#
                    ),
                };
                run(&mut served, ops);
                match served.compaction_turn(now) {
                    CompactionTurn::Done(result) => {
                        result.expect("it succeeds");
                        break;
                    }
                    CompactionTurn::Idle => std::thread::yield_now(),
                    CompactionTurn::Soon => {}
                }
            }
            run(&mut served, r#"[{"op":"insert","table":"B","row":{"n":99}}]"#.into());
            let (again, records) = read(&bytes.lock().expect("not poisoned"));
            assert_eq!(rows(&again), rows(&served.db), "seed {seed}, {turns} turns");
            assert!(records <= 3 + turns, "what was before is one record");
        }
    }
}
