//! The state of one translation, and the only way to the packet's flow: whoever reads a bit of it here records that
//! the answer depends on that bit, so that the megaflow's mask is right by construction.
//!
//! Bits that an action *writes* count as looked at, too: that way the minimal `set()` for the change is known to be the
//! same for all packets of the megaflow.

use crate::deps::{BridgeDeps, Deps};
use crate::drop_reason::DropReason;
use crate::effect::Effect;
use crate::recirc::{Frozen, FrozenActions};
use crate::recorder::{NodeKind, Recorder};
use crate::snapshot::{BridgeView, Snapshot};
use crate::text::Namer;
use base::{Cookie, OfPort, TableId};
use dpif::DpAction;
use dpif::action::{ControllerCookie, SlowPath};
use flow::key::{VLAN_PRESENT, eth_type, frag, ip_proto};
use flow::layout as l;
use flow::{Field, FlowKey, Location, Mask, Prereq, Subfield, Value};
use ofproto::Rule;
use openflow::Action;
use smallvec::SmallVec;
use std::sync::Arc;

/// What is to happen after recirculation, being collected while the levels of the pipeline unwind.
#[derive(Debug, Default)]
pub(crate) struct Freeze {
    /// What is left, innermost level first.
    pub actions: Vec<FrozenActions>,
    /// The packet goes to a controller, which resumes it, instead of recirculating.
    pub pause: Option<Box<(ControllerCookie, Option<base::MeterId>)>>,
    /// Emitted just before recirculation: a hash that the datapath computes.
    pub hash: Option<DpAction>,
}

/// A packet that a trace follows through recirculation.
pub(crate) struct Fork {
    /// Its continuation.
    pub id: u32,
    /// Its flow.
    pub key: FlowKey,
    /// Its addresses may be translated.
    pub nat: bool,
}

/// A change of the packet's outermost headers that the datapath has not been told of.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Pending {
    /// A network service header to push, with metadata of type 2.
    PushNsh(Vec<u8>),
    /// One to pop.
    PopNsh,
    /// A label to put in front.
    AddMpls,
    /// Backbone addresses and service tag to push.
    PushPbb,
}

/// The state of one translation.
pub(crate) struct Ctx<'a, 'r> {
    pub snap: &'a Snapshot,
    /// The bridge that the packet is in.
    pub bridge: &'a BridgeView,
    /// The flow as the pipeline has it now; in_port is an OpenFlow number.
    pub key: FlowKey,
    /// The flow as the datapath has it now.
    pub base: FlowKey,
    /// Bits of the original flow that count.
    pub mask: Mask,
    /// Datapath actions so far.
    pub out: Vec<DpAction>,
    pub effects: SmallVec<[Effect; 4]>,
    pub warnings: Vec<String>,
    /// The flow as it entered the current bridge.
    pub entered: &'r FlowKey,
    pub deps: Deps,
    pub rec: Option<&'r mut Recorder>,
    pub names: Namer<'r>,
    pub dry_run: bool,
    /// The flow whose actions are being run; none in a packet-out.
    pub rule: Option<&'a Arc<Rule>>,
    pub table: TableId,
    pub cookie: Cookie,
    /// Value and width in bits.
    pub stack: Vec<(Value, u16)>,
    pub stack_bytes: u32,
    pub action_set: SmallVec<[&'a Action; 4]>,
    pub depth: u16,
    pub resubmits: u16,
    /// No further actions.
    pub exit: bool,
    /// Translation gave up.
    pub error: Option<DropReason>,
    pub drop_reason: Option<DropReason>,
    pub slow: SlowPath,
    /// Mirrors of this bridge that have the packet as it is now.
    pub mirrors: u32,
    pub in_group: bool,
    pub in_action_set: bool,
    pub in_packet_out: bool,
    pub freeze: Option<Freeze>,
    /// Copies that went through the connection tracker, if there is a record.
    pub forks: Vec<Fork>,
    /// What the next commit begins with.
    pub pending: Option<Pending>,
    /// The packet was MPLS and what is below is not known.
    pub was_mpls: bool,
    pub conntracked: bool,
    /// Labels of [`Ctx::key`]'s stack.
    pub labels: usize,
    /// Labels of [`Ctx::base`]'s stack.
    pub base_labels: usize,
    /// Priority that the packet came with.
    pub original_priority: u32,
}

impl<'a> Ctx<'a, '_> {
    /// Records that bytes of the flow were looked at.
    #[inline]
    pub fn look(&mut self, ofs: usize, len: usize) {
        self.mask.0.bytes_mut()[ofs..ofs + len].fill(0xff);
    }

    /// Records that some bits of two bytes were looked at.
    #[inline]
    pub fn look_u16(&mut self, ofs: usize, bits: u16) {
        let m = self.mask.0.u16_at(ofs) | bits;
        self.mask.0.put(ofs, &m.to_be_bytes());
    }

