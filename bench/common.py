"""What the measurements of switches share: packets, namespaces, switches to be measured, and the table of figures."""
import argparse
import atexit
import ctypes
import os
import random
import shutil
import signal
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time

SELF = os.path.abspath(sys.argv[0])
MAC0, MAC1 = bytes.fromhex("020000000001"), bytes.fromhex("020000000002")
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


def cpu_s(pid):
    """CPU time of all threads of a process, in seconds, exact to the nanosecond (its CPU clock)."""
    return time.clock_gettime(~pid << 3 | 2)


def checksum(b):
    s = sum(struct.unpack("!%dH" % (len(b) // 2), b))
    while s >> 16:
        s = (s & 0xFFFF) + (s >> 16)
    return ~s & 0xFFFF


def udp(flow, smac=MAC0, dmac=MAC1):
    """A UDP packet of 64 bytes on the wire (60 without the frame check sequence)."""
    src, dst, sport, dport = flow
    h = struct.pack("!BBHHHBBHII", 0x45, 0, 46, 0, 0x4000, 64, 17, 0, src, dst)
    h = h[:10] + struct.pack("!H", checksum(h)) + h[12:]
    return dmac + smac + b"\x08\x00" + h + struct.pack("!HHHH", sport, dport, 26, 0) + bytes(18)


def flows(n, seed=1):
    r = random.Random(seed)
    return [(0x0A000000 | r.getrandbits(24), 0xC0000000 | r.getrandbits(29),
             1024 + r.getrandbits(15), 1024 + r.getrandbits(15)) for _ in range(n)]


# ---- what runs inside a traffic namespace -------------------------------------------

class Sender:
    """AF_PACKET around the queueing discipline, all packets in one sendmmsg after another."""

    class Iovec(ctypes.Structure):
        _fields_ = [("base", ctypes.c_void_p), ("len", ctypes.c_size_t)]

    class Msghdr(ctypes.Structure):
        _fields_ = [("name", ctypes.c_void_p), ("namelen", ctypes.c_uint), ("iov", ctypes.c_void_p),
                    ("iovlen", ctypes.c_size_t), ("control", ctypes.c_void_p),
                    ("controllen", ctypes.c_size_t), ("flags", ctypes.c_int), ("len", ctypes.c_uint)]

    def __init__(self, dev, packets):
        self.sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        self.sock.bind((dev, 0))
        self.sock.setsockopt(263, 20, 1)        # SOL_PACKET, PACKET_QDISC_BYPASS
        n = self.n = len(packets)
        self.bufs = [ctypes.create_string_buffer(p, len(p)) for p in packets]
        self.iov = (self.Iovec * n)()
        self.msgs = (self.Msghdr * n)()
        for i, b in enumerate(self.bufs):
            self.iov[i].base, self.iov[i].len = ctypes.addressof(b), len(packets[i])
            self.msgs[i].iov, self.msgs[i].iovlen = ctypes.addressof(self.iov[i]), 1
        self.libc = ctypes.CDLL(None, use_errno=True)

    def round(self):
        done = 0
        while done < self.n:
            at = ctypes.byref(self.msgs, done * ctypes.sizeof(self.Msghdr))
            k = self.libc.sendmmsg(self.sock.fileno(), at, self.n - done, 0)
            done += max(k, 1)


def received(dev):
    with open("/sys/class/net/%s/statistics/rx_packets" % dev) as f:
        return int(f.read())


# ---- switches and namespaces --------------------------------------------------------

class Ns:
    def __init__(self, name):
        self.name = "oxb%d%s" % (os.getpid(), name)
        subprocess.run(["ip", "netns", "add", self.name], check=True)
        atexit.register(self.delete)
        self.run("sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1", "net.ipv6.conf.default.disable_ipv6=1")
        self.run("ip", "link", "set", "lo", "up")

    def cmd(self, *argv):
        return ["ip", "netns", "exec", self.name] + [str(a) for a in argv]

    def run(self, *argv):
        return subprocess.run(self.cmd(*argv), check=True, stdout=subprocess.PIPE, text=True).stdout

    def inner(self, *argv):
        return subprocess.Popen(self.cmd(*pin(0), sys.executable, SELF, "--inner", *argv),
                                stdout=subprocess.PIPE, text=True)

    def delete(self):
        if self.name:
            subprocess.run(["ip", "netns", "del", self.name], stderr=subprocess.DEVNULL)
            self.name = None


def pin(cpu):
    return ["taskset", "-c", str(cpu)] if (os.cpu_count() or 1) > 1 else []


class Switch:
    """ovsdb-server and ovs-vswitchd of one directory, in a namespace of their own."""

    def __init__(self, bindir, pinned=True):
        self.bin, self.pinned = os.path.abspath(bindir), pinned
        self.ns, self.dir, self.procs = Ns("s"), tempfile.mkdtemp(prefix="oxvs-bench."), []
        atexit.register(self.stop)
        self.env = dict(os.environ, LC_ALL="C", OVS_PKGDATADIR=self.bin, PATH=self.bin + ":" + os.environ["PATH"])
        for k in ("RUN", "DB", "LOG", "SYSCONF"):
            self.env["OVS_%sDIR" % k] = self.dir
        self.call("ovsdb-tool", "create", self.dir + "/conf.db", self.bin + "/vswitch.ovsschema")
        self.start()

    def call(self, tool, *argv):
        return subprocess.run(self.ns.cmd(os.path.join(self.bin, tool), *argv), env=self.env, check=True,
                              stdout=subprocess.PIPE, text=True).stdout

    def spawn(self, tool, *argv, prefix=()):
        log = open(os.path.join(self.dir, tool + ".out"), "a")
        p = subprocess.Popen(self.ns.cmd(*prefix, os.path.join(self.bin, tool), *argv, "--no-chdir",
                                         "-vconsole:off", "-vsyslog:off"),
                             env=self.env, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.procs.append(p)
        return p.pid

    def wait_for(self, path):
        end = time.monotonic() + 20
        while not os.path.exists(path):
            if time.monotonic() > end or any(p.poll() is not None for p in self.procs):
                sys.exit("%s: no %s" % (self.bin, path))
            time.sleep(0.002)

    def start(self):
        for name in ("db.sock", "ctl"):
            if os.path.exists(os.path.join(self.dir, name)):
                os.unlink(os.path.join(self.dir, name))
        self.spawn("ovsdb-server", self.dir + "/conf.db", "--remote=punix:%s/db.sock" % self.dir,
                   "--unixctl=%s/dbctl" % self.dir)
        self.wait_for(self.dir + "/db.sock")
        self.pid = self.spawn("ovs-vswitchd", "unix:%s/db.sock" % self.dir, "--unixctl=%s/ctl" % self.dir,
                              prefix=pin(1) if self.pinned else ())
        self.wait_for(self.dir + "/ctl")

    def vsctl(self, *argv):
        return self.call("ovs-vsctl", "--db=unix:%s/db.sock" % self.dir, *argv)

    def ofctl(self, *argv):
        return self.call("ovs-ofctl", "-vconsole:off", *argv)

    def flow_file(self, n):
        """A file with so many 5-tuple flows."""
        ip = lambda x: "%d.%d.%d.%d" % (x >> 24, x >> 16 & 255, x >> 8 & 255, x & 255)
        r = random.Random(11)
        name = os.path.join(self.dir, "flows")
        with open(name, "w") as f:
            for i in range(n):
                f.write("priority=10,udp,nw_src=%s,nw_dst=%s,tp_src=%d,tp_dst=%d,actions=output:2\n" % (
                    ip(0x0A000000 | i), ip(0xC0000000 | r.getrandbits(29)), r.getrandbits(16), r.getrandbits(16)))
        return name

    def rss(self):
        with open("/proc/%d/status" % self.pid) as f:
            return next(int(x.split()[1]) * 1024 for x in f if x.startswith("VmRSS"))

    def stop_daemons(self):
        for p in reversed(self.procs):
            p.terminate()
        for p in self.procs:
            p.wait(20)
        self.procs = []

    def stop(self):
        if self.dir:
            self.stop_daemons()
            shutil.rmtree(self.dir, True)
            self.ns.delete()
            self.dir = None


class Bed(Switch):
    """A switch with bridge br0, ports p0 and p1, and their veth peers g0 and g1 in one or two namespaces."""

    def __init__(self, bindir, two=False, mode="secure", pinned=True):
        super().__init__(bindir, pinned)
        self.t = Ns("t")
        self.u = Ns("u") if two else self.t
        for i, ns in ((0, self.t), (1, self.u)):
            p, g = "p%d" % i, "g%d" % i
            subprocess.run(["ip", "link", "add", p, "netns", self.ns.name, "type", "veth",
                            "peer", "name", g, "netns", ns.name], check=True)
            self.ns.run("ip", "link", "set", p, "up")
            ns.run("ip", "link", "set", g, "up")
        self.vsctl("add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=netdev", "fail_mode=" + mode)
        self.vsctl("add-port", "br0", "p0", "--", "add-port", "br0", "p1")
        self.ofctl("add-flow", "br0", "actions=NORMAL")

    def stop(self):
        if self.dir:
            super().stop()
            self.t.delete()
            self.u.delete()


# ---- figures ------------------------------------------------------------------------

def measure(cases, doc):
    """Runs the cases that are asked for, A and B in turn, and prints medians and ratios."""
    p = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--a", required=True)
    p.add_argument("--b")
    p.add_argument("--reps", type=int, default=3)
    p.add_argument("--only", default=",".join(cases))
    args = p.parse_args()
    found, better = {}, {}
    for case in args.only.split(","):
        for _ in range(args.reps):
            for side, bindir in (("A", args.a), ("B", args.b)):
                if not bindir:
                    continue

                def add(what, unit, value, more=False):
                    found.setdefault((what, unit), {"A": [], "B": []})[side].append(value)
                    better[what] = more
                    print("  %s %s: %.4g %s" % (side, what, value, unit), file=sys.stderr, flush=True)

                cases[case](add, bindir)
    rows = [("", "A", "B", "B/A", "spread A, B")]
    for (what, unit), v in found.items():
        mid = {s: statistics.median(v[s]) if v[s] else None for s in "AB"}
        cell = {s: "-" if mid[s] is None else "%.4g" % mid[s] for s in "AB"}
        ratio = "%.2f" % (mid["B"] / mid["A"]) if mid["A"] and mid["B"] is not None else "-"
        spread = ", ".join("%.0f%%" % (50 * (max(v[s]) - min(v[s])) / mid[s]) if mid[s] else "-" for s in "AB")
        rows.append(("%s (%s)%s" % (what, unit, ", more is better" if better[what] else ""),
                     cell["A"], cell["B"], ratio, "+-" + spread))
    width = [max(len(r[i]) for r in rows) for i in range(5)]
    for r in rows:
        print("  ".join(x.ljust(w) if i == 0 else x.rjust(w) for i, (x, w) in enumerate(zip(r, width))).rstrip())
