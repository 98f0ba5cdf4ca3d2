//! The directories, read from the environment once and passed on as a value.

use std::env;
use std::path::{Path, PathBuf};

/// Where things are.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Dirs {
    /// Sockets and pidfiles (`OVS_RUNDIR`).
    pub run: PathBuf,
    /// Log files (`OVS_LOGDIR`).
    pub log: PathBuf,
    /// Databases (`OVS_DBDIR`).
    pub db: PathBuf,
    /// Configuration (`OVS_SYSCONFDIR`).
    pub sysconf: PathBuf,
    /// Schemas (`OVS_PKGDATADIR`).
    pub pkgdata: PathBuf,
}

impl Dirs {
    /// From the environment, with the usual places as defaults.
    pub fn from_env() -> Dirs {
        Self::from_lookup(|name| env::var_os(name).map(PathBuf::from))
    }

    /// From something like the environment. The database directory follows the configuration directory unless it
    /// is set itself.
    pub fn from_lookup(get: impl Fn(&str) -> Option<PathBuf>) -> Dirs {
        let sysconf = get("OVS_SYSCONFDIR");
        Dirs {
            run: get("OVS_RUNDIR").unwrap_or_else(|| "/var/run/openvswitch".into()),
            log: get("OVS_LOGDIR").unwrap_or_else(|| "/var/log/openvswitch".into()),
            db: get("OVS_DBDIR").unwrap_or_else(|| match &sysconf {
                Some(d) => d.join("openvswitch"),
                None => "/etc/openvswitch".into(),
            }),
            sysconf: sysconf.unwrap_or_else(|| "/etc".into()),
            pkgdata: get("OVS_PKGDATADIR").unwrap_or_else(|| "/usr/share/openvswitch".into()),
        }
    }

    /// The database that the programs use unless told otherwise.
    pub fn default_db(&self) -> String {
        format!("unix:{}", self.run.join("db.sock").display())
    }

    /// The database file that `ovsdb-server` and `ovsdb-tool` use unless told otherwise.
    pub fn default_db_file(&self) -> PathBuf {
        self.db.join("conf.db")
    }

    /// The schema that `ovsdb-tool` uses unless told otherwise.
    pub fn default_schema(&self) -> PathBuf {
        self.pkgdata.join("vswitch.ovsschema")
    }

    /// The pidfile of `program`, unless named.
    pub fn pidfile(&self, program: &str) -> PathBuf {
        self.run.join(format!("{program}.pid"))
    }

    /// The log file of `program`, unless named.
    pub fn log_file(&self, program: &str) -> PathBuf {
        self.log.join(format!("{program}.log"))
    }

    /// The control socket of process `pid` of `program`, unless named.
    pub fn control_socket(&self, program: &str, pid: i32) -> PathBuf {
        self.run.join(format!("{program}.{pid}.ctl"))
    }
}

/// `path`, taken relative to `dir` unless it is absolute.
pub fn in_dir(dir: &Path, path: &str) -> PathBuf {
    dir.join(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_and_overrides() {
        let none = Dirs::from_lookup(|_| None);
        assert_eq!(none.default_db(), "unix:/var/run/openvswitch/db.sock");
        assert_eq!(none.default_db_file(), Path::new("/etc/openvswitch/conf.db"));
        assert_eq!(none.default_schema(), Path::new("/usr/share/openvswitch/vswitch.ovsschema"));
        let set = Dirs::from_lookup(|n| Some(format!("/x/{n}").into()));
        assert_eq!(set.pidfile("p"), Path::new("/x/OVS_RUNDIR/p.pid"));
        assert_eq!(set.log_file("p"), Path::new("/x/OVS_LOGDIR/p.log"));
        assert_eq!(set.control_socket("p", 7), Path::new("/x/OVS_RUNDIR/p.7.ctl"));
        assert_eq!(set.default_db_file(), Path::new("/x/OVS_DBDIR/conf.db"));
        assert_eq!(in_dir(&set.run, "/a"), Path::new("/a"));
    }
}
