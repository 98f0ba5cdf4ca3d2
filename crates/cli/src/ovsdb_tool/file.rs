//! Database files: what [`ovsdb::log`] decides, done to a file.
//!
//! A file has one writer, who holds the lock beside it (`.NAME.~lock~`). New records are appended; whatever
//! damage a crash has left behind the last whole record is cut off before. A file is made anew, as compaction
//! does, beside the old one and then takes its place in one step.

use base::{Clock, Logger, warn};
use ovsdb::json::Value;
use ovsdb::log::{self, FileKind, Reader, Replacement, Step, Storage};
use ovsdb::{Database, Error, UuidSource};
use reactor::errno;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};
use sys::lock::{FileLock, LockError, lock_path, sync_dir};

/// Permissions of a new file, before the umask.
const MODE: u32 = 0o660;

/// Whether a file is to be changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// No.
    ReadOnly,
    /// Yes: it is locked.
    ReadWrite,
}

/// A database file.
#[derive(Debug)]
pub struct DbFile {
    name: String,
    path: PathBuf,
    file: File,
    /// Held as long as the file is open for writing.
    lock: Option<Arc<FileLock>>,
    /// The end of the last whole record.
    end: u64,
    /// Whether there may be something behind it.
    dirty: bool,
    /// Whether the directory may not know the file yet after a loss of power.
    moved: bool,
}

fn io_error(name: &str, what: &str, e: &io::Error) -> Error {
    Error::io(format!("{name}: {what} ({})", errno::text(e)))
}

fn lock(name: &str, log: &Logger) -> Result<FileLock, Error> {
    let path = lock_path(Path::new(name));
    FileLock::try_lock(&path).map_err(|e| match e {
        LockError::Held(pid) => {
            let shown = Path::new(name).with_file_name(path.file_name().unwrap_or_default());
            let who = pid.map_or_else(String::new, |pid| format!(" by pid {pid}"));
            let shown = shown.display();
            warn!(log, "lockfile", "{shown}: cannot lock file because it is already locked{who}");
            Error::io(format!("{name}: failed to lock lockfile (Resource temporarily unavailable)"))
        }
        LockError::Io(e) => {
            let why = errno::text(&e);
            let shown = Path::new(name).with_file_name(path.file_name().unwrap_or_default());
            for what in ["open lock file", "lock file"] {
                warn!(log, "lockfile", "{}: failed to {what}: {why}", shown.display());
            }
            io_error(name, "failed to lock lockfile", &e)
        }
    })
}

/// Where `path` leads, symbolic links followed, even if nothing is there yet.
fn real_path(path: &Path) -> PathBuf {
    if let Ok(real) = fs::canonicalize(path) {
        return real;
    }
    let mut p = path.to_owned();
    for _ in 0..40 {
        let Ok(target) = fs::read_link(&p) else { break };
        p = match p.parent() {
            Some(dir) if target.is_relative() => dir.join(target),
            _ => target,
        };
    }
    p
}

/// So many records are parsed ahead of their use.
const AHEAD: usize = 4;

/// What came of reading on.
enum Parsed {
    /// A record, and where it ends.
    Record(Value, u64),
    /// The file's end.
    End,
    /// Damage.
    Damaged(Error),
}

/// Reads all records of a file, until nobody wants more. Those that were used come back to be freed where they were
/// made, which is much cheaper than elsewhere.
fn read_records(
    name: &str,
    mut file: &File,
    send: &SyncSender<Result<Parsed, Error>>,
    used: &Receiver<Value>,
) {
    const CHUNK: usize = 1 << 20;
    let mut reader = Reader::new(name);
    let mut chunk = vec![0; CHUNK];
    loop {
        used.try_iter().for_each(drop);
        let parsed = match reader.next_record() {
            Step::Record(record) => Ok(Parsed::Record(record, reader.offset())),
            Step::More => {
                match file.read(&mut chunk) {
                    Ok(0) => reader.end(),
                    Ok(n) => reader.feed(&chunk[..n]),
                    Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                    Err(e) => {
                        let _ = send.send(Err(io_error(name, "read failed", &e)));
                        return;
                    }
                }
                continue;
            }
            Step::End => Ok(Parsed::End),
            Step::Damaged(e) => Ok(Parsed::Damaged(e)),
        };
        let more = matches!(parsed, Ok(Parsed::Record(..)));
        if send.send(parsed).is_err() || !more {
            return;
        }
    }
}

