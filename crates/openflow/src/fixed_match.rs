//! The fixed-size matches of OpenFlow 1.0 and 1.1, with their wildcard bits.

use crate::buf::{Decode, DecodeError, Put, Reader};
use crate::ofperr::OfpErr;
use base::OfPort;
use flow::key::{eth_type, ip_proto};
use flow::{Field, Match, Value};

/// Wildcard bits of OpenFlow 1.0.
pub mod w10 {
    #![allow(missing_docs)]
    pub const IN_PORT: u32 = 1 << 0;
    pub const DL_VLAN: u32 = 1 << 1;
    pub const DL_SRC: u32 = 1 << 2;
    pub const DL_DST: u32 = 1 << 3;
    pub const DL_TYPE: u32 = 1 << 4;
    pub const NW_PROTO: u32 = 1 << 5;
    pub const TP_SRC: u32 = 1 << 6;
    pub const TP_DST: u32 = 1 << 7;
    pub const NW_SRC_SHIFT: u32 = 8;
    pub const NW_DST_SHIFT: u32 = 14;
    pub const DL_VLAN_PCP: u32 = 1 << 20;
    pub const NW_TOS: u32 = 1 << 21;
    pub const ALL: u32 = (1 << 22) - 1;
}

/// Bytes of an OpenFlow 1.0 match.
pub const LEN_10: usize = 40;
/// Bytes of an OpenFlow 1.1 match.
pub const LEN_11: usize = 88;

const VID_NONE: u16 = 0xffff;
const VID_ANY: u16 = 0xfffe;

/// Takes an OpenFlow 1.0 match into `m`, which matches anything yet.
pub fn pull_of10(r: &mut Reader<'_>, m: &mut Match) -> Decode<()> {
    let w = r.u32()? & w10::ALL;
    let in_port = r.u16()?;
    let dl_src = r.array::<6>()?;
    let dl_dst = r.array::<6>()?;
    let vid = r.u16()?;
    let pcp = r.u8()?;
    r.skip(1)?;
    let dl_type = r.u16()?;
    let tos = r.u8()?;
    let proto = r.u8()?;
    r.skip(2)?;
    let nw_src = r.u32()?;
    let nw_dst = r.u32()?;
    let tp_src = r.u16()?;
    let tp_dst = r.u16()?;

    let set = |m: &mut Match, bit: u32, field: Field, v: Value| {
        if w & bit == 0 {
            m.set(field, v);
        }
    };
    set(m, w10::IN_PORT, Field::IN_PORT, in_port.into());
    set(m, w10::DL_SRC, Field::ETH_SRC, base::Mac(dl_src).to_u64().into());
    set(m, w10::DL_DST, Field::ETH_DST, base::Mac(dl_dst).to_u64().into());
    vlan_from_10(m, w, vid, pcp);
    set(m, w10::DL_TYPE, Field::ETH_TYPE, dl_type.into());
    if w & w10::NW_TOS == 0 {
        m.set_masked(Field::NW_TOS, (tos & 0xfc).into(), 0xfc);
    }
    set(m, w10::NW_PROTO, Field::IP_PROTO, proto.into());
    for (field, addr, shift) in
        [(Field::IP_SRC, nw_src, w10::NW_SRC_SHIFT), (Field::IP_DST, nw_dst, w10::NW_DST_SHIFT)]
    {
        let bits = w >> shift & 63;
        let mask = if bits >= 32 { 0 } else { u32::MAX << bits };
        if mask != 0 {
            m.set_masked(field, (addr & mask).into(), mask.into());
        }
    }
    set(m, w10::TP_SRC, Field::TCP_SRC, tp_src.into());
    set(m, w10::TP_DST, Field::TCP_DST, tp_dst.into());
    Ok(())
}

/// Whether a match of OpenFlow 1.0 is one of packets that have all of its fields: TCP, UDP or ICMP over IPv4. Such a
/// one, as most are, says nothing that means nothing.
pub(crate) fn is_of_ports(bytes: &[u8]) -> bool {
    let Some(m) = bytes.first_chunk::<LEN_10>() else { return false };
    let wild = u32::from_be_bytes([m[0], m[1], m[2], m[3]]);
    wild & (w10::DL_TYPE | w10::NW_PROTO) == 0
        && u16::from_be_bytes([m[22], m[23]]) == eth_type::IPV4
        && matches!(m[25], ip_proto::TCP | ip_proto::UDP | ip_proto::ICMP)
}

