//! Fields by name and by header. Both are asked for every field of every flow, so the answers stand in hash tables,
//! which the compiler fills from the field table.

use crate::field::{COUNT, Field, FieldInfo, Header};

const SLOTS: usize = 1024;
/// What an empty slot holds.
const EMPTY: u8 = u8::MAX;

/// Numbers of fields, each at the first free slot from the one that its hash says.
type Table = [u8; SLOTS];

const fn insert(table: &mut Table, hash: u32, field: usize) {
    let mut at = hash as usize % SLOTS;
    while table[at] != EMPTY {
        at = (at + 1) % SLOTS;
    }
    table[at] = field as u8;
}

fn find(table: &Table, hash: u32, is: impl Fn(&FieldInfo) -> bool) -> Option<Field> {
    let mut at = hash as usize % SLOTS;
    while table[at] != EMPTY {
        let field = Field::from_index(usize::from(table[at]));
        if is(field.info()) {
            return Some(field);
        }
        at = (at + 1) % SLOTS;
    }
    None
}

const fn hash_name(name: &str) -> u32 {
    let bytes = name.as_bytes();
    let (mut h, mut n) = (0x811c_9dc5u32, 0);
    while n < bytes.len() {
        h = (h ^ bytes[n] as u32).wrapping_mul(0x0100_0193);
        n += 1;
    }
    h ^ h >> 15
}

const fn hash_header(class: u16, field: u8, experimenter: u32) -> u32 {
    let h = ((class as u32) << 7 | field as u32) ^ experimenter.rotate_left(11);
    h.wrapping_mul(0x9e37_79b1) >> 16
}

static NAMES: Table = {
    let (mut table, mut n) = ([EMPTY; SLOTS], 0);
    while n < COUNT {
        let info = Field::from_index(n).info();
        insert(&mut table, hash_name(info.name), n);
        if !info.alias.is_empty() {
            insert(&mut table, hash_name(info.alias), n);
        }
        n += 1;
    }
    table
};

static HEADERS: Table = {
    let (mut table, mut n) = ([EMPTY; SLOTS], 0);
    while n < COUNT {
        let (headers, mut i) = (Field::from_index(n).info().headers(), 0);
        while i < headers.len() {
            insert(&mut table, hash_header(headers[i].class, headers[i].field, headers[i].experimenter), n);
            i += 1;
        }
        n += 1;
    }
    table
};

static HEADER_NAMES: Table = {
    let (mut table, mut n) = ([EMPTY; SLOTS], 0);
    while n < COUNT {
        let (headers, mut i) = (Field::from_index(n).info().headers(), 0);
        while i < headers.len() {
            insert(&mut table, hash_name(headers[i].name), n);
            i += 1;
        }
        n += 1;
    }
    table
};

const _: () = assert!(COUNT < EMPTY as usize);

/// On-wire numbers of versions are below this.
const VERSIONS: usize = 7;

/// For each field, which of its headers to write in which version.
static PREFERRED: [[u8; VERSIONS]; COUNT] = {
    let (mut all, mut n) = ([[0; VERSIONS]; COUNT], 0);
    while n < COUNT {
        let mut version = 0;
        while version < VERSIONS {
            all[n][version] = preferred(Field::from_index(n).info().headers(), version as u8);
            version += 1;
        }
        n += 1;
    }
    all
};

/// The newest standard header that a version has, else the extension's, else the first.
const fn preferred(headers: &[Header], version: u8) -> u8 {
    let (mut best, mut since, mut n) = (0, 0, 0);
    while n < headers.len() {
        let first = headers[n].of_version;
        if first <= version && (since == 0 || first >= since) && (first != 0 || since == 0) {
            (best, since) = (n, first);
        }
        n += 1;
    }
    best as u8
}

impl Field {
    /// By primary name or alias.
    pub fn from_name(name: &str) -> Option<Field> {
        let is = |f: &FieldInfo| f.name == name || f.alias == name;
        find(&NAMES, hash_name(name), is).filter(|_| !name.is_empty())
    }

    /// By wire header; `experimenter` is 0 unless `class` is [`crate::field::CLASS_EXPERIMENTER`].
    pub fn from_header(class: u16, field: u8, experimenter: u32) -> Option<Field> {
        let is = |h: &Header| h.class == class && h.field == field && h.experimenter == experimenter;
        find(&HEADERS, hash_header(class, field, experimenter), |f| f.headers().iter().any(is))
    }

    /// By the name of a wire header, such as `NXM_OF_IN_PORT`.
    pub fn from_header_name(name: &str) -> Option<(Field, &'static Header)> {
        let named = |f: &'static FieldInfo| f.headers().iter().find(|h| h.name == name);
        let field = find(&HEADER_NAMES, hash_name(name), |f| f.headers().iter().any(|h| h.name == name))?;
        Some((field, named(field.info())?))
    }

    /// The header to write for an OpenFlow version (on-wire number, 1..=6): the newest standard one that the version
    /// has, else the extension's.
    pub fn header_for(self, of_version: u8) -> Option<&'static Header> {
        let best = PREFERRED[self.index()].get(usize::from(of_version)).copied().unwrap_or(0);
        self.info().headers().get(usize::from(best))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_standard_header_goes_first() {
        for field in Field::all() {
            let headers = field.info().headers();
            for version in 0..7 {
                let standard = headers.iter().filter(|h| h.of_version != 0 && h.of_version <= version);
                let expected = standard
                    .max_by_key(|h| h.of_version)
                    .or_else(|| headers.iter().find(|h| h.of_version == 0))
                    .or_else(|| headers.first());
                assert_eq!(field.header_for(version), expected, "{field} {version}");
            }
        }
    }
}
