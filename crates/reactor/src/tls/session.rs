//! One TLS connection over a TCP socket that does not block.

use super::der::Certificate;
use super::{ClientSide, MODULE};
use crate::errno;
use base::log::RateLimit;
use base::{Level, Logger, error, info};
use rustls::pki_types::ServerName;
use rustls::{
    AlertDescription, CertificateError, ClientConnection, Connection, Error, ServerConfig, ServerConnection,
};
use sha1::{Digest, Sha1};
use std::fmt::Write as _;
use std::io::{self, IoSlice, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The connection.
pub struct Session {
    tcp: TcpStream,
    conn: Connection,
    bootstrap: Option<PathBuf>,
    log: Logger,
    warnings: RateLimit,
    failed: bool,
    heard: bool,
}

impl Session {
    /// The active side, to a host known by `host`.
    pub fn client(tcp: TcpStream, side: ClientSide, host: &str, log: Logger) -> io::Result<Session> {
        let name = if side.server_name.is_empty() { host } else { &side.server_name };
        let name = ServerName::try_from(name.to_string()).map_err(|_| errno::os(libc::EINVAL))?;
        let conn = ClientConnection::new(side.config, name).map_err(|_| errno::protocol())?;
        Ok(Session::new(tcp, conn.into(), side.bootstrap, log))
    }

    /// The passive side.
    pub fn server(tcp: TcpStream, config: Arc<ServerConfig>, log: Logger) -> io::Result<Session> {
        let conn = ServerConnection::new(config).map_err(|_| errno::protocol())?;
        Ok(Session::new(tcp, conn.into(), None, log))
    }

    fn new(tcp: TcpStream, conn: Connection, bootstrap: Option<PathBuf>, log: Logger) -> Session {
        Session { tcp, conn, bootstrap, log, warnings: RateLimit::new(10, 25), failed: false, heard: false }
    }

    /// The socket.
    pub fn tcp(&self) -> &TcpStream {
        &self.tcp
    }

    /// Goes on with the handshake: true when it is done.
    pub fn handshake(&mut self) -> io::Result<bool> {
        loop {
            self.push()?;
            if !self.conn.is_handshaking() {
                break;
            }
            if !self.pull()? {
                return Ok(false);
            }
        }
        match self.bootstrap.take() {
            None => Ok(true),
            Some(file) => Err(self.obtain_ca(&file)),
        }
    }

    /// Whether there is output that the socket has not taken.
    pub fn wants_write(&self) -> bool {
        self.conn.wants_write()
    }

    /// Reads what the peer said; 0 bytes means that it has closed.
    pub fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.conn.reader().read(buf) {
                Err(e) if errno::is_again(&e) => {}
                // Closing the socket without a word is common, and is no harm: messages say how long they are.
                Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(0),
                other => return other,
            }
            if !self.pull()? {
                return Err(errno::os(libc::EAGAIN));
            }
        }
    }

    /// Reads on from what has been decrypted: 0 bytes if there is no more.
    pub fn read_decrypted(&mut self, buf: &mut [u8]) -> usize {
        self.conn.reader().read(buf).unwrap_or(0)
    }

    /// Writes as much as fits.
    pub fn write(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        self.push()?;
        if self.conn.wants_write() && !self.conn.is_handshaking() {
            return Err(errno::os(libc::EAGAIN));
        }
        let n = self.conn.writer().write_vectored(parts)?;
        if n == 0 {
            return Err(errno::os(libc::EAGAIN));
        }
        self.push()?;
        Ok(n)
    }

    /// Hands the socket what it takes.
    pub fn push(&mut self) -> io::Result<()> {
        while self.conn.wants_write() {
            match self.conn.write_tls(&mut self.tcp) {
                Ok(_) => {}
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) if errno::is_again(&e) => break,
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    /// The common name in the peer's certificate.
    pub fn peer_name(&self) -> Option<String> {
        Certificate::parse(self.conn.peer_certificates()?.first()?)?.common_name()
    }

    /// Takes records from the socket: false if there are none now.
    fn pull(&mut self) -> io::Result<bool> {
        if self.failed {
            return Err(errno::protocol());
        }
        self.listen();
        match self.conn.read_tls(&mut self.tcp) {
            Ok(0) if self.conn.is_handshaking() => {
                Err(self.fail_at(Level::Err, "unexpected SSL_ERROR_ZERO_RETURN"))
            }
            // Told by the reader from now on.
            Ok(_) => match self.conn.process_new_packets() {
                Ok(_) => self.push().map(|()| true),
                Err(e) => {
                    let _ = self.push();
                    Err(self.fail(&words(&e)))
                }
            },
            Err(e) if e.kind() == io::ErrorKind::Interrupted => Ok(true),
            Err(e) if errno::is_again(&e) => Ok(false),
            Err(e) => Err(e),
        }
    }

    /// Looks whether the peer speaks another protocol, to say so: the error that follows does not.
    fn listen(&mut self) {
        let mut first = [0; 8];
        let n = match self.heard {
            true => return,
            false => self.tcp.peek(&mut first).unwrap_or(0),
        };
        self.heard = n > 0;
        let what = match first[..n] {
            [b'{', ..] => "JSON-RPC",
            [1..=6, 0, 0, _, ..] => "OpenFlow",
            _ => return,
        };
        let peer = self.tcp.peer_addr().map(|a| a.to_string()).unwrap_or_default();
        let text = format_args!("ssl:{peer}: received {what} data on SSL/TLS channel");
        self.log.write_limited(&self.warnings, MODULE, Level::Warn, text);
    }

    fn fail(&mut self, why: &str) -> io::Error {
        self.fail_at(Level::Warn, why)
    }

    fn fail_at(&mut self, level: Level, why: &str) -> io::Error {
        self.failed = true;
        let call = match (self.conn.is_handshaking(), &self.conn) {
            (false, _) => "SSL_read",
            (true, Connection::Client(_)) => "SSL_connect",
            (true, Connection::Server(_)) => "SSL_accept",
        };
        let text = format_args!("{call}: {why}");
        self.log.write_limited(&self.warnings, MODULE, level, text);
        errno::protocol()
    }

    /// Trusts the CA that the peer shows from now on. This connection ends, as nobody has checked it.
    fn obtain_ca(&mut self, file: &Path) -> io::Error {
        let log = &self.log;
        let fail = |why: &str| error!(log, MODULE, "could not bootstrap CA cert: {why}");
        let chain = self.conn.peer_certificates().unwrap_or_default();
        let Some((last, cert)) = chain.last().and_then(|c| Some((c, Certificate::parse(c)?))) else {
            fail("no certificate presented by peer");
            return errno::protocol();
        };
        if cert.subject != cert.issuer {
            fail("obtained certificate is not self-signed (subject issuer mismatch)");
            if chain.len() == 1 {
                let what = "so probably the peer is not configured to send its CA certificate";
                error!(log, MODULE, "only one certificate was received, {what}");
            }
            return errno::protocol();
        }
        let written = std::fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o444)
            .open(file)
            .and_then(|mut f| f.write_all(pem(last).as_bytes()));
        match written {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
                info!(log, MODULE, "reading CA cert {} created by another process", file.display());
                return errno::protocol();
            }
            Err(e) => {
                fail(&format!("creating {} failed: {}", file.display(), errno::text(&e)));
                return e;
            }
            Ok(()) => {}
        }
        info!(log, MODULE, "successfully bootstrapped CA cert to {}", file.display());
        let mut print = String::new();
        for (i, byte) in Sha1::digest(last).iter().enumerate() {
            let _ = write!(print, "{}{byte:02x}", if i > 0 { ":" } else { "" });
        }
        let who = cert.subject_line();
        info!(log, MODULE, "Trusting CA cert from {} ({who}) (fingerprint {print})", file.display());
        info!(log, MODULE, "killing successful connection to retry using CA cert");
        errno::protocol()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.conn.send_close_notify();
        let _ = self.push();
    }
}

