//! Between the virtio-net header of the kernel's devices and a packet's offload state.

use sys::vnet::{self, VnetHdr};
use wire::offload::complete_checksum;
use wire::{Gso, GsoKind, Offload, Packet, sctp};

/// Takes down what a device said of a packet just read. `shift` as in [`from_vnet`]. The virtio-net header has no way
/// to hand on a CRC that is yet to be made, so SCTP's is made here.
pub(crate) fn received(p: &mut Packet, v: &VnetHdr, shift: u16) {
    p.offload = from_vnet(v, shift);
    if p.offload.csum.is_some_and(|(_, offset)| usize::from(offset) == sctp::CHECKSUM) {
        complete_checksum(p);
    }
}

/// What a device said. `shift` bytes have been put into the frame before the network header since (a VLAN tag).
fn from_vnet(v: &VnetHdr, shift: u16) -> Offload {
    let csum =
        (v.flags & vnet::F_NEEDS_CSUM != 0).then(|| (v.csum_start.saturating_add(shift), v.csum_offset));
    let kind = match v.gso_type & !vnet::GSO_ECN {
        vnet::GSO_TCPV4 => Some(GsoKind::Tcp4),
        vnet::GSO_TCPV6 => Some(GsoKind::Tcp6),
        vnet::GSO_UDP_L4 => Some(GsoKind::UdpL4),
        _ => None,
    };
    let gso = kind.map(|kind| Gso {
        kind,
        size: v.gso_size,
        hdr_len: v.hdr_len.saturating_add(shift),
        ecn: v.gso_type & vnet::GSO_ECN != 0,
    });
    Offload { csum, csum_valid: v.flags & vnet::F_DATA_VALID != 0, gso }
}

/// What a device is to do.
pub(crate) fn to_vnet(o: &Offload) -> VnetHdr {
    let mut v = VnetHdr::default();
    if let Some((start, offset)) = o.csum {
        v.flags = vnet::F_NEEDS_CSUM;
        (v.csum_start, v.csum_offset) = (start, offset);
    } else if o.csum_valid {
        v.flags = vnet::F_DATA_VALID;
    }
    if let Some(g) = &o.gso {
        v.gso_type = match g.kind {
            GsoKind::Tcp4 => vnet::GSO_TCPV4,
            GsoKind::Tcp6 => vnet::GSO_TCPV6,
            GsoKind::UdpL4 => vnet::GSO_UDP_L4,
        } | if g.ecn { vnet::GSO_ECN } else { 0 };
        (v.gso_size, v.hdr_len) = (g.size, g.hdr_len);
    }
    v
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways() {
        let gso = |kind, ecn| Some(Gso { kind, size: 1448, hdr_len: 66, ecn });
        for o in [
            Offload::default(),
            Offload { csum: Some((34, 16)), csum_valid: false, gso: None },
            Offload { csum: None, csum_valid: true, gso: None },
            Offload { csum: Some((34, 16)), csum_valid: false, gso: gso(GsoKind::Tcp4, true) },
            Offload { csum: None, csum_valid: true, gso: gso(GsoKind::Tcp6, false) },
            Offload { csum: Some((54, 6)), csum_valid: false, gso: gso(GsoKind::UdpL4, false) },
        ] {
            assert_eq!(from_vnet(&to_vnet(&o), 0), o);
            assert_eq!(from_vnet(&VnetHdr::parse(&to_vnet(&o).emit()), 0), o);
        }
        let shifted = from_vnet(&to_vnet(&Offload { csum: Some((34, 16)), csum_valid: false, gso: None }), 4);
        assert_eq!(shifted.csum, Some((38, 16)));
    }
}
