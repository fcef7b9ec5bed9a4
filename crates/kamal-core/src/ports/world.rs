//! All ports together, and the small ones: time, chance, events, secrets.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use jiff::Timestamp;

use super::{Builder, Docker, Hooks, Interceptor, Local, Proxy, Ssh};
use crate::{event::EventKind, redact::Redactor, secret::Secret};

/// Time.
#[async_trait]
pub trait Clock: Send + Sync + std::fmt::Debug {
    /// The wall clock.
    fn now(&self) -> Timestamp;

    /// Time that only goes forward, from any beginning.
    fn elapsed(&self) -> Duration;

    /// Waits.
    async fn sleep(&self, duration: Duration);
}

/// Chance.
pub trait Entropy: Send + Sync + std::fmt::Debug {
    /// So many lower-case hexadecimal digits.
    fn hex(&self, digits: usize) -> String;
}

/// Receives what happens, in order. Must not block: a slow display keeps a queue of its own.
pub trait Events: Send + Sync + std::fmt::Debug {
    /// Takes an event.
    fn emit(&self, event: EventKind);

    /// True when what local programs print is shown, so that an error need not repeat it.
    fn shows_output(&self) -> bool {
        true
    }
}

/// Looks secrets up by key.
pub trait Secrets: Send + Sync + std::fmt::Debug {
    /// The secret something needs, or a message that names the key and where it was looked for.
    fn get(&self, key: &str) -> Result<Secret, String>;

    /// Several at once, the answers in the order of the keys. Where a secret takes a command or a question to a
    /// password manager, these go on side by side.
    fn get_many(&self, keys: &[&str]) -> Vec<Result<Secret, String>> {
        keys.iter().map(|key| self.get(key)).collect()
    }

    /// All of them, in the order of the files: what hooks get to see.
    fn all(&self) -> Result<Vec<(String, Secret)>, String>;

    /// What covers the secrets handed out so far, wherever something is shown or written down.
    fn redactor(&self) -> &Redactor;
}

/// Renders templates (ERB) among accessories' files.
pub trait Templates: Send + Sync + std::fmt::Debug {
    /// The text of a template rendered with variables added to the environment. The error names the place.
    fn render(&self, path: &str, text: &str, variables: &[(String, Secret)]) -> Result<String, String>;
}

/// Everything outside the engine.
#[derive(Clone, Debug)]
pub struct World {
    /// Hosts.
    pub ssh: Arc<dyn Ssh>,
    /// Docker's dialect.
    pub docker: Arc<dyn Docker>,
    /// The proxy's dialect.
    pub proxy: Arc<dyn Proxy>,
    /// Who builds images.
    pub builder: Arc<dyn Builder>,
    /// Hooks.
    pub hooks: Arc<dyn Hooks>,
    /// Own steps between stages, if there are any.
    pub interceptor: Option<Arc<dyn Interceptor>>,
    /// The local machine.
    pub local: Arc<dyn Local>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub entropy: Arc<dyn Entropy>,
    /// Listeners. [`Redacted`](crate::redact::Redacted) keeps secrets out of what they are told.
    pub events: Arc<dyn Events>,
    /// Secrets.
    pub secrets: Arc<dyn Secrets>,
    /// Templates.
    pub templates: Arc<dyn Templates>,
}
