//! Control commands.

use crate::server::{CompactCall, MODULE, Server};
use crate::system;
use base::info;
use reactor::unixctl::common::memory_line;
use reactor::unixctl::{Command, Outcome, Reply};
use std::collections::BTreeSet;
use std::fmt::Write;
use std::time::Duration;

/// Settings of replication from another server.
#[derive(Clone, Debug, Default)]
pub struct SyncSettings {
    /// The server to replicate from (`--sync-from`).
    pub from: Option<String>,
    /// Tables that stay out of it, as given.
    pub exclude: Option<String>,
    /// How long it may be silent, in milliseconds.
    pub probe: Option<i64>,
    /// How long the source of a relay may be silent, in milliseconds.
    pub relay_probe: Option<i64>,
    /// Whether to be a backup now.
    pub backup: bool,
    /// Whether memory is given back after compaction.
    pub trim: bool,
}

impl SyncSettings {
    /// The tables of a database that stay out of replication.
    pub fn excluded_of(&self, db: &str) -> BTreeSet<String> {
        let all = self.exclude.as_deref().unwrap_or("").split(',');
        all.filter_map(|e| e.trim().split_once(':')).filter(|e| e.0 == db).map(|e| e.1.to_owned()).collect()
    }

    /// The inactivity probe of relays' sources.
    pub fn relay_probe(&self) -> Option<Duration> {
        Some(Duration::from_millis(self.relay_probe.and_then(|ms| u64::try_from(ms).ok()).unwrap_or(60_000)))
    }
}

/// Refuses a command that would contradict the configuration file.
fn refuse(s: &Server) -> Option<Outcome> {
    let path = s.config_file.as_ref()?.display();
    Some(Outcome::error(format!("Update the {path} and use ovsdb-server/reload instead")))
}

/// The commands of a server.
pub const COMMANDS: &[Command<Server>] = &[
    Command::new("memory/show", "", 0, 0, |s, _, _| Outcome::ok(memory_line(&s.memory()))),
    Command::new("ovsdb-server/add-db", "DB", 1, 1, |s, r, call| {
        if let Some(refusal) = refuse(s) {
            return refusal;
        }
        let name = call.arg(0).unwrap_or_default();
        match s.open(r, name) {
            Ok(_) => {
                s.apply_sync_to_new(r);
                Outcome::ok("")
            }
            Err(e) => Outcome::error(e.to_string()),
        }
    }),
    Command::new("ovsdb-server/remove-db", "DB", 1, 1, |s, r, call| {
        if let Some(refusal) = refuse(s) {
            return refusal;
        }
        let name = call.arg(0).unwrap_or_default();
        if name == system::NAME {
            return Outcome::error("Cannot remove reserved database.");
        }
        if s.close(r, name) { Outcome::ok("") } else { Outcome::error("Failed to find the database.") }
    }),
    Command::new("ovsdb-server/list-dbs", "", 0, 0, |s, _, _| Outcome::ok(lines(s.database_names()))),
    Command::new("ovsdb-server/add-remote", "REMOTE", 1, 1, |s, r, call| {
        if let Some(refusal) = refuse(s) {
            return refusal;
        }
        let mut remotes = s.remotes().clone();
        remotes.entry(call.arg(0).unwrap_or_default().to_owned()).or_default();
        done(s.set_remotes_with(r, remotes))
    }),
    Command::new("ovsdb-server/remove-remote", "REMOTE", 1, 1, |s, r, call| {
        if let Some(refusal) = refuse(s) {
            return refusal;
        }
        let mut remotes = s.remotes().clone();
        if remotes.remove(call.arg(0).unwrap_or_default()).is_none() {
            return Outcome::error("no such remote");
        }
        done(s.set_remotes_with(r, remotes))
    }),
    Command::new("ovsdb-server/list-remotes", "", 0, 0, |s, _, _| {
        Outcome::ok(lines(s.remotes().keys().map(String::as_str)))
    }),
    Command::new("ovsdb-server/compact", "", 0, 1, compact),
    Command::new("ovsdb-server/reconnect", "", 0, 0, |s, r, _| {
        s.reconnect_all(r);
        Outcome::ok("")
    }),
    Command::new("ovsdb-server/reload", "", 0, 0, |s, r, _| {
        if s.config_file.is_none() {
            return Outcome::error("Configuration file was not specified on command line");
        }
        if s.load_config(r) {
            Outcome::ok("")
        } else {
            Outcome::error("Configuration failed.  See the log file for details.")
        }
    }),
    Command::new("ovsdb-server/disable-monitor-cond", "", 0, 0, |s, r, _| {
        s.conditional_monitors = false;
        s.reconnect_all(r);
        Outcome::ok("")
    }),
    Command::new("ovsdb-server/get-db-storage-status", "DB", 1, 1, |s, _, call| {
        if s.database(call.arg(0).unwrap_or_default()).is_none() {
            return Outcome::error("Failed to find the database.");
        }
        Outcome::ok("status: ok")
    }),
    Command::new("ovsdb-server/memory-trim-on-compaction", "on|off", 1, 1, |s, r, call| {
        let on = match call.arg(0) {
            Some("on") => true,
            Some("off") => false,
            _ => return Outcome::error("invalid argument"),
        };
        s.sync.trim = on;
        let state = if on { "enabled" } else { "disabled" };
        info!(r.log(), MODULE, "memory trimming after compaction {state}.");
        Outcome::ok("")
    }),
    Command::new("ovsdb-server/perf-counters-show", "", 0, 0, |_, _, _| {
        Outcome::ok("performance counter is not supported on this platform\n")
    }),
    Command::new("ovsdb-server/perf-counters-clear", "", 0, 0, |_, _, _| Outcome::ok("")),
    Command::new("ovsdb-server/tlog-set", "DB:TABLE on|off", 2, 2, |s, _, call| {
        let (target, state) = (call.arg(0).unwrap_or_default(), call.arg(1).unwrap_or_default());
        done(tlog_set(s, target, state))
    }),
    Command::new("ovsdb-server/tlog-list", "", 0, 0, |s, _, _| Outcome::ok(tlog_list(s))),
    Command::new("ovsdb-server/sync-status", "", 0, 0, |s, _, _| Outcome::ok(s.sync_status())),
    Command::new("ovsdb-server/get-active-ovsdb-server", "", 0, 0, |s, _, _| {
        Outcome::ok(s.sync.from.as_deref().unwrap_or(""))
    }),
    Command::new("ovsdb-server/set-active-ovsdb-server", "", 1, 1, |s, _, call| {
        if let Some(refusal) = refuse(s) {
            return refusal;
        }
        s.sync.from = call.arg(0).map(str::to_owned);
        Outcome::ok("")
    }),
    Command::new("ovsdb-server/connect-active-ovsdb-server", "", 0, 0, |s, r, _| {
        if let Some(refusal) = refuse(s) {
            return refusal;
        }
        if s.sync.from.is_none() {
            return Outcome::ok("Unable to connect: active server is not specified.\n");
        }
        s.sync.backup = true;
        s.apply_sync(r);
        Outcome::ok("")
    }),
    Command::new("ovsdb-server/disconnect-active-ovsdb-server", "", 0, 0, |s, r, _| {
        if let Some(refusal) = refuse(s) {
            return refusal;
        }
        s.sync.backup = false;
        s.apply_sync(r);
        Outcome::ok("")
    }),
    Command::new("ovsdb-server/set-active-ovsdb-server-probe-interval", "", 1, 1, |s, r, call| {
        probe(s, r, call, false)
    }),
    Command::new("ovsdb-server/set-relay-source-probe-interval", "", 1, 1, |s, r, call| {
        probe(s, r, call, true)
    }),
    Command::new("ovsdb-server/get-sync-exclude-tables", "", 0, 0, |s, _, _| {
        Outcome::ok(s.sync.exclude.as_deref().unwrap_or(""))
    }),
    Command::new("ovsdb-server/set-sync-exclude-tables", "", 1, 1, |s, r, call| {
        if let Some(refusal) = refuse(s) {
            return refusal;
        }
        s.sync.exclude = call.arg(0).map(str::to_owned);
        if s.sync.backup {
            s.apply_sync(r);
        }
        Outcome::ok("")
    }),
];

