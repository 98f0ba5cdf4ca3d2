//! The text of messages that have no file of their own: features, configuration, roles, requests for statistics and
//! the smaller extensions.

use super::{CHex, Fmt};
use crate::msg::*;
use crate::version::Version;
use base::{GroupId, OfPort};
use std::fmt::Write;

impl PacketInFormat {
    /// As in `--packet-in-format`.
    pub fn name(self) -> &'static str {
        match self {
            PacketInFormat::Standard => "standard",
            PacketInFormat::NxtPacketIn => "nxt_packet_in",
            PacketInFormat::NxtPacketIn2 => "nxt_packet_in2",
        }
    }
}

pub(super) fn features(x: &Features, version: Version, f: &mut Fmt<'_>) {
    let _ = write!(f, " dpid:{:016x}\nn_tables:{}, n_buffers:{}", x.datapath_id.0, x.n_tables, x.n_buffers);
    if x.auxiliary_id != 0 {
        let _ = write!(f, ", auxiliary_id:{}", x.auxiliary_id);
    }
    f.put("\ncapabilities:");
    const CAPS: [(u32, &str); 11] = [
        (Features::CAP_FLOW_STATS, "FLOW_STATS"),
        (Features::CAP_TABLE_STATS, "TABLE_STATS"),
        (Features::CAP_PORT_STATS, "PORT_STATS"),
        (Features::CAP_STP, "STP"),
        (Features::CAP_GROUP_STATS, "GROUP_STATS"),
        (Features::CAP_IP_REASM, "IP_REASM"),
        (Features::CAP_QUEUE_STATS, "QUEUE_STATS"),
        (Features::CAP_ARP_MATCH_IP, "ARP_MATCH_IP"),
        (Features::CAP_PORT_BLOCKED, "PORT_BLOCKED"),
        (Features::CAP_BUNDLES, "BUNDLES"),
        (Features::CAP_FLOW_MONITORING, "FLOW_MONITORING"),
    ];
    let mut any = false;
    for (bit, name) in CAPS {
        if x.capabilities & bit != 0 {
            let _ = write!(f, " {name}");
            any = true;
        }
    }
    f.put(if any { "\n" } else { " 0\n" });
    if version == Version::V10 {
        f.put("actions:");
        f.put(&super::group::action_names(x.actions.into(), version));
        f.put("\n");
    }
    ports(&x.ports, f);
}

pub(super) fn ports(all: &[PhyPort], f: &mut Fmt<'_>) {
    let mut sorted: Vec<&PhyPort> = all.iter().collect();
    sorted.sort_by_key(|p| p.port.0);
    for p in sorted {
        super::port::format_port(p, f);
    }
}

impl FragHandling {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            FragHandling::Normal => "normal",
            FragHandling::Drop => "drop",
            FragHandling::Reassemble => "reassemble",
            FragHandling::NxMatch => "nx-match",
        }
    }

    /// By its name.
    pub fn from_name(s: &str) -> Option<FragHandling> {
        [FragHandling::Normal, FragHandling::Drop, FragHandling::Reassemble, FragHandling::NxMatch]
            .into_iter()
            .find(|f| f.name().eq_ignore_ascii_case(s))
    }
}

pub(super) fn switch_config(c: &SwitchConfig, f: &mut Fmt<'_>) {
    let _ = write!(f, " frags={}", c.frag.name());
    if c.invalid_ttl_to_controller == Some(true) {
        f.put(" invalid_ttl_to_controller");
    }
    let _ = writeln!(f, " miss_send_len={}", c.miss_send_len);
}

fn role_name(r: Role) -> &'static str {
    match r {
        Role::NoChange => "nochange",
        Role::Equal => "equal",
        Role::Primary => "primary",
        Role::Secondary => "secondary",
    }
}

