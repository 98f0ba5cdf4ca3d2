//! Clients of the database that others wrote, unmodified: Python's `ovs` and `ovsdbapp`.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use testkit::TempDir;

const OXVS: &str = env!("CARGO_BIN_EXE_oxvs");

struct Daemon(Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A Python that has both: what `OXVS_PYTHON_OVSDB` says, or what `cargo xtask test` installs.
fn python() -> Option<PathBuf> {
    let target = PathBuf::from(OXVS);
    let mut places: Vec<PathBuf> =
        std::env::var_os("OXVS_PYTHON_OVSDB").map(PathBuf::from).into_iter().collect();
    places.extend(target.parent().and_then(Path::parent).map(|p| p.join("ovsdb/bin/python")));
    let found = places.into_iter().find(|p| {
        let mut c = Command::new(p);
        c.args(["-c", "import ovs.db.idl, ovsdbapp"]).stdout(Stdio::null()).stderr(Stdio::null());
        c.status().is_ok_and(|s| s.success())
    });
    if found.is_none() {
        testkit::skip("no Python with ovs and ovsdbapp (OXVS_PYTHON_OVSDB, or `cargo xtask test`)");
    }
    found
}

fn oxvs(dir: &Path, args: &[&str]) -> Command {
    let mut c = Command::new(OXVS);
    c.args(args).current_dir(dir).stdin(Stdio::null()).stdout(Stdio::null());
    c.stderr(std::fs::File::create(dir.join(format!("{}.log", args[0]))).expect("a log"));
    for name in ["OVS_RUNDIR", "OVS_LOGDIR", "OVS_DBDIR", "OVS_SYSCONFDIR"] {
        c.env(name, dir);
    }
    c
}

#[test]
fn python_clients() {
    let Some(python) = python() else { return };
    let dir = TempDir::new();
    let here = dir.join("");
    let schema = here.join("vswitch.ovsschema");
    let text = include_str!("../../bridge/schema/vswitch.ovsschema");
    std::fs::write(&schema, text).expect("a schema");
    let made = oxvs(&here, &["ovsdb-tool", "create", "conf.db", "vswitch.ovsschema"]).status();
    assert!(made.expect("ovsdb-tool runs").success());
    let server = ["ovsdb-server", "--remote=punix:db.sock", "--unixctl=none", "conf.db"];
    let _server = Daemon(oxvs(&here, &server).spawn().expect("a server"));
    // ovsdbapp waits until the switch has done as it was told.
    let switch = ["ovs-vswitchd", "--enable-dummy=override", "--disable-system", "--unixctl=none"];
    let _switch = Daemon(oxvs(&here, &switch).spawn().expect("a switch"));
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/database_clients.py");
    let remote = format!("unix:{}", here.join("db.sock").display());
    let run = Command::new(python).arg(script).arg(remote).arg(&schema).output().expect("Python runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(run.status.success(), "{}{}", text(&run.stdout), text(&run.stderr));
    assert_eq!(text(&run.stdout), "good\n");
}
