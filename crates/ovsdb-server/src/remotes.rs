//! Where clients come from: sockets that listen, connections that the server makes, and rows of a database that
//! say which (`db:DB,TABLE,COLUMN`).

use crate::server::{MODULE, RPC_MODULE, Server};
use crate::session::Session;
use base::{error, info};
use ovsdb::db::{Changes, RowChange, TableChanges};
use ovsdb::schema::VERSION_COLUMN;
use ovsdb::{Datum, Row, Uuid};
use reactor::jsonrpc::{Session as Rpc, SessionOptions};
use reactor::stream::Options;
use reactor::{Key, Listener, Reactor, errno, target};
use std::collections::BTreeMap;
use std::time::Duration;

/// Sessions have smaller indexes than this.
pub const FIRST_LISTENER: u64 = 1 << 40;

/// The row that describes a remote: database, table, row.
type RowOf = (String, usize, Uuid);

/// What a remote is like.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RemoteOptions {
    /// The inactivity probe.
    pub probe: Option<Duration>,
    /// The longest time between attempts.
    pub max_backoff: Option<Duration>,
    /// The DSCP of packets.
    pub dscp: Option<u8>,
    /// Whether its clients may only read.
    pub read_only: bool,
    /// The role of its clients, if their access is controlled.
    pub role: Option<String>,
}

/// What a remote is like, and where that comes from.
#[derive(Clone, Debug, Default, PartialEq)]
struct Wanted {
    options: RemoteOptions,
    row: Option<RowOf>,
}

impl Wanted {
    fn options(&self) -> SessionOptions {
        let d = SessionOptions::default();
        SessionOptions {
            probe_interval: self.options.probe,
            max_backoff: self.options.max_backoff.unwrap_or(d.max_backoff),
            dscp: self.options.dscp,
            ..d
        }
    }
}

struct Remote {
    wanted: Wanted,
    index: u64,
    listener: Option<Listener>,
    /// The session of a remote that connects.
    session: Option<u64>,
}

/// The remotes of a server.
#[derive(Default)]
pub struct Remotes {
    /// As configured, `db:` ones among them.
    pub configured: BTreeMap<String, RemoteOptions>,
    active: BTreeMap<String, Remote>,
    next: u64,
}

impl Remotes {
    /// Whether a database says which remotes there are.
    pub fn depend_on(&self, db: &str) -> bool {
        self.configured.keys().any(|c| parts(c).is_some_and(|p| p.0 == db))
    }

    /// Whether there are remotes with rows, whose status columns want updates.
    pub fn has_rows(&self) -> bool {
        self.active.values().any(|r| r.wanted.row.is_some())
    }

    /// Whether a session is one that a remote makes again when it ends.
    pub fn owns_session(&self, number: u64) -> bool {
        self.active.values().any(|r| r.session == Some(number))
    }

    /// A session has ended for good.
    pub fn session_ended(&mut self, number: u64) {
        for r in self.active.values_mut().filter(|r| r.session == Some(number)) {
            r.session = None;
        }
    }
}

/// The parts of `db:DB,TABLE,COLUMN`.
pub fn parts(remote: &str) -> Option<(&str, &str, &str)> {
    let (db, rest) = remote.strip_prefix("db:")?.split_once(',')?;
    let (table, column) = rest.split_once(',')?;
    (!db.is_empty() && !table.is_empty() && !column.is_empty()).then_some((db, table, column))
}

impl Server {
    /// Refuses a remote that cannot be.
    pub(crate) fn check_remote(&self, remote: &str) -> Result<(), String> {
        if !remote.starts_with("db:") {
            return Ok(());
        }
        let Some((db, table, column)) = parts(remote) else {
            return Err(format!("\"{remote}\": invalid syntax"));
        };
        let Some(served) = self.dbs.get(db) else {
            return Err(format!("\"{remote}\": no database named {db}"));
        };
        let Some(t) = served.db.schema().table(table) else {
            return Err(format!("\"{remote}\": no table named {table}"));
        };
        if served.db.schema().tables[t].column(column).is_none() {
            return Err(format!("\"{remote}\": table \"{table}\" has no column \"{column}\""));
        }
        Ok(())
    }

    /// The remotes that there should be.
    fn wanted_remotes(&self, r: &Reactor) -> BTreeMap<String, Wanted> {
        let mut wanted = BTreeMap::new();
        for (remote, options) in &self.remotes.configured {
            match parts(remote) {
                Some((db, table, column)) => self.remotes_in(r, db, table, column, &mut wanted),
                None if remote.starts_with("db:") => {}
                None => {
                    wanted.insert(remote.clone(), Wanted { options: options.clone(), row: None });
                }
            }
        }
        wanted
    }

