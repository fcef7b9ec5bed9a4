//! Where a host's docker keeps its logins.

use crate::secret::Secret;

/// The exit status of a login whose place was changed by somebody else since it was read.
pub const LOGIN_OVERTAKEN: i32 = 75;

/// Where docker keeps a login.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LoginPlace {
    /// With the credential helper of this name.
    Helper(String),
    /// In its configuration, which held this when it was read.
    File(Secret),
}
