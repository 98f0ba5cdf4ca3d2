//! Bridge, port and interface commands.

use super::Vsctl;
use super::view::{Bridge, Port, View};
use crate::ctl::command::Invocation;
use crate::ctl::model::Model;
use crate::ctl::targets::number;
use ovsdb::Uuid;

type Call = Invocation<Vsctl>;
type Done = Result<(), String>;

/// `add-br BRIDGE [PARENT VLAN]`
pub fn add_br(c: &mut Vsctl, call: &Call) -> Done {
    let name = call.args[0].clone();
    let parent = match call.args.len() {
        1 => None,
        3 => {
            let vlan = number(&call.args[2]);
            if !(0..=4095).contains(&vlan) {
                return Err("add-br: vlan must be between 0 and 4095".into());
            }
            Some((call.args[1].clone(), vlan))
        }
        _ => return Err("'add-br' command takes exactly 1 or 3 arguments".into()),
    };
    if name.is_empty() {
        return Err("bridge name must not be empty string".into());
    }
    let view = c.view();
    if call.has("--may-exist")
        && let Some(existing) = view.bridges.get(&name)
    {
        return may_exist(existing, &name, parent.as_ref());
    }
    view.check_free(&name, &format!("cannot create a bridge named {name}"))?;
    let bridge = match parent {
        None => {
            let interface = new_interface(&mut c.ctx.model, &name, "internal");
            let port = new_port(&mut c.ctx.model, &name, &[interface]);
            let row = c.ctx.model.insert("Bridge");
            c.ctx.model.set_string("Bridge", row, "name", &name);
            c.ctx.model.set_uuids("Bridge", row, "ports", &[port]);
            let root = c.root();
            c.ctx.model.add_uuid("Open_vSwitch", root, "bridges", row);
            Bridge { name: name.clone(), row, parent: None, port: Some(port) }
        }
        Some((parent, vlan)) => {
            let Some(bridge) = view.bridges.get(&parent) else {
                return Err(format!("parent bridge {parent} does not exist"));
            };
            if bridge.parent.is_some() {
                return Err("cannot create bridge with fake bridge as parent".into());
            }
            let twin = view.children(&parent).find(|b| b.parent.as_ref().is_some_and(|p| p.1 == vlan));
            if let Some(twin) = twin {
                return Err(format!(
                    "bridge {parent} already has a child VLAN bridge {} on VLAN {vlan}",
                    twin.name
                ));
            }
            let interface = new_interface(&mut c.ctx.model, &name, "internal");
            let port = new_port(&mut c.ctx.model, &name, &[interface]);
            c.ctx.model.set_flag("Port", port, "fake_bridge", true);
            c.ctx.model.set_int("Port", port, "tag", vlan);
            c.ctx.model.add_uuid("Bridge", bridge.row, "ports", port);
            Bridge { name: name.clone(), row: bridge.row, parent: Some((parent, vlan)), port: Some(port) }
        }
    };
    let real = bridge.parent.is_none();
    drop(view);
    // A fake bridge takes over the ports of its parent that are on its VLAN: those are found by reading.
    if real {
        c.edit(|v| v.add_bridge(bridge));
    }
    c.neoteric_interfaces.push(name);
    Ok(())
}

fn may_exist(existing: &Bridge, name: &str, parent: Option<&(String, i64)>) -> Done {
    match (parent, &existing.parent) {
        (None, None) => Ok(()),
        (None, Some((_, vlan))) => {
            Err(format!("\"--may-exist add-br {name}\" but {name} is a VLAN bridge for VLAN {vlan}"))
        }
        (Some((parent, vlan)), is) => {
            let what = format!("\"--may-exist add-br {name} {parent} {vlan}\" but {name}");
            match is {
                None => Err(format!("{what} is not a VLAN bridge")),
                Some((p, _)) if p != parent => Err(format!("{what} has the wrong parent {p}")),
                Some((_, v)) if v != vlan => Err(format!("{what} is a VLAN bridge for the wrong VLAN {v}")),
                Some(_) => Ok(()),
            }
        }
    }
}

fn new_interface(m: &mut Model, name: &str, kind: &str) -> Uuid {
    let row = m.insert("Interface");
    m.set_string("Interface", row, "name", name);
    if !kind.is_empty() {
        m.set_string("Interface", row, "type", kind);
    }
    row
}

fn new_port(m: &mut Model, name: &str, interfaces: &[Uuid]) -> Uuid {
    let row = m.insert("Port");
    m.set_string("Port", row, "name", name);
    m.set_uuids("Port", row, "interfaces", interfaces);
    row
}

