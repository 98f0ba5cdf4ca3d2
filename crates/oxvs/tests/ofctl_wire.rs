//! What `ovs-ofctl` of Open vSwitch 3.5.0 says to a switch, byte for byte, and what it makes of the answers, recorded
//! for its commands in every version. A peer with a script plays the switch: it takes the recorded messages, and
//! nothing else, and answers with the recorded bytes.
//!
//! ```text
//! = ARGUMENTS           the command; 0x1f between arguments, 0x1e and standard input after them
//! C HEX                 a message that the program sends
//! S HEX                 a message of the switch
//! -                     the next connection
//! > ! ?                 standard output, standard error, exit status
//! ```

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

#[derive(Default)]
struct Case {
    args: Vec<String>,
    input: String,
    connections: Vec<Vec<(char, Vec<u8>)>>,
    output: String,
    errors: String,
    status: i32,
}

fn plain(text: &str) -> String {
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (c, if c == '\\' { chars.next() } else { None }) {
            ('\\', Some('n')) => out.push('\n'),
            ('\\', Some('t')) => out.push('\t'),
            ('\\', Some(other)) => out.push(other),
            (c, _) => out.push(c),
        }
    }
    out
}

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len() / 2).map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap()).collect()
}

fn cases() -> Vec<Case> {
    let mut all: Vec<Case> = Vec::new();
    for line in include_str!("recorded/ofctl_wire.txt").lines() {
        let (tag, rest) = (line.chars().next().unwrap(), line.get(2..).unwrap_or_default());
        if tag == '=' {
            let (args, input) = rest.split_once('\x1e').unwrap_or((rest, ""));
            let args = args.split('\x1f').map(String::from).collect();
            all.push(Case { args, input: plain(input), ..Case::default() });
            continue;
        }
        let case = all.last_mut().unwrap();
        match tag {
            '-' => case.connections.push(Vec::new()),
            '>' => case.output = plain(rest),
            '!' => case.errors = plain(rest),
            '?' => case.status = rest.parse().unwrap(),
            _ => {
                if case.connections.is_empty() {
                    case.connections.push(Vec::new());
                }
                case.connections.last_mut().unwrap().push((tag, bytes(rest)));
            }
        }
    }
    all
}

fn message(stream: &mut UnixStream) -> std::io::Result<Vec<u8>> {
    let mut m = vec![0; 8];
    stream.read_exact(&mut m)?;
    m.resize(usize::from(u16::from_be_bytes([m[2], m[3]])).max(8), 0);
    stream.read_exact(&mut m[8..])?;
    Ok(m)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// Plays the switch; says what was not as recorded.
fn play(listener: &UnixListener, connections: &[Vec<(char, Vec<u8>)>]) -> Result<(), String> {
    for (n, script) in connections.iter().enumerate() {
        let (mut stream, _) = listener.accept().map_err(|e| format!("connection {n}: {e}"))?;
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        for (who, want) in script {
            if *who == 'S' {
                // Who leaves early does not hear the rest.
                let _ = stream.write_all(want);
                continue;
            }
            let got = message(&mut stream).map_err(|e| format!("connection {n}: {e}, not {}", hex(want)))?;
            if got != *want {
                return Err(format!("connection {n}:\n wanted {}\n    got {}", hex(want), hex(&got)));
            }
        }
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).map_err(|e| format!("connection {n} is not closed: {e}"))?;
        if !rest.is_empty() {
            return Err(format!("connection {n}: {} as well", hex(&rest)));
        }
    }
    Ok(())
}

/// Lines of the log without time and number.
fn without_times(text: &str) -> String {
    let line = |l: &str| match l.splitn(3, '|').collect::<Vec<_>>()[..] {
        [time, _, text] if time.ends_with('Z') => format!("{text}\n"),
        _ => format!("{l}\n"),
    };
    text.lines().map(line).collect()
}

fn run(case: &Case, dir: &std::path::Path, n: usize) -> Result<(), String> {
    let socket = dir.join(n.to_string());
    let listener = UnixListener::bind(&socket).unwrap();
    let socket = socket.to_str().unwrap();
    let (report, result) = mpsc::channel();
    std::thread::scope(|s| {
        s.spawn(move || report.send(play(&listener, &case.connections)).unwrap());
        let mut child = Command::new(env!("CARGO_BIN_EXE_oxvs"))
            .arg("ovs-ofctl")
            .arg("--timeout=20")
            .args(case.args.iter().map(|a| a.replace("SW", &format!("unix:{socket}"))))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // Some commands do not read their input.
        let _ = child.stdin.take().unwrap().write_all(case.input.as_bytes());
        let output = child.wait_with_output().unwrap();
        // A connection that was not made would be waited for.
        let _ = UnixStream::connect(socket);
        let text = |b: &[u8]| String::from_utf8_lossy(b).replace(socket, "SOCK");
        let got = (text(&output.stdout), without_times(&text(&output.stderr)), output.status.code());
        let want = (case.output.clone(), without_times(&case.errors), Some(case.status));
        result.recv().unwrap()?;
        if got == want { Ok(()) } else { Err(format!("wanted {want:?}\n   got {got:?}")) }
    })
}

#[test]
fn commands_say_to_a_switch_what_was_recorded() {
    let dir = std::env::temp_dir().join(format!("ofctl-wire-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let cases = cases();
    assert!(cases.len() > 250, "{}", cases.len());
    let wrong: Vec<String> = cases
        .iter()
        .enumerate()
        .filter_map(|(n, c)| run(c, &dir, n).err().map(|e| format!("{}\n{e}", c.args.join(" "))))
        .collect();
    let _ = std::fs::remove_dir_all(&dir);
    assert!(
        wrong.is_empty(),
        "{} of {} differ:\n{}",
        wrong.len(),
        cases.len(),
        wrong[..wrong.len().min(12)].join("\n\n")
    );
}
