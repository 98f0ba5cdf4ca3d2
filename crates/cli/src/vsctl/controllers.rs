//! Controllers, fail-mode, managers, TLS files, Auto Attach mappings, `emer-reset`.

use super::Vsctl;
use crate::ctl::command::Invocation;
use crate::ctl::targets::{insert_targets, leading_number, targets};
use ovsdb::Uuid;

type Call = Invocation<Vsctl>;
type Done = Result<(), String>;

/// Makes one row for each target.
fn insert(c: &mut Vsctl, call: &Call, table: &str, names: &[String]) -> Vec<Uuid> {
    insert_targets(&mut c.ctx, "vsctl", call, table, names)
}

/// `get-controller BRIDGE`
pub fn get_controller(c: &mut Vsctl, call: &Call) -> Done {
    let row = c.view().bridge(&call.args[0])?.row;
    let rows = c.ctx.model.uuids("Bridge", row, "controller");
    let lines = targets(&c.ctx, "Controller", &rows);
    c.ctx.lines(lines);
    Ok(())
}

fn delete_controllers(c: &mut Vsctl, bridge: Uuid) {
    let rows = c.ctx.model.uuids("Bridge", bridge, "controller");
    if rows.is_empty() {
        return;
    }
    c.ctx.model.set_uuids("Bridge", bridge, "controller", &[]);
    for row in rows {
        c.ctx.model.delete("Controller", row);
    }
}

/// `del-controller BRIDGE`
pub fn del_controller(c: &mut Vsctl, call: &Call) -> Done {
    let row = c.view().real_bridge(&call.args[0])?.row;
    delete_controllers(c, row);
    Ok(())
}

/// `set-controller BRIDGE TARGET...`
pub fn set_controller(c: &mut Vsctl, call: &Call) -> Done {
    let row = c.view().real_bridge(&call.args[0])?.row;
    delete_controllers(c, row);
    let rows = insert(c, call, "Controller", &call.args[1..]);
    c.ctx.model.set_uuids("Bridge", row, "controller", &rows);
    Ok(())
}

/// `get-fail-mode BRIDGE`
pub fn get_fail_mode(c: &mut Vsctl, call: &Call) -> Done {
    let row = c.view().bridge(&call.args[0])?.row;
    let mode = c.ctx.model.string("Bridge", row, "fail_mode");
    if !mode.is_empty() {
        c.ctx.lines([mode]);
    }
    Ok(())
}

/// `del-fail-mode BRIDGE`
pub fn del_fail_mode(c: &mut Vsctl, call: &Call) -> Done {
    let row = c.view().real_bridge(&call.args[0])?.row;
    c.ctx.model.clear("Bridge", row, "fail_mode");
    Ok(())
}

/// `set-fail-mode BRIDGE MODE`
pub fn set_fail_mode(c: &mut Vsctl, call: &Call) -> Done {
    let row = c.view().real_bridge(&call.args[0])?.row;
    let mode = &call.args[1];
    if mode != "standalone" && mode != "secure" {
        return Err("fail-mode must be \"standalone\" or \"secure\"".into());
    }
    c.ctx.model.set_string("Bridge", row, "fail_mode", mode);
    Ok(())
}

/// `get-manager`
pub fn get_manager(c: &mut Vsctl, _: &Call) -> Done {
    let root = c.root();
    let rows = c.ctx.model.uuids("Open_vSwitch", root, "manager_options");
    let lines = targets(&c.ctx, "Manager", &rows);
    c.ctx.lines(lines);
    Ok(())
}

fn delete_managers(c: &mut Vsctl) {
    let root = c.root();
    for row in c.ctx.model.uuids("Open_vSwitch", root, "manager_options") {
        c.ctx.model.delete("Manager", row);
    }
    c.ctx.model.clear("Open_vSwitch", root, "manager_options");
}

/// `del-manager`
pub fn del_manager(c: &mut Vsctl, _: &Call) -> Done {
    delete_managers(c);
    Ok(())
}

/// `set-manager TARGET...`
pub fn set_manager(c: &mut Vsctl, call: &Call) -> Done {
    delete_managers(c);
    let rows = insert(c, call, "Manager", &call.args);
    let root = c.root();
    c.ctx.model.set_uuids("Open_vSwitch", root, "manager_options", &rows);
    Ok(())
}

/// `get-ssl`
pub fn get_ssl(c: &mut Vsctl, _: &Call) -> Done {
    let root = c.root();
    if let Some(row) = c.ctx.model.uuids("Open_vSwitch", root, "ssl").first().copied() {
        let text = |column| c.ctx.model.string("SSL", row, column);
        let lines = [
            format!("Private key: {}", text("private_key")),
            format!("Certificate: {}", text("certificate")),
            format!("CA Certificate: {}", text("ca_cert")),
            format!("Bootstrap: {}", c.ctx.model.flag("SSL", row, "bootstrap_ca_cert")),
        ];
        c.ctx.lines(lines);
    }
    Ok(())
}

