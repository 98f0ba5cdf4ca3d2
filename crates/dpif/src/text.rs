//! Actions as text, as in `Datapath actions:` lines and flow dumps.
//!
//! Formats were established by running the reference (3.5.0) over the inputs that the tests keep; two things follow
//! from its conventions: what is zero is printed as `0`, not `0x0`, where a number is hexadecimal; and a field is left
//! out of `set()` when no bit of it counts, except for MPLS, which prints all four.

use crate::action::*;
use base::{DpPort, Mac};
use std::fmt::{self, Display, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// How ports are named in text: `None` leaves the number.
pub type PortName<'a> = &'a dyn Fn(DpPort) -> Option<String>;

/// Actions with ports as numbers.
impl Display for DpAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = String::new();
        format_action(&mut out, self, None);
        f.write_str(&out)
    }
}

/// A whole list; an empty one is `drop`.
pub fn format_actions(actions: &[DpAction], names: Option<PortName<'_>>) -> String {
    let mut out = String::new();
    put_actions(&mut out, actions, names);
    out
}

/// Appends a whole list; an empty one is `drop`.
pub fn put_actions(out: &mut String, actions: &[DpAction], names: Option<PortName<'_>>) {
    if actions.is_empty() {
        out.push_str("drop");
    }
    for (i, a) in actions.iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        format_action(out, a, names);
    }
}

macro_rules! put {
    ($out:expr, $($arg:tt)*) => { let _ = write!($out, $($arg)*); };
}

/// A number in hexadecimal, zero being just `0`.
pub(crate) fn hex(v: u128) -> String {
    if v == 0 { "0".into() } else { format!("{v:#x}") }
}

fn put_port(out: &mut String, port: DpPort, names: Option<PortName<'_>>) {
    match names.and_then(|n| n(port)) {
        Some(name) => out.push_str(&name),
        None => {
            put!(out, "{}", port.0);
        }
    }
}

fn format_action(out: &mut String, a: &DpAction, names: Option<PortName<'_>>) {
    match a {
        DpAction::Output(p) => put_port(out, *p, names),
        DpAction::LbOutput(b) => {
            put!(out, "lb_output({b})");
        }
        DpAction::Userspace(u) => put_userspace(out, u, names),
        DpAction::Set(s) => {
            out.push_str("set(");
            put_set(out, s, names);
            out.push(')');
        }
        DpAction::PushVlan(v) => {
            out.push_str("push_vlan(");
            if v.tpid != 0x8100 {
                put!(out, "tpid=0x{:04x},", v.tpid);
            }
            put_tci(out, v.tci);
            out.push(')');
        }
        DpAction::PopVlan => out.push_str("pop_vlan"),
        DpAction::PushMpls(m) => put_push_mpls(out, "push_mpls", m),
        DpAction::AddMpls(m) => put_push_mpls(out, "add_mpls", m),
        DpAction::PopMpls(t) => {
            put!(out, "pop_mpls(eth_type=0x{t:x})");
        }
        DpAction::PushEth { src, dst } => {
            put!(out, "push_eth(src={src},dst={dst})");
        }
        DpAction::PopEth => out.push_str("pop_eth"),
        DpAction::PushNsh(n) => put_push_nsh(out, n),
        DpAction::PopNsh => out.push_str("pop_nsh()"),
        DpAction::PushPbb(p) => {
            put!(out, "push_pbb(isid=0x{:x},uca={})", p.isid, p.uca);
        }
        DpAction::PopPbb => out.push_str("pop_pbb"),
        DpAction::CopyTtl { out: true } => out.push_str("copy_ttl_out"),
        DpAction::CopyTtl { out: false } => out.push_str("copy_ttl_in"),
        DpAction::Sample { probability, actions } => {
            let percent = 100.0 * f64::from(*probability) / f64::from(u32::MAX);
            put!(out, "sample(sample={percent:.1}%,actions(");
            put_actions(out, actions, names);
            out.push_str("))");
        }
        DpAction::Clone(actions) => {
            out.push_str("clone(");
            put_actions(out, actions, names);
            out.push(')');
        }
        DpAction::Recirc(id) => {
            put!(out, "recirc({})", hex((*id).into()));
        }
        DpAction::Hash { alg, basis } => {
            let name = if *alg == HashAlg::L4 { "l4" } else { "sym_l4" };
            put!(out, "hash({name}({basis}))");
        }
        DpAction::Ct(ct) => put_ct(out, ct),
        DpAction::CtClear => out.push_str("ct_clear"),
        DpAction::Trunc(n) => {
            put!(out, "trunc({n})");
        }
        DpAction::Meter(n) => {
            put!(out, "meter({n})");
        }
        DpAction::CheckPktLen(c) => {
            put!(out, "check_pkt_len(size={},gt(", c.size);
            put_actions(out, &c.greater, names);
            out.push_str("),le(");
            put_actions(out, &c.less_equal, names);
            out.push_str("))");
        }
        DpAction::TnlPush(t) => crate::tnl_text::put_tnl_push(out, t, names),
        DpAction::TnlPop(p) => {
            out.push_str("tnl_pop(");
            put_port(out, *p, names);
            out.push(')');
        }
        DpAction::Psample { group, cookie } => {
            put!(out, "psample(group={group}");
            if !cookie.is_empty() {
                put!(out, ",cookie={}", hex_bytes(cookie));
            }
            out.push(')');
        }
        DpAction::Drop(_) => out.push_str("drop"),
    }
}

