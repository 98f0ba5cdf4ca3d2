//! Flow tables.

use super::context::{Context, print};
use super::switch::simple;
use crate::fatal::Fatal;
use openflow::msg::{
    EVICTION_FLAGS_NONE, Message, StatsReply, StatsRequest, TableEviction, TableMiss, TableMod, TableVacancy,
};
use openflow::text::TextCx;
use openflow::text::table::FeaturesPrinter;
use openflow::version::{Version, VersionSet};
use std::process::ExitCode;

const NEEDS_14: &str = "dump-table-desc needs OpenFlow 1.4 or later ('-O OpenFlow14')";

pub fn dump_tables(c: &mut Context, args: &[String]) -> Result<ExitCode, Fatal> {
    simple(c, &args[0], StatsRequest::Table)
}

pub fn dump_table_desc(c: &mut Context, args: &[String]) -> Result<ExitCode, Fatal> {
    let names = c.names(&args[0]);
    let mut conn = c.open(&args[0])?;
    if conn.version() < Version::V14 {
        return Err(Fatal::new(NEEDS_14));
    }
    c.dump_stats(&mut conn, StatsRequest::TableDesc, &names)?;
    Ok(ExitCode::SUCCESS)
}

pub fn dump_table_features(c: &mut Context, args: &[String]) -> Result<ExitCode, Fatal> {
    let names = c.names(&args[0]);
    let mut conn = c.open(&args[0])?;
    let version = conn.version();
    if version < Version::V13 {
        return Err(Fatal::new("dump-table-features needs OpenFlow 1.3 or later ('-O OpenFlow13')"));
    }
    let mut f = c.fmt(&names);
    let mut printer = FeaturesPrinter::default();
    for part in c.collect(&mut conn, StatsRequest::TableFeatures(Vec::new()))? {
        let StatsReply::TableFeatures(all) = part else { continue };
        for t in &all {
            printer.add(t, version, &mut f);
        }
    }
    printer.end(&mut f);
    // Each entry begins with the end of a line: of the one before, and the last of what comes after.
    print(&format!("{}\n", f.out.strip_prefix('\n').unwrap_or(&f.out)));
    Ok(ExitCode::SUCCESS)
}

fn needs(setting: &str, versions: VersionSet) -> Fatal {
    let names: Vec<&str> = versions.iter().map(Version::name).collect();
    Fatal::new(format!("table_mod '{setting}' requires one of the OpenFlow versions {}", names.join(", ")))
}

/// What `mod-table` is to do, and the versions that can.
fn parse_setting<'a>(
    setting: &'a str,
    m: &mut TableMod,
    name: &mut Option<&'a str>,
) -> Result<VersionSet, Fatal> {
    let old = VersionSet::only(Version::V11).with(Version::V12);
    let new = VersionSet::only(Version::V14).with(Version::V15);
    match setting {
        "controller" => m.miss = TableMiss::Controller,
        "continue" => m.miss = TableMiss::Continue,
        "drop" => m.miss = TableMiss::Drop,
        "evict" => m.eviction = TableEviction::On,
        "noevict" => m.eviction = TableEviction::Off,
        "novacancy" => m.vacancy = TableVacancy::Off,
        _ => {
            if let Some(given) = setting.strip_prefix("name:")
                && m.table != 0xff
            {
                *name = Some(given);
                return Ok(new.with(Version::V13));
            }
            // No setting at all reads as vacancy events without thresholds.
            let (word, rest) = setting.split_once(':').unwrap_or((setting, ""));
            if !matches!(word, "vacancy" | "") {
                return Err(Fatal::new(format!("invalid table_mod setting {setting}")));
            }
            m.vacancy = parse_vacancy(rest)?;
        }
    }
    if m.miss == TableMiss::Default {
        return Ok(new);
    }
    // Beyond the last table that packets may be sent on to there is none.
    const LAST: u8 = 254;
    if m.miss == TableMiss::Continue && m.table == LAST {
        return Err(Fatal::new("last table's flow miss handling can not be continue"));
    }
    Ok(old)
}

