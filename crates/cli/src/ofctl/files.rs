//! Files of flows, groups and the like: a line each, with comments.

use crate::fatal::Fatal;
use std::borrow::Cow;
use std::fs::File;
use std::io::{BufRead, BufReader};

/// Calls `each` with every line that says something, without its comment, and its number. `failure`: in what words
/// it is said that there is no such file.
pub fn lines(
    name: &str,
    failure: &str,
    mut each: impl FnMut(&str, usize) -> Result<(), Fatal>,
) -> Result<(), Fatal> {
    let mut reader: Box<dyn BufRead> = if name == "-" {
        Box::new(std::io::stdin().lock())
    } else {
        let file = File::open(name)
            .map_err(|e| Fatal::new(format!("{name}: {failure} ({})", reactor::errno::text(&e))))?;
        Box::new(BufReader::with_capacity(256 * 1024, file))
    };
    let mut bytes = Vec::new();
    let mut number = 0;
    loop {
        bytes.clear();
        let n = reader
            .read_until(b'\n', &mut bytes)
            .map_err(|e| Fatal::new(format!("{name}: read failed ({})", reactor::errno::text(&e))))?;
        if n == 0 {
            return Ok(());
        }
        number += 1;
        let end = bytes.iter().position(|b| *b == b'#').unwrap_or(bytes.len());
        let text = match std::str::from_utf8(&bytes[..end]) {
            Ok(text) => Cow::Borrowed(text),
            Err(_) => String::from_utf8_lossy(&bytes[..end]),
        };
        let text = text.trim_end_matches(['\n', '\r']);
        if text.bytes().any(|b| !b.is_ascii_whitespace()) {
            each(text, number)?;
        }
    }
}
