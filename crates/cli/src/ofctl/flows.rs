//! Flows: dump, add, modify, delete.

use super::context::{Connection, Context, Parts, SortKey, print};
use super::files::lines;
use crate::fatal::Fatal;
use openflow::msg::{
    FlowMod, FlowModCommand, FlowStats, FlowStatsRequest, Message, StatsReply, StatsRequest,
};
use openflow::text::TextCx;
use openflow::text::flow::{Stats, format_stats, parse_flow_mod, parse_stats_request};
use openflow::version::{Protocol, ProtocolSet};
use std::cmp::Ordering;
use std::process::ExitCode;

const OK: Result<ExitCode, Fatal> = Ok(ExitCode::SUCCESS);

/// What a dump asks for, and over which connection.
fn prepare(c: &Context, args: &[String], aggregate: bool) -> Result<(Connection, StatsRequest), Fatal> {
    let names = c.accept_names(&args[0])?;
    let mut cx = TextCx::new(&names);
    let text = args.get(1).map_or("", String::as_str);
    let parsed = parse_stats_request(text, &mut cx);
    c.log_parse(&mut cx);
    let request: FlowStatsRequest = parsed.map_err(Fatal::new)?;
    let usable = cx.usable.union(tables_need_nothing(cx.usable));
    let conn = open_for_dump(c, &args[0], usable)?;
    let request = Box::new(request);
    Ok((conn, if aggregate { StatsRequest::Aggregate(request) } else { StatsRequest::Flow(request) }))
}

/// Requests have a place for the table in every format.
fn tables_need_nothing(usable: ProtocolSet) -> ProtocolSet {
    let mut all = ProtocolSet::EMPTY;
    for p in usable.iter() {
        all = all.union(ProtocolSet::only(p)).union(ProtocolSet::only(p.with_table_id(false)));
    }
    all
}

/// Connects for a dump: NXM is preferred over the plain format of OpenFlow 1.0, since it says more.
pub(super) fn open_for_dump(c: &Context, switch: &str, usable: ProtocolSet) -> Result<Connection, Fatal> {
    let others = Protocol::ALL.into_iter().filter(|p| p.version() != Protocol::Of10.version());
    c.open_with(switch, usable, [Protocol::Nxm, Protocol::Of10].into_iter().chain(others))
}

pub fn dump_flows(c: &mut Context, args: &[String]) -> Result<ExitCode, Fatal> {
    let (mut conn, request) = prepare(c, args, false)?;
    let s = &c.settings;
    if s.sort.is_empty() && !s.show_names && s.stats {
        c.dump_stats(&mut conn, request, &openflow::NoNames)?;
        return OK;
    }
    let names = c.names(&args[0]);
    let mut flows = collect(c, &mut conn, request)?;
    if !s.sort.is_empty() {
        flows.sort_by(|a, b| compare(a, b, &s.sort));
    }
    let stats = if s.stats { Stats::Shown } else { Stats::Hidden };
    let mut f = c.fmt(&names);
    for mut flow in flows {
        if conn.codec.protocol.is_nxm() {
            flow.idle_age = None;
            flow.hard_age = None;
        }
        f.put(" ");
        format_stats(&flow, stats, &mut f);
        f.put("\n");
    }
    print(&f.out);
    OK
}

/// All flows of a reply.
pub(super) fn collect(
    c: &Context,
    conn: &mut Connection,
    request: StatsRequest,
) -> Result<Vec<FlowStats>, Fatal> {
    const FAILURE: &str = "dump flows";
    let mut parts = Parts::default();
    let protocol_error = |why: String| {
        base::warn!(c.logger(), "vconn", "{why}");
        Err(Fatal::new(format!("{FAILURE} (Protocol error)")))
    };
    c.stats(conn, request, FAILURE, |conn, m| match conn.codec.decode(m) {
        Ok((_, Message::StatsReply { body, .. })) => parts.add(body, m.len()),
        Ok((_, Message::Error(e))) => Err(Fatal::new(format!("{FAILURE} ({})", e.error))),
        Err(e) if openflow::kind::identify(m).is_ok() => {
            protocol_error(format!("parse error in reply ({})", c.log_error(e)))
        }
        _ => {
            protocol_error(format!("received bad reply: {}", c.text_of(m, &openflow::NoNames, 1).trim_end()))
        }
    })?;
    let flows = parts.all.into_iter().flat_map(|part| match part {
        StatsReply::Flow(all) => all,
        _ => Vec::new(),
    });
    Ok(flows.collect())
}

