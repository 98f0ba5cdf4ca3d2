//! Printing of messages: any bytes whatever, at any verbosity.

use super::colors::{self, Colors};
use super::{CHex, Fmt, Severity};
use crate::buf::{DecodeError, Note, Reader, hex_dump};
use crate::codec::{Codec, decode_framed};
use crate::kind::{self, Framed, Kind};
use crate::msg::*;
use crate::ofperr::OfpErr;
use crate::port_map::{Names, NoNames};
use crate::version::Version;
use base::{GroupId, OfPort};
use std::fmt::Write;

/// How a message is printed.
pub struct Printer<'a> {
    /// Names of ports and tables.
    pub names: &'a dyn Names,
    /// Colours.
    pub colors: &'a Colors,
    /// 0 a line, 1 with packets, 2 with echoed bytes, 3 with packets' bytes and matches as on the wire, 5 and more
    /// with the whole message's bytes.
    pub verbosity: u8,
    /// What decoders want logged goes here.
    pub log: Vec<Note>,
}

impl Printer<'_> {
    /// Without names and colours.
    pub fn plain(verbosity: u8) -> Printer<'static> {
        Printer { names: &NoNames, colors: &colors::NONE, verbosity, log: Vec::new() }
    }
}

/// A message as text, which ends in a newline. Also gives what decoding wants logged.
pub fn to_string(bytes: &[u8], names: &dyn Names, verbosity: u8) -> (String, Vec<Note>) {
    let mut p = Printer { names, colors: &colors::NONE, verbosity, log: Vec::new() };
    let text = p.print(bytes);
    (text, p.log)
}

/// The name of a message that every version has, those to come too.
fn of_any_version(bytes: &[u8]) -> Option<&'static str> {
    const NAMES: [&str; 4] = ["OFPT_HELLO", "OFPT_ERROR", "OFPT_ECHO_REQUEST", "OFPT_ECHO_REPLY"];
    NAMES.get(usize::from(bytes[1])).copied().filter(|_| bytes[0] != 0)
}

fn version_suffix(version: u8) -> String {
    match version {
        1 => String::new(),
        2..=6 => format!(" (OF1.{})", version - 1),
        v => format!(" (OF 0x{v:02x})"),
    }
}

