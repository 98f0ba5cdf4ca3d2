//! Options that name keys and certificates.

use crate::options::{Given, Opt};
use reactor::tls::Settings;

/// The options.
pub const OPTIONS: &[Opt] = &[
    Opt::value("private-key").short('p').id("tls:private-key"),
    Opt::value("certificate").short('c').id("tls:certificate"),
    Opt::value("ca-cert").short('C').id("tls:ca-cert"),
    Opt::value("ssl-protocols").id("tls:protocols"),
    Opt::value("ssl-ciphers").id("tls:ciphers"),
    Opt::value("ssl-ciphersuites").id("tls:ciphersuites"),
];

/// An option of programs that others connect to.
pub const PEER_CA_CERT: Opt = Opt::value("peer-ca-cert").id("tls:peer-ca-cert");

/// The options of programs of the database, too.
pub const DATABASE: &[Opt] = &[
    Opt::value("bootstrap-ca-cert").id("tls:bootstrap-ca-cert"),
    PEER_CA_CERT,
    Opt::value("ssl-server-name").id("tls:server-name"),
];

/// Takes an option if it is one of these: false if not.
pub fn option(given: &Given, settings: &mut Settings) -> bool {
    let value = given.value.clone().unwrap_or_default();
    match given.id {
        "tls:private-key" => settings.private_key = value,
        "tls:certificate" => settings.certificate = value,
        "tls:ca-cert" => (settings.ca_cert, settings.bootstrap) = (value, false),
        "tls:bootstrap-ca-cert" => (settings.ca_cert, settings.bootstrap) = (value, true),
        "tls:protocols" => settings.protocols = value,
        "tls:ciphers" => settings.ciphers = value,
        "tls:ciphersuites" => settings.ciphersuites = value,
        "tls:peer-ca-cert" => settings.peer_ca_cert = value,
        "tls:server-name" => settings.server_name = value,
        _ => return false,
    }
    true
}
