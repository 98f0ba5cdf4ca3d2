//! Nicira: the map from tunnel options to the `tun_metadata` fields.

/// What a TLV table mod does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u16)]
pub enum TlvTableModCommand {
    /// Add mappings.
    Add = 0,
    /// Delete mappings.
    Delete = 1,
    /// Delete all.
    Clear = 2,
}

/// One option.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TlvMapping {
    /// Option class.
    pub option_class: u16,
    /// Option type.
    pub option_type: u8,
    /// Bytes, a multiple of 4.
    pub option_len: u8,
    /// Which `tun_metadata` field.
    pub index: u16,
}

/// Change the map.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TlvTableMod {
    /// What to do.
    pub command: TlvTableModCommand,
    /// With which mappings.
    pub mappings: Vec<TlvMapping>,
}

/// The map.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TlvTableReply {
    /// Most bytes of options.
    pub max_space: u32,
    /// Most fields.
    pub max_fields: u16,
    /// The mappings.
    pub mappings: Vec<TlvMapping>,
}
