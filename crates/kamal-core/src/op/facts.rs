//! What a planner knows.

use crate::{
    config::{Config, model::Role},
    error::{Error, HostError},
    hint::Hint,
    name::{ContainerName, HostName, ImageRef, Version},
    naming,
    plan::{self, HostWork, Kind, Question, Stage, Work},
    query::Query,
    run::{ProxyImages, inputs::Inputs},
    state::HostState,
    step::{Route, Step},
    targets::Targets,
};

/// What a planner knows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts<'a> {
    /// The configuration.
    pub(crate) config: &'a Config,
    /// The selection.
    pub(crate) targets: &'a Targets,
    /// What the hosts of the operation told, in any order; nothing where it does not depend on them.
    pub(crate) states: &'a [HostState],
    /// The version of the project as it is.
    pub(crate) version: Option<&'a Version>,
    /// The version that was asked for, whole or its beginning.
    pub(crate) asked: Option<&'a Version>,
    /// What was found in the project.
    pub(crate) inputs: &'a Inputs,
    /// The proxy's images, where none is configured and the tool brings its own.
    pub(crate) proxy_images: &'a ProxyImages,
}

impl<'a> Facts<'a> {
    /// The version to build, deliver or name: what was asked for, else that of the project.
    pub(crate) fn version(&self) -> Result<&'a Version, Error> {
        self.asked.or(self.version).ok_or(Error::NoVersion)
    }

    /// The proxy's image that a host is handed, where none is configured.
    pub(crate) fn proxy_image(&self, host: &HostState) -> Option<&'a ImageRef> {
        self.proxy_images.of(host).map(|image| &image.reference)
    }

    /// What a host told.
    pub(crate) fn state(&self, host: &HostName) -> Option<&'a HostState> {
        self.states.iter().find(|state| state.host == *host)
    }

    /// What hosts told, in the order of the hosts.
    pub(crate) fn states_of(&self, hosts: &'a [HostName]) -> impl Iterator<Item = &'a HostState> {
        hosts.iter().filter_map(|host| self.state(host))
    }

    /// The version of which what was asked for is the beginning, among those the hosts know; what was asked for itself
    /// where none begins so.
    pub(crate) fn resolve(&self, asked: &Version) -> Result<Version, Error> {
        let known = self.known_versions();
        if known.contains(asked) {
            return Ok(asked.clone());
        }
        let mut found = known.iter().filter(|version| version.starts_with(asked.as_str()));
        match (found.next(), found.next()) {
            (Some(one), None) => Ok(one.clone()),
            (Some(one), Some(other)) => {
                Err(Error::AmbiguousVersion { asked: asked.clone(), one: one.clone(), other: other.clone() })
            }
            (None, _) => Ok(asked.clone()),
        }
    }

    /// Versions of which a host has a container or an image, each once.
    fn known_versions(&self) -> Vec<Version> {
        let mut known: Vec<Version> = Vec::new();
        let repository = format!("{}:", self.config.repository());
        for state in self.states {
            for role in &self.config.roles {
                let of_role = state.of_role(&role.name);
                known.extend(of_role.filter_map(|found| naming::version_of(self.config, &role.name, &found.name)));
            }
            let tags = state.images.iter().filter_map(|image| image.reference.strip_prefix(&repository));
            known.extend(tags.filter_map(|tag| tag.parse().ok()));
        }
        known.retain(|version| !version.contains("_replaced_") && !version.starts_with("latest"));
        known.sort();
        known.dedup();
        known
    }

    /// Steps on every one of some hosts.
    pub(crate) fn everywhere(&self, hosts: &[HostName], steps: impl Fn(&HostName) -> Vec<Step>) -> Vec<HostWork> {
        hosts.iter().map(|host| HostWork { host: host.clone(), steps: steps(host) }).collect()
    }

    /// Steps for every selected role on every app host, in Kamal's order.
    pub(crate) fn each_role(&self, steps: impl Fn(&'a HostState, &'a Role) -> Vec<Step>) -> Vec<HostWork> {
        let of = |state: &'a HostState| -> Vec<Step> {
            self.targets.roles_on(&state.host).flat_map(|(role, _)| steps(state, role)).collect()
        };
        let states = self.states_of(&self.targets.app_hosts);
        states.map(|state| HostWork { host: state.host.clone(), steps: of(state) }).collect()
    }

    /// A role's route to a container that is there already. Its error pages were uploaded when its version was booted.
    pub(crate) fn route_to(&self, role: &Role, host: &HostName, container: &ContainerName) -> Route {
        let booted = naming::version_of(self.config, &role.name, container);
        let booted = booted.filter(|_| !self.inputs.error_pages.is_empty());
        let error_pages = booted.map(|version| naming::error_pages_inside(self.config, &version));
        Route { error_pages, ..plan::route_to(self.config, role, host, container) }
    }

    /// A hook, if it is there.
    pub(crate) fn hook(&self, name: &str, hosts: Option<&[HostName]>) -> Option<Stage> {
        let work = Work::Hook { name: name.to_owned(), hosts: hosts.map(<[HostName]>::to_vec) };
        self.inputs.hooks.has(name).then(|| Stage::new(Kind::Hook, work))
    }

    /// The same question to several hosts.
    pub(crate) fn ask(&self, hosts: &[HostName], heading: &str, query: &Query) -> Vec<Question> {
        let one = |host: &HostName| Question { host: host.clone(), heading: heading.to_owned(), query: query.clone() };
        hosts.iter().map(one).collect()
    }

    /// The host a command for a single one goes to.
    pub(crate) fn primary_host(&self) -> Result<&'a HostName, Error> {
        self.targets.lock_host().ok_or_else(|| Error::NoHost)
    }

    /// Tells which host a command for a single one took, where there are several.
    pub(crate) fn chosen(&self, host: &HostName, hosts: &[HostName], role: Option<&Role>) -> Vec<String> {
        let all = hosts.iter().map(HostName::as_str).collect::<Vec<_>>().join(", ");
        let role = role.map_or_else(String::new, |role| format!(", role {}", role.name));
        let note = (hosts.len() > 1).then(|| format!("This is {host} of {all}{role}; -h names another."));
        note.into_iter().collect()
    }

    /// A login to the configuration's registry; none is needed for a local one.
    pub(crate) fn login(&self) -> Vec<Step> {
        let registry = &self.config.registry;
        registry.needs_login().then(|| Step::Login { registry: registry.clone(), place: None }).into_iter().collect()
    }
}

/// A note in the audit log.
pub(super) fn audit(text: impl Into<String>, role: Option<&Role>) -> Step {
    Step::Audit { text: text.into(), role: role.map(|role| role.name.clone()) }
}

/// A host that is not as it has to be, and what would put it right.
pub(super) fn unfit(host: &HostName, message: impl Into<String>, hint: impl Into<String>) -> HostError {
    HostError::Unfit { host: host.clone(), message: message.into(), hints: vec![Hint::new(hint)] }
}
