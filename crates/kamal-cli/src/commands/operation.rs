//! From a command line to the operation it asks for.

use std::time::Duration;

use kamal_core::{
    command_line::CommandLine,
    config::Config,
    naming,
    op::{
        Accessory, AccessoryTask, App, BootConfig, Build, Deploy, Exec, Lock, Logs, Maintenance, Op, Proxy, Prune,
        Registry, RegistryTask, Rollback, Rollout, Server,
    },
    query::{Attach, LogLines},
};

use crate::{
    adapters::terminal,
    args::{
        AccessoryCommand, AppCommand, BuildCommand, Command, DeployArgs, LockCommand, LogsArgs, ProxyCommand,
        PruneCommand, RegistryCommand, RolloutCommand, ServerCommand,
        proxy::{BootConfigArgs, BootConfigChore},
    },
    failure::Failure,
};

/// The operation of a command; `None` for those that act on nothing but the local project.
pub(super) fn operation(command: Command, config: &Config) -> Result<Option<Op>, Failure> {
    Ok(Some(match command {
        Command::Setup(args) => Op::Setup(deploy(&args)),
        Command::Deploy(args) => Op::Deploy(deploy(&args)),
        Command::Redeploy(args) => Op::Redeploy(deploy(&args)),
        Command::Rollback(args) => {
            let to = args.version_to.map(|version| version.parse()).transpose()?;
            Op::Rollback(Rollback { to, as_deployed: args.as_deployed })
        }
        Command::Rollout(command) => Op::Rollout(rollout(&command)),
        Command::Remove(_) => Op::Remove,
        Command::Upgrade(args) => Op::Upgrade { rolling: args.rolling },
        Command::Details => Op::Details,
        Command::Audit => Op::Audit,
        Command::Status(_) => Op::Status,
        Command::Doctor { way: None } => Op::Doctor,
        Command::App(command) => Op::App(app(command)?),
        Command::Accessory(command) => Op::Accessory(accessory(command, config)?),
        Command::Build(command) => Op::Build(build(command)),
        Command::Proxy(command) => Op::Proxy(proxy(command)?),
        Command::Registry(command) => match registry(&command) {
            Some(registry) => Op::Registry(registry),
            None => return Ok(None),
        },
        Command::Server(ServerCommand::Bootstrap(_)) => Op::Server(Server::Bootstrap),
        Command::Server(ServerCommand::Join(_)) => Op::Server(Server::Join),
        Command::Server(ServerCommand::Leave(_)) => Op::Server(Server::Leave),
        Command::Server(ServerCommand::Exec(args)) => {
            if args.raw {
                clash("Raw", &[(args.interactive, "interactive")])?;
            }
            let command = CommandLine::of(&args.command);
            Op::Server(Server::Exec { command, interactive: args.interactive })
        }
        Command::Lock(LockCommand::Status) => Op::Lock(Lock::Status),
        Command::Lock(LockCommand::Acquire(args)) => Op::Lock(Lock::Acquire { message: args.message }),
        Command::Lock(LockCommand::Release(_)) => Op::Lock(Lock::Release),
        Command::Prune(PruneCommand::All(_)) => Op::Prune(Prune::All),
        Command::Prune(PruneCommand::Images(_)) => Op::Prune(Prune::Images),
        Command::Prune(PruneCommand::Containers(args)) => Op::Prune(Prune::Containers { retain: args.retain }),
        Command::Completion { .. }
        | Command::Config(_)
        | Command::Docs(_)
        | Command::Doctor { .. }
        | Command::Import(_)
        | Command::Init(_)
        | Command::Plan { .. }
        | Command::Secrets(_)
        | Command::Version => return Ok(None),
    }))
}

fn deploy(args: &DeployArgs) -> Deploy {
    Deploy { skip_push: args.skip_push, no_cache: args.no_cache }
}

fn rollout(command: &RolloutCommand) -> Rollout {
    match command {
        RolloutCommand::Deploy(args) => Rollout::Deploy { how: deploy(&args.deploy), percent: args.percent },
        RolloutCommand::Set(args) => Rollout::Set { percent: args.percent },
        RolloutCommand::Promote(_) => Rollout::Promote,
        RolloutCommand::Abort(_) => Rollout::Abort,
    }
}

