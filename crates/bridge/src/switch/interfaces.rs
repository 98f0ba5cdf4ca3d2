//! Opening and closing interfaces.

use super::Switch;
use super::backer::DpPortInfo;
use super::bridge::{Failure, Interface, Seen};
use super::numbers::datapath_number;
use crate::config::InterfaceConfig;
use base::{DpPort, OfPort, error, info, warn};
use dpif::Datapath as _;
use dpif::netdev::{DevError, Netdev};
use netdev::registry::DummyMode;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Why an interface is not there, in the words of the database's `error` column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed(pub String);

const AF_UNSUPPORTED: i32 = 97;

impl Switch {
    /// Opens an interface and puts it on a bridge.
    pub(super) fn add_interface(&mut self, bridge: &str, port: &Arc<str>, config: &InterfaceConfig) {
        let name = config.name.clone();
        match self.try_add_interface(bridge, port, config) {
            Ok(of_port) => {
                let number = of_port.to_u16().unwrap_or(0);
                info!(self.env.log, "bridge", "bridge {bridge}: added interface {name} on port {number}");
                if let Some(b) = self.bridges.get_mut(bridge) {
                    b.failed.remove(&name);
                }
            }
            Err(Failed(text)) => {
                let mut error = text.clone();
                if self.is_reserved_name(&name) {
                    error.clear();
                }
                // What is wrong with options has been said by the device.
                if !text.starts_with(&format!("{name}: ")) {
                    warn!(self.env.log, "bridge", "{text}");
                }
                if let Some(b) = self.bridges.get_mut(bridge) {
                    b.failed.insert(name, Failure { port: port.clone(), error, untold: true });
                }
            }
        }
    }

    fn try_add_interface(
        &mut self,
        bridge: &str,
        port: &Arc<str>,
        config: &InterfaceConfig,
    ) -> Result<OfPort, Failed> {
        let name = &config.name;
        if self.is_reserved_name(name) {
            return Err(Failed(format!("could not create interface {name}, name is reserved")));
        }
        let kind = self.bridges.get(bridge).map(|b| b.kind.clone()).unwrap_or_default();
        let mut device = self.open_device(&kind, config).map_err(|e| {
            if e.errno == AF_UNSUPPORTED {
                warn!(
                    self.env.log,
                    "netdev", "could not create netdev {name} of unknown type {}", config.kind
                );
            }
            Failed(format!("could not open network device {name} ({})", e.what))
        })?;
        if let Err(text) = device.set_options(&config.options) {
            self.bad_options(name, &config.kind, &text);
            return Err(Failed(text));
        }
        let is_local = name == bridge;
        let asked: Vec<OfPort> = match is_local {
            true => vec![OfPort::LOCAL],
            false => config.ofport_request.into_iter().chain(config.ofport_before.0).collect(),
        };
        let Some(b) = self.bridges.get_mut(bridge) else {
            return Err(Failed(format!("no bridge {bridge}")));
        };
        let of_port = if is_local {
            OfPort::LOCAL
        } else {
            b.numbers.find(&asked).ok_or_else(|| {
                Failed(format!("could not add network device {name} to ofproto (No space left on device)"))
            })?
        };
        if is_local && let Ok(mac) = device.mac() {
            b.ether = mac;
        }
        let (dp_port, patch) = if config.kind == "patch" {
            (DpPort::NONE, Some(device))
        } else {
            (self.add_to_datapath(&kind, config, device)?, None)
        };
        let Some(b) = self.bridges.get_mut(bridge) else {
            return Err(Failed(format!("no bridge {bridge}")));
        };
        b.numbers.take(of_port, &asked);
        let interface = Interface {
            name: name.clone(),
            port: port.clone(),
            kind: config.kind.clone(),
            of_port,
            dp_port,
            patch,
            config: config.clone(),
            error: None,
            seen: Seen::default(),
            gone: false,
            fresh: true,
            untold: true,
        };
        b.interfaces.insert(name.clone(), interface);
        b.stale.ports.insert(port.clone());
        if let Some(backer) = self.backers.get_mut(&b.kind).filter(|_| dp_port != DpPort::NONE) {
            Arc::make_mut(&mut backer.map).insert(dp_port, b.id, of_port);
        }
        self.dirty = true;
        Ok(of_port)
    }

