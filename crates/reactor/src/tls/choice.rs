//! Which protocols and ciphers are offered: `--ssl-protocols`, `--ssl-ciphers`, `--ssl-ciphersuites`.

use base::{Logger, error, warn};
use rustls::crypto::ring::cipher_suite as suite;
use rustls::{SupportedCipherSuite, SupportedProtocolVersion, version};

const MODULE: &str = "stream_ssl";
const NAMES: [&str; 4] = ["TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"];

/// Parses a list of protocols, `A,B`, `A-B` or `A+`. What is in between is enabled too; versions before TLS 1.2 are
/// not offered even if they are asked for. `None` if the text is wrong.
pub fn protocols(text: &str, log: &Logger) -> Option<Vec<&'static SupportedProtocolVersion>> {
    let mut wanted = [false; NAMES.len()];
    let number = |name: &str| {
        let n = NAMES.iter().position(|n| *n == name);
        if n.is_none() {
            error!(log, MODULE, "{name}: SSL/TLS protocol not recognized");
        }
        n
    };
    for word in text.split([' ', ',', '\t']).filter(|w| !w.is_empty()) {
        let (low, high) = if let Some(low) = word.strip_suffix('+') {
            (number(low)?, NAMES.len() - 1)
        } else if let Some((a, b)) = word.split_once('-') {
            let (a, b) = (number(a)?, number(b)?);
            (a.min(b), a.max(b))
        } else {
            let n = number(word)?;
            (n, n)
        };
        wanted[low..=high].fill(true);
    }
    let first = wanted.iter().position(|w| *w)?;
    let last = wanted.iter().rposition(|w| *w)?;
    for (name, wanted) in NAMES.iter().zip(wanted).take(2) {
        if wanted {
            warn!(log, MODULE, "{name} protocol is deprecated");
        }
    }
    for (name, wanted) in NAMES.iter().zip(wanted).take(last).skip(first) {
        if !wanted {
            warn!(log, MODULE, "SSL/TLS protocol {name} is not configured, but will be enabled anyway.");
        }
    }
    let offered = [(2, &version::TLS12), (3, &version::TLS13)];
    Some(offered.into_iter().filter(|(n, _)| (first..=last).contains(n)).map(|(_, v)| v).collect())
}

struct Cipher {
    name: &'static str,
    suite: SupportedCipherSuite,
    words: &'static [&'static str],
}

