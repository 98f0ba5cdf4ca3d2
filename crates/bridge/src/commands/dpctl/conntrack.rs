//! `dpctl/ct-*`, `dpctl/ipf-*`, caches: what the datapath has none of, and settings of what it will track.
//!
//! No connection is tracked, so that lists are empty and counts are 0; what is asked for is checked all the same.

use super::{Options, error, guess, lookup, optional, sorted};
use crate::switch::Switch;
use reactor::unixctl::{Call, Command, Outcome};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::IpAddr;

/// The commands.
pub(super) const COMMANDS: &[Command<Switch>] = &[
    Command::new("dpctl/cache-get-size", "[dp]", 0, 1, |s, _, c| done(cache_get(s, c))),
    Command::new("dpctl/cache-set-size", "dp cache <size>", 3, 3, |s, _, c| done(cache_set(s, c))),
    Command::new("dpctl/offload-stats-show", "[dp]", 0, 1, |s, _, c| {
        with(s, c, |_, _| Err(error("retrieving offload statistics (Invalid argument)")))
    }),
    Command::new("dpctl/dump-conntrack", "[-m] [-s] [dp] [zone=N]", 0, 4, |s, _, c| listed(s, c, "")),
    Command::new("dpctl/dump-conntrack-exp", "[dp] [zone=N]", 0, 2, |s, _, c| listed(s, c, "")),
    Command::new(
        "dpctl/flush-conntrack",
        "[dp] [zone=N] [mark=X[/M]] [labels=Y[/N]] [ct-orig-tuple [ct-reply-tuple]]",
        0,
        6,
        |s, _, c| done(flush(s, c)),
    ),
    Command::new("dpctl/ct-bkts", "[dp] [gt=N]", 0, 2, |s, _, c| {
        listed(s, c, "Total Buckets: 1\nCurrent Connections: 0\n\n")
    }),
    Command::new("dpctl/ct-stats-show", "[dp] [zone=N]", 0, 3, |s, _, c| {
        listed(s, c, "Connections Stats:\n    Total: 0\n")
    }),
    Command::new("dpctl/ct-get-nconns", "[dp]", 0, 1, |s, _, c| with(s, c, |_, _| Ok("0\n".into()))),
    Command::new("dpctl/ct-get-maxconns", "[dp]", 0, 1, |s, _, c| {
        with(s, c, |t, _| Ok(format!("{}\n", t.max_connections)))
    }),
    Command::new("dpctl/ct-set-maxconns", "[dp] maxconns", 1, 2, |s, _, c| {
        set(s, c, "maxconns missing or malformed", "setting maxconns successful", |t, n| {
            t.max_connections = n;
        })
    }),
    Command::new("dpctl/ct-get-sweep-interval", "[dp]", 0, 1, |s, _, c| {
        with(s, c, |t, _| Ok(t.sweep_interval.to_string()))
    }),
    Command::new("dpctl/ct-set-sweep-interval", "[dp] ms", 1, 2, |s, _, c| {
        set(s, c, "invalid sweep value", "setting sweep interval successful\n", |t, n| {
            t.sweep_interval = n;
        })
    }),
    Command::new("dpctl/ct-get-tcp-seq-chk", "[dp]", 0, 1, |s, _, c| {
        with(s, c, |t, _| {
            let state = if t.check_sequence { "enabled" } else { "disabled" };
            Ok(format!("TCP sequence checking: {state}\n"))
        })
    }),
    Command::new("dpctl/ct-enable-tcp-seq-chk", "[dp]", 0, 1, |s, _, c| {
        sequence(s, c, true, "enabling TCP sequence checking successful")
    }),
    Command::new("dpctl/ct-disable-tcp-seq-chk", "[dp]", 0, 1, |s, _, c| {
        sequence(s, c, false, "disabling TCP sequence checking successful")
    }),
    Command::new("dpctl/ct-get-limits", "[dp] [zone=N1[,N2]...]", 0, 2, |s, _, c| {
        guessed(s, c, 0, get_limits)
    }),
    Command::new("dpctl/ct-set-limits", "[dp] [default=L] [zone=N,limit=L]...", 1, usize::MAX, |s, _, c| {
        guessed(s, c, 0, |t, a| some(a).and_then(|a| set_limits(t, a)))
    }),
    Command::new("dpctl/ct-del-limits", "[dp] [default] [zone=N1[,N2]...]", 1, 3, |s, _, c| {
        guessed(s, c, 0, |t, a| some(a).and_then(|a| del_limits(t, a)))
    }),
    Command::new("dpctl/ipf-get-status", "[dp]", 0, 1, |s, _, c| {
        with(s, c, |t, o| Ok(t.fragments.status(o.more)))
    }),
    Command::new("dpctl/ipf-set-enabled", "[dp] v4|v6", 1, 2, |s, _, c| {
        guessed(s, c, 1, |t, a| ipf_switch(t, a, true))
    }),
    Command::new("dpctl/ipf-set-disabled", "[dp] v4|v6", 1, 2, |s, _, c| {
        guessed(s, c, 1, |t, a| ipf_switch(t, a, false))
    }),
    Command::new("dpctl/ipf-set-min-frag", "[dp] v4|v6 minfragment", 2, 3, |s, _, c| {
        guessed(s, c, 2, ipf_min)
    }),
    Command::new("dpctl/ipf-set-max-nfrags", "[dp] maxfrags", 1, 2, |s, _, c| done(ipf_max(s, c))),
];

