//! What start-up scripts tell the database elsewhere: versions, the system and its name, an identity that stays.

use base::Logger;
use cli::dirs::Dirs;
use cli::fatal::Fatal;
use cli::version::{DB_SCHEMA, OVS_VERSION};
use ovsdb::json::{self, Value};
use reactor::event::Environment;
use reactor::jsonrpc::{Client, Failure};
use std::fs;

/// Writes them, in one transaction. An identity that the database has already is kept.
pub fn record(dirs: &Dirs, log: &Logger) -> Result<(), Fatal> {
    let failed = |why: String| Fatal::new(format!("writing to the database failed ({why})"));
    let env = Environment::new(log.clone(), dirs.run.clone());
    let mut client =
        Client::connect(&dirs.default_db(), env).map_err(|e| failed(reactor::errno::text(&e)))?;
    let mut ask = |params: String| {
        let params = match json::parse(params.as_bytes()) {
            Ok(Value::Array(a)) => a,
            other => return Err(failed(format!("{other:?}"))),
        };
        client.transact("transact", params).map_err(|e| match e {
            Failure::Io(e) => failed(reactor::errno::text(&e)),
            Failure::Refused(v) => failed(v.to_string()),
        })
    };
    let there =
        ask(r#"["Open_vSwitch",{"op":"select","table":"Open_vSwitch","where":[],"columns":["_uuid"]}]"#
            .into())?;
    let empty = there.to_string().contains(r#""rows":[]"#);
    let (system, release) = system();
    let row = format!(
        r#"{{"ovs_version":{},"db_version":{},"system_type":{},"system_version":{}}}"#,
        quote(OVS_VERSION),
        quote(DB_SCHEMA),
        quote(&system),
        quote(&release)
    );
    let make = if empty { r#"{"op":"insert","table":"Open_vSwitch","row":{}},"# } else { "" };
    let now = format!(
        r#"["map",[["rundir",{}],["hostname",{}]]]"#,
        quote(&dirs.run.display().to_string()),
        quote(&hostname())
    );
    let identity = format!(r#"["map",[["system-id",{}]]]"#, quote(&identity(dirs)));
    // An insertion leaves a key that is there as it is.
    let result = ask(format!(
        r#"["Open_vSwitch",{make}{{"op":"update","table":"Open_vSwitch","where":[],"row":{row}}},
        {{"op":"mutate","table":"Open_vSwitch","where":[],"mutations":[
          ["external_ids","delete",["set",["rundir","hostname"]]],
          ["external_ids","insert",{now}],["external_ids","insert",{identity}]]}},
        {{"op":"comment","comment":"oxvs run"}}]"#
    ))?;
    let text = result.to_string();
    if text.contains(r#""error""#) { Err(failed(text)) } else { Ok(()) }
}

fn quote(s: &str) -> String {
    Value::string(s).to_string()
}

/// The operating system's name and version, as `os-release` has them.
fn system() -> (String, String) {
    let text = fs::read_to_string("/etc/os-release").or_else(|_| fs::read_to_string("/usr/lib/os-release"));
    let text = text.unwrap_or_default();
    let value = |key: &str| {
        text.lines()
            .find_map(|l| l.strip_prefix(key)?.strip_prefix('='))
            .map(|v| v.trim().trim_matches(['"', '\'']).to_string())
            .filter(|v| !v.is_empty())
            .unwrap_or_else(|| "unknown".to_string())
    };
    (value("ID"), value("VERSION_ID"))
}

fn hostname() -> String {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    name.trim().to_string()
}

/// What the administrator has set, or else a new one.
fn identity(dirs: &Dirs) -> String {
    let set = [dirs.sysconf.join("openvswitch/system-id.conf"), dirs.sysconf.join("system-id.conf")];
    let set = set.iter().filter_map(|p| fs::read_to_string(p).ok());
    let set = set.map(|s| s.trim().to_string()).find(|s| !s.is_empty());
    set.unwrap_or_else(|| {
        let (a, b) = (sys::process::random_u64(), sys::process::random_u64());
        // Version 4, variant 1.
        format!(
            "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
            a >> 32,
            a >> 16 & 0xffff,
            a & 0xfff,
            b >> 48 & 0x3fff | 0x8000,
            b & 0xffff_ffff_ffff
        )
    })
}