/// A match of OpenFlow 1.0 field by field as on the wire, with `*` for what is wild.
pub fn text_of10(bytes: &[u8], names: &dyn crate::port_map::Names) -> Decode<String> {
    let mut r = Reader::new(bytes);
    let w = r.u32()? & w10::ALL;
    let in_port = OfPort::from_u16(r.u16()?);
    let (src, dst) = (base::Mac(r.array()?), base::Mac(r.array()?));
    let (vlan, pcp) = (r.u16()?, r.u8()?);
    r.skip(1)?;
    let (kind, tos, proto) = (r.u16()?, r.u8()?, r.u8()?);
    r.skip(2)?;
    let (nw_src, nw_dst, tp_src, tp_dst) = (r.u32()?, r.u32()?, r.u16()?, r.u16()?);

    let typed = w & w10::DL_TYPE == 0;
    let proto_known = typed && w & w10::NW_PROTO == 0;
    let word = match (kind, proto) {
        (eth_type::IPV4, ip_proto::ICMP) if proto_known => Some("icmp"),
        (eth_type::IPV4, ip_proto::TCP) if proto_known => Some("tcp"),
        (eth_type::IPV4, ip_proto::UDP) if proto_known => Some("udp"),
        (eth_type::IPV4, ip_proto::SCTP) if proto_known => Some("sctp"),
        (eth_type::IPV4, _) if typed => Some("ip"),
        (eth_type::ARP, _) if typed => Some("arp"),
        (eth_type::RARP, _) if typed => Some("rarp"),
        (eth_type::MPLS, _) if typed => Some("mpls"),
        (eth_type::MPLS_MULTICAST, _) if typed => Some("mplsm"),
        _ => None,
    };
    let arp = matches!(kind, eth_type::ARP | eth_type::RARP);
    let mut out: Vec<String> = word.map(str::to_string).into_iter().collect();
    let mut put = |name: &str, wild: bool, value: String| {
        out.push(if wild { format!("{name}=*") } else { format!("{name}={value}") });
    };
    let wild = |bit: u32| w & bit != 0;
    put("in_port", wild(w10::IN_PORT), flow::text::port::port_text(in_port, names.ports()));
    put("dl_vlan", wild(w10::DL_VLAN), vlan.to_string());
    put("dl_vlan_pcp", wild(w10::DL_VLAN_PCP), pcp.to_string());
    put("dl_src", wild(w10::DL_SRC), src.to_string());
    put("dl_dst", wild(w10::DL_DST), dst.to_string());
    if word.is_none() {
        put("dl_type", !typed, format!("0x{kind:04x}"));
    }
    for (name, address, shift) in
        [("nw_src", nw_src, w10::NW_SRC_SHIFT), ("nw_dst", nw_dst, w10::NW_DST_SHIFT)]
    {
        let bits = w >> shift & 63;
        let address = std::net::Ipv4Addr::from(address);
        let prefix = if bits == 0 { String::new() } else { format!("/{}", 32 - bits.min(32)) };
        put(name, bits >= 32, format!("{address}{prefix}"));
    }
    if !matches!(word, Some("icmp" | "tcp" | "udp" | "sctp")) {
        put(if arp { "arp_op" } else { "nw_proto" }, wild(w10::NW_PROTO), proto.to_string());
    }
    put("nw_tos", wild(w10::NW_TOS), tos.to_string());
    let icmp = proto == ip_proto::ICMP;
    put(if icmp { "icmp_type" } else { "tp_src" }, wild(w10::TP_SRC), tp_src.to_string());
    put(if icmp { "icmp_code" } else { "tp_dst" }, wild(w10::TP_DST), tp_dst.to_string());
    Ok(out.join(","))
}

fn vlan_from_10(m: &mut Match, w: u32, vid: u16, pcp: u8) {
    let (any_vid, any_pcp) = (w & w10::DL_VLAN != 0, w & w10::DL_VLAN_PCP != 0);
    let pcp = u16::from(pcp) << 13;
    match (any_vid, any_pcp) {
        (true, true) => {}
        // Only the priority: the packet must have a tag.
        (true, false) => m.set_masked(Field::VLAN_TCI, (0x1000 | pcp).into(), 0xf000),
        (false, _) if vid == VID_NONE => m.set_masked(Field::VLAN_TCI, 0, 0xffff),
        (false, true) => m.set_masked(Field::VLAN_TCI, (0x1000 | (vid & 0xfff)).into(), 0x1fff),
        (false, false) => m.set_masked(Field::VLAN_TCI, (0x1000 | (vid & 0xfff) | pcp).into(), 0xffff),
    }
}

