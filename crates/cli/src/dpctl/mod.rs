//! `ovs-dpctl`: datapaths outside the switch, as far as there are any.
//!
//! The program is for datapaths of type `system`. Here the switch has those itself; so when one runs whose bridges are
//! of that type, its `dpctl/*` commands do the work, and otherwise there is none, as on a machine without the kernel
//! module.

use crate::dirs::Dirs;
use crate::fatal::{self, Fatal};
use crate::options::{Opt, Options, Order};
use crate::vlog::{self, Vlog};
use crate::{timeout, version};
use base::{Clock, info, warn};
use dpif::dpctl::{COMMANDS, DpctlCommand, listing};
use ovsdb::json::Value;
use reactor::event::Environment;
use reactor::unixctl::Client;
use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;

const PROGRAM: &str = "ovs-dpctl";
const DAEMON: &str = "ovs-vswitchd";

const OPTIONS: &[Opt] = &[
    Opt::flag("statistics").short('s'),
    Opt::flag("clear"),
    Opt::flag("may-create"),
    Opt::flag("read-only"),
    Opt::flag("more").short('m'),
    Opt::flag("names"),
    Opt::flag("no-names"),
    Opt::value("timeout").short('t'),
    Opt::flag("help").short('h'),
    Opt::flag("option").short('o'),
    Opt::flag("version").short('V'),
];

const HELP: &str = include_str!("help.txt");

/// What there is none of, in the system's words.
const NONE: &str = "No such file or directory";

/// The program. `args`: without the program's name.
pub fn main(args: Vec<String>) -> ExitCode {
    fatal::run(PROGRAM, || {
        let dirs = Dirs::from_env();
        let vlog = Vlog::new(PROGRAM, &dirs, &Clock::real());
        vlog.environment()?;
        let Some(request) = parse(&args, &vlog, &dirs)? else { return Ok(ExitCode::SUCCESS) };
        timeout::arm(request.seconds, &vlog.logger())?;
        run(&request, &dirs, &vlog)
    })
}

struct Request {
    command: &'static DpctlCommand,
    /// Options for the switch.
    options: Vec<String>,
    args: Vec<String>,
    seconds: u32,
}

fn parse(args: &[String], vlog: &Arc<Vlog>, dirs: &Dirs) -> Result<Option<Request>, Fatal> {
    let options = Options::new(&[OPTIONS, vlog::OPTIONS]);
    let mut parser = options.parser(args, Order::Anywhere);
    let mut passed = Vec::new();
    let (mut read_only, mut seconds) = (false, timeout::from_env());
    for given in parser.by_ref() {
        let given = given?;
        match given.id {
            "read-only" => read_only = true,
            "timeout" => seconds = timeout::parse("-t", given.value())?,
            "help" => {
                print(&help(dirs));
                return Ok(None);
            }
            "option" => {
                print(&options.listing());
                return Ok(None);
            }
            "version" => {
                print(&version::text(PROGRAM, &[]));
                return Ok(None);
            }
            id if OPTIONS.iter().any(|o| o.id == id) => passed.push(format!("--{id}")),
            _ => {
                vlog.option(&given)?;
            }
        }
    }
    let mut rest = parser.rest().into_iter();
    let Some(name) = rest.next() else {
        return Err(Fatal::new("missing command name; use --help for help"));
    };
    let args: Vec<String> = rest.collect();
    let Some(command) = COMMANDS.iter().find(|c| c.name == name) else {
        return Err(Fatal::new(format!("unknown command '{name}'; use --help for help")));
    };
    if args.len() < command.min {
        let least = command.min;
        return Err(Fatal::new(format!("'{name}' command requires at least {least} arguments")));
    }
    if args.len() > command.max {
        let most = command.max;
        return Err(Fatal::new(format!("'{name}' command takes at most {most} arguments")));
    }
    if read_only && command.writes {
        return Err(Fatal::new(format!("'{name}' command does not work in read only mode")));
    }
    Ok(Some(Request { command, options: passed, args, seconds }))
}

fn help(dirs: &Dirs) -> String {
    HELP.replace("@LOGFILE@", &dirs.log_file(PROGRAM).display().to_string())
}

fn run(request: &Request, dirs: &Dirs, vlog: &Arc<Vlog>) -> Result<ExitCode, Fatal> {
    match request.command.name {
        "help" => print(&help(dirs)),
        "list-commands" => print(&listing("", true)),
        "parse-actions" => {
            for text in &request.args {
                let actions = dpif::parse_actions(text, None)
                    .map_err(|_| Fatal::new("odp_actions_from_string (Invalid argument)"))?;
                print(&format!("{}\n", dpif::format_actions(&actions, None)));
            }
        }
        "normalize-actions" => match dpif::normalize::normalize(&request.args) {
            Ok(text) => print(&text),
            Err(e) => {
                print(&e.said);
                return Err(Fatal::new(e.error));
            }
        },
        _ => return datapaths(request, dirs, vlog),
    }
    Ok(ExitCode::SUCCESS)
}

