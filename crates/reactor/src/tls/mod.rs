//! TLS: `ssl:` and `pssl:` streams.
//!
//! Both sides of a connection show a certificate, and each trusts what the CA that it was configured with signed. Files
//! that change are read again before the next connection.

mod choice;
mod der;
mod session;
mod verify;

pub use session::Session;

use base::{Logger, error, warn};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::{CertifiedKey, SigningKey, SingleCertAndKey};
use rustls::{
    ClientConfig, Error, InconsistentKeys, ServerConfig, SupportedCipherSuite, SupportedProtocolVersion,
};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use crate::errno;
use verify::Verifier;

const MODULE: &str = "stream_ssl";

/// What the user configured; empty is not configured.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Settings {
    /// File with the private key.
    pub private_key: String,
    /// File with the certificate for it.
    pub certificate: String,
    /// File with the certificates of the CAs that sign peers' certificates; `none` trusts everyone.
    pub ca_cert: String,
    /// Whether `ca_cert`, if it does not exist, is obtained from the first peer.
    pub bootstrap: bool,
    /// File with certificates to show beside our own.
    pub peer_ca_cert: String,
    /// Protocols, such as `TLSv1.2+`.
    pub protocols: String,
    /// Ciphers for TLS 1.2, in OpenSSL's syntax.
    pub ciphers: String,
    /// Cipher suites for TLS 1.3.
    pub ciphersuites: String,
    /// The name to ask a server for, in place of the host name that it is connected to by.
    pub server_name: String,
}

/// What tells that a file has changed.
type Stamp = Option<(SystemTime, u64)>;

fn stamp(file: &str) -> Stamp {
    let meta = std::fs::metadata(file).ok()?;
    Some((meta.modified().ok()?, meta.len()))
}

/// What was read from a file.
struct Loaded<T> {
    stamp: Stamp,
    value: Option<T>,
}

impl<T> Default for Loaded<T> {
    fn default() -> Self {
        Loaded { stamp: None, value: None }
    }
}

impl<T> Loaded<T> {
    /// Reads the file if it is not what was read before. What could be used stays if it cannot be any more.
    /// True if something changed.
    fn refresh(&mut self, file: &str, force: bool, read: impl FnOnce(&Path) -> Option<T>) -> bool {
        if file.is_empty() {
            return force && std::mem::take(self).value.is_some();
        }
        let now = stamp(file);
        if !force && now == self.stamp {
            return false;
        }
        self.stamp = now;
        let value = read(Path::new(file));
        if value.is_some() || force {
            self.value = value;
        }
        true
    }
}

/// Keys and certificates, ready for use.
pub struct Tls {
    settings: Settings,
    provider: CryptoProvider,
    versions: Vec<&'static SupportedProtocolVersion>,
    key: Loaded<Arc<dyn SigningKey>>,
    chain: Loaded<Vec<CertificateDer<'static>>>,
    extra: Loaded<Vec<CertificateDer<'static>>>,
    cas: Loaded<Vec<CertificateDer<'static>>>,
    client: Option<Arc<ClientConfig>>,
    server: Option<Arc<ServerConfig>>,
}

impl Default for Tls {
    fn default() -> Self {
        Tls {
            settings: Settings::default(),
            provider: ring::default_provider(),
            versions: vec![&rustls::version::TLS12, &rustls::version::TLS13],
            key: Loaded::default(),
            chain: Loaded::default(),
            extra: Loaded::default(),
            cas: Loaded::default(),
            client: None,
            server: None,
        }
    }
}

/// What a client needs to begin.
#[derive(Clone)]
pub struct ClientSide {
    config: Arc<ClientConfig>,
    /// Where to put the CA certificate that the peer shows.
    bootstrap: Option<PathBuf>,
    server_name: String,
}

impl Tls {
    /// Takes settings; errors go to the log.
    pub fn configure(&mut self, settings: &Settings, log: &Logger) {
        if self.settings == *settings {
            return;
        }
        let old = std::mem::replace(&mut self.settings, settings.clone());
        self.load(
            log,
            [
                old.private_key != settings.private_key,
                old.certificate != settings.certificate,
                old.peer_ca_cert != settings.peer_ca_cert,
                (&old.ca_cert, old.bootstrap) != (&settings.ca_cert, settings.bootstrap),
            ],
        );
        self.choose(log);
        (self.client, self.server) = (None, None);
    }

