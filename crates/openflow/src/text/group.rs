//! Groups: the lines that `add-group` reads, and what is printed.

use super::{CHex, Fmt, TextCx, lex};
use crate::action::check::{self, CheckCx};
use crate::action::text::{Outer, format_list, parse_list};
use crate::msg::{Bucket, GroupFeatures, GroupMod, GroupModCommand, GroupProps, GroupStats, GroupType};
use crate::version::{ProtocolSet, Version};
use base::{GroupId, OfPort};
use flow::text::value::value_text;
use flow::{Field, Match, Value};
use std::fmt::Write;

impl GroupModCommand {
    /// From the word that may begin a group in a file.
    pub fn from_keyword(s: &str) -> Option<GroupModCommand> {
        Some(match s {
            "add" => GroupModCommand::Add,
            "modify" => GroupModCommand::Modify,
            "add_or_mod" => GroupModCommand::AddOrModify,
            "delete" => GroupModCommand::Delete,
            "insert_bucket" => GroupModCommand::InsertBucket,
            "remove_bucket" => GroupModCommand::RemoveBucket,
            _ => return None,
        })
    }

    fn text(self) -> &'static str {
        match self {
            GroupModCommand::Add => "ADD",
            GroupModCommand::Modify => "MOD",
            GroupModCommand::AddOrModify => "ADD_OR_MOD",
            GroupModCommand::Delete => "DEL",
            GroupModCommand::InsertBucket => "INSERT_BUCKET",
            GroupModCommand::RemoveBucket => "REMOVE_BUCKET",
        }
    }
}

impl GroupType {
    fn text(self) -> &'static str {
        match self {
            GroupType::All => "all",
            GroupType::Select => "select",
            GroupType::Indirect => "indirect",
            GroupType::FastFailover => "ff",
        }
    }

    fn default_weight(self) -> u16 {
        if self == GroupType::Select { 1 } else { 0 }
    }
}

/// Parses a group; `command` as in [`super::flow::parse_flow_mod`].
pub fn parse_group_mod(
    s: &str,
    command: Option<GroupModCommand>,
    cx: &mut TextCx<'_>,
) -> Result<GroupMod, String> {
    let (command, s) = match command {
        Some(c) => (c, s),
        None => {
            let t = s.trim_start_matches([' ', '\t', '\r', '\n']);
            let end = t.find([' ', '\t', '\r', '\n']).unwrap_or(t.len());
            match GroupModCommand::from_keyword(&t[..end]) {
                Some(c) => (c, &t[end..]),
                None => (GroupModCommand::Add, s),
            }
        }
    };
    let default_bucket = match command {
        GroupModCommand::RemoveBucket => 0xffff_ffff,
        _ => Bucket::ID_ALL,
    };
    let mut p = Parser {
        cx,
        g: GroupMod {
            command,
            kind: GroupType::All,
            group: GroupId::ANY,
            command_bucket_id: default_bucket,
            buckets: Vec::new(),
            props: GroupProps::default(),
        },
        has_group: false,
        has_type: false,
        has_command_bucket: false,
        param: false,
        fields: false,
    };
    if matches!(command, GroupModCommand::InsertBucket | GroupModCommand::RemoveBucket) {
        p.cx.only(ProtocolSet::OF15_UP.union(ProtocolSet::OF10));
    }
    let (head, buckets) = match s.find("bucket=").filter(|at| !s[..*at].ends_with('_')) {
        Some(at) => (&s[..at], &s[at..]),
        None => (s, ""),
    };
    for pair in lex::pairs(head) {
        p.pair(&pair)?;
    }
    p.finish_head(!buckets.is_empty())?;
    p.buckets(buckets)?;
    Ok(p.g)
}

struct Parser<'a, 'b> {
    cx: &'a mut TextCx<'b>,
    g: GroupMod,
    has_group: bool,
    has_type: bool,
    has_command_bucket: bool,
    param: bool,
    fields: bool,
}

