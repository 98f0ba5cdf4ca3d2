//! A cloud's metadata service: a virtual machine asks `http://169.254.169.254/`, flows send that to a server of the
//! host behind the bridge's LOCAL port, and rewrite the answers back. Real HTTP over real sockets, in four variants.

use base::Mac;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use testkit::frame::{ARP, IPV4, arp, ethernet, udp};
use testkit::http::{Client, Server, get};
use testkit::lan::{Spec, configure, mac_of};
use testkit::ofp::packet_out;
use testkit::ofp::{
    Actions, Connection, Controller, Flow, FlowRemoved, LOCAL, Match, NORMAL, PacketIn, kind,
};
use testkit::{Host, Options, Programs, Switch, can_make_hosts, wait_for};

const METADATA: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 254);
const HOST: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 253);
const SERVICE: u16 = 9002;
const URL: &str = "169.254.169.254:80";

/// A bridge with a gateway, a server on its LOCAL port and two virtual machines.
struct Cloud {
    vms: Vec<Host>,
    _gateway: Host,
    _server: Server,
    local: Mac,
    switch: Switch,
}

fn cloud(options: Options<'_>) -> Cloud {
    let s = Switch::start(Programs::of(env!("CARGO_BIN_EXE_oxvs")), options);
    s.bridge("br0", &[]);
    let vm = |n: u8| {
        let spec = Spec {
            port: &format!("vm{n}"),
            mac: Mac([2, 0, 0, 0, 0, n]),
            address: Some(&format!("10.0.0.{n}/24")),
            gateway: Some("10.0.0.254"),
        };
        s.host("br0", &spec, &[])
    };
    let vms = vec![vm(1), vm(2)];
    let gateway = s.numbered("br0", "gw", 254, &[]);
    configure(&s.ns, "br0", &format!("{HOST}/24")).unwrap();
    let local = mac_of(&s.ns, "br0").unwrap();
    let server = Server::start(&s.ns, SocketAddr::from((HOST, SERVICE)), "metadata").unwrap();
    Cloud { vms, _gateway: gateway, _server: server, local, switch: s }
}

#[test]
fn static_flows() {
    if !can_make_hosts() {
        return;
    }
    let c = cloud(Options::default());
    let s = &c.switch;
    s.flow(
        "br0",
        &format!(
            "priority=100,tcp,nw_dst={METADATA},tp_dst=80,\
             actions=mod_dl_dst:{},mod_nw_dst:{HOST},mod_tp_dst:{SERVICE},LOCAL",
            c.local
        ),
    );
    s.flow(
        "br0",
        &format!(
            "priority=100,in_port=LOCAL,tcp,nw_src={HOST},tp_src={SERVICE},\
             actions=mod_nw_src:{METADATA},mod_tp_src:80,NORMAL"
        ),
    );
    for (i, vm) in c.vms.iter().enumerate() {
        for _ in 0..3 {
            let body = get(&vm.ns, URL, "/latest").unwrap();
            assert!(body.starts_with(&format!("metadata 10.0.0.{}:", i + 1)), "{body}");
            assert!(body.ends_with(" GET /latest\n"), "{body}");
        }
    }
    if let Ok(out) = c.vms[0].command("curl", &["-sS", "-m", "5", "http://169.254.169.254/curl"]) {
        let body = String::from_utf8_lossy(&out.stdout).into_owned();
        assert!(body.starts_with("metadata 10.0.0.1:") && body.ends_with(" GET /curl\n"), "{out:?}");
    }
    // Traced, the rewriting is one of datapath actions.
    let trace = s.appctl(&[
        "ofproto/trace",
        "br0",
        "in_port=1,dl_src=02:00:00:00:00:01,dl_dst=02:00:00:00:00:fe,\
         tcp,nw_src=10.0.0.1,nw_dst=169.254.169.254,nw_ttl=64,tp_src=40000,tp_dst=80",
    ]);
    let actions = trace.lines().find_map(|l| l.strip_prefix("Datapath actions: ")).expect("datapath actions");
    assert!(
        actions.starts_with(&format!(
            "set(eth(dst={})),set(ipv4(dst=10.0.0.253)),set(tcp(dst={SERVICE})),",
            c.local
        )),
        "{trace}"
    );
    // Every packet is counted, those that went by the caches too.
    let aggregate = wait_for("the counters", || {
        let a = s.ofctl(&["dump-aggregate", "br0", "tcp,tp_dst=80"]);
        let n: u64 = a.split("packet_count=").nth(1)?.split(' ').next()?.parse().ok()?;
        (n >= 6 * 4).then_some(a)
    });
    assert!(aggregate.contains("flow_count=1"), "{aggregate}");
    s.assert_clean(&[]);
}

