//! What every [`Datapath`] has to do, as a suite that its tests run.
//!
//! Each check gets a fresh datapath whose misses are dropped, and panics when it is not satisfied.

use crate::action::DpAction;
use crate::datapath::{Datapath, DpError, PutMode, ufid_of};
use crate::mem::{MemDev, MemHandle};
use crate::netdev::TxCaps;
use crate::parse::parse_actions;
use base::DpPort;
use flow::{Field, FlowKey, Mask};
use wire::Packet;

/// Runs every check over datapaths that `make` makes.
pub fn run<D: Datapath>(mut make: impl FnMut() -> D) {
    ports(&mut make());
    flows(&mut make());
    counters(&mut make());
    execution(&mut make());
}

fn add(dp: &mut dyn Datapath, port: u32) -> MemHandle {
    let (dev, wire) = MemDev::new(&format!("p{port}"), TxCaps::default());
    dp.add_port(DpPort(port), Box::new(dev)).expect("a free port number");
    wire
}

fn actions(text: &str) -> Vec<DpAction> {
    parse_actions(text, None).expect("good text")
}

fn frame() -> Vec<u8> {
    let mut f = vec![0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 1, 0x12, 0x34];
    f.resize(60, 7);
    f
}

/// All frames that come in by `port`, by type.
fn by_type(port: u32, ty: u16) -> (FlowKey, Mask) {
    let (mut key, mut mask) = (FlowKey::default(), Mask::default());
    key.set_dp_port(DpPort(port));
    key.set_eth_type(ty);
    for f in [Field::IN_PORT, Field::RECIRC_ID, Field::ETH_TYPE] {
        mask.set_exact(f);
    }
    (key, mask)
}

fn settle(dp: &mut dyn Datapath) {
    while dp.poll() {}
}

fn ports(dp: &mut dyn Datapath) {
    add(dp, 3);
    add(dp, 1);
    assert_eq!(dp.ports(), [DpPort(1), DpPort(3)]);
    let dev = || Box::new(MemDev::new("x", TxCaps::default()).0);
    assert_eq!(dp.add_port(DpPort(1), dev()), Err(DpError::PortExists(DpPort(1))));
    assert_eq!(dp.add_port(DpPort::NONE, dev()), Err(DpError::BadPort(DpPort::NONE)));
    assert_eq!(dp.device(DpPort(3)).map(|d| d.name()), Some("p3"));
    assert!(dp.device(DpPort(2)).is_none() && dp.device_mut(DpPort(2)).is_none());
    let back = dp.del_port(DpPort(3)).expect("it is there");
    assert_eq!(back.name(), "p3");
    assert!(matches!(dp.del_port(DpPort(3)), Err(DpError::NoPort(DpPort(3)))));
    add(dp, 3);
}

fn flows(dp: &mut dyn Datapath) {
    let (one, two) = (add(dp, 1), add(dp, 2));
    let (key, mask) = by_type(1, 0x1234);
    assert_eq!(dp.put_flow(None, &key, &mask, actions("2"), PutMode::Modify).unwrap_err(), DpError::NoFlow);
    assert!(dp.put_flow(None, &key, &mask, actions("2"), PutMode::Create).is_ok());
    assert_eq!(
        dp.put_flow(None, &key, &mask, actions("2"), PutMode::Create).unwrap_err(),
        DpError::FlowExists
    );
    one.inject(&frame());
    settle(dp);
    assert_eq!(two.sent(), [frame()]);
    assert!(dp.put_flow(None, &key, &mask, actions("1"), PutMode::Modify).is_ok());
    one.inject(&frame());
    settle(dp);
    assert_eq!((one.sent().len(), two.sent().len()), (1, 0));
    let (other, other_mask) = by_type(1, 0x1235);
    assert!(matches!(dp.del_flow(ufid_of(&other)), Err(DpError::NoFlow)));
    assert!(dp.put_flow(None, &other, &other_mask, actions("drop"), PutMode::CreateOrModify).is_ok());
    assert_eq!(dp.dump_flows().len(), 2);
    let last = dp.del_flow(ufid_of(&key)).expect("it is there");
    assert_eq!(last.stats.packets, 2);
    assert!(dp.flow(last.ufid).is_none());
    dp.flush_flows();
    assert!(dp.dump_flows().is_empty());
}

fn counters(dp: &mut dyn Datapath) {
    let one = add(dp, 1);
    let two = add(dp, 2);
    let (key, mask) = by_type(1, 0x1234);
    assert!(dp.put_flow(None, &key, &mask, actions("2"), PutMode::Create).is_ok());
    for _ in 0..100 {
        one.inject(&frame());
    }
    settle(dp);
    assert_eq!(two.sent().len(), 100);
    let flows = dp.dump_flows();
    assert_eq!((flows[0].stats.packets, flows[0].stats.bytes), (100, 6000));
    assert!(flows[0].stats.used.is_some());
    let same = dp.flow(flows[0].ufid).expect("found by its id");
    assert!(same.key.equal_under(&key, &mask) && same.actions == actions("2"));
    let s = dp.stats();
    assert_eq!((s.hit, s.missed, s.lost, s.flows), (100, 0, 0, 1));
}

fn execution(dp: &mut dyn Datapath) {
    let (one, two) = (add(dp, 1), add(dp, 2));
    let mut p = Packet::default();
    p.buf.fill(&frame());
    dp.execute(p, DpPort(1), &actions("2,push_vlan(vid=5,pcp=0),1,77"));
    settle(dp);
    assert_eq!(two.sent(), [frame()]);
    assert_eq!(one.sent()[0][12..16], [0x81, 0, 0, 5]);
}
