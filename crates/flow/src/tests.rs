//! Tests over every field.

use crate::*;

/// A small seeded generator.
pub(crate) struct Rng(pub u64);

impl Rng {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    pub(crate) fn wide(&mut self) -> u128 {
        (self.next() as u128) << 64 | self.next() as u128
    }
}

#[test]
fn get_returns_what_set_wrote_and_nothing_else_moves() {
    let mut rng = Rng(1);
    for field in Field::all().filter(|f| f.as_tun_metadata().is_none()) {
        for _ in 0..50 {
            let mut key = FlowKey::default();
            for w in &mut key.words {
                *w = rng.next();
            }
            if field == Field::IN_PORT {
                key.words[0] = 0;
            }
            let (v, m) = (rng.wide(), rng.wide());
            let before = key.clone();
            let old = key.get(field);
            key.set_masked(field, v, m);
            let valid = field.info().valid;
            assert_eq!(key.get(field), (old & !m | v & m) & valid, "{field}");
            key.set_masked(field, old, m);
            if !matches!(field.info().location, Location::DlVlan | Location::DlVlanPcp | Location::Port16) {
                assert!(key == before, "{field}");
            }
        }
    }
}

#[test]
fn headers_and_names_are_unique_and_found() {
    let mut seen = std::collections::HashSet::new();
    let mut names = std::collections::HashSet::new();
    for field in Field::all() {
        let info = field.info();
        assert_eq!(info.field, field);
        assert!(names.insert(info.name) && (info.alias.is_empty() || names.insert(info.alias)));
        assert_eq!(Field::from_name(info.name), Some(field));
        for h in info.headers() {
            assert!(seen.insert((h.class, h.field, h.experimenter)), "{}", h.name);
            assert_eq!(Field::from_header(h.class, h.field, h.experimenter), Some(field));
            assert_eq!(Field::from_header_name(h.name).unwrap().0, field);
        }
    }
    assert_eq!(Field::from_name("tun_metadata63"), Some(Field::tun_metadata(63)));
    assert_eq!(Field::from_name("xxreg7"), Some(Field::xxreg(7)));
    assert_eq!(Field::reg(3).header_for(4).unwrap().name, "NXM_NX_REG3");
}

#[test]
fn compact_forms_agree_with_wide_ones() {
    let mut rng = Rng(2);
    for _ in 0..300 {
        let mut make = || {
            let mut m = Match::any();
            for _ in 0..rng.next() % 6 {
                let f = Field::all().nth(rng.next() as usize % field::COUNT).unwrap();
                m.set_masked(f, rng.wide() & 0x3, if rng.next() & 1 == 0 { u128::MAX } else { 3 });
            }
            m
        };
        let (a, b) = (make(), make());
        let (ma, mb) = (MiniMatch::new(&a), MiniMatch::new(&b));
        assert!(ma.expand() == a);
        assert_eq!(ma == mb, a == b);
        assert!(ma.matches(&a.key) && ma.is_within(&ma) && ma.overlaps(&ma));
        let within = b.mask.is_subset_of(&a.mask) && a.key.equal_under(&b.key, &b.mask);
        assert_eq!(ma.is_within(&mb), within);
        let mut both = a.mask.clone();
        for (x, y) in both.0.words.iter_mut().zip(b.mask.words()) {
            *x &= y;
        }
        assert_eq!(ma.overlaps(&mb), a.key.equal_under(&b.key, &both));
        let mask = ma.mask();
        let key = MiniKey::masked(&a.key, &mask);
        assert!(key == ma.key() && key.matches(&a.key, &mask));
        assert_eq!(key.hash(7), mask.hash(&a.key, 7));
        assert!(MiniKey::new(&a.key).expand() == a.key);
    }
}

#[test]
fn registers_overlay() {
    let mut k = FlowKey::default();
    k.set(Field::xxreg(0), 0x0001_0002_0003_0004_0005_0006_0007_0008);
    assert_eq!(k.get(Field::reg(0)), 0x0001_0002);
    assert_eq!(k.get(Field::xreg(1)), 0x0005_0006_0007_0008);
    assert_eq!(k.reg(3), 0x0007_0008);
}
