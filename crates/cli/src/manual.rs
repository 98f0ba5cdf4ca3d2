//! `oxvs help field`, `oxvs help action` and `oxvs completion`: what the tables of fields and actions say.

use flow::field::{CLASS_EXPERIMENTER, Field, FieldInfo, Fixed, Format, Maskable, Prereq};
use openflow::action::doc::{self, Doc, Kind};
use std::fmt::Write;
use std::process::ExitCode;

/// `oxvs help [field|action [NAME]]`.
pub fn help(args: Vec<String>) -> ExitCode {
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let text = match words[..] {
        ["field" | "fields"] => field_list(),
        ["action" | "actions"] => action_list(),
        ["field", name] => match field(name) {
            Some(text) => text,
            None => return unknown("field", name, Field::all().map(Field::name)),
        },
        ["action", name] => match doc::find(name) {
            Some(d) => action(d),
            None => return unknown("action", name, doc::DOCS.iter().map(|d| d.name)),
        },
        _ => {
            eprintln!("usage: oxvs help field [NAME]\n       oxvs help action [NAME]");
            return ExitCode::FAILURE;
        }
    };
    print!("{text}");
    ExitCode::SUCCESS
}

/// `oxvs completion bash`.
pub fn completion(args: Vec<String>) -> ExitCode {
    match args.first().map(String::as_str) {
        Some("bash") if args.len() == 1 => {
            print!("{}", bash());
            ExitCode::SUCCESS
        }
        _ => {
            eprintln!("usage: oxvs completion bash");
            ExitCode::FAILURE
        }
    }
}

fn unknown(what: &str, name: &str, names: impl Iterator<Item = &'static str>) -> ExitCode {
    let near: Vec<&str> = names.filter(|n| n.contains(name) || name.contains(n)).take(8).collect();
    let hint = if near.is_empty() { String::new() } else { format!(" (did you mean {}?)", near.join(", ")) };
    eprintln!("oxvs: unknown {what} '{name}'{hint}");
    ExitCode::FAILURE
}

fn field_list() -> String {
    let mut out = String::new();
    for f in Field::all() {
        let info = f.info();
        let alias = if info.alias.is_empty() { String::new() } else { format!("  (also {})", info.alias) };
        let _ = writeln!(out, "{:<18}{:>4} bits{alias}", info.name, info.bits);
    }
    out
}

fn action_list() -> String {
    doc::DOCS.iter().fold(String::new(), |mut out, d| {
        let _ = writeln!(out, "{:<18}{}", d.name, d.what);
        out
    })
}

fn action(d: &Doc) -> String {
    let kind = if d.kind == Kind::Action { "Action" } else { "Instruction" };
    format!(
        "{}\n\n{}\n\nSyntax:    {}\nKind:      {kind}\nOpenFlow:  {}\n",
        d.name,
        d.what,
        d.syntax.replace("), ", ")\n           "),
        d.versions
    )
}

/// The page of a field.
fn field(name: &str) -> Option<String> {
    let info = Field::from_name(name).or_else(|| Field::from_header_name(name).map(|(f, _)| f))?.info();
    let mut out = format!("{}\n\n", info.name);
    let mut line = |key: &str, value: &str| {
        let _ = writeln!(out, "{key:<15}{value}");
    };
    if !info.alias.is_empty() {
        line("Also:", info.alias);
    }
    line("Width:", &width(info));
    line("Format:", format_words(info.format));
    line("Masking:", if info.maskable == Maskable::Any { "any bits" } else { "not maskable" });
    line("Prerequisites:", prereq_words(info.prereq));
    line("Access:", if info.writable { "read and write" } else { "read only" });
    line("OpenFlow 1.0:", fixed_words(info.of10));
    line("OpenFlow 1.1:", fixed_words(info.of11));
    if info.headers().is_empty() {
        line("OXM, NXM:", "no number of its own");
    }
    for h in info.headers() {
        let class = if h.class == CLASS_EXPERIMENTER {
            format!("experimenter {:#010x}, field {}", h.experimenter, h.field)
        } else {
            format!("class {:#06x}, field {}", h.class, h.field)
        };
        let since = match h.of_version {
            0 => "extension of Open vSwitch".to_string(),
            v => format!("OpenFlow 1.{} and later", v - 1),
        };
        line(if h.of_version == 0 { "NXM:" } else { "OXM:" }, &format!("{} ({class}), {since}", h.name));
    }
    Some(out)
}