fn app(command: AppCommand) -> Result<App, Failure> {
    Ok(match command {
        AppCommand::Boot(_) => App::Boot,
        AppCommand::Start(_) => App::Start,
        AppCommand::Stop(_) => App::Stop,
        AppCommand::Maintenance(args) => App::Maintenance(Maintenance {
            drain_timeout: args.drain_timeout.map(|timeout: Duration| timeout.as_secs()),
            message: args.message,
        }),
        AppCommand::Scale(args) => App::Scale(args.replicas),
        AppCommand::Live(_) => App::Live,
        AppCommand::Exec(args) => {
            if args.detach {
                clash("Detach", &[(args.interactive, "interactive"), (args.reuse, "reuse")])?;
            }
            if args.raw {
                clash("Raw", &[(args.interactive, "interactive"), (args.detach, "detach")])?;
            }
            let env = args.env.into_iter().map(|pair| (pair.key, pair.value)).collect();
            let attach = if args.detach { Attach::Detached } else { attach(args.interactive) };
            App::Exec(Exec { command: command_line(&args.command)?, reuse: args.reuse, env, attach })
        }
        AppCommand::Logs(args) => {
            App::Logs(Logs { lines: lines(args.logs, args.grep_options), container: args.container_id })
        }
        AppCommand::Details => App::Details,
        AppCommand::Containers => App::Containers,
        AppCommand::Images => App::Images,
        AppCommand::Version => App::Version,
        AppCommand::StaleContainers(args) => App::StaleContainers { stop: args.stop },
        AppCommand::Remove(_) => App::Remove,
        AppCommand::RemoveContainer(args) => App::RemoveContainer(args.version_removed.parse()?),
        AppCommand::RemoveContainers(_) => App::RemoveContainers,
        AppCommand::RemoveImages(_) => App::RemoveImages,
        AppCommand::RemoveAppDirectories(_) => App::RemoveDirectories,
    })
}

fn accessory(command: AccessoryCommand, config: &Config) -> Result<Accessory, Failure> {
    let (name, task) = match command {
        AccessoryCommand::Boot(args) => (args.name, AccessoryTask::Boot),
        AccessoryCommand::Upload(args) => (args.name, AccessoryTask::Upload),
        AccessoryCommand::Directories(args) => (args.name, AccessoryTask::Directories),
        AccessoryCommand::Reboot(args) => (args.name, AccessoryTask::Reboot),
        AccessoryCommand::Start(args) => (args.name, AccessoryTask::Start),
        AccessoryCommand::Stop(args) => (args.name, AccessoryTask::Stop),
        AccessoryCommand::Restart(args) => (args.name, AccessoryTask::Restart),
        AccessoryCommand::Details { name } => (name, AccessoryTask::Details),
        AccessoryCommand::Exec(args) => {
            if args.raw {
                clash("Raw", &[(args.interactive, "interactive")])?;
            }
            let attach = attach(args.interactive);
            (args.name, AccessoryTask::Exec { command: command_line(&args.command)?, reuse: args.reuse, attach })
        }
        AccessoryCommand::Logs(args) => (args.name, AccessoryTask::Logs(lines(args.logs, args.grep_options))),
        AccessoryCommand::PullImage(args) => (args.name, AccessoryTask::PullImage),
        AccessoryCommand::Remove(args) => (args.name, AccessoryTask::Remove),
        AccessoryCommand::RemoveContainer(args) => (args.name, AccessoryTask::RemoveContainer),
        AccessoryCommand::RemoveImage(args) => (args.name, AccessoryTask::RemoveImage),
        AccessoryCommand::RemoveServiceDirectory(args) => (args.name, AccessoryTask::RemoveServiceDirectory),
        AccessoryCommand::Upgrade(args) => (args.name, AccessoryTask::Upgrade { rolling: args.how.rolling }),
    };
    Ok(Accessory::new(config, &name, task)?)
}

fn build(command: BuildCommand) -> Build {
    match command {
        BuildCommand::Deliver(_) => Build::Deliver(Deploy::default()),
        BuildCommand::Push(args) => Build::Push { no_cache: args.no_cache, output: args.output },
        BuildCommand::Pull(_) => Build::Pull,
        BuildCommand::Create(_) => Build::Create,
        BuildCommand::Remove(_) => Build::Remove,
        BuildCommand::Details => Build::Details,
        BuildCommand::Dev(args) => Build::Dev { no_cache: args.no_cache, output: args.output },
    }
}

