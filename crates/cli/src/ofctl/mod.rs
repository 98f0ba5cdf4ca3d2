//! `ovs-ofctl`: administers OpenFlow switches, and tries the OpenFlow codecs without one.
//!
//! Commands are declared once, in [`COMMANDS`]; each family has a file. A command that fails returns a [`Fatal`].

mod bundle;
mod codec_tests;
mod context;
mod ct_flush;
mod files;
mod flow_set;
mod flows;
mod groups;
mod help;
mod meters;
mod monitor;
mod names;
mod offline;
mod packets;
mod switch;
mod tables;

use crate::daemon::{self, DaemonOptions};
use crate::dirs::Dirs;
use crate::fatal::{self, Fatal};
use crate::options::{Given, Opt, Options, Order};
use crate::vlog::{self, Vlog};
use crate::{timeout, tls, version};
use base::Clock;
use context::{Color, Context, PacketIns, Settings, SortKey};
use openflow::msg::{FlowMod, FlowModCommand};
use openflow::text::TextCx;
use openflow::version::{ProtocolSet, Version, VersionSet};
use std::io::IsTerminal;
use std::process::ExitCode;
use std::sync::Arc;

const PROGRAM: &str = "ovs-ofctl";

const OPTIONS: &[Opt] = &[
    Opt::value("timeout").short('t'),
    Opt::flag("strict"),
    Opt::flag("readd"),
    Opt::value("flow-format").short('F'),
    Opt::value("packet-in-format").short('P'),
    Opt::flag("more").short('m'),
    Opt::flag("timestamp"),
    Opt::optional("sort"),
    Opt::optional("rsort"),
    Opt::flag("names"),
    Opt::flag("no-names"),
    Opt::flag("stats"),
    Opt::flag("no-stats"),
    Opt::value("unixctl"),
    Opt::flag("help").short('h'),
    Opt::flag("option").short('o'),
    Opt::flag("bundle"),
    Opt::optional("color"),
    Opt::flag("may-create"),
    Opt::flag("pcap"),
    Opt::flag("bare"),
    Opt::flag("bad-csum"),
    Opt::flag("raw"),
    Opt::flag("read-only"),
];

const VERSIONS: &[Opt] = &[Opt::flag("version").short('V'), Opt::value("protocols").short('O')];

/// What a command does with its arguments.
type Run = fn(&mut Context, &[String]) -> Result<ExitCode, Fatal>;

/// A command.
struct Command {
    name: &'static str,
    usage: &'static str,
    min: usize,
    max: usize,
    /// Whether it may be run with `--read-only`.
    reads_only: bool,
    run: Run,
}

const MANY: usize = usize::MAX;
const READ: bool = true;
const WRITE: bool = false;

const fn command(
    name: &'static str,
    usage: &'static str,
    min: usize,
    max: usize,
    reads_only: bool,
    run: Run,
) -> Command {
    Command { name, usage, min, max, reads_only, run }
}

