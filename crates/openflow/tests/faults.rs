//! Messages with one or several faults, and the error that Open vSwitch 3.5.0 answers them with.

use openflow::{Codec, Message, OfpErr, Version};

fn message(version: u8, kind: u8, body: &[u8]) -> Vec<u8> {
    let mut m = vec![version, kind];
    m.extend(((8 + body.len()) as u16).to_be_bytes());
    m.extend([0, 0, 0, 1]);
    m.extend(body);
    m
}

/// A flow-mod of OpenFlow 1.3 that adds a flow, with faults.
fn flow_mod(faults: &[&str]) -> Vec<u8> {
    let has = |f| faults.contains(&f);
    let mut b = vec![0; 16];
    b.extend([0, if has("command") { 9 } else { 0 }, 0, 0, 0, 0, 0, 1, 255, 255, 255, 255]);
    b.extend(if has("port") { 0xff00_ff00_u32 } else { u32::MAX }.to_be_bytes());
    b.extend([255; 4]);
    b.extend(if has("flags") { [255, 255] } else { [0, 0] });
    b.extend([0, 0]);
    b.extend([0, if has("match") { 7 } else { 1 }, 0, 4, 0, 0, 0, u8::from(has("padding"))]);
    if has("instruction") {
        b.extend([0, 0x77, 0, 8, 0, 0, 0, 0]);
    }
    message(4, 14, &b)
}

fn error(version: Version, bytes: &[u8]) -> Option<OfpErr> {
    Codec::new(version).decode(bytes).err().map(|e| e.error)
}

#[test]
fn of_several_faults_the_reference_s_is_reported() {
    const CASES: &[(&[&str], Option<OfpErr>)] = &[
        (&[], None),
        (&["padding"], None),
        (&["command"], Some(OfpErr::OFPFMFC_BAD_COMMAND)),
        (&["port"], Some(OfpErr::OFPBAC_BAD_OUT_PORT)),
        (&["match"], Some(OfpErr::OFPBMC_BAD_TYPE)),
        (&["flags"], Some(OfpErr::OFPFMFC_BAD_FLAGS)),
        (&["instruction"], Some(OfpErr::OFPBIC_UNKNOWN_INST)),
        (&["command", "port"], Some(OfpErr::OFPBAC_BAD_OUT_PORT)),
        (&["command", "match"], Some(OfpErr::OFPBMC_BAD_TYPE)),
        (&["command", "flags"], Some(OfpErr::OFPFMFC_BAD_COMMAND)),
        (&["command", "instruction"], Some(OfpErr::OFPFMFC_BAD_COMMAND)),
        (&["port", "match"], Some(OfpErr::OFPBMC_BAD_TYPE)),
        (&["port", "instruction"], Some(OfpErr::OFPBAC_BAD_OUT_PORT)),
        (&["flags", "instruction"], Some(OfpErr::OFPBIC_UNKNOWN_INST)),
    ];
    for (faults, wanted) in CASES {
        assert_eq!(error(Version::V13, &flow_mod(faults)), *wanted, "{faults:?}");
    }
}

#[test]
fn an_action_s_type_is_looked_at_before_its_length() {
    const CASES: &[(&[u8], OfpErr)] = &[
        (b"\x00\x77\x00\x09\0\0\0\0", OfpErr::OFPBAC_BAD_TYPE),
        (b"\x00\x77\x00\x80\0\0\0\0", OfpErr::OFPBAC_BAD_TYPE),
        (b"\x00\x77\x00\x00\0\0\0\0", OfpErr::OFPBAC_BAD_TYPE),
        (b"\x00\x00\x00\x00\0\0\0\0", OfpErr::OFPBAC_BAD_LEN),
        (b"\x00\x00\x00\x80\0\0\0\0", OfpErr::OFPBAC_BAD_LEN),
        (b"\xff\xff\x00\x08\0\0\0\x07", OfpErr::OFPBAC_BAD_VENDOR),
        (b"\xff\xff\x00\x00\0\0\x23\x20\0\0\0\0\0\0\0\0", OfpErr::OFPBAC_BAD_VENDOR_TYPE),
        (b"\xff\xff\x00\x80\0\0\x23\x20\xf0\0\0\0\0\0\0\0", OfpErr::OFPBAC_BAD_VENDOR_TYPE),
    ];
    for (action, wanted) in CASES {
        let mut b = 0x0038_20ff_u32.to_be_bytes().to_vec();
        b.extend([0; 36 + 8 + 6]);
        b.extend([0, 1, 255, 255, 255, 255, 255, 255, 0, 0]);
        b.extend(*action);
        assert_eq!(error(Version::V10, &message(1, 14, &b)), Some(*wanted), "{action:02x?}");
    }
}

#[test]
fn a_field_s_number_with_another_length_is_no_field() {
    const CASES: &[(&[u8], OfpErr)] = &[
        (b"\x80\x00\x0a\x04\0\0\0\x01", OfpErr::OFPBMC_BAD_FIELD),
        (b"\x80\x00\x0b\x02\x01\x00", OfpErr::OFPBMC_BAD_WILDCARDS),
        (b"\x80\x00\x09\x02\x08\xff", OfpErr::OFPBMC_BAD_FIELD),
        (b"\x80\x00\x08\x02\x08\x00", OfpErr::OFPBMC_BAD_FIELD),
        (b"\x00\x01\x01\x04\0\0\0\x05", OfpErr::OFPBMC_BAD_FIELD),
        (b"\x80\x00\xff\x02\x01\x00", OfpErr::OFPBMC_BAD_WILDCARDS),
        (b"\x80\x00\x00\x04\x00\x01", OfpErr::OFPBMC_BAD_LEN),
    ];
    for (entry, wanted) in CASES {
        let mut m = flow_mod(&[]);
        m.truncate(8 + 40);
        m.extend([0, 1, 0, 4 + entry.len() as u8]);
        m.extend(*entry);
        m.resize(m.len().next_multiple_of(8), 0);
        m[3] = m.len() as u8;
        assert_eq!(error(Version::V13, &m), Some(*wanted), "{entry:02x?}");
    }
}

#[test]
fn short_experimenter_messages_and_group_mods() {
    assert_eq!(error(Version::V10, &message(1, 4, &[0, 0, 0x23, 0xff, 0, 0])), Some(OfpErr::OFPBRC_BAD_LEN));
    assert_eq!(
        error(Version::V13, &message(4, 4, &[0, 0, 0x23, 0xff, 0, 0, 0, 0])),
        Some(OfpErr::OFPBRC_BAD_VENDOR)
    );
    let group = |command, kind, buckets: &[u8]| {
        message(4, 15, &[&[0, command, kind, 0, 0, 0, 0, 1], buckets].concat())
    };
    let bucket = [0, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    assert_eq!(error(Version::V13, &group(9, 0, &[])), Some(OfpErr::OFPGMFC_BAD_COMMAND));
    assert_eq!(error(Version::V13, &group(9, 9, &[])), Some(OfpErr::OFPGMFC_BAD_TYPE));
    assert_eq!(error(Version::V13, &group(9, 0, &bucket)), Some(OfpErr::OFPGMFC_BAD_BUCKET));
    assert_eq!(error(Version::V13, &group(9, 9, &bucket)), Some(OfpErr::OFPGMFC_BAD_BUCKET));
    assert!(matches!(Codec::new(Version::V13).decode(&group(0, 0, &[])), Ok((_, Message::GroupMod(_)))));
}
