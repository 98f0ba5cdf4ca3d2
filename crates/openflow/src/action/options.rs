//! Which tunnel options actions are about.

use super::{Action, CtZone, LearnDst, LearnSrc, SampleId};
use flow::Field;

/// The tunnel options that actions read or write, one bit each.
pub fn tun_options(actions: &[Action]) -> u64 {
    let mut bits = 0;
    fields(actions, &mut |f| bits |= f.as_tun_metadata().map_or(0, |n| 1u64 << n));
    bits
}

fn fields(actions: &[Action], f: &mut impl FnMut(Field)) {
    for a in actions {
        match a {
            Action::SetField(s) => f(s.field),
            Action::DeleteField(d) => f(d.field),
            Action::Move(m) => {
                f(m.src.field);
                f(m.dst.field);
            }
            Action::Push(s) | Action::Pop(s) => f(s.subfield.field),
            Action::OutputReg(o) => f(o.src.field),
            Action::Multipath(m) => f(m.dst.field),
            Action::CheckPktLarger(c) => f(c.dst.field),
            Action::Bundle(b) => b.dst.iter().for_each(|s| f(s.field)),
            Action::Sample(s) => {
                for id in [s.obs_domain_id, s.obs_point_id] {
                    if let SampleId::Field(s) = id {
                        f(s.field);
                    }
                }
            }
            Action::Learn(l) => {
                for spec in &l.specs {
                    if let LearnSrc::Field(s) = &spec.src {
                        f(s.field);
                    }
                    if let LearnDst::Match(s) | LearnDst::Load(s) = &spec.dst {
                        f(s.field);
                    }
                }
                l.result_dst.iter().for_each(|s| f(s.field));
            }
            Action::Ct(c) => {
                if let CtZone::Field(s) = c.zone {
                    f(s.field);
                }
                fields(&c.actions, f);
            }
            Action::WriteActions(w) => fields(&w.actions, f),
            Action::Clone(c) => fields(&c.actions, f),
            _ => {}
        }
    }
}
