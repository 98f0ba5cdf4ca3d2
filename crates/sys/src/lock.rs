//! Advisory file locks.
//!
//! Two kinds at once. The POSIX record lock is what other programs of the field look at; but it is the
//! *process's*: a second open in the same process would succeed, and closing any descriptor of the file drops
//! it. So a `flock` lock, which belongs to the open file, is taken beside it and keeps two users inside one
//! process apart.

use crate::util::{cvt, retry};
use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Why a lock was not had.
#[derive(Debug)]
pub enum LockError {
    /// Somebody else has it: that process, when it can be told.
    Held(Option<i32>),
    /// The file could not be opened or locked.
    Io(io::Error),
}

impl From<io::Error> for LockError {
    fn from(e: io::Error) -> Self {
        LockError::Io(e)
    }
}

/// A locked file; dropping it unlocks (the file stays).
#[derive(Debug)]
pub struct FileLock {
    file: File,
    path: PathBuf,
}

impl FileLock {
    /// Creates `path` if it is missing and locks it, without waiting.
    pub fn try_lock(path: &Path) -> Result<FileLock, LockError> {
        loop {
            let file = OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .mode(0o600)
                .open(path)?;
            lock_file(&file)?;
            // Somebody may have replaced the file between open and lock: then what is locked is nobody's.
            match std::fs::metadata(path) {
                Ok(m) if same(&m, &file)? => return Ok(FileLock { file, path: path.to_owned() }),
                Ok(_) => {}
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                Err(e) => return Err(e.into()),
            }
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl AsFd for FileLock {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

fn same(m: &std::fs::Metadata, file: &File) -> io::Result<bool> {
    let f = file.metadata()?;
    Ok(m.dev() == f.dev() && m.ino() == f.ino())
}

/// The lock file that goes with a file: `.NAME.~lock~` beside it, symbolic links followed first, so that two
/// names of one file have one lock.
pub fn lock_path(path: &Path) -> PathBuf {
    let real = std::fs::canonicalize(path).unwrap_or_else(|_| follow(path));
    let mut name = OsString::from(".");
    name.push(real.file_name().unwrap_or_default());
    name.push(".~lock~");
    real.with_file_name(name)
}

/// Where a chain of symbolic links leads, even when nothing is there yet.
fn follow(path: &Path) -> PathBuf {
    let mut p = path.to_owned();
    for _ in 0..40 {
        let Ok(target) = std::fs::read_link(&p) else { break };
        p = match p.parent() {
            Some(dir) if target.is_relative() => dir.join(target),
            _ => target,
        };
    }
    p
}

/// Takes both locks on an open file.
pub(crate) fn lock_file(file: &File) -> Result<(), LockError> {
    let fd = file.as_raw_fd();
    // SAFETY: no pointers.
    if let Err(e) = retry(|| unsafe { libc::flock(fd, libc::LOCK_EX | libc::LOCK_NB) }) {
        return Err(if e.kind() == io::ErrorKind::WouldBlock {
            LockError::Held(holder(file)?.or(Some(std::process::id() as i32)))
        } else {
            e.into()
        });
    }
    let l = whole_file(libc::F_WRLCK);
    // SAFETY: `l` lives through the call.
    match cvt(unsafe { libc::fcntl(fd, libc::F_SETLK, &l) }) {
        Ok(_) => Ok(()),
        Err(e) if matches!(e.raw_os_error(), Some(libc::EACCES | libc::EAGAIN)) => {
            Err(LockError::Held(holder(file)?))
        }
        Err(e) => Err(e.into()),
    }
}

/// The process that has a POSIX lock on an open file, if one has (other than this).
pub(crate) fn holder(file: &File) -> io::Result<Option<i32>> {
    let mut l = whole_file(libc::F_WRLCK);
    // SAFETY: `l` lives through the call, which may fill it.
    cvt(unsafe { libc::fcntl(file.as_raw_fd(), libc::F_GETLK, &mut l) })?;
    Ok((l.l_type != libc::F_UNLCK as libc::c_short).then_some(l.l_pid))
}

fn whole_file(kind: i32) -> libc::flock {
    // SAFETY: plain integers, for which zero is valid.
    let mut l: libc::flock = unsafe { std::mem::zeroed() };
    l.l_type = kind as libc::c_short;
    l.l_whence = libc::SEEK_SET as libc::c_short;
    l
}

/// Makes a rename or a new name in `dir` survive a power cut.
pub fn sync_dir(dir: &Path) -> io::Result<()> {
    let dir = if dir.as_os_str().is_empty() { Path::new(".") } else { dir };
    File::open(dir)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn second_one_is_refused_even_in_one_process() {
        let dir = crate::util::tests_dir("lock");
        let p = lock_path(&dir.join("conf.db"));
        assert_eq!(p.file_name().unwrap(), ".conf.db.~lock~");
        let a = FileLock::try_lock(&p).unwrap();
        match FileLock::try_lock(&p) {
            Err(LockError::Held(Some(pid))) => assert_eq!(pid, std::process::id() as i32),
            other => panic!("{other:?}"),
        }
        drop(a);
        drop(FileLock::try_lock(&p).unwrap());
        std::os::unix::fs::symlink("conf.db", dir.join("link")).unwrap();
        assert_eq!(lock_path(&dir.join("link")).file_name(), p.file_name());
        sync_dir(&dir).unwrap();
        std::fs::remove_dir_all(dir).unwrap();
    }
}
