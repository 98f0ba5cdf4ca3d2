//! Waiting for other processes: for a condition, never for a time.

use base::Clock;
use std::time::Duration;

/// How long anything that ought to happen may take.
pub const LIMIT: Duration = Duration::from_secs(20);

/// Asks again and again until there is an answer; panics with `what` after [`LIMIT`].
#[track_caller]
pub fn wait_for<T>(what: &str, answer: impl FnMut() -> Option<T>) -> T {
    match until(LIMIT, answer) {
        Some(t) => t,
        None => panic!("waited {LIMIT:?} for {what}"),
    }
}

/// Asks again and again until there is an answer, for at most `limit`.
pub fn until<T>(limit: Duration, mut answer: impl FnMut() -> Option<T>) -> Option<T> {
    let clock = Clock::real();
    let start = clock.now();
    let mut pause = Duration::from_millis(1);
    loop {
        if let Some(t) = answer() {
            return Some(t);
        }
        if clock.now() - start > limit {
            return None;
        }
        sys::process::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(40));
    }
}
