//! Controllers: the switch's behaviour with, without and again with one; and programs that other people wrote.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use testkit::ofp::{Actions, Controller, FLOOD, Flow, kind};
use testkit::programs::said;
use testkit::{Options, Programs, Switch, TempDir, can_make_hosts, skip, wait_for};

fn switch() -> Switch {
    Switch::start(Programs::of(env!("CARGO_BIN_EXE_oxvs")), Options::default())
}

/// What the controllers of a bridge are told to be like: out of band, quick to come back.
const EAGER: [&str; 6] =
    ["--", "set", "Controller", "br0", "connection_mode=out-of-band", "max_backoff=1000"];

#[test]
fn fail_modes_and_reconnection() {
    if !can_make_hosts() {
        return;
    }
    let s = switch();
    s.bridge("br0", &["protocols=OpenFlow13", "fail_mode=secure"]);
    let a = s.numbered("br0", "a", 1, &[]);
    let b = s.numbered("br0", "b", 2, &[]);
    // Secure and alone: nothing moves.
    assert!(a.does_not_ping(&b));
    let controller = Controller::listen(&s.ns, 0).unwrap();
    let target = controller.target.clone();
    s.vsctl(&[&["set-controller", "br0", target.as_str()], EAGER.as_slice()].concat());
    let mut c = controller.accept();
    let dpid = s.vsctl(&["get", "bridge", "br0", "datapath_id"]);
    assert_eq!(dpid.trim(), format!("\"{:016x}\"", c.datapath));
    wait_for("the database to say so", || {
        (s.vsctl(&["get", "controller", "br0", "is_connected"]) == "true\n").then_some(())
    });
    assert!(a.does_not_ping(&b));
    let flood = Flow { cookie: 5, then: Actions::none().output(FLOOD), ..Flow::default() };
    c.send(kind::FLOW_MOD, &flood.add()).unwrap();
    c.barrier().unwrap();
    assert!(a.pings(&b));
    // The controller goes: its flows stay.
    let port = controller.port();
    drop((c, controller));
    wait_for("the loss to be seen", || {
        (s.vsctl(&["get", "controller", "br0", "is_connected"]) == "false\n").then_some(())
    });
    assert!(a.pings(&b));
    assert_eq!(s.flows("br0", &[]), ["cookie=0x5, priority=0 actions=FLOOD"]);
    // It comes back at the same place, and finds them.
    let controller = Controller::listen(&s.ns, port).unwrap();
    let mut c = controller.accept();
    let delete =
        [&[0u8; 17][..], &[3, 0, 0, 0, 0, 0, 0], &[0xff; 12], &[0; 4], &[0, 1, 0, 4, 0, 0, 0, 0]].concat();
    c.send(kind::FLOW_MOD, &delete).unwrap();
    c.barrier().unwrap();
    wait_for("silence", || a.does_not_ping(&b).then_some(()));
    drop((c, controller));
    // Standalone: without a controller, after a while, it switches by itself.
    s.vsctl(&[
        "set-fail-mode",
        "br0",
        "standalone",
        "--",
        "set",
        "controller",
        "br0",
        "inactivity_probe=1000",
    ]);
    assert!(a.pings_within(b.ip.unwrap(), Duration::from_secs(20)));
    // And again when nobody is to control it.
    s.vsctl(&["del-controller", "br0", "--", "del-fail-mode", "br0"]);
    assert!(a.pings(&b));
    s.assert_clean(&["rconn", "connection failed", "standalone", "fail_open", "fail-open", "stream_tcp"]);
}

/// A controller that pauses a packet and resumes it, as `ovs-ofctl monitor BRIDGE resume` does: the packet goes on with
/// its registers, its stack and the rest of its actions.
#[test]
fn a_paused_packet_goes_on() {
    if !can_make_hosts() {
        return;
    }
    let options = Options { switch: &["--enable-dummy=override"], ..Options::default() };
    let s = Switch::start(Programs::of(env!("CARGO_BIN_EXE_oxvs")), options);
    s.vsctl(&["add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=dummy", "fail_mode=secure"]);
    s.vsctl(&["add-port", "br0", "p1", "--", "set", "interface", "p1", "ofport_request=1"]);
    s.vsctl(&["add-port", "br0", "p2", "--", "set", "interface", "p2", "ofport_request=2"]);
    s.flow(
        "br0",
        "in_port=1,actions=load:7->NXM_NX_REG1[],push:NXM_NX_REG1[],load:1->NXM_NX_REG0[],\
                   controller(pause,userdata=01.02),pop:NXM_NX_REG2[],resubmit(,1)",
    );
    s.flow("br0", "table=1,reg0=1,reg1=7,reg2=7,actions=2");
    let out = s.state.join("monitor");
    let said_by_it = std::fs::File::create(&out).unwrap();
    let mut c = s.command("ovs-ofctl");
    c.args(["-P", "nxt_packet_in2", "monitor", "br0", "resume"]).stdin(Stdio::null());
    c.stdout(said_by_it.try_clone().unwrap()).stderr(said_by_it);
    let _monitor = App(c.spawn().unwrap());
    wait_for("the monitor", || {
        s.appctl(&["netdev-dummy/receive", "p1", "00000000000200000000000112340000"]);
        let text = std::fs::read_to_string(&out).unwrap();
        text.contains("send: NXT_RESUME").then_some(())
    });
    wait_for("the packet", || {
        let text = s.ofctl(&["-OOpenFlow10", "dump-ports", "br0", "2"]);
        (!text.contains("tx pkts=0,")).then_some(())
    });
    let text = std::fs::read_to_string(&out).unwrap();
    for part in ["userdata=01.02", "continuation.stack=(top) 0x7 (bottom)", "pop:NXM_NX_REG2[],resubmit(,1)"]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
}