fn delete_port(m: &mut Model, bridge: Uuid, port: Uuid) {
    m.remove_uuid("Bridge", bridge, "ports", port);
    for interface in m.uuids("Port", port, "interfaces") {
        m.delete("Interface", interface);
    }
    m.delete("Port", port);
}

/// `del-br BRIDGE`
pub fn del_br(c: &mut Vsctl, call: &Call) -> Done {
    let view = c.view();
    let name = &call.args[0];
    let Some(bridge) = view.bridges.get(name).cloned() else {
        return if call.has("--if-exists") { Ok(()) } else { Err(format!("no bridge named {name}")) };
    };
    if bridge.parent.is_some() {
        let own: Vec<Uuid> = view.ports.values().filter(|p| p.bridge == *name).map(|p| p.row).collect();
        for port in own.into_iter().chain(bridge.port) {
            delete_port(&mut c.ctx.model, bridge.row, port);
        }
        return Ok(());
    }
    let alone = view.children(name).next().is_none();
    drop(view);
    let mut ports = Vec::new();
    for port in c.ctx.model.uuids("Bridge", bridge.row, "ports") {
        ports.push(c.ctx.model.string("Port", port, "name"));
        delete_port(&mut c.ctx.model, bridge.row, port);
    }
    let root = c.root();
    c.ctx.model.remove_uuid("Open_vSwitch", root, "bridges", bridge.row);
    c.ctx.model.delete("Bridge", bridge.row);
    if alone {
        c.edit(|v| {
            ports.iter().for_each(|p| v.remove_port(p));
            v.remove_bridge(name);
        });
    }
    Ok(())
}

/// `list-br`
pub fn list_br(c: &mut Vsctl, call: &Call) -> Done {
    let (real, fake) = (call.has("--real"), call.has("--fake"));
    let names: Vec<String> = c
        .view()
        .bridges
        .values()
        .filter(|b| if b.parent.is_some() { fake || !real } else { real || !fake })
        .map(|b| b.name.clone())
        .collect();
    c.ctx.lines(names);
    Ok(())
}

/// `br-exists BRIDGE`: exit status 2 says no.
pub fn br_exists(c: &mut Vsctl, call: &Call) -> Done {
    if !c.view().bridges.contains_key(&call.args[0]) {
        c.ctx.exit_status = Some(2);
    }
    Ok(())
}

/// `br-to-vlan BRIDGE`
pub fn br_to_vlan(c: &mut Vsctl, call: &Call) -> Done {
    let vlan = c.view().bridge(&call.args[0])?.parent.as_ref().map_or(0, |p| p.1);
    c.ctx.lines([vlan.to_string()]);
    Ok(())
}

/// `br-to-parent BRIDGE`
pub fn br_to_parent(c: &mut Vsctl, call: &Call) -> Done {
    let view = c.view();
    let bridge = view.bridge(&call.args[0])?;
    let parent = bridge.parent.as_ref().map_or(bridge.name.clone(), |p| p.0.clone());
    c.ctx.lines([parent]);
    Ok(())
}

/// Where a bridge's external ids are: a fake one has them in its port, under a prefix.
fn external_ids(bridge: &Bridge) -> (&'static str, Uuid, &'static str) {
    match (&bridge.parent, bridge.port) {
        (Some(_), Some(port)) => ("Port", port, "fake-bridge-"),
        _ => ("Bridge", bridge.row, ""),
    }
}

/// `br-set-external-id BRIDGE KEY [VALUE]`
pub fn br_set_external_id(c: &mut Vsctl, call: &Call) -> Done {
    let view = c.view();
    let (table, row, prefix) = external_ids(view.bridge(&call.args[0])?);
    let key = format!("{prefix}{}", call.args[1]);
    c.ctx.model.set_map_key(table, row, "external_ids", &key, call.arg(2));
    Ok(())
}

/// `br-get-external-id BRIDGE [KEY]`
pub fn br_get_external_id(c: &mut Vsctl, call: &Call) -> Done {
    let view = c.view();
    let (table, row, prefix) = external_ids(view.bridge(&call.args[0])?);
    let map = c.ctx.model.map(table, row, "external_ids");
    match call.arg(1) {
        Some(key) => {
            if let Some(value) = map.get(&format!("{prefix}{key}")) {
                c.ctx.lines([value.clone()]);
            }
        }
        None => {
            let lines: Vec<String> =
                map.iter().filter_map(|(k, v)| Some(format!("{}={v}", k.strip_prefix(prefix)?))).collect();
            c.ctx.lines(lines);
        }
    }
    Ok(())
}