/// A switch that runs, and its datapaths of type `system`.
struct Switch {
    client: Client,
    system: Vec<String>,
    others: bool,
}

impl Switch {
    fn find(dirs: &Dirs, vlog: &Arc<Vlog>) -> Option<Switch> {
        let pid = sys::pidfile::read(&dirs.pidfile(DAEMON)).ok()?;
        let env = Environment::new(vlog.logger(), dirs.run.clone());
        let mut client = Client::connect(&dirs.control_socket(DAEMON, pid), env).ok()?;
        let Ok(Ok(Value::String(list))) = client.transact("dpctl/dump-dps", &[]) else { return None };
        let (system, others): (Vec<_>, Vec<_>) =
            list.lines().map(str::to_string).partition(|l| l.starts_with("system@"));
        (!system.is_empty()).then_some(Switch { client, system, others: !others.is_empty() })
    }
}

fn datapaths(request: &Request, dirs: &Dirs, vlog: &Arc<Vlog>) -> Result<ExitCode, Fatal> {
    let Some(mut switch) = Switch::find(dirs, vlog) else { return without(request, vlog) };
    let name = request.command.name;
    if name == "dump-dps" {
        print(&switch.system.iter().map(|n| format!("{n}\n")).collect::<String>());
        return Ok(ExitCode::SUCCESS);
    }
    let mut args = request.options.clone();
    if matches!(name, "show" | "cache-get-size") && request.args.is_empty() {
        args.extend(switch.system.iter().cloned());
    } else if switch.others && leaves_out_datapath(request) {
        // Those of other types are not this program's: what is left has to be named.
        let [only] = &switch.system[..] else {
            eprintln!("{PROGRAM}: multiple datapaths, specify one");
            return Err(Fatal::new("datapath not found (Invalid argument)"));
        };
        args.push(only.clone());
    }
    args.extend(request.args.iter().cloned());
    let reply = switch
        .client
        .transact(&format!("dpctl/{name}"), &args)
        .map_err(|e| Fatal::new(format!("{DAEMON}: {e:?}")))?;
    match reply {
        Ok(Value::String(text)) => {
            print(&renamed(&text));
            Ok(ExitCode::SUCCESS)
        }
        Err(Value::String(text)) => {
            eprint!("{}", renamed(&text));
            Err(Fatal::silent(1))
        }
        _ => Err(Fatal::new(format!("{DAEMON}: unexpected reply"))),
    }
}

/// The switch's messages with this program's name.
fn renamed(text: &str) -> String {
    let mut out = String::new();
    for line in text.split_inclusive('\n') {
        match line.strip_prefix("ovs-vswitchd: ") {
            Some(rest) => out = out + PROGRAM + ": " + rest,
            None => out.push_str(line),
        }
    }
    out
}

/// Whether a command whose first argument may be a datapath comes without one.
fn leaves_out_datapath(request: &Request) -> bool {
    let c = request.command;
    if !c.usage.contains("[dp]") {
        return false;
    }
    match request.args.get(c.min) {
        None => true,
        // What may stand there instead has a `=` in it.
        Some(_) => request.args[0].contains('='),
    }
}

/// What to say where there are no datapaths.
fn without(request: &Request, vlog: &Arc<Vlog>) -> Result<ExitCode, Fatal> {
    let log = vlog.logger();
    info!(
        log,
        "dpif_netlink",
        "Generic Netlink family 'ovs_datapath' does not exist. The Open vSwitch kernel module is probably not loaded."
    );
    let enumerate = || warn!(log, "dpif", "failed to enumerate system datapaths: {NONE}");
    let first = request.args.first().map_or("", String::as_str);
    let kind = first.split_once('@').map_or("system", |(kind, _)| kind);
    let reason = match kind {
        "system" => NONE,
        "netdev" => "No such device",
        _ => "Address family not supported by protocol",
    };
    Err(match request.command.name {
        "show" if !first.is_empty() => {
            for name in &request.args {
                eprintln!("{PROGRAM}: opening datapath {name} failed ({reason})");
            }
            Fatal::silent(1)
        }
        "cache-get-size" if !first.is_empty() => {
            Fatal::new(format!("Opening datapath {first} failed ({reason})"))
        }
        "cache-set-size" => Fatal::new(format!("Opening datapath {first} failed ({reason})")),
        "show" | "dump-dps" | "cache-get-size" => {
            enumerate();
            Fatal::silent(1)
        }
        "add-dp" => Fatal::new(format!("add_dp ({reason})")),
        "del-dp" | "add-if" | "del-if" | "set-if" => Fatal::new(format!("opening datapath ({reason})")),
        _ => {
            enumerate();
            if leaves_out_datapath(request) {
                eprintln!("{PROGRAM}: no datapaths exist");
            }
            Fatal::new("datapath not found (Invalid argument)")
        }
    })
}

/// Prints to standard output; a reader that has gone away is no error.
fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}
