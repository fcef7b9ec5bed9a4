//! Building: from a clean clone of the repository's commit, straight to the registry (spec 9.4).

mod argv;
mod backend;
mod builder;
mod clone;
mod dev;
mod git;
mod ignore;
mod program;
mod steps;
mod submodules;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use kamal_core::{
    build::BuildTask,
    event::{EventKind, Tone},
    name::HostName,
    ports::{Access, BuildError, BuildOrder, Command, Reached},
    secret::Secret,
};

use crate::login;
use argv::Flags;
use backend::Backend;
use program::{Show, look, run};

/// Does what is asked for, and returns what a person wants to see of it.
pub(crate) async fn perform(order: &BuildOrder<'_>) -> Result<String, BuildError> {
    let nothing = |()| String::new();
    match order.task {
        BuildTask::Push { no_cache, output } => {
            push(order, &Flags { no_cache: *no_cache, output, suffix: "" }).await.map(nothing)
        }
        BuildTask::Dev { no_cache, output } => {
            dev(order, &Flags { no_cache: *no_cache, output, suffix: "-dirty" }).await.map(nothing)
        }
        BuildTask::CreateBuilder => {
            check_programs(order).await?;
            builder::create(order, &Backend::of(order).await?).await
        }
        BuildTask::RemoveBuilder => {
            check_programs(order).await?;
            builder::remove(order, &Backend::of(order).await?).await
        }
        BuildTask::Details => details(order).await,
        BuildTask::Login => log_in(order).await.map(nothing),
        BuildTask::Logout => log_out(order).await.map(nothing),
    }
}

/// Builds from a clean clone, and hands the image on.
async fn push(order: &BuildOrder<'_>, flags: &Flags<'_>) -> Result<(), BuildError> {
    check_programs(order).await?;
    check_dockerfile(order).await?;
    let backend = Backend::of(order).await?;
    if backend.elsewhere().is_none() {
        log_in(order).await?;
    }
    let _reached = reach(order, &backend).await?;
    let prepared = clone::prepare(order).await?;
    builder::ensure(order, &backend).await?;
    build(order, &backend, flags, prepared.folder.as_deref()).await?;
    if backend == Backend::Pack && flags.output == "registry" {
        for tag in argv::tags(order, flags)? {
            run(order, &format!("push {tag}"), &Command::new("docker", ["push", &tag]), Show::All).await?;
        }
    }
    Ok(())
}

/// Lets a builder on another machine push to the registry on this one.
async fn reach(order: &BuildOrder<'_>, backend: &Backend) -> Result<Option<Reached>, BuildError> {
    let (Some(registry), Some(elsewhere)) = (order.registry, backend.elsewhere()) else { return Ok(None) };
    let place = elsewhere.url.strip_prefix("ssh://").and_then(|place| place.split(['/', '?', '#']).next());
    let Some(host) = place.and_then(|place| HostName::parse(place).ok()) else {
        let text = "Local registry with remote builder requires an SSH URL (e.g., ssh://user@host)";
        return Err(BuildError::Unfit(text.to_owned()));
    };
    order.events.emit(EventKind::say(format!("Setting up local registry port forwarding to {host}...")));
    Ok(Some(registry.reach(&host, Access::Push, Arc::new(|_| ())).await?))
}

/// Builds from the work tree as it is.
async fn dev(order: &BuildOrder<'_>, flags: &Flags<'_>) -> Result<(), BuildError> {
    check_programs(order).await?;
    check_dockerfile(order).await?;
    dev::warn(order).await;
    let backend = Backend::of(order).await?;
    let _reached = reach(order, &backend).await?;
    build(order, &backend, flags, None).await
}