fn delete_ssl(c: &mut Vsctl) {
    let root = c.root();
    for row in c.ctx.model.uuids("Open_vSwitch", root, "ssl") {
        c.ctx.model.delete("SSL", row);
    }
    c.ctx.model.clear("Open_vSwitch", root, "ssl");
}

/// `del-ssl`
pub fn del_ssl(c: &mut Vsctl, _: &Call) -> Done {
    delete_ssl(c);
    Ok(())
}

/// `set-ssl PRIV-KEY CERT CA-CERT`
pub fn set_ssl(c: &mut Vsctl, call: &Call) -> Done {
    delete_ssl(c);
    let row = c.ctx.model.insert("SSL");
    for (column, value) in ["private_key", "certificate", "ca_cert"].into_iter().zip(&call.args) {
        c.ctx.model.set_string("SSL", row, column, value);
    }
    c.ctx.model.set_flag("SSL", row, "bootstrap_ca_cert", call.has("--bootstrap"));
    let root = c.root();
    c.ctx.model.set_uuids("Open_vSwitch", root, "ssl", &[row]);
    Ok(())
}

/// `emer-reset`: takes away everything that could keep the switch from being reached, and leaves bridges and ports.
pub fn emer_reset(c: &mut Vsctl, _: &Call) -> Done {
    let root = c.root();
    delete_managers(c);
    delete_ssl(c);
    for bridge in c.ctx.model.uuids("Open_vSwitch", root, "bridges") {
        for column in ["controller", "fail_mode", "mirrors", "netflow", "sflow", "ipfix", "flood_vlans"] {
            c.ctx.model.clear("Bridge", bridge, column);
        }
        c.ctx.model.keep_map_keys("Bridge", bridge, "other_config", &["hwaddr"]);
    }
    for port in c.ctx.model.rows("Port").collect::<Vec<_>>() {
        c.ctx.model.keep_map_keys("Port", port, "other_config", &["hwaddr"]);
    }
    for interface in c.ctx.model.rows("Interface").collect::<Vec<_>>() {
        c.ctx.model.set_int("Interface", interface, "ingress_policing_rate", 0);
        c.ctx.model.set_int("Interface", interface, "ingress_policing_burst", 0);
    }
    for table in ["Mirror", "Controller", "Manager", "NetFlow", "sFlow", "IPFIX", "SSL"] {
        for row in c.ctx.model.rows(table).collect::<Vec<_>>() {
            c.ctx.model.delete(table, row);
        }
    }
    Ok(())
}

fn argument(text: &str) -> Result<i64, String> {
    // A number counts up to where it ends; there must be one.
    leading_number(text).ok_or_else(|| format!("Invalid argument {text}"))
}

fn auto_attach(c: &mut Vsctl, bridge: &str) -> Result<(Uuid, Option<Uuid>), String> {
    let row = c.view().bridge(bridge)?.row;
    Ok((row, c.ctx.model.uuids("Bridge", row, "auto_attach").first().copied()))
}

/// `add-aa-mapping BRIDGE I-SID VLAN`
pub fn add_aa_mapping(c: &mut Vsctl, call: &Call) -> Done {
    let (isid, vlan) = (argument(&call.args[1])?, argument(&call.args[2])?);
    let (bridge, existing) = auto_attach(c, &call.args[0])?;
    let row = match existing {
        Some(row) => row,
        None => {
            let row = c.ctx.model.insert("AutoAttach");
            c.ctx.model.set_uuids("Bridge", bridge, "auto_attach", &[row]);
            row
        }
    };
    let mut mappings = c.ctx.model.int_map("AutoAttach", row, "mappings");
    mappings.entry(isid).or_insert(vlan);
    c.ctx.model.set_int_map("AutoAttach", row, "mappings", &mappings);
    Ok(())
}

/// `del-aa-mapping BRIDGE I-SID VLAN`
pub fn del_aa_mapping(c: &mut Vsctl, call: &Call) -> Done {
    let (isid, vlan) = (argument(&call.args[1])?, argument(&call.args[2])?);
    if let (_, Some(row)) = auto_attach(c, &call.args[0])? {
        let mut mappings = c.ctx.model.int_map("AutoAttach", row, "mappings");
        if mappings.get(&isid) == Some(&vlan) {
            mappings.remove(&isid);
            c.ctx.model.set_int_map("AutoAttach", row, "mappings", &mappings);
        }
    }
    Ok(())
}

/// `get-aa-mapping BRIDGE`
pub fn get_aa_mapping(c: &mut Vsctl, call: &Call) -> Done {
    if let (_, Some(row)) = auto_attach(c, &call.args[0])? {
        let lines: Vec<String> = c
            .ctx
            .model
            .int_map("AutoAttach", row, "mappings")
            .iter()
            .map(|(isid, vlan)| format!("{isid} {vlan}"))
            .collect();
        c.ctx.lines(lines);
    }
    Ok(())
}
