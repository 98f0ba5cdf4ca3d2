//! `ovs-ofctl`: administers OpenFlow switches, and tries the OpenFlow codecs without one.

use crate::fatal::{self, Fatal};
use crate::version;
use std::process::ExitCode;

const PROGRAM: &str = "ovs-ofctl";

/// The program. `args`: without the program's name.
pub fn main(args: Vec<String>) -> ExitCode {
    fatal::run(PROGRAM, || match args.first().map(String::as_str) {
        Some("-V" | "--version") => {
            print!("{}", version::text(PROGRAM, &["OpenFlow versions 0x1:0x6"]));
            Ok(ExitCode::SUCCESS)
        }
        _ => Err(Fatal::new("missing command name; use --help for help")),
    })
}
