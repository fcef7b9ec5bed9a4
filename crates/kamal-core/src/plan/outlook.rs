//! A plan, and what a reviewer wants to know beside its steps: in what the hosts differ from deploy.yml, and what there is
//! on them that deploy.yml knows nothing of.

use std::fmt::{Display, Formatter, Result};

use serde::{Deserialize, Serialize};

use super::{Kind, Plan, Work};
use crate::{
    name::{ContainerName, HostName, RoleName},
    step::Step,
};

/// What will be done, and what is there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Outlook {
    /// What will be done.
    pub plan: Plan,
    /// In what running containers, and the proxy's routes, are not as deploy.yml has them.
    pub differences: Vec<Difference>,
    /// Containers of ours that deploy.yml has no place for.
    pub strays: Vec<Stray>,
    /// Whether all there is to do is to start again what runs already, as it is.
    pub only_restarts: bool,
}

/// In what something on a host is not as deploy.yml has it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    /// The host.
    pub host: HostName,
    /// What it is about.
    pub subject: Subject,
    /// The container that runs; none where it is about a route, or nothing runs.
    pub container: Option<ContainerName>,
    /// In what it differs.
    pub changes: Vec<Change>,
    /// The command that puts it right; none where the plan does.
    pub put_right_by: Option<String>,
}

/// What a difference is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// A role.
    Role(RoleName),
    /// An accessory, by its name in deploy.yml.
    Accessory(String),
    /// Where kamal-proxy leads requests, by the service's name there.
    Route(String),
}

/// What of a container or a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Aspect {
    /// There is none.
    Missing,
    /// Its image.
    Image,
    /// A variable.
    Env,
    /// Published ports.
    Ports,
    /// What it runs.
    Command,
    /// Volumes.
    Volumes,
    /// An option.
    Option,
    /// The hosts requests are for.
    Hosts,
    /// The paths requests are for.
    Paths,
}

/// One thing that differs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// What of it.
    pub aspect: Aspect,
    /// Which variable or option.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What it is now, where that may be told and is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is: Option<String>,
    /// What deploy.yml wants, likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wanted: Option<String>,
    /// Whether there is nothing of it now.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub new: bool,
}

/// A container of ours that deploy.yml has no place for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stray {
    /// The host.
    pub host: HostName,
    /// The container.
    pub container: ContainerName,
    /// The role it was started for; none of an accessory.
    pub role: Option<RoleName>,
    /// The command that stops it.
    pub stopped_by: String,
}

impl Change {
    /// Something of which no more is told.
    pub(crate) fn of(aspect: Aspect) -> Self {
        Self { aspect, name: None, is: None, wanted: None, new: false }
    }

    /// A variable that is new, or has another value.
    pub(crate) fn variable(name: &str, new: bool) -> Self {
        Self { name: Some(name.to_owned()), new, ..Self::of(Aspect::Env) }
    }

    /// Something that is one thing and is wanted to be another.
    pub(crate) fn from_to(aspect: Aspect, is: &str, wanted: &str) -> Self {
        let told = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Self { is: told(is), wanted: told(wanted), ..Self::of(aspect) }
    }
}

impl Display for Change {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let name = self.name.as_deref().unwrap_or_default();
        let what = match self.aspect {
            Aspect::Missing => return f.write_str("there is none"),
            Aspect::Env if self.new => return write!(f, "{name} is new"),
            Aspect::Env => return write!(f, "{name} has another value"),
            Aspect::Option if name == "memory" => return f.write_str("the limit of memory"),
            Aspect::Option => return write!(f, "the option {name}"),
            Aspect::Image => "the image",
            Aspect::Ports => "the ports",
            Aspect::Command => "the command",
            Aspect::Volumes => "the volumes",
            Aspect::Hosts => "the hosts",
            Aspect::Paths => "the paths",
        };
        f.write_str(what)?;
        if self.is.is_none() && self.wanted.is_none() {
            return Ok(());
        }
        let told = |value: &Option<String>| value.clone().unwrap_or_else(|| "none".to_owned());
        write!(f, ": {} -> {}", told(&self.is), told(&self.wanted))
    }
}

impl Display for Stray {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let Self { host, container, role, stopped_by } = self;
        let whose = role.as_ref().map_or_else(|| "such accessory".to_owned(), |role| format!("role {role}"));
        write!(f, "{container} on {host} runs, but deploy.yml has no {whose} there; `{stopped_by}` stops it.")
    }
}

impl Display for Subject {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Role(role) => write!(f, "role {role}"),
            Self::Accessory(name) => write!(f, "accessory {name}"),
            Self::Route(service) => write!(f, "route {service}"),
        }
    }
}

impl Outlook {
    /// True when nothing is to be done: hosts are as they are wanted. What would merely start again what runs does
    /// nothing that is needed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.plan.is_empty() || self.only_restarts
    }
}

/// As people read it.
impl Display for Outlook {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let Plan { operation, version, .. } = &self.plan;
        if self.only_restarts {
            let version = version.as_deref().unwrap_or("what is deployed");
            writeln!(
                f,
                "Nothing to do: {version} runs as deploy.yml wants it. `kamal {operation}` would only restart it."
            )?;
        }
        write!(f, "{}", self.plan)?;
        let (applied, left): (Vec<_>, Vec<_>) =
            self.differences.iter().partition(|difference| difference.put_right_by.is_none());
        for (title, some) in [("Changes", applied), ("Stays as it is, though deploy.yml says otherwise", left)] {
            if !some.is_empty() {
                writeln!(f, "{title}:")?;
            }
            for Difference { host, subject, changes, put_right_by, .. } in some {
                let changes: Vec<String> = changes.iter().map(ToString::to_string).collect();
                write!(f, "  {host}  {subject}: {}", changes.join(", "))?;
                put_right_by.iter().try_for_each(|command| write!(f, " (`{command}` puts it right)"))?;
                writeln!(f)?;
            }
        }
        // A deploy tells of them in its plan.
        let mut untold = self.strays.iter().map(Stray::to_string).filter(|told| !self.plan.notes.contains(told));
        untold.try_for_each(|told| writeln!(f, "{told}"))
    }
}

impl Plan {
    /// True when its only headline is that each container is replaced by one of the same version, and nothing that is
    /// missing is made. It is for the caller to know that they would be made alike.
    pub(crate) fn replaces_like_by_like(&self) -> bool {
        let placements: Vec<_> = self
            .stages
            .iter()
            .filter_map(|stage| if let Work::Boot { placements, .. } = &stage.work { Some(placements) } else { None })
            .flatten()
            .collect();
        // What makes way for its like is renamed out of the way first.
        let like = |new: &str, old: &str| old.strip_prefix(new).is_some_and(|rest| rest.starts_with("_replaced_"));
        let alike = |placed: &&super::Placement| {
            placed.stale.is_empty() && placed.old.as_ref().is_some_and(|old| like(&placed.new, old))
        };
        let makes = |step: &Step| match step {
            Step::EnsureProxy(_) | Step::CreateNetwork { .. } | Step::ConnectNetwork { .. } | Step::InstallDocker => {
                true
            }
            Step::Start(spec) => spec.role.is_none(),
            _ => false,
        };
        !placements.is_empty()
            && placements.iter().all(alike)
            && !self
                .stages
                .iter()
                .any(|stage| stage.kind == Kind::Bootstrap || stage.steps().any(|(_, step)| makes(step)))
    }
}
