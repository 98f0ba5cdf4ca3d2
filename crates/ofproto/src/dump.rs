//! `bridge/dump-flows`: every flow, those that controllers do not see included.

use crate::ofproto::Ofproto;
use crate::rule::Rule;
use base::Time;
use flow::text::{Style, match_text};
use openflow::Action;
use std::fmt::Write;
use std::sync::Arc;

/// Priority that is not printed.
const DEFAULT_PRIORITY: u32 = 0x8000;

impl Ofproto {
    /// The text of all flows, a line each, by table and falling priority. `actions` gives the text of actions
    /// (`drop` for none); `offload` adds the counters of what hardware handles, which is nothing.
    pub fn dump_flows(&self, now: Time, offload: bool, actions: &dyn Fn(&[Action]) -> String) -> String {
        let mut out = String::new();
        for (_, table) in self.state.tables().iter() {
            let mut rules: Vec<(u32, String, &Arc<Rule>)> = table
                .flows
                .iter()
                .map(|e| (e.priority, match_text(&e.matching.expand(), None, Style::default()), &e.0))
                .collect();
            rules.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
            for (_, matching, rule) in rules {
                line(&mut out, rule, &matching, now, offload);
                out.push_str("actions=");
                out.push_str(&actions(&rule.actions));
                out.push('\n');
            }
        }
        out
    }
}

fn line(out: &mut String, rule: &Rule, matching: &str, now: Time, offload: bool) {
    // Writing to a string cannot fail.
    if rule.cookie.0 != 0 {
        let _ = write!(out, "cookie={:#x}, ", rule.cookie.0);
    }
    if rule.table.0 != 0 {
        let _ = write!(out, "table_id={}, ", rule.table.0);
    }
    let _ = write!(
        out,
        "duration={}s, n_packets={}, n_bytes={}, ",
        now.since(rule.created).as_secs(),
        rule.stats.packets(),
        rule.stats.bytes()
    );
    if offload {
        out.push_str("n_offload_packets=0, n_offload_bytes=0, ");
    }
    if rule.priority != DEFAULT_PRIORITY {
        let _ = write!(out, "priority={},", rule.priority);
    }
    out.push_str(matching);
    if !matching.is_empty() || rule.priority == DEFAULT_PRIORITY {
        out.push(',');
    }
}
