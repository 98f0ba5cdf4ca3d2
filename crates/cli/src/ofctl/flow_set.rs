//! `replace-flows` and `diff-flows`: two sets of flows, side by side.

use super::context::{Context, print};
use super::flows::{collect, open_for_dump, read};
use crate::fatal::Fatal;
use base::{Cookie, GroupId, OfPort};
use flow::{Field, Match, MiniMatch};
use openflow::Action;
use openflow::action::text::format_list;
use openflow::msg::{FlowMod, FlowModCommand, FlowModFlags, FlowStatsRequest, Message, StatsRequest};
use openflow::text::flow::format_match;
use openflow::text::{Fmt, TextCx};
use openflow::version::ProtocolSet;
use std::collections::HashMap;
use std::fmt::Write;
use std::process::ExitCode;

/// One version of a flow.
#[derive(Clone, Debug)]
struct Version {
    cookie: Cookie,
    idle_timeout: u16,
    hard_timeout: u16,
    importance: u16,
    flags: u16,
    actions: Vec<Action>,
}

impl PartialEq for Version {
    fn eq(&self, o: &Version) -> bool {
        // Some actions have more than one encoding of the same meaning: their text decides.
        let text = |v: &Version| {
            let mut f = Fmt::new(&openflow::NoNames);
            format_list(&v.actions, &mut f);
            f.out
        };
        (self.cookie, self.idle_timeout, self.hard_timeout, self.importance, self.flags)
            == (o.cookie, o.idle_timeout, o.hard_timeout, o.importance, o.flags)
            && (self.actions == o.actions || text(self) == text(o))
    }
}

/// A flow: what identifies it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Id {
    table: u8,
    priority: u16,
    matching: (u128, Vec<u64>, Vec<u64>),
}

struct Entry {
    table: u8,
    priority: u16,
    matching: MiniMatch,
    versions: [Option<Version>; 2],
}

/// The flows of two sources; in the order in which they were met.
#[derive(Default)]
struct FlowSet {
    index: HashMap<Id, usize>,
    entries: Vec<Entry>,
}

/// Flags that a flow keeps.
const KEPT: u16 = FlowModFlags::SEND_FLOW_REM | FlowModFlags::NO_PKT_COUNTS | FlowModFlags::NO_BYT_COUNTS;

impl FlowSet {
    fn add(&mut self, source: usize, table: u8, priority: u16, matching: MiniMatch, version: Version) {
        let matching = without_implied(&matching);
        let id = Id {
            table,
            priority,
            matching: (matching.map(), matching.key_words().to_vec(), matching.mask_words().to_vec()),
        };
        let entries = &mut self.entries;
        let at = *self.index.entry(id).or_insert_with(|| {
            entries.push(Entry { table, priority, matching, versions: [None, None] });
            entries.len() - 1
        });
        entries[at].versions[source] = Some(version);
    }

    fn add_file(&mut self, c: &Context, cx: &mut TextCx<'_>, source: usize, file: &str) -> Result<(), Fatal> {
        read(c, cx, file, "open", Some(FlowModCommand::Add), |fm| {
            let version = Version {
                cookie: if fm.new_cookie.0 == u64::MAX { Cookie(0) } else { fm.new_cookie },
                idle_timeout: fm.idle_timeout,
                hard_timeout: fm.hard_timeout,
                importance: fm.importance,
                flags: fm.flags.0 & KEPT,
                actions: fm.actions,
            };
            // Without a table, the switch puts a flow into the first.
            let table = if fm.table == 0xff { 0 } else { fm.table };
            self.add(source, table, fm.priority, fm.matching, version);
        })
    }

    fn add_switch(
        &mut self,
        c: &Context,
        conn: &mut super::context::Connection,
        source: usize,
    ) -> Result<(), Fatal> {
        let all = FlowStatsRequest {
            matching: MiniMatch::new(&Match::any()),
            cookie: Cookie(0),
            cookie_mask: Cookie(0),
            out_port: OfPort::NONE,
            out_group: GroupId::ANY,
            table: 0xff,
        };
        for s in collect(c, conn, StatsRequest::Flow(Box::new(all)))? {
            let version = Version {
                cookie: s.cookie,
                idle_timeout: s.idle_timeout,
                hard_timeout: s.hard_timeout,
                importance: s.importance,
                flags: s.flags.0 & KEPT,
                actions: s.actions.to_vec(),
            };
            self.add(source, s.table, s.priority, s.matching, version);
        }
        Ok(())
    }
}

impl FlowSet {
    /// The flows in the order in which a classifier has them: table by table, and what looks at the same fields
    /// together, those with the highest priority in front.
    fn in_order(&self) -> Vec<&Entry> {
        let mut ranks: HashMap<(u8, u128, &[u64]), usize> = HashMap::new();
        let mut groups: Vec<(u8, u16, Vec<&Entry>)> = Vec::new();
        for e in &self.entries {
            let mask = e.matching.mask_words();
            let at = *ranks.entry((e.table, e.matching.map(), mask)).or_insert_with(|| {
                groups.push((e.table, 0, Vec::new()));
                groups.len() - 1
            });
            groups[at].1 = groups[at].1.max(e.priority);
            groups[at].2.push(e);
        }
        groups.sort_by_key(|(table, priority, _)| (*table, std::cmp::Reverse(*priority)));
        groups.into_iter().flat_map(|(_, _, all)| all).collect()
    }
}