/// A Python that has os-ken: what `OXVS_PYTHON` says, or what `cargo xtask test` installs.
fn python() -> Option<PathBuf> {
    let target = PathBuf::from(env!("CARGO_BIN_EXE_oxvs"));
    let mut places = vec![];
    places.extend(std::env::var_os("OXVS_PYTHON").map(PathBuf::from));
    places.extend(target.parent().and_then(|p| p.parent()).map(|p| p.join("venv/bin/python")));
    let found = places.into_iter().find(|p| {
        let mut c = Command::new(p);
        c.args(["-c", "import importlib.util as u; assert u.find_spec('os_ken.app.simple_switch_13')"])
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        c.status().is_ok_and(|s| s.success())
    });
    if found.is_none() {
        skip("no Python with os-ken (OXVS_PYTHON, or `cargo xtask test`)");
    }
    found
}

struct App(Child);

impl Drop for App {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs one of os-ken's applications as the controller of a bridge between two hosts.
fn osken(app: &str, protocols: &str) {
    if !can_make_hosts() {
        return;
    }
    let Some(python) = python() else { return };
    let s = switch();
    s.bridge("br0", &[&format!("protocols={protocols}"), "fail_mode=secure"]);
    let a = s.numbered("br0", "a", 1, &[]);
    let b = s.numbered("br0", "b", 2, &[]);
    let dir = TempDir::new();
    let said_by_app = std::fs::File::create(dir.join("said")).unwrap();
    // What its `osken-manager` does, but for the web server, which wants a name that eventlet has dropped since.
    // Port 6653 is one of the switch's own namespace.
    let start = format!(
        "import eventlet.wsgi\neventlet.wsgi.ALREADY_HANDLED = object()\n\
         from os_ken.lib import hub\nhub.patch(thread=False)\nfrom os_ken import cfg\n\
         from os_ken.base.app_manager import AppManager\nfrom os_ken.controller import controller\n\
         cfg.CONF(args=['--ofp-tcp-listen-port', '6653'], project='os_ken')\n\
         AppManager.run_apps(['os_ken.app.{app}'])\n"
    );
    let mut command = Command::new(python);
    command.args(["-c", &start]).stdin(Stdio::null());
    command.stdout(said_by_app.try_clone().unwrap()).stderr(said_by_app);
    s.prepare(&mut command);
    let _app = App(command.spawn().unwrap());
    s.vsctl(&[&["set-controller", "br0", "tcp:127.0.0.1:6653"], EAGER.as_slice()].concat());
    wait_for("os-ken to be connected", || {
        (s.vsctl(&["get", "controller", "br0", "is_connected"]) == "true\n").then_some(())
    });
    // Its flow for packets that no other matches may still be on its way.
    let ok = a.pings(&b) && b.pings(&a);
    assert!(ok, "{app}: {}", std::fs::read_to_string(dir.join("said")).unwrap_or_default());
    let version = format!("-O{protocols}");
    // It learns addresses and installs a flow each way.
    let flows = wait_for("flows to be installed", || {
        let out = s.run("ovs-ofctl", &[&version, "--no-stats", "dump-flows", "br0"]);
        let text = said(&out).0;
        let way = |from: u8, to: u8| {
            text.contains(&format!(
                "dl_src=02:00:00:00:00:0{from},dl_dst=02:00:00:00:00:0{to} actions=output:{to}"
            ))
        };
        (way(1, 2) && way(2, 1)).then_some(text)
    });
    assert!(flows.contains("in_port=1,") || flows.contains("in_port=a,"), "{flows}");
    let text = std::fs::read_to_string(dir.join("said")).unwrap();
    assert!(!text.contains("Traceback"), "{text}");
    s.assert_clean(&["connection failed", "rconn"]);
}

#[test]
fn osken_simple_switch_13() {
    osken("simple_switch_13", "OpenFlow13");
}

#[test]
fn osken_simple_switch_10() {
    osken("simple_switch", "OpenFlow10");
}
