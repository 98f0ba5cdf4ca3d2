//! Which polling threads there are to be: `pmd-cpu-mask`.

use super::Switch;
use super::backer::Backer;
use base::{error, info};
use datapath::ThreadParts;

/// Threads at most, whatever the mask says.
const MOST: usize = 64;

/// The cores of a `pmd-cpu-mask`, as far as the machine has them; none if there is no (good) mask.
fn cores_of(mask: &str, available: usize) -> Vec<u32> {
    let digits = mask.trim().trim_start_matches("0x").trim_start_matches("0X");
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Vec::new();
    }
    let bits = digits.bytes().rev().enumerate().flat_map(|(n, d)| {
        let value = (d as char).to_digit(16).unwrap_or(0);
        (0..4).filter(move |b| value >> b & 1 != 0).map(move |b| n as u32 * 4 + b)
    });
    bits.filter(|c| (*c as usize) < available).take(MOST).collect()
}

impl Switch {
    /// Cores for polling threads, and whether threads are to stay on them.
    fn polling_cores(&self) -> (Vec<u32>, bool) {
        let available = std::thread::available_parallelism().map_or(1, usize::from);
        let mask = self.config.other_config.get("pmd-cpu-mask").map_or("", String::as_str);
        let cores = cores_of(mask, available);
        // Without a mask, one thread, which the system may move.
        if cores.is_empty() { (vec![0], false) } else { (cores, true) }
    }

    /// Starts the polling threads of a datapath that has none yet.
    pub(super) fn start_polling(&self, backer: &mut Backer) {
        let (cores, pin) = self.polling_cores();
        backer.polling = Some((cores.clone(), pin));
        let parts = |n: usize| -> std::io::Result<ThreadParts> { (self.env.threads)(n) };
        if let Err(e) = backer.dp.set_threads(&cores, pin, parts) {
            error!(
                self.env.log,
                "dpif_netdev",
                "{}: only {} of {} polling threads could be started ({})",
                backer.name(),
                backer.dp.threads(),
                cores.len(),
                reactor::errno::text(&e)
            );
        }
    }

    /// Makes every datapath's polling threads what the database asks for.
    pub(super) fn configure_polling(&mut self) {
        if self.inline() {
            return;
        }
        let wanted = self.polling_cores();
        let mut backers = std::mem::take(&mut self.backers);
        for backer in backers.values_mut().filter(|b| b.polling.as_ref() != Some(&wanted)) {
            info!(self.env.log, "dpif_netdev", "{}: polling on {} cores", backer.name(), wanted.0.len());
            self.start_polling(backer);
        }
        self.backers = backers;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks() {
        for (mask, available, want) in [
            ("", 4, vec![]),
            ("3", 4, vec![0, 1]),
            ("0x6", 4, vec![1, 2]),
            ("f0", 4, vec![]),
            ("f1", 4, vec![0]),
            ("zz", 4, vec![]),
            ("ffffffffffffffffffffffff", 2, vec![0, 1]),
            ("-1", 4, vec![]),
        ] {
            assert_eq!(cores_of(mask, available), want, "{mask}");
        }
    }
}
