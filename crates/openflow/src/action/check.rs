//! Consistency of actions with the match of their flow, and with each other.
//!
//! OpenFlow 1.0 allows any action in any flow; later versions refuse what cannot make sense, such as setting an IPv4
//! address in a flow that does not match IPv4. [`check`] walks through the list with what is known of the packet at
//! each point, and narrows down the protocols that would accept it.

use super::instruction::{NAMES, rank};
use super::text::Outer;
use super::wire::MODULE;
use super::*;
use crate::buf::{Decode, DecodeError};
use crate::ofperr::OfpErr;
use crate::version::ProtocolSet;
use base::OfPort;
use flow::key::{eth_type, ip_proto};
use flow::prereq::match_meets;
use flow::{Field, Match, Prereq, Subfield};
use std::borrow::Cow;

/// What the check is told and what it finds out.
#[derive(Clone, Copy, Debug)]
pub struct CheckCx {
    /// Ordinary ports are below this.
    pub max_ports: OfPort,
    /// The flow's table; 255 when unknown.
    pub table: u8,
    /// Number of tables; 255 when unknown.
    pub n_tables: u8,
    /// Protocols that can express the flow; narrowed down by the check.
    pub usable: ProtocolSet,
}

impl CheckCx {
    /// Nothing known of switch and table.
    pub fn new(usable: ProtocolSet) -> CheckCx {
        CheckCx { max_ports: OfPort::MAX_ORDINARY, table: 0xff, n_tables: 0xff, usable }
    }
}

/// Checks that a subfield exists and may be read (`role` "source") or written ("destination").
pub(super) fn subfield(s: Subfield, role: &str) -> Decode<()> {
    let width = s.field.info().bits;
    let (error, text) = if s.n_bits == 0 {
        (OfpErr::OFPBAC_BAD_SET_LEN, format!("zero bit {role} field {}", s.field))
    } else if s.ofs >= width {
        let text = format!("bit offset {} exceeds {width}-bit width of {role} field {}", s.ofs, s.field);
        (OfpErr::OFPBAC_BAD_SET_LEN, text)
    } else if s.ofs + s.n_bits > width {
        let text = format!(
            "bit offset {} and width {} exceeds {width}-bit width of {role} field {}",
            s.ofs, s.n_bits, s.field
        );
        (OfpErr::OFPBAC_BAD_SET_LEN, text)
    } else if role == "destination" && !s.field.info().writable {
        (OfpErr::OFPBAC_BAD_SET_ARGUMENT, format!("destination field {} is not writable", s.field))
    } else {
        return Ok(());
    };
    Err(DecodeError::logged(error, "meta_flow", text))
}

fn prereq(s: Subfield, role: &str, m: &Match) -> Decode<()> {
    if s.field.prereq_met_by(m) {
        return Ok(());
    }
    Err(DecodeError::logged(
        OfpErr::OFPBAC_MATCH_INCONSISTENT,
        "meta_flow",
        format!("{role} field {} lacks correct prerequisites", s.field),
    ))
}

fn check_src(s: Subfield, m: &Match) -> Decode<()> {
    subfield(s, "source")?;
    prereq(s, "source", m)
}

fn check_dst(s: Subfield, m: &Match) -> Decode<()> {
    subfield(s, "destination")?;
    prereq(s, "destination", m)
}

/// The walk: what is known of the packet, and what was found out.
struct Walk<'a> {
    m: Cow<'a, Match>,
    cx: &'a mut CheckCx,
}

/// Checks a list of actions against the match of its flow. Also notes in the actions what they need to know of the
/// packet (whether it has a VLAN tag, its IP protocol).
pub fn check(actions: &mut [Action], m: &Match, cx: &mut CheckCx) -> Decode<()> {
    let had_any = !cx.usable.is_empty();
    Walk { m: Cow::Borrowed(m), cx }.list(actions)?;
    // What only OpenFlow 1.0 accepts is an error where that cannot be had.
    if had_any && cx.usable.is_empty() { Err(OfpErr::OFPBAC_MATCH_INCONSISTENT.into()) } else { Ok(()) }
}

