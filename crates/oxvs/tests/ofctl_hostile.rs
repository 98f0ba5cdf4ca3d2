//! Switches that `ovs-ofctl` cannot trust: that never answer, go on for ever, lie about lengths or leave in the middle
//! of a message. It says what is wrong and ends, in bounded memory.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Output, Stdio};

/// A message of OpenFlow 1.3.
fn message(kind: u8, xid: [u8; 4], body: &[u8]) -> Vec<u8> {
    let len = (8 + body.len()) as u16;
    [&[4, kind], &len.to_be_bytes()[..], &xid, body].concat()
}

const HELLO: u8 = 0;
const ERROR: u8 = 1;
const MULTIPART_REPLY: u8 = 19;

/// What the switch answers to a request.
type Answer = fn(&mut UnixStream, xid: [u8; 4], request: &[u8]) -> std::io::Result<()>;

fn serve(listener: UnixListener, answer: Answer) {
    for stream in listener.incoming() {
        let Ok(mut stream) = stream else { return };
        std::thread::spawn(move || -> std::io::Result<()> {
            stream.write_all(&message(HELLO, [0; 4], &[]))?;
            loop {
                let mut header = [0; 8];
                stream.read_exact(&mut header)?;
                let mut request = header.to_vec();
                request.resize(usize::from(u16::from_be_bytes([header[2], header[3]])), 0);
                stream.read_exact(&mut request[8..])?;
                if header[1] != HELLO {
                    answer(&mut stream, [header[4], header[5], header[6], header[7]], &request)?;
                }
            }
        });
    }
}

/// Runs `ovs-ofctl` with little memory.
fn ofctl(name: &str, answer: Answer, shown: Stdio, args: &[&str]) -> Output {
    const KILOBYTES: &str = "300000";
    let dir = std::env::temp_dir().join(format!("ofctl-hostile-{}-{name}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let socket = dir.join("s");
    let listener = UnixListener::bind(&socket).unwrap();
    std::thread::spawn(move || serve(listener, answer));
    let target = format!("unix:{}", socket.display());
    let words = args.iter().map(|a| a.replace("SW", &target));
    let output = Command::new("sh")
        .args(["-c", "ulimit -v $0; exec \"$@\""])
        .arg(KILOBYTES)
        .args([env!("CARGO_BIN_EXE_oxvs"), "ovs-ofctl", "-O", "OpenFlow13", "--no-names"])
        .args(words)
        .stdout(shown)
        .stderr(Stdio::piped())
        .spawn()
        .and_then(|child| child.wait_with_output())
        .unwrap();
    let _ = std::fs::remove_dir_all(&dir);
    output
}

/// One flow, of all packets, that drops.
fn flow() -> Vec<u8> {
    let mut f = vec![0; 56];
    f[..2].copy_from_slice(&56u16.to_be_bytes());
    f[48..52].copy_from_slice(&[0, 1, 0, 4]);
    f
}

fn part(kind: u16, more: bool, body: &[u8]) -> Vec<u8> {
    [&kind.to_be_bytes()[..], &[0, u8::from(more), 0, 0, 0, 0], body].concat()
}

fn kind_of(request: &[u8]) -> u16 {
    u16::from_be_bytes([request[8], request[9]])
}

#[test]
fn what_a_switch_does_wrong_is_said() {
    let cases: [(&str, Answer, &[&str], &str); 7] = [
        ("close", |s, _, _| s.shutdown(std::net::Shutdown::Both), &["dump-desc", "SW"], "(End of file)"),
        (
            "cut",
            |s, xid, r| {
                s.write_all(&message(MULTIPART_REPLY, xid, &part(kind_of(r), false, &[0; 1056]))[..500])?;
                s.shutdown(std::net::Shutdown::Both)
            },
            &["dump-desc", "SW"],
            "connection dropped mid-packet",
        ),
        (
            "tiny",
            |s, xid, _| s.write_all(&[&[4, MULTIPART_REPLY, 0, 3], &xid[..]].concat()),
            &["dump-desc", "SW"],
            "received too-short ofp_header (3 bytes)",
        ),
        (
            "short",
            |s, xid, r| s.write_all(&message(MULTIPART_REPLY, xid, &part(kind_of(r), false, &[0; 1000]))),
            &["dump-desc", "SW"],
            "received OFPST_DESC reply with incorrect length 1016 (expected length 1072)",
        ),
        (
            "lie",
            |s, xid, r| {
                let mut f = flow();
                f[1] = 255;
                s.write_all(&message(MULTIPART_REPLY, xid, &part(kind_of(r), false, &f)))
            },
            &["dump-flows", "SW", "--sort"],
            "dump flows (Protocol error)",
        ),
        (
            "version",
            |s, xid, r| {
                let mut m = message(MULTIPART_REPLY, xid, &part(kind_of(r), false, &[]));
                m[0] = 9;
                s.write_all(&m)?;
                s.shutdown(std::net::Shutdown::Write)
            },
            &["dump-flows", "SW"],
            "received OpenFlow version 0x09 != expected 04",
        ),
        (
            "refuse",
            |s, xid, r| s.write_all(&message(ERROR, xid, &[&[0, 1, 0, 5], &r[..r.len().min(64)]].concat())),
            &["add-flow", "SW", "ip,actions=1"],
            "OFPBRC_EPERM",
        ),
    ];
    for (name, answer, args, wanted) in cases {
        let output = ofctl(name, answer, Stdio::piped(), args);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{name}: {said}");
        assert!(said.contains(wanted), "{name}: {said}");
    }
}

#[test]
fn answers_that_never_come_end_with_the_timeout() {
    let silent: Answer = |_, _, _| Ok(());
    let wrong: Answer =
        |s, _, r| s.write_all(&message(MULTIPART_REPLY, [9; 4], &part(kind_of(r), false, &[0; 1056])));
    for (name, answer) in [("silent", silent), ("wrong", wrong)] {
        let output = ofctl(name, answer, Stdio::piped(), &["--timeout=1", "dump-desc", "SW"]);
        const ALARM: i32 = 14;
        assert_eq!(output.status.signal(), Some(ALARM), "{name}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("terminating with signal 14 (Alarm clock)"));
    }
}

#[test]
fn endless_answers_take_no_memory() {
    let endless: Answer = |s, xid, r| {
        let m = message(MULTIPART_REPLY, xid, &part(kind_of(r), true, &flow().repeat(500)));
        loop {
            s.write_all(&m)?;
        }
    };
    // What is shown as it comes is not kept.
    let output = ofctl("endless", endless, Stdio::null(), &["--timeout=2", "dump-flows", "SW"]);
    assert_eq!(output.status.signal(), Some(14), "{}", String::from_utf8_lossy(&output.stderr));
}
