//! `dpif-netdev/*` and `odp-execute/*`: polling threads, and the one implementation that each step of theirs has.
//!
//! What is counted is counted by the threads; cycles are nanoseconds of the monotonic clock. What would have to be
//! recorded for each round (histories, logs of slow rounds) is not, and is refused.

use crate::switch::Switch;
use crate::switch::backer::Backer;
use datapath::{Counters, QueuePlace};
use dpif::Datapath as _;
use reactor::Reactor;
use reactor::unixctl::{Call, Command, Outcome};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

/// The commands.
pub const COMMANDS: &[Command<Switch>] = &[
    Command::new("dpif-netdev/bond-show", "[dp]", 0, 1, |s, _, c| done(bond_show(s, c))),
    Command::new("dpif-netdev/dpif-impl-get", "", 0, 0, |s, _, _| {
        Outcome::ok(format!("Available DPIF implementations:\n  dpif_scalar (pmds: {})\n", all_cores(s)))
    }),
    Command::new("dpif-netdev/dpif-impl-set", "dpif_implementation_name", 1, 1, dpif_impl_set),
    Command::new("dpif-netdev/miniflow-parser-get", "", 0, 0, |s, _, _| {
        let cores = all_cores(s);
        Outcome::ok(format!("Available MFEX implementations:\n  scalar (available: True pmds: {cores})\n"))
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
        |s, _, c| done(perf_show(s, c)),
    ),
    Command::new("dpif-netdev/pmd-rxq-rebalance", "[dp]", 0, 1, |s, _, c| done(rebalance(s, c))),
    Command::new("dpif-netdev/pmd-rxq-show", "[-pmd core] [-secs secs] [dp]", 0, 5, |s, _, c| {
        done(rxq_show(s, c))
    }),
    Command::new("dpif-netdev/pmd-sleep-show", "[dp]", 0, 1, |s, _, c| done(sleep_show(s, c))),
    Command::new("dpif-netdev/pmd-stats-clear", "[-pmd core] [dp]", 0, 3, |s, _, c| done(stats_clear(s, c))),
    Command::new("dpif-netdev/pmd-stats-show", "[-pmd core] [dp]", 0, 3, |s, _, c| done(stats_show(s, c))),
    Command::new("dpif-netdev/subtable-lookup-info-get", "", 0, 0, lookup_info),
    Command::new("dpif-netdev/subtable-lookup-prio-set", "[lookup_func] [prio]", 2, 2, lookup_prio_set),
    Command::new("odp-execute/action-impl-show", "", 0, 0, |_, _, _| {
        Outcome::ok("Available Actions implementations:\n  scalar (available: Yes, active: Yes)\n")
    }),
    Command::new("odp-execute/action-impl-set", "name", 1, 1, |_, _, c| match c.arg(0) {
        Some("scalar") => Outcome::ok("Action implementation set to scalar.\n"),
        n => Outcome::error(format!(
            "Error: unknown action implementation, {}, specified!",
            n.unwrap_or_default()
        )),
    }),
];

fn done(r: Result<String, String>) -> Outcome {
    Outcome::Done(r.map(Into::into))
}

const WHICH: &str = "please specify an existing datapath";

/// Which polling threads a command is about.
#[derive(Default)]
struct Wanted {
    core: Option<u32>,
    seconds: u64,
    datapath: Option<String>,
}

impl Wanted {
    /// Options of all these commands; those that ask for histories of rounds have none to show.
    fn parse(call: &Call) -> Wanted {
        let mut w = Wanted { seconds: 60, ..Wanted::default() };
        let mut args = call.args().iter();
        while let Some(a) = args.next() {
            match a.as_str() {
                "-pmd" => w.core = args.next().and_then(|c| c.parse().ok()),
                "-secs" => {
                    let n: u64 = args.next().and_then(|n| n.parse().ok()).unwrap_or(60);
                    // In steps of five seconds, from five to sixty.
                    w.seconds = n.clamp(1, 60).div_ceil(5) * 5;
                }
                "-it" | "-ms" => drop(args.next()),
                "-nh" => {}
                name => w.datapath = Some(name.to_string()),
            }
        }
        w
    }

    fn backer<'a>(&self, s: &'a mut Switch) -> Result<&'a mut Backer, String> {
        let name = self.datapath.as_deref().unwrap_or_default();
        let key =
            s.backers.iter().find(|(_, b)| b.name() == name || b.own_port() == name).map(|(k, _)| k.clone());
        match key {
            Some(k) => s.backers.get_mut(&k).ok_or_else(|| WHICH.to_string()),
            None if s.backers.len() == 1 => s.backers.values_mut().next().ok_or_else(|| WHICH.to_string()),
            None => Err(WHICH.into()),
        }
    }

    fn shows(&self, core: Option<u32>) -> bool {
        self.core.is_none() || self.core == core
    }
}