impl Walk<'_> {
    fn list(&mut self, actions: &mut [Action]) -> Decode<()> {
        actions.iter_mut().try_for_each(|a| self.one(a))
    }

    /// Only OpenFlow 1.0 accepts what comes here.
    fn inconsistent(&mut self) -> Decode<()> {
        self.cx.usable = self.cx.usable.intersection(ProtocolSet::OF10);
        Ok(())
    }

    fn need(&mut self, prereq: Prereq) -> Decode<()> {
        if match_meets(&self.m, prereq) { Ok(()) } else { self.inconsistent() }
    }

    fn output_port(&self, port: OfPort) -> Decode<()> {
        output::check_output_port(port)?;
        if !port.is_reserved() && port >= self.cx.max_ports {
            return Err(OfpErr::OFPBAC_BAD_OUT_PORT.into());
        }
        Ok(())
    }

    fn has_vlan(&self) -> bool {
        match_meets(&self.m, Prereq::VlanVid)
    }

    fn eth_type(&self) -> u16 {
        let (pt, mask) = self.m.get(Field::PACKET_TYPE);
        if mask != 0 && pt >> 16 == 1 {
            return pt as u16;
        }
        self.m.get(Field::ETH_TYPE).0 as u16
    }

    fn is_ip(&self) -> bool {
        match_meets(&self.m, Prereq::IpAny)
    }

    fn nw_proto(&self) -> u8 {
        self.m.get(Field::IP_PROTO).0 as u8
    }

    fn one(&mut self, a: &mut Action) -> Decode<()> {
        match a {
            Action::Output(o) => self.output_port(o.port),
            Action::OutputTrunc(o) => self.output_port(o.port),
            Action::OutputReg(o) => check_src(o.src, &self.m),
            Action::Enqueue(e) => {
                let ordinary = !e.port.is_reserved() && e.port < self.cx.max_ports;
                if ordinary || e.port == OfPort::IN_PORT || e.port == OfPort::LOCAL {
                    Ok(())
                } else {
                    Err(OfpErr::OFPBAC_BAD_OUT_PORT.into())
                }
            }
            Action::Bundle(b) => self.bundle(b),
            Action::StripVlan(_) => {
                let r = if self.has_vlan() { Ok(()) } else { self.inconsistent() };
                self.m.to_mut().set_masked(Field::VLAN_TCI, 0, 0xffff);
                r
            }
            Action::PushVlan(_) => {
                self.m.to_mut().set_masked(Field::VLAN_TCI, 0x1000, 0xffff);
                Ok(())
            }
            Action::SetVlanVid(v) => {
                v.flow_has_vlan = self.has_vlan();
                self.vlan(v.push_vlan_if_needed)
            }
            Action::SetVlanPcp(v) => {
                v.flow_has_vlan = self.has_vlan();
                self.vlan(v.push_vlan_if_needed)
            }
            Action::SetEthSrc(_) | Action::SetEthDst(_) => Ok(()),
            Action::SetIpv4Src(_) | Action::SetIpv4Dst(_) => self.need(Prereq::Ipv4),
            Action::SetIpDscp(_) | Action::SetIpEcn(_) | Action::SetIpTtl(_) | Action::DecTtl(_) => {
                self.need(Prereq::IpAny)
            }
            Action::CopyTtlIn | Action::CopyTtlOut => Ok(()),
            Action::SetL4SrcPort(p) | Action::SetL4DstPort(p) => {
                let proto = self.nw_proto();
                let known = [ip_proto::TCP, ip_proto::UDP, ip_proto::SCTP].contains(&proto);
                p.flow_ip_proto = proto;
                if self.is_ip() && known && self.m.get(Field::IP_FRAG).0 & 2 == 0 {
                    Ok(())
                } else {
                    self.inconsistent()
                }
            }
            Action::Move(v) => {
                check_src(v.src, &self.m)?;
                check_dst(v.dst, &self.m)
            }
            Action::SetField(f) => self.set_field(f),
            Action::Push(s) => check_src(s.subfield, &self.m),
            Action::Pop(s) => check_dst(s.subfield, &self.m),
            Action::SetMplsLabel(_) | Action::SetMplsTc(_) | Action::SetMplsTtl(_) | Action::DecMplsTtl => {
                self.need(Prereq::Mpls)
            }
            Action::PushMpls(p) => self.push_mpls(p.ethertype),
            Action::PopMpls(p) => {
                let r = self.need(Prereq::Mpls);
                self.set_eth_type(p.ethertype);
                r
            }
            Action::PushPbb(p) => {
                self.set_eth_type(p.ethertype);
                Ok(())
            }
            Action::PopPbb => {
                self.m.to_mut().clear(Field::ETH_TYPE);
                Ok(())
            }
            Action::DecNshTtl => self.need(Prereq::Nsh),
            Action::CheckPktLarger(c) => check_dst(c.dst, &self.m),
            Action::DeleteField(d) => {
                if d.field.as_tun_metadata().is_some() {
                    Ok(())
                } else {
                    Err(OfpErr::OFPBAC_BAD_ARGUMENT.into())
                }
            }
            _ => self.control(a),
        }
    }

    /// Actions that do not change the packet.
    fn control(&mut self, a: &mut Action) -> Decode<()> {
        match a {
            Action::Resubmit(r) if r.with_ct_orig => {
                if match_meets(&self.m, Prereq::Ct) {
                    Ok(())
                } else {
                    Err(OfpErr::OFPBAC_MATCH_INCONSISTENT.into())
                }
            }
            Action::FinTimeout(_) => {
                if self.is_ip() && self.nw_proto() == ip_proto::TCP {
                    Ok(())
                } else {
                    self.inconsistent()
                }
            }
            Action::Learn(l) => self.learn(l),
            Action::Multipath(p) => check_dst(p.dst, &self.m),
            Action::Sample(s) => {
                for id in [s.obs_domain_id, s.obs_point_id] {
                    if let SampleId::Field(f) = id {
                        check_src(f, &self.m)?;
                    }
                }
                Ok(())
            }
            Action::Clone(c) => {
                let m = self.m.clone();
                let r = self.list(&mut c.actions);
                self.m = m;
                r
            }
            Action::Ct(c) => self.ct(c),
            Action::Nat(n) => {
                let ok = match n.range {
                    _ if !self.is_ip() => false,
                    NatRange::V4 { .. } => self.eth_type() == eth_type::IPV4,
                    NatRange::V6 { .. } => self.eth_type() == eth_type::IPV6,
                    NatRange::None => true,
                };
                if ok { Ok(()) } else { Err(OfpErr::OFPBAC_MATCH_INCONSISTENT.into()) }
            }
            Action::Encap(e) => self.encap(e.packet_type),
            Action::Decap(d) => self.decap(d.packet_type),
            Action::WriteActions(w) => {
                // What an action set will meet cannot be known.
                let usable = self.cx.usable;
                let m = self.m.clone();
                self.cx.usable = ProtocolSet::ANY;
                let r = self.list(&mut w.actions);
                self.m = m;
                self.cx.usable = usable;
                r
            }
            Action::Meter(m) => {
                if m.meter.0 == 0 || m.meter > crate::msg::MeterConfig::MAX {
                    return Err(OfpErr::OFPMMFC_INVALID_METER.into());
                }
                Ok(())
            }
            Action::GotoTable(g) => {
                let back = self.cx.table != 0xff && g.table <= self.cx.table;
                let beyond = self.cx.n_tables != 0xff && g.table >= self.cx.n_tables;
                if back || beyond { Err(OfpErr::OFPBIC_BAD_TABLE_ID.into()) } else { Ok(()) }
            }
            _ => Ok(()),
        }
    }

    fn vlan(&mut self, push_if_needed: bool) -> Decode<()> {
        let r = if self.has_vlan() || push_if_needed { Ok(()) } else { self.inconsistent() };
        self.m.to_mut().set_masked(Field::VLAN_TCI, 0x1000, 0x1000);
        r
    }

    fn set_eth_type(&mut self, t: u16) {
        self.m.to_mut().clear(Field::PACKET_TYPE);
        self.m.to_mut().set(Field::ETH_TYPE, t.into());
    }

    fn push_mpls(&mut self, t: u16) -> Decode<()> {
        let r = self.need(Prereq::Ethernet);
        self.set_eth_type(t);
        // What lies below the label is no longer known.
        self.m.to_mut().clear(Field::IP_PROTO);
        r
    }

    fn bundle(&mut self, b: &Bundle) -> Decode<()> {
        if let Some(dst) = b.dst {
            check_dst(dst, &self.m)?;
        }
        for p in &b.members {
            if *p != OfPort::NONE && (p.is_reserved() || *p >= self.cx.max_ports) && *p != OfPort::LOCAL {
                return Err(DecodeError::logged(
                    OfpErr::OFPBAC_BAD_OUT_PORT,
                    MODULE,
                    format!("invalid member {}", p.to_u16().unwrap_or(u16::MAX)),
                ));
            }
        }
        Ok(())
    }

    fn set_field(&mut self, f: &mut SetField) -> Decode<()> {
        // To match an id asks for nothing; to set it, there must be a tag.
        let untagged = f.field == Field::VLAN_VID && !self.has_vlan();
        if untagged || !f.field.prereq_met_by(&self.m) {
            return Err(DecodeError::logged(
                OfpErr::OFPBAC_MATCH_INCONSISTENT,
                MODULE,
                format!("set_field {} lacks correct prerequisites", f.field),
            ));
        }
        f.flow_has_vlan = self.has_vlan();
        match f.field {
            // Only these change what later actions may do.
            Field::VLAN_TCI | Field::VLAN_VID => {
                let present = if f.field == Field::VLAN_VID { 0x1000 } else { f.value() & 0x1000 };
                if f.mask() & 0x1000 != 0 {
                    self.m.to_mut().set_masked(Field::VLAN_TCI, present, 0x1000);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn ct(&mut self, c: &mut Ct) -> Decode<()> {
        const FTP: u16 = 21;
        const TFTP: u16 = 69;
        let wrong_alg = (c.alg == FTP && self.nw_proto() != ip_proto::TCP)
            || (c.alg == TFTP && self.nw_proto() != ip_proto::UDP);
        let (state, mask) = self.m.get(Field::CT_STATE);
        let invalid = state & mask & u128::from(flow::key::ct_state::INV) != 0;
        if !self.is_ip() || wrong_alg || (invalid && c.commit) {
            return Err(OfpErr::OFPBAC_MATCH_INCONSISTENT.into());
        }
        if let CtZone::Field(s) = c.zone {
            check_src(s, &self.m)?;
        }
        self.list(&mut c.actions)
    }

    fn learn(&mut self, l: &Learn) -> Decode<()> {
        // The match that the learned flow will have, as far as prerequisites go.
        let mut learned = Match::any();
        for spec in &l.specs {
            if let LearnSrc::Field(s) = &spec.src {
                check_src(*s, &self.m)?;
            }
            match &spec.dst {
                LearnDst::Match(s) => {
                    check_src(*s, &learned)?;
                    match &spec.src {
                        LearnSrc::Immediate(v) => learned.set_sub(*s, *v),
                        // A match on the field itself keeps what is known of the packet.
                        LearnSrc::Field(f) if f == s => {
                            let (v, k) = self.m.get(f.field);
                            if k != 0 {
                                learned.set_masked(f.field, v, k);
                            }
                        }
                        LearnSrc::Field(_) => {}
                    }
                }
                LearnDst::Load(s) => check_dst(*s, &learned)?,
                LearnDst::Output => {}
            }
        }
        match l.result_dst {
            Some(s) => check_dst(s, &self.m),
            None => Ok(()),
        }
    }

    fn encap(&mut self, packet_type: u32) -> Decode<()> {
        let below = self.eth_type();
        self.m = Cow::Owned(Match::any());
        if packet_type == Encap::ETHERNET {
            self.m.to_mut().set(Field::PACKET_TYPE, 0);
            self.m.to_mut().set(Field::ETH_TYPE, below.into());
        } else {
            self.m.to_mut().set(Field::PACKET_TYPE, packet_type.into());
        }
        Ok(())
    }

    fn decap(&mut self, packet_type: u32) -> Decode<()> {
        let (pt, mask) = self.m.get(Field::PACKET_TYPE);
        if mask == 0 || pt == 0 {
            // An Ethernet frame: its type tells what is inside.
            let t = self.m.get(Field::ETH_TYPE);
            self.m.to_mut().clear(Field::ETH_SRC);
            self.m.to_mut().clear(Field::ETH_DST);
            if t.1 != 0 {
                self.m.to_mut().set(Field::PACKET_TYPE, 0x1_0000 | t.0);
            } else {
                self.m.to_mut().set(Field::PACKET_TYPE, 0x1_ffff);
            }
            return Ok(());
        }
        self.m = Cow::Owned(Match::any());
        let next = if packet_type == Decap::NEXT { 0x1_ffff } else { packet_type };
        self.m.to_mut().set(Field::PACKET_TYPE, next.into());
        Ok(())
    }
}

/// Why actions cannot stand together, as an error and a text.
type Odds = (OfpErr, String);

/// Checks that actions may stand together, in the order in which they do, inside `outer`.
pub(super) fn together(actions: &[Action], outer: Outer) -> Result<(), Odds> {
    let (mut conjunction, mut other, mut last) = (false, None, None);
    for a in actions {
        match a {
            Action::Conjunction(_) => conjunction = true,
            Action::Note(_) => {}
            _ => other = other.or(Some(a)),
        }
        if let Some(other) = other.filter(|_| conjunction) {
            let text = format!(
                "\"conjunction\" actions may be used along with \"note\" but not any other kind of action (such as the \"{}\" action used here)",
                other.name()
            );
            return Err((OfpErr::NXBAC_BAD_CONJUNCTION, text));
        }
        if matches!(a, Action::Conjunction(_)) {
            continue;
        }
        inside(a, outer)?;
        match outer {
            Outer::Flow15 if matches!(a, Action::Meter(_)) => last = last.max(Some(1)),
            Outer::Flow | Outer::Flow15 => order(&mut last, a)?,
            _ => {}
        }
    }
    Ok(())
}

/// Whether an action may stand inside `outer`.
fn inside(a: &Action, outer: Outer) -> Result<(), Odds> {
    let written = match a {
        Action::SetField(f) => Some(f.field),
        Action::Move(m) => Some(m.dst.field),
        _ => None,
    };
    let of_ct = matches!(written, Some(Field::CT_MARK | Field::CT_LABEL));
    let instruction = rank(a) != 1 && !matches!(a, Action::Meter(_));
    if outer == Outer::Ct {
        return match written {
            _ if of_ct || matches!(a, Action::Nat(_)) => Ok(()),
            Some(f) => {
                let text = format!("ct action doesn't support nested modification of {f}");
                Err((OfpErr::OFPBAC_BAD_ARGUMENT, text))
            }
            None => {
                let text = format!("ct action doesn't support nested action {}", a.name());
                Err((OfpErr::OFPBAC_BAD_ARGUMENT, text))
            }
        };
    }
    if instruction && !matches!(outer, Outer::Flow | Outer::Flow15) {
        return Err((OfpErr::OFPBIC_UNSUP_INST, format!("{} instruction not allowed here", a.name())));
    }
    if of_ct {
        let text = "cannot set CT fields outside of ct action";
        return Err((OfpErr::OFPBAC_BAD_SET_ARGUMENT, text.to_string()));
    }
    if matches!(a, Action::Nat(_)) {
        let text = "Cannot have NAT action outside of \"ct\" action";
        return Err((OfpErr::OFPBAC_BAD_SET_ARGUMENT, text.to_string()));
    }
    Ok(())
}

/// Checks the order of instructions, one after the other.
fn order(last: &mut Option<u8>, a: &Action) -> Result<(), Odds> {
    let now = rank(a);
    let before = last.replace(now).unwrap_or(0);
    let odd = |text| Err((OfpErr::OFPBAC_UNSUPPORTED_ORDER, text));
    let first = NAMES[usize::from(now)];
    if now < before {
        let second = NAMES[usize::from(before)];
        return odd(format!(
            "invalid instruction ordering: {first} must appear before {second}, for OpenFlow 1.1+ compatibility"
        ));
    }
    if now == before && now != 1 && now != 0 {
        return odd(format!("duplicate {first} instruction not allowed, for OpenFlow 1.1+ compatibility"));
    }
    Ok(())
}

/// Refuses what an action set cannot hold.
pub(super) fn write_actions(actions: &[Action]) -> Decode<()> {
    for a in actions {
        if !a.fits_set() {
            return Err(DecodeError::logged(
                OfpErr::OFPBAC_BAD_TYPE,
                MODULE,
                "disallowed action in action set",
            ));
        }
    }
    Ok(())
}
