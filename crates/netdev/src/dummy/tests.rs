use super::*;

fn shelf() -> Dummies {
    Dummies::new(Clock::real(), Logger::none())
}

fn options(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|&(k, v)| (k.to_owned(), v.to_owned())).collect()
}

#[test]
fn addresses_count_and_handles_share() {
    let s = shelf();
    let br0 = DummyDev::open(&s, "br0", "dummy-internal").unwrap();
    let mut p1 = DummyDev::open(&s, "p1", "dummy").unwrap();
    assert_eq!(br0.mac().unwrap().to_string(), "aa:55:aa:55:00:00");
    assert_eq!(p1.mac().unwrap().to_string(), "aa:55:aa:55:00:01");
    let again = DummyDev::open(&s, "p1", "dummy").unwrap();
    assert_eq!(again.mac(), p1.mac());
    assert_eq!(DummyDev::open(&s, "p1", "dummy-pmd").unwrap_err().errno, EEXIST);
    p1.set_mac(Mac([2; 6])).unwrap();
    assert_eq!(again.mac().unwrap(), Mac([2; 6]));
    assert_eq!(s.all().iter().map(|h| h.name().to_owned()).collect::<Vec<_>>(), ["br0", "p1"]);
    drop((p1, again));
    assert!(s.get("p1").is_none());
    let p1 = DummyDev::open(&s, "p1", "dummy").unwrap();
    assert_eq!(p1.mac().unwrap().to_string(), "aa:55:aa:55:00:02");
}

#[test]
fn receive_counts_and_settles() {
    let s = shelf();
    let mut d = DummyDev::open(&s, "p1", "dummy-pmd").unwrap();
    d.set_options(&options(&[("n_rxq", "2"), ("n_txq", "junk")])).unwrap();
    let h = s.get("p1").unwrap();
    // Nobody receives: dropped.
    h.inject(0, &[0; 60], Offload::default()).unwrap();
    assert!(h.settled());
    let mut q = d.rx_queues().unwrap();
    assert_eq!(q.len(), 2);
    assert!(d.rx_queues().unwrap().is_empty());
    assert_eq!(h.inject(2, &[0; 60], Offload::default()), Err(InjectError::NoQueue));
    h.inject(1, &[7; 60], Offload::default()).unwrap();
    assert!(!h.settled());
    let (mut pool, mut out) = (PacketPool::default(), Vec::new());
    assert_eq!(q[0].recv(32, &mut pool, &mut out).unwrap(), 0);
    assert_eq!(q[1].recv(32, &mut pool, &mut out).unwrap(), 1);
    assert_eq!(out[0].buf.data(), [7; 60]);
    assert!(!h.settled());
    assert_eq!(q[1].recv(32, &mut pool, &mut out).unwrap(), 0);
    assert!(h.settled());
    h.set_admin_up(false);
    h.inject(1, &[7; 60], Offload::default()).unwrap();
    assert_eq!(q[1].recv(32, &mut pool, &mut out).unwrap(), 0);
    assert_eq!((d.link().admin_up, d.link().carrier), (false, false));

    // The counters of `ovs-vsctl get Interface p1 statistics`, in the database's order.
    let st = d.stats();
    assert_eq!((st.rx_packets, st.rx_bytes), (Some(1), Some(60)));
    let mut custom = st.custom;
    custom.sort();
    let text: Vec<String> = custom.iter().map(|(k, v)| format!("{k}={v}")).collect();
    assert_eq!(
        text.join(", "),
        "rx_custom_packets_1=1, rx_custom_packets_2=1, rx_q0_bytes=0, rx_q0_packets=0, rx_q1_bytes=60, \
         rx_q1_packets=1, tx_q0_bytes=0, tx_q0_packets=0"
    );
    assert_eq!(
        d.config().iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>().join(", "),
        "n_rxq=2, n_txq=1, numa_id=0"
    );
    // An overfull queue drops, and a receiver that is gone does not hold anybody up.
    h.set_admin_up(true);
    for _ in 0..DEPTH + 10 {
        h.inject(0, &[0; 60], Offload::default()).unwrap();
    }
    assert_eq!(q[0].recv(usize::MAX, &mut pool, &mut out).unwrap(), DEPTH);
    h.inject(0, &[0; 60], Offload::default()).unwrap();
    drop(q);
    assert!(h.settled());
}

