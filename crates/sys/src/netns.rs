//! Network namespaces.
//!
//! A thread is in one namespace, and a socket stays in the one it was made in. Work in another namespace is
//! therefore done on a thread of its own ([`NetNs::run`]), which ends there.

use crate::util::{cstring, cvt, errno};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where `ip netns` keeps names.
const NAMED: &str = "/var/run/netns";

/// A network namespace, held by a descriptor.
#[derive(Debug)]
pub struct NetNs(File);

impl NetNs {
    /// That of the calling thread.
    pub fn current() -> io::Result<NetNs> {
        File::open("/proc/thread-self/ns/net").map(NetNs)
    }

    /// That of a process.
    pub fn of_process(pid: u32) -> io::Result<NetNs> {
        File::open(format!("/proc/{pid}/ns/net")).map(NetNs)
    }

    /// A new one, which lives as long as this value, its sockets and its processes.
    pub fn new() -> io::Result<NetNs> {
        on_thread(|| {
            unshare(libc::CLONE_NEWNET)?;
            NetNs::current()
        })
    }

    /// A new one with a name, as `ip netns add` makes it.
    pub fn create_named(name: &str) -> io::Result<NetNs> {
        let path = named(name)?;
        std::fs::create_dir_all(NAMED)?;
        drop(File::options().write(true).create_new(true).open(&path)?);
        let ns = NetNs::new().and_then(|ns| {
            bind_mount(&format!("/proc/self/fd/{}", ns.0.as_raw_fd()), &path)?;
            Ok(ns)
        });
        if ns.is_err() {
            let _ = std::fs::remove_file(&path);
        }
        ns
    }

    /// One that has a name.
    pub fn open_named(name: &str) -> io::Result<NetNs> {
        File::open(named(name)?).map(NetNs)
    }

    /// Takes a name away, as `ip netns del` does; the namespace goes with its last user.
    pub fn delete_named(name: &str) -> io::Result<()> {
        let path = named(name)?;
        let c = cstring(&path)?;
        // SAFETY: `c` lives through the call.
        unsafe { libc::umount2(c.as_ptr(), libc::MNT_DETACH) };
        std::fs::remove_file(path)
    }

    /// Runs `f` on a thread in this namespace and waits for it. Sockets and devices it makes are there.
    pub fn run<T: Send>(&self, f: impl FnOnce() -> T + Send) -> io::Result<T> {
        let fd = self.0.as_fd();
        on_thread(move || {
            enter(fd)?;
            Ok(f())
        })
    }

    /// Makes a command start in this namespace.
    pub fn adopt(&self, command: &mut Command) -> io::Result<()> {
        let ns = self.0.try_clone()?;
        // SAFETY: between fork and exec only setns(2) is called, on a descriptor that the closure owns.
        unsafe { command.pre_exec(move || enter(ns.as_fd())) };
        Ok(())
    }
}

