//! `bundle` and `bundle_load`: choose one of several live ports by a hash.

use crate::ctx::Ctx;
use crate::hash;
use base::OfPort;
use openflow::action::{Bundle, BundleAlgorithm};

pub(crate) fn run(ctx: &mut Ctx<'_, '_>, b: &Bundle, last: bool) {
    let port = choose(ctx, b);
    match b.dst {
        Some(dst) => {
            ctx.write_sub(dst, port.to_u16().unwrap_or(0xffff).into());
            ctx.tell_now(dst);
        }
        None => super::output::run(ctx, port, 0, last),
    }
}

fn choose(ctx: &mut Ctx<'_, '_>, b: &Bundle) -> OfPort {
    let bridge = ctx.bridge;
    let live = |p: OfPort| bridge.port(p).is_some_and(|v| v.live) || p == OfPort::LOCAL;
    match b.algorithm {
        BundleAlgorithm::ActiveBackup => b.members.iter().copied().find(|p| live(*p)).unwrap_or(OfPort::NONE),
        BundleAlgorithm::Hrw => {
            let h = hash::fields(ctx, b.fields, b.basis.into());
            let links = (0u32..).zip(&b.members).filter(|(_, p)| live(**p)).map(|(i, _)| i);
            if b.members.iter().any(|p| live(*p)) {
                b.members[super::multipath::best(h, links) as usize]
            } else {
                OfPort::NONE
            }
        }
    }
}
