//! TAP devices: interfaces of the host whose cable is in our hand.
//!
//! A device lives as long as its descriptors. One queue serves any number of sending threads (the kernel takes
//! each `write` as one frame); receiving threads need a queue each.

use crate::netns::NetNs;
use crate::util::{cvt, cvt_len, errno, own};
use crate::vnet::{self, VnetHdr};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

const TUN_F_CSUM: u32 = 1;
const TUN_F_TSO4: u32 = 2;
const TUN_F_TSO6: u32 = 4;
const TUN_F_TSO_ECN: u32 = 8;
const TUN_F_USO4: u32 = 0x20;
const TUN_F_USO6: u32 = 0x40;
/// `_IO('T', 227)`
const TUNGETDEVNETNS: u32 = 0x54e3;
/// Longest frame: 64 KiB of IP packet with Ethernet and VLAN headers, rounded up.
pub const MAX_FRAME: usize = 65536 + 64;

/// One queue of a TAP device.
#[derive(Debug)]
pub struct Tap {
    fd: OwnedFd,
    name: String,
}

impl Tap {
    /// Makes a device (or takes one that is there and free), down, in the present network namespace.
    pub fn create(name: &str) -> io::Result<Tap> {
        Tap::open(name)
    }

    /// One more queue of this device, for one more receiving thread.
    pub fn another_queue(&self) -> io::Result<Tap> {
        Tap::open(&self.name)
    }

    fn open(name: &str) -> io::Result<Tap> {
        let bytes = name.as_bytes();
        if bytes.is_empty() || bytes.len() >= libc::IFNAMSIZ || bytes.contains(&0) || bytes.contains(&b'/') {
            return Err(errno(libc::EINVAL));
        }
        let flags = libc::O_RDWR | libc::O_CLOEXEC | libc::O_NONBLOCK;
        // SAFETY: a constant path.
        let fd = own(unsafe { libc::open(c"/dev/net/tun".as_ptr(), flags) })?;
        // SAFETY: plain integers, for which zero is valid.
        let mut r: libc::ifreq = unsafe { std::mem::zeroed() };
        for (d, b) in r.ifr_name.iter_mut().zip(bytes) {
            *d = *b as libc::c_char;
        }
        let kind = libc::IFF_TAP | libc::IFF_NO_PI | libc::IFF_VNET_HDR | libc::IFF_MULTI_QUEUE;
        r.ifr_ifru.ifru_flags = kind as libc::c_short;
        // SAFETY: `r` lives through the call.
        cvt(unsafe { libc::ioctl(fd.as_raw_fd(), libc::TUNSETIFF as _, &raw mut r) })?;
        let size = vnet::LEN as libc::c_int;
        // SAFETY: `size` lives through the call.
        cvt(unsafe { libc::ioctl(fd.as_raw_fd(), libc::TUNSETVNETHDRSZ as _, &raw const size) })?;
        let t = Tap { fd, name: name.into() };
        t.set_offloads()?;
        Ok(t)
    }

    /// Allows the host's stack to leave checksums and segmentation to us; UDP segmentation where it is known.
    fn set_offloads(&self) -> io::Result<()> {
        let tcp = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN;
        self.offload(tcp | TUN_F_USO4 | TUN_F_USO6).or_else(|_| self.offload(tcp))
    }

    fn offload(&self, bits: u32) -> io::Result<()> {
        // SAFETY: integers only.
        cvt(unsafe { libc::ioctl(self.fd.as_raw_fd(), libc::TUNSETOFFLOAD as _, libc::c_ulong::from(bits)) })
            .map(|_| ())
    }

    /// The name that the device was made with.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The name that it has now: somebody may have changed it.
    pub fn present_name(&self) -> io::Result<String> {
        // SAFETY: plain integers, for which zero is valid.
        let mut r: libc::ifreq = unsafe { std::mem::zeroed() };
        // SAFETY: `r` lives through the call.
        cvt(unsafe { libc::ioctl(self.fd.as_raw_fd(), libc::TUNGETIFF as _, &raw mut r) })?;
        let name: Vec<u8> = r.ifr_name.iter().take_while(|&&c| c != 0).map(|&c| c as u8).collect();
        String::from_utf8(name).map_err(|_| errno(libc::EINVAL))
    }

    /// The network namespace that the device is in now: somebody may have moved it.
    pub fn netns(&self) -> io::Result<NetNs> {
        // SAFETY: no argument; returns a new descriptor.
        own(unsafe { libc::ioctl(self.fd.as_raw_fd(), libc::c_ulong::from(TUNGETDEVNETNS) as _) })
            .map(NetNs::from)
    }

    /// Reads a frame that the host sent, appending it; `None` when none waits. One longer than [`MAX_FRAME`] is cut.
    pub fn read(&self, out: &mut Vec<u8>) -> io::Result<Option<VnetHdr>> {
        let mut v = [0u8; vnet::LEN];
        out.reserve(MAX_FRAME);
        let room = out.spare_capacity_mut();
        let room_len = room.len();
        let iov = [
            libc::iovec { iov_base: v.as_mut_ptr().cast(), iov_len: v.len() },
            libc::iovec { iov_base: room.as_mut_ptr().cast(), iov_len: room.len() },
        ];
        // SAFETY: both buffers are writable for their lengths and live through the call.
        match cvt_len(unsafe { libc::readv(self.fd.as_raw_fd(), iov.as_ptr(), 2) }) {
            Ok(n) if n >= vnet::LEN => {
                let len = out.len() + (n - vnet::LEN).min(room_len);
                // SAFETY: the kernel wrote up to there, within the capacity.
                unsafe { out.set_len(len) };
                Ok(Some(VnetHdr::parse(&v)))
            }
            Ok(_) => Ok(None),
            Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// Gives the host a frame.
    pub fn write(&self, frame: &[u8], v: &VnetHdr) -> io::Result<()> {
        let v = v.emit();
        let iov = [
            libc::iovec { iov_base: v.as_ptr().cast_mut().cast(), iov_len: v.len() },
            libc::iovec { iov_base: frame.as_ptr().cast_mut().cast(), iov_len: frame.len() },
        ];
        // SAFETY: both buffers are readable for their lengths and live through the call.
        cvt_len(unsafe { libc::writev(self.fd.as_raw_fd(), iov.as_ptr(), 2) }).map(|_| ())
    }
}

impl AsFd for Tap {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
