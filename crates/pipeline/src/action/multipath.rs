//! `multipath`: hash the packet into a link number.

use crate::ctx::Ctx;
use crate::hash;
use openflow::action::{Multipath, MultipathAlgorithm};

pub(crate) fn run(ctx: &mut Ctx<'_, '_>, m: &Multipath) {
    let h = hash::fields(ctx, m.fields, m.basis.into());
    let link = link(m.algorithm, h, u32::from(m.max_link) + 1, m.arg);
    ctx.write_sub(m.dst, link.into());
    ctx.tell_now(m.dst);
}

/// The link for a hash, of `n` links.
fn link(algorithm: MultipathAlgorithm, h: u32, n: u32, arg: u32) -> u32 {
    match algorithm {
        MultipathAlgorithm::ModuloN => h % n,
        MultipathAlgorithm::HashThreshold if n == 1 => 0,
        MultipathAlgorithm::HashThreshold => h / (u32::MAX / n + 1),
        MultipathAlgorithm::Hrw => best(h, 0..n),
        MultipathAlgorithm::IterHash => {
            let modulo = if arg == 0 { 1 << 16 } else { arg.max(n) };
            // Each try succeeds with n/modulo; a bound keeps the worst case finite.
            let tries = (0..1024u32).map(|i| hash::words([u64::from(h), i.into()], 0) % modulo);
            tries.into_iter().find(|l| *l < n).unwrap_or(h % n)
        }
    }
}

/// Highest random weight (RFC 2992, section 3).
pub(crate) fn best(h: u32, links: impl Iterator<Item = u32>) -> u32 {
    links.max_by_key(|l| (hash::words([u64::from(h), u64::from(*l)], 0), *l)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_in_range_and_spread() {
        use MultipathAlgorithm::*;
        for (algorithm, arg) in [(ModuloN, 0), (HashThreshold, 0), (Hrw, 0), (IterHash, 0), (IterHash, 8)] {
            for n in [1, 2, 3, 7, 64] {
                let mut count = vec![0; n as usize];
                for i in 0..n * 200 {
                    let l = link(algorithm, hash::words([i.into()], 1), n, arg);
                    count[l as usize] += 1;
                }
                assert!(count.iter().all(|c| *c > 100 && *c < 330), "{algorithm:?} {n}: {count:?}");
            }
        }
    }
}
