//! Physical switches with their ports, logical switches and routers, and what is bound to what.

use super::{Call, Done, Vtep};
use crate::ctl::targets::number;
use ovsdb::Uuid;

/// `add-ps PS`
pub fn add_ps(c: &mut Vtep, call: &Call) -> Done {
    if let Some(row) = c.make(call, "Physical_Switch", "physical switch")? {
        let root = c.root();
        c.ctx.model.add_uuid("Global", root, "switches", row);
    }
    Ok(())
}

/// `del-ps PS`
pub fn del_ps(c: &mut Vtep, call: &Call) -> Done {
    if let Some(row) = c.doomed(call, "Physical_Switch", "physical switch")? {
        for port in c.ctx.model.uuids("Physical_Switch", row, "ports") {
            c.ctx.model.delete("Physical_Port", port);
        }
        let root = c.root();
        c.ctx.model.remove_uuid("Global", root, "switches", row);
        c.ctx.model.delete("Physical_Switch", row);
    }
    Ok(())
}

/// `list-ps`
pub fn list_ps(c: &mut Vtep, _: &Call) -> Done {
    c.list("Physical_Switch");
    Ok(())
}

/// `ps-exists PS`: exit status 2 says no.
pub fn ps_exists(c: &mut Vtep, call: &Call) -> Done {
    c.exists("Physical_Switch", call);
    Ok(())
}

/// The port of a physical switch by name.
fn port(c: &Vtep, switch: Uuid, name: &str) -> Option<Uuid> {
    let ports = c.ctx.model.uuids("Physical_Switch", switch, "ports");
    ports.into_iter().find(|p| c.ctx.model.string("Physical_Port", *p, "name") == name)
}

/// `list-ports PS`
pub fn list_ports(c: &mut Vtep, call: &Call) -> Done {
    let switch = c.must("Physical_Switch", "physical switch", &call.args[0])?;
    let ports = c.ctx.model.uuids("Physical_Switch", switch, "ports");
    let names = ports.into_iter().map(|p| c.ctx.model.string("Physical_Port", p, "name"));
    // A port of the switch's own name stands for the switch itself.
    let mut names: Vec<String> = names.filter(|n| *n != call.args[0]).collect();
    names.sort();
    c.ctx.lines(names);
    Ok(())
}

/// `add-port PS PORT`
pub fn add_port(c: &mut Vtep, call: &Call) -> Done {
    let (switch_name, name) = (&call.args[0], &call.args[1]);
    let switch = c.must("Physical_Switch", "physical switch", switch_name)?;
    if port(c, switch, name).is_some() {
        if call.has("--may-exist") {
            return Ok(());
        }
        return Err(format!(
            "cannot create a port named {name} on {switch_name} because a port with that name already exists"
        ));
    }
    let row = c.ctx.model.insert("Physical_Port");
    c.ctx.model.set_string("Physical_Port", row, "name", name);
    c.ctx.model.add_uuid("Physical_Switch", switch, "ports", row);
    Ok(())
}

/// `del-port PS PORT`
pub fn del_port(c: &mut Vtep, call: &Call) -> Done {
    let (switch_name, name) = (&call.args[0], &call.args[1]);
    let found = c.named("Physical_Switch", switch_name).and_then(|s| Some((s, port(c, s, name)?)));
    match found {
        Some((switch, row)) => {
            c.ctx.model.remove_uuid("Physical_Switch", switch, "ports", row);
            c.ctx.model.delete("Physical_Port", row);
            Ok(())
        }
        None if call.has("--if-exists") => Ok(()),
        None => Err(format!("no port named {name}")),
    }
}

/// `add-ls LS`
pub fn add_ls(c: &mut Vtep, call: &Call) -> Done {
    c.make(call, "Logical_Switch", "logical switch").map(drop)
}

/// `del-ls LS`
pub fn del_ls(c: &mut Vtep, call: &Call) -> Done {
    if let Some(row) = c.doomed(call, "Logical_Switch", "logical switch")? {
        c.ctx.model.delete("Logical_Switch", row);
    }
    Ok(())
}

/// `list-ls`
pub fn list_ls(c: &mut Vtep, _: &Call) -> Done {
    c.list("Logical_Switch");
    Ok(())
}

