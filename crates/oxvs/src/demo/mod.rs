//! `oxvs demo`: the switch at work between hosts made for it, on a machine that has nothing but this program.
//!
//! This process moves into a network namespace of its own (and, without privileges, into a user namespace in which
//! it is root) and starts `oxvs run` there; each host is one more namespace with a cable into it. So nothing of the
//! machine is touched, and nothing is left: namespaces go with their processes, the switch is killed with this
//! process whatever ends it, and the state directory is removed.

mod http;
mod lan;
mod story;

use base::Clock;
use cli::fatal::{self, Fatal};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Duration;
use sys::signal::{Signal, Signals};

const COMMAND: &str = "oxvs demo";

const HELP: &str = "oxvs demo: shows the switch at work
usage: oxvs demo
Makes two hosts and a gateway out of network namespaces, starts a switch between
them, and shows a ping, a cloud's metadata redirection and a drop explained.
Works as root, and as any user where user namespaces are allowed. Everything is
gone when it ends; the exit status says whether all of it worked.
";

/// The command. `args`: without its name.
pub fn main(args: Vec<String>) -> ExitCode {
    match args.first().map(String::as_str) {
        None => {}
        Some("--help" | "-h") => {
            print!("{HELP}");
            return ExitCode::SUCCESS;
        }
        Some(other) => {
            return Fatal::new(format!("unexpected argument '{other}' (use --help for help)"))
                .report(COMMAND);
        }
    }
    fatal::run(COMMAND, || {
        let own = sys::process::is_superuser();
        own_namespace(own)?;
        let signals = Signals::new(&[Signal::Int, Signal::Term, Signal::Hup])
            .map_err(|e| Fatal::new(format!("watching signals: {e}")))?;
        let mut world = World::new(own)?;
        let told = story::tell(&mut world, &signals);
        drop(world);
        match told {
            Ok(()) => Ok(ExitCode::SUCCESS),
            Err(Stop::Failed(why)) => {
                println!("\nFAILED: {why}");
                Ok(ExitCode::FAILURE)
            }
            Err(Stop::Interrupted(signal)) => {
                drop(signals);
                println!("\ninterrupted; everything is cleaned up");
                sys::signal::die_of(signal.number())
            }
        }
    })
}

/// Why the story ends early.
enum Stop {
    Failed(String),
    Interrupted(Signal),
}

impl From<String> for Stop {
    fn from(why: String) -> Stop {
        Stop::Failed(why)
    }
}

fn own_namespace(superuser: bool) -> Result<(), Fatal> {
    let (r, advice) = if superuser {
        (sys::netns::unshare_net(), "this needs CAP_SYS_ADMIN, which containers often lack")
    } else {
        let advice = "user namespaces are not allowed here: run it as root, or allow them \
                      (sysctl kernel.unprivileged_userns_clone, user.max_user_namespaces, \
                      kernel.apparmor_restrict_unprivileged_userns)";
        (sys::netns::become_root_in_new_namespaces(), advice)
    };
    r.map_err(|e| Fatal::new(format!("cannot make a network namespace ({e}): {advice}")))
}

/// The switch, and where its state is. Goes with everything in it.
struct World {
    clock: Clock,
    /// This program, which is all the others too.
    program: PathBuf,
    state: PathBuf,
    switch: Option<Child>,
    superuser: bool,
}

impl World {
    fn new(superuser: bool) -> Result<World, Fatal> {
        let program =
            std::env::current_exe().map_err(|e| Fatal::new(format!("finding this program: {e}")))?;
        let state = std::env::temp_dir().join(format!("oxvs-demo-{}", std::process::id()));
        std::fs::create_dir(&state).map_err(|e| Fatal::new(format!("{}: {e}", state.display())))?;
        Ok(World { clock: Clock::real(), program, state, switch: None, superuser })
    }

    /// A command of one of our programs, with this switch's state.
    fn command(&self, program: &str) -> Command {
        let mut c = Command::new(&self.program);
        c.arg(program).stdin(Stdio::null());
        for variable in ["OVS_RUNDIR", "OVS_LOGDIR", "OVS_DBDIR", "OVS_SYSCONFDIR"] {
            c.env(variable, &self.state);
        }
        sys::process::kill_with_parent(&mut c);
        c
    }

    /// Starts `oxvs run` and waits until it says that it runs.
    fn start(&mut self) -> Result<(), String> {
        let said = self.state.join("said");
        let file = std::fs::File::create(&said).map_err(|e| e.to_string())?;
        let errors = file.try_clone().map_err(|e| e.to_string())?;
        let mut c = self.command("run");
        c.arg("--log-file").stdout(file).stderr(errors);
        self.switch = Some(c.spawn().map_err(|e| format!("starting the switch: {e}"))?);
        let text = || std::fs::read_to_string(&said).unwrap_or_default();
        self.wait(Duration::from_secs(10), |w| {
            if let Some(Ok(Some(status))) = w.switch.as_mut().map(Child::try_wait) {
                return Some(Err(format!("the switch ended ({status}): {}", text().trim())));
            }
            text().contains("is running").then_some(Ok(()))
        })
        .unwrap_or_else(|| Err(format!("the switch does not start: {}", text().trim())))
    }

    /// Runs one of our programs, after saying so; what it printed.
    fn tool(&self, program: &str, args: &[&str]) -> Result<String, String> {
        println!("   $ {program} {}", args.iter().map(|a| quoted(a)).collect::<Vec<_>>().join(" "));
        self.quietly(program, args)
    }

    /// Runs one of our programs; what it printed.
    fn quietly(&self, program: &str, args: &[&str]) -> Result<String, String> {
        let out = self.command(program).args(args).output().map_err(|e| format!("{program}: {e}"))?;
        if out.status.success() {
            return Ok(String::from_utf8_lossy(&out.stdout).into_owned());
        }
        Err(format!("{program}: {}", String::from_utf8_lossy(&out.stderr).trim()))
    }

    /// Asks again and again until there is an answer.
    fn wait<T>(&mut self, limit: Duration, mut answer: impl FnMut(&mut World) -> Option<T>) -> Option<T> {
        let start = self.clock.now();
        loop {
            if let Some(t) = answer(self) {
                return Some(t);
            }
            if self.clock.now() - start > limit {
                return None;
            }
            sys::process::sleep(Duration::from_millis(1));
        }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if let Some(mut switch) = self.switch.take() {
            let _ = sys::signal::kill(switch.id() as i32, Signal::Term.number());
            let ended = self.wait(Duration::from_secs(2), |_| switch.try_wait().ok().flatten());
            if ended.is_none() {
                let _ = switch.kill();
                let _ = switch.wait();
            }
        }
        remove(&self.state);
    }
}

fn remove(state: &Path) {
    if let Err(e) = std::fs::remove_dir_all(state) {
        eprintln!("{COMMAND}: {}: {e}", state.display());
    }
}

/// As a shell wants it.
fn quoted(arg: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=.:,/+@%".contains(c);
    if !arg.is_empty() && arg.chars().all(plain) { arg.to_string() } else { format!("'{arg}'") }
}
