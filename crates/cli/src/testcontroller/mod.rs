//! `ovs-testcontroller`: an OpenFlow controller for trying things out, which makes switches learn like an Ethernet
//! switch, or flood like a hub.

mod help;
mod learning;
mod run;
#[cfg(test)]
mod tests;

use crate::daemon::{self, DaemonOptions};
use crate::dirs::Dirs;
use crate::fatal::{self, Fatal};
use crate::ofctl::{parse_flows, parse_versions};
use crate::options::{Given, Opt, Options, Order, Takes};
use crate::vlog::{self, Vlog};
use crate::{tls, version};
use base::Clock;
use learning::Settings;
use openflow::version::{ProtocolSet, VersionSet};
use std::process::ExitCode;
use std::sync::Arc;

const PROGRAM: &str = "ovs-testcontroller";

const OPTIONS: &[Opt] = &[
    Opt::flag("hub").short('H'),
    Opt::flag("noflow").short('n'),
    Opt::flag("normal").short('N'),
    Opt::optional("wildcards").short('w'),
    Opt::value("max-idle"),
    Opt::flag("mute"),
    Opt::value("queue").short('q'),
    Opt::value("port-queue"),
    Opt::only_short("port-queue", 'Q', Takes::Value),
    Opt::value("with-flows"),
    Opt::value("unixctl"),
    Opt::flag("help").short('h'),
    Opt::value("protocols").short('O'),
    Opt::flag("version").short('V'),
];

/// What the command line asks for.
struct Asked {
    settings: Settings,
    hub: bool,
    normal: bool,
    noflow: bool,
    idle: u16,
    versions: VersionSet,
    unixctl: Option<String>,
    daemon: DaemonOptions,
    tls: reactor::tls::Settings,
    methods: Vec<String>,
}

/// The program. `args`: without the program's name.
pub fn main(args: Vec<String>) -> ExitCode {
    fatal::run(PROGRAM, || {
        let dirs = Dirs::from_env();
        let clock = Clock::real();
        let vlog = Vlog::new(PROGRAM, &dirs, &clock);
        vlog.environment()?;
        let Some(mut asked) = parse(&args, &dirs, &vlog)? else { return Ok(ExitCode::SUCCESS) };
        if asked.methods.is_empty() {
            return Err(Fatal::new("at least one vconn argument required; use --help for usage"));
        }
        settle(&mut asked);
        run::run(asked, &dirs, &vlog, clock)
    })
}

/// Fits the options to each other.
fn settle(asked: &mut Asked) {
    if asked.settings.default_queue.is_some() || !asked.settings.port_queues.is_empty() {
        if std::mem::take(&mut asked.hub) {
            eprintln!("{PROGRAM}: queue IDs are incompatible with -H or --hub; not acting as hub");
        }
        if std::mem::take(&mut asked.normal) {
            eprintln!("{PROGRAM}: queue IDs are incompatible with -N or --normal; not using OFPP_NORMAL");
        }
    }
    asked.settings.learn = !asked.hub && !asked.normal;
    asked.settings.max_idle = (!asked.noflow).then_some(asked.idle);
}

fn parse(args: &[String], dirs: &Dirs, vlog: &Arc<Vlog>) -> Result<Option<Asked>, Fatal> {
    let options =
        Options::new(&[OPTIONS, daemon::OPTIONS, vlog::OPTIONS, tls::OPTIONS, &[tls::PEER_CA_CERT]]);
    let mut parser = options.parser(args, Order::Anywhere);
    let mut asked = Asked {
        settings: Settings {
            learn: true,
            max_idle: None,
            wildcards: 0,
            default_queue: None,
            port_queues: Default::default(),
            flows: Vec::new(),
            usable: ProtocolSet::ANY,
        },
        hub: false,
        normal: false,
        noflow: false,
        idle: 60,
        versions: VersionSet::ALL,
        unixctl: None,
        daemon: DaemonOptions::new(PROGRAM, dirs),
        tls: Default::default(),
        methods: Vec::new(),
    };
    for given in parser.by_ref() {
        let given = given?;
        match given.id {
            "help" => {
                print!("{}", help::text(dirs));
                return Ok(None);
            }
            "version" => {
                print!("{}", version::text(PROGRAM, &["OpenFlow versions 0x1:0x6"]));
                return Ok(None);
            }
            _ if own(&given, &mut asked, vlog)? => {}
            _ => {
                if !asked.daemon.option(&given) && !tls::option(&given, &mut asked.tls) {
                    vlog.option(&given)?;
                }
            }
        }
    }
    asked.methods = parser.rest();
    Ok(Some(asked))
}