impl AsFd for NetNs {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl From<OwnedFd> for NetNs {
    fn from(fd: OwnedFd) -> NetNs {
        NetNs(File::from(fd))
    }
}

/// Puts the calling thread into a new user namespace, where it is root, and a new network namespace: how a
/// user without privileges gets one. The process must have one thread. Mounts are private too.
pub fn become_root_in_new_namespaces() -> io::Result<()> {
    // SAFETY: no arguments, cannot fail.
    let (uid, gid) = unsafe { (libc::getuid(), libc::getgid()) };
    unshare(libc::CLONE_NEWUSER | libc::CLONE_NEWNET | libc::CLONE_NEWNS)?;
    // Not there on old kernels, where it is not needed either.
    let _ = std::fs::write("/proc/self/setgroups", "deny");
    std::fs::write("/proc/self/uid_map", format!("0 {uid} 1"))?;
    std::fs::write("/proc/self/gid_map", format!("0 {gid} 1"))
}

/// Puts the calling thread into a new network namespace.
pub fn unshare_net() -> io::Result<()> {
    unshare(libc::CLONE_NEWNET)
}

fn unshare(flags: i32) -> io::Result<()> {
    // SAFETY: integers only; no flag that would share less of memory than the thread expects.
    cvt(unsafe { libc::unshare(flags) }).map(|_| ())
}

fn enter(ns: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: a live descriptor; the kernel checks that it is a network namespace.
    cvt(unsafe { libc::setns(ns.as_raw_fd(), libc::CLONE_NEWNET) }).map(|_| ())
}

fn on_thread<T: Send>(f: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
    std::thread::scope(|s| {
        let t = std::thread::Builder::new().name("netns".into()).spawn_scoped(s, f)?;
        t.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

fn named(name: &str) -> io::Result<PathBuf> {
    if name.is_empty() || name.contains(['/', '\0']) || name.starts_with('.') {
        return Err(errno(libc::EINVAL));
    }
    Ok(Path::new(NAMED).join(name))
}

fn bind_mount(from: &str, to: &Path) -> io::Result<()> {
    let (from, to) = (cstring(from)?, cstring(to)?);
    // SAFETY: both strings live through the call; null type and data mean none.
    let r =
        unsafe { libc::mount(from.as_ptr(), to.as_ptr(), std::ptr::null(), libc::MS_BIND, std::ptr::null()) };
    cvt(r).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtnl::{Event, Monitor, Route};
    use std::net::IpAddr;

    /// A new namespace, or `None` with a line of why not.
    fn namespace() -> Option<NetNs> {
        NetNs::new().map_err(|e| println!("skipped: no network namespace ({e})")).ok()
    }

    #[test]
    fn veth_between_namespaces() {
        let (Some(a), Some(b)) = (namespace(), namespace()) else { return };
        let (mut ra, mut rb) = (a.run(Route::new).unwrap().unwrap(), b.run(Route::new).unwrap().unwrap());
        let mut mon = a.run(Monitor::all).unwrap().unwrap();
        ra.add_veth("left", "right", Some(b.as_fd())).unwrap();
        assert_eq!(ra.add_veth("left", "x", None).unwrap_err().raw_os_error(), Some(libc::EEXIST));
        let l = ra.link("left").unwrap();
        let r = rb.link("right").unwrap();
        assert_eq!((l.kind.as_deref(), l.mtu, l.hardware), (Some("veth"), 1500, 1));
        assert!(!l.is_up() && !l.carrier);
        let mac = base::Mac([2, 0, 0, 0, 0, 9]);
        ra.set_mac(l.index, mac).unwrap();
        ra.set_mtu(l.index, 1400).unwrap();
        ra.set_up(l.index, true).unwrap();
        rb.set_up(r.index, true).unwrap();
        let l = ra.link_by_index(l.index).unwrap();
        assert_eq!((l.mac, l.mtu, l.is_up(), l.carrier), (Some(mac), 1400, true, true));
        let v4: IpAddr = "10.9.0.1".parse().unwrap();
        let v6: IpAddr = "fd00:9::1".parse().unwrap();
        ra.add_address(l.index, v4, 24).unwrap();
        ra.add_address(l.index, v6, 64).unwrap();
        assert!(ra.add_address(l.index, v4, 33).is_err());
        let addrs = ra.addresses().unwrap();
        assert!(addrs.iter().any(|x| x.address == v4 && x.prefix == 24 && x.index == l.index));
        assert!(addrs.iter().any(|x| x.address == v6 && x.prefix == 64));
        ra.add_route(("10.10.0.0".parse().unwrap(), 16), Some("10.9.0.2".parse().unwrap()), None).unwrap();
        ra.add_route(("0.0.0.0".parse().unwrap(), 0), None, Some(l.index)).unwrap();
        let routes = ra.routes().unwrap();
        let via = routes.iter().find(|r| r.destination == Some("10.10.0.0".parse().unwrap())).unwrap();
        assert_eq!(via.hops[0].gateway, Some("10.9.0.2".parse().unwrap()));
        assert_eq!((via.hops[0].index, via.prefix, via.table), (Some(l.index), 16, 254));
        assert!(routes.iter().any(|r| r.destination.is_none() && r.prefix == 0));
        ra.add_neighbour(l.index, "10.9.0.7".parse().unwrap(), mac).unwrap();
        assert!(ra.neighbours().unwrap().iter().any(|n| n.mac == Some(mac)));
        match ra.add_vlan("left.10", l.index, 10) {
            Ok(()) => assert_eq!(ra.link("left.10").unwrap().link, Some(l.index)),
            Err(e) => println!("skipped: no VLAN devices ({e})"),
        }
        ra.set_up(l.index, false).unwrap();
        ra.rename(l.index, "renamed").unwrap();
        ra.move_to(l.index, b.as_fd()).unwrap();
        assert_eq!(ra.link("renamed").unwrap_err().raw_os_error(), Some(libc::ENODEV));
        assert_eq!(ra.link("a-name-that-is-too-long").unwrap_err().raw_os_error(), Some(libc::ENODEV));
        let moved = rb.link("renamed").unwrap();
        rb.del_link(moved.index).unwrap();
        assert!(rb.link("right").is_err());
        assert_eq!(rb.links().unwrap().len(), 1);
        let mut events = Vec::new();
        mon.poll(&mut events).unwrap();
        assert!(events.iter().any(|e| matches!(e, Event::Link(l) if l.name == "left" && l.carrier)));
        assert!(events.iter().any(|e| matches!(e, Event::Addr(x) if x.address == v4)));
        assert!(events.iter().any(|e| matches!(e, Event::Route(_))));
        assert!(events.iter().any(|e| matches!(e, Event::LinkGone(l) if l.name == "renamed")));
    }

    #[test]
    fn commands_start_inside() {
        let Some(ns) = namespace() else { return };
        let mut c = Command::new("cat");
        c.arg("/proc/net/dev");
        ns.adopt(&mut c).unwrap();
        let out = String::from_utf8(c.output().unwrap().stdout).unwrap();
        assert_eq!(out.lines().count(), 3, "only the loopback device: {out}");
    }
}
