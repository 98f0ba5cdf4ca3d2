//! `vtep-ctl`: configures a hardware VTEP through its database.

mod help;
mod macs;
mod switches;

use crate::ctl::columns::{RowName, RowNames};
use crate::ctl::command::{Invocation, MANY, Syntax};
use crate::ctl::program::{self, Program};
use crate::ctl::session::Wanted;
use crate::ctl::show::{ShowTable, outline};
use crate::ctl::targets::{insert_targets, targets};
use crate::ctl::{Context, HasContext, Output, db};
use crate::dirs::Dirs;
use crate::options::Opt;
use ovsdb::{Schema, Uuid};
use std::process::ExitCode;

/// The program's state while commands run.
pub struct Vtep {
    ctx: Context,
}

type Call = Invocation<Vtep>;
type Done = Result<(), String>;

/// `vtep-ctl`. `args` are without the program's name.
pub fn main(args: Vec<String>) -> ExitCode {
    program::main::<Vtep>(&args)
}

impl HasContext for Vtep {
    fn context(&mut self) -> &mut Context {
        &mut self.ctx
    }
}

impl Program for Vtep {
    const NAME: &'static str = "vtep-ctl";
    const DATABASE: &'static str = "hardware_vtep";
    const MODULE: &'static str = "vtep_ctl";
    const SCHEMA: &'static str = "1.7.0";
    const OPTIONS: &'static [Opt] = &[
        Opt::value("db"),
        Opt::flag("no-syslog"),
        Opt::flag("dry-run"),
        Opt::flag("oneline"),
        Opt::value("timeout").short('t'),
        Opt::flag("help").short('h'),
        Opt::flag("version").short('V'),
    ];

    fn commands() -> &'static [&'static [Syntax<Vtep>]] {
        &COMMANDS
    }

    fn records() -> &'static [RowNames] {
        RECORDS
    }

    fn help(dirs: &Dirs) -> String {
        help::text(dirs)
    }

    fn new(ctx: Context) -> Vtep {
        Vtep { ctx }
    }

    fn prepare(&mut self) {
        self.root();
    }

    fn wanted(_: &[Call], schema: &Schema) -> Wanted {
        schema.tables.iter().map(|t| (t.name.to_string(), None)).collect()
    }
}

impl Vtep {
    /// The database's root row, made if there is none yet.
    fn root(&mut self) -> Uuid {
        let row = self.ctx.model.rows("Global").next();
        row.unwrap_or_else(|| self.ctx.model.insert("Global"))
    }

    /// The row of `table` with this name.
    fn named(&self, table: &str, name: &str) -> Option<Uuid> {
        let t = self.ctx.model.schema().table(table)?;
        let column = self.ctx.model.table(t).column("name")?;
        self.ctx.model.named(t, column, name)?.next()
    }

    /// Prints the names of all rows of `table`.
    fn list(&mut self, table: &str) {
        let mut names: Vec<String> =
            self.ctx.model.rows(table).map(|r| self.ctx.model.string(table, r, "name")).collect();
        names.sort();
        self.ctx.lines(names);
    }

    /// The row that must be there; `what` is its kind in words.
    fn must(&self, table: &str, what: &str, name: &str) -> Result<Uuid, String> {
        self.named(table, name).ok_or_else(|| format!("no {what} named {name}"))
    }

    /// Makes a row unless there is one of its name already; none if there is one and that is well.
    fn make(&mut self, call: &Call, table: &str, what: &str) -> Result<Option<Uuid>, String> {
        let name = &call.args[0];
        if self.named(table, name).is_some() {
            if call.has("--may-exist") {
                return Ok(None);
            }
            return Err(format!("cannot create {what} {name} because it already exists"));
        }
        let row = self.ctx.model.insert(table);
        self.ctx.model.set_string(table, row, "name", name);
        Ok(Some(row))
    }

    /// The row to be deleted; none if there is none and that is well.
    fn doomed(&self, call: &Call, table: &str, what: &str) -> Result<Option<Uuid>, String> {
        match self.must(table, what, &call.args[0]) {
            Err(_) if call.has("--if-exists") => Ok(None),
            found => found.map(Some),
        }
    }

    /// Says by the exit status whether there is a row.
    fn exists(&mut self, table: &str, call: &Call) {
        if self.named(table, &call.args[0]).is_none() {
            self.ctx.exit_status = Some(2);
        }
    }
}

macro_rules! syntax {
    ($name:literal, $min:expr, $max:expr, [$($option:literal),*], $writes:expr, $run:expr) => {
        Syntax { name: $name, min: $min, max: $max, arguments: "", options: &[$($option),*], writes: $writes,
                 run: $run }
    };
}

