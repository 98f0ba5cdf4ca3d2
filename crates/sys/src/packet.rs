//! AF_PACKET: frames from and to any device, over memory shared with the kernel.
//!
//! Receiving uses the ring's second version (TPACKET_V2), not the third. V3 hands over whole blocks, and a
//! block that is not full only after a timeout of at least a millisecond (a scheduler tick): a ping over two
//! ports would wait for four of them. V2 hands over each frame at once, at the same cost when they come in
//! bursts. Its price is a slot of fixed size per frame: slots hold an ordinary frame, and what is larger (64
//! KiB frames that are still to be segmented) the kernel queues beside the ring, to be fetched by one system
//! call each (`PACKET_COPY_THRESH`).
//!
//! Sending uses a V2 ring as well, one system call for all frames written; what does not fit in a slot goes by
//! `sendmsg`, in its turn. The virtio-net header's `hdr_len` is set to the whole frame, which makes the kernel
//! copy it into its buffer instead of mapping our page into it: pages would have to be copied anyway when the
//! frame crosses to another namespace, and their slots would stay taken until the last reader is done.
//!
//! ```text
//! slot, receiving:  tpacket2_hdr ... virtio-net header, frame (at tp_mac) ...
//! slot, sending:    tpacket2_hdr, virtio-net header, frame
//! ```

use crate::socket::{set_int, take_error};
use crate::util::{cvt, cvt_len, errno, own};
use crate::vnet::{self, VnetHdr};
use std::io;
use std::mem::{offset_of, size_of};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// Longest frame: 64 KiB of IP packet with Ethernet and VLAN headers, rounded up.
const MAX_FRAME: usize = 65536 + 64;
const BLOCK: usize = 64 * 1024;
/// `ETH_P_ALL` in network order.
const ALL_PROTOCOLS: u16 = (libc::ETH_P_ALL as u16).to_be();
const PACKET_IGNORE_OUTGOING: i32 = 23;
/// Where a sent frame's data begin in a slot.
const TX_DATA: usize = (size_of::<libc::tpacket2_hdr>()).next_multiple_of(16);

/// A raw packet socket on one device.
#[derive(Debug)]
pub struct PacketSocket {
    fd: OwnedFd,
    receives: bool,
}

impl PacketSocket {
    fn new(receives: bool) -> io::Result<PacketSocket> {
        // Protocol 0: nothing is received before the bind.
        // SAFETY: integers only.
        let r = unsafe {
            libc::socket(libc::AF_PACKET, libc::SOCK_RAW | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK, 0)
        };
        let s = PacketSocket { fd: own(r)?, receives };
        s.option(libc::PACKET_VERSION, libc::tpacket_versions::TPACKET_V2 as i32)?;
        s.option(libc::PACKET_VNET_HDR, 1)?;
        Ok(s)
    }

    fn option(&self, name: i32, value: i32) -> io::Result<()> {
        set_int(&self.fd, libc::SOL_PACKET, name, value)
    }

    /// Binds to a device, or to another one: how a queue comes back to life when its device was made anew.
    pub fn bind(&self, ifindex: u32) -> io::Result<()> {
        let index = i32::try_from(ifindex).map_err(|_| errno(libc::ENODEV))?;
        // SAFETY: plain integers, for which zero is valid.
        let mut a: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
        a.sll_family = libc::AF_PACKET as u16;
        a.sll_protocol = if self.receives { ALL_PROTOCOLS } else { 0 };
        a.sll_ifindex = index;
        let len = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
        // SAFETY: `a` lives through the call and has `len` bytes.
        cvt(unsafe { libc::bind(self.fd.as_raw_fd(), (&raw const a).cast(), len) })?;
        if self.receives {
            // Until the socket is closed or the device gone.
            let m = libc::packet_mreq {
                mr_ifindex: index,
                mr_type: libc::PACKET_MR_PROMISC as u16,
                mr_alen: 0,
                mr_address: [0; 8],
            };
            let len = size_of::<libc::packet_mreq>() as libc::socklen_t;
            // SAFETY: `m` lives through the call and has `len` bytes.
            let r = unsafe {
                libc::setsockopt(
                    self.fd.as_raw_fd(),
                    libc::SOL_PACKET,
                    libc::PACKET_ADD_MEMBERSHIP,
                    (&raw const m).cast(),
                    len,
                )
            };
            cvt(r)?;
        }
        Ok(())
    }

