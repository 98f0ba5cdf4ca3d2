//! Running a megaflow's actions over a packet.
//!
//! Outputs copy the frame into the sending queue, so that one buffer serves a whole list, whatever comes after an
//! output; only `clone`, `sample`, the arms of `check_pkt_len` and `recirc` before the end of a list need a copy.

use crate::drops::{Counters, DropCause};
use crate::event::{Event, Events, Upcall};
use crate::meter::{Excess, Meter};
use crate::ports::TxPorts;
use crate::seam::Pipeline;
use base::{DpPort, Time};
use dpif::DpAction;
use dpif::action::{UserCookie, Userspace};
use flow::FlowKey;
use flow::key::eth_type;
use std::collections::HashMap;
use std::sync::Arc;
use wire::offload::complete_checksum;
use wire::{Headers, Packet, PacketPool, mpls, vlan};

/// What travels with a packet besides its bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Meta {
    /// Where it came in.
    pub in_port: DpPort,
    /// Which continuation it is looked up for.
    pub recirc_id: u32,
    /// Hash computed by `hash`.
    pub dp_hash: u32,
    /// Queueing priority.
    pub priority: u32,
    /// Packet mark.
    pub mark: u32,
    /// Packet type: namespace in the high half; 0 is Ethernet.
    pub packet_type: u32,
    /// Times recirculated.
    pub(crate) depth: u8,
}

impl Meta {
    /// A packet just received.
    pub fn received(in_port: DpPort) -> Meta {
        Meta { in_port, ..Meta::default() }
    }

    /// Where the headers of a packet of this type are, behind at most `tags` VLAN tags.
    pub(crate) fn headers(&self, packet: &Packet, tags: usize) -> Headers {
        let frame = packet.buf.data();
        match (self.packet_type, self.packet_type >> 16) {
            (0, _) => Headers::find(frame, tags),
            (ty, 1) => Headers::find_at(frame, 0, ty as u16),
            _ => Headers::default(),
        }
    }
}

/// Recirculations at most.
pub(crate) const MAX_RECIRC: u8 = 6;
/// Nested lists at most.
const MAX_NESTING: u8 = 16;

/// A bond's members by hash.
pub(crate) type Bonds = HashMap<u32, Box<[DpPort]>>;
/// Meters by number.
pub(crate) type Meters = HashMap<u32, Arc<Meter>>;

/// Everything that actions use and change, but the caches.
pub(crate) struct Exec<P: Pipeline> {
    pub(crate) ports: TxPorts,
    pub(crate) events: Arc<Events<P>>,
    pub(crate) stats: Arc<Counters>,
    pub(crate) meters: Meters,
    pub(crate) bonds: Bonds,
    pub(crate) pool: PacketPool,
    /// How many VLAN tags keys have at most.
    pub(crate) vlan_limit: u8,
    /// Packets to be looked up again.
    pub(crate) recirc: Vec<(Packet, Meta)>,
    pub(crate) random: u64,
    pub(crate) now: Time,
}

/// A packet on its way through a list.
struct Walk<'a> {
    packet: &'a mut Packet,
    meta: &'a mut Meta,
    key: &'a FlowKey,
    headers: Option<Headers>,
    /// How many VLAN tags headers are behind at most: those that its key has, and those pushed since.
    tags: usize,
    cut: Option<usize>,
}

impl<P: Pipeline> Exec<P> {
    /// Runs `actions`; `key` is the packet's as it was looked up.
    pub(crate) fn run(&mut self, packet: &mut Packet, meta: &mut Meta, key: &FlowKey, actions: &[DpAction]) {
        let mut w = Walk { packet, meta, key, headers: None, tags: self.vlan_limit.into(), cut: None };
        self.list(&mut w, actions, 0);
    }

    fn list(&mut self, w: &mut Walk<'_>, actions: &[DpAction], depth: u8) {
        if depth > MAX_NESTING {
            self.stats.dropped(DropCause::NestingDepth, 1);
            return;
        }
        for (i, a) in actions.iter().enumerate() {
            let last = i + 1 == actions.len();
            if !self.one(w, a, last, depth) {
                return;
            }
        }
    }