    /// The settings.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    fn load(&mut self, log: &Logger, force: [bool; 4]) -> bool {
        let s = &self.settings;
        let bootstrap = s.bootstrap;
        let a = self.key.refresh(&s.private_key, force[0], |file| private_key(&self.provider, file, log));
        let b = self.chain.refresh(&s.certificate, force[1], |file| certificate(file, log));
        let c = self.extra.refresh(&s.peer_ca_cert, force[2], |file| peer_ca(file, log));
        let d = if s.ca_cert == "none" {
            if force[3] {
                warn!(log, MODULE, "Peer certificate validation disabled (this is a security risk)");
                self.cas = Loaded::default();
            }
            force[3]
        } else {
            self.cas.refresh(&s.ca_cert, force[3], |file| ca(file, bootstrap, log))
        };
        a | b | c | d
    }

    fn choose(&mut self, log: &Logger) {
        let s = &self.settings;
        let or = |text: &str, parse: fn(&str, &Logger) -> Option<Vec<SupportedCipherSuite>>| {
            if text.is_empty() { None } else { parse(text, log) }
        };
        if !s.protocols.is_empty()
            && let Some(versions) = choice::protocols(&s.protocols, log)
        {
            self.versions = versions;
        }
        let mut suites =
            or(&s.ciphersuites, choice::ciphersuites).unwrap_or_else(choice::default_ciphersuites);
        suites.extend(or(&s.ciphers, choice::ciphers).unwrap_or_else(choice::default_ciphers));
        self.provider.cipher_suites = suites;
    }

    /// Looks whether files have changed, and whether all that is needed is there.
    fn ready(&mut self, log: &Logger) -> io::Result<()> {
        if self.load(log, [false; 4]) {
            (self.client, self.server) = (None, None);
        }
        let ca = self.settings.ca_cert == "none" || self.settings.bootstrap || self.cas.value.is_some();
        let needed = [
            (self.key.value.is_some(), "Private key"),
            (self.chain.value.is_some(), "Certificate"),
            (ca, "CA certificate"),
        ];
        for (_, what) in needed.iter().filter(|(there, _)| !there) {
            error!(log, MODULE, "{what} must be configured to use SSL");
        }
        if needed.iter().all(|(there, _)| *there) { Ok(()) } else { Err(errno::os(libc::ENOPROTOOPT)) }
    }

    fn algorithms(&self) -> WebPkiSupportedAlgorithms {
        self.provider.signature_verification_algorithms
    }

    fn verifier(&self) -> Verifier {
        match (&self.cas.value, self.settings.ca_cert.as_str()) {
            (Some(cas), _) => Verifier::new(cas.clone(), self.algorithms()),
            (None, "none") => Verifier::trusting(self.algorithms()),
            // Only until the CA's certificate has come.
            (None, _) if self.settings.bootstrap => Verifier::trusting(self.algorithms()),
            (None, _) => Verifier::new(Vec::new(), self.algorithms()),
        }
    }

    /// Our key and certificate, followed by those of who signed it.
    fn identity(&self, log: &Logger) -> io::Result<Arc<SingleCertAndKey>> {
        let none = || errno::os(libc::ENOPROTOOPT);
        let mut chain = self.chain.value.clone().ok_or_else(none)?;
        match (&self.extra.value, &self.cas.value) {
            (Some(extra), _) => chain.extend(extra.iter().cloned()),
            (None, Some(cas)) => {
                let issuer = chain.last().and_then(|c| der::Certificate::parse(c)).map(|c| c.issuer.to_vec());
                let signer = cas.iter().find(|ca| {
                    der::Certificate::parse(ca).is_some_and(|c| Some(c.subject) == issuer.as_deref())
                });
                chain.extend(signer.filter(|s| chain.last() != Some(*s)).cloned());
            }
            (None, None) => {}
        }
        let key = CertifiedKey::new(chain, self.key.value.clone().ok_or_else(none)?);
        if let Err(Error::InconsistentKeys(InconsistentKeys::KeyMismatch)) = key.keys_match() {
            let why = "error:0A0000BE:SSL routines::no private key assigned";
            error!(log, MODULE, "Private key does not match certificate public key: {why}");
            return Err(none());
        }
        Ok(Arc::new(SingleCertAndKey::from(key)))
    }

    fn versions(&self, log: &Logger, call: &str) -> io::Result<&[&'static SupportedProtocolVersion]> {
        let suites = &self.provider.cipher_suites;
        if !self.versions.iter().any(|v| suites.iter().any(|s| s.version() == *v)) {
            warn!(log, MODULE, "{call}: error:0A0000BF:SSL routines::no protocols available");
            return Err(errno::protocol());
        }
        Ok(&self.versions)
    }

    /// For the active side.
    pub fn client(&mut self, log: &Logger) -> io::Result<ClientSide> {
        self.ready(log)?;
        let config = match &self.client {
            Some(config) => config.clone(),
            None => {
                let failed = |e: Error| {
                    warn!(log, MODULE, "SSL_connect: {e}");
                    errno::protocol()
                };
                let mut config = ClientConfig::builder_with_provider(Arc::new(self.provider.clone()))
                    .with_protocol_versions(self.versions(log, "SSL_connect")?)
                    .map_err(failed)?
                    .dangerous()
                    .with_custom_certificate_verifier(Arc::new(self.verifier()))
                    .with_client_cert_resolver(self.identity(log)?);
                config.resumption = rustls::client::Resumption::disabled();
                self.client.insert(Arc::new(config)).clone()
            }
        };
        let pending = self.settings.bootstrap && self.cas.value.is_none() && self.settings.ca_cert != "none";
        Ok(ClientSide {
            config,
            bootstrap: pending.then(|| PathBuf::from(&self.settings.ca_cert)),
            server_name: self.settings.server_name.clone(),
        })
    }

    /// For the passive side.
    pub fn server(&mut self, log: &Logger) -> io::Result<Arc<ServerConfig>> {
        self.ready(log)?;
        if let Some(config) = &self.server {
            return Ok(config.clone());
        }
        let failed = |e: Error| {
            warn!(log, MODULE, "SSL_accept: {e}");
            errno::protocol()
        };
        let builder = ServerConfig::builder_with_provider(Arc::new(self.provider.clone()))
            .with_protocol_versions(self.versions(log, "SSL_accept")?)
            .map_err(failed)?;
        let trusting = self.cas.value.is_none() && self.settings.ca_cert == "none";
        let builder = if trusting {
            builder.with_no_client_auth()
        } else {
            builder.with_client_cert_verifier(Arc::new(self.verifier()))
        };
        let mut config = builder.with_cert_resolver(self.identity(log)?);
        config.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(self.server.insert(Arc::new(config)).clone())
    }
}

