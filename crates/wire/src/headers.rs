//! Where the headers of a frame are.
//!
//! One walk finds what rewriting, checksums and segmentation need, by the rules by which a flow's key is made: a header
//! that is cut short or whose lengths contradict the frame is not there, and neither is anything behind it. Versions
//! are taken on trust, as the Ethernet type has said what it is.

use crate::checksum::{Sum, pseudo_ipv4, pseudo_ipv6};
use crate::error::{array, u16_at};
use crate::{arp, ethernet, icmp, icmpv6, ipv4, ipv6, mpls, sctp, tcp, udp, vlan};

/// Where things are. Offsets are within the frame as it was when this was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Headers {
    /// End of the Ethernet header and its tags: MPLS or layer 3 starts here. 0 if there is no Ethernet header.
    pub l2_end: usize,
    /// The type of what is at [`Headers::l2_end`].
    pub ethertype: u16,
    /// Layer 3, if it is one that is known and whole.
    pub l3: L3,
    /// Start of layer 3.
    pub l3_at: usize,
    /// IP protocol.
    pub proto: u8,
    /// Start of layer 4: absent in later fragments and where the header is not whole.
    pub l4_at: Option<usize>,
    /// IPv6 with a routing header that is not used up: the last destination, which checksums cover, is not the
    /// header's.
    pub routed: bool,
}

/// Kinds of layer 3 header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum L3 {
    /// None that is known.
    #[default]
    None,
    /// ARP or reverse ARP.
    Arp,
    /// IPv4.
    Ipv4,
    /// IPv6.
    Ipv6,
}

impl Headers {
    /// Finds the headers of a frame that starts with an Ethernet header and looks behind at most `tags` VLAN tags.
    pub fn find(frame: &[u8], tags: usize) -> Headers {
        if frame.len() < ethernet::LEN {
            return Headers::default();
        }
        let mut at = 12;
        for _ in 0..tags {
            if !vlan::is_tpid(u16_at(frame, at)) || frame.len() < at + vlan::LEN + 2 {
                break;
            }
            at += vlan::LEN;
        }
        let mut ethertype = u16_at(frame, at);
        at += 2;
        if ethertype < ethernet::MIN_TYPE
            && let Some(snap) = frame.get(at..at + 8)
            && snap[..6] == [0xaa, 0xaa, 0x03, 0, 0, 0]
        {
            // The subnetwork access protocol (IEEE 802 9.5) names a type after all.
            ethertype = u16_at(snap, 6);
            at += 8;
        }
        Headers::find_at(frame, at, ethertype)
    }

    /// Finds the headers behind a header that ended at `at` and named `ethertype` as what follows.
    pub fn find_at(frame: &[u8], at: usize, ethertype: u16) -> Headers {
        let mut h = Headers { l2_end: at, ethertype, l3_at: at, ..Headers::default() };
        match ethertype {
            ipv4::ETHERTYPE => h.find_ipv4(frame),
            ipv6::ETHERTYPE => h.find_ipv6(frame),
            arp::ETHERTYPE | arp::ETHERTYPE_RARP if frame.len() >= at + arp::LEN => h.l3 = L3::Arp,
            _ => {}
        }
        h
    }

    /// Like [`Headers::find`], looking behind all tags and below a stack of MPLS labels: no label says what is there, the IP
    /// version does.
    pub fn find_below_labels(frame: &[u8]) -> Headers {
        let h = Headers::find(frame, usize::MAX);
        if !h.is_mpls() {
            return h;
        }
        let mut at = h.l2_end;
        while let Some(entry) = frame.get(at..at + mpls::LEN) {
            at += mpls::LEN;
            if entry[2] & 1 != 0 {
                break;
            }
        }
        match frame.get(at).map(|b| b >> 4) {
            Some(4) => Headers::find_at(frame, at, ipv4::ETHERTYPE),
            Some(6) => Headers::find_at(frame, at, ipv6::ETHERTYPE),
            _ => h,
        }
    }

    /// Whether an MPLS stack starts at [`Headers::l2_end`].
    pub fn is_mpls(&self) -> bool {
        mpls::is_ethertype(self.ethertype)
    }

    fn find_ipv4(&mut self, frame: &[u8]) {
        let Some(ip) = frame.get(self.l3_at..).filter(|ip| ip.len() >= ipv4::LEN) else { return };
        let header = usize::from(ip[0] & 15) * 4;
        let end = length(u16_at(ip, 2), 0, ip);
        if header < ipv4::LEN || header > end || end > ip.len() {
            return;
        }
        self.l3 = L3::Ipv4;
        self.proto = ip[9];
        if u16_at(ip, 6) & ipv4::OFFSET == 0 {
            self.find_l4(&ip[..end], header);
        }
    }

    fn find_ipv6(&mut self, frame: &[u8]) {
        let Some(ip) = frame.get(self.l3_at..).filter(|ip| ip.len() >= ipv6::LEN) else { return };
        let end = length(u16_at(ip, 4), ipv6::LEN, ip);
        if end > ip.len() {
            return;
        }
        self.l3 = L3::Ipv6;
        let Ok(upper) = ipv6::upper(&ip[..end]) else { return };
        self.proto = upper.proto;
        self.routed = upper.routed;
        if !upper.later_fragment {
            self.find_l4(&ip[..end], upper.offset);
        }
    }

    fn find_l4(&mut self, ip: &[u8], at: usize) {
        let min = match self.proto {
            tcp::PROTO => tcp::LEN,
            udp::PROTO => udp::LEN,
            sctp::PROTO => sctp::LEN,
            icmp::PROTO => icmp::LEN,
            icmpv6::PROTO => icmpv6::LEN,
            _ => 0,
        };
        if ip.len() >= at + min {
            self.l4_at = Some(self.l3_at + at);
        }
    }

    /// The end of the IP packet: a frame may be padded behind it.
    pub fn ip_end(&self, frame: &[u8]) -> usize {
        let ip = &frame[self.l3_at.min(frame.len())..];
        self.l3_at
            + match self.l3 {
                L3::Ipv4 => length(u16_at(ip, 2), 0, ip),
                L3::Ipv6 => length(u16_at(ip, 4), ipv6::LEN, ip),
                _ => ip.len(),
            }
    }

    /// The sum of the pseudo header for `len` bytes of upper protocol.
    pub fn pseudo(&self, frame: &[u8], len: usize) -> Sum {
        let h = &frame[self.l3_at..];
        match self.l3 {
            L3::Ipv6 => pseudo_ipv6(array(h, 8), array(h, 24), self.proto, len as u32),
            _ => pseudo_ipv4(array(h, 12), array(h, 16), self.proto, len as u16),
        }
    }
}

/// The length of an IP packet that says it is `said` bytes behind the first `fixed`. One too large for its length field,
/// which is then 0, takes the rest of the frame.
fn length(said: u16, fixed: usize, ip: &[u8]) -> usize {
    if said == 0 && ip.len() > usize::from(u16::MAX) { ip.len() } else { fixed + usize::from(said) }
}
