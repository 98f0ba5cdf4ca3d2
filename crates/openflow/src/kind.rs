//! Framing: which message has which number, and how long it may be, in each version.
//!
//! Declared once per message: its name as printed, and for each range of versions its place in the header, its
//! least length, and by what it may be longer (0: not at all).

use crate::buf::{Decode, DecodeError, Put};
use crate::ofperr::OfpErr;
use crate::version::Version;

const MODULE: &str = "ofp_msgs";
/// Experimenter id of Nicira.
pub const NICIRA: u32 = 0x2320;
/// Experimenter id of the Open Networking Foundation.
pub const ONF: u32 = 0x4f4e_4600;

/// Where in the header a message's number is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Place {
    Type(u8),
    StatsRequest(u16),
    StatsReply(u16),
    Nicira(u32),
    Onf(u32),
    NiciraStatsRequest(u32),
    NiciraStatsReply(u32),
    OnfStatsRequest(u32),
    OnfStatsReply(u32),
}
use Place::*;

struct Form {
    since: u8,
    until: u8,
    place: Place,
    min: u16,
    multiple: u16,
}

struct Entry {
    kind: Kind,
    name: &'static str,
    forms: &'static [Form],
}

macro_rules! kinds {
    ($($id:ident $name:literal: $(($since:literal..=$until:literal: $place:ident($n:literal) $min:literal $multiple:literal)),+;)+) => {
        /// A message as framed; each of the extensions' variants has its own.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        #[allow(missing_docs, reason = "named as the messages are")]
        pub enum Kind { $($id,)+ }

        static TABLE: &[Entry] = &[$(Entry {
            kind: Kind::$id,
            name: $name,
            forms: &[$(Form { since: $since, until: $until, place: $place($n), min: $min, multiple: $multiple }),+],
        },)+];
    };
}

/// Number of a statistics message's type field.
const fn stats_type(version: Version, reply: bool) -> u8 {
    match (version, reply) {
        (Version::V10, false) => 16,
        (Version::V10, true) => 17,
        (_, false) => 18,
        (_, true) => 19,
    }
}

fn u16_at(b: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(b.get(at..at + 2)?.try_into().ok()?))
}

fn u32_at(b: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(b.get(at..at + 4)?.try_into().ok()?))
}

/// A message's place, from its bytes; also the length of its header. Unknown versions are taken for later ones.
fn place(version: Option<Version>, b: &[u8]) -> Result<(Place, usize), Option<String>> {
    let kind = b[1];
    if kind == 4 {
        let (vendor, subtype) = (u32_at(b, 8).ok_or(None)?, u32_at(b, 12).ok_or(None)?);
        return match vendor {
            NICIRA => Ok((Nicira(subtype), 16)),
            ONF => Ok((Onf(subtype), 16)),
            _ => Err(Some(unknown_vendor(vendor))),
        };
    }
    let v10 = version == Some(Version::V10);
    let [request, reply] = [false, true].map(|reply| stats_type(version.unwrap_or(Version::V15), reply));
    let reply = kind == reply;
    if !reply && kind != request {
        return Ok((Type(kind), 8));
    }
    let stats = u16_at(b, 8).ok_or(None)?;
    let fixed = if v10 { 12 } else { 16 };
    if b.len() < fixed {
        return Err(None);
    }
    if stats != 0xffff {
        return Ok((if reply { StatsReply(stats) } else { StatsRequest(stats) }, fixed));
    }
    let vendor = u32_at(b, fixed).ok_or(None)?;
    if vendor != NICIRA && (vendor != ONF || v10) {
        return Err(Some(unknown_vendor(vendor)));
    }
    let subtype = u32_at(b, fixed + 4).filter(|_| b.len() >= 24).ok_or(None)?;
    let place = match (vendor, reply) {
        (NICIRA, true) => NiciraStatsReply(subtype),
        (NICIRA, false) => NiciraStatsRequest(subtype),
        (_, true) => OnfStatsReply(subtype),
        (_, false) => OnfStatsRequest(subtype),
    };
    Ok((place, 24))
}

fn unknown_vendor(vendor: u32) -> String {
    format!("OpenFlow message has unknown vendor {}", crate::text::CHex(vendor.into()))
}

