//! What is seen of a switch while its flows change: a packet sees all of a bundle or nothing of it.

use base::Mac;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use testkit::frame::ethernet;
use testkit::lan::RawPort;
use testkit::{Options, Programs, Switch, can_make_hosts};

/// Flows of each of the two tables: a bundle replaces all of both.
const FLOWS: u16 = 5000;
/// Bundles, of version 1 and 2 in turn.
const BUNDLES: u8 = 4;
/// Frames on their way at a time: less than any ring holds.
const BURST: usize = 32;

/// The address `n` of kind `kind`.
fn mac(kind: u8, n: u16) -> Mac {
    let [high, low] = n.to_be_bytes();
    Mac([2, kind, 0, 0, high, low])
}

/// All flows of a version, each line begun with `add`. Table 0 takes a frame by its source and marks that with the
/// version, table 1 takes it by its destination and marks that: the first half of the changes and the second.
fn flows(add: &str, version: u8) -> String {
    let half = |table: u8, field: &str, then: &str| -> String {
        let mark = mac(9, version.into());
        (0..FLOWS)
            .map(|n| {
                let from = mac(table, n);
                format!("{add}table={table},dl_{field}={from},actions=mod_dl_{field}:{mark},{then}\n")
            })
            .collect()
    };
    half(0, "src", "resubmit(,1)") + &half(1, "dst", "output:2")
}

/// What came out.
#[derive(Clone, Copy, Default, Debug)]
struct Seen {
    sent: usize,
    /// Frames by the version of their source and of their destination.
    versions: [[usize; 3]; 3],
}

impl Seen {
    /// Frames that two versions have marked.
    fn mixed(&self) -> usize {
        self.versions[1][2] + self.versions[2][1]
    }

    fn received(&self) -> usize {
        self.versions.iter().flatten().sum()
    }
}

/// Sends frames for all flows again and again until `done`.
fn watch(from: &mut RawPort, to: &mut RawPort, done: &AtomicBool) -> Seen {
    let mut seen = Seen::default();
    while !done.load(Ordering::Relaxed) {
        for _ in 0..BURST {
            let n = (seen.sent % usize::from(FLOWS)) as u16;
            from.send(&ethernet(mac(1, n), mac(0, n), None, 0x1234, &[]));
            seen.sent += 1;
        }
        let mut burst = 0;
        to.receive(Duration::from_millis(500), |f| {
            if f[12..14] == [0x12, 0x34] {
                let version = |mac: &[u8]| if mac[1] == 9 { usize::from(mac[5]) } else { 0 };
                seen.versions[version(&f[6..12])][version(&f[..6])] += 1;
                burst += 1;
            }
            burst == BURST
        });
    }
    seen
}

/// What frames show while `change` runs.
fn during(from: &mut RawPort, to: &mut RawPort, change: impl FnOnce() + Send) -> Seen {
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            change();
            done.store(true, Ordering::Relaxed);
        });
        watch(from, to, &done)
    })
}

#[test]
fn a_packet_sees_all_of_a_bundle_or_nothing() {
    if !can_make_hosts() {
        return;
    }
    let s = Switch::start(Programs::of(env!("CARGO_BIN_EXE_oxvs")), Options::default());
    s.bridge("br0", &["fail_mode=secure"]);
    let hosts = ["a", "b"].map(|n| s.numbered("br0", n, n.as_bytes()[0] - 96, &[]));
    let file = |name: &str, text: String| {
        let path = s.state.join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let bundles = [1, 2].map(|v| file(&format!("bundle{v}"), flows("flow add ", v)));
    let plain = file("plain", flows("", 1));
    let bundle = |version: usize| s.ofctl(&["-OOpenFlow14", "bundle", "br0", &bundles[version - 1]]);
    bundle(1);
    let [mut a, mut b] = hosts.map(|h| h.raw().unwrap());
    let seen = during(&mut a, &mut b, || {
        for n in 0..BUNDLES {
            bundle(usize::from(2 - n % 2));
        }
    });
    println!("bundles: {seen:?}");
    assert_eq!(seen.mixed(), 0, "{seen:?}");
    assert!(seen.versions[1][1] > BURST && seen.versions[2][2] > BURST, "{seen:?}");
    assert!(seen.received() * 100 >= seen.sent * 99, "{seen:?}");
    // The frames would have told: the same flows one by one leave frames with both versions' marks.
    bundle(2);
    let seen = during(&mut a, &mut b, || {
        s.ofctl(&["add-flows", "br0", &plain]);
    });
    println!("one by one: {seen:?}");
    assert!(seen.mixed() > 0, "{seen:?}");
    s.assert_clean(&[]);
}
