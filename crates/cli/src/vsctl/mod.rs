//! `ovs-vsctl`: configures `ovs-vswitchd` through its database.

mod bridges;
mod controllers;
mod help;
mod needs;
mod view;
mod zones;

use crate::ctl::columns::{RowName, RowNames};
use crate::ctl::command::{Invocation, MANY, Syntax};
use crate::ctl::point::Plan;
use crate::ctl::program::{self, Program};
use crate::ctl::session::Wanted;
use crate::ctl::show::{ShowTable, outline};
use crate::ctl::{Context, HasContext, Output, db};
use crate::dirs::Dirs;
use crate::options::Opt;
use ovsdb::{Schema, Uuid};
use std::process::ExitCode;

use std::rc::Rc;
use view::View;

/// The program's state while commands run.
pub struct Vsctl {
    ctx: Context,
    /// What [`View::read`] gave, kept up with what commands do.
    view: Option<Rc<View>>,
    /// Interfaces made by this invocation, whose set-up is checked afterwards.
    neoteric_interfaces: Vec<String>,
}

impl HasContext for Vsctl {
    fn context(&mut self) -> &mut Context {
        &mut self.ctx
    }
}

/// `ovs-vsctl`. `args` are without the program's name.
pub fn main(args: Vec<String>) -> ExitCode {
    program::main::<Vsctl>(&args)
}

impl Program for Vsctl {
    const NAME: &'static str = "ovs-vsctl";
    const DATABASE: &'static str = "Open_vSwitch";
    const MODULE: &'static str = "vsctl";
    const SCHEMA: &'static str = crate::version::DB_SCHEMA;
    const OPTIONS: &'static [Opt] = &[
        Opt::value("db"),
        Opt::flag("no-syslog"),
        Opt::flag("no-wait"),
        Opt::flag("dry-run"),
        Opt::flag("oneline"),
        Opt::value("timeout").short('t'),
        Opt::flag("retry"),
        Opt::flag("help").short('h'),
        Opt::flag("commands"),
        Opt::flag("options"),
        Opt::flag("leader-only"),
        Opt::flag("no-leader-only"),
        Opt::flag("shuffle-remotes"),
        Opt::flag("no-shuffle-remotes"),
        Opt::flag("version").short('V'),
    ];

    fn commands() -> &'static [&'static [Syntax<Vsctl>]] {
        &COMMANDS
    }

    fn records() -> &'static [RowNames] {
        RECORDS
    }

    fn help(dirs: &Dirs) -> String {
        help::text(dirs)
    }

    fn new(context: Context) -> Vsctl {
        Vsctl::on(context)
    }

    fn prepare(&mut self) {
        self.root();
    }

    fn wanted(calls: &[Invocation<Vsctl>], schema: &Schema) -> Wanted {
        needs::wanted(calls, schema)
    }

    fn point(calls: &[Invocation<Vsctl>]) -> Option<Plan> {
        needs::point(calls)
    }

    fn increment(&self) -> Option<Uuid> {
        self.ctx.model.rows("Open_vSwitch").next()
    }

    fn made_interfaces(&self) -> &[String] {
        &self.neoteric_interfaces
    }
}

impl Vsctl {
    fn on(mut ctx: Context) -> Vsctl {
        ctx.model.watch(view::WATCHED);
        Vsctl { ctx, view: None, neoteric_interfaces: Vec::new() }
    }

    /// Bridges, ports and interfaces as they are now.
    fn view(&mut self) -> Rc<View> {
        let touched = self.ctx.model.take_touched();
        if let Some(view) = &mut self.view {
            let v = Rc::make_mut(view);
            if touched.iter().all(|t| v.absorb(&self.ctx.model, t)) {
                return view.clone();
            }
        }
        let view = Rc::new(View::read(&self.ctx.model));
        self.view = Some(view.clone());
        view
    }

    /// Tells the view what a command has just done to the rows. Nothing else may hold the view meanwhile.
    fn edit(&mut self, change: impl FnOnce(&mut View)) {
        self.ctx.model.take_touched();
        if let Some(view) = &mut self.view {
            change(Rc::make_mut(view));
        }
    }

    /// The database's root row, made if there is none yet.
    fn root(&mut self) -> Uuid {
        let row = self.ctx.model.rows("Open_vSwitch").next();
        row.unwrap_or_else(|| self.ctx.model.insert("Open_vSwitch"))
    }
}

