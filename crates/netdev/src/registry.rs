//! Opening devices by name and type.

use crate::dummy::{Dummies, DummyDev};
use crate::kernel::Kernel;
use crate::pair;
use crate::patch::PatchDev;
use crate::system::SystemDev;
use crate::tap::TapDev;
use base::{Clock, Logger};
use dpif::netdev::{DevError, Netdev};
use std::sync::{Arc, OnceLock};

/// What `--enable-dummy` makes of the device types.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum DummyMode {
    /// No dummy devices.
    #[default]
    Off,
    /// The `dummy` types exist (`--enable-dummy`).
    On,
    /// They do, and every other type but `patch` is a dummy too (`--enable-dummy=override`).
    Override,
    /// They do, and `system` is a dummy (`--enable-dummy=system`).
    System,
}

impl DummyMode {
    /// From the option's argument: none, `override` or `system`.
    pub fn parse(arg: Option<&str>) -> Option<DummyMode> {
        match arg {
            None | Some("") => Some(DummyMode::On),
            Some("override") => Some(DummyMode::Override),
            Some("system") => Some(DummyMode::System),
            Some(_) => None,
        }
    }
}

/// The dummy types, as the database names them.
const DUMMY: [&str; 3] = ["dummy", "dummy-internal", "dummy-pmd"];
/// The other types that can be opened.
const REAL: [&str; 4] = ["internal", "patch", "system", "tap"];
/// `EAFNOSUPPORT`: what an unknown type is told as.
const EAFNOSUPPORT: i32 = 97;

/// Opens devices, and knows the dummies by name. Clones share both.
#[derive(Clone, Debug)]
pub struct Registry {
    mode: DummyMode,
    dummies: Dummies,
    /// Made with the first device of the kernel, in that thread's network namespace.
    kernel: Arc<OnceLock<Arc<Kernel>>>,
}

impl Registry {
    /// A registry without open devices. The clock stamps captures; the logger is told of captures that cannot be
    /// opened.
    pub fn new(mode: DummyMode, clock: Clock, log: Logger) -> Registry {
        Registry { mode, dummies: Dummies::new(clock, log), kernel: Arc::default() }
    }

    /// What `--enable-dummy` said.
    pub fn dummy_mode(&self) -> DummyMode {
        self.mode
    }

    /// The dummy devices, for the `netdev-dummy/*` commands.
    pub fn dummies(&self) -> &Dummies {
        &self.dummies
    }

