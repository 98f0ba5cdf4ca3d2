//! `monitor` and `snoop`: prints what a switch sends, and takes commands on a control socket meanwhile.

use super::context::{Connection, Context, PacketIns};
use super::switch::{config, set_config};
use crate::fatal::Fatal;
use crate::localtime::Zone;
use crate::timefmt::format_time;
use crate::version;
use crate::vlog::{self, Vlog};
use openflow::NoNames;
use openflow::msg::{Message, MonitorFlags, PacketInFormat, StatsRequest, SwitchConfig};
use openflow::text::TextCx;
use openflow::text::flow::parse_monitor;
use openflow::text::packet::{hex_prefix, parse_packet_out};
use openflow::version::{Version, VersionSet};
use reactor::coverage::Coverage;
use reactor::errno;
use reactor::event::{Event, Key, Reactor, Ready};
use reactor::unixctl::common::Common;
use reactor::unixctl::{self, Command, CommandTable, Outcome, Server, Token};
use reactor::vconn::{self, Vconn};
use std::fs::File;
use std::io::Write;
use std::os::fd::AsFd;
use std::process::ExitCode;
use std::sync::Arc;
use sys::signal::Signal;

const UNIXCTL: u16 = 1;
const SIGNALS: Key = Key::new(2, 0);
const COMMON: Key = Key::new(3, 0);

pub fn monitor(c: &mut Context, args: &[String]) -> Result<ExitCode, Fatal> {
    if args[1..].iter().any(|a| a == "invalid_ttl") {
        let old = VersionSet::only(Version::V10).with(Version::V11).with(Version::V12);
        let able = c.versions().intersection(old);
        if able == VersionSet::EMPTY {
            let names: Vec<&str> = old.iter().map(Version::name).collect();
            return Err(Fatal::new(format!(
                "invalid_ttl requires one of the OpenFlow versions {} but none is enabled (use -O)",
                names.join(", ")
            )));
        }
        c.settings.versions = Some(able);
    }
    let c = &*c;
    let mut conn = c.open(&args[0])?;
    let mut resume = false;
    let mut watches = 0;
    for arg in &args[1..] {
        if arg.as_bytes().first().is_some_and(u8::is_ascii_digit) {
            let mut now = config(c, &mut conn)?;
            now.miss_send_len = openflow::text::lex::c_int(arg).unwrap_or(0) as u16;
            set_config(c, &mut conn, now)?;
        } else if arg == "invalid_ttl" {
            let mut now = config(c, &mut conn)?;
            now.invalid_ttl_to_controller = Some(true);
            set_config(c, &mut conn, now)?;
            if config(c, &mut conn)?.invalid_ttl_to_controller != Some(true) {
                return Err(Fatal::new(
                    "setting invalid_ttl_to_controller failed (this switch probably doesn't support this flag)",
                ));
            }
        } else if let Some(what) = arg.strip_prefix("watch:") {
            watch(c, &mut conn, &args[0], what, watches)?;
            watches += 1;
        } else if arg == "resume" {
            resume = true;
            let whole = SwitchConfig { miss_send_len: u16::MAX, ..config(c, &mut conn)? };
            set_config(c, &mut conn, whole)?;
        } else {
            return Err(Fatal::new(format!("{arg}: unsupported \"monitor\" argument")));
        }
    }
    set_packet_ins(c, &mut conn)?;
    run(c, conn, resume)
}

fn watch(c: &Context, conn: &mut Connection, switch: &str, what: &str, id: u32) -> Result<(), Fatal> {
    let names = c.names(switch);
    let mut cx = TextCx::new(&names);
    let parsed = parse_monitor(what, &mut cx);
    c.log_parse(&mut cx);
    let mut request = parsed.map_err(Fatal::new)?;
    request.id = id;
    // What the extension calls changes of one's own has another place since 1.4.
    if conn.version() >= Version::V14 && request.flags.0 & MonitorFlags::OWN != 0 {
        request.flags.0 ^= MonitorFlags::OWN | MonitorFlags::ONLY_OWN;
    }
    c.dump_stats(conn, StatsRequest::FlowMonitor(vec![request]), &NoNames)
}

/// Asks for the form of packet-ins that was chosen, or for the richest that the switch has.
fn set_packet_ins(c: &Context, conn: &mut Connection) -> Result<(), Fatal> {
    let wanted = c.settings.packet_ins.map(|PacketIns(f)| f);
    for format in match wanted {
        Some(f) => vec![f],
        None => vec![PacketInFormat::NxtPacketIn2, PacketInFormat::NxtPacketIn],
    } {
        let request = c.encode(conn, &Message::SetPacketInFormat(format))?;
        match c.transact_silent(conn, [request])? {
            None => break,
            Some(_) if wanted.is_none() => {}
            Some(error) => {
                c.complain(&error);
                return Err(Fatal::silent(1));
            }
        }
    }
    Ok(())
}