fn done(r: Result<String, String>) -> Outcome {
    Outcome::Done(r.map(Into::into))
}

fn invalid(text: impl std::fmt::Display) -> String {
    error(format!("{text} (Invalid argument)"))
}

/// Settings of a datapath's connection tracking, kept for when there are connections.
#[derive(Clone, Debug)]
pub struct Tracking {
    max_connections: u32,
    sweep_interval: u32,
    check_sequence: bool,
    default_limit: u32,
    limits: BTreeMap<u16, u32>,
    fragments: Fragments,
}

#[derive(Clone, Debug)]
struct Fragments {
    /// IPv4, IPv6.
    enabled: [bool; 2],
    least: [u32; 2],
    max: u32,
}

impl Default for Tracking {
    fn default() -> Self {
        Tracking {
            max_connections: 3_000_000,
            sweep_interval: 20_000,
            check_sequence: true,
            default_limit: 0,
            limits: BTreeMap::new(),
            fragments: Fragments { enabled: [true; 2], least: [1200, 1280], max: 1000 },
        }
    }
}

impl Fragments {
    fn status(&self, more: bool) -> String {
        let mut out = format!(
            "        Fragmentation Module Status\n        ---------------------------\n        \
             v4 enabled: {}\n        v6 enabled: {}\n        max num frags (v4/v6): {}\n        num frag: 0\n",
            u8::from(self.enabled[0]),
            u8::from(self.enabled[1]),
            self.max
        );
        for (v, least) in ["v4", "v6"].iter().zip(self.least) {
            let _ = writeln!(out, "        min {v} frag size: {least}");
            for what in ["accepted", "completed", "expired", "too small", "overlapped", "purged"] {
                let _ = writeln!(out, "        {v} frags {what}: 0");
            }
        }
        if more {
            out.push_str("\n        Fragment Lists:\n\n");
        }
        out
    }
}

fn tracking<'a>(s: &'a mut Switch, datapath: &str) -> &'a mut Tracking {
    s.desk.tracking.entry(datapath.to_string()).or_default()
}

/// A command whose only argument is the datapath.
fn with(s: &mut Switch, call: &Call, f: fn(&Tracking, &Options) -> Result<String, String>) -> Outcome {
    let mut run = || {
        let (options, args) = Options::parse(call.args())?;
        let name = optional(s, args.first().map(String::as_str))?.name();
        f(tracking(s, &name), &options)
    };
    done(run())
}

