//! Messages to bytes and back.
//!
//! What a connection has negotiated (version, flow format, packet-in format) is a [`Codec`]; the families' files
//! hold the bodies.

use crate::buf::{Decode, DecodeError, Put, Reader};
use crate::kind::{Framed, Kind, identify};
use crate::msg::*;
use crate::ofperr::OfpErr;
use crate::text::CHex;
use crate::version::{Protocol, Version};
use base::Xid;
use flow::TunLayout;
use std::sync::Arc;

/// How a connection encodes and decodes.
#[derive(Clone, Debug)]
pub struct Codec {
    /// Version and flow format.
    pub protocol: Protocol,
    /// Form of packet-ins that are sent.
    pub packet_in: PacketInFormat,
    /// Where the switch keeps tunnel options; absent: each match lays out its own.
    pub tun: Option<Arc<TunLayout>>,
    /// Whether properties that nobody knows are passed over: for showing messages, not for acting on them.
    pub lenient: bool,
}

/// A message has no form in the version.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Unencodable;

impl std::fmt::Display for Unencodable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the OpenFlow version has no such message")
    }
}

impl std::error::Error for Unencodable {}

/// Result of encoding.
pub type Encode = Result<(), Unencodable>;

/// Longest message.
const MAX: usize = u16::MAX as usize;
/// Reply elements are packed until a message is about this long.
const SPLIT: usize = MAX - 1024;

impl Codec {
    /// A fresh connection's.
    pub fn new(version: Version) -> Codec {
        Codec {
            protocol: Protocol::initial(version),
            packet_in: PacketInFormat::Standard,
            tun: None,
            lenient: false,
        }
    }

    /// For a protocol.
    pub fn for_protocol(protocol: Protocol) -> Codec {
        Codec { protocol, packet_in: PacketInFormat::Standard, tun: None, lenient: false }
    }

    /// The version.
    pub fn version(&self) -> Version {
        self.protocol.version()
    }

    /// Encodes a message: one OpenFlow message, or for long statistics replies several, back to back.
    pub fn encode(&self, xid: Xid, message: &Message) -> Result<Vec<u8>, Unencodable> {
        let mut out = Vec::new();
        self.encode_into(xid, message, &mut out)?;
        Ok(out)
    }

    /// The same, appending.
    pub fn encode_into(&self, xid: Xid, message: &Message, out: &mut Vec<u8>) -> Encode {
        Enc { codec: self, version: self.version(), xid, out }.message(message)
    }

    /// Encodes a flow-mod, appending.
    pub fn encode_flow_mod_into(&self, xid: Xid, f: &FlowMod, out: &mut Vec<u8>) -> Encode {
        flow_mod::put(&mut Enc { codec: self, version: self.version(), xid, out }, f)
    }

    /// Decodes a message.
    pub fn decode(&self, bytes: &[u8]) -> Decode<(Xid, Message)> {
        let f = identify(bytes)?;
        Ok((f.xid, decode_framed(&f, self)?))
    }

    /// The wide form of a match, with its tunnel options where this switch keeps them.
    pub(crate) fn expand(&self, m: &flow::MiniMatch) -> flow::Match {
        let mut m = m.expand();
        if m.tun.is_none() && m.mask.0.u64_at(flow::layout::TUN_OPTS_PRESENT) != 0 {
            m.tun.clone_from(&self.tun);
        }
        m
    }

    /// Refuses actions on tunnel options of which the switch does not know which they are.
    pub(crate) fn check_tun_options(&self, actions: &[crate::Action]) -> Decode<()> {
        let unknown = |tun: &Arc<TunLayout>| crate::action::tun_options(actions) & !tun.options() != 0;
        if self.tun.as_ref().is_some_and(unknown) {
            return Err(OfpErr::NXFMFC_INVALID_TLV_FIELD.into());
        }
        Ok(())
    }

    pub(crate) fn match_cx(&self, strict: bool) -> crate::oxm::MatchCx<'_> {
        crate::oxm::MatchCx { strict, tun: self.tun.as_deref(), pipeline_only: false }
    }
}

/// Where a message is written.
pub(crate) struct Enc<'a> {
    pub(crate) codec: &'a Codec,
    pub(crate) version: Version,
    pub(crate) xid: Xid,
    pub(crate) out: &'a mut Vec<u8>,
}