/// All polling threads' cores: `0,1`, or `none`.
fn all_cores(s: &Switch) -> String {
    let cores: Vec<String> = s.backers.values().flat_map(|b| b.dp.cores()).map(|c| c.to_string()).collect();
    if cores.is_empty() { "none".into() } else { cores.join(",") }
}

fn dpif_impl_set(_: &mut Switch, _: &mut Reactor, call: &Call) -> Outcome {
    match call.arg(0) {
        Some("dpif_scalar") => Outcome::ok("DPIF implementation set to dpif_scalar.\n"),
        n => Outcome::error(format!(
            "DPIF implementation not available: Unknown DPIF implementation {}.\n",
            n.unwrap_or_default()
        )),
    }
}

fn parser_set(s: &mut Switch, _: &mut Reactor, call: &Call) -> Outcome {
    let mut args = call.args();
    if let [option, core, rest @ ..] = args
        && option == "-pmd"
    {
        let used = core.parse().is_ok_and(|n: u32| s.backers.values().any(|b| b.dp.cores().contains(&n)));
        if !used {
            return Outcome::error(format!(
                "Error: miniflow extract parser not changed, PMD thread {core} not in use, pass a valid pmd thread ID.\n"
            ));
        }
        args = rest;
    }
    match args.first().map(String::as_str) {
        Some("scalar") => Outcome::ok("Miniflow extract implementation set to scalar.\n"),
        n => Outcome::error(format!(
            "Error: unknown miniflow extract implementation {}.",
            n.unwrap_or_default()
        )),
    }
}

fn perf_log_set(_: &mut Switch, _: &mut Reactor, call: &Call) -> Outcome {
    match call.arg(0) {
        Some("off") | None => Outcome::ok(""),
        Some("on") => Outcome::error(
            "pmd-perf-log-set is not supported: polling threads do not record single iterations",
        ),
        _ => Outcome::error(
            "Usage: ovs-appctl dpif-netdev/pmd-perf-log-set [on|off] [-b before] [-a after] [-e|-ne] [-us usec] [-q qlen]",
        ),
    }
}

fn lookup_info(s: &mut Switch, _: &mut Reactor, _: &Call) -> Outcome {
    let used: u64 = s.backers.values().map(|b| b.dp.stats().masks).sum();
    let priority = s.desk.lookup_priority.unwrap_or(1);
    Outcome::ok(format!(
        "Available dpcls implementations:\n  generic (Use count: {used}, Priority: {priority})\n"
    ))
}

/// There is one way to look up, which stays the best whatever its priority.
fn lookup_prio_set(s: &mut Switch, _: &mut Reactor, call: &Call) -> Outcome {
    // What is no number counts as 0.
    let text = call.arg(1).unwrap_or_default();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let number: u64 = if digits == 0 { 0 } else { text[..digits].parse().unwrap_or(u64::MAX) };
    let Ok(priority) = u8::try_from(number) else {
        return Outcome::error("error converting priority, use integer in range 0-255\n");
    };
    match call.arg(0) {
        Some("generic") => {
            s.desk.lookup_priority = Some(priority);
            Outcome::ok("Lookup priority change affected 0 dpcls ports and 0 subtables.\n")
        }
        _ => Outcome::error("error, subtable lookup function not found\n"),
    }
}

fn bond_show(s: &mut Switch, call: &Call) -> Result<String, String> {
    let backer = Wanted::parse(call).backer(s)?;
    let bonds: BTreeMap<_, _> = backer.dp.bonds().iter().collect();
    let mut out = String::new();
    if !bonds.is_empty() {
        out.push_str("Bonds:\n");
    }
    for (id, members) in bonds {
        let _ = writeln!(out, "\tbond-id {id}:");
        for (bucket, member) in members.iter().enumerate() {
            let _ = writeln!(out, "\t\tbucket {bucket} - member {}", member.0);
        }
    }
    Ok(out)
}

fn rebalance(s: &mut Switch, call: &Call) -> Result<String, String> {
    let wanted = Wanted::parse(call);
    if let Some(name) = &wanted.datapath
        && !s.backers.values().any(|b| b.name() == *name || b.own_port() == *name)
    {
        return Err(WHICH.into());
    }
    wanted.backer(s)?.dp.rebalance();
    Ok("pmd rxq rebalance requested.\n".into())
}

