//! Bundles: requests kept back to be carried out together, all or none.

use base::{Time, Xid};
use openflow::msg::{BundleControl, BundleControlKind};
use openflow::{Message, OfpErr};
use std::collections::BTreeMap;
use std::time::Duration;

/// Most messages in the bundles of one connection.
const MAX_MESSAGES: usize = 1 << 20;
/// Most bundles of one connection.
const MAX_BUNDLES: usize = 1 << 10;
/// How long a bundle may lie untouched.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(10);

#[derive(Debug)]
struct Bundle {
    flags: u16,
    closed: bool,
    used: Time,
    /// Xid of the message that opened it, for the error when it times out.
    xid: Xid,
    messages: Vec<(Xid, Message)>,
}

/// The bundles of one connection.
#[derive(Debug, Default)]
pub struct Bundles {
    open: BTreeMap<u32, Bundle>,
    n_messages: usize,
}

/// What a control message asks for, once it is found in order.
#[derive(Debug)]
pub enum Step {
    /// Answer with this kind.
    Reply(BundleControlKind),
    /// Carry these out, then answer with [`BundleControlKind::CommitReply`].
    Commit(Vec<(Xid, Message)>),
}

impl Bundles {
    /// A control message.
    pub fn control(&mut self, bc: &BundleControl, xid: Xid, now: Time) -> Result<Step, OfpErr> {
        use BundleControlKind as K;
        match bc.kind {
            K::OpenRequest => {
                if self.take(bc.bundle_id).is_some() {
                    return Err(OfpErr::OFPBFC_BAD_ID);
                }
                self.create(bc.bundle_id, bc.flags, xid, now)?;
                Ok(Step::Reply(K::OpenReply))
            }
            K::CloseRequest => {
                let b = self.open.get_mut(&bc.bundle_id).ok_or(OfpErr::OFPBFC_BAD_ID)?;
                let problem = if b.closed {
                    Some(OfpErr::OFPBFC_BUNDLE_CLOSED)
                } else if b.flags != bc.flags {
                    Some(OfpErr::OFPBFC_BAD_FLAGS)
                } else {
                    None
                };
                if let Some(error) = problem {
                    self.take(bc.bundle_id);
                    return Err(error);
                }
                b.closed = true;
                b.used = now;
                Ok(Step::Reply(K::CloseReply))
            }
            K::CommitRequest => {
                let b = self.take(bc.bundle_id).ok_or(OfpErr::OFPBFC_BAD_ID)?;
                if b.flags != bc.flags {
                    return Err(OfpErr::OFPBFC_BAD_FLAGS);
                }
                Ok(Step::Commit(b.messages))
            }
            K::DiscardRequest => {
                self.take(bc.bundle_id).ok_or(OfpErr::OFPBFC_BAD_ID)?;
                Ok(Step::Reply(K::DiscardReply))
            }
            K::OpenReply | K::CloseReply | K::CommitReply | K::DiscardReply => Err(OfpErr::OFPBFC_BAD_TYPE),
        }
    }

    /// A message for a bundle, which is opened if there is none.
    pub fn add(&mut self, id: u32, flags: u16, inner: (Xid, Message), now: Time) -> Result<(), OfpErr> {
        let supported = matches!(
            inner.1,
            Message::FlowMod(_) | Message::GroupMod(_) | Message::PortMod(_) | Message::PacketOut(_)
        );
        if !supported {
            return Err(OfpErr::OFPBFC_MSG_UNSUP);
        }
        if self.n_messages >= MAX_MESSAGES {
            self.take(id);
            return Err(OfpErr::OFPBFC_MSG_TOO_MANY);
        }
        if !self.open.contains_key(&id) {
            self.create(id, flags, inner.0, now)?;
        }
        let b = self.open.get_mut(&id).ok_or(OfpErr::OFPBFC_BAD_ID)?;
        let problem = if b.closed {
            Some(OfpErr::OFPBFC_BUNDLE_CLOSED)
        } else if b.flags != flags {
            Some(OfpErr::OFPBFC_BAD_FLAGS)
        } else {
            None
        };
        if let Some(error) = problem {
            self.take(id);
            return Err(error);
        }
        b.used = now;
        b.messages.push(inner);
        self.n_messages += 1;
        Ok(())
    }

    /// Drops the bundles that have lain too long; gives what opened each.
    pub fn expire(&mut self, now: Time) -> Vec<(Xid, BundleControl)> {
        let old: Vec<u32> =
            self.open.iter().filter(|(_, b)| now.since(b.used) >= IDLE_TIMEOUT).map(|(id, _)| *id).collect();
        let mut gone = Vec::new();
        for bundle_id in old {
            if let Some(b) = self.take(bundle_id) {
                let kind = BundleControlKind::OpenRequest;
                gone.push((b.xid, BundleControl { bundle_id, kind, flags: b.flags }));
            }
        }
        gone
    }

    /// When the first of them will have.
    pub fn next_deadline(&self) -> Time {
        self.open.values().map(|b| b.used + IDLE_TIMEOUT).min().unwrap_or(Time::NEVER)
    }

    fn create(&mut self, id: u32, flags: u16, xid: Xid, now: Time) -> Result<(), OfpErr> {
        if self.open.len() >= MAX_BUNDLES {
            return Err(OfpErr::OFPBFC_OUT_OF_BUNDLES);
        }
        self.open.insert(id, Bundle { flags, closed: false, used: now, xid, messages: Vec::new() });
        Ok(())
    }

    fn take(&mut self, id: u32) -> Option<Bundle> {
        let b = self.open.remove(&id)?;
        self.n_messages -= b.messages.len();
        Some(b)
    }
}
