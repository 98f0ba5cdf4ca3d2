//! In-band control with real hosts: the controller is reached through the switch that it controls, and nothing that it
//! does to the tables cuts it off. Names begin with the items of the project's checklist that they hold up.

use base::Mac;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;
use sys::rtnl::Route;
use testkit::lan::{Spec, configure};
use testkit::ofp::{Connection, Controller, Flow, kind};
use testkit::{Host, Options, Programs, Switch, can_make_hosts, wait_for};

const PORT: u16 = 6653;
const LOCAL: &str = "10.5.0.1/24";
const GATEWAY: Ipv4Addr = Ipv4Addr::new(10, 5, 0, 254);

fn switch() -> Switch {
    Switch::start(Programs::of(env!("CARGO_BIN_EXE_oxvs")), Options::default())
}

fn spec<'a>(port: &'a str, n: u8, address: &'a str, gateway: Option<&'a str>) -> Spec<'a> {
    Spec { port, mac: Mac([2, 0, 0, 0, 5, n]), address: Some(address), gateway }
}

/// A bridge that does only what its flows say, with an address on its local port.
fn in_band_bridge(s: &Switch, name: &str, address: &str) {
    s.bridge(name, &["fail_mode=secure", "protocols=OpenFlow13"]);
    configure(&s.ns, name, address).unwrap();
}

fn set_controller(s: &Switch, bridge: &str, target: &str) {
    s.vsctl(&["set-controller", bridge, target, "--", "set", "controller", bridge, "max_backoff=1000"]);
}

/// Deletes all flows, and has all that is left dropped.
fn cut_everything(c: &mut Connection) {
    let delete =
        [&[0u8; 17][..], &[3, 0, 0, 0, 0, 0, 0], &[0xff; 12], &[0; 4], &[0, 1, 0, 4, 0, 0, 0, 0]].concat();
    c.send(kind::FLOW_MOD, &delete).unwrap();
    c.send(kind::FLOW_MOD, &Flow { priority: 65535, ..Flow::default() }.add()).unwrap();
    c.barrier().unwrap();
    // And once more, over what is there now.
    c.barrier().unwrap();
}

/// Hidden flows of a bridge: (priority - 180000, match).
fn rules(s: &Switch, bridge: &str) -> Vec<(u32, String)> {
    let text = s.appctl(&["bridge/dump-flows", bridge]);
    let mut all: Vec<(u32, String)> = text
        .lines()
        .filter_map(|l| {
            let (priority, rest) = l.split_once("priority=")?.1.split_once(',')?;
            let letter = priority.parse::<u32>().ok()?.checked_sub(180_000)?;
            Some((letter, rest.strip_suffix(",actions=NORMAL")?.to_string()))
        })
        .collect();
    all.sort();
    all
}

fn letters(s: &Switch, bridge: &str) -> String {
    let mut all: Vec<char> = rules(s, bridge).iter().map(|(n, _)| (b'a' + *n as u8) as char).collect();
    all.dedup();
    all.into_iter().collect()
}

/// Whether a host that knows its next hop's Ethernet address can connect. (Its question after that address is the one
/// thing that the rules do not let through: its own switch's rule c would have to, and it has none.)
fn reaches(from: &Host, to: SocketAddr, next_hop: (Ipv4Addr, Mac)) -> bool {
    from.ns
        .run(|| -> std::io::Result<()> {
            let mut r = Route::new()?;
            let index = r.link("eth0")?.index;
            r.add_neighbour(index, next_hop.0.into(), next_hop.1)
        })
        .unwrap()
        .unwrap();
    let connect = || TcpStream::connect_timeout(&to, Duration::from_secs(3));
    from.ns.run(connect).unwrap().is_ok_and(|mut s| s.write_all(b"x").is_ok())
}

/// A host that passes packets on between the bridge (`eth0`) and a network behind it.
fn router(s: &Switch, bridge: &str) -> Host {
    let g = s.host(bridge, &spec("g", 0xfe, "10.5.0.254/24", None), &[]);
    g.ns.run(|| std::fs::write("/proc/sys/net/ipv4/ip_forward", "1")).unwrap().unwrap();
    g
}

