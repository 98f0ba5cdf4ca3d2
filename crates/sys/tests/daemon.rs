//! Going into the background, with real processes. No test harness: forking wants a process with one thread, so
//! this program plays both parts, the test and (when `ROLE` is set) the daemon.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;
use sys::daemon::{self, End, MonitorLog, Options};
use sys::signal::{Signal, Signals, kill};

fn main() {
    if let Ok(role) = std::env::var("ROLE") {
        return daemon_main(&role);
    }
    let dir = std::env::temp_dir().join(format!("oxvs-daemon-{}", std::process::id()));
    fs::create_dir_all(&dir).unwrap();
    for (name, test) in [
        ("detach", detach as fn(&Path)),
        ("failed start", failed_start),
        ("second instance", second_instance),
        ("monitor", monitor),
        ("foreground", foreground),
        ("user namespace", user_namespace),
        ("another user", another_user),
    ] {
        let d = dir.join(name.replace(' ', "-"));
        fs::create_dir_all(&d).unwrap();
        test(&d);
        println!("test {name} ... ok");
    }
    fs::remove_dir_all(dir).unwrap();
}

/// The daemon: writes what the monitor tells to `log`, waits for a signal.
fn daemon_main(role: &str) {
    struct Log(PathBuf);
    impl Log {
        fn line(&self, s: &str) {
            let mut f = fs::File::options().append(true).create(true).open(&self.0).unwrap();
            writeln!(f, "{s}").unwrap();
        }
    }
    impl MonitorLog for Log {
        fn ended(&mut self, _: i32, end: End, crashes: u32, restarting: bool, backtrace: &str) {
            let first = backtrace.lines().next().unwrap_or("none");
            let frames = backtrace.lines().skip(1).filter(|l| l.ends_with(']')).count();
            self.line(&format!("{end}, {crashes} before, restarting {restarting}, {first} {}", frames > 3));
        }
        fn waiting(&mut self) {
            self.line("waiting");
        }
        fn failed(&mut self, text: &str) {
            self.line(text);
        }
    }
    match role {
        "namespace" => return in_user_namespace(),
        "nobody" => return as_nobody(),
        _ => {}
    }
    let dir = PathBuf::from(std::env::var("DIR").unwrap());
    let mut log = Log(dir.join("log"));
    let options = Options {
        detach: role != "foreground",
        no_chdir: false,
        monitor: role == "monitor",
        pidfile: Some(dir.join("d.pid")),
        ..Options::default()
    };
    let mut d = match daemon::start(&options, &mut log) {
        Ok(d) => d,
        Err(e) => {
            eprintln!("daemon: {e}");
            std::process::exit(1);
        }
    };
    if role == "fail" {
        eprintln!("cannot start");
        std::process::exit(3);
    }
    sys::set_name("the-daemon");
    let signals = Signals::new(&[Signal::Term]).unwrap();
    d.install_crash_handler(None);
    println!("ready");
    d.ready().unwrap();
    log.line(&format!("up, {} crashes, in {}", d.crashes(), std::env::current_dir().unwrap().display()));
    sys::poll::wait_one(&signals, sys::poll::Interest::READ, None).unwrap();
    log.line("down");
}

fn run(role: &str, dir: &Path) -> Output {
    let exe = std::env::current_exe().unwrap();
    Command::new(exe).env("ROLE", role).env("DIR", dir).output().unwrap()
}

/// Waits for a condition of the file system or of another process.
fn until(what: &str, mut f: impl FnMut() -> bool) {
    for _ in 0..10_000 {
        if f() {
            return;
        }
        sys::sleep(Duration::from_millis(1));
    }
    panic!("waited in vain for {what}");
}

fn pid(dir: &Path) -> i32 {
    sys::pidfile::read(&dir.join("d.pid")).unwrap()
}

fn log(dir: &Path) -> String {
    fs::read_to_string(dir.join("log")).unwrap_or_default()
}

fn stop(dir: &Path) {
    kill(pid(dir), Signal::Term.number()).unwrap();
    until("the pidfile to go", || !dir.join("d.pid").exists());
    until("the last word", || log(dir).ends_with("down\n"));
}

