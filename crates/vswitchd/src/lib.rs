//! `ovs-vswitchd`: the switch as a daemon.
//!
//! One control thread runs everything here: it copies the database ([`database`]), makes the switch what it asks for
//! ([`bridge`]), and writes back what became of it. Packets are the polling threads' business.

mod daemon;
mod database;
mod options;
mod routing;
mod statistics;
mod waiter;

pub use daemon::{Daemon, Settings};

use base::Clock;
use cli::dirs::Dirs;
use cli::fatal::{self, Fatal};
use cli::vlog::Vlog;
use options::Parsed;
use std::process::ExitCode;

/// The program's name.
pub const PROGRAM: &str = "ovs-vswitchd";

/// `ovs-vswitchd`. `args` are without the program's name.
pub fn main(args: Vec<String>) -> ExitCode {
    fatal::run(PROGRAM, || run(&args))
}

fn run(args: &[String]) -> Result<ExitCode, Fatal> {
    let clock = Clock::real();
    let dirs = Dirs::from_env();
    let vlog = Vlog::new(PROGRAM, &dirs, &clock);
    vlog.environment()?;
    let options = match options::parse(args, &dirs, &vlog)? {
        Parsed::Go(o) => *o,
        Parsed::Done(text) => {
            print!("{text}");
            return Ok(ExitCode::SUCCESS);
        }
    };
    sys::set_name(PROGRAM);
    let mut process = options.daemon.start(&vlog)?;
    let mut daemon = Daemon::new(clock, vlog.clone(), dirs, options.settings)?;
    while !daemon.is_ended() {
        daemon.turn()?;
        if daemon.take_ready() {
            process.complete(&vlog)?;
        }
        daemon.announce();
    }
    let signal = daemon.ended_by();
    daemon.close();
    process.end();
    if let Some(signal) = signal {
        // Whoever waits for us sees what ended us.
        sys::signal::die_of(signal.number());
    }
    Ok(ExitCode::SUCCESS)
}
