//! Building: from a clean clone of the repository's commit, with buildx, straight to the registry (spec 9.4).

mod argv;
mod clone;

use kamal_core::{
    event::{EventKind, Outcome, Tone},
    output::{Lines, Tail},
    ports::{BuildError, BuildOrder, Chunk, Command, Exit, Local},
    secret::Secret,
};

use crate::login;

/// Builds and pushes.
pub(crate) async fn build(order: &BuildOrder<'_>) -> Result<(), BuildError> {
    let config = order.config;
    if config.builder.pack.is_none() && !order.local.exists(&config.builder.dockerfile).await {
        return Err(BuildError::Unfit(format!(
            "Missing {}; builder/dockerfile names another one",
            config.builder.dockerfile
        )));
    }
    if order.output == "registry" {
        log_in(order).await?;
    }
    let folder = clone::prepare(order).await?;
    let mut command = argv::build(order)?;
    command.folder = folder;
    for name in &config.builder.secrets {
        let secret = order.secrets.get(name).map_err(BuildError::Unfit)?;
        command.env.push((name.clone(), secret));
    }
    ensure_builder(order).await?;
    run(order, "build the image", &command, true).await.map(drop)
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
        took: std::time::Duration::ZERO,
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
