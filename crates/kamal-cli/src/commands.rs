//! Commands: each parses into options, calls one operation of the engine, and shows what comes back.

mod completion;
mod docs;
mod doctor;
mod import;
mod init;
mod inspect;
mod operation;
mod perform;
mod registry;
mod review;
mod schemas;
mod secrets;
mod status;

pub(crate) use docs::book;

use std::{future::Future, process::ExitCode};

use kamal_core::{name::Destination, redact::Redactor};
use serde_json::json;

use crate::{
    args::{
        self, Cli, Command, DoctorCommand as Doctor, Global, Line, RegistryCommand as Registry,
        SecretsCommand as Secrets,
    },
    context::{self, Context},
    failure::Failure,
    output,
    report::KAMAL_VERSION,
};

/// Runs the command line.
pub(crate) fn main() -> ExitCode {
    if let Some(answered) = completion::answer(std::env::args_os()) {
        return answered;
    }
    let words: Vec<String> = std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
    let aliases = |config_file: &str, destination: Option<&str>| {
        let destination = destination.map(Destination::parse).transpose().map_err(|error| error.to_string())?;
        context::aliases(config_file, destination.as_ref()).map_err(|failure| failure.told())
    };
    match args::read(&words, &aliases) {
        Ok(Line::Help(text)) => {
            output::show(&text.ansi().to_string());
            ExitCode::SUCCESS
        }
        Ok(Line::Run(cli)) => {
            if cli.global.no_color {
                anstream::ColorChoice::Never.write_global();
            }
            let json = cli.global.json;
            let only_tells =
                cli.planned || cli.command.acts_on_nothing().is_some_and(|name| !["import", "init"].contains(&name));
            let lost = || output::lost().filter(|_| only_tells).map_or(Ok(()), |why| Err(unwritten(why)));
            match run(*cli).and_then(|()| lost()) {
                Ok(()) => ExitCode::SUCCESS,
                Err(failure) => fail(&failure, json),
            }
        }
        Err(refusal) => {
            output::complain(&refusal.to_string());
            ExitCode::FAILURE
        }
    }
}

fn unwritten(why: &std::io::Error) -> Failure {
    Failure::User(format!("cannot write to standard output: {why}"))
}

fn fail(failure: &Failure, json: bool) -> ExitCode {
    if json && !matches!(failure, Failure::Status(_) | Failure::Reported(_)) {
        output::line(&failure.json().to_string());
    }
    match failure {
        Failure::Status(_) => {}
        Failure::Config(errors) => output::complain(&errors.to_string()),
        failure => {
            let red = anstyle::Style::new().fg_color(Some(anstyle::AnsiColor::Red.into())).bold();
            output::complain(&format!("  {}ERROR{} {}", red.render(), red.render_reset(), failure.told()));
        }
    }
    ExitCode::from(failure.exit_status())
}

fn run(cli: Cli) -> Result<(), Failure> {
    let global = &cli.global;
    let planned = cli.planned;
    if let Some(name) = cli.command.acts_on_nothing().filter(|_| planned) {
        return Err(Failure::User(format!("there is nothing to plan: {name} changes no host")));
    }
    match cli.command {
        Command::Version if global.json => {
            output::line(&json!({"schema": "kamal/version/1", "version": KAMAL_VERSION}).to_string());
            Ok(())
        }
        Command::Version => {
            output::line(KAMAL_VERSION);
            Ok(())
        }
        Command::Init(args) => init::run(global, &args),
        Command::Import(command) => import::run(global, &command),
        Command::Completion { shell } => completion::print(shell),
        Command::Config(args) => inspect::config(global, &args),
        Command::Docs(args) => docs::run(global, &args),
        Command::Secrets(Secrets::Fetch(args)) => secrets::fetch(global, args),
        Command::Secrets(Secrets::Extract(args)) => secrets::extract(global, args),
        command => {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build()
                .map_err(|error| Failure::User(format!("cannot start: {error}")))?;
            let result = runtime.block_on(connected(global, command, planned));
            // A read of standard input that nobody ends must not hold the process.
            runtime.shutdown_background();
            result
        }
    }
}

/// Commands that act on hosts, or wait for something.
async fn connected(global: &Global, command: Command, planned: bool) -> Result<(), Failure> {
    match &command {
        Command::Registry(Registry::Ls) => return registry::list(global).await,
        Command::Registry(Registry::Gc(args)) => return registry::collect(global, args).await,
        _ => {}
    }
    let redactor = Redactor::new();
    let work = async {
        // What another program reads is the command's output alone.
        let global = &Global { quiet: global.quiet || command.is_raw(), ..global.clone() };
        let context = match Context::new(global, &redactor, command.takes_roles_that_are_gone()).await {
            Err(failure) if global.json && !planned && matches!(command, Command::Doctor { way: None }) => {
                return doctor::unusable(&failure, &redactor);
            }
            context => context?,
        };
        let result = act(&context, command, planned).await;
        context.reporter.finish();
        result
    };
    work.await.map_err(|failure| failure.redacted(&redactor))
}

/// What a command does with a project.
async fn act(context: &Context, command: Command, planned: bool) -> Result<(), Failure> {
    match command {
        command if planned => perform::perform(context, command, planned).await,
        Command::Doctor { way: Some(Doctor::Ssh { named }) } => stoppable(context, doctor::ssh(context, &named)).await,
        Command::Doctor { way: None } => doctor::all(context).await,
        Command::Status(args) => status::show(context, &args).await,
        Command::Secrets(Secrets::Print) => inspect::secrets(context).await,
        command => perform::perform(context, command, planned).await,
    }
}

/// Runs something unless the user stops it.
async fn stoppable<T>(context: &Context, work: impl Future<Output = Result<T, Failure>> + Send) -> Result<T, Failure> {
    context.cancelled().guard(work).await.unwrap_or(Err(Failure::Interrupted))
}
