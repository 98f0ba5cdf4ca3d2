//! `dpctl/*-flow*` and the actions' text: datapath flows by hand.

use super::dump::{Dump, dump_text};
use super::{Options, PortNames, error, guess, optional};
use crate::switch::Switch;
use crate::switch::backer::Backer;
use base::{DpPort, Time};
use dpif::flow_text::{DumpStyle, parse_ufid, stats_text};
use dpif::parse::parse_actions;
use dpif::text::format_actions;
use dpif::{Datapath as _, DpError, DpFlow, PutMode, ufid_of};
use flow::odp::{OdpFlow, parse_odp};
use reactor::Reactor;
use reactor::unixctl::{Call, Command, Outcome};
use std::fmt::Write;

/// The commands.
pub(super) const COMMANDS: &[Command<Switch>] = &[
    Command::new("dpctl/add-flow", "[dp] flow actions", 2, 3, |s, _, c| done(put(s, c, false))),
    Command::new("dpctl/mod-flow", "[dp] flow actions", 2, 3, |s, _, c| done(put(s, c, true))),
    Command::new("dpctl/get-flow", "[dp] ufid", 1, 2, |s, _, c| done(get(s, c))),
    Command::new("dpctl/del-flow", "[dp] flow", 1, 2, |s, r, c| done(del(s, r, c))),
    Command::new("dpctl/add-flows", "[dp] file", 1, 2, |s, _, c| done(file(s, c, Verb::Add))),
    Command::new("dpctl/mod-flows", "[dp] file", 1, 2, |s, _, c| done(file(s, c, Verb::Modify))),
    Command::new("dpctl/del-flows", "[dp] [file]", 0, 2, |s, r, c| done(del_flows(s, r, c))),
    Command::new("dpctl/parse-actions", "actions", 1, usize::MAX, |_, _, c| done(parse(c))),
    Command::new("dpctl/normalize-actions", "actions", 2, usize::MAX, |_, _, c| done(normalize(c))),
];

fn done(r: Result<String, String>) -> Outcome {
    Outcome::Done(r.map(Into::into))
}

fn errno(e: &DpError) -> &'static str {
    match e {
        DpError::FlowExists => "File exists",
        DpError::NoFlow => "No such file or directory",
        DpError::Full => "No space left on device",
        _ => "Invalid argument",
    }
}

/// A flow with the id that it is known by: the one that it was given, or that of its key.
fn flow(backer: &Backer, text: &str) -> Result<(u128, OdpFlow), Reading> {
    let text = text.trim_start();
    let id = text.strip_prefix("ufid:").map(|t| &t[..t.find([',', ' ']).unwrap_or(t.len())]);
    let ufid = id.map(|id| parse_ufid(id).ok_or(Reading::Ufid)).transpose()?;
    let flow = parse_odp(text, &PortNames(backer)).map_err(|e| Reading::Key(e.to_string()))?;
    Ok((ufid.unwrap_or_else(|| ufid_of(&flow.key)), flow))
}

/// What is wrong with a flow's text.
enum Reading {
    Ufid,
    Key(String),
}

fn apply(backer: &mut Backer, key: &str, actions: &str, mode: PutMode) -> Result<DpFlow, String> {
    let (ufid, wanted) = flow(backer, key).map_err(|e| match e {
        Reading::Ufid => error("parsing flow ufid (Invalid argument)"),
        Reading::Key(e) => error(format!("parsing flow key ({e}) (Invalid argument)")),
    })?;
    let port = |name: &str| -> Option<DpPort> { backer.port_number(name) };
    let actions =
        parse_actions(actions, Some(&port)).map_err(|_| error("parsing actions (Invalid argument)"))?;
    let update = |e: &str| error(format!("updating flow table ({e})"));
    let some_port = wanted.mask.0.dp_port() == DpPort::NONE || wanted.attrs.0 == 0;
    if !wanted.is_complete() || !some_port {
        return Err(update("Invalid argument"));
    }
    let put = backer.dp.put_flow(Some(ufid), &wanted.key, &wanted.mask, actions, mode);
    put.map_err(|e| update(errno(&e)))
}

fn put(s: &mut Switch, call: &Call, modify: bool) -> Result<String, String> {
    let (options, args) = Options::parse(call.args())?;
    let now = s.now();
    let (backer, key, actions) = match args {
        [name, key, actions, ..] => (optional(s, Some(name))?, key, actions),
        [key, actions] => (optional(s, None)?, key, actions),
        _ => return Err(too_few(call, 2)),
    };
    let mode = match (modify, options.may_create) {
        (false, _) => PutMode::Create,
        (true, false) => PutMode::Modify,
        (true, true) => PutMode::CreateOrModify,
    };
    if modify && options.clear {
        return Err(error("updating flow table (Operation not supported)"));
    }
    let flow = apply(backer, key, actions, mode)?;
    Ok(if options.statistics { stats_line(&flow, now) } else { String::new() })
}

fn stats_line(flow: &DpFlow, now: Time) -> String {
    stats_text(&flow.stats, now) + "\n"
}

/// Options do not count.
fn too_few(call: &Call, least: usize) -> String {
    format!("\"{}\" command requires at least {least} arguments", call.name())
}