impl DbFile {
    /// Opens a file that exists.
    pub fn open(name: &str, mode: Mode, log: &Logger) -> Result<DbFile, Error> {
        let write = mode == Mode::ReadWrite;
        let lock = if write { Some(Arc::new(lock(name, log)?)) } else { None };
        let path = real_path(Path::new(name));
        let file = OpenOptions::new().read(true).write(write).open(&path);
        let file = file.map_err(|e| io_error(name, "open failed", &e))?;
        Ok(DbFile { name: name.to_owned(), path, file, lock, end: 0, dirty: true, moved: false })
    }

    /// Makes a file that does not exist, with these records in it.
    pub fn create(name: &str, records: &[u8], log: &Logger) -> Result<DbFile, Error> {
        let lock = lock(name, log)?;
        let path = real_path(Path::new(name));
        let file = OpenOptions::new().read(true).write(true).create_new(true).mode(MODE).open(&path);
        let file = file.map_err(|e| io_error(name, "create failed", &e))?;
        let lock = Some(Arc::new(lock));
        let mut db = DbFile { name: name.to_owned(), path, file, lock, end: 0, dirty: false, moved: false };
        let written = db.append(records, true).and_then(|()| db.sync_dir());
        if let Err(e) = written {
            // Half a database is none.
            let _ = fs::remove_file(&db.path);
            return Err(e);
        }
        Ok(db)
    }

    /// The name it was opened by.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The file itself, whatever names it has.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What kind of database it holds.
    pub fn kind(&mut self) -> Result<FileKind, Error> {
        let mut start = Vec::new();
        let read = self.file.seek(SeekFrom::Start(0));
        let read = read.and_then(|_| (&mut self.file).take(256).read_to_end(&mut start));
        read.map_err(|e| io_error(&self.name, "read error", &e))?;
        if start.is_empty() {
            return Err(Error::other(format!("{}: cannot identify file type", self.name)));
        }
        Ok(log::kind_of(&start))
    }

    /// Refuses files that hold no standalone database.
    pub fn check_standalone(&mut self) -> Result<(), Error> {
        let name = self.name.clone();
        match self.kind()? {
            FileKind::Standalone => Ok(()),
            FileKind::Clustered => {
                Err(Error::other(format!("{name}: cannot apply this operation to clustered database file")))
            }
            FileKind::Unknown => Err(Error::other(format!("{name}: unexpected file format"))),
        }
    }

    /// Gives every record to `take`. Returns what is wrong with the file behind the last whole record that
    /// `take` took, if anything; new records go there.
    pub fn read(
        &mut self,
        mut take: impl FnMut(&Value) -> Result<(), Error>,
    ) -> Result<Option<Error>, Error> {
        self.file.seek(SeekFrom::Start(0)).map_err(|e| io_error(&self.name, "seek failed", &e))?;
        let (name, file) = (&self.name, &self.file);
        let mut end = 0;
        let (send, receive) = sync_channel(AHEAD);
        let (give_back, used) = channel();
        // Reading, checking and parsing a record goes on while the one before is taken.
        let result = std::thread::scope(|s| {
            let reader = std::thread::Builder::new().name("read".into());
            reader
                .spawn_scoped(s, move || read_records(name, file, &send, &used))
                .map_err(|e| io_error(name, "read failed", &e))?;
            for step in receive {
                match step? {
                    Parsed::Record(record, offset) => {
                        if let Err(e) = take(&record) {
                            return Ok((false, Some(e)));
                        }
                        end = offset;
                        // The last ones are freed here.
                        let _ = give_back.send(record);
                    }
                    Parsed::End => return Ok((true, None)),
                    Parsed::Damaged(e) => return Ok((false, Some(e))),
                }
            }
            Err(Error::io(format!("{name}: read failed")))
        });
        self.end = end;
        let (clean, damage) = result?;
        self.dirty = !clean;
        Ok(damage)
    }

