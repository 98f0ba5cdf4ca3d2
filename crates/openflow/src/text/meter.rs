//! Meters: the text that `add-meter` reads, and what is printed.

use super::{Fmt, TextCx, lex};
use crate::msg::{
    MeterBand, MeterBandKind, MeterConfig, MeterFeatures, MeterMod, MeterModCommand, MeterStats,
};
use crate::version::ProtocolSet;
use base::MeterId;
use std::fmt::Write;

fn parse_id(s: &str) -> Result<MeterId, String> {
    Ok(match s {
        "all" => MeterConfig::ALL,
        "controller" => MeterConfig::CONTROLLER,
        "slowpath" => MeterConfig::SLOWPATH,
        _ => {
            let n = lex::u32(s)?;
            if n == 0 || n > MeterConfig::MAX.0 {
                return Err("invalid value for meter".to_string());
            }
            MeterId(n)
        }
    })
}

/// Where the bands begin, and their text.
fn split_bands(s: &str) -> (&str, Option<&str>) {
    let Some(at) = s.find("band") else { return (s, None) };
    match s[at..].find('=') {
        Some(eq) => (&s[..at], Some(&s[at + eq + 1..])),
        None => (s, None),
    }
}

/// Parses a meter.
pub fn parse_meter_mod(s: &str, command: MeterModCommand, cx: &mut TextCx<'_>) -> Result<MeterMod, String> {
    cx.only(ProtocolSet::OF13_UP);
    let wants_bands = command != MeterModCommand::Delete;
    let (head, bands) = if wants_bands { split_bands(s) } else { (s, None) };
    if wants_bands && bands.is_none() {
        return Err("must specify bands".to_string());
    }
    let mut config = MeterConfig { meter: MeterId(0), flags: 0, bands: Vec::new() };
    let mut given = false;
    for p in lex::pairs(head) {
        match p.key {
            "kbps" if wants_bands => config.flags |= MeterConfig::KBPS,
            "pktps" if wants_bands => config.flags |= MeterConfig::PKTPS,
            "burst" if wants_bands => config.flags |= MeterConfig::BURST,
            "stats" if wants_bands => config.flags |= MeterConfig::STATS,
            key if p.value.is_empty() => return Err(format!("field {key} missing value")),
            "meter" => {
                config.meter = parse_id(p.value)?;
                given = true;
            }
            key => return Err(format!("unknown keyword {key}")),
        }
    }
    if wants_bands && !given {
        return Err("must specify 'meter'".to_string());
    }
    if !given {
        config.meter = MeterConfig::ALL;
    }
    if wants_bands && config.flags & (MeterConfig::KBPS | MeterConfig::PKTPS) == 0 {
        return Err("meter must specify either 'kbps' or 'pktps'".to_string());
    }
    if let Some(bands) = bands {
        config.bands = parse_bands(bands, config.flags)?;
    }
    Ok(MeterMod { command, config })
}

struct Band {
    dscp: bool,
    rate: u32,
    burst: u32,
    prec: u8,
}

fn finish(b: &Band, flags: u16) -> Result<MeterBand, String> {
    if b.dscp && b.prec == 0 {
        return Err("'dscp_remark' band must have 'prec_level'".to_string());
    }
    if !b.dscp && b.prec != 0 {
        return Err("Only 'dscp_remark' band may have 'prec_level'".to_string());
    }
    if b.rate == 0 {
        return Err("band must have 'rate'".to_string());
    }
    if flags & MeterConfig::BURST != 0 && b.burst == 0 {
        return Err("band must have 'burst_size' when 'burst' is specified".to_string());
    }
    let kind = if b.dscp { MeterBandKind::DscpRemark { prec_level: b.prec } } else { MeterBandKind::Drop };
    Ok(MeterBand { kind, rate: b.rate, burst_size: b.burst })
}