fn get(s: &mut Switch, call: &Call) -> Result<String, String> {
    let (options, args) = Options::parse(call.args())?;
    let now = s.now();
    let (backer, id) = match args {
        [name, id, ..] => (optional(s, Some(name))?, id),
        [id] => (optional(s, None)?, id),
        [] => return Err(too_few(call, 1)),
    };
    let Some(id) = id.strip_prefix("ufid:") else { return Ok(error("parsing flow ufid")) };
    let Some(ufid) = parse_ufid(id) else { return Ok(error("parsing flow ufid (Invalid argument)")) };
    let Some(f) = backer.dp.flow(ufid) else {
        return Err(error("getting flow (No such file or directory)"));
    };
    let dump = Dump { more: options.more, names: options.names };
    let style = if options.more { DumpStyle::Dpctl } else { DumpStyle::Short };
    Ok(dump_text(backer, vec![f], &dump, now, style, false))
}

fn remove(backer: &mut Backer, text: &str) -> Result<DpFlow, String> {
    let (ufid, wanted) = flow(backer, text).map_err(|e| match e {
        Reading::Ufid => error("parsing flow ufid (Invalid argument)"),
        Reading::Key(e) => error(format!("{e} (Invalid argument)")),
    })?;
    backer.dp.del_flow(ufid).map_err(|e| {
        let hint = if wanted.ufid.is_none() { "Perhaps you need to specify a UFID?\n" } else { "" };
        error(format!("deleting flow ({})", errno(&e))) + hint
    })
}

fn del(s: &mut Switch, r: &mut Reactor, call: &Call) -> Result<String, String> {
    s.push_stats_now(r);
    let (options, args) = Options::parse(call.args())?;
    let now = s.now();
    let (backer, key) = match args {
        [name, key, ..] => (optional(s, Some(name))?, key),
        [key] => (optional(s, None)?, key),
        [] => return Err(too_few(call, 1)),
    };
    let last = remove(backer, key)?;
    Ok(if options.statistics { stats_line(&last, now) } else { String::new() })
}

/// All flows, or those in a file. One argument is a datapath if there is one of that name.
fn del_flows(s: &mut Switch, r: &mut Reactor, call: &Call) -> Result<String, String> {
    s.push_stats_now(r);
    let (_, args) = Options::parse(call.args())?;
    let (backer, rest) = guess(s, args, 0)?;
    if rest.is_empty() {
        backer.dp.flush_flows();
        return Ok(String::new());
    }
    file(s, call, Verb::Delete)
}

/// What is done with a flow of a file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Verb {
    Add,
    Modify,
    Delete,
}

/// Flows from a file: each line a flow and its actions, after `add`, `modify` or `delete` if that is not what the
/// command does. Lines that fail are told of, and the others take effect.
fn file(s: &mut Switch, call: &Call, verb: Verb) -> Result<String, String> {
    let (_, args) = Options::parse(call.args())?;
    let (backer, rest) = guess(s, args, 1)?;
    let Some(name) = rest.last() else { return Err(too_few(call, 1)) };
    // A daemon's standard input is empty.
    let read = if name == "-" { Ok(Vec::new()) } else { std::fs::read(name) };
    let text = match read {
        Ok(t) => String::from_utf8_lossy(&t).into_owned(),
        Err(e) => {
            let e = reactor::errno::text(&e);
            return Ok(error(format!("Opening file \"{name}\" failed ({e})")));
        }
    };
    let mut out = String::new();
    for (n, line) in text.lines().enumerate() {
        let line = line.split('#').next().unwrap_or("").trim();
        if line.is_empty() {
            continue;
        }
        let (verb, key, actions) = parts(line, verb);
        let result = match (verb, actions) {
            (Verb::Delete, "") if !key.is_empty() => remove(backer, key).map(drop),
            (Verb::Add, a) if !a.is_empty() => apply(backer, key, a, PutMode::Create).map(drop),
            (Verb::Modify, a) if !a.is_empty() => apply(backer, key, a, PutMode::Modify).map(drop),
            _ => Err(error(format!("Failed parsing line number {}, skipped!", n + 1))),
        };
        if let Err(e) = result {
            out.push_str(&e);
        }
    }
    Ok(out)
}

/// What to do, a flow, and its actions.
fn parts(line: &str, usual: Verb) -> (Verb, &str, &str) {
    let cut = |s: &'_ str| s.find(char::is_whitespace).unwrap_or(s.len());
    let (first, rest) = line.split_at(cut(line));
    let verb = match first {
        "add" => Some(Verb::Add),
        "mod" | "modify" => Some(Verb::Modify),
        "del" | "delete" => Some(Verb::Delete),
        _ => None,
    };
    let line = if verb.is_some() { rest.trim_start() } else { line };
    let (key, actions) = line.split_at(cut(line));
    (verb.unwrap_or(usual), key, actions.trim())
}

fn parse(call: &Call) -> Result<String, String> {
    let (_, args) = Options::parse(call.args())?;
    let mut out = String::new();
    for text in args {
        let actions =
            parse_actions(text, None).map_err(|_| error("odp_actions_from_string (Invalid argument)"))?;
        let _ = writeln!(out, "{}", format_actions(&actions, None));
    }
    Ok(out)
}

fn normalize(call: &Call) -> Result<String, String> {
    let (_, args) = Options::parse(call.args())?;
    if args.len() < 2 {
        return Err(too_few(call, 2));
    }
    dpif::normalize::normalize(args).map_err(|e| e.said + &error(e.error))
}