fn unknown(version: Option<Version>, b: &[u8], place: Place) -> DecodeError {
    let (v, t) = (b[0], b[1]);
    let stat = if version.is_some() { "stat 65535, " } else { "" };
    let (error, text) = match place {
        StatsRequest(_) | StatsReply(_) if version.is_none() => {
            (OfpErr::OFPBRC_BAD_TYPE, format!("version {v}, type {t}"))
        }
        Type(_) => (OfpErr::OFPBRC_BAD_TYPE, format!("version {v}, type {t}")),
        StatsRequest(s) | StatsReply(s) => {
            (OfpErr::OFPBRC_BAD_STAT, format!("version {v}, type {t}, stat {s}"))
        }
        Nicira(s) => {
            (OfpErr::OFPBRC_BAD_SUBTYPE, format!("version {v}, type {t}, vendor {NICIRA:#x}, subtype {s}"))
        }
        Onf(s) => {
            (OfpErr::OFPBRC_BAD_SUBTYPE, format!("version {v}, type {t}, vendor {ONF:#x}, subtype {s}"))
        }
        NiciraStatsRequest(s) | NiciraStatsReply(s) => (
            OfpErr::OFPBRC_BAD_SUBTYPE,
            format!("version {v}, type {t}, {stat}vendor {NICIRA:#x}, subtype {s}"),
        ),
        OnfStatsRequest(s) | OnfStatsReply(s) => {
            (OfpErr::OFPBRC_BAD_SUBTYPE, format!("version {v}, type {t}, {stat}vendor {ONF:#x}, subtype {s}"))
        }
    };
    DecodeError::logged(error, MODULE, format!("unknown OpenFlow message ({text})"))
}

impl Kind {
    /// Whether the message goes to a switch once versions are agreed on: replies, notifications and errors are the
    /// switch's to send, whatever they hold.
    pub fn is_for_switch(self) -> bool {
        let name = self.name();
        let from_switch = name.ends_with(" reply") || name.ends_with("_REPLY");
        let notification = matches!(
            self,
            Kind::OfptHello
                | Kind::OfptError
                | Kind::OfptPacketIn
                | Kind::NxtPacketIn
                | Kind::NxtPacketIn2
                | Kind::OfptFlowRemoved
                | Kind::NxtFlowRemoved
                | Kind::OfptPortStatus
                | Kind::OfptRoleStatus
                | Kind::OnftRoleStatus
                | Kind::OfptTableStatus
                | Kind::OfptRequestforward
                | Kind::NxtFlowMonitorPaused
                | Kind::NxtFlowMonitorResumed
                | Kind::OnftFlowMonitorPaused
                | Kind::OnftFlowMonitorResumed
        );
        self == Kind::OfptEchoReply || !(from_switch || notification)
    }

    /// Whether a connection of role secondary must not send it.
    pub fn changes_the_switch(self) -> bool {
        matches!(
            self,
            Kind::OfptFlowMod
                | Kind::NxtFlowMod
                | Kind::OfptGroupMod
                | Kind::NxtGroupMod
                | Kind::OfptMeterMod
                | Kind::OfptPortMod
                | Kind::OfptTableMod
                | Kind::OfptPacketOut
                | Kind::OfptBundleControl
                | Kind::OnftBundleControl
                | Kind::OfptBundleAddMessage
                | Kind::OnftBundleAddMessage
                | Kind::NxtResume
                | Kind::NxtTlvTableMod
                | Kind::NxtCtFlush
                | Kind::NxtCtFlushZone
        )
    }

