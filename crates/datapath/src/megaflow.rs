//! A cached translation: the datapath flow that dumps show.
//!
//! A [`Megaflow`] is known by its key and mask for as long as it lives; what is done with its packets is its
//! [`Body`], which is replaced when a change of the tables changes the answer. Packets are counted in the body, so
//! that each is credited to the rules that handled it and to no others. Counters have one writer, the engine that
//! owns the flow; the control thread reads them, and takes what was not credited yet by moving a second counter up.

use crate::seam::Pipeline;
use arc_swap::ArcSwap;
use base::Time;
use dpif::DpAction;
use flow::{MiniKey, MiniMask};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU64, Ordering::Relaxed};

/// What is done with a megaflow's packets, and how many there were.
pub struct Body<P: Pipeline> {
    /// What to do.
    pub actions: Vec<DpAction>,
    /// What to credit.
    pub effects: Option<P::Effects>,
    /// What it depends on; `None` for a flow put in by hand.
    pub deps: Option<P::Deps>,
    hot: Hot,
    credited_packets: AtomicU64,
    credited_bytes: AtomicU64,
}

/// What is written for every packet: one cache line, which nothing else is in.
#[derive(Default)]
#[repr(align(64))]
struct Hot {
    packets: AtomicU64,
    bytes: AtomicU64,
    used: AtomicU64,
    tcp_flags: AtomicU16,
}

impl<P: Pipeline> Body<P> {
    pub(crate) fn new(actions: Vec<DpAction>, effects: Option<P::Effects>, deps: Option<P::Deps>) -> Body<P> {
        Body {
            actions,
            effects,
            deps,
            hot: Hot::default(),
            credited_packets: AtomicU64::new(0),
            credited_bytes: AtomicU64::new(0),
        }
    }

    /// Counts a packet; only the engine that owns the flow does.
    #[inline]
    pub(crate) fn count(&self, bytes: u64, now: Time, tcp_flags: u16) {
        let h = &self.hot;
        h.packets.store(h.packets.load(Relaxed) + 1, Relaxed);
        h.bytes.store(h.bytes.load(Relaxed) + bytes, Relaxed);
        h.used.store(now.0, Relaxed);
        if tcp_flags != 0 {
            h.tcp_flags.store(h.tcp_flags.load(Relaxed) | tcp_flags, Relaxed);
        }
    }

    /// Touches the line that [`Body::count`] writes.
    #[inline]
    pub(crate) fn prefetch(&self) -> u64 {
        self.hot.packets.load(Relaxed)
    }

    /// Packets and bytes since this was last asked; each is given out once, whoever asks.
    pub fn take_uncredited(&self) -> (u64, u64) {
        (take(&self.hot.packets, &self.credited_packets), take(&self.hot.bytes, &self.credited_bytes))
    }
}

fn take(total: &AtomicU64, credited: &AtomicU64) -> u64 {
    let now = total.load(Relaxed);
    now.saturating_sub(credited.fetch_max(now, Relaxed))
}

/// A datapath flow.
pub struct Megaflow<P: Pipeline> {
    /// Unique id, as in `ufid:` of dumps.
    pub ufid: u128,
    /// The key of the packet that it was made for.
    pub key: MiniKey,
    /// The bits of it that count.
    pub mask: MiniMask,
    /// When it was made.
    pub created: Time,
    /// The mask as it was given, of a flow put in by hand.
    pub given: Option<MiniMask>,
    body: ArcSwap<Body<P>>,
    base_packets: AtomicU64,
    base_bytes: AtomicU64,
    used: AtomicU64,
    tcp_flags: AtomicU16,
    dead: AtomicBool,
    gone: AtomicBool,
}

impl<P: Pipeline> Megaflow<P> {
    pub(crate) fn new(
        ufid: u128,
        key: MiniKey,
        mask: MiniMask,
        created: Time,
        body: Arc<Body<P>>,
    ) -> Megaflow<P> {
        Megaflow {
            ufid,
            key,
            mask,
            created,
            given: None,
            body: ArcSwap::new(body),
            base_packets: AtomicU64::new(0),
            base_bytes: AtomicU64::new(0),
            used: AtomicU64::new(0),
            tcp_flags: AtomicU16::new(0),
            dead: AtomicBool::new(false),
            gone: AtomicBool::new(false),
        }
    }

    /// What is done with its packets at present.
    pub fn body(&self) -> Arc<Body<P>> {
        self.body.load_full()
    }

    /// Packets and bytes.
    pub fn counts(&self) -> (u64, u64) {
        let body = self.body.load();
        (
            self.base_packets.load(Relaxed) + body.hot.packets.load(Relaxed),
            self.base_bytes.load(Relaxed) + body.hot.bytes.load(Relaxed),
        )
    }

    /// When it was last used, if ever.
    pub fn used(&self) -> Option<Time> {
        let used = self.body.load().hot.used.load(Relaxed).max(self.used.load(Relaxed));
        Some(used).filter(|t| *t != 0).map(Time)
    }

    /// The TCP flags seen, together.
    pub fn tcp_flags(&self) -> u16 {
        self.tcp_flags.load(Relaxed) | self.body.load().hot.tcp_flags.load(Relaxed)
    }

    /// Whether it is no longer to be used.
    pub fn is_dead(&self) -> bool {
        self.dead.load(Relaxed)
    }

    pub(crate) fn kill(&self) {
        self.dead.store(true, Relaxed);
    }

    /// Whether its engine has let go of it: its counters are final.
    pub(crate) fn is_gone(&self) -> bool {
        self.gone.load(std::sync::atomic::Ordering::Acquire)
    }

    pub(crate) fn set_gone(&self) {
        self.dead.store(true, Relaxed);
        self.gone.store(true, std::sync::atomic::Ordering::Release);
    }

    /// Puts another body in place; the owner credits what the old one still had.
    pub(crate) fn replace(&self, body: Arc<Body<P>>) {
        let old = self.body.load_full();
        let add = |to: &AtomicU64, from: &AtomicU64| to.store(to.load(Relaxed) + from.load(Relaxed), Relaxed);
        add(&self.base_packets, &old.hot.packets);
        add(&self.base_bytes, &old.hot.bytes);
        self.used.store(old.hot.used.load(Relaxed).max(self.used.load(Relaxed)), Relaxed);
        self.tcp_flags.store(self.tcp_flags.load(Relaxed) | old.hot.tcp_flags.load(Relaxed), Relaxed);
        self.body.store(body);
    }
}
