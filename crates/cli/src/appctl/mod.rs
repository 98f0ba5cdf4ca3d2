//! `ovs-appctl`: sends a command to a daemon's control socket and prints the reply.

use crate::dirs::Dirs;
use crate::fatal::{self, Fatal};
use crate::options::{Opt, Options, Order};
use crate::vlog::{self, Vlog};
use crate::{timeout, version};
use base::{Clock, warn};
use ovsdb::json::Value;
use reactor::errno;
use reactor::event::Environment;
use reactor::unixctl::{Client, ClientError, Format};
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

const PROGRAM: &str = "ovs-appctl";

const OPTIONS: &[Opt] = &[
    Opt::value("target").short('t'),
    Opt::flag("execute").short('e'),
    Opt::value("format").short('f'),
    Opt::flag("help").short('h'),
    Opt::flag("option").short('o'),
    Opt::flag("pretty"),
    Opt::flag("version").short('V'),
    Opt::value("timeout").short('T'),
];

const HELP: &str = "\
ovs-appctl, for querying and controlling Open vSwitch daemon
usage: ovs-appctl [TARGET] COMMAND [ARG...]
Targets:
  -t, --target=TARGET  pidfile or socket to contact
Common commands:
  list-commands      List commands supported by the target
  version            Print version of the target
  vlog/list          List current logging levels
  vlog/list-pattern  List logging patterns for each destination.
  vlog/set [SPEC]
      Set log levels as detailed in SPEC, which may include:
      A valid module name (all modules, by default)
      'syslog', 'console', 'file' (all destinations, by default))
      'off', 'emer', 'err', 'warn', 'info', or 'dbg' ('dbg', bydefault)
  vlog/reopen        Make the program reopen its log file
Other options:
  --timeout=SECS     wait at most SECS seconds for a response
  -f, --format=FMT   Output format. One of: 'json', or 'text'
                     (default: text)
  --pretty           Format the output in a more readable fashion.
                     Requires: --format=json.
  -h, --help         Print this helpful information
  -V, --version      Display ovs-appctl version information
";

/// Exit status when the daemon refused.
const REFUSED: u8 = 2;

/// The program. `args`: without the program's name.
pub fn main(args: Vec<String>) -> ExitCode {
    fatal::run(PROGRAM, || {
        let dirs = Dirs::from_env();
        let vlog = Vlog::new(PROGRAM, &dirs, &Clock::real());
        vlog.environment()?;
        match parse(&args, &vlog)? {
            Parsed::Print(text) => {
                print(&text);
                Ok(ExitCode::SUCCESS)
            }
            Parsed::Run(request) => {
                timeout::arm(request.timeout, &vlog.logger())?;
                run(&request, &dirs, &vlog)
            }
        }
    })
}

struct Request {
    target: String,
    format: Format,
    pretty: bool,
    timeout: u32,
    command: String,
    args: Vec<String>,
}

enum Parsed {
    Print(String),
    Run(Request),
}

fn parse(args: &[String], vlog: &Arc<Vlog>) -> Result<Parsed, Fatal> {
    let options = Options::new(&[OPTIONS, vlog::OPTIONS]);
    let mut parser = options.parser(args, Order::First);
    let (mut target, mut marked) = (None, false);
    let (mut format, mut pretty, mut seconds) = (Format::Text, false, timeout::from_env());
    for given in parser.by_ref() {
        let given = given?;
        match given.id {
            "target" => {
                if target.replace(given.value().to_string()).is_some() {
                    return Err(Fatal::new("-t or --target may be specified only once"));
                }
            }
            // In former times commands had to be marked. (The misspelling is what scripts know.)
            "execute" if std::mem::replace(&mut marked, true) => {
                return Err(Fatal::new("-e or --execute may be speciifed only once"));
            }
            "execute" => {}
            "format" => {
                format = match given.value() {
                    "text" => Format::Text,
                    "json" => Format::Json,
                    other => return Err(Fatal::new(format!("value {other} on -f or --format is invalid"))),
                }
            }
            "pretty" => pretty = true,
            "timeout" => seconds = timeout::parse("-T", given.value())?,
            "help" => return Ok(Parsed::Print(HELP.to_string())),
            "option" => return Ok(Parsed::Print(options.listing())),
            "version" => return Ok(Parsed::Print(version::text(PROGRAM, &[]))),
            _ => {
                vlog.option(&given)?;
            }
        }
    }
    if pretty && format != Format::Json {
        return Err(Fatal::new("--pretty is supported with --format json only"));
    }
    let mut rest = parser.rest().into_iter();
    let Some(command) = rest.next() else {
        return Err(Fatal::new("at least one non-option argument is required (use --help for help)"));
    };
    let target = target.unwrap_or_else(|| "ovs-vswitchd".to_string());
    Ok(Parsed::Run(Request { target, format, pretty, timeout: seconds, command, args: rest.collect() }))
}

