//! The table of operations: what every command is called, which hosts it is about, whether it takes the lock, which
//! secrets it needs, and its planner. An operation is data, a planner a pure function; [`crate::run`] is the only runner.

mod accessory;
mod app;
mod boot;
mod build;
mod cluster;
mod conflict;
mod deploy;
mod facts;
mod lock;
mod overview;
mod proxy;
mod proxy_version;
mod prune;
mod registry;
mod relay;
mod remove;
mod rollback;
mod rollout;
mod server;
mod services;
mod upgrade;

pub use accessory::{Accessory, AccessoryTask};
pub use app::{App, Exec, Logs, Maintenance};
pub use build::Build;
pub use deploy::Deploy;
pub(crate) use facts::Facts;
pub use lock::Lock;
pub(crate) use overview::orphans_of;
pub use proxy::{BootConfig, Proxy};
pub use prune::Prune;
pub(crate) use prune::prune_images;
pub use registry::{Registry, RegistryTask};
pub use rollback::Rollback;
pub use rollout::Rollout;
pub use server::Server;
pub use services::Scale;

use serde::{Deserialize, Serialize};

use crate::{
    config::{Config, model},
    error::Error,
    name::HostName,
    plan::{AccessorySteps, Draft, Stray, Survey},
    run::Needs,
    state::HostState,
    step::RunSpec,
    targets::{Selection, Targets},
};

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Op {
    /// Prepares hosts, then deploys.
    Setup(Deploy),
    /// Builds, delivers, boots, prunes.
    Deploy(Deploy),
    /// Builds, delivers, boots.
    Redeploy(Deploy),
    /// Boots a version that hosts still have.
    Rollback(Rollback),
    /// A version beside the one that is live, for a part of the requests.
    Rollout(Rollout),
    /// Removes the app, the proxy, the accessories, and logs hosts out of the registry.
    Remove,
    /// Brings hosts from Kamal 1 to Kamal 2.
    Upgrade {
        /// One host after another.
        rolling: bool,
    },
    /// Lists the containers of all there is.
    Details,
    /// Shows the audit log.
    Audit,
    /// Shows how the fleet is.
    Status,
    /// Looks at all a deploy relies on.
    Doctor,
    /// The app's containers.
    App(App),
    /// Accessories.
    Accessory(Accessory),
    /// Images, on the local machine and on hosts.
    Build(Build),
    /// The proxy.
    Proxy(Proxy),
    /// Logins.
    Registry(Registry),
    /// The hosts themselves.
    Server(Server),
    /// What is old.
    Prune(Prune),
    /// The deploy lock.
    Lock(Lock),
}

/// A row of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Row {
    /// The first word of the command.
    pub command: &'static str,
    /// The second word.
    pub subcommand: Option<&'static str>,
    /// Which hosts it is about.
    pub scope: Scope,
    /// Whether it takes the deploy lock.
    pub policy: Policy,
    /// Whether it may change something.
    pub changes: bool,
    /// Whether it depends on how the hosts are.
    pub observes: bool,
    /// Whether hosts must have a docker that answers.
    pub docker: bool,
    /// Whether it is about the version of the project as it is.
    pub version: bool,
}

/// Which hosts an operation is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Scope {
    /// None: it acts on the local machine.
    Here,
    /// None, but the hook `pre-connect` runs all the same.
    HereConnecting,
    /// All that are selected.
    All,
    /// All there are, selected or not: what becomes of those that are may be another one's to say.
    Everybody,
    /// Those that run a role.
    App,
    /// Those that run the proxy.
    Proxy,
    /// Those that run the accessories it is about.
    Accessories,
    /// The one the selection is led by.
    Primary,
    /// The one that holds the deploy lock.
    Lock,
}

/// Whether an operation takes the deploy lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Policy {
    /// It needs none.
    Free,
    /// It holds the lock while it changes something.
    Locks,
    /// It is about the lock itself.
    Alone,
}

impl Scope {
    /// True when a connection is made, or somebody is told that one will be.
    #[must_use]
    pub(crate) fn contacts(self) -> bool {
        self != Self::Here
    }
}

impl Row {
    /// One that only asks.
    const fn asks(command: &'static str, subcommand: &'static str, scope: Scope) -> Self {
        Self {
            command,
            subcommand: Some(subcommand),
            scope,
            policy: Policy::Free,
            changes: false,
            observes: false,
            docker: false,
            version: false,
        }
    }

