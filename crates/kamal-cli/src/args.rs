//! The command line (spec kamal.md chapter 1).

pub(crate) mod normalise;
mod secrets;

use clap::{Args, Parser, Subcommand};

pub(crate) use secrets::{ExtractArgs, FetchArgs, Secrets, inline};

/// Deploy web apps anywhere: bare metal, cloud VMs, anything with SSH and Docker.
#[derive(Debug, Parser)]
#[command(
    name = "kamal",
    disable_help_flag = true,
    disable_version_flag = true,
    infer_subcommands = true,
    subcommand_required = true,
    arg_required_else_help = true,
    after_help = "First deploy: `kamal init`, edit config/deploy.yml, `kamal setup`. See what would happen first: `kamal deploy --dry-run`."
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Options of every command.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Global {
    /// Show every command that is run on a host, and what it prints
    #[arg(short, long, global = true, help_heading = "Options for every command")]
    pub(crate) verbose: bool,
    /// Show errors and asked-for data only
    #[arg(short, long, global = true, help_heading = "Options for every command")]
    pub(crate) quiet: bool,
    /// App version to act on [default: the git commit]
    #[arg(long, global = true, value_name = "VERSION", help_heading = "Options for every command")]
    pub(crate) version: Option<String>,
    /// Only the primary host
    #[arg(short, long, global = true, help_heading = "Options for every command")]
    pub(crate) primary: bool,
    /// Only these hosts (comma-separated, wildcards allowed)
    #[arg(short = 'h', long, global = true, value_name = "HOSTS", help_heading = "Options for every command")]
    pub(crate) hosts: Option<String>,
    /// Only these roles (comma-separated, wildcards allowed)
    #[arg(short, long, global = true, value_name = "ROLES", help_heading = "Options for every command")]
    pub(crate) roles: Option<String>,
    /// Path of the configuration
    #[arg(
        short,
        long,
        global = true,
        value_name = "FILE",
        default_value = "config/deploy.yml",
        help_heading = "Options for every command"
    )]
    pub(crate) config_file: String,
    /// Destination: merges config/deploy.DESTINATION.yml over it
    #[arg(short, long, global = true, value_name = "DESTINATION", help_heading = "Options for every command")]
    pub(crate) destination: Option<String>,
    /// Do not run hooks
    #[arg(short = 'H', long, global = true, help_heading = "Options for every command")]
    pub(crate) skip_hooks: bool,
    /// Wait for a deploy lock somebody else holds
    #[arg(long, global = true, help_heading = "Options for every command")]
    pub(crate) lock_wait: bool,
    /// How long to wait for it, in seconds
    #[arg(
        long,
        global = true,
        value_name = "SECONDS",
        default_value_t = 900,
        help_heading = "Options for every command"
    )]
    pub(crate) lock_wait_timeout: u64,
    /// How long between looks, in seconds
    #[arg(
        long,
        global = true,
        value_name = "SECONDS",
        default_value_t = 15,
        help_heading = "Options for every command"
    )]
    pub(crate) lock_wait_interval: u64,
    /// Show, per host, the round trips made and where the time went
    #[arg(long, global = true, help_heading = "Options for every command")]
    pub(crate) timings: bool,
    /// Print events as JSON lines instead of text
    #[arg(long, global = true, help_heading = "Options for every command")]
    pub(crate) json: bool,
    /// Print help
    #[arg(long, global = true, action = clap::ArgAction::Help, help_heading = "Options for every command")]
    pub(crate) help: Option<bool>,
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
    /// Manage the app's containers
    #[command(subcommand, disable_help_subcommand = true)]
    App(App),
    /// Build and deliver images
    #[command(subcommand, disable_help_subcommand = true)]
    Build(Build),
    /// Manage kamal-proxy
    #[command(subcommand, disable_help_subcommand = true)]
    Proxy(Proxy),
    /// Log in to the registry
    #[command(subcommand, disable_help_subcommand = true)]
    Registry(Registry),
    /// Prepare servers
    #[command(subcommand, disable_help_subcommand = true)]
    Server(Server),
    /// Look at, take and release the deploy lock
    #[command(subcommand, disable_help_subcommand = true)]
    Lock(Lock),
    /// Remove old containers and images
    #[command(subcommand, disable_help_subcommand = true)]
    Prune(Prune),
    /// Work with secrets
    #[command(subcommand, disable_help_subcommand = true)]
    Secrets(Secrets),
    /// Show all containers
    Details,
    /// Show what was done on the hosts
    Audit,
    /// Show the configuration as it is understood, or check it
    #[command(disable_help_subcommand = true)]
    Config(ConfigArgs),
    /// Find out where something fails, and what would mend it
    #[command(subcommand, disable_help_subcommand = true)]
    Doctor(Doctor),
    /// Explain what can be configured
    Docs(DocsArgs),
    /// Create config/deploy.yml, .kamal/secrets and sample hooks
    Init(InitArgs),
    /// Print shell completions
    Completion {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the version
    Version,
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
    /// Print the plan and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Go on only if the plan still has this digest (as printed by --dry-run)
    #[arg(long, value_name = "DIGEST")]
    pub(crate) plan: Option<String>,
}