/// Bytes as one hexadecimal number without leading zeros.
fn hex_bytes(bytes: &[u8]) -> String {
    let digits: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
    match digits.trim_start_matches('0') {
        "" => "0".into(),
        d => format!("0x{d}"),
    }
}

fn put_tci(out: &mut String, tci: u16) {
    put!(out, "vid={},pcp={}", tci & 0xfff, tci >> 13);
    if tci & 0x1000 == 0 {
        out.push_str(",cfi=0");
    }
}

fn put_push_mpls(out: &mut String, name: &str, m: &PushMpls) {
    put!(
        out,
        "{name}(label={},tc={},ttl={},bos={},eth_type=0x{:x})",
        m.lse >> 12,
        m.lse >> 9 & 7,
        m.lse & 0xff,
        m.lse >> 8 & 1,
        m.eth_type
    );
}

fn put_push_nsh(out: &mut String, n: &Nsh) {
    put!(
        out,
        "push_nsh(flags={},ttl={},mdtype={},np={},spi=0x{:x},si={}",
        n.flags,
        n.ttl,
        n.mdtype,
        n.np,
        n.spi,
        n.si
    );
    if n.mdtype == 1 {
        for (i, c) in n.context.iter().enumerate() {
            put!(out, ",c{}=0x{c:x}", i + 1);
        }
    } else if n.mdtype == 2 {
        put!(out, ",md2={}", hex_bytes(&n.md2));
    }
    out.push(')');
}

fn put_userspace(out: &mut String, u: &Userspace, names: Option<PortName<'_>>) {
    put!(out, "userspace(pid={}", u.pid);
    match &u.cookie {
        UserCookie::Raw(bytes) => {
            out.push_str(",userdata(");
            for b in bytes {
                put!(out, "{b:02x}");
            }
            out.push(')');
        }
        UserCookie::SFlow { vlan_tci, output } => {
            put!(out, ",sFlow(vid={},pcp={},output={output})", vlan_tci & 0xfff, vlan_tci >> 13);
        }
        UserCookie::SlowPath(why) => {
            let names: Vec<&str> =
                SlowPath::NAMES.iter().filter(|(b, _)| why.0 & b != 0).map(|(_, n)| *n).collect();
            put!(out, ",slow_path({})", if names.is_empty() { "0".into() } else { names.join(",") });
        }
        UserCookie::FlowSample(s) => {
            put!(
                out,
                ",flow_sample(probability={},collector_set_id={},obs_domain_id={},obs_point_id={},output_port=",
                s.probability,
                s.collector_set_id,
                s.obs_domain_id,
                s.obs_point_id
            );
            put_port(out, s.output_port, names);
            out.push_str(match s.egress {
                None => ")",
                Some(false) => ",ingress)",
                Some(true) => ",egress)",
            });
        }
        UserCookie::Ipfix { output_port } => {
            out.push_str(",ipfix(output_port=");
            put_port(out, *output_port, names);
            out.push(')');
        }
        UserCookie::Controller(c) => {
            put!(
                out,
                ",controller(reason={},dont_send={},continuation={},recirc_id={},rule_cookie={},controller_id={},max_len={})",
                c.reason,
                c.dont_send as u8,
                c.continuation as u8,
                c.recirc_id,
                hex(c.rule_cookie.0.into()),
                c.controller_id,
                c.max_len
            );
        }
    }
    if u.actions {
        out.push_str(",actions");
    }
    if let Some(p) = u.tunnel_out_port {
        out.push_str(",tunnel_out_port=");
        put_port(out, p, names);
    }
    out.push(')');
}