    /// Keeps a copy of a file in which more than the end is missing: what follows the damage will be cut off.
    fn keep_damaged(&self) -> Result<(), Error> {
        let length = self.file.metadata().map_or(0, |m| m.len());
        let mut copy = self.path.clone().into_os_string();
        copy.push(".damaged");
        if self.lock.is_none() || length <= self.end || Path::new(&copy).exists() {
            return Ok(());
        }
        fs::copy(&self.path, &copy)
            .map_err(|e| io_error(&self.name, "copying the damaged file failed", &e))?;
        Ok(())
    }

    fn sync_dir(&self) -> Result<(), Error> {
        let dir = self.path.parent().unwrap_or(Path::new("."));
        sync_dir(dir).map_err(|e| io_error(&self.name, "fsync failed", &e))
    }
}

/// Writes a file in one step, whatever was there before.
pub fn write_over(name: &str, records: &[u8], log: &Logger) -> Result<(), Error> {
    let lock = lock(name, log)?;
    let path = real_path(Path::new(name));
    put(name, &path, records, None)?;
    drop(lock);
    Ok(())
}

/// Writes a file beside `path` and moves it there.
fn put(name: &str, path: &Path, records: &[u8], like: Option<&File>) -> Result<File, Error> {
    let (temporary, mut file) = temporary(name, path, like)?;
    let name = format!("{name}.tmp");
    let mut fill = || -> io::Result<()> {
        file.write_all(records)?;
        file.sync_all()?;
        fs::rename(&temporary, path)?;
        sync_dir(path.parent().unwrap_or(Path::new(".")))
    };
    if let Err(e) = fill() {
        let _ = fs::remove_file(&temporary);
        return Err(io_error(&name, "write failed", &e));
    }
    Ok(file)
}

/// Makes an empty file beside `path`.
fn temporary(name: &str, path: &Path, like: Option<&File>) -> Result<(PathBuf, File), Error> {
    let mut temporary = path.to_owned().into_os_string();
    temporary.push(".tmp");
    let name = format!("{name}.tmp");
    let _ = fs::remove_file(&temporary);
    let made = OpenOptions::new().read(true).write(true).create_new(true).mode(MODE).open(&temporary);
    let file = made.map_err(|e| io_error(&name, "create failed", &e))?;
    if let Some(old) = like.and_then(|f| f.metadata().ok()) {
        file.set_permissions(old.permissions()).map_err(|e| io_error(&name, "create failed", &e))?;
    }
    Ok((temporary.into(), file))
}

/// A file that will take another's place.
struct NewFile {
    name: String,
    path: PathBuf,
    /// Where it is until then.
    temporary: Option<PathBuf>,
    file: Option<File>,
    lock: Option<Arc<FileLock>>,
    len: u64,
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if let Some(path) = &self.temporary {
            let _ = fs::remove_file(path);
        }
    }
}

impl NewFile {
    fn failed(&self, e: &io::Error) -> Error {
        io_error(&format!("{}.tmp", self.name), "write failed", e)
    }
}

impl Replacement for NewFile {
    fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let written = self.file.as_mut().map_or(Ok(()), |f| f.write_all(bytes));
        written.map_err(|e| self.failed(&e))?;
        self.len += bytes.len() as u64;
        Ok(())
    }

    fn sync(&mut self) -> Result<(), Error> {
        self.file.as_ref().map_or(Ok(()), File::sync_all).map_err(|e| self.failed(&e))
    }

    fn install(mut self: Box<Self>, rest: &[u8], durable: bool) -> Result<Box<dyn Storage>, Error> {
        self.write(rest)?;
        if durable {
            self.sync()?;
        }
        if let Some(from) = &self.temporary {
            fs::rename(from, &self.path).map_err(|e| self.failed(&e))?;
        }
        self.temporary = None;
        let Some(file) = self.file.take() else {
            return Err(Error::io(format!("{}: no file", self.name)));
        };
        let (name, path, lock) = (self.name.clone(), self.path.clone(), self.lock.clone());
        Ok(Box::new(DbFile { name, path, file, lock, end: self.len, dirty: false, moved: true }))
    }
}

