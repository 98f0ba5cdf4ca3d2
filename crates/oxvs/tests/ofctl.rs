//! What `ovs-ofctl` of Open vSwitch 3.5.0 answers to the commands that need no switch, recorded: arguments, input,
//! standard output, standard error without times, and exit status.

use std::io::Write;
use std::process::{Command, Stdio};

fn plain(text: &str) -> String {
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        let escaped = if c == '\\' { chars.next() } else { None };
        match (c, escaped) {
            ('\\', Some('n')) => out.push('\n'),
            ('\\', Some('r')) => out.push('\r'),
            ('\\', Some('t')) => out.push('\t'),
            ('\\', Some(other)) => out.push(other),
            (c, _) => out.push(c),
        }
    }
    out
}

/// Lines of the log without time and number.
fn without_times(text: &str) -> String {
    let line = |l: &str| {
        let parts: Vec<&str> = l.splitn(3, '|').collect();
        let text = if parts.len() == 3 && l.as_bytes().get(4) == Some(&b'-') { parts[2] } else { l };
        format!("{text}\n")
    };
    text.lines().map(line).collect()
}

fn run(job: &str) -> String {
    let job = plain(job);
    let (args, input) = job.split_once('\x1e').unwrap_or((&job, ""));
    let mut child = Command::new(env!("CARGO_BIN_EXE_oxvs"))
        .arg("ovs-ofctl")
        .args(args.split('\x1f'))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Some commands do not read their input.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    format!(
        "{}--\n{}={:?}\n",
        String::from_utf8_lossy(&output.stdout),
        without_times(&String::from_utf8_lossy(&output.stderr)),
        output.status.code()
    )
}

#[test]
fn commands_without_a_switch_answer_as_recorded() {
    let mut wrong = Vec::new();
    let lines: Vec<&str> = include_str!("recorded/ofctl.txt").lines().collect();
    for line in &lines {
        let Some((job, want)) = line.split_once('\t') else { panic!("{line}") };
        let got = run(job);
        if got != plain(want) {
            wrong.push(format!("{job:?}\nwanted: {}\ngot: {got}", plain(want)));
        }
    }
    assert!(lines.len() > 300);
    assert!(wrong.is_empty(), "{} of {} differ, the first:\n{}", wrong.len(), lines.len(), wrong[0]);
}