/// Installs two flows for each connection whose first packet it gets; flows that went are told by `removed`.
/// Returns how many packets it got of how many connections.
fn react(
    c: &mut Connection,
    local: Mac,
    stop: &AtomicBool,
    removed: &mut Vec<FlowRemoved>,
) -> (usize, usize) {
    let mut connections = Vec::new();
    let mut packets = 0;
    while !stop.load(Ordering::Relaxed) {
        let Some(frame) = c.receive(Duration::from_millis(20)).expect("the switch stays") else { continue };
        match frame.kind {
            kind::PACKET_IN => {
                let p = PacketIn::parse(&frame.body).expect("a packet-in");
                let (src, dst) = p.tcp().expect("a TCP segment");
                assert_eq!((dst, p.cookie, p.table), ((METADATA, 80), 0xfeed, 0));
                packets += 1;
                let to = Actions::none().eth_dst(local).tcp_dst(HOST, SERVICE).output(LOCAL);
                let back = Actions::none().tcp_src(METADATA, 80).output(p.in_port);
                if connections.contains(&src) {
                    c.send(kind::PACKET_OUT, &packet_out(p.in_port, &to, &p.packet)).unwrap();
                    continue;
                }
                connections.push(src);
                let flow = |when, then| Flow {
                    priority: 200,
                    cookie: 0x100 + connections.len() as u64,
                    idle: 300,
                    tell: true,
                    when,
                    then,
                    ..Flow::default()
                };
                c.send(
                    kind::FLOW_MOD,
                    &flow(Match::any().in_port(p.in_port).tcp(src, dst), to.clone()).add(),
                )
                .unwrap();
                let reply = Match::any().in_port(LOCAL).tcp((HOST, SERVICE), src);
                c.send(kind::FLOW_MOD, &flow(reply, back).add()).unwrap();
                c.send(kind::PACKET_OUT, &packet_out(p.in_port, &to, &p.packet)).unwrap();
            }
            kind::FLOW_REMOVED => removed.push(FlowRemoved::parse(&frame.body).expect("a flow-removed")),
            kind::ERROR => panic!("the switch refuses: {:?}", frame.body),
            _ => {}
        }
    }
    (packets, connections.len())
}

