//! `dpctl/*-flow*` and the actions' text: single datapath flows by hand.

use super::dpctl::{Dump, dump_text, find};
use crate::switch::Switch;
use crate::switch::backer::Backer;
use base::DpPort;
use dpif::flow_text::parse_ufid;
use dpif::parse::parse_actions;
use dpif::text::format_actions;
use dpif::{Datapath as _, DpError, PutMode};
use flow::odp::{OdpFlow, parse_odp};
use reactor::Reactor;
use reactor::unixctl::{Call, Command, Outcome};
use std::fmt::Write;

/// The commands.
pub const COMMANDS: &[Command<Switch>] = &[
    Command::new("dpctl/add-flow", "[dp] flow actions", 2, 3, |s, _, c| put(s, c, PutMode::Create)),
    Command::new("dpctl/mod-flow", "[dp] flow actions", 2, 3, |s, _, c| put(s, c, PutMode::Modify)),
    Command::new("dpctl/get-flow", "[dp] ufid", 1, 2, get),
    Command::new("dpctl/del-flow", "[dp] flow", 1, 2, del),
    Command::new("dpctl/add-flows", "[dp] file", 1, 2, |s, _, c| file(s, c, Some(PutMode::Create))),
    Command::new("dpctl/mod-flows", "[dp] file", 1, 2, |s, _, c| file(s, c, Some(PutMode::Modify))),
    Command::new("dpctl/parse-actions", "actions", 1, usize::MAX, parse),
    Command::new("dpctl/normalize-actions", "actions", 2, usize::MAX, |_, _, _| {
        Outcome::error(
            "ovs-vswitchd: normalize-actions is not supported: actions are kept as they are written",
        )
    }),
];

const ME: &str = "ovs-vswitchd: ";

fn flow(backer: &Backer, text: &str) -> Result<OdpFlow, String> {
    parse_odp(text, &super::dpctl::PortNames(backer))
        .map_err(|e| format!("{ME}parsing flow key ({e}) (Invalid argument)"))
}

fn errno(e: &DpError) -> &'static str {
    match e {
        DpError::FlowExists => "File exists",
        DpError::NoFlow => "No such file or directory",
        DpError::Full => "No space left on device",
        _ => "Invalid argument",
    }
}

/// Datapath and remaining arguments of a command that takes `n` of them beside the datapath's name.
fn target<'a>(
    s: &'a mut Switch,
    args: &'a [String],
    n: usize,
) -> Result<(&'a mut Backer, &'a [String]), String> {
    let (name, rest) = if args.len() > n { (args.first(), &args[1..]) } else { (None, args) };
    let backer = find(s, name.map(String::as_str)).map_err(|e| match name {
        Some(_) => format!("{ME}opening datapath ({e})"),
        None => format!("{ME}{e}"),
    })?;
    Ok((backer, rest))
}

fn apply(backer: &mut Backer, key: &str, actions: &str, mode: PutMode) -> Result<(), String> {
    let wanted = flow(backer, key)?;
    let port = |name: &str| -> Option<DpPort> { backer.port_number(name) };
    let actions =
        parse_actions(actions, Some(&port)).map_err(|_| format!("{ME}parsing actions (Invalid argument)"))?;
    backer
        .dp
        .put_flow(&wanted.key, &wanted.mask, actions, mode)
        .map_err(|e| format!("{ME}updating flow table ({})", errno(&e)))
}

fn put(s: &mut Switch, call: &Call, mode: PutMode) -> Outcome {
    let result = target(s, call.args(), 2).and_then(|(backer, rest)| apply(backer, &rest[0], &rest[1], mode));
    Outcome::Done(result.map(|()| "".into()))
}

fn get(s: &mut Switch, _: &mut Reactor, call: &Call) -> Outcome {
    let now = s.now();
    let (backer, rest) = match target(s, call.args(), 1) {
        Ok(t) => t,
        Err(e) => return Outcome::error(e),
    };
    let Some(ufid) = rest[0].strip_prefix("ufid:").and_then(parse_ufid) else {
        return Outcome::ok(format!("{ME}parsing flow ufid\n"));
    };
    match backer.dp.flow(ufid) {
        Some(f) => Outcome::ok(dump_text(backer, vec![f], &Dump::default(), now, false)),
        None => Outcome::error(format!("{ME}getting flow (No such file or directory)")),
    }
}

fn remove(backer: &mut Backer, text: &str) -> Result<(), String> {
    let wanted = flow(backer, text)?;
    let known = wanted.ufid.and_then(|id| backer.dp.flow(id));
    let (key, mask) = known.map_or((wanted.key, wanted.mask), |f| (f.key, f.mask));
    backer.dp.del_flow(&key, &mask).map(drop).map_err(|e| {
        let hint = if wanted.ufid.is_none() { "\nPerhaps you need to specify a UFID?" } else { "" };
        format!("{ME}deleting flow ({}){hint}", errno(&e))
    })
}

fn del(s: &mut Switch, r: &mut Reactor, call: &Call) -> Outcome {
    s.push_stats_now(r);
    let result = target(s, call.args(), 1).and_then(|(backer, rest)| remove(backer, &rest[0]));
    Outcome::Done(result.map(|()| "".into()))
}

/// Flows from a file: each line a flow and its actions, after `add`, `mod` or `del` if it is not what the command does.
pub(super) fn file(s: &mut Switch, call: &Call, mode: Option<PutMode>) -> Outcome {
    let (backer, rest) = match target(s, call.args(), 1) {
        Ok(t) => t,
        Err(e) => return Outcome::error(e),
    };
    let text = match std::fs::read_to_string(&rest[0]) {
        Ok(t) => t,
        Err(e) => {
            return Outcome::error(format!("{ME}{}: open failed ({})", rest[0], reactor::errno::text(&e)));
        }
    };
    let mut out = String::new();
    for line in text.lines() {
        let line = line.trim_start();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (mode, line) = match line.split_once(' ') {
            Some(("add", rest)) => (Some(PutMode::Create), rest.trim_start()),
            Some(("mod" | "modify", rest)) => (Some(PutMode::Modify), rest.trim_start()),
            Some(("del" | "delete", rest)) => (None, rest.trim_start()),
            _ => (mode, line),
        };
        let (key, actions) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let result = match mode {
            Some(mode) => apply(backer, key.trim_end_matches(','), actions.trim(), mode),
            None => remove(backer, key),
        };
        if let Err(e) = result {
            let _ = writeln!(out, "{e}");
        }
    }
    Outcome::ok(out)
}

fn parse(_: &mut Switch, _: &mut Reactor, call: &Call) -> Outcome {
    let mut out = String::new();
    for text in call.args() {
        match parse_actions(text, None) {
            Ok(actions) => {
                let _ = writeln!(out, "{}", format_actions(&actions, None));
            }
            Err(_) => {
                return Outcome::error(format!("{ME}odp_actions_from_string (Invalid argument)"));
            }
        }
    }
    Outcome::ok(out)
}
