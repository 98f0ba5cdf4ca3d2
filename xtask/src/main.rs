//! Development tasks.
//!
//! * `cargo xtask links DIR [--release]`: builds `oxvs` and makes DIR with a link to it under each of the names that
//!   Open vSwitch's programs have, and the database schemas: what tools and test rigs that look for Open vSwitch want.
//! * `cargo xtask test`: installs what the tests need, checks formatting and lints, runs every test.

mod test;

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

const PROGRAMS: &[&str] = &[
    "ovs-vswitchd",
    "ovsdb-server",
    "ovsdb-tool",
    "ovsdb-client",
    "ovs-vsctl",
    "ovs-ofctl",
    "ovs-appctl",
    "ovs-dpctl",
    "vtep-ctl",
    "ovs-testcontroller",
];

const SCHEMAS: &[&str] = &["vswitch.ovsschema", "vtep.ovsschema"];

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let done = match args.as_slice() {
        ["links", dir] => links(Path::new(dir), false),
        ["links", dir, "--release"] | ["links", "--release", dir] => links(Path::new(dir), true),
        ["test"] => test::test(&root(), &target()),
        _ => Err("usage: cargo xtask links DIR [--release] | test".to_string()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("xtask: {e}");
            ExitCode::FAILURE
        }
    }
}

fn links(dir: &Path, release: bool) -> Result<(), String> {
    let root = root();
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    build.current_dir(&root).args(["build", "--package", "oxvs"]);
    if release {
        build.arg("--release");
    }
    let status = build.status().map_err(|e| format!("cargo: {e}"))?;
    if !status.success() {
        return Err("the build failed".to_string());
    }
    let target = target();
    let profile = if release { "release" } else { "debug" };
    let binary = target.join(profile).join("oxvs");
    fs::create_dir_all(dir).map_err(|e| format!("{}: {e}", dir.display()))?;
    for name in PROGRAMS.iter().chain(&["oxvs"]) {
        link(&binary, &dir.join(name))?;
    }
    for name in SCHEMAS {
        link(&root.join("crates/bridge/schema").join(name), &dir.join(name))?;
    }
    Ok(())
}

fn link(to: &Path, at: &Path) -> Result<(), String> {
    let fail = |e: io::Error| format!("{}: {e}", at.display());
    match fs::remove_file(at) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(fail(e)),
        _ => {}
    }
    symlink(to, at).map_err(fail)
}

/// Where cargo builds.
fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// The workspace's directory: above this package's.
fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}
