//! The commands of `ovs-dpctl`, which the switch has as `dpctl/*`: declared once for both.

/// A command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DpctlCommand {
    /// Its name, without `dpctl/`.
    pub name: &'static str,
    /// Its arguments, as lists of commands show them.
    pub usage: &'static str,
    /// The fewest arguments, a datapath that may be left out not counted.
    pub min: usize,
    /// The most arguments.
    pub max: usize,
    /// Whether it changes anything.
    pub writes: bool,
}

const fn c(name: &'static str, usage: &'static str, min: usize, max: usize, writes: bool) -> DpctlCommand {
    DpctlCommand { name, usage, min, max, writes }
}

const ANY: usize = usize::MAX;

/// In the order of lists.
pub const COMMANDS: &[DpctlCommand] = &[
    c("add-dp", "dp [iface...]", 1, ANY, true),
    c("del-dp", "dp", 1, 1, true),
    c("add-if", "dp iface...", 2, ANY, true),
    c("del-if", "dp iface...", 2, ANY, true),
    c("set-if", "dp iface...", 2, ANY, true),
    c("dump-dps", "", 0, 0, false),
    c("show", "[-s] [dp...]", 0, ANY, false),
    c("dump-flows", "[-m] [--names] [dp] [filter=..] [type=..] [pmd=..]", 0, 6, false),
    c("add-flow", "[dp] flow actions", 2, 3, true),
    c("mod-flow", "[dp] flow actions", 2, 3, true),
    c("get-flow", "[dp] ufid", 1, 2, false),
    c("del-flow", "[dp] flow", 1, 2, true),
    c("add-flows", "[dp] file", 1, 2, true),
    c("mod-flows", "[dp] file", 1, 2, true),
    c("del-flows", "[dp] [file]", 0, 2, true),
    c("offload-stats-show", "[dp]", 0, 1, false),
    c("dump-conntrack", "[-m] [-s] [dp] [zone=N]", 0, 4, false),
    c("dump-conntrack-exp", "[dp] [zone=N]", 0, 2, false),
    c(
        "flush-conntrack",
        "[dp] [zone=N] [mark=X[/M]] [labels=Y[/N]] [ct-orig-tuple [ct-reply-tuple]]",
        0,
        6,
        true,
    ),
    c("cache-get-size", "[dp]", 0, 1, false),
    c("cache-set-size", "dp cache <size>", 3, 3, true),
    c("ct-stats-show", "[dp] [zone=N]", 0, 3, false),
    c("ct-bkts", "[dp] [gt=N]", 0, 2, false),
    c("ct-set-maxconns", "[dp] maxconns", 1, 2, true),
    c("ct-get-maxconns", "[dp]", 0, 1, false),
    c("ct-get-nconns", "[dp]", 0, 1, false),
    c("ct-enable-tcp-seq-chk", "[dp]", 0, 1, true),
    c("ct-disable-tcp-seq-chk", "[dp]", 0, 1, true),
    c("ct-get-tcp-seq-chk", "[dp]", 0, 1, false),
    c("ct-set-limits", "[dp] [default=L] [zone=N,limit=L]...", 1, ANY, true),
    c("ct-del-limits", "[dp] [default] [zone=N1[,N2]...]", 1, 3, true),
    c("ct-get-limits", "[dp] [zone=N1[,N2]...]", 0, 2, false),
    c("ct-get-sweep-interval", "[dp]", 0, 1, false),
    c("ct-set-sweep-interval", "[dp] ms", 1, 2, true),
    c("ipf-set-enabled", "[dp] v4|v6", 1, 2, true),
    c("ipf-set-disabled", "[dp] v4|v6", 1, 2, true),
    c("ipf-set-min-frag", "[dp] v4|v6 minfragment", 2, 3, true),
    c("ipf-set-max-nfrags", "[dp] maxfrags", 1, 2, true),
    c("ipf-get-status", "[dp]", 0, 1, false),
    c("help", "", 0, ANY, false),
    c("list-commands", "", 0, ANY, false),
    c("parse-actions", "actions", 1, ANY, false),
    c("normalize-actions", "actions", 2, ANY, false),
];

/// The list that `list-commands` prints, each name after `prefix`.
pub fn listing(prefix: &str, with_help: bool) -> String {
    let mut out = "The available commands are:\n".to_string();
    for command in COMMANDS.iter().filter(|c| with_help || c.name != "help") {
        out.push_str(&format!("  {prefix}{:<23} {}\n", command.name, command.usage));
    }
    out
}
