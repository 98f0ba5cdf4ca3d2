//! Follows the bridges and ports of a switch, and can add to a bridge's `external_ids`.
//!
//! ```text
//! cargo run -p ovsdb --example replica -- /var/run/openvswitch/db.sock            # follow
//! cargo run -p ovsdb --example replica -- /var/run/openvswitch/db.sock br0 who me # set external_ids:who=me
//! ```
//!
//! The library does no I/O. What is needed around it is here in full: a socket, messages cut from its bytes, and a
//! loop that hands them over and sends what the replica wants sent.

use ovsdb::json::{Object, Parser, Value};
use ovsdb::replica::{Change, Config, Interest, Outcome, Record, Replica, TxnId, changes_of};
use ovsdb::{Datum, Uuid};
use std::collections::BTreeMap;
use std::error::Error;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

ovsdb::records! {
    /// A bridge, as far as we care.
    struct Bridge in "Bridge" {
        name: String,
        ports: Vec<Uuid>,
        external_ids: BTreeMap<String, String>,
    }

    /// A port.
    struct Port in "Port" {
        name: String,
        tag: Option<i64>,
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let path = args.next().ok_or("usage: replica SOCKET [BRIDGE KEY VALUE]")?;
    let wish: Vec<String> = args.collect();

    let mut interest = Interest::Tables(BTreeMap::new());
    Bridge::add_to(&mut interest);
    Port::add_to(&mut interest);
    let mut replica = Replica::new(Config { database: "Open_vSwitch".into(), interest, lock: None }, [7; 32]);

    let mut server = Server::connect(&path)?;
    replica.connected();
    let mut under_way: Option<TxnId> = None;
    loop {
        if server.exchange(&mut replica).is_err() {
            // What it holds stays; the new server is asked for what has happened since.
            replica.disconnected();
            server = Server::connect(&path)?;
            replica.connected();
            continue;
        }
        if let Some(error) = replica.error() {
            return Err(error.into());
        }
        if !replica.is_ready() {
            continue;
        }
        print_changes(&mut replica)?;
        match (wish.as_slice(), under_way) {
            ([bridge, key, value], None) => under_way = Some(set_id(&mut replica, bridge, key, value)?),
            (_, Some(id)) => match replica.outcome(id) {
                // Somebody else was faster: look again.
                Some(Outcome::TryAgain) => under_way = None,
                Some(outcome) => {
                    println!("{outcome:?}");
                    return Ok(());
                }
                None => {}
            },
            _ => {}
        }
    }
}

fn print_changes(replica: &mut Replica) -> Result<(), Box<dyn Error>> {
    let changes = replica.take_changes();
    let schema = replica.schema().ok_or("no schema")?.clone();
    Bridge::check(&schema)?;
    Port::check(&schema)?;
    for change in changes_of::<Bridge>(&schema, &changes) {
        match change {
            Change::Inserted(b) => println!("+ bridge {} with {} ports", b.name, b.ports.len()),
            Change::Modified { old, new } => {
                println!("  bridge {}: {} ports, was {}", new.name, new.ports.len(), old.ports.len());
            }
            Change::Deleted(b) => println!("- bridge {}", b.name),
        }
    }
    for change in changes_of::<Port>(&schema, &changes) {
        match change {
            Change::Inserted(p) => println!("+ port {} tag {:?}", p.name, p.tag),
            Change::Modified { old, new } => {
                println!("  port {} tag {:?} -> {:?}", new.name, old.tag, new.tag)
            }
            Change::Deleted(p) => println!("- port {}", p.name),
        }
    }
    Ok(())
}

/// Sets one key of a bridge's `external_ids`, relying on the bridge still having its name.
fn set_id(replica: &mut Replica, bridge: &str, key: &str, value: &str) -> Result<TxnId, Box<dyn Error>> {
    let b = replica.records::<Bridge>().find(|b| b.name == bridge).ok_or("no such bridge")?;
    let mut txn = replica.begin();
    let db = replica.db().ok_or("no contents")?;
    let table = db.schema().table(Bridge::TABLE).ok_or("no bridges")?;
    let column = |name| db.schema().tables[table].column(name).ok_or("no such column");
    txn.verify(table, b.uuid, column("name")?);
    let pair = Datum::string_map([(key, value)]);
    txn.mutate(db, table, b.uuid, column("external_ids")?, &pair, &Datum::EMPTY);
    txn.comment("replica example");
    Ok(replica.commit(txn))
}

/// The connection: messages over a socket.
struct Server {
    socket: UnixStream,
    parser: Parser,
}

impl Server {
    fn connect(path: &str) -> std::io::Result<Server> {
        Ok(Server { socket: UnixStream::connect(path)?, parser: Parser::new() })
    }

    /// Sends what there is to send, and takes one message.
    fn exchange(&mut self, replica: &mut Replica) -> Result<(), Box<dyn Error>> {
        self.send_from(replica)?;
        let message = self.receive()?;
        self.take(replica, message)?;
        Ok(())
    }

    fn send_from(&mut self, replica: &mut Replica) -> std::io::Result<()> {
        while let Some(q) = replica.poll_send() {
            let params = Value::Array(q.params);
            let id = Value::Integer(q.id);
            let message = Value::object([("id", id), ("method", q.method.into()), ("params", params)]);
            self.socket.write_all(message.to_string().as_bytes())?;
        }
        Ok(())
    }

    fn receive(&mut self) -> Result<Value, Box<dyn Error>> {
        let mut byte = [0];
        while !self.parser.is_done() {
            // A real program reads more at once and keeps what belongs to the next message.
            self.socket.read_exact(&mut byte)?;
            self.parser.feed(&byte);
        }
        Ok(std::mem::take(&mut self.parser).finish()?)
    }

    fn take(&mut self, replica: &mut Replica, message: Value) -> std::io::Result<()> {
        let Value::Object(mut message) = message else { return Ok(()) };
        let mut part = |name: &str| Object::remove(&mut message, name).filter(|v| *v != Value::Null);
        let (id, method, params) = (part("id"), part("method"), part("params"));
        match (method, id) {
            (Some(method), None) => {
                let params = params.as_ref().and_then(Value::as_array).unwrap_or_default();
                replica.on_notification(method.as_str().unwrap_or_default(), params);
            }
            // The server's probe.
            (Some(_), Some(id)) => {
                let reply = Value::object([
                    ("id", id),
                    ("result", params.unwrap_or(Value::Array(Vec::new()))),
                    ("error", Value::Null),
                ]);
                self.socket.write_all(reply.to_string().as_bytes())?;
            }
            (None, Some(id)) => {
                let result = match part("error") {
                    Some(error) => Err(error),
                    None => Ok(part("result").unwrap_or(Value::Null)),
                };
                replica.on_reply(&id, result);
            }
            (None, None) => {}
        }
        Ok(())
    }
}
