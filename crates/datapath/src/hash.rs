//! `hash()`: the packet hash that select groups and bonds go by.

use dpif::action::HashAlg;
use flow::layout as l;
use flow::mini::{hash_add, hash_finish};
use flow::{FlowKey, key::ip_proto};

/// Hash over addresses, protocol and ports; `SymL4` is the same in both directions.
pub(crate) fn dp_hash(key: &FlowKey, alg: HashAlg, basis: u32) -> u32 {
    let words =
        |range: std::ops::Range<usize>, h: u64| key.words[range].iter().fold(h, |h, w| hash_add(h, *w));
    let seed = hash_add(u64::from(basis), u64::from(key.ip_proto()));
    let has_ports = matches!(key.ip_proto(), ip_proto::TCP | ip_proto::UDP | ip_proto::SCTP);
    let ports = if has_ports && key.is_ip_any() { (key.tp_src(), key.tp_dst()) } else { (0, 0) };
    let h = match alg {
        HashAlg::L4 => {
            let h = words(l::NW_SRC / 8..l::IPV6_DST / 8 + 2, seed);
            hash_add(h, u64::from(ports.0) << 16 | u64::from(ports.1))
        }
        HashAlg::SymL4 => {
            let mut h = hash_add(seed, u64::from(key.eth_type()));
            h = hash_add(h, (key.eth_src().to_u64()) ^ key.eth_dst().to_u64());
            h = hash_add(h, u64::from(u32::from(key.nw_src()) ^ u32::from(key.nw_dst())));
            let six = u128::from(key.ipv6_src()) ^ u128::from(key.ipv6_dst());
            h = hash_add(hash_add(h, six as u64), (six >> 64) as u64);
            hash_add(h, u64::from(ports.0 ^ ports.1))
        }
    };
    let h = hash_finish(h);
    (h ^ h >> 32) as u32
}