/// All commands, as `list-commands` shows them.
const COMMANDS: &[Command] = &[
    command("show", "switch", 1, 1, READ, switch::show),
    command("monitor", "switch [misslen] [invalid_ttl] [watch:[...]]", 1, 3, READ, monitor::monitor),
    command("snoop", "switch", 1, 1, READ, monitor::snoop),
    command("dump-desc", "switch", 1, 1, READ, switch::dump_desc),
    command("dump-tables", "switch", 1, 1, READ, tables::dump_tables),
    command("dump-table-features", "switch", 1, 1, READ, tables::dump_table_features),
    command("dump-table-desc", "switch", 1, 1, READ, tables::dump_table_desc),
    command("dump-flows", "switch", 1, 2, READ, flows::dump_flows),
    command("dump-aggregate", "switch", 1, 2, READ, flows::dump_aggregate),
    command("queue-stats", "switch [port [queue]]", 1, 3, READ, switch::queue_stats),
    command("queue-get-config", "switch [port [queue]]", 1, 3, READ, switch::queue_get_config),
    command("add-flow", "switch flow", 2, 2, WRITE, flows::add_flow),
    command("add-flows", "switch file", 2, 2, WRITE, flows::add_flows),
    command("mod-flows", "switch flow", 2, 2, WRITE, flows::mod_flows),
    command("del-flows", "switch [flow]", 1, 2, WRITE, flows::del_flows),
    command("replace-flows", "switch file", 2, 2, WRITE, flow_set::replace_flows),
    command("diff-flows", "source1 source2", 2, 2, READ, flow_set::diff_flows),
    command("add-meter", "switch meter", 2, 2, WRITE, meters::add_meter),
    command("mod-meter", "switch meter", 2, 2, WRITE, meters::mod_meter),
    command("del-meter", "switch meter", 1, 2, WRITE, meters::del_meters),
    command("del-meters", "switch", 1, 2, WRITE, meters::del_meters),
    command("dump-meter", "switch meter", 1, 2, READ, meters::dump_meters),
    command("dump-meters", "switch", 1, 2, READ, meters::dump_meters),
    command("meter-stats", "switch [meter]", 1, 2, READ, meters::meter_stats),
    command("meter-features", "switch", 1, 1, READ, meters::meter_features),
    command(
        "packet-out",
        "switch \"in_port=<port> packet=<hex data> actions=...\"",
        2,
        MANY,
        WRITE,
        packets::packet_out,
    ),
    command("dump-ports", "switch [port]", 1, 2, READ, switch::dump_ports),
    command("dump-ports-desc", "switch [port]", 1, 2, READ, switch::dump_ports_desc),
    command("mod-port", "switch iface act", 3, 3, WRITE, switch::mod_port),
    command("mod-table", "switch mod", 3, 3, WRITE, tables::mod_table),
    command("get-frags", "switch", 1, 1, READ, switch::get_frags),
    command("set-frags", "switch frag_mode", 2, 2, WRITE, switch::set_frags),
    command("probe", "target", 1, 1, READ, switch::probe),
    command("ping", "target [n]", 1, 2, READ, switch::ping),
    command("benchmark", "target n count", 3, 3, READ, switch::benchmark),
    command("dump-ipfix-bridge", "switch", 1, 1, READ, switch::dump_ipfix_bridge),
    command("dump-ipfix-flow", "switch", 1, 1, READ, switch::dump_ipfix_flow),
    command("ct-flush-zone", "switch zone", 2, 2, WRITE, ct_flush::ct_flush_zone),
    command(
        "ct-flush",
        "switch [zone=N] [mark=X[/M]] [labels=Y[/N]] [ct-orig-tuple [ct-reply-tuple]]",
        1,
        6,
        WRITE,
        ct_flush::ct_flush,
    ),
    command("ofp-parse", "file", 1, 1, WRITE, offline::ofp_parse),
    command("ofp-parse-pcap", "pcap", 1, MANY, WRITE, offline::ofp_parse_pcap),
    command("add-group", "switch group", 1, 2, WRITE, groups::add_group),
    command("add-groups", "switch file", 2, 2, WRITE, groups::add_groups),
    command("mod-group", "switch group", 1, 2, WRITE, groups::mod_group),
    command("del-groups", "switch [group]", 1, 2, WRITE, groups::del_groups),
    command("insert-buckets", "switch [group]", 1, 2, WRITE, groups::insert_buckets),
    command("remove-buckets", "switch [group]", 1, 2, WRITE, groups::remove_buckets),
    command("dump-groups", "switch [group]", 1, 2, READ, groups::dump_groups),
    command("dump-group-stats", "switch [group]", 1, 2, READ, groups::dump_group_stats),
    command("dump-group-features", "switch", 1, 1, READ, groups::dump_group_features),
    command("bundle", "switch file", 2, 2, WRITE, bundle::bundle),
    command("add-tlv-map", "switch map", 2, 2, WRITE, switch::add_tlv_map),
    command("del-tlv-map", "switch [map]", 1, 2, WRITE, switch::del_tlv_map),
    command("dump-tlv-map", "switch", 1, 1, READ, switch::dump_tlv_map),
    command("help", "", 0, MANY, READ, help::help),
    command("list-commands", "", 0, MANY, READ, help::list_commands),
    command("parse-flow", "", 1, 1, WRITE, offline::parse_flow),
    command("parse-flows", "", 1, 1, WRITE, offline::parse_flows),
    command("parse-group", "", 1, 1, WRITE, offline::parse_group),
    command("parse-nx-match", "", 0, 0, WRITE, codec_tests::parse_nxm),
    command("parse-nxm", "", 0, 0, WRITE, codec_tests::parse_nxm),
    command("parse-oxm", "", 1, 1, WRITE, codec_tests::parse_oxm),
    command("parse-actions", "", 1, 1, WRITE, codec_tests::parse_actions),
    command("parse-instructions", "", 1, 1, WRITE, codec_tests::parse_instructions),
    command("parse-ofp10-match", "", 0, 0, WRITE, codec_tests::parse_ofp10_match),
    command("parse-ofp11-match", "", 0, 0, WRITE, codec_tests::parse_ofp11_match),
    command("parse-pcap", "", 1, MANY, WRITE, offline::parse_pcap),
    command("check-vlan", "", 2, 2, WRITE, codec_tests::check_vlan),
    command("print-error", "", 1, 1, WRITE, offline::print_error),
    command("encode-error-reply", "", 2, 2, WRITE, offline::encode_error_reply),
    command("ofp-print", "", 1, 2, WRITE, offline::ofp_print),
    command("encode-hello", "", 1, 1, WRITE, offline::encode_hello),
    command("parse-key-value", "", 1, MANY, WRITE, offline::parse_key_value),
    command("compose-packet", "", 1, 2, WRITE, packets::compose_packet),
    command("parse-packet", "", 0, 0, WRITE, packets::parse_packet),
];