    /// Types that can be opened, sorted, for the database's `iface_types`.
    pub fn types(&self) -> Vec<&'static str> {
        let mut t = REAL.to_vec();
        if self.mode != DummyMode::Off {
            t.extend(DUMMY);
        }
        t.sort_unstable();
        t
    }

    /// The type a port's device is opened as in a datapath of type `datapath` (`netdev`, `system`, `dummy`):
    /// an empty type is `system`; an `internal` port is a TAP device, or a dummy where TAP devices are
    /// overridden. This is the type that `dpif/show` prints.
    pub fn port_type(&self, datapath: &str, kind: &str) -> Option<&'static str> {
        let kind = self.known(kind)?;
        if kind != "internal" {
            return Some(kind);
        }
        let dummy = datapath == "dummy" || self.mode == DummyMode::Override;
        Some(if dummy && self.mode != DummyMode::Off { "dummy-internal" } else { "tap" })
    }

    /// The canonical name of a type, if it can be opened.
    pub fn known(&self, kind: &str) -> Option<&'static str> {
        let kind = if kind.is_empty() { "system" } else { kind };
        let dummies: &[&'static str] = if self.mode == DummyMode::Off { &[] } else { &DUMMY };
        REAL.iter().chain(dummies).copied().find(|k| *k == kind)
    }

    /// Opens a device. `kind` is the database's type; empty means `system`. Devices of the types `internal`
    /// and `tap` are created; a `system` device must exist (else `ENODEV`).
    pub fn open(&self, name: &str, kind: &str) -> Result<Box<dyn Netdev>, DevError> {
        let Some(kind) = self.known(kind) else {
            return Err(DevError::new(EAFNOSUPPORT, sys::errno_text(EAFNOSUPPORT)));
        };
        let overridden = match self.mode {
            DummyMode::Override => kind != "patch",
            DummyMode::System => kind == "system",
            DummyMode::Off | DummyMode::On => false,
        };
        Ok(match kind {
            "patch" => Box::new(PatchDev::new(name)),
            _ if overridden || DUMMY.contains(&kind) => Box::new(DummyDev::open(&self.dummies, name, kind)?),
            "system" => Box::new(SystemDev::open(name, self.kernel()?)?),
            kind => {
                let kernel = self.kernel()?;
                let tap = TapDev::create(name, kind, Arc::clone(&kernel));
                return pair::tap_or_pair(tap, name, kind, kernel);
            }
        })
    }

    /// Whether a device of the kernel is its way to itself, where no switch belongs.
    pub fn is_loopback(&self, name: &str) -> bool {
        let link = self.kernel.get().and_then(|k| k.link(name).ok());
        link.is_some_and(|l| l.is_loopback())
    }

    fn kernel(&self) -> Result<Arc<Kernel>, DevError> {
        if let Some(k) = self.kernel.get() {
            return Ok(Arc::clone(k));
        }
        let new = Arc::new(Kernel::new()?);
        Ok(Arc::clone(self.kernel.get_or_init(|| new)))
    }

    /// Polls readable when devices of the kernel have changed: then [`Registry::poll`]. `None` as long as no such
    /// device is open.
    pub fn watch_fd(&self) -> Option<i32> {
        self.kernel.get().map(|k| k.watch_fd())
    }

    /// Takes in what the kernel tells of its devices.
    pub fn poll(&self) {
        if let Some(k) = self.kernel.get() {
            k.poll();
        }
    }

    /// A number that changes whenever a device of the kernel is found to have appeared, changed or gone, opened or
    /// not: then compare each device's own.
    pub fn change_seq(&self) -> u64 {
        self.kernel.get().map_or(0, |k| k.total_seq())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn registry(mode: DummyMode) -> Registry {
        Registry::new(mode, Clock::simulated(), Logger::none())
    }

    #[test]
    fn types_by_mode() {
        assert_eq!(registry(DummyMode::Off).types(), ["internal", "patch", "system", "tap"]);
        assert_eq!(
            registry(DummyMode::On).types(),
            ["dummy", "dummy-internal", "dummy-pmd", "internal", "patch", "system", "tap"]
        );
        let e = registry(DummyMode::Off).open("p9", "bogus").err().unwrap();
        // The reference: could not open network device p9 (Address family not supported by protocol)
        assert_eq!((e.errno, e.what.as_str()), (97, "Address family not supported by protocol"));
        assert_eq!(registry(DummyMode::Off).open("p9", "dummy").err().unwrap().errno, 97);
    }

    #[test]
    fn port_types() {
        // (mode, datapath, type, as dpif/show of the reference prints it)
        let table = [
            (DummyMode::Off, "netdev", "internal", Some("tap")),
            (DummyMode::Off, "netdev", "", Some("system")),
            (DummyMode::On, "dummy", "internal", Some("dummy-internal")),
            (DummyMode::On, "netdev", "internal", Some("tap")),
            (DummyMode::Override, "netdev", "internal", Some("dummy-internal")),
            (DummyMode::Override, "dummy", "", Some("system")),
            (DummyMode::Override, "dummy", "tap", Some("tap")),
            (DummyMode::Override, "dummy", "dummy-pmd", Some("dummy-pmd")),
            (DummyMode::Off, "netdev", "dummy", None),
        ];
        for (mode, dp, kind, want) in table {
            assert_eq!(registry(mode).port_type(dp, kind), want, "{mode:?} {dp} {kind}");
        }
    }

    #[test]
    fn override_makes_dummies() {
        let r = registry(DummyMode::Override);
        for (kind, shown) in [("", "system"), ("tap", "tap"), ("internal", "internal")] {
            let d = r.open(&format!("d-{kind}"), kind).unwrap();
            assert_eq!(d.kind(), shown);
            assert!(r.dummies().get(d.name()).is_some());
        }
        assert_eq!(r.open("pa", "patch").unwrap().kind(), "patch");
        assert!(r.dummies().get("pa").is_none());
        assert_eq!(registry(DummyMode::System).open("eth0", "").unwrap().kind(), "system");
    }
}
