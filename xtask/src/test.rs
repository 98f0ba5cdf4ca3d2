//! `cargo xtask test`: all that must hold before anything is merged, from a fresh clone on.
//!
//! What the tests need beside the toolchain is installed first: system packages where this is the superuser on a
//! system with `apt-get`, and Python environments below `target/` with controllers of somebody else's. For the
//! superuser nothing may be skipped then; for everybody else tests say why they skip.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Programs that tests run, and the packages that have them.
const PACKAGES: &[(&str, &str)] = &[
    ("tshark", "tshark"),
    ("curl", "curl"),
    ("iperf3", "iperf3"),
    ("ip", "iproute2"),
    ("python3", "python3-venv"),
];

/// The last release of os-ken that has its example controllers, and what it runs on.
const OS_KEN: &[&str] = &["os-ken==1.4.1", "eventlet==0.41.3", "setuptools==65.5.0"];

/// Faucet, which wants a later os-ken.
const FAUCET: &[&str] = &["faucet==1.10.12", "eventlet==0.41.3", "setuptools==65.5.0"];

/// Clients of the database.
const OVSDB: &[&str] = &["ovs==4.0.0", "ovsdbapp==3.0.0"];

/// Runs everything.
pub fn test(root: &Path, target: &Path) -> Result<(), String> {
    let superuser = is_superuser();
    system_packages(superuser)?;
    let osken = python(&target.join("venv"), OS_KEN, superuser)?;
    let faucet = python(&target.join("faucet"), FAUCET, superuser)?;
    let ovsdb = python(&target.join("ovsdb"), OVSDB, superuser)?;
    cargo(root, &["fmt", "--all", "--check"], &[])?;
    cargo(root, &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"], &[])?;
    let mut variables = vec![
        ("OXVS_PYTHON", osken.as_path()),
        ("OXVS_FAUCET", faucet.as_path()),
        ("OXVS_PYTHON_OVSDB", ovsdb.as_path()),
    ];
    if superuser && can_make_namespaces() {
        variables.push(("OXVS_TEST_NO_SKIP", Path::new("1")));
    } else {
        println!("xtask: no privileges for network namespaces: tests that need them say so and skip");
    }
    cargo(root, &["test", "--workspace"], &variables)
}

fn system_packages(superuser: bool) -> Result<(), String> {
    let missing: Vec<&str> = PACKAGES.iter().filter(|(p, _)| !has(p)).map(|&(_, package)| package).collect();
    if missing.is_empty() {
        return Ok(());
    }
    if !superuser || !has("apt-get") {
        println!("xtask: please install {}; tests that need them skip until then", missing.join(", "));
        return Ok(());
    }
    println!("xtask: installing {}", missing.join(", "));
    let apt = |args: &[&str]| {
        let mut c = Command::new("apt-get");
        c.args(args).env("DEBIAN_FRONTEND", "noninteractive").stdin(Stdio::null()).stdout(Stdio::null());
        run(&mut c)
    };
    apt(&["-qq", "update"])?;
    apt(&[&["-qq", "-y", "--no-install-recommends", "install"], missing.as_slice()].concat())
}

/// A Python environment with some packages; made once, and again when they change.
fn python(venv: &Path, packages: &[&str], superuser: bool) -> Result<PathBuf, String> {
    let python = venv.join("bin/python");
    let stamp = venv.join("oxvs-packages");
    let wanted = packages.join("\n");
    if std::fs::read_to_string(&stamp).is_ok_and(|have| have == wanted) {
        return Ok(python);
    }
    println!("xtask: making {}", venv.display());
    if venv.exists() {
        std::fs::remove_dir_all(venv).map_err(|e| format!("{}: {e}", venv.display()))?;
    }
    let mut make = Command::new("python3");
    make.args(["-m", "venv"]).arg(venv);
    if let Err(e) = run(&mut make) {
        if superuser && has("apt-get") {
            // The interpreter may be there without what makes environments.
            run(Command::new("apt-get")
                .args(["-qq", "-y", "install", "python3-venv"])
                .stdout(Stdio::null()))?;
            run(&mut make)?;
        } else {
            println!("xtask: no Python environment ({e}): tests with controllers of others skip");
            return Ok(python);
        }
    }
    let mut install = Command::new(&python);
    install.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]).args(packages);
    run(&mut install)?;
    std::fs::write(&stamp, wanted).map_err(|e| format!("{}: {e}", stamp.display()))?;
    Ok(python)
}

fn cargo(root: &Path, args: &[&str], variables: &[(&str, &Path)]) -> Result<(), String> {
    println!("xtask: cargo {}", args.join(" "));
    let mut c = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    c.current_dir(root).args(args);
    for (name, value) in variables {
        c.env(name, value);
    }
    run(&mut c)
}

fn run(c: &mut Command) -> Result<(), String> {
    let name = c.get_program().to_string_lossy().into_owned();
    let args: Vec<String> = c.get_args().map(|a| a.to_string_lossy().into_owned()).collect();
    let status = c.status().map_err(|e| format!("{name}: {e}"))?;
    if status.success() { Ok(()) } else { Err(format!("{name} {}: {status}", args.join(" "))) }
}

/// Whether a program is in the path.
fn has(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/sbin".into()])
        .any(|d| d.join(program).is_file())
}

fn is_superuser() -> bool {
    let out = Command::new("id").arg("-u").output();
    out.is_ok_and(|o| o.stdout.trim_ascii() == b"0")
}

fn can_make_namespaces() -> bool {
    let c = Command::new("unshare").args(["-n", "true"]).stderr(Stdio::null()).status();
    c.is_ok_and(|s| s.success())
}
