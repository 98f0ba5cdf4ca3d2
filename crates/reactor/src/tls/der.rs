//! As much of X.509 (RFC 5280) as is needed to name a certificate, to see whether it signed itself, and to check
//! certificates of version 1, which the TLS library does not read.

/// The parts of a certificate, as they stand in its encoding.
pub struct Certificate<'a> {
    /// What is signed.
    pub tbs: &'a [u8],
    /// The version: 1 to 3.
    pub version: u8,
    /// Who signed it: a name, with its header.
    pub issuer: &'a [u8],
    /// Whom it names.
    pub subject: &'a [u8],
    /// The first and the last second in which it is valid, since 1970.
    pub validity: (u64, u64),
    /// Contents of the algorithm identifier of the public key.
    pub key_algorithm: &'a [u8],
    /// The public key.
    pub key: &'a [u8],
    /// Contents of the algorithm identifier of the signature.
    pub signature_algorithm: &'a [u8],
    /// The signature.
    pub signature: &'a [u8],
}

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OID: u8 = 0x06;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const CONTEXT_0: u8 = 0xa0;

/// Values one after the other.
#[derive(Clone, Copy)]
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// The next value: its tag, its contents and the whole of it.
    fn next(&mut self) -> Option<(u8, &'a [u8], &'a [u8])> {
        let (&[tag, first], rest) = self.0.split_first_chunk::<2>()?;
        let (len, header) = match first {
            0..=0x7f => (usize::from(first), 2),
            0x81..=0x83 => {
                let n = usize::from(first & 0x7f);
                let bytes = rest.get(..n)?;
                (bytes.iter().fold(0, |len, &b| len << 8 | usize::from(b)), 2 + n)
            }
            _ => return None,
        };
        let whole = self.0.get(..header.checked_add(len)?)?;
        self.0 = &self.0[whole.len()..];
        Some((tag, &whole[header..], whole))
    }

    fn expect(&mut self, tag: u8) -> Option<&'a [u8]> {
        let (t, contents, _) = self.next()?;
        (t == tag).then_some(contents)
    }
}

impl<'a> Certificate<'a> {
    /// Reads a certificate.
    pub fn parse(der: &'a [u8]) -> Option<Certificate<'a>> {
        let mut outer = Reader(Reader(der).expect(SEQUENCE)?);
        let (tag, inner, tbs) = outer.next()?;
        let mut fields = Reader(inner);
        let mut version = 1;
        if let Some((CONTEXT_0, contents, _)) = Reader(inner).next() {
            fields.next();
            version = Reader(contents).expect(INTEGER)?.last()?.checked_add(1)?;
        }
        fields.expect(INTEGER)?;
        fields.expect(SEQUENCE)?;
        let issuer = fields.next()?.2;
        let mut validity = Reader(fields.expect(SEQUENCE)?);
        let validity = (time(&mut validity)?, time(&mut validity)?);
        let subject = fields.next()?.2;
        let mut spki = Reader(fields.expect(SEQUENCE)?);
        let key_algorithm = spki.expect(SEQUENCE)?;
        let key = bits(&mut spki)?;
        let signature_algorithm = outer.expect(SEQUENCE)?;
        let signature = bits(&mut outer)?;
        (tag == SEQUENCE).then_some(Certificate {
            tbs,
            version,
            issuer,
            subject,
            validity,
            key_algorithm,
            key,
            signature_algorithm,
            signature,
        })
    }

    /// The subject on one line: `/C=US/O=Org/CN=name`.
    pub fn subject_line(&self) -> String {
        let mut s = String::new();
        for (oid, value) in attributes(self.subject) {
            let name = match oid {
                [0x55, 4, 3] => "CN",
                [0x55, 4, 6] => "C",
                [0x55, 4, 7] => "L",
                [0x55, 4, 8] => "ST",
                [0x55, 4, 10] => "O",
                [0x55, 4, 11] => "OU",
                [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 1] => "emailAddress",
                _ => "?",
            };
            s.push_str(&format!("/{name}={}", String::from_utf8_lossy(value)));
        }
        s
    }

    /// The subject's common name, by which role-based access control knows a client.
    pub fn common_name(&self) -> Option<String> {
        let value = attributes(self.subject).find(|(oid, _)| *oid == [0x55, 4, 3])?.1;
        Some(String::from_utf8_lossy(value).into_owned())
    }
}

fn attributes(name: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let mut sets = Reader(Reader(name).expect(SEQUENCE).unwrap_or(&[]));
    std::iter::from_fn(move || {
        let mut pair = Reader(Reader(sets.expect(SET)?).expect(SEQUENCE)?);
        Some((pair.expect(OID)?, pair.next()?.1))
    })
}

fn bits<'a>(r: &mut Reader<'a>) -> Option<&'a [u8]> {
    match r.expect(BIT_STRING)? {
        [0, bytes @ ..] => Some(bytes),
        _ => None,
    }
}

/// `YYMMDDhhmmssZ` or `YYYYMMDDhhmmssZ`.
fn time(r: &mut Reader<'_>) -> Option<u64> {
    let (tag, text, _) = r.next()?;
    let digits = text.strip_suffix(b"Z")?;
    let (year, rest) = match (tag, digits.len()) {
        (UTC_TIME, 12) => {
            let y = number(&digits[..2])?;
            (if y < 50 { 2000 + y } else { 1900 + y }, &digits[2..])
        }
        (GENERALIZED_TIME, 14) => (number(&digits[..4])?, &digits[4..]),
        _ => return None,
    };
    let part = |i: usize| number(&rest[i * 2..i * 2 + 2]);
    let (month, day) = (part(0)?, part(1)?);
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) || year < 1970 {
        return None;
    }
    // Years begin in March, so that leap days come last.
    let (y, m) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719_468;
    Some(days * 86_400 + part(2)? * 3_600 + part(3)? * 60 + part(4)?)
}

fn number(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0, |n, d| d.is_ascii_digit().then(|| n * 10 + u64::from(d - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        let at = |tag, s: &str| {
            let der = [&[tag, s.len() as u8], s.as_bytes()].concat();
            time(&mut Reader(&der))
        };
        assert_eq!(at(UTC_TIME, "700101000000Z"), Some(0));
        assert_eq!(at(UTC_TIME, "000229235959Z"), Some(951_868_799));
        assert_eq!(at(GENERALIZED_TIME, "20361118025209Z"), Some(2_110_589_529));
        for bad in ["7001010000Z", "700101000000", "701301000000Z", "70010100000xZ"] {
            assert_eq!(at(UTC_TIME, bad), None, "{bad}");
        }
    }

    #[test]
    fn no_bytes_make_it_fail() {
        for len in 0..64 {
            assert!(Certificate::parse(&vec![0x30; len]).is_none());
        }
        assert!(Certificate::parse(&[0x30, 0x83, 0xff, 0xff, 0xff, 1]).is_none());
    }
}