/// A command that guesses whether its first argument is a datapath.
fn guessed(
    s: &mut Switch,
    call: &Call,
    least: usize,
    f: impl FnOnce(&mut Tracking, &[String]) -> Result<String, String>,
) -> Outcome {
    let run = || {
        let (_, args) = Options::parse(call.args())?;
        let (backer, rest) = match args {
            [name, rest @ ..] if least > 0 && args.len() > least => (optional(s, Some(name))?, rest),
            _ => guess(s, args, 0)?,
        };
        let name = backer.name();
        // What is left is the last of them.
        let rest = if least > 0 { &rest[rest.len().saturating_sub(least)..] } else { rest };
        f(tracking(s, &name), rest)
    };
    done(run())
}

/// Lists with an optional `zone=` or `gt=`.
fn listed(s: &mut Switch, call: &Call, text: &str) -> Outcome {
    let mut run = || {
        let (_, args) = Options::parse(call.args())?;
        let last = args.last().and_then(|a| a.strip_prefix("zone=").or(a.strip_prefix("gt=")));
        let names = match last.and_then(|n| n.parse::<u64>().ok()) {
            Some(_) => &args[..args.len() - 1],
            None => args,
        };
        optional(s, names.first().map(String::as_str))?;
        Ok(text.to_string())
    };
    done(run())
}

/// The datapath and the number that a command is about. Numbers wrap, as the reference's do.
fn number<'a>(s: &'a mut Switch, call: &Call, bad: &str) -> Result<(&'a mut Tracking, u32), String> {
    let (_, args) = Options::parse(call.args())?;
    // Alone, what names a datapath is a number that is missing.
    let named = args.first().filter(|a| args.len() > 1 || lookup(s, a).is_ok());
    let name = optional(s, named.map(String::as_str))?.name();
    let n = if named.is_some() { args.get(1) } else { args.last() };
    let n = n.and_then(|t| t.parse::<u64>().ok()).ok_or_else(|| invalid(bad))?;
    Ok((tracking(s, &name), n as u32))
}

fn set(s: &mut Switch, call: &Call, bad: &str, told: &str, f: fn(&mut Tracking, u32)) -> Outcome {
    done(number(s, call, bad).map(|(t, n)| {
        f(t, n);
        told.to_string()
    }))
}

fn ipf_max(s: &mut Switch, call: &Call) -> Result<String, String> {
    let (t, n) = number(s, call, "parameter missing for maximum fragments")?;
    if n > MOST_FRAGMENTS {
        return Err(error("setting maximum fragments failed (Operation not permitted)"));
    }
    t.fragments.max = n;
    Ok("setting maximum fragments successful".into())
}

fn sequence(s: &mut Switch, call: &Call, on: bool, told: &str) -> Outcome {
    guessed(s, call, 0, |t, _| {
        t.check_sequence = on;
        Ok(told.to_string())
    })
}

/// What must not be missing beside the datapath.
fn some(args: &[String]) -> Result<&[String], String> {
    if args.is_empty() { Err(invalid("too few arguments")) } else { Ok(args) }
}

fn zones(text: &str) -> Result<Vec<u16>, String> {
    text.split(',').map(|z| z.parse().map_err(|_| invalid("invalid zone"))).collect()
}

fn get_limits(t: &mut Tracking, args: &[String]) -> Result<String, String> {
    let wanted = match args.last() {
        None => t.limits.keys().copied().collect(),
        Some(a) => match a.strip_prefix("zone=") {
            Some(list) => zones(list)?,
            None => return Err(invalid(format!("invalid argument {a}"))),
        },
    };
    let mut out = format!("default limit={}\n", t.default_limit);
    for z in wanted {
        let limit = t.limits.get(&z).copied().unwrap_or(t.default_limit);
        let _ = writeln!(out, "zone={z},limit={limit},count=0");
    }
    Ok(out)
}

