//! `controller`: send the packet to controllers as a packet-in.

use super::Action;
use super::Output;
use super::wire::{Dec, Enc};
use crate::buf::Reader;
use crate::buf::{Decode, Put};
use crate::msg::PacketInReason;
use crate::ofperr::OfpErr;
use crate::text::lex;
use crate::text::{Fmt, TextCx};
use base::OfPort;
use std::fmt::Write;

/// Send the packet to the controllers whose connection id is `controller_id`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Controller {
    /// How many bytes to send; 65,535 means all.
    pub max_len: u16,
    /// Which controllers.
    pub controller_id: u16,
    /// Reason given in the packet-in.
    pub reason: PacketInReason,
    /// Data to copy into the packet-in.
    pub userdata: Box<[u8]>,
    /// Stop the packet here until the controller resumes it.
    pub pause: bool,
    /// Meter that limits the packet-ins.
    pub meter_id: Option<u32>,
}

impl Default for Controller {
    fn default() -> Self {
        Controller {
            max_len: u16::MAX,
            controller_id: 0,
            reason: PacketInReason::Action,
            userdata: Box::default(),
            pause: false,
            meter_id: None,
        }
    }
}

const REASONS: [PacketInReason; 8] = [
    PacketInReason::NoMatch,
    PacketInReason::Action,
    PacketInReason::InvalidTtl,
    PacketInReason::ActionSet,
    PacketInReason::Group,
    PacketInReason::PacketOut,
    PacketInReason::ExplicitMiss,
    PacketInReason::ImplicitMiss,
];

fn reason(n: u8) -> Decode<PacketInReason> {
    match REASONS.get(usize::from(n)) {
        Some(r) if n < 6 => Ok(*r),
        _ => Err(OfpErr::OFPBAC_BAD_ARGUMENT.into()),
    }
}

pub(super) fn decode(d: &mut Dec<'_>) -> Decode<Action> {
    let mut c = Controller { max_len: d.r.u16()?, controller_id: d.r.u16()?, ..Controller::default() };
    c.reason = reason(d.r.u8()?)?;
    Ok(Action::Controller(Box::new(c)))
}

pub(super) fn decode_2(d: &mut Dec<'_>) -> Decode<Action> {
    d.zeros(6, OfpErr::NXBRC_MUST_BE_ZERO)?;
    let mut c = Controller::default();
    while !d.r.is_empty() {
        let kind = d.r.u16()?;
        let len = usize::from(d.r.u16()?);
        if len < 4 {
            return Err(OfpErr::OFPBPC_BAD_LEN.into());
        }
        let padded = len.next_multiple_of(8) - 4;
        if d.r.len() < padded {
            return Err(OfpErr::OFPBPC_BAD_LEN.into());
        }
        let mut p = Reader::with_error(&d.r.take(padded)?[..len - 4], OfpErr::OFPBPC_BAD_LEN);
        match kind {
            0 | 1 => {
                let n = p.u16()?;
                if p.len() == 2 {
                    p.skip(2)?;
                }
                if kind == 0 {
                    c.max_len = n;
                } else {
                    c.controller_id = n;
                }
            }
            2 => c.reason = reason(p.u8()?)?,
            3 => c.userdata = p.take_all().into(),
            4 => c.pause = true,
            5 => c.meter_id = Some(p.u32()?).filter(|m| *m != 0),
            _ => return Err(OfpErr::OFPBPC_BAD_TYPE.into()),
        }
        if !p.is_empty() {
            return Err(OfpErr::OFPBPC_BAD_LEN.into());
        }
    }
    Ok(Action::Controller(Box::new(c)))
}

fn property(o: &mut Vec<u8>, kind: u16, body: &[u8]) {
    let start = o.len();
    // Numbers of 16 bits count their padding.
    let pad = if kind < 2 { 2 } else { 0 };
    o.u16(kind);
    o.u16((body.len() + 4 + pad) as u16);
    o.bytes(body);
    o.align(start, 8);
}

impl Controller {
    pub(super) fn encode(&self, e: &mut Enc<'_>) {
        if self.userdata.is_empty() && !self.pause && self.meter_id.is_none() {
            e.nicira(20, |o| {
                o.u16(self.max_len);
                o.u16(self.controller_id);
                o.u8(self.reason.number());
            });
            return;
        }
        e.nicira(37, |o| {
            o.zeros(6);
            if self.max_len != u16::MAX {
                property(o, 0, &self.max_len.to_be_bytes());
            }
            if self.controller_id != 0 {
                property(o, 1, &self.controller_id.to_be_bytes());
            }
            if self.reason != PacketInReason::Action {
                property(o, 2, &[self.reason.number()]);
            }
            if !self.userdata.is_empty() {
                property(o, 3, &self.userdata);
            }
            if self.pause {
                property(o, 4, &[]);
            }
            if let Some(m) = self.meter_id {
                property(o, 5, &m.to_be_bytes());
            }
        });
    }
}

