//! The database's thread.

use super::DATABASE;
use base::{Clock, info};
use cli::dirs::Dirs;
use cli::fatal::Fatal;
use cli::ovsdb_tool::file::DbFile;
use cli::version;
use cli::vlog::{self, Vlog};
use ovsdb_server::{COMMANDS, Server, ServerOptions};
use reactor::coverage::Coverage;
use reactor::event::{Environment, Event};
use reactor::unixctl::{self, Command, CommandTable, Outcome, common};
use reactor::{Key, Reactor, Waker, errno};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread::JoinHandle;
use sys::signal::{Signal, kill};

/// The switch's schema, which a new database is made from.
const SCHEMA: &str = include_str!("../../../bridge/schema/vswitch.ovsschema");

/// Components of the event loop.
const SERVER: u16 = 1;
const UNIXCTL: u16 = 2;
const COMMON: Key = Key::new(3, 0);
const STOP: Key = Key::new(4, 0);

/// The running thread.
pub struct Database {
    stop: Arc<AtomicBool>,
    waker: Waker,
    thread: JoinHandle<()>,
}

impl Database {
    /// Ends it, and waits for that.
    pub fn stop(self) {
        self.stop.store(true, Ordering::Release);
        self.waker.wake();
        // A panic there has been reported there.
        let _ = self.thread.join();
    }
}

/// Makes the database if there is none, and starts to serve it; returns when clients can connect.
pub fn start(dirs: &Dirs, vlog: &Arc<Vlog>, clock: Clock, remotes: &[String]) -> Result<Database, Fatal> {
    let file = dirs.default_db_file();
    if !file.exists() {
        create(&file.display().to_string(), &vlog.logger())?;
    }
    let mut all: BTreeSet<String> = remotes.iter().cloned().collect();
    all.insert(format!("p{}", dirs.default_db()));
    all.insert("db:Open_vSwitch,Open_vSwitch,manager_options".to_string());
    let stop = Arc::new(AtomicBool::new(false));
    let (told, ready) = mpsc::channel();
    let (dirs, vlog, stopped) = (dirs.clone(), vlog.clone(), stop.clone());
    let body = move || match Loop::new(&dirs, &vlog, clock, all) {
        Ok((mut l, waker)) => {
            // Whoever started us waits for this.
            let _ = told.send(Ok(waker));
            l.run(&stopped);
        }
        Err(e) => {
            let _ = told.send(Err(e));
        }
    };
    let thread = std::thread::Builder::new()
        .name(DATABASE.to_string())
        .spawn(body)
        .map_err(|e| Fatal::new(format!("starting a thread failed ({})", errno::text(&e))))?;
    match ready.recv() {
        Ok(Ok(waker)) => Ok(Database { stop, waker, thread }),
        Ok(Err(e)) => Err(e),
        Err(_) => Err(Fatal::new("the database's thread ended early")),
    }
}

fn create(name: &str, log: &base::Logger) -> Result<(), Fatal> {
    let schema = ovsdb::Schema::parse(SCHEMA).map_err(|e| Fatal::new(format!("the schema: {e}")))?;
    let record = ovsdb::log::encode(&schema.to_json().to_string());
    DbFile::create(name, &record, log).map_err(|e| Fatal::new(e.to_string()))?;
    Ok(())
}

/// All of the server, as the control commands see it.
struct State {
    server: Server,
    common: common::Common,
    vlog: Arc<Vlog>,
    exit: bool,
}

const EXIT: &[Command<State>] = &[Command::new("exit", "", 0, 0, |s: &mut State, _, _| {
    s.exit = true;
    Outcome::ok("")
})];

struct Loop {
    r: Reactor,
    state: State,
    control: unixctl::Server,
    table: CommandTable<State>,
}

impl Loop {
    fn new(
        dirs: &Dirs,
        vlog: &Arc<Vlog>,
        clock: Clock,
        remotes: BTreeSet<String>,
    ) -> Result<(Loop, Waker), Fatal> {
        let log = vlog.logger();
        let env = Environment::new(log.clone(), dirs.run.clone());
        let mut r = Reactor::new(clock, env)
            .map_err(|e| Fatal::new(format!("creating the event loop failed ({})", errno::text(&e))))?;
        let waker = r.waker(STOP);
        let mut server = Server::new(&mut r, ServerOptions { component: SERVER, diff: true, history: false });
        let name = dirs.default_db_file().display().to_string();
        server
            .open(&mut r, &name)
            .map_err(|e| Fatal::new(format!("failed to open database '{name}': {e}")))?;
        server.set_remotes(&mut r, remotes).map_err(Fatal::new)?;
        let path = dirs.control_socket(DATABASE, std::process::id() as i32).display().to_string();
        let control = unixctl::Server::listen(&r, UNIXCTL, &path).map_err(|e| {
            Fatal::new(format!("could not initialize control socket {path} ({})", errno::text(&e)))
        })?;
        info!(log, "ovsdb_server", "{}", version::line(DATABASE));
        let common = common::Common::new(version::line(DATABASE), Coverage::new(), COMMON);
        let mut table: CommandTable<State> = CommandTable::new();
        table.add(EXIT);
        table.add_part(COMMANDS, |s| &mut s.server);
        table.add_part(common::COMMANDS, |s| &mut s.common);
        table.add_part(vlog::COMMANDS, |s| &mut s.vlog);
        let state = State { server, common, vlog: vlog.clone(), exit: false };
        let mut l = Loop { r, state, control, table };
        l.state.server.end_turn(&mut l.r);
        Ok((l, waker))
    }

    fn run(&mut self, stop: &AtomicBool) {
        let mut events: Vec<Event> = Vec::new();
        while !stop.load(Ordering::Acquire) {
            self.state.server.end_turn(&mut self.r);
            for (token, result) in self.state.server.take_replies() {
                self.control.reply(&mut self.r, token, result);
            }
            if std::mem::take(&mut self.state.exit) {
                self.control.flush(&mut self.r);
                // Neither goes on without the other: the switch hears this and ends both.
                let _ = kill(std::process::id() as i32, Signal::Term.number());
            }
            events.clear();
            if self.r.turn(&mut events).is_err() {
                let _ = kill(std::process::id() as i32, Signal::Term.number());
                return;
            }
            for event in events.drain(..) {
                match event.key.component() {
                    SERVER => self.state.server.run(&mut self.r, event),
                    UNIXCTL => self.control(event),
                    _ if event.key == STOP => {}
                    _ => {
                        if let Some((token, result)) = self.state.common.run(event) {
                            self.control.reply(&mut self.r, token, result);
                        }
                    }
                }
            }
        }
    }

    fn control(&mut self, event: Event) {
        self.control.run(&mut self.r, event);
        while let Some(call) = self.control.next_call() {
            if let Some(result) = self.table.dispatch(&mut self.state, &mut self.r, &call) {
                self.control.reply(&mut self.r, call.token(), result);
            }
        }
    }
}
