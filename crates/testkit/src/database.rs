//! A database server as a process, without a switch.

use crate::{TempDir, wait_for};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

/// A database file, and the server that may be serving it on the socket `s`.
pub struct Database {
    program: PathBuf,
    dir: TempDir,
    name: String,
    server: Option<Child>,
}

impl Database {
    /// An empty database of this schema, in `NAME.db`. `program`: the binary that is all programs.
    pub fn create(program: impl Into<PathBuf>, name: &str, schema: &str) -> Database {
        let db =
            Database { program: program.into(), dir: TempDir::new(), name: name.to_owned(), server: None };
        std::fs::write(db.path("schema"), schema).expect("a schema");
        db.ok(&["ovsdb-tool", "create", &db.file(), "schema"]);
        db
    }

    /// A file in the directory that is everybody's.
    pub fn path(&self, file: &str) -> PathBuf {
        self.dir.join(file)
    }

    fn file(&self) -> String {
        format!("{}.db", self.name)
    }

    /// A program with its arguments, in that directory.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut c = Command::new(&self.program);
        c.args(args);
        self.prepare(&mut c);
        c
    }

    /// Has a command run in that directory.
    pub fn prepare(&self, c: &mut Command) {
        let dir = self.dir.join("");
        c.current_dir(&dir).stdin(Stdio::null());
        for name in ["OVS_RUNDIR", "OVS_LOGDIR", "OVS_DBDIR", "OVS_SYSCONFDIR"] {
            c.env(name, &dir);
        }
    }

    /// Runs a program.
    pub fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().expect("a program")
    }

    /// Runs a program that has to succeed: what it prints.
    pub fn ok(&self, args: &[&str]) -> String {
        let out = self.run(args);
        let text = String::from_utf8_lossy(&out.stdout).into_owned();
        assert!(out.status.success(), "{args:?}: {text}{}", String::from_utf8_lossy(&out.stderr));
        text
    }

    /// Starts a server of the file, with a log file and these options.
    pub fn start(&mut self, options: &[&str]) {
        let (program, file) = (self.program.clone(), self.file());
        let mut c = Command::new(program);
        c.args(["ovsdb-server", "--remote=punix:s", "--unixctl=ctl", "-vconsole:off", "--log-file=log"]);
        c.args(options).arg(file);
        self.start_command(c);
    }

    /// Starts a server by a command of the caller's.
    pub fn start_command(&mut self, mut c: Command) {
        self.prepare(&mut c);
        self.server = Some(c.spawn().expect("a server"));
        wait_for("the server to answer", || UnixStream::connect(self.path("s")).ok());
    }

    /// The server's process.
    pub fn pid(&self) -> u32 {
        self.server.as_ref().expect("a server").id()
    }

    /// Kills the server, which may have ended already.
    pub fn kill(&mut self) {
        if let Some(mut server) = self.server.take() {
            let _ = server.kill();
            let _ = server.wait();
        }
    }

    /// Tells the server to end, and waits.
    pub fn exit(&mut self) {
        self.ok(&["ovs-appctl", "-t", &self.path("ctl").display().to_string(), "exit"]);
        let status = self.server.take().expect("a server").wait().expect("an end");
        assert!(status.success(), "{status}");
    }

    /// The log.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    /// A connection to the server.
    pub fn connect(&self) -> Client {
        let stream = UnixStream::connect(self.path("s")).expect("the server listens");
        stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a timeout");
        Client { stream, name: self.name.clone() }
    }

    /// The resident set of the server, in KiB, at its largest.
    pub fn peak_kib(&self) -> u64 {
        let status = std::fs::read_to_string(Path::new("/proc").join(self.pid().to_string()).join("status"));
        let status = status.expect("the server lives");
        let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:")).expect("a line");
        line.trim().trim_end_matches(" kB").parse().expect("a number")
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A client that knows just enough JSON to see that a reply has ended.
pub struct Client {
    /// The socket.
    pub stream: UnixStream,
    name: String,
}

impl Client {
    /// The reply to a transaction; `None` when the connection is lost.
    pub fn transact(&mut self, operations: &str) -> Option<String> {
        let name = &self.name;
        let request = format!(r#"{{"id":1,"method":"transact","params":["{name}",{operations}]}}"#);
        self.stream.write_all(request.as_bytes()).ok()?;
        let mut seen = Vec::new();
        let mut buf = vec![0; 1 << 16];
        while !seen.ends_with(br#""error":null}"#) {
            let n = self.stream.read(&mut buf).ok().filter(|n| *n > 0)?;
            seen.extend_from_slice(&buf[..n]);
        }
        String::from_utf8(seen).ok()
    }
}
