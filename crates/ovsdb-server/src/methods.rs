//! The methods of the protocol (RFC 7047 section 4.1, ovsdb-server(7)).

use crate::database::Model;
use crate::server::Server;
use crate::session::{Encoded, notification};
use crate::system;
use ovsdb::convert::convert;
use ovsdb::json::{Object, Value};
use ovsdb::monitor::{Monitor, Version};
use ovsdb::parser::is_id;
use ovsdb::{Error, Schema, Uuid};
use reactor::Reactor;
use reactor::jsonrpc::Message;

/// What becomes of a request.
enum Answer {
    /// A result.
    Result(Value),
    /// A result that is text already.
    Text(String),
    /// An error.
    Error(Value),
    /// It comes later.
    Later,
}

impl From<Error> for Answer {
    fn from(e: Error) -> Answer {
        Answer::Error(e.to_json())
    }
}

type Params<'a> = &'a [Value];

fn empty() -> Answer {
    Answer::Result(Value::Object(Object::new()))
}

fn syntax(params: Params<'_>, details: impl Into<String>) -> Error {
    Error::syntax(&Value::Array(params.to_vec()), details)
}

impl Server {
    /// Handles a request of a session.
    pub(crate) fn request(
        &mut self,
        r: &mut Reactor,
        number: u64,
        id: Value,
        method: &str,
        params: Vec<Value>,
    ) {
        let answer = match method {
            "transact" => self.transact(r, number, &id, params).unwrap_or_else(Answer::from),
            "list_dbs" => {
                // The server's own first, as clients of Open_vSwitch know it.
                let others = self.dbs.keys().map(String::as_str).filter(|n| *n != system::NAME);
                Answer::Result(Value::Array(
                    [system::NAME].into_iter().chain(others).map(Value::from).collect(),
                ))
            }
            "get_schema" => match self.named_db(method, &params) {
                Ok(name) => Answer::Result(self.dbs[&name].db.schema().to_json()),
                Err(e) => e.into(),
            },
            "get_server_id" => Answer::Result(self.id.to_string().into()),
            "monitor" => self.monitor(number, Version::V1, method, &params),
            "monitor_cond" if self.conditional_monitors => self.monitor(number, Version::V2, method, &params),
            "monitor_cond_since" if self.conditional_monitors => {
                self.monitor(number, Version::V3, method, &params)
            }
            "monitor_cond_change" if self.conditional_monitors => {
                self.monitor_change(r, number, &params).unwrap_or_else(Answer::from)
            }
            "monitor_cancel" => self.monitor_cancel(number, &params),
            "lock" => self.lock(r, number, method, &params, false).unwrap_or_else(Answer::from),
            "steal" => self.lock(r, number, method, &params, true).unwrap_or_else(Answer::from),
            "unlock" => self.unlock(r, number, &params).unwrap_or_else(Answer::from),
            "set_db_change_aware" => self.set_change_aware(number, &params),
            "convert" => self.convert(r, number, &id, &params).unwrap_or_else(Answer::from),
            _ => Answer::Error("unknown method".into()),
        };
        let Some(session) = self.sessions.get_mut(&number) else { return };
        match answer {
            Answer::Later => {}
            Answer::Result(result) => session.rpc.send(r, &Message::Reply { id, result }),
            Answer::Error(error) => session.rpc.send(r, &Message::Error { id, error }),
            Answer::Text(result) => {
                let mut text = String::with_capacity(result.len() + 40);
                text.push_str("{\"id\":");
                id.write(&mut text);
                text.push_str(",\"result\":");
                text.push_str(&result);
                text.push_str(",\"error\":null}");
                if let Some(c) = session.rpc.connection_mut() {
                    c.send_text(r, text.as_bytes());
                }
            }
        }
    }

    /// The database that the first parameter names.
    fn named_db(&self, method: &str, params: Params<'_>) -> Result<String, Error> {
        let Some(name) = params.first().and_then(Value::as_str) else {
            return Err(syntax(params, format!("{method} request params must begin with <db-name>")));
        };
        match self.dbs.get(name) {
            Some(served) if served.available => return Ok(name.to_owned()),
            Some(_) => {
                let details = format!(
                    "{method} request specifies database {name} which is not yet available because it has not \
                     completed joining its cluster"
                );
                return Err(Error::new("database not available", details));
            }
            None => {}
        }
        let mut e = syntax(params, format!("{method} request specifies unknown database {name}"));
        e.tag = "unknown database".into();
        Err(e)
    }

