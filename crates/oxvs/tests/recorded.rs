//! The control programs line by line against what those of Open vSwitch 3.5.0 said (`recorded/*.txt`).

use std::path::Path;
use std::process::Child;
use std::process::{Command, Stdio};
use std::time::Duration;
use testkit::{Programs, TempDir, until};

/// A database server that ends with the test.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn serve(programs: &Programs, dir: &Path, schema: &str) -> Server {
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("../bridge/schema").join(schema);
    let created =
        programs.command("ovsdb-tool", dir).arg("create").arg(dir.join("t.db")).arg(schema).status();
    assert!(created.expect("ovsdb-tool").success());
    let mut server = programs.command("ovsdb-server", dir);
    server.arg(dir.join("t.db")).arg(format!("--remote=punix:{}", dir.join("db.sock").display()));
    let child = server.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("ovsdb-server");
    let server = Server(child);
    let up = until(Duration::from_secs(10), || dir.join("db.sock").exists().then_some(()));
    up.expect("the server listens");
    server
}

/// Splits a line as a shell does.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote, mut any) = (Vec::new(), String::new(), None, false);
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some(q), c) if c == q => quote = None,
            (None | Some('"'), '\\') => word.extend(chars.next()),
            (None, '\'' | '"') => (quote, any) = (Some(c), true),
            (None, ' ') => {
                if any || !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
                any = false;
            }
            _ => word.push(c),
        }
    }
    if any || !word.is_empty() {
        words.push(word);
    }
    words
}

/// UUIDs and times are different each time.
fn plain(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let shape = |pattern: &str| {
            let fits = |(p, b): (u8, u8)| match p {
                b'x' => b.is_ascii_hexdigit(),
                b'9' => b.is_ascii_digit(),
                p => p == b,
            };
            rest.len() >= pattern.len() && pattern.bytes().zip(rest.bytes()).all(fits)
        };
        let (shown, skip) = if shape("xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx") {
            ("U", 36)
        } else if shape("9999-99-99T99:99:99Z") {
            ("T", 20)
        } else {
            (&rest[..c.len_utf8()], c.len_utf8())
        };
        out.push_str(shown);
        rest = &rest[skip..];
    }
    out
}

fn lines(text: &str) -> Vec<String> {
    let text = plain(text);
    let mut all: Vec<String> = text.lines().map(String::from).collect();
    all.sort();
    all
}

fn compare(program: &str, options: &[&str], schema: &str, recorded: &str) {
    let programs = Programs::of(env!("CARGO_BIN_EXE_oxvs"));
    let dir = TempDir::new();
    let _server = serve(&programs, dir.path(), schema);
    let mut faults = Vec::new();
    let mut blocks = recorded.split("\n$ ");
    blocks.next();
    for block in blocks {
        let (line, said) = block.split_once('\n').unwrap_or((block, ""));
        let of = |mark: char| -> Vec<String> {
            let mut all: Vec<String> =
                said.lines().filter_map(|l| l.strip_prefix(mark)).map(String::from).collect();
            all.sort();
            all
        };
        let status = of('=').first().map_or(0, |s| s.parse().expect("a number"));
        let mut command: Command = programs.command(program, dir.path());
        let run = command.args(["--timeout=10"]).args(options).args(words(line)).output().expect("it runs");
        let text = |bytes: &[u8]| lines(&String::from_utf8_lossy(bytes));
        let got = (run.status.code(), text(&run.stdout), text(&run.stderr));
        let want = (Some(status), of('>'), of('!'));
        if got != want {
            faults.push(format!("{line}\n  want {want:?}\n  got  {got:?}"));
        }
    }
    assert!(faults.is_empty(), "{} differ:\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn bridges() {
    compare("ovs-vsctl", &["--no-wait"], "vswitch.ovsschema", include_str!("recorded/bridges.txt"));
}

#[test]
fn settings() {
    compare("ovs-vsctl", &["--no-wait"], "vswitch.ovsschema", include_str!("recorded/settings.txt"));
}

#[test]
fn queries() {
    compare("ovs-vsctl", &["--no-wait"], "vswitch.ovsschema", include_str!("recorded/queries.txt"));
}

#[test]
fn vtep() {
    compare("vtep-ctl", &[], "vtep.ovsschema", include_str!("recorded/vtep.txt"));
}