    /// A field's value.
    pub fn read(&mut self, field: Field) -> Value {
        self.look_field(field, Value::MAX);
        self.key.get(field)
    }

    /// The value of some bits of a field.
    pub fn read_sub(&mut self, sub: Subfield) -> Value {
        self.look_sub(sub);
        self.key.get_sub(sub)
    }

    /// Records that some bits of a field were looked at.
    pub fn look_sub(&mut self, sub: Subfield) {
        if sub.ofs < 128 {
            self.look_field(sub.field, flow::field::ones(sub.n_bits) << sub.ofs);
        }
    }

    /// Records that some bits of a field were looked at.
    pub fn look_field(&mut self, field: Field, bits: Value) {
        match field.info().location {
            Location::Port16 => self.look(l::IN_PORT, 4),
            Location::TunMetadata(_) => self.look(l::TUN_OPTS_PRESENT, 8 + l::TUN_OPTS_LEN),
            _ => self.mask.or(field, bits & field.info().ones()),
        }
    }

    /// Sets bits of a field, if the packet has the header that it is in.
    pub fn write(&mut self, field: Field, value: Value, mask: Value) {
        if self.has_header_of(field) {
            self.look_field(field, mask);
            self.key.set_masked(field, value, mask);
            if let Location::Bits { start, .. } = field.info().location {
                let in_packet = (l::STAGE_L2 * 64..l::STAGE_PIPELINE * 64).contains(&usize::from(start));
                if in_packet {
                    self.mirrors = 0;
                }
                if usize::from(start) / 8 == l::VLAN_TCI || usize::from(start) / 8 == l::VLAN_TCI + 1 {
                    crate::action::vlan::tidy(self);
                }
            }
        }
    }

    /// Remarks on the value that a field has now.
    pub fn tell_now(&mut self, sub: Subfield) {
        if self.rec.is_some() {
            let value = crate::text::value(sub, self.key.get_sub(sub));
            self.detail(|| format!("{} is now {value}", crate::text::subfield(sub)));
        }
    }

    /// Sets some bits of a field, if the packet has the header that it is in.
    pub fn write_sub(&mut self, sub: Subfield, value: Value) {
        if sub.ofs < 128 {
            self.write(sub.field, value << sub.ofs, flow::field::ones(sub.n_bits) << sub.ofs);
        }
    }

    fn has_header_of(&mut self, field: Field) -> bool {
        self.satisfies(field.info().prereq)
    }

    fn is_l4(&mut self, proto: u8) -> bool {
        self.key.is_ip_any() && self.ip_proto() == proto && self.key.nw_frag() & frag::LATER == 0
    }

    fn ip_proto(&mut self) -> u8 {
        self.look(l::NW_PROTO, 1);
        self.key.ip_proto()
    }

    /// Whether the packet has what a field needs. (The Ethernet type and fragment bits always count.)
    pub fn satisfies(&mut self, prereq: Prereq) -> bool {
        let ty = self.key.eth_type();
        match prereq {
            Prereq::None => true,
            Prereq::Ethernet => self.key.packet_type() == 0,
            Prereq::Arp => ty == eth_type::ARP || ty == eth_type::RARP,
            Prereq::VlanVid => self.vlan_tci(VLAN_PRESENT) & VLAN_PRESENT != 0,
            Prereq::Ipv4 => ty == eth_type::IPV4,
            Prereq::Ipv6 => ty == eth_type::IPV6,
            Prereq::IpAny => self.key.is_ip_any(),
            Prereq::Mpls => is_mpls(ty),
            Prereq::Tcp => self.is_l4(ip_proto::TCP),
            Prereq::Udp => self.is_l4(ip_proto::UDP),
            Prereq::Sctp => self.is_l4(ip_proto::SCTP),
            Prereq::Icmpv4 => ty == eth_type::IPV4 && self.is_l4(ip_proto::ICMP),
            Prereq::Icmpv6 => ty == eth_type::IPV6 && self.is_l4(ip_proto::ICMPV6),
            Prereq::Nd => self.is_nd(&[135, 136]),
            Prereq::NdSolicit => self.is_nd(&[135]),
            Prereq::NdAdvert => self.is_nd(&[136]),
            Prereq::Nsh => ty == eth_type::NSH,
            Prereq::Pbb => ty == eth_type::PBB,
            Prereq::Ct => {
                self.look(l::CT_STATE, 4);
                self.key.ct_state() & flow::key::ct_state::TRK != 0
            }
        }
    }

    fn is_nd(&mut self, types: &[u16]) -> bool {
        if self.key.eth_type() != eth_type::IPV6 || !self.is_l4(ip_proto::ICMPV6) {
            return false;
        }
        self.look(l::TP_SRC, 4);
        types.contains(&self.key.tp_src()) && self.key.tp_dst() == 0
    }

    /// The outer tag's TCI, of which `bits` are looked at.
    #[inline]
    pub fn vlan_tci(&mut self, bits: u16) -> u16 {
        self.look_u16(l::VLAN_TCI, bits);
        self.key.vlan_tci()
    }