/// Writes `name=value[/mask],` for fields of which some bit counts.
struct Fields<'a> {
    out: &'a mut String,
    first: bool,
}

impl Fields<'_> {
    fn start(&mut self, name: &str) {
        if !self.first {
            self.out.push(',');
        }
        self.first = false;
        self.out.push_str(name);
        self.out.push('=');
    }

    fn raw<T: Bits, V: Display, M: Display>(
        &mut self,
        name: &str,
        m: Masked<T>,
        full: T,
        value: V,
        mask: impl Fn(T) -> M,
    ) {
        if m.is_wild() {
            return;
        }
        self.start(name);
        put!(self.out, "{value}");
        if m.mask != full {
            put!(self.out, "/{}", mask(m.mask));
        }
    }

    fn mac(&mut self, name: &str, m: Masked<Mac>) {
        self.raw(name, m, Mac::BROADCAST, m.value, |x| x);
    }

    fn ip4(&mut self, name: &str, m: Masked<u32>) {
        self.raw(name, m, u32::MAX, Ipv4Addr::from(m.value), Ipv4Addr::from);
    }

    fn ip6(&mut self, name: &str, m: Masked<u128>) {
        self.raw(name, m, u128::MAX, Ipv6Addr::from(m.value), Ipv6Addr::from);
    }

    fn dec8(&mut self, name: &str, m: Masked<u8>) {
        self.raw(name, m, u8::MAX, m.value, |x| hex(x.into()));
    }

    fn hex8(&mut self, name: &str, m: Masked<u8>) {
        self.raw(name, m, u8::MAX, hex(m.value.into()), |x| hex(x.into()));
    }

    fn dec16(&mut self, name: &str, m: Masked<u16>) {
        self.raw(name, m, u16::MAX, m.value, |x| hex(x.into()));
    }
}

fn put_one(out: &mut String, name: &str, m: Masked<u32>) {
    put!(out, "{name}({}", hex(m.value.into()));
    if !m.is_exact() {
        put!(out, "/{}", hex(m.mask.into()));
    }
    out.push(')');
}

fn frag_name(v: u8) -> &'static str {
    match v {
        0 => "no",
        1 => "first",
        _ => "later",
    }
}

fn put_set(out: &mut String, s: &SetField, names: Option<PortName<'_>>) {
    let name = match s {
        SetField::Priority(m) => return put_one(out, "skb_priority", *m),
        SetField::Mark(m) => return put_one(out, "skb_mark", *m),
        SetField::Other(which, m) => return put_other(out, *which, *m, names),
        SetField::Tunnel(t) => return put_tunnel(out, t),
        SetField::Eth(_) => "eth",
        SetField::Vlan(_) => "vlan",
        SetField::Mpls(_) => "mpls",
        SetField::Ipv4(_) => "ipv4",
        SetField::Ipv6(_) => "ipv6",
        SetField::Tcp(_) => "tcp",
        SetField::Udp(_) => "udp",
        SetField::Sctp(_) => "sctp",
        SetField::Icmp(_) => "icmp",
        SetField::Icmpv6(_) => "icmpv6",
        SetField::Arp(_) => "arp",
        SetField::Nd(_) => "nd",
        SetField::NdExt(_) => "nd_ext",
        SetField::Nsh(_) => "nsh",
        SetField::Pbb(_) => "pbb",
    };
    out.push_str(name);
    out.push('(');
    put_header(&mut Fields { out, first: true }, s);
    out.push(')');
}