impl Enc<'_> {
    /// Writes a message of one kind: its header, its body, its length.
    pub(crate) fn put(&mut self, kind: Kind, body: impl FnOnce(&mut Vec<u8>)) -> Encode {
        let start = kind.put_header(self.out, self.version, self.xid).ok_or(Unencodable)?;
        body(self.out);
        let len = self.out.len() - start;
        self.out.patch16(start + 2, len.min(MAX) as u16);
        Ok(())
    }

    /// Writes the first of the kinds that the version has.
    pub(crate) fn first(&mut self, kinds: &[Kind], body: impl FnOnce(&mut Vec<u8>)) -> Encode {
        let kind = kinds.iter().copied().find(|k| k.exists_in(self.version)).ok_or(Unencodable)?;
        self.put(kind, body)
    }

    /// Writes a statistics reply of many elements, in as many messages as it takes. `more` is set in the last, too,
    /// when further parts follow.
    pub(crate) fn split<T>(
        &mut self,
        kind: Kind,
        more: bool,
        items: &[T],
        mut put: impl FnMut(&mut Vec<u8>, &T),
    ) -> Encode {
        let mut rest = items;
        loop {
            let start = self.out.len();
            let mut n = 0;
            self.put(kind, |out| {
                for item in rest {
                    let before = out.len();
                    put(out, item);
                    if out.len() - start > MAX && n > 0 {
                        out.truncate(before);
                        break;
                    }
                    n += 1;
                    if out.len() - start > SPLIT {
                        break;
                    }
                }
            })?;
            rest = &rest[n..];
            if more || !rest.is_empty() {
                self.out[start + 11] |= 1;
            }
            if rest.is_empty() {
                return Ok(());
            }
        }
    }

    fn message(&mut self, m: &Message) -> Encode {
        match m {
            Message::Hello(h) => simple::put_hello(self, h),
            Message::Error(e) => simple::put_error(self, e),
            Message::EchoRequest(data) => self.put(Kind::OfptEchoRequest, |o| o.bytes(data)),
            Message::EchoReply(data) => self.put(Kind::OfptEchoReply, |o| o.bytes(data)),
            Message::FeaturesRequest => self.put(Kind::OfptFeaturesRequest, |_| ()),
            Message::FeaturesReply(f) => features::put(self, f),
            Message::GetConfigRequest => self.put(Kind::OfptGetConfigRequest, |_| ()),
            Message::GetConfigReply(c) => config::put(self, Kind::OfptGetConfigReply, c),
            Message::SetConfig(c) => config::put(self, Kind::OfptSetConfig, c),
            Message::PacketIn(p) => packet_in::put(self, p),
            Message::Resume(p) => packet_in::put_resume(self, p),
            Message::FlowRemoved(f) => flow_removed::put(self, f),
            Message::PortStatus(p) => port::put_status(self, p),
            Message::PacketOut(p) => packet_out::put(self, p),
            Message::FlowMod(f) => flow_mod::put(self, f),
            Message::GroupMod(g) => group::put_mod(self, g),
            Message::PortMod(p) => port::put_mod(self, p),
            Message::TableMod(t) => table::put_mod(self, t),
            Message::MeterMod(m) => meter::put_mod(self, m),
            Message::BarrierRequest => self.put(Kind::OfptBarrierRequest, |_| ()),
            Message::BarrierReply => self.put(Kind::OfptBarrierReply, |_| ()),
            Message::QueueGetConfigRequest(q) => queue::put_config_request(self, q),
            Message::QueueGetConfigReply(port, q) => queue::put_config_reply(self, *port, q),
            Message::RoleRequest(r) => role::put(self, r, false),
            Message::RoleReply(r) => role::put(self, r, true),
            Message::RoleStatus(r) => role::put_status(self, r),
            Message::GetAsyncRequest => self.put(Kind::OfptGetAsyncRequest, |_| ()),
            Message::GetAsyncReply(a) => async_config::put(self, a, true),
            Message::SetAsync(a) => async_config::put(self, a, false),
            Message::TableStatus(t) => table::put_status(self, t),
            Message::RequestForward(xid, m) => bundle::put_forward(self, *xid, m),
            Message::BundleControl(c) => bundle::put_control(self, c),
            Message::BundleAdd(b) => bundle::put_add(self, b),
            Message::StatsRequest(r) => self.stats_request(r),
            Message::StatsReply { body, more } => self.stats_reply(body, *more),
            Message::SetFlowFormat(nxm) => {
                self.put(Kind::NxtSetFlowFormat, |o| o.u32(if *nxm { 2 } else { 0 }))
            }
            Message::FlowModTableId(on) => self.put(Kind::NxtFlowModTableId, |o| {
                o.u8(u8::from(*on));
                o.zeros(7);
            }),
            Message::SetPacketInFormat(f) => self.put(Kind::NxtSetPacketInFormat, |o| o.u32(*f as u32)),
            Message::SetControllerId(id) => self.put(Kind::NxtSetControllerId, |o| {
                o.zeros(6);
                o.u16(*id);
            }),
            Message::FlowAge => self.put(Kind::NxtFlowAge, |_| ()),
            Message::TlvTableMod(t) => tlv::put_mod(self, t),
            Message::TlvTableRequest => self.put(Kind::NxtTlvTableRequest, |_| ()),
            Message::TlvTableReply(t) => tlv::put_reply(self, t),
            Message::CtFlushZone(z) => self.put(Kind::NxtCtFlushZone, |o| {
                o.zeros(6);
                o.u16(*z);
            }),
            Message::CtFlush(c) => ct_flush::put(self, c),
            Message::FlowMonitorCancel(id) => {
                self.first(&[Kind::NxtFlowMonitorCancel, Kind::OnftFlowMonitorCancel], |o| o.u32(*id))
            }
            Message::FlowMonitorPaused => {
                self.first(&[Kind::NxtFlowMonitorPaused, Kind::OnftFlowMonitorPaused], |_| ())
            }
            Message::FlowMonitorResumed => {
                self.first(&[Kind::NxtFlowMonitorResumed, Kind::OnftFlowMonitorResumed], |_| ())
            }
            Message::Unknown(bytes) => {
                self.out.bytes(bytes);
                Ok(())
            }
        }
    }

    fn stats_request(&mut self, r: &StatsRequest) -> Encode {
        match r {
            StatsRequest::Desc => self.put(Kind::OfpstDescRequest, |_| ()),
            StatsRequest::Flow(f) => flow_stats::put_request(self, f, false),
            StatsRequest::Aggregate(f) => flow_stats::put_request(self, f, true),
            StatsRequest::Table => self.put(Kind::OfpstTableRequest, |_| ()),
            StatsRequest::Port(p) => port::put_stats_request(self, *p),
            StatsRequest::Queue(q) => queue::put_stats_request(self, q),
            StatsRequest::Group(g) => self.first(&[Kind::OfpstGroupRequest, Kind::NxstGroupRequest], |o| {
                o.u32(g.0);
                o.zeros(4);
            }),
            StatsRequest::GroupDesc(g) => group::put_desc_request(self, *g),
            StatsRequest::GroupFeatures => {
                self.first(&[Kind::OfpstGroupFeaturesRequest, Kind::NxstGroupFeaturesRequest], |_| ())
            }
            StatsRequest::Meter(m) => meter::put_request(self, Kind::OfpstMeterRequest, *m),
            StatsRequest::MeterConfig(m) => meter::put_request(self, Kind::OfpstMeterConfigRequest, *m),
            StatsRequest::MeterFeatures => self.put(Kind::OfpstMeterFeaturesRequest, |_| ()),
            StatsRequest::TableFeatures(t) => table::put_features_request(self, t),
            StatsRequest::TableDesc => self.put(Kind::OfpstTableDescRequest, |_| ()),
            StatsRequest::PortDesc(p) => port::put_desc_request(self, *p),
            StatsRequest::QueueDesc(q) => queue::put_desc_request(self, q),
            StatsRequest::FlowMonitor(m) => monitor::put_request(self, m),
            StatsRequest::IpfixBridge => self.put(Kind::NxstIpfixBridgeRequest, |_| ()),
            StatsRequest::IpfixFlow => self.put(Kind::NxstIpfixFlowRequest, |_| ()),
        }
    }

    fn stats_reply(&mut self, r: &StatsReply, more: bool) -> Encode {
        match r {
            StatsReply::Desc(d) => simple::put_desc(self, d),
            StatsReply::Flow(f) => flow_stats::put_reply(self, f, more),
            StatsReply::Aggregate(a) => flow_stats::put_aggregate(self, a),
            StatsReply::Table(t) => table::put_stats(self, t, more),
            StatsReply::Port(p) => port::put_stats(self, p, more),
            StatsReply::Queue(q) => queue::put_stats(self, q, more),
            StatsReply::Group(g) => group::put_stats(self, g, more),
            StatsReply::GroupDesc(g) => group::put_desc(self, g, more),
            StatsReply::GroupFeatures(g) => group::put_features(self, g),
            StatsReply::Meter(m) => meter::put_stats(self, m, more),
            StatsReply::MeterConfig(m) => meter::put_config(self, m, more),
            StatsReply::MeterFeatures(m) => meter::put_features(self, m),
            StatsReply::TableFeatures(t) => table::put_features(self, t, more),
            StatsReply::TableDesc(t) => table::put_desc(self, t, more),
            StatsReply::PortDesc(p) => port::put_desc(self, p, more),
            StatsReply::QueueDesc(q) => queue::put_desc(self, q, more),
            StatsReply::FlowMonitor(u) => monitor::put_updates(self, u, more),
            StatsReply::IpfixBridge(s) => self.put(Kind::NxstIpfixBridgeReply, |o| ipfix::put(o, s)),
            StatsReply::IpfixFlow(s) => self.split(Kind::NxstIpfixFlowReply, more, s, ipfix::put),
        }
    }
}

