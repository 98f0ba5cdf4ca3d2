//! The layout of log records: `%D{%Y-%m-%dT%H:%M:%SZ}|%05N|%c%T|%p|%m`.

use crate::localtime::Zone;
use crate::timefmt::format_time;
use base::Level;
use std::fmt;
use std::fmt::Write;

/// The name of a level in records.
pub(crate) fn level_name(level: Level) -> &'static str {
    match level {
        Level::Emer => "EMER",
        Level::Err => "ERR",
        Level::Warn => "WARN",
        Level::Info => "INFO",
        Level::Dbg => "DBG",
    }
}

/// The severity of a level in syslog (RFC 5424 section 6.2.1).
pub(crate) fn severity(level: Level) -> u8 {
    match level {
        Level::Emer => 1,
        Level::Err => 3,
        Level::Warn => 4,
        Level::Info => 6,
        Level::Dbg => 7,
    }
}

/// All that a record can show.
pub(crate) struct Record<'a> {
    /// `%A`
    pub program: &'a str,
    /// `%E`
    pub host: &'a str,
    /// `%B`, less the severity.
    pub facility: u8,
    /// `%c`
    pub module: &'a str,
    /// `%p`
    pub level: Level,
    /// `%N`
    pub number: u64,
    /// `%t`: empty for the main thread.
    pub thread: &'a str,
    /// `%P`
    pub pid: u32,
    /// `%d`, `%D`: milliseconds since the epoch.
    pub wall: i64,
    /// `%r`: milliseconds since the program's start.
    pub running: u64,
    /// `%d`
    pub zone: &'a Zone,
    /// `%m`
    pub message: fmt::Arguments<'a>,
}

/// Formats `record` by `pattern`, without a newline at the end.
pub(crate) fn format(pattern: &str, record: &Record<'_>, out: &mut String) {
    let mut rest = pattern;
    while let Some(i) = rest.find('%') {
        out.push_str(&rest[..i]);
        rest = conversion(&rest[i + 1..], record, out);
    }
    out.push_str(rest);
}

/// Formats the conversion at the beginning of `s`; returns what follows.
fn conversion<'s>(s: &'s str, record: &Record<'_>, out: &mut String) -> &'s str {
    let (left, s) = s.strip_prefix('-').map_or((false, s), |s| (true, s));
    let (zero, s) = s.strip_prefix('0').map_or((false, s), |s| (true, s));
    let digits = s.len() - s.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    // A width that no terminal has is a mistake.
    let width = s[..digits].parse::<usize>().unwrap_or(0).min(1000);
    let s = &s[digits..];
    let start = out.len();
    let Some(c) = s.chars().next() else {
        out.extend(std::iter::repeat_n(' ', width.saturating_sub(1)));
        return "";
    };
    let mut rest = &s[c.len_utf8()..];
    // Writing to a String cannot fail.
    match c {
        'A' => out.push_str(record.program),
        'B' => drop(write!(out, "{}", record.facility + severity(record.level))),
        'c' => {
            rest = braces(rest).1;
            out.push_str(record.module);
        }
        'd' | 'D' => {
            let (format, after) = braces(rest);
            rest = after;
            let format = format.unwrap_or("%Y-%m-%d %H:%M:%S.###");
            let utc = Zone::utc();
            let zone = if c == 'D' { &utc } else { record.zone };
            out.push_str(&format_time(format, record.wall, zone));
        }
        'E' => out.push_str(record.host),
        'm' => drop(write!(out, "{}", record.message)),
        'N' => drop(write!(out, "{}", record.number)),
        'n' => out.push('\n'),
        'p' => out.push_str(level_name(record.level)),
        'P' => drop(write!(out, "{}", record.pid)),
        'r' => drop(write!(out, "{}", record.running)),
        't' => out.push_str(if record.thread.is_empty() { "main" } else { record.thread }),
        'T' if record.thread.is_empty() => {}
        'T' => drop(write!(out, "({})", record.thread)),
        other => out.push(other),
    }
    let short = width.saturating_sub(out.len() - start);
    if short > 0 {
        if left {
            out.extend(std::iter::repeat_n(' ', short));
        } else {
            out.insert_str(start, &if zero { "0" } else { " " }.repeat(short));
        }
    }
    rest
}

/// What is in the braces at the beginning of `s`, if there are any, and what follows.
fn braces(s: &str) -> (Option<&str>, &str) {
    match s.strip_prefix('{') {
        None => (None, s),
        Some(inner) => match inner.find('}') {
            Some(i) => (Some(&inner[..i]), &inner[i + 1..]),
            None => (Some(inner), ""),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_the_reference_prints() {
        let zone = Zone::utc();
        for (pattern, want) in [
            ("%A|%B|%c|%p|%m", "ovs-appctl|132|daemon_unix|WARN|text"),
            (
                "%5c|%-20c|%020c|%05N|%5N|%-5N|%0N",
                "daemon_unix|daemon_unix         |000000000daemon_unix|00001|    1|1    |1",
            ),
            ("%d", "2026-11-21 00:18:33.242"),
            ("%d{%Y}", "2026"),
            ("%D{%H:%M:%S.###}", "00:18:33.242"),
            ("%d{%h %e %T %z}", "Nov 21 00:18:33 +0000"),
            ("%E", "vm"),
            ("%e", "e"),
            ("%n|%%|%t|%T|%P|%r", "\n|%|main||13067|0"),
            ("%10P|%-10Px|%010P", "     13067|13067     x|0000013067"),
            ("%x", "x"),
            ("%", ""),
            ("%5", "    "),
            ("%D{%Y", "2026"),
            ("%3m|", "text|"),
            ("%-3A|%3p|%.3p", "ovs-appctl|WARN|.3p"),
            ("%10r|", "         0|"),
            ("a%tb", "amainb"),
            ("%5%x", "    %x"),
            ("%{x}", "{x}"),
            ("%c{x}", "daemon_unix"),
            ("%m{x}", "text{x}"),
            ("%-5p|%05p|", "WARN |0WARN|"),
            ("%T{x}", "{x}"),
            ("x\\ny", "x\\ny"),
        ] {
            let record = Record {
                program: "ovs-appctl",
                host: "vm",
                facility: 16 << 3,
                module: "daemon_unix",
                level: Level::Warn,
                number: 1,
                thread: "",
                pid: 13067,
                wall: 1_795_220_313_242,
                running: 0,
                zone: &zone,
                message: format_args!("text"),
            };
            let mut s = String::new();
            format(pattern, &record, &mut s);
            assert_eq!(s, want, "{pattern}");
        }
    }
}
