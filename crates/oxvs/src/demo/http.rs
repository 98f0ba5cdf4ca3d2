//! A metadata service and somebody who asks it.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;
use sys::netns::NetNs;

/// Answers who asked, in the present namespace, until the process ends.
pub fn serve(at: (Ipv4Addr, u16)) -> io::Result<()> {
    let listener = TcpListener::bind(at)?;
    std::thread::Builder::new().name("metadata".into()).spawn(move || {
        for stream in listener.incoming().flatten() {
            // Somebody who hangs up early gets no answer.
            let _ = answer(&stream);
        }
    })?;
    Ok(())
}

fn answer(mut stream: &TcpStream) -> io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(2)))?;
    let from = stream.peer_addr()?.ip();
    let mut lines = BufReader::new(stream).take(8192).lines();
    while lines.next().transpose()?.is_some_and(|l| !l.is_empty()) {}
    let body = format!("you are {from}; this is the metadata service of your host\n");
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}

/// Asks from inside a namespace: the body.
pub fn get(ns: &NetNs, to: Ipv4Addr, patience: Duration) -> io::Result<String> {
    ns.run(|| {
        let mut stream = TcpStream::connect_timeout(&SocketAddr::from((to, 80)), patience)?;
        stream.set_read_timeout(Some(patience))?;
        write!(stream, "GET /latest/meta-data/ HTTP/1.1\r\nHost: {to}\r\nConnection: close\r\n\r\n")?;
        let mut text = String::new();
        stream.take(65536).read_to_string(&mut text)?;
        match text.split_once("\r\n\r\n") {
            Some((head, body)) if head.starts_with("HTTP/1.1 200 ") => Ok(body.trim_end().to_string()),
            _ => Err(io::Error::other(format!("not an answer: {text}"))),
        }
    })?
}
