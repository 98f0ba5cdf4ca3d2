//! Names of a switch's ports and tables: the switch is asked for them when a name is met, and not before.

use super::context::{Context, RECEIVE_FAILED};
use crate::fatal::Fatal;
use base::OfPort;
use flow::text::PortMap;
use openflow::msg::{Message, StatsReply, StatsRequest};
use openflow::version::Version;
use openflow::{NameMap, Names};
use std::cell::OnceCell;

/// Names of one switch.
pub struct SwitchNames<'a> {
    context: &'a Context,
    switch: &'a str,
    ports: OnceCell<NameMap>,
    tables: OnceCell<NameMap>,
    show: bool,
}

impl<'a> SwitchNames<'a> {
    pub fn new(context: &'a Context, switch: &'a str) -> SwitchNames<'a> {
        SwitchNames {
            context,
            switch,
            ports: OnceCell::new(),
            tables: OnceCell::new(),
            show: context.settings.show_names,
        }
    }

    fn accepts(&self) -> bool {
        self.context.settings.names != Some(false)
    }

    fn port_map(&self) -> &NameMap {
        self.ports.get_or_init(|| {
            let mut map = NameMap::default();
            if let Ok(all) = super::switch::ports_of(self.context, self.switch) {
                for p in all {
                    map.add_port(p.port, &p.name);
                }
            }
            map
        })
    }

    fn table_map(&self) -> &NameMap {
        self.tables.get_or_init(|| {
            let mut map = NameMap::default();
            for (table, name) in self.table_names().unwrap_or_default() {
                map.add_table(table, &name);
            }
            map
        })
    }

    /// Asks for the tables' names now: what goes wrong is the program's end.
    pub fn ask_for_tables(&self) -> Result<(), Fatal> {
        let mut map = NameMap::default();
        for (table, name) in self.table_names()? {
            map.add_table(table, &name);
        }
        let _ = self.tables.set(map);
        Ok(())
    }

    fn table_names(&self) -> Result<Vec<(u8, String)>, Fatal> {
        let mut c = self.context.open(self.switch)?;
        let request = if c.version() >= Version::V13 {
            StatsRequest::TableFeatures(Vec::new())
        } else {
            StatsRequest::Table
        };
        let mut out = Vec::new();
        self.context.stats(&mut c, request, RECEIVE_FAILED, |c, m| {
            match c.codec.decode(m) {
                Ok((_, Message::StatsReply { body: StatsReply::TableFeatures(all), .. })) => {
                    out.extend(all.into_iter().map(|t| (t.table, t.name)));
                }
                Ok((_, Message::StatsReply { body: StatsReply::Table(all), .. })) => {
                    out.extend(all.into_iter().filter_map(|t| Some((t.table, t.features?.name))));
                    self.context.remark(m);
                }
                _ => {}
            }
            // There are no more tables than that; who goes on sending them has no end.
            const MOST: usize = 1 << 16;
            if out.len() > MOST { Err(Fatal::new("received too many tables")) } else { Ok(()) }
        })?;
        // A table without a name of its own is called after its number.
        out.retain(|(table, name)| !name.is_empty() && *name != format!("table{table}"));
        Ok(out)
    }
}

impl PortMap for SwitchNames<'_> {
    fn port_name(&self, port: OfPort) -> Option<String> {
        if self.show { self.port_map().port_name(port) } else { None }
    }

    fn port_number(&self, name: &str) -> Option<OfPort> {
        if self.accepts() { self.port_map().port_number(name) } else { None }
    }
}

impl Names for SwitchNames<'_> {
    fn table_name(&self, table: u8) -> Option<String> {
        if self.show { self.table_map().table_name(table) } else { None }
    }

    fn table_number(&self, name: &str) -> Option<u8> {
        if self.accepts() { self.table_map().table_number(name) } else { None }
    }

    fn ports(&self) -> &dyn PortMap {
        self
    }
}
