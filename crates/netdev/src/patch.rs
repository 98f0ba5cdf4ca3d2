//! Patch ports: one half of a cable between two bridges. Frames never reach a device; translation walks
//! straight on at the peer, so there are no queues here, only the name of the peer and an address.

use base::Mac;
use dpif::netdev::{DevError, Link, Netdev, NetdevStats, RxQueue, TxQueue};
use std::collections::BTreeMap;

/// One end of a patch cable.
#[derive(Debug)]
pub struct PatchDev {
    name: String,
    mac: Mac,
    peer: Option<String>,
    up: bool,
    seq: u64,
}

impl PatchDev {
    /// A patch port with a random address.
    pub fn new(name: &str) -> PatchDev {
        let mut mac = Mac::from_u64(sys::random_u64()).0;
        mac[0] = mac[0] & !1 | 2;
        PatchDev { name: name.into(), mac: Mac(mac), peer: None, up: true, seq: 1 }
    }

    /// Name of the other end.
    pub fn peer(&self) -> Option<&str> {
        self.peer.as_deref()
    }
}

impl Netdev for PatchDev {
    fn name(&self) -> &str {
        &self.name
    }
    fn kind(&self) -> &'static str {
        "patch"
    }
    fn rx_queues(&mut self) -> Result<Vec<Box<dyn RxQueue>>, DevError> {
        Ok(Vec::new())
    }
    fn tx_queue(&mut self) -> Result<Box<dyn TxQueue>, DevError> {
        Err(crate::not_supported("a patch port has no queues"))
    }
    fn mac(&self) -> Result<Mac, DevError> {
        Ok(self.mac)
    }
    fn set_mac(&mut self, mac: Mac) -> Result<(), DevError> {
        if mac != self.mac {
            self.mac = mac;
            self.seq += 1;
        }
        Ok(())
    }
    fn mtu(&self) -> Option<u32> {
        None
    }
    fn set_mtu(&mut self, _: u32) -> Result<(), DevError> {
        Err(crate::not_supported("a patch port has no MTU"))
    }
    fn link(&self) -> Link {
        Link { admin_up: self.up, carrier: true, ..Link::default() }
    }
    fn set_admin_up(&mut self, up: bool) -> Result<(), DevError> {
        self.seq += u64::from(up != self.up);
        self.up = up;
        Ok(())
    }
    fn stats(&self) -> NetdevStats {
        let zero = Some(0);
        NetdevStats {
            rx_packets: zero,
            tx_packets: zero,
            rx_bytes: zero,
            tx_bytes: zero,
            ..NetdevStats::default()
        }
    }
    fn ifindex(&self) -> Option<u32> {
        None
    }
    fn config(&self) -> Vec<(String, String)> {
        self.peer.iter().map(|p| ("peer".to_owned(), p.clone())).collect()
    }
    fn set_options(&mut self, options: &BTreeMap<String, String>) -> Result<(), String> {
        let name = &self.name;
        let peer = match options.get("peer") {
            None => return Err(format!("{name}: patch type requires valid 'peer' argument")),
            Some(p) if p == name => return Err(format!("{name}: patch peer must not be self")),
            Some(p) => p,
        };
        if options.len() != 1 {
            return Err(format!("{name}: patch type takes only the 'peer' argument"));
        }
        if self.peer.as_ref() != Some(peer) {
            self.peer = Some(peer.clone());
            self.seq += 1;
        }
        Ok(())
    }
    fn change_seq(&self) -> u64 {
        self.seq
    }
}
