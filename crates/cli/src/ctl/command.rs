//! The command line of the database control programs: `ovs-vsctl [OPTIONS] COMMAND [-- [OPTIONS] COMMAND]...`.
//!
//! Options come in two kinds. Global ones (`--db`, `--timeout`) and those of the first command share the words
//! before the first command, where long names may be abbreviated; later commands have their own, after `--`,
//! spelt in full. The commands of a program are one table of [`Syntax`]; everything here works from it.

use base::order::ListOrder;
use std::collections::BTreeMap;
use std::fmt;

/// One command as the program declares it.
pub struct Syntax<C: 'static> {
    /// Name.
    pub name: &'static str,
    /// Least number of arguments.
    pub min: usize,
    /// Most arguments.
    pub max: usize,
    /// Arguments in the notation of shell completion: `!` required, `?` optional, `+` one or more, `*` any.
    pub arguments: &'static str,
    /// Options of this command: `--name`, `--name=` (takes an argument).
    pub options: &'static [&'static str],
    /// Whether it may change the database.
    pub writes: bool,
    /// What it does.
    pub run: fn(&mut C, &Invocation<C>) -> Result<(), String>,
}

/// Any number of arguments.
pub const MANY: usize = usize::MAX;

/// A command given on the command line.
pub struct Invocation<C: 'static> {
    /// Which.
    pub syntax: &'static Syntax<C>,
    /// Options given, with their arguments.
    pub options: BTreeMap<&'static str, Option<String>>,
    /// Arguments.
    pub args: Vec<String>,
}

impl<C> Invocation<C> {
    /// Whether an option was given (`--may-exist`).
    pub fn has(&self, option: &str) -> bool {
        self.options.contains_key(option)
    }

    /// The argument of an option.
    pub fn value(&self, option: &str) -> Option<&str> {
        self.options.get(option).and_then(|v| v.as_deref())
    }

    /// Argument `n`, counted from 0.
    pub fn arg(&self, n: usize) -> Option<&str> {
        self.args.get(n).map(String::as_str)
    }
}

impl<C> fmt::Debug for Invocation<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?} {:?}", self.syntax.name, self.options, self.args)
    }
}

/// Options that belong to commands, without repetition, in table order: what the global parser must also take.
pub fn local_options<C>(table: &'static [&'static [Syntax<C>]]) -> Vec<&'static str> {
    let mut all = Vec::new();
    for option in table.iter().flat_map(|t| t.iter()).flat_map(|s| s.options) {
        if !all.contains(option) {
            all.push(*option);
        }
    }
    all
}

/// Parses everything after the global options into commands. `first` are the command options that the global
/// parser met before the first command.
pub fn parse<C>(
    table: &'static [&'static [Syntax<C>]],
    words: &[String],
    first: Vec<(String, Option<String>)>,
) -> Result<Vec<Invocation<C>>, String> {
    let mut commands = Vec::new();
    let mut first = Some(first);
    for part in words.split(|w| w == "--") {
        let carried = first.take().unwrap_or_default();
        if part.is_empty() {
            if !carried.is_empty() {
                first = Some(carried);
            }
            continue;
        }
        commands.push(parse_one(table, part, carried)?);
    }
    if commands.is_empty() {
        return Err("missing command name (use --help for help)".into());
    }
    Ok(commands)
}

fn parse_one<C>(
    table: &'static [&'static [Syntax<C>]],
    words: &[String],
    carried: Vec<(String, Option<String>)>,
) -> Result<Invocation<C>, String> {
    // Of an option among the global ones the last counts.
    let mut given: Vec<(String, Option<String>)> = Vec::new();
    for (name, value) in carried {
        given.retain(|(n, _)| *n != name);
        given.push((name, value));
    }
    let n = words.iter().take_while(|w| w.starts_with('-')).count();
    for word in &words[..n] {
        let (name, value) = match word.split_once('=') {
            Some((name, value)) => (name, Some(value.to_string())),
            None => (word.as_str(), None),
        };
        given.push((name.to_string(), value));
    }
    let mut seen: Vec<&str> = Vec::new();
    for (name, value) in &given {
        if seen.contains(&name.as_str()) {
            let value = value.as_ref().map_or(String::new(), |v| format!("={v}"));
            return Err(format!("'{name}{value}' option specified multiple times"));
        }
        seen.push(name);
    }
    let Some(name) = words.get(n) else {
        return Err("missing command name (use --help for help)".into());
    };
    let Some(syntax) = table.iter().flat_map(|t| t.iter()).find(|s| s.name == name) else {
        return Err(format!("unknown command '{name}'; use --help for help"));
    };
    let mut options = BTreeMap::new();
    for (given, value) in given {
        let Some(declared) = syntax.options.iter().find(|o| o.trim_end_matches('=') == given) else {
            return Err(format!("'{name}' command has no '{given}' option"));
        };
        match (declared.ends_with('='), &value) {
            (false, Some(_)) => {
                return Err(format!("'{given}' option on '{name}' does not accept an argument"));
            }
            (true, None) => return Err(format!("missing argument to '{given}' option on '{name}' command")),
            _ => {}
        }
        options.insert(declared.trim_end_matches('='), value);
    }
    let args = words[n + 1..].to_vec();
    if args.len() < syntax.min {
        return Err(format!("'{name}' command requires at least {} arguments", syntax.min));
    }
    if args.len() > syntax.max {
        let hint = if args.iter().any(|a| a.starts_with('-')) {
            " (note that options must precede command names and follow a \"--\" argument)"
        } else {
            ""
        };
        return Err(format!("'{name}' command takes at most {} arguments{hint}", syntax.max));
    }
    Ok(Invocation { syntax, options, args })
}

