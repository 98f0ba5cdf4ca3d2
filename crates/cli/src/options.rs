//! Command-line options in the manner of `getopt_long`: short ones in clusters, long ones with `=VALUE` or the value
//! following, any unambiguous beginning of a long one, `--` to end them, and the error texts that people know.
//!
//! A program declares its options in const tables and joins them: its own, those of [`crate::vlog`], those of
//! [`crate::daemon`] and so on. The same tables print themselves for shell completion (`--option`).

use std::fmt;

/// Whether an option takes a value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Takes {
    /// It does not.
    Nothing,
    /// It must.
    Value,
    /// It may, only attached (`--log-file=F`, `-vSPEC`).
    OptionalValue,
}

/// An option, declared.
#[derive(Clone, Copy, Debug)]
pub struct Opt {
    /// By what the program tells it from others.
    pub id: &'static str,
    /// `--long`, without the dashes.
    pub long: Option<&'static str>,
    /// `-s`.
    pub short: Option<char>,
    /// Whether it takes a value.
    pub takes: Takes,
}

impl Opt {
    /// `--long`.
    pub const fn flag(long: &'static str) -> Opt {
        Opt { id: long, long: Some(long), short: None, takes: Takes::Nothing }
    }

    /// `--long=VALUE`.
    pub const fn value(long: &'static str) -> Opt {
        Opt { id: long, long: Some(long), short: None, takes: Takes::Value }
    }

    /// `--long[=VALUE]`.
    pub const fn optional(long: &'static str) -> Opt {
        Opt { id: long, long: Some(long), short: None, takes: Takes::OptionalValue }
    }

    /// The same with a short form.
    pub const fn short(self, short: char) -> Opt {
        Opt { short: Some(short), ..self }
    }

    /// The same under another name within the program: two spellings of one option have one id.
    pub const fn id(self, id: &'static str) -> Opt {
        Opt { id, ..self }
    }

    /// Only `-s`.
    pub const fn only_short(id: &'static str, short: char, takes: Takes) -> Opt {
        Opt { id, long: None, short: Some(short), takes }
    }
}

/// An option that was given.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Given {
    /// Its id.
    pub id: &'static str,
    /// Its value, if one was given.
    pub value: Option<String>,
    /// Whether it was spelt `-s`.
    pub short: bool,
}

impl Given {
    /// The value of an option that takes one.
    pub fn value(&self) -> &str {
        self.value.as_deref().unwrap_or_default()
    }
}

/// What was wrong with an option.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum OptionError {
    /// `--x` is none of ours.
    Unrecognized(String),
    /// `-x` is none of ours.
    Invalid(char),
    /// `--x` begins several.
    Ambiguous(String, Vec<&'static str>),
    /// `--x` lacks its value.
    Missing(&'static str),
    /// `-x` lacks its value.
    MissingShort(char),
    /// `--x=v`, but `--x` takes none.
    NotAllowed(&'static str),
}

impl fmt::Display for OptionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OptionError::Unrecognized(o) => write!(f, "unrecognized option '--{o}'"),
            OptionError::Invalid(c) => write!(f, "invalid option -- '{c}'"),
            OptionError::Ambiguous(o, all) => {
                write!(f, "option '--{o}' is ambiguous; possibilities:")?;
                all.iter().try_for_each(|p| write!(f, " '--{p}'"))
            }
            OptionError::Missing(o) => write!(f, "option '--{o}' requires an argument"),
            OptionError::MissingShort(c) => write!(f, "option requires an argument -- '{c}'"),
            OptionError::NotAllowed(o) => write!(f, "option '--{o}' doesn't allow an argument"),
        }
    }
}

/// Whether options may follow other arguments.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Order {
    /// They may: arguments that are no options are gathered.
    Anywhere,
    /// The first argument that is no option ends them, as where commands have options of their own.
    First,
}

/// The options of a program.
#[derive(Clone, Debug, Default)]
pub struct Options {
    all: Vec<Opt>,
}

impl Options {
    /// Joins tables of options.
    pub fn new(tables: &[&[Opt]]) -> Options {
        Options { all: tables.concat() }
    }

