//! What decoding a message notes for the log without failing of it.

use super::Severity;
use crate::Action;
use crate::action::wire;
use crate::buf::{Note, Reader};
use crate::kind::{Framed, Kind};
use crate::msg::{Message, StatsReply};
use crate::port_map::Names;
use crate::version::Version;

/// Notes what is known of a message before it is decoded.
pub(super) fn before_decoding(framed: &Framed<'_>, names: &dyn Names, log: &mut Vec<Note>) {
    match framed.kind {
        Kind::OfptFlowMod if framed.version == Version::V10 => {
            let mut m = flow::Match::any();
            if !crate::fixed_match::is_of_ports(framed.body)
                && crate::fixed_match::pull_of10(&mut Reader::new(framed.body), &mut m).is_ok()
            {
                super::flow::remark_on(&m, names, log);
            }
        }
        Kind::OfptQueueGetConfigReply => queue_properties(framed, log),
        Kind::OfptTableMod if framed.version <= Version::V12 => table_miss(framed.body, 4, log),
        Kind::OfpstTableReply if framed.version == Version::V11 => {
            framed.body.chunks_exact(88).for_each(|t| table_miss(t, 60, log));
        }
        Kind::OfpstTableReply if framed.version == Version::V12 => {
            framed.body.chunks_exact(128).for_each(|t| table_miss(t, 100, log));
        }
        _ => {}
    }
}

/// Notes a configuration of table misses that means nothing.
fn table_miss(table: &[u8], at: usize, log: &mut Vec<Note>) {
    if let Some(config) = table.get(at..).and_then(|b| b.first_chunk::<4>()).map(|b| u32::from_be_bytes(*b))
        && config & 3 == 3
    {
        log.push(("ofp_table", Severity::Warn, format!("bad table miss config {config}")));
    }
}

/// Notes queue properties that nobody knows.
fn queue_properties(framed: &Framed<'_>, log: &mut Vec<Note>) {
    let mut r = Reader::new(framed.body);
    let Ok(mut head) = r.sub(8) else { return };
    if crate::msg::port::decode_port(&mut head, framed.version).is_err() {
        return;
    }
    let fixed = if framed.version >= Version::V12 { 16 } else { 8 };
    let word = |b: &[u8], at: usize| b.get(at..at + 2).map(|b| usize::from(u16::from_be_bytes([b[0], b[1]])));
    while let Some(len) = word(r.rest(), fixed - if fixed == 16 { 8 } else { 4 }) {
        let Ok(queue) = r.take(len.max(fixed)) else { return };
        let mut rest = &queue[fixed..];
        while let (Some(kind), Some(len)) = (word(rest, 0), word(rest, 2)) {
            if len < 8 || len > rest.len() {
                return;
            }
            if !matches!(kind, 1 | 2) {
                log.push(("ofp_queue", Severity::Info, format!("unknown queue property {kind}")));
            }
            rest = &rest[len..];
        }
    }
}

/// Notes actions that the version has only for the sake of older ones.
pub(super) fn deprecated_in(m: &Message, version: Version, log: &mut Vec<Note>) {
    match m {
        Message::FlowMod(f) => actions(&f.actions, version, log),
        Message::PacketOut(p) => actions(&p.actions, version, log),
        Message::GroupMod(g) => g.buckets.iter().for_each(|b| actions(&b.actions, version, log)),
        Message::RequestForward(_, m) => deprecated_in(m, version, log),
        Message::StatsReply { body: StatsReply::Flow(all), .. } => {
            all.iter().for_each(|s| actions(&s.actions, version, log));
        }
        Message::StatsReply { body: StatsReply::FlowMonitor(all), .. } => {
            all.iter().for_each(|u| actions(&u.actions, version, log));
        }
        Message::StatsReply { body: StatsReply::GroupDesc(all), .. } => {
            all.iter().flat_map(|g| &g.buckets).for_each(|b| actions(&b.actions, version, log));
        }
        _ => {}
    }
}

fn actions(list: &[Action], version: Version, log: &mut Vec<Note>) {
    for a in list {
        match a {
            Action::Clone(c) => actions(&c.actions, version, log),
            Action::Ct(c) => actions(&c.actions, version, log),
            Action::WriteActions(w) => actions(&w.actions, version, log),
            a => log.extend(wire::deprecated(a.standard_11(), version)),
        }
    }
}
