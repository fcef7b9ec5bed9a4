//! Every operation of the table, as tests go through it.

use crate::{
    command_line::CommandLine,
    config::{Config, model::Role},
    name::Version,
    op::{
        Accessory, AccessoryTask, App, BootConfig, Build, Deploy, Exec, Lock, Logs, Maintenance, Op, Proxy, Prune,
        Registry, RegistryTask, Rollback, Rollout, Scale, Server,
    },
    plan,
    query::{Attach, LogLines},
};

/// At least one operation for each row of the table, for a configuration with accessories. `version` is one the hosts
/// have.
#[must_use]
pub fn every_operation(config: &Config, version: &Version) -> Vec<Op> {
    let deploy = Deploy::default();
    let mut all = vec![
        Op::Setup(deploy),
        Op::Deploy(deploy),
        Op::Deploy(Deploy { skip_push: true, no_cache: false }),
        Op::Redeploy(deploy),
        Op::Rollback(Rollback::default()),
        Op::Rollback(Rollback { to: Some(version.clone()), as_deployed: false }),
        Op::Rollback(Rollback { to: Some(version.clone()), as_deployed: true }),
        Op::Rollout(Rollout::Deploy { how: deploy, percent: 10 }),
        Op::Rollout(Rollout::Set { percent: 50 }),
        Op::Rollout(Rollout::Promote),
        Op::Rollout(Rollout::Abort),
        Op::Remove,
        Op::Upgrade { rolling: false },
        Op::Upgrade { rolling: true },
        Op::Details,
        Op::Audit,
        Op::Status,
        Op::Doctor,
        Op::Server(Server::Bootstrap),
        Op::Server(Server::Exec { command: Some(command()), interactive: false }),
        Op::Server(Server::Exec { command: None, interactive: true }),
        Op::Prune(Prune::All),
        Op::Prune(Prune::Containers { retain: Some(1) }),
        Op::Prune(Prune::Images),
        Op::Lock(Lock::Status),
        Op::Lock(Lock::Acquire { message: "busy".to_owned() }),
        Op::Lock(Lock::Release),
    ];
    if config.cluster.is_some() {
        all.extend([Server::Join, Server::Leave].map(Op::Server));
    }
    all.extend(apps(version).into_iter().map(Op::App));
    if plan::services::asked_for(config).is_some() {
        let scale = |role: &Role| Scale { role: role.name.clone(), replicas: 2 };
        all.push(Op::App(App::Scale(config.roles.iter().map(scale).collect())));
    }
    all.extend(proxies().into_iter().map(Op::Proxy));
    all.extend(builds().into_iter().map(Op::Build));
    for task in [RegistryTask::Setup, RegistryTask::Login, RegistryTask::Remove, RegistryTask::Logout] {
        all.push(Op::Registry(Registry { task, skip_local: false, skip_remote: false }));
    }
    let accessory = |task| Accessory::new(config, "all", task).ok().map(Op::Accessory);
    all.extend(accessories().into_iter().filter_map(accessory));
    all
}

fn command() -> CommandLine {
    CommandLine::Shell("true".to_owned())
}

fn apps(version: &Version) -> Vec<App> {
    let exec = |reuse, attach| App::Exec(Exec { command: command(), reuse, env: Vec::new(), attach });
    let logs = |follow| App::Logs(Logs { lines: LogLines { follow, ..LogLines::default() }, container: None });
    vec![
        App::Boot,
        App::Start,
        App::Stop,
        App::Maintenance(Maintenance::default()),
        App::Live,
        exec(false, Attach::Output),
        exec(true, Attach::Output),
        exec(true, Attach::Terminal),
        logs(false),
        logs(true),
        App::Details,
        App::Containers,
        App::Images,
        App::Version,
        App::StaleContainers { stop: false },
        App::StaleContainers { stop: true },
        App::Remove,
        App::RemoveContainer(version.clone()),
        App::RemoveContainers,
        App::RemoveImages,
        App::RemoveDirectories,
    ]
}

fn proxies() -> Vec<Proxy> {
    let set = BootConfig::Set {
        options: "--publish 8080:80".to_owned(),
        image: "basecamp/kamal-proxy".to_owned(),
        version: "v0.9.2".to_owned(),
        command: String::new(),
    };
    vec![
        Proxy::Boot,
        Proxy::BootConfig(set),
        Proxy::BootConfig(BootConfig::Get),
        Proxy::BootConfig(BootConfig::Reset),
        Proxy::Reboot { rolling: false },
        Proxy::Reboot { rolling: true },
        Proxy::Upgrade { rolling: false },
        Proxy::Upgrade { rolling: true },
        Proxy::Start,
        Proxy::Stop,
        Proxy::Restart,
        Proxy::Details,
        Proxy::List,
        Proxy::Logs(LogLines::default()),
        Proxy::Logs(LogLines { follow: true, ..LogLines::default() }),
        Proxy::Remove { force: false },
        Proxy::Remove { force: true },
        Proxy::RemoveContainer,
        Proxy::RemoveImage,
        Proxy::RemoveDirectory,
    ]
}

fn builds() -> Vec<Build> {
    vec![
        Build::Push { no_cache: false, output: "registry".to_owned() },
        Build::Pull,
        Build::Deliver(Deploy::default()),
        Build::Create,
        Build::Remove,
        Build::Details,
        Build::Dev { no_cache: false, output: "docker".to_owned() },
    ]
}

fn accessories() -> Vec<AccessoryTask> {
    let exec = |reuse, attach| AccessoryTask::Exec { command: command(), reuse, attach };
    vec![
        AccessoryTask::Boot,
        AccessoryTask::Upload,
        AccessoryTask::Directories,
        AccessoryTask::Reboot,
        AccessoryTask::Start,
        AccessoryTask::Stop,
        AccessoryTask::Restart,
        AccessoryTask::Details,
        exec(false, Attach::Output),
        exec(true, Attach::Output),
        exec(true, Attach::Terminal),
        AccessoryTask::Logs(LogLines::default()),
        AccessoryTask::Logs(LogLines { follow: true, ..LogLines::default() }),
        AccessoryTask::PullImage,
        AccessoryTask::Remove,
        AccessoryTask::RemoveContainer,
        AccessoryTask::RemoveImage,
        AccessoryTask::RemoveServiceDirectory,
        AccessoryTask::Upgrade { rolling: false },
        AccessoryTask::Upgrade { rolling: true },
    ]
}
