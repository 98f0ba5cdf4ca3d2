//! Every error that a switch can send, provoked over the wire in each version that has it; for each of the others,
//! why it is never sent. The list is `recorded/errors.txt`.

use openflow::{OfpErr, Version};
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;
use testkit::fuzz::unhex;
use testkit::{Options, Programs, Switch, can_make_hosts};

const HELLO: u8 = 0;
const ERROR: u8 = 1;
const ECHO_REQUEST: u8 = 2;
const ECHO_REPLY: u8 = 3;
const BARRIER_REPLY: u8 = 21;

struct Case<'a> {
    version: u8,
    error: OfpErr,
    messages: Vec<Vec<u8>>,
    line: &'a str,
}

/// The cases, and for each error that never comes, why.
fn recorded(text: &str) -> (Vec<Case<'_>>, BTreeMap<&str, &str>) {
    let (mut cases, mut never) = (Vec::new(), BTreeMap::new());
    for line in text.lines().filter(|l| !l.starts_with('#')) {
        let (first, rest) = line.split_once(' ').unwrap();
        let (name, rest) = rest.split_once(' ').unwrap();
        let error = OfpErr::from_name(name).unwrap_or_else(|| panic!("{name}"));
        if first == "never" {
            never.insert(error.name(), rest);
            continue;
        }
        let messages = rest.split(' ').map(|hex| unhex(hex).unwrap()).collect();
        cases.push(Case { version: first.parse().unwrap(), error, messages, line });
    }
    (cases, never)
}

/// A connection that has said hello.
struct Wire(UnixStream, Vec<u8>);

impl Wire {
    fn connect(socket: &Path, version: u8) -> Wire {
        let stream = UnixStream::connect(socket).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let mut wire = Wire(stream, Vec::new());
        wire.send(&[version, HELLO, 0, 8, 0, 0, 0, 0]);
        wire.until(HELLO);
        wire
    }

    fn send(&mut self, message: &[u8]) {
        self.0.write_all(message).unwrap();
    }

    /// The messages up to the first of a kind.
    fn until(&mut self, kind: u8) -> Vec<Vec<u8>> {
        let mut all = Vec::new();
        loop {
            while self.1.len() >= 8 && self.1.len() >= length(&self.1) {
                let rest = self.1.split_off(length(&self.1));
                let message = std::mem::replace(&mut self.1, rest);
                let end = message[1] == kind;
                all.push(message);
                if end {
                    return all;
                }
            }
            let mut buf = [0; 65536];
            let n = self.0.read(&mut buf).unwrap();
            assert!(n > 0, "the connection ends");
            self.1.extend_from_slice(&buf[..n]);
        }
    }
}

fn length(message: &[u8]) -> usize {
    usize::from(u16::from_be_bytes([message[2], message[3]]))
}

/// Removes flows, groups, meters and mapped tunnel options.
const CLEAN: [&str; 5] = [
    "040e003800000001 00000000000000000000000000000000 ff03000000008000 ffffffffffffffffffffffff00000000 0001000400000000",
    "040f001000000002 00020000fffffffc",
    "041d001000000003 00020000ffffffff",
    "0404001800000004 0000232000000018 0002000000000000",
    "0414000800000005",
];

/// The error in a message; one about a wrong version may come in that version.
fn error_of(message: &[u8], version: u8) -> Option<OfpErr> {
    let message = &[&[version], &message[1..]].concat();
    let codec = openflow::codec::Codec::new(Version::from_wire(version)?);
    match codec.decode(message).ok()?.1 {
        openflow::Message::Error(e) => Some(e.error),
        _ => None,
    }
}

#[test]
fn every_error_is_provoked_or_has_a_reason_not_to_be() {
    let text = include_str!("recorded/errors.txt");
    let (cases, never) = recorded(text);
    for error in OfpErr::all() {
        let provoked = cases.iter().any(|c| c.error == error);
        assert!(provoked != never.contains_key(error.name()), "{error}: provoked {provoked}");
    }
    if !can_make_hosts() {
        return;
    }
    let options = Options { switch: &["--enable-dummy=override", "--disable-system"], ..Options::default() };
    let s = Switch::start(Programs::of(env!("CARGO_BIN_EXE_oxvs")), options);
    let versions = "protocols=OpenFlow10,OpenFlow11,OpenFlow12,OpenFlow13,OpenFlow14,OpenFlow15";
    s.vsctl(&["add-br", "br0", "--", "set", "bridge", "br0", "fail_mode=secure", versions]);
    for n in 1..=3 {
        let (port, number) = (format!("p{n}"), format!("ofport_request={n}"));
        s.vsctl(&["add-port", "br0", &port, "--", "set", "interface", &port, "type=dummy", &number]);
    }
    let socket = s.state.join("br0.mgmt");
    let mut cleaner = Wire::connect(&socket, 4);
    let clean: Vec<u8> = CLEAN.iter().flat_map(|hex| unhex(hex).unwrap()).collect();
    for case in &cases {
        let mut wire = Wire::connect(&socket, case.version);
        case.messages.iter().for_each(|m| wire.send(m));
        wire.send(&[case.version, ECHO_REQUEST, 0, 8, 0x7f, 0, 0, 1]);
        let answers = wire.until(ECHO_REPLY);
        let errors: Vec<_> =
            answers.iter().filter(|m| m[1] == ERROR).map(|m| error_of(m, case.version)).collect();
        assert_eq!(errors.last(), Some(&Some(case.error)), "{}", case.line);
        drop(wire);
        cleaner.send(&clean);
        cleaner.until(BARRIER_REPLY);
    }
}