fn route_through_gateway(s: &Switch, bridge: &str) {
    s.ns.run(|| -> std::io::Result<()> {
        let mut r = Route::new()?;
        let index = r.link(bridge)?.index;
        r.add_route(("10.9.0.0".parse().unwrap(), 24), Some(GATEWAY.into()), Some(index))
    })
    .unwrap()
    .unwrap();
}

const ALLOWED: &[&str] =
    &["rconn", "connection failed", "stream_tcp", "in_band", "connmgr", "fail_open", "connection dropped"];

#[test]
fn ib_80_84_06_locally_connected() {
    if !can_make_hosts() {
        return;
    }
    let s = switch();
    in_band_bridge(&s, "br0", LOCAL);
    let c = s.host("br0", &spec("c", 2, "10.5.0.2/24", None), &[]);
    let other = s.host("br0", &spec("o", 3, "10.5.0.3/24", None), &[]);
    let controller = Controller::listen_at(&c.ns, Ipv4Addr::new(10, 5, 0, 2), PORT).unwrap();
    set_controller(&s, "br0", "tcp:10.5.0.2:6653");
    let mut conn = controller.accept();
    cut_everything(&mut conn);
    assert!(!other.pings_within(Ipv4Addr::new(10, 5, 0, 2), Duration::from_millis(900)));
    // IB-03: not a trace of it for controllers.
    assert_eq!(
        s.ofctl(&["--no-stats", "-O", "OpenFlow13", "dump-flows", "br0"]).trim(),
        "priority=65535 actions=drop"
    );
    assert!(s.ofctl(&["-O", "OpenFlow13", "dump-aggregate", "br0"]).contains("flow_count=1"));
    assert!(s.ofctl(&["-O", "OpenFlow13", "dump-tables", "br0"]).contains("active=1"));
    // IB-82: another switch's connection to the same controller passes too, and nothing else of it.
    assert!(reaches(&other, "10.5.0.2:6653".parse().unwrap(), (c.ip.unwrap(), c.mac)));
    wait_for("the next hop to be known", || (letters(&s, "br0") == "abcdefghi").then_some(()));
    let shown = s.appctl(&["in-band/show", "br0"]);
    assert!(shown.contains("remote 10.5.0.2:6653: directly dev br0, next hop 02:00:00:00:05:02"), "{shown}");
    // A controller that restarts is found again, in spite of the flow that drops all.
    drop((conn, controller));
    let controller = Controller::listen_at(&c.ns, Ipv4Addr::new(10, 5, 0, 2), PORT).unwrap();
    let mut conn = controller.accept();
    conn.barrier().unwrap();
    // Without in-band control it is cut off.
    s.vsctl(&["set", "bridge", "br0", "other_config:disable-in-band=true"]);
    wait_for("the rules to go", || letters(&s, "br0").is_empty().then_some(()));
    conn.send(kind::BARRIER_REQUEST, &[]).unwrap();
    assert!(conn.receive(Duration::from_millis(500)).unwrap().is_none());
    s.vsctl(&["remove", "bridge", "br0", "other_config", "disable-in-band"]);
    assert!(conn.expect(kind::BARRIER_REPLY).is_ok());
    s.vsctl(&["del-controller", "br0"]);
    assert_eq!(letters(&s, "br0"), "");
    s.assert_clean(ALLOWED);
}

