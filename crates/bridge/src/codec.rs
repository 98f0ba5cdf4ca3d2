//! OpenFlow on the wire, as the bridge uses it: decoding with its log records, encoding, error replies.

use base::{DpPort, Logger, Xid};
use datapath::{Band, Excess};
use flow::FlowKey;
use flow::compose::Payload;
use flow::odp::{DpPortMap, parse_odp};
use ofproto::Connection;
use openflow::action::text::format_list;
use openflow::codec::{Codec, decode_framed};
use openflow::msg::{ErrorMsg, MeterBand, MeterBandKind, Role, StatsReply};
use openflow::text::Fmt;
use openflow::{Action, Message, NoNames, OfpErr, Version, VersionSet};
use reactor::vconn::State;

/// Bytes of an offending message that an error carries at most: what leaves room for the error's own head.
const ERROR_BYTES: usize = u16::MAX as usize - 64;

/// How a connection encodes and decodes now.
pub fn of(connection: &Connection) -> Codec {
    Codec {
        protocol: connection.protocol,
        packet_in: connection.packet_in_format,
        tun: Some(connection.tun.clone()),
        lenient: false,
    }
}

/// Versions that the database's `protocols` names; all when it names none.
pub fn versions(protocols: &[String]) -> VersionSet {
    if protocols.is_empty() {
        return VersionSet::ALL;
    }
    let named = protocols.iter().filter_map(|p| Version::from_name(p));
    named.fold(VersionSet::EMPTY, VersionSet::with)
}

/// Decodes a message; what is wrong with it is logged and comes back as the error to send. What the sender may not
/// send at all is refused whatever it holds.
pub fn decode(codec: &Codec, secondary: bool, bytes: &[u8], log: &Logger) -> Result<(Xid, Message), OfpErr> {
    let permitted = |bytes| {
        let framed = openflow::kind::identify(bytes)?;
        if !framed.kind.is_for_switch() {
            return Err(OfpErr::OFPBRC_BAD_TYPE.into());
        }
        if secondary && framed.kind.changes_the_switch() {
            return Err(OfpErr::OFPBRC_IS_SECONDARY.into());
        }
        Ok((framed.xid, decode_framed(&framed, codec)?))
    };
    permitted(bytes).map_err(|e: openflow::DecodeError| {
        for (module, severity, text) in &e.log {
            base::record!(log, (*severity).into(), module, "{text}");
        }
        e.error
    })
}

/// Encodes a message in place of what `out` holds: several in a row, for a long reply.
pub fn encode(codec: &Codec, xid: Xid, message: &Message, out: &mut Vec<u8>) {
    out.clear();
    if codec.encode_into(xid, message, out).is_err() {
        out.clear();
    }
}

/// The messages that were encoded in a row.
pub fn messages(mut encoded: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let length = encoded.get(2..4).map(|l| usize::from(u16::from_be_bytes([l[0], l[1]])))?;
        let (message, rest) = encoded.split_at_checked(length).filter(|_| length >= 8)?;
        encoded = rest;
        Some(message)
    })
}

/// The error reply to a message that could not be decoded.
pub fn error_reply(codec: &Codec, error: OfpErr, cause: &[u8]) -> Vec<u8> {
    let xid = cause.get(4..8).map_or(0, |x| u32::from_be_bytes([x[0], x[1], x[2], x[3]]));
    error_about(codec, Xid(xid), error, cause)
}

/// An error reply with the first bytes of what it is about.
pub fn error_about(codec: &Codec, xid: Xid, error: OfpErr, cause: &[u8]) -> Vec<u8> {
    let data = cause[..cause.len().min(ERROR_BYTES)].to_vec();
    let message = Message::Error(ErrorMsg { error, data });
    codec.encode(xid, &message).unwrap_or_default()
}

/// Whether a request may ask for counters: a statistics request of any version.
pub fn asks_for_counters(bytes: &[u8]) -> bool {
    matches!((bytes.first(), bytes.get(1)), (Some(1), Some(16)) | (Some(2..=6), Some(18)))
}

/// Whether a statistics request says that there is more to come, as it can from OpenFlow 1.3 on.
pub fn has_more(bytes: &[u8]) -> bool {
    bytes.first().is_some_and(|v| *v >= 4) && bytes.get(11).is_some_and(|flags| flags & 1 != 0)
}

/// Whether a statistics request is of the extension.
pub fn is_nxst(bytes: &[u8]) -> bool {
    matches!(bytes, [1, 16, _, _, _, _, _, _, 0xff, 0xff, ..])
}

