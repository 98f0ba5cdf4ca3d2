//! A flow-mod of eight matches and four actions is decoded with three allocations: the message, its match, its
//! actions. To encode it into a buffer that is there takes none.

use base::Xid;
use openflow::msg::FlowModCommand;
use openflow::text::TextCx;
use openflow::text::flow::parse_flow_mod;
use openflow::{Codec, Message, NoNames, Version};
use testkit::CountingAllocator;

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

const MATCH: &str = "table=3,priority=100,in_port=5,dl_vlan=9,dl_src=00:00:00:00:00:01,dl_dst=00:00:00:00:00:02,tcp,\
                     nw_src=10.0.0.0/8,nw_dst=10.1.2.3,tp_dst=80";

fn takes_three(actions: &str, version: Version) {
    let mut cx = TextCx::new(&NoNames);
    let text = format!("{MATCH},actions={actions}");
    let flow = parse_flow_mod(&text, Some(FlowModCommand::Add), &mut cx).unwrap();
    let codec = Codec::new(version);
    let bytes = codec.encode(Xid(1), &Message::FlowMod(Box::new(flow))).unwrap();
    let (mut decoded, mut out) = (None, Vec::with_capacity(bytes.len()));
    let decoding = CountingAllocator::count(|| decoded = codec.decode(&bytes).ok());
    let (xid, message) = decoded.unwrap();
    let encoding = CountingAllocator::count(|| codec.encode_into(xid, &message, &mut out).unwrap());
    assert_eq!((decoding, encoding), (3, 0), "{version:?} {actions}");
    assert_eq!(out, bytes);
}

#[test]
fn a_flow_mod_takes_three() {
    for version in Version::ALL {
        takes_three("mod_dl_src:00:00:00:00:00:03,dec_ttl,set_field:5->reg0,output:7", version);
    }
    takes_three("mod_dl_src:00:00:00:00:00:03,dec_ttl,pop_vlan,goto_table:4", Version::V13);
}