    fn transact(
        &mut self,
        r: &mut Reactor,
        number: u64,
        id: &Value,
        mut params: Vec<Value>,
    ) -> Result<Answer, Error> {
        let db = self.named_db("transact", &params)?;
        params.remove(0);
        if let Some(operations) = self.pass_transaction(r, &db, number, id, params) {
            self.queue(r, &db, number, id.clone(), operations);
        }
        Ok(Answer::Later)
    }

    fn monitor(&mut self, number: u64, version: Version, method: &str, params: Params<'_>) -> Answer {
        self.try_monitor(number, version, method, params).unwrap_or_else(Answer::from)
    }

    fn try_monitor(
        &mut self,
        number: u64,
        version: Version,
        method: &str,
        params: Params<'_>,
    ) -> Result<Answer, Error> {
        let db = self.named_db(method, params)?;
        let (id, requests, last) = match (version, params) {
            (Version::V1, [_, id, requests, ..]) | (Version::V2, [_, id, requests]) => (id, requests, None),
            (Version::V3, [_, id, requests, last]) => (id, requests, Some(last)),
            _ => return Err(syntax(params, "invalid parameters")),
        };
        if requests.as_object().is_none() {
            return Err(Error::syntax(requests, "monitor-requests must be object"));
        }
        if self.sessions.get(&number).is_some_and(|s| s.monitor(id).is_some()) {
            return Err(Error::syntax(id, "duplicate monitor ID"));
        }
        let last = match last {
            None => Uuid::ZERO,
            Some(v) => {
                let text = v.as_str().ok_or_else(|| Error::syntax(v, "last-txn-id must be string"))?;
                text.parse().map_err(|()| Error::syntax(v, "last-txn-id must be UUID format."))?
            }
        };
        let served = &self.dbs[&db];
        let spec = Monitor::parse(served.db.schema(), requests, version)?;
        let mut text = String::new();
        let since = match version {
            Version::V3 => served.history.since(last),
            _ => None,
        };
        let newest = served.history.last();
        if version == Version::V3 {
            text.push_str(if since.is_some() { "[true,\"" } else { "[false,\"" });
            text.push_str(&newest.to_string());
            text.push_str("\",");
        }
        match &since {
            Some(changes) => {
                if !spec.update(served.db.schema(), changes, &mut text) {
                    text.push_str("{}");
                }
            }
            None => spec.initial(&served.db, &mut text),
        }
        if version == Version::V3 {
            text.push(']');
        }
        let spec = self.intern(spec);
        if let Some(s) = self.sessions.get_mut(&number) {
            s.add_monitor(id.clone(), db, spec);
        }
        Ok(Answer::Text(text))
    }

    fn monitor_change(&mut self, r: &mut Reactor, number: u64, params: Params<'_>) -> Result<Answer, Error> {
        let [old, new, requests] = params else { return Err(syntax(params, "invalid parameters")) };
        let Some(session) = self.sessions.get_mut(&number) else { return Ok(Answer::Later) };
        let Some(at) = session.monitor(old) else {
            return Err(Error::syntax(old, "unknown monitor session"));
        };
        if old != new && session.monitor(new).is_some() {
            return Err(Error::syntax(new, "duplicate monitor ID"));
        }
        let (db, spec) = (session.monitors[at].db.clone(), session.monitors[at].spec.clone());
        let served = &self.dbs[&db];
        let changed = spec.with_conditions(served.db.schema(), requests)?;
        // First what happened under the old conditions, then what the new ones add and take away.
        let last = served.history.last().to_string();
        session.flush(r, &db, served.db.schema(), &last, &mut Encoded::new(), true);
        let mut text = String::new();
        if spec.transition(&changed, &served.db, &mut text)
            && let Some(c) = session.rpc.connection_mut()
        {
            c.send_text(r, notification(new, spec.version, &last, &text).as_bytes());
        }
        let changed = self.intern(changed);
        if let Some(session) = self.sessions.get_mut(&number) {
            session.monitors[at].spec = changed;
            session.monitors[at].id = new.clone();
        }
        Ok(empty())
    }