pub(super) fn role_message(r: &RoleRequest, f: &mut Fmt<'_>) {
    let _ = write!(f, " role={}", role_name(r.role));
    if let Some(g) = r.generation_id.filter(|g| *g != u64::MAX) {
        let _ = write!(f, " generation_id={g}");
    }
}

pub(super) fn role_status(s: &RoleStatus, f: &mut Fmt<'_>) {
    let _ = write!(f, " role={}", role_name(s.role));
    if s.generation_id != u64::MAX {
        let _ = write!(f, " generation_id={}", s.generation_id);
    }
    f.put(" reason=");
    f.put(match s.reason {
        RoleReason::PrimaryRequest => "primary_request",
        RoleReason::Config => "configuration_changed",
        RoleReason::Experimenter => "experimenter_data_changed",
        RoleReason::Unknown(_) => "(unknown)",
    });
}

pub(super) fn async_config(a: &AsyncConfig, _version: Version, f: &mut Fmt<'_>) {
    const KINDS: [(&str, &[&str]); 6] = [
        ("PACKET_IN", &["no_match", "action", "invalid_ttl", "action_set", "group", "packet_out"]),
        ("PORT_STATUS", &["add", "delete", "modify"]),
        ("FLOW_REMOVED", &["idle", "hard", "delete", "group_delete", "meter_delete", "eviction"]),
        ("ROLE_STATUS", &["primary_request", "configuration_changed", "experimenter_data_changed"]),
        ("TABLE_STATUS", &["", "", "", "vacancy_down", "vacancy_up"]),
        ("REQUESTFORWARD", &["group_mod_request", "meter_mod_request"]),
    ];
    for (i, (who, masks)) in [("primary", &a.primary), ("secondary", &a.secondary)].into_iter().enumerate() {
        let _ = write!(f, "\n {who}:\n");
        for ((kind, reasons), mask) in KINDS.iter().zip(masks) {
            let _ = write!(f, "{kind:>16}:");
            if *mask == 0 {
                f.put(" (off)\n");
                continue;
            }
            for bit in 0..32 {
                if mask >> bit & 1 == 0 {
                    continue;
                }
                match reasons.get(bit).filter(|n| !n.is_empty()) {
                    Some(n) => {
                        let _ = write!(f, " {n}");
                    }
                    None => {
                        let _ = write!(f, " {bit}");
                    }
                }
            }
            f.put("\n");
        }
        let _ = i;
    }
}

pub(super) fn bundle_flags(flags: u16) -> String {
    let mut words = Vec::new();
    if flags & BundleControl::ATOMIC != 0 {
        words.push("atomic".to_string());
    }
    if flags & BundleControl::ORDERED != 0 {
        words.push("ordered".to_string());
    }
    let rest = flags & !3;
    if rest != 0 {
        words.push(format!("{rest:#x}"));
    }
    if words.is_empty() { "0".to_string() } else { words.join(" ") }
}

pub(super) fn bundle_control(c: &BundleControl, f: &mut Fmt<'_>) {
    use BundleControlKind::*;
    let kind = match c.kind {
        OpenRequest => "OPEN_REQUEST",
        OpenReply => "OPEN_REPLY",
        CloseRequest => "CLOSE_REQUEST",
        CloseReply => "CLOSE_REPLY",
        CommitRequest => "COMMIT_REQUEST",
        CommitReply => "COMMIT_REPLY",
        DiscardRequest => "DISCARD_REQUEST",
        DiscardReply => "DISCARD_REPLY",
    };
    let _ =
        write!(f, "\n bundle_id={} type={kind} flags={}", CHex(c.bundle_id.into()), bundle_flags(c.flags));
}

fn queue_number(n: u32) -> String {
    if n == u32::MAX { "ALL".to_string() } else { n.to_string() }
}

fn group_number(g: GroupId) -> String {
    match g {
        GroupId::ALL => "ALL".to_string(),
        GroupId::ANY => "ANY".to_string(),
        GroupId(n) => n.to_string(),
    }
}