    /// One that only looks at how the hosts are.
    const fn looks(command: &'static str, subcommand: &'static str, scope: Scope) -> Self {
        Self { observes: true, docker: true, ..Self::asks(command, subcommand, scope) }
    }

    /// One that changes something, under the lock.
    const fn locks(command: &'static str, subcommand: &'static str, scope: Scope) -> Self {
        Self { policy: Policy::Locks, changes: true, ..Self::looks(command, subcommand, scope) }
    }

    /// One that changes something without the lock.
    const fn changes(command: &'static str, subcommand: &'static str, scope: Scope) -> Self {
        Self { changes: true, ..Self::asks(command, subcommand, scope) }
    }

    /// A command of one word.
    const fn alone(self) -> Self {
        Self { subcommand: None, ..self }
    }

    /// One about the version of the project.
    const fn of_version(self) -> Self {
        Self { version: true, ..self }
    }

    /// Its words.
    #[must_use]
    pub fn name(&self) -> String {
        self.subcommand.map_or_else(|| self.command.to_owned(), |second| format!("{} {second}", self.command))
    }
}

impl Op {
    /// Whether it brings an image to hosts for them to run.
    #[must_use]
    pub fn delivers(&self) -> bool {
        matches!(
            self,
            Self::Setup(_)
                | Self::Deploy(_)
                | Self::Redeploy(_)
                | Self::Rollout(Rollout::Deploy { .. })
                | Self::Build(Build::Pull | Build::Deliver(_))
        )
    }

    /// Its row.
    #[must_use]
    pub fn row(&self) -> Row {
        match self {
            Self::Setup(_) => Row { docker: false, ..Row::locks("setup", "", Scope::All).alone().of_version() },
            Self::Deploy(_) => Row::locks("deploy", "", Scope::All).alone().of_version(),
            Self::Redeploy(_) => Row::locks("redeploy", "", Scope::All).alone().of_version(),
            Self::Rollback(_) => Row::locks("rollback", "", Scope::All).alone(),
            Self::Rollout(rollout) => rollout.row(),
            Self::Remove => Row::locks("remove", "", Scope::All).alone(),
            Self::Upgrade { .. } => Row::locks("upgrade", "", Scope::All).alone(),
            Self::Details => Row::looks("details", "", Scope::All).alone(),
            Self::Audit => Row::asks("audit", "", Scope::All).alone(),
            Self::Status => Row::asks("status", "", Scope::All).alone(),
            Self::Doctor => Row::asks("doctor", "", Scope::All).alone(),
            Self::App(app) => app.row(),
            Self::Accessory(accessory) => accessory.row(),
            Self::Build(build) => build.row(),
            Self::Proxy(proxy) => proxy.row(),
            Self::Registry(registry) => registry.row(),
            Self::Server(server) => server.row(),
            Self::Prune(prune) => prune.row(),
            Self::Lock(lock) => lock.row(),
        }
    }

    /// What is asked before it begins, where somebody sits at a terminal.
    #[must_use]
    pub fn question(&self) -> Option<String> {
        match self {
            Self::Remove => Some("This will remove all containers and images. Are you sure?".to_owned()),
            Self::Upgrade { .. } => {
                Some("This will replace Traefik with kamal-proxy and restart all accessories".to_owned())
            }
            Self::Accessory(accessory) => accessory.question(),
            Self::Proxy(Proxy::Reboot { .. } | Proxy::Upgrade { .. }) => {
                Some("This will cause a brief outage on each host. Are you sure?".to_owned())
            }
            _ => None,
        }
    }

    /// The hosts it is about, in order.
    #[must_use]
    pub fn hosts(&self, config: &Config, targets: &Targets) -> Vec<HostName> {
        match self.row().scope {
            Scope::Here | Scope::HereConnecting => Vec::new(),
            Scope::All => targets.hosts.clone(),
            Scope::Everybody => Targets::select(config, &Selection::default()).map(|all| all.hosts).unwrap_or_default(),
            Scope::App => targets.app_hosts.clone(),
            Scope::Proxy => targets.proxy_hosts.clone(),
            Scope::Primary => targets.primary_host.iter().cloned().collect(),
            Scope::Lock => targets.lock_host().cloned().into_iter().collect(),
            Scope::Accessories => match self {
                Self::Accessory(accessory) => accessory.hosts(config, targets),
                _ => Vec::new(),
            },
        }
    }

