//! Bridges, ports and interfaces as operators think of them, read from the rows.
//!
//! The view follows what commands do instead of being read anew after each: a line of a thousand commands costs
//! a thousand times one command.
//!
//! A *fake bridge* is a port marked `fake_bridge`: it stands for one VLAN of its parent, and the parent's ports
//! on that VLAN count as its own.

use crate::ctl::model::{Model, Touched};
use ovsdb::Uuid;
use std::collections::BTreeMap;

/// A bridge, real or fake.
#[derive(Clone, Debug)]
pub struct Bridge {
    /// Its name.
    pub name: String,
    /// Row of the real bridge: the parent's, for a fake one.
    pub row: Uuid,
    /// Parent's name and VLAN of a fake bridge.
    pub parent: Option<(String, i64)>,
    /// Port row of a fake bridge, or of the local port.
    pub port: Option<Uuid>,
}

/// A port.
#[derive(Clone, Debug)]
pub struct Port {
    /// Its row.
    pub row: Uuid,
    /// Name of the bridge that it counts for: perhaps a fake one.
    pub bridge: String,
    /// Interface rows with their names.
    pub interfaces: Vec<(String, Uuid)>,
}

/// An interface.
#[derive(Clone, Debug)]
pub struct Interface {
    /// Its row.
    pub row: Uuid,
    /// Name of its port.
    pub port: String,
    /// Name of the bridge that the port counts for.
    pub bridge: String,
}

/// The columns that the view is made of.
pub const WATCHED: &[(&str, &str)] = &[
    ("Open_vSwitch", "bridges"),
    ("Bridge", "name"),
    ("Bridge", "ports"),
    ("Port", "name"),
    ("Port", "fake_bridge"),
    ("Port", "tag"),
    ("Port", "interfaces"),
    ("Interface", "name"),
];

/// All of them by name. Local ports and their interfaces are not ports here: they belong to their bridge.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// Bridges.
    pub bridges: BTreeMap<String, Bridge>,
    /// Ports.
    pub ports: BTreeMap<String, Port>,
    /// Interfaces.
    pub interfaces: BTreeMap<String, Interface>,
    /// How many of the bridges are fake.
    fakes: usize,
}

impl View {
    /// Reads the rows.
    pub fn read(m: &Model) -> View {
        let mut view = View::default();
        let Some(root) = m.rows("Open_vSwitch").next() else { return view };
        let Some(t) = m.schema().table("Bridge") else { return view };
        for row in m.uuids("Open_vSwitch", root, "bridges") {
            if m.row(t, row).is_some() {
                view.read_bridge(m, row);
            }
        }
        view
    }

    fn read_bridge(&mut self, m: &Model, row: Uuid) {
        let name = m.string("Bridge", row, "name");
        if self.bridges.contains_key(&name) {
            return;
        }
        // Where only some rows were fetched, only those are there.
        let mut ports = m.uuids("Bridge", row, "ports");
        if let Some(t) = m.schema().table("Port") {
            ports.retain(|p| m.row(t, *p).is_some());
        }
        let mut fakes: BTreeMap<i64, String> = BTreeMap::new();
        let mut local = None;
        for port in &ports {
            let port_name = m.string("Port", *port, "name");
            if port_name == name {
                local = Some(*port);
            } else if m.flag("Port", *port, "fake_bridge")
                && let Some(vlan) = m.int("Port", *port, "tag")
                && !self.bridges.contains_key(&port_name)
            {
                fakes.insert(vlan, port_name.clone());
                let parent = Some((name.clone(), vlan));
                self.add_bridge(Bridge { name: port_name, row, parent, port: Some(*port) });
            }
        }
        self.add_bridge(Bridge { name: name.clone(), row, parent: None, port: local });
        for port in ports {
            let port_name = m.string("Port", port, "name");
            if self.bridges.contains_key(&port_name) {
                continue;
            }
            let owner = m.int("Port", port, "tag").and_then(|t| fakes.get(&t)).unwrap_or(&name).clone();
            self.read_port(m, port, port_name, owner);
        }
    }

    fn read_port(&mut self, m: &Model, row: Uuid, name: String, bridge: String) {
        let interfaces: Vec<(String, Uuid)> = m
            .uuids("Port", row, "interfaces")
            .into_iter()
            .map(|i| (m.string("Interface", i, "name"), i))
            .collect();
        self.add_port(name, row, bridge, interfaces);
    }

