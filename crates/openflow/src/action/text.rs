//! The text of action lists.

use super::*;
use crate::text::lex::{self, Pair};
use crate::text::{CHex, Fmt, TextCx};
use crate::version::ProtocolSet;
use std::fmt::Write;

type ParseResult<T> = Result<T, String>;

/// Inside what a list stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outer {
    /// A flow: instructions are allowed.
    Flow,
    /// A flow on the wire of OpenFlow 1.5, where metering is one of the actions.
    Flow15,
    /// A plain action list: of a packet-out.
    List,
    /// A group's bucket.
    Bucket,
    /// `ct(exec(...))`
    Ct,
    /// `write_actions(...)`
    WriteActions,
    /// `clone(...)`
    Clone,
}

/// Prints a list of actions; `drop` when empty.
pub fn format_list(actions: &[Action], f: &mut Fmt<'_>) {
    if actions.is_empty() {
        let colors = f.colors;
        f.out.push_str(&colors.drop);
        f.put("drop");
        f.out.push_str(&colors.end);
    }
    for (i, a) in actions.iter().enumerate() {
        if i > 0 {
            f.put(",");
        }
        a.format(f);
    }
}

impl Action {
    /// Prints the action.
    pub fn format(&self, f: &mut Fmt<'_>) {
        match self {
            Action::Output(a) => a.format(f),
            Action::OutputReg(a) => a.format(f),
            Action::OutputTrunc(a) => a.format(f),
            Action::Controller(a) => a.format(f),
            Action::Enqueue(a) => a.format(f),
            Action::Bundle(a) => a.format(f),
            Action::Group(a) => {
                f.special("group:");
                let _ = write!(f, "{}", a.group.0);
            }
            Action::StripVlan(a) => f.value(if a.pop { "pop_vlan" } else { "strip_vlan" }),
            Action::PushVlan(a) => hex_param(f, "push_vlan:", a.ethertype),
            Action::SetVlanVid(a) => {
                f.param(if a.push_vlan_if_needed { "mod_vlan_vid:" } else { "set_vlan_vid:" });
                let _ = write!(f, "{}", a.vid);
            }
            Action::SetVlanPcp(a) => {
                f.param(if a.push_vlan_if_needed { "mod_vlan_pcp:" } else { "set_vlan_pcp:" });
                let _ = write!(f, "{}", a.pcp);
            }
            Action::PushMpls(a) => hex_param(f, "push_mpls:", a.ethertype),
            Action::PopMpls(a) => hex_param(f, "pop_mpls:", a.ethertype),
            Action::PushPbb(a) => hex_param(f, "push_pbb:", a.ethertype),
            Action::PopPbb => f.value("pop_pbb"),
            Action::Encap(a) => a.format(f),
            Action::Decap(a) => a.format(f),
            Action::SetEthSrc(a) => param(f, "mod_dl_src:", a.mac),
            Action::SetEthDst(a) => param(f, "mod_dl_dst:", a.mac),
            Action::SetIpv4Src(a) => param(f, "mod_nw_src:", std::net::Ipv4Addr::from(a.addr)),
            Action::SetIpv4Dst(a) => param(f, "mod_nw_dst:", std::net::Ipv4Addr::from(a.addr)),
            Action::SetIpDscp(a) => param(f, "mod_nw_tos:", a.value),
            Action::SetIpEcn(a) => param(f, "mod_nw_ecn:", a.value),
            Action::SetIpTtl(a) => param(f, "mod_nw_ttl:", a.value),
            Action::SetL4SrcPort(a) => param(f, "mod_tp_src:", a.port),
            Action::SetL4DstPort(a) => param(f, "mod_tp_dst:", a.port),
            Action::SetMplsLabel(a) => in_parens(f, "set_mpls_label(", a.label),
            Action::SetMplsTc(a) => in_parens(f, "set_mpls_tc(", a.tc),
            Action::SetMplsTtl(a) => in_parens(f, "set_mpls_ttl(", a.ttl),
            Action::SetField(a) => a.format(f),
            Action::Move(a) => {
                f.special("move:");
                f.subfield(a.src);
                f.special("->");
                f.subfield(a.dst);
            }
            Action::DecTtl(a) => a.format(f),
            Action::DecMplsTtl => f.value("dec_mpls_ttl"),
            Action::DecNshTtl => f.value("dec_nsh_ttl"),
            Action::CopyTtlIn => f.value("copy_ttl_in"),
            Action::CopyTtlOut => f.value("copy_ttl_out"),
            Action::CheckPktLarger(a) => {
                f.param("check_pkt_larger(");
                let _ = write!(f, "{}", a.pkt_len);
                f.put(")->");
                f.subfield(a.dst);
            }
            Action::DeleteField(a) => param(f, "delete_field:", a.field),
            Action::SetTunnel(a) => {
                let wide = a.wide || a.id > u32::MAX.into();
                f.param(if wide { "set_tunnel64:" } else { "set_tunnel:" });
                let _ = write!(f, "{}", CHex(a.id));
            }
            Action::SetQueue(a) => param(f, "set_queue:", a.queue),
            Action::PopQueue => f.value("pop_queue"),
            Action::Ct(a) => a.format(f),
            Action::CtClear => f.value("ct_clear"),
            Action::Nat(a) => a.format(f),
            Action::Learn(a) => a.format(f),
            Action::FinTimeout(a) => a.format(f),
            Action::Resubmit(a) => a.format(f),
            Action::Clone(a) => {
                f.paren("clone(");
                format_list(&a.actions, f);
                f.paren(")");
            }
            Action::Push(a) => {
                f.param("push:");
                f.subfield(a.subfield);
            }
            Action::Pop(a) => {
                f.param("pop:");
                f.subfield(a.subfield);
            }
            Action::Exit => f.special("exit"),
            Action::Multipath(a) => a.format(f),
            Action::Conjunction(a) => {
                f.paren("conjunction(");
                let _ = write!(f, "{},{}/{}", a.id, a.clause + 1, a.n_clauses);
                f.paren(")");
            }
            Action::Note(a) => {
                f.param("note:");
                format_hex(f, &a.data);
            }
            Action::Sample(a) => a.format(f),
            Action::DebugRecirc => f.value("debug_recirc"),
            Action::DebugSlow => f.value("debug_slow"),
            Action::Meter(a) => param(f, "meter:", a.meter.0),
            Action::ClearActions => f.value("clear_actions"),
            Action::WriteActions(a) => {
                f.paren("write_actions(");
                format_list(&a.actions, f);
                f.paren(")");
            }
            Action::WriteMetadata(a) => {
                f.param("write_metadata:");
                let _ = write!(f, "{}", CHex(a.metadata));
                if a.mask != u64::MAX {
                    let _ = write!(f, "/{}", CHex(a.mask));
                }
            }
            Action::GotoTable(a) => {
                f.param("goto_table:");
                f.table(a.table);
            }
        }
    }
}