pub fn mod_table(c: &mut Context, args: &[String]) -> Result<ExitCode, Fatal> {
    let (switch, table, setting) = (&args[0], &args[1], args[2].as_str());
    let names = c.names(switch);
    if c.settings.names != Some(false) {
        names.ask_for_tables()?;
    }
    let mut m = TableMod {
        table: 0xff,
        miss: TableMiss::Default,
        eviction: TableEviction::Default,
        eviction_flags: EVICTION_FLAGS_NONE,
        vacancy: TableVacancy::Default,
    };
    if !table.eq_ignore_ascii_case("all") {
        let mut cx = TextCx::new(&names);
        let found = cx.table(table);
        c.log_parse(&mut cx);
        m.table = found.ok_or_else(|| Fatal::new(format!("unknown table \"{table}\"")))?;
    }
    let mut name = None;
    let usable = parse_setting(setting, &mut m, &mut name)?;
    let versions = c.versions().intersection(usable);
    if versions == VersionSet::EMPTY {
        return Err(needs(setting, usable));
    }
    let mut conn = c.open_versions(switch, "mgmt", versions)?;
    if let Some(name) = name {
        return rename(c, conn, m.table, name);
    }
    let all = if conn.version() >= Version::V14 { keep(c, &mut conn, m)? } else { vec![m] };
    for m in all {
        let request = c.encode(&conn, &Message::TableMod(m))?;
        c.perform(&mut conn, [request])?;
    }
    Ok(ExitCode::SUCCESS)
}

/// A table-mod sets eviction and vacancy at once: fills in what is not to change, for each table that it is about.
fn keep(c: &Context, conn: &mut super::context::Connection, m: TableMod) -> Result<Vec<TableMod>, Fatal> {
    let mut tables = Vec::new();
    for part in c.collect(conn, StatsRequest::TableDesc)? {
        if let StatsReply::TableDesc(all) = part {
            tables.extend(all);
        }
    }
    // Asked of all tables, vacancy events change for the first alone, whose eviction all get: as in the reference.
    let mut wanted = m;
    let mut mods = Vec::new();
    for now in tables.iter().filter(|t| m.table == 0xff || t.table == m.table) {
        if wanted.eviction == TableEviction::Default {
            wanted.eviction = now.eviction;
            wanted.eviction_flags = now.eviction_flags;
        }
        if wanted.vacancy == TableVacancy::Default {
            wanted.vacancy = match now.vacancy {
                TableVacancy::On { down, up, .. } => TableVacancy::On { down, up, vacancy: 0 },
                other => other,
            };
        }
        mods.push(TableMod { table: now.table, ..wanted });
        wanted.vacancy = TableVacancy::Default;
    }
    // The switch says what is wrong with a table that it does not have.
    if mods.is_empty() {
        let eviction_flags = if m.eviction == TableEviction::Default { 0 } else { m.eviction_flags };
        mods.push(TableMod { eviction_flags, ..m });
    }
    Ok(mods)
}

/// `DOWN,UP`, in per cent.
fn parse_vacancy(s: &str) -> Result<TableVacancy, Fatal> {
    let mut words = s.split(',').filter(|w| !w.is_empty());
    let mut percentage = |what: &str| {
        let word = words.next().ok_or_else(|| Fatal::new(format!("Vacancy {what} value missing")))?;
        openflow::text::lex::c_int(word)
            .and_then(|n| u8::try_from(n).ok())
            .filter(|n| *n <= 100)
            .ok_or_else(|| Fatal::new(format!("Invalid vacancy {what} value \"{word}\"")))
    };
    let (down, up) = (percentage("down")?, percentage("up")?);
    if down > up {
        return Err(Fatal::new(
            "Invalid vacancy range, vacancy up should be greater than vacancy down (OFPBPC_BAD_VALUE)",
        ));
    }
    Ok(TableVacancy::On { down, up, vacancy: 0 })
}

/// The commands of a table-features request.
const REPLACE: u8 = 0;
const MODIFY: u8 = 1;

/// Names a table: its features are read, changed and written back. Before 1.5 that takes all tables at once, since
/// a switch may disable those that are left out.
fn rename(
    c: &Context,
    mut conn: super::context::Connection,
    table: u8,
    name: &str,
) -> Result<ExitCode, Fatal> {
    let mut all = Vec::new();
    for part in c.collect(&mut conn, StatsRequest::TableFeatures(Vec::new()))? {
        if let StatsReply::TableFeatures(features) = part {
            all.extend(features);
        }
    }
    let Some(t) = all.iter_mut().find(|t| t.table == table) else {
        return Err(Fatal::new(format!("switch does not have table {table}")));
    };
    t.name = name.to_string();
    let whole = conn.version() < Version::V15;
    if !whole {
        all.retain(|t| t.table == table);
    }
    // One table in each part of the request, since they would not fit into one message.
    let last = all.len().saturating_sub(1);
    let mut request = Vec::new();
    let xid = c.next_xid();
    for (i, mut t) in all.into_iter().enumerate() {
        t.command = if whole { REPLACE } else { MODIFY };
        let part = Message::StatsRequest(StatsRequest::TableFeatures(vec![t]));
        let mut part = conn.codec.encode(xid, &part).map_err(|e| Fatal::new(e.to_string()))?;
        const FLAGS: usize = 11;
        if i != last {
            part[FLAGS] |= 1;
        }
        request.push(part);
    }
    c.send_parts(&mut conn, request)?;
    Ok(ExitCode::SUCCESS)
}