#[test]
fn ib_81_83_through_a_gateway_whose_address_changes() {
    if !can_make_hosts() {
        return;
    }
    let s = switch();
    in_band_bridge(&s, "br0", LOCAL);
    let g = router(&s, "br0");
    let c = Host::new(&g.ns, &spec("c", 2, "10.9.0.2/24", Some("10.9.0.1"))).unwrap();
    configure(&g.ns, "c", "10.9.0.1/24").unwrap();
    let other = s.host("br0", &spec("o", 3, "10.5.0.3/24", Some("10.5.0.254")), &[]);
    route_through_gateway(&s, "br0");
    let controller = Controller::listen_at(&c.ns, Ipv4Addr::new(10, 9, 0, 2), PORT).unwrap();
    set_controller(&s, "br0", "tcp:10.9.0.2:6653");
    let mut conn = controller.accept();
    cut_everything(&mut conn);
    let next_hop = |mac: &str| {
        let text = format!("arp,dl_dst={mac},arp_op=2");
        wait_for("the gateway's address", || rules(&s, "br0").contains(&(3, text.clone())).then_some(()));
    };
    next_hop("02:00:00:00:05:fe");
    // IB-83: the other switch behind ours finds the gateway and, through it, the controller.
    assert!(reaches(&other, "10.9.0.2:6653".parse().unwrap(), (GATEWAY, g.mac)));
    // It has gone before the way is cut: else it would stand first in the controller's queue for ever.
    assert_eq!(controller.visitor().unwrap(), b"x");
    // The gateway is replaced; when the system knows, d and e follow.
    g.ns.run(|| -> std::io::Result<()> {
        let mut r = Route::new()?;
        let index = r.link("eth0")?.index;
        r.set_up(index, false)?;
        r.set_mac(index, Mac([2, 0, 0, 0, 5, 0xfd]))?;
        r.set_up(index, true)
    })
    .unwrap()
    .unwrap();
    s.ns.run(|| -> std::io::Result<()> {
        let mut r = Route::new()?;
        let index = r.link("br0")?.index;
        r.add_neighbour(index, GATEWAY.into(), Mac([2, 0, 0, 0, 5, 0xfd]))
    })
    .unwrap()
    .unwrap();
    next_hop("02:00:00:00:05:fd");
    // The old connection may not have outlived the change.
    drop(conn);
    controller.accept().barrier().unwrap();
    s.assert_clean(ALLOWED);
}

#[test]
fn ib_85_a_controller_behind_another_bridge_of_the_host() {
    if !can_make_hosts() {
        return;
    }
    let s = switch();
    in_band_bridge(&s, "br0", LOCAL);
    s.bridge("br1", &["fail_mode=secure", "protocols=OpenFlow13"]);
    // A router between the bridges: its second cable goes into the switch's namespace too.
    let g = router(&s, "br0");
    let (inner, outer) = ("gx", "g2");
    g.ns.run(|| -> std::io::Result<()> {
        let mut r = Route::new()?;
        r.add_veth(inner, outer, Some(std::os::fd::AsFd::as_fd(&s.ns)))
    })
    .unwrap()
    .unwrap();
    configure(&g.ns, inner, "10.9.0.1/24").unwrap();
    s.ns.run(|| -> std::io::Result<()> {
        let mut r = Route::new()?;
        let index = r.link(outer)?.index;
        r.set_up(index, true)
    })
    .unwrap()
    .unwrap();
    s.vsctl(&["add-port", "br1", outer]);
    let c = s.host("br1", &spec("c", 2, "10.9.0.2/24", Some("10.9.0.1")), &[]);
    route_through_gateway(&s, "br0");
    let controller = Controller::listen_at(&c.ns, Ipv4Addr::new(10, 9, 0, 2), PORT).unwrap();
    set_controller(&s, "br0", "tcp:10.9.0.2:6653");
    // br1 has the same controller; until it has, nothing passes it. Its rules let through what the controller asks, not
    // what is asked about it, so the router knows it beforehand.
    g.ns.run(|| -> std::io::Result<()> {
        let mut r = Route::new()?;
        let index = r.link(inner)?.index;
        r.add_neighbour(index, Ipv4Addr::new(10, 9, 0, 2).into(), c.mac)
    })
    .unwrap()
    .unwrap();
    set_controller(&s, "br1", "tcp:10.9.0.2:6653");
    // Rules d and e come when the router's address is known, which may be at once.
    wait_for("rules f to i", || (letters(&s, "br1").replace(['d', 'e'], "") == "abcfghi").then_some(()));
    let (mut one, mut two) = (controller.accept(), controller.accept());
    assert_ne!(one.datapath, two.datapath);
    cut_everything(&mut one);
    cut_everything(&mut two);
    one.barrier().unwrap();
    two.barrier().unwrap();
    s.assert_clean(ALLOWED);
}
