//! Commands: each parses into options, calls one operation of the engine, and shows what comes back.

mod app;
mod build;
mod completion;
mod deploy;
mod docs;
mod doctor;
mod exec;
mod init;
mod inspect;
mod lock;
mod logs;
mod proxy;
mod secrets;
mod server;

use std::{future::Future, process::ExitCode};

use clap::{CommandFactory, Parser};
use kamal_core::{name::Destination, redact::Redactor};

use crate::{
    args::{self, Build, Cli, Command, Doctor, Global, Proxy, Registry, Secrets, Server, normalise::normalise},
    context::{self, Context},
    failure::Failure,
};

/// The version of Kamal whose behaviour this program has.
const KAMAL_VERSION: &str = "2.12.0";

/// Longer than any chain of aliases that stand for one another.
const MAX_ALIASES: usize = 20;

/// Runs the command line.
pub(crate) fn main(arguments: Vec<String>) -> ExitCode {
    let mut words = arguments.into_iter();
    let program = words.next().unwrap_or_else(|| "kamal".to_owned());
    let words: Vec<String> = words.collect();
    let words = match words.first().map(String::as_str) {
        // The only word `-h` stands for help at; everywhere else it is `--hosts`.
        Some("-h" | "-?" | "-D") => vec!["--help".to_owned()],
        Some("--version") if words.len() == 1 => vec!["version".to_owned()],
        _ => words,
    };
    let words = match expand_alias(normalise(words), MAX_ALIASES) {
        Ok(words) => words,
        Err(failure) => return fail(&failure),
    };
    let cli = match Cli::try_parse_from(std::iter::once(program).chain(words)) {
        Ok(cli) => cli,
        Err(error) => {
            drop(error.print());
            return ExitCode::from(u8::from(error.use_stderr()));
        }
    };
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => fail(&failure),
    }
}

fn fail(failure: &Failure) -> ExitCode {
    match failure {
        Failure::Status(_) => {}
        Failure::Config(errors) => anstream::eprintln!("{errors}"),
        failure => {
            let red = anstyle::Style::new().fg_color(Some(anstyle::AnsiColor::Red.into())).bold();
            anstream::eprintln!("  {}ERROR{} {failure}", red.render(), red.render_reset());
        }
    }
    ExitCode::from(failure.exit_status())
}

/// Replaces a first word that is no command by the alias of that name (spec 1.9).
/// `left` bounds how many stand for one another.
fn expand_alias(words: Vec<String>, left: usize) -> Result<Vec<String>, Failure> {
    let Some(name) = words.first().filter(|word| !word.starts_with('-')) else { return Ok(words) };
    if Cli::command().get_subcommands().any(|command| command.get_name().starts_with(name.as_str())) {
        return Ok(words);
    }
    let config_file = value(&words, ["-c", "--config-file"]).unwrap_or_else(|| "config/deploy.yml".to_owned());
    // A typo outside a project is clap's to explain, and a destination that can be none is the command's.
    let Ok(destination) = value(&words, ["-d", "--destination"]).map(Destination::parse).transpose() else {
        return Ok(words);
    };
    let Ok(aliases) = context::aliases(&config_file, destination.as_ref()) else { return Ok(words) };
    let Some(line) = aliases.get(name.as_str()) else { return Ok(words) };
    let expanded =
        shlex::split(line).ok_or_else(|| Failure::User(format!("aliases/{name}: a quote is not closed in: {line}")))?;
    if left == 0 {
        return Err(Failure::User(format!("aliases/{name}: it stands for itself, by way of others or alone")));
    }
    expand_alias(normalise(expanded.into_iter().chain(words[1..].to_vec()).collect()), left - 1)
}

/// The value of a switch, `-x v`, `-x=v`, `--long v` or `--long=v`; the last one counts.
fn value(words: &[String], [short, long]: [&str; 2]) -> Option<String> {
    let mut found = None;
    for (at, word) in words.iter().enumerate() {
        let (switch, own) = word.split_once('=').map_or((word.as_str(), None), |(switch, own)| (switch, Some(own)));
        if switch == short || switch == long {
            found = own.map(str::to_owned).or_else(|| words.get(at + 1).cloned()).or(found);
        }
    }
    found
}

fn run(cli: Cli) -> Result<(), Failure> {
    let global = &cli.global;
    match cli.command {
        Command::Version => {
            anstream::println!("{KAMAL_VERSION}");
            Ok(())
        }
        Command::Init(args) => init::run(&args),
        Command::Completion { shell } => {
            completion::print(shell);
            Ok(())
        }
        Command::Config(args) => inspect::config(global, &args),
        Command::Docs(args) => {
            docs::run(&args);
            Ok(())
        }
        Command::Secrets(Secrets::Fetch(args)) => secrets::fetch(global, &args),
        Command::Secrets(Secrets::Extract(args)) => secrets::extract(&args),
        command => {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build()
                .map_err(|error| Failure::User(format!("cannot start: {error}")))?;
            let result = runtime.block_on(connected(global, command));
            // A read of standard input that nobody ends must not hold the process.
            runtime.shutdown_background();
            result
        }
    }
}