    fn remotes_in(
        &self,
        r: &Reactor,
        db: &str,
        table: &str,
        column: &str,
        wanted: &mut BTreeMap<String, Wanted>,
    ) {
        let Some(served) = self.dbs.get(db) else { return };
        let schema = served.db.schema();
        let Some((t, c)) = schema.table(table).and_then(|t| Some((t, schema.tables[t].column(column)?)))
        else {
            return;
        };
        let target_table = schema.tables[t].columns[c].kind.key.reference().map(|r| r.0);
        for row in served.db.table(t).rows() {
            for atom in row[c].keys() {
                if let Some(name) = atom.as_str() {
                    wanted.entry(name.to_owned()).or_default();
                }
                let (Some(table), Some(uuid)) = (target_table, atom.as_uuid()) else { continue };
                let Some(row) = served.db.table(table).get(uuid) else { continue };
                let ts = &schema.tables[table];
                let value = |name: &str| ts.column(name).map(|c| &row[c]);
                let Some(name) = value("target").and_then(Datum::as_str) else {
                    let table = &ts.name;
                    info!(r.log(), MODULE, "Table `{table}' has missing or invalid `target' column");
                    continue;
                };
                let millis = |name: &str| {
                    let n = value(name).and_then(Datum::as_integer)?;
                    u64::try_from(n).ok().map(Duration::from_millis)
                };
                let config = value("other_config");
                let options = RemoteOptions {
                    probe: millis("inactivity_probe"),
                    max_backoff: millis("max_backoff"),
                    dscp: config
                        .and_then(|d| d.get_str("dscp"))
                        .and_then(|s| s.parse().ok())
                        .filter(|d| *d < 64),
                    read_only: value("read_only").and_then(Datum::as_bool).unwrap_or(false),
                    role: value("role").and_then(Datum::as_str).map(str::to_owned).filter(|r| !r.is_empty()),
                };
                let remote = Wanted { options, row: Some((db.to_owned(), table, uuid)) };
                wanted.insert(name.to_owned(), remote);
            }
        }
    }

    /// Makes the remotes be those that there should be.
    pub(crate) fn configure_remotes(&mut self, r: &mut Reactor) {
        let wanted = self.wanted_remotes(r);
        let gone: Vec<String> =
            self.remotes.active.keys().filter(|k| !wanted.contains_key(*k)).cloned().collect();
        for name in gone {
            info!(r.log(), RPC_MODULE, "{name}: remote deconfigured");
            self.close_remote(r, &name);
        }
        for (name, wanted) in wanted {
            self.configure_remote(r, &name, wanted);
        }
    }

    fn close_remote(&mut self, r: &mut Reactor, name: &str) {
        let Some(remote) = self.remotes.active.remove(name) else { return };
        if let Some(l) = remote.listener {
            l.close(r);
        }
        let sessions = self.sessions.iter().filter(|(_, s)| s.remote == name).map(|(n, _)| *n);
        for number in sessions.collect::<Vec<_>>() {
            self.drop_session(r, number);
        }
    }

    fn configure_remote(&mut self, r: &mut Reactor, name: &str, wanted: Wanted) {
        let role = self.remotes.active.get(name).map(|old| &old.wanted.options.role);
        if role.is_some_and(|role| *role != wanted.options.role) {
            // Whoever has come in another role has to come again.
            self.close_remote(r, name);
        }
        if let Some(old) = self.remotes.active.get_mut(name) {
            if old.wanted != wanted {
                for s in self.sessions.values_mut().filter(|s| s.remote == name) {
                    s.rpc.set_probe_interval(r, wanted.options.probe);
                    s.rpc.set_max_backoff(wanted.options().max_backoff);
                    s.read_only = wanted.options.read_only;
                }
                old.wanted = wanted;
            }
            if old.listener.is_some() || old.session.is_some() {
                return;
            }
        } else {
            let index = FIRST_LISTENER + self.remotes.next;
            self.remotes.next += 1;
            let remote = Remote { wanted, index, listener: None, session: None };
            self.remotes.active.insert(name.to_owned(), remote);
        }
        let Some(remote) = self.remotes.active.get(name) else { return };
        let (index, wanted) = (remote.index, remote.wanted.clone());
        if target::is_passive(name) {
            let key = Key::new(self.component, index);
            let options = Options { dscp: wanted.options.dscp, ..Options::OVSDB };
            match Listener::open(r, key, name, options) {
                Ok(l) => {
                    if let Some(remote) = self.remotes.active.get_mut(name) {
                        remote.listener = Some(l);
                    }
                }
                Err(e) => error!(r.log(), RPC_MODULE, "{name}: listen failed: {}", errno::text(&e)),
            }
            return;
        }
        let number = self.new_session_number();
        let key = Key::new(self.component, number);
        let rpc = Rpc::new(r, key, std::slice::from_ref(&name.to_owned()), wanted.options());
        if let Some(remote) = self.remotes.active.get_mut(name) {
            remote.session = Some(number);
        }
        // The loop will run it: connecting begins when the server does.
        let mut session = Session::new(rpc, name.to_owned(), wanted.options.read_only);
        session.role = wanted.options.role;
        self.sessions.insert(number, session);
    }

