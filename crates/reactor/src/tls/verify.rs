//! Whether a peer's certificate was signed by a CA that we trust.
//!
//! Host names are not looked at: both sides have certificates, and the CA signs only those that belong to the
//! installation. Certificates of version 1, and a trusted certificate shown by its owner itself, are common in such
//! installations, and are checked here because the TLS library does not take them.

use super::der::Certificate;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::{self, WebPkiSupportedAlgorithms};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore, SignatureScheme,
};

/// Trust in a set of CAs, or in everyone.
#[derive(Debug)]
pub struct Verifier {
    cas: Vec<CertificateDer<'static>>,
    roots: RootCertStore,
    subjects: Vec<DistinguishedName>,
    algorithms: WebPkiSupportedAlgorithms,
    trusting: bool,
}

impl Verifier {
    /// Trusts what `cas` signed.
    pub fn new(cas: Vec<CertificateDer<'static>>, algorithms: WebPkiSupportedAlgorithms) -> Verifier {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(cas.iter().cloned());
        let subjects = roots.subjects();
        Verifier { cas, roots, subjects, algorithms, trusting: false }
    }

    /// Trusts everyone.
    pub fn trusting(algorithms: WebPkiSupportedAlgorithms) -> Verifier {
        Verifier { trusting: true, ..Verifier::new(Vec::new(), algorithms) }
    }

    fn verify(
        &self,
        leaf: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), Error> {
        if self.trusting {
            return Ok(());
        }
        let bad = |e| Err(Error::InvalidCertificate(e));
        let Some(cert) = Certificate::parse(leaf) else { return bad(CertificateError::BadEncoding) };
        let is_ca = self.cas.iter().any(|ca| ca == leaf);
        if !is_ca && cert.version == 3 {
            let parsed = ParsedCertificate::try_from(leaf)?;
            let algorithms = self.algorithms.all;
            return verify_server_cert_signed_by_trust_anchor(&parsed, &self.roots, others, now, algorithms);
        }
        if now.as_secs() < cert.validity.0 {
            return bad(CertificateError::NotValidYet);
        }
        if now.as_secs() > cert.validity.1 {
            return bad(CertificateError::Expired);
        }
        if is_ca || self.cas.iter().any(|ca| self.signed(&cert, ca)) {
            return Ok(());
        }
        bad(CertificateError::UnknownIssuer)
    }

    /// Whether `ca` signed `cert` itself.
    fn signed(&self, cert: &Certificate<'_>, ca: &[u8]) -> bool {
        let Some(ca) = Certificate::parse(ca) else { return false };
        ca.subject == cert.issuer
            && self.algorithms.all.iter().any(|a| {
                a.signature_alg_id().as_ref() == cert.signature_algorithm
                    && a.public_key_alg_id().as_ref() == ca.key_algorithm
                    && a.verify_signature(ca.key, cert.tbs, cert.signature).is_ok()
            })
    }

    /// Whether the peer holds the key of a certificate of version 1. In TLS 1.3 a scheme stands for one
    /// algorithm, the first; in TLS 1.2 for several.
    fn proves(
        &self,
        message: &[u8],
        cert: &Certificate<'_>,
        dss: &DigitallySignedStruct,
        most: usize,
    ) -> bool {
        let algorithms = self.algorithms.mapping.iter().find(|(scheme, _)| *scheme == dss.scheme);
        algorithms.into_iter().flat_map(|(_, all)| all.iter().take(most)).any(|a| {
            a.public_key_alg_id().as_ref() == cert.key_algorithm
                && a.verify_signature(cert.key, message, dss.signature()).is_ok()
        })
    }

    fn signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
        tls13: bool,
    ) -> Result<HandshakeSignatureValid, Error> {
        match Certificate::parse(cert) {
            Some(c) if c.version < 3 => {
                let weak = matches!(
                    dss.scheme,
                    SignatureScheme::RSA_PKCS1_SHA256
                        | SignatureScheme::RSA_PKCS1_SHA384
                        | SignatureScheme::RSA_PKCS1_SHA512
                );
                if !(tls13 && weak) && self.proves(message, &c, dss, if tls13 { 1 } else { usize::MAX }) {
                    return Ok(HandshakeSignatureValid::assertion());
                }
                Err(Error::InvalidCertificate(CertificateError::BadSignature))
            }
            _ if tls13 => crypto::verify_tls13_signature(message, cert, dss, &self.algorithms),
            _ => crypto::verify_tls12_signature(message, cert, dss, &self.algorithms),
        }
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.verify(leaf, others, now).map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.signature(message, cert, dss, false)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.signature(message, cert, dss, true)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

impl ClientCertVerifier for Verifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.subjects
    }

    fn verify_client_cert(
        &self,
        leaf: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        // The library's check of a server's certificate also refuses those that are for clients only.
        match self.verify(leaf, others, now) {
            Err(Error::InvalidCertificate(e)) if is_purpose(&e) => self.verify_as_client(leaf, others, now),
            other => other,
        }
        .map(|()| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.signature(message, cert, dss, false)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.signature(message, cert, dss, true)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

fn is_purpose(e: &CertificateError) -> bool {
    matches!(e, CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. })
}

impl Verifier {
    fn verify_as_client(
        &self,
        leaf: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), Error> {
        let provider = rustls::crypto::ring::default_provider();
        let v = rustls::server::WebPkiClientVerifier::builder_with_provider(
            self.roots.clone().into(),
            provider.into(),
        )
        .build()
        .map_err(|e| Error::General(e.to_string()))?;
        v.verify_client_cert(leaf, others, now).map(|_| ())
    }
}