fn param(f: &mut Fmt<'_>, name: &str, value: impl std::fmt::Display) {
    f.param(name);
    let _ = write!(f, "{value}");
}

fn hex_param(f: &mut Fmt<'_>, name: &str, value: u16) {
    f.param(name);
    let _ = write!(f, "0x{value:04x}");
}

fn in_parens(f: &mut Fmt<'_>, name: &str, value: impl std::fmt::Display) {
    f.paren(name);
    let _ = write!(f, "{value}");
    f.paren(")");
}

/// Prints bytes in hexadecimal with periods between.
pub(super) fn format_hex(f: &mut Fmt<'_>, bytes: &[u8]) {
    for (i, b) in bytes.iter().enumerate() {
        let _ = write!(f, "{}{b:02x}", if i == 0 { "" } else { "." });
    }
}

/// Parses a list of actions as it stands in a flow, a bucket or a packet-out.
pub fn parse_list(s: &str, outer: Outer, cx: &mut TextCx<'_>) -> ParseResult<Vec<Action>> {
    // Commas stand between actions, though not only there.
    const USUAL: usize = 8;
    let commas = s.bytes().filter(|b| *b == b',').count();
    let mut out = Vec::with_capacity(USUAL.min(commas + 1));
    parse_into(s, outer, cx, &mut out)?;
    Ok(out)
}

