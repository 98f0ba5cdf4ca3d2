//! Queues: configuration and statistics.

use super::Message;
use super::port::{decode_port, port_from_wire};
use crate::buf::{Decode, Put, Reader};
use crate::codec::{Enc, Encode};
use crate::codec::{pull_property, put_property, put_sized};
use crate::kind::Kind;
use crate::ofperr::OfpErr;
use crate::version::Version;
use base::OfPort;

/// Which queues.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct QueueStatsRequest {
    /// Port, or [`OfPort::NONE`] for all.
    pub port: OfPort,
    /// Queue, or `u32::MAX` for all.
    pub queue: u32,
}

/// Configuration of a queue.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct QueueConfig {
    /// Port.
    pub port: OfPort,
    /// Queue.
    pub queue: u32,
    /// Guaranteed rate in tenths of a per cent; above 1,000: none.
    pub min_rate: Option<u16>,
    /// Highest rate in tenths of a per cent; above 1,000: none.
    pub max_rate: Option<u16>,
}

/// Counters of a queue; `u64::MAX`: unknown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct QueueStats {
    /// Port.
    pub port: OfPort,
    /// Queue.
    pub queue: u32,
    /// Sent bytes.
    pub tx_bytes: u64,
    /// Sent packets.
    pub tx_packets: u64,
    /// Dropped packets.
    pub tx_errors: u64,
    /// Age, seconds and nanoseconds (from 1.3 on).
    pub duration: Option<(u32, u32)>,
}

pub(crate) fn put_config_request(e: &mut Enc<'_>, q: &QueueStatsRequest) -> Encode {
    let version = e.version;
    if version >= Version::V14 {
        return put_desc_request(e, q);
    }
    e.put(Kind::OfptQueueGetConfigRequest, |o| {
        if version == Version::V10 {
            o.u16(q.port.to_u16().unwrap_or(0xffff));
            o.zeros(2);
        } else {
            o.u32(q.port.0);
            o.zeros(4);
        }
    })
}

pub(crate) fn decode_config_request(r: &mut Reader<'_>, version: Version) -> Decode<Message> {
    let port = decode_port(r, version)?;
    let any = port == OfPort::NONE && version != Version::V10;
    if port.is_reserved() && !any {
        return Err(OfpErr::OFPQOFC_BAD_PORT.into());
    }
    Ok(Message::QueueGetConfigRequest(QueueStatsRequest { port, queue: u32::MAX }))
}

fn put_rates(o: &mut Vec<u8>, q: &QueueConfig, desc: bool) {
    for (kind, rate) in [(1, q.min_rate), (2, q.max_rate)] {
        let Some(rate) = rate else { continue };
        put_property(o, kind, |o| {
            if desc {
                o.u16(rate);
                o.zeros(2);
            } else {
                o.zeros(4);
                o.u16(rate);
                o.zeros(6);
            }
        });
    }
}

pub(crate) fn put_config_reply(e: &mut Enc<'_>, port: OfPort, queues: &[QueueConfig]) -> Encode {
    let version = e.version;
    if version >= Version::V14 {
        return put_desc(e, queues, false);
    }
    e.put(Kind::OfptQueueGetConfigReply, |o| {
        super::port::put_port(o, port, version);
        for q in queues {
            let start = o.len();
            o.u32(q.queue);
            if version >= Version::V12 {
                o.u32(q.port.0);
            }
            let at = o.len();
            o.zeros(if version >= Version::V12 { 8 } else { 4 });
            put_rates(o, q, false);
            let len = o.len() - start;
            o.patch16(at, len as u16);
        }
    })
}

fn pull_rates(b: &mut Reader<'_>, q: &mut QueueConfig, desc: bool) -> Decode<()> {
    while !b.is_empty() {
        let (kind, rate) = if desc {
            let mut p = pull_property(b)?;
            (p.kind, if matches!(p.kind, 1 | 2) { p.u16()? } else { 0 })
        } else {
            let (kind, len) = (b.u16()?, usize::from(b.u16()?));
            let mut p = b.sub(len.checked_sub(4).ok_or(OfpErr::OFPBRC_BAD_LEN)?)?;
            let known = matches!(kind, 1 | 2);
            if known {
                p.skip(4)?;
            }
            (kind, if known { p.u16()? } else { 0 })
        };
        let slot = match kind {
            1 => &mut q.min_rate,
            2 => &mut q.max_rate,
            _ => continue,
        };
        *slot = (rate != u16::MAX).then_some(rate);
    }
    Ok(())
}

pub(crate) fn decode_config_reply(r: &mut Reader<'_>, version: Version) -> Decode<Message> {
    let head = r.sub(8)?;
    // Whether the port makes sense matters only where there are queues.
    let port = match decode_port(&mut { head }, version) {
        Err(e) if !r.is_empty() => return Err(e),
        port => port.unwrap_or(OfPort::NONE),
    };
    let mut out = Vec::new();
    while !r.is_empty() {
        match decode_one_config(r, port, version) {
            Ok(q) => out.push(q),
            Err(mut e) => {
                e.partial = (!out.is_empty()).then(|| Box::new(Message::QueueGetConfigReply(port, out)));
                return Err(e);
            }
        }
    }
    Ok(Message::QueueGetConfigReply(port, out))
}