impl PacketInReason {
    /// Its name in the text of actions and messages.
    pub fn name(self) -> &'static str {
        match self {
            PacketInReason::NoMatch => "no_match",
            PacketInReason::Action => "action",
            PacketInReason::InvalidTtl => "invalid_ttl",
            PacketInReason::ActionSet => "action_set",
            PacketInReason::Group => "group",
            PacketInReason::PacketOut => "packet_out",
            PacketInReason::ExplicitMiss | PacketInReason::ImplicitMiss | PacketInReason::Unknown(_) => "",
        }
    }

    /// From its name or number.
    pub fn from_text(s: &str) -> Option<PacketInReason> {
        if let Some(n) = lex::c_int(s) {
            return usize::try_from(n).ok().and_then(|n| REASONS[..6].get(n)).copied();
        }
        REASONS[..6].iter().copied().find(|r| r.name().eq_ignore_ascii_case(s))
    }
}

impl Controller {
    pub(super) fn format(&self, f: &mut Fmt<'_>) {
        let plain = self.reason == PacketInReason::Action
            && self.controller_id == 0
            && self.userdata.is_empty()
            && !self.pause
            && self.meter_id.is_none();
        if plain {
            f.special("CONTROLLER:");
            let _ = write!(f, "{}", self.max_len);
            return;
        }
        f.paren("controller(");
        let first = std::cell::Cell::new(true);
        let separate = |f: &mut Fmt<'_>| {
            if !first.take() {
                f.put(",");
            }
        };
        let item = |f: &mut Fmt<'_>, name: &str| {
            separate(f);
            f.param(name);
        };
        if self.reason != PacketInReason::Action {
            item(f, "reason=");
            f.put(self.reason.name());
        }
        if self.max_len != u16::MAX {
            item(f, "max_len=");
            let _ = write!(f, "{}", self.max_len);
        }
        if self.controller_id != 0 {
            item(f, "id=");
            let _ = write!(f, "{}", self.controller_id);
        }
        if !self.userdata.is_empty() {
            item(f, "userdata=");
            super::text::format_hex(f, &self.userdata);
        }
        if self.pause {
            separate(f);
            f.value("pause");
        }
        if let Some(m) = self.meter_id {
            item(f, "meter_id=");
            let _ = write!(f, "{m}");
        }
        f.paren(")");
    }
}

pub(super) fn parse(s: &str, _delimiter: Option<char>, _cx: &mut TextCx<'_>) -> Result<Action, String> {
    let mut c = Controller::default();
    if s.is_empty() || s.starts_with(|c: char| c.is_ascii_digit()) {
        if !s.is_empty() {
            c.max_len = lex::u16_named(s, "max_len")?;
        }
        return Ok(Action::Output(Output { port: OfPort::CONTROLLER, max_len: c.max_len }));
    }
    for p in lex::pairs(s) {
        match p.key {
            "reason" => {
                c.reason = PacketInReason::from_text(p.value)
                    .ok_or_else(|| format!("unknown reason \"{}\"", p.value))?;
            }
            "max_len" => c.max_len = lex::u16_named(p.value, "max_len")?,
            "id" => c.controller_id = lex::u16_named(p.value, "id")?,
            "userdata" => {
                c.userdata = lex::hex_bytes(p.value)
                    .ok_or_else(|| "bad hex digit in `controller' action `userdata'".to_string())?
                    .into();
            }
            "pause" => c.pause = true,
            "meter_id" => c.meter_id = Some(lex::u32(p.value)?).filter(|m| *m != 0),
            k => return Err(format!("unknown key \"{k}\" parsing controller action")),
        }
    }
    let plain = c.reason == PacketInReason::Action
        && c.controller_id == 0
        && c.userdata.is_empty()
        && !c.pause
        && c.meter_id.is_none();
    Ok(if plain {
        Action::Output(Output { port: OfPort::CONTROLLER, max_len: c.max_len })
    } else {
        Action::Controller(Box::new(c))
    })
}
