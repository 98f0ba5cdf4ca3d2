//! Statistics (multipart) requests.

use crate::connection::ConnId;
use crate::flow_stats::{self, FlowDump};
use crate::group_mod::meter_features;
use crate::ofproto::{Host, Ofproto};
use crate::table_features::table_features;
use crate::tables::N_VISIBLE;
use base::{GroupId, MeterId, OfPort, TableId, Time, Xid};
use openflow::msg::{
    DescStats, GroupFeatures, MeterConfig, PortStats, QueueConfig, QueueStats, QueueStatsRequest, StatsReply,
    StatsRequest, TableDesc, TableEviction, TableVacancy,
};
use openflow::{Message, OfpErr, Version};

/// Elements per part of a long reply.
const PART: usize = 256;
/// All queues of a port.
const ALL_QUEUES: u32 = u32::MAX;
/// What eviction looks at: other things, importance, lifetime.
const EVICTION_FLAGS: u32 = 0b111;

impl Ofproto {
    pub(crate) fn stats_request(
        &mut self,
        id: ConnId,
        xid: Xid,
        version: Version,
        request: StatsRequest,
        now: Time,
        host: &dyn Host,
    ) -> Result<(), OfpErr> {
        use StatsReply as R;
        let body = match request {
            StatsRequest::Desc => R::Desc(Box::new(self.desc())),
            StatsRequest::Flow(r) => {
                self.check_stats_table(r.table)?;
                let dump = FlowDump::new(&mut self.state, *r, now);
                if let Some(c) = self.connections.get_mut(&id) {
                    c.answering = Some((xid, Box::new(dump)));
                }
                self.answer(id, now);
                return Ok(());
            }
            StatsRequest::Aggregate(r) => {
                self.check_stats_table(r.table)?;
                R::Aggregate(flow_stats::aggregate(&mut self.state, &r))
            }
            StatsRequest::Table => R::Table(self.table_stats(version)),
            StatsRequest::Port(port) => {
                let stats = self.port_stats(port, now, host);
                self.parts(id, xid, stats, R::Port);
                return Ok(());
            }
            StatsRequest::PortDesc(port) => {
                let all = port == OfPort::NONE;
                let ports: Vec<_> = self
                    .ports_listed()
                    .filter(|p| all || p.desc.port == port)
                    .map(|p| p.desc.clone())
                    .collect();
                self.parts(id, xid, ports, R::PortDesc);
                return Ok(());
            }
            StatsRequest::Queue(r) => {
                let queues = self.queue_stats(r, now, host)?;
                self.parts(id, xid, queues, R::Queue);
                return Ok(());
            }
            StatsRequest::QueueDesc(r) => R::QueueDesc(self.queue_config(r, host)?),
            StatsRequest::Group(group) => {
                let stats = self.group_stats(group, now);
                self.parts(id, xid, stats, R::Group);
                return Ok(());
            }
            StatsRequest::GroupDesc(group) => {
                let wanted = |g: GroupId| group == GroupId::ALL || g == group;
                let groups = self.groups_sorted();
                let descs: Vec<_> = groups.iter().filter(|g| wanted(g.id)).map(|g| g.desc()).collect();
                self.parts(id, xid, descs, R::GroupDesc);
                return Ok(());
            }
            StatsRequest::GroupFeatures => R::GroupFeatures(Box::new(group_features(version))),
            StatsRequest::Meter(meter) => {
                let ids = self.meter_ids(meter)?;
                let stats: Vec<_> = ids
                    .iter()
                    .filter_map(|m| {
                        let refs = self.state.meter_refs(*m) as u32;
                        Some(self.state.tables().meter(*m)?.stats(refs, now))
                    })
                    .collect();
                self.parts(id, xid, stats, R::Meter);
                return Ok(());
            }
            StatsRequest::MeterConfig(meter) => {
                let ids = self.meter_ids(meter)?;
                let tables = self.state.tables();
                let configs: Vec<_> =
                    ids.iter().filter_map(|m| Some(tables.meter(*m)?.config.clone())).collect();
                self.parts(id, xid, configs, R::MeterConfig);
                return Ok(());
            }
            StatsRequest::MeterFeatures => R::MeterFeatures(meter_features()),
            StatsRequest::TableFeatures(wanted) => {
                if !wanted.is_empty() {
                    return Err(OfpErr::OFPTFFC_EPERM);
                }
                let features: Vec<_> = (0..N_VISIBLE).map(|t| self.features_of(t, version)).collect();
                self.parts(id, xid, features, R::TableFeatures);
                return Ok(());
            }
            StatsRequest::TableDesc => {
                R::TableDesc((0..N_VISIBLE).filter_map(|t| self.table_desc(t)).collect())
            }
            StatsRequest::IpfixBridge | StatsRequest::IpfixFlow => {
                return Err(OfpErr::NXST_NOT_CONFIGURED);
            }
            StatsRequest::FlowMonitor(requests) => return self.monitor(id, xid, requests, version),
        };
        self.reply(id, xid, Message::StatsReply { body, more: false });
        Ok(())
    }