macro_rules! syntax {
    ($name:literal, $min:expr, $max:expr, $arguments:literal, [$($option:literal),*], $writes:expr, $run:expr) => {
        Syntax { name: $name, min: $min, max: $max, arguments: $arguments, options: &[$($option),*], writes: $writes,
                 run: $run }
    };
}

const OWN: [Syntax<Vsctl>; 41] = [
    syntax!("init", 0, 0, "", [], true, init),
    syntax!("show", 0, 0, "", [], false, show),
    syntax!("add-br", 1, 3, "!NEW-BRIDGE ?PARENT ?NEW-VLAN", ["--may-exist"], true, bridges::add_br),
    syntax!("del-br", 1, 1, "!BRIDGE", ["--if-exists"], true, bridges::del_br),
    syntax!("list-br", 0, 0, "", ["--real", "--fake"], false, bridges::list_br),
    syntax!("br-exists", 1, 1, "!BRIDGE", [], false, bridges::br_exists),
    syntax!("br-to-vlan", 1, 1, "!BRIDGE", [], false, bridges::br_to_vlan),
    syntax!("br-to-parent", 1, 1, "!BRIDGE", [], false, bridges::br_to_parent),
    syntax!("br-set-external-id", 2, 3, "!BRIDGE !KEY ?VALUE", [], true, bridges::br_set_external_id),
    syntax!("br-get-external-id", 1, 2, "!BRIDGE ?KEY", [], false, bridges::br_get_external_id),
    syntax!("list-ports", 1, 1, "!BRIDGE", [], false, bridges::list_ports),
    syntax!(
        "add-port",
        2,
        MANY,
        "!BRIDGE !NEW-PORT *COLUMN?:KEY=VALUE",
        ["--may-exist"],
        true,
        bridges::add_port
    ),
    syntax!(
        "add-bond",
        4,
        MANY,
        "!BRIDGE !BOND +IFACE *COLUMN?:KEY=VALUE",
        ["--may-exist", "--fake-iface"],
        true,
        bridges::add_bond
    ),
    syntax!("add-bond-iface", 2, 2, "!BOND !IFACE", ["--may-exist"], true, bridges::add_bond_iface),
    syntax!("del-bond-iface", 1, 2, "?BOND !IFACE", ["--if-exists"], true, bridges::del_bond_iface),
    syntax!(
        "del-port",
        1,
        2,
        "?BRIDGE !PORT|IFACE",
        ["--if-exists", "--with-iface"],
        true,
        bridges::del_port
    ),
    syntax!("port-to-br", 1, 1, "!PORT", [], false, bridges::port_to_br),
    syntax!("list-ifaces", 1, 1, "!BRIDGE", [], false, bridges::list_ifaces),
    syntax!("iface-to-br", 1, 1, "!IFACE", [], false, bridges::iface_to_br),
    syntax!("get-controller", 1, 1, "!BRIDGE", [], false, controllers::get_controller),
    syntax!("del-controller", 1, 1, "!BRIDGE", [], true, controllers::del_controller),
    syntax!(
        "set-controller",
        1,
        MANY,
        "!BRIDGE +TARGET",
        ["--inactivity-probe="],
        true,
        controllers::set_controller
    ),
    syntax!("get-fail-mode", 1, 1, "!BRIDGE", [], false, controllers::get_fail_mode),
    syntax!("del-fail-mode", 1, 1, "!BRIDGE", [], true, controllers::del_fail_mode),
    syntax!("set-fail-mode", 2, 2, "!BRIDGE !MODE", [], true, controllers::set_fail_mode),
    syntax!("get-manager", 0, 0, "", [], false, controllers::get_manager),
    syntax!("del-manager", 0, 0, "", [], true, controllers::del_manager),
    syntax!("set-manager", 1, MANY, "+TARGET", ["--inactivity-probe="], true, controllers::set_manager),
    syntax!("get-ssl", 0, 0, "", [], false, controllers::get_ssl),
    syntax!("del-ssl", 0, 0, "", [], true, controllers::del_ssl),
    syntax!(
        "set-ssl",
        3,
        3,
        "!PRIVATE-KEY !CERTIFICATE !CA-CERT",
        ["--bootstrap"],
        true,
        controllers::set_ssl
    ),
    syntax!("add-aa-mapping", 3, 3, "!BRIDGE !ARG !ARG", [], true, controllers::add_aa_mapping),
    syntax!("del-aa-mapping", 3, 3, "!BRIDGE !ARG !ARG", [], true, controllers::del_aa_mapping),
    syntax!("get-aa-mapping", 1, 1, "!BRIDGE", [], false, controllers::get_aa_mapping),
    syntax!("emer-reset", 0, 0, "", [], true, controllers::emer_reset),
    syntax!("add-zone-tp", 3, 18, "", ["--may-exist"], true, zones::add_zone_tp),
    syntax!("del-zone-tp", 2, 2, "", ["--if-exists"], true, zones::del_zone_tp),
    syntax!("list-zone-tp", 1, 1, "", [], false, zones::list_zone_tp),
    syntax!("set-zone-limit", 3, 3, "!ARG !ARG !ARG", [], true, zones::set_zone_limit),
    syntax!("del-zone-limit", 2, 2, "!ARG !ARG", ["--if-exists"], true, zones::del_zone_limit),
    syntax!("list-zone-limits", 1, 1, "!ARG", [], false, zones::list_zone_limits),
];
const CAPABILITIES: [Syntax<Vsctl>; 1] = [syntax!("list-dp-cap", 1, 1, "", [], false, zones::list_dp_cap)];

