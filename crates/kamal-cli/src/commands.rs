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

use std::{future::Future, io::Write, process::ExitCode};

use kamal_core::{name::Destination, redact::Redactor};

use crate::{
    args::{
        self, AppCommand as App, BuildCommand as Build, Cli, Command, DoctorCommand as Doctor, Global, Line,
        LockCommand as Lock, ProxyCommand as Proxy, PruneCommand as Prune, RegistryCommand as Registry,
        SecretsCommand as Secrets, ServerCommand as Server,
    },
    context::{self, Context},
    failure::Failure,
};

/// The version of Kamal whose behaviour this program has.
const KAMAL_VERSION: &str = "2.12.0";

/// Runs the command line.
pub(crate) fn main() -> ExitCode {
    if let Some(answered) = completion::answer(std::env::args_os()) {
        return answered;
    }
    let words: Vec<String> = std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
    let aliases = |config_file: &str, destination: Option<&str>| {
        let destination = destination.map(Destination::new);
        context::aliases(config_file, destination.as_ref()).map_err(|failure| failure.to_string())
    };
    match args::read(&words, &aliases) {
        Ok(Line::Help(text)) => {
            // A reader that went away, as `head` does, is no failure.
            drop(write!(anstream::stdout(), "{}", text.ansi()));
            ExitCode::SUCCESS
        }
        Ok(Line::Run(cli)) => match run(*cli) {
            Ok(()) => ExitCode::SUCCESS,
            Err(failure) => fail(&failure),
        },
        Err(refusal) => {
            anstream::eprintln!("{refusal}");
            ExitCode::FAILURE
        }
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

fn run(cli: Cli) -> Result<(), Failure> {
    let global = &cli.global;
    match cli.command {
        Command::Version => {
            anstream::println!("{KAMAL_VERSION}");
            Ok(())
        }
        Command::Init(args) => init::run(&args),
        Command::Completion { shell } => completion::print(shell),
        Command::Config(args) => inspect::config(global, &args),
        Command::Docs(args) => docs::run(&args),
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
    let previewed =
        matches!(command, Command::Setup(_) | Command::Deploy(_) | Command::Redeploy(_) | Command::Rollback(_));
    if command.preview().is_some_and(args::Preview::is_asked) && !previewed {
        return Err(absent());
    }
    let Some((name, sub)) = names(&command) else { return Err(absent()) };
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
        Command::Build(Build::Pull(_)) => build::pull(context).await,
        Command::Proxy(proxy) => proxy::run(context, proxy).await,
        Command::Registry(Registry::Login(args)) => build::login(context, !args.skip_local, !args.skip_remote).await,
        Command::Server(Server::Bootstrap(_)) => server::bootstrap(context).await,
        Command::Server(Server::Exec(args)) => server::exec(context, &args).await,
        Command::Lock(command) => lock::run(context, command).await,
        Command::Prune(what) => deploy::prune(context, what).await,
        Command::Secrets(Secrets::Print) => inspect::secrets(context),
        Command::Details => inspect::details(context).await,
        Command::Audit => inspect::audit(context).await,
        _ => Err(absent()),
    }
}

/// What is not there yet.
fn absent() -> Failure {
    Failure::User("this command, or one of its options, is not there yet".to_owned())
}

fn is_raw(command: &Command) -> bool {
    match command {
        Command::App(App::Exec(exec)) => exec.raw,
        Command::Server(Server::Exec(exec)) => exec.raw,
        _ => false,
    }
}

/// The words hooks are told.
fn names(command: &Command) -> Option<(&'static str, Option<&'static str>)> {
    Some(match command {
        Command::Setup(_) => ("setup", None),
        Command::Deploy(_) => ("deploy", None),
        Command::Redeploy(_) => ("redeploy", None),
        Command::Rollback(args) if !args.as_deployed => ("rollback", None),
        Command::App(app) => (
            "app",
            Some(match app {
                App::Boot(_) => "boot",
                App::Start(_) => "start",
                App::Stop(_) => "stop",
                App::Maintenance(_) => "maintenance",
                App::Live(_) => "live",
                App::Exec(_) => "exec",
                App::Logs(_) => "logs",
                App::Details => "details",
                App::Containers => "containers",
                App::Images => "images",
                App::Version => "version",
                App::StaleContainers(_) => "stale_containers",
                App::Remove(_) => "remove",
                App::RemoveContainer(_) => "remove_container",
                App::RemoveContainers(_) => "remove_containers",
                App::RemoveImages(_) => "remove_images",
                App::RemoveAppDirectories(_) => "remove_app_directories",
            }),
        ),
        Command::Build(Build::Push(_)) => ("build", Some("push")),
        Command::Build(Build::Pull(_)) => ("build", Some("pull")),
        Command::Proxy(proxy) => (
            "proxy",
            Some(match proxy {
                Proxy::Boot(_) => "boot",
                Proxy::Start(_) => "start",
                Proxy::Stop(_) => "stop",
                Proxy::Restart(_) => "restart",
                Proxy::Details => "details",
                Proxy::List => "list",
                Proxy::Logs(_) => "logs",
                Proxy::Reboot(_) => "reboot",
                Proxy::Remove(_) => "remove",
                _ => return None,
            }),
        ),
        Command::Registry(Registry::Login(_)) => ("registry", Some("login")),
        Command::Server(Server::Bootstrap(_)) => ("server", Some("bootstrap")),
        Command::Server(Server::Exec(_)) => ("server", Some("exec")),
        Command::Lock(lock) => (
            "lock",
            Some(match lock {
                Lock::Status => "status",
                Lock::Acquire(_) => "acquire",
                Lock::Release(_) => "release",
            }),
        ),
        Command::Prune(prune) => (
            "prune",
            Some(match prune {
                Prune::All(_) => "all",
                Prune::Images(_) => "images",
                Prune::Containers(_) => "containers",
            }),
        ),
        Command::Secrets(_) => ("secrets", Some("print")),
        Command::Details => ("details", None),
        Command::Audit => ("audit", None),
        Command::Doctor(_) => ("doctor", Some("ssh")),
        _ => return None,
    })
}

/// Runs something unless the user stops it.
async fn stoppable<T>(context: &Context, work: impl Future<Output = Result<T, Failure>> + Send) -> Result<T, Failure> {
    context.cancelled().guard(work).await.unwrap_or(Err(Failure::Interrupted))
}
