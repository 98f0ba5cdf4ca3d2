//! `dpif-netdev/*` and `odp-execute/*`: polling threads, and the one implementation that each step of theirs has.

use crate::switch::Switch;
use reactor::Reactor;
use reactor::unixctl::{Call, Command, Outcome};
use std::fmt::Write;
use std::sync::atomic::Ordering::Relaxed;

/// The commands.
pub const COMMANDS: &[Command<Switch>] = &[
    Command::new("dpif-netdev/bond-show", "[dp]", 0, 1, |_, _, _| Outcome::ok("")),
    Command::new("dpif-netdev/dpif-impl-get", "", 0, 0, |_, _, _| {
        Outcome::ok("Available DPIF implementations:\n  dpif_scalar (pmds: none)\n")
    }),
    Command::new("dpif-netdev/dpif-impl-set", "dpif_implementation_name", 1, 1, dpif_impl_set),
    Command::new("dpif-netdev/miniflow-parser-get", "", 0, 0, |_, _, _| {
        Outcome::ok(
            "Available MFEX implementations:\n  autovalidator (available: True pmds: none)\n  \
             scalar (available: True pmds: none)\n  study (available: True pmds: none)\n",
        )
    }),
    Command::new(
        "dpif-netdev/miniflow-parser-set",
        "[-pmd core] miniflow_implementation_name [study_pkt_cnt]",
        1,
        5,
        parser_set,
    ),
    Command::new(
        "dpif-netdev/pmd-perf-log-set",
        "on|off [-b before] [-a after] [-e|-ne] [-us usec] [-q qlen]",
        0,
        10,
        perf_log_set,
    ),
    Command::new(
        "dpif-netdev/pmd-perf-show",
        "[-nh] [-it iter-history-len] [-ms ms-history-len] [-pmd core] [dp]",
        0,
        8,
        |_, _, _| Outcome::ok(""),
    ),
    Command::new("dpif-netdev/pmd-rxq-rebalance", "[dp]", 0, 1, |_, _, _| {
        Outcome::ok("pmd rxq rebalance requested.\n")
    }),
    Command::new("dpif-netdev/pmd-rxq-show", "[-pmd core] [-secs secs] [dp]", 0, 5, rxq_show),
    Command::new("dpif-netdev/pmd-sleep-show", "[dp]", 0, 1, |_, _, _| {
        Outcome::ok("Default max sleep:    0 us\n")
    }),
    Command::new("dpif-netdev/pmd-stats-clear", "[-pmd core] [dp]", 0, 3, stats_clear),
    Command::new("dpif-netdev/pmd-stats-show", "[-pmd core] [dp]", 0, 3, stats_show),
    Command::new("dpif-netdev/subtable-lookup-info-get", "", 0, 0, |_, _, _| {
        Outcome::ok(
            "Available dpcls implementations:\n  autovalidator (Use count: 0, Priority: 0)\n  \
             generic (Use count: 0, Priority: 1)\n",
        )
    }),
    Command::new("dpif-netdev/subtable-lookup-prio-set", "[lookup_func] [prio]", 2, 2, lookup_prio_set),
    Command::new("odp-execute/action-impl-show", "", 0, 0, |_, _, _| {
        Outcome::ok(
            "Available Actions implementations:\n  scalar (available: Yes, active: Yes)\n  \
             autovalidator (available: Yes, active: No)\n",
        )
    }),
    Command::new("odp-execute/action-impl-set", "name", 1, 1, |_, _, c| match c.arg(0) {
        Some(n @ ("scalar" | "autovalidator")) => Outcome::ok(format!("Action implementation set to {n}.\n")),
        n => Outcome::error(format!(
            "Error: unknown action implementation, {}, specified!",
            n.unwrap_or_default()
        )),
    }),
];

fn dpif_impl_set(_: &mut Switch, _: &mut Reactor, call: &Call) -> Outcome {
    match call.arg(0) {
        Some("dpif_scalar") => Outcome::ok("DPIF implementation set to dpif_scalar.\n"),
        n => Outcome::error(format!(
            "DPIF implementation not available: Unknown DPIF implementation {}.",
            n.unwrap_or_default()
        )),
    }
}

fn parser_set(s: &mut Switch, _: &mut Reactor, call: &Call) -> Outcome {
    let mut args = call.args();
    if let [option, core, rest @ ..] = args
        && option == "-pmd"
    {
        let threads: usize = s.backers.values().map(|b| b.dp.threads()).max().unwrap_or(0);
        if !core.parse::<usize>().is_ok_and(|n| n < threads) {
            return Outcome::error(format!(
                "Error: miniflow extract parser not changed, PMD thread {core} not in use, pass a valid pmd thread ID."
            ));
        }
        args = rest;
    }
    match args.first().map(String::as_str) {
        Some("study") => {
            let count = args.get(1).map_or("128", String::as_str);
            Outcome::ok(format!("Miniflow extract implementation set to study, studying {count} packets.\n"))
        }
        Some(n @ ("scalar" | "autovalidator")) => {
            Outcome::ok(format!("Miniflow extract implementation set to {n}.\n"))
        }
        n => Outcome::error(format!(
            "Error: unknown miniflow extract implementation {}.",
            n.unwrap_or_default()
        )),
    }
}