fn set_limits(t: &mut Tracking, args: &[String]) -> Result<String, String> {
    let mut new = t.clone();
    for (n, arg) in args.iter().enumerate() {
        if let Some(l) = arg.strip_prefix("default=").filter(|_| n == 0) {
            new.default_limit = l.parse().map_err(|_| invalid("invalid default limit"))?;
            continue;
        }
        let (mut zone, mut limit) = (None, None);
        for pair in arg.split(',') {
            let (key, value) =
                pair.split_once('=').ok_or_else(|| invalid(format!("field {pair} missing value")))?;
            let bad = || invalid(format!("failed to parse field {key}"));
            match key {
                "zone" => zone = Some(value.parse::<u16>().map_err(|_| bad())?),
                "limit" => limit = Some(value.parse::<u32>().map_err(|_| bad())?),
                _ => return Err(invalid(format!("invalid zone limit field: {key}"))),
            }
        }
        let (Some(zone), Some(limit)) = (zone, limit) else {
            return Err(invalid("failed to parse zone limit"));
        };
        new.limits.insert(zone, limit);
    }
    *t = new;
    Ok(String::new())
}

fn del_limits(t: &mut Tracking, args: &[String]) -> Result<String, String> {
    let mut new = t.clone();
    for (n, arg) in args.iter().enumerate() {
        match arg.strip_prefix("zone=") {
            Some(list) => {
                for z in zones(list)? {
                    new.limits.remove(&z);
                }
            }
            None if arg == "default" && n == 0 => new.default_limit = 0,
            None => return Err(invalid(format!("invalid argument {arg}"))),
        }
    }
    *t = new;
    Ok(String::new())
}

fn family(text: Option<&String>) -> Option<usize> {
    match text.map(String::as_str) {
        Some("v4") => Some(0),
        Some("v6") => Some(1),
        _ => None,
    }
}

fn ipf_switch(t: &mut Tracking, args: &[String], on: bool) -> Result<String, String> {
    let f =
        family(args.last()).ok_or_else(|| invalid("parameter missing: 'v4' for IPv4 or 'v6' for IPv6"))?;
    t.fragments.enabled[f] = on;
    let what = if on { "enabling" } else { "disabling" };
    Ok(format!("{what} fragmentation reassembly successful"))
}

/// More fragments than this are not kept.
const MOST_FRAGMENTS: u32 = 5000;
/// No fragment that is not the last may be smaller than this.
const LEAST_FRAGMENT: u32 = 400;

fn ipf_min(t: &mut Tracking, args: &[String]) -> Result<String, String> {
    let f = family(args.first()).ok_or_else(|| invalid("parameter missing: v4 for IPv4 or v6 for IPv6"))?;
    let n: u32 = args
        .get(1)
        .and_then(|n| n.parse().ok())
        .ok_or_else(|| invalid("parameter missing for minimum fragment size"))?;
    if n < LEAST_FRAGMENT {
        let text = "requested minimum fragment size too small; see documentation (Operation not permitted)";
        return Err(error(text));
    }
    t.fragments.least[f] = n;
    Ok("setting minimum fragment size successful".into())
}

/// A number with a mask, in any base that a number may be written in.
fn masked(text: &str) -> Option<()> {
    text.split('/').take(2).try_for_each(|n| {
        let (digits, radix) = n.strip_prefix("0x").map_or((n, 10), |hex| (hex, 16));
        u128::from_str_radix(digits, radix).ok().map(drop)
    })
}

