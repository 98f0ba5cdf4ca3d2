//! `output`, `output:field` and `output(port=..,max_len=..)`: send the packet to a port.

use super::Action;
use super::wire::{Dec, Enc};
use super::wire::{ofs_nbits, pull_header32, put_header32, split_ofs_nbits};
use crate::buf::DecodeError;
use crate::buf::{Decode, Put};
use crate::ofperr::OfpErr;
use crate::text::lex;
use crate::text::{Fmt, TextCx};
use base::OfPort;
use flow::Subfield;
use std::fmt::Write;

/// Send the packet to a port known when the flow was written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Output {
    /// The port, reserved ones included.
    pub port: OfPort,
    /// When the port is the controller: how many bytes of the packet to send; 65,535 means all.
    pub max_len: u16,
}

/// Send the packet to the port whose number is in a field.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OutputReg {
    /// Where the port number is.
    pub src: Subfield,
    /// As in [`Output`].
    pub max_len: u16,
}

/// Send at most `max_len` bytes of the packet to a port.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OutputTrunc {
    /// The port.
    pub port: OfPort,
    /// Bytes to keep.
    pub max_len: u32,
}

/// Takes a port of OpenFlow 1.1 or later.
pub(crate) fn port_from_11(port: u32, error: OfpErr) -> Decode<OfPort> {
    let port = OfPort(port);
    if port.to_u16().is_some() {
        Ok(port)
    } else {
        Err(DecodeError::logged(
            error,
            "ofp_port",
            format!(
                "port {} is outside the supported range 0 through 65279 or 0xffffff00 through 0xffffffff",
                port.0
            ),
        ))
    }
}

/// A port in 16 bits; there is no other.
pub(crate) fn port16(port: OfPort) -> u16 {
    port.to_u16().unwrap_or(0xffff)
}

pub(super) fn decode_10(d: &mut Dec<'_>) -> Decode<Action> {
    let port = OfPort::from_u16(d.r.u16()?);
    let max_len = d.r.u16()?;
    check_output_port(port)?;
    Ok(Action::Output(Output { port, max_len }))
}

pub(super) fn decode_11(d: &mut Dec<'_>) -> Decode<Action> {
    let port = port_from_11(d.r.u32()?, OfpErr::OFPBAC_BAD_OUT_PORT)?;
    let max_len = d.r.u16()?;
    check_output_port(port)?;
    Ok(Action::Output(Output { port, max_len }))
}

/// Refuses the reserved ports that nothing can be sent to.
pub(crate) fn check_output_port(port: OfPort) -> Decode<()> {
    match port {
        OfPort::IN_PORT
        | OfPort::TABLE
        | OfPort::NORMAL
        | OfPort::FLOOD
        | OfPort::ALL
        | OfPort::CONTROLLER
        | OfPort::LOCAL => Ok(()),
        p if p.is_reserved() => Err(OfpErr::OFPBAC_BAD_OUT_PORT.into()),
        _ => Ok(()),
    }
}

pub(super) fn decode_reg(d: &mut Dec<'_>) -> Decode<Action> {
    let place = d.r.u16()?;
    let field = pull_header32(&mut d.r)?;
    let max_len = d.r.u16()?;
    d.zeros(6, OfpErr::OFPBAC_BAD_ARGUMENT)?;
    Ok(Action::OutputReg(OutputReg { src: checked_src(split_ofs_nbits(field, place))?, max_len }))
}

pub(super) fn decode_reg2(d: &mut Dec<'_>) -> Decode<Action> {
    let place = d.r.u16()?;
    let max_len = d.r.u16()?;
    let field = crate::oxm::pull_field(&mut d.r)?;
    d.zeros_to_end(OfpErr::OFPBAC_BAD_ARGUMENT)?;
    Ok(Action::OutputReg(OutputReg { src: checked_src(split_ofs_nbits(field, place))?, max_len }))
}

fn checked_src(src: Subfield) -> Decode<Subfield> {
    super::check::subfield(src, "source")?;
    Ok(src)
}

pub(super) fn decode_trunc(d: &mut Dec<'_>) -> Decode<Action> {
    let port = OfPort::from_u16(d.r.u16()?);
    let max_len = d.r.u32()?;
    if max_len < OutputTrunc::MIN {
        return Err(OfpErr::OFPBAC_BAD_ARGUMENT.into());
    }
    Ok(Action::OutputTrunc(OutputTrunc { port, max_len }))
}

impl OutputTrunc {
    /// Least number of bytes to keep: an Ethernet header.
    pub const MIN: u32 = 14;

