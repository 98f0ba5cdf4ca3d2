//! Commands: their declaration and how a call finds its handler.

use crate::event::{Key, Reactor};
use ovsdb::json::{Object, Value};
use std::collections::BTreeMap;
use std::fmt::Write;

/// In which form the caller wants the reply.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Format {
    /// Text for people.
    #[default]
    Text,
    /// JSON: native where the command has it, otherwise the text in a wrapper.
    Json,
}

/// What a command answers when it succeeds.
#[derive(Clone, PartialEq, Debug)]
pub enum Reply {
    /// Text for people.
    Text(String),
    /// Native JSON.
    Json(Value),
}

impl From<String> for Reply {
    fn from(s: String) -> Reply {
        Reply::Text(s)
    }
}

impl From<&str> for Reply {
    fn from(s: &str) -> Reply {
        Reply::Text(s.to_string())
    }
}

impl From<Value> for Reply {
    fn from(v: Value) -> Reply {
        Reply::Json(v)
    }
}

/// What a handler did with a call.
#[derive(Clone, PartialEq, Debug)]
pub enum Outcome {
    /// It is done: the reply, or the text of the error.
    Done(Result<Reply, String>),
    /// The reply comes later, by the call's token.
    Later,
}

impl Outcome {
    /// Success.
    pub fn ok(reply: impl Into<Reply>) -> Outcome {
        Outcome::Done(Ok(reply.into()))
    }

    /// Failure.
    pub fn error(text: impl Into<String>) -> Outcome {
        Outcome::Done(Err(text.into()))
    }
}

impl From<Result<String, String>> for Outcome {
    fn from(r: Result<String, String>) -> Outcome {
        Outcome::Done(r.map(Reply::Text))
    }
}

/// By which a reply finds its way, however late. If the caller has gone, the reply is dropped.
#[derive(Clone, PartialEq, Debug)]
pub struct Token {
    pub(super) connection: Key,
    pub(super) id: Value,
    pub(super) format: Format,
}

/// A command that somebody called.
#[derive(Clone, PartialEq, Debug)]
pub struct Call {
    pub(super) token: Token,
    pub(super) name: String,
    pub(super) args: Vec<String>,
    /// Whether each argument came as a string.
    pub(super) all_strings: bool,
}

impl Call {
    /// A call that comes from nowhere, for tests and for commands that call others.
    pub fn internal(name: &str, args: &[&str], format: Format) -> Call {
        let token = Token { connection: Key::new(u16::MAX, 0), id: Value::Null, format };
        Call {
            token,
            name: name.to_string(),
            args: args.iter().map(|a| a.to_string()).collect(),
            all_strings: true,
        }
    }

    /// The command's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The arguments, without the name.
    pub fn args(&self) -> &[String] {
        &self.args
    }

    /// Argument `i`, or nothing.
    pub fn arg(&self, i: usize) -> Option<&str> {
        self.args.get(i).map(String::as_str)
    }

    /// In which form the caller wants the reply.
    pub fn format(&self) -> Format {
        self.token.format
    }

    /// To reply by, later.
    pub fn token(&self) -> Token {
        self.token.clone()
    }
}

/// What runs a command: gets the state, the loop and the call.
pub type Handler<S> = fn(&mut S, &mut Reactor, &Call) -> Outcome;

/// A command, declared.
pub struct Command<S> {
    /// The name: `vlog/set`.
    pub name: &'static str,
    /// Its arguments, as `list-commands` prints them.
    pub usage: &'static str,
    /// The fewest arguments it takes.
    pub min: usize,
    /// The most arguments it takes.
    pub max: usize,
    /// What it does.
    pub run: Handler<S>,
}

impl<S> Command<S> {
    /// A command.
    pub const fn new(
        name: &'static str,
        usage: &'static str,
        min: usize,
        max: usize,
        run: Handler<S>,
    ) -> Self {
        Command { name, usage, min, max, run }
    }
}

type Run<S> = Box<dyn Fn(&mut S, &mut Reactor, &Call) -> Outcome>;

struct Entry<S> {
    usage: &'static str,
    min: usize,
    max: usize,
    run: Run<S>,
}

/// The commands of a daemon whose state is `S`.
pub struct CommandTable<S> {
    entries: BTreeMap<&'static str, Entry<S>>,
}

impl<S: 'static> Default for CommandTable<S> {
    fn default() -> Self {
        CommandTable { entries: BTreeMap::new() }
    }
}