/// The codec for an answer: statistics that OpenFlow 1.0 has twice come in the form in which they were asked for.
pub fn in_kind(mut codec: Codec, answer: &Message, nxst: bool) -> Codec {
    let twice =
        matches!(answer, Message::StatsReply { body: StatsReply::Flow(_) | StatsReply::Aggregate(_), .. });
    if twice && codec.version() == Version::V10 {
        codec.protocol = codec.protocol.with_nxm(nxst);
    }
    codec
}

/// Name of a connection's state in the database.
pub fn state_name(state: State) -> &'static str {
    state.name()
}

/// Name of a role in the database.
pub fn role_name(role: Role) -> &'static str {
    match role {
        Role::Primary => "master",
        Role::Secondary => "slave",
        Role::NoChange | Role::Equal => "other",
    }
}

/// A meter's band for the datapath.
pub fn band(band: &MeterBand) -> Band {
    let excess = match band.kind {
        MeterBandKind::Drop => Excess::Drop,
        MeterBandKind::DscpRemark { prec_level } => Excess::Remark(prec_level),
    };
    Band { rate: band.rate, burst: band.burst_size, excess }
}

/// Highest speed in kb/s that a set of features names.
pub fn speed(features: u32, known: Option<u64>) -> u32 {
    if let Some(bits) = known {
        return u32::try_from(bits / 1000).unwrap_or(u32::MAX);
    }
    const SPEEDS: [(u32, u32); 7] = [
        (1 << 9, 1_000_000_000),
        (1 << 8, 100_000_000),
        (1 << 7, 40_000_000),
        (1 << 6, 10_000_000),
        (1 << 4 | 1 << 5, 1_000_000),
        (1 << 2 | 1 << 3, 100_000),
        (1 << 0 | 1 << 1, 10_000),
    ];
    SPEEDS.iter().find(|(bits, _)| features & bits != 0).map_or(0, |(_, kbps)| *kbps)
}

/// Actions as OpenFlow text.
pub fn actions_text(actions: &[Action]) -> String {
    let mut f = Fmt::new(&NoNames);
    format_list(actions, &mut f);
    f.out
}

/// A datapath flow from its text; ports by number or by the name that `port` knows.
pub fn datapath_flow(text: &str, port: &dyn Fn(&str) -> Option<DpPort>) -> Result<FlowKey, String> {
    let flow = parse_odp(text, &PortNames(port)).map_err(|e| e.to_string())?;
    Ok(flow.key)
}

struct PortNames<'a>(&'a dyn Fn(&str) -> Option<DpPort>);

impl DpPortMap for PortNames<'_> {
    fn dp_port_number(&self, name: &str) -> Option<DpPort> {
        (self.0)(name)
    }
    fn dp_port_name(&self, _: DpPort) -> Option<String> {
        None
    }
}

/// The frame that a flow describes, of `length` bytes if that is given.
pub fn compose(key: &FlowKey, length: Option<usize>) -> Result<Vec<u8>, String> {
    let payload = length.map_or(Payload::Counting, Payload::Fill);
    flow::compose::compose(key, payload, false).map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What Open vSwitch 3.5.0 answers, whatever the rest of the message holds.
    #[test]
    fn who_may_send_what_comes_before_what_it_holds() {
        let (none, log) = (&[][..], Logger::default());
        type Case<'a> = (u8, u8, &'a [u8], bool, Option<OfpErr>);
        let cases: &[Case] = &[
            (4, 0, none, false, Some(OfpErr::OFPBRC_BAD_TYPE)),
            (4, 1, &[0, 0, 0, 0], false, Some(OfpErr::OFPBRC_BAD_TYPE)),
            (4, 1, &[255; 40], false, Some(OfpErr::OFPBRC_BAD_TYPE)),
            (4, 2, &[1, 2, 3], true, None),
            (4, 3, none, true, None),
            (4, 23, &[0; 8], false, Some(OfpErr::OFPBRC_BAD_TYPE)),
            (4, 14, &[255; 64], true, Some(OfpErr::OFPBRC_IS_SECONDARY)),
            (4, 14, &[255; 64], false, Some(OfpErr::OFPBMC_BAD_TYPE)),
            (4, 20, none, true, None),
        ];
        for (version, kind, body, secondary, wanted) in cases {
            let mut bytes = vec![*version, *kind, 0, 8 + body.len() as u8, 0, 0, 0, 9];
            bytes.extend(*body);
            let codec = Codec::new(Version::V13);
            let got = decode(&codec, *secondary, &bytes, &log).err();
            assert_eq!(got, *wanted, "type {kind}, secondary {secondary}");
        }
    }
}