impl Parser<'_, '_> {
    fn takes_buckets(&self) -> bool {
        !matches!(self.g.command, GroupModCommand::Delete | GroupModCommand::RemoveBucket)
    }

    fn takes_type(&self) -> bool {
        matches!(
            self.g.command,
            GroupModCommand::Add | GroupModCommand::Modify | GroupModCommand::AddOrModify
        )
    }

    fn pair(&mut self, p: &lex::Pair<'_>) -> Result<(), String> {
        let value = p.value;
        match p.key {
            "command_bucket_id" => {
                if self.takes_type() || self.g.command == GroupModCommand::Delete {
                    return Err("command bucket id is not needed".to_string());
                }
                self.g.command_bucket_id = match value {
                    "all" => Bucket::ID_ALL,
                    "first" => Bucket::ID_FIRST,
                    "last" => Bucket::ID_LAST,
                    _ => {
                        let n = lex::u32(value)?;
                        if n > Bucket::ID_MAX {
                            return Err(format!("invalid command bucket id {n}"));
                        }
                        n
                    }
                };
                if self.g.command_bucket_id == Bucket::ID_ALL
                    && self.g.command == GroupModCommand::InsertBucket
                {
                    return Err(format!("command_bucket_id={value} is not permitted"));
                }
                self.has_command_bucket = true;
            }
            "group_id" => {
                if value == "all" {
                    self.g.group = GroupId::ALL;
                } else {
                    let n = lex::u32(value)?;
                    if n > GroupId::MAX.0 {
                        return Err(format!("invalid group id {n}"));
                    }
                    self.g.group = GroupId(n);
                }
                self.has_group = true;
            }
            "type" => {
                if !self.takes_type() {
                    return Err("type is not needed".to_string());
                }
                self.g.kind = match value {
                    "all" => GroupType::All,
                    "select" => GroupType::Select,
                    "indirect" => GroupType::Indirect,
                    "ff" | "fast_failover" => GroupType::FastFailover,
                    _ => return Err(format!("invalid group type {value}")),
                };
                self.has_type = true;
            }
            "selection_method" => {
                if !self.takes_type() {
                    return Err("selection method is not needed".to_string());
                }
                if value.len() > 15 {
                    return Err("selection method is longer than 15 bytes long".to_string());
                }
                self.g.props.selection_method = value.to_string();
            }
            "selection_method_param" => {
                self.g.props.selection_method_param = lex::u64(value)?;
                self.param = true;
            }
            "fields" => {
                self.fields = true;
                self.select_fields(value)?;
            }
            key => return Err(format!("unknown keyword {key}")),
        }
        Ok(())
    }

    fn select_fields(&mut self, s: &str) -> Result<(), String> {
        for p in lex::pairs(s) {
            let field =
                Field::from_name(p.key).ok_or_else(|| format!("{}: unknown field {}", p.value, p.key))?;
            if self.g.props.fields.iter().any(|(f, _)| *f == field) {
                return Err(format!("{}: duplicate field", p.key));
            }
            let mask = if p.value.is_empty() {
                field.info().ones()
            } else {
                let parsed =
                    flow::text::value::parse_value(field, p.value, self.cx.names.ports(), &mut |_| ());
                let (value, mask) = parsed?;
                if mask != flow::text::value::full_mask(field.info()) {
                    return Err(format!("{}: invalid mask", p.key));
                }
                value
            };
            self.g.props.fields.push((field, mask));
        }
        self.g.props.fields.sort_by_key(|(f, _)| *f);
        Ok(())
    }