fn lines<'a>(all: impl Iterator<Item = &'a str>) -> Reply {
    let mut text = String::new();
    for line in all {
        text.push_str(line);
        text.push('\n');
    }
    Reply::Text(text)
}

fn done(result: Result<(), String>) -> Outcome {
    match result {
        Ok(()) => Outcome::ok(""),
        Err(e) => Outcome::error(e),
    }
}

fn probe(s: &mut Server, r: &mut reactor::Reactor, call: &reactor::unixctl::Call, relay: bool) -> Outcome {
    if let Some(refusal) = refuse(s) {
        return refusal;
    }
    match call.arg(0).and_then(|a| a.parse().ok()) {
        Some(ms) => {
            if relay {
                s.sync.relay_probe = Some(ms);
                s.apply_relay_probe(r);
            } else {
                s.sync.probe = Some(ms);
                if s.sync.backup {
                    s.apply_sync(r);
                }
            }
            Outcome::ok("")
        }
        None => Outcome::error("Invalid probe interval, integer value expected"),
    }
}

fn compact(s: &mut Server, r: &mut reactor::Reactor, call: &reactor::unixctl::Call) -> Outcome {
    if call.arg(0).is_some_and(|name| name.starts_with('_')) {
        return Outcome::error("cannot compact built-in databases");
    }
    let meant: BTreeSet<String> = s
        .dbs
        .keys()
        .filter(|name| call.arg(0).map_or(!name.starts_with('_'), |arg| arg == name.as_str()))
        .cloned()
        .collect();
    if meant.is_empty() {
        return Outcome::error("no database by that name");
    }
    for name in &meant {
        info!(r.log(), MODULE, "compacting {name} database by user request");
        s.to_compact.insert(name.clone());
    }
    let call = CompactCall { token: call.token(), waits_for: meant, failures: String::new() };
    s.compact_calls.push(call);
    Outcome::Later
}

fn tlog_set(s: &mut Server, target: &str, state: &str) -> Result<(), String> {
    let Some((db, table)) = target.split_once(':') else {
        return Err("invalid DB:TABLE argument".into());
    };
    let Some(served) = s.dbs.get_mut(db) else { return Err("no such database".into()) };
    let Some(table) = served.db.schema().table(table) else { return Err("no such table".into()) };
    served.logged_tables.retain(|t| *t != table);
    match state {
        "on" => served.logged_tables.push(table),
        "off" => {}
        _ => return Err("invalid command argument".into()),
    }
    Ok(())
}

fn tlog_list(s: &Server) -> String {
    let mut text = String::from("database        table                       logging\n");
    text.push_str("--------        -----                       -------\n");
    for (name, served) in &s.dbs {
        let _ = writeln!(text, "{name:<16} ");
        for (t, table) in served.db.schema().tables.iter().enumerate() {
            let state = if served.logged_tables.contains(&t) { "ON" } else { "OFF" };
            let _ = writeln!(text, "{:16}{:<27} {state}", "", table.name);
        }
    }
    text
}