fn parse_into(s: &str, outer: Outer, cx: &mut TextCx<'_>, out: &mut Vec<Action>) -> ParseResult<()> {
    let mut drop = false;
    for p in lex::pairs(s) {
        if p.key.eq_ignore_ascii_case("apply_actions") {
            return Err("apply_actions is the default instruction".to_string());
        }
        if p.key.eq_ignore_ascii_case("drop") {
            drop = true;
        } else {
            parse_one(&p, outer, cx, out)?;
        }
    }
    if drop && !out.is_empty() {
        return Err("\"drop\" must not be accompanied by any other action or instruction".to_string());
    }
    check_metering(out, outer)?;
    super::check::together(out, outer).map_err(|(_, text)| text)
}

/// Where metering is not allowed, though the wire has a place for it.
fn check_metering(actions: &[Action], outer: Outer) -> ParseResult<()> {
    if !actions.iter().any(|a| matches!(a, Action::Meter(_))) {
        return Ok(());
    }
    match outer {
        Outer::List => Err("meter instruction not allowed here".to_string()),
        Outer::Clone => Err("clone action doesn't support nested action meter".to_string()),
        Outer::WriteActions => Err("write_actions action doesn't support nested action meter".to_string()),
        Outer::Flow | Outer::Flow15 | Outer::Bucket | Outer::Ct => Ok(()),
    }
}

/// Parses one action; a port by itself is an output.
fn parse_one(p: &Pair<'_>, outer: Outer, cx: &mut TextCx<'_>, out: &mut Vec<Action>) -> ParseResult<()> {
    if let Some(a) = by_keyword(p, outer, cx)? {
        out.push(a);
        return Ok(());
    }
    match cx.port(p.key) {
        Some(port) => {
            out.push(Action::Output(Output::to(port)));
            Ok(())
        }
        None => Err(format!("unknown action {}", p.key)),
    }
}

