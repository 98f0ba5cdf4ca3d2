//! What a flow-mod with eight matches and four actions costs to decode and encode again, and to read from text and to
//! print: time (the best of many batches, as other work on the machine only adds to it) and allocations.
//!
//! `cargo run --release -p openflow --example flow_mod_cost [WHAT]`

use base::Xid;
use openflow::msg::FlowModCommand;
use openflow::text::TextCx;
use openflow::text::flow::parse_flow_mod;
use openflow::text::print::Printer;
use openflow::{Codec, Message, NoNames, Version};
use std::hint::black_box;
use testkit::CountingAllocator;

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

fn measure(what: &str, n: u32, mut f: impl FnMut()) {
    if std::env::args().nth(1).is_some_and(|only| only != what) {
        return;
    }
    let clock = base::Clock::real();
    let batch = |f: &mut dyn FnMut()| {
        let start = clock.now();
        (0..n).for_each(|_| f());
        (clock.now() - start).as_nanos() as f64 / f64::from(n)
    };
    let best = (0..50).map(|_| batch(&mut f)).fold(f64::MAX, f64::min);
    let allocations = CountingAllocator::count(f);
    println!("{what:<40}{best:>9.0} ns{allocations:>5} allocations");
}

fn main() {
    let text = "table=3,priority=100,in_port=5,dl_src=00:00:00:00:00:01,dl_dst=00:00:00:00:00:02,tcp,\
                nw_src=10.0.0.0/8,nw_dst=10.1.2.3,tp_dst=80,\
                actions=mod_dl_src:00:00:00:00:00:03,dec_ttl,set_field:5->reg0,output:7";
    let mut cx = TextCx::new(&NoNames);
    let fm = parse_flow_mod(text, Some(FlowModCommand::Add), &mut cx).expect("a flow");
    let codec = Codec::new(Version::V13);
    let bytes = codec.encode(Xid(1), &Message::FlowMod(Box::new(fm))).expect("can be said");
    let mut out = Vec::with_capacity(4096);
    measure("decode and encode", 10_000, || {
        let (xid, m) = codec.decode(black_box(&bytes)).expect("decodes");
        out.clear();
        codec.encode_into(xid, &m, &mut out).expect("encodes");
        black_box(&out);
    });
    measure("decode", 10_000, || {
        black_box(codec.decode(black_box(&bytes)).expect("decodes"));
    });
    let (xid, message) = codec.decode(&bytes).expect("decodes");
    measure("encode", 10_000, || {
        out.clear();
        codec.encode_into(xid, black_box(&message), &mut out).expect("encodes");
        black_box(&out);
    });
    measure("read from text", 2_000, || {
        let mut cx = TextCx::new(&NoNames);
        black_box(parse_flow_mod(black_box(text), Some(FlowModCommand::Add), &mut cx).expect("a flow"));
    });
    measure("print", 2_000, || {
        black_box(Printer::plain(1).print(black_box(&bytes)));
    });
}
