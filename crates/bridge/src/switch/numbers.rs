//! Port numbers: those of OpenFlow, per bridge, and those of the datapath.

use base::{DpPort, OfPort};
use std::collections::BTreeSet;

/// First OpenFlow number that is never given out.
const END: u32 = OfPort::MAX_ORDINARY.0;

/// Gives out OpenFlow port numbers: a fresh one for as long as there are any, so that a controller which missed a
/// change does not take a new port for an old one.
#[derive(Clone, Debug, Default)]
pub struct OfNumbers {
    last: u32,
}

impl OfNumbers {
    /// The number asked for if it is free, else another.
    pub fn allocate(&mut self, asked: Option<OfPort>, used: &BTreeSet<OfPort>) -> Option<OfPort> {
        if let Some(p) = asked.filter(|p| p.0 > 0 && p.0 < END && !used.contains(p)) {
            return Some(p);
        }
        let after = (self.last + 1..END).chain(1..=self.last.min(END - 1));
        let free = after.map(OfPort).find(|p| !used.contains(p))?;
        self.last = free.0;
        Some(free)
    }
}

/// Datapath number of a new port. Dummy datapaths number by name, so that tests can tell what to expect: `p1` is 1,
/// the first local port (`br0`) is 100. Others take the lowest free number; 0 is the datapath's own.
pub fn datapath_number(name: &str, by_name: bool, used: &BTreeSet<u32>) -> Option<DpPort> {
    if by_name
        && let Some(n) = number_in(name)
        && !used.contains(&n)
    {
        return Some(DpPort(n));
    }
    (1..datapath_limit()).find(|n| !used.contains(n)).map(DpPort)
}

const fn datapath_limit() -> u32 {
    0x1_0000
}

fn number_in(name: &str) -> Option<u32> {
    let start = if name.starts_with("br") { 100 } else { 0 };
    let digits = name.trim_start_matches(|c: char| !c.is_ascii_digit());
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    let n: u32 = digits[..end].parse().ok()?;
    n.checked_add(start).filter(|n| *n > 0 && *n < datapath_limit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn openflow_numbers_are_fresh_while_they_last() {
        let mut n = OfNumbers::default();
        let mut used = BTreeSet::new();
        assert_eq!(n.allocate(None, &used), Some(OfPort(1)));
        assert_eq!(n.allocate(Some(OfPort(7)), &used), Some(OfPort(7)));
        assert_eq!(n.allocate(None, &used), Some(OfPort(2)));
        used.insert(OfPort(9));
        assert_eq!(n.allocate(Some(OfPort(9)), &used), Some(OfPort(3)));
        assert_eq!(n.allocate(Some(OfPort(0xfeff)), &used), Some(OfPort(0xfeff)));
        used.insert(OfPort(1));
        assert_eq!(n.allocate(None, &used), Some(OfPort(4)));
    }

    #[test]
    fn datapath_numbers() {
        let used = BTreeSet::from([1]);
        for (name, by_name, want) in [
            ("br0", true, 100),
            ("br1", true, 101),
            ("p2", true, 2),
            ("p1", true, 2),
            ("br0", false, 2),
            ("x", true, 2),
        ] {
            assert_eq!(datapath_number(name, by_name, &used), Some(DpPort(want)), "{name}");
        }
    }
}