/// Appends an OpenFlow 1.0 match; what it cannot say is left wild.
pub fn put_of10(out: &mut Vec<u8>, m: &Match) {
    let mut w = 0;
    let exact = |f: Field| {
        let (v, k) = m.get(f);
        (k != 0).then_some(v)
    };
    let mut take = |f: Field, bit: u32| {
        exact(f).unwrap_or_else(|| {
            w |= bit;
            0
        })
    };
    let in_port = take(Field::IN_PORT, w10::IN_PORT);
    let dl_src = take(Field::ETH_SRC, w10::DL_SRC) as u64;
    let dl_dst = take(Field::ETH_DST, w10::DL_DST) as u64;
    let dl_type = take(Field::ETH_TYPE, w10::DL_TYPE);
    let tos = take(Field::NW_TOS, w10::NW_TOS);
    let proto = take(Field::IP_PROTO, w10::NW_PROTO);
    let tp_src = take(Field::TCP_SRC, w10::TP_SRC);
    let tp_dst = take(Field::TCP_DST, w10::TP_DST);
    let prefix = |f: Field| {
        let (v, k) = m.get(f);
        (v as u32, if k == 0 { 32 } else { (k as u32).trailing_zeros() })
    };
    let (nw_src, src_bits) = prefix(Field::IP_SRC);
    let (nw_dst, dst_bits) = prefix(Field::IP_DST);
    w |= src_bits << w10::NW_SRC_SHIFT | dst_bits << w10::NW_DST_SHIFT;

    let (tci, mask) = m.get(Field::VLAN_TCI);
    let (tci, mask) = (tci as u16, mask as u16);
    let (mut vid, mut pcp) = (0, 0);
    if mask == 0 {
        w |= w10::DL_VLAN | w10::DL_VLAN_PCP;
    } else if mask & 0x1000 != 0 && tci & 0x1000 == 0 {
        vid = VID_NONE;
    } else {
        if mask & 0xfff == 0 {
            w |= w10::DL_VLAN;
        } else {
            vid = tci & 0xfff;
        }
        if mask & 0xe000 == 0 {
            w |= w10::DL_VLAN_PCP;
        } else {
            pcp = (tci >> 13) as u8;
        }
    }
    // Only the wildcards of the standard are set; with everything wild, the bits that nothing uses are too.
    out.u32(w);
    out.u16(in_port as u16);
    out.bytes(&base::Mac::from_u64(dl_src).0);
    out.bytes(&base::Mac::from_u64(dl_dst).0);
    out.u16(vid);
    out.u8(pcp);
    out.zeros(1);
    out.u16(dl_type as u16);
    out.u8(tos as u8);
    out.u8(proto as u8);
    out.zeros(2);
    out.u32(nw_src);
    out.u32(nw_dst);
    out.u16(tp_src as u16);
    out.u16(tp_dst as u16);
}

/// Wildcard bits of OpenFlow 1.1.
mod w11 {
    pub const IN_PORT: u32 = 1 << 0;
    pub const DL_VLAN: u32 = 1 << 1;
    pub const DL_VLAN_PCP: u32 = 1 << 2;
    pub const DL_TYPE: u32 = 1 << 3;
    pub const NW_TOS: u32 = 1 << 4;
    pub const NW_PROTO: u32 = 1 << 5;
    pub const TP_SRC: u32 = 1 << 6;
    pub const TP_DST: u32 = 1 << 7;
    pub const MPLS_LABEL: u32 = 1 << 8;
    pub const MPLS_TC: u32 = 1 << 9;
    pub const ALL: u32 = (1 << 10) - 1;
}

/// Takes an OpenFlow 1.1 match, whose `type` and `length` lie ahead, into `m`, which matches anything yet.
pub fn pull_of11(r: &mut Reader<'_>, m: &mut Match) -> Decode<()> {
    let mut r11 = Reader::with_error(r.take(r.len().min(LEN_11))?, OfpErr::OFPBMC_BAD_LEN);
    if r11.len() < LEN_11 {
        return Err(OfpErr::OFPBMC_BAD_LEN.into());
    }
    let kind = r11.u16()?;
    let len = r11.u16()?;
    if kind != 0 {
        return Err(OfpErr::OFPBMC_BAD_TYPE.into());
    }
    if usize::from(len) != LEN_11 {
        return Err(OfpErr::OFPBMC_BAD_LEN.into());
    }
    of11_body(&mut r11, m)
}