fn proxy(command: ProxyCommand) -> Result<Proxy, Failure> {
    Ok(match command {
        ProxyCommand::Boot(_) => Proxy::Boot,
        ProxyCommand::BootConfig(args) => Proxy::BootConfig(boot_config(&args)?),
        ProxyCommand::Reboot(args) => Proxy::Reboot { rolling: args.rolling },
        ProxyCommand::Upgrade(args) => Proxy::Upgrade { rolling: args.rolling },
        ProxyCommand::Start(_) => Proxy::Start,
        ProxyCommand::Stop(_) => Proxy::Stop,
        ProxyCommand::Restart(_) => Proxy::Restart,
        ProxyCommand::Details => Proxy::Details,
        ProxyCommand::List => Proxy::List,
        ProxyCommand::Logs(args) => Proxy::Logs(lines(args, None)),
        ProxyCommand::Remove(args) => Proxy::Remove { force: args.force },
        ProxyCommand::RemoveContainer(_) => Proxy::RemoveContainer,
        ProxyCommand::RemoveImage(_) => Proxy::RemoveImage,
        ProxyCommand::RemoveProxyDirectory(_) => Proxy::RemoveDirectory,
    })
}

/// Kamal's legacy files, as its flags have them (spec 9.5, 13.4).
fn boot_config(args: &BootConfigArgs) -> Result<BootConfig, Failure> {
    match args.chore {
        BootConfigChore::Get => return Ok(BootConfig::Get),
        BootConfigChore::Reset => return Ok(BootConfig::Reset),
        BootConfigChore::Set => {}
    }
    let mut options = Vec::new();
    if args.publish {
        let mut publish = |ip: &str| {
            options.push(format!("--publish {ip}{}:80 --publish {ip}{}:443", args.http_port, args.https_port));
        };
        for ip in &args.publish_host_ip {
            match ip.trim_matches(['[', ']']).parse() {
                Ok(std::net::IpAddr::V4(ip)) => publish(&format!("{ip}:")),
                Ok(std::net::IpAddr::V6(ip)) => publish(&format!("[{ip}]:")),
                Err(_) => return Err(Failure::User(format!("Invalid publish IP address: {ip}"))),
            }
        }
        if args.publish_host_ip.is_empty() {
            publish("");
        }
    }
    if !args.log_max_size.trim().is_empty() {
        options.push(format!("--log-opt max-size={}", args.log_max_size));
    }
    options.extend(args.metrics_port.map(|port| format!("--expose={port}")));
    options.extend(args.docker_options.iter().map(|option| format!("--{option}")));
    let (default, _) = naming::PROXY_REPOSITORY.split_once('/').unwrap_or((naming::PROXY_REPOSITORY, ""));
    let registry = args.registry.iter().map(|registry| format!("{registry}/")).collect::<String>();
    let image = format!("{registry}{}/kamal-proxy", args.repository.as_deref().unwrap_or(default));
    let mut command = Vec::new();
    if args.debug || args.metrics_port.is_some() {
        command.push("kamal-proxy run".to_owned());
        command.extend(args.debug.then(|| "--debug".to_owned()));
        command.extend(args.metrics_port.map(|port| format!("--metrics-port \"{port}\"")));
    }
    let version = args.image_version.clone().unwrap_or_else(|| naming::PROXY_MINIMUM_VERSION.to_owned());
    Ok(BootConfig::Set { options: options.join(" "), image, version, command: command.join(" ") })
}

fn registry(command: &RegistryCommand) -> Option<Registry> {
    let args = command.args()?;
    let task = match command {
        RegistryCommand::Setup(_) => RegistryTask::Setup,
        RegistryCommand::Login(_) => RegistryTask::Login,
        RegistryCommand::Remove(_) => RegistryTask::Remove,
        RegistryCommand::Logout(_) => RegistryTask::Logout,
        RegistryCommand::Ls | RegistryCommand::Gc(_) => return None,
    };
    Some(Registry { task, skip_local: args.skip_local, skip_remote: args.skip_remote })
}

fn lines(args: LogsArgs, grep_options: Option<String>) -> LogLines {
    LogLines {
        since: args.since,
        lines: args.lines,
        grep: args.grep,
        grep_options,
        follow: args.follow,
        timestamps: !args.skip_timestamps,
    }
}

fn attach(interactive: bool) -> Attach {
    match interactive {
        true if terminal::is_one() => Attach::Terminal,
        true => Attach::Input,
        false => Attach::Output,
    }
}

fn command_line(words: &[String]) -> Result<CommandLine, Failure> {
    let nothing = "No command provided. You must specify a command to execute.";
    CommandLine::of(words).ok_or_else(|| Failure::User(nothing.to_owned()))
}

/// Refuses options that do not go with another.
fn clash(what: &str, with: &[(bool, &str)]) -> Result<(), Failure> {
    let names: Vec<&str> = with.iter().filter(|(given, _)| *given).map(|(_, name)| *name).collect();
    let text = format!("{what} is not compatible with {}", names.join(" or "));
    if names.is_empty() { Ok(()) } else { Err(Failure::User(text)) }
}