fn rxq_show(s: &mut Switch, call: &Call) -> Result<String, String> {
    let wanted = Wanted::parse(call);
    let backer = wanted.backer(s)?;
    let mut out = String::new();
    let mut first = true;
    if wanted.core.is_none() {
        first = false;
        let _ = writeln!(out, "Displaying last {} seconds pmd usage %", wanted.seconds);
    }
    for (i, core) in backer.dp.cores().into_iter().enumerate() {
        if !wanted.shows(Some(core)) {
            continue;
        }
        if std::mem::take(&mut first) {
            let _ = writeln!(out, "Displaying last {} seconds pmd usage %", wanted.seconds);
        }
        let _ = writeln!(out, "pmd thread numa_id 0 core_id {core}:\n  isolated : false");
        let usage = backer.dp.usage(i + 1, (wanted.seconds / 5) as usize);
        let percent = |v: Option<u64>| v.map_or("NOT AVAIL".to_string(), |v| format!("{v:2} %"));
        let own: Vec<&QueuePlace> = backer.dp.queues().iter().filter(|q| q.engine == i + 1).collect();
        for (n, q) in own.iter().enumerate() {
            let name = backer.port_name(q.port).unwrap_or_default();
            let part = usage.as_ref().and_then(|u| u.queues.get(n).copied());
            let _ = writeln!(
                out,
                "  port: {name:<16}  queue-id: {:2} (enabled)   pmd usage: {}",
                q.id,
                percent(part)
            );
        }
        let _ = writeln!(out, "  overhead: {}", percent(usage.as_ref().map(|u| u.overhead)));
    }
    Ok(out)
}

/// Threads sleep as soon as they find nothing to do, and until there is: no limit is configured.
fn sleep_show(s: &mut Switch, call: &Call) -> Result<String, String> {
    let wanted = Wanted::parse(call);
    let most = s.config().other_config.get("pmd-sleep-max").map_or("0", String::as_str);
    let most: u64 = most.parse().unwrap_or(0);
    let backer = wanted.backer(s)?;
    let mut out = format!("Default max sleep: {most:4} us\n");
    for core in backer.dp.cores() {
        let _ = writeln!(out, "pmd thread numa_id 0 core_id {core}:\n  max sleep: {most:4} us");
    }
    Ok(out)
}

/// Counters of one thread.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    received: u64,
    recirculated: u64,
    exact: u64,
    megaflow: u64,
    probed: u64,
    missed: u64,
    failed: u64,
    batches: u64,
    sent: u64,
    idle_rounds: u64,
    busy_rounds: u64,
    sleeps: u64,
    idle: u64,
    busy: u64,
    slept: u64,
}

impl Counts {
    fn read(c: &Counters) -> Counts {
        let get = |v: &std::sync::atomic::AtomicU64| v.load(Relaxed);
        Counts {
            received: get(&c.received),
            recirculated: get(&c.recirculated),
            exact: get(&c.exact_hits),
            megaflow: get(&c.megaflow_hits),
            probed: get(&c.probed),
            missed: get(&c.missed),
            failed: c.drops(datapath::DropCause::UpcallQueueFull),
            batches: get(&c.tx_batches),
            sent: get(&c.tx_packets),
            idle_rounds: get(&c.idle_polls),
            busy_rounds: get(&c.busy_polls),
            sleeps: get(&c.sleeps),
            idle: get(&c.idle_nanos),
            busy: get(&c.busy_nanos),
            slept: get(&c.slept_nanos),
        }
    }

    fn since(self, o: Counts) -> Counts {
        let d = u64::saturating_sub;
        Counts {
            received: d(self.received, o.received),
            recirculated: d(self.recirculated, o.recirculated),
            exact: d(self.exact, o.exact),
            megaflow: d(self.megaflow, o.megaflow),
            probed: d(self.probed, o.probed),
            missed: d(self.missed, o.missed),
            failed: d(self.failed, o.failed),
            batches: d(self.batches, o.batches),
            sent: d(self.sent, o.sent),
            idle_rounds: d(self.idle_rounds, o.idle_rounds),
            busy_rounds: d(self.busy_rounds, o.busy_rounds),
            sleeps: d(self.sleeps, o.sleeps),
            idle: d(self.idle, o.idle),
            busy: d(self.busy, o.busy),
            slept: d(self.slept, o.slept),
        }
    }

