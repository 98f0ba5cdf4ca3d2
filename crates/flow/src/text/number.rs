//! Numbers and addresses, appended to text digit by digit: flows are printed by the million, and the general
//! formatting machinery would be half of what that costs.

const DIGITS: &[u8; 16] = b"0123456789abcdef";

fn push(out: &mut String, ascii: &[u8]) {
    out.push_str(std::str::from_utf8(ascii).expect("digits are ASCII"));
}

/// Appends a number in decimal.
pub fn dec(out: &mut String, mut n: u64) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (n % 10) as u8;
        n /= 10;
        if n == 0 {
            return push(out, &digits[at..]);
        }
    }
}

/// Appends a number in hexadecimal as C's `%#x` has it: a zero goes without its prefix.
pub fn hex(out: &mut String, n: u128) {
    if n != 0 {
        out.push_str("0x");
    }
    hex_digits(out, n, 1);
}

/// Appends the digits of a number in hexadecimal, with zeros in front up to a width of at most 32.
pub fn hex_digits(out: &mut String, mut n: u128, width: usize) {
    let mut digits = [b'0'; 32];
    let mut at = digits.len();
    while n != 0 {
        at -= 1;
        digits[at] = DIGITS[(n & 15) as usize];
        n >>= 4;
    }
    push(out, &digits[at.min(digits.len() - width)..]);
}

/// Appends an IPv4 address.
pub fn ipv4(out: &mut String, addr: u32) {
    for (i, part) in addr.to_be_bytes().into_iter().enumerate() {
        if i > 0 {
            out.push('.');
        }
        dec(out, part.into());
    }
}

/// Appends an Ethernet address, the low 48 bits of a number.
pub fn mac(out: &mut String, addr: u64) {
    let mut text = [b':'; 17];
    for i in 0..6 {
        let part = (addr >> (40 - 8 * i)) as usize;
        text[3 * i] = DIGITS[part >> 4 & 15];
        text[3 * i + 1] = DIGITS[part & 15];
    }
    push(out, &text);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(f: impl Fn(&mut String)) -> String {
        let mut out = String::from("=");
        f(&mut out);
        out
    }

    #[test]
    fn digits() {
        for n in [0, 1, 9, 10, 255, 65535, 1 << 33, u64::MAX] {
            assert_eq!(text(|o| dec(o, n)), format!("={n}"));
            assert_eq!(text(|o| hex_digits(o, n.into(), 1)), format!("={n:x}"));
            assert_eq!(text(|o| hex_digits(o, n.into(), 5)), format!("={n:05x}"));
            assert_eq!(text(|o| hex(o, n.into())), if n == 0 { "=0".into() } else { format!("={n:#x}") });
            assert_eq!(text(|o| ipv4(o, n as u32)), format!("={}", std::net::Ipv4Addr::from(n as u32)));
            assert_eq!(text(|o| mac(o, n)), format!("={}", base::Mac::from_u64(n & 0xffff_ffff_ffff)));
        }
        assert_eq!(text(|o| hex(o, u128::MAX)), format!("={:#x}", u128::MAX));
    }
}
