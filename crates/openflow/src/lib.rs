//! OpenFlow 1.0 to 1.5 with the Nicira and ONF extensions: typed messages, actions and errors, their codec for
//! every version, their text both ways. No I/O.

#![doc = include_str!("../README.md")]

pub mod action;
pub mod buf;
pub mod codec;
pub mod fixed_match;
mod form;
pub mod kind;
pub mod msg;
pub mod multipart;
pub mod ofperr;
pub mod oxm;
pub mod port_map;
pub mod prereq;
pub mod text;
pub mod version;

pub use action::Action;
pub use buf::{Decode, DecodeError};
pub use codec::{Codec, Unencodable};
pub use msg::Message;
pub use ofperr::OfpErr;
pub use port_map::{NameMap, Names, NoNames};
pub use version::{Protocol, ProtocolSet, Version, VersionSet};