    fn ring(&self, option: i32, slot: usize, slots: usize) -> io::Result<Slots> {
        let per_block = (BLOCK / slot).max(1);
        let block = (per_block * slot).next_multiple_of(4096);
        let blocks = slots.div_ceil(per_block);
        let req = libc::tpacket_req {
            tp_block_size: block as u32,
            tp_block_nr: blocks as u32,
            tp_frame_size: slot as u32,
            tp_frame_nr: ((block / slot) * blocks) as u32,
        };
        let len = size_of::<libc::tpacket_req>() as libc::socklen_t;
        // SAFETY: `req` lives through the call and has `len` bytes.
        let r = unsafe {
            libc::setsockopt(self.fd.as_raw_fd(), libc::SOL_PACKET, option, (&raw const req).cast(), len)
        };
        cvt(r)?;
        let bytes = block * blocks;
        let prot = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: a fresh shared mapping of the ring just made, of exactly its size.
        let p = unsafe {
            libc::mmap(std::ptr::null_mut(), bytes, prot, libc::MAP_SHARED, self.fd.as_raw_fd(), 0)
        };
        if p == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let base = NonNull::new(p.cast()).ok_or_else(|| errno(libc::ENOMEM))?;
        Ok(Slots { base, bytes, slot, block, per_block: block / slot, count: (block / slot) * blocks })
    }
}

impl PacketSocket {
    /// Frames that found no room since the last call.
    pub fn take_drops(&self) -> u64 {
        let mut s = libc::tpacket_stats { tp_packets: 0, tp_drops: 0 };
        let mut len = size_of::<libc::tpacket_stats>() as libc::socklen_t;
        // SAFETY: `s` has room for `len` bytes.
        let r = unsafe {
            libc::getsockopt(
                self.fd.as_raw_fd(),
                libc::SOL_PACKET,
                libc::PACKET_STATISTICS,
                (&raw mut s).cast(),
                &mut len,
            )
        };
        if r == 0 { u64::from(s.tp_drops) } else { 0 }
    }

    /// Fetches a frame that the kernel queued beside the ring, appending it.
    fn fetch(&self, out: &mut Vec<u8>) -> Option<VnetHdr> {
        let mut vnet = [0u8; vnet::LEN];
        out.reserve(MAX_FRAME * 2);
        let room = out.spare_capacity_mut();
        let room = libc::iovec { iov_base: room.as_mut_ptr().cast(), iov_len: room.len() };
        let mut iov = [libc::iovec { iov_base: vnet.as_mut_ptr().cast(), iov_len: vnet.len() }, room];
        // SAFETY: plain integers and pointers, for which zero is valid.
        let mut m: libc::msghdr = unsafe { std::mem::zeroed() };
        m.msg_iov = iov.as_mut_ptr();
        m.msg_iovlen = 2;
        // SAFETY: both buffers are writable for their lengths and live through the call.
        let r = unsafe { libc::recvmsg(self.fd.as_raw_fd(), &mut m, libc::MSG_DONTWAIT) };
        let n = cvt_len(r).ok()?.checked_sub(vnet::LEN)?;
        if m.msg_flags & libc::MSG_TRUNC != 0 {
            return None;
        }
        let len = out.len() + n;
        // SAFETY: the kernel wrote `n` bytes (not more than fit, or the flag would be set) behind the length.
        unsafe { out.set_len(len) };
        Some(VnetHdr::parse(&vnet))
    }
}

impl AsFd for PacketSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// The memory of a ring.
#[derive(Debug)]
struct Slots {
    base: NonNull<u8>,
    bytes: usize,
    slot: usize,
    block: usize,
    per_block: usize,
    count: usize,
}

// SAFETY: the mapping belongs to this value alone (the kernel's side is synchronised by the status words) and
// is not bound to a thread.
unsafe impl Send for Slots {}

impl Slots {
    fn at(&self, i: usize) -> *mut u8 {
        debug_assert!(i < self.count);
        let offset = i / self.per_block * self.block + i % self.per_block * self.slot;
        // SAFETY: `i` is below `count` (both rings wrap their index), so the offset is inside the mapping.
        unsafe { self.base.as_ptr().add(offset) }
    }