    fn passes(&self) -> u64 {
        self.received + self.recirculated
    }
}

/// Counters when they were last cleared, by datapath and core (none: the main thread).
#[derive(Debug, Default)]
pub struct Cleared {
    counts: BTreeMap<(String, Option<u32>), Counts>,
    when: BTreeMap<(String, Option<u32>), base::Time>,
}

/// Each thread's counters since they were cleared, and for how long: polling threads first, the main one last.
fn threads(s: &mut Switch, wanted: &Wanted) -> Result<Vec<(Option<u32>, Counts, Duration)>, String> {
    let now = s.now();
    let backer = wanted.backer(s)?;
    let name = backer.name();
    let cores = backer.dp.cores();
    let mut all: Vec<(Option<u32>, Counts)> = backer
        .dp
        .counters()
        .enumerate()
        .map(|(i, c)| (i.checked_sub(1).map(|i| cores[i]), Counts::read(c)))
        .collect();
    all.rotate_left(1);
    let cleared = &s.desk.cleared;
    let rows = all.into_iter().filter(|(core, _)| wanted.shows(*core)).map(|(core, counts)| {
        let key = (name.clone(), core);
        let since = cleared.when.get(&key).copied().unwrap_or(base::Time::ZERO);
        (core, counts.since(cleared.counts.get(&key).copied().unwrap_or_default()), now.since(since))
    });
    Ok(rows.collect())
}

fn title(core: Option<u32>) -> String {
    core.map_or("main thread:".to_string(), |c| format!("pmd thread numa_id 0 core_id {c}:"))
}

fn stats_clear(s: &mut Switch, call: &Call) -> Result<String, String> {
    let wanted = Wanted::parse(call);
    let now = s.now();
    let name = wanted.backer(s)?.name();
    for (core, counts, _) in threads(s, &wanted)? {
        let key = (name.clone(), core);
        let before = s.desk.cleared.counts.remove(&key).unwrap_or_default();
        s.desk.cleared.counts.insert(key.clone(), sum(counts, before));
        s.desk.cleared.when.insert(key, now);
        wanted.backer(s)?.dp.forget_lookups([counts.exact + counts.megaflow, counts.missed, 0]);
    }
    Ok(String::new())
}

/// What had been cleared and what has been counted since, together.
fn sum(a: Counts, b: Counts) -> Counts {
    Counts {
        received: a.received + b.received,
        recirculated: a.recirculated + b.recirculated,
        exact: a.exact + b.exact,
        megaflow: a.megaflow + b.megaflow,
        probed: a.probed + b.probed,
        missed: a.missed + b.missed,
        failed: a.failed + b.failed,
        batches: a.batches + b.batches,
        sent: a.sent + b.sent,
        idle_rounds: a.idle_rounds + b.idle_rounds,
        busy_rounds: a.busy_rounds + b.busy_rounds,
        sleeps: a.sleeps + b.sleeps,
        idle: a.idle + b.idle,
        busy: a.busy + b.busy,
        slept: a.slept + b.slept,
    }
}

fn ratio(a: u64, b: u64) -> f64 {
    if b == 0 { 0.0 } else { a as f64 / b as f64 }
}

fn stats_show(s: &mut Switch, call: &Call) -> Result<String, String> {
    let mut out = String::new();
    for (core, c, _) in threads(s, &Wanted::parse(call))? {
        let _ = writeln!(
            out,
            "{}\n  packets received: {}\n  packet recirculations: {}\n  \
             avg. datapath passes per packet: {:.2}\n  phwol hits: 0\n  mfex opt hits: 0\n  \
             simple match hits: 0\n  emc hits: {}\n  smc hits: 0\n  megaflow hits: {}\n  \
             avg. subtable lookups per megaflow hit: {:.2}\n  miss with success upcall: {}\n  \
             miss with failed upcall: {}\n  avg. packets per output batch: {:.2}",
            title(core),
            c.received,
            c.recirculated,
            ratio(c.passes(), c.received),
            c.exact,
            c.megaflow,
            ratio(c.probed, c.megaflow),
            c.missed,
            c.failed,
            ratio(c.sent, c.batches),
        );
        let total = c.idle + c.busy;
        if core.is_none() || total == 0 {
            continue;
        }
        let part = |n: u64| 100.0 * ratio(n, total);
        let _ = writeln!(
            out,
            "  idle cycles: {} ({:.2}%)\n  processing cycles: {} ({:.2}%)",
            c.idle,
            part(c.idle),
            c.busy,
            part(c.busy)
        );
        if c.received > 0 {
            let _ = writeln!(
                out,
                "  avg cycles per packet: {:.2} ({total}/{n})\n  avg processing cycles per packet: {:.2} ({}/{n})",
                ratio(total, c.received),
                ratio(c.busy, c.received),
                c.busy,
                n = c.received
            );
        }
    }
    Ok(out)
}