/// The commands that work on any table.
const DATABASE: [Syntax<Vsctl>; 11] = db::commands::<Vsctl>();

/// All commands.
static COMMANDS: [&[Syntax<Vsctl>]; 3] = [&DATABASE, &OWN, &CAPABILITIES];

/// How rows may be named.
const RECORDS: &[RowNames] = &[
    RowNames { table: "AutoAttach", ways: &[RowName::Via("Bridge", "auto_attach")] },
    RowNames { table: "Bridge", ways: &[RowName::Column("name")] },
    RowNames { table: "CT_Timeout_Policy", ways: &[] },
    RowNames { table: "CT_Zone", ways: &[] },
    RowNames { table: "Controller", ways: &[RowName::Via("Bridge", "controller")] },
    RowNames { table: "Datapath", ways: &[] },
    RowNames { table: "Flow_Sample_Collector_Set", ways: &[RowName::Column("id")] },
    RowNames { table: "Flow_Table", ways: &[RowName::Column("name")] },
    RowNames { table: "IPFIX", ways: &[RowName::Via("Bridge", "ipfix")] },
    RowNames { table: "Interface", ways: &[RowName::Column("name")] },
    RowNames { table: "Manager", ways: &[RowName::Column("target")] },
    RowNames { table: "Mirror", ways: &[RowName::Column("name")] },
    RowNames { table: "NetFlow", ways: &[RowName::Via("Bridge", "netflow")] },
    RowNames { table: "Open_vSwitch", ways: &[RowName::Singleton] },
    RowNames { table: "Port", ways: &[RowName::Column("name")] },
    RowNames { table: "QoS", ways: &[RowName::Via("Port", "qos")] },
    RowNames { table: "Queue", ways: &[] },
    RowNames { table: "SSL", ways: &[RowName::Singleton] },
    RowNames { table: "sFlow", ways: &[RowName::Via("Bridge", "sflow")] },
];

/// What `show` shows.
const SHOW: &[ShowTable] = &[
    ShowTable {
        table: "Open_vSwitch",
        name: None,
        columns: &["manager_options", "bridges", "ovs_version"],
        names: &[],
    },
    ShowTable {
        table: "Bridge",
        name: Some("name"),
        columns: &["controller", "fail_mode", "datapath_type", "ports"],
        names: &[],
    },
    ShowTable { table: "Port", name: Some("name"), columns: &["tag", "trunks", "interfaces"], names: &[] },
    ShowTable { table: "Interface", name: Some("name"), columns: &["type", "options", "error"], names: &[] },
    ShowTable { table: "Controller", name: Some("target"), columns: &["is_connected"], names: &[] },
    ShowTable { table: "Manager", name: Some("target"), columns: &["is_connected"], names: &[] },
];

/// `init`: the root row was made before any command ran.
fn init(_: &mut Vsctl, _: &Invocation<Vsctl>) -> Result<(), String> {
    Ok(())
}

fn show(c: &mut Vsctl, _: &Invocation<Vsctl>) -> Result<(), String> {
    c.ctx.output = Output::Text(outline(&c.ctx.model, SHOW));
    Ok(())
}