    fn monitor_cancel(&mut self, number: u64, params: Params<'_>) -> Answer {
        let [id] = params else { return Answer::Error("invalid parameters".into()) };
        let Some(session) = self.sessions.get_mut(&number) else { return Answer::Later };
        match session.monitor(id) {
            Some(at) => {
                session.monitors.remove(at);
                empty()
            }
            None => Answer::Error("unknown monitor".into()),
        }
    }

    fn lock_name<'p>(method: &str, params: Params<'p>) -> Result<&'p str, Error> {
        match params {
            [Value::String(name)] if is_id(name) => Ok(name),
            _ => Err(syntax(params, format!("{method} request params must be <id>"))),
        }
    }

    fn lock(
        &mut self,
        r: &mut Reactor,
        number: u64,
        method: &str,
        params: Params<'_>,
        steal: bool,
    ) -> Result<Answer, Error> {
        let name = Server::lock_name(method, params)?;
        let queue = self.locks.entry(name.to_owned()).or_default();
        if queue.contains(&number) {
            return Err(syntax(params, format!("must issue \"unlock\" before new \"{method}\"")));
        }
        if steal {
            if let Some(victim) = queue.front().and_then(|n| self.sessions.get_mut(n)) {
                victim.locks_lost += 1;
                victim.rpc.send(r, &Message::notification("stolen", vec![name.into()]));
            }
            queue.push_front(number);
        } else {
            queue.push_back(number);
        }
        let locked = queue.front() == Some(&number);
        Ok(Answer::Result(Value::object([("locked", locked.into())])))
    }

    fn unlock(&mut self, r: &mut Reactor, number: u64, params: Params<'_>) -> Result<Answer, Error> {
        let name = Server::lock_name("unlock", params)?;
        if self.release(r, name, number) {
            return Ok(empty());
        }
        Err(syntax(params, "unlock: \"unlock\" without \"lock\" or \"steal\""))
    }

    fn set_change_aware(&mut self, number: u64, params: Params<'_>) -> Answer {
        let [Value::Bool(aware)] = params else {
            return syntax(params, "set_db_change_aware: true or false parameter expected").into();
        };
        if let Some(s) = self.sessions.get_mut(&number) {
            s.change_aware = *aware;
        }
        empty()
    }

    fn convert(
        &mut self,
        r: &mut Reactor,
        number: u64,
        id: &Value,
        params: Params<'_>,
    ) -> Result<Answer, Error> {
        let name = self.named_db("convert", params)?;
        let [_, schema] = params else { return Err(syntax(params, "array expected")) };
        let read_only = self.sessions.get(&number).is_some_and(|s| s.read_only);
        if read_only || self.dbs.get(&name).is_some_and(|d| d.read_only) {
            let details = format!("conversion is not allowed for read-only database {name}");
            return Err(Error::new("not allowed", details));
        }
        let schema = Schema::from_json(schema)?;
        if *schema.name != *name {
            let details = format!("new schema name ({}) does not match database name ({name})", schema.name);
            return Err(Error::new("invalid parameters", details));
        }
        if self.dbs.get(&name).is_some_and(|d| d.model == Model::Relay) {
            self.pass_convert(r, &name, number, id, params);
            return Ok(Answer::Later);
        }
        // What came before it happens before it.
        self.run_databases(r);
        let (now, date) = (r.now(), r.wall_millis());
        let Some(served) = self.dbs.get_mut(&name) else { return Ok(empty()) };
        let new = convert(&served.db, schema, &mut self.uuids)?;
        let old = std::mem::replace(&mut served.db, new);
        if let Err(e) = served.compact(now, date, "converted by ovsdb-server") {
            served.db = old;
            return Err(e);
        }
        self.forget_transactions(r, &name);
        self.cancel_monitors(r, &name);
        // Whoever asked for it may be among those who are disconnected now.
        if let Some(s) = self.sessions.get_mut(&number) {
            s.rpc.send(r, &Message::Reply { id: id.clone(), result: Value::Object(Object::new()) });
        }
        self.databases_changed(r, &format!("committed {name} database schema conversion"));
        Ok(Answer::Later)
    }
}
