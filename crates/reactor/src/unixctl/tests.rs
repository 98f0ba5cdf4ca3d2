use super::*;
use crate::coverage::Coverage;
use crate::event::{Environment, Event, Key, Reactor};
use crate::testing::{reactor, scratch};
use base::{Clock, Logger};
use ovsdb::json::Value;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

const COMPONENT: u16 = 3;
const COMMON: Key = Key::new(4, 0);

struct Daemon {
    common: common::Common,
    later: Vec<Token>,
    exiting: bool,
}

const COMMANDS: &[Command<Daemon>] = &[
    Command::new("exit", "[--cleanup]", 0, 1, |d, _, _| {
        d.exiting = true;
        Outcome::ok("")
    }),
    Command::new("concat", "words...", 1, 3, |_, _, call| Outcome::ok(call.args().concat())),
    Command::new("native", "", 0, 0, |_, _, call| match call.format() {
        Format::Text => Outcome::ok("text"),
        Format::Json => Outcome::ok(Value::Array(vec![Value::from(1)])),
    }),
    Command::new("later", "", 0, 0, |d, _, call| {
        d.later.push(call.token());
        Outcome::Later
    }),
    Command::new("waiting", "", 0, 0, |d, _, _| Outcome::ok(d.later.len().to_string())),
    Command::new("release", "", 0, 0, |_, _, _| Outcome::ok("released")),
];

/// Runs a daemon until it is told to exit.
fn daemon(dir: &Path) {
    let clock = Clock::simulated();
    let mut r = reactor(&clock, Logger::none(), dir);
    let mut server = Server::listen(&r, COMPONENT, "ctl").unwrap();
    let mut d = Daemon {
        common: common::Common::new("test (Open vSwitch) 1.2", Coverage::new(), COMMON),
        later: Vec::new(),
        exiting: false,
    };
    d.common.coverage.counter("hits").add(3);
    let mut table = CommandTable::new();
    table.add(COMMANDS);
    table.add_part(common::COMMANDS, |d: &mut Daemon| &mut d.common);
    table.add_part(common::TIME_COMMANDS, |d: &mut Daemon| &mut d.common);
    let mut events: Vec<Event> = Vec::new();
    while !d.exiting {
        assert!(r.turn_within(Duration::from_secs(10), &mut events).unwrap(), "nobody calls");
        for e in events.drain(..) {
            if let Some((token, result)) = d.common.run(e) {
                server.reply(&mut r, token, result);
            }
            server.run(&mut r, e);
            while let Some(call) = server.next_call() {
                if let Some(result) = table.dispatch(&mut d, &mut r, &call) {
                    server.reply(&mut r, call.token(), result);
                }
                if call.name() == "release" {
                    for token in std::mem::take(&mut d.later) {
                        server.reply(&mut r, token, Ok(Reply::from("at last")));
                    }
                }
            }
        }
    }
    server.flush(&mut r);
}

fn ask(s: &mut UnixStream, request: &str) -> String {
    s.write_all(request.as_bytes()).unwrap();
    let mut buf = [0; 4096];
    let n = s.read(&mut buf).unwrap();
    String::from_utf8_lossy(&buf[..n]).into_owned()
}

