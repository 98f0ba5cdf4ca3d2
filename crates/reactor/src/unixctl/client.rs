//! The calling side, for programs that wait for the answer.

use crate::event::Environment;
use crate::jsonrpc::{self, Failure};
use base::{Level, record};
use ovsdb::json::Value;
use std::io;
use std::path::Path;

/// What went wrong between us and the daemon (a daemon that refuses a command is no error here).
#[derive(Debug)]
pub enum ClientError {
    /// The control socket could not be reached.
    Connect(io::Error),
    /// The connection broke before the answer.
    Transact(io::Error),
}

/// A connection to a control socket.
pub struct Client {
    rpc: jsonrpc::Client,
    env: Environment,
}

impl Client {
    /// Connects to the socket at `path`.
    pub fn connect(path: &Path, env: Environment) -> Result<Client, ClientError> {
        let name = format!("unix:{}", path.display());
        match jsonrpc::Client::connect(&name, env.clone()) {
            Ok(rpc) => Ok(Client { rpc, env }),
            Err(e) => {
                record!(env.log, Level::Warn, "unixctl", "failed to connect to {}", path.display());
                Err(ClientError::Connect(e))
            }
        }
    }

    /// Runs a command: `Ok` is what it replied, `Err` within is what it refused with.
    pub fn transact(&mut self, command: &str, args: &[String]) -> Result<Result<Value, Value>, ClientError> {
        let params = args.iter().map(|a| Value::string(a.as_str())).collect();
        match self.rpc.transact(command, params) {
            Ok(v) => Ok(Ok(v)),
            Err(Failure::Refused(v)) => Ok(Err(v)),
            Err(Failure::Io(e)) => {
                let text = crate::errno::text(&e);
                let name = self.rpc.name();
                record!(self.env.log, Level::Warn, "unixctl", "error communicating with {name}: {text}");
                Err(ClientError::Transact(e))
            }
        }
    }
}
