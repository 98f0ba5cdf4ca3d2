//! Port numbers: those of OpenFlow, per bridge, and those of the datapath.

use base::{DpPort, OfPort};
use std::collections::{BTreeMap, BTreeSet};

/// First OpenFlow number that is never given out.
const END: u32 = OfPort::MAX_ORDINARY.0;

/// Gives out OpenFlow port numbers: a fresh one for as long as there are any, so that a controller which missed a
/// change does not take a new port for an old one.
#[derive(Clone, Debug, Default)]
pub struct OfNumbers {
    last: u32,
    used: BTreeSet<OfPort>,
}

impl OfNumbers {
    /// The first of the numbers asked for that is free, else another.
    pub fn find(&self, asked: &[OfPort]) -> Option<OfPort> {
        if let Some(p) = asked.iter().find(|p| p.0 > 0 && p.0 < END && !self.used.contains(p)) {
            return Some(*p);
        }
        let mut after = (self.last + 1..END).chain(1..=self.last.min(END - 1));
        after.find(|n| !self.used.contains(&OfPort(*n))).map(OfPort)
    }

    /// Gives out a number, which was asked for or not.
    pub fn take(&mut self, number: OfPort, asked: &[OfPort]) {
        self.used.insert(number);
        if !asked.contains(&number) {
            self.last = number.0;
        }
    }

    /// A number that nobody has any more.
    pub fn release(&mut self, number: OfPort) {
        self.used.remove(&number);
    }
}

/// Datapath number of a new port. Dummy datapaths number by name, so that tests can tell what to expect: `p1` is 1,
/// the first local port (`br0`) is 100. Others take the lowest free number; 0 is the datapath's own.
pub fn datapath_number<T>(name: &str, by_name: bool, used: &BTreeMap<u32, T>) -> Option<DpPort> {
    if by_name
        && let Some(n) = number_in(name)
        && !used.contains_key(&n)
    {
        return Some(DpPort(n));
    }
    let in_a_row = used.range(1..).zip(1..).take_while(|((n, _), at)| *n == at).count() as u32;
    Some(DpPort(in_a_row + 1)).filter(|n| n.0 < datapath_limit())
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
        let allocate = |n: &mut OfNumbers, asked: Option<u32>| {
            let asked = asked.map(OfPort);
            let number = n.find(asked.as_slice())?;
            n.take(number, asked.as_slice());
            Some(number.0)
        };
        assert_eq!(allocate(&mut n, None), Some(1));
        assert_eq!(allocate(&mut n, Some(7)), Some(7));
        assert_eq!(n.find(&[]), Some(OfPort(2)), "looking takes nothing");
        assert_eq!(n.find(&[OfPort(7), OfPort(9)]), Some(OfPort(9)), "the second choice");
        assert_eq!(allocate(&mut n, None), Some(2));
        assert_eq!(allocate(&mut n, Some(7)), Some(3), "that one is taken");
        assert_eq!(allocate(&mut n, Some(0)), Some(4), "that one is none");
        n.release(OfPort(1));
        assert_eq!(allocate(&mut n, None), Some(5));
        assert_eq!(allocate(&mut n, Some(1)), Some(1));
        (6..END).for_each(|number| n.take(OfPort(number), &[]));
        assert_eq!(n.find(&[]), None);
        n.release(OfPort(3));
        assert_eq!(allocate(&mut n, None), Some(3));
    }

    #[test]
    fn datapath_numbers() {
        let used = BTreeMap::from([(0, ()), (1, ()), (3, ())]);
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
        let all = (1..datapath_limit()).map(|n| (n, ())).collect();
        assert_eq!(datapath_number("x", false, &all), None);
    }
}