/// The program. `args`: without the program's name.
pub fn main(args: Vec<String>) -> ExitCode {
    fatal::run(PROGRAM, || {
        let dirs = Dirs::from_env();
        let vlog = Vlog::new(PROGRAM, &dirs, &Clock::real());
        vlog.environment()?;
        let Some((mut context, words)) = parse(&args, &dirs, &vlog)? else { return Ok(ExitCode::SUCCESS) };
        context.settings.bundle |= words.first().is_some_and(|w| w == "bundle");
        context.settle()?;
        let Some((name, args)) = words.split_first() else {
            return Err(Fatal::new("missing command name; use --help for help"));
        };
        let Some(command) = COMMANDS.iter().find(|c| c.name == name) else {
            return Err(Fatal::new(format!("unknown command '{name}'; use --help for help")));
        };
        if args.len() < command.min {
            return Err(Fatal::new(format!("'{name}' command requires at least {} arguments", command.min)));
        }
        if args.len() > command.max {
            return Err(Fatal::new(format!("'{name}' command takes at most {} arguments", command.max)));
        }
        if context.settings.read_only && !command.reads_only {
            return Err(Fatal::new(format!("'{name}' command does not work in read only mode")));
        }
        (command.run)(&mut context, args)
    })
}

fn parse(args: &[String], dirs: &Dirs, vlog: &Arc<Vlog>) -> Result<Option<(Context, Vec<String>)>, Fatal> {
    let options = Options::new(&[OPTIONS, daemon::OPTIONS, VERSIONS, vlog::OPTIONS, tls::OPTIONS]);
    let mut parser = options.parser(args, Order::Anywhere);
    let mut settings = Settings::default();
    let mut daemon = DaemonOptions::new(PROGRAM, dirs);
    let (mut seconds, mut names, mut color) = (timeout::from_env(), None, Color::Never);
    for given in parser.by_ref() {
        let given = given?;
        match given.id {
            "timeout" => seconds = timeout::parse("-t", given.value())?,
            "help" => {
                context::print(&help::text(dirs));
                return Ok(None);
            }
            "option" => {
                context::print(&options.listing());
                return Ok(None);
            }
            "version" => {
                context::print(&version::text(PROGRAM, &["OpenFlow versions 0x1:0x6"]));
                return Ok(None);
            }
            "names" => names = Some(true),
            "no-names" => names = Some(false),
            "color" => color = parse_color(&given)?,
            _ if own(&given, &mut settings)? => {}
            _ => {
                if !daemon.option(&given) && !tls::option(&given, &mut settings.tls) {
                    vlog.option(&given)?;
                }
            }
        }
    }
    let terminal = std::io::stdout().is_terminal();
    settings.show_names = names.unwrap_or(terminal);
    settings.names = names;
    settings.colored = match color {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => terminal && std::env::var("TERM").is_ok_and(|t| !t.is_empty() && t != "dumb"),
    };
    timeout::arm(seconds, &vlog.logger())?;
    Ok(Some((Context::new(settings, daemon, dirs.clone(), vlog.clone()), parser.rest())))
}

