//! Connections to switches, those that we make and those that they make, and the control socket.

use super::learning::{LearningSwitch, Settings};
use super::{Asked, PROGRAM};
use crate::dirs::Dirs;
use crate::fatal::Fatal;
use crate::version;
use crate::vlog::{self, Vlog};
use base::{Clock, error, warn};
use openflow::text::print::Printer;
use reactor::coverage::Coverage;
use reactor::errno;
use reactor::event::{Environment, Event, Key, Reactor, Ready};
use reactor::stream::Listener;
use reactor::target;
use reactor::unixctl::common::Common;
use reactor::unixctl::{self, Call, CommandTable, Server};
use reactor::vconn::{self, Rconn, RconnOptions, State, Vconn};
use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use sys::signal::Signal;

const MODULE: &str = "controller";

/// Components of the event loop.
const UNIXCTL: u16 = 1;
const SIGNALS: Key = Key::new(2, 0);
const COMMON: Key = Key::new(3, 0);
const LISTENERS: u16 = 4;
const SWITCHES: u16 = 5;

/// As many switches as are served at once; more wait to be accepted.
const MAX_SWITCHES: usize = 16;
const MAX_LISTENERS: usize = 16;
/// A switch that does not take so many answers loses packets.
const MAX_QUEUED: usize = 1000;

/// A switch that is connected.
struct Switch {
    rconn: Rconn,
    machine: Option<LearningSwitch>,
}

struct Controller {
    settings: Settings,
    options: vconn::Options,
    switches: BTreeMap<u64, Switch>,
    listeners: BTreeMap<u64, Listener>,
    next: u64,
    common: Common,
    vlog: Arc<Vlog>,
}

/// Text of a message for debug records.
fn describe(bytes: &[u8]) -> String {
    Printer::plain(1).print(bytes).trim_end_matches('\n').to_string()
}

pub fn run(asked: Asked, dirs: &Dirs, vlog: &Arc<Vlog>, clock: Clock) -> Result<ExitCode, Fatal> {
    sys::signal::ignore_pipe();
    let mut process = asked.daemon.start(vlog)?;
    let log = vlog.logger();
    let os = |e: std::io::Error| Fatal::new(errno::text(&e));
    let env = Environment::new(log.clone(), dirs.run.clone()).with_tls(asked.tls);
    let mut r = Reactor::new(clock, env).map_err(os)?;
    r.watch_signals(&[Signal::Term, Signal::Int, Signal::Hup], SIGNALS).map_err(os)?;
    let control = control_socket(&r, dirs, asked.unixctl.as_deref())?;
    let mut c = Controller {
        settings: asked.settings,
        options: vconn::Options {
            versions: asked.versions,
            describe: Some(describe),
            ..vconn::Options::default()
        },
        switches: BTreeMap::new(),
        listeners: BTreeMap::new(),
        next: 0,
        common: Common::new(version::line(PROGRAM), Coverage::new(), COMMON),
        vlog: vlog.clone(),
    };
    for method in &asked.methods {
        c.open(&mut r, method)?;
    }
    if c.switches.is_empty() && c.listeners.is_empty() {
        return Err(Fatal::new("no active or passive switch connections"));
    }
    process.complete(vlog)?;
    let signal = c.serve(&mut r, control)?;
    // Sockets of ours go with us.
    drop(c);
    process.end();
    if let Some(signal) = signal {
        let number = signal.number();
        warn!(log, "fatal_signal", "terminating with signal {number} ({})", sys::signal::name(number));
        sys::signal::die_of(number);
    }
    Ok(ExitCode::SUCCESS)
}

fn control_socket(r: &Reactor, dirs: &Dirs, named: Option<&str>) -> Result<Server, Fatal> {
    if named == Some("none") {
        return Ok(Server::closed(UNIXCTL));
    }
    let default = dirs.control_socket(PROGRAM, std::process::id() as i32);
    let path = named.map_or(default, |p| dirs.run.join(p)).display().to_string();
    Server::listen(r, UNIXCTL, &path)
        .map_err(|e| Fatal::new(format!("{path}: could not initialize control socket ({})", errno::text(&e))))
}

impl Controller {
    /// Opens a connection or begins to listen; what fails is told and left out.
    fn open(&mut self, r: &mut Reactor, method: &str) -> Result<(), Fatal> {
        let id = self.next;
        self.next += 1;
        let result = if target::is_passive(method) {
            if self.listeners.len() >= MAX_LISTENERS {
                return Err(Fatal::new(format!("max {MAX_LISTENERS} passive connections")));
            }
            Listener::open(r, Key::new(LISTENERS, id), method, self.options.stream())
                .map(|l| _ = self.listeners.insert(id, l))
        } else {
            if self.switches.len() >= MAX_SWITCHES {
                return Err(Fatal::new(format!("max {MAX_SWITCHES} switch connections")));
            }
            Vconn::connect(r, Key::new(SWITCHES, id), method, self.options).map(|v| self.add(r, id, v))
        };
        if let Err(e) = result {
            error!(r.log(), MODULE, "{method}: connect: {}", errno::text(&e));
        }
        Ok(())
    }