    /// The options.
    pub fn all(&self) -> &[Opt] {
        &self.all
    }

    /// Parses `args` (without the program's name): options in order, then the other arguments.
    pub fn parse(&self, args: &[String], order: Order) -> Result<(Vec<Given>, Vec<String>), OptionError> {
        let mut parser = self.parser(args, order);
        let mut given = Vec::new();
        for g in parser.by_ref() {
            given.push(g?);
        }
        Ok((given, parser.rest()))
    }

    /// Parses `args` one option at a time: what comes before an error takes effect (`--help` wins over a later
    /// mistake).
    pub fn parser<'a>(&'a self, args: &'a [String], order: Order) -> Parser<'a> {
        Parser { options: self, args, next: 0, cluster: "", order, others: Vec::new() }
    }

    /// The options one a line, for shell completion: `--long=ARG` then `-s ARG`.
    pub fn listing(&self) -> String {
        let mut s = String::new();
        for o in &self.all {
            let (eq, arg) = match o.takes {
                Takes::Nothing => ("", ""),
                Takes::Value => ("=", "ARG"),
                Takes::OptionalValue => ("=", "[ARG]"),
            };
            if let Some(long) = o.long {
                s.push_str(&format!("--{long}{eq}{arg}\n"));
            }
            if let Some(short) = o.short {
                s.push_str(&format!("-{short} {arg}\n"));
            }
        }
        s
    }

    fn long(&self, name: &str) -> Result<&Opt, OptionError> {
        let named = |o: &&Opt| o.long == Some(name);
        if let Some(o) = self.all.iter().find(named) {
            return Ok(o);
        }
        let begun: Vec<&Opt> =
            self.all.iter().filter(|o| o.long.is_some_and(|l| l.starts_with(name))).collect();
        match begun.as_slice() {
            [] => Err(OptionError::Unrecognized(name.to_string())),
            // Spellings of one and the same option are not ambiguous.
            [first, rest @ ..] if rest.iter().all(|o| o.id == first.id && o.takes == first.takes) => {
                Ok(first)
            }
            all => Err(OptionError::Ambiguous(name.to_string(), all.iter().filter_map(|o| o.long).collect())),
        }
    }
}

/// Goes through a command line.
#[derive(Debug)]
pub struct Parser<'a> {
    options: &'a Options,
    args: &'a [String],
    next: usize,
    /// What is left of a cluster of short options.
    cluster: &'a str,
    order: Order,
    others: Vec<String>,
}

impl<'a> Parser<'a> {
    /// The arguments that were no options: after the last one.
    pub fn rest(mut self) -> Vec<String> {
        self.others.extend_from_slice(&self.args[self.next..]);
        self.others
    }

    fn short(&mut self) -> Result<Given, OptionError> {
        let mut chars = self.cluster.chars();
        // Callers see to it that the cluster is not empty.
        let c = chars.next().unwrap_or('?');
        let rest = chars.as_str();
        let Some(o) = self.options.all.iter().find(|o| o.short == Some(c)) else {
            self.cluster = rest;
            return Err(OptionError::Invalid(c));
        };
        let (value, left) = match o.takes {
            Takes::Nothing => (None, rest),
            Takes::OptionalValue if rest.is_empty() => (None, ""),
            Takes::Value if rest.is_empty() => {
                let Some(v) = self.args.get(self.next) else { return Err(OptionError::MissingShort(c)) };
                self.next += 1;
                (Some(v.clone()), "")
            }
            Takes::Value | Takes::OptionalValue => (Some(rest.to_string()), ""),
        };
        self.cluster = left;
        Ok(Given { id: o.id, value, short: true })
    }