    /// Whether a connection has got the first parts of a long reply alone: it is for its owner to ask for the next by
    /// [`Ofproto::answer`] when there is room for it, and to hand over no other request before the last.
    pub fn is_answering(&self, id: ConnId) -> bool {
        self.connections.get(&id).is_some_and(|c| c.answering.is_some())
    }

    /// Makes the next part of a long reply.
    pub fn answer(&mut self, id: ConnId, now: Time) {
        let Some(c) = self.connections.get_mut(&id) else { return };
        let Some((xid, dump)) = &mut c.answering else { return };
        let xid = *xid;
        let (flows, more) = dump.next(PART, now);
        if !more {
            c.answering = None;
        }
        self.reply(id, xid, Message::StatsReply { body: StatsReply::Flow(flows), more });
    }

    /// A reply in parts of a bounded size, at least one.
    pub(crate) fn parts<T>(
        &mut self,
        id: ConnId,
        xid: Xid,
        items: Vec<T>,
        make: impl Fn(Vec<T>) -> StatsReply,
    ) {
        let mut rest = items.into_iter().peekable();
        loop {
            let part: Vec<T> = rest.by_ref().take(PART).collect();
            let more = rest.peek().is_some();
            self.reply(id, xid, Message::StatsReply { body: make(part), more });
            if !more {
                return;
            }
        }
    }

    pub(crate) fn check_stats_table(&self, table: u8) -> Result<(), OfpErr> {
        if table == 0xff || self.state.tables().table(TableId(table)).is_some() {
            Ok(())
        } else {
            Err(OfpErr::OFPBRC_BAD_TABLE_ID)
        }
    }

    fn desc(&self) -> DescStats {
        DescStats {
            manufacturer: self.config.manufacturer.clone(),
            hardware: self.config.hardware.clone(),
            software: self.config.software.clone(),
            serial: self.config.serial.clone(),
            datapath: self.config.dp_desc.clone(),
        }
    }

    fn features_of(&self, table: u8, version: Version) -> openflow::msg::TableFeatures {
        let config = self.state.tables().table(TableId(table)).map(|t| t.config.clone()).unwrap_or_default();
        table_features(table, &config, version)
    }

    fn table_stats(&self, version: Version) -> Vec<openflow::msg::TableStats> {
        let mut stats = flow_stats::table_stats(&self.state);
        if version < Version::V13 {
            for s in &mut stats {
                s.features = Some(Box::new(self.features_of(s.table, version)));
            }
        }
        stats
    }