    fn add(&mut self, r: &mut Reactor, id: u64, v: Vconn) {
        const PROBE: Duration = Duration::from_secs(60);
        let options = RconnOptions { probe_interval: PROBE, vconn: self.options, ..RconnOptions::default() };
        let mut rconn = Rconn::new(r, Key::new(SWITCHES, id), options);
        let name = v.name().to_string();
        rconn.accept(r, v, &name);
        self.switches.insert(id, Switch { rconn, machine: None });
    }

    /// Accepts what waits, as long as there is room.
    fn accept(&mut self, r: &mut Reactor, id: u64) {
        while self.switches.len() < MAX_SWITCHES {
            let Some(l) = self.listeners.get_mut(&id) else { return };
            let next = self.next;
            match l.accept(r, Key::new(SWITCHES, next)) {
                Ok(Some(stream)) => {
                    self.next += 1;
                    let v = Vconn::accepted(r, stream, self.options);
                    self.add(r, next, v);
                }
                Ok(None) => return,
                Err(e) => {
                    error!(r.log(), MODULE, "{}: accept: {}", l.name(), errno::text(&e));
                    return;
                }
            }
        }
    }

    /// Moves a connection on: false when it has ended.
    fn turn(&mut self, r: &mut Reactor, id: u64) -> bool {
        let Some(s) = self.switches.get_mut(&id) else { return true };
        s.rconn.run(r);
        if s.machine.is_none()
            && let Some(version) = s.rconn.version()
        {
            s.machine = Some(LearningSwitch::new(self.settings.clone(), version, r.log().clone()));
        }
        if let Some(machine) = &mut s.machine {
            send(&mut s.rconn, machine, r);
            const BATCH: usize = 50;
            for n in 0.. {
                if n == BATCH {
                    r.again(Key::new(SWITCHES, id));
                    break;
                }
                let Some(m) = s.rconn.recv(r) else { break };
                machine.receive(&m, r.now());
                send(&mut s.rconn, machine, r);
            }
            s.rconn.flush(r);
        }
        s.rconn.state() != State::Disconnected
    }

    /// Moves a connection on, or forgets it when it has ended.
    fn attend(&mut self, r: &mut Reactor, id: u64) {
        if self.turn(r, id) {
            return;
        }
        self.switches.remove(&id);
        // There may be those who wait for the place.
        for id in self.listeners.keys() {
            r.again(Key::new(LISTENERS, *id));
        }
    }

    /// The main loop: the signal that ended it, or none if there is nobody left to serve.
    fn serve(&mut self, r: &mut Reactor, mut control: Server) -> Result<Option<Signal>, Fatal> {
        let mut commands = CommandTable::new();
        commands.add_part(unixctl::common::COMMANDS, |c: &mut Controller| &mut c.common);
        commands.add_part(vlog::COMMANDS, |c: &mut Controller| &mut c.vlog);
        let mut events: Vec<Event> = Vec::new();
        while !(self.switches.is_empty() && self.listeners.is_empty()) {
            r.turn(&mut events).map_err(|e| Fatal::new(errno::text(&e)))?;
            for event in events.drain(..) {
                match (event.key.component(), event.ready) {
                    (_, Ready::Signal(signal)) => return Ok(Some(signal)),
                    (UNIXCTL, _) => control.run(r, event),
                    (LISTENERS, _) => self.accept(r, event.key.index()),
                    (SWITCHES, _) => self.attend(r, event.key.index()),
                    _ => {}
                }
            }
            while let Some(call) = control.next_call() {
                self.command(r, &commands, &mut control, &call);
            }
        }
        Ok(None)
    }

    fn command(
        &mut self,
        r: &mut Reactor,
        commands: &CommandTable<Controller>,
        control: &mut Server,
        call: &Call,
    ) {
        if let Some(result) = commands.dispatch(self, r, call) {
            control.reply(r, call.token(), result);
        }
    }
}

fn send(rconn: &mut Rconn, machine: &mut LearningSwitch, r: &mut Reactor) {
    for m in machine.take() {
        if rconn.queued(0).0 < MAX_QUEUED {
            rconn.send(r, &m, 0);
        }
    }
}
