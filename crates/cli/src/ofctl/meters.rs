//! Meters.

use super::context::{Connection, Context};
use crate::fatal::Fatal;
use base::MeterId;
use openflow::msg::{Message, MeterConfig, MeterModCommand, StatsRequest};
use openflow::text::TextCx;
use openflow::text::meter::parse_meter_mod;
use openflow::version::ProtocolSet;
use std::process::ExitCode;

fn open(c: &Context, switch: &str) -> Result<Connection, Fatal> {
    c.open_for_changes(switch, ProtocolSet::OF13_UP)
}

fn modify(c: &Context, args: &[String], command: MeterModCommand) -> Result<ExitCode, Fatal> {
    let names = c.names(&args[0]);
    let mut cx = TextCx::new(&names);
    let text = args.get(1).map_or("meter=all", String::as_str);
    let parsed = parse_meter_mod(text, command, &mut cx);
    c.log_parse(&mut cx);
    let m = parsed.map_err(Fatal::new)?;
    let mut conn = open(c, &args[0])?;
    let request = c.encode(&conn, &Message::MeterMod(Box::new(m)))?;
    c.perform(&mut conn, [request])?;
    Ok(ExitCode::SUCCESS)
}

pub fn add_meter(c: &mut Context, args: &[String]) -> Result<ExitCode, Fatal> {
    modify(c, args, MeterModCommand::Add)
}

pub fn mod_meter(c: &mut Context, args: &[String]) -> Result<ExitCode, Fatal> {
    modify(c, args, MeterModCommand::Modify)
}

pub fn del_meters(c: &mut Context, args: &[String]) -> Result<ExitCode, Fatal> {
    modify(c, args, MeterModCommand::Delete)
}

fn request(c: &Context, args: &[String], make: fn(MeterId) -> StatsRequest) -> Result<ExitCode, Fatal> {
    let meter = match args.get(1) {
        None => MeterConfig::ALL,
        Some(text) => {
            let names = c.names(&args[0]);
            let mut cx = TextCx::new(&names);
            let parsed = parse_meter_mod(text, MeterModCommand::Delete, &mut cx);
            c.log_parse(&mut cx);
            parsed.map_err(Fatal::new)?.config.meter
        }
    };
    let mut conn = open(c, &args[0])?;
    c.dump_stats(&mut conn, make(meter), &openflow::NoNames)?;
    Ok(ExitCode::SUCCESS)
}

pub fn dump_meters(c: &mut Context, args: &[String]) -> Result<ExitCode, Fatal> {
    request(c, args, StatsRequest::MeterConfig)
}

pub fn meter_stats(c: &mut Context, args: &[String]) -> Result<ExitCode, Fatal> {
    request(c, args, StatsRequest::Meter)
}

pub fn meter_features(c: &mut Context, args: &[String]) -> Result<ExitCode, Fatal> {
    request(c, &args[..1], |_| StatsRequest::MeterFeatures)
}
