//! Text of `tnl_push`: the header's bytes, spelled out by layer.

use crate::action::{TnlKind, TnlPush};
use crate::text::{PortName, hex};
use base::Mac;
use std::fmt::Write;
use std::net::{Ipv4Addr, Ipv6Addr};

const ETH_LEN: usize = 14;
const IPV4_LEN: usize = 20;
const IPV6_LEN: usize = 40;

impl TnlKind {
    /// The number in text.
    pub const fn number(self) -> u32 {
        match self {
            TnlKind::Gre => 3,
            TnlKind::Vxlan => 4,
            TnlKind::Geneve => 5,
            TnlKind::Other(n) => n,
        }
    }

    /// From the number in text.
    pub const fn from_number(n: u32) -> TnlKind {
        match n {
            3 => TnlKind::Gre,
            4 => TnlKind::Vxlan,
            5 => TnlKind::Geneve,
            n => TnlKind::Other(n),
        }
    }
}

fn be16(b: &[u8], at: usize) -> u16 {
    b.get(at..at + 2).map_or(0, |s| u16::from_be_bytes([s[0], s[1]]))
}

fn be32(b: &[u8], at: usize) -> u32 {
    (be16(b, at) as u32) << 16 | be16(b, at + 2) as u32
}

fn byte(b: &[u8], at: usize) -> u8 {
    b.get(at).copied().unwrap_or(0)
}

fn mac(b: &[u8], at: usize) -> Mac {
    Mac(std::array::from_fn(|i| byte(b, at + i)))
}

fn ip6(b: &[u8], at: usize) -> Ipv6Addr {
    Ipv6Addr::from(std::array::from_fn::<u8, 16, _>(|i| byte(b, at + i)))
}

/// Appends the action.
pub(crate) fn put_tnl_push(out: &mut String, t: &TnlPush, names: Option<PortName<'_>>) {
    let port = |p: base::DpPort| names.and_then(|n| n(p)).unwrap_or_else(|| p.0.to_string());
    let h = &t.header[..];
    let eth_type = be16(h, 12);
    let _ = write!(
        out,
        "tnl_push(tnl_port({}),header(size={},type={},eth(dst={},src={},dl_type=0x{eth_type:04x}),",
        port(t.tnl_port),
        h.len(),
        t.kind.number(),
        mac(h, 0),
        mac(h, 6),
    );
    let l4 = if eth_type == 0x0800 {
        let ip = &h[ETH_LEN.min(h.len())..];
        let _ = write!(
            out,
            "ipv4(src={},dst={},proto={},tos={},ttl={},frag=0x{:x}),",
            Ipv4Addr::from(be32(ip, 12)),
            Ipv4Addr::from(be32(ip, 16)),
            byte(ip, 9),
            hex(byte(ip, 1).into()),
            byte(ip, 8),
            be16(ip, 6)
        );
        ETH_LEN + IPV4_LEN
    } else {
        let ip = &h[ETH_LEN.min(h.len())..];
        let vtf = be32(ip, 0);
        let _ = write!(
            out,
            "ipv6(src={},dst={},label={},proto={},tclass=0x{:x},hlimit={}),",
            ip6(ip, 8),
            ip6(ip, 24),
            vtf & 0xf_ffff,
            byte(ip, 6),
            vtf >> 20 & 0xff,
            byte(ip, 7)
        );
        ETH_LEN + IPV6_LEN
    };
    put_l4(out, t.kind, &h[l4.min(h.len())..]);
    let _ = write!(out, "),out_port({}))", port(t.out_port));
}

fn put_l4(out: &mut String, kind: TnlKind, b: &[u8]) {
    if kind == TnlKind::Gre {
        let flags = be16(b, 0);
        let _ = write!(out, "gre((flags=0x{flags:x},proto=0x{:x})", be16(b, 2));
        let mut at = 4;
        if flags & 0x8000 != 0 {
            let _ = write!(out, ",csum=0x{:x}", be16(b, at));
            at += 4;
        }
        if flags & 0x2000 != 0 {
            let _ = write!(out, ",key=0x{:x}", be32(b, at));
            at += 4;
        }
        if flags & 0x1000 != 0 {
            let _ = write!(out, ",seq=0x{:x}", be32(b, at));
        }
        out.push(')');
        return;
    }
    let _ = write!(out, "udp(src={},dst={},csum=0x{:x}),", be16(b, 0), be16(b, 2), be16(b, 6));
    let b = &b[8.min(b.len())..];
    match kind {
        TnlKind::Geneve => put_geneve(out, b),
        _ => {
            let _ = write!(out, "vxlan(flags=0x{:x},vni=0x{:x})", be32(b, 0), be32(b, 4) >> 8);
        }
    }
}

fn put_geneve(out: &mut String, b: &[u8]) {
    out.push_str("geneve(");
    if byte(b, 1) & 0x80 != 0 {
        out.push_str("oam,");
    }
    if byte(b, 1) & 0x40 != 0 {
        out.push_str("crit,");
    }
    let _ = write!(out, "vni=0x{:x}", be32(b, 4) >> 8);
    let mut rest = &b[8.min(b.len())..];
    if !rest.is_empty() {
        out.push_str(",options(");
        while rest.len() >= 4 {
            let len = (byte(rest, 3) as usize & 0x1f) * 4;
            let data = &rest[4..(4 + len).min(rest.len())];
            let _ = write!(
                out,
                "{{class={},type={},len={len}",
                hex(be16(rest, 0).into()),
                hex(byte(rest, 2).into())
            );
            if !data.is_empty() {
                let digits: String = data.iter().map(|b| format!("{b:02x}")).collect();
                let _ = write!(
                    out,
                    ",{}",
                    match digits.trim_start_matches('0') {
                        "" => "0".into(),
                        d => format!("0x{d}"),
                    }
                );
            }
            out.push('}');
            rest = &rest[(4 + len).min(rest.len())..];
        }
        out.push(')');
    }
    out.push(')');
}