    pub(super) fn encode(&self, e: &mut Enc<'_>) {
        e.nicira(39, |o| {
            o.u16(port16(self.port));
            o.u32(self.max_len);
        });
    }
}

impl Output {
    /// To a port; to the controller, whole packets.
    pub fn to(port: OfPort) -> Output {
        Output { port, max_len: if port == OfPort::CONTROLLER { u16::MAX } else { 0 } }
    }

    pub(super) fn encode(&self, e: &mut Enc<'_>) {
        let ten = e.is_10();
        // For other ports it means nothing, but controllers compare what they get back with what they sent.
        e.standard(0, |o| {
            if ten {
                o.u16(port16(self.port));
            } else {
                o.u32(self.port.0);
            }
            o.u16(self.max_len);
        });
    }
}

impl OutputReg {
    pub(super) fn encode(&self, e: &mut Enc<'_>) {
        if crate::oxm::header_for(self.src.field, crate::Version::V10).experimenter == 0 {
            e.nicira(15, |o| {
                o.u16(ofs_nbits(self.src));
                put_header32(o, self.src.field);
                o.u16(self.max_len);
                o.zeros(6);
            });
        } else {
            e.nicira(32, |o| {
                o.u16(ofs_nbits(self.src));
                o.u16(self.max_len);
                crate::oxm::put_header(o, self.src.field, crate::Version::V10, false);
            });
        }
    }
}

impl Output {
    pub(super) fn format(&self, f: &mut Fmt<'_>) {
        if self.port == OfPort::CONTROLLER {
            f.special("CONTROLLER:");
            let _ = write!(f, "{}", self.max_len);
            return;
        }
        if !self.port.is_reserved() {
            f.special("output:");
        }
        f.port(self.port);
    }
}

impl OutputReg {
    pub(super) fn format(&self, f: &mut Fmt<'_>) {
        f.special("output:");
        f.subfield(self.src);
    }
}

impl OutputTrunc {
    pub(super) fn format(&self, f: &mut Fmt<'_>) {
        f.special("output");
        f.put("(port=");
        f.port(self.port);
        let _ = write!(f, ",max_len={})", self.max_len);
    }
}

pub(super) fn parse(s: &str, cx: &mut TextCx<'_>) -> Result<Action, String> {
    if s.contains("port") && s.contains("max_len") {
        return parse_trunc(s, cx);
    }
    let known = cx.log.len();
    if let Some(port) = cx.port(s) {
        return Ok(Action::Output(Output::to(port)));
    }
    match cx.subfield(s) {
        Ok(src) => {
            cx.log.truncate(known);
            Ok(Action::OutputReg(OutputReg { src, max_len: u16::MAX }))
        }
        Err(_) => Err(format!("{s}: output to unknown port")),
    }
}

fn parse_trunc(s: &str, cx: &mut TextCx<'_>) -> Result<Action, String> {
    let mut t = OutputTrunc { port: OfPort(0), max_len: 0 };
    for p in lex::pairs(s) {
        match p.key {
            "port" => {
                t.port = cx
                    .port(p.value)
                    .ok_or_else(|| format!("output to unknown truncate port: {}", p.value))?;
                let reserved = t.port.is_reserved() && t.port != OfPort::LOCAL && t.port != OfPort::IN_PORT;
                if reserved {
                    return Err(format!("output to unsupported truncate port: {}", p.value));
                }
            }
            "max_len" => {
                t.max_len = lex::u32(p.value)?;
                if t.max_len < OutputTrunc::MIN {
                    return Err(format!(
                        "max_len {} is less than the minimum value {}",
                        t.max_len,
                        OutputTrunc::MIN
                    ));
                }
            }
            k => return Err(format!("invalid key '{k}' in output_trunc argument")),
        }
    }
    Ok(Action::OutputTrunc(t))
}

#[cfg(test)]
mod tests {
    use crate::Version;
    use crate::action::wire::{decode, encode};

    #[test]
    fn the_length_comes_back_for_every_port() {
        for (version, bytes) in [
            (Version::V10, vec![0, 0, 0, 8, 0, 2, 0xff, 0xe5]),
            (Version::V13, vec![0, 0, 0, 16, 0, 0, 0, 2, 0xff, 0xe5, 0, 0, 0, 0, 0, 0]),
            (Version::V13, vec![0, 0, 0, 16, 0xff, 0xff, 0xff, 0xfd, 0, 128, 0, 0, 0, 0, 0, 0]),
        ] {
            let actions = decode(&bytes, version, crate::action::text::Outer::List).unwrap();
            let mut again = Vec::new();
            encode(&actions, version, &mut again);
            assert_eq!(again, bytes);
        }
    }
}