pub fn snoop(c: &mut Context, args: &[String]) -> Result<ExitCode, Fatal> {
    let conn = c.open_versions(&args[0], "snoop", c.versions())?;
    run(c, conn, false)
}

/// What the commands work on.
struct Monitor {
    vlog: Arc<Vlog>,
    outbox: Vec<Vec<u8>>,
    /// Who waits for the answer to which barrier.
    barriers: Vec<(u32, Token)>,
    output: Option<File>,
    blocked: bool,
    /// Whether packets that wait are sent on.
    resume: bool,
    common: Common,
    exit: Option<Token>,
    next_xid: u32,
    codec: openflow::codec::Codec,
}

impl Monitor {
    fn xid(&mut self) -> u32 {
        self.next_xid += 1;
        self.next_xid
    }

    fn write(&mut self, text: &str) {
        let _ = match &mut self.output {
            Some(f) => f.write_all(text.as_bytes()),
            None => std::io::stderr().write_all(text.as_bytes()),
        };
    }
}

const COMMANDS: &[Command<Monitor>] = &[
    Command::new("exit", "", 0, 0, |m, _, call| {
        m.exit = Some(call.token());
        Outcome::Later
    }),
    Command::new("ofctl/send", "OFMSG...", 1, usize::MAX, |m, _, call| send(m, call.args())),
    Command::new(
        "ofctl/packet-out",
        "\"in_port=<port> packet=<hex data> actions=...\"",
        1,
        usize::MAX,
        |m, _, call| send_packets(m, call.args()),
    ),
    Command::new("ofctl/barrier", "", 0, 0, |m, _, call| {
        let xid = m.xid();
        match m.codec.encode(base::Xid(xid), &Message::BarrierRequest) {
            Ok(bytes) => m.outbox.push(bytes),
            Err(e) => return Outcome::error(e.to_string()),
        }
        m.barriers.push((xid, call.token()));
        Outcome::Later
    }),
    Command::new("ofctl/set-output-file", "FILE", 1, 1, |m, _, call| {
        let name = call.arg(0).unwrap_or_default();
        match File::create(name) {
            Ok(f) => {
                m.output = Some(f);
                Outcome::ok("")
            }
            Err(e) => Outcome::error(errno::text(&e)),
        }
    }),
    Command::new("ofctl/block", "", 0, 0, |m, _, _| {
        if std::mem::replace(&mut m.blocked, true) {
            Outcome::ok("already blocking")
        } else {
            Outcome::ok("")
        }
    }),
    Command::new("ofctl/unblock", "", 0, 0, |m, _, _| {
        if std::mem::replace(&mut m.blocked, false) {
            Outcome::ok("")
        } else {
            Outcome::ok("already unblocked")
        }
    }),
];

fn printed(bytes: &[u8]) -> String {
    openflow::text::print::Printer::plain(1).print(bytes)
}

fn send(m: &mut Monitor, args: &[String]) -> Outcome {
    let mut reply = String::new();
    let mut ok = true;
    for arg in args {
        let (bytes, rest) = hex_prefix(arg);
        if !rest.trim().is_empty() {
            reply.push_str("Trailing garbage in hex data\n");
            ok = false;
        } else if bytes.len() < vconn::HEADER_LEN {
            reply.push_str("Message too short for OpenFlow\n");
            ok = false;
        } else {
            let text = printed(&bytes);
            m.write(&format!("send: {text}"));
            m.outbox.push(bytes);
            reply.push_str("sent\n");
        }
    }
    if ok { Outcome::ok(reply) } else { Outcome::error(reply) }
}

fn send_packets(m: &mut Monitor, args: &[String]) -> Outcome {
    for arg in args {
        let mut cx = TextCx::new(&NoNames);
        let p = match parse_packet_out(arg, &mut cx) {
            Ok(p) => p,
            Err(e) => return Outcome::error(format!("{e}\n")),
        };
        let xid = m.xid();
        match m.codec.encode(base::Xid(xid), &Message::PacketOut(Box::new(p))) {
            Ok(bytes) => {
                let text = openflow::text::print::Printer::plain(0).print(&bytes);
                m.write(&text);
                m.outbox.push(bytes);
            }
            Err(e) => return Outcome::error(e.to_string()),
        }
    }
    Outcome::ok("")
}