    /// As printed.
    pub fn name(self) -> &'static str {
        TABLE[self as usize].name
    }

    /// Whether a version has the message.
    pub fn exists_in(self, version: Version) -> bool {
        self.form(version).is_some()
    }

    fn form(self, version: Version) -> Option<&'static Form> {
        debug_assert!(TABLE[self as usize].kind == self);
        TABLE[self as usize].forms.iter().find(|f| (f.since..=f.until).contains(&version.wire()))
    }

    /// Appends the message's header, with its length left open; gives where the message starts.
    pub fn put_header(self, out: &mut Vec<u8>, version: Version, xid: base::Xid) -> Option<usize> {
        let form = self.form(version)?;
        let start = out.len();
        let kind = match form.place {
            Type(t) => t,
            StatsRequest(_) | NiciraStatsRequest(_) | OnfStatsRequest(_) => stats_type(version, false),
            StatsReply(_) | NiciraStatsReply(_) | OnfStatsReply(_) => stats_type(version, true),
            Nicira(_) | Onf(_) => 4,
        };
        out.u8(version.wire());
        out.u8(kind);
        out.u16(0);
        out.u32(xid.0);
        match form.place {
            Type(_) => {}
            Nicira(s) => {
                out.u32(NICIRA);
                out.u32(s);
            }
            Onf(s) => {
                out.u32(ONF);
                out.u32(s);
            }
            StatsRequest(s) | StatsReply(s) => {
                out.u16(s);
                out.u16(0);
                if version != Version::V10 {
                    out.zeros(4);
                }
            }
            OnfStatsRequest(s) | OnfStatsReply(s) => {
                out.u16(0xffff);
                out.u16(0);
                out.zeros(4);
                out.u32(ONF);
                out.u32(s);
            }
            NiciraStatsRequest(s) | NiciraStatsReply(s) => {
                out.u16(0xffff);
                out.u16(0);
                if version != Version::V10 {
                    out.zeros(4);
                }
                out.u32(NICIRA);
                out.u32(s);
                if version == Version::V10 {
                    out.zeros(4);
                }
            }
        }
        Some(start)
    }
}

/// A message that was identified.
#[derive(Clone, Copy, Debug)]
pub struct Framed<'a> {
    /// Its version.
    pub version: Version,
    /// Its transaction id.
    pub xid: base::Xid,
    /// What it is.
    pub kind: Kind,
    /// Statistics: further parts follow.
    pub more: bool,
    /// What follows the header.
    pub body: &'a [u8],
    /// All of it.
    pub bytes: &'a [u8],
}

/// Which message this is, without looking at its length.
pub fn kind_of(bytes: &[u8]) -> Decode<Kind> {
    Ok(find(bytes)?.1.0)
}

fn find(bytes: &[u8]) -> Decode<(Version, (Kind, &'static Form, usize))> {
    if bytes.len() < 8 {
        return Err(OfpErr::OFPBRC_BAD_LEN.into());
    }
    let version = Version::from_wire(bytes[0]);
    let (place, header) = place(version, bytes).map_err(|e| match e {
        None => OfpErr::OFPBRC_BAD_LEN.into(),
        Some(text) => DecodeError::logged(OfpErr::OFPBRC_BAD_VENDOR, MODULE, text),
    })?;
    let Some(version) = version else { return Err(unknown(None, bytes, place)) };
    let mut slot = slot_of(version.wire(), place);
    while let Some((n, form)) = SLOTS[slot] {
        let e = &TABLE[n as usize];
        let f = &e.forms[form as usize];
        if f.place == place && (f.since..=f.until).contains(&version.wire()) {
            return Ok((version, (e.kind, f, header)));
        }
        slot = (slot + 1) % N_SLOTS;
    }
    Err(unknown(Some(version), bytes, place))
}

/// Room for each message in each version, with more than half of it free.
const N_SLOTS: usize = 2048;

/// Where to find a message: a hash table with open addressing, whose entries are a place in [`TABLE`] and a form there.
static SLOTS: [Option<(u16, u8)>; N_SLOTS] = slots();

const fn slot_of(version: u8, place: Place) -> usize {
    let (tag, n) = match place {
        Type(n) => (0, n as u32),
        StatsRequest(n) => (1, n as u32),
        StatsReply(n) => (2, n as u32),
        Nicira(n) => (3, n),
        Onf(n) => (4, n),
        NiciraStatsRequest(n) => (5, n),
        NiciraStatsReply(n) => (6, n),
        OnfStatsRequest(n) => (7, n),
        OnfStatsReply(n) => (8, n),
    };
    let key = (n as u64) << 8 | tag << 4 | version as u64;
    (key.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 53) as usize % N_SLOTS
}

const fn slots() -> [Option<(u16, u8)>; N_SLOTS] {
    let mut all = [None; N_SLOTS];
    let mut n = 0;
    while n < TABLE.len() {
        let mut form = 0;
        while form < TABLE[n].forms.len() {
            let f = &TABLE[n].forms[form];
            let mut version = f.since;
            while version <= f.until {
                let mut slot = slot_of(version, f.place);
                while all[slot].is_some() {
                    slot = (slot + 1) % N_SLOTS;
                }
                all[slot] = Some((n as u16, form as u8));
                version += 1;
            }
            form += 1;
        }
        n += 1;
    }
    all
}

/// Identifies a message and checks its length.
pub fn identify(bytes: &[u8]) -> Decode<Framed<'_>> {
    let (version, (kind, form, header)) = find(bytes)?;
    let (len, min, multiple) = (bytes.len(), usize::from(form.min), usize::from(form.multiple));
    let problem = match multiple {
        0 if len != min => Some(format!("expected length {min}")),
        1 if len < min => Some(format!("expected length at least {min} bytes")),
        n if n > 1 && (len < min || (len - min) % n != 0) => {
            Some(format!("must be exactly {min} bytes or longer by an integer multiple of {n} bytes"))
        }
        _ => None,
    };
    if let Some(p) = problem {
        let text = format!("received {} with incorrect length {len} ({p})", kind.name());
        return Err(DecodeError::logged(OfpErr::OFPBRC_BAD_LEN, MODULE, text));
    }
    let xid = base::Xid(u32::from_be_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]));
    let more = matches!(
        form.place,
        StatsReply(_)
            | NiciraStatsReply(_)
            | OnfStatsReply(_)
            | StatsRequest(_)
            | NiciraStatsRequest(_)
            | OnfStatsRequest(_)
    ) && u16_at(bytes, 10).is_some_and(|f| f & 1 != 0);
    Ok(Framed { version, xid, kind, more, body: &bytes[header..], bytes })
}