fn run(request: &Request, dirs: &Dirs, vlog: &Arc<Vlog>) -> Result<ExitCode, Fatal> {
    let path = control_socket(&request.target, dirs, vlog)?;
    let env = Environment::new(vlog.logger(), dirs.run.clone());
    let failed = |e| match e {
        ClientError::Connect(e) => {
            Fatal::new(format!("cannot connect to \"{}\" ({})", path.display(), errno::text(&e)))
        }
        ClientError::Transact(e) => {
            Fatal::new(format!("{}: transaction error ({})", request.target, errno::text(&e)))
        }
    };
    let mut client = Client::connect(&path, env).map_err(failed)?;
    if request.format == Format::Json {
        let args = ["--format".to_string(), "json".to_string()];
        if let Err(error) = client.transact("set-options", &args).map_err(failed)? {
            return refused(request, &error);
        }
    }
    match client.transact(&request.command, &request.args).map_err(failed)? {
        Ok(reply) => {
            print(&text_of(&reply, request.format, request.pretty)?);
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => refused(request, &error),
    }
}

fn refused(request: &Request, error: &Value) -> Result<ExitCode, Fatal> {
    // Errors are text in every format.
    let text = text_of(error, Format::Text, false)?;
    // What was printed before has to come first.
    let _ = std::io::stdout().flush();
    eprint!("{text}");
    Err(Fatal::new(format!("{}: server returned an error", request.target)).with_status(REFUSED))
}

/// What to print of a reply: lines.
fn text_of(reply: &Value, format: Format, pretty: bool) -> Result<String, Fatal> {
    let mut text = match (reply, format) {
        (v, Format::Json) if pretty => v.to_pretty(),
        (v, Format::Json) => v.to_string(),
        (Value::String(s), Format::Text) => s.clone(),
        (other, Format::Text) => {
            let text = format!("Unexpected reply type in JSON rpc reply: {}", other.kind());
            return Err(Fatal::new(text).with_status(REFUSED));
        }
    };
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    Ok(text)
}

/// The socket of a target: a path as it is, a program's name by its pidfile.
fn control_socket(target: &str, dirs: &Dirs, vlog: &Arc<Vlog>) -> Result<PathBuf, Fatal> {
    if target.starts_with('/') {
        return Ok(PathBuf::from(target));
    }
    let pidfile = dirs.pidfile(target);
    match sys::pidfile::read(&pidfile) {
        Ok(pid) => Ok(dirs.control_socket(target, pid)),
        Err(e) => {
            let (path, text) = (pidfile.display(), errno::text(&e));
            // A pidfile that a dead process left is no surprise.
            if e.raw_os_error() != Some(NO_SUCH_PROCESS) {
                warn!(vlog.logger(), "daemon_unix", "{path}: open: {text}");
            }
            Err(Fatal::new(format!("cannot read pidfile \"{path}\" ({text})")))
        }
    }
}

const NO_SUCH_PROCESS: i32 = 3;

/// Prints to standard output; a reader that has gone away is no error.
fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}