    fn finish_head(&mut self, has_buckets: bool) -> Result<(), String> {
        if !self.has_group && self.g.command == GroupModCommand::Delete {
            self.g.group = GroupId::ALL;
        } else if !self.has_group {
            return Err("must specify a group_id".to_string());
        }
        if self.takes_type() && !self.has_type {
            return Err("must specify a type".to_string());
        }
        if self.g.command == GroupModCommand::InsertBucket && !self.has_command_bucket {
            return Err("must specify a command bucket id".to_string());
        }
        let props = &self.g.props;
        if props.selection_method.is_empty() && self.param {
            return Err("selection_method_param is only allowed with \"selection_method\"".to_string());
        }
        if props.selection_method != "hash" && self.fields {
            return Err("fields may only be specified with \"selection_method=hash\"".to_string());
        }
        if has_buckets && !self.takes_buckets() {
            return Err("bucket is not needed".to_string());
        }
        Ok(())
    }

    fn buckets(&mut self, s: &str) -> Result<(), String> {
        let mut rest = s;
        let mut ids: Vec<Option<u32>> = Vec::new();
        while let Some(after) = rest.strip_prefix("bucket=") {
            let end = next_bucket(after);
            let text = &after[..end];
            rest = after[end..].trim_start_matches([',', ' ', '\t', '\n', '\r']);
            let (bucket, id) = self.bucket(text)?;
            if self.g.kind == GroupType::Indirect && !self.g.buckets.is_empty() {
                return Err("Indirect groups can have at most one bucket.".to_string());
            }
            if self.g.kind != GroupType::Select && self.takes_type() && bucket.weight != 0 {
                return Err("Only select groups can have bucket weights.".to_string());
            }
            self.g.buckets.push(bucket);
            ids.push(id);
        }
        // Buckets without an id get the lowest that is free.
        for i in 0..ids.len() {
            if ids[i].is_none() {
                let free = (0..).find(|n| !ids.contains(&Some(*n))).unwrap_or(0);
                ids[i] = Some(free);
                self.g.buckets[i].bucket_id = free;
            }
        }
        Ok(())
    }

    fn bucket(&mut self, s: &str) -> Result<(Bucket, Option<u32>), String> {
        let mut b = Bucket {
            bucket_id: 0,
            weight: self.g.kind.default_weight(),
            watch_port: OfPort::NONE,
            watch_group: GroupId::ANY,
            actions: Vec::new(),
        };
        let mut id = None;
        let mut actions = String::new();
        if s.is_empty() {
            return Err("bucket must specify actions".to_string());
        }
        for p in lex::pairs(s) {
            let value = p.value;
            match p.key.to_ascii_lowercase().as_str() {
                "weight" => b.weight = lex::u16_named(value, "weight")?,
                "watch_port" => {
                    b.watch_port = match self.cx.port(value) {
                        Some(port)
                            if !port.is_reserved() || port == OfPort::NONE || port == OfPort::LOCAL =>
                        {
                            port
                        }
                        _ => return Err(format!("{value}: invalid watch_port")),
                    };
                }
                "watch_group" => {
                    let n = lex::u32(value)?;
                    if n > GroupId::MAX.0 {
                        return Err(format!("invalid watch_group id {n}"));
                    }
                    b.watch_group = GroupId(n);
                }
                "bucket_id" => {
                    let n = lex::u32(value)?;
                    if n > Bucket::ID_MAX {
                        return Err(format!("invalid bucket_id id {n}"));
                    }
                    b.bucket_id = n;
                    id = Some(n);
                }
                "action" | "actions" => {
                    actions.push_str(value);
                    actions.push(',');
                }
                _ => {
                    let close = if p.delimiter == Some('(') && !value.contains(")->") { ")" } else { "" };
                    let open = p.delimiter.map_or(String::new(), String::from);
                    let _ = write!(actions, "{}{open}{value}{close},", p.key);
                }
            }
        }
        if self.g.kind == GroupType::FastFailover
            && self.takes_type()
            && b.watch_port == OfPort::NONE
            && b.watch_group == GroupId::ANY
        {
            return Err("fast failover bucket requires watch_port or watch_group".to_string());
        }
        b.actions = self.bucket_actions(&actions)?;
        Ok((b, id))
    }

