//! What commands share: settings, connections, requests and answers, printing.

use super::names::SwitchNames;
use crate::daemon::DaemonOptions;
use crate::dirs::Dirs;
use crate::fatal::Fatal;
use crate::vlog::Vlog;
use base::{Logger, Xid};
use flow::Field;
use openflow::buf::DecodeError;
use openflow::codec::Codec;
use openflow::msg::{Message, PacketInFormat, StatsReply, StatsRequest};
use openflow::ofperr::OfpErr;
use openflow::text::colors::{self, Colors};
use openflow::text::print::Printer;
use openflow::text::{Fmt, TextCx};
use openflow::version::{Protocol, ProtocolSet, Version, VersionSet};
use openflow::{Names, NoNames};
use reactor::errno;
use reactor::event::Environment;
use reactor::vconn::{self, Client};
use std::cell::Cell;
use std::io::Write;
use std::os::unix::fs::FileTypeExt;
use std::sync::Arc;

/// `--color`
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Color {
    Never,
    Always,
    Auto,
}

/// `--packet-in-format`
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PacketIns(pub PacketInFormat);

impl PacketIns {
    /// From its name.
    pub fn parse(s: &str) -> Option<PacketIns> {
        Some(PacketIns(match s {
            "standard" | "openflow10" => PacketInFormat::Standard,
            "nxt_packet_in" | "nxm" => PacketInFormat::NxtPacketIn,
            "nxt_packet_in2" => PacketInFormat::NxtPacketIn2,
            _ => return None,
        }))
    }
}

/// One criterion of `--sort` and `--rsort`.
#[derive(Clone, Copy, Debug)]
pub struct SortKey {
    /// A field, or the priority.
    pub field: Option<Field>,
    pub descending: bool,
}

/// What the options say.
#[derive(Clone, Debug)]
pub struct Settings {
    pub strict: bool,
    pub readd: bool,
    pub flow_formats: ProtocolSet,
    pub packet_ins: Option<PacketIns>,
    pub verbosity: u8,
    pub timestamp: bool,
    pub sort: Vec<SortKey>,
    /// `--names` or `--no-names`, if given.
    pub names: Option<bool>,
    /// Whether names are shown.
    pub show_names: bool,
    pub stats: bool,
    pub unixctl: Option<String>,
    pub tls: reactor::tls::Settings,
    pub bundle: bool,
    pub may_create: bool,
    pub read_only: bool,
    pub bare: bool,
    pub bad_checksum: bool,
    pub pcap: bool,
    pub versions: Option<VersionSet>,
    pub colored: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            strict: false,
            readd: false,
            flow_formats: ProtocolSet::ANY,
            packet_ins: None,
            verbosity: 0,
            timestamp: false,
            sort: Vec::new(),
            names: None,
            show_names: false,
            stats: true,
            unixctl: None,
            tls: reactor::tls::Settings::default(),
            bundle: false,
            may_create: false,
            read_only: false,
            bare: false,
            bad_checksum: false,
            pcap: false,
            versions: None,
            colored: false,
        }
    }
}

/// The program's state while a command runs.
pub struct Context {
    pub settings: Settings,
    pub daemon: DaemonOptions,
    pub dirs: Dirs,
    pub vlog: Arc<Vlog>,
    colors: Colors,
    /// Transaction numbers go on over all connections.
    xids: Cell<u32>,
}

/// A connection with what was agreed.
pub struct Connection {
    pub client: Client,
    pub codec: Codec,
    name: String,
}

impl Connection {
    pub fn version(&self) -> Version {
        self.codec.version()
    }
}

/// OpenFlow 1.0 is what is spoken unless more is asked for.
const DEFAULT_VERSIONS: VersionSet = VersionSet::only(Version::V10);

