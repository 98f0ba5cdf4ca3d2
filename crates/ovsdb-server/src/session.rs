//! One client's session: its monitors, and what it has not been told yet.

use ovsdb::Schema;
use ovsdb::db::Changes;
use ovsdb::json::Value;
use ovsdb::monitor::{Monitor, Version};
use ovsdb::transaction::Access;
use reactor::jsonrpc::Session as Rpc;
use reactor::{Key, Reactor};
use std::collections::HashMap;
use std::sync::Arc;

/// While more than this is on its way to a client, updates for it are gathered instead of sent.
const MUCH: usize = 4 << 20;
/// So many sets of changes are kept before they are made one.
const MANY: usize = 32;

/// A monitor of a session.
pub struct SessionMonitor {
    /// What the client calls it.
    pub id: Value,
    /// The database's name.
    pub db: String,
    /// What is monitored.
    pub spec: Arc<Monitor>,
    /// What happened since the last update.
    pending: Vec<Arc<Changes>>,
}

/// Updates that were written already in this turn, for whoever else wants the same.
pub type Encoded = HashMap<(usize, usize), Option<Arc<str>>>;

/// A client's session.
pub struct Session {
    /// The connection.
    pub rpc: Rpc,
    /// The remote that it came by.
    pub remote: String,
    /// The state of the connection when we last looked.
    pub seqno: u64,
    /// Its monitors.
    pub monitors: Vec<SessionMonitor>,
    /// Whether it wants to be told of databases that come and go, and not be disconnected.
    pub change_aware: bool,
    /// Whether it may only read.
    pub read_only: bool,
    /// Its role, if its access is controlled.
    pub role: Option<String>,
    /// Whether it is not read from at present.
    pub paused: bool,
    /// Whether messages wait that were read already.
    pub more: bool,
    /// Locks that were taken away from it since it began.
    pub locks_lost: u32,
}

impl Session {
    /// A session over a connection.
    pub fn new(rpc: Rpc, remote: String, read_only: bool) -> Session {
        let seqno = rpc.seqno();
        Session {
            rpc,
            remote,
            seqno,
            monitors: Vec::new(),
            change_aware: false,
            read_only,
            role: None,
            paused: false,
            more: false,
            locks_lost: 0,
        }
    }

    /// Who it is, if its access is controlled.
    pub fn access(&mut self) -> Option<Access> {
        let role = self.role.clone()?;
        let client = self.rpc.connection_mut().and_then(|c| c.channel_mut().peer_name());
        Some(Access { client, role })
    }

    /// Stops or resumes reading from the client.
    pub fn set_paused(&mut self, r: &Reactor, paused: bool) {
        if self.paused != paused
            && let Some(c) = self.rpc.connection_mut()
        {
            self.paused = paused;
            // If it fails, reading or writing will tell.
            let _ = c.channel_mut().pause(r, paused);
        }
    }

    /// The key of its events.
    pub fn key(&self) -> Key {
        self.rpc.key()
    }

    /// The monitor that the client calls `id`.
    pub fn monitor(&self, id: &Value) -> Option<usize> {
        self.monitors.iter().position(|m| m.id == *id)
    }

    /// Adds a monitor.
    pub fn add_monitor(&mut self, id: Value, db: String, spec: Arc<Monitor>) {
        self.monitors.push(SessionMonitor { id, db, spec, pending: Vec::new() });
    }

    /// Notes what happened to a database.
    pub fn note(&mut self, db: &str, changes: &Arc<Changes>) {
        for m in self.monitors.iter_mut().filter(|m| m.db == db) {
            if !changes.tables.iter().any(|t| m.spec.watches(t.table)) {
                continue;
            }
            m.pending.push(changes.clone());
            if m.pending.len() >= MANY {
                let merged = Changes::merge(m.pending.iter().map(|c| &**c));
                m.pending = vec![Arc::new(merged)];
            }
        }
    }

    /// Whether there is something to tell.
    pub fn has_news(&self) -> bool {
        self.monitors.iter().any(|m| !m.pending.is_empty())
    }

    /// Sends what there is to tell of a database, if the client keeps up (or anyway, if `must`).
    pub fn flush(
        &mut self,
        r: &mut Reactor,
        db: &str,
        schema: &Schema,
        last: &str,
        encoded: &mut Encoded,
        must: bool,
    ) {
        if !must && self.rpc.backlog() > MUCH {
            return;
        }
        for m in self.monitors.iter_mut().filter(|m| m.db == db && !m.pending.is_empty()) {
            let pending = std::mem::take(&mut m.pending);
            let text = match &pending[..] {
                [one] => {
                    let key = (Arc::as_ptr(&m.spec) as usize, Arc::as_ptr(one) as usize);
                    let fresh = || update_text(&m.spec, schema, one).map(Arc::from);
                    encoded.entry(key).or_insert_with(fresh).clone()
                }
                several => {
                    let merged = Changes::merge(several.iter().map(|c| &**c));
                    update_text(&m.spec, schema, &merged).map(Arc::from)
                }
            };
            if let (Some(text), Some(c)) = (text, self.rpc.connection_mut()) {
                c.send_text(r, notification(&m.id, m.spec.version, last, &text).as_bytes());
            }
        }
    }
}

fn update_text(spec: &Monitor, schema: &Schema, changes: &Changes) -> Option<String> {
    let mut text = String::new();
    spec.update(schema, changes, &mut text).then_some(text)
}

/// The text of an update notification.
pub fn notification(id: &Value, version: Version, last: &str, updates: &str) -> String {
    let mut text = String::with_capacity(updates.len() + 100);
    text.push_str("{\"id\":null,\"method\":\"");
    text.push_str(version.notification());
    text.push_str("\",\"params\":[");
    id.write(&mut text);
    text.push(',');
    if version == Version::V3 {
        text.push('"');
        text.push_str(last);
        text.push_str("\",");
    }
    text.push_str(updates);
    text.push_str("]}");
    text
}
