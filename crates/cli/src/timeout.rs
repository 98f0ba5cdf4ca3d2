//! `--timeout`: the program is ended by SIGALRM, which a shell reports as status 142, after a last log record.

use crate::fatal::Fatal;
use base::Logger;

/// The timeout that the environment asks for (`OVS_CTL_TIMEOUT`), in seconds; 0 if none.
pub fn from_env() -> u32 {
    std::env::var("OVS_CTL_TIMEOUT").ok().and_then(|s| s.trim().parse().ok()).unwrap_or(0)
}

/// Reads the value of `--timeout`, which is also called `short`: a number of seconds above zero.
pub fn parse(short: &str, value: &str) -> Result<u32, Fatal> {
    match value.parse::<u32>() {
        Ok(n) if n > 0 => Ok(n),
        _ => Err(Fatal::new(format!("value {value} on {short} or --timeout is invalid"))),
    }
}

/// Ends the process in `seconds`, unless that is 0.
pub fn arm(seconds: u32, log: &Logger) -> Result<(), Fatal> {
    if seconds == 0 {
        return Ok(());
    }
    let log = log.clone();
    let os =
        |e: std::io::Error| Fatal::new(format!("setting the timeout failed ({})", reactor::errno::text(&e)));
    // Blocked here (and in threads started later), so that the waiting thread gets it.
    let signals = sys::signal::Signals::new(&[sys::signal::Signal::Alarm]).map_err(os)?;
    // Without a name: what it logs, the program logs.
    std::thread::Builder::new()
        .spawn(move || {
            let ready = sys::epoll::wait_one(&signals, sys::epoll::Interest::READ, None);
            if ready.is_ok() && matches!(signals.next(), Ok(Some(_))) {
                let number = sys::signal::Signal::Alarm.number();
                base::warn!(
                    log,
                    "fatal_signal",
                    "terminating with signal {number} ({})",
                    sys::signal::name(number)
                );
                sys::signal::die_of(number);
            }
        })
        .map_err(os)?;
    sys::alarm(seconds);
    Ok(())
}
