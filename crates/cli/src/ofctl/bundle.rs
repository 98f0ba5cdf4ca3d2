//! Bundles: several changes as one.

use super::context::{Connection, Context};
use super::files::lines;
use crate::fatal::Fatal;
use openflow::msg::{BundleAdd, BundleControl, BundleControlKind, GroupModCommand, Message};
use openflow::text::TextCx;
use openflow::text::flow::parse_flow_mod;
use openflow::text::group::parse_group_mod;
use openflow::text::packet::parse_packet_out;
use std::io::Write;
use std::process::ExitCode;

const FLAGS: u16 = BundleControl::ATOMIC | BundleControl::ORDERED;

/// Sends messages as one bundle: all of them take effect, or none. Errors are printed and end the program.
pub fn transact(c: &Context, conn: &mut Connection, messages: Vec<Message>) -> Result<(), Fatal> {
    let mut parts = Vec::with_capacity(messages.len());
    for message in messages {
        let xid = c.next_xid();
        let inner = conn.codec.encode(xid, &message).map_err(|e| Fatal::new(e.to_string()))?;
        let add = BundleAdd { bundle_id: 0, flags: FLAGS, xid, message };
        let add = conn.codec.encode(xid, &Message::BundleAdd(Box::new(add)));
        parts.push((xid.0, inner, add.map_err(|e| Fatal::new(e.to_string()))?));
    }
    let mut failed = control(c, conn, BundleControlKind::OpenRequest, &[])?;
    if !failed {
        let mut sent = Vec::with_capacity(parts.len());
        for (xid, inner, add) in parts {
            sent.push((xid, inner));
            c.send(conn, add)?;
        }
        // What is wrong with a part is known before the whole is committed.
        failed |= ask(c, conn, &Message::BarrierRequest, &sent)?;
        failed |= control(c, conn, BundleControlKind::CommitRequest, &sent)?;
    }
    if failed {
        return Err(Fatal::new(format!("talking to {} (Protocol error)", conn.client.name())));
    }
    Ok(())
}

/// Sends a bundle control message and waits for its answer. Errors that come meanwhile are printed; whether there was
/// one is the result.
fn control(
    c: &Context,
    conn: &mut Connection,
    kind: BundleControlKind,
    sent: &[(u32, Vec<u8>)],
) -> Result<bool, Fatal> {
    ask(c, conn, &Message::BundleControl(BundleControl { bundle_id: 0, kind, flags: FLAGS }), sent)
}

/// The same for any request.
fn ask(
    c: &Context,
    conn: &mut Connection,
    request: &Message,
    sent: &[(u32, Vec<u8>)],
) -> Result<bool, Fatal> {
    let request = c.encode(conn, request)?;
    let mut errors = Vec::new();
    let reply = conn
        .client
        .transact(request.clone(), |m| {
            if m[1] == reactor::vconn::kind::ERROR {
                errors.push(m);
            }
        })
        .map_err(|e| {
            Fatal::new(format!("talking to {} ({})", conn.client.name(), reactor::errno::text(&e)))
        })?;
    let mut failed = !errors.is_empty();
    for e in &errors {
        let xid = reactor::vconn::xid(e);
        let about = sent.iter().find(|(x, _)| Some(*x) == xid).map(|(_, bytes)| bytes.as_slice());
        report(c, conn, e, about);
    }
    if reply[1] == reactor::vconn::kind::ERROR {
        failed = true;
        report(c, conn, &reply, Some(&request));
    }
    Ok(failed)
}

/// `Error NAME for: MESSAGE`
fn report(c: &Context, conn: &Connection, error: &[u8], about: Option<&[u8]>) {
    let name = match conn.codec.decode(error) {
        Ok((_, Message::Error(e))) => e.error.to_string(),
        _ => "***decode error***".to_string(),
    };
    let _ = std::io::stdout().flush();
    match about {
        Some(bytes) => {
            let text = c.text_of(bytes, &openflow::NoNames, c.settings.verbosity + 1);
            eprint!("Error {name} for: {text}");
        }
        None => c.complain(error),
    }
}

pub fn bundle(c: &mut Context, args: &[String]) -> Result<ExitCode, Fatal> {
    let (switch, file) = (&args[0], &args[1]);
    let names = c.accept_names(switch)?;
    let mut cx = TextCx::new(&names);
    let mut messages = Vec::new();
    lines(file, "open failed", |line, number| {
        let parsed = message(line, &mut cx);
        c.log_parse(&mut cx);
        messages.push(parsed.map_err(|e| Fatal::new(format!("{file}:{number}: {e}")))?);
        Ok(())
    })?;
    let able = cx.usable.intersection(c.allowed());
    if able.is_empty() {
        if messages.iter().any(
            |m| matches!(m, Message::GroupMod(g) if g.command == GroupModCommand::InsertBucket && !g.buckets.is_empty()),
        ) {
            return Err(Fatal::new(super::groups::INSERT_NEEDS_15));
        }
        return Err(c.no_format(cx.usable));
    }
    let mut conn = c.open_for_changes(switch, cx.usable)?;
    transact(c, &mut conn, messages)?;
    Ok(ExitCode::SUCCESS)
}

/// A line of a bundle's file: `flow ...`, `group ...` or `packet-out ...`.
fn message(line: &str, cx: &mut TextCx<'_>) -> Result<Message, String> {
    let line = line.trim_start();
    let end = line.find(|ch: char| ch.is_ascii_whitespace()).unwrap_or(line.len());
    let (word, rest) = (&line[..end], line[end..].trim_start());
    match word {
        "flow" => parse_flow_mod(rest, None, cx).map(|fm| Message::FlowMod(Box::new(fm))),
        "group" => parse_group_mod(rest, None, cx).map(|g| Message::GroupMod(Box::new(g))),
        "packet-out" => parse_packet_out(rest, cx).map(|p| Message::PacketOut(Box::new(p))),
        other => Err(format!("Unsupported bundle message type: {other}")),
    }
}
