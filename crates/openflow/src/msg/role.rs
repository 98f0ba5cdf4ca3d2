//! Roles of controllers.

use super::Message;
use crate::buf::{Decode, Put, Reader};
use crate::codec::{Enc, Encode};
use crate::kind::Kind;
use crate::ofperr::OfpErr;
use crate::version::Version;

/// A controller's role.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub enum Role {
    /// Ask only.
    NoChange = 0,
    /// As good as any other.
    Equal = 1,
    /// In charge.
    Primary = 2,
    /// Read only.
    Secondary = 3,
}

/// Role request or reply.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RoleRequest {
    /// The role.
    pub role: Role,
    /// Generation of the election, if said. A reply of OpenFlow 1.2 and later gives all ones when there has been
    /// none; a reply without one has Nicira's form, which answers a request of that form.
    pub generation_id: Option<u64>,
}

/// Why a role changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RoleReason {
    /// Another controller became primary.
    PrimaryRequest,
    /// The switch's configuration.
    Config,
    /// Experimenter data.
    Experimenter,
    /// A number that no version knows.
    Unknown(u8),
}

impl RoleReason {
    /// Its number.
    pub const fn number(self) -> u8 {
        match self {
            RoleReason::PrimaryRequest => 0,
            RoleReason::Config => 1,
            RoleReason::Experimenter => 2,
            RoleReason::Unknown(n) => n,
        }
    }
}

/// The controller's role has changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RoleStatus {
    /// The new role.
    pub role: Role,
    /// Why.
    pub reason: RoleReason,
    /// Generation of the election.
    pub generation_id: u64,
}

pub(crate) fn put(e: &mut Enc<'_>, q: &RoleRequest, reply: bool) -> Encode {
    let nicira = reply && q.generation_id.is_none();
    if e.version >= Version::V12 && !nicira {
        let kind = if reply { Kind::OfptRoleReply } else { Kind::OfptRoleRequest };
        return e.put(kind, |o| {
            o.u32(q.role as u32);
            o.zeros(4);
            o.u64(q.generation_id.unwrap_or(u64::MAX));
        });
    }
    let kind = if reply { Kind::NxtRoleReply } else { Kind::NxtRoleRequest };
    // Nicira's numbers start at "other", which is equal; it has no "no change".
    e.put(kind, |o| o.u32((q.role as u32).saturating_sub(1)))
}

fn role(n: u32) -> Option<Role> {
    Some(match n {
        0 => Role::NoChange,
        1 => Role::Equal,
        2 => Role::Primary,
        3 => Role::Secondary,
        _ => return None,
    })
}

pub(crate) fn decode(r: &mut Reader<'_>, request: bool) -> Decode<RoleRequest> {
    let role = role(r.u32()?).ok_or(OfpErr::OFPRRFC_BAD_ROLE)?;
    r.skip(4)?;
    let generation = r.u64()?;
    // All ones say "none".
    let given = role != Role::NoChange || !request;
    Ok(RoleRequest { role, generation_id: Some(if given { generation } else { u64::MAX }) })
}

pub(crate) fn decode_nxt(r: &mut Reader<'_>) -> Decode<RoleRequest> {
    let role = match r.u32()? {
        n @ 0..=2 => role(n + 1),
        _ => None,
    };
    Ok(RoleRequest { role: role.ok_or(OfpErr::OFPRRFC_BAD_ROLE)?, generation_id: None })
}

pub(crate) fn put_status(e: &mut Enc<'_>, s: &RoleStatus) -> Encode {
    e.first(&[Kind::OfptRoleStatus, Kind::OnftRoleStatus], |o| {
        o.u32(s.role as u32);
        o.u8(s.reason.number());
        o.zeros(3);
        o.u64(s.generation_id);
    })
}

pub(crate) fn decode_status(r: &mut Reader<'_>) -> Decode<Message> {
    let role = role(r.u32()?).ok_or(OfpErr::OFPRRFC_BAD_ROLE)?;
    let reason = match r.u8()? {
        0 => RoleReason::PrimaryRequest,
        1 => RoleReason::Config,
        2 => RoleReason::Experimenter,
        n => RoleReason::Unknown(n),
    };
    r.skip(3)?;
    Ok(Message::RoleStatus(RoleStatus { role, reason, generation_id: r.u64()? }))
}
