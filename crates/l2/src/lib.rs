//! Layer-2 protocol machines of one shape: values that are told the time and what arrived, and give back effects.
//!
//! What translation needs of a machine it reads from a *view*: an immutable copy-on-write image that costs a handful of
//! reference counts to publish ([`cow`]).

pub mod cow;
pub mod mac_learning;

pub use cow::CowMap;
pub use mac_learning::{BundleId, MacKey, MacTable, MacView};
