//! Names of ports and tables.
//!
//! Text refers to ports and tables by number or by name; who knows the names is not our business, so everything
//! that parses or prints takes a [`Names`].

use base::OfPort;
use std::collections::{BTreeMap, HashMap};

/// Resolves the names of ports and tables. A name or number that two share is not resolved.
pub trait Names {
    /// The name of a port, if names are to be shown.
    fn port_name(&self, port: OfPort) -> Option<&str>;
    /// The port of that name.
    fn port_number(&self, name: &str) -> Option<OfPort>;
    /// The name of a table, if names are to be shown.
    fn table_name(&self, table: u8) -> Option<&str>;
    /// The table of that name.
    fn table_number(&self, name: &str) -> Option<u8>;
}

/// Knows no names.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoNames;

impl Names for NoNames {
    fn port_name(&self, _: OfPort) -> Option<&str> {
        None
    }
    fn port_number(&self, _: &str) -> Option<OfPort> {
        None
    }
    fn table_name(&self, _: u8) -> Option<&str> {
        None
    }
    fn table_number(&self, _: &str) -> Option<u8> {
        None
    }
}

/// Names kept in maps.
#[derive(Clone, Debug, Default)]
pub struct NameMap {
    ports: BTreeMap<u32, Option<String>>,
    port_names: HashMap<String, Option<OfPort>>,
    tables: BTreeMap<u8, Option<String>>,
    table_names: HashMap<String, Option<u8>>,
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

impl Names for NameMap {
    fn port_name(&self, port: OfPort) -> Option<&str> {
        self.ports.get(&port.0)?.as_deref()
    }
    fn port_number(&self, name: &str) -> Option<OfPort> {
        *self.port_names.get(name)?
    }
    fn table_name(&self, table: u8) -> Option<&str> {
        self.tables.get(&table)?.as_deref()
    }
    fn table_number(&self, name: &str) -> Option<u8> {
        *self.table_names.get(name)?
    }
}
