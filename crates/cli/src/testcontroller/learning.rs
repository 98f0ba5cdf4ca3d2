//! The controller's side of one connection: learns where stations are, and tells the switch what to do with packets.
//!
//! The machine knows no sockets: it takes the switch's messages and gives back those to send. It begins with asking
//! for the switch's features; what comes before the answer is of no interest.
//!
//! ```text
//!   start ──► OFPT_FEATURES_REQUEST
//!   OFPT_FEATURES_REPLY ──► OFPT_SET_CONFIG, from 1.3 on a flow for what nothing matches, the flows from files
//!   OFPT_PACKET_IN ──► learn the source; OFPT_FLOW_MOD if it is known where the packet goes; OFPT_PACKET_OUT
//! ```

use base::{GroupId, Logger, OfPort, Time, record};
use flow::{Field, Match, Metadata, MiniMatch, extract_key};
use openflow::action::{Action, Enqueue, Output};
use openflow::buf::Reader;
use openflow::codec::Codec;
use openflow::fixed_match;
use openflow::msg::{
    Features, FlowMod, FlowModCommand, FragHandling, Message, PacketIn, PacketOut, SwitchConfig,
};
use openflow::version::{Protocol, ProtocolSet, Version};
use reactor::vconn;
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

const MODULE: &str = "learning_switch";

/// What the command line says.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Learn where stations are, rather than flood all.
    pub learn: bool,
    /// Idle timeout of flows, 0 for none; without it, no flows are set up.
    pub max_idle: Option<u16>,
    /// Wildcards of flows, as in OpenFlow 1.0.
    pub wildcards: u32,
    /// Queue of packets.
    pub default_queue: Option<u32>,
    /// Queue of packets that come from the ports of these names.
    pub port_queues: BTreeMap<String, u32>,
    /// Flows for every switch.
    pub flows: Vec<FlowMod>,
    /// What can express them.
    pub usable: ProtocolSet,
}

/// Where stations are, as long as they are heard.
#[derive(Default)]
struct Stations {
    /// Address to port, and number of the last time.
    at: HashMap<u64, (OfPort, Time, u64)>,
    /// Least recently heard first.
    order: BTreeMap<u64, u64>,
    turn: u64,
}

impl Stations {
    const MAX: usize = 8192;
    const IDLE: Duration = Duration::from_secs(300);

    fn heard(&mut self, mac: u64, port: OfPort, now: Time) {
        self.turn += 1;
        if let Some((.., before)) = self.at.insert(mac, (port, now, self.turn)) {
            self.order.remove(&before);
        }
        self.order.insert(self.turn, mac);
        if self.at.len() > Self::MAX
            && let Some((_, oldest)) = self.order.pop_first()
        {
            self.at.remove(&oldest);
        }
    }

    fn find(&self, mac: u64, now: Time) -> Option<OfPort> {
        let (port, heard, _) = self.at.get(&mac)?;
        (now.since(*heard) < Self::IDLE).then_some(*port)
    }
}

/// A connection to a switch.
pub struct LearningSwitch {
    settings: Settings,
    codec: Codec,
    log: Logger,
    stations: Stations,
    /// Queues by port, once the ports' names are known.
    queues: HashMap<OfPort, u32>,
    switching: bool,
    xid: u32,
    out: Vec<Vec<u8>>,
}

impl LearningSwitch {
    /// A new connection of `version`.
    pub fn new(settings: Settings, version: Version, log: Logger) -> LearningSwitch {
        let mut s = LearningSwitch {
            settings,
            codec: Codec::new(version),
            log,
            stations: Stations::default(),
            queues: HashMap::new(),
            switching: false,
            xid: 1,
            out: Vec::new(),
        };
        s.send(&Message::FeaturesRequest);
        s
    }