fn detach(dir: &Path) {
    let out = run("detach", dir);
    assert!(out.status.success());
    // What it says before it is ready comes through, and the output is closed afterwards, or `output` would
    // not have returned.
    assert_eq!(String::from_utf8_lossy(&out.stdout), "ready\n");
    let p = pid(dir);
    assert_ne!(p, std::process::id() as i32);
    assert_eq!(fs::read_to_string(format!("/proc/{p}/comm")).unwrap().trim(), "the-daemon");
    assert_eq!(fs::read_link(format!("/proc/{p}/fd/0")).unwrap(), Path::new("/dev/null"));
    until("the log", || log(dir) == "up, 0 crashes, in /\n");
    stop(dir);
}

fn failed_start(dir: &Path) {
    let out = run("fail", dir);
    assert_eq!(out.status.code(), Some(3));
    assert_eq!(String::from_utf8_lossy(&out.stderr), "cannot start\n");
}

fn second_instance(dir: &Path) {
    assert!(run("detach", dir).status.success());
    let out = run("detach", dir);
    assert_eq!(out.status.code(), Some(1));
    let path = dir.join("d.pid");
    let want = format!("daemon: {}: already running as pid {}, aborting\n", path.display(), pid(dir));
    assert_eq!(String::from_utf8_lossy(&out.stderr), want);
    until("the log", || log(dir).starts_with("up"));
    stop(dir);
    // A file left behind by a dead process is no obstacle.
    fs::write(&path, "1\n").unwrap();
    assert!(run("detach", dir).status.success());
    stop(dir);
}

fn monitor(dir: &Path) {
    assert!(run("monitor", dir).status.success());
    let first = pid(dir);
    until("the log", || log(dir).starts_with("up, 0"));
    kill(first, 11).unwrap();
    until("the restart", || log(dir).contains("up, 1 crashes"));
    let second = pid(dir);
    assert_ne!(first, second);
    kill(second, Signal::Term.number()).unwrap();
    until("the monitor's last word", || log(dir).contains("restarting false"));
    let text = log(dir);
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[1].starts_with("killed (Segmentation fault)"), "{text}");
    assert!(lines[1].ends_with("0 before, restarting true, SIGSEGV detected, backtrace: true"), "{text}");
    assert_eq!(
        lines[2..],
        ["up, 1 crashes, in /", "down", "exit status 0, 1 before, restarting false, none false"]
    );
    assert!(!dir.join("d.pid").exists());
}

fn foreground(dir: &Path) {
    let exe = std::env::current_exe().unwrap();
    let mut child = Command::new(exe).env("ROLE", "foreground").env("DIR", dir).spawn().unwrap();
    until("the log", || log(dir).starts_with("up"));
    assert_eq!(pid(dir), child.id() as i32);
    stop(dir);
    assert!(child.wait().unwrap().success());
}

fn in_user_namespace() {
    if let Err(e) = sys::netns::become_root_in_new_namespaces() {
        return println!("skipped: no user namespace ({e})");
    }
    let mut r = sys::rtnl::Route::new().unwrap();
    r.add_veth("left", "right", None).unwrap();
    println!("{} links", r.links().unwrap().len());
}

fn user_namespace(dir: &Path) {
    let out = run("namespace", dir);
    let said = String::from_utf8_lossy(&out.stdout).into_owned();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    assert!(said == "3 links\n" || said.starts_with("skipped"), "{said}");
}

fn as_nobody() {
    use sys::process::{Capability, find_user, has_capability, run_as};
    let Ok(nobody) = find_user("nobody") else { return println!("skipped: nobody is not there") };
    if let Err(e) = run_as(&nobody, &[Capability::NetAdmin, Capability::NetRaw]) {
        return println!("skipped: not root ({e})");
    }
    let caps = [Capability::NetAdmin, Capability::NetRaw, Capability::IpcLock].map(has_capability);
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let uid = status.lines().find_map(|l| l.strip_prefix("Uid:")).unwrap().split_whitespace().next().unwrap();
    assert_eq!((uid, caps), (nobody.uid.to_string().as_str(), [true, true, false]));
    println!("changed");
}

fn another_user(dir: &Path) {
    let out = run("nobody", dir);
    let said = String::from_utf8_lossy(&out.stdout).into_owned();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    assert!(said == "changed\n" || said.starts_with("skipped"), "{said}");
}
