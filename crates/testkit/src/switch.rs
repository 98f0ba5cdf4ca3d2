//! A database server and a switch, as processes in a network namespace of their own.

use crate::lan::{Host, Spec};
use crate::programs::{Programs, said, schema};
use crate::{TempDir, wait_for};
use base::Mac;
use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command, Output};
use sys::netns::NetNs;
use sys::rtnl::Route;

/// How to start them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options<'a> {
    /// More arguments for `ovs-vswitchd`.
    pub switch: &'a [&'a str],
    /// More arguments for `ovsdb-server`.
    pub database: &'a [&'a str],
}

/// Both daemons, and where their state is. They are killed when this value goes.
#[derive(Debug)]
pub struct Switch {
    /// State directory of both.
    pub state: TempDir,
    /// The namespace that they are in.
    pub ns: NetNs,
    programs: Programs,
    database: Option<Child>,
    switch: Option<Child>,
    arguments: (Vec<String>, Vec<String>),
}

impl Switch {
    /// Creates a database and starts both daemons.
    pub fn start(programs: Programs, options: Options<'_>) -> Switch {
        let ns = NetNs::new().expect("a network namespace");
        ns.run(|| {
            let mut r = Route::new()?;
            r.set_up(1, true)
        })
        .and_then(|r| r)
        .expect("the loopback device");
        let strings = |a: &[&str]| a.iter().map(ToString::to_string).collect::<Vec<_>>();
        let mut s = Switch {
            state: TempDir::new(),
            ns,
            programs,
            database: None,
            switch: None,
            arguments: (strings(options.database), strings(options.switch)),
        };
        let db = s.state.join("conf.db").display().to_string();
        s.ok("ovsdb-tool", &["create", &db, &schema().display().to_string()]);
        s.start_database();
        s.vsctl(&["--no-wait", "init"]);
        s.start_switch();
        s
    }

    /// Starts the database server and waits until it listens.
    pub fn start_database(&mut self) {
        let socket = self.state.join("db.sock");
        let remote = format!("--remote=punix:{}", socket.display());
        let mut args = vec![
            "-vconsole:off".into(),
            remote,
            "--remote=db:Open_vSwitch,Open_vSwitch,manager_options".into(),
            "--pidfile".into(),
            "--log-file".into(),
        ];
        args.extend(self.arguments.0.iter().cloned());
        args.push(self.state.join("conf.db").display().to_string());
        self.database = Some(self.spawn("ovsdb-server", &args));
        self.listening("ovsdb-server");
    }

    /// Starts the switch and waits until it can be talked to.
    pub fn start_switch(&mut self) {
        let mut args: Vec<String> =
            ["-vconsole:off", "--pidfile", "--log-file"].iter().map(ToString::to_string).collect();
        args.extend(self.arguments.1.iter().cloned());
        args.push(format!("unix:{}", self.state.join("db.sock").display()));
        self.switch = Some(self.spawn("ovs-vswitchd", &args));
        self.listening("ovs-vswitchd");
    }

    /// Kills the database server as hard as possible, and waits until it is gone.
    pub fn kill_database(&mut self) {
        kill(&mut self.database);
    }

    /// Kills the switch as hard as possible, and waits until it is gone.
    pub fn kill_switch(&mut self) {
        kill(&mut self.switch);
    }

    /// Asks both to end, and waits.
    pub fn stop(&mut self) {
        for (name, child) in [("ovs-vswitchd", self.switch.take()), ("ovsdb-server", self.database.take())] {
            if let Some(mut child) = child {
                self.ok("ovs-appctl", &["-t", name, "exit"]);
                let status = wait_for(&format!("the end of {name}"), || child.try_wait().ok().flatten());
                assert!(status.success(), "{name} ended with {status}");
                let pidfile = self.state.join(format!("{name}.pid"));
                assert!(!pidfile.exists(), "{name} left its pidfile");
            }
        }
    }

    /// A program's result, whatever it is.
    pub fn run(&self, program: &str, args: &[&str]) -> Output {
        let mut c = self.programs.command(program, self.state.path());
        c.args(args);
        self.prepare(&mut c);
        c.output().unwrap_or_else(|e| panic!("{program}: {e}"))
    }

    /// A command of any program, to be started in the switch's namespace; it dies with the test.
    pub fn prepare(&self, c: &mut Command) {
        self.ns.adopt(c).expect("a command can enter the namespace");
        sys::process::kill_with_parent(c);
    }

    /// A command with this switch's state directory and namespace, to be started.
    pub fn command(&self, program: &str) -> Command {
        let mut c = self.programs.command(program, self.state.path());
        self.prepare(&mut c);
        c
    }

    /// What a program prints; it must succeed and say nothing on standard error.
    #[track_caller]
    pub fn ok(&self, program: &str, args: &[&str]) -> String {
        let out = self.run(program, args);
        let (stdout, stderr) = said(&out);
        assert!(
            out.status.success() && stderr.is_empty(),
            "{program} {args:?}: {}\n{stdout}{stderr}{}",
            out.status,
            self.logs()
        );
        stdout
    }

    /// `ovs-vsctl`.
    #[track_caller]
    pub fn vsctl(&self, args: &[&str]) -> String {
        self.ok("ovs-vsctl", &[&["--timeout=20"], args].concat())
    }

