//! The configuration file (`--config-file`): which databases there are, where their contents come from, and
//! which remotes, as one JSON object. What it says replaces what was there; `ovsdb-server/reload` reads it again.

use crate::database::Model;
use crate::remotes::RemoteOptions;
use crate::server::{MODULE, Server};
use crate::sources::{Kind, SourceOptions};
use base::{Logger, error, info, warn};
use ovsdb::Error;
use ovsdb::json::{self, Object, Value};
use ovsdb::parser::{Kind as Json, ObjectParser};
use reactor::{Reactor, errno};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

/// What the file says of a database.
#[derive(Clone, Debug, PartialEq)]
pub enum DbConfig {
    /// A file of this kind, or of whatever kind it is.
    File(Option<Model>),
    /// A relay of this source.
    Relay(SourceOptions),
    /// A file that may be a backup.
    ActiveBackup {
        /// Where the active database is.
        source: SourceOptions,
        /// Whether this is the backup.
        backup: bool,
        /// Tables that stay out of it.
        exclude: BTreeSet<String>,
    },
    /// A member of a cluster.
    Clustered,
}

/// What the file says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Config {
    /// The remotes with their options.
    pub remotes: BTreeMap<String, RemoteOptions>,
    /// The databases, by file or, for relays, by name.
    pub databases: BTreeMap<String, DbConfig>,
}

/// Reads the file; says what is wrong with it to the log.
pub fn read(path: &Path, log: &Logger) -> Option<Config> {
    let shown = path.display();
    let text = match std::fs::read(path) {
        Ok(text) => text,
        Err(e) => {
            let e = errno::text(&e);
            error!(log, MODULE, "failed to open configuration file '{shown}': {e}");
            return None;
        }
    };
    info!(log, MODULE, "loading configuration from '{shown}'");
    let config = match json::parse(&text) {
        Err(e) => {
            warn!(log, MODULE, "config: reading JSON failed ({e})");
            None
        }
        Ok(Value::Object(object)) => parse(&object, log),
        Ok(_) => {
            warn!(log, MODULE, "configuration in a file must be a JSON object");
            None
        }
    };
    if config.is_none() {
        warn!(log, MODULE, "failed to load configuration from {shown}");
    }
    config
}

fn parse(object: &Object, log: &Logger) -> Option<Config> {
    let mut config = Config::default();
    let member = |name: &str| match object.get(name) {
        None => {
            warn!(log, MODULE, "config: no '{name}' element");
            warn!(log, MODULE, "config: failed to parse '{name}'");
            None
        }
        Some(Value::Object(o)) => Some(o),
        Some(_) => {
            warn!(log, MODULE, "config: '{name}' is not a JSON object");
            warn!(log, MODULE, "config: failed to parse '{name}'");
            None
        }
    };
    for (target, options) in member("remotes")?.iter() {
        if !matches!(options, Value::Object(_) | Value::Null) {
            warn!(log, MODULE, "{target}: JSON-RPC options are not a JSON object or null");
            warn!(log, MODULE, "config: failed to parse 'remotes'");
            return None;
        }
        config.remotes.insert(target.to_owned(), rpc_options(options, true, log));
    }
    for (name, options) in member("databases")?.iter() {
        match database(name, options, log) {
            Ok(d) => {
                config.databases.insert(name.to_owned(), d);
            }
            Err(e) => {
                warn!(log, MODULE, "{e}");
                warn!(log, MODULE, "config: failed to parse 'databases'");
                return None;
            }
        }
    }
    Some(config)
}

