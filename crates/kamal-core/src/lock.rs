//! The deploy lock as it lies on a host (spec chapter 8), and what makes it heal.
//!
//! Kamal's lock is a folder, made by `mkdir`, with a file `details`. Ours is that and a second file in it, the lease, so that
//! whoever removes the folder removes the lease with it. All that decides about a lease is in its name, which tells whose it
//! is and when he was last heard of, by the host's own count of seconds since it was started: no clock that somebody sets has
//! a say. A heartbeat, taking over and giving back are each one `rename` or `unlink` of that very name, so of several who try
//! one succeeds, and nobody can take over a lease whose holder has just been heard of.

mod held;
mod script;

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use held::{Held, Lease};
pub use script::look;
pub(crate) use script::{acquire, release, renew};

/// What Kamal writes into a lock nobody took by hand.
pub(crate) const AUTOMATIC: &str = "Automatic deploy lock";

/// The exit status of a step that takes the lock when somebody else holds it.
pub(crate) const HELD: i32 = 91;

/// The exit status of a step about a lock of ours that is ours no more.
pub(crate) const LOST: i32 = 92;

/// How often a holder lets itself be heard of.
pub(crate) const HEARTBEAT: Duration = Duration::from_secs(10);

/// A holder that was silent for longer than that is late.
pub(crate) const LATE: Duration = Duration::from_secs(15);

/// A holder that was silent for so long has lost the lock to whoever comes next.
pub const EXPIRY: Duration = Duration::from_secs(30);

/// A program on a machine, so that others there can tell whether it still runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The system's user.
    pub user: String,
    /// The machine's name.
    pub machine: String,
    /// Where numbers of processes mean the same: one boot of one machine, one namespace, one user. Empty where that cannot
    /// be told.
    pub space: String,
    /// The number of the process; 0 where that cannot be told.
    pub process: u32,
    /// When the process began, in whatever form the machine tells it: numbers are used again.
    pub began: String,
    /// The page of the CI job it runs in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

/// `ann on laptop, process 4711 (https://ci.example.com/1)`.
impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let known = |text: &str| if text.is_empty() { "unknown".to_owned() } else { text.to_owned() };
        write!(f, "{} on {}", known(&self.user), known(&self.machine))?;
        if self.process != 0 {
            write!(f, ", process {}", self.process)?;
        }
        self.url.as_ref().map_or(Ok(()), |url| write!(f, " ({url})"))
    }
}

/// Who holds a lock, and what for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Where from.
    pub origin: Origin,
    /// What is being done: `deploy v2`.
    pub doing: String,
}

/// How a lock is to be taken.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Taking {
    /// Kamal's three lines.
    pub details: String,
    /// A random name for the lease.
    pub id: String,
    /// By whom.
    pub holder: Holder,
    /// True when it is held until somebody releases it, heard of or not.
    pub by_hand: bool,
    /// The lease it is taken over from.
    pub instead_of: Option<Lease>,
}
