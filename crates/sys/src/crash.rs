//! What a crash leaves behind: the backtrace of the thread that got the fatal signal, as addresses relative to
//! the files they are in, written to one descriptor chosen beforehand.
//!
//! A signal handler can be given no context, so the descriptor's number is in a static here: the one piece of
//! state that the whole process shares, as signal actions themselves do.

use std::fmt::{self, Write as _};
use std::os::fd::{AsFd, AsRawFd};
use std::sync::atomic::{AtomicI32, Ordering};

static FD: AtomicI32 = AtomicI32::new(-1);

/// Signals that mean "the program is broken".
const SIGNALS: [i32; 5] = [libc::SIGSEGV, libc::SIGABRT, libc::SIGBUS, libc::SIGFPE, libc::SIGILL];

/// From now on a crash writes a line `SIGNAL detected, backtrace:` and one line per frame to `fd`, which must
/// stay open (a log file, or the pipe to a monitor), and then dies of the signal as it would have.
pub fn install(fd: impl AsFd) {
    FD.store(fd.as_fd().as_raw_fd(), Ordering::Relaxed);
    for s in SIGNALS {
        // SAFETY: the handler only does what is allowed in one (see there); the structure is zeroed, which is
        // valid, and lives through the call.
        unsafe {
            let mut sa: libc::sigaction = std::mem::zeroed();
            sa.sa_sigaction = handler as *const () as usize;
            sa.sa_flags = libc::SA_ONSTACK | libc::SA_RESETHAND | libc::SA_NODEFER;
            libc::sigemptyset(&mut sa.sa_mask);
            libc::sigaction(s, &sa, std::ptr::null_mut());
        }
    }
}

/// Runs on the alternate stack that Rust's runtime gives every thread. Writes by `write(2)` from a buffer on
/// the stack; the unwinder reads tables that are mapped already. `SA_RESETHAND` makes a second fault deadly.
extern "C" fn handler(signal: libc::c_int) {
    let mut w = Out { buf: [0; 512], len: 0 };
    let _ = writeln!(w, "{} detected, backtrace:", sig_name(signal));
    w.flush();
    // SAFETY: the callback matches the type and gets the pointer to `w`, which outlives the walk.
    unsafe { _Unwind_Backtrace(frame, (&raw mut w).cast()) };
    w.flush();
    // SAFETY: the action is the default again; the signal is raised when this handler returns or at once.
    unsafe { libc::raise(signal) };
}

fn sig_name(s: i32) -> &'static str {
    match s {
        libc::SIGSEGV => "SIGSEGV",
        libc::SIGABRT => "SIGABRT",
        libc::SIGBUS => "SIGBUS",
        libc::SIGFPE => "SIGFPE",
        libc::SIGILL => "SIGILL",
        _ => "signal",
    }
}

#[repr(C)]
struct UnwindContext {
    _private: [u8; 0],
}

unsafe extern "C" {
    fn _Unwind_Backtrace(
        f: extern "C" fn(*mut UnwindContext, *mut libc::c_void) -> libc::c_int,
        arg: *mut libc::c_void,
    ) -> libc::c_int;
    fn _Unwind_GetIP(ctx: *mut UnwindContext) -> usize;
}

extern "C" fn frame(ctx: *mut UnwindContext, arg: *mut libc::c_void) -> libc::c_int {
    // SAFETY: `arg` is the `Out` of `handler`, which nobody else uses during the walk.
    let w = unsafe { &mut *arg.cast::<Out>() };
    // SAFETY: the unwinder gave this context.
    let ip = unsafe { _Unwind_GetIP(ctx) };
    if ip == 0 {
        return 0;
    }
    // SAFETY: dladdr fills `info` or returns 0; it allocates nothing.
    let mut info: libc::Dl_info = unsafe { std::mem::zeroed() };
    // SAFETY: as above.
    let found = unsafe { libc::dladdr(ip as *const libc::c_void, &mut info) } != 0;
    if found && !info.dli_fname.is_null() {
        // SAFETY: a NUL-terminated string owned by the loader.
        let file = unsafe { std::ffi::CStr::from_ptr(info.dli_fname) }.to_bytes();
        w.bytes(file);
        let _ = write!(w, "(+{:#x}) ", ip.wrapping_sub(info.dli_fbase as usize));
    }
    let _ = writeln!(w, "[{ip:#x}]");
    w.flush();
    0
}

struct Out {
    buf: [u8; 512],
    len: usize,
}

impl Out {
    fn bytes(&mut self, b: &[u8]) {
        let n = b.len().min(self.buf.len() - self.len);
        self.buf[self.len..self.len + n].copy_from_slice(&b[..n]);
        self.len += n;
    }

    fn flush(&mut self) {
        // SAFETY: `len` bytes of the buffer are there; a bad descriptor is an error that nobody can be told.
        unsafe { libc::write(FD.load(Ordering::Relaxed), self.buf.as_ptr().cast(), self.len) };
        self.len = 0;
    }
}

impl fmt::Write for Out {
    fn write_str(&mut self, s: &str) -> fmt::Result {
        self.bytes(s.as_bytes());
        Ok(())
    }
}
