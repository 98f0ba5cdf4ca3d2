//! A decoder that is not ours finds nothing malformed in the conversations of `recorded/ofctl_wire.txt`: what our
//! `ovs-ofctl` says, byte for byte, and what a switch answers.

use std::process::Command;
use testkit::skip;

/// The recorded messages of versions 1.0, 1.3 and 1.4. The decoder has no 1.1 and 1.2, and takes buckets, queues
/// and matches of version 1.5 for those of 1.4.
fn messages() -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for line in include_str!("recorded/ofctl_wire.txt").lines() {
        let Some(hex) = line.strip_prefix("C ").or_else(|| line.strip_prefix("S ")) else { continue };
        let bytes: Vec<u8> =
            (0..hex.len() / 2).map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap()).collect();
        let mut rest = &bytes[..];
        while rest.len() >= 8 {
            let length = usize::from(u16::from_be_bytes([rest[2], rest[3]])).clamp(8, rest.len());
            let (message, more) = rest.split_at(length);
            rest = more;
            if [1, 4, 5].contains(&message[0]) {
                all.push(message.to_vec());
            }
        }
    }
    all
}

/// Whether the decoder is at fault: in version 1.0 it takes a flow-mod without actions, which the specification
/// allows, for malformed, and the actions of a packet-out other than output for a part of the packet.
fn excused(message: &[u8]) -> bool {
    matches!(message, [1, 14, 0, 72, ..] | [1, 13, ..])
}

/// A capture file (link type 101: bare IP) in which each message is a TCP connection of its own to port 6653.
fn capture(messages: &[Vec<u8>]) -> Vec<u8> {
    let mut file = Vec::new();
    for word in [0xa1b2_c3d4_u32, 0x0002_0004, 0, 0, 0x4_0000, 101] {
        file.extend(word.to_be_bytes());
    }
    for (n, message) in messages.iter().enumerate() {
        let length = 40 + u32::try_from(message.len()).unwrap();
        let source = 0x0a01_0000 + u32::try_from(n).unwrap();
        let tcp = [0xc351_19fd, 1, 1, 0x5018_ffff, 0];
        let ip = [0x4500_0000 | length, 0, 0x4006_0000, source, 0x0a00_0002];
        for word in [0, 0, length, length].iter().chain(&ip).chain(&tcp) {
            file.extend(word.to_be_bytes());
        }
        file.extend(message);
    }
    file
}

#[test]
fn tshark_finds_nothing_malformed_in_what_was_recorded() {
    let messages = messages();
    assert!(messages.len() > 250, "{}", messages.len());
    let file = std::env::temp_dir().join(format!("oxvs-codecs-{}.pcap", std::process::id()));
    std::fs::write(&file, capture(&messages)).unwrap();
    let wrong = "_ws.malformed || _ws.unreassembled || _ws.expert.severity == 8388608";
    let decode = |filter: &str| {
        let mut c = Command::new("tshark");
        c.arg("-n").arg("-r").arg(&file).args(["-d", "tcp.port==6653,openflow", "-Y", filter]);
        let out = c.args(["-T", "fields", "-e", "frame.number"]).output().ok()?;
        let numbers = String::from_utf8(out.stdout).unwrap();
        Some(numbers.lines().map(|l| l.parse::<usize>().unwrap() - 1).collect::<Vec<_>>())
    };
    let (all, wrong) = (decode("openflow_v1 || openflow_v4 || openflow_v5"), decode(wrong));
    std::fs::remove_file(&file).unwrap();
    let (Some(all), Some(wrong)) = (all, wrong) else {
        return skip("no tshark (`cargo xtask test` installs it)");
    };
    assert_eq!(all.len(), messages.len());
    let wrong: Vec<&Vec<u8>> = wrong.iter().map(|&n| &messages[n]).filter(|m| !excused(m)).collect();
    assert!(wrong.is_empty(), "{wrong:02x?}");
}