fn pem(der: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut s = String::from("-----BEGIN CERTIFICATE-----");
    for (i, three) in der.chunks(3).enumerate() {
        if i % 16 == 0 {
            s.push('\n');
        }
        let bits = three.iter().chain([&0, &0]).take(3).fold(0u32, |n, b| n << 8 | u32::from(*b));
        for digit in 0..4 {
            let d = DIGITS[(bits >> (18 - 6 * digit)) as usize & 63];
            s.push(if digit <= three.len() { char::from(d) } else { '=' });
        }
    }
    s.push_str("\n-----END CERTIFICATE-----\n");
    s
}

/// An error in OpenSSL's words, which people search for, with the reason.
fn words(e: &Error) -> String {
    match e {
        Error::InvalidCertificate(why) => {
            let why = match why {
                CertificateError::UnknownIssuer => "unable to get local issuer certificate".to_string(),
                CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                    "certificate has expired".to_string()
                }
                CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                    "certificate is not yet valid".to_string()
                }
                other => format!("{other:?}"),
            };
            format!("error:0A000086:SSL routines::certificate verify failed ({why})")
        }
        Error::AlertReceived(alert) => {
            let (name, kind) = match alert {
                AlertDescription::HandshakeFailure => ("sslv3", "handshake failure"),
                AlertDescription::BadCertificate => ("sslv3", "bad certificate"),
                AlertDescription::UnsupportedCertificate => ("sslv3", "unsupported certificate"),
                AlertDescription::CertificateRevoked => ("sslv3", "certificate revoked"),
                AlertDescription::CertificateExpired => ("sslv3", "certificate expired"),
                AlertDescription::CertificateUnknown => ("sslv3", "certificate unknown"),
                AlertDescription::UnknownCA => ("tlsv1", "unknown ca"),
                AlertDescription::AccessDenied => ("tlsv1", "access denied"),
                AlertDescription::DecodeError => ("tlsv1", "decode error"),
                AlertDescription::DecryptError => ("tlsv1", "decrypt error"),
                AlertDescription::ProtocolVersion => ("tlsv1", "protocol version"),
                AlertDescription::InternalError => ("tlsv1", "internal error"),
                AlertDescription::CertificateRequired => ("tlsv13", "certificate required"),
                other => return format!("alert {other:?} received"),
            };
            let code = 0x0a00_0000 + 1000 + u32::from(u8::from(*alert));
            format!("error:{code:08X}:SSL routines::{name} alert {kind}")
        }
        Error::NoCertificatesPresented => {
            "error:0A0000C7:SSL routines::peer did not return a certificate".to_string()
        }
        Error::InvalidMessage(_) => "error:0A00010B:SSL routines::wrong version number".to_string(),
        Error::PeerIncompatible(why) => {
            format!("error:0A000102:SSL routines::unsupported protocol ({why:?})")
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn pem_is_base64_in_lines() {
        let s = super::pem(&[0xfb; 49]);
        let lines: Vec<&str> = s.lines().collect();
        assert_eq!(lines[1].len(), 64);
        assert_eq!(lines[1], "+/v7".repeat(16));
        assert_eq!(lines[2], "+w==");
        assert_eq!(lines.len(), 4);
    }
}