impl<S: 'static> CommandTable<S> {
    /// No commands but those that the table and the server answer themselves (`list-commands`, `set-options`).
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds commands on the whole state.
    pub fn add(&mut self, commands: &'static [Command<S>]) {
        self.add_part(commands, |s| s);
    }

    /// Adds commands of a component, which `part` finds in the state.
    pub fn add_part<P: 'static>(&mut self, commands: &'static [Command<P>], part: fn(&mut S) -> &mut P) {
        for c in commands {
            let run = Box::new(move |s: &mut S, r: &mut Reactor, call: &Call| (c.run)(part(s), r, call));
            self.entries.insert(c.name, Entry { usage: c.usage, min: c.min, max: c.max, run });
        }
    }

    /// Adds one command whose handler is a closure.
    pub fn add_fn(
        &mut self,
        name: &'static str,
        usage: &'static str,
        args: std::ops::RangeInclusive<usize>,
        run: impl Fn(&mut S, &mut Reactor, &Call) -> Outcome + 'static,
    ) {
        let entry = Entry { usage, min: *args.start(), max: *args.end(), run: Box::new(run) };
        self.entries.insert(name, entry);
    }

    /// Runs a call. `None`: the reply comes later.
    pub fn dispatch(&self, state: &mut S, r: &mut Reactor, call: &Call) -> Option<Result<Reply, String>> {
        let n = call.args.len();
        let (min, max) = match (&*call.name, self.entries.get(&*call.name)) {
            (_, Some(e)) => (e.min, e.max),
            ("list-commands", None) => (0, 0),
            ("set-options", None) => (1, 2),
            _ => {
                return Some(Err(format!(
                    "\"{}\" is not a valid command (use \"list-commands\" to see a list of valid commands)",
                    call.name
                )));
            }
        };
        if n < min {
            return Some(Err(format!("\"{}\" command requires at least {min} arguments", call.name)));
        }
        if n > max {
            return Some(Err(format!("\"{}\" command takes at most {max} arguments", call.name)));
        }
        if !call.all_strings {
            return Some(Err(format!("\"{}\" command has non-string argument", call.name)));
        }
        match self.entries.get(&*call.name) {
            Some(e) => match (e.run)(state, r, call) {
                Outcome::Done(result) => Some(result),
                Outcome::Later => None,
            },
            None if call.name == "set-options" => Some(parse_options(&call.args).map(|_| Reply::from(""))),
            None => Some(Ok(self.list(call.format()))),
        }
    }

    /// Names and usages in order.
    pub fn commands(&self) -> Vec<(&'static str, &'static str)> {
        let mut all: Vec<_> = self.entries.iter().map(|(&name, e)| (name, e.usage)).collect();
        for own in [("list-commands", ""), ("set-options", "[--format text|json]")] {
            if !self.entries.contains_key(own.0) {
                all.push(own);
            }
        }
        all.sort_unstable();
        all
    }

    fn list(&self, format: Format) -> Reply {
        let all = self.commands();
        if format == Format::Json {
            return Reply::Json(Value::Object(
                all.iter().map(|&(name, usage)| (name, Value::string(usage))).collect::<Object>(),
            ));
        }
        let mut s = String::from("The available commands are:\n");
        for (name, usage) in all {
            // Writing to a String cannot fail.
            let _ = writeln!(s, "  {name:<23} {usage}");
        }
        Reply::Text(s)
    }
}

/// Reads the arguments of `set-options`: the format, if it is set.
pub(super) fn parse_options(args: &[String]) -> Result<Option<Format>, String> {
    let mut format = None;
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        let inline = if arg == "--" {
            break;
        } else if let Some(option) = arg.strip_prefix("--") {
            let (name, value) = option.split_once('=').map_or((option, None), |(n, v)| (n, Some(v)));
            if name.is_empty() || !"format".starts_with(name) {
                return Err(format!("unrecognized option '--{option}'"));
            }
            value
        } else if let Some(option) = arg.strip_prefix("-f") {
            (!option.is_empty()).then_some(option)
        } else {
            continue;
        };
        let value = match inline.or_else(|| args.next().map(String::as_str)) {
            Some(v) => v,
            None => return Err("option '--format' requires an argument".to_string()),
        };
        format = Some(match value {
            "text" => Format::Text,
            "json" => Format::Json,
            _ => return Err(format!("option format has invalid value {value}")),
        });
    }
    Ok(format)
}
