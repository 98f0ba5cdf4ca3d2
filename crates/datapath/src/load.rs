//! How busy polling threads are, and with which queues.
//!
//! Threads count; the control thread looks every few seconds and remembers the differences for a minute. A round's
//! time is not measured queue by queue, which would cost more than many a round: a thread's busy time is shared out
//! by the packets of its queues.

use base::{DpPort, Time};
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Between two looks.
pub const INTERVAL: Duration = Duration::from_secs(5);
/// Looks remembered.
const KEPT: usize = 12;

/// What a receiving queue has brought.
#[derive(Debug, Default)]
pub struct QueueLoad {
    /// Packets.
    pub packets: AtomicU64,
}

/// Where a receiving queue is read.
#[derive(Clone, Debug)]
pub struct QueuePlace {
    /// The port.
    pub port: DpPort,
    /// Number of the queue among the port's.
    pub id: u32,
    /// The engine that reads it; 0 is the control thread's.
    pub engine: usize,
    pub(crate) load: Arc<QueueLoad>,
    seen: u64,
}

impl QueuePlace {
    pub(crate) fn new(port: DpPort, id: u32, engine: usize, load: Arc<QueueLoad>) -> QueuePlace {
        let seen = load.packets.load(Relaxed);
        QueuePlace { port, id, engine, load, seen }
    }
}

/// What happened between two looks.
#[derive(Clone, Debug, Default)]
struct Interval {
    took: Duration,
    /// Nanoseconds that each engine was busy, and those that it looked in vain.
    engines: Vec<(u64, u64)>,
    /// Packets of each queue.
    queues: Vec<((DpPort, u32), u64)>,
}

/// The last minute.
#[derive(Debug, Default)]
pub(crate) struct History {
    last: Option<Time>,
    engines: Vec<(u64, u64)>,
    kept: VecDeque<Interval>,
}

/// Parts of a thread's time over some seconds, in percent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// For each queue asked for.
    pub queues: Vec<u64>,
    /// What went into looking for packets in vain.
    pub overhead: u64,
}

impl History {
    /// Forgets everything: queues were handed out anew.
    pub(crate) fn restart(&mut self) {
        *self = History::default();
    }

    /// Looks, if it is time. `engines`: nanoseconds busy and idle until now, of each.
    pub(crate) fn look(&mut self, now: Time, engines: Vec<(u64, u64)>, queues: &mut [QueuePlace]) {
        let Some(last) = self.last else {
            (self.last, self.engines) = (Some(now), engines);
            return;
        };
        let took = now.since(last);
        if took < INTERVAL {
            return;
        }
        let past = self.engines.iter().copied().chain(std::iter::repeat((0, 0)));
        let deltas =
            engines.iter().zip(past).map(|(n, p)| (n.0.saturating_sub(p.0), n.1.saturating_sub(p.1)));
        let engines_now = deltas.collect();
        let queues = queues.iter_mut().map(|q| {
            let total = q.load.packets.load(Relaxed);
            ((q.port, q.id), total - std::mem::replace(&mut q.seen, total))
        });
        self.kept.push_front(Interval { took, engines: engines_now, queues: queues.collect() });
        self.kept.truncate(KEPT);
        (self.last, self.engines) = (Some(now), engines);
    }

    /// The parts of an engine's time over the last `n` looks that went into `queues`; `None` if there were none yet.
    pub(crate) fn usage(&self, engine: usize, n: usize, queues: &[&QueuePlace]) -> Option<Usage> {
        let looks: Vec<&Interval> = self.kept.iter().take(n.clamp(1, KEPT)).collect();
        let took: u64 = looks.iter().map(|l| l.took.as_nanos() as u64).sum();
        if took == 0 {
            return None;
        }
        let mut per_queue = vec![0u64; queues.len()];
        let mut idle = 0;
        for look in looks {
            let (busy, in_vain) = look.engines.get(engine).copied().unwrap_or_default();
            idle += in_vain;
            let of = |q: &QueuePlace| look.queues.iter().find(|l| l.0 == (q.port, q.id)).map_or(0, |l| l.1);
            let all: u64 = queues.iter().map(|q| of(q)).sum();
            for (sum, q) in per_queue.iter_mut().zip(queues) {
                *sum += (u128::from(busy) * u128::from(of(q)) / u128::from(all.max(1))) as u64;
            }
        }
        let percent = |nanos: u64| nanos.saturating_mul(100) / took;
        Some(Usage { queues: per_queue.into_iter().map(percent).collect(), overhead: percent(idle) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_shared_out_by_packets() {
        let load = || Arc::new(QueueLoad::default());
        let mut queues =
            vec![QueuePlace::new(DpPort(1), 0, 1, load()), QueuePlace::new(DpPort(2), 0, 1, load())];
        let mut h = History::default();
        h.look(Time::from_millis(0), vec![(0, 0), (0, 0)], &mut queues);
        assert_eq!(h.usage(1, 12, &[&queues[0]]), None);
        queues[0].load.packets.store(300, Relaxed);
        queues[1].load.packets.store(100, Relaxed);
        h.look(Time::from_millis(4_999), vec![(0, 0), (9, 9)], &mut queues);
        assert_eq!(h.usage(1, 12, &[&queues[0]]), None);
        h.look(Time::from_millis(5_000), vec![(0, 0), (2_000_000_000, 500_000_000)], &mut queues);
        let both: Vec<&QueuePlace> = queues.iter().collect();
        assert_eq!(h.usage(1, 1, &both), Some(Usage { queues: vec![30, 10], overhead: 10 }));
        h.look(Time::from_millis(10_000), vec![(0, 0), (2_000_000_000, 500_000_000)], &mut queues);
        let both: Vec<&QueuePlace> = queues.iter().collect();
        assert_eq!(h.usage(1, 1, &both), Some(Usage { queues: vec![0, 0], overhead: 0 }));
        assert_eq!(h.usage(1, 12, &both), Some(Usage { queues: vec![15, 5], overhead: 5 }));
    }
}
