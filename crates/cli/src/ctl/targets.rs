//! Rows that name connections: controllers and managers.

use super::Context;
use super::command::Invocation;
use ovsdb::Uuid;

/// Transports that a target may name.
const METHODS: &[&str] = &["tcp", "ssl", "unix", "ptcp", "pssl", "punix"];

/// A leading integer, 0 without one: how numbers were always read here.
pub fn number(text: &str) -> i64 {
    let t = text.trim_start();
    let digits = t.strip_prefix(['-', '+']).unwrap_or(t);
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    let n: i64 = digits[..end].parse().unwrap_or(0);
    if t.starts_with('-') { -n } else { n }
}

/// A leading integer, if there is one.
pub fn leading_number(text: &str) -> Option<i64> {
    let t = text.trim_start();
    let digits = t.strip_prefix(['-', '+']).unwrap_or(t);
    digits.starts_with(|c: char| c.is_ascii_digit()).then(|| number(text))
}

/// The targets of these rows in order.
pub fn targets(c: &Context, table: &str, rows: &[Uuid]) -> Vec<String> {
    let mut all: Vec<String> = rows.iter().map(|r| c.model.string(table, *r, "target")).collect();
    all.sort();
    all
}

fn check_target(c: &Context, module: &'static str, target: &str) {
    let method = target.split(':').next().unwrap_or_default();
    if !target.contains(':') || !METHODS.contains(&method) {
        base::warn!(c.log, module, "target type \"{target}\" is possibly erroneous");
    }
}

/// Makes one row for each target, with the probe interval that the command gives.
pub fn insert_targets<C>(
    c: &mut Context,
    module: &'static str,
    call: &Invocation<C>,
    table: &str,
    names: &[String],
) -> Vec<Uuid> {
    let probe = call.value("--inactivity-probe").map(number);
    let mut rows = Vec::new();
    for name in names {
        check_target(c, module, name);
        let row = c.model.insert(table);
        c.model.set_string(table, row, "target", name);
        if let Some(probe) = probe {
            c.model.set_int(table, row, "inactivity_probe", probe);
        }
        rows.push(row);
    }
    rows
}
