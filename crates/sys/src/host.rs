//! What the machine and its processes use: memory, load, file systems, daemons. Read from `/proc` and the file systems.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::fs;
use std::mem::MaybeUninit;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Memory in kilobytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Memory {
    /// All of it.
    pub total: u64,
    /// Not free.
    pub used: u64,
    /// Of that, caches.
    pub cache: u64,
    /// Swap space.
    pub swap_total: u64,
    /// Of that, used.
    pub swap_used: u64,
}

/// A file system.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FileSystem {
    /// Where it is mounted.
    pub mount_point: String,
    /// Size in kilobytes.
    pub total: u64,
    /// Kilobytes in use.
    pub used: u64,
}

/// A process.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Process {
    /// Virtual memory in kilobytes.
    pub virtual_size: u64,
    /// Resident memory in kilobytes.
    pub resident: u64,
    /// Processor time used.
    pub cpu: Duration,
    /// Since when it runs.
    pub running: Duration,
    /// The processor that it last ran on.
    pub processor: u32,
}

fn proc(path: &str) -> Option<String> {
    fs::read_to_string(Path::new("/proc").join(path)).ok()
}

/// Averages of the load over 1, 5 and 15 minutes, as the kernel prints them.
pub fn load_average() -> Option<[String; 3]> {
    let text = proc("loadavg")?;
    let mut words = text.split_whitespace().map(String::from);
    Some([words.next()?, words.next()?, words.next()?])
}

/// The machine's memory.
pub fn memory() -> Option<Memory> {
    parse_memory(&proc("meminfo")?)
}

fn parse_memory(text: &str) -> Option<Memory> {
    let values: BTreeMap<&str, u64> = text
        .lines()
        .filter_map(|l| {
            let (name, rest) = l.split_once(':')?;
            Some((name, rest.split_whitespace().next()?.parse().ok()?))
        })
        .collect();
    let get = |name| values.get(name).copied();
    let (total, free) = (get("MemTotal")?, get("MemFree")?);
    let (swap_total, swap_free) = (get("SwapTotal").unwrap_or(0), get("SwapFree").unwrap_or(0));
    Some(Memory {
        total,
        used: total.saturating_sub(free),
        cache: get("Buffers").unwrap_or(0) + get("Cached").unwrap_or(0),
        swap_total,
        swap_used: swap_total.saturating_sub(swap_free),
    })
}

/// Local file systems that can be written to.
pub fn file_systems() -> Vec<FileSystem> {
    let (Some(mounts), Some(kinds)) = (proc("mounts"), proc("filesystems")) else { return Vec::new() };
    local_mounts(&mounts, &kinds).into_iter().filter_map(|m| usage(&m)).collect()
}

/// Mount points that have a device behind them and are not read-only.
fn local_mounts(mounts: &str, kinds: &str) -> Vec<String> {
    let without_device: Vec<&str> = kinds.lines().filter_map(|l| l.strip_prefix("nodev\t")).collect();
    mounts
        .lines()
        .filter_map(|l| {
            let mut words = l.split(' ');
            let (_, point, kind, options) = (words.next()?, words.next()?, words.next()?, words.next()?);
            let local = !without_device.contains(&kind) && !kind.starts_with("fuse");
            let writable = options.split(',').any(|o| o == "rw");
            (local && writable).then(|| unescape(point))
        })
        .collect()
}

