//! Flows: the lines that `add-flow` reads, and what is printed of flow-mods, statistics and updates.

use super::{CHex, Fmt, TextCx, lex};
use crate::action::check::{self, CheckCx};
use crate::action::text::{Outer, format_list, parse_list};
use crate::msg::{
    FlowMod, FlowModCommand, FlowModFlags, FlowRemoved, FlowStats, FlowStatsRequest, FlowUpdate,
    FlowUpdateEvent, MonitorCommand, MonitorFlags, MonitorRequest,
};
use crate::version::{Protocol, ProtocolSet};
use base::{Cookie, GroupId, OfPort};
use flow::key::eth_type;
use flow::text::{MatchParser, Style};
use flow::text::{match_text, put_match};
use flow::{Field, Match, MiniMatch};
use std::fmt::Write;

/// Text of a match, with its priority unless that is the default.
pub fn match_string(m: &Match, priority: Option<u16>, f: &Fmt<'_>) -> String {
    match_text(m, priority, style(f))
}

/// Prints a match, with its priority unless that is the default.
pub fn format_match(m: &MiniMatch, priority: Option<u16>, f: &mut Fmt<'_>) {
    let style = style(f);
    put_match(&mut f.out, &m.expand(), priority, style);
}

fn style<'a>(f: &Fmt<'a>) -> Style<'a> {
    Style { ports: f.names.ports(), color: !f.colors.param.is_empty(), ..Style::default() }
}

impl FlowModCommand {
    /// From the word that may begin a flow in a file.
    pub fn from_keyword(s: &str) -> Option<FlowModCommand> {
        Some(match s {
            "add" => FlowModCommand::Add,
            "modify" => FlowModCommand::Modify,
            "modify_strict" => FlowModCommand::ModifyStrict,
            "delete" => FlowModCommand::Delete,
            "delete_strict" => FlowModCommand::DeleteStrict,
            _ => return None,
        })
    }

    fn text(self) -> &'static str {
        match self {
            FlowModCommand::Add => "ADD",
            FlowModCommand::Modify => "MOD",
            FlowModCommand::ModifyStrict => "MOD_STRICT",
            FlowModCommand::Delete => "DEL",
            FlowModCommand::DeleteStrict => "DEL_STRICT",
        }
    }
}

/// What the text of a flow may contain besides the match.
#[derive(Clone, Copy, Default)]
struct Allowed {
    out_port: bool,
    actions: bool,
    importance: bool,
    timeout: bool,
    priority: bool,
    flags: bool,
}

impl Allowed {
    fn of(command: FlowModCommand) -> Allowed {
        match command {
            FlowModCommand::Add | FlowModCommand::Modify => Allowed {
                actions: true,
                timeout: true,
                priority: true,
                flags: true,
                importance: true,
                out_port: false,
            },
            FlowModCommand::ModifyStrict => {
                Allowed { actions: true, timeout: true, priority: true, flags: true, ..Allowed::default() }
            }
            FlowModCommand::Delete => Allowed { out_port: true, ..Allowed::default() },
            FlowModCommand::DeleteStrict => Allowed { out_port: true, priority: true, ..Allowed::default() },
        }
    }
}

/// A flow as parsed; what it can be said in is in the context.
struct Parser<'a, 'b> {
    cx: &'a mut TextCx<'b>,
    fm: FlowMod,
    m: Match,
    allowed: Allowed,
    cookie_given: bool,
    priority_given: bool,
}

/// Splits off the actions; the error when there must be some.
fn split_actions(s: &str) -> (&str, Option<&str>) {
    let Some(at) = s.find("action") else { return (s, None) };
    let rest = &s[at..];
    let Some(eq) = rest.find('=') else { return (&s[..at], None) };
    (&s[..at], Some(&rest[eq + 1..]))
}