/// `list-ports BRIDGE`
pub fn list_ports(c: &mut Vsctl, call: &Call) -> Done {
    let view = c.view();
    let bridge = view.bridge(&call.args[0])?;
    c.ctx.lines(view.ports.iter().filter(|(_, p)| p.bridge == bridge.name).map(|(n, _)| n.clone()));
    Ok(())
}

/// `list-ifaces BRIDGE`
pub fn list_ifaces(c: &mut Vsctl, call: &Call) -> Done {
    let view = c.view();
    let bridge = view.bridge(&call.args[0])?;
    c.ctx.lines(view.interfaces.iter().filter(|(_, i)| i.bridge == bridge.name).map(|(n, _)| n.clone()));
    Ok(())
}

/// `port-to-br PORT`
pub fn port_to_br(c: &mut Vsctl, call: &Call) -> Done {
    let bridge = c.view().port(&call.args[0])?.bridge.clone();
    c.ctx.lines([bridge]);
    Ok(())
}

/// `iface-to-br IFACE`
pub fn iface_to_br(c: &mut Vsctl, call: &Call) -> Done {
    let name = &call.args[0];
    let view = c.view();
    let Some(interface) = view.interfaces.get(name) else {
        return Err(format!("no interface named {name}"));
    };
    c.ctx.lines([interface.bridge.clone()]);
    Ok(())
}

/// `add-port BRIDGE PORT [COLUMN[:KEY]=VALUE]...`
pub fn add_port(c: &mut Vsctl, call: &Call) -> Done {
    let (bridge, port) = (call.args[0].clone(), call.args[1].clone());
    let interfaces = [port.clone()];
    add(c, call, &bridge, &port, &interfaces, &call.args[2..])
}

/// `add-bond BRIDGE PORT IFACE... [COLUMN[:KEY]=VALUE]...`
pub fn add_bond(c: &mut Vsctl, call: &Call) -> Done {
    let (bridge, port) = (call.args[0].clone(), call.args[1].clone());
    let n = call.args[2..].iter().position(|a| a.contains('=')).unwrap_or(call.args.len() - 2);
    let (interfaces, settings) = call.args[2..].split_at(n);
    if interfaces.len() < 2 {
        return Err("add-bond requires at least 2 interfaces, but only 1 were specified".into());
    }
    add(c, call, &bridge, &port, interfaces, settings)
}

fn add(
    c: &mut Vsctl,
    call: &Call,
    bridge_name: &str,
    name: &str,
    interfaces: &[String],
    settings: &[String],
) -> Done {
    let view = c.view();
    if call.has("--may-exist")
        && let Some(port) = view.ports.get(name)
    {
        return port_may_exist(port, call.syntax.name, bridge_name, name, interfaces);
    }
    if name.is_empty() {
        return Err("port name must not be empty string".into());
    }
    view.check_free(name, &format!("cannot create a port named {name}"))?;
    for interface in interfaces {
        view.check_free(interface, &format!("cannot create an interface named {interface}"))?;
    }
    let bridge = view.bridge(bridge_name)?;
    let rows: Vec<Uuid> = interfaces.iter().map(|i| new_interface(&mut c.ctx.model, i, "")).collect();
    let port = new_port(&mut c.ctx.model, name, &rows);
    if call.has("--fake-iface") {
        c.ctx.model.set_flag("Port", port, "bond_fake_iface", true);
    }
    if let Some((_, vlan)) = bridge.parent {
        c.ctx.model.set_int("Port", port, "tag", vlan);
    }
    for setting in settings {
        crate::ctl::columns::set_column(&mut c.ctx.model, "Port", port, setting, &mut c.ctx.symbols)?;
    }
    c.ctx.model.add_uuid("Bridge", bridge.row, "ports", port);
    let fakes = view.has_fakes();
    drop(view);
    let plain = settings.iter().all(|s| !["name", "interfaces", "fake"].iter().any(|n| s.contains(n)));
    // With fake bridges about, whose the port is depends on its VLAN: reading tells.
    if plain && !fakes {
        let named = interfaces.iter().cloned().zip(rows).collect();
        c.edit(|v| v.add_port(name.to_string(), port, bridge_name.to_string(), named));
    }
    c.neoteric_interfaces.extend(interfaces.iter().cloned());
    Ok(())
}

