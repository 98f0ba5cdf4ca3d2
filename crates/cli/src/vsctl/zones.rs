//! Connection-tracking zones of a datapath: timeout policies, limits; and datapath capabilities.

use super::Vsctl;
use crate::ctl::command::Invocation;
use crate::ctl::targets::{leading_number, number};
use ovsdb::Uuid;

type Call = Invocation<Vsctl>;
type Done = Result<(), String>;

fn find(c: &mut Vsctl, name: &str) -> Option<Uuid> {
    let root = c.root();
    c.ctx.model.string_refs("Open_vSwitch", root, "datapaths").get(name).copied()
}

fn datapath(c: &mut Vsctl, name: &str) -> Result<Uuid, String> {
    find(c, name).ok_or_else(|| format!("datapath {name} does not exist"))
}

fn listed(c: &mut Vsctl, name: &str) -> Result<Uuid, String> {
    find(c, name).ok_or_else(|| format!("datapath: {name} record not found"))
}

fn zone(c: &Vsctl, datapath: Uuid, id: i64) -> Option<Uuid> {
    c.ctx.model.int_refs("Datapath", datapath, "ct_zones").get(&id).copied()
}

fn set_zone(c: &mut Vsctl, datapath: Uuid, id: i64, row: Option<Uuid>) {
    let mut zones = c.ctx.model.int_refs("Datapath", datapath, "ct_zones");
    match row {
        Some(row) => zones.insert(id, row),
        None => zones.remove(&id),
    };
    c.ctx.model.set_int_refs("Datapath", datapath, "ct_zones", &zones);
}

/// `zone=N` where a zone is to be deleted; what is no number counts as 0.
fn zone_argument(text: &str) -> i64 {
    text.strip_prefix("zone=").map_or(0, number)
}

/// `add-zone-tp DATAPATH zone=ZONE POLICY=SECONDS...`
pub fn add_zone_tp(c: &mut Vsctl, call: &Call) -> Done {
    let datapath = datapath(c, &call.args[0])?;
    // What is not in range, the server refuses, in its words; the number is what no number counts as.
    let id = call.args[1].strip_prefix("zone=").and_then(zone_number).unwrap_or(4_294_967_291);
    let existing = zone(c, datapath, id);
    let has_policy = existing.is_some_and(|r| !c.ctx.model.uuids("CT_Zone", r, "timeout_policy").is_empty());
    if has_policy && !call.has("--may-exist") {
        return Err(format!("zone id {id} already has a policy"));
    }
    let mut timeouts = std::collections::BTreeMap::new();
    for setting in &call.args[2..] {
        let (key, value) = setting.split_once('=').unwrap_or((setting, "0"));
        // As wide as a timeout is, and of two the first.
        timeouts.entry(key.to_string()).or_insert(i64::from(number(value) as i32));
    }
    let row = match existing {
        Some(row) => row,
        None => {
            let row = c.ctx.model.insert("CT_Zone");
            set_zone(c, datapath, id, Some(row));
            row
        }
    };
    let policy = c.ctx.model.insert("CT_Timeout_Policy");
    c.ctx.model.set_string_int_map("CT_Timeout_Policy", policy, "timeouts", &timeouts);
    c.ctx.model.set_uuids("CT_Zone", row, "timeout_policy", &[policy]);
    Ok(())
}

/// Forgets a zone that has neither policy nor limit.
fn tidy(c: &mut Vsctl, datapath: Uuid, id: i64, row: Uuid) {
    if c.ctx.model.uuids("CT_Zone", row, "timeout_policy").is_empty()
        && c.ctx.model.int("CT_Zone", row, "limit").is_none()
    {
        set_zone(c, datapath, id, None);
        c.ctx.model.delete("CT_Zone", row);
    }
}

/// `del-zone-tp DATAPATH zone=ZONE`
pub fn del_zone_tp(c: &mut Vsctl, call: &Call) -> Done {
    let datapath = datapath(c, &call.args[0])?;
    let id = zone_argument(&call.args[1]);
    let row =
        zone(c, datapath, id).filter(|r| !c.ctx.model.uuids("CT_Zone", *r, "timeout_policy").is_empty());
    let Some(row) = row else {
        return if call.has("--if-exists") {
            Ok(())
        } else {
            // As an unsigned number, which zones are.
            Err(format!("zone id {} does not have a policy", id as u64))
        };
    };
    c.ctx.model.clear("CT_Zone", row, "timeout_policy");
    tidy(c, datapath, id, row);
    Ok(())
}

