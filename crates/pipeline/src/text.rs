//! The text of what a record mentions.

use base::{OfPort, TableId};
use flow::{Field, Format, Subfield, Value};
use ofproto::Rule;
use openflow::{Action, Names};
use std::net::{Ipv4Addr, Ipv6Addr};

/// Prints with or without the names of ports and tables.
#[derive(Clone, Copy, Default)]
pub(crate) struct Namer<'r>(pub Option<&'r dyn Names>);

impl Namer<'_> {
    /// An action.
    pub fn action(&self, a: &Action) -> String {
        format!("{a:?}")
    }

    /// A table, as it leads a line.
    pub fn table(&self, table: TableId) -> String {
        match self.0.and_then(|n| n.table_name(table.0)) {
            Some(name) => format!("{name}."),
            None => format!("{:2}.", table.0),
        }
    }

    /// A port.
    pub fn port(&self, port: OfPort) -> String {
        port.0.to_string()
    }

    /// A flow's match alone.
    pub fn matching(&self, rule: &Rule) -> String {
        format!("{:?}", rule.matching)
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

fn hex(v: Value) -> String {
    if v == 0 { "0".into() } else { format!("{v:#x}") }
}

/// The value of a field or some bits of it.
pub(crate) fn value(sub: Subfield, v: Value) -> String {
    if sub.ofs != 0 || sub.n_bits != sub.field.info().bits {
        return hex(v);
    }
    whole(sub.field, v)
}

fn whole(field: Field, v: Value) -> String {
    match field.info().format {
        Format::Decimal => v.to_string(),
        Format::Ethernet => base::Mac::from_u64(v as u64).to_string(),
        Format::Ipv4 => Ipv4Addr::from(v as u32).to_string(),
        Format::Ipv6 => Ipv6Addr::from(v).to_string(),
        _ => hex(v),
    }
}
