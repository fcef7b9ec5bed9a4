//! The Docker port: turns steps into docker scripts, reads their answers, builds images.

#[cfg(feature = "registry")]
pub mod registry;

mod build;
mod clues;
mod config_file;
mod credentials;
mod fault;
mod hub;
mod layer;
mod login;
mod network;
mod observe;
mod post_mortem;
mod proxy;
mod query;
mod relay;
mod rename;
mod render;
mod sections;
mod services;
mod survey;
mod swarm;

use async_trait::async_trait;
use kamal_core::{
    config::{Config, model::Registry},
    diagnosis::Evidence,
    error::StepFault,
    keyring::Keyring,
    name::HostName,
    ports::{
        AnswerError, BuildError, BuildOrder, Builder, Built, Docker, Entropy, Layer, Login, Render, RenderError,
        SecretError,
    },
    query::Query,
    shell::Text,
    state::HostState,
    step::Step,
    vitals::Vitals,
};

/// The command that prints what processors a docker has, in `uname`'s spelling.
pub const ARCHITECTURE_QUESTION: &str = "docker info --format '{{.Architecture}}'";

/// Docker's command line, on hosts and locally.
#[derive(Clone, Copy, Debug, Default)]
pub struct DockerCli;

impl Docker for DockerCli {
    fn observe(&self, config: &Config) -> Text {
        observe::text(config)
    }

    fn parse(&self, config: &Config, host: &HostName, printed: &str) -> Result<HostState, AnswerError> {
        observe::parse(config, host, printed)
    }

    fn fault(&self, step: &Step, status: i32, printed: &str) -> StepFault {
        fault::of(step, status, printed)
    }

    fn layer(&self, step: &Step, line: &str) -> Option<Layer> {
        layer::of(step, line)
    }

    fn evidence(&self, printed: &str) -> Evidence {
        post_mortem::read(printed)
    }

    fn vitals(&self, printed: &str) -> Vitals {
        survey::read(printed)
    }

    fn render(&self, step: &Step, cx: &Render<'_>) -> Result<Option<Text>, RenderError> {
        render::step(step, cx)
    }

    fn login(&self, registry: &Registry, secrets: &Keyring, known: &[String]) -> Result<Login, SecretError> {
        login::needed(registry, secrets, known)
    }

    fn query(&self, query: &Query, config: &Config, entropy: &dyn Entropy) -> Text {
        query::text(query, config, entropy)
    }
}

#[async_trait]
impl Builder for DockerCli {
    async fn build(&self, order: &BuildOrder<'_>) -> Result<Built, BuildError> {
        build::perform(order).await
    }
}