    /// `ovs-ofctl`.
    #[track_caller]
    pub fn ofctl(&self, args: &[&str]) -> String {
        self.ok("ovs-ofctl", args)
    }

    /// Adds a flow.
    #[track_caller]
    pub fn flow(&self, bridge: &str, flow: &str) {
        self.ofctl(&["-OOpenFlow10,OpenFlow13", "add-flow", bridge, flow]);
    }

    /// Flows as `ovs-ofctl` prints them, without what changes from run to run.
    pub fn flows(&self, bridge: &str, args: &[&str]) -> Vec<String> {
        let all = [&["-OOpenFlow10,OpenFlow13", "--no-stats", "dump-flows", bridge], args].concat();
        self.ofctl(&all)
            .lines()
            .map(str::trim)
            .filter(|l| !l.contains("_FLOW reply") && !l.starts_with("OFPST"))
            .map(str::to_string)
            .collect()
    }

    /// `ovs-appctl`, of the switch.
    #[track_caller]
    pub fn appctl(&self, args: &[&str]) -> String {
        self.ok("ovs-appctl", args)
    }

    /// Adds a bridge of the userspace datapath.
    pub fn bridge(&self, name: &str, more: &[&str]) {
        let mut args = vec!["add-br", name, "--", "set", "bridge", name, "datapath_type=netdev"];
        args.extend(more);
        self.vsctl(&args);
    }

    /// Makes a host and plugs it into a bridge, with more arguments for `add-port`.
    pub fn host(&self, bridge: &str, spec: &Spec<'_>, more: &[&str]) -> Host {
        let host = Host::new(&self.ns, spec).expect("a host");
        let mut args = vec!["add-port", bridge, spec.port];
        args.extend(more);
        self.vsctl(&args);
        host
    }

    /// Makes a host `n`: address 10.0.0.n/24, Ethernet address 02:00:00:00:00:n, port `name`.
    pub fn numbered(&self, bridge: &str, name: &str, n: u8, more: &[&str]) -> Host {
        let spec = Spec {
            port: name,
            mac: Mac([2, 0, 0, 0, 0, n]),
            address: Some(&format!("10.0.0.{n}/24")),
            gateway: None,
        };
        self.host(bridge, &spec, more)
    }

    /// A daemon's log.
    pub fn log(&self, daemon: &str) -> String {
        std::fs::read_to_string(self.state.join(format!("{daemon}.log"))).unwrap_or_default()
    }

    /// Both logs' last lines, for messages.
    fn logs(&self) -> String {
        let mut out = String::new();
        for daemon in ["ovsdb-server", "ovs-vswitchd"] {
            let log = self.log(daemon);
            let lines: Vec<&str> = log.lines().collect();
            out.push_str(&format!(
                "--- {daemon}.log\n{}\n",
                lines[lines.len().saturating_sub(20)..].join("\n")
            ));
        }
        out
    }

    /// Checks that nothing was logged as a warning or worse, but for lines that contain one of `allowed`.
    #[track_caller]
    pub fn assert_clean(&self, allowed: &[&str]) {
        if crate::reference() {
            return;
        }
        for daemon in ["ovsdb-server", "ovs-vswitchd"] {
            let log = self.log(daemon);
            let bad: Vec<&str> = log
                .lines()
                .filter(|l| ["|WARN|", "|ERR|", "|EMER|"].iter().any(|level| l.contains(level)))
                .filter(|l| !allowed.iter().any(|a| l.contains(a)))
                .collect();
            assert!(bad.is_empty(), "{daemon} complains:\n{}", bad.join("\n"));
        }
    }

    fn spawn(&self, program: &str, args: &[String]) -> Child {
        let mut c = self.command(program);
        let path = self.state.join(format!("{program}.stderr"));
        let errors = File::create(&path).expect("a file for standard error");
        c.args(args).stdout(errors.try_clone().expect("a second descriptor")).stderr(errors);
        c.spawn().unwrap_or_else(|e| panic!("{program}: {e}"))
    }

    /// Waits until a daemon answers on its control socket.
    fn listening(&mut self, daemon: &'static str) {
        let pidfile = self.state.join(format!("{daemon}.pid"));
        let errors = self.state.join(format!("{daemon}.stderr"));
        let child = if daemon == "ovsdb-server" { &mut self.database } else { &mut self.switch };
        let child = child.as_mut().expect("it was started");
        wait_for(&format!("{daemon} to listen"), || {
            if let Ok(Some(status)) = child.try_wait() {
                panic!(
                    "{daemon} ended with {status}: {}",
                    std::fs::read_to_string(&errors).unwrap_or_default()
                );
            }
            let pid: u32 = std::fs::read_to_string(&pidfile).ok()?.trim().parse().ok()?;
            if pid != child.id() {
                return None;
            }
            let ctl: PathBuf = pidfile.with_file_name(format!("{daemon}.{pid}.ctl"));
            std::os::unix::net::UnixStream::connect(ctl).ok()
        });
    }
}

fn kill(child: &mut Option<Child>) {
    if let Some(mut c) = child.take() {
        let _ = c.kill();
        let _ = c.wait();
    }
}

impl Drop for Switch {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("{}", self.logs());
        }
        kill(&mut self.switch);
        kill(&mut self.database);
    }
}
