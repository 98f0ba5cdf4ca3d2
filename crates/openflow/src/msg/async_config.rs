//! Which asynchronous messages a controller gets.

use crate::buf::{Decode, Put, Reader};
use crate::codec::{Enc, Encode, Property, pull_property, put_property};
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

impl AsyncKind {
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

pub(crate) fn decode(r: &mut Reader<'_>, version: Version) -> Decode<Box<AsyncConfig>> {
    if version >= Version::V14 { decode_properties(r) } else { decode_masks(r) }
}

pub(crate) fn decode_masks(r: &mut Reader<'_>) -> Decode<Box<AsyncConfig>> {
    let mut a = AsyncConfig::default();
    for i in 0..3 {
        a.primary[i] = r.u32()?;
        a.secondary[i] = r.u32()?;
    }
    a.said = 0x3f;
    Ok(Box::new(a))
}

pub(crate) fn decode_properties(r: &mut Reader<'_>) -> Decode<Box<AsyncConfig>> {
    let mut a = AsyncConfig::default();
    while !r.is_empty() {
        let Property { kind, mut body } = pull_property(r)?;
        if kind >= 12 {
            return Err(OfpErr::OFPACFC_UNSUPPORTED.into());
        }
        if body.len() != 4 {
            return Err(OfpErr::OFPBPC_BAD_LEN.into());
        }
        let mask = body.u32()?;
        let slot = usize::from(kind / 2);
        a.said |= 1 << kind;
        if kind % 2 == 0 {
            a.secondary[slot] = mask;
        } else {
            a.primary[slot] = mask;
        }
    }
    Ok(Box::new(a))
}