fn width(info: &FieldInfo) -> String {
    let whole = u16::from(info.bytes) * 8;
    if info.bits < whole {
        format!("{} bits, in {} bytes", info.bits, info.bytes)
    } else {
        format!("{whole} bits")
    }
}

fn format_words(f: Format) -> &'static str {
    match f {
        Format::Decimal => "decimal number",
        Format::Hexadecimal => "hexadecimal number",
        Format::CtState => "flags: new est rel rpl inv trk snat dnat, as +FLAG-FLAG or FLAG|FLAG",
        Format::Ethernet => "Ethernet address",
        Format::Ipv4 => "IPv4 address",
        Format::Ipv6 => "IPv6 address",
        Format::OfPort => "port name or 16-bit number",
        Format::OfPortOxm => "port name or 32-bit number",
        Format::Frag => "no, yes, first, later or not_later",
        Format::TunFlags => "flags: oam, as +FLAG-FLAG or FLAG|FLAG",
        Format::TcpFlags => "flags: fin syn rst psh ack urg ece cwr ns, as +FLAG-FLAG or FLAG|FLAG",
        Format::PacketType => "(NAMESPACE,TYPE)",
    }
}

fn prereq_words(p: Prereq) -> &'static str {
    match p {
        Prereq::None => "none",
        Prereq::Ethernet => "Ethernet",
        Prereq::Arp => "ARP or RARP (arp or rarp)",
        Prereq::VlanVid => "a VLAN tag (vlan_tci=0x1000/0x1000)",
        Prereq::Ipv4 => "IPv4 (ip)",
        Prereq::Ipv6 => "IPv6 (ipv6)",
        Prereq::IpAny => "IPv4 or IPv6 (ip or ipv6)",
        Prereq::Mpls => "MPLS (mpls or mplsm)",
        Prereq::Tcp => "TCP (tcp or tcp6)",
        Prereq::Udp => "UDP (udp or udp6)",
        Prereq::Sctp => "SCTP (sctp or sctp6)",
        Prereq::Icmpv4 => "ICMP (icmp)",
        Prereq::Icmpv6 => "ICMPv6 (icmp6)",
        Prereq::Nd => "neighbour discovery (icmp6,icmpv6_type=135 or 136,icmpv6_code=0)",
        Prereq::NdSolicit => "neighbour solicitation (icmp6,icmpv6_type=135,icmpv6_code=0)",
        Prereq::NdAdvert => "neighbour advertisement (icmp6,icmpv6_type=136,icmpv6_code=0)",
        Prereq::Nsh => "NSH (dl_type=0x894f)",
        Prereq::Pbb => "a backbone service tag (dl_type=0x88e7)",
        Prereq::Ct => "a tracked packet (ct_state=+trk+est, for instance)",
    }
}

fn fixed_words(f: Fixed) -> &'static str {
    match f {
        Fixed::No => "no",
        Fixed::Exact => "exact matches",
        Fixed::Cidr => "exact matches and prefixes",
        Fixed::Any => "any mask",
    }
}

/// Completes the binary's own words, the programs' commands (which they list themselves), and in flows the names of
/// fields and actions.
fn bash() -> String {
    let fields: Vec<&str> =
        Field::all().flat_map(|f| [f.name(), f.info().alias]).filter(|n| !n.is_empty()).collect();
    let actions: Vec<&str> = doc::DOCS.iter().map(|d| d.name).collect();
    BASH.replace("@FIELDS@", &fields.join(" ")).replace("@ACTIONS@", &actions.join(" "))
}

const BASH: &str = r#"# Completion of oxvs command lines: . <(oxvs completion bash)
_oxvs_fields="@FIELDS@"
_oxvs_actions="@ACTIONS@"
_oxvs_programs="ovs-appctl ovs-dpctl ovs-ofctl ovs-testcontroller ovs-vsctl ovs-vswitchd ovsdb-client ovsdb-server ovsdb-tool vtep-ctl"

# Words of the first column of what `PROGRAM --commands` prints.
_oxvs_commands() {
    { "$@" --commands || "$@" list-commands; } 2>/dev/null | tr "," "\n" | sed -n "s/^ *\([a-z][a-z0-9/-]*\).*/\1/p" | sort -u
}

