//! `enqueue`: output to a queue of a port (OpenFlow 1.0).

use super::Action;
use super::SetQueue;
use super::output::port16;
use super::wire::{Dec, Enc};
use crate::buf::{Decode, Put};
use crate::ofperr::OfpErr;
use crate::text::lex;
use crate::text::{Fmt, TextCx};
use base::OfPort;
use std::fmt::Write;

/// Output to `queue` of `port`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Enqueue {
    /// The port.
    pub port: OfPort,
    /// The queue.
    pub queue: u32,
}

pub(super) fn decode(d: &mut Dec<'_>) -> Decode<Action> {
    let port = OfPort::from_u16(d.r.u16()?);
    d.r.skip(6)?;
    let queue = d.r.u32()?;
    if port.is_reserved() && port != OfPort::IN_PORT && port != OfPort::LOCAL {
        return Err(OfpErr::OFPBAC_BAD_OUT_PORT.into());
    }
    Ok(Action::Enqueue(Enqueue { port, queue }))
}

impl Enqueue {
    pub(super) fn encode(&self, e: &mut Enc<'_>) {
        if e.is_10() {
            e.standard(11, |o| {
                o.u16(port16(self.port));
                o.zeros(6);
                o.u32(self.queue);
            });
        } else {
            SetQueue { queue: self.queue }.encode(e);
            e.standard(0, |o| {
                o.u32(self.port.0);
                o.u16(u16::MAX);
                o.zeros(6);
            });
            Action::PopQueue.encode(e);
        }
    }
}

impl Enqueue {
    pub(super) fn format(&self, f: &mut Fmt<'_>) {
        f.param("enqueue:");
        f.port(self.port);
        let _ = write!(f, ":{}", self.queue);
    }
}

pub(super) fn parse(s: &str, cx: &mut TextCx<'_>) -> Result<Action, String> {
    let mut rest = s;
    let separators = [':', ',', ' '];
    let (Some(port), Some(queue)) = (lex::token(&mut rest, &separators), lex::token(&mut rest, &separators))
    else {
        return Err("\"enqueue\" syntax is \"enqueue:PORT:QUEUE\" or \"enqueue(PORT,QUEUE)\"".to_string());
    };
    let number = cx.port(port).ok_or_else(|| format!("{port}: enqueue to unknown port"))?;
    Ok(Action::Enqueue(Enqueue { port: number, queue: lex::u32(queue)? }))
}
