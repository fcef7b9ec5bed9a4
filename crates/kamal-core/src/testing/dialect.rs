//! The dialects of the simulated fleet: its hosts have no shell, they act the steps out that a script was made of
//! ([`crate::batch::Batch`]), so the text is for reading only.

use async_trait::async_trait;
use serde_json::Value;

use super::{exec::AWAY, host::BASE_LAYER};
use crate::{
    build::BuildTask,
    config::{Config, model::Registry},
    diagnosis::Evidence,
    error::StepFault,
    keyring::Keyring,
    name::HostName,
    naming,
    ports::{
        AnswerError, BuildError, BuildOrder, Builder, Built, Chunk, Command, Docker, Entropy, ImageLayer, ImageVariant,
        Login, Proxy, Render, RenderError, SecretError,
    },
    query::Query,
    secret::Secret,
    shell::Text,
    state::HostState,
    step::Step,
    vitals::Vitals,
};

/// Docker, as far as a simulated host needs it.
#[derive(Clone, Copy, Debug, Default)]
pub struct SimDocker;

/// The proxy, as far as a simulated host needs it.
#[derive(Clone, Copy, Debug, Default)]
pub struct SimProxy;

impl Docker for SimDocker {
    fn observe(&self, config: &Config) -> Text {
        let accessories: String =
            config.accessories.iter().map(|accessory| format!(" {}", accessory.service)).collect();
        let destination = config.destination.as_deref().unwrap_or_default();
        format!("{OBSERVE} {} {destination} {}{accessories}", config.service, naming::lock_directory(config)).into()
    }

    fn parse(&self, _config: &Config, host: &HostName, printed: &str) -> Result<HostState, AnswerError> {
        serde_json::from_str(printed)
            .map_err(|error| AnswerError::new(format!("{host}'s answer was cut short: {error}")))
    }

    fn fault(&self, _step: &Step, status: i32, printed: &str) -> StepFault {
        match printed {
            _ if status == 127 || printed.contains(AWAY) => StepFault::DockerMissing,
            _ if printed.contains("manifest unknown") || printed.contains("No such image") => StepFault::ImageMissing,
            _ => StepFault::Other,
        }
    }

    fn evidence(&self, printed: &str) -> Evidence {
        let said = || Evidence { log: printed.lines().map(str::to_owned).collect(), ..Evidence::default() };
        serde_json::from_str(printed).unwrap_or_else(|_| said())
    }

    fn render(&self, step: &Step, _cx: &Render<'_>) -> Result<Option<Text>, RenderError> {
        let of_proxy = matches!(
            step,
            Step::SwitchTraffic(_)
                | Step::AwaitHealthy(_)
                | Step::StartRollout(_)
                | Step::SplitRollout { .. }
                | Step::StopRollout { .. }
                | Step::CheckWatch
                | Step::Watch { .. }
                | Step::RemoveRoute { .. }
                | Step::StopRoute { .. }
                | Step::ResumeRoute { .. }
        );
        Ok((!of_proxy).then(|| format!("sim docker: {step}").into()))
    }

    fn login(&self, registry: &Registry, _secrets: &Keyring, known: &[String]) -> Result<Login, SecretError> {
        let held = known.contains(&registry.server.clone().unwrap_or_default());
        Ok(if held { Login::Held } else { Login::Unread })
    }

    fn vitals(&self, printed: &str) -> Vitals {
        let told: Value = serde_json::from_str(printed).unwrap_or_default();
        let made = told["made"].as_array().into_iter().flatten().map(|made| Secret::new(made.to_string())).collect();
        Vitals { made, ..serde_json::from_value(told["vitals"].clone()).unwrap_or_default() }
    }

    fn query(&self, query: &Query, config: &Config, _entropy: &dyn Entropy) -> Text {
        if *query == Query::Survey {
            return self.observe(config);
        }
        format!("sim docker: {query:?}").into()
    }
}

#[async_trait]
impl Builder for SimDocker {
    async fn build(&self, order: &BuildOrder<'_>) -> Result<Built, BuildError> {
        let unfit = || BuildError::Unfit("a build needs a version".to_owned());
        let image = |suffix: &str| {
            let version = order.version.ok_or_else(unfit)?;
            Ok::<_, BuildError>(format!("{}{suffix}", naming::image(order.config, version)))
        };
        let command = match order.task {
            BuildTask::Push { .. } => Command::new("docker", ["buildx", "build", "--push", "--tag", &image("")?]),
            BuildTask::Dev { .. } => Command::new("docker", ["buildx", "build", "--name", &image("-dirty")?]),
            BuildTask::CreateBuilder => Command::new("docker", ["buildx", "create"]),
            BuildTask::RemoveBuilder => Command::new("docker", ["buildx", "rm"]),
            BuildTask::Details => Command::new("docker", ["buildx", "ls"]),
            BuildTask::Measure { image } => Command::new("docker", ["buildx", "imagetools", "inspect", image]),
            BuildTask::Login => Command::new("docker", ["login"]),
            BuildTask::Logout => Command::new("docker", ["logout"]),
        };
        let printed = run(order, &command).await?;
        Ok(match order.task {
            BuildTask::Details => "Builder: local".to_owned().into(),
            // What a registry says of what was pushed.
            BuildTask::Push { output, .. } if output == "registry" => Built {
                digest: Some(printed.trim().to_owned()).filter(|digest| !digest.is_empty()),
                ..Built::default()
            },
            BuildTask::Measure { .. } => Built { variants: vec![variant(&printed)], ..Built::default() },
            _ => Built::default(),
        })
    }
}

/// An image of so many bytes, most of which are its lowest layer's.
fn variant(bytes: &str) -> ImageVariant {
    let bytes: u64 = bytes.trim().parse().unwrap_or_default();
    let layer = |diff_id: &str, packed| ImageLayer { diff_id: diff_id.to_owned(), packed };
    let layers = vec![layer(BASE_LAYER, bytes - bytes / 10), layer("sha256:top", bytes / 10)];
    ImageVariant { arch: "amd64".to_owned(), layers }
}

async fn run(order: &BuildOrder<'_>, command: &Command) -> Result<String, BuildError> {
    let mut output = String::new();
    let mut keep = |chunk: Chunk<'_>| {
        let (Chunk::Stdout(bytes) | Chunk::Stderr(bytes)) = chunk;
        output.push_str(&String::from_utf8_lossy(bytes));
    };
    let exit = order.local.run(command, &mut keep).await?;
    let what = command.to_string();
    if exit.success() { Ok(output) } else { Err(BuildError::Failed { what, status: exit.0, output, shown: false }) }
}

impl Proxy for SimProxy {
    fn render(&self, step: &Step, _cx: &Render<'_>) -> Result<Option<Text>, RenderError> {
        Ok(Some(format!("sim kamal-proxy: {step}").into()))
    }
}

/// What the text of an observation begins with.
pub(super) const OBSERVE: &str = "sim observe";
