//! Fetching only the rows that commands name.
//!
//! Most command lines concern a bridge and a port whose names they give. Copying all ports to add one makes adding
//! a thousand of them a matter of a million; asking the server for the rows of these names does not. Whatever is not
//! plain (a name that is not found, a fake bridge, an error of any kind) is left to a copy of the whole tables: so the
//! rows fetched here need to be right only for what succeeds.

use super::model::Model;
use super::session::Session;
use ovsdb::atom::NoSymbols;
use ovsdb::json::Value;
use ovsdb::row::columns_unchecked;
use ovsdb::{Datum, Row, Uuid};
use std::collections::{BTreeMap, BTreeSet};

/// The rows to be fetched.
#[derive(Debug, Default)]
pub struct Plan {
    /// (Table, record) with whether all its columns are needed.
    rows: BTreeMap<(&'static str, String), bool>,
    /// All columns of the root row are needed.
    root: bool,
    /// Bridges that must be there, as real ones.
    bridges: BTreeSet<String>,
    /// Ports whose bridge is asked for, should they exist.
    ports: BTreeSet<String>,
}

/// Columns by which a bridge, a port or an interface is known.
fn known_by(table: &str) -> &'static [&'static str] {
    match table {
        "Port" => &["_uuid", "name", "tag", "fake_bridge", "interfaces"],
        _ => &["_uuid", "name"],
    }
}

/// More rows than these are not fetched one by one.
const MOST: usize = 48;

impl Plan {
    /// Nothing yet.
    pub fn new() -> Plan {
        Plan::default()
    }

    /// A name is used for a bridge, port or interface: what has it?
    pub fn name(&mut self, name: &str) {
        for table in ["Bridge", "Interface", "Port"] {
            self.rows.entry((table, name.to_string())).or_default();
        }
    }

    /// A real bridge of this name must be there.
    pub fn bridge(&mut self, name: &str) {
        self.name(name);
        self.bridges.insert(name.to_string());
    }

    /// If there is a port of this name, its bridge is needed too.
    pub fn port(&mut self, name: &str) {
        self.name(name);
        self.ports.insert(name.to_string());
    }

    /// All columns of a row are needed. False if its table or its name is not of the plain kind.
    pub fn row(&mut self, table: &str, record: &str) -> bool {
        let table = table.to_ascii_lowercase().replace('-', "_");
        if table == "open_vswitch" && record == "." {
            self.root = true;
            return true;
        }
        let Some(table) =
            ["Bridge", "Interface", "Port"].into_iter().find(|t| t.to_ascii_lowercase() == table)
        else {
            return false;
        };
        // What may be (the beginning of) a UUID is looked for among all rows.
        if record.starts_with('@') || record.len() >= 4 && Uuid::partial_match_len(record) == record.len() {
            return false;
        }
        self.rows.insert((table, record.to_string()), true);
        true
    }

    /// Whether there are few enough.
    pub fn is_small(&self) -> bool {
        self.rows.len() <= MOST
    }

    /// The operations that fetch the rows.
    pub fn queries(&self) -> Vec<Value> {
        let root = select("Open_vSwitch", [], if self.root { None } else { Some(&["_uuid"]) });
        let fakes = (!self.ports.is_empty())
            .then(|| select("Port", [("fake_bridge", "==", Value::Bool(true))], Some(&["_uuid"])));
        let rows = self.rows.iter().map(|((table, name), full)| {
            let columns = if *full { None } else { Some(known_by(table)) };
            select(table, [("name", "==", Value::string(name.as_str()))], columns)
        });
        std::iter::once(root).chain(fakes).chain(rows).collect()
    }