/// Options of rollback.
#[derive(Args, Clone, Debug)]
pub(crate) struct RollbackArgs {
    /// The version [default: the one before]
    #[arg(value_name = "VERSION")]
    pub(crate) version_to: Option<String>,
    /// Print the plan and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// App commands.
#[derive(Debug, Subcommand)]
pub(crate) enum App {
    /// Boot the app on hosts, or reboot it if it runs
    Boot,
    /// Start the version's stopped containers
    Start,
    /// Stop the app
    Stop,
    /// Answer requests with a maintenance page
    Maintenance {
        /// How long requests under way may take, in seconds
        #[arg(long, value_name = "SECONDS")]
        drain_timeout: Option<u64>,
        /// What the page says
        #[arg(long)]
        message: Option<String>,
    },
    /// End maintenance
    Live,
    /// Run a command in a container of the app
    Exec(ExecArgs),
    /// Show the app's log
    Logs(LogsArgs),
    /// Show the app's running containers
    Details,
    /// Show all containers of the app
    Containers,
    /// Show images on the hosts
    Images,
    /// Show the version that runs
    Version,
    /// Show containers that run though another version is current
    #[command(name = "stale_containers", alias = "stale-containers")]
    StaleContainers {
        /// Stop them
        #[arg(short, long)]
        stop: bool,
    },
    /// Stop the app and remove its containers, images and folders
    Remove,
    /// Remove the container of a version
    #[command(name = "remove_container", alias = "remove-container", hide = true)]
    RemoveContainer {
        /// The version
        #[arg(value_name = "VERSION", id = "version_removed")]
        version: String,
    },
    /// Remove containers that do not run
    #[command(name = "remove_containers", alias = "remove-containers", hide = true)]
    RemoveContainers,
    /// Remove images no container uses
    #[command(name = "remove_images", alias = "remove-images", hide = true)]
    RemoveImages,
    /// Remove the app's folders
    #[command(name = "remove_app_directories", alias = "remove-app-directories", hide = true)]
    RemoveAppDirectories,
}

/// Options of `app exec`.
#[derive(Args, Debug)]
pub(crate) struct ExecArgs {
    /// Interactive: a terminal in the container
    #[arg(short, long)]
    pub(crate) interactive: bool,
    /// Use the running container instead of a new one
    #[arg(long)]
    pub(crate) reuse: bool,
    /// Variables for the command
    #[arg(short, long, value_name = "KEY:VALUE")]
    pub(crate) env: Vec<String>,
    /// Leave it running and print its container's id
    #[arg(long)]
    pub(crate) detach: bool,
    /// Print the command's output and nothing else
    #[arg(long)]
    pub(crate) raw: bool,
    /// The command
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true, value_name = "CMD")]
    pub(crate) command: Vec<String>,
}

/// Options of logs.
#[derive(Args, Debug)]
pub(crate) struct LogsArgs {
    /// Lines since then: 5m, 2h, a time
    #[arg(short, long)]
    pub(crate) since: Option<String>,
    /// So many lines at the end [default: 100, following: 10]
    #[arg(short = 'n', long)]
    pub(crate) lines: Option<u64>,
    /// Only lines that match
    #[arg(short, long)]
    pub(crate) grep: Option<String>,
    /// Options for grep
    #[arg(long, value_name = "OPTIONS", allow_hyphen_values = true)]
    pub(crate) grep_options: Option<String>,
    /// Keep following the log on the primary host
    #[arg(short, long)]
    pub(crate) follow: bool,
    /// Leave the times out
    #[arg(short = 'T', long)]
    pub(crate) skip_timestamps: bool,
    /// The log of this container
    #[arg(long, value_name = "ID")]
    pub(crate) container_id: Option<String>,
}

