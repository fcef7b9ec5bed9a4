//! The command line (spec kamal.md chapter 1): its commands and options as data, which is all that reads it, its help,
//! completions and man pages are made of.

pub(crate) mod accessory;
pub(crate) mod app;
pub(crate) mod build;
mod candidates;
mod doctor;
mod import;
pub(crate) mod lock;
mod logs;
pub(crate) mod proxy;
pub(crate) mod prune;
mod read;
mod refusal;
pub(crate) mod registry;
mod rollout;
mod secrets;
pub(crate) mod server;
mod switches;
mod usage;
mod values;

use std::{path::PathBuf, time::Duration};

use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};

pub(crate) use self::{
    accessory::AccessoryCommand,
    app::AppCommand,
    build::BuildCommand,
    doctor::DoctorCommand,
    import::ImportCommand,
    lock::LockCommand,
    logs::LogsArgs,
    proxy::ProxyCommand,
    prune::PruneCommand,
    read::{Line, read},
    registry::RegistryCommand,
    rollout::RolloutCommand,
    secrets::{ExtractArgs, FetchArgs, SecretsCommand},
    server::ServerCommand,
    values::Pair,
};

/// Deploy web apps anywhere: bare metal, cloud VMs, anything with SSH and Docker.
#[derive(Debug, Parser)]
#[command(
    name = "kamal",
    disable_help_flag = true,
    disable_version_flag = true,
    subcommand_required = true,
    after_help = "First deploy: `kamal init`, edit config/deploy.yml, `kamal setup`. See what would happen first: `kamal deploy --dry-run`."
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
    /// Whether it is only to be planned: the line began with `plan`.
    #[arg(skip)]
    pub(crate) planned: bool,
}

/// Options of every command.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Options for every command")]
pub(crate) struct Global {
    /// Show every command that is run on a host, and what it prints
    #[arg(short, long, global = true)]
    pub(crate) verbose: bool,
    /// Show errors and asked-for data only
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
    /// App version to act on [default: the git commit]
    #[arg(long, global = true, add = candidates::versions())]
    pub(crate) version: Option<String>,
    /// Only the primary host
    #[arg(short, long, global = true)]
    pub(crate) primary: bool,
    /// Only these hosts (comma-separated, wildcards allowed)
    #[arg(short = 'h', long, global = true, add = candidates::hosts())]
    pub(crate) hosts: Option<String>,
    /// Only these roles (comma-separated, wildcards allowed)
    #[arg(short, long, global = true, add = candidates::roles())]
    pub(crate) roles: Option<String>,
    /// Path of the configuration
    #[arg(short, long, global = true, value_name = "FILE", value_hint = ValueHint::FilePath, default_value = "config/deploy.yml")]
    pub(crate) config_file: String,
    /// Destination: merges config/deploy.DESTINATION.yml over it
    #[arg(short, long, global = true, add = candidates::destinations())]
    pub(crate) destination: Option<String>,
    /// Do not run hooks
    #[arg(short = 'H', long, global = true)]
    pub(crate) skip_hooks: bool,
    /// Wait for a deploy lock somebody else holds
    #[arg(long, global = true)]
    pub(crate) lock_wait: bool,
    /// How long to wait for it
    #[arg(long, global = true, value_name = "SECONDS", default_value = "900", value_parser = values::seconds)]
    pub(crate) lock_wait_timeout: Duration,
    /// How long between looks
    #[arg(long, global = true, value_name = "SECONDS", default_value = "15", value_parser = values::seconds)]
    pub(crate) lock_wait_interval: Duration,
    /// Show, per host, the round trips made and where the time went
    #[arg(long, global = true)]
    pub(crate) timings: bool,
    /// Print JSON instead of text: what was asked for as one object, what is done as lines (`kamal docs --schema`)
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Print no colours, and no lines that change
    #[arg(long, global = true)]
    pub(crate) no_color: bool,
    /// Print help
    #[arg(long, global = true, action = clap::ArgAction::Help)]
    pub(crate) help: Option<bool>,
}

