//! A new process takes the place of a running one, and no connection is refused meanwhile (spec 12.4.8).
//!
//! Beside its state file a proxy listens on a Unix socket for a successor. It hands over its listening sockets, what it
//! serves and which targets are unwell, and goes on serving until the successor says that it serves too; only then does
//! it stop accepting, finish what it is doing, and end. A successor that fails before that changes nothing.
//!
//! Connections are never moved: those in the kernel's queue of a listening socket belong to whoever accepts next, and
//! those accepted are finished by the process that accepted them.

pub(crate) mod give;
pub(crate) mod take;
mod wire;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::go_duration::GoDuration;
use super::state::Element;

/// What a successor says first.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Take {
    version: u32,
    /// How long the predecessor may take to finish what it is doing.
    drain_timeout: GoDuration,
}

/// Raised when predecessor and successor would misunderstand each other.
const VERSION: u32 = 1;
/// What the successor says once it serves, and the predecessor once it no longer accepts.
const READY: &str = "ready";
const YOURS: &str = "yours";

/// What is handed over besides the sockets.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Estate {
    /// The names of the sockets, in their order.
    pub(crate) sockets: Vec<String>,
    /// As in the state file.
    pub(crate) services: Vec<Element>,
    /// The targets of each service that get no requests for now.
    pub(crate) unhealthy: BTreeMap<String, Vec<String>>,
}
