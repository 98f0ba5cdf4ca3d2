//! Newtypes: no bare integer crosses a public boundary without saying what it counts.

use std::fmt;

/// An OpenFlow port number, 32 bits as in OpenFlow 1.1+. Reserved numbers are the 1.1+ ones
/// (`0xffff_ff00..`); the 16-bit form of OpenFlow 1.0 and NXM is made by [`OfPort::to_u16`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[repr(transparent)]
pub struct OfPort(pub u32);

impl OfPort {
    /// First reserved number of OpenFlow 1.1+; ordinary ports are below [`OfPort::MAX_ORDINARY`].
    pub const MAX: OfPort = OfPort(0xffff_ff00);
    /// Highest ordinary port number plus one (`OFPP_MAX` of OpenFlow 1.0).
    pub const MAX_ORDINARY: OfPort = OfPort(0xff00);
    /// Special value in OpenFlow 1.5 action sets: none given (`OFPP_UNSET`).
    pub const UNSET: OfPort = OfPort(0xffff_fff7);
    /// Send back out of the ingress port.
    pub const IN_PORT: OfPort = OfPort(0xffff_fff8);
    /// Submit to the first flow table (packet-out only).
    pub const TABLE: OfPort = OfPort(0xffff_fff9);
    /// Forward as a learning switch.
    pub const NORMAL: OfPort = OfPort(0xffff_fffa);
    /// Flood along the spanning tree.
    pub const FLOOD: OfPort = OfPort(0xffff_fffb);
    /// Every port but the ingress port.
    pub const ALL: OfPort = OfPort(0xffff_fffc);
    /// Send to the controller.
    pub const CONTROLLER: OfPort = OfPort(0xffff_fffd);
    /// The bridge's own device.
    pub const LOCAL: OfPort = OfPort(0xffff_fffe);
    /// Wildcard or absent (`OFPP_NONE` in 1.0, `OFPP_ANY` later).
    pub const NONE: OfPort = OfPort(0xffff_ffff);

    /// From the 16-bit form: reserved numbers `0xff00..` map to `0xffffff00..`.
    pub const fn from_u16(p: u16) -> OfPort {
        if p >= 0xff00 { OfPort(p as u32 | 0xffff_0000) } else { OfPort(p as u32) }
    }

    /// To the 16-bit form; `None` for a number that it cannot hold.
    pub const fn to_u16(self) -> Option<u16> {
        if self.0 < 0xff00 || self.0 >= 0xffff_ff00 { Some(self.0 as u16) } else { None }
    }

    /// Whether this is one of the reserved numbers.
    pub const fn is_reserved(self) -> bool {
        self.0 >= 0xffff_ff00
    }
}

impl fmt::Debug for OfPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OfPort({:#x})", self.0)
    }
}

macro_rules! newtype {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
        #[repr(transparent)]
        pub struct $name(pub $inner);
    };
}

newtype!(
    /// OpenFlow transaction id.
    Xid(u32)
);
newtype!(
    /// OpenFlow flow cookie.
    Cookie(u64)
);
newtype!(
    /// Datapath port number, as in `in_port(1)` of datapath flow text. `DpPort::NONE` prints as absent.
    DpPort(u32)
);
newtype!(
    /// OpenFlow flow table number.
    TableId(u8)
);
newtype!(
    /// OpenFlow group number.
    GroupId(u32)
);
newtype!(
    /// OpenFlow meter number.
    MeterId(u32)
);
newtype!(
    /// Datapath id of an OpenFlow switch.
    Dpid(u64)
);
newtype!(
    /// 12-bit VLAN identifier.
    VlanId(u16)
);

impl DpPort {
    /// No port.
    pub const NONE: DpPort = DpPort(u32::MAX);
}

impl TableId {
    /// All tables (delete, statistics) or "switch chooses" (OpenFlow 1.0 add).
    pub const ALL: TableId = TableId(0xff);
    /// The switch's own hidden table.
    pub const INTERNAL: TableId = TableId(254);
}

impl GroupId {
    /// Highest ordinary group.
    pub const MAX: GroupId = GroupId(0xffff_ff00);
    /// All groups.
    pub const ALL: GroupId = GroupId(0xffff_fffc);
    /// Wildcard for "any group".
    pub const ANY: GroupId = GroupId(0xffff_ffff);
}

/// An Ethernet address.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[repr(transparent)]
pub struct Mac(pub [u8; 6]);

impl Mac {
    /// `ff:ff:ff:ff:ff:ff`
    pub const BROADCAST: Mac = Mac([0xff; 6]);
    /// All zeros.
    pub const ZERO: Mac = Mac([0; 6]);

    /// Group bit set (broadcast included).
    pub const fn is_multicast(self) -> bool {
        self.0[0] & 1 != 0
    }

    /// Parses `xx:xx:xx:xx:xx:xx` (one or two hex digits each).
    pub fn parse(s: &str) -> Option<Mac> {
        let mut out = [0; 6];
        let mut n = 0;
        for part in s.split(':') {
            if n == 6 || part.is_empty() || part.len() > 2 || !part.bytes().all(|b| b.is_ascii_hexdigit()) {
                return None;
            }
            out[n] = u8::from_str_radix(part, 16).ok()?;
            n += 1;
        }
        (n == 6).then_some(Mac(out))
    }

    /// The address as a 48-bit number.
    pub const fn to_u64(self) -> u64 {
        let [a, b, c, d, e, f] = self.0;
        u64::from_be_bytes([0, 0, a, b, c, d, e, f])
    }

    /// From the low 48 bits of `n`.
    pub const fn from_u64(n: u64) -> Mac {
        let [_, _, a, b, c, d, e, f] = n.to_be_bytes();
        Mac([a, b, c, d, e, f])
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl fmt::Debug for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_port_16_bit_form() {
        assert_eq!(OfPort::from_u16(0xfffe), OfPort::LOCAL);
        assert_eq!(OfPort::LOCAL.to_u16(), Some(0xfffe));
        assert_eq!(OfPort(0xff00).to_u16(), None);
        assert_eq!(OfPort(7).to_u16(), Some(7));
    }

    #[test]
    fn mac_text() {
        assert_eq!(Mac::parse("00:1e:0b:ea:fb:7e").unwrap().to_string(), "00:1e:0b:ea:fb:7e");
        assert_eq!(Mac::parse("00:1e:0b:ea:fb"), None);
        assert_eq!(Mac::parse("00:1e:0b:ea:fb:7ee"), None);
        assert_eq!(Mac::from_u64(Mac::BROADCAST.to_u64()), Mac::BROADCAST);
    }
}
