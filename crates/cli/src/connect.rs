//! What `--help` says of connection methods and of keys, in every program that connects.

/// Active connection methods to a database; `of` is what the program calls it.
pub fn active(of: &str) -> String {
    methods(
        "Active",
        of,
        [
            ("tcp:HOST:PORT", "PORT at remote HOST"),
            ("ssl:HOST:PORT", "SSL/TLS PORT at remote HOST"),
            ("unix:FILE", "Unix domain socket named FILE"),
        ],
    )
}

/// Passive ones.
pub fn passive(of: &str) -> String {
    methods(
        "Passive",
        of,
        [
            ("ptcp:PORT[:IP]", "listen to TCP PORT on IP"),
            ("pssl:PORT[:IP]", "listen for SSL/TLS on PORT on IP"),
            ("punix:FILE", "listen on Unix domain socket FILE"),
        ],
    )
}

/// Active connection methods to an OpenFlow switch or controller, whose port may be left out.
pub fn active_openflow() -> String {
    methods(
        "Active",
        "OpenFlow",
        [
            ("tcp:HOST[:PORT]", "PORT (default: 6653) at remote HOST"),
            ("ssl:HOST[:PORT]", "SSL/TLS PORT (default: 6653) at remote HOST"),
            ("unix:FILE", "Unix domain socket named FILE"),
        ],
    )
}

/// Passive ones.
pub fn passive_openflow() -> String {
    methods(
        "Passive",
        "OpenFlow",
        [
            ("ptcp:[PORT][:IP]", "listen to TCP PORT (default: 6653) on IP"),
            ("pssl:[PORT][:IP]", "listen for SSL/TLS on PORT (default: 6653) on IP"),
            ("punix:FILE", "listen on Unix domain socket FILE"),
        ],
    )
}

fn methods(side: &str, of: &str, lines: [(&str, &str); 3]) -> String {
    let mut out = format!("{side} {of} connection methods:\n");
    for (method, what) in lines {
        out.push_str(&format!("  {method:<23} {what}\n"));
    }
    out
}

/// The options on keys and certificates that every program has.
pub const KEYS: &str = "\
PKI configuration (required to use SSL/TLS):
  -p, --private-key=FILE  file with private key
  -c, --certificate=FILE  file with certificate for private key
  -C, --ca-cert=FILE      file with peer CA certificate
";

/// `--bootstrap-ca-cert`, where it is documented.
pub const BOOTSTRAP: &str = "  --bootstrap-ca-cert=FILE  file with peer CA certificate to read or create\n";

/// What TLS may use.
pub const TLS: &str = "\
SSL/TLS options:
  --ssl-protocols=PROTOS    range of SSL/TLS protocols to enable
  --ssl-ciphers=CIPHERS     list of SSL/TLS ciphers to enable
                            with TLSv1.2 and earlier
  --ssl-ciphersuites=SUITES list of SSL/TLS ciphersuites to
                            enable with TLSv1.3 and later
";
