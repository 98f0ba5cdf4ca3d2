//! Faucet and Gauge, unmodified, as the controllers of a bridge with four hosts: VLANs, an access list, routing
//! between VLANs, and statistics.

use base::Mac;
use std::net::{Ipv4Addr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use testkit::lan::Spec;
use testkit::{Host, Options, Programs, Switch, TempDir, can_make_hosts, skip, wait_for};

const FAUCET: &str = "\
vlans:
  office: {vid: 100, faucet_vips: ['10.0.100.254/24'], faucet_mac: '0e:00:00:00:01:00'}
  guest: {vid: 200, faucet_vips: ['10.0.200.254/24'], faucet_mac: '0e:00:00:00:02:00'}
routers:
  between: {vlans: [office, guest]}
acls:
  no-game:
    - rule: {dl_type: 0x800, nw_proto: 17, udp_dst: 7777, actions: {allow: 0}}
    - rule: {actions: {allow: 1}}
dps:
  sw1:
    dp_id: 0x1
    hardware: Open vSwitch
    interfaces:
      1: {name: h1, native_vlan: office}
      2: {native_vlan: office, acl_in: no-game}
      3: {native_vlan: guest}
      4: {tagged_vlans: [guest]}
";

/// The directory of Faucet's programs: that of `OXVS_FAUCET`'s Python, or what `cargo xtask test` installs.
fn programs() -> Option<PathBuf> {
    let target = PathBuf::from(env!("CARGO_BIN_EXE_oxvs"));
    let installed = target.parent().and_then(Path::parent).map(|p| p.join("faucet/bin/python"));
    let python = std::env::var_os("OXVS_FAUCET").map(PathBuf::from).or(installed)?;
    let dir = python.parent()?.to_path_buf();
    if dir.join("gauge").is_file() {
        return Some(dir);
    }
    skip("no Faucet (OXVS_FAUCET, or `cargo xtask test`)");
    None
}

struct App(Child);

impl Drop for App {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts `faucet` or `gauge` in the switch's namespace.
fn app(s: &Switch, programs: &Path, name: &str, port: u16, dir: &TempDir) -> App {
    let said = std::fs::File::create(dir.join(format!("{name}.out"))).unwrap();
    let upper = name.to_uppercase();
    // What the program named so would execute.
    let mut c = Command::new(programs.join("osken-manager"));
    c.arg(format!("--ofp-tcp-listen-port={port}")).arg(format!("faucet.{name}"));
    c.env(format!("{upper}_CONFIG"), dir.join(format!("{name}.yaml")))
        .env(format!("{upper}_LOG"), dir.join(format!("{name}.log")))
        .env(format!("{upper}_EXCEPTION_LOG"), dir.join(format!("{name}.exceptions")))
        .env("FAUCET_PROMETHEUS_PORT", "9302")
        .env("GAUGE_PROMETHEUS_PORT", "9303")
        .env("FAUCET_EVENT_SOCK", "0")
        .current_dir(dir.path())
        .stdin(Stdio::null())
        .stdout(said.try_clone().unwrap())
        .stderr(said);
    s.prepare(&mut c);
    App(c.spawn().unwrap())
}

fn host(s: &Switch, number: u8, address: &str, gateway: &str) -> Host {
    let port = format!("h{number}");
    let mac = Mac([2, 0, 0, 0, 0, number]);
    let spec = Spec { port: &port, mac, address: Some(address), gateway: Some(gateway) };
    let request = format!("ofport_request={number}");
    s.host("br0", &spec, &["--", "set", "interface", &port, &request])
}

/// Whether a datagram from one host comes to the other's port.
fn datagram(from: &Host, to: &Host, port: u16, patience: Duration) -> bool {
    let receiver = to.ns.run(|| UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port))).unwrap().unwrap();
    let sender = from.ns.run(|| UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))).unwrap().unwrap();
    sender.send_to(b"hello", (to.ip.unwrap(), port)).unwrap();
    receiver.set_read_timeout(Some(patience)).unwrap();
    receiver.recv(&mut [0; 16]).is_ok_and(|n| n == 5)
}

#[test]
fn faucet_and_gauge() {
    if !can_make_hosts() {
        return;
    }
    let Some(programs) = programs() else { return };
    let s = Switch::start(Programs::of(env!("CARGO_BIN_EXE_oxvs")), Options::default());
    let dir = TempDir::new();
    std::fs::write(dir.join("faucet.yaml"), FAUCET).unwrap();
    let gauge = format!(
        "faucet_configs: ['{}']\n\
         watchers:\n\
         \x20 ports: {{dps: [sw1], type: port_stats, interval: 1, db: text}}\n\
         dbs:\n\
         \x20 text: {{type: text, file: '{}'}}\n",
        dir.join("faucet.yaml").display(),
        dir.join("ports.txt").display()
    );
    std::fs::write(dir.join("gauge.yaml"), gauge).unwrap();
    s.bridge(
        "br0",
        &[
            "other_config:datapath-id=0000000000000001",
            "other_config:disable-in-band=true",
            "fail_mode=secure",
        ],
    );
    let h1 = host(&s, 1, "10.0.100.1/24", "10.0.100.254");
    let h2 = host(&s, 2, "10.0.100.2/24", "10.0.100.254");
    let h3 = host(&s, 3, "10.0.200.3/24", "10.0.200.254");
    let (office, guest) = (Ipv4Addr::new(10, 0, 100, 254), Ipv4Addr::new(10, 0, 200, 254));
    host(&s, 4, "10.0.0.4/24", "10.0.0.254");
    let _faucet = app(&s, &programs, "faucet", 6653, &dir);
    let _gauge = app(&s, &programs, "gauge", 6654, &dir);
    s.vsctl(&["set-controller", "br0", "tcp:127.0.0.1:6653", "tcp:127.0.0.1:6654"]);
    let read = |file: &str| std::fs::read_to_string(dir.join(file)).unwrap_or_default();
    wait_for("Faucet to set up the switch", || read("faucet.log").contains("Port 4 ").then_some(()));

    let slow = Duration::from_secs(15);
    let why = || format!("{}\n{}", read("faucet.log"), read("faucet.out"));
    assert!(h1.pings_within(h2.ip.unwrap(), slow), "within a VLAN: {}", why());
    assert!(h1.pings_within(office, slow) && h3.pings_within(guest, slow), "the gateways: {}", why());
    assert!(h1.pings_within(h3.ip.unwrap(), slow), "between VLANs: {}", why());
    assert!(h3.pings(&h2), "and back: {}", why());
    // The access list is one of host 2.
    assert!(datagram(&h2, &h1, 7778, slow));
    assert!(!datagram(&h2, &h1, 7777, Duration::from_millis(700)));
    assert!(datagram(&h1, &h2, 7777, slow));
    // Gauge has counted.
    let packets = wait_for("statistics", || {
        let text = read("ports.txt");
        let last = text.lines().rfind(|l| l.contains("\tsw1-h1-packets-in\t"))?.to_string();
        last.rsplit('\t').next()?.parse::<u64>().ok().filter(|n| *n > 0)
    });
    assert!(packets > 5, "{packets}");
    for file in ["faucet.exceptions", "gauge.exceptions"] {
        assert_eq!(read(file), "");
    }
    s.assert_clean(&["connection failed", "rconn"]);
}
