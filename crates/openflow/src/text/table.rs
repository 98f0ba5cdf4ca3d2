//! Flow tables: what is printed. Tables that are like the one before are not printed again.

use super::group::{action_names, known_actions};
use super::{CHex, Fmt};
use crate::msg::table::{EVICTION_FLAGS_NONE, TableActionFeatures, TableFlowFeatures, TableMatchField};
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

/// Prints one kind of flows' features, as [`comparable`].
fn flow_features(
    x: &TableFlowFeatures,
    before: Option<&TableFlowFeatures>,
    version: Version,
    f: &mut Fmt<'_>,
) {
    if has_next(&x.next) {
        f.put("      next tables: ");
        next_tables(&x.next, f);
        f.put("\n");
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
    let same = |b: &TableFlowFeatures| b.write == x.write && b.apply == x.apply;
    // Actions that set no field are told anew each time.
    if !x.write.set_fields.is_empty() && before.is_some_and(same) {
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

/// A table's features as they are told and compared with another table's.
fn comparable(x: &TableFeatures, version: Version) -> TableFeatures {
    let mut matches = x.matches.clone();
    matches.sort_by_key(|m| m.field);
    let actions = |a: &TableActionFeatures| {
        let mut set_fields = a.set_fields.clone();
        set_fields.sort();
        TableActionFeatures { actions: a.actions & known_actions(version), set_fields }
    };
    let flows = |x: &TableFlowFeatures| TableFlowFeatures {
        write: actions(&x.write),
        apply: actions(&x.apply),
        ..x.clone()
    };
    TableFeatures { nonmiss: flows(&x.nonmiss), on_miss: flows(&x.on_miss), matches, ..x.clone() }
}

/// Whether two tables have the same features, apart from what makes each table another.
fn same_features(a: &TableFeatures, b: &TableFeatures) -> bool {
    let rest = |x: &TableFeatures| TableFeatures {
        table: 0,
        name: String::new(),
        command: 0,
        features: 0,
        nonmiss: TableFlowFeatures::default(),
        on_miss: TableFlowFeatures::default(),
        matches: Vec::new(),
        ..x.clone()
    };
    same_flows(a, b) && same_matches(a, b) && rest(a) == rest(b)
}

fn same_flows(a: &TableFeatures, b: &TableFeatures) -> bool {
    [(&a.nonmiss, &b.nonmiss), (&a.on_miss, &b.on_miss)].into_iter().all(|(x, y)| {
        same_next((a.table, x.next), (b.table, y.next))
            && (x.instructions, &x.write, &x.apply) == (y.instructions, &y.write, &y.apply)
    })
}

/// Whether flows of two tables may go to the same tables: from one to the very next is no difference.
fn same_next(a: (u8, [u64; 4]), b: (u8, [u64; 4])) -> bool {
    let ((first_table, mut first), (second, last)) = if a.0 < b.0 { (a, b) } else { (b, a) };
    first == last
        || first_table.checked_add(1) == Some(second) && {
            first[usize::from(second / 64)] &= !(1 << (second % 64));
            first == last
        }
}

fn same_matches(a: &TableFeatures, b: &TableFeatures) -> bool {
    let told = |x: &TableFeatures| -> Vec<_> { x.matches.iter().map(|m| (m.field, m.maskable)).collect() };
    told(a) == told(b)
}

fn miss_text(m: TableMiss) -> &'static str {
    match m {
        TableMiss::Default => "default",
        TableMiss::Controller => "controller",
        TableMiss::Continue => "continue",
        TableMiss::Drop => "drop",
    }
}

/// Prints the features of a table, [`comparable`], after its heading.
fn features_body(x: &TableFeatures, before: Option<&TableFeatures>, version: Version, f: &mut Fmt<'_>) {
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
        let (nonmiss, on_miss) = (before.map(|b| &b.nonmiss), before.map(|b| &b.on_miss));
        if before.is_some_and(|b| same_flows(b, x)) {
            f.put("    (same instructions)\n");
        } else if x.on_miss == x.nonmiss || version < Version::V13 {
            f.put("    instructions (table miss and others):\n");
            flow_features(&x.nonmiss, nonmiss, version, f);
        } else {
            f.put("    instructions (other than table miss):\n");
            flow_features(&x.nonmiss, nonmiss, version, f);
            f.put("    instructions (table miss):\n");
            flow_features(&x.on_miss, on_miss, version, f);
        }
    }
    if x.matches.is_empty() {
        return;
    }
    if before.is_some_and(|b| same_matches(b, x)) {
        f.put("    (same matching)\n");
        return;
    }
    f.put("    matching:\n");
    let pick = |p: &dyn Fn(&TableMatchField) -> bool| -> Vec<Field> {
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

/// Begins a table's entry; a newline comes after it only where there is more to say.
fn heading(table: u8, name: &str, f: &mut Fmt<'_>) {
    let _ = write!(f, "\n  table {table}");
    if !name.is_empty() {
        let _ = write!(f, " (\"{name}\")");
    }
    f.put(":");
}

/// Gathers tables that are "ditto". Those with a name are told one by one.
#[derive(Default)]
struct Ditto {
    first: Option<u8>,
    last: u8,
}

impl Ditto {
    fn add(&mut self, table: u8, name: &str, f: &mut Fmt<'_>) {
        if name.is_empty() {
            self.first.get_or_insert(table);
            self.last = table;
        } else {
            self.flush(f);
            heading(table, name, f);
            f.put(" ditto");
        }
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

/// What is to be done with the tables: told once.
fn put_command(command: u8, f: &mut Fmt<'_>) {
    let name = match command {
        1 => "modify",
        2 => "enable",
        3 => "disable",
        _ => return,
    };
    let _ = write!(f, "\n  command: {name}");
}

/// Prints table features that come in several messages.
#[derive(Default)]
pub struct FeaturesPrinter {
    /// What the table before has, [`comparable`].
    before: Option<TableFeatures>,
    ditto: Ditto,
}

impl FeaturesPrinter {
    /// Prints a table's, or remembers that they are like the one's before.
    pub fn add(&mut self, x: &TableFeatures, version: Version, f: &mut Fmt<'_>) {
        let now = comparable(x, version);
        if self.before.as_ref().is_some_and(|b| same_features(b, &now)) {
            self.ditto.add(x.table, &x.name, f);
            self.before = Some(now);
            return;
        }
        if self.before.is_none() && version >= Version::V15 {
            put_command(x.command, f);
        }
        self.ditto.flush(f);
        heading(x.table, &x.name, f);
        f.put("\n");
        features_body(&now, self.before.as_ref(), version, f);
        self.before = Some(now);
    }

    /// Prints what is left.
    pub fn end(&mut self, f: &mut Fmt<'_>) {
        self.ditto.flush(f);
    }
}

/// Prints the counters of tables.
pub fn format_stats(all: &[TableStats], version: Version, f: &mut Fmt<'_>) {
    let mut before: Option<((u32, u64, u64), Option<TableFeatures>)> = None;
    let mut ditto = Ditto::default();
    for s in all {
        let counters = (s.active_count, s.lookup_count, s.matched_count);
        let now = s.features.as_deref().map(|x| comparable(x, version));
        let name = s.features.as_deref().map_or("", |x| &x.name);
        let earlier = before.as_ref().and_then(|(_, x)| x.as_ref());
        let same = match (earlier, &now) {
            (Some(a), Some(b)) => same_features(a, b),
            (None, None) => true,
            _ => false,
        };
        if same && before.as_ref().is_some_and(|(c, _)| *c == counters) {
            ditto.add(s.table, name, f);
        } else {
            ditto.flush(f);
            heading(s.table, name, f);
            let (active, lookup, matched) = counters;
            let _ = writeln!(f, "\n    active={active}, lookup={lookup}, matched={matched}");
            match &now {
                Some(_) if same => f.put("    (same features)\n"),
                Some(x) => features_body(x, earlier, version, f),
                None => {}
            }
        }
        before = Some((counters, now));
    }
    ditto.flush(f);
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