/// Takes an option of ours.
fn own(given: &Given, asked: &mut Asked, vlog: &Arc<Vlog>) -> Result<bool, Fatal> {
    let value = given.value();
    match given.id {
        "hub" => asked.hub = true,
        "noflow" => asked.noflow = true,
        "normal" => asked.normal = true,
        // L2 alone decides, unless other fields are named: what is above it is wild, and the VLAN priority.
        "wildcards" => asked.settings.wildcards = given.value.as_deref().map_or(0x0038_20f0, hexadecimal),
        "max-idle" => {
            asked.idle = match value {
                "permanent" => 0,
                _ => decimal(value).and_then(|n| u16::try_from(n).ok()).filter(|n| *n != 0).ok_or_else(
                    || Fatal::new("--max-idle argument must be between 1 and 65535 or the word 'permanent'"),
                )?,
            }
        }
        // Kept for those who give it: what is asked by a switch is answered all the same.
        "mute" => {}
        "queue" => asked.settings.default_queue = queue(value),
        "port-queue" => {
            let (name, id) = value.split_once(':').filter(|(name, _)| !name.is_empty()).ok_or_else(|| {
                Fatal::new("argument to -Q or --port-queue should take the form \"<port-name>:<queue-id>\"")
            })?;
            let id = queue(id).unwrap_or(u32::MAX);
            if asked.settings.port_queues.insert(name.to_string(), id).is_some() {
                return Err(Fatal::new("<port-name> arguments for -Q or --port-queue must be unique"));
            }
        }
        "with-flows" => {
            let (mut flows, usable) = parse_flows(value, vlog)?;
            asked.settings.flows.append(&mut flows);
            asked.settings.usable = asked.settings.usable.intersection(usable);
        }
        "unixctl" => asked.unixctl = given.value.clone(),
        "protocols" => {
            asked.versions = match parse_versions(value)? {
                VersionSet::EMPTY => VersionSet::ALL,
                some => some,
            }
        }
        _ => return Ok(false),
    }
    Ok(true)
}

/// A number as C's `atoi` reads it: what is none counts as 0.
fn decimal(s: &str) -> Option<i64> {
    let s = s.trim_start();
    let (sign, digits) = match s.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, s.strip_prefix('+').unwrap_or(s)),
    };
    let end = digits.bytes().position(|b| !b.is_ascii_digit()).unwrap_or(digits.len());
    digits[..end].parse::<i64>().ok().map(|n| sign * n)
}

/// A queue's number: all bits set is none.
fn queue(s: &str) -> Option<u32> {
    Some(decimal(s).unwrap_or(0) as u32).filter(|n| *n != u32::MAX)
}

/// A number as C's `strtoul` reads it with base 16.
fn hexadecimal(s: &str) -> u32 {
    let s = s.trim_start();
    let s = s.strip_prefix("0x").or_else(|| s.strip_prefix("0X")).unwrap_or(s);
    let end = s.bytes().position(|b| !b.is_ascii_hexdigit()).unwrap_or(s.len());
    u64::from_str_radix(&s[..end], 16).unwrap_or(if end == 0 { 0 } else { u64::MAX }) as u32
}