    /// What this translation depends on of the current bridge.
    #[inline]
    pub fn bridge_deps(&mut self) -> &mut BridgeDeps {
        self.deps.bridge_mut(self.bridge.id)
    }

    /// Adds a node to the record.
    #[inline]
    pub fn record(&mut self, kind: NodeKind, text: impl FnOnce(&Namer<'_>) -> String) {
        if let Some(rec) = &mut self.rec {
            rec.add(kind, text(&self.names));
        } else if kind == NodeKind::Error && !self.dry_run {
            let text = text(&self.names);
            let mut flow = self.entered.clone();
            flow.set_in_port(self.key.in_port());
            let flow = crate::text::flow(&flow, &self.names);
            self.warnings.push(format!("{text} on bridge {} while processing {flow}", self.bridge.name));
        }
    }

    /// A remark about the current action.
    #[inline]
    pub fn detail(&mut self, text: impl FnOnce() -> String) {
        self.record(NodeKind::Detail, |_| text());
    }

    /// Opens a node of the record.
    #[inline]
    pub fn open(&mut self, kind: NodeKind, text: impl FnOnce(&Namer<'_>) -> String) {
        if let Some(rec) = &mut self.rec {
            rec.open(kind, text(&self.names));
        }
    }

    /// Closes the node opened last.
    #[inline]
    pub fn close(&mut self) {
        if let Some(rec) = &mut self.rec {
            rec.close();
        }
    }

    /// The packet goes no further here, for a reason; told as a remark of the given kind.
    pub fn drop(&mut self, reason: DropReason, kind: NodeKind, text: impl FnOnce() -> String) {
        self.drop_reason = Some(reason);
        self.record(kind, |_| text());
    }

    /// Translation gives up.
    pub fn fail(&mut self, reason: DropReason, text: impl FnOnce() -> String) {
        self.error = Some(reason);
        self.exit = true;
        self.drop(reason, NodeKind::Error, text);
    }

    /// Whether nothing more is to be done at this level.
    #[inline]
    pub fn stopped(&self) -> bool {
        self.exit || self.error.is_some()
    }

    /// Starts freezing: the actions from the current one on run after recirculation.
    pub fn start_freeze(&mut self) {
        self.freeze = Some(Freeze::default());
        self.exit = true;
    }

    /// Adds what is left of a level to what runs after recirculation.
    pub fn freeze_rest(&mut self, rest: &[Action]) {
        let (table, cookie) = (self.table, self.cookie);
        if let Some(freeze) = &mut self.freeze
            && !rest.is_empty()
        {
            freeze.actions.push(FrozenActions { table, cookie, actions: rest.to_vec() });
        }
    }

    /// Ends freezing: the packet recirculates with what was collected.
    pub fn finish_freeze(&mut self) {
        let Some(freeze) = self.freeze.take() else { return };
        crate::commit::commit(self);
        let state = self.frozen(freeze.actions, None);
        match freeze.pause {
            // In a dry run nobody would ever resume the packet.
            Some(_) if self.dry_run => {}
            Some(paused) => {
                let (mut cookie, meter) = *paused;
                cookie.continuation = true;
                cookie.recirc_id = self.snap.recirc.intern(state);
                crate::action::controller::push(self, cookie, meter);
            }
            None => {
                let id = self.snap.recirc.intern(state);
                self.out.extend(freeze.hash);
                self.out.push(DpAction::Recirc(id));
            }
        }
        self.action_set.clear();
    }

    /// The present state, to go on with `actions` or in `table`.
    pub fn frozen(&self, actions: Vec<FrozenActions>, table: Option<TableId>) -> Frozen {
        Frozen {
            bridge: self.bridge.id,
            in_port: self.key.in_port(),
            metadata: pipeline_fields(&self.key),
            stack: self.stack.clone(),
            action_set: self.action_set.iter().copied().cloned().collect(),
            actions,
            table,
            mirrors: self.mirrors,
            conntracked: self.conntracked,
        }
    }

    /// Whether the packet came in by a port (not from a controller).
    pub fn in_port_is_real(&self) -> bool {
        !matches!(self.key.in_port(), OfPort::NONE | OfPort::CONTROLLER)
    }
}

/// Whether an Ethernet type is one of MPLS.
pub(crate) fn is_mpls(ty: u16) -> bool {
    ty == eth_type::MPLS || ty == eth_type::MPLS_MULTICAST
}

/// The fields of a flow that no packet determines, and the tunnel.
pub(crate) fn pipeline_fields(key: &FlowKey) -> FlowKey {
    let mut out = FlowKey::default();
    out.words[l::STAGE_PIPELINE..].copy_from_slice(&key.words[l::STAGE_PIPELINE..]);
    out.words[l::TUN_ID / 8..l::STAGE_L2].copy_from_slice(&key.words[l::TUN_ID / 8..l::STAGE_L2]);
    out
}
