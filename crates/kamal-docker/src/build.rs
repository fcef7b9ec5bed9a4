//! Building: from a clean clone of the repository's commit, with buildx, straight to the registry (spec 9.4).

mod argv;
mod clone;

use kamal_core::{
    build::BuildTask,
    event::{EventKind, Outcome, Tone},
    output::{Lines, Tail},
    ports::{BuildError, BuildOrder, Chunk, Command, Exit, Local},
    secret::Secret,
};

use crate::login;

/// Does what is asked for, and returns what a person wants to see of it.
pub(crate) async fn perform(order: &BuildOrder<'_>) -> Result<String, BuildError> {
    let nothing = |()| String::new();
    match order.task {
        BuildTask::Push { no_cache, output } => push(order, *no_cache, output).await.map(nothing),
        BuildTask::Dev { no_cache, output } => dev(order, *no_cache, output).await.map(nothing),
        BuildTask::CreateBuilder => match argv::builder_name(order.config) {
            Some(name) => run(order, "create the builder", &argv::create_builder(order.config, &name), false)
                .await
                .map(|_| String::new()),
            None => Ok("The driver docker needs no builder".to_owned()),
        },
        BuildTask::RemoveBuilder => match argv::builder_name(order.config) {
            Some(name) => {
                let command = Command::new("docker", ["buildx", "rm", &name]);
                run(order, "remove the builder", &command, false).await.map(|_| String::new())
            }
            None => Ok("The driver docker needs no builder".to_owned()),
        },
        BuildTask::Details => details(order).await,
        BuildTask::Login => log_in(order).await.map(nothing),
        BuildTask::Logout => log_out(order).await.map(nothing),
    }
}

/// Builds from a clean clone, and hands the image on.
async fn push(order: &BuildOrder<'_>, no_cache: bool, output: &str) -> Result<(), BuildError> {
    check_dockerfile(order).await?;
    if output == "registry" {
        log_in(order).await?;
    }
    let folder = clone::prepare(order).await?;
    let command = argv::build(order, &argv::Flags { no_cache, output, suffix: "" })?;
    ensure_builder(order).await?;
    run(order, "build the image", &with_secrets(order, Command { folder, ..command })?, true).await?;
    Ok(())
}

/// Builds from the work tree as it is.
async fn dev(order: &BuildOrder<'_>, no_cache: bool, output: &str) -> Result<(), BuildError> {
    check_dockerfile(order).await?;
    for (kind, option) in [("with uncommitted changes", "--modified"), ("Untracked", "--others")] {
        let listed = ask(order.local, &Command::new("git", ["ls-files", "--exclude-standard", option])).await;
        let files: Vec<&str> = listed.iter().flat_map(|text| text.lines()).collect();
        if !files.is_empty() {
            let named = if option == "--others" { "Untracked files".to_owned() } else { format!("Files {kind}") };
            let list = files.iter().map(|file| format!("\n  {file}")).collect::<String>();
            let text = format!("WARNING: {named} will be present in the dev container:{list}\n");
            order.events.emit(EventKind::tell(Tone::Warning, text));
        }
    }
    let command = argv::build(order, &argv::Flags { no_cache, output, suffix: "-dirty" })?;
    run(order, "build the image", &with_secrets(order, command)?, true).await.map(drop)
}

async fn check_dockerfile(order: &BuildOrder<'_>) -> Result<(), BuildError> {
    let builder = &order.config.builder;
    if builder.pack.is_some() || order.local.exists(&builder.dockerfile).await {
        return Ok(());
    }
    Err(BuildError::Unfit(format!("Missing {}; builder/dockerfile names another one", builder.dockerfile)))
}

fn with_secrets(order: &BuildOrder<'_>, mut command: Command) -> Result<Command, BuildError> {
    for name in &order.config.builder.secrets {
        let secret = order.secrets.get(name).map_err(BuildError::Unfit)?;
        command.env.push((name.clone(), secret));
    }
    Ok(command)
}

/// What builders there are, and which of them it would be.
async fn details(order: &BuildOrder<'_>) -> Result<String, BuildError> {
    let driver = &order.config.builder.driver;
    let kind = if driver.starts_with("cloud") { "cloud" } else { "local" };
    let mut told = format!("Builder: {kind}\n");
    for arguments in [["context", "ls"], ["buildx", "ls"]] {
        let command = Command::new("docker", arguments);
        let listed = ask(order.local, &command).await;
        told.push_str(&listed.unwrap_or_else(|| format!("`{command}` failed")));
        told.push('\n');
    }
    Ok(told)
}

