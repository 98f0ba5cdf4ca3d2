//! Bounded fuzzing of the decoder, in every version.

use openflow::action::text::{Outer, format_list, parse_list};
use openflow::codec::Codec;
use openflow::text::{Fmt, TextCx};
use openflow::{NoNames, Version};
use std::time::Duration;
use testkit::fuzz::Fuzz;

#[test]
fn messages() {
    let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/corpus/messages");
    let words: &[&[u8]] = &[
        &[0x80, 0, 0, 4],
        &[0, 0, 0x23, 0x20],
        &[0xff, 0xff, 0, 0x10],
        &[0, 0, 0, 8],
        &[0xff; 8],
        &[0x4f, 0x4e, 0x46, 0],
        &[0, 1, 0x36, 8],
    ];
    let versions = [Version::V10, Version::V11, Version::V12, Version::V13, Version::V14, Version::V15];
    Fuzz { corpus, words, longest: 4096, time: Duration::from_secs(2) }.run(|bytes| {
        let mut bytes = bytes.to_vec();
        for (n, version) in versions.into_iter().enumerate() {
            let codec = Codec::new(version);
            if let Some(b) = bytes.first_mut() {
                *b = n as u8 + 1;
            }
            if bytes.len() >= 4 {
                let len = (bytes.len() as u16).to_be_bytes();
                bytes[2..4].copy_from_slice(&len);
            }
            let Ok((xid, message)) = codec.decode(&bytes) else { continue };
            // What was understood can be said again, and is the same from then on; where matches can be said at all:
            // the fixed structures of 1.0 and 1.1 have no room for most of what extensions bring.
            let Ok(said) = codec.encode(xid, &message) else { continue };
            // Nor does a field have room for every value that `load` may carry into its set-field form.
            let Ok((xid, message)) = codec.decode(&said) else { continue };
            if version < Version::V12 {
                continue;
            }
            let again = codec.encode(xid, &message);
            assert_eq!(again.as_ref(), Ok(&said), "{version:?} {message:?}");
        }
    });
}

#[test]
fn actions_from_text() {
    let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/corpus/actions");
    let words: &[&[u8]] =
        &[b"(", b")", b",", b"->", b"[]", b"[0..31]", b"0xffffffffffffffff", b"clone(", b"reg0", b":"];
    Fuzz { corpus, words, longest: 600, time: Duration::from_secs(2) }.run(|bytes| {
        let text = String::from_utf8_lossy(bytes);
        let mut cx = TextCx::new(&NoNames);
        let Ok(actions) = parse_list(&text, Outer::Flow, &mut cx) else { return };
        // Whatever was understood can be printed.
        format_list(&actions, &mut Fmt::new(&NoNames));
    });
}

#[test]
fn flows_groups_meters_and_packets_from_text() {
    use openflow::msg::{FlowModCommand, GroupModCommand, MeterModCommand};
    use openflow::text::{flow, group, meter, packet};
    let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/corpus/text");
    let words: &[&[u8]] = &[b"bucket=", b"actions=", b"bands=", b"type=", b"packet=", b"=", b",", b"("];
    Fuzz { corpus, words, longest: 600, time: Duration::from_secs(2) }.run(|bytes| {
        let text = String::from_utf8_lossy(bytes);
        let mut cx = TextCx::new(&NoNames);
        let _ = flow::parse_flow_mod(&text, Some(FlowModCommand::Add), &mut cx);
        let _ = flow::parse_flow_mod(&text, Some(FlowModCommand::Delete), &mut cx);
        let _ = group::parse_group_mod(&text, Some(GroupModCommand::Add), &mut cx);
        let _ = group::parse_group_mod(&text, Some(GroupModCommand::RemoveBucket), &mut cx);
        let _ = meter::parse_meter_mod(&text, MeterModCommand::Add, &mut cx);
        let _ = packet::parse_packet_out(&text, &mut cx);
    });
}

#[test]
fn any_bytes_can_be_printed() {
    let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/corpus/messages");
    let words: &[&[u8]] =
        &[&[0xff, 0xff], &[0, 0, 0x23, 0x20], &[0x4f, 0x4e, 0x46, 0], &[0; 8], &[0, 8], &[0, 4]];
    Fuzz { corpus, words, longest: 2048, time: Duration::from_secs(2) }.run(|bytes| {
        let mut bytes = bytes.to_vec();
        for version in 1..=6 {
            if let Some([v, _, len @ ..]) = bytes.first_chunk_mut::<4>() {
                *v = version;
                *len = [0; 2];
            }
            let len = bytes.len() as u16;
            if bytes.len() >= 4 {
                bytes[2..4].copy_from_slice(&len.to_be_bytes());
            }
            assert!(!openflow::text::print::Printer::plain(3).print(&bytes).is_empty());
        }
    });
}