#[test]
fn reactive_controller() {
    if !can_make_hosts() {
        return;
    }
    // The clock of the switch can be moved; its devices stay real.
    let c = cloud(Options { switch: &["--enable-dummy"], ..Options::default() });
    let s = &c.switch;
    let controller = Controller::listen(&s.ns, 0).unwrap();
    s.vsctl(&["set", "bridge", "br0", "protocols=OpenFlow10,OpenFlow13", "fail_mode=secure"]);
    s.vsctl(&[
        "set-controller",
        "br0",
        &controller.target,
        "--",
        "set",
        "controller",
        "br0",
        "inactivity_probe=0",
        "connection_mode=out-of-band",
    ]);
    let mut connection = controller.accept();
    let first = Flow {
        priority: 100,
        cookie: 0xfeed,
        when: Match::any()
            .field(5, &[8, 0])
            .field(10, &[6])
            .field(12, &METADATA.octets())
            .field(14, &[0, 80]),
        then: Actions::none().output(testkit::ofp::CONTROLLER),
        ..Flow::default()
    };
    connection.send(kind::FLOW_MOD, &first.add()).unwrap();
    let normal = Flow { then: Actions::none().output(NORMAL), ..Flow::default() };
    connection.send(kind::FLOW_MOD, &normal.add()).unwrap();
    connection.barrier().unwrap();

    let stop = AtomicBool::new(false);
    let mut removed = Vec::new();
    let (packets, connections) = std::thread::scope(|t| {
        let reacting = t.spawn(|| react(&mut connection, c.local, &stop, &mut removed));
        // Ends the thread also when an assertion fails here.
        struct Stop<'a>(&'a AtomicBool);
        impl Drop for Stop<'_> {
            fn drop(&mut self) {
                self.0.store(true, Ordering::Relaxed);
            }
        }
        let end = Stop(&stop);
        for (i, vm) in c.vms.iter().enumerate() {
            for _ in 0..2 {
                let body = get(&vm.ns, URL, "/").unwrap();
                assert!(body.starts_with(&format!("metadata 10.0.0.{}:", i + 1)), "{body}");
            }
        }
        let mut long = Client::connect(&c.vms[0].ns, URL.parse().unwrap()).unwrap();
        assert!(long.get("/long").unwrap().ends_with(" GET /long\n"));
        let flows = s.flows("br0", &[]);
        assert_eq!(flows.iter().filter(|f| f.contains("idle_timeout=300")).count(), 10, "{flows:#?}");
        let mine = format!("tp_src={}", long.local().unwrap().port());
        assert!(flows.iter().any(|f| f.contains(&mine) && f.contains("send_flow_rem")), "{flows:#?}");
        // A connection in use keeps its flows over any time; the others lose theirs after 300 s.
        s.appctl(&["time/stop"]);
        for _ in 0..2 {
            s.appctl(&["time/warp", "200000", "10000"]);
            assert!(long.get("/again").unwrap().ends_with(" GET /again\n"));
            // Hosts keep real time: the acknowledgement that TCP delays, by up to 200 ms, is of this use still.
            sys::process::sleep(std::time::Duration::from_millis(300));
        }
        let flows = wait_for("idle flows to go", || {
            let f: Vec<String> =
                s.flows("br0", &[]).into_iter().filter(|f| f.contains("idle_timeout=300")).collect();
            (f.len() == 2).then_some(f)
        });
        assert!(flows.iter().any(|f| f.contains(&mine)), "{flows:#?}");
        s.appctl(&["time/warp", "400000", "10000"]);
        wait_for("the last flows to go", || {
            (!s.flows("br0", &[]).iter().any(|f| f.contains("idle_timeout"))).then_some(())
        });
        drop(end);
        reacting.join().unwrap()
    });
    assert_eq!(connections, 5);
    // The flows are there before the first segment goes on, so nothing of the connection follows it here.
    // (The reference's caches notice new flows a moment later.)
    assert!(packets == 5 || testkit::reference(), "{packets} packets of 5 connections");
    while removed.len() < 10 {
        let f = connection.expect(kind::FLOW_REMOVED).unwrap();
        removed.push(FlowRemoved::parse(&f.body).unwrap());
    }
    for r in &removed {
        assert_eq!((r.priority, r.reason, r.idle), (200, 0, 300), "{r:?}");
        // There: at least acknowledgement, request and end (the first segment went by the controller); back:
        // handshake, answer, end.
        assert!((r.packets >= 3 && r.bytes > 60 * r.packets) || testkit::reference(), "{r:?}");
        assert!((0x101..=0x105).contains(&r.cookie), "{r:?}");
    }
    s.assert_clean(&["time", "timeval", "Unreasonably long"]);
}

/// Two tenants with the same addresses. Each machine's source is translated to an address of its own behind LOCAL.
#[derive(Clone, Copy)]
struct Tenant {
    port: &'static str,
    vlan: u16,
    id: u8,
    /// What the metadata server sees in place of 10.0.0.1.
    seen: Ipv4Addr,
}

const TENANTS: [Tenant; 2] = [
    Tenant { port: "vma", vlan: 101, id: 1, seen: Ipv4Addr::new(172, 16, 1, 1) },
    Tenant { port: "vmb", vlan: 102, id: 2, seen: Ipv4Addr::new(172, 16, 2, 1) },
];
const VM: Mac = Mac([2, 0, 0, 0, 0, 1]);
const GATEWAY: Mac = Mac([2, 0, 0, 0, 1, 0xfe]);
const INSIDE: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);

/// Answers ARP requests for `ip` with `mac`, by moving fields about.
fn arp_responder(table: u8, more: &str, ip: &str, mac: Mac) -> String {
    let number = mac.0.iter().fold(0u64, |n, b| n << 8 | u64::from(*b));
    format!(
        "table={table},priority=100,{more}arp,arp_op=1,arp_tpa={ip},actions=\
         move:NXM_OF_ETH_SRC[]->NXM_OF_ETH_DST[],set_field:{mac}->eth_src,load:0x2->NXM_OF_ARP_OP[],\
         move:NXM_NX_ARP_SHA[]->NXM_NX_ARP_THA[],load:{number:#x}->NXM_NX_ARP_SHA[],\
         push:NXM_OF_ARP_TPA[],move:NXM_OF_ARP_SPA[]->NXM_OF_ARP_TPA[],pop:NXM_OF_ARP_SPA[],IN_PORT"
    )
}

