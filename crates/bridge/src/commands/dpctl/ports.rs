//! `dpctl/add-dp`, `add-if` and so on: datapaths and ports besides those that the database asks for.

use super::{Options, error, known_type, lookup};
use crate::switch::Switch;
use crate::switch::backer::{Backer, DpPortInfo};
use crate::switch::numbers::datapath_number;
use base::DpPort;
use dpif::netdev::DevError;
use dpif::{Datapath as _, DpError};
use netdev::registry::DummyMode;
use reactor::unixctl::{Call, Command, Outcome};
use std::collections::BTreeMap;
use std::sync::atomic::Ordering::Relaxed;

/// The commands.
pub(super) const COMMANDS: &[Command<Switch>] = &[
    Command::new("dpctl/add-dp", "dp [iface...]", 1, usize::MAX, |s, _, c| done(add_dp(s, c))),
    Command::new("dpctl/del-dp", "dp", 1, 1, |s, _, c| done(del_dp(s, c))),
    Command::new("dpctl/add-if", "dp iface...", 2, usize::MAX, |s, _, c| done(each(s, c, add_if))),
    Command::new("dpctl/del-if", "dp iface...", 2, usize::MAX, |s, _, c| done(each(s, c, del_if))),
    Command::new("dpctl/set-if", "dp iface...", 2, usize::MAX, |s, _, c| done(each(s, c, set_if))),
];

fn done(r: Result<String, String>) -> Outcome {
    Outcome::Done(r.map(Into::into))
}

/// `eth0,type=system,port_no=3,key=value`
struct PortText {
    name: String,
    options: BTreeMap<String, String>,
}

impl PortText {
    fn parse(text: &str) -> Option<PortText> {
        let mut parts = text.split(',').filter(|p| !p.is_empty());
        let name = parts.next()?.to_string();
        let options = parts.map(|p| p.split_once('=').unwrap_or((p, "")));
        Some(PortText { name, options: options.map(|(k, v)| (k.to_string(), v.to_string())).collect() })
    }

    fn take_number(&mut self) -> Option<u32> {
        let text = self.options.remove("port_no")?;
        let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        Some(text[..digits].parse().unwrap_or(0))
    }
}

fn open_failed(name: &str, e: &DevError) -> String {
    error(format!("{name}: failed to open network device ({})", e.what))
}

fn add_dp(s: &mut Switch, call: &Call) -> Result<String, String> {
    let (_, args) = Options::parse(call.args())?;
    let [name, interfaces @ ..] = args else { return Ok(String::new()) };
    let (kind, short) = name.split_once('@').unwrap_or(("system", name));
    let failed = |e: &str| error(format!("add_dp ({e})"));
    if !known_type(s, kind) {
        return Err(failed("Address family not supported by protocol"));
    }
    if short.is_empty() || short.len() > 15 || short.contains('/') {
        return Err(failed("Invalid argument"));
    }
    match lookup(s, name) {
        Ok(_) => return Err(failed("File exists")),
        Err("No such device") => {}
        Err(e) => return Err(failed(e)),
    }
    let (kind, full) = (kind.to_string(), format!("{kind}@{short}"));
    let port_kind = s.registry().port_type(&kind, "internal").unwrap_or("internal");
    let opened = if port_kind == "tap" { "internal" } else { port_kind };
    let device = s.registry().open(short, opened).map_err(|e| failed(&e.what))?;
    let mut backer = s.new_backer(&kind);
    backer.own_name = Some(short.to_string());
    // Nobody answers its misses, so that there is nothing to remember of them.
    backer.dp.tunables().flow_limit.store(0, Relaxed);
    backer.dp.add_port(DpPort(0), device).map_err(|e| failed(&reason(&e)))?;
    s.backers.insert(full, backer);
    let mut errors = String::new();
    for text in interfaces {
        if let Err(e) = add_if(s, name, text) {
            errors.push_str(&e);
        }
    }
    if errors.is_empty() { Ok(errors) } else { Err(errors) }
}

/// A datapath that bridges are on stays: they need it, and would make it again.
fn del_dp(s: &mut Switch, call: &Call) -> Result<String, String> {
    let (_, args) = Options::parse(call.args())?;
    let name = args.first().map_or("", String::as_str);
    let full = match lookup(s, name) {
        Ok(b) => b.name(),
        Err(e) => return Err(error(format!("opening datapath ({e})"))),
    };
    s.backers.remove(&full);
    Ok(String::new())
}

/// Runs a command over each interface named; those that fail do not keep it from the others.
fn each(
    s: &mut Switch,
    call: &Call,
    f: fn(&mut Switch, &str, &str) -> Result<(), String>,
) -> Result<String, String> {
    let (_, args) = Options::parse(call.args())?;
    let [name, interfaces @ ..] = args else { return Ok(String::new()) };
    lookup(s, name).map_err(|e| error(format!("opening datapath ({e})")))?;
    let errors: String = interfaces.iter().filter_map(|i| f(s, name, i).err()).collect();
    if errors.is_empty() { Ok(errors) } else { Err(errors) }
}