/// Build commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Build {
    /// Build the image and push it
    Push(BuildArgs),
    /// Pull the image on the hosts
    Pull,
    /// Build, push, and pull
    Deliver(BuildArgs),
}

/// Options of builds.
#[derive(Args, Debug)]
pub(crate) struct BuildArgs {
    /// What buildx makes: registry, docker, …
    #[arg(long, default_value = "registry", value_name = "TYPE")]
    pub(crate) output: String,
    /// Build without the build cache
    #[arg(long)]
    pub(crate) no_cache: bool,
}

/// Proxy commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Proxy {
    /// Start kamal-proxy where it does not run
    Boot,
    /// Start kamal-proxy's stopped containers
    Start,
    /// Stop kamal-proxy's containers
    Stop,
    /// Stop kamal-proxy's containers and start them again
    Restart,
    /// Show kamal-proxy's containers
    Details,
    /// Show what kamal-proxy serves
    List,
    /// Show kamal-proxy's log
    Logs(LogsArgs),
    /// Replace kamal-proxy's containers by new ones
    Reboot {
        /// One host after another
        #[arg(long)]
        rolling: bool,
        /// Without asking
        #[arg(short = 'y', long)]
        confirmed: bool,
    },
    /// Remove kamal-proxy
    Remove {
        /// Even though apps are installed
        #[arg(long)]
        force: bool,
    },
}

/// Registry commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Registry {
    /// Log in to the registry locally and on the hosts
    Login {
        /// Not locally
        #[arg(short = 'L', long)]
        skip_local: bool,
        /// Not on the hosts
        #[arg(short = 'R', long)]
        skip_remote: bool,
    },
}

/// Server commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Server {
    /// Install Docker where it is missing
    Bootstrap,
    /// Run a command on the servers
    Exec(ServerExecArgs),
}

/// Options of `server exec`.
#[derive(Args, Debug)]
pub(crate) struct ServerExecArgs {
    /// Interactive: a terminal on the primary host; without a command, a shell
    #[arg(short, long)]
    pub(crate) interactive: bool,
    /// Print the command's output and nothing else
    #[arg(long)]
    pub(crate) raw: bool,
    /// The command, as the host's shell takes it
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "CMD")]
    pub(crate) command: Vec<String>,
}

/// Lock commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Lock {
    /// Show who holds the deploy lock
    Status,
    /// Take the deploy lock
    Acquire {
        /// Why
        #[arg(short, long)]
        message: String,
    },
    /// Release the deploy lock
    Release,
}

/// Doctor commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Doctor {
    /// Go the way to hosts step by step: configuration, name, network, host key, login, shell, Docker
    Ssh {
        /// The hosts [default: all that are selected]
        // Not `hosts`, which is `--hosts`.
        #[arg(value_name = "HOST")]
        named: Vec<String>,
    },
}

/// Prune commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Prune {
    /// Remove unused images and stopped containers
    All,
    /// Remove unused images
    Images,
    /// Remove stopped containers but the newest
    Containers {
        /// How many stay
        #[arg(long)]
        retain: Option<u32>,
    },
}

/// Options of `config`.
#[derive(Args, Debug)]
pub(crate) struct ConfigArgs {
    /// yaml or json
    #[arg(long, default_value = "yaml", value_parser = ["yaml", "json"], global = true)]
    pub(crate) format: String,
    /// Show secrets
    #[arg(long)]
    pub(crate) reveal: bool,
    #[command(subcommand)]
    pub(crate) chore: Option<ConfigChore>,
}

/// What else can be done with the configuration.
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigChore {
    /// Check it: prints what is wrong and where, and fails if it cannot be used
    Validate,
}

/// Options of `docs`.
#[derive(Args, Debug)]
pub(crate) struct DocsArgs {
    /// The section: proxy, env, builder … [default: the whole file]
    pub(crate) section: Option<String>,
    /// Print the JSON schema of the file, for editors
    #[arg(long, conflicts_with = "section")]
    pub(crate) schema: bool,
}

/// Options of `init`.
#[derive(Args, Debug)]
pub(crate) struct InitArgs {
    /// Also add a binstub bin/kamal (for projects that come from Ruby)
    #[arg(long, hide = true)]
    pub(crate) bundle: bool,
}