    fn long(&mut self, arg: &str) -> Result<Given, OptionError> {
        let (name, attached) = match arg.split_once('=') {
            Some((n, v)) => (n, Some(v.to_string())),
            None => (arg, None),
        };
        let o = self.options.long(name).map_err(|e| match e {
            OptionError::Unrecognized(_) => OptionError::Unrecognized(arg.to_string()),
            OptionError::Ambiguous(_, all) => OptionError::Ambiguous(arg.to_string(), all),
            other => other,
        })?;
        let long = o.long.unwrap_or(o.id);
        let value = match (o.takes, attached) {
            (Takes::Nothing, Some(_)) => return Err(OptionError::NotAllowed(long)),
            (Takes::Value, None) => {
                let Some(v) = self.args.get(self.next) else { return Err(OptionError::Missing(long)) };
                self.next += 1;
                Some(v.clone())
            }
            (_, attached) => attached,
        };
        Ok(Given { id: o.id, value, short: false })
    }
}

impl Iterator for Parser<'_> {
    type Item = Result<Given, OptionError>;

    fn next(&mut self) -> Option<Self::Item> {
        if !self.cluster.is_empty() {
            return Some(self.short());
        }
        while let Some(arg) = self.args.get(self.next) {
            if arg == "--" {
                self.next += 1;
                return None;
            }
            if let Some(long) = arg.strip_prefix("--") {
                self.next += 1;
                return Some(self.long(long));
            }
            match arg.strip_prefix('-') {
                Some(cluster) if !cluster.is_empty() => {
                    self.next += 1;
                    self.cluster = cluster;
                    return Some(self.short());
                }
                _ if self.order == Order::First => return None,
                _ => {
                    self.next += 1;
                    self.others.push(arg.clone());
                }
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: &[Opt] = &[
        Opt::value("target").short('t'),
        Opt::flag("execute").short('e').id("exec"),
        Opt::value("timeout").short('T'),
        Opt::flag("help").short('h'),
        Opt::flag("pretty"),
        Opt::optional("verbose").short('v'),
        Opt::flag("version").short('V'),
        Opt::flag("no-heading").id("no-headings"),
        Opt::flag("no-headings"),
    ];

    fn parse(order: Order, line: &str) -> String {
        let args: Vec<String> = line.split_whitespace().map(String::from).collect();
        match Options::new(&[OWN]).parse(&args, order) {
            Err(e) => e.to_string(),
            Ok((given, rest)) => {
                let mut s: Vec<String> = given
                    .iter()
                    .map(|g| g.value.as_ref().map_or(g.id.to_string(), |v| format!("{}={v}", g.id)))
                    .collect();
                s.push("|".to_string());
                s.extend(rest);
                s.join(" ")
            }
        }
    }

    #[test]
    fn parses() {
        for (line, want) in [
            ("-t x a b", "target=x | a b"),
            ("-tx -he", "target=x help exec |"),
            ("--target=x --target y", "target=x target=y |"),
            ("--tar=x", "target=x |"),
            ("-v -vdbg --verbose --verbose=x", "verbose verbose=dbg verbose verbose=x |"),
            ("a -h b", "help | a b"),
            ("a -- -h", "| a -h"),
            ("- -h", "help | -"),
            ("--no-heading", "no-headings |"),
            ("--no-h", "no-headings |"),
            ("--nosuch", "unrecognized option '--nosuch'"),
            ("--nosuch=3", "unrecognized option '--nosuch=3'"),
            ("--t", "option '--t' is ambiguous; possibilities: '--target' '--timeout'"),
            ("--ver", "option '--ver' is ambiguous; possibilities: '--verbose' '--version'"),
            ("-T", "option requires an argument -- 'T'"),
            ("-x", "invalid option -- 'x'"),
            ("-hx", "invalid option -- 'x'"),
            ("--pretty=3", "option '--pretty' doesn't allow an argument"),
            ("--target", "option '--target' requires an argument"),
        ] {
            assert_eq!(parse(Order::Anywhere, line), want, "{line}");
        }
        assert_eq!(parse(Order::First, "-h a -h"), "help | a -h");
        assert_eq!(parse(Order::First, "-h -- -h"), "help | -h");
    }

    #[test]
    fn lists() {
        let text = Options::new(&[&OWN[..2], &OWN[5..6]]).listing();
        assert_eq!(text, "--target=ARG\n-t ARG\n--execute\n-e \n--verbose=[ARG]\n-v [ARG]\n");
    }
}
