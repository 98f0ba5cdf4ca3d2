//! OpenFlow versions and flow formats ("protocols").
//!
//! A connection negotiates one [`Version`]. Version 1.0 comes in four flavours, because Open vSwitch extended it
//! in two independent ways: its own flow-mod with extensible matches (NXM), and a table number squeezed into the
//! command field. A [`Protocol`] names one combination; a [`ProtocolSet`] says which are allowed or usable.

use std::fmt;

/// A version of the OpenFlow protocol, as on the wire.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum Version {
    /// OpenFlow 1.0.
    V10 = 1,
    /// OpenFlow 1.1.
    V11 = 2,
    /// OpenFlow 1.2.
    V12 = 3,
    /// OpenFlow 1.3.
    V13 = 4,
    /// OpenFlow 1.4.
    V14 = 5,
    /// OpenFlow 1.5.
    V15 = 6,
}

impl Version {
    /// Every version, oldest first.
    pub const ALL: [Version; 6] =
        [Version::V10, Version::V11, Version::V12, Version::V13, Version::V14, Version::V15];

    /// From the number on the wire.
    pub const fn from_wire(n: u8) -> Option<Version> {
        Some(match n {
            1 => Version::V10,
            2 => Version::V11,
            3 => Version::V12,
            4 => Version::V13,
            5 => Version::V14,
            6 => Version::V15,
            _ => return None,
        })
    }

    /// The number on the wire.
    pub const fn wire(self) -> u8 {
        self as u8
    }

    /// The name used by options and the database: `OpenFlow13`.
    pub const fn name(self) -> &'static str {
        match self {
            Version::V10 => "OpenFlow10",
            Version::V11 => "OpenFlow11",
            Version::V12 => "OpenFlow12",
            Version::V13 => "OpenFlow13",
            Version::V14 => "OpenFlow14",
            Version::V15 => "OpenFlow15",
        }
    }

    /// From a name: `OpenFlow13`, or `OpenFlow1.3`; letter case does not matter.
    pub fn from_name(s: &str) -> Option<Version> {
        Version::ALL.into_iter().find(|v| s.eq_ignore_ascii_case(v.name()))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A set of versions; bit `n` stands for wire version `n`, as in the hello message's bitmap.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct VersionSet(pub u32);

impl VersionSet {
    /// None.
    pub const EMPTY: VersionSet = VersionSet(0);
    /// All that exist.
    pub const ALL: VersionSet = VersionSet(0x7e);

    /// Just `v`.
    pub const fn only(v: Version) -> VersionSet {
        VersionSet(1 << v as u32)
    }

    /// `self` and `v`.
    pub const fn with(self, v: Version) -> VersionSet {
        VersionSet(self.0 | 1 << v as u32)
    }

    /// Whether `v` is in the set.
    pub const fn contains(self, v: Version) -> bool {
        self.0 & (1 << v as u32) != 0
    }

    /// Whether the set is empty.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// What both have.
    pub const fn intersection(self, o: VersionSet) -> VersionSet {
        VersionSet(self.0 & o.0)
    }

    /// The highest member.
    pub fn highest(self) -> Option<Version> {
        Version::ALL.into_iter().rev().find(|v| self.contains(*v))
    }

    /// The members, oldest first.
    pub fn iter(self) -> impl Iterator<Item = Version> {
        Version::ALL.into_iter().filter(move |v| self.contains(*v))
    }
}

/// A version together with the way that flows are encoded.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum Protocol {
    /// OpenFlow 1.0, standard matches.
    Of10 = 0,
    /// The same, with table numbers in flow-mods.
    Of10Tid = 1,
    /// OpenFlow 1.0 with extensible matches.
    Nxm = 2,
    /// The same, with table numbers in flow-mods.
    NxmTid = 3,
    /// OpenFlow 1.1.
    Of11 = 4,
    /// OpenFlow 1.2.
    Of12 = 5,
    /// OpenFlow 1.3.
    Of13 = 6,
    /// OpenFlow 1.4.
    Of14 = 7,
    /// OpenFlow 1.5.
    Of15 = 8,
}