/// The `--commands` listing that shell completion reads: options, name, arguments.
pub fn completion<C>(table: &'static [&'static [Syntax<C>]]) -> String {
    let all: BTreeMap<&str, &Syntax<C>> = table.iter().flat_map(|t| t.iter()).map(|s| (s.name, s)).collect();
    let mut order = ListOrder::default();
    table.iter().flat_map(|t| t.iter()).for_each(|s| order.insert(s.name));
    let mut out = String::new();
    for s in order.iter().filter_map(|name| all.get(name)) {
        for option in s.options {
            out.push_str(&format!("[{option}] "));
        }
        out.push_str(&format!(",{},{}\n", s.name, s.arguments));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nothing(_: &mut (), _: &Invocation<()>) -> Result<(), String> {
        Ok(())
    }

    const COMMANDS: [Syntax<()>; 3] = [
        Syntax {
            name: "add-br",
            min: 1,
            max: 3,
            arguments: "!NEW-BRIDGE ?PARENT ?NEW-VLAN",
            options: &["--may-exist"],
            writes: true,
            run: nothing,
        },
        Syntax { name: "list-br", min: 0, max: 0, arguments: "", options: &[], writes: false, run: nothing },
        Syntax {
            name: "create",
            min: 2,
            max: MANY,
            arguments: "!TABLE +COLUMN?:KEY=VALUE",
            options: &["--id="],
            writes: true,
            run: nothing,
        },
    ];

    static TABLE: [&[Syntax<()>]; 1] = [&COMMANDS];

    fn parse_text(text: &str) -> Result<Vec<Invocation<()>>, String> {
        let words: Vec<String> = text.split_whitespace().map(String::from).collect();
        parse(&TABLE, &words, Vec::new())
    }

    #[test]
    fn errors_are_the_reference_ones() {
        for (line, error) in [
            ("", "missing command name (use --help for help)"),
            ("--", "missing command name (use --help for help)"),
            ("-- --may-exist -- list-br", "missing command name (use --help for help)"),
            ("frobnicate", "unknown command 'frobnicate'; use --help for help"),
            ("add-br", "'add-br' command requires at least 1 arguments"),
            ("add-br a b c d", "'add-br' command takes at most 3 arguments"),
            ("list-br extra", "'list-br' command takes at most 0 arguments"),
            ("list-br -- --may-exist list-br", "'list-br' command has no '--may-exist' option"),
            ("-- --may-exist=x add-br b", "'--may-exist' option on 'add-br' does not accept an argument"),
            ("-- --id create bridge", "missing argument to '--id' option on 'create' command"),
            ("-- --may-exist --may-exist add-br b", "'--may-exist' option specified multiple times"),
            ("add-br q -- --m add-br r", "'add-br' command has no '--m' option"),
        ] {
            assert_eq!(parse_text(line).expect_err(line), error, "{line}");
        }
    }

    #[test]
    fn several_commands() {
        let c = parse_text("-- -- --may-exist add-br a -- list-br --").unwrap();
        assert_eq!(c.len(), 2);
        assert!(c[0].has("--may-exist"));
        assert_eq!(c[0].args, ["a"]);
        assert_eq!(c[1].syntax.name, "list-br");
    }

    #[test]
    fn options_before_the_first_command_are_its() {
        let words = vec!["create".to_string(), "t".into(), "a=b".into()];
        let c = parse(&TABLE, &words, vec![("--id".into(), Some("@x".into()))]).unwrap();
        assert_eq!(c[0].value("--id"), Some("@x"));
    }
}
