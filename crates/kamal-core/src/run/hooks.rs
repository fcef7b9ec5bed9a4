//! Hooks: programs of the user's that run locally at fixed points (spec chapter 7).

mod files;
mod functions;

pub use files::HookFiles;
pub use functions::{HookCall, HookFunctions};

use super::{Cx, inputs::Hooks};
use crate::{
    config::model::HookLevel,
    error::Error,
    event::{EventKind, Outcome, Tone},
    name::HostName,
    name::Version,
    op::Row,
    output::{Lines, Tail},
    ports::{Chunk, HookOrder, HookProject},
    secret::Secret,
};

/// The hooks Kamal knows.
pub const NAMES: [&str; 9] = [
    "docker-setup",
    "post-app-boot",
    "post-deploy",
    "post-proxy-reboot",
    "pre-app-boot",
    "pre-build",
    "pre-connect",
    "pre-deploy",
    "pre-proxy-reboot",
];

/// Those that are given all secrets.
pub(super) const TRUSTED: [&str; 3] = ["pre-connect", "pre-deploy", "post-deploy"];

/// Set to `true` for hooks while the deploy lock is held: what they call of ours works under it. `KAMAL_LOCK` says so too, but
/// not to `pre-build` of a deploy, as Kamal builds before it takes the lock.
pub const LOCK_HELD: &str = "DEPLOY_LOCK_HELD";

/// What a hook is told besides the run's settings.
#[derive(Clone, Copy, Debug)]
pub(super) struct Facts<'a> {
    /// The operation.
    pub(super) row: Row,
    /// `KAMAL_VERSION`.
    pub(super) version: Option<&'a Version>,
    /// `KAMAL_HOSTS`, where it is not all selected ones.
    pub(super) hosts: Option<&'a [HostName]>,
    /// Whether the deploy lock is held.
    pub(super) locked: bool,
    /// `KAMAL_RUNTIME`, in seconds.
    pub(super) runtime: Option<u64>,
}

/// The hooks that are there, none with `--skip-hooks`.
pub(super) async fn present(cx: &Cx<'_>) -> Hooks {
    if cx.run.skip_hooks {
        return Hooks::default();
    }
    let names = cx.fleet.world.hooks.present(&project(cx)).await;
    Hooks(names.into_iter().filter(|name| NAMES.contains(&name.as_str())).collect())
}

fn project<'c>(cx: &'c Cx<'_>) -> HookProject<'c> {
    HookProject { config: cx.fleet.config, local: &*cx.fleet.world.local }
}

/// Runs a hook, if it is there.
pub(super) async fn run(cx: &Cx<'_>, hooks: &Hooks, name: &str, told: Facts<'_>) -> Result<(), Error> {
    if !hooks.has(name) {
        return Ok(());
    }
    let mut env = environment(cx, name, told);
    if TRUSTED.contains(&name) {
        let missing = |error| Error::HookSecrets { name: name.to_owned(), error };
        env.extend(cx.fleet.keyring().all().map_err(missing)?);
    }
    let order = HookOrder { name, env: &env, project: project(cx) };
    let command = files::path(cx.fleet.config, name);
    let step = format!("run the hook {name}");
    let began = cx.fleet.world.clock.elapsed();
    cx.fleet.emit(EventKind::StepStarted { host: None, step: step.clone(), command });
    let (mut tail, level) = (Tail::default(), level(cx, name));
    let mut show = |line: &str, error: bool| {
        tail.push(line);
        match level {
            Some(HookLevel::Verbose) => cx.fleet.emit(EventKind::tell(Tone::Info, line)),
            Some(HookLevel::Quiet) => {}
            None => cx.fleet.emit(EventKind::Output { host: None, line: line.to_owned(), error }),
        }
    };
    let (mut out, mut err) = (Lines::default(), Lines::default());
    let mut output = |chunk: Chunk<'_>| match chunk {
        Chunk::Stdout(bytes) => out.feed(bytes, &mut |line| show(line, false)),
        Chunk::Stderr(bytes) => err.feed(bytes, &mut |line| show(line, true)),
    };
    let exit = cx.fleet.cancel.guard(cx.fleet.world.hooks.run(&order, &mut output)).await;
    out.end(&mut |line| show(line, false));
    err.end(&mut |line| show(line, true));
    let exit = exit.ok_or(Error::Cancelled)??;
    let outcome = if exit.success() { Outcome::Ok } else { Outcome::Failed(format!("exit status {exit}")) };
    let took = cx.fleet.world.clock.elapsed().saturating_sub(began);
    cx.fleet.emit(EventKind::StepFinished { host: None, step, outcome, took });
    if exit.success() {
        return Ok(());
    }
    let shown = level != Some(HookLevel::Quiet) && cx.fleet.world.events.shows_output();
    Err(Error::Hook { name: name.to_owned(), status: exit.0, output: tail.text(), shown })
}

fn level(cx: &Cx<'_>, name: &str) -> Option<HookLevel> {
    let output = &cx.fleet.config.hooks_output;
    output.each.get(name).copied().or(output.all)
}

fn environment(cx: &Cx<'_>, name: &str, told: Facts<'_>) -> Vec<(String, Secret)> {
    let config = cx.fleet.config;
    let hosts = told.hosts.unwrap_or(&cx.targets.hosts);
    let hosts = hosts.iter().map(HostName::as_str).collect::<Vec<_>>().join(",");
    let now = cx.fleet.world.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let early = name == "pre-build" && matches!(told.row.command, "deploy" | "redeploy");
    let mut env = vec![
        ("KAMAL_RECORDED_AT", now),
        ("KAMAL_PERFORMER", cx.fleet.performer.to_owned()),
        ("KAMAL_SERVICE", config.service.to_string()),
        ("KAMAL_HOSTS", hosts),
        ("KAMAL_COMMAND", told.row.command.to_owned()),
        ("KAMAL_LOCK", (told.locked && !early || cx.run.lock_held).to_string()),
    ];
    if told.locked || cx.run.lock_held {
        env.push((LOCK_HELD, true.to_string()));
    }
    if let Some(version) = told.version {
        env.push(("KAMAL_VERSION", version.to_string()));
        env.push(("KAMAL_SERVICE_VERSION", format!("{}@{}", config.service, version.abbreviated())));
    }
    env.extend(config.destination.as_ref().map(|destination| ("KAMAL_DESTINATION", destination.to_string())));
    env.extend(cx.run.roles.clone().map(|roles| ("KAMAL_ROLES", roles)));
    env.extend(told.row.subcommand.map(|subcommand| ("KAMAL_SUBCOMMAND", subcommand.to_owned())));
    env.extend(told.runtime.map(|seconds| ("KAMAL_RUNTIME", seconds.to_string())));
    env.into_iter().map(|(name, value)| (name.to_owned(), Secret::new(value))).collect()
}
