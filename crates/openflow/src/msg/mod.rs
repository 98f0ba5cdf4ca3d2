//! Messages, independent of the version that carries them.
//!
//! Each family has a file with its types and its encodings, every version side by side. [`Message`] is what a
//! program sees; [`crate::Codec`] turns it into bytes and back.

pub mod async_config;
pub mod bundle;
pub mod config;
pub mod ct_flush;
pub mod features;
pub mod flow_mod;
pub mod flow_removed;
pub mod flow_stats;
pub mod group;
pub mod ipfix;
pub mod meter;
pub mod monitor;
pub mod oxs;
pub mod packet_in;
pub mod packet_out;
pub mod port;
pub mod queue;
pub mod role;
pub mod simple;
pub mod table;
pub mod tlv;

pub use async_config::{AsyncConfig, AsyncKind};
pub use bundle::{BundleAdd, BundleControl, BundleControlKind};
pub use config::{FragHandling, SwitchConfig};
pub use ct_flush::{CtFlush, CtTuple};
pub use features::Features;
pub use flow_mod::{FlowMod, FlowModCommand, FlowModFlags};
pub use flow_removed::{FlowRemoved, FlowRemovedReason};
pub use flow_stats::{AggregateStats, FlowStats, FlowStatsRequest};
pub use group::{
    Bucket, BucketStats, GroupDesc, GroupFeatures, GroupMod, GroupModCommand, GroupProps, GroupStats,
    GroupType,
};
pub use ipfix::IpfixStats;
pub use meter::{
    MeterBand, MeterBandKind, MeterBandStats, MeterConfig, MeterFeatures, MeterMod, MeterModCommand,
    MeterStats,
};
pub use monitor::{FlowUpdate, FlowUpdateEvent, MonitorCommand, MonitorFlags, MonitorRequest};
pub use packet_in::{PacketIn, PacketInFormat, PacketInReason};
pub use packet_out::PacketOut;
pub use port::{PhyPort, PortConfig, PortMod, PortReason, PortState, PortStats, PortStatus};
pub use queue::{QueueConfig, QueueStats, QueueStatsRequest};
pub use role::{Role, RoleReason, RoleRequest, RoleStatus};
pub use simple::{DescStats, ErrorMsg, Hello};
pub use table::{
    EVICTION_FLAGS_NONE, TableDesc, TableEviction, TableFeatures, TableMiss, TableMod, TableReason,
    TableStats, TableStatus, TableVacancy,
};
pub use tlv::{TlvMapping, TlvTableMod, TlvTableModCommand, TlvTableReply};

use base::{GroupId, MeterId, OfPort};

/// An OpenFlow message.
#[derive(Clone, PartialEq, Debug)]
#[allow(missing_docs, reason = "each variant is documented at its struct")]
pub enum Message {
    Hello(Hello),
    Error(ErrorMsg),
    /// Echo request with its payload.
    EchoRequest(Vec<u8>),
    /// Echo reply with its payload.
    EchoReply(Vec<u8>),
    FeaturesRequest,
    FeaturesReply(Box<Features>),
    GetConfigRequest,
    GetConfigReply(SwitchConfig),
    SetConfig(SwitchConfig),
    PacketIn(Box<PacketIn>),
    FlowRemoved(Box<FlowRemoved>),
    PortStatus(Box<PortStatus>),
    PacketOut(Box<PacketOut>),
    FlowMod(Box<FlowMod>),
    GroupMod(Box<GroupMod>),
    PortMod(PortMod),
    TableMod(TableMod),
    MeterMod(Box<MeterMod>),
    BarrierRequest,
    BarrierReply,
    /// Queue configuration request for a port (and a queue, from OpenFlow 1.4 on).
    QueueGetConfigRequest(QueueStatsRequest),
    /// Configuration of queues (part of, when `more`).
    QueueGetConfigReply(OfPort, Vec<QueueConfig>),
    RoleRequest(RoleRequest),
    RoleReply(RoleRequest),
    RoleStatus(RoleStatus),
    GetAsyncRequest,
    GetAsyncReply(Box<AsyncConfig>),
    SetAsync(Box<AsyncConfig>),
    TableStatus(Box<TableStatus>),
    /// A group-mod or meter-mod that another controller made.
    RequestForward(base::Xid, Box<Message>),
    BundleControl(BundleControl),
    BundleAdd(Box<BundleAdd>),