struct Of11 {
    in_port: u32,
    w: u32,
    vid: u16,
    pcp: u8,
    dl_type: u16,
    tos: u8,
    proto: u8,
    tp_src: u16,
    tp_dst: u16,
    mpls_label: u32,
    mpls_tc: u8,
}

fn of11_body(r: &mut Reader<'_>, m: &mut Match) -> Decode<()> {
    let in_port = r.u32()?;
    let w = r.u32()? & w11::ALL;
    let mut mac = || -> Decode<Value> { Ok(base::Mac(r.array::<6>()?).to_u64().into()) };
    let (src, src_mask, dst, dst_mask) = (mac()?, mac()?, mac()?, mac()?);
    let vid = r.u16()?;
    let pcp = r.u8()?;
    r.skip(1)?;
    let dl_type = r.u16()?;
    let tos = r.u8()?;
    let proto = r.u8()?;
    let nw: [u32; 4] = [r.u32()?, r.u32()?, r.u32()?, r.u32()?];
    let tp_src = r.u16()?;
    let tp_dst = r.u16()?;
    let mpls_label = r.u32()?;
    let mpls_tc = r.u8()?;
    r.skip(3)?;
    let metadata = r.u64()?;
    let metadata_mask = r.u64()?;

    let ones48 = 0xffff_ffff_ffff;
    let mut masked = |field, value: Value, wild: Value, ones: Value| {
        let mask = !wild & ones;
        if mask != 0 {
            m.set_masked(field, value & mask, mask);
        }
    };
    masked(Field::ETH_SRC, src, src_mask, ones48);
    masked(Field::ETH_DST, dst, dst_mask, ones48);
    masked(Field::METADATA, metadata.into(), metadata_mask.into(), u64::MAX.into());
    let f = Of11 { in_port, w, vid, pcp, dl_type, tos, proto, tp_src, tp_dst, mpls_label, mpls_tc };
    of11_fields(m, &f, nw)
}

fn of11_fields(m: &mut Match, f: &Of11, nw: [u32; 4]) -> Decode<()> {
    let w = f.w;
    if w & w11::IN_PORT == 0 {
        let Some(port) = OfPort(f.in_port).to_u16() else {
            return Err(DecodeError::logged(
                OfpErr::OFPBMC_BAD_VALUE,
                "ofp_port",
                format!(
                    "port {} is outside the supported range 0 through 65279 or 0xffffff00 through 0xffffffff",
                    f.in_port
                ),
            ));
        };
        m.set(Field::IN_PORT, port.into());
    }
    of11_vlan(m, f)?;
    if w & w11::DL_TYPE == 0 {
        m.set(Field::ETH_TYPE, f.dl_type.into());
    }
    let t = if w & w11::DL_TYPE == 0 { f.dl_type } else { 0 };
    // The version has no way to match what follows an IPv6 header.
    let ip = t == eth_type::IPV4;
    let arp = t == eth_type::ARP;
    if ip && w & w11::NW_TOS == 0 {
        if f.tos & 3 != 0 {
            return Err(OfpErr::OFPBMC_BAD_VALUE.into());
        }
        m.set_masked(Field::NW_TOS, f.tos.into(), 0xfc);
    }
    if (ip || arp) && w & w11::NW_PROTO == 0 {
        m.set(Field::IP_PROTO, f.proto.into());
    }
    if t == eth_type::IPV4 || arp {
        for (field, addr, wild) in [(Field::IP_SRC, nw[0], nw[1]), (Field::IP_DST, nw[2], nw[3])] {
            if !wild != 0 {
                m.set_masked(field, (addr & !wild).into(), (!wild).into());
            }
        }
    }
    if ip && w & w11::NW_PROTO == 0 {
        of11_ports(m, f)?;
    }
    if t == eth_type::MPLS || t == eth_type::MPLS_MULTICAST {
        if w & w11::MPLS_LABEL == 0 {
            m.set(Field::MPLS_LABEL, (f.mpls_label & 0xfffff).into());
        }
        if w & w11::MPLS_TC == 0 {
            m.set(Field::MPLS_TC, (f.mpls_tc & 7).into());
        }
    }
    Ok(())
}

