//! The daemon: event loop, database, switch, control socket.

use crate::PROGRAM;
use crate::database::{Link, Status, seed};
use crate::waiter::{LoopWake, thread_parts};
use base::{Clock, info};
use bridge::switch::{Environment, Switch};
use cli::dirs::Dirs;
use cli::fatal::Fatal;
use cli::vlog::Vlog;
use netdev::Registry;
use netdev::registry::DummyMode;
use reactor::coverage::Coverage;
use reactor::event::{Environment as LoopEnvironment, Event, Ready};
use reactor::unixctl::common::{self, Common};
use reactor::unixctl::{Command, CommandTable, Outcome, Server, Token};
use reactor::{Interest, Key, Reactor};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use sys::signal::Signal;

/// Components of the event loop.
mod component {
    pub const LOOP: u16 = 0;
    pub const UNIXCTL: u16 = 1;
    pub const DATABASE: u16 = 2;
    pub const CONNECTIONS: u16 = 3;
}

const TIMER: Key = Key::new(component::LOOP, 0);
const WARP: Key = Key::new(component::LOOP, 1);
const WAKE: Key = Key::new(component::LOOP, 2);
const SIGNALS: Key = Key::new(component::LOOP, 3);
const DEVICES: Key = Key::new(component::LOOP, 4);
const PACKETS: Key = Key::new(component::LOOP, 5);
const DATABASE: Key = Key::new(component::DATABASE, 0);

/// What a daemon is started with.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where the database is.
    pub database: String,
    /// The control socket, unless the usual one; `none` for none.
    pub unixctl: Option<String>,
    /// Test devices.
    pub dummies: DummyMode,
    /// Keys and certificates for TLS, until the database names others.
    pub tls: reactor::tls::Settings,
}

/// The state that commands work on.
struct State {
    switch: Switch,
    link: Link,
    common: Common,
    /// When the rates of counters are worked out next.
    next_sample: base::Time,
    vlog: Arc<Vlog>,
    exit: Option<Exit>,
}

struct Exit {
    cleanup: bool,
    token: Option<Token>,
}

/// The daemon.
pub struct Daemon {
    r: Reactor,
    control: Server,
    commands: CommandTable<State>,
    state: State,
    devices_watched: bool,
    /// How often devices had changed when they were last looked at.
    devices_seen: u64,
    /// The database's first configuration has been applied.
    ready: Option<bool>,
    said_version: bool,
    /// A configuration was applied.
    in_charge: bool,
    /// The signal that ended it.
    signal: Option<Signal>,
    events: Vec<Event>,
    rundir: std::path::PathBuf,
    log: base::Logger,
}

const COMMANDS: &[Command<State>] = &[
    Command::new("exit", "[--cleanup]", 0, 1, |s: &mut State, _: &mut Reactor, call| {
        let cleanup = call.arg(0) == Some("--cleanup");
        s.exit = Some(Exit { cleanup, token: Some(call.token()) });
        Outcome::Later
    }),
    Command::new("coverage/show", "", 0, 0, |s: &mut State, r: &mut Reactor, _| {
        s.mirror();
        Outcome::ok(s.common.coverage.show(r.clock().now()))
    }),
    Command::new("coverage/read-counter", "COUNTER", 1, 1, |s: &mut State, _: &mut Reactor, call| {
        s.mirror();
        match s.common.coverage.read(call.arg(0).unwrap_or_default()) {
            Some(n) => Outcome::ok(format!("{n}\n")),
            None => Outcome::error("No such counter"),
        }
    }),
    Command::new("memory/show", "", 0, 0, |s: &mut State, _: &mut Reactor, _| Outcome::ok(memory(s))),
];

impl State {
    /// Brings the counters up to date that are kept elsewhere.
    fn mirror(&mut self) {
        for (name, total) in self.switch.coverage() {
            self.common.coverage.mirror(name, total);
        }
    }
}

