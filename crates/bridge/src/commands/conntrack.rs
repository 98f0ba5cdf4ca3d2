//! `dpctl/ct-*`, `dpctl/ipf-*`, caches and ports: what the datapath has none of, and settings of what it will track.

use super::dpctl::find;
use crate::switch::Switch;
use reactor::Reactor;
use reactor::unixctl::{Call, Command, Outcome};

/// The commands.
pub const COMMANDS: &[Command<Switch>] = &[
    Command::new("dpctl/add-dp", "dp [iface...]", 1, usize::MAX, |_, _, _| refuse("add_dp")),
    Command::new("dpctl/del-dp", "dp", 1, 1, |s, _, c| match find(s, c.arg(0)) {
        Ok(_) => refuse("del_dp"),
        Err(e) => Outcome::error(format!("ovs-vswitchd: opening datapath ({e})")),
    }),
    Command::new("dpctl/add-if", "dp iface...", 2, usize::MAX, |s, _, c| ports(s, c, "add-if")),
    Command::new("dpctl/del-if", "dp iface...", 2, usize::MAX, |s, _, c| ports(s, c, "del-if")),
    Command::new("dpctl/set-if", "dp iface...", 2, usize::MAX, |s, _, c| ports(s, c, "set-if")),
    Command::new("dpctl/cache-get-size", "[dp]", 0, 1, cache_get),
    Command::new("dpctl/cache-set-size", "dp cache <size>", 3, 3, |s, _, c| match find(s, c.arg(0)) {
        Ok(_) => Outcome::error("ovs-vswitchd: Setting caches not supported (Operation not supported)"),
        Err(e) => Outcome::error(format!("ovs-vswitchd: Opening datapath failed ({e})")),
    }),
    Command::new("dpctl/offload-stats-show", "[dp]", 0, 1, |s, _, c| {
        with(s, c, |_| Err("ovs-vswitchd: retrieving offload statistics (Invalid argument)".into()))
    }),
    Command::new("dpctl/dump-conntrack", "[-m] [-s] [dp] [zone=N]", 0, 4, empty),
    Command::new("dpctl/dump-conntrack-exp", "[dp] [zone=N]", 0, 2, empty),
    Command::new(
        "dpctl/flush-conntrack",
        "[dp] [zone=N] [mark=X[/M]] [labels=Y[/N]] [ct-orig-tuple [ct-reply-tuple]]",
        0,
        6,
        empty,
    ),
    Command::new("dpctl/ct-bkts", "[dp] [gt=N]", 0, 2, |s, _, c| {
        with(s, c, |_| Ok("Total Buckets: 1\nCurrent Connections: 0\n\n".into()))
    }),
    Command::new("dpctl/ct-stats-show", "[dp] [zone=N]", 0, 2, |s, _, c| {
        with(s, c, |_| Ok("Connections Stats:\n    Total: 0\n".into()))
    }),
    Command::new("dpctl/ct-get-nconns", "[dp]", 0, 1, |s, _, c| with(s, c, |_| Ok("0\n".into()))),
    Command::new("dpctl/ct-get-maxconns", "[dp]", 0, 1, |s, _, c| {
        with(s, c, |t| Ok(format!("{}\n", t.max_connections)))
    }),
    Command::new("dpctl/ct-set-maxconns", "[dp] maxconns", 1, 2, |s, _, c| {
        let n = c.args().last().and_then(|t| t.parse().ok());
        set(s, n, "maxconns", "setting maxconns successful", |t, n| t.max_connections = n)
    }),
    Command::new("dpctl/ct-get-sweep-interval", "[dp]", 0, 1, |s, _, c| {
        with(s, c, |t| Ok(format!("{}\n", t.sweep_interval)))
    }),
    Command::new("dpctl/ct-set-sweep-interval", "[dp] ms", 1, 2, |s, _, c| {
        let n = c.args().last().and_then(|t| t.parse().ok());
        let done = "setting sweep interval successful";
        set(s, n, "sweep interval", done, |t, n| t.sweep_interval = n)
    }),
    Command::new("dpctl/ct-get-tcp-seq-chk", "[dp]", 0, 1, |s, _, c| {
        with(s, c, |t| {
            let state = if t.check_sequence { "enabled" } else { "disabled" };
            Ok(format!("TCP sequence checking: {state}\n"))
        })
    }),
    Command::new("dpctl/ct-enable-tcp-seq-chk", "[dp]", 0, 1, |s, _, _| {
        let done = "enabling TCP sequence checking successful";
        set(s, Some(1), "", done, |t, _| t.check_sequence = true)
    }),
    Command::new("dpctl/ct-disable-tcp-seq-chk", "[dp]", 0, 1, |s, _, _| {
        let done = "disabling TCP sequence checking successful";
        set(s, Some(1), "", done, |t, _| t.check_sequence = false)
    }),
    Command::new("dpctl/ct-get-limits", "[dp] [zone=N1[,N2]...]", 0, 2, |s, _, _| {
        Outcome::ok(format!("default limit={}\n", s.desk.tracking.default_limit))
    }),
    Command::new("dpctl/ct-set-limits", "[dp] [default=L] [zone=N,limit=L]...", 1, usize::MAX, set_limits),
    Command::new("dpctl/ct-del-limits", "[dp] [default] [zone=N1[,N2]...]", 1, 3, del_limits),
    Command::new("dpctl/ipf-get-status", "[dp]", 0, 1, |s, _, c| with(s, c, |t| Ok(t.fragments.status()))),
    Command::new("dpctl/ipf-set-enabled", "[dp] v4|v6", 1, 2, |s, _, c| ipf_switch(s, c, true)),
    Command::new("dpctl/ipf-set-disabled", "[dp] v4|v6", 1, 2, |s, _, c| ipf_switch(s, c, false)),
    Command::new("dpctl/ipf-set-min-frag", "[dp] v4|v6 minfragment", 2, 3, ipf_min),
    Command::new("dpctl/ipf-set-max-nfrags", "[dp] maxfrags", 1, 2, |s, _, c| {
        let n = c.args().last().and_then(|t| t.parse().ok());
        let done = "setting maximum fragments successful";
        set(s, n, "max fragments", done, |t, n| t.fragments.max = n)
    }),
];

