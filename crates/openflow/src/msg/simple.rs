//! Hello, echo, error, barrier and switch description.

use crate::ofperr::OfpErr;
use crate::version::{Version, VersionSet};

/// Version negotiation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Hello {
    /// Version of the message itself, the highest that the sender supports.
    pub version: u8,
    /// What the sender supports: its bitmap, or, without one, all versions up to the header's.
    pub versions: VersionSet,
    /// Whether there was something in the message that we did not understand.
    pub odd: bool,
}

impl Hello {
    /// The hello of a sender that supports `versions`.
    pub fn new(versions: VersionSet) -> Hello {
        let version = versions.highest().unwrap_or(Version::V10).wire();
        Hello { version, versions, odd: false }
    }
}

/// An error, with as much of the offending message as the sender wanted to give.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ErrorMsg {
    /// What is wrong.
    pub error: OfpErr,
    /// The offending message's bytes, or the text of a failed hello.
    pub data: Vec<u8>,
}

/// Description of a switch. Strings are as on the wire, up to the first zero.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct DescStats {
    /// Manufacturer, up to 255 bytes.
    pub manufacturer: String,
    /// Hardware, up to 255 bytes.
    pub hardware: String,
    /// Software, up to 255 bytes.
    pub software: String,
    /// Serial number, up to 31 bytes.
    pub serial: String,
    /// Description of the datapath, up to 255 bytes.
    pub datapath: String,
}