fn by_keyword(p: &Pair<'_>, _outer: Outer, cx: &mut TextCx<'_>) -> ParseResult<Option<Action>> {
    let v = p.value;
    // Longer than any keyword is none.
    let mut key = [0; 32];
    let Some(key) = key.get_mut(..p.key.len()) else { return Ok(None) };
    key.copy_from_slice(p.key.as_bytes());
    key.make_ascii_lowercase();
    let a = match std::str::from_utf8(key).unwrap_or_default() {
        "output" => output::parse(v, cx)?,
        "controller" => controller::parse(v, p.delimiter, cx)?,
        "enqueue" => enqueue::parse(v, cx)?,
        "bundle" => bundle::parse(v, false, cx)?,
        "bundle_load" => bundle::parse(v, true, cx)?,
        "group" => Action::Group(Group { group: base::GroupId(lex::u32(v)?) }),
        "strip_vlan" => Action::StripVlan(StripVlan { pop: false }),
        "pop_vlan" => Action::StripVlan(StripVlan { pop: true }),
        "push_vlan" => vlan::parse_push(v, cx)?,
        "mod_vlan_vid" => vlan::parse_vid(v, true)?,
        "set_vlan_vid" => vlan::parse_vid(v, false)?,
        "mod_vlan_pcp" => vlan::parse_pcp(v, true)?,
        "set_vlan_pcp" => vlan::parse_pcp(v, false)?,
        "push_mpls" => Action::PushMpls(PushMpls { ethertype: lex::u16_named(v, "push_mpls")? }),
        "pop_mpls" => Action::PopMpls(PopMpls { ethertype: lex::u16_named(v, "pop_mpls")? }),
        "push_pbb" => pbb::parse_push(v, cx)?,
        "pop_pbb" => {
            cx.only(ProtocolSet::OF13_UP);
            Action::PopPbb
        }
        "encap" => encap::parse(v, cx)?,
        "decap" => encap::parse_decap(v)?,
        "mod_dl_src" => Action::SetEthSrc(SetEth { mac: lex::mac(v)? }),
        "mod_dl_dst" => Action::SetEthDst(SetEth { mac: lex::mac(v)? }),
        "mod_nw_src" => Action::SetIpv4Src(set::parse_ipv4(v, cx)?),
        "mod_nw_dst" => Action::SetIpv4Dst(set::parse_ipv4(v, cx)?),
        "mod_nw_tos" => set::parse_tos(v)?,
        "mod_nw_ecn" => set::parse_ecn(v)?,
        "mod_nw_ttl" => Action::SetIpTtl(SetIpByte { value: lex::u8_named(v, "TTL")? }),
        "mod_tp_src" => Action::SetL4SrcPort(set::parse_l4(v, "source port")?),
        "mod_tp_dst" => Action::SetL4DstPort(set::parse_l4(v, "destination port")?),
        "set_mpls_label" => mpls::parse_label(v)?,
        "set_mpls_tc" => mpls::parse_tc(v)?,
        "set_mpls_ttl" => mpls::parse_ttl(v)?,
        "set_field" => set_field::parse(v, cx)?,
        "load" => set_field::parse_load(v, cx)?,
        "move" => reg_move::parse(v)?,
        "dec_ttl" => ttl::parse(v),
        "dec_mpls_ttl" => Action::DecMplsTtl,
        "dec_nsh_ttl" => Action::DecNshTtl,
        "copy_ttl_in" => ttl::copy(Action::CopyTtlIn, cx),
        "copy_ttl_out" => ttl::copy(Action::CopyTtlOut, cx),
        "check_pkt_larger" => check_pkt_larger::parse(v, cx)?,
        "delete_field" => delete_field::parse(v)?,
        "set_tunnel" => Action::SetTunnel(tunnel::parse(v, false)?),
        "set_tunnel64" => Action::SetTunnel(tunnel::parse(v, true)?),
        "set_queue" => Action::SetQueue(SetQueue { queue: lex::u32(v)? }),
        "pop_queue" => Action::PopQueue,
        "ct" => ct::parse(v, cx)?,
        "ct_clear" => Action::CtClear,
        "nat" => ct::parse_nat(v)?,
        "learn" => learn::parse(v, cx)?,
        "fin_timeout" => fin_timeout::parse(v)?,
        "resubmit" => resubmit::parse(v, cx)?,
        "clone" => Action::Clone(CloneActions { actions: parse_list(v, Outer::Clone, cx)? }),
        "push" => Action::Push(Stack { subfield: cx.subfield(v)? }),
        "pop" => Action::Pop(Stack { subfield: cx.subfield(v)? }),
        "exit" => Action::Exit,
        "multipath" => multipath::parse(v, cx)?,
        "conjunction" => conjunction::parse(v)?,
        "note" => {
            let data = lex::hex_bytes(v).ok_or_else(|| "bad hex digit in `note' argument".to_string())?;
            Action::Note(Note { data: data.into() })
        }
        "sample" => sample::parse(v, cx)?,
        "debug_recirc" => Action::DebugRecirc,
        "debug_slow" => Action::DebugSlow,
        "unroll_xlate" => {
            return Err("UNROLL is an internal action that shouldn't be used via OpenFlow".to_string());
        }
        "meter" => {
            cx.only(ProtocolSet::OF13_UP);
            Action::Meter(Meter { meter: base::MeterId(lex::u32(v)?) })
        }
        "clear_actions" => Action::ClearActions,
        "write_actions" => {
            let actions = parse_list(v, Outer::WriteActions, cx)?;
            Action::WriteActions(WriteActions { actions })
        }
        "write_metadata" => {
            let (value, mask) = match v.split_once('/') {
                Some((a, b)) => (lex::u64(a)?, lex::u64(b)?),
                None => (lex::u64(v)?, u64::MAX),
            };
            cx.only(ProtocolSet::NXM_OXM.union(ProtocolSet::OF11_UP));
            Action::WriteMetadata(WriteMetadata { metadata: value, mask })
        }
        "goto_table" => match cx.table(v) {
            Some(table) => Action::GotoTable(GotoTable { table }),
            None => return Err(format!("unknown table \"{v}\"")),
        },
        _ => return Ok(None),
    };
    Ok(Some(a))
}