/// Settings of connection tracking, kept for when there are connections.
#[derive(Clone, Debug)]
pub struct Tracking {
    max_connections: u64,
    sweep_interval: u64,
    check_sequence: bool,
    default_limit: u64,
    fragments: Fragments,
}

#[derive(Clone, Debug)]
struct Fragments {
    /// IPv4, IPv6.
    enabled: [bool; 2],
    least: [u64; 2],
    max: u64,
}

impl Default for Tracking {
    fn default() -> Self {
        Tracking {
            max_connections: 3_000_000,
            sweep_interval: 20_000,
            check_sequence: true,
            default_limit: 0,
            fragments: Fragments { enabled: [true; 2], least: [1200, 1280], max: 1000 },
        }
    }
}

impl Fragments {
    fn status(&self) -> String {
        let mut out = format!(
            "        Fragmentation Module Status\n        ---------------------------\n        \
             v4 enabled: {}\n        v6 enabled: {}\n        max num frags (v4/v6): {}\n        num frag: 0\n",
            u8::from(self.enabled[0]),
            u8::from(self.enabled[1]),
            self.max
        );
        for (v, least) in ["v4", "v6"].iter().zip(self.least) {
            out.push_str(&format!("        min {v} frag size: {least}\n"));
            for what in ["accepted", "completed", "expired", "too small", "overlapped", "purged"] {
                out.push_str(&format!("        {v} frags {what}: 0\n"));
            }
        }
        out
    }
}

fn refuse(what: &str) -> Outcome {
    Outcome::error(format!("ovs-vswitchd: {what} (Operation not supported)"))
}

