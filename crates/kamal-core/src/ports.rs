//! The engine's ports: object-safe traits through which every effect goes. Adapters implement them; tests give a
//! simulated fleet.

mod docker;
mod exec;
mod local;
mod secrets;
mod world;

pub use docker::{AnswerError, BuildError, BuildOrder, Docker, Proxy, Render, RenderError};
pub use exec::{Chunk, Exec, Exit, Ssh, TransportError, TransportErrorKind};
pub use local::{Claim, Command, Local, LocalError, LocalFolders};
pub use secrets::{SecretError, SecretErrorKind, Secrets};
pub use world::{Clock, Entropy, Events, TemplateError, Templates, World};
