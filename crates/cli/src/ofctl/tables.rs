//! Flow tables.

use super::context::{Context, print};
use super::switch::simple;
use crate::fatal::Fatal;
use openflow::msg::{Message, StatsReply, StatsRequest, TableEviction, TableMiss, TableMod, TableVacancy};
use openflow::text::TextCx;
use openflow::text::table::FeaturesPrinter;
use openflow::version::{Version, VersionSet};
use std::process::ExitCode;

pub fn dump_tables(c: &mut Context, args: &[String]) -> Result<ExitCode, Fatal> {
    simple(c, &args[0], StatsRequest::Table)
}

pub fn dump_table_desc(c: &mut Context, args: &[String]) -> Result<ExitCode, Fatal> {
    if !c.versions().iter().any(|v| v >= Version::V14) {
        return Err(Fatal::new("dump-table-desc needs OpenFlow 1.4 or later ('-O OpenFlow14')"));
    }
    simple(c, &args[0], StatsRequest::TableDesc)
}

pub fn dump_table_features(c: &mut Context, args: &[String]) -> Result<ExitCode, Fatal> {
    if !c.versions().iter().any(|v| v >= Version::V13) {
        return Err(Fatal::new("dump-table-features needs OpenFlow 1.3 or later ('-O OpenFlow13')"));
    }
    let names = c.names(&args[0]);
    let mut conn = c.open(&args[0])?;
    let version = conn.version();
    let mut f = c.fmt(&names);
    let mut printer = FeaturesPrinter::default();
    for part in c.collect(&mut conn, StatsRequest::TableFeatures(Vec::new()))? {
        let StatsReply::TableFeatures(all) = part else { continue };
        for t in &all {
            printer.add(t, version, &mut f);
        }
    }
    printer.end(&mut f);
    // Each begins with an empty line, which here ends the one before.
    let text = f.out.strip_prefix('\n').unwrap_or(&f.out);
    print(&format!("{}\n\n", text.trim_end_matches('\n')).replace(": ditto\n  table", ": ditto\n\n  table"));
    Ok(ExitCode::SUCCESS)
}

fn needs(setting: &str, versions: VersionSet) -> Fatal {
    let names: Vec<&str> = versions.iter().map(Version::name).collect();
    Fatal::new(format!("table_mod '{setting}' requires one of the OpenFlow versions {}", names.join(", ")))
}

pub fn mod_table(c: &mut Context, args: &[String]) -> Result<ExitCode, Fatal> {
    let (switch, table, setting) = (&args[0], &args[1], args[2].as_str());
    let old = VersionSet::only(Version::V11).with(Version::V12);
    let new = VersionSet::only(Version::V14).with(Version::V15);
    let mut m = TableMod {
        table: 0xff,
        miss: TableMiss::Default,
        eviction: TableEviction::Default,
        eviction_flags: u32::MAX,
        vacancy: TableVacancy::Default,
    };
    let mut name = None;
    let usable = match setting {
        "controller" | "continue" | "drop" => {
            m.miss = match setting {
                "controller" => TableMiss::Controller,
                "continue" => TableMiss::Continue,
                _ => TableMiss::Drop,
            };
            old
        }
        "evict" => {
            m.eviction = TableEviction::On;
            new
        }
        "noevict" => {
            m.eviction = TableEviction::Off;
            new
        }
        "novacancy" => {
            m.vacancy = TableVacancy::Off;
            new
        }
        s if s.starts_with("vacancy:") => {
            m.vacancy = parse_vacancy(&s["vacancy:".len()..])?;
            new
        }
        s if s.starts_with("name:") => {
            name = Some(&s["name:".len()..]);
            new.with(Version::V13)
        }
        other => return Err(Fatal::new(format!("invalid table_mod setting {other}"))),
    };
    if !table.eq_ignore_ascii_case("all") {
        let names = c.names(switch);
        let mut cx = TextCx::new(&names);
        let found = cx.table(table);
        c.log_parse(&mut cx);
        m.table = found.ok_or_else(|| Fatal::new(format!("unknown table \"{table}\"")))?;
    }
    let versions = c.versions().intersection(usable);
    if versions.is_empty() {
        return Err(needs(setting, usable));
    }
    let mut conn = c.open_versions(switch, "mgmt", versions)?;
    if let Some(name) = name {
        return rename(c, conn, m.table, name);
    }
    if conn.version() >= Version::V14 {
        keep(c, &mut conn, &mut m)?;
    }
    let request = c.encode(&conn, &Message::TableMod(m))?;
    c.perform(&mut conn, [request])?;
    Ok(ExitCode::SUCCESS)
}

/// A table-mod sets eviction and vacancy at once: fills in what is not to change.
fn keep(c: &Context, conn: &mut super::context::Connection, m: &mut TableMod) -> Result<(), Fatal> {
    for part in c.collect(conn, StatsRequest::TableDesc)? {
        let StatsReply::TableDesc(all) = part else { continue };
        if let Some(now) = all.iter().find(|t| t.table == m.table) {
            if m.eviction == TableEviction::Default {
                m.eviction = now.eviction;
            }
            if m.vacancy == TableVacancy::Default {
                m.vacancy = match now.vacancy {
                    TableVacancy::On { down, up, .. } => TableVacancy::On { down, up, vacancy: 0 },
                    other => other,
                };
            }
        }
    }
    Ok(())
}

fn parse_vacancy(s: &str) -> Result<TableVacancy, Fatal> {
    let Some((down, up)) = s.split_once(',') else {
        return Err(Fatal::new("must specify a comma-separated list of vacancy thresholds"));
    };
    let number = |s: &str, what: &str| {
        openflow::text::lex::c_int(s)
            .and_then(|n| u8::try_from(n).ok())
            .ok_or_else(|| Fatal::new(format!("invalid {what} \"{s}\"")))
    };
    let (down, up) = (number(down, "vacancy-down")?, number(up, "vacancy-up")?);
    if down > 100 || up > 100 || down > up {
        return Err(Fatal::new(format!(
            "invalid vacancy thresholds {down} and {up}: must be percentages, the lower one first"
        )));
    }
    Ok(TableVacancy::On { down, up, vacancy: 0 })
}

/// Changes the tables that are given and leaves the others (1.5).
const MODIFY: u8 = 1;

/// Names a table: its features are read, changed and written back.
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
    let Some(mut t) = all.into_iter().find(|t| t.table == table) else {
        return Err(Fatal::new(format!("table {table} not found")));
    };
    t.name = name.to_string();
    t.command = MODIFY;
    c.collect(&mut conn, StatsRequest::TableFeatures(vec![t]))?;
    Ok(ExitCode::SUCCESS)
}
