//! Switch configuration: fragments and miss length.

use crate::buf::{Decode, Put, Reader};
use crate::codec::{Enc, Encode};
use crate::kind::Kind;
use crate::ofperr::OfpErr;
use crate::version::Version;

/// What becomes of IP fragments.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(u8)]
pub enum FragHandling {
    /// No special treatment.
    #[default]
    Normal = 0,
    /// Dropped.
    Drop = 1,
    /// Reassembled.
    Reassemble = 2,
    /// Nicira: first fragments are matched with their ports.
    NxMatch = 3,
}

/// Switch configuration.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SwitchConfig {
    /// Fragments.
    pub frag: FragHandling,
    /// Send packets whose TTL runs out to the controller (up to 1.2): `None` when the version cannot say.
    pub invalid_ttl_to_controller: Option<bool>,
    /// Bytes of a packet that misses to send to the controller.
    pub miss_send_len: u16,
}

const INVALID_TTL: u16 = 1 << 2;

pub(crate) fn put(e: &mut Enc<'_>, kind: Kind, c: &SwitchConfig) -> Encode {
    let version = e.version;
    let ttl = version < Version::V13 && c.invalid_ttl_to_controller == Some(true);
    e.put(kind, |o| {
        o.u16(c.frag as u16 | if ttl { INVALID_TTL } else { 0 });
        o.u16(c.miss_send_len);
    })
}

pub(crate) fn decode(r: &mut Reader<'_>, version: Version) -> Decode<SwitchConfig> {
    let flags = r.u16()?;
    let frag = match flags & 3 {
        0 => FragHandling::Normal,
        1 => FragHandling::Drop,
        2 => FragHandling::Reassemble,
        _ => FragHandling::NxMatch,
    };
    let invalid_ttl_to_controller = (version < Version::V13).then_some(flags & INVALID_TTL != 0);
    Ok(SwitchConfig { frag, invalid_ttl_to_controller, miss_send_len: r.u16()? })
}

pub(crate) fn decode_set(r: &mut Reader<'_>, version: Version) -> Decode<SwitchConfig> {
    let known = 3 | if version < Version::V13 { INVALID_TTL } else { 0 };
    let flags = r.rest().first_chunk::<2>().map_or(0, |b| u16::from_be_bytes(*b));
    if flags & !known != 0 {
        return Err(OfpErr::OFPSCFC_BAD_FLAGS.into());
    }
    decode(r, version)
}