    fn bucket_actions(&mut self, s: &str) -> Result<Vec<crate::Action>, String> {
        let mut list = parse_list(s, Outer::Bucket, self.cx)?;
        if list.iter().any(|a| matches!(a, crate::Action::Meter(_))) {
            self.cx.only(ProtocolSet::OF15_UP);
        }
        // What a bucket will meet cannot be known; the walk notes what printing needs.
        let mut check = CheckCx::new(ProtocolSet::ANY);
        let _ = check::check(&mut list, &Match::any(), &mut check);
        Ok(list)
    }
}

/// Where the next bucket begins.
fn next_bucket(s: &str) -> usize {
    let mut from = 0;
    while let Some(at) = s[from..].find("bucket=") {
        let at = from + at;
        if at > 0 && !s[..at].ends_with('_') {
            return at;
        }
        from = at + 1;
    }
    s.len()
}

fn format_props(p: &GroupProps, f: &mut Fmt<'_>) {
    if p.selection_method.is_empty() {
        return;
    }
    let _ = write!(f, ",selection_method={}", p.selection_method);
    if p.selection_method_param != 0 {
        let _ = write!(f, ",selection_method_param={}", p.selection_method_param);
    }
    let texts: Vec<String> = p.fields.iter().map(|(field, mask)| field_text(*field, *mask, f)).collect();
    match texts.as_slice() {
        [] => {}
        [one] => {
            let _ = write!(f, ",fields={one}");
        }
        many => {
            let _ = write!(f, ",fields({})", many.join(","));
        }
    }
}

fn field_text(field: Field, mask: Value, f: &Fmt<'_>) -> String {
    let ones = field.info().ones();
    if mask & ones == ones {
        return field.name().to_string();
    }
    format!("{}={}", field.name(), value_text(field, mask, Value::MAX, f.names.ports()))
}

/// What a group's text is made of.
pub struct GroupView<'a> {
    /// Its number.
    pub group: GroupId,
    /// Its kind.
    pub kind: GroupType,
    /// Selection.
    pub props: &'a GroupProps,
    /// Buckets.
    pub buckets: &'a [Bucket],
    /// Bucket of the command, when it is to be shown.
    pub command_bucket: Option<u32>,
}

/// Prints a group.
pub fn format_group(g: &GroupView<'_>, version: Version, f: &mut Fmt<'_>) {
    let ids = version >= Version::V15 || version == Version::V10;
    if let Some(id) = g.command_bucket.filter(|_| ids) {
        f.put("command_bucket_id:");
        match id {
            Bucket::ID_ALL => f.put("all"),
            Bucket::ID_FIRST => f.put("first"),
            Bucket::ID_LAST => f.put("last"),
            n => {
                let _ = write!(f, "{n}");
            }
        }
        f.put(",");
    }
    let _ = write!(f, "group_id={}", g.group.0);
    // A command on buckets leaves the kind as it is.
    if g.command_bucket.is_none() {
        let _ = write!(f, ",type={}", g.kind.text());
    }
    format_props(g.props, f);
    for b in g.buckets {
        f.put(",bucket=");
        if ids {
            let _ = write!(f, "bucket_id:{},", b.bucket_id);
        }
        if b.weight != g.kind.default_weight() {
            let _ = write!(f, "weight:{},", b.weight);
        }
        if b.watch_port != OfPort::NONE {
            f.put("watch_port:");
            f.port(b.watch_port);
            f.put(",");
        }
        if b.watch_group != GroupId::ANY {
            let _ = write!(f, "watch_group:{},", b.watch_group.0);
        }
        f.put("actions=");
        format_list(&b.actions, f);
    }
}

/// Prints a group-mod.
pub fn format_group_mod(g: &GroupMod, version: Version, f: &mut Fmt<'_>) {
    let _ = write!(f, "\n {} ", g.command.text());
    let bucket_command = matches!(g.command, GroupModCommand::InsertBucket | GroupModCommand::RemoveBucket);
    format_group(
        &GroupView {
            group: g.group,
            kind: g.kind,
            props: &g.props,
            buckets: &g.buckets,
            command_bucket: bucket_command.then_some(g.command_bucket_id),
        },
        version,
        f,
    );
}

