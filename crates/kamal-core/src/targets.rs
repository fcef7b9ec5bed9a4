//! Which hosts and roles a command acts on: `--hosts`, `--roles`, `--primary` over a configuration (spec 1.6).

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use crate::{
    config::{
        Config,
        model::{Env, Logging, Role, TaggedHost},
    },
    glob,
    name::{HostName, RoleName},
};

/// What the user narrowed a command down to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Selection {
    /// Patterns of `--hosts`, already split at commas.
    pub hosts: Option<Vec<String>>,
    /// Patterns of `--roles`, already split at commas.
    pub roles: Option<Vec<String>>,
    /// `--primary`.
    pub primary: bool,
    /// Whether a role may be named that the configuration does not have any more, or not on the hosts that are named:
    /// for what only looks at containers or takes them away.
    pub gone: bool,
}

/// Nothing matched.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SelectionError {
    /// No host matches.
    #[error("No --hosts match for {patterns} (hosts: {known})")]
    Hosts {
        /// What was asked for.
        patterns: String,
        /// What there is.
        known: String,
    },
    /// No role matches.
    #[error("No --roles match for {patterns} (roles: {known})")]
    Roles {
        /// What was asked for.
        patterns: String,
        /// What there is.
        known: String,
    },
}

/// The hosts and roles selected, in the order they are acted on: those of the primary role first.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Targets {
    /// All hosts selected, accessories' included.
    pub hosts: Vec<HostName>,
    /// Roles selected that have a host.
    pub roles: Vec<Role>,
    /// Hosts of the selection that run a role.
    pub app_hosts: Vec<HostName>,
    /// Hosts of the selection that run kamal-proxy.
    pub proxy_hosts: Vec<HostName>,
    /// The host that holds the deploy lock; `None` without any role.
    pub primary_host: Option<HostName>,
    /// The role whose first healthy container lets the others boot.
    pub primary_role: Option<RoleName>,
    /// True when `--hosts` or `--primary` narrowed the hosts.
    pub narrowed: bool,
    /// What selected them. With `--primary` what is to be run once runs for one role.
    pub selection: Selection,
}

impl Targets {
    /// Selects.
    ///
    /// # Errors
    ///
    /// When a pattern matches nothing.
    pub fn select(config: &Config, selection: &Selection) -> Result<Self, SelectionError> {
        let everything = all_hosts(config);
        let mut chosen_hosts = match &selection.hosts {
            None => None,
            Some(patterns) => Some(
                union(patterns, &everything, |pattern, host| host.is_meant_by(pattern, config.ssh.port))
                    .ok_or_else(|| SelectionError::Hosts { patterns: patterns.join(","), known: join(&everything) })?,
            ),
        };
        let chosen_roles = match &selection.roles {
            None => None,
            Some(patterns) => {
                let names = role_names(config);
                let known = union(patterns, &names, |_, _| false).unwrap_or_default();
                let mut roles: Vec<Role> = known.iter().filter_map(|name| config.role(name)).cloned().collect();
                if selection.gone {
                    place_gone(&mut roles, patterns, chosen_hosts.as_ref(), &everything);
                }
                if roles.is_empty() {
                    return Err(no_role(config, &patterns.join(",")));
                }
                Some(roles)
            }
        };
        if selection.primary {
            let of_role = chosen_roles.as_ref().and_then(|roles| roles.first());
            let primary = of_role.and_then(|role| role.hosts.first().map(|host| host.name.clone()));
            chosen_hosts = Some(primary.or_else(|| default_primary_host(config)).into_iter().collect());
        }
        let targets = resolve(config, &everything, chosen_hosts.as_deref(), chosen_roles.as_deref());
        Ok(Self { selection: selection.clone(), ..targets })
    }

    /// The roles on a host, primary role first.
    pub fn roles_on<'a>(&'a self, host: &'a HostName) -> impl Iterator<Item = (&'a Role, &'a TaggedHost)> {
        self.roles
            .iter()
            .filter_map(move |role| role.hosts.iter().find(|tagged| tagged.name == *host).map(|tagged| (role, tagged)))
    }

    /// The host that holds the deploy lock: the primary one, or the first where there are accessories only.
    #[must_use]
    pub fn lock_host(&self) -> Option<&HostName> {
        self.primary_host.as_ref().or(self.hosts.first())
    }

    /// The same selection on some of its hosts.
    #[must_use]
    pub fn on(&self, hosts: &[HostName]) -> Self {
        let keep = |all: &[HostName]| all.iter().filter(|host| hosts.contains(host)).cloned().collect();
        Self {
            hosts: keep(&self.hosts),
            app_hosts: keep(&self.app_hosts),
            proxy_hosts: keep(&self.proxy_hosts),
            ..self.clone()
        }
    }

    /// The roles that are selected on hosts that are, each with its host, in Kamal's order: role by role.
    pub fn placements(&self) -> impl Iterator<Item = (&Role, &TaggedHost)> {
        self.roles.iter().flat_map(|role| {
            role.hosts.iter().filter(|tagged| self.app_hosts.contains(&tagged.name)).map(move |tagged| (role, tagged))
        })
    }

    /// True when the role is the one others wait for.
    #[must_use]
    pub fn is_primary(&self, role: &Role) -> bool {
        self.primary_role.as_ref() == Some(&role.name)
    }
}

/// That no role matches.
pub(crate) fn no_role(config: &Config, patterns: &str) -> SelectionError {
    SelectionError::Roles { patterns: patterns.to_owned(), known: join(&role_names(config)) }
}

