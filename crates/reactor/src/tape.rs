//! Tapes: what came in from outside, recorded, and played back into a program that then does the same again.
//!
//! All that a program on a [`Reactor`](crate::Reactor) learns of the world comes from few places: which events a
//! turn had and when, what each call on a stream or a listener gave, and the seed of its random numbers. A tape is
//! a directory with a file for each:
//!
//! ```text
//!  replay_turns              time, wall clock, events    of every turn
//!  replay_punix_NAME_N       result, bytes               of every call on that listener
//!  replay_unix_N             result, bytes               of every call on that stream
//!  replay__uuid_generate_0   the seed
//! ```
//!
//! Numbers are little-endian. A result below zero is an error of the operating system, and has no bytes; above, it is
//! their number. Played back, nothing is opened: the files say what happens, as fast as it can be done.

use crate::errno;
use crate::event::{Event, Key, Ready};
use base::{Logger, Time, error};
use std::cell::Cell;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use sys::signal::Signal;

/// Whether a tape is made or played.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Neither.
    #[default]
    Live,
    /// One is made in this directory.
    Record(PathBuf),
    /// That in this directory is played.
    Replay(PathBuf),
}

/// Bytes of a seed of random numbers.
pub const SEED: usize = 32;

/// One file of a tape.
pub(crate) enum Track {
    Recording(BufWriter<File>),
    Playing(BufReader<File>),
}

impl Track {
    fn open(mode: &Mode, name: &str, log: &Logger) -> io::Result<Option<Track>> {
        let (dir, record) = match mode {
            Mode::Live => return Ok(None),
            Mode::Record(dir) => (dir, true),
            Mode::Replay(dir) => (dir, false),
        };
        let path = dir.join(name);
        let opened = if record { File::create(&path) } else { File::open(&path) };
        let file = opened.inspect_err(|e| {
            error!(log, "ovs_replay", "{}: fopen failed: {}", path.display(), errno::text(e));
        })?;
        Ok(Some(if record {
            Track::Recording(BufWriter::new(file))
        } else {
            Track::Playing(BufReader::new(file))
        }))
    }

    /// Whether what happens is on the track already.
    pub(crate) fn plays(&self) -> bool {
        matches!(self, Track::Playing(_))
    }

    /// Notes what a call gave. Replaying comes to its end where writing failed.
    pub(crate) fn note(&mut self, result: Result<&[u8], &io::Error>) {
        let Track::Recording(file) = self else { return };
        let failed = |e: &io::Error| -e.raw_os_error().unwrap_or(libc::EIO);
        let (n, bytes) = match result {
            Ok(bytes) => (i32::try_from(bytes.len()).unwrap_or(i32::MAX), bytes),
            Err(e) => (failed(e), &[][..]),
        };
        let _ =
            file.write_all(&n.to_le_bytes()).and_then(|()| file.write_all(bytes)).and_then(|()| file.flush());
    }

    /// What the next call gives. After the last, nothing is there yet.
    pub(crate) fn next(&mut self) -> io::Result<Vec<u8>> {
        let Track::Playing(file) = self else { return Err(errno::os(libc::EAGAIN)) };
        let mut n = [0; 4];
        if file.read_exact(&mut n).is_err() {
            return Err(errno::os(libc::EAGAIN));
        }
        let n = i32::from_le_bytes(n);
        let Ok(length) = u64::try_from(n) else { return Err(errno::os(n.saturating_neg())) };
        let mut bytes = Vec::new();
        file.take(length).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// [`Track::next`], into a buffer of the size that the call had.
    pub(crate) fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let bytes = self.next()?;
        let n = bytes.len().min(buf.len());
        buf[..n].copy_from_slice(&bytes[..n]);
        Ok(n)
    }

    /// As [`Track::note`], of a call that tells whether something is so.
    pub(crate) fn note_flag(&mut self, result: Result<bool, &io::Error>) {
        match result {
            Ok(flag) => self.note(Ok(&[u8::from(flag)])),
            Err(e) => self.note(Err(e)),
        }
    }

    /// As [`Track::next`], of such a call.
    pub(crate) fn next_flag(&mut self) -> io::Result<bool> {
        Ok(self.next()?.first() == Some(&1))
    }
}

/// What a turn had.
pub(crate) struct Turn {
    /// When it began.
    pub(crate) now: Time,
    /// The same by the wall clock.
    pub(crate) wall: i64,
    /// Its events.
    pub(crate) events: Vec<Event>,
}

/// A tape that is made or played.
pub(crate) struct Tape {
    mode: Mode,
    turns: Track,
    seed: [u8; SEED],
    next: Cell<u64>,
}

impl Tape {
    /// Begins one; `None` if there is to be none.
    pub(crate) fn open(mode: &Mode, log: &Logger) -> io::Result<Option<Tape>> {
        let Some(mut track) = Track::open(mode, "replay__uuid_generate_0", log)? else { return Ok(None) };
        let mut seed = [0; SEED];
        if track.plays() {
            track.read(&mut seed)?;
        } else {
            sys::fill_random(&mut seed)?;
            track.note(Ok(&seed));
        }
        let Some(turns) = Track::open(mode, "replay_turns", log)? else { return Ok(None) };
        Ok(Some(Tape { mode: mode.clone(), turns, seed, next: Cell::new(0) }))
    }