    /// The word by which a slot changes hands.
    fn status(&self, i: usize) -> &AtomicU32 {
        // SAFETY: a slot begins with its header, whose first word is the status: aligned, inside the mapping,
        // which lives as long as `self`, and only ever accessed atomically on our side.
        unsafe { AtomicU32::from_ptr(self.at(i).cast()) }
    }

    fn next(&self, i: usize) -> usize {
        if i + 1 == self.count { 0 } else { i + 1 }
    }
}

impl Drop for Slots {
    fn drop(&mut self) {
        // SAFETY: the mapping that `ring` made; no reference into it outlives `self`.
        unsafe { libc::munmap(self.base.as_ptr().cast(), self.bytes) };
    }
}

/// A frame that has come, to be read once.
#[derive(Debug)]
pub struct RxFrame<'a> {
    /// The VLAN tag taken out by kernel or device: TPID and TCI.
    pub vlan: Option<(u16, u16)>,
    body: Body<'a>,
}

/// Where a frame's bytes are.
#[derive(Debug)]
enum Body<'a> {
    /// In the ring, after the virtio-net header.
    Slot(&'a [u8; vnet::LEN], &'a [u8]),
    /// The kernel queued it beside the ring.
    Queued(&'a PacketSocket),
}

impl RxFrame<'_> {
    /// Appends the bytes, from the Ethernet header on and without the VLAN tag that was taken out; gives checksum
    /// and segmentation. `None` if the frame is lost.
    pub fn read(self, out: &mut Vec<u8>) -> Option<VnetHdr> {
        match self.body {
            Body::Slot(vnet, data) => {
                out.extend_from_slice(data);
                Some(VnetHdr::parse(vnet))
            }
            Body::Queued(socket) => socket.fetch(out),
        }
    }
}

/// A receiving ring.
#[derive(Debug)]
pub struct RxRing {
    slots: Slots,
    socket: Arc<PacketSocket>,
    head: usize,
    empty: u32,
    truncated: u64,
}

impl RxRing {
    /// Calls that find nothing before the socket's error is looked at, whether anything speaks for one or not.
    const LOOK: u32 = 1024;

    /// Opens a ring of about `slots` frames on a device; frames up to `mtu` lie in it whole.
    pub fn open(ifindex: u32, mtu: u32, slots: usize) -> io::Result<RxRing> {
        let socket = PacketSocket::new(true)?;
        // Not there before Linux 4.20: then our own frames are seen twice, which forwarding cannot bear.
        socket.option(PACKET_IGNORE_OUTGOING, 1)?;
        socket.option(libc::PACKET_COPY_THRESH, 1)?;
        let _ = crate::socket::set_recv_buffer(&socket.fd, 16 << 20);
        let slot = (mtu as usize + 128).next_multiple_of(128).clamp(2048, 16384);
        let ring = socket.ring(libc::PACKET_RX_RING, slot, slots.max(16))?;
        socket.bind(ifindex)?;
        let socket = Arc::new(socket);
        Ok(RxRing { slots: ring, socket, head: 0, empty: 0, truncated: 0 })
    }

    /// The socket, to be polled or bound anew.
    pub fn socket(&self) -> &Arc<PacketSocket> {
        &self.socket
    }

    /// Frames lost because they were larger than a slot and the socket's buffer was full.
    pub fn truncated(&self) -> u64 {
        self.truncated
    }