/// Decodes a list to its end. An error takes along what was understood before.
pub(crate) fn list<'a, T>(
    r: &mut Reader<'a>,
    wrap: fn(Vec<T>) -> StatsReply,
    mut one: impl FnMut(&mut Reader<'a>) -> Decode<T>,
) -> Decode<StatsReply> {
    let mut out = Vec::new();
    while !r.is_empty() {
        match one(r) {
            Ok(x) => out.push(x),
            Err(mut e) => {
                e.partial = Some(Box::new(Message::StatsReply { body: wrap(out), more: false }));
                return Err(e);
            }
        }
    }
    Ok(wrap(out))
}

/// Decodes a message that was identified.
pub fn decode_framed(f: &Framed<'_>, codec: &Codec) -> Decode<Message> {
    let mut r = Reader::new(f.body);
    let v = f.version;
    let more = f.more;
    let reply = |body| Ok(Message::StatsReply { body, more });
    let request = |body| Ok(Message::StatsRequest(body));
    match f.kind {
        Kind::OfptHello => simple::hello(f),
        Kind::OfptError => simple::error(f),
        Kind::OfptEchoRequest => Ok(Message::EchoRequest(f.body.to_vec())),
        Kind::OfptEchoReply => Ok(Message::EchoReply(f.body.to_vec())),
        Kind::OfptFeaturesRequest => Ok(Message::FeaturesRequest),
        Kind::OfptFeaturesReply => features::decode(&mut r, v),
        Kind::OfptGetConfigRequest => Ok(Message::GetConfigRequest),
        Kind::OfptGetConfigReply => Ok(Message::GetConfigReply(config::decode(&mut r, v)?)),
        Kind::OfptSetConfig => Ok(Message::SetConfig(config::decode_set(&mut r, v)?)),
        Kind::OfptPacketIn => packet_in::decode(&mut r, v, codec),
        Kind::NxtPacketIn => packet_in::decode_nxt(&mut r, v, codec),
        Kind::NxtPacketIn2 => packet_in::decode_nxt2(&mut r, v, codec, false),
        Kind::NxtResume => packet_in::decode_nxt2(&mut r, v, codec, true),
        Kind::OfptFlowRemoved => flow_removed::decode(&mut r, v, codec),
        Kind::NxtFlowRemoved => flow_removed::decode_nxt(&mut r, codec),
        Kind::OfptPortStatus => port::decode_status(&mut r, v),
        Kind::OfptPacketOut => packet_out::decode(&mut r, v, codec),
        Kind::OfptFlowMod => flow_mod::decode(&mut r, v, codec),
        Kind::NxtFlowMod => flow_mod::decode_nxt(&mut r, v, codec),
        Kind::OfptGroupMod | Kind::NxtGroupMod => group::decode_mod(&mut r, v),
        Kind::OfptPortMod => port::decode_mod(&mut r, v, codec),
        Kind::OfptTableMod => table::decode_mod(&mut r, v),
        Kind::OfptMeterMod => meter::decode_mod(&mut r),
        Kind::OfptBarrierRequest => Ok(Message::BarrierRequest),
        Kind::OfptBarrierReply => Ok(Message::BarrierReply),
        Kind::OfptQueueGetConfigRequest => queue::decode_config_request(&mut r, v),
        Kind::OfptQueueGetConfigReply => queue::decode_config_reply(&mut r, v),
        Kind::OfptRoleRequest => Ok(Message::RoleRequest(role::decode(&mut r, true)?)),
        Kind::OfptRoleReply => Ok(Message::RoleReply(role::decode(&mut r, false)?)),
        Kind::NxtRoleRequest => Ok(Message::RoleRequest(role::decode_nxt(&mut r)?)),
        Kind::NxtRoleReply => Ok(Message::RoleReply(role::decode_nxt(&mut r)?)),
        Kind::OfptRoleStatus | Kind::OnftRoleStatus => role::decode_status(&mut r),
        Kind::OfptGetAsyncRequest => Ok(Message::GetAsyncRequest),
        Kind::OfptGetAsyncReply => Ok(Message::GetAsyncReply(async_config::decode(&mut r, v, true)?)),
        Kind::OfptSetAsync => Ok(Message::SetAsync(async_config::decode(&mut r, v, false)?)),
        Kind::NxtSetAsyncConfig => Ok(Message::SetAsync(async_config::decode_masks(&mut r, v)?)),
        Kind::NxtSetAsyncConfig2 => Ok(Message::SetAsync(async_config::decode_properties(&mut r, v, false)?)),
        Kind::OfptTableStatus => table::decode_status(&mut r),
        Kind::OfptRequestforward | Kind::OnftRequestforward => bundle::decode_forward(f, codec),
        Kind::OfptBundleControl | Kind::OnftBundleControl => bundle::decode_control(&mut r),
        Kind::OfptBundleAddMessage | Kind::OnftBundleAddMessage => bundle::decode_add(f, codec),
        Kind::NxtSetFlowFormat => match r.u32()? {
            0 => Ok(Message::SetFlowFormat(false)),
            2 => Ok(Message::SetFlowFormat(true)),
            n => {
                let text = format!("NXT_SET_FLOW_FORMAT message specified invalid flow format {n}");
                Err(DecodeError::logged(OfpErr::OFPBRC_EPERM, "ofp_protocol", text))
            }
        },
        Kind::NxtFlowModTableId => Ok(Message::FlowModTableId(r.u8()? != 0)),
        Kind::NxtSetPacketInFormat => packet_in::decode_format(&mut r),
        Kind::NxtSetControllerId => {
            r.skip(6)?;
            Ok(Message::SetControllerId(r.u16()?))
        }
        Kind::NxtFlowAge => Ok(Message::FlowAge),
        Kind::NxtTlvTableMod => tlv::decode_mod(&mut r),
        Kind::NxtTlvTableRequest => Ok(Message::TlvTableRequest),
        Kind::NxtTlvTableReply => tlv::decode_reply(&mut r),
        Kind::NxtCtFlushZone => {
            if r.take(6)?.iter().any(|b| *b != 0) {
                return Err(OfpErr::NXBRC_MUST_BE_ZERO.into());
            }
            Ok(Message::CtFlushZone(r.u16()?))
        }
        Kind::NxtCtFlush => ct_flush::decode(&mut r),
        Kind::NxtFlowMonitorCancel | Kind::OnftFlowMonitorCancel => Ok(Message::FlowMonitorCancel(r.u32()?)),
        Kind::NxtFlowMonitorPaused | Kind::OnftFlowMonitorPaused => Ok(Message::FlowMonitorPaused),
        Kind::NxtFlowMonitorResumed | Kind::OnftFlowMonitorResumed => Ok(Message::FlowMonitorResumed),

        Kind::OfpstDescRequest => request(StatsRequest::Desc),
        Kind::OfpstFlowRequest | Kind::NxstFlowRequest => {
            request(StatsRequest::Flow(Box::new(flow_stats::decode_request(&mut r, v, f.kind, codec)?)))
        }
        Kind::OfpstAggregateRequest | Kind::NxstAggregateRequest => {
            request(StatsRequest::Aggregate(Box::new(flow_stats::decode_request(&mut r, v, f.kind, codec)?)))
        }
        Kind::OfpstTableRequest => request(StatsRequest::Table),
        Kind::OfpstPortRequest => request(StatsRequest::Port(port::decode_port(&mut r, v)?)),
        Kind::OfpstQueueRequest => request(StatsRequest::Queue(queue::decode_stats_request(&mut r, v)?)),
        Kind::OfpstGroupRequest | Kind::NxstGroupRequest => {
            request(StatsRequest::Group(base::GroupId(r.u32()?)))
        }
        Kind::OfpstGroupDescRequest | Kind::NxstGroupDescRequest => {
            let group = if r.is_empty() { base::GroupId::ALL } else { base::GroupId(r.u32()?) };
            request(StatsRequest::GroupDesc(group))
        }
        Kind::OfpstGroupFeaturesRequest | Kind::NxstGroupFeaturesRequest => {
            request(StatsRequest::GroupFeatures)
        }
        Kind::OfpstMeterRequest => request(StatsRequest::Meter(base::MeterId(r.u32()?))),
        Kind::OfpstMeterConfigRequest => request(StatsRequest::MeterConfig(base::MeterId(r.u32()?))),
        Kind::OfpstMeterFeaturesRequest => request(StatsRequest::MeterFeatures),
        Kind::OfpstTableFeaturesRequest => {
            match list(&mut r, StatsReply::TableFeatures, |r| {
                table::decode_one_features(r, v, !codec.lenient)
            })? {
                StatsReply::TableFeatures(all) => request(StatsRequest::TableFeatures(all)),
                _ => Err(OfpErr::OFPBRC_BAD_LEN.into()),
            }
        }
        Kind::OfpstTableDescRequest => request(StatsRequest::TableDesc),
        Kind::OfpstPortDescRequest => {
            let port = if r.is_empty() { base::OfPort::NONE } else { port::decode_port(&mut r, v)? };
            request(StatsRequest::PortDesc(port))
        }
        Kind::OfpstQueueDescRequest => {
            request(StatsRequest::QueueDesc(queue::decode_stats_request(&mut r, v)?))
        }
        Kind::NxstFlowMonitorRequest | Kind::OnfstFlowMonitorRequest | Kind::OfpstFlowMonitorRequest => {
            request(StatsRequest::FlowMonitor(monitor::decode_requests(&mut r, v, codec)?))
        }
        Kind::NxstIpfixBridgeRequest => request(StatsRequest::IpfixBridge),
        Kind::NxstIpfixFlowRequest => request(StatsRequest::IpfixFlow),

        Kind::OfpstDescReply => reply(StatsReply::Desc(Box::new(simple::decode_desc(&mut r)?))),
        Kind::OfpstFlowReply | Kind::NxstFlowReply => {
            reply(list(&mut r, StatsReply::Flow, |r| flow_stats::decode_one(r, v, f.kind, codec))?)
        }
        Kind::OfpstAggregateReply | Kind::NxstAggregateReply => {
            reply(StatsReply::Aggregate(flow_stats::decode_aggregate(&mut r, v)?))
        }
        Kind::OfpstTableReply => reply(list(&mut r, StatsReply::Table, |r| table::decode_one_stats(r, v))?),
        Kind::OfpstPortReply => reply(list(&mut r, StatsReply::Port, |r| port::decode_one_stats(r, v))?),
        Kind::OfpstQueueReply => reply(list(&mut r, StatsReply::Queue, |r| queue::decode_one_stats(r, v))?),
        Kind::OfpstGroupReply | Kind::NxstGroupReply => {
            reply(list(&mut r, StatsReply::Group, |r| group::decode_one_stats(r, v))?)
        }
        Kind::OfpstGroupDescReply | Kind::NxstGroupDescReply => {
            reply(list(&mut r, StatsReply::GroupDesc, |r| group::decode_one_desc(r, v))?)
        }
        Kind::OfpstGroupFeaturesReply | Kind::NxstGroupFeaturesReply => {
            reply(StatsReply::GroupFeatures(Box::new(group::decode_features(&mut r)?)))
        }
        Kind::OfpstMeterReply => reply(list(&mut r, StatsReply::Meter, meter::decode_one_stats)?),
        Kind::OfpstMeterConfigReply => {
            reply(list(&mut r, StatsReply::MeterConfig, meter::decode_one_config)?)
        }
        Kind::OfpstMeterFeaturesReply => reply(StatsReply::MeterFeatures(meter::decode_features(&mut r)?)),
        Kind::OfpstTableFeaturesReply => {
            reply(list(&mut r, StatsReply::TableFeatures, |r| table::decode_one_features(r, v, false))?)
        }
        Kind::OfpstTableDescReply => reply(list(&mut r, StatsReply::TableDesc, table::pull_one_desc)?),
        Kind::OfpstPortDescReply => reply(list(&mut r, StatsReply::PortDesc, |r| port::pull_phy(r, v))?),
        Kind::OfpstQueueDescReply => reply(list(&mut r, StatsReply::QueueDesc, queue::decode_one_desc)?),
        Kind::NxstFlowMonitorReply | Kind::OnfstFlowMonitorReply | Kind::OfpstFlowMonitorReply => {
            reply(list(&mut r, StatsReply::FlowMonitor, |r| monitor::decode_update(r, v, codec))?)
        }
        Kind::NxstIpfixBridgeReply => reply(StatsReply::IpfixBridge(ipfix::decode(&mut r)?)),
        Kind::NxstIpfixFlowReply => reply(list(&mut r, StatsReply::IpfixFlow, ipfix::decode)?),
    }
}