impl Context {
    pub fn new(settings: Settings, daemon: DaemonOptions, dirs: Dirs, vlog: Arc<Vlog>) -> Context {
        let setting = std::env::var("OVS_COLORS").ok();
        let colors = if settings.colored { Colors::on(setting.as_deref()) } else { colors::NONE.clone() };
        Context { settings, daemon, dirs, vlog, colors, xids: Cell::new(0) }
    }

    pub fn logger(&self) -> Logger {
        self.vlog.logger()
    }

    /// The versions that may be spoken.
    pub fn versions(&self) -> VersionSet {
        match self.settings.versions {
            // Nothing in particular: whatever the switch speaks.
            Some(v) if v == VersionSet::EMPTY => VersionSet::ALL,
            Some(v) => v,
            None => DEFAULT_VERSIONS,
        }
    }

    /// Fits versions and flow formats to each other and to what the options ask for.
    pub fn settle(&mut self) -> Result<(), Fatal> {
        let s = &mut self.settings;
        let mut versions = s.versions.unwrap_or(DEFAULT_VERSIONS);
        // Bundles came with 1.4, and with an extension to 1.3.
        if s.bundle && versions.intersection(ProtocolSet::OF13_UP.versions()) == VersionSet::EMPTY {
            versions = VersionSet::only(Version::V14);
        }
        if versions != VersionSet::EMPTY {
            let formats = s.flow_formats.intersection(ProtocolSet::of_versions(versions));
            if formats.is_empty() {
                let names: Vec<&str> = versions.iter().map(Version::name).collect();
                return Err(Fatal::new(format!(
                    "None of the enabled OpenFlow versions ({}) supports any of the enabled flow formats ({}).  \
                     (Use -O to enable additional OpenFlow versions or -F to enable additional flow formats.)",
                    names.join(", "),
                    s.flow_formats
                )));
            }
            s.flow_formats = formats;
            versions = versions.intersection(formats.versions());
        }
        s.versions = Some(versions);
        Ok(())
    }

    /// The flow formats that may be used.
    pub fn allowed(&self) -> ProtocolSet {
        self.settings.flow_formats
    }

    /// A place to print to, with `names`.
    pub fn fmt<'a>(&'a self, names: &'a dyn Names) -> Fmt<'a> {
        Fmt { out: String::new(), names, colors: &self.colors }
    }

    /// Logs what parsing left behind.
    pub fn log_parse(&self, cx: &mut TextCx<'_>) {
        self.log_notes(&std::mem::take(&mut cx.log));
    }

    /// Logs what a decoder or a parser noted.
    pub fn log_notes(&self, notes: &[openflow::buf::Note]) {
        let log = self.logger();
        for (module, severity, text) in notes {
            base::record!(log, (*severity).into(), *module, "{text}");
        }
    }

    /// A transaction number not used before.
    pub fn next_xid(&self) -> Xid {
        let n = self.xids.get() + 1;
        self.xids.set(n);
        Xid(n)
    }

    /// The text of a message.
    pub fn text_of(&self, bytes: &[u8], names: &dyn Names, verbosity: u8) -> String {
        let mut text = String::new();
        self.put_text_of(bytes, names, verbosity, &mut text);
        text
    }

    /// The same, appended.
    pub fn put_text_of(&self, bytes: &[u8], names: &dyn Names, verbosity: u8, text: &mut String) {
        let mut printer = Printer { names, colors: &self.colors, verbosity, log: Vec::new() };
        printer.print_into(bytes, text);
        self.log_notes(&printer.log);
    }

    /// Logs what is odd about a message that is not printed.
    pub fn remark(&self, bytes: &[u8]) {
        let mut printer = Printer::plain(0);
        printer.remark(bytes);
        self.log_notes(&printer.log);
    }

    /// Prints a message to standard output.
    pub fn print_message(&self, bytes: &[u8], names: &dyn Names) {
        print(&self.text_of(bytes, names, self.settings.verbosity + 1));
    }