fn perf_log_set(_: &mut Switch, _: &mut Reactor, call: &Call) -> Outcome {
    match call.arg(0) {
        Some("on" | "off") => Outcome::ok(""),
        _ => Outcome::error(
            "Usage: ovs-appctl dpif-netdev/pmd-perf-log-set [on|off] [-b before] [-a after] [-e|-ne] [-us usec] [-q qlen]",
        ),
    }
}

fn lookup_prio_set(_: &mut Switch, _: &mut Reactor, call: &Call) -> Outcome {
    if call.arg(1).is_none_or(|p| p.parse::<u8>().is_err()) {
        return Outcome::error("error converting priority, use integer in range 0-255");
    }
    match call.arg(0) {
        Some("generic" | "autovalidator") => {
            Outcome::ok("Lookup priority change affected 0 dpcls ports and 0 subtables.\n")
        }
        _ => Outcome::error("error, subtable lookup function not found"),
    }
}

/// Queues of the polling threads; devices polled by the main thread are not listed.
fn rxq_show(s: &mut Switch, _: &mut Reactor, call: &Call) -> Outcome {
    let mut seconds = "60";
    let mut args = call.args().iter();
    while let Some(a) = args.next() {
        if a == "-secs" {
            seconds = args.next().map_or("60", String::as_str);
        }
    }
    let mut out = format!("Displaying last {seconds} seconds pmd usage %\n");
    for backer in s.backers.values() {
        for n in 0..backer.dp.threads() {
            let _ = writeln!(out, "pmd thread numa_id 0 core_id {n}:\n  isolated : false");
        }
    }
    Outcome::ok(out)
}

fn stats_clear(s: &mut Switch, _: &mut Reactor, _: &Call) -> Outcome {
    let baseline = totals(s);
    s.desk.cleared = Some(baseline);
    Outcome::ok("")
}

/// Counters of the packets' way, as they stand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    rows: Vec<(String, [u64; 8])>,
}

fn totals(s: &Switch) -> Totals {
    let mut rows = Vec::new();
    for backer in s.backers.values() {
        for (n, c) in backer.dp.counters().enumerate() {
            let name = match n {
                0 => "main thread:".to_string(),
                n => format!("pmd thread numa_id 0 core_id {}:", n - 1),
            };
            let read = |v: &std::sync::atomic::AtomicU64| v.load(Relaxed);
            rows.push((
                name,
                [
                    read(&c.received),
                    read(&c.recirculated),
                    read(&c.exact_hits),
                    read(&c.megaflow_hits),
                    read(&c.probed),
                    read(&c.missed),
                    read(&c.tx_batches),
                    read(&c.tx_packets),
                ],
            ));
        }
    }
    Totals { rows }
}

fn stats_show(s: &mut Switch, _: &mut Reactor, _: &Call) -> Outcome {
    let now = totals(s);
    let before = s.desk.cleared.clone().unwrap_or_default();
    let mut out = String::new();
    // Polling threads first, the main thread last.
    let threads = now.rows.iter().enumerate().filter(|(_, (n, _))| !n.starts_with("main"));
    let main = now.rows.iter().enumerate().filter(|(_, (n, _))| n.starts_with("main"));
    for (at, (name, counts)) in threads.chain(main) {
        let mut c = *counts;
        if let Some((_, old)) = before.rows.get(at).filter(|(n, _)| n == name) {
            c.iter_mut().zip(old).for_each(|(c, o)| *c = c.saturating_sub(*o));
        }
        let [received, recirculated, exact, megaflow, probed, missed, batches, sent] = c;
        let ratio = |a: u64, b: u64| if b == 0 { 0.0 } else { a as f64 / b as f64 };
        let _ = writeln!(
            out,
            "{name}\n  packets received: {received}\n  packet recirculations: {recirculated}\n  \
             avg. datapath passes per packet: {:.2}\n  phwol hits: 0\n  mfex opt hits: 0\n  \
             simple match hits: 0\n  emc hits: {exact}\n  smc hits: 0\n  megaflow hits: {megaflow}\n  \
             avg. subtable lookups per megaflow hit: {:.2}\n  miss with success upcall: {missed}\n  \
             miss with failed upcall: 0\n  avg. packets per output batch: {:.2}",
            ratio(received + recirculated, received),
            ratio(probed, megaflow),
            ratio(sent, batches),
        );
    }
    Outcome::ok(out)
}
