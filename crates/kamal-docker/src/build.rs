//! Building: from a clean clone of the repository's commit, straight to the registry (spec 9.4).

mod argv;
mod backend;
mod builder;
mod clone;
mod dev;
mod digest;
mod git;
mod ignore;
mod measure;
mod program;
mod session;
mod steps;
mod submodules;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use futures_util::future::try_join;
use kamal_core::{
    build::BuildTask,
    event::{EventKind, Tone},
    name::HostName,
    ports::{Access, BuildError, BuildOrder, Built, Command, Reached},
};

use argv::Flags;
use backend::Backend;
use program::{Show, look, run};
use session::{How, Session};

/// Does what is asked for, and tells what came of it.
pub(crate) async fn perform(order: &BuildOrder<'_>) -> Result<Built, BuildError> {
    let nothing = |()| Built::default();
    match order.task {
        BuildTask::Push { no_cache, output } => push(order, *no_cache, output).await,
        BuildTask::Dev { no_cache, output } => {
            let flags = Flags { no_cache: *no_cache, output, suffix: "-dirty", metadata: None };
            dev(order, &flags).await.map(nothing)
        }
        BuildTask::CreateBuilder => {
            check_programs(order).await?;
            builder::create(order, &Backend::of(order).await?).await.map(Built::from)
        }
        BuildTask::RemoveBuilder => {
            check_programs(order).await?;
            builder::remove(order, &Backend::of(order).await?).await.map(Built::from)
        }
        BuildTask::Details => details(order).await.map(Built::from),
        BuildTask::Measure { image } => measure::image(order, image).await,
        BuildTask::Login => session::log_in(order).await.map(nothing),
        BuildTask::Logout => log_out(order).await.map(nothing),
    }
}

/// Builds from a clean clone, and hands the image on.
async fn push(order: &BuildOrder<'_>, no_cache: bool, output: &str) -> Result<Built, BuildError> {
    let buildx = check_programs(order).await?;
    check_dockerfile(order).await?;
    let backend = Backend::of(order).await?;
    let session = Session::open(order).await?;
    // Asking the registry about the login takes no time of its own. What only another machine may reach is not asked.
    let log_in = session.log_in(order, if backend.elsewhere().is_some() { How::Lent } else { How::Checked });
    let prepare = async {
        let reached = reach(order, &backend).await?;
        let prepared = clone::prepare(order).await?;
        builder::ensure(order, &backend).await.map(|()| (reached, prepared))
    };
    let (configuration, (_reached, prepared)) = try_join(log_in, prepare).await?;
    let to_registry = output == "registry";
    let metadata = (to_registry && digest::is_told(&buildx)).then(|| session.metadata());
    let flags = Flags { no_cache, output, suffix: "", metadata: metadata.as_deref() };
    let given = |command: &mut Command| session.give(&configuration, command);
    build(order, &backend, &flags, prepared.folder.as_deref(), given).await?;
    let mut digest = match &metadata {
        Some(file) => digest::written(order, file).await,
        None => None,
    };
    if backend == Backend::Pack && to_registry {
        for tag in argv::tags(order, &flags)? {
            let mut command = Command::new("docker", ["push", &tag]);
            given(&mut command);
            let said = run(order, &format!("push {tag}"), &command, Show::All).await?;
            digest = digest.or(digest::pushed(&said));
        }
    }
    Ok(Built { digest, ..Built::default() })
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
    build(order, &backend, flags, None, |_| ()).await
}

/// Runs the build, in a folder that is not the project's where one is given, and with what else it is given.
async fn build(
    order: &BuildOrder<'_>,
    backend: &Backend,
    flags: &Flags<'_>,
    folder: Option<&str>,
    give: impl Fn(&mut Command),
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
    give(&mut command);
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
        (
            "does not currently support exporting manifest lists",
            "docker itself keeps no provenance, no SBOM and no second architecture: take them out of builder, or use `--output registry`",
        ),
        ("no builder \"", "The builder is not there yet: `kamal build create` makes it"),
        (
            "is not supported for the docker driver",
            "`driver: docker` builds for this machine alone and keeps no cache elsewhere: take it out of builder for that",
        ),
    ]
    .into_iter()
    .find_map(|(said, help)| output.contains(said).then_some(help))
}

/// docker with buildx has to be there. Tells which buildx that is.
async fn check_programs(order: &BuildOrder<'_>) -> Result<String, BuildError> {
    match look(order, &Command::new("docker", ["buildx", "version"])).await {
        Ok(printed) if printed.exit.success() => Ok(printed.out),
        Err(error) => Err(error),
        Ok(_) if order.config.builder.pack.is_some() => Ok(String::new()),
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