fn put_header(f: &mut Fields<'_>, s: &SetField) {
    match s {
        SetField::Eth(e) => {
            f.mac("src", e.src);
            f.mac("dst", e.dst);
        }
        SetField::Vlan(m) => put_vlan(f, *m),
        SetField::Mpls(m) => put_mpls(f.out, *m),
        SetField::Ipv4(i) => {
            f.ip4("src", i.src);
            f.ip4("dst", i.dst);
            f.dec8("proto", i.proto);
            f.hex8("tos", i.tos);
            f.dec8("ttl", i.ttl);
            f.raw("frag", i.frag, i.frag.mask, frag_name(i.frag.value), |_| "");
        }
        SetField::Ipv6(i) => {
            f.ip6("src", i.src);
            f.ip6("dst", i.dst);
            f.raw("label", i.label, 0xf_ffff, hex(i.label.value.into()), |x| hex(x.into()));
            f.dec8("proto", i.proto);
            f.hex8("tclass", i.tclass);
            f.dec8("hlimit", i.hlimit);
            f.raw("frag", i.frag, i.frag.mask, frag_name(i.frag.value), |_| "");
        }
        SetField::Tcp(p) | SetField::Udp(p) | SetField::Sctp(p) => {
            f.dec16("src", p.src);
            f.dec16("dst", p.dst);
        }
        SetField::Icmp(i) | SetField::Icmpv6(i) => {
            f.dec8("type", i.ty);
            f.dec8("code", i.code);
        }
        SetField::Arp(a) => {
            f.ip4("sip", a.sip);
            f.ip4("tip", a.tip);
            f.dec16("op", a.op);
            f.mac("sha", a.sha);
            f.mac("tha", a.tha);
        }
        SetField::Nd(n) => {
            f.ip6("target", n.target);
            f.mac("sll", n.sll);
            f.mac("tll", n.tll);
        }
        SetField::NdExt(n) => {
            f.start("nd_reserved");
            put!(f.out, "0x{:x}", n.reserved.value);
            f.dec8("nd_options_type", n.options_type);
        }
        SetField::Nsh(n) => {
            f.dec8("flags", n.flags);
            f.dec8("ttl", n.ttl);
            f.dec8("mdtype", n.mdtype);
            f.dec8("np", n.np);
            f.raw("spi", n.spi, 0xff_ffff, format!("0x{:x}", n.spi.value), |x| hex(x.into()));
            f.dec8("si", n.si);
            for (i, c) in n.context.iter().enumerate() {
                f.raw(["c1", "c2", "c3", "c4"][i], *c, u32::MAX, format!("0x{:x}", c.value), |x| {
                    format!("0x{x:08x}")
                });
            }
        }
        SetField::Pbb(p) => {
            f.raw("isid", p.isid, 0xff_ffff, format!("0x{:x}", p.isid.value), |x| hex(x.into()));
            f.dec8("uca", p.uca);
        }
        SetField::Priority(_) | SetField::Mark(_) | SetField::Other(..) | SetField::Tunnel(_) => {}
    }
}

fn put_vlan(f: &mut Fields<'_>, m: Masked<u16>) {
    let vid = Masked::new(m.value & 0xfff, m.mask & 0xfff);
    let pcp = Masked::new((m.value >> 13) as u8, (m.mask >> 13) as u8);
    f.raw("vid", vid, 0xfff, vid.value, |x| hex(x.into()));
    f.raw("pcp", pcp, 7, pcp.value, |x| format!("0x{x:x}"));
    if m.mask & 0x1000 != 0 && m.value & 0x1000 == 0 {
        f.start("cfi");
        f.out.push('0');
    }
}