fn run(c: &Context, conn: Connection, resume: bool) -> Result<ExitCode, Fatal> {
    let codec = conn.codec.clone();
    let mut daemon = c.daemon.start(&c.vlog)?;
    let (mut reactor, mut vconn) = conn.client.into_parts();
    let path = match &c.settings.unixctl {
        Some(p) => p.clone(),
        None => c.dirs.control_socket(super::PROGRAM, std::process::id() as i32).display().to_string(),
    };
    let mut server = if path == "none" {
        Server::closed(UNIXCTL)
    } else {
        Server::listen(&reactor, UNIXCTL, &path)
            .map_err(|e| Fatal::new(format!("failed to create control socket ({})", errno::text(&e))))?
    };
    reactor
        .watch_signals(&[Signal::Term, Signal::Int, Signal::Hup], SIGNALS)
        .map_err(|e| Fatal::new(errno::text(&e)))?;
    let mut commands = CommandTable::new();
    commands.add(COMMANDS);
    commands.add_part(unixctl::common::COMMANDS, |m: &mut Monitor| &mut m.common);
    commands.add_part(vlog::COMMANDS, |m: &mut Monitor| &mut m.vlog);
    // Going into the background lets go of the standard files, but what is monitored still goes there.
    let errors = std::io::stderr().as_fd().try_clone_to_owned().ok().map(File::from);
    daemon.complete(&c.vlog)?;
    let mut m = Monitor {
        vlog: c.vlog.clone(),
        outbox: Vec::new(),
        barriers: Vec::new(),
        output: errors,
        blocked: false,
        resume,
        common: Common::new(version::line(super::PROGRAM), Coverage::new(), COMMON),
        exit: None,
        next_xid: c.next_xid().0,
        codec,
    };
    let result = serve(c, &mut m, &mut reactor, &mut vconn, &mut server, &commands);
    drop(server);
    daemon.end();
    match result {
        Ok(None) => Ok(ExitCode::SUCCESS),
        Ok(Some(signal)) => {
            let number = signal.number();
            let name = sys::signal::name(number);
            base::warn!(c.logger(), "fatal_signal", "terminating with signal {number} ({name})");
            sys::signal::die_of(number)
        }
        // Standard error may be let go of.
        Err(e) => {
            m.write(&format!("{}: {}\n", super::PROGRAM, e.message()));
            Err(Fatal::silent(e.status()))
        }
    }
}

/// The main loop: until told to end, or the switch goes away.
fn serve(
    c: &Context,
    m: &mut Monitor,
    r: &mut Reactor,
    vconn: &mut Vconn,
    server: &mut Server,
    commands: &CommandTable<Monitor>,
) -> Result<Option<Signal>, Fatal> {
    let mut events: Vec<Event> = Vec::new();
    loop {
        while !m.blocked {
            match vconn.recv(r) {
                Ok(Some(bytes)) => received(c, m, r, vconn, server, &bytes),
                Ok(None) => break,
                Err(e) => return Err(Fatal::new(format!("vconn_recv ({})", errno::text(&e)))),
            }
        }
        for event in events.drain(..) {
            if let Ready::Signal(signal) = event.ready {
                return Ok(Some(signal));
            }
            server.run(r, event);
        }
        while let Some(call) = server.next_call() {
            if let Some(result) = commands.dispatch(m, r, &call) {
                server.reply(r, call.token(), result);
            }
            for bytes in m.outbox.drain(..) {
                vconn.send(r, &bytes);
            }
        }
        if let Some(token) = m.exit.take() {
            server.reply(r, token, Ok("".into()));
            server.flush(r);
            return Ok(None);
        }
        vconn.run(r).map_err(|e| Fatal::new(format!("vconn_recv ({})", errno::text(&e))))?;
        r.turn(&mut events).map_err(|e| Fatal::new(errno::text(&e)))?;
    }
}

fn received(
    c: &Context,
    m: &mut Monitor,
    r: &mut Reactor,
    vconn: &mut Vconn,
    server: &mut Server,
    bytes: &[u8],
) {
    if c.settings.timestamp {
        let stamp = format_time("%Y-%m-%d %H:%M:%S.###: ", base::Clock::real().wall_millis(), &Zone::utc());
        m.write(&stamp);
    }
    let text = c.text_of(bytes, &NoNames, c.settings.verbosity + 2);
    m.write(&text);
    if bytes[1] == vconn::kind::ECHO_REQUEST {
        vconn.send(r, &vconn::echo_reply(bytes));
    }
    if m.resume
        && let Ok((_, Message::PacketIn(mut p))) = m.codec.decode(bytes)
        && p.continuation.is_some()
    {
        // What was for us is not for the switch.
        p.userdata.clear();
        let xid = m.xid();
        if let Ok(reply) = m.codec.encode(base::Xid(xid), &Message::Resume(p)) {
            let text = c.text_of(&reply, &NoNames, c.settings.verbosity + 2);
            m.write(&format!("send: {text}"));
            vconn.send(r, &reply);
        }
    }
    let xid = vconn::xid(bytes);
    let barrier = [19, 21].contains(&bytes[1]);
    if let Some(at) = m.barriers.iter().position(|(x, _)| barrier && Some(*x) == xid) {
        let (_, token) = m.barriers.remove(at);
        server.reply(r, token, Ok("".into()));
    }
}