/// Checks a connection's tuple; says whether it names one connection.
fn tuple(text: &str) -> Result<bool, String> {
    let mut l3 = None;
    let (mut proto, mut ports, mut icmp, mut addresses, mut given) = (None, 0, false, 0, 0);
    for pair in text.split([',', ' ']).filter(|p| !p.is_empty()) {
        let (key, value) =
            pair.split_once('=').ok_or_else(|| invalid(format!("field {pair} missing value")))?;
        let bad = || invalid(format!("failed to parse field {key}"));
        match key {
            "ct_nw_src" | "ct_nw_dst" | "ct_ipv6_src" | "ct_ipv6_dst" => {
                let v6 = key.starts_with("ct_ipv6");
                if l3.replace(v6).is_some_and(|was| was != v6) {
                    return Err(invalid(format!("the L3 protocol does not match {value}")));
                }
                let a: IpAddr = value.parse().map_err(|_| bad())?;
                if a.is_ipv6() != v6 {
                    return Err(bad());
                }
                addresses += 1;
            }
            "ct_nw_proto" => proto = Some(value.parse::<u8>().map_err(|_| bad())?),
            "ct_tp_src" | "ct_tp_dst" => {
                value.parse::<u16>().map_err(|_| bad())?;
                ports += 1;
            }
            "icmp_type" | "icmp_code" => {
                value.parse::<u8>().map_err(|_| bad())?;
                icmp = true;
            }
            "icmp_id" => {
                value.parse::<u16>().map_err(|_| bad())?;
                icmp = true;
            }
            _ => return Err(invalid(format!("invalid conntrack tuple field: {key}"))),
        }
        given += 1;
    }
    if ports > 0 && proto.is_none() {
        return Err(invalid("port is set without protocol"));
    }
    let is_icmp = matches!(proto, Some(1 | 58));
    if (icmp && !is_icmp) || (ports > 0 && is_icmp) {
        return Err(invalid("invalid L4 fields"));
    }
    Ok(given >= 5 && addresses == 2)
}

fn flush(s: &mut Switch, call: &Call) -> Result<String, String> {
    let (_, args) = Options::parse(call.args())?;
    let mut rest = args;
    let mut named = None;
    if let [name, after @ ..] = args
        && lookup(s, name).is_ok()
    {
        (named, rest) = (Some(name.as_str()), after);
    }
    let parse = |prefix: &str, what: &str, rest: &mut &[String]| {
        if let [first, after @ ..] = *rest
            && let Some(v) = first.strip_prefix(prefix)
        {
            masked(v).ok_or_else(|| invalid(format!("failed to parse {what}")))?;
            *rest = after;
        }
        Ok::<(), String>(())
    };
    parse("zone=", "zone", &mut rest)?;
    parse("mark=", "mark", &mut rest)?;
    parse("labels=", "labels", &mut rest)?;
    let mut one = false;
    for t in rest {
        one |= tuple(t)?;
    }
    optional(s, named).map_err(|e| e + &invalid("Cannot open dpif"))?;
    if one { Err(error("failed to flush conntrack (No such file or directory)")) } else { Ok(String::new()) }
}

fn cache_set(s: &mut Switch, call: &Call) -> Result<String, String> {
    let (_, args) = Options::parse(call.args())?;
    let [name, _, size, ..] = args else { return Err(invalid("size is malformed")) };
    if size.parse::<u32>().is_err() {
        return Err(invalid("size is malformed"));
    }
    match lookup(s, name) {
        Ok(_) => Err(error("Setting caches not supported (Operation not supported)")),
        Err(e) => Err(error(format!("Opening datapath {name} failed ({e})"))),
    }
}

/// No cache has a size that could be set.
fn cache_get(s: &mut Switch, call: &Call) -> Result<String, String> {
    let (_, args) = Options::parse(call.args())?;
    match args.first() {
        Some(name) => match lookup(s, name) {
            Ok(b) => Ok(format!("{}:\n", b.name())),
            Err(e) => Err(error(format!("Opening datapath {name} failed ({e})"))),
        },
        None => Ok(sorted(s).iter().map(|b| format!("{}:\n", b.name())).collect()),
    }
}
