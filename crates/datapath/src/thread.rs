//! The loop of a polling thread: polls while there is work, then sleeps.
//!
//! Under load the next packets are there by the time a round is done, and polling on costs least. At moderate load the
//! thread naps between rounds (module `pace`). When a round finds nothing, a few more are tried, since a burst often has
//! a second half; then the thread sleeps until a descriptor or a wake-up says that there is work. An idle switch so
//! uses no CPU.

use crate::engine::{Engine, Rx};
use crate::pace::Pace;
use crate::seam::{Pipeline, Waiter};
use std::time::Duration;

/// Rounds without packets before sleeping.
const SPINS: u32 = 32;
/// Naps in a row that may find nothing; after them it is no load any more.
const NAPS: u32 = 2;
/// After so many naps queues are looked at too where looking costs.
const LOOK_AROUND: u32 = 4;
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
    let mut pace = Pace::default();
    let mut naps = 0u32;
    loop {
        let round = engine.round();
        let busy = round.received > 0;
        // Nobody wakes it again.
        if engine.is_stopped() {
            break;
        }
        if std::mem::take(&mut woken) && !busy {
            engine.woken_for_nothing();
        }
        if let Some((changes, all)) = engine.changed_fds() {
            waiter.watch(&changes);
            all_watched = all;
        }
        let nap = pace.round(round.began, round.received, round.bytes, round.full);
        if engine.has_more() {
            idle = 0;
        } else if let Some(nap) = nap.filter(|_| busy || idle < NAPS) {
            idle = if busy { 0 } else { idle + 1 };
            engine.sleeps();
            waiter.nap(nap);
            naps = naps.wrapping_add(1);
            if naps.is_multiple_of(LOOK_AROUND) {
                engine.woken();
            } else {
                engine.napped();
            }
        } else if busy {
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
