//! Dates as text, by `strftime`'s conversions and one of our own: each run of `#` is replaced by that many digits of the
//! fraction of the second.

use crate::localtime::Zone;
use std::fmt::Write;

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

/// A moment taken apart.
struct Broken<'a> {
    seconds: i64,
    year: i64,
    month: usize,
    day: i64,
    year_day: i64,
    week_day: usize,
    hour: i64,
    minute: i64,
    second: i64,
    offset: i32,
    zone: &'a str,
}

/// `millis` since the epoch, in `zone`, as `format` says.
pub fn format_time(format: &str, millis: i64, zone: &Zone) -> String {
    let fraction = format!("{:03}", millis.rem_euclid(1000));
    let b = break_down(millis.div_euclid(1000), zone);
    let mut out = String::new();
    let mut chars = format.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '#' => {
                let mut run = 1;
                while chars.next_if_eq(&'#').is_some() {
                    run += 1;
                }
                out.extend(fraction.chars().chain(std::iter::repeat('0')).take(run));
            }
            '%' => match chars.next() {
                Some(c) => convert(&mut out, c, &b),
                None => out.push('%'),
            },
            c => out.push(c),
        }
    }
    out
}

fn convert(out: &mut String, c: char, b: &Broken<'_>) {
    let twelve = match b.hour % 12 {
        0 => 12,
        h => h,
    };
    // Writing to a String cannot fail.
    let _ = match c {
        'Y' => write!(out, "{}", b.year),
        'y' => write!(out, "{:02}", b.year.rem_euclid(100)),
        'C' => write!(out, "{:02}", b.year.div_euclid(100)),
        'm' => write!(out, "{:02}", b.month + 1),
        'd' => write!(out, "{:02}", b.day),
        'e' => write!(out, "{:2}", b.day),
        'H' => write!(out, "{:02}", b.hour),
        'k' => write!(out, "{:2}", b.hour),
        'I' => write!(out, "{twelve:02}"),
        'l' => write!(out, "{twelve:2}"),
        'M' => write!(out, "{:02}", b.minute),
        'S' => write!(out, "{:02}", b.second),
        'p' => write!(out, "{}", if b.hour < 12 { "AM" } else { "PM" }),
        'h' | 'b' => write!(out, "{}", &MONTHS[b.month][..3]),
        'B' => write!(out, "{}", MONTHS[b.month]),
        'a' => write!(out, "{}", &DAYS[b.week_day][..3]),
        'A' => write!(out, "{}", DAYS[b.week_day]),
        'j' => write!(out, "{:03}", b.year_day + 1),
        'u' => write!(out, "{}", if b.week_day == 0 { 7 } else { b.week_day }),
        'w' => write!(out, "{}", b.week_day),
        'T' => write!(out, "{:02}:{:02}:{:02}", b.hour, b.minute, b.second),
        'R' => write!(out, "{:02}:{:02}", b.hour, b.minute),
        'F' => write!(out, "{}-{:02}-{:02}", b.year, b.month + 1, b.day),
        'D' => write!(out, "{:02}/{:02}/{:02}", b.month + 1, b.day, b.year.rem_euclid(100)),
        's' => write!(out, "{}", b.seconds),
        'z' => {
            let minutes = b.offset.abs() / 60;
            write!(out, "{}{:02}{:02}", if b.offset < 0 { '-' } else { '+' }, minutes / 60, minutes % 60)
        }
        'Z' => write!(out, "{}", b.zone),
        'c' => write!(
            out,
            "{} {} {:2} {:02}:{:02}:{:02} {}",
            &DAYS[b.week_day][..3],
            &MONTHS[b.month][..3],
            b.day,
            b.hour,
            b.minute,
            b.second,
            b.year
        ),
        'n' => writeln!(out),
        't' => write!(out, "\t"),
        '%' => write!(out, "%"),
        c => write!(out, "%{c}"),
    };
}

fn break_down(seconds: i64, zone: &Zone) -> Broken<'_> {
    let (offset, name) = zone.at(seconds);
    let local = seconds.saturating_add(i64::from(offset));
    let (days, rest) = (local.div_euclid(86_400), local.rem_euclid(86_400));
    // Years begin in March here, so that the leap day comes last; eras are 400 years.
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let day_of_era = z.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 2 } else { shifted - 10 };
    let year = year_of_era + era * 400 + i64::from(month < 2);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let before = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334][month as usize];
    Broken {
        seconds,
        year,
        month: month as usize,
        day,
        year_day: before + i64::from(leap && month > 1) + day - 1,
        week_day: (days + 4).rem_euclid(7) as usize,
        hour: rest / 3600,
        minute: rest / 60 % 60,
        second: rest % 60,
        offset,
        zone: name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats() {
        let t = 1_795_220_313_242;
        for (ms, f, want) in [
            (0, "%Y-%m-%d %H:%M:%S.###", "1970-01-01 00:00:00.000"),
            (951_782_400_000, "%F %j %a", "2000-02-29 060 Tue"),
            (1_078_012_800_123, "%D %T.# ##", "02/29/04 00:00:00.1 12"),
            (t, "%Y-%m-%dT%H:%M:%S.###Z", "2026-11-21T00:18:33.242Z"),
            (t, "#%Y##", "2202624"),
            (t, "%h %e %T %z", "Nov 21 00:18:33 +0000"),
            (t, "%s|%p%I|%%|%q", "1795220313|AM12|%|%q"),
            (-1, "%Y-%m-%d %H:%M:%S.###", "1969-12-31 23:59:59.999"),
            (1_704_067_200_000 - 86_400_000, "%F %j", "2023-12-31 365"),
        ] {
            assert_eq!(format_time(f, ms, &Zone::utc()), want, "{f}");
        }
    }
}