impl Protocol {
    /// Every protocol, in order of preference for encoding: most widely understood first.
    pub const ALL: [Protocol; 9] = [
        Protocol::Of10,
        Protocol::Of10Tid,
        Protocol::Nxm,
        Protocol::NxmTid,
        Protocol::Of11,
        Protocol::Of12,
        Protocol::Of13,
        Protocol::Of14,
        Protocol::Of15,
    ];

    /// The version that the protocol is a form of.
    pub const fn version(self) -> Version {
        match self {
            Protocol::Of10 | Protocol::Of10Tid | Protocol::Nxm | Protocol::NxmTid => Version::V10,
            Protocol::Of11 => Version::V11,
            Protocol::Of12 => Version::V12,
            Protocol::Of13 => Version::V13,
            Protocol::Of14 => Version::V14,
            Protocol::Of15 => Version::V15,
        }
    }

    /// What a fresh connection of `version` speaks.
    pub const fn initial(version: Version) -> Protocol {
        match version {
            Version::V10 => Protocol::Of10,
            Version::V11 => Protocol::Of11,
            Version::V12 => Protocol::Of12,
            Version::V13 => Protocol::Of13,
            Version::V14 => Protocol::Of14,
            Version::V15 => Protocol::Of15,
        }
    }

    /// Whether flow-mods carry a table number.
    pub const fn has_table_id(self) -> bool {
        !matches!(self, Protocol::Of10 | Protocol::Nxm)
    }

    /// The same protocol with (or, in OpenFlow 1.0, without) table numbers in flow-mods.
    pub const fn with_table_id(self, enable: bool) -> Protocol {
        match (self, enable) {
            (Protocol::Of10 | Protocol::Of10Tid, true) => Protocol::Of10Tid,
            (Protocol::Of10 | Protocol::Of10Tid, false) => Protocol::Of10,
            (Protocol::Nxm | Protocol::NxmTid, true) => Protocol::NxmTid,
            (Protocol::Nxm | Protocol::NxmTid, false) => Protocol::Nxm,
            (p, _) => p,
        }
    }

    /// The same protocol with the table-number extension as it is, and NXM matches on or off (1.0 only).
    pub const fn with_nxm(self, enable: bool) -> Protocol {
        match (self, enable) {
            (Protocol::Of10 | Protocol::Nxm, true) => Protocol::Nxm,
            (Protocol::Of10 | Protocol::Nxm, false) => Protocol::Of10,
            (Protocol::Of10Tid | Protocol::NxmTid, true) => Protocol::NxmTid,
            (Protocol::Of10Tid | Protocol::NxmTid, false) => Protocol::Of10Tid,
            (p, _) => p,
        }
    }

    /// Whether matches are Nicira extensible matches over OpenFlow 1.0.
    pub const fn is_nxm(self) -> bool {
        matches!(self, Protocol::Nxm | Protocol::NxmTid)
    }

    /// As in `--flow-format`.
    pub const fn name(self) -> &'static str {
        match self {
            Protocol::Of10 => "OpenFlow10-table_id",
            Protocol::Of10Tid => "OpenFlow10+table_id",
            Protocol::Nxm => "NXM-table_id",
            Protocol::NxmTid => "NXM+table_id",
            Protocol::Of11 => "OpenFlow11",
            Protocol::Of12 => "OXM-OpenFlow12",
            Protocol::Of13 => "OXM-OpenFlow13",
            Protocol::Of14 => "OXM-OpenFlow14",
            Protocol::Of15 => "OXM-OpenFlow15",
        }
    }
}

/// A set of [`Protocol`]s: which are allowed, or which can express something.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct ProtocolSet(pub u16);

