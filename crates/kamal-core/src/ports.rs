//! The engine's ports: object-safe traits through which every effect goes. Adapters implement them; tests give a
//! simulated fleet.

mod builder;
mod content;
mod docker;
mod exec;
mod hooks;
mod interceptor;
mod local;
mod local_registry;
mod nothing;
mod secrets;
mod world;

pub use builder::{BuildError, BuildOrder, Builder, Built, ImageLayer, ImageVariant};
pub use content::{Content, Pieces};
pub use docker::{AnswerError, Docker, Layer, Login, Proxy, Render, RenderError};
pub use exec::{Chunk, Exec, Exit, Ssh, TransportError, TransportErrorKind};
pub use hooks::{HookOrder, HookProject, Hooks};
pub use interceptor::{Interceptor, Moment, Refusal};
pub use local::{Claim, Command, Local, LocalError, LocalFolders, Scratch};
pub use local_registry::{
    Access, LocalRegistry, ReachError, Reached, RegistryError, Relay, Relaying, Sent, Serving, StoredImage,
};
pub use nothing::Nothing;
pub use secrets::{SecretError, SecretErrorKind, Secrets};
pub use world::{Clock, Entropy, Events, TemplateError, Templates, World};