/// The flows: 0 classifies and drops what is forged, 1 goes to the network's own table by the metadata field,
/// 11 and 12 are the networks.
fn tenant_flows(local: Mac) -> Vec<String> {
    let mut f =
        vec!["table=0,priority=0,actions=drop".to_string(), "table=1,priority=0,actions=drop".to_string()];
    f.push(arp_responder(0, "in_port=LOCAL,", "172.16.0.0/16", GATEWAY));
    for (n, t) in TENANTS.iter().enumerate() {
        let (vm, uplink, table, id, vlan, seen) = (n + 1, 3, 10 + t.id, t.id, t.vlan, t.seen);
        let classified = format!("set_field:{id}->metadata,resubmit(,1)");
        f.push(format!("table=0,priority=90,in_port={vm},vlan_tci=0/0x1fff,dl_src={VM},ip,nw_src={INSIDE},actions={classified}"));
        f.push(format!(
            "table=0,priority=90,in_port={vm},vlan_tci=0/0x1fff,dl_src={VM},arp,arp_spa={INSIDE},arp_sha={VM},actions={classified}"
        ));
        f.push(format!("table=0,priority=90,in_port={uplink},dl_vlan={vlan},actions=pop_vlan,{classified}"));
        f.push(format!(
            "table=0,priority=90,in_port=LOCAL,tcp,nw_src={HOST},tp_src={SERVICE},nw_dst={seen},\
             actions=set_field:{INSIDE}->ip_dst,{classified}"
        ));
        f.push(format!("table=1,priority=10,metadata={id},actions=resubmit(,{table})"));
        f.push(arp_responder(table, "", "10.0.0.254", GATEWAY));
        f.push(format!(
            "table={table},priority=90,tcp,nw_dst={METADATA},tp_dst=80,actions=set_field:{local}->eth_dst,set_field:{seen}->ip_src,\
             set_field:{HOST}->ip_dst,set_field:{SERVICE}->tcp_dst,LOCAL"
        ));
        f.push(format!(
            "table={table},priority=90,tcp,nw_src={HOST},tp_src={SERVICE},actions=set_field:{GATEWAY}->eth_src,set_field:{VM}->eth_dst,\
             set_field:{METADATA}->ip_src,set_field:80->tcp_src,output:{vm}"
        ));
        f.push(format!("table={table},priority=50,dl_dst={VM},actions=output:{vm}"));
        f.push(format!("table={table},priority=10,in_port={vm},actions=push_vlan:0x8100,set_field:{}->vlan_vid,output:{uplink}", 0x1000 | vlan));
        f.push(format!("table={table},priority=0,actions=drop"));
    }
    f
}