/// The options of a connection; wrong ones are warned of and count for nothing.
fn rpc_options(json: &Value, listens: bool, log: &Logger) -> RemoteOptions {
    let mut options = RemoteOptions::default();
    if *json == Value::Null {
        return options;
    }
    let mut p = ObjectParser::new(json, "JSON-RPC options");
    let millis = |v: Option<&Value>| {
        v.and_then(Value::as_integer).and_then(|n| u64::try_from(n).ok()).map(Duration::from_millis)
    };
    options.max_backoff = millis(p.optional("max-backoff", Json::Integer));
    options.probe = millis(p.optional("inactivity-probe", Json::Integer));
    let dscp = p.optional("dscp", Json::Integer).and_then(Value::as_integer);
    options.dscp = dscp.and_then(|d| u8::try_from(d).ok()).filter(|d| *d < 64);
    if listens {
        let read_only = p.optional("read-only", Json::Bool).and_then(Value::as_bool);
        options.read_only = read_only.unwrap_or(false);
        options.role = p.optional("role", Json::String).and_then(Value::as_str).map(str::to_owned);
    }
    if let Err(e) = p.finish() {
        warn!(log, crate::server::RPC_MODULE, "{e}");
    }
    options
}

fn database(name: &str, json: &Value, log: &Logger) -> Result<DbConfig, Error> {
    let mut p = ObjectParser::new(json, format!("database {name}"));
    if json == &Value::Null {
        return Ok(DbConfig::File(None));
    }
    let model = p.optional("service-model", Json::String).and_then(Value::as_str);
    if p.error().is_some() {
        return p.finish().map(|()| DbConfig::File(None));
    }
    match model {
        None => p.finish().map(|()| DbConfig::File(None)),
        Some("standalone") => p.finish().map(|()| DbConfig::File(Some(Model::Standalone))),
        Some("clustered") => p.finish().map(|()| DbConfig::Clustered),
        Some("relay") => {
            let source = source(&mut p, log);
            p.finish()?;
            Ok(DbConfig::Relay(source.unwrap_or_default()))
        }
        Some("active-backup") => {
            let backup = p.required("backup", Json::Bool).and_then(Value::as_bool).unwrap_or(false);
            let source = source(&mut p, log);
            let mut exclude = BTreeSet::new();
            let list = p.optional("exclude-tables", Json::Array).and_then(Value::as_array);
            for table in list.unwrap_or_default() {
                match table.as_str() {
                    Some(t) => {
                        exclude.insert(t.to_owned());
                    }
                    None => p.complain("'exclude-tables' must contain strings"),
                }
            }
            p.finish()?;
            Ok(DbConfig::ActiveBackup { source: source.unwrap_or_default(), backup, exclude })
        }
        Some(other) => {
            warn!(log, MODULE, "Unrecognized database service model: '{other}'");
            p.complain(format!("'{other}' is not a valid service model"));
            p.finish().map(|()| DbConfig::File(None))
        }
    }
}

fn source(p: &mut ObjectParser<'_>, log: &Logger) -> Option<SourceOptions> {
    let object = p.required("source", Json::Object)?.as_object()?;
    if object.len() != 1 {
        p.complain("'source' should be an object with exactly one element");
        return None;
    }
    let (target, options) = object.iter().next()?;
    let o = rpc_options(options, false, log);
    Some(SourceOptions {
        targets: target.to_owned(),
        probe: o.probe,
        max_backoff: o.max_backoff,
        dscp: o.dscp,
    })
}

impl Server {
    /// Reads the configuration file and does as it says; false (and messages in the log) if something is wrong.
    pub(crate) fn load_config(&mut self, r: &mut Reactor) -> bool {
        let Some(path) = self.config_file.clone() else { return false };
        let Some(config) = read(&path, r.log()) else { return false };
        self.apply_config(r, config)
    }

    fn apply_config(&mut self, r: &mut Reactor, config: Config) -> bool {
        let gone: Vec<(String, String)> = self
            .configured
            .iter()
            .filter(|(file, _)| !config.databases.contains_key(*file))
            .map(|(file, db)| (file.clone(), db.clone()))
            .collect();
        for (file, db) in gone {
            self.configured.remove(&file);
            self.close(r, &db);
        }
        let mut good = true;
        for (file, wanted) in &config.databases {
            if let Err(e) = self.configure_database(r, file, wanted) {
                warn!(r.log(), MODULE, "failed to open database '{file}': {e}");
                warn!(r.log(), MODULE, "failed to configure databases");
                good = false;
                break;
            }
        }
        if let Err(e) = self.set_remotes_with(r, config.remotes) {
            warn!(r.log(), MODULE, "failed to configure remotes: {e}");
            good = false;
        }
        good
    }

