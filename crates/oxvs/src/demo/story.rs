//! What is shown, step by step.

use super::lan::{Host, configure, loopback, mac};
use super::{Stop, World, http};
use std::io;
use std::net::Ipv4Addr;
use std::time::Duration;
use sys::signal::Signals;

const VM1: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
const VM2: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
const GATEWAY: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 254);
const HOST: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 253);
const METADATA: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 254);
const SERVICE: u16 = 9002;
/// How long a ping or a request may take before it counts as lost.
const PATIENCE: Duration = Duration::from_secs(1);

/// Tells all of it.
pub fn tell(world: &mut World, signals: &Signals) -> Result<(), Stop> {
    let start = world.clock.now();
    let heard = || match signals.next() {
        Ok(Some(signal)) => Err(Stop::Interrupted(signal)),
        _ => Ok(()),
    };
    let result = chapters(world, &heard);
    // The terminal's interrupt reaches the switch too: then it is the reason for whatever failed.
    heard()?;
    result?;
    println!("\nAll of it worked, in {:.1} s.", (world.clock.now() - start).as_secs_f64());
    Ok(())
}

fn chapters(world: &mut World, heard: &dyn Fn() -> Result<(), Stop>) -> Result<(), Stop> {
    let who = if world.superuser { "a network namespace" } else { "a user and a network namespace" };
    println!("oxvs demo: all of this happens in {who} of its own; the machine stays as it is.");
    let hosts = lan(world)?;
    heard()?;
    pings(world, &hosts)?;
    heard()?;
    let local = metadata(world, &hosts)?;
    heard()?;
    explained(world, &hosts, &local)
}

struct Hosts {
    vm1: Host,
    vm2: Host,
    _gateway: Host,
}

fn lan(world: &mut World) -> Result<Hosts, Stop> {
    println!("\n1. Two hosts, a gateway and a switch");
    let host = |port: &str, ip, gateway| {
        Host::new(port, ip, gateway).map_err(|e| format!("making host {port}: {e}"))
    };
    loopback().map_err(|e| format!("the loopback device: {e}"))?;
    let vm1 = host("vm1", VM1, Some(GATEWAY))?;
    let vm2 = host("vm2", VM2, Some(GATEWAY))?;
    let gateway = host("gw", GATEWAY, None)?;
    println!("   hosts vm1 {VM1}, vm2 {VM2} and gw {GATEWAY}, each a namespace with one cable");
    println!("   $ oxvs run &");
    let start = world.clock.now();
    world.start()?;
    let up = world.clock.now() - start;
    let ports = ["vm1", "vm2", "gw"];
    let mut args = vec!["add-br", "br0"];
    for port in ports {
        args.extend(["--", "add-port", "br0", port]);
    }
    world.tool("ovs-vsctl", &args)?;
    let first = world.wait(Duration::from_secs(5), |w| vm1.ping(&w.clock, VM2, 0).ok());
    let first = first.ok_or_else(|| "no packet gets from vm1 to vm2".to_string())?;
    println!(
        "   database and switch up after {}; first packet there and back {} after the start (that took {})",
        ms(up),
        ms(world.clock.now() - start),
        ms(first)
    );
    Ok(Hosts { vm1, vm2, _gateway: gateway })
}

fn pings(world: &mut World, hosts: &Hosts) -> Result<(), Stop> {
    println!("\n2. Ping: the switch learns addresses, packets go by its caches");
    let mut times = Vec::new();
    for n in 1..=10 {
        let t = hosts.vm1.ping(&world.clock, VM2, n).map_err(|e| format!("ping {VM1} -> {VM2}: {e}"))?;
        times.push(t);
    }
    times.sort();
    println!("   {VM1} -> {VM2}: 10 of 10 answered, median {}, best {}", ms(times[5]), ms(times[0]));
    for line in world.tool("ovs-appctl", &["fdb/show", "br0"])?.lines().take(4) {
        println!("     {line}");
    }
    Ok(())
}

