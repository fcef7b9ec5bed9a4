//! What is asked for, as a value: the operation, where, and about which version. A plan carries it, so that whoever reads
//! one from a file can apply it without knowing more.

use serde::{Deserialize, Serialize};

use crate::{name::Version, op::Op, targets::Selection};

/// What is asked for.
///
/// ```
/// use kamal_core::{op::{Deploy, Op}, request::Request, targets::Selection};
///
/// let request = Request::new(Op::Deploy(Deploy::default()))
///     .on(Selection { hosts: Some(vec!["10.0.0.1".into()]), ..Selection::default() })
///     .version("v2".parse().unwrap());
/// assert!(request.asked_version.is_some() && !request.skip_hooks);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Request {
    /// The operation.
    pub op: Op,
    /// `--hosts`, `--roles`, `--primary`.
    #[serde(default)]
    pub selection: Selection,
    /// `--version`: the version that is asked for, whole or its beginning.
    #[serde(default)]
    pub asked_version: Option<Version>,
    /// The version of the project as it is, where none is asked for.
    #[serde(default)]
    pub project_version: Option<Version>,
    /// `--skip-hooks`.
    #[serde(default)]
    pub skip_hooks: bool,
}

impl Request {
    /// An operation on all hosts.
    #[must_use]
    pub fn new(op: Op) -> Self {
        Self { op, selection: Selection::default(), asked_version: None, project_version: None, skip_hooks: false }
    }

    /// On some hosts or roles.
    #[must_use]
    pub fn on(mut self, selection: Selection) -> Self {
        self.selection = selection;
        self
    }

    /// About a version, or the one that begins so.
    #[must_use]
    pub fn version(mut self, version: Version) -> Self {
        self.asked_version = Some(version);
        self
    }

    /// In a project that is at a version, which counts where none is asked for.
    #[must_use]
    pub fn project_version(mut self, version: Version) -> Self {
        self.project_version = Some(version);
        self
    }

    /// Without hooks.
    #[must_use]
    pub fn skip_hooks(mut self) -> Self {
        self.skip_hooks = true;
        self
    }
}
