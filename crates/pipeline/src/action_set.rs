//! The action set (OpenFlow 1.1, 5.7): what `write_actions` collects, and the order in which it runs.

use openflow::Action;
use smallvec::SmallVec;

/// Place of an action in the order; `None` for one that a set does not run.
fn rank(a: &Action) -> Option<u8> {
    Some(match a {
        Action::StripVlan(_) => 1,
        Action::PopMpls(_) => 2,
        Action::Decap(_) => 3,
        Action::Encap(_) => 4,
        Action::PushMpls(_) => 5,
        Action::PushVlan(_) => 6,
        Action::DecTtl(_) => 7,
        Action::DecMplsTtl => 8,
        Action::DecNshTtl => 9,
        Action::SetField(_)
        | Action::Move(_)
        | Action::SetEthSrc(_)
        | Action::SetEthDst(_)
        | Action::SetIpv4Src(_)
        | Action::SetIpv4Dst(_)
        | Action::SetIpDscp(_)
        | Action::SetIpEcn(_)
        | Action::SetIpTtl(_)
        | Action::SetL4SrcPort(_)
        | Action::SetL4DstPort(_)
        | Action::SetVlanVid(_)
        | Action::SetVlanPcp(_)
        | Action::SetTunnel(_) => CUMULATIVE,
        Action::SetQueue(_) => 11,
        Action::Group(_) => FINAL,
        Action::Output(_) => FINAL + 1,
        Action::Resubmit(_) => FINAL + 2,
        Action::CtClear => FINAL + 3,
        Action::Ct(_) => FINAL + 4,
        _ => return None,
    })
}

/// All of these run, in the order in which they were added.
const CUMULATIVE: u8 = 10;
/// Of this rank and those above, only the first runs.
const FINAL: u8 = 12;

/// The actions of a set in the order of execution: of each kind the last that was added (of the setters, all), and of
/// those that send the packet on, only the one of the first kind.
pub(crate) fn ordered<'a>(added: &[&'a Action]) -> SmallVec<[&'a Action; 4]> {
    let mut ranked: SmallVec<[(u8, usize); 8]> = SmallVec::new();
    for (i, a) in added.iter().enumerate() {
        let Some(r) = rank(a) else { continue };
        if r != CUMULATIVE {
            ranked.retain(|(other, _)| *other != r);
        }
        ranked.push((r, i));
    }
    ranked.sort_unstable();
    let mut out: SmallVec<[&'a Action; 4]> = SmallVec::new();
    for (r, i) in ranked {
        out.push(added[i]);
        if r >= FINAL {
            return out;
        }
    }
    // Without anything that sends the packet, nothing can be seen of the changes.
    SmallVec::new()
}

/// The set as the record shows it: ordered, even if it sends the packet nowhere yet.
pub(crate) fn shown<'a>(added: &[&'a Action]) -> SmallVec<[&'a Action; 4]> {
    let with_output = ordered(added);
    if !with_output.is_empty() {
        return with_output;
    }
    let mut ranked: SmallVec<[(u8, usize); 8]> = SmallVec::new();
    for (i, a) in added.iter().enumerate() {
        let Some(r) = rank(a) else { continue };
        if r != CUMULATIVE {
            ranked.retain(|(other, _)| *other != r);
        }
        ranked.push((r, i));
    }
    ranked.sort_unstable();
    ranked.into_iter().map(|(_, i)| added[i]).collect()
}
