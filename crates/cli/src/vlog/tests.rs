use super::*;

fn log(name: &str) -> (Arc<Vlog>, PathBuf) {
    let dir = std::env::temp_dir().join(format!("oxvs-vlog-{}-{name}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let d = dir.clone();
    let dirs = Dirs::from_lookup(|_| Some(d.clone()));
    let v = Vlog::new("ovs-vswitchd", &dirs, &Clock::simulated());
    v.set_level(None, Some(Destination::Console), None);
    v.set_level(None, Some(Destination::Syslog), None);
    (v, dir)
}

#[test]
fn specifications() {
    let (v, dir) = log("spec");
    for (spec, want) in [
        ("", Ok(())),
        ("foo", Err("no destination, level, or module \"foo\"")),
        ("foo:bar", Err("no destination, level, or module \"foo\"")),
        ("bridge:file:bar", Err("no destination, level, or module \"bar\"")),
        ("PATTERN:", Err("missing destination")),
        ("PATTERN", Err("missing destination")),
        ("PATTERN:file", Ok(())),
        ("pattern:any:%m", Ok(())),
        ("PATTERN:foo:bar", Err("unknown destination \"foo\"")),
        ("FACILITY:foo", Err("invalid facility")),
        ("FACILITY", Err("invalid facility")),
        ("FACILITY:", Err("invalid facility")),
        ("facility:LOCAL3", Ok(())),
        ("bridge dbg", Ok(())),
        ("bridge:syslog,file", Err("cannot specify multiple destinations")),
        ("bridge:vconn", Err("cannot specify multiple modules")),
        ("info,dbg", Err("cannot specify multiple levels")),
        ("ANY:ANY:off", Ok(())),
        (":::", Ok(())),
        ("OFPROTO_DPIF:DBG", Ok(())),
        ("ofproto-dpif", Err("no destination, level, or module \"ofproto-dpif\"")),
        ("emergency", Err("no destination, level, or module \"emergency\"")),
    ] {
        assert_eq!(v.set(spec), want.map_err(String::from), "{spec}");
    }
    std::fs::remove_dir_all(dir).unwrap();
}

#[test]
fn levels_and_listing() {
    let (v, dir) = log("levels");
    let mut lines = v.list();
    assert!(lines.starts_with("                 console    syslog    file\n                 -------    ------    ------\nbacktrace          OFF        OFF       INFO\n"), "{lines}");
    v.set("ANY:ANY:info").unwrap();
    v.set("bridge:file:dbg").unwrap();
    v.set("ofproto_dpif_upcall:console:emer").unwrap();
    lines = v.list();
    for want in [
        "bridge            INFO       INFO        DBG\n",
        "ofproto_dpif_upcall  EMER       INFO       INFO\n",
        "cooperative_multitasking  INFO       INFO       INFO\n",
    ] {
        assert!(lines.contains(want), "{want}");
    }
    assert!(v.enabled("bridge", Level::Dbg) && !v.enabled("ofproto", Level::Dbg));
    assert!(v.enabled("not in the list", Level::Info) && !v.enabled("not in the list", Level::Dbg));
    assert_eq!(
        v.list_patterns(),
        "         prefix                            format\n         \
         ------                            ------\n\
         SYSLOG   <%B> %D{%h %e %T} %E %A:          ovs|%05N|%c%T|%p|%m\n\
         CONSOLE  none                              %D{%Y-%m-%dT%H:%M:%SZ}|%05N|%c%T|%p|%m\n\
         FILE     none                              %D{%Y-%m-%dT%H:%M:%S.###Z}|%05N|%c%T|%p|%m\n"
    );
    std::fs::remove_dir_all(dir).unwrap();
}

#[test]
fn file_is_written_moved_and_reopened() {
    let (v, dir) = log("file");
    let logger = v.logger();
    assert!(!v.reopen_file().unwrap());
    v.set_pattern(None, "%c|%p|%m");
    v.open_file(None).unwrap();
    let path = dir.join("ovs-vswitchd.log");
    base::warn!(logger, "bridge", "one {}", 1);
    base::debug!(logger, "bridge", "not this");
    assert!(v.reopen_file().unwrap());
    std::fs::rename(&path, dir.join("old")).unwrap();
    assert!(v.reopen_file().unwrap());
    base::error!(logger, "unlisted", "two");
    v.close_file();
    base::error!(logger, "bridge", "lost");
    let read = |p: &Path| std::fs::read_to_string(p).unwrap();
    let opened = format!("vlog|INFO|opened log file {}\n", path.display());
    assert_eq!(read(&dir.join("old")), format!("{opened}bridge|WARN|one 1\nvlog|INFO|closing log file\n"));
    assert_eq!(read(&path), format!("{opened}unlisted|ERR|two\n"));
    assert!(v.open_file(Some(Path::new("/nonexistent/x"))).is_err());
    std::fs::remove_dir_all(dir).unwrap();
}

#[test]
fn records_leave_by_udp() {
    let (v, dir) = log("udp");
    let server = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    server.set_read_timeout(Some(std::time::Duration::from_secs(5))).unwrap();
    let target = server.local_addr().unwrap().to_string();
    v.lock().syslog = syslog::Method::Null;
    v.lock().target = Some(syslog::udp(&target).unwrap());
    v.set("syslog:info").unwrap();
    v.set_pattern(Some(Destination::Syslog), "ovs|%05N|%c|%p|%m");
    base::warn!(v.logger(), "bridge", "text");
    let mut buf = [0; 500];
    let n = server.recv(&mut buf).unwrap();
    let text = String::from_utf8_lossy(&buf[..n]).into_owned();
    assert!(
        text.starts_with("<132> ") && text.ends_with(" ovs-vswitchd:ovs|00001|bridge|WARN|text"),
        "{text}"
    );
    for (bad, why) in
        [("version", "version: port must be specified"), ("1.2.3.4:1x", "1.2.3.4:1x: bad port number \"1x\"")]
    {
        assert_eq!(syslog::udp(bad).map(|_| ()), Err(why.to_string()));
    }
    std::fs::remove_dir_all(dir).unwrap();
}