pub(super) fn stats_request(r: &StatsRequest, version: Version, f: &mut Fmt<'_>) {
    match r {
        StatsRequest::Flow(q) | StatsRequest::Aggregate(q) => super::flow::format_stats_request(q, f),
        StatsRequest::Port(p) => {
            f.put(" port_no=");
            f.port(*p);
        }
        StatsRequest::PortDesc(p) => {
            f.put(" port=");
            f.port(*p);
        }
        StatsRequest::Queue(q) => {
            f.put(" port=");
            f.port(q.port);
            let _ = write!(f, " queue={}", queue_number(q.queue));
        }
        StatsRequest::QueueDesc(q) => {
            f.put(" port=");
            f.port(q.port);
            if q.queue != u32::MAX {
                let _ = write!(f, " queue={}", q.queue);
            }
        }
        StatsRequest::Group(g) => {
            let _ = write!(f, " group_id={}", group_number(*g));
        }
        StatsRequest::GroupDesc(g) => {
            let _ = write!(f, " group_id={}", group_number(*g));
        }
        StatsRequest::Meter(m) | StatsRequest::MeterConfig(m) => {
            f.put(" ");
            super::meter::format_id(f, *m, '=');
        }
        StatsRequest::TableFeatures(all) => super::table::format_features_list(all, version, f),
        StatsRequest::FlowMonitor(all) => all.iter().for_each(|m| super::flow::format_monitor(m, f)),
        StatsRequest::Desc
        | StatsRequest::Table
        | StatsRequest::GroupFeatures
        | StatsRequest::MeterFeatures
        | StatsRequest::TableDesc
        | StatsRequest::IpfixBridge
        | StatsRequest::IpfixFlow => {}
    }
}

pub(super) fn ipfix(s: &IpfixStats, flow: bool, f: &mut Fmt<'_>) {
    if flow {
        let _ = write!(f, "{:>3}: ", s.collector_set_id);
    }
    let lines: [&[(&str, u64)]; 2] = [
        &[
            ("flows", s.total_flows),
            ("current flows", s.current_flows),
            ("sampled pkts", s.pkts),
            ("ipv4 ok", s.ipv4_pkts),
            ("ipv6 ok", s.ipv6_pkts),
            ("tx pkts", s.tx_pkts),
        ],
        &[
            ("pkts errs", s.error_pkts),
            ("ipv4 errs", s.ipv4_error_pkts),
            ("ipv6 errs", s.ipv6_error_pkts),
            ("tx errs", s.tx_errors),
        ],
    ];
    for (i, line) in lines.into_iter().enumerate() {
        f.put(match (i, flow) {
            (0, _) => "",
            (_, false) => "                ",
            (_, true) => "          ",
        });
        for (j, (name, n)) in line.iter().enumerate() {
            let _ = write!(f, "{}{name}=", if j == 0 { "" } else { ", " });
            counter(f, *n);
        }
        f.put("\n");
    }
}

/// Prints a counter, which may be unknown.
pub(super) fn counter(f: &mut Fmt<'_>, n: u64) {
    if n == u64::MAX {
        f.put("?");
    } else {
        f.dec(n);
    }
}

pub(super) fn queue_config(queues: &[QueueConfig], f: &mut Fmt<'_>) {
    let mut port = OfPort(0);
    let mut queues: Vec<&QueueConfig> = queues.iter().collect();
    queues.sort_by_key(|q| (q.port.to_u16(), q.queue));
    if !queues.is_empty() {
        f.put(" ");
    }
    for q in queues {
        if port != q.port {
            port = q.port;
            f.put("port=");
            f.port(port);
            f.put("\n");
        }
        let _ = write!(f, "queue {}:", q.queue);
        for (name, rate) in [("min_rate", q.min_rate), ("max_rate", q.max_rate)] {
            match rate {
                None => {}
                Some(r) if r <= 1000 => {
                    let _ = write!(f, " {name}:{}.{}%", r / 10, r % 10);
                }
                Some(_) => {
                    let _ = write!(f, " {name}:(disabled)");
                }
            }
        }
        f.put("\n");
    }
}