/// Parses a flow. `default` is the command when the text does not begin with one; without a default there must be
/// none (`None` allows a word in front and means add).
pub fn parse_flow_mod(
    s: &str,
    command: Option<FlowModCommand>,
    cx: &mut TextCx<'_>,
) -> Result<FlowMod, String> {
    let (command, s) = match command {
        Some(c) => (c, s),
        None => {
            let t = s.trim_start_matches([' ', '\t', '\r', '\n']);
            let end = t.find([' ', '\t', '\r', '\n']).unwrap_or(t.len());
            match FlowModCommand::from_keyword(&t[..end]) {
                Some(c) => (c, &t[end..]),
                None => (FlowModCommand::Add, s),
            }
        }
    };
    let allowed = Allowed::of(command);
    let mut p = Parser {
        cx,
        fm: FlowMod::new(command, MiniMatch::default()),
        m: Match::any(),
        allowed,
        cookie_given: false,
        priority_given: false,
    };
    p.fm.priority = FlowMod::DEFAULT_PRIORITY;
    p.fm.new_cookie = Cookie(u64::MAX);
    let (fields, actions) = if allowed.actions { split_actions(s) } else { (s, None) };
    if allowed.actions && actions.is_none() {
        return Err("must specify an action".to_string());
    }
    p.fields(fields)?;
    p.finish(actions)
}

impl Parser<'_, '_> {
    fn fields(&mut self, s: &str) -> Result<(), String> {
        for pair in lex::pairs(s) {
            self.pair(&pair)?;
        }
        Ok(())
    }