    /// Puts the rows that came into `model`. False if they do not suffice.
    pub fn load(&self, model: &mut Model, rows: &[Value], session: &mut Session) -> Result<bool, String> {
        let mut results = rows.iter();
        let Some(root) = results.next().and_then(|r| decode(model, "Open_vSwitch", r)).and_then(only) else {
            return Ok(false);
        };
        if !self.ports.is_empty() && results.next().is_none_or(|r| r.as_array().is_none_or(|a| !a.is_empty()))
        {
            return Ok(false);
        }
        let mut bridges: BTreeMap<Uuid, Row> = BTreeMap::new();
        let mut seen: BTreeSet<String> = BTreeSet::new();
        let mut owners = Vec::new();
        for ((table, name), result) in self.rows.keys().zip(results) {
            let Some(found) = decode(model, table, result) else { return Ok(false) };
            for row in found {
                match *table {
                    "Bridge" => {
                        seen.insert(name.clone());
                        // Of its ports those count that are here, unless they are asked for.
                        bridges.entry(row.uuid()).or_insert(row);
                        continue;
                    }
                    "Port" if self.ports.contains(name) => owners.push(row.uuid()),
                    _ => {}
                }
                let Some(t) = model.schema().table(table) else { return Ok(false) };
                model.load(t, row);
            }
        }
        if self.bridges.iter().any(|b| !seen.contains(b)) {
            return Ok(false);
        }
        if !owners.is_empty() && !load_owners(model, &owners, &mut bridges, session)? {
            return Ok(false);
        }
        Ok(put(model, root, bridges))
    }
}

/// Finds the bridges that ports belong to.
fn load_owners(
    model: &Model,
    ports: &[Uuid],
    bridges: &mut BTreeMap<Uuid, Row>,
    session: &mut Session,
) -> Result<bool, String> {
    let queries = ports
        .iter()
        .map(|p| {
            let id = Value::Array(vec!["uuid".into(), p.to_string().into()]);
            select("Bridge", [("ports", "includes", id)], Some(known_by("Bridge")))
        })
        .collect();
    let Some(results) = session.select(queries)? else { return Ok(false) };
    let Some(column) = model.schema().table("Bridge").and_then(|t| model.table(t).column("ports")) else {
        return Ok(false);
    };
    for (port, result) in ports.iter().zip(&results) {
        let Some(row) = decode(model, "Bridge", result).and_then(only) else { return Ok(false) };
        let bridge = bridges.entry(row.uuid()).or_insert(row);
        let ports = bridge[column].with((*port).into());
        bridge.set(column, ports);
    }
    Ok(true)
}

/// Puts the bridges, and the root row that they belong to, into the model.
fn put(model: &mut Model, mut root: Row, bridges: BTreeMap<Uuid, Row>) -> bool {
    let (Some(top), Some(t)) = (model.schema().table("Open_vSwitch"), model.schema().table("Bridge")) else {
        return false;
    };
    if let Some(column) = model.table(top).column("bridges") {
        let known = Datum::set(bridges.keys().map(|b| (*b).into()));
        let all = root[column].union(&known);
        root.set(column, all);
    }
    model.load(top, root);
    bridges.into_values().for_each(|row| model.load(t, row));
    true
}

/// Asks how the switch has set up an interface.
pub fn interface_status(name: &str) -> Value {
    select("Interface", [("name", "==", Value::string(name))], Some(&["name", "ofport", "error"]))
}

fn select<const N: usize>(
    table: &str,
    at: [(&'static str, &'static str, Value); N],
    columns: Option<&[&str]>,
) -> Value {
    let clauses = at.into_iter().map(|(c, f, v)| Value::Array(vec![c.into(), f.into(), v])).collect();
    let mut members =
        vec![("op", "select".into()), ("table", Value::string(table)), ("where", Value::Array(clauses))];
    if let Some(columns) = columns {
        members.push(("columns", Value::Array(columns.iter().map(|c| Value::string(*c)).collect())));
    }
    Value::object(members)
}

fn decode(model: &Model, table: &str, rows: &Value) -> Option<Vec<Row>> {
    let ts = model.table(model.schema().table(table)?);
    rows.as_array()?
        .iter()
        .map(|json| {
            let uuid = json.get("_uuid")?.as_array()?.get(1)?.as_str()?.parse().ok()?;
            let mut row = Row::new(ts, uuid, Uuid::ZERO);
            for (column, value) in columns_unchecked(json, ts, &mut NoSymbols).ok()? {
                row.set(column, value);
            }
            Some(row)
        })
        .collect()
}

fn only(rows: Vec<Row>) -> Option<Row> {
    let mut rows = rows.into_iter();
    rows.next().filter(|_| rows.next().is_none())
}
