//! How many flow-mods a connection made, for the log: told ten seconds after the first, and then at most once a minute.

use base::Time;
use openflow::msg::FlowModCommand;
use std::time::Duration;

/// From the first flow-mod to the report.
const FIRST_REPORT: Duration = Duration::from_secs(10);
/// Between reports.
const REPORT_INTERVAL: Duration = Duration::from_secs(60);

/// Flow-mods since the last report.
#[derive(Debug)]
pub struct Tally {
    adds: u64,
    deletes: u64,
    modifications: u64,
    span: Option<(Time, Time)>,
    next_report: Time,
}

impl Default for Tally {
    fn default() -> Self {
        Tally { adds: 0, deletes: 0, modifications: 0, span: None, next_report: Time(0) }
    }
}

impl Tally {
    /// Counts one.
    pub fn count(&mut self, command: FlowModCommand, now: Time) {
        match command {
            FlowModCommand::Add => self.adds += 1,
            FlowModCommand::Modify | FlowModCommand::ModifyStrict => self.modifications += 1,
            FlowModCommand::Delete | FlowModCommand::DeleteStrict => self.deletes += 1,
        }
        match &mut self.span {
            Some((_, last)) => *last = now,
            None => {
                self.span = Some((now, now));
                self.next_report = self.next_report.max(now + FIRST_REPORT);
            }
        }
    }

    /// When there is something to report.
    pub fn next_deadline(&self) -> Time {
        if self.span.is_some() { self.next_report } else { Time::NEVER }
    }

    /// What is to be reported now; `ends`: the connection ends, so now or never.
    pub fn report(&mut self, now: Time, ends: bool) -> Option<String> {
        let (first, last) = self.span?;
        if !ends && now < self.next_report {
            return None;
        }
        let ago = |t: Time| now.since(t).as_secs();
        let when = match (last.since(first).as_secs(), ago(last)) {
            (_, 0) => format!("in the last {} s", ago(first)),
            (0, last) => format!("{last} s ago"),
            (span, _) => format!("in the {span} s starting {} s ago", ago(first)),
        };
        let kinds = [(self.adds, "adds"), (self.deletes, "deletes"), (self.modifications, "modifications")];
        let kinds: Vec<String> =
            kinds.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect();
        let total = self.adds + self.deletes + self.modifications;
        *self = Tally { next_report: now + REPORT_INTERVAL, ..Tally::default() };
        Some(format!("{total} flow_mods {when} ({})", kinds.join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use FlowModCommand as C;

    fn at(s: u64) -> Time {
        Time::from_millis(1_000_000 + s * 1000)
    }

    /// Recorded from Open vSwitch 3.5.0 with the same commands at the same (virtual) times.
    #[test]
    fn reports_as_the_reference() {
        let mut t = Tally::default();
        t.count(C::Add, at(0));
        t.count(C::Add, at(3));
        t.count(C::Modify, at(3));
        assert_eq!(t.report(at(9), false), None);
        assert_eq!(t.next_deadline(), at(10));
        assert_eq!(
            t.report(at(10), false).unwrap(),
            "3 flow_mods in the 3 s starting 10 s ago (2 adds, 1 modifications)"
        );
        assert_eq!((t.report(at(11), true), t.next_deadline()), (None, Time::NEVER));
        // Within a minute of the last report it waits.
        t.count(C::Add, at(14));
        assert_eq!(t.next_deadline(), at(70));
        t.count(C::Add, at(49));
        assert_eq!(t.report(at(70), false).unwrap(), "2 flow_mods in the 35 s starting 56 s ago (2 adds)");
        let mut t = Tally::default();
        t.count(C::Delete, at(0));
        assert_eq!(t.report(at(0), true).unwrap(), "1 flow_mods in the last 0 s (1 deletes)");
        t.count(C::Add, at(100));
        assert_eq!(t.report(at(110), false).unwrap(), "1 flow_mods 10 s ago (1 adds)");
    }
}