/// Blanks and the like are `\040` in the kernel's table.
fn unescape(text: &str) -> String {
    let mut out = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&b, more)) = rest.split_first() {
        let code = (b == b'\\').then(|| more.get(..3)).flatten();
        let code = code.and_then(|d| std::str::from_utf8(d).ok()).and_then(|d| u8::from_str_radix(d, 8).ok());
        match code {
            Some(c) => {
                out.push(c);
                rest = &more[3..];
            }
            None => {
                out.push(b);
                rest = more;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn usage(mount_point: &str) -> Option<FileSystem> {
    let path = CString::new(mount_point).ok()?;
    let mut vfs = MaybeUninit::<libc::statvfs>::uninit();
    // SAFETY: the path is a C string, and the buffer has the size that the call fills.
    let status = unsafe { libc::statvfs(path.as_ptr(), vfs.as_mut_ptr()) };
    if status != 0 {
        return None;
    }
    // SAFETY: the call succeeded, so it filled the buffer.
    let vfs = unsafe { vfs.assume_init() };
    let kilobytes = |blocks: u64| (u128::from(blocks) * u128::from(vfs.f_frsize) / 1024) as u64;
    Some(FileSystem {
        mount_point: mount_point.to_string(),
        total: kilobytes(vfs.f_blocks),
        used: kilobytes(vfs.f_blocks.saturating_sub(vfs.f_bfree)),
    })
}

/// A process by its id.
pub fn process(pid: i32) -> Option<Process> {
    let uptime: f64 = proc("uptime")?.split_whitespace().next()?.parse().ok()?;
    parse_process(&proc(&format!("{pid}/stat"))?, uptime, ticks_per_second(), page_kilobytes())
}

/// Fields are counted from the one after the name in parentheses: 0 is the state.
fn parse_process(stat: &str, uptime: f64, ticks: u64, page: u64) -> Option<Process> {
    let (_, rest) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let number = |n: usize| fields.get(n)?.parse::<u64>().ok();
    let ticks = ticks.max(1);
    let started = number(19)? as f64 / ticks as f64;
    Some(Process {
        virtual_size: number(20)? / 1024,
        resident: number(21)? * page,
        cpu: Duration::from_millis((number(11)? + number(12)?) * 1000 / ticks),
        running: Duration::try_from_secs_f64(uptime - started).unwrap_or_default(),
        processor: number(36).unwrap_or(0) as u32,
    })
}

fn ticks_per_second() -> u64 {
    // SAFETY: only asks for a number.
    u64::try_from(unsafe { libc::sysconf(libc::_SC_CLK_TCK) }).unwrap_or(100)
}

fn page_kilobytes() -> u64 {
    // SAFETY: only asks for a number.
    u64::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap_or(4096) / 1024
}

/// The daemons whose pidfiles are in a directory, by the pidfile's name without `.pid`. A pidfile of the present
/// process is not opened, which would give up its lock: it is known by being open already.
pub fn daemons(directory: &Path) -> BTreeMap<String, i32> {
    let own: Vec<PathBuf> = fs::read_dir("/proc/self/fd")
        .map(|d| d.flatten().filter_map(|e| fs::read_link(e.path()).ok()).collect())
        .unwrap_or_default();
    let Ok(entries) = fs::read_dir(directory) else { return BTreeMap::new() };
    let found = entries.flatten().filter_map(|e| {
        let path = e.path();
        let name = e.file_name().into_string().ok()?.strip_suffix(".pid")?.to_string();
        let real = fs::canonicalize(&path).ok()?;
        let pid =
            if own.contains(&real) { std::process::id() as i32 } else { crate::pidfile::read(&path).ok()? };
        Some((name, pid))
    });
    found.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_and_processes() {
        let text = "MemTotal:       24682416 kB\nMemFree:        14990772 kB\nMemAvailable:   23596940 kB\n\
                    Buffers:           48628 kB\nCached:          8557788 kB\nSwapTotal: 10 kB\nSwapFree: 4 kB\n";
        let m = parse_memory(text).unwrap();
        assert_eq!(
            (m.total, m.used, m.cache, m.swap_total, m.swap_used),
            (24_682_416, 9_691_644, 8_606_416, 10, 6)
        );
        assert_eq!(parse_memory("MemTotal: x\n"), None);
        let stat = "31659 (ovs (x) y) S 1 2 3 4 5 6 7 8 9 10 150 50 0 0 20 0 1 0 1000 169643008 1354 1 1 1 1 1 1 1 1 1 1 1 1 1 17 1 0 0";
        let p = parse_process(stat, 15.5, 100, 4).unwrap();
        assert_eq!((p.virtual_size, p.resident, p.processor), (165_667, 5416, 1));
        assert_eq!((p.cpu, p.running), (Duration::from_secs(2), Duration::from_millis(5500)));
        assert_eq!(parse_process("1 (x) S 1 2", 1.0, 100, 4), None);
        assert!(process(std::process::id() as i32).unwrap().resident > 0);
    }

    #[test]
    fn which_file_systems_count() {
        let kinds = "nodev\tproc\nnodev\ttmpfs\n\text4\n\txfs\n";
        let mounts = "proc /proc proc rw 0 0\n/dev/vda / ext4 rw,relatime 0 0\n/dev/vdb /ro xfs ro 0 0\n\
                      /dev/vdc /a\\040b ext4 rw 0 0\ntmpfs /t tmpfs rw 0 0\nbroken\n";
        assert_eq!(local_mounts(mounts, kinds), ["/", "/a b"]);
        assert_eq!(unescape("a\\04"), "a\\04");
        assert!(usage("/").unwrap().total > 0);
        assert_eq!(usage("/no/such/place"), None);
    }
}