    /// The messages to send.
    pub fn take(&mut self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.out)
    }

    /// Takes a message of the switch.
    pub fn receive(&mut self, bytes: &[u8], now: Time) {
        if bytes.get(1) == Some(&vconn::kind::ECHO_REQUEST) {
            self.out.push(vconn::echo_reply(bytes));
            return;
        }
        match self.codec.decode(bytes) {
            Ok((_, Message::FeaturesReply(f))) => self.features(&f),
            Ok((_, Message::PacketIn(p))) if self.switching => self.packet_in(&p, now),
            Ok(_) => {}
            Err(e) => {
                for (module, severity, text) in e.log {
                    record!(self.log, severity.into(), module, "{text}");
                }
            }
        }
    }

    fn send(&mut self, m: &Message) {
        self.xid = self.xid.wrapping_add(1);
        match self.codec.encode(base::Xid(self.xid), m) {
            Ok(bytes) => self.out.push(bytes),
            Err(e) => record!(self.log, base::Level::Warn, MODULE, "{e}"),
        }
    }

    fn features(&mut self, f: &Features) {
        for p in &f.ports {
            if let Some(queue) = self.settings.port_queues.get(&p.name) {
                self.queues.insert(p.port, *queue);
            }
        }
        if std::mem::replace(&mut self.switching, true) {
            return;
        }
        const MISS_SEND_LEN: u16 = 128;
        self.send(&Message::SetConfig(SwitchConfig {
            frag: FragHandling::Normal,
            miss_send_len: MISS_SEND_LEN,
            invalid_ttl_to_controller: None,
        }));
        if self.codec.version() >= Version::V13 {
            // What no flow matches is dropped there, unless told otherwise.
            let mut fm = FlowMod::new(FlowModCommand::Add, MiniMatch::new(&Match::any()));
            fm.table = 0;
            fm.priority = 0;
            fm.actions = vec![Action::Output(Output { port: OfPort::CONTROLLER, max_len: MISS_SEND_LEN })];
            self.send(&Message::FlowMod(Box::new(fm)));
        }
        self.install();
    }

    /// Sends the flows from files, in the first form that can say all of them.
    fn install(&mut self) {
        let flows = std::mem::take(&mut self.settings.flows);
        if flows.is_empty() {
            return;
        }
        let version = self.codec.version();
        let Some(want) = self.settings.usable.iter().find(|p| p.version() == version) else {
            record!(self.log, base::Level::Err, MODULE, "could not find a flow format for the given flows");
            return;
        };
        while self.codec.protocol != want {
            let now = self.codec.protocol;
            let (m, next): (Message, Protocol) = if now.is_nxm() != want.is_nxm() {
                (Message::SetFlowFormat(want.is_nxm()), now.with_nxm(want.is_nxm()))
            } else {
                (Message::FlowModTableId(want.has_table_id()), now.with_table_id(want.has_table_id()))
            };
            self.send(&m);
            self.codec.protocol = next;
        }
        for fm in flows {
            self.send(&Message::FlowMod(Box::new(fm)));
        }
    }

    fn packet_in(&mut self, p: &PacketIn, now: Time) {
        let in_port = p.metadata.expand().key.in_port();
        let (mut key, _) = extract_key(&p.packet, &Metadata::default());
        key.set(Field::IN_PORT, u128::from(in_port.to_u16().unwrap_or(u16::MAX)));
        let (src, dst) = (key.get(Field::ETH_SRC) as u64, key.get(Field::ETH_DST) as u64);
        let out_port = self.choose(src, dst, in_port, now);
        let queue = self.queues.get(&in_port).copied().or(self.settings.default_queue);
        let actions = match (out_port, queue) {
            (OfPort::NONE, _) => Vec::new(),
            (port, Some(queue)) if !port.is_reserved() => vec![Action::Enqueue(Enqueue { port, queue })],
            (port, _) => vec![Action::Output(Output { port, max_len: 0 })],
        };
        let flow = self.settings.max_idle.filter(|_| out_port != OfPort::FLOOD || !self.settings.learn);
        if let Some(idle_timeout) = flow {
            let matching = exact(&key, in_port, self.settings.wildcards);
            let mut fm = FlowMod::new(FlowModCommand::Add, MiniMatch::new(&matching));
            if self.codec.version() >= Version::V11 {
                fm.table = 0;
            }
            // Only what deletes flows looks at the group.
            fm.out_group = GroupId(0);
            fm.priority = 1;
            fm.idle_timeout = idle_timeout;
            fm.buffer_id = p.buffer_id;
            fm.actions = actions.clone();
            self.send(&Message::FlowMod(Box::new(fm)));
            // A packet that the switch keeps takes the flow's way.
            if p.buffer_id.is_some() {
                return;
            }
        }
        if actions.is_empty() && p.buffer_id.is_none() {
            return;
        }
        let mut metadata = Match::any();
        metadata.set(Field::IN_PORT, u128::from(in_port.to_u16().unwrap_or(u16::MAX)));
        let packet = if p.buffer_id.is_some() { Vec::new() } else { p.packet.clone() };
        self.send(&Message::PacketOut(Box::new(PacketOut {
            packet,
            buffer_id: p.buffer_id,
            metadata: MiniMatch::new(&metadata),
            actions,
        })));
    }

    /// Learns, and says where a packet goes: [`OfPort::NONE`] is nowhere.
    fn choose(&mut self, src: u64, dst: u64, in_port: OfPort, now: Time) -> OfPort {
        const MULTICAST: u64 = 1 << 40;
        // Addresses of link protocols: bridges do not forward those.
        let reserved = dst & !0xf == 0x0180_c200_0000;
        if !self.settings.learn {
            return if reserved { OfPort::NONE } else { OfPort::FLOOD };
        }
        if src & MULTICAST == 0 {
            self.stations.heard(src, in_port, now);
        }
        if reserved {
            return OfPort::NONE;
        }
        match self.stations.find(dst, now) {
            Some(port) if port == in_port => OfPort::NONE,
            Some(port) => port,
            None => OfPort::FLOOD,
        }
    }
}