/// A property of OpenFlow 1.4 and later: its type, and its body without header and padding.
pub(crate) struct Property<'a> {
    pub(crate) kind: u16,
    /// Of an experimenter's: the experimenter and its type.
    pub(crate) experimenter: Option<(u32, u32)>,
    pub(crate) body: Reader<'a>,
}

impl<'a> Property<'a> {
    /// Its value of 8 bits, whatever padding follows.
    pub(crate) fn u8(&mut self) -> Decode<u8> {
        self.body.u8()
    }

    /// Its value of 16 bits, whatever padding follows.
    pub(crate) fn u16(&mut self) -> Decode<u16> {
        self.body.u16()
    }

    /// Its value of 32 bits, which is all there is.
    pub(crate) fn u32(&mut self) -> Decode<u32> {
        self.exactly(4)?.u32()
    }

    /// Its value of 64 bits after four bytes of padding, which is all there is.
    pub(crate) fn u64(&mut self) -> Decode<u64> {
        let body = self.exactly(12)?;
        body.skip(4)?;
        body.u64()
    }

    /// Its value of 128 bits, which is all there is.
    pub(crate) fn u128(&mut self) -> Decode<u128> {
        self.exactly(16)?.u128()
    }

    fn exactly(&mut self, len: usize) -> Decode<&mut Reader<'a>> {
        if self.body.len() == len { Ok(&mut self.body) } else { Err(OfpErr::OFPBPC_BAD_LEN.into()) }
    }
}