fn put_mpls(out: &mut String, m: Masked<u32>) {
    let v = m.value;
    if m.is_exact() {
        put!(out, "label={},tc={},ttl={},bos={}", v >> 12, v >> 9 & 7, v & 0xff, v >> 8 & 1);
    } else {
        let k = m.mask;
        put!(
            out,
            "label={}/0x{:x},tc={}/{:x},ttl={}/0x{:x},bos={}/{:x}",
            v >> 12,
            k >> 12,
            v >> 9 & 7,
            k >> 9 & 7,
            v & 0xff,
            k & 0xff,
            v >> 8 & 1,
            k >> 8 & 1
        );
    }
}

fn put_tunnel(out: &mut String, t: &SetTunnel) {
    out.push_str("tunnel(");
    if t.key {
        put!(out, "tun_id=0x{:x},", t.tun_id);
    }
    for (name, addr) in [("src", t.src), ("dst", t.dst)] {
        match addr {
            Some(IpAddr::V4(a)) => {
                put!(out, "{name}={a},");
            }
            Some(IpAddr::V6(a)) => {
                put!(out, "ipv6_{name}={a},");
            }
            None => {}
        }
    }
    if t.tos != 0 {
        put!(out, "tos=0x{:x},", t.tos);
    }
    put!(out, "ttl={},", t.ttl);
    if t.tp_src != 0 {
        put!(out, "tp_src={},", t.tp_src);
    }
    if t.tp_dst != 0 {
        put!(out, "tp_dst={},", t.tp_dst);
    }
    put_tunnel_options(out, t);
    let flags: Vec<&str> = [(t.oam, "oam"), (t.df, "df"), (t.csum, "csum"), (t.key, "key")]
        .iter()
        .filter(|(set, _)| *set)
        .map(|(_, n)| *n)
        .collect();
    put!(out, "flags({}))", if flags.is_empty() { "0".into() } else { flags.join("|") });
}

fn put_tunnel_options(out: &mut String, t: &SetTunnel) {
    if let Some((id, flags)) = t.gbp.filter(|g| *g != (0, 0)) {
        put!(out, "vxlan(gbp(id={id},flags={})),", hex(flags.into()));
    }
    if let Some(options) = &t.geneve {
        out.push_str("geneve(");
        for o in options {
            put!(out, "{{class={},type={},len={}", hex(o.class.into()), hex(o.ty.into()), o.data.len());
            if !o.data.is_empty() {
                put!(out, ",{}", hex_bytes(&o.data));
            }
            out.push('}');
        }
        out.push_str("),");
    }
    if let Some((ver, idx, dir, hwid)) = t.erspan {
        if ver == 1 {
            put!(out, "erspan(ver=1,idx=0x{idx:x}),");
        } else {
            put!(out, "erspan(ver={ver},dir={dir},hwid=0x{hwid:x}),");
        }
    }
    if let Some((flags, msgtype)) = t.gtpu {
        put!(out, "gtpu(flags={},msgtype={msgtype}),", hex(flags.into()));
    }
}

fn put_other(out: &mut String, which: OtherField, m: Masked<u128>, names: Option<PortName<'_>>) {
    let (name, bits) = which.info();
    put!(out, "{name}(");
    match which {
        OtherField::InPort => put_port(out, DpPort(m.value as u32), names),
        OtherField::EthType => {
            put!(out, "0x{:04x}", m.value);
        }
        OtherField::PacketType => {
            put!(out, "ns={},id={}", m.value >> 16, hex(m.value & 0xffff));
        }
        OtherField::TcpFlags => {
            let flags = TCP_FLAGS.iter().filter(|(b, _)| m.mask & b != 0);
            for (i, (b, n)) in flags.enumerate() {
                let on = m.value & b != 0;
                if m.mask != 0xfff {
                    put!(out, "{}{n}", if on { '+' } else { '-' });
                } else if on {
                    put!(out, "{}{n}", if i > 0 && !out.ends_with('(') { "|" } else { "" });
                }
            }
            if m.mask == 0xfff && m.value == 0 {
                out.push('0');
            }
        }
        _ => out.push_str(&hex(m.value)),
    }
    if m.mask != bits && which != OtherField::TcpFlags {
        match which {
            OtherField::EthType => {
                put!(out, "/0x{:04x}", m.mask);
            }
            _ => {
                put!(out, "/{}", hex(m.mask));
            }
        }
    }
    out.push(')');
}

