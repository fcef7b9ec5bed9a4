//! All ports together, and the small ones: time, chance, events, secrets.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use jiff::Timestamp;

use super::{Builder, Docker, Hooks, Interceptor, Local, LocalRegistry, Nothing, Proxy, Secrets, Ssh};
use crate::{event::Event, redact::Redactor, run::hooks::HookFiles, secret::Secret};

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

/// Receives what happens, in order, from [`Teller`](crate::event::Teller)s alone. Must not block: a slow display keeps a
/// queue of its own.
pub trait Events: Send + Sync + std::fmt::Debug {
    /// Takes an event.
    fn emit(&self, event: Event);

    /// True when what local programs print is shown, so that an error need not repeat it.
    fn shows_output(&self) -> bool {
        true
    }
}

/// Renders templates (ERB) among accessories' files.
#[async_trait]
pub trait Templates: Send + Sync + std::fmt::Debug {
    /// The text of a template rendered with variables added to the environment. Templates run programs: whatever
    /// blocks belongs on threads of its own.
    ///
    /// # Errors
    ///
    /// What is wrong with the template, and where.
    async fn render(&self, path: &str, text: &str, variables: &[(String, Secret)]) -> Result<String, TemplateError>;
}

/// Why a template cannot be rendered: the place in it, and what is wrong there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct TemplateError(pub(crate) String);

impl TemplateError {
    /// An error in words.
    #[must_use]
    pub fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

/// Everything outside the engine.
///
/// ```
/// use std::sync::Arc;
///
/// use kamal_core::{ports::World, testing::{Recorder, SimFleet}};
///
/// let sim = SimFleet::new(["h1"]).world();
/// let mut world = World::new(sim.ssh, sim.docker, sim.builder, sim.proxy, sim.clock, sim.entropy);
/// // What else there is takes the place of nothing, port by port.
/// world.secrets = sim.secrets;
/// world.events = Arc::new(Recorder::default());
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
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
    /// Listeners. The engine keeps secrets out of what it tells them.
    pub events: Arc<dyn Events>,
    /// Secrets.
    pub secrets: Arc<dyn Secrets>,
    /// Templates.
    pub templates: Arc<dyn Templates>,
    /// The registry on this machine, for those who have no other.
    pub registry: Arc<dyn LocalRegistry>,
    /// Keeps secrets out of what is shown and written down. It learns those the engine looks up; whoever knows of more
    /// tells it.
    pub redactor: Redactor,
}

impl World {
    /// Hosts and how they are spoken to, time and chance. Besides these there is [`Nothing`], and the hooks are the files
    /// of the project.
    #[must_use]
    pub fn new(
        ssh: Arc<dyn Ssh>,
        docker: Arc<dyn Docker>,
        builder: Arc<dyn Builder>,
        proxy: Arc<dyn Proxy>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Self {
        Self {
            ssh,
            docker,
            proxy,
            builder,
            hooks: Arc::new(HookFiles),
            interceptor: None,
            local: Arc::new(Nothing),
            clock,
            entropy,
            events: Arc::new(Nothing),
            secrets: Arc::new(Nothing),
            templates: Arc::new(Nothing),
            registry: Arc::new(Nothing),
            redactor: Redactor::default(),
        }
    }
}
