//! What Open vSwitch 3.5.0 prints for messages of every kind and version, well-formed and not, recorded.

use openflow::buf::hex_dump;
use openflow::text::print::Printer;

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len() / 2).map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap_or(0)).collect()
}

fn plain(text: &str) -> String {
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (c, c == '\\') {
            (_, true) => match chars.next() {
                Some('n') => out.push('\n'),
                Some('t') => out.push('\t'),
                Some(other) => out.push(other),
                None => {}
            },
            (c, false) => out.push(c),
        }
    }
    out
}

#[test]
fn messages_are_printed_as_recorded() {
    let count = compare(include_str!("recorded/messages.txt"));
    assert!(count > 2_000);
}

#[test]
fn what_is_refused_and_what_is_noted_are_as_recorded() {
    let count = compare(include_str!("recorded/refused.txt"));
    assert!(count > 200);
}

/// Prints the messages of a record; gives how many there are.
fn compare(record: &str) -> usize {
    let mut wrong = Vec::new();
    let mut count = 0;
    for line in record.lines().filter(|l| !l.starts_with('#')) {
        let fields: Vec<&str> = line.split('\t').collect();
        let [job, text, log] = fields[..] else { panic!("{line}") };
        let Some((verbosity, hex)) = job.split_once(' ') else { panic!("{line}") };
        let message = bytes(hex);
        let mut printer = Printer::plain(verbosity.parse().unwrap_or(0));
        let got = printer.print(&message);
        let got_log: String = printer
            .log
            .iter()
            .map(|(module, severity, text)| {
                format!("{module}|{}|{text}\n", format!("{severity:?}").to_uppercase())
            })
            .collect();
        let want = plain(text).replacen("@dump@", &hex_dump(&message, true), 1);
        count += 1;
        if got != want || got_log != plain(log) {
            wrong.push(format!("{job}\nwanted: {want}{}\ngot: {got}{got_log}", plain(log)));
        }
    }
    assert!(wrong.is_empty(), "{} of {count} differ, the first:\n{}", wrong.len(), wrong[0]);
    count
}
