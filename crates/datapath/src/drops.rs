//! Why the datapath itself drops packets: declared here, counted by each engine, named in metrics.
//!
//! What translation drops has its own table; those counts are kept by number ([`Counters::translated`]).

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

macro_rules! drops {
    ($($id:ident $name:literal $words:literal)*) => {
        /// A reason of the datapath's own.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(usize)]
        pub enum DropCause {
            $(#[doc = $words] $id,)*
        }

        impl DropCause {
            /// Every reason.
            pub const ALL: &'static [DropCause] = &[$(DropCause::$id),*];

            /// Short name, fit for a counter.
            pub const fn name(self) -> &'static str {
                match self { $(DropCause::$id => $name,)* }
            }

            /// What happened, in words.
            pub const fn words(self) -> &'static str {
                match self { $(DropCause::$id => $words,)* }
            }
        }
    };
}

drops! {
    UnknownPort "datapath_drop_invalid_port" "the output port does not exist"
    TxFull "datapath_drop_tx_full" "the device did not take the frame"
    RecircDepth "datapath_drop_recirc_error" "recirculated too often"
    NestingDepth "datapath_drop_nesting" "actions are nested too deeply"
    UpcallQueueFull "datapath_drop_upcall_error" "the control thread does not keep up"
    UnsupportedAction "datapath_drop_unsupported_action" "the datapath does not have this action"
    Meter "datapath_drop_meter" "a meter's rate was exceeded"
    InvalidMeter "datapath_drop_invalid_meter" "the meter does not exist"
    InvalidBond "datapath_drop_invalid_bond" "the bond does not exist"
    NotEthernet "datapath_drop_rx_invalid_packet" "the frame is too short to be Ethernet"
    BadSegmentation "datapath_drop_invalid_gso" "the frame cannot be segmented as its device said"
    Panicked "datapath_drop_panic" "a fault of the switch while it handled the packet"
}

/// Reasons of translation that are told apart.
const TRANSLATED: usize = 128;

/// Counters of one engine; written by it alone, read by anyone.
pub struct Counters {
    drops: [AtomicU64; DropCause::ALL.len()],
    translated: [AtomicU64; TRANSLATED],
    /// Packets received.
    pub received: AtomicU64,
    /// Packets looked up again after `recirc`.
    pub recirculated: AtomicU64,
    /// Found by the hash of the connection.
    pub exact_hits: AtomicU64,
    /// Found by a search of the megaflows.
    pub megaflow_hits: AtomicU64,
    /// Translated.
    pub missed: AtomicU64,
    /// Events that the control thread did not get.
    pub lost: AtomicU64,
    /// Subtables probed by searches.
    pub probed: AtomicU64,
    /// Megaflows translated again because something changed.
    pub revalidated: AtomicU64,
    /// Translations that found the table of megaflows full.
    pub table_full: AtomicU64,
    /// Panics contained.
    pub panics: AtomicU64,
    /// Cached answers that a check found wrong.
    pub mismatches: AtomicU64,
    /// Cached answers checked.
    pub checked: AtomicU64,
    /// Megaflows alive.
    pub flows: AtomicU64,
    /// Masks in use.
    pub masks: AtomicU64,
    /// Batches sent and the frames in them.
    pub tx_batches: AtomicU64,
    /// See [`Counters::tx_batches`].
    pub tx_packets: AtomicU64,
    /// Times that the engine found nothing to do.
    pub idle_polls: AtomicU64,
    /// Times that it did.
    pub busy_polls: AtomicU64,
    /// Times that it slept.
    pub sleeps: AtomicU64,
    /// Nanoseconds spent in rounds that found nothing.
    pub idle_nanos: AtomicU64,
    /// Nanoseconds spent in rounds that found packets.
    pub busy_nanos: AtomicU64,
    /// Nanoseconds slept.
    pub slept_nanos: AtomicU64,
}

impl Default for Counters {
    fn default() -> Self {
        let zero = || AtomicU64::new(0);
        Counters {
            drops: std::array::from_fn(|_| zero()),
            translated: std::array::from_fn(|_| zero()),
            received: zero(),
            recirculated: zero(),
            exact_hits: zero(),
            megaflow_hits: zero(),
            missed: zero(),
            lost: zero(),
            probed: zero(),
            revalidated: zero(),
            table_full: zero(),
            panics: zero(),
            mismatches: zero(),
            checked: zero(),
            flows: zero(),
            masks: zero(),
            tx_batches: zero(),
            tx_packets: zero(),
            idle_polls: zero(),
            busy_polls: zero(),
            sleeps: zero(),
            idle_nanos: zero(),
            busy_nanos: zero(),
            slept_nanos: zero(),
        }
    }
}

/// Adds to a counter that has one writer: no locked instruction.
#[inline]
pub(crate) fn bump(c: &AtomicU64, n: u64) {
    c.store(c.load(Relaxed).wrapping_add(n), Relaxed);
}

impl Counters {
    pub(crate) fn dropped(&self, why: DropCause, packets: u64) {
        bump(&self.drops[why as usize], packets);
    }

    pub(crate) fn drop_translated(&self, reason: u32) {
        bump(&self.translated[(reason as usize).min(TRANSLATED - 1)], 1);
    }

    /// Packets dropped for a reason of the datapath's own.
    pub fn drops(&self, why: DropCause) -> u64 {
        self.drops[why as usize].load(Relaxed)
    }

    /// Packets dropped for a reason of translation's, by its number.
    pub fn translated(&self, reason: u32) -> u64 {
        self.translated.get(reason as usize).map_or(0, |c| c.load(Relaxed))
    }
}