    /// A statistics (multipart) request.
    StatsRequest(StatsRequest),
    /// A statistics (multipart) reply; `more` says that further parts follow under the same xid.
    StatsReply {
        body: StatsReply,
        more: bool,
    },

    /// Nicira: choose the flow format of OpenFlow 1.0 (true: NXM).
    SetFlowFormat(bool),
    /// Nicira: table numbers in flow-mods.
    FlowModTableId(bool),
    SetPacketInFormat(PacketInFormat),
    /// Nicira: id of this connection, which `controller(id=..)` names.
    SetControllerId(u16),
    /// Nicira: age flows as if time had passed.
    FlowAge,
    /// Nicira: resume a paused packet.
    Resume(Box<PacketIn>),
    TlvTableMod(TlvTableMod),
    TlvTableRequest,
    TlvTableReply(TlvTableReply),
    /// Nicira: flush the connections of a zone.
    CtFlushZone(u16),
    CtFlush(Box<CtFlush>),
    /// Nicira: cancel the flow monitor with this id.
    FlowMonitorCancel(u32),
    /// Nicira: flow monitoring has paused.
    FlowMonitorPaused,
    /// Nicira: flow monitoring has resumed.
    FlowMonitorResumed,

    /// A message of a type that we do not know, kept whole.
    Unknown(Vec<u8>),
}

/// The body of a statistics request.
#[derive(Clone, PartialEq, Debug)]
#[allow(missing_docs, reason = "each variant is documented at its struct")]
pub enum StatsRequest {
    Desc,
    Flow(Box<FlowStatsRequest>),
    Aggregate(Box<FlowStatsRequest>),
    Table,
    /// Statistics of one port, or of all ([`OfPort::NONE`]).
    Port(OfPort),
    Queue(QueueStatsRequest),
    Group(GroupId),
    /// Descriptions of one group (from OpenFlow 1.5 on), or of all.
    GroupDesc(GroupId),
    GroupFeatures,
    Meter(MeterId),
    MeterConfig(MeterId),
    MeterFeatures,
    /// Features wanted; empty asks for what they are.
    TableFeatures(Vec<TableFeatures>),
    TableDesc,
    /// Descriptions of one port (from OpenFlow 1.5 on), or of all ([`OfPort::NONE`]).
    PortDesc(OfPort),
    QueueDesc(QueueStatsRequest),
    FlowMonitor(Vec<MonitorRequest>),
    IpfixBridge,
    IpfixFlow,
}

impl StatsRequest {
    /// Whether its kind says it all.
    pub fn is_bare(&self) -> bool {
        use StatsRequest::*;
        match self {
            Desc | Table | GroupFeatures | MeterFeatures | TableDesc | IpfixBridge | IpfixFlow => true,
            PortDesc(port) => *port == OfPort::NONE,
            GroupDesc(group) => *group == GroupId::ALL,
            _ => false,
        }
    }
}

/// The body of a statistics reply.
#[derive(Clone, PartialEq, Debug)]
#[allow(missing_docs, reason = "each variant is documented at its struct")]
pub enum StatsReply {
    Desc(Box<DescStats>),
    Flow(Vec<FlowStats>),
    Aggregate(AggregateStats),
    Table(Vec<TableStats>),
    Port(Vec<PortStats>),
    Queue(Vec<QueueStats>),
    Group(Vec<GroupStats>),
    GroupDesc(Vec<GroupDesc>),
    GroupFeatures(Box<GroupFeatures>),
    Meter(Vec<MeterStats>),
    MeterConfig(Vec<MeterConfig>),
    MeterFeatures(MeterFeatures),
    TableFeatures(Vec<TableFeatures>),
    TableDesc(Vec<TableDesc>),
    PortDesc(Vec<PhyPort>),
    QueueDesc(Vec<QueueConfig>),
    FlowMonitor(Vec<FlowUpdate>),
    IpfixBridge(IpfixStats),
    IpfixFlow(Vec<IpfixStats>),
}