#[test]
fn commands_and_errors() {
    let dir = scratch("unixctl");
    std::thread::scope(|scope| {
        let path = dir.join("ctl");
        let server = scope.spawn(|| daemon(&dir));
        let mut s = loop {
            match UnixStream::connect(&path) {
                Ok(s) => break s,
                Err(_) => std::thread::yield_now(),
            }
        };
        for (request, want) in [
            (r#""method":"concat","params":["a","b"]"#, r#""result":"ab","error":null"#),
            (r#""method":"version","params":[]"#, r#""result":"test (Open vSwitch) 1.2","error":null"#),
            (
                r#""method":"nosuch","params":[]"#,
                r#""error":"\"nosuch\" is not a valid command (use \"list-commands\" to see a list of valid commands)""#,
            ),
            (
                r#""method":"version","params":[1]"#,
                r#""error":"\"version\" command takes at most 0 arguments""#,
            ),
            (
                r#""method":"concat","params":[]"#,
                r#""error":"\"concat\" command requires at least 1 arguments""#,
            ),
            (r#""method":"concat","params":[1]"#, r#""error":"\"concat\" command has non-string argument""#),
            (r#""method":"coverage/read-counter","params":["hits"]"#, r#""result":"3","error":null"#),
            (r#""method":"coverage/read-counter","params":["x"]"#, r#""error":"No such counter""#),
            (
                r#""method":"set-options","params":["--format"]"#,
                r#""error":"option '--format' requires an argument""#,
            ),
            (
                r#""method":"set-options","params":["--format","xx"]"#,
                r#""error":"option format has invalid value xx""#,
            ),
            (r#""method":"set-options","params":["--foo","xx"]"#, r#""error":"unrecognized option '--foo'""#),
            (
                r#""method":"set-options","params":[]"#,
                r#""error":"\"set-options\" command requires at least 1 arguments""#,
            ),
            (r#""method":"native","params":[]"#, r#""result":"text","error":null"#),
            (
                r#""method":"set-options","params":["--f=json"]"#,
                r#""result":{"reply":"","reply-format":"plain"},"error":null"#,
            ),
            (r#""method":"native","params":[]"#, r#""result":[1],"error":null"#),
            (
                r#""method":"concat","params":["a"]"#,
                r#""result":{"reply":"a","reply-format":"plain"},"error":null"#,
            ),
            (r#""method":"time/warp","params":["x"]"#, r#""error":"invalid MSECS""#),
            (r#""method":"time/warp","params":["1","0"]"#, r#""error":"invalid MSECS""#),
            (
                r#""method":"time/warp","params":["5000","100"]"#,
                r#""result":{"reply":"warped","reply-format":"plain"},"error":null"#,
            ),
        ] {
            assert_eq!(ask(&mut s, &format!("{{\"id\":7,{request}}}")), format!("{{\"id\":7,{want}}}"));
        }
        // A reply that comes later, and does not keep others waiting.
        let mut waiting = UnixStream::connect(&path).unwrap();
        waiting
            .write_all(br#"{"id":1,"method":"later","params":[]}{"id":2,"method":"concat","params":["x"]}"#)
            .unwrap();
        let mut gone = UnixStream::connect(&path).unwrap();
        gone.write_all(br#"{"id":1,"method":"later","params":[]}"#).unwrap();
        assert!(ask(&mut s, r#"{"id":8,"method":"concat","params":["still here"]}"#).contains("still here"));
        while !ask(&mut s, r#"{"id":8,"method":"waiting","params":[]}"#).contains("\"2\"") {
            std::thread::yield_now();
        }
        drop(gone);
        assert!(ask(&mut s, r#"{"id":8,"method":"release","params":[]}"#).contains("released"));
        let mut all = String::new();
        let mut buf = [0; 4096];
        while !all.contains("\"x\"") {
            let n = waiting.read(&mut buf).unwrap();
            assert!(n > 0, "closed after {all}");
            all.push_str(&String::from_utf8_lossy(&buf[..n]));
        }
        assert_eq!(all, r#"{"id":1,"result":"at last","error":null}{"id":2,"result":"x","error":null}"#);
        // What is no request ends the connection.
        assert_eq!(ask(&mut waiting, r#"{"id":null,"method":"version","params":[]}"#), "");
        let env = Environment::new(Logger::none(), dir.clone());
        let mut client = Client::connect(&path, env).unwrap();
        let list = client.transact("list-commands", &[]).unwrap().unwrap();
        assert_eq!(
            list.as_str().unwrap(),
            "The available commands are:\n  concat                  words...\n  \
             coverage/read-counter   COUNTER\n  coverage/show           \n  exit                    [--cleanup]\n  \
             later                   \n  list-commands           \n  native                  \n  \
             release                 \n  set-options             [--format text|json]\n  time/stop               \n  \
             time/warp               [large_msecs] msecs\n  version                 \n  waiting                 \n"
        );
        assert_eq!(client.transact("exit", &[]).unwrap(), Ok(Value::string("")));
        server.join().unwrap();
    });
    assert!(!dir.join("ctl").exists());
    std::fs::remove_dir_all(dir).unwrap();
}

#[test]
fn dispatch_of_parts() {
    let mut r = Reactor::new(Clock::simulated(), Environment::default()).unwrap();
    let mut table: CommandTable<u32> = CommandTable::new();
    table.add_fn("add", "N", 1..=1, |n, _, call| {
        *n += call.arg(0).unwrap().parse::<u32>().unwrap();
        Outcome::ok(n.to_string())
    });
    let mut state = 5;
    let call = Call::internal("add", &["3"], Format::Text);
    assert_eq!(table.dispatch(&mut state, &mut r, &call), Some(Ok(Reply::from("8"))));
    let list = table.dispatch(&mut state, &mut r, &Call::internal("list-commands", &[], Format::Json));
    let Some(Ok(Reply::Json(v))) = list else { panic!() };
    assert_eq!(v.to_string(), r#"{"add":"N","list-commands":"","set-options":"[--format text|json]"}"#);
}
