//! Where the headers of a frame are.
//!
//! One walk finds what rewriting, checksums and segmentation need. It takes a frame as it is: a header that is cut
//! short or contradicts itself is not there, and neither is anything behind it.

use crate::checksum::{Sum, pseudo_ipv4, pseudo_ipv6};
use crate::error::{array, u16_at};
use crate::{arp, icmp, icmpv6, ipv4, ipv6, mpls, sctp, tcp, udp};

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
    /// Finds the headers of a frame that starts with an Ethernet header.
    pub fn find(frame: &[u8]) -> Headers {
        match mpls::type_offset(frame) {
            Some(at) => Headers::find_at(frame, at + 2, u16_at(frame, at)),
            None => Headers::default(),
        }
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

    /// Like [`Headers::find`], looking below a stack of MPLS labels as well: no label says what is there, the IP
    /// version does.
    pub fn find_below_labels(frame: &[u8]) -> Headers {
        let h = Headers::find(frame);
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
        if ip[0] >> 4 != 4 || header < ipv4::LEN || header > ip.len() {
            return;
        }
        self.l3 = L3::Ipv4;
        self.proto = ip[9];
        if u16_at(ip, 6) & ipv4::OFFSET == 0 {
            self.find_l4(ip, header);
        }
    }

    fn find_ipv6(&mut self, frame: &[u8]) {
        let Some(ip) = frame.get(self.l3_at..).filter(|ip| ip.len() >= ipv6::LEN && ip[0] >> 4 == 6) else {
            return;
        };
        self.l3 = L3::Ipv6;
        let Ok(upper) = ipv6::upper(ip) else { return };
        self.proto = upper.proto;
        self.routed = upper.routed;
        if !upper.later_fragment {
            self.find_l4(ip, upper.offset);
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

    /// The end of the IP packet: a frame may be padded behind it. A packet too large for its length field, which is
    /// then 0, goes to the end of the frame.
    pub fn ip_end(&self, frame: &[u8]) -> usize {
        let (fixed, len) = match self.l3 {
            L3::Ipv4 => (0, u16_at(frame, self.l3_at + 2)),
            L3::Ipv6 => (ipv6::LEN, u16_at(frame, self.l3_at + 4)),
            _ => (0, 0),
        };
        if len == 0 { frame.len() } else { frame.len().min(self.l3_at + fixed + usize::from(len)) }
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