#[test]
fn send_limits_and_captures() {
    let dir = std::env::temp_dir().join(format!("oxvs-dummy-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let tx = dir.join("tx.pcap");
    let s = shelf();
    let mut d = DummyDev::open(&s, "p1", "dummy").unwrap();
    d.set_options(&options(&[("tx_pcap", tx.to_str().unwrap()), ("rxq_pcap", "/nonexistent/x")])).unwrap();
    let mut q = d.tx_queue().unwrap();
    let mut frame = vec![0; 1514];
    q.send(&frame, &Offload::default());
    frame.push(0);
    q.send(&frame, &Offload::default());
    frame[12] = 0x81;
    q.send(&frame, &Offload::default());
    q.send(&[0; 5], &Offload::default());
    assert_eq!(q.flush(), TxResult { sent: 2, bytes: 1514 + 1515, dropped: 2 });
    assert_eq!(q.flush(), TxResult::default());
    assert_eq!(d.stats().tx_packets, Some(2));
    assert_eq!(std::fs::metadata(&tx).unwrap().len(), 24 + 2 * 16 + 1514 + 1515);
    assert_eq!(d.set_mtu(70000).unwrap_err().errno, EINVAL);
    let seq = d.change_seq();
    d.set_mtu(2000).unwrap();
    assert!(d.change_seq() > seq);
    assert_eq!(d.ifindex(), None);
    d.set_options(&options(&[("ifindex", "1234")])).unwrap();
    assert_eq!(d.ifindex(), Some(1234));
    std::fs::remove_dir_all(dir).unwrap();
}

#[test]
fn commands_addresses() {
    let s = shelf();
    let _d = DummyDev::open(&s, "p1", "dummy").unwrap();
    let h = s.get("p1").unwrap();
    h.set_ipv4("10.0.0.1".parse().unwrap(), 24);
    h.set_ipv6("fd00::1".parse().unwrap(), 64);
    h.set_ipv6("fd00::1".parse().unwrap(), 48);
    let a = h.addresses();
    assert_eq!(a.v4, Some(("10.0.0.1".parse().unwrap(), 24)));
    assert_eq!(a.v6, [("fd00::1".parse().unwrap(), 48)]);
    assert_eq!(h.conn_state(), ConnState::Unknown);
}

#[test]
fn tied_by_a_stream() {
    let s = shelf();
    let mut p1 = DummyDev::open(&s, "p1", "dummy").unwrap();
    let mut p2 = DummyDev::open(&s, "p2", "dummy").unwrap();
    p1.set_options(&options(&[("pstream", "punix:x")])).unwrap();
    p2.set_options(&options(&[("stream", "unix:x")])).unwrap();
    let (h1, h2) = (p1.handle(), p2.handle());
    assert_eq!(h1.stream_target(), Some(StreamTarget::Passive("punix:x".into())));
    // As `netdev-dummy/conn-state` of the reference: only the active end has a state.
    assert_eq!((h1.conn_state(), h2.conn_state()), (ConnState::Unknown, ConnState::Disconnected));
    let (mut l1, l2) = (h1.link().unwrap(), h2.link().unwrap());
    assert_eq!((h1.conn_state(), h2.conn_state()), (ConnState::Unknown, ConnState::Connected));

    let (mut rx1, mut tx2) = (p1.rx_queues().unwrap().remove(0), p2.tx_queue().unwrap());
    let frames = [vec![1; 60], vec![2; 1514]];
    for f in &frames {
        tx2.send(f, &Offload::default());
    }
    tx2.flush();
    let bytes: Vec<u8> = std::iter::from_fn(|| l2.next_record()).flatten().collect();
    assert_eq!((bytes.len(), &bytes[..3]), (60 + 1514 + 4, &[0, 60, 1][..]));
    for b in bytes.chunks(7) {
        l1.received(b).unwrap();
    }
    let (mut pool, mut out) = (PacketPool::default(), Vec::new());
    rx1.recv(32, &mut pool, &mut out).unwrap();
    assert_eq!(out.iter().map(|p| p.buf.data().to_vec()).collect::<Vec<_>>(), frames);
    assert_eq!(l1.received(&[0, 5, 1, 2, 3, 4, 5]), Err(StreamError { length: 5 }));
    drop(l2);
    assert_eq!(h2.conn_state(), ConnState::Disconnected);
}