fn tlv_table(all: &[TlvMapping], f: &mut Fmt<'_>) {
    f.put(" mapping table:\n");
    f.put("  class  type  length  match field\n ------  ----  ------  --------------");
    for m in all {
        let _ = write!(
            f,
            "\n {:>6}  {:>4}  {:>6}  tun_metadata{}",
            CHex(m.option_class.into()),
            CHex(m.option_type.into()),
            m.option_len,
            m.index
        );
    }
}

pub(super) fn tlv_mod(t: &TlvTableMod, f: &mut Fmt<'_>) {
    f.put("\n ");
    match t.command {
        TlvTableModCommand::Add => f.put("ADD"),
        TlvTableModCommand::Delete => f.put("DEL"),
        TlvTableModCommand::Clear => f.put("CLEAR"),
    }
    if t.command != TlvTableModCommand::Clear {
        tlv_table(&t.mappings, f);
    }
}

pub(super) fn tlv_reply(t: &TlvTableReply, f: &mut Fmt<'_>) {
    let used: u32 = t.mappings.iter().map(|m| u32::from(m.option_len)).sum();
    let _ = write!(
        f,
        "\n max option space={} max fields={}\n allocated option space={used}\n\n",
        t.max_space, t.max_fields
    );
    tlv_table(&t.mappings, f);
}

pub(super) fn ct_flush(c: &CtFlush, f: &mut Fmt<'_>) {
    let _ = write!(f, " zone={}", c.zone.unwrap_or(0));
    // What is not limited is not shown.
    if let Some((mark, mask)) = c.mark.filter(|(_, mask)| *mask != 0) {
        let _ = write!(f, " mark={}", CHex(mark.into()));
        if mask != u32::MAX {
            let _ = write!(f, "/{mask:#x}");
        }
    }
    if let Some((labels, mask)) = c.labels.filter(|(_, mask)| *mask != 0) {
        let _ = if labels == 0 { write!(f, " labels=0") } else { write!(f, " labels={labels:#x}") };
        if mask != u128::MAX {
            let _ = write!(f, "/{mask:#x}");
        }
    }
    let all = [c.orig.src, c.orig.dst, c.reply.src, c.reply.dst];
    let v4 = all.into_iter().flatten().any(|a| a >> 32 == 0xffff);
    let mut original = tuple_text(&c.orig, c.ip_proto, v4);
    let _ = write!(original, ",ct_nw_proto={}", c.ip_proto);
    let _ = write!(f, " '{original}' '{}'", tuple_text(&c.reply, c.ip_proto, v4));
}

fn tuple_text(t: &CtTuple, proto: u8, v4: bool) -> String {
    let address = |a: Option<u128>| {
        let a = std::net::Ipv6Addr::from(a.unwrap_or(0));
        a.to_ipv4_mapped().map_or_else(|| a.to_string(), |a| a.to_string())
    };
    // The identifier shares its place with the source port, type and code theirs with the destination's.
    let src = t.icmp_id.or(t.src_port).unwrap_or(0);
    let [high, low] = t.dst_port.unwrap_or(0).to_be_bytes();
    let (kind, code) = (t.icmp_type.unwrap_or(low), t.icmp_code.unwrap_or(high));
    let family = if v4 { "nw" } else { "ipv6" };
    let addresses = format!("ct_{family}_src={},ct_{family}_dst={}", address(t.src), address(t.dst));
    if matches!(proto, 1 | 58) {
        format!("{addresses},icmp_id={src},icmp_type={kind},icmp_code={code}")
    } else {
        let dst = u16::from_be_bytes([code, kind]);
        format!("{addresses},ct_tp_src={src},ct_tp_dst={dst}")
    }
}