impl Daemon {
    /// Starts: the control socket is there, the database is being connected to.
    pub fn new(clock: Clock, vlog: Arc<Vlog>, dirs: Dirs, settings: Settings) -> Result<Daemon, Fatal> {
        let io = |what: &'static str| {
            move |e: std::io::Error| Fatal::new(format!("{what} failed ({})", reactor::errno::text(&e)))
        };
        let log = vlog.logger();
        let env = LoopEnvironment::new(log.clone(), dirs.run.clone()).with_tls(settings.tls.clone());
        let mut r = Reactor::new(clock.clone(), env).map_err(io("creating the event loop"))?;
        r.watch_signals(&[Signal::Term, Signal::Int, Signal::Hup], SIGNALS)
            .map_err(io("watching signals"))?;
        let control = open_control(&r, &dirs, settings.unixctl.as_deref())?;
        let wake = Arc::new(LoopWake(r.waker(WAKE)));
        let registry = Registry::new(settings.dummies, clock.clone(), log.clone());
        let switch = Switch::new(Environment {
            clock,
            log: log.clone(),
            registry,
            rundir: dirs.run.clone(),
            wake,
            threads: Box::new(|_| thread_parts()),
            routing: Box::new(crate::routing::SystemRouting::new(log.clone())),
            component: component::CONNECTIONS,
        });
        let link = Link::new(&mut r, DATABASE, &settings.database, seed());
        let version = cli::version::line(PROGRAM);
        let common = Common::new(version.clone(), Coverage::default(), WARP);
        let mut commands: CommandTable<State> = CommandTable::new();
        commands.add_part(common::COMMANDS, |s| &mut s.common);
        commands.add(COMMANDS);
        if settings.dummies != DummyMode::Off {
            commands.add_part(common::TIME_COMMANDS, |s| &mut s.common);
        }
        commands.add_part(cli::vlog::COMMANDS, |s| &mut s.vlog);
        bridge::commands::register(&mut commands, settings.dummies != DummyMode::Off, |s| &mut s.switch);
        let state = State { switch, link, common, next_sample: base::Time::ZERO, vlog, exit: None };
        let mut daemon = Daemon {
            r,
            control,
            commands,
            state,
            devices_watched: false,
            devices_seen: 0,
            ready: None,
            said_version: false,
            in_charge: false,
            signal: None,
            events: Vec::new(),
            rundir: dirs.run.clone(),
            log,
        };
        daemon.state.link.run(&mut daemon.r);
        Ok(daemon)
    }

    /// The signal that has ended it, if one has.
    pub fn ended_by(&self) -> Option<Signal> {
        self.signal
    }

    /// Whether `exit` or a signal has ended it.
    pub fn is_ended(&self) -> bool {
        self.state.exit.is_some()
    }

    /// True once, when the first configuration was applied (or somebody else is in charge): whoever waits for the
    /// daemon need wait no longer.
    pub fn take_ready(&mut self) -> bool {
        match self.ready {
            Some(true) => {
                self.ready = Some(false);
                true
            }
            _ => false,
        }
    }

    /// Says once which program does what the database asks, after whoever waited for that was told.
    pub fn announce(&mut self) {
        if self.in_charge && !std::mem::replace(&mut self.said_version, true) {
            info!(self.log, "bridge", "{}", cli::version::line(PROGRAM));
        }
    }

    /// One turn of the loop: waits for something to do, and does it.
    pub fn turn(&mut self) -> Result<(), Fatal> {
        let deadline = self.state.switch.next_deadline().min(self.state.link.next_deadline());
        self.r.set_timer(TIMER, deadline);
        self.watch_devices();
        self.watch_packets();
        let mut events = std::mem::take(&mut self.events);
        self.r
            .turn(&mut events)
            .map_err(|e| Fatal::new(format!("event loop failed ({})", reactor::errno::text(&e))))?;
        // Messages and packets, of which there are many, leave nothing to be done unless they say so.
        let many = |e: &Event| e.key.component() == component::CONNECTIONS || e.key == WAKE;
        let only_many = events.iter().all(many);
        for event in events.drain(..) {
            self.event(event);
        }
        self.events = events;
        if !only_many || self.state.switch.is_pressed() {
            self.run();
        }
        self.state.switch.flush_connections(&mut self.r);
        Ok(())
    }

    fn event(&mut self, event: Event) {
        match event.key.component() {
            component::UNIXCTL => self.control_event(event),
            component::DATABASE => {
                contained(&self.log, "a message of the database", || self.state.link.run(&mut self.r));
            }
            component::CONNECTIONS => self.state.switch.connection_event(&mut self.r, event.key),
            _ => match event.key {
                WARP => {
                    self.run();
                    if let Some((token, result)) = self.state.common.run(event) {
                        self.control.reply(&mut self.r, token, result);
                    }
                }
                WAKE | PACKETS => self.state.switch.run_packets(&mut self.r),
                SIGNALS => self.signal(event),
                DEVICES => self.state.switch.registry().poll(),
                _ => {}
            },
        }
    }

    fn signal(&mut self, event: Event) {
        let Ready::Signal(signal) = event.ready else { return };
        if signal == Signal::Hup {
            if let Err(e) = self.state.vlog.reopen_file() {
                base::warn!(self.log, "vlog", "reopening the log file failed ({})", reactor::errno::text(&e));
            }
        } else {
            let number = signal.number();
            base::warn!(
                self.log,
                "fatal_signal",
                "terminating with signal {number} ({})",
                sys::signal::name(number)
            );
            self.signal = Some(signal);
            self.state.exit = Some(Exit { cleanup: false, token: None });
        }
    }

    fn control_event(&mut self, event: Event) {
        self.control.run(&mut self.r, event);
        while let Some(call) = self.control.next_call() {
            let name = call.name().to_string();
            let run = || self.commands.dispatch(&mut self.state, &mut self.r, &call);
            // A panic is a bug; it costs the command, not the switch.
            let result = catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|_| {
                base::error!(self.log, "unixctl", "panic while running the command \"{name}\"");
                Some(Err(format!("internal error in \"{name}\" (see the log)")))
            });
            if let Some(result) = result {
                self.control.reply(&mut self.r, call.token(), result);
            }
        }
    }

    /// Devices of the kernel that appear, change or vanish are noticed by a descriptor of theirs.
    fn watch_devices(&mut self) {
        if !self.devices_watched
            && let Some(fd) = self.state.switch.registry().watch_fd()
        {
            self.devices_watched = self.r.add_raw(fd, DEVICES, Interest::READ).is_ok();
        }
    }

    /// In test mode packets of real devices are polled by this thread.
    fn watch_packets(&mut self) {
        for changes in self.state.switch.changed_fds() {
            for fd in changes.gone {
                let _ = self.r.remove_raw(fd);
            }
            for fd in changes.new {
                if let Err(e) = self.r.add_raw(fd, PACKETS, Interest::READ) {
                    base::warn!(
                        self.log,
                        "dpif_netdev",
                        "watching a device failed ({})",
                        reactor::errno::text(&e)
                    );
                }
            }
        }
    }

    /// Follows devices that have changed, whoever has taken the tidings in.
    fn devices(&mut self) {
        let seq = self.state.switch.registry().change_seq();
        if std::mem::replace(&mut self.devices_seen, seq) == seq {
            return;
        }
        if self.state.switch.refresh_devices(&mut self.r) {
            self.state.link.unwritten = true;
        }
        if self.state.switch.has_missing() {
            self.apply_again();
        }
    }

    /// Interfaces that could not be opened may be there by now.
    fn apply_again(&mut self) {
        let config = self.state.switch.config().clone();
        self.state.switch.reconfigure(&mut self.r, config);
        self.state.link.unwritten = true;
    }

    /// Everything that is due.
    fn run(&mut self) {
        self.devices();
        if let Some(config) = self.state.link.changed_config() {
            self.in_charge = true;
            if config != *self.state.switch.config() || self.ready.is_none() {
                self.state.link.applied = Some(config.next_cfg);
                self.state.link.unwritten = true;
                contained(&self.log, "a new configuration", || {
                    self.state.switch.reconfigure(&mut self.r, config);
                });
            } else {
                self.state.switch.note_config(config);
            }
            self.ready.get_or_insert(true);
        } else if self.state.link.is_contended() {
            self.ready.get_or_insert(true);
        }
        self.state.switch.run(&mut self.r);
        let now = self.r.clock().now();
        if now >= self.state.next_sample {
            self.state.mirror();
            self.state.next_sample = self.state.common.coverage.run(now);
        }
        if self.state.switch.take_status_changed() {
            self.state.link.unwritten = true;
        }
        let now = self.r.clock().now();
        if let Some(extent) = self.state.link.due(now, self.state.switch.config()) {
            if extent.statistics {
                self.state.switch.push_stats_now(&mut self.r);
            }
            let wanted = self.state.switch.status(extent);
            let types = self.state.switch.registry().types();
            let config = self.state.switch.config().clone();
            let rundir = self.rundir.clone();
            let status = Status { extent, wanted, types: &types, rundir: &rundir };
            self.state.link.write(&mut self.r, &config, status);
        }
    }

    /// Ends: devices are closed, sockets removed.
    pub fn close(mut self) {
        let exit = self.state.exit.take();
        let cleanup = exit.as_ref().is_some_and(|e| e.cleanup);
        self.state.switch.close(&mut self.r, cleanup);
        if let Some(token) = exit.and_then(|e| e.token) {
            self.control.reply(&mut self.r, token, Ok("".into()));
            self.control.flush(&mut self.r);
        }
        self.state.link.close(&mut self.r);
    }
}

