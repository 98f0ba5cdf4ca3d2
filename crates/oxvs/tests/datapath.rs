//! The commands that look into datapaths and change them, as recorded from Open vSwitch 3.5.0.

use testkit::{Options, Programs, Switch, can_make_hosts};

/// Ids other than those that the recording gave are `U`.
fn without_ids(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("ufid:") {
        let (before, id) = rest.split_at(at + 5);
        out.push_str(before);
        let is_id = id.len() >= 36 && id.as_bytes()[8] == b'-' && !id.starts_with("1111");
        out.push_str(if is_id { "U" } else { "" });
        rest = if is_id { &id[36..] } else { id };
    }
    out + rest
}

#[test]
fn dpctl() {
    if !can_make_hosts() {
        return;
    }
    let options = Options { switch: &["--enable-dummy=override", "--disable-system"], ..Options::default() };
    let s = Switch::start(Programs::of(env!("CARGO_BIN_EXE_oxvs")), options);
    #[rustfmt::skip]
    s.vsctl(&[
        "add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=dummy",
        "other-config:hwaddr=aa:55:aa:55:00:00", "fail-mode=secure",
        "--", "add-port", "br0", "p1", "--", "set", "Interface", "p1", "type=dummy", "ofport_request=1",
        "--", "add-port", "br0", "p2", "--", "set", "Interface", "p2", "type=dummy", "ofport_request=2",
    ]);
    let recorded = include_str!("data/dpctl.txt");
    for block in recorded.split("\n$ ").skip(1) {
        let (call, want) = block.split_once('\n').unwrap_or((block, ""));
        let args: Vec<&str> = call.split(" | ").collect();
        let out = s.run("ovs-appctl", &args);
        let (text, sign) = match out.status.success() {
            true => (String::from_utf8_lossy(&out.stdout).into_owned(), "  "),
            false => (String::from_utf8_lossy(&out.stderr).into_owned(), "! "),
        };
        let said: Vec<String> = without_ids(&text)
            .lines()
            .filter(|l| !l.starts_with("ovs-appctl: "))
            .map(|l| format!("{sign}{l}"))
            .collect();
        assert_eq!(said, want.lines().collect::<Vec<_>>(), "{call}");
    }
}