impl Storage for DbFile {
    fn append(&mut self, records: &[u8], durable: bool) -> Result<(), Error> {
        let (file, end) = (&mut self.file, self.end);
        if self.dirty {
            file.set_len(end).map_err(|e| io_error(&self.name, "truncate failed", &e))?;
            self.dirty = false;
        }
        let written = file.seek(SeekFrom::Start(end)).and_then(|_| file.write_all(records));
        if let Err(e) = written {
            // What has come through of it is cut off, now or at the next attempt.
            self.dirty = file.set_len(end).is_err();
            return Err(io_error(&self.name, "write failed", &e));
        }
        self.end += records.len() as u64;
        if durable {
            file.sync_data().map_err(|e| io_error(&self.name, "fsync failed", &e))?;
            if std::mem::take(&mut self.moved) {
                self.sync_dir()?;
            }
        }
        Ok(())
    }

    fn begin_replacement(&self) -> Result<Box<dyn Replacement>, Error> {
        let (temporary, file) = temporary(&self.name, &self.path, Some(&self.file))?;
        Ok(Box::new(NewFile {
            name: self.name.clone(),
            path: self.path.clone(),
            temporary: Some(temporary),
            file: Some(file),
            lock: self.lock.clone(),
            len: 0,
        }))
    }

    fn replace(&mut self, records: &[u8]) -> Result<(), Error> {
        self.file = put(&self.name, &self.path, records, Some(&self.file))?;
        self.end = records.len() as u64;
        self.dirty = false;
        Ok(())
    }

    fn len(&self) -> u64 {
        self.end
    }
}

/// A database read from a file.
#[derive(Debug)]
pub struct Loaded {
    /// Its contents.
    pub db: Database,
    /// Its file.
    pub file: DbFile,
    /// How many transactions were in the file.
    pub transactions: usize,
    /// What is wrong with the file behind the last whole transaction.
    pub damage: Option<Error>,
}

/// Names for rows' versions and the like, seeded by the machine.
pub fn uuid_source() -> UuidSource {
    let mut seed = [0; 32];
    if sys::fill_random(&mut seed).is_err() {
        // Without randomness, at least something that differs between processes and times.
        seed[..8].copy_from_slice(&Clock::real().wall_millis().to_le_bytes());
        seed[8..12].copy_from_slice(&std::process::id().to_le_bytes());
    }
    UuidSource::new(seed)
}

/// Reads a standalone database.
pub fn load(name: &str, mode: Mode, uuids: &mut UuidSource, log: &Logger) -> Result<Loaded, Error> {
    let mut file = DbFile::open(name, mode, log)?;
    file.check_standalone()?;
    read_database(file, uuids)
}

/// Reads the database in a file.
pub fn read_database(mut file: DbFile, uuids: &mut UuidSource) -> Result<Loaded, Error> {
    let mut db: Option<Database> = None;
    let mut transactions = 0;
    let mut broken = None;
    let damage = file.read(|record| {
        match &mut db {
            None => {
                db = Some(log::database_of(record).inspect_err(|e| broken = Some(e.clone()))?);
            }
            Some(db) => {
                let changes = log::changes_of(db, record, false, uuids)?;
                db.apply(&changes);
                transactions += 1;
            }
        }
        Ok(())
    })?;
    // A write that a crash cut short is no loss.
    if let Some(e) = damage.as_ref().filter(|_| db.is_some())
        && !e.details().ends_with("(End of file)")
    {
        file.keep_damaged()?;
    }
    match (db, broken.or(damage.clone())) {
        (Some(db), _) => Ok(Loaded { db, file, transactions, damage }),
        (None, Some(e)) => Err(e),
        (None, None) => Err(Error::other(format!("{}: cannot identify file type", file.name))),
    }
}

/// Reads a schema file; or says what is wrong with it, in words.
pub fn read_schema(name: &str) -> Result<ovsdb::Schema, String> {
    let text = fs::read(name).map_err(|e| match e.kind() {
        io::ErrorKind::IsADirectory => format!("error reading JSON stream: {}", errno::text(&e)),
        _ => format!("error opening \"{name}\": {}", errno::text(&e)),
    });
    let json = text
        .and_then(ovsdb::json::parse)
        .map_err(|e| format!("failed to read schema: \"{name}\" could not be read as JSON ({e})"))?;
    ovsdb::Schema::from_json(&json)
        .map_err(|e| e.prefixed(&format!("failed to parse \"{name}\" as ovsdb schema")).to_string())
}
