//! Ages as messages tell them.

use base::Time;

const MILLISECOND: u64 = 1_000_000;

/// Seconds and nanoseconds between two moments, both taken in milliseconds, as the reference counts.
pub fn on_the_wire(since: Time, now: Time) -> (u32, u32) {
    let ms = (now.0 / MILLISECOND).saturating_sub(since.0 / MILLISECOND);
    ((ms / 1000) as u32, (ms % 1000 * MILLISECOND) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_milliseconds() {
        assert_eq!(on_the_wire(Time(1_999_999), Time(3_000_000)), (0, 2_000_000));
        assert_eq!(on_the_wire(Time(5), Time(61_001_999_999)), (61, 1_000_000));
        assert_eq!(on_the_wire(Time(9_000_000), Time(1)), (0, 0));
    }
}
