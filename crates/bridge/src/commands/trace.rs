//! `ofproto/trace` and `ofproto/trace-packet-out`.

use crate::switch::Switch;
use reactor::Reactor;
use reactor::unixctl::{Call, Command, Outcome};

/// The commands.
pub const COMMANDS: &[Command<Switch>] = &[
    Command::new(
        "ofproto/trace",
        "{[dp_name] odp_flow | bridge br_flow} [OPTIONS...] [-generate|packet]",
        1,
        usize::MAX,
        |s, r, call| run(s, r, call, false),
    ),
    Command::new(
        "ofproto/trace-packet-out",
        "[-consistent] {[dp_name] odp_flow | bridge br_flow} [OPTIONS...] [-generate|packet] actions",
        2,
        usize::MAX,
        |s: &mut Switch, r: &mut Reactor, call| run(s, r, call, true),
    ),
];

fn run(s: &mut Switch, r: &mut Reactor, call: &Call, packet_out: bool) -> Outcome {
    s.publish();
    let args: Vec<&str> = call.args().iter().map(String::as_str).collect();
    // A bridge or datapath among the arguments says which datapath is meant; else the first.
    let kind = args
        .iter()
        .find_map(|a| {
            let bridge = s.bridges.get(*a).map(|b| b.kind.clone());
            let datapath = || a.strip_prefix("ovs-").unwrap_or(a);
            bridge.or_else(|| s.backers.get(datapath()).map(|b| b.kind.clone()))
        })
        .or_else(|| s.backers.keys().next().cloned());
    let Some((kind, backer)) = kind.and_then(|k| s.backers.get(&k).map(|b| (k, b))) else {
        // There is not one bridge.
        return Outcome::error(match args[0] {
            bridge if !args[..args.len().min(2)].iter().any(|a| a.contains('(')) => {
                format!("{bridge}: unknown bridge")
            }
            _ => "Cannot find the datapath".into(),
        });
    };
    let view = backer.dp.snapshot();
    let names: Vec<String> =
        s.backers.keys().flat_map(|kind| [kind.clone(), format!("ovs-{kind}")]).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let result = if packet_out {
        pipeline::trace::packet_out_command(&view.snapshot, &args, &names)
    } else {
        pipeline::trace::command(&view.snapshot, &args, &names)
    };
    match result {
        Ok(traced) => {
            if let Some(live) = traced.live {
                s.traced(r, &kind, live);
            }
            Outcome::ok(traced.text)
        }
        Err(e) => Outcome::error(e),
    }
}