impl Printer<'_> {
    /// A message as text, which ends in a newline.
    pub fn print(&mut self, bytes: &[u8]) -> String {
        let mut text = String::new();
        self.print_into(bytes, &mut text);
        text
    }

    /// The same, appended.
    pub fn print_into(&mut self, bytes: &[u8], text: &mut String) {
        let Some(header) = bytes.first_chunk::<8>() else {
            if bytes.is_empty() {
                return text.push_str("OpenFlow message is empty\n");
            }
            let _ = writeln!(text, "OpenFlow packet too short (only {} bytes):", bytes.len());
            return text.push_str(&hex_dump(bytes, true));
        };
        let len = usize::from(u16::from_be_bytes([header[2], header[3]]));
        let xid = u32::from_be_bytes([header[4], header[5], header[6], header[7]]);
        if len != bytes.len() {
            return text.push_str(&self.wrong_length(bytes, len, xid));
        }
        if let Err(e) = self.known(bytes, xid, text) {
            let _ = write!(text, "***decode error: {}***\n{}", e.error, hex_dump(bytes, true));
            self.log.extend(e.log);
        } else if !text.ends_with('\n') {
            text.push('\n');
        }
    }

    fn warn(&mut self, log: Vec<(&'static str, String)>) {
        self.log.extend(log.into_iter().map(|(module, text)| (module, Severity::Warn, text)));
    }

    fn wrong_length(&mut self, bytes: &[u8], len: usize, xid: u32) -> String {
        let mut s = String::new();
        if len > bytes.len() {
            match of_any_version(bytes).map_or_else(|| kind::kind_of(bytes).map(Kind::name), Ok) {
                Ok(name) => {
                    let _ = writeln!(s, "{name}{} (xid={xid:#x}):", version_suffix(bytes[0]));
                }
                Err(e) => self.log.extend(e.log),
            }
            let _ = writeln!(s, "(***truncated to {} bytes from {len}***)", bytes.len());
        } else {
            let _ = writeln!(s, "(***only uses {len} bytes out of {}***)", bytes.len());
        }
        s + &hex_dump(bytes, true)
    }

    /// The text of a message that has its proper length.
    fn known(&mut self, bytes: &[u8], xid: u32, text: &mut String) -> Result<(), DecodeError> {
        if let Some(name) = of_any_version(bytes).filter(|_| matches!(bytes[1], 0 | 2 | 3))
            && Version::from_wire(bytes[0]).is_none()
        {
            let _ = write!(text, "{name}{} (xid={xid:#x}):", version_suffix(bytes[0]));
            if bytes[1] == 0 {
                text.push('\n');
                self.hello(bytes, text);
            } else {
                self.echo(&bytes[8..], text);
            }
            if self.verbosity > 4 {
                text.push_str(&hex_dump(bytes, true));
            }
            return Ok(());
        }
        let framed = kind::identify(bytes)?;
        let mut f = Fmt { out: std::mem::take(text), names: self.names, colors: self.colors };
        let _ = write!(f, "{}{} (xid={xid:#x}):", framed.kind.name(), version_suffix(bytes[0]));
        let head = f.out.len();
        stats_flags(&framed, &mut f);
        if self.body(&framed, head, &mut f) && self.verbosity > 4 {
            if !f.out.ends_with('\n') {
                f.put("\n");
            }
            f.put(&hex_dump(bytes, true));
        }
        *text = f.out;
        Ok(())
    }

    fn echo(&self, payload: &[u8], out: &mut String) {
        let _ = writeln!(out, " {} bytes of payload", payload.len());
        if self.verbosity > 1 {
            out.push_str(&hex_dump(payload, true));
        }
    }

    fn hello(&mut self, bytes: &[u8], out: &mut String) {
        let mut log = Vec::new();
        let (bits, odd) = hello_bits(bytes, &mut log);
        self.warn(log);
        let list: Vec<String> =
            (0..32).filter(|v| bits >> v & 1 != 0).map(|v| format!("0x{v:02x}")).collect();
        let _ = writeln!(
            out,
            " version bitmap: {}",
            if list.is_empty() { "0".to_string() } else { list.join(", ") }
        );
        if odd {
            out.push_str(" unknown data in hello:\n");
            out.push_str(&hex_dump(bytes, true));
        }
    }

    /// Prints what follows the header line's colon, at `head`. A body that cannot be decoded is said to be so and dumped;
    /// then the result is false.
    fn body(&mut self, framed: &Framed<'_>, head: usize, f: &mut Fmt<'_>) -> bool {
        let mut codec = Codec::new(framed.version);
        codec.lenient = true;
        if framed.version == Version::V10 {
            // Whether the switch would take a table from the command cannot be known: it is shown.
            codec.protocol = codec.protocol.with_table_id(true);
        }
        if framed.kind == Kind::OfptHello {
            f.put("\n");
            self.hello(framed.bytes, &mut f.out);
            return true;
        }
        super::notes::before_decoding(framed, self.names, &mut self.log);
        if matches!(framed.kind, Kind::OfptBundleAddMessage | Kind::OnftBundleAddMessage)
            && let Ok(b) = bundle::check_add(framed)
        {
            let _ = write!(f, "\n bundle_id={} flags=", CHex(b.bundle_id.into()));
            f.put(&bundle_flags(b.flags));
            f.put("\n");
            self.print_into(b.inner.bytes, &mut f.out);
            return true;
        }
        match decode_framed(framed, &codec) {
            Ok(m) => {
                super::notes::deprecated_in(&m, framed.version, &mut self.log);
                self.message(&m, framed, f);
                true
            }
            Err(mut e) => {
                let before = self.log.len();
                if let Some(m) = &e.partial {
                    super::notes::deprecated_in(m, framed.version, &mut self.log);
                }
                self.log.append(&mut e.log);
                if self.raw(framed, f) {
                    return true;
                }
                // What was understood before is shown.
                if let Some(m) = e.partial {
                    // Those are decoded once more for the details.
                    let twice = matches!(framed.kind, Kind::OfpstPortReply | Kind::OfpstQueueReply);
                    self.message(&m, framed, f);
                    if twice && self.verbosity == 0 {
                        return true;
                    }
                    if twice {
                        self.log.extend_from_within(before..);
                    }
                }
                if matches!(framed.kind, Kind::OfpstGroupReply | Kind::NxstGroupReply) {
                    f.put(" ***parse error***");
                }
                let shown = f.out.len() > head;
                if shown && !f.out.ends_with('\n') {
                    f.put("\n");
                }
                let lead = if shown { "" } else { " " };
                let dump = hex_dump(framed.bytes, true);
                let odd = match framed.kind {
                    // Of flow statistics of OpenFlow 1.5, only what follows match and statistics has a known error.
                    Kind::OfpstFlowReply if framed.version == Version::V15 => {
                        self.log.last().is_some_and(|(module, _, text)| {
                            *module == "ofp_flow" && !text.ends_with("bad instructions")
                        })
                    }
                    Kind::OfptTableStatus => framed.body.len() == 8 && matches!(framed.body[0], 3 | 4),
                    _ => false,
                };
                let name = if odd { "<invalid>" } else { e.error.name() };
                let _ = write!(f, "{lead}***decode error: {name}***\n{dump}");
                false
            }
        }
    }

    /// Notes what is odd about a message, without printing it.
    pub fn remark(&mut self, bytes: &[u8]) {
        if let Ok(framed) = kind::identify(bytes) {
            super::notes::before_decoding(&framed, self.names, &mut self.log);
        }
    }

    /// Prints a message that says nothing sensible by its bytes; false if there is no such form.
    fn raw(&mut self, framed: &Framed<'_>, f: &mut Fmt<'_>) -> bool {
        let mut r = Reader::new(framed.body);
        match framed.kind {
            Kind::OfptBundleControl | Kind::OnftBundleControl => {
                let (Ok(id), Ok(_), Ok(flags)) = (r.u32(), r.u16(), r.u16()) else { return false };
                let _ = write!(f, "\n bundle_id={} type= flags={}", CHex(id.into()), bundle_flags(flags));
            }
            Kind::NxtSetFlowFormat => f.put(" format=(unknown)"),
            Kind::NxstFlowMonitorRequest | Kind::OnfstFlowMonitorRequest | Kind::OfpstFlowMonitorRequest => {
                let mut codec = Codec::new(framed.version);
                codec.lenient = true;
                while let Ok(m) = monitor::decode_request(&mut r, framed.version, &codec) {
                    super::flow::format_monitor(&m, f);
                }
                return false;
            }
            Kind::NxtCtFlushZone => {
                let (Ok(()), Ok(zone)) = (r.skip(6), r.u16()) else { return false };
                let _ = write!(f, " zone_id={zone}");
            }
            _ => return false,
        }
        true
    }

    #[allow(clippy::too_many_lines, reason = "a line or two for each message")]
    fn message(&mut self, m: &Message, framed: &Framed<'_>, f: &mut Fmt<'_>) {
        let version = framed.version;
        match m {
            Message::EchoRequest(data) | Message::EchoReply(data) => self.echo(data, &mut f.out),
            Message::Error(e) => self.error(e, f),
            Message::FeaturesReply(x) => features(x, version, f),
            Message::GetConfigReply(c) | Message::SetConfig(c) => switch_config(c, f),
            Message::PacketIn(p) | Message::Resume(p) => {
                super::packet::format_packet_in(p, self.verbosity, f)
            }
            Message::FlowRemoved(r) => super::flow::format_flow_removed(r, f),
            Message::PortStatus(s) => super::port::format_status(s, f),
            Message::PacketOut(p) => super::packet::format_packet_out(p, self.verbosity, f),
            Message::FlowMod(fm) => {
                let raw = (self.verbosity >= 3).then(|| raw_match(framed, self.names)).flatten();
                super::flow::format_flow_mod(fm, raw.as_deref(), f);
            }
            Message::GroupMod(g) => super::group::format_group_mod(g, version, f),
            Message::PortMod(p) => super::port::format_mod(p, f),
            Message::TableMod(t) => {
                super::table::format_mod(t, version, f);
            }
            Message::MeterMod(x) => super::meter::format_mod(x, f),
            Message::QueueGetConfigRequest(q) => {
                f.put(" port=");
                f.port(q.port);
            }
            Message::QueueGetConfigReply(_, queues) => queue_config(queues, f),
            Message::RoleRequest(r) | Message::RoleReply(r) => role_message(r, f),
            Message::RoleStatus(s) => role_status(s, f),
            Message::GetAsyncReply(a) | Message::SetAsync(a) => async_config(a, version, f),
            Message::TableStatus(t) => super::table::format_status(t, f),
            Message::RequestForward(_, inner) => {
                f.put(" reason=");
                match &**inner {
                    Message::GroupMod(g) => {
                        f.put("group_mod");
                        super::group::format_group_mod(g, version, f);
                    }
                    Message::MeterMod(m) => {
                        f.put("meter_mod");
                        super::meter::format_mod(m, f);
                    }
                    _ => {}
                }
            }
            Message::BundleControl(c) => bundle_control(c, f),
            Message::StatsRequest(r) => stats_request(r, version, f),
            Message::StatsReply { body, .. } => self.stats_reply(body, version, f),
            Message::SetFlowFormat(nxm) => f.put(if *nxm { " format=nxm" } else { " format=openflow10" }),
            Message::FlowModTableId(on) => f.put(if *on { " enable" } else { " disable" }),
            Message::SetPacketInFormat(x) => {
                f.put(" format=");
                f.put(x.name());
            }
            Message::SetControllerId(id) => {
                let _ = write!(f, " id={id}");
            }
            Message::TlvTableMod(t) => tlv_mod(t, f),
            Message::TlvTableReply(t) => tlv_reply(t, f),
            Message::CtFlushZone(z) => {
                let _ = write!(f, " zone_id={z}");
            }
            Message::CtFlush(c) => ct_flush(c, f),
            Message::FlowMonitorCancel(id) => {
                let _ = write!(f, " id={id}");
            }
            Message::Hello(_)
            | Message::BundleAdd(_)
            | Message::FeaturesRequest
            | Message::GetConfigRequest
            | Message::BarrierRequest
            | Message::BarrierReply
            | Message::GetAsyncRequest
            | Message::FlowAge
            | Message::TlvTableRequest
            | Message::FlowMonitorPaused
            | Message::FlowMonitorResumed
            | Message::Unknown(_) => {}
        }
    }

    fn stats_reply(&self, r: &StatsReply, version: Version, f: &mut Fmt<'_>) {
        match r {
            StatsReply::Desc(d) => {
                let _ = write!(
                    f,
                    "\nManufacturer: {}\nHardware: {}\nSoftware: {}\nSerial Num: {}\nDP Description: {}\n",
                    d.manufacturer, d.hardware, d.software, d.serial, d.datapath
                );
            }
            StatsReply::Flow(all) => {
                for s in all {
                    f.put("\n ");
                    super::flow::format_stats(s, super::flow::Stats::Shown, f);
                }
            }
            StatsReply::Aggregate(a) => {
                let _ = write!(
                    f,
                    " packet_count={} byte_count={} flow_count={}",
                    a.packet_count, a.byte_count, a.flow_count
                );
            }
            StatsReply::Table(all) => super::table::format_stats(all, version, f),
            StatsReply::Port(all) => {
                let _ = writeln!(f, " {} ports", all.len());
                if self.verbosity > 0 {
                    all.iter().for_each(|s| super::port::format_stats(s, f));
                }
            }
            StatsReply::Queue(all) => {
                let _ = writeln!(f, " {} queues", all.len());
                if self.verbosity > 0 {
                    all.iter().for_each(|s| super::port::format_queue_stats(s, f));
                }
            }
            StatsReply::Group(all) => all.iter().for_each(|s| super::group::format_group_stats(s, f)),
            StatsReply::GroupDesc(all) => {
                for g in all {
                    f.put("\n ");
                    let view = super::group::GroupView {
                        group: g.group,
                        kind: g.kind,
                        props: &g.props,
                        buckets: &g.buckets,
                        command_bucket: None,
                    };
                    super::group::format_group(&view, version, f);
                }
            }
            StatsReply::GroupFeatures(g) => super::group::format_group_features(g, version, f),
            StatsReply::Meter(all) => {
                for s in all {
                    f.put("\n");
                    super::meter::format_stats(s, f);
                }
            }
            StatsReply::MeterConfig(all) => {
                for c in all {
                    f.put("\n");
                    super::meter::format_config(c, f);
                }
            }
            StatsReply::MeterFeatures(m) => super::meter::format_features(m, f),
            StatsReply::TableFeatures(all) => super::table::format_features_list(all, version, f),
            StatsReply::TableDesc(all) => all.iter().for_each(|t| super::table::format_desc(t, f)),
            StatsReply::PortDesc(all) => {
                f.put("\n");
                ports(all, f);
            }
            StatsReply::QueueDesc(all) => queue_config(all, f),
            StatsReply::FlowMonitor(all) => all.iter().for_each(|u| super::flow::format_update(u, f)),
            StatsReply::IpfixBridge(s) => {
                f.put("\n  bridge ipfix: ");
                ipfix(s, false, f);
            }
            StatsReply::IpfixFlow(all) => {
                let _ = writeln!(f, " {} ids", all.len());
                for s in all {
                    f.put("  id ");
                    ipfix(s, true, f);
                }
            }
        }
    }

    fn error(&mut self, e: &ErrorMsg, f: &mut Fmt<'_>) {
        let _ = writeln!(f, " {}", e.error);
        let hello = e.error == OfpErr::OFPHFC_INCOMPATIBLE || e.error == OfpErr::OFPHFC_EPERM;
        if hello {
            let text: String =
                e.data
                    .iter()
                    .map(|b| {
                        if (0x20..0x7f).contains(b) {
                            char::from(*b).to_string()
                        } else {
                            format!("\\{b:03o}")
                        }
                    })
                    .collect();
            f.put(&text);
            if !text.is_empty() {
                f.put("\n");
            }
        } else {
            self.print_into(&e.data, &mut f.out);
        }
    }
}