/// Logs the local docker out.
async fn log_out(order: &BuildOrder<'_>) -> Result<(), BuildError> {
    let registry = &order.config.registry;
    if registry.username.is_none() || registry.password.is_none() {
        return Ok(());
    }
    let arguments = std::iter::once("logout".to_owned()).chain(registry.server.clone());
    run(order, "log out of the registry", &Command::new("docker", arguments), false).await.map(drop)
}

/// Logs the local docker in, unless it holds these credentials already.
pub(crate) async fn log_in(order: &BuildOrder<'_>) -> Result<(), BuildError> {
    let registry = &order.config.registry;
    if registry.username.is_none() || registry.password.is_none() {
        return Ok(());
    }
    let text = login::text(registry, order.secrets).map_err(|error| BuildError::Unfit(error.to_string()))?;
    let mut command = Command::new("sh", ["-s"]);
    command.input = Some(Secret::new(std::mem::take(&mut *text.expose())));
    let named = |error| match error {
        BuildError::Failed { status, output, .. } => {
            let server = registry.server.as_deref().unwrap_or_default();
            BuildError::Failed { what: format!("`docker login {server}`"), status, output }
        }
        error => error,
    };
    run(order, "log in to the registry", &command, false).await.map(drop).map_err(named)
}

/// Creates the buildx builder when its driver needs one and it is not there.
async fn ensure_builder(order: &BuildOrder<'_>) -> Result<(), BuildError> {
    let Some(name) = argv::builder_name(order.config) else { return Ok(()) };
    let inspect = Command::new("docker", ["buildx", "inspect", &name]);
    let mut printed = Vec::new();
    if capture(order, &inspect, &mut printed).await?.success() {
        return Ok(());
    }
    order.events.emit(EventKind::tell(Tone::Info, "Missing compatible builder, so creating a new one first"));
    run(order, "create the builder", &argv::create_builder(order.config, &name), false).await.map(drop)
}

/// Runs a local program, its output being events, and returns what it printed last; fails with that on a non-zero exit.
pub(crate) async fn run(
    order: &BuildOrder<'_>,
    what: &str,
    command: &Command,
    shown: bool,
) -> Result<String, BuildError> {
    let began = order.clock.elapsed();
    order.events.emit(EventKind::StepStarted { host: None, step: what.to_owned(), command: command.to_string() });
    let mut tail = Tail::default();
    let mut show = |line: &str| {
        tail.push(line);
        if shown && !line.trim().is_empty() {
            order.events.emit(EventKind::Output { host: None, line: line.to_owned(), error: false });
        }
    };
    let (mut out, mut err) = (Lines::default(), Lines::default());
    let mut output = |chunk: Chunk<'_>| match chunk {
        Chunk::Stdout(bytes) => out.feed(bytes, &mut show),
        Chunk::Stderr(bytes) => err.feed(bytes, &mut show),
    };
    let exit = order.local.run(command, &mut output).await?;
    out.end(&mut show);
    err.end(&mut show);
    let outcome = if exit.success() { Outcome::Ok } else { Outcome::Failed(format!("exit status {}", exit.0)) };
    order.events.emit(EventKind::StepFinished {
        host: None,
        step: what.to_owned(),
        outcome,
        took: order.clock.elapsed().saturating_sub(began),
    });
    let output = tail.text();
    if exit.success() {
        return Ok(output);
    }
    let hint = if output.contains("is not a docker command") || output.contains("unknown flag: --output") {
        "\nthe docker buildx plugin is not installed locally"
    } else {
        ""
    };
    Err(BuildError::Failed { what: format!("`{command}`"), status: exit.0, output: format!("{output}{hint}") })
}

async fn capture(order: &BuildOrder<'_>, command: &Command, printed: &mut Vec<u8>) -> Result<Exit, BuildError> {
    let mut output = |chunk: Chunk<'_>| {
        let (Chunk::Stdout(bytes) | Chunk::Stderr(bytes)) = chunk;
        printed.extend_from_slice(bytes);
    };
    Ok(order.local.run(command, &mut output).await?)
}

/// Runs a program and returns its trimmed standard output when it succeeds.
pub(crate) async fn ask(local: &dyn Local, command: &Command) -> Option<String> {
    let mut printed = Vec::new();
    let mut output = |chunk: Chunk<'_>| {
        if let Chunk::Stdout(bytes) = chunk {
            printed.extend_from_slice(bytes);
        }
    };
    let exit = local.run(command, &mut output).await.ok()?;
    exit.success().then(|| String::from_utf8_lossy(&printed).trim().to_owned())
}