/// The match of a packet in the terms of OpenFlow 1.0, with `wildcards` as there.
fn exact(key: &flow::FlowKey, in_port: OfPort, wildcards: u32) -> Match {
    let tci = key.get(Field::VLAN_TCI) as u16;
    const PRESENT: u16 = 0x1000;
    let vlan = if tci & PRESENT != 0 { tci & 0x0fff } else { 0xffff };
    let port = |field: Field| key.get(field) as u16;
    let (src, dst) = match key.get(Field::IP_PROTO) {
        6 => (port(Field::TCP_SRC), port(Field::TCP_DST)),
        17 => (port(Field::UDP_SRC), port(Field::UDP_DST)),
        132 => (port(Field::SCTP_SRC), port(Field::SCTP_DST)),
        1 => (port(Field::ICMP_TYPE), port(Field::ICMP_CODE)),
        _ => (0, 0),
    };
    let arp = key.get(Field::ETH_TYPE) == 0x0806;
    let (proto, nw_src, nw_dst) = if arp {
        (key.get(Field::ARP_OP) as u8, key.get(Field::ARP_SPA) as u32, key.get(Field::ARP_TPA) as u32)
    } else {
        (key.get(Field::IP_PROTO) as u8, key.get(Field::IP_SRC) as u32, key.get(Field::IP_DST) as u32)
    };
    let mac = |field: Field| (key.get(field) as u64).to_be_bytes();
    let mut b = Vec::with_capacity(40);
    b.extend_from_slice(&(wildcards & 0x003f_ffff).to_be_bytes());
    b.extend_from_slice(&in_port.to_u16().unwrap_or(u16::MAX).to_be_bytes());
    b.extend_from_slice(&mac(Field::ETH_SRC)[2..]);
    b.extend_from_slice(&mac(Field::ETH_DST)[2..]);
    b.extend_from_slice(&vlan.to_be_bytes());
    b.extend_from_slice(&[(tci >> 13) as u8, 0]);
    b.extend_from_slice(&(key.get(Field::ETH_TYPE) as u16).to_be_bytes());
    b.extend_from_slice(&[(key.get(Field::NW_TOS) as u8) & 0xfc, proto, 0, 0]);
    b.extend_from_slice(&nw_src.to_be_bytes());
    b.extend_from_slice(&nw_dst.to_be_bytes());
    b.extend_from_slice(&src.to_be_bytes());
    b.extend_from_slice(&dst.to_be_bytes());
    // Forty bytes always are a match.
    let mut m = Match::any();
    let _ = fixed_match::pull_of10(&mut Reader::new(&b), &mut m);
    m.normalize();
    m
}
