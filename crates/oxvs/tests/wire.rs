//! A decoder that is not ours reads all OpenFlow that the switch and `ovs-ofctl` say.

use std::process::{Command, Stdio};
use std::time::Duration;
use testkit::ofp::{Actions, CONTROLLER, Controller, Flow, Match, kind, packet_out};
use testkit::{Options, Programs, Switch, can_make_hosts, skip, wait_for};

/// A conversation with every kind of message, over TCP.
fn talk(s: &Switch, controller: &Controller) {
    let host = s.numbered("br0", "a", 1, &[]);
    let other = s.numbered("br0", "b", 2, &[]);
    s.vsctl(&[
        "set-controller",
        "br0",
        "ptcp:6654:127.0.0.1",
        &controller.target,
        "--",
        "set",
        "bridge",
        "br0",
        "protocols=OpenFlow10,OpenFlow13",
        "fail_mode=secure",
    ]);
    let mut c = controller.accept();
    let to_controller = Flow {
        priority: 1,
        cookie: 0x77,
        hard: 1,
        tell: true,
        then: Actions::none().output(CONTROLLER),
        ..Flow::default()
    };
    c.send(kind::FLOW_MOD, &to_controller.add()).unwrap();
    c.barrier().unwrap();
    assert!(!host.pings_within(other.ip.unwrap(), Duration::from_millis(100)));
    let packet = c.expect(kind::PACKET_IN).unwrap();
    let packet = testkit::ofp::PacketIn::parse(&packet.body).unwrap();
    c.send(kind::PACKET_OUT, &packet_out(packet.in_port, &Actions::none().output(2), &packet.packet))
        .unwrap();
    c.expect(kind::FLOW_REMOVED).unwrap();
    // Roles, an error, all of the statistics that both versions share.
    c.send(kind::ROLE_REQUEST, &[0; 16]).unwrap();
    c.expect(kind::ROLE_REPLY).unwrap();
    let wrong = Flow { table: 255, when: Match::any().in_port(1), ..Flow::default() };
    c.send(kind::FLOW_MOD, &wrong.add()).unwrap();
    wait_for("an error", || c.receive(Duration::from_secs(1)).unwrap().filter(|f| f.kind == kind::ERROR));
    s.vsctl(&["del-port", "b"]);
    c.expect(kind::PORT_STATUS).unwrap();
    for version in ["OpenFlow10", "OpenFlow13"] {
        let o = format!("-O{version}");
        let to = "tcp:127.0.0.1:6654";
        let run = |args: &[&str]| s.ofctl(&[&[o.as_str()], args].concat());
        run(&[
            "add-flow",
            to,
            "priority=9,tcp,in_port=1,tp_dst=80,actions=mod_dl_src:02:00:00:00:00:07,output:1",
        ]);
        run(&[
            "add-flow",
            to,
            "table=2,cookie=7,arp,arp_op=1,actions=load:2->NXM_OF_ARP_OP[],resubmit(,3),push:NXM_OF_ARP_SPA[],pop:NXM_OF_ARP_TPA[],IN_PORT",
        ]);
        run(&["add-flow", to, "ipv6,icmp6,icmp_type=135,nd_target=fd00::1,actions=CONTROLLER:128"]);
        run(&["add-flow", to, "dl_vlan=5,actions=strip_vlan,NORMAL"]);
        run(&["mod-flows", to, "tcp,actions=drop"]);
        for what in
            ["dump-flows", "dump-aggregate", "dump-tables", "dump-ports", "dump-desc", "show", "get-frags"]
        {
            run(&[what, to]);
        }
        run(&["dump-ports-desc", to]);
        run(&["mod-port", to, "1", "no-flood"]);
        run(&[
            "packet-out",
            to,
            "in_port=local packet=ffffffffffff0200000000010806000000000000000000000000000000000000000000000000000000000000 actions=output:1",
        ]);
        run(&["probe", to]);
        run(&["del-flows", to]);
    }
}

#[test]
fn tshark_decodes_all_of_it() {
    if !can_make_hosts() {
        return;
    }
    if Command::new("tshark").arg("-v").stdout(Stdio::null()).stderr(Stdio::null()).status().is_err() {
        return skip("no tshark (`cargo xtask test` installs it)");
    }
    let s = Switch::start(Programs::of(env!("CARGO_BIN_EXE_oxvs")), Options::default());
    s.bridge("br0", &[]);
    let controller = Controller::listen(&s.ns, 0).unwrap();
    let file = s.state.join("openflow.pcapng");
    let errors = s.state.join("tshark.stderr");
    let mut capture = Command::new("tshark");
    capture
        .args(["-q", "-B", "64", "-i", "lo", "-f", "tcp", "-w"])
        .arg(&file)
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    capture.stderr(std::fs::File::create(&errors).unwrap());
    s.prepare(&mut capture);
    let mut capture = capture.spawn().unwrap();
    let read = || std::fs::read_to_string(&errors).unwrap_or_default();
    wait_for("tshark to capture", || (read().contains("Capturing on") && file.exists()).then_some(()));
    talk(&s, &controller);
    let size = || std::fs::metadata(&file).map_or(0, |m| m.len());
    let mut last = 0;
    wait_for("all to be written", || {
        sys::process::sleep(Duration::from_millis(300));
        let now = size();
        let still = now > 0 && now == last;
        last = now;
        still.then_some(())
    });
    sys::signal::kill(capture.id() as i32, 2).unwrap();
    capture.wait().unwrap();
    let port = controller.port().to_string();
    let decode = |args: &[&str]| {
        let mut c = Command::new("tshark");
        c.arg("-n").arg("-r").arg(&file).args(["-d", "tcp.port==6654,openflow"]);
        c.args(["-d", &format!("tcp.port=={port},openflow")]).args(args);
        let out = c.output().unwrap();
        String::from_utf8_lossy(&out.stdout).into_owned()
    };
    let v1 = decode(&["-Y", "openflow_v1", "-T", "fields", "-e", "openflow_1_0.type"]);
    let v4 = decode(&["-Y", "openflow_v4", "-T", "fields", "-e", "openflow_v4.type"]);
    let kinds = |text: &str| {
        let mut all: Vec<u8> = text.split([',', '\n']).filter_map(|t| t.trim().parse().ok()).collect();
        all.sort_unstable();
        all.dedup();
        all
    };
    let (k1, k4) = (kinds(&v1), kinds(&v4));
    for k in [0, 5, 6, 13, 14, 16, 17] {
        assert!(k1.contains(&k), "no message of type {k} in version 1.0: {k1:?}");
    }
    for k in [0, 1, 5, 6, 9, 10, 11, 12, 13, 14, 18, 19, 20, 21, 24, 25] {
        assert!(k4.contains(&k), "no message of type {k} in version 1.3: {k4:?}");
    }
    // The decoder takes a version 1.0 flow-mod without actions (72 bytes: a deletion, a drop), which the
    // specification allows, for malformed.
    let malformed = decode(&["-Y", "_ws.malformed", "-T", "fields", "-e", "tcp.payload"]);
    let malformed: Vec<&str> = malformed.lines().filter(|l| !l.starts_with("010e0048")).collect();
    let beginnings: Vec<&str> = malformed.iter().map(|l| l.get(..160).unwrap_or(l)).collect();
    assert!(malformed.is_empty(), "{beginnings:#?}");
}
