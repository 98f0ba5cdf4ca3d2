//! Hosts on one switch without a controller: learning, VLANs, trunks.

use base::Mac;
use std::net::Ipv4Addr;
use std::time::Duration;
use testkit::frame::{IPV4, ethernet, udp};
use testkit::lan::Spec;
use testkit::{Options, Programs, Switch, can_make_hosts};

fn switch() -> Switch {
    Switch::start(Programs::of(env!("CARGO_BIN_EXE_oxvs")), Options::default())
}

const BROADCAST: Mac = Mac([0xff; 6]);

#[test]
fn hosts_ping_and_are_learnt() {
    if !can_make_hosts() {
        return;
    }
    let mut s = switch();
    s.bridge("br0", &[]);
    let a = s.numbered("br0", "a", 1, &[]);
    let b = s.numbered("br0", "b", 2, &["--", "set", "Interface", "b", "ofport_request=7"]);
    assert!(a.pings(&b));
    assert!(b.pings(&a));
    let port = s.vsctl(&["get", "Interface", "b", "ofport"]);
    assert_eq!(port, "7\n");
    let fdb = s.appctl(&["fdb/show", "br0"]);
    let learnt = |port: &str, mac: &str| {
        fdb.lines().any(|l| {
            let w: Vec<&str> = l.split_whitespace().collect();
            w.len() == 4 && w[0] == port && w[1] == "0" && w[2] == mac
        })
    };
    assert!(learnt("1", "02:00:00:00:00:01") && learnt("7", "02:00:00:00:00:02"), "{fdb}");
    // The LOCAL port is a host too.
    testkit::lan::configure(&s.ns, "br0", "10.0.0.254/24").unwrap();
    assert!(a.pings_within(Ipv4Addr::new(10, 0, 0, 254), Duration::from_secs(5)));
    // A port that goes away takes its host off the switch; when it is back, so is the host.
    s.vsctl(&["del-port", "b"]);
    assert!(a.does_not_ping(&b));
    s.vsctl(&["add-port", "br0", "b"]);
    assert!(a.pings(&b));
    // Counters reach the flow and the port.
    let aggregate = s.ofctl(&["dump-aggregate", "br0"]);
    assert!(aggregate.contains("flow_count=1"), "{aggregate}");
    assert!(!aggregate.contains("packet_count=0 "), "{aggregate}");
    s.assert_clean(&[]);
    s.stop();
}

#[test]
fn access_ports_keep_vlans_apart() {
    if !can_make_hosts() {
        return;
    }
    let s = switch();
    s.bridge("br0", &[]);
    let a10 = s.numbered("br0", "a10", 1, &["tag=10"]);
    let b10 = s.numbered("br0", "b10", 2, &["tag=10"]);
    let c20 = s.numbered("br0", "c20", 3, &["tag=20"]);
    assert!(a10.pings(&b10));
    assert!(a10.does_not_ping(&c20));
    s.vsctl(&["set", "port", "c20", "tag=10"]);
    assert!(a10.pings(&c20));
    s.assert_clean(&[]);
}

#[test]
fn trunks_carry_tags() {
    if !can_make_hosts() {
        return;
    }
    let s = switch();
    s.bridge("br0", &[]);
    let raw =
        |port: &'static str, n: u8| Spec { port, mac: Mac([2, 0, 0, 0, 0, n]), address: None, gateway: None };
    let access = s.host("br0", &raw("acc", 1), &["tag=10"]);
    let trunk = s.host("br0", &raw("trk", 2), &["trunks=10,20"]);
    let native = s.host("br0", &raw("nat", 3), &["tag=10", "vlan_mode=native-untagged", "trunks=20"]);
    let (mut a, mut t, mut n) = (access.raw().unwrap(), trunk.raw().unwrap(), native.raw().unwrap());
    let payload = udp((Ipv4Addr::new(10, 0, 0, 1), 1000), (Ipv4Addr::new(10, 0, 0, 2), 2000), b"hello");
    let of = |src: Mac, vlan| ethernet(BROADCAST, src, vlan, IPV4, &payload);
    let from = |m: Mac| move |f: &[u8]| f.len() >= 14 && f[6..12] == m.0;
    let soon = Duration::from_secs(3);
    // Untagged into the access port: tagged out of the trunk, untagged out of the native port.
    a.send(&of(access.mac, None));
    assert_eq!(t.receive(soon, from(access.mac)).unwrap()[..64], of(access.mac, Some(10))[..64]);
    assert_eq!(n.receive(soon, from(access.mac)).unwrap()[12..14], [8, 0]);
    // Tagged 10 into the trunk: untagged to the access port.
    t.send(&of(trunk.mac, Some(10)));
    assert_eq!(a.receive(soon, from(trunk.mac)).unwrap()[..60], of(trunk.mac, None)[..60]);
    n.receive(soon, from(trunk.mac)).unwrap();
    // Tagged 20: to the native port with its tag, not to the access port; tagged 30: to nobody.
    t.send(&of(trunk.mac, Some(20)));
    assert_eq!(n.receive(soon, from(trunk.mac)).unwrap()[12..16], [0x81, 0, 0, 20]);
    t.send(&of(trunk.mac, Some(30)));
    // What follows it on the same path comes alone: so nothing of 20 and 30 is still on its way.
    t.send(&of(trunk.mac, Some(10)));
    assert_eq!(a.receive(soon, from(trunk.mac)).unwrap()[12..14], [8, 0]);
    assert_eq!(n.receive(soon, from(trunk.mac)).unwrap()[12..14], [8, 0]);
    // Priority bits survive.
    t.send(&of(trunk.mac, Some(20 | 5 << 13)));
    assert_eq!(n.receive(soon, from(trunk.mac)).unwrap()[12..16], [0x81, 0, 0xa0, 20]);
    s.assert_clean(&["dropping VLAN 30 packet received on port trk"]);
}
