//! `sample`: report a share of the packets to collectors.

use super::Action;
use super::output::port16;
use super::wire::{Dec, Enc};
use super::wire::{ofs_nbits, pull_header32, put_header32, split_ofs_nbits};
use crate::buf::{Decode, Put};
use crate::ofperr::OfpErr;
use crate::text::lex;
use crate::text::{Fmt, TextCx};
use base::OfPort;
use flow::Subfield;
use std::fmt::Write;

/// A number given literally or by a field.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SampleId {
    /// A number.
    Immediate(u32),
    /// A field.
    Field(Subfield),
}

/// In which direction the packet is sampled.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SampleDirection {
    /// Not said.
    Default,
    /// On its way in.
    Ingress,
    /// On its way out.
    Egress,
}

/// Report a share of the packets.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sample {
    /// Of 65,535 packets.
    pub probability: u16,
    /// Collector set.
    pub collector_set_id: u32,
    /// IPFIX observation domain.
    pub obs_domain_id: SampleId,
    /// IPFIX observation point.
    pub obs_point_id: SampleId,
    /// Port that is sampled, or [`OfPort::NONE`].
    pub sampling_port: OfPort,
    /// Direction.
    pub direction: SampleDirection,
    /// Which of the three wire forms it came in (1, 2, 3, 4).
    pub version: u8,
}

fn common(d: &mut Dec<'_>, version: u8) -> Decode<Sample> {
    let probability = d.r.u16()?;
    let collector_set_id = d.r.u32()?;
    let mut id = || -> Decode<SampleId> {
        if version < 4 {
            return Ok(SampleId::Immediate(d.r.u32()?));
        }
        let mut header = d.r;
        if d.r.u32()? == 0 {
            return Ok(SampleId::Immediate(d.r.u32()?));
        }
        let field = pull_header32(&mut header)?;
        let s = split_ofs_nbits(field, d.r.u16()?);
        d.r.skip(2)?;
        super::check::subfield(s, "source")?;
        Ok(SampleId::Field(s))
    };
    let obs_domain_id = id()?;
    let obs_point_id = id()?;
    let mut s = Sample {
        probability,
        collector_set_id,
        obs_domain_id,
        obs_point_id,
        sampling_port: OfPort::NONE,
        direction: SampleDirection::Default,
        version,
    };
    if version >= 2 {
        s.sampling_port = OfPort::from_u16(d.r.u16()?);
    }
    if version >= 3 {
        s.direction = match d.r.u8()? {
            0 => SampleDirection::Default,
            1 => SampleDirection::Ingress,
            2 => SampleDirection::Egress,
            _ => return Err(OfpErr::OFPBAC_BAD_ARGUMENT.into()),
        };
    }
    d.zeros_to_end(OfpErr::NXBRC_MUST_BE_ZERO)?;
    if probability == 0 {
        return Err(OfpErr::OFPBAC_BAD_ARGUMENT.into());
    }
    Ok(s)
}

pub(super) fn decode_1(d: &mut Dec<'_>) -> Decode<Action> {
    Ok(Action::Sample(Box::new(common(d, 1)?)))
}

pub(super) fn decode_2(d: &mut Dec<'_>) -> Decode<Action> {
    Ok(Action::Sample(Box::new(common(d, 2)?)))
}

pub(super) fn decode_3(d: &mut Dec<'_>) -> Decode<Action> {
    Ok(Action::Sample(Box::new(common(d, 3)?)))
}

pub(super) fn decode_4(d: &mut Dec<'_>) -> Decode<Action> {
    Ok(Action::Sample(Box::new(common(d, 4)?)))
}

impl Sample {
    /// The oldest wire form that can say it all.
    pub fn least_version(&self) -> u8 {
        let field = |id| matches!(id, SampleId::Field(_));
        if field(self.obs_domain_id) || field(self.obs_point_id) {
            4
        } else if self.direction != SampleDirection::Default {
            3
        } else if self.sampling_port != OfPort::NONE {
            2
        } else {
            1
        }
    }