    /// Runs one action; false ends the list.
    #[inline]
    fn one(&mut self, w: &mut Walk<'_>, a: &DpAction, last: bool, depth: u8) -> bool {
        match a {
            DpAction::Output(port) => match w.cut.take() {
                None => self.ports.send(*port, w.packet, &self.stats),
                Some(n) => self.ports.send_cut(*port, w.packet, n, &self.stats),
            },
            DpAction::Set(s) => {
                if !crate::set::apply(w.packet, w.meta, &mut w.headers, w.tags, s) {
                    self.stats.dropped(DropCause::UnsupportedAction, 1);
                    return false;
                }
            }
            DpAction::PushVlan(_)
            | DpAction::PopVlan
            | DpAction::PushMpls(_)
            | DpAction::PopMpls(_)
            | DpAction::PushEth { .. }
            | DpAction::PopEth => {
                w.headers = None;
                reshape(w.packet, w.meta, &mut w.tags, a);
            }
            DpAction::Userspace(u) => self.userspace(w, u),
            DpAction::Trunc(n) => w.cut = Some(*n as usize),
            _ => return self.rare(w, a, last, depth),
        }
        true
    }

    #[cold]
    fn rare(&mut self, w: &mut Walk<'_>, a: &DpAction, last: bool, depth: u8) -> bool {
        match a {
            DpAction::Clone(list) => self.branch(w, list, last, depth),
            DpAction::Sample { probability, actions } => {
                if *probability == u32::MAX || self.next_random() < *probability {
                    self.branch(w, actions, last, depth);
                }
            }
            DpAction::CheckPktLen(c) => {
                let longer = w.packet.buf.len() > usize::from(c.size);
                self.branch(w, if longer { &c.greater } else { &c.less_equal }, last, depth);
            }
            DpAction::Recirc(id) => self.recirculate(w, *id, last),
            DpAction::Hash { alg, basis } => w.meta.dp_hash = crate::hash::dp_hash(w.key, *alg, *basis),
            DpAction::Meter(id) => match self.meters.get(id) {
                Some(m) => match m.pass(w.packet.buf.len() as u64, self.now) {
                    Ok(()) => {}
                    Err(Excess::Remark(levels)) => {
                        let at = w.headers.get_or_insert_with(|| w.meta.headers(w.packet, w.tags));
                        crate::set::raise_precedence(w.packet, at, levels);
                    }
                    Err(Excess::Drop) => {
                        self.stats.dropped(DropCause::Meter, 1);
                        return false;
                    }
                },
                None => self.stats.dropped(DropCause::InvalidMeter, 1),
            },
            DpAction::AddMpls(_)
            | DpAction::PushNsh(_)
            | DpAction::PopNsh
            | DpAction::PushPbb(_)
            | DpAction::PopPbb
            | DpAction::CopyTtl { .. } => {
                w.headers = None;
                if !encapsulate(w.packet, w.meta, w.tags, a) {
                    self.stats.dropped(DropCause::UnsupportedAction, 1);
                    return false;
                }
            }
            DpAction::LbOutput(bond) => match self.bonds.get(bond).filter(|b| !b.is_empty()) {
                Some(b) => {
                    let port = b[w.meta.dp_hash as usize % b.len()];
                    self.ports.send(port, w.packet, &self.stats);
                }
                None => self.stats.dropped(DropCause::InvalidBond, 1),
            },
            DpAction::Drop(reason) => {
                self.stats.drop_translated(*reason);
                return false;
            }
            // Nothing was tracked, so there is nothing to forget.
            DpAction::CtClear => {}
            // Nobody listens to the kernel's sampling groups in this datapath.
            DpAction::Psample { .. } => {}
            _ => {
                self.stats.dropped(DropCause::UnsupportedAction, 1);
                return false;
            }
        }
        true
    }

