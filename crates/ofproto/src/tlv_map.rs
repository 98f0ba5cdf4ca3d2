//! The map from tunnel options to the `tun_metadata` fields, as controllers set it up.
//!
//! Each field has a place among the key's option bytes from when it is mapped until it is unmapped; as flows hold
//! values at that place, a field that some flow matches or sets stays mapped.

use crate::rule::Rule;
use crate::tables::Tables;
use flow::{TunLayout, layout};
use openflow::OfpErr;
use openflow::msg::{TlvMapping, TlvTableMod, TlvTableModCommand, TlvTableReply};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Number of fields.
const FIELDS: u16 = 64;
/// Bytes for all options together.
const SPACE: usize = 256;

/// The map of one switch.
#[derive(Clone, Debug, Default)]
pub struct TlvMap {
    /// By field: the option, and where its bytes are.
    by_field: BTreeMap<u16, (TlvMapping, usize)>,
    layout: Arc<TunLayout>,
}

impl TlvMap {
    /// Where each field lies.
    pub fn layout(&self) -> &Arc<TunLayout> {
        &self.layout
    }

    /// The mappings, by field.
    pub fn mappings(&self) -> impl Iterator<Item = &TlvMapping> {
        self.by_field.values().map(|(m, _)| m)
    }

    /// What a controller is told.
    pub fn reply(&self) -> TlvTableReply {
        TlvTableReply {
            max_space: SPACE as u32,
            max_fields: FIELDS,
            mappings: self.mappings().copied().collect(),
        }
    }

    /// The map after a change: all of it, or an error.
    pub fn changed(&self, change: &TlvTableMod, tables: &Tables) -> Result<TlvMap, OfpErr> {
        let mut new = self.clone();
        match change.command {
            TlvTableModCommand::Add => {
                for m in &change.mappings {
                    new.add(*m)?;
                }
            }
            TlvTableModCommand::Delete => {
                let named = |m: &TlvMapping| {
                    let same =
                        |c: &TlvMapping| (c.option_class, c.option_type) == (m.option_class, m.option_type);
                    change.mappings.iter().any(same)
                };
                new.by_field.retain(|_, (m, _)| !named(m));
            }
            TlvTableModCommand::Clear => new.by_field.clear(),
        }
        let gone = self.by_field.keys().filter(|n| !new.by_field.contains_key(n));
        let gone = gone.fold(0u64, |bits, n| bits | 1 << n);
        if gone != 0 && used(tables) & gone != 0 {
            return Err(OfpErr::NXTTMFC_INVALID_TLV_DEL);
        }
        let mut layout = TunLayout::default();
        for (n, (m, at)) in &new.by_field {
            layout.place(*n as u8, *at, usize::from(m.option_len)).ok_or(OfpErr::NXTTMFC_TABLE_FULL)?;
        }
        new.layout = Arc::new(layout);
        Ok(new)
    }

    fn add(&mut self, m: TlvMapping) -> Result<(), OfpErr> {
        if m.index >= FIELDS {
            return Err(OfpErr::NXTTMFC_BAD_FIELD_IDX);
        }
        if self.by_field.contains_key(&m.index) {
            return Err(OfpErr::NXTTMFC_ALREADY_MAPPED);
        }
        let taken = |o: &TlvMapping| (o.option_class, o.option_type) == (m.option_class, m.option_type);
        if self.mappings().any(taken) {
            return Err(OfpErr::NXTTMFC_DUP_ENTRY);
        }
        let at = self.room(usize::from(m.option_len)).ok_or(OfpErr::NXTTMFC_TABLE_FULL)?;
        self.by_field.insert(m.index, (m, at));
        Ok(())
    }

    /// The first place with so many free bytes in a row.
    fn room(&self, len: usize) -> Option<usize> {
        let mut taken: Vec<(usize, usize)> =
            self.by_field.values().map(|(m, at)| (*at, at + usize::from(m.option_len))).collect();
        taken.sort_unstable();
        let mut at = 0;
        for (from, to) in taken {
            if from >= at + len {
                break;
            }
            at = to;
        }
        (at + len <= SPACE.min(layout::TUN_OPTS_LEN)).then_some(at)
    }
}

/// The fields that flows use, as bits. A change of the map is rare, so that it may look at every flow.
fn used(tables: &Tables) -> u64 {
    let flows = tables.iter().flat_map(|(_, t)| t.flows.iter());
    flows.fold(0, |bits, e| bits | used_by(&e.0))
}

fn used_by(rule: &Rule) -> u64 {
    let matched = rule.matching.mask().expand().0.u64_at(layout::TUN_OPTS_PRESENT);
    matched | openflow::action::tun_options(&rule.actions)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(list: &[(u16, u8, u8, u16)]) -> TlvTableMod {
        let one = |&(option_class, option_type, option_len, index): &(u16, u8, u8, u16)| TlvMapping {
            option_class,
            option_type,
            option_len,
            index,
        };
        TlvTableMod { command: TlvTableModCommand::Add, mappings: list.iter().map(one).collect() }
    }

    #[test]
    fn adding_deleting_and_conflicts() {
        let tables = Tables::default();
        let mut m = TlvMap::default();
        let list = [(0xffff, 0, 4, 0), (0xffff, 1, 8, 1)];
        m = m.changed(&map(&list), &tables).unwrap();
        let cases = [
            ((0xffff, 9, 4, 0), OfpErr::NXTTMFC_ALREADY_MAPPED),
            ((0xffff, 0, 4, 5), OfpErr::NXTTMFC_DUP_ENTRY),
            ((0xffff, 0, 4, 0), OfpErr::NXTTMFC_ALREADY_MAPPED),
            ((0xffff, 7, 4, 64), OfpErr::NXTTMFC_BAD_FIELD_IDX),
        ];
        for (mapping, error) in cases {
            assert_eq!(m.changed(&map(&[mapping]), &tables).err(), Some(error), "{mapping:?}");
        }
        // Within one message, and then none of it counts.
        let twice = [(1, 7, 4, 6), (1, 7, 4, 7)];
        assert_eq!(m.changed(&map(&twice), &tables).err(), Some(OfpErr::NXTTMFC_DUP_ENTRY));
        let much = [(1, 7, 124, 6), (1, 8, 124, 7)];
        assert_eq!(m.changed(&map(&much), &tables).err(), Some(OfpErr::NXTTMFC_TABLE_FULL));
        m = m.changed(&map(&[(1, 7, 120, 6), (1, 8, 120, 7), (1, 9, 4, 8)]), &tables).unwrap();
        assert_eq!(m.reply().mappings.len(), 5);
        assert_eq!(m.layout().len_of(7), 120);
        // Deleting goes by the option alone; what is not there is gone.
        let delete =
            TlvTableMod { command: TlvTableModCommand::Delete, ..map(&[(1, 8, 4, 9), (2, 7, 4, 1)]) };
        m = m.changed(&delete, &tables).unwrap();
        assert_eq!(m.mappings().map(|m| m.index).collect::<Vec<_>>(), [0, 1, 6, 8]);
        m = m.changed(&map(&[(1, 8, 116, 7)]), &tables).unwrap();
        let clear = TlvTableMod { command: TlvTableModCommand::Clear, mappings: Vec::new() };
        assert_eq!(m.changed(&clear, &tables).unwrap().reply().mappings, []);
    }
}