#[test]
fn networks_in_tables_and_arp_by_flows() {
    if !can_make_hosts() {
        return;
    }
    let s = Switch::start(Programs::of(env!("CARGO_BIN_EXE_oxvs")), Options::default());
    s.bridge("br0", &["fail_mode=secure", "protocols=OpenFlow10,OpenFlow13"]);
    let vms: Vec<Host> = TENANTS
        .iter()
        .map(|t| {
            let address = Some("10.0.0.1/24");
            s.host("br0", &Spec { port: t.port, mac: VM, address, gateway: Some("10.0.0.254") }, &[])
        })
        .collect();
    let peer = Mac([2, 0, 0, 0, 9, 9]);
    let uplink = s.host("br0", &Spec { port: "uplink", mac: peer, address: None, gateway: None }, &[]);
    configure(&s.ns, "br0", &format!("{HOST}/24")).unwrap();
    s.ns.run(|| {
        let mut r = sys::rtnl::Route::new()?;
        let index = r.link("br0")?.index;
        r.add_route((Ipv4Addr::new(172, 16, 0, 0).into(), 16), None, Some(index))
    })
    .unwrap()
    .unwrap();
    let local = mac_of(&s.ns, "br0").unwrap();
    let file = s.state.join("tenants.flows");
    std::fs::write(&file, format!("# two networks\n{}\n", tenant_flows(local).join("\n"))).unwrap();
    let file = file.display().to_string();
    s.ofctl(&["-OOpenFlow13", "add-flows", "br0", &file]);
    // The switch gives the flows back just as they were given.
    assert_eq!(s.ofctl(&["-OOpenFlow13", "diff-flows", "br0", &file]), "");

    let server = Server::start(&s.ns, SocketAddr::from((HOST, SERVICE)), "metadata").unwrap();
    for (vm, t) in vms.iter().zip(TENANTS) {
        let body = get(&vm.ns, URL, "/").unwrap();
        assert!(body.starts_with(&format!("metadata {}:", t.seen)), "{body}");
        // ARP for the gateway was answered by flows alone: nobody has its address.
        assert_eq!(vm.neighbour(Ipv4Addr::new(10, 0, 0, 254)), Some(GATEWAY));
    }
    // Both at once: replies find their network though addresses overlap.
    let mut both: Vec<Client> =
        vms.iter().map(|v| Client::connect(&v.ns, URL.parse().unwrap()).unwrap()).collect();
    for _ in 0..3 {
        for (c, t) in both.iter_mut().zip(TENANTS) {
            assert!(c.get("/both").unwrap().starts_with(&format!("metadata {}:", t.seen)));
        }
    }
    drop(server);

    // The uplink carries each network in its VLAN.
    let mut wire = uplink.raw().unwrap();
    let mut ends: Vec<_> = vms.iter().map(|v| v.raw().unwrap()).collect();
    let far = Ipv4Addr::new(10, 0, 0, 77);
    let soon = Duration::from_secs(3);
    let from = |m: Mac| move |f: &[u8]| f.len() > 14 && f[6..12] == m.0;
    // The machines ask for neighbours now and then: of them only UDP is looked at.
    let said = |f: &[u8]| f.len() >= 60 && f[6..12] == VM.0 && f.get(27) == Some(&17);
    for (i, t) in TENANTS.iter().enumerate() {
        let out = udp((INSIDE, 5000), (far, 5001 + i as u16), b"out");
        ends[i].send(&ethernet(peer, VM, None, IPV4, &out));
        let got = wire.receive(soon, said).expect("a frame on the uplink");
        assert_eq!(got[..64], ethernet(peer, VM, Some(t.vlan), IPV4, &out)[..64]);
        let back = udp((far, 5001), (INSIDE, 5000 + i as u16), b"back");
        wire.send(&ethernet(VM, peer, Some(t.vlan), IPV4, &back));
        let got = ends[i].receive(soon, from(peer)).expect("a frame from the uplink");
        assert_eq!(got[..60], ethernet(VM, peer, None, IPV4, &back)[..60]);
        let other = ends[1 - i].receive(Duration::from_millis(50), from(peer));
        assert_eq!(other, None, "a frame crossed over to the other network");
    }
    // Whoever forges an address, or comes in a foreign VLAN, is not heard.
    let bad = Mac([2, 0, 0, 0, 6, 6]);
    let forged = [
        ethernet(peer, bad, None, IPV4, &udp((INSIDE, 1), (far, 1), b"")),
        ethernet(peer, VM, None, IPV4, &udp((Ipv4Addr::new(10, 0, 0, 2), 1), (far, 1), b"")),
        ethernet(peer, VM, None, ARP, &arp(1, bad, INSIDE, Mac([0; 6]), far)),
        ethernet(peer, VM, None, ARP, &arp(1, VM, Ipv4Addr::new(10, 0, 0, 2), Mac([0; 6]), far)),
        ethernet(peer, VM, Some(102), IPV4, &udp((INSIDE, 9), (Ipv4Addr::new(9, 9, 9, 9), 1), b"")),
    ];
    for f in &forged {
        ends[0].send(f);
    }
    wire.send(&ethernet(VM, peer, Some(103), IPV4, &udp((far, 1), (INSIDE, 1), b"")));
    assert_eq!(
        wire.receive(Duration::from_millis(200), |f| said(f) || f[6..12] == bad.0),
        None,
        "a forged frame got out"
    );
    assert_eq!(ends[0].receive(Duration::from_millis(50), from(peer)), None);
    let drops = wait_for("the drops to be counted", || {
        let a = s.ofctl(&["-OOpenFlow13", "dump-aggregate", "br0", "table=0"]);
        let flows = s.ofctl(&["-OOpenFlow13", "dump-flows", "br0", "table=0"]);
        let dropped = flows.lines().find(|l| l.contains("priority=0 actions=drop"))?;
        let n: u64 = dropped.split("n_packets=").nth(1)?.split(',').next()?.parse().ok()?;
        (n >= 6).then_some(a)
    });
    assert!(drops.contains("flow_count=10"), "{drops}");
    // An ARP request, frame by frame.
    ends[0].send(&ethernet(
        Mac([0xff; 6]),
        VM,
        None,
        ARP,
        &arp(1, VM, INSIDE, Mac([0; 6]), Ipv4Addr::new(10, 0, 0, 254)),
    ));
    let reply = ends[0].receive(soon, from(GATEWAY)).expect("an ARP reply");
    let expected =
        ethernet(VM, GATEWAY, None, ARP, &arp(2, GATEWAY, Ipv4Addr::new(10, 0, 0, 254), VM, INSIDE));
    assert_eq!(reply[..42], expected[..42]);
    s.assert_clean(&[]);
}