kinds! {
    NxstFlowRequest "NXST_FLOW request": (1..=1: NiciraStatsRequest(0) 32 8);
    NxstAggregateRequest "NXST_AGGREGATE request": (1..=1: NiciraStatsRequest(1) 32 8);
    NxstFlowMonitorRequest "NXST_FLOW_MONITOR request": (1..=3: NiciraStatsRequest(2) 24 8);
    NxstIpfixBridgeRequest "NXST_IPFIX_BRIDGE request": (1..=6: NiciraStatsRequest(3) 24 0);
    NxstIpfixFlowRequest "NXST_IPFIX_FLOW request": (1..=6: NiciraStatsRequest(4) 24 0);
    NxstGroupRequest "NXST_GROUP request": (1..=1: NiciraStatsRequest(7) 32 0);
    NxstGroupDescRequest "NXST_GROUP_DESC request": (1..=1: NiciraStatsRequest(8) 32 0);
    NxstGroupFeaturesRequest "NXST_GROUP_FEATURES request": (1..=2: NiciraStatsRequest(9) 24 0);
    NxstFlowReply "NXST_FLOW reply": (1..=1: NiciraStatsReply(0) 24 1);
    NxstAggregateReply "NXST_AGGREGATE reply": (1..=1: NiciraStatsReply(1) 48 0);
    OnfstFlowMonitorRequest "ONFST_FLOW_MONITOR request": (4..=4: OnfStatsRequest(1870) 24 8);
    OnfstFlowMonitorReply "ONFST_FLOW_MONITOR reply": (4..=4: OnfStatsReply(1870) 24 8);
    NxstFlowMonitorReply "NXST_FLOW_MONITOR reply": (1..=3: NiciraStatsReply(2) 24 8);
    NxstIpfixBridgeReply "NXST_IPFIX_BRIDGE reply": (1..=6: NiciraStatsReply(3) 112 0);
    NxstIpfixFlowReply "NXST_IPFIX_FLOW reply": (1..=6: NiciraStatsReply(4) 24 88);
    NxstGroupReply "NXST_GROUP reply": (1..=1: NiciraStatsReply(7) 24 8);
    NxstGroupDescReply "NXST_GROUP_DESC reply": (1..=1: NiciraStatsReply(8) 24 8);
    NxstGroupFeaturesReply "NXST_GROUP_FEATURES reply": (1..=2: NiciraStatsReply(9) 64 0);
    NxtRoleRequest "NXT_ROLE_REQUEST": (1..=6: Nicira(10) 20 0);
    NxtRoleReply "NXT_ROLE_REPLY": (1..=6: Nicira(11) 20 0);
    NxtSetFlowFormat "NXT_SET_FLOW_FORMAT": (1..=1: Nicira(12) 20 0);
    NxtFlowMod "NXT_FLOW_MOD": (1..=6: Nicira(13) 48 8);
    NxtFlowRemoved "NXT_FLOW_REMOVED": (1..=6: Nicira(14) 56 8);
    NxtFlowModTableId "NXT_FLOW_MOD_TABLE_ID": (1..=6: Nicira(15) 24 0);
    NxtSetPacketInFormat "NXT_SET_PACKET_IN_FORMAT": (1..=6: Nicira(16) 20 0);
    NxtPacketIn "NXT_PACKET_IN": (1..=6: Nicira(17) 40 1);
    NxtFlowAge "NXT_FLOW_AGE": (1..=6: Nicira(18) 16 0);
    NxtSetAsyncConfig "NXT_SET_ASYNC_CONFIG": (1..=6: Nicira(19) 40 0);
    NxtSetControllerId "NXT_SET_CONTROLLER_ID": (1..=6: Nicira(20) 24 0);
    NxtFlowMonitorCancel "NXT_FLOW_MONITOR_CANCEL": (1..=3: Nicira(21) 20 0);
    NxtFlowMonitorPaused "NXT_FLOW_MONITOR_PAUSED": (1..=3: Nicira(22) 16 0);
    NxtFlowMonitorResumed "NXT_FLOW_MONITOR_RESUMED": (1..=3: Nicira(23) 16 0);
    NxtTlvTableMod "NXT_TLV_TABLE_MOD": (1..=6: Nicira(24) 24 8);
    NxtTlvTableRequest "NXT_TLV_TABLE_REQUEST": (1..=6: Nicira(25) 16 0);
    NxtTlvTableReply "NXT_TLV_TABLE_REPLY": (1..=6: Nicira(26) 32 8);
    NxtSetAsyncConfig2 "NXT_SET_ASYNC_CONFIG2": (1..=4: Nicira(27) 16 8);
    NxtResume "NXT_RESUME": (1..=6: Nicira(28) 16 8);
    NxtCtFlushZone "NXT_CT_FLUSH_ZONE": (1..=6: Nicira(29) 24 0);
    NxtPacketIn2 "NXT_PACKET_IN2": (1..=6: Nicira(30) 16 8);
    NxtGroupMod "NXT_GROUP_MOD": (1..=1: Nicira(31) 32 8);
    NxtCtFlush "NXT_CT_FLUSH": (1..=6: Nicira(32) 24 8);
    OfpstDescRequest "OFPST_DESC request": (1..=1: StatsRequest(0) 12 0), (2..=6: StatsRequest(0) 16 0);
    OfpstFlowRequest "OFPST_FLOW request": (1..=1: StatsRequest(1) 56 0), (2..=6: StatsRequest(1) 48 8);
    OfpstMeterConfigRequest "OFPST_METER_CONFIG request": (4..=6: StatsRequest(10) 24 0);
    OfpstMeterFeaturesRequest "OFPST_METER_FEATURES request": (4..=6: StatsRequest(11) 16 0);
    OfpstTableFeaturesRequest "OFPST_TABLE_FEATURES request": (4..=6: StatsRequest(12) 16 8);
    OfpstPortDescRequest "OFPST_PORT_DESC request": (1..=1: StatsRequest(13) 12 0), (2..=5: StatsRequest(13) 16 0), (6..=6: StatsRequest(13) 24 0);
    OfpstTableDescRequest "OFPST_TABLE_DESC request": (5..=6: StatsRequest(14) 16 0);
    OfpstQueueDescRequest "OFPST_QUEUE_DESC request": (5..=6: StatsRequest(15) 24 0);
    OfpstFlowMonitorRequest "OFPST_FLOW_MONITOR request": (5..=6: StatsRequest(16) 16 8);
    OfpstAggregateRequest "OFPST_AGGREGATE request": (1..=1: StatsRequest(2) 56 0), (2..=6: StatsRequest(2) 48 8);
    OfpstTableRequest "OFPST_TABLE request": (1..=1: StatsRequest(3) 12 0), (2..=6: StatsRequest(3) 16 0);
    OfpstPortRequest "OFPST_PORT request": (1..=1: StatsRequest(4) 20 0), (2..=6: StatsRequest(4) 24 0);
    OfpstQueueRequest "OFPST_QUEUE request": (1..=1: StatsRequest(5) 20 0), (2..=6: StatsRequest(5) 24 0);
    OfpstGroupRequest "OFPST_GROUP request": (2..=6: StatsRequest(6) 24 0);
    OfpstGroupDescRequest "OFPST_GROUP_DESC request": (2..=5: StatsRequest(7) 16 0), (6..=6: StatsRequest(7) 24 0);
    OfpstGroupFeaturesRequest "OFPST_GROUP_FEATURES request": (3..=6: StatsRequest(8) 16 0);
    OfpstMeterRequest "OFPST_METER request": (4..=6: StatsRequest(9) 24 0);
    OfpstDescReply "OFPST_DESC reply": (1..=1: StatsReply(0) 1068 0), (2..=6: StatsReply(0) 1072 0);
    OfpstFlowReply "OFPST_FLOW reply": (1..=1: StatsReply(1) 12 1), (2..=6: StatsReply(1) 16 1);
    OfpstMeterConfigReply "OFPST_METER_CONFIG reply": (4..=6: StatsReply(10) 16 8);
    OfpstMeterFeaturesReply "OFPST_METER_FEATURES reply": (4..=6: StatsReply(11) 32 0);
    OfpstTableFeaturesReply "OFPST_TABLE_FEATURES reply": (4..=6: StatsReply(12) 80 8);
    OfpstPortDescReply "OFPST_PORT_DESC reply": (1..=1: StatsReply(13) 12 48), (2..=4: StatsReply(13) 16 64), (5..=6: StatsReply(13) 16 8);
    OfpstTableDescReply "OFPST_TABLE_DESC reply": (5..=6: StatsReply(14) 24 8);
    OfpstQueueDescReply "OFPST_QUEUE_DESC reply": (5..=6: StatsReply(15) 16 8);
    OfpstFlowMonitorReply "OFPST_FLOW_MONITOR reply": (5..=6: StatsReply(16) 16 8);
    OfpstAggregateReply "OFPST_AGGREGATE reply": (1..=1: StatsReply(2) 36 0), (2..=5: StatsReply(2) 40 0), (6..=6: StatsReply(2) 16 1);
    OfpstTableReply "OFPST_TABLE reply": (1..=1: StatsReply(3) 12 64), (2..=2: StatsReply(3) 16 88), (3..=3: StatsReply(3) 16 128), (4..=6: StatsReply(3) 16 24);
    OfpstPortReply "OFPST_PORT reply": (1..=1: StatsReply(4) 12 104), (2..=3: StatsReply(4) 16 104), (4..=4: StatsReply(4) 16 112), (5..=6: StatsReply(4) 16 8);
    OfpstQueueReply "OFPST_QUEUE reply": (1..=1: StatsReply(5) 12 32), (2..=3: StatsReply(5) 16 32), (4..=4: StatsReply(5) 16 40), (5..=6: StatsReply(5) 16 8);
    OfpstGroupReply "OFPST_GROUP reply": (2..=6: StatsReply(6) 16 8);
    OfpstGroupDescReply "OFPST_GROUP_DESC reply": (2..=6: StatsReply(7) 16 8);
    OfpstGroupFeaturesReply "OFPST_GROUP_FEATURES reply": (3..=6: StatsReply(8) 56 0);
    OfpstMeterReply "OFPST_METER reply": (4..=6: StatsReply(9) 16 8);
    OfptHello "OFPT_HELLO": (1..=6: Type(0) 8 1);
    OfptError "OFPT_ERROR": (1..=6: Type(1) 12 1);
    OfptPacketIn "OFPT_PACKET_IN": (1..=1: Type(10) 18 1), (2..=2: Type(10) 24 1), (3..=3: Type(10) 16 1), (4..=6: Type(10) 24 1);
    OfptFlowRemoved "OFPT_FLOW_REMOVED": (1..=1: Type(11) 88 0), (2..=5: Type(11) 48 8), (6..=6: Type(11) 24 8);
    OfptPortStatus "OFPT_PORT_STATUS": (1..=1: Type(12) 64 0), (2..=4: Type(12) 80 0), (5..=6: Type(12) 56 8);
    OfptPacketOut "OFPT_PACKET_OUT": (1..=1: Type(13) 16 1), (2..=5: Type(13) 24 1), (6..=6: Type(13) 16 1);
    OfptFlowMod "OFPT_FLOW_MOD": (1..=1: Type(14) 72 8), (2..=6: Type(14) 48 8);
    OfptGroupMod "OFPT_GROUP_MOD": (2..=5: Type(15) 16 8), (6..=6: Type(15) 24 8);
    OfptPortMod "OFPT_PORT_MOD": (1..=1: Type(15) 32 0), (2..=4: Type(16) 40 0), (5..=6: Type(16) 32 8);
    OfptTableMod "OFPT_TABLE_MOD": (2..=4: Type(17) 16 0), (5..=6: Type(17) 16 8);
    OfptBarrierRequest "OFPT_BARRIER_REQUEST": (1..=1: Type(18) 8 0), (2..=6: Type(20) 8 0);
    OfptBarrierReply "OFPT_BARRIER_REPLY": (1..=1: Type(19) 8 0), (2..=6: Type(21) 8 0);
    OfptEchoRequest "OFPT_ECHO_REQUEST": (1..=6: Type(2) 8 1);
    OfptQueueGetConfigRequest "OFPT_QUEUE_GET_CONFIG_REQUEST": (1..=1: Type(20) 12 0), (2..=4: Type(22) 16 0);
    OfptQueueGetConfigReply "OFPT_QUEUE_GET_CONFIG_REPLY": (1..=1: Type(21) 16 8), (2..=4: Type(23) 16 8);
    OfptRoleRequest "OFPT_ROLE_REQUEST": (3..=6: Type(24) 24 0);
    OfptRoleReply "OFPT_ROLE_REPLY": (3..=6: Type(25) 24 0);
    OfptGetAsyncRequest "OFPT_GET_ASYNC_REQUEST": (4..=6: Type(26) 8 0);
    OfptGetAsyncReply "OFPT_GET_ASYNC_REPLY": (4..=4: Type(27) 32 0), (5..=6: Type(27) 8 8);
    OfptSetAsync "OFPT_SET_ASYNC": (4..=4: Type(28) 32 0), (5..=6: Type(28) 8 8);
    OfptMeterMod "OFPT_METER_MOD": (4..=6: Type(29) 16 8);
    OfptEchoReply "OFPT_ECHO_REPLY": (1..=6: Type(3) 8 1);
    OfptRoleStatus "OFPT_ROLE_STATUS": (5..=6: Type(30) 24 8);
    OfptTableStatus "OFPT_TABLE_STATUS": (5..=6: Type(31) 16 8);
    OfptRequestforward "OFPT_REQUESTFORWARD": (5..=6: Type(32) 16 8);
    OfptBundleControl "OFPT_BUNDLE_CONTROL": (5..=6: Type(33) 16 8);
    OfptBundleAddMessage "OFPT_BUNDLE_ADD_MESSAGE": (5..=6: Type(34) 16 1);
    OfptFeaturesRequest "OFPT_FEATURES_REQUEST": (1..=6: Type(5) 8 0);
    OfptFeaturesReply "OFPT_FEATURES_REPLY": (1..=1: Type(6) 32 48), (2..=3: Type(6) 32 64), (4..=6: Type(6) 32 0);
    OfptGetConfigRequest "OFPT_GET_CONFIG_REQUEST": (1..=6: Type(7) 8 0);
    OfptGetConfigReply "OFPT_GET_CONFIG_REPLY": (1..=6: Type(8) 12 0);
    OfptSetConfig "OFPT_SET_CONFIG": (1..=6: Type(9) 12 0);
    OnftFlowMonitorCancel "ONFT_FLOW_MONITOR_CANCEL": (4..=4: Onf(1870) 20 0);
    OnftFlowMonitorPaused "ONFT_FLOW_MONITOR_PAUSED": (4..=4: Onf(1871) 16 0);
    OnftFlowMonitorResumed "ONFT_FLOW_MONITOR_RESUMED": (4..=4: Onf(1872) 16 0);
    OnftRoleStatus "ONFT_ROLE_STATUS": (4..=4: Onf(1911) 32 8);
    OnftBundleControl "ONFT_BUNDLE_CONTROL": (4..=4: Onf(2300) 24 8);
    OnftBundleAddMessage "ONFT_BUNDLE_ADD_MESSAGE": (4..=4: Onf(2301) 24 1);
    OnftRequestforward "ONFT_REQUESTFORWARD": (4..=4: Onf(2350) 24 8);
}