/// `ls-exists LS`: exit status 2 says no.
pub fn ls_exists(c: &mut Vtep, call: &Call) -> Done {
    c.exists("Logical_Switch", call);
    Ok(())
}

/// The port that the first two arguments name.
fn bound_port(c: &Vtep, call: &Call) -> Result<Uuid, String> {
    let (switch, name) = (&call.args[0], &call.args[1]);
    let found = c.named("Physical_Switch", switch).and_then(|s| port(c, s, name));
    found.ok_or_else(|| format!("no port named {name}"))
}

/// `bind-ls PS PORT VLAN LS`
pub fn bind_ls(c: &mut Vtep, call: &Call) -> Done {
    let port = bound_port(c, call)?;
    let vlan = number(&call.args[2]);
    let switch = c.must("Logical_Switch", "logical switch", &call.args[3])?;
    let mut bindings = c.ctx.model.int_refs("Physical_Port", port, "vlan_bindings");
    if bindings.insert(vlan, switch).is_some() {
        return Err(format!("multiple bindings for vlan {vlan}"));
    }
    c.ctx.model.set_int_refs("Physical_Port", port, "vlan_bindings", &bindings);
    Ok(())
}

/// `unbind-ls PS PORT VLAN`
pub fn unbind_ls(c: &mut Vtep, call: &Call) -> Done {
    let port = bound_port(c, call)?;
    let mut bindings = c.ctx.model.int_refs("Physical_Port", port, "vlan_bindings");
    let vlan: Option<i64> = call.args[2].trim().parse().ok();
    if vlan.and_then(|v| bindings.remove(&v)).is_none() {
        return Err(format!("no binding for vlan {}", call.args[2]));
    }
    c.ctx.model.set_int_refs("Physical_Port", port, "vlan_bindings", &bindings);
    Ok(())
}

/// `list-bindings PS PORT`
pub fn list_bindings(c: &mut Vtep, call: &Call) -> Done {
    let port = bound_port(c, call)?;
    let bindings = c.ctx.model.int_refs("Physical_Port", port, "vlan_bindings");
    let lines: Vec<String> = bindings
        .iter()
        .map(|(vlan, ls)| format!("{vlan:04} {}", c.ctx.model.string("Logical_Switch", *ls, "name")))
        .collect();
    c.ctx.lines(lines);
    Ok(())
}

/// `set-replication-mode LS MODE`
pub fn set_replication_mode(c: &mut Vtep, call: &Call) -> Done {
    let mode = &call.args[1];
    if mode != "service_node" && mode != "source_node" {
        return Err("Replication mode must be 'service_node' or 'source_node'".into());
    }
    let row = c.must("Logical_Switch", "logical switch", &call.args[0])?;
    c.ctx.model.set_string("Logical_Switch", row, "replication_mode", mode);
    Ok(())
}

/// `get-replication-mode LS`
pub fn get_replication_mode(c: &mut Vtep, call: &Call) -> Done {
    let row = c.must("Logical_Switch", "logical switch", &call.args[0])?;
    let mode = c.ctx.model.string("Logical_Switch", row, "replication_mode");
    // What scripts have always read of a switch without a mode.
    c.ctx.lines([if mode.is_empty() { "(null)".to_string() } else { mode }]);
    Ok(())
}

/// `add-lr LR`
pub fn add_lr(c: &mut Vtep, call: &Call) -> Done {
    c.make(call, "Logical_Router", "logical router").map(drop)
}

/// `del-lr LR`
pub fn del_lr(c: &mut Vtep, call: &Call) -> Done {
    if let Some(row) = c.doomed(call, "Logical_Router", "logical router")? {
        c.ctx.model.delete("Logical_Router", row);
    }
    Ok(())
}

/// `list-lr`
pub fn list_lr(c: &mut Vtep, _: &Call) -> Done {
    c.list("Logical_Router");
    Ok(())
}

/// `lr-exists LR`: exit status 2 says no.
pub fn lr_exists(c: &mut Vtep, call: &Call) -> Done {
    c.exists("Logical_Router", call);
    Ok(())
}
