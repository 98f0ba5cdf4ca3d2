//! Flow monitors over real sockets: readers that fall behind are paused, and after each resume know every flow.

use base::{Cookie, GroupId, OfPort, Xid};
use flow::MiniMatch;
use openflow::msg::{
    FlowStatsRequest, FlowUpdate, FlowUpdateEvent, Hello, MonitorCommand, MonitorFlags, MonitorRequest,
    StatsReply, StatsRequest,
};
use openflow::{Action, Codec, Message, Version, VersionSet};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;
use testkit::fuzz::Rng;
use testkit::{Options, Programs, Switch, can_make_hosts};

/// Changes that each of the two who make them makes in a round.
const CHANGES: usize = 3000;
/// Rounds: in each, other readers are slow.
const ROUNDS: usize = 3;

/// Cookie and actions by table, priority and match.
type Picture = BTreeMap<(u8, u16, String), (Cookie, Vec<u8>)>;

/// A connection with a monitor of all flows.
struct Reader {
    stream: UnixStream,
    codec: Codec,
    picture: Picture,
    paused: bool,
    pauses: usize,
}

impl Reader {
    fn new(socket: &Path, version: Version) -> Reader {
        let stream = UnixStream::connect(socket).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let codec = Codec::new(version);
        let mut r = Reader { stream, codec, picture: Picture::new(), paused: false, pauses: 0 };
        r.send(&Message::Hello(Hello::new(VersionSet(1 << version.wire()))));
        assert!(matches!(r.receive(), Message::Hello(_)));
        use MonitorFlags as F;
        let monitor = MonitorRequest {
            id: 1,
            command: MonitorCommand::Add,
            flags: F(F::INITIAL | F::ADD | F::DELETE | F::MODIFY | F::ACTIONS),
            out_port: OfPort::NONE,
            out_group: GroupId::ANY,
            table: 0xff,
            matching: MiniMatch::default(),
        };
        r.send(&Message::StatsRequest(StatsRequest::FlowMonitor(vec![monitor])));
        r
    }

    fn send(&mut self, m: &Message) {
        let bytes = self.codec.encode(Xid(7), m).unwrap();
        self.stream.write_all(&bytes).unwrap();
    }

    /// The next message; what monitors say goes into the picture.
    fn receive(&mut self) -> Message {
        let mut bytes = vec![0; 8];
        self.stream.read_exact(&mut bytes).unwrap();
        bytes.resize(u16::from_be_bytes([bytes[2], bytes[3]]).into(), 0);
        self.stream.read_exact(&mut bytes[8..]).unwrap();
        let (_, message) = self.codec.decode(&bytes).unwrap();
        match &message {
            Message::FlowMonitorPaused => self.pause(true),
            Message::FlowMonitorResumed => self.pause(false),
            Message::StatsReply { body: StatsReply::FlowMonitor(all), .. } => {
                all.iter().for_each(|u| self.update(u));
            }
            Message::Error(e) => panic!("{e:?}"),
            _ => {}
        }
        message
    }

    fn pause(&mut self, paused: bool) {
        assert_ne!(self.paused, paused);
        self.paused = paused;
        self.pauses += usize::from(paused);
    }

    fn update(&mut self, u: &FlowUpdate) {
        let key = (u.table, u.priority, format!("{:?}", u.matching));
        match u.event {
            FlowUpdateEvent::Deleted(_) => {
                self.picture.remove(&key).unwrap_or_else(|| panic!("an unknown flow went: {u:?}"));
            }
            FlowUpdateEvent::Paused => self.pause(true),
            FlowUpdateEvent::Resumed => self.pause(false),
            FlowUpdateEvent::Abbrev(_) => panic!("not our own change"),
            _ => {
                self.picture.insert(key, (u.cookie, actions(&u.actions)));
            }
        }
    }

    /// Reads on to the answer to a barrier, and to the end of a pause.
    fn catch_up(&mut self) {
        while !matches!(self.receive(), Message::BarrierReply) {}
        while self.paused {
            self.receive();
        }
    }

    /// The flows that there are.
    fn dump(&mut self) -> Picture {
        let all = FlowStatsRequest {
            matching: MiniMatch::default(),
            cookie: Cookie(0),
            cookie_mask: Cookie(0),
            out_port: OfPort::NONE,
            out_group: GroupId::ANY,
            table: 0xff,
        };
        self.send(&Message::StatsRequest(StatsRequest::Flow(Box::new(all))));
        let mut flows = Picture::new();
        loop {
            if let Message::StatsReply { body: StatsReply::Flow(part), more } = self.receive() {
                flows.extend(part.iter().map(|f| {
                    let key = (f.table, f.priority, format!("{:?}", f.matching));
                    (key, (f.cookie, actions(&f.actions)))
                }));
                if !more {
                    return flows;
                }
            }
        }
    }
}