fn ports(s: &mut Switch, call: &Call, what: &str) -> Outcome {
    match find(s, call.arg(0)) {
        Ok(_) => Outcome::error(format!(
            "ovs-vswitchd: {what}: ports are added and removed through bridges (Operation not supported)"
        )),
        Err(e) => Outcome::error(format!("ovs-vswitchd: opening datapath ({e})")),
    }
}

fn with(s: &mut Switch, call: &Call, f: impl FnOnce(&Tracking) -> Result<String, String>) -> Outcome {
    if let Some(name) = call.args().iter().find(|a| !a.contains('=') && !a.starts_with('-'))
        && let Err(e) = find(s, Some(name))
    {
        return Outcome::error(format!("ovs-vswitchd: opening datapath {name} failed ({e})"));
    }
    Outcome::from(f(&s.desk.tracking))
}

fn empty(s: &mut Switch, _: &mut Reactor, call: &Call) -> Outcome {
    with(s, call, |_| Ok(String::new()))
}

fn set(
    s: &mut Switch,
    n: Option<u64>,
    what: &str,
    done: &str,
    f: impl FnOnce(&mut Tracking, u64),
) -> Outcome {
    let Some(n) = n else {
        return Outcome::error(format!("ovs-vswitchd: {what} missing or malformed (Invalid argument)"));
    };
    f(&mut s.desk.tracking, n);
    Outcome::ok(format!("{done}\n"))
}

fn set_limits(s: &mut Switch, _: &mut Reactor, call: &Call) -> Outcome {
    for arg in call.args() {
        if let Some(n) = arg.strip_prefix("default=") {
            let Ok(n) = n.parse() else {
                return Outcome::error("ovs-vswitchd: invalid default limit (Invalid argument)");
            };
            s.desk.tracking.default_limit = n;
        } else if arg.starts_with("zone=") {
            return Outcome::error(
                "ovs-vswitchd: limits of zones are not supported yet (Operation not supported)",
            );
        }
    }
    Outcome::ok("")
}

fn del_limits(s: &mut Switch, _: &mut Reactor, call: &Call) -> Outcome {
    if call.args().iter().any(|a| a == "default") {
        s.desk.tracking.default_limit = 0;
    }
    Outcome::ok("")
}

fn family(call: &Call, at: usize) -> Option<usize> {
    match call.args().get(at).map(String::as_str) {
        Some("v4") => Some(0),
        Some("v6") => Some(1),
        _ => None,
    }
}

fn ipf_switch(s: &mut Switch, call: &Call, on: bool) -> Outcome {
    let Some(f) = family(call, call.args().len() - 1) else {
        return Outcome::error("ovs-vswitchd: parameter missing: v4 or v6 (Invalid argument)");
    };
    s.desk.tracking.fragments.enabled[f] = on;
    let what = if on { "enabling" } else { "disabling" };
    Outcome::ok(format!("{what} fragmentation reassembly successful\n"))
}

fn ipf_min(s: &mut Switch, _: &mut Reactor, call: &Call) -> Outcome {
    let n = call.args().last().and_then(|t| t.parse().ok());
    match (family(call, call.args().len() - 2), n) {
        (Some(f), Some(n)) => {
            s.desk.tracking.fragments.least[f] = n;
            Outcome::ok("setting minimum fragment size successful\n")
        }
        _ => Outcome::error("ovs-vswitchd: parameter missing: v4 or v6 and a size (Invalid argument)"),
    }
}

fn cache_get(s: &mut Switch, _: &mut Reactor, call: &Call) -> Outcome {
    let mut out = String::new();
    match call.arg(0) {
        Some(name) => match find(s, Some(name)) {
            Ok(b) => out = format!("{}:\n", b.name()),
            Err(e) => {
                return Outcome::error(format!("ovs-vswitchd: Opening datapath {name} failed ({e})"));
            }
        },
        None => s.backers.values().for_each(|b| out.push_str(&format!("{}:\n", b.name()))),
    }
    Outcome::ok(out)
}
