//! Groups.

use super::context::Context;
use super::files::lines;
use super::switch::simple;
use crate::fatal::Fatal;
use base::GroupId;
use openflow::msg::{GroupMod, GroupModCommand, Message, StatsRequest};
use openflow::text::TextCx;
use openflow::text::group::parse_group_mod;
use openflow::version::{ProtocolSet, Version};
use std::process::ExitCode;

const OK: Result<ExitCode, Fatal> = Ok(ExitCode::SUCCESS);

pub(super) const INSERT_NEEDS_15: &str = "insert-bucket needs OpenFlow 1.5 or later ('-O OpenFlow15')";

fn send(c: &Context, switch: &str, all: Vec<GroupMod>, usable: ProtocolSet) -> Result<ExitCode, Fatal> {
    if c.choose(usable).is_err()
        && all.iter().any(|g| g.command == GroupModCommand::InsertBucket && !g.buckets.is_empty())
    {
        return Err(Fatal::new(INSERT_NEEDS_15));
    }
    let mut conn = c.open_for_changes(switch, usable)?;
    let messages: Vec<Message> = all.into_iter().map(|g| Message::GroupMod(Box::new(g))).collect();
    if c.settings.bundle {
        super::bundle::transact(c, &mut conn, messages)?;
        return OK;
    }
    for m in messages {
        let request = c.encode(&conn, &m)?;
        c.perform(&mut conn, [request])?;
    }
    OK
}

fn one(c: &Context, args: &[String], command: GroupModCommand) -> Result<ExitCode, Fatal> {
    let text = args.get(1).map_or("", String::as_str);
    if text == "-" {
        return from_file(c, &args[0], "-", Some(command));
    }
    let names = c.accept_names(&args[0])?;
    let mut cx = TextCx::new(&names);
    let parsed = parse_group_mod(text, Some(command), &mut cx);
    c.log_parse(&mut cx);
    send(c, &args[0], vec![parsed.map_err(Fatal::new)?], cx.usable)
}

fn from_file(
    c: &Context,
    switch: &str,
    file: &str,
    command: Option<GroupModCommand>,
) -> Result<ExitCode, Fatal> {
    let names = c.accept_names(switch)?;
    let mut cx = TextCx::new(&names);
    let mut all = Vec::new();
    lines(file, "open failed", |line, number| {
        let parsed = parse_group_mod(line, command, &mut cx);
        c.log_parse(&mut cx);
        all.push(parsed.map_err(|e| Fatal::new(format!("{file}:{number}: {e}")))?);
        Ok(())
    })?;
    send(c, switch, all, cx.usable)
}

pub fn add_group(c: &mut Context, args: &[String]) -> Result<ExitCode, Fatal> {
    one(c, args, GroupModCommand::Add)
}

pub fn add_groups(c: &mut Context, args: &[String]) -> Result<ExitCode, Fatal> {
    match args.get(1) {
        Some(file) => from_file(c, &args[0], file, None),
        None => Err(Fatal::new("'add-groups' command requires at least 2 arguments")),
    }
}

pub fn mod_group(c: &mut Context, args: &[String]) -> Result<ExitCode, Fatal> {
    let command = if c.settings.may_create { GroupModCommand::AddOrModify } else { GroupModCommand::Modify };
    one(c, args, command)
}

pub fn del_groups(c: &mut Context, args: &[String]) -> Result<ExitCode, Fatal> {
    one(c, args, GroupModCommand::Delete)
}

pub fn insert_buckets(c: &mut Context, args: &[String]) -> Result<ExitCode, Fatal> {
    one(c, args, GroupModCommand::InsertBucket)
}

pub fn remove_buckets(c: &mut Context, args: &[String]) -> Result<ExitCode, Fatal> {
    one(c, args, GroupModCommand::RemoveBucket)
}

pub fn dump_groups(c: &mut Context, args: &[String]) -> Result<ExitCode, Fatal> {
    let names = c.names(&args[0]);
    let mut conn = c.open(&args[0])?;
    let group = args.get(1).map_or(Some(GroupId::ALL), |text| group_id(text)).unwrap_or_else(|| {
        base::record!(
            c.logger(),
            base::Level::Warn,
            "ofp_group",
            "{} is not a valid group ID.  (Valid group IDs are 32-bit nonnegative integers or the keywords ANY or \
             ALL.)",
            args[1]
        );
        GroupId::ALL
    });
    // Before 1.5 all are asked for; the switch's extension takes one in 1.0.
    let one = conn.version() == Version::V10 || conn.version() >= Version::V15;
    c.dump_stats(&mut conn, StatsRequest::GroupDesc(if one { group } else { GroupId::ALL }), &names)?;
    OK
}

/// A group by number or reserved name.
fn group_id(s: &str) -> Option<GroupId> {
    match s {
        _ if s.eq_ignore_ascii_case("all") => Some(GroupId::ALL),
        _ if s.eq_ignore_ascii_case("any") => Some(GroupId::ANY),
        _ if s.starts_with('+') => None,
        _ => s.parse().ok().map(GroupId),
    }
}

pub fn dump_group_stats(c: &mut Context, args: &[String]) -> Result<ExitCode, Fatal> {
    let names = c.accept_names(&args[0])?;
    let mut cx = TextCx::new(&names);
    let text = args.get(1).map_or("", String::as_str);
    let parsed = parse_group_mod(text, Some(GroupModCommand::Delete), &mut cx);
    c.log_parse(&mut cx);
    let group = parsed.map_err(Fatal::new)?.group;
    simple(c, &args[0], StatsRequest::Group(group))
}

pub fn dump_group_features(c: &mut Context, args: &[String]) -> Result<ExitCode, Fatal> {
    simple(c, &args[0], StatsRequest::GroupFeatures)
}
