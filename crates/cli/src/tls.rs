//! Options that name keys and certificates. The connection methods `ssl:` and `pssl:` are refused for now, with an
//! error that says so, where a connection is made.

use crate::fatal::Fatal;
use crate::options::{Given, Opt};

/// The options.
pub const OPTIONS: &[Opt] = &[
    Opt::value("private-key").short('p').id("tls:private-key"),
    Opt::value("certificate").short('c').id("tls:certificate"),
    Opt::value("ca-cert").short('C').id("tls:ca-cert"),
    Opt::value("ssl-protocols").id("tls:protocols"),
    Opt::value("ssl-ciphers").id("tls:ciphers"),
    Opt::value("ssl-ciphersuites").id("tls:ciphersuites"),
    Opt::value("bootstrap-ca-cert").id("tls:bootstrap-ca-cert"),
    Opt::value("peer-ca-cert").id("tls:peer-ca-cert"),
];

/// Takes an option if it is one of these: `Ok(false)` if not.
pub fn option(given: &Given) -> Result<bool, Fatal> {
    Ok(given.id.starts_with("tls:"))
}