/// The redirection; the LOCAL port's Ethernet address.
fn metadata(world: &mut World, hosts: &Hosts) -> Result<String, Stop> {
    println!("\n3. A cloud's metadata service: http://{METADATA}/ is answered by the host, {HOST}:{SERVICE}");
    let local = configure("br0", HOST).map_err(|e| format!("the port br0: {e}"))?.to_string();
    http::serve((HOST, SERVICE)).map_err(|e| format!("the server: {e}"))?;
    world.tool(
        "ovs-ofctl",
        &[
            "add-flow",
            "br0",
            &format!(
                "priority=100,tcp,nw_dst={METADATA},tp_dst=80,\
                 actions=mod_dl_dst:{local},mod_nw_dst:{HOST},mod_tp_dst:{SERVICE},LOCAL"
            ),
        ],
    )?;
    world.tool(
        "ovs-ofctl",
        &[
            "add-flow",
            "br0",
            &format!(
                "priority=100,in_port=LOCAL,tcp,nw_src={HOST},tp_src={SERVICE},\
                 actions=mod_nw_src:{METADATA},mod_tp_src:80,NORMAL"
            ),
        ],
    )?;
    for (name, host) in [("vm1", &hosts.vm1), ("vm2", &hosts.vm2)] {
        let start = world.clock.now();
        let body = ask(host).map_err(|e| format!("{name} gets no answer: {e}"))?;
        let took = world.clock.now() - start;
        println!("   {name}$ curl http://{METADATA}/latest/meta-data/   ({})", ms(took));
        println!("     {body}");
        if !body.contains(&host.ip.to_string()) {
            return Err(format!("{name} was taken for somebody else: {body}").into());
        }
    }
    Ok(local)
}

fn ask(host: &Host) -> io::Result<String> {
    http::get(&host.ns, METADATA, PATIENCE)
}

fn explained(world: &mut World, hosts: &Hosts, local: &str) -> Result<(), Stop> {
    println!("\n4. A drop, and why: vm2 may not ask any more");
    world.tool(
        "ovs-ofctl",
        &["add-flow", "br0", &format!("priority=200,tcp,in_port=vm2,nw_dst={METADATA},actions=drop")],
    )?;
    if let Ok(body) = ask(&hosts.vm2) {
        return Err(format!("vm2 still gets an answer: {body}").into());
    }
    println!("   vm2$ curl http://{METADATA}/latest/meta-data/   (nothing for {PATIENCE:?})");
    ask(&hosts.vm1).map_err(|e| format!("vm1 lost its answer as well: {e}"))?;
    let trace = |world: &World, port: &str, ip| {
        let flow = format!(
            "in_port={port},dl_src={},dl_dst={},tcp,nw_src={ip},nw_dst={METADATA},nw_ttl=64,tp_dst=80",
            mac(ip),
            mac(GATEWAY)
        );
        world.tool("ovs-appctl", &["ofproto/trace", "br0", &flow])
    };
    let dropped = trace(world, "vm2", VM2)?;
    show(&dropped);
    let passed = trace(world, "vm1", VM1)?;
    show(&passed);
    let actions = |t: &str| t.lines().find_map(|l| l.strip_prefix("Datapath actions: ")).map(str::to_string);
    if actions(&dropped).as_deref() != Some("drop") {
        return Err(format!("the trace does not say that it is dropped:\n{dropped}").into());
    }
    if !actions(&passed).is_some_and(|a| a.contains(local) && a.contains(&SERVICE.to_string())) {
        return Err(format!("the trace does not say that it is redirected:\n{passed}").into());
    }
    let flows = world.quietly("ovs-ofctl", &["dump-flows", "br0", &format!("tcp,nw_dst={METADATA}")])?;
    let hits = flows.lines().find(|l| l.ends_with("actions=drop")).and_then(|l| {
        let n = l.split("n_packets=").nth(1)?;
        n.split(',').next()
    });
    println!("   packets that this flow has dropped so far: {}", hits.unwrap_or("?"));
    Ok(())
}

/// A trace without its empty lines.
fn show(trace: &str) {
    for line in trace.lines().filter(|l| !l.trim().is_empty() && !l.trim().starts_with("---")) {
        println!("     {line}");
    }
}

fn ms(d: Duration) -> String {
    let ms = d.as_secs_f64() * 1e3;
    if ms < 10.0 { format!("{ms:.2} ms") } else { format!("{ms:.0} ms") }
}
