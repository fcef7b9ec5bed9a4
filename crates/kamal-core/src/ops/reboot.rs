//! `proxy reboot` (spec 9.5): a new container for the proxy on every host, all at once or one by one.

use futures_util::FutureExt;

use super::{Cx, hooks, lock, ship_image, small};
use crate::{
    error::Error,
    name::HostName,
    naming,
    plan::{self, HostWork},
    state::HostState,
    step::Step,
};

/// Replaces the proxy's container on the proxy hosts, under the deploy lock. `rolling` takes one host after another.
pub async fn proxy_reboot(cx: &Cx<'_>, rolling: bool) -> Result<(), Error> {
    let hosts = &cx.targets.proxy_hosts;
    let states = cx.fleet.on(hosts, |host| cx.fleet.observe(host).boxed()).await?;
    if let Some(image) = &cx.proxy_image {
        // Handed over before the lock is taken and anything stops.
        let lacks = |state: &&HostState| {
            let spec = plan::proxy_container(cx.fleet.config, &state.host, Some(&image.reference));
            spec.image.is_some() && !state.has_image(&image.reference)
        };
        let hosts: Vec<HostName> = states.iter().filter(lacks).map(|state| state.host.clone()).collect();
        cx.fleet.on(&hosts, |host| ship_image(&cx.fleet, host, image).boxed()).await?;
    }
    let Some(host) = cx.targets.primary_host.as_ref().filter(|_| !cx.run.lock_held) else {
        return reboot_groups(cx, &states, rolling).await;
    };
    let details = lock::details(&cx.fleet, &cx.run.user_name, cx.version, lock::AUTOMATIC);
    let step = Step::AcquireLock { directory: naming::lock_directory(cx.fleet.config), details };
    lock::acquire(cx, host, &step).await?;
    match reboot_groups(cx, &states, rolling).await {
        Ok(()) => {
            cx.say("Releasing the deploy lock...");
            lock::release(&cx.fleet, host).await.map_err(|error| Error::Hosts(vec![error]))
        }
        Err(error) => {
            lock::release_after_failure(cx).await;
            Err(error)
        }
    }
}

async fn reboot_groups(cx: &Cx<'_>, states: &[HostState], rolling: bool) -> Result<(), Error> {
    let present = hooks::present(cx).await;
    for group in states.chunks(if rolling { 1 } else { states.len().max(1) }) {
        let hosts: Vec<HostName> = group.iter().map(|state| state.host.clone()).collect();
        let told = hooks::Told { hosts: Some(&hosts), locked: true, runtime: None };
        hooks::run(cx, &present, "pre-proxy-reboot", told).await?;
        let works: Vec<HostWork> = group.iter().map(|state| work(cx, state)).collect();
        small::run(cx, "proxy reboot", &works).await?;
        hooks::run(cx, &present, "post-proxy-reboot", told).await?;
    }
    Ok(())
}

fn work(cx: &Cx<'_>, state: &HostState) -> HostWork {
    let config = cx.fleet.config;
    let mut steps = vec![Step::Audit { text: "Rebooted proxy".to_owned(), role: None }];
    if !state.network {
        steps.push(Step::CreateNetwork { name: naming::NETWORK.into() });
    }
    let image = cx.proxy_image.as_ref().map(|image| &image.reference);
    steps.push(Step::ReplaceProxy(Box::new(plan::proxy_container(config, &state.host, image))));
    HostWork { host: state.host.clone(), steps }
}
