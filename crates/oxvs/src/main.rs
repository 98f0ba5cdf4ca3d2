//! oxvs: one binary that acts by the name it is called by.

use std::path::Path;
use std::process::ExitCode;

type Main = fn(Vec<String>) -> ExitCode;

/// The programs by name. Each takes the arguments after the name.
const PROGRAMS: &[(&str, Main)] =
    &[("ovs-appctl", cli::appctl::main), ("ovs-vsctl", cli::vsctl::main), ("ovs-vswitchd", vswitchd::main), ("ovs-ofctl", cli::ofctl::main)];

fn main() -> ExitCode {
    let mut args = std::env::args_os().map(|a| a.to_string_lossy().into_owned());
    let called = args.next().unwrap_or_default();
    let name = Path::new(&called).file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let args: Vec<String> = args.collect();
    if let Some(run) = program(&name) {
        return run(args);
    }
    // `oxvs PROGRAM ARG...` does what `PROGRAM ARG...` does.
    if let Some((first, rest)) = args.split_first()
        && let Some(run) = program(first)
    {
        return run(rest.to_vec());
    }
    match args.split_first() {
        Some((first, _)) if matches!(first.as_str(), "--version" | "-V") => {
            println!("oxvs {}", cli::version::OXVS_VERSION);
            ExitCode::SUCCESS
        }
        Some((first, _)) if matches!(first.as_str(), "--help" | "-h") => {
            println!("{}", help());
            ExitCode::SUCCESS
        }
        Some((first, _)) => {
            eprintln!("oxvs: unknown command '{first}' (use --help for help)");
            ExitCode::FAILURE
        }
        None => usage(),
    }
}

fn program(name: &str) -> Option<Main> {
    PROGRAMS.iter().find(|(n, _)| *n == name).map(|&(_, run)| run)
}

fn usage() -> ExitCode {
    eprintln!("{}", help());
    ExitCode::FAILURE
}

fn help() -> String {
    let names: Vec<&str> = PROGRAMS.iter().map(|(n, _)| *n).collect();
    format!(
        "oxvs, a multilayer virtual switch\nusage: oxvs PROGRAM [ARG...]\nor call it by the name of the program: {}",
        names.join(", ")
    )
}
