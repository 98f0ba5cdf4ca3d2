//! Bounded fuzzing as an ordinary test.
//!
//! Every file of a kept corpus goes to the target as it is, cut at every length and with every bit flipped (of the
//! first bytes); then seeded mutations of corpus files for a bounded time. The target must not panic; what it takes
//! to be wrong it says by an ordinary assertion. A failing input is printed, to be added to the corpus with a name.
//!
//! `OXVS_FUZZ_SECONDS` makes it run longer, `OXVS_FUZZ_SEED` elsewhere.

use base::Clock;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;
use std::time::Duration;

/// A small pseudorandom generator (xorshift64*), seeded.
#[derive(Clone, Debug)]
pub struct Rng(u64);

impl Rng {
    /// From a seed.
    pub fn new(seed: u64) -> Rng {
        Rng(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// The next 64 bits.
    pub fn word(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number below `n` (0 when `n` is 0).
    pub fn below(&mut self, n: usize) -> usize {
        if n == 0 { 0 } else { (self.word() >> 16) as usize % n }
    }
}

/// What is fuzzed.
#[derive(Clone, Copy, Debug)]
pub struct Fuzz<'a> {
    /// Directory of the corpus.
    pub corpus: &'a str,
    /// Words that mean something to the target, to be inserted.
    pub words: &'a [&'a [u8]],
    /// Longest input made.
    pub longest: usize,
    /// How long.
    pub time: Duration,
}

impl Fuzz<'_> {
    /// Runs it.
    ///
    /// # Panics
    /// When the corpus is empty, or the target panics.
    pub fn run(&self, mut target: impl FnMut(&[u8])) {
        let corpus = read(Path::new(self.corpus));
        assert!(!corpus.is_empty(), "no corpus in {}", self.corpus);
        let number = |name: &str| std::env::var(name).ok().and_then(|v| v.parse::<u64>().ok());
        let limit = number("OXVS_FUZZ_SECONDS").map_or(self.time, Duration::from_secs);
        let seed = number("OXVS_FUZZ_SEED").unwrap_or(1);
        let clock = Clock::real();
        let start = clock.now();
        for input in &corpus {
            try_one(&mut target, input);
        }
        for input in &corpus {
            // The systematic part has half of the time at most.
            if clock.now() - start > limit / 2 {
                break;
            }
            for n in 0..input.len().min(512) {
                try_one(&mut target, &input[..n]);
            }
            let mut flipped = input.clone();
            for bit in 0..input.len().min(256) * 8 {
                flipped[bit / 8] ^= 1 << (bit % 8);
                try_one(&mut target, &flipped);
                flipped[bit / 8] ^= 1 << (bit % 8);
            }
        }
        let mut rng = Rng::new(seed);
        let mut tries = 0u64;
        let mut input = Vec::new();
        while clock.now() - start < limit {
            for _ in 0..64 {
                input.clear();
                input.extend_from_slice(&corpus[rng.below(corpus.len())]);
                for _ in 0..=rng.below(6) {
                    self.mutate(&mut rng, &mut input, &corpus);
                }
                input.truncate(self.longest);
                try_one(&mut target, &input);
                tries += 1;
            }
        }
        println!("{}: {} kept inputs, {tries} mutated (seed {seed})", self.corpus, corpus.len());
    }

    fn mutate(&self, rng: &mut Rng, b: &mut Vec<u8>, corpus: &[Vec<u8>]) {
        let at = rng.below(b.len());
        match rng.below(9) {
            0 if !b.is_empty() => b[at] ^= 1 << rng.below(8),
            1 if !b.is_empty() => b[at] = rng.word() as u8,
            2 if !b.is_empty() => b[at] = [0, 0xff, 0x7f, 0x80, b'0', b',', b'='][rng.below(7)],
            3 => b.truncate(at),
            4 => {
                let end = (at + rng.below(16)).min(b.len());
                b.drain(at..end);
            }
            5 => {
                let end = (at + rng.below(32)).min(b.len());
                let piece = b[at..end].to_vec();
                let to = rng.below(b.len());
                b.splice(to..to, piece);
            }
            6 => {
                let other = &corpus[rng.below(corpus.len())];
                let from = rng.below(other.len());
                b.truncate(at);
                b.extend_from_slice(&other[from..]);
            }
            7 if !self.words.is_empty() => {
                b.splice(at..at, self.words[rng.below(self.words.len())].iter().copied());
            }
            _ if b.len() >= 2 => {
                let at = rng.below(b.len() - 1);
                let n =
                    u16::from_be_bytes([b[at], b[at + 1]]).wrapping_add(rng.below(17) as u16).wrapping_sub(8);
                b[at..at + 2].copy_from_slice(&n.to_be_bytes());
            }
            _ => b.push(rng.word() as u8),
        }
    }
}

fn try_one(target: &mut impl FnMut(&[u8]), input: &[u8]) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| target(input))) {
        let hex: String = input.iter().map(|b| format!("{b:02x}")).collect();
        println!("fails on {} bytes: {hex}\nas text: {}", input.len(), String::from_utf8_lossy(input));
        resume_unwind(panic);
    }
}

/// The corpus: every file is an input; a file whose name ends in `.hex` is one as hexadecimal digits, one whose name ends
/// in `.lines` has one in each line.
fn read(dir: &Path) -> Vec<Vec<u8>> {
    let entries = std::fs::read_dir(dir).unwrap_or_else(|e| panic!("{}: {e}", dir.display()));
    let mut paths: Vec<_> = entries.filter_map(|e| Some(e.ok()?.path())).filter(|p| p.is_file()).collect();
    paths.sort();
    let mut out = Vec::new();
    for p in paths {
        let bytes = std::fs::read(&p).unwrap_or_else(|e| panic!("{}: {e}", p.display()));
        match p.extension().and_then(|e| e.to_str()) {
            Some("hex") => out.extend(
                String::from_utf8_lossy(&bytes)
                    .lines()
                    .filter(|l| !l.starts_with('#') && !l.trim().is_empty())
                    .map(|l| unhex(l).unwrap_or_else(|| panic!("{}: not hexadecimal: {l}", p.display()))),
            ),
            Some("lines") => out.extend(
                bytes.split(|&b| b == b'\n').filter(|l| !l.is_empty() && l[0] != b'#').map(<[u8]>::to_vec),
            ),
            _ => out.push(bytes),
        }
    }
    out
}

/// Bytes from hexadecimal digits, with blanks anywhere.
pub fn unhex(s: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> = s
        .chars()
        .filter(|c| !c.is_whitespace())
        .map(|c| c.to_digit(16).map(|d| d as u8))
        .collect::<Option<_>>()?;
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    Some(digits.chunks(2).map(|d| d[0] << 4 | d[1]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_is_there_to_find() {
        let dir = crate::TempDir::new();
        std::fs::write(dir.join("a.hex"), "# a comment\n00 01 02 03\nff\n").unwrap();
        std::fs::write(dir.join("b.lines"), "one\ntwo\n").unwrap();
        let corpus = dir.path().to_str().unwrap().to_string();
        let fuzz = Fuzz { corpus: &corpus, words: &[b"bad"], longest: 64, time: Duration::from_millis(20) };
        let mut longest = 0;
        fuzz.run(|b| longest = longest.max(b.len()));
        assert!(longest <= 64);
        let found = catch_unwind(AssertUnwindSafe(|| {
            fuzz.run(|b| assert!(!b.windows(3).any(|w| w == b"bad"), "there it is"));
        }));
        assert!(found.is_err());
        assert_eq!(unhex("0g"), None);
        assert_eq!(unhex("0"), None);
    }
}