/// Flags of statistics messages. Requests have had flags since OpenFlow 1.3.
fn stats_flags(framed: &Framed<'_>, f: &mut Fmt<'_>) {
    let reply = match framed.kind.name().rsplit_once(' ') {
        Some((_, "reply")) => true,
        Some((_, "request")) => false,
        _ => return,
    };
    let flags = u16::from_be_bytes([framed.bytes[10], framed.bytes[11]]);
    if flags == 0 {
        return;
    }
    f.put(" flags=");
    let mut rest = flags;
    if (reply || framed.version >= Version::V13) && flags & 1 != 0 {
        f.put("[more]");
        rest &= !1;
    }
    if rest != 0 {
        let _ = write!(f, "[***unknown flags 0x{rest:04x}***]");
    }
}

/// The versions that a hello says, and whether something in it was not understood.
fn hello_bits(bytes: &[u8], log: &mut Vec<(&'static str, String)>) -> (u32, bool) {
    let version = bytes[0];
    let mut bits = if version >= 31 { u32::MAX - 1 } else { (2u32 << version) - 2 };
    let (mut odd, mut found) = (false, false);
    let mut rest = &bytes[8..];
    while !rest.is_empty() {
        let Some(h) = rest.first_chunk::<4>() else {
            odd = true;
            break;
        };
        let (kind, len) = (u16::from_be_bytes([h[0], h[1]]), usize::from(u16::from_be_bytes([h[2], h[3]])));
        if len < 4 || len.next_multiple_of(8) > rest.len() {
            odd = true;
            break;
        }
        match rest[4..len].first_chunk::<4>() {
            Some(b) if kind == 1 && !found && len.is_multiple_of(4) => {
                let claimed = u32::from_be_bytes(*b);
                if claimed & 1 != 0 {
                    let text = "peer claims to support invalid OpenFlow version 0x00";
                    log.push(("ofp_util", text.to_string()));
                }
                if claimed & !1 == 0 {
                    let text = "peer does not support any OpenFlow version (between 0x01 and 0x1f)";
                    log.push(("ofp_util", text.to_string()));
                    odd = true;
                } else {
                    bits = claimed & !1;
                    found = true;
                }
            }
            _ => odd = true,
        }
        rest = &rest[len.next_multiple_of(8).min(rest.len())..];
    }
    (bits, odd)
}

/// The match of a flow-mod of OpenFlow 1.0 as on the wire.
fn raw_match(framed: &Framed<'_>, names: &dyn Names) -> Option<String> {
    match (framed.kind, framed.version) {
        (Kind::NxtFlowMod, _) => {
            let len = usize::from(u16::from_be_bytes([*framed.body.get(24)?, *framed.body.get(25)?]));
            Some(entries_text(framed.body.get(32..32 + len)?))
        }
        (Kind::OfptFlowMod, Version::V10) => crate::fixed_match::text_of10(framed.body, names).ok(),
        _ => None,
    }
}

/// NXM or OXM entries as text: `NXM_OF_IN_PORT(0001), ...`; `<any>` if there are none.
pub fn entries_text(bytes: &[u8]) -> String {
    if bytes.is_empty() {
        return "<any>".to_string();
    }
    let mut out = String::new();
    let mut r = Reader::with_error(bytes, OfpErr::OFPBMC_BAD_LEN);
    while !r.is_empty() {
        if !out.is_empty() {
            out.push_str(", ");
        }
        let before = r;
        let Ok(h) = crate::oxm::pull_header(&mut r) else {
            let _ = write!(out, "<error in {} bytes>", before.len());
            return out;
        };
        let Ok(body) = r.take(h.len) else {
            let _ = write!(out, "{}(<truncated>)", entry_name(&h));
            return out;
        };
        let option = h.field().is_some_and(|f| f.as_tun_metadata().is_some());
        // Of a tunnel option, the most significant of the most bytes are shown.
        let hex = |b: &[u8]| {
            let lead = if option { b.len().min(124 - b.len().min(124)) } else { 0 };
            let shown = std::iter::repeat_n(&0, lead).chain(b).take(b.len());
            shown.map(|x| format!("{x:02x}")).collect::<String>()
        };
        let name = entry_name(&h);
        if h.has_mask {
            let (v, m) = body.split_at(body.len() / 2);
            let _ = write!(out, "{name}_W({}/{})", hex(v), hex(m));
        } else {
            let _ = write!(out, "{name}({})", hex(body));
        }
    }
    out
}

fn entry_name(h: &crate::oxm::EntryHeader) -> String {
    if h.class == 1 && h.number == 30 && h.len >= 8 {
        return "NXM_NX_COOKIE".to_string();
    }
    let known = h.field().and_then(|f| {
        let same =
            |x: &&flow::Header| x.class == h.class && x.field == h.number && x.experimenter == h.experimenter;
        f.info().headers().iter().find(same).map(|x| x.name)
    });
    match known {
        Some(n) => n.to_string(),
        None if h.experimenter != 0 => {
            format!("0x{:04x}{:08x}:{}", h.class, h.experimenter, h.number)
        }
        None => format!("{}:{}", h.class, h.number),
    }
}

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

fn features(x: &Features, version: Version, f: &mut Fmt<'_>) {
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

fn ports(all: &[PhyPort], f: &mut Fmt<'_>) {
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

fn switch_config(c: &SwitchConfig, f: &mut Fmt<'_>) {
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

fn role_message(r: &RoleRequest, f: &mut Fmt<'_>) {
    let _ = write!(f, " role={}", role_name(r.role));
    if let Some(g) = r.generation_id.filter(|g| *g != u64::MAX) {
        let _ = write!(f, " generation_id={g}");
    }
}

fn role_status(s: &RoleStatus, f: &mut Fmt<'_>) {
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

fn async_config(a: &AsyncConfig, _version: Version, f: &mut Fmt<'_>) {
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

fn bundle_flags(flags: u16) -> String {
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

fn bundle_control(c: &BundleControl, f: &mut Fmt<'_>) {
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

fn stats_request(r: &StatsRequest, version: Version, f: &mut Fmt<'_>) {
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

fn ipfix(s: &IpfixStats, flow: bool, f: &mut Fmt<'_>) {
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

fn queue_config(queues: &[QueueConfig], f: &mut Fmt<'_>) {
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

fn tlv_mod(t: &TlvTableMod, f: &mut Fmt<'_>) {
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

fn tlv_reply(t: &TlvTableReply, f: &mut Fmt<'_>) {
    let used: u32 = t.mappings.iter().map(|m| u32::from(m.option_len)).sum();
    let _ = write!(
        f,
        "\n max option space={} max fields={}\n allocated option space={used}\n\n",
        t.max_space, t.max_fields
    );
    tlv_table(&t.mappings, f);
}

fn ct_flush(c: &CtFlush, f: &mut Fmt<'_>) {
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
