//! Group-mods and meter-mods.

use crate::flow_mod::check_references;
use crate::group::{Group, GroupCounters, Pair};
use crate::meter::Meter;
use crate::state::State;
use base::{GroupId, MeterId, Time};
use openflow::OfpErr;
use openflow::msg::{
    Bucket, GroupMod, GroupModCommand, GroupType, MeterConfig, MeterFeatures, MeterMod, MeterModCommand,
};
use std::collections::HashMap;
use std::sync::Arc;

/// Most meters.
pub const MAX_METERS: u32 = 262_144;
/// Most bands of a meter.
pub const MAX_BANDS: u8 = 8;
/// Most buckets of a group, so that one message cannot be made to grow without limit by inserting.
const MAX_BUCKETS: usize = 65_536;

/// What meters can do. That bands may change the DSCP as well is not said: it goes beyond the reference, whose answer
/// scripts compare.
pub fn meter_features() -> MeterFeatures {
    MeterFeatures {
        max_meters: MAX_METERS,
        band_types: 1 << 1,
        capabilities: u32::from(
            MeterConfig::KBPS | MeterConfig::PKTPS | MeterConfig::BURST | MeterConfig::STATS,
        ),
        max_bands: MAX_BANDS,
        max_color: 0,
    }
}

/// Carries out a group-mod. On error nothing has changed.
pub fn group_mod(state: &mut State, gm: &GroupMod, now: Time) -> Result<(), OfpErr> {
    match gm.command {
        GroupModCommand::Add => {
            if state.tables().group(gm.group).is_some() {
                return Err(OfpErr::OFPGMFC_GROUP_EXISTS);
            }
            add(state, gm, now)
        }
        GroupModCommand::Modify => modify(state, gm, now),
        GroupModCommand::AddOrModify => {
            if state.tables().group(gm.group).is_some() {
                modify(state, gm, now)
            } else {
                add(state, gm, now)
            }
        }
        GroupModCommand::Delete => {
            if gm.group == GroupId::ALL {
                let ids: Vec<GroupId> = state.tables().groups().map(|g| g.id).collect();
                ids.into_iter().for_each(|id| state.remove_group(id));
            } else {
                state.remove_group(gm.group);
            }
            Ok(())
        }
        GroupModCommand::InsertBucket => insert_buckets(state, gm, now),
        GroupModCommand::RemoveBucket => remove_buckets(state, gm, now),
    }
}

fn check(state: &State, gm: &GroupMod) -> Result<(), OfpErr> {
    if gm.group > GroupId::MAX {
        return Err(OfpErr::OFPGMFC_INVALID_GROUP);
    }
    if gm.kind == GroupType::Indirect && gm.buckets.len() != 1 {
        return Err(OfpErr::OFPGMFC_INVALID_GROUP);
    }
    for b in &gm.buckets {
        check_bucket(state, b)?;
    }
    Ok(())
}

/// Meters in a bucket must exist; groups need not yet: they may be added later, and a chain that loops dies of the
/// translation's depth limit.
fn check_bucket(state: &State, bucket: &Bucket) -> Result<(), OfpErr> {
    match check_references(state, &bucket.actions) {
        Err(OfpErr::OFPBAC_BAD_OUT_GROUP) | Ok(()) => Ok(()),
        Err(e) => Err(e),
    }
}

fn add(state: &mut State, gm: &GroupMod, now: Time) -> Result<(), OfpErr> {
    check(state, gm)?;
    state.put_group(Arc::new(Group::new(gm.group, gm.kind, gm.buckets.clone(), gm.props.clone(), now)));
    Ok(())
}

fn modify(state: &mut State, gm: &GroupMod, now: Time) -> Result<(), OfpErr> {
    let old = state.tables().group(gm.group).ok_or(OfpErr::OFPGMFC_UNKNOWN_GROUP)?.clone();
    check(state, gm)?;
    let mut new = Group::new(gm.group, gm.kind, gm.buckets.clone(), gm.props.clone(), now);
    new.created = old.created;
    state.put_group(Arc::new(new));
    Ok(())
}

/// A group with other buckets, those that stay keeping their counts.
fn with_buckets(old: &Group, buckets: Vec<Bucket>, props: Option<&GroupMod>, now: Time) -> Group {
    let counted: HashMap<u32, Arc<Pair>> =
        old.buckets.iter().zip(&old.counters.buckets).map(|(b, c)| (b.bucket_id, c.clone())).collect();
    let total = Pair::default();
    let (packets, bytes) = old.counters.total.get();
    total.credit(packets, bytes);
    let counters = GroupCounters {
        total,
        buckets: buckets.iter().map(|b| counted.get(&b.bucket_id).cloned().unwrap_or_default()).collect(),
    };
    let props = match props {
        Some(gm) if gm.props != Default::default() => gm.props.clone(),
        _ => old.props.clone(),
    };
    Group {
        id: old.id,
        kind: old.kind,
        buckets: buckets.into(),
        props,
        created: old.created,
        modified: now,
        counters,
    }
}