/// The flows to add that a file names, and what can express them all: for programs that have no switch to ask for
/// names.
pub(crate) fn parse_flows(file: &str, vlog: &Arc<Vlog>) -> Result<(Vec<FlowMod>, ProtocolSet), Fatal> {
    let dirs = Dirs::from_env();
    let daemon = DaemonOptions::new(PROGRAM, &dirs);
    let c = Context::new(Settings::default(), daemon, dirs, vlog.clone());
    let mut cx = TextCx::new(&openflow::NoNames);
    let mut all = Vec::new();
    flows::read(&c, &mut cx, file, "open failed", Some(FlowModCommand::Add), |fm| all.push(fm))?;
    Ok((all, cx.usable))
}

fn parse_color(given: &Given) -> Result<Color, Fatal> {
    match given.value.as_deref() {
        None => Ok(Color::Auto),
        Some(v)
            if v.eq_ignore_ascii_case("always")
                || v.eq_ignore_ascii_case("yes")
                || v.eq_ignore_ascii_case("force") =>
        {
            Ok(Color::Always)
        }
        Some(v)
            if v.eq_ignore_ascii_case("never")
                || v.eq_ignore_ascii_case("no")
                || v.eq_ignore_ascii_case("none") =>
        {
            Ok(Color::Never)
        }
        Some(v)
            if v.eq_ignore_ascii_case("auto")
                || v.eq_ignore_ascii_case("tty")
                || v.eq_ignore_ascii_case("if-tty") =>
        {
            Ok(Color::Auto)
        }
        Some(other) => Err(Fatal::new(format!("incorrect value `{other}' for --color"))),
    }
}

/// Takes an option of ours that is a mere setting.
fn own(given: &Given, s: &mut Settings) -> Result<bool, Fatal> {
    match given.id {
        "strict" => s.strict = true,
        "readd" => s.readd = true,
        "flow-format" => s.flow_formats = ProtocolSet::parse(given.value()).map_err(Fatal::new)?,
        "packet-in-format" => {
            s.packet_ins = Some(
                PacketIns::parse(given.value())
                    .ok_or_else(|| Fatal::new(format!("unknown packet-in format `{}'", given.value())))?,
            );
        }
        "more" => s.verbosity += 1,
        "timestamp" => s.timestamp = true,
        "sort" | "rsort" => {
            let field = match given.value.as_deref() {
                None => None,
                Some(name) if name.eq_ignore_ascii_case("priority") => None,
                Some(name) => Some(
                    flow::Field::from_name(name)
                        .ok_or_else(|| Fatal::new(format!("{name}: unknown field name")))?,
                ),
            };
            s.sort.push(SortKey { field, descending: given.id == "rsort" });
        }
        "stats" => s.stats = true,
        "no-stats" => s.stats = false,
        "unixctl" => s.unixctl = given.value.clone(),
        "bundle" => s.bundle = true,
        "may-create" => s.may_create = true,
        "read-only" => s.read_only = true,
        "bare" => s.bare = true,
        "bad-csum" => s.bad_checksum = true,
        "pcap" => s.pcap = true,
        "raw" => {}
        "protocols" => s.versions = Some(parse_versions(given.value())?),
        _ => return Ok(false),
    }
    Ok(true)
}

/// Versions by their names.
pub(crate) fn parse_versions(text: &str) -> Result<VersionSet, Fatal> {
    let mut set = VersionSet::EMPTY;
    for word in text.split([' ', ',']).filter(|w| !w.is_empty()) {
        match Version::from_name(word) {
            Some(v) => set = set.with(v),
            None => return Err(Fatal::new(format!("Unknown OpenFlow version: \"{word}\""))),
        }
    }
    Ok(set)
}