fn reason(e: &DpError) -> String {
    match e {
        DpError::PortExists(_) => "Device or resource busy".into(),
        DpError::NoPort(_) => "No such device".into(),
        DpError::Device(d) => d.what.clone(),
        _ => "Invalid argument".into(),
    }
}

fn backer<'a>(s: &'a mut Switch, datapath: &str) -> Result<&'a mut Backer, String> {
    lookup(s, datapath).map_err(|e| error(format!("opening datapath ({e})")))
}

fn add_if(s: &mut Switch, datapath: &str, text: &str) -> Result<(), String> {
    let Some(mut port) = PortText::parse(text) else {
        return Err(error(format!("{text} is not a valid network device name")));
    };
    let number = port.take_number();
    let kind = port.options.remove("type").unwrap_or_else(|| "system".into());
    let (dp_kind, _) = datapath.split_once('@').unwrap_or(("system", datapath));
    let by_name = dp_kind == "dummy" || s.registry().dummy_mode() == DummyMode::Override;
    let failed = |e: &str| error(format!("adding {} to {datapath} failed ({e})", port.name));
    if backer(s, datapath)?.port_number(&port.name).is_some() {
        return Err(failed("File exists"));
    }
    let shown = s.registry().port_type(dp_kind, &kind).unwrap_or("system");
    let opened = if kind == "internal" && shown != "tap" { shown } else { kind.as_str() };
    let mut device = s.registry().open(&port.name, opened).map_err(|e| open_failed(&port.name, &e))?;
    device.set_options(&port.options).map_err(|e| {
        error(format!("{}: failed to configure network device ({})", port.name, e.trim_end()))
    })?;
    if by_name {
        device.set_admin_up(true).map_err(|e| open_failed(&port.name, &e))?;
    }
    let b = backer(s, datapath)?;
    let number = match number {
        Some(n) if n == 0 || b.ports.contains_key(&n) => return Err(failed("Device or resource busy")),
        Some(n) => Some(DpPort(n)),
        None => datapath_number(&port.name, by_name, &b.ports),
    };
    let number = number.ok_or_else(|| failed("No space left on device"))?;
    b.dp.add_port(number, device).map_err(|e| failed(&reason(&e)))?;
    b.ports.insert(number.0, DpPortInfo { name: port.name.clone(), kind: shown, options: port.options });
    Ok(())
}

fn set_if(s: &mut Switch, datapath: &str, text: &str) -> Result<(), String> {
    let Some(mut port) = PortText::parse(text) else {
        return Err(error(format!("{text} is not a valid network device name")));
    };
    let wanted = port.take_number();
    let kind = port.options.remove("type");
    let b = backer(s, datapath)?;
    let name = &port.name;
    let Some(number) = b.port_number(name) else {
        return Err(error(format!("{name}: failed to query port in {datapath} (No such device)")));
    };
    let is = if number.0 == 0 { b.own_kind } else { b.ports.get(&number.0).map_or("", |p| p.kind) };
    if let Some(kind) = kind.filter(|k| k != is) {
        return Err(error(format!("{name}: can't change type from {is} to {kind}")));
    }
    if let Some(n) = wanted.filter(|n| *n != number.0) {
        return Err(error(format!("{name}: can't change port number from {} to {n}", number.0)));
    }
    let mut options = b.ports.get(&number.0).map(|p| p.options.clone()).unwrap_or_default();
    for (key, value) in port.options.clone() {
        if value.is_empty() {
            options.remove(&key);
        } else {
            options.insert(key, value);
        }
    }
    if let Some(device) = b.dp.device_mut(number) {
        device
            .set_options(&options)
            .map_err(|e| error(format!("{name}: failed to configure network device ({})", e.trim_end())))?;
    }
    if let Some(p) = b.ports.get_mut(&number.0) {
        p.options = options;
    }
    Ok(())
}

/// Ports that an interface in the database asks for stay.
fn del_if(s: &mut Switch, datapath: &str, text: &str) -> Result<(), String> {
    let is_number = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let b = backer(s, datapath)?;
    let number = if is_number {
        text.parse().map(DpPort).unwrap_or(DpPort::NONE)
    } else {
        b.port_number(text).ok_or_else(|| error(format!("no port named {text}")))?
    };
    let failed = |e: &str| Err(error(format!("deleting port {text} from {datapath} failed ({e})")));
    if number.0 == 0 {
        return failed("Invalid argument");
    }
    if b.map.get(number).is_some() {
        return failed("Device or resource busy");
    }
    match b.dp.del_port(number) {
        Ok(_) => {
            b.ports.remove(&number.0);
            Ok(())
        }
        Err(e) => failed(&reason(&e)),
    }
}
