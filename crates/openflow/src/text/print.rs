//! Printing of messages: any bytes whatever, at any verbosity.

use super::colors::{self, Colors};
use super::{CHex, Fmt, Severity, message};
use crate::buf::{DecodeError, Note, Reader, hex_dump};
use crate::codec::{Codec, decode_framed};
use crate::kind::{self, Framed, Kind};
use crate::msg::*;
use crate::ofperr::OfpErr;
use crate::port_map::{Names, NoNames};
use crate::version::Version;
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
            f.put(&message::bundle_flags(b.flags));
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
                let _ = write!(
                    f,
                    "\n bundle_id={} type= flags={}",
                    CHex(id.into()),
                    message::bundle_flags(flags)
                );
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
            Message::FeaturesReply(x) => message::features(x, version, f),
            Message::GetConfigReply(c) | Message::SetConfig(c) => message::switch_config(c, f),
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
            Message::QueueGetConfigReply(_, queues) => message::queue_config(queues, f),
            Message::RoleRequest(r) | Message::RoleReply(r) => message::role_message(r, f),
            Message::RoleStatus(s) => message::role_status(s, f),
            Message::GetAsyncReply(a) | Message::SetAsync(a) => message::async_config(a, version, f),
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
            Message::BundleControl(c) => message::bundle_control(c, f),
            Message::StatsRequest(r) => message::stats_request(r, version, f),
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
            Message::TlvTableMod(t) => message::tlv_mod(t, f),
            Message::TlvTableReply(t) => message::tlv_reply(t, f),
            Message::CtFlushZone(z) => {
                let _ = write!(f, " zone_id={z}");
            }
            Message::CtFlush(c) => message::ct_flush(c, f),
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
                message::ports(all, f);
            }
            StatsReply::QueueDesc(all) => message::queue_config(all, f),
            StatsReply::FlowMonitor(all) => all.iter().for_each(|u| super::flow::format_update(u, f)),
            StatsReply::IpfixBridge(s) => {
                f.put("\n  bridge ipfix: ");
                message::ipfix(s, false, f);
            }
            StatsReply::IpfixFlow(all) => {
                let _ = writeln!(f, " {} ids", all.len());
                for s in all {
                    f.put("  id ");
                    message::ipfix(s, true, f);
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
