//! What the other files share: turning C results into `io::Result`.

use std::ffi::{CStr, CString, OsStr};
use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;

/// A C result, where negative means "see errno".
pub(crate) fn cvt(r: libc::c_int) -> io::Result<libc::c_int> {
    if r < 0 { Err(io::Error::last_os_error()) } else { Ok(r) }
}

/// As [`cvt`], for sizes.
pub(crate) fn cvt_len(r: libc::ssize_t) -> io::Result<usize> {
    usize::try_from(r).map_err(|_| io::Error::last_os_error())
}

/// As [`cvt`], again as long as a signal interrupts.
pub(crate) fn retry(mut f: impl FnMut() -> libc::c_int) -> io::Result<libc::c_int> {
    loop {
        match cvt(f()) {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            r => return r,
        }
    }
}

/// A descriptor that a system call just made, owned.
pub(crate) fn own(r: libc::c_int) -> io::Result<OwnedFd> {
    let fd = cvt(r)?;
    // SAFETY: the descriptor is fresh from a system call that succeeded and nobody else has it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// A path or name for C; a NUL inside is "invalid argument".
pub(crate) fn cstring(s: impl AsRef<OsStr>) -> io::Result<CString> {
    CString::new(s.as_ref().as_bytes()).map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))
}

/// An error by number.
pub(crate) fn errno(n: i32) -> io::Error {
    io::Error::from_raw_os_error(n)
}

/// The C library's words for an error number, as they appear in logs (`No such file or directory`).
pub fn errno_text(n: i32) -> String {
    let mut buf = [0u8; 256];
    // SAFETY: strerror_r (the XSI one, which the libc crate binds) writes at most `len` bytes with a final NUL.
    unsafe { libc::strerror_r(n, buf.as_mut_ptr().cast(), buf.len()) };
    match CStr::from_bytes_until_nul(&buf) {
        Ok(s) if !s.is_empty() => s.to_string_lossy().into_owned(),
        _ => format!("Unknown error {n}"),
    }
}

/// A pipe: (read end, write end), both closed on exec.
pub fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let mut fds: [RawFd; 2] = [-1; 2];
    // SAFETY: `fds` has room for two descriptors.
    cvt(unsafe { libc::pipe2(fds.as_mut_ptr(), libc::O_CLOEXEC) })?;
    Ok((own(fds[0])?, own(fds[1])?))
}

/// Makes a descriptor non-blocking, or blocking again.
pub fn set_nonblocking(fd: impl AsFd, on: bool) -> io::Result<()> {
    let raw = fd.as_fd().as_raw_fd();
    // SAFETY: fcntl with integer arguments on a live descriptor.
    let flags = cvt(unsafe { libc::fcntl(raw, libc::F_GETFL) })?;
    let new = if on { flags | libc::O_NONBLOCK } else { flags & !libc::O_NONBLOCK };
    if new != flags {
        // SAFETY: as above.
        cvt(unsafe { libc::fcntl(raw, libc::F_SETFL, new) })?;
    }
    Ok(())
}

/// A fresh directory for a test.
#[cfg(test)]
pub(crate) fn tests_dir(name: &str) -> std::path::PathBuf {
    let d = std::env::temp_dir().join(format!("oxvs-sys-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&d);
    std::fs::create_dir_all(&d).unwrap();
    d
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_words() {
        assert_eq!(errno_text(libc::ENOENT), "No such file or directory");
        assert_eq!(errno_text(libc::EAGAIN), "Resource temporarily unavailable");
        assert_eq!(errno_text(99999), "Unknown error 99999");
    }
}
