//! The local time zone, from the files that the system keeps it in (RFC 8536), for log stamps in local time. A program
//! reads it once.

use std::fs;
use std::path::Path;

/// An offset from UTC that holds from some moment on.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Period {
    /// Seconds since the epoch; the first period's is the smallest number.
    from: i64,
    offset: i32,
    name: String,
}

/// A time zone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Zone(Vec<Period>);

impl Default for Zone {
    fn default() -> Self {
        Zone::utc()
    }
}

impl Zone {
    /// Coordinated universal time.
    pub fn utc() -> Zone {
        Zone(vec![Period { from: i64::MIN, offset: 0, name: "UTC".to_string() }])
    }

    /// The zone that the environment names (`TZ`), or the system's.
    pub fn local() -> Zone {
        let named = std::env::var("TZ").ok().filter(|tz| !tz.is_empty());
        let zone = match named.as_deref().map(|tz| tz.strip_prefix(':').unwrap_or(tz)) {
            None => read(Path::new("/etc/localtime")),
            Some(tz) if tz.starts_with('/') => read(Path::new(tz)),
            Some(tz) if tz.split('/').any(|p| p == "..") => None,
            Some(tz) => read(&Path::new("/usr/share/zoneinfo").join(tz)).or_else(|| fixed(tz)),
        };
        zone.unwrap_or_else(Zone::utc)
    }

    /// The offset from UTC in seconds and the zone's abbreviation, at `seconds` since the epoch.
    pub fn at(&self, seconds: i64) -> (i32, &str) {
        let i = self.0.partition_point(|p| p.from <= seconds);
        let p = &self.0[i.saturating_sub(1)];
        (p.offset, &p.name)
    }
}

fn read(path: &Path) -> Option<Zone> {
    parse(&fs::read(path).ok()?)
}

/// `NAME-HH[:MM]`: a zone without summer time, as POSIX writes it (west is positive).
fn fixed(tz: &str) -> Option<Zone> {
    let end = tz.find(|c: char| !c.is_ascii_alphabetic())?;
    let (name, rest) = tz.split_at(end);
    let (sign, digits) = match rest.strip_prefix('-') {
        Some(d) => (1, d),
        None => (-1, rest.strip_prefix('+').unwrap_or(rest)),
    };
    let (hours, minutes) = digits.split_once(':').unwrap_or((digits, "0"));
    let (hours, minutes) = (hours.parse::<u16>().ok()?, minutes.parse::<u16>().ok()?);
    if name.len() < 3 || hours > 24 || minutes > 59 {
        return None;
    }
    let offset = sign * (i32::from(hours) * 3600 + i32::from(minutes) * 60);
    Some(Zone(vec![Period { from: i64::MIN, offset, name: name.to_string() }]))
}

/// Counts in a header of RFC 8536 section 3.1.
struct Header {
    isutc: usize,
    isstd: usize,
    leap: usize,
    times: usize,
    types: usize,
    chars: usize,
}

impl Header {
    const LEN: usize = 44;

    fn parse(b: &[u8]) -> Option<Header> {
        if b.get(..4)? != b"TZif" {
            return None;
        }
        let n = |i: usize| Some(u32::from_be_bytes(b.get(20 + 4 * i..24 + 4 * i)?.try_into().ok()?) as usize);
        Some(Header { isutc: n(0)?, isstd: n(1)?, leap: n(2)?, times: n(3)?, types: n(4)?, chars: n(5)? })
    }

    fn body(&self, time: usize) -> Option<usize> {
        let parts = [
            self.times.checked_mul(time + 1)?,
            self.types.checked_mul(6)?,
            self.chars,
            self.leap.checked_mul(time + 4)?,
            self.isstd,
            self.isutc,
        ];
        parts.iter().try_fold(0usize, |sum, &p| sum.checked_add(p))
    }
}

fn parse(b: &[u8]) -> Option<Zone> {
    let first = Header::parse(b)?;
    // Version 2 and later repeat everything with 64-bit times.
    if *b.get(4)? >= b'2' {
        let second = b.get(Header::LEN + first.body(4)?..)?;
        return parse_body(second.get(Header::LEN..)?, &Header::parse(second)?, 8);
    }
    parse_body(b.get(Header::LEN..)?, &first, 4)
}

fn parse_body(b: &[u8], h: &Header, time: usize) -> Option<Zone> {
    let indexes = h.times * time;
    let types = indexes + h.times;
    let chars = types + h.types * 6;
    b.get(..h.body(time)?)?;
    let period = |from: i64, index: usize| -> Option<Period> {
        let t = b.get(types + index * 6..types + index * 6 + 6)?;
        let offset = i32::from_be_bytes(t[..4].try_into().ok()?);
        let name = b.get(chars + t[5] as usize..chars + h.chars)?;
        let end = name.iter().position(|&c| c == 0)?;
        Some(Period { from, offset, name: String::from_utf8_lossy(&name[..end]).into_owned() })
    };
    let mut periods = vec![period(i64::MIN, 0)?];
    for i in 0..h.times {
        let raw = &b[i * time..(i + 1) * time];
        let from = match time {
            8 => i64::from_be_bytes(raw.try_into().ok()?),
            _ => i64::from(i32::from_be_bytes(raw.try_into().ok()?)),
        };
        periods.push(period(from, b[indexes + i] as usize)?);
    }
    Some(Zone(periods))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two transitions, version 1.
    fn sample() -> Vec<u8> {
        let mut b = b"TZif".to_vec();
        b.extend([0; 16]);
        for n in [0u32, 0, 0, 2, 2, 8] {
            b.extend(n.to_be_bytes());
        }
        for t in [1000i32, 2000] {
            b.extend(t.to_be_bytes());
        }
        b.extend([1, 0]);
        b.extend(3600i32.to_be_bytes());
        b.extend([0, 0]);
        b.extend(7200i32.to_be_bytes());
        b.extend([1, 4]);
        b.extend(b"CET\0CST\0");
        b
    }

    #[test]
    fn reads_transitions() {
        let z = parse(&sample()).unwrap();
        assert_eq!(z.at(0), (3600, "CET"));
        assert_eq!(z.at(1000), (7200, "CST"));
        assert_eq!(z.at(2000), (3600, "CET"));
    }

    #[test]
    fn survives_damage() {
        let b = sample();
        for n in 0..b.len() {
            assert_eq!(parse(&b[..n]), None, "{n}");
        }
        for i in 0..b.len() * 8 {
            let mut c = b.clone();
            c[i / 8] ^= 1 << (i % 8);
            let _ = parse(&c);
        }
    }

    #[test]
    fn fixed_zones() {
        assert_eq!(fixed("JST-9").unwrap().at(0), (32400, "JST"));
        assert_eq!(fixed("EST+5:30").unwrap().at(0), (-19800, "EST"));
        assert_eq!(fixed("x"), None);
        assert_eq!(Zone::utc().at(5), (0, "UTC"));
    }
}
