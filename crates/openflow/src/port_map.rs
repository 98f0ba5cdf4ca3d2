//! Names of ports and tables.
//!
//! Text refers to ports and tables by number or by name; who knows the names is not our business, so everything
//! that parses or prints takes a [`Names`].

use base::OfPort;
use flow::text::PortMap;
use std::collections::{BTreeMap, HashMap};

/// Resolves the names of ports (by its supertrait) and tables. A name or number that two share is not resolved.
pub trait Names: PortMap {
    /// The name of a table, if names are to be shown.
    fn table_name(&self, table: u8) -> Option<String>;
    /// The table of that name.
    fn table_number(&self, name: &str) -> Option<u8>;
    /// As the supertrait.
    fn ports(&self) -> &dyn PortMap;
}

/// Knows no names.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoNames;

impl PortMap for NoNames {
    fn port_name(&self, _: OfPort) -> Option<String> {
        None
    }
    fn port_number(&self, _: &str) -> Option<OfPort> {
        None
    }
}

impl Names for NoNames {
    fn table_name(&self, _: u8) -> Option<String> {
        None
    }
    fn table_number(&self, _: &str) -> Option<u8> {
        None
    }
    fn ports(&self) -> &dyn PortMap {
        self
    }
}

/// Names kept in maps.
#[derive(Clone, Debug, Default)]
pub struct NameMap {
    ports: BTreeMap<u32, Option<String>>,
    port_names: HashMap<String, Option<OfPort>>,
    tables: BTreeMap<u8, Option<String>>,
    table_names: HashMap<String, Option<u8>>,
    /// Numbers are resolved from names, but no names are shown.
    pub accept_only: bool,
}

impl NameMap {
    /// Adds a port.
    pub fn add_port(&mut self, port: OfPort, name: &str) {
        let slot = self.port_names.entry(name.to_string()).or_insert(Some(port));
        if *slot != Some(port) {
            *slot = None;
        }
        let slot = self.ports.entry(port.0).or_insert_with(|| Some(name.to_string()));
        if slot.as_deref() != Some(name) {
            *slot = None;
        }
    }

    /// Adds a table.
    pub fn add_table(&mut self, table: u8, name: &str) {
        let slot = self.table_names.entry(name.to_string()).or_insert(Some(table));
        if *slot != Some(table) {
            *slot = None;
        }
        let slot = self.tables.entry(table).or_insert_with(|| Some(name.to_string()));
        if slot.as_deref() != Some(name) {
            *slot = None;
        }
    }
}

impl PortMap for NameMap {
    fn port_name(&self, port: OfPort) -> Option<String> {
        if self.accept_only { None } else { self.ports.get(&port.0)?.clone() }
    }
    fn port_number(&self, name: &str) -> Option<OfPort> {
        *self.port_names.get(name)?
    }
}

impl Names for NameMap {
    fn table_name(&self, table: u8) -> Option<String> {
        if self.accept_only { None } else { self.tables.get(&table)?.clone() }
    }
    fn table_number(&self, name: &str) -> Option<u8> {
        *self.table_names.get(name)?
    }
    fn ports(&self) -> &dyn PortMap {
        self
    }
}
