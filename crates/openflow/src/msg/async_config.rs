//! Which asynchronous messages a controller gets.

use crate::buf::{Decode, DecodeError, Put, Reader};
use crate::codec::{Enc, Encode, pull_property, put_property, unknown_property};
use crate::kind::Kind;
use crate::ofperr::OfpErr;
use crate::version::Version;

/// A kind of asynchronous message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(usize)]
pub enum AsyncKind {
    /// Packet-in.
    PacketIn = 0,
    /// Port-status.
    PortStatus = 1,
    /// Flow-removed.
    FlowRemoved = 2,
    /// Role-status (1.4).
    RoleStatus = 3,
    /// Table-status (1.4).
    TableStatus = 4,
    /// Request-forward (1.4).
    RequestForward = 5,
}

const MODULE: &str = "ofp_connection";

impl AsyncKind {
    /// Its name, as printed.
    pub fn name(self) -> &'static str {
        ["PACKET_IN", "PORT_STATUS", "FLOW_REMOVED", "ROLE_STATUS", "TABLE_STATUS", "REQUESTFORWARD"]
            [self as usize]
    }

    /// The reasons that a version has, bit n for reason n.
    fn reasons(self, version: Version) -> u32 {
        match self {
            AsyncKind::PacketIn if version < Version::V14 => 0x7,
            AsyncKind::PacketIn | AsyncKind::FlowRemoved => 0x3f,
            AsyncKind::PortStatus | AsyncKind::RoleStatus => 0x7,
            AsyncKind::TableStatus => 0x18,
            AsyncKind::RequestForward => 0x3,
        }
    }

    /// Every kind.
    pub const ALL: [AsyncKind; 6] = [
        AsyncKind::PacketIn,
        AsyncKind::PortStatus,
        AsyncKind::FlowRemoved,
        AsyncKind::RoleStatus,
        AsyncKind::TableStatus,
        AsyncKind::RequestForward,
    ];
}

/// For each kind of message, the reasons (bit n: reason n) for which it is sent.
#[derive(Clone, Copy, Debug, Default)]
pub struct AsyncConfig {
    /// To a primary or equal controller, by [`AsyncKind`].
    pub primary: [u32; 6],
    /// To a secondary one.
    pub secondary: [u32; 6],
    /// Which of these a message said, bit 2n for the secondary and bit 2n + 1 for the primary mask of kind n: the others
    /// stay as they are.
    pub said: u16,
}

/// Two are equal that say the same; what was left out counts as zero.
impl PartialEq for AsyncConfig {
    fn eq(&self, other: &AsyncConfig) -> bool {
        self.primary == other.primary && self.secondary == other.secondary
    }
}

impl Eq for AsyncConfig {}

impl AsyncConfig {
    /// Takes over what `new` says.
    pub fn update(&mut self, new: &AsyncConfig) {
        for n in 0..6 {
            if new.said >> (2 * n) & 1 != 0 {
                self.secondary[n] = new.secondary[n];
            }
            if new.said >> (2 * n + 1) & 1 != 0 {
                self.primary[n] = new.primary[n];
            }
        }
    }
}

pub(crate) fn put(e: &mut Enc<'_>, a: &AsyncConfig, reply: bool) -> Encode {
    let kind = match (reply, e.version) {
        (true, _) => Kind::OfptGetAsyncReply,
        (false, v) if v >= Version::V13 => Kind::OfptSetAsync,
        _ => Kind::NxtSetAsyncConfig,
    };
    let properties = e.version >= Version::V14;
    e.put(kind, |o| {
        for i in 0..if properties { 6 } else { 3 } {
            if properties {
                put_property(o, i as u16 * 2, |o| o.u32(a.secondary[i]));
                put_property(o, i as u16 * 2 + 1, |o| o.u32(a.primary[i]));
            } else {
                o.u32(a.primary[i]);
                o.u32(a.secondary[i]);
            }
        }
    })
}

pub(crate) fn decode(r: &mut Reader<'_>, version: Version, reply: bool) -> Decode<Box<AsyncConfig>> {
    if version >= Version::V14 { decode_properties(r, version, reply) } else { decode_masks(r, version) }
}

pub(crate) fn decode_masks(r: &mut Reader<'_>, version: Version) -> Decode<Box<AsyncConfig>> {
    let mut a = AsyncConfig::default();
    for i in 0..3 {
        let allowed = AsyncKind::ALL[i].reasons(version);
        a.primary[i] = r.u32()? & allowed;
        a.secondary[i] = r.u32()? & allowed;
    }
    a.said = 0x3f;
    Ok(Box::new(a))
}

/// Decodes the form of OpenFlow 1.4. What a controller asks for must be known; what a switch says is cut to that.
pub(crate) fn decode_properties(
    r: &mut Reader<'_>,
    version: Version,
    reply: bool,
) -> Decode<Box<AsyncConfig>> {
    let mut a = AsyncConfig::default();
    while !r.is_empty() {
        let mut p = pull_property(r)?;
        if p.kind >= 12 && reply {
            continue;
        }
        if p.kind >= 12 {
            let mut e = unknown_property(MODULE, "async config", &p);
            if p.experimenter.is_none() {
                e.error = OfpErr::OFPACFC_UNSUPPORTED;
            }
            return Err(e);
        }
        let mut mask = p.u32()?;
        let slot = usize::from(p.kind / 2);
        let allowed = AsyncKind::ALL[slot].reasons(version);
        if mask & !allowed != 0 && !reply {
            let name = AsyncKind::ALL[slot].name();
            let text = format!("bad value {mask:#x} for {name} (allowed mask {allowed:#x})");
            return Err(DecodeError::logged(OfpErr::OFPACFC_INVALID, MODULE, text));
        }
        mask &= allowed;
        a.said |= 1 << p.kind;
        if p.kind % 2 == 0 {
            a.secondary[slot] = mask;
        } else {
            a.primary[slot] = mask;
        }
    }
    Ok(Box::new(a))
}