    fn configure_database(&mut self, r: &mut Reactor, file: &str, wanted: &DbConfig) -> Result<(), Error> {
        let known = self.configured.get(file).cloned();
        let model = known.as_ref().and_then(|db| self.dbs.get(db)).map(|d| d.model);
        if let Some(db) = &known
            && (model == Some(Model::Relay)) != matches!(wanted, DbConfig::Relay(_))
        {
            self.configured.remove(file);
            self.close(r, db);
        }
        let db = match (self.configured.get(file), wanted) {
            (Some(db), _) => db.clone(),
            (None, DbConfig::Relay(_)) => self.add_relay(r, file)?,
            (None, DbConfig::Clustered) => {
                let details = format!("{file}: database is standalone and not clustered");
                return Err(Error::other(details));
            }
            (None, _) => self.open(r, file)?,
        };
        self.configured.insert(file.to_owned(), db.clone());
        let set_model = |s: &mut Server, model: Model| {
            if let Some(served) = s.dbs.get_mut(&db) {
                served.model = model;
            }
        };
        match wanted {
            DbConfig::File(_) | DbConfig::Clustered => {
                set_model(self, Model::Standalone);
                self.unfollow(r, &db);
            }
            DbConfig::Relay(source) => self.follow(r, &db, Kind::Relay, source.clone()),
            DbConfig::ActiveBackup { source, backup, exclude } => {
                set_model(self, Model::ActiveBackup);
                if *backup {
                    self.follow(r, &db, Kind::Backup { exclude: exclude.clone() }, source.clone());
                } else {
                    self.unfollow(r, &db);
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> Option<Config> {
        parse(json::parse(text).expect("JSON").as_object().expect("an object"), &Logger::none())
    }

    #[test]
    fn what_a_file_says() {
        let c = config(
            r#"{"remotes":{"punix:x":{"inactivity-probe":5,"read-only":true,"role":"r"},"ptcp:1":null},
                "databases":{"a":{},"b":{"service-model":"relay","source":{"tcp:h:1":{"max-backoff":7}}},
                "c":{"service-model":"active-backup","backup":true,"source":{"unix:y":{}},
                     "exclude-tables":["T"]}}}"#,
        )
        .expect("good");
        let x = &c.remotes["punix:x"];
        assert_eq!((x.probe, x.read_only), (Some(Duration::from_millis(5)), true));
        assert_eq!(x.role.as_deref(), Some("r"));
        assert_eq!(c.databases["a"], DbConfig::File(None));
        let DbConfig::Relay(s) = &c.databases["b"] else { panic!("not a relay") };
        assert_eq!((&*s.targets, s.max_backoff), ("tcp:h:1", Some(Duration::from_millis(7))));
        let DbConfig::ActiveBackup { backup: true, exclude, .. } = &c.databases["c"] else { panic!() };
        assert!(exclude.contains("T"));
    }

    #[test]
    fn what_is_refused() {
        for bad in [
            r#"{}"#,
            r#"{"remotes":{}}"#,
            r#"{"remotes":1,"databases":{}}"#,
            r#"{"remotes":{"punix:x":1},"databases":{}}"#,
            r#"{"remotes":{},"databases":{"a":1}}"#,
            r#"{"remotes":{},"databases":{"a":{"service-model":"foo"}}}"#,
            r#"{"remotes":{},"databases":{"a":{"service-model":"standalone","source":{}}}}"#,
            r#"{"remotes":{},"databases":{"a":{"service-model":"active-backup","backup":true}}}"#,
            r#"{"remotes":{},"databases":{"a":{"service-model":"relay","source":{"x":{},"y":{}}}}}"#,
        ] {
            assert_eq!(config(bad), None, "{bad}");
        }
    }
}