/// Prints a group's counters, on a line of its own.
pub fn format_group_stats(s: &GroupStats, f: &mut Fmt<'_>) {
    let _ = write!(f, "\n group_id={},", s.group.0);
    if let Some((sec, nsec)) = s.duration {
        f.put("duration=");
        super::flow::duration(f, sec, nsec);
        f.put(",");
    }
    let _ =
        write!(f, "ref_count={},packet_count={},byte_count={}", s.ref_count, s.packet_count, s.byte_count);
    for (i, b) in s.buckets.iter().enumerate() {
        if b.packet_count != u64::MAX {
            let _ = write!(f, ",bucket{i}:packet_count={},byte_count={}", b.packet_count, b.byte_count);
        }
    }
}

/// Names of actions by bit, each with a space in front: wire types of OpenFlow 1.1 and later.
pub(crate) fn action_names(bits: u64, version: Version) -> String {
    const FIRST: [(u8, &str); 12] = [
        (0, "output"),
        (11, "enqueue"),
        (1, "set_vlan_vid"),
        (2, "set_vlan_pcp"),
        (3, "strip_vlan"),
        (4, "mod_dl_src"),
        (5, "mod_dl_dst"),
        (6, "mod_nw_src"),
        (7, "mod_nw_dst"),
        (8, "mod_nw_tos"),
        (9, "mod_tp_src"),
        (10, "mod_tp_dst"),
    ];
    const EARLY: [(u8, &str); 24] = [
        (0, "output"),
        (22, "group"),
        (1, "set_vlan_vid"),
        (2, "set_vlan_pcp"),
        (25, "set_field"),
        (18, "strip_vlan"),
        (17, "push_vlan"),
        (3, "mod_dl_src"),
        (4, "mod_dl_dst"),
        (5, "mod_nw_src"),
        (6, "mod_nw_dst"),
        (7, "mod_nw_tos"),
        (8, "mod_nw_ecn"),
        (23, "mod_nw_ttl"),
        (9, "mod_tp_src"),
        (10, "mod_tp_dst"),
        (24, "dec_ttl"),
        (13, "set_mpls_label"),
        (14, "set_mpls_tc"),
        (15, "set_mpls_ttl"),
        (16, "dec_mpls_ttl"),
        (19, "push_mpls"),
        (20, "pop_mpls"),
        (21, "set_queue"),
    ];
    // OpenFlow 1.0 has its own numbers.
    let names: &[(u8, &str)] = if version == Version::V10 { &FIRST } else { &EARLY };
    let mut out = String::new();
    for (bit, name) in names {
        if bits & known_actions(version) & 1 << bit != 0 {
            out.push(' ');
            out.push_str(name);
        }
    }
    out
}

/// The actions that have names: from OpenFlow 1.2 on, fields are set by one action.
pub(crate) fn known_actions(version: Version) -> u64 {
    match version {
        Version::V10 => 0x0000_0fff,
        Version::V11 => 0x01ff_e7ff,
        _ => 0x03ff_8001,
    }
}

/// Prints what groups can do.
pub fn format_group_features(g: &GroupFeatures, version: Version, f: &mut Fmt<'_>) {
    let _ =
        write!(f, "\n Group table:\n    Types:  {:#x}\n    Capabilities:  {:#x}\n", g.types, g.capabilities);
    for (i, name) in ["all", "select", "indirect", "fast failover"].into_iter().enumerate() {
        if g.types >> i & 1 == 0 {
            continue;
        }
        let _ = write!(
            f,
            "    {name} group:\n       max_groups={}\n       actions:",
            CHex(g.max_groups[i].into())
        );
        let names = action_names(g.actions[i].into(), version);
        f.put(if names.is_empty() { " <none>" } else { &names });
        f.put("\n");
    }
}