fn port_may_exist(port: &Port, command: &str, bridge: &str, name: &str, interfaces: &[String]) -> Done {
    let what = format!(
        "\"--may-exist {command} {bridge} {name}{}\" but {name}",
        if command == "add-bond" { format!(" {}", interfaces.join(" ")) } else { String::new() }
    );
    if port.bridge != bridge {
        return Err(format!("{what} is actually attached to bridge {}", port.bridge));
    }
    let mut want: Vec<&str> = interfaces.iter().map(String::as_str).collect();
    let mut have: Vec<&str> = port.interfaces.iter().map(|(n, _)| n.as_str()).collect();
    want.sort_unstable();
    have.sort_unstable();
    if want != have {
        return Err(format!("{what} actually has interface(s) {}", have.join(", ")));
    }
    Ok(())
}

/// `add-bond-iface BOND IFACE`
pub fn add_bond_iface(c: &mut Vsctl, call: &Call) -> Done {
    let view = c.view();
    let (name, interface) = (&call.args[0], &call.args[1]);
    let port = view.port(name)?;
    if call.has("--may-exist")
        && let Some(existing) = view.interfaces.get(interface)
    {
        if existing.port == *name {
            return Ok(());
        }
        return Err(format!(
            "\"--may-exist add-bond-iface {name} {interface}\" but {interface} is actually attached to port {}",
            existing.port
        ));
    }
    view.check_free(interface, &format!("cannot create an interface named {interface}"))?;
    let row = new_interface(&mut c.ctx.model, interface, "");
    c.ctx.model.add_uuid("Port", port.row, "interfaces", row);
    drop(view);
    c.edit(|v| v.add_interface(name, interface.clone(), row));
    c.neoteric_interfaces.push(interface.clone());
    Ok(())
}

/// `del-bond-iface [BOND] IFACE`
pub fn del_bond_iface(c: &mut Vsctl, call: &Call) -> Done {
    let view = c.view();
    let must = !call.has("--if-exists");
    let interface = call.args.last().map(String::as_str).unwrap_or_default();
    let Some(i) = view.interfaces.get(interface) else {
        return if must { Err(format!("no interface named {interface}")) } else { Ok(()) };
    };
    if call.args.len() == 2 {
        let name = &call.args[0];
        view.port(name)?;
        if i.port != *name {
            return Err(format!("port {name} does not have an interface {interface}"));
        }
    }
    let port = view.port(&i.port)?;
    if port.interfaces.len() < 2 {
        return Err(format!("cannot delete last interface from port {}", i.port));
    }
    let (port, row) = (port.row, i.row);
    drop(view);
    c.ctx.model.remove_uuid("Port", port, "interfaces", row);
    c.ctx.model.delete("Interface", row);
    c.edit(|v| v.remove_interface(interface));
    Ok(())
}

/// `del-port [BRIDGE] PORT`
pub fn del_port(c: &mut Vsctl, call: &Call) -> Done {
    let view = c.view();
    let (must, with_iface) = (!call.has("--if-exists"), call.has("--with-iface"));
    let target = call.args.last().map(String::as_str).unwrap_or_default();
    let named = if call.args.len() == 2 { Some(&call.args[0]) } else { None };
    let mut found = view.ports.get(target);
    if found.is_none() && with_iface {
        found = view.interfaces.get(target).and_then(|i| view.ports.get(&i.port));
    }
    let Some(port) = found else {
        if let Some(bridge) = view.bridges.get(target) {
            if !must {
                return Ok(());
            }
            return Err(format!(
                "cannot delete port {target} because it is the local port for bridge {} (deleting this port requires deleting the entire bridge)",
                bridge.name
            ));
        }
        let kind = if with_iface { "port or interface" } else { "port" };
        return if must { Err(format!("no {kind} named {target}")) } else { Ok(()) };
    };
    if let Some(name) = named
        && port.bridge != *name
    {
        view.bridge(name)?;
        return Err(elsewhere(&view, name, target, port));
    }
    let bridge = view.bridge(&port.bridge)?.row;
    let (row, name) = (port.row, c.ctx.model.string("Port", port.row, "name"));
    drop(view);
    delete_port(&mut c.ctx.model, bridge, row);
    c.edit(|v| v.remove_port(&name));
    Ok(())
}

fn elsewhere(view: &View, name: &str, target: &str, port: &Port) -> String {
    let mut text = format!("bridge {name} does not have a port {target}");
    let parent = view.bridges.get(&port.bridge).and_then(|b| b.parent.as_ref());
    if parent.is_some_and(|p| p.0 == name) {
        text.push_str(&format!(" (although its child bridge {} does)", port.bridge));
    }
    text
}