impl ProtocolSet {
    /// None.
    pub const EMPTY: ProtocolSet = ProtocolSet(0);
    /// Every one.
    pub const ANY: ProtocolSet = ProtocolSet(0x1ff);
    /// The standard matches of OpenFlow 1.0.
    pub const OF10_STD: ProtocolSet = ProtocolSet(0x003);
    /// NXM over OpenFlow 1.0.
    pub const NXM: ProtocolSet = ProtocolSet(0x00c);
    /// OpenFlow 1.0 in any form.
    pub const OF10: ProtocolSet = ProtocolSet(0x00f);
    /// OXM: 1.2 and later.
    pub const OXM: ProtocolSet = ProtocolSet(0x1e0);
    /// NXM or OXM.
    pub const NXM_OXM: ProtocolSet = ProtocolSet(0x1ec);
    /// 1.1 and later.
    pub const OF11_UP: ProtocolSet = ProtocolSet(0x1f0);
    /// 1.2 and later.
    pub const OF12_UP: ProtocolSet = ProtocolSet(0x1e0);
    /// 1.3 and later.
    pub const OF13_UP: ProtocolSet = ProtocolSet(0x1c0);
    /// 1.4 and later.
    pub const OF14_UP: ProtocolSet = ProtocolSet(0x180);
    /// 1.5 and later.
    pub const OF15_UP: ProtocolSet = ProtocolSet(0x100);
    /// Those whose flow-mods carry a table number.
    pub const TID: ProtocolSet = ProtocolSet(0x1fa);

    /// Just `p`.
    pub const fn only(p: Protocol) -> ProtocolSet {
        ProtocolSet(1 << p as u16)
    }

    /// Whether `p` is in the set.
    pub const fn contains(self, p: Protocol) -> bool {
        self.0 & (1 << p as u16) != 0
    }

    /// Whether the set is empty.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// What both have.
    pub const fn intersection(self, o: ProtocolSet) -> ProtocolSet {
        ProtocolSet(self.0 & o.0)
    }

    /// What either has.
    pub const fn union(self, o: ProtocolSet) -> ProtocolSet {
        ProtocolSet(self.0 | o.0)
    }

    /// The protocols of the given versions.
    pub fn of_versions(versions: VersionSet) -> ProtocolSet {
        let mut set = 0;
        for p in Protocol::ALL {
            if versions.contains(p.version()) {
                set |= 1 << p as u16;
            }
        }
        ProtocolSet(set)
    }

    /// The versions of the protocols.
    pub fn versions(self) -> VersionSet {
        self.iter().fold(VersionSet::EMPTY, |s, p| s.with(p.version()))
    }

    /// The members, in order of preference.
    pub fn iter(self) -> impl Iterator<Item = Protocol> {
        Protocol::ALL.into_iter().filter(move |p| self.contains(*p))
    }

    /// The most widely understood member.
    pub fn first(self) -> Option<Protocol> {
        self.iter().next()
    }
}

const ABBREVIATIONS: &[(&str, ProtocolSet)] = &[
    ("any", ProtocolSet::ANY),
    ("OpenFlow10", ProtocolSet::OF10_STD),
    ("NXM", ProtocolSet::NXM),
    ("OXM", ProtocolSet::OXM),
];

impl fmt::Display for ProtocolSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("none");
        }
        let mut left = *self;
        let mut sep = "";
        while !left.is_empty() {
            let (name, set) = ABBREVIATIONS
                .iter()
                .find(|(_, s)| left.intersection(*s) == *s)
                .map(|(n, s)| (*n, *s))
                .or_else(|| left.first().map(|p| (p.name(), ProtocolSet::only(p))))
                .unwrap_or(("none", left));
            write!(f, "{sep}{name}")?;
            sep = ",";
            left = ProtocolSet(left.0 & !set.0);
        }
        Ok(())
    }
}

impl ProtocolSet {
    /// Parses the value of `--flow-format`: names and abbreviations, separated by commas.
    pub fn parse(s: &str) -> Result<ProtocolSet, String> {
        let mut set = ProtocolSet::EMPTY;
        for word in s.split([',', ' ', '\t']).filter(|w| !w.is_empty()) {
            let one = Protocol::ALL
                .into_iter()
                .find(|p| p.name().eq_ignore_ascii_case(word))
                .map(ProtocolSet::only)
                .or_else(|| ABBREVIATIONS.iter().find(|(n, _)| n.eq_ignore_ascii_case(word)).map(|(_, s)| *s))
                .ok_or_else(|| format!("{word}: unknown flow protocol"))?;
            set = set.union(one);
        }
        if set.is_empty() { Err(format!("{s}: no flow protocol specified")) } else { Ok(set) }
    }
}