/// TCP flags by bit.
pub(crate) const TCP_FLAGS: [(u128, &str); 9] = [
    (0x001, "fin"),
    (0x002, "syn"),
    (0x004, "rst"),
    (0x008, "psh"),
    (0x010, "ack"),
    (0x020, "urg"),
    (0x040, "ece"),
    (0x080, "cwr"),
    (0x100, "ns"),
];

impl OtherField {
    /// Name in text and all of its bits.
    pub(crate) const fn info(self) -> (&'static str, u128) {
        match self {
            OtherField::InPort => ("in_port", u32::MAX as u128),
            OtherField::EthType => ("eth_type", u16::MAX as u128),
            OtherField::RecircId => ("recirc_id", u32::MAX as u128),
            OtherField::DpHash => ("dp_hash", u32::MAX as u128),
            OtherField::CtState => ("ct_state", u32::MAX as u128),
            OtherField::CtZone => ("ct_zone", u16::MAX as u128),
            OtherField::CtMark => ("ct_mark", u32::MAX as u128),
            OtherField::CtLabel => ("ct_label", u128::MAX),
            OtherField::PacketType => ("packet_type", u32::MAX as u128),
            OtherField::TcpFlags => ("tcp_flags", 0xfff),
        }
    }

    /// All of them.
    pub(crate) const ALL: [OtherField; 10] = [
        OtherField::InPort,
        OtherField::EthType,
        OtherField::RecircId,
        OtherField::DpHash,
        OtherField::CtState,
        OtherField::CtZone,
        OtherField::CtMark,
        OtherField::CtLabel,
        OtherField::PacketType,
        OtherField::TcpFlags,
    ];
}

fn put_ct(out: &mut String, ct: &Ct) {
    let mut parts: Vec<String> = Vec::new();
    if ct.commit || ct.force {
        parts.push(if ct.force { "force_commit".into() } else { "commit".into() });
    }
    if ct.zone != 0 {
        parts.push(format!("zone={}", ct.zone));
    }
    if let Some(m) = ct.mark.filter(|m| m.mask != 0) {
        parts.push(format!("mark={}/{}", hex(m.value.into()), hex(m.mask.into())));
    }
    if let Some(l) = ct.label.filter(|l| l.mask != 0) {
        let mask = if l.is_exact() { String::new() } else { format!("/{}", hex(l.mask)) };
        parts.push(format!("label={}{mask}", hex(l.value)));
    }
    if let Some(h) = &ct.helper {
        parts.push(format!("helper={h}"));
    }
    if let Some(t) = &ct.timeout {
        parts.push(format!("timeout={t}"));
    }
    if let Some(n) = &ct.nat {
        parts.push(nat_text(n));
    }
    out.push_str("ct");
    if !parts.is_empty() {
        put!(out, "({})", parts.join(","));
    }
}

fn nat_text(n: &CtNat) -> String {
    let Some(kind) = n.kind else { return "nat".into() };
    let mut s = String::from(if kind == NatKind::Src { "nat(src" } else { "nat(dst" });
    if let Some((min, max)) = n.addrs {
        let bracket = min.is_ipv6() && n.ports.is_some();
        let one = |a: IpAddr| if bracket { format!("[{a}]") } else { a.to_string() };
        put!(s, "={}", one(min));
        if max != min {
            put!(s, "-{}", one(max));
        }
    } else if n.ports.is_some() {
        s.push('=');
    }
    if let Some((lo, hi)) = n.ports {
        put!(s, ":{lo}");
        if hi != lo {
            put!(s, "-{hi}");
        }
    }
    for (set, name) in [(n.persistent, ",persistent"), (n.hash, ",hash"), (n.random, ",random")] {
        if set {
            s.push_str(name);
        }
    }
    s.push(')');
    s
}
