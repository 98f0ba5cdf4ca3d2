//! The text of what a record mentions.

use base::{OfPort, TableId};
use flow::text::format::fields_of;
use flow::text::port::{PortMap, port_text};
use flow::text::value::{full_mask, value_text};
use flow::text::{Style, match_text};
use flow::{FlowKey, Mask, Match, MiniMatch, Subfield, Value};
use ofproto::Rule;
use openflow::text::Fmt;
use openflow::{Action, Names, NoNames};

/// Prints with or without the names of ports and tables.
#[derive(Clone, Copy)]
pub(crate) struct Namer<'r>(pub &'r dyn Names);

impl Default for Namer<'_> {
    fn default() -> Self {
        Namer(&NoNames)
    }
}

impl PortMap for Namer<'_> {
    fn port_name(&self, port: OfPort) -> Option<String> {
        self.0.port_name(port)
    }
    fn port_number(&self, name: &str) -> Option<OfPort> {
        self.0.port_number(name)
    }
}

impl Namer<'_> {
    fn style(&self) -> Style<'_> {
        Style { ports: self, ..Style::default() }
    }

    /// An action.
    pub fn action(&self, a: &Action) -> String {
        let mut f = Fmt::new(self.0);
        a.format(&mut f);
        f.out
    }

    /// A table, as it leads a line.
    pub fn table(&self, table: TableId) -> String {
        match self.0.table_name(table.0) {
            Some(name) => format!("{name}."),
            None => format!("{:2}.", table.0),
        }
    }

    /// A port.
    pub fn port(&self, port: OfPort) -> String {
        port_text(port, self)
    }

    /// A flow's match alone.
    pub fn matching(&self, rule: &Rule) -> String {
        self.match_of(&rule.matching)
    }

    /// A match.
    pub fn match_of(&self, m: &MiniMatch) -> String {
        match_text(&m.expand(), None, self.style())
    }

    /// A flow's match, priority and cookie.
    pub fn rule(&self, rule: &Rule) -> String {
        let mut out = self.matching(rule);
        if !out.is_empty() {
            out.push_str(", ");
        }
        out.push_str(&format!("priority {}", rule.priority));
        if rule.cookie.0 != 0 {
            out.push_str(&format!(", cookie {:#x}", rule.cookie.0));
        }
        out
    }
}

/// A packet's flow; in_port is an OpenFlow number.
pub(crate) fn flow(key: &FlowKey, names: &Namer<'_>) -> String {
    let mut mask = fields_of(key);
    for n in (0..32).filter(|n| key.reg(*n) == 0) {
        mask.0.set_reg(n, 0);
    }
    if key.in_port() == OfPort(0) {
        mask.0.set_in_port(OfPort(0));
    }
    match_text(&Match::masked(key, &mask), None, names.style())
}

/// A megaflow's match; in_port is an OpenFlow number.
pub(crate) fn megaflow(key: &FlowKey, mask: &Mask, names: &Namer<'_>) -> String {
    let text = match_text(&Match::masked(key, mask), None, names.style());
    // The label has 20 bits in a field of 32, and megaflows are masked in all.
    match text.split_once("ipv6_label=") {
        Some((before, label)) if mask.0.ipv6_label() == 0xf_ffff => {
            let end = label.find(',').unwrap_or(label.len());
            format!("{before}ipv6_label={}/0xfffff{}", &label[..end], &label[end..])
        }
        _ => text,
    }
}

/// A field or some bits of it: `NXM_NX_REG0[0..7]`.
pub(crate) fn subfield(sub: Subfield) -> String {
    let info = sub.field.info();
    let name = info.headers().iter().find(|h| h.of_version == 0).or(info.headers().first());
    let name = name.map_or(info.name, |h| h.name);
    match (sub.ofs, sub.n_bits) {
        (0, n) if n == info.bits => format!("{name}[]"),
        (ofs, 1) => format!("{name}[{ofs}]"),
        (ofs, n) => format!("{name}[{ofs}..{}]", ofs + n - 1),
    }
}

/// The value of a field or some bits of it.
pub(crate) fn value(sub: Subfield, v: Value) -> String {
    if sub.ofs == 0 && sub.n_bits == sub.field.info().bits {
        return value_text(sub.field, v, full_mask(sub.field.info()), &flow::text::NoPorts);
    }
    if v == 0 { "0".into() } else { format!("{v:#x}") }
}
