//! What flow-mods cost: `cargo run --release -p ofproto --example flow_mods [FLOWS]`.
//!
//! Adds flows of five fields and two actions in batches of 500, publishing (cloning) the tables after each batch as
//! a switch does, and prints microseconds per flow-mod and resident bytes per flow, all included; then modifies
//! them strictly, replaces them, lets half expire and deletes the rest in one go.

use base::{Clock, Dpid, OfPort, Time, Xid};
use flow::{Field, Match, MiniMatch};
use ofproto::{ConnConfig, ConnId, ConnKind, Effect, Host, Ofproto, OfprotoConfig};
use openflow::action::{Output, SetEth};
use openflow::msg::{FlowMod, FlowModCommand, PortStats, QueueConfig, QueueStats};
use openflow::{Action, Message, Version};
use std::time::Duration;

struct NoHost;

impl Host for NoHost {
    fn port_stats(&self, _: OfPort) -> Option<PortStats> {
        None
    }
    fn queue_stats(&self, _: OfPort) -> Vec<QueueStats> {
        Vec::new()
    }
    fn queue_config(&self, _: OfPort) -> Vec<QueueConfig> {
        Vec::new()
    }
}

fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    statm.split(' ').nth(1).and_then(|p| p.parse::<u64>().ok()).unwrap_or(0) * 4096
}

fn flow_mod(command: FlowModCommand, n: u32) -> FlowMod {
    let mut m = Match::any();
    m.set(Field::IN_PORT_OXM, u128::from(n % 16));
    m.set(Field::ETH_TYPE, 0x800);
    m.set(Field::IP_PROTO, 6);
    m.set(Field::IP_DST, u128::from(0x0a00_0000 + n));
    m.set(Field::TCP_DST, 80);
    let mut fm = FlowMod::new(command, MiniMatch::new(&m));
    fm.table = 0;
    fm.hard_timeout = if n.is_multiple_of(2) { 60 } else { 0 };
    fm.actions = vec![
        Action::SetEthDst(SetEth { mac: base::Mac([2, 0, 0, 0, 0, 1]) }),
        Action::Output(Output { port: OfPort(2), max_len: 0 }),
    ];
    fm
}

struct Bench {
    clock: Clock,
    switch: Ofproto,
    conn: ConnId,
    now: Time,
}

impl Bench {
    /// Microseconds per message, not counting the making of it.
    fn feed(&mut self, n: u32, command: FlowModCommand) -> f64 {
        let mut spent = Duration::ZERO;
        for from in (0..n).step_by(500) {
            let batch: Vec<FlowMod> = (from..n.min(from + 500)).map(|i| flow_mod(command, i)).collect();
            let start = self.clock.real_now();
            for fm in batch {
                let message = Message::FlowMod(Box::new(fm));
                self.switch.handle_message(self.conn, Xid(1), message, self.now, &NoHost);
            }
            let effects = self.switch.take_effects();
            let snapshot = self.switch.tables().clone();
            spent += self.clock.real_now().since(start);
            assert!(effects.iter().all(|e| *e == Effect::TablesChanged), "{effects:?}");
            std::hint::black_box(snapshot);
        }
        spent.as_nanos() as f64 / 1000.0 / f64::from(n)
    }

    fn timed(&mut self, what: &str, f: impl FnOnce(&mut Bench)) {
        let start = self.clock.real_now();
        f(self);
        let spent = self.clock.real_now().since(start);
        println!("{what:<28} {:>9.3} ms", spent.as_nanos() as f64 / 1e6);
    }
}

fn main() {
    let n: u32 = std::env::args().nth(1).and_then(|a| a.parse().ok()).unwrap_or(100_000);
    let mut switch = Ofproto::new(OfprotoConfig::new("br0", Dpid(1)), Time(1_000_000_000_000));
    let config = ConnConfig { kind: ConnKind::Service, version: Version::V13, enable_async: true };
    let conn = switch.connect(&config);
    let mut b = Bench { clock: Clock::real(), switch, conn, now: Time(1_000_000_000_000) };
    b.switch.take_effects();
    b.timed("delete the default flow", |b| {
        let mut fm = FlowMod::new(FlowModCommand::Delete, MiniMatch::default());
        fm.table = 0xff;
        let message = Message::FlowMod(Box::new(fm));
        b.switch.handle_message(b.conn, Xid(1), message, b.now, &NoHost);
        b.switch.take_effects();
    });
    let before = resident();
    println!("add            us/flow-mod   {:9.3}", b.feed(n, FlowModCommand::Add));
    println!("bytes per flow               {:9.0}", (resident() - before) as f64 / f64::from(n));
    println!("replace        us/flow-mod   {:9.3}", b.feed(n, FlowModCommand::Add));
    println!("modify strict  us/flow-mod   {:9.3}", b.feed(n, FlowModCommand::ModifyStrict));
    b.timed("run, nothing due", |b| b.switch.run(b.now));
    b.now += Duration::from_secs(61);
    b.timed("runs, half of them due", |b| {
        while b.switch.next_deadline() <= b.now {
            b.switch.run(b.now);
            b.switch.take_effects();
        }
    });
    b.timed("delete the rest", |b| {
        let mut fm = FlowMod::new(FlowModCommand::Delete, MiniMatch::default());
        fm.table = 0xff;
        let message = Message::FlowMod(Box::new(fm));
        b.switch.handle_message(b.conn, Xid(1), message, b.now, &NoHost);
        b.switch.take_effects();
    });
    assert!(b.switch.tables().iter().take(254).all(|(_, t)| t.flows.is_empty()));
}
