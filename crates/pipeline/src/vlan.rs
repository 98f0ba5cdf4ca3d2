//! How NORMAL sees VLANs. A frame on the wire has tags as its port wants them; inside the bridge it is in one VLAN, with
//! perhaps a customer's tag below. Each mode of a bundle is a translation in and one out.

use crate::bundle::{Bundle, PriorityTags, VlanMode};
use base::VlanId;
use flow::FlowKey;
use flow::key::{VLAN_PRESENT, eth_type};

/// A tag; all zero for none.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Tag {
    pub tpid: u16,
    pub vid: u16,
    /// Priority, in its place in a TCI.
    pub pcp: u16,
}

/// The tags of a frame, outermost first.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Tags(pub [Tag; 2]);

impl Tags {
    /// As they are on the wire.
    pub fn of(key: &FlowKey) -> Tags {
        let tag = |n| match key.vlan(n) {
            (tpid, tci) if tci & VLAN_PRESENT != 0 => Tag { tpid, vid: tci & 0xfff, pcp: tci & 0xe000 },
            _ => Tag::default(),
        };
        Tags([tag(0), tag(1)])
    }

    /// The VLAN, inside the bridge.
    pub fn vlan(&self) -> VlanId {
        VlanId(self.0[0].vid)
    }

    /// The customer's VLAN, inside the bridge.
    pub fn inner(&self) -> VlanId {
        VlanId(self.0[1].vid)
    }

    /// From the wire into the bridge.
    pub fn received(self, b: &Bundle) -> Tags {
        let [outer, inner] = self.0;
        let own = |pcp| Tag { tpid: outer.tpid, vid: b.vlan.0, pcp };
        match b.vlan_mode {
            VlanMode::Access => Tags([own(outer.pcp), Tag::default()]),
            VlanMode::Trunk => self,
            VlanMode::NativeTagged | VlanMode::NativeUntagged if outer.vid == 0 => {
                Tags([own(outer.pcp), inner])
            }
            VlanMode::NativeTagged | VlanMode::NativeUntagged => self,
            VlanMode::Dot1qTunnel => Tags([Tag { tpid: b.qinq_ethertype, vid: b.vlan.0, pcp: 0 }, outer]),
        }
    }

    /// From the bridge to the wire.
    pub fn sent(self, b: &Bundle) -> Tags {
        let [outer, inner] = self.0;
        let mut out = match b.vlan_mode {
            VlanMode::Access => Tags::default(),
            VlanMode::Trunk | VlanMode::NativeTagged => self,
            VlanMode::NativeUntagged if outer.vid != b.vlan.0 => self,
            VlanMode::NativeUntagged | VlanMode::Dot1qTunnel => Tags([inner, Tag::default()]),
        };
        let stripped = out != self;
        if stripped && out.0[0].vid == 0 && b.priority_tags != PriorityTags::Never {
            out.0[0].pcp = outer.pcp;
        }
        out
    }

    /// Writes the tags into a flow.
    pub fn put(self, key: &mut FlowKey, b: &Bundle) {
        let keep_empty = b.priority_tags == PriorityTags::Always;
        let mut n = 0;
        for tag in self.0 {
            let tci = tag.vid | tag.pcp;
            if tci != 0 || (keep_empty && tag.tpid != 0) {
                let tpid = if tag.tpid == 0 { eth_type::VLAN } else { tag.tpid };
                key.set_vlan(n, tpid, tci | VLAN_PRESENT);
                n += 1;
            }
        }
        for n in n..2 {
            key.set_vlan(n, 0, 0);
        }
    }
}

/// Why a frame with outer VLAN `vid` may not come in by this bundle, in words.
pub(crate) fn refusal(b: &Bundle, vid: u16) -> Option<String> {
    let name = &b.name;
    match b.vlan_mode {
        VlanMode::Access if vid != 0 => Some(format!(
            "dropping VLAN {vid} tagged packet received on port {name} configured as VLAN {} access port",
            b.vlan.0
        )),
        VlanMode::Access => None,
        VlanMode::NativeTagged | VlanMode::NativeUntagged if vid == 0 => None,
        VlanMode::NativeTagged | VlanMode::NativeUntagged if vid == b.vlan.0 => None,
        VlanMode::Trunk | VlanMode::NativeTagged | VlanMode::NativeUntagged => {
            (!b.trunks_vlan(VlanId(vid))).then(|| {
                format!("dropping VLAN {vid} packet received on port {name} not configured for trunking VLAN {vid}")
            })
        }
        VlanMode::Dot1qTunnel => (!b.allows_cvlan(VlanId(vid))).then(|| {
            format!("dropping VLAN {vid} packet received on dot1q-tunnel port {name} that excludes this VLAN")
        }),
    }
}

/// Whether [`refusal`] has nothing to say.
pub(crate) fn admits(b: &Bundle, vid: u16) -> bool {
    match b.vlan_mode {
        VlanMode::Access => vid == 0,
        VlanMode::NativeTagged | VlanMode::NativeUntagged if vid == 0 || vid == b.vlan.0 => true,
        VlanMode::Trunk | VlanMode::NativeTagged | VlanMode::NativeUntagged => b.trunks_vlan(VlanId(vid)),
        VlanMode::Dot1qTunnel => b.allows_cvlan(VlanId(vid)),
    }
}
