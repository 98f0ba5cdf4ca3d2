//! Flow tables: what is printed. Tables that are like the one before are not printed again.

use super::group::action_names;
use super::{CHex, Fmt};
use crate::msg::table::{EVICTION_FLAGS_NONE, TableActionFeatures, TableFlowFeatures};
use crate::msg::{
    TableDesc, TableEviction, TableFeatures, TableMiss, TableMod, TableReason, TableStats, TableStatus,
    TableVacancy,
};
use crate::version::Version;
use flow::Field;
use std::fmt::Write;

/// Names as a shell would expand them: `eth_{src,dst,type}`, `reg0...reg15`.
fn compress(names: &[&str]) -> String {
    let mut out = String::new();
    let mut i = 0;
    while i < names.len() {
        if i > 0 {
            out.push(' ');
        }
        i += group(&names[i..], "", &mut out);
    }
    out
}

/// Writes what the first of `names` begins, without `prefix`; gives how many it took.
fn group(names: &[&str], prefix: &str, out: &mut String) -> usize {
    let run = numbered(names);
    if run >= 2 {
        let short = |n: usize| &names[n][prefix.len()..];
        let _ = write!(out, "{}...{}", short(0), short(run - 1));
        return run;
    }
    let rest = &names[0][prefix.len()..];
    if let Some(at) = rest.find('_') {
        let head = &names[0][..prefix.len() + at + 1];
        let n = names.iter().take_while(|n| n.starts_with(head)).count();
        if n > 1 {
            out.push_str(&rest[..=at]);
            out.push('{');
            let mut i = 0;
            while i < n {
                if i > 0 {
                    out.push(',');
                }
                i += group(&names[i..n], head, out);
            }
            out.push('}');
            return n;
        }
    }
    out.push_str(rest);
    1
}

/// How many names in front count up: `c1 c2 c3`.
fn numbered(names: &[&str]) -> usize {
    let split = |s: &str| {
        let digits = s.trim_end_matches(|c: char| c.is_ascii_digit()).len();
        s[digits..].parse::<u32>().ok().map(|n| (s[..digits].to_string(), n))
    };
    let Some((base, first)) = split(names[0]) else { return 1 };
    let mut n = 1;
    while let Some((b, v)) = names.get(n).and_then(|s| split(s)) {
        if b != base || v != first + n as u32 {
            break;
        }
        n += 1;
    }
    n
}

fn fields(f: &mut Fmt<'_>, mut list: Vec<Field>) {
    list.sort();
    let names: Vec<&str> = list.iter().map(|x| x.name()).collect();
    let text = compress(&names);
    f.put(if text.is_empty() { "none" } else { &text });
}

/// Ranges of the tables that flows may go to.
fn next_tables(next: &[u64; 4], f: &mut Fmt<'_>) {
    let has = |t: usize| next[t / 64] >> (t % 64) & 1 != 0;
    let mut t = 0;
    let mut sep = "";
    let start = f.out.len();
    while t < 256 {
        if !has(t) {
            t += 1;
            continue;
        }
        let first = t;
        while t < 256 && has(t) {
            t += 1;
        }
        let _ = write!(f, "{sep}{first}");
        if t - 1 > first {
            let _ = write!(f, "-{}", t - 1);
        }
        sep = ",";
    }
    if f.out.len() == start {
        f.put("none");
    }
}

fn has_next(next: &[u64; 4]) -> bool {
    next.iter().any(|w| *w != 0)
}

fn action_features(a: &TableActionFeatures, version: Version, f: &mut Fmt<'_>) {
    let names = action_names(a.actions, version);
    if !names.is_empty() {
        let _ = writeln!(f, "        actions:{names}");
    }
    if !a.set_fields.is_empty() {
        f.put("        supported on Set-Field: ");
        fields(f, a.set_fields.clone());
        f.put("\n");
    }
}