/// A panic is a bug; it costs what was being handled, and the daemon goes on with the rest.
fn contained(log: &base::Logger, what: &str, f: impl FnOnce()) {
    if catch_unwind(AssertUnwindSafe(f)).is_err() {
        base::error!(log, "bridge", "panic while handling {what}");
    }
}

fn open_control(r: &Reactor, dirs: &Dirs, path: Option<&str>) -> Result<Server, Fatal> {
    if path == Some("none") {
        return Ok(Server::closed(component::UNIXCTL));
    }
    let path = match path {
        Some(p) => dirs.run.join(p),
        None => dirs.control_socket(PROGRAM, std::process::id() as i32),
    };
    let path = path.display().to_string();
    Server::listen(r, component::UNIXCTL, &path).map_err(|e| {
        Fatal::new(format!("{path}: could not initialize control socket ({})", reactor::errno::text(&e)))
    })
}

fn memory(s: &mut State) -> String {
    let mut usage = BTreeMap::new();
    usage.insert("idl-cells-Open_vSwitch".to_string(), s.link.cells());
    let bridges = s.switch.bridges().values();
    let (mut ports, mut rules, mut connections) = (0, 0, 0);
    for b in bridges {
        ports += b.interfaces.len() as u64;
        rules += b.ofproto.tables().iter().map(|(_, t)| t.flows.len() as u64).sum::<u64>();
        connections += b.ofproto.connections().count() as u64;
    }
    let revalidators = s.switch.backers().len() as u64;
    let keys = s.switch.backers().values().map(|b| dpif::Datapath::stats(&b.dp).flows).sum();
    for (name, n) in [
        ("ports", ports),
        ("rules", rules),
        ("ofconns", connections),
        ("revalidators", revalidators),
        ("udpif keys", keys),
    ] {
        if n > 0 {
            usage.insert(name.to_string(), n);
        }
    }
    common::memory_line(&usage)
}
