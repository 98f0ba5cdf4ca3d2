//! `dpctl/normalize-actions`: what actions send where, sorted, so that two lists that do the same look the same.
//!
//! Tags are pushed and popped on paper: what is left is listed under the tags that a packet has at that point.

use crate::action::DpAction;
use crate::parse::parse_actions;
use crate::text::format_actions;
use base::DpPort;
use flow::FlowKey;
use flow::key::VLAN_PRESENT;
use flow::odp::{DpPortMap, OdpStyle, odp_text, parse_odp};
use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;

/// Ports as the command line names them.
struct Named(HashMap<String, DpPort>);

impl DpPortMap for Named {
    fn dp_port_name(&self, _: DpPort) -> Option<String> {
        None
    }
    fn dp_port_number(&self, name: &str) -> Option<DpPort> {
        self.0.get(name).copied()
    }
}

/// Tags, the outermost first: TCI and TPID of each.
type Tags = Vec<(u16, u16)>;

/// What was found wrong, after what had been said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Text before the error.
    pub said: String,
    /// The error.
    pub error: String,
}

impl Refused {
    fn of(error: String) -> Refused {
        Refused { said: String::new(), error }
    }
}

/// Normalizes. `args`: a flow, actions, and `NAME=NUMBER` for ports.
pub fn normalize(args: &[String]) -> Result<String, Refused> {
    let [key, actions, ports @ ..] = args else { return Ok(String::new()) };
    let mut named = HashMap::new();
    for p in ports {
        let pair = p.split_once('=').and_then(|(name, n)| Some((name.to_string(), DpPort(n.parse().ok()?))));
        let (name, number) = pair.ok_or_else(|| Refused::of(format!("{p}: expected NAME=NUMBER")))?;
        named.insert(name, number);
    }
    let ports = Named(named);
    let bad_key = |what: &str| Refused::of(format!("odp_flow_key_from_string ({what}) (Invalid argument)"));
    if let Some(masked) = key.split_inclusive(')').find(|a| a.contains('/')) {
        return Err(bad_key(&format!("syntax error at {}", masked.trim_start_matches(','))));
    }
    let flow = parse_odp(key, &ports).map_err(|e| bad_key(&e.to_string()))?;
    let out = format!("input flow: {}\n", given(key, &flow.key));
    let number = |name: &str| ports.dp_port_number(name);
    match parse_actions(actions, Some(&number)) {
        Ok(a) if a.is_empty() && !actions.trim().is_empty() => {
            let tags = tags_of(&flow.key);
            Ok(format!("{out}{}drop", heading(&tags, &flow.key)))
        }
        Ok(a) => Ok(out + &normalized(&flow.key, a)),
        Err(_) => Err(Refused { said: out, error: "odp_actions_from_string (Invalid argument)".into() }),
    }
}

/// The flow with the attributes that were given and no others.
fn given(text: &str, key: &FlowKey) -> String {
    let all = odp_text(key, None, OdpStyle::default());
    let mut kept = Vec::new();
    let (mut start, mut depth) = (0, 0);
    for (i, c) in all.char_indices().chain([(all.len(), ',')]) {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            ',' if depth == 0 => {
                let attr = &all[start..i];
                let name = &attr[..attr.find('(').map_or(attr.len(), |n| n + 1)];
                if text.contains(name) {
                    kept.push(attr);
                }
                start = i + 1;
            }
            _ => {}
        }
    }
    if kept.is_empty() { "<empty>".into() } else { kept.join(",") }
}

fn tags_of(key: &FlowKey) -> Tags {
    (0..2).map(|n| key.vlan(n)).filter(|v| v.1 & VLAN_PRESENT != 0).map(|(tpid, tci)| (tci, tpid)).collect()
}

fn normalized(key: &FlowKey, actions: Vec<DpAction>) -> String {
    let mut tags = tags_of(key);
    let mut by_tags: BTreeMap<Tags, Vec<DpAction>> = BTreeMap::new();
    for a in actions {
        match a {
            DpAction::PushVlan(v) => tags.insert(0, (v.wire_tci() | VLAN_PRESENT, v.tpid)),
            DpAction::PopVlan => {
                if !tags.is_empty() {
                    tags.remove(0);
                }
            }
            a => by_tags.entry(tags.clone()).or_default().push(a),
        }
    }
    let mut out = String::new();
    for (tags, mut list) in by_tags {
        let runs = list.chunk_by_mut(|a, b| matches!((a, b), (DpAction::Output(_), DpAction::Output(_))));
        for run in runs {
            run.sort_by_key(|a| if let DpAction::Output(p) = a { p.0 } else { 0 });
        }
        let _ = write!(out, "{}{}", heading(&tags, key), format_actions(&list, None));
    }
    out
}

fn heading(tags: &Tags, key: &FlowKey) -> String {
    let mut out = String::new();
    for (tci, tpid) in tags {
        out.push_str("vlan(");
        if *tpid != 0x8100 {
            let _ = write!(out, "tpid={tpid:#06x},");
        }
        let _ = write!(out, "vid={},pcp={}): ", tci & 0xfff, tci >> 13);
    }
    if tags.is_empty() {
        out.push_str("no vlan: ");
    }
    match key.mpls_lse(0) {
        0 => out.push_str("no mpls: "),
        lse => {
            let _ = write!(out, "mpls(label={},tc={},ttl={}", lse >> 12, lse >> 9 & 7, lse & 0xff);
            out.push_str(if lse & 0x100 == 0 { ",bos=0): " } else { "): " });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_recorded() {
        let untagged = "in_port(1),eth(),eth_type(0x1234)";
        let tagged = "in_port(1),eth(),eth_type(0x8100),vlan(vid=9,pcp=2),encap(eth_type(0x1234))";
        for (key, actions, want) in [
            (untagged, "drop", "no vlan: no mpls: drop"),
            (
                untagged,
                "2,1,push_vlan(vid=5,pcp=1),3,pop_vlan,4",
                "no vlan: no mpls: 1,2,4vlan(vid=5,pcp=1): no mpls: 3",
            ),
            (untagged, "pop_vlan,1", "no vlan: no mpls: 1"),
            (
                untagged,
                "clone(push_vlan(vid=3,pcp=0),1),2",
                "no vlan: no mpls: clone(push_vlan(vid=3,pcp=0),1),2",
            ),
            (tagged, "1,pop_vlan,1,pop_vlan,1", "no vlan: no mpls: 1,1vlan(vid=9,pcp=2): no mpls: 1"),
            (
                tagged,
                "push_vlan(vid=5,pcp=0),1,push_vlan(vid=5,pcp=0),2",
                "vlan(vid=5,pcp=0): vlan(vid=5,pcp=0): vlan(vid=9,pcp=2): no mpls: 2vlan(vid=5,pcp=0): vlan(vid=9,pcp=2): no mpls: 1",
            ),
        ] {
            let out = normalize(&args(&[key, actions])).unwrap();
            assert_eq!(out.split_once('\n').unwrap().1, want, "{key} {actions}");
        }
        let e = normalize(&args(&[untagged, "p1", "p1"])).unwrap_err();
        assert_eq!(e.error, "p1: expected NAME=NUMBER");
        let out = normalize(&args(&["", "1,p7", "p7=7"])).unwrap();
        assert_eq!(out, "input flow: <empty>\nno vlan: no mpls: 1,7");
        let e = normalize(&args(&["in_port(1)", "bogus"])).unwrap_err();
        assert_eq!(e.said, "input flow: in_port(1)\n");
    }

    fn args(a: &[&str]) -> Vec<String> {
        a.iter().map(|s| s.to_string()).collect()
    }
}