    /// Whether it is played.
    pub(crate) fn plays(&self) -> bool {
        self.turns.plays()
    }

    /// The seed of random numbers.
    pub(crate) fn seed(&self) -> [u8; SEED] {
        self.seed
    }

    /// A track for the stream or listener `name`.
    pub(crate) fn track(&self, name: &str, log: &Logger) -> io::Result<Option<Track>> {
        let n = self.next.replace(self.next.get() + 1);
        Track::open(&self.mode, &format!("replay_{}_{n}", shown(name)), log)
    }

    /// Notes a turn.
    pub(crate) fn note(&mut self, now: Time, wall: i64, events: &[Event]) {
        let mut bytes = Vec::with_capacity(16 + 9 * events.len());
        bytes.extend_from_slice(&now.0.to_le_bytes());
        bytes.extend_from_slice(&wall.to_le_bytes());
        for e in events {
            bytes.extend_from_slice(&e.key.to_bits().to_le_bytes());
            bytes.push(code(e.ready));
        }
        self.turns.note(Ok(&bytes));
    }

    /// The next turn; `None` after the last.
    pub(crate) fn turn(&mut self) -> Option<Turn> {
        let bytes = self.turns.next().ok()?;
        let (head, events) = bytes.split_first_chunk::<16>()?;
        let (now, wall) = head.split_first_chunk::<8>()?;
        let event = |b: &[u8; 9]| {
            let (key, ready) = b.split_first_chunk::<8>()?;
            Some(Event { key: Key::from_bits(u64::from_le_bytes(*key)), ready: decode(ready[0])? })
        };
        Some(Turn {
            now: Time(u64::from_le_bytes(*now)),
            wall: i64::from_le_bytes(wall.try_into().ok()?),
            events: events.as_chunks::<9>().0.iter().filter_map(event).collect(),
        })
    }
}

/// What of a name goes into that of a file: the kind, and the path of a socket.
fn shown(name: &str) -> String {
    let (kind, rest) = name.split_once([':', '#']).unwrap_or((name, ""));
    let mut text = kind.to_owned();
    if kind.ends_with("unix") && name.contains(':') {
        for word in Path::new(rest).to_string_lossy().split(|c: char| !c.is_ascii_alphanumeric()) {
            if !word.is_empty() {
                text.push('_');
                text.push_str(word);
            }
        }
    }
    text
}

const TIMER: u8 = 8;
const WAKE: u8 = 9;
const AGAIN: u8 = 10;
const WARP: u8 = 11;
const WARPED: u8 = 12;
/// Signals follow, by number.
const SIGNAL: u8 = 64;
const SIGNALS: [Signal; 7] =
    [Signal::Term, Signal::Int, Signal::Hup, Signal::Alarm, Signal::Child, Signal::Usr1, Signal::Usr2];

fn code(ready: Ready) -> u8 {
    match ready {
        Ready::Io { read, write, hangup } => u8::from(read) | u8::from(write) << 1 | u8::from(hangup) << 2,
        Ready::Timer => TIMER,
        Ready::Wake => WAKE,
        Ready::Again => AGAIN,
        Ready::Warp { done: false } => WARP,
        Ready::Warp { done: true } => WARPED,
        Ready::Signal(s) => SIGNAL + s.number() as u8,
    }
}

fn decode(code: u8) -> Option<Ready> {
    Some(match code {
        0..8 => Ready::Io { read: code & 1 != 0, write: code & 2 != 0, hangup: code & 4 != 0 },
        TIMER => Ready::Timer,
        WAKE => Ready::Wake,
        AGAIN => Ready::Again,
        WARP => Ready::Warp { done: false },
        WARPED => Ready::Warp { done: true },
        _ => Ready::Signal(*SIGNALS.iter().find(|s| SIGNAL + s.number() as u8 == code)?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files() {
        for (name, file) in [
            ("punix:/run/ovs/db.sock", "punix_run_ovs_db_sock"),
            ("ptcp:6640:127.0.0.1", "ptcp"),
            ("unix#12", "unix"),
            ("unix:s", "unix_s"),
            ("ssl:1.2.3.4:5", "ssl"),
        ] {
            assert_eq!(shown(name), file);
        }
    }

    #[test]
    fn events_both_ways() {
        let io = |read, write, hangup| Ready::Io { read, write, hangup };
        let all = [io(true, false, false), io(false, true, true), Ready::Timer, Ready::Wake, Ready::Again];
        let signals = SIGNALS.map(Ready::Signal);
        let warps = [Ready::Warp { done: false }, Ready::Warp { done: true }];
        for ready in all.into_iter().chain(signals).chain(warps) {
            assert_eq!(decode(code(ready)), Some(ready));
        }
        assert_eq!(decode(255), None);
    }
}
