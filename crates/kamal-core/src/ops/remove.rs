//! `app stale_containers` and `app remove` with its parts (spec 9.7).

use futures_util::FutureExt;

use super::{
    Cx,
    small::{audit, locked, stop_steps},
};
use crate::{
    config::model::Role,
    error::Error,
    name::{HostName, RoleName, Version},
    naming,
    plan::{self, HostWork},
    shell::escape::word,
    state::{ContainerState, HostState},
    step::Step,
};

/// What of the app goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Removal {
    /// All of it, after it was stopped.
    Everything,
    /// The container of a version.
    Container(Version),
    /// Containers that do not run.
    Containers,
    /// Images no container uses.
    Images,
    /// The app's folders.
    Directories,
}

/// A container that runs though another version is current.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stale {
    /// The host.
    pub host: HostName,
    /// The role.
    pub role: RoleName,
    /// The version.
    pub version: Version,
}

/// `app remove` and its parts. Images and folders go only where all of a host's roles are selected.
pub async fn app_remove(cx: &Cx<'_>, what: &Removal) -> Result<(), Error> {
    let label = if *what == Removal::Everything { "remove the app" } else { "remove" };
    locked(cx, label, |states| {
        let work = |state: &HostState| HostWork { host: state.host.clone(), steps: steps(cx, state, what) };
        Ok(states.iter().filter(|state| cx.targets.app_hosts.contains(&state.host)).map(work).collect())
    })
    .await
}

/// `app stale_containers`: finds them, and stops them if told to.
pub async fn stale_containers(cx: &Cx<'_>, stop: bool) -> Result<Vec<Stale>, Error> {
    if !stop {
        let states = cx.fleet.on(&cx.targets.app_hosts, |host| cx.fleet.observe(host).boxed()).await?;
        return Ok(states.iter().flat_map(|state| stale(cx, state)).collect());
    }
    let mut found = Vec::new();
    locked(cx, "stop stale containers", |states| {
        found = states.iter().flat_map(|state| stale(cx, state)).collect();
        let step = |stale: &Stale| Step::Stop {
            container: naming::container(cx.fleet.config, &stale.role, &stale.version),
            timeout: cx.fleet.config.role(&stale.role).and_then(|role| plan::stop_timeout(cx.fleet.config, role)),
        };
        let work = |state: &HostState| HostWork {
            host: state.host.clone(),
            steps: found.iter().filter(|stale| stale.host == state.host).map(step).collect(),
        };
        Ok(states.iter().map(work).collect())
    })
    .await?;
    Ok(found)
}

fn stale(cx: &Cx<'_>, state: &HostState) -> Vec<Stale> {
    let config = cx.fleet.config;
    let mut found = Vec::new();
    for (role, _) in cx.targets.roles_on(&state.host) {
        let current = state.current_version(config, &role.name);
        // What `docker ps` lists.
        let runs =
            |state| matches!(state, ContainerState::Running | ContainerState::Restarting | ContainerState::Paused);
        let running = state.of_role(&role.name).filter(|container| runs(container.state));
        let versions = running.filter_map(|container| naming::version_of(config, &role.name, &container.name));
        let host = &state.host;
        let entry = |version| Stale { host: host.clone(), role: role.name.clone(), version };
        found.extend(versions.filter(|version| current.as_ref() != Some(version)).map(entry));
    }
    found
}

fn steps(cx: &Cx<'_>, state: &HostState, what: &Removal) -> Vec<Step> {
    let config = cx.fleet.config;
    let roles: Vec<&Role> = cx.targets.roles_on(&state.host).map(|(role, _)| role).collect();
    let everything = *what == Removal::Everything;
    let mut steps = Vec::new();
    if everything {
        steps.extend(roles.iter().flat_map(|role| stop_steps(config, state, role)));
    }
    for role in &roles {
        match what {
            Removal::Everything | Removal::Containers => steps.extend(containers(cx, role)),
            Removal::Container(version) => steps.extend(container(cx, role, version)),
            Removal::Images | Removal::Directories => {}
        }
    }
    let here = |role: &&Role| role.hosts.iter().any(|host| host.name == state.host);
    if config.roles.iter().filter(here).count() == roles.len() {
        if everything || *what == Removal::Images {
            steps.extend(images(cx));
        }
        if everything || *what == Removal::Directories {
            steps.extend(directories(cx));
        }
    }
    steps
}

fn run(title: &str, shell: String, tolerant: bool) -> Step {
    Step::Run { title: title.to_owned(), shell, tolerant }
}

fn container(cx: &Cx<'_>, role: &Role, version: &Version) -> [Step; 2] {
    let name = naming::container(cx.fleet.config, &role.name, version);
    [
        audit(format!("Removed app container with version {version}"), Some(role)),
        run(&format!("remove {name}"), format!("docker container rm {}", word(&name)), false),
    ]
}

fn containers(cx: &Cx<'_>, role: &Role) -> [Step; 2] {
    let config = cx.fleet.config;
    let destination = config.destination.as_deref().unwrap_or_default();
    let shell = format!(
        "docker container prune --force --filter label=service={} --filter label=destination={destination} --filter label=role={}",
        config.service, role.name
    );
    [
        audit("Removed all app containers".to_owned(), Some(role)),
        run(&format!("remove stopped containers of {}", role.name), shell, false),
    ]
}

fn images(cx: &Cx<'_>) -> [Step; 2] {
    let shell = format!("docker image prune --all --force --filter label=service={}", cx.fleet.config.service);
    [audit("Removed all app images".to_owned(), None), run("remove images no container uses", shell, false)]
}

fn directories(cx: &Cx<'_>) -> [Step; 3] {
    let (app, proxy) = (naming::app_directory(cx.fleet.config), naming::apps_config(cx.fleet.config));
    [
        run(&format!("remove {app}"), format!("rm -rf {}", word(&app)), true),
        audit(format!("Removed {app}"), None),
        run(&format!("remove {proxy}"), format!("rm -rf {}", word(&proxy)), true),
    ]
}
