//! What an I/O error is called in text that scripts read: the C library's name for the error number, or
//! `End of file` for a peer that closed the connection.

use std::io;

/// An error with the number `n` (`libc::ECONNREFUSED`...).
pub fn os(n: i32) -> io::Error {
    io::Error::from_raw_os_error(n)
}

/// The number of "Address family not supported by protocol": of a name that means nothing.
pub const NO_SUCH_FAMILY: i32 = libc::EAFNOSUPPORT;

/// The peer closed the connection.
pub fn eof() -> io::Error {
    io::Error::from(io::ErrorKind::UnexpectedEof)
}

/// Whether `e` is [`eof`].
pub fn is_eof(e: &io::Error) -> bool {
    e.raw_os_error().is_none() && e.kind() == io::ErrorKind::UnexpectedEof
}

/// Whether `e` only says "not now".
pub fn is_again(e: &io::Error) -> bool {
    matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

/// The peer broke the protocol.
pub fn protocol() -> io::Error {
    os(libc::EPROTO)
}

/// The text of `e` as the programs print it: `Connection refused`, `End of file`.
pub fn text(e: &io::Error) -> String {
    if is_eof(e) {
        return "End of file".to_string();
    }
    let s = e.to_string();
    match s.rfind(" (os error ") {
        Some(i) => s[..i].to_string(),
        None => s,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts() {
        for (e, want) in [
            (os(libc::ECONNREFUSED), "Connection refused"),
            (os(libc::EPROTO), "Protocol error"),
            (os(libc::EAFNOSUPPORT), "Address family not supported by protocol"),
            (os(libc::ENOENT), "No such file or directory"),
            (eof(), "End of file"),
        ] {
            assert_eq!(text(&e), want);
        }
        assert!(is_eof(&eof()) && !is_eof(&os(libc::EPROTO)));
        assert!(is_again(&os(libc::EAGAIN)));
    }
}