const fn cipher(name: &'static str, suite: SupportedCipherSuite, words: &'static [&'static str]) -> Cipher {
    Cipher { name, suite, words }
}

/// The ciphers of TLS 1.2, strongest first, with the words that select them.
const TLS12: [Cipher; 6] = [
    cipher(
        "ECDHE-ECDSA-AES256-GCM-SHA384",
        suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
        &["aECDSA", "ECDSA", "AESGCM", "AES", "AES256", "SHA384"],
    ),
    cipher(
        "ECDHE-RSA-AES256-GCM-SHA384",
        suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
        &["aRSA", "AESGCM", "AES", "AES256", "SHA384"],
    ),
    cipher(
        "ECDHE-ECDSA-AES128-GCM-SHA256",
        suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        &["aECDSA", "ECDSA", "AESGCM", "AES", "AES128", "SHA256"],
    ),
    cipher(
        "ECDHE-RSA-AES128-GCM-SHA256",
        suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
        &["aRSA", "AESGCM", "AES", "AES128", "SHA256"],
    ),
    cipher(
        "ECDHE-ECDSA-CHACHA20-POLY1305",
        suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
        &["aECDSA", "ECDSA", "CHACHA20"],
    ),
    cipher(
        "ECDHE-RSA-CHACHA20-POLY1305",
        suite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
        &["aRSA", "CHACHA20"],
    ),
];

/// Words that select all of them.
const ALL: [&str; 8] = ["ALL", "DEFAULT", "HIGH", "ECDHE", "EECDH", "kECDHE", "kEECDH", "TLSv1.2"];

/// Parses an OpenSSL cipher list for TLS 1.2. `None` if nothing matches.
pub fn ciphers(text: &str, log: &Logger) -> Option<Vec<SupportedCipherSuite>> {
    let mut chosen: Vec<usize> = Vec::new();
    for word in text.split([':', ',', ' ', ';']).filter(|w| !w.is_empty() && !w.starts_with('@')) {
        let (remove, word) = match word.strip_prefix(['!', '-']) {
            Some(word) => (true, word),
            None => (false, word.strip_prefix('+').unwrap_or(word)),
        };
        let selects =
            |c: &Cipher| c.name == word || word.split('+').all(|w| ALL.contains(&w) || c.words.contains(&w));
        for (i, _) in TLS12.iter().enumerate().filter(|(_, c)| selects(c)) {
            if remove {
                chosen.retain(|c| *c != i);
            } else if !chosen.contains(&i) {
                chosen.push(i);
            }
        }
    }
    if chosen.is_empty() {
        error!(log, MODULE, "SSL_CTX_set_cipher_list: error:0A0000B9:SSL routines::no cipher match");
        return None;
    }
    Some(chosen.into_iter().map(|i| TLS12[i].suite).collect())
}

/// Parses a list of cipher suites for TLS 1.3. `None` if one is unknown.
pub fn ciphersuites(text: &str, log: &Logger) -> Option<Vec<SupportedCipherSuite>> {
    let one = |name: &str| match name {
        "TLS_AES_256_GCM_SHA384" => Some(suite::TLS13_AES_256_GCM_SHA384),
        "TLS_AES_128_GCM_SHA256" => Some(suite::TLS13_AES_128_GCM_SHA256),
        "TLS_CHACHA20_POLY1305_SHA256" => Some(suite::TLS13_CHACHA20_POLY1305_SHA256),
        _ => None,
    };
    let all: Option<Vec<_>> = text.split(':').filter(|w| !w.is_empty()).map(one).collect();
    if all.is_none() {
        error!(log, MODULE, "SSL_CTX_set_ciphersuites: error:0A0000B9:SSL routines::no cipher match");
    }
    all
}

/// The default ciphers of TLS 1.2.
pub fn default_ciphers() -> Vec<SupportedCipherSuite> {
    TLS12.iter().map(|c| c.suite).collect()
}

/// The default cipher suites of TLS 1.3.
pub fn default_ciphersuites() -> Vec<SupportedCipherSuite> {
    vec![
        suite::TLS13_AES_256_GCM_SHA384,
        suite::TLS13_AES_128_GCM_SHA256,
        suite::TLS13_CHACHA20_POLY1305_SHA256,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn protocol_lists() {
        let versions =
            |s: &str| protocols(s, &Logger::none()).map(|v| v.iter().map(|v| v.version).collect::<Vec<_>>());
        let (two, three) = (version::TLS12.version, version::TLS13.version);
        for (text, want) in [
            ("TLSv1.2", Some(vec![two])),
            ("TLSv1.3", Some(vec![three])),
            ("TLSv1.2+", Some(vec![two, three])),
            ("TLSv1.3-TLSv1.2", Some(vec![two, three])),
            ("TLSv1,TLSv1.3", Some(vec![two, three])),
            ("TLSv1.1", Some(vec![])),
            ("SSLv3", None),
            ("", None),
        ] {
            assert_eq!(versions(text), want, "{text}");
        }
    }

    #[test]
    fn cipher_lists() {
        let count = |s: &str| ciphers(s, &Logger::none()).map(|c| c.len());
        for (text, want) in [
            ("DEFAULT:@SECLEVEL=2", Some(6)),
            ("HIGH:!aNULL:!MD5", Some(6)),
            ("ECDHE-RSA-AES128-GCM-SHA256", Some(1)),
            ("ECDHE+AESGCM:!aECDSA", Some(2)),
            ("AES128", Some(2)),
            ("foo", None),
            ("ALL:!ALL", None),
        ] {
            assert_eq!(count(text), want, "{text}");
        }
        assert_eq!(ciphersuites("TLS_AES_128_GCM_SHA256", &Logger::none()).map(|c| c.len()), Some(1));
        assert!(ciphersuites("foo", &Logger::none()).is_none());
    }
}
