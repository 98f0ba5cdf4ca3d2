//! `set_queue` and `pop_queue`: which queue later outputs use.

/// Use this queue for outputs from now on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SetQueue {
    /// The queue.
    pub queue: u32,
}
