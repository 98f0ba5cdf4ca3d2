use super::learning::LearningSwitch;
use super::*;
use base::{Clock, Logger};
use openflow::version::Version;

fn asked(options: &str) -> Result<Asked, String> {
    let dirs = Dirs::from_env();
    let vlog = Vlog::new(PROGRAM, &dirs, &Clock::simulated());
    let args: Vec<String> = options.split_whitespace().map(String::from).collect();
    let mut asked = parse(&args, &dirs, &vlog).map_err(|e| e.message().to_string())?.ok_or("said all")?;
    settle(&mut asked);
    Ok(asked)
}

fn bytes(hex: &str) -> Vec<u8> {
    let digit = |i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap_or_default();
    (0..hex.len() / 2).map(|i| digit(2 * i)).collect()
}

/// A message as the recording has it, without the transaction's number.
fn recorded(m: &[u8]) -> String {
    let hex: String = m.iter().map(|b| format!("{b:02x}")).collect();
    format!("{}--------{}", &hex[..8], &hex[16..])
}

/// Every conversation of the recording, with every option that changes what is said.
#[test]
fn answers_as_recorded() {
    let now = Clock::simulated().now();
    let mut machine: Option<LearningSwitch> = None;
    let (mut title, mut answers, mut conversations) = ("", Vec::new().into_iter(), 0);
    for line in include_str!("testdata/recorded.txt").lines() {
        if let Some(rest) = line.strip_prefix("= ") {
            assert_eq!(answers.next(), None, "{title}");
            let (version, options) = rest.split_once(':').unwrap();
            let settings = asked(options).unwrap_or_else(|e| panic!("{options}: {e}")).settings;
            let version = Version::from_wire(version.parse().unwrap()).unwrap();
            let mut m = LearningSwitch::new(settings, version, Logger::none());
            answers = m.take().into_iter();
            machine = Some(m);
            title = rest;
            conversations += 1;
        } else if let Some(message) = line.strip_prefix("> ") {
            assert_eq!(answers.next(), None, "{title}");
            let m = machine.as_mut().unwrap();
            m.receive(&bytes(message), now);
            answers = m.take().into_iter();
        } else if !line.starts_with('#') {
            let got = answers.next().map(|m| recorded(&m));
            assert_eq!(got.as_deref(), Some(line), "{title}");
        }
    }
    assert_eq!(answers.next(), None, "{title}");
    assert!(conversations > 20);
}

#[test]
fn options_that_are_wrong() {
    for (options, want) in [
        ("--max-idle=0", "--max-idle argument must be between 1 and 65535 or the word 'permanent'"),
        ("--max-idle=x", "--max-idle argument must be between 1 and 65535 or the word 'permanent'"),
        ("--max-idle=65536", "--max-idle argument must be between 1 and 65535 or the word 'permanent'"),
        ("-Q p1", "argument to -Q or --port-queue should take the form \"<port-name>:<queue-id>\""),
        ("-Q :5", "argument to -Q or --port-queue should take the form \"<port-name>:<queue-id>\""),
        ("-Q p1:5 -Q p1:6", "<port-name> arguments for -Q or --port-queue must be unique"),
        ("--with-flows /nonexistent", "/nonexistent: open failed (No such file or directory)"),
        ("-O bogus", "Unknown OpenFlow version: \"bogus\""),
        ("-Z", "invalid option -- 'Z'"),
        ("--hub=3", "option '--hub' doesn't allow an argument"),
    ] {
        assert_eq!(asked(options).err().as_deref(), Some(want), "{options}");
    }
    let a = asked("-q x -Q p1:x -wzz --max-idle=65535 ptcp: unix:x").unwrap();
    assert_eq!((a.settings.default_queue, a.settings.port_queues["p1"]), (Some(0), 0));
    assert_eq!((a.settings.wildcards, a.idle), (0, 65535));
    assert_eq!(a.methods, ["ptcp:", "unix:x"]);
    assert_eq!(asked("-q -1 x").unwrap().settings.default_queue, None);
}

/// A switch may send anything: cut short, with any bit wrong, or noise.
#[test]
fn survives_what_switches_send() {
    let now = Clock::simulated().now();
    let mut seed = 7u64;
    let mut random = move || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed
    };
    for version in [Version::V10, Version::V13, Version::V15] {
        let settings = asked("").unwrap().settings;
        let mut m = LearningSwitch::new(settings, version, Logger::none());
        for line in include_str!("testdata/recorded.txt").lines() {
            let Some(message) = line.strip_prefix("> ") else { continue };
            let mut message = bytes(message);
            for _ in 0..4 {
                let at = random() as usize % message.len();
                message[at] ^= 1 << (random() % 8);
                m.receive(&message, now);
                m.receive(&message[..at], now);
                m.take();
            }
        }
    }
}