    /// Prints an answer that is an error to standard error.
    pub fn complain(&self, bytes: &[u8]) {
        let text = self.text_of(bytes, &NoNames, self.settings.verbosity + 1);
        let _ = std::io::stdout().flush();
        eprint!("{text}");
    }

    /// Where a switch is to be reached. `snoop`: its snooping socket.
    fn target(&self, name: &str, socket: &str) -> Result<String, Fatal> {
        if name.contains(':') {
            return Ok(name.to_string());
        }
        let is_socket =
            |path: &std::path::Path| std::fs::metadata(path).is_ok_and(|m| m.file_type().is_socket());
        let bridge = self.dirs.run.join(format!("{name}.{socket}"));
        if is_socket(&bridge) {
            return Ok(format!("unix:{}", bridge.display()));
        }
        // A bridge may be given with the type of its datapath: `TYPE@NAME`.
        if let Some((_, bridge)) = name.split_once('@')
            && is_socket(&self.dirs.run.join(format!("{bridge}.{socket}")))
        {
            return Ok(format!("unix:{}", self.dirs.run.join(format!("{bridge}.{socket}")).display()));
        }
        let path = self.dirs.run.join(name);
        if path.exists() {
            return Ok(format!("unix:{}", path.display()));
        }
        Err(Fatal::new(format!("{name} is not a bridge or a socket")))
    }

    /// Connects to a switch's management socket with the versions that may be spoken.
    pub fn open(&self, name: &str) -> Result<Connection, Fatal> {
        self.open_versions(name, "mgmt", self.versions())
    }

    pub fn open_versions(&self, name: &str, socket: &str, versions: VersionSet) -> Result<Connection, Fatal> {
        let target = self.target(name, socket)?;
        let env = Environment::new(self.logger(), self.dirs.run.clone()).with_tls(self.settings.tls.clone());
        let options = vconn::Options {
            versions,
            describe: Some(describe),
            any_version: socket == "snoop",
            xid: self.next_xid().0,
            ..vconn::Options::default()
        };
        match Client::connect(&target, options, env) {
            Ok(client) => {
                let codec = Codec::new(client.version());
                Ok(Connection { client, codec, name: target })
            }
            Err(e) if name.contains(':') => {
                Err(Fatal::new(format!("connecting to {name} ({})", errno::text(&e))))
            }
            Err(e) => {
                let bridge =
                    target.ends_with(&format!(".{socket}")) && !name.ends_with(&format!(".{socket}"));
                let what = if bridge { "connect to" } else { "open" };
                Err(Fatal::new(format!("{name}: failed to {what} socket ({})", errno::text(&e))))
            }
        }
    }

    /// Encodes a message for a connection.
    pub fn encode(&self, c: &Connection, m: &Message) -> Result<Vec<u8>, Fatal> {
        c.codec.encode(self.next_xid(), m).map_err(|e| Fatal::new(e.to_string()))
    }

    /// Decodes a message; why that cannot be done is logged.
    pub fn decode(&self, c: &Connection, bytes: &[u8]) -> Option<Message> {
        match c.codec.decode(bytes) {
            Ok((_, m)) => Some(m),
            Err(e) => {
                self.log_error(e);
                None
            }
        }
    }

    /// Logs why something cannot be decoded.
    pub fn log_error(&self, e: DecodeError) -> OfpErr {
        self.log_notes(&e.log);
        e.error
    }

    fn talking(&self, c: &Connection, e: &std::io::Error) -> Fatal {
        broken(&format!("talking to {}", c.name), e)
    }

    /// Sends a message.
    pub fn send(&self, c: &mut Connection, bytes: Vec<u8>) -> Result<(), Fatal> {
        c.client
            .send(bytes)
            .map_err(|e| Fatal::new(format!("failed to send packet to switch ({})", errno::text(&e))))
    }

    /// Sends a request and waits for its answer.
    pub fn transact(&self, c: &mut Connection, request: Vec<u8>) -> Result<Vec<u8>, Fatal> {
        match c.client.transact(request, |_| ()) {
            Ok(m) => Ok(m),
            Err(e) => Err(self.talking(c, &e)),
        }
    }