/// Takes a property, padded to a multiple of 8 bytes.
pub(crate) fn pull_property<'a>(r: &mut Reader<'a>) -> Decode<Property<'a>> {
    let bad = || DecodeError::from(OfpErr::OFPBPC_BAD_LEN);
    if r.len() < 4 {
        return Err(bad());
    }
    let kind = r.u16()?;
    let len = usize::from(r.u16()?);
    let padded = len.next_multiple_of(8);
    if len < 4 || r.len() + 4 < padded {
        return Err(bad());
    }
    let mut body = Reader::with_error(&r.take(padded - 4)?[..len - 4], OfpErr::OFPBPC_BAD_LEN);
    let experimenter = if kind == 0xffff { Some((body.u32()?, body.u32()?)) } else { None };
    if experimenter.is_some_and(|(exp, _)| exp == 0) {
        return Err(OfpErr::OFPBPC_BAD_EXPERIMENTER.into());
    }
    Ok(Property { kind, experimenter, body })
}

/// A property that nobody knows, in a message that `what` names.
pub(crate) fn unknown_property(module: &'static str, what: &str, p: &Property<'_>) -> DecodeError {
    let (error, text) = match p.experimenter {
        Some((exp, kind)) => {
            (OfpErr::OFPBPC_BAD_EXP_TYPE, format!("for exp_id {}, exp_type {kind}", CHex(exp.into())))
        }
        None => (OfpErr::OFPBPC_BAD_TYPE, p.kind.to_string()),
    };
    DecodeError::logged(error, module, format!("unknown {what} property type {text}"))
}

/// Appends a property and its padding.
pub(crate) fn put_property(out: &mut Vec<u8>, kind: u16, body: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.u16(kind);
    out.u16(0);
    body(out);
    let len = out.len() - start;
    out.patch16(start + 2, len.min(MAX) as u16);
    out.align(start, 8);
}

/// Appends an element that starts with its own length.
pub(crate) fn put_sized(out: &mut Vec<u8>, body: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.u16(0);
    body(out);
    let len = out.len() - start;
    out.patch16(start, len.min(MAX) as u16);
}
