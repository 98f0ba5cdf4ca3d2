//! Requests that come in several messages.
//!
//! From OpenFlow 1.3 on, a statistics request with the flag "more" waits for the rest under the same transaction id.
//! Most requests fit one message; a description of 254 tables does not.

use crate::msg::StatsRequest;
use crate::ofperr::OfpErr;
use base::{Time, Xid};
use std::collections::BTreeMap;
use std::mem::{Discriminant, discriminant};
use std::time::Duration;

/// How long a request waits for its next part.
pub const TIMEOUT: Duration = Duration::from_secs(1);
/// Most bytes of one request.
pub const MAX_BYTES: usize = 4 << 20;
/// Most requests of one connection that wait at the same time.
const MAX_OPEN: usize = 64;

/// What has come of a request.
#[derive(Debug)]
struct Part {
    request: StatsRequest,
    bytes: usize,
    deadline: Time,
}

/// The requests of one connection of which there is more to come.
#[derive(Debug, Default)]
pub struct Parts {
    open: BTreeMap<u32, Part>,
}

impl Parts {
    /// Takes a part of `bytes` bytes; gives the whole request with its last part.
    pub fn push(
        &mut self,
        xid: Xid,
        request: StatsRequest,
        bytes: usize,
        more: bool,
        now: Time,
    ) -> Result<Option<StatsRequest>, OfpErr> {
        let (request, bytes) = match self.open.remove(&xid.0) {
            None => (request, bytes),
            Some(part) => (joined(part.request, request)?, part.bytes + bytes),
        };
        if !more {
            return Ok(Some(request));
        }
        if bytes > MAX_BYTES || self.open.len() >= MAX_OPEN {
            return Err(OfpErr::OFPBRC_MULTIPART_BUFFER_OVERFLOW);
        }
        self.open.insert(xid.0, Part { request, bytes, deadline: now + TIMEOUT });
        Ok(None)
    }

    /// Drops the requests whose rest has not come in time.
    pub fn expire(&mut self, now: Time) -> Vec<Xid> {
        let late: Vec<u32> = self.open.iter().filter(|(_, p)| p.deadline <= now).map(|(x, _)| *x).collect();
        late.iter().for_each(|x| drop(self.open.remove(x)));
        late.into_iter().map(Xid).collect()
    }

    /// When the first of them will be late.
    pub fn next_deadline(&self) -> Time {
        self.open.values().map(|p| p.deadline).min().unwrap_or(Time::NEVER)
    }
}

/// Two parts of one request. Lists go on; of other requests, the parts have nothing to say but what they are.
fn joined(first: StatsRequest, next: StatsRequest) -> Result<StatsRequest, OfpErr> {
    let kind: fn(&StatsRequest) -> Discriminant<StatsRequest> = discriminant;
    match (first, next) {
        (StatsRequest::TableFeatures(mut all), StatsRequest::TableFeatures(rest)) => {
            all.extend(rest);
            Ok(StatsRequest::TableFeatures(all))
        }
        (StatsRequest::FlowMonitor(mut all), StatsRequest::FlowMonitor(rest)) => {
            all.extend(rest);
            Ok(StatsRequest::FlowMonitor(all))
        }
        (first, next) if kind(&first) == kind(&next) && first.is_bare() => Ok(next),
        _ => Err(OfpErr::OFPBRC_BAD_STAT),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use StatsRequest::*;

    fn at(ms: u64) -> Time {
        Time(0) + Duration::from_millis(ms)
    }

    #[test]
    fn lists_go_on_and_bare_requests_repeat() {
        let mut p = Parts::default();
        assert_eq!(p.push(Xid(1), Desc, 16, true, at(0)), Ok(None));
        assert_eq!(p.push(Xid(2), TableFeatures(Vec::new()), 16, true, at(0)), Ok(None));
        assert_eq!(p.push(Xid(1), Desc, 16, false, at(1)), Ok(Some(Desc)));
        let whole = p.push(Xid(2), TableFeatures(Vec::new()), 16, false, at(1));
        assert_eq!(whole, Ok(Some(TableFeatures(Vec::new()))));
        assert_eq!(p.next_deadline(), Time::NEVER);
    }

    #[test]
    fn what_does_not_belong_together() {
        let mut p = Parts::default();
        let port = Port(base::OfPort(1));
        for (first, next) in [(Desc, Table), (port.clone(), port)] {
            assert_eq!(p.push(Xid(1), first, 16, true, at(0)), Ok(None));
            assert_eq!(p.push(Xid(1), next, 16, false, at(0)), Err(OfpErr::OFPBRC_BAD_STAT));
            assert_eq!(p.next_deadline(), Time::NEVER);
        }
    }

    #[test]
    fn bounds_of_time_and_size() {
        let mut p = Parts::default();
        assert_eq!(p.push(Xid(7), Desc, 16, true, at(0)), Ok(None));
        assert_eq!(p.expire(at(999)), []);
        assert_eq!(p.next_deadline(), at(1000));
        assert_eq!(p.expire(at(1000)), [Xid(7)]);
        let full = (0..).find_map(|_| p.push(Xid(8), Desc, 60_000, true, at(0)).err());
        assert_eq!(full, Some(OfpErr::OFPBRC_MULTIPART_BUFFER_OVERFLOW));
        let many = (0..).find_map(|n| p.push(Xid(n), Desc, 16, true, at(0)).err());
        assert_eq!((many, p.open.len()), (Some(OfpErr::OFPBRC_MULTIPART_BUFFER_OVERFLOW), MAX_OPEN));
    }
}