/// Runs the build, in a folder that is not the project's where one is given.
async fn build(
    order: &BuildOrder<'_>,
    backend: &Backend,
    flags: &Flags<'_>,
    folder: Option<&str>,
) -> Result<(), BuildError> {
    let mut command = match (backend, &order.config.builder.pack) {
        (Backend::Pack, Some(pack)) => argv::pack(order, pack, flags)?,
        (_, Some(_)) => {
            let text = "builder/pack is ignored: builder/remote builds for this architecture, with a Dockerfile";
            order.events.emit(EventKind::tell(Tone::Warning, text));
            argv::build(order, backend, flags)?
        }
        _ => argv::build(order, backend, flags)?,
    };
    for name in &order.config.builder.secrets {
        command.env.push((name.clone(), order.secrets.get(name)?));
    }
    command.folder = folder.map(str::to_owned);
    let built = run(order, "build the image", &command, Show::All).await;
    if let Err(BuildError::Failed { output, .. }) = &built
        && let Some(help) = help(output)
    {
        order.events.emit(EventKind::tell(Tone::Warning, help));
    }
    built.map(drop)
}

/// What to do about failures that do not say it.
fn help(output: &str) -> Option<&'static str> {
    [
        ("exec format error", "This machine cannot run that architecture: see builder/arch, or build on one with builder/remote"),
        ("no builder \"", "The builder is not there yet: `kamal build create` makes it"),
        (
            "is not supported for the docker driver",
            "`driver: docker` builds for this machine alone and keeps no cache elsewhere: take it out of builder for that",
        ),
    ]
    .into_iter()
    .find_map(|(said, help)| output.contains(said).then_some(help))
}

/// docker with buildx has to be there.
async fn check_programs(order: &BuildOrder<'_>) -> Result<(), BuildError> {
    match look(order, &Command::new("docker", ["buildx", "version"])).await {
        Ok(printed) if printed.exit.success() => Ok(()),
        Err(error) => Err(error),
        Ok(_) if order.config.builder.pack.is_some() => Ok(()),
        Ok(_) => Err(BuildError::Unfit("Docker buildx plugin is not installed locally".to_owned())),
    }
}

async fn check_dockerfile(order: &BuildOrder<'_>) -> Result<(), BuildError> {
    let builder = &order.config.builder;
    if builder.pack.is_some() || order.local.exists(&builder.dockerfile).await {
        return Ok(());
    }
    Err(BuildError::Unfit(format!("Missing {}; builder/dockerfile names another one", builder.dockerfile)))
}

/// What builders there are, and which of them it would be.
async fn details(order: &BuildOrder<'_>) -> Result<String, BuildError> {
    let backend = Backend::of(order).await?;
    let commands = match (&backend, &order.config.builder.pack) {
        (Backend::Pack, Some(pack)) => vec![Command::new("pack", ["builder", "inspect", &pack.builder])],
        _ => vec![Command::new("docker", ["context", "ls"]), Command::new("docker", ["buildx", "ls"])],
    };
    let mut told = format!("Builder: {}\n", backend.kind());
    for command in commands {
        let printed = look(order, &command).await?;
        if !printed.exit.success() {
            return Err(printed.failure(&command));
        }
        told.push_str(printed.out.trim_end());
        told.push('\n');
    }
    Ok(told)
}

/// Logs the local docker out.
async fn log_out(order: &BuildOrder<'_>) -> Result<(), BuildError> {
    let registry = &order.config.registry;
    if !registry.needs_login() {
        return Ok(());
    }
    let arguments = std::iter::once("logout".to_owned()).chain(registry.server.clone());
    run(order, "log out of the registry", &Command::new("docker", arguments), Show::Nothing).await.map(drop)
}

/// Logs the local docker in, unless it holds these credentials already.
async fn log_in(order: &BuildOrder<'_>) -> Result<(), BuildError> {
    let registry = &order.config.registry;
    if !registry.needs_login() {
        return Ok(());
    }
    let text = login::text(registry, order.secrets)?;
    let mut command = Command::new("sh", ["-s"]);
    command.input = Some(Secret::new(std::mem::take(&mut *text.expose())));
    let named = |error| match error {
        BuildError::Failed { status, output, shown, .. } => {
            let server = registry.server.iter().map(|server| format!(" {server}")).collect::<String>();
            BuildError::Failed { what: format!("`docker login{server}`"), status, output, shown }
        }
        error => error,
    };
    run(order, "log in to the registry", &command, Show::Nothing).await.map(drop).map_err(named)
}