    pub(super) fn encode(&self, e: &mut Enc<'_>) {
        let version = self.version.max(self.least_version());
        let id = |o: &mut Vec<u8>, id: SampleId| match id {
            SampleId::Immediate(n) => {
                if version >= 4 {
                    o.zeros(4);
                }
                o.u32(n);
            }
            SampleId::Field(s) => {
                put_header32(o, s.field);
                o.u16(ofs_nbits(s));
                o.zeros(2);
            }
        };
        e.nicira([29, 38, 41, 51][usize::from(version.clamp(1, 4)) - 1], |o| {
            o.u16(self.probability);
            o.u32(self.collector_set_id);
            id(o, self.obs_domain_id);
            id(o, self.obs_point_id);
            if version >= 2 {
                o.u16(port16(self.sampling_port));
            }
            if version >= 3 {
                o.u8(self.direction as u8);
            }
            if version >= 2 {
                o.zeros(if version >= 3 { 5 } else { 6 });
            }
        });
    }
}

impl Sample {
    pub(super) fn format(&self, f: &mut Fmt<'_>) {
        f.paren("sample(");
        f.param("probability=");
        let _ = write!(f, "{},", self.probability);
        f.param("collector_set_id=");
        let _ = write!(f, "{},", self.collector_set_id);
        f.param("obs_domain_id=");
        format_id(f, self.obs_domain_id);
        f.put(",");
        f.param("obs_point_id=");
        format_id(f, self.obs_point_id);
        if self.sampling_port != OfPort::NONE {
            f.put(",");
            f.param("sampling_port=");
            f.port(self.sampling_port);
        }
        match self.direction {
            SampleDirection::Default => {}
            SampleDirection::Ingress => f.put(",ingress"),
            SampleDirection::Egress => f.put(",egress"),
        }
        f.paren(")");
    }
}

fn format_id(f: &mut Fmt<'_>, id: SampleId) {
    match id {
        SampleId::Immediate(n) => {
            let _ = write!(f, "{n}");
        }
        SampleId::Field(s) => f.subfield(s),
    }
}

fn parse_id(s: &str, cx: &mut TextCx<'_>) -> Result<SampleId, String> {
    match lex::u32(s) {
        Ok(n) => Ok(SampleId::Immediate(n)),
        Err(e) => match cx.subfield(s) {
            Ok(f) if f.n_bits <= 32 => Ok(SampleId::Field(f)),
            Ok(f) => Err(format!("size of {s} ({} bits) exceeds maximum of 32 bits", f.n_bits)),
            Err(x) => Err(if s.is_empty() { e } else { x }),
        },
    }
}

pub(super) fn parse(s: &str, cx: &mut TextCx<'_>) -> Result<Action, String> {
    let mut a = Sample {
        probability: 0,
        collector_set_id: 0,
        obs_domain_id: SampleId::Immediate(0),
        obs_point_id: SampleId::Immediate(0),
        sampling_port: OfPort::NONE,
        direction: SampleDirection::Default,
        version: 1,
    };
    for p in lex::pairs(s) {
        match p.key {
            "probability" => {
                a.probability = lex::u16_named(p.value, "probability")?;
                if a.probability == 0 {
                    return Err(format!("invalid probability value \"{}\"", p.value));
                }
            }
            "collector_set_id" => a.collector_set_id = lex::u32(p.value)?,
            "obs_domain_id" => a.obs_domain_id = parse_id(p.value, cx)?,
            "obs_point_id" => a.obs_point_id = parse_id(p.value, cx)?,
            "sampling_port" => {
                a.sampling_port = cx.port(p.value).ok_or_else(|| format!("{}: unknown port", p.value))?;
            }
            "ingress" => a.direction = SampleDirection::Ingress,
            "egress" => a.direction = SampleDirection::Egress,
            k => return Err(format!("invalid key \"{k}\" in \"sample\" argument")),
        }
    }
    if a.probability == 0 {
        return Err("non-zero \"probability\" must be specified on sample".to_string());
    }
    a.version = a.least_version();
    Ok(Action::Sample(Box::new(a)))
}