/// The words for an error of the operating system, as OpenSSL has them.
fn system_error(e: &io::Error) -> String {
    let n = e.raw_os_error().unwrap_or(0);
    format!("error:{:08X}:system library::{}", 0x8000_0000u32 | n as u32, errno::text(e))
}

fn read(file: &Path) -> io::Result<Vec<u8>> {
    std::fs::read(file)
}

fn private_key(provider: &CryptoProvider, file: &Path, log: &Logger) -> Option<Arc<dyn SigningKey>> {
    const CALL: &str = "SSL_use_PrivateKey_file";
    let bytes = read(file).inspect_err(|e| error!(log, MODULE, "{CALL}: {}", system_error(e))).ok()?;
    let key = PrivateKeyDer::from_pem_slice(&bytes).ok();
    let key = key.and_then(|key| provider.key_provider.load_private_key(key).ok());
    if key.is_none() {
        error!(log, MODULE, "{CALL}: error:1E08010C:DECODER routines::unsupported");
    }
    key
}

fn certificates(bytes: &[u8]) -> Option<Vec<CertificateDer<'static>>> {
    let all: Vec<_> = CertificateDer::pem_slice_iter(bytes).collect::<Result<_, _>>().ok()?;
    (!all.is_empty()).then_some(all)
}

const NO_CERTIFICATE: &str = "error:0480006C:PEM routines::no start line";

fn certificate(file: &Path, log: &Logger) -> Option<Vec<CertificateDer<'static>>> {
    const CALL: &str = "SSL_use_certificate_file";
    let bytes = read(file).inspect_err(|e| error!(log, MODULE, "{CALL}: {}", system_error(e))).ok()?;
    let all = certificates(&bytes);
    if all.is_none() {
        error!(log, MODULE, "{CALL}: {NO_CERTIFICATE}");
    }
    all
}

fn peer_ca(file: &Path, log: &Logger) -> Option<Vec<CertificateDer<'static>>> {
    let bytes = read(file)
        .inspect_err(|e| {
            error!(log, MODULE, "failed to open {} for reading: {}", file.display(), errno::text(e))
        })
        .ok()?;
    certificates(&bytes)
}

/// Without a file, no CA is trusted, unless its certificate is to be obtained.
fn ca(file: &Path, bootstrap: bool, log: &Logger) -> Option<Vec<CertificateDer<'static>>> {
    let why = match read(file) {
        Ok(bytes) => match certificates(&bytes) {
            Some(all) => return Some(all),
            None => NO_CERTIFICATE.to_string(),
        },
        Err(e) if bootstrap && e.kind() == io::ErrorKind::NotFound => return None,
        Err(e) => system_error(&e),
    };
    error!(log, MODULE, "failed to load client certificates from {}: {why}", file.display());
    Some(Vec::new())
}

#[cfg(test)]
mod tests;
