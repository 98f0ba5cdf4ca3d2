//! `sample`: report a share of the packets to a collector set. Without such a set (and none is part of a snapshot) it
//! does nothing.

use crate::ctx::Ctx;
use openflow::action::Sample;

pub(crate) fn run(_: &mut Ctx<'_, '_>, _: &Sample) {}
