//! Questions about a configuration that several parts ask: hosts in Kamal's order, the environment and the labels of
//! a container, the repository.

use indexmap::IndexMap;

use super::model::{Accessory, Config, Env, Registry, Role, TaggedHost};
use crate::name::HostName;

impl Config {
    /// The role of that name.
    #[must_use]
    pub fn role(&self, name: &str) -> Option<&Role> {
        self.roles.iter().find(|role| role.name.as_str() == name)
    }

    /// The primary role; `None` when there are only accessories.
    #[must_use]
    pub fn primary(&self) -> Option<&Role> {
        self.role(&self.primary_role)
    }

    /// The accessory of that name.
    #[must_use]
    pub fn accessory(&self, name: &str) -> Option<&Accessory> {
        self.accessories.iter().find(|accessory| accessory.name == name)
    }

    /// The hosts of all roles, each once, in the order of the roles (spec 1.6).
    #[must_use]
    pub fn app_hosts(&self) -> Vec<HostName> {
        once(self.roles.iter().flat_map(|role| &role.hosts).map(|host| &host.name))
    }

    /// All hosts, each once: those of the roles, then those of the accessories (spec 1.6).
    #[must_use]
    pub fn hosts(&self) -> Vec<HostName> {
        let app = self.roles.iter().flat_map(|role| &role.hosts).map(|host| &host.name);
        once(app.chain(self.accessories.iter().flat_map(|accessory| &accessory.hosts)))
    }

    /// The environment of a role's container on a host: root, role, then each of the host's tags in turn; later
    /// values win, at the place of the first (spec 2.8).
    #[must_use]
    pub fn env_for(&self, role: &Role, host: &TaggedHost) -> Env {
        let tags = host.tags.iter().filter_map(|tag| self.env_tags.get(tag));
        let mut merged = Env::default();
        for env in [&self.env, &role.env].into_iter().chain(tags) {
            merged.clear.extend(env.clear.iter().map(|(name, value)| (name.clone(), value.clone())));
            for secret in &env.secret {
                match merged.secret.iter_mut().find(|known| known.name == secret.name) {
                    Some(known) => known.key.clone_from(&secret.key),
                    None => merged.secret.push(secret.clone()),
                }
            }
        }
        merged
    }

    /// The labels of a role's containers: `service`, `role` and `destination`, then the root's and the role's, later
    /// ones over earlier ones. Without a destination its label is empty.
    #[must_use]
    pub fn labels_for(&self, role: &Role) -> IndexMap<String, String> {
        let destination = self.destination.as_ref().map(ToString::to_string).unwrap_or_default();
        let own = [
            ("service".to_owned(), self.service.to_string()),
            ("role".to_owned(), role.name.to_string()),
            ("destination".to_owned(), destination),
        ];
        let given = self.labels.iter().chain(&role.labels).map(|(name, value)| (name.clone(), value.clone()));
        own.into_iter().chain(given).collect()
    }

    /// The image with its registry's server in front, without a tag.
    #[must_use]
    pub fn repository(&self) -> String {
        match &self.registry.server {
            Some(server) => format!("{server}/{}", self.image),
            None => self.image.clone(),
        }
    }
}

impl Registry {
    /// What the registry is where none is configured: one on the deploying machine.
    pub const DEFAULT_SERVER: &str = "localhost:5555";

    /// The one where none is configured.
    #[must_use]
    pub fn unconfigured() -> Self {
        Self { server: Some(Self::DEFAULT_SERVER.to_owned()), ..Self::default() }
    }

    /// The port of this machine's loopback it is served on, where it is one on the deploying machine (`localhost:PORT`,
    /// spec 2.6). What is no port number counts as 0, as in Ruby.
    #[must_use]
    pub fn local_port(&self) -> Option<u16> {
        let server = self.server.as_deref()?.strip_prefix("localhost:")?;
        let last = server.rsplit(':').next().unwrap_or(server);
        let digits = last.split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default();
        Some(digits.parse().unwrap_or(0))
    }

    /// Whether docker has to be logged in to it. Nobody logs in to one of one's own.
    #[must_use]
    pub fn needs_login(&self) -> bool {
        self.local_port().is_none() && self.username.is_some() && self.password.is_some()
    }
}

fn once<'a>(hosts: impl Iterator<Item = &'a HostName>) -> Vec<HostName> {
    let mut seen = indexmap::IndexSet::new();
    seen.extend(hosts.cloned());
    seen.into_iter().collect()
}