/// Prints one kind of flows' features.
fn flow_features(
    x: &TableFlowFeatures,
    before: Option<&TableFlowFeatures>,
    version: Version,
    f: &mut Fmt<'_>,
) {
    if before == Some(x) {
        f.put("      (same features)\n");
        return;
    }
    let same_next = before.is_some_and(|b| b.next == x.next);
    if has_next(&x.next) {
        if same_next {
            f.put("      (same next tables)\n");
        } else {
            f.put("      next tables: ");
            next_tables(&x.next, f);
            f.put("\n");
        }
    }
    if x.instructions == 0 {
    } else if before.is_some_and(|b| b.instructions == x.instructions) {
        f.put("      (same instructions)\n");
    } else {
        f.put("      instructions:");
        for (bit, name) in TableFeatures::INSTRUCTIONS {
            if x.instructions >> bit & 1 != 0 {
                let _ = write!(f, " {name}");
            }
        }
        f.put("\n");
    }
    if version >= Version::V13 && before.is_some_and(|b| b.write == x.write && b.apply == x.apply) {
        f.put("      (same actions)\n");
    } else if x.write == TableActionFeatures::default() && x.apply == x.write {
    } else if x.write == x.apply {
        f.put("      Write-Actions and Apply-Actions features:\n");
        action_features(&x.write, version, f);
    } else {
        f.put("      Write-Actions features:\n");
        action_features(&x.write, version, f);
        f.put("      Apply-Actions features:\n");
        action_features(&x.apply, version, f);
    }
}

fn same_but_names(a: &TableFeatures, b: &TableFeatures) -> bool {
    let mut b = b.clone();
    b.table = a.table;
    b.name.clone_from(&a.name);
    *a == b
}

fn miss_text(m: TableMiss) -> &'static str {
    match m {
        TableMiss::Default => "default",
        TableMiss::Controller => "controller",
        TableMiss::Continue => "continue",
        TableMiss::Drop => "drop",
    }
}

/// Prints the features of a table, after its heading.
fn features_body(x: &TableFeatures, before: Option<&TableFeatures>, version: Version, f: &mut Fmt<'_>) {
    if version >= Version::V15 && x.features != 0 {
        let _ = writeln!(f, "    features={:#x}", x.features);
    }
    if version >= Version::V12 && (x.metadata_match != 0 || x.metadata_write != 0) {
        f.put("    metadata: ");
        if x.metadata_match == x.metadata_write && x.metadata_match == 0 {
            f.put("none\n");
        } else {
            let _ = writeln!(f, "match={} write={}", CHex(x.metadata_match), CHex(x.metadata_write));
        }
    }
    if x.miss != TableMiss::Default {
        let _ = writeln!(f, "    config={}", miss_text(x.miss));
    }
    if let Some(e) = x.supports_eviction {
        let _ = writeln!(f, "    eviction: {}supported", if e { "" } else { "not " });
    }
    if let Some(v) = x.supports_vacancy {
        let _ = writeln!(f, "    vacancy events: {}supported", if v { "" } else { "not " });
    }
    if x.max_entries != 0 {
        let _ = writeln!(f, "    max_entries={}", x.max_entries);
    }
    let nothing = TableFlowFeatures::default();
    if version > Version::V10 && (x.nonmiss != nothing || x.on_miss != nothing) {
        let miss_same = x.on_miss == x.nonmiss || version < Version::V13;
        if before.is_some_and(|b| b.nonmiss == x.nonmiss && b.on_miss == x.on_miss) {
            f.put("    (same instructions)\n");
        } else if miss_same {
            f.put("    instructions (table miss and others):\n");
            flow_features(&x.nonmiss, before.map(|b| &b.nonmiss), version, f);
        } else {
            f.put("    instructions (other than table miss):\n");
            flow_features(&x.nonmiss, before.map(|b| &b.nonmiss), version, f);
            f.put("    instructions (table miss):\n");
            flow_features(&x.on_miss, before.map(|b| &b.on_miss), version, f);
        }
    }
    // How the fields may be matched is not compared.
    let sorted = |x: &TableFeatures| {
        let mut all: Vec<Field> = x.matches.iter().map(|m| m.field).collect();
        all.sort();
        all
    };
    if before.is_some_and(|b| sorted(b) == sorted(x)) {
        f.put("    (same matching)\n");
        return;
    }
    if x.matches.is_empty() {
        return;
    }
    f.put("    matching:\n");
    let pick = |p: &dyn Fn(&crate::msg::table::TableMatchField) -> bool| -> Vec<Field> {
        x.matches.iter().filter(|m| p(m)).map(|m| m.field).collect()
    };
    for (name, list) in [
        ("arbitrary mask", pick(&|m| m.maskable)),
        ("exact match or wildcard", pick(&|m| !m.maskable && m.wildcardable)),
        ("must exact match", pick(&|m| !m.maskable && !m.wildcardable)),
    ] {
        if !list.is_empty() {
            let _ = write!(f, "      {name}: ");
            fields(f, list);
            f.put("\n");
        }
    }
}