fn decode_one_config(r: &mut Reader<'_>, port: OfPort, version: Version) -> Decode<QueueConfig> {
    let mut q = QueueConfig { port, queue: r.u32()?, min_rate: None, max_rate: None };
    let fixed = if version >= Version::V12 {
        // The queue says its port, too, but only the message's counts.
        r.skip(4)?;
        16
    } else {
        8
    };
    let len = usize::from(r.u16()?);
    r.skip(if version >= Version::V12 { 6 } else { 2 })?;
    let rates = len.checked_sub(fixed).ok_or(OfpErr::OFPBRC_BAD_LEN)?;
    pull_rates(&mut r.sub(rates)?, &mut q, false)?;
    Ok(q)
}

pub(crate) fn put_desc_request(e: &mut Enc<'_>, q: &QueueStatsRequest) -> Encode {
    e.put(Kind::OfpstQueueDescRequest, |o| {
        o.u32(q.port.0);
        o.u32(q.queue);
    })
}

pub(crate) fn put_desc(e: &mut Enc<'_>, queues: &[QueueConfig], more: bool) -> Encode {
    e.split(Kind::OfpstQueueDescReply, more, queues, |o, q| {
        let start = o.len();
        o.u32(q.port.0);
        o.u32(q.queue);
        o.zeros(8);
        put_rates(o, q, true);
        let len = o.len() - start;
        o.patch16(start + 8, len as u16);
    })
}

pub(crate) fn decode_one_desc(r: &mut Reader<'_>) -> Decode<QueueConfig> {
    let mut head = r.sub(16)?;
    let port = port_from_wire(head.u32()?)?;
    let mut q = QueueConfig { port, queue: head.u32()?, min_rate: None, max_rate: None };
    let len = usize::from(head.u16()?);
    let mut rates = r.sub(len.checked_sub(16).ok_or(OfpErr::OFPBRC_BAD_LEN)?)?;
    pull_rates(&mut rates, &mut q, true)?;
    Ok(q)
}

pub(crate) fn put_stats_request(e: &mut Enc<'_>, q: &QueueStatsRequest) -> Encode {
    let version = e.version;
    e.put(Kind::OfpstQueueRequest, |o| {
        if version == Version::V10 {
            // "All" is another number in OpenFlow 1.0.
            o.u16(if q.port == OfPort::NONE { 0xfffc } else { q.port.to_u16().unwrap_or(0xffff) });
            o.zeros(2);
        } else {
            o.u32(q.port.0);
        }
        o.u32(q.queue);
    })
}

pub(crate) fn decode_stats_request(r: &mut Reader<'_>, version: Version) -> Decode<QueueStatsRequest> {
    let mut port = decode_port(r, version)?;
    if version == Version::V10 {
        r.skip(2)?;
        if port == OfPort::ALL {
            port = OfPort::NONE;
        }
    }
    Ok(QueueStatsRequest { port, queue: r.u32()? })
}

pub(crate) fn put_stats(e: &mut Enc<'_>, stats: &[QueueStats], more: bool) -> Encode {
    let version = e.version;
    e.split(Kind::OfpstQueueReply, more, stats, |o, s| {
        let (sec, nsec) = s.duration.unwrap_or((u32::MAX, u32::MAX));
        let counters = |o: &mut Vec<u8>| {
            o.u64(s.tx_bytes);
            o.u64(s.tx_packets);
            o.u64(s.tx_errors);
        };
        match version {
            Version::V10 => {
                o.u16(s.port.to_u16().unwrap_or(0xffff));
                o.zeros(2);
                o.u32(s.queue);
                counters(o);
            }
            Version::V11 | Version::V12 | Version::V13 => {
                o.u32(s.port.0);
                o.u32(s.queue);
                counters(o);
                if version == Version::V13 {
                    o.u32(sec);
                    o.u32(nsec);
                }
            }
            _ => put_sized(o, |o| {
                o.zeros(6);
                o.u32(s.port.0);
                o.u32(s.queue);
                counters(o);
                o.u32(sec);
                o.u32(nsec);
            }),
        }
    })
}

pub(crate) fn decode_one_stats(r: &mut Reader<'_>, version: Version) -> Decode<QueueStats> {
    let mut b = *r;
    if version >= Version::V14 {
        let len = usize::from(r.u16()?);
        if len < 48 {
            return Err(OfpErr::OFPBRC_BAD_LEN.into());
        }
        b = r.sub(len - 2)?;
        b.skip(6)?;
    }
    let port = decode_port(&mut b, version)?;
    if version == Version::V10 {
        b.skip(2)?;
    }
    let mut s = QueueStats {
        port,
        queue: b.u32()?,
        tx_bytes: b.u64()?,
        tx_packets: b.u64()?,
        tx_errors: b.u64()?,
        duration: None,
    };
    if version >= Version::V13 {
        let (sec, nsec) = (b.u32()?, b.u32()?);
        s.duration = (sec != u32::MAX).then_some((sec, nsec));
    }
    if version < Version::V14 {
        *r = b;
    }
    Ok(s)
}