fn parse_bands(s: &str, flags: u16) -> Result<Vec<MeterBand>, String> {
    let mut out = Vec::new();
    let mut current: Option<Band> = None;
    for p in lex::pairs(s) {
        if p.key == "type" {
            if let Some(b) = current.take() {
                out.push(finish(&b, flags)?);
            }
            let dscp = match p.value {
                "drop" => false,
                "dscp_remark" => true,
                v => return Err(format!("field type unknown value {v}")),
            };
            current = Some(Band { dscp, rate: 0, burst: 0, prec: 0 });
            continue;
        }
        let Some(b) = &mut current else { return Err("band must start with the 'type' keyword".to_string()) };
        match p.key {
            "rate" => b.rate = lex::u32(p.value)?,
            "burst_size" => b.burst = lex::u32(p.value)?,
            "prec_level" => b.prec = lex::u8_named(p.value, p.key)?,
            key => return Err(format!("unknown keyword {key}")),
        }
    }
    if let Some(b) = current.take() {
        out.push(finish(&b, flags)?);
    }
    Ok(out)
}

/// Prints a meter's number.
pub fn format_id(f: &mut Fmt<'_>, meter: MeterId, separator: char) {
    let _ = write!(f, "meter{separator}");
    match meter {
        MeterConfig::ALL => f.put("all"),
        MeterConfig::CONTROLLER => f.put("controller"),
        MeterConfig::SLOWPATH => f.put("slowpath"),
        id if id > MeterConfig::MAX => f.put("unknown"),
        MeterId(n) => {
            let _ = write!(f, "{n}");
        }
    }
}

fn flag_words(flags: u16) -> String {
    let mut s = String::new();
    for (bit, name) in [
        (MeterConfig::KBPS, "kbps "),
        (MeterConfig::PKTPS, "pktps "),
        (MeterConfig::BURST, "burst "),
        (MeterConfig::STATS, "stats "),
    ] {
        if flags & bit != 0 {
            s.push_str(name);
        }
    }
    let rest = flags & !0xf;
    if rest != 0 {
        let _ = write!(s, "flags:{rest:#x} ");
    }
    s
}

/// Prints a meter's configuration.
pub fn format_config(c: &MeterConfig, f: &mut Fmt<'_>) {
    format_id(f, c.meter, '=');
    f.put(" ");
    f.put(&flag_words(c.flags));
    f.put("bands=");
    for b in &c.bands {
        f.put("\ntype=");
        f.put(match b.kind {
            MeterBandKind::Drop => "drop",
            MeterBandKind::DscpRemark { .. } => "dscp_remark",
        });
        let _ = write!(f, " rate={}", b.rate);
        if c.flags & MeterConfig::BURST != 0 {
            let _ = write!(f, " burst_size={}", b.burst_size);
        }
        if let MeterBandKind::DscpRemark { prec_level } = b.kind {
            let _ = write!(f, " prec_level={prec_level}");
        }
    }
    f.put("\n");
}

/// Prints a meter-mod.
pub fn format_mod(m: &MeterMod, f: &mut Fmt<'_>) {
    f.put(match m.command {
        MeterModCommand::Add => " ADD ",
        MeterModCommand::Modify => " MOD ",
        MeterModCommand::Delete => " DEL ",
    });
    format_config(&m.config, f);
}

/// Prints a meter's counters.
pub fn format_stats(s: &MeterStats, f: &mut Fmt<'_>) {
    format_id(f, s.meter, ':');
    let _ = write!(
        f,
        " flow_count:{} packet_in_count:{} byte_in_count:{} duration:",
        s.flow_count, s.packet_in_count, s.byte_in_count
    );
    super::flow::duration(f, s.duration_sec, s.duration_nsec);
    f.put(" bands:\n");
    for (i, b) in s.bands.iter().enumerate() {
        let _ = writeln!(f, "{i}: packet_count:{} byte_count:{}", b.packet_count, b.byte_count);
    }
}

/// Prints what meters can do.
pub fn format_features(m: &MeterFeatures, f: &mut Fmt<'_>) {
    let _ = write!(
        f,
        "\nmax_meter:{} max_bands:{} max_color:{}\nband_types:",
        m.max_meters, m.max_bands, m.max_color
    );
    f.put(" ");
    f.put(&super::port::bits(m.band_types, &[(1 << 1, "drop"), (1 << 2, "dscp_remark")]));
    f.put("\ncapabilities: ");
    f.put(&super::port::bits(m.capabilities, &[(1, "kbps"), (2, "pktps"), (4, "burst"), (8, "stats")]));
    f.put("\n");
}
