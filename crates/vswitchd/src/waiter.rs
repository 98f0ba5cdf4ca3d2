//! How polling threads sleep and are woken, and how they wake the control thread.

use datapath::{FdChanges, ThreadParts, Waiter, Wake};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use sys::epoll::{Epoll, Interest, Ready};
use sys::event::EventFd;

const WAKE: u64 = u64::MAX;

/// Sleeps in epoll.
struct EpollWaiter {
    epoll: Epoll,
    event: Arc<EventFd>,
    ready: Vec<Ready>,
}

struct EventWake(Arc<EventFd>);

impl Wake for EventWake {
    fn wake(&self) {
        self.0.notify();
    }
}

impl Waiter for EpollWaiter {
    fn nap(&mut self, time: Duration) {
        sys::process::nap(time);
    }

    fn begin(&mut self, cpu: Option<u32>) {
        sys::process::exact_timers();
        if let Some(cpu) = cpu {
            // A CPU that is not ours to use: then the system places the thread.
            let _ = sys::process::set_affinity(cpu as usize);
        }
    }

    fn watch(&mut self, changes: &FdChanges) {
        for fd in &changes.gone {
            let _ = self.epoll.remove_raw(*fd);
        }
        for fd in &changes.new {
            // One that cannot be watched is looked at when others wake the thread.
            let _ = self.epoll.add_raw(*fd, 0, Interest::READ);
        }
    }

    fn wait(&mut self, timeout: Option<Duration>) {
        self.ready.clear();
        // A wait that is interrupted ends early, which is harmless.
        let _ = self.epoll.wait(timeout, &mut self.ready);
        if self.ready.iter().any(|r| r.token == WAKE) {
            self.event.drain();
        }
    }
}

/// What a polling thread needs.
pub fn thread_parts() -> io::Result<ThreadParts> {
    let event = Arc::new(EventFd::new()?);
    let epoll = Epoll::new()?;
    epoll.add(&*event, WAKE, Interest::READ)?;
    let waiter = EpollWaiter { epoll, event: event.clone(), ready: Vec::new() };
    Ok(ThreadParts { waiter: Box::new(waiter), wake: Arc::new(EventWake(event)) })
}

/// Wakes the control thread's event loop.
pub struct LoopWake(pub reactor::Waker);

impl Wake for LoopWake {
    fn wake(&self) {
        self.0.wake();
    }
}