/// Commands that act on hosts.
async fn connected(global: &Global, command: Command) -> Result<(), Failure> {
    let (name, sub) = names(&command);
    let redactor = Redactor::new();
    let work = async {
        // What another program reads is the command's output alone.
        let global = &Global { quiet: global.quiet || is_raw(&command), ..global.clone() };
        let context = Context::new(global, name, sub, &redactor)?;
        let result = match command {
            Command::Doctor(Doctor::Ssh { named }) => {
                stoppable(&context, doctor::ssh(&context, &named, global.json)).await
            }
            command => act(&context, command).await,
        };
        context.reporter.finish();
        result
    };
    work.await.map_err(|failure| failure.redacted(&redactor))
}

async fn act(context: &Context, command: Command) -> Result<(), Failure> {
    use kamal_core::plan::Verb;
    match command {
        Command::Setup(args) => deploy::run(context, Verb::Setup, &args).await,
        Command::Deploy(args) => deploy::run(context, Verb::Deploy, &args).await,
        Command::Redeploy(args) => deploy::run(context, Verb::Redeploy, &args).await,
        Command::Rollback(args) => deploy::rollback(context, &args).await,
        Command::App(app) => app::run(context, app).await,
        Command::Build(Build::Push(args)) => build::push(context, &args).await,
        Command::Build(Build::Pull) => build::pull(context).await,
        Command::Build(Build::Deliver(args)) => {
            build::push(context, &args).await?;
            build::pull(context).await
        }
        Command::Proxy(proxy) => proxy::run(context, proxy).await,
        Command::Registry(Registry::Login { skip_local, skip_remote }) => {
            build::login(context, !skip_local, !skip_remote).await
        }
        Command::Server(Server::Bootstrap) => server::bootstrap(context).await,
        Command::Server(Server::Exec(args)) => server::exec(context, &args).await,
        Command::Lock(command) => lock::run(context, command).await,
        Command::Prune(what) => deploy::prune(context, what).await,
        Command::Secrets(Secrets::Print) => inspect::secrets(context),
        Command::Details => inspect::details(context).await,
        Command::Audit => inspect::audit(context).await,
        Command::Version
        | Command::Init(_)
        | Command::Completion { .. }
        | Command::Config(_)
        | Command::Docs(_)
        | Command::Doctor(_)
        | Command::Secrets(Secrets::Fetch(_) | Secrets::Extract(_)) => Ok(()),
    }
}

fn is_raw(command: &Command) -> bool {
    match command {
        Command::App(args::App::Exec(exec)) => exec.raw,
        Command::Server(Server::Exec(exec)) => exec.raw,
        _ => false,
    }
}

/// The words hooks are told.
fn names(command: &Command) -> (&'static str, Option<&'static str>) {
    use args::{App, Lock, Prune};
    match command {
        Command::Setup(_) => ("setup", None),
        Command::Deploy(_) => ("deploy", None),
        Command::Redeploy(_) => ("redeploy", None),
        Command::Rollback(_) => ("rollback", None),
        Command::App(app) => (
            "app",
            Some(match app {
                App::Boot => "boot",
                App::Start => "start",
                App::Stop => "stop",
                App::Maintenance { .. } => "maintenance",
                App::Live => "live",
                App::Exec(_) => "exec",
                App::Logs(_) => "logs",
                App::Details => "details",
                App::Containers => "containers",
                App::Images => "images",
                App::Version => "version",
                App::StaleContainers { .. } => "stale_containers",
                App::Remove => "remove",
                App::RemoveContainer { .. } => "remove_container",
                App::RemoveContainers => "remove_containers",
                App::RemoveImages => "remove_images",
                App::RemoveAppDirectories => "remove_app_directories",
            }),
        ),
        Command::Build(build) => (
            "build",
            Some(match build {
                Build::Push(_) => "push",
                Build::Pull => "pull",
                Build::Deliver(_) => "deliver",
            }),
        ),
        Command::Proxy(proxy) => (
            "proxy",
            Some(match proxy {
                Proxy::Boot => "boot",
                Proxy::Start => "start",
                Proxy::Stop => "stop",
                Proxy::Restart => "restart",
                Proxy::Details => "details",
                Proxy::List => "list",
                Proxy::Logs(_) => "logs",
                Proxy::Reboot { .. } => "reboot",
                Proxy::Remove { .. } => "remove",
            }),
        ),
        Command::Registry(_) => ("registry", Some("login")),
        Command::Server(Server::Bootstrap) => ("server", Some("bootstrap")),
        Command::Server(Server::Exec(_)) => ("server", Some("exec")),
        Command::Lock(lock) => (
            "lock",
            Some(match lock {
                Lock::Status => "status",
                Lock::Acquire { .. } => "acquire",
                Lock::Release => "release",
            }),
        ),
        Command::Prune(prune) => (
            "prune",
            Some(match prune {
                Prune::All => "all",
                Prune::Images => "images",
                Prune::Containers { .. } => "containers",
            }),
        ),
        Command::Secrets(_) => ("secrets", Some("print")),
        Command::Details => ("details", None),
        Command::Audit => ("audit", None),
        Command::Config(_) => ("config", None),
        Command::Docs(_) => ("docs", None),
        Command::Doctor(_) => ("doctor", Some("ssh")),
        Command::Init(_) => ("init", None),
        Command::Completion { .. } => ("completion", None),
        Command::Version => ("version", None),
    }
}

/// Runs something unless the user stops it.
async fn stoppable<T>(context: &Context, work: impl Future<Output = Result<T, Failure>> + Send) -> Result<T, Failure> {
    context.cancelled().guard(work).await.unwrap_or(Err(Failure::Interrupted))
}
