//! Docker's dialect: how steps are spelled for it, and how its answers are read.

use jiff::Timestamp;

use super::{Entropy, SecretError, World};
use crate::{
    config::{Config, model::Registry},
    diagnosis::Evidence,
    error::StepFault,
    keyring::Keyring,
    name::HostName,
    query::Query,
    shell::Text,
    state::HostState,
    step::{LoginPlace, Step},
    vitals::Vitals,
};

/// Docker, spoken through a host's shell. Implemented by `kamal-docker`.
pub trait Docker: Send + Sync + std::fmt::Debug {
    /// Shell text that prints everything a host can tell about the service. It reads only and exits with 0 even where
    /// docker is missing.
    fn observe(&self, config: &Config) -> Text;

    /// Reads what [`Docker::observe`]'s text printed.
    ///
    /// # Errors
    ///
    /// What could not be understood.
    fn parse(&self, config: &Config, host: &HostName, printed: &str) -> Result<HostState, AnswerError>;

    /// What the failure of a step comes to, by its exit status and what it printed last. Where this cannot tell, the step
    /// tells: one that waits for a container failed because that is unhealthy.
    fn fault(&self, _step: &Step, _status: i32, _printed: &str) -> StepFault {
        StepFault::Other
    }

    /// What a line that a step prints tells of a layer of an image, if it does.
    fn layer(&self, _step: &Step, _line: &str) -> Option<Layer> {
        None
    }

    /// Shell text for a step, `None` when it is not one of docker's. A non-zero exit of the text means that the step
    /// failed. Every text is safe to run again.
    ///
    /// # Errors
    ///
    /// When a secret the step needs cannot be had.
    fn render(&self, step: &Step, cx: &Render<'_>) -> Result<Option<Text>, RenderError>;

    /// What it takes to log a host in to a registry, by what is known of its logins ([`HostState::logins`]); nothing is
    /// where it was not observed.
    ///
    /// # Errors
    ///
    /// When the credentials cannot be had.
    fn login(&self, registry: &Registry, secrets: &Keyring, known: &[String]) -> Result<Login, SecretError>;

    /// What the answer to [`Query::PostMortem`] shows of a container. One that is not understood is its log.
    fn evidence(&self, printed: &str) -> Evidence {
        Evidence { log: printed.lines().map(str::to_owned).collect(), ..Evidence::default() }
    }

    /// What the answer to [`Query::Survey`] tells of the host, besides what [`Docker::parse`] reads in it.
    fn vitals(&self, _printed: &str) -> Vitals {
        Vitals::default()
    }

    /// Shell text for a question whose answer a person reads. Chance is for names of containers.
    fn query(&self, query: &Query, config: &Config, entropy: &dyn Entropy) -> Text;
}

/// The proxy's dialect. Implemented by `kamal-proxy`.
pub trait Proxy: Send + Sync + std::fmt::Debug {
    /// Shell text for a step, `None` when it is not one of the proxy's. As [`Docker::render`].
    ///
    /// # Errors
    ///
    /// As [`Docker::render`].
    fn render(&self, step: &Step, cx: &Render<'_>) -> Result<Option<Text>, RenderError>;
}

/// Of a layer of an image that is fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    /// Its id.
    pub id: String,
    /// Whether the host has it by now.
    pub here: bool,
}

/// What a step's text may depend on besides the step.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Render<'a> {
    /// The configuration.
    pub config: &'a Config,
    /// The secrets of the operation.
    pub secrets: &'a Keyring,
    /// Chance, for hostnames.
    pub entropy: &'a dyn Entropy,
    /// Now, for the audit log.
    pub now: Timestamp,
    /// Who is at work, for the audit log.
    pub performer: &'a str,
}

impl<'a> Render<'a> {
    /// What there is of a configuration's secrets, in a world, for somebody at work.
    #[must_use]
    pub fn new(config: &'a Config, secrets: &'a Keyring, world: &'a World, performer: &'a str) -> Self {
        Self { config, secrets, entropy: &*world.entropy, now: world.clock.now(), performer }
    }
}

/// What it takes to log in.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Login {
    /// Nothing: docker holds these very credentials.
    Held,
    /// A [`Step::Login`] with this place.
    At(LoginPlace),
    /// An answer to [`Query::DockerConfig`], and then a [`Step::Login`] with that.
    Unread,
}

/// What a host printed makes no sense: it was cut short, or docker names something in a way that is unknown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct AnswerError(pub(crate) String);

impl AnswerError {
    /// An error in words, which name what could not be understood.
    #[must_use]
    pub fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

/// A step cannot be spelled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RenderError {
    /// A secret it needs is not there.
    #[error("{source} (needed by {needed_by})")]
    Secret {
        /// What is the matter with it.
        source: SecretError,
        /// Where it is wanted: a file on the host, a setting.
        needed_by: String,
    },
    /// It writes a file of which only the size and the digest are known.
    #[error("what {0} holds is not known: plans do not keep the contents of files")]
    Content(String),
    /// docker's configuration on the host cannot be changed.
    #[error("{0}")]
    DockerConfig(String),
    /// No adapter knows the step.
    #[error("no adapter can {0}")]
    Unknown(String),
}