/// Actions as on the wire: what is known of their flow from elsewhere does not count.
fn actions(all: &[Action]) -> Vec<u8> {
    let mut bytes = Vec::new();
    openflow::action::wire::encode(all, Version::V13, &mut bytes);
    bytes
}

/// Random changes, as `add-flows` takes them.
fn churn(random: &mut Rng) -> String {
    let mut text = String::new();
    for _ in 0..CHANGES {
        let (table, priority) = (random.below(3), 1 + random.below(3));
        let flow = match random.below(3) {
            0 => format!("tcp,tp_dst={}", random.below(200)),
            1 => format!("in_port={},ip,nw_src=10.0.0.0/{}", random.below(20), 8 + random.below(20)),
            _ => format!("dl_vlan={},dl_dst=02:00:00:00:00:01", 1 + random.below(200)),
        };
        let then = format!(
            "mod_dl_src:02:00:00:00:00:{:02x},mod_dl_dst:02:00:00:00:01:00,output:{}",
            random.below(256),
            1 + random.below(9)
        );
        let cookie = random.below(1 << 30);
        match random.below(100) {
            0 => writeln!(text, "delete table={table},in_port={}", random.below(20)),
            1 => writeln!(text, "modify table={table},tcp,actions={then}"),
            2..20 => writeln!(text, "delete_strict table={table},priority={priority},{flow}"),
            20..40 => {
                let head = format!("modify_strict table={table},priority={priority}");
                writeln!(text, "{head},cookie={cookie},{flow},actions={then}")
            }
            _ => {
                let head = format!("add table={table},priority={priority}");
                writeln!(text, "{head},cookie={cookie},{flow},actions={then}")
            }
        }
        .unwrap();
    }
    text
}

#[test]
fn pictures_are_complete_after_a_pause() {
    if !can_make_hosts() {
        return;
    }
    let s = Switch::start(Programs::of(env!("CARGO_BIN_EXE_oxvs")), Options::default());
    s.bridge("br0", &["fail_mode=secure"]);
    let mut random = Rng::new(5);
    let change = |name: &str, text: String| {
        let path = s.state.join(name);
        std::fs::write(&path, text).unwrap();
        s.ofctl(&["add-flows", "br0", path.to_str().unwrap()]);
    };
    change("first", churn(&mut random));
    let socket = s.state.join("br0.mgmt");
    let mut readers = [Version::V10, Version::V13, Version::V14].map(|version| Reader::new(&socket, version));
    for round in 0..ROUNDS {
        let lists = [churn(&mut random), churn(&mut random)];
        let slow = [round % 3, random.below(3)];
        let mut barriers: Vec<_> =
            readers.iter().map(|r| (r.stream.try_clone().unwrap(), r.codec.clone())).collect();
        std::thread::scope(|scope| {
            let mut late = Vec::new();
            for (n, reader) in readers.iter_mut().enumerate() {
                if slow.contains(&n) {
                    late.push(reader);
                } else {
                    scope.spawn(|| reader.catch_up());
                }
            }
            let [one, other] = lists;
            let second = scope.spawn(|| change("other", other));
            change("one", one);
            second.join().unwrap();
            for (stream, codec) in &mut barriers {
                stream.write_all(&codec.encode(Xid(8), &Message::BarrierRequest).unwrap()).unwrap();
            }
            late.into_iter().for_each(Reader::catch_up);
        });
        for (n, reader) in readers.iter_mut().enumerate() {
            let flows = reader.dump();
            assert!(flows.len() > 100, "{}", flows.len());
            let differs = |(key, value): &(_, _)| flows.get(key) != Some(value);
            let wrong: Vec<_> = reader.picture.clone().into_iter().filter(differs).collect();
            let missing: Vec<_> = flows.keys().filter(|k| !reader.picture.contains_key(k)).collect();
            let about = format!("reader {n}, slow {slow:?}, round {round}");
            assert!(wrong.is_empty(), "{about}: {wrong:#?}");
            assert!(missing.is_empty(), "{about}: {missing:#?}");
        }
    }
    let pauses: Vec<usize> = readers.iter().map(|r| r.pauses).collect();
    println!("{} flows, pauses {pauses:?}", readers[0].picture.len());
    assert!(pauses.iter().all(|n| *n > 0), "{pauses:?}");
    s.assert_clean(&[]);
}