    pub fn ask(&self, c: &mut Connection, m: &Message) -> Result<Vec<u8>, Fatal> {
        let request = self.encode(c, m)?;
        self.transact(c, request)
    }

    /// Sends requests that are answered only by errors, without waiting, and then a barrier: gives the first error.
    pub fn transact_silent(
        &self,
        c: &mut Connection,
        requests: impl IntoIterator<Item = Vec<u8>>,
    ) -> Result<Option<Vec<u8>>, Fatal> {
        for r in requests {
            self.send(c, r)?;
        }
        self.barrier(c)
    }

    /// Waits until all before is done: gives the first error that was answered meanwhile.
    pub fn barrier(&self, c: &mut Connection) -> Result<Option<Vec<u8>>, Fatal> {
        let barrier = self.encode(c, &Message::BarrierRequest)?;
        let mut first = None;
        let result = c.client.transact(barrier, |m| {
            if first.is_none() && m[1] == vconn::kind::ERROR {
                first = Some(m);
            }
        });
        match result {
            Ok(_) => Ok(first),
            Err(e) => Err(self.talking(c, &e)),
        }
    }

    /// The same for requests that come before: an error is printed and ends the program.
    pub fn perform(
        &self,
        c: &mut Connection,
        requests: impl IntoIterator<Item = Vec<u8>>,
    ) -> Result<(), Fatal> {
        match self.transact_silent(c, requests)? {
            None => Ok(()),
            Some(error) => {
                self.complain(&error);
                Err(Fatal::silent(1))
            }
        }
    }

    /// The same for many. A change that the switch refuses keeps those after it from being sent. That costs a round
    /// trip for each, which small sets can afford; of large ones, a window goes at once.
    pub fn perform_all(
        &self,
        c: &mut Connection,
        requests: impl IntoIterator<Item = Result<Vec<u8>, Fatal>>,
    ) -> Result<(), Fatal> {
        const SMALL: usize = 256;
        const WINDOW: usize = 512;
        let mut sent = 0;
        let mut pending = false;
        for request in requests {
            self.send(c, request?)?;
            sent += 1;
            pending = sent > SMALL && sent % WINDOW != 0;
            if !pending {
                self.perform(c, [])?;
            }
        }
        if pending { self.perform(c, []) } else { Ok(()) }
    }

    /// Sends a request and prints the answer.
    pub fn dump(&self, c: &mut Connection, m: &Message, names: &dyn Names) -> Result<(), Fatal> {
        let reply = self.ask(c, m)?;
        self.print_message(&reply, names);
        Ok(())
    }

    /// Sends a statistics request and hands all parts of the reply, errors as well, to `each`. `failure` says what
    /// it means that the connection breaks.
    pub fn stats(
        &self,
        c: &mut Connection,
        r: StatsRequest,
        failure: &str,
        each: impl FnMut(&Connection, &[u8]) -> Result<(), Fatal>,
    ) -> Result<(), Fatal> {
        let request = self.encode(c, &Message::StatsRequest(r))?;
        let wanted = vconn::xid(&request);
        self.send(c, request)?;
        self.replies(c, wanted, failure, each)
    }

    /// Receives all parts of a reply.
    fn replies(
        &self,
        c: &mut Connection,
        wanted: Option<u32>,
        failure: &str,
        mut each: impl FnMut(&Connection, &[u8]) -> Result<(), Fatal>,
    ) -> Result<(), Fatal> {
        loop {
            let m = c.client.recv().map_err(|e| broken(failure, &e))?;
            if m[1] == vconn::kind::ECHO_REQUEST {
                self.send(c, vconn::echo_reply(&m))?;
                continue;
            }
            if vconn::xid(&m) != wanted {
                continue;
            }
            let more = m[1] != vconn::kind::ERROR && m.len() > 11 && m[11] & 1 != 0;
            each(c, &m)?;
            if !more {
                return Ok(());
            }
        }
    }