fn insert_buckets(state: &mut State, gm: &GroupMod, now: Time) -> Result<(), OfpErr> {
    let old = state.tables().group(gm.group).ok_or(OfpErr::OFPGMFC_UNKNOWN_GROUP)?.clone();
    for b in &gm.buckets {
        if old.buckets.iter().any(|o| o.bucket_id == b.bucket_id) {
            return Err(OfpErr::OFPGMFC_BUCKET_EXISTS);
        }
        check_bucket(state, b)?;
    }
    let mut buckets = old.buckets.to_vec();
    let at = match gm.command_bucket_id {
        Bucket::ID_FIRST => 0,
        Bucket::ID_LAST => buckets.len(),
        id if id <= Bucket::ID_MAX => {
            1 + buckets.iter().position(|b| b.bucket_id == id).ok_or(OfpErr::OFPGMFC_UNKNOWN_BUCKET)?
        }
        _ => return Err(OfpErr::OFPGMFC_UNKNOWN_BUCKET),
    };
    if buckets.len() + gm.buckets.len() > MAX_BUCKETS {
        return Err(OfpErr::OFPGMFC_OUT_OF_BUCKETS);
    }
    buckets.splice(at..at, gm.buckets.iter().cloned());
    state.put_group(Arc::new(with_buckets(&old, buckets, Some(gm), now)));
    Ok(())
}

fn remove_buckets(state: &mut State, gm: &GroupMod, now: Time) -> Result<(), OfpErr> {
    let old = state.tables().group(gm.group).ok_or(OfpErr::OFPGMFC_UNKNOWN_GROUP)?.clone();
    let mut buckets = old.buckets.to_vec();
    match gm.command_bucket_id {
        Bucket::ID_ALL => buckets.clear(),
        Bucket::ID_FIRST if !buckets.is_empty() => drop(buckets.remove(0)),
        Bucket::ID_LAST if !buckets.is_empty() => drop(buckets.pop()),
        id => {
            let at = buckets.iter().position(|b| b.bucket_id == id).ok_or(OfpErr::OFPGMFC_UNKNOWN_BUCKET)?;
            buckets.remove(at);
        }
    }
    state.put_group(Arc::new(with_buckets(&old, buckets, None, now)));
    Ok(())
}

/// Carries out a meter-mod. On error nothing has changed.
pub fn meter_mod(state: &mut State, mm: &MeterMod, now: Time) -> Result<(), OfpErr> {
    let id = mm.config.meter;
    match mm.command {
        MeterModCommand::Add | MeterModCommand::Modify => {
            let adds = mm.command == MeterModCommand::Add;
            let special = matches!(id, MeterConfig::SLOWPATH | MeterConfig::CONTROLLER);
            if id.0 == 0 || (id > MeterConfig::MAX && !special) {
                return Err(OfpErr::OFPMMFC_INVALID_METER);
            }
            let config = checked_meter(&mm.config)?;
            match (state.tables().meter(id).is_some(), adds) {
                (true, true) => return Err(OfpErr::OFPMMFC_METER_EXISTS),
                (false, false) => return Err(OfpErr::OFPMMFC_UNKNOWN_METER),
                _ => {}
            }
            if adds && state.tables().n_meters() >= MAX_METERS as usize {
                return Err(OfpErr::OFPMMFC_OUT_OF_METERS);
            }
            let mut meter = Meter::new(config, now);
            if let Some(old) = state.tables().meter(id) {
                meter.created = old.created;
            }
            state.put_meter(Arc::new(meter));
        }
        MeterModCommand::Delete if id == MeterConfig::ALL => {
            let ids: Vec<MeterId> = state.tables().meters().map(|m| m.id()).collect();
            ids.into_iter().for_each(|id| state.remove_meter(id));
        }
        MeterModCommand::Delete => state.remove_meter(id),
    }
    Ok(())
}

/// A meter as it is kept: a band that does not say how much it takes at once takes a second's worth.
fn checked_meter(config: &MeterConfig) -> Result<MeterConfig, OfpErr> {
    const UNITS: u16 = MeterConfig::KBPS | MeterConfig::PKTPS;
    let unknown = config.flags & !(UNITS | MeterConfig::BURST | MeterConfig::STATS);
    if unknown != 0 || (config.flags & UNITS).count_ones() != 1 {
        return Err(OfpErr::OFPMMFC_BAD_FLAGS);
    }
    if config.bands.is_empty() || config.bands.len() > usize::from(MAX_BANDS) {
        return Err(OfpErr::OFPMMFC_OUT_OF_BANDS);
    }
    let mut config = config.clone();
    for b in &mut config.bands {
        if b.rate == 0 {
            return Err(OfpErr::OFPMMFC_BAD_RATE);
        }
        if b.burst_size == 0 {
            b.burst_size = b.rate;
        }
    }
    Ok(config)
}