    fn word(&mut self, key: &str) -> Result<bool, String> {
        let flag = |f: &mut FlowMod, bit| f.flags.0 |= bit;
        let mut parser = MatchParser::new(self.cx.names.ports());
        if parser.keyword(&mut self.m, key) {
            return Ok(true);
        }
        if !self.allowed.flags {
            return Ok(false);
        }
        match key {
            "send_flow_rem" => flag(&mut self.fm, FlowModFlags::SEND_FLOW_REM),
            "check_overlap" => flag(&mut self.fm, FlowModFlags::CHECK_OVERLAP),
            "reset_counts" => {
                flag(&mut self.fm, FlowModFlags::RESET_COUNTS);
                self.cx.only(ProtocolSet::OF12_UP);
            }
            "no_packet_counts" => {
                flag(&mut self.fm, FlowModFlags::NO_PKT_COUNTS);
                self.cx.only(ProtocolSet::OF13_UP);
            }
            "no_byte_counts" => {
                flag(&mut self.fm, FlowModFlags::NO_BYT_COUNTS);
                self.cx.only(ProtocolSet::OF13_UP);
            }
            "no_readonly_table" | "allow_hidden_fields" => {}
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn pair(&mut self, p: &lex::Pair<'_>) -> Result<(), String> {
        let (key, value) = (p.key, p.value);
        if self.word(key)? {
            return Ok(());
        }
        if key == "no_readonly_table" || key == "allow_hidden_fields" {
            return Ok(());
        }
        // A field by itself says that it is there at all.
        let field = Field::from_name(key);
        if value.is_empty()
            && field.is_none_or(|f| f.as_tun_metadata().is_none() && p.delimiter.is_some())
            && field.is_none()
        {
            return Err(format!("field {key} missing value"));
        }
        match key {
            "table" => {
                self.fm.table = self.cx.table(value).ok_or_else(|| format!("unknown table \"{value}\""))?;
                if self.fm.table != 0xff {
                    self.cx.only(ProtocolSet::TID);
                }
            }
            "out_port" if self.allowed.out_port => {
                self.fm.out_port =
                    self.cx.port(value).ok_or_else(|| format!("{value} is not a valid OpenFlow port"))?;
            }
            "out_group" if self.allowed.out_port => {
                self.cx.only(ProtocolSet::OF11_UP);
                self.fm.out_group =
                    parse_group_id(value).ok_or_else(|| format!("invalid group id {value}"))?;
            }
            "priority" if self.allowed.priority => {
                self.fm.priority = lex::u16_named(value, key)?;
                self.priority_given = true;
            }
            "idle_timeout" if self.allowed.timeout => self.fm.idle_timeout = lex::u16_named(value, key)?,
            "hard_timeout" if self.allowed.timeout => self.fm.hard_timeout = lex::u16_named(value, key)?,
            "importance" if self.allowed.importance => self.fm.importance = lex::u16_named(value, key)?,
            "cookie" => self.cookie(value)?,
            "duration" | "n_packets" | "n_bytes" | "idle_age" | "hard_age" => {}
            _ => {
                let Some(field) = field else { return Err(format!("unknown keyword {key}")) };
                self.field(field, value)?;
            }
        }
        Ok(())
    }

    fn field(&mut self, field: Field, value: &str) -> Result<(), String> {
        if field == Field::VLAN_TCI && value.contains('/') {
            self.cx.only(ProtocolSet::NXM_OXM);
        }
        let mut parser = MatchParser::new(self.cx.names.ports());
        let result = parser.field(&mut self.m, field, value).map_err(|e| e.to_string());
        for w in parser.warnings {
            self.cx.warn("ofp_port", w);
        }
        if result.is_ok() {
            self.cx.only(usable_for_value(field, value, &self.m));
        }
        result
    }

    fn cookie(&mut self, value: &str) -> Result<(), String> {
        match value.split_once('/') {
            Some((cookie, mask)) => {
                if self.fm.command == FlowModCommand::Add {
                    return Err("flow additions cannot use a cookie mask".to_string());
                }
                let (cookie, mask) = (lex::u64(cookie)?, lex::u64(mask)?);
                self.fm.cookie = Cookie(cookie & mask);
                self.fm.cookie_mask = Cookie(mask);
                self.cx.only(ProtocolSet::NXM_OXM.union(ProtocolSet::OF11_UP));
            }
            None => {
                match self.fm.command {
                    FlowModCommand::Delete | FlowModCommand::DeleteStrict => {
                        return Err(format!(
                            "cannot set cookie (to match on a cookie, specify a mask, e.g. cookie={value}/-1)"
                        ));
                    }
                    // In OpenFlow 1.1 and later, modifying cannot change the cookie; it is the new flow's.
                    FlowModCommand::Modify | FlowModCommand::ModifyStrict => self.fm.modify_cookie = true,
                    FlowModCommand::Add => {}
                }
                self.fm.new_cookie = Cookie(lex::u64(value)?);
                self.cookie_given = true;
            }
        }
        Ok(())
    }

    fn finish(mut self, actions: Option<&str>) -> Result<FlowMod, String> {
        let fm = &mut self.fm;
        // A modify that finds nothing adds: its cookie is then zero. To delete, there is no new one.
        let deletes = matches!(fm.command, FlowModCommand::Delete | FlowModCommand::DeleteStrict);
        if (deletes || fm.cookie_mask.0 == 0) && fm.new_cookie.0 == u64::MAX {
            fm.new_cookie = Cookie(0);
        }
        remark_on(&self.m, self.cx.names, &mut self.cx.log);
        self.cx.only(usable_for_match(&self.m));
        if let Some(actions) = actions {
            let expressible = !self.cx.usable.is_empty();
            let mut list = parse_list(actions, Outer::Flow, self.cx)?;
            let mut check = CheckCx::new(self.cx.usable);
            check.table = fm.table;
            let result = if expressible {
                check::check(&mut list, &self.m, &mut check)
            } else {
                Err(crate::OfpErr::OFPBAC_MATCH_INCONSISTENT.into())
            };
            self.cx.usable = check.usable;
            if let Err(e) = result {
                self.cx.decode_log(&e);
                if expressible
                    && self.cx.usable.is_empty()
                    && e.log.is_empty()
                    && e.error == crate::OfpErr::OFPBAC_MATCH_INCONSISTENT
                {
                    // Nothing is left that could express the flow; who sends it says so.
                    let mut lenient = CheckCx::new(ProtocolSet::ANY);
                    if check::check(&mut list, &self.m, &mut lenient).is_ok() {
                        fm.actions = list;
                        fm.matching = MiniMatch::new(&self.m);
                        return Ok(self.fm);
                    }
                }
                return Err(format!("actions are invalid with specified match ({})", e.error));
            }
            fm.actions = list;
        }
        fm.matching = MiniMatch::new(&self.m);
        Ok(self.fm)
    }
}

/// Says in the log what of a match cannot matter: a switch that is told of it in OpenFlow 1.0 or 1.1 leaves it out.
pub(super) fn remark_on(
    m: &Match,
    names: &dyn crate::port_map::Names,
    log: &mut Vec<(&'static str, super::Severity, String)>,
) {
    let dead = m.meaningless();
    if !dead.is_empty() {
        let f = Fmt::new(names);
        let mut normal = m.clone();
        dead.into_iter().for_each(|field| normal.clear(field));
        for text in [
            "normalization changed ofp_match, details:".to_string(),
            format!(" pre: {}", match_string(m, None, &f)),
            format!("post: {}", match_string(&normal, None, &f)),
        ] {
            log.push(("ofp_match", super::Severity::Info, text));
        }
    }
}

fn parse_group_id(s: &str) -> Option<GroupId> {
    match s {
        "any" | "ANY" => Some(GroupId::ANY),
        "all" | "ALL" => Some(GroupId::ALL),
        _ => lex::c_int(s).and_then(|n| u32::try_from(n).ok()).map(GroupId),
    }
}

/// Which protocols can express what was just read of a field.
fn usable_for_value(field: Field, text: &str, m: &Match) -> ProtocolSet {
    use flow::field::Fixed;
    let info = field.info();
    let mask = m.get(field).1;
    if text.is_empty() || text == "*" || mask == 0 && field.as_tun_metadata().is_none() {
        return ProtocolSet::ANY;
    }
    // A VLAN id with a mask is one, whatever it is, unless it covers the whole tag.
    let given = || text.split_once('/').map(|(_, m)| flow::text::value::parse_int(m, 2).flatten());
    let partial = field == Field::VLAN_VID && given().is_some_and(|m| m != Some(0xffff));
    let whole = mask & info.valid == info.valid && !partial;
    let prefix = mask | ((mask & mask.wrapping_neg()).wrapping_sub(1)) == info.ones();
    let can = |fixed: Fixed| match fixed {
        Fixed::No => false,
        Fixed::Exact => whole,
        Fixed::Cidr => whole || prefix,
        Fixed::Any => true,
    };
    let mut set = ProtocolSet::EMPTY;
    if info.headers().is_empty() && !can(info.of10) && !can(info.of11) {
        return set;
    }
    set = ProtocolSet::NXM_OXM;
    if can(info.of10) {
        set = set.union(ProtocolSet::OF10_STD);
    }
    if can(info.of11) {
        set = set.union(ProtocolSet::only(Protocol::Of11));
    }
    set
}

/// Fields of which the fixed matches of OpenFlow 1.0 and 1.1 can say something; of some, depending on the value.
const FIXED: [Field; 16] = [
    Field::IN_PORT_OXM,
    Field::ETH_TYPE,
    Field::ETH_SRC,
    Field::ETH_DST,
    Field::METADATA,
    Field::IP_ECN,
    Field::MPLS_LABEL,
    Field::MPLS_TC,
    Field::IP_SRC,
    Field::IP_DST,
    Field::VLAN_TCI,
    Field::PACKET_TYPE,
    Field::NW_TOS,
    Field::IP_PROTO,
    Field::TCP_SRC,
    Field::TCP_DST,
];

/// Their bits in a key.
static FIXED_BITS: [u64; flow::WORDS] = {
    let (mut words, mut n) = ([0; flow::WORDS], 0);
    while n < FIXED.len() {
        let info = FIXED[n].info();
        let (mut word, end) = info.words();
        while word < end {
            words[word] |= info.bits_in(word);
            word += 1;
        }
        n += 1;
    }
    words
};

/// Which protocols can express a match.
pub fn usable_for_match(m: &Match) -> ProtocolSet {
    let beyond = m.mask.words().iter().zip(&FIXED_BITS).any(|(mask, fixed)| mask & !fixed != 0);
    let set = if beyond || m.tun.is_some() { ProtocolSet::NXM_OXM } else { ProtocolSet::ANY };
    FIXED.iter().fold(set, |set, f| set.intersection(usable_for(m, *f)))
}

/// Which protocols can express what a match says about one of the fields of fixed matches.
fn usable_for(m: &Match, f: Field) -> ProtocolSet {
    const NXM_OXM_11: ProtocolSet = ProtocolSet(ProtocolSet::NXM_OXM.0 | 1 << Protocol::Of11 as u16);
    if m.mask.0.words[f.info().words().0] == 0 {
        return ProtocolSet::ANY;
    }
    let (value, mask) = m.get(f);
    let whole = mask == f.info().ones();
    let ipv6 = m.key.eth_type() == eth_type::IPV6;
    let (fits, else_) = match f {
        _ if mask == 0 => (true, ProtocolSet::ANY),
        Field::ETH_SRC | Field::ETH_DST => (whole, NXM_OXM_11),
        Field::METADATA | Field::IP_ECN | Field::MPLS_LABEL | Field::MPLS_TC => (false, NXM_OXM_11),
        Field::IP_SRC | Field::IP_DST => {
            let mask = mask as u32;
            (mask.leading_ones() + mask.trailing_zeros() == 32, NXM_OXM_11)
        }
        Field::VLAN_TCI => {
            // What the older matches can say of the tag: none, its id, its priority, or both.
            let none = mask & 0x1000 != 0 && value & 0x1000 == 0 && (mask == 0xffff || mask == 0x1fff);
            let some = value & 0x1000 != 0 && matches!(mask, 0x1fff | 0xf000 | 0xffff);
            (none || some, ProtocolSet::NXM_OXM)
        }
        Field::PACKET_TYPE => (value == 0, ProtocolSet::NXM_OXM),
        Field::NW_TOS | Field::IP_PROTO => (!ipv6, ProtocolSet::NXM_OXM),
        Field::TCP_SRC | Field::TCP_DST => (whole && !ipv6, ProtocolSet::NXM_OXM),
        _ => (true, ProtocolSet::ANY),
    };
    if fits { ProtocolSet::ANY } else { else_ }
}

/// Parses a request for flows: a match with `table`, `out_port`, `out_group` and `cookie`.
pub fn parse_stats_request(s: &str, cx: &mut TextCx<'_>) -> Result<FlowStatsRequest, String> {
    let fm = parse_flow_mod(s, Some(FlowModCommand::Delete), cx)?;
    // Asking for a table needs no extension.
    Ok(FlowStatsRequest {
        matching: fm.matching,
        cookie: fm.cookie,
        cookie_mask: fm.cookie_mask,
        out_port: fm.out_port,
        out_group: fm.out_group,
        table: fm.table,
    })
}

/// Parses what `watch:` says.
pub fn parse_monitor(s: &str, cx: &mut TextCx<'_>) -> Result<MonitorRequest, String> {
    let all = MonitorFlags::INITIAL
        | MonitorFlags::ADD
        | MonitorFlags::DELETE
        | MonitorFlags::MODIFY
        | MonitorFlags::OWN
        | MonitorFlags::ACTIONS;
    let mut r = MonitorRequest {
        id: 0,
        command: MonitorCommand::Add,
        flags: MonitorFlags(all),
        out_port: OfPort::NONE,
        out_group: GroupId::ANY,
        table: 0xff,
        matching: MiniMatch::default(),
    };
    let mut p = Parser {
        cx,
        fm: FlowMod::new(FlowModCommand::Delete, MiniMatch::default()),
        m: Match::any(),
        allowed: Allowed::default(),
        cookie_given: false,
        priority_given: false,
    };
    for pair in lex::pairs(s) {
        match pair.key {
            "!initial" => r.flags.0 &= !MonitorFlags::INITIAL,
            "!add" => r.flags.0 &= !MonitorFlags::ADD,
            "!delete" => r.flags.0 &= !MonitorFlags::DELETE,
            "!modify" => r.flags.0 &= !MonitorFlags::MODIFY,
            "!actions" => r.flags.0 &= !MonitorFlags::ACTIONS,
            // Entries are not abbreviated unless asked for; saying so changes nothing.
            "!abbrev" => {}
            "!own" => r.flags.0 &= !MonitorFlags::OWN,
            "table" => {
                r.table =
                    p.cx.table(pair.value).ok_or_else(|| format!("unknown table \"{}\"", pair.value))?;
            }
            "out_port" => {
                r.out_port =
                    p.cx.port(pair.value)
                        .ok_or_else(|| format!("{} is not a valid OpenFlow port number", pair.value))?;
            }
            "out_group" => r.out_group = GroupId(lex::u32(pair.value)?),
            key => {
                let mut parser = MatchParser::new(p.cx.names.ports());
                if parser.keyword(&mut p.m, key) {
                    continue;
                }
                if pair.value.is_empty() {
                    return Err(format!("{s}: field {key} missing value"));
                }
                let field = Field::from_name(key).ok_or_else(|| format!("{s}: unknown keyword {key}"))?;
                p.field(field, pair.value)?;
            }
        }
    }
    r.matching = MiniMatch::new(&p.m);
    Ok(r)
}

/// Prints seconds and nanoseconds.
pub fn duration(out: &mut impl Write, sec: u32, nsec: u32) {
    let _ = if nsec == 0 {
        write!(out, "{sec}s")
    } else if nsec.is_multiple_of(1_000_000) {
        write!(out, "{sec}.{:03}s", nsec / 1_000_000)
    } else {
        let digits = format!("{nsec:09}");
        write!(out, "{sec}.{}s", digits.trim_end_matches('0'))
    };
}

/// Prints flags, each with a space behind.
pub fn format_flags(f: &mut Fmt<'_>, flags: FlowModFlags) {
    const NAMES: [(u16, &str); 8] = [
        (FlowModFlags::SEND_FLOW_REM, "send_flow_rem"),
        (FlowModFlags::CHECK_OVERLAP, "check_overlap"),
        (FlowModFlags::RESET_COUNTS, "reset_counts"),
        (FlowModFlags::NO_PKT_COUNTS, "no_packet_counts"),
        (FlowModFlags::NO_BYT_COUNTS, "no_byte_counts"),
        (FlowModFlags::EMERG, "emerg"),
        (FlowModFlags::HIDDEN_FIELDS, "allow_hidden_fields"),
        (FlowModFlags::NO_READONLY, "no_readonly_table"),
    ];
    for (bit, name) in NAMES {
        if flags.0 & bit != 0 {
            f.put(name);
            f.put(" ");
        }
    }
}

/// How flow statistics are printed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stats {
    /// With counters, times and zero values.
    Shown,
    /// Without.
    Hidden,
}

/// Prints `name=value, `, the name coloured.
fn item(f: &mut Fmt<'_>, name: &str, value: impl std::fmt::Display) {
    f.param(name);
    let _ = write!(f, "{value}, ");
}

/// Prints a flow's statistics, without the space in front and the newline behind.
pub fn format_stats(s: &FlowStats, stats: Stats, f: &mut Fmt<'_>) {
    let shown = stats == Stats::Shown;
    if shown || s.cookie.0 != 0 {
        item(f, "cookie=", format_args!("{:#x}", s.cookie.0));
    }
    if shown {
        f.param("duration=");
        duration(f, s.duration_sec, s.duration_nsec);
        f.put(", ");
    }
    if shown || s.table != 0 || f.names.table_name(s.table).is_some() {
        f.special("table=");
        f.table(s.table);
        f.put(", ");
    }
    if shown {
        for (name, n) in [("n_packets=", s.packet_count), ("n_bytes=", s.byte_count)] {
            f.param(name);
            super::message::counter(f, n);
            f.put(", ");
        }
    }
    if s.idle_timeout != 0 {
        item(f, "idle_timeout=", s.idle_timeout);
    }
    if s.hard_timeout != 0 {
        item(f, "hard_timeout=", s.hard_timeout);
    }
    format_flags(f, s.flags);
    if s.importance != 0 {
        item(f, "importance=", s.importance);
    }
    if shown {
        if let Some(age) = s.idle_age {
            item(f, "idle_age=", age);
        }
        if let Some(age) = s.hard_age.filter(|a| *a != s.duration_sec) {
            item(f, "hard_age=", age);
        }
    }
    let start = f.out.len();
    format_match(&s.matching, Some(s.priority), f);
    if f.out.len() > start {
        f.put(" ");
    }
    actions(f, &s.actions);
}

/// Prints `actions=...`.
pub fn actions(f: &mut Fmt<'_>, list: &[crate::Action]) {
    let colors = f.colors;
    f.out.push_str(&colors.actions);
    f.put("actions=");
    f.out.push_str(&colors.end);
    format_list(list, f);
}

/// Prints a flow-mod. With `raw`, that text stands in place of the match.
pub fn format_flow_mod(fm: &FlowMod, raw: Option<&str>, f: &mut Fmt<'_>) {
    let _ = write!(f, " {}", fm.command.text());
    if fm.table != 0 || f.names.table_name(0).is_some() {
        f.put(" table:");
        f.table(fm.table);
    }
    f.put(" ");
    match raw {
        Some(raw) => f.put(raw),
        None => format_match(&fm.matching, Some(fm.priority), f),
    }
    if !f.out.ends_with(' ') {
        f.put(" ");
    }
    if fm.new_cookie.0 != 0 && fm.new_cookie.0 != u64::MAX {
        let _ = write!(f, "cookie:{:#x} ", fm.new_cookie.0);
    }
    if fm.cookie_mask.0 != 0 {
        let _ = write!(f, "cookie:{:#x}/{:#x} ", fm.cookie.0, fm.cookie_mask.0);
    }
    if fm.idle_timeout != 0 {
        let _ = write!(f, "idle:{} ", fm.idle_timeout);
    }
    if fm.hard_timeout != 0 {
        let _ = write!(f, "hard:{} ", fm.hard_timeout);
    }
    if fm.importance != 0 && fm.command == FlowModCommand::Add {
        let _ = write!(f, "importance:{} ", fm.importance);
    }
    if raw.is_some() && fm.priority != FlowMod::DEFAULT_PRIORITY {
        let _ = write!(f, "pri:{} ", fm.priority);
    }
    if let Some(b) = fm.buffer_id {
        let _ = write!(f, "buf:{b:#x} ");
    }
    if fm.out_port != OfPort::NONE {
        f.put("out_port:");
        f.port(fm.out_port);
        f.put(" ");
    }
    format_flags(f, fm.flags);
    f.put("actions=");
    format_list(&fm.actions, f);
}

/// Prints a flow-removed.
pub fn format_flow_removed(r: &FlowRemoved, f: &mut Fmt<'_>) {
    f.put(" ");
    format_match(&r.matching, Some(r.priority), f);
    let _ = write!(f, " reason={}", r.reason.name());
    if r.table != 0xff {
        f.put(" table_id=");
        f.table(r.table);
    }
    if r.cookie.0 != 0 {
        let _ = write!(f, " cookie:{:#x}", r.cookie.0);
    }
    f.put(" duration");
    duration(f, r.duration_sec, r.duration_nsec);
    let _ = write!(f, " idle{}", r.idle_timeout);
    if r.hard_timeout != 0 {
        let _ = write!(f, " hard{}", r.hard_timeout);
    }
    let _ = writeln!(f, " pkts{} bytes{}", r.packet_count, r.byte_count);
}

/// Prints a request for flows.
pub fn format_stats_request(r: &FlowStatsRequest, f: &mut Fmt<'_>) {
    f.put(" ");
    if r.table != 0xff {
        f.put("table=");
        f.table(r.table);
        f.put(" ");
    }
    if r.out_port != OfPort::NONE {
        f.put("out_port=");
        f.port(r.out_port);
        f.put(" ");
    }
    format_match(&r.matching, None, f);
    if f.out.ends_with(' ') {
        f.out.pop();
    }
}

/// Prints a monitor request.
pub fn format_monitor(r: &MonitorRequest, f: &mut Fmt<'_>) {
    let _ = write!(f, "\n id={}", r.id);
    if r.command == crate::msg::MonitorCommand::Delete {
        f.put(" command=delete");
        return;
    }
    f.put(" flags=");
    const NAMES: [(u16, &str); 7] = [
        (MonitorFlags::INITIAL, "initial"),
        (MonitorFlags::ADD, "add"),
        (MonitorFlags::DELETE, "delete"),
        (MonitorFlags::MODIFY, "modify"),
        (MonitorFlags::ACTIONS, "actions"),
        (MonitorFlags::OWN, "own"),
        (MonitorFlags::ONLY_OWN, "own"),
    ];
    let names: Vec<&str> = NAMES.iter().filter(|(b, _)| r.flags.0 & b != 0).map(|(_, n)| *n).collect();
    f.put(&if names.is_empty() { "0".to_string() } else { names.join(",") });
    if r.out_port != OfPort::NONE {
        f.put(" out_port=");
        f.port(r.out_port);
    }
    if r.out_group != GroupId::ANY {
        let _ = write!(f, " out_group={}", r.out_group.0);
    }
    if r.table != 0xff {
        f.put(" table=");
        f.table(r.table);
    }
    f.put(" ");
    format_match(&r.matching, None, f);
    if f.out.ends_with(' ') {
        f.out.pop();
    }
}

/// Prints a flow update, on a line of its own.
pub fn format_update(u: &FlowUpdate, f: &mut Fmt<'_>) {
    f.put("\n event=");
    match u.event {
        FlowUpdateEvent::Initial => f.put("INITIAL"),
        FlowUpdateEvent::Added => f.put("ADDED"),
        FlowUpdateEvent::Deleted(reason) => {
            f.put("DELETED reason=");
            match u8::try_from(reason) {
                Ok(n) => f.put(&crate::msg::FlowRemovedReason::from_wire(n).name()),
                Err(_) => f.put(&reason.to_string()),
            }
        }
        FlowUpdateEvent::Modified => f.put("MODIFIED"),
        FlowUpdateEvent::Abbrev(xid) => {
            let _ = write!(f, "ABBREV xid={:#x}", xid.0);
            return;
        }
        FlowUpdateEvent::Paused => return f.put("PAUSED"),
        FlowUpdateEvent::Resumed => return f.put("RESUMED"),
    }
    f.put(" table=");
    f.table(u.table);
    if u.idle_timeout != 0 {
        let _ = write!(f, " idle_timeout={}", u.idle_timeout);
    }
    if u.hard_timeout != 0 {
        let _ = write!(f, " hard_timeout={}", u.hard_timeout);
    }
    let _ = write!(f, " cookie={}", CHex(u.cookie.0));
    f.put(" ");
    let start = f.out.len();
    format_match(&u.matching, None, f);
    if f.out.len() == start {
        f.out.pop();
    }
    if !u.actions.is_empty() {
        f.put(" actions=");
        format_list(&u.actions, f);
    }
}