/// Options of every command that changes something.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Preview {
    /// Print the plan and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Do exactly what was reviewed or nothing: the digest of a plan, or the file with its JSON (`kamal plan --json`)
    #[arg(long, value_name = "DIGEST|FILE")]
    pub(crate) plan: Option<String>,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Set up hosts and deploy: installs Docker where missing, starts kamal-proxy, deploys the app
    Setup(DeployArgs),
    /// Build, push, and deploy the app without downtime
    Deploy(DeployArgs),
    /// Deploy without starting kamal-proxy and without pruning
    Redeploy(DeployArgs),
    /// Go back to a version whose containers the hosts still have
    Rollback(RollbackArgs),
    /// Try a version on a part of the requests before it takes the place of the one that is live
    #[command(subcommand, disable_help_subcommand = true)]
    Rollout(RolloutCommand),
    /// Show what a command would do, and in what the hosts differ from deploy.yml. Exit status: 0 nothing to do, 2 changes
    Plan {
        /// The command, with its options
        #[arg(required = true, value_name = "COMMAND", trailing_var_arg = true)]
        words: Vec<String>,
    },
    /// Manage accessories: databases and the like
    #[command(subcommand, disable_help_subcommand = true)]
    Accessory(AccessoryCommand),
    /// Manage the app's containers
    #[command(subcommand, disable_help_subcommand = true)]
    App(AppCommand),
    /// Build and deliver images
    #[command(subcommand, disable_help_subcommand = true)]
    Build(BuildCommand),
    /// Manage kamal-proxy
    #[command(subcommand, disable_help_subcommand = true)]
    Proxy(ProxyCommand),
    /// Log in to and out of the registry, or run one on this machine
    #[command(subcommand, disable_help_subcommand = true)]
    Registry(RegistryCommand),
    /// Prepare servers
    #[command(subcommand, disable_help_subcommand = true)]
    Server(ServerCommand),
    /// Look at, take and release the deploy lock
    #[command(subcommand, disable_help_subcommand = true)]
    Lock(LockCommand),
    /// Remove old containers and images
    #[command(subcommand, disable_help_subcommand = true)]
    Prune(PruneCommand),
    /// Work with secrets
    #[command(subcommand, disable_help_subcommand = true)]
    Secrets(SecretsCommand),
    /// Show all containers
    Details,
    /// Show what was done on the hosts
    Audit,
    /// Show the fleet on one screen: versions, health, routes, drift, disk, memory, certificates
    Status(StatusArgs),
    /// Show the configuration as it is understood, or check it
    Config(ConfigArgs),
    /// Look at all a deploy relies on: this machine, the configuration, every host, and say what would fix it
    #[command(disable_help_subcommand = true)]
    Doctor {
        #[command(subcommand)]
        way: Option<DoctorCommand>,
    },
    /// Explain what can be configured
    Docs(DocsArgs),
    /// Create config/deploy.yml, .kamal/secrets and sample hooks
    Init(InitArgs),
    /// Write a draft of config/deploy.yml from the file of another tool
    #[command(subcommand, disable_help_subcommand = true)]
    Import(ImportCommand),
    /// Remove the app, kamal-proxy and accessories from the hosts, and log out of the registry
    Remove(ConfirmedArgs),
    /// Move from Kamal 1 with Traefik to kamal-proxy
    Upgrade(RollingArgs),
    /// Print what makes a shell complete commands, options, hosts, roles and accessories
    Completion {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the version
    Version,
}

impl Command {
    /// The options of a command that changes something.
    pub(crate) fn preview(&self) -> Option<&Preview> {
        match self {
            Self::Setup(args) | Self::Deploy(args) | Self::Redeploy(args) => Some(&args.preview),
            Self::Rollback(args) => Some(&args.preview),
            Self::Rollout(command) => Some(command.preview()),
            Self::Remove(args) => Some(&args.preview),
            Self::Upgrade(args) => Some(&args.preview),
            Self::Accessory(command) => command.preview(),
            Self::App(command) => command.preview(),
            Self::Build(command) => command.preview(),
            Self::Lock(command) => command.preview(),
            Self::Proxy(command) => command.preview(),
            Self::Prune(command) => Some(command.preview()),
            Self::Registry(command) => command.args().map(|args| &args.preview),
            Self::Server(
                ServerCommand::Bootstrap(preview) | ServerCommand::Join(preview) | ServerCommand::Leave(preview),
            ) => Some(preview),
            Self::Server(ServerCommand::Exec(_))
            | Self::Audit
            | Self::Completion { .. }
            | Self::Config(_)
            | Self::Details
            | Self::Docs(_)
            | Self::Doctor { .. }
            | Self::Import(_)
            | Self::Init(_)
            | Self::Plan { .. }
            | Self::Secrets(_)
            | Self::Status(_)
            | Self::Version => None,
        }
    }
}

impl Command {
    /// Whether what it is about to do is agreed to already.
    pub(crate) fn is_confirmed(&self) -> bool {
        match self {
            Self::Remove(args) => args.confirmed,
            Self::Upgrade(args) | Self::Proxy(ProxyCommand::Reboot(args) | ProxyCommand::Upgrade(args)) => {
                args.confirmed
            }
            Self::Accessory(AccessoryCommand::Remove(args)) => args.confirmed,
            Self::Accessory(AccessoryCommand::Upgrade(args)) => args.how.confirmed,
            _ => false,
        }
    }