    /// Whether there is something to do whatever the hosts tell, so that the lock is taken before they are asked.
    pub(crate) fn surely_changes(&self) -> bool {
        matches!(self, Self::Setup(_) | Self::Deploy(_) | Self::Redeploy(_) | Self::Rollout(Rollout::Deploy { .. }))
    }

    /// Whether what comes after the image is decided once hosts have it: making it takes as long as it takes, and nothing
    /// else was done to them by then.
    pub(crate) fn decides_on_delivery(&self) -> bool {
        matches!(self, Self::Deploy(_) | Self::Redeploy(_) | Self::Rollout(Rollout::Deploy { .. }))
    }

    /// Whether it is told what hosts say that can be reached, where others cannot. A lock is where it is or nowhere.
    pub(crate) fn tells_what_it_can(&self) -> bool {
        let Row { changes, policy, .. } = self.row();
        let runs_a_command = match self {
            Self::App(App::Exec(_)) | Self::Server(Server::Exec { .. }) => true,
            Self::Accessory(accessory) => matches!(accessory.task, AccessoryTask::Exec { .. }),
            _ => false,
        };
        policy == Policy::Free && (!changes || runs_a_command)
    }

    /// Whether it goes on without hosts that cannot be reached: where roles run as services of the swarm, what changes
    /// these needs a manager alone, and those hosts have nothing that is not elsewhere.
    pub(crate) fn leaves_out_lost_hosts(&self, config: &Config) -> bool {
        let services = config.cluster.as_ref().is_some_and(|cluster| cluster.services.is_some());
        let changes = match self {
            Self::Deploy(_) | Self::Redeploy(_) | Self::Rollback(_) => true,
            Self::App(app) => app.changes_services(),
            _ => false,
        };
        services && changes
    }

    /// Fails unless the configuration has what it names.
    pub(crate) fn check(&self, config: &Config) -> Result<(), Error> {
        match self {
            Self::Accessory(accessory) => accessory.check(config),
            Self::App(App::Scale(wanted)) => services::check(config, wanted),
            Self::Rollout(rollout) => rollout.check(config),
            Self::Server(Server::Join | Server::Leave) => cluster::asked_for(config).map(drop),
            Self::Prune(prune) => prune.check(),
            _ => Ok(()),
        }
    }

    /// Whether it brings hosts to what deploy.yml says: where they are so already, nothing is left to do.
    pub(crate) fn converges(&self) -> bool {
        matches!(self, Self::Setup(_) | Self::Deploy(_) | Self::Redeploy(_) | Self::App(App::Boot))
    }