    /// Sends a request in parts and waits for the reply, in parts as well: one that is an error is printed and ends
    /// the program.
    pub fn send_parts(&self, c: &mut Connection, parts: Vec<Vec<u8>>) -> Result<(), Fatal> {
        let Some(wanted) = parts.last().map(|p| vconn::xid(p)) else { return Ok(()) };
        for part in parts {
            self.send(c, part)?;
        }
        self.replies(c, wanted, RECEIVE_FAILED, |_, m| {
            if m[1] != vconn::kind::ERROR {
                return Ok(());
            }
            self.complain(m);
            Err(Fatal::silent(1))
        })
    }

    /// Sends a statistics request and prints all parts of the reply.
    pub fn dump_stats(&self, c: &mut Connection, r: StatsRequest, names: &dyn Names) -> Result<(), Fatal> {
        self.stats(c, r, PACKET_RECEIVE_FAILED, |_, m| {
            self.print_message(m, names);
            self.check(m)
        })
    }

    /// Refuses what is no message of a known kind.
    fn check(&self, m: &[u8]) -> Result<(), Fatal> {
        openflow::kind::identify(m).map(|_| ()).map_err(|e| {
            self.log_error(e);
            Fatal::new(format!("received bad reply: {}", self.text_of(m, &NoNames, 1)))
        })
    }

    /// All parts of a statistics reply, decoded; a part that is something else ends the program.
    pub fn collect(&self, c: &mut Connection, r: StatsRequest) -> Result<Vec<StatsReply>, Fatal> {
        let mut parts = Parts::default();
        self.stats(c, r, RECEIVE_FAILED, |c, m| {
            self.check(m)?;
            match c.codec.decode(m) {
                Ok((_, Message::StatsReply { body, .. })) => parts.add(body, m.len()),
                Ok(_) => Err(Fatal::new(format!("received bad reply: {}", self.text_of(m, &NoNames, 1)))),
                Err(e) => Err(Fatal::new(format!("decode error: {}", self.log_error(e)))),
            }
        })?;
        Ok(parts.all)
    }

    /// The first of the protocols, in order of preference, that is allowed and usable, as the error says otherwise.
    pub fn choose(&self, usable: ProtocolSet) -> Result<ProtocolSet, Fatal> {
        let allowed = self.allowed();
        let both = usable.intersection(allowed);
        if both.is_empty() {
            return Err(self.no_format(usable));
        }
        Ok(both)
    }

    /// Nothing that is allowed can say what is to be said.
    pub fn no_format(&self, usable: ProtocolSet) -> Fatal {
        let allowed = self.allowed();
        Fatal::new(format!(
            "none of the usable flow formats ({usable}) is among the allowed flow formats ({allowed})"
        ))
    }

    /// The versions to offer where one of `usable` is wanted: all, if none in particular may be spoken.
    pub fn versions_for(&self, usable: ProtocolSet) -> VersionSet {
        match self.settings.versions {
            Some(VersionSet::EMPTY) => VersionSet::ALL,
            _ => self.versions().intersection(usable.versions()),
        }
    }

    /// Connects for changes: a protocol among `usable` is agreed on and switched to.
    pub fn open_for_changes(&self, name: &str, usable: ProtocolSet) -> Result<Connection, Fatal> {
        self.open_with(name, usable, Protocol::ALL)
    }

    /// Connects with the first protocol in `order` that is `usable` and that the switch has.
    pub fn open_with(
        &self,
        name: &str,
        usable: ProtocolSet,
        order: impl IntoIterator<Item = Protocol>,
    ) -> Result<Connection, Fatal> {
        let chosen = self.choose(usable)?;
        let mut c = self.open_versions(name, "mgmt", self.versions_for(chosen))?;
        let version = c.version();
        for p in order {
            if p.version() == version && chosen.contains(p) && self.set_protocol(&mut c, p)? {
                return Ok(c);
            }
        }
        Err(Fatal::new(format!("switch does not support any of the usable flow formats ({usable})")))
    }