const OWN: [Syntax<Vtep>; 34] = [
    syntax!("show", 0, 0, [], false, show),
    syntax!("get-manager", 0, 0, [], false, get_manager),
    syntax!("del-manager", 0, 0, [], true, del_manager),
    syntax!("set-manager", 1, MANY, ["--inactivity-probe="], true, set_manager),
    syntax!("add-ps", 1, 1, ["--may-exist"], true, switches::add_ps),
    syntax!("del-ps", 1, 1, ["--if-exists"], true, switches::del_ps),
    syntax!("list-ps", 0, 0, [], false, switches::list_ps),
    syntax!("ps-exists", 1, 1, [], false, switches::ps_exists),
    syntax!("list-ports", 1, 1, [], false, switches::list_ports),
    syntax!("add-port", 2, 2, ["--may-exist"], true, switches::add_port),
    syntax!("del-port", 2, 2, ["--if-exists"], true, switches::del_port),
    syntax!("add-ls", 1, 1, ["--may-exist"], true, switches::add_ls),
    syntax!("del-ls", 1, 1, ["--if-exists"], true, switches::del_ls),
    syntax!("list-ls", 0, 0, [], false, switches::list_ls),
    syntax!("ls-exists", 1, 1, [], false, switches::ls_exists),
    syntax!("bind-ls", 4, 4, [], false, switches::bind_ls),
    syntax!("unbind-ls", 3, 3, [], false, switches::unbind_ls),
    syntax!("list-bindings", 2, 2, [], false, switches::list_bindings),
    syntax!("set-replication-mode", 2, 2, [], true, switches::set_replication_mode),
    syntax!("get-replication-mode", 1, 1, [], false, switches::get_replication_mode),
    syntax!("add-lr", 1, 1, ["--may-exist"], true, switches::add_lr),
    syntax!("del-lr", 1, 1, ["--if-exists"], true, switches::del_lr),
    syntax!("list-lr", 0, 0, [], false, switches::list_lr),
    syntax!("lr-exists", 1, 1, [], false, switches::lr_exists),
    syntax!("add-ucast-local", 3, 4, [], true, macs::add_ucast),
    syntax!("del-ucast-local", 2, 2, [], true, macs::del_ucast),
    syntax!("add-mcast-local", 3, 4, [], true, macs::add_mcast),
    syntax!("del-mcast-local", 3, 4, [], true, macs::del_mcast),
    syntax!("clear-local-macs", 1, 1, [], true, macs::clear),
    syntax!("list-local-macs", 1, 1, [], false, macs::list),
    syntax!("add-ucast-remote", 3, 4, [], true, macs::add_ucast),
    syntax!("del-ucast-remote", 2, 2, [], true, macs::del_ucast),
    syntax!("add-mcast-remote", 3, 4, [], true, macs::add_mcast),
    syntax!("del-mcast-remote", 3, 4, [], true, macs::del_mcast),
];
const MORE: [Syntax<Vtep>; 2] = [
    syntax!("clear-remote-macs", 1, 1, [], true, macs::clear),
    syntax!("list-remote-macs", 1, 1, [], false, macs::list),
];

/// The commands that work on any table.
const DATABASE: [Syntax<Vtep>; 11] = db::commands::<Vtep>();

static COMMANDS: [&[Syntax<Vtep>]; 3] = [&OWN, &MORE, &DATABASE];

/// How rows may be named.
const RECORDS: &[RowNames] = &[
    RowNames { table: "ACL", ways: &[] },
    RowNames { table: "ACL_entry", ways: &[] },
    RowNames { table: "Arp_Sources_Local", ways: &[] },
    RowNames { table: "Arp_Sources_Remote", ways: &[] },
    RowNames { table: "Global", ways: &[RowName::Singleton] },
    RowNames { table: "Logical_Binding_Stats", ways: &[] },
    RowNames { table: "Logical_Router", ways: &[RowName::Column("name")] },
    RowNames { table: "Logical_Switch", ways: &[RowName::Column("name")] },
    RowNames { table: "Manager", ways: &[RowName::Column("target")] },
    RowNames { table: "Mcast_Macs_Local", ways: &[] },
    RowNames { table: "Mcast_Macs_Remote", ways: &[] },
    RowNames { table: "Physical_Locator", ways: &[] },
    RowNames { table: "Physical_Locator_Set", ways: &[] },
    RowNames { table: "Physical_Port", ways: &[RowName::Column("name")] },
    RowNames { table: "Physical_Switch", ways: &[RowName::Column("name")] },
    RowNames { table: "Tunnel", ways: &[] },
    RowNames { table: "Ucast_Macs_Local", ways: &[] },
    RowNames { table: "Ucast_Macs_Remote", ways: &[] },
];

/// What `show` shows.
const SHOW: &[ShowTable] = &[
    ShowTable { table: "Global", name: None, columns: &["managers", "switches"], names: &[] },
    ShowTable { table: "Manager", name: Some("target"), columns: &["is_connected"], names: &[] },
    ShowTable {
        table: "Physical_Switch",
        name: Some("name"),
        columns: &["management_ips", "tunnel_ips", "ports"],
        names: &[],
    },
    ShowTable {
        table: "Physical_Port",
        name: Some("name"),
        columns: &["vlan_bindings"],
        names: &[("vlan_bindings", "name")],
    },
];

fn show(c: &mut Vtep, _: &Call) -> Done {
    c.ctx.output = Output::Text(outline(&c.ctx.model, SHOW));
    Ok(())
}

/// `get-manager`
fn get_manager(c: &mut Vtep, _: &Call) -> Done {
    let root = c.root();
    let rows = c.ctx.model.uuids("Global", root, "managers");
    let lines = targets(&c.ctx, "Manager", &rows);
    c.ctx.lines(lines);
    Ok(())
}

fn delete_managers(c: &mut Vtep) -> Uuid {
    let root = c.root();
    for row in c.ctx.model.uuids("Global", root, "managers") {
        c.ctx.model.delete("Manager", row);
    }
    c.ctx.model.clear("Global", root, "managers");
    root
}

/// `del-manager`
fn del_manager(c: &mut Vtep, _: &Call) -> Done {
    delete_managers(c);
    Ok(())
}

/// `set-manager TARGET...`
fn set_manager(c: &mut Vtep, call: &Call) -> Done {
    let root = delete_managers(c);
    let rows = insert_targets(&mut c.ctx, Vtep::MODULE, call, "Manager", &call.args);
    c.ctx.model.set_uuids("Global", root, "managers", &rows);
    Ok(())
}
