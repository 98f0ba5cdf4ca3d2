//! Pidfiles: who runs, told to others and guarded by a lock.
//!
//! The file holds the process id and is locked by that process as long as it lives, so that a file left over
//! from a crash is told from a live one. It appears under its name only when it is written and locked: first
//! as `NAME.tmp`, then renamed.

use crate::lock::{self, LockError};
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Why a pidfile was not made.
#[derive(Debug)]
pub enum PidfileError {
    /// A process with that pidfile runs.
    Running(PathBuf, i32),
    /// The temporary file: what was tried, and why it failed.
    Failed(PathBuf, &'static str, io::Error),
}

impl fmt::Display for PidfileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PidfileError::Running(p, pid) => {
                write!(f, "{}: already running as pid {pid}, aborting", p.display())
            }
            PidfileError::Failed(p, what, e) => write!(f, "{}: {what} failed ({})", p.display(), words(e)),
        }
    }
}

impl std::error::Error for PidfileError {}

fn words(e: &io::Error) -> String {
    e.raw_os_error().map_or_else(|| e.to_string(), crate::errno_text)
}

/// This process's pidfile; dropping it removes the file.
#[derive(Debug)]
pub struct Pidfile {
    path: PathBuf,
    file: File,
    pid: u32,
}

impl Pidfile {
    /// Makes `path`. Unless `overwrite`, a live process with the same pidfile is an error.
    pub fn create(path: &Path, overwrite: bool) -> Result<Pidfile, PidfileError> {
        if !overwrite && let Ok(pid) = read(path) {
            return Err(PidfileError::Running(path.to_owned(), pid));
        }
        let mut tmp = path.as_os_str().to_owned();
        tmp.push(".tmp");
        let tmp = PathBuf::from(tmp);
        let fail = |what, e| PidfileError::Failed(tmp.clone(), what, e);
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o666)
            .open(&tmp)
            .map_err(|e| fail("create", e))?;
        lock::lock_file(&file).map_err(|e| match e {
            LockError::Held(_) => fail("fcntl(F_SETLK)", crate::util::errno(libc::EAGAIN)),
            LockError::Io(e) => fail("fcntl(F_SETLK)", e),
        })?;
        file.set_len(0).map_err(|e| fail("truncate", e))?;
        let pid = std::process::id();
        file.write_all(format!("{pid}\n").as_bytes()).map_err(|e| fail("write", e))?;
        std::fs::rename(&tmp, path).map_err(|e| {
            let _ = std::fs::remove_file(&tmp);
            fail("rename", e)
        })?;
        Ok(Pidfile { path: path.to_owned(), file, pid })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Removes the file now (unless another has taken its place).
    pub fn remove(&mut self) {
        let mine = match (self.file.metadata(), std::fs::metadata(&self.path)) {
            (Ok(a), Ok(b)) => a.ino() == b.ino() && a.dev() == b.dev(),
            _ => false,
        };
        // A child forked from this process has the value too, but not the lock.
        if mine && self.pid == std::process::id() {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

impl Drop for Pidfile {
    fn drop(&mut self) {
        self.remove();
    }
}

/// The process that a pidfile names, if it lives: its lock is held. `ESRCH` for a file left behind by a dead
/// process, `EINVAL` for one without a number.
///
/// Must not be used by a process on its own pidfile: closing the file would drop the lock.
pub fn read(path: &Path) -> io::Result<i32> {
    let file = File::open(path)?;
    let holder = lock::holder(&file)?.ok_or_else(|| crate::util::errno(libc::ESRCH))?;
    let mut text = String::new();
    (&file).take(64).read_to_string(&mut text)?;
    let pid: i32 = text.trim().parse().map_err(|_| crate::util::errno(libc::EINVAL))?;
    // Across pid namespaces the kernel cannot say who holds the lock (0).
    if holder != pid && holder > 0 {
        return Err(crate::util::errno(libc::ESRCH));
    }
    Ok(pid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn life_of_a_pidfile() {
        let dir = crate::util::tests_dir("pidfile");
        let path = dir.join("x.pid");
        assert_eq!(read(&path).unwrap_err().raw_os_error(), Some(libc::ENOENT));
        let p = Pidfile::create(&path, false).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), format!("{}\n", std::process::id()));
        assert!(!dir.join("x.pid.tmp").exists());
        drop(p);
        assert!(!path.exists());
        std::fs::write(&path, "12345\n").unwrap();
        assert_eq!(read(&path).unwrap_err().raw_os_error(), Some(libc::ESRCH));
        drop(Pidfile::create(&path, false).unwrap());
        let e = Pidfile::create(&dir.join("no/x.pid"), false).unwrap_err();
        assert_eq!(
            e.to_string(),
            format!("{}/no/x.pid.tmp: create failed (No such file or directory)", dir.display())
        );
        std::fs::remove_dir_all(dir).unwrap();
    }
}