fn heading(table: u8, name: &str, f: &mut Fmt<'_>) {
    let _ = write!(f, "\n  table {table}");
    let known = if name.is_empty() { f.names.table_name(table) } else { Some(name.to_string()) };
    if let Some(n) = known.filter(|n| *n != format!("table{table}") && *n != table.to_string()) {
        let _ = write!(f, " (\"{n}\")");
    }
    f.put(":\n");
}

/// Gathers tables that are "ditto".
#[derive(Default)]
struct Ditto {
    first: Option<u8>,
    last: u8,
}

impl Ditto {
    fn add(&mut self, table: u8) {
        self.first.get_or_insert(table);
        self.last = table;
    }

    fn flush(&mut self, f: &mut Fmt<'_>) {
        if let Some(first) = self.first.take() {
            if first == self.last {
                let _ = writeln!(f, "\n  table {first}: ditto");
            } else {
                let _ = writeln!(f, "\n  tables {first}...{}: ditto", self.last);
            }
        }
    }
}

/// Prints table features as a list, without a heading.
pub fn format_features_list(all: &[TableFeatures], version: Version, f: &mut Fmt<'_>) {
    let mut printer = FeaturesPrinter::default();
    for x in all {
        printer.add(x, version, f);
    }
    printer.end(f);
}

/// Prints table features that come in several messages.
#[derive(Default)]
pub struct FeaturesPrinter {
    before: Option<TableFeatures>,
    ditto: Ditto,
}

impl FeaturesPrinter {
    /// Prints a table's, or remembers that they are like the one's before.
    pub fn add(&mut self, x: &TableFeatures, version: Version, f: &mut Fmt<'_>) {
        let mut y = x.clone();
        y.nonmiss = normal(&x.nonmiss, x.table);
        y.on_miss = normal(&x.on_miss, x.table);
        let same = self.before.as_ref().is_some_and(|b| {
            let mut z = b.clone();
            z.nonmiss = normal(&b.nonmiss, b.table);
            z.on_miss = normal(&b.on_miss, b.table);
            same_but_names(&y, &z)
        });
        if same && (x.name.is_empty() || x.name == format!("table{}", x.table)) {
            self.ditto.add(x.table);
        } else {
            self.ditto.flush(f);
            heading(x.table, &x.name, f);
            features_body(x, self.before.as_ref(), version, f);
        }
        self.before = Some(x.clone());
    }

    /// Prints what is left.
    pub fn end(&mut self, f: &mut Fmt<'_>) {
        self.ditto.flush(f);
    }
}

/// Features with "all later tables" made comparable between tables.
fn normal(x: &TableFlowFeatures, table: u8) -> TableFlowFeatures {
    let mut y = x.clone();
    for t in 0..=table {
        y.next[usize::from(t / 64)] |= 1 << (t % 64);
    }
    if !has_next(&x.next) {
        y.next = [0; 4];
    }
    y
}

/// Prints the counters of tables.
pub fn format_stats(all: &[TableStats], version: Version, f: &mut Fmt<'_>) {
    let mut before: Option<&TableStats> = None;
    let mut ditto = Ditto::default();
    for s in all {
        let counters = before.is_some_and(|b| {
            (b.active_count, b.lookup_count, b.matched_count)
                == (s.active_count, s.lookup_count, s.matched_count)
        });
        let features = match (before.and_then(|b| b.features.as_deref()), s.features.as_deref()) {
            (Some(a), Some(b)) => same_but_names(a, b),
            (None, None) => before.is_some(),
            _ => false,
        };
        let named = f.names.table_name(s.table).is_some();
        if counters && features && !named {
            ditto.add(s.table);
        } else {
            ditto.flush(f);
            heading(s.table, s.features.as_deref().map_or("", |x| plain_name(&x.name, s.table)), f);
            let _ = writeln!(
                f,
                "    active={}, lookup={}, matched={}",
                s.active_count, s.lookup_count, s.matched_count
            );
            if let Some(x) = s.features.as_deref() {
                if features {
                    f.put("    (same features)\n");
                } else {
                    features_body(x, before.and_then(|b| b.features.as_deref()), version, f);
                }
            }
        }
        before = Some(s);
    }
    ditto.flush(f);
}

