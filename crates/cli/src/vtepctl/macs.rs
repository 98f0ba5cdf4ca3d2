//! Addresses behind a logical switch: local ones that the VTEP has learned, remote ones that the controller says.
//!
//! A unicast address leads to one *locator* (an encapsulation and an address), a multicast one to a set of them. Sets
//! cannot change once they are there: each change makes a new one.

use super::{Call, Done, Vtep};
use ovsdb::Uuid;

const DEFAULT_ENCAP: &str = "vxlan_over_ipv4";

/// The table of a command that ends in `-local`, `-local-macs`, `-remote` ...
fn table(call: &Call, cast: &str) -> String {
    let side = if call.syntax.name.contains("remote") { "Remote" } else { "Local" };
    format!("{cast}_Macs_{side}")
}

fn switch(c: &Vtep, call: &Call) -> Result<Uuid, String> {
    c.must("Logical_Switch", "logical switch", &call.args[0])
}

/// Encapsulation and address: `[ENCAP] IP` from the third argument on.
fn place(call: &Call) -> (&str, &str) {
    match &call.args[2..] {
        [encap, ip] => (encap, ip),
        [ip, ..] => (DEFAULT_ENCAP, ip),
        [] => (DEFAULT_ENCAP, ""),
    }
}

fn find_locator(c: &Vtep, (encap, ip): (&str, &str)) -> Option<Uuid> {
    let m = &c.ctx.model;
    let t = "Physical_Locator";
    m.rows(t).find(|r| m.string(t, *r, "encapsulation_type") == encap && m.string(t, *r, "dst_ip") == ip)
}

fn locator(c: &mut Vtep, place: (&str, &str)) -> Uuid {
    if let Some(row) = find_locator(c, place) {
        return row;
    }
    let row = c.ctx.model.insert("Physical_Locator");
    c.ctx.model.set_string("Physical_Locator", row, "encapsulation_type", place.0);
    c.ctx.model.set_string("Physical_Locator", row, "dst_ip", place.1);
    row
}

/// Rows of an address table that belong to a logical switch.
fn of_switch(c: &Vtep, table: &str, switch: Uuid) -> Vec<Uuid> {
    let m = &c.ctx.model;
    m.rows(table).filter(|r| m.uuids(table, *r, "logical_switch").contains(&switch)).collect()
}

fn find(c: &Vtep, table: &str, switch: Uuid, mac: &str) -> Option<Uuid> {
    of_switch(c, table, switch).into_iter().find(|r| c.ctx.model.string(table, *r, "MAC") == mac)
}

fn insert(c: &mut Vtep, table: &str, switch: Uuid, mac: &str) -> Uuid {
    let row = c.ctx.model.insert(table);
    c.ctx.model.set_string(table, row, "MAC", mac);
    c.ctx.model.set_uuids(table, row, "logical_switch", &[switch]);
    row
}

/// `add-ucast-local LS MAC [ENCAP] IP`
pub fn add_ucast(c: &mut Vtep, call: &Call) -> Done {
    let (switch, table) = (switch(c, call)?, table(call, "Ucast"));
    let locator = locator(c, place(call));
    let mac = &call.args[1];
    let row = find(c, &table, switch, mac).unwrap_or_else(|| insert(c, &table, switch, mac));
    c.ctx.model.set_uuids(&table, row, "locator", &[locator]);
    Ok(())
}

/// `del-ucast-local LS MAC`
pub fn del_ucast(c: &mut Vtep, call: &Call) -> Done {
    let (switch, table) = (switch(c, call)?, table(call, "Ucast"));
    if let Some(row) = find(c, &table, switch, &call.args[1]) {
        c.ctx.model.delete(&table, row);
    }
    Ok(())
}

/// The locators of a multicast address.
fn locators(c: &Vtep, table: &str, row: Uuid) -> Vec<Uuid> {
    let m = &c.ctx.model;
    let sets = m.uuids(table, row, "locator_set");
    sets.iter().flat_map(|s| m.uuids("Physical_Locator_Set", *s, "locators")).collect()
}

fn set_locators(c: &mut Vtep, table: &str, row: Uuid, locators: &[Uuid]) {
    let set = c.ctx.model.insert("Physical_Locator_Set");
    c.ctx.model.set_uuids("Physical_Locator_Set", set, "locators", locators);
    c.ctx.model.set_uuids(table, row, "locator_set", &[set]);
}

/// `add-mcast-local LS MAC [ENCAP] IP`
pub fn add_mcast(c: &mut Vtep, call: &Call) -> Done {
    let (switch, table) = (switch(c, call)?, table(call, "Mcast"));
    let mac = &call.args[1];
    let row = find(c, &table, switch, mac);
    let mut all = row.map_or(Vec::new(), |r| locators(c, &table, r));
    let locator = locator(c, place(call));
    if all.contains(&locator) {
        return Ok(());
    }
    all.push(locator);
    let row = row.unwrap_or_else(|| insert(c, &table, switch, mac));
    set_locators(c, &table, row, &all);
    Ok(())
}

/// `del-mcast-local LS MAC [ENCAP] IP`
pub fn del_mcast(c: &mut Vtep, call: &Call) -> Done {
    let (switch, table) = (switch(c, call)?, table(call, "Mcast"));
    let Some(row) = find(c, &table, switch, &call.args[1]) else { return Ok(()) };
    let Some(locator) = find_locator(c, place(call)) else { return Ok(()) };
    let mut all = locators(c, &table, row);
    if !all.contains(&locator) {
        return Ok(());
    }
    all.retain(|l| *l != locator);
    if all.is_empty() {
        c.ctx.model.delete(&table, row);
    } else {
        set_locators(c, &table, row, &all);
    }
    Ok(())
}

/// `clear-local-macs LS`
pub fn clear(c: &mut Vtep, call: &Call) -> Done {
    let switch = switch(c, call)?;
    for cast in ["Ucast", "Mcast"] {
        let table = table(call, cast);
        for row in of_switch(c, &table, switch) {
            c.ctx.model.delete(&table, row);
        }
    }
    Ok(())
}

/// `list-local-macs LS`
pub fn list(c: &mut Vtep, call: &Call) -> Done {
    let switch = switch(c, call)?;
    let m = &c.ctx.model;
    let mut lines = Vec::new();
    for cast in ["Ucast", "Mcast"] {
        let table = table(call, cast);
        let side = if table.ends_with("Local") { "local" } else { "remote" };
        lines.push(format!("{}-mac-{side}", cast.to_ascii_lowercase()));
        let mut entries = Vec::new();
        for row in of_switch(c, &table, switch) {
            let to = if cast == "Ucast" { m.uuids(&table, row, "locator") } else { locators(c, &table, row) };
            for l in to {
                let encap = m.string("Physical_Locator", l, "encapsulation_type");
                let ip = m.string("Physical_Locator", l, "dst_ip");
                entries.push(format!("  {} -> {encap}/{ip}", m.string(&table, row, "MAC")));
            }
        }
        entries.sort();
        lines.extend(entries);
        lines.push(String::new());
    }
    c.ctx.lines(lines);
    Ok(())
}
