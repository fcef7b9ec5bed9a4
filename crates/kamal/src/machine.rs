//! The engine's ports on this machine, as a project in a folder sees it: files, programs, templates, secrets, time, chance.

mod chance;
mod environment;
mod local;
mod outside;
pub(crate) mod process;
mod programs;
mod registry;
mod secrets;
mod secrets_command;
mod slots;
mod time;

pub use chance::SystemEntropy;
pub use environment::Environment;
pub use kamal_docker::registry::{Freed, Policy, Registry as ImageRegistry};
pub use local::ThisMachine;
pub use outside::{ProjectTemplates, Surroundings};
pub use programs::terminal_alone;
pub use registry::FolderRegistry;
pub use secrets::FileSecrets;
pub use secrets_command::{Extract, Fetch, SecretsCommand};
pub use time::SystemClock;