/// The match without "is an Ethernet frame" where another field says as much: switches do not give that back.
fn without_implied(matching: &MiniMatch) -> MiniMatch {
    let mut m = matching.expand();
    if m.get(Field::PACKET_TYPE).0 != 0 {
        return matching.clone();
    }
    m.clear(Field::PACKET_TYPE);
    let bare = MiniMatch::new(&m);
    if bare.map() == 0 { matching.clone() } else { bare }
}

/// Whether `name` is a file of flows rather than a switch.
fn is_file(name: &str) -> bool {
    name == "-"
        || name.starts_with(['/', '.'])
        || std::fs::metadata(name).is_ok_and(|m| {
            use std::os::unix::fs::FileTypeExt;
            !m.file_type().is_socket()
        })
}

pub fn replace_flows(c: &mut Context, args: &[String]) -> Result<ExitCode, Fatal> {
    let names = c.accept_names(&args[0])?;
    let mut cx = TextCx::new(&names);
    let mut set = FlowSet::default();
    set.add_file(c, &mut cx, 0, &args[1])?;
    let mut conn = open_for_dump(c, &args[0], cx.usable)?;
    set.add_switch(c, &mut conn, 1)?;
    let mut mods = Vec::new();
    let make = |e: &Entry, v: &Version, command| {
        let mut fm = FlowMod::new(command, e.matching.clone());
        fm.table = e.table;
        fm.priority = e.priority;
        fm.new_cookie = v.cookie;
        fm.idle_timeout = v.idle_timeout;
        fm.hard_timeout = v.hard_timeout;
        fm
    };
    for table in set.in_order().chunk_by(|a, b| a.table == b.table) {
        for e in table {
            if let [None, Some(v)] = &e.versions {
                mods.push(make(e, v, FlowModCommand::DeleteStrict));
            }
        }
        for e in table {
            if let [Some(v), other] = &e.versions
                && (c.settings.readd || other.as_ref() != Some(v))
            {
                let mut fm = make(e, v, FlowModCommand::Add);
                fm.importance = v.importance;
                fm.flags = FlowModFlags(v.flags);
                fm.actions = v.actions.clone();
                mods.push(fm);
            }
        }
    }
    if !conn.codec.protocol.has_table_id() {
        // What is deleted is found in any table.
        mods.iter_mut().for_each(|m| m.table = 0xff);
    }
    let messages = mods.into_iter().map(|fm| Message::FlowMod(Box::new(fm)));
    if c.settings.bundle {
        super::bundle::transact(c, &mut conn, messages.collect())?;
        return Ok(ExitCode::SUCCESS);
    }
    let requests: Vec<_> = messages.map(|m| c.encode(&conn, &m)).collect();
    c.perform_all(&mut conn, requests)?;
    Ok(ExitCode::SUCCESS)
}

pub fn diff_flows(c: &mut Context, args: &[String]) -> Result<ExitCode, Fatal> {
    let switch = args.iter().find(|a| !is_file(a)).map_or("", String::as_str);
    let names = c.names(switch);
    let mut cx = TextCx::new(&names);
    let mut set = FlowSet::default();
    for (source, name) in args.iter().enumerate().take(2) {
        if is_file(name) {
            set.add_file(c, &mut cx, source, name)?;
        } else {
            let mut conn = open_for_dump(c, name, ProtocolSet::ANY)?;
            set.add_switch(c, &mut conn, source)?;
        }
    }
    let mut f = c.fmt(&names);
    let mut differ = false;
    for e in set.in_order() {
        if e.versions[0] == e.versions[1] {
            continue;
        }
        differ = true;
        for (sign, version) in ["-", "+"].iter().zip(&e.versions) {
            if let Some(v) = version {
                f.put(sign);
                format(e, v, &mut f);
                f.put("\n");
            }
        }
    }
    print(&f.out);
    Ok(ExitCode::from(if differ { 2 } else { 0 }))
}

/// A flow as a file might have it.
fn format(e: &Entry, v: &Version, f: &mut Fmt<'_>) {
    if e.table != 0 {
        f.put("table=");
        f.table(e.table);
        f.put(" ");
    }
    format_match(&e.matching, Some(e.priority), f);
    if v.cookie.0 != 0 {
        let _ = write!(f, " cookie={:#x}", v.cookie.0);
    }
    if v.idle_timeout != 0 {
        let _ = write!(f, " idle_timeout={}", v.idle_timeout);
    }
    if v.hard_timeout != 0 {
        let _ = write!(f, " hard_timeout={}", v.hard_timeout);
    }
    if v.importance != 0 {
        let _ = write!(f, " importance={}", v.importance);
    }
    f.put(" actions=");
    format_list(&v.actions, f);
}
