//! `kamal proxy …` (spec 9.5).

use kamal_core::{
    name::HostName,
    ops::{proxy_reboot, small},
    query::Query,
};

use super::{absent, inspect, logs};
use crate::{
    args::{ProxyCommand as Proxy, RollingArgs, proxy::ProxyRemoveArgs},
    confirm::confirm,
    context::Context,
    failure::Failure,
};

/// Runs a proxy command.
pub(super) async fn run(context: &Context, command: Proxy) -> Result<(), Failure> {
    let version = context.version_or_unknown();
    let on = |query: Query| -> Vec<(HostName, Query)> {
        context.targets.proxy_hosts.iter().map(|host| (host.clone(), query.clone())).collect()
    };
    match command {
        Proxy::Boot(_) => small::proxy_boot(&context.cx(&version)).await?,
        Proxy::Start(_) => small::proxy_run(&context.cx(&version), small::ProxyRun::Start).await?,
        Proxy::Stop(_) => small::proxy_run(&context.cx(&version), small::ProxyRun::Stop).await?,
        Proxy::Restart(_) => small::proxy_run(&context.cx(&version), small::ProxyRun::Restart).await?,
        Proxy::Details => inspect::show(context, "Proxy", &on(Query::ProxyDetails)).await?,
        Proxy::List => inspect::show(context, "Proxy", &on(Query::ProxyRoutes)).await?,
        Proxy::Logs(args) => logs::proxy(context, &args).await?,
        Proxy::Reboot(RollingArgs { rolling, confirmed, .. }) => {
            if confirmed || confirm("This will cause a brief outage on each host. Are you sure?") {
                proxy_reboot(&context.cx(&version), rolling).await?;
            }
        }
        Proxy::BootConfig(_)
        | Proxy::Upgrade(_)
        | Proxy::RemoveContainer(_)
        | Proxy::RemoveImage(_)
        | Proxy::RemoveProxyDirectory(_) => return Err(absent()),
        Proxy::Remove(ProxyRemoveArgs { force, .. }) => {
            if !small::proxy_remove(&context.cx(&version), force).await? {
                context.reporter.data(
                    "Not removing the proxy, as other apps are installed, ignore this check with kamal proxy remove --force\n",
                );
            }
        }
    }
    Ok(())
}