    /// Switches a connection's flow format.
    pub fn set_protocol(&self, c: &mut Connection, want: Protocol) -> Result<bool, Fatal> {
        while c.codec.protocol != want {
            let now = c.codec.protocol;
            let (message, next) = if now.is_nxm() != want.is_nxm() {
                (Message::SetFlowFormat(want.is_nxm()), now.with_nxm(want.is_nxm()))
            } else {
                (Message::FlowModTableId(want.has_table_id()), now.with_table_id(want.has_table_id()))
            };
            let request = self.encode(c, &message)?;
            if let Some(reply) = self.transact_silent(c, [request])? {
                let text = self.text_of(&reply, &NoNames, 2);
                base::debug!(
                    self.logger(),
                    "ofctl",
                    "{}: failed to set protocol, switch replied: {text}",
                    c.name
                );
                return Ok(false);
            }
            c.codec.protocol = next;
        }
        Ok(true)
    }

    /// The same, for what is to be parsed with names: a switch that cannot be is found out before any mistake in
    /// the text.
    pub fn accept_names<'a>(&'a self, switch: &'a str) -> Result<SwitchNames<'a>, Fatal> {
        if self.settings.names != Some(false) {
            self.target(switch, "mgmt")?;
        }
        Ok(self.names(switch))
    }

    /// Names of the switch's ports and tables, asked for when first needed.
    pub fn names<'a>(&'a self, switch: &'a str) -> SwitchNames<'a> {
        SwitchNames::new(self, switch)
    }
}

/// What it means that the connection breaks before an answer is whole: one that is to be shown as it comes, or not.
const PACKET_RECEIVE_FAILED: &str = "OpenFlow packet receive failed";
pub const RECEIVE_FAILED: &str = "OpenFlow receive failed";

/// The end of a program whose connection breaks.
pub fn broken(what: &str, e: &std::io::Error) -> Fatal {
    Fatal::new(format!("{what} ({})", errno::text(e)))
}

/// The parts of a reply that has to be kept whole.
#[derive(Default)]
pub struct Parts {
    pub all: Vec<StatsReply>,
    bytes: usize,
}

impl Parts {
    /// Several times what the largest switches have: a reply that goes on is endless.
    const MOST: usize = 1 << 29;

    pub fn add(&mut self, part: StatsReply, len: usize) -> Result<(), Fatal> {
        self.bytes += len;
        if self.bytes > Self::MOST {
            return Err(Fatal::new(format!("received more than {} bytes in one reply", Self::MOST)));
        }
        self.all.push(part);
        Ok(())
    }
}

/// Text of a message for debug records.
fn describe(bytes: &[u8]) -> String {
    Printer::plain(1).print(bytes).trim_end_matches('\n').to_string()
}

/// A dump of bytes without the characters, and without spaces at the ends of lines.
pub fn dump(bytes: &[u8]) -> String {
    openflow::buf::hex_dump(bytes, false)
        .lines()
        .map(|l| format!("{}\n", l.trim_end_matches([' ', '-'])))
        .collect()
}

/// Prints to standard output; a reader that has gone away is no error.
pub fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(&openflow::buf::raw(text));
}

/// Text on its way to standard output, in large pieces: what many lines cost is mostly to write each by itself. The
/// rest is printed when this goes.
#[derive(Default)]
pub struct Pages {
    text: String,
}

impl Pages {
    const SIZE: usize = 64 * 1024;

    /// Where text is appended.
    pub fn page(&mut self) -> &mut String {
        if self.text.len() >= Pages::SIZE {
            print(&self.text);
            self.text.clear();
        }
        &mut self.text
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        print(&self.text);
    }
}
