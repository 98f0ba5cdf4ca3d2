//! What the programs say they are. Clients parse the version of Open vSwitch that we are compatible with, so the
//! first line has its form; it is declared here and nowhere else.

/// The release of Open vSwitch whose interfaces we provide (`ovs_version` in the database).
pub const OVS_VERSION: &str = "3.5.0";
/// The version of the database schema that the switch speaks.
pub const DB_SCHEMA: &str = "8.8.0";
/// Our own version.
pub const OXVS_VERSION: &str = env!("CARGO_PKG_VERSION");

/// `ovs-vsctl (Open vSwitch) 3.5.0`: the first line of `--version`, the reply of the control command `version` and
/// the first log record of a daemon.
pub fn line(program: &str) -> String {
    format!("{program} (Open vSwitch) {OVS_VERSION}")
}

/// What `--version` prints. `extra`: lines that this program adds (`DB Schema 8.8.0`).
pub fn text(program: &str, extra: &[&str]) -> String {
    let mut s = line(program);
    for e in extra {
        s.push('\n');
        s.push_str(e);
    }
    s.push('\n');
    s
}