# A flow: names of fields up to `actions=`, of actions after it.
_oxvs_flow() {
    local cur="$1" head last words
    last="${cur##*[,( ]}"
    head="${cur%"$last"}"
    case "$cur" in
        *actions=*)
            words="$_oxvs_actions"
            case "$last" in actions=*) head="${head}actions="; last="${last#actions=}";; esac ;;
        *) words="$_oxvs_fields actions" ;;
    esac
    COMPREPLY=( $(compgen -W "$words" -- "$last") )
    COMPREPLY=( "${COMPREPLY[@]/#/$head}" )
    compopt -o nospace 2>/dev/null
}

_oxvs_program() {
    local cur="${COMP_WORDS[COMP_CWORD]}" first="$1" i command=""
    shift
    for (( i = first; i < COMP_CWORD; i++ )); do
        case "${COMP_WORDS[i]}" in -*) ;; *) command="${COMP_WORDS[i]}"; break ;; esac
    done
    case "$command" in
        "") COMPREPLY=( $(compgen -W "$(_oxvs_commands "$@")" -- "$cur") ) ;;
        add-flow|mod-flows|del-flows|dump-flows|dump-aggregate|parse-flow|ofproto/trace) _oxvs_flow "$cur" ;;
        *) COMPREPLY=( $(compgen -f -- "$cur") ) ;;
    esac
}

_oxvs() {
    local cur="${COMP_WORDS[COMP_CWORD]}"
    if (( COMP_CWORD == 1 )); then
        COMPREPLY=( $(compgen -W "run demo help completion $_oxvs_programs" -- "$cur") )
        return
    fi
    case "${COMP_WORDS[1]}" in
        help)
            if (( COMP_CWORD == 2 )); then
                COMPREPLY=( $(compgen -W "field action" -- "$cur") )
            elif [ "${COMP_WORDS[2]}" = field ]; then
                COMPREPLY=( $(compgen -W "$_oxvs_fields" -- "$cur") )
            else
                COMPREPLY=( $(compgen -W "$_oxvs_actions" -- "$cur") )
            fi ;;
        completion) COMPREPLY=( $(compgen -W "bash" -- "$cur") ) ;;
        ovs*|vtep-ctl) _oxvs_program 2 "${COMP_WORDS[0]}" "${COMP_WORDS[1]}" ;;
    esac
}

_oxvs_link() { _oxvs_program 1 "${COMP_WORDS[0]}"; }

complete -F _oxvs oxvs
complete -F _oxvs_link $_oxvs_programs
"#;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_s_page_has_all_of_its_entry() {
        let text = field("nw_src").unwrap();
        for part in [
            "ip_src\n",
            "Also:          nw_src\n",
            "Width:         32 bits\n",
            "Masking:       any bits\n",
            "Prerequisites: IPv4 (ip)\n",
            "OpenFlow 1.0:  exact matches and prefixes\n",
            "OXM:           OXM_OF_IPV4_SRC (class 0x8000, field 11), OpenFlow 1.2 and later\n",
            "NXM:           NXM_OF_IP_SRC (class 0x0000, field 7), extension of Open vSwitch\n",
        ] {
            assert!(text.contains(part), "{part}\n{text}");
        }
        assert!(field("OXM_OF_PBB_ISID").unwrap().contains("24 bits"));
        assert!(Field::all().all(|f| field(f.name()).is_some()));
        assert!(field("nosuch").is_none());
    }

    #[test]
    fn actions_have_pages() {
        let text = action(doc::find("push_pbb").unwrap());
        assert!(
            text.contains("Syntax:    push_pbb:0x88e7\n") && text.contains("OpenFlow:  1.3 and later\n"),
            "{text}"
        );
        assert_eq!(action_list().lines().count(), doc::DOCS.len());
    }

    #[test]
    fn completion_knows_every_name() {
        let script = bash();
        assert!(
            script.contains(" pbb_isid ") && script.contains(" copy_ttl_out ") && !script.contains("@FIELDS")
        );
        let program = std::process::Command::new("bash")
            .args(["-n", "/dev/stdin"])
            .stdin(std::process::Stdio::piped())
            .spawn();
        if let Ok(mut child) = program {
            use std::io::Write as _;
            child.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
            assert!(child.wait().unwrap().success());
        }
    }
}
