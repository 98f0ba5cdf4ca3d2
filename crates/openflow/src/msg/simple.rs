//! Hello, echo, error, barrier and switch description.

use super::Message;
use crate::buf::{Decode, DecodeError, Put, Reader};
use crate::codec::{Enc, Encode};
use crate::kind::{Framed, Kind};
use crate::ofperr::OfpErr;
use crate::version::{Version, VersionSet};

/// Version negotiation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Hello {
    /// Version of the message itself, the highest that the sender supports.
    pub version: u8,
    /// What the sender supports: its bitmap, or, without one, all versions up to the header's.
    pub versions: VersionSet,
    /// Whether there was something in the message that we did not understand.
    pub odd: bool,
}

impl Hello {
    /// The hello of a sender that supports `versions`.
    pub fn new(versions: VersionSet) -> Hello {
        let version = versions.highest().unwrap_or(Version::V10).wire();
        Hello { version, versions, odd: false }
    }
}

/// An error, with as much of the offending message as the sender wanted to give.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ErrorMsg {
    /// What is wrong.
    pub error: OfpErr,
    /// The offending message's bytes, or the text of a failed hello.
    pub data: Vec<u8>,
}

/// Description of a switch. Strings are as on the wire, up to the first zero.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct DescStats {
    /// Manufacturer, up to 255 bytes.
    pub manufacturer: String,
    /// Hardware, up to 255 bytes.
    pub hardware: String,
    /// Software, up to 255 bytes.
    pub software: String,
    /// Serial number, up to 31 bytes.
    pub serial: String,
    /// Description of the datapath, up to 255 bytes.
    pub datapath: String,
}

pub(crate) fn put_hello(e: &mut Enc<'_>, h: &Hello) -> Encode {
    let version = Version::from_wire(h.version).or(h.versions.highest()).unwrap_or(Version::V10);
    e.version = version;
    // The bitmap says more than the version alone unless all versions up to it are meant.
    let implied = VersionSet((2 << version.wire()) - 2);
    let bits = h.versions.0;
    e.put(Kind::OfptHello, |o| {
        if VersionSet(bits) != implied {
            o.u16(1);
            o.u16(8);
            o.u32(bits);
        }
    })
}

pub(crate) fn hello(f: &Framed<'_>) -> Decode<Message> {
    let mut r = Reader::new(f.body);
    let wire = f.version.wire();
    let mut h = Hello { version: wire, versions: VersionSet((2 << wire) - 2), odd: false };
    let mut found = false;
    while !r.is_empty() {
        let (Ok(kind), Ok(len)) = (r.u16(), r.u16()) else {
            h.odd = true;
            break;
        };
        let len = usize::from(len);
        let padded = len.next_multiple_of(8);
        if len < 4 || r.len() < padded.min(len.max(4)) - 4 || r.len() < len - 4 {
            h.odd = true;
            break;
        }
        let body = r.take(len - 4)?;
        let _ = r.skip((padded - len).min(r.len()));
        match body.first_chunk::<4>() {
            Some(bits) if kind == 1 && !found => {
                let bits = u32::from_be_bytes(*bits);
                if bits != 0 {
                    h.versions = VersionSet(bits);
                    found = true;
                } else {
                    h.odd = true;
                }
            }
            _ => h.odd = true,
        }
    }
    Ok(Message::Hello(h))
}

pub(crate) fn put_error(e: &mut Enc<'_>, m: &ErrorMsg) -> Encode {
    let version = e.version;
    // An error that the version lacks is sent as a general one.
    let code = m.error.code(version).or_else(|| OfpErr::NXBRC_UNENCODABLE_ERROR.code(version));
    let Some(code) = code else { return Err(crate::codec::Unencodable) };
    e.put(Kind::OfptError, |o| {
        match (code.vendor, version) {
            (0, _) => {
                o.u16(code.kind);
                o.u16(code.code);
            }
            (vendor, Version::V10 | Version::V11) => {
                // Before experimenter errors existed, Nicira wrapped its own.
                o.u16(0xb0c2);
                o.u16(0);
                o.u32(vendor);
                o.u16(code.kind);
                o.u16(code.code);
            }
            (vendor, _) => {
                o.u16(0xffff);
                o.u16(code.kind);
                o.u32(vendor);
            }
        }
        o.bytes(&m.data);
    })
}

pub(crate) fn error(f: &Framed<'_>) -> Decode<Message> {
    use crate::ofperr::ErrorCode;
    let mut r = Reader::new(f.body);
    let (mut kind, mut code) = (r.u16()?, r.u16()?);
    let mut vendor = 0;
    if kind == 0xb0c2 && code == 0 {
        vendor = r.u32()?;
        kind = r.u16()?;
        code = r.u16()?;
    } else if kind == 0xffff {
        vendor = r.u32()?;
        kind = code;
        code = 0;
    }
    let error = OfpErr::from_code(f.version, ErrorCode { vendor, kind, code })
        .ok_or_else(|| DecodeError::from(OfpErr::OFPBRC_BAD_LEN))?;
    Ok(Message::Error(ErrorMsg { error, data: r.take_all().to_vec() }))
}

pub(crate) fn put_desc(e: &mut Enc<'_>, d: &DescStats) -> Encode {
    e.put(Kind::OfpstDescReply, |o| {
        o.string(&d.manufacturer, 256);
        o.string(&d.hardware, 256);
        o.string(&d.software, 256);
        o.string(&d.serial, 32);
        o.string(&d.datapath, 256);
    })
}

pub(crate) fn decode_desc(r: &mut Reader<'_>) -> Decode<DescStats> {
    Ok(DescStats {
        manufacturer: r.string(256)?,
        hardware: r.string(256)?,
        software: r.string(256)?,
        serial: r.string(32)?,
        datapath: r.string(256)?,
    })
}
