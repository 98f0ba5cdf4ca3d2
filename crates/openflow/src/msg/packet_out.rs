//! Packet-out: the controller sends a packet.

use super::Message;
use super::flow_mod::put_match_11;
use super::port::port_from_wire;
use crate::Action;
use crate::action;
use crate::buf::DecodeError;
use crate::buf::{Decode, Put, Reader};
use crate::codec::Codec;
use crate::codec::{Enc, Encode};
use crate::kind::Kind;
use crate::ofperr::OfpErr;
use crate::version::Version;
use crate::version::{ProtocolSet, VersionSet};
use base::OfPort;
use flow::MiniMatch;
use flow::{Field, Match};

/// The controller sends a packet.
#[derive(Clone, PartialEq, Debug)]
pub struct PacketOut {
    /// The packet; empty when `buffer_id` names it.
    pub packet: Vec<u8>,
    /// Where the switch keeps it.
    pub buffer_id: Option<u32>,
    /// In-port and, from 1.5 on, other metadata.
    pub metadata: MiniMatch,
    /// What to do with it.
    pub actions: Vec<Action>,
}

pub(crate) fn put(e: &mut Enc<'_>, p: &PacketOut) -> Encode {
    let version = e.version;
    let m = e.codec.expand(&p.metadata);
    let port = m.key.in_port();
    let mut actions = Vec::new();
    action::wire::encode(&p.actions, version, &mut actions);
    e.put(Kind::OfptPacketOut, |o| {
        o.u32(p.buffer_id.unwrap_or(u32::MAX));
        match version {
            Version::V10 => {
                o.u16(port.to_u16().unwrap_or(0xffff));
                o.u16(actions.len() as u16);
            }
            Version::V15 => {
                o.u16(actions.len() as u16);
                o.zeros(2);
                put_match_11(o, &m, version);
            }
            _ => {
                o.u32(port.0);
                o.u16(actions.len() as u16);
                o.zeros(6);
            }
        }
        o.bytes(&actions);
        if p.buffer_id.is_none() {
            o.bytes(&p.packet);
        }
    })
}

pub(crate) fn decode(r: &mut Reader<'_>, version: Version, codec: &Codec) -> Decode<Message> {
    let buffer = r.u32()?;
    let mut m = Match::any();
    let len;
    match version {
        Version::V10 => {
            let port = r.u16()?;
            m.set(Field::IN_PORT, port.into());
            len = usize::from(r.u16()?);
        }
        Version::V15 => {
            len = usize::from(r.u16()?);
            r.skip(2)?;
            let mut cx = codec.match_cx(false);
            cx.pipeline_only = true;
            crate::oxm::pull_oxm(r, &cx, &mut m)?;
            if m.get(Field::IN_PORT).1 == 0 {
                return Err(OfpErr::OFPBRC_BAD_PORT.into());
            }
        }
        _ => {
            let port = port_from_wire(r.u32()?)?;
            m.set(Field::IN_PORT, port.to_u16().unwrap_or(0xffff).into());
            len = usize::from(r.u16()?);
            r.skip(6)?;
        }
    }
    let mut actions = action::wire::pull(r, len, version, action::text::Outer::Bucket)?;
    let port = m.key.in_port();
    let special = [OfPort::LOCAL, OfPort::CONTROLLER, OfPort::NONE];
    if port.is_reserved() && !special.contains(&port) {
        let text = format!("packet-out has bad input port {:#x}", port.to_u16().unwrap_or(0xffff));
        let mut e = DecodeError::logged(OfpErr::OFPBRC_BAD_PORT, "ofp_packet", text);
        e.log.splice(..0, actions.iter().filter_map(|a| action::wire::deprecated(a.standard_11(), version)));
        return Err(e);
    }
    let mut cx = action::check::CheckCx::new(ProtocolSet::of_versions(VersionSet::ALL));
    let _ = action::check::check(&mut actions, &Match::any(), &mut cx);
    let buffer_id = (buffer != u32::MAX).then_some(buffer);
    let packet = if buffer_id.is_none() { r.take_all().to_vec() } else { Vec::new() };
    Ok(Message::PacketOut(Box::new(PacketOut { packet, buffer_id, metadata: MiniMatch::new(&m), actions })))
}