fn role_names(config: &Config) -> Vec<RoleName> {
    config.roles.iter().map(|role| role.name.clone()).collect()
}

/// Adds roles that are named and not known, on every host there could be something of them, and looks for those that are
/// known on the hosts that are named where they have none of these.
fn place_gone(roles: &mut Vec<Role>, patterns: &[String], hosts: Option<&Vec<HostName>>, everything: &[HostName]) {
    let tagged = |hosts: &[HostName]| -> Vec<TaggedHost> {
        hosts.iter().map(|name| TaggedHost { name: name.clone(), tags: Vec::new() }).collect()
    };
    for role in roles.iter_mut() {
        if let Some(hosts) = hosts.filter(|hosts| !role.hosts.iter().any(|host| hosts.contains(&host.name))) {
            role.hosts = tagged(hosts);
        }
    }
    for name in patterns.iter().filter_map(|pattern| RoleName::parse(pattern).ok()) {
        if !roles.iter().any(|role| role.name == name) {
            roles.push(gone(name, tagged(hosts.map_or(everything, Vec::as_slice))));
        }
    }
}

/// A role of which nothing is known but its name.
fn gone(name: RoleName, hosts: Vec<TaggedHost>) -> Role {
    Role {
        name,
        hosts,
        cmd: None,
        stop_timeout: None,
        options: Vec::new(),
        restart: String::new(),
        logging: Logging::default(),
        proxy: None,
        labels: IndexMap::new(),
        env: Env::default(),
        asset_path: None,
    }
}

fn all_hosts(config: &Config) -> Vec<HostName> {
    let roles = config.roles.iter().flat_map(|role| role.hosts.iter().map(|host| &host.name));
    unique(roles.chain(config.accessories.iter().flat_map(|accessory| &accessory.hosts)).cloned())
}

fn default_primary_host(config: &Config) -> Option<HostName> {
    config.role(&config.primary_role)?.hosts.first().map(|host| host.name.clone())
}

fn resolve(config: &Config, everything: &[HostName], hosts: Option<&[HostName]>, roles: Option<&[Role]>) -> Targets {
    let on = |role: &Role, list: &[HostName]| role.hosts.iter().any(|host| list.contains(&host.name));
    let pool = hosts.unwrap_or(everything);
    let mut selected: Vec<Role> = roles.unwrap_or(&config.roles).to_vec();
    selected.retain(|role| on(role, pool));

    let role_host = || {
        let primary = selected.iter().find(|role| role.name == config.primary_role).or_else(|| selected.first())?;
        primary.hosts.first().map(|host| host.name.clone())
    };
    let first_host = hosts.and_then(|hosts| hosts.first().cloned());
    let primary_host = first_host.or_else(role_host).or_else(|| default_primary_host(config));
    let on_primary = |role: &&Role| primary_host.as_ref().is_some_and(|host| on(role, std::slice::from_ref(host)));
    let primary_role = selected
        .iter()
        .filter(on_primary)
        .find(|role| role.name == config.primary_role)
        .or_else(|| selected.iter().find(on_primary))
        .map(|role| role.name.clone());
    selected.sort_by_key(|role| Some(&role.name) != primary_role.as_ref());

    let of_primary = |host: &HostName| {
        primary_role
            .as_ref()
            .and_then(|name| selected.iter().find(|role| role.name == *name))
            .is_some_and(|role| on(role, std::slice::from_ref(host)))
    };
    let mut in_order = pool.to_vec();
    if roles.is_some() {
        in_order.retain(|host| selected.iter().any(|role| on(role, std::slice::from_ref(host))));
    }
    in_order.sort_by_key(|host| !of_primary(host));
    let app_hosts = in_order
        .iter()
        .filter(|host| config.roles.iter().chain(&selected).any(|role| on(role, std::slice::from_ref(*host))))
        .cloned()
        .collect();
    let proxied = |host: &&HostName| {
        config.roles.iter().any(|role| role.proxy.is_some() && on(role, std::slice::from_ref(*host)))
            || config.accessories.iter().any(|accessory| accessory.proxy.is_some() && accessory.hosts.contains(host))
    };
    let proxy_hosts = in_order.iter().filter(proxied).cloned().collect();
    Targets {
        hosts: in_order,
        roles: selected,
        app_hosts,
        proxy_hosts,
        primary_host,
        primary_role,
        narrowed: hosts.is_some(),
        selection: Selection::default(),
    }
}

/// Names matched by any pattern, in the order of the patterns, each once; `None` when nothing matches.
/// What is `spelled` otherwise and the same matches too: `[::1]` is an address before it is a set of characters.
fn union<N: AsRef<str> + Clone + PartialEq>(
    patterns: &[String],
    names: &[N],
    spelled: impl Fn(&str, &N) -> bool,
) -> Option<Vec<N>> {
    let matches = |pattern: &String, name: &N| spelled(pattern, name) || glob::matches(pattern, name.as_ref());
    let matched = patterns.iter().flat_map(|pattern| names.iter().filter(|name| matches(pattern, name)).cloned());
    let found = unique(matched);
    (!found.is_empty()).then_some(found)
}

fn unique<N: PartialEq>(names: impl Iterator<Item = N>) -> Vec<N> {
    names.fold(Vec::new(), |mut seen, name| {
        if !seen.contains(&name) {
            seen.push(name);
        }
        seen
    })
}

fn join<N: AsRef<str>>(names: &[N]) -> String {
    names.iter().map(AsRef::as_ref).collect::<Vec<_>>().join(", ")
}
