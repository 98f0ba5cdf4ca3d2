//! Datapath flow text against recorded answers.

use super::*;
use crate::tests::Rng;

struct OnePort;

impl DpPortMap for OnePort {
    fn dp_port_name(&self, port: DpPort) -> Option<String> {
        (port == DpPort(1)).then(|| "p1".into())
    }
    fn dp_port_number(&self, name: &str) -> Option<DpPort> {
        (name == "p1").then_some(DpPort(1))
    }
}

const RECORDED: &str = include_str!("../../tests/data/odp.txt");
const DUMPS: &str = include_str!("../../tests/data/odp-dumps.txt");

/// Inputs where the recorded answer loses what was given: ERSPAN masks, and a truncation that we refuse or keep.
fn deviates(input: &str) -> bool {
    input.contains("erspan(") || input.contains("nsh(") || input.contains("in_port(99)")
}

#[test]
fn recorded_flows_print_the_same() {
    let mut wrong = Vec::new();
    let lines: Vec<&str> = RECORDED.lines().filter(|l| !l.starts_with('#')).collect();
    for c in lines.chunks(3) {
        let (input, terse, verbose) = (c[0], c[1], c[2]);
        if deviates(input) {
            continue;
        }
        let got = match parse_odp(input, &OnePort) {
            Err(e) => [format!("!{e}"), String::new()],
            Ok(f) if !f.is_complete() => ["!invalid".into(), String::new()],
            Ok(f) => [
                odp_text(&f.key, Some(&f.mask), OdpStyle::default()),
                odp_text(&f.key, Some(&f.mask), OdpStyle { verbose: true, ports: Some(&OnePort) }),
            ],
        };
        // A flow put by hand without TCP flags still has them.
        let mut got = got;
        if !verbose.contains("tcp_flags") {
            got[1] = got[1].replace(",tcp_flags(0/0)", "");
        }
        let short = |s: &str| s.starts_with("!syntax").then(|| s.split(' ').next().unwrap().to_string());
        let same = got[0] == terse || (short(terse).is_some() && short(&got[0]) == short(terse));
        if !same || (verbose != "-" && got[1] != verbose) {
            wrong
                .push(format!("{input}\n  got {}\n want {terse}\n  got {}\n want {verbose}", got[0], got[1]));
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn recorded_dumps_read_back() {
    let mut wrong = Vec::new();
    for line in DUMPS.lines().filter(|l| !l.starts_with('#')) {
        let verbose = line.contains("dp_hash(0/0)");
        let f = parse_odp(line, &OnePort).unwrap_or_else(|e| panic!("{line}: {e}"));
        let style = OdpStyle { verbose, ports: verbose.then_some(&OnePort as &dyn DpPortMap) };
        let got = odp_text(&f.key, Some(&f.mask), style);
        // A terse dump does not say what is wild.
        if got != line && !line.contains("eth_type(0/0xffff)") {
            wrong.push(format!("  got {got}\n want {line}"));
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn a_packet_reads_back_from_its_text() {
    for line in include_str!("../../tests/data/packets.txt").lines().filter(|l| !l.starts_with('#')) {
        let hex = line.split(' ').next().unwrap();
        let bytes: Vec<u8> =
            (0..hex.len() / 2).map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap()).collect();
        let (key, _) = crate::extract_key(&bytes, &crate::Metadata::received(3));
        let text = odp_text(&key, None, OdpStyle::default());
        let back = parse_odp(&text, &NoDpPorts).unwrap();
        assert_eq!(odp_text(&back.key, None, OdpStyle::default()), text);
    }
}

#[test]
fn no_text_panics() {
    let mut rng = Rng(9);
    let alphabet = b"abcdefvlanipmt_=/,.:()+-|{}0123456789x \"";
    for line in RECORDED.lines().chain(DUMPS.lines()) {
        for _ in 0..30 {
            let mut b = line.as_bytes().to_vec();
            if b.is_empty() {
                continue;
            }
            let at = rng.next() as usize % b.len();
            match rng.next() % 3 {
                0 => b.truncate(at),
                1 => b[at] = alphabet[rng.next() as usize % alphabet.len()],
                _ => b.insert(at, alphabet[rng.next() as usize % alphabet.len()]),
            }
            if let Ok(f) = parse_odp(&String::from_utf8_lossy(&b), &OnePort) {
                odp_text(&f.key, Some(&f.mask), OdpStyle { verbose: true, ports: None });
                f.is_complete();
            }
        }
    }
}
