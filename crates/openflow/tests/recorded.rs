//! Flows as text and on the wire, against what Open vSwitch 3.5.0 answers and sends.

use openflow::msg::FlowModCommand;
use openflow::text::TextCx;
use openflow::text::flow::parse_flow_mod;
use openflow::text::print::Printer;
use openflow::version::{Protocol, ProtocolSet, VersionSet};
use openflow::{Codec, Message, NoNames, Version};

const TEXT: &str = include_str!("data/flow-text.txt");
const WIRE: &str = include_str!("data/flow-wire.txt");

fn version(s: &str) -> Version {
    match s {
        "10" => Version::V10,
        "11" => Version::V11,
        "12" => Version::V12,
        "13" => Version::V13,
        "14" => Version::V14,
        "15" => Version::V15,
        _ => panic!("{s}"),
    }
}

fn chosen(usable: ProtocolSet, v: Version) -> Option<Protocol> {
    usable.intersection(ProtocolSet::of_versions(VersionSet::EMPTY.with(v))).first()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// The usable protocols, and the text or the error.
fn answer(v: Version, flow: &str) -> (String, String) {
    let mut cx = TextCx::new(&NoNames);
    let fm = match parse_flow_mod(flow, Some(FlowModCommand::Add), &mut cx) {
        Ok(fm) => fm,
        Err(e) => return (String::new(), format!("!{e}")),
    };
    let usable = cx.usable.to_string();
    let Some(protocol) = chosen(cx.usable, v) else { return (usable, "!no usable protocol".into()) };
    let bytes =
        Codec::for_protocol(protocol).encode(base::Xid(1), &Message::FlowMod(Box::new(fm))).expect(flow);
    if let Err(e) = Codec::for_protocol(protocol).decode(&bytes) {
        return (usable, format!("?{}", e.error));
    }
    let text = Printer::plain(1).print(&bytes);
    let at = text.find("ADD").unwrap_or(0);
    (usable, text[at..].trim_end_matches('\n').to_string())
}

#[test]
fn flows_read_and_print_as_recorded() {
    let mut wrong = Vec::new();
    for line in TEXT.lines().filter(|l| !l.starts_with('#')) {
        let mut f = line.split('\t');
        let (v, flow, usable, text) =
            (f.next().unwrap(), f.next().unwrap(), f.next().unwrap(), f.next().unwrap());
        let got = answer(version(v), flow);
        if got != (usable.to_string(), text.to_string()) {
            wrong.push(format!("{v} {flow}\n   got {got:?}\n  want {usable:?} {text:?}"));
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn flows_are_sent_as_recorded_and_read_back() {
    let mut wrong = Vec::new();
    for line in WIRE.lines().filter(|l| !l.starts_with('#')) {
        let mut f = line.split('\t');
        let (v, flow, wire) = (f.next().unwrap(), f.next().unwrap(), f.next().unwrap());
        let mut cx = TextCx::new(&NoNames);
        let fm = parse_flow_mod(flow, Some(FlowModCommand::Add), &mut cx).expect(flow);
        // Among flows that need it, all go in the extended form.
        let extended = if wire.starts_with('N') { ProtocolSet::NXM } else { ProtocolSet::ANY };
        let protocol = chosen(cx.usable.intersection(extended), version(v)).expect(flow);
        let codec = Codec::for_protocol(protocol);
        let bytes = codec.encode(base::Xid(1), &Message::FlowMod(Box::new(fm))).expect(flow);
        let got = format!("{}{}", if bytes[1] == 4 { "N" } else { "" }, hex(&bytes[8..]));
        if got != wire {
            wrong.push(format!("{v} {flow}\n   got {got}\n  want {wire}"));
        }
        // Whatever decodes encodes to the same bytes (an enqueue is two actions in later versions).
        if !flow.contains("enqueue")
            && let Ok((xid, message)) = codec.decode(&bytes)
        {
            let again = codec.encode(xid, &message).expect(flow);
            assert_eq!(hex(&again), hex(&bytes), "{v} {flow}");
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}