/// The order that the sort options ask for.
fn compare(a: &FlowStats, b: &FlowStats, keys: &[SortKey]) -> Ordering {
    let (ma, mb) = (a.matching.expand(), b.matching.expand());
    // What is equal in all that was asked for goes by priority.
    let last = SortKey { field: None, descending: true };
    for key in keys.iter().chain([&last]) {
        let order = match key.field {
            None => a.priority.cmp(&b.priority),
            Some(field) => {
                let has = |m: &flow::Match| m.mask.get(field) != 0 && field.prereq_met_by(m);
                let (has_a, has_b) = (has(&ma), has(&mb));
                match (has_a, has_b) {
                    // Flows that do not match on the field come last, however sorted.
                    (false, true) => return Ordering::Greater,
                    (true, false) => return Ordering::Less,
                    // Two that do not may still hold a value there: the fields of several protocols share a place.
                    _ => ma.key.get(field).cmp(&mb.key.get(field)),
                }
            }
        };
        match if key.descending { order.reverse() } else { order } {
            Ordering::Equal => {}
            other => return other,
        }
    }
    Ordering::Equal
}

pub fn dump_aggregate(c: &mut Context, args: &[String]) -> Result<ExitCode, Fatal> {
    let (mut conn, request) = prepare(c, args, true)?;
    c.dump_stats(&mut conn, request, &openflow::NoNames)?;
    OK
}

pub fn add_flow(c: &mut Context, args: &[String]) -> Result<ExitCode, Fatal> {
    one(c, args, FlowModCommand::Add)
}

pub fn mod_flows(c: &mut Context, args: &[String]) -> Result<ExitCode, Fatal> {
    let command = if c.settings.strict { FlowModCommand::ModifyStrict } else { FlowModCommand::Modify };
    one(c, args, command)
}

pub fn del_flows(c: &mut Context, args: &[String]) -> Result<ExitCode, Fatal> {
    let command = if c.settings.strict { FlowModCommand::DeleteStrict } else { FlowModCommand::Delete };
    one(c, args, command)
}

/// A command given on the command line, or `-` for a file on standard input.
fn one(c: &Context, args: &[String], command: FlowModCommand) -> Result<ExitCode, Fatal> {
    let text = args.get(1).map_or("", String::as_str);
    if text == "-" {
        return from_file(c, &args[0], "-", Some(command));
    }
    let names = c.accept_names(&args[0])?;
    let mut cx = TextCx::new(&names);
    let parsed = parse_flow_mod(text, Some(command), &mut cx);
    c.log_parse(&mut cx);
    let fm = parsed.map_err(Fatal::new)?;
    send(c, &args[0], &[fm], cx.usable)
}

pub fn add_flows(c: &mut Context, args: &[String]) -> Result<ExitCode, Fatal> {
    from_file(c, &args[0], &args[1], None)
}

/// The flows of a file, and what can express them all. `failure`: in what words it is said that there is no file.
pub(super) fn read(
    c: &Context,
    cx: &mut TextCx<'_>,
    file: &str,
    failure: &str,
    command: Option<FlowModCommand>,
    mut each: impl FnMut(FlowMod),
) -> Result<(), Fatal> {
    lines(file, failure, |line, number| {
        let parsed = parse_flow_mod(line, command, cx);
        if !cx.log.is_empty() {
            c.log_parse(cx);
        }
        each(parsed.map_err(|e| Fatal::new(format!("{file}:{number}: {e}")))?);
        Ok(())
    })
}

fn from_file(
    c: &Context,
    switch: &str,
    file: &str,
    command: Option<FlowModCommand>,
) -> Result<ExitCode, Fatal> {
    let names = c.accept_names(switch)?;
    let mut cx = TextCx::new(&names);
    let mut all = Vec::new();
    read(c, &mut cx, file, "open failed", command, |fm| all.push(fm))?;
    send(c, switch, &all, cx.usable)
}

/// Sends flow-mods without waiting for each; the first error is printed.
pub(super) fn send(
    c: &Context,
    switch: &str,
    all: &[FlowMod],
    usable: ProtocolSet,
) -> Result<ExitCode, Fatal> {
    let mut conn = c.open_for_changes(switch, usable)?;
    if c.settings.bundle {
        let messages = all.iter().map(|fm| Message::FlowMod(Box::new(fm.clone())));
        super::bundle::transact(c, &mut conn, messages.collect())?;
        return OK;
    }
    let codec = conn.codec.clone();
    let requests = all.iter().map(|fm| {
        // One allocation for the message, of about the right size.
        let mut bytes = Vec::with_capacity(160);
        match codec.encode_flow_mod_into(c.next_xid(), fm, &mut bytes) {
            Ok(()) => Ok(bytes),
            Err(e) => Err(Fatal::new(e.to_string())),
        }
    });
    c.perform_all(&mut conn, requests)?;
    OK
}