fn perf_show(s: &mut Switch, call: &Call) -> Result<String, String> {
    let rows = threads(s, &Wanted::parse(call))?;
    let millis = s.env.clock.wall_millis().rem_euclid(86_400_000);
    let (secs, millis) = (millis / 1000, millis % 1000);
    let time = format!("{:02}:{:02}:{:02}.{millis:03}", secs / 3600, secs / 60 % 60, secs % 60);
    let mut out = String::new();
    for (core, c, took) in rows.into_iter().filter(|r| r.0.is_some()) {
        let _ = writeln!(out, "\nTime: {time}\nMeasurement duration: {:.3} s\n", took.as_secs_f64());
        let _ = writeln!(out, "{}\n", title(core));
        one_perf(&mut out, &c, took);
    }
    Ok(out)
}

fn one_perf(out: &mut String, c: &Counts, took: Duration) {
    let nanos = took.as_nanos() as u64;
    let (rounds, used) = (c.idle_rounds + c.busy_rounds, c.idle + c.busy);
    let part = |a: u64, b: u64| 100.0 * ratio(a, b);
    let kpps = |n: u64| (ratio(n, nanos) * 1e6) as u64;
    let _ = writeln!(out, "  Iterations:         {rounds:12}  ({:.2} us/it)", ratio(used, rounds) / 1000.0);
    let _ = writeln!(out, "  - Used TSC cycles:  {used:12}  ({:5.1} % of total cycles)", part(used, nanos));
    let _ = writeln!(
        out,
        "  - idle iterations:  {:12}  ({:5.1} % of used cycles)",
        c.idle_rounds,
        part(c.idle, used)
    );
    let _ = writeln!(
        out,
        "  - busy iterations:  {:12}  ({:5.1} % of used cycles)",
        c.busy_rounds,
        part(c.busy, used)
    );
    let _ = writeln!(
        out,
        "  - sleep iterations: {:12}  ({:5.1} % of iterations)",
        c.sleeps,
        part(c.sleeps, rounds)
    );
    let each = ratio(c.slept, c.sleeps) / 1000.0;
    let _ = writeln!(out, "  Sleep time (us):    {:12}  ({each:3.0} us/iteration avg.)", c.slept / 1000);
    if c.received == 0 {
        let _ = writeln!(out, "  Rx packets:         {:12}", 0);
    } else {
        let per = ratio(c.busy, c.received);
        let _ = writeln!(
            out,
            "  Rx packets:         {:12}  ({} Kpps, {per:.0} cycles/pkt)",
            c.received,
            kpps(c.received)
        );
        let passes = c.passes();
        let _ =
            writeln!(out, "  Datapath passes:    {passes:12}  ({:.2} passes/pkt)", ratio(passes, c.received));
        for (name, n) in [
            ("PHWOL hits:", 0),
            ("MFEX Opt hits:", 0),
            ("Simple Match hits:", 0),
            ("EMC hits:", c.exact),
            ("SMC hits:", 0),
        ] {
            let _ = writeln!(out, "  - {name:<18}{n:12}  ({:5.1} %)", part(n, passes));
        }
        let probes = ratio(c.probed, c.megaflow);
        let _ = writeln!(
            out,
            "  - Megaflow hits:    {:12}  ({:5.1} %, {probes:.2} subtbl lookups/hit)",
            c.megaflow,
            part(c.megaflow, passes)
        );
        let _ = writeln!(out, "  - Upcalls:          {:12}  ({:5.1} %)", c.missed, part(c.missed, passes));
        let _ = writeln!(out, "  - Lost upcalls:     {:12}  ({:5.1} %)", c.failed, part(c.failed, passes));
    }
    if c.sent == 0 {
        let _ = writeln!(out, "  Tx packets:         {:12}", 0);
    } else {
        let _ = writeln!(out, "  Tx packets:         {:12}  ({} Kpps)", c.sent, kpps(c.sent));
        let _ = writeln!(
            out,
            "  Tx batches:         {:12}  ({:.2} pkts/batch)",
            c.batches,
            ratio(c.sent, c.batches)
        );
    }
}
