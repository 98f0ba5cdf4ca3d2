//! Roles of controllers.

/// A controller's role.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub enum Role {
    /// Ask only.
    NoChange = 0,
    /// As good as any other.
    Equal = 1,
    /// In charge.
    Primary = 2,
    /// Read only.
    Secondary = 3,
}

/// Role request or reply.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RoleRequest {
    /// The role.
    pub role: Role,
    /// Generation of the election, if said.
    pub generation_id: Option<u64>,
}

/// Why a role changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum RoleReason {
    /// Another controller became primary.
    PrimaryRequest = 0,
    /// The switch's configuration.
    Config = 1,
    /// Experimenter data.
    Experimenter = 2,
}

/// The controller's role has changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RoleStatus {
    /// The new role.
    pub role: Role,
    /// Why.
    pub reason: RoleReason,
    /// Generation of the election.
    pub generation_id: u64,
}