    /// The accessories a reviewer is told of.
    pub(crate) fn accessories_in_view<'c>(&self, config: &'c Config) -> Vec<&'c model::Accessory> {
        match self {
            Self::Setup(_) | Self::Deploy(_) | Self::Redeploy(_) => config.accessories.iter().collect(),
            Self::Accessory(accessory) if self.row().observes => accessory.of(config),
            _ => Vec::new(),
        }
    }

    /// How an accessory's container is made.
    pub(crate) fn accessory_spec(&self, config: &Config, accessory: &model::Accessory, host: &HostName) -> RunSpec {
        AccessorySteps { config, accessory, files: &[] }.run_spec(host)
    }

    /// Containers of ours that deploy.yml has no place for.
    pub(crate) fn strays(&self, config: &Config, targets: &Targets, states: &[HostState]) -> Vec<Stray> {
        states.iter().flat_map(|state| overview::strays(config, targets, state)).collect()
    }

    /// The hooks that may run.
    pub(crate) fn hooks(&self) -> &'static [&'static str] {
        match self {
            Self::Setup(_)
            | Self::Deploy(_)
            | Self::Redeploy(_)
            | Self::Rollback(_)
            | Self::Rollout(Rollout::Deploy { .. } | Rollout::Promote) => &["pre-connect", "pre-deploy", "post-deploy"],
            _ if self.row().scope.contacts() => &["pre-connect"],
            _ => &[],
        }
    }

    /// The accessories whose files it uploads.
    pub(crate) fn uploads_of<'c>(&self, config: &'c Config) -> Vec<&'c model::Accessory> {
        match self {
            Self::Setup(_) | Self::Upgrade { .. } => config.accessories.iter().collect(),
            Self::Accessory(accessory) if accessory.uploads() => accessory.of(config),
            _ => Vec::new(),
        }
    }

    /// True when it boots containers that may have error pages.
    pub(crate) fn needs_error_pages(&self) -> bool {
        match self {
            Self::Setup(_) | Self::Deploy(_) | Self::Redeploy(_) | Self::Rollback(_) | Self::Upgrade { .. } => true,
            Self::Rollout(_) => true,
            Self::App(app) => matches!(app, App::Boot | App::Start),
            Self::Proxy(proxy) => matches!(proxy, Proxy::Upgrade { .. }),
            Self::Server(server) => server.switches(),
            _ => false,
        }
    }

    /// The secrets it needs, and what for.
    #[must_use]
    pub fn needs(&self, config: &Config, targets: &Targets) -> Needs {
        let mut needs = Needs::new();
        let roles = |needs: &mut Needs| {
            needs.registry(config);
            targets.roles.iter().for_each(|role| needs.role(config, role, &role.hosts));
        };
        match self {
            Self::Setup(deploy)
            | Self::Deploy(deploy)
            | Self::Redeploy(deploy)
            | Self::Rollout(Rollout::Deploy { how: deploy, .. }) => {
                roles(&mut needs);
                if !deploy.skip_push {
                    needs.build(config);
                }
            }
            Self::Rollback(asked) if !asked.as_deployed => roles(&mut needs),
            Self::Rollout(Rollout::Promote) => roles(&mut needs),
            Self::Rollout(Rollout::Abort) => targets.roles.iter().for_each(|role| needs.route(config, role)),
            Self::Upgrade { .. } | Self::App(App::Boot) | Self::Proxy(Proxy::Upgrade { .. }) => roles(&mut needs),
            Self::App(App::Start) => targets.roles.iter().for_each(|role| needs.route(config, role)),
            Self::Server(server) if server.switches() => config.roles.iter().for_each(|role| needs.route(config, role)),
            Self::App(App::Exec(exec)) if !exec.reuse => needs.registry(config),
            Self::Accessory(accessory) => accessory.needs(config, &mut needs),
            Self::Build(build) => build.needs(config, &mut needs),
            Self::Registry(registry) if registry.logs_in() => needs.registry(config),
            _ => {}
        }
        for accessory in self.uploads_of(config) {
            needs.accessory(accessory);
        }
        needs
    }

    /// Plans it: a pure function of the configuration, the selection, and what the hosts told.
    pub(crate) fn draft(&self, facts: &Facts<'_>) -> Result<Draft, Error> {
        let draft = self.draft_of(facts)?;
        rollout::check(self, facts, &draft)?;
        conflict::check(facts, &draft)?;
        cluster::check(facts, &draft)?;
        Ok(draft)
    }

    fn draft_of(&self, facts: &Facts<'_>) -> Result<Draft, Error> {
        match self {
            Self::Setup(deploy) => deploy::setup(deploy, facts),
            Self::Deploy(deploy) => deploy::deploy(deploy, facts),
            Self::Redeploy(deploy) => deploy::redeploy(deploy, facts),
            Self::Rollback(asked) => rollback::draft(asked, facts),
            Self::Rollout(rollout) => rollout.draft(facts),
            Self::Remove => remove::draft(facts),
            Self::Upgrade { rolling } => upgrade::draft(*rolling, facts),
            Self::Details => Ok(overview::details(facts)),
            Self::Audit => Ok(overview::audit(facts)),
            Self::Status => Ok(overview::survey(facts, Survey::Status)),
            Self::Doctor => Ok(overview::survey(facts, Survey::Checkup)),
            Self::App(app) => app.draft(facts),
            Self::Accessory(accessory) => accessory.draft(facts),
            Self::Build(build) => build.draft(facts),
            Self::Proxy(proxy) => proxy.draft(facts),
            Self::Registry(registry) => registry.draft(facts),
            Self::Server(server) => server.draft(facts),
            Self::Prune(prune) => prune.draft(facts),
            Self::Lock(lock) => lock.draft(facts),
        }
    }
}
