//! An operator's short session: the text of the tools, line by line, as recorded from Open vSwitch 3.5.0.

use testkit::programs::said;
use testkit::{Options, Programs, Switch, can_make_hosts};

#[test]
fn operator() {
    if !can_make_hosts() {
        return;
    }
    let s = Switch::start(Programs::of(env!("CARGO_BIN_EXE_oxvs")), Options::default());
    s.bridge(
        "br0",
        &[
            "protocols=OpenFlow10,OpenFlow13",
            "other_config:datapath-id=00000000000000aa",
            "other_config:hwaddr=02:00:00:00:00:aa",
        ],
    );
    let _hosts = [s.numbered("br0", "a", 1, &[]), s.numbered("br0", "b", 2, &["tag=7"])];
    s.vsctl(&["set", "Open_vSwitch", ".", "ovs_version=3.5.0"]);
    let uuid = s.vsctl(&["get", "Open_vSwitch", ".", "_uuid"]);
    let show = s.vsctl(&["show"]);
    let lines = |text: &str| text.lines().map(str::to_string).collect::<Vec<_>>();
    let mut shown = lines(&show);
    assert_eq!(shown.remove(0), uuid.trim());
    // Ports come in no particular order.
    let port = |name: &str| {
        let at = show.find(&format!("        Port {name}\n")).unwrap_or_else(|| panic!("{show}"));
        let rest = &show[at + 1..];
        let end = rest.find("        Port ").or(rest.find("    ovs_version")).unwrap_or(rest.len());
        format!(" {}", &rest[..end])
    };
    assert_eq!(shown[0], "    Bridge br0");
    assert_eq!(shown[1], "        datapath_type: netdev");
    assert_eq!(port("a"), "        Port a\n            Interface a\n");
    assert_eq!(port("b"), "        Port b\n            tag: 7\n            Interface b\n");
    assert_eq!(port("br0"), "        Port br0\n            Interface br0\n                type: internal\n");
    assert_eq!(shown.last().unwrap(), "    ovs_version: \"3.5.0\"");

    let flows = [
        "priority=10,in_port=a,dl_type=0x800,nw_proto=6,tp_dst=80,actions=mod_tp_dst:8080,output:b",
        "table=3,cookie=0x12,idle_timeout=60,dl_vlan=5,ip,nw_src=10.1.2.3/255.255.0.0,actions=strip_vlan,resubmit(,4)",
        "priority=0,actions=NORMAL",
        "table=4,arp,actions=load:0x2->NXM_OF_ARP_OP[],IN_PORT",
        "priority=5,ipv6,actions=drop",
    ];
    for f in flows {
        s.ofctl(&["add-flow", "br0", f]);
    }
    assert_eq!(
        lines(&s.ofctl(&["--no-stats", "dump-flows", "br0"])),
        [
            " priority=10,tcp,in_port=1,tp_dst=80 actions=mod_tp_dst:8080,output:2",
            " priority=5,ipv6 actions=drop",
            " priority=0 actions=NORMAL",
            " cookie=0x12, table=3, idle_timeout=60, ip,dl_vlan=5,nw_src=10.1.0.0/16 actions=strip_vlan,resubmit(,4)",
            " table=4, arp actions=load:0x2->NXM_OF_ARP_OP[],IN_PORT",
        ]
    );
    // In version 1.3 the same flows have its words, and a flag.
    assert_eq!(
        s.ofctl(&["-OOpenFlow13", "--no-stats", "dump-flows", "br0", "tcp"]),
        " reset_counts priority=10,tcp,in_port=1,tp_dst=80 actions=set_field:8080->tcp_dst,output:2\n"
    );
    let stats = s.ofctl(&["dump-flows", "br0", "table=4"]);
    let stats =
        stats.strip_prefix("NXST_FLOW reply (xid=0x").and_then(|s| s.split_once("):\n")).expect("a head").1;
    let (head, tail) = (stats.split("duration=").next().unwrap(), stats.split("s, table=").nth(1).unwrap());
    assert_eq!(head, " cookie=0x0, ");
    assert_eq!(
        tail,
        "4, n_packets=0, n_bytes=0, idle_age=0, arp actions=load:0x2->NXM_OF_ARP_OP[],IN_PORT\n"
    );
    s.ofctl(&["mod-flows", "br0", "ipv6,actions=LOCAL"]);
    s.ofctl(&["--strict", "del-flows", "br0", "priority=0"]);
    s.ofctl(&["del-flows", "br0", "table=4"]);
    // The kernel's own frames may have hit a flow.
    let aggregate = s.ofctl(&["dump-aggregate", "br0"]);
    assert!(aggregate.contains(": packet_count=") && aggregate.ends_with(" flow_count=3\n"), "{aggregate}");
    assert_eq!(s.ofctl(&["--no-stats", "dump-flows", "br0", "ipv6"]), " priority=5,ipv6 actions=LOCAL\n");

    let desc = s.ofctl(&["show", "br0"]);
    let desc = desc.replace(|c: char| c.is_ascii_control() && c != '\n', "");
    let first: Vec<&str> = desc.lines().take(3).collect();
    assert!(
        first[0].starts_with("OFPT_FEATURES_REPLY (xid=0x") && first[0].ends_with("): dpid:00000000000000aa"),
        "{desc}"
    );
    assert_eq!(first[1], "n_tables:254, n_buffers:0");
    assert_eq!(first[2], "capabilities: FLOW_STATS TABLE_STATS PORT_STATS QUEUE_STATS ARP_MATCH_IP");
    for line in [
        " LOCAL(br0): addr:02:00:00:00:00:aa",
        "actions: output enqueue set_vlan_vid set_vlan_pcp strip_vlan mod_dl_src mod_dl_dst mod_nw_src mod_nw_dst mod_nw_tos mod_tp_src mod_tp_dst",
    ] {
        assert!(desc.lines().any(|l| l == line), "{line}\n{desc}");
    }

    // What is wrong is said as the reference says it, and changes nothing.
    let refused: [(&str, &[&str], i32, &str); 8] = [
        (
            "ovs-vsctl",
            &["add-br", "br0"],
            1,
            "ovs-vsctl: cannot create a bridge named br0 because a bridge named br0 already exists\n",
        ),
        ("ovs-vsctl", &["del-port", "nowhere"], 1, "ovs-vsctl: no port named nowhere\n"),
        (
            "ovs-vsctl",
            &["get", "Bridge", "br0", "colour"],
            1,
            "ovs-vsctl: Bridge does not contain a column whose name matches \"colour\"\n",
        ),
        ("ovs-vsctl", &["frob"], 1, "ovs-vsctl: unknown command 'frob'; use --help for help\n"),
        ("ovs-ofctl", &["add-flow", "br0", "in_port=1"], 1, "ovs-ofctl: must specify an action\n"),
        (
            "ovs-ofctl",
            &["add-flow", "br0", "ip,nw_src=10.0.0.1/40,actions=drop"],
            1,
            "ovs-ofctl: 10.0.0.1/40: IPv4 network prefix bits not between 0 and 32, inclusive\n",
        ),
        ("ovs-ofctl", &["dump-flows", "br9"], 1, "ovs-ofctl: br9 is not a bridge or a socket\n"),
        (
            "ovs-appctl",
            &["fdb/show", "br9"],
            2,
            "no such bridge\novs-appctl: ovs-vswitchd: server returned an error\n",
        ),
    ];
    for (program, args, status, message) in refused {
        let out = s.run(program, args);
        let (stdout, stderr) = said(&out);
        assert_eq!(
            (stdout.as_str(), stderr.as_str(), out.status.code()),
            ("", message, Some(status)),
            "{program} {args:?}"
        );
    }
    assert_eq!(s.flows("br0", &[]).len(), 3);
    s.vsctl(&["del-br", "br0"]);
    assert_eq!(s.vsctl(&["list-br"]), "");
    s.assert_clean(&[]);
}
