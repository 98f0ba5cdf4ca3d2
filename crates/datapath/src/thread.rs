//! The loop of a polling thread: polls while there is work, then sleeps.
//!
//! Under load the next packets are there by the time a round is done, and polling on costs least. When a round finds
//! nothing, a few more are tried, since a burst often has a second half; then the thread sleeps until a descriptor or
//! a wake-up says that there is work. An idle switch so uses no CPU.

use crate::engine::{Engine, Rx};
use crate::seam::{Pipeline, Waiter};
use std::time::Duration;

/// Rounds without packets before sleeping.
const SPINS: u32 = 32;
/// Sleep at most, when some queue has no descriptor to watch.
const BLIND: Duration = Duration::from_micros(500);

/// Runs an engine until it is told to stop; gives back what it received from.
pub(crate) fn run<P: Pipeline>(
    mut engine: Engine<P>,
    mut waiter: Box<dyn Waiter>,
    cpu: Option<u32>,
) -> Vec<Rx> {
    waiter.begin(cpu);
    let mut idle = 0;
    let mut all_watched = true;
    let mut woken = false;
    loop {
        let busy = engine.poll();
        // Nobody wakes it again.
        if engine.is_stopped() {
            break;
        }
        if std::mem::take(&mut woken) && !busy {
            engine.woken_for_nothing();
        }
        if let Some((fds, all)) = engine.changed_fds() {
            waiter.watch(&fds);
            all_watched = all;
        }
        if busy || engine.has_more() {
            idle = 0;
        } else if idle < SPINS {
            idle += 1;
            std::hint::spin_loop();
        } else {
            engine.sleeps();
            waiter.wait(if all_watched { None } else { Some(BLIND) });
            engine.woken();
            woken = true;
        }
    }
    engine.dismantle()
}