    /// Whether roles may be named that deploy.yml does not have any more: it only looks at their containers, or takes
    /// them away.
    pub(crate) fn takes_roles_that_are_gone(&self) -> bool {
        let Self::App(command) = self else { return false };
        matches!(
            command,
            AppCommand::Stop(_)
                | AppCommand::Details
                | AppCommand::Logs(_)
                | AppCommand::Remove(_)
                | AppCommand::RemoveContainer(_)
                | AppCommand::RemoveContainers(_)
        )
    }

    /// The name of a command that acts on no host, and on nothing hosts are given.
    pub(crate) fn acts_on_nothing(&self) -> Option<&'static str> {
        match self {
            Self::Completion { .. } => Some("completion"),
            Self::Config(_) => Some("config"),
            Self::Docs(_) => Some("docs"),
            Self::Doctor { way: Some(_) } => Some("doctor ssh"),
            Self::Import(_) => Some("import"),
            Self::Init(_) => Some("init"),
            Self::Secrets(_) => Some("secrets"),
            Self::Version => Some("version"),
            Self::Registry(RegistryCommand::Ls | RegistryCommand::Gc(_)) => Some("the registry on this machine"),
            _ => None,
        }
    }

    /// Whether another program reads what it prints.
    pub(crate) fn is_raw(&self) -> bool {
        match self {
            Self::App(AppCommand::Exec(args)) => args.raw,
            Self::Accessory(AccessoryCommand::Exec(args)) => args.raw,
            Self::Server(ServerCommand::Exec(args)) => args.raw,
            _ => false,
        }
    }
}

/// Options of `status`.
#[derive(Args, Debug)]
pub(crate) struct StatusArgs {
    /// Show it again every two seconds, until Ctrl-C
    #[arg(long)]
    pub(crate) watch: bool,
}

/// Options of deploy and its kin.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct DeployArgs {
    /// Pull the image instead of building and pushing it
    #[arg(short = 'P', long)]
    pub(crate) skip_push: bool,
    /// Build without the build cache
    #[arg(long)]
    pub(crate) no_cache: bool,
    #[command(flatten)]
    pub(crate) preview: Preview,
}

/// Options of rollback.
#[derive(Args, Clone, Debug)]
pub(crate) struct RollbackArgs {
    /// The version [default: the one before]
    #[arg(value_name = "VERSION", add = candidates::versions())]
    pub(crate) version_to: Option<String>,
    /// With the variables and options its containers were deployed with, not those of today's configuration
    #[arg(long)]
    pub(crate) as_deployed: bool,
    #[command(flatten)]
    pub(crate) preview: Preview,
}

/// Options of what is asked about first.
#[derive(Args, Clone, Debug)]
pub(crate) struct ConfirmedArgs {
    /// Without asking
    #[arg(short = 'y', long)]
    pub(crate) confirmed: bool,
    #[command(flatten)]
    pub(crate) preview: Preview,
}

/// Options of what is asked about first and can be done host by host.
#[derive(Args, Clone, Debug)]
pub(crate) struct RollingArgs {
    /// One host after another
    #[arg(long)]
    pub(crate) rolling: bool,
    /// Without asking
    #[arg(short = 'y', long)]
    pub(crate) confirmed: bool,
    #[command(flatten)]
    pub(crate) preview: Preview,
}

/// Options of `config`.
#[derive(Args, Debug)]
pub(crate) struct ConfigArgs {
    /// What else to do with it than to print it
    #[arg(value_enum, value_name = "validate", hide_possible_values = true)]
    pub(crate) chore: Option<ConfigChore>,
    /// yaml or json
    #[arg(long, default_value = "yaml", value_parser = ["yaml", "json"])]
    pub(crate) format: String,
    /// Show secrets
    #[arg(long)]
    pub(crate) reveal: bool,
}

/// What else can be done with the configuration.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum ConfigChore {
    /// Check it: prints what is wrong and where, and fails if it cannot be used
    Validate,
}

/// Options of `docs`.
#[derive(Args, Debug)]
pub(crate) struct DocsArgs {
    /// A section (proxy, env, builder …) or a chapter of the book [default: the whole file]; of --schema, the name
    #[arg(add = candidates::sections())]
    pub(crate) section: Option<String>,
    /// Print the JSON schema of deploy.yml, for editors; with a name that of what commands print with --json: event, plan …
    #[arg(long)]
    pub(crate) schema: bool,
    /// Write the man pages of all commands into this folder, for packages
    #[arg(long, value_name = "FOLDER", value_hint = ValueHint::DirPath, conflicts_with_all = ["section", "schema"])]
    pub(crate) man: Option<PathBuf>,
}

/// Options of `init`.
#[derive(Args, Debug)]
pub(crate) struct InitArgs {
    /// Also add a binstub bin/kamal (for projects that come from Ruby)
    #[arg(long, hide = true)]
    pub(crate) bundle: bool,
}
