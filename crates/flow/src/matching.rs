//! The match, in its wide, working form.

use crate::field::{Field, Location, Subfield};
use crate::key::{FlowKey, Mask, Value};
use crate::tun::TunLayout;
use std::sync::Arc;

/// A key with the bits of it that count. Key bits outside the mask are zero.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct Match {
    /// Values.
    pub key: FlowKey,
    /// Which bits count.
    pub mask: Mask,
    /// Where the tunnel options lie, if this match does not follow its switch's table (it was read from text or
    /// from a message without one).
    pub tun: Option<Arc<TunLayout>>,
}

impl Match {
    /// Matches every packet.
    pub fn any() -> Match {
        Match::default()
    }

    /// A match on exactly `key`.
    pub fn exact(key: &FlowKey) -> Match {
        Match { key: key.clone(), mask: Mask::exact(), tun: None }
    }

    /// A match on `key` under `mask`.
    pub fn masked(key: &FlowKey, mask: &Mask) -> Match {
        let mut key = key.clone();
        key.apply_mask(mask);
        Match { key, mask: mask.clone(), tun: None }
    }

    /// Matches a field exactly.
    pub fn set(&mut self, field: Field, value: Value) {
        if field == Field::DL_VLAN && value & 0xffff == 0xffff {
            self.set(Field::VLAN_TCI, 0);
            return;
        }
        self.set_masked(field, value, u128::MAX);
    }

    /// Matches the bits of a field that are in `mask`; the field's other bits become wild.
    pub fn set_masked(&mut self, field: Field, value: Value, mask: Value) {
        let info = field.info();
        if let Location::Bits { start, len } = info.location {
            let mask = mask & info.valid;
            self.mask.0.store_bits(start, len, mask, info.valid);
            self.key.store_bits(start, len, value & mask, info.valid);
            return;
        }
        self.clear(field);
        self.mask.set(field, mask);
        if self.mask.get(field) != 0 {
            self.key.set(field, value & mask);
        }
    }

    /// Matches some bits of a field as well as those that it matches already.
    pub fn set_sub(&mut self, sub: Subfield, value: Value) {
        self.mask.or_sub(sub);
        self.key.set_sub(sub, value);
    }

    /// Makes a field wild.
    pub fn clear(&mut self, field: Field) {
        self.mask.clear(field);
        let (first, end) = field.info().words();
        for (k, m) in self.key.words[first..end].iter_mut().zip(&self.mask.0.words[first..end]) {
            *k &= m;
        }
    }

    /// Value and mask of a field.
    pub fn get(&self, field: Field) -> (Value, Value) {
        let info = field.info();
        if let Location::Bits { start, len } = info.location {
            let of = |key: &FlowKey| key.load_bits(start, len) & info.valid;
            return (of(&self.key), of(&self.mask.0));
        }
        (self.key.get(field), self.mask.get(field))
    }

    /// Whether a packet's key is matched.
    pub fn matches(&self, key: &FlowKey) -> bool {
        self.key.equal_under(key, &self.mask)
    }

    /// Whether the match says anything about tunnel options.
    pub fn tun_option(&self, layout: &TunLayout, n: u8) -> Option<(&[u8], &[u8])> {
        Some((layout.bytes(&self.key, n)?, layout.bytes(&self.mask.0, n)?))
    }
}

impl std::fmt::Debug for Match {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut d = f.debug_map();
        for field in Field::all() {
            let (v, m) = self.get(field);
            if m != 0 {
                d.entry(&field, &format_args!("{v:#x}/{m:#x}"));
            }
        }
        d.finish()
    }
}