    /// A device's options were refused.
    pub(super) fn bad_options(&self, name: &str, kind: &str, text: &str) {
        if kind == "patch" {
            error!(self.env.log, "netdev_vport", "{text}");
        }
        warn!(self.env.log, "netdev", "{name}: could not set configuration (Invalid argument)");
    }

    /// Names that datapaths use themselves.
    fn is_reserved_name(&self, name: &str) -> bool {
        matches!(name, "ovs-netdev" | "ovs-system" | "ovs-dummy")
    }

    fn open_device(&self, datapath: &str, config: &InterfaceConfig) -> Result<Box<dyn Netdev>, DevError> {
        if config.kind == "internal" {
            let kind = self.env.registry.port_type(datapath, "internal").unwrap_or("internal");
            let kind = if kind == "tap" { "internal" } else { kind };
            return self.env.registry.open(&config.name, kind);
        }
        self.env.registry.open(&config.name, &config.kind)
    }

    fn add_to_datapath(
        &mut self,
        kind: &str,
        config: &InterfaceConfig,
        mut device: Box<dyn Netdev>,
    ) -> Result<DpPort, Failed> {
        let by_name = kind == "dummy" || self.env.registry.dummy_mode() == DummyMode::Override;
        let shown = self.env.registry.port_type(kind, &config.kind).unwrap_or("system");
        let name = &config.name;
        let Some(backer) = self.backers.get_mut(kind) else {
            return Err(Failed(format!("no datapath of type {kind}")));
        };
        if config.kind == "system" && self.env.registry.is_loopback(name) {
            let datapath = backer.name();
            error!(self.env.log, "dpif_netdev", "{name}: cannot add a loopback device");
            warn!(self.env.log, "dpif", "{datapath}: failed to add {name} as port: Invalid argument");
            return Err(Failed(format!("could not add network device {name} to ofproto (Invalid argument)")));
        }
        // Real devices keep the state that their owner gave them, as with Open vSwitch.
        if by_name && let Err(e) = device.set_admin_up(true) {
            return Err(Failed(format!("could not set up network device {name} ({})", e.what)));
        }
        let number = datapath_number(name, by_name, &backer.ports).ok_or_else(|| {
            Failed(format!("could not add network device {name} to ofproto (No space left on device)"))
        })?;
        backer
            .dp
            .add_port(number, device)
            .map_err(|e| Failed(format!("could not add network device {name} to ofproto ({e})")))?;
        backer
            .ports
            .insert(number.0, DpPortInfo { name: name.clone(), kind: shown, options: BTreeMap::new() });
        Ok(number)
    }

    /// Takes an interface off a bridge and closes it.
    pub(super) fn del_interface(&mut self, bridge: &str, name: &str) {
        let Some(b) = self.bridges.get_mut(bridge) else { return };
        b.failed.remove(name);
        let Some(interface) = b.interfaces.remove(name) else { return };
        b.ofproto.remove_port(interface.of_port);
        b.numbers.release(interface.of_port);
        b.stale.ports.insert(interface.port);
        b.stale.gone.push(interface.of_port);
        self.dirty = true;
        let number = interface.of_port.to_u16().unwrap_or(0);
        info!(self.env.log, "bridge", "bridge {bridge}: deleted interface {name} on port {number}");
        let Some(backer) = self.backers.get_mut(&b.kind) else { return };
        if interface.dp_port != DpPort::NONE {
            // The device closes when it is dropped here, after the engines have let go of its queues.
            let _ = backer.dp.del_port(interface.dp_port);
            backer.ports.remove(&interface.dp_port.0);
            Arc::make_mut(&mut backer.map).remove(interface.dp_port);
        } else {
            Arc::make_mut(&mut backer.counters).patches.remove(&(b.id, interface.of_port));
        }
    }
}