    /// Takes connections from a listener.
    pub(crate) fn accept(&mut self, r: &mut Reactor, index: u64) {
        loop {
            let number = self.new_session_number();
            let found = self.remotes.active.iter_mut().find(|(_, remote)| remote.index == index);
            let Some((name, remote)) = found else { return };
            let Some(listener) = &mut remote.listener else { return };
            let key = Key::new(self.component, number);
            match listener.accept(r, key) {
                Ok(Some(stream)) => {
                    let (name, wanted) = (name.clone(), remote.wanted.clone());
                    let rpc = Rpc::accepted(r, key, stream, wanted.options());
                    let mut session = Session::new(rpc, name, wanted.options.read_only);
                    session.role = wanted.options.role;
                    self.add_session(r, number, session);
                }
                Ok(None) => return,
                Err(e) => {
                    base::warn!(r.log(), RPC_MODULE, "{name}: accept failed: {}", errno::text(&e));
                    return;
                }
            }
        }
    }

    /// Writes `is_connected` and `status` of rows that describe remotes.
    pub(crate) fn update_remote_status(&mut self, r: &Reactor) {
        let mut changes: BTreeMap<String, BTreeMap<usize, Vec<RowChange>>> = BTreeMap::new();
        for (name, remote) in &self.remotes.active {
            let Some((db, table, uuid)) = &remote.wanted.row else { continue };
            let Some(served) = self.dbs.get(db) else { continue };
            let Some(old) = served.db.table(*table).get(*uuid) else { continue };
            let (connected, status) = self.status_of(r, name, remote);
            let ts = &served.db.schema().tables[*table];
            let mut new: Row = old.clone();
            if let Some(c) = ts.column("is_connected") {
                new.set(c, Datum::one(connected));
            }
            if let Some(c) = ts.column("status") {
                new.set(c, Datum::string_map(status));
            }
            if let Some(c) = ts.column("n_connections").filter(|_| remote.listener.is_some()) {
                let n = self.sessions.values().filter(|s| s.remote == *name).count();
                new.set(c, Datum::one(n as i64));
            }
            if !new.same_data(old) {
                new.set(VERSION_COLUMN, Datum::one(self.uuids.next_uuid()));
                let change = RowChange { uuid: *uuid, old: Some(old.clone()), new: Some(new) };
                changes.entry(db.clone()).or_default().entry(*table).or_default().push(change);
            }
        }
        for (db, tables) in changes {
            if let Some(served) = self.dbs.get_mut(&db) {
                let tables = tables.into_iter().map(|(table, mut rows)| {
                    rows.sort_by_key(|r| r.uuid);
                    TableChanges { table, rows }
                });
                served.change(Changes { tables: tables.collect() });
            }
        }
    }

    fn status_of(&self, r: &Reactor, name: &str, remote: &Remote) -> (bool, Vec<(&'static str, String)>) {
        let mut status = Vec::new();
        if target::is_passive(name) {
            let n = self.sessions.values().filter(|s| s.remote == name).count();
            if let Some(port) = remote.listener.as_ref().and_then(Listener::port) {
                status.push(("bound_port", port.to_string()));
            }
            if n > 1 {
                status.push(("n_connections", n.to_string()));
            }
            status.push(("sec_since_connect", "0".into()));
            status.push(("sec_since_disconnect", "0".into()));
            return (n > 0, status);
        }
        let Some((number, session)) = remote.session.and_then(|n| Some((n, self.sessions.get(&n)?))) else {
            return (false, status);
        };
        let machine = session.rpc.reconnect();
        status.push(("state", machine.state().name().to_owned()));
        if let Some(e) = session.rpc.last_error() {
            status.push(("last_error", errno::text(e)));
        }
        let stats = machine.stats();
        let seconds = |at: base::Time| r.now().since(at).as_secs().to_string();
        if let Some(at) = stats.last_connected {
            status.push(("sec_since_connect", seconds(at)));
        }
        if let Some(at) = stats.last_disconnected {
            status.push(("sec_since_disconnect", seconds(at)));
        }
        let holds = |first: bool| {
            let of = |q: &std::collections::VecDeque<u64>| {
                q.iter().position(|s| *s == number).is_some_and(|at| (at == 0) == first)
            };
            let names: Vec<&str> =
                self.locks.iter().filter(|(_, q)| of(q)).map(|(l, _)| l.as_str()).collect();
            names.join(" ")
        };
        for (key, value) in [("locks_held", holds(true)), ("locks_waiting", holds(false))] {
            if !value.is_empty() {
                status.push((key, value));
            }
        }
        if session.locks_lost > 0 {
            status.push(("locks_lost", session.locks_lost.to_string()));
        }
        (session.rpc.is_connected(), status)
    }

    /// Ends all connections; those that the server makes are made again.
    pub(crate) fn reconnect_all(&mut self, r: &mut Reactor) {
        for number in self.sessions.keys().copied().collect::<Vec<_>>() {
            self.disconnect(r, number, "by user request");
        }
    }
}
