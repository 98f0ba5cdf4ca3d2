//! oxvs: one binary that acts by the name it is called by.

mod demo;
mod run;

use std::path::Path;
use std::process::ExitCode;

type Main = fn(Vec<String>) -> ExitCode;

/// The programs by name. Each takes the arguments after the name.
const PROGRAMS: &[(&str, Main)] = &[
    ("ovs-appctl", cli::appctl::main),
    ("ovs-dpctl", cli::dpctl::main),
    ("ovs-ofctl", cli::ofctl::main),
    ("ovs-testcontroller", cli::testcontroller::main),
    ("ovs-vsctl", cli::vsctl::main),
    ("ovs-vswitchd", vswitchd::main),
    ("ovsdb-client", cli::ovsdb_client::main),
    ("ovsdb-server", ovsdb_server::main),
    ("ovsdb-tool", cli::ovsdb_tool::main),
    ("vtep-ctl", cli::vtepctl::main),
];

/// What is ours alone: `oxvs COMMAND`.
const COMMANDS: &[(&str, Main, &str)] = &[
    ("run", run::main, "database and switch in one process"),
    ("help", cli::manual::help, "help field [NAME], help action [NAME]: what flows can match and do"),
    ("completion", cli::manual::completion, "completion bash: a script that completes command lines"),
    ("demo", demo::main, "shows the switch at work between hosts made for it"),
];

/// Programs that do not mind whether anybody reads what they print.
const UNMINDFUL: &[&str] = &["ovs-vsctl", "vtep-ctl", "ovsdb-client", "ovs-vswitchd", "ovsdb-server"];

/// A reader of our output that has gone away ends the program without a word: as it ends other programs, or (where
/// the program is one that never minds) as if all had been written.
fn end_quietly_without_reader(minds: bool) {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        let said = info.payload().downcast_ref::<String>().map_or("", String::as_str);
        if said.starts_with("failed printing to std") && said.contains("Broken pipe") {
            if !minds {
                std::process::exit(0);
            }
            sys::signal::die_of(sys::signal::PIPE);
        }
        usual(info);
    }));
}

fn main() -> ExitCode {
    let mut args = std::env::args_os().map(|a| a.to_string_lossy().into_owned());
    let called = args.next().unwrap_or_default();
    let name = Path::new(&called).file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let args: Vec<String> = args.collect();
    end_quietly_without_reader(!UNMINDFUL.contains(&name.as_str()));
    if let Some(run) = program(&name) {
        return run(args);
    }
    if let Some((first, rest)) = args.split_first()
        && let Some((_, command, _)) = COMMANDS.iter().find(|(n, _, _)| n == first)
    {
        return command(rest.to_vec());
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
    let commands: Vec<String> = COMMANDS.iter().map(|(n, _, what)| format!("  {n:<8}{what}")).collect();
    format!(
        "oxvs, a multilayer virtual switch\nusage: oxvs COMMAND [ARG...]\n{}\nor: oxvs PROGRAM [ARG...], or a link to it by the name of the program: {}",
        commands.join("\n"),
        names.join(", ")
    )
}
