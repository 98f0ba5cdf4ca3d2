//! Extensible statistics of OpenFlow 1.5: entries with a header like OXM's.

use crate::buf::{Decode, Put, Reader};
use crate::ofperr::OfpErr;

const CLASS: u16 = 0x8002;

/// Statistics of a flow, or of several.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Oxs {
    /// Seconds and nanoseconds.
    pub duration: Option<(u32, u32)>,
    /// Seconds and nanoseconds.
    pub idle_time: Option<(u32, u32)>,
    /// Flows.
    pub flow_count: Option<u32>,
    /// Packets.
    pub packet_count: Option<u64>,
    /// Bytes.
    pub byte_count: Option<u64>,
}

fn entry(o: &mut Vec<u8>, field: u8, body: &[u8]) {
    o.u16(CLASS);
    o.u8(field << 1);
    o.u8(body.len() as u8);
    o.bytes(body);
}

/// Appends the statistics that are there, with padding.
pub(crate) fn put(o: &mut Vec<u8>, s: &Oxs) {
    let start = o.len();
    o.zeros(4);
    let pair = |(a, b): (u32, u32)| (u64::from(a) << 32 | u64::from(b)).to_be_bytes();
    if let Some(d) = s.duration {
        entry(o, 0, &pair(d));
    }
    if let Some(d) = s.idle_time {
        entry(o, 1, &pair(d));
    }
    if let Some(n) = s.packet_count {
        entry(o, 4, &n.to_be_bytes());
    }
    if let Some(n) = s.byte_count {
        entry(o, 5, &n.to_be_bytes());
    }
    if let Some(n) = s.flow_count {
        entry(o, 3, &n.to_be_bytes());
    }
    let len = o.len() - start;
    o.patch16(start + 2, len as u16);
    o.align(start, 8);
}

/// Takes statistics and their padding.
pub(crate) fn pull(r: &mut Reader<'_>) -> Decode<Oxs> {
    if r.len() < 4 {
        return Err(OfpErr::OFPBMC_BAD_LEN.into());
    }
    r.skip(2)?;
    let len = usize::from(r.u16()?);
    let padded = len.next_multiple_of(8);
    if len < 4 || r.len() + 4 < padded {
        return Err(OfpErr::OFPBMC_BAD_LEN.into());
    }
    let mut b = Reader::new(&r.take(padded - 4)?[..len - 4]);
    let mut s = Oxs::default();
    while !b.is_empty() {
        let [c0, c1, field, n] = b.array::<4>().map_err(|_| OfpErr::OFPBMC_BAD_LEN)?;
        let (class, field, n) = (u16::from_be_bytes([c0, c1]), field >> 1, usize::from(n));
        let mut v = b.sub(n).map_err(|_| OfpErr::OFPBMC_BAD_LEN)?;
        match (class, field, n) {
            (CLASS, 0, 8) => s.duration = Some((v.u32()?, v.u32()?)),
            (CLASS, 1, 8) => s.idle_time = Some((v.u32()?, v.u32()?)),
            (CLASS, 3, 4) => s.flow_count = Some(v.u32()?),
            (CLASS, 4, 8) => s.packet_count = Some(v.u64()?),
            (CLASS, 5, 8) => s.byte_count = Some(v.u64()?),
            _ => {}
        }
    }
    Ok(s)
}