    /// Hands the next frame to `f`, which reads it and gives nothing if it was lost; `None` when none waits. Never
    /// blocks.
    pub fn next<R>(&mut self, mut f: impl FnMut(RxFrame<'_>) -> Option<R>) -> Option<R> {
        loop {
            let status = self.slots.status(self.head).load(Ordering::Acquire);
            if status & libc::TP_STATUS_USER == 0 {
                self.nothing();
                return None;
            }
            self.empty = 0;
            let i = self.head;
            self.head = self.slots.next(i);
            let r = self.read(i, status, &mut f);
            self.slots.status(i).store(libc::TP_STATUS_KERNEL, Ordering::Release);
            if r.is_some() {
                return r;
            }
            self.truncated += 1;
        }
    }

    fn read<R>(&mut self, i: usize, status: u32, f: &mut impl FnMut(RxFrame<'_>) -> Option<R>) -> Option<R> {
        let p = self.slots.at(i);
        // SAFETY: the kernel gave the slot to us (status read with acquire) and does not write to it before
        // we give it back; the header is at its start, aligned.
        let h = unsafe { p.cast::<libc::tpacket2_hdr>().read() };
        let vlan = (status & libc::TP_STATUS_VLAN_VALID != 0).then(|| {
            let tpid = if status & libc::TP_STATUS_VLAN_TPID_VALID != 0 { h.tp_vlan_tpid } else { 0x8100 };
            (tpid, h.tp_vlan_tci)
        });
        if status & libc::TP_STATUS_COPY != 0 {
            return f(RxFrame { vlan, body: Body::Queued(&self.socket) });
        }
        let (mac, len) = (usize::from(h.tp_mac), h.tp_snaplen as usize);
        if h.tp_snaplen < h.tp_len || mac < vnet::LEN || mac + len > self.slots.slot {
            return None;
        }
        // SAFETY: within the slot, as just checked, and ours as said above; the slice ends before the slot is
        // given back.
        let bytes = unsafe { std::slice::from_raw_parts(p.add(mac - vnet::LEN), vnet::LEN + len) };
        let (vnet, data) = bytes.split_first_chunk()?;
        f(RxFrame { vlan, body: Body::Slot(vnet, data) })
    }

    /// The socket may have polled ready for an error: to be seen to when there is no frame.
    pub fn polled_ready(&mut self) {
        self.empty = Self::LOOK - 1;
    }

    /// When a device goes down or away the socket gets an error, and polls ready for it. It is taken away; the
    /// queue waits for the device to come back.
    fn nothing(&mut self) {
        self.empty += 1;
        if self.empty >= Self::LOOK {
            self.empty = 0;
            let _ = take_error(&self.socket.fd);
        }
    }
}

/// What became of the frames sent since the last flush.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Sent {
    /// Frames taken by the device.
    pub frames: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Frames that it did not take.
    pub dropped: u64,
}

/// A sending ring.
#[derive(Debug)]
pub struct TxRing {
    slots: Slots,
    socket: Arc<PacketSocket>,
    /// On a socket with a ring, `sendmsg` means the ring: large frames go through this one.
    large: Arc<PacketSocket>,
    /// First slot written and not yet told to the kernel, and how many.
    first: usize,
    pending: usize,
    result: Sent,
}

impl TxRing {
    const SLOT: usize = 2048;

    /// Opens a ring of about `slots` frames on a device. `bypass` goes around the device's queueing discipline,
    /// and around those who capture what it sends.
    pub fn open(ifindex: u32, slots: usize, bypass: bool) -> io::Result<TxRing> {
        let (socket, large) = (PacketSocket::new(false)?, PacketSocket::new(false)?);
        // A frame that the kernel finds malformed is dropped, and does not stop the ring.
        socket.option(libc::PACKET_LOSS, 1)?;
        for s in [&socket, &large] {
            if bypass {
                s.option(libc::PACKET_QDISC_BYPASS, 1)?;
            }
            // The ring is the limit, not the socket's buffer.
            let _ = crate::socket::set_send_buffer(&s.fd, 8 << 20);
            s.bind(ifindex)?;
        }
        let ring = socket.ring(libc::PACKET_TX_RING, Self::SLOT, slots.max(16))?;
        let (socket, large) = (Arc::new(socket), Arc::new(large));
        Ok(TxRing { slots: ring, socket, large, first: 0, pending: 0, result: Sent::default() })
    }

    /// The sockets, to be bound anew.
    pub fn sockets(&self) -> [&Arc<PacketSocket>; 2] {
        [&self.socket, &self.large]
    }