fn of11_vlan(m: &mut Match, f: &Of11) -> Decode<()> {
    if f.w & w11::DL_VLAN == 0 {
        match f.vid {
            VID_NONE => m.set_masked(Field::VLAN_TCI, 0, 0xffff),
            VID_ANY if f.w & w11::DL_VLAN_PCP == 0 => {
                m.set_masked(Field::VLAN_TCI, 0x1000 | Value::from(f.pcp) << 13, 0xf000)
            }
            VID_ANY => m.set_masked(Field::VLAN_TCI, 0x1000, 0x1000),
            v if v > 0xfff => return Err(OfpErr::OFPBMC_BAD_VALUE.into()),
            v if f.w & w11::DL_VLAN_PCP == 0 => {
                m.set_masked(Field::VLAN_TCI, Value::from(v | 0x1000 | u16::from(f.pcp) << 13), 0xffff)
            }
            v => m.set_masked(Field::VLAN_TCI, (v | 0x1000).into(), 0x1fff),
        }
    }
    Ok(())
}

fn of11_ports(m: &mut Match, f: &Of11) -> Decode<()> {
    let (src, dst) = match f.proto {
        ip_proto::ICMP => (Field::ICMP_TYPE, Field::ICMP_CODE),
        ip_proto::TCP | ip_proto::UDP | ip_proto::SCTP => (Field::TCP_SRC, Field::TCP_DST),
        _ => return Ok(()),
    };
    let limit = if f.proto == ip_proto::ICMP { 0xff } else { 0xffff };
    for (bit, field, v) in [(w11::TP_SRC, src, f.tp_src), (w11::TP_DST, dst, f.tp_dst)] {
        if f.w & bit == 0 {
            if v > limit {
                return Err(OfpErr::OFPBMC_BAD_FIELD.into());
            }
            m.set(field, v.into());
        }
    }
    Ok(())
}

/// Appends an OpenFlow 1.1 match.
pub fn put_of11(out: &mut Vec<u8>, m: &Match) {
    let mut w = 0;
    let mut take = |f: Field, bit: u32| {
        let (v, k) = m.get(f);
        if k == 0 {
            w |= bit;
        }
        v
    };
    let in_port = take(Field::IN_PORT, w11::IN_PORT) as u16;
    let dl_type = take(Field::ETH_TYPE, w11::DL_TYPE) as u16;
    let tos = take(Field::NW_TOS, w11::NW_TOS);
    let proto = take(Field::IP_PROTO, w11::NW_PROTO);
    let tp_src = take(Field::TCP_SRC, w11::TP_SRC);
    let tp_dst = take(Field::TCP_DST, w11::TP_DST);
    let label = take(Field::MPLS_LABEL, w11::MPLS_LABEL);
    let tc = take(Field::MPLS_TC, w11::MPLS_TC);
    let (tci, mask) = m.get(Field::VLAN_TCI);
    let (tci, mask) = (tci as u16, mask as u16);
    let (mut vid, mut pcp) = (0, 0);
    if mask == 0 {
        w |= w11::DL_VLAN | w11::DL_VLAN_PCP;
    } else if mask & 0x1000 != 0 && tci & 0x1000 == 0 {
        vid = VID_NONE;
        w |= w11::DL_VLAN_PCP;
    } else {
        vid = if mask & 0xfff == 0 { VID_ANY } else { tci & 0xfff };
        if mask & 0xe000 == 0 {
            w |= w11::DL_VLAN_PCP;
        } else {
            pcp = (tci >> 13) as u8;
        }
    }
    out.u16(0);
    out.u16(LEN_11 as u16);
    out.u32(if w & w11::IN_PORT == 0 { OfPort::from_u16(in_port).0 } else { 0 });
    out.u32(w);
    for f in [Field::ETH_SRC, Field::ETH_DST] {
        let (v, k) = m.get(f);
        out.bytes(&base::Mac::from_u64(v as u64).0);
        out.bytes(&base::Mac::from_u64(!k as u64).0);
    }
    out.u16(vid);
    out.u8(pcp);
    out.zeros(1);
    out.u16(dl_type);
    out.u8(tos as u8);
    out.u8(proto as u8);
    for f in [Field::IP_SRC, Field::IP_DST] {
        let (v, k) = m.get(f);
        out.u32(v as u32);
        out.u32(!k as u32);
    }
    out.u16(tp_src as u16);
    out.u16(tp_dst as u16);
    out.u32(label as u32);
    out.u8(tc as u8);
    out.zeros(3);
    let (v, k) = m.get(Field::METADATA);
    out.u64(v as u64);
    out.u64(!k as u64);
}