fn plain_name(name: &str, table: u8) -> &str {
    if name == format!("table{table}") { "" } else { name }
}

fn eviction_flags(flags: u32) -> String {
    let mut words = Vec::new();
    for (bit, name) in [(1, "OTHER"), (2, "IMPORTANCE"), (4, "LIFETIME")] {
        if flags & bit != 0 {
            words.push(name.to_string());
        }
    }
    let rest = flags & !7;
    if rest != 0 {
        words.push(format!("{rest:#x}"));
    }
    match flags {
        EVICTION_FLAGS_NONE => "(default)".to_string(),
        0 => "0".to_string(),
        _ => words.join("|"),
    }
}

/// Prints a table's description.
pub fn format_desc(t: &TableDesc, f: &mut Fmt<'_>) {
    f.put("\n  table ");
    f.table(t.table);
    f.put(":\n");
    let on = if t.eviction == TableEviction::On { "on" } else { "off" };
    let _ = write!(f, "   eviction={on} eviction_flags={}\n   ", eviction_flags(t.eviction_flags));
    match t.vacancy {
        TableVacancy::On { down, up, vacancy } => {
            let _ = writeln!(f, "vacancy=on vacancy_down={down}% vacancy_up={up}% vacancy={vacancy}%");
        }
        _ => f.put("vacancy=off\n"),
    }
}

/// Prints a table-mod.
pub fn format_mod(t: &TableMod, version: Version, f: &mut Fmt<'_>) {
    if t.table == 0xff {
        f.put(" table_id: ALL_TABLES");
    } else {
        f.put(" table_id=");
        f.table(t.table);
    }
    if version <= Version::V12 && t.miss != TableMiss::Default {
        let _ = write!(f, ", flow_miss_config={}", miss_text(t.miss));
    }
    if version >= Version::V14 {
        // Flags, where they are given, are shown in place of the setting.
        match (t.eviction_flags, t.eviction) {
            (EVICTION_FLAGS_NONE, TableEviction::On) | (1, _) => f.put(", eviction=on"),
            (EVICTION_FLAGS_NONE, _) | (2, _) => f.put(", eviction=off"),
            (0, _) => {}
            _ => f.put(", eviction=***error***"),
        }
        match t.vacancy {
            TableVacancy::On { down, up, .. } => {
                let _ = write!(f, ", vacancy=on vacancy:{down},{up}");
            }
            _ => f.put(", vacancy=off"),
        }
    }
}

/// Prints a table-status.
pub fn format_status(s: &TableStatus, f: &mut Fmt<'_>) {
    f.put(match s.reason {
        TableReason::VacancyDown => " reason=VACANCY_DOWN",
        TableReason::VacancyUp => " reason=VACANCY_UP",
    });
    let _ = write!(f, "\ntable_desc:-");
    format_desc(&s.desc, f);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_compressed() {
        let cases: &[(&[&str], &str)] = &[
            (&["eth_src", "eth_dst", "eth_type"], "eth_{src,dst,type}"),
            (&["in_port"], "in_port"),
            (&["in_port", "in_port_oxm", "metadata"], "in_{port,port_oxm} metadata"),
            (&["reg0", "reg1", "reg2"], "reg0...reg2"),
            (&["nsh_si", "nsh_c1", "nsh_c2", "nsh_c3"], "nsh_{si,c1...c3}"),
            (&["tun_id", "tun_ipv6_src", "tun_ipv6_dst", "tun_flags"], "tun_{id,ipv6_{src,dst},flags}"),
            (&["ct_zone", "ct_nw_proto"], "ct_{zone,nw_proto}"),
        ];
        for (names, want) in cases {
            assert_eq!(compress(names), *want);
        }
    }
}