    /// Takes a copy of a frame. `vnet.hdr_len` is overwritten for frames without segmentation.
    pub fn send(&mut self, frame: &[u8], vnet: &VnetHdr) {
        if frame.len() < 14 {
            self.result.dropped += 1;
            return;
        }
        if frame.len() + vnet::LEN + TX_DATA > Self::SLOT {
            return self.send_alone(frame, vnet);
        }
        if self.pending == self.slots.count {
            self.kick();
        }
        let i = (self.first + self.pending) % self.slots.count;
        if self.slots.status(i).load(Ordering::Acquire) != libc::TP_STATUS_AVAILABLE {
            return self.send_alone(frame, vnet);
        }
        let mut v = *vnet;
        v.hdr_len = frame.len() as u16;
        let p = self.slots.at(i);
        // SAFETY: the slot is ours (status read with acquire); header, virtio-net header and frame fit in it,
        // as checked above; the pointers do not overlap.
        unsafe {
            let data = p.add(TX_DATA);
            data.copy_from_nonoverlapping(v.emit().as_ptr(), vnet::LEN);
            data.add(vnet::LEN).copy_from_nonoverlapping(frame.as_ptr(), frame.len());
            let len = (vnet::LEN + frame.len()) as u32;
            p.add(offset_of!(libc::tpacket2_hdr, tp_len)).cast::<u32>().write(len);
        }
        self.slots.status(i).store(libc::TP_STATUS_SEND_REQUEST, Ordering::Release);
        self.pending += 1;
        self.result.frames += 1;
        self.result.bytes += frame.len() as u64;
    }

    /// Sends what is waiting, then this frame, by a system call of its own.
    fn send_alone(&mut self, frame: &[u8], vnet: &VnetHdr) {
        self.kick();
        let v = vnet.emit();
        let iov = [
            libc::iovec { iov_base: v.as_ptr().cast_mut().cast(), iov_len: v.len() },
            libc::iovec { iov_base: frame.as_ptr().cast_mut().cast(), iov_len: frame.len() },
        ];
        // SAFETY: plain integers and pointers, for which zero is valid.
        let mut m: libc::msghdr = unsafe { std::mem::zeroed() };
        m.msg_iov = iov.as_ptr().cast_mut();
        m.msg_iovlen = 2;
        // SAFETY: both buffers are readable for their lengths and live through the call; nothing is written.
        let r = unsafe { libc::sendmsg(self.large.fd.as_raw_fd(), &m, libc::MSG_DONTWAIT) };
        if r < 0 {
            self.result.dropped += 1;
        } else {
            self.result.frames += 1;
            self.result.bytes += frame.len() as u64;
        }
    }

    /// Has the kernel send what is written.
    fn kick(&mut self) {
        while self.pending > 0 {
            let fd = self.socket.fd.as_raw_fd();
            // SAFETY: no buffer: the kernel looks at the ring.
            let r = unsafe { libc::sendto(fd, std::ptr::null(), 0, libc::MSG_DONTWAIT, std::ptr::null(), 0) };
            let failed = r < 0;
            let before = self.pending;
            while self.pending > 0
                && self.slots.status(self.first).load(Ordering::Acquire) != libc::TP_STATUS_SEND_REQUEST
            {
                self.first = self.slots.next(self.first);
                self.pending -= 1;
            }
            if failed && before > self.pending {
                // The last one that it took was refused further down (a full queueing discipline).
                self.result.frames = self.result.frames.saturating_sub(1);
                self.result.dropped += 1;
            }
            if before == self.pending {
                self.give_up();
            }
        }
    }

    /// The kernel takes nothing: the device is down or gone. The kernel's own index stays where ours is.
    fn give_up(&mut self) {
        let mut i = self.first;
        for _ in 0..self.pending {
            // SAFETY: written by us and not taken by the kernel, which runs only in our system call.
            let len =
                unsafe { self.slots.at(i).add(offset_of!(libc::tpacket2_hdr, tp_len)).cast::<u32>().read() };
            self.slots.status(i).store(libc::TP_STATUS_AVAILABLE, Ordering::Release);
            self.result.bytes =
                self.result.bytes.saturating_sub(u64::from(len).saturating_sub(vnet::LEN as u64));
            i = self.slots.next(i);
        }
        self.result.frames = self.result.frames.saturating_sub(self.pending as u64);
        self.result.dropped += self.pending as u64;
        self.pending = 0;
        let _ = take_error(&self.socket.fd);
    }

    /// Sends everything taken so far and says what became of it.
    pub fn flush(&mut self) -> Sent {
        self.kick();
        std::mem::take(&mut self.result)
    }
}
