//! HTTP as far as a metadata service needs it.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;
use sys::netns::NetNs;

const TIMEOUT: Duration = Duration::from_secs(3);

/// A server that answers every request with its name and who asked: `NAME PEER-IP:PORT METHOD PATH`.
#[derive(Debug)]
pub struct Server {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Listens in a namespace.
    pub fn start(ns: &NetNs, at: SocketAddr, name: &str) -> io::Result<Server> {
        let listener = ns.run(|| TcpListener::bind(at))??;
        listener.set_nonblocking(true)?;
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, name) = (stop.clone(), name.to_string());
        let thread = std::thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                match listener.accept() {
                    Ok((stream, peer)) => {
                        let name = name.clone();
                        std::thread::spawn(move || answer(stream, peer, &name));
                    }
                    Err(_) => sys::process::sleep(Duration::from_millis(1)),
                }
            }
        });
        Ok(Server { stop, thread: Some(thread) })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(t) = self.thread.take() {
            let _ = t.join();
        }
    }
}

/// Answers requests on a connection until its other end closes it.
fn answer(mut stream: TcpStream, peer: SocketAddr, name: &str) {
    let _ = stream.set_nonblocking(false);
    let mut seen = Vec::new();
    let mut buf = [0; 4096];
    loop {
        let Some(end) = seen.windows(4).position(|w| w == b"\r\n\r\n") else {
            match stream.read(&mut buf) {
                Ok(n) if n > 0 && seen.len() < 65536 => seen.extend_from_slice(&buf[..n]),
                _ => return,
            }
            continue;
        };
        let head = String::from_utf8_lossy(&seen[..end]).into_owned();
        seen.drain(..end + 4);
        let mut words = head.split_whitespace();
        let (method, path) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
        let body = format!("{name} {peer} {method} {path}\n");
        let head =
            format!("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n", body.len());
        if stream.write_all(format!("{head}{body}").as_bytes()).is_err() {
            return;
        }
    }
}

/// A connection that stays open for several requests.
#[derive(Debug)]
pub struct Client(TcpStream);

impl Client {
    /// Connects from inside a namespace.
    pub fn connect(ns: &NetNs, to: SocketAddr) -> io::Result<Client> {
        let stream = ns.run(|| TcpStream::connect_timeout(&to, TIMEOUT))??;
        stream.set_read_timeout(Some(TIMEOUT))?;
        Ok(Client(stream))
    }

    /// Our own address, as the socket sees it.
    pub fn local(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }

    /// Asks for a path: the body.
    pub fn get(&mut self, path: &str) -> io::Result<String> {
        let to = self.0.peer_addr()?;
        write!(self.0, "GET {path} HTTP/1.1\r\nHost: {}\r\nAccept: */*\r\n\r\n", to.ip())?;
        let mut seen = Vec::new();
        let mut buf = [0; 4096];
        loop {
            if let Some(body) = whole(&seen)? {
                return Ok(body);
            }
            match self.0.read(&mut buf)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                n => seen.extend_from_slice(&buf[..n]),
            }
        }
    }
}

/// The body, if all of the response is there.
fn whole(seen: &[u8]) -> io::Result<Option<String>> {
    let Some(end) = seen.windows(4).position(|w| w == b"\r\n\r\n") else { return Ok(None) };
    let head = String::from_utf8_lossy(&seen[..end]);
    if !head.starts_with("HTTP/1.1 200 ") {
        return Err(io::Error::other(format!("refused: {head}")));
    }
    let length: usize = head
        .lines()
        .find_map(|l| l.strip_prefix("Content-Length: "))
        .and_then(|n| n.parse().ok())
        .ok_or_else(|| io::Error::other("no Content-Length"))?;
    let body = &seen[end + 4..];
    Ok((body.len() >= length).then(|| String::from_utf8_lossy(&body[..length]).into_owned()))
}

/// One request on a connection of its own.
pub fn get(ns: &NetNs, to: &str, path: &str) -> io::Result<String> {
    let to = to.parse().map_err(io::Error::other)?;
    Client::connect(ns, to)?.get(path)
}
