//! The programs under test: a directory in which our binary has each of their names.

use crate::TempDir;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// The names that our binary acts by.
pub const NAMES: &[&str] = &[
    "oxvs",
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

/// Where the programs are.
#[derive(Debug)]
pub struct Programs {
    dir: PathBuf,
    /// Keeps the directory of links, if it is ours.
    _links: Option<TempDir>,
}

impl Programs {
    /// A directory of links to `binary`; or what `OXVS_BIN` says.
    ///
    /// # Panics
    /// When the directory cannot be made.
    pub fn of(binary: &str) -> Programs {
        if let Some(dir) = std::env::var_os("OXVS_BIN") {
            return Programs { dir: dir.into(), _links: None };
        }
        let links = TempDir::new();
        for name in NAMES {
            symlink(binary, links.join(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
        }
        Programs { dir: links.path().to_owned(), _links: Some(links) }
    }

    /// Path of a program.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// A command with a program's state below `state`, and nothing to read.
    pub fn command(&self, name: &str, state: &Path) -> Command {
        let mut c = Command::new(self.path(name));
        c.stdin(Stdio::null());
        for var in ["OVS_RUNDIR", "OVS_LOGDIR", "OVS_DBDIR", "OVS_SYSCONFDIR"] {
            c.env(var, state);
        }
        c.env_remove("OVS_PKGDATADIR").env_remove("OVN_RUNDIR");
        c
    }
}

/// What a command said, as text: standard output and error.
pub fn said(out: &Output) -> (String, String) {
    (String::from_utf8_lossy(&out.stdout).into_owned(), String::from_utf8_lossy(&out.stderr).into_owned())
}

/// The database schema of the switch, as it lies in the source tree.
pub fn schema() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../bridge/schema/vswitch.ovsschema")
}
