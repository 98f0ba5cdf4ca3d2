//! Bundles: several changes as one transaction.

use super::Message;
use crate::buf::{Decode, DecodeError, Put, Reader};
use crate::codec::Codec;
use crate::codec::{Enc, Encode};
use crate::kind::Framed;
use crate::kind::Kind;
use crate::ofperr::OfpErr;
use base::Xid;

/// What a bundle control message says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u16)]
pub enum BundleControlKind {
    /// Open.
    OpenRequest = 0,
    /// Opened.
    OpenReply = 1,
    /// Close.
    CloseRequest = 2,
    /// Closed.
    CloseReply = 3,
    /// Commit.
    CommitRequest = 4,
    /// Committed.
    CommitReply = 5,
    /// Discard.
    DiscardRequest = 6,
    /// Discarded.
    DiscardReply = 7,
}

const MODULE: &str = "ofp_bundle";

/// Bundle control.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BundleControl {
    /// The bundle.
    pub bundle_id: u32,
    /// What to do.
    pub kind: BundleControlKind,
    /// Bits `FLAG_*`.
    pub flags: u16,
}

impl BundleControl {
    /// All or nothing.
    pub const ATOMIC: u16 = 1 << 0;
    /// In order.
    pub const ORDERED: u16 = 1 << 1;
}

/// A message added to a bundle.
#[derive(Clone, PartialEq, Debug)]
pub struct BundleAdd {
    /// The bundle.
    pub bundle_id: u32,
    /// As in [`BundleControl`].
    pub flags: u16,
    /// Transaction id of the inner message.
    pub xid: Xid,
    /// The message.
    pub message: Message,
}

impl BundleControlKind {
    fn from_wire(n: u16) -> Option<BundleControlKind> {
        use BundleControlKind::*;
        [
            OpenRequest,
            OpenReply,
            CloseRequest,
            CloseReply,
            CommitRequest,
            CommitReply,
            DiscardRequest,
            DiscardReply,
        ]
        .into_iter()
        .find(|k| *k as u16 == n)
    }
}

pub(crate) fn put_control(e: &mut Enc<'_>, c: &BundleControl) -> Encode {
    e.first(&[Kind::OfptBundleControl, Kind::OnftBundleControl], |o| {
        o.u32(c.bundle_id);
        o.u16(c.kind as u16);
        o.u16(c.flags);
    })
}

pub(crate) fn decode_control(r: &mut Reader<'_>) -> Decode<Message> {
    let bundle_id = r.u32()?;
    let kind = BundleControlKind::from_wire(r.u16()?).ok_or(OfpErr::OFPBFC_BAD_TYPE)?;
    Ok(Message::BundleControl(BundleControl { bundle_id, kind, flags: r.u16()? }))
}

pub(crate) fn put_add(e: &mut Enc<'_>, b: &BundleAdd) -> Encode {
    let inner = e.codec.encode(b.xid, &b.message)?;
    e.first(&[Kind::OfptBundleAddMessage, Kind::OnftBundleAddMessage], |o| {
        o.u32(b.bundle_id);
        o.zeros(2);
        o.u16(b.flags);
        o.bytes(&inner);
    })
}

/// An addition to a bundle whose inner message was looked at from outside.
pub(crate) struct AddFrame<'a> {
    pub(crate) bundle_id: u32,
    pub(crate) flags: u16,
    pub(crate) inner: Framed<'a>,
}

/// Checks what there is to check without decoding the inner message.
pub(crate) fn check_add<'a>(f: &Framed<'a>) -> Decode<AddFrame<'a>> {
    let mut r = Reader::new(f.body);
    let bundle_id = r.u32()?;
    r.skip(2)?;
    let flags = r.u16()?;
    let inner = r.take_all();
    let header = inner.first_chunk::<8>().ok_or(OfpErr::OFPBFC_MSG_BAD_LEN)?;
    if header[0] != f.version.wire() {
        return Err(OfpErr::OFPBFC_BAD_VERSION.into());
    }
    let len = usize::from(u16::from_be_bytes([header[2], header[3]]));
    if len < 8 || len > inner.len() {
        return Err(OfpErr::OFPBFC_MSG_BAD_LEN.into());
    }
    if header[4..8] != f.xid.0.to_be_bytes() {
        return Err(OfpErr::OFPBFC_MSG_BAD_XID.into());
    }
    let inner = crate::kind::identify(&inner[..len]).map_err(|mut e| {
        let text = format!("OFPT14_BUNDLE_ADD_MESSAGE contained message is unparsable ({})", e.error);
        e.error = OfpErr::OFPBFC_MSG_UNSUP;
        e.and(MODULE, text)
    })?;
    let allowed = matches!(
        inner.kind,
        Kind::OfptFlowMod
            | Kind::NxtFlowMod
            | Kind::OfptGroupMod
            | Kind::NxtGroupMod
            | Kind::OfptPortMod
            | Kind::OfptPacketOut
    );
    if !allowed {
        let text = format!("{} message not allowed inside OFPT14_BUNDLE_ADD_MESSAGE", inner.kind.name());
        return Err(DecodeError::logged(OfpErr::OFPBFC_MSG_UNSUP, MODULE, text));
    }
    Ok(AddFrame { bundle_id, flags, inner })
}

pub(crate) fn decode_add(f: &Framed<'_>, codec: &Codec) -> Decode<Message> {
    let AddFrame { bundle_id, flags, inner } = check_add(f)?;
    let message = crate::codec::decode_framed(&inner, codec)?;
    Ok(Message::BundleAdd(Box::new(BundleAdd { bundle_id, flags, xid: inner.xid, message })))
}

pub(crate) fn put_forward(e: &mut Enc<'_>, xid: Xid, m: &Message) -> Encode {
    let inner = e.codec.encode(xid, m)?;
    e.first(&[Kind::OfptRequestforward, Kind::OnftRequestforward], |o| o.bytes(&inner))
}

pub(crate) fn decode_forward(f: &Framed<'_>, codec: &Codec) -> Decode<Message> {
    let header = f.body.first_chunk::<4>().ok_or(OfpErr::OFPBFC_MSG_BAD_LEN)?;
    let len = usize::from(u16::from_be_bytes([header[2], header[3]]));
    if len < 8 || len > f.body.len() {
        return Err(OfpErr::OFPBFC_MSG_BAD_LEN.into());
    }
    let inner = &f.body[..len];
    if header[0] != f.version.wire() {
        return Err(OfpErr::OFPBRC_BAD_VERSION.into());
    }
    let kind = crate::kind::kind_of(inner)?;
    if !matches!(kind, Kind::OfptGroupMod | Kind::OfptMeterMod | Kind::NxtGroupMod) {
        return Err(OfpErr::OFPBFC_MSG_UNSUP.into());
    }
    let (xid, m) = codec.decode(inner)?;
    Ok(Message::RequestForward(xid, Box::new(m)))
}