/// `list-zone-tp DATAPATH`
pub fn list_zone_tp(c: &mut Vsctl, call: &Call) -> Done {
    let datapath = listed(c, &call.args[0])?;
    let mut lines = Vec::new();
    for (id, row) in c.ctx.model.int_refs("Datapath", datapath, "ct_zones") {
        let mut line = format!("Zone:{id}, Timeout Policies: ");
        let policy = c.ctx.model.uuids("CT_Zone", row, "timeout_policy").first().copied();
        let timeouts = policy
            .map(|p| c.ctx.model.string_int_map("CT_Timeout_Policy", p, "timeouts"))
            .unwrap_or_default();
        if timeouts.is_empty() {
            line.push_str("system default");
        } else {
            let pairs: Vec<String> = timeouts.iter().map(|(k, v)| format!("{k}={v}")).collect();
            line.push_str(&pairs.join(" "));
        }
        lines.push(line);
    }
    c.ctx.lines(lines);
    Ok(())
}

/// A zone's number, decimal or (after `0x`) hexadecimal, up to where it ends.
fn zone_number(text: &str) -> Option<i64> {
    let hex = text.strip_prefix("0x").and_then(|h| i64::from_str_radix(h, 16).ok());
    hex.or_else(|| leading_number(text))
}

/// `ZONE|default` of the limit commands: `None` is the default zone.
fn limit_zone(text: &str) -> Result<Option<i64>, String> {
    if text == "default" {
        return Ok(None);
    }
    let id = zone_number(text).unwrap_or(-1);
    if (0..=65535).contains(&id) { Ok(Some(id)) } else { Err(format!("zone_id ({id}) out of range")) }
}

/// `set-zone-limit DATAPATH ZONE|default LIMIT`
pub fn set_zone_limit(c: &mut Vsctl, call: &Call) -> Done {
    let datapath = datapath(c, &call.args[0])?;
    let limit = leading_number(&call.args[2]).unwrap_or(-1);
    if !(0..=i64::from(u32::MAX)).contains(&limit) {
        return Err(format!("limit ({limit}) out of range"));
    }
    let zone_id = limit_zone(&call.args[1])?;
    match zone_id {
        None => c.ctx.model.set_int("Datapath", datapath, "ct_zone_default_limit", limit),
        Some(id) => {
            let row = match zone(c, datapath, id) {
                Some(row) => row,
                None => {
                    let row = c.ctx.model.insert("CT_Zone");
                    set_zone(c, datapath, id, Some(row));
                    row
                }
            };
            c.ctx.model.set_int("CT_Zone", row, "limit", limit);
        }
    }
    Ok(())
}

/// `del-zone-limit DATAPATH ZONE|default`
pub fn del_zone_limit(c: &mut Vsctl, call: &Call) -> Done {
    let datapath = datapath(c, &call.args[0])?;
    let zone_id = match call.args[1].as_str() {
        "default" => None,
        n => Some(number(n)),
    };
    let must = !call.has("--if-exists");
    match zone_id {
        None => {
            if must && c.ctx.model.int("Datapath", datapath, "ct_zone_default_limit").is_none() {
                return Err(format!("datapath {} does not have a limit", call.args[0]));
            }
            c.ctx.model.clear("Datapath", datapath, "ct_zone_default_limit");
        }
        Some(id) => {
            let row = zone(c, datapath, id).filter(|r| c.ctx.model.int("CT_Zone", *r, "limit").is_some());
            let Some(row) = row else {
                return if must { Err(format!("zone_id {id} does not have a limit")) } else { Ok(()) };
            };
            c.ctx.model.clear("CT_Zone", row, "limit");
            tidy(c, datapath, id, row);
        }
    }
    Ok(())
}

/// `list-zone-limits DATAPATH`
pub fn list_zone_limits(c: &mut Vsctl, call: &Call) -> Done {
    let datapath = listed(c, &call.args[0])?;
    let mut lines = Vec::new();
    if let Some(limit) = c.ctx.model.int("Datapath", datapath, "ct_zone_default_limit") {
        lines.push(format!("Default, Limit: {limit}"));
    }
    for (id, row) in c.ctx.model.int_refs("Datapath", datapath, "ct_zones") {
        if let Some(limit) = c.ctx.model.int("CT_Zone", row, "limit") {
            lines.push(format!("Zone: {id}, Limit: {limit}"));
        }
    }
    c.ctx.lines(lines);
    Ok(())
}

/// `list-dp-cap DATAPATH`
pub fn list_dp_cap(c: &mut Vsctl, call: &Call) -> Done {
    let name = &call.args[0];
    let datapath = find(c, name).ok_or_else(|| format!("datapath \"{name}\" record not found"))?;
    let pairs: Vec<String> = c
        .ctx
        .model
        .map("Datapath", datapath, "capabilities")
        .iter()
        .map(|(k, v)| format!("{k}={v}"))
        .collect();
    c.ctx.lines([pairs.join(" ")]);
    Ok(())
}
