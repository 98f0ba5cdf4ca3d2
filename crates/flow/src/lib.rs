//! Flows: the field table, keys and masks, matches, how packets become keys and keys become text.
//!
//! Everything generic is driven by the table in [`field`]; everything stored follows the one layout in [`layout`].

mod by_word;
pub mod compose;
pub mod extract;
pub mod field;
mod find;
pub mod key;
pub mod layout;
pub mod matching;
pub mod mini;
pub mod odp;
pub mod prereq;
pub mod text;
pub mod tun;

pub use extract::{Metadata, Offsets, PacketKey, extract, extract_key, extract_mini};
pub use field::{Field, FieldInfo, Format, Header, Location, Maskable, Prereq, Subfield};
pub use key::{FlowKey, Mask, Value};
pub use layout::WORDS;
pub use matching::Match;
pub use mini::{MiniKey, MiniMask, MiniMatch};
pub use tun::TunLayout;

#[cfg(test)]
mod tests;
