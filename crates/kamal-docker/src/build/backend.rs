//! Which builder it is: chosen by what the configuration says and what this machine is (spec 2.7, 9.4).

use kamal_core::{
    config::Config,
    ports::{BuildError, BuildOrder, Command},
};

use super::program::look;

/// A builder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Backend {
    /// docker's own, which needs no builder.
    Docker,
    /// buildx's, on this machine.
    Local(String),
    /// Docker's cloud.
    Cloud(String),
    /// Buildpacks.
    Pack,
    /// On another machine.
    Remote(Elsewhere),
    /// Here for what this machine can, elsewhere for the rest.
    Hybrid {
        /// The part that is elsewhere, which names the whole.
        elsewhere: Elsewhere,
        /// Architectures built here.
        here: Vec<String>,
        /// Those built there.
        there: Vec<String>,
    },
}

/// A builder that reaches another machine through a docker context.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Elsewhere {
    /// The builder's name.
    pub(super) name: String,
    /// The machine's docker.
    pub(super) url: String,
}

impl Elsewhere {
    /// The context's name.
    pub(super) fn context(&self) -> String {
        format!("{}-context", self.name)
    }
}

impl Backend {
    /// The one that is configured. Whether it is elsewhere depends on this machine's architecture where both would do.
    pub(super) async fn of(order: &BuildOrder<'_>) -> Result<Self, BuildError> {
        let builder = &order.config.builder;
        let machine = match &builder.remote {
            Some(_) if builder.local => Some(architecture(order).await?),
            _ => None,
        };
        Ok(Self::choose(order.config, machine.as_deref()))
    }

    /// The one for a machine of an architecture, which counts only where `remote` and `local` are both wanted.
    pub(super) fn choose(config: &Config, machine: Option<&str>) -> Self {
        let builder = &config.builder;
        let (here, there) = match &builder.remote {
            Some(_) => {
                let local = |arch: &&String| builder.local && machine == Some(arch.as_str());
                let (here, there): (Vec<&String>, Vec<&String>) = builder.arches.iter().partition(local);
                (here.into_iter().cloned().collect(), there.into_iter().cloned().collect())
            }
            None => (builder.arches.clone(), Vec::<String>::new()),
        };
        let local = builder.local && (builder.arches.is_empty() || !here.is_empty());
        match &builder.remote {
            Some(url) if !there.is_empty() => {
                let suffix = suffix(config, url);
                if local {
                    let name = format!("kamal-hybrid-{}-{suffix}", builder.driver);
                    Self::Hybrid { elsewhere: Elsewhere { name, url: url.clone() }, here, there }
                } else {
                    Self::Remote(Elsewhere { name: format!("kamal-remote-{suffix}"), url: url.clone() })
                }
            }
            _ if builder.pack.is_some() => Self::Pack,
            _ if builder.driver.starts_with("cloud") => Self::Cloud(builder.driver.replace([' ', '/'], "-")),
            _ if builder.driver == "docker" => Self::Docker,
            _ if config.registry.local_port().is_some() => {
                Self::Local(format!("kamal-local-registry-{}", builder.driver))
            }
            _ => Self::Local(format!("kamal-local-{}", builder.driver)),
        }
    }

    /// What `build details` calls it.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Docker | Self::Local(_) => "local",
            Self::Cloud(_) => "cloud",
            Self::Pack => "pack",
            Self::Remote(_) => "remote",
            Self::Hybrid { .. } => "hybrid",
        }
    }

    /// The buildx builder's name, if it has one.
    pub(super) fn name(&self) -> Option<&str> {
        match self {
            Self::Docker | Self::Pack => None,
            Self::Local(name) | Self::Cloud(name) => Some(name),
            Self::Remote(elsewhere) | Self::Hybrid { elsewhere, .. } => Some(&elsewhere.name),
        }
    }

    /// The part of it that is on another machine.
    pub(super) fn elsewhere(&self) -> Option<&Elsewhere> {
        match self {
            Self::Remote(elsewhere) | Self::Hybrid { elsewhere, .. } => Some(elsewhere),
            _ => None,
        }
    }
}

fn suffix(config: &Config, url: &str) -> String {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-');
    let url: String = url.chars().map(|c| if plain(c) { c } else { '-' }).collect();
    if config.registry.local_port().is_some() { format!("{url}-local-registry") } else { url }
}

/// This machine's architecture, as docker calls it.
async fn architecture(order: &BuildOrder<'_>) -> Result<String, BuildError> {
    let command = Command::new("docker", ["info", "--format", "{{.Architecture}}"]);
    let printed = look(order, &command).await?;
    let told = printed.out.trim();
    if !printed.exit.success() || told.is_empty() {
        return Err(printed.failure(&command));
    }
    Ok(match told {
        told if told.contains("aarch64") => "arm64".to_owned(),
        told if told.contains("x86_64") => "amd64".to_owned(),
        told => told.to_owned(),
    })
}