    /// Takes in a change that some command made to a row of its own accord; false if that cannot be done without
    /// reading everything.
    pub fn absorb(&mut self, m: &Model, t: &Touched) -> bool {
        let Some(column) = t.column else { return false };
        let table = m.table(t.table);
        // A port's VLAN matters only where there are fake bridges, or for one.
        &*table.name == "Port"
            && &*table.columns[column].name == "tag"
            && self.fakes == 0
            && !m.flag("Port", t.row, "fake_bridge")
    }

    /// Whether there are fake bridges.
    pub fn has_fakes(&self) -> bool {
        self.fakes > 0
    }

    /// Puts in a bridge.
    pub fn add_bridge(&mut self, bridge: Bridge) {
        self.fakes += usize::from(bridge.parent.is_some());
        self.bridges.insert(bridge.name.clone(), bridge);
    }

    /// Takes out a bridge.
    pub fn remove_bridge(&mut self, name: &str) {
        if let Some(bridge) = self.bridges.remove(name) {
            self.fakes -= usize::from(bridge.parent.is_some());
        }
    }

    /// Puts in a port with its interfaces.
    pub fn add_port(&mut self, name: String, row: Uuid, bridge: String, interfaces: Vec<(String, Uuid)>) {
        for (interface, row) in &interfaces {
            let i = Interface { row: *row, port: name.clone(), bridge: bridge.clone() };
            self.interfaces.entry(interface.clone()).or_insert(i);
        }
        self.ports.entry(name).or_insert(Port { row, bridge, interfaces });
    }

    /// Takes out a port and its interfaces.
    pub fn remove_port(&mut self, name: &str) {
        let Some(port) = self.ports.remove(name) else { return };
        for (interface, row) in &port.interfaces {
            if self.interfaces.get(interface).is_some_and(|i| i.row == *row) {
                self.interfaces.remove(interface);
            }
        }
    }

    /// Puts one more interface in a port.
    pub fn add_interface(&mut self, port: &str, name: String, row: Uuid) {
        let Some(p) = self.ports.get_mut(port) else { return };
        p.interfaces.push((name.clone(), row));
        self.interfaces.insert(name, Interface { row, port: port.to_string(), bridge: p.bridge.clone() });
    }

    /// Takes one interface out of its port.
    pub fn remove_interface(&mut self, name: &str) {
        let Some(i) = self.interfaces.remove(name) else { return };
        if let Some(p) = self.ports.get_mut(&i.port) {
            p.interfaces.retain(|(_, row)| *row != i.row);
        }
    }

    /// A bridge that must exist.
    pub fn bridge(&self, name: &str) -> Result<&Bridge, String> {
        self.bridges.get(name).ok_or_else(|| format!("no bridge named {name}"))
    }

    /// A real bridge that must exist.
    pub fn real_bridge(&self, name: &str) -> Result<&Bridge, String> {
        let bridge = self.bridge(name)?;
        if bridge.parent.is_some() { Err(format!("{name} is a fake bridge")) } else { Ok(bridge) }
    }

    /// A port that must exist.
    pub fn port(&self, name: &str) -> Result<&Port, String> {
        self.ports.get(name).ok_or_else(|| format!("no port named {name}"))
    }

    /// Fails with `what` and the reason when something has the name already.
    pub fn check_free(&self, name: &str, what: &str) -> Result<(), String> {
        if self.bridges.contains_key(name) {
            return Err(format!("{what} because a bridge named {name} already exists"));
        }
        if let Some(p) = self.ports.get(name) {
            return Err(format!("{what} because a port named {name} already exists on bridge {}", p.bridge));
        }
        if let Some(i) = self.interfaces.get(name) {
            return Err(format!(
                "{what} because an interface named {name} already exists on bridge {}",
                i.bridge
            ));
        }
        Ok(())
    }

    /// Fake bridges of a real one.
    pub fn children<'a>(&'a self, parent: &'a str) -> impl Iterator<Item = &'a Bridge> {
        self.bridges.values().filter(move |b| b.parent.as_ref().is_some_and(|(p, _)| p == parent))
    }
}
