//! `dpctl/*`: datapaths by themselves.
//!
//! These are the commands of `ovs-dpctl`, which talks to datapaths outside the switch; inside it they work on the
//! switch's own. Their options stand before the other arguments, and their errors end in a newline, as that program's
//! do.

mod conntrack;
mod dump;
mod flows;
mod ports;

pub use conntrack::Tracking;
pub use dump::{Dump, dump_text};

use crate::switch::Switch;
use crate::switch::backer::Backer;
use base::DpPort;
use flow::odp::DpPortMap;
use netdev::registry::DummyMode;
use reactor::Reactor;
use reactor::unixctl::{Call, Command, CommandTable, Outcome};
use std::fmt::Write;

/// Adds the commands to a daemon's.
pub fn register<S: 'static>(table: &mut CommandTable<S>, part: fn(&mut S) -> &mut Switch) {
    table.add_part(COMMANDS, part);
    table.add_part(dump::COMMANDS, part);
    table.add_part(flows::COMMANDS, part);
    table.add_part(ports::COMMANDS, part);
    table.add_part(conntrack::COMMANDS, part);
}

const COMMANDS: &[Command<Switch>] = &[
    Command::new("dpctl/dump-dps", "", 0, 0, dump_dps),
    Command::new("dpctl/list-commands", "", 0, usize::MAX, list_commands),
];

/// Options of every command of this family.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Options {
    /// `-s`
    pub(super) statistics: bool,
    /// `-m`
    pub(super) more: bool,
    /// `--names` or `--no-names`
    pub(super) names: Option<bool>,
    /// `--clear`
    pub(super) clear: bool,
    /// `--may-create`
    pub(super) may_create: bool,
}

impl Options {
    /// Cuts the options off, which stand before everything else.
    pub(super) fn parse(mut args: &[String]) -> Result<(Options, &[String]), String> {
        let mut o = Options::default();
        while let [first, rest @ ..] = args {
            match first.as_str() {
                "--statistics" => o.statistics = true,
                "--more" => o.more = true,
                "--names" => o.names = Some(true),
                "--no-names" => o.names = Some(false),
                "--clear" => o.clear = true,
                "--may-create" => o.may_create = true,
                s if s.starts_with("--") => return Err(format!("Unrecognized option {s}")),
                s if s.len() > 1 && s.starts_with('-') => {
                    for c in s[1..].chars() {
                        match c {
                            's' => o.statistics = true,
                            'm' => o.more = true,
                            c => return Err(format!("Unrecognized option -{c}")),
                        }
                    }
                }
                _ => break,
            }
            args = rest;
        }
        Ok((o, args))
    }
}

/// A line of an error.
pub(super) fn error(text: impl std::fmt::Display) -> String {
    format!("ovs-vswitchd: {text}\n")
}

/// A datapath by name: `type@name`, `system` where no type is given. The error is that of the system.
pub(super) fn lookup<'a>(s: &'a mut Switch, name: &str) -> Result<&'a mut Backer, &'static str> {
    let (kind, short) = name.split_once('@').unwrap_or(("system", name));
    if !known_type(s, kind) {
        return Err("Address family not supported by protocol");
    }
    // A name is used once, whatever the type.
    let of = |b: &&mut Backer| b.name().split_once('@').is_some_and(|(_, n)| n == short);
    let found = s.backers.values_mut().find(of).ok_or("No such device")?;
    if found.name().starts_with(&format!("{kind}@")) { Ok(found) } else { Err("Invalid argument") }
}

/// Whether there are datapaths of a type.
pub(super) fn known_type(s: &Switch, kind: &str) -> bool {
    matches!(kind, "system" | "netdev") || (kind == "dummy" && s.registry().dummy_mode() != DummyMode::Off)
}

/// A datapath that a command may leave out if there is but one.
pub(super) fn optional<'a>(s: &'a mut Switch, name: Option<&str>) -> Result<&'a mut Backer, String> {
    let not_found = || error("datapath not found (Invalid argument)");
    match name {
        Some(name) => lookup(s, name).map_err(|_| not_found()),
        None if s.backers.len() == 1 => s.backers.values_mut().next().ok_or_else(not_found),
        None if s.backers.is_empty() => Err(error("no datapaths exist") + &not_found()),
        None => Err(error("multiple datapaths, specify one") + &not_found()),
    }
}

/// Cuts a datapath's name off the front of arguments, if that is what they begin with and more than `least` are
/// there; else the only datapath is meant.
pub(super) fn guess<'a, 'b>(
    s: &'a mut Switch,
    args: &'b [String],
    least: usize,
) -> Result<(&'a mut Backer, &'b [String]), String> {
    match args {
        [name, rest @ ..] if args.len() > least && lookup(s, name).is_ok() => {
            Ok((optional(s, Some(name))?, rest))
        }
        _ => Ok((optional(s, None)?, args)),
    }
}

fn list_commands(_: &mut Switch, _: &mut Reactor, _: &Call) -> Outcome {
    Outcome::ok(dpif::dpctl::listing("dpctl/", false))
}

/// Datapaths in the order of their names.
pub(super) fn sorted(s: &Switch) -> Vec<&Backer> {
    let mut all: Vec<&Backer> = s.backers.values().collect();
    all.sort_by_key(|b| b.name());
    all
}

fn dump_dps(s: &mut Switch, _: &mut Reactor, _: &Call) -> Outcome {
    let mut out = String::new();
    for backer in sorted(s) {
        let _ = writeln!(out, "{}", backer.name());
    }
    Outcome::ok(out)
}

/// Ports of a datapath by name.
pub(super) struct PortNames<'a>(pub(super) &'a Backer);

impl DpPortMap for PortNames<'_> {
    fn dp_port_number(&self, name: &str) -> Option<DpPort> {
        self.0.port_number(name)
    }
    fn dp_port_name(&self, port: DpPort) -> Option<String> {
        self.0.port_name(port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_stand_first() {
        let args = |t: &str| t.split_whitespace().map(str::to_string).collect::<Vec<_>>();
        let a = args("-sm --no-names dummy@x -x");
        let (o, rest) = Options::parse(&a).unwrap();
        assert!(o.statistics && o.more && o.names == Some(false) && !o.clear);
        assert_eq!(rest, ["dummy@x", "-x"]);
        for (given, told) in [("-vdbg", "-v"), ("--stat", "--stat"), ("-1", "-1"), ("--", "--")] {
            assert_eq!(Options::parse(&args(given)).unwrap_err(), format!("Unrecognized option {told}"));
        }
    }
}
