//! `kamal app …`.

use kamal_core::{
    name::{HostName, Version},
    naming,
    ops::{self, DeployOptions, Removal, Stale, small},
    plan::Verb,
    query::Query,
};

use super::{deploy, exec, inspect, logs};
use crate::{args::AppCommand as App, context::Context, failure::Failure};

/// Runs an app command.
pub(super) async fn run(context: &Context, command: App) -> Result<(), Failure> {
    match command {
        App::Boot(_) => boot(context).await,
        App::Start(_) => Ok(small::app_start(&context.cx(&context.version()?)).await?),
        App::Stop(_) => Ok(small::app_stop(&context.cx(&context.version_or_unknown())).await?),
        App::Maintenance(args) => {
            let whole = |drain: std::time::Duration| drain.as_secs_f64().ceil() as u64;
            let on = small::Maintenance { drain_timeout: args.drain_timeout.map(whole), message: args.message };
            Ok(small::maintenance(&context.cx(&context.version_or_unknown()), Some(&on)).await?)
        }
        App::Live(_) => Ok(small::maintenance(&context.cx(&context.version_or_unknown()), None).await?),
        App::Exec(args) => exec::run(context, &args).await,
        App::Logs(args) => logs::app(context, &args).await,
        App::Details => inspect::app_details(context).await,
        App::Containers => per_host(context, |_| Query::Containers).await,
        App::Images => per_host(context, |_| Query::Images).await,
        App::Version => version(context).await,
        App::StaleContainers(args) => stale(context, args.stop).await,
        App::Remove(_) => remove(context, Removal::Everything).await,
        App::RemoveContainer(args) => remove(context, Removal::Container(Version::new(args.version_removed))).await,
        App::RemoveContainers(_) => remove(context, Removal::Containers).await,
        App::RemoveImages(_) => remove(context, Removal::Images).await,
        App::RemoveAppDirectories(_) => remove(context, Removal::Directories).await,
    }
}

async fn remove(context: &Context, what: Removal) -> Result<(), Failure> {
    Ok(ops::app_remove(&context.cx(&context.version_or_unknown()), &what).await?)
}

async fn stale(context: &Context, stop: bool) -> Result<(), Failure> {
    for Stale { host, role, version } in ops::stale_containers(&context.cx(&context.version_or_unknown()), stop).await?
    {
        let text = if stop {
            format!("Stopping stale container for role {role} with version {version}")
        } else {
            let mend = "(use `kamal app stale_containers --stop` to stop)";
            format!("Detected stale container for role {role} with version {version} {mend}")
        };
        context.reporter.host("App", &host, &text);
    }
    Ok(())
}

/// Boots `--version`, or the image tagged latest, under that name (spec 12.1, 7).
async fn boot(context: &Context) -> Result<(), Failure> {
    let latest = || Version::new(naming::latest_tag(context.config()));
    let version = context.asked_version().unwrap_or_else(latest);
    let options = DeployOptions { verb: Verb::Boot, skip_push: true, no_cache: false, expected_digest: None };
    deploy::perform(context, &version, &options, false).await
}

async fn version(context: &Context) -> Result<(), Failure> {
    per_host(context, |host| {
        let role = context.targets.roles_on(host).next().map(|(role, _)| role.name.clone());
        Query::Version { role: role.unwrap_or_else(|| context.config().primary_role.clone()) }
    })
    .await
}

async fn per_host(context: &Context, query: impl Fn(&HostName) -> Query) -> Result<(), Failure> {
    let questions: Vec<_> = context.targets.app_hosts.iter().map(|host| (host.clone(), query(host))).collect();
    inspect::show(context, "App", &questions).await
}