    fn next_random(&mut self) -> u32 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random >> 32) as u32
    }

    fn copy(&mut self, packet: &Packet) -> Packet {
        let mut p = self.pool.take();
        p.buf.fill(packet.buf.data());
        p.offload = packet.offload;
        p
    }

    fn branch(&mut self, w: &mut Walk<'_>, list: &[DpAction], last: bool, depth: u8) {
        // A branch that only sends needs no copy, nor does one after which nothing comes.
        let only_sends = list
            .iter()
            .all(|a| matches!(a, DpAction::Output(_) | DpAction::Userspace(_) | DpAction::LbOutput(_)));
        if last || only_sends {
            self.list(w, list, depth + 1);
            return;
        }
        let mut packet = self.copy(w.packet);
        let mut meta = w.meta.clone();
        let mut inner = Walk { packet: &mut packet, meta: &mut meta, ..*w };
        self.list(&mut inner, list, depth + 1);
        self.pool.put(packet);
    }

    fn recirculate(&mut self, w: &mut Walk<'_>, id: u32, last: bool) {
        if w.meta.depth >= MAX_RECIRC {
            self.stats.dropped(DropCause::RecircDepth, 1);
            return;
        }
        let packet = if last {
            let spare = self.pool.take();
            std::mem::replace(w.packet, spare)
        } else {
            self.copy(w.packet)
        };
        let meta = Meta { recirc_id: id, depth: w.meta.depth + 1, ..w.meta.clone() };
        self.recirc.push((packet, meta));
    }

    #[cold]
    fn userspace(&mut self, w: &mut Walk<'_>, u: &Arc<Userspace>) {
        if let UserCookie::Controller(c) = &u.cookie
            && c.dont_send
        {
            return;
        }
        let cut = w.cut.take();
        // Under overload most packets are told here already.
        let sent = self.events.has_room(w.meta.in_port) && {
            complete_checksum(w.packet);
            let d = w.packet.buf.data();
            let n = cut.map_or(d.len(), |n| n.min(d.len()));
            let packet = d[..n].to_vec();
            let upcall = Upcall { packet, port: w.key.dp_port(), why: u.clone(), time: self.now };
            self.events.push(w.meta.in_port, Event::Upcall(upcall))
        };
        if !sent {
            crate::drops::bump(&self.stats.lost, 1);
            self.stats.dropped(DropCause::UpcallQueueFull, 1);
        }
    }
}

/// Actions that change what kind of packet it is. False: there is no such header.
fn encapsulate(packet: &mut Packet, meta: &mut Meta, tags: usize, a: &DpAction) -> bool {
    use crate::encap;
    match a {
        DpAction::AddMpls(m) => encap::add_mpls(packet, meta, m),
        DpAction::PushNsh(n) => encap::push_nsh(packet, meta, n),
        DpAction::PopNsh => return encap::pop_nsh(packet, meta),
        DpAction::PushPbb(p) => encap::push_pbb(packet, p),
        DpAction::PopPbb => return encap::pop_pbb(packet),
        DpAction::CopyTtl { out } => encap::copy_ttl(packet, &meta.headers(packet, tags), *out),
        _ => return false,
    }
    true
}

/// Actions that insert or remove headers.
fn reshape(packet: &mut Packet, meta: &mut Meta, tags: &mut usize, a: &DpAction) {
    match a {
        DpAction::PushVlan(v) => {
            vlan::push(packet, v.tpid, v.wire_tci());
            *tags += 1;
        }
        DpAction::PopVlan => {
            let popped = vlan::pop(packet).is_some();
            *tags = tags.saturating_sub(popped.into());
        }
        DpAction::PushMpls(m) => {
            let ty = if m.eth_type == 0 { eth_type::MPLS } else { m.eth_type };
            mpls::push(packet, meta.headers(packet, *tags).l2_end, ty, m.lse);
        }
        DpAction::PopMpls(ty) if meta.packet_type != 0 => crate::encap::pop_front_mpls(packet, meta, *ty),
        DpAction::PopMpls(ty) => {
            mpls::pop(packet, meta.headers(packet, *tags).l2_end, *ty);
        }
        DpAction::PushEth { src, dst } => {
            let ty = meta.packet_type as u16;
            let d = packet.buf.push_front(14);
            d[..6].copy_from_slice(&dst.0);
            d[6..12].copy_from_slice(&src.0);
            d[12..14].copy_from_slice(&ty.to_be_bytes());
            meta.packet_type = 0;
            packet.offload.shift(14);
        }
        DpAction::PopEth => {
            let h = meta.headers(packet, *tags);
            if h.l2_end >= 14 {
                packet.buf.pull_front(h.l2_end);
                meta.packet_type = 1 << 16 | u32::from(h.ethertype);
                packet.offload.shift(-(h.l2_end as i32));
            }
        }
        _ => {}
    }
}
