//! The engine's ports on this machine, as a project in a folder sees it: files, programs, templates, secrets, time, chance.
//!
//! [`ProjectBuilder`](crate::ProjectBuilder) puts them together; who builds a [`World`](crate::core::World) of one's own
//! takes those that fit.
//!
//! ```
//! use kamal::{core::ports::Clock as _, machine::{Environment, Surroundings, SystemClock}};
//!
//! // Templates and secrets files see these variables and no others.
//! let environment = Environment::of([("PATH", "/usr/bin:/bin"), ("DEPLOY_ENV", "staging")]);
//! let surroundings = Surroundings::new("/srv/my-app", None, environment);
//! assert!(SystemClock::default().now().as_second() > 0);
//! # drop(surroundings);
//! ```

mod chance;
mod environment;
mod local;
pub(crate) mod process;
mod programs;
mod registry;
mod secrets;
mod secrets_command;
mod slots;
mod template_world;
mod time;

pub use chance::SystemEntropy;
pub use environment::Environment;
pub use kamal_docker::registry::{Freed, Policy, Registry as ImageRegistry};
pub use local::ThisMachine;
pub use programs::{MakeRoom, TerminalAlone, make_room_on_terminal, terminal_alone};
pub use registry::FolderRegistry;
pub use secrets::FileSecrets;
pub use secrets_command::{Extract, Fetch, SecretsCommand};
pub use template_world::{ProjectTemplates, Surroundings};
pub use time::SystemClock;