    pub(crate) fn table_desc(&self, table: u8) -> Option<TableDesc> {
        let t = self.state.tables().table(TableId(table))?;
        Some(TableDesc {
            table,
            eviction: if t.config.evict_asked { TableEviction::On } else { TableEviction::Off },
            eviction_flags: EVICTION_FLAGS,
            vacancy: match t.config.vacancy {
                TableVacancy::On { down, up, .. } => {
                    TableVacancy::On { down, up, vacancy: vacancy(t.flows.len(), t.config.flow_limit) }
                }
                TableVacancy::Default | TableVacancy::Off => TableVacancy::Off,
            },
        })
    }

    fn port_stats(&self, port: OfPort, now: Time, host: &dyn Host) -> Vec<PortStats> {
        let all = port == OfPort::NONE;
        self.ports_listed()
            .filter(|p| all || p.desc.port == port)
            .filter_map(|p| {
                let mut s = host.port_stats(p.desc.port)?;
                s.port = p.desc.port;
                s.duration = Some(crate::age::on_the_wire(p.created, now));
                Some(s)
            })
            .collect()
    }

    /// The ports that a request about queues names.
    fn queue_ports(&self, port: OfPort) -> Result<Vec<OfPort>, OfpErr> {
        if port == OfPort::NONE || port == OfPort::ALL {
            return Ok(self.ports_listed().map(|p| p.desc.port).collect());
        }
        self.ports.get(&port).map(|p| vec![p.desc.port]).ok_or(OfpErr::OFPQOFC_BAD_PORT)
    }

    fn queue_stats(
        &self,
        r: QueueStatsRequest,
        now: Time,
        host: &dyn Host,
    ) -> Result<Vec<QueueStats>, OfpErr> {
        let mut out = Vec::new();
        for port in self.queue_ports(r.port)? {
            let queues = host.queue_stats(port);
            out.extend(queues.into_iter().filter(|q| r.queue == ALL_QUEUES || q.queue == r.queue));
        }
        let _ = now;
        if out.is_empty() && r.queue != ALL_QUEUES { Err(OfpErr::OFPQOFC_BAD_QUEUE) } else { Ok(out) }
    }

    pub(crate) fn queue_config(
        &self,
        r: QueueStatsRequest,
        host: &dyn Host,
    ) -> Result<Vec<QueueConfig>, OfpErr> {
        let mut out = Vec::new();
        for port in self.queue_ports(r.port)? {
            let queues = host.queue_config(port);
            out.extend(queues.into_iter().filter(|q| r.queue == ALL_QUEUES || q.queue == r.queue));
        }
        if out.is_empty() && r.queue != ALL_QUEUES { Err(OfpErr::OFPQOFC_BAD_QUEUE) } else { Ok(out) }
    }

    fn group_stats(&self, group: GroupId, now: Time) -> Vec<openflow::msg::GroupStats> {
        self.groups_sorted()
            .iter()
            .filter(|g| group == GroupId::ALL || g.id == group)
            .map(|g| g.stats(self.state.group_refs(g.id) as u32, now))
            .collect()
    }

    /// The meters that a request is about.
    fn meter_ids(&self, meter: MeterId) -> Result<Vec<MeterId>, OfpErr> {
        let tables = self.state.tables();
        if meter == MeterConfig::ALL {
            return Ok(self.state.meters_listed().collect());
        }
        tables.meter(meter).map(|_| vec![meter]).ok_or(OfpErr::OFPMMFC_UNKNOWN_METER)
    }
}

/// How much of a table is free, in per cent.
pub(crate) fn vacancy(flows: usize, limit: Option<u32>) -> u8 {
    match limit {
        Some(0) => 0,
        Some(limit) => {
            let free = u64::from(limit).saturating_sub(flows as u64);
            (free * 100 / u64::from(limit)) as u8
        }
        None => 100,
    }
}

fn group_features(version: Version) -> GroupFeatures {
    let actions = crate::table_features::group_actions(version);
    GroupFeatures {
        types: 0xf,
        // Weights, liveness, chaining.
        capabilities: 0b111,
        max_groups: [GroupId::MAX.0; 4],
        actions: [actions; 4],
    }
}
